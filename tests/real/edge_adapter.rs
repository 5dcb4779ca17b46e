//! The messages of the Drydock adapter, with a real Engine behind the agent: news of containers, logs, removal.

use serde_json::{Value, json};

use crate::docker::IMAGE;
use crate::edge_tunnel::Tunnel;
use crate::edge_welcome::Mode;
use crate::edge_world::World;

/// News of one container by its id.
fn news(tunnel: &Tunnel, kind: &str, id: &str) -> Value {
    tunnel.find(&format!("{kind} of {id}"), |found, data| {
        found == kind && (data["container"]["id"] == id || data["id"] == id)
    })
}

#[test]
fn containers_are_told_of_at_once_and_each_event_besides() {
    let world = World::new(Mode::Plain);
    let tunnel = world.edge.tunnel();
    tunnel.find("the components", |kind, _| kind == "dd:component_sync");
    let synced = tunnel.find("the containers", |kind, _| kind == "dd:container_sync");
    assert!(synced["containers"].is_array(), "{synced}");
    tunnel.find("figures of the host", |kind, _| kind == "metrics");

    let name = world.container("told", "exec sleep 1000");
    let id = world.id(&name);
    assert_eq!(news(tunnel, "dd:container_added", &id)["container"]["name"], json!(name));
    for action in ["create", "start"] {
        let event = tunnel.find(action, |kind, data| {
            kind == "container_event" && data["containerId"] == id && data["action"] == action
        });
        assert_eq!((&event["containerName"], &event["image"]), (&json!(name), &json!(IMAGE)), "{event}");
        assert!(event["timestamp"].is_u64() && event["actorAttributes"].is_object(), "{event}");
    }
    let renamed = world.scene.name("renamed");
    world.straight.run(&["rename", &name, &renamed]).good();
    tunnel.find("its new name", |kind, data| {
        kind == "dd:container_updated"
            && data["container"]["id"] == id
            && data["container"]["name"] == renamed
    });
    world.straight.run(&["kill", &renamed]).good();
    tunnel.find("its end", |kind, data| {
        kind == "dd:container_updated"
            && data["container"]["id"] == id
            && data["container"]["status"] != "running"
    });
    world.straight.run(&["rm", &renamed]).good();
    news(tunnel, "dd:container_removed", &id);
}

/// Asks for logs in one piece.
fn logs(tunnel: &Tunnel, container: &str, more: &Value) -> String {
    let id = format!("logs-{}", tunnel.number());
    let mut data = more.clone();
    (data["requestId"], data["containerId"]) = (json!(id), json!(container));
    tunnel.send("dd:container_log_request", &data);
    let told = tunnel
        .find("logs", |kind, data| kind == "dd:container_log_response" && data["requestId"] == json!(id));
    told["logs"].as_str().expect("text").to_owned()
}

#[test]
fn logs_are_told_in_one_piece_with_a_terminal_and_without() {
    let world = World::new(Mode::Plain);
    let tunnel = world.edge.tunnel();
    let says = "echo one; echo zwö; echo drei; exec sleep 1000";
    let plain = world.container("plain", says);
    let terminal = world.container_with("terminal", &["-t"], says);
    let both = world.container("both", "echo out; echo err >&2; exec sleep 1000");
    // The Engine's own word for it that the lines are written.
    for name in [&plain, &terminal] {
        crate::wait::until("it has said all", || {
            world.straight.run(&["logs", name]).text().contains("drei").then_some(())
        });
    }
    assert_eq!(logs(tunnel, &plain, &json!({})), "one\nzwö\ndrei\n");
    assert_eq!(logs(tunnel, &terminal, &json!({})), "one\r\nzwö\r\ndrei\r\n");
    assert_eq!(logs(tunnel, &plain, &json!({"tail": 1})), "drei\n");
    assert_eq!(logs(tunnel, &terminal, &json!({"tail": 2, "since": 0})), "zwö\r\ndrei\r\n");
    assert_eq!(logs(tunnel, &plain, &json!({"until": "1"})), "");
    let stamped = logs(tunnel, &plain, &json!({"timestamps": true, "since": "1", "tail": 1}));
    assert!(stamped.ends_with("Z drei\n"), "{stamped}");
    let told = logs(tunnel, &both, &json!({}));
    assert!(told == "out\nerr\n" || told == "err\nout\n", "{told:?}");
    let none = logs(tunnel, &world.scene.name("nobody"), &json!({}));
    assert!(none.starts_with("error: ") && none.contains("No such container"), "{none}");
}

/// Logs as they are written.
struct Live<'t> {
    tunnel: &'t Tunnel,
    id: String,
    out: String,
    err: String,
    end: Option<Value>,
}

