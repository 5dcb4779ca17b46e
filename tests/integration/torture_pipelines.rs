//! Requests behind requests: answers in their order, each to its own, and nothing behind one that ended it.
use crate::agent::{request, request_with};
use crate::torture_smuggling::shots;
use crate::torture_stand::{Case, Shot, Stand, fill};

const ENDS: &[Case<'_>] = &[
    ("behind a close", "GET /a HTTP/1.1\r\n{ok}Connection: close\r\n\r\n{smuggled}", &[200], &["GET /a"]),
    ("behind HTTP/1.0", "GET /a HTTP/1.0\r\n{ok}\r\n{smuggled}", &[200], &["GET /a"]),
    (
        "behind what is malformed",
        "GET /a HTTP/1.1\r\n{ok}\r\nGET /b\r\n\r\n{smuggled}",
        &[200, 400],
        &["GET /a"],
    ),
    (
        "behind an unknown method",
        "GET /a HTTP/1.1\r\n{ok}\r\nBREW /b HTTP/1.1\r\n{ok}\r\n{smuggled}",
        &[200, 501],
        &["GET /a"],
    ),
    (
        "behind an unknown coding",
        "GET /a HTTP/1.1\r\n{ok}\r\nPOST /b HTTP/1.1\r\n{ok}Transfer-Encoding: gzip\r\n\r\n{smuggled}",
        &[200, 501],
        &["GET /a"],
    ),
    (
        "behind an unknown version",
        "GET /a HTTP/1.1\r\n{ok}\r\nGET /b HTTP/1.9\r\n{ok}\r\n{smuggled}",
        &[200, 505],
        &["GET /a"],
    ),
    (
        "behind a chunk that is none",
        "POST /a HTTP/1.1\r\n{ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nPOST /b HTTP/1.1\r\n{ok}Transfer-Encoding: chunked\r\n\r\nx\r\n{smuggled}",
        &[200, 400],
        &["POST /a hello", "POST /b…"],
    ),
    (
        "behind a stranger's body",
        "POST /a HTTP/1.1\r\nHost: lookout\r\nContent-Length: 48\r\n\r\n{smuggled}",
        &[401],
        &[],
    ),
    (
        "behind a body in a form",
        "POST /a HTTP/1.1\r\n{ok}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 99999\r\n\r\n{smuggled}",
        &[415],
        &[],
    ),
    (
        "behind a body of a route of ours that wants none",
        "GET /health HTTP/1.1\r\n{ok}Content-Length: 99999\r\n\r\n{smuggled}",
        &[200],
        &[],
    ),
];

const GOES_ON: &[Case<'_>] = &[
    (
        "three of three kinds",
        "GET /a HTTP/1.1\r\n{ok}\r\nPOST /b HTTP/1.1\r\n{ok}Content-Length: 5\r\n\r\nhelloPOST /c HTTP/1.1\r\n{ok}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        &[200, 200, 200],
        &["GET /a", "POST /b hello", "POST /c hi"],
    ),
    (
        "an answer without a body between",
        "HEAD /a HTTP/1.1\r\n{ok}\r\nGET /b HTTP/1.1\r\n{ok}\r\n",
        &[200, 200],
        &["HEAD /a", "GET /b"],
    ),
    (
        "one of ours between",
        "GET /a HTTP/1.1\r\n{ok}\r\nGET /_lookout/none HTTP/1.1\r\n{ok}\r\nGET /b HTTP/1.1\r\n{ok}\r\n",
        &[200, 404, 200],
        &["GET /a", "GET /b"],
    ),
    (
        "a stranger's between",
        "GET /a HTTP/1.1\r\n{ok}\r\nGET /smuggled HTTP/1.1\r\nHost: lookout\r\n\r\nGET /b HTTP/1.1\r\n{ok}\r\n",
        &[200, 401, 200],
        &["GET /a", "GET /b"],
    ),
    (
        "a stranger's first",
        "GET /smuggled HTTP/1.1\r\nHost: lookout\r\n\r\nGET /b HTTP/1.1\r\n{ok}\r\n",
        &[401, 200],
        &["GET /b"],
    ),
    (
        "a wrong method between",
        "POST /health HTTP/1.1\r\n{ok}\r\nGET /b HTTP/1.1\r\n{ok}\r\n",
        &[405, 200],
        &["GET /b"],
    ),
    (
        "a credential in a query between",
        "GET /smuggled?token=a HTTP/1.1\r\n{ok}\r\nGET /b HTTP/1.1\r\n{ok}\r\n",
        &[400, 200],
        &["GET /b"],
    ),
    (
        "a foreign origin between",
        "GET /smuggled HTTP/1.1\r\n{ok}Origin: https://evil.example\r\n\r\nGET /b HTTP/1.1\r\n{ok}\r\n",
        &[403, 200],
        &["GET /b"],
    ),
    (
        "an upgrade that is refused between",
        "POST /a HTTP/1.1\r\n{ok}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\nGET /b HTTP/1.1\r\n{ok}\r\n",
        &[200, 200],
        &["POST /a", "GET /b"],
    ),
    (
        "an empty line between",
        "GET /a HTTP/1.1\r\n{ok}\r\n\r\nGET /b HTTP/1.1\r\n{ok}\r\n",
        &[200, 200],
        &["GET /a", "GET /b"],
    ),
];

fn run(cases: &[Case<'_>]) {
    let mut stand = Stand::agent(&[]);
    stand.shoot(shots(cases));
    stand.finish();
}

#[test]
fn nothing_behind_the_end_of_a_connection_is_asked() {
    run(ENDS);
}

#[test]
fn what_comes_behind_is_answered_in_its_order() {
    run(GOES_ON);
}

/// As many as fit, and more than any buffer holds.
#[test]
fn a_thousand_in_one_piece_are_a_thousand() {
    let mut stand = Stand::agent(&[]);
    let body = "x".repeat(30);
    let mut bytes = String::new();
    let mut reached = Vec::new();
    for number in 0..1000 {
        match number % 3 {
            0 => bytes += &request(&format!("GET /{number}"), ""),
            1 => bytes += &request_with(&format!("POST /{number}"), "", &body),
            _ => {
                bytes += &(request(&format!("PUT /{number}"), "Transfer-Encoding: chunked\r\n")
                    + "1e\r\n"
                    + &body
                    + "\r\n0\r\n\r\n")
            }
        }
        reached.push(match number % 3 {
            0 => format!("GET /{number}"),
            1 => format!("POST /{number} {body}"),
            _ => format!("PUT /{number} {body}"),
        });
    }
    let reached: Vec<&str> = reached.iter().map(String::as_str).collect();
    stand.shoot([Shot::new("a thousand", bytes, &[200; 1000], &reached)]);
    stand.finish();
}

/// Every place where a pipeline may be torn between two packets.
#[test]
fn a_pipeline_torn_anywhere_is_the_same() {
    let bytes = fill("POST /a HTTP/1.1\r\n{ok}Content-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\n{ok}\r\n");
    let mut stand = Stand::agent(&[]);
    stand.shoot((1..bytes.len()).map(|at| {
        Shot::new(&format!("torn at {at}"), bytes.clone(), &[200, 200], &["POST /a hello", "GET /b"]).torn(at)
    }));
    stand.finish();
}
