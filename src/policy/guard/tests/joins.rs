//! Other containers and networks: looked up, and named by their ids from there on.

use super::{Guard, Kind, Refused, Shelf, alone, among, creator, grant, id_of, labelled, lifted, read, why};
use crate::auth::Class;

fn shelf() -> Shelf {
    Shelf::of(&[(Kind::Container, "web"), (Kind::Network, "back"), (Kind::Network, "front")])
}

#[test]
fn a_joined_container_is_named_by_its_id() {
    let may_exec = grant(&[Class::Create, Class::Exec]);
    for member in ["PidMode", "IpcMode", "NetworkMode"] {
        let body = |target: &str| format!(r#"{{"HostConfig":{{"{member}":"container:{target}"}}}}"#);
        for grant in [may_exec.clone(), labelled(may_exec.clone()), lifted(creator())] {
            let judged = among(&mut shelf(), Guard::ContainerCreate, &grant, &body("web")).unwrap();
            let sent = read(&body(&id_of("web")));
            assert_eq!(judged.member("HostConfig"), sent.member("HostConfig"));
            for target in ["other", "", "back", "web:x", "../web"] {
                let refused = among(&mut shelf(), Guard::ContainerCreate, &grant, &body(target)).unwrap_err();
                assert!(
                    matches!(refused, Refused::Absent { kind: Kind::Container, .. }),
                    "{target}: {refused:?}"
                );
            }
        }
    }
}

#[test]
fn joining_the_inside_of_a_container_needs_class_exec() {
    for (member, is_inside) in [("PidMode", true), ("IpcMode", true), ("NetworkMode", false)] {
        let body = format!(r#"{{"HostConfig":{{"{member}":"container:web"}}}}"#);
        let mut shelf = shelf();
        match among(&mut shelf, Guard::ContainerCreate, &creator(), &body) {
            Err(Refused::Beyond { what, class: Class::Exec }) => {
                assert_eq!(what, format!("HostConfig.{member}"));
                assert!(is_inside && shelf.asked.is_empty());
            }
            judged => assert!(!is_inside && judged.is_ok(), "{member}: {judged:?}"),
        }
    }
}

#[test]
fn networks_are_named_by_their_ids_wherever_they_stand() {
    let body = |back: &str, front: &str| {
        format!(
            r#"{{"HostConfig":{{"NetworkMode":"{back}"}},"NetworkingConfig":{{"EndpointsConfig":{{"{back}":{{"Aliases":["a"],"NetworkID":"{back}"}},"{front}":null,"bridge":{{"GwPriority":1}}}}}}}}"#
        )
    };
    let judged =
        among(&mut shelf(), Guard::ContainerCreate, &labelled(creator()), &body("back", "front")).unwrap();
    let Some(labelless) = judged.member("NetworkingConfig") else { panic!("it is gone") };
    let expected = read(&body(&id_of("back"), &id_of("front")));
    assert_eq!(Some(labelless), expected.member("NetworkingConfig"));
    assert_eq!(judged.member("HostConfig"), expected.member("HostConfig"));
    for (back, front) in [("other", "front"), ("back", "other")] {
        let refused =
            among(&mut shelf(), Guard::ContainerCreate, &creator(), &body(back, front)).unwrap_err();
        assert!(matches!(refused, Refused::Absent { kind: Kind::Network, .. }), "{refused:?}");
    }
}

#[test]
fn one_network_by_two_names_is_refused() {
    let id: &'static str = id_of("back").leak();
    let mut shelf = Shelf::of(&[(Kind::Network, "back"), (Kind::Network, id)]);
    let body = format!(r#"{{"NetworkingConfig":{{"EndpointsConfig":{{"back":{{}},"{id}":{{}}}}}}}}"#);
    for grant in [creator(), lifted(creator())] {
        let why = why(among(&mut shelf, Guard::ContainerCreate, &grant, &body));
        assert!(
            why.contains("NetworkingConfig.EndpointsConfig[") && why.contains("the same network"),
            "{why}"
        );
    }
}

#[test]
fn the_hosts_network_is_class_hosts_alone() {
    for body in [
        r#"{"HostConfig":{"NetworkMode":"host"}}"#,
        r#"{"NetworkingConfig":{"EndpointsConfig":{"host":{}}}}"#,
    ] {
        assert!(
            why(alone(Guard::ContainerCreate, &creator(), body))
                .contains("the host's own network (class host)")
        );
        assert_eq!(alone(Guard::ContainerCreate, &lifted(creator()), body).unwrap(), read(body));
    }
    let body = r#"{"HostConfig":{"NetworkMode":"ns:/proc/1/ns/net"}}"#;
    for grant in [creator(), lifted(creator())] {
        let refused = alone(Guard::ContainerCreate, &grant, body).unwrap_err();
        assert!(matches!(refused, Refused::Absent { kind: Kind::Network, .. }), "{refused:?}");
    }
}

#[test]
fn connecting_and_disconnecting_name_a_container_in_reach() {
    for (guard, rest) in [
        (
            Guard::NetworkConnect,
            r#","EndpointConfig":{"Aliases":["a"],"IPAMConfig":{"IPv4Address":"10.0.0.9"}}"#,
        ),
        (Guard::NetworkDisconnect, r#","Force":true"#),
    ] {
        let body = |target: &str| format!("{{\"Container\":\"{target}\"{rest}}}");
        let judged = among(&mut shelf(), guard, &labelled(creator()), &body("web")).unwrap();
        assert_eq!(judged, read(&body(&id_of("web"))));
        for target in ["other", ""] {
            let refused = among(&mut shelf(), guard, &creator(), &body(target)).unwrap_err();
            assert!(matches!(refused, Refused::Absent { kind: Kind::Container, .. }), "{refused:?}");
        }
        assert!(
            why(among(&mut shelf(), guard, &creator(), &format!("{{\"Container\":[\"web\"]{rest}}}")))
                .contains("Container")
        );
        assert!(
            why(among(&mut shelf(), guard, &creator(), &format!("{{\"container\":\"web\"{rest}}}")))
                .contains("it is spelt Container")
        );
    }
}

#[test]
fn volumes_and_names_of_other_containers_are_class_hosts_and_in_reach() {
    for (member, given, sent) in [
        ("VolumesFrom", "web", "ID"),
        ("VolumesFrom", "web:ro", "ID:ro"),
        ("Links", "web", "ID:web"),
        ("Links", "web:db", "ID:db"),
    ] {
        let body = |entry: &str| format!(r#"{{"HostConfig":{{"{member}":["{entry}"]}}}}"#);
        let refused = why(among(&mut shelf(), Guard::ContainerCreate, &creator(), &body(given)));
        assert!(
            refused.contains(&format!("HostConfig.{member}: it must be empty (class host)")),
            "{refused}"
        );
        let judged = among(&mut shelf(), Guard::ContainerCreate, &lifted(creator()), &body(given)).unwrap();
        assert_eq!(judged, read(&body(&sent.replace("ID", &id_of("web")))));
        assert!(among(&mut shelf(), Guard::ContainerCreate, &lifted(creator()), &body("other")).is_err());
        for nothing in ["null", "[]"] {
            let body = format!(r#"{{"HostConfig":{{"{member}":{nothing}}}}}"#);
            assert_eq!(alone(Guard::ContainerCreate, &creator(), &body).unwrap(), read(&body));
        }
    }
}
