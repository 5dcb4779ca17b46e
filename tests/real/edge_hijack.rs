//! Streams both ways through the tunnel, each way with its own end: run, exec, attach, and what speaks HTTP/2.

use std::io::Write;

use crate::docker::IMAGE;
use crate::edge_welcome::Mode;
use crate::edge_world::World;
use crate::folder::noise;
use crate::wait::until;

const MODES: [Mode; 2] = [Mode::Duplex, Mode::Binary];

/// What a client of HTTP/2 says first (RFC 9113 section 3.4), and an empty SETTINGS frame (section 6.5).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

#[test]
fn run_ends_with_the_code_of_its_program_and_both_its_outputs() {
    for mode in MODES {
        let world = World::new(mode);
        for code in [0, 3, 137] {
            let (name, says) = (world.scene.name("run"), format!("echo out; echo err >&2; exit {code}"));
            let ran = world.docker.run(&["run", "--rm", "--name", &name, IMAGE, "sh", "-c", &says]);
            assert_eq!((ran.code(), ran.text().as_str()), (Some(code), "out\n"), "{}", ran.errors());
            assert_eq!(ran.errors(), "err\n");
        }
        let none = world.docker.run(&["run", "--rm", "--name", &world.scene.name("run"), IMAGE, "/no/such"]);
        assert_eq!(none.code(), Some(127), "{}", none.errors());
        world.edge.until_settled();
    }
}

#[test]
fn run_passes_the_end_of_its_input_and_what_is_said_after_it() {
    for mode in MODES {
        let world = World::new(mode);
        let name = world.scene.name("sort");
        let run = ["run", "--rm", "-i", "--name", &name, IMAGE, "sh", "-c", "sort; echo sorted; exit 9"];
        let ran = world.docker.run_with(&run, "b\nc\na\n");
        assert_eq!((ran.code(), ran.text().as_str()), (Some(9), "a\nb\nc\nsorted\n"), "{}", ran.errors());
        world.edge.until_settled();
    }
}

#[test]
fn exec_carries_megabytes_both_ways_at_once() {
    for mode in MODES {
        let world = World::new(mode);
        let name = world.container("host", "exec sleep 1000");
        let bytes = noise(5_000_000);
        let back = world.docker.run_with(&["exec", "-i", &name, "cat"], bytes.clone()).good();
        assert!(back.stdout == bytes, "{} bytes of {} came back", back.stdout.len(), bytes.len());
        let counts = ["exec", "-i", &name, "sh", "-c", "wc -c; echo still here; exit 6"];
        let counted = world.docker.run_with(&counts, bytes);
        assert_eq!((counted.code(), counted.text().as_str()), (Some(6), "5000000\nstill here\n"));
        world.edge.until_settled();
    }
}

#[test]
fn attach_joins_input_and_output_of_a_running_container() {
    for mode in MODES {
        let world = World::new(mode);
        let asks = "read line; echo got $line; echo err >&2; exit 7";
        let name = world.container_with("attach", &["-i"], asks);
        let mut running = world.docker.start(&["attach", &name]);
        running.type_in("hello\n");
        let outcome = running.finish_by_itself();
        assert_eq!(outcome.code(), Some(7));
        assert_eq!((outcome.text().as_str(), outcome.errors().as_str()), ("got hello\n", "err\n"));
        world.edge.until_settled();
    }
}

#[test]
fn twenty_at_once_each_get_their_own_words() {
    let world = World::new(Mode::Binary);
    let name = world.container("host", "exec sleep 1000");
    let exec = ["exec", "-i", &name, "sh", "-c", "cat; exit 6"];
    let mut all: Vec<_> = (0..20).map(|_| world.docker.start(&exec)).collect();
    for (number, running) in all.iter_mut().enumerate() {
        running.type_in(&format!("this is {number}\n"));
    }
    for (number, running) in all.iter_mut().enumerate() {
        running.until_it_says(&format!("this is {number}\n"));
    }
    for (number, running) in all.into_iter().enumerate() {
        let outcome = running.finish();
        assert_eq!((outcome.code(), outcome.text()), (Some(6), format!("this is {number}\n")));
    }
    world.edge.until_settled();
}

#[test]
fn a_command_that_is_killed_lets_its_program_go() {
    for mode in MODES {
        let world = World::new(mode);
        let name = world.container("host", "exec sleep 1000");
        let mut running = world.docker.start(&["exec", "-i", &name, "sh", "-c", "cat; echo over"]);
        running.type_in("typed\n");
        running.until_it_says("typed\n");
        running.kill();
        let is_gone = || !world.straight.run(&["top", &name]).text().contains("echo over");
        until("its program has read the end of its input", || is_gone().then_some(()));
        world.edge.until_settled();
    }
}

#[test]
fn a_buildkit_session_and_its_grpc_speak_http_2_through_it() {
    for mode in MODES {
        let world = World::new(mode);
        let switch = "HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n";
        let session = format!(
            "POST /session {switch}X-Docker-Expose-Session-Uuid: {}\r\nX-Docker-Expose-Session-Name: real\r\n\
             X-Docker-Expose-Session-Sharedkey: real\r\n",
            world.scene.prefix()
        );
        // Here the Engine is the client: it speaks first.
        let mut answer = world.by_hand(&session, b"");
        assert_eq!(answer.status(), "101", "{}", answer.head);
        assert_eq!(answer.take(PREFACE.len()), PREFACE);
        drop(answer);
        let mut answer = world.by_hand(&format!("POST /grpc {switch}"), b"");
        assert_eq!(answer.status(), "101", "{}", answer.head);
        answer.stream.write_all(&[PREFACE, &SETTINGS].concat()).expect("the stream takes bytes");
        // Whatever the server says first, it is a SETTINGS frame.
        assert_eq!(answer.take(9).get(3), Some(&4));
        drop(answer);
        world.edge.until_settled();
    }
}

#[test]
fn an_upgrade_that_is_refused_is_an_ordinary_answer() {
    let world = World::new(Mode::Binary);
    let nobody = world.scene.name("nobody");
    for (path, status) in
        [(format!("/containers/{nobody}/attach?stream=1"), "404"), ("/session".into(), "400")]
    {
        let head = format!("POST {path} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n");
        let mut answer = world.by_hand(&head, b"");
        assert_eq!(answer.status(), status, "{}", answer.head);
        assert!(!answer.text().is_empty(), "a refusal has a reason");
    }
    let exec = world.docker.run(&["exec", &nobody, "true"]);
    assert!(exec.errors().contains("No such container"), "{}", exec.errors());
    world.edge.until_settled();
}
