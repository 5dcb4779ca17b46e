//! The rules a table gives to the members of a body, and the walk that applies them.

use std::collections::HashSet;
use std::fmt;

use super::Things;
use crate::auth::{Class, Grant};
use crate::limits::{FOUND_MAX, LISTED_BYTES_MAX};
use crate::policy::json::Json;
use crate::policy::refused::{Kind, Refused, Stop};

/// The members of an object that are known: a rule and the names it holds for, spelt as the Engine's
/// own clients spell them.
pub(super) type Table = &'static [Row];

pub(super) struct Row(pub(super) Rule, pub(super) &'static [&'static str]);

/// What becomes of a member. Class `host` lifts what is marked so.
pub(super) enum Rule {
    Copy,
    /// Copied, unless it is so long that a list with it in could not be told. Lifted.
    Brief,
    /// Nothing, as a Go program writes it. Lifted.
    Zero,
    /// Not even an empty list: one takes the Engine's own away. Lifted.
    Absent,
    /// One of these texts, or nothing if the empty text is among them. Lifted.
    OneOf(&'static [&'static str]),
    /// An object of its own.
    Level(Table),
    /// Every item of a list.
    Each(&'static Self),
    /// Every value of an object whose names are the caller's.
    Map(&'static Self),
    /// The same, and the names are paths in the container.
    Paths(&'static Self),
    Check(Check),
}

/// Judges one value where it lies, and may rewrite it.
pub(super) type Check = fn(&mut Judge<'_>, &Place<'_>, &mut Json) -> Result<(), Stop>;

/// Why what must be empty is refused.
const NOT_EMPTY: &str = "it must be empty (class host)";

/// Who asks, and whom to ask about what there is.
pub(super) struct Judge<'a> {
    pub(super) grant: &'a Grant,
    things: &'a mut dyn Things,
    found: usize,
}

impl<'a> Judge<'a> {
    pub(super) fn new(grant: &'a Grant, things: &'a mut dyn Things) -> Self {
        Self { grant, things, found: 0 }
    }

    /// Class `host` lifts every rule but those about whose things are used, and which image.
    pub(super) fn is_lifted(&self) -> bool {
        self.grant.has(Class::Host)
    }

    pub(super) fn level(&mut self, table: Table, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
        let Some(members) = members(place, value)? else { return Ok(()) };
        let mut strangers = HashSet::new();
        for (name, value) in members {
            let place = place.member(name);
            match known(table, name) {
                Some((rule, spelt)) if spelt == name => self.apply(rule, &place, value)?,
                Some((_, spelt)) => return Err(place.refuse(format!("it is spelt {spelt}"))),
                None if !self.is_lifted() => return Err(place.refuse("nothing is known of it (class host)")),
                // The Engine takes both for one, and the last of them counts.
                None if !strangers.insert(folded(name)) => {
                    return Err(place.refuse("it stands there in another spelling too"));
                }
                None => {}
            }
        }
        Ok(())
    }

    pub(super) fn apply(&mut self, rule: &Rule, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
        match rule {
            Rule::Copy => Ok(()),
            Rule::Brief if self.is_lifted() || value.write().len() <= LISTED_BYTES_MAX => Ok(()),
            Rule::Brief => {
                Err(place.refuse(format!("it is longer than {LISTED_BYTES_MAX} bytes (class host)")))
            }
            Rule::Zero if self.is_lifted() || value.is_zero() => Ok(()),
            Rule::Zero => Err(place.refuse(NOT_EMPTY)),
            Rule::Absent if self.is_lifted() || *value == Json::Null => Ok(()),
            Rule::Absent => Err(place.refuse("it must be left out, or null (class host)")),
            Rule::OneOf(texts) => self.one_of(texts, place, value),
            Rule::Level(table) => self.level(table, place, value),
            Rule::Each(rule) => self.each(rule, place, value),
            Rule::Map(rule) => self.map(rule, place, value, |_| true),
            Rule::Paths(rule) => self.map(rule, place, value, is_inner_path),
            Rule::Check(check) => check(self, place, value),
        }
    }

    fn map(
        &mut self,
        rule: &Rule,
        place: &Place<'_>,
        value: &mut Json,
        is_name: fn(&str) -> bool,
    ) -> Result<(), Stop> {
        let Some(members) = members(place, value)? else { return Ok(()) };
        for (key, value) in members {
            let place = place.key(key);
            if !is_name(key) && !self.is_lifted() {
                return Err(place.refuse(NO_INNER_PATH));
            }
            self.apply(rule, &place, value)?;
        }
        Ok(())
    }

    fn each(&mut self, rule: &Rule, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
        if *value == Json::Null {
            return Ok(());
        }
        let Json::List(items) = value else { return Err(place.refuse("it must be a list")) };
        items.iter_mut().enumerate().try_for_each(|(at, item)| self.apply(rule, &place.item(at), item))
    }

    fn one_of(&self, texts: &[&str], place: &Place<'_>, value: &Json) -> Result<(), Stop> {
        if self.is_lifted() || texts.contains(&text(place, value)?) {
            return Ok(());
        }
        let named: Vec<_> = texts.iter().copied().filter(|text| !text.is_empty()).collect();
        if named.is_empty() {
            return Err(place.refuse(NOT_EMPTY));
        }
        Err(place.refuse(format!("it must be one of {} (class host)", named.join(", "))))
    }

    /// The full id of a container whose network the body wants to share.
    pub(super) fn join(&mut self, place: &Place<'_>, name: &str) -> Result<String, Stop> {
        self.count(place)?;
        self.things.join(name)
    }

    /// The full id of a thing the body names.
    pub(super) fn find(&mut self, kind: Kind, place: &Place<'_>, name: &str) -> Result<String, Stop> {
        self.count(place)?;
        self.things.find(kind, name)
    }

    fn count(&mut self, place: &Place<'_>) -> Result<(), Stop> {
        self.found = self.found.saturating_add(1);
        if self.found > FOUND_MAX {
            return Err(place.refuse(format!("a body may name {FOUND_MAX} things at most")));
        }
        Ok(())
    }
}

/// Why a path in a container is refused.
pub(super) const NO_INNER_PATH: &str = "it must be an absolute path, without : , or quotes (class host)";

/// A path in a container. Podman puts some together with others into one text, where these would
/// begin something new.
pub(super) fn is_inner_path(path: &str) -> bool {
    path.starts_with('/') && is_one_piece(path)
}

/// Nothing in it parts it from what stands around it.
pub(super) fn is_one_piece(text: &str) -> bool {
    !text.chars().any(|letter| matches!(letter, ':' | ',' | '"' | '\'' | '\\') || letter.is_control())
}

/// What an object holds; nothing of null.
fn members<'v>(place: &Place<'_>, value: &'v mut Json) -> Result<Option<&'v mut Vec<(String, Json)>>, Stop> {
    if *value == Json::Null {
        return Ok(None);
    }
    let Json::Object(members) = value else { return Err(place.refuse("it must be an object")) };
    Ok(Some(members))
}

/// Text, which null leaves empty.
pub(super) fn text<'v>(place: &Place<'_>, value: &'v Json) -> Result<&'v str, Stop> {
    let text = if *value == Json::Null { Some("") } else { value.text() };
    text.ok_or_else(|| place.refuse("it must be text"))
}

/// The row of a name however it is spelt, with the spelling that is right.
pub(super) fn known(table: Table, name: &str) -> Option<(&'static Rule, &'static str)> {
    let rows = || table.iter().flat_map(|Row(rule, names)| names.iter().map(move |known| (rule, *known)));
    let folded = folded(name);
    rows()
        .find(|(_, known)| *known == name)
        .or_else(|| rows().find(|(_, known)| fold(known).eq(folded.chars())))
}

/// As the Engine reads names: without case, and with the two letters beyond ASCII that fold into it.
fn folded(name: &str) -> String {
    fold(name).collect()
}

fn fold(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|letter| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    })
}

