//! Standard mode: which credential a request carries, and whether it is good.
//!
//! A signature is never taken for anything else, however bad; a certificate comes next; a token
//! last. Whoever proves a key is not held up by what others got wrong from the same address.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::certificate::{BadCertificate, ed25519_key_of};
use super::denied::Denied;
use super::enroll::{Enrollment, EnrollmentTerms};
use super::exposure::Exposure;
use super::guard::{Errand, Guard, Guarded, InForce, Tunnel};
use super::hashed::HashDenied;
use super::key::PublicKey;
use super::keyring::{Key, Keyring};
use super::networks::{Network, client};
use super::nonces::{Nonces, Refused};
use super::signature::{Claim, SignatureDenied, Window};
use super::throttle::Throttle;
use super::token::{digest, presented};
use super::{Authenticated, Principal};
use crate::clock::{self, Deadline};
use crate::http::{Body, BodyError, Request, RequestHead};
use crate::limits::{
    ARGON2_AT_ONCE_MAX, FAILING_PEERS_MAX, FAILURE_WINDOW_SECS, FAILURES_PER_PEER_MAX, HELD_BODY_SECS,
    HELD_FREE_BYTES, QUEUE_SECS, SIGNED_BODIES_MAX, SIGNED_BODY_BYTES_MAX, SKEW_WARN_SECS,
};
use crate::log::{self, number, text};
use crate::permits::Permits;

/// What the operator says about who may come in.
pub(crate) struct Settings {
    pub(crate) exposure: Exposure,
    /// How far a signature's stamp may lie from our clock.
    pub(crate) skew_secs: u64,
    pub(crate) nonces_per_key: usize,
    /// Whom a version 3 signature must be meant for; without it none is good.
    pub(crate) audience: Option<String>,
    /// Whose word about the client's address is believed.
    pub(crate) trusted_proxies: Vec<Network>,
    /// How a key may let itself in, where it may.
    pub(crate) enrollment: Option<EnrollmentTerms>,
}

/// What becomes of a body whose digest its head declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bodies {
    /// It is held and compared before anything is passed on.
    Hold,
    /// It is an archive of any size: it streams, and its end is held back until it is right.
    Stream,
}

/// Checks credentials.
pub(crate) struct Gate {
    pub(crate) enrollment: Enrollment,
    in_force: Arc<InForce>,
    skew_secs: u64,
    started: Duration,
    audience: Option<String>,
    trusted_proxies: Vec<Network>,
    nonces: Nonces,
    throttle: Throttle,
    derivations: Permits,
    held_bodies: Permits,
}

/// What a connection knows of its caller.
#[derive(Default)]
pub(crate) struct Pass {
    generation: u64,
    guard: Option<Arc<Guard>>,
    /// The key of the certificate the client showed.
    certificate: Option<Result<PublicKey, BadCertificate>>,
}

impl Pass {
    /// The pass of a connection whose client showed this certificate, or none.
    pub(crate) fn new(certificate: Option<&[u8]>) -> Self {
        let key = |der: &[u8]| {
            let key = ed25519_key_of(der, clock::unix().as_secs())?;
            PublicKey::from_bytes(&key).map_err(|_| BadCertificate::NotEd25519)
        };
        Self { certificate: certificate.map(key), ..Self::default() }
    }
}

impl Gate {
    pub(crate) fn new(settings: Settings) -> Self {
        let derivations = Permits::new(ARGON2_AT_ONCE_MAX);
        let guard = Guard::new(settings.exposure, None, &derivations);
        Self {
            enrollment: Enrollment::new(settings.enrollment),
            in_force: Arc::new(InForce::new(guard)),
            skew_secs: settings.skew_secs,
            started: clock::unix(),
            audience: settings.audience,
            trusted_proxies: settings.trusted_proxies,
            nonces: Nonces::new(settings.nonces_per_key),
            throttle: Throttle::new(FAILURES_PER_PEER_MAX, FAILURE_WINDOW_SECS, FAILING_PEERS_MAX),
            derivations,
            held_bodies: Permits::new(SIGNED_BODIES_MAX),
        }
    }

    /// The gate of a private door: whoever comes through is `principal`, for as long as that one is let in here.
    pub(crate) fn for_errand(&self, principal: Principal) -> Self {
        let derivations = Permits::new(0);
        let guard = Guard::Errand(Errand::new(principal, Arc::clone(&self.in_force)));
        Self {
            enrollment: Enrollment::new(None),
            in_force: Arc::new(InForce::new(guard)),
            skew_secs: self.skew_secs,
            started: self.started,
            audience: None,
            trusted_proxies: Vec::new(),
            nonces: Nonces::new(0),
            throttle: Throttle::new(FAILURES_PER_PEER_MAX, FAILURE_WINDOW_SECS, FAILING_PEERS_MAX),
            derivations,
            held_bodies: Permits::new(0),
        }
    }

