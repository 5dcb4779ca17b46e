//! Enrollment: whoever shows the one-time token may add a key, and the token is spent by that.
//!
//! The token is spent by success only: otherwise whoever guesses wrong could end enrollment for all.

mod refusal;

pub(crate) use refusal::NotEnrolled;

use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use data_encoding::{BASE64, HEXLOWER};
use subtle::ConstantTimeEq;

use super::gate::Gate;
use super::key::{KeyId, PublicKey};
use super::keyring::{self, Comment, Key, Keyring};
use super::throttle::Throttle;
use super::token::digest;
use crate::clock;
use crate::limits::{
    FAILING_PEERS_MAX, FAILURE_WINDOW_SECS, FAILURES_PER_PEER_MAX, KEYRING_FILE_BYTES_MAX,
    SPENT_FILE_BYTES_MAX,
};
use crate::log::{self, text};
use crate::secret::Secret;
use crate::shared::Shared;
use crate::sys::files::{self, BadFile};
use crate::sys::lines::{Lines, NotAdded};
use refusal::{BadPublicKey, Trouble};

/// What the operator says about enrollment.
pub(crate) struct EnrollmentTerms {
    pub(crate) token: Secret<String>,
    pub(crate) keys_file: PathBuf,
}

/// Lets keys in, one at a time.
pub(crate) struct Enrollment {
    terms: Shared<Option<Arc<Terms>>>,
    turn: Shared<()>,
    /// Its own, so that nobody's failed enrollments lock anybody out of the agent.
    throttle: Throttle,
}

struct Terms {
    /// Of the token, which is wiped.
    digest: [u8; 32],
    keys_file: PathBuf,
    /// Where tokens that are spent are kept, each as the digest of its digest: nobody can show that.
    spent_file: PathBuf,
    /// Known without the file, which somebody may take away.
    is_spent: AtomicBool,
}

impl Enrollment {
    pub(super) fn new(terms: Option<EnrollmentTerms>) -> Self {
        let throttle = Throttle::new(FAILURES_PER_PEER_MAX, FAILURE_WINDOW_SECS, FAILING_PEERS_MAX);
        Self { terms: Shared::new(terms.map(Terms::new)), turn: Shared::new(()), throttle }
    }

    /// Puts other terms in force. A token that stays keeps being spent.
    pub(crate) fn replace(&self, terms: Option<EnrollmentTerms>) {
        let next = terms.map(Terms::new);
        self.terms.with(|terms| match (&*terms, &next) {
            (Some(old), Some(new)) if old.digest == new.digest && old.keys_file == new.keys_file => {}
            _ => *terms = next,
        });
    }

    pub(crate) fn is_offered(&self) -> bool {
        self.terms.with(|terms| terms.is_some())
    }

    /// Nothing is enrolled meanwhile: whoever reads the keys file and puts it in force must not
    /// drop a key that was added in between.
    pub(crate) fn pause<R>(&self, meanwhile: impl FnOnce() -> R) -> R {
        self.turn.with(|()| meanwhile())
    }

    /// Whether an attempt from there is looked at.
    pub(crate) fn check(&self, peer: IpAddr) -> Result<(), NotEnrolled> {
        self.throttle.check(peer, clock::unix()).map_err(|late| NotEnrolled::Throttled(late.0))
    }

    /// A failure counts against its address, and is hidden behind the limit once that is reached.
    pub(crate) fn count(&self, why: NotEnrolled, peer: IpAddr) -> NotEnrolled {
        if !why.is_counted() {
            return why;
        }
        if let Err(throttled) = self.check(peer) {
            return throttled;
        }
        self.throttle.fail(peer, clock::unix());
        why
    }

    /// The key in force, after the token was spent on it. A key that is in force already is not
    /// added again; its holder, who never saw our answer, may ask as often as needed.
    pub(crate) fn enroll(
        &self,
        gate: &Gate,
        peer: IpAddr,
        token: &[u8],
        public_key: &str,
    ) -> Result<Arc<Key>, NotEnrolled> {
        self.turn.with(|()| {
            self.check(peer)?;
            let terms = self.terms.with(|terms| terms.clone()).ok_or(NotEnrolled::WrongToken)?;
            terms.enroll(gate, peer, token, public_key).map_err(|why| self.count(why, peer))
        })
    }
}

impl Terms {
    fn new(terms: EnrollmentTerms) -> Arc<Self> {
        let EnrollmentTerms { token, keys_file } = terms;
        let mut spent_file = keys_file.clone().into_os_string();
        spent_file.push(".enrolled");
        Arc::new(Self {
            digest: digest(token.expose().as_bytes()),
            keys_file,
            spent_file: spent_file.into(),
            is_spent: AtomicBool::new(false),
        })
    }

