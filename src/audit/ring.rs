//! The latest records, kept in memory for those who come and ask.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;

use super::record::Record;
use crate::clock;
use crate::shared::Shared;

/// A fixed number of places; a record takes that of the oldest.
pub(crate) struct Ring {
    capacity: usize,
    generation: String,
    held: Shared<Held>,
}

#[derive(Default)]
struct Held {
    /// The cursor of the newest record; the first has 1.
    latest: u64,
    records: VecDeque<Arc<Kept>>,
}

struct Kept {
    cursor: u64,
    time: Duration,
    record: Record,
}

/// Records behind a cursor, oldest first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Export {
    /// One JSON object each.
    pub(crate) records: Vec<String>,
    /// Of the oldest record that is kept, and of the newest; 0 where there is none.
    pub(crate) oldest: u64,
    pub(crate) latest: u64,
    /// What to ask with the next time.
    pub(crate) next: u64,
}

/// Why a cursor does not say where to go on; and the cursor to begin anew with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stale {
    Older { next: u64 },
    Newer { next: u64 },
    Generation { next: u64 },
}

impl Ring {
    pub(crate) fn new(capacity: usize) -> Self {
        let mut bytes = [0; 8];
        // It only has to differ from that of the agent before.
        if getrandom::fill(&mut bytes).is_err() {
            bytes = u64::try_from(clock::unix().as_nanos()).unwrap_or_default().to_be_bytes();
        }
        Self { capacity, generation: HEXLOWER.encode(&bytes), held: Shared::new(Held::default()) }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many records are kept.
    pub(crate) fn len(&self) -> usize {
        self.held.with(|held| held.records.len())
    }

    /// Sixteen digits that no other process has: cursors of one say nothing to another.
    pub(crate) fn generation(&self) -> &str {
        &self.generation
    }

    pub(super) fn push(&self, time: Duration, record: Record) {
        if self.capacity == 0 {
            return;
        }
        // The oldest is freed once the others may go on.
        let _oldest = self.held.with(|held| {
            held.latest = held.latest.saturating_add(1);
            let oldest = if held.records.len() < self.capacity { None } else { held.records.pop_front() };
            held.records.push_back(Arc::new(Kept { cursor: held.latest, time, record }));
            oldest
        });
    }

    /// The latest records, newest first, as one JSON object each.
    pub(crate) fn newest(&self, most: usize) -> Vec<String> {
        let kept: Vec<_> = self.held.with(|held| held.records.iter().rev().take(most).cloned().collect());
        kept.iter().map(|kept| kept.object()).collect()
    }

    /// What came behind a cursor, or everything; `generation` is whose cursor the caller means.
    pub(crate) fn export(
        &self,
        cursor: Option<u64>,
        most: usize,
        generation: Option<&str>,
    ) -> Result<Export, Stale> {
        let (kept, oldest, latest) = self.held.with(|held| {
            let oldest = held.records.front().map_or(0, |kept| kept.cursor);
            let next = oldest.saturating_sub(1);
            if generation.is_some_and(|generation| generation != self.generation) {
                return Err(Stale::Generation { next });
            }
            match cursor {
                Some(cursor) if cursor < next => return Err(Stale::Older { next }),
                Some(cursor) if cursor > held.latest => return Err(Stale::Newer { next }),
                Some(_) | None => {}
            }
            let behind = held.records.partition_point(|kept| kept.cursor <= cursor.unwrap_or(0));
            let kept: Vec<_> = held.records.iter().skip(behind).take(most).cloned().collect();
            Ok((kept, oldest, held.latest))
        })?;
        let next = kept.last().map_or_else(|| cursor.unwrap_or(0), |kept| kept.cursor);
        let records = kept.iter().map(|kept| kept.object()).collect();
        Ok(Export { records, oldest, latest, next })
    }
}

impl Kept {
    fn object(&self) -> String {
        self.record.object(self.cursor, self.time)
    }
}

impl Stale {
    pub(crate) fn next(self) -> u64 {
        match self {
            Self::Older { next } | Self::Newer { next } | Self::Generation { next } => next,
        }
    }
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Older { .. } => "audit cursor is older than the retained buffer",
            Self::Newer { .. } => "audit cursor is newer than the current buffer generation",
            Self::Generation { .. } => "audit cursor belongs to another buffer generation",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Event;
    use super::*;

