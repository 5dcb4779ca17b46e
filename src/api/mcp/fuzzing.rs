//! The door for the fuzzers to what assistants send.
#![expect(clippy::panic, reason = "a panic is a finding")]
#![expect(clippy::indexing_slicing, reason = "a member that is not there is null")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::rpc::{self, Message};
use super::super::route::{Adapter, Agent, Desk, Surface};
use crate::api::fuzzing::{agent, gate};
use crate::auth::{Gate, Pass, Principal};
use crate::docker::Line;

/// Codes that an answer may carry.
const CODES: [i64; 4] = [-32700, -32600, -32601, -32602];

/// Nothing is said to what asks for no answer; everything else is answered as JSON-RPC says, under the id it came
/// with or under none, and in one line.
pub(crate) fn rpc(bytes: &[u8]) {
    let sent = serde_json::from_slice::<Value>(bytes).unwrap_or(Value::Null);
    let id = sent.get("id");
    let (reply_id, outcome) = match rpc::read(bytes) {
        Ok(Message::Told) => {
            let asks = id.is_some() && sent.get("method").is_some_and(Value::is_string);
            assert!(sent["jsonrpc"] == "2.0" && !asks, "who asks is answered");
            return;
        }
        Ok(Message::Call(call)) => {
            assert_eq!(sent["method"], call.method.as_str(), "what is called is what was named");
            let outcome = super::answer(&mut desk(&mut Pass::default(), &mut Line::default()), &Principal::Anyone, &call);
            (call.id, outcome)
        }
        Err((id, fault)) => (id, Err(fault)),
    };
    let is_result = outcome.is_ok();
    let told = serde_json::to_vec(&rpc::reply(&reply_id, outcome)).unwrap_or_else(|why| panic!("{why}"));
    assert!(!told.contains(&b'\n'), "an answer is one line");
    let told: Value = serde_json::from_slice(&told).unwrap_or_else(|why| panic!("an answer is JSON: {why}"));
    assert_eq!(told["jsonrpc"], "2.0", "an answer says what it is");
    let is_known = told["id"].is_null() || id == Some(&told["id"]);
    assert!(is_known && (!is_result || id == Some(&told["id"])), "an answer is told under the id that was sent");
    assert_eq!((told.get("result").is_some(), told.get("error").is_none()), (is_result, is_result), "one of the two");
    if let Some(error) = told.get("error") {
        let code = error["code"].as_i64();
        assert!(code.is_some_and(|code| CODES.contains(&code)), "{code:?} is no code of ours");
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "an error says why");
    }
}

fn desk<'d>(pass: &'d mut Pass, line: &'d mut Line) -> Desk<'d> {
    static HOUSE: OnceLock<(Arc<Agent>, Gate)> = OnceLock::new();
    let (agent, gate) = HOUSE.get_or_init(|| (agent(Adapter::Generic), gate()));
    Desk {
        agent,
        surface: Surface::Whole,
        gate,
        pass,
        is_private: true,
        line,
        can_follow: false,
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        actor: None,
        parent: None,
        request_id: None,
        enrolled: None,
        on_admitted: &|_| {},
    }
}
