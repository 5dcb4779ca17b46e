//! What heads are taken and what heads are refused.

use super::*;

fn refusal(head: &str) -> Malformed {
    match end_of_head(head.as_bytes(), 0) {
        Err(why) => why,
        Ok(None) => panic!("incomplete: {head:?}"),
        Ok(Some((start, end))) => request_head(&head.as_bytes()[start..end], &mut slots()).expect_err(head),
    }
}

fn with_head<R>(head: &str, look: impl FnOnce(RequestHead<'_>) -> R) -> R {
    let (start, end) = end_of_head(head.as_bytes(), 0).unwrap().unwrap();
    look(request_head(&head.as_bytes()[start..end], &mut slots()).unwrap())
}

fn with_header(line: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: h\r\n{line}\r\n\r\n")
}

#[test]
fn a_plain_head_says_what_it_asks() {
    with_head("\r\nPOST /v1.41/x?y=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", |head| {
        assert_eq!((head.method, head.target.path()), (Method::Post, "/v1.41/x"));
        assert_eq!((head.framing, head.keep_alive, head.is_http_10), (Framing::Length(3), true, false));
        assert_eq!(head.values("HOST").collect::<Vec<_>>(), [b"h"]);
    });
}

#[test]
fn first_lines_that_are_refused() {
    for (line, why) in [
        ("", Malformed::StartLine),
        ("GET", Malformed::StartLine),
        ("GET /", Malformed::StartLine),
        ("GET  / HTTP/1.1", Malformed::StartLine),
        ("GET / HTTP/1.1 ", Malformed::LineEnd),
        ("GET / HTTP/1.2", Malformed::Version),
        ("GET / HTTP/2.0", Malformed::Version),
        ("PRI * HTTP/2.0", Malformed::Version),
        ("GET / http/1.1", Malformed::StartLine),
        ("GET /a b HTTP/1.1", Malformed::StartLine),
        ("get / HTTP/1.1", Malformed::UnknownMethod),
        ("TRACE / HTTP/1.1", Malformed::UnknownMethod),
        ("CONNECT evil:80 HTTP/1.1", Malformed::UnknownMethod),
        ("OPTIONS * HTTP/1.1", Malformed::NotOriginForm),
        ("GET http://evil/ HTTP/1.1", Malformed::NotOriginForm),
        ("GET /../x HTTP/1.1", Malformed::PathSegment),
    ] {
        assert_eq!(refusal(&format!("{line}\r\nHost: h\r\n\r\n")), why, "{line}");
    }
    assert_eq!(end_of_head(b"\x16\x03\x01", 0), Err(Malformed::TlsOnPlainPort));
}

#[test]
fn header_lines_that_are_refused() {
    for (line, why) in [
        ("X : y", Malformed::HeaderLine),
        (" X: folded", Malformed::HeaderLine),
        ("X: a\r\n b", Malformed::HeaderLine),
        ("X: a\r\n\tb", Malformed::HeaderLine),
        ("X", Malformed::HeaderLine),
        (": y", Malformed::HeaderLine),
        ("X: a\0b", Malformed::HeaderLine),
        ("X: a\rb", Malformed::HeaderLine),
        ("X: a\u{7f}b", Malformed::HeaderLine),
        ("X: a\nY: b", Malformed::LineEnd),
        ("Host: h", Malformed::TwoHosts),
        ("Expect: 200-ok", Malformed::Expectation),
        ("Content-Length: 1\r\nContent-Length: 1", Malformed::TwoContentLengths),
        ("Content-Length: 1\r\nTransfer-Encoding: chunked", Malformed::LengthAndChunked),
        ("Transfer-Encoding: gzip", Malformed::TransferCoding),
    ] {
        assert_eq!(refusal(&with_header(line)), why, "{line:?}");
    }
    assert_eq!(refusal("GET / HTTP/1.1\r\n\r\n"), Malformed::NoHost);
    assert_eq!(refusal("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Malformed::ChunkedInHttp10);
}

#[test]
fn connections_are_kept_as_the_version_says() {
    for (version, connection, kept) in [
        ("1.1", "", true),
        ("1.1", "close", false),
        ("1.1", "keep-alive, Close", false),
        ("1.0", "", false),
        ("1.0", "Keep-Alive", true),
    ] {
        let head = format!("GET / HTTP/{version}\r\nHost: h\r\nConnection: {connection}\r\n\r\n");
        with_head(&head, |head| assert_eq!(head.keep_alive, kept, "{version} {connection}"));
    }
}

#[test]
fn an_upgrade_is_what_its_field_names() {
    with_head(&with_header("Connection: Upgrade\r\nUpgrade: h2c"), |head| {
        assert_eq!(head.upgrade, Some(&b"h2c"[..]));
    });
    with_head("GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n", |head| {
        assert_eq!(head.upgrade, None);
    });
}

#[test]
fn fields_the_connection_names_are_known() {
    with_head(&with_header("Connection: close, X-Mine\r\nX-Mine: 1\r\nX-Yours: 2"), |head| {
        assert!(head.is_nominated("x-mine") && !head.is_nominated("X-Yours"));
    });
}

#[test]
fn a_head_cut_anywhere_is_found_as_in_the_whole() {
    let message = b"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\nrest";
    let whole = end_of_head(message, 0).unwrap().unwrap();
    assert_eq!(whole, (2, message.len() - 4));
    for seen in 0..whole.1 {
        assert_eq!(end_of_head(&message[..seen], 0), Ok(None), "{seen}");
        assert_eq!(end_of_head(message, seen), Ok(Some(whole)), "{seen}");
    }
}

#[test]
fn lines_before_the_first_one_are_no_head_that_is_waited_for() {
    for (received, found) in [
        ("", None),
        ("\r", None),
        ("\r\n", None),
        ("\r\n\r", None),
        ("\r\n\r\n", Some((2, 4))),
        ("\rGET / HTTP/1.1\r\n\r\n", Some((0, 19))),
        ("\r\n\rGET / HTTP/1.1\r\n\r\n", Some((2, 21))),
    ] {
        assert_eq!(end_of_head(received.as_bytes(), 0), Ok(found), "{received:?}");
    }
    assert_eq!(refusal("\r\n\r\n"), Malformed::StartLine);
    assert_eq!(refusal("\rGET / HTTP/1.1\r\nHost: h\r\n\r\n"), Malformed::LineEnd);
}

#[test]
fn the_largest_head_is_taken_and_one_byte_more_is_not() {
    let around = with_header("X: ").len();
    let fill = |more| with_header(&format!("X: {}", "a".repeat(HEAD_BYTES_MAX - around + more)));
    with_head(&fill(0), |head| assert_eq!(head.headers.len(), 2));
    assert_eq!(refusal(&fill(1)), Malformed::HeadTooLarge);
    let unfinished = &fill(1)[..HEAD_BYTES_MAX];
    assert_eq!(end_of_head(unfinished.as_bytes(), 0), Err(Malformed::HeadTooLarge));
    assert_eq!(end_of_head(&unfinished.as_bytes()[..HEAD_BYTES_MAX - 1], 0), Ok(None));
}

#[test]
fn a_target_that_never_ends_is_refused_before_the_head_is_full() {
    let endless = format!("GET /{}", "a".repeat(TARGET_BYTES_MAX));
    assert_eq!(end_of_head(endless.as_bytes(), 0), Err(Malformed::TargetTooLong));
    let method = "a".repeat(TARGET_BYTES_MAX + 1);
    assert_eq!(end_of_head(method.as_bytes(), 0), Err(Malformed::StartLine));
}

#[test]
fn a_first_line_is_waited_for_as_long_as_a_target_may_be() {
    let first = |length: usize| format!("GET /{}", "x".repeat(length - 5));
    assert_eq!(end_of_head(first(TARGET_BYTES_MAX).as_bytes(), 0), Ok(None));
    assert_eq!(end_of_head(first(TARGET_BYTES_MAX + 1).as_bytes(), 0), Err(Malformed::TargetTooLong));
}

#[test]
fn fields_with_names_of_the_same_length_are_others() {
    with_head(&with_header("Date: d\r\nConnection: upgrade\r\nUpgrade: tcp\r\nReferer: r"), |head| {
        assert_eq!(head.upgrade, Some(&b"tcp"[..]));
    });
    with_head(&with_header("Connection: upgrade\r\nReferer: r"), |head| assert_eq!(head.upgrade, None));
    with_head(&with_header("Cookie: c\r\nAccept: a"), |head| assert!(!head.expects_continue));
}

#[test]
fn whoever_speaks_the_older_version_waits_for_no_word() {
    with_head(&with_header("Expect: 100-continue"), |head| assert!(head.expects_continue));
    let older = "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
    with_head(older, |head| assert!(!head.expects_continue));
}

#[test]
fn the_last_header_that_fits_is_taken_and_one_more_is_not() {
    let lines = |count: usize| with_header(&vec!["X: y"; count].join("\r\n"));
    with_head(&lines(HEADER_COUNT_MAX - 1), |head| assert_eq!(head.headers.len(), HEADER_COUNT_MAX));
    assert_eq!(refusal(&lines(HEADER_COUNT_MAX)), Malformed::TooManyHeaders);
}

#[test]
fn an_answer_says_its_status_and_framing() {
    let head = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade, X-A\r\nUpgrade: tcp\r\n\r\n";
    let mut room = slots();
    let answer = response_head(head, Method::Post, &mut room).unwrap();
    assert_eq!((answer.status, answer.reason), (Status::SWITCHING_PROTOCOLS, "UPGRADED"));
    assert_eq!((answer.framing, answer.keep_alive), (Framing::None, true));
    assert!(answer.is_nominated("x-a") && !answer.is_nominated("x-b"));
    for broken in ["HTTP/1.1 99 x", "HTTP/1.1 600 x", "HTTP/3 200 x", "SSH-2.0-x", "HTTP/1.1 200 a\u{7f}"] {
        let head = format!("{broken}\r\n\r\n");
        assert!(response_head(head.as_bytes(), Method::Get, &mut slots()).is_err(), "{broken}");
    }
}
