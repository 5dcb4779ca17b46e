//! Status codes with their reasons.

/// A status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(pub(crate) u16);

impl Status {
    pub(crate) const SWITCHING_PROTOCOLS: Self = Self(101);
    pub(crate) const OK: Self = Self(200);
    pub(crate) const ACCEPTED: Self = Self(202);
    pub(crate) const NO_CONTENT: Self = Self(204);
    pub(crate) const BAD_REQUEST: Self = Self(400);
    pub(crate) const UNAUTHORIZED: Self = Self(401);
    pub(crate) const FORBIDDEN: Self = Self(403);
    pub(crate) const NOT_FOUND: Self = Self(404);
    pub(crate) const METHOD_NOT_ALLOWED: Self = Self(405);
    pub(crate) const PAYLOAD_TOO_LARGE: Self = Self(413);
    pub(crate) const TARGET_TOO_LONG: Self = Self(414);
    pub(crate) const UNSUPPORTED_MEDIA_TYPE: Self = Self(415);
    pub(crate) const EXPECTATION_FAILED: Self = Self(417);
    pub(crate) const TOO_MANY_REQUESTS: Self = Self(429);
    pub(crate) const HEAD_TOO_LARGE: Self = Self(431);
    pub(crate) const CONFLICT: Self = Self(409);
    pub(crate) const INTERNAL_ERROR: Self = Self(500);
    pub(crate) const NOT_IMPLEMENTED: Self = Self(501);
    pub(crate) const BAD_GATEWAY: Self = Self(502);
    pub(crate) const UNAVAILABLE: Self = Self(503);
    pub(crate) const GATEWAY_TIMEOUT: Self = Self(504);
    pub(crate) const VERSION_NOT_SUPPORTED: Self = Self(505);

    pub(crate) fn is_server_error(self) -> bool {
        self.0 >= 500
    }

    /// The usual words for the codes we send ourselves.
    pub(crate) fn reason(self) -> &'static str {
        match self.0 {
            200 => "OK",
            202 => "Accepted",
            204 => "No Content",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            409 => "Conflict",
            413 => "Content Too Large",
            414 => "URI Too Long",
            415 => "Unsupported Media Type",
            417 => "Expectation Failed",
            429 => "Too Many Requests",
            431 => "Request Header Fields Too Large",
            500 => "Internal Server Error",
            501 => "Not Implemented",
            502 => "Bad Gateway",
            503 => "Service Unavailable",
            504 => "Gateway Timeout",
            505 => "HTTP Version Not Supported",
            _ => "",
        }
    }

    /// Three digits, without an allocation.
    pub(crate) fn digits(self, into: &mut [u8; 3]) -> &[u8] {
        let [hundreds, tens, ones] = into;
        for (place, digit) in [(hundreds, self.0 / 100), (tens, self.0 / 10), (ones, self.0)] {
            *place = b'0'.saturating_add(u8::try_from(digit % 10).unwrap_or(0));
        }
        into
    }

    /// An interim answer, after which the final one follows.
    pub(crate) fn is_interim(self) -> bool {
        (100..200).contains(&self.0) && self != Self::SWITCHING_PROTOCOLS
    }

    /// Answers that never have a body, whatever their headers say (RFC 9112 §6.3).
    pub(crate) fn is_bodiless(self) -> bool {
        (100..200).contains(&self.0) || self.0 == 204 || self.0 == 304
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As RFC 9110 and RFC 6585 name them.
    const REASONS: &str = "200 OK; 202 Accepted; 204 No Content; 400 Bad Request; 401 Unauthorized; 403 Forbidden; \
        404 Not Found; 405 Method Not Allowed; 409 Conflict; 413 Content Too Large; 414 URI Too Long; \
        415 Unsupported Media Type; 417 Expectation Failed; 429 Too Many Requests; \
        431 Request Header Fields Too Large; 500 Internal Server Error; 501 Not Implemented; 502 Bad Gateway; \
        503 Service Unavailable; 504 Gateway Timeout; 505 HTTP Version Not Supported";

    #[test]
    fn codes_have_the_reasons_they_have_everywhere() {
        let known: Vec<_> = REASONS.split("; ").filter_map(|line| line.split_once(' ')).collect();
        for code in 100..600 {
            let status = Status(code);
            let digits = code.to_string();
            assert_eq!(status.digits(&mut [0; 3]), digits.as_bytes());
            let reason = known.iter().find(|(known, _)| *known == digits).map_or("", |(_, reason)| reason);
            assert_eq!(status.reason(), reason, "{code}");
        }
        assert_eq!(known.len(), 21);
    }

    #[test]
    fn some_codes_mean_that_no_body_follows_or_that_another_head_does() {
        for (code, is_interim, is_bodiless, is_server_error) in [
            (99, false, false, false),
            (100, true, true, false),
            (101, false, true, false),
            (199, true, true, false),
            (200, false, false, false),
            (204, false, true, false),
            (304, false, true, false),
            (499, false, false, false),
            (500, false, false, true),
        ] {
            let status = Status(code);
            let told = (status.is_interim(), status.is_bodiless(), status.is_server_error());
            assert_eq!(told, (is_interim, is_bodiless, is_server_error), "{code}");
        }
    }
}
