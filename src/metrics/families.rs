//! The table of every family of series: its name, what it is, its labels, what it means.

/// What a family's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only grows, until the process starts anew.
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Series of one name. None is written but of one of these.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [&'static str],
    pub(crate) meaning: &'static str,
}

/// What names a container.
const CONTAINER: &[&str] = &["id", "name", "image"];

/// Writes each row once: as a static of its own, which the code writes by, and as a row of `TABLE`.
macro_rules! families {
    ($($constant:ident: $kind:ident $name:literal $labels:expr, $meaning:literal;)+) => {
        $(
            pub(crate) static $constant: Family =
                Family { name: $name, kind: Kind::$kind, labels: $labels, meaning: $meaning };
        )+

        #[cfg(test)]
        pub(crate) static TABLE: &[&Family] = &[$(&$constant,)+];
    };
}

families! {
    BUILD_INFO: Gauge "lookout_build_info" &["version"], "The agent's version; always 1";
    UPTIME: Gauge "lookout_uptime_seconds" &[], "Time since the agent started";
    REQUESTS: Counter "lookout_http_requests_total" &["method", "code"],
        "Requests that were answered, other than those for health";
    REQUEST_TIMES: Histogram "lookout_http_request_duration_seconds" &[],
        "From a request's head to its answer's end, where it was let in";
    IN_FLIGHT: Gauge "lookout_http_requests_in_flight" &[], "Requests whose answer has not ended";
    AUTH_FAILURES: Counter "lookout_auth_failures_total" &["reason"],
        "Requests whose credential was not accepted";
    RATE_LIMITED: Counter "lookout_rate_limited_total" &[], "Requests refused for too many failures before";
    PERMITS_IN_USE: Gauge "lookout_permits_in_use" &["pool"], "Places that are taken";
    PERMITS_LIMIT: Gauge "lookout_permits_limit" &["pool"], "Places that there are";
    PANICS: Counter "lookout_panics_total" &[], "Threads that ended by a fault of the agent's";
    RELOAD_FAILURES: Counter "lookout_authorized_keys_reload_failures_total" &[],
        "Reloads of keys and certificates that were refused";
    EDGE_CONNECTED: Gauge "lookout_edge_connected" &[], "Whether the controller has welcomed the agent: 1 or 0";
    EDGE_SESSIONS: Counter "lookout_edge_sessions_total" &[], "Times that a controller welcomed the agent";
    EDGE_FAILURES: Counter "lookout_edge_connect_failures_total" &["reason"],
        "Attempts to reach a controller that ended without a welcome";
    EDGE_MALFORMED: Counter "lookout_edge_malformed_messages_total" &[],
        "Messages of a controller that could not be read";
    EDGE_STALLS: Counter "lookout_edge_stalls_total" &[],
        "Connections ended because the controller took nothing";
    EDGE_MESSAGES: Counter "lookout_edge_messages_total" &["direction"],
        "Messages from and to a controller";
    EDGE_BYTES: Counter "lookout_edge_bytes_total" &["direction"],
        "Bytes of messages from and to a controller";
    AUDIT_RECORDS: Counter "lookout_audit_records_total" &[], "Records of the audit trail that were written";
    AUDIT_FAILURES: Counter "lookout_audit_failures_total" &[],
        "Attempts to write the audit trail that failed";
    AUDIT_SEQUENCE: Gauge "lookout_audit_chain_sequence" &[],
        "Number of the chain's last record; 0 without a chain";
    AUDIT_SINK: Gauge "lookout_audit_sink_enabled" &[], "Whether the audit trail is written anywhere: 1 or 0";
    AUDIT_KEPT: Gauge "lookout_audit_buffer_records" &[], "Records of the audit trail kept in memory";
    AUDIT_CAPACITY: Gauge "lookout_audit_buffer_capacity" &[], "Records that are kept there at most";
    AUDIT_EXPORTS: Counter "lookout_audit_exports_total" &["outcome"],
        "Questions for those records by what became of them";
    PROCESS_CPU: Counter "process_cpu_seconds_total" &[], "Time the agent spent on processors";
    PROCESS_RESIDENT: Gauge "process_resident_memory_bytes" &[], "Memory the agent really holds";
    PROCESS_VIRTUAL: Gauge "process_virtual_memory_bytes" &[], "Addresses the agent has taken";
    PROCESS_THREADS: Gauge "process_threads" &[], "Threads of the agent";
    PROCESS_FDS: Gauge "process_open_fds" &[], "Files and sockets the agent has open";
    PROCESS_FDS_MAX: Gauge "process_max_fds" &[], "Files and sockets it may have open";
    PROCESS_START: Gauge "process_start_time_seconds" &[], "When the agent started, since 1970";
    HOST_CPU: Gauge "lookout_host_cpu_usage_percent" &[], "How busy the host's processors are, all together";
    HOST_MEMORY_TOTAL: Gauge "lookout_host_memory_total_bytes" &[], "Memory of the host";
    HOST_MEMORY_USED: Gauge "lookout_host_memory_used_bytes" &[], "Memory that is not available";
    HOST_DISK_TOTAL: Gauge "lookout_host_disk_total_bytes" &[],
        "Size of the file system with the Engine's data";
    HOST_DISK_USED: Gauge "lookout_host_disk_used_bytes" &[], "What of it is not free";
    HOST_RECEIVED: Counter "lookout_host_network_receive_bytes_total" &[],
        "Bytes the host's interfaces received";
    HOST_SENT: Counter "lookout_host_network_transmit_bytes_total" &[], "Bytes the host's interfaces sent";
    CONTAINERS: Gauge "lookout_containers" &["state"], "Containers of the Engine";
    SCRAPE_CONTAINERS: Gauge "lookout_scrape_containers" &["outcome"],
        "Running containers by what became of their statistics on this page";
    SCRAPE_TIME: Gauge "lookout_scrape_duration_seconds" &[], "Time it took to gather this page";
    CONTAINER_CPU: Counter "container_cpu_usage_seconds_total" CONTAINER, "Time spent on processors";
    CONTAINER_MEMORY: Gauge "container_memory_usage_bytes" CONTAINER, "Memory in use, cached files included";
    CONTAINER_WORKING_SET: Gauge "container_memory_working_set_bytes" CONTAINER,
        "Memory in use, without cached files that nobody looks at";
    CONTAINER_MEMORY_LIMIT: Gauge "container_spec_memory_limit_bytes" CONTAINER,
        "Memory it may use, where that is limited";
    CONTAINER_RECEIVED: Counter "container_network_receive_bytes_total" CONTAINER,
        "Bytes its interfaces received";
    CONTAINER_SENT: Counter "container_network_transmit_bytes_total" CONTAINER, "Bytes its interfaces sent";
    CONTAINER_READ: Counter "container_fs_reads_bytes_total" CONTAINER, "Bytes read from block devices";
    CONTAINER_WRITTEN: Counter "container_fs_writes_bytes_total" CONTAINER, "Bytes written to block devices";
    CONTAINER_THREADS: Gauge "container_threads" CONTAINER, "Processes and threads";
    CONTAINER_THREADS_MAX: Gauge "container_threads_max" CONTAINER,
        "Processes and threads it may have, where that is limited";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_stands_once() {
        let names: BTreeSet<_> = TABLE.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), TABLE.len());
    }

    #[test]
    fn a_name_says_what_it_counts() {
        let rooms = ["lookout_", "container_", "process_"];
        for Family { name, kind, labels, meaning } in TABLE {
            assert!(rooms.iter().any(|room| name.starts_with(room)), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!((10..=72).contains(&meaning.len()) && !meaning.ends_with('.'), "{name}");
            assert!(!meaning.contains(['\n', '\\']), "{name}");
            assert!(labels.len() <= 3 && !labels.contains(&"le"), "{name}");
        }
    }

    #[test]
    fn the_documentation_lists_every_family() {
        let text = include_str!("../../docs/metrics.md");
        let (_, rest) = text.split_once("<!-- metrics -->\n").unwrap();
        let (table, _) = rest.split_once("<!-- /metrics -->").unwrap();
        let mut lines =
            vec!["| name | kind | labels | what it is |".to_owned(), "| --- | --- | --- | --- |".to_owned()];
        for Family { name, kind, labels, meaning } in TABLE {
            let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
            lines.push(format!("| `{name}` | {} | {} | {meaning} |", kind.as_str(), labels.join(" ")));
        }
        assert_eq!(table.lines().collect::<Vec<_>>(), lines, "the table should be:\n{}", lines.join("\n"));
    }

    /// The names that others read; a row that is dropped or renamed is seen here.
    #[test]
    fn the_table_is_complete() {
        let mut names: Vec<_> = TABLE.iter().map(|family| family.name).collect();
        names.sort_unstable();
        let expected = "container_cpu_usage_seconds_total container_fs_reads_bytes_total \
            container_fs_writes_bytes_total container_memory_usage_bytes \
            container_memory_working_set_bytes container_network_receive_bytes_total \
            container_network_transmit_bytes_total container_spec_memory_limit_bytes container_threads \
            container_threads_max lookout_audit_buffer_capacity lookout_audit_buffer_records \
            lookout_audit_chain_sequence lookout_audit_exports_total lookout_audit_failures_total \
            lookout_audit_records_total lookout_audit_sink_enabled lookout_auth_failures_total lookout_authorized_keys_reload_failures_total lookout_build_info \
            lookout_containers lookout_edge_bytes_total lookout_edge_connect_failures_total \
            lookout_edge_connected lookout_edge_malformed_messages_total lookout_edge_messages_total \
            lookout_edge_sessions_total lookout_edge_stalls_total lookout_host_cpu_usage_percent lookout_host_disk_total_bytes \
            lookout_host_disk_used_bytes lookout_host_memory_total_bytes lookout_host_memory_used_bytes \
            lookout_host_network_receive_bytes_total lookout_host_network_transmit_bytes_total \
            lookout_http_request_duration_seconds lookout_http_requests_in_flight \
            lookout_http_requests_total lookout_panics_total lookout_permits_in_use \
            lookout_permits_limit lookout_rate_limited_total lookout_scrape_containers \
            lookout_scrape_duration_seconds lookout_uptime_seconds process_cpu_seconds_total \
            process_max_fds process_open_fds process_resident_memory_bytes process_start_time_seconds \
            process_threads process_virtual_memory_bytes";
        assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
    }
}
