//! One operation at a time on a stack: its name and its directory, with all below and above it, are somebody's or
//! nobody's.

use std::sync::Arc;

use super::names::{StackDir, StackName};
use crate::shared::Shared;

/// Which stacks are worked on.
#[derive(Clone)]
pub(super) struct Stacks(Arc<Shared<Held>>);

#[derive(Default)]
struct Held {
    stacks: Vec<(u64, StackName, StackDir)>,
    next: u64,
}

/// A stack that is ours until drop.
pub(super) struct Lock {
    stacks: Stacks,
    number: u64,
}

impl Stacks {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared::new(Held::default())))
    }

    pub(super) fn try_take(&self, name: &StackName, dir: &StackDir) -> Option<Lock> {
        let number = self.0.with(|held| {
            let is_held = held.stacks.iter().any(|(_, other, at)| other == name || touch(at, dir));
            (!is_held).then(|| {
                held.next = held.next.wrapping_add(1);
                held.stacks.push((held.next, name.clone(), dir.clone()));
                held.next
            })
        })?;
        Some(Lock { stacks: self.clone(), number })
    }
}

/// Whether one of them lies in the other.
fn touch(one: &StackDir, other: &StackDir) -> bool {
    one.segments().zip(other.segments()).all(|(one, other)| one == other)
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.stacks.0.with(|held| held.stacks.retain(|(number, ..)| *number != self.number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_one_callers_at_a_time() {
        let stacks = Stacks::new();
        let take = |name: &str, dir: &str| {
            stacks.try_take(&StackName::parse(name).unwrap(), &StackDir::parse(dir).unwrap())
        };
        let first = take("web", "media/web").unwrap();
        for (name, dir) in
            [("web", "other"), ("api", "media/web"), ("api", "media"), ("api", "media/web/sub")]
        {
            assert!(take(name, dir).is_none(), "{name} in {dir}");
        }
        for (name, dir) in [("api", "media/web2"), ("api", "web"), ("media", "other")] {
            assert!(take(name, dir).is_some(), "{name} in {dir}");
        }
        drop(first);
        assert!(take("web", "media/web").is_some());
    }
}
