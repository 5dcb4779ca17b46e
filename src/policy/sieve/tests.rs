//! The sieve, held against answers cut anywhere, too large, cut off and hostile.

use std::sync::{Arc, Mutex};

use super::*;
use crate::limits::JSON_DEPTH_MAX;

/// Elements of every type, with what could be taken for an end inside of texts.
const LIST: &str = r#" [ {"a":"]},[{\"\\","b":[[],{}]} , "\\\"]" ,-1.5e3,
    null,true ,[ ] , "\u005d\uD83D\uDE00é" ,{"\"]":{}} ] "#;
const LIST_OUT: &str = r#"[{"a":"]},[{\"\\","b":[[],{}]},"\\\"]",-1500.0,null,true,[],"]😀é",{"\"]":{}}]"#;
const SEQUENCE: &str = "{\"a\": \"}\\\"{\"}\n{}[1,\n2]\"x y\" 12 null\t true\r\n\"\\\\\"-7";
const SEQUENCE_OUT: &str = "{\"a\":\"}\\\"{\"}\n{}\n[1,2]\n\"x y\"\n12\nnull\ntrue\n\"\\\\\"\n-7\n";

/// What became of an answer that came in these pieces.
fn sift<'a>(shape: Shape, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<String, String> {
    let mut sieve = Sieve::new(shape, Box::new(|_| true));
    let mut out = Vec::new();
    let pushed = pieces.into_iter().try_for_each(|piece| sieve.push(piece, &mut out));
    pushed.and_then(|()| sieve.end(&mut out)).map_err(|bad| bad.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

fn whole(shape: Shape, answer: &str) -> Result<String, String> {
    sift(shape, [answer.as_bytes()])
}

#[track_caller]
fn refused(shape: Shape, answer: &str, why: &str) {
    let told = whole(shape, answer).unwrap_err();
    assert!(told.contains(why), "{answer:?}: {told}");
    // However it comes.
    assert_eq!(sift(shape, answer.as_bytes().chunks(1)).unwrap_err(), told, "{answer:?}");
}

#[test]
fn an_answer_cut_anywhere_is_given_as_the_whole() {
    for (shape, answer, out) in [(Shape::List, LIST, LIST_OUT), (Shape::Sequence, SEQUENCE, SEQUENCE_OUT)] {
        assert_eq!(whole(shape, answer).unwrap(), out);
        let bytes = answer.as_bytes();
        for cut in 0..=bytes.len() {
            let (before, after) = bytes.split_at(cut);
            assert_eq!(sift(shape, [before, after]).unwrap(), out, "cut at {cut}");
        }
        for size in 1..bytes.len() {
            assert_eq!(sift(shape, bytes.chunks(size)).unwrap(), out, "in pieces of {size}");
        }
        // What is given is read again as the same.
        assert_eq!(whole(shape, out).unwrap(), out);
    }
}

#[test]
fn lists_without_elements_stay_what_they_are() {
    for (answer, out) in
        [("[]", "[]"), ("\r[\r\n\t] \n", "[]"), ("null", "null"), ("null\n", "null"), ("\tnull ", "null")]
    {
        assert_eq!(whole(Shape::List, answer).unwrap(), out, "{answer:?}");
        assert_eq!(sift(Shape::List, answer.as_bytes().chunks(1)).unwrap(), out, "{answer:?}");
    }
    for answer in ["", " ", "\n\n"] {
        assert_eq!(whole(Shape::Sequence, answer).unwrap(), "", "{answer:?}");
    }
}

#[test]
fn what_the_judge_drops_leaves_no_trace() {
    let keep = |shape, answer: &str, keep: fn(&mut Json) -> bool| {
        let (mut sieve, mut out) = (Sieve::new(shape, Box::new(keep)), Vec::new());
        sieve.push(answer.as_bytes(), &mut out).unwrap();
        sieve.end(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let is_text = |value: &mut Json| value.text().is_some();
    assert_eq!(keep(Shape::List, r#"[1,"a",2,"b",3]"#, is_text), r#"["a","b"]"#);
    assert_eq!(keep(Shape::List, r#"[1,2]"#, is_text), "[]");
    assert_eq!(keep(Shape::Sequence, r#"1 "a" 2 "b" 3"#, is_text), "\"a\"\n\"b\"\n");
    let rewrite = |value: &mut Json| {
        *value = Json::Text("***".to_owned());
        true
    };
    assert_eq!(keep(Shape::List, r#"[{"secret":1},[2]]"#, rewrite), r#"["***","***"]"#);
}

#[test]
fn a_value_is_given_with_its_last_byte() {
    let (mut sieve, mut out) = (Sieve::new(Shape::Sequence, Box::new(|_| true)), Vec::new());
    for (piece, given) in [
        ("{\"a\":1", ""),
        ("}", "{\"a\":1}\n"),
        ("\"x", ""),
        ("\"", "\"x\"\n"),
        ("12", ""),
        ("3", ""),
        ("\n", "123\n"),
    ] {
        out.clear();
        sieve.push(piece.as_bytes(), &mut out).unwrap();
        assert_eq!(String::from_utf8_lossy(&out), given, "{piece:?}");
    }
    let (mut sieve, mut out) = (Sieve::new(Shape::List, Box::new(|_| true)), Vec::new());
    sieve.push(b"[{},[1],2", &mut out).unwrap();
    assert_eq!(out, b"[{},[1]");
}

#[test]
fn an_answer_that_breaks_off_is_an_error() {
    for end in 0..LIST.trim().len() {
        let answer = LIST.trim().as_bytes().get(..end).unwrap();
        assert_eq!(sift(Shape::List, [answer]).unwrap_err(), BadAnswer::Cut.to_string(), "{end}");
    }
    for answer in ["{", "[1,2", "\"", "\"\\\"", "{} {\"a\":1", "1 \"2"] {
        refused(Shape::Sequence, answer, "an end before the end");
    }
    for answer in ["nul", "tru", "1e", "-"] {
        refused(Shape::Sequence, answer, "no JSON");
    }
}

#[test]
fn what_is_not_the_answer_expected_is_an_error() {
    for answer in ["{}", "1", "\"[]\"", "]", ",", "true", "\u{feff}[]", "\0"] {
        refused(Shape::List, answer, "no list");
    }
    for answer in [
        "[] []",
        "[]]",
        "[],",
        "[]x",
        "[1]]",
        "null []",
        "null null",
        "[{}{}]",
        "[1 2]",
        "[1]2",
        "[,]",
        "[1,]",
        "[1,,2]",
        "[\"a\"\"b\"]",
    ] {
        refused(Shape::List, answer, "between two values");
    }
    for answer in [
        "[}]",
        "[{]}]",
        "[{\"a\":1,}]",
        "[{\"a\":1,\"a\":2}]",
        "[nul]",
        "[1:2]",
        "[1}",
        "null,",
        "nul",
        "n[]",
        "[01]",
        "[\"\\x\"]",
        "[\"\n\"]",
    ] {
        let told = whole(Shape::List, answer).unwrap_err();
        assert!(told.contains("no JSON") || told.contains("before the end"), "{answer:?}: {told}");
    }
    for answer in ["{}]", "1,2", "1{}", "truefalse", "\u{1e}{}", "{\"a\":}", "{]"] {
        refused(Shape::Sequence, answer, "no JSON");
    }
    assert!(sift(Shape::Sequence, [&b"\"\xff\""[..]]).is_err());
}

#[test]
fn what_came_before_an_error_was_judged_and_after_it_nothing_is_given() {
    let seen = Arc::new(Mutex::new(0));
    let count = Arc::clone(&seen);
    let judge = move |_: &mut Json| {
        *count.lock().unwrap() += 1;
        true
    };
    let (mut sieve, mut out) = (Sieve::new(Shape::List, Box::new(judge)), Vec::new());
    assert!(sieve.push(b"[1,{]},3]", &mut out).is_err());
    assert_eq!((out.as_slice(), *seen.lock().unwrap()), (&b"[1"[..], 1));
    for more in [&b" "[..], b"[]", b",4]", b"\n"] {
        assert!(sieve.push(more, &mut out).is_err());
    }
    assert!(sieve.end(&mut out).is_err());
    assert_eq!(out, b"[1");
    // An end that came too early is one for good.
    let (mut sieve, mut out) = (Sieve::new(Shape::List, Box::new(|_| true)), Vec::new());
    sieve.push(b"[1", &mut out).unwrap();
    assert!(sieve.end(&mut out).is_err() && sieve.push(b"]", &mut out).is_err());
}

#[test]
fn the_largest_value_is_judged_and_one_byte_more_is_not() {
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    for bytes in [JSON_ANSWER_BYTES_MAX - 1, JSON_ANSWER_BYTES_MAX] {
        let list = format!("[1,{},2]", text(bytes));
        assert_eq!(whole(Shape::List, &list).unwrap(), list);
        assert_eq!(sift(Shape::List, list.as_bytes().chunks(65_521)).unwrap(), list);
        assert_eq!(whole(Shape::Sequence, &text(bytes)).unwrap().len(), bytes + 1);
        assert_eq!(document(text(bytes).as_bytes(), |_| {}).unwrap().len(), bytes);
    }
    let larger = text(JSON_ANSWER_BYTES_MAX + 1);
    let list = format!("[1,{larger},2]");
    for told in [
        whole(Shape::List, &list),
        sift(Shape::List, list.as_bytes().chunks(65_521)),
        whole(Shape::Sequence, &larger),
        // Nor does it wait for an end.
        sift(Shape::Sequence, std::iter::repeat_n(&b"9999"[..], JSON_ANSWER_BYTES_MAX)),
        sift(Shape::List, std::iter::repeat_n(&b"[[[["[..], JSON_ANSWER_BYTES_MAX)),
        sift(Shape::List, std::iter::repeat_n(&b"nnnn"[..], JSON_ANSWER_BYTES_MAX)),
    ] {
        assert_eq!(told.unwrap_err(), BadAnswer::TooLarge.to_string());
    }
    assert!(matches!(document(larger.as_bytes(), |_| {}), Err(BadAnswer::TooLarge)));
}

#[test]
fn white_space_and_small_elements_take_no_room() {
    let (mut sieve, mut out) = (Sieve::new(Shape::List, Box::new(|_| true)), Vec::new());
    sieve.push(b"[0", &mut out).unwrap();
    let (element, space) = (format!(",{{\"a\":\"{}\"}}", "x".repeat(1000)), " ".repeat(1000));
    for _ in 0..2 * JSON_ANSWER_BYTES_MAX / 1000 {
        out.clear();
        sieve.push(element.as_bytes(), &mut out).unwrap();
        sieve.push(space.as_bytes(), &mut out).unwrap();
        assert!(out.len() <= element.len() + 2 && sieve.value.capacity() < 4096);
    }
}

#[test]
fn hostile_nesting_is_refused_by_its_depth() {
    let nested = |depth: usize| format!("[{}1{}]", "[".repeat(depth), "]".repeat(depth));
    assert!(whole(Shape::List, &nested(JSON_DEPTH_MAX)).is_ok());
    refused(Shape::List, &nested(JSON_DEPTH_MAX + 1), "nested deeper");
    refused(Shape::List, &nested(100_000), "nested deeper");
    refused(Shape::Sequence, &nested(100_000), "nested deeper");
}

#[test]
fn a_document_is_one_value() {
    let blank = |bytes: &[u8]| document(bytes, |value| *value.member_mut("a").unwrap() = Json::Null);
    assert_eq!(blank(b" {\"a\":1,\"b\":2}\n").unwrap(), br#"{"a":null,"b":2}"#);
    for answer in ["", "{}{}", "{", "null null"] {
        assert!(matches!(document(answer.as_bytes(), |_| {}), Err(BadAnswer::Json(_))), "{answer:?}");
    }
}
