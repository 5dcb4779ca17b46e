//! The model context protocol at the wire: messages, revisions, bounds, and who may speak it.
use serde_json::{Value, json};

use crate::agent::{Agent, request, request_with};
use crate::assistant::{Assistant, host, post, told};
use crate::engine::{Engine, Home};
use crate::signer::{self, Signer, file, logged};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const MIB: usize = 1024 * 1024;

/// A ping of exactly so many bytes.
fn ping_of(bytes: usize) -> String {
    let ping = |filling: usize| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":"{}"}}}}"#, "x".repeat(filling))
    };
    ping(bytes - ping(0).len())
}

#[test]
fn each_message_has_its_answer() {
    let (engine, nobody) = (host(), json!(null));
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    let fault = |id: &Value, code: i32, message: &str| (id.clone(), code, message.to_owned());
    for (message, (id, code, sentence)) in [
        ("", fault(&nobody, -32700, "parse error")),
        ("{", fault(&nobody, -32700, "parse error")),
        ("{} {}", fault(&nobody, -32700, "parse error")),
        ("[]", fault(&nobody, -32700, "parse error")),
        (&format!("[{PING}]"), fault(&nobody, -32700, "parse error")),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, fault(&nobody, -32700, "parse error")),
        ("7", fault(&nobody, -32600, "invalid request: a message is an object")),
        (r#"{"id":3,"method":"ping"}"#, fault(&json!(3), -32600, "jsonrpc must be \"2.0\"")),
        (
            r#"{"jsonrpc":"2.0","id":"a"}"#,
            fault(&json!("a"), -32600, "invalid request: method must be a text"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            fault(&nobody, -32600, "invalid request: id must be a text or a whole number"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#,
            fault(&json!(1), -32601, "method not found: server/discover"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"2"}}"#,
            fault(&json!(1), -32602, "unknown cursor: all tools are on the first page"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
            fault(&json!(1), -32602, "invalid tools/call params"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"run"}}"#,
            fault(&json!(1), -32602, "unknown tool: run"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"host_metrics","arguments":[]}}"#,
            fault(&json!(1), -32602, "invalid tools/call params"),
        ),
    ] {
        let reply = told(&client.ask(post(message, "")));
        let error = &reply["error"];
        assert_eq!((&reply["jsonrpc"], &reply["id"]), (&json!("2.0"), &id), "{message}: {reply}");
        assert_eq!(
            (&error["code"], &error["message"]),
            (&json!(code), &json!(sentence)),
            "{message}: {reply}"
        );
        assert_eq!(reply.get("result"), None, "{message}: {reply}");
    }
    // All of it on one connection, which goes on.
    for id in ["0", "-1", "18446744073709551615", r#""""#, r#""a\"b""#] {
        let answer = client.ask(post(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#), ""));
        told(&answer);
        assert_eq!(answer.text(), format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}}\n"));
    }
    assert_eq!(engine.visits().len(), 0, "the Engine was asked for nothing");
}

#[test]
fn notifications_and_answers_are_accepted_without_a_word() {
    let agent = Agent::start(&Engine::obliging());
    let mut client = agent.client();
    for message in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
        r#"{"jsonrpc":"2.0","method":"nobody/knows"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}"#,
    ] {
        let answer = client.ask(post(message, ""));
        assert_eq!((answer.status(), answer.text().as_str()), (202, ""), "{message}");
    }
}

#[test]
fn a_revision_that_is_known_is_agreed_on() {
    let agent = Agent::start_with(&host(), &[("AGENT_NAME", "nas")]);
    let assistant = Assistant::with_token(&agent);
    for (asked, agreed) in [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-03-26"),
        ("2024-11-05", "2024-11-05"),
        ("2026-07-28", "2025-11-25"),
        ("1", "2025-11-25"),
    ] {
        let client = json!({ "name": "test", "version": "1" });
        let params = json!({ "protocolVersion": asked, "capabilities": {}, "clientInfo": client });
        let told = assistant.ask("initialize", &params);
        assert_eq!(told["protocolVersion"], agreed, "{asked}");
        assert_eq!(told["capabilities"], json!({ "tools": {} }));
        assert_eq!(told["serverInfo"]["name"], "lookout");
        assert!(told["instructions"].as_str().is_some_and(|text| text.contains("\"nas\"")), "{told}");
    }
}

