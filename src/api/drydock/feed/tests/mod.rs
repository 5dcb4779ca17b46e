//! What a controller is told, in either spelling.

mod engine;

use super::*;
use crate::auth::{Classes, Label};
use crate::inventory::Container;
use crate::limits::FEEDS_MAX;

const IMAGE: &str = "sha256:e354b400a52b265b2fcbd66d36a09f366ea0b4d607c021ad803b0dc8a37f1537";

fn inspection(id: &str, state: &str, labels: &Value) -> Vec<u8> {
    let told = json!({
        "Id": id, "Name": format!("/name-{id}"), "Image": IMAGE, "State": { "Status": state },
        "Config": { "Image": "redis:7", "Labels": labels, "Env": ["A=secret"] },
    });
    told.to_string().into_bytes()
}

fn entry(id: &str, labels: &Value) -> Arc<Entry> {
    let container = Container::read(&inspection(id, "running", labels)).unwrap();
    Arc::new(Entry { container, image: None })
}

fn event(action: &str, attributes: &Value) -> News {
    let actor = json!({ "ID": "c", "Attributes": attributes });
    let event = json!({ "Type": "container", "Action": action, "Actor": actor, "timeNano": 1_795_190_281_016_047_995_u64 });
    News::Happened(serde_json::from_value(event).unwrap())
}

/// A book of somebody who is told of both, and is not behind.
fn book(grant: Grant) -> Book {
    let known = BTreeMap::new();
    Book { agent: "web1".to_owned(), grant, has_containers: true, has_events: true, known, is_behind: false }
}

fn without_dump() -> Grant {
    Grant::of(Classes::parse("view").unwrap())
}

