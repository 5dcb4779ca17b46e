//! Holds `docs/openapi.yaml` and `docs/controllers.md` against the routes and limits there are.

use super::{Access, Adapter, routes};
use crate::limits;

const CONTRACT: &str = include_str!("../../docs/openapi.yaml");

/// Method, path with empty places, class and adapter, as one line.
fn line(method: &str, path: &str, class: &str, adapter: &str) -> String {
    format!("{method} {path} {class} {adapter}")
}

/// Our routes as such lines, in order.
fn served() -> Vec<String> {
    let mut lines = Vec::new();
    for route in routes() {
        let class = match route.access {
            Access::Public(_) => "public".to_owned(),
            Access::Guarded(class, _) => class.to_string(),
            Access::Engine(_) => continue,
        };
        let adapter = match route.adapter {
            None => "any",
            Some(Adapter::Drydock) => "drydock",
            Some(Adapter::Generic) => "generic",
        };
        lines.push(line(route.method.as_str(), route.path, &class, adapter));
    }
    lines.sort();
    lines
}

/// The operations a contract describes, as the same lines. It reads what stands at its own depth
/// below `paths:` and nothing else, so the file keeps to two spaces a level.
fn described(contract: &str) -> Vec<String> {
    const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
    let begins = |line: &&str| *line != "paths:";
    let paths = contract.lines().skip_while(begins).skip(1);
    let paths = paths.take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    let (mut path, mut found) = (String::new(), Vec::<[String; 4]>::new());
    for text in paths {
        let told = text.trim_start();
        let depth = text.len().saturating_sub(told.len());
        let (name, value) = told.split_once(':').unwrap_or((told, ""));
        let (value, operation) = (value.trim(), found.last_mut());
        match (depth, name, operation) {
            (2, place, _) if place.starts_with('/') => path = without_names(place),
            (4, method, _) if METHODS.contains(&method) => {
                let method = method.to_ascii_uppercase();
                found.push([method, path.clone(), "no class".to_owned(), "any".to_owned()]);
            }
            (6, "x-lookout-class", Some([_, _, class, _])) => *class = value.to_owned(),
            (6, "x-lookout-adapter", Some([_, _, _, adapter])) => *adapter = value.to_owned(),
            _ => {}
        }
    }
    let mut lines: Vec<_> =
        found.iter().map(|[method, path, class, adapter]| line(method, path, class, adapter)).collect();
    lines.sort();
    lines
}

/// `/a/{id}/b` as `/a/{}/b`.
fn without_names(path: &str) -> String {
    let segment = |segment: &str| if segment.starts_with('{') { "{}".to_owned() } else { segment.to_owned() };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[test]
fn the_contract_describes_every_route_of_ours_with_its_class_and_no_other() {
    let (served, described) = (served(), described(CONTRACT));
    let missing: Vec<_> = served.iter().filter(|line| !described.contains(line)).collect();
    let unknown: Vec<_> = described.iter().filter(|line| !served.contains(line)).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "not described: {missing:#?}\nnot served: {unknown:#?}"
    );
    assert_eq!(served, described, "something stands there twice");
}

#[test]
fn the_contract_says_the_version_and_every_route_in_the_words_of_the_table() {
    assert!(CONTRACT.contains(concat!("\n  version: ", env!("CARGO_PKG_VERSION"), "\n")));
    for route in routes().filter(|route| !matches!(route.access, Access::Engine(_))) {
        let (plain, quoted) =
            (format!("summary: {}\n", route.about), format!("summary: \"{}\"\n", route.about));
        assert!(CONTRACT.contains(&plain) || CONTRACT.contains(&quoted), "{}", route.about);
    }
}

#[test]
fn what_a_contract_describes_is_found() {
    let contract = "\
openapi: 3.1.0
info:
  /no/path:
    get:
paths:
  /a/{id}/b:
    parameters:
      - name: id
    get:
      x-lookout-class: view
      responses:
        get:
          x-lookout-class: never
    post:
      x-lookout-class: exec
      x-lookout-adapter: generic

  /c:
    delete:
components:
  /no/path:
    get:
";
    let told = ["DELETE /c no class any", "GET /a/{}/b view any", "POST /a/{}/b exec generic"];
    assert_eq!(described(contract), told);
}

#[test]
fn the_limits_a_controller_can_meet_stand_in_its_guide_as_they_are() {
    let guide = include_str!("../../docs/controllers.md");
    let (_, rest) = guide.split_once("<!-- limits -->\n").unwrap();
    let (table, _) = rest.split_once("<!-- /limits -->").unwrap();
    macro_rules! limits {
        ($($name:ident),+) => { [$(format!("| `{}` | {} ", stringify!($name), limits::$name)),+] };
    }
    let limits = limits![
        FEEDS_MAX,
        FEED_ITEMS_MAX,
        REPLAY_ITEMS_MAX,
        HEARTBEAT_SECS,
        INVENTORY_WAIT_SECS,
        LABELS_BYTES_MAX,
        LOG_FRAME_BYTES_MAX,
        LOG_LINES_KEPT_MAX,
        ENGINE_MESSAGE_BYTES_MAX
    ];
    let rows: Vec<_> = table.lines().skip(2).collect();
    assert_eq!(rows.len(), limits.len());
    for (row, limit) in rows.iter().zip(&limits) {
        assert!(row.starts_with(limit), "{row} does not begin with {limit}");
    }
}
