//! Which body follows a head, and where its content lies in received bytes.

use super::chunked::Decoder;
use super::{Headers, Malformed, Method, Status};
use crate::limits::LENGTH_DIGITS_MAX;

/// The one rule that tells where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(u64),
    Chunked,
    /// Answers only: until the connection closes.
    UntilClose,
}

impl Framing {
    /// RFC 9112 §6.3 with every choice it leaves decided for refusal.
    pub(super) fn of_request(headers: Headers<'_>, is_http_10: bool) -> Result<Self, Malformed> {
        match lengths(headers)? {
            (None, false) => Ok(Self::None),
            (Some(length), false) => Ok(Self::Length(length)),
            (None, true) if is_http_10 => Err(Malformed::ChunkedInHttp10),
            (None, true) => Ok(Self::Chunked),
            (Some(_), true) => Err(Malformed::LengthAndChunked),
        }
    }

    /// The framing of the answer to a `method` request.
    pub(super) fn of_answer(method: Method, status: Status, headers: Headers<'_>) -> Result<Self, Malformed> {
        let lengths = lengths(headers)?;
        if method == Method::Head || status.is_bodiless() {
            return Ok(Self::None);
        }
        match lengths {
            (None, false) => Ok(Self::UntilClose),
            (Some(length), false) => Ok(Self::Length(length)),
            (None, true) => Ok(Self::Chunked),
            (Some(_), true) => Err(Malformed::LengthAndChunked),
        }
    }
}

fn lengths(headers: Headers<'_>) -> Result<(Option<u64>, bool), Malformed> {
    let mut length = None;
    let mut chunked = false;
    for header in headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            // A second one is refused even when equal: a reader behind us may choose the other.
            if length.is_some() {
                return Err(Malformed::TwoContentLengths);
            }
            length = Some(decimal(header.value)?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if chunked || !header.value.eq_ignore_ascii_case(b"chunked") {
                return Err(Malformed::TransferCoding);
            }
            chunked = true;
        }
    }
    Ok((length, chunked))
}

/// Digits only: the standard parser also takes a leading plus sign.
fn decimal(value: &[u8]) -> Result<u64, Malformed> {
    if value.is_empty() || value.len() > LENGTH_DIGITS_MAX || !value.iter().all(u8::is_ascii_digit) {
        return Err(Malformed::LengthDigits);
    }
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(Malformed::LengthDigits)
}

/// Where content lies at the front of received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// This many bytes are framing, to be dropped.
    pub(crate) framing: usize,
    /// This many bytes after them are content.
    pub(crate) content: usize,
    /// And after those the body has ended.
    pub(crate) ended: bool,
}

/// Follows a body through the bytes of its connection, holding none of them.
#[derive(Clone, Debug)]
pub(crate) enum Unframer {
    Length(u64),
    Chunked(Decoder),
    UntilClose,
}