/// Messages of the tunnel, as somebody reads them who is told by `tell`.
fn messages(
    most: usize,
    is_split: &mut bool,
    tell: impl FnOnce(&mut dyn FnMut(Told<'_>)),
) -> Vec<(String, Value)> {
    let mut texts = Vec::new();
    tell(&mut |told| messages_of(&told, most, is_split, &mut |text| texts.push(text)));
    let read = |text: String| {
        assert!(text.len() <= most, "{} bytes", text.len());
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(told.as_object().unwrap().len(), 2);
        (told["type"].as_str().unwrap().to_owned(), told["data"].clone())
    };
    texts.into_iter().map(read).collect()
}

/// What is told of one piece of news.
fn heard(book: &mut Book, news: &News) -> Vec<(String, Value)> {
    messages(usize::MAX, &mut false, |spell| book.hear(news, spell))
}

fn kinds(messages: &[(String, Value)]) -> Vec<&str> {
    messages.iter().map(|(kind, _)| kind.as_str()).collect()
}

#[test]
fn a_container_is_added_once_then_updated_and_removed_once() {
    let mut book = book(Grant::EVERYTHING);
    let web = entry("c1", &json!({}));
    let mut told = Vec::new();
    for news in [News::Put(Arc::clone(&web)), News::Put(Arc::clone(&web)), News::Gone(Arc::clone(&web)), News::Gone(web)] {
        told.extend(heard(&mut book, &news));
    }
    assert_eq!(kinds(&told), ["dd:container_added", "dd:container_updated", "dd:container_removed"]);
    assert_eq!(told[0].1["container"]["name"], "name-c1");
    assert_eq!(told[0].1["container"]["agent"], "web1");
    assert_eq!(told[0].1.as_object().unwrap().len(), 1);
    assert_eq!(told[2].1, json!({ "id": "c1", "name": "name-c1" }));
}

#[test]
fn both_spellings_tell_the_same() {
    let web = entry("c1", &json!({}));
    let tell = |book: &mut Book, spell: &mut dyn FnMut(Told<'_>)| {
        book.tell_all(std::slice::from_ref(&web), spell);
        book.hear(&News::Put(Arc::clone(&web)), spell);
        book.hear(&event("start", &json!({ "name": "name-c1" })), spell);
        book.hear(&News::Gone(Arc::clone(&web)), spell);
    };
    let told = messages(usize::MAX, &mut false, |spell| tell(&mut book(Grant::EVERYTHING), spell));
    assert_eq!(
        kinds(&told),
        ["dd:container_sync", "dd:container_updated", "container_event", "dd:container_removed"]
    );
    let mut framed = Vec::new();
    tell(&mut book(Grant::EVERYTHING), &mut |told| frame_of(&told, &mut framed));
    let framed = String::from_utf8(framed).unwrap();
    let frames: Vec<Value> = framed
        .split_terminator("\n\n")
        .map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap())
        .collect();
    let expected = [
        json!({ "type": "dd:watcher-snapshot", "data": { "watcher": descriptor(), "containers": told[0].1["containers"] } }),
        json!({ "type": "dd:container-updated", "data": told[1].1["container"] }),
        json!({ "type": "dd:container-removed", "data": told[3].1 }),
    ];
    assert_eq!(frames, expected);
}

#[test]
fn of_containers_out_of_reach_nothing_is_told() {
    let label = Label { key: "team".to_owned(), value: "one".to_owned() };
    let mut book = book(Grant { label: Some(label), ..Grant::EVERYTHING });
    let (ours, theirs) = (entry("c1", &json!({ "team": "one" })), entry("c2", &json!({ "team": "two" })));
    let hidden = entry("c3", &json!({ "team": "one", "dd.watch": "false" }));
    let all = [Arc::clone(&ours), Arc::clone(&theirs), Arc::clone(&hidden)];
    let told = messages(usize::MAX, &mut false, |spell| book.tell_all(&all, spell));
    let ids = told[0].1["containers"].as_array().unwrap().iter().map(|told| told["id"].as_str().unwrap());
    assert_eq!(ids.collect::<Vec<_>>(), ["c1"]);
    for news in [
        News::Put(Arc::clone(&theirs)),
        News::Gone(theirs),
        News::Put(hidden),
        event("start", &json!({ "team": "two" })),
        event("start", &json!({ "name": "x" })),
    ] {
        assert!(heard(&mut book, &news).is_empty(), "{news:?}");
    }
    assert_eq!(kinds(&heard(&mut book, &event("start", &json!({ "team": "one" })))), ["container_event"]);
    // What leaves reach is gone for who must stay within it.
    assert_eq!(
        kinds(&heard(&mut book, &News::Put(entry("c1", &json!({ "team": "two" }))))),
        ["dd:container_removed"]
    );
}

#[test]
fn an_event_is_told_with_its_time_in_milliseconds() {
    let attributes = json!({ "image": "redis:7", "name": "web", "exitCode": "1", "l": "v" });
    let told = heard(&mut book(Grant::EVERYTHING), &event("die", &attributes));
    let expected = json!({
        "containerId": "c", "containerName": "web", "image": "redis:7", "action": "die",
        "actorAttributes": attributes, "timestamp": 1_795_190_281_016_u64,
    });
    assert_eq!(told, [("container_event".to_owned(), expected)]);
}

#[test]
fn who_may_not_see_commands_is_told_none_in_events() {
    for (action, attributes, hidden, kept) in [
        ("exec_create: sh -c secret", json!({}), "exec_create", json!({})),
        ("exec_start: sh: -c", json!({ "execID": "e" }), "exec_start", json!({ "execID": "e" })),
        ("health_status: healthy", json!({}), "health_status: healthy", json!({})),
        ("commit", json!({ "comment": "secret" }), "commit", json!({ "comment": "***" })),
        ("start", json!({ "comment": "a label" }), "start", json!({ "comment": "a label" })),
    ] {
        let told = heard(&mut book(without_dump()), &event(action, &attributes));
        assert_eq!((&told[0].1["action"], &told[0].1["actorAttributes"]), (&json!(hidden), &kept), "{action}");
        let told = heard(&mut book(Grant::EVERYTHING), &event(action, &attributes));
        assert_eq!((&told[0].1["action"], &told[0].1["actorAttributes"]), (&json!(action), &attributes));
    }
}

#[test]
fn who_may_not_see_secrets_is_told_none_in_containers() {
    let web = News::Put(entry("c1", &json!({})));
    for (grant, value) in [(without_dump(), "***"), (Grant::EVERYTHING, "secret")] {
        let told = heard(&mut book(grant), &web);
        assert_eq!(told[0].1["container"]["details"]["env"], json!([{ "key": "A", "value": value }]));
    }
}

#[test]
fn whoever_is_behind_hears_events_and_waits_for_all_there_is() {
    let mut book = book(Grant::EVERYTHING);
    let (web, database) = (entry("c1", &json!({})), entry("c2", &json!({})));
    heard(&mut book, &News::Put(Arc::clone(&web)));
    assert!(heard(&mut book, &News::Complete).is_empty() && book.is_behind);
    assert!(heard(&mut book, &News::Put(Arc::clone(&database))).is_empty());
    assert!(heard(&mut book, &News::Gone(web)).is_empty());
    assert_eq!(kinds(&heard(&mut book, &event("start", &json!({})))), ["container_event"]);
    let told = messages(usize::MAX, &mut false, |spell| book.tell_all(std::slice::from_ref(&database), spell));
    assert_eq!(kinds(&told), ["dd:container_sync"]);
    assert!(!book.is_behind);
    assert_eq!(kinds(&heard(&mut book, &News::Put(database))), ["dd:container_updated"]);
}

#[test]
fn what_is_too_long_for_one_message_is_told_one_by_one() {
    let mut book = book(Grant::EVERYTHING);
    let all = |count: usize| (0..count).map(|at| entry(&format!("c{at}"), &json!({}))).collect::<Vec<_>>();
    let (mut is_split, most) = (false, 4096);
    let mut sync = |count: usize, is_split: &mut bool| {
        messages(most, is_split, |spell| book.tell_all(&all(count), spell))
    };
    assert_eq!(kinds(&sync(2, &mut is_split)), ["dd:container_sync"]);
    let told = sync(30, &mut is_split);
    assert_eq!((told.len(), &told[0].1), (31, &json!({ "containers": [] })));
    assert!(told[1..].iter().all(|(kind, _)| kind == "dd:container_added") && is_split);
    assert_eq!(told[30].1["container"]["id"], "c29");
    // The list is not begun anew, and who is gone meanwhile is said to be.
    let told = sync(28, &mut is_split);
    assert_eq!(kinds(&told[..3]), ["dd:container_removed", "dd:container_removed", "dd:container_added"]);
    assert_eq!(told.len(), 30);
    assert_eq!(kinds(&sync(3, &mut is_split)), ["dd:container_sync"]);
    assert!(!is_split);
}

#[test]
fn the_watcher_is_told_with_the_controllers_marks() {
    let told: Value = serde_json::from_str(&component_sync()).unwrap();
    assert_eq!(
        told,
        json!({ "type": "dd:component_sync", "data": { "watchers": [descriptor()], "triggers": [] } })
    );
}

#[test]
fn when_too_many_follow_there_are_no_tidings() {
    let agent = Agent::specimen(Adapter::Drydock, "/no/such/engine".into());
    let all: Vec<_> = (0..FEEDS_MAX).map(|_| tidings(&agent, &Grant::EVERYTHING, 4096).unwrap()).collect();
    assert!(tidings(&agent, &Grant::EVERYTHING, 4096).is_none());
    drop(all);
    assert!(tidings(&agent, &Grant::EVERYTHING, 4096).is_some());
}
