//! An Engine that runs commands by script: what was made of them, what was typed, and what they say.
use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::edge_link::Link;
use crate::edge_world::{desk, merged, whole};
use crate::engine::{Engine, Visit};
use crate::fleet::framed;
use crate::message::Head;
use crate::patience::{Gate, until};

/// Every command there was. Copies are the same.
#[derive(Clone, Default)]
pub(crate) struct Shells(Arc<State>);

#[derive(Default)]
struct State {
    /// Bodies they were made with, by id.
    made: Mutex<HashMap<String, Value>>,
    /// What happened, in its order.
    journal: Mutex<Vec<String>>,
    /// Everything that was typed, by id.
    typed: Mutex<HashMap<String, Vec<u8>>>,
    /// Held back until they are open.
    holds: Mutex<HashMap<&'static str, Gate>>,
}

impl Shells {
    pub(crate) fn engine(&self) -> Engine {
        let shells = self.clone();
        desk(move |visit, head| shells.serve(visit, head))
    }

    /// From now on `make`, `start` or `resize` waits for this gate.
    pub(crate) fn hold(&self, what: &'static str, gate: &Gate) {
        self.0.holds.lock().unwrap().insert(what, gate.clone());
    }

    /// What happened so far.
    pub(crate) fn journal(&self) -> Vec<String> {
        self.0.journal.lock().unwrap().clone()
    }

    pub(crate) fn until(&self, entry: &str) {
        until(&format!("{entry} in {:?}", self.journal()), || {
            self.journal().iter().any(|one| one == entry).then_some(())
        });
    }

    /// How often something that begins so has happened.
    pub(crate) fn count(&self, begin: &str) -> usize {
        self.journal().iter().filter(|one| one.starts_with(begin)).count()
    }

    /// What was typed into the command of this container so far.
    pub(crate) fn typed(&self, container: &str) -> Vec<u8> {
        self.0.typed.lock().unwrap().get(container).cloned().unwrap_or_default()
    }

    pub(crate) fn until_typed(&self, container: &str, text: &[u8]) {
        until(&format!("{:?} is typed", String::from_utf8_lossy(text)), || {
            (self.typed(container) == text).then_some(())
        });
    }

    /// The body with which the command of this container was made.
    pub(crate) fn made(&self, container: &str) -> Value {
        self.0.made.lock().unwrap().get(container).cloned().expect("it was made")
    }

    fn note(&self, what: String) {
        self.0.journal.lock().unwrap().push(what);
    }

    fn pass(&self, what: &'static str) {
        let gate = self.0.holds.lock().unwrap().get(what).cloned();
        if let Some(gate) = gate {
            gate.pass();
        }
    }

