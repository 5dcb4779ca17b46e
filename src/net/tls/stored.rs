//! Certificates and keys as they lie in files, and which file says whom this system trusts.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::BadTls;
use crate::limits::PEM_FILE_BYTES_MAX;
use crate::secret::Secret;
use crate::sys::files::{self, BadFile, Concern};

/// Where systems keep the authorities they trust; the first of them that can be used is.
pub(crate) const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

fn read(path: &Path) -> Result<(Secret<Vec<u8>>, Vec<Concern>), BadTls> {
    let taken = files::read_trusted(path, PEM_FILE_BYTES_MAX);
    let taken = taken.map_err(|why| BadTls::File(path.to_owned(), why))?;
    Ok((taken.bytes, taken.concerns))
}

pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BadTls> {
    let (bytes, _) = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes.expose()).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(BadTls::NoCertificate(path.to_owned())),
    }
}

pub(super) fn private_key(path: &Path) -> Result<(PrivateKeyDer<'static>, Vec<Concern>), BadTls> {
    let (bytes, concerns) = read(path)?;
    let key = PrivateKeyDer::from_pem_slice(bytes.expose());
    Ok((key.map_err(|_| BadTls::NoKey(path.to_owned()))?, concerns))
}

/// The authorities of a file somebody named: each of them must be one.
pub(super) fn roots(path: &Path) -> Result<RootCertStore, BadTls> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| BadTls::Root(path.to_owned(), error))?;
    }
    Ok(roots)
}

/// The authorities of the system. Nobody here chose what is in its file, so what cannot be read of it
/// is passed over; and so is a file, as long as there is another.
pub(super) fn bundle(places: &[&str]) -> Result<RootCertStore, BadTls> {
    let mut unused = None;
    for place in places.iter().map(Path::new) {
        let bytes = match read(place) {
            Ok((bytes, _)) => bytes,
            Err(BadTls::File(_, BadFile::Unreadable(error)))
                if error.kind() == std::io::ErrorKind::NotFound =>
            {
                continue;
            }
            Err(bad) => {
                unused.get_or_insert(bad);
                continue;
            }
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(bytes.expose()).flatten());
        if !roots.is_empty() {
            return Ok(roots);
        }
        unused.get_or_insert(BadTls::NoCertificate(place.to_owned()));
    }
    Err(unused.unwrap_or(BadTls::NoBundle))
}
