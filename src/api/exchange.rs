//! One exchange, from its head to the last byte of its answer: counted, and recorded.
//!
//! The record is written before the answer's first byte goes out. An answer that takes its time has
//! one at its beginning and another at its end.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::failure::Failure;
use super::route::{Agent, Desk, Reply, Response, Route};
use crate::audit::{Event, NotBegun, NotWritten, Outcome, Record, Recorded, Recording};
use crate::auth::{Denied, NotEnrolled, Principal};
use crate::clock;
use crate::http::{Framing, Request, Status};
use crate::limits::{AUDIT_DETAIL_BYTES_MAX, BODY_BUFFER_BYTES};
use crate::log::{self, text};
use crate::metrics::Flight;
use crate::policy::row::Pace;

/// An exchange under way. Whoever carries it holds this until the answer has ended.
pub(crate) struct Exchange<'a> {
    pub(crate) flight: Flight<'a>,
    agent: &'a Agent,
    began: Instant,
    /// What is known so far of a record that is still to be written.
    record: Option<Box<Record>>,
    /// Of an answer that takes its time: what is recorded at its end.
    closing: Option<Box<Record>>,
    /// Of a command: what it says, where that is recorded.
    tape: Option<Recording>,
}

impl Agent {
    pub(crate) fn exchange(&self) -> Exchange<'_> {
        Exchange {
            flight: self.metrics.requests.flight(),
            agent: self,
            began: clock::now(),
            record: None,
            closing: None,
            tape: None,
        }
    }

    /// A name that no other exchange has, of this agent or of one before.
    fn next_request(&self) -> String {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        // Not by `format!`, which takes ten times as long for the same; every request has one.
        [self.trail.ring().generation(), "-", &number.to_string()].concat()
    }
}

