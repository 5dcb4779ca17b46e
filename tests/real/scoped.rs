//! The docker command with a key that is limited by a label: it works with its own things, and there
//! are no others for it.

use std::time::SystemTime;

use crate::caller::{nothing_happens, words};
use crate::docker::IMAGE;
use crate::folder::Folder;
use crate::stage::Stage;

#[test]
fn a_scoped_key_works_with_containers_of_its_own() {
    let stage = Stage::new();
    let (caller, own) = (&stage.caller, stage.own());
    let id = stage.id(&own);
    let (short, prefix) = (id.split_at(12).0, id.split_at(9).0);
    // What it makes carries its label, so that it finds it again, by whichever name.
    let label = "{{index .Config.Labels \"team\"}}";
    assert_eq!(stage.told("container", label, &own), stage.scene.prefix());
    for name in [&own, id.as_str(), short, prefix] {
        assert_eq!(caller.says(&["container", "inspect", "--format", "{{.Id}}", name]).trim(), id);
        assert_eq!(caller.says(&["logs", name]), "hello\n");
        assert_eq!(caller.says(&["exec", "-e", "COLOUR=blue", name, "sh", "-c", "echo $COLOUR"]), "blue\n");
    }
    assert_eq!(caller.run_with(&["exec", "-i", &own, "cat"], "input\n").good().text(), "input\n");
    assert_eq!(caller.run(&["exec", &own, "sh", "-c", "exit 3"]).code(), Some(3));
    for line in ["diff", "port", "stats --no-stream --format {{.Name}}|{{.PIDs}}"] {
        caller.sees_the_same(&words(&format!("{line} {own}")));
    }
    assert!(caller.says(&["top", &own]).contains("sleep"));
    let folder = Folder::new();
    caller.run(&["cp", &folder.write("file", "copied\n"), &format!("{own}:/tmp/file")]).good();
    assert_eq!(caller.says(&["exec", &own, "cat", "/tmp/file"]), "copied\n");
    let other = stage.name("other");
    for (line, state) in [
        (format!("update --cpus 0.5 {own}"), "running"),
        (format!("pause {short}"), "paused"),
        (format!("unpause {prefix}"), "running"),
        (format!("stop -t 0 {own}"), "exited"),
        (format!("start {short}"), "running"),
        (format!("restart -t 0 {own}"), "running"),
        (format!("rename {own} {other}"), "running"),
        (format!("kill {other}"), "exited"),
    ] {
        caller.run(&words(&line)).good();
        assert_eq!(stage.told("container", "{{.State.Status}}", &id), state, "{line}");
    }
    assert_eq!(caller.says(&["wait", &other]), "137\n");
    caller.run(&["rm", &other]).good();
    assert!(!stage.straight.run(&["container", "inspect", &id]).status.success(), "it is removed");
}

#[test]
fn a_scoped_key_runs_containers_in_the_foreground() {
    let stage = Stage::new();
    let (caller, name) = (&stage.caller, stage.name("foreground"));
    let run = ["run", "--rm", "--name", &name, IMAGE, "sh", "-c"];
    let outcome = caller.run(&[&run[..], &["echo out; echo err >&2; exit 4"]].concat());
    assert_eq!((outcome.code(), outcome.text(), outcome.errors()), (Some(4), "out\n".into(), "err\n".into()));
    let back = caller.run_with(&["run", "-i", "--rm", "--name", &name, IMAGE, "cat"], "input\n").good();
    assert_eq!(back.text(), "input\n");
    // The label may be given, and may say nothing else.
    let (same, other) = (format!("team={}", stage.scene.prefix()), "team=other".to_owned());
    caller.run(&["run", "--rm", "--label", &same, "--name", &name, IMAGE, "true"]).good();
    nothing_happens(&stage.scene, || {
        caller.may_not(
            &["run", "--rm", "--label", &other, "--name", &name, IMAGE, "true"],
            "may not send Labels",
        );
    });
}

