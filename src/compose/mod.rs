//! Stacks: compose, run for a caller who can do no more through it than without it.
//!
//! The program has no way to the Engine but a private door, behind which its caller's own authority is asked for each
//! call; and of this machine it sees its stack and nothing that is anybody's secret.

mod broker;
mod confine;
mod environment;
mod files;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod kept;
mod names;
mod operation;
mod order;
mod output;
mod place;
mod registry;
mod run;
mod runner;
mod sources;
mod stacks;
mod tool;
mod watch;
mod words;

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use broker::RUNNER;
use order::Kind;
pub(crate) use order::{Order, Unfit};
pub(crate) use output::last_line;
pub(crate) use run::{Job, OpenDoor, Run, Telling};
pub(crate) use runner::serve as serve_as_runner;
pub(crate) use tool::plugin_places;

use crate::clock::Deadline;
use crate::limits::{COMPOSE_DOCUMENTS_MAX, COMPOSE_FOLLOWS_MAX, COMPOSE_LOOKS_MAX, COMPOSE_RUNS_MAX};
use crate::net::Shutdown;
use crate::permits::{Permit, Permits};
use crate::sandbox::Sandbox;
use crate::sys::landlock;
use crate::threads::Crew;
use broker::Broker;
use kept::Kept;
use place::Runtime;
use run::Workshop;
use stacks::Stacks;

/// What the operator says about stacks.
pub(crate) enum Wish {
    /// This, where they would be, is no directory: there are none.
    Off(PathBuf),
    On(Settings),
}

/// How compose is run where there are stacks.
pub(crate) struct Settings {
    pub(crate) stacks: PathBuf,
    /// Below which each run has a private directory.
    pub(crate) runtime: PathBuf,
    /// How long an operation may take.
    pub(crate) limit: Duration,
    /// Of the agent's environment: the way out, for programs that build.
    pub(crate) proxies: Vec<(String, String)>,
    /// Where plugins of the agent's own user are.
    pub(crate) home: Option<PathBuf>,
}

/// Stacks, and who works on them.
pub(crate) struct Compose(Result<House, PathBuf>);

struct House {
    settings: Arc<Settings>,
    shutdown: Shutdown,
    crew: Crew,
    /// Places by kind, and how they are counted.
    places: [(Kind, &'static str, Permits); 3],
    documents: Permits,
    stacks: Stacks,
    broker: Broker,
    runtime: Kept<Runtime>,
}

/// Proof that something can be done for a caller.
pub(crate) struct Ready<'c>(&'c House);

/// Why nothing can be done for anybody.
#[derive(Debug)]
pub(crate) enum Unready {
    /// There are no stacks here.
    Off(PathBuf),
    NoProgram,
    /// The kernel cannot keep the program from what is not its caller's.
    Unconfined,
    Busy,
    Failed(io::Error),
}

impl Compose {
    /// There is none.
    pub(crate) const fn off() -> Self {
        Self(Err(PathBuf::new()))
    }

    /// Starts what will start programs, and removes what agents before this one left behind. Nothing may have been given
    /// up yet.
    pub(crate) fn new(wish: Wish, sandbox: Sandbox, shutdown: Shutdown) -> io::Result<Self> {
        let settings = match wish {
            Wish::Off(named) => return Ok(Self(Err(named))),
            Wish::On(settings) => settings,
        };
        let broker = Broker::start(&settings, sandbox)
            .map_err(|error| io::Error::other(format!("what runs compose cannot be started: {error}")))?;
        place::sweep(&settings.runtime);
        Ok(Self(Ok(House {
            settings: Arc::new(settings),
            shutdown,
            crew: Crew::new("compose"),
            places: [
                (Kind::Change, "compose", Permits::new(COMPOSE_RUNS_MAX)),
                (Kind::Look, "compose_looks", Permits::new(COMPOSE_LOOKS_MAX)),
                (Kind::Follow, "compose_follows", Permits::new(COMPOSE_FOLLOWS_MAX)),
            ],
            documents: Permits::new(COMPOSE_DOCUMENTS_MAX),
            stacks: Stacks::new(),
            broker,
            runtime: Kept::new(),
        })))
    }

