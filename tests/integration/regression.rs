//! Defects that once were, each as the bytes that showed it.
use std::thread;

use crate::agent::{Agent, request};
use crate::engine::{Engine, Home, OK};
use crate::patience::{Gate, PATIENCE, until};
use crate::signer::{Draft, Signer, agent, elsewhere, file, head, verdict};
use crate::tls::{Files, behind};

/// An Engine acts on JSON at its closing brace: what follows may be padding it never waits for.
#[test]
fn not_one_byte_of_a_forged_document_reaches_the_engine() {
    let (home, engine, signer) = (Home::new(), Engine::obliging(), Signer::new(1));
    let agent = agent(&engine, &file(&home, "keys", signer.line()), &[("AGENT_ID", "one")]);
    let line = "POST /v1.41/volumes/create";
    let forged = r#"{"Name":"forged"}          "#;
    let chunks = format!("{:x}\r\n{forged}\r\n0\r\n\r\n", forged.len());
    for (framing, body) in [
        (format!("Content-Length: {}\r\n", forged.len()), forged.to_owned()),
        ("Transfer-Encoding: chunked\r\n".to_owned(), chunks),
    ] {
        let fields = Draft::new(3, line, r#"{"Name":"good"}"#).fields(&signer) + &framing + &elsewhere();
        let answer = agent.ask(head(line, &fields) + &body);
        assert_eq!(verdict(&answer), (401, Some("invalid-signature")), "{framing}");
    }
    agent.stop();
    assert!(engine.settle().is_empty(), "{:?}", engine.visits()[0].text());
}

/// An empty body took one of the four places for large ones, and kept it until the answer.
#[test]
fn signed_calls_that_take_long_do_not_keep_others_waiting() {
    let (home, signer) = (Home::new(), Signer::new(1));
    let gate = Gate::default();
    let hold = gate.clone();
    let engine = Engine::start(move |visit| {
        while let Some(message) = visit.request() {
            if message.head.target().ends_with("/stop") {
                hold.pass();
            }
            visit.send(OK);
        }
    });
    let agent = agent(&engine, &file(&home, "keys", signer.line()), &[]);
    let line = "POST /containers/x/stop";
    let mut slow: Vec<_> = (0..6).map(|_| agent.client()).collect();
    for client in &mut slow {
        let fields = Draft::new(2, line, "").fields(&signer) + "Content-Length: 0\r\n" + &elsewhere();
        client.send(head(line, &fields));
    }
    engine.wait("all six are asked", |visits| (visits.len() >= 6).then_some(()));
    gate.open();
    for client in &mut slow {
        assert_eq!(client.answer().status(), 200);
    }
}

/// The time a client takes to send its body was taken for the Engine's.
#[test]
fn a_slow_upload_leaves_the_engine_its_whole_time() {
    let engine = Engine::obliging();
    let agent = Agent::start_with(&engine, &[("REQUEST_TIMEOUT", "1")]);
    let mut client = agent.client();
    client.send(request("POST /containers/create", "Content-Length: 4\r\n") + "{ ");
    engine.wait("the head has arrived", |visits| (!visits.is_empty()).then_some(()));
    // Two requests that time out, one after the other, are longer than the slow one may take.
    let silent = Engine::start(|visit| {
        while visit.request().is_some() {
            visit.until_left();
        }
    });
    let other = Agent::start_with(&silent, &[("REQUEST_TIMEOUT", "1")]);
    for _ in 0..2 {
        assert_eq!(other.ask(request("GET /containers/json", "")).status(), 504);
    }
    client.send(" }");
    assert_eq!(client.answer().status(), 200);
}

/// A proxy that strips Connection and forwards Upgrade did not agree to a switch.
#[test]
fn an_upgrade_that_the_connection_does_not_name_is_none() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    for fields in ["Upgrade: h2c\r\n", "Connection: Upgrade\r\nUpgrade: tcp\r\nUpgrade: h2c\r\n"] {
        assert_eq!(agent.ask(request("GET /a", fields)).status(), 200);
    }
    agent.stop();
    for visit in engine.settle() {
        assert!(!visit.text().to_lowercase().contains("upgrade"), "{}", visit.text());
    }
}

/// The Engine reads nothing, so the relay was not looking at the client any more.
#[test]
fn a_stream_whose_input_is_stuck_ends_when_its_client_does() {
    let gate = Gate::default();
    let hold = gate.clone();
    let engine = Engine::start(move |visit| {
        if visit.head().is_some() {
            visit.send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
            hold.pass();
        }
    });
    let home = Home::new();
    let token = home.path("token");
    file(&home, "token", "the first token of two");
    let agent = Agent::start_alone(&[
        ("TOKEN_FILE", token.to_str().unwrap()),
        ("DOCKER_SOCKET", engine.path().to_str().unwrap()),
    ]);
    let mut client = agent.client();
    client.send(
        "POST /exec/a/start HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer the first token of two\r\n\
         Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
    );
    assert_eq!(client.head().status(), 101);
    let mut writer = client.writer();
    let filling = thread::spawn(move || {
        // Until nobody takes any more, which the end of the stream turns into an error.
        writer.set_write_timeout(Some(PATIENCE)).unwrap();
        while std::io::Write::write(&mut writer, &[b'x'; 65536]).is_ok() {}
    });
    file(&home, "token", "another token entirely");
    agent.signal("HUP");
    client.expect_end();
    filling.join().unwrap();
    gate.open();
}

/// Every answer of an Engine whose backlog is full came never, and the agent could not be stopped.
#[test]
fn an_engine_that_does_not_accept_is_an_engine_away() {
    let home = Home::new();
    let path = home.path("full.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let mut waiting = Vec::new();
    // Beyond what the kernel keeps for a listener that never accepts.
    let most: usize =
        std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap().trim().parse().unwrap();
    for _ in 0..=most {
        let (done, connected) = std::sync::mpsc::channel();
        let place = path.clone();
        if waiting.len() >= most {
            break;
        }
        thread::spawn(move || done.send(std::os::unix::net::UnixStream::connect(place)));
        match connected.recv_timeout(std::time::Duration::from_secs(1)) {
            Ok(stream) => waiting.push(stream.unwrap()),
            Err(_) => break,
        }
    }
    let agent = Agent::start_at(&path, &[("REQUEST_TIMEOUT", "1")]);
    assert!(matches!(agent.ask(request("GET /containers/json", "")).status(), 502 | 504));
    assert_eq!(agent.stop().code, Some(0));
    drop((listener, waiting));
}

/// Bytes that come one by one never let the wait for a whole record look at its deadline.
#[test]
fn a_handshake_that_drips_meets_its_deadline() {
    let (engine, files) = (Engine::obliging(), Files::new());
    let agent = behind(&engine, &files);
    let mut client = agent.client();
    // The head of a record that announces more than will ever come.
    let mut bytes = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3].into_iter().chain(std::iter::repeat(0));
    until("the connection is closed", || {
        thread::sleep(std::time::Duration::from_millis(100));
        client.try_send([bytes.next().unwrap()]).is_err().then_some(())
    });
    agent.stop();
}
