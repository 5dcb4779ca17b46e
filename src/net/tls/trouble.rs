//! What a handshake failed of, as far as somebody can mend it.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

/// What is the matter with the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// No authority we trust signed its certificate.
    Issuer,
    /// Its certificate is for other names.
    Name,
    Expired,
    NotYetValid,
    /// What it answers is no TLS.
    Plain,
    /// It does not speak HTTP/1.1.
    Protocol,
    /// It has no version or cipher in common with us.
    Version,
}

/// What stopped a handshake; `None` where it was something else, or not TLS at all.
pub(crate) fn trouble(error: &io::Error) -> Option<Trouble> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    if let Error::InvalidCertificate(why) = error {
        return of_certificate(why);
    }
    if matches!(error, Error::InvalidMessage(InvalidMessage::InvalidContentType)) {
        return Some(Trouble::Plain);
    }
    let alert = |wanted| matches!(error, Error::AlertReceived(alert) if *alert == wanted);
    if matches!(error, Error::NoApplicationProtocol) || alert(AlertDescription::NoApplicationProtocol) {
        return Some(Trouble::Protocol);
    }
    let is_version = matches!(error, Error::PeerIncompatible(_))
        || alert(AlertDescription::ProtocolVersion)
        || alert(AlertDescription::HandshakeFailure);
    is_version.then_some(Trouble::Version)
}

fn of_certificate(why: &CertificateError) -> Option<Trouble> {
    use CertificateError as C;
    // One of ours has its issuer's name, and not its key.
    if matches!(why, C::UnknownIssuer | C::BadSignature) {
        Some(Trouble::Issuer)
    } else if matches!(why, C::NotValidForName | C::NotValidForNameContext { .. }) {
        Some(Trouble::Name)
    } else if matches!(why, C::Expired | C::ExpiredContext { .. }) {
        Some(Trouble::Expired)
    } else if matches!(why, C::NotValidYet | C::NotValidYetContext { .. }) {
        Some(Trouble::NotYetValid)
    } else {
        None
    }
}
