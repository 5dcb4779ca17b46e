//! One run of compose, on a thread of its own: its stack is locked, its files are written, its program is started,
//! and whatever happens there is an end of it.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::broker::{Found, Task, Visit};
use super::environment::{EnvKey, EnvValue, Home};
use super::files::{self, ENV_FILE, Stack, Trouble};
use super::operation::{self, Sources};
use super::order::{Invalid, Order};
use super::output::{Lines, Output, Stream, last_line};
use super::place::{Room, Runtime};
use super::stacks::{Lock, Stacks};
use super::tool::plugin_places;
use super::watch::{Cut, Listener, Watching};
use super::{Settings, environment, registry};
use crate::clock::Deadline;
use crate::limits::{COMPOSE_LINES_BYTES, COMPOSE_LOCK_MILLIS, COMPOSE_LOCK_SECS};
use crate::net::Shutdown;
use crate::permits::Permit;
use crate::shared::Shared;
use crate::sys::poll::{Watch, wait};
use crate::sys::process::Ended;

/// How a run is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// In one piece, when it is over.
    Whole,
    /// Line by line, as it comes.
    Lines,
}

/// Opens a private door at a path. It is closed by drop.
pub(crate) type OpenDoor = Box<dyn FnOnce(&Path) -> io::Result<Box<dyn Send>> + Send>;

/// What a caller ordered, and how it is done.
pub(crate) struct Job {
    pub(crate) order: Order,
    pub(crate) telling: Telling,
    pub(crate) open_door: OpenDoor,
    /// Told whether it succeeded, before the caller is.
    pub(crate) on_end: Box<dyn FnOnce(bool) + Send>,
}

/// Where it is done.
pub(super) struct Workshop {
    pub(super) settings: Arc<Settings>,
    pub(super) tool: Found,
    pub(super) runtime: Arc<Runtime>,
    pub(super) stacks: Stacks,
    pub(super) shutdown: Shutdown,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) output: String,
    /// Why it did not succeed.
    pub(crate) error: Option<String>,
}

/// Why a run ended without success.
#[derive(Debug)]
enum Failure {
    Trouble(Trouble),
    Invalid(Invalid),
    /// The caller, before anything was begun or while it only looked.
    Left,
    Stopping,
    Locked,
    Prepare(io::Error),
    Start(PathBuf, io::Error),
    Watch(io::Error),
    Status(i32),
    Signal(i32),
    Late(u64),
    Cut,
}

/// What the two sides of a run share.
#[derive(Default)]
struct Told {
    lines: Vec<u8>,
    outcome: Option<Outcome>,
}

/// A run under way, as its caller sees it. Readable when there is something to look at; who drops it has left.
pub(crate) struct Run {
    told: Arc<Shared<Told>>,
    bell: UnixStream,
}

impl Run {
    /// Both sides: the caller's, and what is to be done on another thread.
    pub(super) fn new(
        shop: Workshop,
        visit: Visit,
        job: Job,
        place: Permit,
    ) -> io::Result<(Self, impl FnOnce() + Send)> {
        let (bell, theirs) = UnixStream::pair()?;
        for end in [&bell, &theirs] {
            end.set_nonblocking(true)?;
        }
        let told = Arc::new(Shared::new(Told::default()));
        let caller = Caller { told: Arc::clone(&told), bell: theirs };
        Ok((Self { told, bell }, move || work(shop, visit, job, caller, place)))
    }

    /// How it ended, once it has.
    pub(crate) fn outcome(&mut self) -> Option<Outcome> {
        self.hush();
        self.told.with(|told| told.outcome.take())
    }

    /// The lines that came; the last of them tells how it ended.
    pub(crate) fn lines(&mut self, into: &mut Vec<u8>) -> bool {
        self.hush();
        let is_over = self.told.with(|told| {
            into.append(&mut told.lines);
            told.outcome.is_some()
        });
        // There is room again. Where nobody waits for it, nobody reads this.
        let _ = (&self.bell).write(&[0]);
        is_over
    }

    /// What rang is heard.
    fn hush(&self) {
        let mut rings = [0; 64];
        while matches!((&self.bell).read(&mut rings), Ok(count) if count > 0) {}
    }
}

impl AsFd for Run {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

/// The caller, as the run sees it.
struct Caller {
    told: Arc<Shared<Told>>,
    bell: UnixStream,
}

impl Caller {
    fn ring(&self) {
        // A bell that is full rings already; one without an end has nobody to hear it.
        let _ = (&self.bell).write(&[0]);
    }

