//! The nested shape of a container: Drydock's, which rejects nulls, empty texts and unknown words.

use serde::Serialize;
use serde_json::Value;

use super::inspect::{Container, Health, Image};
use super::labels::{self, DependsOn, Label, LabelMap};
use super::model::{Secrets, Telling, Variable, WATCHER, filled, own_architecture, real_time};
use super::origin::Origin;
use super::providers::provider;
use super::tag;

/// Where images say which version of their software they hold.
const SOFTWARE_VERSION: &str = "org.opencontainers.image.version";
/// What the controller takes for no tag at all.
const NO_TAG: &str = "unknown";

/// A container in the nested shape, its members in the controller's own order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Nested<'a> {
    id: &'a str,
    name: &'a str,
    display_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_icon: Option<&'a str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<&'static str>,
    watcher: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    image: NestedImage<'a>,
    /// The controller asks the registries, so the agent never knows of an update.
    update_available: bool,
    update_kind: UpdateKind,
    #[serde(flatten)]
    wishes: Wishes<'a>,
    labels: &'a LabelMap,
    details: Details<'a>,
}

impl<'a> Nested<'a> {
    /// `None` where the controller would reject it: a container or an image without a name.
    pub(crate) fn new(
        container: &'a Container,
        image: Option<&'a Image>,
        telling: &Telling<'a>,
    ) -> Option<Self> {
        let name = filled(&container.name)?;
        Some(Self {
            id: &container.id,
            name,
            display_name: labels::value(&container.labels, Label::DisplayName).unwrap_or(name),
            display_icon: labels::value(&container.labels, Label::DisplayIcon),
            status: container.state.name(),
            health: container.health.filter(|health| *health != Health::Unchecked).map(Health::name),
            watcher: WATCHER,
            agent: telling.agent(),
            image: NestedImage::new(container, image, telling.secrets)?,
            update_available: false,
            update_kind: UpdateKind { kind: "unknown" },
            wishes: Wishes::of(container),
            labels: &container.labels,
            details: Details::new(container, telling),
        })
    }
}

#[derive(Debug, Serialize)]
struct UpdateKind {
    kind: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NestedImage<'a> {
    id: &'a str,
    registry: Registry<'a>,
    name: String,
    tag: Tag,
    digest: Digest,
    /// No registry knows it, so that none need be asked. Unknown of an image that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_local_image: Option<bool>,
    architecture: &'a str,
    os: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    /// When the image was made, not the container: the controller compares it with the registry's.
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_version: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Registry<'a> {
    name: &'static str,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    lookup_image: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tag {
    value: String,
    semver: bool,
    tag_precision: &'static str,
}

/// The digest by which the repository knows the image, under two names; and all there are.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Digest {
    watch: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    repo: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    repo_digests: Vec<String>,
}

impl<'a> NestedImage<'a> {
    fn new(container: &'a Container, image: Option<&'a Image>, secrets: Secrets) -> Option<Self> {
        let id = filled(&container.image_id).or_else(|| image.map(|image| image.id.as_str()))?;
        let origin = Origin::of(container, image);
        let marks = &container.labels;
        let formula = labels::value(marks, Label::TagTransform);
        let found = labels::value(marks, Label::InspectTagPath)
            // What else stands in an inspection may be a secret.
            .filter(|path| secrets == Secrets::Told || path.trim_matches('/').starts_with("Config/Labels/"))
            .and_then(|path| tag::version(formula, &inspected(image?, path)?))
            .map(|version| version.to_string());
        let keeps_tag = labels::switch(marks, Label::InspectVersionOnly) == Some(true);
        let value = match (&found, &origin.tag, origin.digests.first()) {
            (Some(found), _, _) if !keeps_tag => found.clone(),
            (_, Some(tag), _) => tag.clone(),
            (_, None, Some(digest)) => digest.clone(),
            (_, None, None) => NO_TAG.to_owned(),
        };
        let lookup_image =
            labels::value(marks, Label::LookupImage).or_else(|| labels::value(marks, Label::LookupUrl));
        let repo = origin.digests.first().cloned();
        Some(Self {
            id,
            registry: Registry {
                name: provider(&origin.registry, lookup_image),
                url: origin.registry,
                lookup_image,
            },
            name: Some(origin.name).filter(|name| !name.is_empty())?,
            digest: Digest {
                watch: labels::switch(marks, Label::WatchDigest).unwrap_or(value != NO_TAG),
                value: repo.clone(),
                repo,
                repo_digests: origin.digests,
            },
            tag: Tag {
                semver: tag::version(formula, &value).is_some(),
                tag_precision: tag::precision(formula, &value).name(),
                value,
            },
            is_local_image: image.map(|image| image.digests.is_empty()),
            architecture: image
                .and_then(|image| filled(&image.architecture))
                .unwrap_or_else(|| own_architecture()),
            os: image
                .and_then(|image| filled(&image.os))
                .or_else(|| filled(&container.platform))
                .unwrap_or(std::env::consts::OS),
            variant: image.and_then(|image| filled(&image.variant)),
            created: image.and_then(|image| real_time(&image.created)),
            software_version: found.or_else(|| declared_version(marks, image)),
        })
    }
}

