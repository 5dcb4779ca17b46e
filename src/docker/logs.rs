//! What containers print, as the Engine sends it: frames with a header each, or a terminal's bytes.

use std::fmt;

use crate::limits::LOG_FRAME_BYTES_MAX;

const HEADER_BYTES: usize = 8;

/// Who wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Stdin,
    Stdout,
    Stderr,
    /// The Engine itself: why it cannot tell any more.
    Engine,
}

/// A stream of logs on its way. It holds no text: it says where text lies in what was received.
#[derive(Debug)]
pub(crate) enum Logs {
    /// A container without a terminal: every frame says who wrote it.
    Framed(Frames),
    /// A container with one: its bytes, and nothing around them.
    Terminal,
}

impl Logs {
    /// Which of the two it is, only an inspection of the container tells.
    pub(crate) fn new(has_terminal: bool) -> Self {
        if has_terminal { Self::Terminal } else { Self::Framed(Frames::default()) }
    }

    /// Passes over framing at the front of `received`, up to and including one run of text.
    pub(crate) fn cut(&mut self, received: &[u8]) -> Result<Cut, BadFrame> {
        match self {
            Self::Framed(frames) => frames.cut(received),
            Self::Terminal => {
                Ok(Cut { framing: 0, text: received.len(), source: Source::Stdout, left_out: None })
            }
        }
    }

    /// Whether the stream may end here: nothing that was announced is missing.
    pub(crate) fn is_whole(&self) -> bool {
        match self {
            Self::Framed(frames) => frames.have == 0 && frames.left == 0,
            Self::Terminal => true,
        }
    }
}

/// What lies at the front of what was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Bytes before the text: headers, and what is left out.
    pub(crate) framing: usize,
    /// Bytes of text behind them.
    pub(crate) text: usize,
    /// Who wrote the text, or what is left out.
    pub(crate) source: Source,
    /// A frame of so many bytes is too large, and left out as a whole. Said once, where it begins.
    pub(crate) left_out: Option<u32>,
}

/// Where a stream of frames stands.
#[derive(Debug)]
pub(crate) struct Frames {
    header: [u8; HEADER_BYTES],
    /// Bytes of the header so far.
    have: usize,
    /// Bytes of the frame still to come.
    left: usize,
    source: Source,
    is_left_out: bool,
}

impl Default for Frames {
    fn default() -> Self {
        Self { header: [0; HEADER_BYTES], have: 0, left: 0, source: Source::Stdout, is_left_out: false }
    }
}

impl Frames {
    fn cut(&mut self, received: &[u8]) -> Result<Cut, BadFrame> {
        let (mut rest, mut framing) = (received, 0_usize);
        loop {
            let run = self.left.min(rest.len());
            if run > 0 {
                self.left = self.left.saturating_sub(run);
                if !self.is_left_out {
                    return Ok(Cut { framing, text: run, source: self.source, left_out: None });
                }
                framing = framing.saturating_add(run);
                rest = rest.get(run..).unwrap_or_default();
            }
            let Some((&byte, behind)) = rest.split_first() else {
                return Ok(Cut { framing, text: 0, source: self.source, left_out: None });
            };
            (rest, framing) = (behind, framing.saturating_add(1));
            if let Some(size) = self.take(byte)?
                && self.is_left_out
            {
                return Ok(Cut { framing, text: 0, source: self.source, left_out: Some(size) });
            }
        }
    }

    /// Takes a byte of a header; the size of the frame once it is whole.
    fn take(&mut self, byte: u8) -> Result<Option<u32>, BadFrame> {
        if let Some(place) = self.header.get_mut(self.have) {
            *place = byte;
        }
        self.have = self.have.saturating_add(1);
        if self.have < HEADER_BYTES {
            return Ok(None);
        }
        self.have = 0;
        let [source, 0, 0, 0, size @ ..] = self.header else { return Err(BadFrame::Header) };
        self.source = match source {
            0 => Source::Stdin,
            1 => Source::Stdout,
            2 => Source::Stderr,
            3 => Source::Engine,
            other => return Err(BadFrame::Source(other)),
        };
        let size = u32::from_be_bytes(size);
        // No machine's addresses are shorter than the sizes of frames.
        self.left = usize::try_from(size).unwrap_or(usize::MAX);
        self.is_left_out = self.left > LOG_FRAME_BYTES_MAX;
        Ok(Some(size))
    }
}

/// Bytes that are no frame: most likely those of a terminal, taken for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadFrame {
    /// Bytes that are always zero are not.
    Header,
    /// Nobody has this number.
    Source(u8),
}

impl fmt::Display for BadFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("a log frame's header is malformed"),
            Self::Source(number) => write!(f, "a log frame is of stream {number}, which there is not"),
        }
    }
}

impl std::error::Error for BadFrame {}

/// A line that stands where a frame was left out.
pub(crate) fn notice(bytes: u32) -> String {
    format!("[{bytes} bytes were left out: more than {LOG_FRAME_BYTES_MAX} in one piece]\n")
}

#[cfg(test)]
mod tests;
