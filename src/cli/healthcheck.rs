//! Asks the running agent whether it is alive, for images that have no other program to do so.

use std::fmt;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{self as unix, UnixStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use super::out::complain;
use crate::clock::Deadline;
use crate::config::{Environment, Probe};
use crate::http::{self, Malformed, Method, Status};
use crate::limits::{HEAD_BUFFER_BYTES, HEALTH_BYTES_MAX, HEALTHCHECK_SECS, TICK_MILLIS};
use crate::net::tls::{BadTls, Connector};
use crate::net::{self, Conn, Wire};
use crate::threads::Resident;

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
            complain(&format!("lookout healthcheck: {probe}: {why}\n"));
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
    /// It said something else than how it is.
    Untold,
    Says(String),
}

fn ask(probe: &Probe, deadline: Deadline) -> Result<(), Unwell> {
    match probe {
        Probe::Standard { address, certificate } => by_http(*address, certificate.as_deref(), deadline),
        Probe::Edge { name } => by_socket(name, deadline),
    }
}

fn by_http(address: SocketAddr, certificate: Option<&Path>, deadline: Deadline) -> Result<(), Unwell> {
    let connector = certificate.map(Connector::pinned);
    let connector = connector.transpose().map_err(Unwell::Certificate)?;
    let host = address.ip().to_string();
    let tls = connector.as_ref().map(|connector| (connector, host.as_str()));
    let mut conn = Conn::tcp(address, tls, deadline)?;
    let request = format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
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

/// How an agent in edge mode is, in its own words.
#[derive(serde::Deserialize)]
struct Health {
    status: String,
}

/// Whoever connects is told, without asking.
fn by_socket(name: &str, deadline: Deadline) -> Result<(), Unwell> {
    let mut socket = connect(name, deadline)?;
    socket.set_read_timeout(Some(Duration::from_millis(TICK_MILLIS)))?;
    let (mut told, mut piece) = (Vec::new(), [0; 1024]);
    loop {
        if deadline.passed() {
            return Err(Unwell::Late);
        }
        match socket.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => told.extend(piece.iter().take(count)),
            Err(error) if net::is_tick(&error) || error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        if told.len() > HEALTH_BYTES_MAX {
            return Err(Unwell::Untold);
        }
    }
    if told.is_empty() {
        return Err(Unwell::Closed);
    }
    let health: Health = serde_json::from_slice(&told).map_err(|_| Unwell::Untold)?;
    if health.status == "ok" { Ok(()) } else { Err(Unwell::Says(health.status)) }
}

/// An agent that accepts nobody any more has a full backlog sooner or later, where the kernel would
/// wait for ever. So a thread waits there, which ends with us at the latest.
fn connect(name: &str, deadline: Deadline) -> Result<UnixStream, Unwell> {
    let address = unix::SocketAddr::from_abstract_name(name)?;
    let (connected, connecting) = mpsc::channel();
    let _waits = Resident::start("connect", move || {
        // Nobody takes it who has given up.
        let _ = connected.send(UnixStream::connect_addr(&address));
    })?;
    let left = deadline.left().unwrap_or(Duration::MAX);
    Ok(connecting.recv_timeout(left).map_err(|_| Unwell::Late)??)
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
            Self::Untold => f.write_str("the answer does not say how the agent is"),
            Self::Says(status) => write!(f, "the agent says that it is {status:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::config::specimens;
    use crate::net::tls::{Acceptor, Clients};
    use crate::sys::poll::{Watch, wait};

    /// What comes of asking somebody who does `serve` with the connection.
    fn asking(
        certificate: Option<PathBuf>,
        serve: impl FnOnce(TcpStream) + Send + 'static,
    ) -> Result<(), Unwell> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let probe = Probe::Standard { address: listener.local_addr().unwrap(), certificate };
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
        let probe = Probe::Standard { address: listener.local_addr().unwrap(), certificate: None };
        for span in [Duration::ZERO, Duration::from_millis(300)] {
            let unwell = ask(&probe, Deadline::after(span)).unwrap_err();
            assert_eq!(unwell.to_string(), "no answer within 4 seconds");
        }
    }

    #[test]
    fn where_nobody_listens_the_reason_is_told() {
        let address: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let unwell =
            ask(&Probe::Standard { address, certificate: None }, Deadline::after_secs(60)).unwrap_err();
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
            &Probe::Standard {
                address: "127.0.0.1:9".parse().unwrap(),
                certificate: Some("/no/such.pem".into()),
            },
            Deadline::after_secs(60),
        );
        assert!(unread.unwrap_err().to_string().starts_with("TLS_CERT: /no/such.pem cannot be read"));
    }

    /// An abstract socket of this process and test, and its name.
    fn socket(test: &str) -> (UnixListener, String) {
        let name = format!("lookout-test-{test}-{}", std::process::id());
        let address = unix::SocketAddr::from_abstract_name(&name).unwrap();
        (UnixListener::bind_addr(&address).unwrap(), name)
    }

    /// What comes of asking an agent that says `told`.
    fn telling(test: &str, told: impl Into<Vec<u8>>) -> Result<(), Unwell> {
        let ((listener, name), told) = (socket(test), told.into());
        let patience = Deadline::after_secs(60);
        let other = Resident::start("asked", move || {
            assert!(wait(&mut [Watch::readable(&listener)], patience).unwrap(), "nobody came");
            // Whoever has heard enough does not stay for the rest.
            let _ = listener.accept().unwrap().0.write_all(&told);
        });
        let outcome = ask(&Probe::Edge { name }, patience);
        assert!(other.unwrap().join());
        outcome
    }

    #[test]
    fn an_agent_in_edge_mode_is_alive_when_it_says_ok() {
        telling("ok", "{\"status\":\"ok\",\"controller\":\"connected\"}\n").unwrap();
    }

    #[test]
    fn everything_else_it_says_means_that_it_is_not() {
        let long = format!("{{\"status\":\"ok\"}}{}", " ".repeat(HEALTH_BYTES_MAX));
        for (at, (told, why)) in [
            ("{\"status\":\"stuck\"}\n", "the agent says that it is \"stuck\""),
            ("{\"status\":\"OK\"}\n", "the agent says that it is \"OK\""),
            ("{\"status\":true}\n", "the answer does not say how the agent is"),
            ("{\"state\":\"ok\"}\n", "the answer does not say how the agent is"),
            ("{\"status\":\"ok\"", "the answer does not say how the agent is"),
            ("ok\n", "the answer does not say how the agent is"),
            (&long, "the answer does not say how the agent is"),
            ("", "the connection was closed without an answer"),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(telling(&format!("not-{at}"), told).unwrap_err().to_string(), why, "{at}");
        }
    }

    #[test]
    fn an_agent_in_edge_mode_that_stays_silent_is_not_waited_for() {
        let (_listener, name) = socket("silent");
        for span in [Duration::ZERO, Duration::from_millis(300)] {
            let unwell = ask(&Probe::Edge { name: name.clone() }, Deadline::after(span)).unwrap_err();
            assert_eq!(unwell.to_string(), "no answer within 4 seconds");
        }
        let unwell = ask(&Probe::Edge { name: name + "-else" }, Deadline::after_secs(60)).unwrap_err();
        assert!(unwell.to_string().starts_with("cannot be asked: "));
    }
}
