//! The runner itself: a process that faces nobody but the agent, and starts programs for it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::broker::{CODE, FIND, KILL, NO, READY, SHOWN, SIGNAL, START, TERMINATE, YES};
use super::files::Stack;
use super::kept::Kept;
use super::names::StackDir;
use super::operation::Generation;
use super::tool::Tool;
use super::{confine, words};
use crate::clock::Deadline;
use crate::exit::{SOFTWARE, USAGE};
use crate::limits::{COMPOSE_MEMORY_BYTES_MAX, COMPOSE_VISITS_MAX, TICK_MILLIS};
use crate::log::{self, Level, text};
use crate::permits::Permits;
use crate::sandbox::{self, Sandbox};
use crate::sys::beneath::Directory;
use crate::sys::passing;
use crate::sys::poll::{Watch, wait};
use crate::sys::process::{Child, Ended, Pipes, Program};
use crate::sys::signals::Signals;
use crate::threads::{self, Crew};

/// Where it may start programs, and which one that is.
struct Yard {
    stacks: PathBuf,
    runtime: PathBuf,
    home: Option<PathBuf>,
    tool: Kept<Tool>,
}

/// What is asked to be run.
struct Wanted {
    stack: StackDir,
    room: String,
    may_build: bool,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
}

/// Serves the agent at the other end of this process's input, until that is gone.
pub(crate) fn serve() -> ExitCode {
    threads::report_panics();
    // A convenience for who looks; without it there is another name.
    let _ = fs::write("/proc/self/comm", SHOWN);
    let outcome = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from).and_then(serve_agent);
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        // By hand it is of no use.
        Ok(false) => ExitCode::from(USAGE),
        Err(error) => {
            log::error("compose.runner_failed", &[("error", text(&error))]);
            ExitCode::from(SOFTWARE)
        }
    }
}

/// Whether there was an agent.
fn serve_agent(mut control: UnixStream) -> io::Result<bool> {
    let Ok(Some(told)) = words::read(&mut control) else { return Ok(false) };
    let Ok([stacks, runtime, home, sandbox, level]) = <[_; 5]>::try_from(told) else { return Ok(false) };
    let word = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let path = |bytes: Vec<u8>| PathBuf::from(OsString::from_vec(bytes));
    log::set_level(Level::parse(&word(&level)).unwrap_or(Level::Info));
    let yard = Yard {
        stacks: path(stacks),
        runtime: path(runtime),
        home: Some(path(home)).filter(|home| home.is_absolute()),
        tool: Kept::new(),
    };
    // It ends when the agent does, and not before.
    let _signals = Signals::catch()?;
    let sandbox = Sandbox::named(&word(&sandbox)).unwrap_or(Sandbox::Require);
    if let Err(error) = sandbox::restrain("compose", sandbox, &sandbox::OF_RUNNER, None) {
        words::write(&mut control, [b"failed".as_slice(), error.to_string().as_bytes()])?;
        return Ok(true);
    }
    words::write(&mut control, [READY])?;
    let (yard, crew, places) = (Arc::new(yard), Crew::new("run"), Permits::new(COMPOSE_VISITS_MAX));
    while let Some((_, mut visitors)) = passing::receive(&control)? {
        // The agent counts, too: who comes beyond that finds the door closed.
        if let Some((visitor, place)) = visitors.pop().zip(places.try_take()) {
            let yard = Arc::clone(&yard);
            crew.submit(move || {
                let _place = place;
                // Whoever has left needs no answer.
                let _ = yard.talk(UnixStream::from(visitor));
            })?;
        }
    }
    Ok(true)
}

