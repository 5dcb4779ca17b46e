//! Patterns of labels: the part of RE2's syntax that is used on tags, matched in bounded time.

mod syntax;

use crate::limits::{PATTERN_BYTES_MAX, PATTERN_STEPS_MAX, VERSION_BYTES_MAX};
use syntax::{Assertion, Node, Repeat, Set};

/// A pattern as steps of a machine that tries one way after the other.
#[derive(Debug)]
pub(super) struct Pattern {
    steps: Vec<Step>,
    groups: usize,
}

#[derive(Debug)]
enum Step {
    /// Takes one character of a set.
    Take(Set),
    Check(Assertion),
    /// Notes where a group begins or ends.
    Note(usize),
    /// Goes on at the first, and if that fails at the second.
    Fork(usize, usize),
    Jump(usize),
    Done,
}

impl Repeat {
    /// Once more first, or on first.
    fn fork(&self, more: usize, on: usize) -> Step {
        if self.is_lazy { Step::Fork(on, more) } else { Step::Fork(more, on) }
    }
}

impl Pattern {
    /// `None` where it is malformed, too large, or of a syntax that is not known here.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > PATTERN_BYTES_MAX {
            return None;
        }
        let (node, groups) = syntax::parse(text)?;
        let mut compiler = Compiler { steps: Vec::new(), nodes_left: PATTERN_STEPS_MAX };
        compiler.add(&Node::Group(Box::new(node), Some(0)))?;
        compiler.push(Step::Done)?;
        Some(Self { steps: compiler.steps, groups: groups.saturating_add(1) })
    }

    /// What the first match took, and each of its groups.
    pub(super) fn find<'t>(&self, text: &'t str) -> Option<Vec<Option<&'t str>>> {
        if text.len() > VERSION_BYTES_MAX {
            return None;
        }
        let states = self.steps.len().checked_mul(text.len().saturating_add(1))?;
        let mut search = Search { pattern: self, text, tried: vec![false; states], notes: Vec::new() };
        (0..=text.len()).filter(|at| text.is_char_boundary(*at)).find_map(|start| search.from(start))
    }
}

struct Compiler {
    steps: Vec<Step>,
    /// Repetitions of nothing make no steps, so what is written out is counted too.
    nodes_left: usize,
}

impl Compiler {
    fn push(&mut self, step: Step) -> Option<usize> {
        if self.steps.len() >= PATTERN_STEPS_MAX {
            return None;
        }
        self.steps.push(step);
        self.steps.len().checked_sub(1)
    }

    fn next(&self) -> usize {
        self.steps.len()
    }

    fn set(&mut self, at: usize, step: Step) {
        if let Some(place) = self.steps.get_mut(at) {
            *place = step;
        }
    }

    fn add(&mut self, node: &Node) -> Option<()> {
        self.nodes_left = self.nodes_left.checked_sub(1)?;
        match node {
            Node::Take(set) => {
                self.push(Step::Take(set.clone()))?;
            }
            Node::Check(assertion) => {
                self.push(Step::Check(*assertion))?;
            }
            Node::Group(inner, None) => self.add(inner)?,
            Node::Group(inner, Some(number)) => {
                let begin = number.checked_mul(2)?;
                self.push(Step::Note(begin))?;
                self.add(inner)?;
                self.push(Step::Note(begin.checked_add(1)?))?;
            }
            Node::Sequence(nodes) => {
                for node in nodes {
                    self.add(node)?;
                }
            }
            Node::Choice(nodes) => self.add_choice(nodes)?,
            Node::Repeat(inner, repeat) => self.add_repeat(inner, repeat)?,
        }
        Some(())
    }

    fn add_choice(&mut self, nodes: &[Node]) -> Option<()> {
        let Some((last, others)) = nodes.split_last() else { return Some(()) };
        let mut ends = Vec::new();
        for node in others {
            let fork = self.push(Step::Done)?;
            self.add(node)?;
            ends.push(self.push(Step::Done)?);
            self.set(fork, Step::Fork(fork.checked_add(1)?, self.next()));
        }
        self.add(last)?;
        for end in ends {
            self.set(end, Step::Jump(self.next()));
        }
        Some(())
    }

