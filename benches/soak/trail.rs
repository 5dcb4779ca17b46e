//! Whether the trail has every answer that was given, and whether its chain is whole.
use std::collections::HashSet;
use std::fs;

use crate::agent::run;
use crate::ground::Kept;
use crate::tally::{Side, Tally};

/// What stands in front of a request's number in its record.
const MARK: &str = r#""user_agent":"soak/"#;

/// Reads all of it; what was found, and a row of the table.
pub(crate) fn verdict(tally: &Tally, side: Side, kept: &Kept) -> (Vec<String>, String) {
    let (files, key) = kept.trail();
    let (mut recorded, mut commands, mut records, mut lost) = (HashSet::new(), 0, 0_u64, 0_u64);
    for file in &files {
        let text = fs::read(file).unwrap_or_default();
        for line in String::from_utf8_lossy(&text).lines() {
            records += 1;
            let number: Option<u64> =
                line.split_once(MARK).and_then(|(_, rest)| rest.split_once('"')?.0.parse().ok());
            recorded.extend(number);
            commands += usize::from(line.contains(r#""event":"exec_start""#));
            let gap = line
                .split_once(r#""lost":"#)
                .and_then(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok());
            lost += gap.unwrap_or(0);
        }
    }
    let mut found = Vec::new();
    let (missing, started) = tally.unknown_to(side, &recorded);
    if !missing.is_empty() {
        let some: Vec<_> = missing.iter().take(10).collect();
        found.push(format!("{side:?}: {} answers have no record, among them {some:?}", missing.len()));
    }
    if commands < started {
        found.push(format!("{side:?}: {started} commands ran, and {commands} are recorded"));
    }
    let paths: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let key = key.display().to_string();
    let mut arguments = vec!["audit", "verify", "--key", &key];
    arguments.extend(paths.iter().map(String::as_str));
    let ended = run(&arguments, &[]);
    let words = ended.words();
    if ended.code != Some(0) {
        found.push(format!("{side:?}: the trail is not whole: {}", words.trim()));
    }
    let row = format!(
        "| {side:?} | {} | {records} in {} files | {lost} | {} |",
        tally.answers(side),
        files.len(),
        words.lines().find(|line| line.contains("whole")).unwrap_or_default()
    );
    (found, row)
}

pub(crate) const HEADING: &str =
    "| trail | answers | records | refused while full | verify |\n| --- | ---: | --- | ---: | --- |";
