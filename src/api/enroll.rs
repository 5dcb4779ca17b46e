//! A key lets itself in with the one-time enrollment token.

use zeroize::Zeroizing;

use super::failure::Failure;
use super::route::{Access, Desk, Outcome, Response, Route};
use crate::auth::{Bodies, NotEnrolled};
use crate::clock::Deadline;
use crate::http::{Body, BodyError, Method, Request, Status};
use crate::limits::{ENROLL_BODY_BYTES_MAX, ENROLL_BODY_SECS};
use crate::log::{self, text};
use crate::net::is_tick;
use crate::secret::Secret;

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::Post,
    path: "/api/lookout/enroll",
    label: "enroll",
    about: "Adds a key for the one-time `ENROLLMENT_TOKEN`; like an unknown path where none is set.",
    access: Access::Public(enroll),
    adapter: None,
}];

/// What is asked for. Other members are ignored.
#[derive(serde::Deserialize)]
struct Asked {
    enrollment_token: String,
    public_key: String,
}

#[derive(serde::Serialize)]
struct Enrolled<'k> {
    key_id: String,
    comment: &'k str,
}

fn enroll(desk: &mut Desk<'_>, mut request: Request<'_>) -> Outcome {
    let enrollment = &desk.gate.enrollment;
    if !enrollment.is_offered() {
        return Err(as_if_unknown(desk, request));
    }
    if !desk.is_private {
        return Err(Failure::PlainHttp);
    }
    let peer = request.peer;
    let key = enrollment.check(peer).and_then(|()| {
        let asked = read(&mut request.body).and_then(|bytes| parse(&bytes));
        let (token, public_key) = asked.map_err(|why| enrollment.count(why, peer))?;
        enrollment.enroll(desk.gate, peer, token.expose().as_bytes(), &public_key)
    });
    let key = key.map_err(Failure::NotEnrolled)?;
    let known = [("outcome", text(&"allowed")), ("peer", text(&peer)), ("key", text(&key.id))];
    log::info("enrollment", &known);
    desk.enrolled = Some(key.id);
    let enrolled = Enrolled { key_id: key.id.to_string(), comment: key.comment.as_str() };
    Ok(Response::json(Status::OK, &enrolled))
}

/// Strangers are told no more than of a path that does not exist.
fn as_if_unknown(desk: &mut Desk<'_>, request: Request<'_>) -> Failure {
    desk.gate.admit(desk.pass, request, Bodies::Hold).map_or_else(Failure::from, |_| Failure::NoSuchRoute)
}

/// All of a body, of which no copy is left behind: it holds a token.
fn read(body: &mut Body<'_>) -> Result<Zeroizing<Vec<u8>>, NotEnrolled> {
    let deadline = Deadline::after_secs(ENROLL_BODY_SECS);
    let mut bytes = Zeroizing::new(Vec::with_capacity(ENROLL_BODY_BYTES_MAX));
    loop {
        match body.fill() {
            Err(BodyError::Io(error)) if is_tick(&error) && !deadline.passed() => continue,
            outcome => outcome.map_err(NotEnrolled::Body)?,
        }
        let content = body.content();
        if content.is_empty() {
            return Ok(bytes);
        }
        if bytes.len().saturating_add(content.len()) > ENROLL_BODY_BYTES_MAX {
            return Err(NotEnrolled::Body(BodyError::TooLarge(ENROLL_BODY_BYTES_MAX)));
        }
        // Also of one that never rests: a byte now and then keeps no thread for long.
        if deadline.passed() {
            return Err(NotEnrolled::Body(BodyError::Io(std::io::ErrorKind::TimedOut.into())));
        }
        bytes.extend_from_slice(content);
        let count = content.len();
        body.consume(count);
    }
}

/// Exactly one object. A list of the two would do for serde, and for nobody else.
fn parse(bytes: &[u8]) -> Result<(Secret<String>, String), NotEnrolled> {
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(NotEnrolled::Json);
    }
    let asked: Asked = serde_json::from_slice(bytes).map_err(|_| NotEnrolled::Json)?;
    Ok((Secret::new(asked.enrollment_token), asked.public_key))
}

