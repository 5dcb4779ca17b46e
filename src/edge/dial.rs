//! The way to the controller, step by step: its name, a connection, the proxy, TLS, the upgrade.
//!
//! Each step stands alone, so that whoever looks for what is wrong can take them one by one.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::ops::Range;
use std::time::Duration;

use super::Way;
use super::upgrade::{AGENT, Answered, NoWebSocket, NotUpgraded, Question};
use super::url::{Url, in_brackets};
use super::via::Proxy;
use crate::clock::Deadline;
use crate::http::{self, Malformed, Method, ResponseHead, Status, push_field};
use crate::limits::HEAD_BUFFER_BYTES;
use crate::net::tls::{Connector, Trouble, trouble};
use crate::net::{Conn, Wire, is_tick};
use crate::secret::Secret;

/// Addresses of one name that are tried. Beyond: the others are left out.
const ADDRESSES_MAX: usize = 16;
/// What one address may take while another waits for its turn.
const ADDRESS_SPAN: Duration = Duration::from_secs(3);

/// A connection that speaks WebSocket from here on.
pub(crate) struct Dialled {
    pub(crate) conn: Conn,
    /// What came right behind the answer.
    pub(crate) early: Vec<u8>,
    pub(crate) peer: SocketAddr,
    /// The time there, in seconds since 1970, where it was told.
    pub(crate) date: Option<u64>,
}

/// A step of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Resolve,
    Connect,
    Proxy,
    Tls,
    Upgrade,
}

/// Where the way ended.
#[derive(Debug)]
pub(crate) enum DialFailed {
    /// The name has no address.
    Resolve(String, io::Error),
    Connect(SocketAddr, io::Error),
    /// The proxy of this address does not lead there.
    Proxy(String, NoPassage),
    Tls(io::Error),
    Late(Phase),
    Refused(Answered),
    NoWebSocket(NoWebSocket),
    Closed(Phase),
}

/// Why a proxy leads nowhere.
#[derive(Debug)]
pub(crate) enum NoPassage {
    Unreachable(Box<DialFailed>),
    Refused(Status),
    Malformed(Malformed),
    /// It sent something before we had asked the controller for anything.
    Talks,
}

/// Takes every step of the way.
pub(crate) fn dial(url: &Url, way: &Way, path: &str, deadline: Deadline) -> Result<Dialled, DialFailed> {
    let (mut conn, peer) = match way.proxies.to(url) {
        Some(proxy) => {
            let (conn, peer) = reach(proxy, deadline)?;
            (through(conn, proxy, url, deadline)?, peer)
        }
        None => connect(resolve(url.host(), url.port(), deadline)?, deadline)?,
    };
    if url.is_tls() {
        start_tls(&mut conn, &way.connector, url.host(), deadline)?;
    }
    let (conn, early, date) = upgrade(conn, url, path, &way.headers, deadline)?;
    Ok(Dialled { conn, early, peer, date })
}

/// Every address of a name, in the order in which to try them. The resolver keeps its own time, and
/// is not cut short.
pub(crate) fn resolve(host: &str, port: u16, deadline: Deadline) -> Result<Vec<SocketAddr>, DialFailed> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let failed = |cause| DialFailed::Resolve(host.to_owned(), cause);
    let addresses: Vec<_> = (host, port).to_socket_addrs().map_err(failed)?.collect();
    if addresses.is_empty() {
        return Err(failed(ErrorKind::NotFound.into()));
    }
    if deadline.passed() {
        return Err(DialFailed::Late(Phase::Resolve));
    }
    Ok(in_turn(&addresses))
}

/// The families take turns, beginning with the first one's: where one of them leads nowhere, the
/// other is not far behind (RFC 8305 section 4).
fn in_turn(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let mut others = addresses.iter().filter(|address| address.is_ipv6() != is_ipv6);
    let mut ordered = Vec::with_capacity(addresses.len());
    for address in addresses.iter().filter(|address| address.is_ipv6() == is_ipv6) {
        ordered.push(*address);
        ordered.extend(others.next());
    }
    ordered.extend(others);
    ordered.truncate(ADDRESSES_MAX);
    ordered
}

/// A connection to the first address that takes one.
pub(crate) fn connect(
    addresses: Vec<SocketAddr>,
    deadline: Deadline,
) -> Result<(Conn, SocketAddr), DialFailed> {
    let mut failure = None;
    let mut left = addresses.len();
    for address in addresses {
        left = left.saturating_sub(1);
        // The last one has all the time that is left.
        let share = deadline.left().filter(|left| *left < ADDRESS_SPAN).unwrap_or(ADDRESS_SPAN);
        let by = if left == 0 { deadline } else { Deadline::after(share) };
        match Conn::tcp(address, None, by) {
            Ok(conn) => return Ok((conn, address)),
            // The first failure is told, unless it was only that there is no such network here.
            Err(error) if failure.as_ref().is_none_or(|(_, first)| is_no_network(first)) => {
                failure = Some((address, error));
            }
            Err(_) => {}
        }
        if deadline.passed() {
            break;
        }
    }
    Err(failure
        .map_or(DialFailed::Late(Phase::Connect), |(address, error)| DialFailed::Connect(address, error)))
}

