//! Containers on the page: how many there are in each state, and what the running ones use.

use super::counts::Tally;
use super::families::{
    CONTAINER_CPU, CONTAINER_MEMORY, CONTAINER_MEMORY_LIMIT, CONTAINER_READ, CONTAINER_RECEIVED,
    CONTAINER_SENT, CONTAINER_THREADS, CONTAINER_THREADS_MAX, CONTAINER_WORKING_SET, CONTAINER_WRITTEN,
    CONTAINERS, Family,
};
use super::statistics::Statistics;
use super::text::{Number, Page};
use crate::limits::METRICS_CONTAINERS_MAX;

/// The states an Engine knows.
const STATES: [&str; 8] =
    ["created", "running", "paused", "restarting", "removing", "exited", "dead", "other"];

/// Every state with its containers, and with 0 where there are none.
pub(crate) fn write_states<'s>(page: &mut Page, states: impl Iterator<Item = &'s str>) {
    let tally = Tally::new(&STATES);
    states.for_each(|state| tally.up(state));
    let mut series = page.family(&CONTAINERS);
    for (state, count) in tally.each() {
        series.add(&[state], count);
    }
}

/// A container and what it uses.
pub(crate) struct Measured<'c> {
    pub(crate) id: &'c str,
    /// With or without the slash that the Engine puts before it.
    pub(crate) name: &'c str,
    /// As the Engine lists it.
    pub(crate) image: &'c str,
    pub(crate) statistics: &'c Statistics,
}

/// What a family says of a container, given all memory of the Engine's machine.
type Figure = fn(&Measured<'_>, u64) -> Option<Number>;

/// A family and what it says of a container.
const FIGURES: &[(&Family, Figure)] = &[
    (&CONTAINER_CPU, |one, _| Some(one.statistics.spent().into())),
    (&CONTAINER_MEMORY, |one, _| one.statistics.memory().map(Number::from)),
    (&CONTAINER_WORKING_SET, |one, _| one.statistics.working_set().map(Number::from)),
    (&CONTAINER_MEMORY_LIMIT, |one, machine| one.statistics.memory_limit(machine).map(Number::from)),
    (&CONTAINER_RECEIVED, |one, _| one.statistics.network().map(|bytes| bytes.inward.into())),
    (&CONTAINER_SENT, |one, _| one.statistics.network().map(|bytes| bytes.outward.into())),
    (&CONTAINER_READ, |one, _| one.statistics.block_devices().map(|bytes| bytes.inward.into())),
    (&CONTAINER_WRITTEN, |one, _| one.statistics.block_devices().map(|bytes| bytes.outward.into())),
    (&CONTAINER_THREADS, |one, _| one.statistics.tasks().map(Number::from)),
    (&CONTAINER_THREADS_MAX, |one, _| one.statistics.tasks_limit().map(Number::from)),
];

/// The first so many of them, family by family. `machine` is all memory of the Engine's machine.
pub(crate) fn write_measured(page: &mut Page, measured: &[Measured<'_>], machine: u64) {
    for (family, figure) in FIGURES {
        let mut series = page.family(family);
        for one in measured.iter().take(METRICS_CONTAINERS_MAX) {
            let name = one.name.strip_prefix('/').unwrap_or(one.name);
            let name = if name.is_empty() { one.id } else { name };
            if let Some(number) = figure(one, machine) {
                series.add(&[one.id, name, one.image], number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::check::Checked;
    use crate::metrics::specimens::first_generation;

    fn statistics() -> Statistics {
        Statistics::read(first_generation().to_string().as_bytes()).unwrap()
    }

    fn one<'c>(id: &'c str, name: &'c str, statistics: &'c Statistics) -> Measured<'c> {
        Measured { id, name, image: "bb:1", statistics }
    }

    fn told(measured: &[Measured<'_>]) -> Checked {
        told_on(1 << 40, measured)
    }

    fn told_on(machine: u64, measured: &[Measured<'_>]) -> Checked {
        let mut page = Page::default();
        write_measured(&mut page, measured, machine);
        Checked::of(&page.finish())
    }

    #[test]
    fn every_state_is_told_and_unknown_ones_together() {
        let mut page = Page::default();
        let states = ["running", "exited", "running", "stopping", ""];
        write_states(&mut page, states.into_iter());
        let told = Checked::of(&page.finish());
        for (state, count) in [("running", 2.0), ("exited", 1.0), ("paused", 0.0), ("other", 2.0)] {
            assert_eq!(told.number(&format!("lookout_containers{{state=\"{state}\"}}")), count);
        }
        assert_eq!(told.family("lookout_containers").len(), STATES.len());
    }

    #[test]
    fn a_container_is_told_by_every_family() {
        let told = told(&[one("aec2", "/web", &statistics())]);
        for (name, number) in [
            ("container_cpu_usage_seconds_total", 1.565_334_852),
            ("container_memory_usage_bytes", 9_326_592.0),
            ("container_memory_working_set_bytes", 937_984.0),
            ("container_network_receive_bytes_total", 1113.0),
            ("container_network_transmit_bytes_total", 9.0),
            ("container_fs_reads_bytes_total", 4097.0),
            ("container_fs_writes_bytes_total", 512.0),
            ("container_threads", 2.0),
            ("container_threads_max", 50.0),
        ] {
            let series = format!("{name}{{id=\"aec2\",name=\"web\",image=\"bb:1\"}}");
            assert_eq!(told.number(&series), number, "{name}");
        }
    }

    #[test]
    fn a_limit_that_is_none_has_no_series() {
        let (statistics, family) = (statistics(), "container_spec_memory_limit_bytes");
        let on = |machine| told_on(machine, &[one("a", "b", &statistics)]).family(family).len();
        assert_eq!((on(67_108_864), on(67_108_865)), (0, 1));
    }

    #[test]
    fn a_container_without_a_name_has_its_id_for_one_and_the_same_stands_once() {
        let statistics = statistics();
        let told =
            told(&[one("a", "", &statistics), one("a", "/", &statistics), one("b", "\"}\n", &statistics)]);
        assert_eq!(
            told.family("container_threads"),
            [
                "container_threads{id=\"a\",name=\"a\",image=\"bb:1\"}",
                "container_threads{id=\"b\",name=\"\\\"}\\n\",image=\"bb:1\"}"
            ]
        );
    }

    #[test]
    fn so_many_containers_and_no_more_are_told() {
        let statistics = statistics();
        let ids: Vec<String> =
            (0..METRICS_CONTAINERS_MAX + 5).map(|number| format!("{number:064x}")).collect();
        let rows: Vec<_> = ids.iter().map(|id| one(id, "n", &statistics)).collect();
        assert_eq!(told(&rows).family("container_threads").len(), METRICS_CONTAINERS_MAX);
        assert_eq!(told(&[]).family("container_threads").len(), 0);
    }
}
