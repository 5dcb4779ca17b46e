//! What is refused: every head or body a second reader could read differently never reaches the Engine.
use crate::agent::{Agent, TOKEN, request};
use crate::engine::{Engine, OK};
use crate::message::{Length, Message};

/// A name, the bytes, and the status. `{ok}` stands for a good Host and credential, so that nothing but
/// the fault at hand can be the reason.
type Refusal = (&'static str, &'static str, u16);

const LENGTHS: &[Refusal] = &[
    ("two equal lengths", "POST /a HTTP/1.1\r\n{ok}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
    (
        "two different lengths",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
        400,
    ),
    (
        "two lengths, two spellings",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 1\r\ncontent-length: 1\r\n\r\nx",
        400,
    ),
    (
        "a length and a coding",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "a coding and a length",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("a plus", "POST /a HTTP/1.1\r\n{ok}Content-Length: +5\r\n\r\nhello", 400),
    ("a minus", "POST /a HTTP/1.1\r\n{ok}Content-Length: -5\r\n\r\nhello", 400),
    ("a blank inside", "POST /a HTTP/1.1\r\n{ok}Content-Length: 5 5\r\n\r\nhello", 400),
    ("a list", "POST /a HTTP/1.1\r\n{ok}Content-Length: 5,5\r\n\r\nhello", 400),
    ("a list with a blank", "POST /a HTTP/1.1\r\n{ok}Content-Length: 5, 5\r\n\r\nhello", 400),
    ("hexadecimal", "POST /a HTTP/1.1\r\n{ok}Content-Length: 0x5\r\n\r\nhello", 400),
    ("an underscore", "POST /a HTTP/1.1\r\n{ok}Content-Length: 1_0\r\n\r\nhellohello", 400),
    ("a fraction", "POST /a HTTP/1.1\r\n{ok}Content-Length: 5.0\r\n\r\nhello", 400),
    ("other digits", "POST /a HTTP/1.1\r\n{ok}Content-Length: \u{665}\r\n\r\nhello", 400),
    ("an empty length", "POST /a HTTP/1.1\r\n{ok}Content-Length:\r\n\r\n", 400),
    (
        "twenty digits, small",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 00000000000000000005\r\n\r\nhello",
        400,
    ),
    (
        "twenty digits, large",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 99999999999999999999\r\n\r\nhello",
        400,
    ),
    ("a bad length on a read", "GET /a HTTP/1.1\r\n{ok}Content-Length: +0\r\n\r\n", 400),
    ("gzip", "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: gzip\r\n\r\n", 501),
    ("gzip, then chunked", "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    ("chunked, then gzip", "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 501),
    ("identity", "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: identity\r\n\r\n", 501),
    (
        "a coding that ends in chunked",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    ("a quoted coding", "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 501),
    ("a parameter", "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", 501),
    ("a vertical tab", "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    ("a coding on HTTP/1.0", "POST /a HTTP/1.0\r\n{ok}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
];

const FIELDS: &[Refusal] = &[
    ("a folded value", "GET /a HTTP/1.1\r\n{ok}X-A: one\r\n two\r\n\r\n", 400),
    ("a value folded by a tab", "GET /a HTTP/1.1\r\n{ok}X-A: one\r\n\ttwo\r\n\r\n", 400),
    ("a folded first line", "GET /a HTTP/1.1\r\n X-A: one\r\n{ok}\r\n", 400),
    ("a folded coding", "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    ("line feeds alone", "GET /a HTTP/1.1\nHost: lookout\nAuthorization: Bearer {token}\n\n", 400),
    ("a line feed after the request line", "GET /a HTTP/1.1\n{ok}\r\n", 400),
    ("a line feed after a header", "GET /a HTTP/1.1\r\n{ok}X-A: b\nX-C: d\r\n\r\n", 400),
    ("a line feed as the empty line", "GET /a HTTP/1.1\r\n{ok}\n", 400),
    ("a carriage return in a value", "GET /a HTTP/1.1\r\n{ok}X-A: b\rX-C: d\r\n\r\n", 400),
    ("a carriage return before a name", "GET /a HTTP/1.1\r\n{ok}\rX-A: b\r\n\r\n", 400),
    ("a NUL in a value", "GET /a HTTP/1.1\r\n{ok}X-A: b\0c\r\n\r\n", 400),
    ("a NUL in a name", "GET /a HTTP/1.1\r\n{ok}X\0A: b\r\n\r\n", 400),
    ("a control character in a value", "GET /a HTTP/1.1\r\n{ok}X-A: b\x01c\r\n\r\n", 400),
    ("a delete in a value", "GET /a HTTP/1.1\r\n{ok}X-A: b\x7fc\r\n\r\n", 400),
    ("a blank before the colon", "GET /a HTTP/1.1\r\n{ok}X-A : b\r\n\r\n", 400),
    ("a blank before the colon of a length", "POST /a HTTP/1.1\r\n{ok}Content-Length : 5\r\n\r\nhello", 400),
    ("a tab before the colon", "GET /a HTTP/1.1\r\n{ok}X-A\t: b\r\n\r\n", 400),
    ("a blank in a name", "GET /a HTTP/1.1\r\n{ok}X A: b\r\n\r\n", 400),
    ("an empty name", "GET /a HTTP/1.1\r\n{ok}: b\r\n\r\n", 400),
    ("no colon", "GET /a HTTP/1.1\r\n{ok}X-A\r\n\r\n", 400),
    ("a letter beyond ASCII in a name", "GET /a HTTP/1.1\r\n{ok}X-\u{c4}: b\r\n\r\n", 400),
    ("no Host", "GET /a HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n", 400),
    ("two equal Hosts", "GET /a HTTP/1.1\r\n{ok}Host: lookout\r\n\r\n", 400),
    ("two different Hosts", "GET /a HTTP/1.1\r\n{ok}Host: other\r\n\r\n", 400),
];

const LINES: &[Refusal] = &[
    ("absolute-form", "GET http://evil.example/a HTTP/1.1\r\n{ok}\r\n", 400),
    ("asterisk-form", "OPTIONS * HTTP/1.1\r\n{ok}\r\n", 400),
    ("no slash", "GET containers/json HTTP/1.1\r\n{ok}\r\n", 400),
    ("a query alone", "GET ?a=b HTTP/1.1\r\n{ok}\r\n", 400),
    ("a fragment", "GET /a#b HTTP/1.1\r\n{ok}\r\n", 400),
    ("a control character", "GET /a\x01b HTTP/1.1\r\n{ok}\r\n", 400),
    ("a delete", "GET /a\x7fb HTTP/1.1\r\n{ok}\r\n", 400),
    ("a tab", "GET /a\tb HTTP/1.1\r\n{ok}\r\n", 400),
    ("a NUL", "GET /a\0b HTTP/1.1\r\n{ok}\r\n", 400),
    ("a carriage return", "GET /a\rb HTTP/1.1\r\n{ok}\r\n", 400),
    ("a letter beyond ASCII", "GET /\u{e4} HTTP/1.1\r\n{ok}\r\n", 400),
    ("a control character, encoded", "GET /a%0ab HTTP/1.1\r\n{ok}\r\n", 400),
    ("a NUL, encoded", "GET /a%00b HTTP/1.1\r\n{ok}\r\n", 400),
    ("an empty segment first", "GET //containers/json HTTP/1.1\r\n{ok}\r\n", 400),
    ("an empty segment inside", "GET /containers//json HTTP/1.1\r\n{ok}\r\n", 400),
    ("a dot", "GET /containers/./json HTTP/1.1\r\n{ok}\r\n", 400),
    ("a dot at the end", "GET /containers/. HTTP/1.1\r\n{ok}\r\n", 400),
    ("two dots", "GET /containers/../_ping HTTP/1.1\r\n{ok}\r\n", 400),
    ("two dots first", "GET /../containers HTTP/1.1\r\n{ok}\r\n", 400),
    ("two dots at the end", "GET /containers/.. HTTP/1.1\r\n{ok}\r\n", 400),
    ("two dots before a query", "GET /containers/..?a=b HTTP/1.1\r\n{ok}\r\n", 400),
    ("two dots, encoded", "GET /containers/%2e%2e/json HTTP/1.1\r\n{ok}\r\n", 400),
    ("two dots, encoded large", "GET /containers/%2E%2E/json HTTP/1.1\r\n{ok}\r\n", 400),
    ("two dots, half encoded", "GET /containers/.%2e/json HTTP/1.1\r\n{ok}\r\n", 400),
    ("a dot, encoded", "GET /containers/%2e/json HTTP/1.1\r\n{ok}\r\n", 400),
    ("two dots after an encoded slash", "GET /containers%2f../json HTTP/1.1\r\n{ok}\r\n", 400),
    ("two dots between encoded slashes", "GET /containers%2f%2e%2e%2fjson HTTP/1.1\r\n{ok}\r\n", 400),
    ("an empty segment, encoded", "GET /images/a%2f%2fb/json HTTP/1.1\r\n{ok}\r\n", 400),
    ("a percent alone", "GET /a% HTTP/1.1\r\n{ok}\r\n", 400),
    ("a percent with one digit", "GET /a%4 HTTP/1.1\r\n{ok}\r\n", 400),
    ("a percent with other letters", "GET /a%zz HTTP/1.1\r\n{ok}\r\n", 400),
    ("two percents", "GET /a%%41 HTTP/1.1\r\n{ok}\r\n", 400),
    ("HTTP/2.0", "GET /a HTTP/2.0\r\n{ok}\r\n", 505),
    ("HTTP/1.2", "GET /a HTTP/1.2\r\n{ok}\r\n", 505),
    ("a method nobody knows", "BREW /a HTTP/1.1\r\n{ok}\r\n", 501),
    ("a method in small letters", "get /a HTTP/1.1\r\n{ok}\r\n", 501),
    ("two blanks", "GET  /a HTTP/1.1\r\n{ok}\r\n", 400),
];

/// The rule says "refused", and more than one status tells it well.
const REFUSED_SOMEHOW: &[(&str, &str, &[u16])] = &[
    ("authority-form", "CONNECT engine:2375 HTTP/1.1\r\n{ok}\r\n", &[400, 405, 501]),
    (
        "chunked twice in a list",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        &[400, 501],
    ),
    (
        "chunked twice",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400, 501],
    ),
    (
        "chunked, then identity",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        &[400, 501],
    ),
    ("an empty coding", "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding:\r\n\r\n0\r\n\r\n", &[400, 501]),
    ("HTTP/0.9", "GET /a HTTP/0.9\r\n{ok}\r\n", &[400, 505]),
    ("HTTP/3.0", "GET /a HTTP/3.0\r\n{ok}\r\n", &[400, 505]),
    ("a blank in the target", "GET /a b HTTP/1.1\r\n{ok}\r\n", &[400, 505]),
    ("no version", "GET /a\r\n{ok}\r\n", &[400, 505]),
    ("a version in small letters", "GET /a http/1.1\r\n{ok}\r\n", &[400, 505]),
    ("a version with a tail", "GET /a HTTP/1.11\r\n{ok}\r\n", &[400, 505]),
    ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[400, 501, 505]),
    ("a bracket in the method", "G(T /a HTTP/1.1\r\n{ok}\r\n", &[400, 501]),
    ("TLS on a plain port", "\x16\x03\x01\x02\0\x01\0\x01\u{7c}\x03\x03\r\n\r\n", &[400]),
    ("no words at all", "\0\0\0\0\r\n\r\n", &[400]),
];

const BODIES: &[(&str, &str)] = &[
    ("a size of other letters", "zz\r\nhello\r\n0\r\n\r\n"),
    ("an empty size", "\r\nhello\r\n0\r\n\r\n"),
    ("a plus", "+5\r\nhello\r\n0\r\n\r\n"),
    ("a minus", "-5\r\nhello\r\n0\r\n\r\n"),
    ("a prefix", "0x5\r\nhello\r\n0\r\n\r\n"),
    ("a prefix on the last", "5\r\nhello\r\n0x0\r\n\r\n"),
    ("an underscore", "1_0\r\nhellohellohello!\r\n0\r\n\r\n"),
    ("a blank before the size", " 5\r\nhello\r\n0\r\n\r\n"),
    ("a size beyond 64 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("a size of all ones", "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"),
    ("a line feed after the size", "5\nhello\r\n0\r\n\r\n"),
    ("a line feed in an extension", "5;a\nhello\r\n0\r\n\r\n"),
    ("a carriage return in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n"),
    ("a NUL in an extension", "5;a\0\r\nhello\r\n0\r\n\r\n"),
    ("no end after the data", "5\r\nhelloX0\r\n\r\n"),
    ("a line feed after the data", "5\r\nhello\n0\r\n\r\n"),
    ("data longer than its size", "4\r\nhello\r\n0\r\n\r\n"),
    ("a line feed as the last line", "5\r\nhello\r\n0\r\n\n"),
    ("a line feed in a trailer", "5\r\nhello\r\n0\r\nX-A: b\nX-C: d\r\n\r\n"),
];

fn fill(template: &str) -> String {
    let ok = "Host: lookout\r\nAuthorization: Bearer {token}\r\n";
    template.replace("{ok}", ok).replace("{token}", TOKEN)
}

/// Each is answered with one of its statuses and closed, and when all is over the Engine has seen nothing.
fn refuse<'c>(cases: impl IntoIterator<Item = (&'c str, String, &'c [u16])>) {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    let mut wrong = Vec::new();
    for (name, bytes, statuses) in cases {
        let mut client = agent.client();
        // The agent may close while we still send: what counts is what it answers.
        let _ = client.try_send(&bytes);
        let evidence = format!("{name}: {:?}", &bytes[..bytes.len().min(400)]);
        match client.wire().head() {
            Err(cut) => wrong.push(format!("{evidence} → no answer: {cut:?}")),
            Ok(head) if !statuses.contains(&head.status()) => wrong.push(format!("{evidence} → {head:?}")),
            Ok(head) => {
                let body = client.body(head.length()).expect("a whole body");
                Message { head: head.clone(), body }.sentence();
                assert_eq!(head.value("connection"), Some("close"), "{evidence} → {head:?}");
                client.expect_end();
            }
        }
    }
    agent.stop();
    for visit in engine.settle() {
        wrong.push(format!("the engine received {:?}", visit.text()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn refuse_table(table: &[Refusal]) {
    refuse(table.iter().map(|(name, bytes, status)| (*name, fill(bytes), std::slice::from_ref(status))));
}

#[test]
fn a_body_length_that_can_be_read_two_ways_is_refused() {
    refuse_table(LENGTHS);
}

#[test]
fn a_header_that_can_be_read_two_ways_is_refused() {
    refuse_table(FIELDS);
}

#[test]
fn a_request_line_that_can_be_read_two_ways_is_refused() {
    refuse_table(LINES);
}

#[test]
fn what_is_no_request_is_refused() {
    refuse(REFUSED_SOMEHOW.iter().map(|(name, bytes, statuses)| (*name, fill(bytes), *statuses)));
}

#[test]
fn what_is_too_long_is_refused() {
    let long = |count: usize| "a".repeat(count);
    let many = |count: usize| (0..count).map(|n| format!("X-{n}: a\r\n")).collect::<String>();
    refuse([
        ("a target beyond 64 KiB", request(&format!("GET /{}", long(64 * 1024)), ""), [414].as_slice()),
        ("a query beyond 64 KiB", request(&format!("GET /a?{}", long(64 * 1024)), ""), &[414]),
        ("a line without end", long(200 * 1024), &[400, 414, 431, 501]),
        ("one header beyond 96 KiB", request("GET /a", &format!("X-A: {}\r\n", long(96 * 1024))), &[431]),
        (
            "many headers beyond 96 KiB",
            request("GET /a", &format!("X-A: {}\r\n", long(2048)).repeat(60)),
            &[431],
        ),
        // Host and Authorization are two of the hundred.
        ("a hundred and one headers", request("GET /a", &many(99)), &[431]),
        ("a thousand headers", request("GET /a", &many(1000)), &[431]),
    ]);
}

#[test]
fn a_head_at_every_limit_passes() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    let target = format!("/{}", "a".repeat(64 * 1024 - 1));
    assert_eq!(agent.ask(request(&format!("GET {target}"), "")).status(), 200);
    let many: String = (0..98).map(|n| format!("X-{n}: a\r\n")).collect();
    assert_eq!(agent.ask(request("GET /a", &many)).status(), 200);
    let bare = request("GET /a", "X-A: \r\n").len();
    let full = request("GET /a", &format!("X-A: {}\r\n", "a".repeat(96 * 1024 - bare)));
    assert_eq!(full.len(), 96 * 1024);
    assert_eq!(agent.ask(full).status(), 200);
    assert_eq!(engine.visits().len(), 3);
    assert!(engine.visits()[0].text().starts_with(&format!("GET {target} HTTP/1.1\r\n")));
}

/// The head may have gone by then: the Engine must see its connection break off before the body's end.
#[test]
fn a_fault_inside_a_chunked_body_never_gives_the_engine_a_whole_request() {
    let engine = Engine::start(|visit| {
        while let Some(head) = visit.head() {
            // Only a body that came to its end is answered.
            if visit.body(&head).is_err() {
                return;
            }
            visit.send(OK);
        }
    });
    let agent = Agent::start(&engine);
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(64 * 1024));
    let trailers = format!("5\r\nhello\r\n0\r\n{}\r\n", "X-A: b\r\n".repeat(1024));
    let more = [("an endless extension", long.as_str()), ("endless trailers", &trailers)];
    let mut wrong = Vec::new();
    for (name, body) in BODIES.iter().copied().chain(more) {
        let mut client = agent.client();
        let _ = client.try_send(request("POST /a", "Transfer-Encoding: chunked\r\n") + body);
        let evidence = format!("{name}: {:?}", &body[..body.len().min(80)]);
        match client.wire().head() {
            Err(cut) => wrong.push(format!("{evidence} → no answer: {cut:?}")),
            Ok(head) if !matches!(head.status(), 400 | 413 | 431) => {
                wrong.push(format!("{evidence} → {head:?}"))
            }
            Ok(head) => {
                assert_eq!(head.value("connection"), Some("close"), "{evidence} → {head:?}");
                assert_ne!(head.length(), Length::UntilClose, "{evidence} → {head:?}");
                let body = client.body(head.length()).expect("a whole body");
                Message { head, body }.sentence();
                client.expect_end();
            }
        }
    }
    agent.stop();
    for visit in engine.settle() {
        let text = visit.text();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let whole =
            body.ends_with("0\r\n\r\n") || !head.to_lowercase().contains("transfer-encoding: chunked");
        if whole || !visit.ended {
            wrong.push(format!("the engine received a whole request: {text:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_after_a_refused_head_is_read_as_a_request() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    let bad = request("POST /a", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n");
    client.send(bad + "0\r\n\r\n" + &request("DELETE /containers/smuggled", ""));
    assert_eq!(client.answer().status(), 400);
    client.expect_end();
    agent.stop();
    assert!(engine.settle().is_empty(), "the engine received {:?}", engine.visits()[0].text());
}
