//! Where the Engine listens, and why it may not let us in.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::ToSocketAddrs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Error;
use crate::clock::Deadline;
use crate::net::Conn;
use crate::net::tls::Connector;
use crate::sys::ids;

/// Where the Engine listens.
pub(crate) enum Address {
    /// The first of these that exists.
    Unix(Vec<PathBuf>),
    Tcp {
        host: String,
        port: u16,
        tls: Option<Connector>,
    },
}

impl Address {
    pub(super) fn connect(&self, deadline: Deadline) -> Result<Conn, Error> {
        match self {
            Self::Unix(paths) => unix(paths),
            Self::Tcp { host, port, tls } => {
                let connected = tcp(host, *port, tls.as_ref(), deadline);
                connected.map_err(|cause| Error::Unreachable { place: self.to_string(), cause })
            }
        }
    }
}

fn unix(paths: &[PathBuf]) -> Result<Conn, Error> {
    let mut failure = None;
    for path in paths {
        match Conn::unix(path) {
            Ok(conn) => return Ok(conn),
            Err(cause) if cause.kind() == ErrorKind::PermissionDenied => {
                return Err(Error::Denied { explanation: explain_denial(path) });
            }
            Err(cause) => {
                // What is there but does not answer says more than what is not there.
                if failure.is_none() || cause.kind() != ErrorKind::NotFound {
                    failure = Some(Error::Unreachable { place: path.display().to_string(), cause });
                }
            }
        }
    }
    Err(failure.unwrap_or_else(|| Error::Unreachable {
        place: "no address".to_owned(),
        cause: ErrorKind::NotFound.into(),
    }))
}

fn tcp(host: &str, port: u16, tls: Option<&Connector>, deadline: Deadline) -> io::Result<Conn> {
    let mut failure = io::Error::from(ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        match Conn::tcp(address, tls.map(|connector| (connector, host)), deadline) {
            Ok(conn) => return Ok(conn),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Names the socket's owner, group and mode, our own groups, and what to add.
fn explain_denial(path: &Path) -> String {
    let me = format!("user {}, group {}, further groups {:?}", ids::user(), ids::group(), ids::groups());
    match std::fs::metadata(path) {
        Ok(status) => {
            let (owner, group, mode) = (status.uid(), status.gid(), status.mode() & 0o7777);
            format!(
                "{} belongs to user {owner}, group {group}, mode {mode:04o}, and the agent runs as {me}: \
                 start its container with --group-add {group}, or add its user to that group",
                path.display()
            )
        }
        Err(error) => format!(
            "{} cannot be looked at ({error}), and the agent runs as {me}: make its directory accessible",
            path.display()
        ),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(paths) => match paths.as_slice() {
                [path] => write!(f, "unix://{}", path.display()),
                paths => write!(f, "the first of {} usual sockets", paths.len()),
            },
            Self::Tcp { host, port, tls } => {
                write!(f, "tcp://{host}:{port}{}", if tls.is_some() { " over TLS" } else { "" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn place(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("lookout-address-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        dir.join(name)
    }

    #[test]
    fn the_first_socket_that_exists_is_used() {
        let there = place("there.sock");
        let _ = std::fs::remove_file(&there);
        let _listener = UnixListener::bind(&there).unwrap();
        let address = Address::Unix(vec![place("missing.sock"), there]);
        assert!(address.connect(Deadline::NEVER).is_ok());
    }

    #[test]
    fn a_dead_socket_is_named_rather_than_a_missing_one() {
        let dead = place("dead.sock");
        let _ = std::fs::remove_file(&dead);
        drop(UnixListener::bind(&dead).unwrap());
        let address = Address::Unix(vec![place("missing.sock"), dead.clone(), place("missing-too.sock")]);
        match address.connect(Deadline::NEVER) {
            Err(Error::Unreachable { place, cause }) => {
                assert_eq!(place, dead.display().to_string());
                assert_eq!(cause.kind(), ErrorKind::ConnectionRefused);
            }
            other => panic!("{:?}", other.err()),
        }
    }

    #[test]
    fn a_denial_tells_what_to_change() {
        let path = place("file");
        std::fs::write(&path, "").unwrap();
        let group = std::fs::metadata(&path).unwrap().gid();
        let text = explain_denial(&path);
        for part in [format!("--group-add {group}"), "mode 0".to_owned(), format!("user {}", ids::user())] {
            assert!(text.contains(&part), "{text}");
        }
    }
}
