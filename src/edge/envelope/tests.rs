//! What is read of a controller's messages, and what is not.

use super::*;

fn why(text: &str) -> (String, Option<String>) {
    let bad = read(text).unwrap_err();
    (bad.why, bad.request_id)
}

#[test]
fn members_and_types_nobody_knows_are_passed_over() {
    let text = r#"{"type":"request","extra":1,"data":{"requestId":"r","method":"GET","path":"/","new":[1]}}"#;
    let Message::Request(asked) = read(text).unwrap() else { panic!("{text}") };
    assert_eq!((&*asked.request_id, &*asked.method, &*asked.path), ("r", "GET", "/"));
    assert!(
        matches!(read(r#"{"type":"later","data":{"x":1}}"#).unwrap(), Message::Unknown(kind) if kind == "later")
    );
    assert!(matches!(read(r#"{"type":"later"}"#).unwrap(), Message::Unknown(_)));
}

#[test]
fn what_cannot_be_read_says_why_and_which_request_waits() {
    for text in ["", "hello", "[]", "{}", r#"{"type":1}"#, r#"{"data":{}}"#, "{\"type\":\"ping\"", "null"] {
        let (why, id) = why(text);
        assert!(why.starts_with("no envelope: ") && id.is_none(), "{text}: {why}");
    }
    for kind in [
        "request",
        "stream",
        "stream_end",
        "window",
        "exec_start",
        "exec_input",
        "exec_resize",
        "exec_end",
        "dd:container_log_request",
    ] {
        for data in ["", r#","data":null"#, r#","data":[]"#, r#","data":"x""#, r#","data":{}"#] {
            let (why, id) = why(&format!(r#"{{"type":"{kind}"{data}}}"#));
            assert!(why.starts_with(kind) && id.is_none(), "{why}");
        }
    }
    let (_, id) = why(r#"{"type":"request","data":{"requestId":"r","method":1}}"#);
    assert_eq!(id.as_deref(), Some("r"));
    let (_, id) = why(r#"{"type":"request","data":{"requestId":"","method":1}}"#);
    assert_eq!(id, None);
}

#[test]
fn a_body_is_the_text_it_has() {
    let text =
        r#"{"type":"request","data":{"requestId":"r","method":"GET","path":"/","body":{"n": 1.00, "n":2}}}"#;
    let Message::Request(asked) = read(text).unwrap() else { panic!("{text}") };
    assert_eq!(asked.body.unwrap().get(), r#"{"n": 1.00, "n":2}"#);
}

#[test]
fn a_ping_keeps_its_data() {
    let Message::Ping(data) = read(r#"{"type":"ping","data":{"timestamp":1790000000123}}"#).unwrap() else {
        panic!()
    };
    assert_eq!(data, r#"{"timestamp":1790000000123}"#);
    assert!(matches!(read(r#"{"type":"ping"}"#).unwrap(), Message::Ping("null")));
}

#[test]
fn bounds_of_logs_come_in_whatever_form() {
    let text = r#"{"type":"dd:container_log_request","data":{"containerId":"c","since":0,"until":"5","stream":true}}"#;
    let Message::Drydock(Errand::Logs(asked)) = read(text).unwrap() else { panic!("{text}") };
    assert!(asked.stream && !asked.follow && asked.tail.is_null() && asked.request_id.is_none());
}

#[test]
fn a_name_is_neither_empty_nor_endless() {
    assert!(is_name("r") && !is_name("") && !is_name(&"x".repeat(EDGE_NAME_BYTES_MAX + 1)));
}
