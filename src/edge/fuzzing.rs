//! Doors for the fuzzers, to what only this room sees.

mod session;

pub(crate) use session::session;

use super::call::{Agreed, Call};
use super::envelope::{Message, read};
use super::upgrade::Question;
use super::url::Url;
use crate::http::{Method, request_head, response_head, slots};

/// A controller's message, and what a request in it becomes.
pub(crate) fn message(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let agreed = Agreed { binary_streams: true, duplex_streams: true, body_base64: true };
    let Ok(Message::Request(asked)) = read(text) else { return };
    let (path, method) = (asked.path.clone().into_owned(), asked.method.clone().into_owned());
    let Ok(call) = Call::read(*asked, agreed) else { return };
    let lines = call.head.windows(2).filter(|two| *two == b"\r\n").count();
    assert!(call.head.ends_with(b"\r\n\r\n"), "a head has one end");
    let mut slots = slots();
    if let Ok(head) = request_head(&call.head, &mut slots) {
        assert_eq!(head.target.raw(), path, "what is asked for is what was named");
        assert_eq!(head.method.as_str(), method, "and in that way");
        // The request line, the fields, and the empty line.
        assert_eq!(head.headers.len().saturating_add(2), lines, "no value breaks out of its line");
        let hosts = head.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("host")).count();
        assert_eq!(hosts, 1, "nobody names another host");
    }
}

/// An address of a controller, and the answer to an upgrade there.
pub(crate) fn upgrade(bytes: &[u8]) {
    let (address, answer) =
        bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
    let Some(url) = std::str::from_utf8(address).ok().and_then(|text| Url::parse(text).ok()) else { return };
    let again = Url::parse(&url.to_string());
    assert_eq!(again.ok().as_ref(), Some(&url), "an address that is shown is the one that was read");
    let question = Question::new(&url, &url.path(&super::LOOKOUT), &[], [7; 16]);
    if let Ok(head) = response_head(answer, Method::Get, &mut slots()) {
        let _ = question.judge(&head);
    }
}
