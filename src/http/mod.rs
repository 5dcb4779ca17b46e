//! HTTP/1.1 as data: bytes in, messages out, no sockets.
//!
//! | what we accept | RFC 9112 | where |
//! | --- | --- | --- |
//! | lines end in CR LF; one empty line may come before a request line | 2.2 | `head` |
//! | origin-form targets only, decoded once, without empty, `.` or `..` segments | 3.2.1 | `target` |
//! | known methods, HTTP/1.0 and HTTP/1.1 | 3.1, 2.3 | `head`, `method` |
//! | no folded line, no space before a colon, no control byte | 5.1, 5.2 | `head` |
//! | exactly one Host (HTTP/1.0: at most one) | 3.2 | `head` |
//! | exactly one body length rule; digits only; only `chunked` | 6.1–6.3 | `framing` |
//! | chunk extensions and trailers are bounded, checked and dropped | 7.1 | `chunked` |
//!
//! Not supported, on purpose: HTTP/2, CONNECT, TRACE, other transfer codings, folded lines,
//! absolute-form targets.

mod body;
mod chunked;
mod fields;
mod framing;
mod head;
mod malformed;
mod method;
pub(crate) mod pattern;
mod request;
mod status;
mod target;

pub(crate) use body::{Body, BodyError, Source};
pub(crate) use chunked::size_line;
pub(crate) use fields::{Fields, Headers, is_hop_by_hop, push_field};
pub(crate) use framing::{Framing, Unframer};
pub(crate) use head::{RequestHead, ResponseHead, end_of_head, request_head, response_head, slots};
pub(crate) use malformed::Malformed;
pub(crate) use method::Method;
pub(crate) use request::Request;
pub(crate) use status::Status;
pub(crate) use target::{Target, decode_form};
