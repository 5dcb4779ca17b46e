//! What the agent is, for its operator's tools.

use std::time::Duration;

use serde::Serialize;

use super::inquiry;
use super::route::{Access, Adapter, Desk, Outcome, Response, Route};
use crate::auth::Class;
use crate::clock;
use crate::http::{Method, Request, Status};
use crate::limits::JSON_ANSWER_BYTES_MAX;
use crate::policy::Permitted;
use crate::version::VERSION;

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::Get,
    path: "/_lookout/info",
    label: "info",
    about: "Versions, names and abilities of the agent.",
    access: Access::Guarded(Class::View, info),
    adapter: None,
}];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    version: &'static str,
    docker_version: String,
    mode: &'static str,
    uptime: String,
    hostname: &'a str,
    agent_id: &'a str,
    agent_name: &'a str,
    capabilities: Vec<&'static str>,
}

fn info(desk: &mut Desk<'_>, ask: Permitted<Request<'_>>) -> Outcome {
    let (_, by) = ask.into_parts();
    let docker_version = docker_version(desk, &by);
    let about = &desk.agent.about;
    let adapter: &[&str] = match about.adapter {
        Adapter::Drydock => &["dd:container-sync", "dd:logs"],
        Adapter::Generic => &["containers", "logs", "version"],
    };
    let told = Info {
        version: VERSION,
        docker_version,
        mode: if desk.agent.tunnel.is_some() { "edge" } else { "standard" },
        uptime: span(clock::now().saturating_duration_since(desk.agent.started)),
        hostname: &about.hostname,
        agent_id: about.id.as_deref().unwrap_or(""),
        agent_name: &about.name,
        capabilities: ["exec", "metrics", "events", "mcp"]
            .iter()
            .chain(desk.agent.compose.is_on().then_some(&"compose"))
            .chain(adapter)
            .copied()
            .collect(),
    };
    Ok(Response::json(Status::OK, &told))
}

/// `unknown` where the Engine does not answer: everything else is still worth telling.
fn docker_version(desk: &mut Desk<'_>, by: &crate::auth::Principal) -> String {
    #[derive(serde::Deserialize)]
    struct Version {
        #[serde(rename = "Version")]
        version: String,
    }
    let told = inquiry::document(desk, by, "/version", JSON_ANSWER_BYTES_MAX).ok();
    let version = told.and_then(|told| serde_json::from_slice::<Version>(&told).ok());
    version.map_or_else(|| "unknown".to_owned(), |version| version.version)
}

/// As Go programs write a duration: `1h2m3.45s`.
fn span(span: Duration) -> String {
    let (hours, minutes) = (span.as_secs() / 3600, span.as_secs() / 60 % 60);
    let seconds = format!("{}.{:02}s", span.as_secs() % 60, span.subsec_millis() / 10);
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_written_with_its_largest_unit_first() {
        for (millis, told) in [(1990, "1.99s"), (62_000, "1m2.00s"), (3_600_000, "1h0m0.00s")] {
            assert_eq!(span(Duration::from_millis(millis)), told);
        }
    }
}
