//! Commands in containers that a controller starts by messages, in a real Engine.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::edge_tunnel::Tunnel;
use crate::edge_welcome::Mode;
use crate::edge_world::World;
use crate::wait::until;

/// A command that a controller has started.
struct Exec<'t> {
    tunnel: &'t Tunnel,
    id: String,
    /// What came so far, on standard output or a terminal, and on standard error.
    out: String,
    err: String,
    end: Option<Value>,
}

impl<'t> Exec<'t> {
    fn start(tunnel: &'t Tunnel, container: &str, script: &str, more: &Value) -> Self {
        let id = format!("exec-{}", tunnel.number());
        let mut data = json!({"execId": id, "containerId": container, "cmd": ["sh", "-c", script]});
        for (name, value) in more.as_object().expect("members") {
            data[name] = value.clone();
        }
        tunnel.send("exec_start", &data);
        Self { tunnel, id, out: String::new(), err: String::new(), end: None }
    }

    fn ready(self) -> Self {
        self.tunnel.find("it is ready", |kind, data| kind == "exec_ready" && data["execId"] == self.id);
        self
    }

    fn say(&self, kind: &str, more: &Value) {
        let mut data = more.clone();
        data["execId"] = json!(self.id);
        self.tunnel.send(kind, &data);
    }

    fn type_in(&self, text: &str) {
        self.say("exec_input", &json!({"data": BASE64.encode(text.as_bytes())}));
    }

    /// Takes the next message about it.
    fn next(&mut self) {
        let is_ours = |kind: &str, data: &Value| {
            (kind == "exec_output" || kind == "exec_end") && data["execId"] == self.id
        };
        let data = self.tunnel.find(&format!("more of {} after {:?}", self.id, self.out), is_ours);
        let Some(text) = data["data"].as_str() else {
            self.end = Some(data);
            return;
        };
        let text = String::from_utf8(BASE64.decode(text.as_bytes()).expect("base64")).expect("text");
        if data["stream"] == "stderr" { self.err.push_str(&text) } else { self.out.push_str(&text) }
    }

    fn until_it_says(&mut self, text: &str) {
        while !self.out.contains(text) {
            assert!(self.end.is_none(), "it ended ({:?}) without {text:?}: {:?}", self.end, self.out);
            self.next();
        }
    }

    /// Waits for its end: the reason and the code.
    fn ended(&mut self) -> (String, Value) {
        loop {
            if let Some(end) = &self.end {
                return (end["reason"].as_str().expect("a reason").to_owned(), end["exitCode"].clone());
            }
            self.next();
        }
    }

    fn exits_with(&mut self, code: i32) {
        assert_eq!(self.ended(), ("exited".to_owned(), json!(code)), "{:?} {:?}", self.out, self.err);
    }
}

fn host() -> (World, String) {
    let world = World::new(Mode::Duplex);
    let name = world.container("host", "exec sleep 1000");
    (world, name)
}

#[test]
fn a_command_without_a_terminal_tells_both_its_outputs_and_its_code() {
    let (world, name) = host();
    let (tunnel, plain) = (world.edge.tunnel(), json!({"tty": false}));
    let mut exec = Exec::start(tunnel, &name, "echo out; echo err >&2; exit 3", &plain).ready();
    exec.exits_with(3);
    assert_eq!((exec.out.as_str(), exec.err.as_str()), ("out\n", "err\n"));
    let about = json!({"tty": false, "user": "1234", "env": ["COLOUR=blue"], "workingDir": "/var", "cols": 80, "rows": 24});
    let mut exec = Exec::start(tunnel, &name, "echo $COLOUR; id -u; pwd; kill -9 $$", &about);
    exec.exits_with(137);
    assert_eq!(exec.out, "blue\n1234\n/var\n");
    let mut exec = Exec::start(tunnel, &name, "seq 1 200000; exit 4", &plain);
    exec.exits_with(4);
    assert_eq!((exec.out.lines().count(), exec.out.lines().last()), (200_000, Some("200000")));
}

