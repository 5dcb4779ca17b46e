//! Doors to heads and bodies as they come off a connection, held against a reader that lets almost everything pass.
#![expect(clippy::panic, reason = "a panic is a finding")]

use crate::http::{self, Framing, Headers, Malformed, Method, Unframer, end_of_head, slots};

/// A request's head, as the server finds and reads it.
pub fn request_head(bytes: &[u8]) {
    if let Ok(Some((start, end))) = end_of_head(bytes, 0) {
        assert!(start <= end && end <= bytes.len(), "a head lies within what was received");
        let head = bytes.get(start..end).unwrap_or_default();
        let _ = http::request_head(head, &mut slots());
    }
}

/// The head of an answer.
pub fn response_head(bytes: &[u8]) {
    if let Ok(Some((start, end))) = end_of_head(bytes, 0) {
        let head = bytes.get(start..end).unwrap_or_default();
        let _ = http::response_head(head, Method::Get, &mut slots());
    }
}

/// A chunked body whole and byte by byte: both readings agree, and another reader sees the same end.
pub fn chunked(bytes: &[u8]) {
    body(Framing::Chunked, bytes);
}

/// A message: where its head ends however it arrives, which body it says it has, and where that ends. Nobody who
/// reads more freely than we do sees another length, another coding or another end.
pub fn framing(bytes: &[u8]) {
    let found = end_of_head(bytes, 0);
    let piecewise = (1..=bytes.len())
        .map(|end| end_of_head(bytes.get(..end).unwrap_or_default(), end.saturating_sub(1)))
        .find(|found| *found != Ok(None));
    assert_eq!(
        piecewise.unwrap_or(Ok(None)),
        found,
        "a head that arrives in pieces ends where the whole does"
    );
    let Ok(Some((start, end))) = found else { return };
    let (head, rest) = (bytes.get(start..end).unwrap_or_default(), bytes.get(end..).unwrap_or_default());
    let mut room = slots();
    if let Ok(read) = http::request_head(head, &mut room) {
        assert_ne!(read.framing, Framing::UntilClose, "no request lasts until the connection closes");
        agrees(head, read.framing, read.headers);
        body(read.framing, rest);
        return;
    }
    for method in [Method::Get, Method::Head] {
        let mut room = slots();
        let Ok(read) = http::response_head(head, method, &mut room) else { continue };
        let is_bodiless = method == Method::Head || matches!(read.status.0, 100..200 | 204 | 304);
        assert!(!is_bodiless || read.framing == Framing::None, "this answer has no body, whatever it says");
        if !is_bodiless {
            agrees(head, read.framing, read.headers);
            body(read.framing, rest);
        }
    }
}

/// A free reader finds the very fields that were read, and of those that frame a body only those that were obeyed.
fn agrees(head: &[u8], framing: Framing, headers: Headers<'_>) {
    let fields = fields(head);
    assert_eq!(fields.len(), headers.len(), "no field hides another");
    let named = |name: &[u8]| -> Vec<&Vec<u8>> {
        fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value).collect()
    };
    let (lengths, codings) = (named(b"content-length"), named(b"transfer-encoding"));
    let seen = match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => "nothing".to_owned(),
        ([length], []) => String::from_utf8_lossy(length).trim_start_matches('0').to_owned(),
        ([], [coding]) => String::from_utf8_lossy(coding).to_ascii_lowercase(),
        _ => panic!("several fields frame one body"),
    };
    let told = match framing {
        Framing::None | Framing::UntilClose => "nothing".to_owned(),
        Framing::Length(0) => String::new(),
        Framing::Length(length) => length.to_string(),
        Framing::Chunked => "chunked".to_owned(),
    };
    assert_eq!(seen, told, "whoever reads more freely sees the same framing");
}

