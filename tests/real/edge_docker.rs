//! The unmodified docker command through the tunnel: questions, whole lives, and what takes long.

use crate::docker::IMAGE;
use crate::edge_welcome::Mode;
use crate::edge_world::World;
use crate::wait::until;

const MODES: [Mode; 3] = [Mode::Plain, Mode::Duplex, Mode::Binary];

#[test]
fn questions_are_answered_to_the_byte_whatever_was_agreed_on() {
    for mode in MODES {
        let world = World::new(mode);
        let name = world.container("asked", "echo out; echo err >&2; exec sleep 1000");
        assert!(world.same(&["version"]).contains("Engine"));
        let filter = format!("name={name}");
        assert!(
            world.same(&["ps", "--filter", &filter, "--format", "{{.Names}} {{.State}}"]).contains(&name)
        );
        assert!(world.same(&["inspect", &name]).contains(&name));
        assert!(world.same(&["image", "inspect", IMAGE]).contains(IMAGE));
        // The answer of the Engine is null.
        assert!(world.same(&["diff", &name]).is_empty());
        assert_eq!(world.same(&["logs", &name]), "out\n");
        assert!(world.docker.run(&["top", &name]).good().text().contains("sleep 1000"));
        world.same(&["logs", &world.scene.name("nobody")]);
        world.same(&["inspect", &world.scene.name("nobody")]);
        let stats = ["stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", &name];
        assert_eq!(world.docker.run(&stats).good().text(), format!("{name} 1\n"));
        world.edge.until_settled();
    }
}

#[test]
fn a_container_lives_its_whole_life_whatever_was_agreed_on() {
    for mode in MODES {
        let world = World::new(mode);
        let (name, other) = (world.scene.name("lives"), world.scene.name("renamed"));
        let says = "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done";
        let docker = |arguments: &[&str]| world.docker.run(arguments).good().text();
        docker(&["create", "--name", &name, IMAGE, "sh", "-c", says]);
        docker(&["start", &name]);
        docker(&["rename", &name, &other]);
        docker(&["pause", &other]);
        docker(&["unpause", &other]);
        let mut logs = world.docker.start(&["logs", "-f", &other]);
        logs.until_it_says("up\n");
        docker(&["stop", "-t", "60", &other]);
        assert_eq!(docker(&["wait", &other]), "3\n");
        assert_eq!(logs.finish().good().text(), "up\n");
        docker(&["rm", &other]);
        assert_eq!(world.docker.run(&["inspect", &other]).code(), Some(1));
        world.edge.until_settled();
    }
}

#[test]
fn a_controller_that_agreed_on_nothing_carries_no_upgrades_and_nothing_large() {
    let world = World::new(Mode::Plain);
    let name = world.container("plain", "head -c 16000000 /dev/zero > /var/opt/big; echo made; sleep 1000");
    until("the file is made", || world.straight.run(&["logs", &name]).text().contains("made").then_some(()));
    let refused = world.docker.run(&["exec", &name, "true"]);
    assert!(!refused.status.success() && refused.errors().contains("received 501"), "{}", refused.errors());
    let refused = world.docker.run(&["cp", &format!("{name}:/var/opt/big"), "-"]);
    assert!(refused.errors().contains("response-too-large: "), "{}", refused.errors());
    // What fits is whole, whatever it holds.
    let copied = ["cp", &format!("{name}:/bin/busybox"), "-"];
    assert!(world.straight.run(&copied).stdout == world.docker.run(&copied).good().stdout);
    world.edge.until_settled();
}

#[test]
fn what_takes_longer_than_the_timeout_is_waited_for() {
    // The least that lets an Engine under load start a container, and clearly more.
    let world = World::with(Mode::Binary, &[("REQUEST_TIMEOUT", "5")]);
    let waited = world.container("waited", "sleep 8; exit 4");
    let host = world.container("host", "exec sleep 1000");
    let (silent, says) = (world.scene.name("silent"), "sleep 8; echo at last; exit 5");
    let all = [
        world.docker.start(&["wait", &waited]),
        world.docker.start(&["exec", &host, "sh", "-c", says]),
        world.docker.start(&["run", "--rm", "--name", &silent, IMAGE, "sh", "-c", says]),
    ];
    let [wait, exec, run] = all.map(|running| {
        let outcome = running.finish();
        (outcome.code(), outcome.text(), outcome.errors())
    });
    assert_eq!(wait, (Some(0), "4\n".to_owned(), String::new()));
    assert_eq!(exec, (Some(5), "at last\n".to_owned(), String::new()));
    assert_eq!(run, exec);
}

#[test]
fn events_are_told_as_they_happen_and_end_with_their_reader() {
    for mode in MODES {
        let world = World::new(mode);
        let filter = format!("container={}", world.scene.name("eventful"));
        let events = world.docker.start(&["events", "--filter", &filter]);
        // The command says nothing before the first event, so that it is made to happen until it is told.
        until("an event is told", || {
            let name = world.container("eventful", "true");
            world.straight.run(&["rm", "-f", &name]).good();
            events.so_far().contains("container destroy").then_some(())
        });
        events.kill();
        // The agent was told that its reader has left, and said so itself.
        world.edge.until_settled();
    }
}

#[test]
fn followed_logs_end_with_their_reader() {
    for mode in MODES {
        let world = World::new(mode);
        let name = world.container("chatty", "while :; do echo line; sleep 0.1; done");
        let mut logs = world.docker.start(&["logs", "-f", &name]);
        logs.until_it_says("line\nline\n");
        assert_eq!(world.edge.tunnel().under_way(), 1);
        logs.kill();
        world.edge.until_settled();
    }
}

#[test]
fn a_connection_that_breaks_ends_its_commands_and_the_next_one_serves_new_ones() {
    let mut world = World::new(Mode::Binary);
    let name = world.container("chatty", "while :; do echo line; sleep 0.1; done");
    let mut logs = world.docker.start(&["logs", "-f", &name]);
    let mut shell = world.docker.start(&["exec", "-i", &name, "cat"]);
    shell.type_in("typed\n");
    shell.until_it_says("typed\n");
    logs.until_it_says("line\n");
    world.edge.tunnel().cut();
    assert_ne!(logs.finish_by_itself().code(), None, "it ends by itself");
    assert_ne!(shell.finish_by_itself().code(), None, "it ends by itself");
    world.edge.again();
    assert_eq!(world.docker.run(&["exec", &name, "echo", "again"]).good().text(), "again\n");
    assert!(world.edge.log().contains("\"edge.lost\""), "{}", world.edge.log());
    // What ran in the container for the old connection was let go: its input ended.
    until("only the container's own program runs", || {
        (!world.straight.run(&["top", &name]).text().contains("cat")).then_some(())
    });
}
