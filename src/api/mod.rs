//! Everything a caller can ask for. One file per family; each owns its `ROUTES`.

mod bounds;
mod containers;
#[cfg(test)]
mod contract;
mod errand;
mod exchange;
mod failure;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod inquiry;
mod machine;
mod reserved;
mod round;
mod route;
mod taped;
mod telling;
mod tunnel;

pub(crate) use drydock::{Tidings, component_sync, tidings};
pub(crate) use errand::{Caller, Doors};
pub(crate) use exchange::Exchange;
pub(crate) use failure::Failure;
pub(crate) use health::pulse;
pub(crate) use route::{
    About, Access, Adapter, Agent, Beat, Desk, Follow, Reply, Response, Route, Sift, Surface,
};
pub(crate) use taped::Taped;
pub(crate) use tunnel::{Tunnel, streams};

use crate::audit::NotWritten;
use crate::auth::{self, Bodies, Denied, Principal};
use crate::clock::Deadline;
use crate::docker;
use crate::http::pattern::matches;
use crate::http::{Method, Request};
use crate::limits::{AUDIT_DETAIL_BYTES_MAX, HELD_BODY_SECS};
use crate::log::{self, text};
use crate::policy::{self, Permitted, Refused, engine};
use route::Outcome;

macro_rules! families {
    ($($family:ident),+ $(,)?) => {
        $(mod $family;)+
        /// Every family's routes, in the order they are listed; the first match wins.
        const FAMILIES: &[&[Route]] = &[$($family::ROUTES),+];
    };
}
families! { health, info, metrics, audit, compose, mcp, drydock, generic, enroll, proxy }

/// What can be found of those where only the agent itself is looked after.
const OPERATIONS: &[&[Route]] = &[health::ROUTES, metrics::ROUTES];

/// What can be found by who comes through a private door.
const ENGINE: &[&[Route]] = &[proxy::ROUTES];

/// Every route, for whoever lists them.
pub(crate) fn routes() -> impl Iterator<Item = &'static Route> {
    FAMILIES.iter().copied().flatten()
}

/// Looks a request up. Unknown paths are the Engine's, so a stranger learns nothing from them.
fn find(method: Method, path: &str, adapter: Adapter, surface: Surface) -> &'static Route {
    // What is there to GET is there to HEAD.
    let wanted = if method == Method::Head { Method::Get } else { method };
    let mut is_ours = false;
    let families = match surface {
        Surface::Whole => FAMILIES,
        Surface::Operations => OPERATIONS,
        Surface::Engine => ENGINE,
    };
    for route in
        families.iter().copied().flatten().filter(|route| route.adapter.is_none_or(|only| only == adapter))
    {
        match route.access {
            Access::Engine(_) if is_ours => return &reserved::WRONG_METHOD,
            Access::Engine(_) if reserved::PREFIXES.iter().any(|prefix| path.starts_with(prefix)) => {
                return &reserved::NO_SUCH_ROUTE;
            }
            Access::Engine(_) => return route,
            Access::Public(_) | Access::Guarded(..) if !matches(route.path, path) => {}
            Access::Public(_) | Access::Guarded(..) if route.method == wanted => return route,
            Access::Public(_) | Access::Guarded(..) => is_ours = true,
        }
    }
    if is_ours { &reserved::WRONG_METHOD } else { &reserved::NO_SUCH_ROUTE }
}

/// The methods a path of ours knows, as an Allow field lists them.
fn allow(path: &str) -> String {
    let mut methods = Vec::new();
    for route in
        routes().filter(|route| !matches!(route.access, Access::Engine(_)) && matches(route.path, path))
    {
        methods.push(route.method.as_str());
        if route.method == Method::Get {
            methods.push(Method::Head.as_str());
        }
    }
    methods.join(", ")
}

