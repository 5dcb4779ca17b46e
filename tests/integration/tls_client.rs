//! A TLS client that shows a certificate or none, and the files the binary makes for both sides.
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use data_encoding::BASE64;
use ed25519_dalek::{Signer as _, SigningKey};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

use crate::agent::run;
use crate::engine::Home;
use crate::message::{Head, Message, Wire};
use crate::patience::PATIENCE;

/// What one side shows: a certificate and its key, in PEM.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) cert: String,
    pub(crate) key: String,
    /// For a client: its line in the file of keys.
    pub(crate) line: String,
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs `lookout keygen --out`.
pub(crate) fn keygen(home: &Home, name: &str) -> Shown {
    let dir = home.path(name);
    let ended = run(&["keygen", "--comment", name, "--out", dir.to_str().unwrap()], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.words());
    Shown {
        cert: read(&dir.join("cert.pem")),
        key: read(&dir.join("key.pem")),
        line: read(&dir.join("authorized_key")),
    }
}

/// Runs `lookout cert --out` for this machine; says where the files are.
pub(crate) fn server_cert(home: &Home, name: &str) -> [String; 2] {
    let dir = home.path(name);
    let arguments = ["cert", "--host", "localhost", "--host", "127.0.0.1", "--out", dir.to_str().unwrap()];
    let ended = run(&arguments, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.words());
    ["cert.pem", "key.pem"].map(|file| dir.join(file).to_str().unwrap().to_owned())
}

/// The DER inside a PEM text of one block.
fn der(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    BASE64.decode(lines.as_bytes()).expect("base64 between the dashes")
}

/// The same certificate with another validity, signed anew by its own key. Times are of the form
/// `YYMMDDHHMMSSZ`.
pub(crate) fn valid_between(shown: &Shown, from: &str, to: &str) -> Shown {
    let mut cert = der(&shown.cert);
    let seed: [u8; 32] = *der(&shown.key).last_chunk().expect("a key ends with its seed");
    let is_time = |at: &usize| cert[*at..].starts_with(b"\x17\x0d") && cert[*at + 14] == b'Z';
    let places: Vec<_> = (0..cert.len() - 15).filter(is_time).collect();
    assert_eq!(places.len(), 2, "a certificate has two times");
    for (place, time) in places.into_iter().zip([from, to]) {
        cert[place + 2..place + 15].copy_from_slice(time.as_bytes());
    }
    // What is signed is the first thing inside: one byte of tag, then its length.
    let length_at = |at: usize| match cert[at] {
        0x81 => (2, usize::from(cert[at + 1])),
        0x82 => (3, usize::from(cert[at + 1]) << 8 | usize::from(cert[at + 2])),
        short => (1, usize::from(short)),
    };
    let begin = 1 + length_at(1).0;
    let (bytes, length) = length_at(begin + 1);
    let signed = cert[begin..begin + 1 + bytes + length].to_owned();
    let end = cert.len();
    cert[end - 64..].copy_from_slice(&SigningKey::from_bytes(&seed).sign(&signed).to_bytes());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", BASE64.encode(&cert));
    Shown { cert: pem, ..shown.clone() }
}

/// A connection after its handshake.
pub(crate) struct TlsClient(Wire<StreamOwned<ClientConnection, TcpStream>>);

impl TlsClient {
    /// Connects to an agent whose certificate is in this file.
    pub(crate) fn connect(port: u16, trusted: &str, shown: Option<&Shown>) -> Self {
        Self::with_version(port, trusted, shown, &rustls::version::TLS13)
    }

    pub(crate) fn with_version(
        port: u16,
        trusted: &str,
        shown: Option<&Shown>,
        version: &'static SupportedProtocolVersion,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(read(trusted.as_ref()).as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        let config = match shown {
            None => builder.with_no_client_auth(),
            Some(shown) => {
                let cert = CertificateDer::from_pem_slice(shown.cert.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![cert], key).unwrap()
            }
        };
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the agent listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        Self(Wire::new(StreamOwned::new(session, stream)))
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        io::Write::write_all(self.0.stream_mut(), bytes.as_ref())
    }

    /// Sends, and in the same breath says that nothing more comes.
    pub(crate) fn send_and_finish(&mut self, bytes: &[u8]) {
        let stream = self.0.stream_mut();
        io::Write::write_all(&mut stream.conn.writer(), bytes).unwrap();
        stream.conn.send_close_notify();
        while stream.conn.wants_write() {
            stream.conn.write_tls(&mut stream.sock).expect("the agent reads on");
        }
    }

    /// One exchange, or why there was none.
    pub(crate) fn try_ask(&mut self, bytes: impl AsRef<[u8]>) -> Result<Message, String> {
        self.send(bytes).map_err(|error| error.to_string())?;
        let head = self.0.head().map_err(|cut| format!("{cut:?}"))?;
        let body = self.0.body(head.length()).map_err(|cut| format!("{cut:?}"))?;
        Ok(Message { head, body })
    }

    pub(crate) fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Message {
        self.try_ask(bytes).unwrap_or_else(|why| panic!("no answer through TLS: {why}"))
    }

    pub(crate) fn head(&mut self) -> Head {
        self.0.head().unwrap_or_else(|cut| panic!("no head through TLS: {cut:?}"))
    }

    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        self.0.take(count).unwrap_or_else(|cut| panic!("no {count} bytes through TLS: {cut:?}"))
    }

    /// Waits for the end of the connection, however it comes.
    pub(crate) fn expect_end(&mut self) {
        match self.0.some() {
            Ok([]) => {}
            Ok(more) => panic!("more came instead of an end: {:?}", String::from_utf8_lossy(more)),
            Err(error) => {
                let is_late = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
                assert!(!is_late, "the connection stayed open: {error}");
            }
        }
    }
}
