//! JSON, read strictly: what two readers could read differently is refused.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::limits::{JSON_DEPTH_MAX, JSON_VALUES_MAX};

/// A JSON value. Members keep their order, and no name stands twice.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    /// Reads one value and nothing behind it.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, BadJson> {
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let place = Depth { level: 0, left: &Cell::new(JSON_VALUES_MAX) };
        let value = place.deserialize(&mut reader).map_err(BadJson)?;
        reader.end().map_err(BadJson)?;
        Ok(value)
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        // A tree of our own holds nothing that JSON cannot.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// A member of an object.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(known, _)| known == name).map(|(_, value)| value),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    pub(crate) fn member_mut(&mut self, name: &str) -> Option<&mut Self> {
        match self {
            Self::Object(members) => {
                members.iter_mut().find(|(known, _)| known == name).map(|(_, value)| value)
            }
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// What a Go program takes for nothing: null, false, 0, "", [] and {}.
    pub(crate) fn is_zero(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(value) => !value,
            Self::Number(number) => number.as_i64() == Some(0),
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Object(members) => members.is_empty(),
        }
    }
}

/// Why bytes are not read.
#[derive(Debug)]
pub(crate) struct BadJson(serde_json::Error);

impl fmt::Display for BadJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// How deep a value lies, and how many more there may be.
struct Depth<'l> {
    level: usize,
    left: &'l Cell<usize>,
}

impl Depth<'_> {
    /// A list or an object begins.
    fn enter<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.level < JSON_DEPTH_MAX {
            return Ok(());
        }
        Err(E::custom(format_args!("nested deeper than {JSON_DEPTH_MAX} levels")))
    }

    fn below<E: serde::de::Error>(&self) -> Result<Self, E> {
        let Some(left) = self.left.get().checked_sub(1) else {
            return Err(E::custom(format_args!("more than {JSON_VALUES_MAX} values")));
        };
        self.left.set(left);
        Ok(Self { level: self.level.saturating_add(1), left: self.left })
    }
}

impl<'de> DeserializeSeed<'de> for Depth<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        serde_json::Number::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        self.enter()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Later(&self))? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        self.enter()?;
        let (mut members, mut names) = (Vec::new(), HashSet::new());
        while let Some(name) = map.next_key::<String>()? {
            if is_known(&members, &mut names, &name) {
                return Err(A::Error::custom(format_args!("member {name:?} stands twice")));
            }
            members.push((name, map.next_value_seed(Later(&self))?));
        }
        Ok(Json::Object(members))
    }
}

/// A value within another, which counts once there is one.
struct Later<'d, 'l>(&'d Depth<'l>);

impl<'de> DeserializeSeed<'de> for Later<'_, '_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        self.0.below()?.deserialize(deserializer)
    }
}

/// Members up to which looking at each is quicker than hashing.
const FEW: usize = 24;

