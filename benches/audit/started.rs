//! A Lookout with variables of its own: started on a free port, watched until healthy, stopped when dropped.
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, SMALL_BUFFER_BYTES};
use crate::configurations;
use crate::peers::Directory;
use crate::process;

/// Nothing here takes this long to start.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) struct Started {
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Started {
    /// Returns once the agent says that it is healthy. The changes come after what every measured agent has.
    pub(crate) fn new(
        changes: Vec<(&'static str, OsString)>,
        program: &Path,
        directory: &Directory,
    ) -> io::Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(program);
        command.env_clear();
        command.envs(configurations::lookout(address.port(), &directory.socket()));
        command.envs(changes);
        let said = directory.path.join(format!("agent-{}.log", address.port()));
        let output = File::create(&said)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let mut started = Self { address, child: command.spawn()? };
        started.wait_until_healthy().map_err(|error| {
            let said = fs::read_to_string(&said).unwrap_or_default();
            io::Error::other(format!("{error}; it said: {}", said.trim()))
        })?;
        Ok(started)
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

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Processor seconds so far.
    pub(crate) fn cpu_seconds(&self) -> io::Result<f64> {
        process::cpu_seconds(&[self.id()])
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
