//! How a record is written: its members, their order, and the text of their values.

use std::fmt::Write as _;
use std::time::Duration;

use super::record::{Event, Record};
use crate::clock;

/// A member of a record, in the order in which they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Actor,
    Method,
    Path,
    Outcome,
    Status,
    Duration,
    Operation,
    Stack,
    Container,
    ExecId,
    KeyId,
    Reason,
    Class,
    UserAgent,
    RequestId,
    Detail,
    Version,
    Mode,
    Keys,
    Ended,
    Torn,
    TornHash,
    Lost,
    Key,
    Signature,
    Recording,
    RecordingHash,
    ParentId,
}

use Member as M;

const EVERY: [Member; 28] = [
    M::Actor,
    M::Method,
    M::Path,
    M::Outcome,
    M::Status,
    M::Duration,
    M::Operation,
    M::Stack,
    M::Container,
    M::ExecId,
    M::KeyId,
    M::Reason,
    M::Class,
    M::UserAgent,
    M::RequestId,
    M::Detail,
    M::Version,
    M::Mode,
    M::Keys,
    M::Ended,
    M::Torn,
    M::TornHash,
    M::Lost,
    M::Key,
    M::Signature,
    M::Recording,
    M::RecordingHash,
    M::ParentId,
];

enum Value<'r> {
    Text(&'r str),
    Number(u64),
    Millis(Duration),
    Json(&'r str),
}

impl Event {
    /// The members that it always has, first and in this order: others read them.
    fn fixed(self) -> &'static [Member] {
        match self {
            Self::ApiRequest | Self::StreamEnd => {
                &[M::Actor, M::Method, M::Path, M::Outcome, M::Status, M::Duration]
            }
            Self::StreamStart | Self::AuthFailure | Self::RateLimited => {
                &[M::Actor, M::Method, M::Path, M::Outcome]
            }
            Self::ExecStart => &[M::Actor, M::Container, M::ExecId, M::Outcome],
            Self::Enrollment => &[M::Actor, M::KeyId, M::Outcome],
            Self::ComposeOp => &[M::Actor, M::Operation, M::Stack, M::Outcome],
            Self::Reload | Self::Start | Self::Stop | Self::Checkpoint | Self::Recovered => &[],
        }
    }
}

