//! What the agent and its runner say to each other: lists of words, each of any bytes, with their lengths before them.

use std::io::{self, ErrorKind, Read, Write};

use crate::limits::COMPOSE_WORDS_BYTES_MAX;

/// A list as one word, so that a list may stand in a list.
pub(super) fn joined<W: AsRef<[u8]>>(words: impl IntoIterator<Item = W>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in words {
        let word = word.as_ref();
        bytes.extend_from_slice(&u32::try_from(word.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(word);
    }
    bytes
}

/// The list that was joined.
pub(super) fn parted(mut bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk().ok_or(ErrorKind::InvalidData)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(io::Error::other)?;
        let (word, rest) = rest.split_at_checked(length).ok_or(ErrorKind::InvalidData)?;
        words.push(word.to_owned());
        bytes = rest;
    }
    Ok(words)
}

pub(super) fn write<W: AsRef<[u8]>>(
    to: &mut impl Write,
    words: impl IntoIterator<Item = W>,
) -> io::Result<()> {
    let list = joined(words);
    if list.len() > COMPOSE_WORDS_BYTES_MAX {
        return Err(ErrorKind::ArgumentListTooLong.into());
    }
    to.write_all(&joined([list]))
}

/// The next list; `None` where the other one is gone.
pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Vec<Vec<u8>>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        outcome => outcome?,
    }
    let length = usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?;
    if length > COMPOSE_WORDS_BYTES_MAX {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut list = vec![0; length];
    from.read_exact(&mut list)?;
    parted(&list).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_the_end_is_none() {
        let inner = joined(["-f", "", "a b"]);
        let mut wire = Vec::new();
        write(&mut wire, [b"start".as_slice(), &inner, b"\xff\n"]).unwrap();
        write(&mut wire, [""; 0]).unwrap();
        let mut wire = wire.as_slice();
        let told = read(&mut wire).unwrap().unwrap();
        assert_eq!(told, [b"start".as_slice(), &inner, b"\xff\n"]);
        assert_eq!(parted(&told[1]).unwrap(), [b"-f".as_slice(), b"", b"a b"]);
        assert_eq!(read(&mut wire).unwrap(), Some(Vec::new()));
        assert_eq!(read(&mut wire).unwrap(), None);
    }

    #[test]
    fn what_is_cut_or_too_long_is_refused() {
        let whole = joined([joined(["word"])]);
        for length in 4..whole.len() {
            assert!(read(&mut &whole[..length]).is_err(), "{length}");
        }
        for broken in [&b"\x01\0\0"[..], b"\x02\0\0\0a", b"\xff\xff\xff\xffa"] {
            assert!(parted(broken).is_err());
        }
        let far = u32::try_from(COMPOSE_WORDS_BYTES_MAX + 1).unwrap().to_le_bytes();
        assert_eq!(read(&mut far.as_slice()).unwrap_err().kind(), ErrorKind::InvalidData);
        let long = vec![0; COMPOSE_WORDS_BYTES_MAX];
        assert_eq!(write(&mut Vec::new(), [long]).unwrap_err().kind(), ErrorKind::ArgumentListTooLong);
    }
}
