//! As much of YAML as the examples are written in, read strictly: what is not understood is an error with its line.
//!
//! Blocks of members and of items, lists in brackets, texts with and without quotes, comments, several documents.

use serde_json::{Map, Value};

struct Line<'a> {
    number: usize,
    indent: usize,
    text: &'a str,
}

/// Every document of a file.
pub(crate) fn documents(text: &str) -> Result<Vec<Value>, String> {
    let mut documents = Vec::new();
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line == "---" {
            documents.push(document(&lines)?);
            lines.clear();
        } else if let Some(line) = content(number + 1, line)? {
            lines.push(line);
        }
    }
    documents.push(document(&lines)?);
    Ok(documents)
}

fn document(lines: &[Line<'_>]) -> Result<Value, String> {
    let mut rest = lines;
    let first = rest.first().ok_or("a document is empty")?;
    let value = block(&mut rest, first.indent)?;
    rest.first().map_or(Ok(value), |line| Err(format!("line {}: it belongs to nothing", line.number)))
}

/// What a line has, without its comment.
fn content(number: usize, line: &str) -> Result<Option<Line<'_>>, String> {
    if line.contains('\t') {
        return Err(format!("line {number}: a tab"));
    }
    let mut quote = None;
    let mut end = line.len();
    for (at, sign) in line.char_indices() {
        match (quote, sign) {
            (None, '"' | '\'') => quote = Some(sign),
            (Some(open), _) if open == sign => quote = None,
            (None, '#') if at == 0 || line[..at].ends_with(' ') => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let text = line[..end].trim_end();
    let indent = text.len() - text.trim_start().len();
    Ok((!text.trim().is_empty()).then_some(Line { number, indent, text: text.trim_start() }))
}

fn block(rest: &mut &[Line<'_>], indent: usize) -> Result<Value, String> {
    let is_list = rest.first().is_some_and(|line| line.text.starts_with("- "));
    if is_list { list(rest, indent) } else { members(rest, indent).map(Value::Object) }
}

fn list(rest: &mut &[Line<'_>], indent: usize) -> Result<Value, String> {
    let mut items = Vec::new();
    while let Some((line, after)) = rest.split_first() {
        let Some(text) = line.text.strip_prefix("- ").filter(|_| line.indent == indent) else { break };
        if key_of(text).is_some() {
            // Its first member stands behind the dash, the others below it.
            let inner = Line { number: line.number, indent: indent + 2, text };
            let others = after.iter().take_while(|line| line.indent > indent);
            let count = others.clone().count();
            let copied = others.map(|line| Line { ..*line });
            let lines: Vec<Line<'_>> = [inner].into_iter().chain(copied).collect();
            let mut item = &lines[..];
            items.push(Value::Object(members(&mut item, indent + 2)?));
            if let Some(line) = item.first() {
                return Err(format!("line {}: it belongs to nothing", line.number));
            }
            *rest = &after[count..];
        } else {
            items.push(scalar(line.number, text)?);
            *rest = after;
        }
    }
    Ok(Value::Array(items))
}

fn members(rest: &mut &[Line<'_>], indent: usize) -> Result<Map<String, Value>, String> {
    let mut members = Map::new();
    while let Some((line, after)) = rest.split_first() {
        if line.indent != indent || line.text.starts_with("- ") {
            break;
        }
        let (key, text) =
            key_of(line.text).ok_or_else(|| format!("line {}: no member: {}", line.number, line.text))?;
        *rest = after;
        let value = if text.is_empty() {
            let below = after.first().filter(|next| {
                next.indent > indent || (next.indent == indent && next.text.starts_with("- "))
            });
            below.map_or(Ok(Value::Null), |next| block(rest, next.indent))?
        } else {
            scalar(line.number, text)?
        };
        if members.insert(key.to_owned(), value).is_some() {
            return Err(format!("line {}: {key} stands twice", line.number));
        }
    }
    Ok(members)
}

/// The name and the rest of `name: rest`.
fn key_of(text: &str) -> Option<(&str, &str)> {
    let (key, rest) = text.split_once(": ").or_else(|| Some((text.strip_suffix(':')?, "")))?;
    let plain = key.chars().all(|sign| sign.is_ascii_alphanumeric() || "_-./".contains(sign));
    (plain && !key.is_empty()).then_some((key, rest.trim()))
}

fn scalar(number: usize, text: &str) -> Result<Value, String> {
    if let Some(inside) = text.strip_prefix('[') {
        let inside =
            inside.strip_suffix(']').ok_or_else(|| format!("line {number}: a list without its end"))?;
        let items = inside.split(',').map(str::trim).filter(|item| !item.is_empty());
        return items.map(|item| scalar(number, item)).collect::<Result<_, _>>().map(Value::Array);
    }
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote) {
            let inside = inside.strip_suffix(quote).filter(|inside| !inside.contains([quote, '\\']));
            return inside
                .map(Value::from)
                .ok_or_else(|| format!("line {number}: quotes of another kind: {text}"));
        }
    }
    if text.starts_with(['{', '|', '>', '&', '*', '!', '%', '@', '`']) || text.contains(": ") {
        return Err(format!("line {number}: these rules do not know {text}"));
    }
    Ok(match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" | "~" => Value::Null,
        _ => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
    })
}

#[test]
fn what_the_examples_are_written_in_is_read() {
    let text = "# about\na: 1 # one\nb:\n  - c: \"x # y\"\n    d: [e, f]\n  - g\nh:\n- i\nj: {{}}\n";
    assert!(documents(text).is_err_and(|why| why.starts_with("line 9:")));
    let read = documents(&text.replace("j: {{}}", "j: k:l\n---\nm: no\nn: true")).unwrap();
    let first =
        serde_json::json!({"a": 1, "b": [{"c": "x # y", "d": ["e", "f"]}, "g"], "h": ["i"], "j": "k:l"});
    assert_eq!(read, [first, serde_json::json!({"m": "no", "n": true})]);
}

#[test]
fn what_is_written_otherwise_is_an_error_with_its_line() {
    for (text, line) in [
        ("a: 1\n\tb: 2\n", 2),
        ("a: 1\na: 2\n", 2),
        ("a:\n  b: 1\n   c: 2\n", 3),
        ("a: [1\n", 1),
        ("a: \"x\n", 1),
        ("a: |\n", 1),
        ("a: *b\n", 1),
        ("a\n", 1),
        ("a:\n  - b: 1\n     c: 2\n", 3),
    ] {
        let why = documents(text).expect_err(text);
        assert!(why.starts_with(&format!("line {line}:")), "{text:?}: {why}");
    }
}