    /// A command's id is that of its container, which has one command at a time here.
    pub(crate) fn serve(&self, visit: &mut Visit, head: &Head) -> bool {
        let Ok(body) = visit.body(head) else { return false };
        let (path, query) = head.target().split_once('?').unwrap_or_else(|| (head.target(), ""));
        let parts: Vec<_> = path.trim_start_matches("/v1.41").trim_start_matches('/').split('/').collect();
        let answer = match parts.as_slice() {
            ["containers", name, "exec"] => self.make(name, &body),
            ["exec", name, "resize"] => {
                self.note(format!("resize {name} {query}"));
                self.pass("resize");
                whole("201 Created", "application/json", "")
            }
            ["exec", name, "json"] => {
                let code = name.strip_prefix("code-").and_then(|code| code.parse().ok()).unwrap_or(0_i64);
                let told = json!({"ID": name, "Running": false, "ExitCode": code});
                whole("200 OK", "application/json", told.to_string())
            }
            ["exec", name, "start"] if name.starts_with("unstartable") => {
                whole("409 Conflict", "application/json", r#"{"message":"container is paused"}"#)
            }
            ["exec", name, "start"] => {
                self.note(format!("start {name}"));
                self.pass("start");
                self.run(visit, name, &body);
                return false;
            }
            _ => whole("404 Not Found", "application/json", r#"{"message":"page not found"}"#),
        };
        visit.try_send(answer).is_ok()
    }

    fn make(&self, name: &str, body: &[u8]) -> Vec<u8> {
        self.note(format!("make {name}"));
        self.pass("make");
        if name.starts_with("missing") {
            return whole("404 Not Found", "application/json", r#"{"message":"No such container: missing"}"#);
        }
        let body: Value = serde_json::from_slice(body).expect("a body in JSON");
        self.0.made.lock().unwrap().insert(name.to_owned(), body);
        whole("201 Created", "application/json", json!({ "Id": name }).to_string())
    }

    fn run(&self, visit: &mut Visit, name: &str, body: &[u8]) {
        let made = self.made(name);
        let start: Value = serde_json::from_slice(body).expect("a body in JSON");
        assert_eq!((&start["Detach"], &start["Tty"]), (&json!(false), &made["Tty"]), "{start}");
        let kind = if made["Tty"] == true { "raw" } else { "multiplexed" };
        let _ = visit.try_send(format!(
            "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.{kind}-stream\r\n\
             Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        ));
        let cmd: Vec<_> = made["Cmd"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        match cmd.as_slice() {
            ["cat"] => self.cat(visit, name),
            // Says this and is over; a prefix of `2` is for the second stream.
            ["say", said @ ..] => {
                for text in said {
                    let (source, text) = text.strip_prefix('2').map_or((1, *text), |text| (2, text));
                    let bytes = if kind == "raw" { text.into() } else { framed(source, text) };
                    let _ = visit.try_send(bytes);
                }
            }
            // Reads nothing, and lives until it is ended.
            ["deaf"] => visit.until_left(),
            ["flood", size] => {
                let block: Vec<u8> = (0..=250).cycle().take(64 * 251).collect();
                let mut left: usize = size.parse().unwrap();
                while left > 0 && visit.try_send(&block[..left.min(block.len())]).is_ok() {
                    left = left.saturating_sub(block.len());
                }
            }
            other => panic!("no such command: {other:?}"),
        }
        self.note(format!("over {name}"));
    }

    /// Repeats what is typed until `exit` is, or the input ends.
    fn cat(&self, visit: &mut Visit, name: &str) {
        let mut to = visit.writer();
        loop {
            let Ok(bytes) = visit.wire().some().map(<[u8]>::to_vec) else { return };
            visit.wire().consume(bytes.len());
            let mut typed = self.0.typed.lock().unwrap();
            let all = typed.entry(name.to_owned()).or_default();
            all.extend_from_slice(&bytes);
            let is_over = all.ends_with(b"exit");
            drop(typed);
            if bytes.is_empty() {
                self.note(format!("end of input {name}"));
            }
            if bytes.is_empty() || is_over || to.write_all(&bytes).is_err() {
                return;
            }
        }
    }
}

impl Link {
    /// Starts a command; its id is its container's.
    pub(crate) fn exec(&self, name: &str, cmd: &[&str], more: &Value) {
        let data = json!({"execId": name, "containerId": name, "cmd": cmd, "cols": 80, "rows": 24});
        self.send("exec_start", &merged(&data, more));
    }

    /// The same, once it runs.
    pub(crate) fn exec_ready(&mut self, name: &str, cmd: &[&str]) {
        self.exec(name, cmd, &json!({}));
        self.find(&format!("{name} is ready"), |kind, data| kind == "exec_ready" && data["execId"] == name);
    }

    pub(crate) fn type_in(&self, name: &str, text: impl AsRef<[u8]>) {
        self.send("exec_input", &json!({"execId": name, "data": BASE64.encode(text.as_ref())}));
    }

    /// What the command says next, at least so much.
    pub(crate) fn output(&mut self, name: &str, least: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < least {
            let what = format!("output of {name} after {} bytes", all.len());
            let next = self.find(&what, |kind, data| {
                (kind == "exec_output" || kind == "exec_end") && data["execId"] == name
            });
            assert_eq!(next["type"], "exec_output", "after {} bytes: {next}", all.len());
            all.extend(BASE64.decode(next["data"]["data"].as_str().unwrap().as_bytes()).unwrap());
        }
        all
    }

    /// Types this and waits until it comes back.
    pub(crate) fn echo(&mut self, name: &str, text: &str) {
        self.type_in(name, text);
        assert_eq!(String::from_utf8_lossy(&self.output(name, text.len())), text);
    }

    /// The data of its end.
    pub(crate) fn exec_end(&mut self, name: &str) -> Value {
        let what = format!("the end of {name}");
        self.find(&what, |kind, data| kind == "exec_end" && data["execId"] == name)["data"].take()
    }
}
