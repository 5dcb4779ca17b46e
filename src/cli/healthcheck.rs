//! Asks the running agent whether it is alive, for images that have no other program to do so.

use std::fmt;
use std::io;
use std::process::ExitCode;

use super::out::complain;
use crate::clock::Deadline;
use crate::config::{Environment, Probe};
use crate::http::{self, Malformed, Method, Status};
use crate::limits::{HEAD_BUFFER_BYTES, HEALTHCHECK_SECS};
use crate::net::tls::{BadTls, Connector};
use crate::net::{self, Conn, Wire};

/// Silent when all is well, one line on stderr when it is not.
pub(super) fn report(environment: &Environment) -> ExitCode {
    let probe = match Probe::read(environment) {
        Ok(probe) => probe,
        Err(problems) => {
            for problem in problems {
                complain(&format!("lookout healthcheck: {problem}\n"));
            }
            return ExitCode::FAILURE;
        }
    };
    match ask(&probe, Deadline::after_secs(HEALTHCHECK_SECS)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&format!("lookout healthcheck: {}: {why}\n", probe.address));
            ExitCode::FAILURE
        }
    }
}

/// Why the agent does not count as alive.
#[derive(Debug)]
enum Unwell {
    Certificate(BadTls),
    Unreachable(io::Error),
    Late,
    Closed,
    Malformed(Malformed),
    Answered(Status),
}

fn ask(probe: &Probe, deadline: Deadline) -> Result<(), Unwell> {
    let connector = probe.certificate.as_deref().map(Connector::pinned);
    let connector = connector.transpose().map_err(Unwell::Certificate)?;
    let host = probe.address.ip().to_string();
    let tls = connector.as_ref().map(|connector| (connector, host.as_str()));
    let mut conn = Conn::tcp(probe.address, tls, deadline)?;
    let request = format!("GET /health HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", probe.address);
    conn.write_all(request.as_bytes(), deadline)?;
    match status(&mut Wire::new(conn, HEAD_BUFFER_BYTES), deadline)? {
        Status::OK => Ok(()),
        other => Err(Unwell::Answered(other)),
    }
}

fn status(wire: &mut Wire, deadline: Deadline) -> Result<Status, Unwell> {
    let mut seen = 0;
    loop {
        // Also bounds a head that trickles in, byte by byte.
        if deadline.passed() {
            return Err(Unwell::Late);
        }
        match wire.receive() {
            Ok(0) => return Err(Unwell::Closed),
            Ok(_) => {}
            Err(error) if net::is_tick(&error) => continue,
            Err(error) => return Err(error.into()),
        }
        let received = wire.received();
        if let Some((start, end)) = http::end_of_head(received, seen)? {
            let head = received.get(start..end).unwrap_or_default();
            return Ok(http::response_head(head, Method::Get, &mut http::slots())?.status);
        }
        seen = received.len();
    }
}

impl From<io::Error> for Unwell {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::TimedOut { Self::Late } else { Self::Unreachable(error) }
    }
}

impl From<Malformed> for Unwell {
    fn from(why: Malformed) -> Self {
        Self::Malformed(why)
    }
}

impl fmt::Display for Unwell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(bad) => write!(f, "TLS_CERT: {bad}"),
            Self::Unreachable(error) => write!(f, "cannot be asked: {error}"),
            Self::Late => write!(f, "no answer within {HEALTHCHECK_SECS} seconds"),
            Self::Closed => f.write_str("the connection was closed without an answer"),
            Self::Malformed(why) => write!(f, "the answer is not HTTP: {why}"),
            Self::Answered(status) => write!(f, "the answer is {}", status.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::config::specimens;
    use crate::net::tls::{Acceptor, Clients};
    use crate::sys::poll::{Watch, wait};
    use crate::threads::Resident;

    /// What comes of asking somebody who does `serve` with the connection.
    fn asking(
        certificate: Option<PathBuf>,
        serve: impl FnOnce(TcpStream) + Send + 'static,
    ) -> Result<(), Unwell> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let probe = Probe { address: listener.local_addr().unwrap(), certificate };
        let patience = Deadline::after_secs(60);
        let other = Resident::start("asked", move || {
            assert!(wait(&mut [Watch::readable(&listener)], patience).unwrap(), "nobody came");
            let socket = listener.accept().unwrap().0;
            socket.set_read_timeout(patience.left()).unwrap();
            serve(socket);
        });
        let outcome = ask(&probe, patience);
        assert!(other.unwrap().join());
        outcome
    }

    fn answering(answer: &'static str) -> Result<(), Unwell> {
        asking(None, |mut socket| {
            let mut request = [0; 256];
            let count = socket.read(&mut request).unwrap();
            assert!(request[..count].starts_with(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:"));
            assert!(request[..count].ends_with(b"\r\nConnection: close\r\n\r\n"));
            socket.write_all(answer.as_bytes()).unwrap();
        })
    }

    #[test]
    fn an_agent_that_answers_200_is_alive() {
        answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
    }

    #[test]
    fn every_other_answer_says_that_it_is_not() {
        for (answer, why) in [
            ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "the answer is 503"),
            ("HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "the answer is 301"),
            ("SSH-2.0-OpenSSH_9.2\r\n\r\n", "the answer is not HTTP: "),
            ("HTTP/1.1 200 OK\r\n", "the connection was closed without an answer"),
            ("", "the connection was closed without an answer"),
        ] {
            let told = answering(answer).unwrap_err().to_string();
            assert!(told.starts_with(why), "{told}");
        }
    }

    #[test]
    fn an_agent_that_stays_silent_is_not_waited_for() {
        // The kernel connects on behalf of who never accepts.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let probe = Probe { address: listener.local_addr().unwrap(), certificate: None };
        for span in [Duration::ZERO, Duration::from_millis(300)] {
            let unwell = ask(&probe, Deadline::after(span)).unwrap_err();
            assert_eq!(unwell.to_string(), "no answer within 4 seconds");
        }
    }

    #[test]
    fn where_nobody_listens_the_reason_is_told() {
        let address: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let unwell = ask(&Probe { address, certificate: None }, Deadline::after_secs(60)).unwrap_err();
        assert!(matches!(unwell, Unwell::Unreachable(_)));
        assert!(unwell.to_string().starts_with("cannot be asked: "));
    }

    #[test]
    fn an_agent_that_speaks_tls_is_asked_over_tls_and_known_by_its_certificate() {
        let (cert, key) = specimens::pair("healthcheck");
        let (acceptor, _) = Acceptor::load(&cert, &key, Clients::Nobody).unwrap();
        asking(Some(cert), move |socket| {
            let deadline = Deadline::after_secs(60);
            let mut conn = Conn::accepted(Arc::new(socket), Some(&acceptor)).unwrap();
            conn.handshake(deadline).unwrap();
            // Closing on an unread question would reset the connection.
            let mut wire = Wire::new(conn, 1024);
            while !wire.received().ends_with(b"\r\n\r\n") && !deadline.passed() {
                let _ = wire.receive();
            }
            wire.conn.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", deadline).unwrap();
        })
        .unwrap();
        let unread = ask(
            &Probe { address: "127.0.0.1:9".parse().unwrap(), certificate: Some("/no/such.pem".into()) },
            Deadline::after_secs(60),
        );
        assert!(unread.unwrap_err().to_string().starts_with("TLS_CERT: /no/such.pem cannot be read"));
    }
}
