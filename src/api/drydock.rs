//! Drydock's API: its containers in its own shape, its events, and what it asks of an agent.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::containers::{self, checked_id, in_reach, is_in_reach, telling};
use super::failure::Failure;
use super::inquiry;
use super::route::{Access, Adapter, Agent, Desk, Follow, Outcome, Response, Route};
use crate::auth::{Class, Grant};
use crate::clock;
use crate::docker::Patience;
use crate::http::pattern::captures;
use crate::http::{Method, Request, Status};
use crate::inventory::{
    Entry, Inventory, Nested, News, State, Subscription, Telling, WATCHER, is_watched, own_architecture,
};
use crate::log::{self, text};
use crate::policy::Permitted;

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
    let following = agent.inventory.follow().map_err(|error| {
        log::error("feed.not_opened", &[("error", text(&error))]);
        Failure::TooManyFollowers
    })?;
    let following = following.ok_or(Failure::TooManyFollowers)?;
    let entries = in_reach(desk, by.grant())?;
    let mut first = Vec::new();
    frame(&mut first, "dd:ack", &acknowledgement(agent, &entries));
    let feed = Feed {
        following,
        inventory: Arc::clone(&agent.inventory),
        agent: agent.about.name.clone(),
        grant: by.grant().clone(),
        first,
        known: HashSet::new(),
        is_behind: true,
    };
    Ok(Response::feed(Box::new(feed)))
}

/// What the controller wants to know before anything else.
fn acknowledgement(agent: &Agent, entries: &[Arc<Entry>]) -> Value {
    let running = entries.iter().filter(|entry| entry.container.state == State::Running).count();
    let images: HashSet<_> = entries.iter().map(|entry| &entry.container.image_id).collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
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

/// One event; the controller reads the part behind `data: `, and knows no other fields.
fn frame(out: &mut Vec<u8>, kind: &str, data: &impl Serialize) {
    #[derive(Serialize)]
    struct Frame<'f, D> {
        #[serde(rename = "type")]
        kind: &'f str,
        data: &'f D,
    }
    out.extend_from_slice(b"data: ");
    // Our own types hold nothing that JSON cannot.
    out.extend_from_slice(&serde_json::to_vec(&Frame { kind, data }).unwrap_or_default());
    out.extend_from_slice(b"\n\n");
}

/// The inventory's news for one controller.
struct Feed {
    following: Subscription<News>,
    inventory: Arc<Inventory>,
    agent: String,
    grant: Grant,
    /// Said before anything else.
    first: Vec<u8>,
    /// Ids the controller was told of.
    known: HashSet<String>,
    /// It must be told everything anew.
    is_behind: bool,
}

impl Feed {
    fn put(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        let telling = telling(&self.agent, &self.grant);
        let shown = shown(entry, &telling).filter(|_| is_in_reach(entry, &self.grant));
        let id = &entry.container.id;
        match shown {
            Some(shown) if self.known.insert(id.clone()) => frame(out, "dd:container-added", &shown),
            Some(shown) => frame(out, "dd:container-updated", &shown),
            None => self.gone(entry, out),
        }
    }

    fn gone(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        let container = &entry.container;
        if self.known.remove(&container.id) {
            frame(out, "dd:container-removed", &json!({ "id": container.id, "name": container.name }));
        }
    }

    /// All there is. What is missing from it the controller forgets, so it is never told too early.
    fn snapshot(&mut self, out: &mut Vec<u8>) {
        let Some(entries) = self.inventory.all(std::time::Duration::ZERO) else { return };
        let telling = telling(&self.agent, &self.grant);
        let entries = entries.iter().filter(|entry| is_in_reach(entry, &self.grant));
        let shown: Vec<_> =
            entries.filter_map(|entry| Some((&entry.container.id, shown(entry, &telling)?))).collect();
        self.known = shown.iter().map(|(id, _)| (*id).clone()).collect();
        let containers: Vec<_> = shown.into_iter().map(|(_, shown)| shown).collect();
        frame(out, "dd:watcher-snapshot", &json!({ "watcher": descriptor(), "containers": containers }));
        self.is_behind = false;
    }
}

impl Follow for Feed {
    fn tell(&mut self, told: &mut Vec<u8>) {
        told.append(&mut self.first);
        let taken = self.following.take();
        self.is_behind |= taken.missed > 0;
        for news in taken.items {
            match &*news {
                News::Complete => self.is_behind = true,
                News::Put(entry) if !self.is_behind => self.put(entry, told),
                News::Gone(entry) if !self.is_behind => self.gone(entry, told),
                News::Put(_) | News::Gone(_) | News::Happened(_) | News::Gap => {}
            }
        }
        // A snapshot is newer than whatever waited before it was taken.
        if self.is_behind {
            self.snapshot(told);
        }
    }
}

impl AsFd for Feed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.following.as_fd()
    }
}
