//! TLS in and out: which versions, whose certificates, and what is wrong with a file.
//!
//! The provider is named here and nowhere else. TLS 1.2 is spoken with forward secrecy and
//! authenticated ciphers only, which is all the provider has.

mod stored;
mod trouble;
mod verify;

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

use crate::sys::files::{BadFile, Concern};
pub(crate) use stored::BUNDLES;
use stored::{bundle, certificates, private_key, roots};
pub(crate) use trouble::{Trouble, trouble};
use verify::{AnyKey, Unchained};

/// Takes part in handshakes others begin.
#[derive(Clone)]
pub(crate) struct Acceptor(Arc<ServerConfig>);

/// Begins handshakes.
#[derive(Clone)]
pub(crate) struct Connector(Arc<ClientConfig>);

/// What is wrong with a certificate or a key.
#[derive(Debug)]
pub(crate) enum BadTls {
    File(PathBuf, BadFile),
    NoCertificate(PathBuf),
    NoKey(PathBuf),
    /// The two do not belong together, or are of a kind that is not spoken.
    Pair(PathBuf, rustls::Error),
    Root(PathBuf, rustls::Error),
    /// This system has no file of authorities it trusts.
    NoBundle,
    /// The provider lacks what we speak.
    Provider(rustls::Error),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// What is spoken over it, in the handshake's words.
const HTTP_11: &[u8] = b"http/1.1";

const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

impl Acceptor {
    /// A server's certificate chain and key; also what is odd about the key's file.
    pub(crate) fn load(
        cert: &Path,
        key: &Path,
        clients: Clients<'_>,
    ) -> Result<(Self, Vec<(PathBuf, Concern)>), BadTls> {
        let chain = certificates(cert)?;
        let (secret, concerns) = private_key(key)?;
        let pair = |error| BadTls::Pair(key.to_owned(), error);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .map_err(pair)?
            .with_client_cert_verifier(clients.verifier()?)
            .with_single_cert(chain, secret)
            .map_err(pair)?;
        // A client that speaks only HTTP/2 learns it in the handshake.
        config.alpn_protocols = vec![HTTP_11.to_vec()];
        let concerns = concerns.into_iter().map(|concern| (key.to_owned(), concern)).collect();
        Ok((Self(Arc::new(config)), concerns))
    }

    pub(super) fn session(&self) -> io::Result<ServerConnection> {
        ServerConnection::new(Arc::clone(&self.0)).map_err(io::Error::other)
    }
}

/// Which certificates a server lets its clients show. None of them must.
#[derive(Clone, Copy)]
pub(crate) enum Clients<'p> {
    /// None is asked for.
    Nobody,
    /// Any with an Ed25519 key, which the handshake proves they hold; whose it is, `auth` decides.
    Keys,
    /// Those, where an authority in this file signed them.
    Under(&'p Path),
}

impl Clients<'_> {
    fn verifier(self) -> Result<Arc<dyn ClientCertVerifier>, BadTls> {
        match self {
            Self::Nobody => Ok(Arc::new(NoClientAuth)),
            Self::Keys => Ok(Arc::new(AnyKey::new(provider()))),
            Self::Under(ca) => {
                let roots = Arc::new(roots(ca)?);
                let builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
                let verifier = builder.allow_unauthenticated().build();
                Ok(verifier.map_err(|_| BadTls::NoCertificate(ca.to_owned()))?)
            }
        }
    }
}

impl Connector {
    /// Docker's own layout of a directory: `ca.pem`, and `cert.pem` with `key.pem` where the
    /// Engine asks for a client certificate.
    pub(crate) fn docker(dir: &Path) -> Result<Self, BadTls> {
        let ca = dir.join("ca.pem");
        let roots = roots(&ca)?;
        let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
        let pair = |error| BadTls::Pair(key.clone(), error);
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .map_err(pair)?
            .with_root_certificates(roots);
        let config = if cert.exists() || key.exists() {
            builder.with_client_auth_cert(certificates(&cert)?, private_key(&key)?.0).map_err(pair)?
        } else {
            builder.with_no_client_auth()
        };
        Ok(Self(Arc::new(config)))
    }

    /// Trusts exactly the certificates of a file, whatever name they carry.
    pub(crate) fn pinned(cert: &Path) -> Result<Self, BadTls> {
        Self::unchained(Unchained::pinned(certificates(cert)?, provider()), &[])
    }

    /// For a controller: whoever an authority of this file vouches for, or else one of the system's.
    pub(crate) fn controller(ca: Option<&Path>) -> Result<Self, BadTls> {
        let roots = match ca {
            Some(ca) => roots(ca)?,
            None => bundle(BUNDLES)?,
        };
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = builder.with_protocol_versions(VERSIONS).map_err(BadTls::Provider)?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![HTTP_11.to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// Encrypts, and believes whoever answers.
    pub(crate) fn unverified() -> Result<Self, BadTls> {
        Self::unchained(Unchained::anybody(provider()), &[HTTP_11])
    }

    fn unchained(verifier: Unchained, protocols: &[&[u8]]) -> Result<Self, BadTls> {
        let verifier: Arc<dyn ServerCertVerifier> = Arc::new(verifier);
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = builder.with_protocol_versions(VERSIONS).map_err(BadTls::Provider)?;
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Self(Arc::new(config)))
    }

    pub(super) fn session(&self, host: &str) -> io::Result<ClientConnection> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))?;
        ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)
    }
}

impl fmt::Display for BadTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, why) => write!(f, "{} {why}", path.display()),
            Self::NoCertificate(path) => write!(f, "{} holds no PEM certificate", path.display()),
            Self::NoKey(path) => write!(f, "{} holds no PEM private key", path.display()),
            Self::Pair(path, error) => {
                write!(f, "the key in {} does not go with its certificate: {error}", path.display())
            }
            Self::Root(path, error) => {
                write!(f, "a certificate in {} cannot be trusted: {error}", path.display())
            }
            Self::NoBundle => write!(
                f,
                "no file of trusted authorities is here ({}): mount one of them, or name one with CA_CERT",
                BUNDLES.join(", ")
            ),
            Self::Provider(error) => write!(f, "TLS cannot be spoken: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
