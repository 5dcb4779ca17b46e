//! Bodies that create or change: every member is copied, must be nothing, or is checked. What no
//! table knows is refused.

mod container;
mod joins;
mod mounts;
mod network;
mod rule;

use self::rule::{Judge, Place, Table};
use super::decide::is_like_an_id;
use super::json::Json;
use super::refused::{Kind, Refused, Stop};
use crate::auth::{Grant, Label};

/// What a guard may ask about things that exist.
pub(crate) trait Things {
    /// The full id (a volume's name) of a thing in the caller's reach; [`Refused::Absent`] of one
    /// that is not there or not in reach.
    fn find(&mut self, kind: Kind, name: &str) -> Result<String, Stop>;

    /// The same of a container whose network is to be shared, which must not be the host's.
    fn join(&mut self, name: &str) -> Result<String, Stop> {
        self.find(Kind::Container, name)
    }
}

/// The bodies that are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    ContainerCreate,
    ContainerUpdate,
    NetworkCreate,
    NetworkConnect,
    NetworkDisconnect,
    VolumeCreate,
    ExecCreate,
    ExecStart,
}

/// Judges a body and gives the one to send instead: with full ids for names of containers and
/// networks, and under a label with that label on everything it creates.
pub(crate) fn judge(
    guard: Guard,
    body: &[u8],
    grant: &Grant,
    things: &mut dyn Things,
) -> Result<Vec<u8>, Stop> {
    // To start a command there need be nothing to say.
    let body = if body.is_empty() && guard == Guard::ExecStart { b"{}" } else { body };
    let mut tree = Json::read(body).map_err(Refused::Json)?;
    if !matches!(tree, Json::Object(_)) {
        return Err(Place::Body.refuse("it must be an object"));
    }
    let mut judge = Judge::new(grant, things);
    if guard == Guard::ContainerCreate {
        container::check_whole(&mut judge, &mut tree)?;
    }
    judge.level(guard.table(), &Place::Body, &mut tree)?;
    if let Some(label) = grant.label.as_ref().filter(|_| guard.creates()) {
        let name = tree.member("Name").and_then(Json::text).filter(|name| is_like_an_id(name));
        if let Some(name) = name {
            return Err(Refused::Shadow(name.to_owned()).into());
        }
        stamp(label, &Place::Body, &mut tree)?;
    }
    Ok(tree.write())
}

impl Guard {
    fn table(self) -> Table {
        match self {
            Self::ContainerCreate => container::CREATE,
            Self::ContainerUpdate => container::UPDATE,
            Self::NetworkCreate => network::CREATE,
            Self::NetworkConnect => network::CONNECT,
            Self::NetworkDisconnect => network::DISCONNECT,
            Self::VolumeCreate => mounts::VOLUME_CREATE,
            Self::ExecCreate => container::EXEC_CREATE,
            Self::ExecStart => container::EXEC_START,
        }
    }

    /// What comes into being carries labels.
    fn creates(self) -> bool {
        match self {
            Self::ContainerCreate | Self::NetworkCreate | Self::VolumeCreate => true,
            Self::ContainerUpdate | Self::NetworkConnect | Self::NetworkDisconnect => false,
            Self::ExecCreate | Self::ExecStart => false,
        }
    }
}

/// Puts a label among an object's `Labels`, where it may stand already but say nothing else.
fn stamp(label: &Label, place: &Place<'_>, object: &mut Json) -> Result<(), Stop> {
    let Json::Object(members) = object else { return Err(place.refuse("it must be an object")) };
    let place = place.member("Labels");
    let stamped = || (label.key.clone(), Json::Text(label.value.clone()));
    match members.iter_mut().find(|(name, _)| name == "Labels").map(|(_, labels)| labels) {
        None => members.push(("Labels".to_owned(), Json::Object(vec![stamped()]))),
        Some(labels @ Json::Null) => *labels = Json::Object(vec![stamped()]),
        Some(Json::Object(labels)) => match labels.iter().find(|(key, _)| *key == label.key) {
            None => labels.push(stamped()),
            Some((_, value)) if value.text() == Some(&label.value) => {}
            Some(_) => {
                return Err(place.key(&label.key).refuse(format!("the key is limited to label {label}")));
            }
        },
        Some(_) => return Err(place.refuse("it must be an object")),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
