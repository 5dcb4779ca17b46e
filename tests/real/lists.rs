//! The questions that change nothing, and the small things made and removed: volumes and networks.

use crate::agent::Agent;
use crate::both_ways::{both_ways, same};
use crate::docker::{Docker, IMAGE};
use crate::scene::Scene;
use crate::wait::until;

#[test]
fn the_engine_describes_itself_in_the_same_words() {
    let agent = Agent::start();
    let version = same(&agent, &["version"]).good().text();
    assert!(version.contains("Server:"), "{version}");
    // Counts of what other tests make at this moment are left out.
    for member in
        ["ID", "Name", "ServerVersion", "Driver", "DockerRootDir", "OperatingSystem", "NCPU", "MemTotal"]
    {
        let told = same(&agent, &["info", "--format", &format!("{{{{json .{member}}}}}")]).good().text();
        assert!(!["", "null", "\"\"", "0"].contains(&told.trim()), "{member}: {told}");
    }
    for members in ["Plugins", "RegistryConfig", "Runtimes", "SecurityOptions", "Warnings"] {
        same(&agent, &["info", "--format", &format!("{{{{json .{members}}}}}")]).good();
    }
}

#[test]
fn containers_are_listed_and_inspected_to_the_byte() {
    let agent = Agent::start();
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let (one, two) = (scene.name("one"), scene.name("two"));
    let label = format!("colour={}", scene.prefix());
    straight.run(&["run", "-d", "--label", &label, "--name", &one, IMAGE, "sleep", "1000"]).good();
    straight.run(&["create", "--label", &label, "--name", &two, IMAGE, "true"]).good();
    let filter = format!("label={label}");
    let format = "{{.ID}} {{.Names}} {{.Image}} {{.Command}} {{.State}} {{.Ports}} {{.Labels}} {{.Networks}}";
    let list = ["ps", "--all", "--no-trunc", "--filter", &filter, "--format", format];
    let listed = same(&agent, &list).good().text();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert_eq!(same(&agent, &["ps", "-q", "--filter", &filter]).good().text().lines().count(), 1);
    let inspected = same(&agent, &["inspect", &one, &two]).good().text();
    assert!(inspected.contains(&one) && inspected.contains(&two), "{inspected}");
    assert!(same(&agent, &["inspect", "--size", &two]).good().text().contains("SizeRootFs"));
    same(&agent, &["diff", &one]).good();
    same(&agent, &["port", &one]).good();
}

#[test]
fn top_shows_what_runs_inside() {
    let agent = Agent::start();
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let name = scene.name("top");
    straight.run(&["run", "-d", "--name", &name, IMAGE, "sleep", "1000"]).good();
    let told = same(&agent, &["top", &name, "-eo", "pid,comm,args"]).good().text();
    assert!(told.contains("sleep 1000"), "{told}");
    straight.run(&["kill", &name]).good();
    let stopped = same(&agent, &["top", &name]);
    assert!(stopped.errors().contains("is not running"), "{}", stopped.errors());
}

#[test]
fn stats_come_once_or_again_and_again() {
    let agent = Agent::start();
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let name = scene.name("stats");
    straight.run(&["run", "-d", "--name", &name, IMAGE, "sleep", "1000"]).good();
    let format = ["--format", "{{.Name}} {{.ID}} {{.PIDs}}"];
    let once = same(&agent, &[&["stats", "--no-stream", &name], &format[..]].concat()).good().text();
    assert!(once.starts_with(&name) && once.ends_with(" 1\n"), "{once}");
    let mut running = agent.docker().start(&[&["stats", &name], &format[..]].concat());
    until("the figures came three times", || (running.so_far().matches(&name).count() >= 3).then_some(()));
    assert!(!running.has_ended(), "figures come until one has seen enough");
    running.kill();
}

#[test]
fn what_does_not_exist_is_refused_in_the_same_words() {
    let agent = Agent::start();
    let unknown = "lookout-real-no-such-thing";
    for arguments in [
        &["inspect", unknown][..],
        &["start", unknown],
        &["stop", unknown],
        &["kill", unknown],
        &["rm", unknown],
        &["rename", unknown, "other"],
        &["wait", unknown],
        &["top", unknown],
        &["diff", unknown],
        &["port", unknown],
        &["pause", unknown],
        &["update", "--cpus", "1", unknown],
        &["stats", "--no-stream", unknown],
        &["volume", "rm", unknown],
        &["volume", "inspect", unknown],
        &["network", "rm", unknown],
        &["network", "connect", unknown, unknown],
        &["plugin", "inspect", unknown],
        &["swarm", "leave"],
    ] {
        let outcome = same(&agent, arguments);
        assert!(!outcome.status.success(), "{arguments:?}: {}", outcome.text());
        assert!(!outcome.errors().is_empty(), "{arguments:?} says why");
    }
}

#[test]
fn volumes_are_made_used_and_removed() {
    both_ways(|side| {
        let (volume, name) = (side.name("volume"), side.name("user"));
        side.docker(&["volume", "create", "--label", "colour=blue", &volume]).good();
        let mount = format!("{volume}:/data");
        side.docker(&["run", "--rm", "-v", &mount, IMAGE, "sh", "-c", "echo kept > /data/file"]).good();
        let read = side.docker(&["run", "--name", &name, "-v", &mount, IMAGE, "cat", "/data/file"]).good();
        assert_eq!(read.text(), "kept\n");
        side.docker(&["volume", "inspect", &volume]).good();
        side.docker(&["volume", "ls", "--filter", &format!("name={volume}")]).good();
        let used = side.docker(&["volume", "rm", &volume]);
        assert!(used.errors().contains("in use"), "{}", used.errors());
        side.docker(&["rm", &name]).good();
        side.docker(&["volume", "rm", &volume]).good();
    });
}

#[test]
fn networks_are_made_joined_and_removed() {
    both_ways(|side| {
        let (network, name) = (side.name("network"), side.name("host"));
        let says = "until [ -e /tmp/go ]; do sleep 0.1; done; echo reached | nc -l -p 4000";
        side.docker(&["network", "create", "--label", "colour=blue", &network]).good();
        side.docker(&["run", "-d", "--name", &name, IMAGE, "sh", "-c", says]).good();
        side.docker(&["network", "connect", "--alias", "friend", &network, &name]).good();
        side.docker(&["exec", &name, "touch", "/tmp/go"]).good();
        // Two containers find each other by name: the network is real.
        let asks = "until nc friend 4000 </dev/null; do sleep 0.1; done";
        let run = ["run", "--rm", "--network", &network, IMAGE, "timeout", "60", "sh", "-c", asks];
        assert_eq!(side.docker(&run).good().text(), "reached\n");
        let format = "{{.Name}} {{.Driver}} {{json .Labels}}";
        side.docker(&["network", "inspect", "--format", format, &network]).good();
        side.docker(&["network", "ls", "--filter", &format!("name={network}")]).good();
        side.docker(&["network", "disconnect", &network, &name]);
        side.docker(&["network", "rm", &network]).good();
        side.docker(&["network", "rm", &network]);
    });
}
