//! News for whoever follows: bounded, and whoever was too slow is told so.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Weak};

use crate::limits::{FEED_ITEMS_MAX, FEEDS_MAX};
use crate::permits::{Permit, Permits};
use crate::shared::Shared;

/// Everyone who follows.
pub(crate) struct Feed<T> {
    followers: Shared<Vec<Weak<Mailbox<T>>>>,
    places: Permits,
}

struct Mailbox<T> {
    waiting: Shared<Waiting<T>>,
    /// A byte here wakes the follower.
    bell: UnixStream,
}

struct Waiting<T> {
    items: VecDeque<Arc<T>>,
    missed: u64,
}

/// What came since the last look.
pub(crate) struct Taken<T> {
    pub(crate) items: Vec<Arc<T>>,
    /// What was dropped before those, because too much was waiting.
    pub(crate) missed: u64,
}

/// One who follows, until dropped.
pub(crate) struct Subscription<T> {
    mailbox: Arc<Mailbox<T>>,
    ear: UnixStream,
    _place: Permit,
}

impl<T> Feed<T> {
    pub(crate) fn new() -> Self {
        Self { followers: Shared::new(Vec::new()), places: Permits::new(FEEDS_MAX) }
    }

    /// `None` when too many follow already.
    pub(crate) fn follow(&self) -> io::Result<Option<Subscription<T>>> {
        let Some(place) = self.places.try_take() else { return Ok(None) };
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        let waiting = Shared::new(Waiting { items: VecDeque::new(), missed: 0 });
        let mailbox = Arc::new(Mailbox { waiting, bell });
        self.followers.with(|followers| followers.push(Arc::downgrade(&mailbox)));
        Ok(Some(Subscription { mailbox, ear, _place: place }))
    }

    pub(crate) fn publish(&self, item: &Arc<T>) {
        self.followers.with(|followers| {
            followers.retain(|follower| match follower.upgrade() {
                Some(mailbox) => {
                    mailbox.put(Arc::clone(item));
                    true
                }
                None => false,
            });
        });
    }

    /// Those who follow just now.
    pub(crate) fn followers(&self) -> usize {
        self.places.taken()
    }
}

impl<T> Mailbox<T> {
    /// A full box is emptied rather than thinned: one gap is told, many could not be.
    fn put(&self, item: Arc<T>) {
        self.waiting.with(|waiting| {
            if waiting.items.len() >= FEED_ITEMS_MAX {
                let dropped = u64::try_from(waiting.items.len()).unwrap_or(u64::MAX);
                waiting.missed = waiting.missed.saturating_add(dropped);
                waiting.items.clear();
            }
            waiting.items.push_back(item);
        });
        // A bell that rings already need not ring again.
        let _ = (&self.bell).write(&[1]);
    }
}

impl<T> Subscription<T> {
    /// Takes everything that waits, and lets the bell rest.
    pub(crate) fn take(&mut self) -> Taken<T> {
        let mut rings = [0; 64];
        while matches!(self.ear.read(&mut rings), Ok(count) if count == rings.len()) {}
        self.mailbox.waiting.with(|waiting| Taken {
            items: waiting.items.drain(..).collect(),
            missed: std::mem::take(&mut waiting.missed),
        })
    }
}

impl<T> AsFd for Subscription<T> {
    /// Readable while something waits.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ear.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Deadline;
    use crate::sys::poll::{Watch, wait};

    fn rings(subscription: &Subscription<usize>) -> bool {
        wait(&mut [Watch::readable(subscription)], Deadline::after_secs(0)).unwrap()
    }

    #[test]
    fn everyone_hears_what_is_published_and_the_bell_rests_once_it_was_taken() {
        let feed = Feed::new();
        let mut both = [feed.follow().unwrap().unwrap(), feed.follow().unwrap().unwrap()];
        feed.publish(&Arc::new(7));
        feed.publish(&Arc::new(8));
        for subscription in &mut both {
            assert!(rings(subscription));
            let taken = subscription.take();
            assert_eq!(
                (taken.items.iter().map(|item| **item).collect::<Vec<_>>(), taken.missed),
                (vec![7, 8], 0)
            );
            assert!(!rings(subscription));
        }
    }

    #[test]
    fn whoever_is_too_slow_loses_all_that_waits_and_is_told_how_much() {
        let feed = Feed::new();
        let mut slow = feed.follow().unwrap().unwrap();
        for number in 0..=FEED_ITEMS_MAX {
            feed.publish(&Arc::new(number));
        }
        let taken = slow.take();
        assert_eq!(taken.missed, u64::try_from(FEED_ITEMS_MAX).unwrap());
        assert_eq!(taken.items.len(), 1);
        assert_eq!(slow.take().missed, 0);
    }

    #[test]
    fn a_follower_that_left_is_forgotten_and_its_place_is_free() {
        let feed = Feed::new();
        let all: Vec<_> = (0..FEEDS_MAX).map(|_| feed.follow().unwrap().unwrap()).collect();
        assert!(feed.follow().unwrap().is_none());
        drop(all);
        assert_eq!(feed.followers(), 0);
        feed.publish(&Arc::new(1));
        assert!(feed.followers.with(|followers| followers.is_empty()));
    }
}
