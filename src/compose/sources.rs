//! An early look at a compose file: what would be fetched from elsewhere, or would run a program, is said
//! in plain words before anything starts. What it does not see, the program's settings and bounds refuse.

use super::order::Invalid;
use crate::limits::COMPOSE_LEVELS_MAX;

/// Refuses `include` and `extends` of what is not in the stack's directory, and services with a `provider`.
pub(crate) fn look(text: &str) -> Result<(), Invalid> {
    let mut scan = Scan { rest: text.strip_prefix('\u{feff}').unwrap_or(text), ..Scan::default() };
    scan.whole()
}

/// A reader of YAML that knows keys and values, and where they stand. It is no judge of what is YAML.
#[derive(Default)]
struct Scan<'t> {
    rest: &'t str,
    /// Bytes since the beginning of the line.
    column: usize,
    /// Keys of the blocks around, each with its column.
    blocks: Vec<(usize, String)>,
    /// Keys of the lists and objects in brackets around, where there is one.
    brackets: Vec<Option<String>>,
    /// Where the entry of a list began that stands in this line.
    entry: usize,
    /// Lines deeper than this are text.
    text_below: Option<usize>,
}

impl<'t> Scan<'t> {
    fn whole(&mut self) -> Result<(), Invalid> {
        let mut is_start = true;
        while !self.rest.is_empty() && self.blocks.len().max(self.brackets.len()) <= COMPOSE_LEVELS_MAX {
            if is_start && self.brackets.is_empty() {
                self.line_start();
            }
            is_start = false;
            let Some(char) = self.rest.chars().next() else { break };
            match char {
                '\n' => {
                    self.skip(1);
                    (self.column, self.entry) = (0, 0);
                    is_start = true;
                }
                char if char.is_whitespace() => self.skip(char.len_utf8()),
                '#' => self.skip_line(),
                '{' | '[' => {
                    self.skip(1);
                    self.brackets.push(None);
                }
                '}' | ']' if !self.brackets.is_empty() => {
                    self.skip(1);
                    self.brackets.pop();
                }
                ',' if !self.brackets.is_empty() => {
                    self.skip(1);
                    if let Some(key) = self.brackets.last_mut() {
                        *key = None;
                    }
                }
                // What a value is called, and of which kind it is.
                '&' | '!' => self.skip(self.rest.find(char::is_whitespace).unwrap_or(self.rest.len())),
                '|' | '>' if self.brackets.is_empty() => {
                    self.skip_line();
                    self.text_below = Some(self.blocks.last().map_or(0, |(key, _)| self.entry.max(*key)));
                }
                '-' | '?' | ':' if self.is_sign(1) => {
                    if self.brackets.is_empty() {
                        // An entry of a list may stand right below the key that has it.
                        self.entry = self.column;
                        self.blocks.retain(|(key, _)| *key <= self.entry);
                    }
                    self.skip(1);
                }
                _ => self.scalar(char)?,
            }
        }
        Ok(())
    }

    /// Passes over lines that are text, and over what separates documents.
    fn line_start(&mut self) {
        while let Some(above) = self.text_below {
            let line = self.rest.split_inclusive('\n').next().unwrap_or_default();
            let indent = line.len().saturating_sub(line.trim_start_matches(' ').len());
            if line.is_empty() || !line.trim().is_empty() && indent <= above {
                self.text_below = None;
                break;
            }
            self.skip(line.len());
            self.column = 0;
        }
        if ["---", "..."].iter().any(|mark| self.rest.starts_with(mark)) && self.is_sign(3) {
            self.skip(3);
            self.blocks.clear();
        } else if self.rest.starts_with('%') {
            self.skip_line();
        }
    }

