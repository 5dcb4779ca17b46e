//! The whole configuration in words: every variable, every guard, and what is wrong.

use std::fmt::{Display, Write as _};
use std::path::Path;

use super::columns::columns;
use super::compose::Stacks;
use super::environment::Environment;
use super::guards::guards;
use super::parse::{quoted, quoted_address, unquoted};
use super::reach::reach;
use super::variables::{Holds, Otherwise, SANDBOX, STACKS_DIR, Section, TABLE, Variable};
use super::{compose, edge};
use crate::sandbox::{OF_AGENT, Sandbox};

const HIDDEN: &str = "***";
const NONE: &str = "-";

/// The text, and whether the agent would start.
pub(crate) struct Explanation {
    pub(crate) text: String,
    pub(crate) is_sound: bool,
}

pub(crate) fn explain(environment: &Environment) -> Explanation {
    let findings = super::read(environment).1;
    let mut text = variables(environment);
    text.push_str(match edge::is_meant(environment) {
        true => "\nMode: edge, as DRYDOCK_URL is set. The agent calls its controller.\n",
        false => "\nMode: standard, as DRYDOCK_URL is not set. The agent listens.\n",
    });
    text.push_str(&match compose::stacks(environment) {
        Ok(Stacks::On(_)) => "Compose: on, as STACKS_DIR is a directory.\n".to_owned(),
        Ok(Stacks::Off) => format!("Compose: off, as {} is no directory.\n", STACKS_DIR.default_value()),
        Err(_) => "Compose: unclear, as STACKS_DIR is wrong.\n".to_owned(),
    });
    text.push_str(&restraint(environment));
    let head = ["GUARD", "STATE", "LIFTED BY"].map(str::to_owned);
    let rows = guards(environment).into_iter();
    let rows = rows.map(|guard| [guard.what.to_owned(), guard.state, guard.lifted_by.to_owned()]);
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    text.push('\n');
    text.push_str(&columns(&rows, "  "));
    tell(&mut text, "Warnings", &findings.warnings);
    tell(&mut text, "Problems, each of which prevents the start", &findings.problems);
    let is_sound = findings.problems.is_empty();
    if is_sound {
        text.push_str("\nNo problems.\n");
    }
    Explanation { text, is_sound }
}

/// What is given up, and which files are left.
fn restraint(environment: &Environment) -> String {
    let sandbox = environment.text(&SANDBOX).ok().flatten().unwrap_or_else(|| SANDBOX.default_value());
    let when = match Sandbox::named(sandbox) {
        Some(Sandbox::Try) => "as far as the kernel lets it",
        Some(Sandbox::Require) => "or the agent does not start",
        Some(Sandbox::Off) => return "Sandbox: off. Nothing is given up.\n".to_owned(),
        None => return "Sandbox: unclear, as SANDBOX is wrong.\n".to_owned(),
    };
    let rights: Vec<_> = OF_AGENT.iter().map(|right| right.name()).collect();
    let shown = |path: &Path| unquoted(&quoted(&path.to_string_lossy()));
    let places = reach(environment).into_iter();
    let places: Vec<_> =
        places.map(|place| format!("{} {}", place.right.name(), shown(&place.path))).collect();
    let (rights, places) = (rights.join(", "), places.join(", "));
    format!(
        "Sandbox: {when}, it gives up {rights}, and all files but the system's own and these: {places}.\n"
    )
}

/// One aligned table, cut by the sections' headings.
fn variables(environment: &Environment) -> String {
    let head = ["VARIABLE", "VALUE", "FROM", "DEFAULT", "MEANING"].map(str::to_owned);
    let absent = absent(environment);
    let is_absent = |row: &Variable| absent.iter().any(|absent| absent.name == row.name);
    let rows = TABLE.iter().map(|row| cells(environment, row, is_absent(row)));
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    let aligned = columns(&rows, "  ");
    let mut lines = aligned.lines();
    let mut text = format!("{}\n", lines.next().unwrap_or_default());
    let mut section = None;
    for (line, row) in lines.zip(TABLE) {
        if section.replace(row.section) != Some(row.section) {
            // Writing to a String does not fail, here and below.
            let _ = write!(text, "\n{}\n", row.section.heading());
        }
        let _ = writeln!(text, "{line}");
    }
    text
}

