//! A trail in a file: where an agent writes it, what stands in it, and whether it is whole.
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::agent::{Agent, request, run};
use crate::engine::Home;
use crate::patience::until;

/// A folder for a trail, for what was put aside of it, and for the key that signs it.
pub(crate) struct Sink {
    home: Home,
    log: String,
    state: String,
}

impl Sink {
    pub(crate) fn new() -> Self {
        let home = Home::new();
        let text = |name: &str| home.path(name).to_str().expect("a path in UTF-8").to_owned();
        let (log, state) = (text("audit.jsonl"), text("state"));
        fs::DirBuilder::new().mode(0o700).create(&state).expect("a directory");
        Self { home, log, state }
    }

    pub(crate) fn log(&self) -> &str {
        &self.log
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path(name)
    }

    /// What makes an agent write here, signed, and further variables.
    pub(crate) fn with<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let fixed = [("AUDIT_LOG", self.log.as_str()), ("STATE_DIR", self.state.as_str())];
        [fixed.as_slice(), more].concat()
    }

    /// The same, where each line ends with what is recorded.
    pub(crate) fn plain<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        [[("AUDIT_LOG", self.log.as_str()), ("AUDIT_CHAIN", "false")].as_slice(), more].concat()
    }

    /// The files of the trail, oldest first.
    pub(crate) fn files(&self) -> Vec<String> {
        let aside = (1..).map(|number| format!("{}.{number}", self.log));
        let mut files: Vec<_> = aside.take_while(|path| Path::new(path).exists()).collect();
        files.reverse();
        // Between two files there is a moment without one.
        files.extend(Some(self.log.clone()).filter(|log| Path::new(log).exists()));
        files
    }

    /// Every line there is so far, of all files. One that is still being written is none yet.
    pub(crate) fn lines(&self) -> Vec<String> {
        let texts = self.files().into_iter().map(|path| fs::read_to_string(path).expect("a trail"));
        texts.flat_map(|text| text.split_inclusive('\n').filter_map(ended).collect::<Vec<_>>()).collect()
    }

    pub(crate) fn records(&self) -> Vec<Value> {
        self.lines().iter().map(|line| parsed(line)).collect()
    }

    /// Lines of this event.
    pub(crate) fn of(&self, event: &str) -> Vec<String> {
        let event = format!(r#","msg":"","event":"{event}""#);
        self.lines().into_iter().filter(|line| line.contains(&event)).collect()
    }

    /// Waits for so many lines of this event.
    pub(crate) fn wait(&self, event: &str, count: usize) -> Vec<String> {
        until(&format!("the trail has {count} of {event}"), || {
            Some(self.of(event)).filter(|lines| lines.len() >= count)
        })
    }

    /// What verification says of these files, and the code it ends with. The key is the agent's.
    pub(crate) fn verify(&self, files: &[String]) -> (Option<i32>, String) {
        let key = format!("{}/audit.pem", self.state);
        let mut arguments = vec!["audit", "verify", "--key", &key];
        arguments.extend(files.iter().map(String::as_str));
        let ended = run(&arguments, &[]);
        (ended.code, ended.words())
    }

    /// The trail is whole; what was said of that.
    pub(crate) fn expect_whole(&self) -> String {
        let (code, told) = self.verify(&self.files());
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains("whole: "), "{told}");
        told
    }
}

fn ended(line: &str) -> Option<String> {
    line.strip_suffix('\n').map(str::to_owned)
}

pub(crate) fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
}

/// A line is this pattern, byte for byte; each `*` stands for a value without quotes and commas.
pub(crate) fn expect_shape(line: &str, pattern: &str) {
    let pattern = pattern.replace("<time>", r#"{"time":"*","level":"INFO","msg":"""#);
    assert!(fits(line, &pattern), "\n{line}\nis not\n{pattern}");
    let time: String =
        line.chars().skip(9).take(30).map(|c| if c.is_ascii_digit() { 'd' } else { c }).collect();
    assert_eq!(time, "dddd-dd-ddTdd:dd:dd.dddddddddZ", "{line}");
}

fn fits(line: &str, pattern: &str) -> bool {
    let mut rest = line;
    let mut parts = pattern.split('*').peekable();
    while let Some(part) = parts.next() {
        let Some(after) = rest.strip_prefix(part) else { return false };
        rest = after;
        if parts.peek().is_some() {
            let end = rest.find(['"', ',', '}']).unwrap_or(rest.len());
            rest = &rest[end..];
        }
    }
    rest.is_empty()
}

/// The value of a series without labels.
pub(crate) fn figure(agent: &Agent, name: &str) -> u64 {
    let page = agent.ask(request("GET /metrics", "")).text();
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().expect("a whole number")
}

#[test]
fn a_shape_is_the_whole_line() {
    let line = r#"{"a":"1","b":2.5}"#;
    assert!(fits(line, line) && fits(line, r#"{"a":"*","b":*}"#));
    for pattern in [r#"{"a":"*"}"#, r#"{"b":*,"a":"*"}"#, r#"{"a":"*","b":*"#, r#"{"a":"*","b":*} "#] {
        assert!(!fits(line, pattern), "{pattern}");
    }
}
