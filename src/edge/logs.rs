//! What the Drydock adapter is asked of containers: their logs, whole or as they come, and removal.

use serde::Serialize;
use serde_json::{Value, json};

use super::answer::ask;
use super::call::Call;
use super::envelope::AskedLogs;
use super::exec::message;
use super::frames::envelope;
use super::out::pour;
use super::outbox::{Frame, Gone, Lane};
use super::session::Running;
use super::unanswered::{Unanswered, broke_off};
use super::whole::{Bounds, whole};
use crate::api::{Reply, Response, Sift};
use crate::clock::{self, Deadline};
use crate::docker::logs::{Logs, Source};
use crate::docker::{Incoming, Line};
use crate::limits::{
    EDGE_LOG_WINDOW_SECS, EDGE_MESSAGE_OUT_MAX, EDGE_TEXT_CHUNK_BYTES, JSON_ANSWER_BYTES_MAX,
};
use crate::policy::is_identifier;

/// Logs that are wanted.
pub(super) struct Wanted {
    container: String,
    query: String,
    follows: bool,
}

impl Wanted {
    pub(super) fn read(asked: &AskedLogs<'_>) -> Self {
        let mut query = format!("timestamps={}", asked.timestamps);
        for (name, value) in [("tail", &asked.tail), ("since", &asked.since), ("until", &asked.until)] {
            let value = match value {
                Value::Number(number) => number.to_string(),
                Value::String(text) => text.clone(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => continue,
            };
            // Zero seconds since 1970 stand for no bound, and nothing for nothing.
            if value.is_empty() || (name != "tail" && value == "0") {
                continue;
            }
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'.' | b'+');
            let encoded: String = value.bytes().filter(|byte| plain(*byte)).map(encode).collect();
            query.push_str(&format!("&{name}={encoded}"));
        }
        Self { container: asked.container_id.to_string(), query, follows: asked.follow }
    }

    /// The agent's own route for logs.
    fn target(&self, more: &str) -> Result<String, String> {
        if !is_identifier(&self.container) {
            return Err("containerId is no name or id of a container".to_owned());
        }
        Ok(format!("/api/containers/{}/logs?{}{more}", self.container, self.query))
    }
}

/// A plus would be a space.
fn encode(byte: u8) -> String {
    if byte == b'+' { "%2B".to_owned() } else { char::from(byte).to_string() }
}

/// The answer to a request for logs in one piece.
pub(super) fn once(running: &Running, wanted: &Wanted, request_id: Option<&str>) -> String {
    let logs = read_once(running, wanted).unwrap_or_else(|why| format!("error: {why}"));
    let told = told_once(&wanted.container, &logs, request_id);
    if told.len() <= EDGE_MESSAGE_OUT_MAX {
        return told;
    }
    let why = "error: the logs do not fit in a message: ask for fewer lines";
    told_once(&wanted.container, why, request_id)
}

/// Logs in one piece, or why there are none.
pub(super) fn told_once(container_id: &str, logs: &str, request_id: Option<&str>) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Told<'t> {
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'t str>,
        container_id: &'t str,
        logs: &'t str,
    }
    envelope("dd:container_log_response", &Told { request_id, container_id, logs })
}

fn read_once(running: &Running, wanted: &Wanted) -> Result<String, String> {
    let until = clock::unix().as_secs().saturating_add(EDGE_LOG_WINDOW_SECS);
    // The Engine ends by itself what is followed to a moment.
    let bounded = format!("&follow=true&until={until}");
    let target = wanted.target(if wanted.follows { &bounded } else { "" })?;
    let mut call = Call::ours("GET", &target, None, false);
    let bounds = match wanted.follows {
        // An Engine heeds the moment when something is printed, and may be silent.
        true => Bounds::of(EDGE_MESSAGE_OUT_MAX).until(Deadline::after_secs(EDGE_LOG_WINDOW_SECS)),
        false => Bounds::of(EDGE_MESSAGE_OUT_MAX),
    };
    let held = ask(&running.session, &mut call, &running.inlet, |line, response| {
        whole(&running.session, line, response, &running.inlet, bounds)
    });
    match held {
        Ok(whole) if whole.status.0 < 300 => Ok(String::from_utf8_lossy(&whole.content).into_owned()),
        Ok(whole) => Err(message(&whole)),
        Err(why) => Err(why.message),
    }
}

