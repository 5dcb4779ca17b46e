//! The guard against bodies that clients send, and against every way past it that is known.
#![expect(clippy::arithmetic_side_effects, reason = "a test's own sums")]

mod bodies;
mod fixtures;
mod joins;
mod labels;
mod lenient;
mod members;
mod mounts;
mod mutations;

use super::{Guard, Things, judge};
use crate::auth::{Class, Classes, Grant, Label, Mode, Mount};
use crate::policy::json::Json;
use crate::policy::refused::{Kind, Refused, Stop};

/// An Engine with these things, and nothing else.
#[derive(Default)]
struct Shelf {
    things: Vec<(Kind, &'static str)>,
    asked: Vec<(Kind, String)>,
}

impl Shelf {
    fn of(things: &[(Kind, &'static str)]) -> Self {
        Self { things: things.to_vec(), asked: Vec::new() }
    }
}

impl Things for Shelf {
    fn find(&mut self, kind: Kind, name: &str) -> Result<String, Stop> {
        self.asked.push((kind, name.to_owned()));
        if self.things.iter().any(|&(known, thing)| known == kind && thing == name) {
            return Ok(if kind == Kind::Volume { name.to_owned() } else { id_of(name) });
        }
        Err(Refused::Absent { kind, name: name.to_owned() }.into())
    }
}

/// 64 digits that tell one name from another; of such digits, themselves.
fn id_of(name: &str) -> String {
    if name.len() == 64 {
        return name.to_owned();
    }
    let digits: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{digits:0<64}").chars().take(64).collect()
}

fn grant(classes: &[Class]) -> Grant {
    Grant::of(classes.iter().copied().collect::<Classes>())
}

/// A key that may create, and give a directory and all below it.
fn creator() -> Grant {
    let mount = |path: &str, read_only| Mount { path: path.to_owned(), read_only };
    Grant { mounts: vec![mount("/srv/web", false), mount("/etc/ssl", true)], ..grant(&[Class::Create]) }
}

fn labelled(grant: Grant) -> Grant {
    Grant { label: Some(Label { key: "team".to_owned(), value: "web".to_owned() }), ..grant }
}

fn lifted(mut grant: Grant) -> Grant {
    grant.classes =
        Class::EVERY.iter().copied().filter(|&class| grant.has(class) || class == Class::Host).collect();
    grant
}

/// What becomes of a body where there is nothing.
fn alone(guard: Guard, grant: &Grant, body: &str) -> Result<Json, Refused> {
    among(&mut Shelf::default(), guard, grant, body)
}

fn among(shelf: &mut Shelf, guard: Guard, grant: &Grant, body: &str) -> Result<Json, Refused> {
    match judge(guard, body.as_bytes(), grant, shelf) {
        Ok(body) => Ok(Json::read(&body).unwrap()),
        Err(Stop::Refused(refused)) => Err(refused),
        Err(Stop::Engine(error)) => panic!("nobody asked the Engine: {error:?}"),
    }
}

fn read(text: &str) -> Json {
    Json::read(text.as_bytes()).unwrap()
}

/// The sentence of a refusal, which must be one.
fn why(judged: Result<Json, Refused>) -> String {
    judged.expect_err("refused").to_string()
}

#[test]
fn a_shelf_gives_ids_that_differ() {
    assert_eq!(id_of("a").len(), 64);
    assert_ne!(id_of("a"), id_of("b"));
    assert_eq!(grant(&[Class::Create]).mode, Mode::Enforce);
}
