//! One client connection, plain or within TLS: sends prepared bytes, follows the answer to its end and refuses a wrong one.
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::chunks::Chunks;
use crate::head::{self, Body};

/// Holds any small answer whole.
pub(crate) const SMALL_BUFFER_BYTES: usize = 16 * 1024;
/// Holds the list of containers whole.
pub(crate) const LIST_BUFFER_BYTES: usize = 64 * 1024;
/// Large enough that a reader of a large body is never what is measured.
pub(crate) const LARGE_BUFFER_BYTES: usize = 512 * 1024;
/// No single read or write takes longer unless something hangs.
const STALL: Duration = Duration::from_secs(20);

/// What the certificates of a run are made out to.
const SERVER_NAME: &str = "localhost";

/// Where a peer listens, and whether it speaks TLS there.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

impl From<SocketAddr> for Door {
    fn from(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }
}

impl From<&Self> for Door {
    fn from(door: &Self) -> Self {
        door.clone()
    }
}

pub(crate) struct Client {
    stream: Stream,
    buffer: Vec<u8>,
    filled: usize,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(room),
            Self::Tls(tls) => tls.read(room),
        }
    }
}

impl Client {
    /// Connects; within TLS the handshake goes with the first request.
    pub(crate) fn connect(door: impl Into<Door>, buffer_bytes: usize) -> io::Result<Self> {
        let Door { address, tls } = door.into();
        let tcp = TcpStream::connect(address)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(STALL))?;
        tcp.set_write_timeout(Some(STALL))?;
        let stream = match tls {
            None => Stream::Plain(tcp),
            Some(config) => {
                let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
                let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
                Stream::Tls(Box::new(StreamOwned::new(session, tcp)))
            }
        };
        Ok(Self { stream, buffer: vec![0; buffer_bytes], filled: 0 })
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(tls) => tls.get_ref(),
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(tcp) => tcp.write_all(bytes),
            Stream::Tls(tls) => tls.write_all(bytes),
        }
    }

    /// Sends a request and reads its answer, which must be 200 with exactly so many bytes of data.
    pub(crate) fn exchange(&mut self, request: &[u8], bytes_expected: u64) -> io::Result<()> {
        self.send(request)?;
        self.receive_expected(bytes_expected)
    }

    pub(crate) fn receive_expected(&mut self, bytes_expected: u64) -> io::Result<()> {
        let mut bytes = 0;
        let status = self.receive(|data| bytes += data.len() as u64)?;
        if (status, bytes) == (200, bytes_expected) {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "answered {status} with {bytes} bytes instead of 200 with {bytes_expected}"
        )))
    }

    /// Reads one answer to its end, hands its data on, and gives its status.
    pub(crate) fn receive(&mut self, mut data: impl FnMut(&[u8])) -> io::Result<u64> {
        let (head_length, status, body) = self.receive_head()?;
        let mut at = head_length;
        let mut left = if let Body::Length(length) = body { length } else { 0 };
        let mut chunks = Chunks::new();
        loop {
            let bytes = &self.buffer[at..self.filled];
            let (taken, done) = match body {
                Body::Length(_) => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    data(&bytes[..taken]);
                    left -= taken as u64;
                    (taken, left == 0)
                }
                Body::Chunked => (chunks.feed(bytes, &mut data)?, chunks.done()),
            };
            if done {
                if taken != bytes.len() {
                    return Err(io::Error::other("bytes came after the end of an answer"));
                }
                self.filled = 0;
                return Ok(status);
            }
            self.filled = self.stream.read(&mut self.buffer)?;
            at = 0;
            if self.filled == 0 {
                return Err(io::Error::other("the connection ended in the middle of an answer"));
            }
        }
    }

    /// Reads until a whole head is in the buffer; what came after it stays there too.
    pub(crate) fn receive_head(&mut self) -> io::Result<(usize, u64, Body)> {
        loop {
            if let Some(length) = head::end(&self.buffer[..self.filled]) {
                let head = &self.buffer[..length];
                return Ok((length, head::status(head), head::body(head)));
            }
            if self.filled == self.buffer.len() {
                return Err(io::Error::other("the head of an answer does not end"));
            }
            let count = self.stream.read(&mut self.buffer[self.filled..])?;
            if count == 0 {
                return Err(io::Error::other("the connection ended before an answer"));
            }
            self.filled += count;
        }
    }

    /// Reads until the data of a chunked answer begins as given, and leaves the answer unfinished.
    pub(crate) fn receive_beginning(&mut self, data_expected: &[u8]) -> io::Result<()> {
        let (head_length, status, body) = self.receive_head()?;
        if (status, body) != (200, Body::Chunked) {
            return Err(io::Error::other(format!(
                "answered {status} with {body:?} instead of 200 in chunks"
            )));
        }
        let mut chunks = Chunks::new();
        let mut received = Vec::new();
        let mut at = head_length;
        loop {
            chunks.feed(&self.buffer[at..self.filled], |data| received.extend_from_slice(data))?;
            if received.len() >= data_expected.len() {
                break;
            }
            self.filled = self.stream.read(&mut self.buffer)?;
            at = 0;
            if self.filled == 0 {
                return Err(io::Error::other("the connection ended before the first line of a log"));
            }
        }
        self.filled = 0;
        if received == data_expected {
            Ok(())
        } else {
            Err(io::Error::other("a log does not begin as it should"))
        }
    }

    /// The peer closes, and says nothing more.
    pub(crate) fn receive_end(&mut self) -> io::Result<()> {
        match self.stream.read(&mut self.buffer) {
            Ok(0) => Ok(()),
            Ok(_) => Err(io::Error::other("bytes came after the end of an answer")),
            // Within TLS some close without a word; the answer was whole.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads exactly so many bytes of an upgraded stream, which has no framing.
    pub(crate) fn receive_raw(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(tcp) => tcp.read_exact(bytes),
            Stream::Tls(tls) => tls.read_exact(bytes),
        }
    }

    /// After the head of an upgrade: whether nothing came behind it yet.
    pub(crate) fn forget_head(&mut self, head_length: usize) -> io::Result<()> {
        if self.filled != head_length {
            return Err(io::Error::other("an upgraded stream spoke first"));
        }
        self.filled = 0;
        Ok(())
    }
}
