//! Inspections as the Engine gave them, and with everything missing that may be.

use super::*;

fn state(json: &str) -> State {
    Container::read(format!(r#"{{"Id":"c","State":{json}}}"#).as_bytes()).unwrap().state
}

#[test]
fn every_state_of_the_engine_is_known_by_its_word() {
    for &known in State::EVERY {
        // The marks of a container that runs do not matter.
        let json = format!(r#"{{"Status":"{known}","Running":true}}"#);
        assert_eq!(state(&json), known);
    }
}

#[test]
fn a_word_nobody_knows_is_decided_by_the_marks() {
    for (marks, expected) in [
        (r#""Running":true,"Paused":true"#, State::Paused),
        (r#""Running":true,"Restarting":true"#, State::Restarting),
        (r#""Running":true"#, State::Running),
        (r#""Dead":true"#, State::Dead),
        (r#""ExitCode":1"#, State::Exited),
    ] {
        assert_eq!(state(&format!(r#"{{"Status":"configured",{marks}}}"#)), expected, "{marks}");
    }
}

#[test]
fn containers_of_a_real_engine_are_read() {
    for (inspection, name, expected, has_terminal) in [
        (&include_bytes!("../../../tests/fixtures/inspect/web.json")[..], "web-1", State::Running, false),
        (include_bytes!("../../../tests/fixtures/inspect/created.json"), "new", State::Created, false),
        (include_bytes!("../../../tests/fixtures/inspect/paused.json"), "paused", State::Paused, false),
        (include_bytes!("../../../tests/fixtures/inspect/killed.json"), "killed", State::Exited, false),
        (include_bytes!("../../../tests/fixtures/inspect/restarting.json"), "loop", State::Restarting, false),
        (include_bytes!("../../../tests/fixtures/inspect/terminal.json"), "terminal", State::Running, true),
    ] {
        let container = Container::read(inspection).unwrap();
        assert_eq!(container.name, format!("harbour-{name}"));
        assert_eq!((container.state, container.has_terminal), (expected, has_terminal), "{name}");
        assert_eq!((container.id.len(), container.labels_left_out), (64, 0));
        assert!(container.image_id.starts_with("sha256:") && !container.image.is_empty());
    }
}

#[test]
fn whatever_may_be_missing_may_be_null_as_well() {
    let bare = Container::read(br#"{"Id":"c"}"#).unwrap();
    let null = br#"{"Id":"c","State":null,"Mounts":null,"Config":null,"NetworkSettings":null}"#;
    let null = Container::read(null).unwrap();
    let inside = br#"{"Id":"c","State":{"Health":null},"Mounts":[],
        "Config":{"Cmd":null,"Env":null,"Labels":null,"ExposedPorts":null},
        "NetworkSettings":{"Ports":null,"Networks":{"none":null}}}"#;
    let inside = Container::read(inside).unwrap();
    assert_eq!(inside.networks.len(), 1);
    for container in [bare, null, inside] {
        assert_eq!((container.name.as_str(), container.health, container.state), ("", None, State::Exited));
        assert!(container.labels.is_empty() && container.env.is_empty() && container.ports.is_empty());
    }
    let image =
        Image::read(br#"{"Id":"i","RepoTags":null,"RepoDigests":null,"Config":null}"#.to_vec()).unwrap();
    assert!(image.tags.is_empty() && image.digests.is_empty() && image.labels.is_empty());
}

#[test]
fn ports_that_are_not_published_stay_among_the_others() {
    let json = br#"{"Id":"c","NetworkSettings":{"Ports":{"80/tcp":null,"81/tcp":[],
        "82/tcp":[{"HostIp":"","HostPort":"8082"}]}}}"#;
    let container = Container::read(json).unwrap();
    let ports: Vec<_> = container.ports.iter().map(|(port, bound)| (port.as_str(), bound.len())).collect();
    assert_eq!(ports, [("80/tcp", 0), ("81/tcp", 0), ("82/tcp", 1)]);
}

#[test]
fn mounts_have_an_order_of_their_own() {
    let json = br#"{"Id":"c","Mounts":[{"Destination":"/z"},{"Destination":"/a"},{"Destination":"/m"}]}"#;
    let container = Container::read(json).unwrap();
    let order: Vec<_> = container.mounts.iter().map(|mount| mount.destination.as_str()).collect();
    assert_eq!(order, ["/a", "/m", "/z"]);
}

#[test]
fn only_one_slash_is_taken_from_a_name() {
    for (told, name) in [("/web", "web"), ("web", "web"), ("//web", "/web")] {
        let json = format!(r#"{{"Id":"c","Name":"{told}"}}"#);
        assert_eq!(Container::read(json.as_bytes()).unwrap().name, name);
    }
}

#[test]
fn what_is_no_inspection_is_refused() {
    for json in ["", "null", "{", "7", r#"{"Id":1}"#, r#"{"Id":"c","Config":7}"#] {
        assert!(matches!(Container::read(json.as_bytes()), Err(BadInspection::Json(_))), "{json}");
        assert!(matches!(Image::read(json.as_bytes().to_vec()), Err(BadInspection::Json(_))), "{json}");
    }
    assert!(matches!(Container::read(b"{}"), Err(BadInspection::NoId)));
    assert!(matches!(Image::read(br#"{"Id":""}"#.to_vec()), Err(BadInspection::NoId)));
    assert_eq!(BadInspection::NoId.to_string(), "the engine's inspection has no id");
}
