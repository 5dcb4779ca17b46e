//! The Engine's routes: method and path to class, and whether an answer may be long in coming.

use crate::http::Method::{self, Delete, Get, Head, Post, Put};
use crate::policy::Class::{
    self, Admin, Build, Create, Dump, Exec, Logs, Power, Pull, Push, Remove, Swarm, View,
};

/// One route of the Engine.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) method: Method,
    /// `{}` is one segment, `{*}` one or more: image references hold slashes.
    pub(crate) pattern: &'static str,
    pub(crate) class: Class,
    pub(crate) pace: Pace,
}

impl Row {
    /// Its body is an archive, of any size, rather than a document.
    pub(crate) fn takes_archive(&self) -> bool {
        let archives = ["/build", "/images/load", "/images/create", "/containers/{}/archive"];
        matches!(self.method, Post | Put) && archives.contains(&self.pattern)
    }
}

/// How long an answer takes by nature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Prompt,
    /// Its head comes when the work is done, however long that takes.
    Slow,
    /// Nor need it ever end: a followed log, events, statistics.
    Endless,
}

const fn row(method: Method, pattern: &'static str, class: Class) -> Row {
    Row { method, pattern, class, pace: Pace::Prompt }
}

const fn slow(method: Method, pattern: &'static str, class: Class) -> Row {
    Row { method, pattern, class, pace: Pace::Slow }
}

const fn endless(method: Method, pattern: &'static str, class: Class) -> Row {
    Row { method, pattern, class, pace: Pace::Endless }
}

/// A path that is no row: only who may do everything may ask, and nobody knows how long it takes.
const UNKNOWN: Row = slow(Get, "{*}", Admin);

/// Every route of the Engine; the first that matches counts.
pub(crate) const ROWS: &[Row] = &[
    row(Head, "/_ping", View),
    row(Get, "/_ping", View),
    row(Get, "/version", View),
    // Read-only.
    row(Get, "/containers/json", View),
    row(Get, "/containers/{}/json", View),
    endless(Get, "/containers/{}/stats", View),
    row(Get, "/containers/{}/top", View),
    row(Get, "/containers/{}/changes", View),
    row(Get, "/images/json", View),
    row(Get, "/images/{*}/json", View),
    row(Get, "/images/{*}/history", View),
    row(Get, "/images/{*}/attestations", View),
    row(Get, "/networks", View),
    row(Get, "/networks/", View),
    row(Get, "/networks/{}", View),
    row(Get, "/volumes", View),
    row(Get, "/volumes/{}", View),
    row(Get, "/info", View),
    endless(Get, "/events", View),
    row(Get, "/exec/{}/json", View),
    slow(Get, "/system/df", View),
    row(Get, "/tasks", View),
    row(Get, "/tasks/{}", View),
    row(Get, "/services", View),
    row(Get, "/services/{}", View),
    row(Get, "/nodes", View),
    row(Get, "/nodes/{}", View),
    row(Get, "/secrets", View),
    row(Get, "/secrets/{}", View),
    row(Get, "/plugins", View),
    // Read-only, but what they tell is secret.
    endless(Get, "/containers/{}/logs", Logs),
    endless(Get, "/services/{}/logs", Logs),
    endless(Get, "/tasks/{}/logs", Logs),
    slow(Get, "/containers/{}/archive", Dump),
    slow(Head, "/containers/{}/archive", Dump),
    slow(Get, "/containers/{}/export", Dump),
    slow(Get, "/images/get", Dump),
    slow(Get, "/images/{*}/get", Dump),
    row(Get, "/configs", Dump),
    row(Get, "/configs/{}", Dump),
    row(Get, "/swarm", Dump),
    row(Get, "/swarm/unlockkey", Dump),
    // Life cycle.
    row(Post, "/containers/{}/start", Power),
    slow(Post, "/containers/{}/stop", Power),
    slow(Post, "/containers/{}/restart", Power),
    slow(Post, "/containers/{}/kill", Power),
    row(Post, "/containers/{}/pause", Power),
    row(Post, "/containers/{}/unpause", Power),
    slow(Post, "/containers/{}/wait", Power),
    row(Post, "/containers/{}/resize", Power),
    // Images come and go.
    slow(Post, "/images/create", Pull),
    row(Post, "/images/{*}/tag", Pull),
    slow(Get, "/distribution/{*}/json", Pull),
    slow(Get, "/images/search", Pull),
    slow(Post, "/auth", Pull),
    slow(Post, "/images/{*}/push", Push),
    // Create and change.
    row(Post, "/containers/create", Create),
    row(Post, "/containers/{}/update", Create),
    row(Post, "/containers/{}/rename", Create),
    row(Post, "/networks/create", Create),
    row(Post, "/networks/{}/connect", Create),
    row(Post, "/networks/{}/disconnect", Create),
    row(Post, "/volumes/create", Create),
    // Remove.
    slow(Delete, "/containers/{}", Remove),
    slow(Delete, "/images/{*}", Remove),
    row(Delete, "/networks/{}", Remove),
    row(Delete, "/volumes/{}", Remove),
    slow(Post, "/containers/prune", Remove),
    slow(Post, "/images/prune", Remove),
    slow(Post, "/networks/prune", Remove),
    slow(Post, "/volumes/prune", Remove),
    // Inside containers.
    row(Post, "/containers/{}/exec", Exec),
    endless(Post, "/exec/{}/start", Exec),
    row(Post, "/exec/{}/resize", Exec),
    endless(Post, "/containers/{}/attach", Exec),
    endless(Get, "/containers/{}/attach/ws", Exec),
    slow(Put, "/containers/{}/archive", Exec),
    // Build.
    slow(Post, "/build", Build),
    slow(Post, "/build/prune", Build),
    row(Post, "/build/cancel", Build),
    slow(Post, "/session", Build),
    slow(Post, "/grpc", Build),
    slow(Post, "/images/load", Build),
    slow(Post, "/commit", Build),
    // Swarm.
    slow(Post, "/swarm/init", Swarm),
    slow(Post, "/swarm/join", Swarm),
    slow(Post, "/swarm/leave", Swarm),
    row(Post, "/swarm/update", Swarm),
    row(Post, "/swarm/unlock", Swarm),
    row(Post, "/services/create", Swarm),
    row(Post, "/services/{}/update", Swarm),
    row(Delete, "/services/{}", Swarm),
    row(Post, "/nodes/{}/update", Swarm),
    row(Delete, "/nodes/{}", Swarm),
    row(Post, "/secrets/create", Swarm),
    row(Post, "/secrets/{}/update", Swarm),
    row(Delete, "/secrets/{}", Swarm),
    row(Post, "/configs/create", Swarm),
    row(Post, "/configs/{}/update", Swarm),
    row(Delete, "/configs/{}", Swarm),
    row(Put, "/volumes/{}", Swarm),
    // The Engine itself.
    row(Get, "/plugins/privileges", Admin),
    slow(Post, "/plugins/pull", Admin),
    slow(Post, "/plugins/create", Admin),
    row(Get, "/plugins/{*}/json", View),
    slow(Post, "/plugins/{*}/enable", Admin),
    slow(Post, "/plugins/{*}/disable", Admin),
    slow(Post, "/plugins/{*}/push", Admin),
    slow(Post, "/plugins/{*}/upgrade", Admin),
    row(Post, "/plugins/{*}/set", Admin),
    row(Delete, "/plugins/{*}", Admin),
    slow(Get, "/containers/{}/checkpoints", Admin),
    slow(Post, "/containers/{}/checkpoints", Admin),
    slow(Delete, "/containers/{}/checkpoints/{}", Admin),
];

