//! Under a label, whatever is created carries it.

use super::{Guard, Kind, Refused, Shelf, alone, among, creator, labelled, lifted, read, why};

const CREATIONS: &[Guard] = &[Guard::ContainerCreate, Guard::NetworkCreate, Guard::VolumeCreate];

#[test]
fn what_is_created_is_stamped_and_says_nothing_else() {
    for &guard in CREATIONS {
        for grant in [labelled(creator()), lifted(labelled(creator()))] {
            for (given, sent) in [
                ("{}", r#"{"Labels":{"team":"web"}}"#),
                (r#"{"Labels":null}"#, r#"{"Labels":{"team":"web"}}"#),
                (r#"{"Labels":{}}"#, r#"{"Labels":{"team":"web"}}"#),
                (r#"{"Labels":{"a":"b"}}"#, r#"{"Labels":{"a":"b","team":"web"}}"#),
                (r#"{"Labels":{"team":"web"}}"#, r#"{"Labels":{"team":"web"}}"#),
                (r#"{"Labels":{"Team":"x"}}"#, r#"{"Labels":{"Team":"x","team":"web"}}"#),
            ] {
                assert_eq!(alone(guard, &grant, given).unwrap(), read(sent), "{guard:?} {given}");
            }
            for (given, place) in [
                (r#"{"Labels":{"team":"base"}}"#, r#"Labels["team"]: the key is limited to label team=web"#),
                (r#"{"Labels":{"team":""}}"#, r#"Labels["team"]"#),
                (r#"{"Labels":{"team":null}}"#, r#"Labels["team"]"#),
                (r#"{"Labels":["team=web"]}"#, "Labels"),
                (r#"{"labels":{"team":"base"}}"#, "it is spelt Labels"),
                (r#"{"Label\u017f":{"team":"base"}}"#, "it is spelt Labels"),
            ] {
                let why = why(alone(guard, &grant, given));
                assert!(why.contains(place), "{guard:?} {given}: {why}");
            }
        }
        assert_eq!(alone(guard, &creator(), "{}").unwrap(), read("{}"));
    }
}

#[test]
fn what_is_not_created_is_not_stamped() {
    for guard in [Guard::ContainerUpdate, Guard::ExecCreate, Guard::ExecStart] {
        assert_eq!(alone(guard, &labelled(creator()), "{}").unwrap(), read("{}"), "{guard:?}");
    }
}

#[test]
fn a_volume_that_comes_with_its_container_is_stamped_too() {
    let body = |options: &str| {
        format!(r#"{{"HostConfig":{{"Mounts":[{{"Type":"volume","Source":"data"{options}}}]}}}}"#)
    };
    let judged = |options: &str| {
        let mut shelf = Shelf::of(&[(Kind::Volume, "data")]);
        among(&mut shelf, Guard::ContainerCreate, &labelled(creator()), &body(options))
    };
    for (given, sent) in [
        ("", r#","VolumeOptions":{"Labels":{"team":"web"}}"#),
        (r#","VolumeOptions":null"#, r#","VolumeOptions":{"Labels":{"team":"web"}}"#),
        (
            r#","VolumeOptions":{"NoCopy":true}"#,
            r#","VolumeOptions":{"NoCopy":true,"Labels":{"team":"web"}}"#,
        ),
    ] {
        assert_eq!(judged(given).unwrap().member("HostConfig"), read(&body(sent)).member("HostConfig"));
    }
    let why = why(judged(r#","VolumeOptions":{"Labels":{"team":"base"}}"#));
    assert!(why.contains(r#"HostConfig.Mounts[0].VolumeOptions.Labels["team"]"#), "{why}");
}

#[test]
fn a_name_that_could_be_an_id_is_refused_under_a_label() {
    for guard in [Guard::NetworkCreate, Guard::VolumeCreate] {
        for (name, is_shadow) in [
            ("0123456789ab", true),
            (&"a".repeat(64), true),
            ("0123456789a", false),
            ("0123456789ag", false),
            ("0123456789AB", false),
            (&"a".repeat(65), false),
        ] {
            let body = format!("{{\"Name\":\"{name}\"}}");
            let judged = alone(guard, &labelled(creator()), &body);
            assert_eq!(matches!(judged, Err(Refused::Shadow(_))), is_shadow, "{name}: {judged:?}");
            assert!(alone(guard, &creator(), &body).is_ok(), "{name}");
        }
    }
}
