//! `lookout audit verify`: whether the records are whole, and what that does not prove.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgMatches};

use super::audit::{NoAnswer, files_of};
use super::audit_files::{Lines, Sorted};
use super::audit_key::{self, Key};
use super::audit_record::plain;
use super::out::hand_over;
use crate::audit::{Expected, Fault, Report, Verifier, What};

pub(super) const MORE: &str = "\
--head takes what the agent told earlier, as in /_lookout/audit: records that were cut off at the end are
found no other way. --key takes the agent's public key, or a file that holds it: without it, whoever could
write the files could have signed them with a key of their own.

  lookout audit verify audit.jsonl*
  lookout audit verify audit.jsonl* --key audit.pub --head 41207:9f86d081…";

/// What is verified, and against what.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    files: Vec<PathBuf>,
    key: Option<String>,
    head: Option<Head>,
}

/// A record that is known from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Head {
    seq: u64,
    hash: String,
}

pub(super) fn arguments() -> [Arg; 2] {
    [
        Arg::new("key").long("key").value_name("BASE64|FILE").help("The public key that must have signed"),
        Arg::new("head")
            .long("head")
            .value_name("SEQ:HASH")
            .value_parser(head)
            .help("A record that must be there, as it was exported"),
    ]
}

fn head(text: &str) -> Result<Head, String> {
    let parts = text.split_once(':').filter(|(seq, hash)| {
        let is_hex = hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        seq.bytes().all(|byte| byte.is_ascii_digit()) && hash.len() == 64 && is_hex
    });
    let head = parts.and_then(|(seq, hash)| Some(Head { seq: seq.parse().ok()?, hash: hash.to_owned() }));
    head.ok_or_else(|| "not a number, a colon, and 64 hexadecimal digits in small letters".to_owned())
}

impl Options {
    pub(super) fn of(matches: &mut ArgMatches) -> Self {
        let files = files_of(matches);
        Self { files, key: matches.remove_one("key"), head: matches.remove_one("head") }
    }
}

pub(super) fn verify(options: &Options) -> Result<ExitCode, NoAnswer> {
    let (told, is_whole) = examine(options)?;
    hand_over(&told).map_err(NoAnswer::Untold)?;
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What there is to say, and whether the trail is whole.
fn examine(options: &Options) -> Result<(String, bool), NoAnswer> {
    let wanted = options.key.as_deref().map(audit_key::find).transpose()?.map(|key| key.base64());
    let sorted = Sorted::of(&options.files)?;
    let foreign = RefCell::new(None);
    let check = |key: &str, message: &[u8], signature: &[u8; 64]| {
        let is_good = Key::of_base64(key).is_some_and(|key| key.verifies(message, signature));
        let is_known = wanted.as_ref().is_none_or(|wanted| wanted == key);
        if is_good && !is_known {
            foreign.replace(Some(key.to_owned()));
        }
        is_good && is_known
    };
    let head = options.head.as_ref().map(|head| (head.seq, head.hash.clone()));
    let mut trail = Trail { options, sorted, has_log: false };
    let outcome = trail.feed(Verifier::new(&check, Expected { head, ..Expected::default() }))?;
    let files = match trail.sorted.paths.as_slice() {
        [_] => String::new(),
        _ => format!("files, oldest first: {}\n", trail.sorted.told()),
    };
    Ok(match outcome {
        Ok(report) => (files + &trail.whole(&report), true),
        Err(fault) => (files + &trail.broken(&fault, foreign.borrow().as_deref()), false),
    })
}

/// What is read, and what of it is worth a word.
struct Trail<'o> {
    options: &'o Options,
    sorted: Sorted,
    /// The agent's own log stands between the records.
    has_log: bool,
}

