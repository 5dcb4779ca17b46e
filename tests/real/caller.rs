//! The docker command of somebody who may not do everything: what it sees, and what it may not do.

use std::net::SocketAddr;

use serde_json::Value;

use crate::agent::Agent;
use crate::docker::Docker;
use crate::folder::Folder;
use crate::process::{Outcome, Running};
use crate::scene::Scene;

/// Holds one credential of an agent.
pub(crate) struct Caller {
    docker: Docker,
    /// What stands before every command.
    flags: Vec<String>,
    /// By which name it is refused.
    title: String,
}

impl Caller {
    /// With an agent's token, which grants what its `TOKEN_ALLOW` says.
    pub(crate) fn with_token(agent: &Agent) -> Self {
        Self { docker: agent.docker(), flags: Vec::new(), title: "TOKEN".to_owned() }
    }

    /// With the certificate that lies in `folder` under the comment of its key.
    pub(crate) fn with_certificate(address: SocketAddr, folder: &Folder, comment: &str) -> Self {
        let flags = [
            ("--tlscacert", "server/cert.pem".to_owned()),
            ("--tlscert", format!("{comment}/cert.pem")),
            ("--tlskey", format!("{comment}/key.pem")),
        ];
        let mut all = vec!["--tlsverify".to_owned()];
        all.extend(flags.iter().map(|(flag, name)| format!("{flag}={}", folder.at(name))));
        let docker = Docker::at(&format!("tcp://{address}"), "{}");
        Self { docker, flags: all, title: format!("key {comment}") }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.docker.run(&self.with_flags(arguments))
    }

    pub(crate) fn run_with(&self, arguments: &[&str], input: impl Into<Vec<u8>>) -> Outcome {
        self.docker.run_with(&self.with_flags(arguments), input)
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.docker.start(&self.with_flags(arguments))
    }

    /// How it calls, for a command line that something else starts.
    pub(crate) fn shell_words(&self) -> String {
        format!("{} {}", self.docker.shell_words(), self.flags.join(" "))
    }

    fn with_flags<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        self.flags.iter().map(String::as_str).chain(arguments.iter().copied()).collect()
    }

    /// What a command that succeeds prints.
    pub(crate) fn says(&self, arguments: &[&str]) -> String {
        self.run(arguments).good().text()
    }

    /// Asks the same question straight to the Engine, which answers the same to the byte.
    pub(crate) fn sees_the_same(&self, arguments: &[&str]) -> String {
        let (straight, told) = (Docker::straight().run(arguments).good(), self.run(arguments).good());
        assert_eq!(straight.errors(), told.errors(), "{arguments:?} (left: straight)");
        assert_eq!(straight.text(), told.text(), "{arguments:?} (left: straight)");
        told.text()
    }

    /// Asks the same question, whose answer is JSON, and says where the two answers differ. There, what
    /// is told is blanked.
    pub(crate) fn sees_blanked(&self, arguments: &[&str]) -> Vec<String> {
        let read =
            |outcome: Outcome| -> Value { serde_json::from_slice(&outcome.good().stdout).expect("JSON") };
        let (straight, told) = (read(Docker::straight().run(arguments)), read(self.run(arguments)));
        let mut places = Vec::new();
        differences(&straight, &told, "", &mut places);
        places
    }

    /// Is refused the command, and told so in our words.
    pub(crate) fn may_not(&self, arguments: &[&str], why: &str) {
        let outcome = self.run(arguments);
        let sentence = format!("Error response from daemon: lookout: {} {why}", self.title);
        assert!(!outcome.status.success(), "{arguments:?} was not refused: {}", outcome.text());
        assert!(
            outcome.errors().contains(&sentence),
            "{arguments:?} wants {sentence:?}: {}",
            outcome.errors()
        );
    }

    /// Is told by a command for a connection with no room for words only that it is refused.
    pub(crate) fn may_not_switch(&self, arguments: &[&str]) {
        let outcome = self.run(arguments);
        assert!(!outcome.status.success(), "{arguments:?} was not refused: {}", outcome.text());
        assert!(outcome.errors().contains("received 403"), "{arguments:?}: {}", outcome.errors());
    }

    /// Is told the same of what is `there` as of what is `absent`; in which words, but for the name.
    /// `command` has {} where the name stands.
    pub(crate) fn finds_nothing(&self, command: &str, there: &str, absent: &str) -> String {
        let tries = |name: &str| {
            let command = command.replace("{}", name);
            let outcome = self.run(&words(&command));
            let plain = |text: String| text.replace(name, "NAME");
            // The command notes on some runs, and not on others, that its upload was cut short.
            let errors = outcome.errors();
            let errors: String =
                errors.split_inclusive('\n').filter(|line| !line.starts_with("time=")).collect();
            (outcome.code(), plain(outcome.text()), plain(errors))
        };
        let (found, expected) = (tries(there), tries(absent));
        assert_eq!(found, expected, "{command} tells {there}, which is there, from {absent}, which is not");
        found.2
    }
}

/// Where two answers differ, with a `*` for every item of a list; what stands there must say nothing.
fn differences(straight: &Value, told: &Value, place: &str, places: &mut Vec<String>) {
    match (straight, told) {
        (Value::Object(these), Value::Object(those)) => {
            assert!(these.keys().eq(those.keys()), "{place} has other members: {told}");
            for (name, value) in these {
                differences(value, &those[name], &format!("{place}.{name}"), places);
            }
        }
        (Value::Array(these), Value::Array(those)) if these.len() == those.len() => {
            for (one, other) in these.iter().zip(those) {
                differences(one, other, &format!("{place}.*"), places);
            }
        }
        (one, other) if one == other => {}
        (_, other) => {
            assert!(is_blank(other), "{place} differs and is not blanked: {other}");
            if !places.iter().any(|known| known == place) {
                places.push(place.to_owned());
            }
        }
    }
}

/// `***`, a list of it, `NAME=***`, or nothing at all.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty() || text.rsplit('=').next() == Some("***"),
        Value::Array(items) => items.iter().all(is_blank),
        Value::Object(members) => members.is_empty(),
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Bool(true) => false,
    }
}

/// The words of a command line that needs no quotes.
pub(crate) fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Everything there is of a scene, as the Engine itself tells it: what was refused has changed none of it.
pub(crate) fn standing(scene: &Scene) -> String {
    let straight = Docker::straight();
    let ask = |line: &str| straight.run(&words(line)).good().text();
    let name = format!("name={}", scene.prefix());
    let mut all = String::new();
    for id in words(&ask(&format!("ps -aq --no-trunc --filter {name}"))) {
        all.push_str(&ask(&format!("container inspect {id}")));
        all.push_str(&ask(&format!("diff {id}")));
    }
    for kind in ["network", "volume"] {
        for id in words(&ask(&format!("{kind} ls -q --filter {name}"))) {
            all.push_str(&ask(&format!("{kind} inspect {id}")));
        }
    }
    all.push_str(&ask(&format!("images --no-trunc --digests --filter reference={}*", scene.prefix())));
    all
}

/// Plays what must be refused, and looks at the Engine before and after.
pub(crate) fn nothing_happens(scene: &Scene, refused: impl FnOnce()) {
    let before = standing(scene);
    refused();
    let after = standing(scene);
    let mut lines = before.lines().zip(after.lines());
    let first = lines.find(|(one, other)| one != other);
    assert!(before == after, "something of what was refused happened, first: {first:?}");
}
