//! Keeps the inventory: one subscription to the Engine's events, a look at what they name, and a
//! look at everything now and then.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::rows::{self, Row};
use super::{Container, Entry, Image, Inventory};
use crate::clock::Deadline;
use crate::docker::{Docker, Error, Event, Line};
use crate::limits::{
    INVENTORY_LIST_BYTES_MAX, INVENTORY_RETRY_SECS_MAX, INVENTORY_SETTLE_MILLIS, JSON_ANSWER_BYTES_MAX,
};
use crate::log::{self, number, text};
use crate::net::Shutdown;
use crate::sys::poll::{Watch, wait};

/// Watches the Engine for as long as the agent lives.
pub(crate) struct Watcher {
    pub(crate) docker: Arc<Docker>,
    pub(crate) inventory: Arc<Inventory>,
    /// Between two looks at everything.
    pub(crate) every: Duration,
    pub(crate) shutdown: Shutdown,
}

/// What a watcher holds from one connection to the next.
#[derive(Default)]
struct Memory {
    line: Line,
    /// When the last event was, so that the next subscription begins there.
    since: Option<u64>,
    /// The list's row of each container, as of its last inspection.
    rows: HashMap<String, Row>,
    images: HashMap<String, Arc<Image>>,
    /// Something happened to an image: those in use are to be looked at again.
    are_images_due: bool,
    /// There was a subscription before.
    has_followed: bool,
}

impl Watcher {
    pub(crate) fn run(&self) {
        let inventory = &*self.inventory;
        let _ = wait(&mut [Watch::readable(inventory), Watch::readable(&self.shutdown)], Deadline::NEVER);
        let mut memory = Memory::default();
        let (mut pause, mut is_told) = (Duration::from_secs(1), false);
        while !self.shutdown.has_begun() {
            let mut followed = false;
            inventory.looks(false);
            let Err(error) = self.follow(&mut memory, &mut followed) else { return };
            if followed {
                (pause, is_told) = (Duration::from_secs(1), false);
            }
            // Once an outage: the next attempts fail alike.
            if !std::mem::replace(&mut is_told, true) {
                log::warn("inventory.lost", &[("error", text(&error))]);
            }
            inventory.looks(true);
            memory.line.clear();
            let _ = wait(&mut [Watch::readable(&self.shutdown)], Deadline::after(pause));
            pause = pause.saturating_mul(2).min(Duration::from_secs(INVENTORY_RETRY_SECS_MAX));
        }
    }

    /// Until the agent ends, which is Ok, or the Engine fails.
    fn follow(&self, memory: &mut Memory, followed: &mut bool) -> Result<(), Error> {
        // Before the look at everything, so that nothing happens unseen between the two.
        let resumed = memory.since;
        let mut events = self.docker.events(resumed)?;
        let mut unseen = resumed;
        if std::mem::replace(&mut memory.has_followed, true) && resumed.is_none() {
            self.inventory.gap();
        }
        self.look_at_all(memory)?;
        *followed = true;
        let mut next_look = Deadline::after(self.inventory.pace(self.every));
        let (mut due, mut settled) = (BTreeSet::new(), Deadline::NEVER);
        let mut came_early = events.has_received();
        loop {
            let mut watches = [Watch::readable(&events), Watch::readable(&self.shutdown)];
            let until = match (came_early, due.is_empty() && !memory.are_images_due) {
                (true, _) => Deadline::after_secs(0),
                (false, true) => next_look,
                (false, false) => settled,
            };
            wait(&mut watches, until).map_err(Error::Closed)?;
            let [on_event, on_shutdown] = watches.map(|watch| watch.is_ready());
            if on_shutdown {
                return Ok(());
            }
            if on_event || std::mem::take(&mut came_early) {
                let received = events.receive()?;
                // An Engine that does not bring back the moment to resume from has forgotten more.
                let first = received.events.first().map(|event| event.nanos);
                let has_forgotten = first.is_some() && unseen.is_some() && unseen != first;
                if received.is_missing_some || has_forgotten {
                    self.inventory.gap();
                }
                unseen = unseen.filter(|_| first.is_none());
                // Those of that very moment are known.
                for event in received.events.into_iter().filter(|event| Some(event.nanos) != resumed) {
                    memory.since = Some(event.nanos).filter(|nanos| *nanos > 0).or(memory.since);
                    if due.is_empty() && !memory.are_images_due {
                        settled = Deadline::after(Duration::from_millis(INVENTORY_SETTLE_MILLIS));
                    }
                    self.hear(event, memory, &mut due);
                }
            }
            if settled.passed() {
                if std::mem::take(&mut memory.are_images_due) {
                    self.look_at_images(memory, &mut due)?;
                }
                for id in std::mem::take(&mut due) {
                    self.look_at(&id, memory)?;
                }
                settled = Deadline::NEVER;
            }
            if next_look.passed() {
                self.look_at_all(memory)?;
                next_look = Deadline::after(self.inventory.pace(self.every));
            }
        }
    }

