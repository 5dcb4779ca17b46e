//! Health for whoever is on this host, without a port: a line of JSON to everyone who connects to an
//! abstract socket.

use std::io::{self, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::Arc;
use std::time::Duration;

use crate::api::{self, Agent};
use crate::clock::Deadline;
use crate::limits::TICK_MILLIS;
use crate::log::{self, text};
use crate::net::Shutdown;
use crate::sys::poll::{Watch, wait};

/// A bound socket.
pub(super) struct Health(UnixListener);

impl Health {
    /// A name that is taken means that this very agent runs already.
    pub(super) fn bind(name: &str) -> io::Result<Self> {
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    /// Answers until the agent ends.
    pub(super) fn keep(&self, agent: &Arc<Agent>, shutdown: &Shutdown) {
        while !shutdown.has_begun() {
            let mut watches = [Watch::readable(&self.0), Watch::readable(shutdown)];
            if let Err(error) = wait(&mut watches, Deadline::NEVER) {
                log::error("health.failed", &[("error", text(&error))]);
                return;
            }
            // Who leaves again before it is answered needs no answer.
            let Ok((mut asker, _)) = self.0.accept() else { continue };
            let _ = asker.set_write_timeout(Some(Duration::from_millis(TICK_MILLIS)));
            let _ = asker.write_all(&api::pulse(agent));
        }
    }
}
