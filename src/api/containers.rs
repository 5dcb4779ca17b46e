//! What both APIs for controllers share: whose containers and events are told, and containers' logs.

use std::sync::Arc;
use std::time::Duration;

use super::failure::Failure;
use super::inquiry;
use super::route::{Agent, Desk, Outcome, Reply, Response, Sift};
use crate::auth::{Class, Grant, Label, Principal};
use crate::clock;
use crate::docker::logs::{Logs, Source, notice};
use crate::docker::{self, Content, Event, Moment, Patience};
use crate::http::{Method, Status, decode_form};
use crate::inventory::{Container, Entry, News, Secrets, Subscription, Telling};
use crate::limits::{INVENTORY_WAIT_SECS, JSON_ANSWER_BYTES_MAX};
use crate::log::{self, text};
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

/// What the Engine puts between the labels of an event's container.
pub(super) const NO_LABELS: [&str; 10] = [
    "image",
    "name",
    "exitCode",
    "signal",
    "execID",
    "execDuration",
    "oldName",
    "comment",
    "imageID",
    "imageRef",
];

/// Whether an event is of a container that a caller may see. A label in whose place the Engine puts
/// something of its own is none.
pub(super) fn happened_in_reach(event: &Event, label: Option<&Label>) -> bool {
    label.is_none_or(|label| {
        !NO_LABELS.contains(&label.key.as_str())
            && event.actor.attributes.get(&label.key) == Some(&label.value)
    })
}

/// News of the inventory; `None` when too many follow already.
pub(super) fn follow(agent: &Agent) -> Option<Subscription<News>> {
    agent.inventory.follow().unwrap_or_else(|error| {
        log::error("feed.not_opened", &[("error", text(&error))]);
        None
    })
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

/// The container of a command, if the Engine tells.
pub(super) fn of_command(desk: &mut Desk<'_>, exec_id: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Told {
        #[serde(rename = "ContainerID")]
        container: String,
    }
    let target = format!("/exec/{}/json", is_identifier(exec_id).then_some(exec_id)?);
    let told = desk.agent.docker.read(desk.line, &target, JSON_ANSWER_BYTES_MAX).ok()??;
    serde_json::from_slice(&told).ok().map(|told: Told| told.container)
}

/// The full id of a container, and whether it has a terminal, if the Engine tells.
pub(super) fn terminal_of(desk: &mut Desk<'_>, id: &str) -> Option<(String, bool)> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Told {
        id: String,
        config: Config,
    }
    #[derive(serde::Deserialize)]
    struct Config {
        #[serde(rename = "Tty", default)]
        has_terminal: bool,
    }
    let target = format!("/containers/{}/json", is_identifier(id).then_some(id)?);
    let told = desk.agent.docker.read(desk.line, &target, JSON_ANSWER_BYTES_MAX).ok()??;
    serde_json::from_slice(&told).ok().map(|told: Told| (told.id, told.config.has_terminal))
}

/// What is asked of logs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) tail: Option<u64>,
    pub(super) since: Option<Moment>,
    pub(super) until: Option<Moment>,
    pub(super) follows: bool,
    pub(super) stamps: bool,
    /// Every piece is to say who wrote it.
    pub(super) frames: bool,
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
                "frames" => wanted.frames = is_yes,
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

/// Logs as text, or in frames.
pub(super) fn logs(desk: &mut Desk<'_>, by: &Principal, id: &str, query: &str) -> Outcome {
    let wanted = Wanted::read(query)?;
    let (incoming, logs) = open_logs(desk, by, id, &wanted, Patience::Bounded)?;
    let pace = if wanted.follows { Pace::Endless } else { Pace::Slow };
    let reply = Reply::Sifted(incoming, pace, Box::new(Printed { logs, frames: wanted.frames }));
    if !wanted.frames {
        return Ok(Response::text(reply));
    }
    let mut response = Response { reply, ..Response::empty(Status::OK) };
    response.fields.push("Content-Type", b"application/vnd.docker.multiplexed-stream");
    Ok(response)
}

/// The most that one frame of ours holds: the Engine cuts what is printed into pieces of this size.
const FRAME_BYTES: usize = 16 * 1024;

/// What was printed: without the frames around it, or always in some.
struct Printed {
    logs: Logs,
    frames: bool,
}

impl Printed {
    fn tell(&self, source: Source, text: &[u8], told: &mut Vec<u8>) {
        if !self.frames {
            told.extend_from_slice(text);
            return;
        }
        let source = match source {
            Source::Stdin => 0,
            Source::Stdout => 1,
            Source::Stderr => 2,
            Source::Engine => 3,
        };
        for piece in text.chunks(FRAME_BYTES) {
            let size = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            told.extend_from_slice(&[source, 0, 0, 0]);
            told.extend_from_slice(&size.to_be_bytes());
            told.extend_from_slice(piece);
        }
    }
}

impl Sift for Printed {
    fn push(&mut self, mut content: &[u8], told: &mut Vec<u8>) -> Result<(), BadAnswer> {
        while !content.is_empty() {
            let cut = self.logs.cut(content).map_err(BadAnswer::Frame)?;
            if let Some(bytes) = cut.left_out {
                self.tell(cut.source, notice(bytes).as_bytes(), told);
            }
            let rest = content.get(cut.framing..).unwrap_or_default();
            let (text, rest) = rest.split_at_checked(cut.text).unwrap_or((rest, &[]));
            self.tell(cut.source, text, told);
            content = rest;
        }
        Ok(())
    }

