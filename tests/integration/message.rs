//! HTTP messages read strictly: what a careful peer would accept, and where it would say "cut short".
use std::io::{self, BufRead, BufReader, Read};

use crate::patience::Gate;

/// A request or response head, exactly as it came.
#[derive(Clone)]
pub(crate) struct Head {
    pub(crate) raw: Vec<u8>,
    pub(crate) start: String,
    pub(crate) headers: Vec<(String, String)>,
}

/// How the body after a head is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Exactly(u64),
    Chunked,
    UntilClose,
}

/// A message that did not come to its end.
#[derive(Debug)]
pub(crate) struct Cut {
    /// What came of it before.
    pub(crate) got: Vec<u8>,
    /// `None` is an orderly end of the stream at the wrong place.
    pub(crate) error: Option<io::Error>,
}

/// A whole message.
pub(crate) struct Message {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Head {
    fn parse(raw: Vec<u8>) -> Self {
        let text = String::from_utf8(raw.clone()).expect("a head in UTF-8");
        let lines = text.strip_suffix("\r\n\r\n").expect("a head ends with an empty line");
        assert!(
            !lines.replace("\r\n", "").contains(['\r', '\n', '\0']),
            "a stray control character in the head {text:?}"
        );
        let mut lines = lines.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no colon in {line:?}"));
                assert!(!name.contains([' ', '\t']), "a blank in the header name {name:?}");
                (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
            })
            .collect();
        Self { raw, start, headers }
    }

    /// Every value of a header, in order.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    /// The value of a header that stands at most once.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let values = self.values(name);
        assert!(values.len() < 2, "{name} stands {} times in {self:?}", values.len());
        values.first().copied()
    }

    pub(crate) fn status(&self) -> u16 {
        let rest = self.start.strip_prefix("HTTP/1.1 ").or_else(|| self.start.strip_prefix("HTTP/1.0 "));
        let digits =
            rest.and_then(|rest| rest.get(..3)).unwrap_or_else(|| panic!("no status line: {self:?}"));
        digits.parse().unwrap_or_else(|_| panic!("no status in {self:?}"))
    }

    pub(crate) fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_else(|| panic!("no request line: {self:?}"))
    }

    /// The body rule of a request, or of a response to anything but HEAD.
    pub(crate) fn length(&self) -> Length {
        let coding = self.value("transfer-encoding");
        let digits = self.value("content-length");
        assert!(coding.is_none() || digits.is_none(), "two body rules in {self:?}");
        if let Some(coding) = coding {
            assert!(coding.eq_ignore_ascii_case("chunked"), "unknown coding in {self:?}");
            return Length::Chunked;
        }
        if let Some(digits) = digits {
            assert!(digits.bytes().all(|b| b.is_ascii_digit()), "no length in {self:?}");
            return Length::Exactly(digits.parse().unwrap());
        }
        let bodiless = !self.start.starts_with("HTTP/") || matches!(self.status(), 100..=199 | 204 | 304);
        if bodiless { Length::Exactly(0) } else { Length::UntilClose }
    }
}

impl std::fmt::Debug for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.raw))
    }
}

