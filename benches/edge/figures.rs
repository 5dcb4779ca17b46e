//! What was measured: values by name, their medians, what they are to reach, and the table of them.
use std::fmt::{self, Write as _};

/// What a figure is to reach.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// So much, on the machine of the published figures.
    Least(f64),
    Most(f64),
    /// So many times what the bare WebSocket gives.
    LeastOfBare(f64),
    MostOfBare(f64),
}

use Target::{Least, LeastOfBare, Most, MostOfBare};

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Least(bound) => write!(formatter, "≥ {bound}"),
            Most(bound) => write!(formatter, "≤ {bound}"),
            LeastOfBare(bound) => write!(formatter, "≥ {bound} × bare"),
            MostOfBare(bound) => write!(formatter, "≤ {bound} × bare"),
        }
    }
}

/// Measure, unit, target.
const TARGETS: &[(&str, &str, Target)] = &[
    ("small request, one at a time", "µs", MostOfBare(1.6)),
    ("small request, one at a time", "per s", Least(8000.0)),
    ("small request, sixteen at a time", "CPU s / 10 000", Most(0.25)),
    ("50 KB JSON, one at a time", "per s", Least(3000.0)),
    ("stream, text messages", "MB/s", LeastOfBare(0.5)),
    ("stream, text messages", "MB/s", Least(250.0)),
    ("stream, text messages", "CPU ms / MB", Most(3.0)),
    ("stream, binary messages", "MB/s", LeastOfBare(0.8)),
    ("stream, binary messages", "MB/s", Least(600.0)),
    ("stream, binary messages", "CPU ms / MB", Most(1.0)),
    ("shell beside a stream", "p99 ms more than alone", Most(20.0)),
    ("shell beside one read at 20 MB/s", "p99 ms more than alone", Most(20.0)),
    ("cut to next hello, longest", "ms", Most(1100.0)),
];

/// What was measured, in the order it was first measured.
#[derive(Default)]
pub(crate) struct Figures {
    rows: Vec<Row>,
}

struct Row {
    label: &'static str,
    unit: &'static str,
    /// One value for each round.
    agent: Vec<f64>,
    bare: Vec<f64>,
}

impl Figures {
    pub(crate) fn agent(&mut self, label: &'static str, unit: &'static str, value: f64) {
        self.row(label, unit).agent.push(value);
    }

    pub(crate) fn bare(&mut self, label: &'static str, unit: &'static str, value: f64) {
        self.row(label, unit).bare.push(value);
    }

    fn row(&mut self, label: &'static str, unit: &'static str) -> &mut Row {
        let known = self.rows.iter().position(|row| row.label == label && row.unit == unit);
        let at = known.unwrap_or_else(|| {
            self.rows.push(Row { label, unit, agent: Vec::new(), bare: Vec::new() });
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Something that has a target and was not measured.
    pub(crate) fn missing(&self) -> Option<String> {
        let is_there = |label: &str, unit: &str| {
            self.rows.iter().any(|row| row.label == label && row.unit == unit && !row.agent.is_empty())
        };
        let missing = TARGETS.iter().find(|(label, unit, _)| !is_there(label, unit));
        missing.map(|(label, unit, _)| format!("{label} in {unit}"))
    }

    /// The table, as Markdown that is also plain to read.
    pub(crate) fn table(&self) -> String {
        let head = ["measure", "unit", "Lookout", "bare", "÷ bare", "by round", "target", ""];
        let mut lines = vec![head.map(str::to_owned)];
        lines.extend(self.rows.iter().map(Row::cells));
        let widths: Vec<usize> = (0..head.len())
            .map(|column| lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0))
            .collect();
        let mut table = String::new();
        for (number, cells) in lines.iter().enumerate() {
            for (cell, width) in cells.iter().zip(&widths) {
                let _ = write!(table, "| {cell:width$} ");
            }
            table.push_str("|\n");
            if number == 0 {
                widths.iter().for_each(|width| {
                    let _ = write!(table, "|-{:-<width$}-", "");
                });
                table.push_str("|\n");
            }
        }
        table
    }
}

impl Row {
    fn cells(&self) -> [String; 8] {
        let targets: Vec<Target> = TARGETS
            .iter()
            .filter(|(label, unit, _)| (*label, *unit) == (self.label, self.unit))
            .map(|(_, _, target)| *target)
            .collect();
        let of_bare = targets.first().is_some_and(|target| matches!(target, LeastOfBare(_) | MostOfBare(_)));
        let shown: Vec<String> = targets.iter().map(Target::to_string).collect();
        let met: Vec<&str> =
            targets.iter().map(|target| if self.meets(*target) { "met" } else { "missed" }).collect();
        [
            self.label.to_owned(),
            self.unit.to_owned(),
            figure(median(&self.agent)),
            figure(median(&self.bare)),
            ratio(self.ratio()),
            self.by_round(of_bare),
            shown.join(", "),
            met.join(", "),
        ]
    }

    fn ratio(&self) -> f64 {
        median(&self.agent) / median(&self.bare)
    }

    fn meets(&self, target: Target) -> bool {
        match target {
            Least(bound) => median(&self.agent) >= bound,
            Most(bound) => median(&self.agent) <= bound,
            LeastOfBare(bound) => self.ratio() >= bound,
            MostOfBare(bound) => self.ratio() <= bound,
        }
    }

    /// The least and the greatest that the rounds gave for what the first target is about.
    fn by_round(&self, of_bare: bool) -> String {
        let values: Vec<f64> = match of_bare {
            true => self.agent.iter().zip(&self.bare).map(|(agent, bare)| agent / bare).collect(),
            false => self.agent.clone(),
        };
        if values.len() < 2 {
            return String::new();
        }
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if of_bare {
            format!("{least:.2}–{greatest:.2}")
        } else {
            format!("{}–{}", figure(least), figure(greatest))
        }
    }
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = |at: usize| sorted.get(at).copied().unwrap_or(f64::NAN);
    f64::midpoint(middle(sorted.len().saturating_sub(1) / 2), middle(sorted.len() / 2))
}

fn ratio(value: f64) -> String {
    if value.is_nan() { "–".to_owned() } else { format!("{value:.2}") }
}

/// Enough digits to see a percent, and no more.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size.is_nan() => "–".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
