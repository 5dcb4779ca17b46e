//! The address of the controller, as an operator writes it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::dialect::{Dialect, LOOKOUT, PORTWING};

/// An older spelling of the path of [`PORTWING`].
const ALIAS: &str = "/api/v1/portwing/ws";

/// Where the controller is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Url {
    is_tls: bool,
    /// In small letters; an IPv6 address without its brackets.
    host: String,
    port: u16,
    /// Empty, or begins with a slash and does not end with one.
    prefix: String,
}

/// Why an address is not taken. It never holds what was written: that may be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadUrl {
    NoScheme,
    Scheme,
    UserInfo,
    Query,
    Fragment,
    NoHost,
    Host,
    Port,
    Path,
}

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Self, BadUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(BadUrl::NoScheme)?;
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "wss" | "https" => true,
            "ws" | "http" => false,
            _ => return Err(BadUrl::Scheme),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        // A password may hold any of those signs: the sentence about it comes first.
        if rest.contains('@') {
            return Err(BadUrl::UserInfo);
        }
        if path.contains('#') {
            return Err(BadUrl::Fragment);
        }
        if path.contains('?') {
            return Err(BadUrl::Query);
        }
        let (host, port) = host_and_port(authority)?;
        let port = port.unwrap_or_else(|| default_port(is_tls));
        Ok(Self { is_tls, host, port, prefix: prefix(path)? })
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// A name or an address, without brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where a dialect is spoken.
    pub(crate) fn path(&self, dialect: &Dialect) -> String {
        format!("{}{}", self.prefix, dialect.path)
    }

    /// The host as a request names it: with the port, unless it goes without saying.
    pub(crate) fn authority(&self) -> String {
        let host = in_brackets(&self.host);
        if self.port == default_port(self.is_tls) { host } else { format!("{host}:{}", self.port) }
    }

    /// Nothing that is sent there leaves the machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority(), self.prefix)
    }
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoScheme => "has no scheme: write it as wss://controller.example.com",
            Self::Scheme => "has a scheme that is not spoken: use wss or https, or ws or http without TLS",
            Self::UserInfo => {
                "holds an @, and takes no user or password: the agent proves itself with PRIVATE_KEY_FILE or \
                 TOKEN, and EDGE_HEADERS_FILE adds fields for who stands before the controller"
            }
            Self::Query => "holds a query (?…), which no controller is asked with: leave it out",
            Self::Fragment => "holds a fragment (#…), which no controller sees: leave it out",
            Self::NoHost => "names no host: write it as wss://controller.example.com",
            Self::Host => {
                "names a host that is neither an address nor a name of letters, digits, dots and hyphens \
                 (write an IPv6 address in brackets, and other letters in their xn-- form)"
            }
            Self::Port => "has a port that is not a number from 1 to 65535",
            Self::Path => {
                "has a path with signs that must be percent-encoded, or with `.` or `..` or nothing between \
                 two slashes"
            }
        })
    }
}

fn default_port(is_tls: bool) -> u16 {
    if is_tls { 443 } else { 80 }
}

pub(super) fn in_brackets(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// `localhost` and what stands below it never leave the machine either (RFC 6761).
pub(super) fn is_loopback(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

/// `host`, `host:port`, `[address]` or `[address]:port`. The host comes back in small letters and
/// without brackets.
pub(super) fn host_and_port(authority: &str) -> Result<(String, Option<u16>), BadUrl> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or(BadUrl::Host)?;
            let address: Ipv6Addr = address.parse().map_err(|_| BadUrl::Host)?;
            let port = match port.strip_prefix(':') {
                None if !port.is_empty() => return Err(BadUrl::Host),
                port => port,
            };
            (address.to_string(), port)
        }
        None => match authority.split_once(':') {
            Some((_, rest)) if rest.contains(':') => return Err(BadUrl::Host),
            Some((host, port)) => (name(host)?, Some(port)),
            None => (name(authority)?, None),
        },
    };
    Ok((host, port.map(number).transpose()?))
}