fn is_no_network(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::AddrNotAvailable
    )
}

/// A connection to a proxy.
pub(crate) fn reach(proxy: &Proxy, deadline: Deadline) -> Result<(Conn, SocketAddr), DialFailed> {
    let reached =
        resolve(proxy.host(), proxy.port(), deadline).and_then(|addresses| connect(addresses, deadline));
    reached.map_err(|why| DialFailed::Proxy(proxy.to_string(), NoPassage::Unreachable(Box::new(why))))
}

/// Has the proxy at the other end connect us (RFC 9110 section 9.3.6).
pub(crate) fn through(conn: Conn, proxy: &Proxy, url: &Url, deadline: Deadline) -> Result<Conn, DialFailed> {
    let target = format!("{}:{}", in_brackets(url.host()), url.port());
    let mut head = format!("CONNECT {target} HTTP/1.1\r\n").into_bytes();
    push_field(&mut head, "Host", target.as_bytes());
    push_field(&mut head, "User-Agent", AGENT.as_bytes());
    if let Some(credentials) = proxy.credentials() {
        push_field(&mut head, "Proxy-Authorization", credentials.expose().as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    let mut wire = ask(conn, &Secret::new(head), deadline, Phase::Proxy)?;
    // Like that of HEAD, the answer has no body, whatever its fields say.
    let answer = answer(&mut wire, Method::Head, deadline, Phase::Proxy, |answer| answer.status)?;
    let why = match answer {
        Ok(Status(200..300)) if wire.received().is_empty() => return Ok(wire.conn),
        Ok(Status(200..300)) => NoPassage::Talks,
        Ok(status) => NoPassage::Refused(status),
        Err(why) => NoPassage::Malformed(why),
    };
    Err(DialFailed::Proxy(proxy.to_string(), why))
}

/// Agrees on TLS with the host of that name.
pub(crate) fn start_tls(
    conn: &mut Conn,
    connector: &Connector,
    host: &str,
    deadline: Deadline,
) -> Result<(), DialFailed> {
    let kinds = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    conn.start_tls(connector, host, deadline).map_err(|error| {
        if error.kind() == ErrorKind::TimedOut {
            DialFailed::Late(Phase::Tls)
        } else if kinds.contains(&error.kind()) {
            DialFailed::Closed(Phase::Tls)
        } else {
            DialFailed::Tls(error)
        }
    })
}

/// Asks for WebSocket at `path`; gives what came behind the answer, and the time there.
pub(crate) fn upgrade(
    conn: Conn,
    url: &Url,
    path: &str,
    fields: &[(String, Secret<String>)],
    deadline: Deadline,
) -> Result<(Conn, Vec<u8>, Option<u64>), DialFailed> {
    let mut key = [0; 16];
    getrandom::fill(&mut key).map_err(|_| DialFailed::NoWebSocket(NoWebSocket::Random))?;
    let question = Question::new(url, path, fields, key);
    let mut wire = ask(conn, &question.head, deadline, Phase::Upgrade)?;
    let judged = answer(&mut wire, Method::Get, deadline, Phase::Upgrade, |answer| question.judge(answer))?;
    match judged.map_err(|why| DialFailed::NoWebSocket(NoWebSocket::Malformed(why)))? {
        Ok(date) => {
            let early = wire.received().to_vec();
            Ok((wire.conn, early, date))
        }
        Err(NotUpgraded::Refused(answered)) => Err(DialFailed::Refused(answered)),
        Err(NotUpgraded::NoWebSocket(why)) => Err(DialFailed::NoWebSocket(why)),
    }
}

fn ask(mut conn: Conn, head: &Secret<Vec<u8>>, deadline: Deadline, phase: Phase) -> Result<Wire, DialFailed> {
    conn.write_all(head.expose(), deadline).map_err(|error| broken(&error, phase))?;
    Ok(Wire::new(conn, HEAD_BUFFER_BYTES))
}

fn broken(error: &io::Error, phase: Phase) -> DialFailed {
    if error.kind() == ErrorKind::TimedOut { DialFailed::Late(phase) } else { DialFailed::Closed(phase) }
}

/// What `read` makes of the final answer's head. What follows it stays received.
fn answer<T>(
    wire: &mut Wire,
    method: Method,
    deadline: Deadline,
    phase: Phase,
    read: impl Fn(&ResponseHead<'_>) -> T,
) -> Result<Result<T, Malformed>, DialFailed> {
    loop {
        let Range { start, end } = match await_head(wire, deadline, phase)? {
            Ok(range) => range,
            Err(why) => return Ok(Err(why)),
        };
        let mut slots = http::slots();
        let head = wire.received().get(start..end).unwrap_or_default();
        let read = match http::response_head(head, method, &mut slots) {
            Ok(answer) if answer.status.is_interim() => None,
            Ok(answer) => Some(read(&answer)),
            Err(why) => return Ok(Err(why)),
        };
        wire.consume(end);
        if let Some(read) = read {
            return Ok(Ok(read));
        }
    }
}

fn await_head(
    wire: &mut Wire,
    deadline: Deadline,
    phase: Phase,
) -> Result<Result<Range<usize>, Malformed>, DialFailed> {
    let mut seen = 0;
    loop {
        let received = wire.received();
        match http::end_of_head(received, seen) {
            Ok(Some((start, end))) => return Ok(Ok(start..end)),
            Ok(None) => seen = received.len(),
            Err(why) => return Ok(Err(why)),
        }
        // Also bounds a head that trickles in, and answers before the answer.
        if deadline.passed() {
            return Err(DialFailed::Late(phase));
        }
        match wire.receive() {
            Ok(0) => return Err(DialFailed::Closed(phase)),
            Ok(_) => {}
            Err(error) if is_tick(&error) => {}
            Err(error) => return Err(broken(&error, phase)),
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "looking up the name",
            Self::Connect => "connecting",
            Self::Proxy => "asking the proxy",
            Self::Tls => "agreeing on TLS",
            Self::Upgrade => "the upgrade",
        })
    }
}

impl fmt::Display for DialFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(host, cause) => {
                write!(f, "{host} has no address here ({cause}): check the name, and the DNS of this machine")
            }
            Self::Connect(address, cause) => connect_trouble(f, *address, cause),
            Self::Proxy(proxy, why) => write!(f, "the proxy {proxy} {why}"),
            Self::Tls(cause) => tls_trouble(f, cause),
            Self::Late(phase @ Phase::Upgrade) => write!(
                f,
                "{phase} was not answered in time: some controllers leave a path without an answer that they do \
                 not know, or while their edge mode is off"
            ),
            Self::Late(phase @ (Phase::Resolve | Phase::Connect | Phase::Proxy | Phase::Tls)) => {
                write!(f, "{phase} took too long: does a firewall drop what we send?")
            }
            Self::Refused(answered) => answered.fmt(f),
            Self::NoWebSocket(why) => why.fmt(f),
            Self::Closed(phase) => write!(
                f,
                "the connection was closed while {phase} was under way: does the other side speak what the \
                 scheme of DRYDOCK_URL says (wss:// with TLS, ws:// without)?"
            ),
        }
    }
}

