//! A request that came through the tunnel, as the head and body it stands for.

use std::borrow::Cow;

use data_encoding::BASE64;
use serde_json::Value;

use super::envelope::Asked;
use crate::api;
use crate::limits::EDGE_FIELD_BYTES_MAX;

/// Fields of a request that mean something here.
const FIELDS: [&str; 10] = [
    "accept",
    "content-type",
    "user-agent",
    "x-registry-auth",
    "x-registry-config",
    "last-event-id",
    "x-forwarded-for",
    "x-real-ip",
    "origin",
    "upgrade",
];

/// Beginnings of further ones: of signatures, sessions, and assistants.
const FAMILIES: [&str; 5] =
    ["x-lookout-", "x-portwing-", "x-docker-expose-session-", "sec-websocket-", "mcp-"];

/// A request, ready to be read like any other.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: String,
    /// Every byte of it was written here.
    pub(super) head: Vec<u8>,
    pub(super) body: Vec<u8>,
    /// The body follows in messages of its own.
    pub(super) has_streamed_body: bool,
    is_upgrade: bool,
    /// The answer is streamed, whatever it is.
    pub(super) streams: bool,
    /// What the controller takes of the answer before it allows more.
    pub(super) credit: Option<u64>,
    pub(super) channel: Option<u32>,
}

/// What was agreed on in the welcome.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Agreed {
    pub(super) binary_streams: bool,
    pub(super) duplex_streams: bool,
    pub(super) body_base64: bool,
}

impl Call {
    /// The sentence says what is wrong with the request.
    pub(super) fn read(asked: Asked<'_>, agreed: Agreed) -> Result<Self, String> {
        let method = &*asked.method;
        if !method.bytes().all(|byte| byte.is_ascii_uppercase()) || method.is_empty() {
            return Err(format!("method: {method:?} is none"));
        }
        let path = &*asked.path;
        if !path.starts_with('/') || path.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err("path: it must begin with / and hold no spaces and no control characters".to_owned());
        }
        let duplex = |is_asked: bool| is_asked && agreed.duplex_streams;
        let has_streamed_body = duplex(asked.body_stream);
        let fields = fields(asked.headers, agreed)?;
        let is_upgrade = fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("upgrade"));
        let body = match (has_streamed_body, asked.body) {
            (true, _) if is_upgrade => return Err("bodyStream: it does not go with Upgrade".to_owned()),
            (true, Some(_)) => return Err("body: it is to follow, so there must be none here".to_owned()),
            (true, None) => Cow::Borrowed(&[][..]),
            (false, None) => Cow::Borrowed(&[][..]),
            (false, Some(body)) => content(body.get(), asked.body_encoding.as_deref())?,
        };
        let (file, _) = path.split_once('?').unwrap_or((path, ""));
        let streams = duplex(asked.stream_response) || has_streamed_body || is_upgrade || api::streams(file);
        let mut head = Vec::with_capacity(256);
        for part in [method, " ", path, " HTTP/1.1\r\nHost: lookout\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
        let has_kind = fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let mut push = |name: &str, value: &str| {
            for part in [name, ": ", value, "\r\n"] {
                head.extend_from_slice(part.as_bytes());
            }
        };
        for (name, value) in &fields {
            push(name, value);
        }
        if is_upgrade {
            push("Connection", "Upgrade");
        }
        if has_streamed_body {
            push("Transfer-Encoding", "chunked");
        } else if !body.is_empty() {
            if !has_kind {
                push("Content-Type", "application/json");
            }
            push("Content-Length", &body.len().to_string());
        } else if method == "POST" || method == "PUT" {
            push("Content-Length", "0");
        }
        head.extend_from_slice(b"\r\n");
        Ok(Self {
            id: asked.request_id.into_owned(),
            head,
            body: body.into_owned(),
            has_streamed_body,
            is_upgrade,
            streams,
            credit: asked.window.filter(|_| agreed.duplex_streams),
            channel: channel(asked.channel, agreed)?,
        })
    }

    /// Whether the controller may send content after it: a body, or its side of an upgraded stream.
    pub(super) fn takes_content(&self) -> bool {
        self.has_streamed_body || self.is_upgrade
    }

    /// A request of our own, on the controller's behalf.
    pub(super) fn ours(method: &str, path: &str, body: Option<&Value>, upgrade: bool) -> Self {
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let switch = if upgrade { "Connection: Upgrade\r\nUpgrade: tcp\r\n" } else { "" };
        let length = match body.len() {
            0 if method == "POST" => "Content-Length: 0\r\n".to_owned(),
            0 => String::new(),
            length => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
        };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: lookout\r\n{switch}{length}\r\n").into_bytes();
        Self {
            id: String::new(),
            head,
            body,
            has_streamed_body: false,
            is_upgrade: false,
            streams: false,
            credit: None,
            channel: None,
        }
    }
}