/// What lies at a path of names and slashes in an image's inspection, as text.
fn inspected(image: &Image, path: &str) -> Option<String> {
    let whole: Value = serde_json::from_slice(&image.inspection).ok()?;
    let mut names = path.split('/').filter(|name| !name.is_empty());
    let found = names.try_fold(&whole, |value, name| match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        Value::Object(members) => members.get(name),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })?;
    let text = match found {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// The version of its software that the image declares, or whoever made the container for it.
fn declared_version(marks: &LabelMap, image: Option<&Image>) -> Option<String> {
    let of_image = image.and_then(|image| image.labels.get(SOFTWARE_VERSION));
    let version = of_image.or_else(|| marks.get(SOFTWARE_VERSION))?.trim();
    filled(version).map(str::to_owned)
}

/// What the labels ask for. The controller reads it from here, and repairs none of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Wishes<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    include_tags: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exclude_tags: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transform_tags: Option<&'a str>,
    tag_family: &'a str,
    tag_pin_info: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_template: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port_label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action_trigger_include: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action_trigger_exclude: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action_trigger_auto: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notification_trigger_include: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notification_trigger_exclude: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger_include: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger_exclude: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    depends_on: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    depends_on_source: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    depends_on_action: Option<&'static str>,
}

impl<'a> Wishes<'a> {
    fn of(container: &'a Container) -> Self {
        let of = |label| labels::value(&container.labels, label);
        let depends_on = labels::depends_on(&container.labels, &container.name);
        Self {
            include_tags: of(Label::TagInclude),
            exclude_tags: of(Label::TagExclude),
            transform_tags: of(Label::TagTransform),
            tag_family: of(Label::TagFamily).unwrap_or("strict"),
            tag_pin_info: !of(Label::TagPinInfo)
                .is_some_and(|text| text.trim().eq_ignore_ascii_case("false")),
            link_template: of(Label::LinkTemplate),
            port_label: of(Label::PortNames),
            action_trigger_include: of(Label::ActionInclude),
            action_trigger_exclude: of(Label::ActionExclude),
            action_trigger_auto: of(Label::ActionAuto),
            notification_trigger_include: of(Label::NotificationInclude),
            notification_trigger_exclude: of(Label::NotificationExclude),
            trigger_include: of(Label::TriggerInclude),
            trigger_exclude: of(Label::TriggerExclude),
            depends_on_source: depends_on.as_ref().map(|_| "label"),
            depends_on_action: depends_on.as_ref().map(|depends_on| depends_on.action),
            depends_on: depends_on.map(|DependsOn { names, .. }| names),
        }
    }
}

/// What a container has. Three lists, which may be empty but never missing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    ports: Vec<String>,
    volumes: Vec<String>,
    env: Vec<Variable<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<&'a str>,
}

impl<'a> Details<'a> {
    fn new(container: &'a Container, telling: &Telling<'a>) -> Self {
        Self {
            ports: ports(container),
            volumes: volumes(container),
            env: telling.environment(container),
            started_at: real_time(&container.started),
        }
    }
}

/// `[ip:]host->container/protocol`, or the container's side alone.
fn ports(container: &Container) -> Vec<String> {
    let mut told = Vec::new();
    for (port, bindings) in &container.ports {
        if bindings.is_empty() {
            told.push(port.clone());
        }
        told.extend(bindings.iter().map(|binding| {
            match (binding.host_ip.as_str(), binding.host_port.as_str()) {
                (_, "") => port.clone(),
                ("", host) => format!("{host}->{port}"),
                (ip, host) => format!("{ip}:{host}->{port}"),
            }
        }));
    }
    told
}

/// `source:destination`, by its name if it has one, and `:ro` where it cannot be written.
fn volumes(container: &Container) -> Vec<String> {
    let told = container.mounts.iter().filter_map(|mount| {
        let source = filled(&mount.name).or_else(|| filled(&mount.source));
        let both = [source, filled(&mount.destination)].into_iter().flatten().collect::<Vec<_>>().join(":");
        let end = if mount.is_writable { "" } else { ":ro" };
        filled(&both).map(|both| format!("{both}{end}"))
    });
    told.collect()
}

#[cfg(test)]
mod tests;
