//! What the Engine and the client are told of each other: heads rebuilt, bodies whole, nothing else.
use crate::agent::{Agent, TOKEN, request, request_with};
use crate::engine::{Engine, OK};

/// The headers of the first head the Engine received, without those that frame the message.
fn told(engine: &Engine) -> Vec<(String, String)> {
    let text = engine.visits()[0].text();
    let (head, _) = text.split_once("\r\n\r\n").expect("a head");
    let fields = head.split("\r\n").skip(1).map(|line| line.split_once(": ").expect("a header"));
    let framing = ["host", "connection", "content-length", "transfer-encoding"];
    let kept = fields.filter(|(name, _)| !framing.contains(&name.to_lowercase().as_str()));
    kept.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect()
}

#[test]
fn the_engine_is_told_what_concerns_it_and_nothing_else() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    let dropped = format!(
        "Cookie: session=1\r\nX-Lookout-Token: {TOKEN}\r\nX-Lookout-Signature: a\r\nX-Lookout-Anything: b\r\n\
         X-Portwing-Token: c\r\nX-Portwing-Signature: d\r\nX-Dd-Agent-Secret: {TOKEN}\r\n\
         Proxy-Authorization: Basic e\r\nProxy-Connection: keep-alive\r\nProxy-Authenticate: f\r\n\
         Keep-Alive: timeout=5\r\nTE: trailers\r\nTrailer: X-T\r\nConnection: X-Private, keep-alive\r\n\
         X-Private: g\r\nx-private: h\r\nConnection: X-Other\r\nX-Other: i\r\n"
    );
    let kept = "User-Agent: Docker-Client/28.2 (linux)\r\nAccept: application/tar\r\nX-A: one\r\nX-A: two\r\n\
                Accept-Encoding: gzip\r\nX-Empty:\r\nContent-Type: application/json\r\n";
    let line = "POST /v1.41/containers/create?name=a%20b&x";
    let answer = agent.ask(request_with(line, &(dropped + kept), "{\"Image\":\"bb\"}"));
    assert_eq!(answer.status(), 200);
    let text = engine.visits()[0].text();
    assert!(text.starts_with("POST /v1.41/containers/create?name=a%20b&x HTTP/1.1\r\n"), "{text:?}");
    assert!(text.ends_with("\r\n\r\n{\"Image\":\"bb\"}"), "{text:?}");
    assert_eq!(text.to_lowercase().matches("\r\nhost:").count(), 1, "{text:?}");
    assert!(!text.contains("lookout"), "the client's Host went through: {text:?}");
    assert_eq!(text.to_lowercase().matches("\r\ncontent-length: 14\r\n").count(), 1, "{text:?}");
    let expected = [
        ("user-agent", "Docker-Client/28.2 (linux)"),
        ("accept", "application/tar"),
        ("x-a", "one"),
        ("x-a", "two"),
        ("accept-encoding", "gzip"),
        ("x-empty", ""),
        ("content-type", "application/json"),
    ];
    assert_eq!(told(&engine), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn registry_credentials_reach_the_engine_where_it_uses_them() {
    for line in ["POST /images/create?fromImage=a", "POST /v1.41/images/a%2Fb/push", "POST /build"] {
        let engine = Engine::obliging();
        let agent = Agent::start(&engine);
        let answer = agent.ask(request(line, "X-Registry-Auth: eyJ1IjoiYSJ9\r\nX-Registry-Config: e30=\r\n"));
        assert_eq!(answer.status(), 200);
        let told = told(&engine);
        assert!(told.contains(&("x-registry-auth".into(), "eyJ1IjoiYSJ9".into())), "{line}: {told:?}");
        assert!(told.contains(&("x-registry-config".into(), "e30=".into())), "{line}: {told:?}");
    }
}

#[test]
fn a_request_without_a_body_is_sent_without_one() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    assert_eq!(agent.ask(request("GET /a", "")).status(), 200);
    let text = engine.visits()[0].text().to_lowercase();
    assert!(text.ends_with("\r\n\r\n"), "{text:?}");
    assert!(!text.contains("transfer-encoding"), "{text:?}");
    assert!(!text.contains("content-length") || text.contains("content-length: 0\r\n"), "{text:?}");
    assert_eq!(told(&engine), [], "nothing is added");
}

