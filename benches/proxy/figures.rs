//! What was measured: values by name and peer, their medians, and the table of them.
use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::peers::Kind;
use crate::targets::{self, Target};

/// What was measured, in the order it was first measured.
#[derive(Default)]
pub(crate) struct Figures {
    rows: Vec<Row>,
}

struct Row {
    label: String,
    unit: &'static str,
    /// One value for each round; nothing where the peer refused.
    values: BTreeMap<Kind, Vec<Option<f64>>>,
}

impl Figures {
    pub(crate) fn add(&mut self, label: &str, unit: &'static str, kind: Kind, value: impl Into<Option<f64>>) {
        let value = value.into();
        let known = self.rows.iter_mut().find(|row| row.label == label && row.unit == unit);
        if let Some(row) = known {
            row.values.entry(kind).or_default().push(value);
        } else {
            let values = BTreeMap::from([(kind, vec![value])]);
            self.rows.push(Row { label: label.to_owned(), unit, values });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn contains(&self, label: &str, unit: &str) -> bool {
        self.rows.iter().any(|row| row.label == label && row.unit == unit)
    }

    /// The table, as Markdown that is also plain to read.
    pub(crate) fn table(&self) -> String {
        let head = [
            "measure",
            "unit",
            "direct",
            "HAProxy",
            "nginx",
            "Lookout",
            "HAProxy ÷ direct",
            "nginx ÷ direct",
            "Lookout ÷ direct",
            "Lookout ÷ HAProxy",
            "by round",
            "target",
            "",
        ];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
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
                for width in &widths {
                    let _ = write!(table, "|-{:-<width$}-", "");
                }
                table.push_str("|\n");
            }
        }
        table
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let target = targets::find(&self.label, self.unit);
        let mut cells = vec![self.label.clone(), self.unit.to_owned()];
        cells.extend(Kind::ALL.map(|kind| self.absolute(kind)));
        for (kind, to) in [
            (Kind::Haproxy, Kind::Engine),
            (Kind::Nginx, Kind::Engine),
            (Kind::Lookout, Kind::Engine),
            (Kind::Lookout, Kind::Haproxy),
        ] {
            cells.push(self.ratio(kind, to).map_or_else(|| String::from("–"), |ratio| format!("{ratio:.2}")));
        }
        cells.push(self.by_round(target));
        cells.push(target.map_or(String::new(), |target| target.to_string()));
        let met = target.and_then(|target| self.meets(target));
        cells.push(met.map_or("", |met| if met { "met" } else { "missed" }).to_owned());
        cells
    }

    fn absolute(&self, kind: Kind) -> String {
        if !self.values.contains_key(&kind) {
            return String::from("–");
        }
        // Enough digits to see a percent, and no more.
        self.median(kind).map_or_else(
            || String::from("refused"),
            |median| match median.abs() {
                size if size >= 100.0 => format!("{median:.0}"),
                size if size >= 10.0 => format!("{median:.1}"),
                size if size >= 1.0 => format!("{median:.2}"),
                _ => format!("{median:.3}"),
            },
        )
    }

    /// The median of the rounds, or nothing where the peer refused in any.
    fn median(&self, kind: Kind) -> Option<f64> {
        let mut values: Vec<f64> = self.values.get(&kind)?.iter().copied().collect::<Option<_>>()?;
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        if values.len() % 2 == 1 {
            return values.get(middle).copied();
        }
        Some((values.get(middle.checked_sub(1)?)? + values.get(middle)?) / 2.0)
    }

    fn ratio(&self, kind: Kind, to: Kind) -> Option<f64> {
        Some(self.median(kind)? / self.median(to)?)
    }

    /// The least and the greatest that the rounds gave for what the target is about: how much to believe it.
    fn by_round(&self, target: Option<Target>) -> String {
        let ratios: Vec<f64> = match target.and_then(Target::relative_to) {
            Some(to) => self.pairs(Kind::Lookout, to),
            None if target.is_some() => {
                self.values.get(&Kind::Lookout).into_iter().flatten().filter_map(|&value| value).collect()
            }
            None => self.pairs(Kind::Lookout, Kind::Haproxy),
        };
        if ratios.len() < 2 {
            return String::new();
        }
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{least:.2}–{greatest:.2}")
    }

    fn pairs(&self, kind: Kind, to: Kind) -> Vec<f64> {
        let values = |kind| self.values.get(&kind).into_iter().flatten();
        values(kind).zip(values(to)).filter_map(|(value, to)| Some((*value)? / (*to)?)).collect()
    }

    fn meets(&self, target: Target) -> Option<bool> {
        let value = match target.relative_to() {
            Some(to) => self.ratio(Kind::Lookout, to)?,
            None => self.median(Kind::Lookout)?,
        };
        Some(target.met_by(value))
    }
}
