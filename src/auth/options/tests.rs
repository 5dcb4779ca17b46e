//! Options that are read, and options that are refused by name.

use super::*;
use crate::auth::Class;

const NAMES: [&str; 17] = [
    "view", "logs", "dump", "power", "pull", "push", "create", "remove", "exec", "build", "swarm", "host",
    "compose", "mcp", "metrics", "audit", "all",
];

fn option(text: &str) -> Options {
    Options::parse(text).unwrap_or_else(|bad| panic!("{text}: {bad}"))
}

/// The message about a bad value of an option.
fn wants(name: &str) -> BadOption {
    let row = ROWS.iter().find(|row| row.name == name).unwrap();
    BadOption::Value { name: row.name, wants: row.wants }
}

#[test]
fn every_option_is_read_into_its_type() {
    let text = concat!(
        r#"allow="view,logs,power,pull,create,remove,compose",label="team=web=1 b","#,
        r#"image="ghcr.io/acme/*,redis:7@sha256:0a",mount="/srv/web,/etc/ssl:ro","#,
        r#"record,from="10.8.0.0/16,2001:db8::1",expires="2026-12-31T00:00:00Z",mode="audit""#,
    );
    let glob = |stem: &str, is_open| Glob { stem: stem.to_owned(), is_open };
    let mount = |path: &str, read_only| Mount { path: path.to_owned(), read_only };
    use Class::{Compose, Create, Logs, Power, Pull, Remove, View};
    let grant = Grant {
        classes: [View, Logs, Power, Pull, Create, Remove, Compose].into_iter().collect(),
        label: Some(Label { key: "team".to_owned(), value: "web=1 b".to_owned() }),
        images: vec![glob("ghcr.io/acme/", true), glob("redis:7@sha256:0a", false)],
        mounts: vec![mount("/srv/web", false), mount("/etc/ssl", true)],
        mode: Mode::Audit,
    };
    let expected = Options {
        grant,
        from: vec![Network::parse("10.8.0.0/16").unwrap(), Network::parse("2001:db8::1").unwrap()],
        expires: Some(1_798_675_200),
        records: true,
    };
    assert_eq!(option(text), expected);
}

