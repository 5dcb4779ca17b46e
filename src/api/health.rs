//! Is the agent alive, and is it ready?

use super::route::{Access, Agent, Desk, Outcome, Response, Route};
use super::tunnel::{Standing, Tunnel};
use crate::clock;
use crate::http::{Method, Request, Status};
use crate::version::VERSION;

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
    /// Why there is no controller, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Only while records cannot be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<&'static str>,
}

fn alive(desk: &mut Desk<'_>, _: Request<'_>) -> Outcome {
    Ok(Response::json(Status::OK, &living(desk.agent)))
}

/// What `/health` says, as a line for whoever asks in another way.
pub(crate) fn pulse(agent: &Agent) -> Vec<u8> {
    // Our own type holds nothing that JSON cannot.
    let mut line = serde_json::to_vec(&living(agent)).unwrap_or_default();
    line.push(b'\n');
    line
}

fn living(agent: &Agent) -> Health {
    health(agent, "ok", "unknown", agent.tunnel.as_ref().map(Tunnel::standing))
}

fn ready(desk: &mut Desk<'_>, _: Request<'_>) -> Outcome {
    let (status, health) = readiness(desk.agent, desk.agent.docker.is_ready());
    Ok(Response::json(status, &health))
}

/// Ready with an Engine that answers and, in edge mode, a controller that is there.
fn readiness(agent: &Agent, answers: bool) -> (Status, Health) {
    // Looked at once: what is said of it and what follows from it agree.
    let standing = agent.tunnel.as_ref().map(Tunnel::standing);
    let is_linked = standing.as_ref().is_none_or(|standing| *standing == Standing::Connected);
    // Where nothing is done that is not recorded, an agent that cannot record does nothing.
    let records = !(agent.trail.required() && agent.trail.is_failing());
    let is_ready = answers && is_linked && records;
    let (code, status) =
        if is_ready { (Status::OK, "healthy") } else { (Status::UNAVAILABLE, "unhealthy") };
    let docker = if answers { "connected" } else { "disconnected" };
    (code, Health { ready: is_ready, ..health(agent, status, docker, standing) })
}

fn health(
    agent: &Agent,
    status: &'static str,
    docker: &'static str,
    standing: Option<Standing>,
) -> Health {
    let (mode, controller, reason) = match standing {
        None => ("standard", "not_applicable", None),
        Some(Standing::Connected) => ("edge", "connected", None),
        Some(Standing::New) => ("edge", "disconnected", None),
        Some(Standing::Apart(why)) => ("edge", "disconnected", Some(why)),
    };
    Health {
        status,
        live: true,
        ready: false,
        mode,
        version: VERSION,
        uptime_seconds: clock::now().saturating_duration_since(agent.started).as_secs_f64(),
        docker,
        controller,
        reason,
        audit: agent.trail.is_failing().then_some("failing"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::route::Adapter;

    fn told(agent: &Agent, answers: bool) -> (u16, Value) {
        let (status, health) = readiness(agent, answers);
        (status.0, serde_json::to_value(health).unwrap())
    }

    #[test]
    fn in_edge_mode_an_agent_is_ready_with_its_engine_and_its_controller_only() {
        let mut agent = Agent::specimen(Adapter::Drydock, "/no/such/engine".into());
        assert_eq!((told(&agent, true).0, told(&agent, false).0), (200, 503));
        agent.tunnel = Some(Tunnel::new());
        let tunnel = agent.tunnel.as_ref().unwrap();
        let is = |is_linked: bool, reason: Option<&str>| {
            for answers in [true, false] {
                let is_ready = answers && is_linked;
                let (code, health) = told(&agent, answers);
                assert_eq!(code, if is_ready { 200 } else { 503 });
                assert_eq!((&health["ready"], &health["live"]), (&json!(is_ready), &json!(true)));
                assert_eq!(health["status"], if is_ready { "healthy" } else { "unhealthy" });
                assert_eq!(health["docker"], if answers { "connected" } else { "disconnected" });
                assert_eq!(health["controller"], if is_linked { "connected" } else { "disconnected" });
                assert_eq!((&health["mode"], health.get("reason")), (&json!("edge"), reason.map(Value::from).as_ref()));
            }
        };
        is(false, None);
        tunnel.connected();
        is(true, None);
        tunnel.lost("it went away".to_owned());
        is(false, Some("it went away"));
    }

    #[test]
    fn a_pulse_is_one_line_of_what_health_says_and_never_asks_the_engine() {
        let mut agent = Agent::specimen(Adapter::Drydock, "/no/such/engine".into());
        let standard: Value = serde_json::from_slice(&pulse(&agent)).unwrap();
        assert_eq!((&standard["status"], &standard["docker"]), (&json!("ok"), &json!("unknown")));
        assert_eq!((&standard["mode"], &standard["controller"]), (&json!("standard"), &json!("not_applicable")));
        assert_eq!(standard.get("reason"), None);
        agent.tunnel = Some(Tunnel::new());
        agent.tunnel.as_ref().unwrap().rejected("unknown-key", "line\nbreak");
        let line = String::from_utf8(pulse(&agent)).unwrap();
        assert_eq!(line.find('\n'), Some(line.len() - 1));
        let edge: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&edge["status"], &edge["mode"]), (&json!("ok"), &json!("edge")));
        assert_eq!(edge["reason"], "the controller refuses this agent: unknown-key: line\nbreak");
    }
}
