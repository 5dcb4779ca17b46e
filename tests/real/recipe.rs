//! The commands of a document, run as they stand in a directory of their own.
//!
//! A block of shell says in a comment above it what becomes of it here: `run: NAME` is run to its end and must succeed,
//! `serve: NAME` is left running until the last block of that name, `reload: NAME` is not run, because its command would
//! look for the agent by its name: the signal goes to the one that was started here. Blocks of one name share a directory.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::agent::free_address;
use crate::docker::{IMAGE, SOCKET};
use crate::folder::Folder;
use crate::process::run;
use crate::wait::until;

/// One block of a document, and what becomes of it.
struct Step {
    deed: String,
    name: String,
    text: String,
}

/// The blocks of a document that are meant for us, in its order.
fn steps(document: &str) -> Vec<Step> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{document}: {error}"));
    let mut steps = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let said = line.strip_prefix("<!-- ").and_then(|said| said.strip_suffix(" -->"));
        let Some((deed, name)) = said.and_then(|said| said.split_once(": ")) else { continue };
        if !["run", "serve", "reload"].contains(&deed) {
            continue;
        }
        assert_eq!(lines.next(), Some("```sh"), "{document}: a block of shell comes after {line}");
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        steps.push(Step { deed: deed.to_owned(), name: name.to_owned(), text: block.join("\n") });
    }
    steps
}

/// Where the commands of one name are run.
pub(crate) struct Recipe {
    folder: Folder,
    port: u16,
    serving: Option<Child>,
}

impl Recipe {
    /// Runs all blocks of this name and tells how many there were.
    pub(crate) fn follow(document: &str, name: &str) -> usize {
        let steps: Vec<Step> = steps(document).into_iter().filter(|step| step.name == name).collect();
        let mut recipe = Self::new();
        for step in &steps {
            match step.deed.as_str() {
                "run" => drop(recipe.run(&step.text)),
                "serve" => recipe.serve(&step.text),
                _ => recipe.reload(),
            }
        }
        steps.len()
    }

    pub(crate) fn new() -> Self {
        let folder = Folder::new();
        let plugins = folder.path().join("home/.docker/cli-plugins");
        fs::create_dir_all(&plugins).expect("a home for whoever follows it");
        let compose = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/compose/docker-compose");
        assert!(compose.exists(), "there is no Compose 2 in .tools/compose: run scripts/setup");
        symlink(compose, plugins.join("docker-compose")).expect("a link to it");
        Self { folder, port: free_address().port(), serving: None }
    }

    pub(crate) fn at(&self, name: &str) -> String {
        self.folder.at(name)
    }

    /// The shell that runs it, with nothing of this machine's settings. The documents' port is one that is free here,
    /// and an image that would be fetched is the one that all tests have.
    pub(crate) fn shell(&self, text: &str) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_lookout"));
        let programs = binary.parent().and_then(Path::to_str).expect("a directory with a plain name");
        let port = self.port.to_string();
        let text = text.replace(":3000", &format!(":{port}")).replace("busybox:1", IMAGE);
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", &text])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"))
            .env("HOME", self.folder.at("home"))
            .env("DOCKER_SOCKET", SOCKET)
            .env("BIND_ADDRESS", "127.0.0.1")
            .env("PORT", port);
        command
    }

    pub(crate) fn run(&self, text: &str) -> String {
        eprintln!("{text}");
        let outcome = run(&mut self.shell(text)).good();
        eprintln!("{}", outcome.text());
        outcome.text()
    }

    fn serve(&mut self, text: &str) {
        self.end();
        let log = File::create(self.folder.at("log")).expect("a file for its log");
        // A group of its own, so that the shell's child ends with it.
        let child = self
            .shell(text)
            .process_group(0)
            .stdin(Stdio::null())
            .stderr(log.try_clone().expect("the same file"))
            .stdout(log)
            .spawn()
            .expect("bash starts: run scripts/setup");
        let child = self.serving.insert(child);
        let port = self.port;
        until("the agent of the document listens", || {
            if let Some(status) = child.try_wait().unwrap() {
                let log = fs::read_to_string(self.folder.at("log")).unwrap_or_default();
                panic!("it ended ({status}): {text}\n{log}");
            }
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
        });
    }

    /// What a signal to the agent does.
    fn reload(&self) {
        let reloads = || {
            let log = fs::read_to_string(self.folder.at("log")).unwrap_or_default();
            assert!(!log.contains("agent.reload_refused"), "{log}");
            log.matches("agent.reloaded").count()
        };
        let before = reloads();
        let shell = self.serving.as_ref().expect("an agent is running").id();
        // The shell may have become the agent itself, or have it as its child.
        let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap_or_default();
        let agent = children.split_whitespace().next().map_or_else(|| shell.to_string(), str::to_owned);
        run(Command::new("kill").args(["-HUP", &agent])).good();
        until("it was read anew", || (reloads() > before).then_some(()));
    }

    fn end(&mut self) {
        if let Some(mut child) = self.serving.take() {
            run(Command::new("kill").args(["-TERM", "--", &format!("-{}", child.id())]));
            until("the agent of the document ends", || child.try_wait().unwrap());
        }
    }
}

impl Drop for Recipe {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = fs::read_to_string(self.folder.at("log")).unwrap_or_default();
            eprintln!("what the agent logged:\n{log}");
        }
        self.end();
    }
}

/// Every name there is in a document, in its order.
pub(crate) fn names(document: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for step in steps(document) {
        if !names.contains(&step.name) {
            names.push(step.name);
        }
    }
    names
}

/// A file that is shipped.
pub(crate) fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
