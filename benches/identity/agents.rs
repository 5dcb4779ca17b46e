//! Lookout under each of the configurations that are compared: started, watched until healthy, stopped.
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use crate::configurations;
use crate::connection::Connection;
use crate::material::Material;
use crate::peers::Directory;
use crate::process;
use crate::signer::AGENT_ID;

/// Nothing here takes this long to start.
const PATIENCE: Duration = Duration::from_secs(15);
/// More signatures than a run makes within the time they are remembered.
const NONCES: &str = "10000000";

/// What an agent asks of its callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    Nothing,
    Token,
    HashedToken,
    /// Lets proxies say who the client is, so that one connection can speak for many.
    TokenBehindProxy,
    Signature,
    /// Within TLS: a certificate, or else a token.
    Certificate,
}

impl Asks {
    /// The variables that differ from an agent that asks for a token.
    fn changes(self, material: &Material) -> Vec<(&'static str, String)> {
        let text = |text: &str| text.to_owned();
        let shown = |path: &Path| path.display().to_string();
        match self {
            Self::Nothing => vec![
                ("TOKEN", String::new()),
                ("ALLOW_UNAUTHENTICATED", text("true")),
                ("LOOKOUT_ENV", text("Development")),
            ],
            Self::Token => Vec::new(),
            Self::HashedToken => vec![("TOKEN", String::new()), ("TOKEN_HASH", material.hash.clone())],
            Self::TokenBehindProxy => vec![("TRUSTED_PROXIES", text("127.0.0.1"))],
            Self::Signature => vec![
                ("TOKEN", String::new()),
                ("AUTHORIZED_KEYS", shown(&material.authorized_keys())),
                ("AGENT_ID", text(AGENT_ID)),
                ("NONCE_LRU_SIZE", text(NONCES)),
            ],
            Self::Certificate => vec![
                ("AUTHORIZED_KEYS", shown(&material.authorized_keys())),
                ("TLS_CERT", shown(&material.server_certificate())),
                ("TLS_KEY", shown(&material.server_key())),
            ],
        }
    }
}

/// A running agent, stopped when dropped.
pub(crate) struct Agent {
    pub(crate) asks: Asks,
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Agent {
    /// Starts an agent on a free port and returns once it says that it is healthy.
    pub(crate) fn start(
        asks: Asks,
        program: &Path,
        material: &Material,
        directory: &Directory,
    ) -> io::Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(program);
        command.env_clear();
        command.envs(configurations::lookout(address.port(), &directory.socket()));
        command.envs(asks.changes(material));
        let said = directory.path.join(format!("agent-{}.log", address.port()));
        let output = File::create(&said)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let mut agent = Self { asks, address, child: command.spawn()? };
        let tls = (asks == Asks::Certificate).then(|| material.tls(false)).transpose()?;
        agent.wait_until_healthy(tls.as_ref()).map_err(|error| {
            let said = fs::read_to_string(&said).unwrap_or_default();
            io::Error::other(format!("an agent that asks for {asks:?} {error}; it said: {}", said.trim()))
        })?;
        Ok(agent)
    }

    fn wait_until_healthy(&mut self, tls: Option<&Arc<ClientConfig>>) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        let request = b"GET /health HTTP/1.1\r\nHost: docker.example\r\nConnection: close\r\n\r\n";
        loop {
            let status = Connection::open(self.address, tls)
                .and_then(|mut connection| connection.exchange(request).map(|answer| answer.status));
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

    /// The most MiB that were resident so far.
    pub(crate) fn peak_mebibytes(&self) -> io::Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        text.lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok())
            .map(|kibibytes| kibibytes / 1024.0)
            .ok_or_else(|| io::Error::other("the kernel does not tell VmHWM"))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
