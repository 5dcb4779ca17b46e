//! The upgrade to WebSocket: what is asked, and what is made of the answer. No sockets here.

use std::fmt;

use data_encoding::BASE64;
use sha1::{Digest, Sha1};

use super::url::Url;
use crate::clock;
use crate::http::{Headers, Malformed, ResponseHead, Status, push_field};
use crate::secret::Secret;

/// What every accepting server hashes with the key (RFC 6455 section 1.3).
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

pub(crate) const AGENT: &str = concat!("lookout/", env!("CARGO_PKG_VERSION"));

/// A request to speak WebSocket, and the answer that only its reader can give.
pub(crate) struct Question {
    /// Holds the operator's own fields, which are secret.
    pub(crate) head: Secret<Vec<u8>>,
    accept: String,
}

/// An answer other than 101.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) status: Status,
    /// Seconds after which we may ask again.
    pub(crate) retry_after: Option<u64>,
    /// The time there, in seconds since 1970.
    pub(crate) date: Option<u64>,
}

/// Why an answer makes no WebSocket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoWebSocket {
    Malformed(Malformed),
    /// It says 101 and switches to something else, or does not say to what.
    Protocol,
    /// It is no answer to our key: kept by a cache, or given blindly.
    Accept,
    /// It speaks an extension or a subprotocol nobody asked for.
    Extension,
    /// No key could be drawn.
    Random,
}

impl Question {
    /// Asks at `path` with a key that nobody used before, and with the operator's own fields.
    pub(crate) fn new(url: &Url, path: &str, fields: &[(String, Secret<String>)], key: [u8; 16]) -> Self {
        let key = BASE64.encode(&key);
        let mut head = format!("GET {path} HTTP/1.1\r\n").into_bytes();
        push_field(&mut head, "Host", url.authority().as_bytes());
        if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
            push_field(&mut head, "User-Agent", AGENT.as_bytes());
        }
        push_field(&mut head, "Upgrade", b"websocket");
        push_field(&mut head, "Connection", b"Upgrade");
        push_field(&mut head, "Sec-WebSocket-Key", key.as_bytes());
        push_field(&mut head, "Sec-WebSocket-Version", b"13");
        for (name, value) in fields {
            push_field(&mut head, name, value.expose().as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        Self { head: Secret::new(head), accept: accept(&key) }
    }

    /// The time there, where the answer is the one we wanted.
    pub(crate) fn judge(&self, answer: &ResponseHead<'_>) -> Result<Option<u64>, NotUpgraded> {
        let fields = answer.headers;
        let date = value(fields, "date").and_then(read_date);
        if answer.status != Status::SWITCHING_PROTOCOLS {
            let retry_after = value(fields, "retry-after").and_then(|text| wait(text, date));
            return Err(NotUpgraded::Refused(Answered { status: answer.status, retry_after, date }));
        }
        let lists = |name, wanted: &str| value(fields, name).is_some_and(|value| lists(value, wanted));
        let why = if !lists("connection", "upgrade") || !lists("upgrade", "websocket") {
            NoWebSocket::Protocol
        } else if value(fields, "sec-websocket-accept") != Some(self.accept.as_str()) {
            NoWebSocket::Accept
        } else if has(fields, "sec-websocket-extensions") || has(fields, "sec-websocket-protocol") {
            NoWebSocket::Extension
        } else {
            return Ok(date);
        };
        Err(NotUpgraded::NoWebSocket(why))
    }
}

/// What came instead of a WebSocket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotUpgraded {
    Refused(Answered),
    NoWebSocket(NoWebSocket),
}

impl Answered {
    /// Looks like the answer to a plain request: somebody in between dropped its Upgrade field.
    pub(crate) fn has_lost_upgrade(&self) -> bool {
        matches!(self.status.0, 200 | 204 | 400 | 405 | 426 | 501)
    }
}

/// What a server makes of a key (RFC 6455 section 4.2.2).
pub(super) fn accept(key: &str) -> String {
    BASE64.encode(&Sha1::new().chain_update(key).chain_update(MAGIC).finalize())
}

fn has(fields: Headers<'_>, name: &str) -> bool {
    fields.iter().any(|field| field.name.eq_ignore_ascii_case(name))
}

