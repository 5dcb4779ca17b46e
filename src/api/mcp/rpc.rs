//! JSON-RPC as assistants speak it: one message at a time, numbered by texts or whole numbers.

use std::fmt::Display;

use serde::Serialize;
use serde_json::Value;

use crate::policy::json::Json;

/// What a client sent.
#[derive(Debug, PartialEq)]
pub(super) enum Message {
    Call(Call),
    /// A notification, or an answer to what we never asked: nothing is said to either.
    Told,
}

#[derive(Debug, PartialEq)]
pub(super) struct Call {
    pub(super) id: Json,
    pub(super) method: String,
    /// An object, or null where there are none.
    pub(super) params: Json,
}

/// Why a call has no result.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Fault {
    code: i32,
    message: String,
    /// What exactly, where the message is one of a few.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
}

impl Fault {
    fn parse(why: &dyn Display) -> Self {
        Self { code: -32700, message: "parse error".to_owned(), data: Some(why.to_string()) }
    }

    fn request(message: impl Into<String>) -> Self {
        Self { code: -32600, message: message.into(), data: None }
    }

    pub(super) fn method(name: &str) -> Self {
        Self { code: -32601, message: format!("method not found: {name}"), data: None }
    }

    pub(super) fn params(message: impl Into<String>) -> Self {
        Self { code: -32602, message: message.into(), data: None }
    }
}

/// Reads one message. With a fault comes the id it is told under: null, where there is none to trust.
pub(super) fn read(bytes: &[u8]) -> Result<Message, (Json, Fault)> {
    let message = match Json::read(bytes) {
        Err(why) => return Err((Json::Null, Fault::parse(&why))),
        Ok(Json::List(_)) => return Err((Json::Null, Fault::parse(&"a batch: send one message at a time"))),
        Ok(Json::Object(message)) => message,
        Ok(Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_)) => {
            return Err((Json::Null, Fault::request("invalid request: a message is an object")));
        }
    };
    let (mut id, mut method, mut params, mut is_ours, mut is_answer) = (None, None, Json::Null, false, false);
    for (name, value) in message {
        match name.as_str() {
            "jsonrpc" => is_ours = value.text() == Some("2.0"),
            "id" => id = Some(value),
            "method" => method = Some(value),
            "params" => params = value,
            "result" | "error" => is_answer = true,
            // Later revisions may add members.
            _ => {}
        }
    }
    let is_call = id.is_some();
    let (id, is_id) = match id {
        Some(Json::Text(text)) => (Json::Text(text), true),
        // A fraction is no number of a call, and a larger one would come back as another.
        Some(Json::Number(number)) if !number.is_f64() => (Json::Number(number), true),
        _ => (Json::Null, false),
    };
    let refused = |id: Json, why: &str| Err((id, Fault::request(why)));
    if !is_ours {
        return refused(id, "jsonrpc must be \"2.0\"");
    }
    match method {
        Some(Json::Text(_)) if !is_call => Ok(Message::Told),
        Some(Json::Text(_)) if !is_id => refused(id, "invalid request: id must be a text or a whole number"),
        Some(Json::Text(method)) => match params {
            Json::Object(_) | Json::Null => Ok(Message::Call(Call { id, method, params })),
            Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::List(_) => {
                Err((id, Fault::params("invalid params: they must be an object")))
            }
        },
        None if is_answer => Ok(Message::Told),
        _ => refused(id, "invalid request: method must be a text"),
    }
}

/// The answer to a call.
#[derive(Serialize)]
pub(super) struct Reply<'i> {
    jsonrpc: &'static str,
    id: &'i Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Fault>,
}

pub(super) fn reply(id: &Json, outcome: Result<Value, Fault>) -> Reply<'_> {
    let (result, error) = match outcome {
        Ok(result) => (Some(result), None),
        Err(fault) => (None, Some(fault)),
    };
    Reply { jsonrpc: "2.0", id, result, error }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(text: &str) -> Call {
        match read(text.as_bytes()) {
            Ok(Message::Call(call)) => call,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn an_id_comes_back_as_it_was_sent() {
        let ids = [
            "0", "1", "-7", "9223372036854775807", "18446744073709551615", "\"a\"", "\"\"", "\"1\"", "\"é\\n\"",
        ];
        for id in ids {
            let call = call(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#));
            let reply = serde_json::to_string(&reply(&call.id, Ok(json!({})))).unwrap();
            assert_eq!(reply, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
        }
    }

    #[test]
    fn members_stand_in_any_order_beside_others() {
        let call = call(r#" {"params":{"a":[1]},"x":{"y":null},"method":"m","id":"i","jsonrpc":"2.0"} "#);
        assert_eq!((call.method.as_str(), call.id.text()), ("m", Some("i")));
        assert_eq!(call.params.write(), br#"{"a":[1]}"#);
    }

    #[test]
    fn nothing_is_said_to_notifications_and_answers() {
        for text in [
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}}"#,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}"#,
        ] {
            assert_eq!(read(text.as_bytes()), Ok(Message::Told), "{text}");
        }
    }

    #[test]
    fn what_is_no_message_is_told_so_under_the_id_it_has() {
        for (text, id, code, message) in [
            ("", "null", -32700, "parse error"),
            ("{", "null", -32700, "parse error"),
            ("{}{}", "null", -32700, "parse error"),
            (r#"{"id":1,"id":2}"#, "null", -32700, "parse error"),
            ("[]", "null", -32700, "parse error"),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, "null", -32700, "parse error"),
            ("1", "null", -32600, "invalid request: a message is an object"),
            ("null", "null", -32600, "invalid request: a message is an object"),
            ("{}", "null", -32600, "jsonrpc must be \"2.0\""),
            (r#"{"id":1,"method":"ping"}"#, "1", -32600, "jsonrpc must be \"2.0\""),
            (r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#, "\"a\"", -32600, "jsonrpc must be \"2.0\""),
            (r#"{"jsonrpc":2.0,"method":"ping"}"#, "null", -32600, "jsonrpc must be \"2.0\""),
            (r#"{"jsonrpc":"2.0"}"#, "null", -32600, "invalid request: method must be a text"),
            (r#"{"jsonrpc":"2.0","id":1}"#, "1", -32600, "invalid request: method must be a text"),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, "1", -32600, "invalid request: method must be a text"),
            (r#"{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}"#, "1", -32602, "invalid params: they must be an object"),
            (r#"{"jsonrpc":"2.0","id":1,"method":"m","params":"x"}"#, "1", -32602, "invalid params: they must be an object"),
        ] {
            let (found, fault) = read(text.as_bytes()).unwrap_err();
            let found = String::from_utf8(found.write()).unwrap();
            assert_eq!((found.as_str(), fault.code, fault.message.as_str()), (id, code, message), "{text}");
        }
    }

    #[test]
    fn what_is_no_id_is_refused_and_not_echoed() {
        for id in ["null", "true", "1.5", "1e3", "-0", "18446744073709551616", "[1]", r#"{"a":1}"#] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            let (found, fault) = read(text.as_bytes()).unwrap_err();
            assert_eq!((found, fault.code), (Json::Null, -32600), "{id}");
        }
    }

    #[test]
    fn a_fault_says_what_exactly_is_no_json() {
        let (id, fault) = read(b"[1]").unwrap_err();
        let told = serde_json::to_value(reply(&id, Err(fault))).unwrap();
        assert_eq!(told["error"]["data"], "a batch: send one message at a time");
        assert_eq!(told.get("result"), None);
        let (_, deep) = read("[".repeat(100_000).as_bytes()).unwrap_err();
        assert_eq!(deep.code, -32700);
    }
}
