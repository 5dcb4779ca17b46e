//! Who is root's equal and why, and that no line of words is missing or too much.

use super::*;
use crate::auth::Keyring;
use crate::http::Method;

fn grant(options: &str) -> Grant {
    let line = format!("{options} ed25519 A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg= x");
    let keyring = Keyring::parse(line.as_bytes()).unwrap_or_else(|bad| panic!("{options}: {bad}"));
    keyring.iter().next().map(|key| key.options.grant.clone()).unwrap()
}

fn why(options: &str) -> String {
    root_equivalent(&grant(options)).unwrap_or_default()
}

#[test]
fn classes_without_a_guard_are_roots() {
    for (options, told) in [
        ("", "class all: "),
        ("allow=\"all\"", "class all: "),
        ("allow=\"all\",label=\"a=b\",image=\"x\"", "class all: "),
        ("allow=\"build\"", "class build: "),
        ("allow=\"view,build\",image=\"x\"", "class build: "),
        ("allow=\"swarm\"", "class swarm: "),
        ("allow=\"create,host\"", "classes create and host: "),
        ("allow=\"create,host\",label=\"a=b\",image=\"x\"", "classes create and host: "),
        ("allow=\"exec,host\"", "classes exec and host: "),
        ("mode=\"audit\",allow=\"view\"", "mode=\"audit\": "),
        ("mode=\"audit\"", "mode=\"audit\": its limits are told, and not enforced; class all: "),
        (
            "allow=\"build,swarm\"",
            "class build: what is built is not judged, and runs as root; class swarm: ",
        ),
    ] {
        assert!(why(options).starts_with(told), "{options}: {}", why(options));
    }
}

#[test]
fn classes_within_their_guard_are_not() {
    let guarded = "allow=\"view,logs,dump,power,pull,push,create,remove,exec,compose,mcp,metrics,audit\"";
    for options in [
        guarded,
        "allow=\"host\"",
        "allow=\"view,host,power\"",
        "mode=\"enforce\",allow=\"view\"",
        // A label reaches no route of theirs.
        "allow=\"build,swarm,create\",label=\"a=b\"",
    ] {
        assert_eq!(why(options), "", "{options}");
    }
}

#[test]
fn a_label_leaves_nothing_of_build_and_swarm() {
    for class in [Class::Build, Class::Swarm] {
        let count = ROWS.iter().filter(|row| row.class == class).count();
        assert_eq!(routes_left(&grant(&format!("allow=\"{class}\",label=\"a=b\"")), class), (0, count));
        assert_eq!(routes_left(&grant(&format!("allow=\"{class}\"")), class), (count, count));
    }
}

#[test]
fn a_mount_that_may_be_written_is_roots_where_root_is_told_what_to_do() {
    for path in [
        "/",
        "/etc",
        "/etc/cron.d",
        "/run",
        "/run/docker.sock",
        "/var",
        "/var/run",
        "/var/run/docker.sock",
        "/var/lib",
        "/var/lib/docker",
        "/var/lib/docker/volumes",
        "/proc",
        "/sys",
        "/dev",
        "/root",
        concat!("/root", "/.ssh"),
        "/home",
        "/home/ann",
        "/home/ann/.ssh",
        "/usr",
        "/usr/local/bin",
        "/bin",
        "/sbin",
        "/lib",
        "/lib64",
        "/boot",
        "/opt",
        "/opt/cni/bin",
        "/opt/containerd",
        "/tmp",
        "/var/tmp",
        "/var/spool",
        "/var/lib/dpkg/info",
    ] {
        let told = why(&format!("allow=\"create\",mount=\"/srv/web:ro,{path}\""));
        assert_eq!(told, format!("mount {path}: it writes what root runs and obeys"), "{path}");
        // Only containers are given mounts.
        assert_eq!(why(&format!("allow=\"view,exec\",mount=\"{path}\"")), "");
    }
}

#[test]
fn a_socket_is_written_through_a_mount_that_is_only_read() {
    for path in [
        "/",
        "/run",
        "/run/docker.sock",
        "/var",
        "/var/run",
        "/var/run/docker.sock",
        "/run/containerd",
        "/run/containerd/containerd.sock",
        "/run/dbus",
        "/run/systemd/private",
        "/run/podman/podman.sock",
    ] {
        let told = why(&format!("allow=\"create\",mount=\"{path}:ro,/srv/web:ro\""));
        assert!(told.starts_with(&format!("mount {path}:ro: sockets ")), "{path}: {told}");
    }
    let both = why("allow=\"create\",mount=\"/etc,/run:ro,/usr\"");
    assert!(both.starts_with("mount /etc, /usr: ") && both.contains("; mount /run:ro: "), "{both}");
}

