//! How the Engine delimits requests: what it takes that others read otherwise is taken by no agent.

use std::ptr;

use crate::probe::{Probe, straight, through};

/// Requests the Engine serves, where one reader may see another end, or another body, than the next.
const TAKEN: &[(&str, &str)] = &[
    ("lines that end in a line feed alone", "GET /v1.41/_ping HTTP/1.1\nHost: a\nConnection: close\n\n"),
    (
        "a field that goes on in the next line",
        "GET /v1.41/_ping HTTP/1.1\r\nHost: a\r\nX-A: a\r\n b\r\nConnection: close\r\n\r\n",
    ),
    (
        "a length that stands twice",
        "POST /v1.41/volumes/create HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
         Content-Type: application/json\r\n\
         Content-Length: {length}\r\nContent-Length: {length}\r\n\r\n{body}",
    ),
    (
        "a length and chunks",
        "POST /v1.41/volumes/create HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
         Content-Type: application/json\r\n\
         Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n{hex}\r\n{body}\r\n0\r\n\r\n",
    ),
    (
        "a chunk's line that ends in a line feed alone",
        "POST /v1.41/volumes/create HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
         Content-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n{hex};a=b\n{body}\r\n0\r\n\r\n",
    ),
    (
        "a last chunk of 0x0",
        "POST /v1.41/volumes/create HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
         Content-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n{hex}\r\n{body}\r\n0x0\r\n\r\n",
    ),
    // It sees no body there, where others see one.
    (
        "chunks in HTTP/1.0",
        "GET /v1.41/_ping HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ),
];

/// Requests the Engine refuses itself.
const REFUSED: &[(&str, &str)] = &[
    ("a length with a sign", "POST /v1.41/volumes/create HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n"),
    (
        "two lengths",
        "POST /v1.41/volumes/create HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n",
    ),
    (
        "an unknown coding",
        "POST /v1.41/volumes/create HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    ),
    ("a space before a colon", "GET /v1.41/_ping HTTP/1.1\r\nHost: a\r\nX-A : a\r\n\r\n"),
    ("two hosts", "GET /v1.41/_ping HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
];

#[test]
fn a_request_that_could_end_elsewhere_is_taken_by_the_engine_alone() {
    let probe = Probe::new();
    let is_there = |name: &str| probe.straight.run(&["volume", "inspect", name]).status.success();
    for (what, template) in TAKEN {
        let bytes = |name: &str| {
            let body = format!(r#"{{"Name":"{name}"}}"#);
            let (length, hex) = (body.len().to_string(), format!("{:x}", body.len()));
            template.replace("{body}", &body).replace("{length}", &length).replace("{hex}", &hex)
        };
        for agent in [&probe.free, &probe.bound] {
            let name = probe.name("refused");
            let told = through(agent, bytes(&name).as_bytes());
            assert!((400..=501).contains(&told.status) && told.has("lookout: "), "{what}: {}", told.text);
            // Whoever may do everything has its body passed on as it comes, and the Engine acts on it
            // before its end; within limits it is read to the end first.
            let is_held = ptr::eq(agent, &probe.bound);
            assert!(!is_held || !is_there(&name), "{what}: a refused volume was made");
            probe.straight.run(&["volume", "rm", "-f", &name]).good();
        }
        let name = probe.name("made");
        let told = straight(bytes(&name).as_bytes());
        assert!([200, 201].contains(&told.status), "{what}: {}", told.text);
        if template.contains("{body}") {
            assert!(is_there(&name), "{what}");
            probe.straight.run(&["volume", "rm", &name]).good();
        }
    }
}

#[test]
fn a_request_the_engine_does_not_take_is_taken_by_nobody() {
    let probe = Probe::new();
    for (what, request) in REFUSED {
        for told in [straight(request.as_bytes()), through(&probe.bound, request.as_bytes())] {
            assert!((400..=501).contains(&told.status), "{what}: {}", told.text);
        }
    }
}
