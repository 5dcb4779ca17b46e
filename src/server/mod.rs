//! Standard mode: who listens, what every connection shares, and how it ends.

mod connection;
mod respond;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use crate::api::Agent;
use crate::auth::{Exposure, Gate};
use crate::clock::Deadline;
use crate::net::Shutdown;
use crate::net::listen::{self, Guests};
use crate::net::tls::Acceptor;
use crate::threads::{Crew, Resident};

/// What the operator says about the listener.
pub(crate) struct Settings {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Acceptor>,
    pub(crate) connections_max: usize,
    pub(crate) exposure: Exposure,
    pub(crate) allowed_origins: Vec<String>,
}

/// What every connection shares.
struct House {
    agent: Agent,
    gate: Gate,
    tls: Option<Acceptor>,
    shutdown: Shutdown,
}

/// A bound listener.
pub(crate) struct Server {
    listener: TcpListener,
    guests: Guests,
    house: Arc<House>,
}

/// A server that accepts.
pub(crate) struct Running {
    pub(crate) accepting: Resident,
    guests: Guests,
    house: Arc<House>,
}

impl Server {
    pub(crate) fn bind(settings: Settings, agent: Agent, shutdown: Shutdown) -> io::Result<Self> {
        let listener = listen::bind(settings.address)?;
        let gate = Gate::new(settings.exposure);
        let house = House { agent, gate, tls: settings.tls, shutdown };
        Ok(Self { listener, guests: Guests::new(settings.connections_max), house: Arc::new(house) })
    }

    pub(crate) fn start(self) -> io::Result<Running> {
        let Self { listener, guests, house } = self;
        let (hosts, home) = (guests.clone(), Arc::clone(&house));
        let accepting = Resident::start("accept", move || {
            let crew = Crew::new("conn");
            listen::accept(&listener, &hosts, &home.shutdown, |guest| {
                let home = Arc::clone(&home);
                crew.submit(move || connection::serve(&home, &guest))
            });
        })?;
        Ok(Running { accepting, guests, house })
    }
}

impl Running {
    pub(crate) fn agent(&self) -> &Agent {
        &self.house.agent
    }

    /// Stops accepting and lets nobody begin anything new.
    pub(crate) fn begin_to_end(&self) {
        self.house.shutdown.begin();
        self.guests.close_idle();
    }

    /// Waits until every exchange is over, or the deadline.
    pub(crate) fn wait_ended(&self, deadline: Deadline) -> bool {
        self.guests.wait_gone(deadline)
    }

    /// Connections that are still there.
    pub(crate) fn connections(&self) -> usize {
        self.guests.count()
    }
}
