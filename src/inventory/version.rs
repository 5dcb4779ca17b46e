//! Versions, read as the controller's library reads them: strictly, then loosely, then any digits.

use std::fmt;

use crate::limits::VERSION_BYTES_MAX;

/// The largest whole number the controller counts with.
const NUMBER_MAX: u64 = 9_007_199_254_740_991;
/// Digits of a number that is looked for in other text.
const DIGITS_MAX: usize = 16;

/// `major.minor.patch` and perhaps what came before the release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    numbers: [u64; 3],
    prerelease: Vec<String>,
}

impl Version {
    /// `None` where the controller finds no version in it either.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(segments) = segments(text) {
            return Self::of_segments(&segments).filter(|_| text.len() <= VERSION_BYTES_MAX);
        }
        Self::loose(text).or_else(|| Self::anywhere(text))
    }

    /// Four numbers or more: what is behind the third counts as what came before the release.
    fn of_segments(segments: &[&str]) -> Option<Self> {
        let (three, rest) = segments.split_at_checked(3)?;
        let mut numbers = three.iter().map(|segment| number(segment));
        let numbers = [numbers.next()??, numbers.next()??, numbers.next()??];
        let prerelease = rest.iter().map(|segment| plain(segment)).collect();
        Some(Self { numbers, prerelease })
    }

    /// Three numbers, with leading zeros or not, and anything tidy behind them.
    fn loose(text: &str) -> Option<Self> {
        let is_before = |c: char| matches!(c, 'v' | '=') || c.is_whitespace();
        let text = text.trim().trim_start_matches(is_before);
        let (major, rest) = text.split_once('.').filter(|_| text.len() <= VERSION_BYTES_MAX)?;
        let (minor, rest) = rest.split_once('.')?;
        let patch = digits(rest);
        // As many digits as there are belong to the patch, unless what follows makes sense only
        // with the last of them.
        let (patch, prerelease) = (1..=patch.len()).rev().find_map(|end| {
            let (patch, behind) = rest.split_at_checked(end)?;
            Some((patch, prerelease(behind)?))
        })?;
        let numbers = [number(major)?, number(minor)?, number(patch)?];
        let is_strict = prerelease.iter().all(|id| !is_number(id) || id == "0" || !id.starts_with('0'));
        is_strict.then_some(Self { numbers, prerelease })
    }

    /// The first number in any text, with the one or two behind its points.
    fn anywhere(text: &str) -> Option<Self> {
        let mut rest = text;
        loop {
            rest = rest.get(rest.find(|c: char| c.is_ascii_digit())?..)?;
            let major = digits(rest);
            if major.len() <= DIGITS_MAX {
                let mut numbers = [strict(major)?, 0, 0];
                rest = rest.strip_prefix(major)?;
                for place in numbers.iter_mut().skip(1) {
                    let Some(next) = rest.strip_prefix('.') else { break };
                    let part = digits(next);
                    if part.is_empty() || part.len() > DIGITS_MAX {
                        break;
                    }
                    *place = strict(part)?;
                    rest = next.strip_prefix(part)?;
                }
                return Some(Self { numbers, prerelease: Vec::new() });
            }
            rest = rest.strip_prefix(major)?;
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if self.prerelease.is_empty() { Ok(()) } else { write!(f, "-{}", self.prerelease.join(".")) }
    }
}

/// How closely a tag names one version: three numbers or more do, fewer float along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    Specific,
    Floating,
}

impl Precision {
    pub(super) fn of(text: &str) -> Self {
        let Some(start) = text.find(|c: char| c.is_ascii_digit()) else { return Self::Floating };
        let shape = text.get(start..).unwrap_or_default();
        let numbers = shape.split('.').take_while(|part| !digits(part).is_empty());
        // The first number that something else follows is the last.
        let whole = numbers.clone().take_while(|part| digits(part) == *part).count();
        let count = numbers.count().min(whole.saturating_add(1));
        if count >= 3 && Version::parse(text).is_some() { Self::Specific } else { Self::Floating }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Specific => "specific",
            Self::Floating => "floating",
        }
    }
}

/// The parts of a text that is nothing but four numbers or more, perhaps behind a v.
fn segments(text: &str) -> Option<Vec<&str>> {
    let segments: Vec<_> = text.strip_prefix('v').unwrap_or(text).split('.').collect();
    (segments.len() >= 4 && segments.iter().all(|segment| is_number(segment))).then_some(segments)
}

/// What stands between a patch and the end: identifiers with or without a hyphen before them, and
/// a build behind a plus, which is dropped.
fn prerelease(text: &str) -> Option<Vec<String>> {
    let (text, build) = match text.split_once('+') {
        Some((text, build)) => (text, Some(build)),
        None => (text, None),
    };
    let are_good = |text: &str| {
        let is_good = |c: char| c.is_ascii_alphanumeric() || c == '-';
        text.split('.').all(|id| !id.is_empty() && id.chars().all(is_good))
    };
    if !build.is_none_or(are_good) {
        return None;
    }
    if text.is_empty() {
        return Some(Vec::new());
    }
    let text = text.strip_prefix('-').filter(|rest| are_good(rest)).unwrap_or(text);
    are_good(text).then(|| text.split('.').map(plain).collect())
}

/// A number without leading zeros; other text, and numbers nobody counts with, as they are.
fn plain(text: &str) -> String {
    match number(text).filter(|number| *number < NUMBER_MAX) {
        Some(number) => number.to_string(),
        None => text.to_owned(),
    }
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number| is_number(text) && *number <= NUMBER_MAX)
}

/// The same, and it has no zeros in front.
fn strict(text: &str) -> Option<u64> {
    number(text).filter(|_| text == "0" || !text.starts_with('0'))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The digits a text begins with.
fn digits(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
