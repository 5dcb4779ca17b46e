//! Who does what at which pace: the mixture of the load. It leaves most of a processor to others, since this is no race.
use std::thread::{self, Scope};
use std::time::Duration;

use crate::chance::Chance;
use crate::direct::{self, with};
use crate::ground::Ground;
use crate::line::{Line, Who};
use crate::shift::{Shift, Work};
use crate::tally::Fault;
use crate::tally::Side::{self, Edge, Standard};
use crate::{follow, tunnel};

/// An inventory takes so long to find an Engine that is back, and all containers.
const INVENTORY_GRACE: Duration = Duration::from_secs(25);

struct Crew<'s, 'e> {
    scope: &'s Scope<'s, 'e>,
    ground: &'s Ground,
    shift: &'s Shift,
    seeds: Chance,
}

/// Everybody works until `meanwhile` is done.
pub(crate) fn work(ground: &Ground, seed: u64, meanwhile: impl FnOnce(&Shift)) {
    let shift = Shift::default();
    thread::scope(|scope| {
        let _end = shift.ends();
        let mut crew = Crew { scope, ground, shift: &shift, seeds: Chance::new(seed) };
        crew.requests();
        crew.streams();
        crew.tunnel();
        meanwhile(&shift);
    });
}

impl<'s> Crew<'s, '_> {
    fn hire(
        &mut self,
        (kind, side, pause): (&'static str, Side, u64),
        turn: impl FnMut(&mut Chance) -> Result<(), Fault> + Send + 's,
    ) {
        self.put(Work::new(kind, side, pause), turn);
    }

    fn put(&mut self, work: Work, turn: impl FnMut(&mut Chance) -> Result<(), Fault> + Send + 's) {
        work.start(self.scope, (self.ground, self.shift), self.seeds.next(), turn);
    }

    /// Over a connection that is kept, or made anew where it broke.
    fn keep(
        &mut self,
        kind: &'static str,
        (who, pause): (Who, u64),
        mut turn: impl FnMut(&mut Line<'s>, &mut Chance) -> Result<(), Fault> + Send + 's,
    ) {
        let (ground, mut kept) = (self.ground, None);
        self.hire((kind, Standard, pause), move |chance| {
            with(ground, &mut kept, who, |line| turn(line, chance))
        });
    }

    fn requests(&mut self) {
        let ground = self.ground;
        for who in [Who::Certificate, Who::Token] {
            self.keep("small request", (who, 50), direct::small);
        }
        self.hire(("small request, new connection", Standard, 200), move |chance| {
            direct::small(&mut ground.door.open(&ground.tally, Who::Token)?, chance)
        });
        self.keep("health and readiness", (Who::Nobody, 1000), |line, _| direct::health(line));
        let mut kept = None;
        self.hire(("signed request", Standard, 150), move |chance| direct::signed(ground, &mut kept, chance));
        self.keep("download", (Who::Certificate, 300), direct::download);
        self.keep("upload", (Who::Token, 400), direct::upload);
        self.keep("metrics", (Who::Certificate, 5000), |line, _| direct::scrape(line).map(drop));
        self.keep("compose", (Who::Token, 4000), direct::compose);
        self.hire(("leaving in the middle", Standard, 400), move |chance| direct::leave(ground, chance));
    }

    fn streams(&mut self) {
        let (ground, shift) = (self.ground, self.shift);
        for _ in 0..3 {
            self.hire(("followed log", Standard, 500), move |chance| follow::logs(ground, shift, chance));
        }
        for _ in 0..2 {
            self.hire(("command", Standard, 2000), move |chance| follow::command(ground, shift, chance));
            let mut work = Work::new("events", Standard, 500);
            work.grace = INVENTORY_GRACE;
            self.put(work, move |chance| follow::events(ground, shift, chance));
        }
    }

    fn tunnel(&mut self) {
        let (ground, shift) = (self.ground, self.shift);
        for _ in 0..2 {
            self.hire(("small request, edge", Edge, 80), move |chance| tunnel::small(ground, chance));
            self.hire(("followed log, edge", Edge, 500), move |chance| tunnel::logs(ground, shift, chance));
            self.hire(("command, edge", Edge, 2000), move |chance| tunnel::command(ground, shift, chance));
        }
        self.hire(("metrics, edge", Edge, 5000), move |_| tunnel::scrape(ground).map(drop));
        self.hire(("download, edge", Edge, 600), move |chance| tunnel::download(ground, chance));
    }
}