#[test]
fn what_is_not_named_is_not_limited() {
    assert_eq!(option(r#"mode="enforce""#), Options::default());
    assert_eq!(Options::default().grant, Grant::EVERYTHING);
}

#[test]
fn the_classes_are_these_and_no_others() {
    for name in NAMES {
        let options = option(&format!("allow=\"{name}\""));
        assert_eq!(options.grant.classes.to_string(), name);
        let row = ROWS.iter().find(|row| row.name == "allow").unwrap();
        assert!(row.wants.split([' ', ',']).any(|word| word == name), "{name}");
    }
    for name in ["admin", "View", "", " view", "view ", "*", "views"] {
        assert_eq!(Options::parse(&format!("allow=\"logs,{name}\"")), Err(wants("allow")), "{name}");
    }
}

#[test]
fn a_bad_value_is_refused_with_the_name_of_its_option() {
    for (name, values) in [
        ("allow", &["view,view", ",", "view,", ",view", "view;logs"][..]),
        ("label", &["team", "=web", "team=", "=", "te am=web", "team\u{e9}=web"]),
        ("image", &["*/web", "a**", "a*b", "a b", ",a", "a,", "a,a", "acme/?", "acme/[a]"]),
        (
            "mount",
            &[
                "srv",
                "./srv",
                "/srv/",
                "/srv//web",
                "/srv/../etc",
                "/srv/.",
                "/..",
                "//",
                "/srv:rw",
                "/srv:ro:ro",
                "/a:b",
                ":ro",
                "/srv,/srv",
                "/srv, /web",
            ],
        ),
        ("from", &["10.8.0.0/33", "10.8", "host", "10.8.0.1, 10.8.0.2", "10.8.0.0/16,10.8.3.4/16"]),
        ("expires", &["2026-12-31", "never", "1798675200", "2026-02-30T00:00:00Z"]),
        ("mode", &["Audit", "off", "enforce,audit", " audit"]),
    ] {
        for value in values {
            assert_eq!(Options::parse(&format!("{name}=\"{value}\"")), Err(wants(name)), "{name} {value}");
        }
        assert_eq!(Options::parse(&format!("{name}=\"\"")), Err(BadOption::Empty(wants_name(name))));
    }
}

#[test]
fn record_stands_alone() {
    assert!(!Options::default().records);
    for text in ["record", r#"mode="enforce",record"#, r#"record,mode="enforce""#] {
        assert_eq!(option(text), Options { records: true, ..Options::default() }, "{text}");
    }
    for (text, why) in [
        ("record=\"yes\"", BadOption::Valued("record")),
        ("record=", BadOption::Valued("record")),
        ("record,record", BadOption::Twice("record")),
        ("record\"x\"", BadOption::Behind("record")),
        ("records", BadOption::Unknown("records".to_owned())),
    ] {
        assert_eq!(Options::parse(text), Err(why), "{text}");
    }
}

fn wants_name(name: &str) -> &'static str {
    ROWS.iter().find(|row| row.name == name).unwrap().name
}

#[test]
fn the_root_and_any_image_can_be_named() {
    assert_eq!(option(r#"mount="/:ro""#).grant.mounts, [Mount { path: "/".to_owned(), read_only: true }]);
    assert_eq!(option(r#"image="*""#).grant.images, [Glob { stem: String::new(), is_open: true }]);
}

#[test]
fn what_is_no_list_of_quoted_options_is_refused() {
    let unknown = |name: &str| BadOption::Unknown(name.to_owned());
    for (text, why) in [
        ("", unknown("")),
        ("restrict", unknown("restrict")),
        ("permit=\"view\"", unknown("permit")),
        ("ALLOW=\"view\"", unknown("ALLOW")),
        ("no-pty,allow=\"view\"", unknown("no-pty")),
        (",allow=\"view\"", unknown("")),
        ("allow=\"view\",", unknown("")),
        ("allow=\"view\",,mode=\"audit\"", unknown("")),
        ("allow", BadOption::Unquoted("allow")),
        ("allow=", BadOption::Unquoted("allow")),
        ("allow=view", BadOption::Unquoted("allow")),
        ("allow='view'", BadOption::Unquoted("allow")),
        ("allow =\"view\"", BadOption::Unquoted("allow")),
        ("allow=\"view", BadOption::Unquoted("allow")),
        ("allow=\"view\"mode=\"audit\"", BadOption::Behind("allow")),
        ("label=\"team=a\\\"b\"", BadOption::Behind("label")),
        ("allow=\"view\",allow=\"view\"", BadOption::Twice("allow")),
        ("mode=\"audit\",allow=\"view\",mode=\"enforce\"", BadOption::Twice("mode")),
    ] {
        assert_eq!(Options::parse(text), Err(why), "{text}");
    }
}

#[test]
fn a_message_names_the_option_on_one_short_line() {
    let long = Options::parse(&"x".repeat(5000)).unwrap_err().to_string();
    assert_eq!(long, format!("{:?} is neither an option nor a type of key that is known", "x".repeat(40)));
    assert_eq!(Options::parse("mode=\"of\"").unwrap_err().to_string(), "option mode wants enforce or audit");
}

#[test]
fn options_end_at_the_first_space_outside_quotes() {
    for (line, parts) in [
        ("label=\"a=b c\",mode=\"audit\" ed25519 AAAA", ("label=\"a=b c\",mode=\"audit\"", " ed25519 AAAA")),
        ("mode=\"audit\"\ted25519", ("mode=\"audit\"", "\ted25519")),
        ("mode=\"audit ed25519 AAAA", ("mode=\"audit ed25519 AAAA", "")),
        ("mode", ("mode", "")),
    ] {
        assert_eq!(split(line), parts, "{line}");
    }
}