    /// Whether the caller has left.
    fn has_left(&self) -> bool {
        let mut rings = [0; 64];
        loop {
            match (&self.bell).read(&mut rings) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => return true,
            }
        }
    }

    fn waiting(&self) -> usize {
        self.told.with(|told| told.lines.len())
    }
}

/// Where what a program says goes.
enum Sink {
    Whole(Output),
    Lines { lines: Lines, omitted: u64 },
}

/// Whatever becomes of a run, its caller is told: also where a fault of ours cut it.
struct Finish {
    caller: Caller,
    on_end: Option<Box<dyn FnOnce(bool) + Send>>,
    outcome: Option<Outcome>,
    sink: Sink,
    /// Taken as long as it goes on, whoever is left to listen.
    place: Option<Permit>,
}

impl Drop for Finish {
    fn drop(&mut self) {
        let cut = || Outcome { output: String::new(), error: Some(Failure::Cut.to_string()) };
        let outcome = self.outcome.take().unwrap_or_else(cut);
        if let Some(on_end) = self.on_end.take() {
            on_end(outcome.error.is_none());
        }
        self.place = None;
        let last = match &self.sink {
            Sink::Whole(_) => Vec::new(),
            Sink::Lines { omitted, .. } => {
                last_line(outcome.error.is_none(), outcome.error.as_deref(), *omitted)
            }
        };
        self.caller.told.with(|told| {
            told.lines.extend_from_slice(&last);
            told.outcome = Some(outcome);
        });
        self.caller.ring();
    }
}

fn work(shop: Workshop, visit: Visit, job: Job, caller: Caller, place: Permit) {
    let Job { mut order, telling, open_door, on_end } = job;
    let sink = match telling {
        Telling::Whole => Sink::Whole(Output::default()),
        Telling::Lines => Sink::Lines { lines: Lines::default(), omitted: 0 },
    };
    let mut finish = Finish { caller, on_end: Some(on_end), outcome: None, sink, place: Some(place) };
    let done = perform(&shop, visit, &mut order, open_door, &mut finish);
    // Nothing of it is in use any more when the caller is told.
    drop(shop);
    let output = match &mut finish.sink {
        Sink::Whole(output) => std::mem::take(output).into_text(),
        Sink::Lines { lines, .. } => {
            let mut rest = Vec::new();
            lines.flush(&mut rest);
            finish.caller.told.with(|told| told.lines.append(&mut rest));
            String::new()
        }
    };
    finish.outcome = Some(Outcome { output, error: done.err().map(|why| why.to_string()) });
}

fn perform(
    shop: &Workshop,
    visit: Visit,
    order: &mut Order,
    open_door: OpenDoor,
    finish: &mut Finish,
) -> Result<(), Failure> {
    let deadline = Deadline::after(shop.settings.limit);
    let writes = !order.files.is_empty() || order.env.is_some();
    let _lock = match writes || !order.operation.only_reads() {
        true => Some(lock(shop, order, &finish.caller)?),
        false => None,
    };
    for (path, content) in order.files.iter().filter(|(path, _)| files::holds_variables(path)) {
        environment::look(content).map_err(|why| Trouble::Refused(path.to_string(), why))?;
    }
    let root = &shop.settings.stacks;
    let stack = if writes { Stack::make(root, &order.dir) } else { Stack::open(root, &order.dir) }?;
    if writes {
        let variables = order.env.as_deref().map(environment::env_file);
        stack.put(&order.files, variables.as_ref().map(|text| text.expose().as_slice()))?;
        // However long the program takes: they are on the disk.
        order.files = Vec::new();
    }
    let sources = stack.sources()?;
    let kept = stack.variables()?;
    let env_file = kept.as_ref().map(|_| stack.path.join(ENV_FILE));
    let variables = environment::read_back(kept.as_deref().unwrap_or_default());
    let sources = Sources { dir: &stack.path, files: &sources, env_file: env_file.as_deref() };
    let arguments = operation::arguments(order, shop.tool.generation, &sources)?;

    let room = shop.runtime.room().map_err(Failure::Prepare)?;
    let plugins = plugin_places(shop.settings.home.as_deref());
    let plugins: Vec<_> = plugins.iter().filter_map(|place| place.to_str()).collect();
    room.configure(&registry::config_json(&order.registries, &plugins)).map_err(Failure::Prepare)?;
    let _door = open_door(&room.socket()).map_err(Failure::Prepare)?;
    let environment = surroundings(&room, shop, &variables);
    let task = Task {
        stack: &order.dir,
        room: room.below(&shop.settings.runtime),
        may_build: order.operation.may_build(),
        arguments: &arguments,
        environment: &environment,
    };
    let started = visit.start(&task).map_err(|error| Failure::Start(shop.tool.path.clone(), error))?;
    let watching = Watching { only_reads: order.operation.only_reads(), deadline, shutdown: &shop.shutdown };
    match watching.over(started, finish).map_err(Failure::Watch)? {
        (_, Some(Cut::Late)) => Err(Failure::Late(shop.settings.limit.as_secs())),
        (_, Some(Cut::Stopping)) => Err(Failure::Stopping),
        (_, Some(Cut::Left)) => Err(Failure::Left),
        (Ended::Code(0), None) => Ok(()),
        (Ended::Code(code), None) => Err(Failure::Status(code)),
        (Ended::Signal(signal), None) => Err(Failure::Signal(signal)),
    }
}