impl Message {
    pub(crate) fn status(&self) -> u16 {
        self.head.status()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The sentence of `{"message":"…"}`, which is how the agent says no.
    pub(crate) fn sentence(&self) -> String {
        let text = self.text();
        let kind = self.head.value("content-type").unwrap_or_default();
        assert!(kind.starts_with("application/json"), "a refusal of type {kind:?}: {:?} {text:?}", self.head);
        let inner = text.trim_end().strip_prefix("{\"message\":\"").and_then(|rest| rest.strip_suffix("\"}"));
        let sentence = inner.unwrap_or_else(|| panic!("not a message object: {:?} {text:?}", self.head));
        assert!(!sentence.is_empty(), "an empty sentence: {:?}", self.head);
        sentence.to_owned()
    }
}

/// The reading end of a connection. The stream has a read timeout, so no read waits for ever.
pub(crate) struct Wire<S>(BufReader<S>);

impl<S: Read> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self(BufReader::with_capacity(64 * 1024, stream))
    }

    pub(crate) fn stream(&self) -> &S {
        self.0.get_ref()
    }

    pub(crate) fn stream_mut(&mut self) -> &mut S {
        self.0.get_mut()
    }

    /// What has come and was not read yet, waiting for at least one byte; empty at the end.
    pub(crate) fn some(&mut self) -> io::Result<&[u8]> {
        loop {
            match self.0.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
        Ok(self.0.buffer())
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.0.consume(count);
    }

    fn byte(&mut self, got: &mut Vec<u8>) -> Result<(), Cut> {
        match self.some().map(|bytes| bytes.first().copied()) {
            Ok(Some(byte)) => {
                got.push(byte);
                self.consume(1);
                Ok(())
            }
            Ok(None) => Err(Cut { got: std::mem::take(got), error: None }),
            Err(error) => Err(Cut { got: std::mem::take(got), error: Some(error) }),
        }
    }

    pub(crate) fn head(&mut self) -> Result<Head, Cut> {
        let mut raw = Vec::new();
        while !raw.ends_with(b"\r\n\r\n") {
            self.byte(&mut raw)?;
        }
        Ok(Head::parse(raw))
    }

    /// Exactly so many bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<Vec<u8>, Cut> {
        let mut got = Vec::new();
        self.pour(Length::Exactly(u64::try_from(count).unwrap()), &mut |piece| got.extend_from_slice(piece))
            .map_err(|cut| Cut { got: got.clone(), ..cut })?;
        Ok(got)
    }

    /// One chunk; the last one is empty.
    pub(crate) fn chunk(&mut self) -> Result<Vec<u8>, Cut> {
        let mut data = Vec::new();
        self.pour_chunk(&mut |piece| data.extend_from_slice(piece))
            .map_err(|cut| Cut { got: data.clone(), ..cut })?;
        Ok(data)
    }

    /// The data of one chunk as it comes, and its size. Neither extensions nor trailers are accepted.
    fn pour_chunk(&mut self, into: &mut dyn FnMut(&[u8])) -> Result<u64, Cut> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            self.byte(&mut line)?;
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        let digits = text.trim_end_matches("\r\n");
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(plain, "not a plain chunk size: {text:?}");
        let size = u64::from_str_radix(digits, 16).unwrap();
        self.pour(Length::Exactly(size), into)?;
        assert_eq!(self.take(2)?, b"\r\n", "after a chunk of {size} bytes");
        Ok(size)
    }

    /// The whole body, piece by piece as it comes.
    pub(crate) fn pour(&mut self, length: Length, into: &mut dyn FnMut(&[u8])) -> Result<(), Cut> {
        let mut left = match length {
            Length::Exactly(count) => count,
            Length::UntilClose => u64::MAX,
            Length::Chunked => {
                while self.pour_chunk(into)? > 0 {}
                return Ok(());
            }
        };
        while left > 0 {
            let piece = self.some().map_err(|error| Cut { got: Vec::new(), error: Some(error) })?;
            let count = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            into(&piece[..count]);
            self.consume(count);
            if count == 0 {
                let whole = length == Length::UntilClose;
                return if whole { Ok(()) } else { Err(Cut { got: Vec::new(), error: None }) };
            }
            left -= u64::try_from(count).unwrap();
        }
        Ok(())
    }

    /// A body of two halves, the second of which is held back until the first has arrived.
    pub(crate) fn halves(&mut self, length: Length, first: &[u8], second: &Gate) -> Result<Vec<u8>, Cut> {
        let mut body = Vec::new();
        self.pour(length, &mut |piece| {
            body.extend_from_slice(piece);
            if body == first {
                second.open();
            }
        })?;
        Ok(body)
    }

    pub(crate) fn body(&mut self, length: Length) -> Result<Vec<u8>, Cut> {
        let mut body = Vec::new();
        self.pour(length, &mut |piece| body.extend_from_slice(piece))
            .map_err(|cut| Cut { got: body.clone(), ..cut })?;
        Ok(body)
    }
}
