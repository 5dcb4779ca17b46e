//! Drydock's API: its containers in its own shape, its events, and what it asks of an agent.

mod feed;

pub(crate) use feed::{Tidings, component_sync, tidings};

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::containers::{self, checked_id, in_reach, telling};
use super::failure::Failure;
use super::inquiry;
use super::route::{Access, Adapter, Agent, Desk, Outcome, Response, Route};
use crate::auth::Class;
use crate::clock;
use crate::docker::Patience;
use crate::http::pattern::captures;
use crate::http::{Method, Request, Status};
use crate::inventory::{Entry, Nested, State, Telling, WATCHER, is_watched, own_architecture};
use crate::log;
use crate::policy::Permitted;
use crate::version::VERSION;
use feed::Feed;

macro_rules! routes {
    ($($method:ident $path:literal $label:literal $class:ident $run:ident $about:literal;)+) => {
        pub(super) const ROUTES: &[Route] = &[$(Route {
            method: Method::$method,
            path: $path,
            label: $label,
            about: $about,
            access: Access::Guarded(Class::$class, $run),
            adapter: Some(Adapter::Drydock),
        }),+];
    };
}
routes! {
    Get "/api/events" "dd_events" View events "Drydock: the inventory's events, as server-sent events.";
    Get "/api/containers" "dd_containers" View list "Drydock: every container.";
    Get "/api/containers/{}/logs" "dd_logs" Logs logs "Drydock: a container's logs as text.";
    Delete "/api/containers/{}" "dd_delete" Remove delete "Drydock: remove a container by force.";
    Get "/api/watchers" "dd_watchers" View watchers "Drydock: the one watcher.";
    Get "/api/watchers/{}/{}" "dd_watcher" View watcher "Drydock: a watcher by type and name.";
    Post "/api/watchers/{}/{}" "dd_watch" View not_ours "Drydock: 501, the controller asks the registries.";
    Post "/api/watchers/{}/{}/container/{}" "dd_watch_one" View not_ours "Drydock: 501, the same.";
    Get "/api/triggers" "dd_triggers" View none "Drydock: no triggers.";
    Post "/api/triggers/{}/{}" "dd_trigger" View not_ours "Drydock: 501, the controller updates.";
    Post "/api/triggers/{}/{}/batch" "dd_trigger_all" View not_ours "Drydock: 501, the same.";
    Get "/api/log/entries" "dd_log" Audit log_entries "Drydock: the agent's own last log lines.";
}

fn list(desk: &mut Desk<'_>, ask: Permitted<Request<'_>>) -> Outcome {
    let (_, by) = ask.into_parts();
    let entries = in_reach(desk, by.grant())?;
    let telling = telling(&desk.agent.about.name, by.grant());
    let shown: Vec<_> = entries.iter().filter_map(|entry| shown(entry, &telling)).collect();
    Ok(Response::json(Status::OK, &shown))
}

/// A container as the controller takes it; `None` for one it is not to watch, or would reject.
fn shown<'e>(entry: &'e Entry, telling: &Telling<'e>) -> Option<Nested<'e>> {
    if !is_watched(&entry.container.labels) {
        return None;
    }
    Nested::new(&entry.container, entry.image.as_deref(), telling)
}

fn logs(desk: &mut Desk<'_>, ask: Permitted<Request<'_>>) -> Outcome {
    let (request, by) = ask.into_parts();
    let target = &request.head.target;
    let places = captures("/api/containers/{}/logs", target.path());
    let id = places.first().copied().unwrap_or_default();
    containers::logs(desk, &by, id, target.query().unwrap_or(""))
}

fn delete(desk: &mut Desk<'_>, ask: Permitted<Request<'_>>) -> Outcome {
    let (request, by) = ask.into_parts();
    let places = captures("/api/containers/{}", request.head.target.path());
    let id = checked_id(places.first().copied().unwrap_or_default())?;
    // The Engine answers once it has stopped it.
    let target = format!("/containers/{id}?force=1");
    inquiry::accepted(desk, &by, Method::Delete, &target, Patience::Bounded)?;
    Ok(Response::empty(Status::NO_CONTENT))
}

