//! The containers as a controller wants them.

mod feed;
mod flat;
mod inspect;
mod labels;
mod model;
mod nested;
mod origin;
mod pattern;
mod providers;
mod reference;
mod rows;
mod tag;
mod version;
mod watch;

pub(crate) use feed::Subscription;
pub(crate) use flat::Flat;
pub(crate) use inspect::{Container, Image, State};
pub(crate) use labels::is_watched;
pub(crate) use model::{Secrets, Telling, WATCHER, own_architecture};
pub(crate) use nested::Nested;
#[cfg(fuzzing)]
pub(crate) use reference::Reference;
pub(crate) use watch::Watcher;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::docker::Event;
use crate::limits::{INVENTORY_SECS_CEILING, REPLAY_ITEMS_MAX};
use crate::shared::Shared;
use feed::Feed;

/// Every container of the Engine, and news of them.
pub(crate) struct Inventory {
    state: Mutex<Known>,
    completed: Condvar,
    news: Feed<News>,
    /// The last events, for those who come back.
    recent: Shared<VecDeque<Arc<News>>>,
    /// Somebody asked; until then the Engine is not asked either.
    is_wanted: AtomicBool,
    /// Seconds between two looks at everything, where somebody else than the operator said so; or 0.
    told_pace: AtomicU64,
    bell: UnixStream,
    ear: UnixStream,
}

#[derive(Default)]
struct Known {
    /// By id.
    entries: BTreeMap<String, Arc<Entry>>,
    /// Everything was looked at once.
    is_complete: bool,
    /// The last attempt to look failed, and the next is still to come: nobody need wait for it.
    has_failed: bool,
}

/// A container and its image.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) container: Container,
    pub(crate) image: Option<Arc<Image>>,
}

/// What is new.
#[derive(Debug)]
pub(crate) enum News {
    /// A container that was not there, or looks different from before.
    Put(Arc<Entry>),
    Gone(Arc<Entry>),
    /// Everything was looked at again.
    Complete,
    /// The Engine told of it.
    Happened(Event),
    /// Something may have happened that nobody told of.
    Gap,
}

impl Inventory {
    pub(crate) fn new() -> io::Result<Self> {
        let (bell, ear) = UnixStream::pair()?;
        Ok(Self {
            is_wanted: AtomicBool::new(false),
            told_pace: AtomicU64::new(0),
            bell,
            ear,
            state: Mutex::default(),
            completed: Condvar::new(),
            news: Feed::new(),
            recent: Shared::new(VecDeque::new()),
        })
    }

    /// All of them, by name. `None` if they were not looked at yet, and are not within the span, or
    /// if that has just failed.
    pub(crate) fn all(&self, within: Duration) -> Option<Vec<Arc<Entry>>> {
        self.want();
        let waited = self
            .completed
            .wait_timeout_while(self.lock(), within, |known| !known.is_complete && !known.has_failed);
        let (known, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !known.is_complete {
            return None;
        }
        let mut all: Vec<_> = known.entries.values().cloned().collect();
        drop(known);
        all.sort_by(|one, other| one.container.name.cmp(&other.container.name));
        Some(all)
    }

    /// `None` when too many follow already.
    pub(crate) fn follow(&self) -> io::Result<Option<Subscription<News>>> {
        self.want();
        self.news.follow()
    }

    /// The controller says how often everything is to be looked at, from the next look on.
    pub(crate) fn look_every(&self, pace: Duration) {
        self.told_pace.store(pace.as_secs().min(INVENTORY_SECS_CEILING), Ordering::SeqCst);
    }

    fn pace(&self, otherwise: Duration) -> Duration {
        match self.told_pace.load(Ordering::SeqCst) {
            0 => otherwise,
            secs => Duration::from_secs(secs),
        }
    }

    fn want(&self) {
        if !self.is_wanted.swap(true, Ordering::SeqCst) {
            // The watcher waits for this one byte, and there is room for it.
            let _ = (&self.bell).write(&[1]);
        }
    }

    /// Those who follow just now.
    pub(crate) fn followers(&self) -> usize {
        self.news.followers()
    }

    /// What happened after a moment, and whether that is all of it.
    pub(crate) fn happened_after(&self, nanos: u64) -> (Vec<Arc<News>>, bool) {
        self.recent.with(|recent| {
            let is_after = |news: &News| matches!(news, News::Happened(event) if event.nanos > nanos);
            // What came before the oldest that is kept, or before anybody listened, nobody knows.
            let is_all = recent.front().is_some_and(|first| !is_after(first));
            (recent.iter().filter(|news| is_after(news)).cloned().collect(), is_all)
        })
    }

    fn happened(&self, event: Event) {
        let news = Arc::new(News::Happened(event));
        self.recent.with(|recent| {
            if recent.len() >= REPLAY_ITEMS_MAX {
                recent.pop_front();
            }
            recent.push_back(Arc::clone(&news));
        });
        self.news.publish(&news);
    }

    fn put(&self, entry: Entry) {
        let entry = Arc::new(entry);
        let mut known = self.lock();
        let before = known.entries.insert(entry.container.id.clone(), Arc::clone(&entry));
        let is_news = before.is_none_or(|before| before != entry);
        // Under the lock, so that whoever follows hears in the order in which it became true.
        if is_news {
            self.news.publish(&Arc::new(News::Put(entry)));
        }
    }

    fn let_go(&self, id: &str) {
        let mut known = self.lock();
        if let Some(entry) = known.entries.remove(id) {
            self.news.publish(&Arc::new(News::Gone(entry)));
        }
    }

    /// Lets go of everything else.
    fn keep(&self, is_there: impl Fn(&str) -> bool) {
        let known = self.lock();
        let gone: Vec<_> = known.entries.keys().filter(|id| !is_there(id)).cloned().collect();
        drop(known);
        for id in gone {
            self.let_go(&id);
        }
    }

    /// Nobody can say what happened meanwhile.
    fn gap(&self) {
        self.recent.with(VecDeque::clear);
        self.news.publish(&Arc::new(News::Gap));
    }

    /// Those that run from an image.
    fn users_of(&self, image_id: &str) -> Vec<String> {
        let known = self.lock();
        let users = known.entries.values().filter(|entry| entry.container.image_id == image_id);
        users.map(|entry| entry.container.id.clone()).collect()
    }

    fn image_ids(&self) -> HashSet<String> {
        self.lock().entries.values().map(|entry| entry.container.image_id.clone()).collect()
    }

    /// Everything was looked at.
    fn complete(&self) {
        self.lock().is_complete = true;
        self.completed.notify_all();
        self.news.publish(&Arc::new(News::Complete));
    }

    /// A look at everything begins, or failed.
    fn looks(&self, has_failed: bool) {
        self.lock().has_failed = has_failed;
        self.completed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Inventory {
    /// Readable once somebody asked.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ear.as_fd()
    }
}