/// The whole middle: look up, authenticate, permit, run. Every transport calls it, and holds the
/// flight until the answer has ended.
pub(crate) fn answer(desk: &mut Desk<'_>, request: Request<'_>, exchange: &mut Exchange<'_>) -> Response {
    let (method, path, peer) = (request.head.method, request.head.target.path(), request.peer);
    let route = find(method, path, desk.agent.about.adapter, desk.surface);
    log::debug("request", &[("peer", text(&peer)), ("method", text(&method)), ("path", text(&path))]);
    if !health::is_one(route) {
        exchange.begins(desk, &request);
    }
    let outcome = match exchange.must_not_be(route) {
        true => Err(Failure::NotRecorded),
        false => judge(desk, route, request, exchange),
    };
    let response = outcome.unwrap_or_else(|failure| {
        exchange.failed(&failure);
        if matches!(failure, Failure::Forged) {
            desk.gate.note_forgery(peer);
        }
        telling::tell(&failure, route, method, peer);
        telling::count(&failure, &desk.agent.metrics);
        failure.response()
    });
    match exchange.answered(method.as_str(), &response) {
        Err(NotWritten) if desk.agent.trail.required() => Failure::NotRecorded.response(),
        Ok(()) | Err(NotWritten) => response,
    }
}

fn judge(
    desk: &mut Desk<'_>,
    route: &'static Route,
    request: Request<'_>,
    exchange: &mut Exchange<'_>,
) -> Outcome {
    if !is_allowed_origin(desk.agent, &request) {
        return Err(Failure::ForeignOrigin);
    }
    if auth::is_in_query(&request) {
        return Err(Failure::CredentialInQuery);
    }
    let (class, bodies) = match route.access {
        Access::Public(run) => {
            exchange.flight.let_in();
            let outcome = run(desk, request);
            if let Some(key) = desk.enrolled.take() {
                exchange.enrolled(key.to_string());
            }
            return outcome;
        }
        Access::Guarded(class, _) => (class, Bodies::Hold),
        Access::Engine(_) => {
            let row = engine::classify(request.head.method, request.head.target.path());
            let streams = row.takes_archive() && request.head.upgrade.is_none();
            (row.class, if streams { Bodies::Stream } else { Bodies::Hold })
        }
    };
    let peer = request.peer;
    let mut known = desk.gate.admit(desk.pass, request, bodies)?;
    let mark = known.principal().mark();
    (desk.on_admitted)(mark);
    exchange.admitted(known.principal());
    if !desk.gate.confirms(desk.pass, mark) {
        return Err(Failure::Denied(Denied::Ended));
    }
    let on_watched =
        |by: &Principal, why: &Refused| telling::tell_refused("policy.would_deny", by, why, peer);
    match route.access {
        Access::Guarded(_, run) => {
            let permitted = match reserved::is_one(route) {
                true => policy::permit_known(known),
                false => policy::permit(known, class, &on_watched)?,
            };
            telling::tell_permitted(permitted.principal(), class);
            exchange.permitted(class.name());
            desk.request_id = exchange.request_id();
            run(desk, permitted)
        }
        Access::Engine(run) => {
            if exchange.tells_bodies() {
                let deadline = Deadline::after_secs(HELD_BODY_SECS);
                let document = known.document(AUDIT_DETAIL_BYTES_MAX, deadline);
                exchange.held(document.map_err(docker::Error::Body)?.unwrap_or_default());
            }
            let wanted = taped::wanted(&mut known)?;
            let (permitted, ruling) = policy::permit_engine(known, &on_watched)?;
            telling::tell_permitted(permitted.principal(), class);
            exchange.permitted(class.name());
            let container = record_command(desk, &permitted, exchange)?;
            let taped = wanted.map(|wanted| wanted.begin(desk, exchange, container)).transpose()?;
            let response = run(desk, permitted, ruling)?;
            match taped {
                Some(taped) => taped.onto(response),
                None => Ok(response),
            }
        }
        Access::Public(_) => Err(Failure::NoSuchRoute),
    }
}

/// The start of a command has a record of its own, before it is passed on: of which container it is
/// one, only the Engine knows, and it is told.
fn record_command(
    desk: &mut Desk<'_>,
    permitted: &Permitted<Request<'_>>,
    exchange: &Exchange<'_>,
) -> Result<String, Failure> {
    let head = &permitted.inner().head;
    let is_start = head.method == Method::Post
        && engine::classify(head.method, head.target.path()).pattern == "/exec/{}/start";
    if !is_start {
        return Ok(String::new());
    }
    let id = head.target.path().rsplit('/').nth(1).unwrap_or_default();
    let container = match exchange.is_kept() {
        true => containers::of_command(desk, id).unwrap_or_default(),
        false => String::new(),
    };
    match exchange.starts_command(id, container.clone()) {
        Err(NotWritten) if desk.agent.trail.required() => Err(Failure::NotRecorded),
        Ok(()) | Err(NotWritten) => Ok(container),
    }
}

