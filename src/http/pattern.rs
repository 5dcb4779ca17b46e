//! Patterns of paths: `{}` is one segment, `{*}` one or more.

/// Whether a decoded path is one of a pattern's.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    // Every request is held against every pattern, and nearly all differ within a few bytes, before any place.
    let mut pairs = pattern.bytes().zip(path.bytes());
    match pairs.find(|(expected, byte)| expected != byte || *expected == b'{') {
        Some((b'{', _)) => {}
        Some(_) => return false,
        None => return pattern.len() == path.len(),
    }
    if let Some((before, after)) = pattern.split_once("{*}") {
        let inner = path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        return inner.is_some_and(|name| !name.is_empty());
    }
    let mut segments = path.split('/');
    let all = pattern.split('/').all(|expected| match (expected, segments.next()) {
        ("{}", Some(segment)) => !segment.is_empty(),
        (expected, Some(segment)) => expected == segment,
        (_, None) => false,
    });
    all && segments.next().is_none()
}

/// What the places of a pattern stand for in a path that matches it.
pub(crate) fn captures<'p>(pattern: &str, path: &'p str) -> Vec<&'p str> {
    match pattern.split_once("{*}") {
        Some((before, after)) => {
            path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).into_iter().collect()
        }
        None => {
            let segments = pattern.split('/').zip(path.split('/'));
            segments.filter(|(expected, _)| *expected == "{}").map(|(_, segment)| segment).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stand_for_segments_and_never_for_nothing() {
        for (pattern, path, places) in [
            ("/a", "/a", Some(vec![])),
            ("/a/{}", "/a/b", Some(vec!["b"])),
            ("/a/{}/c/{}", "/a/b/c/d", Some(vec!["b", "d"])),
            ("/a/{*}/c", "/a/b/x/c", Some(vec!["b/x"])),
            ("/a/{}", "/a/", None),
            ("/a/{}", "/a/b/c", None),
            ("/a/{*}/c", "/a//c", None),
            ("/a/{*}/c", "/a/c", None),
            ("/a", "/a/", None),
            ("/a", "/b", None),
            ("/a/{}/c", "/a/b/d", None),
            ("/a/{}", "/a", None),
            ("/a/{*}", "/a/", None),
            ("/a/b", "/a/{}", None),
            ("/a/{}", "/a/{}", Some(vec!["{}"])),
            ("/{*}", "/", None),
        ] {
            assert_eq!(matches(pattern, path), places.is_some(), "{pattern} {path}");
            if let Some(places) = places {
                assert_eq!(captures(pattern, path), places, "{pattern} {path}");
            }
        }
    }
}