/// A channel of binary messages, where they were agreed on.
pub(super) fn channel(asked: Option<u32>, agreed: Agreed) -> Result<Option<u32>, String> {
    match asked.filter(|_| agreed.binary_streams) {
        Some(channel) if channel == 0 || channel > i32::MAX.unsigned_abs() => {
            Err("channel: it must be 1 to 2147483647".to_owned())
        }
        channel => Ok(channel),
    }
}

/// The bytes that a body stands for.
fn content<'b>(body: &'b str, encoding: Option<&str>) -> Result<Cow<'b, [u8]>, String> {
    match encoding {
        None => Ok(Cow::Borrowed(body.as_bytes())),
        Some("base64") => {
            let text: Cow<'_, str> =
                serde_json::from_str(body).map_err(|_| "body: it is no string of base64".to_owned())?;
            let bytes = BASE64.decode(text.as_bytes()).map_err(|_| "body: it is no base64".to_owned())?;
            Ok(Cow::Owned(bytes))
        }
        Some(other) => Err(format!("bodyEncoding: {other:?} is unknown; use base64")),
    }
}

/// The fields that mean something, none of which may break out of its line.
fn fields(
    headers: Option<std::collections::BTreeMap<String, Value>>,
    agreed: Agreed,
) -> Result<Vec<(String, String)>, String> {
    let mut fields = Vec::new();
    // A field that stands several times is a list.
    let each = |(name, value): (String, Value)| match value {
        Value::String(value) => vec![(name, value)],
        Value::Array(values) => {
            let texts = values.into_iter().filter_map(|value| match value {
                Value::String(value) => Some(value),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
            });
            texts.map(|value| (name.clone(), value)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    for (name, value) in headers.unwrap_or_default().into_iter().flat_map(each) {
        let lower = name.to_ascii_lowercase();
        let is_upgrade = lower == "upgrade";
        let is_known = FIELDS.contains(&&*lower) || FAMILIES.iter().any(|family| lower.starts_with(family));
        if !is_known || value.is_empty() || (is_upgrade && !agreed.duplex_streams) {
            continue;
        }
        if value.len() > EDGE_FIELD_BYTES_MAX {
            return Err(format!("headers: {name} is longer than {EDGE_FIELD_BYTES_MAX} bytes"));
        }
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if !name.bytes().all(is_token) || value.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return Err(format!("headers: {name:?} or its value holds characters that none may"));
        }
        fields.push((name, value));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::envelope::{Message, read};

    const ALL: Agreed = Agreed { binary_streams: true, duplex_streams: true, body_base64: true };

    fn call(members: &str, agreed: Agreed) -> Result<Call, String> {
        let text = format!(r#"{{"type":"request","data":{{"requestId":"r",{members}}}}}"#);
        let Ok(Message::Request(asked)) = read(&text) else { panic!("{text}") };
        Call::read(*asked, agreed)
    }

    fn head(members: &str) -> String {
        String::from_utf8(call(members, ALL).unwrap().head).unwrap()
    }

    #[test]
    fn a_request_becomes_a_head_and_its_body_the_very_text_it_has() {
        let call = call(r#""method":"POST","path":"/a?b=1","body":{"x": 1.0}"#, Agreed::default()).unwrap();
        assert_eq!(
            call.head,
            b"POST /a?b=1 HTTP/1.1\r\nHost: lookout\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"
        );
        assert_eq!((call.body, call.streams), (br#"{"x": 1.0}"#.to_vec(), false));
        assert_eq!(head(r#""method":"GET","path":"/a""#), "GET /a HTTP/1.1\r\nHost: lookout\r\n\r\n");
        assert!(head(r#""method":"POST","path":"/a","body":null"#).contains("\r\nContent-Length: 0\r\n"));
    }

    #[test]
    fn fields_that_mean_nothing_here_are_left_out() {
        let told = head(
            r#""method":"GET","path":"/a","headers":{"Accept":"x","Cookie":"c","Authorization":"a","Host":"h",
            "Transfer-Encoding":"chunked","Content-Length":"5","X-Lookout-Nonce":"n","Expect":"100-continue","X-Other":1}"#,
        );
        assert_eq!(told, "GET /a HTTP/1.1\r\nHost: lookout\r\nAccept: x\r\nX-Lookout-Nonce: n\r\n\r\n");
    }

    #[test]
    fn nothing_breaks_out_of_its_line() {
        for (members, culprit) in [
            (r#""method":"GET / HTTP/1.1\r\nX: y\r\n","path":"/a""#, "method"),
            (r#""method":"","path":"/a""#, "method"),
            (r#""method":"get","path":"/a""#, "method"),
            (r#""method":"GET","path":"a""#, "path"),
            (r#""method":"GET","path":"/a b""#, "path"),
            (r#""method":"GET","path":"/a\r\nX: y""#, "path"),
            (r#""method":"GET","path":"/a","headers":{"Accept":"x\r\nX: y"}"#, "headers"),
            (r#""method":"GET","path":"/a","headers":{"X-Lookout-A: b\r\nX":"y"}"#, "headers"),
            (r#""method":"GET","path":"/a","body":"%","bodyEncoding":"base64""#, "body"),
            (r#""method":"GET","path":"/a","body":"AA==","bodyEncoding":"hex""#, "bodyEncoding"),
            (r#""method":"GET","path":"/a","channel":0"#, "channel"),
            (r#""method":"GET","path":"/a","bodyStream":true,"body":1"#, "body"),
            (r#""method":"GET","path":"/a","bodyStream":true,"headers":{"Upgrade":"tcp"}"#, "bodyStream"),
        ] {
            let told = call(members, ALL).unwrap_err();
            assert!(told.starts_with(culprit), "{members}: {told}");
        }
        let long = format!(
            r#""method":"GET","path":"/a","headers":{{"Accept":"{}"}}"#,
            "x".repeat(EDGE_FIELD_BYTES_MAX + 1)
        );
        assert!(call(&long, ALL).unwrap_err().contains("longer than 65536 bytes"));
    }

    #[test]
    fn what_was_not_agreed_on_is_not_used() {
        let members =
            r#""method":"POST","path":"/a","bodyStream":true,"streamResponse":true,"window":5,"channel":7"#;
        let plain = call(members, Agreed::default()).unwrap();
        assert!(!plain.streams && !plain.has_streamed_body);
        assert_eq!((plain.credit, plain.channel), (None, None));
        let full = call(members, ALL).unwrap();
        assert!(full.streams && full.has_streamed_body);
        assert_eq!((full.credit, full.channel), (Some(5), Some(7)));
        let head = String::from_utf8(full.head).unwrap();
        assert!(head.ends_with("Transfer-Encoding: chunked\r\n\r\n"));
        let upgrade = r#""method":"POST","path":"/a","headers":{"Upgrade":"tcp"}"#;
        assert!(!call(upgrade, Agreed::default()).unwrap().takes_content());
        let upgrade = call(upgrade, ALL).unwrap();
        assert!(upgrade.streams && upgrade.takes_content());
        let head = String::from_utf8(upgrade.head).unwrap();
        assert!(head.contains("Upgrade: tcp\r\nConnection: Upgrade\r\nContent-Length: 0\r\n"));
    }

    #[test]
    fn the_bytes_of_a_body_may_be_told_as_base64() {
        let members = r#""method":"PUT","path":"/a","body":"/wA=","bodyEncoding":"base64",
            "headers":{"Content-Type":"application/x-tar"}"#;
        assert_eq!(call(members, ALL).unwrap().body, [0xff, 0]);
    }
}
