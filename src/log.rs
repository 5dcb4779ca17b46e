//! The operational line: level, event, escaped values; one JSON object a line on stdout.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::clock;
use crate::limits::LOG_VALUE_BYTES_MAX;

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
    let line = line(&clock::rfc3339(clock::unix()), level, event, values);
    // One write per line, so that lines of several threads never mix. A reader that went away
    // is no reason to stop serving.
    let _ = io::stdout().lock().write_all(line.as_bytes());
}

fn line(time: &str, level: Level, event: &str, values: &[(&str, Value<'_>)]) -> String {
    let level = match level {
        Level::Debug => "DEBUG",
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    };
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
