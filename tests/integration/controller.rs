//! A controller by script: where agents call, encrypted or not, and what becomes of a call.
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha1::{Digest, Sha1};

use crate::edge_link::Link;
use crate::message::{Head, Wire};
use crate::patience::{PATIENCE, until};

/// Appended to the key of an upgrade before it is hashed, RFC 6455 §1.3.
const ACCEPT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The bytes of one call, encrypted or not.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(into),
            Self::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// Where agents call.
pub(crate) struct Controller {
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
}

impl Controller {
    pub(crate) fn start() -> Self {
        Self::at(0)
    }

    /// On this very port.
    pub(crate) fn at(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a port");
        listener.set_nonblocking(true).unwrap();
        Self { listener, tls: None }
    }

    /// One that shows a certificate.
    pub(crate) fn with_tls(cert: &str, key: &str) -> Self {
        let certificate = CertificateDer::from_pem_slice(cert.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        Self { tls: Some(Arc::new(config)), ..Self::start() }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        format!("{scheme}://127.0.0.1:{}", self.port())
    }

    /// A connection that is there already.
    pub(crate) fn waiting(&self) -> Option<Stream> {
        let stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Err(error) => panic!("no connection is accepted: {error}"),
        };
        stream.set_nonblocking(false).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Some(match &self.tls {
            None => Stream::Plain(stream),
            Some(config) => {
                let session = ServerConnection::new(Arc::clone(config)).unwrap();
                Stream::Tls(Box::new(StreamOwned::new(session, stream)))
            }
        })
    }

    /// The next connection, of which nothing was read yet.
    pub(crate) fn accept(&self) -> Stream {
        until("the agent connects", || self.waiting())
    }

    /// The next call. Whoever leaves before the end of its head was only knocking.
    pub(crate) fn call(&self) -> Call {
        until("the agent calls", || Call::read(self.accept()).ok())
    }

    /// Takes a call and upgrades it.
    pub(crate) fn link(&self) -> Link {
        self.call().upgrade()
    }

    /// Nobody connects for so long. A slow machine makes this see less, never fail.
    pub(crate) fn expect_no_call_for(&self, span: Duration) {
        let end = Instant::now() + span;
        while Instant::now() < end {
            assert!(self.waiting().is_none(), "the agent called again within {span:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A call that has asked for an upgrade.
pub(crate) struct Call {
    stream: Stream,
    pub(crate) head: Head,
}

impl Call {
    /// Reads a head, or says that none came.
    pub(crate) fn read(mut stream: Stream) -> Result<Self, String> {
        let head = Wire::new(&mut stream).head().map_err(|cut| format!("{cut:?}"))?;
        Ok(Self { stream, head })
    }

    /// What the path of the upgrade is.
    pub(crate) fn path(&self) -> &str {
        self.head.target()
    }

    /// Answers otherwise, and closes.
    pub(crate) fn refuse(self, status: &str, fields: &str) {
        self.answer(format!("HTTP/1.1 {status}\r\n{fields}Content-Length: 0\r\nConnection: close\r\n\r\n"));
    }

    /// Answers in these very words; the connection stays until what is given is dropped.
    pub(crate) fn answer(mut self, text: impl AsRef<[u8]>) -> Stream {
        // The agent may have left.
        let _ = self.stream.write_all(text.as_ref());
        self.stream
    }

    /// What belongs behind `Sec-WebSocket-Accept`.
    pub(crate) fn accept_key(&self) -> String {
        let key = self.head.value("sec-websocket-key").expect("a key");
        BASE64.encode(&Sha1::digest(format!("{key}{ACCEPT}").as_bytes()))
    }

    pub(crate) fn upgrade(self) -> Link {
        self.upgrade_with(b"")
    }

    /// With bytes that come right behind the answer.
    pub(crate) fn upgrade_with(self, early: &[u8]) -> Link {
        let accept = self.accept_key();
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        let stream = self.answer([head.as_bytes(), early].concat());
        Link::over(stream)
    }
}
