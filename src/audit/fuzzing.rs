//! Doors for the fuzzers, to what only this room sees.
#![expect(clippy::panic, reason = "a panic is a finding")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};

use super::chain::Chain;
use super::tail::{self, Torn};
use super::verify::signed_text;
use super::{Event, Expected, Fault, Record, Report, Verifier};

/// The first byte says what the rest is: files as they lie there, lines that are to be sealed, what is done to a
/// trail that was whole, or something of which there is very much.
pub(crate) fn verify(bytes: &[u8]) {
    let Some((&how, rest)) = bytes.split_first() else { return };
    match how & 3 {
        0 => {
            let files: Vec<_> = rest.split(|&byte| byte == 0xff).collect();
            held(&files);
        }
        1 => held(&[&sealed(rest)]),
        2 => changed(rest),
        // What took longer than in proportion would never end.
        _ => held(&[&rest.repeat(VERY_MUCH.div_ceil(rest.len().max(1)).min(VERY_MUCH))]),
    }
}

const VERY_MUCH: usize = 128 * 1024;

/// Reads files, oldest first.
fn read(files: &[&[u8]], expected: Expected) -> Result<Report, Fault> {
    let mut verifier = Verifier::new(&is_signed, expected);
    for (at, file) in files.iter().enumerate() {
        if at > 0 {
            verifier.next_file();
        }
        for line in file.split_inclusive(|byte| *byte == b'\n') {
            verifier.line(line)?;
        }
    }
    verifier.end()
}

/// The agent's key signs with a hash: what it signs is this room's, how is not.
fn signature(message: &[u8]) -> [u8; 64] {
    let half: [u8; 32] = Sha256::digest(message).into();
    let mut whole = [0; 64];
    whole.iter_mut().zip(half.iter().cycle()).for_each(|(to, from)| *to = *from);
    whole
}

fn is_signed(key: &str, message: &[u8], said: &[u8; 64]) -> bool {
    key == "ours" && signature(message) == *said
}

/// What is called whole is so for a reader that shares nothing with ours; and where a file's chain goes on is behind
/// the last record that it sees.
fn held(files: &[&[u8]]) {
    let seen: Vec<_> = files.iter().flat_map(|file| file.split(|&byte| byte == b'\n')).map(plain).collect();
    if let Ok(report) = read(files, Expected::default()) {
        let records: Vec<_> = seen.iter().flatten().collect();
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        assert_eq!(report.records, count, "every record counts");
        for two in records.windows(2) {
            let [one, next] = two else { continue };
            assert_eq!(
                (one.seq.checked_add(1), &one.hash),
                (Some(next.seq), &next.prev),
                "each stands behind one"
            );
        }
        let (first, last) = (records.first(), records.last());
        assert_eq!(report.first, first.map_or(0, |record| record.seq), "the first is told");
        assert_eq!(report.last, last.map_or(0, |record| record.seq), "the last is told");
        assert_eq!(report.head, last.map_or("", |record| &record.hash), "its hash is told");
        let strays = seen.split(Option::is_some).filter(|lines| !lines.is_empty()).count();
        // Behind the last line end stands one more, which is empty.
        let ends = files.iter().filter(|file| file.last().is_none_or(|&byte| byte == b'\n')).count();
        let torn = usize::try_from(report.torn).unwrap_or(usize::MAX);
        assert!((strays.saturating_sub(ends)..=strays).contains(&torn), "what is no record was told of");
    }
    let Some(file) = files.first() else { return };
    let last = file.rsplit(|&byte| byte == b'\n').find_map(plain);
    match tail::of_chain(scratch(file)) {
        Ok((chain, _)) => {
            let head = chain.and_then(|chain| chain.head());
            assert_eq!(
                head,
                last.map(|last| (last.seq, last.hash)),
                "the chain goes on behind the last record"
            );
        }
        Err(error) => panic!("{error}"),
    }
}

