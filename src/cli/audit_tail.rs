//! `lookout audit tail`: the last records, and those that come.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::audit::{NoAnswer, files_of};
use super::audit_files::Lines;
use super::audit_record::words;
use super::out::{complain, hand_over};
use crate::clock::Deadline;
use crate::limits::{AUDIT_TAIL_LINES, AUDIT_TAIL_LINES_CEILING};
use crate::sys::poll::{Watch, wait};

/// Between two looks at a file that is followed.
const LOOK_MILLIS: u64 = 200;

/// What is shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    file: PathBuf,
    last: u64,
    follow: bool,
}

pub(super) fn arguments() -> [Arg; 2] {
    let last = Arg::new("last").short('n').value_name("N");
    let last = last.value_parser(value_parser!(u64).range(0..=AUDIT_TAIL_LINES_CEILING));
    let follow = Arg::new("follow").short('f').long("follow").action(ArgAction::SetTrue);
    [
        last.help(format!("How many of the last records, {AUDIT_TAIL_LINES} if not said")),
        follow.help("Go on with what comes, also in the file that takes this one's place"),
    ]
}

impl Options {
    pub(super) fn of(matches: &mut ArgMatches) -> Self {
        let file = files_of(matches).into_iter().next().unwrap_or_default();
        let last = matches.remove_one("last").unwrap_or(AUDIT_TAIL_LINES);
        Self { file, last, follow: matches.get_flag("follow") }
    }
}

pub(super) fn tail(options: &Options) -> Result<ExitCode, NoAnswer> {
    let mut lines = Lines::open(&options.file)?;
    let most = usize::try_from(options.last).unwrap_or(usize::MAX);
    let (mut last, mut line) = (VecDeque::new(), Vec::new());
    while lines.read(&mut line)? {
        if options.follow && !line.ends_with(b"\n") {
            // Its end may come yet.
            break;
        }
        last.push_back(std::mem::take(&mut line));
        if last.len() > most {
            last.pop_front();
        }
    }
    let told: String = last.iter().map(|line| words(line)).collect();
    hand_over(&told).map_err(NoAnswer::Untold)?;
    if options.follow { follow(options, lines, line) } else { Ok(ExitCode::SUCCESS) }
}

/// Until whoever reads has gone. `line` is the beginning of one.
fn follow(options: &Options, mut lines: Lines, mut line: Vec<u8>) -> Result<ExitCode, NoAnswer> {
    loop {
        let has_moved = has_moved(options, &lines)?;
        show(&mut lines, &mut line)?;
        if has_moved {
            // Everything in the old file was shown: nothing is added to it any more.
            match Lines::open(&options.file) {
                Ok(next) => {
                    if !line.is_empty() {
                        tell(&words(&line))?;
                        line.clear();
                    }
                    lines = next;
                }
                // Its name is not taken again yet.
                Err(NoAnswer::File(_, error)) if error.kind() == ErrorKind::NotFound => {}
                Err(why) => return Err(why),
            }
            show(&mut lines, &mut line)?;
        }
        let stdout = io::stdout();
        let deadline = Deadline::after(Duration::from_millis(LOOK_MILLIS));
        // Only its reader's leaving makes it ready.
        if wait(&mut [Watch::breakage(&stdout)], deadline).map_err(NoAnswer::Untold)? {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// Another file has its name, or it was cut to less than was read.
fn has_moved(options: &Options, lines: &Lines) -> Result<bool, NoAnswer> {
    let failed = |error| NoAnswer::File(options.file.clone(), error);
    let open = lines.file().metadata().map_err(failed)?;
    let position = io::Seek::stream_position(&mut lines.file()).map_err(failed)?;
    if open.len() < position {
        complain(&format!("lookout audit: {} was cut; it is read anew\n", options.file.display()));
        return Ok(true);
    }
    match fs::metadata(&options.file) {
        Ok(named) => Ok((named.dev(), named.ino()) != (open.dev(), open.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(failed(error)),
    }
}

fn show(lines: &mut Lines, line: &mut Vec<u8>) -> Result<(), NoAnswer> {
    while lines.read(line)? {
        if line.ends_with(b"\n") {
            tell(&words(line))?;
            line.clear();
        }
    }
    Ok(())
}

fn tell(text: &str) -> Result<(), NoAnswer> {
    hand_over(text).map_err(NoAnswer::Untold)
}
