//! The programs that are compared: each is started, watched until it answers, and stopped again.
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, thread};

use crate::client::{Client, Door, SMALL_BUFFER_BYTES};
use crate::configurations::{self, Certificate};
use crate::process;

/// Nothing here takes this long to start or to stop.
const PATIENCE: Duration = Duration::from_secs(15);

/// Who is measured. The Engine stands for no proxy at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Engine,
    Haproxy,
    Nginx,
    Lookout,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Engine, Self::Haproxy, Self::Nginx, Self::Lookout];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Engine => "direct",
            Self::Haproxy => "HAProxy",
            Self::Nginx => "nginx",
            Self::Lookout => "Lookout",
        }
    }
}

/// A private directory for sockets and configurations, gone at the end.
pub(crate) struct Directory {
    pub(crate) path: PathBuf,
}

impl Directory {
    pub(crate) fn new() -> io::Result<Self> {
        let path = env::temp_dir().join(format!("lookout-bench-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path.join("engine.sock")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Where each peer's program is.
pub(crate) struct Programs {
    pub(crate) lookout: PathBuf,
    pub(crate) haproxy: PathBuf,
    pub(crate) nginx: PathBuf,
}

impl Programs {
    pub(crate) fn new(lookout: PathBuf) -> Self {
        Self { lookout, haproxy: find("haproxy"), nginx: find("nginx") }
    }

    pub(crate) fn of(&self, kind: Kind) -> Option<&Path> {
        match kind {
            Kind::Engine => None,
            Kind::Haproxy => Some(&self.haproxy),
            Kind::Nginx => Some(&self.nginx),
            Kind::Lookout => Some(&self.lookout),
        }
    }
}

/// Debian keeps servers where a user's search path does not look.
fn find(name: &str) -> PathBuf {
    let paths = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"];
    let found = paths.iter().map(|directory| Path::new(directory).join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| PathBuf::from(name))
}

/// A running peer, stopped when dropped.
pub(crate) struct Peer {
    pub(crate) kind: Kind,
    pub(crate) door: Door,
    /// From the start of the program to its first healthy answer.
    pub(crate) start: Duration,
    child: Child,
    /// How a peer that has workers is asked to end, since killing it would leave them behind.
    quit: Option<Command>,
}

impl Peer {
    /// Starts the fake Engine: this very program, in a process of its own so that it is measured alone.
    pub(crate) fn engine(directory: &Directory) -> io::Result<Self> {
        let begun = Instant::now();
        let mut command = Command::new(env::current_exe()?);
        command.arg("--engine").arg(directory.socket()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let mut peer = Self {
            kind: Kind::Engine,
            door: any_address().into(),
            start: begun.elapsed(),
            child,
            quit: None,
        };
        let address = line.trim().parse().map_err(|_| io::Error::other("the fake Engine did not start"));
        peer.door.address = address?;
        Ok(peer)
    }

    /// Starts a proxy on a free port and returns when it says that it is healthy. With a certificate it speaks TLS.
    pub(crate) fn proxy(
        kind: Kind,
        programs: &Programs,
        directory: &Directory,
        certificate: Option<&Certificate>,
    ) -> io::Result<Self> {
        let program = programs.of(kind).ok_or_else(|| io::Error::other("the Engine is no proxy"))?;
        let address = free_address()?;
        let (port, socket) = (address.port(), directory.socket());
        let file = directory.path.join(format!("{}-{port}.conf", kind.name()));
        let mut command = Command::new(program);
        command.env_clear();
        let mut quit = None;
        match kind {
            Kind::Haproxy => {
                fs::write(&file, configurations::haproxy(port, &socket, certificate))?;
                command.arg("-db").arg("-f").arg(&file);
            }
            Kind::Nginx => {
                let own = directory.path.join(format!("nginx-{port}"));
                fs::create_dir(&own)?;
                let as_root = fs::metadata(&own)?.uid() == 0;
                fs::write(&file, configurations::nginx(port, &socket, &own, as_root, certificate))?;
                command.args(["-e", "stderr", "-c"]).arg(&file);
                let mut stop = Command::new(program);
                stop.env_clear().args(["-e", "stderr", "-s", "stop", "-c"]).arg(&file);
                quit = Some(stop);
            }
            Kind::Lookout => {
                command.envs(configurations::lookout(port, &socket));
                command.envs(certificate.into_iter().flat_map(Certificate::variables));
            }
            Kind::Engine => {}
        }
        let said = directory.path.join(format!("{}-{port}.log", kind.name()));
        let output = File::create(&said)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);

        let begun = Instant::now();
        let child = command.spawn().map_err(|error| missing(kind, program, &error))?;
        let door = Door { address, tls: certificate.map(|certificate| Arc::clone(&certificate.client)) };
        let mut peer = Self { kind, door, start: Duration::ZERO, child, quit };
        peer.start = peer.wait_until_healthy(begun, &said)?;
        Ok(peer)
    }

    /// Asks without a pause, since the pause would be what is measured.
    fn wait_until_healthy(&mut self, begun: Instant, said: &Path) -> io::Result<Duration> {
        let request = b"GET /health HTTP/1.1\r\nHost: docker.example\r\nConnection: close\r\n\r\n";
        loop {
            let answered = Client::connect(&self.door, SMALL_BUFFER_BYTES).and_then(|mut client| {
                client.send(request)?;
                client.receive(|_| ())
            });
            match answered {
                Ok(200) => return Ok(begun.elapsed()),
                Ok(status) => return Err(self.failed(&format!("answered {status} to GET /health"), said)),
                Err(_) => {}
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(self.failed(&format!("ended with {status}"), said));
            }
            if begun.elapsed() > PATIENCE {
                return Err(self.failed("did not become healthy", said));
            }
            thread::yield_now();
        }
    }

    fn failed(&self, how: &str, said: &Path) -> io::Error {
        let said = fs::read_to_string(said).unwrap_or_default();
        io::Error::other(format!("{} {how}; it said: {}", self.kind.name(), said.trim()))
    }

    /// The processes of this peer.
    pub(crate) fn processes(&self) -> io::Result<Vec<u32>> {
        process::family(self.child.id())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(quit) = &mut self.quit {
            let _ = quit.stdout(Stdio::null()).stderr(Stdio::null()).status();
            let until = Instant::now() + PATIENCE;
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
                thread::yield_now();
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn missing(kind: Kind, program: &Path, error: &io::Error) -> io::Error {
    let name = kind.name();
    let remedy = match kind {
        Kind::Haproxy => "run `apt-get install haproxy`, or measure with `--without haproxy`",
        Kind::Nginx => "run `apt-get install nginx-light`, or measure with `--without nginx`",
        Kind::Lookout | Kind::Engine => "run `cargo build --release`",
    };
    let reason =
        if error.kind() == ErrorKind::NotFound { "is not installed".to_owned() } else { error.to_string() };
    io::Error::other(format!("{name} ({}) {reason}: {remedy}", program.display()))
}

fn any_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// A port that was free a moment ago.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind(any_address())?.local_addr()
}
