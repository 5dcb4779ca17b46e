//! Lookout with the limits that are compared: started, watched until healthy, stopped.
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use ed25519_dalek::SigningKey;

use crate::client::{Client, SMALL_BUFFER_BYTES};
use crate::configurations;
use crate::peers::Directory;
use crate::process;
use crate::signer::Signer;

/// Nothing here takes this long to start.
const PATIENCE: Duration = Duration::from_secs(15);
/// More signatures than a run makes within the time they are remembered.
const NONCES: &str = "10000000";

/// Whom an agent lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lets {
    /// A token with these classes.
    Token(&'static str),
    /// The keys below.
    Keys,
}

/// A key, by what stands before it on its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) &'static str);

/// A label alone is something only a key is limited by.
pub(crate) const KEYS: [Key; 3] = [
    Key("allow=\"all\""),
    Key("allow=\"view\",label=\"team=web\""),
    Key("allow=\"view,dump\",label=\"team=web\""),
];

impl Key {
    pub(crate) fn signer(self) -> Signer {
        Signer::new(&self.seed())
    }

    /// Keys of a run are nobody's secrets.
    fn seed(self) -> [u8; 32] {
        let place = KEYS.iter().position(|key| *key == self).unwrap_or(KEYS.len());
        [place as u8 + 1; 32]
    }

    fn line(self) -> String {
        let public = SigningKey::from_bytes(&self.seed()).verifying_key();
        format!("{} ed25519 {} measured\n", self.0, BASE64.encode(public.as_bytes()))
    }
}

/// A running agent, stopped when dropped.
pub(crate) struct Agent {
    pub(crate) lets: Lets,
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Agent {
    /// Starts an agent on a free port and returns once it says that it is healthy.
    pub(crate) fn start(lets: Lets, program: &Path, directory: &Directory) -> io::Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(program);
        command.env_clear();
        command.envs(configurations::lookout(address.port(), &directory.socket()));
        match lets {
            Lets::Token(classes) => {
                command.env("TOKEN_ALLOW", classes);
            }
            Lets::Keys => {
                let keys = write_keys(directory)?;
                command.env("TOKEN", "").env("AUTHORIZED_KEYS", keys).env("NONCE_LRU_SIZE", NONCES);
            }
        }
        let said = directory.path.join(format!("agent-{}.log", address.port()));
        let output = File::create(&said)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let mut agent = Self { lets, address, child: command.spawn()? };
        agent.wait_until_healthy().map_err(|error| {
            let said = fs::read_to_string(&said).unwrap_or_default();
            io::Error::other(format!("an agent for {lets:?} {error}; it said: {}", said.trim()))
        })?;
        Ok(agent)
    }

    fn wait_until_healthy(&mut self) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        let request = b"GET /health HTTP/1.1\r\nHost: docker.example\r\nConnection: close\r\n\r\n";
        loop {
            let status = Client::connect(self.address, SMALL_BUFFER_BYTES).and_then(|mut client| {
                client.send(request)?;
                client.receive(|_| ())
            });
            if matches!(status, Ok(200)) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("ended with {status}")));
            }
            if Instant::now() > until {
                return Err(io::Error::other(format!("did not become healthy: {status:?}")));
            }
            thread::yield_now();
        }
    }

    /// Processor seconds so far.
    pub(crate) fn cpu_seconds(&self) -> io::Result<f64> {
        process::cpu_seconds(&[self.child.id()])
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_keys(directory: &Directory) -> io::Result<PathBuf> {
    let path = directory.path.join("authorized_keys");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    for key in KEYS {
        file.write_all(key.line().as_bytes())?;
    }
    Ok(path)
}
