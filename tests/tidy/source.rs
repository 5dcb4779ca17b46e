//! Rust text cut into words, signs, literals and comments, each with its line: what the rules look at.

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name, a keyword, a number or a lifetime.
    Word,
    /// One sign, or `::`.
    Sign,
    /// The inside of a string or character literal, escapes as written.
    Literal,
    /// A comment, its marks included.
    Comment,
}

/// One piece and the line it begins on, counted from one.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Piece {
    pub(crate) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Sign) && self.text == text
    }
}

/// All pieces of a file, in order. Text that is no Rust gives pieces too; it never panics.
pub(crate) fn pieces(text: &str) -> Vec<Piece> {
    let mut reader = Reader { rest: text, line: 1, out: Vec::new() };
    while reader.step() {}
    reader.out
}

/// The pieces that are code: no comments, no literals.
pub(crate) fn code(text: &str) -> Vec<Piece> {
    pieces(text).into_iter().filter(|piece| matches!(piece.kind, Kind::Word | Kind::Sign)).collect()
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    out: Vec<Piece>,
}

impl Reader<'_> {
    /// Takes one piece; false at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        if first.is_whitespace() {
            self.skip(first.len_utf8());
        } else if self.rest.starts_with("//") {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.take(Kind::Comment, 0, end, end);
        } else if self.rest.starts_with("/*") {
            let end = block_comment(self.rest);
            self.take(Kind::Comment, 0, end, end);
        } else if let Some((from, to, end)) = string(self.rest).or_else(|| character(self.rest)) {
            self.take(Kind::Literal, from, to, end);
        } else if first.is_alphanumeric() || first == '_' || first == '\'' {
            let raw = if self.rest.starts_with("r#") { 2 } else { 0 };
            let from = if first == '\'' { 1 } else { raw };
            let length = self.rest[from..].find(|c: char| !c.is_alphanumeric() && c != '_');
            let end = length.map_or(self.rest.len(), |length| from + length);
            self.take(Kind::Word, raw, end, end);
        } else {
            let end = if self.rest.starts_with("::") { 2 } else { first.len_utf8() };
            self.take(Kind::Sign, 0, end, end);
        }
        true
    }

    fn take(&mut self, kind: Kind, from: usize, to: usize, end: usize) {
        self.out.push(Piece { kind, text: self.rest[from..to].to_owned(), line: self.line });
        self.skip(end);
    }

    fn skip(&mut self, bytes: usize) {
        let (gone, rest) = self.rest.split_at(bytes);
        self.line += gone.matches('\n').count();
        self.rest = rest;
    }
}

/// Where a block comment ends; such comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The inside and the end of a string literal of any sort standing at the front.
fn string(text: &str) -> Option<(usize, usize, usize)> {
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|prefix| {
        text.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('"') || rest.starts_with('#'))
    })?;
    if !prefix.ends_with('r') {
        let from = prefix.len() + 1;
        return text[prefix.len()..].starts_with('"').then(|| quoted(text, from, '"'));
    }
    let hashes = text[prefix.len()..].chars().take_while(|c| *c == '#').count();
    let from = prefix.len() + hashes + 1;
    if !text[prefix.len() + hashes..].starts_with('"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let to = text[from..].find(&close).map_or(text.len(), |length| from + length);
    Some((from, to, (to + close.len()).min(text.len())))
}

/// The inside and the end of a character literal at the front; a lifetime is none.
fn character(text: &str) -> Option<(usize, usize, usize)> {
    let from = if text.starts_with('\'') {
        1
    } else if text.starts_with("b'") {
        2
    } else {
        return None;
    };
    let mut inside = text[from..].chars();
    let first = inside.next()?;
    (first == '\\' || inside.next() == Some('\'')).then(|| quoted(text, from, '\''))
}

/// The end of a literal whose inside begins at `from` and may hold escapes.
fn quoted(text: &str, from: usize, close: char) -> (usize, usize, usize) {
    let mut escaped = false;
    for (at, sign) in text[from..].char_indices() {
        if escaped {
            escaped = false;
        } else if sign == '\\' {
            escaped = true;
        } else if sign == close {
            return (from, from + at, from + at + 1);
        }
    }
    (from, text.len(), text.len())
}

#[test]
fn rust_text_is_cut_into_its_pieces() {
    let of = |text: &str| pieces(text).into_iter().map(|p| (p.kind, p.text)).collect::<Vec<_>>();
    let word = |text: &str| (Kind::Word, text.to_owned());
    let sign = |text: &str| (Kind::Sign, text.to_owned());
    let literal = |text: &str| (Kind::Literal, text.to_owned());
    assert_eq!(of("use a::b;"), [word("use"), word("a"), sign("::"), word("b"), sign(";")]);
    assert_eq!(of(r#"f("a \" // b")"#), [word("f"), sign("("), literal(r#"a \" // b"#), sign(")")]);
    assert_eq!(of("r##\"x\"# y\"## b\"z\" c\"w\""), [literal("x\"# y"), literal("z"), literal("w")]);
    assert_eq!(of("r\"a\\\" br#\"b\"#"), [literal("a\\"), literal("b")]);
    assert_eq!(of(r"'a' '\'' b'\n' &'a x"), {
        [literal("a"), literal(r"\'"), literal(r"\n"), sign("&"), word("'a"), word("x")]
    });
    assert_eq!(of("r#type bright"), [word("type"), word("bright")]);
    assert_eq!(of("a /* b /* c */ d */ e"), {
        [word("a"), (Kind::Comment, "/* b /* c */ d */".to_owned()), word("e")]
    });
    assert_eq!(of("a // \"b\nc"), [word("a"), (Kind::Comment, "// \"b".to_owned()), word("c")]);
}

#[test]
fn a_piece_knows_its_line() {
    let lines = pieces("a\n/* b\n\n*/ c\n\"d\n\" e").into_iter().map(|p| p.line).collect::<Vec<_>>();
    assert_eq!(lines, [1, 2, 4, 5, 6]);
}

#[test]
fn text_that_never_ends_is_read_to_its_end() {
    for text in ["\"", "'\\", "/* /*", "r#\"", "b'", "'", "r#", "é\"é", "#"] {
        let read = pieces(text);
        assert!(!read.is_empty(), "{text:?}");
    }
}
