//! Every credential that is in force at a time.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::exposure::{Acknowledged, Controller, Exposure};
use super::hashed::Hashed;
use super::keyring::Keyring;
use super::token::{Tokens, digest};
use super::{Grant, Principal, Token};
use crate::permits::Permits;
use crate::shared::Shared;

/// Every credential that is good at a time.
pub(super) enum Guard {
    Open(Acknowledged),
    Guarded(Guarded),
    Tunnel(Tunnel),
    Errand(Errand),
}

/// What is in force, and how often it was replaced.
pub(super) struct InForce {
    guard: Shared<Arc<Guard>>,
    /// Asked before the guard is, which is worth it only when there is a new one.
    generation: AtomicU64,
}

/// Whoever comes is this one, who was let in elsewhere, for as long as that one would be let in there.
pub(super) struct Errand {
    pub(super) principal: Principal,
    elsewhere: Arc<InForce>,
    /// The generation in which it was still good.
    seen: AtomicU64,
}

impl InForce {
    pub(super) fn new(guard: Guard) -> Self {
        Self { guard: Shared::new(Arc::new(guard)), generation: AtomicU64::new(1) }
    }

    pub(super) fn get(&self) -> Arc<Guard> {
        self.guard.with(|guard| Arc::clone(guard))
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Puts another in its place, made of the one before, where there is another.
    pub(super) fn replace<R>(&self, next: impl FnOnce(&Guard) -> (Option<Guard>, R)) -> R {
        let told = self.guard.with(|guard| {
            let (next, told) = next(guard);
            if let Some(next) = next {
                *guard = Arc::new(next);
            }
            told
        });
        self.generation.fetch_add(1, Ordering::SeqCst);
        told
    }
}

impl Errand {
    pub(super) fn new(principal: Principal, elsewhere: Arc<InForce>) -> Self {
        Self { principal, elsewhere, seen: AtomicU64::new(0) }
    }

    /// Whether it still would be let in, from there.
    pub(super) fn is_good(&self, peer: IpAddr, now_secs: u64) -> bool {
        let generation = self.elsewhere.generation();
        if self.seen.load(Ordering::Relaxed) != generation {
            if !self.elsewhere.get().marks().contains(&self.principal.mark()) {
                return false;
            }
            self.seen.store(generation, Ordering::Relaxed);
        }
        match &self.principal {
            Principal::Anyone | Principal::Token(_) => true,
            Principal::Key(key) => key.admits(peer, now_secs).is_ok(),
        }
    }
}

pub(super) struct Guarded {
    pub(super) tokens: Tokens,
    pub(super) hashed: Option<(Arc<Token>, Arc<Hashed>)>,
    pub(super) keyring: Option<Arc<Keyring>>,
}

/// Whose word counts that comes through a controller.
pub(super) struct Tunnel {
    pub(super) controller: Arc<Token>,
    pub(super) keyring: Option<Arc<Keyring>>,
    pub(super) requires_signature: bool,
}

impl Guard {
    /// Keeps digests of the secrets; the secrets themselves are wiped. A hash that stays keeps what
    /// it has learned.
    pub(super) fn new(exposure: Exposure, before: Option<&Self>, derivations: &Permits) -> Self {
        let credentials = match exposure {
            Exposure::Open(acknowledged) => return Self::Open(acknowledged),
            Exposure::Tunnel(controller) => return Self::Tunnel(Tunnel::new(controller)),
            Exposure::Guarded(credentials) => credentials,
        };
        let known = before.and_then(|guard| match guard {
            Self::Guarded(guarded) => guarded.hashed.as_ref(),
            Self::Open(_) | Self::Tunnel(_) | Self::Errand(_) => None,
        });
        let grant = Grant::of(credentials.allow);
        let hashed = credentials.hash.map(|(name, phc, text)| {
            let token = Arc::new(Token::new(name, grant.clone(), &digest(text.expose().as_bytes())));
            match known {
                Some((before, hashed)) if before.mark == token.mark => (token, Arc::clone(hashed)),
                _ => (token, Arc::new(Hashed::new(vec![phc], derivations.clone()))),
            }
        });
        let tokens = Tokens::new(credentials.tokens, &grant);
        Self::Guarded(Guarded { tokens, hashed, keyring: credentials.keyring.map(Arc::new) })
    }

    pub(super) fn keyring(&self) -> Option<&Keyring> {
        match self {
            Self::Open(_) | Self::Errand(_) => None,
            Self::Guarded(guarded) => guarded.keyring.as_deref(),
            Self::Tunnel(tunnel) => tunnel.keyring.as_deref(),
        }
    }

    pub(super) fn marks(&self) -> HashSet<u64> {
        match self {
            Self::Open(_) => HashSet::from([Principal::Anyone.mark()]),
            Self::Guarded(guarded) => {
                let keys = marks_of(guarded.keyring.as_deref());
                let hashed = guarded.hashed.iter().map(|(token, _)| token.mark);
                guarded.tokens.marks().chain(hashed).chain(keys).collect()
            }
            Self::Tunnel(tunnel) => {
                marks_of(tunnel.keyring.as_deref()).chain([tunnel.controller.mark]).collect()
            }
            Self::Errand(errand) => HashSet::from([errand.principal.mark()]),
        }
    }
}

impl Tunnel {
    fn new(controller: Controller) -> Self {
        let Controller { allow, keyring, requires_signature } = controller;
        // No secret tells this one from others: there is only one controller.
        let controller = Arc::new(Token::new("controller", Grant::of(allow), &[0; 32]));
        Self { controller, keyring: keyring.map(Arc::new), requires_signature }
    }
}

fn marks_of(keyring: Option<&Keyring>) -> impl Iterator<Item = u64> {
    keyring.into_iter().flat_map(Keyring::iter).map(|key| Principal::Key(Arc::clone(key)).mark())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::exposure::{Credential, Credentials};
    use crate::secret::Secret;

    fn guarded(token: &str) -> Guard {
        let token = Secret::new(token.to_owned());
        let tokens = vec![Credential { name: "TOKEN", token }];
        let exposure = Exposure::Guarded(Credentials { tokens, ..Credentials::default() });
        Guard::new(exposure, None, &Permits::new(1))
    }

    fn holder(guard: &Guard) -> Principal {
        let Guard::Guarded(guarded) = guard else { panic!("not guarded") };
        guarded.tokens.find(b"first-token-of-some-length").unwrap()
    }

    #[test]
    fn who_acts_for_a_caller_may_as_long_as_the_caller_could() {
        let guard = guarded("first-token-of-some-length");
        let principal = holder(&guard);
        let in_force = Arc::new(InForce::new(guard));
        let errand = Errand::new(principal, Arc::clone(&in_force));
        let peer = IpAddr::from([192, 0, 2, 1]);
        assert!(errand.is_good(peer, 0));
        in_force.replace(|_| (Some(guarded("first-token-of-some-length")), ()));
        assert!(errand.is_good(peer, 0), "the same credential, read anew");
        in_force.replace(|_| (None, ()));
        assert!(errand.is_good(peer, 0));
        in_force.replace(|_| (Some(guarded("second-token-of-some-length")), ()));
        assert!(!errand.is_good(peer, 0));
        assert!(!errand.is_good(peer, 0), "asked again");
    }
}
