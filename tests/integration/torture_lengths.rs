//! Lengths, and what else is said to one connection: read in one way, or refused; and never passed on.
use crate::torture_smuggling::run;
use crate::torture_stand::Case;

pub(crate) const LENGTHS: &[Case<'_>] = &[
    (
        "a second length without a value",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 5\r\nContent-Length:\r\n\r\nhello{smuggled}",
        &[400],
        &[],
    ),
    (
        "a second length of nought",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 0\r\nContent-Length: 48\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "a list of one and nothing",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 5,\r\n\r\nhello{smuggled}",
        &[400],
        &[],
    ),
    ("a folded length", "POST /a HTTP/1.1\r\n{ok}Content-Length:\r\n 5\r\n\r\nhello{smuggled}", &[400], &[]),
    (
        "a folded second half",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 1\r\n 0\r\n\r\nhello{smuggled}",
        &[400],
        &[],
    ),
    ("a NUL behind", "POST /a HTTP/1.1\r\n{ok}Content-Length: 5\0\r\n\r\nhello{smuggled}", &[400], &[]),
    ("a semicolon behind", "POST /a HTTP/1.1\r\n{ok}Content-Length: 5;5\r\n\r\nhello{smuggled}", &[400], &[]),
    ("a tab inside", "POST /a HTTP/1.1\r\n{ok}Content-Length: 4\t8\r\n\r\n{smuggled}", &[400], &[]),
    ("quotes", "POST /a HTTP/1.1\r\n{ok}Content-Length: \"5\"\r\n\r\nhello{smuggled}", &[400], &[]),
    (
        "full-width digits",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: \u{ff15}\r\n\r\nhello{smuggled}",
        &[400],
        &[],
    ),
    ("an exponent", "POST /a HTTP/1.1\r\n{ok}Content-Length: 5e0\r\n\r\nhello{smuggled}", &[400], &[]),
    ("a length of nothing", "POST /a HTTP/1.1\r\n{ok}Content-Length:\r\n\r\nhello{smuggled}", &[400], &[]),
    (
        "twenty digits",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 00000000000000000005\r\n\r\nhello{smuggled}",
        &[400],
        &[],
    ),
    (
        "one more than 64 bits",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 18446744073709551616\r\n\r\nhello{smuggled}",
        &[400],
        &[],
    ),
    (
        "as much as 64 bits",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 18446744073709551615\r\n\r\nhello{smuggled}",
        &[400],
        &[],
    ),
    (
        "a line feed behind the name",
        "POST /a HTTP/1.1\r\n{ok}Content-Length\n: 5\r\n\r\nhello{smuggled}",
        &[400],
        &[],
    ),
    (
        "a length in HTTP/1.0 and again",
        "POST /a HTTP/1.0\r\n{ok}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello{smuggled}",
        &[400],
        &[],
    ),
    (
        "zeros in front",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 0000000000000000005\r\n\r\nhello",
        &[200],
        &["POST /a hello"],
    ),
    (
        "blanks around",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: \t 5 \t\r\n\r\nhello",
        &[200],
        &["POST /a hello"],
    ),
    (
        "the connection names it",
        "POST /a HTTP/1.1\r\n{ok}Connection: close, Content-Length\r\nContent-Length: 5\r\n\r\nhello",
        &[200],
        &["POST /a hello"],
    ),
    (
        "a length that only sounds like one",
        "POST /a HTTP/1.1\r\n{ok}Content_Length: 99\r\nContent-Length: 5\r\n\r\nhello",
        &[200],
        &["POST /a hello"],
    ),
    ("a body of GET", "GET /a HTTP/1.1\r\n{ok}Content-Length: 5\r\n\r\nhello", &[200], &["GET /a hello"]),
    ("a body of HEAD", "HEAD /a HTTP/1.1\r\n{ok}Content-Length: 5\r\n\r\nhello", &[200], &["HEAD /a hello"]),
    (
        "a body of DELETE in chunks",
        "DELETE /a HTTP/1.1\r\n{ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        &[200],
        &["DELETE /a hello"],
    ),
    (
        "a body that is a request",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 35\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
        &[200],
        &["POST /a GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"],
    ),
    (
        "CL.0: what follows is the next request",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 0\r\n\r\nGET /b HTTP/1.1\r\n{ok}\r\n",
        &[200, 200],
        &["POST /a", "GET /b"],
    ),
    (
        "0.CL: what follows no length is no body",
        "POST /a HTTP/1.1\r\n{ok}\r\nhello\r\n\r\n{smuggled}",
        &[200, 400],
        &["POST /a"],
    ),
    ("0.CL of GET", "GET /a HTTP/1.1\r\n{ok}\r\nX\r\n\r\n{smuggled}", &[200, 400], &["GET /a"]),
    (
        "a stranger's second request behind a body",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 5\r\n\r\nhelloGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
        &[200, 401],
        &["POST /a hello"],
    ),
];