fn connect_trouble(f: &mut fmt::Formatter<'_>, address: SocketAddr, cause: &io::Error) -> fmt::Result {
    let kind = cause.kind();
    let remedy = if kind == ErrorKind::ConnectionRefused {
        "nobody listens there: is it running, and is the port right?"
    } else if kind == ErrorKind::TimedOut {
        "nobody answers there: does a firewall drop what we send?"
    } else if kind == ErrorKind::PermissionDenied {
        "a firewall of this machine forbids it"
    } else if is_no_network(cause) {
        "no route leads there from this machine"
    } else {
        "the system could not connect"
    };
    write!(f, "cannot connect to {address} ({cause}): {remedy}")
}

fn tls_trouble(f: &mut fmt::Formatter<'_>, cause: &io::Error) -> fmt::Result {
    let remedy = match trouble(cause) {
        Some(Trouble::Issuer) => {
            "no authority we trust signed its certificate: name its authority with CA_CERT"
        }
        Some(Trouble::Name) => "its certificate is for another name: use that name in DRYDOCK_URL",
        Some(Trouble::Expired) => "its certificate has expired, or the clock of this machine is wrong",
        Some(Trouble::NotYetValid) => {
            "its certificate is not valid yet, or the clock of this machine is wrong"
        }
        Some(Trouble::Plain) => "it answers without TLS: use ws://, or the port that speaks TLS",
        Some(Trouble::Protocol) => "it does not speak HTTP/1.1, which a WebSocket needs: let it",
        Some(Trouble::Version) => {
            "it has no version or cipher of TLS in common with us: let it speak TLS 1.2 or 1.3"
        }
        None => "the handshake failed",
    };
    write!(f, "no TLS with the controller ({cause}): {remedy}")
}

impl fmt::Display for NoPassage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "is not reached: {why}"),
            Self::Refused(Status(407)) => {
                f.write_str("wants other credentials (407): write user:password@ before its host")
            }
            Self::Refused(status) => write!(
                f,
                "answers {}: let it connect us to this host and port, or name the host in NO_PROXY",
                status.0
            ),
            Self::Malformed(why) => write!(f, "does not answer in HTTP ({why}): is it an HTTP proxy?"),
            Self::Talks => f.write_str("sends something before we do: is it an HTTP proxy?"),
        }
    }
}

#[cfg(test)]
mod tests;