    fn ring(capacity: usize, records: u64) -> Ring {
        let ring = Ring::new(capacity);
        (1..=records).for_each(|at| ring.push(Duration::from_secs(at), Record::new(Event::Start)));
        ring
    }

    fn cursors(records: &[String]) -> Vec<u64> {
        let cursor =
            |text: &String| serde_json::from_str::<serde_json::Value>(text).unwrap()["cursor"].as_u64();
        records.iter().map(|text| cursor(text).unwrap()).collect()
    }

    fn all(ring: &Ring, cursor: Option<u64>) -> Result<(Vec<u64>, u64, u64, u64), Stale> {
        let export = ring.export(cursor, usize::MAX, None)?;
        Ok((cursors(&export.records), export.oldest, export.latest, export.next))
    }

    #[test]
    fn a_record_takes_the_place_of_the_oldest() {
        let full = ring(3, 5);
        assert_eq!((full.len(), full.capacity()), (3, 3));
        assert_eq!(cursors(&full.newest(usize::MAX)), [5, 4, 3]);
        assert_eq!(cursors(&full.newest(2)), [5, 4]);
        assert_eq!(cursors(&ring(1, 9).newest(usize::MAX)), [9]);
        assert_eq!(cursors(&ring(4, 2).newest(usize::MAX)), [2, 1]);
    }

    #[test]
    fn an_export_begins_behind_its_cursor() {
        let ring = ring(3, 5);
        assert_eq!(all(&ring, None), Ok((vec![3, 4, 5], 3, 5, 5)));
        assert_eq!(all(&ring, Some(2)), Ok((vec![3, 4, 5], 3, 5, 5)));
        assert_eq!(all(&ring, Some(4)), Ok((vec![5], 3, 5, 5)));
        assert_eq!(all(&ring, Some(5)), Ok((vec![], 3, 5, 5)));
        let some = ring.export(Some(2), 2, None).unwrap();
        assert_eq!((cursors(&some.records), some.next), (vec![3, 4], 4));
    }

    #[test]
    fn a_cursor_that_leads_nowhere_is_refused_with_one_that_does() {
        let full = ring(3, 5);
        for cursor in [0, 1] {
            assert_eq!(all(&full, Some(cursor)), Err(Stale::Older { next: 2 }));
        }
        assert_eq!(all(&full, Some(6)), Err(Stale::Newer { next: 2 }));
        let other = full.export(Some(4), 9, Some("0123456789abcdef"));
        assert_eq!(other, Err(Stale::Generation { next: 2 }));
        assert_eq!(full.export(Some(4), 9, Some(full.generation())).unwrap().records.len(), 1);
        assert_eq!(Stale::Older { next: 2 }.next(), 2);
    }

    #[test]
    fn an_empty_ring_and_one_that_is_off_have_nothing() {
        for ring in [ring(3, 0), ring(0, 5)] {
            assert_eq!((ring.len(), ring.newest(9)), (0, vec![]));
            assert_eq!(all(&ring, None), Ok((vec![], 0, 0, 0)));
            assert_eq!(all(&ring, Some(0)), Ok((vec![], 0, 0, 0)));
            assert_eq!(all(&ring, Some(1)), Err(Stale::Newer { next: 0 }));
        }
    }

    #[test]
    fn each_process_has_a_generation_of_its_own() {
        let (one, other) = (ring(1, 0), ring(1, 0));
        assert_eq!(one.generation().len(), 16);
        assert!(one.generation().bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(one.generation(), other.generation());
    }

    #[test]
    fn those_who_ask_while_others_write_miss_nothing() {
        let ring = Ring::new(100_000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|_| ring.push(Duration::ZERO, Record::new(Event::Stop))));
            }
            let (mut seen, mut cursor) = (Vec::new(), 0);
            while seen.len() < 2000 {
                let export = ring.export(Some(cursor), 64, None).unwrap();
                seen.extend(cursors(&export.records));
                cursor = export.next;
            }
            assert_eq!(seen, (1..=2000).collect::<Vec<u64>>());
        });
    }
}
