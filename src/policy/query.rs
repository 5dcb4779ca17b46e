//! Parameters: read once, held against a list, written anew.

use std::fmt::Write;

use super::json::Json;
use super::refused::Refused;
use crate::auth::Label;
use crate::http::decode_form;

/// Parameters a route knows, in their order.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// `known` are the names a route knows, with spaces between them; one with a star may stand
    /// more than once. Of others the Engine would take the first, and someone else the last.
    pub(super) fn parse(raw: &str, known: &str) -> Result<Self, Refused> {
        let mut query = Self::default();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let bad = |why| Refused::QueryValue { name: name.to_owned(), why };
            let (Some(name), Some(value)) = (decode_form(name), decode_form(value)) else {
                return Err(bad("it is not percent-encoded text"));
            };
            if pair.contains(';') {
                return Err(bad("a ; stands in it, which some take for a separator"));
            }
            let row = known.split_ascii_whitespace().find(|row| row.trim_end_matches('*') == name);
            let row = row.ok_or_else(|| Refused::Query(name.to_string()))?;
            if !row.ends_with('*') && query.get(&name).is_some() {
                return Err(bad("it stands twice"));
            }
            query.0.push((name.into_owned(), value.into_owned()));
        }
        Ok(query)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Puts a value in the place of the one there was.
    pub(super) fn set(&mut self, name: &str, value: String) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value));
    }

    /// With its question mark, where there is anything.
    pub(super) fn write(&self, out: &mut String) {
        for (at, (name, value)) in self.0.iter().enumerate() {
            out.push(if at == 0 { '?' } else { '&' });
            escape(name, "", out);
            out.push('=');
            escape(value, "", out);
        }
    }
}

