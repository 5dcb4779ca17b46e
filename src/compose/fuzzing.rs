//! Doors for the fuzzers, to what only this room sees.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::environment::{EnvKey, EnvValue, env_file, read_back};
use super::operation::{Generation, Sources, arguments};
use super::order::Order;
use super::output::{Lines, Stream};
use super::registry::config_json;
use super::sources;

/// An order, or the text of a compose file: what is taken leads downwards, is no option, and stays in its line.
pub(crate) fn order(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = sources::look(text);
    }
    lines(bytes);
    let Ok(order) = Order::parse(bytes) else { return };
    let dir = order.dir.to_string();
    for way in order.files.iter().map(|(path, _)| path.as_str()).chain([dir.as_str()]) {
        let leads_away = |segment: &str| matches!(segment, "" | "." | "..") || segment.starts_with('-');
        assert!(!way.split('/').any(leads_away), "a path leads downwards");
    }
    for generation in [Generation::One, Generation::Two] {
        let files = [PathBuf::from("/s/compose.yaml")];
        let of_stack = Sources { dir: Path::new("/s"), files: &files, env_file: None };
        let Ok(words) = arguments(&order, generation, &of_stack) else { continue };
        let names: Vec<OsString> = order.services.iter().map(|name| name.as_str().into()).collect();
        assert!(!names.iter().any(|name| name.as_encoded_bytes().starts_with(b"-")), "no name is an option");
        let is_last = words.ends_with(&names) || order.operation.name() == "config";
        assert!(is_last, "names come last");
    }
    if let Some(vars) = &order.env {
        let text = env_file(vars);
        let lines = text.expose().iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(lines, vars.len(), "a line for each variable");
        assert_eq!(told(&read_back(text.expose())), told(vars), "what was written is read back");
    }
    let config = config_json(&order.registries, &["/p"]);
    let read = serde_json::from_slice::<serde_json::Value>(config.expose()).ok();
    let auths = read.as_ref().and_then(|config| config.get("auths")?.as_object());
    assert_eq!(auths.map(serde_json::Map::len), Some(order.registries.len()), "each registry has its place");
}

/// What a program says, in one piece and byte by byte, is told with the same words.
fn lines(bytes: &[u8]) {
    let say = |step: usize| {
        let (mut lines, mut told) = (Lines::default(), Vec::new());
        for piece in bytes.chunks(step) {
            lines.push(Stream::Stdout, piece, &mut told);
        }
        lines.flush(&mut told);
        told
    };
    assert_eq!(say(bytes.len().max(1)), say(1), "a cut changes nothing");
}

fn told(vars: &[(EnvKey, EnvValue)]) -> Vec<(&str, &str)> {
    vars.iter().map(|(key, value)| (key.as_str(), value.expose())).collect()
}