/// The answer to a request for a removal. What is gone already is as good as removed.
pub(super) fn delete(running: &Running, container: &str, request_id: Option<&str>) -> String {
    let outcome = match is_identifier(container) {
        true => remove(running, container),
        false => Err("containerId is no name or id of a container".to_owned()),
    };
    told_deleted(container, outcome.as_ref().err().map(String::as_str), request_id)
}

/// That it was removed, or why not.
pub(super) fn told_deleted(container_id: &str, error: Option<&str>, request_id: Option<&str>) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Told<'t> {
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'t str>,
        container_id: &'t str,
        success: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'t str>,
    }
    let success = error.is_none();
    envelope("dd:container_delete_response", &Told { request_id, container_id, success, error })
}

fn remove(running: &Running, container: &str) -> Result<(), String> {
    let mut call = Call::ours("DELETE", &format!("/api/containers/{container}"), None, false);
    let held = ask(&running.session, &mut call, &running.inlet, |line, response| {
        whole(&running.session, line, response, &running.inlet, Bounds::of(JSON_ANSWER_BYTES_MAX))
    });
    match held {
        Ok(whole) if whole.status.0 < 300 || whole.status.0 == 404 => Ok(()),
        Ok(whole) => Err(message(&whole)),
        Err(why) => Err(why.message),
    }
}

/// Why a stream of logs cannot be told.
pub(super) fn error(request_id: &str, container: &str, why: &str) -> String {
    let answer = json!({ "requestId": request_id, "containerId": container, "error": why });
    envelope("dd:container_log_error", &answer)
}

/// Tells logs as they come, until they end or nobody wants them.
pub(super) fn stream(running: &Running, wanted: &Wanted) {
    let lane = running.session.outbox.lane(&running.inlet, None);
    let follow = if wanted.follows { "&frames=true&follow=true" } else { "&frames=true" };
    let outcome = wanted.target(follow).map_err(|why| Unanswered::new("malformed", why)).and_then(|target| {
        let mut call = Call::ours("GET", &target, None, false);
        ask(&running.session, &mut call, &running.inlet, |line, response| {
            Telling { running, lane: &lane, container: &wanted.container }.begin(line, response)
        })
    });
    let end = |reason: &str| {
        let (request_id, container) = (running.name(), &wanted.container);
        let answer = json!({ "requestId": request_id, "containerId": container, "reason": reason });
        envelope("dd:container_log_end", &answer)
    };
    let told = match outcome {
        Ok(()) => end("eof"),
        Err(why) if why.is_cancelled() => end("canceled"),
        Err(why) => error(running.name(), &wanted.container, &why.message),
    };
    // A session that is over needs no telling.
    let _ = lane.end(Frame::Text(told));
}

struct Telling<'t> {
    running: &'t Running,
    lane: &'t Lane,
    container: &'t str,
}

