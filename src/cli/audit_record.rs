//! A record as it is read back, and in words on one line.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Members that every line has, or that have their place in it.
const PLACED: &[&str] = &[
    "time",
    "level",
    "msg",
    "event",
    "actor",
    "method",
    "path",
    "operation",
    "stack",
    "container",
    "exec_id",
    "outcome",
    "status",
    "duration_ms",
    "seq",
    "prev",
    "hash",
];

/// What a line says.
pub(super) struct Record {
    pub(super) time: String,
    pub(super) event: String,
    pub(super) seq: Option<u64>,
    members: Map<String, Value>,
}

impl Record {
    /// Nothing of what is no record: the agent's own log may stand between them.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let members: Map<String, Value> = serde_json::from_slice(line).ok()?;
        let text = |name: &str| members.get(name)?.as_str().map(str::to_owned);
        if members.get("msg")? != "" {
            return None;
        }
        let (time, event) = (text("time")?, text("event")?);
        Some(Self { time, event, seq: members.get("seq").and_then(Value::as_u64), members })
    }

    /// A member that is text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.as_str()
    }

    /// When, what, who, and what became of it; then whatever else is told.
    pub(super) fn words(&self) -> String {
        let actor = self.text("actor").filter(|actor| !actor.is_empty()).unwrap_or("-");
        let mut words =
            format!("{:<30}  {:<12}  {:<15}", plain(&self.time), plain(&self.event), plain(actor));
        for name in ["method", "path", "operation", "stack", "container", "exec_id", "outcome"] {
            if let Some(text) = self.text(name).filter(|text| !text.is_empty()) {
                words.push_str("  ");
                words.push_str(&plain(text));
            }
        }
        if let Some(status) = self.members.get("status").and_then(Value::as_u64) {
            // Writing to a String does not fail, here and below.
            let _ = write!(words, "  {status}");
        }
        if let Some(millis) = self.members.get("duration_ms").and_then(Value::as_f64) {
            let _ = write!(words, "  {millis:.1} ms");
        }
        for (name, value) in self.members.iter().filter(|(name, _)| !PLACED.contains(&name.as_str())) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = write!(words, "  {}={}", plain(name), plain(&value));
        }
        if let Some(seq) = self.seq {
            let _ = write!(words, "  #{seq}");
        }
        words.push('\n');
        words
    }
}

/// A line as it may stand on a terminal: callers choose what stands in their paths and names.
pub(super) fn plain(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if acts(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// What becomes of a line in words; of what is no record, the line itself.
pub(super) fn words(line: &[u8]) -> String {
    let raw = || format!("{}\n", plain(String::from_utf8_lossy(line).trim_end_matches('\n')));
    Record::of(line).map_or_else(raw, |record| record.words())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_of_words() {
        let line = br#"{"time":"2026-01-15T10:23:45.123456789Z","level":"INFO","msg":"","event":"api_request","actor":"203.0.113.42","method":"POST","path":"/containers/create","outcome":"allowed","status":201,"duration_ms":3.14,"key_id":"3a7f9c1d2e4b5a6f","seq":7,"prev":"00","hash":"11"}"#;
        assert_eq!(
            words(line),
            "2026-01-15T10:23:45.123456789Z  api_request   203.0.113.42     POST  /containers/create  allowed  \
             201  3.1 ms  key_id=3a7f9c1d2e4b5a6f  #7\n"
        );
        let line = br#"{"time":"2026-01-15T10:23:45Z","msg":"","event":"compose_op","actor":"::1","operation":"up","stack":"web","outcome":"error","request_id":"r"}"#;
        assert_eq!(
            words(line),
            "2026-01-15T10:23:45Z            compose_op    ::1              up  web  error  request_id=r\n"
        );
        let line = br#"{"time":"2026-01-15T10:20:00Z","level":"INFO","msg":"","event":"reload","keys":3}"#;
        assert_eq!(words(line), "2026-01-15T10:20:00Z            reload        -                keys=3\n");
    }

    #[test]
    fn nothing_in_a_record_acts_on_a_terminal() {
        let line = "{\"time\":\"T\",\"msg\":\"\",\"event\":\"api_request\",\"path\":\"/\\u001b[2J\\u202e\\n\",\"user_agent\":\"a\\u0007\"}";
        let told = words(line.as_bytes());
        assert!(told.contains("/\\u{1b}[2J\\u{202e}\\n  user_agent=a\\u{7}"), "{told}");
        assert_eq!(words(b"half \x1b[1m of a\xff line"), "half \\u{1b}[1m of a\u{fffd} line\n");
    }

    #[test]
    fn the_agents_log_is_no_record() {
        for line in [
            r#"{"time":"T","level":"INFO","msg":"server.listening","address":"x"}"#,
            r#"{"time":"T","level":"INFO","msg":""}"#,
            r#"["time"]"#,
            "",
        ] {
            assert!(Record::of(line.as_bytes()).is_none(), "{line}");
        }
    }
}