/// A browser names the page that made it call. Pages the operator did not list are refused on
/// every route: none of them has business with an agent.
fn is_allowed_origin(agent: &Agent, request: &Request<'_>) -> bool {
    let mut origins = request.head.values("origin");
    origins.all(|origin| {
        agent.allowed_origins.iter().any(|allowed| allowed.as_bytes().eq_ignore_ascii_case(origin))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_these_routes_are_public() {
        let public: Vec<_> = routes()
            .filter(|route| matches!(route.access, Access::Public(_)))
            .map(|route| route.path)
            .collect();
        assert_eq!(public, ["/health", "/ready", "/_lookout/health", "/api/lookout/enroll"]);
    }

    #[test]
    fn a_request_finds_its_route() {
        for (method, path, label) in [
            (Method::Get, "/health", "health"),
            (Method::Head, "/health", "health"),
            (Method::Post, "/health", "wrong_method"),
            (Method::Delete, "/_lookout/health", "wrong_method"),
            (Method::Get, "/_lookout/nothing", "no_such_route"),
            (Method::Get, "/_lookout/", "no_such_route"),
            (Method::Post, "/api/lookout/enroll", "enroll"),
            (Method::Get, "/api/lookout/enroll", "wrong_method"),
            (Method::Post, "/api/lookout/enrol", "no_such_route"),
            (Method::Get, "/health/", "engine"),
            (Method::Get, "/_lookoutx", "engine"),
            (Method::Delete, "/containers/x", "engine"),
        ] {
            assert_eq!(find(method, path, Adapter::Drydock, Surface::Whole).label, label, "{method} {path}");
        }
    }

    #[test]
    fn who_looks_after_the_agent_finds_health_and_figures_and_nothing_else() {
        for (method, path, label) in [
            (Method::Get, "/health", "health"),
            (Method::Head, "/ready", "ready"),
            (Method::Get, "/_lookout/health", "ready"),
            (Method::Get, "/metrics", "metrics"),
            (Method::Get, "/_lookout/metrics", "metrics"),
            (Method::Post, "/metrics", "wrong_method"),
        ] {
            assert_eq!(
                find(method, path, Adapter::Drydock, Surface::Operations).label,
                label,
                "{method} {path}"
            );
        }
        let others = routes().filter(|route| !["health", "ready", "metrics"].contains(&route.label));
        let others = others.map(|route| (route.method, route.path));
        let engines = [(Method::Get, "/containers/json"), (Method::Post, "/build"), (Method::Get, "/_ping")];
        for (method, path) in others.chain(engines) {
            for adapter in [Adapter::Drydock, Adapter::Generic] {
                let found = find(method, path, adapter, Surface::Operations).label;
                assert_eq!(found, "no_such_route", "{method} {path}");
            }
        }
    }

    #[test]
    fn a_wrong_method_is_told_the_right_ones() {
        assert_eq!(allow("/ready"), "GET, HEAD");
    }

    #[test]
    fn the_engine_is_asked_last() {
        let last = FAMILIES.last().unwrap().last().unwrap();
        assert!(matches!(last.access, Access::Engine(_)));
        assert_eq!(routes().filter(|route| matches!(route.access, Access::Engine(_))).count(), 1);
    }
    #[test]
    fn the_readme_lists_every_route_of_ours() {
        let readme = include_str!("../../README.md");
        let (_, rest) = readme.split_once("<!-- routes -->\n").unwrap();
        let (table, _) = rest.split_once("<!-- /routes -->").unwrap();
        let mut lines =
            vec!["| method | path | who | what |".to_owned(), "| --- | --- | --- | --- |".to_owned()];
        for route in routes() {
            let who = match route.access {
                Access::Public(_) => "public".to_owned(),
                Access::Guarded(class, _) => class.to_string(),
                Access::Engine(_) => continue,
            };
            lines.push(format!("| {} | `{}` | {who} | {} |", route.method, route.path, route.about));
        }
        assert_eq!(table.lines().collect::<Vec<_>>(), lines);
    }
}