impl Telling<'_> {
    fn begin(&self, line: &mut Line, response: Response) -> Result<(), Unanswered> {
        if response.status.0 < 300
            && let Reply::Sifted(incoming, _, sieve) = response.reply
        {
            return self.pour(incoming, sieve, line);
        }
        let held = whole(
            &self.running.session,
            line,
            response,
            &self.running.inlet,
            Bounds::of(JSON_ANSWER_BYTES_MAX),
        );
        Err(match held {
            Ok(whole) => Unanswered::new("refused", message(&whole)),
            Err(why) => why,
        })
    }

    fn pour(&self, incoming: Incoming, sieve: Box<dyn Sift>, line: &mut Line) -> Result<(), Unanswered> {
        let (mut logs, mut voices) = (Logs::new(false), [Voice::new("stdout"), Voice::new("stderr")]);
        pour(incoming, Some(sieve), &self.running.inlet, line, |framed| {
            self.speak(framed, &mut logs, &mut voices)
        })?;
        voices.iter_mut().try_for_each(|voice| self.say(voice, &[], true))
    }

    fn speak(&self, mut framed: &[u8], logs: &mut Logs, voices: &mut [Voice; 2]) -> Result<(), Unanswered> {
        while !framed.is_empty() {
            let cut = logs.cut(framed).map_err(|bad| broke_off(&bad))?;
            let rest = framed.get(cut.framing..).unwrap_or_default();
            let (text, rest) = rest.split_at_checked(cut.text).unwrap_or((rest, &[]));
            let [out, err] = voices;
            let voice = if matches!(cut.source, Source::Stderr | Source::Engine) { err } else { out };
            self.say(voice, text, false)?;
            framed = rest;
        }
        Ok(())
    }

    fn say(&self, voice: &mut Voice, bytes: &[u8], is_last: bool) -> Result<(), Unanswered> {
        for piece in bytes.chunks(EDGE_TEXT_CHUNK_BYTES).chain(is_last.then_some(&[][..])) {
            let logs = voice.take(piece, is_last);
            if logs.is_empty() {
                continue;
            }
            let (request_id, container) = (self.running.name(), self.container);
            let chunk = json!({
                "requestId": request_id, "containerId": container, "stream": voice.name, "logs": logs,
            });
            let frame = Frame::Text(envelope("dd:container_log_chunk", &chunk));
            self.lane.send(frame).map_err(|Gone| Unanswered::cancelled(&self.running.inlet))?;
        }
        Ok(())
    }
}

/// One stream of text, whose characters may be cut anywhere.
struct Voice {
    name: &'static str,
    /// The beginning of a character whose end is still to come.
    begun: Vec<u8>,
}

impl Voice {
    fn new(name: &'static str) -> Self {
        Self { name, begun: Vec::new() }
    }

    /// The text there is now; what is no text is replaced.
    fn take(&mut self, bytes: &[u8], is_last: bool) -> String {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        if !is_last {
            let whole = all.len().saturating_sub(unfinished(&all));
            self.begun = all.split_off(whole);
        }
        String::from_utf8_lossy(&all).into_owned()
    }
}

/// Bytes at the end that begin a character and do not end it.
fn unfinished(bytes: &[u8]) -> usize {
    for back in 1..=3.min(bytes.len()) {
        let needed = match bytes.get(bytes.len().saturating_sub(back)).copied().unwrap_or_default() {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        return if needed > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_is_cut_anywhere_comes_whole() {
        let text = "aé€😀z";
        for at in 0..=text.len() {
            let mut voice = Voice::new("stdout");
            let (one, two) = text.as_bytes().split_at(at);
            assert_eq!(voice.take(one, false) + &voice.take(two, true), text, "{at}");
        }
        let mut bytes = Voice::new("stderr");
        let told: String = text.as_bytes().iter().map(|byte| bytes.take(&[*byte], false)).collect();
        assert_eq!(told, text);
    }

    #[test]
    fn what_is_no_text_is_replaced_and_holds_nothing_up() {
        let mut voice = Voice::new("stdout");
        assert_eq!(voice.take(b"\xff\x80a", false), "\u{fffd}\u{fffd}a");
        assert_eq!(voice.take(b"\xe2\x82", false), "");
        assert_eq!(voice.take(b"", true), "\u{fffd}");
    }

    #[test]
    fn bounds_may_be_numbers_or_text_and_break_out_of_nothing() {
        let query = |members: &str| {
            let text = format!(r#"{{"containerId":"c",{members}}}"#);
            Wanted::read(&serde_json::from_str(&text).unwrap()).query
        };
        assert_eq!(query(r#""tail":100,"since":0,"timestamps":true"#), "timestamps=true&tail=100");
        assert_eq!(
            query(r#""tail":"all","since":"1700000000.5""#),
            "timestamps=false&tail=all&since=1700000000.5"
        );
        assert_eq!(
            query(r#""since":"2026-01-01T00:00:00+01:00""#),
            "timestamps=false&since=2026-01-01T00:00:00%2B01:00"
        );
        assert_eq!(query(r#""tail":"1&follow=true","until":"""#), "timestamps=false&tail=1followtrue");
    }
}
