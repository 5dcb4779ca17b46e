//! Bodies in chunks: whatever is not framed in exactly one way never becomes a whole request of the Engine's.
use crate::torture_smuggling::shots;
use crate::torture_stand::{Case, SMUGGLED, Shot, Stand, fill};

/// A body, what the client is told, and what the Engine gets of `POST /a`.
type Body = (&'static str, &'static str, &'static [u16], &'static [&'static str]);

const TAKEN: &[Body] = &[
    ("zeros in front", "00005\r\nhello\r\n0\r\n\r\n", &[200], &["POST /a hello"]),
    ("fifteen digits", "000000000000005\r\nhello\r\n000000000000000\r\n\r\n", &[200], &["POST /a hello"]),
    ("large digits", "A\r\n0123456789\r\n0\r\n\r\n", &[200], &["POST /a 0123456789"]),
    (
        "many of one byte",
        "1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n0\r\n\r\n",
        &[200],
        &["POST /a hello"],
    ),
    ("an empty extension", "5;\r\nhello\r\n0;\r\n\r\n", &[200], &["POST /a hello"]),
    ("a quoted extension", "5;a=\"b;c\"\r\nhello\r\n0\r\n\r\n", &[200], &["POST /a hello"]),
    ("extensions with blanks", "5;a = b ;c\r\nhello\r\n0\r\n\r\n", &[200], &["POST /a hello"]),
    ("an extension that looks like a size", "5;30\r\nhello\r\n0;1\r\n\r\n", &[200], &["POST /a hello"]),
    (
        "an extension that looks like a request",
        "5;GET /smuggled HTTP/1.1\r\nhello\r\n0\r\n\r\n",
        &[200],
        &["POST /a hello"],
    ),
    (
        "bytes beyond ASCII in an extension",
        "5;\u{fc}=\u{212a}\r\nhello\r\n0\r\n\r\n",
        &[200],
        &["POST /a hello"],
    ),
    ("a trailer", "5\r\nhello\r\n0\r\nX-A: b\r\n\r\n", &[200], &["POST /a hello"]),
    ("a length in the trailer", "5\r\nhello\r\n0\r\nContent-Length: 99\r\n\r\n", &[200], &["POST /a hello"]),
    (
        "a coding in the trailer",
        "5\r\nhello\r\n0\r\nTransfer-Encoding: identity\r\n\r\n",
        &[200],
        &["POST /a hello"],
    ),
    (
        "a Host in the trailer",
        "5\r\nhello\r\n0\r\nHost: evil\r\nConnection: upgrade\r\n\r\n",
        &[200],
        &["POST /a hello"],
    ),
    (
        "a request line as a trailer",
        "5\r\nhello\r\n0\r\nGET:/smuggled HTTP/1.1\r\n\r\n",
        &[200],
        &["POST /a hello"],
    ),
    (
        "content that looks like an end",
        "c\r\n0\r\n\r\nGET /sm\r\n0\r\n\r\n",
        &[200],
        &["POST /a 0\r\n\r\nGET /sm"],
    ),
    ("nothing", "0\r\n\r\n", &[200], &["POST /a"]),
    (
        "the next request behind the end",
        "0\r\n\r\nGET /b HTTP/1.1\r\n{ok}\r\n",
        &[200, 200],
        &["POST /a", "GET /b"],
    ),
    (
        "an empty line and the next request behind the end",
        "1\r\nx\r\n0\r\n\r\n\r\nGET /b HTTP/1.1\r\n{ok}\r\n",
        &[200, 200],
        &["POST /a x", "GET /b"],
    ),
];

const REFUSED: &[&str] = &[
    "5 \r\nhello\r\n0\r\n\r\n{smuggled}",
    "5\t\r\nhello\r\n0\r\n\r\n{smuggled}",
    "5 ;a=b\r\nhello\r\n0\r\n\r\n{smuggled}",
    "\t5\r\nhello\r\n0\r\n\r\n{smuggled}",
    "\n5\r\nhello\r\n0\r\n\r\n{smuggled}",
    "5\r\r\nhello\r\n0\r\n\r\n{smuggled}",
    "5\r\nhello\n\n0\r\n\r\n{smuggled}",
    "5\rhello\r\n0\r\n\r\n{smuggled}",
    "5\r\nhello0\r\n\r\n{smuggled}",
    "5\r\nhell\r\n0\r\n\r\n{smuggled}",
    "5\r\nhello!\r\n0\r\n\r\n{smuggled}",
    "5\r\nhello\r0\r\n\r\n{smuggled}",
    "5\r\nhello\r\n\r\n0\r\n\r\n{smuggled}",
    "5\r\nhello\r\n-0\r\n\r\n{smuggled}",
    "5\r\nhello\r\n0 \r\n\r\n{smuggled}",
    "5\r\nhello\r\n0\n\r\n{smuggled}",
    "5\r\nhello\r\n0\r\n\r{smuggled}",
    "5\r\nhello\r\n0\r\n \r\n\r\n{smuggled}",
    "5,5\r\nhello\r\n0\r\n\r\n{smuggled}",
    "5.0\r\nhello\r\n0\r\n\r\n{smuggled}",
    "5h\r\nhello\r\n0\r\n\r\n{smuggled}",
    "\u{ff15}\r\nhello\r\n0\r\n\r\n{smuggled}",
    "\"5\"\r\nhello\r\n0\r\n\r\n{smuggled}",
    "5\0\r\nhello\r\n0\r\n\r\n{smuggled}",
    "0000000000000005\r\nhello\r\n0\r\n\r\n{smuggled}",
    "FFFFFFFFFFFFFFFB\r\nhello\r\n0\r\n\r\n{smuggled}",
    "8000000000000005\r\nhello\r\n0\r\n\r\n{smuggled}",
    "10000000000000000000000005\r\nhello\r\n0\r\n\r\n{smuggled}",
    "5;\x01\r\nhello\r\n0\r\n\r\n{smuggled}",
    "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n{smuggled}",
    "5;a=\"\r\"\r\nhello\r\n0\r\n\r\n{smuggled}",
    "5;a\r b\r\nhello\r\n0\r\n\r\n{smuggled}",
    "5;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nhello\r\n0\r\n\r\n{smuggled}",
    "5\r\nhello\r\n0\r\nX-A\r\n\r\n{smuggled}",
    "5\r\nhello\r\n0\r\nX A: b\r\n\r\n{smuggled}",
    "5\r\nhello\r\n0\r\nX-A : b\r\n\r\n{smuggled}",
    "5\r\nhello\r\n0\r\n: b\r\n\r\n{smuggled}",
    "5\r\nhello\r\n0\r\nX-A: b\r\n c\r\n\r\n{smuggled}",
    "5\r\nhello\r\n0\r\nX-A: b\0\r\n\r\n{smuggled}",
    "5\r\nhello\r\n0\r\nX-A: b\rX-C: d\r\n\r\n{smuggled}",
    "5\r\nhello\r\n0\r\nX-A: b\r\n\n{smuggled}",
    "5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n",
];

const OPEN: &[&str] = &[
    "",
    "5",
    "5\r",
    "5\r\n",
    "5\r\nhel",
    "5\r\nhello",
    "5\r\nhello\r",
    "5\r\nhello\r\n",
    "5\r\nhello\r\n0",
    "5\r\nhello\r\n0\r\n",
    "5\r\nhello\r\n0\r\nX-A: b\r\n",
    "5\r\nhello\r\n0\r\n\r",
    "fffffffffffffff\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
    "7fffffffffffffe\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
];

/// It may have begun.
const BEGUN: &[&str] = &["POST /a…"];

fn post(body: &str) -> String {
    format!("POST /a HTTP/1.1\r\n{{ok}}Transfer-Encoding: chunked\r\n\r\n{body}")
}

fn run(cases: impl IntoIterator<Item = (String, String, &'static [u16], &'static [&'static str])>) {
    let cases: Vec<_> = cases.into_iter().collect();
    let cases: Vec<Case<'_>> = cases
        .iter()
        .map(|(name, body, told, reached)| (name.as_str(), body.as_str(), *told, *reached))
        .collect();
    let mut stand = Stand::agent(&[]);
    stand.shoot(shots(&cases));
    stand.finish();
}

#[test]
fn chunks_that_can_be_read_in_one_way_are_written_anew() {
    run(TAKEN.iter().map(|(name, body, told, reached)| ((*name).to_owned(), post(body), *told, *reached)));
}

#[test]
fn chunks_that_can_be_read_in_two_ways_never_come_to_their_end() {
    run(REFUSED.iter().map(|body| (format!("{body:?}"), post(body), [400].as_slice(), BEGUN)));
}

#[test]
fn chunks_whose_end_never_comes_are_no_body() {
    let mut stand = Stand::agent(&[]);
    let shot = |body: &&str| Shot::new(&format!("{body:?}"), fill(&post(body)), &[400], BEGUN).and_no_more();
    stand.shoot(OPEN.iter().map(shot));
    stand.finish();
}

/// The head and a good chunk have gone by then.
#[test]
fn a_fault_that_shows_late_ends_the_engines_side_too() {
    let begin = fill(&post("5\r\nhello\r\n"));
    let mut stand = Stand::agent(&[]);
    stand.shoot(REFUSED.iter().map(|body| {
        let rest = fill(&body.replace("{smuggled}", &format!("GET /{SMUGGLED} HTTP/1.1\r\n{{ok}}\r\n")));
        Shot::new(&format!("{body:?}"), begin.clone() + &rest, &[400], BEGUN).in_two(begin.len())
    }));
    stand.finish();
}
