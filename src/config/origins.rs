//! Web origins: written in a list, compared as a browser sends them.

use std::net::Ipv6Addr;

use super::findings::Problem;
use super::parse::quoted;
use super::variables::ALLOWED_ORIGINS;

/// `scheme://host[:port]` as a browser writes it: lower case, without the scheme's own port.
pub(super) fn origin(item: &str) -> Result<String, Problem> {
    normal(&item.to_ascii_lowercase()).ok_or_else(|| {
        Problem::new(
            &[&ALLOWED_ORIGINS],
            format!("{} is not an origin", quoted(item)),
            "write each as scheme://host or scheme://host:port, without a path and without *",
        )
    })
}

fn normal(item: &str) -> Option<String> {
    let (scheme, authority) = item.split_once("://")?;
    let starts_well = scheme.starts_with(|c: char| c.is_ascii_lowercase());
    let goes_on = scheme.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c));
    if !starts_well || !goes_on {
        return None;
    }
    let (host, port) = host_and_port(authority)?;
    let usual = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    match port.filter(|port| Some(*port) != usual) {
        Some(port) => Some(format!("{scheme}://{host}:{port}")),
        None => Some(format!("{scheme}://{host}")),
    }
}

/// Splits `host[:port]`, where an IPv6 address stands in brackets.
pub(super) fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, rest) = if authority.starts_with('[') {
        let end = authority.find(']')?.checked_add(1)?;
        let (host, rest) = authority.split_at_checked(end)?;
        let inner = host.strip_prefix('[')?.strip_suffix(']')?;
        inner.parse::<Ipv6Addr>().ok()?;
        (host, rest)
    } else {
        let end = authority.find(':').unwrap_or(authority.len());
        let (host, rest) = authority.split_at_checked(end)?;
        let plain = host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        if host.is_empty() || !plain {
            return None;
        }
        (host, rest)
    };
    if rest.is_empty() {
        return Some((host, None));
    }
    let digits = rest.strip_prefix(':')?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|port| *port > 0).map(|port| (host, Some(port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_a_browser_sends_it() {
        for (item, normal) in [
            ("https://app.example.com", "https://app.example.com"),
            ("HTTPS://App.Example.com:443", "https://app.example.com"),
            ("http://localhost:80", "http://localhost"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("https://[::1]:8443", "https://[::1]:8443"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ] {
            assert_eq!(origin(item).unwrap(), normal);
        }
    }

    #[test]
    fn what_no_browser_would_send_is_refused() {
        for item in [
            "*",
            "null",
            "example.com",
            "https://",
            "https://*.example.com",
            "https://example.com/",
            "https://example.com/app",
            "https://example.com?x",
            "https://example.com#x",
            "https://user@example.com",
            "https://example.com:",
            "https://example.com:0",
            "https://example.com:65536",
            "https://example.com:+1",
            "https://[::1",
            "https://[example]",
            "https://[::1]x",
            "https://exämple.com",
            "://example.com",
            "1http://example.com",
            "https://exam ple.com",
        ] {
            let problem = origin(item).unwrap_err().to_string();
            assert!(problem.starts_with("ALLOWED_ORIGINS: ") && problem.contains("is not an origin; write"));
        }
    }
}
