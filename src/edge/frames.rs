//! The messages of the agent: types in, JSON out.

use data_encoding::BASE64;
use serde::Serialize;
use serde_json::value::RawValue;

use super::outbox::Frame;
use crate::http::{Fields, Status};
use crate::limits::EDGE_MESSAGE_OUT_MAX;

/// One envelope.
pub(super) fn envelope(kind: &str, data: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Envelope<'e, D> {
        #[serde(rename = "type")]
        kind: &'e str,
        data: &'e D,
    }
    // Our own types hold nothing that JSON cannot.
    serde_json::to_string(&Envelope { kind, data }).unwrap_or_default()
}

/// Why there is no answer.
pub(super) fn error(request_id: &str, code: &str, message: &str) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Error<'e> {
        request_id: &'e str,
        message: &'e str,
        code: &'e str,
    }
    envelope("error", &Error { request_id, message, code })
}

pub(super) fn stream_end(request_id: &str, reason: &str) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct End<'e> {
        request_id: &'e str,
        reason: &'e str,
    }
    envelope("stream_end", &End { request_id, reason })
}

pub(super) fn window(request_id: &str, bytes: u64) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Window<'w> {
        request_id: &'w str,
        bytes: u64,
    }
    envelope("window", &Window { request_id, bytes })
}

