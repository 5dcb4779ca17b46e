//! The stack for a swarm, deployed as it is but for the image's name, on a swarm of one node: an Engine of the test's
//! own, in a network of its own.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::boxed;
use crate::docker::Docker;
use crate::folder::Folder;
use crate::process::run;
use crate::second_engine::SecondEngine;
use crate::wait::until;

/// Runs a program where the Engine has its network and its mounts.
fn inside(engine: &str, program: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--target", engine, "--net", "--mount", "--"]).args(program);
    command
}

#[test]
fn the_stack_runs_an_agent_on_the_node_that_answers_whoever_holds_the_key() {
    let mut engine = SecondEngine::new();
    engine.start();
    let socket = engine.socket();
    let docker = Docker::at(&format!("unix://{socket}"), "{}");
    let process = fs::read_to_string(Path::new(&socket).with_file_name("pid")).expect("the Engine's number");
    let process = process.trim();

    // The loopback of its network is down until somebody says otherwise, and the stack names the usual socket.
    run(&mut inside(process, &["ip", "link", "set", "lo", "up"])).good();
    run(&mut inside(process, &["mount", "--bind", &socket, crate::docker::SOCKET])).good();
    docker.run(&["swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:2377"]).good();
    let image = "lookout-test/boxed:1";
    boxed::build(&docker, image, "");

    let folder = Folder::new();
    folder.write("stack.yml", boxed::example("examples/swarm/stack.yml", image));
    let prepare = "lookout cert --host localhost --out server; lookout keygen --comment me --out me; \
                   cp me/authorized_key authorized_keys";
    let programs = Path::new(env!("CARGO_BIN_EXE_lookout")).parent().expect("a directory");
    let path = format!("{}:/usr/bin:/bin", programs.display());
    run(Command::new("bash").args(["-euc", prepare]).current_dir(folder.path()).env("PATH", path)).good();

    let group = run(Command::new("stat").args(["--format", "%g", &socket])).good().text();
    let file = folder.at("stack.yml");
    let deploy = ["stack", "deploy", "--resolve-image", "never", "--compose-file", &file, "web"];
    run(docker.command(&deploy).env("DOCKER_GID", group.trim())).good();
    let id = until("its container is healthy", || {
        let told = docker.run(&["ps", "--quiet", "--filter", "health=healthy"]).good().text();
        let failed =
            docker.run(&["service", "ps", "web_lookout", "--no-trunc", "--format", "{{.Error}}"]).text();
        assert!(failed.trim().is_empty(), "{failed}");
        told.lines().next().map(str::to_owned)
    });
    let mode = ["service", "inspect", "web_lookout", "--format", "{{if .Spec.Mode.Global}}global{{end}}"];
    assert_eq!(docker.run(&mode).good().text().trim(), "global");
    let limits = "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.Config.User}}";
    let limits = docker.run(&["inspect", "--format", limits, &id]).good().text();
    assert_eq!(limits.trim(), format!("true [ALL] 65532:{}", group.trim()));

    // Asked where the node's ports are. It is this Engine that answers: the node is a manager, and runs the agent.
    let place = |name: &str| folder.at(name);
    let (ca, cert, key) = (place("server/cert.pem"), place("me/cert.pem"), place("me/key.pem"));
    let host = ["docker", "-H", "tcp://localhost:3000", "--tlsverify", "--tlscacert", &ca];
    let host = [&host[..], &["--tlscert", &cert, "--tlskey", &key]].concat();
    let state = ["info", "--format", "{{.Swarm.LocalNodeState}} {{.ContainersRunning}}"];
    let told = run(inside(process, &[&host[..], &state].concat()).env("HOME", place("home"))).good();
    assert_eq!(told.text().trim(), "active 1");
    let stranger = [
        "curl",
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "--cacert",
        &ca,
        "https://localhost:3000/info",
    ];
    assert_eq!(run(&mut inside(process, &stranger)).good().text(), "401");
    let log = docker.run(&["logs", &id]).good().text();
    let name =
        docker.run(&["node", "inspect", "self", "--format", "{{.Description.Hostname}}"]).good().text();
    assert!(log.contains(r#""event":"api_request""#), "{log}");
    let info = [&["exec"], &[&*id, "/lookout", "config", "--explain"][..]].concat();
    assert!(docker.run(&info).good().text().contains(name.trim()), "the agent has its node's name");

    docker.run(&["stack", "rm", "web"]).good();
    until("nothing of it runs", || docker.run(&["ps", "--quiet"]).good().text().is_empty().then_some(()));
    docker.run(&["swarm", "leave", "--force"]).good();
}