/// Where in a body something lies.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Body,
    Member(&'a Self, &'a str),
    Key(&'a Self, &'a str),
    Item(&'a Self, usize),
}

impl<'a> Place<'a> {
    pub(super) fn member(&'a self, name: &'a str) -> Self {
        Self::Member(self, name)
    }

    /// A member of a free-form object.
    pub(super) fn key(&'a self, key: &'a str) -> Self {
        Self::Key(self, key)
    }

    fn item(&'a self, at: usize) -> Self {
        Self::Item(self, at)
    }

    pub(super) fn refuse(&self, why: impl Into<String>) -> Stop {
        Refused::member(self.to_string(), why).into()
    }
}

/// Characters of a caller's own name that are repeated in a message.
const NAME_CHARS_MAX: usize = 64;

/// `HostConfig.Mounts[1].Source`; names that are not plain are quoted.
impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => f.write_str("this body"),
            Self::Member(place, name) => {
                if !matches!(place, Self::Body) {
                    write!(f, "{place}.")?;
                }
                let cut = cut(name);
                let is_plain = !cut.is_empty() && cut.bytes().all(|byte| byte.is_ascii_alphanumeric());
                if is_plain { f.write_str(cut) } else { write!(f, "{cut:?}") }
            }
            Self::Key(place, key) => write!(f, "{place}[{:?}]", cut(key)),
            Self::Item(place, at) => write!(f, "{place}[{at}]"),
        }
    }
}

fn cut(name: &str) -> &str {
    name.char_indices().nth(NAME_CHARS_MAX).and_then(|(end, _)| name.get(..end)).unwrap_or(name)
}