impl<'t> Live<'t> {
    fn start(tunnel: &'t Tunnel, container: &str, follow: bool) -> Self {
        let id = format!("live-{}", tunnel.number());
        let data = json!({"requestId": id, "containerId": container, "tail": 100, "since": 0, "follow": follow,
            "stream": true});
        tunnel.send("dd:container_log_request", &data);
        Self { tunnel, id, out: String::new(), err: String::new(), end: None }
    }

    fn next(&mut self) {
        let data = self.tunnel.find("more of the logs", |kind, data| {
            kind.starts_with("dd:container_log_") && data["requestId"] == json!(self.id)
        });
        let Some(text) = data["logs"].as_str() else {
            self.end = Some(data);
            return;
        };
        if data["stream"] == "stderr" { self.err.push_str(text) } else { self.out.push_str(text) }
    }

    fn until_it_says(&mut self, text: &str) {
        while !self.out.contains(text) {
            assert!(self.end.is_none(), "{:?} after {:?}", self.end, self.out);
            self.next();
        }
    }

    fn ended(&mut self) -> Value {
        while self.end.is_none() {
            self.next();
        }
        self.end.take().expect("an end")
    }
}

#[test]
fn live_logs_come_as_they_are_written_and_end_with_the_container_or_when_asked() {
    let world = World::new(Mode::Plain);
    let tunnel = world.edge.tunnel();
    let says = "echo one; echo err >&2; until [ -e /tmp/go ]; do sleep 0.1; done; echo zwö; exit 3";
    for flags in [&[][..], &["-t"]] {
        let name = world.container_with(if flags.is_empty() { "plain" } else { "terminal" }, flags, says);
        let mut first = Live::start(tunnel, &name, true);
        let mut second = Live::start(tunnel, &name, true);
        first.until_it_says("one");
        second.until_it_says("one");
        tunnel.send("dd:container_log_cancel", &json!({"requestId": second.id, "containerId": name}));
        assert_eq!(second.ended()["reason"], "canceled");
        world.straight.run(&["exec", &name, "touch", "/tmp/go"]);
        first.until_it_says("zwö");
        assert_eq!(first.ended()["reason"], "eof");
        let plain = (first.out.replace('\r', ""), first.err.as_str());
        let has_terminal = !flags.is_empty();
        let expected = if has_terminal { ("one\nerr\nzwö\n", "") } else { ("one\nzwö\n", "err\n") };
        assert_eq!((plain.0.as_str(), plain.1), expected);
        let mut all = Live::start(tunnel, &name, false);
        assert_eq!(all.ended()["reason"], "eof");
        assert_eq!((all.out, all.err), (first.out, first.err));
    }
    let mut nobody = Live::start(tunnel, &world.scene.name("nobody"), true);
    let end = nobody.ended();
    assert!(end["error"].as_str().is_some_and(|error| error.contains("No such container")), "{end}");
}

#[test]
fn a_container_is_removed_by_force() {
    let world = World::new(Mode::Plain);
    let tunnel = world.edge.tunnel();
    let name = world.container("removed", "exec sleep 1000");
    let delete = |name: &str| {
        let id = format!("delete-{}", tunnel.number());
        tunnel.send("dd:container_delete_request", &json!({"requestId": id, "containerId": name}));
        tunnel.find("whether it is removed", |kind, data| {
            kind == "dd:container_delete_response" && data["requestId"] == json!(id)
        })
    };
    // One that is not there is as good as removed.
    for _ in 0..2 {
        let removed = delete(&name);
        assert_eq!((&removed["success"], &removed["containerId"]), (&json!(true), &json!(name)), "{removed}");
        assert_eq!(world.straight.run(&["inspect", &name]).code(), Some(1));
    }
    let refused = delete("not/a/name");
    assert!(refused["success"] == false && refused["error"].is_string(), "{refused}");
}

#[test]
fn what_this_agent_does_not_do_is_answered_too() {
    let world = World::new(Mode::Plain);
    let tunnel = world.edge.tunnel();
    let watcher = json!({"watcherType": "docker", "watcherName": "local"});
    tunnel.send("dd:watch_request", &watcher);
    let told = tunnel.find("an answer", |kind, _| kind == "dd:watch_response");
    assert_eq!((&told["results"], &told["watcherName"]), (&json!([]), &json!("local")), "{told}");
    tunnel.send(
        "dd:watch_container_request",
        &json!({"watcherType": "docker", "watcherName": "local", "containerId": "x"}),
    );
    tunnel
        .find("an answer", |kind, data| kind == "dd:watch_container_response" && data["containerId"] == "x");
    tunnel.send("dd:trigger_request", &json!({"triggerType": "docker", "triggerName": "update"}));
    let told = tunnel.find("an answer", |kind, _| kind == "dd:trigger_response");
    assert_eq!(
        (&told["success"], &told["message"]),
        (&json!(false), &json!("triggers not implemented in v1.0"))
    );
}
