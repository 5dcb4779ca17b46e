//! The course of a run: everybody warms up, rests, is in trouble for as long as was asked, rests again, and is looked into.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::chance::Chance;
use crate::chaos::Chaos;
use crate::daemon::Daemon;
use crate::direct;
use crate::engine::Home;
use crate::ground::{Agents, Ground};
use crate::line::Who;
use crate::tally::Side::{Edge, Standard};
use crate::watch::{self, Sample, Watch};
use crate::{crew, trail, tunnel};

/// The load before the first look at what is held, so that whatever is made once is there.
const WARM_UP: Duration = Duration::from_secs(20);
/// Longer than an agent keeps a thread, or memory, that nobody needs.
const REST: Duration = Duration::from_secs(20);
/// Seconds between two troubles, least and most; in a run of a few minutes less, so that all of them come.
const PACE: (u64, u64) = (10, 40);
const QUICK_PACE: (u64, u64) = (3, 12);
const QUICK_BELOW_MINUTES: u64 = 10;

/// Gives what was found.
pub(crate) fn run(minutes: u64, seed: u64) -> io::Result<Vec<String>> {
    println!("{minutes} minutes, seed {seed}");
    let home = Home::new();
    let socket = home.path("docker.sock");
    let engine = Daemon::start(&socket)?;
    let (ground, agents) = Ground::new(&socket, home, minutes);
    let pace = if minutes < QUICK_BELOW_MINUTES { QUICK_PACE } else { PACE };
    let mut chaos = Chaos {
        ground: &ground,
        agents: &agents,
        engine: Some(engine),
        socket: &socket,
        chance: Chance::new(seed),
        pace,
    };
    let rows = thread::scope(|scope| {
        scope.spawn(|| ground.switchboard.serve());
        let span = Duration::from_secs(minutes * 60);
        let rows = catch_unwind(AssertUnwindSafe(|| soak(&mut chaos, seed, span)));
        ground.switchboard.end();
        rows.unwrap_or_else(|_| Err(io::Error::other("something panicked")))
    })?;
    let sessions = ground.switchboard.welcomed();
    drop(chaos);
    stop(&ground, agents);
    println!("\n{}\n{sessions} sessions of the agent in edge mode\n\n{rows}", ground.tally.table());
    Ok(ground.tally.findings())
}

/// Gives the tables of what was held and recorded.
fn soak(chaos: &mut Chaos<'_>, seed: u64, span: Duration) -> io::Result<String> {
    let (ground, agents) = (chaos.ground, chaos.agents);
    let watches = [(Standard, "standard"), (Edge, "edge")]
        .map(|(side, name)| Watch::new(name, agents.of(side).agent.pid()));
    crew::work(ground, seed, |_| thread::sleep(WARM_UP));
    chaos.renew();
    thread::sleep(REST);
    let before = at_rest(ground, &watches)?;
    crew::work(ground, seed, |shift| {
        thread::scope(|scope| {
            let _end = shift.ends();
            for watch in &watches {
                scope.spawn(|| watch.during(shift));
            }
            chaos.run(Instant::now() + span);
        });
    });
    chaos.renew();
    thread::sleep(REST);
    let held = compared(ground, &watches, before)?;
    let (mut found, mut rows) = (Vec::new(), Vec::new());
    for (side, kept) in agents.both() {
        let (more, row) = trail::verdict(&ground.tally, side, kept);
        found.extend(more);
        rows.push(row);
    }
    found.iter().for_each(|what| ground.tally.found(what));
    Ok(format!("{held}\n\n{}\n{}", trail::HEADING, rows.join("\n")))
}

/// What both hold at rest, beside before.
fn compared(ground: &Ground, watches: &[Watch; 2], before: [AtRest; 2]) -> io::Result<String> {
    let mut rows = vec![watch::HEADING.to_owned()];
    for ((watch, before), after) in watches.iter().zip(before).zip(at_rest(ground, watches)?) {
        let (found, row) = watch.verdict(before.held, after.held);
        found.iter().for_each(|what| ground.tally.found(what));
        rows.push(row);
        if after.places.is_err() || before.places != after.places {
            let (before, after) = (before.places, after.places);
            ground.tally.found(&format!("{}: places at rest {after:?}, and before {before:?}", watch.name));
        }
    }
    Ok(rows.join("\n"))
}

/// What an agent holds while nobody asks for anything.
struct AtRest {
    held: Sample,
    places: Result<Vec<String>, String>,
}

fn at_rest(ground: &Ground, watches: &[Watch; 2]) -> io::Result<[AtRest; 2]> {
    let held = [watches[0].now()?, watches[1].now()?];
    let listening = ground.door.open(&ground.tally, Who::Certificate);
    let listening = listening.and_then(|mut line| direct::scrape(&mut line));
    let pages = [listening, tunnel::scrape(ground)].map(|page| match page {
        Ok(page) => Ok(direct::places(&page)),
        Err(fault) => Err(fault.to_string()),
    });
    let [listening, calling] = pages;
    Ok([AtRest { held: held[0], places: listening }, AtRest { held: held[1], places: calling }])
}

/// Both agents end in order, with nothing in their logs that must never be there.
fn stop(ground: &Ground, agents: Agents) {
    for agent in agents.into_agents() {
        if catch_unwind(AssertUnwindSafe(|| agent.stop())).is_err() {
            ground.tally.found("an agent did not end in order, or panicked inside");
        }
    }
}
