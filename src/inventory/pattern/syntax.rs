//! The syntax of patterns: text to a tree.

use std::iter::Peekable;
use std::str::Chars;

use crate::limits::PATTERN_DEPTH_MAX;

/// The most a counted repetition may say, as RE2 has it.
const REPEAT_MAX: usize = 1000;

/// A part of a pattern.
#[derive(Debug)]
pub(super) enum Node {
    Take(Set),
    Check(Assertion),
    /// With its number, if it is told afterwards what it took.
    Group(Box<Self>, Option<usize>),
    Sequence(Vec<Self>),
    Choice(Vec<Self>),
    Repeat(Box<Self>, Repeat),
}

/// How often, and whether rather less than more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeat {
    pub(super) least: usize,
    pub(super) most: Option<usize>,
    pub(super) is_lazy: bool,
}

/// Some characters, or all others.
#[derive(Clone, Debug, Default)]
pub(super) struct Set {
    ranges: Vec<(char, char)>,
    is_negated: bool,
    ignores_case: bool,
}

impl Set {
    pub(super) fn has(&self, c: char) -> bool {
        let within = |c: char| self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&c));
        let either = |c: char| within(c.to_ascii_lowercase()) || within(c.to_ascii_uppercase());
        (if self.ignores_case { within(c) || either(c) } else { within(c) }) != self.is_negated
    }

    fn of(ranges: &[(char, char)]) -> Self {
        Self { ranges: ranges.to_vec(), ..Self::default() }
    }
}

/// What must hold between two characters.
#[derive(Clone, Copy, Debug)]
pub(super) enum Assertion {
    Start,
    End,
    Boundary { is_wanted: bool },
}

impl Assertion {
    pub(super) fn holds(self, text: &str, at: usize) -> bool {
        let is_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        let (before, behind) = text.split_at_checked(at).unwrap_or((text, ""));
        match self {
            Self::Start => before.is_empty(),
            Self::End => behind.is_empty(),
            Self::Boundary { is_wanted } => {
                (is_word(before.chars().next_back()) != is_word(behind.chars().next())) == is_wanted
            }
        }
    }
}

const DIGITS: &[(char, char)] = &[('0', '9')];
const WORDS: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
const SPACES: &[(char, char)] = &[('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')];
const LINE_FEED: &[(char, char)] = &[('\n', '\n')];

/// The tree of a pattern, and how many groups it tells of.
pub(super) fn parse(text: &str) -> Option<(Node, usize)> {
    let (text, ignores_case) = match text.strip_prefix("(?i)") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let mut parser =
        Parser { rest: text.chars().peekable(), groups: 0, names: Vec::new(), depth: 0, ignores_case };
    let node = parser.choice()?;
    // A parenthesis that nothing opened is all that can be left.
    parser.rest.next().is_none().then_some((node, parser.groups))
}

struct Parser<'t> {
    rest: Peekable<Chars<'t>>,
    groups: usize,
    names: Vec<String>,
    depth: usize,
    ignores_case: bool,
}

