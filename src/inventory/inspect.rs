//! What the Engine's inspections say of a container and of an image: the part that anybody asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::labels::{self, LabelMap};
use crate::limits::{ENVIRONMENT_BYTES_MAX, MOUNTS_MAX};

/// A container, as its inspection describes it.
#[derive(Debug, PartialEq)]
pub(crate) struct Container {
    pub(crate) id: String,
    /// Without the slash it is told with.
    pub(crate) name: String,
    pub(crate) state: State,
    pub(crate) health: Option<Health>,
    /// It prints to a terminal, so that its logs have no frames.
    pub(crate) has_terminal: bool,
    pub(crate) image_id: String,
    /// The image as whoever made the container wrote it.
    pub(crate) image: String,
    pub(crate) labels: LabelMap,
    /// Labels beyond the bound, which are not among those.
    pub(crate) labels_left_out: usize,
    pub(super) created: String,
    pub(super) started: String,
    pub(super) platform: String,
    pub(super) command: Vec<String>,
    pub(super) env: Vec<String>,
    pub(super) exposed: BTreeSet<String>,
    pub(super) ports: BTreeMap<String, Vec<Binding>>,
    pub(super) networks: BTreeMap<String, Network>,
    /// In the order of their destinations: the Engine tells them in any.
    pub(super) mounts: Vec<Mount>,
}

impl Container {
    pub(crate) fn read(inspection: &[u8]) -> Result<Self, BadInspection> {
        let raw: RawContainer = serde_json::from_slice(inspection).map_err(BadInspection::Json)?;
        if raw.id.is_empty() {
            return Err(BadInspection::NoId);
        }
        let state = raw.state.unwrap_or_default();
        let config = raw.config.unwrap_or_default();
        let networks = raw.network_settings.unwrap_or_default();
        let (labels, labels_left_out) = labels::bounded(config.labels.unwrap_or_default());
        let mut mounts = raw.mounts.unwrap_or_default();
        mounts.sort_by(|one, other| one.destination.cmp(&other.destination));
        mounts.truncate(MOUNTS_MAX);
        Ok(Self {
            id: raw.id,
            name: raw.name.strip_prefix('/').unwrap_or(&raw.name).to_owned(),
            state: State::of(&state),
            health: state.health.and_then(|health| Health::parse(&health.status)),
            has_terminal: config.tty,
            image_id: raw.image,
            image: config.image,
            labels,
            labels_left_out,
            created: raw.created,
            started: state.started_at,
            platform: raw.platform,
            command: bounded(config.cmd.unwrap_or_default()),
            env: bounded(config.env.unwrap_or_default()),
            exposed: config.exposed_ports.unwrap_or_default().into_keys().take(MOUNTS_MAX).collect(),
            ports: filled(networks.ports),
            networks: filled(networks.networks),
            mounts,
        })
    }
}

/// What a container is doing, in the Engine's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    Dead,
}

impl State {
    pub(crate) const EVERY: &[Self] = &[
        Self::Created,
        Self::Running,
        Self::Paused,
        Self::Restarting,
        Self::Removing,
        Self::Exited,
        Self::Dead,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }

    /// By its word where we know it, by its marks where another kind of Engine says something else.
    /// A paused container runs, and so does one that waits for its next start: they come first.
    fn of(raw: &RawState) -> Self {
        let named = Self::EVERY.iter().copied().find(|state| state.name() == raw.status);
        named.unwrap_or(match raw {
            RawState { paused: true, .. } => Self::Paused,
            RawState { restarting: true, .. } => Self::Restarting,
            RawState { running: true, .. } => Self::Running,
            RawState { dead: true, .. } => Self::Dead,
            _ => Self::Exited,
        })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a health check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Starting,
    Healthy,
    Unhealthy,
    /// The image's check is switched off.
    Unchecked,
}

impl Health {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "starting" => Some(Self::Starting),
            "healthy" => Some(Self::Healthy),
            "unhealthy" => Some(Self::Unhealthy),
            "none" => Some(Self::Unchecked),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Unchecked => "none",
        }
    }
}

