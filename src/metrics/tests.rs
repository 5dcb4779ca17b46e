//! The whole page, as it is served.

use super::specimens::{first_generation, second_generation};
use super::*;
use check::Checked;

fn now() -> Now<'static> {
    Now {
        version: "1.2.3",
        uptime: Duration::from_millis(1500),
        panics: 1,
        pools: &[
            Pool { name: "connections", taken: 3, max: 1024 },
            Pool { name: "upgrades", taken: 0, max: 100 },
        ],
    }
}

/// Everything this room writes.
fn page(registry: &Registry, now: &Now<'_>) -> String {
    let mut page = Page::default();
    registry.write(&mut page, now);
    Link::new().write(&mut page, true);
    Trail::new().write(&mut page, &TrailNow { kept: 1, capacity: 2, has_sink: true, sequence: 3 });
    write_states(&mut page, ["running", "running"].into_iter());
    let statistics = [first_generation(), second_generation()]
        .map(|text| Statistics::read(text.to_string().as_bytes()).unwrap());
    let measured: Vec<_> = ["a", "b"]
        .into_iter()
        .zip(&statistics)
        .map(|(id, statistics)| Measured { id, name: "/n", image: "i", statistics })
        .collect();
    write_measured(&mut page, &measured, specimens::MACHINE);
    Scrape { measured: 2, failed: 1, omitted: 0 }.write(&mut page);
    write_took(&mut page, Duration::from_millis(20));
    page.finish()
}

#[test]
fn every_family_but_those_of_the_host_is_on_the_page_once() {
    let registry = Registry::new();
    let mut flight = registry.requests.flight();
    flight.counts();
    flight.answered("GET", 200);
    let checked = Checked::of(&page(&registry, &now()));
    let mut expected: Vec<_> = families::TABLE.iter().map(|family| family.name).collect();
    expected.retain(|name| !name.starts_with("process_") && !name.starts_with("lookout_host_"));
    expected.sort_unstable();
    assert_eq!(checked.names(), expected);
}

#[test]
fn what_is_counted_is_told() {
    let registry = Registry::new();
    for reason in ["bad_token", "bad_token", "replay", "rate_limited", "made up"] {
        registry.denied(reason);
    }
    registry.reload_failures.up();
    let checked = Checked::of(&page(&registry, &now()));
    for (series, number) in [
        ("lookout_build_info{version=\"1.2.3\"}", 1.0),
        ("lookout_uptime_seconds", 1.5),
        ("lookout_auth_failures_total{reason=\"bad_token\"}", 2.0),
        ("lookout_auth_failures_total{reason=\"replay\"}", 1.0),
        ("lookout_auth_failures_total{reason=\"other\"}", 1.0),
        ("lookout_auth_failures_total{reason=\"no_credentials\"}", 0.0),
        ("lookout_rate_limited_total", 1.0),
        ("lookout_permits_in_use{pool=\"connections\"}", 3.0),
        ("lookout_permits_limit{pool=\"upgrades\"}", 100.0),
        ("lookout_panics_total", 1.0),
        ("lookout_authorized_keys_reload_failures_total", 1.0),
        ("lookout_containers{state=\"running\"}", 2.0),
        ("lookout_scrape_containers{outcome=\"failed\"}", 1.0),
        ("lookout_scrape_duration_seconds", 0.02),
        ("container_threads{id=\"b\",name=\"n\",image=\"i\"}", 1.0),
    ] {
        assert!((checked.number(series) - number).abs() < 1e-9, "{series}");
    }
    assert_eq!(checked.family("lookout_auth_failures_total").len(), REASONS.len());
}

#[test]
fn what_is_not_there_is_not_told() {
    let checked = Checked::of(&page(&Registry::new(), &Now { pools: &[], ..now() }));
    let is_there = |part: &str| checked.names().iter().any(|name| name.contains(part));
    assert!(!is_there("permits") && !is_there("http_requests_total"));
    assert!(
        checked.family("container_spec_memory_limit_bytes").iter().all(|series| series.contains("id=\"a\""))
    );
}

#[test]
fn a_name_from_outside_stays_inside_its_label() {
    let statistics = Statistics::read(first_generation().to_string().as_bytes()).unwrap();
    let hostile = "x\"} 1\n# TYPE lookout_uptime_seconds counter\nlookout_uptime_seconds{a=\"\\";
    let mut page = Page::default();
    let measured = Measured { id: hostile, name: hostile, image: hostile, statistics: &statistics };
    write_measured(&mut page, &[measured], 0);
    let checked = Checked::of(&page.finish());
    assert!(checked.names().iter().all(|name| name.starts_with("container_")));
}

#[test]
fn the_examples_name_only_series_there_are() {
    let known: Vec<_> = families::TABLE.iter().map(|family| family.name).collect();
    for text in [
        include_str!("../../examples/prometheus/alerts.yml"),
        include_str!("../../examples/prometheus/grafana.json"),
    ] {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let series = words
            .filter(|word| ["lookout_", "container_", "process_"].iter().any(|room| word.starts_with(room)));
        let mut count = 0;
        for name in series {
            let name = name.strip_suffix("_bucket").unwrap_or(name);
            assert!(known.contains(&name), "{name} is no series of ours");
            count += 1;
        }
        assert!(count > 8, "the example names series at all");
    }
}
