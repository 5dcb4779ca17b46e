//! What both APIs for controllers share: whose containers are told, and their logs.

use std::sync::Arc;
use std::time::Duration;

use super::failure::Failure;
use super::inquiry;
use super::route::{Desk, Outcome, Reply, Response, Sift};
use crate::auth::{Class, Grant, Principal};
use crate::clock;
use crate::docker::logs::{Logs, notice};
use crate::docker::{self, Content, Moment, Patience};
use crate::http::{Method, Status, decode_form};
use crate::inventory::{Container, Entry, Secrets, Telling};
use crate::limits::{INVENTORY_WAIT_SECS, JSON_ANSWER_BYTES_MAX};
use crate::policy::is_identifier;
use crate::policy::row::Pace;
use crate::policy::sieve::BadAnswer;

/// The containers a caller may see, by name.
pub(super) fn in_reach(desk: &Desk<'_>, grant: &Grant) -> Result<Vec<Arc<Entry>>, Failure> {
    let all = desk.agent.inventory.all(Duration::from_secs(INVENTORY_WAIT_SECS)).ok_or(Failure::NotReady)?;
    Ok(all.into_iter().filter(|entry| is_in_reach(entry, grant)).collect())
}

pub(super) fn is_in_reach(entry: &Entry, grant: &Grant) -> bool {
    let label = grant.label.as_ref();
    label.is_none_or(|label| entry.container.labels.get(&label.key) == Some(&label.value))
}

/// Who tells, and how much a caller is told.
pub(super) fn telling<'a>(agent: &'a str, grant: &Grant) -> Telling<'a> {
    let secrets = if grant.has(Class::Dump) { Secrets::Told } else { Secrets::Hidden };
    Telling { agent: Some(agent), secrets }
}

/// A container's name or id, as a caller writes it.
pub(super) fn checked_id(id: &str) -> Result<&str, Failure> {
    if is_identifier(id) {
        return Ok(id);
    }
    Err(Failure::Unfit(format!("invalid container id/name: {id:?}: use letters, digits, _ . and -")))
}

/// What is asked of logs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) tail: Option<u64>,
    pub(super) since: Option<Moment>,
    pub(super) until: Option<Moment>,
    pub(super) follows: bool,
    pub(super) stamps: bool,
}

impl Wanted {
    /// Reads a query; names nobody knows are passed over.
    pub(super) fn read(query: &str) -> Result<Self, Failure> {
        let mut wanted = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let unfit = |why: &str| Failure::Unfit(format!("invalid {name}: {why}"));
            let value = decode_form(value).ok_or_else(|| unfit("it is not percent-encoded text"))?;
            let moment = || Moment::read(&value, clock::unix()).map_err(|bad| unfit(&bad.to_string()));
            let is_yes = matches!(&*value, "1" | "true");
            match name {
                "tail" if value.is_empty() || value == "all" => wanted.tail = None,
                "tail" => {
                    let tail = value.parse().ok().filter(|_| value.bytes().all(|byte| byte.is_ascii_digit()));
                    wanted.tail = Some(tail.ok_or_else(|| unfit("must be a positive integer, 0 or all"))?);
                }
                "since" if !value.is_empty() => wanted.since = Some(moment()?),
                "until" if !value.is_empty() => wanted.until = Some(moment()?),
                "follow" => wanted.follows = is_yes,
                "timestamps" => wanted.stamps = is_yes,
                _ => {}
            }
        }
        Ok(wanted)
    }

    fn target(&self, id: &str) -> String {
        let mut target = format!("/containers/{id}/logs?stdout=1&stderr=1");
        let mut ask =
            |name: &str, value: &dyn std::fmt::Display| target.push_str(&format!("&{name}={value}"));
        if let Some(tail) = self.tail {
            ask("tail", &tail);
        }
        if let Some(since) = self.since {
            ask("since", &since);
        }
        if let Some(until) = self.until {
            ask("until", &until);
        }
        for (name, is_wanted) in [("follow", self.follows), ("timestamps", self.stamps)] {
            if is_wanted {
                ask(name, &1);
            }
        }
        target
    }
}

/// Logs as the Engine sends them, and how to read them.
pub(super) fn open_logs(
    desk: &mut Desk<'_>,
    by: &Principal,
    id: &str,
    wanted: &Wanted,
    patience: Patience,
) -> Result<(docker::Incoming, Logs), Failure> {
    let id = checked_id(id)?;
    // Whether it has a terminal, only the Engine knows; and a caller with logs need not have view.
    let told = desk.agent.docker.read(desk.line, &format!("/containers/{id}/json"), JSON_ANSWER_BYTES_MAX)?;
    let absent = || Failure::EngineSaid(Status::NOT_FOUND, format!("No such container: {id}"));
    let container = Container::read(&told.ok_or_else(absent)?).map_err(|_| docker::Error::Unreadable)?;
    let answer = inquiry::accepted(desk, by, Method::Get, &wanted.target(id), patience)?;
    let Content::Incoming(incoming) = answer.content else { return Err(docker::Error::Switched.into()) };
    Ok((incoming, Logs::new(container.has_terminal)))
}

/// Logs as text.
pub(super) fn logs(desk: &mut Desk<'_>, by: &Principal, id: &str, query: &str) -> Outcome {
    let wanted = Wanted::read(query)?;
    let (incoming, logs) = open_logs(desk, by, id, &wanted, Patience::Bounded)?;
    let pace = if wanted.follows { Pace::Endless } else { Pace::Slow };
    Ok(Response::text(Reply::Sifted(incoming, pace, Box::new(Printed(logs)))))
}

/// What was printed, without the frames around it.
struct Printed(Logs);

impl Sift for Printed {
    fn push(&mut self, mut content: &[u8], told: &mut Vec<u8>) -> Result<(), BadAnswer> {
        while !content.is_empty() {
            let cut = self.0.cut(content).map_err(BadAnswer::Frame)?;
            if let Some(bytes) = cut.left_out {
                told.extend_from_slice(notice(bytes).as_bytes());
            }
            let rest = content.get(cut.framing..).unwrap_or_default();
            let (text, rest) = rest.split_at_checked(cut.text).unwrap_or((rest, &[]));
            told.extend_from_slice(text);
            content = rest;
        }
        Ok(())
    }

    fn end(&mut self, _told: &mut Vec<u8>) -> Result<(), BadAnswer> {
        if self.0.is_whole() { Ok(()) } else { Err(BadAnswer::Cut) }
    }
}