impl Yard {
    fn talk(&self, mut agent: UnixStream) -> io::Result<()> {
        while let Some(told) = words::read(&mut agent)? {
            match told.split_first() {
                Some((kind, [])) if kind == FIND => {
                    let tool = self.tool();
                    words::write(&mut agent, tool.iter().flat_map(|tool| tool.words()))?;
                }
                Some((kind, order)) if kind == START => {
                    let started = Wanted::read(order).and_then(|wanted| self.start(&wanted));
                    return match started {
                        Ok(started) => watch(&mut agent, started),
                        Err(error) => words::write(&mut agent, [error.to_string()]),
                    };
                }
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        Ok(())
    }

    fn tool(&self) -> Option<Arc<Tool>> {
        self.tool.get(Tool::is_there, || Tool::find(self.home.as_deref()).ok_or(())).ok()
    }

    fn start(&self, wanted: &Wanted) -> io::Result<(Child, Pipes)> {
        let stack =
            Stack::open(&self.stacks, &wanted.stack).map_err(|why| io::Error::other(why.to_string()))?;
        let mut room = Directory::open(&self.runtime)?;
        for name in wanted.room.split('/') {
            room = room.enter(name)?;
        }
        let tool = self.tool().ok_or(io::ErrorKind::NotFound)?;
        let rules = confine::rules(&tool.executes, Some(&stack.directory), Some(&room), wanted.may_build)?;
        let program = Program {
            path: &tool.found.path,
            arguments: &wanted.arguments,
            environment: &wanted.environment,
            dir: &stack.path,
            rules: rules.as_ref(),
            executes_others: wanted.may_build && tool.found.executes_builder,
            memory: COMPOSE_MEMORY_BYTES_MAX,
        };
        program.start()
    }
}

/// Until it has ended, and the agent was told how; one whose agent leaves is killed.
fn watch(agent: &mut UnixStream, (child, pipes): (Child, Pipes)) -> io::Result<()> {
    words::write(agent, [""; 0])?;
    passing::send(agent, 0, &[pipes.out.as_fd(), pipes.err.as_fd()])?;
    // Held by nobody else, they end with it.
    drop(pipes);
    loop {
        let ending = child.ending();
        let mut watches =
            [ending.as_ref().map_or_else(Watch::nothing, Watch::readable), Watch::readable(agent)];
        let until = if ending.is_some() {
            Deadline::NEVER
        } else {
            Deadline::after(Duration::from_millis(TICK_MILLIS))
        };
        wait(&mut watches, until)?;
        let [_, told] = watches.map(|watch| watch.is_ready());
        if child.has_ended() {
            break;
        }
        match told.then(|| passing::receive(agent)).transpose()?.map(|told| told.map(|(byte, _)| byte)) {
            Some(Some(TERMINATE)) => child.terminate(),
            Some(Some(KILL)) => child.kill(),
            None => {}
            Some(_) => return Ok(()),
        }
    }
    let (kind, number) = match child.reap()? {
        Ended::Code(code) => (CODE, code),
        Ended::Signal(signal) => (SIGNAL, signal),
    };
    words::write(agent, [kind, number.to_string().as_bytes()])
}

impl Wanted {
    fn read(words: &[Vec<u8>]) -> io::Result<Self> {
        let [stack, room, may_build, arguments, environment] = words else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let word = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).map_err(io::Error::other);
        let of = OsString::from_vec;
        let environment = words::parted(environment)?;
        let (pairs, _) = environment.as_chunks();
        Ok(Self {
            stack: StackDir::parse(&word(stack)?).map_err(|why| io::Error::other(why.to_string()))?,
            room: word(room)?,
            may_build: may_build == YES,
            arguments: words::parted(arguments)?.into_iter().map(of).collect(),
            environment: pairs.iter().map(|[name, value]| (of(name.clone()), of(value.clone()))).collect(),
        })
    }
}

impl Tool {
    /// As the agent reads it.
    fn words(&self) -> [Vec<u8>; 3] {
        let found = &self.found;
        let generation = if found.generation == Generation::One { "1" } else { "2" };
        let executes_builder = if found.executes_builder { YES } else { NO };
        [path_bytes(&found.path), generation.as_bytes().to_vec(), executes_builder.to_vec()]
    }
}

fn path_bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().to_owned().into_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the runner answers to this, over a yard with one stack, one run's directory, and one that is neither.
    fn answered(told: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
        let home = std::env::temp_dir().join(format!("lookout-runner-{}", std::process::id()));
        for dir in ["stacks/web", "runs/a/b", "elsewhere"] {
            fs::create_dir_all(home.join(dir)).unwrap();
        }
        let (stacks, runtime) = (home.join("stacks"), home.join("runs"));
        let yard = Yard { stacks, runtime, home: None, tool: Kept::new() };
        let (mut agent, runner) = UnixStream::pair().unwrap();
        words::write(&mut agent, told).unwrap();
        agent.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = yard.talk(runner);
        words::read(&mut agent).unwrap()
    }

    fn refusal(stack: &str, room: &str) -> String {
        let told = answered(&[START, stack.as_bytes(), room.as_bytes(), NO, b"", b""]);
        match told.as_deref() {
            Some([why]) => String::from_utf8(why.clone()).unwrap(),
            told => panic!("{stack} and {room} are answered {told:?}"),
        }
    }

    #[test]
    fn what_leads_out_of_its_places_is_refused_whoever_asks() {
        for stack in ["../elsewhere", "..", "/etc", "web/..", ""] {
            assert!(refusal(stack, "a/b").contains("invalid stack path"), "{stack}");
        }
        assert!(refusal("absent", "a/b").contains("absent"));
        for room in ["../elsewhere", "a/../..", "/etc", "a//b", ".", ""] {
            assert!(refusal("web", room).contains("invalid"), "{room}: {}", refusal("web", room));
        }
        assert!(refusal("web", "a/absent").contains("No such file"));
    }

    #[test]
    fn what_is_not_understood_ends_the_talk() {
        for told in [&[b"run".as_slice()][..], &[], &[FIND, b"more"]] {
            assert_eq!(answered(told), None);
        }
        let told = answered(&[START, b"web", b"a/b", NO, b"\x09\0\0\0cut", b""]).unwrap();
        assert!(String::from_utf8_lossy(&told[0]).contains("invalid data"), "{told:?}");
    }
}