fn cells(environment: &Environment, row: &'static Variable, is_absent: bool) -> [String; 5] {
    let default = match row.otherwise {
        Otherwise::Nothing => NONE,
        Otherwise::Value(text) | Otherwise::Words(text) => text,
    };
    let (value, from) = match environment.text(row) {
        Ok(Some(value)) => (shown(row, value), "environment"),
        Err(_) => (HIDDEN.to_owned(), "environment"),
        Ok(None) if has_file(environment, row) => (HIDDEN.to_owned(), "file"),
        // What is not there has no default in force either.
        Ok(None) if default == NONE || is_absent => (NONE.to_owned(), "unset"),
        Ok(None) => (default.to_owned(), "default"),
    };
    [row.name.to_owned(), value, from.to_owned(), default.to_owned(), row.meaning.to_owned()]
}

/// Every variable that does nothing in this environment's mode.
fn absent(environment: &Environment) -> Vec<&'static Variable> {
    let is_edge = edge::is_meant(environment);
    let composes = matches!(compose::stacks(environment), Ok(Stacks::On(_)));
    let is_absent = |row: &&&Variable| match row.section {
        Section::Idle => true,
        Section::Edge => !is_edge,
        Section::Proxies => !is_edge && !composes,
        Section::Listening
        | Section::Access
        | Section::Guards
        | Section::Engine
        | Section::Telling
        | Section::Output
        | Section::Audit
        | Section::Compose => false,
    };
    let idle = if is_edge { edge::idle(environment) } else { Vec::new() };
    TABLE.iter().filter(is_absent).copied().chain(idle.into_iter().map(|(row, _)| row)).collect()
}

fn shown(row: &Variable, value: &str) -> String {
    match row.holds {
        Holds::Plain => unquoted(&quoted(value)),
        Holds::Address => unquoted(&quoted_address(value)),
        Holds::SecretPath if value.starts_with('/') => unquoted(&quoted(value)),
        Holds::Secret | Holds::SecretPath => HIDDEN.to_owned(),
    }
}

/// The value of a secret may stand in the file that its twin names.
fn has_file(environment: &Environment, row: &Variable) -> bool {
    let mut files = TABLE.iter().filter(|file| file.holds == Holds::SecretPath);
    let twin = files.find(|file| file.name.strip_suffix("_FILE") == Some(row.name));
    twin.is_some_and(|file| environment.is_set(file))
}

