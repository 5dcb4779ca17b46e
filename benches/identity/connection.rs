//! One client connection, plain or within TLS: a request out, its answer followed to the end.
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::client::SMALL_BUFFER_BYTES;
use crate::head::{self, Body};
use crate::material::SERVER_NAME;

/// No single read or write takes longer unless something hangs.
const STALL: Duration = Duration::from_secs(20);

pub(crate) struct Connection {
    stream: Stream,
    buffer: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// A whole answer.
pub(crate) struct Answer<'c> {
    pub(crate) status: u64,
    pub(crate) head: &'c [u8],
    pub(crate) body: &'c [u8],
}

impl Connection {
    /// Connects; within TLS the handshake goes with the first request.
    pub(crate) fn open(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let tcp = TcpStream::connect(address)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(STALL))?;
        tcp.set_write_timeout(Some(STALL))?;
        let stream = match tls {
            None => Stream::Plain(tcp),
            Some(config) => {
                let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
                let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                Stream::Tls(Box::new(StreamOwned::new(session, tcp)))
            }
        };
        Ok(Self { stream, buffer: vec![0; SMALL_BUFFER_BYTES] })
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(tls) => tls.get_ref(),
        }
    }

    pub(crate) fn send(&mut self, request: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(tcp) => tcp.write_all(request),
            Stream::Tls(tls) => tls.write_all(request),
        }
    }

    fn read(&mut self, filled: usize) -> io::Result<usize> {
        let room = &mut self.buffer[filled..];
        let count = match &mut self.stream {
            Stream::Plain(tcp) => tcp.read(room)?,
            Stream::Tls(tls) => tls.read(room)?,
        };
        if count == 0 { Err(io::Error::other("the connection ended before an answer")) } else { Ok(count) }
    }

    /// Reads one answer, whose length must stand in its head, to its end and not beyond it.
    pub(crate) fn receive(&mut self) -> io::Result<Answer<'_>> {
        let mut filled = 0;
        let head_length = loop {
            filled += self.read(filled)?;
            if let Some(length) = head::end(&self.buffer[..filled]) {
                break length;
            }
        };
        let Body::Length(length) = head::body(&self.buffer[..head_length]) else {
            return Err(io::Error::other("an answer without a length"));
        };
        let end = head_length + usize::try_from(length).unwrap_or(usize::MAX);
        while filled < end {
            filled += self.read(filled)?;
        }
        if filled > end {
            return Err(io::Error::other("bytes came after the end of an answer"));
        }
        let (head, body) = self.buffer[..end].split_at(head_length);
        Ok(Answer { status: head::status(head), head, body })
    }

    pub(crate) fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.send(request)?;
        self.receive()
    }
}
