//! Text to values: numbers, switches, choices, lists; what is malformed is refused, never guessed.

use std::ops::RangeInclusive;

use super::environment::Environment;
use super::findings::Problem;
use super::variables::Variable;

/// More of a value is not repeated in a message.
const QUOTED_CHARS_MAX: usize = 80;

/// The value that is set, or the table's.
pub(super) fn value<'e>(
    environment: &'e Environment,
    variable: &'static Variable,
) -> Result<&'e str, Problem> {
    Ok(environment.text(variable)?.unwrap_or_else(|| variable.default_value()))
}

/// Decimal digits and nothing else, within a range.
pub(super) fn number<T: TryFrom<u64>>(
    environment: &Environment,
    variable: &'static Variable,
    range: RangeInclusive<u64>,
) -> Result<T, Problem> {
    let text = value(environment, variable)?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && range.contains(number));
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| {
        let what =
            format!("{} is not a whole number from {} to {}", quoted(text), range.start(), range.end());
        Problem::new(
            &[variable],
            what,
            format!("set it to a number such as {}, or unset it", variable.default_value()),
        )
    })
}

/// Yes or no, in the spellings that people use.
pub(super) fn switch(environment: &Environment, variable: &'static Variable) -> Result<bool, Problem> {
    let text = value(environment, variable)?;
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(Problem::new(
            &[variable],
            format!("{} is neither yes nor no", quoted(text)),
            "set it to true or false (1, yes, on and 0, no, off work too), or unset it",
        )),
    }
}

/// One of a few words, in any case.
pub(super) fn choice<T: Copy>(
    environment: &Environment,
    variable: &'static Variable,
    choices: &[(&str, T)],
) -> Result<T, Problem> {
    let text = value(environment, variable)?;
    let chosen = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    chosen.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        let what = format!("{} is none of {}", quoted(text), words.join(", "));
        Problem::new(&[variable], what, "set it to one of them, or unset it")
    })
}

/// What stands between commas, trimmed; nothing between two of them is nothing.
pub(super) fn list<'e>(
    environment: &'e Environment,
    variable: &'static Variable,
) -> Result<Vec<&'e str>, Problem> {
    let items = value(environment, variable)?.split(',').map(str::trim);
    Ok(items.filter(|item| !item.is_empty()).collect())
}

/// A value as it may stand in a message: on one line, not too long, without what a URL hides.
pub(super) fn quoted(value: &str) -> String {
    let open = without_url_secrets(value);
    let mut short: String = open.chars().take(QUOTED_CHARS_MAX).collect();
    if short.len() < open.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// A quoted value for where it stands alone.
pub(super) fn unquoted(quoted: &str) -> String {
    let open = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    open.unwrap_or(quoted).to_owned()
}

/// The same for an address, which may have lost its scheme and hold a password all the same.
pub(super) fn quoted_address(value: &str) -> String {
    let open = if value.contains("://") { value.to_owned() } else { without_scheme_and_secrets(value) };
    quoted(&open)
}

fn without_scheme_and_secrets(value: &str) -> String {
    let open = without_url_secrets(&format!("://{value}"));
    open.strip_prefix("://").unwrap_or(&open).to_owned()
}

/// User, password and query of a URL may be secrets.
fn without_url_secrets(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    let (rest, query) = match rest.split_once(['?', '#']) {
        Some((rest, _)) => (rest, "?***"),
        None => (rest, ""),
    };
    // A password may hold a slash that somebody forgot to encode; so everything before the last @.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((_, rest)) => ("***@", rest),
        None => ("", rest),
    };
    format!("{scheme}://{user}{rest}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::variables::{
        ALLOW_IN_ENVIRONMENTS, ALLOWED_ORIGINS, LOG_LEVEL, PORT, TLS_SKIP_VERIFY,
    };

    fn number_of(text: &str) -> Result<u16, String> {
        number(&Environment::of(&[("PORT", text)]), &PORT, 1..=65_535).map_err(|problem| problem.to_string())
    }

    #[test]
    fn numbers_are_digits_within_their_range() {
        for (text, value) in [("1", 1), ("65535", 65_535), ("080", 80), ("", 3000)] {
            assert_eq!(number_of(text), Ok(value));
        }
        for text in [
            "0",
            "65536",
            "-1",
            "+1",
            " 1",
            "1 ",
            "1_0",
            "0x10",
            "3e3",
            "ten",
            "٣",
            "99999999999999999999999",
        ] {
            let problem = number_of(text).unwrap_err();
            let what = format!("PORT: {text:?} is not a whole number from 1 to 65535; ");
            assert_eq!(problem, what + "set it to a number such as 3000, or unset it");
        }
    }

    #[test]
    fn switches_are_read_in_every_usual_spelling_and_no_other() {
        let of = |text| switch(&Environment::of(&[("TLS_SKIP_VERIFY", text)]), &TLS_SKIP_VERIFY);
        for text in ["1", "true", "YES", "On"] {
            assert!(of(text).unwrap(), "{text}");
        }
        for text in ["0", "False", "no", "OFF", ""] {
            assert!(!of(text).unwrap(), "{text}");
        }
        for text in ["2", "y", "enabled", "true ", "ja"] {
            let problem = of(text).unwrap_err().to_string();
            assert!(problem.starts_with(&format!("TLS_SKIP_VERIFY: {text:?} is neither yes nor no; set it")));
        }
    }

    #[test]
    fn a_choice_is_refused_with_the_choices() {
        let of =
            |text| choice(&Environment::of(&[("LOG_LEVEL", text)]), &LOG_LEVEL, &[("info", 1), ("warn", 2)]);
        assert_eq!((of("WARN").unwrap(), of("").unwrap()), (2, 1));
        let problem = of("loud").unwrap_err().to_string();
        assert_eq!(problem, "LOG_LEVEL: \"loud\" is none of info, warn; set it to one of them, or unset it");
    }

    #[test]
    fn a_list_has_no_empty_items_and_replaces_its_default() {
        let environment = Environment::of(&[("ALLOWED_ORIGINS", " a ,, b,"), ("ALLOW_IN_ENVIRONMENTS", "x")]);
        assert_eq!(list(&environment, &ALLOWED_ORIGINS).unwrap(), ["a", "b"]);
        assert_eq!(list(&environment, &ALLOW_IN_ENVIRONMENTS).unwrap(), ["x"]);
        let empty = Environment::of(&[]);
        assert_eq!(list(&empty, &ALLOW_IN_ENVIRONMENTS).unwrap(), ["Development"]);
        assert!(list(&empty, &ALLOWED_ORIGINS).unwrap().is_empty());
    }

    #[test]
    fn a_quoted_value_is_one_short_line_without_passwords() {
        for (value, shown) in [
            ("a\nb\u{1b}[2J\u{202e}", r#""a\nb\u{1b}[2J\u{202e}""#),
            ("wss://user:p/a@ss@host/path?token=x#y", r#""wss://***@host/path?***""#),
            ("tcp://host:2375", r#""tcp://host:2375""#),
        ] {
            assert_eq!(quoted(value), shown);
        }
        assert_eq!(quoted(&"é".repeat(500)).chars().count(), QUOTED_CHARS_MAX + 3);
        for (value, shown) in [
            ("user:p/a@ss@host:3128/path?token=x", r#""***@host:3128/path?***""#),
            ("wss:/user:pass@host", r#""***@host""#),
            ("http://user:pass@host", r#""http://***@host""#),
            ("host:3128", r#""host:3128""#),
        ] {
            assert_eq!(quoted_address(value), shown);
        }
    }
}
