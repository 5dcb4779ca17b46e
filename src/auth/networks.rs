//! Networks of addresses, and which address a client has behind trusted proxies.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::limits::FORWARDED_HOPS_MAX;

/// Every address that begins with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    first: IpAddr,
    bits: u8,
}

impl Network {
    /// One address, or `address/bits`; what stands behind the bits is dropped.
    pub(crate) fn parse(text: &str) -> Result<Self, BadNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| BadNetwork::Address)?;
        let width = if written.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(width), digits).filter(|bits| *bits <= width).ok_or(BadNetwork::Bits)?;
        let address = written.to_canonical();
        // `::ffff:10.0.0.0/104` is `10.0.0.0/8`. Fewer than 96 bits would not only be IPv4: a slip.
        let is_mapped = written.is_ipv6() && address.is_ipv4();
        let bits = if is_mapped { bits.checked_sub(96).ok_or(BadNetwork::Bits)? } else { bits };
        Ok(Self { first: first(address, bits), bits })
    }

    /// All of another network lies within.
    pub(crate) fn holds(&self, other: &Self) -> bool {
        other.bits >= self.bits && self.contains(other.first)
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && first(address, self.bits) == self.first
    }
}

/// `10.8.0.0/16`; one address stands alone.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.first.is_ipv4() { 32 } else { 128 };
        match self.bits {
            bits if bits == width => write!(f, "{}", self.first),
            bits => write!(f, "{}/{bits}", self.first),
        }
    }
}

/// At most three decimal digits without a leading zero.
fn digits(text: &str) -> Option<u8> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// The address with everything behind its first bits cleared.
fn first(address: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadNetwork {
    Address,
    Bits,
}

impl fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "not an IP address",
            Self::Bits => "not a prefix length of this kind of address",
        })
    }
}

impl std::error::Error for BadNetwork {}

