//! Doors to what is told of containers: logs, references, times, inspections, and the host's figures.

use std::time::Duration;

use crate::docker::Moment;
use crate::docker::logs::{BadFrame, Logs};
use crate::host;
use crate::inventory::{Container, Flat, Image, Nested, Reference, Secrets, Telling};

/// A file of /proc, whichever it is.
pub fn proc_files(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        host::read_any(text);
    }
}

/// A stream of logs whole and byte by byte: both tell the same text, and never more than came.
pub fn log_stream(bytes: &[u8]) {
    let whole = log_text(bytes, bytes.len().max(1));
    assert_eq!(whole, log_text(bytes, 1), "a stream cut anywhere tells what the whole does");
}

/// A reference to an image: what is read is canonical once it was written.
pub fn image_reference(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(reference) = Reference::parse(text) {
        let canonical = reference.to_string();
        let again = Reference::parse(&canonical).map(|again| again.to_string());
        assert_eq!(again.ok(), Some(canonical), "what is canonical stays so");
    }
}

/// A time for the Engine: what is written is read as the same time.
pub fn moment(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(moment) = Moment::read(text, Duration::from_secs(1_800_000_000)) {
        let again = Moment::read(&moment.to_string(), Duration::ZERO);
        assert_eq!(again, Ok(moment), "a time has one form for the Engine");
    }
}

/// A container's inspection and, behind a line feed, its image's: both shapes can be told.
pub fn inspections(bytes: &[u8]) {
    let at = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let (container, image) = bytes.split_at(at);
    let image = Image::read(image.get(1..).unwrap_or_default().to_vec()).ok();
    if let Ok(container) = Container::read(container) {
        let telling = Telling { agent: None, secrets: Secrets::Told };
        let flat = serde_json::to_vec(&Flat::new(&container, image.as_ref(), &telling));
        assert!(flat.is_ok(), "the flat shape is JSON");
        if let Some(nested) = Nested::new(&container, image.as_ref(), &telling) {
            assert!(serde_json::to_vec(&nested).is_ok(), "the nested shape is JSON");
        }
    }
}

/// Runs of text of a stream that arrives in pieces, and what was left out, or what is wrong with it.
fn log_text(bytes: &[u8], step: usize) -> Result<(Vec<u8>, Vec<u32>), BadFrame> {
    let (mut logs, mut text, mut left_out) = (Logs::new(false), Vec::new(), Vec::new());
    for piece in bytes.chunks(step) {
        let mut rest = piece;
        while !rest.is_empty() {
            let cut = logs.cut(rest)?;
            let (_, behind) = rest.split_at(cut.framing);
            let (run, behind) = behind.split_at(cut.text);
            text.extend_from_slice(run);
            left_out.extend(cut.left_out);
            rest = behind;
        }
    }
    Ok((text, left_out))
}
