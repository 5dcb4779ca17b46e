//! A client's connection to the agent that listens: encrypted, strictly read, each answer noted for the trail.
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::agent::TOKEN;
use crate::message::{Head, Length, Wire};
use crate::tally::{Fault, Side, Tally};
use crate::tls_client::Shown;

/// Nothing takes this long unless it hangs: more than the agent gives the Engine, and lines come far more often.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// How a refusal for want of a record is told, which for that reason has no record.
pub(crate) const UNRECORDED: &str = "the audit trail cannot be written";

/// What a client shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Certificate,
    Token,
    /// Nothing, or a signature.
    Nobody,
}

/// Where the agent is, and which certificates of its are trusted today.
pub(crate) struct Door {
    port: u16,
    shown: Shown,
    /// With a certificate of the client's, and without.
    trust: RwLock<[Arc<ClientConfig>; 2]>,
}

impl Door {
    pub(crate) fn new(port: u16, shown: Shown, trusted: &[&str]) -> Self {
        let trust = RwLock::new([config(trusted, Some(&shown)), config(trusted, None)]);
        Self { port, shown, trust }
    }

    /// From now on these and no others. Nothing of older sessions is resumed.
    pub(crate) fn trust(&self, trusted: &[&str]) {
        *self.trust.write().unwrap() = [config(trusted, Some(&self.shown)), config(trusted, None)];
    }

    pub(crate) fn open<'t>(&self, tally: &'t Tally, who: Who) -> Result<Line<'t>, Fault> {
        let trust = self.trust.read().unwrap();
        let config = Arc::clone(&trust[usize::from(who != Who::Certificate)]);
        drop(trust);
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from("localhost").expect("a name");
        let session = ClientConnection::new(config, name).map_err(std::io::Error::other)?;
        Ok(Line { wire: Wire::new(StreamOwned::new(session, stream)), who, tally })
    }
}

fn config(trusted: &[&str], shown: Option<&Shown>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for pem in trusted {
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.unwrap().with_root_certificates(roots);
    Arc::new(match shown {
        None => builder.with_no_client_auth(),
        Some(shown) => {
            let cert = CertificateDer::from_pem_slice(shown.cert.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![cert], key).unwrap()
        }
    })
}

/// A connection that may be kept for the next request.
pub(crate) struct Line<'t> {
    wire: Wire<StreamOwned<ClientConnection, TcpStream>>,
    who: Who,
    tally: &'t Tally,
}

impl Line<'_> {
    /// Sends a request, and reads the head of a good answer. Any other is read whole and told.
    pub(crate) fn ask(&mut self, line: &str, fields: &str, body: &[u8]) -> Result<Head, Fault> {
        let number = self.tally.number();
        let credential = match self.who {
            Who::Token => format!("Authorization: Bearer {TOKEN}\r\n"),
            Who::Certificate | Who::Nobody => String::new(),
        };
        let head = format!(
            "{line} HTTP/1.1\r\nHost: lookout\r\nUser-Agent: soak/{number}\r\n{credential}{fields}\r\n"
        );
        // An answer may come before all of the body was taken.
        let sent = self.send(&[head.as_bytes(), body].concat());
        let head = match (self.wire.head(), sent) {
            (Ok(head), _) => head,
            (Err(_), Err(fault)) => return Err(fault),
            (Err(cut), Ok(())) => return Err(cut.into()),
        };
        let status = head.status();
        let is_good = status == 101 || (200..300).contains(&status);
        let told = if is_good { String::new() } else { self.text(head.length())? };
        // What is public is in no trail.
        let is_public = ["GET /health", "GET /ready"].contains(&line);
        if !is_public && !told.contains(UNRECORDED) {
            self.tally.answered(Side::Standard, number);
        }
        if is_good { Ok(head) } else { Err(Fault::Status(status, told)) }
    }

    /// The whole of a good answer.
    pub(crate) fn get(&mut self, line: &str) -> Result<Vec<u8>, Fault> {
        let head = self.ask(line, "", b"")?;
        self.body(head.length())
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let stream = self.wire.stream_mut();
        stream.write_all(bytes)?;
        Ok(stream.flush()?)
    }

    pub(crate) fn body(&mut self, length: Length) -> Result<Vec<u8>, Fault> {
        Ok(self.wire.body(length)?)
    }

    fn text(&mut self, length: Length) -> Result<String, Fault> {
        Ok(String::from_utf8_lossy(&self.body(length)?).into_owned())
    }

    pub(crate) fn pour(&mut self, length: Length, into: &mut dyn FnMut(&[u8])) -> Result<(), Fault> {
        Ok(self.wire.pour(length, into)?)
    }

    pub(crate) fn chunk(&mut self) -> Result<Vec<u8>, Fault> {
        Ok(self.wire.chunk()?)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<Vec<u8>, Fault> {
        Ok(self.wire.take(count)?)
    }

    /// Says that nothing more comes, and reads to the end.
    pub(crate) fn finish(&mut self) -> Result<Vec<u8>, Fault> {
        let stream = self.wire.stream_mut();
        stream.conn.send_close_notify();
        stream.flush()?;
        Ok(self.wire.body(Length::UntilClose)?)
    }
}
