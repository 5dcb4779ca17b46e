//! What passes: the same request however it is cut, and answers in the order of their questions.
use crate::agent::{Agent, request, request_with};
use crate::engine::{Engine, OK};
use crate::message::{Length, Message};

/// An Engine that answers with the request line and the body it read, so that mixed-up answers show.
fn echo() -> Engine {
    Engine::start(|visit| {
        while let Some(Message { head, body }) = visit.request() {
            let text = format!("{} | {}", head.start, String::from_utf8_lossy(&body));
            visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len()));
            if !head.start.starts_with("HEAD ") {
                visit.send(text);
            }
        }
    })
}

#[test]
fn a_chunked_body_is_framed_anew() {
    let engine = echo();
    let agent = Agent::start(&engine);
    let body = "5;name=value;other=\"x\"\r\nhello\r\n00001\r\n,\r\n6;a\r\n world\r\n\
                000;last\r\nX-Trailer: smuggled\r\n\r\n";
    let answer = agent.ask(request("POST /a", "Transfer-Encoding: Chunked\r\nTrailer: X-Trailer\r\n") + body);
    assert_eq!(answer.text(), "POST /a HTTP/1.1 | hello, world");
    let seen = engine.visits()[0].text();
    for dropped in ["name", "value", "other", "last", "railer", "smuggled"] {
        assert!(!seen.contains(dropped), "{dropped} reached the engine: {seen:?}");
    }
}

#[test]
fn upper_case_sizes_and_a_body_of_nothing_pass() {
    let engine = echo();
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    let chunked = request("POST /a", "Transfer-Encoding: chunked\r\n");
    let answer = client.ask(format!("{chunked}1A\r\n{}\r\n0\r\n\r\n", "x".repeat(26)));
    assert_eq!(answer.text(), format!("POST /a HTTP/1.1 | {}", "x".repeat(26)));
    assert_eq!(client.ask(format!("{chunked}0\r\n\r\n")).text(), "POST /a HTTP/1.1 | ");
    assert_eq!(client.ask(request("POST /b", "Content-Length: 0\r\n")).text(), "POST /b HTTP/1.1 | ");
    assert_eq!(client.ask(request("POST /c", "")).text(), "POST /c HTTP/1.1 | ");
    assert_eq!(client.ask(request("DELETE /d", "")).text(), "DELETE /d HTTP/1.1 | ");
    assert_eq!(client.ask(request_with("POST /e", "", "body")).text(), "POST /e HTTP/1.1 | body");
    assert_eq!(client.ask(request("POST /f", "Content-Length: 000\r\n")).text(), "POST /f HTTP/1.1 | ");
}

#[test]
fn blanks_around_a_value_are_no_part_of_it() {
    let engine = echo();
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    for length in ["5", "  5", "\t5", "5 ", "5\t "] {
        let head = request("POST /a", "Content-Length:+\r\n").replace('+', length);
        assert_eq!(client.ask(head + "hello").text(), "POST /a HTTP/1.1 | hello", "{length:?}");
    }
    let seen = engine.visits()[0].text();
    assert_eq!(seen.matches("\r\nContent-Length: 5\r\n").count(), 5, "{seen:?}");
}

#[test]
fn a_body_the_head_does_not_announce_is_the_next_request() {
    let engine = echo();
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    client.send(request("POST /a", "Content-Length: 0\r\n") + &request("POST /b", ""));
    assert_eq!(client.answer().text(), "POST /a HTTP/1.1 | ");
    assert_eq!(client.answer().text(), "POST /b HTTP/1.1 | ");
}

#[test]
fn one_empty_line_before_a_request_is_overlooked() {
    let engine = echo();
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    assert_eq!(client.ask(format!("\r\n{}", request("GET /a", ""))).text(), "GET /a HTTP/1.1 | ");
    assert_eq!(client.ask(format!("\r\n{}", request("GET /b", ""))).text(), "GET /b HTTP/1.1 | ");
}

#[test]
fn a_target_that_means_one_thing_is_kept_to_the_byte() {
    let engine = echo();
    let agent = Agent::start(&engine);
    for target in [
        "/v1.41/images/library%2Fbb%3Alatest/json",
        "/images/library%2fbb/json",
        "/%63ontainers/json",
        "/a?filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D&x=//../%2e%2e&y=a/b?c",
        "/a?",
        "/a?&&=&a",
        "/a...b/..c/c../.d",
        "/a%20b/~!$&'()*+,;=:@",
        "/containers/json?token_id=a&mytoken=b",
    ] {
        assert_eq!(
            agent.ask(request(&format!("GET {target}"), "")).text(),
            format!("GET {target} HTTP/1.1 | ")
        );
    }
}

#[test]
fn every_method_of_the_engine_passes() {
    let engine = echo();
    let agent = Agent::start(&engine);
    for method in ["GET", "POST", "PUT", "DELETE"] {
        let answer = agent.ask(request(&format!("{method} /a"), ""));
        assert_eq!(answer.text(), format!("{method} /a HTTP/1.1 | "));
    }
}

