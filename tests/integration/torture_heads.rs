//! Heads that are none: every byte in every place, first lines of every other kind, and too much of everything.
use crate::agent::{TOKEN, request};
use crate::signer::head;
use crate::torture_smuggling::shots;
use crate::torture_stand::{Case, Shot, Stand};

const LINES: &[Case<'_>] = &[
    ("an empty line is overlooked", "\r\nGET /a HTTP/1.1\r\n{ok}\r\n", &[200], &["GET /a"]),
    ("two empty lines", "\r\n\r\nGET /smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("a line feed", "\nGET /smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("a carriage return", "\rGET /smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("a blank first", " GET /smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("a tab first", "\tGET /smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("a mark of byte order first", "\u{feff}GET /smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("a NUL first", "\0GET /smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("a blank behind", "GET /smuggled HTTP/1.1 \r\n{ok}\r\n", &[400], &[]),
    ("a tab behind", "GET /smuggled HTTP/1.1\t\r\n{ok}\r\n", &[400], &[]),
    ("tabs between", "GET\t/smuggled\tHTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("two blanks behind the target", "GET /smuggled  HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("a form feed between", "GET\x0c/smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("a no-break space between", "GET\u{a0}/smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("no blank between", "GET/smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("a method alone", "GET\r\n{ok}\r\n", &[400], &[]),
    ("a target alone", "/smuggled\r\n{ok}\r\n", &[400], &[]),
    ("a version alone", "HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("an answer", "HTTP/1.1 200 OK\r\n{ok}\r\n", &[400], &[]),
    ("no method", "/smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("no target", "GET HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("four words", "GET /a /smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("two requests on a line", "GET /a HTTP/1.1 GET /smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("HTTP/1.1.1", "GET /smuggled HTTP/1.1.1\r\n{ok}\r\n", &[400], &[]),
    ("HTTP/01.1", "GET /smuggled HTTP/01.1\r\n{ok}\r\n", &[505], &[]),
    ("HTTP/11", "GET /smuggled HTTP/11\r\n{ok}\r\n", &[505], &[]),
    ("HTTP/1,1", "GET /smuggled HTTP/1,1\r\n{ok}\r\n", &[505], &[]),
    ("HTTP/1", "GET /smuggled HTTP/1\r\n{ok}\r\n", &[505], &[]),
    ("HTTP/ 1.1", "GET /smuggled HTTP/ 1.1\r\n{ok}\r\n", &[400], &[]),
    ("HTTP/-1.1", "GET /smuggled HTTP/-1.1\r\n{ok}\r\n", &[505], &[]),
    ("HTTPS/1.1", "GET /smuggled HTTPS/1.1\r\n{ok}\r\n", &[400], &[]),
    ("ICY", "GET /smuggled ICY\r\n{ok}\r\n", &[400], &[]),
    ("RTSP/1.0", "DESCRIBE /smuggled RTSP/1.0\r\n{ok}\r\n", &[400], &[]),
    ("a method in mixed letters", "Get /smuggled HTTP/1.1\r\n{ok}\r\n", &[501], &[]),
    ("a method that begins as one", "GETX /smuggled HTTP/1.1\r\n{ok}\r\n", &[501], &[]),
    ("a method of another protocol", "PROPFIND /smuggled HTTP/1.1\r\n{ok}\r\n", &[501], &[]),
    ("a method that tells everything", "TRACE /smuggled HTTP/1.1\r\n{ok}\r\n", &[501], &[]),
    ("a tunnel", "CONNECT 127.0.0.1:2375 HTTP/1.1\r\n{ok}\r\n{smuggled}", &[501], &[]),
    ("a tunnel with a path", "CONNECT /smuggled HTTP/1.1\r\n{ok}\r\n", &[501], &[]),
    ("a method with a NUL", "G\0ET /smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("absolute-form with somebody's name", "GET http://a:b@c/smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("absolute-form of our own", "GET http://lookout/smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    (
        "absolute-form of a unix socket",
        "GET unix:///var/run/docker.sock/smuggled HTTP/1.1\r\n{ok}\r\n",
        &[400],
        &[],
    ),
    ("authority-form of GET", "GET lookout:80 HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("asterisk-form of GET", "GET * HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("an address without a scheme", "GET //lookout/smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("a backslash for a slash", "GET \\smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("an encoded slash first", "GET %2fsmuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("a PROXY line", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET /smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("a PROXY line of version 2", "\r\n\r\n\0\r\nQUIT\nGET /smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("SMTP", "EHLO lookout\r\nMAIL FROM:<a@b>\r\n{ok}\r\n", &[400], &[]),
    ("SSH", "SSH-2.0-OpenSSH_9.2\r\n{ok}\r\n", &[400], &[]),
];

const FIELDS: &[Case<'_>] = &[
    ("a blank in front of a field", "GET /smuggled HTTP/1.1\r\n{ok} X-A: b\r\n\r\n", &[400], &[]),
    ("a line of blanks", "GET /smuggled HTTP/1.1\r\n{ok}  \r\n\r\n", &[400], &[]),
    ("a folded line of blanks", "GET /smuggled HTTP/1.1\r\n{ok}X-A: b\r\n \t \r\n\r\n", &[400], &[]),
    (
        "a folded Host",
        "GET /smuggled HTTP/1.1\r\nHost:\r\n lookout\r\nAuthorization: Bearer {token}\r\n\r\n",
        &[400],
        &[],
    ),
    (
        "a folded credential",
        "GET /smuggled HTTP/1.1\r\nHost: lookout\r\nAuthorization: Bearer\r\n {token}\r\n\r\n",
        &[400],
        &[],
    ),
    ("a colon alone", "GET /smuggled HTTP/1.1\r\n{ok}:\r\n\r\n", &[400], &[]),
    ("a name alone", "GET /smuggled HTTP/1.1\r\n{ok}X-A\r\n\r\n", &[400], &[]),
    ("a request line for a field", "GET /smuggled HTTP/1.1\r\n{ok}GET /a HTTP/1.1\r\n\r\n", &[400], &[]),
    ("an empty line of a line feed and more", "GET /smuggled HTTP/1.1\r\n{ok}\n\r\n", &[400], &[]),
    ("an empty line of two carriage returns", "GET /smuggled HTTP/1.1\r\n{ok}\r\r\n\r\n", &[400], &[]),
    (
        "a carriage return at the end of a value",
        "GET /smuggled HTTP/1.1\r\n{ok}X-A: b\r\r\n\r\n",
        &[400],
        &[],
    ),
    ("a Host of two names", "GET /smuggled HTTP/1.1\r\n{ok}hOST: b\r\n\r\n", &[400], &[]),
    (
        "a Host that only sounds like one",
        "GET /smuggled HTTP/1.1\r\nHo\u{17f}t: lookout\r\nAuthorization: Bearer {token}\r\n\r\n",
        &[400],
        &[],
    ),
    (
        "an empty Host",
        "GET /a HTTP/1.1\r\nHost:\r\nAuthorization: Bearer {token}\r\n\r\n",
        &[200],
        &["GET /a"],
    ),
    ("colons in a value", "GET /a HTTP/1.1\r\n{ok}X-A:: b:\r\n\r\n", &[200], &["GET /a"]),
    ("a value of nothing but blanks", "GET /a HTTP/1.1\r\n{ok}X-A:  \t \r\n\r\n", &[200], &["GET /a"]),
    (
        "every letter a name may have",
        "GET /a HTTP/1.1\r\n{ok}!#$%&'*+-.^_`|~09azAZ: b\r\n\r\n",
        &[200],
        &["GET /a"],
    ),
    (
        "a value that looks like a line end",
        "GET /a HTTP/1.1\r\n{ok}X-A: b%0d%0aX-C: \\r\\n\r\n\r\n",
        &[200],
        &["GET /a"],
    ),
];

/// Every byte but a NUL stands for itself; where it is one of two readers' line ends, or no part of its place,
/// the whole is refused.
fn at(name: &str, before: &str, byte: u8, after: &str, told: &'static [u16]) -> Shot<'static> {
    let bytes = [before.as_bytes(), &[byte], after.as_bytes()].concat();
    let reached: &[&str] = if told[0] == 200 { &["GET /a"] } else { &[] };
    Shot::new(&format!("{name} {byte:#04x}"), bytes, told, reached)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn run(cases: &[Case<'_>]) {
    let mut stand = Stand::agent(&[]);
    stand.shoot(shots(cases));
    stand.finish();
}

#[test]
fn a_first_line_that_is_no_request_is_refused() {
    run(LINES);
}

#[test]
fn a_field_that_is_none_is_refused() {
    run(FIELDS);
}

#[test]
fn every_byte_in_a_fields_name_is_a_tokens_or_refused() {
    let mut stand = Stand::agent(&[]);
    let good = format!("\r\nHost: lookout\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    stand.shoot((0..=255).map(|byte| {
        let is_good = is_token(byte) || byte == b':';
        at(
            "in a name",
            "GET /a HTTP/1.1\r\nX",
            byte,
            &format!("A: b{good}"),
            if is_good { &[200] } else { &[400] },
        )
    }));
    stand.finish();
}

#[test]
fn every_byte_in_a_fields_value_is_text_or_refused() {
    let mut stand = Stand::agent(&[]);
    let good = format!("\r\nHost: lookout\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    stand.shoot((0..=255).map(|byte: u8| {
        let is_good = byte == b'\t' || !byte.is_ascii_control();
        at(
            "in a value",
            "GET /a HTTP/1.1\r\nX-A: a",
            byte,
            &format!("b{good}"),
            if is_good { &[200] } else { &[400] },
        )
    }));
    stand.finish();
}

#[test]
fn every_byte_in_a_method_makes_it_none() {
    let mut stand = Stand::agent(&[]);
    let good = format!("T /smuggled HTTP/1.1\r\nHost: lookout\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    let others = (0..=255).filter(|byte| *byte != b'E');
    stand.shoot(
        others.map(|byte| at("in a method", "G", byte, &good, if is_token(byte) { &[501] } else { &[400] })),
    );
    stand.finish();
}

#[test]
fn too_much_of_anything_is_refused() {
    let long = |count: usize| "a".repeat(count);
    let mut stand = Stand::agent(&[]);
    let one = |fields: &str| request("GET /smuggled", fields);
    for (name, bytes, told) in [
        ("a method of 70 KiB", long(70 * 1024) + &one(""), 501),
        ("a method of 1 KiB", long(1024) + &one(""), 501),
        ("a version of 90 KiB", one("").replace("HTTP/1.1", &format!("HTTP/1.{}", long(90 * 1024))), 505),
        ("a name of 96 KiB", one(&format!("{}: b\r\n", long(96 * 1024))), 431),
        ("a value of 96 KiB of blanks", one(&format!("X-A: {}b\r\n", " ".repeat(96 * 1024))), 431),
        ("a megabyte of one field", one(&format!("X-A: {}\r\n", long(1 << 20))), 431),
        ("a megabyte of small fields", one(&"X-A: b\r\n".repeat(1 << 17)), 431),
        ("a megabyte of Hosts", one(&"Host: b\r\n".repeat(1 << 16)), 431),
        ("a hundred thousand empty names", one(&":\r\n".repeat(100_000)), 431),
        ("a megabyte of line without an end", long(1 << 20), 400),
        ("a megabyte of a target without an end", format!("GET /smuggled{}", long(1 << 20)), 414),
        ("a megabyte of NUL", "\0".repeat(1 << 20), 400),
        ("a megabyte of line ends", "\r\n".repeat(1 << 19), 400),
        (
            "a credential of 90 KiB",
            head("GET /smuggled", &format!("X-Lookout-Token: {}\r\n", long(90 * 1024))),
            401,
        ),
    ] {
        stand.shoot([Shot::new(name, bytes, &[told], &[])]);
    }
    stand.finish();
}

/// The first head's end is found in whatever pieces it comes.
#[test]
fn a_head_that_never_ends_is_nobodys_request() {
    let mut stand = Stand::agent(&[]);
    let whole = request("GET /smuggled", "X-A: b\r\n");
    stand.shoot(
        (0..whole.len() - 1)
            .map(|end| Shot::new(&format!("{end} bytes of a head"), &whole.as_bytes()[..end], &[], &[])),
    );
    stand.finish();
}
