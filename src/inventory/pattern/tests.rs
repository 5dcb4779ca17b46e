//! Patterns that match, patterns that are refused, and patterns that would like to take for ever.

use super::*;

/// What the pattern took and each group, `-` for one that took nothing; `none` without a match.
fn found(pattern: &str, text: &str) -> String {
    let pattern = Pattern::parse(pattern).unwrap_or_else(|| panic!("{pattern} is a pattern"));
    let Some(groups) = pattern.find(text) else { return "none".to_owned() };
    groups.iter().map(|group| group.unwrap_or("-")).collect::<Vec<_>>().join("|")
}

#[test]
fn patterns_take_what_re2_takes() {
    for (pattern, text, taken) in [
        ("", "abc", ""),
        ("b", "abc", "b"),
        ("^b", "abc", "none"),
        ("c$", "abc", "c"),
        ("^$", "", ""),
        ("^v(.*)$", "v1.4.2", "v1.4.2|1.4.2"),
        (r"^(\d+)\.(\d+)(?:\.(\d+))?$", "1.4", "1.4|1|4|-"),
        (r"(\d+)-(\d+)", "x10-20y", "10-20|10|20"),
        ("a|ab", "ab", "a"),
        ("(?:a|ab)(c|bcd)(d*)", "abcd", "abcd|bcd|"),
        ("a*", "baaa", ""),
        ("a+", "baaa", "aaa"),
        ("a+?", "baaa", "a"),
        ("(a*?)b", "aab", "aab|aa"),
        ("a??b", "ab", "ab"),
        ("a{2}", "aaa", "aa"),
        ("a{2,}", "aaaa", "aaaa"),
        ("a{1,2}?", "aaa", "a"),
        ("a{,2}", "a{,2}", "a{,2}"),
        ("x{", "x{", "x{"),
        ("a{0}b", "ab", "b"),
        ("[a-c]+", "xabcd", "abc"),
        ("[^a-c]+", "abxyc", "xy"),
        ("[]a]+", "x]a", "]a"),
        ("[a-]+", "x-a", "-a"),
        (r"[\d.]+", "v1.2-x", "1.2"),
        (r"[\w-]+", "..a-b_1", "a-b_1"),
        (r"\D+", "12ab", "ab"),
        (r"\W", "ab-", "-"),
        (r"\S\s\S", "a b", "a b"),
        (r"\.\-\$\^", ".-$^", ".-$^"),
        (r"\bb", "ab b", "b"),
        (r"\Bb", "b ab", "b"),
        (r"\Aa\z", "a", "a"),
        ("(?P<major>\\d+)", "v12", "12|12"),
        ("(?<major>\\d+)", "v12", "12|12"),
        ("(?i)^RC[a-b]$", "rcB", "rcB"),
        ("(a)|(b)", "b", "b|-|b"),
        ("((a)|(b))*", "ab", "ab|b|a|b"),
        ("(|a)*", "aa", "|"),
        ("(a*)*", "aa", "aa|aa"),
        ("(a*)+b", "aab", "aab|aa"),
        ("caf.", "caf\u{e9}!", "caf\u{e9}"),
    ] {
        assert_eq!(found(pattern, text), taken, "{pattern} {text}");
    }
}

#[test]
fn what_is_malformed_or_unknown_is_no_pattern() {
    for pattern in [
        "(",
        ")",
        "(a",
        "a)",
        "[",
        "[a",
        "[]",
        "[b-a]",
        "*",
        "+a",
        "a**",
        "a+*",
        "a{2}{3}",
        "{2}",
        "(|{2})",
        "a{2,1}",
        "a{1001}",
        "a{99999999999999999999}",
        "\\",
        "\\8",
        "\\pL",
        "[\\D]",
        "[[:digit:]]",
        "(?=a)",
        "(?!a)",
        "(?<=a)b",
        "(?P:a)",
        "(?P<>a)",
        "(?P<n>a)(?P<n>b)",
        "(?s)a",
        "a(?i)b",
    ] {
        assert!(Pattern::parse(pattern).is_none(), "{pattern}");
    }
}

#[test]
fn patterns_are_bounded() {
    assert!(Pattern::parse(&"a".repeat(PATTERN_BYTES_MAX)).is_some());
    assert!(Pattern::parse(&"a".repeat(PATTERN_BYTES_MAX + 1)).is_none());
    let nested = |depth: usize| format!("{}{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Pattern::parse(&nested(crate::limits::PATTERN_DEPTH_MAX)).is_some());
    assert!(Pattern::parse(&nested(crate::limits::PATTERN_DEPTH_MAX + 1)).is_none());
    assert!(Pattern::parse("(a{250}){4}").is_some());
    assert!(Pattern::parse("(a{250}){5}").is_none());
    // Nothing, repeated: no steps, but work.
    assert!(Pattern::parse("(?:(?:(?:){1000}){1000}){1000}").is_none());
    let pattern = Pattern::parse("^a*$").unwrap();
    assert!(pattern.find(&"a".repeat(VERSION_BYTES_MAX)).is_some());
    assert!(pattern.find(&"a".repeat(VERSION_BYTES_MAX + 1)).is_none());
}

#[test]
fn no_pattern_takes_longer_than_its_steps_times_its_text() {
    let text = "a".repeat(VERSION_BYTES_MAX);
    for pattern in
        ["(a*)*b", "(a|a)*b", "(a|aa)+$b", "(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)b", "(?:a?){200}a{200}b"]
    {
        assert_eq!(found(pattern, &text), "none", "{pattern}");
    }
}