    /// A key or a value.
    fn scalar(&mut self, first: char) -> Result<(), Invalid> {
        let column = self.column;
        let text = if matches!(first, '"' | '\'') { self.quoted(first) } else { self.plain() };
        let after = self.rest.trim_start_matches([' ', '\t']);
        // After a quoted key in brackets, as in JSON, the colon needs no space.
        let is_key = after.strip_prefix(':').is_some_and(|rest| {
            rest.is_empty()
                || rest.starts_with(char::is_whitespace)
                || !self.brackets.is_empty() && matches!(first, '"' | '\'')
        });
        if !is_key {
            return self.value(&text);
        }
        self.skip(self.rest.len().saturating_sub(after.len()).saturating_add(1));
        match self.brackets.last_mut() {
            Some(key) => *key = Some(text),
            None => {
                self.blocks.retain(|(other, _)| *other < column);
                self.blocks.push((column, text));
            }
        }
        let path = self.path();
        match path.as_slice() {
            ["services", service, "provider"] => Err(Invalid::Provider((*service).to_owned())),
            _ => Ok(()),
        }
    }

    fn value(&self, text: &str) -> Result<(), Invalid> {
        let is_a_file = matches!(
            self.path().as_slice(),
            ["include", ..] | ["services", _, "extends"] | ["services", _, "extends", "file"]
        );
        if is_a_file && is_elsewhere(text) { Err(Invalid::Remote(text.to_owned())) } else { Ok(()) }
    }

    /// The keys around what stands here, outermost first.
    fn path(&self) -> Vec<&str> {
        let blocks = self.blocks.iter().map(|(_, key)| key.as_str());
        blocks.chain(self.brackets.iter().flatten().map(String::as_str)).collect()
    }

    /// A text in quotes, which may go over several lines. Other escapes than those of signs are kept as they are written.
    fn quoted(&mut self, quote: char) -> String {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((at, char)) = chars.next() {
            if char == quote {
                let is_doubled = quote == '\'' && chars.next_if(|(_, next)| *next == quote).is_some();
                if !is_doubled {
                    self.skip(at.saturating_add(1));
                    return text;
                }
            }
            match chars.next_if(|_| char == '\\' && quote == '"') {
                Some((_, escaped)) if matches!(escaped, '/' | '"' | '\\') => text.push(escaped),
                Some((_, escaped)) => text.extend([char, escaped]),
                None => text.push(char),
            }
        }
        self.skip(self.rest.len());
        text
    }

    /// A text without quotes: up to the end of the line, a remark, or what is a sign after it.
    fn plain(&mut self) -> String {
        let is_in_brackets = !self.brackets.is_empty();
        let mut before = ' ';
        let end = self.rest.char_indices().find(|(at, char)| {
            let next = self.rest.get(at.saturating_add(1)..).and_then(|rest| rest.chars().next());
            let is_last = next.is_none_or(|next| {
                next.is_whitespace() || is_in_brackets && matches!(next, ',' | '[' | ']' | '{' | '}')
            });
            let ends = match char {
                '\n' => true,
                '#' => before.is_whitespace(),
                ':' => is_last,
                ',' | '[' | ']' | '{' | '}' => is_in_brackets,
                _ => false,
            };
            before = *char;
            ends && *at > 0
        });
        let end = end.map_or(self.rest.len(), |(at, _)| at);
        let text = self.rest.get(..end).unwrap_or_default().trim_end().to_owned();
        self.skip(end);
        text
    }

    /// Whether white space or nothing follows after so many bytes.
    fn is_sign(&self, len: usize) -> bool {
        self.rest.get(len..).is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
    }

    fn skip_line(&mut self) {
        self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
    }

    fn skip(&mut self, bytes: usize) {
        let (_, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        self.column = self.column.saturating_add(bytes);
    }
}

/// An address of something that would be fetched: with a scheme, or as `git` and compose write it for short.
fn is_elsewhere(text: &str) -> bool {
    let has_scheme = text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|char: char| char.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    });
    let starts =
        |prefix: &str| text.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix));
    has_scheme || starts("git@") || starts("github.com/")
}

#[cfg(test)]
mod tests;