/// What went wrong, for the operator. Never the token, which is not here any more.
pub(super) fn tell(why: &NotEnrolled, peer: std::net::IpAddr) {
    let key = why.key().map(|id| id.to_string()).unwrap_or_default();
    let (peer, key) = (text(&peer), text(&key));
    match why {
        NotEnrolled::Failed(_, trouble) => {
            let outcome = text(&"error");
            log::error("enrollment", &[("outcome", outcome), ("peer", peer), ("key", key), ("error", text(trouble))]);
        }
        NotEnrolled::Throttled(_)
        | NotEnrolled::Body(_)
        | NotEnrolled::Json
        | NotEnrolled::WrongToken
        | NotEnrolled::Spent(_)
        | NotEnrolled::Key(_)
        | NotEnrolled::Barred(..)
        | NotEnrolled::Busy(_) => {
            let outcome = text(&"denied");
            log::warn("enrollment", &[("outcome", outcome), ("peer", peer), ("key", key), ("why", text(why))]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::api::route::{Adapter, Agent, Surface};
    use crate::auth::{Credentials, EnrollmentTerms, Exposure, Gate, Pass, Settings};
    use crate::docker::Line;
    use crate::http::{Framing, Source, request_head, slots};

    /// A client that has sent everything already; what is left is what nobody read.
    struct Sent(Vec<u8>, UnixStream);

    impl Source for Sent {
        fn received(&self) -> &[u8] {
            &self.0
        }
        fn consume(&mut self, count: usize) {
            self.0.drain(..count);
        }
        fn receive(&mut self) -> io::Result<usize> {
            Ok(0)
        }
        fn socket(&self) -> BorrowedFd<'_> {
            self.1.as_fd()
        }
        fn is_buffered(&mut self) -> bool {
            !self.0.is_empty()
        }
        fn is_plain(&self) -> bool {
            true
        }
        fn go_ahead(&mut self) -> io::Result<()> {
            Ok(())
        }
        fn leave(&mut self, _: bool) {}
    }

    /// The answer to a body, and how much of the body was left unread.
    fn ask(is_private: bool, body: &str) -> (Result<Status, Status>, usize) {
        let terms =
            EnrollmentTerms { token: Secret::new("token".to_owned()), keys_file: "/no/such/file".into() };
        let gate = Gate::new(Settings {
            exposure: Exposure::Guarded(Credentials::default()),
            skew_secs: 60,
            nonces_per_key: 10,
            audience: None,
            trusted_proxies: Vec::new(),
            enrollment: Some(terms),
        });
        let agent = Agent::specimen(Adapter::Drydock, "/no/such/engine".into());
        let mut desk = Desk {
            agent: &agent,
            surface: Surface::Whole,
            actor: None,
            enrolled: None,
            can_follow: false,
            parent: None,
            request_id: None,
            gate: &gate,
            pass: &mut Pass::default(),
            is_private,
            line: &mut Line::default(),
            peer: [192, 0, 2, 1].into(),
            on_admitted: &|_| {},
        };
        let mut source = Sent(body.as_bytes().to_vec(), UnixStream::pair().unwrap().0);
        let mut slots = slots();
        let head = request_head(b"POST /api/lookout/enroll HTTP/1.1\r\nHost: h\r\n\r\n", &mut slots).unwrap();
        let length = Framing::Length(u64::try_from(body.len()).unwrap());
        let request =
            Request { head, body: Body::new(&mut source, length, false), peer: [192, 0, 2, 1].into() };
        let outcome = enroll(&mut desk, request);
        (outcome.map(|response| response.status).map_err(|failure| failure.status()), source.0.len())
    }

    #[test]
    fn beyond_loopback_a_token_in_clear_is_not_even_read() {
        let body = r#"{"enrollment_token":"wrong","public_key":""}"#;
        assert_eq!(ask(false, body), (Err(Status::FORBIDDEN), body.len()));
        assert_eq!(ask(true, body), (Err(Status::UNAUTHORIZED), 0));
    }

    #[test]
    fn a_body_of_the_limit_is_read_and_one_byte_more_is_not() {
        let body = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length.saturating_sub(8)));
        assert_eq!(ask(true, &body(ENROLL_BODY_BYTES_MAX)), (Err(Status::BAD_REQUEST), 0));
        assert_eq!(ask(true, &body(ENROLL_BODY_BYTES_MAX + 1)).0, Err(Status::PAYLOAD_TOO_LARGE));
    }

    #[test]
    fn exactly_one_object_with_two_strings_is_taken() {
        let good = br#" {"x":[1,{}],"public_key":"k","enrollment_token":"t\u0041"} "#;
        let (token, key) = parse(good).ok().unwrap();
        assert_eq!((token.expose().as_str(), key.as_str()), ("tA", "k"));
        for bad in [
            "",
            "{",
            "null",
            r#"["t","k"]"#,
            r#"{"enrollment_token":"t"}"#,
            r#"{"public_key":"k"}"#,
            r#"{"enrollment_token":1,"public_key":"k"}"#,
            r#"{"enrollment_token":"t","public_key":null}"#,
            r#"{"enrollment_token":"t","public_key":"k"}{}"#,
            r#"{"enrollment_token":"t","public_key":"k"} x"#,
            r#"{"enrollment_token":"t","enrollment_token":"u","public_key":"k"}"#,
        ] {
            assert!(matches!(parse(bad.as_bytes()), Err(NotEnrolled::Json)), "{bad}");
        }
    }
}
