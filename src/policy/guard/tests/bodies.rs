//! Bodies as a whole: what two readers could read differently never passes.

use super::{Guard, Kind, Refused, Shelf, Stop, alone, among, creator, grant, judge, lifted, read, why};
use crate::auth::{Class, Glob, Grant};

const EVERY: &[Guard] = &[
    Guard::ContainerCreate,
    Guard::ContainerUpdate,
    Guard::NetworkCreate,
    Guard::NetworkConnect,
    Guard::NetworkDisconnect,
    Guard::VolumeCreate,
    Guard::ExecCreate,
    Guard::ExecStart,
];

#[test]
fn only_one_json_object_is_judged() {
    let bodies: &[&[u8]] = &[
        b" ",
        b"null",
        b"[]",
        b"[{}]",
        b"\"{}\"",
        b"1",
        b"{}{}",
        b"{}]",
        b"{} null",
        b"\xef\xbb\xbf{}",
        b"{\"Labels\":{\"\xff\":\"a\"}}",
        b"{\"Name\":\"\xc0\x80\"}",
        b"{\"Name\":\"\\ud800\"}",
        b"{'Name':1}",
        b"{\"Name\":1,}",
        b"\xff\xfe{\x00}\x00",
    ];
    for &guard in EVERY {
        for grant in [creator(), lifted(creator())] {
            for body in bodies {
                let judged = judge(guard, body, &grant, &mut Shelf::default());
                assert!(matches!(judged, Err(Stop::Refused(_))), "{guard:?} {}", body.escape_ascii());
            }
        }
    }
}

#[test]
fn a_name_that_stands_twice_is_refused_at_every_depth() {
    for body in [
        r#"{"Image":"a","Image":"b"}"#,
        r#"{"HostConfig":{"Memory":1},"HostConfig":{"Memory":1}}"#,
        r#"{"HostConfig":{"Privileged":false,"Privileged":false}}"#,
        r#"{"HostConfig":{"Privileged":false,"Privilege\u0064":true}}"#,
        r#"{"Labels":{"a":"1","a":"2"}}"#,
        r#"{"HostConfig":{"Mounts":[{"Type":"tmpfs","Type":"bind"}]}}"#,
    ] {
        assert!(why(alone(Guard::ContainerCreate, &creator(), body)).contains("stands twice"), "{body}");
    }
}

#[test]
fn lists_and_texts_do_not_pass_for_objects_nor_objects_for_lists() {
    for (path, wrong) in [
        ("HostConfig", &["[]", "\"\"", "0", "false"][..]),
        ("NetworkingConfig", &["[]", "\"a\""]),
        ("Healthcheck", &["[]"]),
        ("ExposedPorts", &["[]", r#"["80/tcp"]"#, r#"{"80/tcp":{"a":1}}"#, r#"{"80/tcp":[]}"#]),
        ("Volumes", &["[]", r#"["/data"]"#]),
        ("Labels", &[]),
    ] {
        for value in wrong {
            let body = format!("{{\"{path}\":{value}}}");
            assert!(why(alone(Guard::ContainerCreate, &creator(), &body)).contains(path), "{body}");
        }
    }
    for member in ["Binds", "Mounts", "SecurityOpt", "ExtraHosts"] {
        for value in ["{}", "\"/etc:/x\"", "true"] {
            let body = format!("{{\"HostConfig\":{{\"{member}\":{value}}}}}");
            assert!(
                why(alone(Guard::ContainerCreate, &creator(), &body)).contains("it must be a list"),
                "{body}"
            );
        }
    }
}

#[test]
fn an_empty_body_starts_a_command_and_nothing_else() {
    for &guard in EVERY {
        let judged = alone(guard, &creator(), "");
        assert_eq!(judged.is_ok(), guard == Guard::ExecStart, "{guard:?}");
    }
    assert_eq!(alone(Guard::ExecStart, &creator(), "").unwrap(), read("{}"));
}

#[test]
fn what_is_sent_on_is_written_anew() {
    let body = b" { \"HostConfi\\u0067\" : { \"Memory\" : 1 } } ";
    let judged = judge(Guard::ContainerCreate, body, &creator(), &mut Shelf::default()).unwrap();
    assert_eq!(judged, br#"{"HostConfig":{"Memory":1}}"#);
}

#[test]
fn a_body_that_names_too_many_things_is_refused_before_all_are_looked_up() {
    let binds = vec!["\"data:/data\""; 1000].join(",");
    let mut shelf = Shelf::of(&[(Kind::Volume, "data")]);
    let body = format!(r#"{{"HostConfig":{{"Binds":[{binds}]}}}}"#);
    let why = why(among(&mut shelf, Guard::ContainerCreate, &creator(), &body));
    assert!(why.contains("HostConfig.Binds[256]") && shelf.asked.len() == 256, "{why}");
}

#[test]
fn an_image_is_asked_for_where_the_key_is_limited_to_some() {
    let limited = |grant: Grant| {
        let glob = Glob { stem: "shop/".to_owned(), is_open: true };
        Grant { images: vec![glob], ..grant }
    };
    let body = r#"{"Image":"shop/web:1"}"#;
    for grant in [limited(creator()), limited(lifted(creator()))] {
        let mut shelf = Shelf::of(&[(Kind::Image, "shop/web:1")]);
        assert_eq!(among(&mut shelf, Guard::ContainerCreate, &grant, body).unwrap(), read(body));
        assert_eq!(shelf.asked, [(Kind::Image, "shop/web:1".to_owned())]);
        for (body, is_asked) in [
            (r#"{"Image":"evil"}"#, true),
            (r#"{"Image":""}"#, false),
            (r#"{"Image":null}"#, false),
            ("{}", false),
            (r#"{"Image":["shop/web:1"]}"#, false),
            (r#"{"image":"shop/web:1"}"#, false),
        ] {
            let mut shelf = Shelf::of(&[(Kind::Image, "shop/web:1")]);
            let refused = among(&mut shelf, Guard::ContainerCreate, &grant, body).unwrap_err();
            assert_eq!(matches!(refused, Refused::Absent { kind: Kind::Image, .. }), is_asked, "{body}");
        }
    }
    let mut shelf = Shelf::default();
    assert!(
        among(&mut shelf, Guard::ContainerCreate, &grant(&[Class::Create]), body).is_ok()
            && shelf.asked.is_empty()
    );
}
