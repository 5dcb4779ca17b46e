//! What is secret in a request becomes `***` before anybody keeps it.
//!
//! A name is secret where one of the fields stands in it, whatever the case and whatever signs are between:
//! `DB_PASSWORD`, `registryToken` and `--api-key` are. The value of such a member, parameter, variable or
//! option is blanked, whole. Words within other texts are looked at as well as a text allows.

mod words;

use data_encoding::HEXUPPER;
use serde_json::Value;

use crate::limits::{AUDIT_DETAIL_BYTES_MAX, AUDIT_JSON_DEPTH_MAX};

/// What stands in a secret's place.
const BLANK: &str = "***";

const HEADERS: [&str; 7] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-registry-auth",
    "x-registry-config",
];

/// Every header of ours, and of those whom we stand in for.
const HEADER_FAMILIES: [&str; 3] = ["x-lookout-", "x-dd-agent-", "x-portwing-"];

const FIELDS: [&str; 7] =
    ["password", "token", "access_token", "refresh_token", "secret", "api_key", "apikey"];

/// Which headers and which fields are secret.
#[derive(Clone, Debug)]
pub(crate) struct Redactor {
    headers: Vec<String>,
    fields: Vec<String>,
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new(&[], &[])
    }
}

impl Redactor {
    /// The built-in lists, and more.
    pub(crate) fn new(headers: &[String], fields: &[String]) -> Self {
        let more = headers.iter().map(|name| name.trim().to_ascii_lowercase());
        let headers = HEADERS.iter().map(|name| (*name).to_owned()).chain(more);
        let fields = FIELDS.iter().copied().chain(fields.iter().map(String::as_str)).map(plain);
        Self {
            headers: headers.filter(|name| !name.is_empty()).collect(),
            fields: fields.filter(|name| !name.is_empty()).collect(),
        }
    }

    /// What is told of a header's value.
    pub(crate) fn told(&self, name: &str, value: &str) -> String {
        if self.header(name) {
            return BLANK.to_owned();
        }
        // An address may carry a query of its own.
        match value.split_once('?') {
            Some((place, query)) => format!("{place}?{}", self.query(query)),
            None => self.text(value).unwrap_or_else(|| value.to_owned()),
        }
    }

    /// Whether the value of a header is secret: by the lists, or as a field of that name would be.
    fn header(&self, name: &str) -> bool {
        let lower = name.trim().to_ascii_lowercase();
        self.headers.contains(&lower)
            || HEADER_FAMILIES.iter().any(|family| lower.starts_with(family))
            || self.field(name)
    }

    /// A query, or a form; what is not secret in it stays as it was sent.
    pub(crate) fn query(&self, query: &str) -> String {
        let pairs = query.split('&').map(|pair| {
            let Some((name, value)) = pair.split_once('=') else {
                return self.text(pair).unwrap_or_else(|| pair.to_owned());
            };
            if self.field(&decoded(name)) {
                return format!("{name}={BLANK}");
            }
            match self.text(&decoded(value)) {
                Some(value) => format!("{name}={}", encoded(&value)),
                None => pair.to_owned(),
            }
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    /// JSON on one line; nothing where it is not JSON, or too much of it.
    pub(crate) fn json(&self, bytes: &[u8]) -> Option<String> {
        if bytes.len() > AUDIT_DETAIL_BYTES_MAX {
            return None;
        }
        let mut value: Value = serde_json::from_slice(bytes).ok()?;
        self.value(&mut value, AUDIT_JSON_DEPTH_MAX);
        serde_json::to_string(&value).ok()
    }

    /// Whether the value of this name is secret.
    fn field(&self, name: &str) -> bool {
        let name = plain(name);
        self.fields.iter().any(|field| name.contains(field.as_str()))
    }

    fn value(&self, value: &mut Value, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else {
            *value = Value::String(BLANK.to_owned());
            return;
        };
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => {
                if let Some(told) = self.text_within(text, depth) {
                    *text = told;
                }
            }
            Value::Array(items) => self.items(items, depth),
            Value::Object(members) => {
                // `{"name": "DB_PASSWORD", "value": "…"}`
                let is_named = members.iter().any(|(name, value)| {
                    ["name", "key"].contains(&name.to_ascii_lowercase().as_str())
                        && value.as_str().is_some_and(|text| self.field(text))
                });
                for (name, value) in members {
                    if self.field(name) || self.header(name) || is_named && name.eq_ignore_ascii_case("value")
                    {
                        blank(value);
                    } else {
                        self.value(value, depth);
                    }
                }
            }
        }
    }

    /// Items of a list, which may be a command: behind an option that is secret comes what it is set to.
    fn items(&self, items: &mut [Value], depth: usize) {
        let mut is_next = false;
        for item in items {
            let is_secret = std::mem::take(&mut is_next);
            let Value::String(text) = item else {
                self.value(item, depth);
                continue;
            };
            if is_secret && !text.starts_with('-') {
                BLANK.clone_into(text);
                continue;
            }
            is_next = text.starts_with('-') && !text.contains(['=', ' ']) && self.field(text);
            // `NAME=value`, to its end.
            let is_name = |name: &str| !name.contains(char::is_whitespace) && self.field(name);
            match text.split_once('=').filter(|(name, _)| is_name(name)) {
                Some((name, _)) => *text = format!("{name}={BLANK}"),
                None => self.value(item, depth),
            }
        }
    }

    /// A text without its secrets, if it has any; it may hold JSON.
    fn text(&self, text: &str) -> Option<String> {
        self.text_within(text, AUDIT_JSON_DEPTH_MAX)
    }

    fn text_within(&self, text: &str, depth: usize) -> Option<String> {
        if text.trim_start().starts_with(['{', '['])
            && let Ok(value) = serde_json::from_str::<Value>(text)
        {
            let mut told = value.clone();
            self.value(&mut told, depth);
            return (told != value).then(|| told.to_string());
        }
        words::told(self, text)
    }
}

/// A name without what is between its words.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// What says nothing already stays: it tells that there is nothing.
fn blank(value: &mut Value) {
    let is_nothing = match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    if !is_nothing {
        *value = Value::String(BLANK.to_owned());
    }
}

/// Percent codes and `+` as what they stand for; what is no code stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let code = after.get(..2).and_then(|code| HEXUPPER.decode(&code.to_ascii_uppercase()).ok());
        match (byte, code.as_deref()) {
            (b'%', Some([code])) => {
                bytes.push(*code);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Everything but letters, digits and a few signs as percent codes.
fn encoded(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'*' | b'/' | b':' => {
                told.push(char::from(byte));
            }
            byte => {
                told.push('%');
                told.push_str(&HEXUPPER.encode(&[byte]));
            }
        }
    }
    told
}

#[cfg(test)]
mod tests;