/// The value of a field that stands there once and is text.
fn value<'h>(fields: Headers<'h>, name: &str) -> Option<&'h str> {
    let mut values = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
    let (first, second) = (values.next()?, values.next());
    std::str::from_utf8(first.value.trim_ascii()).ok().filter(|_| second.is_none())
}

fn lists(value: &str, wanted: &str) -> bool {
    value.split(',').any(|token| token.trim_ascii().eq_ignore_ascii_case(wanted))
}

/// Retry-After is a number of seconds or a date, by the clock of whoever says so.
fn wait(text: &str, date: Option<u64>) -> Option<u64> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are very long.
        return Some(text.parse().unwrap_or(u64::MAX));
    }
    Some(read_date(text)?.saturating_sub(date.unwrap_or_else(|| clock::unix().as_secs())))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that is still sent (RFC 9110 section 5.6.7), in
/// seconds since 1970.
pub(crate) fn read_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, date) = text.split_once(", ")?;
    let mut parts = date.split(' ');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let (time, zone) = (parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)?.checked_add(1)?;
    let is_whole = zone == "GMT" && parts.next().is_none();
    let there = clock::read_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z")).filter(|_| is_whole)?;
    Some(there.as_secs())
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.0;
        write!(f, "the upgrade was answered with {status}: ")?;
        match status {
            300..=399 => f.write_str(
                "set DRYDOCK_URL to the address it redirects to (often https:// instead of http://)",
            ),
            401 | 403 => f.write_str(
                "somebody before the controller wants to know who asks: give its fields with EDGE_HEADERS_FILE",
            ),
            404 => f.write_str(
                "no controller is at this path: check the path of DRYDOCK_URL, and that the controller's edge \
                 mode is on",
            ),
            429 => f.write_str("the controller was asked too often"),
            502..=504 => f.write_str("the proxy before the controller does not reach it: is it running?"),
            _ if self.has_lost_upgrade() => f.write_str(
                "a reverse proxy before the controller probably drops the Upgrade field: let it pass WebSockets \
                 on (`lookout doctor` shows how)",
            ),
            _ => f.write_str("the controller's log may say why"),
        }?;
        self.retry_after.map_or(Ok(()), |secs| write!(f, " (to be asked again in {secs} s)"))
    }
}

