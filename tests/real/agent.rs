//! The built binary, started for one test and ended with it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use crate::docker::{Docker, SOCKET};
use crate::folder::Folder;
use crate::process::{run, terminate};
use crate::raw;
use crate::wait::until;

/// What the agent is told to ask for. It is only ever known on loopback.
pub(crate) const TOKEN: &str = "a-token-for-the-tests-of-one-machine-only";

/// How often an address is looked for that nobody takes meanwhile.
const ADDRESSES_TRIED_MAX: u32 = 10;

static NEXT_PORT: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Agent {
    settings: Vec<(String, String)>,
    address: SocketAddr,
    folder: Folder,
    child: Child,
}

impl Agent {
    /// In front of the Engine that `Docker::straight` reaches.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// With settings beside the ones every agent here has, or instead of them.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let mut all = vec![("BIND_ADDRESS", "127.0.0.1"), ("TOKEN", TOKEN), ("DOCKER_SOCKET", SOCKET)];
        all.retain(|(name, _)| settings.iter().all(|(other, _)| name != other));
        all.extend(settings);
        let settings: Vec<_> = all.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        for _ in 0..ADDRESSES_TRIED_MAX {
            let folder = Folder::new();
            let address = free_address();
            let child = spawn(&settings, address, &folder);
            let mut agent = Self { settings: settings.clone(), address, folder, child };
            match agent.until_healthy() {
                Ok(()) => return agent,
                // Somebody else was quicker.
                Err(log) if log.contains("Address already in use") => {}
                Err(log) => panic!("the agent ended at its start: {log}"),
            }
        }
        panic!("{ADDRESSES_TRIED_MAX} addresses were free and then were not")
    }

    /// The docker command, speaking to this agent with its token.
    pub(crate) fn docker(&self) -> Docker {
        self.docker_with("{}")
    }

    /// The same, with the given value as the `auths` of its configuration.
    pub(crate) fn docker_with(&self, auths: &str) -> Docker {
        let headers = format!(r#"{{"Authorization":"Bearer {TOKEN}"}}"#);
        let config = format!(r#"{{"HttpHeaders":{headers},"auths":{auths}}}"#);
        Docker::at(&format!("tcp://{}", self.address), &config)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it as an operator would and waits for that; says whether it ended well.
    pub(crate) fn stop(&mut self) -> bool {
        terminate(self.child.id());
        until("the agent ends", || self.child.try_wait().unwrap()).success()
    }

    /// Starts it again, on the same port, after `stop`.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(&self.settings, self.address, &self.folder);
        self.until_healthy().expect("it starts as it did before");
    }

    /// Stops it where it stands, like a machine that has no time for it; `awake` lets it go on.
    pub(crate) fn asleep(&self) {
        run(Command::new("kill").args(["-STOP", &self.child.id().to_string()])).good();
    }

    pub(crate) fn awake(&self) {
        run(Command::new("kill").args(["-CONT", &self.child.id().to_string()])).good();
    }

    /// How many connections to the Engine's socket it holds: those whose other end is not its own.
    pub(crate) fn engine_connections(&self) -> usize {
        let own: Vec<String> = fs::read_dir(format!("/proc/{}/fd", self.child.id()))
            .expect("the agent runs")
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .filter_map(|target| {
                Some(target.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned())
            })
            .collect();
        let is_own = |inode: Option<&str>| own.iter().any(|own| Some(own.as_str()) == inode);
        let table = run(Command::new("ss").args(["--unix", "--numeric", "--no-header"])).good().text();
        // Its columns: kind, state, two queues, our name and inode, the other end's name and inode.
        let ends = table.lines().map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            (columns.get(5).copied(), columns.get(7).copied())
        });
        ends.filter(|(ours, theirs)| is_own(*ours) && !is_own(*theirs)).count()
    }

    /// Waits until it holds no connection to the Engine.
    pub(crate) fn until_idle(&self) {
        until("the agent's connections to the Engine are closed", || {
            (self.engine_connections() == 0).then_some(())
        });
    }

    /// Waits until `/health` answers, or tells what was logged by an agent that ended instead.
    fn until_healthy(&mut self) -> Result<(), String> {
        until("the agent's /health answers", || {
            if self.child.try_wait().unwrap().is_some() {
                return Some(Err(log_of(&self.folder)));
            }
            let answer = raw::get(self.address, "/health")?;
            // Its own word first: on an address it lost, another one would answer.
            let is_ours = log_of(&self.folder).contains("server.listening");
            (is_ours && answer.starts_with("HTTP/1.1 200 ")).then_some(Ok(()))
        })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("what the agent logged:\n{}", log_of(&self.folder));
        }
    }
}

fn spawn(settings: &[(String, String)], address: SocketAddr, folder: &Folder) -> Child {
    let log = File::options().create(true).append(true).open(folder.at("log")).expect("a file for its log");
    Command::new(env!("CARGO_BIN_EXE_lookout"))
        .env_clear()
        .env("PORT", address.port().to_string())
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stderr(log.try_clone().expect("the same file"))
        .stdout(log)
        .spawn()
        .expect("the built binary starts")
}

fn log_of(folder: &Folder) -> String {
    String::from_utf8_lossy(&folder.read("log")).into_owned()
}

/// A loopback address nobody listens on, and which the kernel gives to nobody who asks for any port:
/// those begin at 32768, and an outgoing connection on one would keep an agent from starting there.
pub(crate) fn free_address() -> SocketAddr {
    let begin = std::process::id().wrapping_mul(61);
    let free = (0..20_000).find_map(|_| {
        let number = begin.wrapping_add(NEXT_PORT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        let port = u16::try_from(number).ok()?.saturating_add(12_000);
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?.local_addr().ok()
    });
    free.expect("one of twenty thousand ports is free")
}
