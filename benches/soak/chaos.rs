//! What goes wrong, one thing after the other, drawn by chance: the Engine, the controller, the files, the disk.
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::agent::signal;
use crate::chance::Chance;
use crate::daemon::Daemon;
use crate::follow;
use crate::ground::{Agents, Ground};
use crate::line::Who;
use crate::signer::{Draft, Signer, elsewhere, reload};
use crate::tally::Fault;
use crate::tally::Side::Standard;
use crate::tls_client::server_cert;
use crate::tunnel;
use crate::weather::{GRACE, Trouble};

/// The agent calls again within this, whatever became of its last session.
const CALLS_WITHIN: Duration = Duration::from_secs(40);

pub(crate) struct Chaos<'g> {
    pub(crate) ground: &'g Ground,
    pub(crate) agents: &'g Agents,
    pub(crate) engine: Option<Daemon>,
    pub(crate) socket: &'g Path,
    pub(crate) chance: Chance,
    /// Seconds between two troubles, least and most.
    pub(crate) pace: (u64, u64),
}

impl Chaos<'_> {
    /// Makes trouble until then.
    pub(crate) fn run(&mut self, end: Instant) {
        // Each in turn, in an order that is drawn anew each time: a short run sees all of them, too.
        let mut due = Vec::new();
        loop {
            let pause = Duration::from_secs(self.chance.within(self.pace.0, self.pace.1));
            if Instant::now() + pause >= end {
                thread::sleep(end.saturating_duration_since(Instant::now()));
                return;
            }
            thread::sleep(pause);
            if due.is_empty() {
                due = (0..9).collect();
            }
            let at = self.chance.within(0, due.len() as u64 - 1) as usize;
            match due.swap_remove(at) {
                0 => self.killed(),
                1 => self.paused(),
                2 => self.closed(),
                3 => self.stalled(),
                4 => self.refused(),
                5 => self.certificate(),
                6 => self.keys(),
                7 => self.hangups(),
                _ => self.full(),
            }
        }
    }

    fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.chance.within(least, most))
    }

    fn killed(&mut self) {
        self.ground.tally.happened("the Engine is killed and begun anew");
        self.ground.weather.begins(Trouble::Engine);
        if let Some(engine) = self.engine.take() {
            engine.kill();
        }
        thread::sleep(self.millis(0, 3000));
        self.engine = Some(Daemon::start(self.socket).expect("a fake Engine"));
        self.ground.weather.ends(Trouble::Engine);
    }

    fn paused(&mut self) {
        self.ground.tally.happened("the Engine stands still");
        self.ground.weather.begins(Trouble::Engine);
        let span = self.millis(1000, 8000);
        if let Some(engine) = &self.engine {
            engine.pause();
            thread::sleep(span);
            engine.go_on();
        }
        self.ground.weather.ends(Trouble::Engine);
    }

    /// Does something to the controller, and waits until all is well again.
    fn controller(&mut self, what: &'static str, deed: impl FnOnce(&mut Self)) {
        let ground = self.ground;
        ground.tally.happened(what);
        ground.weather.begins(Trouble::Controller);
        deed(self);
        self.await_call();
        ground.weather.ends(Trouble::Controller);
    }

    fn await_call(&self) {
        let end = Instant::now() + CALLS_WITHIN;
        while !self.ground.switchboard.is_connected() {
            if Instant::now() > end {
                return self.ground.tally.found("the agent does not call again");
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Another session, since one keeps its connections to the Engine for as long as it lasts.
    pub(crate) fn renew(&self) {
        self.cut();
        self.await_call();
    }

    /// Ends the session, and waits until that was noticed here.
    fn cut(&self) {
        let (board, before) = (&self.ground.switchboard, self.ground.switchboard.welcomed());
        board.cut();
        let end = Instant::now() + CALLS_WITHIN;
        while board.is_connected() && board.welcomed() == before && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn closed(&mut self) {
        self.controller("the controller closes", |chaos| chaos.cut());
    }

    fn refused(&mut self) {
        self.controller("the controller closes and refuses once", |chaos| {
            chaos.ground.switchboard.refuse_next();
            chaos.cut();
        });
    }

    fn stalled(&mut self) {
        self.controller("the controller does not read", |chaos| {
            let (span, before) = (chaos.millis(2000, 14_000), chaos.ground.switchboard.welcomed());
            // Enough to fill what the kernel holds for both.
            let _ = tunnel::flood(chaos.ground);
            chaos.ground.switchboard.read(false);
            thread::sleep(span);
            chaos.ground.switchboard.read(true);
            // Where the agent gave up, this is when it shows.
            thread::sleep(Duration::from_secs(1));
            let board = &chaos.ground.switchboard;
            if !board.is_connected() || board.welcomed() != before {
                chaos.ground.tally.happened("… until the agent gave up");
            }
        });
    }

    fn certificate(&mut self) {
        let ground = self.ground;
        ground.tally.happened("another certificate");
        let next = server_cert(&ground.home, &format!("server-{}", ground.tally.number()));
        let [old, new] = [&ground.server[0], &next[0]].map(|path| fs::read_to_string(path).unwrap());
        ground.door.trust(&[&old, &new]);
        for (from, to) in next.iter().zip(&ground.server) {
            fs::copy(from, to).unwrap();
        }
        let told = reload(&self.agents.of(Standard).agent);
        // Only the new one from here on: a connection that is shown the old one fails, and is a finding.
        ground.door.trust(&[&new]);
        let answered =
            ground.door.open(&ground.tally, Who::Nobody).and_then(|mut line| line.get("GET /health"));
        if !told.contains("\"agent.reloaded\"") || answered.is_err() {
            ground.tally.found(&format!("a new certificate is not shown: {told}; {answered:?}"));
        }
        fs::remove_dir_all(Path::new(&next[0]).parent().expect("a directory")).unwrap();
    }

    fn keys(&mut self) {
        let ground = self.ground;
        ground.tally.happened("one key goes, another comes");
        // Whoever signs waits until the other is in force.
        let mut today = ground.signer.write().unwrap();
        let (gone, next) = (*today, *today % 200 + 1);
        let since = Instant::now();
        let followed = follow::begin_signed(ground, &Signer::new(gone));
        ground.write_keys(next);
        let told = reload(&self.agents.of(Standard).agent);
        *today = next;
        match followed.map(follow::until_cut) {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => ground.tally.found(&format!("the stream of a key that went: {fault}")),
            Err(fault) => {
                ground.tally.judge(("signed log", Standard), (since, GRACE), &ground.weather, &fault);
            }
        }
        let verdict = |seed: u8| {
            let target = "GET /api/watchers";
            // From an address nobody else has, so that a refusal is held against nobody else.
            let fields = Draft::new(2, target, "").fields(&Signer::new(seed)) + &elsewhere();
            let mut line = ground.door.open(&ground.tally, Who::Nobody)?;
            line.ask(target, &fields, b"").map(drop)
        };
        let (gone, next) = (verdict(gone), verdict(next));
        let is_right = matches!(gone, Err(Fault::Status(401, _))) && next.is_ok();
        if !is_right || !told.contains("\"agent.reloaded\"") {
            ground.tally.found(&format!("keys: the one that went {gone:?}, the other {next:?}: {told}"));
        }
    }

    fn hangups(&mut self) {
        self.ground.tally.happened("twenty hangups in a row");
        for (_, kept) in self.agents.both() {
            for _ in 0..20 {
                signal(kept.agent.pid(), "HUP");
            }
            let told = reload(&kept.agent);
            if !told.contains("\"agent.reloaded\"") {
                self.ground.tally.found(&format!("after hangups: {told}"));
            }
        }
    }

    fn full(&mut self) {
        self.ground.tally.happened("the disks are full");
        self.ground.weather.begins(Trouble::Disk);
        let span = self.millis(2000, 6000);
        self.agents.both().iter().for_each(|(_, kept)| kept.fill());
        thread::sleep(span);
        self.agents.both().iter().for_each(|(_, kept)| kept.free());
        self.ground.weather.ends(Trouble::Disk);
    }
}
