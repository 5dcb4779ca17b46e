//! What a tag says of a version, after the transformation its container asks for.

use std::borrow::Cow;

use super::pattern::Pattern;
use super::version::{Precision, Version};
use crate::limits::{PATTERN_BYTES_MAX, VERSION_BYTES_MAX};

/// `pattern => replacement`, in which `$1` is what the first group took. A formula that is malformed,
/// or does not match, leaves the tag as it is.
pub(super) fn transformed<'t>(formula: Option<&str>, tag: &'t str) -> Cow<'t, str> {
    formula.and_then(|formula| apply(formula, tag)).map_or(Cow::Borrowed(tag), Cow::Owned)
}

/// The version a tag names, if it names one.
pub(super) fn version(formula: Option<&str>, tag: &str) -> Option<Version> {
    Version::parse(&transformed(formula, tag))
}

pub(super) fn precision(formula: Option<&str>, tag: &str) -> Precision {
    Precision::of(&transformed(formula, tag))
}

fn apply(formula: &str, tag: &str) -> Option<String> {
    let (pattern, replacement) = formula.split_once("=>")?;
    if replacement.len() > PATTERN_BYTES_MAX {
        return None;
    }
    let groups = Pattern::parse(pattern.trim())?.find(tag)?;
    let mut result = replacement.trim().to_owned();
    // One name after the other, as the controller does it: `$1` is found in `$10` too.
    for name in group_names(replacement) {
        let number = name.get(1..).and_then(|digits| digits.parse::<usize>().ok());
        let taken = number.and_then(|number| groups.get(number).copied().flatten());
        let taken = taken.unwrap_or_default();
        // Each may stand there many times, and hold the next name: nothing longer than a version is
        // ever made of it.
        let grown = result.matches(name).count().saturating_mul(taken.len());
        if result.len().saturating_add(grown) > PATTERN_BYTES_MAX.saturating_add(VERSION_BYTES_MAX) {
            return None;
        }
        result = result.replace(name, taken);
    }
    Some(result)
}

/// Every `$1` of a text, with all the digits behind its sign.
fn group_names(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('$').filter_map(|(at, _)| {
        let name = text.get(at..)?;
        let digits = name.get(1..)?;
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        (end > 0).then(|| name.get(..end.saturating_add(1)))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_does_not_grow_beyond_what_a_version_may_be() {
        let (tag, many) = ("$1".repeat(8), "$1".repeat(16));
        assert_eq!(transformed(Some(&format!("(.*) => {many}")), &tag), tag);
        let long = "$1".repeat(PATTERN_BYTES_MAX);
        assert_eq!(transformed(Some(&format!("(.*) => {long}")), "1.2"), "1.2");
    }

    #[test]
    fn a_formula_changes_a_tag_it_matches() {
        for (formula, tag, result) in [
            ("^v(.*)$ => $1", "v1.4.2", "1.4.2"),
            ("^v(.*)$=>$1", "v1.4.2", "1.4.2"),
            (r"^(\d+\.\d+\.\d+-\d+)-.*$ => $1", "1.2.3-99-xyz", "1.2.3-99"),
            (r"^(\d+\.\d+)-.*-(\d+) => $1.$2", "1.2-xyz-3", "1.2.3"),
            (r"^release-\d+-(.*)$ => $1", "release-2024-1.2.3", "1.2.3"),
            (r"(\d+)_(\d+) => $2.$1.$2", "a1_2b", "2.1.2"),
            ("^(?:v)?(.*?)(-alpine)?$ => $1", "v1.2-alpine", "1.2"),
            ("^(a)|(b)$ => <$1$2>", "b", "<b>"),
            ("x => $9", "x", ""),
            ("x => $", "x", "$"),
            ("x => plain", "x", "plain"),
            // The controller's own way with more than nine groups.
            ("(1)(2)(3)(4)(5)(6)(7)(8)(9)(0) => $1.$10", "1234567890", "1.10"),
        ] {
            assert_eq!(transformed(Some(formula), tag), result, "{formula} {tag}");
        }
    }

    #[test]
    fn a_formula_that_cannot_be_applied_changes_nothing() {
        for formula in ["", "=>", "no arrow", "^v(.*)$ -> $1", "[ => $1", "^nothing$ => $1", "(?=1) => 2"] {
            let tag = if formula == "=>" { "" } else { "v1.4.2" };
            assert_eq!(transformed(Some(formula), tag), tag, "{formula}");
        }
        assert_eq!(transformed(None, "v1.4.2"), "v1.4.2");
    }

    #[test]
    fn the_transformed_tag_is_what_counts() {
        let formula = Some(r"^release-\d+-(.*)$ => $1");
        assert_eq!(precision(None, "release-2024-1.2.3"), Precision::Floating);
        assert_eq!(precision(formula, "release-2024-1.2.3"), Precision::Specific);
        assert_eq!(version(formula, "release-2024-1.2.3").unwrap().to_string(), "1.2.3");
        assert_eq!(version(None, "release-2024-1.2.3").unwrap().to_string(), "2024.0.0");
        assert!(version(Some("^.*$ => latest"), "1.2.3").is_none());
    }
}
