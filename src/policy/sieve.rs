//! An answer of many JSON values: each is found while the answer streams by, judged, and written anew.

use std::fmt;

use super::json::{BadJson, Json};
use crate::docker::logs::BadFrame;
use crate::limits::JSON_ANSWER_BYTES_MAX;

/// How the values of an answer follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One list, whose elements are judged; or `null`, as the Engine writes some lists that are empty.
    List,
    /// One value after the other, as events and statistics come; each is written with a line feed.
    Sequence,
}

/// Blanks what it is given, and says whether it is given on.
pub(crate) type Judge = Box<dyn FnMut(&mut Json) -> bool + Send>;

/// An answer that is one value, judged.
pub(crate) fn document(bytes: &[u8], mut judge: impl FnMut(&mut Json)) -> Result<Vec<u8>, BadAnswer> {
    if bytes.len() > JSON_ANSWER_BYTES_MAX {
        return Err(BadAnswer::TooLarge);
    }
    let mut value = Json::read(bytes)?;
    judge(&mut value);
    Ok(value.write())
}

/// Where an answer stands. It holds the bytes of one value at most, and gives out only what was judged.
pub(crate) struct Sieve {
    shape: Shape,
    judge: Judge,
    place: Place,
    /// What came of the value that has begun.
    value: Vec<u8>,
    /// An element was given out, so that the next needs a comma.
    is_begun: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the list.
    Start,
    /// Within `null`, which stands for a list.
    Null,
    /// Before a list's first element, or its end.
    First,
    /// Behind a comma.
    Next,
    /// Behind an element.
    Behind,
    /// Between the values of a sequence.
    Between,
    Value(Scan),
    End,
    /// Something was wrong: nothing more is given out.
    Failed,
}

/// How the end of a value is found. What the value is worth, its reader says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scan {
    /// A list, an object or a text: they say where they end.
    Closed { depth: usize, quote: Quote },
    /// A number or a word: they end where something else begins.
    Bare,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    Outside,
    Inside,
    /// Inside, behind a backslash.
    Escape,
}

impl Sieve {
    pub(crate) fn new(shape: Shape, judge: Judge) -> Self {
        let place = match shape {
            Shape::List => Place::Start,
            Shape::Sequence => Place::Between,
        };
        Self { shape, judge, place, value: Vec::new(), is_begun: false }
    }

