//! What differs between two runs of the same command, replaced by a word: names, ids and times.

use std::iter::Peekable;
use std::str::Chars;

/// `text` with `prefix`, hexadecimal ids and RFC 3339 times replaced.
pub(crate) fn normal(text: &str, prefix: &str) -> String {
    let text = text.replace(prefix, "NAME");
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.peek().copied() {
        if next.is_ascii_alphanumeric() {
            out.push_str(&word(&mut rest));
        } else {
            out.extend(rest.next());
        }
    }
    out
}

/// The next word, replaced if it is an id or a time.
fn word(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut word = String::new();
    word.extend(std::iter::from_fn(|| rest.next_if(char::is_ascii_alphanumeric)));
    if word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit()) && rest.peek() == Some(&'-') {
        word.extend(std::iter::from_fn(|| rest.next_if(|c| c.is_ascii_digit() || "-:.+TZ".contains(*c))));
    }
    if is_id(&word) {
        return "ID".to_owned();
    }
    if is_time(&word) {
        return "TIME".to_owned();
    }
    word
}

fn is_id(word: &str) -> bool {
    [12, 64].contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_time(word: &str) -> bool {
    let shape: String = word.chars().take(19).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00"
}

#[test]
fn ids_times_and_names_become_words_and_nothing_else_does() {
    let id = "0123456789abcdef".repeat(4);
    let text = format!("x-1 {id} sha256:{id}: 0123456789ab. 2026-01-02T03:04:05.67+01:00 (a1b2)\n");
    assert_eq!(normal(&text, "x-1"), "NAME ID sha256:ID: ID. TIME (a1b2)\n");
    let plain = "a word, 0123456789abc, 2026-01-02, é 12:00\n";
    assert_eq!(normal(plain, "x-1"), plain);
}
