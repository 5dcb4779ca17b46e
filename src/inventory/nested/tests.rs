//! The nested shape: the controller's own sample byte for byte, real containers, and its schema.

use super::*;
use crate::inventory::model::Secrets;

const OPEN: Telling<'_> = Telling { agent: None, secrets: Secrets::Told };
const HASH: &str = "e354b400a52b265b2fcbd66d36a09f366ea0b4d607c021ad803b0dc8a37f1537";

/// Real containers, each with its image or without it, told with their secrets or without.
fn every_real_one() -> Vec<Value> {
    let images = [
        &include_bytes!("../../../tests/fixtures/inspect/image-web.json")[..],
        include_bytes!("../../../tests/fixtures/inspect/image-local.json"),
    ];
    let images = images.map(|image| Image::read(image.to_vec()).unwrap());
    let containers = [
        &include_bytes!("../../../tests/fixtures/inspect/web.json")[..],
        include_bytes!("../../../tests/fixtures/inspect/pinned.json"),
        include_bytes!("../../../tests/fixtures/inspect/both.json"),
        include_bytes!("../../../tests/fixtures/inspect/by-id.json"),
        include_bytes!("../../../tests/fixtures/inspect/by-short-id.json"),
        include_bytes!("../../../tests/fixtures/inspect/created.json"),
        include_bytes!("../../../tests/fixtures/inspect/paused.json"),
        include_bytes!("../../../tests/fixtures/inspect/restarting.json"),
        include_bytes!("../../../tests/fixtures/inspect/killed.json"),
        include_bytes!("../../../tests/fixtures/inspect/terminal.json"),
    ];
    let mut told = Vec::new();
    for inspection in containers {
        let container = Container::read(inspection).unwrap();
        let image = images.iter().find(|image| image.id == container.image_id);
        assert!(image.is_some());
        for (image, secrets) in [(image, Secrets::Told), (image, Secrets::Hidden), (None, Secrets::Told)] {
            let telling = Telling { agent: Some("harbour"), secrets };
            told.push(serde_json::to_value(Nested::new(&container, image, &telling).unwrap()).unwrap());
        }
    }
    told
}

/// A container with these labels, whose image is `written` and has these tags and digests.
fn nested(written: &str, labels: &[(&str, &str)], image: Option<Value>) -> Value {
    let labels: LabelMap = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let inspection = serde_json::json!({
        "Id": "c", "Name": "/web", "Image": format!("sha256:{HASH}"),
        "Config": { "Image": written, "Labels": labels },
    });
    let container = Container::read(inspection.to_string().as_bytes()).unwrap();
    let image = image.map(|image| Image::read(image.to_string().into_bytes()).unwrap());
    serde_json::to_value(Nested::new(&container, image.as_ref(), &OPEN).unwrap()).unwrap()
}

#[test]
fn the_controllers_sample_is_told_byte_for_byte() {
    let inspection = include_bytes!("../../../tests/fixtures/inspect/sample.json");
    let image = include_bytes!("../../../tests/fixtures/inspect/image-sample.json");
    let container = Container::read(inspection).unwrap();
    let image = Image::read(image.to_vec()).unwrap();
    let told = serde_json::to_string(&Nested::new(&container, Some(&image), &OPEN).unwrap()).unwrap();
    let expected = include_str!("../../../tests/fixtures/inspect/sample.nested.json");
    assert_eq!(told, expected.trim_end());
}

#[test]
fn the_schema_takes_every_real_container() {
    for told in every_real_one() {
        check(&told);
    }
}