/// What else of a connection somebody could want to reach further than it does.
const CONNECTIONS: &[Case<'_>] = &[
    ("Host is named", "GET /a HTTP/1.1\r\n{ok}Connection: Host\r\n\r\n", &[200], &["GET /a"]),
    (
        "the credential is named",
        "GET /a HTTP/1.1\r\n{ok}Connection: Authorization\r\n\r\n",
        &[200],
        &["GET /a"],
    ),
    (
        "everything is named",
        "POST /a HTTP/1.1\r\n{ok}Connection: a, b,, ,Content-Type, X-Forwarded-For\r\nContent-Type: text/plain\r\nX-Forwarded-For: 1\r\nContent-Length: 2\r\n\r\nhi",
        &[200],
        &["POST /a hi"],
    ),
    (
        "keep-alive with parameters",
        "GET /a HTTP/1.1\r\n{ok}Connection: Keep-Alive\r\nKeep-Alive: timeout=9999, max=1\r\nProxy-Connection: close\r\n\r\n",
        &[200],
        &["GET /a"],
    ),
    (
        "close among others",
        "GET /a HTTP/1.1\r\n{ok}Connection: x\r\nConnection: y, CLOSE\r\n\r\n{smuggled}",
        &[200],
        &["GET /a"],
    ),
    (
        "h2c",
        "GET /a HTTP/1.1\r\n{ok}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
        &[200],
        &["GET /a"],
    ),
    (
        "a WebSocket of version nought",
        "GET /a HTTP/1.1\r\n{ok}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 0\r\nSec-WebSocket-Key: x\r\n\r\n",
        &[200],
        &["GET /a"],
    ),
    (
        "an upgrade with a length and more behind it",
        "POST /a HTTP/1.1\r\n{ok}Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\n{ok}\r\n",
        &[200, 200],
        &["POST /a hello", "GET /b"],
    ),
    (
        "an upgrade in HTTP/1.0",
        "GET /a HTTP/1.0\r\n{ok}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n{smuggled}",
        &[200],
        &["GET /a"],
    ),
    (
        "an upgrade to a list with a line end in it",
        "GET /a HTTP/1.1\r\n{ok}Connection: Upgrade\r\nUpgrade: a\rb\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "TE: trailers",
        "GET /a HTTP/1.1\r\n{ok}Connection: TE\r\nTE: trailers\r\nTrailer: X-A\r\n\r\n",
        &[200],
        &["GET /a"],
    ),
    (
        "credentials for a proxy",
        "GET /a HTTP/1.1\r\n{ok}Proxy-Authorization: Basic c211Z2dsZWQ=\r\n\r\n",
        &[200],
        &["GET /a"],
    ),
    (
        "an expectation nobody knows",
        "POST /a HTTP/1.1\r\n{ok}Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello{smuggled}",
        &[417],
        &[],
    ),
    (
        "two expectations in one",
        "POST /a HTTP/1.1\r\n{ok}Expect: 100-continue, 100-continue\r\nContent-Length: 5\r\n\r\nhello{smuggled}",
        &[417],
        &[],
    ),
    (
        "an expectation and no body",
        "GET /a HTTP/1.1\r\n{ok}Expect: 100-continue\r\n\r\n",
        &[200],
        &["GET /a"],
    ),
    (
        "an expectation in HTTP/1.0",
        "POST /a HTTP/1.0\r\n{ok}Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
        &[200],
        &["POST /a hello"],
    ),
    (
        "an expectation, and a stranger",
        "POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 48\r\n\r\n{smuggled}",
        &[401],
        &[],
    ),
    ("HTTP/1.0, kept alive", "GET /a HTTP/1.0\r\n{ok}Connection: keep-alive\r\n\r\n", &[200], &["GET /a"]),
    (
        "HTTP/1.0 without a Host",
        "POST /a HTTP/1.0\r\nAuthorization: Bearer {token}\r\nContent-Length: 5\r\n\r\nhello{smuggled}",
        &[200],
        &["POST /a hello"],
    ),
    (
        "a Host that is a list",
        "GET /a HTTP/1.1\r\nHost: a, b\r\nAuthorization: Bearer {token}\r\n\r\n",
        &[200],
        &["GET /a"],
    ),
    (
        "a Host with a path",
        "GET /a HTTP/1.1\r\nHost: a/../b@c#d\r\nAuthorization: Bearer {token}\r\n\r\n",
        &[200],
        &["GET /a"],
    ),
    (
        "another one's address",
        "GET /a HTTP/1.1\r\n{ok}X-Forwarded-Host: b\r\nX-Original-URL: /smuggled\r\nX-Rewrite-URL: /smuggled\r\n\r\n",
        &[200],
        &["GET /a"],
    ),
    (
        "another method",
        "POST /a HTTP/1.1\r\n{ok}X-HTTP-Method-Override: DELETE\r\nContent-Length: 0\r\n\r\n",
        &[200],
        &["POST /a"],
    ),
];

#[test]
fn a_length_that_is_spelt_strangely_is_the_usual_one_or_none() {
    run(LENGTHS);
}

#[test]
fn what_is_said_to_one_connection_stays_there() {
    run(CONNECTIONS);
}
