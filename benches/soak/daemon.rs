//! The fake Engine, a process of its own so that it can be killed, begun anew and held up: what it answers is checked by whoever asked.
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::agent::signal;
use crate::chance::pattern;
use crate::message::{Head, Wire};
use crate::scenery;

/// Between two lines of a followed log.
const LINE_EVERY: Duration = Duration::from_millis(250);

const UPGRADED: &str = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\
                        Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

/// A running Engine. Whoever started it takes it along, however it ends.
pub(crate) struct Daemon(Child);

impl Daemon {
    pub(crate) fn start(socket: &Path) -> io::Result<Self> {
        let own = std::env::current_exe()?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(own).arg("--engine").arg(socket);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            io::BufRead::read_line(&mut io::BufReader::new(output), &mut line)?;
        }
        if line.trim() == "ready" { Ok(Self(child)) } else { Err(io::Error::other("no fake Engine")) }
    }

    /// Gone without a word.
    pub(crate) fn kill(mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    pub(crate) fn pause(&self) {
        signal(self.0.id(), "STOP");
    }

    pub(crate) fn go_on(&self) {
        signal(self.0.id(), "CONT");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves until it is killed.
pub(crate) fn serve(socket: &Path) -> io::Result<()> {
    let _ = fs::remove_file(socket);
    let listener = UnixListener::bind(socket)?;
    println!("ready");
    for stream in listener.incoming() {
        let stream = stream?;
        thread::Builder::new().stack_size(256 * 1024).spawn(move || {
            // Whoever leaves in the middle does no harm here.
            let _ = Visit::new(stream).and_then(|mut visit| visit.serve());
        })?;
    }
    Ok(())
}

struct Visit {
    wire: Wire<UnixStream>,
    out: UnixStream,
}

/// Whether the connection can take another request.
type Next = io::Result<bool>;

impl Visit {
    fn new(stream: UnixStream) -> io::Result<Self> {
        let out = stream.try_clone()?;
        Ok(Self { wire: Wire::new(stream), out })
    }

    fn serve(&mut self) -> io::Result<()> {
        while let Ok(head) = self.wire.head() {
            if !self.answer(&head)? {
                break;
            }
        }
        Ok(())
    }

    fn answer(&mut self, head: &Head) -> Next {
        let target = head.target().to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let parts: Vec<_> = path.split('/').skip(1).filter(|part| !part.starts_with("v1.")).collect();
        let method = head.start.split(' ').next().unwrap_or_default();
        if let ("PUT", ["containers", _, "archive"]) = (method, parts.as_slice()) {
            return self.take(head);
        }
        self.wire.body(head.length()).map_err(|_| ErrorKind::UnexpectedEof)?;
        match (method, parts.as_slice()) {
            ("HEAD", ["_ping"]) => self.whole(200, ""),
            (_, ["_ping"]) => self.whole(200, "OK"),
            (_, ["version"]) => self.whole(
                200,
                r#"{"Version":"27.3.1","ApiVersion":"1.47","MinAPIVersion":"1.24","Os":"linux","Arch":"amd64"}"#,
            ),
            (_, ["info"]) => self.whole(200, "{}"),
            (_, ["images", "json"]) => {
                self.whole(200, &scenery::answer(number(query, "soak").unwrap_or_default()))
            }
            (_, ["images", _, "json"]) => self.whole(200, scenery::IMAGE),
            ("GET", ["events"]) => self.events(query),
            (_, ["containers", "json"]) => self.whole(200, &scenery::list()),
            (_, ["containers", id, "json"]) => match scenery::inspection(id) {
                Some(found) => self.whole(200, &found),
                None => self.whole(404, r#"{"message":"No such container"}"#),
            },
            (_, ["containers", _, "stats"]) => self.whole(200, scenery::STATISTICS),
            (_, ["containers", _, "logs"]) => self.logs(),
            ("GET", ["containers", _, "archive"]) => self.give(query),
            (_, ["containers", _, "exec"]) => {
                static NEXT: AtomicU64 = AtomicU64::new(1);
                let id = format!("{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
                self.whole(201, &json!({ "Id": id }).to_string())
            }
            (_, ["exec", _, "start"]) => self.echo(),
            (_, ["exec", id, "json"]) => {
                let told = json!({"ID": id, "ContainerID": "steady", "Running": false, "ExitCode": 0});
                self.whole(200, &told.to_string())
            }
            (_, ["exec", _, "resize"]) => self.whole(200, ""),
            _ => self.whole(404, r#"{"message":"page not found"}"#),
        }
    }

    fn whole(&mut self, status: u16, body: &str) -> Next {
        let fields = "Api-Version: 1.47\r\nOstype: linux\r\nContent-Type: application/json";
        let head =
            format!("HTTP/1.1 {status} As Asked\r\n{fields}\r\nContent-Length: {}\r\n\r\n", body.len());
        self.out.write_all((head + body).as_bytes())?;
        Ok(true)
    }

    fn begin_chunks(&mut self) -> io::Result<()> {
        self.out.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    }

    fn chunk(&mut self, data: &[u8]) -> io::Result<()> {
        let chunk = [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat();
        self.out.write_all(&chunk)
    }

    /// Framed as of standard output, each line the number of the one before it and one.
    fn logs(&mut self) -> Next {
        self.begin_chunks()?;
        for line in 0_u64.. {
            let text = format!("{line}\n");
            let frame = [&[1, 0, 0, 0, 0, 0, 0, text.len() as u8], text.as_bytes()].concat();
            self.chunk(&frame)?;
            thread::sleep(LINE_EVERY);
        }
        Ok(false)
    }

    fn events(&mut self, query: &str) -> Next {
        self.begin_chunks()?;
        let since = query.split('&').find_map(|pair| pair.strip_prefix("since=")).and_then(nanos);
        let since = since.unwrap_or_else(|| scenery::now().as_nanos());
        let mut next = (since / scenery::SLOT.as_nanos()) as u64;
        loop {
            let begins = scenery::SLOT * u32::try_from(next).expect("a slot of this century");
            thread::sleep(begins.saturating_sub(scenery::now()));
            for (at, event) in scenery::events(next) {
                if at >= since {
                    self.chunk(format!("{event}\n").as_bytes())?;
                }
            }
            next += 1;
        }
    }

    fn give(&mut self, query: &str) -> Next {
        let (seed, bytes) =
            (number(query, "seed").unwrap_or_default(), number(query, "bytes").unwrap_or_default());
        let is_chunked = number(query, "chunked") == Some(1);
        if is_chunked {
            self.begin_chunks()?;
        } else {
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: application/x-tar\r\nContent-Length: {bytes}\r\n");
            self.out.write_all((head + "\r\n").as_bytes())?;
        }
        let mut block = vec![0; 32 * 1024];
        let mut at = 0;
        while at < bytes {
            let count = block.len().min((bytes - at) as usize);
            pattern(seed, at, &mut block[..count]);
            if is_chunked {
                self.chunk(&block[..count])?
            } else {
                self.out.write_all(&block[..count])?
            }
            at += count as u64;
        }
        if is_chunked {
            self.chunk(b"")?;
        }
        Ok(true)
    }

    fn take(&mut self, head: &Head) -> Next {
        let (mut digest, mut bytes) = (Sha256::new(), 0);
        let poured = self.wire.pour(head.length(), &mut |piece| {
            digest.update(piece);
            bytes += piece.len();
        });
        poured.map_err(|_| ErrorKind::UnexpectedEof)?;
        let told = json!({"sha256": data_encoding::HEXLOWER.encode(&digest.finalize()), "bytes": bytes});
        self.whole(200, &told.to_string())
    }

    /// Gives back what it gets, and ends when its input does.
    fn echo(&mut self) -> Next {
        self.out.write_all(UPGRADED.as_bytes())?;
        loop {
            let bytes = self.wire.some()?.to_vec();
            if bytes.is_empty() {
                self.out.shutdown(Shutdown::Write)?;
                return Ok(false);
            }
            self.wire.consume(bytes.len());
            self.out.write_all(&bytes)?;
        }
    }
}

fn number(query: &str, name: &str) -> Option<u64> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

/// `seconds.nanoseconds`, as `since` has it.
fn nanos(since: &str) -> Option<u128> {
    let (secs, rest) = since.split_once('.').unwrap_or((since, "0"));
    Some(secs.parse::<u128>().ok()? * 1_000_000_000 + rest.parse::<u128>().ok()?)
}