    fn add_repeat(&mut self, inner: &Node, repeat: &Repeat) -> Option<()> {
        let Some(most) = repeat.most else { return self.add_endless(inner, repeat) };
        for _ in 0..repeat.least {
            self.add(inner)?;
        }
        let mut forks = Vec::new();
        for _ in repeat.least..most {
            forks.push(self.push(Step::Done)?);
            self.add(inner)?;
        }
        for at in forks {
            self.set(at, repeat.fork(at.checked_add(1)?, self.next()));
        }
        Some(())
    }

    /// The last of the copies goes back to its own beginning; `x*` is `(x+)?`.
    fn add_endless(&mut self, inner: &Node, repeat: &Repeat) -> Option<()> {
        for _ in 1..repeat.least {
            self.add(inner)?;
        }
        let around = if repeat.least == 0 { Some(self.push(Step::Done)?) } else { None };
        let begin = self.next();
        self.add(inner)?;
        let end = self.push(Step::Done)?;
        self.set(end, repeat.fork(begin, self.next()));
        if let Some(around) = around {
            self.set(around, repeat.fork(begin, self.next()));
        }
        Some(())
    }
}

/// One search. A step that failed at a place once fails there always, so each is tried once.
struct Search<'p, 't> {
    pattern: &'p Pattern,
    text: &'t str,
    tried: Vec<bool>,
    notes: Vec<Option<usize>>,
}

enum Task {
    Try {
        step: usize,
        at: usize,
    },
    /// Takes a note back that led nowhere.
    Restore {
        note: usize,
        old: Option<usize>,
    },
}

impl<'t> Search<'_, 't> {
    fn from(&mut self, start: usize) -> Option<Vec<Option<&'t str>>> {
        self.notes = vec![None; self.pattern.groups.checked_mul(2)?];
        let mut tasks = vec![Task::Try { step: 0, at: start }];
        while let Some(task) = tasks.pop() {
            match task {
                Task::Restore { note, old } => self.note(note, old),
                Task::Try { step, at } => {
                    if self.run(step, at, &mut tasks) {
                        let mut groups = Vec::new();
                        for pair in self.notes.chunks(2) {
                            let (begin, end) = (pair.first().copied()?, pair.last().copied()?);
                            groups.push(begin.zip(end).and_then(|(begin, end)| self.text.get(begin..end)));
                        }
                        return Some(groups);
                    }
                }
            }
        }
        None
    }

    /// Follows one way to its end; the ways it did not take are left in `tasks`.
    fn run(&mut self, mut step: usize, mut at: usize, tasks: &mut Vec<Task>) -> bool {
        while self.is_new(step, at) {
            let next = step.saturating_add(1);
            step = match self.pattern.steps.get(step) {
                None => return false,
                Some(Step::Done) => return true,
                Some(Step::Jump(to)) => *to,
                Some(Step::Fork(first, second)) => {
                    tasks.push(Task::Try { step: *second, at });
                    *first
                }
                Some(Step::Note(note)) => {
                    let old = self.notes.get(*note).copied().flatten();
                    tasks.push(Task::Restore { note: *note, old });
                    self.note(*note, Some(at));
                    next
                }
                Some(Step::Check(assertion)) if assertion.holds(self.text, at) => next,
                Some(Step::Check(_)) => return false,
                Some(Step::Take(set)) => match self.text.get(at..).and_then(|rest| rest.chars().next()) {
                    Some(c) if set.has(c) => {
                        at = at.saturating_add(c.len_utf8());
                        next
                    }
                    _ => return false,
                },
            };
        }
        false
    }

    fn is_new(&mut self, step: usize, at: usize) -> bool {
        let places = self.text.len().saturating_add(1);
        let state = step.saturating_mul(places).saturating_add(at);
        self.tried.get_mut(state).is_some_and(|tried| !std::mem::replace(tried, true))
    }

    fn note(&mut self, note: usize, at: Option<usize>) {
        if let Some(place) = self.notes.get_mut(note) {
            *place = at;
        }
    }
}

#[cfg(test)]
mod tests;
