//! The inventory's news for one controller, in two spellings: server-sent events, and messages of the
//! tunnel.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::super::containers::{follow, happened_in_reach, is_in_reach, telling};
use super::super::route::{Adapter, Agent, Follow};
use super::{descriptor, shown};
use crate::auth::{Class, Grant};
use crate::docker::Event;
use crate::inventory::{Entry, Inventory, Nested, News, Subscription};
use crate::log::{self, number};

/// Follows the inventory, and finds out what to tell.
struct Core {
    following: Subscription<News>,
    inventory: Arc<Inventory>,
    book: Book,
}

/// What a controller may be told, and what it was told.
struct Book {
    agent: String,
    grant: Grant,
    /// Which containers there are.
    has_containers: bool,
    /// What happens to them.
    has_events: bool,
    /// Names of the containers that the controller was told of, by id.
    known: BTreeMap<String, String>,
    /// It must be told everything anew.
    is_behind: bool,
}

/// Something to tell, to be spelled.
enum Told<'t> {
    /// All there is, and which of those that were told before are gone.
    All { containers: Vec<Nested<'t>>, gone: Vec<Gone<'t>> },
    Added(Nested<'t>),
    Updated(Nested<'t>),
    Removed(Gone<'t>),
    Happened(Happening<'t>),
}

#[derive(Serialize)]
struct Gone<'t> {
    id: &'t str,
    name: &'t str,
}

/// An event of a container.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Happening<'t> {
    container_id: &'t str,
    container_name: &'t str,
    image: &'t str,
    action: &'t str,
    actor_attributes: BTreeMap<&'t str, &'t str>,
    /// Milliseconds since 1970.
    timestamp: u64,
}

impl Core {
    /// `None` when too many follow already.
    fn new(agent: &Agent, book: Book) -> Option<Self> {
        Some(Self { following: follow(agent)?, inventory: Arc::clone(&agent.inventory), book })
    }

    fn tell(&mut self, spell: &mut dyn FnMut(Told<'_>)) {
        let taken = self.following.take();
        if taken.missed > 0 {
            self.book.falls_behind();
        }
        for news in &taken.items {
            self.book.hear(news, spell);
        }
        // What is told whole is newer than whatever waited before. It is never told too early: what is
        // missing from it the controller forgets.
        if self.book.is_behind
            && let Some(entries) = self.inventory.all(Duration::ZERO)
        {
            self.book.tell_all(&entries, spell);
        }
    }
}

impl Book {
    fn new(agent: &Agent, grant: &Grant, has_containers: bool, has_events: bool) -> Self {
        Self {
            agent: agent.about.name.clone(),
            grant: grant.clone(),
            has_containers,
            has_events,
            known: BTreeMap::new(),
            is_behind: has_containers,
        }
    }

    fn falls_behind(&mut self) {
        self.is_behind = self.has_containers;
    }

    fn hear(&mut self, news: &News, spell: &mut dyn FnMut(Told<'_>)) {
        let follows = self.has_containers && !self.is_behind;
        match news {
            News::Complete => self.falls_behind(),
            News::Put(entry) if follows => self.put(entry, spell),
            News::Gone(entry) if follows => self.let_go(entry, spell),
            News::Happened(event) if self.has_events => {
                if happened_in_reach(event, self.grant.label.as_ref()) {
                    spell(Told::Happened(Happening::new(event, self.grant.has(Class::Dump))));
                }
            }
            News::Put(_) | News::Gone(_) | News::Happened(_) | News::Gap => {}
        }
    }

    fn put(&mut self, entry: &Entry, spell: &mut dyn FnMut(Told<'_>)) {
        let telling = telling(&self.agent, &self.grant);
        let shown = shown(entry, &telling).filter(|_| is_in_reach(entry, &self.grant));
        let container = &entry.container;
        match shown {
            Some(shown) => match self.known.insert(container.id.clone(), container.name.clone()) {
                None => spell(Told::Added(shown)),
                Some(_) => spell(Told::Updated(shown)),
            },
            None => self.let_go(entry, spell),
        }
    }

    fn let_go(&mut self, entry: &Entry, spell: &mut dyn FnMut(Told<'_>)) {
        let container = &entry.container;
        if self.known.remove(&container.id).is_some() {
            spell(Told::Removed(Gone { id: &container.id, name: &container.name }));
        }
    }

    fn tell_all(&mut self, entries: &[Arc<Entry>], spell: &mut dyn FnMut(Told<'_>)) {
        let telling = telling(&self.agent, &self.grant);
        let in_reach = entries.iter().filter(|entry| is_in_reach(entry, &self.grant));
        let (told, containers): (Vec<_>, Vec<_>) =
            in_reach.filter_map(|entry| Some((&entry.container, shown(entry, &telling)?))).unzip();
        let known = told.iter().map(|told| (told.id.clone(), told.name.clone())).collect();
        let before = std::mem::replace(&mut self.known, known);
        let gone = before.iter().filter(|(id, _)| !self.known.contains_key(*id));
        let gone = gone.map(|(id, name)| Gone { id, name }).collect();
        self.is_behind = false;
        spell(Told::All { containers, gone });
    }
}

impl<'t> Happening<'t> {
    /// Who may not see commands is not told which one was run, nor what was noted about an image.
    fn new(event: &'t Event, may_see_commands: bool) -> Self {
        let all = &event.actor.attributes;
        let value = |name: &str| all.get(name).map_or("", String::as_str);
        let mut attributes: BTreeMap<_, _> =
            all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut action = event.action.as_str();
        if !may_see_commands {
            action = action.split_once(':').map_or(action, |(verb, _)| match verb {
                "health_status" => action,
                verb => verb,
            });
            if action == "commit"
                && let Some(comment) = attributes.get_mut("comment")
            {
                *comment = HIDDEN;
            }
        }
        Self {
            container_id: &event.actor.id,
            container_name: value("name"),
            image: value("image"),
            action,
            actor_attributes: attributes,
            timestamp: event.nanos / NANOS_PER_MILLI,
        }
    }
}

const NANOS_PER_MILLI: u64 = 1_000_000;
/// What stands where something is not told.
const HIDDEN: &str = "***";

/// One message, as either way spells it.
fn message(kind: &str, data: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Message<'m, D> {
        #[serde(rename = "type")]
        kind: &'m str,
        data: &'m D,
    }
    // Our own types hold nothing that JSON cannot.
    serde_json::to_string(&Message { kind, data }).unwrap_or_default()
}

/// Server-sent events.
pub(super) struct Feed {
    core: Core,
    /// Said before anything else.
    first: Vec<u8>,
}

impl Feed {
    /// `None` when too many follow already.
    pub(super) fn new(agent: &Agent, grant: &Grant) -> Option<Self> {
        let core = Core::new(agent, Book::new(agent, grant, true, false))?;
        Some(Self { core, first: Vec::new() })
    }

    /// It begins with an acknowledgement.
    pub(super) fn after(mut self, acknowledgement: &Value) -> Self {
        frame("dd:ack", acknowledgement, &mut self.first);
        self
    }
}

impl Follow for Feed {
    fn tell(&mut self, told: &mut Vec<u8>) {
        told.append(&mut self.first);
        self.core.tell(&mut |news| frame_of(&news, told));
    }
}

impl AsFd for Feed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.core.following.as_fd()
    }
}

fn frame_of(told: &Told<'_>, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Snapshot<'s> {
        containers: &'s [Nested<'s>],
        watcher: Value,
    }
    match told {
        Told::All { containers, .. } => {
            frame("dd:watcher-snapshot", &Snapshot { containers, watcher: descriptor() }, out);
        }
        Told::Added(container) => frame("dd:container-added", container, out),
        Told::Updated(container) => frame("dd:container-updated", container, out),
        Told::Removed(gone) => frame("dd:container-removed", gone, out),
        // The controller asks for these elsewhere.
        Told::Happened(_) => {}
    }
}

/// One event; the controller reads the part behind `data: `, and knows no other fields.
fn frame(kind: &str, data: &impl Serialize, out: &mut Vec<u8>) {
    for part in ["data: ", &message(kind, data), "\n\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Messages of the tunnel. Readable while there may be some.
pub(crate) struct Tidings {
    core: Core,
    /// The longest message that the controller takes.
    most: usize,
    /// All there is was too long for one message when it was last told.
    is_split: bool,
}

/// What there is to tell with the agent's adapter, in messages of at most `most` bytes; `None` when too
/// many follow already.
pub(crate) fn tidings(agent: &Agent, grant: &Grant, most: usize) -> Option<Tidings> {
    let may_view = grant.has(Class::View);
    let has_containers = may_view && agent.about.adapter == Adapter::Drydock;
    let core = Core::new(agent, Book::new(agent, grant, has_containers, may_view))?;
    Some(Tidings { core, most, is_split: false })
}

/// The one watcher there is, as a message.
pub(crate) fn component_sync() -> String {
    message("dd:component_sync", &json!({ "watchers": [descriptor()], "triggers": [] }))
}

impl Tidings {
    /// Gives what there is to tell, message by message.
    pub(crate) fn tell(&mut self, each: &mut dyn FnMut(String)) {
        let Self { core, most, is_split } = self;
        core.tell(&mut |told| messages_of(&told, *most, is_split, each));
    }
}

impl AsFd for Tidings {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.core.following.as_fd()
    }
}

/// All there is, where it is too long for one message, is an empty list to which every container is
/// added; from then on, until it fits again, whoever is gone is removed and all others are added again.
fn messages_of(told: &Told<'_>, most: usize, is_split: &mut bool, each: &mut dyn FnMut(String)) {
    let one = |kind: &str, container: &Nested<'_>| {
        #[derive(Serialize)]
        struct One<'o> {
            container: &'o Nested<'o>,
        }
        message(kind, &One { container })
    };
    match told {
        Told::All { containers, gone } => {
            let whole = sync(containers);
            if whole.len() <= most {
                *is_split = false;
                return each(whole);
            }
            if !std::mem::replace(is_split, true) {
                let sizes = [("bytes", whole.len()), ("most", most), ("containers", containers.len())];
                log::error("edge.sync_too_long", &sizes.map(|(name, size)| (name, number(size))));
                // The list that everything is then added to; without one the controller goes on waiting.
                each(sync(&[]));
            }
            drop(whole);
            gone.iter().for_each(|gone| each(message("dd:container_removed", gone)));
            containers.iter().for_each(|container| each(one("dd:container_added", container)));
        }
        Told::Added(container) => each(one("dd:container_added", container)),
        Told::Updated(container) => each(one("dd:container_updated", container)),
        Told::Removed(gone) => each(message("dd:container_removed", gone)),
        Told::Happened(happening) => each(message("container_event", happening)),
    }
}

fn sync(containers: &[Nested<'_>]) -> String {
    #[derive(Serialize)]
    struct All<'a> {
        containers: &'a [Nested<'a>],
    }
    message("dd:container_sync", &All { containers })
}

#[cfg(test)]
mod tests;
