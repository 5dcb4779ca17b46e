//! `lookout policy suggest`: the least classes with which everything that was allowed would have been.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use super::audit::NoAnswer;
use super::audit_files::{Lines, Sorted};
use super::audit_record::{Record, plain};
use super::out::{complain, say};
use crate::auth::{Class, Classes};

pub(super) const MORE: &str = "\
The trail tells which class each request took, and that is all that is known here: what was not done in its time is
not suggested. A body that only host may send counts as create; label, image and mount are yours to add. What is read
is not verified: see lookout audit verify.

  lookout policy suggest audit.jsonl*";

/// Paths that only `all` opens, which are shown of each caller.
const UNKNOWN_SHOWN: usize = 5;

/// What one caller did.
#[derive(Default)]
struct Deeds {
    allowed: BTreeMap<Class, u64>,
    denied: BTreeMap<Class, u64>,
    unknown: Vec<String>,
}

impl Deeds {
    fn note(&mut self, record: &Record, class: Class) {
        let counts = match record.text("outcome") {
            Some("denied") => &mut self.denied,
            _ => &mut self.allowed,
        };
        let count = counts.entry(class).or_default();
        *count = count.saturating_add(1);
        if class == Class::All && self.unknown.len() < UNKNOWN_SHOWN {
            let [method, path] = ["method", "path"].map(|name| plain(record.text(name).unwrap_or_default()));
            let unknown = format!("{method} {path}");
            if !self.unknown.contains(&unknown) {
                self.unknown.push(unknown);
            }
        }
    }

    fn least(&self) -> Classes {
        let classes: Classes = self.allowed.keys().copied().collect();
        if self.allowed.contains_key(&Class::All) { Classes::ALL } else { classes }
    }
}

pub(super) fn suggest(files: &[PathBuf]) -> Result<ExitCode, NoAnswer> {
    let (mut callers, mut line) = (BTreeMap::<Option<String>, Deeds>::new(), Vec::new());
    for path in Sorted::of(files)?.paths {
        let mut lines = Lines::open(&path)?;
        while lines.read(&mut line)? {
            let record = Record::of(&line);
            if let Some((record, class)) =
                record.and_then(|record| record.class().map(|class| (record, class)))
            {
                let caller = record.text("key_id").map(str::to_owned);
                callers.entry(caller).or_default().note(&record, class);
            }
            line.clear();
        }
    }
    if callers.is_empty() {
        complain("lookout policy: no record tells of a class\n");
    }
    say(&callers.iter().map(|(caller, deeds)| told(caller.as_deref(), deeds)).collect::<String>());
    Ok(ExitCode::SUCCESS)
}

fn told(caller: Option<&str>, deeds: &Deeds) -> String {
    let title = match caller {
        Some(id) => format!("key {}", plain(id)),
        None => "without a key: tokens, and the controller".to_owned(),
    };
    let mut text = format!("{title}\n");
    let least = deeds.least().to_string();
    // Writing to a String does not fail, here and below.
    let _ = match caller {
        _ if deeds.allowed.is_empty() => writeln!(text, "  least    nothing was allowed"),
        Some(_) => writeln!(text, "  least    allow=\"{least}\""),
        None => writeln!(text, "  least    TOKEN_ALLOW={least}, or EDGE_ALLOW={least}"),
    };
    for (what, counts) in [("allowed", &deeds.allowed), ("refused", &deeds.denied)] {
        let counts: Vec<_> = counts.iter().map(|(class, count)| format!("{class} {count}")).collect();
        if !counts.is_empty() {
            let _ = writeln!(text, "  {what:<8} {}", counts.join(", "));
        }
    }
    for unknown in &deeds.unknown {
        let _ = writeln!(text, "  for all  {unknown}");
    }
    text.push('\n');
    text
}

impl Record {
    /// What was asked of its caller.
    fn class(&self) -> Option<Class> {
        Class::parse(self.text("class")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deeds(records: &[(&str, &str, &str)]) -> Deeds {
        let mut deeds = Deeds::default();
        for (class, outcome, path) in records {
            let line = format!(
                r#"{{"time":"2026-01-15T10:00:00Z","msg":"","event":"api_request","method":"GET","path":"{path}","outcome":"{outcome}","class":"{class}","key_id":"k"}}"#
            );
            let record = Record::of(line.as_bytes()).unwrap();
            let class = record.class().unwrap();
            deeds.note(&record, class);
        }
        deeds
    }

    #[test]
    fn what_was_allowed_is_suggested_and_what_was_refused_is_told() {
        let deeds = deeds(&[
            ("logs", "allowed", "/a"),
            ("view", "allowed", "/b"),
            ("view", "error", "/b"),
            ("exec", "denied", "/c"),
        ]);
        assert_eq!(
            told(Some("k"), &deeds),
            "key k\n  least    allow=\"view,logs\"\n  allowed  view 2, logs 1\n  refused  exec 1\n\n"
        );
        assert!(told(None, &deeds).contains("TOKEN_ALLOW=view,logs, or EDGE_ALLOW=view,logs\n"));
    }

    #[test]
    fn what_takes_everything_is_shown_once_and_never_without_end() {
        let paths: Vec<_> = (0..9).map(|number| format!("/new/{}", number / 2)).collect();
        let records = paths.iter().map(|path| ("all", "allowed", path.as_str()));
        let records: Vec<_> = records.chain([("view", "allowed", "/a")]).collect();
        let told = told(Some("k"), &deeds(&records));
        assert!(
            told.contains("allow=\"all\"") && told.matches("  for all  GET /new/").count() == 5,
            "{told}"
        );
    }

    #[test]
    fn who_was_only_refused_is_suggested_nothing() {
        assert!(told(Some("k"), &deeds(&[("exec", "denied", "/c")])).contains("nothing was allowed"));
    }
}
