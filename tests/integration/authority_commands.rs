//! Commands in containers: each is its maker's alone, and streams behind a start that was judged.
use crate::agent::{Agent, TOKEN};
use crate::engine::Engine;
use crate::signer::head;
use crate::world::{Call, World, told};

/// The id of a command that a key makes in a container.
fn command(world: &World, key: u8) -> String {
    let made = world.ask(key, "POST /containers/web/exec", r#"{"Cmd":["true"]}"#);
    assert_eq!(made.status(), 200, "{}", made.text());
    made.text()[7..71].to_owned()
}

#[test]
fn a_command_is_its_makers_alone() {
    let world = World::new(&[
        r#"allow="exec,view""#,
        r#"allow="exec,view""#,
        r#"allow="exec,view",label="team=web""#,
        r#"allow="all""#,
    ]);
    let ids: Vec<_> = (1..=3).map(|key| command(&world, key)).collect();
    let lines = |id: &str| {
        [
            (format!("POST /exec/{id}/start"), r#"{"Detach":true}"#),
            (format!("POST /exec/{id}/resize?h=1&w=2"), ""),
            (format!("GET /exec/{id}/json"), ""),
        ]
    };
    for (maker, id) in (1..).zip(&ids) {
        for (line, body) in lines(id) {
            for key in 1..=3 {
                let before = world.asked().len();
                let answer = world.ask(key, &line, body);
                let expected = if key == maker { (200, 1) } else { (404, 0) };
                assert_eq!((answer.status(), world.asked().len() - before), expected, "key {key}: {line}");
                if key != maker {
                    assert_eq!(answer.sentence(), format!("No such exec instance: {id}"));
                }
            }
            assert_eq!(world.ask(4, &line, body).status(), 200, "who may do everything: {line}");
        }
        // No part of an id is an id, and one nobody made is nobody's.
        for other in [&id[..12], &id[..63], &id.to_uppercase().replace('0', "A"), "web"] {
            for (line, body) in lines(other) {
                assert_eq!(world.ask(maker, &line, body).status(), 404, "{line}");
            }
        }
    }
}

#[test]
fn a_command_that_was_not_made_is_not_remembered() {
    let id = "c".repeat(64);
    let body = format!(r#"{{"Id":"{id}"}}"#);
    let answers = Box::new(move |call: &Call| call.line().ends_with("/exec").then(|| told(409, &body)));
    let world = World::with(&[r#"allow="exec""#], &[], answers);
    let made = world.ask(1, "POST /containers/web/exec", r#"{"Cmd":["true"]}"#);
    assert_eq!(made.status(), 409);
    assert_eq!(world.ask(1, &format!("POST /exec/{id}/start"), "{}").status(), 404);
}

#[test]
fn a_command_streams_both_ways_behind_its_judged_start() {
    let id = "c".repeat(64);
    let made = told(200, format!("{{\"Id\":\"{id}\"}}"));
    let engine = Engine::start(move |visit| {
        while let Some(message) = visit.request() {
            if message.head.target().ends_with("/exec") {
                visit.send(&made);
                continue;
            }
            assert_eq!(message.body, br#"{"Detach":false,"Tty":true}"#);
            visit.send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nhello");
            let input = visit.take(5);
            visit.send(input);
            return;
        }
    });
    let agent = Agent::start_with(&engine, &[("TOKEN_ALLOW", "exec")]);
    let with = |line: &str, more: &str, body: &str| {
        let fields = format!(
            "Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n{more}Content-Length: {}\r\n",
            body.len()
        );
        head(line, &fields) + body
    };
    assert_eq!(agent.ask(with("POST /containers/a/exec", "", r#"{"Cmd":["sh"]}"#)).status(), 200);
    let upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n";
    let start = with(&format!("POST /exec/{id}/start"), upgrade, r#"{ "Detach":false, "Tty":true }"#);
    let mut client = agent.client();
    // What is typed ahead is kept for the command.
    client.send(start + "input");
    assert_eq!(client.head().status(), 101);
    assert_eq!(client.take(10), b"helloinput");
    client.expect_end();
}
