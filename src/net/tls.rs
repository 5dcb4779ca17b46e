//! TLS in and out: which versions, whose certificates, and what is wrong with a file.
//!
//! The provider is named here and nowhere else. TLS 1.2 is spoken with forward secrecy and
//! authenticated ciphers only, which is all the provider has.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme,
};

use crate::limits::PEM_FILE_BYTES_MAX;
use crate::secret::Secret;
use crate::sys::files::{self, BadFile, Concern};

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
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

impl Acceptor {
    /// A server's certificate chain and key; also what is odd about the key's file.
    pub(crate) fn load(
        cert: &Path,
        key: &Path,
        clients: Clients<'_>,
    ) -> Result<(Self, Vec<(PathBuf, Concern)>), BadTls> {
        let (chain, _) = certificates(cert)?;
        let (secret, concerns) = private_key(key)?;
        let pair = |error| BadTls::Pair(key.to_owned(), error);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .map_err(pair)?
            .with_client_cert_verifier(clients.verifier()?)
            .with_single_cert(chain, secret)
            .map_err(pair)?;
        // A client that speaks only HTTP/2 learns it in the handshake.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
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
            Self::Keys => Ok(Arc::new(AnyKey(provider()))),
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
            builder.with_client_auth_cert(certificates(&cert)?.0, private_key(&key)?.0).map_err(pair)?
        } else {
            builder.with_no_client_auth()
        };
        Ok(Self(Arc::new(config)))
    }

    /// Trusts exactly the certificates of a file, whatever name they carry.
    pub(crate) fn pinned(cert: &Path) -> Result<Self, BadTls> {
        let verifier = Pinned { certificates: certificates(cert)?.0, provider: provider() };
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .map_err(|error| BadTls::Root(cert.to_owned(), error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    pub(super) fn session(&self, host: &str) -> io::Result<ClientConnection> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))?;
        ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)
    }
}

fn read(path: &Path) -> Result<(Secret<Vec<u8>>, Vec<Concern>), BadTls> {
    let taken = files::read_trusted(path, PEM_FILE_BYTES_MAX);
    let taken = taken.map_err(|why| BadTls::File(path.to_owned(), why))?;
    Ok((taken.bytes, taken.concerns))
}

fn certificates(path: &Path) -> Result<(Vec<CertificateDer<'static>>, Vec<Concern>), BadTls> {
    let (bytes, concerns) = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes.expose()).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok((chain, concerns)),
        _ => Err(BadTls::NoCertificate(path.to_owned())),
    }
}

fn roots(path: &Path) -> Result<RootCertStore, BadTls> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)?.0 {
        roots.add(certificate).map_err(|error| BadTls::Root(path.to_owned(), error))?;
    }
    Ok(roots)
}

fn private_key(path: &Path) -> Result<(PrivateKeyDer<'static>, Vec<Concern>), BadTls> {
    let (bytes, concerns) = read(path)?;
    let key = PrivateKeyDer::from_pem_slice(bytes.expose());
    Ok((key.map_err(|_| BadTls::NoKey(path.to_owned()))?, concerns))
}

/// Takes whatever certificate a client shows, as long as its key is Ed25519 and the client holds
/// it: that is all a self-signed certificate can prove, and all that is used of it.
#[derive(Debug)]
struct AnyKey(Arc<CryptoProvider>);

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

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// Compares the whole certificate instead of following a chain.
#[derive(Debug)]
struct Pinned {
    certificates: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.certificates.iter().any(|known| known == end_entity) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer))
        }
    }

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

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
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
        }
    }
}