    fn enroll(
        &self,
        gate: &Gate,
        peer: IpAddr,
        token: &[u8],
        public_key: &str,
    ) -> Result<Arc<Key>, NotEnrolled> {
        if !bool::from(digest(token).ct_eq(&self.digest)) {
            return Err(NotEnrolled::WrongToken);
        }
        let public = parse(public_key).map_err(NotEnrolled::Key)?;
        let id = public.id();
        let known = match gate.find_key(&public) {
            Some(key) => admitted(&key, peer).map(|()| Some(key))?,
            None => None,
        };
        let failed = |trouble| NotEnrolled::failed(id, trouble);
        match (known, self.is_spent().map_err(failed)?) {
            (Some(key), true) => Ok(key),
            (None, true) => Err(NotEnrolled::Spent(id)),
            (Some(key), false) => {
                let mut spent = self.open_spent().map_err(failed)?;
                self.spend(&mut spent).map_err(failed)?;
                Ok(key)
            }
            (None, false) => {
                // Opened first: most of what can go wrong does so before anything is changed.
                let mut keys = self.open_keys().map_err(failed)?;
                let mut spent = self.open_spent().map_err(failed)?;
                if self.holds_mark(spent.before()) {
                    return Err(NotEnrolled::Spent(id));
                }
                self.let_in(gate, peer, &public, &mut keys, &mut spent)
            }
        }
    }

    /// Adds the key to the file, puts the file in force, and spends the token; or none of it.
    fn let_in(
        &self,
        gate: &Gate,
        peer: IpAddr,
        public: &PublicKey,
        keys: &mut Lines,
        spent: &mut Lines,
    ) -> Result<Arc<Key>, NotEnrolled> {
        let id = public.id();
        let failed = |trouble| NotEnrolled::failed(id, trouble);
        let before = self.keyring(keys.before()).map_err(failed)?;
        let line = keyring::line(public, &comment(id));
        let added = match before.find_public(public) {
            // Somebody wrote it there, and it is not in force yet.
            Some(key) => admitted(key, peer).map(|()| Ok(()))?,
            None => keys.add(&line).map_err(|why| Trouble::Lines(self.keys_file.clone(), why)),
        };
        let proven = added.and_then(|()| self.reread(public));
        let proven = proven.and_then(|keyring| {
            gate.replace_keyring(keyring);
            let key = gate.find_key(public).ok_or(Trouble::NotInForce)?;
            self.spend(spent).inspect_err(|_| gate.replace_keyring(before))?;
            Ok(key)
        });
        proven.map_err(|trouble| {
            if let Err(worse) = keys.take_back() {
                let worse = Trouble::Lines(self.keys_file.clone(), worse);
                log::error("enrollment.not_taken_back", &[("key", text(&id)), ("error", text(&worse))]);
            }
            failed(trouble)
        })
    }

    /// The file as the next start would read it. The key must be in it.
    fn reread(&self, public: &PublicKey) -> Result<Keyring, Trouble> {
        let taken = files::read_trusted(&self.keys_file, KEYRING_FILE_BYTES_MAX)
            .map_err(|bad| Trouble::Lines(self.keys_file.clone(), NotAdded::Bad(bad)))?;
        let keyring = self.keyring(taken.bytes.expose())?;
        if keyring.find_public(public).is_some() { Ok(keyring) } else { Err(Trouble::NotInForce) }
    }

    /// By the rules of the start.
    fn keyring(&self, bytes: &[u8]) -> Result<Keyring, Trouble> {
        let bad = |bad| Trouble::Keyring(self.keys_file.clone(), bad);
        Keyring::parse(bytes).map_err(bad)
    }

    fn is_spent(&self) -> Result<bool, Trouble> {
        if self.is_spent.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let is_spent = match files::read_trusted(&self.spent_file, SPENT_FILE_BYTES_MAX) {
            Ok(taken) => self.holds_mark(taken.bytes.expose()),
            Err(BadFile::Unreadable(error)) if error.kind() == ErrorKind::NotFound => false,
            Err(bad) => return Err(Trouble::Lines(self.spent_file.clone(), NotAdded::Bad(bad))),
        };
        self.is_spent.store(is_spent, Ordering::Relaxed);
        Ok(is_spent)
    }

    fn open_keys(&self) -> Result<Lines, Trouble> {
        Lines::open(&self.keys_file, KEYRING_FILE_BYTES_MAX)
            .map_err(|why| Trouble::Lines(self.keys_file.clone(), why))
    }

    fn open_spent(&self) -> Result<Lines, Trouble> {
        Lines::open_own(&self.spent_file, SPENT_FILE_BYTES_MAX)
            .map_err(|why| Trouble::Lines(self.spent_file.clone(), why))
    }

    fn spend(&self, spent: &mut Lines) -> Result<(), Trouble> {
        spent.add(&self.mark()).map_err(|why| Trouble::Lines(self.spent_file.clone(), why))?;
        self.is_spent.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn mark(&self) -> String {
        HEXLOWER.encode(&digest(&self.digest))
    }

    fn holds_mark(&self, bytes: &[u8]) -> bool {
        let mark = self.mark();
        bytes.split(|&byte| byte == b'\n').any(|line| line.trim_ascii() == mark.as_bytes())
    }
}

/// A key that stands in the file and is not good is nobody's success.
fn admitted(key: &Key, peer: IpAddr) -> Result<(), NotEnrolled> {
    key.admits(peer, clock::unix().as_secs()).map_err(|barred| NotEnrolled::Barred(key.id, barred))
}

/// What a line says of a key that let itself in.
fn comment(id: KeyId) -> Comment {
    Comment::parse(&format!("enrolled:{id}")).unwrap_or_default()
}

fn parse(encoded: &str) -> Result<PublicKey, BadPublicKey> {
    let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| BadPublicKey::Base64)?;
    let bytes = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| BadPublicKey::Length(bytes.len()))?;
    PublicKey::from_bytes(&bytes).map_err(BadPublicKey::Key)
}

#[cfg(test)]
mod tests;