    /// Takes a piece of the answer, and appends what may go on. After an error nothing may.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), BadAnswer> {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            let taken = if matches!(self.place, Place::Null | Place::Value(_)) {
                self.value(rest, out)
            } else {
                self.between(byte, out)
            };
            let taken = taken.inspect_err(|_| self.place = Place::Failed)?;
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// The answer has ended, and what it began must have.
    pub(crate) fn end(&mut self, out: &mut Vec<u8>) -> Result<(), BadAnswer> {
        let is_bare = self.place == Place::Value(Scan::Bare) && self.shape == Shape::Sequence;
        if is_bare || self.place == Place::Null {
            self.judge(out).inspect_err(|_| self.place = Place::Failed)?;
        }
        if matches!(self.place, Place::End | Place::Between) {
            return Ok(());
        }
        self.place = Place::Failed;
        Err(BadAnswer::Cut)
    }

    /// A byte outside of values; how many bytes are done with. The first of a value is not.
    fn between(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<usize, BadAnswer> {
        let (place, taken) = match (self.place, byte) {
            (Place::Failed, _) => return Err(BadAnswer::Stray),
            (place, byte) if is_space(byte) => (place, 1),
            (Place::Start, b'[') => {
                out.push(b'[');
                (Place::First, 1)
            }
            (Place::Start, b'n') => (Place::Null, 0),
            (Place::Start, _) => return Err(BadAnswer::NoList),
            (Place::First | Place::Behind, b']') => {
                out.push(b']');
                (Place::End, 1)
            }
            (Place::Behind, b',') => (Place::Next, 1),
            (Place::First | Place::Next, b',' | b']') => return Err(BadAnswer::Stray),
            (Place::First | Place::Next | Place::Between, _) => (Place::Value(Scan::of(byte)), 0),
            (Place::Behind | Place::End | Place::Null | Place::Value(_), _) => return Err(BadAnswer::Stray),
        };
        self.place = place;
        Ok(taken)
    }

    /// Bytes of the value that has begun, and whatever follows it; how many are its own.
    fn value(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, BadAnswer> {
        let end = if let Place::Value(Scan::Closed { depth, quote }) = &mut self.place {
            bytes.iter().position(|&byte| closes(byte, depth, quote)).map(|last| last.saturating_add(1))
        } else {
            let is_list = self.place != Place::Null && self.shape == Shape::List;
            bytes.iter().position(|&byte| is_space(byte) || is_list && matches!(byte, b',' | b']'))
        };
        let own = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        if self.value.len().saturating_add(own.len()) > JSON_ANSWER_BYTES_MAX {
            return Err(BadAnswer::TooLarge);
        }
        self.value.extend_from_slice(own);
        if end.is_some() {
            self.judge(out)?;
        }
        Ok(own.len())
    }

    /// The value is whole.
    fn judge(&mut self, out: &mut Vec<u8>) -> Result<(), BadAnswer> {
        let mut value = Json::read(&self.value)?;
        self.value.clear();
        if self.place == Place::Null {
            // Of what begins with an n, nothing else is JSON.
            self.place = Place::End;
            out.extend(value.write());
            return Ok(());
        }
        let is_kept = (self.judge)(&mut value);
        match self.shape {
            Shape::List => {
                self.place = Place::Behind;
                if is_kept {
                    out.extend(self.is_begun.then_some(b','));
                    out.extend(value.write());
                    self.is_begun = true;
                }
            }
            Shape::Sequence => {
                self.place = Place::Between;
                if is_kept {
                    out.extend(value.write());
                    out.push(b'\n');
                }
            }
        }
        Ok(())
    }
}

impl Scan {
    /// By a value's first byte.
    fn of(byte: u8) -> Self {
        match byte {
            b'[' | b'{' | b'"' => Self::Closed { depth: 0, quote: Quote::Outside },
            _ => Self::Bare,
        }
    }
}

/// Whether a byte is the last of a value that says where it ends. Brackets count whatever their kind:
/// those that do not belong together are no JSON, which the reader finds.
fn closes(byte: u8, depth: &mut usize, quote: &mut Quote) -> bool {
    match (*quote, byte) {
        (Quote::Outside, b'"') => *quote = Quote::Inside,
        (Quote::Outside, b'[' | b'{') => *depth = depth.saturating_add(1),
        (Quote::Outside, b']' | b'}') => *depth = depth.saturating_sub(1),
        (Quote::Inside, b'"') => *quote = Quote::Outside,
        (Quote::Inside, b'\\') => *quote = Quote::Escape,
        (Quote::Escape, _) => *quote = Quote::Inside,
        // A byte of no meaning ends nothing.
        _ => return false,
    }
    *depth == 0 && *quote == Quote::Outside
}

/// White space, as JSON has it.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Why an answer does not go on.
#[derive(Debug)]
pub(crate) enum BadAnswer {
    /// One of its values is larger than what is judged.
    TooLarge,
    Json(BadJson),
    /// It should be a list, and begins as something else.
    NoList,
    /// Something stands where only a comma may, or the end.
    Stray,
    /// It breaks off within a value, a list or a frame.
    Cut,
    /// It should be frames of logs.
    Frame(BadFrame),
    /// It is to be recorded, and cannot be.
    NotRecorded(std::io::ErrorKind),
}

impl fmt::Display for BadAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "a value of more than {JSON_ANSWER_BYTES_MAX} bytes"),
            Self::Json(why) => write!(f, "no JSON that is read: {why}"),
            Self::NoList => f.write_str("no list"),
            Self::Stray => f.write_str("something between two values"),
            Self::Cut => f.write_str("an end before the end"),
            Self::Frame(why) => why.fmt(f),
            Self::NotRecorded(why) => write!(f, "a recording that cannot be written: {why}"),
        }
    }
}

impl From<BadJson> for BadAnswer {
    fn from(bad: BadJson) -> Self {
        Self::Json(bad)
    }
}

#[cfg(test)]
mod tests;
