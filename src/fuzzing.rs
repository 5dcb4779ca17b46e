//! Doors for the fuzzers; built only under `cfg(fuzzing)`.

use crate::http::{self, Framing, Method, Unframer, end_of_head, slots};

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

/// A chunked body whole and byte by byte: both readings agree.
pub fn framing(bytes: &[u8]) {
    let whole = unframe(bytes, bytes.len().max(1));
    assert_eq!(whole, unframe(bytes, 1), "a body cut anywhere reads as the whole does");
}

/// A target.
pub fn target(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(target) = http::Target::parse(text) {
            assert!(!target.path().split('/').any(|segment| segment == ".."), "no segment leads upwards");
        }
    }
}

/// The content of a chunked body that arrives in pieces, or what is wrong with it.
fn unframe(bytes: &[u8], step: usize) -> Result<Vec<u8>, http::Malformed> {
    let (mut unframer, mut content) = (Unframer::new(Framing::Chunked), Vec::new());
    for piece in bytes.chunks(step) {
        let mut rest = piece;
        while !rest.is_empty() && !unframer.has_ended() {
            let cut = unframer.cut(rest)?;
            let (_, after) = rest.split_at(cut.framing);
            let (run, after) = after.split_at(cut.content);
            content.extend_from_slice(run);
            rest = after;
        }
    }
    Ok(content)
}
