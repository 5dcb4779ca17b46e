//! Commands in containers: who made which, so that nobody with limits starts another's.

use std::collections::VecDeque;

use crate::limits::EXECS_REMEMBERED_MAX;
use crate::shared::Shared;

/// Ids of commands, oldest first, with the mark of whoever made them.
pub(crate) struct Execs(Shared<VecDeque<(String, u64)>>);

impl Execs {
    pub(crate) const fn new() -> Self {
        Self(Shared::new(VecDeque::new()))
    }

    pub(crate) fn remember(&self, id: &str, mark: u64) {
        self.0.with(|known| {
            if known.len() >= EXECS_REMEMBERED_MAX {
                // Nobody pushes out what is another's, as long as there is something of its own.
                let own = known.iter().position(|(_, by)| *by == mark).unwrap_or(0);
                known.remove(own);
            }
            known.push_back((id.to_owned(), mark));
        });
    }

    pub(super) fn is_of(&self, id: &str, mark: u64) -> bool {
        self.0.with(|known| known.iter().any(|(made, by)| made == id && *by == mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_its_makers_until_too_many_came_after_it() {
        let execs = Execs::new();
        execs.remember("first", 1);
        assert!(execs.is_of("first", 1) && !execs.is_of("first", 2) && !execs.is_of("firs", 1));
        for number in 1..EXECS_REMEMBERED_MAX {
            execs.remember(&number.to_string(), 2);
        }
        assert!(execs.is_of("first", 1));
        execs.remember("last", 2);
        // Its own oldest makes room, and then, for somebody new, the oldest of all.
        assert!(execs.is_of("first", 1) && !execs.is_of("1", 2) && execs.is_of("last", 2));
        execs.remember("new", 3);
        assert!(!execs.is_of("first", 1) && execs.is_of("2", 2) && execs.is_of("new", 3));
    }
}