impl Exchange<'_> {
    /// It is one of those that count.
    pub(super) fn begins(&mut self, desk: &Desk<'_>, request: &Request<'_>) {
        self.flight.counts();
        if !self.agent.trail.is_on() {
            return;
        }
        let head = &request.head;
        let mut record = Record::new(Event::ApiRequest);
        record.actor = Some(desk.asker());
        record.method = Some(head.method.as_str());
        record.path = Some(head.target.path().to_owned());
        record.user_agent = text_of(head.values("user-agent").next());
        record.request_id = Some(self.agent.next_request());
        record.parent_id = desk.parent.map(str::to_owned);
        record.detail = self.agent.tells_details.then(|| self.detail(request));
        self.record = Some(Box::new(record));
    }

    /// The query and the fields, with their secrets blanked.
    fn detail(&self, request: &Request<'_>) -> String {
        let redactor = self.agent.trail.redactor();
        let query = request.head.target.query().map(|query| redactor.query(query));
        let fields = request.head.headers.iter().map(|field| {
            let value = redactor.told(field.name, &String::from_utf8_lossy(field.value));
            (field.name.to_ascii_lowercase(), value.into())
        });
        let fields: serde_json::Map<String, serde_json::Value> = fields.collect();
        let detail = serde_json::json!({ "query": query, "headers": fields }).to_string();
        if detail.len() <= AUDIT_DETAIL_BYTES_MAX { detail } else { r#"{"left_out":"too long"}"#.to_owned() }
    }

    /// What is done must be recorded, and cannot be.
    pub(super) fn must_not_be(&self, route: &Route) -> bool {
        self.agent.trail.required() && self.agent.trail.is_failing() && !super::health::is_one(route)
    }

    pub(super) fn admitted(&mut self, by: &Principal) {
        if let (Some(record), Principal::Key(key)) = (&mut self.record, by) {
            record.key_id = Some(key.id.to_string());
        }
    }

    pub(super) fn permitted(&mut self, class: &'static str) {
        self.flight.let_in();
        if let Some(record) = &mut self.record {
            record.class = Some(class);
        }
    }

    /// Its name in the records, where there are any.
    pub(super) fn request_id(&self) -> Option<String> {
        self.record.as_ref()?.request_id.clone()
    }

    /// Whether bodies are part of the detail.
    pub(super) fn tells_bodies(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.detail.is_some())
    }

    /// A short document is part of the detail, its secrets blanked.
    pub(super) fn held(&mut self, body: &[u8]) {
        let Some(detail) = self.record.as_mut().and_then(|record| record.detail.as_mut()) else { return };
        let Some(body) = self.agent.trail.redactor().json(body) else { return };
        if detail.len().saturating_add(body.len()) < AUDIT_DETAIL_BYTES_MAX && detail.ends_with('}') {
            detail.truncate(detail.len().saturating_sub(1));
            detail.push_str(&format!(r#","body":{body}}}"#));
        }
    }

    /// A command is about to be started.
    pub(super) fn starts_command(&self, exec_id: &str, container: String) -> Result<(), NotWritten> {
        let Some(known) = &self.record else { return Ok(()) };
        let mut record = Record::new(Event::ExecStart);
        record.actor.clone_from(&known.actor);
        record.key_id.clone_from(&known.key_id);
        record.request_id.clone_from(&known.request_id);
        record.outcome = Some(Outcome::Allowed);
        record.exec_id = Some(exec_id.to_owned());
        record.container = Some(container);
        self.agent.trail.write(record)
    }

    /// What it says is recorded, under the name of this exchange.
    pub(super) fn begin_tape(
        &mut self,
        title: &str,
        size: Option<(u16, u16)>,
    ) -> Result<Recording, NotBegun> {
        let nowhere = || NotBegun::Failed(io::ErrorKind::NotFound.into());
        let name =
            self.record.as_ref().and_then(|record| record.request_id.as_deref()).ok_or_else(nowhere)?;
        let recordings = self.agent.recordings.as_ref().ok_or_else(nowhere)?;
        let tape = recordings.begin(name, title, size)?;
        self.tape = Some(tape.clone());
        Ok(tape)
    }

    /// Whether it is worth a question to the Engine which container a command is for.
    pub(super) fn is_kept(&self) -> bool {
        self.record.is_some() && self.agent.trail.is_kept()
    }

    pub(super) fn enrolled(&mut self, key_id: String) {
        if let Some(record) = &mut self.record {
            record.event = Event::Enrollment;
            record.outcome = Some(Outcome::Allowed);
            record.key_id = Some(key_id);
        }
    }

    /// It was refused, or went wrong.
    pub(super) fn failed(&mut self, failure: &Failure) {
        let Some(record) = &mut self.record else { return };
        record.outcome =
            Some(if failure.status().is_server_error() { Outcome::Error } else { Outcome::Denied });
        if let Failure::Denied(Denied::Throttled(_)) | Failure::NotEnrolled(NotEnrolled::Throttled(_)) =
            failure
        {
            record.event = Event::RateLimited;
        } else if let Failure::Denied(why) = failure {
            record.event = Event::AuthFailure;
            record.reason = Some(why.reason().to_owned());
        } else if matches!(failure, Failure::Forged) {
            record.event = Event::AuthFailure;
            record.reason = Some("invalid-signature".to_owned());
        } else if let Failure::NotEnrolled(why) = failure {
            record.event = Event::Enrollment;
            record.reason = Some(why.to_string());
            record.key_id = Some(why.key().map(|id| id.to_string()).unwrap_or_default());
        } else if let Failure::NotPermitted(denial) = failure {
            record.reason = Some(denial.why.reason().to_owned());
            record.class = denial.why.class().map(crate::auth::Class::name);
        }
    }

    /// The answer is known, and nothing of it was sent. What cannot be recorded is not told.
    pub(super) fn answered(&mut self, method: &'static str, response: &Response) -> Result<(), NotWritten> {
        let is_left = matches!(response.reply, Reply::Nobody);
        if !is_left {
            self.flight.answered(method, response.status.0);
        }
        let Some(mut record) = self.record.take() else { return Ok(()) };
        if record.event == Event::ApiRequest {
            record.status = Some(if is_left { 0 } else { response.status.0 });
            record.duration = Some(clock::now().saturating_duration_since(self.began));
        }
        let otherwise = if is_left { Outcome::Error } else { outcome(response.status) };
        record.outcome = record.outcome.or(Some(otherwise));
        if takes_its_time(&response.reply) && record.event == Event::ApiRequest {
            record.event = Event::StreamStart;
            let mut closing = record.clone();
            closing.event = Event::StreamEnd;
            closing.detail = None;
            self.closing = Some(closing);
        } else if let Some(tape) = self.tape.take() {
            // It never ran.
            tape.discard();
        }
        self.agent.trail.write(*record)
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if self.tape.is_none() && self.closing.is_none() && self.record.is_none() {
            return;
        }
        let lasted = clock::now().saturating_duration_since(self.began);
        // On the disk before the record that vouches for it is written.
        let recorded = self.tape.take().and_then(|tape| tape.finish());
        if let Some(mut record) = self.closing.take() {
            record.duration = Some(lasted);
            if let Some(recorded) = recorded {
                note(&mut record, recorded);
            }
            if std::thread::panicking() {
                record.outcome = Some(Outcome::Error);
                record.reason = Some("panic".to_owned());
            }
            // There is nobody left to tell that it was not.
            let _ = self.agent.trail.write(*record);
        } else if let Some(mut record) = self.record.take() {
            // A fault of ours cut it.
            record.status = Some(Status::INTERNAL_ERROR.0);
            record.duration = Some(lasted);
            record.outcome = Some(Outcome::Error);
            record.reason = Some("panic".to_owned());
            let _ = self.agent.trail.write(*record);
        }
    }
}

/// What became of a recording.
fn note(record: &mut Record, Recorded { name, sha256, is_whole }: Recorded) {
    if !is_whole || sha256.is_none() {
        record.outcome = Some(Outcome::Error);
        record.reason = Some("recording failed".to_owned());
        log::error("recording.failed", &[("recording", text(&name))]);
    }
    record.recording = Some(name);
    record.recording_hash = sha256;
}

fn outcome(status: Status) -> Outcome {
    if status.is_server_error() { Outcome::Error } else { Outcome::Allowed }
}

/// Whether an answer may go on for long after its head.
fn takes_its_time(reply: &Reply) -> bool {
    let may_last = |framing: Framing, pace: Pace| match (pace, framing) {
        (Pace::Prompt, _) | (_, Framing::None) => false,
        (Pace::Endless, _) | (Pace::Slow, Framing::Chunked | Framing::UntilClose) => true,
        (Pace::Slow, Framing::Length(length)) => length > BODY_BUFFER_BYTES as u64,
    };
    match reply {
        Reply::Empty | Reply::Bytes(_) | Reply::Nobody => false,
        Reply::Stream(incoming, pace, _) | Reply::Sifted(incoming, pace, _) => {
            may_last(incoming.framing(), *pace)
        }
        Reply::Upgraded(..) | Reply::Feed(_) => true,
    }
}

fn text_of(value: Option<&[u8]>) -> Option<String> {
    value.map(|value| String::from_utf8_lossy(value).into_owned()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::api::route::Adapter;
    use crate::audit::{Redactor, Settings, Trail};

    fn agent() -> Agent {
        let mut agent = Agent::specimen(Adapter::Drydock, "/no/such/engine".into());
        agent.trail = Trail::new(Settings {
            place: None,
            ring: 8,
            chain: false,
            max_bytes: 0,
            keep: 1,
            required: false,
            redactor: Redactor::default(),
            signer: None,
        })
        .unwrap();
        agent
    }

    #[test]
    fn a_fault_of_ours_is_recorded_as_an_error() {
        let agent = agent();
        let fault = catch_unwind(AssertUnwindSafe(|| {
            let mut exchange = agent.exchange();
            exchange.record = Some(Box::new(Record::new(Event::ApiRequest)));
            panic!("on purpose");
        }));
        assert!(fault.is_err());
        let told = agent.trail.ring().newest(8);
        assert!(told[0].contains(r#""outcome":"error","status":500,"#), "{told:?}");
        assert!(told[0].contains(r#""reason":"panic""#), "{told:?}");
    }

    #[test]
    fn an_answer_that_is_soon_over_has_one_record() {
        let agent = agent();
        let mut exchange = agent.exchange();
        exchange.record = Some(Box::new(Record::new(Event::ApiRequest)));
        let plain = Response::empty(Status::NO_CONTENT);
        exchange.answered("GET", &plain).unwrap();
        drop(exchange);
        assert_eq!(agent.trail.ring().newest(8).len(), 1);
        assert!(!takes_its_time(&plain.reply));
    }
}
