//! Secrets within a text, such as a command line: found by the names before them.

use super::{BLANK, Redactor};

/// The text with its secrets blanked; nothing where there are none.
pub(super) fn told(redactor: &Redactor, text: &str) -> Option<String> {
    let mut told = String::new();
    let mut done = 0;
    let mut at = 0;
    while let Some(span) = next(redactor, text, at) {
        told.push_str(text.get(done..span.from)?);
        told.push_str(BLANK);
        done = span.to;
        at = span.to;
    }
    if done == 0 {
        return None;
    }
    told.push_str(text.get(done..)?);
    Some(told)
}

/// Where a secret stands.
struct Span {
    from: usize,
    to: usize,
}

/// The next secret behind a place.
fn next(redactor: &Redactor, text: &str, at: usize) -> Option<Span> {
    let rest = text.get(at..)?;
    rest.char_indices().find_map(|(offset, sign)| {
        let sign_at = at.saturating_add(offset);
        let behind = sign_at.saturating_add(sign.len_utf8());
        let name = name_before(text.get(at..sign_at)?);
        let span = match sign {
            '=' if redactor.field(name) => word(text, behind),
            ':' if redactor.header(name) => line(text, behind),
            ':' if redactor.field(name) => word(text, skip_spaces(text, behind)),
            ':' => user(text, behind)?,
            ' ' | '\t' if is_option(name) && redactor.field(name) => value_of_option(text, behind)?,
            _ => return None,
        };
        (span.from < span.to).then_some(span)
    })
}

/// The name that ends here.
fn name_before(text: &str) -> &str {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'');
    let begin = text.char_indices().rev().take_while(|(_, c)| is_part(*c)).last();
    let name = begin.and_then(|(at, _)| text.get(at..)).unwrap_or_default();
    name.trim_matches(['"', '\''])
}

fn is_option(name: &str) -> bool {
    name.starts_with('-')
}

fn skip_spaces(text: &str, from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let spaces = rest.len().saturating_sub(rest.trim_start_matches([' ', '\t']).len());
    from.saturating_add(spaces)
}

/// Up to the quote that ends it, or to what ends a word.
fn word(text: &str, from: usize) -> Span {
    let rest = text.get(from..).unwrap_or_default();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    let length = match quote {
        Some(quote) => {
            let inside = rest.get(1..).unwrap_or_default();
            inside.find(quote).map_or(rest.len(), |at| at.saturating_add(2))
        }
        None => rest.find([' ', '\t', '\n', '\r', '&', '"', '\'']).unwrap_or(rest.len()),
    };
    Span { from, to: from.saturating_add(length) }
}

/// A header's value: up to a quote or the line's end.
fn line(text: &str, from: usize) -> Span {
    let from = skip_spaces(text, from);
    let rest = text.get(from..).unwrap_or_default();
    let length = rest.find(['"', '\'', '\n', '\r']).unwrap_or(rest.len());
    Span { from, to: from.saturating_add(length) }
}

/// What an option is set to by the next word, which is no option.
fn value_of_option(text: &str, behind: usize) -> Option<Span> {
    let from = skip_spaces(text, behind);
    let is_option = text.get(from..)?.starts_with('-');
    (!is_option).then(|| word(text, from))
}

/// Who asks, in a URL: `scheme://user:password@host`.
fn user(text: &str, behind: usize) -> Option<Span> {
    let rest = text.get(behind..)?.strip_prefix("//")?;
    let from = behind.saturating_add(2);
    let authority = rest.split(['/', '?', '#', ' ', '\t', '\n', '"', '\'']).next()?;
    let length = authority.rfind('@')?;
    Some(Span { from, to: from.saturating_add(length) })
}