/// The row of a request. `path` is decoded and may begin with an API version.
pub(crate) fn classify(method: Method, path: &str) -> &'static Row {
    let path = without_version(path);
    ROWS.iter().find(|row| row.method == method && matches(row.pattern, path)).unwrap_or(&UNKNOWN)
}

/// `/v1.41/info` is `/info`.
fn without_version(path: &str) -> &str {
    let Some((version, _)) = path.strip_prefix("/v").and_then(|rest| rest.split_once('/')) else {
        return path;
    };
    if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return path;
    }
    path.get("/v".len().saturating_add(version.len())..).unwrap_or(path)
}

fn matches(pattern: &str, path: &str) -> bool {
    if let Some((before, after)) = pattern.split_once("{*}") {
        let inner = path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        return inner.is_some_and(|name| !name.is_empty());
    }
    let mut segments = path.split('/');
    let all = pattern.split('/').all(|expected| match (expected, segments.next()) {
        ("{}", Some(segment)) => !segment.is_empty(),
        (expected, Some(segment)) => expected == segment,
        (_, None) => false,
    });
    all && segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_find_their_rows() {
        for (method, path, pattern) in [
            (Get, "/_ping", "/_ping"),
            (Get, "/v1.41/containers/json", "/containers/json"),
            (Get, "/containers/json/json", "/containers/{}/json"),
            (Get, "/images/library/busybox:1/json", "/images/{*}/json"),
            (Get, "/images/json", "/images/json"),
            (Post, "/v1.50/images/a/b/push", "/images/{*}/push"),
            (Post, "/containers/create", "/containers/create"),
            (Delete, "/images/a/b", "/images/{*}"),
            (Get, "/networks/", "/networks/"),
            (Get, "/containers/x/attach/ws", "/containers/{}/attach/ws"),
        ] {
            assert_eq!(classify(method, path).pattern, pattern, "{path}");
        }
    }

    #[test]
    fn what_is_no_row_is_for_those_who_may_do_everything() {
        for (method, path) in [
            (Get, "/debug/pprof/"),
            (Get, "/libpod/info"),
            (Post, "/containers/json"),
            (Get, "/containers//json"),
            (Get, "/images//json"),
            (Get, "/vx/info"),
            (Get, "/v/info"),
            (Get, "/v1.41"),
            (Get, "/"),
            (Post, "/containers/x/start/y"),
        ] {
            assert_eq!(classify(method, path).class, Admin, "{path}");
        }
    }

    #[test]
    fn no_row_is_hidden_behind_an_earlier_one() {
        for row in ROWS {
            let example = row.pattern.replace("{*}", "name").replace("{}", "name");
            let found = classify(row.method, &example);
            assert_eq!((found.method, found.pattern), (row.method, row.pattern), "{example}");
        }
    }

    #[test]
    fn calls_that_block_by_nature_are_slow() {
        for (method, path) in [
            (Post, "/v1.41/containers/x/wait"),
            (Post, "/containers/x/stop"),
            (Post, "/containers/x/attach"),
            (Post, "/exec/x/start"),
            (Post, "/build"),
            (Post, "/session"),
            (Post, "/grpc"),
            (Post, "/images/load"),
            (Post, "/images/r/n/push"),
            (Get, "/events"),
            (Get, "/containers/x/stats"),
            (Get, "/system/df"),
            (Get, "/unheard/of"),
        ] {
            assert_ne!(classify(method, path).pace, Pace::Prompt, "{path}");
        }
        assert_eq!(classify(Get, "/containers/json").pace, Pace::Prompt);
    }
}
