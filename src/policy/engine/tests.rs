//! Requests find their rows.

use super::*;
use crate::http::Method::{Delete, Get, Post};
use crate::policy::row::Pace;

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
        assert_eq!(classify(method, path).class, All, "{path}");
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
