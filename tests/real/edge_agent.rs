//! The built binary in edge mode, called back by nobody: it calls a gateway, through which everything is asked.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use crate::agent::TOKEN;
use crate::docker::{Docker, SOCKET};
use crate::edge_tunnel::Tunnel;
use crate::edge_welcome::Mode;
use crate::folder::Folder;
use crate::gateway::Gateway;
use crate::wait::until;

static NEXT: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Edge {
    child: Child,
    folder: Folder,
    pub(crate) id: String,
    gateway: Gateway,
    tunnel: Arc<Tunnel>,
}

impl Edge {
    /// In front of the Engine that `Docker::straight` reaches, with settings beside the ones every agent here has.
    /// One that begins with @ is a file with what follows.
    pub(crate) fn with(mode: Mode, settings: &[(&str, &str)]) -> Self {
        let (folder, gateway) = (Folder::new(), Gateway::start(mode));
        let id = format!("real-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let log = File::create(folder.at("log")).expect("a file for its log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_lookout"));
        command
            .env_clear()
            .envs([("DRYDOCK_URL", gateway.url().as_str()), ("EDGE_PROTOCOL", "lookout")])
            .envs([("TOKEN", TOKEN), ("DOCKER_SOCKET", SOCKET), ("AGENT_ID", &id)])
            .envs([("RECONNECT_DELAY", "1"), ("MAX_RECONNECT_DELAY", "1")]);
        for (name, value) in settings {
            let value = match value.strip_prefix('@') {
                Some(text) => secret(&folder, name, text),
                None => (*value).to_owned(),
            };
            command.env(name, value);
        }
        command.stdin(Stdio::null()).stderr(log.try_clone().expect("the same file")).stdout(log);
        let child = command.spawn().expect("the built binary starts");
        let tunnel = gateway.welcome();
        Self { child, folder, id, gateway, tunnel }
    }

    /// The docker command, speaking to the gateway.
    pub(crate) fn docker(&self) -> Docker {
        Docker::at(&format!("tcp://{}", self.gateway.address()), "{}")
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    pub(crate) fn tunnel(&self) -> &Tunnel {
        &self.tunnel
    }

    /// Takes its next call, once the last connection is over.
    pub(crate) fn again(&mut self) {
        self.tunnel = self.gateway.welcome();
    }

    /// Waits until every request was answered to its end.
    pub(crate) fn until_settled(&self) {
        until("every request has its terminal reply", || (self.tunnel.under_way() == 0).then_some(()));
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.folder.read("log")).into_owned()
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let wrong = self.tunnel.wrong();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("what was wrong in the tunnel: {wrong:#?}\nwhat the agent logged:\n{}", self.log());
        } else {
            assert!(wrong.is_empty(), "the agent said what is not in the document: {wrong:#?}");
            assert!(!self.log().contains("panicked"), "something panicked inside: {}", self.log());
        }
    }
}

/// A file that only its owner reads; where it lies.
fn secret(folder: &Folder, name: &str, text: &str) -> String {
    let path = folder.write(name, text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a file of ours");
    path
}
