//! The tool that reads the last lines of a container's logs.

use std::collections::VecDeque;

use serde::Serialize;

use super::super::containers::{Wanted, open_logs};
use super::super::failure::Failure;
use super::super::route::Desk;
use super::tools::Told;
use crate::auth::Principal;
use crate::docker::Patience;
use crate::docker::logs::{Logs, Source, notice};
use crate::limits::{TOOL_LINE_BYTES_MAX, TOOL_LOGS_BYTES_MAX};
use crate::policy::sieve::BadAnswer;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Printed<'i> {
    id: &'i str,
    lines: VecDeque<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines_left_out: Option<usize>,
}

pub(super) fn last_lines(
    desk: &mut Desk<'_>,
    by: &Principal,
    id: &str,
    most: u16,
) -> Result<Told, Failure> {
    let wanted = Wanted { tail: Some(u64::from(most)), ..Wanted::default() };
    let (incoming, mut logs) = open_logs(desk, by, id, &wanted, Patience::Bounded)?;
    let mut lines = Lines::new(usize::from(most));
    let deadline = desk.agent.docker.patience();
    incoming.pour(deadline, desk.line, |content| {
        take(&mut logs, content, &mut lines).map_err(Failure::Untellable)
    })?;
    if !logs.is_whole() {
        return Err(Failure::Untellable(BadAnswer::Cut));
    }
    let (lines, left_out) = lines.end();
    let lines_left_out = (left_out > 0).then_some(left_out);
    Ok(Told::of(&Printed { id, lines, lines_left_out }))
}

fn take(logs: &mut Logs, mut content: &[u8], lines: &mut Lines) -> Result<(), BadAnswer> {
    while !content.is_empty() {
        let cut = logs.cut(content).map_err(BadAnswer::Frame)?;
        if let Some(bytes) = cut.left_out {
            lines.push(cut.source, notice(bytes).as_bytes());
        }
        let rest = content.get(cut.framing..).unwrap_or_default();
        let (text, rest) = rest.split_at_checked(cut.text).unwrap_or((rest, &[]));
        lines.push(cut.source, text);
        content = rest;
    }
    Ok(())
}

/// The last lines of what comes in pieces, each stream's put together by itself.
struct Lines {
    most: usize,
    kept: VecDeque<String>,
    /// Bytes of the kept lines.
    bytes: usize,
    /// All lines that ended.
    seen: usize,
    begun: Vec<Begun>,
}

/// A line of which the end is still to come.
struct Begun {
    source: Source,
    text: Vec<u8>,
    /// Bytes of its beginning that were too many.
    left_out: usize,
}

impl Lines {
    fn new(most: usize) -> Self {
        Self { most, kept: VecDeque::new(), bytes: 0, seen: 0, begun: Vec::new() }
    }

    fn push(&mut self, source: Source, text: &[u8]) {
        for piece in text.split_inclusive(|&byte| byte == b'\n') {
            let at = self.begun.iter().position(|begun| begun.source == source);
            let mut begun = match at {
                Some(at) => self.begun.swap_remove(at),
                None => Begun { source, text: Vec::new(), left_out: 0 },
            };
            begun.text.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.keep(begun);
            } else {
                // Not at each piece: bytes that stay are moved.
                if begun.text.len() > 2 * TOOL_LINE_BYTES_MAX {
                    begun.shorten();
                }
                self.begun.push(begun);
            }
        }
    }

    fn keep(&mut self, mut begun: Begun) {
        for end in [b'\n', b'\r'] {
            begun.text.pop_if(|last| *last == end);
        }
        begun.shorten();
        let line = begun.line();
        self.seen = self.seen.saturating_add(1);
        self.bytes = self.bytes.saturating_add(line.len());
        self.kept.push_back(line);
        while self.kept.len() > self.most || self.bytes > TOOL_LOGS_BYTES_MAX {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.len());
        }
    }

    /// The lines, and how many of those that were asked for are not among them.
    fn end(mut self) -> (VecDeque<String>, usize) {
        for begun in std::mem::take(&mut self.begun) {
            self.keep(begun);
        }
        let left_out = self.seen.min(self.most).saturating_sub(self.kept.len());
        (self.kept, left_out)
    }
}

impl Begun {
    /// Leaves the end of a line that is too long.
    fn shorten(&mut self) {
        let over = self.text.len().saturating_sub(TOOL_LINE_BYTES_MAX);
        self.text.drain(..over);
        self.left_out = self.left_out.saturating_add(over);
    }