#[test]
fn real_containers_are_named_by_what_they_were_made_from() {
    let all = every_real_one();
    let image_of = |name: &str| {
        let found = all.iter().find(|told| told["name"] == format!("harbour-{name}")).unwrap();
        let image = &found["image"];
        let digest = image["digest"]["repo"].as_str().map_or("-", |digest| &digest[..10]);
        let (tag, is_local) = (image["tag"]["value"].as_str().unwrap(), &image["isLocalImage"]);
        format!("{} {} {tag} {digest} {is_local}", image["registry"]["url"], image["name"]).replace('"', "")
    };
    for name in ["web-1", "pinned", "both", "id", "short"] {
        assert_eq!(image_of(name), "127.0.0.1:5000 acme/web 1.4.2 sha256:de3 false", "{name}");
    }
    assert_eq!(image_of("new"), "docker.io harbour/local 2024.11 - false");
    assert_eq!(image_of("paused"), "docker.io harbour/plain latest - false");
    assert_eq!(image_of("killed"), "docker.io harbour/local-only dev - true");
}

#[test]
fn states_and_health_are_the_controllers_words() {
    let all = every_real_one();
    for (name, status, health, is_started) in [
        ("web-1", "running", Some("healthy"), true),
        ("new", "created", None, false),
        ("paused", "paused", Some("unhealthy"), true),
        ("loop", "restarting", None, true),
        ("killed", "exited", None, true),
    ] {
        let told = all.iter().find(|told| told["name"] == format!("harbour-{name}")).unwrap();
        assert_eq!((told["status"].as_str(), told["health"].as_str()), (Some(status), health), "{name}");
        assert_eq!(told["details"]["startedAt"].is_string(), is_started, "{name}");
    }
    let unchecked = r#"{"Id":"c","Name":"/c","Image":"i","State":{"Health":{"Status":"none"}}}"#;
    let container = Container::read(unchecked.as_bytes()).unwrap();
    let told = serde_json::to_value(Nested::new(&container, None, &OPEN).unwrap()).unwrap();
    assert_eq!(told.get("health"), None);
}

