//! Who may ask for what, and what of it goes on.

use std::collections::HashMap;

use super::super::engine::ROWS;
use super::*;
use crate::auth::{Classes, Label};
use crate::http::Target;

fn grant(options: &str) -> Grant {
    crate::auth::keyring::Keyring::parse(
        format!("{options} ed25519 A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg= x").as_bytes(),
    )
    .unwrap_or_else(|bad| panic!("{options}: {bad}"))
    .iter()
    .next()
    .map(|key| key.options.grant.clone())
    .unwrap()
}

/// A request by its head alone.
fn ask(grant: &Grant, method: Method, raw: &str) -> Result<Order, Refused> {
    let target = Target::parse(raw).unwrap();
    let query = target.query().unwrap_or("");
    let (path, framing) = (target.path(), Framing::None);
    decide(grant, &Asked { method, path, query, is_upgrade: false, content_type: None, framing })
}

fn reason(grant: &Grant, method: Method, raw: &str) -> &'static str {
    ask(grant, method, raw).map_or_else(|refused| refused.reason(), |_| "allowed")
}

/// Things by kind and name; what is not there is absent.
struct Shelf(HashMap<(&'static str, &'static str), &'static str>);

impl Things for Shelf {
    fn find(&mut self, kind: Kind, name: &str) -> Result<String, Stop> {
        let room = match kind {
            Kind::Container => "container",
            Kind::Network => "network",
            Kind::Volume => "volume",
            Kind::Image => "image",
            Kind::Exec => "exec",
        };
        let found = self.0.iter().find(|((kind, known), _)| *kind == room && *known == name);
        found
            .map(|(_, id)| (*id).to_owned())
            .ok_or_else(|| Refused::Absent { kind, name: name.to_owned() }.into())
    }
}

#[test]
fn a_route_is_for_those_who_have_its_class_and_for_nobody_else() {
    for row in ROWS {
        let example = row.pattern.replace("{*}", "name").replace("{}", "name");
        for &class in Class::EVERY {
            let grant = Grant::of([class].into_iter().collect());
            let is_allowed = ask(&grant, row.method, &example).is_ok();
            let expected = class == row.class || class == Class::All || row.reach == Reach::Anyone;
            assert_eq!(is_allowed, expected, "{} {example} with {class}", row.method);
        }
        let nothing = ask(&Grant::of(Classes::default()), row.method, &example);
        let is_refused = matches!(nothing, Err(Refused::Class(class)) if class == row.class);
        assert_eq!(is_refused, row.reach != Reach::Anyone, "{example}");
    }
}

#[test]
fn a_grant_allows_the_union_of_what_its_classes_allow() {
    for row in ROWS {
        let example = row.pattern.replace("{*}", "name").replace("{}", "name");
        for &one in Class::EVERY {
            for &other in Class::EVERY {
                let allows = |classes: &[Class]| {
                    let grant = Grant::of(classes.iter().copied().collect());
                    ask(&grant, row.method, &example).is_ok()
                };
                assert_eq!(
                    allows(&[one, other]),
                    allows(&[one]) || allows(&[other]),
                    "{example} {one} {other}"
                );
            }
        }
    }
}

#[test]
fn what_is_no_route_needs_every_class() {
    let most: Classes = Class::EVERY.iter().copied().filter(|&class| class != Class::All).collect();
    for raw in ["/debug/pprof/", "/libpod/info", "/containers/x/start/y", "/x", "/", "/v1.41", "/V1.41/info"]
    {
        assert!(matches!(ask(&Grant::of(most), Method::Get, raw), Err(Refused::Class(Class::All))), "{raw}");
    }
    assert_eq!(reason(&grant(r#"allow="all",label="a=b""#), Method::Get, "/debug/pprof/"), "reach");
}

#[test]
fn versions_are_those_whose_behaviour_is_known() {
    let view = grant(r#"allow="view""#);
    for version in ["1.24", "1.41", "1.99"] {
        let order = ask(&view, Method::Get, &format!("/v{version}/info")).unwrap();
        assert_eq!(order.target(), format!("/v{version}/info"));
    }
    for version in
        ["1.23", "1.0", "1.041", "001.41", "1.41.", "1.41..", "1.41.0.0", "1.100", "2.41", "1", ".", "1.4"]
    {
        assert_eq!(reason(&view, Method::Get, &format!("/v{version}/info")), "version", "{version}");
    }
    assert_eq!(ask(&view, Method::Get, "/v1.41%2Finfo").unwrap().target(), "/v1.41/info");
}

#[test]
fn targets_are_written_anew() {
    let every = grant(r#"allow="view,logs,pull,create,remove""#);
    for (method, raw, target) in [
        (Method::Get, "/containers%2fjson?all=1", "/containers/json?all=1"),
        (Method::Get, "/images/library%2Fbb%3Alatest/json", "/images/library/bb:latest/json"),
        (
            Method::Get,
            "/containers/a_b.c-d/logs?follow=yes&tail=10",
            "/containers/a_b.c-d/logs?follow=yes&tail=10",
        ),
        (Method::Post, "/v1.41/containers/create?name=web%20x", "/v1.41/containers/create?name=web%20x"),
        (Method::Post, "/images/create?fromImage=a/b&tag=1", "/images/create?fromImage=a%2Fb&tag=1"),
        (Method::Delete, "/images/a/b@sha256:00", "/images/a/b@sha256:00"),
    ] {
        assert_eq!(ask(&every, method, raw).unwrap().target(), target, "{raw}");
    }
    for (method, raw, why) in [
        (Method::Get, "/containers/%2Dx/json", "name"),
        (Method::Get, "/containers/a%20b/json", "name"),
        (Method::Get, "/containers/a%3Fb/json", "name"),
        (Method::Get, "/containers/x/logs?Follow=1", "query"),
        (Method::Get, "/containers/json?all=1&all=0", "query"),
        (Method::Get, "/containers/x/top?ps_args=eww", "beyond"),
        (Method::Get, "/images/x/attestations?statement=yes", "beyond"),
        (Method::Post, "/images/create?fromSrc=http://evil", "beyond"),
        (Method::Post, "/containers/x/start?checkpoint=c", "class"),
    ] {
        assert_eq!(reason(&every, method, raw), why, "{raw}");
    }
    let power = grant(r#"allow="power""#);
    for query in ["checkpoint=c", "checkpoint-dir=/"] {
        assert_eq!(reason(&power, Method::Post, &format!("/containers/x/start?{query}")), "query");
    }
    let exec = grant(r#"allow="exec""#);
    assert_eq!(reason(&exec, Method::Post, "/containers/x/attach?logs=1"), "beyond");
    assert_eq!(reason(&exec, Method::Post, "/containers/x/attach?logs=0&stream=1"), "allowed");
    let dump = grant(r#"allow="view,dump""#);
    assert_eq!(reason(&dump, Method::Get, "/containers/x/top?ps_args=eww"), "allowed");
}

#[test]
fn bodies_come_only_where_they_belong() {
    let every = grant(r#"allow="power,create,pull,exec""#);
    let with = |path: &str, content_type: &'static str, framing, is_upgrade| {
        let content_type = (!content_type.is_empty()).then_some(content_type.as_bytes());
        let asked = Asked { method: Method::Post, path, query: "", is_upgrade, content_type, framing };
        decide(&every, &asked).map_or_else(|refused| refused.reason(), |_| "allowed")
    };
    let json = "application/json; charset=utf-8";
    assert_eq!(with("/containers/x/start", json, Framing::Length(2), false), "body");
    assert_eq!(with("/containers/x/start", "", Framing::Length(0), false), "allowed");
    assert_eq!(with("/containers/x/start", "", Framing::None, true), "upgrade");
    assert_eq!(with("/exec/x/start", json, Framing::Length(2), true), "allowed");
    assert_eq!(with("/containers/create", json, Framing::Chunked, false), "allowed");
    assert_eq!(with("/containers/create", "text/json", Framing::Length(2), false), "media-type");
    assert_eq!(with("/containers/create", "application/jsonx", Framing::Length(2), false), "media-type");
    assert_eq!(with("/images/create", "application/x-tar", Framing::Length(2), false), "body");
}

#[test]
fn a_label_reaches_what_can_carry_it() {
    let every = "view,logs,dump,power,pull,push,create,remove,exec,build,swarm";
    let scoped = grant(&format!(r#"allow="{every}",label="team=web""#));
    for (method, raw) in [
        (Method::Get, "/system/df"),
        (Method::Get, "/services"),
        (Method::Get, "/configs"),
        (Method::Post, "/build"),
        (Method::Post, "/images/create?fromSrc=-&repo=x"),
        (Method::Post, "/commit"),
        (Method::Post, "/swarm/leave"),
        (Method::Post, "/images/prune"),
        (Method::Delete, "/images/x"),
        (Method::Post, "/images/x/tag?repo=y"),
        (Method::Post, "/images/x/push"),
        (Method::Get, "/images/get?names=x"),
        (Method::Get, "/plugins"),
    ] {
        assert_eq!(reason(&scoped, method, raw), "reach", "{raw}");
    }
    for (method, raw) in [
        (Method::Get, "/_ping"),
        (Method::Get, "/info"),
        (Method::Get, "/images/x/json"),
        (Method::Get, "/images/json"),
        (Method::Post, "/images/create?fromImage=x"),
        (Method::Get, "/distribution/x/json"),
    ] {
        assert_eq!(reason(&scoped, method, raw), "allowed", "{raw}");
    }
    let listed = ask(&scoped, Method::Get, "/containers/json").unwrap().target();
    assert_eq!(listed, "/containers/json?filters=%7B%22label%22%3A%7B%22team%3Dweb%22%3Atrue%7D%7D");
    assert_eq!(reason(&scoped, Method::Post, "/containers/prune?filters={%22label%22:[%22a%22]}"), "query");
    for name in ["0123456789ab", "/0123456789ab", &"a".repeat(64)] {
        assert_eq!(reason(&scoped, Method::Post, &format!("/containers/x/rename?name={name}")), "shadow");
        assert_eq!(reason(&scoped, Method::Post, &format!("/containers/create?name={name}")), "shadow");
    }
    assert_eq!(reason(&scoped, Method::Post, "/containers/x/rename?name=0123456789a"), "allowed");
}

#[test]
fn images_are_judged_by_their_names() {
    let limited = grant(r#"allow="pull,push,remove,dump,view,build",image="ghcr.io/acme/*,redis""#);
    for (method, raw, why) in [
        (Method::Post, "/images/create?fromImage=redis&tag=7", "allowed"),
        (Method::Post, "/images/create?fromImage=docker.io/library/redis", "allowed"),
        (Method::Post, "/images/create?fromImage=evil.invalid/redis", "image"),
        (Method::Post, "/images/create?fromImage=evil&fromSrc=-", "image"),
        (Method::Post, "/images/create?fromSrc=-&repo=evil", "image"),
        (Method::Post, "/images/create?fromSrc=-&repo=redis&tag=7", "allowed"),
        (Method::Post, "/images/create", "image"),
        (Method::Post, "/images/create?fromImage=deadbeef", "image"),
        (Method::Post, "/images/redis/tag?repo=ghcr.io/acme/redis&tag=1", "allowed"),
        (Method::Post, "/images/redis/tag?repo=other/redis", "image"),
        (Method::Post, "/images/prune", "reach"),
        (Method::Post, "/images/create?fromImage=redis:7&tag=8", "query"),
        (Method::Post, "/images/redis/tag?repo=redis:7&tag=8", "query"),
    ] {
        assert_eq!(reason(&limited, method, raw), why, "{raw}");
    }
}

#[test]
fn an_image_is_its_name_with_its_tag_or_digest() {
    let asks = |images: &str, query: &str| {
        let limited = grant(&format!(r#"allow="pull",image="{images}""#));
        reason(&limited, Method::Post, &format!("/images/create?fromImage={query}"))
    };
    for (images, query, expected) in [
        ("redis:7", "redis&tag=7", "allowed"),
        ("redis:7", "redis&tag=8", "image"),
        ("redis:7", "redis&tag=", "image"),
        ("redis", "redis&tag=", "allowed"),
        ("redis@sha256:00", "redis&tag=sha256:00", "allowed"),
        ("redis:sha256", "redis&tag=sha256:00", "image"),
        // Whatever its name is: what may be an id, or is no reference, has none.
        ("*", "redis&tag=7", "allowed"),
        ("*", "deadbeef", "image"),
        ("*", "sha256:deadbeef", "image"),
        ("*", "red%20is", "image"),
    ] {
        assert_eq!(asks(images, query), expected, "{images} {query}");
    }
    for (first, length, expected) in
        [("r", REFERENCE_BYTES_MAX, "allowed"), ("r", REFERENCE_BYTES_MAX + 1, "image"), ("_", 9, "image")]
    {
        let name = format!("{first}{}", "x".repeat(length - 1));
        assert_eq!(asks("*", &name), expected, "{length} of {first}");
    }
}

#[test]
fn nobody_with_limits_filters_by_what_may_be_out_of_reach() {
    let before = "/images/json?filters={%22before%22:[%22x%22]}";
    for (options, expected) in [
        (r#"allow="view""#, "allowed"),
        (r#"allow="view",label="team=web""#, "query"),
        (r#"allow="view",image="redis""#, "query"),
        (r#"allow="view",label="team=web",image="redis""#, "query"),
    ] {
        assert_eq!(reason(&grant(options), Method::Get, before), expected, "{options}");
    }
}

#[test]
fn objects_are_looked_up_and_forwarded_by_their_full_ids() {
    let shelf = || {
        Shelf(HashMap::from([
            (("container", "web"), "full-id-of-web"),
            (("network", "front"), "full-id-of-front"),
            (("volume", "data"), "data"),
            (("exec", "e1"), "e1"),
        ]))
    };
    let scoped = Grant {
        label: Some(Label { key: "team".to_owned(), value: "web".to_owned() }),
        ..grant(r#"allow="view,logs,dump,power,create,remove,exec""#)
    };
    let settled = |grant: &Grant, method, raw: &str| {
        let mut order = ask(grant, method, raw).unwrap_or_else(|refused| panic!("{raw}: {refused}"));
        order.settle(grant, None, &mut shelf()).map(|_| order.target())
    };
    // Every route with an object asks for it, so that none can be forgotten.
    for row in ROWS.iter().filter(|row| scoped.has(row.class)) {
        let known = match row.reach {
            Reach::One(Kind::Container) | Reach::Rename => "web",
            Reach::One(Kind::Network) => "front",
            Reach::One(Kind::Volume) => "data",
            Reach::One(Kind::Exec) => "e1",
            Reach::One(Kind::Image)
            | Reach::Anyone
            | Reach::Common
            | Reach::Every(_)
            | Reach::Prune(_)
            | Reach::Make(_)
            | Reach::Pull
            | Reach::Tag
            | Reach::Save
            | Reach::Beyond => continue,
        };
        let other = row.pattern.replace("{}", "other");
        if !matches!(row.body, Takes::Judged(_)) {
            let target = settled(&scoped, row.method, &row.pattern.replace("{}", known)).unwrap();
            assert!(target.contains("full-id-of") || ["data", "e1"].contains(&known), "{target}");
            let is_absent =
                matches!(settled(&scoped, row.method, &other), Err(Stop::Refused(Refused::Absent { .. })));
            assert!(is_absent, "{} {other}", row.method);
        }
        assert!(row.pattern.matches("{}").count() == 1, "one object a route: {}", row.pattern);
    }
    let plain = grant(r#"allow="view,exec""#);
    assert_eq!(settled(&plain, Method::Get, "/containers/other/json").unwrap(), "/containers/other/json");
    assert!(settled(&plain, Method::Get, "/exec/other/json").is_err(), "a command is its maker's");
}

#[test]
fn saved_images_are_looked_up_for_those_whose_images_are_limited_and_for_nobody_else() {
    for (options, is_settled) in [(r#"allow="dump""#, true), (r#"allow="dump",image="*""#, false)] {
        let grant = grant(options);
        let mut order = ask(&grant, Method::Get, "/images/get?names=redis").unwrap();
        assert_eq!(order.settle(&grant, None, &mut Shelf(HashMap::new())).is_ok(), is_settled, "{options}");
    }
}
