//! What every script looks like: it says what it is for, stops at the first failure, builds what is locked.

/// Ways of losing the status of a command that failed.
const HIDES: &[&str] = &["|| true", "|| :", "; true", "set +e", "set +o", "continue-on-error", "|| exit 0"];

/// What cargo does with dependencies, so that it must be told to leave the lock file alone.
const USES_THE_LOCK: &[&str] =
    &["build", "test", "clippy", "doc", "run", "bench", "check", "tree", "metadata", "install", "fetch"];

pub(crate) fn ill_opened(path: &str, text: &str) -> Vec<String> {
    let mut lines = text.lines();
    let mut wrong = Vec::new();
    if lines.next() != Some("#!/usr/bin/env bash") {
        wrong.push(format!("{path}: the first line does not say that env finds bash"));
    }
    if !lines.next().is_some_and(|line| line.starts_with("# ") && line.split_whitespace().count() > 3) {
        wrong.push(format!("{path}: the second line does not say what the script is for"));
    }
    if !text.lines().any(|line| line == "set -euo pipefail") {
        wrong.push(format!("{path}: `set -euo pipefail` is missing"));
    }
    wrong
}

/// Commands whose failure nobody would see: the rule for what a check or a workflow runs.
pub(crate) fn hidden_failures(path: &str, text: &str) -> Vec<String> {
    let hides = |line: &str| HIDES.iter().find(|way| line.contains(*way)).copied();
    let hits = commands(text).into_iter().filter_map(|(number, line)| Some((number, hides(&line)?)));
    hits.map(|(number, way)| format!("{path}:{number}: `{way}` hides a failure")).collect()
}

pub(crate) fn unlocked(path: &str, text: &str) -> Vec<String> {
    let lines = commands(text).into_iter().filter(|(_, line)| {
        let words: Vec<&str> = line.split_whitespace().filter(|word| !word.starts_with('+')).collect();
        let uses = |pair: &[&str]| pair[0].ends_with("cargo") && USES_THE_LOCK.contains(&pair[1]);
        words.windows(2).any(uses) && !words.contains(&"--locked") && !words.contains(&"--list")
    });
    lines.map(|(number, line)| format!("{path}:{number}: no --locked in `{}`", line.trim())).collect()
}

/// The lines that are no comments, each with its number; a line that goes on is joined with the next.
pub(crate) fn commands(text: &str) -> Vec<(usize, String)> {
    let mut out: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in text.lines().enumerate() {
        let continued = goes_on;
        goes_on = line.ends_with('\\');
        let part = line.trim_end_matches('\\');
        match out.last_mut() {
            Some((_, before)) if continued => before.push_str(part),
            _ if line.trim_start().starts_with('#') => {}
            _ => out.push((number + 1, part.to_owned())),
        }
    }
    out
}

#[test]
fn a_script_that_does_not_open_as_it_should_is_found() {
    let good = "#!/usr/bin/env bash\n# Runs every test there is.\nset -euo pipefail\ncargo test --locked\n";
    assert_eq!(ill_opened("scripts/test", good).len(), 0);
    assert_eq!(ill_opened("scripts/test", &good.replace("env bash", "env sh")).len(), 1);
    assert_eq!(ill_opened("scripts/test", &good.replace("# Runs every test there is.", "")).len(), 1);
    assert_eq!(ill_opened("scripts/test", &good.replace("-euo", "-eu")).len(), 1);
}

#[test]
fn a_command_whose_failure_is_hidden_is_found() {
    for way in HIDES {
        assert_eq!(hidden_failures("scripts/check", &format!("cargo test {way}")).len(), 1, "{way}");
    }
    assert_eq!(hidden_failures("scripts/check", "# never `|| true`\ncargo test").len(), 0);
}

#[test]
fn a_build_that_may_change_the_lock_file_is_found() {
    for line in ["cargo test", "cargo +nightly build \\\n  --release", "  x=$(cargo tree -e normal)"] {
        assert_eq!(unlocked("scripts/check", line).len(), 1, "{line}");
    }
    for line in ["cargo test --locked", "cargo build \\\n  --locked", "cargo fmt --check", "# cargo test"] {
        assert_eq!(unlocked("scripts/check", line).len(), 0, "{line}");
    }
}