#[test]
fn a_scoped_key_works_with_networks_and_volumes_of_its_own() {
    let stage = Stage::new();
    let (caller, own) = (&stage.caller, stage.own());
    let (network, volume, name) = (stage.name("network"), stage.name("volume"), stage.name("user"));
    caller.run(&["network", "create", &network]).good();
    caller.run(&["volume", "create", "--label", "colour=blue", &volume]).good();
    for (kind, thing) in [("network", &network), ("volume", &volume)] {
        assert_eq!(stage.told(kind, "{{index .Labels \"team\"}}", thing), stage.scene.prefix());
        caller.sees_the_same(&[kind, "inspect", thing]);
    }
    caller.run(&["network", "connect", "--alias", "friend", &network, &own]).good();
    caller.run(&["exec", "-d", &own, "sh", "-c", "echo reached | nc -l -p 4000"]).good();
    let asks = "until nc friend 4000 </dev/null; do sleep 0.1; done";
    let run =
        ["run", "--rm", "--name", &name, "--network", &network, IMAGE, "timeout", "60", "sh", "-c", asks];
    assert_eq!(caller.says(&run), "reached\n");
    for mount in [format!("-v={volume}:/data"), format!("--mount=type=volume,src={volume},dst=/data")] {
        let run = [
            "run",
            "--rm",
            "--name",
            &name,
            &mount,
            IMAGE,
            "sh",
            "-c",
            "echo kept >> /data/file; cat /data/file",
        ];
        assert!(caller.says(&run).ends_with("kept\n"), "{mount}");
    }
    let joins = format!("--network=container:{own}");
    caller.run(&["run", "--rm", "--name", &name, &joins, IMAGE, "true"]).good();
    let seen = caller.says(&["run", "--rm", "--name", &name, &format!("--pid=container:{own}"), IMAGE, "ps"]);
    assert!(seen.contains("sleep 1000"), "{seen}");
    caller.run(&["network", "disconnect", &network, &own]).good();
    for line in [format!("network rm {network}"), format!("volume rm {volume}")] {
        caller.run(&words(&line)).good();
    }
    assert_eq!(caller.says(&["network", "ls", "-q"]) + &caller.says(&["volume", "ls", "-q"]), "");
}

#[test]
fn a_scoped_key_sees_its_own_things_in_lists_and_no_others() {
    let stage = Stage::new();
    let caller = &stage.caller;
    stage.foreign();
    let (network, volume) = (stage.name("network"), stage.name("volume"));
    stage.straight.run(&["network", "create", &network]).good();
    stage.straight.run(&["volume", "create", &volume]).good();
    let lists = ["ps -aq", "network ls -q", "volume ls -q", "stats --no-stream --format {{.Name}}"];
    for line in lists {
        assert_eq!(caller.says(&words(line)), "", "{line}");
    }
    let begun = SystemTime::UNIX_EPOCH.elapsed().expect("a clock past 1970").as_secs();
    let own = stage.own();
    let (network, volume) = (stage.name("own-network"), stage.name("own-volume"));
    caller.run(&["network", "create", &network]).good();
    caller.run(&["volume", "create", &volume]).good();
    stage.straight.run(&["kill", &stage.name("foreign")]).good();
    let format = |line: &str| caller.says(&[&words(line)[..], &["--format", "{{.Name}}"]].concat());
    assert_eq!(caller.says(&["ps", "-a", "--format", "{{.Names}}"]), format!("{own}\n"));
    assert_eq!(format("stats --no-stream"), format!("{own}\n"));
    assert_eq!(format("network ls"), format!("{network}\n"));
    assert_eq!(format("volume ls"), format!("{volume}\n"));
    for filter in ["name=lookout-real", "status=running", &format!("ancestor={IMAGE}"), "network=bridge"] {
        let listed = caller.says(&["ps", "-a", "--filter", filter, "--format", "{{.Names}}"]);
        assert_eq!(listed, format!("{own}\n"), "{filter}");
    }
    for filter in
        [format!("name={}", stage.name("foreign")), format!("label=team=not-{}", stage.scene.prefix())]
    {
        assert_eq!(caller.says(&["ps", "-aq", "--filter", &filter]), "", "{filter}");
    }
    let (since, until) = (begun.to_string(), begun.saturating_add(5).to_string());
    let events = ["events", "--since", &since, "--until", &until, "--format", "{{.Type}} {{.Actor.ID}}"];
    let (told, expected) = (caller.says(&events), format!("container {}", stage.id(&own)));
    assert!(!told.is_empty() && told.lines().all(|line| line == expected), "{told}");
}