#[test]
fn the_client_is_told_what_the_engine_said_and_nothing_of_its_connection() {
    let engine = Engine::start(|visit| {
        while visit.request().is_some() {
            visit.send(
                "HTTP/1.1 418 Short And Stout\r\nApi-Version: 1.41\r\nDocker-Experimental: false\r\n\
                 Server: Docker/20.10.24 (linux)\r\nOstype: linux\r\nWarning: one\r\nWarning: two\r\n\
                 Content-Type: application/json; a=b\r\nX-Empty:\r\nConnection: X-Private, keep-alive\r\n\
                 X-Private: a\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nTE: trailers\r\n\
                 Trailer: X-T\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
            );
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    let answer = client.ask(request("GET /a", ""));
    assert_eq!(answer.text(), "{}");
    assert_eq!(answer.status(), 418);
    let head = &answer.head;
    for (name, values) in [
        ("api-version", ["1.41"].as_slice()),
        ("docker-experimental", &["false"]),
        ("server", &["Docker/20.10.24 (linux)"]),
        ("ostype", &["linux"]),
        ("warning", &["one", "two"]),
        ("content-type", &["application/json; a=b"]),
        ("content-length", &["2"]),
        ("x-empty", &[""]),
        ("connection", &[]),
        ("x-private", &[]),
        ("keep-alive", &[]),
        ("proxy-authenticate", &[]),
        ("te", &[]),
        ("trailer", &[]),
        ("upgrade", &[]),
    ] {
        assert_eq!(head.values(name), values, "{name} in {head:?}");
    }
    assert_eq!(client.ask(request("GET /b", "")).status(), 418, "the connection lives on");
}

#[test]
fn interim_answers_are_passed_over() {
    let engine = Engine::start(|visit| {
        while visit.request().is_some() {
            visit.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n");
            visit.send_apart("HTTP/1.1 102 Processing\r\n\r\n");
            visit.send(OK);
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    for _ in 0..2 {
        let answer = client.ask(request("GET /a", ""));
        assert_eq!((answer.status(), answer.text().as_str()), (200, "{}"));
        assert_eq!(answer.head.value("link"), None);
    }
}

#[test]
fn a_redirect_is_relayed_not_followed() {
    let engine = Engine::start(|visit| {
        while visit.request().is_some() {
            visit.send("HTTP/1.1 301 Moved Permanently\r\nLocation: /b?c=d\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let agent = Agent::start(&engine);
    let answer = agent.ask(request("GET /a", ""));
    assert_eq!((answer.status(), answer.head.value("location")), (301, Some("/b?c=d")));
    agent.stop();
    let visits = engine.settle();
    assert_eq!(visits.len(), 1);
    assert_eq!(visits[0].text().matches("HTTP/1.1\r\n").count(), 1, "followed: {:?}", visits[0].text());
}

#[test]
fn answers_without_a_body_do_not_disturb_the_next_one() {
    let engine = Engine::start(|visit| {
        while let Some(message) = visit.request() {
            visit.send(match message.head.target() {
                "/204" => "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
                "/304" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\nEtag: \"a\"\r\n\r\n",
                "/empty" => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                "/chunked" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                _ => OK,
            });
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    for (target, status) in [("/204", 204), ("/304", 304), ("/empty", 200), ("/chunked", 200)] {
        client.send(request(&format!("GET {target}"), "") + &request("GET /next", ""));
        let head = client.head();
        assert_eq!(head.status(), status);
        if matches!(status, 204 | 304) {
            assert_eq!(head.value("transfer-encoding"), None, "{head:?}");
            assert!(status == 304 || head.value("content-length").is_none(), "{head:?}");
        } else {
            assert_eq!(client.body(head.length()).unwrap(), b"");
        }
        assert_eq!(client.answer().text(), "{}", "after {target}");
    }
}

#[test]
fn an_answer_that_ends_with_its_connection_is_whole() {
    for start in ["HTTP/1.1 200 OK", "HTTP/1.0 200 OK"] {
        let engine = Engine::start(move |visit| {
            if visit.request().is_some() {
                visit.send(format!("{start}\r\nContent-Type: text/plain\r\n\r\nhello"));
                visit.send_apart(" world");
            }
        });
        let agent = Agent::start(&engine);
        let mut client = agent.client();
        for _ in 0..2 {
            assert_eq!(client.ask(request("GET /a", "")).text(), "hello world");
        }
        assert_eq!(engine.visits().len(), 2, "each on a connection of its own");
    }
}

#[test]
fn the_query_and_the_engines_errors_pass_unchanged() {
    const BODY: &str = "{\"message\":\"No such container: a\"}\n";
    let engine = Engine::start(|visit| {
        while visit.request().is_some() {
            visit.send("HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n");
            visit.send(format!("Content-Length: {}\r\n\r\n{BODY}", BODY.len()));
        }
    });
    let agent = Agent::start(&engine);
    let answer = agent.ask(request("GET /containers/a/json", ""));
    assert_eq!((answer.status(), answer.text().as_str()), (404, BODY));
}

#[test]
fn a_body_type_that_the_engine_reads_as_parameters_is_refused() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    for kind in [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-URLencoded; charset=utf-8",
        "application/x-www-form-urlencoded;",
        "  application/x-www-form-urlencoded  ",
        "multipart/form-data; boundary=a",
        "multipart/mixed",
        "MULTIPART/anything",
        "application/grpc",
        "application/grpc+proto",
        "Application/gRPC-Web",
    ] {
        for line in ["POST /containers/a/rename?name=good", "GET /containers/json"] {
            let mut client = agent.client();
            let answer = client.ask(request_with(line, &format!("Content-Type: {kind}\r\n"), "name=EVIL"));
            assert_eq!(answer.status(), 415, "{line} with {kind}");
            answer.sentence();
        }
    }
    let two = "Content-Type: application/json\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let answer = agent.ask(request_with("POST /a", two, "name=EVIL"));
    assert!(matches!(answer.status(), 400 | 415), "two types: {:?}", answer.head);
    agent.stop();
    assert!(engine.settle().is_empty(), "the engine received {:?}", engine.visits()[0].text());
}

#[test]
fn every_other_body_type_passes() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    for kind in
        ["application/json", "application/json; charset=utf-8", "application/x-tar", "text/plain", "x"]
    {
        let answer = agent.ask(request_with("POST /a", &format!("Content-Type: {kind}\r\n"), "b"));
        assert_eq!(answer.status(), 200, "{kind}");
    }
}
