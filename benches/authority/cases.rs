//! What is compared: each request as one with limits asks it, beside the same as one with none asks it.
use std::io;

use crate::agents::{KEYS, Key, Lets};
use crate::answers::{self, CONTAINER, CONTAINERS, LABEL, SECRET};
use crate::requests::TOKEN;
use crate::signer::{Signer, Version};

/// As `docker create -p 8080:80 …` and `docker create --network shop-net …` send them.
const CREATE: &str = include_str!("../../tests/fixtures/bodies/create-published.json");
const CREATE_IN_NETWORK: &str = include_str!("../../tests/fixtures/bodies/create-network.json");

/// One request, and who asks it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    asks: Asks,
    limited: Caller,
    /// The least share of what is answered to somebody without limits.
    pub(crate) target: Option<f64>,
}

#[derive(Clone, Copy)]
enum Asks {
    Version,
    Create(&'static str),
    List,
    Inspect,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// With a token of these classes.
    Token(&'static str),
    Key(Key),
}

impl Caller {
    /// Only keys sign.
    pub(crate) fn signer(self) -> Option<Signer> {
        match self {
            Self::Token(_) => None,
            Self::Key(key) => Some(key.signer()),
        }
    }
}

/// Whether the limits of a case hold for a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    All,
    Limited,
}

const fn case(name: &'static str, asks: Asks, limited: Caller) -> Case {
    Case { name, asks, limited, target: None }
}

pub(crate) const CASES: [Case; 8] = [
    Case { target: Some(0.98), ..case("small GET, its class checked", Asks::Version, Caller::Token("view")) },
    case("create, its body judged", Asks::Create(CREATE), Caller::Token("create")),
    case("create that joins a network", Asks::Create(CREATE_IN_NETWORK), Caller::Token("create")),
    case("inspect, blanked", Asks::Inspect, Caller::Token("view")),
    case("inspect in a scope, blanked", Asks::Inspect, Caller::Key(KEYS[1])),
    case("list of 500, blanked", Asks::List, Caller::Token("view")),
    case("list of 500 in a scope", Asks::List, Caller::Key(KEYS[2])),
    case("list of 500 in a scope, blanked", Asks::List, Caller::Key(KEYS[1])),
];

/// Every agent that the cases need.
pub(crate) const AGENTS: [Lets; 4] =
    [Lets::Token("all"), Lets::Token("view"), Lets::Token("create"), Lets::Keys];

impl Case {
    pub(crate) fn caller(&self, side: Side) -> Caller {
        match (side, self.limited) {
            (Side::Limited, limited) => limited,
            (Side::All, Caller::Token(_)) => Caller::Token("all"),
            (Side::All, Caller::Key(_)) => Caller::Key(KEYS[0]),
        }
    }

    fn target(&self) -> String {
        match self.asks {
            Asks::Version => "/v1.41/version".to_owned(),
            Asks::Create(_) => "/v1.41/containers/create?name=web".to_owned(),
            Asks::List => "/v1.41/containers/json?all=1".to_owned(),
            Asks::Inspect => format!("/v1.41/containers/{CONTAINER}/json"),
        }
    }

    /// The request, signed or with the token.
    pub(crate) fn request(&self, signer: Option<&mut Signer>) -> Vec<u8> {
        let body = if let Asks::Create(body) = self.asks { body } else { "" };
        self.written(&self.target(), body, signer)
    }

    /// What one with these limits must not be granted.
    pub(crate) fn forbidden(&self, signer: Option<&mut Signer>) -> Vec<u8> {
        match self.asks {
            Asks::Create(body) => {
                let body = body.replacen("\"Privileged\":false", "\"Privileged\":true", 1);
                self.written(&self.target(), &body, signer)
            }
            Asks::Version | Asks::List | Asks::Inspect => {
                self.written(&format!("/v1.41/containers/{CONTAINER}/logs?stdout=1"), "", signer)
            }
        }
    }

    fn written(&self, target: &str, body: &str, signer: Option<&mut Signer>) -> Vec<u8> {
        let (method, length) = (if body.is_empty() { "GET" } else { "POST" }, body.len());
        let credential = match signer {
            None => format!("Authorization: Bearer {TOKEN}\r\n"),
            Some(signer) => signer.fields(Version::V2, target),
        };
        let content = match length {
            0 => String::new(),
            _ => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
        };
        let agent = "Host: docker.example\r\nUser-Agent: Docker-Client/20.10.24 (linux)\r\n";
        format!("{method} {target} HTTP/1.1\r\n{agent}{credential}{content}\r\n{body}").into_bytes()
    }

    pub(crate) fn status(&self) -> u64 {
        if matches!(self.asks, Asks::Create(_)) { 201 } else { 200 }
    }

    /// Whether an answer is what this case says that it is: otherwise something else is measured.
    pub(crate) fn check(&self, side: Side, told: &[u8]) -> io::Result<()> {
        let sent = match self.asks {
            Asks::Version => answers::version(),
            Asks::Create(_) => answers::created(),
            Asks::List => answers::containers(),
            Asks::Inspect => answers::container(),
        };
        let told = String::from_utf8_lossy(told);
        let is_blanked = matches!(self.asks, Asks::List | Asks::Inspect)
            && side == Side::Limited
            && self.limited != Caller::Key(KEYS[2]);
        let label = format!("\"{}\":\"{}\"", LABEL.0, LABEL.1);
        let count = if matches!(self.asks, Asks::List) { CONTAINERS } else { 1 };
        let is_well = if is_blanked {
            !told.contains(SECRET) && told.contains("***") && told.matches(&label).count() == count
        } else {
            told.trim_end() == sent.trim_end()
        };
        if is_well {
            return Ok(());
        }
        Err(io::Error::other(format!("answered with {} bytes that are not as they should be", told.len())))
    }
}
