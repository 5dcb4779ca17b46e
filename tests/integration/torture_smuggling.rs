//! Requests inside requests: whatever two readers could cut in two ways is refused, or cut in one way only.
use crate::torture_lengths::LENGTHS;
use crate::torture_stand::{Case, SMUGGLED, Shot, Stand, fill};

/// Both lengths and codings, with a second request where only one of two readers would see it.
const BOTH: &[Case<'_>] = &[
    (
        "CL.TE",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 45\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "TE.CL",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n{smuggled}0\r\n\r\n",
        &[400],
        &[],
    ),
    (
        "TE.0",
        "OPTIONS /a HTTP/1.1\r\n{ok}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n30\r\n{smuggled}\r\n0\r\n\r\n",
        &[400],
        &[],
    ),
    (
        "a length of nothing beside a coding",
        "POST /a HTTP/1.1\r\n{ok}Content-Length:\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "a broken length beside a coding",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n0\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "a length beside an unknown coding",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[501],
        &[],
    ),
    (
        "a length beside a coding with a blank before its colon",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "a length beside a coding behind a tab",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 5\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "a length beside a coding in large letters",
        "POST /a HTTP/1.1\r\n{ok}CONTENT-LENGTH: 5\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "a coding behind a line feed in a value",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 5\r\nX-A: b\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "a coding behind a carriage return in a value",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 5\r\nX-A: b\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "a coding behind a NUL in a value",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 5\r\nX-A: b\0Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "a coding folded onto the field before",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 5\r\nX-A: b\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "a coding whose name has a NUL",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 5\r\nTransfer-Encoding\0: chunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "a coding whose name is quoted",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 5\r\n\"Transfer-Encoding\": chunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "a coding with a byte beyond ASCII in its name",
        "POST /a HTTP/1.1\r\n{ok}Content-Length: 5\r\nTransfer-Encod\u{131}ng: chunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
];

const CODINGS: &[Case<'_>] = &[
    (
        "TE.TE",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n{smuggled}",
        &[501],
        &[],
    ),
    (
        "TE.TE, the other way round",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[501],
        &[],
    ),
    (
        "an empty element behind",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n{smuggled}",
        &[501],
        &[],
    ),
    (
        "an empty element before",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: , chunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[501],
        &[],
    ),
    (
        "identity, chunked",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[501],
        &[],
    ),
    (
        "chunked, identity",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{smuggled}",
        &[501],
        &[],
    ),
    ("deflate", "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: deflate\r\n\r\n0\r\n\r\n{smuggled}", &[501], &[]),
    (
        "a blank inside",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: chu nked\r\n\r\n0\r\n\r\n{smuggled}",
        &[501],
        &[],
    ),
    (
        "a full stop behind",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: chunked.\r\n\r\n0\r\n\r\n{smuggled}",
        &[501],
        &[],
    ),
    (
        "a NUL behind",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "a vertical tab behind",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "a form feed before",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: \x0cchunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "a no-break space before",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: \u{a0}chunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[501],
        &[],
    ),
    (
        "a Kelvin sign",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: chun\u{212a}ed\r\n\r\n0\r\n\r\n{smuggled}",
        &[501],
        &[],
    ),
    (
        "chunked in HTTP/1.0, kept alive",
        "POST /a HTTP/1.0\r\n{ok}Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
        &[400],
        &[],
    ),
    (
        "blanks around it are not it",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: \t chunked \t\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        &[200],
        &["POST /a hello"],
    ),
    (
        "no blank before it",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding:chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        &[200],
        &["POST /a hello"],
    ),
    (
        "large letters",
        "POST /a HTTP/1.1\r\n{ok}TRANSFER-ENCODING: ChUnKeD\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        &[200],
        &["POST /a hello"],
    ),
    (
        "the connection names it",
        "POST /a HTTP/1.1\r\n{ok}Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        &[200],
        &["POST /a hello"],
    ),
    (
        "one that only sounds like it",
        "POST /a HTTP/1.1\r\n{ok}Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
        &[200],
        &["POST /a hello"],
    ),
    (
        "one of another name",
        "POST /a HTTP/1.1\r\n{ok}X-Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
        &[200],
        &["POST /a hello"],
    ),
    (
        "one that is only offered",
        "POST /a HTTP/1.1\r\n{ok}TE: chunked\r\nContent-Length: 5\r\n\r\nhello",
        &[200],
        &["POST /a hello"],
    ),
];

pub(crate) fn run(cases: &[Case<'_>]) {
    let mut stand = Stand::agent(&[]);
    stand.shoot(shots(cases));
    stand.finish();
}

/// A whole good request, where only one of two readers would see one.
pub(crate) fn shots<'c>(cases: &'c [Case<'c>]) -> impl Iterator<Item = Shot<'c>> {
    let inner = format!("GET /{SMUGGLED} HTTP/1.1\r\n{{ok}}\r\n");
    cases.iter().map(move |&(name, bytes, told, reached)| {
        Shot::new(name, fill(&bytes.replace("{smuggled}", &inner)), told, reached)
    })
}

/// Those that rely on two readers who cut differently.
pub(crate) fn disputed() -> impl Iterator<Item = Shot<'static>> {
    [BOTH, CODINGS, LENGTHS].into_iter().flat_map(shots).filter(|shot| shot.told[0] >= 400)
}

#[test]
fn a_length_beside_a_coding_is_one_request_or_none() {
    run(BOTH);
}

#[test]
fn a_coding_that_is_spelt_strangely_is_the_usual_one_or_none() {
    run(CODINGS);
}