    fn end(&mut self, _told: &mut Vec<u8>) -> Result<(), BadAnswer> {
        if self.logs.is_whole() { Ok(()) } else { Err(BadAnswer::Cut) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::LOG_FRAME_BYTES_MAX;

    fn frame(source: u8, text: &[u8]) -> Vec<u8> {
        let size = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[source, 0, 0, 0], size.as_slice(), text].concat()
    }

    /// What is told of a stream that comes in pieces of so many bytes.
    fn told(has_terminal: bool, frames: bool, stream: &[u8], step: usize) -> Vec<u8> {
        let (mut printed, mut told) = (Printed { logs: Logs::new(has_terminal), frames }, Vec::new());
        for piece in stream.chunks(step) {
            printed.push(piece, &mut told).unwrap();
        }
        printed.end(&mut told).unwrap();
        told
    }

    /// Runs of text by who wrote them, read from frames as strictly as anybody would.
    fn runs(mut framed: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut runs = Vec::<(u8, Vec<u8>)>::new();
        while let Some(([source, 0, 0, 0, size @ ..], rest)) = framed.split_first_chunk::<8>() {
            let size = usize::try_from(u32::from_be_bytes(*size)).unwrap();
            assert!((1..=FRAME_BYTES).contains(&size), "{size}");
            let (text, rest) = rest.split_at(size);
            match runs.last_mut() {
                Some((last, run)) if last == source => run.extend_from_slice(text),
                _ => runs.push((*source, text.to_vec())),
            }
            framed = rest;
        }
        assert!(framed.is_empty(), "{} bytes are no frame", framed.len());
        runs
    }

    #[test]
    fn frames_are_a_matter_of_the_query() {
        for (query, frames) in [
            ("", false),
            ("frames=true", true),
            ("tail=3&frames=1&follow=1", true),
            ("frames=false", false),
            ("frames", false),
            ("frames=yes", false),
        ] {
            assert_eq!(Wanted::read(query).unwrap().frames, frames, "{query}");
        }
        let wanted = Wanted { frames: true, ..Wanted::default() };
        assert!(!wanted.target("x").contains("frames"), "the Engine knows no such parameter");
    }

    #[test]
    fn without_a_terminal_frames_say_who_wrote_however_they_come() {
        let stream = [
            frame(1, b"out\n"),
            frame(2, b"err"),
            frame(2, b"or\n"),
            frame(0, b"in"),
            frame(3, b"why"),
            frame(1, b""),
        ]
        .concat();
        let expected = [(1, &b"out\n"[..]), (2, b"error\n"), (0, b"in"), (3, b"why")];
        let expected = expected.map(|(source, text)| (source, text.to_vec()));
        for step in [1, 3, 8, stream.len()] {
            assert_eq!(runs(&told(false, true, &stream, step)), expected, "{step}");
            assert_eq!(told(false, false, &stream, step), b"out\nerror\ninwhy", "{step}");
        }
    }

    #[test]
    fn a_terminals_bytes_are_frames_of_stdout_that_are_not_too_large() {
        let stream: Vec<u8> = (0..=u8::MAX).cycle().take(3 * FRAME_BYTES + 5).collect();
        for step in [1, 1000, FRAME_BYTES, stream.len()] {
            assert_eq!(runs(&told(true, true, &stream, step)), [(1, stream.clone())], "{step}");
        }
        assert_eq!(told(true, true, &stream, stream.len()).len(), stream.len() + 4 * 8);
        assert!(told(true, true, b"", 1).is_empty());
        assert_eq!(told(true, false, &stream, 1000), stream);
    }

    #[test]
    fn what_is_left_out_is_told_in_a_frame_of_who_wrote_it() {
        let large = vec![b'x'; LOG_FRAME_BYTES_MAX + 1];
        let notice = notice(u32::try_from(large.len()).unwrap()).into_bytes();
        let stream = [frame(2, &large), frame(1, b"b\n")].concat();
        assert_eq!(runs(&told(false, true, &stream, 4096)), [(2, notice), (1, b"b\n".to_vec())]);
    }

    #[test]
    fn a_stream_that_breaks_off_inside_a_frame_is_no_whole_one() {
        let mut printed = Printed { logs: Logs::new(false), frames: true };
        let stream = frame(1, b"hello");
        printed.push(&stream[..10], &mut Vec::new()).unwrap();
        assert!(matches!(printed.end(&mut Vec::new()), Err(BadAnswer::Cut)));
        let bad = Printed { logs: Logs::new(false), frames: true }.push(b"hello, terminal", &mut Vec::new());
        assert!(matches!(bad, Err(BadAnswer::Frame(_))));
    }

    #[test]
    fn an_event_is_in_reach_by_its_containers_label_and_by_nothing_of_the_engines() {
        let label = |key: &str, value: &str| Label { key: key.to_owned(), value: value.to_owned() };
        let event: Event = serde_json::from_str(
            r#"{"Type":"container","Action":"start","Actor":{"ID":"c","Attributes":{"image":"web","name":"a","team":"one"}}}"#,
        )
        .unwrap();
        for (label, is_told) in [
            (None, true),
            (Some(label("team", "one")), true),
            (Some(label("team", "two")), false),
            (Some(label("other", "one")), false),
            (Some(label("image", "web")), false),
            (Some(label("name", "a")), false),
        ] {
            assert_eq!(happened_in_reach(&event, label.as_ref()), is_told, "{label:?}");
        }
    }
}
