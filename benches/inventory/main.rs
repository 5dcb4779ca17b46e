//! What the inventory, its feeds and a scrape cost: many containers, many followers, one program.
//!
//! `cargo bench --bench inventory` runs it against the release build. Everything is measured on loopback, beside a
//! figure of the same run.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts programs and threads and looks at the clock"
)]
#![expect(clippy::print_stdout, reason = "the figures are the purpose")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a wrong run may panic"
)]

mod engine;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use engine::{Fleet, STATISTICS};

const TOKEN: &str = "benchmark-token-0123456789abcdef";
const CONTAINERS: usize = 1000;
const SCRAPED: usize = 100;
const FOLLOWERS: usize = 200;
const ROUNDS: usize = 21;
/// How long anything may take before the run is called off.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> io::Result<()> {
    inventory()?;
    let one = fan_out(1)?;
    let all = fan_out(FOLLOWERS)?;
    println!(
        "event to the last of {FOLLOWERS} followers: {} (target 50 ms); to one: {}",
        millis(all),
        millis(one)
    );
    scrape()
}

fn inventory() -> io::Result<()> {
    let agent = Agent::start(CONTAINERS, "drydock")?;
    agent.get("/_ping")?;
    let before = agent.resident()?;
    let begun = Instant::now();
    let told = agent.get("/api/containers")?;
    let built = begun.elapsed();
    let inspections = agent.fleet.inspections.load(Ordering::SeqCst);
    let mut feed = agent.follow("/api/events")?;
    feed.until("dd:watcher-snapshot")?;
    let grown = agent.resident()?.saturating_sub(before);
    println!(
        "{CONTAINERS} containers: {inspections} inspections, {} to the first list of {} KB; memory grew by {:.1} MiB (target 16)",
        millis(built),
        told.len() / 1000,
        grown as f64 / 1024.0
    );
    agent.fleet.change(500)?;
    let begun = Instant::now();
    feed.until("dd:container-updated")?;
    let heard = begun.elapsed();
    let more = agent.fleet.inspections.load(Ordering::SeqCst) - inspections;
    println!("one change: {more} inspection (target 1), told after {}", millis(heard));
    Ok(())
}

/// The median time from an event to the last of some followers.
fn fan_out(followers: usize) -> io::Result<Duration> {
    let agent = Agent::start(1, "generic")?;
    let (heard, ears) = mpsc::channel();
    for _ in 0..followers {
        let (mut feed, heard) = (agent.follow("/api/v1/events")?, heard.clone());
        thread::spawn(move || {
            while feed.until("\"restart\"").is_ok() {
                let _ = heard.send(Instant::now());
            }
        });
    }
    agent.get("/api/v1/containers")?;
    // An event that everyone hears shows that everyone follows.
    let mut times = Vec::new();
    for _ in 0..=ROUNDS {
        thread::sleep(Duration::from_millis(150));
        let begun = Instant::now();
        agent.fleet.change(0)?;
        let mut last = begun;
        for _ in 0..followers {
            last = last.max(ears.recv_timeout(PATIENCE).map_err(io::Error::other)?);
        }
        times.push(last.duration_since(begun));
    }
    let mut times = times.split_off(1);
    times.sort();
    Ok(times[times.len() / 2])
}

fn scrape() -> io::Result<()> {
    let agent = Agent::start(SCRAPED, "drydock")?;
    agent.get("/metrics")?;
    let mut times = Vec::new();
    for _ in 0..5 {
        // What was fetched serves whoever asks within a second.
        thread::sleep(Duration::from_millis(1200));
        let begun = Instant::now();
        let page = agent.get("/metrics")?;
        times.push(begun.elapsed());
        let measured = page.matches("\ncontainer_cpu_usage_seconds_total{").count();
        assert_eq!(measured, SCRAPED, "every container is measured");
    }
    times.sort();
    let (median, eight) = (times[times.len() / 2], STATISTICS * 8);
    let share = median.as_secs_f64() / eight.as_secs_f64();
    println!(
        "a scrape of {SCRAPED} containers: {} = {share:.2} of eight answers in sequence (target 1.5)",
        millis(median)
    );
    Ok(())
}

fn millis(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1000.0)
}

struct Agent {
    fleet: Arc<Fleet>,
    child: Child,
    port: u16,
    place: PathBuf,
}

impl Agent {
    fn start(containers: usize, adapter: &str) -> io::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let place = env::temp_dir().join(format!("lookout-bench-{}-{port}", std::process::id()));
        fs::create_dir(&place)?;
        let socket = place.join("docker.sock");
        let fleet = Fleet::start(containers, &socket)?;
        let child = Command::new(env!("CARGO_BIN_EXE_lookout"))
            .env_clear()
            .envs([
                ("TOKEN", TOKEN),
                ("BIND_ADDRESS", "127.0.0.1"),
                ("ADAPTER", adapter),
                ("LOG_LEVEL", "error"),
            ])
            .env("PORT", port.to_string())
            .env("DOCKER_SOCKET", &socket)
            .stdout(Stdio::null())
            .spawn()?;
        let agent = Self { fleet, child, port, place };
        let begun = Instant::now();
        while agent.get("/health").is_err() {
            if begun.elapsed() > PATIENCE {
                return Err(io::Error::other("the agent does not answer"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(agent)
    }

    fn ask(&self, path: &str, after: &str) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n{after}\r\n");
        stream.write_all(head.as_bytes())?;
        Ok(stream)
    }

    fn get(&self, path: &str) -> io::Result<String> {
        let mut told = String::new();
        self.ask(path, "Connection: close\r\n")?.read_to_string(&mut told)?;
        if told.starts_with("HTTP/1.1 200") { Ok(told) } else { Err(io::Error::other(told)) }
    }

    fn follow(&self, path: &str) -> io::Result<Feed> {
        Ok(Feed(BufReader::new(self.ask(path, "")?)))
    }

    /// KiB the program holds.
    fn resident(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("");
        line.trim().trim_end_matches(" kB").parse().map_err(io::Error::other)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.place);
    }
}

struct Feed(BufReader<TcpStream>);

impl Feed {
    fn until(&mut self, part: &str) -> io::Result<()> {
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            if self.0.read_line(&mut line)? == 0 {
                return Err(io::Error::other(format!("the feed ended before {part}")));
            }
        }
        Ok(())
    }
}