fn tell(text: &mut String, heading: &str, findings: &[impl Display]) {
    if findings.is_empty() {
        return;
    }
    let _ = write!(text, "\n{heading}\n");
    for finding in findings {
        let _ = writeln!(text, "  {finding}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "hunter2-hunter2-hunter2";

    fn line(text: &str, name: &str) -> String {
        let name = format!("{name} ");
        let line = text.lines().find(|line| line.trim_start().starts_with(&name)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_variable_has_its_line_with_value_origin_default_and_meaning() {
        let environment = Environment::of(&[("TOKEN", SECRET), ("PORT", "8080")]);
        let Explanation { text, is_sound } = explain(&environment);
        assert!(is_sound && text.ends_with("\nNo problems.\n"));
        for row in TABLE {
            assert!(line(&text, row.name).ends_with(row.meaning), "{}", row.name);
        }
        for (name, told) in [
            ("PORT", "PORT 8080 environment 3000 TCP port"),
            ("LOG_LEVEL", "LOG_LEVEL info default info "),
            ("TLS_CERT", "TLS_CERT - unset - PEM"),
            ("TOKEN", "TOKEN *** environment - "),
            ("DOCKER_SOCKET", "DOCKER_SOCKET the first that answers default the first that answers path"),
            ("ADAPTER", "ADAPTER drydock default drydock "),
            ("STACKS_DIR", "STACKS_DIR /data/stacks default /data/stacks "),
        ] {
            assert!(line(&text, name).starts_with(told), "{}", line(&text, name));
        }
    }

    #[test]
    fn each_mode_shows_what_is_in_force_in_it() {
        let explained = |values: &[(&str, &str)]| explain(&Environment::of(values)).text;
        let (standard, edge) =
            (explained(&[]), explained(&[("DRYDOCK_URL", "wss://u:p@host/x"), ("PORT", "1")]));
        for (name, in_standard, in_edge) in [
            ("PORT", "PORT 3000 default", "PORT 1 environment"),
            ("BIND_ADDRESS", "BIND_ADDRESS 0.0.0.0 default", "BIND_ADDRESS - unset 0.0.0.0"),
            ("DRYDOCK_URL", "DRYDOCK_URL - unset", "DRYDOCK_URL wss://***@host/x environment"),
            ("EDGE_ALLOW", "EDGE_ALLOW - unset all", "EDGE_ALLOW all default all"),
        ] {
            for (text, told) in [(&standard, in_standard), (&edge, in_edge)] {
                assert!(line(text, name).starts_with(told), "{}", line(text, name));
            }
        }
        assert!(standard.contains("\nMode: standard, ") && edge.contains("\nMode: edge, "));
    }

    #[test]
    fn what_is_given_up_and_what_is_left_is_told() {
        let told = |values: &[(&str, &str)]| {
            let text = explain(&Environment::of(values)).text;
            text.lines().find(|line| line.starts_with("Sandbox: ")).unwrap().to_owned()
        };
        let line = told(&[("TOKEN_FILE", "/no/such/token"), ("STATE_DIR", "/no/state")]);
        for part in
            ["as far as the kernel lets it", "execution", "read /proc", "read /no/such", "own /no/state."]
        {
            assert!(line.contains(part), "{line}");
        }
        assert!(told(&[("SANDBOX", "require")]).contains("or the agent does not start"));
        assert_eq!(told(&[("SANDBOX", "off")]), "Sandbox: off. Nothing is given up.");
        assert!(told(&[("SANDBOX", "strict")]).contains("unclear"));
    }

    #[test]
    fn columns_stand_under_their_heads() {
        let text = explain(&Environment::of(&[("TOKEN", SECRET)])).text;
        let head = text.lines().next().unwrap();
        let at = head.find("MEANING").unwrap();
        for row in TABLE {
            let line = text.lines().find(|line| line.starts_with(&format!("  {} ", row.name))).unwrap();
            assert_eq!(&line[at..], row.meaning, "{line}");
        }
        for row in TABLE {
            assert_eq!(text.matches(&format!("\n\n{}\n", row.section.heading())).count(), 1);
        }
    }

    #[test]
    fn no_secret_is_ever_told() {
        for row in TABLE.iter().filter(|row| matches!(row.holds, Holds::Secret | Holds::SecretPath)) {
            let Explanation { text, .. } = explain(&Environment::of(&[(row.name, SECRET)]));
            assert!(!text.contains(SECRET), "{}", row.name);
            assert!(line(&text, row.name).contains(HIDDEN), "{}", row.name);
        }
        let url = format!("wss://user:{SECRET}@host/path?token={SECRET}");
        for row in TABLE {
            let Explanation { text, .. } = explain(&Environment::of(&[(row.name, &url)]));
            assert!(!text.contains(SECRET), "{}", row.name);
        }
        let url = format!("user:{SECRET}@host/path?token={SECRET}");
        for row in TABLE.iter().filter(|row| row.holds == Holds::Address) {
            let values = [(row.name, url.as_str()), ("DRYDOCK_URL", "wss://controller.example")];
            let Explanation { text, .. } = explain(&Environment::of(&values));
            assert!(!text.contains(SECRET) && line(&text, row.name).contains("***@host"), "{}", row.name);
        }
    }

    #[test]
    fn a_secret_that_comes_from_a_file_says_so() {
        let environment = Environment::of(&[("TOKEN_FILE", "/no/such/file")]);
        let Explanation { text, is_sound } = explain(&environment);
        assert!(!is_sound);
        assert!(line(&text, "TOKEN").starts_with("TOKEN *** file - "));
        assert!(line(&text, "TOKEN_FILE").starts_with("TOKEN_FILE /no/such/file environment - "));
    }

    #[test]
    fn warnings_and_problems_come_last() {
        let environment = Environment::of(&[("PORT", "0"), ("FORCE_COLOR", "x")]);
        let Explanation { text, is_sound } = explain(&environment);
        assert!(!is_sound && !text.contains("No problems."));
        let warnings = text.find("\nWarnings\n  ").unwrap();
        let problems =
            text.find("\nProblems, each of which prevents the start\n  PORT: \"0\" is not").unwrap();
        assert!(text.find("LIFTED BY").unwrap() < warnings && warnings < problems);
        assert!(text[problems..].contains("\n  TOKEN, TOKEN_FILE: no credential"));
    }
}