impl Unframer {
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::None => Self::Length(0),
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Decoder::new()),
            Framing::UntilClose => Self::UntilClose,
        }
    }

    /// Looks at `received`; the caller drops and takes what [`Cut`] says before the next look.
    pub(crate) fn cut(&mut self, received: &[u8]) -> Result<Cut, Malformed> {
        match self {
            Self::Length(left) => {
                let content = usize::try_from(*left).unwrap_or(usize::MAX).min(received.len());
                *left = left.saturating_sub(u64::try_from(content).unwrap_or(u64::MAX));
                Ok(Cut { framing: 0, content, ended: *left == 0 })
            }
            Self::Chunked(decoder) => decoder.cut(received),
            Self::UntilClose => Ok(Cut { framing: 0, content: received.len(), ended: false }),
        }
    }

    /// Content that is known to follow directly, without framing in between.
    pub(crate) fn direct(&self) -> u64 {
        match self {
            Self::Length(left) => *left,
            Self::Chunked(decoder) => decoder.direct(),
            Self::UntilClose => 0,
        }
    }

    /// That much of [`Self::direct`] went by without being looked at.
    pub(crate) fn skip(&mut self, moved: u64) {
        match self {
            Self::Length(left) => *left = left.saturating_sub(moved),
            Self::Chunked(decoder) => decoder.skip(moved),
            Self::UntilClose => {}
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(decoder) => decoder.has_ended(),
            Self::UntilClose => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_request(headers: &[(&'static str, &'static str)], is_http_10: bool) -> Result<Framing, Malformed> {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| httparse::Header { name, value: value.as_bytes() }).collect();
        Framing::of_request(&headers, is_http_10)
    }

    #[test]
    fn exactly_one_length_rule_applies() {
        let (length, coding) = ("Content-Length", "transfer-encoding");
        for (headers, framing) in [
            (&[][..], Ok(Framing::None)),
            (&[(length, "0")], Ok(Framing::Length(0))),
            (&[(length, "9999999999999999999")], Ok(Framing::Length(9_999_999_999_999_999_999))),
            (&[(coding, "Chunked")], Ok(Framing::Chunked)),
            (&[(length, "1"), (length, "1")], Err(Malformed::TwoContentLengths)),
            (&[(length, "1"), (coding, "chunked")], Err(Malformed::LengthAndChunked)),
            (&[(coding, "chunked"), (coding, "chunked")], Err(Malformed::TransferCoding)),
            (&[(coding, "gzip, chunked")], Err(Malformed::TransferCoding)),
            (&[(coding, "identity")], Err(Malformed::TransferCoding)),
            (&[(coding, "")], Err(Malformed::TransferCoding)),
        ] {
            assert_eq!(of_request(headers, false), framing, "{headers:?}");
        }
        assert_eq!(of_request(&[(coding, "chunked")], true), Err(Malformed::ChunkedInHttp10));
    }

    #[test]
    fn a_length_is_digits_and_nothing_else() {
        for length in ["", "+5", "-5", " 5", "5 ", "5,5", "0x5", "5a", "1_0", "10000000000000000000"] {
            assert_eq!(
                of_request(&[("content-length", length)], false),
                Err(Malformed::LengthDigits),
                "{length}"
            );
        }
    }

    #[test]
    fn some_answers_have_no_body_whatever_they_say() {
        let headers = [httparse::Header { name: "content-length", value: b"5" }];
        for (method, status, framing) in [
            (Method::Head, 200, Framing::None),
            (Method::Get, 204, Framing::None),
            (Method::Get, 304, Framing::None),
            (Method::Get, 101, Framing::None),
            (Method::Get, 200, Framing::Length(5)),
        ] {
            assert_eq!(Framing::of_answer(method, Status(status), &headers), Ok(framing));
        }
        assert_eq!(Framing::of_answer(Method::Get, Status::OK, &[]), Ok(Framing::UntilClose));
    }

    #[test]
    fn an_answer_is_framed_in_one_way_or_refused() {
        let length = httparse::Header { name: "content-length", value: b"5" };
        let coding = httparse::Header { name: "transfer-encoding", value: b"chunked" };
        let of_answer = |headers: &[_]| Framing::of_answer(Method::Get, Status::OK, headers);
        assert_eq!(of_answer(&[coding]), Ok(Framing::Chunked));
        assert_eq!(of_answer(&[length, coding]), Err(Malformed::LengthAndChunked));
        assert_eq!(of_answer(&[length, length]), Err(Malformed::TwoContentLengths));
        // What is wrong is wrong, body or none.
        let of_none = Framing::of_answer(Method::Head, Status::OK, &[length, length]);
        assert_eq!(of_none, Err(Malformed::TwoContentLengths));
    }

    #[test]
    fn content_that_nobody_looks_at_goes_by_in_every_framing() {
        let mut length = Unframer::new(Framing::Length(5));
        assert_eq!(length.direct(), 5);
        length.skip(3);
        assert_eq!((length.direct(), length.has_ended()), (2, false));
        length.skip(9);
        assert_eq!((length.direct(), length.has_ended()), (0, true));
        let mut chunked = Unframer::new(Framing::Chunked);
        assert_eq!(chunked.cut(b"5\r\n").unwrap(), Cut { framing: 3, content: 0, ended: false });
        assert_eq!(chunked.direct(), 5);
        chunked.skip(5);
        assert_eq!((chunked.direct(), chunked.has_ended()), (0, false));
        let mut open = Unframer::new(Framing::UntilClose);
        open.skip(5);
        assert_eq!(open.cut(b"abc").unwrap(), Cut { framing: 0, content: 3, ended: false });
        assert_eq!((open.direct(), open.has_ended()), (0, false), "only its connection ends it");
        assert!(Unframer::new(Framing::None).has_ended());
    }

    #[test]
    fn a_body_of_a_length_ends_where_it_says() {
        let mut unframer = Unframer::new(Framing::Length(7));
        assert_eq!(unframer.cut(b"abcd").unwrap(), Cut { framing: 0, content: 4, ended: false });
        unframer.skip(1);
        assert_eq!(unframer.direct(), 2);
        assert_eq!(unframer.cut(b"efGET /").unwrap(), Cut { framing: 0, content: 2, ended: true });
        assert!(unframer.has_ended() && Unframer::new(Framing::None).has_ended());
    }
}
