//! What a terminal showed, as asciicast v2 writes it: a line for each event. No files here.

use std::fmt::Write as _;
use std::time::Duration;

use super::members::push_text;

/// Which bytes belong together: a character may be cut between two pieces of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Output,
    /// What is written beside the output, where there is no terminal.
    Errors,
    Input,
}

/// Turns bytes into events; keeps what is left of a cut character.
#[derive(Default)]
pub(super) struct Tape {
    output: Vec<u8>,
    errors: Vec<u8>,
    input: Vec<u8>,
}

/// The first line.
pub(super) fn header((columns, rows): (u16, u16), unix_secs: u64, title: &str) -> String {
    let mut line =
        format!(r#"{{"version":2,"width":{columns},"height":{rows},"timestamp":{unix_secs},"title":"#);
    push_text(&mut line, title);
    line.push_str("}\n");
    line
}

/// The terminal has another size.
pub(super) fn resized(at: Duration, (columns, rows): (u16, u16)) -> String {
    event(at, 'r', &format!("{columns}x{rows}"))
}

/// A remark about the recording itself.
pub(super) fn marker(at: Duration, text: &str) -> String {
    event(at, 'm', text)
}

impl Tape {
    /// What these bytes add; nothing while they are the beginning of a character only.
    pub(super) fn piece(&mut self, at: Duration, side: Side, bytes: &[u8]) -> String {
        let kept = self.kept(side);
        kept.extend_from_slice(bytes);
        let text = take_text(kept);
        if text.is_empty() { text } else { event(at, code(side), &text) }
    }

    /// The beginnings of characters that never became whole.
    pub(super) fn rest(&mut self, at: Duration) -> String {
        let sides = [Side::Output, Side::Errors, Side::Input];
        let rests = sides.map(|side| match std::mem::take(self.kept(side)) {
            kept if kept.is_empty() => String::new(),
            kept => event(at, code(side), &String::from_utf8_lossy(&kept)),
        });
        rests.concat()
    }

    fn kept(&mut self, side: Side) -> &mut Vec<u8> {
        match side {
            Side::Output => &mut self.output,
            Side::Errors => &mut self.errors,
            Side::Input => &mut self.input,
        }
    }
}

fn code(side: Side) -> char {
    match side {
        Side::Output | Side::Errors => 'o',
        Side::Input => 'i',
    }
}

/// All of it but a character that has only begun. What is no UTF-8 is replaced.
fn take_text(bytes: &mut Vec<u8>) -> String {
    let whole = bytes.utf8_chunks().last().map_or(0, |last| {
        let is_begun = std::str::from_utf8(last.invalid()).is_err_and(|bad| bad.error_len().is_none());
        let begun = if is_begun { last.invalid().len() } else { 0 };
        bytes.len().saturating_sub(begun)
    });
    let rest = bytes.split_off(whole);
    let text = String::from_utf8_lossy(bytes).into_owned();
    *bytes = rest;
    text
}

/// `[1.234567,"o","text"]` and a line end.
fn event(at: Duration, code: char, text: &str) -> String {
    let mut line = String::with_capacity(text.len().saturating_add(32));
    // Writing to a String does not fail.
    let _ = write!(line, "[{}.{:06},\"{code}\",", at.as_secs(), at.subsec_micros());
    push_text(&mut line, text);
    line.push_str("]\n");
    line
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const AT: Duration = Duration::from_micros(1_000_042);

    fn read(line: &str) -> Value {
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn the_first_line_says_what_follows() {
        let line = header((80, 24), 1_790_000_000, "we\"b\n");
        assert!(line.ends_with("}\n") && line.lines().count() == 1, "{line}");
        let expected = json!({"version": 2, "width": 80, "height": 24, "timestamp": 1_790_000_000,
                              "title": "we\"b\n"});
        assert_eq!(read(&line), expected);
    }

    #[test]
    fn an_event_is_a_line_of_its_own_whatever_was_said() {
        let mut tape = Tape::default();
        for text in ["a", "\"\\\r\n\u{1b}[2J\0", "größe \u{1f980} \u{2028}"] {
            for (side, code) in [(Side::Output, "o"), (Side::Errors, "o"), (Side::Input, "i")] {
                let line = tape.piece(AT, side, text.as_bytes());
                assert!(line.ends_with("]\n") && line.matches('\n').count() == 1, "{line}");
                assert!(line.starts_with("[1.000042,"), "{line}");
                assert_eq!(read(&line), json!([1.000042, code, text]));
            }
        }
        assert_eq!(read(&resized(AT, (132, 43))), json!([1.000042, "r", "132x43"]));
        assert_eq!(read(&marker(AT, "cut: it is long")), json!([1.000042, "m", "cut: it is long"]));
        assert_eq!(tape.rest(AT), "");
    }

    #[test]
    fn a_character_that_is_cut_is_whole_on_the_tape() {
        let text = "aé€\u{1f980}z";
        for at in 0..=text.len() {
            let mut tape = Tape::default();
            let (one, other) = text.as_bytes().split_at(at);
            // What comes beside it does not break it.
            let lines = [
                tape.piece(AT, Side::Output, one),
                tape.piece(AT, Side::Input, b"i"),
                tape.piece(AT, Side::Output, other),
            ];
            let said: String = lines
                .iter()
                .filter(|line| line.contains("\"o\""))
                .map(|line| read(line)[2].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(said, text, "{at}");
            assert_eq!(tape.rest(AT), "");
        }
    }

    #[test]
    fn what_is_no_text_is_replaced_and_never_held_back_for_long() {
        let mut tape = Tape::default();
        assert_eq!(read(&tape.piece(AT, Side::Output, b"a\xffb"))[2], "a\u{fffd}b");
        assert_eq!(tape.piece(AT, Side::Output, b"\xe2"), "");
        assert_eq!(read(&tape.piece(AT, Side::Output, b"x"))[2], "\u{fffd}x");
        assert_eq!(tape.piece(AT, Side::Errors, b"\xf0\x9f\xa6"), "");
        assert_eq!(read(&tape.rest(AT)), json!([1.000042, "o", "\u{fffd}"]));
        assert_eq!(tape.rest(AT), "");
        for byte in 0..=u8::MAX {
            tape.piece(AT, Side::Input, &[byte; 5]);
            assert!(tape.input.len() < 4, "{byte}");
        }
    }
}