/// A sign of life goes back with the data it came with.
pub(super) fn pong(data: &str) -> String {
    format!(r#"{{"type":"pong","data":{data}}}"#)
}

/// Content of a stream: how one piece of it becomes a message.
pub(super) enum Wrap {
    /// Everything before the content, and everything behind it.
    Text(String, &'static str),
    /// The channel, in front.
    Binary([u8; 4]),
}

impl Wrap {
    /// Content that answers a request.
    pub(super) fn stream(request_id: &str, channel: Option<u32>) -> Self {
        Self::new("stream", "requestId", request_id, channel)
    }

    /// Content that a command printed.
    pub(super) fn exec(exec_id: &str, channel: Option<u32>) -> Self {
        Self::new("exec_output", "execId", exec_id, channel)
    }

    fn new(kind: &str, member: &str, name: &str, channel: Option<u32>) -> Self {
        match channel {
            Some(channel) => Self::Binary(channel.to_be_bytes()),
            None => {
                let name = serde_json::to_string(name).unwrap_or_default();
                Self::Text(format!(r#"{{"type":"{kind}","data":{{"{member}":{name},"data":""#), r#""}}"#)
            }
        }
    }

    /// One message of these bytes, with a member for who wrote them, where that is known.
    pub(super) fn frame(&self, content: &[u8], writer: Option<&str>) -> Frame {
        match self {
            Self::Binary(channel) => {
                let mut bytes = Vec::with_capacity(content.len().saturating_add(channel.len()));
                bytes.extend_from_slice(channel);
                bytes.extend_from_slice(content);
                Frame::Binary(bytes)
            }
            Self::Text(before, behind) => {
                let room = before.len().saturating_add(BASE64.encode_len(content.len()));
                let mut text = String::with_capacity(room.saturating_add(32));
                text.push_str(before);
                BASE64.encode_append(content, &mut text);
                match writer {
                    None => text.push_str(behind),
                    Some(writer) => {
                        for part in [r#"","stream":""#, writer, behind] {
                            text.push_str(part);
                        }
                    }
                }
                Frame::Text(text)
            }
        }
    }
}

/// The head of an answer.
pub(super) struct Head<'h> {
    pub(super) request_id: &'h str,
    pub(super) status: Status,
    pub(super) fields: &'h Fields,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'r> {
    request_id: &'r str,
    status_code: u16,
    headers: serde_json::Map<String, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'r str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Content<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'c> {
    Json(&'c RawValue),
    Text(&'c str),
    Encoded(String),
}

impl Head<'_> {
    fn response(&self, is_stream: bool) -> Response<'_> {
        Response {
            request_id: self.request_id,
            status_code: self.status.0,
            headers: self.headers(),
            content_type: self.fields.value("content-type"),
            is_stream,
            body: None,
            body_encoding: None,
            body_base64: None,
        }
    }

    fn headers(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut headers = serde_json::Map::new();
        for (name, value) in self.fields.iter() {
            let known = headers.entry(name).or_insert(serde_json::Value::Null);
            // A list field may stand in several lines.
            *known =
                known.as_str().map_or_else(|| value.into(), |before| format!("{before}, {value}").into());
        }
        headers
    }

    /// The head of an answer whose content follows.
    pub(super) fn streamed(&self) -> String {
        envelope("response", &self.response(true))
    }

    /// A whole answer; `None` where it does not fit in a message.
    pub(super) fn whole(&self, body: &[u8], has_own_member: bool) -> Option<String> {
        let mut response = self.response(false);
        let text = std::str::from_utf8(body).ok();
        let is_json = response.content_type.is_some_and(|kind| kind.contains("json"));
        // Told as they are, a string would lose its quotes and null its content.
        let is_kept = |text: &&str| !matches!(text.trim_ascii_start().bytes().next(), Some(b'"' | b'n'));
        let json = text.filter(|_| is_json).filter(is_kept).and_then(|text| serde_json::from_str(text).ok());
        match (json, text) {
            _ if body.is_empty() => {}
            (Some(json), _) => response.body = Some(Content::Json(json)),
            (None, Some(text)) => response.body = Some(Content::Text(text)),
            (None, None) if has_own_member => response.body_base64 = Some(BASE64.encode(body)),
            (None, None) => {
                response.body = Some(Content::Encoded(BASE64.encode(body)));
                response.body_encoding = Some("base64");
            }
        }
        Some(envelope("response", &response)).filter(|message| message.len() <= EDGE_MESSAGE_OUT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(of: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        of.iter().for_each(|(name, value)| fields.push(name, value.as_bytes()));
        fields
    }

    #[test]
    fn a_body_is_told_in_the_form_it_has() {
        for (kind, body, told) in [
            ("application/json", &b"{\"a\": 1.50}\n"[..], r#","body":{"a": 1.50}}}"#),
            ("application/json", b"{\"a\":1}{\"b\":2}", r#","body":"{\"a\":1}{\"b\":2}"}}"#),
            ("application/json", b"null\n", r#","body":"null\n"}}"#),
            ("application/json", b"\"a\"", r#","body":"\"a\""}}"#),
            ("text/plain", b"OK", r#","body":"OK"}}"#),
            ("text/plain", b"1", r#","body":"1"}}"#),
            ("application/x-tar", b"\xff\0", r#","body":"/wA=","bodyEncoding":"base64"}}"#),
            ("text/plain", b"", r#""contentType":"text/plain"}}"#),
        ] {
            let fields = fields(&[("Content-Type", kind)]);
            let head = Head { request_id: "r", status: Status(200), fields: &fields };
            let message = head.whole(body, false).unwrap();
            assert!(message.ends_with(told), "{message}");
            assert!(message.starts_with(r#"{"type":"response","data":{"requestId":"r","statusCode":200,"#));
        }
        let fields = fields(&[]);
        let head = Head { request_id: "r", status: Status(200), fields: &fields };
        assert!(head.whole(b"\xff", true).unwrap().ends_with(r#""bodyBase64":"/w=="}}"#));
    }

    #[test]
    fn what_does_not_fit_in_a_message_is_not_told() {
        let fields = fields(&[("Content-Type", "text/plain")]);
        let head = Head { request_id: "r", status: Status(200), fields: &fields };
        assert!(head.whole(&vec![b'x'; EDGE_MESSAGE_OUT_MAX - 1024], false).is_some());
        assert!(head.whole(&vec![b'x'; EDGE_MESSAGE_OUT_MAX], false).is_none());
        // Control characters are written as six.
        assert!(head.whole(&vec![1; EDGE_MESSAGE_OUT_MAX / 4], false).is_none());
    }

    #[test]
    fn lines_of_one_name_are_told_as_one_list() {
        let fields = fields(&[("Warning", "one"), ("Api-Version", "1.41"), ("Warning", "two")]);
        let head = Head { request_id: "\"", status: Status(101), fields: &fields };
        assert_eq!(
            head.streamed(),
            r#"{"type":"response","data":{"requestId":"\"","statusCode":101,"headers":{"Api-Version":"1.41","Warning":"one, two"},"isStream":true}}"#
        );
    }

    #[test]
    fn a_piece_of_a_stream_is_an_envelope_or_a_channel_and_bytes() {
        let text = Wrap::stream("a\"b", None).frame(b"hello", None);
        let told = r#"{"type":"stream","data":{"requestId":"a\"b","data":"aGVsbG8="}}"#;
        assert_eq!(text, Frame::Text(told.to_owned()));
        let text = Wrap::exec("e", None).frame(b"", Some("stderr"));
        let told = r#"{"type":"exec_output","data":{"execId":"e","data":"","stream":"stderr"}}"#;
        assert_eq!(text, Frame::Text(told.to_owned()));
        let binary = Wrap::stream("r", Some(258)).frame(b"x", None);
        assert_eq!(binary, Frame::Binary(vec![0, 0, 1, 2, b'x']));
    }
}
