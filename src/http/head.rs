//! Heads: where one ends in received bytes, and what it says.

use std::mem::MaybeUninit;

use super::fields::tokens;
use super::{Framing, Headers, Malformed, Method, Status, Target};
use crate::limits::{HEAD_BYTES_MAX, HEADER_COUNT_MAX, TARGET_BYTES_MAX};

/// Room for the headers of one head, on the stack of whoever parses it.
pub(crate) type Slots<'h> = [MaybeUninit<httparse::Header<'h>>; HEADER_COUNT_MAX];

pub(crate) fn slots<'h>() -> Slots<'h> {
    [const { MaybeUninit::uninit() }; HEADER_COUNT_MAX]
}

/// A request's head whose every rule was checked.
#[derive(Debug)]
pub(crate) struct RequestHead<'h> {
    pub(crate) method: Method,
    pub(crate) target: Target<'h>,
    pub(crate) headers: Headers<'h>,
    pub(crate) framing: Framing,
    pub(crate) is_http_10: bool,
    /// The client wants to go on using the connection.
    pub(crate) keep_alive: bool,
    /// The client sends its body only after an interim answer.
    pub(crate) expects_continue: bool,
    /// The protocol the client asks to switch to.
    pub(crate) upgrade: Option<&'h [u8]>,
    /// The Connection field names further fields that go no further.
    names_fields: bool,
}

/// An answer's head.
#[derive(Debug)]
pub(crate) struct ResponseHead<'h> {
    pub(crate) status: Status,
    pub(crate) reason: &'h str,
    pub(crate) headers: Headers<'h>,
    pub(crate) framing: Framing,
    pub(crate) keep_alive: bool,
    names_fields: bool,
}

/// Where the first head lies in received bytes, `None` while it is incomplete. Looks only at what
/// came after `seen` bytes.
pub(crate) fn end_of_head(received: &[u8], seen: usize) -> Result<Option<(usize, usize)>, Malformed> {
    // One empty line is what some clients send after a body (RFC 9112 §2.2).
    let start = if received.starts_with(b"\r\n") { 2 } else { 0 };
    let head = received.get(start..).unwrap_or_default();
    match head.first() {
        None | Some(b'\r') if head.len() < 2 => return Ok(None),
        Some(0x16) => return Err(Malformed::TlsOnPlainPort),
        _ => {}
    }
    // An end may straddle what was seen.
    let mut at = seen.saturating_sub(start).saturating_sub(3);
    while let Some(offset) = head.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == b'\n')) {
        let feed = at.saturating_add(offset);
        let line = head.get(..feed).unwrap_or_default();
        let Some(line) = line.strip_suffix(b"\r") else { return Err(Malformed::LineEnd) };
        let after = feed.saturating_add(1);
        if line.is_empty() || line.ends_with(b"\n") {
            return if after > HEAD_BYTES_MAX {
                Err(Malformed::HeadTooLarge)
            } else {
                Ok(Some((start, start.saturating_add(after))))
            };
        }
        at = after;
    }
    if head.len() > TARGET_BYTES_MAX && !head.contains(&b'\n') {
        let has_target = head.contains(&b' ');
        return Err(if has_target { Malformed::TargetTooLong } else { Malformed::StartLine });
    }
    if head.len() >= HEAD_BYTES_MAX { Err(Malformed::HeadTooLarge) } else { Ok(None) }
}

/// Reads a whole request head.
pub(crate) fn request_head<'h>(
    head: &'h [u8],
    slots: &'h mut Slots<'h>,
) -> Result<RequestHead<'h>, Malformed> {
    let mut parsed = httparse::Request::new(&mut []);
    let outcome = parsed.parse_with_uninit_headers(head, slots).map_err(|error| {
        let is_no_version = error == httparse::Error::Version && !names_a_version(head);
        if is_no_version { Malformed::StartLine } else { malformed(error) }
    })?;
    let (httparse::Status::Complete(_), Some(method), Some(target), Some(minor)) =
        (outcome, parsed.method, parsed.path, parsed.version)
    else {
        return Err(Malformed::StartLine);
    };
    let headers: Headers<'h> = parsed.headers;
    let is_http_10 = minor == 0;
    let method = Method::parse(method).ok_or(Malformed::UnknownMethod)?;
    let target = Target::parse(target)?;
    let framing = Framing::of_request(headers, is_http_10)?;
    let connection = Connection::of(headers);
    let (mut hosts, mut expects_continue) = (0_u8, false);
    let (mut upgrades, mut upgrade) = (0_u8, None);
    for header in headers {
        match header.name.len() {
            4 if header.name.eq_ignore_ascii_case("host") => hosts = hosts.saturating_add(1),
            6 if header.name.eq_ignore_ascii_case("expect") => {
                if !header.value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(Malformed::Expectation);
                }
                expects_continue = !is_http_10;
            }
            7 if header.name.eq_ignore_ascii_case("upgrade") => {
                // Two of them are none: whoever reads the other one disagrees.
                upgrade = if upgrades == 0 { Some(header.value) } else { None };
                upgrades = upgrades.saturating_add(1);
            }
            _ => {}
        }
    }
    match hosts {
        0 if !is_http_10 => return Err(Malformed::NoHost),
        0 | 1 => {}
        _ => return Err(Malformed::TwoHosts),
    }
    Ok(RequestHead {
        method,
        target,
        headers,
        framing,
        is_http_10,
        keep_alive: connection.keeps_alive(is_http_10),
        expects_continue,
        upgrade: upgrade.filter(|_| !is_http_10 && connection.upgrade),
        names_fields: connection.names_fields,
    })
}

