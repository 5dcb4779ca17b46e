//! To whom the agent is open. There is no third way to listen; a tunnel does not listen.

use std::net::IpAddr;

use super::class::Classes;
use super::keyring::Keyring;
use super::phc::Phc;
use crate::secret::Secret;

/// A secret a caller may show, and the variable it came from.
pub(crate) struct Credential {
    pub(crate) name: &'static str,
    pub(crate) token: Secret<String>,
}

/// Everything that opens the door.
#[derive(Default)]
pub(crate) struct Credentials {
    pub(crate) tokens: Vec<Credential>,
    /// The variable it came from, the hash, and its text.
    pub(crate) hash: Option<(&'static str, Phc, Secret<String>)>,
    pub(crate) keyring: Option<Keyring>,
    /// What tokens and the hash grant; keys say it themselves.
    pub(crate) allow: Classes,
}

/// Guarded by credentials, or open because the operator said so for that very address; or not open at
/// all, but to the one controller that the agent itself has called.
pub(crate) enum Exposure {
    Guarded(Credentials),
    Open(Acknowledged),
    Tunnel(Controller),
}

/// What a controller may do.
pub(crate) struct Controller {
    pub(crate) allow: Classes,
    /// Whose signatures may come through it.
    pub(crate) keyring: Option<Keyring>,
    /// What the Engine is asked must be signed by one of them.
    pub(crate) requires_signature: bool,
}

/// The operator's acknowledgements cover the address.
#[derive(Debug)]
pub(crate) struct Acknowledged(());

impl Acknowledged {
    /// Loopback needs the first acknowledgement, every other address both.
    pub(crate) fn covering(address: IpAddr, local: bool, remote: bool) -> Option<Self> {
        let covered = local && (address.to_canonical().is_loopback() || remote);
        covered.then_some(Self(()))
    }

    /// Health and metrics alone, on loopback, where the operator asked for them there.
    pub(crate) fn operations(address: IpAddr) -> Option<Self> {
        address.to_canonical().is_loopback().then_some(Self(()))
    }
}

#[cfg(test)]
mod tests {
    use super::Acknowledged;

    #[test]
    fn beyond_loopback_both_acknowledgements_are_needed() {
        for (address, local, remote, covered) in [
            ("127.0.0.1", false, false, false),
            ("127.0.0.1", false, true, false),
            ("127.0.0.1", true, false, true),
            ("::1", true, false, true),
            ("::ffff:127.0.0.1", true, false, true),
            ("0.0.0.0", true, false, false),
            ("192.0.2.1", true, false, false),
            ("192.0.2.1", true, true, true),
            ("::", true, true, true),
        ] {
            let given = Acknowledged::covering(address.parse().unwrap(), local, remote);
            assert_eq!(given.is_some(), covered, "{address} {local} {remote}");
        }
    }

    #[test]
    fn health_and_metrics_are_told_without_a_credential_on_loopback_only() {
        for (address, is_open) in [
            ("127.0.0.1", true),
            ("127.8.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("0.0.0.0", false),
            ("::", false),
            ("192.0.2.1", false),
            ("::ffff:192.0.2.1", false),
        ] {
            assert_eq!(Acknowledged::operations(address.parse().unwrap()).is_some(), is_open, "{address}");
        }
    }
}
