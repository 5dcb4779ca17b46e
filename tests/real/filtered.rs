//! A socket filter between the agent and the Engine, as in `examples/compose/with-filter.yml`: here HAProxy is one.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::agent::Agent;
use crate::docker::{Docker, IMAGE, SOCKET};
use crate::folder::Folder;
use crate::process::{run, terminate};
use crate::scene::Scene;
use crate::wait::until;

/// Lets through what only reads.
struct Filter {
    folder: Folder,
    child: Child,
}

impl Filter {
    fn start() -> Self {
        let folder = Folder::new();
        let config = format!(
            "defaults\n  mode http\n  timeout connect 10s\n  timeout client 120s\n  timeout server 120s\n\
             frontend filter\n  bind unix@{}\n  http-request deny deny_status 403 unless METH_GET\n  \
             default_backend engine\nbackend engine\n  server engine unix@{SOCKET}\n",
            folder.at("docker.sock")
        );
        let config = folder.write("config", config);
        let child = Command::new("haproxy")
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .args(["-db", "-f", &config])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("haproxy starts: run scripts/setup");
        let mut filter = Self { folder, child };
        until("the filter has its socket", || {
            assert!(filter.child.try_wait().unwrap().is_none(), "haproxy ended at its start");
            Path::new(&filter.socket()).exists().then_some(())
        });
        filter
    }

    fn socket(&self) -> String {
        self.folder.at("docker.sock")
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        terminate(self.child.id());
        let _ = self.child.wait();
    }
}

#[test]
fn what_a_filter_before_the_engine_refuses_nobody_gets_through_the_agent() {
    let filter = Filter::start();
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let name = scene.name("filtered");
    let create = ["create", "--name", &name, IMAGE, "true"];
    // The same token may do everything, with and without the filter.
    let behind = Agent::with(&[("DOCKER_SOCKET", &filter.socket())]);
    let told = behind.docker().run(&["version", "--format", "{{.Server.Version}}"]).good().text();
    assert_eq!(told, straight.run(&["version", "--format", "{{.Server.Version}}"]).good().text());
    let refused = behind.docker().run(&create);
    assert!(!refused.status.success() && refused.errors().contains("403"), "{}", refused.errors());
    let list = ["ps", "-aq", "--filter", &format!("name={name}")];
    assert_eq!(behind.docker().run(&list).good().text(), "");
    Agent::start().docker().run(&create).good();
    assert_eq!(behind.docker().run(&list).good().text().lines().count(), 1);
    // A filter that is gone is an Engine that does not answer.
    let health = |agent: &Agent| {
        let url = format!("http://{}/ready", agent.address());
        run(Command::new("curl").args(["-s", "-o", "/dev/null", "-w", "%{http_code}", &url])).good().text()
    };
    assert_eq!(health(&behind), "200");
    drop(filter);
    until("the agent is not ready", || (health(&behind) == "503").then_some(()));
}
