//! What every workflow keeps to: no rights by default, actions by hash, nothing left over, nothing run as it is fetched.

/// What a workflow is not to say, and why not.
const NEVER: &[(&str, &str)] = &[
    ("pull_request_target", "gives a stranger's change our rights"),
    ("workflow_run:", "runs with our rights on what a stranger's change left"),
    ("write-all", "is every right there is"),
    ("read-all", "is more than a job needs"),
    ("secrets: inherit", "hands on what nobody counted"),
];

/// Places where what one run left would end up in what another signs.
const CACHES: &[&str] = &["actions/cache", "cache-from", "cache-to", "rust-cache", "restore-keys"];

/// Commands that fetch, and those that run what they read.
const FETCHES: &[&str] = &["curl", "wget", "fetch", "gh api", "gh release download"];
const RUNS: &[&str] =
    &["sh", "bash", "dash", "ash", "zsh", "python", "python3", "perl", "node", "ruby", "source", "eval"];

pub(crate) fn careless(path: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let lines = || text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#'));
    if !text.lines().any(|line| line == "permissions: {}") {
        wrong.push(format!("{path}: does not begin with no permissions"));
    }
    for (number, line) in lines() {
        let place = format!("{path}:{}", number + 1);
        for (word, why) in NEVER.iter().filter(|(word, _)| line.contains(word)) {
            wrong.push(format!("{place}: {word} {why}"));
        }
        if let Some((_, action)) = line.split_once("uses: ")
            && !is_pinned(action)
        {
            wrong.push(format!("{place}: `{action}` is not pinned by hash with its version beside it"));
        }
        if path.ends_with("/release.yml") && CACHES.iter().any(|word| line.contains(word)) {
            wrong.push(format!("{place}: a release takes nothing from a cache"));
        }
    }
    let count = |word: &str| lines().filter(|(_, line)| line.contains(word)).count();
    if count("actions/checkout@") != count("persist-credentials: false") {
        wrong.push(format!("{path}: a checkout leaves its credentials behind"));
    }
    if count("runs-on:") != count("timeout-minutes:") {
        wrong.push(format!("{path}: a job has no end"));
    }
    wrong
}

/// `owner/name@<40 hexadecimal digits> # v1.2.3`
fn is_pinned(action: &str) -> bool {
    let Some((name, rest)) = action.split_once('@') else { return false };
    let Some((hash, version)) = rest.split_once(" # v") else { return false };
    let hexadecimal =
        hash.len() == 40 && hash.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase());
    let numbers: Vec<&str> = version.split('.').collect();
    let exact = numbers.len() == 3 && numbers.iter().all(|part| part.parse::<u32>().is_ok());
    name.contains('/') && hexadecimal && exact
}

/// Downloads that are run without having been looked at: through a pipe, a substitution or a file descriptor.
pub(crate) fn run_as_fetched(path: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, line) in super::scripts::commands(text) {
        let fetches = FETCHES.iter().any(|word| has_command(&line, word));
        let piped = line.split('|').skip(1).any(|part| {
            let mut words = part.split_whitespace().skip_while(|word| {
                word.contains('=')
                    || word.starts_with('-')
                    || ["sudo", "env", "exec", "command", "xargs"].contains(word)
            });
            words.next().is_some_and(is_interpreter)
        });
        let substituted = ["<(", "$(", "`"].iter().any(|open| {
            let before = line.split(open).next().unwrap_or_default();
            let inside = line.split_once(open).map(|(_, inside)| inside).unwrap_or_default();
            FETCHES.iter().any(|word| inside.trim_start().starts_with(word))
                && before.split_whitespace().any(|word| word == "." || is_interpreter(word))
        });
        if fetches && (piped || substituted) {
            wrong.push(format!("{path}:{number}: what is fetched is run unseen: `{}`", line.trim()));
        }
    }
    wrong
}

fn is_interpreter(word: &str) -> bool {
    let name = word.trim_matches(['"', '\'', ';', ')']).rsplit('/').next().unwrap_or_default();
    RUNS.contains(&name)
}

fn has_command(line: &str, command: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == '.';
    line.match_indices(command).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + command.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

fn is_workflow(file: &crate::tree::File) -> bool {
    file.path.starts_with(".github/workflows/")
}

#[test]
fn workflows_have_no_more_rights_than_they_need() {
    crate::hold(careless, is_workflow);
}

#[test]
fn nothing_that_is_fetched_is_run_unseen() {
    let text = |file: &crate::tree::File| {
        let kinds = ["Dockerfile", "docs/", "examples/", "README.md", ".github/"];
        file.is_script() || kinds.iter().any(|kind| file.path.starts_with(kind))
    };
    crate::hold(run_as_fetched, text);
}

#[test]
fn a_careless_workflow_is_found() {
    let hash = "9c091bb21b7c1c1d1991bb908d89e4e9dddfe3e0";
    let good = format!(
        "permissions: {{}}\njobs:\n  a:\n    runs-on: x\n    timeout-minutes: 5\n    steps:\n      \
         - uses: actions/checkout@{hash} # v7.0.0\n        with:\n          persist-credentials: false\n"
    );
    let wrong = |text: &str| careless(".github/workflows/release.yml", text).len();
    assert_eq!(wrong(&good), 0);
    for (now, then) in [
        ("permissions: {}", "permissions: read-all"),
        ("# v7.0.0", "# v7"),
        (" # v7.0.0", ""),
        (hash, "v7"),
        (hash, "9C091BB21B7C1C1D1991BB908D89E4E9DDDFE3E0"),
        ("persist-credentials: false", "persist-credentials: true"),
        ("    timeout-minutes: 5\n", ""),
        ("permissions: {}\n", "permissions: {}\non: pull_request_target\n"),
        ("    steps:\n", "    cache-from: x\n    steps:\n"),
    ] {
        assert!(wrong(&good.replacen(now, then, 1)) > 0, "{now} -> {then}");
    }
}

#[test]
fn a_download_that_is_run_unseen_is_found() {
    for line in [
        "curl -fsSL https://example.test/x | sh",
        "curl -fsSL https://example.test/x | sudo bash -s -- --yes",
        "wget -qO- https://example.test/x | FORCE=1 /bin/sh",
        "  run: curl https://example.test/x \\\n    | tee x | python3",
        "bash <(curl -fsSL https://example.test/x)",
        "bash -c \"$(curl -fsSL https://example.test/x)\"",
        ". <(wget -qO- https://example.test/x)",
        "eval \"$(curl https://example.test/x)\"",
    ] {
        assert_eq!(run_as_fetched("scripts/x", line).len(), 1, "{line}");
    }
    for line in [
        "# curl https://example.test/x | sh",
        "curl -o x https://example.test/x && sha256sum --check x.sum",
        "curl https://example.test/x | jq -r .name",
        "printf x | bash",
        "cargo fetch --locked",
        "state=$(curl -s \"$base/health\")",
    ] {
        assert_eq!(run_as_fetched("scripts/x", line).len(), 0, "{line}");
    }
}
