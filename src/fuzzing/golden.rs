//! The matrix of who may ask what that people read, told to whoever holds a decision against it.

use std::sync::OnceLock;

use crate::auth::Grant;

const MATRIX: &str = include_str!("../../tests/golden/authority.txt");

/// A line of it: a method, a pattern, and the classes that may.
struct Line {
    method: &'static str,
    pattern: &'static str,
    may: Vec<&'static str>,
}

/// Whether the matrix lets one of a grant's classes ask this. The first line that is meant counts; what is meant by
/// none is for nobody whose requests are decided on.
pub(super) fn lets(grant: &Grant, method: &str, path: &str) -> bool {
    let path = without_version(path);
    let lines = LINES.get_or_init(lines);
    let line = lines.iter().find(|line| line.method == method && is_meant(line.pattern, path));
    line.is_some_and(|line| grant.classes.named().any(|class| line.may.contains(&class.name())))
}

static LINES: OnceLock<Vec<Line>> = OnceLock::new();

fn lines() -> Vec<Line> {
    let heads = MATRIX.lines().filter_map(|line| line.strip_prefix("# a key with nothing but"));
    let classes: Vec<_> = heads.flat_map(str::split_whitespace).collect();
    let rows = MATRIX.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut words = line.split_whitespace();
        let (method, pattern) = (words.next()?, words.next()?);
        let marks = classes.iter().zip(words);
        let may = marks.filter(|(_, mark)| *mark == "+").map(|(class, _)| *class).collect();
        Some(Line { method, pattern, may })
    });
    let rows: Vec<_> = rows.collect();
    assert!(
        classes.len() == 17 && rows.len() > 100,
        "the matrix is read: {} of {}",
        rows.len(),
        classes.len()
    );
    rows
}

/// `/v1.41/info` is `/info`.
fn without_version(path: &str) -> &str {
    let Some((version, rest)) = path.strip_prefix("/v").and_then(|rest| rest.split_once('/')) else {
        return path;
    };
    let is_version = version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let at = path.len().saturating_sub(rest.len()).saturating_sub(1);
    if is_version && !version.is_empty() { path.get(at..).unwrap_or(path) } else { path }
}

/// `{}` is a segment with something in it, `{*}` any number of segments with something in them.
fn is_meant(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
    fits(&pattern, &path)
}

fn fits(pattern: &[&str], path: &[&str]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((&"{*}", rest)) => (1..=path.len()).any(|taken| {
            let (name, behind) = path.split_at(taken);
            name.iter().any(|segment| !segment.is_empty()) && fits(rest, behind)
        }),
        Some((&expected, rest)) => path.split_first().is_some_and(|(&segment, behind)| {
            let is_segment = if expected == "{}" { !segment.is_empty() } else { expected == segment };
            is_segment && fits(rest, behind)
        }),
    }
}