#[test]
fn secrets_are_told_to_those_who_may_read_them() {
    let env = |told: &Value| serde_json::to_string(&told["details"]["env"]).unwrap();
    let all = every_real_one();
    assert!(env(&all[0]).contains(r#"{"key":"PASSWORD","value":"hunter2=x"}"#));
    assert!(env(&all[1]).contains(r#"{"key":"PASSWORD","value":"***"}"#));
    assert!(env(&all[1]).contains(r#"{"key":"EMPTY","value":""}"#));
    assert!(!all[1].to_string().contains("hunter2"));
}

#[test]
fn each_label_of_the_table_reaches_its_field() {
    for (label, value, pointer, told) in [
        ("dd.display.name", "Shop", "/displayName", Value::from("Shop")),
        ("dd.display.icon", "mdi:web", "/displayIcon", "mdi:web".into()),
        ("dd.tag.include", "^1", "/includeTags", "^1".into()),
        ("dd.tag.exclude", "rc", "/excludeTags", "rc".into()),
        ("dd.tag.transform", "^v(.*) => $1", "/transformTags", "^v(.*) => $1".into()),
        ("dd.tag.family", "loose", "/tagFamily", "loose".into()),
        ("dd.tag.pin.info", "False", "/tagPinInfo", false.into()),
        ("dd.tag.pin.info", "maybe", "/tagPinInfo", true.into()),
        ("dd.watch.digest", "false", "/image/digest/watch", false.into()),
        ("dd.watch.digest", "TRUE", "/image/digest/watch", true.into()),
        ("dd.link.template", "https://x/${major}", "/linkTemplate", "https://x/${major}".into()),
        ("dd.port.label", "80=Web", "/portLabel", "80=Web".into()),
        ("dd.registry.lookup.image", "ghcr.io/a/b", "/image/registry/lookupImage", "ghcr.io/a/b".into()),
        ("dd.registry.lookup.image", "ghcr.io/a/b", "/image/registry/name", "ghcr.public".into()),
        (
            "dd.registry.lookup.url",
            "https://quay.io",
            "/image/registry/lookupImage",
            "https://quay.io".into(),
        ),
        ("dd.action.include", "a", "/actionTriggerInclude", "a".into()),
        ("dd.action.exclude", "a", "/actionTriggerExclude", "a".into()),
        ("dd.action.auto", "a", "/actionTriggerAuto", "a".into()),
        ("dd.notification.include", "a", "/notificationTriggerInclude", "a".into()),
        ("dd.notification.exclude", "a", "/notificationTriggerExclude", "a".into()),
        ("dd.trigger.include", "a", "/triggerInclude", "a".into()),
        ("dd.trigger.exclude", "a", "/triggerExclude", "a".into()),
        ("dd.depends_on", "db, cache", "/dependsOn", vec!["db", "cache"].into()),
        ("dd.depends_on", "db", "/dependsOnSource", "label".into()),
        ("dd.depends_on", "db", "/dependsOnAction", "update".into()),
    ] {
        let with = nested("nginx:1.27", &[(label, value)], None);
        assert_eq!(with.pointer(pointer), Some(&told), "{label}");
        check(&with);
        // An empty label is none: no field is empty, and none is null.
        let empty = nested("nginx:1.27", &[(label, "")], None);
        let mut without = nested("nginx:1.27", &[], None);
        without["labels"] = empty["labels"].clone();
        assert_eq!(empty, without, "{label}");
    }
}

#[test]
fn without_labels_only_the_defaults_are_told() {
    let told = nested("nginx:1.27", &[], None);
    let names: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = "details displayName id image labels name status tagFamily tagPinInfo updateAvailable";
    assert_eq!(names.join(" "), expected.to_owned() + " updateKind watcher");
    assert_eq!((&told["tagFamily"], &told["tagPinInfo"]), (&"strict".into(), &true.into()));
    assert_eq!(told["labels"], serde_json::json!({}));
}

#[test]
fn a_tag_is_judged_after_its_transformation() {
    for (tag, formula, semver, precision) in [
        ("1.27.3", "", true, "specific"),
        ("1.27", "", true, "floating"),
        ("v3", "", true, "floating"),
        ("latest", "", false, "floating"),
        ("24.04", "", false, "floating"),
        ("release-2024-1.2.3", "", true, "floating"),
        ("release-2024-1.2.3", r"^release-\d+-(.*)$ => $1", true, "specific"),
        ("stable", "^stable$ => 1.0.0", true, "specific"),
        ("1.2.3", "^.*$ => none", false, "floating"),
        ("1.2.3", "[ => none", true, "specific"),
    ] {
        let told = nested(&format!("nginx:{tag}"), &[("dd.tag.transform", formula)], None);
        let expected = serde_json::json!({ "value": tag, "semver": semver, "tagPrecision": precision });
        assert_eq!(told["image"]["tag"], expected, "{tag} {formula}");
    }
}

#[test]
fn a_path_into_the_image_replaces_the_tag_or_tells_the_version() {
    let image = || {
        let labels = serde_json::json!({
            "version": "v1.2.3-4", "bad": "none", "org.opencontainers.image.version": " 1.2 ",
        });
        serde_json::json!({
            "Id": "i", "Size": 7, "RepoTags": ["nginx:stable"],
            "Config": { "Env": ["VERSION=v2.3.4"], "Labels": labels },
        })
    };
    let of = |path: &str, more: &[(&str, &str)]| {
        let labels = [&[("dd.inspect.tag.path", path)], more].concat();
        let told = nested("nginx:stable", &labels, Some(image()));
        let (tag, version) = (&told["image"]["tag"]["value"], &told["image"]["softwareVersion"]);
        format!("{} {}", tag.as_str().unwrap(), version.as_str().unwrap())
    };
    assert_eq!(of("Config/Labels/version", &[]), "1.2.3-4 1.2.3-4");
    assert_eq!(of("/Config//Labels/version/", &[]), "1.2.3-4 1.2.3-4");
    assert_eq!(of("Config/Env/0", &[]), "2.3.4 2.3.4");
    assert_eq!(of("Size", &[]), "7.0.0 7.0.0");
    assert_eq!(of("Config/Labels/version", &[("dd.tag.transform", r"-(\d)$ => $1.5")]), "4.5.0 4.5.0");
    assert_eq!(of("Config/Labels/version", &[("dd.inspect.tag.version-only", "True")]), "stable 1.2.3-4");
    for nowhere in
        ["Config/Labels/bad", "Config/Labels/none", "Config/Env/1", "Config/Env/x", "Config/Labels", "/", "a"]
    {
        assert_eq!(of(nowhere, &[]), "stable 1.2", "{nowhere}");
    }
    let gone = nested("nginx:stable", &[("dd.inspect.tag.path", "Size")], None);
    assert_eq!(gone["image"]["tag"]["value"], "stable");
}

#[test]
fn an_image_that_is_gone_is_told_from_the_container() {
    let told = nested(&format!("acme/web@sha256:{HASH}"), &[], None);
    let image = &told["image"];
    let digest = format!("sha256:{HASH}");
    assert_eq!(
        (&image["tag"]["value"], &image["digest"]["value"]),
        (&digest.as_str().into(), &digest.as_str().into())
    );
    assert_eq!((image.get("isLocalImage"), image.get("created")), (None, None));
    assert!(image["architecture"].is_string() && image["os"].is_string());
    let unknown = nested(&format!("sha256:{HASH}"), &[], None);
    assert_eq!(unknown["image"]["tag"]["value"], "unknown");
    assert_eq!(unknown["image"]["digest"], serde_json::json!({ "watch": false }));
}

#[test]
fn what_the_controller_would_reject_is_not_told() {
    for json in [r#"{"Id":"c","Name":"/","Image":"sha256:ab"}"#, r#"{"Id":"c","Name":"/web"}"#] {
        assert!(Nested::new(&Container::read(json.as_bytes()).unwrap(), None, &OPEN).is_none(), "{json}");
    }
    let bare = Container::read(br#"{"Id":"c","Name":"/web","Image":"sha256:ab"}"#).unwrap();
    check(&serde_json::to_value(Nested::new(&bare, None, &OPEN).unwrap()).unwrap());
}

/// The rules the controller holds a container against, as far as the agent could break them.
fn check(told: &Value) {
    no_nothing("", told);
    for required in ["/id", "/name", "/watcher", "/image/id", "/image/name", "/image/tag/value", "/image/os"]
    {
        assert!(told.pointer(required).is_some_and(Value::is_string), "{required} in {told}");
    }
    for required in ["/image/registry/name", "/image/registry/url", "/image/architecture"] {
        assert!(told.pointer(required).is_some_and(Value::is_string), "{required} in {told}");
    }
    for required in ["/image/digest", "/labels", "/details"] {
        assert!(told.pointer(required).is_some_and(Value::is_object), "{required} in {told}");
    }
    for list in ["/details/ports", "/details/volumes", "/details/env"] {
        assert!(told.pointer(list).is_some_and(Value::is_array), "{list} in {told}");
    }
    assert_eq!((&told["watcher"], &told["updateKind"]["kind"]), (&"docker".into(), &"unknown".into()));
    assert_eq!(told["image"]["digest"].get("repo"), told["image"]["digest"].get("value"));
    for time in ["/image/created", "/details/startedAt"] {
        let is_time = |time: &Value| time.as_str().is_some_and(|time| real_time(time).is_some());
        assert!(told.pointer(time).is_none_or(is_time), "{time} in {told}");
    }
}

/// No null anywhere, and no empty text but in labels and in the values of variables.
fn no_nothing(place: &str, told: &Value) {
    match told {
        Value::Null => panic!("{place} is null"),
        Value::String(text) => {
            let may_be_empty =
                place.starts_with("/labels/") || place.ends_with("/value") && place.contains("/env/");
            assert!(may_be_empty || !text.is_empty(), "{place} is empty");
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| no_nothing(&format!("{place}/{at}"), item));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| no_nothing(&format!("{place}/{name}"), member));
        }
        Value::Bool(_) | Value::Number(_) => {}
    }
}
