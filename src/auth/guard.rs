//! Every credential that is in force at a time.

use std::collections::HashSet;
use std::sync::Arc;

use super::exposure::{Acknowledged, Controller, Exposure};
use super::hashed::Hashed;
use super::keyring::Keyring;
use super::token::{Tokens, digest};
use super::{Grant, Principal, Token};
use crate::permits::Permits;

/// Every credential that is good at a time.
pub(super) enum Guard {
    Open(Acknowledged),
    Guarded(Guarded),
    Tunnel(Tunnel),
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
            Self::Open(_) | Self::Tunnel(_) => None,
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
            Self::Open(_) => None,
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
