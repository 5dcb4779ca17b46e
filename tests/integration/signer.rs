//! Signs requests as a client of its own would: keys, drafts that can be bent, and the files that list keys.
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, SystemTime};

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest, Sha256};

use crate::agent::Agent;
use crate::engine::{Engine, Home};
use crate::message::Message;
use crate::patience::until;

/// What agents here are called; version 3 is meant for one of them.
pub(crate) const AGENT_ID: &str = "agent-1";

/// One client's key.
pub(crate) struct Signer(SigningKey);

impl Signer {
    /// A key that no other seed has.
    pub(crate) fn new(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]))
    }

    /// The beginning of the public key's digest.
    pub(crate) fn id(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(self.0.verifying_key().as_bytes())[..8])
    }

    /// Its line in the file of keys, with a newline.
    pub(crate) fn line(&self) -> String {
        self.line_of("somebody")
    }

    pub(crate) fn line_of(&self, comment: &str) -> String {
        format!("ed25519 {} {comment}\n", BASE64.encode(self.0.verifying_key().as_bytes()))
    }

    /// The same key as SSH writes it.
    pub(crate) fn ssh_line(&self) -> String {
        let wire =
            [b"\0\0\0\x0bssh-ed25519\0\0\0\x20", self.0.verifying_key().as_bytes().as_slice()].concat();
        format!("ssh-ed25519 {} somebody@somewhere\n", BASE64.encode(&wire))
    }

    fn signature(&self, message: &str) -> String {
        BASE64URL_NOPAD.encode(&self.0.sign(message.as_bytes()).to_bytes())
    }

    /// A signed request with this body and its length.
    pub(crate) fn request(&self, version: u8, line: &str, body: &str) -> Vec<u8> {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let fields = Draft::new(version, line, body).fields(self);
        [head(line, &(fields + &length)), body.to_owned()].concat().into_bytes()
    }
}

/// What is signed, before it is. A test bends one part of it and sees what that is worth.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) version: u8,
    pub(crate) line: String,
    pub(crate) body_sha256: String,
    pub(crate) stamp: String,
    pub(crate) nonce: String,
    pub(crate) audience: String,
    pub(crate) dialect: &'static str,
}

impl Draft {
    pub(crate) fn new(version: u8, line: &str, body: impl AsRef<[u8]>) -> Self {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).expect("random bytes");
        Self {
            version,
            line: line.to_owned(),
            body_sha256: sha256(body),
            stamp: now().to_string(),
            nonce: HEXLOWER.encode(&nonce),
            audience: AGENT_ID.to_owned(),
            dialect: "X-Lookout-",
        }
    }

    pub(crate) fn message(&self) -> String {
        let (method, target) = self.line.split_once(' ').expect("a method and a target");
        let common = [method, target, &self.body_sha256, &self.stamp, &self.nonce].join("\n");
        match self.version {
            1 | 2 => common,
            _ => format!("LOOKOUT-ED25519-V3\n{common}\n{}", self.audience),
        }
    }

    /// The header lines of a request signed with this key.
    pub(crate) fn fields(&self, signer: &Signer) -> String {
        self.fields_with(&signer.id(), &signer.signature(&self.message()))
    }

    pub(crate) fn fields_with(&self, id: &str, signature: &str) -> String {
        let Self { dialect, stamp, nonce, .. } = self;
        let mut fields = format!(
            "{dialect}Key-ID: {id}\r\n{dialect}Timestamp: {stamp}\r\n{dialect}Nonce: {nonce}\r\n\
             {dialect}Signature: {signature}\r\n"
        );
        if self.version > 1 {
            fields += &format!("{dialect}Signature-Version: {}\r\n", self.version);
        }
        if self.version == 3 {
            fields += &format!("{dialect}Content-SHA256: {}\r\n", self.body_sha256);
        }
        fields
    }
}

/// A head without any other credential.
pub(crate) fn head(line: &str, fields: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: lookout\r\n{fields}\r\n")
}

pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes.as_ref()))
}

/// Seconds since 1970, as this machine counts them.
pub(crate) fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("a clock past 1970").as_secs()
}

/// Returns in a later second than it was called in.
pub(crate) fn next_second() {
    let begun = now();
    until("the clock goes on", || (now() > begun).then_some(()));
}

/// A field that makes a request come from an address nobody else here has, where the agent believes it.
pub(crate) fn elsewhere() -> String {
    let mut bytes = [0; 3];
    getrandom::fill(&mut bytes).expect("random bytes");
    format!("X-Forwarded-For: 10.{}.{}.{}\r\n", bytes[0], bytes[1], bytes[2])
}

/// Writes a file only its owner can read, and says where.
pub(crate) fn file(home: &Home, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = home.path(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// An agent that takes signatures of these keys, and its usual token. It believes what this machine
/// says of addresses, and what is signed from now on was signed after its start.
pub(crate) fn agent(engine: &Engine, keys: &str, more: &[(&str, &str)]) -> Agent {
    let fixed = [("AUTHORIZED_KEYS", keys), ("AGENT_ID", AGENT_ID), ("TRUSTED_PROXIES", "127.0.0.1")];
    let agent = Agent::start_with(engine, &[&fixed, more].concat());
    next_second();
    agent
}

/// The status, and for a refusal its reason.
pub(crate) fn verdict(answer: &Message) -> (u16, Option<&str>) {
    if answer.status() == 401 {
        answer.sentence();
        assert_eq!(answer.head.value("www-authenticate"), Some("Bearer"), "{:?}", answer.head);
    }
    (answer.status(), answer.head.value("x-lookout-reason"))
}

/// Waits for a line of the log that holds all of these.
pub(crate) fn logged(agent: &Agent, parts: &[&str]) -> String {
    until(&format!("the log has a line with {parts:?}"), || {
        let log = agent.log();
        let line = log.lines().find(|line| parts.iter().all(|part| line.contains(part)));
        line.map(str::to_owned)
    })
}

/// Tells the agent to read its files anew, and waits until it says how that went.
pub(crate) fn reload(agent: &Agent) -> String {
    let told = |log: &str| {
        let is_outcome =
            |line: &&str| line.contains("\"agent.reloaded\"") || line.contains("\"agent.reload_refused\"");
        log.lines().filter(is_outcome).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = told(&agent.log()).len();
    agent.signal("HUP");
    until("the agent has read its files", || {
        let mut outcomes = told(&agent.log());
        (outcomes.len() > before).then(|| outcomes.remove(before))
    })
}

/// A pause that only makes it likely that something else runs meanwhile.
pub(crate) fn breathe() {
    thread::sleep(Duration::from_millis(1));
}
