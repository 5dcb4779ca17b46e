//! Who the client is behind proxies: what an honest one adds counts, what a client made up does not.
use crate::agent::{Agent, TOKEN, run};
use crate::engine::Engine;
use crate::signer::{head, logged};

fn agent(engine: &Engine, trusted: &str) -> Agent {
    Agent::start_with(engine, &[("TRUSTED_PROXIES", trusted)])
}

/// Who the agent's log says sent a request with these fields. The path tells requests apart.
fn client_of(agent: &Agent, number: usize, fields: &str) -> String {
    let path = format!("/case/{number}");
    let fields = format!("{fields}Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(agent.ask(head(&format!("GET {path}"), &fields)).status(), 200);
    let line = logged(agent, &["\"request\"", &format!("\"{path}\"")]);
    let (_, rest) = line.split_once("\"peer\":\"").unwrap_or_else(|| panic!("no peer in {line}"));
    rest.split('"').next().unwrap_or_default().to_owned()
}

#[test]
fn the_rightmost_address_nobody_vouches_for_is_the_client() {
    let engine = Engine::obliging();
    let agent = agent(&engine, "127.0.0.1, 10.0.0.0/8 ,2001:db8:aa::/48,");
    for (number, (fields, client)) in [
        ("", "127.0.0.1"),
        ("X-Forwarded-For: 7.7.7.7\r\n", "7.7.7.7"),
        ("X-Forwarded-For: 8.8.8.8, 7.7.7.7\r\n", "7.7.7.7"),
        ("X-Forwarded-For: 8.8.8.8, 7.7.7.7, 10.1.2.3\r\n", "7.7.7.7"),
        // Several lines are one list, in their order.
        ("X-Forwarded-For: 8.8.8.8\r\nX-Forwarded-For: 7.7.7.7\r\n", "7.7.7.7"),
        (
            "X-Forwarded-For: 8.8.8.8, 9.9.9.9\r\nX-Other: a\r\nx-forwarded-for: 7.7.7.7,10.0.0.1\r\n",
            "7.7.7.7",
        ),
        ("X-Forwarded-For: 7.7.7.7\r\nX-Forwarded-For: 10.0.0.1\r\n", "7.7.7.7"),
        // What cannot be read ends the search at the last address that could.
        ("X-Forwarded-For: 7.7.7.7, unknown\r\n", "127.0.0.1"),
        ("X-Forwarded-For: 7.7.7.7, unknown, 10.0.0.1\r\n", "10.0.0.1"),
        ("X-Forwarded-For: 7.7.7.7, , 10.0.0.1\r\n", "10.0.0.1"),
        ("X-Forwarded-For: 7.7.7.7\r\nX-Forwarded-For: _hidden\r\n", "127.0.0.1"),
        ("X-Forwarded-For: 7.7.7.7\r\nX-Forwarded-For:\r\n", "127.0.0.1"),
        ("X-Forwarded-For: 7.7.7.7, 300.1.1.1\r\nX-Real-IP: 6.6.6.6\r\n", "127.0.0.1"),
        // Ports and brackets.
        ("X-Forwarded-For: 7.7.7.7:4711\r\n", "7.7.7.7"),
        ("X-Forwarded-For: [2001:db8::7]:4711\r\n", "2001:db8::7"),
        ("X-Forwarded-For: [2001:db8::7]\r\n", "2001:db8::7"),
        ("X-Forwarded-For: 2001:DB8::7\r\n", "2001:db8::7"),
        ("X-Forwarded-For: 7.7.7.7, [2001:db8:aa::1]:80\r\n", "7.7.7.7"),
        ("X-Forwarded-For: ::ffff:7.7.7.7\r\n", "7.7.7.7"),
        ("X-Forwarded-For: 7.7.7.7, ::ffff:10.0.0.1\r\n", "7.7.7.7"),
        // Where the list names nobody else, one X-Real-IP that is an address does.
        ("X-Real-IP: 6.6.6.6\r\n", "6.6.6.6"),
        ("X-Forwarded-For: 10.0.0.1\r\nX-Real-IP: 6.6.6.6\r\n", "6.6.6.6"),
        ("X-Forwarded-For: 7.7.7.7\r\nX-Real-IP: 6.6.6.6\r\n", "7.7.7.7"),
        ("X-Real-IP: anything at all\r\n", "127.0.0.1"),
        ("X-Real-IP: 10.0.0.1\r\n", "127.0.0.1"),
        ("X-Real-IP: 6.6.6.6\r\nX-Real-IP: 5.5.5.5\r\n", "127.0.0.1"),
        ("Forwarded: for=5.5.5.5\r\nX-Client-IP: 5.5.5.5\r\n", "127.0.0.1"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(client_of(&agent, number, fields), client, "{fields:?}");
    }
}

#[test]
fn nobody_is_believed_unless_the_operator_says_so() {
    let engine = Engine::obliging();
    let spoofed = "X-Forwarded-For: 7.7.7.7\r\nX-Real-IP: 6.6.6.6\r\n";
    assert_eq!(client_of(&Agent::start(&engine), 0, spoofed), "127.0.0.1");
    assert_eq!(client_of(&agent(&engine, "10.0.0.0/8,192.0.2.1"), 1, spoofed), "127.0.0.1");
    assert_eq!(client_of(&agent(&engine, "127.0.0.0/8"), 2, spoofed), "7.7.7.7");
    assert_eq!(client_of(&agent(&engine, "127.0.0.77/8"), 3, spoofed), "7.7.7.7");
}

#[test]
fn a_client_cannot_talk_itself_out_of_the_limit() {
    let engine = Engine::obliging();
    let agent = agent(&engine, "127.0.0.1");
    // What an honest proxy adds for this client comes last, whatever the client wrote before.
    for number in 0..10 {
        let spoofed = format!(
            "X-Forwarded-For: 9.9.9.{number}\r\nX-Real-IP: 8.8.8.{number}\r\nX-Forwarded-For: 1.2.3.{number}, 7.7.7.7\r\n\
             Authorization: Bearer wrong\r\n"
        );
        assert_eq!(agent.ask(head("GET /a", &spoofed)).status(), 401);
    }
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    let answer = agent.ask(head("GET /a", &format!("{right}X-Forwarded-For: 5.5.5.5, 7.7.7.7\r\n")));
    assert_eq!(answer.status(), 429);
    let other = agent.ask(head("GET /a", &format!("{right}X-Forwarded-For: 7.7.7.7, 5.5.5.5\r\n")));
    assert_eq!(other.status(), 200);
    logged(&agent, &["auth.denied", "\"peer\":\"7.7.7.7\"", "bad_token"]);
    assert!(!agent.log().contains("9.9.9."), "what was made up is in the log");
}

#[test]
fn what_is_no_network_refuses_the_start() {
    for bad in ["localhost", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0", "2001:db8::/129", "10.0.0.1 10.0.0.2"] {
        let ended = run(&[], &[("TOKEN", TOKEN), ("TRUSTED_PROXIES", bad)]);
        assert_eq!(ended.code, Some(78), "{bad}: {}", ended.words());
        assert!(ended.words().contains("TRUSTED_PROXIES"), "{bad}: {}", ended.words());
    }
}