#[test]
fn what_is_written_may_be_a_link_and_what_is_read_is_not_roots() {
    for path in [
        "/srv",
        "/srv/web",
        "/opt/stacks",
        "/home/ann/site",
        "/tmp/build",
        "/mnt",
        "/data",
        "/etcetera",
        "/var/www",
        "/var/lib/postgresql",
        "/runner",
        "/usrlocal",
        "/optical",
    ] {
        let told = why(&format!("allow=\"create,exec\",mount=\"{path}\""));
        assert!(told.starts_with(&format!("mount {path}: a link ")), "{path}: {told}");
        assert_eq!(why(&format!("allow=\"create,exec\",mount=\"{path}:ro\"")), "", "{path}");
    }
    for path in ["/etc", "/usr", "/home", "/root", "/proc", "/run/log", "/var/lib/docker"] {
        assert_eq!(why(&format!("allow=\"create\",mount=\"{path}:ro\"")), "", "{path}:ro");
    }
}

#[test]
fn each_class_has_its_line() {
    for &class in Class::EVERY {
        let lines = powers(&grant(&format!("allow=\"{class}\"")));
        assert_eq!(lines[0], format!("{class}: {}", class.meaning()));
        assert_eq!(lines.iter().filter(|line| line.starts_with(&format!("{class}: "))).count(), 1);
    }
}

#[test]
fn what_narrows_and_what_is_left_open_is_told_where_it_applies_and_nowhere_else() {
    let create = "allow=\"create\"";
    for (part, told, untold) in [
        ("only objects labelled a=b", "allow=\"view\",label=\"a=b\"", "allow=\"view\""),
        ("every object of the Engine", "allow=\"view\"", "allow=\"view\",label=\"a=b\""),
        ("leave ", "allow=\"view\",label=\"a=b\"", "allow=\"power\",label=\"a=b\""),
        ("all of it is out of the reach", "allow=\"build\",label=\"a=b\"", "allow=\"build\""),
        ("only images redis, acme/*", "image=\"redis,acme/*\",allow=\"pull\"", "allow=\"pull\""),
        ("images carry no scope", "allow=\"view\",label=\"a=b\"", "image=\"x\",allow=\"view\",label=\"a=b\""),
        ("no path of the host", create, "allow=\"create\",mount=\"/srv\""),
        ("these paths of the host: /srv, /etc:ro", "allow=\"create\",mount=\"/srv,/etc:ro\"", create),
        ("mount= changes nothing", "allow=\"view\",mount=\"/srv\"", "allow=\"create\",mount=\"/srv\""),
        ("mount= changes nothing", "allow=\"create,host\",mount=\"/srv\"", "allow=\"create,host\""),
        ("nothing of this is enforced", "mode=\"audit\",allow=\"view\"", "allow=\"view\""),
        ("note: exec in a container", "allow=\"exec\"", create),
        ("note: dump tells", "allow=\"dump\"", "allow=\"dump\",label=\"a=b\""),
        ("note: mounts are judged by name", "allow=\"create\",mount=\"/srv\"", create),
        (
            "note: what is written below",
            "allow=\"create\",mount=\"/srv\"",
            "allow=\"create\",mount=\"/srv:ro\"",
        ),
        ("note: what is only read", "allow=\"create\",mount=\"/srv:ro\"", "allow=\"create\",mount=\"/srv\""),
        ("note: its containers may use", create, "allow=\"create\",label=\"a=b\""),
        ("note: an image that is allowed", "allow=\"create\",image=\"x\"", create),
        ("note: a registry is", "allow=\"push\"", create),
        ("note: a label is worth", "allow=\"view\",label=\"a=b\"", "allow=\"view\""),
        ("note: compose and mcp", "allow=\"mcp\"", "allow=\"view\""),
        ("note: host opens nothing", "allow=\"host\"", "allow=\"create,host\""),
        ("note: ", "allow=\"exec\"", "allow=\"all\""),
        ("note: ", "allow=\"exec\"", "mode=\"audit\",allow=\"exec\""),
    ] {
        let says = |options: &str| powers(&grant(options)).iter().any(|line| line.contains(part));
        assert!(says(told), "{part:?} is missing of {told}: {:#?}", powers(&grant(told)));
        assert!(!says(untold), "{part:?} is too much of {untold}: {:#?}", powers(&grant(untold)));
    }
}

