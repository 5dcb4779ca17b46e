//! The operational line: level, event, escaped values; one JSON object a line on stdout.

use std::collections::VecDeque;
use std::fmt::{self, Display, Write as _};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::clock;
use crate::limits::{LOG_LINES_KEPT_MAX, LOG_VALUE_BYTES_MAX};
use crate::shared::Shared;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// A value of an event.
pub(crate) enum Value<'a> {
    Text(&'a dyn Display),
    Number(u64),
}

/// The least level that is written; set once at start.
static LEAST: AtomicU8 = AtomicU8::new(Level::Info as u8);

pub(crate) fn set_level(level: Level) {
    LEAST.store(level as u8, Ordering::Relaxed);
}

pub(crate) fn debug(event: &str, values: &[(&str, Value<'_>)]) {
    write(Level::Debug, event, values);
}

pub(crate) fn info(event: &str, values: &[(&str, Value<'_>)]) {
    write(Level::Info, event, values);
}

pub(crate) fn warn(event: &str, values: &[(&str, Value<'_>)]) {
    write(Level::Warn, event, values);
}

pub(crate) fn error(event: &str, values: &[(&str, Value<'_>)]) {
    write(Level::Error, event, values);
}

pub(crate) fn text(value: &dyn Display) -> Value<'_> {
    Value::Text(value)
}

pub(crate) fn number(value: impl TryInto<u64>) -> Value<'static> {
    Value::Number(value.try_into().unwrap_or(u64::MAX))
}

fn write(level: Level, event: &str, values: &[(&str, Value<'_>)]) {
    if (level as u8) < LEAST.load(Ordering::Relaxed) {
        return;
    }
    let time = clock::unix();
    let line = line(&clock::rfc3339(time), level, event, values);
    keep(time, level, event, &line);
    // One write per line, so that lines of several threads never mix. A reader that went away
    // is no reason to stop serving.
    let _ = io::stdout().lock().write_all(line.as_bytes());
}

/// A line that was written lately.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) time: Duration,
    pub(crate) level: Level,
    /// The event, and its values as JSON.
    pub(crate) text: String,
}

static RECENT: Shared<VecDeque<Kept>> = Shared::new(VecDeque::new());

fn keep(time: Duration, level: Level, event: &str, line: &str) {
    let values = line.split_once(&format!(r#""msg":"{event}""#)).map_or("", |(_, values)| values);
    let values = values.trim_end().trim_start_matches(',').trim_end_matches('}');
    let text = if values.is_empty() { event.to_owned() } else { format!("{event} {{{values}}}") };
    RECENT.with(|recent| {
        if recent.len() >= LOG_LINES_KEPT_MAX {
            recent.pop_front();
        }
        recent.push_back(Kept { time, level, text });
    });
}

/// The last lines, newest last.
pub(crate) fn recent() -> Vec<Kept> {
    RECENT.with(|recent| recent.iter().cloned().collect())
}

/// The least level that is written.
pub(crate) fn least() -> Level {
    let least = LEAST.load(Ordering::Relaxed);
    Level::EVERY.into_iter().find(|level| *level as u8 == least).unwrap_or(Level::Info)
}

impl Level {
    const EVERY: [Self; 4] = [Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// Its name; also those that other programs have for the ends of the scale.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "trace" => Some(Self::Debug),
            "fatal" => Some(Self::Error),
            name => Self::EVERY.into_iter().find(|level| level.name() == name),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

fn line(time: &str, level: Level, event: &str, values: &[(&str, Value<'_>)]) -> String {
    let level = level.name().to_ascii_uppercase();
    let mut line = format!(r#"{{"time":"{time}","level":"{level}","msg":"{event}""#);
    for (name, value) in values {
        // Writing to a String does not fail; a Display that does leaves its value cut short.
        let _ = write!(line, r#","{name}":"#);
        match value {
            Value::Number(number) => {
                let _ = write!(line, "{number}");
            }
            Value::Text(text) => {
                line.push('"');
                let _ = write!(Escaped { line: &mut line, left: LOG_VALUE_BYTES_MAX }, "{text}");
                line.push('"');
            }
        }
    }
    line.push_str("}\n");
    line
}

/// Text on its way into a JSON string: escaped, and cut at a length.
struct Escaped<'l> {
    line: &'l mut String,
    left: usize,
}

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.left < c.len_utf8() {
                self.line.push('…');
                return Err(fmt::Error);
            }
            self.left = self.left.saturating_sub(c.len_utf8());
            match c {
                '"' | '\\' => {
                    self.line.push('\\');
                    self.line.push(c);
                }
                // Beside JSON's own rule: what a terminal or a log viewer would act on.
                c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}') => {
                    write!(self.line, "\\u{:04x}", u32::from(c))?;
                }
                c => self.line.push(c),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text_of_it: &str) -> String {
        let line = line("T", Level::Warn, "e.v", &[("v", text(&text_of_it)), ("n", number(7_u64))]);
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["n"], 7);
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.is_char_boundary(line.len()) && !line.contains('\u{1b}'));
        parsed["v"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_line_is_json_with_its_event_first() {
        let line = line("T", Level::Info, "server.listening", &[("address", text(&"127.0.0.1:3000"))]);
        assert_eq!(
            line,
            "{\"time\":\"T\",\"level\":\"INFO\",\"msg\":\"server.listening\",\"address\":\"127.0.0.1:3000\"}\n"
        );
    }

    #[test]
    fn hostile_text_stays_inside_its_value() {
        for hostile in ["a\"b\\c", "line\r\nbreak", "\u{1b}[2J", "\u{202e}evil", "\0\u{7f}\u{85}"] {
            assert_eq!(value(hostile), hostile);
        }
    }

    #[test]
    fn a_long_value_is_cut_and_marked() {
        let cut = value(&"é".repeat(LOG_VALUE_BYTES_MAX));
        assert!(cut.ends_with('…') && cut.len() <= LOG_VALUE_BYTES_MAX + '…'.len_utf8());
        assert_eq!(value(&"x".repeat(LOG_VALUE_BYTES_MAX)).len(), LOG_VALUE_BYTES_MAX);
    }
}
