//! Stacks: compose, run for a caller who can do no more through it than without it.
//!
//! The program has no way to the Engine but a private door, behind which its caller's own authority is asked for each
//! call; and of this machine it sees its stack and nothing that is anybody's secret.

mod confine;
mod environment;
mod files;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod names;
mod operation;
mod order;
mod output;
mod place;
mod registry;
mod run;
mod sources;
mod stacks;
mod tool;
mod watch;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use order::Kind;
pub(crate) use order::{Order, Unfit};
pub(crate) use output::last_line;
pub(crate) use run::{Job, OpenDoor, Run, Telling};
pub(crate) use tool::plugin_places;

use crate::clock::Deadline;
use crate::limits::{COMPOSE_DOCUMENTS_MAX, COMPOSE_FOLLOWS_MAX, COMPOSE_LOOKS_MAX, COMPOSE_RUNS_MAX};
use crate::net::Shutdown;
use crate::permits::{Permit, Permits};
use crate::shared::Shared;
use crate::sys::landlock;
use crate::threads::Crew;
use place::Runtime;
use run::Workshop;
use stacks::Stacks;
use tool::Tool;

/// What the operator says about stacks.
pub(crate) struct Settings {
    /// Where they are, if that is a directory.
    pub(crate) stacks: Option<PathBuf>,
    /// What was said of that, for whoever asks why there are none.
    pub(crate) named: PathBuf,
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
pub(crate) struct Compose(Option<Arc<House>>);

struct House {
    settings: Arc<Settings>,
    shutdown: Shutdown,
    crew: Crew,
    /// Places by kind, and how they are counted.
    places: [(Kind, &'static str, Permits); 3],
    documents: Permits,
    stacks: Stacks,
    tool: Shared<Option<Arc<Tool>>>,
    runtime: Shared<Option<Arc<Runtime>>>,
}

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
        Self(None)
    }

    /// Removes what agents before this one left behind.
    pub(crate) fn new(settings: Settings, shutdown: Shutdown) -> Self {
        if settings.stacks.is_some() {
            place::sweep(&settings.runtime);
        }
        Self(Some(Arc::new(House {
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
            tool: Shared::new(None),
            runtime: Shared::new(None),
        })))
    }

    /// Whether there are stacks.
    pub(crate) fn is_on(&self) -> bool {
        self.0.as_ref().is_some_and(|house| house.settings.stacks.is_some())
    }

    /// Places for what it takes, by name.
    pub(crate) fn pools(&self) -> Vec<(&'static str, Permits)> {
        let Some(house) = &self.0 else { return Vec::new() };
        let places = house.places.iter().map(|(_, name, places)| (*name, places.clone()));
        places.chain([("compose_documents", house.documents.clone())]).collect()
    }

    /// Whether anything can be done for someone who may do everything, or not.
    pub(crate) fn check(&self, may_do_everything: bool) -> Result<(), Unready> {
        self.house()?;
        match landlock::version() {
            None if !may_do_everything => Err(Unready::Unconfined),
            _ => Ok(()),
        }
    }

    /// Places for requests that are read.
    pub(crate) fn documents(&self) -> Result<&Permits, Unready> {
        self.house().map(|house| &house.documents)
    }

    pub(crate) fn begin(&self, job: Job) -> Result<Run, Unready> {
        let house = self.house()?;
        let place = house.place(job.order.kind()).ok_or(Unready::Busy)?;
        let shop = Workshop {
            settings: Arc::clone(&house.settings),
            tool: house.tool()?,
            runtime: house.runtime().map_err(Unready::Failed)?,
            stacks: house.stacks.clone(),
            shutdown: house.shutdown.clone(),
        };
        let (run, work) = Run::new(shop, job, place).map_err(Unready::Failed)?;
        house.crew.submit(work).map_err(Unready::Failed)?;
        Ok(run)
    }

    /// Waits until nothing is done any more, or the deadline.
    pub(crate) fn wait_idle(&self, deadline: Deadline) -> bool {
        let all_idle =
            |house: &Arc<House>| house.places.iter().all(|(.., places)| places.wait_idle(deadline));
        self.0.as_ref().is_none_or(all_idle)
    }

    /// Takes away what lies below `RUNTIME_DIR`. Nothing is done any more, or it is cut off.
    pub(crate) fn close(&self) {
        if let Some(house) = &self.0 {
            house.runtime.with(|runtime| *runtime = None);
        }
    }

    fn house(&self) -> Result<&Arc<House>, Unready> {
        match &self.0 {
            Some(house) if house.settings.stacks.is_some() => Ok(house),
            Some(house) => Err(Unready::Off(house.settings.named.clone())),
            None => Err(Unready::Off(PathBuf::new())),
        }
    }
}

impl House {
    fn place(&self, wanted: Kind) -> Option<Permit> {
        self.places.iter().find(|(kind, ..)| *kind == wanted).and_then(|(.., places)| places.try_take())
    }

    /// The program that was found, as long as it is the same; or another one.
    fn tool(&self) -> Result<Arc<Tool>, Unready> {
        self.tool.with(|known| {
            if let Some(tool) = known.as_ref().filter(|tool| tool.is_there()) {
                return Ok(Arc::clone(tool));
            }
            *known = Tool::find(self.settings.home.as_deref()).map(Arc::new);
            known.clone().ok_or(Unready::NoProgram)
        })
    }

    fn runtime(&self) -> io::Result<Arc<Runtime>> {
        self.runtime.with(|known| match known {
            Some(runtime) if runtime.is_there() => Ok(Arc::clone(runtime)),
            _ => {
                let runtime = Arc::new(Runtime::make(&self.settings.runtime)?);
                *known = Some(Arc::clone(&runtime));
                Ok(runtime)
            }
        })
    }
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off(dir) => {
                write!(f, "compose is off, as {} is no directory: make it, or name another one in STACKS_DIR, and start ", dir.display())?;
                f.write_str("the agent again")
            }
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
