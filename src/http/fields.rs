//! Header fields: as they were parsed, and as we write them.

/// Parsed header fields, in their order.
pub(crate) type Headers<'h> = &'h [httparse::Header<'h>];

/// Fields that speak of one connection and never go further (RFC 9110 §7.6.1), and the length,
/// which is always written anew.
pub(crate) fn is_hop_by_hop(name: &str) -> bool {
    match name.len() {
        2 => name.eq_ignore_ascii_case("te"),
        7 => name.eq_ignore_ascii_case("upgrade") || name.eq_ignore_ascii_case("trailer"),
        10 => name.eq_ignore_ascii_case("connection") || name.eq_ignore_ascii_case("keep-alive"),
        14 => name.eq_ignore_ascii_case("content-length"),
        16 => name.eq_ignore_ascii_case("proxy-connection"),
        17 => name.eq_ignore_ascii_case("transfer-encoding"),
        18 => name.eq_ignore_ascii_case("proxy-authenticate"),
        19 => name.eq_ignore_ascii_case("proxy-authorization"),
        _ => false,
    }
}

/// The tokens of a list field such as Connection.
pub(super) fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

/// Writes one field's line behind a head begun in `head`. A value that would break out of its line
/// is left out with its name.
pub(crate) fn push_field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return;
    }
    head.extend_from_slice(name.as_bytes());
    // A call for two bytes costs more than the bytes, and a head has dozens.
    head.push(b':');
    head.push(b' ');
    head.extend_from_slice(value);
    head.push(b'\r');
    head.push(b'\n');
}

/// Fields ready to be written, one `Name: value` line each.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<u8>);

impl Fields {
    /// Fields written into `space`, whose content is dropped and whose memory is used again.
    pub(crate) fn within(mut space: Vec<u8>) -> Self {
        space.clear();
        Self(space)
    }

    pub(crate) fn push(&mut self, name: &str, value: &[u8]) {
        push_field(&mut self.0, name, value);
    }

    /// The first value of a field that is text.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Names and values, where all of them are text.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = std::str::from_utf8(&self.0).unwrap_or_default().lines();
        lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name, value.strip_prefix(' ').unwrap_or(value)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn into_space(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_one_connection_are_known_in_any_case() {
        for name in ["Connection", "KEEP-ALIVE", "te", "Trailer", "Transfer-Encoding", "upgrade"] {
            assert!(is_hop_by_hop(name), "{name}");
        }
        for name in ["Proxy-Authorization", "proxy-authenticate", "Proxy-Connection", "Content-Length"] {
            assert!(is_hop_by_hop(name), "{name}");
        }
        for name in ["Host", "Content-Type", "X-Registry-Auth", "Te2"] {
            assert!(!is_hop_by_hop(name), "{name}");
        }
    }

    #[test]
    fn a_value_cannot_begin_a_second_line() {
        let mut fields = Fields::default();
        fields.push("Allow", b"GET");
        fields.push("X", b"a\r\nEvil: yes");
        assert_eq!(fields.as_bytes(), b"Allow: GET\r\n");
    }

    #[test]
    fn fields_that_were_written_are_found_and_their_space_is_used_again() {
        let mut fields = Fields::default();
        for (name, value) in [("Allow", "GET"), ("X", "a: b"), ("allow", "POST"), ("Empty", "")] {
            fields.push(name, value.as_bytes());
        }
        assert_eq!((fields.value("ALLOW"), fields.value("Empty")), (Some("GET"), Some("")));
        assert_eq!((fields.value("All"), fields.value("GET")), (None, None));
        let all: Vec<_> = fields.iter().collect();
        assert_eq!(all, [("Allow", "GET"), ("X", "a: b"), ("allow", "POST"), ("Empty", "")]);
        let space = fields.into_space();
        assert!(space.starts_with(b"Allow: GET\r\n"));
        let (place, room) = (space.as_ptr(), space.capacity());
        let again = Fields::within(space).into_space();
        assert!(again.is_empty() && again.as_ptr() == place && again.capacity() == room);
    }

    #[test]
    fn a_list_is_split_at_its_commas() {
        let listed: Vec<_> = tokens(b" close ,, Upgrade").collect();
        assert_eq!(listed, [&b"close"[..], b"Upgrade"]);
    }
}
