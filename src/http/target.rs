//! Request targets: origin-form, decoded once, segments checked.

use std::borrow::Cow;

use super::Malformed;
use crate::limits::TARGET_BYTES_MAX;

/// A target whose path means the same to us and to whoever reads it after us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target<'h> {
    raw: &'h str,
    path: Cow<'h, str>,
    query: Option<&'h str>,
}

impl<'h> Target<'h> {
    pub(crate) fn parse(raw: &'h str) -> Result<Self, Malformed> {
        if raw.len() > TARGET_BYTES_MAX {
            return Err(Malformed::TargetTooLong);
        }
        if !raw.starts_with('/') {
            return Err(Malformed::NotOriginForm);
        }
        if raw.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'#') {
            return Err(Malformed::TargetByte);
        }
        let (path, query) = match raw.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (raw, None),
        };
        let path = decode(path)?;
        // After the leading slash; a trailing one is left alone because the Engine's own routes
        // have it (`/networks/`).
        let inner = path.strip_prefix('/').unwrap_or(&path);
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        if !inner.is_empty() && inner.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(Malformed::PathSegment);
        }
        if path == "//" {
            return Err(Malformed::PathSegment);
        }
        Ok(Self { raw, path, query })
    }

    /// As it came.
    pub(crate) fn raw(&self) -> &'h str {
        self.raw
    }

    /// Percent-decoded, without the query.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What stands behind the question mark, as it came.
    pub(crate) fn query(&self) -> Option<&'h str> {
        self.query
    }

    /// The names of the query's parameters, decoded.
    pub(crate) fn query_names(&self) -> impl Iterator<Item = Cow<'h, str>> {
        let pairs = self.query.unwrap_or("").split(['&', ';']).filter(|pair| !pair.is_empty());
        pairs.map(|pair| {
            let name = pair.split_once('=').map_or(pair, |(name, _)| name);
            // A name that does not decode is compared as it stands.
            decode(name).unwrap_or(Cow::Borrowed(name))
        })
    }
}

/// Decodes one name or value of a query, as forms are written; `None` where it is not text.
pub(crate) fn decode_form(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return decode(&spaced).ok().map(|decoded| Cow::Owned(decoded.into_owned()));
    }
    decode(text).ok()
}

/// Decodes percent codes once. What would decode to a control byte, or not to UTF-8, is refused.
fn decode(text: &str) -> Result<Cow<'_, str>, Malformed> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' {
            let high = rest.next().and_then(hex).ok_or(Malformed::PercentCode)?;
            let low = rest.next().and_then(hex).ok_or(Malformed::PercentCode)?;
            high << 4 | low
        } else {
            byte
        };
        if byte.is_ascii_control() {
            return Err(Malformed::PercentCode);
        }
        bytes.push(byte);
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| Malformed::PercentCode)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_once() {
        for (raw, path) in [
            ("/", "/"),
            ("/networks/", "/networks/"),
            ("/images/library%2Fbusybox%3Alatest/json?x=%2e%2e", "/images/library/busybox:latest/json"),
            ("/a%252e", "/a%2e"),
            ("/%C3%A9", "/é"),
            ("/?", "/"),
        ] {
            let target = Target::parse(raw).unwrap();
            assert_eq!((target.raw(), target.path()), (raw, path));
        }
    }

    #[test]
    fn a_query_is_everything_behind_the_first_question_mark_as_it_came() {
        for (raw, query) in
            [("/a", None), ("/a?", Some("")), ("/a?b=%2e%2E&c", Some("b=%2e%2E&c")), ("/a?b?c", Some("b?c"))]
        {
            assert_eq!(Target::parse(raw).unwrap().query(), query, "{raw}");
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for (raw, why) in [
            ("", Malformed::NotOriginForm),
            ("*", Malformed::NotOriginForm),
            ("http://evil/_ping", Malformed::NotOriginForm),
            ("evil:2375", Malformed::NotOriginForm),
            ("//", Malformed::PathSegment),
            ("//containers/json", Malformed::PathSegment),
            ("/a//b", Malformed::PathSegment),
            ("/a/./b", Malformed::PathSegment),
            ("/..", Malformed::PathSegment),
            ("/a/../b", Malformed::PathSegment),
            ("/a/%2e%2e/b", Malformed::PathSegment),
            ("/a/..%2fb", Malformed::PathSegment),
            ("/a%2f%2fb", Malformed::PathSegment),
            ("/a//", Malformed::PathSegment),
            ("/a#b", Malformed::TargetByte),
            ("/a b", Malformed::TargetByte),
            ("/é", Malformed::TargetByte),
            ("/a\u{7f}", Malformed::TargetByte),
            ("/%", Malformed::PercentCode),
            ("/%4", Malformed::PercentCode),
            ("/%+4", Malformed::PercentCode),
            ("/%zz", Malformed::PercentCode),
            ("/%00", Malformed::PercentCode),
            ("/%0d%0a", Malformed::PercentCode),
            ("/%7f", Malformed::PercentCode),
            ("/%ff", Malformed::PercentCode),
        ] {
            assert_eq!(Target::parse(raw), Err(why), "{raw}");
        }
    }

    #[test]
    fn a_plus_in_a_query_is_a_space_and_its_code_is_a_plus() {
        assert_eq!(decode_form("a+b%2Bc").as_deref(), Some("a b+c"));
        assert_eq!(decode_form("a%0a"), None);
    }

    #[test]
    fn the_longest_target_is_taken_and_one_byte_more_is_not() {
        let longest = format!("/{}", "a".repeat(TARGET_BYTES_MAX - 1));
        assert!(Target::parse(&longest).is_ok());
        assert_eq!(Target::parse(&format!("{longest}a")), Err(Malformed::TargetTooLong));
    }

    #[test]
    fn query_names_are_found_however_they_are_spelt() {
        let target = Target::parse("/x?a=1&tok%65n=s;b&=&%zz=1").unwrap();
        let names: Vec<_> = target.query_names().collect();
        assert_eq!(names, ["a", "token", "b", "", "%zz"]);
    }
}
