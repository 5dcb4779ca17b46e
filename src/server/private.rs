//! Private doors: a unix socket for one caller's program, served as the listener serves its guests.

use std::io;
use std::net::IpAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Errand, House, connection};
use crate::api::{Agent, Caller, Doors, Surface};
use crate::clock::Deadline;
use crate::limits::{COMPOSE_GOODBYE_SECS, PRIVATE_CONNECTIONS_MAX, TICK_MILLIS};
use crate::log::{self, text};
use crate::net::Shutdown;
use crate::permits::Permits;
use crate::shared::Shared;
use crate::sys::poll::{Watch, wait};
use crate::threads::{Crew, Resident};

/// Makes them.
pub(crate) struct PrivateDoors {
    crew: Crew,
}

/// One that is open. Drop closes it.
struct Door {
    accepting: Option<Resident>,
    places: Permits,
    ending: Shutdown,
}

impl PrivateDoors {
    pub(crate) fn new() -> Self {
        Self { crew: Crew::new("errand") }
    }
}

impl Doors for PrivateDoors {
    fn open(&self, agent: Arc<Agent>, at: &Path, caller: Caller) -> io::Result<Box<dyn Send>> {
        let Caller { gate, peer, actor, request_id } = caller;
        let listener = UnixListener::bind(at)?;
        listener.set_nonblocking(true)?;
        // The agent's own end does not cut what a caller's program is in the middle of: whoever started it
        // ends it in time.
        let (ending, places) = (Shutdown::new()?, Permits::new(PRIVATE_CONNECTIONS_MAX));
        let house = Arc::new(House {
            agent,
            gate,
            surface: Surface::Engine,
            tls: Shared::new(None),
            shutdown: ending.clone(),
            errand: Some(Errand { actor, request_id }),
        });
        let (crew, taken) = (self.crew.clone(), places.clone());
        let accepting = Resident::start("door", move || accept(&listener, &house, &crew, &taken, peer))?;
        Ok(Box::new(Door { accepting: Some(accepting), places, ending }))
    }
}

fn accept(listener: &UnixListener, house: &Arc<House>, crew: &Crew, places: &Permits, peer: IpAddr) {
    while !house.shutdown.has_begun() {
        // Where all are taken, whoever comes waits in the kernel's backlog.
        let Some(place) = places.take_within(Duration::from_millis(TICK_MILLIS)) else { continue };
        let waited =
            wait(&mut [Watch::readable(listener), Watch::readable(&house.shutdown)], Deadline::NEVER);
        let begun = waited.and_then(|_| match listener.accept() {
            Ok((socket, _)) => submit(socket, house, crew, place, peer),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        });
        if let Err(error) = begun {
            log::warn("door.not_served", &[("error", text(&error))]);
            // As long as there is no descriptor or thread for it, asking at once asks in vain.
            let pause = Deadline::after(Duration::from_millis(TICK_MILLIS));
            if wait(&mut [Watch::readable(&house.shutdown)], pause).is_err() {
                return;
            }
        }
    }
}

fn submit(
    socket: UnixStream,
    house: &Arc<House>,
    crew: &Crew,
    place: crate::permits::Permit,
    peer: IpAddr,
) -> io::Result<()> {
    let house = Arc::clone(house);
    crew.submit(move || {
        let _place = place;
        connection::serve_errand(&house, socket, peer);
    })
}

impl Drop for Door {
    fn drop(&mut self) {
        self.ending.begin();
        if let Some(accepting) = self.accepting.take() {
            accepting.join();
        }
        // The program is gone, and so are its ends of the connections; what was asked is still recorded.
        self.places.wait_idle(Deadline::after_secs(COMPOSE_GOODBYE_SECS));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::path::PathBuf;

    use super::*;
    use crate::api::Adapter;
    use crate::auth::{Acknowledged, Exposure, Gate, Settings};

    fn at(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("door-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    fn open(at: &Path) -> Box<dyn Send> {
        let acknowledged = Acknowledged::covering(IpAddr::from([127, 0, 0, 1]), true, false).unwrap();
        let gate = Gate::new(Settings {
            exposure: Exposure::Open(acknowledged),
            skew_secs: 60,
            nonces_per_key: 1,
            audience: None,
            trusted_proxies: Vec::new(),
            enrollment: None,
        });
        let gate = gate.for_errand(crate::auth::Principal::Anyone);
        let peer = IpAddr::from([192, 0, 2, 1]);
        let caller = Caller { gate, peer, actor: "192.0.2.1".to_owned(), request_id: None };
        let agent = Arc::new(Agent::specimen(Adapter::Drydock, "/no/such/engine".into()));
        PrivateDoors::new().open(agent, at, caller).unwrap()
    }

    fn ask(at: &Path, path: &str) -> String {
        let mut socket = UnixStream::connect(at).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn behind_it_is_the_engine_and_nothing_of_the_agents_own() {
        let at = at("surface");
        let _door = open(&at);
        assert!(ask(&at, "/version").starts_with("HTTP/1.1 502 "), "there is no Engine here");
        for path in ["/health", "/metrics", "/_lookout/info", "/_lookout/compose", "/api/containers"] {
            assert!(!ask(&at, path).starts_with("HTTP/1.1 200 "), "{path}");
        }
        assert!(ask(&at, "/_lookout/info").starts_with("HTTP/1.1 404 "));
    }

    #[test]
    fn a_door_that_is_closed_serves_nobody() {
        let at = at("closed");
        let door = open(&at);
        let mut idle = UnixStream::connect(&at).unwrap();
        idle.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        drop(door);
        let refused = UnixStream::connect(&at).is_err();
        assert!(refused, "nobody listens any more");
        // One that came before and has not asked is let go.
        let _ = idle.write_all(b"GET /version HTTP/1.1\r\nHost: engine\r\n\r\n");
        let mut answer = Vec::new();
        let _ = idle.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    }
}