impl Record {
    /// A line of the sink, as an object that is still open.
    pub(super) fn line(&self, time: Duration) -> Vec<u8> {
        let mut line = String::with_capacity(512);
        line.push_str(r#"{"time":""#);
        push_time(&mut line, time);
        line.push_str(r#"","level":"INFO","msg":"","event":""#);
        line.push_str(self.event.name());
        line.push('"');
        let fixed = self.event.fixed();
        for member in fixed {
            push(&mut line, *member, &self.value(*member).unwrap_or_else(|| member.nothing()));
        }
        for member in EVERY.into_iter().filter(|member| !fixed.contains(member)) {
            if let Some(value) = self.value(member) {
                push(&mut line, member, &value);
            }
        }
        line.into_bytes()
    }

    /// An object of the ring, which leaves out what is nothing.
    pub(super) fn object(&self, cursor: u64, time: Duration) -> String {
        let mut object = format!(r#"{{"cursor":{cursor},"ts":""#);
        push_time(&mut object, time);
        object.push_str(r#"","event":""#);
        object.push_str(self.event.name());
        object.push('"');
        for member in EVERY {
            if let Some(value) = self.value(member).filter(|value| !value.is_nothing()) {
                push(&mut object, member, &value);
            }
        }
        object.push('}');
        object
    }

    fn value(&self, member: Member) -> Option<Value<'_>> {
        let text = match member {
            M::Outcome => return self.outcome.map(|outcome| Value::Text(outcome.name())),
            M::Status => return self.status.map(|status| Value::Number(status.into())),
            M::Duration => return self.duration.map(Value::Millis),
            M::Method => return self.method.map(Value::Text),
            M::Class => return self.class.map(Value::Text),
            M::Mode => return self.mode.map(Value::Text),
            M::Keys => return self.keys.map(Value::Number),
            M::Ended => return self.ended.map(Value::Number),
            M::Torn => return self.torn.map(Value::Number),
            M::Lost => return self.lost.map(Value::Number),
            M::Detail => return self.detail.as_deref().map(Value::Json),
            M::Actor => &self.actor,
            M::Path => &self.path,
            M::Operation => &self.operation,
            M::Stack => &self.stack,
            M::Container => &self.container,
            M::ExecId => &self.exec_id,
            M::KeyId => &self.key_id,
            M::Reason => &self.reason,
            M::UserAgent => &self.user_agent,
            M::RequestId => &self.request_id,
            M::Version => &self.version,
            M::TornHash => &self.torn_hash,
            M::Key => &self.key,
            M::Signature => &self.signature,
            M::Recording => &self.recording,
            M::RecordingHash => &self.recording_hash,
            M::ParentId => &self.parent_id,
        };
        text.as_deref().map(Value::Text)
    }
}

impl Member {
    fn name(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Method => "method",
            Self::Path => "path",
            Self::Outcome => "outcome",
            Self::Status => "status",
            Self::Duration => "duration_ms",
            Self::Operation => "operation",
            Self::Stack => "stack",
            Self::Container => "container",
            Self::ExecId => "exec_id",
            Self::KeyId => "key_id",
            Self::Reason => "reason",
            Self::Class => "class",
            Self::UserAgent => "user_agent",
            Self::RequestId => "request_id",
            Self::Detail => "detail",
            Self::Version => "version",
            Self::Mode => "mode",
            Self::Keys => "keys",
            Self::Ended => "ended",
            Self::Torn => "torn",
            Self::TornHash => "torn_hash",
            Self::Lost => "lost",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Recording => "recording",
            Self::RecordingHash => "recording_sha256",
            Self::ParentId => "parent_id",
        }
    }

    /// What an event that always has it says where nothing is known. An outcome that nobody told is none
    /// that was allowed.
    fn nothing(self) -> Value<'static> {
        match self {
            Self::Outcome => Value::Text("error"),
            Self::Status => Value::Number(0),
            Self::Duration => Value::Millis(Duration::ZERO),
            Self::Actor
            | Self::Method
            | Self::Path
            | Self::Operation
            | Self::Stack
            | Self::Container
            | Self::ExecId
            | Self::KeyId
            | Self::Reason
            | Self::Class
            | Self::UserAgent
            | Self::RequestId
            | Self::Version
            | Self::Mode
            | Self::TornHash
            | Self::Key
            | Self::Signature
            | Self::Recording
            | Self::RecordingHash
            | Self::ParentId => Value::Text(""),
            Self::Detail => Value::Json("null"),
            Self::Keys | Self::Ended | Self::Torn | Self::Lost => Value::Number(0),
        }
    }
}

impl Value<'_> {
    fn is_nothing(&self) -> bool {
        match self {
            Self::Text(text) | Self::Json(text) => text.is_empty(),
            Self::Number(number) => *number == 0,
            Self::Millis(span) => span.is_zero(),
        }
    }
}

fn push(line: &mut String, member: Member, value: &Value<'_>) {
    line.push_str(",\"");
    line.push_str(member.name());
    line.push_str("\":");
    match value {
        Value::Text(text) => push_text(line, text),
        Value::Json(json) => line.push_str(json),
        Value::Number(number) => line.push_str(&number.to_string()),
        Value::Millis(span) => push_millis(line, *span),
    }
}

/// `2026-01-15T10:23:45.123456789Z`, always to the nanosecond.
fn push_time(line: &mut String, time: Duration) {
    line.push_str(clock::rfc3339_secs(time).trim_end_matches('Z'));
    line.push('.');
    clock::push_digits(line, time.subsec_nanos().into(), 9);
    line.push('Z');
}

/// Milliseconds to the nanosecond, without zeros at the end.
fn push_millis(line: &mut String, span: Duration) {
    let fraction = span.subsec_nanos() % 1_000_000;
    // Writing to a String does not fail.
    let _ = write!(line, "{}", span.as_millis());
    if fraction > 0 {
        let digits = format!("{fraction:06}");
        line.push('.');
        line.push_str(digits.trim_end_matches('0'));
    }
}

/// A string of JSON. Beside what JSON asks for, signs are escaped that a terminal or a viewer would act on.
pub(super) fn push_text(line: &mut String, text: &str) {
    line.push('"');
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        let is_special = matches!(c, '"' | '\\' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if !is_special && !c.is_control() {
            continue;
        }
        line.push_str(text.get(plain..at).unwrap_or_default());
        plain = at.saturating_add(c.len_utf8());
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c => {
                let _ = write!(line, "\\u{:04x}", u32::from(c));
            }
        }
    }
    line.push_str(text.get(plain..).unwrap_or_default());
    line.push('"');
}

#[cfg(test)]
mod tests;