/// A file that has no name, with this in it.
fn scratch(bytes: &[u8]) -> &'static File {
    static FILE: OnceLock<File> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let path = std::env::temp_dir().join(format!("lookout-fuzz-{}", std::process::id()));
        let made = File::options().read(true).write(true).create_new(true).open(&path);
        let removed = std::fs::remove_file(&path);
        made.and_then(|file| removed.map(|()| file)).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    });
    file.set_len(0).and_then(|()| file.write_all_at(bytes, 0)).unwrap_or_else(|why| panic!("{why}"));
    file
}

struct Plain {
    seq: u64,
    prev: String,
    hash: String,
}

/// A record, to whoever knows only what the documents say: the hash is that of the line up to its own member.
fn plain(line: &[u8]) -> Option<Plain> {
    let text = std::str::from_utf8(line).ok()?;
    let (sealed, rest) = text.rsplit_once(r#","hash":""#)?;
    let hash = HEXLOWER.encode(&Sha256::digest(sealed));
    let (sealed, prev) = sealed.rsplit_once(r#","prev":""#).filter(|_| rest == format!("{hash}\"}}"))?;
    let (_, seq) = sealed.rsplit_once(r#","seq":"#)?;
    let is_plain = seq.bytes().all(|byte| byte.is_ascii_digit()) && !seq.starts_with('0');
    let prev = prev
        .strip_suffix('"')
        .filter(|prev| prev.len() == hash.len() && is_plain && line.starts_with(b"{"))?;
    let is_hex = prev.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let seq = seq.parse().ok().filter(|_| is_hex)?;
    Some(Plain { seq, prev: prev.to_owned(), hash })
}

/// Lines that begin as objects become records of one chain, in which `@bytes` and `@hash` are those of the lines
/// before that are none, and `@signature` is ours. The others stay as they are.
fn sealed(lines: &[u8]) -> Vec<u8> {
    let (mut chain, mut strays, mut file) = (Chain::new(), None::<Torn>, Vec::new());
    for line in lines.split(|&byte| byte == b'\n') {
        if line.starts_with(b"{") {
            let strays = strays.take();
            let (bytes, hash) = strays.map_or((0, String::new()), |torn| (torn.bytes(), torn.hash()));
            let signature = signature(signed_text(chain.next(), &chain.prev()).as_bytes());
            let text = String::from_utf8_lossy(line)
                .replace("@bytes", &bytes.to_string())
                .replace("@hash", &hash)
                .replace("@signature", &BASE64URL_NOPAD.encode(&signature));
            let mut open = text.strip_suffix('}').unwrap_or(&text).as_bytes().to_vec();
            chain.seal(&mut open);
            file.extend(open);
        } else {
            match &mut strays {
                Some(torn) => torn.line(line),
                None => strays = Some(Torn::new(line)),
            }
            file.extend_from_slice(line);
        }
        file.push(b'\n');
    }
    file
}

/// A trail that is whole: two files, with a place that is torn and told of, and a signed checkpoint.
struct Whole {
    bytes: Vec<u8>,
    /// Where the second file begins.
    second: usize,
    head: (u64, String),
}

fn whole() -> &'static Whole {
    static WHOLE: OnceLock<Whole> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let (mut bytes, mut chain, mut second) = (Vec::new(), Chain::new(), 0);
        let push = |chain: &mut Chain, bytes: &mut Vec<u8>, record: Record| {
            let mut line = record.line(std::time::Duration::from_secs(1_800_000_000));
            chain.seal(&mut line);
            bytes.extend(line);
            bytes.push(b'\n');
        };
        for event in [Event::Start, Event::ApiRequest, Event::AuthFailure] {
            push(&mut chain, &mut bytes, Record::new(event));
        }
        let torn = br#"{"time":"2027-01-15T08:00:00Z","event":"api_requ"#;
        bytes.extend_from_slice(torn);
        bytes.push(b'\n');
        let torn = Torn::new(torn);
        let (count, hash) = (Some(torn.bytes()), Some(torn.hash()));
        push(
            &mut chain,
            &mut bytes,
            Record { torn: count, torn_hash: hash, ..Record::new(Event::Recovered) },
        );
        let (key, signed) =
            (Some("ours".to_owned()), signature(signed_text(chain.next(), &chain.prev()).as_bytes()));
        let signed = Some(BASE64URL_NOPAD.encode(&signed));
        push(&mut chain, &mut bytes, Record { key, signature: signed, ..Record::new(Event::Checkpoint) });
        second = second.max(bytes.len());
        for event in [Event::ApiRequest, Event::ExecStart, Event::Stop] {
            push(&mut chain, &mut bytes, Record::new(event));
        }
        let head = chain.head().unwrap_or_else(|| panic!("the trail has a head"));
        let files = bytes.split_at(second);
        assert!(read(&[files.0, files.1], Expected::default()).is_ok(), "the trail was whole");
        Whole { bytes, second, head }
    })
}

