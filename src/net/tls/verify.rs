//! Whose certificate is taken without a chain that leads to an authority, and what is checked of it.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};

/// The peer signed the handshake with the key of the certificate it shows: checked always, and alike.
macro_rules! proves_to_hold_its_key {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
        }
    };
}

/// Takes whatever certificate a client shows, as long as its key is Ed25519 and the client holds
/// it: that is all a self-signed certificate can prove, and all that is used of it.
#[derive(Debug)]
pub(super) struct AnyKey {
    provider: Arc<CryptoProvider>,
}

impl AnyKey {
    pub(super) fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider }
    }
}

impl ClientCertVerifier for AnyKey {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    proves_to_hold_its_key!();

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// Looks at a server's certificate alone: no chain, no name, no dates.
#[derive(Debug)]
pub(super) struct Unchained {
    /// Compared as a whole; `None` takes any.
    pinned: Option<Vec<CertificateDer<'static>>>,
    provider: Arc<CryptoProvider>,
}

impl Unchained {
    pub(super) fn pinned(certificates: Vec<CertificateDer<'static>>, provider: Arc<CryptoProvider>) -> Self {
        Self { pinned: Some(certificates), provider }
    }

    pub(super) fn anybody(provider: Arc<CryptoProvider>) -> Self {
        Self { pinned: None, provider }
    }
}

impl ServerCertVerifier for Unchained {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.pinned.as_ref().is_none_or(|pinned| pinned.contains(end_entity)) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer))
        }
    }

    proves_to_hold_its_key!();

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
