//! Rooms stand on floors and lean downwards only: every path to another room is held against the table.

use crate::source::{Piece, code};

/// The rooms of `src/`, lowest floor first. A room may use rooms of lower floors, never its own or a higher one.
const FLOORS: &[&[&str]] = &[
    // The clock lies below the log, which stamps its lines, and the permits, which are waited for.
    &["limits", "clock", "exit", "shared", "version"],
    &["names", "secret", "log", "metrics", "permits"],
    &["sys", "http", "threads"],
    &["net", "audit", "sandbox"],
    &["docker", "auth", "compose", "host"],
    &["policy", "inventory"],
    &["api"],
    &["server", "edge"],
    &["config"],
    &["run", "doctor"],
    &["cli"],
];

/// The crate's own doors, which stand outside the house.
const DOORS: &[&str] = &["lib", "main", "fuzzing"];

/// What is wrong with the paths of one file of `src/`.
pub(crate) fn wrong_leanings(path: &str, text: &str) -> Vec<String> {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let here = inside.split(['/', '.']).next().unwrap_or_default();
    if DOORS.contains(&here) {
        return Vec::new();
    }
    let Some(mine) = floor(here) else { return vec![format!("{path}: room {here} has no floor")] };
    let mut wrong = Vec::new();
    for (line, there) in roads(depth(inside), &code(text)) {
        match there {
            Road::To(there) if there == here => {}
            Road::To(there) => match floor(&there) {
                Some(theirs) if theirs < mine => {}
                Some(theirs) => {
                    wrong.push(format!("{path}:{line}: {here} (floor {mine}) uses {there} (floor {theirs})"));
                }
                None => wrong.push(format!("{path}:{line}: {there} is no room with a floor")),
            },
            Road::Unclear(why) => wrong.push(format!("{path}:{line}: {why}")),
        }
    }
    wrong
}

