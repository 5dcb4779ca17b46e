//! Paths of the host in both syntaxes, volumes and memory.

use super::{Guard, Kind, Refused, Shelf, alone, among, creator, labelled, lifted, read, why};
use crate::auth::Grant;
use crate::limits::LISTED_BYTES_MAX;

fn judged(shelf: &mut Shelf, grant: &Grant, member: &str, item: &str) -> Result<String, Refused> {
    let body = format!(r#"{{"HostConfig":{{"{member}":[{item}]}}}}"#);
    among(shelf, Guard::ContainerCreate, grant, &body).map(|tree| String::from_utf8(tree.write()).unwrap())
}

#[test]
fn both_syntaxes_give_the_same_paths_and_volumes() {
    for (source, reads, writes) in [
        ("/srv/web", true, true),
        ("/srv/web/", true, true),
        ("/srv/web/a/b", true, true),
        ("/etc/ssl", true, false),
        ("/etc/ssl/certs", true, false),
        ("/", false, false),
        ("/etc", false, false),
        ("/srv", false, false),
        ("/srv/webs", false, false),
        ("/srv/web/..", false, false),
        ("/srv/web/../../etc", false, false),
        ("/srv/./web", false, false),
        ("//srv/web", false, false),
        ("/srv//web", false, false),
        ("/proc", false, false),
        ("/var/run/docker.sock", false, false),
        ("srv/web", false, false),
        ("./web", false, false),
        ("../web", false, false),
        ("~/web", false, false),
        ("data", true, true),
        ("new", true, true),
        ("-data", false, false),
        ("da ta", false, false),
    ] {
        let kind = if source.starts_with('/') { "bind" } else { "volume" };
        for (is_read_only, is_taken) in [(true, reads), (false, writes)] {
            let mut shelf = Shelf::of(&[(Kind::Volume, "data")]);
            let options = if is_read_only { ":ro" } else { "" };
            let bind = judged(&mut shelf, &creator(), "Binds", &format!("\"{source}:/x{options}\""));
            let mount =
                format!(r#"{{"Type":"{kind}","Source":"{source}","Target":"/x","ReadOnly":{is_read_only}}}"#);
            let mount = judged(&mut shelf, &creator(), "Mounts", &mount);
            assert_eq!((bind.is_ok(), mount.is_ok()), (is_taken, is_taken), "{source} {is_read_only}");
        }
    }
}

#[test]
fn binds_are_plain() {
    for entry in [
        "/srv/web:/x",
        "/srv/web:/x:rw",
        "/srv/web:/x:ro,z",
        "/srv/web:/x:Z",
        "/srv/web:/x:ro,private",
        "/srv/web:/x:rprivate,rw",
        "data:/x:nocopy",
        "data:/x:ro",
    ] {
        let item = format!("{entry:?}");
        assert!(judged(&mut Shelf::default(), &creator(), "Binds", &item).is_ok(), "{entry}");
    }
    for entry in [
        "",
        ":",
        "/srv/web",
        "/x",
        "/srv/web:",
        ":/x",
        "/srv/web:/x:",
        "/srv/web:/x:ro,",
        "/srv/web:/x:rshared",
        "/srv/web:/x:shared",
        "/srv/web:/x:slave",
        "/srv/web:/x:ro,rslave",
        "/srv/web:/x:RO",
        "/srv/web:/x: ro",
        "/srv/web:/x:ro:rw",
        "/srv/web:/x:exec",
        "/etc/ssl:/x",
        "/etc/ssl:/x:rw",
        "/etc/ssl:/x:ro,rw",
        "/etc/ssl:/x:ro,z",
        "/etc/ssl:/x:Z,ro",
        "C:\\\\x:/x",
    ] {
        let refused = judged(&mut Shelf::default(), &creator(), "Binds", &format!("{entry:?}")).unwrap_err();
        let why = format!("{refused}");
        assert!(why.contains("HostConfig.Binds[0]"), "{entry}: {why}");
    }
    for item in ["null", "1", "{}", r#"["/srv/web:/x"]"#] {
        assert!(judged(&mut Shelf::default(), &creator(), "Binds", item).is_err(), "{item}");
    }
}

#[test]
fn mounts_are_plain() {
    for item in [
        r#"{"Type":"bind","Source":"/srv/web","Target":"/x","BindOptions":{"Propagation":"rprivate"}}"#,
        r#"{"Type":"bind","Source":"/srv/web","BindOptions":{"NonRecursive":true,"CreateMountpoint":true},"VolumeOptions":null}"#,
        r#"{"Type":"bind","Source":"/etc/ssl","ReadOnly":true,"BindOptions":{"ReadOnlyForceRecursive":true}}"#,
        r#"{"Type":"volume","Source":"data","VolumeOptions":{"NoCopy":true,"Subpath":"a/b","Labels":{"a":"b"}}}"#,
        r#"{"Type":"volume","Target":"/x"}"#,
        r#"{"Type":"volume","Source":"","VolumeOptions":{"DriverConfig":{"Name":"local","Options":{}}}}"#,
        r#"{"Type":"tmpfs","Target":"/x","Source":null,"TmpfsOptions":{"SizeBytes":1,"Mode":511,"Options":null}}"#,
    ] {
        let judged = judged(&mut Shelf::default(), &creator(), "Mounts", item);
        assert!(judged.is_ok(), "{item}: {judged:?}");
    }
    for (item, member) in [
        ("null", "Type"),
        ("{}", "Type"),
        ("[]", "Type"),
        (r#"{"Type":"Bind","Source":"/srv/web"}"#, "Type"),
        (r#"{"Type":"npipe","Source":"x"}"#, "Type"),
        (r#"{"Type":"cluster","Source":"x"}"#, "Type"),
        (r#"{"Type":"image","Source":"evil"}"#, "Type"),
        (r#"{"Type":["bind"],"Source":"/srv/web"}"#, "Type"),
        (r#"{"Source":"/etc"}"#, "Type"),
        (r#"{"Type":"bind"}"#, "Source"),
        (r#"{"Type":"bind","Source":null}"#, "Source"),
        (r#"{"Type":"bind","Source":["/srv/web"]}"#, "Source"),
        (r#"{"Type":"bind","Source":"/etc/ssl","ReadOnly":"true"}"#, "Source"),
        (r#"{"Type":"bind","Source":"/etc/ssl","ReadOnly":1}"#, "Source"),
        (
            r#"{"Type":"bind","Source":"/etc/ssl","ReadOnly":true,"BindOptions":{"ReadOnlyNonRecursive":true}}"#,
            "Source",
        ),
        (r#"{"Type":"bind","source":"/srv/web"}"#, "source"),
        (
            r#"{"Type":"bind","Source":"/srv/web","BindOptions":{"Propagation":"rshared"}}"#,
            "BindOptions.Propagation",
        ),
        (
            r#"{"Type":"bind","Source":"/srv/web","BindOptions":{"propagation":"rshared"}}"#,
            "BindOptions.propagation",
        ),
        (r#"{"Type":"bind","Source":"/srv/web","VolumeOptions":{"NoCopy":true}}"#, "VolumeOptions"),
        (r#"{"Type":"volume","Source":"/etc"}"#, "Source"),
        (r#"{"Type":"volume","Source":"..","Target":"/x"}"#, "Source"),
        (r#"{"Type":"volume","VolumeOptions":{"Subpath":"../../etc"}}"#, "VolumeOptions.Subpath"),
        (r#"{"Type":"volume","VolumeOptions":{"Subpath":"a/.."}}"#, "VolumeOptions.Subpath"),
        (
            r#"{"Type":"volume","VolumeOptions":{"DriverConfig":{"Name":"nfs"}}}"#,
            "VolumeOptions.DriverConfig.Name",
        ),
        (
            r#"{"Type":"volume","VolumeOptions":{"DriverConfig":{"Options":{"o":"bind","device":"/"}}}}"#,
            "VolumeOptions.DriverConfig.Options",
        ),
        (r#"{"Type":"volume","BindOptions":{"Propagation":"shared"}}"#, "BindOptions"),
        (r#"{"Type":"tmpfs","Source":"/etc"}"#, "Source"),
        (r#"{"Type":"tmpfs","TmpfsOptions":{"Options":[["exec"]]}}"#, "TmpfsOptions.Options"),
        (r#"{"Type":"tmpfs","ImageOptions":{"Subpath":"a"}}"#, "ImageOptions"),
        (r#"{"Type":"tmpfs","New":1}"#, "New"),
    ] {
        let refused = judged(&mut Shelf::default(), &creator(), "Mounts", item).unwrap_err();
        let why = format!("{refused}");
        assert!(why.contains(&format!("HostConfig.Mounts[0].{member}")), "{item}: {why}");
    }
}

#[test]
fn a_volume_that_is_not_there_is_made_unless_a_label_would_be_missing() {
    let items = [("Binds", r#""new:/x""#), ("Mounts", r#"{"Type":"volume","Source":"new"}"#)];
    for (member, item) in items {
        let mut shelf = Shelf::default();
        assert!(judged(&mut shelf, &creator(), member, item).is_ok());
        assert_eq!(shelf.asked, [(Kind::Volume, "new".to_owned())]);
        for grant in [labelled(creator()), lifted(labelled(creator()))] {
            let refused = judged(&mut Shelf::default(), &grant, member, item).unwrap_err();
            assert!(matches!(refused, Refused::Absent { kind: Kind::Volume, .. }), "{refused:?}");
            assert!(judged(&mut Shelf::of(&[(Kind::Volume, "new")]), &grant, member, item).is_ok());
        }
    }
}

#[test]
fn the_remedy_is_told() {
    for (item, remedy) in [
        (r#""/etc:/x:ro""#, "not at all (mount=, class host)"),
        (r#""/etc/ssl:/x""#, "only to be read (mount=, class host)"),
        (r#""/srv/web:/x:shared""#, "(class host)"),
    ] {
        let refused = judged(&mut Shelf::default(), &creator(), "Binds", item).unwrap_err();
        let why = format!("{refused}");
        assert!(why.contains(remedy), "{why}");
    }
}

#[test]
fn class_host_lifts_what_paths_and_options_there_may_be() {
    for (member, item) in [
        ("Binds", r#""/:/host:rshared""#),
        ("Binds", r#""/var/run/docker.sock:/x""#),
        ("Binds", r#""/anonymous""#),
        ("Mounts", r#"{"Type":"bind","Source":"/","BindOptions":{"Propagation":"rshared"}}"#),
        ("Mounts", r#"{"Type":"image","Source":"shop/web","ImageOptions":{"Subpath":"a"}}"#),
        ("Mounts", r#"{"Type":"tmpfs","TmpfsOptions":{"Options":[["exec"]]}}"#),
        (
            "Mounts",
            r#"{"Type":"volume","VolumeOptions":{"DriverConfig":{"Name":"nfs","Options":{"a":"b"}}}}"#,
        ),
    ] {
        assert!(judged(&mut Shelf::default(), &creator(), member, item).is_err(), "{item}");
        let judged = judged(&mut Shelf::default(), &lifted(creator()), member, item).unwrap();
        assert_eq!(judged, format!(r#"{{"HostConfig":{{"{member}":[{item}]}}}}"#));
    }
}

#[test]
fn volumes_of_no_name_go_with_their_container() {
    let body = r#"{"Volumes":{"/data":{},"/more":null}}"#;
    assert_eq!(alone(Guard::ContainerCreate, &creator(), body).unwrap(), read(body));
    assert!(
        why(alone(Guard::ContainerCreate, &creator(), r#"{"Volumes":{"/data":{"a":1}}}"#))
            .contains("Volumes")
    );
}

#[test]
fn paths_in_a_container_are_one_piece_each() {
    // Podman puts these together with others into one text.
    for config in [
        r#""Volumes":{"/:/host":{}}"#,
        r#""Volumes":{"data":{}}"#,
        r#""HostConfig":{"Tmpfs":{"/a:exec":""}}"#,
        r#""HostConfig":{"Mounts":[{"Type":"bind","Source":"/srv/web","Target":"/x,source=/"}]}"#,
        r#""HostConfig":{"Mounts":[{"Type":"bind","Source":"/srv/web/a,b","Target":"/x"}]}"#,
        r#""HostConfig":{"Mounts":[{"Type":"volume","Target":"/x","Consistency":"a,source=/"}]}"#,
        r#""HostConfig":{"Mounts":[{"Type":"tmpfs","Target":"/x\""}]}"#,
        r#""HostConfig":{"Binds":["/srv/web:/x,y"]}"#,
        r#""HostConfig":{"Binds":["/srv/web:x"]}"#,
    ] {
        let refused = alone(Guard::ContainerCreate, &creator(), &format!(r#"{{"Image":"i",{config}}}"#));
        assert!(matches!(refused, Err(Refused::Member { .. })), "{config}");
    }
}

#[test]
fn what_lists_repeat_is_bounded_and_drivers_take_no_addresses() {
    let long = "x".repeat(LISTED_BYTES_MAX);
    for config in [
        format!(r#""Labels":{{"a":"{long}"}}"#),
        format!(r#""Cmd":["{long}"]"#),
        format!(r#""Entrypoint":["{long}"]"#),
        r#""HostConfig":{"LogConfig":{"Type":"","Config":{"syslog-address":"unix:///x"}}}"#.to_owned(),
        r#""HostConfig":{"LogConfig":{"Type":"json-file","Config":{"path":"/etc/x"}}}"#.to_owned(),
        r#""Env":["NAME"]"#.to_owned(),
        r#""Env":["*"]"#.to_owned(),
    ] {
        let refused = alone(Guard::ContainerCreate, &creator(), &format!(r#"{{"Image":"i",{config}}}"#));
        assert!(matches!(refused, Err(Refused::Member { .. })), "{}", &config[..60.min(config.len())]);
    }
    for (subnet, is_taken) in [
        ("10.1.0.0/16", true),
        ("fd00:1::/64", true),
        ("203.0.113.0/24", false),
        ("169.254.169.0/24", false),
        ("10.0.0.0/7", false),
        ("0.0.0.0/0", false),
        ("x", false),
    ] {
        let body = format!(r#"{{"Name":"n","IPAM":{{"Config":[{{"Subnet":"{subnet}"}}]}}}}"#);
        assert_eq!(alone(Guard::NetworkCreate, &creator(), &body).is_ok(), is_taken, "{subnet}");
    }
}
