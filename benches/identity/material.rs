//! What callers prove themselves with, made by the very program that is measured.
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::requests::TOKEN;
use crate::signer::Signer;

/// What the server's certificate is made out to.
pub(crate) const SERVER_NAME: &str = "localhost";
/// A PKCS#8 Ed25519 key without attributes: its seed is what it ends with.
const PRIVATE_KEY_BYTES: usize = 48;
const SEED_BYTES: usize = 32;

pub(crate) struct Material {
    /// `lookout hash-token` of the token.
    pub(crate) hash: String,
    server: PathBuf,
    client: PathBuf,
}

impl Material {
    pub(crate) fn make(program: &Path, directory: &Path) -> io::Result<Self> {
        let (server, client) = (directory.join("server"), directory.join("client"));
        run(program, &["cert", "--host", SERVER_NAME, "--out", &server.to_string_lossy()], "")?;
        run(program, &["keygen", "--out", &client.to_string_lossy()], "")?;
        let hash = run(program, &["hash-token"], TOKEN)?.trim().to_owned();
        Ok(Self { hash, server, client })
    }

    pub(crate) fn server_certificate(&self) -> PathBuf {
        self.server.join("cert.pem")
    }

    pub(crate) fn server_key(&self) -> PathBuf {
        self.server.join("key.pem")
    }

    /// The file of one line that lets the client's key in.
    pub(crate) fn authorized_keys(&self) -> PathBuf {
        self.client.join("authorized_key")
    }

    pub(crate) fn signer(&self) -> io::Result<Signer> {
        let key = PrivateKeyDer::from_pem_file(self.client.join("key.pem")).map_err(io::Error::other)?;
        let der = key.secret_der();
        match der.last_chunk::<SEED_BYTES>() {
            Some(seed) if der.len() == PRIVATE_KEY_BYTES => Ok(Signer::new(seed)),
            _ => Err(io::Error::other("keygen made a private key of another size")),
        }
    }

    /// A client that trusts the server's certificate and, if asked to, shows its own.
    pub(crate) fn tls(&self, with_certificate: bool) -> io::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.server_certificate())? {
            roots.add(certificate).map_err(io::Error::other)?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots);
        let config = if with_certificate {
            let chain = certificates(&self.client.join("cert.pem"))?;
            let key = PrivateKeyDer::from_pem_file(self.client.join("key.pem")).map_err(io::Error::other)?;
            builder.with_client_auth_cert(chain, key).map_err(io::Error::other)?
        } else {
            builder.with_no_client_auth()
        };
        Ok(Arc::new(config))
    }
}

fn certificates(file: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_file_iter(file).and_then(Iterator::collect).map_err(io::Error::other)
}

/// Runs a command of Lookout to its end and gives what it printed.
fn run(program: &Path, arguments: &[&str], input: &str) -> io::Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // Who reads nothing may have ended already.
        let _ = writeln!(stdin, "{input}");
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(io::Error::other);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("lookout {} ended with {}: {said}", arguments.join(" "), output.status)))
}