    fn line(&self) -> String {
        let source = match self.source {
            Source::Stdin => "stdin",
            Source::Stdout => "stdout",
            Source::Stderr => "stderr",
            Source::Engine => "engine",
        };
        let text = String::from_utf8_lossy(&self.text);
        match self.left_out {
            0 => format!("{source}: {text}"),
            bytes => format!("{source}: [{bytes} bytes were left out] {text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::LOG_FRAME_BYTES_MAX;

    fn frame(source: u8, text: &[u8]) -> Vec<u8> {
        let size = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[source, 0, 0, 0], size.as_slice(), text].concat()
    }

    /// What is told of a stream that comes in pieces of so many bytes.
    fn told(has_terminal: bool, stream: &[u8], most: usize, step: usize) -> Vec<String> {
        let (mut logs, mut lines) = (Logs::new(has_terminal), Lines::new(most));
        for piece in stream.chunks(step) {
            take(&mut logs, piece, &mut lines).unwrap();
        }
        assert!(logs.is_whole());
        lines.end().0.into()
    }

    #[test]
    fn lines_are_put_together_however_the_frames_and_pieces_fall() {
        let stream = [
            frame(1, b"one\ntw"),
            frame(2, b"err"),
            frame(1, b"o\r\n"),
            frame(2, "or é".as_bytes().split_last().unwrap().1),
            frame(1, b""),
            frame(2, &"é".as_bytes()[1..]),
            frame(1, b"\n\nlast"),
        ]
        .concat();
        let lines =
            ["stdout: one", "stdout: two", "stdout: ", "stdout: ", "stderr: error é", "stdout: last"];
        for step in [1, 2, 3, 7, 64, stream.len()] {
            let mut told = told(false, &stream, 100, step);
            // Of two lines without an end either may come first.
            told.sort();
            let mut lines = lines;
            lines.sort_unstable();
            assert_eq!(told, lines, "{step}");
        }
    }

    #[test]
    fn a_terminals_bytes_are_lines_of_stdout() {
        for step in [1, 5, 100] {
            assert_eq!(told(true, b"one\r\ntwo\r\n\x01\0\0\0\n$ ", 9, step), [
                "stdout: one",
                "stdout: two",
                "stdout: \u{1}\0\0\0",
                "stdout: $ "
            ]);
        }
        assert_eq!(told(true, b"", 9, 1), Vec::<String>::new());
    }

    #[test]
    fn of_more_lines_than_are_wanted_the_last_are_told() {
        let stream = frame(1, b"a\nb\nc\n");
        assert_eq!(told(false, &stream, 2, 64), ["stdout: b", "stdout: c"]);
        let mut lines = Lines::new(2);
        lines.push(Source::Stdout, b"a\nb\nc\n");
        assert_eq!(lines.end().1, 0);
    }

    #[test]
    fn of_a_line_that_is_too_long_the_end_is_told() {
        let over = 5 * TOOL_LINE_BYTES_MAX + 3;
        let stream: Vec<u8> = [vec![b'x'; over], b"end\n".to_vec()].concat();
        let frames: Vec<u8> = stream.chunks(16_384).flat_map(|piece| frame(1, piece)).collect();
        for step in [1000, frames.len()] {
            let told = told(false, &frames, 9, step);
            let left_out = over + 3 - TOOL_LINE_BYTES_MAX;
            let [line] = told.as_slice() else { panic!("{} lines", told.len()) };
            assert!(line.starts_with(&format!("stdout: [{left_out} bytes were left out] xx")), "{step}");
            assert!(line.ends_with("xxend") && line.len() < TOOL_LINE_BYTES_MAX + 64, "{step}");
        }
    }

    #[test]
    fn of_lines_that_are_too_many_bytes_the_oldest_are_left_out_and_counted() {
        let mut lines = Lines::new(500);
        let long = [vec![b'x'; TOOL_LINE_BYTES_MAX - 1], b"\n".to_vec()].concat();
        for _ in 0..40 {
            lines.push(Source::Stderr, &long);
        }
        lines.push(Source::Stderr, b"last");
        let (told, left_out) = lines.end();
        assert_eq!(told.len() + left_out, 41);
        assert!((1..TOOL_LOGS_BYTES_MAX / TOOL_LINE_BYTES_MAX + 1).contains(&told.len()), "{}", told.len());
        assert_eq!(told.back().map(String::as_str), Some("stderr: last"));
    }

    #[test]
    fn of_a_frame_that_is_too_large_only_its_size_is_told() {
        let large = vec![b'x'; LOG_FRAME_BYTES_MAX + 1];
        let stream = [frame(1, b"a\n"), frame(2, &large), frame(1, b"b\n")].concat();
        let notice = format!("stderr: {}", notice(u32::try_from(large.len()).unwrap()).trim_end());
        assert_eq!(told(false, &stream, 9, 65_536), ["stdout: a", notice.as_str(), "stdout: b"]);
    }

    #[test]
    fn bytes_that_are_no_frames_are_no_lines() {
        let bad = take(&mut Logs::new(false), b"hello, terminal\r\n", &mut Lines::new(9));
        assert!(matches!(bad, Err(BadAnswer::Frame(_))));
    }
}
