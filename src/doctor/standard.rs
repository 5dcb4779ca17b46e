//! The running agent, asked as a client would ask it.

use std::net::SocketAddr;
use std::path::Path;

use super::exchange::{self, Said, Silent};
use super::expiry;
use super::row::{Row, Tell};
use crate::clock::{self, Deadline};
use crate::http::Status;
use crate::limits::HEALTHCHECK_SECS;
use crate::net::Conn;
use crate::net::tls::{Connector, Trouble, trouble};
use crate::secret::Secret;

/// A route that asks for a credential and costs little.
const GUARDED: &str = "/_lookout/info";

/// Where the agent listens, and what it is to be shown.
pub(super) struct Listener<'a> {
    pub(super) address: SocketAddr,
    /// The certificate it shows, where it speaks TLS.
    pub(super) certificate: Option<&'a Path>,
    /// A token that opens it.
    pub(super) token: Option<&'a Secret<String>>,
    /// It asks nobody for a credential, because the operator said so.
    pub(super) is_open: bool,
}

impl Listener<'_> {
    pub(super) fn examine(&self, tell: Tell<'_>) {
        let connector = match self.certificate.map(Connector::pinned).transpose() {
            Ok(connector) => connector,
            Err(bad) => {
                tell(Row::fail("listener", format!("TLS_CERT: {bad}"), "name the certificate of the agent"));
                return self.skip(tell, &["certificate", "credential", "without credential"]);
            }
        };
        match self.ask(connector.as_ref(), "/health", None, |conn| {
            conn.peer_certificate().map(|shown| expiry::row(shown, clock::unix().as_secs()))
        }) {
            Ok((said, certificate)) => {
                let address = self.address;
                tell(if said.status == Status::OK {
                    Row::ok("listener", format!("the agent answers on {address}"))
                } else {
                    let what = format!("{address} answers {} at /health", said.status.0);
                    Row::fail("listener", what, "is it the agent that listens there? look at PORT")
                });
                tell(certificate.unwrap_or_else(|| Row::skipped("certificate", "plain HTTP shows none")));
            }
            Err(row) => {
                tell(row);
                return self.skip(tell, &["certificate", "credential", "without credential"]);
            }
        }
        tell(self.with_credential(connector.as_ref()));
        tell(self.without_credential(connector.as_ref()));
    }

    fn skip(&self, tell: Tell<'_>, names: &[&'static str]) {
        for name in names {
            tell(Row::skipped(name, format!("nothing to ask at {}", self.address)));
        }
    }

    fn with_credential(&self, connector: Option<&Connector>) -> Row {
        const NAME: &str = "credential";
        let Some(token) = self.token else {
            return Row::skipped(NAME, "no token is known here that could be shown; a hash and keys are not");
        };
        let bearer = Secret::new(format!("Bearer {}", token.expose()));
        match self.ask(connector, GUARDED, Some(&bearer), |_| ()) {
            Ok((said, ())) => match said.status {
                Status::UNAUTHORIZED => Row::fail(
                    NAME,
                    "the agent does not take the token of this environment",
                    "it was started with another one: restart it, or give this one to the clients",
                ),
                Status::TOO_MANY_REQUESTS => too_often(NAME),
                Status::FORBIDDEN => {
                    Row::ok(NAME, "the token is known; TOKEN_ALLOW leaves out what was asked")
                }
                status => Row::ok(NAME, format!("the token is taken ({})", status.0)),
            },
            Err(row) => Row { name: NAME, ..row },
        }
    }

    fn without_credential(&self, connector: Option<&Connector>) -> Row {
        const NAME: &str = "without credential";
        match self.ask(connector, GUARDED, None, |_| ()) {
            Ok((said, ())) => match said.status {
                Status::UNAUTHORIZED => Row::ok(NAME, "whoever shows none is turned away (401)"),
                Status::TOO_MANY_REQUESTS => too_often(NAME),
                status if self.is_open => Row::warn(
                    NAME,
                    format!("everybody is let in ({}), as ALLOW_UNAUTHENTICATED asks", status.0),
                    "set TOKEN or AUTHORIZED_KEYS",
                ),
                status => Row::fail(
                    NAME,
                    format!("everybody is let in ({})", status.0),
                    "is it the agent that listens there? restart it with this environment",
                ),
            },
            Err(row) => Row { name: NAME, ..row },
        }
    }

    /// The answer, and what `look` sees of the connection before the question goes out.
    fn ask<T>(
        &self,
        connector: Option<&Connector>,
        path: &str,
        credential: Option<&Secret<String>>,
        look: impl FnOnce(&Conn) -> T,
    ) -> Result<(Said, T), Row> {
        const NAME: &str = "listener";
        let deadline = Deadline::after_secs(HEALTHCHECK_SECS);
        let address = self.address;
        let unreachable = |error: &std::io::Error| {
            let what = format!("nobody answers on {address} ({error})");
            Row::fail(NAME, what, "start the agent, or look here with its own environment")
        };
        let mut conn = Conn::tcp(address, None, deadline).map_err(|error| unreachable(&error))?;
        if let Some(connector) = connector {
            let shaken = conn.start_tls(connector, &address.ip().to_string(), deadline);
            shaken.map_err(|error| match trouble(&error) {
                Some(Trouble::Issuer) => Row::fail(
                    NAME,
                    format!("the agent on {address} shows another certificate than TLS_CERT names"),
                    "restart it: a certificate is read at the start",
                ),
                Some(Trouble::Plain) => Row::fail(
                    NAME,
                    format!("what listens on {address} speaks plain HTTP, and TLS_CERT is set"),
                    "restart it with this environment",
                ),
                Some(
                    Trouble::Name
                    | Trouble::Expired
                    | Trouble::NotYetValid
                    | Trouble::Protocol
                    | Trouble::Version,
                )
                | None => unreachable(&error),
            })?;
        }
        let seen = look(&conn);
        let fields: Vec<_> = credential.map(|value| ("Authorization", value)).into_iter().collect();
        let said = exchange::get(conn, &address.to_string(), path, &fields, deadline);
        said.map(|said| (said, seen)).map_err(|why: Silent| {
            let remedy = "is it the agent that listens there, and does TLS_CERT say what it speaks?";
            Row::fail(NAME, format!("{address}: {why}"), remedy)
        })
    }
}

fn too_often(name: &'static str) -> Row {
    Row::skipped(
        name,
        "this address failed too often lately and is not listened to (429): ask again in a minute",
    )
}
