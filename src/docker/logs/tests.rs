//! Log streams cut at every byte, frames at their limits, and what the Engine really sent.

use super::*;

/// As the Engine sent them: three lines of two streams, and two lines of a terminal.
const LINES: &[u8] = include_bytes!("../../../tests/fixtures/logs/lines.bin");
const TERMINAL: &[u8] = include_bytes!("../../../tests/fixtures/logs/terminal.bin");

fn frame(source: u8, text: &[u8]) -> Vec<u8> {
    let size = u32::try_from(text.len()).unwrap().to_be_bytes();
    [&[source, 0, 0, 0], size.as_slice(), text].concat()
}

type Told = Vec<(Source, Result<Vec<u8>, u32>)>;

/// What a stream tells that arrives in pieces: runs of one source joined, and what is left out.
fn told(pieces: &[&[u8]]) -> Result<(Told, bool), BadFrame> {
    let mut logs = Logs::new(false);
    let mut told: Told = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let cut = logs.cut(rest)?;
            let (_, behind) = rest.split_at(cut.framing);
            let (text, behind) = behind.split_at(cut.text);
            rest = behind;
            if let Some(bytes) = cut.left_out {
                assert!(text.is_empty());
                told.push((cut.source, Err(bytes)));
            }
            match told.last_mut() {
                _ if text.is_empty() => {}
                Some((source, Ok(run))) if *source == cut.source => run.extend_from_slice(text),
                _ => told.push((cut.source, Ok(text.to_vec()))),
            }
        }
    }
    Ok((told, logs.is_whole()))
}

fn text(source: Source, text: &str) -> (Source, Result<Vec<u8>, u32>) {
    (source, Ok(text.as_bytes().to_vec()))
}

#[test]
fn what_the_engine_sent_is_told_apart() {
    let lines = [
        text(Source::Stdout, "2026-11-20T14:46:43.542773078Z one\n"),
        text(Source::Stderr, "2026-11-20T14:46:43.744174473Z two\n"),
        text(Source::Stdout, "2026-11-20T14:46:43.972223341Z three"),
    ];
    assert_eq!(told(&[LINES]), Ok((lines.to_vec(), true)));
}

#[test]
fn a_terminal_has_no_frames() {
    let mut logs = Logs::new(true);
    let cut = logs.cut(TERMINAL).unwrap();
    assert_eq!((cut.framing, cut.text, cut.left_out), (0, TERMINAL.len(), None));
    assert_eq!(TERMINAL, b"one\r\ntwo\r\n");
    assert!(logs.is_whole());
    // Taken for frames, it is refused rather than swallowed.
    assert_eq!(told(&[TERMINAL]), Err(BadFrame::Header));
}

#[test]
fn a_stream_cut_at_any_two_bytes_tells_the_same() {
    let too_large = vec![b'x'; LOG_FRAME_BYTES_MAX + 1];
    let stream = [
        frame(1, b"out"),
        frame(2, b""),
        frame(0, b"in"),
        frame(2, &too_large),
        frame(2, b"err"),
        frame(3, b"the engine"),
    ]
    .concat();
    let whole = told(&[&stream]).unwrap();
    let expected = [
        text(Source::Stdout, "out"),
        text(Source::Stdin, "in"),
        (Source::Stderr, Err(u32::try_from(too_large.len()).unwrap())),
        text(Source::Stderr, "err"),
        text(Source::Engine, "the engine"),
    ];
    assert_eq!(whole, (expected.to_vec(), true));
    // Every byte but those in the middle of what is left out, which are all alike.
    let near: Vec<_> = (0..=stream.len()).filter(|at| *at < 64 || stream.len() - at < 64).collect();
    for &first in &near {
        for &second in near.iter().filter(|second| **second >= first) {
            let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
            assert_eq!(told(&pieces).unwrap(), whole, "{first} {second}");
        }
    }
    let bytes: Vec<_> = stream.chunks(1).collect();
    assert_eq!(told(&bytes).unwrap(), whole);
}

#[test]
fn the_largest_frame_is_told_and_one_byte_more_is_not() {
    let largest = vec![b'x'; LOG_FRAME_BYTES_MAX];
    let (all, is_whole) = told(&[&frame(1, &largest)]).unwrap();
    assert_eq!((all, is_whole), (vec![(Source::Stdout, Ok(largest))], true));
    let larger = u32::try_from(LOG_FRAME_BYTES_MAX + 1).unwrap();
    let header = [&[1, 0, 0, 0], larger.to_be_bytes().as_slice()].concat();
    assert_eq!(told(&[&header]), Ok((vec![(Source::Stdout, Err(larger))], false)));
    assert_eq!(notice(larger), "[262145 bytes were left out: more than 262144 in one piece]\n");
}

#[test]
fn a_frame_as_large_as_its_header_can_say_takes_no_memory() {
    let header = [2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
    let mut logs = Logs::new(false);
    assert_eq!(logs.cut(&header).unwrap().left_out, Some(u32::MAX));
    let block = [b'x'; 4096];
    for _ in 0..1000 {
        let cut = logs.cut(&block).unwrap();
        assert_eq!((cut.framing, cut.text, cut.left_out), (block.len(), 0, None));
    }
    assert!(!logs.is_whole());
    assert!(size_of::<Logs>() <= 48);
}

#[test]
fn an_end_inside_a_frame_is_seen() {
    let stream = [frame(1, b"out"), frame(2, b"err")].concat();
    for end in 0..=stream.len() {
        let is_whole = [0, 11, 22].contains(&end);
        assert_eq!(told(&[&stream[..end]]).unwrap().1, is_whole, "{end}");
    }
}

#[test]
fn bytes_that_are_no_frames_are_refused() {
    for (bytes, why) in [
        (&b"plain text, not framed"[..], BadFrame::Header),
        (&[4, 0, 0, 0, 0, 0, 0, 1], BadFrame::Source(4)),
        (&[255, 0, 0, 0, 0, 0, 0, 0], BadFrame::Source(255)),
        (&[1, 1, 0, 0, 0, 0, 0, 0], BadFrame::Header),
        (&[1, 0, 1, 0, 0, 0, 0, 0], BadFrame::Header),
        (&[1, 0, 0, 1, 0, 0, 0, 0], BadFrame::Header),
    ] {
        assert_eq!(told(&[bytes]).unwrap_err(), why);
    }
    assert_eq!(BadFrame::Source(4).to_string(), "a log frame is of stream 4, which there is not");
}
