//! `lookout audit query`: the records that meet every condition.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches};

use super::audit::{NoAnswer, files_of};
use super::audit_files::{Lines, Sorted};
use super::audit_record::Record;
use super::out::{complain, hand_over};
use crate::clock;

pub(super) const MORE: &str = "\
TIME is as records have it, a date, or how long ago: 2026-01-15T10:23:45Z, 2026-01-15, 90s, 15m, 2h, 7d.
What is shown is not verified: see lookout audit verify.

  lookout audit query audit.jsonl* --event auth_failure --since 24h
  lookout audit query audit.jsonl* --path /containers/ --outcome denied --json | jq .actor";

/// Output is handed over in pieces of this size.
const PIECE_BYTES: usize = 64 * 1024;

const EVENTS: &[&str] = &[
    "api_request",
    "stream_start",
    "stream_end",
    "auth_failure",
    "rate_limited",
    "exec_start",
    "enrollment",
    "compose_op",
    "reload",
    "start",
    "stop",
    "checkpoint",
    "recovered",
];

const OUTCOMES: &[&str] = &["allowed", "denied", "error"];

/// The conditions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    files: Vec<PathBuf>,
    actor: Option<String>,
    event: Option<String>,
    key: Option<String>,
    path: Option<String>,
    since: Option<Duration>,
    until: Option<Duration>,
    outcome: Option<String>,
    json: bool,
}

pub(super) fn arguments() -> Vec<Arg> {
    let option = |name: &'static str, value: &'static str, help| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    vec![
        option("actor", "ADDRESS", "Who asked, as the record has it"),
        option("event", "EVENT", "What happened, as in auth_failure").value_parser(event),
        option("key", "ID", "The id of the key that signed"),
        option("path", "PREFIX", "How the path begins"),
        option("since", "TIME", "Not before then").value_parser(time),
        option("until", "TIME", "Before then").value_parser(time),
        option("outcome", "OUTCOME", "allowed, denied or error").value_parser(outcome),
        Arg::new("json")
            .long("json")
            .action(ArgAction::SetTrue)
            .help("Show the records as they stand in the file"),
    ]
}

fn event(text: &str) -> Result<String, String> {
    one_of(text, EVENTS)
}

fn outcome(text: &str) -> Result<String, String> {
    one_of(text, OUTCOMES)
}

fn one_of(text: &str, known: &[&str]) -> Result<String, String> {
    let found = known.contains(&text).then(|| text.to_owned());
    found.ok_or_else(|| format!("none of {}", known.join(", ")))
}

/// An instant, a day's beginning, or how long ago.
fn time(text: &str) -> Result<Duration, String> {
    let instant = clock::read_rfc3339(text).or_else(|| clock::read_rfc3339(&format!("{text}T00:00:00Z")));
    let ago = || clock::unix().checked_sub(span(text)?);
    instant
        .or_else(ago)
        .ok_or_else(|| "no time: write it as 2026-01-15T10:23:45Z, 2026-01-15, 90s, 15m, 2h or 7d".to_owned())
}

fn span(text: &str) -> Option<Duration> {
    let unit = match text.chars().next_back()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let digits = text.get(..text.len().checked_sub(1)?)?;
    let count: u64 = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    count.checked_mul(unit).map(Duration::from_secs)
}

impl Options {
    pub(super) fn of(matches: &mut ArgMatches) -> Self {
        let files = files_of(matches);
        let json = matches.get_flag("json");
        let (since, until) = (matches.remove_one("since"), matches.remove_one("until"));
        let mut text = |name: &str| matches.remove_one(name);
        let (actor, event, key) = (text("actor"), text("event"), text("key"));
        Self { files, actor, event, key, path: text("path"), since, until, outcome: text("outcome"), json }
    }