/// Waits until nobody works on the stack, on one within it, or around it.
fn lock(shop: &Workshop, order: &Order, caller: &Caller) -> Result<Lock, Failure> {
    let enough = Deadline::after_secs(COMPOSE_LOCK_SECS);
    loop {
        if caller.has_left() {
            return Err(Failure::Left);
        }
        if let Some(lock) = shop.stacks.try_take(&order.stack, &order.dir) {
            return Ok(lock);
        }
        if shop.shutdown.has_begun() {
            return Err(Failure::Stopping);
        } else if enough.passed() {
            return Err(Failure::Locked);
        }
        let while_waiting = Deadline::after(Duration::from_millis(COMPOSE_LOCK_MILLIS));
        wait(&mut [Watch::readable(&caller.bell)], while_waiting).map_err(Failure::Watch)?;
    }
}

/// All of the program's environment.
fn surroundings(room: &Room, shop: &Workshop, variables: &[(EnvKey, EnvValue)]) -> Vec<(OsString, OsString)> {
    let (home, config, temp, socket) = (room.home(), room.config(), room.temp(), room.socket());
    let home = Home { home: &home, config: &config, temp: &temp, socket: &socket };
    let mut all = environment::child(&home, &shop.settings.proxies, variables);
    if !shop.tool.executes_builder {
        // It then builds by itself, and need not execute anything.
        all.push(("COMPOSE_BAKE".into(), "false".into()));
    }
    all
}

impl Listener for Finish {
    fn hear(&mut self, stream: Stream, said: &[u8]) {
        let full = self.is_full();
        match &mut self.sink {
            Sink::Whole(output) => output.push(stream, said),
            Sink::Lines { omitted, .. } if full => {
                *omitted = omitted.saturating_add(u64::try_from(said.len()).unwrap_or(u64::MAX));
            }
            Sink::Lines { lines, .. } => {
                self.caller.told.with(|told| lines.push(stream, said, &mut told.lines));
                self.caller.ring();
            }
        }
    }

    fn is_full(&self) -> bool {
        match self.sink {
            Sink::Whole(_) => false,
            Sink::Lines { .. } => self.caller.waiting() > COMPOSE_LINES_BYTES,
        }
    }

    fn bell(&self) -> BorrowedFd<'_> {
        self.caller.bell.as_fd()
    }

    fn has_left(&self) -> bool {
        self.caller.has_left()
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trouble(trouble) => trouble.fmt(f),
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::Left => f.write_str("the caller left"),
            Self::Stopping => f.write_str("the agent is stopping"),
            Self::Locked => f.write_str("another operation works on this stack: try again when it is over"),
            Self::Prepare(error) => {
                write!(f, "the private directory below RUNTIME_DIR cannot be prepared: {error}")
            }
            Self::Start(path, error) => write!(f, "{} cannot be started: {error}", path.display()),
            Self::Watch(error) => {
                write!(f, "the program cannot be watched any more, and was killed: {error}")
            }
            Self::Status(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
            Self::Late(secs) => write!(f, "ended after {secs} seconds (COMPOSE_TIMEOUT)"),
            Self::Cut => f.write_str("the agent failed"),
        }
    }
}
