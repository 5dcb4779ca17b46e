//! What both shapes of a container share: who tells it, to whom, and what is told in the same way.

use serde::Serialize;

use super::inspect::Container;
use crate::clock;

/// The one watcher there is; the controller asks for it by this name.
pub(crate) const WATCHER: &str = "docker";
/// What stands where something is not told.
const HIDDEN: &str = "***";

/// Whether values are told that may be secrets: of the environment, and of command lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    Told,
    Hidden,
}

/// Who tells, and how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Telling<'a> {
    /// The agent's own name, where it has one.
    pub(crate) agent: Option<&'a str>,
    pub(crate) secrets: Secrets,
}

impl<'a> Telling<'a> {
    pub(super) fn agent(&self) -> Option<&'a str> {
        self.agent.and_then(filled)
    }

    /// A command line, or that there is one.
    pub(super) fn command(&self, container: &Container) -> Option<String> {
        match self.secrets {
            _ if container.command.is_empty() => None,
            Secrets::Told => Some(container.command.join(" ")),
            Secrets::Hidden => Some(HIDDEN.to_owned()),
        }
    }

    /// The environment in its own order. Entries without a name are none.
    pub(super) fn environment<'c>(&self, container: &'c Container) -> Vec<Variable<'c>> {
        let pairs = container.env.iter().map(|entry| entry.split_once('=').unwrap_or((entry, "")));
        let named = pairs.map(|(key, value)| (key.trim(), value)).filter(|(key, _)| !key.is_empty());
        let told = named.map(|(key, value)| match self.secrets {
            Secrets::Hidden if !value.is_empty() => Variable { key, value: HIDDEN },
            Secrets::Told | Secrets::Hidden => Variable { key, value },
        });
        told.collect()
    }
}

/// An environment variable of a container.
#[derive(Debug, Serialize)]
pub(super) struct Variable<'a> {
    key: &'a str,
    value: &'a str,
}

/// A text that is not empty: both shapes leave empty ones out.
pub(super) fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A time that was: Go writes the year 1 where there was none.
pub(super) fn real_time(text: &str) -> Option<&str> {
    clock::read_rfc3339(text).map(|_| text)
}

/// This machine's architecture as the Engine names it, for an image that cannot be asked.
pub(crate) fn own_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(env: &str, secrets: Secrets) -> String {
        let inspection = format!(r#"{{"Id":"c","Config":{{"Env":{env},"Cmd":["run","--password","x"]}}}}"#);
        let container = Container::read(inspection.as_bytes()).unwrap();
        serde_json::to_string(&Telling { agent: None, secrets }.environment(&container)).unwrap()
    }

    #[test]
    fn the_environment_is_told_in_its_own_order_and_without_nameless_entries() {
        let env = r#"["B=2=3","A=","C","=x"," D =1",""]"#;
        let told = |b: &str, d: &str| {
            let pair = |(key, value)| format!(r#"{{"key":"{key}","value":"{value}"}}"#);
            format!("[{}]", [("B", b), ("A", ""), ("C", ""), ("D", d)].map(pair).join(","))
        };
        assert_eq!(environment(env, Secrets::Told), told("2=3", "1"));
        assert_eq!(environment(env, Secrets::Hidden), told("***", "***"));
        assert_eq!(environment("null", Secrets::Told), "[]");
    }

    #[test]
    fn times_that_never_were_are_not_told() {
        assert_eq!(real_time("2026-11-20T14:47:16.883815856Z"), Some("2026-11-20T14:47:16.883815856Z"));
        for never in ["", "0001-01-01T00:00:00Z", "yesterday"] {
            assert_eq!(real_time(never), None, "{never}");
        }
    }

    #[test]
    fn the_architecture_has_the_engines_name() {
        assert!(!own_architecture().is_empty() && own_architecture() != "x86_64");
    }
}