/// Whether an object has a member of this name already. `names` is kept only where there are many.
fn is_known(members: &[(String, Json)], names: &mut HashSet<String>, name: &str) -> bool {
    if members.len() < FEW {
        return members.iter().any(|(known, _)| known == name);
    }
    if names.is_empty() {
        names.extend(members.iter().map(|(known, _)| known.clone()));
    }
    !names.insert(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Json {
        Json::read(text.as_bytes()).unwrap()
    }

    fn written(value: &Json) -> String {
        String::from_utf8(value.write()).unwrap()
    }

    fn why(text: &str) -> String {
        Json::read(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_read_is_written_in_the_same_order() {
        for text in [
            "null",
            "[]",
            r#"{"b":1,"a":[true,-5,18446744073709551615,"\u0001é"],"":{}}"#,
            r#""\\ \" /""#,
            r#"[0,-9223372036854775808,9223372036854775807,0.5,-12.25,0.1]"#,
            r#""\b\t\n\f\r\u0000\u001f<>&'""#,
        ] {
            assert_eq!(written(&read(text)), text);
        }
    }

    #[test]
    fn as_many_values_as_are_read_and_no_more() {
        let list = |count: usize| format!("[{}]", vec!["0"; count].join(","));
        assert!(Json::read(list(JSON_VALUES_MAX).as_bytes()).is_ok());
        assert!(why(&list(JSON_VALUES_MAX + 1)).contains("values"));
    }

    #[test]
    fn one_text_has_one_spelling() {
        for (text, spelling) in [
            (r#"{"HostConfi\u0067":1}"#, r#"{"HostConfig":1}"#),
            (r#""\u003ca\u003E \/ \ud83d\ude00""#, "\"<a> / \u{1f600}\""),
            (" [ 1 ,\t2 ,\r\n3 ] ", "[1,2,3]"),
            ("[1.0e3,1E-2]", "[1000.0,0.01]"),
        ] {
            assert_eq!(written(&read(text)), spelling);
            assert_eq!(written(&read(spelling)), spelling);
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        assert!(why(r#"{"a":1,"a":2}"#).contains(r#"member "a" stands twice"#));
        assert!(why(r#"{"a":1,"\u0061":2}"#).contains("stands twice"));
        assert!(why(r#"[{"x":{"a":1,"b":2,"a":1}}]"#).contains("stands twice"));
        for text in [
            "{}{}",
            "{}]",
            "",
            " ",
            "\u{feff}{}",
            "[1,]",
            "{\"a\":1,}",
            "{,}",
            "{'a':1}",
            "{a:1}",
            "{1:2}",
            "nul",
            "Null",
            "NaN",
            "Infinity",
            "01",
            "+1",
            ".5",
            "1.",
            "1e",
            "1e999",
            "-",
            "0x10",
            "[1 2]",
            "// x\n1",
            "{\"a\":\"\\ud800\"}",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "\"\\u12g4\"",
            "\"\\x41\"",
            "\"a\nb\"",
            "\"\0\"",
        ] {
            assert!(Json::read(text.as_bytes()).is_err(), "{text}");
        }
        for bytes in [&b"{\"\xff\":1}"[..], b"\"\xc0\x80\"", b"\"\xed\xa0\x80\"", b"[\"\xe2\x82\"]", b"\xff"]
        {
            assert!(Json::read(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_name_that_stands_twice_is_found_among_any_number() {
        for count in [2, FEW - 1, FEW, FEW + 1, FEW + 2, 1000] {
            let members: Vec<_> = (0..count).map(|at| format!("\"m{at}\":{at}")).collect();
            assert_eq!(
                written(&read(&format!("{{{}}}", members.join(",")))),
                format!("{{{}}}", members.join(","))
            );
            for twice in [0, count / 2, count - 1] {
                let again = format!("{{{},\"m{twice}\":0}}", members.join(","));
                assert!(why(&again).contains("stands twice"), "{twice} of {count}");
            }
        }
    }

    #[test]
    fn no_part_of_a_value_is_a_value() {
        let text = r#"{"a":[1,"\u00e9é",{"b":null}],"c":-0.5e+3,"d":true}"#;
        assert!(Json::read(text.as_bytes()).is_ok());
        for end in 0..text.len() {
            assert!(Json::read(&text.as_bytes()[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn the_deepest_nesting_is_read_and_one_level_more_is_not() {
        let lists = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        for nested in [lists(JSON_DEPTH_MAX), objects(JSON_DEPTH_MAX)] {
            assert!(Json::read(nested.as_bytes()).is_ok());
        }
        for nested in [lists(JSON_DEPTH_MAX + 1), objects(JSON_DEPTH_MAX + 1)] {
            assert!(why(&nested).contains("deeper than"));
        }
        assert!(Json::read("[".repeat(100_000).as_bytes()).is_err());
        assert!(Json::read("{\"a\":".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn members_are_found_in_objects_only() {
        let mut value = read(r#"{"a":{"b":"c"},"A":1}"#);
        assert_eq!(value.member("a").and_then(|a| a.member("b")).and_then(Json::text), Some("c"));
        assert_eq!((value.member("b"), value.member("")), (None, None));
        *value.member_mut("A").unwrap() = Json::Null;
        assert_eq!(written(&value), r#"{"a":{"b":"c"},"A":null}"#);
        for text in ["null", "true", "1", r#""a""#, r#"["a"]"#] {
            let mut other = read(text);
            assert_eq!(
                (other.member("a"), other.text()),
                (None, (text == r#""a""#).then_some("a")),
                "{text}"
            );
            assert_eq!(other.member_mut("a"), None, "{text}");
        }
        assert_eq!(value.text(), None);
    }

    #[test]
    fn nothing_is_what_a_go_program_takes_for_it() {
        for text in ["null", "false", "0", "\"\"", "[]", "{}"] {
            assert!(read(text).is_zero(), "{text}");
        }
        // Nor are zeros that a Go program would not take for a whole number.
        for text in
            ["true", "1", "-1", "0.5", "0.0", "-0", "\"0\"", "\" \"", "[0]", "[null]", r#"{"a":null}"#]
        {
            assert!(!read(text).is_zero(), "{text}");
        }
    }
}