/// Rooms that the map in `lib.rs` shows on another floor than the table, or not at all.
pub(crate) fn wrong_map(map: &str, rooms: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    for room in rooms.iter().filter(|room| !DOORS.contains(&room.as_str())) {
        let shown = map.lines().find_map(|line| {
            let (number, rooms) = line.strip_prefix("//! | ")?.split_once(" | ")?;
            rooms.contains(&format!("`{room}`")).then(|| number.parse().ok())?
        });
        if shown != floor(room) {
            wrong.push(format!("{room} stands on {:?}, the map says {shown:?}", floor(room)));
        }
    }
    wrong
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// How many modules lie between a file's items and the root: one for `room.rs` and `room/mod.rs`.
fn depth(inside: &str) -> usize {
    inside.trim_end_matches("/mod.rs").split('/').count()
}

enum Road {
    /// A path through the crate's root to this room.
    To(String),
    /// A way of writing that would hide where it leads.
    Unclear(&'static str),
}

#[derive(Clone, Copy, PartialEq)]
enum Brace {
    Module,
    Group,
    Block,
}

/// Every path that goes through the crate's root, with its line.
fn roads(depth: usize, code: &[Piece]) -> Vec<(usize, Road)> {
    let is = |at: usize, text: &str| code.get(at).is_some_and(|piece| piece.is(text));
    let before = |at: usize, back: usize, text: &str| at.checked_sub(back).is_some_and(|at| is(at, text));
    let mut braces = Vec::new();
    let mut out = Vec::new();
    for (at, piece) in code.iter().enumerate() {
        if piece.is("{") {
            braces.push(if before(at, 2, "mod") {
                Brace::Module
            } else if before(at, 1, "::") {
                Brace::Group
            } else {
                Brace::Block
            });
        } else if piece.is("}") {
            braces.pop();
        } else if piece.is("crate") {
            if is(at + 1, "::") {
                out.extend(heads(code, at + 2));
            } else if !is(at + 1, ")") {
                out.push((piece.line, Road::Unclear("the crate under another name hides what is used")));
            }
        } else if piece.is("super") && !(before(at, 1, "::") && before(at, 2, "super")) && !is(at + 1, ")") {
            let modules = braces.iter().filter(|brace| **brace == Brace::Module).count();
            if braces.last() == Some(&Brace::Group) {
                out.push((piece.line, Road::Unclear("`super` inside a group; write the path out")));
                continue;
            }
            let ups = (0..).take_while(|up| is(at + 2 * up, "super") && is(at + 2 * up + 1, "::")).count();
            if ups >= depth + modules {
                out.extend(heads(code, at + 2 * ups));
            }
        }
    }
    out
}

/// The first words of a path, or of each path of a group, beginning at `at`.
fn heads(code: &[Piece], at: usize) -> Vec<(usize, Road)> {
    let road = |piece: &Piece| {
        let hidden = piece.is("*") || piece.is("self") || piece.is("super");
        let unclear = Road::Unclear("everything of the root at once hides what is used");
        (piece.line, if hidden { unclear } else { Road::To(piece.text.clone()) })
    };
    let Some(first) = code.get(at) else { return Vec::new() };
    if !first.is("{") {
        return vec![road(first)];
    }
    let mut nested = 0_usize;
    let mut fresh = false;
    let mut out = Vec::new();
    for piece in &code[at..] {
        match piece.text.as_str() {
            "{" => (nested, fresh) = (nested + 1, nested == 0),
            "}" if nested == 1 => break,
            "}" => nested -= 1,
            "," => fresh = nested == 1,
            _ if fresh => {
                out.push(road(piece));
                fresh = false;
            }
            _ => {}
        }
    }
    out
}

#[test]
fn a_room_that_the_map_shows_elsewhere_is_found() {
    let map = "//! | floor | rooms |\n//! | 6 | `api`: routes |\n//! | 2 | `sys`: the system · `http` |\n";
    let wrong = |room: &str| wrong_map(map, &[room.to_owned(), "lib".to_owned()]).len();
    assert_eq!(["api", "sys", "http"].map(wrong), [0, 0, 0]);
    assert_eq!(["net", "cellar"].map(wrong), [1, 0]);
    assert_eq!(wrong_map(&map.replace("| 6 |", "| 7 |"), &["api".to_owned()]).len(), 1);
}

#[test]
fn a_path_upwards_or_sideways_is_found_however_it_is_written() {
    let wrong = |path: &str, text: &str| wrong_leanings(path, text).len();
    for (path, text) in [
        ("src/http/head.rs", "use crate::net::Conn;"),
        ("src/http/head.rs", "use crate::audit::Entry;"),
        ("src/http/head.rs", "use crate::{limits, server::Settings};"),
        ("src/http/head.rs", "use crate::{limits::{HEAD, TAIL}, sys};"),
        ("src/http/head.rs", "fn f() { let x = crate::api::find(); }"),
        ("src/http/head.rs", "use super::super::docker::Docker;"),
        ("src/http/head.rs", "use self::super::super::docker::Docker;"),
        ("src/http/head.rs", "mod tests { use super::super::super::docker; }"),
        ("src/http/mod.rs", "use super::docker::Docker;"),
        ("src/permits.rs", "use super::http;"),
        ("src/permits.rs", "mod tests { use super::super::http; }"),
        ("src/permits.rs", "use super::*;"),
        ("src/permits.rs", "use crate::*;"),
        ("src/permits.rs", "use crate::{self as all};"),
        ("src/permits.rs", "extern crate self as all; use crate as all;"),
        ("src/http/head.rs", "use super::{super::docker};"),
        ("src/http/head.rs", "macro_rules! m { () => { $crate::server::run() } }"),
        ("src/cellar.rs", ""),
        ("src/permits.rs", "use crate::cellar;"),
    ] {
        assert!(wrong(path, text) > 0, "{path}: {text}");
    }
    assert_eq!(wrong("src/http/head.rs", "use crate::{net, limits, sys, log};\nuse crate::run;"), 3);
}

#[test]
fn a_path_downwards_or_at_home_is_left_alone() {
    for (path, text) in [
        ("src/http/head.rs", "use crate::{limits::{self, HEAD}, clock::Deadline};"),
        ("src/http/head.rs", "use crate::http::Method; use super::Method; use super::{a, b};"),
        ("src/http/head.rs", "pub(crate) fn f() {} pub(super) fn g() {} pub(in crate::http) fn h() {}"),
        ("src/http/head.rs", "mod tests { use super::*; use super::super::Method; }"),
        ("src/http/head.rs", "// crate::server is above\nconst X: &str = \"crate::server\";"),
        ("src/permits.rs", "mod tests { use super::*; }"),
        ("src/sys/poll.rs", "impl A { fn f() { super::close(1) } }"),
        ("src/lib.rs", "use crate::cli; mod cellar;"),
        ("src/fuzzing.rs", "use crate::http;"),
    ] {
        assert_eq!(wrong_leanings(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}
