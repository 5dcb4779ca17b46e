//! Every route of the Engine times every class, as one file that was read by people.
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use crate::engine_routes::{ROUTES, Route, UNKNOWN};
use crate::world::{Call, World, exchange, signed};

const GOLDEN: &str = include_str!("../golden/authority.txt");

/// Set to `write`, the matrix is written anew, to be read and compared with what it was.
const MODE: &str = "LOOKOUT_GOLDEN";

const CLASSES: [&str; 17] = [
    "view", "logs", "dump", "power", "pull", "push", "create", "remove", "exec", "build", "swarm", "host",
    "compose", "mcp", "metrics", "audit", "all",
];

/// A command nobody here has made.
const NOBODYS: &str = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";

fn routes() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().chain(UNKNOWN)
}

/// What became of every route for every one of some keys: whether it may.
struct Matrix(Vec<Vec<bool>>);

impl Matrix {
    /// Asks for every route with every key, and holds what was answered against what the Engine got.
    fn of(keys: &[Vec<&'static str>]) -> Self {
        let options: Vec<_> = keys.iter().map(|classes| format!("allow=\"{}\"", classes.join(","))).collect();
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        let world = World::with(&options, &[("LOG_LEVEL", "info")], Box::new(|_| None));
        let (mut matrix, mut sent) = (Vec::new(), BTreeSet::new());
        for (number, classes) in (1..).zip(keys) {
            let command = own_command(&world, number);
            let row = routes().enumerate().map(|(at, route)| {
                let tag = format!("{number}/{at}");
                let (may, is_sent) = ask(&world, (number, classes), route, command.as_deref(), &tag);
                if is_sent {
                    sent.insert(tag);
                }
                may
            });
            matrix.push(row.collect());
        }
        let seen: BTreeSet<_> = world.finish().iter().filter_map(tag_of).collect();
        assert_eq!(seen, sent, "what the Engine got is what was allowed, and nothing else");
        Self(matrix)
    }

    fn may(&self, key: usize, route: usize) -> bool {
        self.0[key][route]
    }
}

fn tag_of(call: &Call) -> Option<String> {
    call.head.value("user-agent").filter(|tag| tag.contains('/')).map(str::to_owned)
}

/// A command of the key's own, where it may make one.
fn own_command(world: &World, key: u8) -> Option<String> {
    let made = world.ask(key, "POST /v1.41/containers/web/exec", r#"{"Cmd":["true"]}"#);
    let id =
        made.text().strip_prefix("{\"Id\":\"").and_then(|rest| rest.strip_suffix("\"}")).map(str::to_owned);
    assert_eq!(id.is_some(), made.status() == 200, "{}", made.text());
    id
}

/// Whether a key may, and whether the Engine was asked.
fn ask(
    world: &World,
    (key, classes): (u8, &[&str]),
    route: &Route,
    command: Option<&str>,
    tag: &str,
) -> (bool, bool) {
    let name = if route.is_about_a_command() { command.unwrap_or(NOBODYS) } else { route.known() };
    let line = route.line(name);
    let kind = match route.body.bytes().next() {
        Some(b'{' | b'[') => "Content-Type: application/json\r\n",
        Some(_) => "Content-Type: application/x-tar\r\n",
        None => "",
    };
    let fields = format!("User-Agent: {tag}\r\n{kind}");
    let request = signed(key, &line, &fields, route.body.as_bytes());
    let answer = exchange(&mut world.agent.client(), &line, request);
    let what = format!("{line} with {classes:?}");
    match answer.status() {
        200 => (true, true),
        403 => {
            if route.method != "HEAD" {
                let start = "lookout: key somebody lacks class ";
                assert!(answer.sentence().starts_with(start), "{what}: {}", answer.text());
            }
            (false, false)
        }
        // Its class allows it, but there is no command that the key could have made.
        404 if route.is_about_a_command() && command.is_none() => {
            assert_eq!(answer.sentence(), format!("No such exec instance: {name}"), "{what}");
            (true, false)
        }
        other => panic!("{what}: {other} {}", answer.text()),
    }
}

/// The matrix as its file has it.
fn drawn(matrix: &Matrix) -> String {
    let mut out = format!(
        "# Who may ask what of the Engine: + may, . may not. To write it anew, after which every difference \
         is to be read:\n# {MODE}=write cargo test --test integration as_the_golden_matrix_says\n"
    );
    let _ = write!(out, "{:42}", "# a key with nothing but");
    for class in CLASSES {
        let _ = write!(out, " {class}");
    }
    for (at, route) in routes().enumerate() {
        let _ = write!(out, "\n{:7} {:34}", route.method, route.pattern);
        for (key, class) in CLASSES.iter().enumerate() {
            let _ = write!(out, " {:<1$}", if matrix.may(key, at) { '+' } else { '.' }, class.len());
        }
        out.truncate(out.trim_end().len());
    }
    out + "\n"
}

#[test]
fn every_route_answers_every_class_as_the_golden_matrix_says() {
    let matrix = Matrix::of(&CLASSES.map(|class| vec![class]));
    let drawn = drawn(&matrix);
    if std::env::var_os(MODE).is_some_and(|mode| mode == "write") {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/authority.txt");
        std::fs::write(path, drawn).unwrap();
        return;
    }
    let other: Vec<_> = drawn.lines().filter(|line| !GOLDEN.lines().any(|known| known == *line)).collect();
    assert!(
        other.is_empty(),
        "these rows are not those of tests/golden/authority.txt:\n{}",
        other.join("\n")
    );
    assert_eq!(drawn, GOLDEN);
}

#[test]
fn the_class_all_allows_every_route_and_no_other_class_an_unknown_one() {
    let every_but_all: Vec<_> = CLASSES.into_iter().filter(|class| *class != "all").collect();
    let nothing_of_the_engine = vec!["host", "compose", "mcp", "metrics", "audit"];
    let matrix = Matrix::of(&[vec!["all"], every_but_all, nothing_of_the_engine]);
    for (at, route) in routes().enumerate() {
        let what = format!("{} {}", route.method, route.pattern);
        let is_known = at < ROUTES.len();
        assert!(matrix.may(0, at), "{what} with all");
        assert!(is_known || !matrix.may(1, at), "{what} with every class but all");
        let is_anyones = ["/_ping", "/version"].contains(&route.pattern);
        assert_eq!(matrix.may(2, at), is_anyones, "{what} with classes that open no route of the Engine");
    }
}

/// A key allows exactly the union of what its classes allow, so that adding one takes nothing away.
#[test]
fn adding_a_class_to_a_key_never_takes_anything_away() {
    let singles = Matrix::of(&CLASSES.map(|class| vec![class]));
    let pairs: Vec<_> =
        (0..CLASSES.len()).flat_map(|one| (one + 1..CLASSES.len()).map(move |other| [one, other])).collect();
    let keys: Vec<_> = pairs.iter().map(|pair| pair.map(|class| CLASSES[class]).to_vec()).collect();
    let both = Matrix::of(&keys);
    for (key, [one, other]) in pairs.iter().enumerate() {
        for (at, route) in routes().enumerate() {
            let union = singles.may(*one, at) || singles.may(*other, at);
            assert_eq!(both.may(key, at), union, "{} {} with {:?}", route.method, route.pattern, keys[key]);
        }
    }
}

/// The table in the source is read as text: a row there that nobody asks for here would be untested.
#[test]
fn every_row_of_the_agents_own_table_is_asked_for() {
    let source = include_str!("../../src/policy/engine.rs");
    let (_, rest) = source.split_once("pub(crate) const ROWS: &[Row] = &[").expect("the table");
    let (table, _) = rest.split_once("\n];").expect("its end");
    let mut rows = BTreeSet::new();
    for line in table.lines().map(str::trim) {
        let starts = [
            ("get(\"", "GET"),
            ("post(\"", "POST"),
            ("delete(\"", "DELETE"),
            ("row(Head, \"", "HEAD"),
            ("row(Put, \"", "PUT"),
        ];
        for (start, method) in starts {
            if let Some((pattern, _)) = line.strip_prefix(start).and_then(|rest| rest.split_once('"')) {
                rows.insert((method, pattern));
            }
        }
    }
    let known: BTreeSet<_> = ROUTES.iter().map(|route| (route.method, route.pattern)).collect();
    assert_eq!(rows, known);
}