/// A trail to which something was done is never the whole it was; at most it is a part of it.
fn changed(edits: &[u8]) {
    let whole = whole();
    let bytes = edits.chunks_exact(4).take(16).fold(whole.bytes.clone(), edit);
    let files = bytes.split_at(whole.second.min(bytes.len()));
    let files = [files.0, files.1];
    let known = Expected { first: Some(1), head: Some(whole.head.clone()) };
    let is_same = bytes == whole.bytes;
    assert_eq!(read(&files, known).is_ok(), is_same, "whoever knows its head sees every change");
    // What stands behind the last record that is forged would tell.
    let is_forged = edits.chunks_exact(4).any(|edit| edit.first().is_some_and(|what| what & 7 == 6));
    let is_part = bytes.is_empty() || whole.bytes.windows(bytes.len()).any(|part| part == bytes);
    let is_whole = read(&files, Expected::default()).is_ok();
    assert!(!is_whole || is_forged || is_part, "what is called whole is a part of what was written");
    held(&files);
}

/// One change: what is done, where, and with what.
fn edit(mut bytes: Vec<u8>, edit: &[u8]) -> Vec<u8> {
    let &[what, high, low, value] = edit else { return bytes };
    let at = usize::from(u16::from_be_bytes([high, low])).checked_rem(bytes.len()).unwrap_or(0);
    match what & 7 {
        0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = value),
        1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (value & 7)),
        2 => bytes.insert(at, value),
        3 => drop(bytes.drain(at..at.saturating_add(value.into()).min(bytes.len()))),
        4 => bytes.truncate(at),
        what => return edit_lines(&bytes, what, high, low),
    }
    bytes
}

/// A record that says something else, and whose own hash fits that.
fn forged(line: &[u8], what: u8) -> Vec<u8> {
    let Some(record) = line.strip_suffix(b"\n").and_then(plain) else { return line.to_vec() };
    let mut prev = [0; 32];
    let is_read = HEXLOWER.decode_mut(record.prev.as_bytes(), &mut prev);
    assert!(is_read.is_ok(), "a record names another");
    let mut forged = format!(r#"{{"event":"api_request","status":{what}"#).into_bytes();
    Chain::after(record.seq.saturating_sub(1), prev).seal(&mut forged);
    forged.push(b'\n');
    forged
}

/// Two lines change their places, one stands twice or says something else, or one is gone.
fn edit_lines(bytes: &[u8], what: u8, high: u8, low: u8) -> Vec<u8> {
    let mut lines: Vec<_> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
    let place = |number: u8| usize::from(number).checked_rem(lines.len());
    let (Some(one), Some(other)) = (place(high), place(low)) else { return Vec::new() };
    match what {
        5 => lines.swap(one, other),
        6 if low & 0x80 != 0 => {
            let forged = lines.get(one).map(|line| forged(line, low)).unwrap_or_default();
            return lines
                .iter()
                .enumerate()
                .flat_map(|(at, line)| if at == one { &forged } else { *line })
                .copied()
                .collect();
        }
        6 => lines.insert(other, lines.get(one).copied().unwrap_or_default()),
        _ => drop(lines.remove(one)),
    }
    lines.concat()
}
