//! A key that is limited by a label, where names and ids could lead it to others' things or tell of them.

use crate::caller::{nothing_happens, words};
use crate::docker::IMAGE;
use crate::stage::Stage;

/// A container under another name, for a while: a scene removes what bears its own names.
struct Renamed<'a> {
    stage: &'a Stage,
    id: &'a str,
    name: &'a str,
}

impl<'a> Renamed<'a> {
    fn new(stage: &'a Stage, (id, name): (&'a str, &'a str), other: &str) -> Self {
        stage.straight.run(&["rename", id, other]).good();
        Self { stage, id, name }
    }
}

impl Drop for Renamed<'_> {
    fn drop(&mut self) {
        self.stage.straight.run(&["rename", self.id, self.name]);
    }
}

#[test]
fn a_name_that_shadows_an_id_leads_a_scoped_key_to_nothing_else() {
    let stage = Stage::new();
    let (caller, own, foreign) = (&stage.caller, stage.own(), stage.foreign());
    let (id, foreign_id) = (stage.id(&own), stage.id(&foreign));
    let (short, foreign_short) = (id.split_at(12).0, foreign_id.split_at(12).0);
    let renamed = Renamed::new(&stage, (&foreign_id, &foreign), short);
    // For the Engine the name counts before the id that it begins.
    assert_eq!(stage.id(short), foreign_id);
    nothing_happens(&stage.scene, || {
        for line in [
            "container inspect {}",
            "logs {}",
            "stop -t 0 {}",
            "kill {}",
            "rm -f {}",
            "exec {} touch /tmp/refused",
        ] {
            let outcome = caller.run(&words(&line.replace("{}", short)));
            assert!(
                outcome.errors().contains(&format!("No such container: {short}")),
                "{}",
                outcome.errors()
            );
        }
    });
    assert_eq!(stage.told("container", "{{.State.Running}}", &foreign_id), "true");
    // By its name and its whole id, its own is in reach as before.
    for name in [&own, &id] {
        assert_eq!(caller.says(&["container", "inspect", "--format", "{{.Id}}", name]).trim(), id);
    }
    // What the other team's short id leads to is the key's own, when that is what it was renamed to.
    drop(renamed);
    let _renamed = Renamed::new(&stage, (&id, &own), foreign_short);
    caller.run(&["stop", "-t", "0", foreign_short]).good();
    assert_eq!(stage.told("container", "{{.State.Running}}", &id), "false");
    assert_eq!(stage.told("container", "{{.State.Running}}", &foreign_id), "true");
}

#[test]
fn a_scoped_key_gives_no_name_that_looks_like_an_id() {
    let stage = Stage::new();
    let (caller, own, foreign) = (&stage.caller, stage.own(), stage.foreign());
    let id = stage.id(&foreign);
    nothing_happens(&stage.scene, || {
        for name in [id.as_str(), id.split_at(12).0, id.split_at(13).0, "0123456789ab"] {
            let why = format!("may not give {name:?} as a name: it looks like an id");
            for line in [
                format!("rename {own} {name}"),
                format!("run --rm --name {name} {IMAGE} true"),
                format!("create --label {} --name {name} {IMAGE} true", stage.scene.prefix()),
                format!("network create {name}"),
                format!("volume create {name}"),
            ] {
                caller.may_not(&words(&line), &why);
            }
        }
    });
    for kind in ["container", "network", "volume"] {
        let found = stage.straight.run(&[kind, "inspect", "0123456789ab"]);
        assert!(!found.status.success(), "a refused {kind} was made: {}", found.text());
    }
}

#[test]
fn prunes_take_what_is_the_keys_own_and_nothing_else() {
    let stage = Stage::new();
    let (caller, own, foreign) = (&stage.caller, stage.own(), stage.foreign());
    let networks = [stage.name("own-network"), stage.name("network")];
    let volumes = [stage.name("own-volume"), stage.name("volume")];
    caller.run(&["network", "create", &networks[0]]).good();
    caller.run(&["volume", "create", &volumes[0]]).good();
    stage.straight.run(&["network", "create", "--label", "team=other", &networks[1]]).good();
    stage.straight.run(&["volume", "create", "--label", "team=other", &volumes[1]]).good();
    stage.straight.run(&["kill", &own, &foreign]).good();
    let foreigners = [("container", &foreign), ("network", &networks[1]), ("volume", &volumes[1])];
    nothing_happens(&stage.scene, || {
        for (kind, _) in foreigners {
            let others = format!("{kind} prune -f --filter label=team=other");
            caller.may_not(&words(&others), "may not use parameter \"filters\" so: labels are filtered by");
            let others = format!("{kind} prune -f --filter label!=team");
            caller.may_not(&words(&others), "may not use parameter \"filters\" so: labels are filtered by");
        }
        caller.may_not(&["image", "prune", "-f"], "is limited by a label");
        caller.may_not(&["builder", "prune", "-f", "--filter", "id=none"], "lacks class build");
    });
    for (kind, thing) in [("container", &own), ("network", &networks[0]), ("volume", &volumes[0])] {
        let pruned = caller.says(&[kind, "prune", "-f"]);
        assert!(pruned.starts_with("Deleted") || pruned.starts_with("Total"), "{pruned}");
        assert!(!stage.straight.run(&[kind, "inspect", thing]).status.success(), "{thing} is still there");
    }
    for (kind, thing) in foreigners {
        stage.straight.run(&[kind, "inspect", thing]).good();
    }
}