#[test]
fn a_revision_in_the_head_must_be_known() {
    let agent = Agent::start(&Engine::obliging());
    let ask = |fields: &str| agent.ask(post(PING, fields));
    for known in ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] {
        told(&ask(&format!("MCP-Protocol-Version: {known}\r\n")));
    }
    for unknown in ["2026-07-28", "2025-11-26", "", "2025-11-25, 2025-06-18", "x"] {
        let answer = ask(&format!("Mcp-Protocol-Version: {unknown}\r\n"));
        assert_eq!(answer.status(), 400, "{unknown:?}");
        assert!(answer.sentence().contains("2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05"), "{unknown:?}");
    }
    let both = "MCP-Protocol-Version: 2025-11-25\r\nMCP-Protocol-Version: 1\r\n";
    assert_eq!(ask(both).status(), 400);
}

#[test]
fn only_post_is_served() {
    let agent = Agent::start(&Engine::obliging());
    for method in ["GET", "DELETE", "PUT", "PATCH", "OPTIONS"] {
        let answer = agent.ask(request(&format!("{method} /_lookout/mcp"), "Accept: text/event-stream\r\n"));
        assert_eq!((answer.status(), answer.head.value("allow")), (405, Some("POST")), "{method}");
    }
    let mut client = agent.client();
    client.send(request("HEAD /_lookout/mcp", ""));
    let head = client.head();
    assert_eq!((head.status(), head.value("allow")), (405, Some("POST")));
}

#[test]
fn a_message_of_one_mib_is_read_and_one_byte_more_is_not() {
    let agent = Agent::start(&Engine::obliging());
    let whole = ping_of(MIB);
    assert_eq!(whole.len(), MIB);
    told(&agent.ask(post(&whole, "")));
    assert_eq!(agent.ask(post(&ping_of(MIB + 1), "")).status(), 413);
    let chunked = |body: &str| {
        let head = request("POST /_lookout/mcp", "Transfer-Encoding: chunked\r\n");
        format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
    };
    told(&agent.ask(chunked(&whole)));
    let answer = agent.ask(chunked(&ping_of(MIB + 1)));
    assert_eq!(answer.status(), 413);
    assert!(answer.sentence().contains("1048576 bytes"), "{}", answer.text());
}

#[test]
fn only_pages_of_listed_origins_may_call() {
    let engine = Engine::obliging();
    let agent = Agent::start_with(&engine, &[("ALLOWED_ORIGINS", "https://tools.example")]);
    told(&agent.ask(post(PING, "Origin: https://tools.example\r\n")));
    for origin in ["https://evil.example", "null", "http://127.0.0.1:3000", "https://tools.example.evil"] {
        assert_eq!(agent.ask(post(PING, &format!("Origin: {origin}\r\n"))).status(), 403, "{origin}");
    }
    let closed = Agent::start(&engine);
    assert_eq!(closed.ask(post(PING, "Origin: http://localhost\r\n")).status(), 403);
}

#[test]
fn nobody_speaks_it_without_a_credential_and_its_class() {
    let (engine, home) = (host(), Home::new());
    let lines: String = [("allow=\"view,logs\"", 1), ("allow=\"mcp\"", 2), ("", 3)]
        .map(|(options, seed)| {
            format!("{options} {}", Signer::new(seed).line_of("one")).trim_start().to_owned()
        })
        .concat();
    let keys = file(&home, "keys", lines);
    let agent = signer::agent(&engine, &keys, &[("TOKEN_ALLOW", "view")]);
    let stranger =
        format!("POST /_lookout/mcp HTTP/1.1\r\nHost: lookout\r\nContent-Length: 40\r\n\r\n{PING}");
    let answer = agent.ask(stranger);
    assert_eq!((answer.status(), answer.head.value("x-lookout-reason")), (401, Some("no_credentials")));
    let without = Assistant::with_key(&agent, 1).send(PING);
    assert_eq!(without.status(), 403);
    assert!(without.sentence().ends_with("lacks class mcp"), "{}", without.text());
    assert_eq!(agent.ask(request_with("POST /_lookout/mcp", "", PING)).status(), 403, "the token");
    for seed in [2, 3] {
        assert_eq!(Assistant::with_key(&agent, seed).ask("ping", &json!({})), json!({}), "{seed}");
    }
    logged(&agent, &["policy.denied", "\"class\":\"mcp\""]);
}