    /// Whether there are stacks.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_ok()
    }

    /// Where there are stacks: readable once what starts programs is gone, which is before the agent itself only where
    /// something failed.
    pub(crate) fn ending(&self) -> io::Result<Option<OwnedFd>> {
        self.0.as_ref().ok().map(|house| house.broker.ending()).transpose()
    }

    /// Places for what it takes, by name.
    pub(crate) fn pools(&self) -> Vec<(&'static str, Permits)> {
        let Ok(house) = &self.0 else { return Vec::new() };
        let places = house.places.iter().map(|(_, name, places)| (*name, places.clone()));
        places.chain([("compose_documents", house.documents.clone())]).collect()
    }

    /// Whether anything can be done for someone who may do everything, or not.
    pub(crate) fn ready(&self, may_do_everything: bool) -> Result<Ready<'_>, Unready> {
        let house = self.0.as_ref().map_err(|named| Unready::Off(named.clone()))?;
        match landlock::version() {
            None if !may_do_everything => Err(Unready::Unconfined),
            _ => Ok(Ready(house)),
        }
    }

    /// Waits until nothing is done any more, or the deadline.
    pub(crate) fn wait_idle(&self, deadline: Deadline) -> bool {
        let mut places = self.0.iter().flat_map(|house| &house.places);
        places.all(|(.., places)| places.wait_idle(deadline))
    }

    /// Takes away what lies below `RUNTIME_DIR`, and lets the runner end. Nothing is done any more, or it is cut off.
    pub(crate) fn close(&self) {
        if let Ok(house) = &self.0 {
            house.runtime.forget();
            house.broker.close();
        }
    }
}

impl Ready<'_> {
    /// Places for requests that are read.
    pub(crate) fn documents(&self) -> &Permits {
        &self.0.documents
    }

    pub(crate) fn begin(&self, job: Job) -> Result<Run, Unready> {
        let house = self.0;
        let place = house.place(job.order.kind()).ok_or(Unready::Busy)?;
        let mut visit = house.broker.visit().map_err(Unready::Failed)?;
        let tool = visit.find().map_err(Unready::Failed)?.ok_or(Unready::NoProgram)?;
        let make = || Runtime::make(&house.settings.runtime).map_err(Unready::Failed);
        let shop = Workshop {
            settings: Arc::clone(&house.settings),
            tool,
            runtime: house.runtime.get(Runtime::is_there, make)?,
            stacks: house.stacks.clone(),
            shutdown: house.shutdown.clone(),
        };
        let (run, work) = Run::new(shop, visit, job, place).map_err(Unready::Failed)?;
        house.crew.submit(work).map_err(Unready::Failed)?;
        Ok(run)
    }
}

impl House {
    fn place(&self, wanted: Kind) -> Option<Permit> {
        self.places.iter().find(|(kind, ..)| *kind == wanted).and_then(|(.., places)| places.try_take())
    }
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off(dir) => write!(
                f,
                "compose is off, as {} is no directory: make it, or name another one in STACKS_DIR, and start the \
                 agent again",
                dir.display()
            ),
            Self::NoProgram => f.write_str(
                "no compose program runs here: install Docker's compose plugin (docker-compose-plugin, or Debian's \
                 docker-compose) beside the agent",
            ),
            Self::Unconfined => f.write_str(
                "this kernel cannot keep compose from the agent's own files: only a caller that may do everything can \
                 use it, or boot a kernel with Landlock (5.13 and later)",
            ),
            Self::Busy => f.write_str(
                "as many compose operations of this kind are under way as there may be: try again later",
            ),
            Self::Failed(_) => f.write_str("compose cannot be started: the agent's log says why"),
        }
    }
}
