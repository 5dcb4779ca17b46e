//! The generic API: containers in the flat shape, their logs and their events, for any controller.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::containers::{self, NO_LABELS, follow, happened_in_reach, in_reach, telling};
use super::failure::Failure;
use super::route::{Access, Adapter, Desk, Follow, Outcome, Response, Route};
use crate::auth::{Class, Label};
use crate::clock;
use crate::docker::Event;
use crate::http::pattern::captures;
use crate::http::{Method, Request, Status};
use crate::inventory::{Flat, News, Subscription};
use crate::policy::Permitted;
use crate::version::VERSION;

macro_rules! routes {
    ($($path:literal $label:literal $class:ident $run:ident $about:literal;)+) => {
        pub(super) const ROUTES: &[Route] = &[$(Route {
            method: Method::Get,
            path: $path,
            label: $label,
            about: $about,
            access: Access::Guarded(Class::$class, $run),
            adapter: Some(Adapter::Generic),
        }),+];
    };
}
routes! {
    "/api/v1/version" "version" View version "Generic: which agent and protocol this is.";
    "/api/v1/containers" "containers" View list "Generic: every container.";
    "/api/v1/containers/{}/logs" "logs" Logs logs "Generic: a container's logs as text.";
    "/api/v1/events" "events" View events "Generic: what happens to containers, as server-sent events.";
}

fn version(_: &mut Desk<'_>, _: Permitted<Request<'_>>) -> Outcome {
    let told = json!({
        "agentVersion": VERSION,
        "protocolName": "lookout",
        "protocolVersion": "1.0",
        "adapter": "generic",
    });
    Ok(Response::json(Status::OK, &told))
}

fn list(desk: &mut Desk<'_>, ask: Permitted<Request<'_>>) -> Outcome {
    let (_, by) = ask.into_parts();
    let entries = in_reach(desk, by.grant())?;
    let telling = telling(&desk.agent.about.name, by.grant());
    let shown: Vec<_> = entries
        .iter()
        .map(|entry| Flat::new(&entry.container, entry.image.as_deref(), &telling))
        .collect();
    Ok(Response::json(Status::OK, &shown))
}

fn logs(desk: &mut Desk<'_>, ask: Permitted<Request<'_>>) -> Outcome {
    let (request, by) = ask.into_parts();
    let target = &request.head.target;
    let places = captures("/api/v1/containers/{}/logs", target.path());
    let id = places.first().copied().unwrap_or_default();
    containers::logs(desk, &by, id, target.query().unwrap_or(""))
}

fn events(desk: &mut Desk<'_>, ask: Permitted<Request<'_>>) -> Outcome {
    let (request, by) = ask.into_parts();
    let following = follow(desk.agent).ok_or(Failure::TooManyFollowers)?;
    let mut last = request.head.values("last-event-id");
    let last = last.next().and_then(|id| std::str::from_utf8(id).ok()?.parse::<u64>().ok());
    let (missing, is_all) = match last {
        Some(last) => desk.agent.inventory.happened_after(last),
        None => (Vec::new(), true),
    };
    let mut first = Vec::new();
    if !is_all {
        missed(&mut first, None);
    }
    let feed = Feed {
        following,
        label: by.grant().label.clone(),
        first,
        replayed: Vec::new(),
        missing: missing.into(),
    };
    Ok(Response::events(Box::new(feed)))
}

/// What happens, for one client.
struct Feed {
    following: Subscription<News>,
    label: Option<Label>,
    /// Said before anything else.
    first: Vec<u8>,
    /// What happened while the client was away.
    missing: VecDeque<Arc<News>>,
    /// What of that may wait among the news as well.
    replayed: Vec<Arc<News>>,
}

/// One event, as it is told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'e> {
    ts: String,
    #[serde(rename = "type")]
    kind: &'static str,
    action: &'e str,
    container_id: &'e str,
    name: &'e str,
    image: &'e str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'e str, &'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'e str>,
}

/// What is told; the rest happens inside containers.
const ACTIONS: [&str; 13] = [
    "create", "start", "stop", "die", "kill", "restart", "pause", "unpause", "destroy", "rename", "update", "oom",
    "health_status",
];

impl Feed {
    fn happened(&self, event: &Event, out: &mut Vec<u8>) {
        let (action, detail) = match event.action.split_once(':') {
            Some((action, detail)) => (action, Some(detail.trim())),
            None => (event.action.as_str(), None),
        };
        let attributes = &event.actor.attributes;
        if !ACTIONS.contains(&action) || !happened_in_reach(event, self.label.as_ref()) {
            return;
        }
        let value = |name: &str| attributes.get(name).map_or("", String::as_str);
        let labels = attributes.iter().filter(|(name, _)| !NO_LABELS.contains(&name.as_str()));
        let told = Told {
            ts: clock::rfc3339_secs(Duration::from_nanos(event.nanos)),
            kind: "container",
            action,
            container_id: &event.actor.id,
            name: value("name"),
            image: value("image"),
            labels: labels.map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            detail,
        };
        out.extend_from_slice(format!("id: {}\ndata: ", event.nanos).as_bytes());
        // Our own type holds nothing that JSON cannot.
        out.extend_from_slice(&serde_json::to_vec(&told).unwrap_or_default());
        out.extend_from_slice(b"\n\n");
    }
}

/// Says that something was not told, and how much where that is known.
fn missed(out: &mut Vec<u8>, count: Option<u64>) {
    out.extend_from_slice(format!("event: missed\ndata: {}\n\n", json!({ "missed": count })).as_bytes());
}

impl Follow for Feed {
    fn tell(&mut self, told: &mut Vec<u8>) {
        told.append(&mut self.first);
        let taken = self.following.take();
        if taken.missed > 0 {
            missed(told, Some(taken.missed));
        }
        for news in std::mem::take(&mut self.missing) {
            if let News::Happened(event) = &*news {
                self.happened(event, told);
            }
            self.replayed.push(news);
        }
        for news in taken.items {
            if matches!(&*news, News::Gap) {
                missed(told, None);
            }
            let News::Happened(event) = &*news else { continue };
            // News come in one order: behind the first that is new there is nothing old.
            if !self.replayed.iter().any(|old| Arc::ptr_eq(old, &news)) {
                self.replayed.clear();
                self.happened(event, told);
            }
        }
    }
}

impl AsFd for Feed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.following.as_fd()
    }
}