/// Who is calling: the peer, or whom a trusted peer speaks for. `forwarded` is every
/// X-Forwarded-For line in its order; `real_ip` is X-Real-IP where it stands once.
///
/// Each proxy adds to the right, so only what stands right of the first untrusted address is
/// known. What cannot be read ends the search: left of it anybody may have written anything.
pub(crate) fn client<'h>(
    peer: IpAddr,
    trusted: &[Network],
    forwarded: impl Iterator<Item = &'h [u8]>,
    real_ip: Option<&[u8]>,
) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(peer) {
        return peer;
    }
    let lines: Vec<_> = forwarded.collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(|&byte| byte == b','));
    let mut last_good = peer;
    for (seen, hop) in hops.enumerate() {
        let Some(address) = address(hop).filter(|_| seen < FORWARDED_HOPS_MAX) else { return last_good };
        if !is_trusted(address) {
            return address;
        }
        last_good = address;
    }
    real_ip.and_then(address).filter(|address| !is_trusted(*address)).unwrap_or(peer)
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop.trim_ascii()).ok()?;
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || text.parse().ok().map(|socket: std::net::SocketAddr| socket.ip());
    text.parse().ok().or_else(with_port).or_else(in_brackets).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_holds_the_addresses_that_begin_alike() {
        for (text, inside, outside) in [
            ("10.8.0.0/16", "10.8.255.255", "10.9.0.0"),
            ("10.8.3.4/16", "10.8.0.0", "10.7.255.255"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.7/32", "::ffff:192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "255.255.255.255", "2001:db8::1"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("::ffff:10.0.0.0/104", "10.255.0.1", "11.0.0.0"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
        ] {
            assert!(network(text).contains(ip(inside)), "{text} {inside}");
            assert!(!network(text).contains(ip(outside)), "{text} {outside}");
        }
        for (text, written) in [
            ("10.8.3.4/16", "10.8.0.0/16"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("2001:db8::1/32", "2001:db8::/32"),
        ] {
            assert_eq!(network(text).to_string(), written);
        }
        assert_eq!(network("10.8.3.4/16"), network("10.8.0.0/16"));
        assert_eq!(network("::ffff:10.1.2.3/104"), network("10.0.0.0/8"));
    }

    #[test]
    fn a_network_holds_another_where_all_of_it_lies_within() {
        for (outer, inner, holds) in [
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.0.0.0/8", "10.0.0.0/8", true),
            ("10.0.0.0/8", "10.0.0.0/7", false),
            ("10.1.0.0/16", "10.0.0.0/8", false),
            ("10.0.0.0/8", "11.0.0.0/16", false),
            ("10.0.0.0/8", "10.9.8.7", true),
            ("0.0.0.0/0", "::/96", false),
            ("fd00::/8", "fd00::1", true),
            ("10.0.0.0/8", "::ffff:10.1.0.0/112", true),
        ] {
            assert_eq!(network(outer).holds(&network(inner)), holds, "{outer} {inner}");
        }
        assert_eq!(BadNetwork::Address.to_string(), "not an IP address");
        assert_eq!(BadNetwork::Bits.to_string(), "not a prefix length of this kind of address");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in
            ["", "/", "/8", "10.0.0", "host", "10.0.0.0.0", " 10.0.0.1", "fe80::1%eth0", "[::1]", "010.0.0.1"]
        {
            assert_eq!(Network::parse(text), Err(BadNetwork::Address), "{text}");
        }
        for text in [
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0.0.0/08",
            "10.0.0.0/8/8",
            "10.0.0.0/ 8",
            "10.0.0.0/256",
            "10.0.0.0/255.0.0.0",
            "::/129",
            "::ffff:10.0.0.0/95",
            "::ffff:10.0.0.1/32",
        ] {
            assert_eq!(Network::parse(text), Err(BadNetwork::Bits), "{text}");
        }
    }

    /// The client behind a proxy at 10.0.0.1, where 10.0.0.0/8 and fd00::/8 are trusted.
    fn behind(forwarded: &[&str], real_ip: Option<&str>) -> String {
        let trusted = [network("10.0.0.0/8"), network("fd00::/8")];
        let lines = forwarded.iter().map(|line| line.as_bytes());
        client(ip("::ffff:10.0.0.1"), &trusted, lines, real_ip.map(str::as_bytes)).to_string()
    }

    #[test]
    fn the_first_untrusted_hop_from_the_right_is_the_client() {
        for (forwarded, real_ip, found) in [
            (&["203.0.113.9"][..], None, "203.0.113.9"),
            (&["198.51.100.1, 203.0.113.9"], None, "203.0.113.9"),
            (&["198.51.100.1 ,203.0.113.9,10.0.0.7 "], None, "203.0.113.9"),
            (&["203.0.113.9:4711"], None, "203.0.113.9"),
            (&["[2001:db8::1]:443"], None, "2001:db8::1"),
            (&["[2001:db8::1]"], None, "2001:db8::1"),
            (&["2001:db8::1"], None, "2001:db8::1"),
            (&["::ffff:203.0.113.9"], None, "203.0.113.9"),
            (&["203.0.113.9, ::ffff:10.0.0.7, fd00::1"], None, "203.0.113.9"),
            (&["203.0.113.9"], Some("198.51.100.1"), "203.0.113.9"),
        ] {
            assert_eq!(behind(forwarded, real_ip), found, "{forwarded:?} {real_ip:?}");
        }
    }

    #[test]
    fn every_line_counts_and_the_last_one_first() {
        assert_eq!(behind(&["198.51.100.1", "203.0.113.9"], None), "203.0.113.9");
        assert_eq!(behind(&["198.51.100.1", "203.0.113.9, 10.0.0.7", "10.0.0.8"], None), "203.0.113.9");
    }

    #[test]
    fn an_unreadable_hop_ends_the_search_at_the_last_good_address() {
        for (forwarded, found) in [
            (&["7.7.7.7, unknown"][..], "10.0.0.1"),
            (&["7.7.7.7, unknown, 10.0.0.7"], "10.0.0.7"),
            (&["7.7.7.7, , 10.0.0.7"], "10.0.0.7"),
            (&["7.7.7.7", ""], "10.0.0.1"),
            (&["7.7.7.7, 203.0.113.9:x"], "10.0.0.1"),
            (&["7.7.7.7, 203.0.113.9:65536"], "10.0.0.1"),
            (&["7.7.7.7, [10.0.0.7]"], "10.0.0.1"),
            (&["7.7.7.7, 10.0.0.7 10.0.0.8"], "10.0.0.1"),
        ] {
            assert_eq!(behind(forwarded, Some("198.51.100.1")), found, "{forwarded:?}");
        }
    }

    #[test]
    fn without_an_untrusted_hop_the_real_ip_counts_if_it_is_one() {
        for (forwarded, real_ip, found) in [
            (&[][..], Some("203.0.113.9"), "203.0.113.9"),
            (&[], Some(" 203.0.113.9 "), "203.0.113.9"),
            (&["10.0.0.7"], Some("203.0.113.9"), "203.0.113.9"),
            (&["10.0.0.7"], None, "10.0.0.1"),
            (&[], Some("10.0.0.7"), "10.0.0.1"),
            (&[], Some("anything"), "10.0.0.1"),
            (&[], Some(""), "10.0.0.1"),
            (&[], None, "10.0.0.1"),
        ] {
            assert_eq!(behind(forwarded, real_ip), found, "{forwarded:?} {real_ip:?}");
        }
    }

    #[test]
    fn an_untrusted_peer_speaks_for_itself_only() {
        let lines = || [&b"203.0.113.9"[..]].into_iter();
        let peer = ip("::ffff:192.0.2.1");
        assert_eq!(client(peer, &[], lines(), Some(b"203.0.113.9")), ip("192.0.2.1"));
        assert_eq!(client(peer, &[network("10.0.0.0/8")], lines(), None), ip("192.0.2.1"));
    }

    #[test]
    fn only_so_many_hops_are_looked_at() {
        let hops = |count| vec!["10.0.0.9"; count].join(",");
        let all = format!("203.0.113.9,{}", hops(FORWARDED_HOPS_MAX - 1));
        assert_eq!(behind(&[&all], None), "203.0.113.9");
        let one_more = format!("203.0.113.9,{}", hops(FORWARDED_HOPS_MAX));
        assert_eq!(behind(&[&one_more], None), "10.0.0.9");
    }
}
