//! What a compose program says: kept up to a bound, or told line by line.

use serde::Serialize;

use crate::limits::{COMPOSE_OUTPUT_BYTES_MAX, COMPOSE_PIECE_BYTES_MAX};

/// Where something was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// All that was said, up to a bound over both streams. What comes beyond it is counted.
#[derive(Default)]
pub(crate) struct Output {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    omitted: u64,
}

impl Output {
    pub(crate) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        let kept = self.stdout.len().saturating_add(self.stderr.len());
        let space = COMPOSE_OUTPUT_BYTES_MAX.saturating_sub(kept).min(bytes.len());
        let (bytes, beyond) = bytes.split_at(space);
        match stream {
            Stream::Stdout => self.stdout.extend_from_slice(bytes),
            Stream::Stderr => self.stderr.extend_from_slice(bytes),
        }
        self.omitted = self.omitted.saturating_add(beyond.len() as u64);
    }

    /// The one stream, a line feed and the other; then, on a line of its own, how much is missing.
    pub(crate) fn into_text(mut self) -> String {
        if self.omitted > 0 {
            for bytes in [&mut self.stdout, &mut self.stderr] {
                let torn = torn(bytes);
                bytes.truncate(bytes.len().saturating_sub(torn));
                self.omitted = self.omitted.saturating_add(torn as u64);
            }
        }
        let mut text = into_text(self.stdout);
        if !self.stderr.is_empty() {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&into_text(self.stderr));
        }
        if self.omitted > 0 {
            if !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&format!("[output truncated: {} bytes left out]\n", self.omitted));
        }
        text
    }
}

/// As text, where possible without copying it.
fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Both streams as they come, as JSON in lines.
#[derive(Default)]
pub(crate) struct Lines {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

#[derive(Serialize)]
struct Said<'a> {
    stream: &'static str,
    text: &'a str,
}

impl Lines {
    /// Adds to `told` what is whole: lines, and pieces of those that are long.
    pub(crate) fn push(&mut self, stream: Stream, bytes: &[u8], told: &mut Vec<u8>) {
        let waiting = self.waiting(stream);
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            let mut rest = part;
            while !rest.is_empty() {
                let space = COMPOSE_PIECE_BYTES_MAX.saturating_sub(waiting.len()).min(rest.len());
                let (now, later) = rest.split_at(space);
                waiting.extend_from_slice(now);
                rest = later;
                if waiting.ends_with(b"\n") {
                    tell(stream, waiting, told);
                    waiting.clear();
                } else if waiting.len() >= COMPOSE_PIECE_BYTES_MAX {
                    let whole = waiting.len().saturating_sub(torn(waiting));
                    tell(stream, waiting.get(..whole).unwrap_or_default(), told);
                    waiting.drain(..whole);
                }
            }
        }
    }

    /// Adds what is left, which had no end.
    pub(crate) fn flush(&mut self, told: &mut Vec<u8>) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let waiting = self.waiting(stream);
            if !waiting.is_empty() {
                tell(stream, waiting, told);
                waiting.clear();
            }
        }
    }

    fn waiting(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

fn tell(stream: Stream, bytes: &[u8], told: &mut Vec<u8>) {
    push_line(&Said { stream: stream.name(), text: &String::from_utf8_lossy(bytes) }, told);
}

/// The last line: how it ended, and how much was not told.
pub(crate) fn last_line(success: bool, error: Option<&str>, omitted: u64) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Last<'a> {
        success: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        omitted_bytes: Option<u64>,
    }
    let mut line = Vec::new();
    push_line(
        &Last { success, error, omitted_bytes: Some(omitted).filter(|&omitted| omitted > 0) },
        &mut line,
    );
    line
}

fn push_line(value: &impl Serialize, told: &mut Vec<u8>) {
    #[expect(
        clippy::expect_used,
        reason = "texts, numbers and truth values become JSON, and memory takes them"
    )]
    serde_json::to_writer(&mut *told, value).expect("it is JSON");
    told.push(b'\n');
}

/// How many bytes at the end are the beginning of a character whose rest may still come.
fn torn(bytes: &[u8]) -> usize {
    let (_, tail) = bytes.split_at(bytes.len().saturating_sub(3));
    let Some(begin) = tail.iter().rposition(|byte| byte & 0b1100_0000 != 0b1000_0000) else { return 0 };
    let (_, last) = tail.split_at(begin);
    match std::str::from_utf8(last) {
        Err(error) if error.error_len().is_none() => last.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