#[test]
fn input_is_taken_in_its_order_also_before_the_command_runs_and_has_an_end() {
    let (world, name) = host();
    let exec =
        Exec::start(world.edge.tunnel(), &name, "sort -n; echo sorted; exit 5", &json!({"tty": false}));
    for number in (0..200).rev() {
        exec.type_in(&format!("{number}\n"));
    }
    exec.type_in("");
    let mut exec = exec.ready();
    exec.exits_with(5);
    let all: String = (0..200).map(|number| format!("{number}\n")).collect();
    assert_eq!(exec.out, format!("{all}sorted\n"));
}

#[test]
fn a_terminal_has_its_size_and_every_new_one() {
    let (world, name) = host();
    let says = "stty -echo; echo ready; while read line; do stty size; done; exit 8";
    let mut exec = Exec::start(world.edge.tunnel(), &name, says, &json!({"cols": 61, "rows": 20})).ready();
    exec.until_it_says("ready\r\n");
    exec.type_in("\n");
    exec.until_it_says("20 61\r\n");
    for (rows, cols) in [(33, 99), (10, 200)] {
        // In its order: the question behind it is asked in a terminal of the new size.
        exec.say("exec_resize", &json!({"cols": cols, "rows": rows}));
        exec.type_in("\n");
        exec.until_it_says(&format!("{rows} {cols}\r\n"));
    }
    // What a person types to end the input.
    exec.type_in("\u{4}");
    exec.exits_with(8);
    assert_eq!(exec.out, "ready\r\n20 61\r\n33 99\r\n10 200\r\n");
}

#[test]
fn a_shell_answers_what_is_typed_and_takes_an_interrupt() {
    let (world, name) = host();
    let mut exec = Exec::start(world.edge.tunnel(), &name, "exec sh", &json!({})).ready();
    exec.until_it_says("# ");
    exec.type_in("echo $((6 * 7)); sleep 1000; echo over $?\n");
    exec.until_it_says("42\r\n");
    until("the sleeper sleeps", || {
        (world.straight.run(&["top", &name]).text().matches("sleep 1000").count() > 1).then_some(())
    });
    exec.type_in("\u{3}");
    exec.type_in("exit 11\n");
    exec.exits_with(11);
}

#[test]
fn twenty_at_once_each_get_their_own_words_and_codes() {
    let (world, name) = host();
    let start = |number| {
        let says = format!("read line; echo $line; exit {number}");
        Exec::start(world.edge.tunnel(), &name, &says, &json!({"tty": number % 2 == 0}))
    };
    let mut all: Vec<_> = (0..20).map(start).map(Exec::ready).collect();
    // All twenty run before the first may end.
    for (number, exec) in all.iter().enumerate() {
        exec.type_in(&format!("this is {number}\n"));
    }
    for (number, exec) in (0..).zip(&mut all) {
        exec.exits_with(number);
        assert!(exec.out.contains(&format!("this is {number}")), "{:?}", exec.out);
    }
}

#[test]
fn a_command_that_the_controller_ends_is_let_go() {
    let (world, name) = host();
    let mut exec =
        Exec::start(world.edge.tunnel(), &name, "echo up; cat; echo over", &json!({"tty": false})).ready();
    exec.until_it_says("up\n");
    exec.say("exec_end", &json!({"reason": "enough"}));
    assert_eq!(exec.ended(), ("closed".to_owned(), Value::Null));
    let is_gone = || !world.straight.run(&["top", &name]).text().contains("echo over");
    until("its program has read the end of its input", || is_gone().then_some(()));
}

#[test]
fn what_cannot_be_run_is_said_in_the_words_of_the_engine() {
    let (world, name) = host();
    let tunnel = world.edge.tunnel();
    let nobody = world.scene.name("nobody");
    let (reason, _) = Exec::start(tunnel, &nobody, "true", &json!({})).ended();
    assert_eq!(reason, format!("create exec failed: No such container: {nobody}"));
    let lacks = json!({"cmd": ["/no/such/program"], "tty": false});
    let (reason, code) = Exec::start(tunnel, &name, "", &lacks).ended();
    assert!(reason == "exited" || reason.starts_with("start exec failed: "), "{reason}");
    assert!(code.is_null() || [126, 127].contains(&code.as_i64().unwrap_or_default()), "{code}");
    world.straight.run(&["kill", &name]).good();
    let (reason, _) = Exec::start(tunnel, &name, "true", &json!({})).ended();
    assert!(reason.starts_with("create exec failed: ") && reason.contains("is not running"), "{reason}");
}
