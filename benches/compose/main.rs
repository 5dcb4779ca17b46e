//! What it costs to run compose through Lookout, beside the same program run by hand, in one run.
//!
//! `cargo bench --bench compose -- --help` says what can be asked. It needs a Docker Engine with the test image
//! (`scripts/engine`) and a compose program of version 2 or later (`scripts/setup`).
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts programs and threads and looks at the clock"
)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the figures are the purpose")]
#![expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a wrong run may panic")]
#![expect(clippy::expect_used, reason = "a wrong run may panic")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

const USAGE: &str =
    "usage: cargo bench --bench compose -- [--rounds N] [--compose PROGRAM] [--lookout PROGRAM]";
const TOKEN: &str = "a-token-for-a-benchmark-and-nothing-else";
const SOCKET: &str = "/var/run/docker.sock";
const STACK: &str = "services:
  a: {image: 'lookout-test/busybox:1', command: [sleep, '3600'], stop_grace_period: 0s}
  b: {image: 'lookout-test/busybox:1', command: [sleep, '3600'], stop_grace_period: 0s}
";
/// What is run again and again: a look, and a change that changes nothing.
const OPERATIONS: [(&str, &[&str]); 2] =
    [("ps", &["ps", "--format", "json"]), ("up", &["up", "-d", "--remove-orphans"])];

struct Options {
    rounds: usize,
    compose: PathBuf,
    lookout: PathBuf,
}

fn main() -> ExitCode {
    let options = match Options::read(env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(sentence) => {
            eprintln!("{sentence}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    let yard = Yard::new(&options);
    yard.by_hand(OPERATIONS[1].1);
    yard.through("up");
    let mut taken = OPERATIONS.map(|_| (Vec::new(), Vec::new()));
    for round in 0..options.rounds {
        for ((operation, arguments), (by_hand, through)) in OPERATIONS.iter().zip(&mut taken) {
            // Neither is always the second one.
            if round % 2 == 0 {
                by_hand.push(timed(|| yard.by_hand(arguments)));
                through.push(timed(|| yard.through(operation)));
            } else {
                through.push(timed(|| yard.through(operation)));
                by_hand.push(timed(|| yard.by_hand(arguments)));
            }
        }
    }
    println!("{} rounds, medians", options.rounds);
    for ((operation, _), (by_hand, through)) in OPERATIONS.iter().zip(&mut taken) {
        let (by_hand, through) = (median(by_hand), median(through));
        let ratio = through.as_secs_f64() / by_hand.as_secs_f64();
        println!("{operation:>4}: by hand {by_hand:.1?}, through Lookout {through:.1?}, {ratio:.2} of it");
    }
    println!("Lookout afterwards: {} KiB of memory", yard.memory());
    ExitCode::SUCCESS
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self {
            rounds: 15,
            compose: ".tools/compose/docker-compose".into(),
            lookout: env!("CARGO_BIN_EXE_lookout").into(),
        };
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--help" | "-h" => return Ok(None),
                // What `cargo bench` adds itself.
                "--bench" => {}
                "--rounds" => {
                    options.rounds = value()?.parse().map_err(|_| "--rounds takes a number".to_owned())?;
                }
                "--compose" => options.compose = value()?.into(),
                "--lookout" => options.lookout = value()?.into(),
                other => return Err(format!("{other:?} is not known")),
            }
        }
        if !options.compose.exists() {
            return Err(format!("there is no {}: run scripts/setup", options.compose.display()));
        }
        Ok(Some(options))
    }
}

/// A stack, and an agent that looks after it. Drop takes both away.
struct Yard {
    home: PathBuf,
    compose: PathBuf,
    agent: Child,
    port: u16,
}

impl Yard {
    fn new(options: &Options) -> Self {
        let home = env::temp_dir().join(format!("lookout-bench-compose-{}", std::process::id()));
        let plugins = home.join(".docker/cli-plugins");
        for dir in [&plugins, &home.join("stacks/bench"), &home.join("run")] {
            fs::create_dir_all(dir).expect("a directory");
        }
        let compose = fs::canonicalize(&options.compose).expect("the program");
        symlink(&compose, plugins.join("docker-compose")).expect("a link");
        fs::write(home.join("stacks/bench/compose.yaml"), STACK).expect("a file");
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let agent = Command::new(&options.lookout)
            .env_clear()
            .envs([("TOKEN", TOKEN), ("BIND_ADDRESS", "127.0.0.1"), ("DOCKER_SOCKET", SOCKET)])
            .env("PORT", port.to_string())
            .env("STACKS_DIR", home.join("stacks"))
            .env("RUNTIME_DIR", home.join("run"))
            .env("HOME", &home)
            .stdout(Stdio::null())
            .spawn()
            .expect("Lookout starts");
        let yard = Self { home, compose, agent, port };
        let limit = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < limit, "Lookout does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        yard
    }

    fn by_hand(&self, arguments: &[&str]) {
        let stack = self.home.join("stacks/bench");
        let ended = Command::new(&self.compose)
            .env_clear()
            .env("HOME", &self.home)
            .env("DOCKER_HOST", format!("unix://{SOCKET}"))
            .args(["--project-name", "bench", "--project-directory"])
            .arg(&stack)
            .arg("-f")
            .arg(stack.join("compose.yaml"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("compose starts");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }

    fn through(&self, operation: &str) {
        let body = format!(r#"{{"operation":"{operation}","stackName":"bench"}}"#);
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        let request = format!(
            "POST /_lookout/compose HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(request.as_bytes()).expect("it is taken");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains(r#"{"success":true"#), "{answer}");
    }

    /// What the kernel says it holds.
    fn memory(&self) -> String {
        let status = fs::read_to_string(Path::new("/proc").join(self.agent.id().to_string()).join("status"));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a figure");
        line.trim().trim_end_matches(" kB").to_owned()
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        self.by_hand(&["down"]);
        let _ = self.agent.kill();
        let _ = self.agent.wait();
        let _ = fs::remove_dir_all(&self.home);
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn median(taken: &mut [Duration]) -> Duration {
    taken.sort();
    taken[taken.len() / 2]
}
