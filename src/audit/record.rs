//! One thing that happened.

use std::time::Duration;

use serde::de::IgnoredAny;

use crate::limits::{AUDIT_DETAIL_BYTES_MAX, AUDIT_PATH_BYTES_MAX, AUDIT_TEXT_BYTES_MAX};

/// What kind of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    ApiRequest,
    /// A long exchange begins, and ends.
    StreamStart,
    StreamEnd,
    AuthFailure,
    RateLimited,
    ExecStart,
    Enrollment,
    /// What was asked of compose is decided, or done.
    ComposeOp,
    /// Keys and certificates were read anew.
    Reload,
    Start,
    Stop,
    /// The agent signs what stands before.
    Checkpoint,
    /// What stands before is no record, or records are missing.
    Recovered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Allowed,
    Denied,
    Error,
}

/// One record; what is not set is not told, but for the members that an event always has.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) event: Event,
    pub(crate) actor: Option<String>,
    pub(crate) method: Option<&'static str>,
    pub(crate) path: Option<String>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) status: Option<u16>,
    pub(crate) duration: Option<Duration>,
    /// What compose was asked to do, and with which stack, as the caller wrote it.
    pub(crate) operation: Option<String>,
    pub(crate) stack: Option<String>,
    pub(crate) container: Option<String>,
    pub(crate) exec_id: Option<String>,
    pub(crate) key_id: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) class: Option<&'static str>,
    pub(crate) user_agent: Option<String>,
    pub(crate) request_id: Option<String>,
    /// JSON, with its secrets blanked by [`super::Redactor`].
    pub(crate) detail: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) mode: Option<&'static str>,
    /// Keys that are known.
    pub(crate) keys: Option<u64>,
    /// Exchanges that were ended by it.
    pub(crate) ended: Option<u64>,
    /// Bytes before it that are no record, and their SHA-256.
    pub(crate) torn: Option<u64>,
    pub(crate) torn_hash: Option<String>,
    /// Records before it that could not be written.
    pub(crate) lost: Option<u64>,
    /// A public key in base64, and what it signed.
    pub(crate) key: Option<String>,
    pub(crate) signature: Option<String>,
    /// The file that a command was recorded in, and its SHA-256.
    pub(crate) recording: Option<String>,
    pub(crate) recording_hash: Option<String>,
    /// The id of the request on whose behalf this one was made.
    pub(crate) parent_id: Option<String>,
}

impl Event {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ApiRequest => "api_request",
            Self::StreamStart => "stream_start",
            Self::StreamEnd => "stream_end",
            Self::AuthFailure => "auth_failure",
            Self::RateLimited => "rate_limited",
            Self::ExecStart => "exec_start",
            Self::Enrollment => "enrollment",
            Self::ComposeOp => "compose_op",
            Self::Reload => "reload",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Checkpoint => "checkpoint",
            Self::Recovered => "recovered",
        }
    }
}

impl Outcome {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Error => "error",
        }
    }
}

impl Record {
    /// A record that tells its event and no more.
    pub(crate) const fn new(event: Event) -> Self {
        Self {
            event,
            actor: None,
            method: None,
            path: None,
            outcome: None,
            status: None,
            duration: None,
            operation: None,
            stack: None,
            container: None,
            exec_id: None,
            key_id: None,
            reason: None,
            class: None,
            user_agent: None,
            request_id: None,
            detail: None,
            version: None,
            mode: None,
            keys: None,
            ended: None,
            torn: None,
            torn_hash: None,
            lost: None,
            key: None,
            signature: None,
            recording: None,
            recording_hash: None,
            parent_id: None,
        }
    }

    /// Cuts what is longer than a record may be.
    pub(super) fn bound(&mut self) {
        let texts = [
            (&mut self.path, AUDIT_PATH_BYTES_MAX),
            (&mut self.actor, AUDIT_TEXT_BYTES_MAX),
            (&mut self.operation, AUDIT_TEXT_BYTES_MAX),
            (&mut self.stack, AUDIT_TEXT_BYTES_MAX),
            (&mut self.container, AUDIT_TEXT_BYTES_MAX),
            (&mut self.exec_id, AUDIT_TEXT_BYTES_MAX),
            (&mut self.key_id, AUDIT_TEXT_BYTES_MAX),
            (&mut self.reason, AUDIT_TEXT_BYTES_MAX),
            (&mut self.user_agent, AUDIT_TEXT_BYTES_MAX),
            (&mut self.request_id, AUDIT_TEXT_BYTES_MAX),
            (&mut self.version, AUDIT_TEXT_BYTES_MAX),
            (&mut self.parent_id, AUDIT_TEXT_BYTES_MAX),
        ];
        for (text, most) in texts.into_iter().filter_map(|(text, most)| Some((text.as_mut()?, most))) {
            if text.len() > most {
                text.truncate(text.floor_char_boundary(most));
                text.push('…');
                text.shrink_to_fit();
            }
        }
        if let Some(detail) = &mut self.detail
            && !is_one_line_of_json(detail)
        {
            // What was made elsewhere must not break the line that it stands in.
            *detail = format!(r#"{{"omitted_bytes":{}}}"#, detail.len());
        }
    }
}

/// What may stand in a line as it is.
fn is_one_line_of_json(text: &str) -> bool {
    let is_one_line = text.len() <= AUDIT_DETAIL_BYTES_MAX && !text.contains(['\n', '\r']);
    is_one_line && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_and_marked() {
        let long = "é".repeat(AUDIT_PATH_BYTES_MAX);
        let mut record = Record {
            path: Some(long.clone()),
            user_agent: Some(long),
            actor: Some("x".repeat(AUDIT_TEXT_BYTES_MAX)),
            operation: Some("u".repeat(AUDIT_TEXT_BYTES_MAX.saturating_add(1))),
            stack: Some("s".repeat(AUDIT_TEXT_BYTES_MAX.saturating_add(1))),
            ..Record::new(Event::ApiRequest)
        };
        record.bound();
        let (path, agent) = (record.path.unwrap(), record.user_agent.unwrap());
        assert!(path.ends_with("é…") && path.len() == AUDIT_PATH_BYTES_MAX + '…'.len_utf8());
        assert!(agent.ends_with("é…") && agent.len() == AUDIT_TEXT_BYTES_MAX + '…'.len_utf8());
        assert_eq!(record.actor.unwrap(), "x".repeat(AUDIT_TEXT_BYTES_MAX));
        for (text, letter) in [(record.operation, "u"), (record.stack, "s")] {
            assert_eq!(text.unwrap(), format!("{}…", letter.repeat(AUDIT_TEXT_BYTES_MAX)));
        }
    }

    #[test]
    fn a_detail_that_would_break_its_line_is_left_out() {
        let told = |detail: &str| {
            let mut record = Record { detail: Some(detail.to_owned()), ..Record::new(Event::ApiRequest) };
            record.bound();
            record.detail.unwrap()
        };
        assert_eq!(told(r#"{"a":[1]}"#), r#"{"a":[1]}"#);
        for bad in ["{", "{}\n{}", "{\n}", "1,\"seq\":7", ""] {
            assert_eq!(told(bad), format!(r#"{{"omitted_bytes":{}}}"#, bad.len()), "{bad}");
        }
        let long = format!("\"{}\"", "x".repeat(AUDIT_DETAIL_BYTES_MAX));
        assert_eq!(told(&long), format!(r#"{{"omitted_bytes":{}}}"#, long.len()));
    }
}
