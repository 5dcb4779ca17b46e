//! Is the agent alive, and is it ready?

use super::route::{Access, Agent, Desk, Outcome, Response, Route};
use crate::clock;
use crate::http::{Method, Request, Status};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/health",
        label: "health",
        about: "The agent is alive. Never asks the Engine.",
        access: Access::Public(alive),
        adapter: None,
    },
    Route {
        method: Method::Get,
        path: "/ready",
        label: "ready",
        about: "The Engine answers; 503 when it does not.",
        access: Access::Public(ready),
        adapter: None,
    },
    Route {
        method: Method::Get,
        path: "/_lookout/health",
        label: "ready",
        about: "The same as /ready.",
        access: Access::Public(ready),
        adapter: None,
    },
];

/// Whether a route is one of these, which are asked so often that they are not counted.
pub(super) fn is_one(route: &Route) -> bool {
    ROUTES.iter().any(|known| known.path == route.path)
}

/// One object for all three; who reads only `status` is served too.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    status: &'static str,
    live: bool,
    ready: bool,
    mode: &'static str,
    version: &'static str,
    uptime_seconds: f64,
    docker: &'static str,
    controller: &'static str,
}

fn alive(desk: &mut Desk<'_>, _: Request<'_>) -> Outcome {
    Ok(Response::json(Status::OK, &health(desk.agent, "ok", false, "unknown")))
}

fn ready(desk: &mut Desk<'_>, _: Request<'_>) -> Outcome {
    Ok(if desk.agent.docker.is_ready() {
        Response::json(Status::OK, &health(desk.agent, "healthy", true, "connected"))
    } else {
        Response::json(Status::UNAVAILABLE, &health(desk.agent, "unhealthy", false, "disconnected"))
    })
}

fn health(agent: &Agent, status: &'static str, ready: bool, docker: &'static str) -> Health {
    Health {
        status,
        live: true,
        ready,
        mode: "standard",
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: clock::now().saturating_duration_since(agent.started).as_secs_f64(),
        docker,
        controller: "not_applicable",
    }
}
