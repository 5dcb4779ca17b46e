//! Figures for Prometheus: of the agent, of this machine, and of the containers.

use super::machine;
use super::round::{Row, Usage};
use super::route::{Access, Agent, Desk, Outcome, Reply, Response, Route};
use crate::auth::Grant;
use crate::clock::{self, Deadline};
use crate::host::Process;
use crate::http::{Method, Request, Status};
use crate::limits::{FEEDS_MAX, SCRAPE_SECS};
use crate::metrics::{
    CONTENT_TYPE, Measured, Now, Page, Pool, Scrape, write_measured, write_states, write_took,
};
use crate::policy::{Class, Permitted};
use crate::threads;
use crate::version::VERSION;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/metrics",
        label: "metrics",
        about: "Figures of agent, host and containers, for Prometheus.",
        access: Access::Guarded(Class::Metrics, metrics),
        adapter: None,
    },
    Route {
        method: Method::Get,
        path: "/_lookout/metrics",
        label: "metrics",
        about: "The same as /metrics.",
        access: Access::Guarded(Class::Metrics, metrics),
        adapter: None,
    },
];

fn metrics(desk: &mut Desk<'_>, ask: Permitted<Request<'_>>) -> Outcome {
    let (began, within) = (clock::now(), Deadline::after_secs(SCRAPE_SECS));
    let ((_, by), agent) = (ask.into_parts(), desk.agent);
    let round = agent.rounds.latest(&agent.docker, within);
    if round.is_some() {
        machine::learn(agent, within);
    }
    let sample = agent.host.sample();
    let mut page = Page::default();
    write_agent(&mut page, agent);
    Process::read().write(&mut page);
    sample.write(&mut page);
    if let Some(rows) = &*round {
        let told = agent.engine_memory.get().copied().filter(|memory| *memory > 0);
        write_containers(&mut page, rows, by.grant(), told.unwrap_or(sample.memory_total));
    }
    write_took(&mut page, clock::now().saturating_duration_since(began));
    let mut response =
        Response { reply: Reply::Bytes(page.finish().into_bytes()), ..Response::empty(Status::OK) };
    response.fields.push("Content-Type", CONTENT_TYPE.as_bytes());
    Ok(response)
}

/// What the agent counts, and how much of it is in use.
fn write_agent(page: &mut Page, agent: &Agent) {
    let mut pools = agent.places();
    pools.push(Pool { name: "feeds", taken: agent.inventory.followers(), max: FEEDS_MAX });
    let now = Now {
        version: VERSION,
        uptime: clock::now().saturating_duration_since(agent.started),
        panics: threads::panics(),
        pools: &pools,
    };
    agent.metrics.write(page, &now);
    agent.trail.write_metrics(page);
    if let Some(tunnel) = &agent.tunnel {
        tunnel.write(page);
    }
}

/// The containers that the caller may see: how many there are, and what those that run use.
fn write_containers(page: &mut Page, rows: &[Row], grant: &Grant, machine: u64) {
    let rows: Vec<_> = rows.iter().filter(|row| row.is_in_reach(grant)).collect();
    write_states(page, rows.iter().map(|row| row.state.as_str()));
    let (mut scrape, mut measured) = (Scrape::default(), Vec::new());
    for row in rows {
        let count = match &row.usage {
            Usage::Idle => continue,
            Usage::Failed => &mut scrape.failed,
            Usage::Omitted => &mut scrape.omitted,
            Usage::Measured(statistics) => {
                measured.push(Measured { id: &row.id, name: &row.name, image: &row.image, statistics });
                &mut scrape.measured
            }
        };
        *count = count.saturating_add(1);
    }
    write_measured(page, &measured, machine);
    scrape.write(page);
}

#[cfg(test)]
mod tests {
    use super::super::route::Adapter;
    use super::super::tunnel::Tunnel;
    use super::*;
    use crate::metrics::check::Checked;
    use crate::permits::Permits;

    fn told(agent: &Agent) -> Checked {
        let mut page = Page::default();
        write_agent(&mut page, agent);
        Checked::of(&page.finish())
    }

    #[test]
    fn the_link_to_a_controller_is_told_where_there_is_one() {
        let mut agent = Agent::specimen(Adapter::Drydock, "/no/such/engine".into());
        let is_there = |agent: &Agent| told(agent).names().iter().filter(|name| name.contains("_edge_")).count();
        assert_eq!(is_there(&agent), 0);
        agent.tunnel = Some(Tunnel::new());
        assert_eq!(is_there(&agent), 7);
        agent.tunnel.as_ref().unwrap().connected();
        assert_eq!(told(&agent).number("lookout_edge_connected"), 1.0);
    }

    #[test]
    fn places_of_one_kind_are_told_together_whichever_transport_has_them() {
        let agent = Agent::specimen(Adapter::Drydock, "/no/such/engine".into());
        let (one, other) = (Permits::new(4), Permits::new(3));
        let _places = [one.try_take().unwrap(), one.try_take().unwrap(), other.try_take().unwrap()];
        agent.add_pools([("signed_bodies", one), ("tunnel", Permits::new(1))]);
        agent.add_pools([("signed_bodies", other)]);
        let told = told(&agent);
        assert_eq!(told.number("lookout_permits_in_use{pool=\"signed_bodies\"}"), 3.0);
        assert_eq!(told.number("lookout_permits_limit{pool=\"signed_bodies\"}"), 7.0);
        assert_eq!(told.number("lookout_permits_limit{pool=\"tunnel\"}"), 1.0);
    }
}
