//! What stands between an agent and its controller: nginx and HAProxy as children, configured by a test.
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::agent::{free_port, signal};
use crate::edge_link::Link;
use crate::engine::{Engine, Home, OK};
use crate::patience::until;

/// What a controller may send of a stream before it is allowed more.
const FIRST_CREDIT: usize = 256 * 1024;

/// How long a reload takes at most.
const RELOAD_WITHIN: Duration = Duration::from_secs(8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    HaProxy,
}

/// A program in the place of a reverse proxy. Drop ends it.
pub(crate) struct Between {
    kind: Kind,
    child: Child,
    home: Home,
    port: u16,
}

/// A command whose program may lie where Debian keeps daemons, which is not on every user's path.
pub(crate) fn tool(name: &str) -> Command {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(OsString::from(":/usr/local/sbin:/usr/sbin:/sbin"));
    let mut command = Command::new(name);
    command.env("PATH", path);
    command
}

impl Between {
    /// Starts it with a configuration that is made for its directory and its port, on which it listens by
    /// the time this returns.
    pub(crate) fn start(kind: Kind, config: impl Fn(&Home, u16) -> String) -> Self {
        for _ in 0..5 {
            let (home, port) = (Home::new(), free_port());
            fs::write(home.path("config"), config(&home, port)).unwrap();
            let child = kind.spawn(&home);
            let mut between = Self { kind, child, home, port };
            if between.listens_or_ends() {
                return between;
            }
            let log = between.log();
            assert!(log.contains("in use"), "{kind:?} did not start: {log}");
        }
        panic!("five free ports in a row were taken by others");
    }

    fn listens_or_ends(&mut self) -> bool {
        until("it listens or ends", || {
            if self.child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok().then_some(true)
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.path("log")).unwrap_or_default()
    }

    /// Reads its configuration anew; what is under way goes on.
    pub(crate) fn reload(&self) {
        let (before, mut asked) = (self.workers(), None::<Instant>);
        until("a new worker runs", || {
            // Once in a while one comes to nothing on a busy machine, and is asked for again.
            if asked.is_none_or(|at| at.elapsed() > RELOAD_WITHIN) {
                signal(self.child.id(), if self.kind == Kind::Nginx { "HUP" } else { "USR2" });
                asked = Some(Instant::now());
            }
            self.workers().iter().any(|worker| !before.contains(worker)).then_some(())
        });
    }

    /// The processes that carry connections.
    fn workers(&self) -> Vec<String> {
        let pid = self.child.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        children.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    }

    fn stop(&mut self) {
        signal(self.child.id(), "TERM");
        until("it ends", || self.child.try_wait().unwrap());
    }

    /// Ends it with everything it carries, and starts it on the same port.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.child = self.kind.spawn(&self.home);
        assert!(self.listens_or_ends(), "{:?} did not start again: {}", self.kind, self.log());
    }
}

impl Drop for Between {
    #[expect(clippy::print_stderr, reason = "a failed test shows what stood between")]
    fn drop(&mut self) {
        // Its workers end with it only where it is asked to end.
        let is_running = matches!(self.child.try_wait(), Ok(None));
        if thread::panicking() {
            eprintln!(
                "{:?}, running: {is_running}, workers: {:?}\n{}",
                self.kind,
                self.workers(),
                self.log()
            );
        }
        if is_running && !thread::panicking() {
            self.stop();
        } else if is_running {
            signal(self.child.id(), "TERM");
            let _ = self.child.wait();
        }
    }
}

impl Kind {
    fn spawn(self, home: &Home) -> Child {
        let (name, config) = (if self == Self::Nginx { "nginx" } else { "haproxy" }, home.path("config"));
        let log = File::options().create(true).append(true).open(home.path("log")).unwrap();
        let mut command = tool(name);
        match self {
            Self::Nginx => command.arg("-e").arg("stderr").arg("-p").arg(home.path("")).arg("-c").arg(config),
            // With a master, which a reload wants, and in the foreground.
            Self::HaProxy => command.arg("-W").arg("-db").arg("-f").arg(config),
        };
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command.spawn().unwrap_or_else(|error| panic!("{name} does not start ({error}): run scripts/setup"))
    }