/// What of a volume that is made: it may have been there.
#[test]
fn a_volume_of_somebody_elses_is_not_told() {
    let grant = grant("allow=\"create\",label=\"a=b\"");
    let asked = Asked {
        method: Method::Post,
        path: "/volumes/create",
        query: "",
        is_upgrade: false,
        content_type: None,
        framing: Framing::Length(2),
    };
    let told = told(&decide(&grant, &asked).unwrap(), &grant);
    assert!(
        told.starts_with("refused if one without label a=b was there already; secrets blanked"),
        "{told}"
    );
}

/// What would be looked up, and what is told of the answer.
fn rehearsed(options: &str, method: Method, path: &str, query: &str) -> (Vec<String>, String) {
    let grant = grant(options);
    let framing = Framing::None;
    let asked = Asked { method, path, query, is_upgrade: false, content_type: None, framing };
    let mut order = decide(&grant, &asked).unwrap();
    let mut unseen = Unseen::new(&grant);
    assert!(order.settle(&grant, None, &mut unseen).is_ok());
    (unseen.lookups, told(&order, &grant))
}

#[test]
fn what_is_looked_up_is_what_must_be_in_reach() {
    for (options, path, query, lookup) in [
        ("allow=\"view\"", "/containers/web/json", "", ""),
        (
            "label=\"a=b\"",
            "/containers/web/json",
            "",
            "container web: must carry the label a=b, and is named",
        ),
        ("label=\"a=b\"", "/networks/web", "", "network web: must carry the label a=b, and is named"),
        (
            "label=\"a=b\"",
            "/volumes/web",
            "",
            "volume web: must carry the label a=b, and where it is mounted",
        ),
        ("allow=\"view\"", "/exec/0123/json", "", "command 0123: must have been made by this caller"),
        ("image=\"redis\"", "/images/redis/json", "", ""),
        ("image=\"redis\"", "/images/abc123/json", "", "image abc123: each of its names"),
        ("image=\"redis\"", "/images/get", "names=abc&names=def&names=abc", "image abc: |image def: "),
    ] {
        let lookups = rehearsed(options, Method::Get, path, query).0;
        let expected: Vec<_> = lookup.split('|').filter(|part| !part.is_empty()).collect();
        assert_eq!(lookups.len(), expected.len(), "{options} {path}: {lookups:?}");
        assert!(lookups.iter().zip(expected).all(|(found, start)| found.starts_with(start)), "{lookups:?}");
    }
}

#[test]
fn a_name_that_decides_alone_is_not_looked_up() {
    let (images, label) = (grant("image=\"redis\""), grant("label=\"a=b\""));
    let find = |grant, kind, name| Unseen::new(grant).find(kind, name);
    assert!(find(&images, Kind::Image, "redis:7").is_ok_and(|name| name == "redis:7"));
    assert!(matches!(find(&images, Kind::Image, "nginx"), Err(Stop::Refused(Refused::Image(_)))));
    for kind in [Kind::Container, Kind::Network, Kind::Volume] {
        assert!(matches!(find(&label, kind, "a/b"), Err(Stop::Refused(Refused::Absent { .. }))));
    }
}

#[test]
fn what_is_told_of_an_answer_is_said() {
    for (options, path, said) in [
        ("allow=\"view,dump\"", "/containers/json", "as the Engine gives it"),
        ("allow=\"view\"", "/containers/json", "secrets blanked, "),
        ("allow=\"view\",label=\"a=b\"", "/containers/json", "only what is labelled a=b; secrets blanked, "),
        ("label=\"a=b\"", "/containers/json", "only what is labelled a=b"),
        ("allow=\"view\",label=\"a=b\"", "/containers/x/json", "secrets blanked, "),
        ("label=\"a=b\"", "/containers/x/json", "as the Engine gives it"),
        ("allow=\"view\",label=\"a=b\"", "/networks", "only what is labelled a=b"),
        ("allow=\"view\"", "/networks", "as the Engine gives it"),
        ("label=\"a=b\"", "/events", "only events of containers labelled a=b"),
        ("allow=\"view\",image=\"x\"", "/images/json", "only images that image= names; secrets blanked, "),
        ("allow=\"view\",label=\"a=b\"", "/volumes", "only what is labelled a=b; secrets blanked, "),
        ("allow=\"view\"", "/_ping", "as the Engine gives it"),
    ] {
        let told = rehearsed(options, Method::Get, path, "").1;
        assert!(told.starts_with(said), "{options} {path}: {told}");
        assert_eq!(told.contains("blanked"), said.contains("blanked"), "{options} {path}: {told}");
    }
}
