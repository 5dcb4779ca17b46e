//! What the documents tell people to type works as it stands there.

use crate::recipe::{Recipe, names};

/// Follows everything in a document that can be followed without the network.
fn follows(document: &str, known: &[&str]) {
    assert_eq!(names(document), known, "{document}: a name was added or lost; say so here");
    for name in known {
        let steps = Recipe::follow(document, name);
        eprintln!("{document}: {name}: {steps} blocks");
    }
}

#[test]
fn the_commands_of_the_readme_work_as_they_stand() {
    follows("README.md", &["five minutes", "token", "stacks", "trail"]);
}

#[test]
fn the_commands_of_the_guide_for_operators_work_as_they_stand() {
    follows("docs/operations.md", &["backup", "rotate"]);
}

#[test]
fn the_commands_of_the_guide_for_those_who_move_here_work_as_they_stand() {
    follows("docs/migrating.md", &["tcp"]);
}