/// Everything but letters, digits, `-._~` and what is in `plain` as percent codes.
pub(super) fn escape(text: &str, plain: &str, out: &mut String) {
    for byte in text.bytes() {
        let character = char::from(byte);
        if character.is_ascii_alphanumeric() || "-._~".contains(character) || plain.contains(character) {
            out.push(character);
        } else {
            // Writing to a String does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// What the Engine takes for yes: everything but these.
pub(crate) fn is_true(value: &str) -> bool {
    !["", "0", "no", "false", "none"].iter().any(|no| value.trim().eq_ignore_ascii_case(no))
}

/// Whose labels a list is filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merge {
    /// Beside what the caller asks for: both must hold.
    With,
    /// Alone: an Engine that takes one or the other would act on what is not the caller's.
    InsteadOf,
}

/// Filters, read strictly and written as `{"name":{"value":true}}`, with the label among them.
///
/// Who is limited to some objects may not order by others: the Engine says whether there is one.
pub(super) fn filters(
    text: &str,
    label: Option<&Label>,
    merge: Merge,
    is_limited: bool,
) -> Result<String, Refused> {
    let bad = |why| Refused::QueryValue { name: "filters".to_owned(), why };
    let text = if text.is_empty() { "{}" } else { text };
    let Json::Object(given) = Json::read(text.as_bytes()).map_err(Refused::Json)? else {
        return Err(bad("it wants a JSON object"));
    };
    let mut kept: Vec<(String, Vec<String>)> = Vec::new();
    for (name, values) in given {
        if is_limited && ["before", "since"].contains(&name.as_str()) {
            return Err(bad("before and since name another object, which may be out of reach"));
        }
        kept.push((name, listed(values).ok_or_else(|| bad("it wants lists of texts"))?));
    }
    if let Some(label) = label {
        let is_label = |name: &str| name.starts_with("label");
        if merge == Merge::InsteadOf && kept.iter().any(|(name, _)| is_label(name)) {
            return Err(bad("labels are filtered by the caller's own"));
        }
        match kept.iter_mut().find(|(name, _)| name == "label") {
            Some((_, values)) => values.push(label.to_string()),
            None => kept.push(("label".to_owned(), vec![label.to_string()])),
        }
    }
    let as_set = |values: Vec<String>| {
        let mut set: Vec<(String, Json)> = Vec::new();
        for value in values {
            if !set.iter().any(|(known, _)| *known == value) {
                set.push((value, Json::Bool(true)));
            }
        }
        Json::Object(set)
    };
    let kept = kept.into_iter().map(|(name, values)| (name, as_set(values))).collect();
    String::from_utf8(Json::Object(kept).write()).map_err(|_| bad("it is not UTF-8"))
}

/// Both shapes the Engine knows: `["a"]` and `{"a":true}`.
fn listed(values: Json) -> Option<Vec<String>> {
    match values {
        Json::List(items) => items.iter().map(|item| item.text().map(str::to_owned)).collect(),
        Json::Object(members) => {
            let yes = |(name, value)| (value == Json::Bool(true)).then_some(name);
            members.into_iter().map(yes).collect()
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(raw: &str, known: &str) -> Result<String, &'static str> {
        let mut out = String::new();
        Query::parse(raw, known).map(|query| query.write(&mut out)).map_err(|refused| refused.reason())?;
        Ok(out)
    }

    #[test]
    fn what_a_route_knows_is_written_anew() {
        for (raw, out) in [
            ("", ""),
            ("all=1", "?all=1"),
            ("%61ll=%31&limit", "?all=1&limit="),
            ("all=a+b%2B%26&&", "?all=a%20b%2B%26"),
            ("t=a&t=b/c:d", "?t=a&t=b%2Fc%3Ad"),
            ("all=é%C3%A9", "?all=%C3%A9%C3%A9"),
        ] {
            assert_eq!(again(raw, "all limit t*").as_deref(), Ok(out), "{raw}");
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for raw in [
            "x=1",
            "All=1",
            "all=1&all=1",
            "all=1&%61ll=0",
            "all=1;x=2",
            "all=%zz",
            "all=%ff",
            "=1",
            "all*=1",
            "t*=1",
        ] {
            assert!(again(raw, "all limit t*").is_err(), "{raw}");
        }
    }

    #[test]
    fn yes_is_what_the_engine_takes_for_it() {
        for value in ["1", "2", "true", "TRUE", "yes", "x"] {
            assert!(is_true(value), "{value}");
        }
        for value in ["", "0", "no", "No", "false", "False", "none", " ", " 0 "] {
            assert!(!is_true(value), "{value:?}");
        }
    }

    #[test]
    fn filters_are_written_in_one_shape_with_the_label_among_them() {
        let label = Label { key: "team".to_owned(), value: "web".to_owned() };
        for (text, out) in [
            ("", r#"{"label":{"team=web":true}}"#),
            (r#"{"status":["running"]}"#, r#"{"status":{"running":true},"label":{"team=web":true}}"#),
            (r#"{"label":["a=b"]}"#, r#"{"label":{"a=b":true,"team=web":true}}"#),
            (r#"{"label":{"team=web":true}}"#, r#"{"label":{"team=web":true}}"#),
        ] {
            assert_eq!(filters(text, Some(&label), Merge::With, true).unwrap(), out, "{text}");
        }
        assert_eq!(
            filters(r#"{"until":["1h"]}"#, None, Merge::With, false).unwrap(),
            r#"{"until":{"1h":true}}"#
        );
    }

    #[test]
    fn filters_that_could_mean_two_things_are_refused() {
        let label = Label { key: "team".to_owned(), value: "web".to_owned() };
        for text in [
            "[]",
            "x",
            r#"{"label":"a"}"#,
            r#"{"label":["a"],"label":["b"]}"#,
            r#"{"label":{"a":false}}"#,
            r#"{"label":[1]}"#,
            r#"{"since":["x"]}"#,
            r#"{"before":["x"]}"#,
        ] {
            assert!(filters(text, Some(&label), Merge::With, true).is_err(), "{text}");
        }
        for text in [r#"{"label":["a"]}"#, r#"{"label!":["a"]}"#] {
            assert!(filters(text, Some(&label), Merge::InsteadOf, true).is_err(), "{text}");
        }
    }
}
