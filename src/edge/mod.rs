//! Edge mode: the same agent behind NAT, over one WebSocket that it opens.
//!
//! ```text
//!   pump      the one owner of the socket: reads, writes, sleeps
//!    │ ▲
//!    ▼ │ outbox     who speaks next: signs of life, little, much
//!   receive    a message sets something in motion
//!    │ ▲
//!    ▼ │ inlet      what a call is sent, and the word to stop
//!   answer · exec · logs · news      plain blocking code, a thread each
//! ```

mod answer;
mod backoff;
mod call;
mod dial;
mod dialect;
mod drydock;
mod duplex;
mod envelope;
mod exec;
mod frames;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod health;
mod inbound;
mod inlet;
mod logs;
mod meet;
mod news;
mod out;
mod outbox;
mod pump;
mod receive;
mod session;
mod unanswered;
mod upgrade;
mod url;
mod via;
mod whole;

use std::io;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use dial::{DialFailed, connect, dial, resolve, start_tls, through};
pub(crate) use dialect::{Dialect, LOOKOUT, PORTWING, Protocol};
pub(crate) use upgrade::read_date;
pub(crate) use url::Url;
pub(crate) use via::{Proxies, Proxy};

use crate::api::Agent;
use crate::auth::{self, Classes, Exposure, Gate, Grant, Proof};
use crate::clock::{self, Deadline};
use crate::limits::{EDGE_HOPELESS_SECS, EDGE_RETRY_AFTER_SECS_MAX, EDGE_STABLE_SECS, EDGE_TAKEN_SECS};
use crate::log::{self, text};
use crate::net::Shutdown;
use crate::net::tls::Connector;
use crate::secret::Secret;
use crate::shared::Shared;
use crate::sys::poll::{Watch, wait};
use crate::threads::{Crew, Resident};
use backoff::Backoff;
use health::Health;
use meet::{Cause, Met, NotMet, Why, meet};
use pump::{Break, pump};
use session::{House, Kind, Places, Session};

/// What the operator says about the controller.
pub(crate) struct Settings {
    pub(crate) terms: Terms,
    /// What the controller may do, and whose signatures come through it.
    pub(crate) auth: auth::Settings,
    /// The abstract socket where health is asked for.
    pub(crate) health: String,
}

/// How the controller is met, again and again.
pub(crate) struct Terms {
    pub(crate) url: Url,
    pub(crate) protocol: Protocol,
    /// How the agent proves who it is.
    pub(crate) proof: Proof,
    pub(crate) way: Way,
    /// Between two signs of life.
    pub(crate) heartbeat: Duration,
    /// How long the controller may take to welcome us.
    pub(crate) welcome_within: Duration,
    /// Before the first new attempt, and before any later one at most.
    pub(crate) first_delay: Duration,
    pub(crate) longest_delay: Duration,
}

/// How the controller is reached.
pub(crate) struct Way {
    /// Whose certificates are believed.
    pub(crate) connector: Connector,
    pub(crate) proxies: Proxies,
    /// Fields that are added to the upgrade, for who stands before the controller.
    pub(crate) headers: Vec<(String, Secret<String>)>,
}

/// What lives as long as the agent, and meets the controller again and again.
struct Edge {
    terms: Terms,
    /// Of what the agent tells unasked.
    grant: Grant,
    house: Arc<House>,
    shutdown: Shutdown,
    current: Arc<Shared<Option<Arc<Session>>>>,
}

/// Edge mode under way.
pub(crate) struct Running {
    residents: Vec<(&'static str, Resident)>,
    house: Arc<House>,
    current: Arc<Shared<Option<Arc<Session>>>>,
}

impl Running {
    /// Begins to call the controller. The agent knows already that there is a tunnel.
    pub(crate) fn start(settings: Settings, agent: Arc<Agent>, shutdown: Shutdown) -> io::Result<Self> {
        let Settings { terms, auth, health } = settings;
        let grant = match &auth.exposure {
            Exposure::Tunnel(controller) => Grant::of(controller.allow),
            // Nobody else's are asked through a tunnel.
            Exposure::Guarded(_) | Exposure::Open(_) => Grant::of(Classes::default()),
        };
        let (places, gate, health) = (Places::new(), Gate::new(auth), Health::bind(&health)?);
        agent.add_pools(places.pools());
        agent.add_pools(gate.pools());
        let house = Arc::new(House {
            agent,
            controller: terms.url.to_string(),
            gate,
            crew: Crew::new("edge"),
            places,
        });
        let current = Arc::new(Shared::new(None));
        let (asked, ending) = (Arc::clone(&house.agent), shutdown.clone());
        let (home, now) = (Arc::clone(&house), Arc::clone(&current));
        let edge = Edge { terms, grant, house: home, shutdown, current: now };
        let residents = vec![
            ("edge", Resident::start("edge", move || edge.keep())?),
            ("health", Resident::start("health", move || health.keep(&asked, &ending))?),
        ];
        Ok(Self { residents, house, current })
    }

