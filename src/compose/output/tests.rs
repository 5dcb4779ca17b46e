//! What is kept of an output, and how it is told.

use super::*;

fn text(said: &[(Stream, &[u8])]) -> String {
    let mut output = Output::default();
    for (stream, bytes) in said {
        output.push(*stream, bytes);
    }
    output.into_text()
}

const OUT: Stream = Stream::Stdout;
const ERR: Stream = Stream::Stderr;

#[test]
fn one_stream_comes_after_the_other_with_a_line_feed_between() {
    assert_eq!(text(&[]), "");
    assert_eq!(text(&[(OUT, b"a\n")]), "a\n");
    assert_eq!(text(&[(ERR, b"e\n")]), "e\n");
    assert_eq!(text(&[(ERR, b"e"), (OUT, b"a"), (ERR, b"f\n"), (OUT, b"b")]), "ab\nef\n");
    assert_eq!(text(&[(OUT, b"a\n"), (ERR, b"e\n")]), "a\n\ne\n");
    assert_eq!(text(&[(OUT, b"a\xff\xc3"), (OUT, b"\xa9b\xe2\x82")]), "a\u{fffd}éb\u{fffd}");
}

#[test]
fn what_is_beyond_the_bound_is_counted_over_both_streams() {
    let half = vec![b'x'; COMPOSE_OUTPUT_BYTES_MAX / 2];
    let full = text(&[(OUT, &half), (ERR, &half)]);
    assert_eq!(full.len(), COMPOSE_OUTPUT_BYTES_MAX + 1);
    assert!(!full.contains("truncated"));
    let more = text(&[(OUT, &half), (ERR, b"e"), (OUT, &half), (ERR, b"beyond"), (OUT, b"too")]);
    assert!(more.ends_with("x\ne\n[output truncated: 10 bytes left out]\n"));
    assert_eq!(more.len(), COMPOSE_OUTPUT_BYTES_MAX + "\n\n[output truncated: 10 bytes left out]\n".len());
}

#[test]
fn no_character_is_cut_in_half_by_the_bound() {
    let almost = vec![b'x'; COMPOSE_OUTPUT_BYTES_MAX - 2];
    let cut = text(&[(OUT, &almost), (OUT, "☃".as_bytes())]);
    assert!(cut.ends_with("xx\n[output truncated: 3 bytes left out]\n"));
}

fn lines(said: &[(Stream, &[u8])]) -> Vec<(String, String)> {
    let (mut lines, mut told) = (Lines::default(), Vec::new());
    for (stream, bytes) in said {
        lines.push(*stream, bytes, &mut told);
    }
    lines.flush(&mut told);
    read(&told)
}

fn read(told: &[u8]) -> Vec<(String, String)> {
    let read = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line.as_object().unwrap().len(), 2);
        (line["stream"].as_str().unwrap().to_owned(), line["text"].as_str().unwrap().to_owned())
    };
    std::str::from_utf8(told).unwrap().lines().map(read).collect()
}

#[test]
fn a_line_is_told_when_it_is_whole() {
    let (mut lines, mut told) = (Lines::default(), Vec::new());
    lines.push(OUT, b"half", &mut told);
    assert_eq!(told, b"");
    lines.push(ERR, b"e\n", &mut told);
    lines.push(OUT, b" a \"line\"\nnext", &mut told);
    assert_eq!(
        String::from_utf8(told.clone()).unwrap(),
        concat!(
            r#"{"stream":"stderr","text":"e\n"}"#,
            "\n",
            r#"{"stream":"stdout","text":"half a \"line\"\n"}"#,
            "\n"
        )
    );
    told.clear();
    lines.flush(&mut told);
    lines.flush(&mut told);
    assert_eq!(read(&told), [("stdout".into(), "next".into())]);
}

#[test]
fn a_long_line_comes_in_pieces_that_cut_no_character() {
    let long = "☃".repeat(20_000) + "\nend\n";
    for step in [1, 2, 3, 1000, 16 * 1024, 70_000] {
        let said: Vec<_> = long.as_bytes().chunks(step).map(|part| (OUT, part)).collect();
        let told = lines(&said);
        assert!(told.len() > 3);
        assert!(told.iter().all(|(_, text)| text.len() <= COMPOSE_PIECE_BYTES_MAX));
        assert_eq!(told.iter().map(|(_, text)| text.as_str()).collect::<String>(), long, "{step}");
    }
}

#[test]
fn bytes_that_are_no_text_are_told_as_such_and_never_wait_for_ever() {
    let noise: Vec<u8> = [0xff, 0xc3, 0xf0, 0x9f, 0x98].repeat(10_000);
    for step in [1, 7, 50_000] {
        let (mut lines, mut told) = (Lines::default(), Vec::new());
        for part in noise.chunks(step) {
            lines.push(OUT, part, &mut told);
            assert!(lines.stdout.len() < COMPOSE_PIECE_BYTES_MAX);
        }
        lines.flush(&mut told);
        assert!(read(&told).len() >= 3);
    }
    assert_eq!(lines(&[(OUT, b"a\xc3\n")]), [("stdout".into(), "a\u{fffd}\n".into())]);
    assert_eq!(lines(&[(ERR, b"\x80\x80\x80\x80")])[0].1, "\u{fffd}".repeat(4));
}

#[test]
fn the_last_line_says_how_it_ended() {
    for (line, expected) in [
        (last_line(true, None, 0), "{\"success\":true}\n"),
        (last_line(false, Some("exit status 1"), 0), "{\"success\":false,\"error\":\"exit status 1\"}\n"),
        (
            last_line(false, Some("a \"b\"\n"), 7),
            "{\"success\":false,\"error\":\"a \\\"b\\\"\\n\",\"omittedBytes\":7}\n",
        ),
    ] {
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }
}