    fn hear(&self, event: Event, memory: &mut Memory, due: &mut BTreeSet<String>) {
        if event.kind == "image" {
            // A tag may have moved, perhaps away from one that is not named here.
            memory.are_images_due = true;
            return;
        }
        if event.kind != "container" || !is_id(&event.actor.id) {
            return;
        }
        if changes_something(&event.action) {
            due.insert(event.actor.id.clone());
        }
        self.inventory.happened(event);
    }

    /// Everything there is: what is new or looks different is inspected, what is gone is let go.
    fn look_at_all(&self, memory: &mut Memory) -> Result<(), Error> {
        let list = self.docker.read(&mut memory.line, "/containers/json?all=1", INVENTORY_LIST_BYTES_MAX)?;
        let list = list.ok_or(Error::Unreadable)?;
        let mut rows = rows::read(&list).map_err(|_| Error::Unreadable)?;
        drop(list);
        // Each becomes part of a target, whoever wrote the list.
        rows.retain(|id, _| is_id(id));
        for (id, row) in &rows {
            if memory.rows.get(id) != Some(row) && self.look_at(id, memory)? {
                memory.rows.insert(id.clone(), row.clone());
            }
        }
        memory.rows.retain(|id, _| rows.contains_key(id));
        self.inventory.keep(|id| rows.contains_key(id));
        let used = self.inventory.image_ids();
        memory.images.retain(|id, _| used.contains(id));
        log::debug("inventory.looked", &[("containers", number(rows.len()))]);
        self.inventory.complete();
        Ok(())
    }

    /// One container. One that is gone is let go; one that cannot be inspected stays as it was.
    /// Whether that is known now; if not, the next look at everything tries again.
    fn look_at(&self, id: &str, memory: &mut Memory) -> Result<bool, Error> {
        let target = format!("/containers/{id}/json");
        let told = match self.docker.read(&mut memory.line, &target, JSON_ANSWER_BYTES_MAX) {
            Ok(None) => {
                memory.rows.remove(id);
                self.inventory.let_go(id);
                return Ok(true);
            }
            Ok(Some(told)) => told,
            Err(error @ (Error::Refused(_) | Error::TooLong)) => {
                return Ok(kept(id, &error, memory));
            }
            Err(error) => return Err(error),
        };
        let container = match Container::read(&told) {
            Ok(container) if container.id == id => container,
            Ok(_) => return Ok(kept(id, &"another container was told of", memory)),
            Err(bad) => return Ok(kept(id, &bad, memory)),
        };
        let image = self.image_of(&container, memory)?;
        self.inventory.put(Entry { container, image });
        Ok(true)
    }

    /// The images in use; who runs from one that changed is to be told anew.
    fn look_at_images(&self, memory: &mut Memory, due: &mut BTreeSet<String>) -> Result<(), Error> {
        for id in self.inventory.image_ids() {
            let Some(before) = memory.images.remove(&id) else {
                due.extend(self.inventory.users_of(&id));
                continue;
            };
            match self.read_image(&id, memory)? {
                Some(image) if image == before => drop(memory.images.insert(id, before)),
                _ => due.extend(self.inventory.users_of(&id)),
            }
        }
        Ok(())
    }

    fn image_of(&self, container: &Container, memory: &mut Memory) -> Result<Option<Arc<Image>>, Error> {
        let id = &container.image_id;
        match memory.images.get(id) {
            Some(known) => Ok(Some(Arc::clone(known))),
            None => self.read_image(id, memory),
        }
    }

    /// Asked for, and kept for the next container that runs from it.
    fn read_image(&self, id: &str, memory: &mut Memory) -> Result<Option<Arc<Image>>, Error> {
        let Some(digest) = id.strip_prefix("sha256:").filter(|digest| is_id(digest)) else { return Ok(None) };
        let target = format!("/images/sha256:{digest}/json");
        let told = match self.docker.read(&mut memory.line, &target, JSON_ANSWER_BYTES_MAX) {
            Ok(told) => told,
            Err(Error::Refused(_) | Error::TooLong) => None,
            Err(error) => return Err(error),
        };
        let image = told.and_then(|told| Image::read(told).ok()).map(Arc::new);
        if let Some(image) = &image {
            memory.images.insert(id.to_owned(), Arc::clone(image));
        }
        Ok(image)
    }
}

/// It is told as it was: what cannot be inspected just now has not gone.
fn kept(id: &str, why: &dyn std::fmt::Display, memory: &mut Memory) -> bool {
    // Without its row the next look at everything tries again.
    memory.rows.remove(id);
    log::warn("inventory.not_inspected", &[("container", text(&id)), ("error", text(why))]);
    false
}

fn is_id(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// After most events of a container its inspection reads differently; not after these.
fn changes_something(action: &str) -> bool {
    let verb = action.split(':').next().unwrap_or(action);
    ![
        "exec_create",
        "exec_start",
        "exec_die",
        "exec_detach",
        "attach",
        "detach",
        "resize",
        "top",
        "copy",
        "export",
        "archive-path",
        "extract-to-dir",
    ]
    .contains(&verb)
}