/// Whether a first line is `method target HTTP/…`, whatever the version.
fn names_a_version(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut parts = line.split(|&byte| byte == b' ');
    parts.nth(2).is_some_and(|version| version.starts_with(b"HTTP/")) && parts.next().is_none()
}

/// Reads a whole head of the answer to a `method` request.
pub(crate) fn response_head<'h>(
    head: &'h [u8],
    method: Method,
    slots: &'h mut Slots<'h>,
) -> Result<ResponseHead<'h>, Malformed> {
    let mut parsed = httparse::Response::new(&mut []);
    let outcome = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut parsed, head, slots)
        .map_err(malformed)?;
    let (httparse::Status::Complete(_), Some(code), Some(minor)) = (outcome, parsed.code, parsed.version)
    else {
        return Err(Malformed::StartLine);
    };
    if !(100..600).contains(&code) {
        return Err(Malformed::StartLine);
    }
    let (headers, status): (Headers<'h>, _) = (parsed.headers, Status(code));
    let connection = Connection::of(headers);
    Ok(ResponseHead {
        status,
        reason: parsed.reason.unwrap_or_default(),
        headers,
        framing: Framing::of_answer(method, status, headers)?,
        keep_alive: connection.keeps_alive(minor == 0),
        names_fields: connection.names_fields,
    })
}

impl RequestHead<'_> {
    /// Every value of a field.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &'_ [u8]> {
        let fields = self.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
        fields.map(|header| header.value)
    }

    /// Named in the Connection field, and so not for whoever comes next.
    pub(crate) fn is_nominated(&self, name: &str) -> bool {
        self.names_fields && nominated(self.headers, name)
    }
}

impl ResponseHead<'_> {
    /// Named in the Connection field, and so not for whoever comes next.
    pub(crate) fn is_nominated(&self, name: &str) -> bool {
        self.names_fields && nominated(self.headers, name)
    }
}

fn nominated(headers: Headers<'_>, name: &str) -> bool {
    let connection = headers.iter().filter(|header| header.name.eq_ignore_ascii_case("connection"));
    connection
        .flat_map(|header| tokens(header.value))
        .any(|token| token.eq_ignore_ascii_case(name.as_bytes()))
}

/// What the Connection fields say.
#[derive(Default)]
struct Connection {
    close: bool,
    keep_alive: bool,
    /// An Upgrade field without this word was not meant for us.
    upgrade: bool,
    names_fields: bool,
}

impl Connection {
    fn of(headers: Headers<'_>) -> Self {
        let mut connection = Self::default();
        let fields = headers.iter().filter(|header| header.name.eq_ignore_ascii_case("connection"));
        for token in fields.flat_map(|header| tokens(header.value)) {
            if token.eq_ignore_ascii_case(b"close") {
                connection.close = true;
            } else if token.eq_ignore_ascii_case(b"keep-alive") {
                connection.keep_alive = true;
            } else if token.eq_ignore_ascii_case(b"upgrade") {
                connection.upgrade = true;
            } else {
                connection.names_fields = true;
            }
        }
        connection
    }

    fn keeps_alive(&self, is_http_10: bool) -> bool {
        !self.close && (!is_http_10 || self.keep_alive)
    }
}

fn malformed(error: httparse::Error) -> Malformed {
    match error {
        httparse::Error::TooManyHeaders => Malformed::TooManyHeaders,
        httparse::Error::Version => Malformed::Version,
        httparse::Error::NewLine => Malformed::LineEnd,
        httparse::Error::HeaderName | httparse::Error::HeaderValue => Malformed::HeaderLine,
        httparse::Error::Status | httparse::Error::Token => Malformed::StartLine,
    }
}

#[cfg(test)]
mod tests;