/// The docker command takes "404" on a create for a missing image, and would pull it.
#[test]
fn what_a_new_container_may_not_join_is_said_to_be_absent() {
    let stage = Stage::new();
    let (caller, foreign) = (&stage.caller, stage.foreign());
    let (network, volume, name) = (stage.name("network"), stage.name("volume"), stage.name("other"));
    stage.straight.run(&["network", "create", &network]).good();
    stage.straight.run(&["volume", "create", &volume]).good();
    let (run, id, absent) = (format!("run --rm --name {name}"), stage.id(&foreign), stage.name("absent"));
    nothing_happens(&stage.scene, || {
        for (there, flag, told) in [
            (&foreign, "--network=container:{}", "No such container: NAME"),
            (&id, "--network=container:{}", "No such container: NAME"),
            (&foreign, "--pid=container:{}", "No such container: NAME"),
            (&foreign, "--ipc=container:{}", "No such container: NAME"),
            (&network, "--network={}", "network NAME not found"),
            (&volume, "--volume={}:/x", "get NAME: no such volume"),
            (&volume, "--mount=type=volume,src={},dst=/x", "get NAME: no such volume"),
        ] {
            let said = caller.finds_nothing(&format!("{run} {flag} {IMAGE} true"), there, &absent);
            assert!(said.contains(told) && !said.contains("lacks class pull"), "{flag}: {said}");
        }
    });
}

#[test]
fn a_filter_by_another_container_does_not_tell_whether_it_is_there() {
    let stage = Stage::new();
    let (caller, foreign) = (&stage.caller, stage.foreign());
    let (id, absent) = (stage.id(&foreign), "f0".repeat(32));
    stage.own();
    for filter in ["since", "before"] {
        let line = format!("ps -aq --filter {filter}={{}}");
        caller.finds_nothing(&line, &foreign, &stage.name("absent"));
        caller.finds_nothing(&line, id.split_at(12).0, absent.split_at(12).0);
    }
}

/// The Engine answers the making of a volume that is there with all it knows of it, whoever made it.
#[test]
fn a_volume_of_another_team_is_not_made_again() {
    let stage = Stage::new();
    let (caller, volume, own) = (&stage.caller, stage.name("volume"), stage.name("own-volume"));
    stage.straight.run(&["volume", "create", "--label", "team=other", &volume]).good();
    nothing_happens(&stage.scene, || {
        let outcome = caller.run(&["volume", "create", &volume]);
        assert!(!outcome.status.success(), "it was told what is there: {}", outcome.text());
    });
    // Its own may be made as often as it likes.
    for _ in 0..2 {
        assert_eq!(caller.says(&["volume", "create", &own]), format!("{own}\n"));
    }
}

#[test]
fn what_carries_no_label_is_beyond_a_scoped_key() {
    let stage = Stage::new();
    let (caller, own) = (&stage.caller, stage.own());
    let other = format!("{}:1", stage.name("other"));
    caller.sees_the_same(&["image", "inspect", "--format", "{{.Id}} {{.RepoTags}}", IMAGE]);
    caller.sees_the_same(&["version"]);
    caller.run(&["info"]).good();
    nothing_happens(&stage.scene, || {
        for line in ["system df", "plugin ls", "service ls", "node ls", "secret ls", "image prune -f"] {
            caller.may_not(&words(line), "is limited by a label, which nothing here carries");
        }
        caller.may_not(&["rmi", IMAGE], "is limited by a label, which nothing here carries");
        for (class, line) in [
            ("dump", "config ls".to_owned()),
            ("pull", format!("tag {IMAGE} {other}")),
            ("build", format!("commit {own} {other}")),
            ("all", "plugin disable none".to_owned()),
        ] {
            caller.may_not(&words(&line), &format!("lacks class {class}"));
        }
        for flag in ["--privileged", "--pid=host", "-v=/:/x"] {
            let run = ["run", "--rm", "--name", &stage.name("other"), flag, IMAGE, "true"];
            caller.may_not(&run, "may not send HostConfig.");
        }
    });
}