fn name(host: &str) -> Result<String, BadUrl> {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    // RFC 1035: 253 signs, and a dot at the end where somebody wrote it.
    let has_labels = host.strip_suffix('.').unwrap_or(host).split('.').all(|label| !label.is_empty());
    match host {
        "" => Err(BadUrl::NoHost),
        _ if host.len() > 254 || !has_labels || !host.bytes().all(is_sign) => Err(BadUrl::Host),
        _ => Ok(host.to_ascii_lowercase()),
    }
}

fn number(port: &str) -> Result<u16, BadUrl> {
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|port| is_number && *port != 0).ok_or(BadUrl::Port)
}

/// What comes before a dialect's own path; that may be written, or left to us.
fn prefix(path: &str) -> Result<String, BadUrl> {
    let mut prefix = path.trim_end_matches('/');
    // As often as somebody wrote it: what is shown must be read as the same again.
    while let Some(before) =
        [ALIAS, LOOKOUT.path, PORTWING.path].iter().find_map(|end| prefix.strip_suffix(end))
    {
        prefix = before;
    }
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    let is_segment = |segment: &str| !["", ".", ".."].contains(&segment) && segment.bytes().all(is_plain);
    match prefix.strip_prefix('/') {
        Some(inside) if !inside.split('/').all(is_segment) => Err(BadUrl::Path),
        _ => Ok(prefix.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap_or_else(|bad| panic!("{text} {bad}"))
    }

    #[test]
    fn what_is_shown_is_read_as_the_same_again() {
        let twice = url("wss://a/b/api/lookout/ws/api/portwing/ws");
        assert_eq!(twice.to_string(), "wss://a/b");
        assert_eq!(url(&twice.to_string()), twice);
    }

    #[test]
    fn an_address_is_read_as_it_is_meant() {
        for (text, written, host, port) in [
            ("wss://controller.example.com", "wss://controller.example.com", "controller.example.com", 443),
            (
                "https://Controller.Example.com/",
                "wss://controller.example.com",
                "controller.example.com",
                443,
            ),
            ("ws://controller", "ws://controller", "controller", 80),
            ("http://controller:80", "ws://controller", "controller", 80),
            ("HTTPS://controller:443", "wss://controller", "controller", 443),
            ("wss://controller:80", "wss://controller:80", "controller", 80),
            ("http://192.0.2.7:3000", "ws://192.0.2.7:3000", "192.0.2.7", 3000),
            ("wss://[2001:DB8::0:1]", "wss://[2001:db8::1]", "2001:db8::1", 443),
            ("wss://[2001:db8::1]:8443/x", "wss://[2001:db8::1]:8443/x", "2001:db8::1", 8443),
            ("wss://controller.", "wss://controller.", "controller.", 443),
            ("wss://my_stack-1:1", "wss://my_stack-1:1", "my_stack-1", 1),
        ] {
            let url = url(text);
            assert_eq!((url.to_string().as_str(), url.host(), url.port()), (written, host, port));
            assert_eq!(url.is_tls(), written.starts_with("wss:"), "{text}");
        }
    }

    #[test]
    fn a_prefix_is_kept_and_a_dialects_own_path_is_not() {
        for (path, lookout) in [
            ("", "/api/lookout/ws"),
            ("/", "/api/lookout/ws"),
            ("///", "/api/lookout/ws"),
            ("/base", "/base/api/lookout/ws"),
            ("/base/", "/base/api/lookout/ws"),
            ("/Base/%20x/", "/Base/%20x/api/lookout/ws"),
            ("/api", "/api/api/lookout/ws"),
            ("/api/lookout/ws", "/api/lookout/ws"),
            ("/api/lookout/ws/", "/api/lookout/ws"),
            ("/api/portwing/ws", "/api/lookout/ws"),
            ("/api/v1/portwing/ws", "/api/lookout/ws"),
            ("/base/api/v1/portwing/ws", "/base/api/lookout/ws"),
            ("/base/api/portwing/ws", "/base/api/lookout/ws"),
            ("/my/api/lookout/wss", "/my/api/lookout/wss/api/lookout/ws"),
        ] {
            let url = url(&format!("wss://controller{path}"));
            assert_eq!(url.path(&LOOKOUT), lookout, "{path}");
            assert_eq!(
                url.path(&PORTWING),
                lookout.replace("lookout/ws", "portwing/ws").replace("portwing/wss", "lookout/wss"),
                "{path}"
            );
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_its_reason() {
        for (text, bad) in [
            ("", BadUrl::NoScheme),
            ("controller:3000", BadUrl::NoScheme),
            ("//controller", BadUrl::NoScheme),
            ("ftp://controller", BadUrl::Scheme),
            ("unix:///run/x.sock", BadUrl::Scheme),
            ("://controller", BadUrl::Scheme),
            ("wss://user:word@controller", BadUrl::UserInfo),
            ("wss://user@controller", BadUrl::UserInfo),
            ("wss://user:a/b?c#d@controller", BadUrl::UserInfo),
            ("wss://controller?token=x", BadUrl::Query),
            ("wss://controller/x?", BadUrl::Query),
            ("wss://controller#x", BadUrl::Fragment),
            ("wss://controller/x?y#z", BadUrl::Fragment),
            ("wss://", BadUrl::NoHost),
            ("wss:///x", BadUrl::NoHost),
            ("wss://:443", BadUrl::NoHost),
            ("wss://a b", BadUrl::Host),
            ("wss://a\\b", BadUrl::Host),
            ("wss://a..b", BadUrl::Host),
            ("wss://.a", BadUrl::Host),
            ("wss://a%41", BadUrl::Host),
            ("wss://bücher.example", BadUrl::Host),
            ("wss://2001:db8::1", BadUrl::Host),
            ("wss://[2001:db8::1", BadUrl::Host),
            ("wss://[2001:db8::1]x", BadUrl::Host),
            ("wss://[controller]", BadUrl::Host),
            ("wss://[fe80::1%25eth0]", BadUrl::Host),
            ("wss://a\r\nb", BadUrl::Host),
            ("wss://a:", BadUrl::Port),
            ("wss://a:0", BadUrl::Port),
            ("wss://a:65536", BadUrl::Port),
            ("wss://a:+1", BadUrl::Port),
            ("wss://a:1x", BadUrl::Port),
            ("wss://[::1]:", BadUrl::Port),
            ("wss://a/b c", BadUrl::Path),
            ("wss://a/b\nc", BadUrl::Path),
            ("wss://a/ü", BadUrl::Path),
            ("wss://a/b/../c", BadUrl::Path),
            ("wss://a/./c", BadUrl::Path),
            ("wss://a//c", BadUrl::Path),
            ("wss://a//api/lookout/ws", BadUrl::Path),
        ] {
            assert_eq!(Url::parse(text), Err(bad), "{text}");
        }
        let long = format!("wss://{}", "a".repeat(255));
        assert_eq!(Url::parse(&long), Err(BadUrl::Host));
    }

    #[test]
    fn no_reason_repeats_what_was_written() {
        let told = Url::parse("wss://me:hunter2@controller").unwrap_err().to_string();
        assert!(!told.contains("hunter2") && told.contains("EDGE_HEADERS_FILE"), "{told}");
    }

    #[test]
    fn what_stays_on_the_machine_is_known() {
        for host in [
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(url(&format!("ws://{host}:1")).is_loopback(), "{host}");
        }
        for host in ["localhost.example.com", "notlocalhost", "128.0.0.1", "0.0.0.0", "[::2]"] {
            assert!(!url(&format!("ws://{host}:1")).is_loopback(), "{host}");
        }
    }
}
