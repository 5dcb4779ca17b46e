//! Versions as the controller finds them, and as it does not.

use super::*;

fn read(text: &str) -> Option<String> {
    Version::parse(text).map(|version| version.to_string())
}

#[test]
fn versions_are_found_where_the_controller_finds_them() {
    for (text, version) in [
        ("1.2.3", "1.2.3"),
        ("v1.2.3", "1.2.3"),
        ("=v 1.2.3", "1.2.3"),
        (" 1.2.3 ", "1.2.3"),
        ("01.02.03", "1.2.3"),
        ("1.2.3-rc.1", "1.2.3-rc.1"),
        ("1.2.3rc1", "1.2.3-rc1"),
        ("1.2.3-007", "1.2.3-7"),
        ("1.2.3-", "1.2.3--"),
        ("1.2.3+build.5", "1.2.3"),
        ("1.2.3-a.b+c.d", "1.2.3-a.b"),
        ("0.6.12-ls132", "0.6.12-ls132"),
        ("1.27.0-alpine3.19", "1.27.0-alpine3.19"),
        // A digit of the patch given up for what follows.
        ("1.2.34.x", "1.2.3-4.x"),
        // Four numbers and more.
        ("24.04.13.3.1", "24.4.13-3.1"),
        ("v1.2.3.0", "1.2.3-0"),
        // Any digits.
        ("1", "1.0.0"),
        ("17-alpine", "17.0.0"),
        ("3.20", "3.20.0"),
        ("2024.11", "2024.11.0"),
        ("fix__50", "50.0.0"),
        ("version-zobi-1.2.3-alpha1", "1.2.3"),
        ("v2.0.6.3-2.0.6.3_beta_2021-06-17-ls112", "2.0.6"),
        ("1.2.3-a..b", "1.2.3"),
        ("1.2.x", "1.2.0"),
        ("1..2", "1.0.0"),
        ("1.12345678901234567", "1.0.0"),
        ("12345678901234567-3.1", "3.1.0"),
        ("9007199254740991", "9007199254740991.0.0"),
    ] {
        assert_eq!(read(text).as_deref(), Some(version), "{text}");
    }
}

#[test]
fn what_the_controller_takes_for_no_version_is_none() {
    for text in [
        "",
        " ",
        "latest",
        "stable",
        "v",
        "-",
        ".",
        // Digits with zeros in front, unless there are three of them.
        "24.04",
        "08.1",
        "release-007",
        // More than it counts with.
        "9007199254740992",
        "9007199254740992.1.1",
        "12345678901234567",
        "1.2.9007199254740992.4",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn three_numbers_are_specific_and_fewer_float() {
    for (text, precision) in [
        ("1.2.3", Precision::Specific),
        ("v1.2.3-alpine", Precision::Specific),
        ("release-1.2.3", Precision::Specific),
        ("1.2.3.4", Precision::Specific),
        ("1.2.3rc1", Precision::Specific),
        ("1.2", Precision::Floating),
        ("1", Precision::Floating),
        ("v3-alpine3.19.1", Precision::Floating),
        ("1.2-rc.3.4", Precision::Floating),
        ("1.2.x", Precision::Floating),
        ("latest", Precision::Floating),
        ("", Precision::Floating),
        // Three numbers, but no version.
        ("9007199254740992.1.1", Precision::Floating),
    ] {
        assert_eq!(Precision::of(text), precision, "{text}");
    }
}

#[test]
fn text_beyond_the_bound_is_searched_for_digits_only() {
    let tidy = |length: usize| format!("1.2.3-{}", "a".repeat(length - "1.2.3-".len()));
    assert_eq!(read(&tidy(VERSION_BYTES_MAX)), Some(tidy(VERSION_BYTES_MAX)));
    assert_eq!(read(&tidy(VERSION_BYTES_MAX + 1)).as_deref(), Some("1.2.3"));
    let many = "1.".repeat(VERSION_BYTES_MAX) + "1";
    assert_eq!(read(&many), None);
}
