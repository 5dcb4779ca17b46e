//! An agent that knows keys with options, over TLS, and the callers who hold them.

use std::fs::{self, File, Permissions};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::agent::free_address;
use crate::caller::Caller;
use crate::docker::SOCKET;
use crate::folder::Folder;
use crate::process::run;
use crate::wait::until;

const LOOKOUT: &str = env!("CARGO_BIN_EXE_lookout");

pub(crate) struct Keyed {
    child: Child,
    address: SocketAddr,
    folder: Folder,
}

impl Keyed {
    /// With one key for each comment, and what stands before it on its line.
    pub(crate) fn start(keys: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        lookout(&["cert", "--host", "127.0.0.1", "--host", "localhost", "--out", &folder.at("server")]);
        let lines = keys.iter().map(|(comment, options)| {
            let line = lookout(&["keygen", "--comment", comment, "--out", &folder.at(comment)]);
            format!("{options} {line}")
        });
        let lines: String = lines.collect();
        let path = folder.write("authorized_keys", lines);
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a file of ours");
        let address = free_address();
        let mut agent = Self { child: spawn(&folder, address), address, folder };
        for _ in 0..10 {
            if agent.has_started() {
                return agent;
            }
            // Somebody else was quicker.
            agent.address = free_address();
            agent.child = spawn(&agent.folder, agent.address);
        }
        panic!("ten addresses were free and then were not")
    }

    /// The docker command of whoever holds the key with this comment.
    pub(crate) fn caller(&self, comment: &str) -> Caller {
        Caller::with_certificate(self.address, &self.folder, comment)
    }

    /// A path in the directory that it has to itself: its trail is `trail`, its state is `state`.
    pub(crate) fn at(&self, name: &str) -> String {
        self.folder.at(name)
    }

    /// What it logged of events by this name.
    pub(crate) fn logged(&self, event: &str) -> Vec<String> {
        let log = log_of(&self.folder);
        log.lines().filter(|line| line.contains(&format!("\"msg\":\"{event}\""))).map(str::to_owned).collect()
    }

    fn has_started(&mut self) -> bool {
        until("the agent listens or ends", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                let log = log_of(&self.folder);
                assert!(log.contains("Address already in use"), "the agent ended ({status}): {log}");
                return Some(false);
            }
            let is_ours = log_of(&self.folder).contains("server.listening");
            (is_ours && TcpStream::connect(self.address).is_ok()).then_some(true)
        })
    }
}

impl Drop for Keyed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("what the agent logged:\n{}", log_of(&self.folder));
        }
    }
}

fn spawn(folder: &Folder, address: SocketAddr) -> Child {
    let log = File::create(folder.at("log")).expect("a file for its log");
    Command::new(LOOKOUT)
        .env_clear()
        .envs([("BIND_ADDRESS", "127.0.0.1"), ("DOCKER_SOCKET", SOCKET)])
        .env("PORT", address.port().to_string())
        .env("AUDIT_LOG", folder.at("trail"))
        .env("STATE_DIR", folder.at("state"))
        .env("AUTHORIZED_KEYS", folder.at("authorized_keys"))
        .env("TLS_CERT", folder.at("server/cert.pem"))
        .env("TLS_KEY", folder.at("server/key.pem"))
        .stdin(Stdio::null())
        .stderr(log.try_clone().expect("the same file"))
        .stdout(log)
        .spawn()
        .expect("the built binary starts")
}

fn log_of(folder: &Folder) -> String {
    fs::read_to_string(folder.at("log")).unwrap_or_default()
}

fn lookout(arguments: &[&str]) -> String {
    run(Command::new(LOOKOUT).env_clear().args(arguments)).good().text()
}
