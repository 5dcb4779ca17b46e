//! PEM: base64 between two lines, in the midst of whatever else a file holds.

use data_encoding::BASE64;
use zeroize::Zeroizing;

/// Bytes a line holds: 64 columns.
const LINE_BYTES: usize = 48;
const DASHES: &[u8] = b"-----";

/// Why there is no block to read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadPem {
    NoBlock,
    /// There are blocks, and the first has this label.
    Label(String),
    Malformed,
}

/// The first block of this label; what stands before and after it is not looked at.
pub(super) fn read(text: &[u8], label: &str) -> Result<Zeroizing<Vec<u8>>, BadPem> {
    let mut first_label = None;
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    while let Some(line) = lines.next() {
        match boundary(line, b"BEGIN ") {
            Some(found) if found == label.as_bytes() => return body(lines, label),
            Some(found) if first_label.is_none() => {
                first_label = Some(String::from_utf8_lossy(found).escape_debug().to_string());
            }
            _ => {}
        }
    }
    Err(first_label.map_or(BadPem::NoBlock, BadPem::Label))
}

/// The label of a line `-----BEGIN label-----`.
fn boundary<'l>(line: &'l [u8], word: &[u8]) -> Option<&'l [u8]> {
    line.strip_prefix(DASHES)?.strip_prefix(word)?.strip_suffix(DASHES)
}

/// What the lines say up to the one that ends the block, gathered in one place that is wiped.
fn body<'t>(lines: impl Iterator<Item = &'t [u8]>, label: &str) -> Result<Zeroizing<Vec<u8>>, BadPem> {
    let mut pieces: Vec<&[u8]> = Vec::new();
    for line in lines {
        if let Some(found) = boundary(line, b"END ") {
            let encoded = Zeroizing::new(pieces.concat());
            let decoded = BASE64.decode(&encoded).ok().filter(|_| found == label.as_bytes());
            return decoded.map(Zeroizing::new).ok_or(BadPem::Malformed);
        }
        pieces.push(line);
    }
    Err(BadPem::Malformed)
}

/// A block, in one allocation: no copy of a key is left behind by growing.
pub(crate) fn write(label: &str, bytes: &[u8]) -> String {
    let lines = bytes.chunks(LINE_BYTES);
    let longest = LINE_BYTES.saturating_mul(2);
    let capacity = lines.len().saturating_mul(longest).saturating_add(label.len().saturating_add(longest));
    let mut text = String::with_capacity(capacity);
    for part in ["-----BEGIN ", label, "-----\n"] {
        text.push_str(part);
    }
    for line in lines {
        BASE64.encode_append(line, &mut text);
        text.push('\n');
    }
    for part in ["-----END ", label, "-----\n"] {
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label_of(text: &str) -> Result<Vec<u8>, BadPem> {
        read(text.as_bytes(), "WANTED").map(|bytes| bytes.to_vec())
    }

    #[test]
    fn the_first_block_of_the_label_is_found_in_the_midst_of_other_text() {
        for text in [
            "-----BEGIN WANTED-----\nAQID\n-----END WANTED-----\n",
            "-----BEGIN WANTED-----\r\nAQ\r\nID\r\n-----END WANTED-----",
            "ed25519 AAAA comment\n-----BEGIN WANTED-----\nAQID\n-----END WANTED-----\nafter \u{e4}",
            "  -----BEGIN WANTED-----\n  AQID \n\n-----END WANTED-----",
            "-----BEGIN OTHER-----\n!\n-----END OTHER-----\n-----BEGIN WANTED-----\nAQID\n-----END WANTED-----\n",
            "-----BEGIN WANTED-----\nAQID\n-----END WANTED-----\n-----BEGIN WANTED-----\nBBBB\n-----END WANTED-----\n",
        ] {
            assert_eq!(label_of(text), Ok(vec![1, 2, 3]), "{text}");
        }
    }

    #[test]
    fn what_stands_in_place_of_the_block_is_told() {
        for text in ["", "AQID", "-----BEGIN WANTED----", "----BEGIN WANTED-----", "a -----BEGIN WANTED-----"]
        {
            assert_eq!(label_of(text), Err(BadPem::NoBlock), "{text}");
        }
        for text in ["-----BEGIN OTHER-----\n-----BEGIN THIRD-----\n", "-----BEGIN OTHER-----\nAQID"] {
            assert_eq!(label_of(text), Err(BadPem::Label("OTHER".to_owned())), "{text}");
        }
        assert_eq!(label_of("-----BEGIN \u{1b}[31m-----"), Err(BadPem::Label("\\u{1b}[31m".to_owned())));
    }

    #[test]
    fn a_block_that_does_not_end_or_is_not_base64_is_malformed() {
        for body in [
            "AQID",
            "AQID\n-----END OTHER-----",
            "AQID\n-----BEGIN WANTED-----\n-----END WANTED-----",
            "AQI\n-----END WANTED-----",
            "AQJ=\n-----END WANTED-----",
            "A QID\n-----END WANTED-----",
            "Proc-Type: 4,ENCRYPTED\n\nAQID\n-----END WANTED-----",
        ] {
            assert_eq!(
                label_of(&format!("-----BEGIN WANTED-----\n{body}")),
                Err(BadPem::Malformed),
                "{body}"
            );
        }
    }

    #[test]
    fn what_is_written_has_64_columns_and_is_read_again() {
        for len in [0, 1, 47, 48, 49, 96, 255] {
            let bytes: Vec<u8> = (0..len).collect();
            let text = write("WANTED", &bytes);
            assert!(text.lines().all(|line| line.len() <= 64));
            assert_eq!(label_of(&text), Ok(bytes));
        }
        let text = write("X", &[0; 48]);
        assert_eq!(text, format!("-----BEGIN X-----\n{}\n-----END X-----\n", "A".repeat(64)));
    }
}