impl fmt::Display for NoWebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "the answer is not HTTP: {why}"),
            Self::Protocol => f.write_str("the answer switches to something other than WebSocket"),
            Self::Accept => f.write_str("the answer is not to this request: does somebody between us cache?"),
            Self::Extension => f.write_str("the answer speaks an extension that nobody asked for"),
            Self::Random => f.write_str("the system gives no random bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{self, Method, response_head};

    /// The key of RFC 6455 section 1.3.
    const KEY: [u8; 16] = *b"the sample nonce";

    fn question(url: &str, fields: &[(&str, &str)]) -> (Question, String) {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::new((*value).to_owned()));
        let fields: Vec<_> = fields.iter().map(owned).collect();
        let question = Question::new(&Url::parse(url).unwrap(), "/api/lookout/ws", &fields, KEY);
        let head = String::from_utf8(question.head.expose().clone()).unwrap();
        (question, head)
    }

    fn judge(answer: &str) -> Result<Option<u64>, NotUpgraded> {
        let head = format!("{answer}\r\n\r\n");
        let mut slots = http::slots();
        let parsed = response_head(head.as_bytes(), Method::Get, &mut slots).unwrap();
        question("wss://controller", &[]).0.judge(&parsed)
    }

    fn refused(answer: &str) -> Answered {
        match judge(answer) {
            Err(NotUpgraded::Refused(answered)) => answered,
            other => panic!("{other:?}"),
        }
    }

    const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    #[test]
    fn the_request_says_what_is_needed_and_nothing_about_us() {
        let (_, head) = question("wss://controller:8443/base", &[("CF-Access-Client-Id", "x.access")]);
        let expected = format!(
            "GET /api/lookout/ws HTTP/1.1\r\nHost: controller:8443\r\nUser-Agent: {AGENT}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
             CF-Access-Client-Id: x.access\r\n\r\n"
        );
        assert_eq!(head, expected);
        assert!(question("wss://[::1]:443", &[]).1.contains("\r\nHost: [::1]\r\n"));
        let named = question("wss://controller", &[("user-agent", "own")]).1;
        assert!(named.contains("\r\nuser-agent: own\r\n") && !named.contains(AGENT));
        assert!(!question("wss://controller", &[("X", "a\r\nEvil: yes")]).1.contains("Evil"));
    }

    #[test]
    fn the_answer_to_our_key_is_the_one_of_the_standard() {
        assert_eq!(judge(GOOD), Ok(None));
        let dated = format!("{GOOD}\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(judge(&dated), Ok(Some(784_111_777)));
    }

    #[test]
    fn an_answer_that_makes_no_websocket_is_told_apart() {
        for (from, to, why) in [
            ("Upgrade: WebSocket", "Upgrade: h2c", NoWebSocket::Protocol),
            ("Upgrade: WebSocket", "X: y", NoWebSocket::Protocol),
            ("keep-alive, upgrade", "close", NoWebSocket::Protocol),
            ("s3pPLM", "S3pPLM", NoWebSocket::Accept),
            ("Sec-WebSocket-Accept", "X-Accept", NoWebSocket::Accept),
            ("Sec-", "Sec-WebSocket-Accept: x\r\nSec-", NoWebSocket::Accept),
            ("Upgrade: W", "Sec-WebSocket-Protocol: chat\r\nUpgrade: W", NoWebSocket::Extension),
            (
                "Upgrade: W",
                "Sec-WebSocket-Extensions: permessage-deflate\r\nUpgrade: W",
                NoWebSocket::Extension,
            ),
        ] {
            assert_eq!(judge(&GOOD.replacen(from, to, 1)), Err(NotUpgraded::NoWebSocket(why)), "{from} {to}");
        }
    }

    #[test]
    fn a_refusal_says_when_we_may_come_back() {
        let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
        for (fields, after) in [
            ("Retry-After: 120".to_owned(), Some(120)),
            ("retry-after:  0 ".to_owned(), Some(0)),
            ("Retry-After: 99999999999999999999".to_owned(), Some(u64::MAX)),
            (format!("{date}Retry-After: Sun, 06 Nov 1994 08:50:37 GMT"), Some(60)),
            (format!("{date}Retry-After: Sun, 06 Nov 1994 08:48:37 GMT"), Some(0)),
            ("Retry-After: Sun, 06 Nov 1994 08:50:37 GMT".to_owned(), Some(0)),
            ("Retry-After: soon".to_owned(), None),
            ("Retry-After: -1".to_owned(), None),
            ("Retry-After: 1\r\nRetry-After: 2".to_owned(), None),
            ("X: y".to_owned(), None),
        ] {
            let answered = refused(&format!("HTTP/1.1 503 Unavailable\r\n{fields}"));
            assert_eq!(answered.retry_after, after, "{fields}");
            assert_eq!(answered.date.is_some(), fields.starts_with("Date"), "{fields}");
        }
    }

    #[test]
    fn dates_are_read_in_the_one_form_that_is_sent() {
        assert_eq!(read_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(read_date("Thu, 29 Feb 2024 23:59:59 GMT"), Some(1_709_251_199));
        for text in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 GMT x",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(read_date(text), None, "{text}");
        }
    }

    #[test]
    fn each_refusal_names_what_helps() {
        for (status, part, has_lost) in [
            (301, "redirects", false),
            (401, "EDGE_HEADERS_FILE", false),
            (403, "EDGE_HEADERS_FILE", false),
            (404, "path of DRYDOCK_URL", false),
            (429, "asked too often", false),
            (502, "does not reach it", false),
            (500, "log", false),
            (200, "drops the Upgrade field", true),
            (400, "drops the Upgrade field", true),
            (426, "drops the Upgrade field", true),
        ] {
            let answered = refused(&format!("HTTP/1.1 {status} Whatever"));
            assert!(answered.to_string().contains(part), "{answered}");
            assert_eq!(answered.has_lost_upgrade(), has_lost, "{status}");
        }
        let later = refused("HTTP/1.1 429 Too Many\r\nRetry-After: 7");
        assert!(later.to_string().ends_with("(to be asked again in 7 s)"));
    }
}