impl Parser<'_> {
    fn choice(&mut self) -> Option<Node> {
        let mut ways = vec![self.sequence()?];
        while self.rest.next_if_eq(&'|').is_some() {
            ways.push(self.sequence()?);
        }
        Some(if ways.len() > 1 { Node::Choice(ways) } else { ways.pop()? })
    }

    fn sequence(&mut self) -> Option<Node> {
        let mut nodes = Vec::new();
        while self.rest.peek().is_some_and(|c| !matches!(c, '|' | ')')) {
            // Counts of nothing. A brace that does not count is a brace.
            if self.counts().is_some() {
                return None;
            }
            let node = self.atom()?;
            nodes.push(self.repeated(node)?);
        }
        Some(Node::Sequence(nodes))
    }

    fn repeated(&mut self, node: Node) -> Option<Node> {
        let (least, most) = match self.rest.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => match self.counts() {
                Some(counts) => counts,
                None => return Some(node),
            },
            _ => return Some(node),
        };
        self.rest.next();
        let is_lazy = self.rest.next_if_eq(&'?').is_some();
        // What is repeated already is not repeated again.
        if self.rest.peek().is_some_and(|c| matches!(c, '*' | '+' | '?')) || self.counts().is_some() {
            return None;
        }
        if least.max(most.unwrap_or(0)) > REPEAT_MAX || most.is_some_and(|most| most < least) {
            return None;
        }
        Some(Node::Repeat(Box::new(node), Repeat { least, most, is_lazy }))
    }

    /// What stands between braces; they are passed over but for the last, if they count.
    fn counts(&mut self) -> Option<(usize, Option<usize>)> {
        let mut ahead = self.rest.clone();
        ahead.next_if_eq(&'{')?;
        let inside: String =
            std::iter::from_fn(|| ahead.next_if(|c| c.is_ascii_digit() || *c == ',')).collect();
        ahead.peek().filter(|c| **c == '}')?;
        // More than fits is as wrong as more than is allowed.
        let number = |text: &str| text.parse().ok().or_else(|| (!text.is_empty()).then_some(usize::MAX));
        let counts = match inside.split_once(',') {
            None => (number(&inside)?, Some(number(&inside)?)),
            Some((least, "")) => (number(least)?, None),
            Some((least, most)) if !most.contains(',') => (number(least)?, Some(number(most)?)),
            Some(_) => return None,
        };
        self.rest = ahead;
        Some(counts)
    }

    fn atom(&mut self) -> Option<Node> {
        Some(match self.rest.next()? {
            '(' => self.group()?,
            '[' => Node::Take(self.set()?),
            '.' => Node::Take(self.cased(Set { is_negated: true, ..Set::of(LINE_FEED) })),
            '^' => Node::Check(Assertion::Start),
            '$' => Node::Check(Assertion::End),
            '\\' => self.escape()?,
            '*' | '+' | '?' => return None,
            c => Node::Take(self.cased(Set::of(&[(c, c)]))),
        })
    }

    fn cased(&self, set: Set) -> Set {
        Set { ignores_case: self.ignores_case, ..set }
    }

    /// A group is told of unless it begins with `?:`; with `?P<name>` or `?<name>` it is, too.
    fn group(&mut self) -> Option<Node> {
        self.depth = self.depth.checked_add(1).filter(|depth| *depth <= PATTERN_DEPTH_MAX)?;
        let is_told = if self.rest.next_if_eq(&'?').is_some() {
            let has_letter = self.rest.next_if_eq(&'P').is_some();
            match self.rest.next()? {
                ':' if !has_letter => false,
                '<' => {
                    let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
                    let name: String = std::iter::from_fn(|| self.rest.next_if(is_name)).collect();
                    self.rest.next_if_eq(&'>')?;
                    if name.is_empty() || self.names.contains(&name) {
                        return None;
                    }
                    self.names.push(name);
                    true
                }
                _ => return None,
            }
        } else {
            true
        };
        let number = if is_told {
            self.groups = self.groups.checked_add(1)?;
            Some(self.groups)
        } else {
            None
        };
        let inner = self.choice()?;
        self.rest.next_if_eq(&')')?;
        self.depth = self.depth.saturating_sub(1);
        Some(Node::Group(Box::new(inner), number))
    }

    fn escape(&mut self) -> Option<Node> {
        Some(match self.rest.next()? {
            'b' => Node::Check(Assertion::Boundary { is_wanted: true }),
            'B' => Node::Check(Assertion::Boundary { is_wanted: false }),
            'A' => Node::Check(Assertion::Start),
            'z' => Node::Check(Assertion::End),
            c => Node::Take(self.cased(escaped_set(c)?)),
        })
    }

    /// Characters in brackets; a `]` that comes first is one of them.
    fn set(&mut self) -> Option<Set> {
        let is_negated = self.rest.next_if_eq(&'^').is_some();
        let mut ranges = Vec::new();
        let mut is_first = true;
        loop {
            let c = self.rest.next()?;
            if c == ']' && !is_first {
                return Some(self.cased(Set { ranges, is_negated, ..Set::default() }));
            }
            is_first = false;
            let first = match (c, self.rest.peek()) {
                // Classes by name are not known here.
                ('[', Some(':')) => return None,
                ('\\', _) => {
                    let set = escaped_set(self.rest.next()?)?;
                    match *set.ranges.as_slice() {
                        [(c, last)] if c == last && !set.is_negated => c,
                        _ if set.is_negated => return None,
                        _ => {
                            ranges.extend(set.ranges);
                            continue;
                        }
                    }
                }
                _ => c,
            };
            let mut ahead = self.rest.clone();
            let is_range = ahead.next() == Some('-') && ahead.peek().is_some_and(|c| *c != ']');
            let last = if is_range {
                self.rest.next();
                match self.rest.next()? {
                    '\\' => match *escaped_set(self.rest.next()?)?.ranges.as_slice() {
                        [(c, last)] if c == last => c,
                        _ => return None,
                    },
                    c => c,
                }
            } else {
                first
            };
            if last < first {
                return None;
            }
            ranges.push((first, last));
        }
    }
}

/// What a character behind a backslash stands for.
fn escaped_set(c: char) -> Option<Set> {
    Some(match c {
        'd' => Set::of(DIGITS),
        'w' => Set::of(WORDS),
        's' => Set::of(SPACES),
        'D' => Set { is_negated: true, ..Set::of(DIGITS) },
        'W' => Set { is_negated: true, ..Set::of(WORDS) },
        'S' => Set { is_negated: true, ..Set::of(SPACES) },
        't' => Set::of(&[('\t', '\t')]),
        'n' => Set::of(LINE_FEED),
        'r' => Set::of(&[('\r', '\r')]),
        c if c.is_ascii_punctuation() => Set::of(&[(c, c)]),
        _ => return None,
    })
}
