//! Standard mode: who listens, what every connection shares, and how it ends.

mod connection;
mod private;
mod respond;

pub(crate) use private::PrivateDoors;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use crate::api::{Agent, Surface};
use crate::auth::{self, Gate};
use crate::clock::Deadline;
use crate::net::Shutdown;
use crate::net::listen::{self, Guests};
use crate::net::tls::Acceptor;
use crate::shared::Shared;
use crate::threads::{Crew, Resident};

/// What the operator says about the listener.
pub(crate) struct Settings {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Acceptor>,
    pub(crate) connections_max: usize,
    pub(crate) auth: auth::Settings,
    pub(crate) allowed_origins: Vec<String>,
    /// What can be found here.
    pub(crate) surface: Surface,
}

/// What every connection shares.
struct House {
    agent: Arc<Agent>,
    gate: Gate,
    surface: Surface,
    /// Replaced whole when certificates change; a connection takes the one of its beginning.
    tls: Shared<Option<Acceptor>>,
    shutdown: Shutdown,
    /// Behind a private door: for whom everyone there acts.
    errand: Option<Errand>,
}

/// On whose behalf, by their names in the records.
struct Errand {
    actor: String,
    request_id: Option<String>,
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
    pub(crate) fn bind(settings: Settings, agent: Arc<Agent>, shutdown: Shutdown) -> io::Result<Self> {
        let listener = listen::bind(settings.address)?;
        let gate = Gate::new(settings.auth);
        let guests = Guests::new(settings.connections_max);
        agent.add_pools([("connections", guests.places().clone())]);
        agent.add_pools(gate.pools());
        let (surface, tls) = (settings.surface, Shared::new(settings.tls));
        let house = House { agent, gate, surface, tls, shutdown, errand: None };
        Ok(Self { listener, guests, house: Arc::new(house) })
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
    /// Lets no key in meanwhile, so that files are read and put in force as one step.
    pub(crate) fn between_enrollments<R>(&self, meanwhile: impl FnOnce() -> R) -> R {
        self.house.gate.enrollment.pause(meanwhile)
    }

    /// Puts new credentials and certificates in force, and ends whoever came in with one that is
    /// no longer good. Says how many that were.
    pub(crate) fn reload(&self, settings: Settings) -> usize {
        self.house.tls.with(|tls| *tls = settings.tls);
        self.house.gate.enrollment.replace(settings.auth.enrollment);
        let good = self.house.gate.replace(settings.auth.exposure);
        self.guests.close_unless(|mark| good.contains(&mark))
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
