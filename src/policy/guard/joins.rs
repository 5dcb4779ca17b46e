//! What a container shares with other containers, and the networks it joins: each is looked up, and
//! named by its full id from there on.

use super::rule::{Judge, Place, text};
use crate::auth::Class;
use crate::policy::json::Json;
use crate::policy::refused::{Kind, Refused, Stop};

pub(super) fn pid_mode(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    namespace(judge, place, value, &[""])
}

pub(super) fn ipc_mode(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    namespace(judge, place, value, &["", "none", "private", "shareable"])
}

/// A namespace of the container's own, or of a container whose inside the caller may see anyway.
fn namespace(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json, own: &[&str]) -> Result<(), Stop> {
    let mode = text(place, value)?;
    if own.contains(&mode) {
        return Ok(());
    }
    let Some(target) = mode.strip_prefix("container:") else {
        let why = "it must be the container's own, or container: and another (class host)";
        return if judge.is_lifted() { Ok(()) } else { Err(place.refuse(why)) };
    };
    if !judge.grant.has(Class::Exec) && !judge.is_lifted() {
        return Err(Refused::Beyond { what: place.to_string(), class: Class::Exec }.into());
    }
    let id = judge.find(Kind::Container, place, target)?;
    *value = Json::Text(format!("container:{id}"));
    Ok(())
}

pub(super) fn network_mode(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    let mode = text(place, value)?;
    if let Some(target) = mode.strip_prefix("container:") {
        let id = judge.join(place, target)?;
        *value = Json::Text(format!("container:{id}"));
    } else if let Some(id) = network(judge, place, mode)? {
        *value = Json::Text(id);
    }
    Ok(())
}

/// The id of a network; none of those the Engine brings itself, which carry no labels.
fn network(judge: &mut Judge<'_>, place: &Place<'_>, name: &str) -> Result<Option<String>, Stop> {
    match name {
        "" | "default" | "bridge" | "none" => Ok(None),
        "host" if judge.is_lifted() => Ok(None),
        "host" => Err(place.refuse("it is the host's own network (class host)")),
        name => judge.find(Kind::Network, place, name).map(Some),
    }
}

/// `NetworkingConfig.EndpointsConfig`: networks are its names, and the endpoints have been judged.
pub(super) fn endpoint_networks(
    judge: &mut Judge<'_>,
    place: &Place<'_>,
    value: &mut Json,
) -> Result<(), Stop> {
    let Json::Object(endpoints) = value else { return Ok(()) };
    let mut found: Vec<String> = Vec::with_capacity(endpoints.len());
    for (name, _) in endpoints.iter_mut() {
        if let Some(id) = network(judge, &place.key(name), name)? {
            if found.contains(&id) {
                return Err(place.key(name).refuse("the same network stands there by another name too"));
            }
            found.push(id.clone());
            *name = id;
        }
    }
    Ok(())
}

/// The network an endpoint is said to be in, where it is said.
pub(super) fn network_id(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    if let Some(id) = network(judge, place, text(place, value)?)? {
        *value = Json::Text(id);
    }
    Ok(())
}

/// The container that is connected or disconnected.
pub(super) fn container(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    *value = Json::Text(judge.find(Kind::Container, place, text(place, value)?)?);
    Ok(())
}

/// `container[:options]`
pub(super) fn volumes_from(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    named_containers(judge, place, value, |id, _, options| match options {
        Some(options) => format!("{id}:{options}"),
        None => id,
    })
}

/// `container[:alias]`, where the alias is the name unless it is another.
pub(super) fn links(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    named_containers(judge, place, value, |id, name, alias| format!("{id}:{}", alias.unwrap_or(name)))
}

/// A list that must be empty, or under class `host` name containers in reach.
fn named_containers(
    judge: &mut Judge<'_>,
    place: &Place<'_>,
    value: &mut Json,
    rewritten: impl Fn(String, &str, Option<&str>) -> String,
) -> Result<(), Stop> {
    if value.is_zero() {
        return Ok(());
    }
    let Json::List(items) = value else { return Err(place.refuse("it must be a list")) };
    if !judge.is_lifted() {
        return Err(place.refuse("it must be empty (class host)"));
    }
    for item in items {
        let entry = text(place, item)?;
        let (name, rest) = entry.split_once(':').map_or((entry, None), |(name, rest)| (name, Some(rest)));
        let id = judge.find(Kind::Container, place, name)?;
        *item = Json::Text(rewritten(id, name, rest));
    }
    Ok(())
}