    /// A configuration around `server`, or around a frontend's and a backend's own lines.
    pub(crate) fn config(self, home: &Home, inner: &str) -> String {
        let home = home.path("");
        let home = home.display();
        match self {
            Self::Nginx => format!(
                "daemon off;\nuser root;\nworker_processes 1;\npid {home}/pid;\nerror_log stderr warn;\n\
                 events {{ worker_connections 64; }}\n\
                 http {{\naccess_log off;\nclient_body_temp_path {home}/a;\nproxy_temp_path {home}/b;\n\
                 fastcgi_temp_path {home}/c;\nuwsgi_temp_path {home}/d;\nscgi_temp_path {home}/e;\n{inner}\n}}\n"
            ),
            Self::HaProxy => format!("global\nmaxconn 64\n{inner}\n"),
        }
    }
}

/// An Engine that sends back what it is sent on an upgraded stream, and says yes to everything else.
pub(crate) fn echoing() -> Engine {
    crate::edge_world::desk(|visit, head| {
        let Ok(_) = visit.body(head) else { return false };
        if head.values("upgrade").is_empty() {
            return visit.try_send(OK).is_ok();
        }
        let _ = visit.try_send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
        while let Ok(bytes) = visit.wire().some().map(<[u8]>::to_vec) {
            visit.wire().consume(bytes.len());
            if bytes.is_empty() || visit.try_send(bytes).is_err() {
                break;
            }
        }
        false
    })
}

/// A stream both ways at once through an `echoing` Engine; what was sent must come back as it was.
pub(crate) struct Echo {
    id: String,
    channel: u32,
    sent: usize,
    came: usize,
    allowed: usize,
}

impl Echo {
    /// Begins one, where `duplex-streams` and `binary-streams` were agreed on.
    pub(crate) fn begin(link: &mut Link, channel: u32) -> Self {
        let id = format!("echo-{channel}");
        let headers = json!({"Upgrade": "tcp", "User-Agent": "client"});
        link.request(
            &id,
            "POST /session",
            &json!({"headers": headers, "channel": channel, "window": 100_000}),
        );
        assert_eq!(link.about(&id)["data"]["statusCode"], 101);
        Self { id, channel, sent: 0, came: 0, allowed: FIRST_CREDIT }
    }

    /// The byte at a place of the stream: no two places within reach of each other look alike.
    fn byte(at: usize) -> u8 {
        u8::try_from((at ^ (at >> 8) ^ (at >> 16)) % 251).unwrap()
    }

    /// Carries so many bytes more, there and back.
    pub(crate) fn carry(&mut self, link: &mut Link, bytes: usize) {
        let end = self.came + bytes;
        while self.came < end {
            while self.sent < end.min(self.allowed) {
                let stop = end.min(self.allowed).min(self.sent + 60_000);
                let piece: Vec<u8> = (self.sent..stop).map(Self::byte).collect();
                link.send_binary(self.channel, &piece);
                self.sent = stop;
            }
            let piece = link.binary(self.channel);
            let is_whole = piece.iter().zip(self.came..).all(|(byte, at)| *byte == Self::byte(at));
            assert!(is_whole, "what came back at {} is not what was sent", self.came);
            self.came += piece.len();
            link.send("window", &json!({"requestId": self.id, "bytes": piece.len()}));
            while link.rest().iter().any(|message| message["type"] == "window") {
                self.allowed += usize::try_from(link.next("window")["bytes"].as_u64().unwrap()).unwrap();
            }
        }
        assert_eq!(self.came, end, "more came back than was sent");
    }

    /// Ends it in order.
    pub(crate) fn end(self, link: &mut Link) {
        link.send("stream_end", &json!({"requestId": self.id}));
        let end = link.find("its end", |kind, data| kind == "stream_end" && data["requestId"] == self.id);
        assert_eq!(end["data"]["reason"], "complete");
    }
}
