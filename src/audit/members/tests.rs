//! The lines that others read, byte for byte.

use std::time::Duration;

use super::super::record::Outcome;
use super::*;
use crate::clock::read_rfc3339;

/// A sample as it is documented: its time, and the rest of the line. Documents shorten fractions of a
/// second in some samples; lines always have nine digits.
fn is_written(sample: &str, record: &Record) {
    let (time, rest) = sample.strip_prefix(r#"{"time":""#).unwrap().split_once('"').unwrap();
    let (secs, fraction) =
        time.trim_end_matches('Z').split_once('.').unwrap_or_else(|| (time.trim_end_matches('Z'), ""));
    let expected = format!(r#"{{"time":"{secs}.{fraction:0<9}Z"{rest}"#);
    let mut line = record.line(read_rfc3339(time).unwrap());
    line.push(b'}');
    assert_eq!(String::from_utf8(line).unwrap(), expected);
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn every_documented_sample_is_written_byte_for_byte() {
    let allowed = Some(Outcome::Allowed);
    let request = Record {
        actor: some("203.0.113.42"),
        method: Some("POST"),
        path: some("/_lookout/compose"),
        outcome: allowed,
        status: Some(200),
        duration: Some(Duration::from_micros(3140)),
        ..Record::new(Event::ApiRequest)
    };
    is_written(
        r#"{"time":"2026-01-15T10:23:45.123456789Z","level":"INFO","msg":"","event":"api_request","actor":"203.0.113.42","method":"POST","path":"/_lookout/compose","outcome":"allowed","status":200,"duration_ms":3.14}"#,
        &request,
    );
    let refused = |event, method, path| Record {
        actor: some("203.0.113.9"),
        method: Some(method),
        path: some(path),
        outcome: Some(Outcome::Denied),
        ..Record::new(event)
    };
    is_written(
        r#"{"time":"2026-01-15T10:23:50.001Z","level":"INFO","msg":"","event":"auth_failure","actor":"203.0.113.9","method":"GET","path":"/_lookout/info","outcome":"denied"}"#,
        &refused(Event::AuthFailure, "GET", "/_lookout/info"),
    );
    is_written(
        r#"{"time":"2026-01-15T10:23:51.5Z","level":"INFO","msg":"","event":"rate_limited","actor":"203.0.113.9","method":"POST","path":"/_lookout/compose","outcome":"denied"}"#,
        &refused(Event::RateLimited, "POST", "/_lookout/compose"),
    );
    let by = |event| Record { actor: some("203.0.113.42"), outcome: allowed, ..Record::new(event) };
    is_written(
        r#"{"time":"2026-01-15T10:23:45.2Z","level":"INFO","msg":"","event":"compose_op","actor":"203.0.113.42","operation":"up","stack":"nginx-stack","outcome":"allowed"}"#,
        &Record { operation: some("up"), stack: some("nginx-stack"), ..by(Event::ComposeOp) },
    );
    is_written(
        r#"{"time":"2026-01-15T10:24:01.5Z","level":"INFO","msg":"","event":"exec_start","actor":"203.0.113.42","container":"abc123def456","exec_id":"e7f8a9b1","outcome":"allowed"}"#,
        &Record { container: some("abc123def456"), exec_id: some("e7f8a9b1"), ..by(Event::ExecStart) },
    );
    is_written(
        r#"{"time":"2026-01-15T10:20:00Z","level":"INFO","msg":"","event":"enrollment","actor":"203.0.113.42","key_id":"3a7f9c1d2e4b5a6f","outcome":"allowed"}"#,
        &Record { key_id: some("3a7f9c1d2e4b5a6f"), ..by(Event::Enrollment) },
    );
}

/// Everything behind the event, of a line and of an object of the ring.
fn told(record: &Record) -> (String, String) {
    let line = String::from_utf8(record.line(Duration::ZERO)).unwrap();
    let object = record.object(7, Duration::new(1, 20));
    let line =
        line.strip_prefix(r#"{"time":"1970-01-01T00:00:00.000000000Z","level":"INFO","msg":"","event":""#);
    let object = object.strip_prefix(r#"{"cursor":7,"ts":"1970-01-01T00:00:01.000000020Z","event":""#);
    (line.unwrap().to_owned(), object.unwrap().to_owned())
}

#[test]
fn what_an_event_always_has_is_written_empty_and_the_ring_leaves_it_out() {
    for (event, line) in [
        (
            Event::ApiRequest,
            r#","actor":"","method":"","path":"","outcome":"error","status":0,"duration_ms":0"#,
        ),
        (Event::StreamStart, r#","actor":"","method":"","path":"","outcome":"error""#),
        (
            Event::StreamEnd,
            r#","actor":"","method":"","path":"","outcome":"error","status":0,"duration_ms":0"#,
        ),
        (Event::AuthFailure, r#","actor":"","method":"","path":"","outcome":"error""#),
        (Event::ExecStart, r#","actor":"","container":"","exec_id":"","outcome":"error""#),
        (Event::Enrollment, r#","actor":"","key_id":"","outcome":"error""#),
        (Event::ComposeOp, r#","actor":"","operation":"","stack":"","outcome":"error""#),
        (Event::Reload, ""),
        (Event::Start, ""),
        (Event::Stop, ""),
        (Event::Checkpoint, ""),
        (Event::Recovered, ""),
    ] {
        let name = event.name();
        assert_eq!(told(&Record::new(event)), (format!("{name}\"{line}"), format!("{name}\"}}")));
    }
}

#[test]
fn additions_stand_behind_what_is_documented() {
    let record = Record {
        detail: some("{\"q\":1}"),
        request_id: some("r-1"),
        user_agent: some("curl/8"),
        class: Some("view"),
        reason: some("policy"),
        key_id: some("3a7f"),
        container: some("abc"),
        status: Some(403),
        outcome: Some(Outcome::Denied),
        ..Record::new(Event::ApiRequest)
    };
    let added = r#""key_id":"3a7f","reason":"policy","class":"view","user_agent":"curl/8","request_id":"r-1","detail":{"q":1}"#;
    let (line, object) = told(&record);
    assert_eq!(
        line,
        format!(
            r#"api_request","actor":"","method":"","path":"","outcome":"denied","status":403,"duration_ms":0,"container":"abc",{added}"#
        )
    );
    assert_eq!(
        object,
        format!(r#"api_request","outcome":"denied","status":403,"container":"abc",{added}}}"#)
    );
    let compose = Record {
        operation: some("up"),
        stack: some("web"),
        outcome: Some(Outcome::Allowed),
        key_id: some("3a7f"),
        request_id: some("r-1"),
        ..Record::new(Event::ComposeOp)
    };
    let (line, object) = told(&compose);
    assert_eq!(
        line,
        r#"compose_op","actor":"","operation":"up","stack":"web","outcome":"allowed","key_id":"3a7f","request_id":"r-1""#
    );
    assert_eq!(
        object,
        r#"compose_op","outcome":"allowed","operation":"up","stack":"web","key_id":"3a7f","request_id":"r-1"}"#
    );
    let call = Record { request_id: some("r-2"), parent_id: some("r-1"), ..Record::new(Event::ExecStart) };
    assert!(told(&call).0.ends_with(r#","outcome":"error","request_id":"r-2","parent_id":"r-1""#));
    let start = Record {
        version: some("1.2.3"),
        mode: Some("standard"),
        keys: Some(0),
        ended: Some(2),
        ..Record::new(Event::Start)
    };
    assert_eq!(told(&start).0, r#"start","version":"1.2.3","mode":"standard","keys":0,"ended":2"#);
}

#[test]
fn every_member_is_written_once_and_is_json() {
    let mut names: Vec<_> = EVERY.iter().map(|member| member.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), EVERY.len());
    for event in [Event::ApiRequest, Event::ExecStart, Event::Enrollment, Event::ComposeOp, Event::Stop] {
        let text = || some("t");
        let record = Record {
            event,
            actor: text(),
            method: Some("GET"),
            path: text(),
            outcome: Some(Outcome::Error),
            status: Some(1),
            duration: Some(Duration::from_nanos(1)),
            operation: text(),
            stack: text(),
            container: text(),
            exec_id: text(),
            key_id: text(),
            reason: text(),
            class: Some("c"),
            user_agent: text(),
            request_id: text(),
            detail: some("{}"),
            version: text(),
            mode: Some("m"),
            keys: Some(1),
            ended: Some(1),
            torn: Some(1),
            torn_hash: text(),
            lost: Some(1),
            key: text(),
            signature: text(),
            recording: text(),
            recording_hash: text(),
            parent_id: text(),
        };
        let mut line = record.line(Duration::ZERO);
        line.push(b'}');
        for (text, more) in [(String::from_utf8(line).unwrap(), 4), (record.object(1, Duration::ZERO), 3)] {
            let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
            assert_eq!(object.len(), EVERY.len() + more, "{text}");
            assert!(EVERY.iter().all(|member| text.matches(&format!("\"{}\":", member.name())).count() == 1));
        }
    }
}

#[test]
fn hostile_text_stays_inside_its_member() {
    for hostile in [
        "a\"b\\c",
        "line\r\nbreak\t",
        "\u{1b}[2J\u{0}\u{7f}\u{85}",
        "\u{202e}\u{2066}evil\u{2028}",
        "é\"",
        "\"}\n{\"event\":\"start\"}",
    ] {
        let mut line = Record { path: some(hostile), ..Record::new(Event::ApiRequest) }.line(Duration::ZERO);
        line.push(b'}');
        let text = String::from_utf8(line).unwrap();
        assert!(
            !text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{202e}' | '\u{2066}')),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["path"], hostile);
    }
}

#[test]
fn milliseconds_are_told_to_the_nanosecond() {
    for (nanos, text) in [
        (0, "0"),
        (84_125, "0.084125"),
        (1, "0.000001"),
        (3_140_000, "3.14"),
        (5_000_000, "5"),
        (259_200_000_000_001, "259200000.000001"),
    ] {
        let mut line = String::new();
        push_millis(&mut line, Duration::from_nanos(nanos));
        assert_eq!(line, text);
    }
}
