//! What is wrong with a peer's bytes: one variant per reason, each with its status and sentence.

use std::fmt;

use super::Status;
use crate::limits::{HEAD_BYTES_MAX, HEADER_COUNT_MAX, TARGET_BYTES_MAX};

/// Why a message is refused. The connection always closes afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    HeadTooLarge,
    TooManyHeaders,
    TargetTooLong,
    LineEnd,
    StartLine,
    HeaderLine,
    TlsOnPlainPort,
    Version,
    UnknownMethod,
    NotOriginForm,
    TargetByte,
    PercentCode,
    PathSegment,
    NoHost,
    TwoHosts,
    TwoContentLengths,
    LengthDigits,
    LengthAndChunked,
    TransferCoding,
    ChunkedInHttp10,
    Expectation,
    ChunkSize,
    ChunkEnd,
    ChunkHeadTooLong,
    TrailerTooLarge,
}

impl Malformed {
    pub(crate) fn status(self) -> Status {
        match self {
            Self::HeadTooLarge | Self::TooManyHeaders => Status::HEAD_TOO_LARGE,
            Self::TargetTooLong => Status::TARGET_TOO_LONG,
            Self::Version => Status::VERSION_NOT_SUPPORTED,
            Self::UnknownMethod | Self::TransferCoding => Status::NOT_IMPLEMENTED,
            Self::Expectation => Status::EXPECTATION_FAILED,
            Self::LineEnd
            | Self::StartLine
            | Self::HeaderLine
            | Self::TlsOnPlainPort
            | Self::NotOriginForm
            | Self::TargetByte
            | Self::PercentCode
            | Self::PathSegment
            | Self::NoHost
            | Self::TwoHosts
            | Self::TwoContentLengths
            | Self::LengthDigits
            | Self::LengthAndChunked
            | Self::ChunkedInHttp10
            | Self::ChunkSize
            | Self::ChunkEnd
            | Self::ChunkHeadTooLong
            | Self::TrailerTooLarge => Status::BAD_REQUEST,
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeadTooLarge => return write!(f, "a head of more than {HEAD_BYTES_MAX} bytes"),
            Self::TooManyHeaders => return write!(f, "more than {HEADER_COUNT_MAX} headers"),
            Self::TargetTooLong => return write!(f, "a target of more than {TARGET_BYTES_MAX} bytes"),
            Self::LineEnd => "a line that does not end in CR LF",
            Self::StartLine => "a first line that is not HTTP",
            Self::HeaderLine => "a header line that is not `name: value`",
            Self::TlsOnPlainPort => {
                "TLS on a port that speaks plain HTTP: use http:// or set TLS_CERT and TLS_KEY"
            }
            Self::Version => "only HTTP/1.0 and HTTP/1.1 are spoken here",
            Self::UnknownMethod => "an unknown method",
            Self::NotOriginForm => "a target that does not begin with a slash",
            Self::TargetByte => "a byte in the target that must be percent-encoded",
            Self::PercentCode => {
                "a percent sign in the path without two hexadecimal digits of a printable character"
            }
            Self::PathSegment => "an empty, `.` or `..` segment in the path",
            Self::NoHost => "no host header",
            Self::TwoHosts => "two host headers",
            Self::TwoContentLengths => "two content-length headers",
            Self::LengthDigits => "a content-length that is not a plain decimal number",
            Self::LengthAndChunked => "both content-length and transfer-encoding",
            Self::TransferCoding => "a transfer-encoding other than chunked",
            Self::ChunkedInHttp10 => "transfer-encoding in HTTP/1.0",
            Self::Expectation => "an expectation other than 100-continue",
            Self::ChunkSize => "a chunk size that is not a plain hexadecimal number",
            Self::ChunkEnd => "a chunk that does not end where its size says",
            Self::ChunkHeadTooLong => "a chunk extension that is too long",
            Self::TrailerTooLarge => "a trailer section that is too large",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_status_of_its_kind_and_a_sentence_of_its_own() {
        let mut sentences = Vec::new();
        for (status, reasons) in [
            (431, &[Malformed::HeadTooLarge, Malformed::TooManyHeaders][..]),
            (414, &[Malformed::TargetTooLong]),
            (505, &[Malformed::Version]),
            (501, &[Malformed::UnknownMethod, Malformed::TransferCoding]),
            (417, &[Malformed::Expectation]),
            (
                400,
                &[
                    Malformed::LineEnd,
                    Malformed::StartLine,
                    Malformed::HeaderLine,
                    Malformed::TlsOnPlainPort,
                    Malformed::NotOriginForm,
                    Malformed::TargetByte,
                    Malformed::PercentCode,
                    Malformed::PathSegment,
                    Malformed::NoHost,
                    Malformed::TwoHosts,
                    Malformed::TwoContentLengths,
                    Malformed::LengthDigits,
                    Malformed::LengthAndChunked,
                    Malformed::ChunkedInHttp10,
                    Malformed::ChunkSize,
                    Malformed::ChunkEnd,
                    Malformed::ChunkHeadTooLong,
                    Malformed::TrailerTooLarge,
                ],
            ),
        ] {
            for reason in reasons {
                assert_eq!(reason.status(), Status(status), "{reason}");
                sentences.push(reason.to_string());
            }
        }
        assert_eq!(sentences.len(), 25);
        assert!(sentences.iter().all(|sentence| sentence.len() > 10), "{sentences:?}");
        sentences.sort_unstable();
        sentences.dedup();
        assert_eq!(sentences.len(), 25, "two reasons share a sentence");
    }
}
