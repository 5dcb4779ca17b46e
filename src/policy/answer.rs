//! What of an answer its caller is told: secrets blanked, and what is beyond its reach left out.

use super::decide::Order;
use super::json::Json;
use super::redact::{Blank, blank};
use super::refused::Kind;
use super::row::{Reach, Tells};
use crate::auth::{Class, Glob, Grant, Label};

/// What becomes of an answer.
pub(crate) enum Telling {
    AsItIs,
    /// One document.
    Whole(Screen),
    /// A list, element by element.
    Each(Screen),
    /// One document after the other.
    Stream(Screen),
    /// A document with a list of volumes.
    VolumeList(Screen),
    /// A document with the id of a new command.
    NewExec,
}

/// Judges one value of an answer.
#[derive(Clone)]
pub(crate) struct Screen {
    blank: Option<Blank>,
    keep: Keep,
    /// A member that tells of objects out of reach, and is emptied.
    without: Option<&'static str>,
}

/// Which elements of a list are told.
#[derive(Clone)]
enum Keep {
    All,
    /// Those that carry a label.
    Labelled(Label),
    /// Events of containers that carry a label.
    EventsOf(Label),
    /// Images by their names.
    Images(Vec<Glob>),
}

impl Order {
    /// What its caller is told of the answer.
    pub(crate) fn telling(&self, grant: &Grant) -> Telling {
        let keep = match (self.row.reach, &grant.label) {
            (Reach::Every(Kind::Image), _) if !grant.images.is_empty() => Keep::Images(grant.images.clone()),
            (Reach::Every(Kind::Image), _) => Keep::All,
            (Reach::Every(_), Some(label)) if matches!(self.row.answer, Tells::Stream(_)) => {
                Keep::EventsOf(label.clone())
            }
            // One that was there already is given as if it were made.
            (Reach::Every(_) | Reach::Make(Kind::Volume), Some(label)) => Keep::Labelled(label.clone()),
            _ => Keep::All,
        };
        let screen = |kind: Option<Blank>| {
            let blank = kind.filter(|_| !grant.has(Class::Dump));
            let is_needed = blank.is_some() || !matches!(keep, Keep::All);
            is_needed.then_some(Screen { blank, keep: keep.clone(), without: None })
        };
        // Who else is in a network.
        let network = grant.label.is_some().then(|| Screen {
            blank: None,
            keep: keep.clone(),
            without: Some("Containers"),
        });
        match self.row.answer {
            Tells::AsItIs => None,
            Tells::NewExec => Some(Telling::NewExec),
            Tells::Whole(kind) => screen(Some(kind)).map(Telling::Whole),
            Tells::Each(kind) => screen(Some(kind)).map(Telling::Each),
            Tells::Stream(kind) => screen(Some(kind)).map(Telling::Stream),
            Tells::NetworkList => network.map(Telling::Each),
            Tells::Network => network.map(Telling::Whole),
            Tells::VolumeList => screen(Some(Blank::Volumes)).map(Telling::VolumeList),
        }
        .unwrap_or(Telling::AsItIs)
    }
}

impl Screen {
    /// Blanks a value; says whether it is told at all.
    pub(crate) fn pass(&self, value: &mut Json) -> bool {
        let is_told = self.keep.takes(value);
        if let (Some(kind), true) = (self.blank, is_told) {
            blank(value, kind);
        }
        if let Some(member) = self.without.and_then(|name| value.member_mut(name)) {
            *member = Json::Object(Vec::new());
        }
        is_told
    }

    /// The same for a document with a list in it.
    pub(crate) fn pass_list(&self, document: &mut Json, member: &str) {
        if let Some(Json::List(items)) = document.member_mut(member) {
            items.retain_mut(|item| self.pass(item));
        }
    }
}

impl Keep {
    fn takes(&self, value: &Json) -> bool {
        let carries = |labels: Option<&Json>, label: &Label| {
            labels.and_then(|labels| labels.member(&label.key)).and_then(Json::text) == Some(&label.value)
        };
        match self {
            Self::All => true,
            Self::Labelled(label) => carries(value.member("Labels"), label),
            Self::EventsOf(label) => {
                let is_container = value.member("Type").and_then(Json::text) == Some("container");
                is_container
                    && carries(value.member("Actor").and_then(|actor| actor.member("Attributes")), label)
            }
            Self::Images(globs) => {
                ["RepoTags", "RepoDigests"].iter().any(|names| match value.member(names) {
                    Some(Json::List(names)) => {
                        names.iter().filter_map(Json::text).any(|name| takes(globs, name))
                    }
                    _ => false,
                })
            }
        }
    }
}

fn takes(globs: &[Glob], name: &str) -> bool {
    globs.iter().any(|glob| glob.matches(name))
}