/// Where on the host a port is published.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Binding {
    pub(super) host_ip: String,
    pub(super) host_port: String,
}

/// A network the container is in.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Network {
    #[serde(rename = "IPAddress")]
    pub(super) ip_address: String,
    pub(super) gateway: String,
}

/// Something mounted into the container.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Mount {
    #[serde(rename = "Type")]
    pub(super) kind: String,
    /// Volumes have one.
    pub(super) name: String,
    pub(super) source: String,
    pub(super) destination: String,
    #[serde(rename = "RW")]
    pub(super) is_writable: bool,
}

/// An image, as its inspection describes it.
#[derive(Debug, PartialEq)]
pub(crate) struct Image {
    pub(crate) id: String,
    pub(super) tags: Vec<String>,
    pub(super) digests: Vec<String>,
    pub(super) created: String,
    pub(super) architecture: String,
    pub(super) variant: String,
    pub(super) os: String,
    pub(super) size: u64,
    pub(super) labels: LabelMap,
    /// The whole, for the few containers whose label names a path in it.
    pub(super) inspection: Box<[u8]>,
}

impl Image {
    pub(crate) fn read(inspection: Vec<u8>) -> Result<Self, BadInspection> {
        let raw: RawImage = serde_json::from_slice(&inspection).map_err(BadInspection::Json)?;
        if raw.id.is_empty() {
            return Err(BadInspection::NoId);
        }
        Ok(Self {
            id: raw.id,
            tags: raw.repo_tags.unwrap_or_default(),
            digests: raw.repo_digests.unwrap_or_default(),
            created: raw.created,
            architecture: raw.architecture,
            variant: raw.variant,
            os: raw.os,
            size: raw.size,
            labels: raw.config.and_then(|config| config.labels).unwrap_or_default(),
            inspection: inspection.into_boxed_slice(),
        })
    }
}

/// Why an inspection is none.
#[derive(Debug)]
pub(crate) enum BadInspection {
    Json(serde_json::Error),
    NoId,
}

impl fmt::Display for BadInspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "the engine's inspection is malformed: {error}"),
            Self::NoId => f.write_str("the engine's inspection has no id"),
        }
    }
}

impl std::error::Error for BadInspection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            Self::NoId => None,
        }
    }
}

/// A map of the Engine's, in which what is null is empty.
fn filled<T: Default>(map: Option<BTreeMap<String, Option<T>>>) -> BTreeMap<String, T> {
    let members = map.unwrap_or_default().into_iter().take(MOUNTS_MAX);
    members.map(|(name, value)| (name, value.unwrap_or_default())).collect()
}

/// As many of a list's texts as are told.
fn bounded(texts: Vec<String>) -> Vec<String> {
    let mut left = ENVIRONMENT_BYTES_MAX;
    let fits = |text: &String| match left.checked_sub(text.len()) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    texts.into_iter().take_while(fits).collect()
}

// What Go holds by reference is null where there is nothing: lists, maps and most objects.

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawContainer {
    id: String,
    created: String,
    state: Option<RawState>,
    image: String,
    name: String,
    platform: String,
    mounts: Option<Vec<Mount>>,
    config: Option<RawConfig>,
    network_settings: Option<RawNetworks>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawState {
    status: String,
    running: bool,
    paused: bool,
    restarting: bool,
    dead: bool,
    started_at: String,
    health: Option<RawHealth>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawHealth {
    status: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawConfig {
    image: String,
    tty: bool,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    labels: Option<LabelMap>,
    exposed_ports: Option<BTreeMap<String, IgnoredAny>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawNetworks {
    ports: Option<BTreeMap<String, Option<Vec<Binding>>>>,
    networks: Option<BTreeMap<String, Option<Network>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawImage {
    id: String,
    repo_tags: Option<Vec<String>>,
    repo_digests: Option<Vec<String>>,
    created: String,
    architecture: String,
    variant: String,
    os: String,
    size: u64,
    config: Option<RawConfig>,
}

#[cfg(test)]
mod tests;
