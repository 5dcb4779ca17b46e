//! Which proxy the way to the controller leads through, as the environment says for every program.

use std::fmt;
use std::net::IpAddr;

use data_encoding::BASE64;

use super::url::{BadUrl, Url, host_and_port, in_brackets, is_loopback};
use crate::auth::Network;
use crate::secret::Secret;

/// The proxies of the environment, and who is reached without one.
#[derive(Debug)]
pub(crate) struct Proxies {
    https: Option<Proxy>,
    http: Option<Proxy>,
    all: Option<Proxy>,
    none: Vec<Direct>,
}

/// A proxy that is asked, over plain HTTP, to connect us.
#[derive(Debug)]
pub(crate) struct Proxy {
    host: String,
    port: u16,
    /// The value of Proxy-Authorization.
    credentials: Option<Secret<String>>,
}

/// Which proxy cannot be used, and why. It never holds what was written: that may be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadProxy {
    pub(crate) of: Setting,
    pub(crate) why: Why,
}

/// The value in which a proxy is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    Https,
    Http,
    All,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Tls,
    Socks,
    Scheme,
    Credentials,
    Host,
    Port,
    Path,
}

/// Who is reached without a proxy.
#[derive(Debug, PartialEq, Eq)]
enum Direct {
    Everybody,
    /// This name and all below it.
    Name(String, Option<u16>),
    Within(Network, Option<u16>),
}

impl Proxies {
    /// The values of HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY. An empty one is none.
    pub(crate) fn new(
        https: Option<&str>,
        http: Option<&str>,
        all: Option<&str>,
        none: Option<&str>,
    ) -> Result<Self, BadProxy> {
        let read = |value: Option<&str>, of| match value.map(str::trim) {
            None | Some("") => Ok(None),
            Some(value) => Proxy::parse(value).map(Some).map_err(|why| BadProxy { of, why }),
        };
        Ok(Self {
            https: read(https, Setting::Https)?,
            http: read(http, Setting::Http)?,
            all: read(all, Setting::All)?,
            none: direct(none.unwrap_or_default()),
        })
    }

    /// The proxy that leads there, if any. What stays on the machine never goes through one.
    pub(crate) fn to(&self, url: &Url) -> Option<&Proxy> {
        let own = if url.is_tls() { &self.https } else { &self.http };
        let is_direct =
            is_loopback(url.host()) || self.none.iter().any(|direct| direct.is_for(url.host(), url.port()));
        own.as_ref().or(self.all.as_ref()).filter(|_| !is_direct)
    }
}

impl Proxy {
    /// `http://user:password@host:port`; the scheme, the credentials and the port may be left out.
    fn parse(value: &str) -> Result<Self, Why> {
        let rest = match value.split_once("://") {
            None => value,
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "http" => rest,
                "https" => return Err(Why::Tls),
                "socks" | "socks4" | "socks4a" | "socks5" | "socks5h" => return Err(Why::Socks),
                _ => return Err(Why::Scheme),
            },
        };
        // The last @: whoever wrote one into a password without encoding it meant it so.
        let (credentials, rest) = match rest.rsplit_once('@') {
            Some((credentials, rest)) => (Some(basic(credentials)?), rest),
            None => (None, rest),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if !["", "/"].contains(&path) {
            return Err(Why::Path);
        }
        let why = |bad| if bad == BadUrl::Port { Why::Port } else { Why::Host };
        let (host, port) = host_and_port(authority).map_err(why)?;
        Ok(Self { host, port: port.unwrap_or(80), credentials })
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn credentials(&self) -> Option<&Secret<String>> {
        self.credentials.as_ref()
    }
}

/// `user:password`, each percent-encoded, as RFC 7617 sends them.
fn basic(credentials: &str) -> Result<Secret<String>, Why> {
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let mut plain = Vec::with_capacity(credentials.len().saturating_add(1));
    decode(user, &mut plain)?;
    plain.push(b':');
    decode(password, &mut plain)?;
    let plain = Secret::new(plain);
    Ok(Secret::new(format!("Basic {}", BASE64.encode(plain.expose()))))
}

fn decode(text: &str, into: &mut Vec<u8>) -> Result<(), Why> {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut digit = || char::from(bytes.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        into.push(match byte {
            b'%' => {
                let (high, low) = digit().zip(digit()).ok_or(Why::Credentials)?;
                high << 4 | low
            }
            byte => byte,
        });
    }
    Ok(())
}

/// Every entry of NO_PROXY. The variable is not ours alone: an entry that we cannot read is passed
/// over, as every other program does that it was written for.
fn direct(value: &str) -> Vec<Direct> {
    let entries = value.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
    entries.filter_map(Direct::parse).collect()
}

impl Direct {
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self::Everybody);
        }
        if let Ok(network) = Network::parse(entry) {
            return Some(Self::Within(network, None));
        }
        let entry = entry.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(entry);
        let (host, port) = host_and_port(entry.strip_prefix('.').unwrap_or(entry)).ok()?;
        Some(match Network::parse(&host) {
            Ok(network) => Self::Within(network, port),
            Err(_) => Self::Name(host.trim_end_matches('.').to_owned(), port),
        })
    }

    fn is_for(&self, host: &str, port: u16) -> bool {
        let is_port = |wanted: &Option<u16>| wanted.is_none_or(|wanted| wanted == port);
        let address: Option<IpAddr> = host.parse().ok();
        match self {
            Self::Everybody => true,
            Self::Within(network, wanted) => {
                is_port(wanted) && address.is_some_and(|address| network.contains(address))
            }
            Self::Name(name, wanted) => {
                let before = host.strip_suffix('.').unwrap_or(host).strip_suffix(name.as_str());
                let is_below = before.is_some_and(|before| before.is_empty() || before.ends_with('.'));
                is_port(wanted) && is_below && address.is_none()
            }
        }
    }
}