/// What tells the controller that it acts on containers itself, through us. It looks for these very
/// words.
fn descriptor() -> Value {
    json!({
        "type": "docker",
        "name": WATCHER,
        "configuration": {
            "description": "Watches the containers of one Docker Engine",
            "capabilities": ["container-sync", "labels"],
            "transport": "docker-api",
            "execution": "controller",
            "events": "portwing",
        },
    })
}

fn watchers(_: &mut Desk<'_>, _: Permitted<Request<'_>>) -> Outcome {
    Ok(Response::json(Status::OK, &[descriptor()]))
}

fn watcher(_: &mut Desk<'_>, ask: Permitted<Request<'_>>) -> Outcome {
    let (request, _) = ask.into_parts();
    let places = captures("/api/watchers/{}/{}", request.head.target.path());
    match places.as_slice() {
        [kind, name] if kind.eq_ignore_ascii_case("docker") && name.eq_ignore_ascii_case(WATCHER) => {
            Ok(Response::json(Status::OK, &descriptor()))
        }
        _ => Err(Failure::EngineSaid(Status::NOT_FOUND, "lookout: there is one watcher, docker/docker".to_owned())),
    }
}

fn none(_: &mut Desk<'_>, _: Permitted<Request<'_>>) -> Outcome {
    Ok(Response::json(Status::OK, &[(); 0]))
}

/// The controller does this itself, and knows an agent that leaves it to it by these very words.
fn not_ours(_: &mut Desk<'_>, _: Permitted<Request<'_>>) -> Outcome {
    let told = json!({
        "error": "not implemented in v1.0",
        "message": "registry checking is performed by the Drydock controller",
    });
    Ok(Response::json(Status::NOT_IMPLEMENTED, &told))
}

/// The last lines of the log, newest last, as far as they are asked for.
fn log_entries(_: &mut Desk<'_>, ask: Permitted<Request<'_>>) -> Outcome {
    let (request, _) = ask.into_parts();
    let query = request.head.target.query().unwrap_or("");
    let wanted = |name: &str| {
        let pair = query.split('&').find_map(|pair| pair.split_once('=').filter(|(known, _)| *known == name));
        pair.map(|(_, value)| value).filter(|value| !value.is_empty())
    };
    let least = wanted("level").and_then(log::Level::parse).unwrap_or(log::Level::Debug);
    let since = wanted("since").and_then(|since| since.parse::<u64>().ok()).unwrap_or(0);
    let is_ours = wanted("component").is_none_or(|component| component == "lookout");
    let kept = log::recent().into_iter();
    let told = kept.filter(|line| is_ours && line.level >= least && line.time.as_secs() >= since);
    let mut told: Vec<_> = told
        .map(|line| {
            json!({
                "timestamp": clock::rfc3339(line.time),
                "level": line.level.name(),
                "component": "lookout",
                "msg": line.text,
            })
        })
        .collect();
    if let Some(tail) = wanted("tail").and_then(|tail| tail.parse::<usize>().ok()) {
        told.drain(..told.len().saturating_sub(tail));
    }
    Ok(Response::json(Status::OK, &told))
}

fn events(desk: &mut Desk<'_>, ask: Permitted<Request<'_>>) -> Outcome {
    let (_, by) = ask.into_parts();
    let agent = desk.agent;
    let feed = Feed::new(agent, by.grant()).ok_or(Failure::TooManyFollowers)?;
    let entries = in_reach(desk, by.grant())?;
    Ok(Response::events(Box::new(feed.after(&acknowledgement(agent, &entries)))))
}

/// What the controller wants to know before anything else.
fn acknowledgement(agent: &Agent, entries: &[Arc<Entry>]) -> Value {
    let running = entries.iter().filter(|entry| entry.container.state == State::Running).count();
    let images: HashSet<_> = entries.iter().map(|entry| &entry.container.image_id).collect();
    json!({
        "version": VERSION,
        "os": std::env::consts::OS,
        "arch": own_architecture(),
        "cpus": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "memoryGb": agent.host.sample().memory_gib(),
        "uptimeSeconds": clock::now().saturating_duration_since(agent.started).as_secs(),
        "lastSeen": clock::rfc3339(clock::unix()),
        "logLevel": log::least().name(),
        "pollInterval": format!("{}s", agent.about.poll.as_secs()),
        "containers": {
            "total": entries.len(),
            "running": running,
            "stopped": entries.len().saturating_sub(running),
        },
        "images": images.len(),
    })
}