    /// Its threads, with their names, for whoever waits for the end of one.
    pub(crate) fn residents(&mut self) -> Vec<(&'static str, Resident)> {
        std::mem::take(&mut self.residents)
    }

    /// Waits until nothing that came through the tunnel is under way, or the deadline.
    pub(crate) fn wait_ended(&self, deadline: Deadline) -> bool {
        self.house.places.wait_idle(deadline)
    }

    /// Puts new credentials in force, and ends what was begun with one that is no longer good. Says
    /// how many that were.
    pub(crate) fn reload(&self, exposure: Exposure) -> usize {
        let good = self.house.gate.replace(exposure);
        let session = self.current.with(|current| current.clone());
        session.map_or(0, |session| session.end_unless(|mark| good.contains(&mark)))
    }
}

impl Edge {
    /// Meets the controller, again and again, until the agent ends.
    fn keep(&self) {
        let mut backoff = Backoff::new(self.terms.first_delay, self.terms.longest_delay);
        let mut liked = None;
        loop {
            let met = meet(&self.terms, &self.house.agent, &mut liked, &self.shutdown);
            let delay = match met {
                Ok(met) => {
                    let began = clock::now();
                    let why = self.carry(met);
                    if matches!(why, Break::Shutdown) {
                        return;
                    }
                    let lasted = clock::now().saturating_duration_since(began);
                    if lasted >= Duration::from_secs(EDGE_STABLE_SECS) {
                        backoff.reset();
                    }
                    self.lost(&why);
                    backoff.draw()
                }
                Err(NotMet { why: Why::Shutdown, .. }) => return,
                Err(not_met) => self.not_met(&not_met, &mut backoff),
            };
            log::info("edge.waiting", &[("seconds", text(&format!("{:.1}", delay.as_secs_f64())))]);
            if wait(&mut [Watch::readable(&self.shutdown)], Deadline::after(delay)).is_err()
                || self.shutdown.has_begun()
            {
                return;
            }
        }
    }

    /// Carries one session to its end.
    fn carry(&self, met: Met) -> Break {
        let Met { socket, agreed, peer, is_private, poll } = met;
        let outbox = match outbox::Outbox::new() {
            Ok(outbox) => Arc::new(outbox),
            Err(error) => return Break::Failed(error.to_string()),
        };
        let house = Arc::clone(&self.house);
        let session = Arc::new(Session::new(house, outbox, agreed, (peer, is_private)));
        self.current.with(|current| *current = Some(Arc::clone(&session)));
        if let Some(tunnel) = &self.house.agent.tunnel {
            tunnel.connected();
        }
        if let Some(every) = poll {
            self.house.agent.inventory.look_every(every);
        }
        let (grant, heartbeat) = (self.grant.clone(), self.terms.heartbeat);
        if let Ok(running) = session.begin(Kind::News, "", None, false) {
            let started = self.house.crew.submit(move || news::serve(&running, &grant, heartbeat));
            if let Err(error) = started {
                return Break::Failed(error.to_string());
            }
        }
        let why = pump(socket, &session, &self.shutdown, heartbeat);
        self.current.with(|current| *current = None);
        why
    }

    fn lost(&self, why: &Break) {
        let told = match why {
            Break::Shutdown => return,
            Break::Closed(said) if said.is_empty() => "the controller closed the connection".to_owned(),
            Break::Closed(said) => format!("the controller closed the connection: {said}"),
            Break::Silent => "the controller said nothing for too long".to_owned(),
            Break::Stalled => "the controller took nothing for too long".to_owned(),
            Break::Failed(why) => why.clone(),
        };
        log::warn("edge.lost", &[("why", text(&told))]);
        if let Some(tunnel) = &self.house.agent.tunnel {
            if matches!(why, Break::Stalled) {
                tunnel.stalled();
            }
            tunnel.lost(told);
        }
    }

    /// Tells what is in the way, and how long to wait for it to go.
    fn not_met(&self, not_met: &NotMet, backoff: &mut Backoff) -> Duration {
        let told = not_met.to_string();
        if let Some(tunnel) = &self.house.agent.tunnel {
            match &not_met.cause {
                Cause::Way(obstacle) => tunnel.failed(*obstacle, told.clone()),
                Cause::Word(code, message) => tunnel.rejected(code, message),
            }
        }
        let fields = [("url", text(&self.terms.url)), ("why", text(&told))];
        match &not_met.why {
            Why::Hopeless => {
                log::error("edge.refused", &fields);
                Duration::from_secs(EDGE_HOPELESS_SECS)
            }
            Why::Taken => {
                log::warn("edge.refused", &fields);
                Duration::from_secs(EDGE_TAKEN_SECS).max(backoff.draw())
            }
            Why::Later(secs) => {
                log::warn("edge.refused", &fields);
                Duration::from_secs((*secs).min(EDGE_RETRY_AFTER_SECS_MAX)).saturating_add(backoff.draw())
            }
            Why::Refused => {
                log::warn("edge.refused", &fields);
                backoff.draw()
            }
            Why::Unreachable | Why::Shutdown => {
                log::warn("edge.unreachable", &fields);
                backoff.draw()
            }
        }
    }
}