    fn takes(&self, record: &Record) -> bool {
        let is = |wanted: &Option<String>, name: &str| {
            wanted.as_deref().is_none_or(|wanted| record.text(name) == Some(wanted))
        };
        let begins = |prefix: &String| record.text("path").is_some_and(|path| path.starts_with(prefix));
        is(&self.actor, "actor")
            && is(&self.event, "event")
            && is(&self.key, "key_id")
            && is(&self.outcome, "outcome")
            && self.path.as_ref().is_none_or(begins)
            && self.is_in_time(record)
    }

    fn is_in_time(&self, record: &Record) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        clock::read_rfc3339(&record.time).is_some_and(|time| {
            self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
        })
    }
}

pub(super) fn query(options: &Options) -> Result<ExitCode, NoAnswer> {
    let sorted = Sorted::of(&options.files)?;
    if sorted.is_other {
        complain(&format!("lookout audit: read from the oldest to the newest: {}\n", sorted.told()));
    }
    let (mut out, mut line, mut odd, mut found) = (String::new(), Vec::new(), 0_u64, false);
    for path in &sorted.paths {
        let mut lines = Lines::open(path)?;
        while lines.read(&mut line)? {
            match Record::of(&line) {
                Some(record) if options.takes(&record) => {
                    found = true;
                    match options.json {
                        true => out.push_str(String::from_utf8_lossy(&line).trim_end()),
                        false => out.push_str(record.words().trim_end()),
                    }
                    out.push('\n');
                }
                Some(_) => {}
                None if is_log(&line) => {}
                None => odd = odd.saturating_add(1),
            }
            line.clear();
            if out.len() >= PIECE_BYTES {
                hand_over(&out).map_err(NoAnswer::Untold)?;
                out.clear();
            }
        }
    }
    hand_over(&out).map_err(NoAnswer::Untold)?;
    if !found {
        complain("lookout audit: no record meets the conditions\n");
    }
    if odd > 0 {
        complain(&format!("lookout audit: {odd} lines are no records, and were passed over\n"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The agent's own log, which shares stdout with the trail.
fn is_log(line: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(line).is_ok_and(|value| value.get("msg").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_an_instant_a_day_or_how_long_ago() {
        assert_eq!(time("2026-01-15").unwrap(), time("2026-01-15T00:00:00Z").unwrap());
        assert!(time("2026-01-15T10:23:45.5+02:00").is_ok());
        for (text, secs) in [("90s", 90), ("15m", 900), ("2h", 7200), ("7d", 604_800)] {
            assert_eq!(span(text), Some(Duration::from_secs(secs)));
            assert!(time(text).unwrap() < clock::unix());
        }
        for text in
            ["", "h", "-1h", "1w", "1.5h", "2026-02-30", "yesterday", "99999999999999999999d", "9999999999d"]
        {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_condition_must_be_met() {
        let record = Record::of(
            br#"{"time":"2026-01-15T10:00:00Z","msg":"","event":"api_request","actor":"::1","path":"/a/b","outcome":"denied","key_id":"k"}"#,
        )
        .unwrap();
        let some = |text: &str| Some(text.to_owned());
        let at = |text: &str| time(text).ok();
        let all = || Options {
            actor: some("::1"),
            event: some("api_request"),
            key: some("k"),
            path: some("/a/"),
            since: at("2026-01-15T10:00:00Z"),
            until: at("2026-01-16"),
            outcome: some("denied"),
            ..Options::default()
        };
        assert!(Options::default().takes(&record) && all().takes(&record));
        for other in [
            Options { actor: some("::2"), ..all() },
            Options { event: some("start"), ..all() },
            Options { key: some("kk"), ..all() },
            Options { path: some("/b"), ..all() },
            Options { since: at("2026-01-15T10:00:00.000000001Z"), ..all() },
            Options { until: at("2026-01-15T10:00:00Z"), ..all() },
            Options { outcome: some("allowed"), ..all() },
        ] {
            assert!(!other.takes(&record), "{other:?}");
        }
    }
}
