//! Streams: every piece goes on as it comes, in both directions, without waiting for the next.
use crate::agent::{Agent, request};
use crate::engine::Engine;
use crate::message::Length;
use crate::patience::{Gate, until};

#[test]
fn a_chunk_of_the_engine_arrives_while_it_holds_the_next() {
    let gate = Gate::default();
    let hold = gate.clone();
    let engine = Engine::start(move |visit| {
        if visit.request().is_some() {
            visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nfirst\r\n");
            hold.pass();
            visit.send("6\r\nsecond\r\n0\r\n\r\n");
            visit.until_left();
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    client.send(request("GET /events", ""));
    assert_eq!(client.head().length(), Length::Chunked);
    assert_eq!(client.wire().halves(Length::Chunked, b"first", &gate).unwrap(), b"firstsecond");
}

#[test]
fn the_head_of_a_quiet_stream_arrives_before_its_first_byte() {
    let gate = Gate::default();
    let hold = gate.clone();
    let engine = Engine::start(move |visit| {
        if visit.request().is_some() {
            visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            hold.pass();
            visit.send("4\r\nlate\r\n0\r\n\r\n");
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    client.send(request("GET /containers/a/logs?follow=1", ""));
    let head = client.head();
    gate.open();
    assert_eq!(client.body(head.length()).unwrap(), b"late");
}

#[test]
fn half_a_chunk_arrives_while_the_engine_holds_the_other_half() {
    let gate = Gate::default();
    let hold = gate.clone();
    let engine = Engine::start(move |visit| {
        if visit.request().is_some() {
            visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\nfirst");
            hold.pass();
            visit.send("later\r\n0\r\n\r\n");
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    client.send(request("GET /events", ""));
    client.head();
    assert_eq!(client.wire().halves(Length::Chunked, b"first", &gate).unwrap(), b"firstlater");
}

#[test]
fn a_piece_of_a_sized_answer_arrives_while_the_engine_holds_the_rest() {
    for (framing, length) in [("Content-Length: 10\r\n", Length::Exactly(10)), ("", Length::Chunked)] {
        let gate = Gate::default();
        let hold = gate.clone();
        let engine = Engine::start(move |visit| {
            if visit.request().is_some() {
                visit.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\nfirst"));
                hold.pass();
                visit.send("later");
            }
        });
        let agent = Agent::start(&engine);
        let mut client = agent.client();
        client.send(request("GET /a", ""));
        let head = client.head();
        assert_eq!(head.length(), length, "{head:?}");
        assert_eq!(client.wire().halves(length, b"first", &gate).unwrap(), b"firstlater");
    }
}

#[test]
fn a_piece_of_an_upload_arrives_while_the_client_holds_the_rest() {
    for (framing, first, rest) in [
        ("Content-Length: 10\r\n", "first", "later"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nfirst\r\n", "5\r\nlater\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "a\r\nfirst", "later\r\n0\r\n\r\n"),
    ] {
        let gate = Gate::default();
        let seen = gate.clone();
        let engine = Engine::start(move |visit| {
            if let Some(head) = visit.head() {
                assert_eq!(visit.wire().halves(head.length(), b"first", &seen).unwrap(), b"firstlater");
                visit.send(crate::engine::OK);
            }
        });
        let agent = Agent::start(&engine);
        let mut client = agent.client();
        client.send(request("POST /build", framing) + first);
        gate.pass();
        client.send(rest);
        assert_eq!(client.answer().status(), 200);
    }
}

#[test]
fn a_burst_of_small_chunks_arrives_whole_while_the_engine_stays_silent() {
    let lines: Vec<String> = (0..500).map(|n| format!("line {n}\n")).collect();
    let chunks: String = lines.iter().map(|line| format!("{:x}\r\n{line}\r\n", line.len())).collect();
    let gate = Gate::default();
    let hold = gate.clone();
    let engine = Engine::start(move |visit| {
        if visit.request().is_some() {
            visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned() + &chunks);
            hold.pass();
            visit.send("0\r\n\r\n");
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    client.send(request("GET /events", ""));
    client.head();
    let all = lines.concat();
    let mut got = Vec::new();
    while got.len() < all.len() {
        got.extend(client.chunk());
    }
    assert_eq!(String::from_utf8(got).unwrap(), all);
    gate.open();
    assert_eq!(client.body(Length::Chunked).unwrap(), b"");
}

#[test]
fn streams_of_statistics_that_nobody_ends_are_bounded() {
    let engine = Engine::start(|visit| {
        while let Some(message) = visit.request() {
            match message.head.target().contains("stream=false") {
                true => visit.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
                false => {
                    visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n");
                    return visit.until_left();
                }
            }
        }
    });
    let agent = Agent::start(&engine);
    let line = "GET /containers/a/stats?stream=true";
    let mut clients: Vec<_> = (0..256)
        .map(|_| {
            let mut client = agent.client();
            client.send(request(line, ""));
            assert_eq!(client.head().status(), 200);
            client
        })
        .collect();
    let answer = agent.ask(request(line, ""));
    assert_eq!(answer.status(), 429, "{}", answer.text());
    assert_eq!(agent.ask(request("GET /containers/a/stats?stream=false", "")).status(), 200);
    drop(clients.pop());
    until("a place is free again", || {
        let mut client = agent.client();
        client.send(request(line, ""));
        (client.head().status() == 200).then_some(())
    });
}
