//! How the two generations read a file of variables, as far as what we write needs it; held against the programs.

/// The first generation: python-dotenv. A quoted value may go on over lines, up to a quote without a
/// backslash before it or, where there is none, to the last quote of the file; `${…}` is always looked for.
pub(super) fn first(text: &str) -> Vec<(String, String)> {
    let (mut rest, mut vars) = (text, Vec::new());
    while !rest.is_empty() {
        let Some((key, after)) = rest.split_once('=').filter(|(key, _)| !key.contains(char::is_whitespace))
        else {
            rest = after_line(rest);
            continue;
        };
        let after = after.trim_start_matches(is_space);
        let (value, after) = match after.chars().next() {
            Some(quote @ ('\'' | '"')) => match closing(after, quote) {
                Some(end) => (unquoted(&after[1..end], quote), &after[end.saturating_add(1)..]),
                None => {
                    rest = after_line(after);
                    continue;
                }
            },
            _ => {
                let end = after.find('\n').unwrap_or(after.len());
                (without_remark(&after[..end]).trim_end().to_owned(), &after[end..])
            }
        };
        let tail = after.trim_start_matches(is_space);
        if tail.is_empty() || tail.starts_with(['\n', '#']) {
            vars.push((key.to_owned(), without_references(&value)));
        }
        rest = after_line(tail);
    }
    vars
}

fn is_space(char: char) -> bool {
    char.is_whitespace() && char != '\n'
}

fn after_line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, rest)| rest)
}

fn closing(text: &str, quote: char) -> Option<usize> {
    let quotes = text.match_indices(quote).map(|(at, _)| at).skip(1).collect::<Vec<_>>();
    let free = quotes.iter().copied().find(|&at| !text[1..at].ends_with('\\'));
    free.or_else(|| quotes.last().copied())
}

fn unquoted(text: &str, quote: char) -> String {
    let mut value = String::new();
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let escaped = chars.next_if(|next| {
            char == '\\' && (matches!(next, '\\' | '\'') || quote == '"' && "\"abfnrtv".contains(*next))
        });
        match escaped {
            Some('n') => value.push('\n'),
            Some(sign @ ('\\' | '\'' | '"')) => value.push(sign),
            Some(_) => value.push('\u{7}'),
            None => value.push(char),
        }
    }
    value
}

fn without_remark(text: &str) -> &str {
    let remark =
        text.char_indices().find(|(at, char)| *char == '#' && text[..*at].ends_with(char::is_whitespace));
    remark.map_or(text, |(at, _)| &text[..at])
}

/// Names that nobody set are nothing, and have their defaults.
fn without_references(text: &str) -> String {
    let Some((before, after)) = text.split_once("${") else { return text.to_owned() };
    let reference = after
        .split_once('}')
        .filter(|(inside, _)| inside.split_once(':').is_none_or(|(_, default)| default.starts_with('-')));
    match reference {
        Some((inside, after)) => {
            let default = inside.split_once(":-").map_or("", |(_, default)| default);
            format!("{before}{default}{}", without_references(after))
        }
        None => format!("{before}${{{}", without_references(after)),
    }
}

/// The later ones: compose-go. A backslash before the quote that would end a value keeps it; in double
/// quotes there are escapes, and outside of single ones `$` begins a name, unless it is escaped.
pub(super) fn later(text: &str) -> Vec<(String, String)> {
    let (mut rest, mut vars) = (text, Vec::new());
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.rsplit('\n').next().unwrap_or_default();
        let (value, after) = match after.chars().next() {
            Some(quote @ ('\'' | '"')) => {
                let (mut kept, mut is_escaped, mut end) = (String::new(), false, after.len());
                for (at, char) in after.char_indices().skip(1) {
                    if char == quote && !is_escaped {
                        end = at.saturating_add(1);
                        break;
                    }
                    if char != quote && is_escaped {
                        kept.push('\\');
                    }
                    is_escaped = char == '\\' && !is_escaped;
                    if !is_escaped {
                        kept.push(char);
                    }
                }
                (if quote == '"' { escapes(&kept) } else { kept }, &after[end..])
            }
            _ => {
                let end = after.find('\n').unwrap_or(after.len());
                let line = after[..end].split(" #").next().unwrap_or_default();
                assert!(!line.contains('$'), "nothing of ours is looked up: {line}");
                (line.trim_end().to_owned(), &after[end..])
            }
        };
        assert!(after.starts_with('\n') || after.starts_with(" #"), "{after}");
        vars.push((key.to_owned(), value));
        rest = after_line(after);
    }
    vars
}

fn escapes(text: &str) -> String {
    let mut value = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some(sign @ ('\\' | '$')) => value.push(sign),
                other => panic!("nothing of ours has this escape: {other:?}"),
            },
            '$' => panic!("nothing of ours is looked up: {text}"),
            char => value.push(char),
        }
    }
    value
}