/// Commands on a container, for one that is not in reach. {} is its name, {file} one of ours, {own} a
/// container and {network} a network of the key's own.
const ON_A_CONTAINER: &[&str] = &[
    "container inspect {}",
    "logs {}",
    "top {}",
    "stats --no-stream {}",
    "diff {}",
    "port {}",
    "start {}",
    "start -a {}",
    "stop {}",
    "restart {}",
    "kill {}",
    "pause {}",
    "unpause {}",
    "wait {}",
    "rename {} {other}",
    "update --cpus 0.5 {}",
    "rm -f {}",
    "exec {} touch /tmp/refused",
    "exec -d {} touch /tmp/refused",
    "attach {}",
    "cp {file} {}:/tmp/refused",
    "network connect {network} {}",
    "network disconnect {network} {}",
];

#[test]
fn a_container_of_another_team_is_none_by_any_of_its_names() {
    let stage = Stage::new();
    let (caller, folder, foreign) = (&stage.caller, Folder::new(), stage.foreign());
    let (id, file, network) = (stage.id(&foreign), folder.write("file", "text"), stage.name("network"));
    caller.run(&["network", "create", &network]).good();
    let absent = "f0".repeat(32);
    nothing_happens(&stage.scene, || {
        for (there, absent) in [
            (foreign.as_str(), stage.name("absent").as_str()),
            (&id, &absent),
            (id.split_at(12).0, absent.split_at(12).0),
            (id.split_at(5).0, absent.split_at(5).0),
        ] {
            for line in ON_A_CONTAINER {
                let line = line.replace("{file}", &file).replace("{network}", &network);
                let line = line.replace("{other}", &stage.name("other"));
                let told = caller.finds_nothing(&line, there, absent);
                assert!(told.contains("No such container: NAME"), "{line}: {told}");
                assert!(!told.contains("lookout:"), "{line}: {told}");
            }
            // It looks for every kind of thing there is, also those that carry no label.
            caller.finds_nothing("inspect {}", there, absent);
        }
    });
    let is_running = stage.told("container", "{{.State.Running}}", &foreign);
    assert_eq!(is_running, "true");
}

#[test]
fn networks_and_volumes_of_another_team_are_none() {
    let stage = Stage::new();
    let (caller, own) = (&stage.caller, stage.own());
    let (network, volume, absent) = (stage.name("network"), stage.name("volume"), stage.name("absent"));
    stage.straight.run(&["network", "create", "--label", "team=other", &network]).good();
    stage.straight.run(&["volume", "create", "--label", "team=other", &volume]).good();
    let id = stage.told("network", "{{.Id}}", &network);
    nothing_happens(&stage.scene, || {
        for line in
            ["network inspect {}", "network rm {}", "network connect {} OWN", "network disconnect {} OWN"]
        {
            for there in [network.as_str(), &id, id.split_at(12).0] {
                let told = caller.finds_nothing(&line.replace("OWN", &own), there, &absent);
                assert!(told.contains("network NAME not found"), "{line}: {told}");
            }
        }
        for line in ["volume inspect {}", "volume rm {}", "volume rm -f {}"] {
            let told = caller.finds_nothing(line, &volume, &absent);
            assert!(told.contains("get NAME: no such volume"), "{line}: {told}");
        }
        for network in ["bridge", "host", "none"] {
            let told = caller.finds_nothing(&format!("network connect {{}} {own}"), network, &absent);
            assert!(told.contains("network NAME not found"), "{network}: {told}");
        }
    });
}
