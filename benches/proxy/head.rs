//! The little of HTTP/1.1 heads that both ends of a measurement need.

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Body {
    Length(u64),
    Chunked,
}

/// Where the first head in these bytes ends, its empty line included.
pub(crate) fn end(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|&byte| byte == b'\n') {
        let line_end = from + at + 1;
        if bytes[..line_end].ends_with(b"\r\n\r\n") {
            return Some(line_end);
        }
        from = line_end;
    }
    None
}

/// The value of a field, without the space around it.
pub(crate) fn field<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    head.split(|&byte| byte == b'\n').skip(1).find_map(|line| {
        // The colon is looked at first: nearly every line is told apart by the length of its name.
        if line.get(name.len()) != Some(&b':') || !line[..name.len()].eq_ignore_ascii_case(name.as_bytes()) {
            return None;
        }
        Some(line[name.len() + 1..].trim_ascii())
    })
}

/// How the body after this head is framed; no length and no coding is an empty body.
pub(crate) fn body(head: &[u8]) -> Body {
    match field(head, "content-length") {
        Some(digits) => Body::Length(number(digits).unwrap_or(0)),
        None if field(head, "transfer-encoding").is_some() => Body::Chunked,
        None => Body::Length(0),
    }
}

/// The status of an answer's head, 0 when there is none.
pub(crate) fn status(head: &[u8]) -> u64 {
    head.get(9..12).and_then(number).unwrap_or(0)
}

/// Decimal digits, and nothing else, as a number.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    str::from_utf8(digits).ok()?.parse().ok()
}