    /// Places for what checking takes, by name.
    pub(crate) fn pools(&self) -> [(&'static str, Permits); 2] {
        [("signed_bodies", self.held_bodies.clone()), ("derivations", self.derivations.clone())]
    }

    /// Whom a request speaks for: its peer, or whom a proxy we trust names.
    pub(crate) fn client_of(&self, peer: IpAddr, head: &RequestHead<'_>) -> IpAddr {
        if self.trusted_proxies.is_empty() {
            return peer.to_canonical();
        }
        let mut real_ip = head.values("x-real-ip");
        let only = real_ip.next().filter(|_| real_ip.next().is_none());
        client(peer, &self.trusted_proxies, head.values("x-forwarded-for"), only)
    }

    /// Puts other credentials in force at once. Says which marks are still good.
    pub(crate) fn replace(&self, exposure: Exposure) -> HashSet<u64> {
        self.in_force.replace(|guard| {
            let next = Guard::new(exposure, Some(guard), &self.derivations);
            let marks = next.marks();
            if let Some(keyring) = next.keyring() {
                self.nonces.forget(|id| keyring.find(&id).is_some(), clock::unix().as_secs());
            }
            (Some(next), marks)
        })
    }

    /// Puts other keys in force, beside the credentials there are.
    pub(super) fn replace_keyring(&self, keyring: Keyring) {
        self.in_force.replace(|guard| match guard {
            Guard::Guarded(guarded) => {
                let (tokens, hashed) = (guarded.tokens.clone(), guarded.hashed.clone());
                let keyring = Some(Arc::new(keyring));
                (Some(Guard::Guarded(Guarded { tokens, hashed, keyring })), ())
            }
            Guard::Open(_) | Guard::Tunnel(_) | Guard::Errand(_) => (None, ()),
        });
    }

    /// That key, while it is in force.
    pub(super) fn find_key(&self, public: &PublicKey) -> Option<Arc<Key>> {
        let guard = self.in_force.get();
        guard.keyring().and_then(|keyring| keyring.find_public(public).cloned())
    }

    /// Whether a credential is still good after it was marked on its connection. One that ended in
    /// between was missed by whoever went through the connections.
    pub(crate) fn confirms(&self, pass: &Pass, mark: u64) -> bool {
        pass.generation == self.in_force.generation() || self.in_force.get().marks().contains(&mark)
    }

    pub(crate) fn admit<'c>(
        &self,
        pass: &mut Pass,
        mut request: Request<'c>,
        bodies: Bodies,
    ) -> Result<Authenticated<Request<'c>>, Denied> {
        let generation = self.in_force.generation();
        if pass.generation != generation {
            pass.guard = Some(self.in_force.get());
            pass.generation = generation;
        }
        let principal = match pass.guard.as_deref() {
            None | Some(Guard::Open(_)) => Principal::Anyone,
            Some(Guard::Guarded(guarded)) => {
                let identified = self.identify(guarded, pass.certificate.as_ref(), &mut request, bodies);
                identified.map_err(|denied| self.count(denied, request.peer))?
            }
            Some(Guard::Tunnel(tunnel)) => {
                let identified = self.relayed(tunnel, &mut request, bodies);
                identified.map_err(|denied| self.count(denied, request.peer))?
            }
            Some(Guard::Errand(errand)) if errand.is_good(request.peer, clock::unix().as_secs()) => {
                errand.principal.clone()
            }
            Some(Guard::Errand(_)) => return Err(Denied::Ended),
        };
        Ok(Authenticated { inner: request, principal })
    }

    fn identify(
        &self,
        guarded: &Guarded,
        certificate: Option<&Result<PublicKey, BadCertificate>>,
        request: &mut Request<'_>,
        bodies: Bodies,
    ) -> Result<Principal, Denied> {
        if let Some(keyring) = &guarded.keyring {
            if let Some(claim) = Claim::parse(&request.head)? {
                return self.signed(keyring, &claim, request, bodies).map(Principal::Key);
            }
            if let Some(shown) = certificate {
                return certified(keyring, shown, request.peer).map(Principal::Key);
            }
        }
        self.throttle.check(request.peer, clock::unix()).map_err(|late| Denied::Throttled(late.0))?;
        let token = presented(&request.head)?;
        if let Some(principal) = guarded.tokens.find(token) {
            return Ok(principal);
        }
        let Some((token_of_hash, hashed)) = &guarded.hashed else { return Err(Denied::BadToken) };
        match hashed.check(token, Deadline::after_secs(QUEUE_SECS)) {
            Ok(()) => Ok(Principal::Token(Arc::clone(token_of_hash))),
            Err(HashDenied::Wrong) => Err(Denied::BadToken),
            Err(HashDenied::Busy) => Err(Denied::Busy),
        }
    }

    /// What came through the controller is the controller's, unless somebody signed it.
    fn relayed(
        &self,
        tunnel: &Tunnel,
        request: &mut Request<'_>,
        bodies: Bodies,
    ) -> Result<Principal, Denied> {
        match (Claim::parse(&request.head)?, &tunnel.keyring) {
            (Some(claim), Some(keyring)) => self.signed(keyring, &claim, request, bodies).map(Principal::Key),
            (Some(_), None) => Err(SignatureDenied::UnknownKey.into()),
            (None, _) if tunnel.requires_signature => Err(Denied::NotSigned),
            (None, _) => Ok(Principal::Token(Arc::clone(&tunnel.controller))),
        }
    }

    /// A signed request. The nonce is spent last, so that only what was signed uses it up.
    fn signed(
        &self,
        keyring: &Keyring,
        claim: &Claim<'_>,
        request: &mut Request<'_>,
        bodies: Bodies,
    ) -> Result<Arc<Key>, Denied> {
        let window = Window { now: clock::unix(), started: self.started, skew_secs: self.skew_secs };
        let key = claim.precheck(keyring, &self.nonces, window)?;
        bar(&key, request.peer)?;
        let body = match claim.declared_body() {
            Some(declared) => declared,
            None => self.hash(&mut request.body)?,
        };
        let head = &request.head;
        let audience = match (claim.declared_body(), &self.audience) {
            (None, _) => "",
            (Some(_), Some(audience)) => audience,
            (Some(_), None) => {
                log::warn("auth.no_agent_id", &[("key", text(&key.id))]);
                return Err(SignatureDenied::InvalidSignature.into());
            }
        };
        claim.verify(&key.public, head.method, &head.target, &body, audience)?;
        // Anew: reading a body may have taken longer than the stamp is good for.
        let window = Window { now: clock::unix(), ..window };
        claim.spend(key.id, &self.nonces, window).map_err(|refused| {
            if refused == Refused::Full {
                log::error("auth.nonces_full", &[("key", text(&key.id))]);
            }
            SignatureDenied::from(refused)
        })?;
        match (claim.declared_body(), bodies) {
            (None, _) => {}
            (Some(declared), Bodies::Stream) => request.body.announce(declared).map_err(Denied::Body)?,
            // An Engine acts on JSON before it has seen its end, so it sees none that is not good.
            (Some(declared), Bodies::Hold) if self.hash(&mut request.body)? == declared => {}
            (Some(_), Bodies::Hold) => return Err(Denied::Body(BodyError::Forged)),
        }
        if let Some(skew) = claim.skew(window).filter(|skew| skew.as_secs() > SKEW_WARN_SECS) {
            log::warn("auth.clock_skew", &[("key", text(&key.id)), ("seconds", number(skew.as_secs()))]);
        }
        Ok(key)
    }

    /// Holds a whole body, so that it can be hashed before anything is done with it.
    fn hash(&self, body: &mut Body<'_>) -> Result<[u8; 32], Denied> {
        let deadline = Deadline::after_secs(HELD_BODY_SECS);
        let mut take_place = || self.held_bodies.take_within(Duration::from_secs(QUEUE_SECS));
        match body.hold(SIGNED_BODY_BYTES_MAX, HELD_FREE_BYTES, deadline, &mut take_place) {
            Ok(bytes) => Ok(digest(bytes)),
            Err(BodyError::NoPlace) => Err(Denied::Busy),
            Err(error) => Err(Denied::Body(error)),
        }
    }

    /// A caller turned out to be somebody else when its body ended.
    pub(crate) fn note_forgery(&self, peer: IpAddr) {
        self.throttle.fail(peer, clock::unix());
    }

    /// A failure counts against its address, and is hidden behind the limit once that is reached.
    fn count(&self, denied: Denied, peer: IpAddr) -> Denied {
        if !denied.is_counted() {
            return denied;
        }
        let now = clock::unix();
        if let Err(late) = self.throttle.check(peer, now) {
            return Denied::Throttled(late.0);
        }
        self.throttle.fail(peer, now);
        denied
    }
}

/// A client certificate: the handshake proved that the client holds its key.
fn certified(
    keyring: &Keyring,
    shown: &Result<PublicKey, BadCertificate>,
    peer: IpAddr,
) -> Result<Arc<Key>, Denied> {
    let public = shown.as_ref().map_err(|bad| Denied::Certificate(*bad))?;
    let key = keyring.find_public(public).ok_or(Denied::Signature(SignatureDenied::UnknownKey))?;
    bar(key, peer)?;
    Ok(Arc::clone(key))
}

/// A key that ended, or is used from elsewhere, is as good as unknown.
fn bar(key: &Key, peer: IpAddr) -> Result<(), Denied> {
    key.admits(peer, clock::unix().as_secs()).map_err(|barred| {
        log::warn(
            "auth.key_barred",
            &[("key", text(&key.id)), ("peer", text(&peer)), ("why", text(&barred))],
        );
        Denied::Signature(SignatureDenied::UnknownKey)
    })
}
