//! The rules of the house that a compiler does not check; each is a function that is shown to find a bad sample.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "these are tests; a panic is a finding"
)]

#[path = "tidy/commands.rs"]
mod commands;
#[path = "tidy/floors.rs"]
mod floors;
#[path = "tidy/ledger.rs"]
mod ledger;
#[path = "tidy/links.rs"]
mod links;
#[path = "tidy/locks.rs"]
mod locks;
#[path = "tidy/manifests.rs"]
mod manifests;
#[path = "tidy/places.rs"]
mod places;
#[path = "tidy/promises.rs"]
mod promises;
#[path = "tidy/scripts.rs"]
mod scripts;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tables.rs"]
mod tables;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/workflows.rs"]
mod workflows;
#[path = "tidy/yaml.rs"]
mod yaml;

use std::fs;

use tree::File;

/// Every finding of `rule` in the files it is for, printed together.
fn hold(rule: impl Fn(&str, &str) -> Vec<String>, is_for: impl Fn(&File) -> bool) {
    let files: Vec<File> = tree::files().into_iter().filter(is_for).collect();
    assert!(!files.is_empty(), "the rule found no file to look at");
    let wrong: Vec<String> = files.iter().flat_map(|file| rule(&file.path, &file.text)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn in_src(file: &File) -> bool {
    file.is_rust() && file.path.starts_with("src/")
}

fn is_check_or_workflow(file: &File) -> bool {
    let checks = ["scripts/check", "scripts/test", "scripts/fuzz", "scripts/lint", ".ci/run"];
    checks.contains(&file.path.as_str()) || file.path.starts_with(".github/workflows/")
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(tree::root().join(path)).ok()
}

#[test]
fn rooms_lean_downwards_only() {
    hold(floors::wrong_leanings, in_src);
}

#[test]
fn the_map_shows_every_room_on_its_floor() {
    let files = tree::files();
    let inside = files.iter().filter_map(|file| file.path.strip_prefix("src/"));
    let mut rooms: Vec<String> =
        inside.map(|path| path.split(['/', '.']).next().unwrap_or_default().to_owned()).collect();
    rooms.dedup();
    let map = read("src/lib.rs").expect("src/lib.rs is there");
    let wrong = floors::wrong_map(&map, &rooms);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn files_are_short() {
    hold(|path, text| shape::too_long(path, text).into_iter().collect(), File::is_rust);
}

#[test]
fn files_and_modules_are_named_for_what_they_hold() {
    hold(shape::vague_names, File::is_rust);
}

#[test]
fn every_file_opens_with_its_purpose() {
    hold(|path, text| shape::no_purpose(path, text).into_iter().collect(), File::is_rust);
}

#[test]
fn unsafe_stands_in_sys_only_argued_and_rarely() {
    hold(shape::unsafe_unargued, File::is_rust);
    let files: Vec<File> = tree::files().into_iter().filter(File::is_rust).collect();
    let texts = files.iter().map(|file| (file.path.as_str(), file.text.as_str()));
    assert_eq!(shape::unsafe_too_often(texts), None);
}

#[test]
fn no_shell_is_ever_started() {
    hold(shape::shells, in_src);
}

#[test]
fn nothing_is_told_by_the_text_of_an_error() {
    hold(shape::told_by_text, in_src);
}

#[test]
fn notes_and_ignored_tests_have_their_reason() {
    hold(shape::unargued_notes, File::is_rust);
}

#[test]
fn no_file_names_a_registry_or_one_machines_directory() {
    hold(places::registry_hosts, |_| true);
    hold(places::machine_paths, |_| true);
}

#[test]
fn scripts_say_what_they_are_for_and_stop_at_a_failure() {
    hold(scripts::ill_opened, File::is_script);
}

#[test]
fn no_check_hides_a_failure() {
    hold(scripts::hidden_failures, is_check_or_workflow);
}

#[test]
fn no_script_changes_a_lock_file() {
    hold(scripts::unlocked, |file| file.is_script() || file.path.starts_with(".github/workflows/"));
}

#[test]
fn every_dependency_is_asked_for_by_version_and_locked() {
    let rule = |path: &str, manifest: &str| {
        let lock = path.replace("Cargo.toml", "Cargo.lock");
        match read(&lock) {
            Some(lock) => locks::loose_dependencies(path, manifest, &lock),
            None => vec![format!("{path}: {lock} is missing")],
        }
    };
    hold(rule, |file| file.path.ends_with("Cargo.toml"));
}

#[test]
fn the_ledger_says_of_every_requirement_what_shows_it() {
    let ledger = read("docs/requirements.md").expect("docs/requirements.md is there");
    let wrong = ledger::wrong_rows(&ledger, read);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn documents_name_only_tests_that_exist() {
    hold(|path, text| ledger::unknown_tests(path, text, read), |file| file.path.ends_with(".md"));
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "whoever changes a table says so in the test's own environment"
)]
fn tables_of_documents_say_what_the_code_says() {
    for (document, source, made) in [
        (
            "docs/limits.md",
            &["src/limits.rs", "src/limits/edge.rs", "src/limits/audit.rs", "src/limits/compose.rs"][..],
            tables::limits as fn(&str) -> String,
        ),
        ("docs/variables.md", &["src/config/variables.rs"], tables::variables),
    ] {
        let made = made(&source.iter().map(|path| read(path).unwrap()).collect::<String>());
        if std::env::var_os("TABLES").is_some_and(|wish| wish == "write") {
            fs::write(tree::root().join(document), &made).unwrap();
        }
        let told = read(document).unwrap_or_default();
        assert!(
            told == made,
            "{document} is not what {source:?} make it: TABLES=write cargo test --test tidy tables"
        );
    }
}

/// What calls out needs no way in.
#[test]
fn examples_of_edge_mode_publish_no_port() {
    let mut found = 0;
    for file in tree::files().iter().filter(|file| file.path.starts_with("examples/")) {
        let text = read(&file.path).unwrap();
        if text.contains("DRYDOCK_URL:") {
            found += 1;
            let opens = ["ports:", "expose:", "network_mode: host"].iter().find(|word| text.contains(**word));
            assert!(opens.is_none(), "{}: {opens:?}", file.path);
        }
    }
    assert!(found > 0, "there is an example of edge mode");
}

fn is_document(file: &File) -> bool {
    file.path.ends_with(".md")
}

fn is_there(path: &str) -> bool {
    tree::root().join(path).exists()
}

#[test]
fn links_of_documents_lead_somewhere() {
    hold(|path, text| links::broken(path, text, read, is_there), is_document);
}

#[test]
fn documents_show_only_commands_that_exist() {
    let known = commands::Known {
        arguments: &read("src/cli/arguments.rs").unwrap(),
        variables: &read("src/config/variables.rs").unwrap(),
        manifest: &read("Cargo.toml").unwrap(),
    };
    hold(|path, text| commands::unknown(path, text, &known, is_there), is_document);
}

/// The guides whose commands are followed by tests/real/recipes.rs.
#[test]
fn guides_say_of_each_block_whether_a_test_runs_it() {
    let guides = ["README.md", "examples/README.md", "docs/operations.md", "docs/migrating.md"];
    hold(commands::unmarked, |file| guides.contains(&file.path.as_str()));
}

#[test]
fn documents_promise_nothing_that_nobody_can_keep() {
    hold(promises::too_much, is_document);
}

#[test]
fn holes_are_reported_in_private_and_every_boundary_has_its_tests() {
    let wrong = promises::missing_of_security(&read("SECURITY.md").unwrap());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn flaws_that_are_cited_were_looked_up() {
    let table = read("docs/security-model.md").unwrap();
    hold(
        |path, text| promises::not_looked_up(path, text, &table),
        |file| is_document(file) || file.path.starts_with("src/") || file.path.starts_with("tests/"),
    );
}

#[test]
fn documents_and_examples_name_the_version_that_this_is() {
    let rule = |path: &str, text: &str| promises::other_versions(path, text, env!("CARGO_PKG_VERSION"));
    hold(rule, |file| is_document(file) || file.path.starts_with("examples/"));
}

#[test]
fn examples_grant_the_agent_what_it_needs_and_no_more() {
    let is_example = |file: &File| file.path.starts_with("examples/") && file.path.ends_with(".yml");
    hold(manifests::too_much, is_example);
    let agents: usize =
        tree::files().iter().filter(|file| is_example(file)).map(|file| manifests::agents(&file.text)).sum();
    assert!(agents >= 6, "{agents} examples start an agent");
    let variables = read("src/config/variables.rs").unwrap();
    hold(|path, text| manifests::unknown_settings(path, text, &variables), is_example);
}
