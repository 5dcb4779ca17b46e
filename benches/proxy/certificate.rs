//! The certificate that every peer shows within TLS, made by the program that is measured.
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::Resumption;

use crate::configurations::Certificate;
use crate::material::Material;

pub(crate) fn make(lookout: &Path, directory: &Path) -> io::Result<Certificate> {
    let material = Material::make(lookout, directory)?;
    let (chain, key) = (material.server_certificate(), material.server_key());
    let both = directory.join("both.pem");
    fs::write(&both, [fs::read(&chain)?, fs::read(&key)?].concat())?;
    let mut client = ClientConfig::clone(&*material.tls(false)?);
    // Every handshake is a whole one, whatever a peer offers.
    client.resumption = Resumption::disabled();
    Ok(Certificate { chain, key, both, client: Arc::new(client) })
}
