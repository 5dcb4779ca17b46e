//! The messages of a controller: JSON in, types out.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::limits::EDGE_NAME_BYTES_MAX;

/// What a controller says.
#[derive(Debug)]
pub(super) enum Message<'m> {
    Welcome(Welcome),
    Error(Refusal),
    /// Its data go back as they came.
    Ping(&'m str),
    Pong,
    Request(Box<Asked<'m>>),
    Stream(Piece<'m>),
    StreamEnd(Ended<'m>),
    Window(Window<'m>),
    ExecStart(Box<ExecStart<'m>>),
    ExecInput(ExecPiece<'m>),
    ExecResize(ExecSize<'m>),
    ExecEnd(ExecEnded<'m>),
    /// Only the Drydock adapter is asked this.
    Drydock(Errand<'m>),
    /// Of a later version, or another product.
    Unknown(Cow<'m, str>),
}

/// What the Drydock adapter is asked.
#[derive(Debug)]
pub(super) enum Errand<'m> {
    Logs(Box<AskedLogs<'m>>),
    LogsCancel(Named<'m>),
    Delete(Named<'m>),
    /// By its name: asked of agents that look for updates themselves.
    Other(&'static str, Other<'m>),
}

/// Members that go back as they came.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Other<'m> {
    #[serde(borrow)]
    pub(super) watcher_type: Option<&'m RawValue>,
    #[serde(borrow)]
    pub(super) watcher_name: Option<&'m RawValue>,
    #[serde(borrow)]
    pub(super) container_id: Option<&'m RawValue>,
    #[serde(borrow)]
    pub(super) trigger_type: Option<&'m RawValue>,
    #[serde(borrow)]
    pub(super) trigger_name: Option<&'m RawValue>,
}

/// What the controller says to a hello that it likes. All of it is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Welcome {
    #[serde(deserialize_with = "seconds")]
    pub(super) poll_interval: Option<u64>,
    pub(super) config: BTreeMap<String, Value>,
    pub(super) capabilities: Vec<Value>,
}

impl Welcome {
    pub(super) fn names(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|named| named.as_str() == Some(capability))
    }
}

/// What it says to one that it does not like, or about a message.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) code: String,
    pub(super) request_id: String,
}

/// A request. Members stand as the controller wrote them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked<'m> {
    #[serde(borrow)]
    pub(super) request_id: Cow<'m, str>,
    #[serde(borrow)]
    pub(super) method: Cow<'m, str>,
    #[serde(borrow)]
    pub(super) path: Cow<'m, str>,
    #[serde(default)]
    pub(super) headers: Option<BTreeMap<String, Value>>,
    #[serde(default, borrow)]
    pub(super) body: Option<&'m RawValue>,
    #[serde(default, borrow)]
    pub(super) body_encoding: Option<Cow<'m, str>>,
    #[serde(default)]
    pub(super) body_stream: bool,
    #[serde(default)]
    pub(super) stream_response: bool,
    #[serde(default)]
    pub(super) window: Option<u64>,
    #[serde(default)]
    pub(super) channel: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Piece<'m> {
    #[serde(borrow)]
    pub(super) request_id: Cow<'m, str>,
    #[serde(borrow)]
    pub(super) data: Cow<'m, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ended<'m> {
    #[serde(borrow)]
    pub(super) request_id: Cow<'m, str>,
    #[serde(default, borrow)]
    pub(super) reason: Option<Cow<'m, str>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Window<'m> {
    #[serde(borrow)]
    pub(super) request_id: Cow<'m, str>,
    pub(super) bytes: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExecStart<'m> {
    #[serde(borrow)]
    pub(super) exec_id: Cow<'m, str>,
    #[serde(borrow)]
    pub(super) container_id: Cow<'m, str>,
    pub(super) cmd: Vec<String>,
    #[serde(default)]
    pub(super) user: Option<String>,
    #[serde(default)]
    pub(super) env: Option<Vec<String>>,
    #[serde(default)]
    pub(super) working_dir: Option<String>,
    #[serde(default)]
    pub(super) cols: Option<u16>,
    #[serde(default)]
    pub(super) rows: Option<u16>,
    #[serde(default)]
    pub(super) tty: Option<bool>,
    #[serde(default)]
    pub(super) channel: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExecPiece<'m> {
    #[serde(borrow)]
    pub(super) exec_id: Cow<'m, str>,
    #[serde(borrow)]
    pub(super) data: Cow<'m, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExecSize<'m> {
    #[serde(borrow)]
    pub(super) exec_id: Cow<'m, str>,
    pub(super) cols: u16,
    pub(super) rows: u16,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExecEnded<'m> {
    #[serde(borrow)]
    pub(super) exec_id: Cow<'m, str>,
}

/// Logs of a container, in one piece or as they come.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AskedLogs<'m> {
    #[serde(default, borrow)]
    pub(super) request_id: Option<Cow<'m, str>>,
    #[serde(borrow)]
    pub(super) container_id: Cow<'m, str>,
    #[serde(default)]
    pub(super) tail: Value,
    #[serde(default)]
    pub(super) since: Value,
    #[serde(default)]
    pub(super) until: Value,
    #[serde(default)]
    pub(super) timestamps: bool,
    #[serde(default)]
    pub(super) follow: bool,
    #[serde(default)]
    pub(super) stream: bool,
}

/// A container, and the request that names it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Named<'m> {
    #[serde(default, borrow)]
    pub(super) request_id: Option<Cow<'m, str>>,
    #[serde(default, borrow)]
    pub(super) container_id: Cow<'m, str>,
}

/// A message that cannot be read; the request that waits for an answer to it, where it has a name.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) why: String,
    pub(super) request_id: Option<String>,
}

#[derive(Deserialize)]
struct Envelope<'m> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'m, str>,
    #[serde(default, borrow)]
    data: Option<&'m RawValue>,
}

/// Reads one message.
pub(super) fn read(text: &str) -> Result<Message<'_>, Unreadable> {
    let envelope: Envelope<'_> = serde_json::from_str(text)
        .map_err(|error| Unreadable { why: format!("no envelope: {error}"), request_id: None })?;
    let data = envelope.data.map_or("null", RawValue::get);
    let kind = &*envelope.kind;
    let message = match kind {
        "welcome" => Message::Welcome(optional(data)),
        "error" => Message::Error(optional(data)),
        "ping" => Message::Ping(data),
        "pong" => Message::Pong,
        "request" => Message::Request(Box::new(members(kind, data)?)),
        "stream" => Message::Stream(members(kind, data)?),
        "stream_end" => Message::StreamEnd(members(kind, data)?),
        "window" => Message::Window(members(kind, data)?),
        "exec_start" => Message::ExecStart(Box::new(members(kind, data)?)),
        "exec_input" => Message::ExecInput(members(kind, data)?),
        "exec_resize" => Message::ExecResize(members(kind, data)?),
        "exec_end" => Message::ExecEnd(members(kind, data)?),
        "dd:container_log_request" => Message::Drydock(Errand::Logs(Box::new(members(kind, data)?))),
        "dd:container_log_cancel" => Message::Drydock(Errand::LogsCancel(members(kind, data)?)),
        "dd:container_delete_request" => Message::Drydock(Errand::Delete(members(kind, data)?)),
        "dd:watch_request" => Message::Drydock(Errand::Other("dd:watch_request", optional(data))),
        "dd:watch_container_request" => {
            Message::Drydock(Errand::Other("dd:watch_container_request", optional(data)))
        }
        "dd:trigger_request" => Message::Drydock(Errand::Other("dd:trigger_request", optional(data))),
        _ => Message::Unknown(envelope.kind),
    };
    Ok(message)
}

fn members<'m, T: Deserialize<'m>>(kind: &str, data: &'m str) -> Result<T, Unreadable> {
    serde_json::from_str(data)
        .map_err(|error| Unreadable { why: format!("{kind}: {error}"), request_id: name_in(kind, data) })
}

/// Members that may be missing or of another kind: then it is as if there were none.
fn optional<'m, T: Deserialize<'m> + Default>(data: &'m str) -> T {
    serde_json::from_str(data).unwrap_or_default()
}

/// The request that a message nobody can read would have been answered to.
fn name_in(kind: &str, data: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Name {
        request_id: String,
    }
    let name = (kind == "request").then(|| serde_json::from_str(data).ok()).flatten();
    name.map(|name: Name| name.request_id).filter(|name| is_name(name))
}

/// What the controller may call a request or a command.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= EDGE_NAME_BYTES_MAX
}

/// A number of seconds above zero, as a number or as digits; anything else is none.
fn seconds<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let secs = match Value::deserialize(from)? {
        Value::Number(number) => number.as_u64(),
        Value::String(digits) => digits.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    Ok(secs.filter(|secs| *secs > 0))
}

#[cfg(test)]
mod tests;
