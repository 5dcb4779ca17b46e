//! One plain question over a connection, and the little that is wanted of its answer.

use std::fmt;
use std::io::{self, ErrorKind};

use crate::clock::Deadline;
use crate::edge::read_date;
use crate::http::{self, Malformed, Method, Status};
use crate::limits::HEAD_BUFFER_BYTES;
use crate::net::{Conn, Wire, is_tick};
use crate::secret::Secret;

/// What an answer's head says.
pub(super) struct Said {
    pub(super) status: Status,
    /// The time there, in seconds since 1970.
    pub(super) date: Option<u64>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Silent {
    Late,
    Closed,
    Broken(io::Error),
    Malformed(Malformed),
}

/// Gets `path` of `host`, with these fields.
pub(super) fn get(
    mut conn: Conn,
    host: &str,
    path: &str,
    fields: &[(&str, &Secret<String>)],
    deadline: Deadline,
) -> Result<Said, Silent> {
    let mut head = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n").into_bytes();
    http::push_field(&mut head, "Host", host.as_bytes());
    for (name, value) in fields {
        http::push_field(&mut head, name, value.expose().as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    conn.write_all(Secret::new(head).expose(), deadline)?;
    let mut wire = Wire::new(conn, HEAD_BUFFER_BYTES);
    let mut seen = 0;
    loop {
        if deadline.passed() {
            return Err(Silent::Late);
        }
        match wire.receive() {
            Ok(0) => return Err(Silent::Closed),
            Ok(_) => {}
            Err(error) if is_tick(&error) => continue,
            Err(error) => return Err(error.into()),
        }
        let received = wire.received();
        if let Some((start, end)) = http::end_of_head(received, seen)? {
            let mut slots = http::slots();
            let head = received.get(start..end).unwrap_or_default();
            let head = http::response_head(head, Method::Get, &mut slots)?;
            let date = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case("date"));
            let date = date.and_then(|field| read_date(std::str::from_utf8(field.value).ok()?.trim()));
            return Ok(Said { status: head.status, date });
        }
        seen = received.len();
    }
}

impl From<io::Error> for Silent {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::TimedOut { Self::Late } else { Self::Broken(error) }
    }
}

impl From<Malformed> for Silent {
    fn from(why: Malformed) -> Self {
        Self::Malformed(why)
    }
}

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("no answer in time"),
            Self::Closed => f.write_str("the connection was closed without an answer"),
            Self::Broken(cause) => write!(f, "the connection broke: {cause}"),
            Self::Malformed(why) => write!(f, "the answer is not HTTP: {why}"),
        }
    }
}
