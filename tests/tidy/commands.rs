//! Commands that documents show exist: subcommands, scripts, variables, tests and benches; and some say who runs them.

/// What is known of the repository.
pub(crate) struct Known<'a> {
    /// The text that names every subcommand.
    pub(crate) arguments: &'a str,
    /// The table of variables.
    pub(crate) variables: &'a str,
    pub(crate) manifest: &'a str,
}

/// What is said about a block of shell by the comment above it.
const MARKS: &[&str] = &["run: ", "serve: ", "reload: ", "compose: ", "not run: "];

/// Commands of a document that are not there.
pub(crate) fn unknown(
    path: &str,
    text: &str,
    known: &Known<'_>,
    is_there: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, line) in shell(text) {
        let words: Vec<&str> =
            line.split([' ', '(', ')', '"', '\'', ';']).filter(|word| !word.is_empty()).collect();
        let in_container = words.iter().position(|word| *word == "/lookout");
        let ours = in_container
            .or_else(|| words.iter().position(|word| *word == "lookout" || word.ends_with("/lookout")));
        if let Some(at) = ours {
            let next = words.get(at + 1).copied().unwrap_or_default();
            let is_name =
                !next.is_empty() && next.chars().all(|sign| sign.is_ascii_lowercase() || sign == '-');
            // As a program it stands first, behind variables, or behind docker exec; elsewhere it is a name.
            let is_program =
                words[..at].iter().all(|word| word.contains('=')) || words[at].starts_with("/lookout");
            if is_program
                && is_name
                && !next.starts_with('-')
                && !known.arguments.contains(&format!("\"{next}\""))
            {
                wrong.push(format!("{path}:{number}: there is no `lookout {next}`"));
            }
            for name in words[..at].iter().filter_map(|word| Some(word.split_once('=')?.0)) {
                let is_variable = name
                    .chars()
                    .all(|sign| sign.is_ascii_uppercase() || sign.is_ascii_digit() || sign == '_');
                if is_program && is_variable && !known.variables.contains(&format!("        {name}: ")) {
                    wrong.push(format!("{path}:{number}: there is no variable {name}"));
                }
            }
        }
        for word in &words {
            let script = word.trim_start_matches("./");
            if script.starts_with("scripts/") && !is_there(script) {
                wrong.push(format!("{path}:{number}: there is no {script}"));
            }
        }
        for pair in words.windows(2).filter(|pair| ["--bench", "--test"].contains(&pair[0])) {
            if words.contains(&"cargo") && !known.manifest.contains(&format!("name = \"{}\"", pair[1])) {
                wrong.push(format!("{path}:{number}: there is no {} {}", pair[0], pair[1]));
            }
        }
    }
    wrong
}

/// Blocks of shell that do not say whether a test runs them, and why not.
pub(crate) fn unmarked(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let begins = lines.iter().enumerate().filter(|(_, line)| line.trim() == "```sh").map(|(at, _)| at);
    let is_marked = |at: usize| {
        let above = at.checked_sub(1).and_then(|above| lines.get(above)).unwrap_or(&"");
        let said = above.strip_prefix("<!-- ").and_then(|said| said.strip_suffix(" -->"));
        said.is_some_and(|said| {
            MARKS.iter().any(|mark| said.strip_prefix(mark).is_some_and(|rest| rest.len() > 2))
        })
    };
    let wrong = begins.filter(|at| !is_marked(*at));
    wrong.map(|at| format!("{path}:{}: nothing says whether a test runs this block", at + 1)).collect()
}

/// The lines of blocks of shell, without comments.
fn shell(text: &str) -> Vec<(usize, &str)> {
    let mut inside = false;
    let mut out = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match line.trim() {
            "```sh" => inside = true,
            "```" => inside = false,
            _ if inside => out.push((number + 1, line.split(" # ").next().unwrap_or(line))),
            _ => {}
        }
    }
    out
}

#[test]
fn a_command_that_is_not_there_is_found() {
    let known = Known {
        arguments: "(\"doctor\", …) (\"keygen\", …)",
        variables: "        PORT: Plain",
        manifest: "name = \"proxy\"",
    };
    let wrong = |line: &str| {
        unknown("README.md", &format!("```sh\n{line}\n```\n"), &known, |path| path == "scripts/test").len()
    };
    for good in [
        "lookout doctor --json",
        "PORT=1 lookout",
        "docker exec lookout /lookout doctor",
        "./scripts/test",
        "docker logs lookout | jq",
        "cargo bench --bench proxy",
        "cd lookout && cargo build",
        "lookout    # listens",
        "systemctl reload lookout",
    ] {
        assert_eq!(wrong(good), 0, "{good}");
    }
    for bad in [
        "lookout docter",
        "PORTS=1 lookout",
        "docker exec lookout /lookout docter",
        "scripts/tests",
        "cargo bench --bench x",
        "PORT=1 lookout keys",
    ] {
        assert_eq!(wrong(bad), 1, "{bad}");
    }
    assert_eq!(unknown("README.md", "lookout docter", &known, |_| false).len(), 0);
}

#[test]
fn a_block_that_nobody_answers_for_is_found() {
    for mark in ["<!-- run: x y -->", "<!-- not run: it needs the network -->"] {
        assert_eq!(unmarked("README.md", &format!("{mark}\n```sh\nx\n```\n")).len(), 0, "{mark}");
    }
    for mark in ["", "<!-- run:  -->", "<!-- later: x -->", "text"] {
        assert_eq!(unmarked("README.md", &format!("{mark}\n```sh\nx\n```\n")).len(), 1, "{mark}");
    }
}