impl Trail<'_> {
    fn feed(&mut self, mut verifier: Verifier<'_>) -> Result<Result<Report, Fault>, NoAnswer> {
        let mut line = Vec::new();
        for (at, path) in self.sorted.paths.iter().enumerate() {
            let mut lines = Lines::open(path)?;
            if at > 0 {
                verifier.next_file();
            }
            while lines.read(&mut line)? {
                self.has_log = self.has_log || is_log(&line);
                if let Err(fault) = verifier.line(&line) {
                    return Ok(Err(fault));
                }
                line.clear();
            }
        }
        Ok(verifier.end())
    }

    /// What holds, and what is not proven.
    fn whole(&self, report: &Report) -> String {
        let Report { records, first, last, head, checkpoints, torn, torn_bytes, lost, .. } = report;
        let mut told = format!("whole: {records} records, {first} to {last}\nhead: {last}:{head}\n");
        // Writing to a String does not fail, here and below.
        for key in &report.keys {
            let _ = writeln!(told, "signed with: {}", plain(key));
        }
        if *checkpoints > 0 {
            let _ = writeln!(told, "signatures: {checkpoints}");
        }
        if *torn > 0 {
            let _ = writeln!(told, "torn: {torn_bytes} bytes in {torn} places, and a record tells of each");
        }
        if *lost > 0 {
            let _ = writeln!(told, "lost: {lost} records that the agent could not write, as it says itself");
        }
        told.push_str("not proven:\n");
        for gap in self.gaps(report) {
            let _ = writeln!(told, "  {gap}");
        }
        told
    }

    fn gaps(&self, report: &Report) -> Vec<String> {
        let Report { first, last, checkpoints, unsigned, .. } = report;
        let mut gaps = Vec::new();
        if *checkpoints == 0 {
            let what =
                "who wrote it: nothing is signed; whoever can write the files could write all of them anew";
            gaps.push(what.to_owned());
        } else {
            if self.options.key.is_none() {
                gaps.push("that the agent's key signed it: say with --key which that is".to_owned());
            }
            if *unsigned > 0 {
                gaps.push(format!(
                    "who wrote the last {unsigned} records: they stand behind the last signature"
                ));
            }
        }
        match &self.options.head {
            None => {
                gaps.push("that nothing was cut off at the end: say with --head what was exported".to_owned())
            }
            Some(head) if head.seq < *last => {
                gaps.push(format!(
                    "that nothing was cut off behind record {last}: only {} was exported",
                    head.seq
                ));
            }
            Some(_) => {}
        }
        if *first > 1 {
            gaps.push(format!("what stood before record {first}: those files are not here"));
        }
        gaps.push(
            "that root on that host did not write it anew: only what was exported holds that out".to_owned(),
        );
        gaps
    }

    /// Where, and what is the matter with it.
    fn broken(&self, fault: &Fault, foreign: Option<&str>) -> String {
        let Fault { at, seq, what } = fault;
        let path = at.file.checked_sub(1).and_then(|file| self.sorted.paths.get(file));
        let path = path.map(|path| path.display().to_string()).unwrap_or_default();
        let head = self.options.head.as_ref();
        let why = match (what, foreign) {
            (What::Changed, _) if head.is_some_and(|head| head.seq == *seq) => {
                "it was changed, or is not the one that was exported".to_owned()
            }
            (What::Changed, _) => "it was changed".to_owned(),
            (What::Missing { to, .. }, _) if head.is_some_and(|head| head.seq == *to) => {
                format!("records {seq} to {to} were cut off at the end: {to} was exported")
            }
            (What::Missing { from, .. }, _) if head.is_some_and(|head| head.seq == *from) => {
                format!(
                    "record {from}, which was exported, is older than all of these: name older files, too"
                )
            }
            (What::Missing { from, to }, _) if from == to => format!("record {from} is missing before it"),
            (What::Missing { from, to }, _) => format!("records {from} to {to} are missing before it"),
            (What::Reordered, _) => "it does not stand where it was written".to_owned(),
            (What::Cut, _) => "it is cut, or something else stands in its place".to_owned(),
            (What::Forged, Some(key)) => format!("it is signed with another key: {}", plain(key)),
            (What::Forged, None) => "its signature is not good".to_owned(),
            (What::Unchained, _) => "the records are in no chain; nothing can be said of them".to_owned(),
        };
        let mut told = format!("broken: {path} line {}, record {seq}: {why}\n", at.line);
        if self.has_log {
            told.push_str("the agent's log stands between the records; take it out first: grep '\"msg\":\"\",\"event\":'\n");
        }
        told
    }
}

/// A line of the agent's own log, which shares stdout with the trail.
fn is_log(line: &[u8]) -> bool {
    const NO_MESSAGE: &[u8] = br#""msg":"""#;
    let is_record = line.windows(NO_MESSAGE.len()).take(128).any(|part| part == NO_MESSAGE);
    !is_record
        && serde_json::from_slice::<serde_json::Value>(line).is_ok_and(|value| value.get("msg").is_some())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, DirBuilder};
    use std::os::unix::fs::DirBuilderExt;

    use super::*;
    use crate::audit;
    use crate::config::{Config, Environment};

    #[test]
    fn a_head_is_a_number_and_a_hash() {
        let hash = "0f".repeat(32);
        assert_eq!(head(&format!("7:{hash}")), Ok(Head { seq: 7, hash: hash.clone() }));
        for text in ["", ":", "7", &hash, &format!("x:{hash}"), &format!("7:{}", hash.to_uppercase()), "7:0f"]
        {
            assert!(head(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_the_agent_writes_is_whole_by_its_own_key_and_head() {
        let home = std::env::temp_dir().join(format!("lookout-audit-verify-{}", std::process::id()));
        let _ = fs::remove_dir_all(&home);
        DirBuilder::new().mode(0o700).create(&home).unwrap();
        let (log, state) = (home.join("trail"), home.join("state"));
        let values = [
            ("TOKEN", "0123456789abcdef"),
            ("AUDIT_LOG", log.to_str().unwrap()),
            ("STATE_DIR", state.to_str().unwrap()),
            ("AUDIT_MAX_BYTES", "65536"),
        ];
        // Two starts, and files put aside in both.
        let mut heads = Vec::new();
        for _ in 0..2 {
            let settings = Config::start(&Environment::of(&values)).ok().unwrap().audit;
            let agent = audit::Trail::new(settings).unwrap();
            for at in 0..400 {
                let path = Some(format!("/containers/{at}/json"));
                agent.write(audit::Record { path, ..audit::Record::new(audit::Event::ApiRequest) }).unwrap();
            }
            agent.checkpoint();
            let (seq, hash) = agent.head().unwrap();
            heads.push(Head { seq, hash });
        }
        let entries = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().path());
        let files: Vec<_> = entries.filter(|path| *path != state).collect();
        assert!(files.len() > 3, "nothing was put aside: {files:?}");
        let key = Some(state.join("audit.pem").to_str().unwrap().to_owned());
        for head in heads {
            let options = Options { files: files.clone(), key: key.clone(), head: Some(head) };
            let (told, is_whole) = examine(&options).unwrap();
            assert!(is_whole && told.contains("whole: 802 records, 1 to 802\n"), "{told}");
        }
        fs::remove_dir_all(home).unwrap();
    }
}