/// Names and values to a reader for whom any carriage return or line feed ends a line, and blanks and control
/// characters around a name or a value are nothing.
fn fields(head: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let lines = head.split(|byte| matches!(byte, b'\r' | b'\n')).skip(1);
    let pairs = lines.filter(|line| !bare(line).is_empty()).map(|line| {
        let at = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(at);
        (bare(name).to_ascii_lowercase(), bare(value.get(1..).unwrap_or_default()))
    });
    pairs.collect()
}

fn bare(text: &[u8]) -> Vec<u8> {
    let is_nothing = |byte: &u8| *byte <= b' ' || *byte == 0x7f;
    let from = text.iter().position(|byte| !is_nothing(byte)).unwrap_or(text.len());
    let to = text.iter().rposition(|byte| !is_nothing(byte)).map_or(from, |at| at.saturating_add(1));
    text.get(from..to).unwrap_or_default().to_vec()
}

/// A body whole and byte by byte reads alike, and what has ended ends there for another reader too.
fn body(framing: Framing, bytes: &[u8]) {
    let whole = unframe(framing, bytes, bytes.len().max(1));
    assert_eq!(whole, unframe(framing, bytes, 1), "a body cut anywhere reads as the whole does");
    let Ok(body) = whole else { return };
    let expected = match framing {
        Framing::None => Some((Vec::new(), 0)),
        Framing::Length(length) => {
            let end = usize::try_from(length).unwrap_or(usize::MAX);
            bytes.get(..end).map(|content| (content.to_vec(), end))
        }
        Framing::Chunked => Loose { rest: bytes, all: bytes.len() }.body(),
        Framing::UntilClose => None,
    };
    // The other one takes for an end what we may still refuse, and never the other way round.
    if body.has_ended {
        assert_eq!(Some((body.content, body.used)), expected, "the body ends here for others too");
    } else {
        assert_eq!(body.used, bytes.len(), "a body that goes on takes everything");
    }
}

#[derive(Debug, PartialEq)]
struct Unframed {
    content: Vec<u8>,
    used: usize,
    has_ended: bool,
}

/// The content of a body that arrives in pieces and where it ended, or what is wrong with it.
fn unframe(framing: Framing, bytes: &[u8], step: usize) -> Result<Unframed, Malformed> {
    let (mut unframer, mut content, mut used) = (Unframer::new(framing), Vec::new(), 0_usize);
    for piece in bytes.chunks(step) {
        let mut rest = piece;
        while !rest.is_empty() && !unframer.has_ended() {
            let cut = unframer.cut(rest)?;
            let (_, after) = rest.split_at(cut.framing);
            let (run, after) = after.split_at(cut.content);
            content.extend_from_slice(run);
            used = used.saturating_add(cut.framing).saturating_add(cut.content);
            rest = after;
        }
    }
    Ok(Unframed { content, used, has_ended: unframer.has_ended() })
}

/// A reader of chunks that stops at nothing: digits up to whatever is none, lines up to a line feed.
struct Loose<'b> {
    rest: &'b [u8],
    all: usize,
}

impl<'b> Loose<'b> {
    fn body(mut self) -> Option<(Vec<u8>, usize)> {
        let mut content = Vec::new();
        loop {
            let line = self.line()?;
            let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
            let digits = std::str::from_utf8(line.get(..digits)?).ok()?;
            let size = usize::from_str_radix(digits, 16).ok()?;
            if size == 0 {
                while !bare(self.line()?).is_empty() {}
                return Some((content, self.all.saturating_sub(self.rest.len())));
            }
            let (run, rest) = self.rest.split_at_checked(size)?;
            content.extend_from_slice(run);
            self.rest = rest;
            self.line()?;
        }
    }

    /// Up to a line feed, which is taken.
    fn line(&mut self) -> Option<&'b [u8]> {
        let at = self.rest.iter().position(|&byte| byte == b'\n')?;
        let (line, rest) = self.rest.split_at(at);
        self.rest = rest.get(1..)?;
        Some(line)
    }
}