/// Without its credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}", in_brackets(&self.host), self.port)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => {
                "is a proxy that is itself reached over TLS, which is not spoken here: use its http:// address; \
                 what goes through it is encrypted all the same with wss://"
            }
            Self::Socks => "is a SOCKS proxy, which is not spoken here: name an HTTP proxy (http://host:port)",
            Self::Scheme => "has a scheme that is no proxy's: write it as http://host:port",
            Self::Credentials => "has a user or password with a % that is not followed by two hexadecimal digits",
            Self::Host => {
                "names no host: write it as http://user:password@host:port, with signs such as @ : / in the \
                 password percent-encoded"
            }
            Self::Port => "has a port that is not a number from 1 to 65535",
            Self::Path => "has a path, which no proxy is asked with: leave out what follows host and port",
        })
    }
}

impl fmt::Display for BadProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.of {
            Setting::Https => "HTTPS_PROXY",
            Setting::Http => "HTTP_PROXY",
            Setting::All => "ALL_PROXY",
        };
        write!(f, "{name} {}", self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(https: &str, http: &str, all: &str, none: &str) -> Proxies {
        Proxies::new(Some(https), Some(http), Some(all), Some(none)).unwrap()
    }

    fn to(proxies: &Proxies, url: &str) -> Option<String> {
        proxies.to(&Url::parse(url).unwrap()).map(Proxy::to_string)
    }

    #[test]
    fn each_scheme_has_its_proxy_and_else_that_of_all() {
        let (tls, plain, all) = ("http://s:1", "p:2", "http://a:3/");
        for (https, http, others, by_tls, by_plain) in [
            (tls, plain, all, Some("http://s:1"), Some("http://p:2")),
            (tls, "", all, Some("http://s:1"), Some("http://a:3")),
            ("", plain, all, Some("http://a:3"), Some("http://p:2")),
            ("", "", all, Some("http://a:3"), Some("http://a:3")),
            (tls, "", "", Some("http://s:1"), None),
            ("", plain, "  ", None, Some("http://p:2")),
            ("", "", "", None, None),
        ] {
            let proxies = proxies(https, http, others, "");
            assert_eq!(to(&proxies, "wss://controller").as_deref(), by_tls);
            assert_eq!(to(&proxies, "ws://controller").as_deref(), by_plain);
        }
        let nothing = Proxies::new(None, None, None, None).unwrap();
        assert_eq!(to(&nothing, "wss://controller"), None);
    }

    #[test]
    fn who_is_excepted_is_reached_without_a_proxy() {
        for (none, url, is_direct) in [
            ("*", "wss://controller", true),
            ("example.com", "wss://example.com", true),
            ("example.com", "wss://EXAMPLE.com.", true),
            ("Example.COM.", "wss://a.example.com", true),
            ("example.com", "wss://a.b.example.com", true),
            ("example.com", "wss://notexample.com", false),
            ("example.com", "wss://example.com.org", false),
            (".example.com", "wss://a.example.com", true),
            (".example.com", "wss://example.com", true),
            ("*.example.com", "wss://a.example.com", true),
            ("controller", "wss://controller", true),
            ("a, controller ,b", "wss://controller", true),
            ("a controller", "wss://controller", true),
            ("a,b", "wss://controller", false),
            ("controller:443", "wss://controller", true),
            ("controller:444", "wss://controller", false),
            ("192.0.2.7", "wss://192.0.2.7", true),
            ("192.0.2.7", "wss://192.0.2.8", false),
            ("192.0.2.7:443", "wss://192.0.2.7", true),
            ("192.0.2.7:443", "wss://192.0.2.7:444", false),
            ("192.0.2.0/24", "wss://192.0.2.8", true),
            ("192.0.2.0/24", "wss://192.0.3.8", false),
            ("192.0.2.0/24", "wss://controller", false),
            ("2001:db8::/32", "wss://[2001:db8::1]", true),
            ("2001:db8::1", "wss://[2001:db8::1]:3", true),
            ("[2001:db8::1]", "wss://[2001:db8::1]:3", true),
            ("[2001:db8::1]:3", "wss://[2001:db8::1]:4", false),
            ("0.2.7", "wss://192.0.2.7", false),
            ("192.0.2.0/33,,;,a:b:c,controller", "wss://controller", true),
            ("192.0.2.0/33", "wss://192.0.2.0", false),
            ("", "wss://controller", false),
        ] {
            let told = to(&proxies("proxy", "proxy", "", none), url);
            assert_eq!(told.is_none(), is_direct, "{none} {url}");
        }
    }

    #[test]
    fn the_machine_itself_is_never_reached_through_a_proxy() {
        let proxies = proxies("proxy", "proxy", "proxy", "");
        for url in ["ws://localhost:1", "ws://127.0.0.2", "wss://[::1]", "ws://x.localhost"] {
            assert_eq!(to(&proxies, url), None, "{url}");
        }
    }

    #[test]
    fn credentials_are_decoded_and_sent_as_the_basic_scheme_wants() {
        for (value, place, plain) in [
            ("http://me:word@proxy:3128", "http://proxy:3128", Some("me:word")),
            ("me:word@proxy:3128", "http://proxy:3128", Some("me:word")),
            ("http://me@proxy", "http://proxy:80", Some("me:")),
            ("http://me:a%40b%3Ac%2fd%25@proxy", "http://proxy:80", Some("me:a@b:c/d%")),
            ("http://me:a@b:c@proxy:1/", "http://proxy:1", Some("me:a@b:c")),
            ("http://me:a/b@proxy:1/", "http://proxy:1", Some("me:a/b")),
            ("HTTP://[2001:db8::1]:8080", "http://[2001:db8::1]:8080", None),
            ("Proxy", "http://proxy:80", None),
        ] {
            let proxy = Proxy::parse(value).unwrap();
            let sent = proxy.credentials().map(|secret| secret.expose().clone());
            assert_eq!(sent, plain.map(|plain| format!("Basic {}", BASE64.encode(plain.as_bytes()))));
            assert_eq!(proxy.to_string(), place);
            assert!(!format!("{proxy:?}").contains("word"));
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_named_with_its_reason() {
        for (value, why) in [
            ("https://proxy", Why::Tls),
            ("socks5://proxy:1080", Why::Socks),
            ("SOCKS5H://proxy:1080", Why::Socks),
            ("ftp://proxy", Why::Scheme),
            ("http://", Why::Host),
            ("http://:3128", Why::Host),
            ("http://pro xy", Why::Host),
            ("http://proxy:0", Why::Port),
            ("http://proxy:99999", Why::Port),
            ("http://proxy:port", Why::Port),
            ("http://me:%4@proxy", Why::Credentials),
            ("http://me:%zz@proxy", Why::Credentials),
            ("http://proxy/path", Why::Path),
            ("http://proxy?x", Why::Path),
        ] {
            assert_eq!(Proxy::parse(value).map(|proxy| proxy.to_string()), Err(why), "{value}");
        }
        let bad = |https, http, all| Proxies::new(https, http, all, None).unwrap_err().to_string();
        let (good, bad_one) = (Some("proxy"), Some("socks5://me:word@x"));
        assert!(bad(bad_one, good, good).starts_with("HTTPS_PROXY is a SOCKS proxy"));
        assert!(bad(good, bad_one, good).starts_with("HTTP_PROXY is a SOCKS proxy"));
        assert!(bad(good, good, bad_one).starts_with("ALL_PROXY is a SOCKS proxy"));
        assert!(!bad(good, good, bad_one).contains("word"));
    }
}