#[test]
fn http_1_0_gets_one_answer_and_the_end() {
    let engine = echo();
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    let credential = format!("Authorization: Bearer {}\r\n", crate::agent::TOKEN);
    // No Host: HTTP/1.0 did not have it.
    let answer = client.ask(format!("GET /a HTTP/1.0\r\n{credential}\r\n"));
    assert_eq!(answer.text(), "GET /a HTTP/1.1 | ");
    client.expect_end();

    let mut client = agent.client();
    let kept = format!("GET /b HTTP/1.0\r\n{credential}Connection: keep-alive\r\n\r\n");
    for _ in 0..2 {
        let answer = client.ask(&kept);
        assert_eq!(answer.text(), "GET /b HTTP/1.1 | ");
        assert_eq!(answer.head.value("connection").map(str::to_lowercase).as_deref(), Some("keep-alive"));
    }
}

#[test]
fn http_1_0_never_sees_a_chunk() {
    let engine = Engine::start(|visit| {
        while visit.request().is_some() {
            visit.send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
            );
        }
    });
    let agent = Agent::start(&engine);
    for fields in ["", "Connection: keep-alive\r\n"] {
        let mut client = agent.client();
        let one = request("GET /a", fields).replace("HTTP/1.1", "HTTP/1.0");
        client.send(one);
        let head = client.head();
        assert_eq!(head.length(), Length::UntilClose, "{head:?}");
        assert_eq!(client.body(head.length()).unwrap(), b"hello world");
    }
}

#[test]
fn connection_close_is_honoured_and_said() {
    let engine = echo();
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    for value in ["close", "Close", "x-private, close"] {
        let mut client = agent.client();
        let answer = client.ask(request("GET /a", &format!("Connection: {value}\r\n")));
        assert_eq!(answer.head.value("connection"), Some("close"), "{value}");
        client.expect_end();
    }
    assert_eq!(client.ask(request("GET /b", "")).head.value("connection"), None);
    assert_eq!(client.ask(request("GET /c", "")).status(), 200);
}

#[test]
fn the_answer_to_head_has_a_length_and_no_body() {
    let engine = echo();
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    client.send(request("HEAD /a", "") + &request("GET /b", ""));
    let head = client.head();
    assert_eq!((head.status(), head.value("content-length")), (200, Some("19")), "{head:?}");
    assert_eq!(client.answer().text(), "GET /b HTTP/1.1 | ");
    client.send(request("HEAD /health", "") + &request("GET /c", ""));
    assert_eq!(client.head().status(), 200);
    assert_eq!(client.answer().text(), "GET /c HTTP/1.1 | ");
}

#[test]
fn head_of_a_chunked_answer_has_no_body_either() {
    let engine = Engine::start(|visit| {
        while let Some(Message { head, .. }) = visit.request() {
            match head.start.starts_with("HEAD ") {
                true => visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
                false => visit.send(OK),
            }
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    client.send(request("HEAD /a", "") + &request("GET /b", ""));
    assert_eq!(client.head().status(), 200);
    assert_eq!(client.answer().text(), "{}");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let engine = echo();
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    let mut all = String::new();
    for number in 0..50 {
        all += &match number % 4 {
            0 => request(&format!("GET /{number}"), ""),
            1 => request_with(&format!("POST /{number}"), "", "body"),
            2 => {
                request(&format!("PUT /{number}"), "Transfer-Encoding: chunked\r\n")
                    + "4\r\nbody\r\n0\r\n\r\n"
            }
            _ => request("GET /health", ""),
        };
    }
    client.send(all);
    for number in 0..50 {
        let answer = client.answer();
        let expected = match number % 4 {
            0 => format!("GET /{number} HTTP/1.1 | "),
            1 => format!("POST /{number} HTTP/1.1 | body"),
            2 => format!("PUT /{number} HTTP/1.1 | body"),
            _ => continue,
        };
        assert_eq!(answer.text(), expected);
    }
}

#[test]
fn a_request_that_comes_byte_by_byte_is_whole() {
    let engine = echo();
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    let chunked =
        request("PUT /a", "Transfer-Encoding: chunked\r\n") + "5;x=y\r\nhello\r\n0\r\nX-A: b\r\n\r\n";
    for text in [chunked, request_with("POST /b", "", "hello")] {
        for byte in text.bytes() {
            client.send_apart([byte]);
        }
        assert!(client.answer().text().ends_with(" HTTP/1.1 | hello"));
    }
}

#[test]
fn a_request_cut_at_any_byte_is_whole() {
    let engine = echo();
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    let text = request("POST /a?b=c", "Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n0\r\n\r\n";
    for cut in 1..text.len() {
        client.send_apart(&text[..cut]);
        assert_eq!(client.ask(&text[cut..]).text(), "POST /a?b=c HTTP/1.1 | hello", "cut at {cut}");
    }
}

#[test]
fn an_answer_cut_at_any_byte_is_whole() {
    const ANSWER: &str =
        "HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n5;e\r\nhello\r\n0\r\nX-T: t\r\n\r\n";
    let engine = Engine::start(|visit| {
        while let Some(Message { head, .. }) = visit.request() {
            let cut: usize = head.target()[1..].parse().unwrap();
            visit.send(&ANSWER[..cut]);
            visit.send_apart(&ANSWER[cut..]);
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    for cut in 1..ANSWER.len() {
        let answer = client.ask(request(&format!("GET /{cut}"), ""));
        assert_eq!((answer.text().as_str(), answer.head.value("x-a")), ("hello", Some("b")), "cut at {cut}");
    }
}
