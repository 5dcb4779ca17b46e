//! A second reader of JSON, which shares nothing with ours and reads as the Engine does: names without
//! case, of two the last counts, and objects are merged.

/// A JSON value with every member that stands there.
#[derive(Clone, Debug)]
pub(super) enum Loose {
    Null,
    Truth(bool),
    /// As it is written.
    Number(String),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// Deeper than anything that ours reads.
const DEPTH_MAX: usize = 64;

impl Loose {
    /// One value and nothing behind it; `None` of what is no JSON.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader { rest: std::str::from_utf8(bytes).ok()? };
        let value = reader.value(DEPTH_MAX)?;
        reader.skip_space();
        reader.rest.is_empty().then_some(value)
    }

    /// What the Engine takes a member to be. Null leaves what there was.
    pub(super) fn get(&self, name: &str) -> Self {
        let mut value = Self::Null;
        for (_, new) in self.members().iter().filter(|(known, _)| fold(known).eq(fold(name))) {
            value = match (value, new) {
                (Self::Object(old), Self::Object(new)) => Self::Object([old, new.clone()].concat()),
                (old, Self::Null) => old,
                (_, new) => new.clone(),
            };
        }
        value
    }

    /// The last member of exactly this name, where names are the caller's own: labels, attributes.
    pub(super) fn entry(&self, name: &str) -> Option<&Self> {
        self.members().iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(super) fn members(&self) -> &[(String, Self)] {
        if let Self::Object(members) = self { members } else { &[] }
    }

    pub(super) fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    pub(super) fn text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }

    pub(super) fn number(&self) -> f64 {
        if let Self::Number(number) = self { number.parse().unwrap_or(f64::NAN) } else { 0.0 }
    }

    pub(super) fn is_nothing(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Truth(truth) => !truth,
            Self::Number(_) => self.number() == 0.0,
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Object(members) => members.is_empty(),
        }
    }

    /// Two members that the Engine takes for one.
    pub(super) fn twin(&self) -> Option<&str> {
        let members = self.members();
        let stands_before =
            |at: usize, name: &str| members.iter().take(at).any(|(before, _)| fold(before).eq(fold(name)));
        let mut names = members.iter().map(|(name, _)| name.as_str()).enumerate();
        names.find(|(at, name)| stands_before(*at, name)).map(|(_, name)| name)
    }

    /// The same values, numbers by their worth and not by their spelling.
    pub(super) fn means(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Truth(one), Self::Truth(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Number(whole), Self::Number(same)) => {
                match (whole.parse::<i128>(), same.parse::<i128>()) {
                    (Ok(whole), Ok(same)) => whole == same,
                    _ => self.number().to_bits() == other.number().to_bits(),
                }
            }
            (Self::List(one), Self::List(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.means(other))
            }
            (Self::Object(one), Self::Object(other)) => {
                let same = |(one, other): (&(String, Self), &(String, Self))| {
                    one.0 == other.0 && one.1.means(&other.1)
                };
                one.len() == other.len() && one.iter().zip(other).all(same)
            }
            _ => false,
        }
    }
}

/// Without case, and with the two letters beyond ASCII that fold into it.
fn fold(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|letter| match letter {
        'ſ' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    })
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    /// Takes a sign, behind space.
    fn takes(&mut self, sign: &str) -> bool {
        self.skip_space();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Loose> {
        let depth = depth.checked_sub(1)?;
        if self.takes("{") {
            let mut members = Vec::new();
            if self.takes("}") {
                return Some(Loose::Object(members));
            }
            loop {
                let name = if self.takes("\"") { self.text()? } else { return None };
                if !self.takes(":") {
                    return None;
                }
                members.push((name, self.value(depth)?));
                if self.takes("}") {
                    return Some(Loose::Object(members));
                }
                if !self.takes(",") {
                    return None;
                }
            }
        }
        if self.takes("[") {
            let mut items = Vec::new();
            if self.takes("]") {
                return Some(Loose::List(items));
            }
            loop {
                items.push(self.value(depth)?);
                if self.takes("]") {
                    return Some(Loose::List(items));
                }
                if !self.takes(",") {
                    return None;
                }
            }
        }
        if self.takes("\"") {
            return self.text().map(Loose::Text);
        }
        for (word, value) in
            [("null", Loose::Null), ("true", Loose::Truth(true)), ("false", Loose::Truth(false))]
        {
            if self.takes(word) {
                return Some(value);
            }
        }
        self.number()
    }

    /// What stands before the closing quote.
    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut letters = self.rest.chars();
        loop {
            match letters.next()? {
                '"' => break,
                '\\' => text.push(match letters.next()? {
                    letter @ ('"' | '\\' | '/') => letter,
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'u' => match code(&mut letters)? {
                        high @ 0xd800..0xdc00 => {
                            let low = (letters.next()? == '\\' && letters.next()? == 'u')
                                .then(|| code(&mut letters))??;
                            char::decode_utf16([high, low]).next()?.ok()?
                        }
                        plain => char::from_u32(plain.into())?,
                    },
                    _ => return None,
                }),
                '\0'..' ' => return None,
                letter => text.push(letter),
            }
        }
        self.rest = letters.as_str();
        Some(text)
    }

    /// Digits with what may stand around them; that they stand as JSON has it, our own reader says.
    fn number(&mut self) -> Option<Loose> {
        let is_part = |letter: char| letter.is_ascii_digit() || "-+.eE".contains(letter);
        let end = self.rest.find(|letter| !is_part(letter)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        number.parse::<f64>().is_ok().then(|| Loose::Number(number.to_owned()))
    }
}

fn code(letters: &mut std::str::Chars<'_>) -> Option<u16> {
    let mut code = 0;
    for _ in 0..4 {
        code = code << 4 | u16::try_from(letters.next()?.to_digit(16)?).ok()?;
    }
    Some(code)
}
