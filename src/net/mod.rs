//! Sockets that keep time: plain or TLS, and bytes received but not yet read.
//!
//! A blocking socket's own timeout is the tick after which a wait looks around; so a busy exchange
//! costs one system call a step, and nothing is polled that is not quiet.

mod inbox;
pub(crate) mod listen;
pub(crate) mod relay;
mod shutdown;
pub(crate) mod tls;

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::Connection;

pub(crate) use inbox::Wire;
pub(crate) use shutdown::Shutdown;

use crate::clock::Deadline;
use crate::limits::{KEEPALIVE_SECS, TICK_MILLIS};
use crate::sys::sockets;

enum Socket {
    /// Shared with whoever may have to wake its reader.
    Tcp(Arc<TcpStream>),
    Unix(UnixStream),
}

/// A connection: a socket, and TLS over it where that was agreed.
pub(crate) struct Conn {
    socket: Socket,
    tls: Option<Box<Connection>>,
    /// Something was written, however little.
    has_written: bool,
}

impl Conn {
    /// A connection somebody made to us. Its socket has the settings of the listener.
    // Kept apart: a session of TLS is large, and its caller's frame stays for as long as the connection does.
    #[inline(never)]
    pub(crate) fn accepted(socket: Arc<TcpStream>, tls: Option<&tls::Acceptor>) -> io::Result<Self> {
        let tls = tls.map(tls::Acceptor::session).transpose()?.map(Connection::Server).map(Box::new);
        Ok(Self { socket: Socket::Tcp(socket), tls, has_written: false })
    }

    pub(crate) fn unix(path: &Path) -> io::Result<Self> {
        let tick = Duration::from_millis(TICK_MILLIS);
        let socket = sockets::connect_unix(path, tick)?;
        // It has the other limit from when it was connected.
        socket.set_read_timeout(Some(tick))?;
        Ok(Self { socket: Socket::Unix(socket), tls: None, has_written: false })
    }

    /// One that was accepted, or made, elsewhere.
    pub(crate) fn of_unix(socket: UnixStream) -> io::Result<Self> {
        let conn = Self { socket: Socket::Unix(socket), tls: None, has_written: false };
        conn.prepare()?;
        Ok(conn)
    }

    /// Connects, and agrees on TLS with the host of that name.
    pub(crate) fn tcp(
        address: SocketAddr,
        tls: Option<(&tls::Connector, &str)>,
        deadline: Deadline,
    ) -> io::Result<Self> {
        let socket = match deadline.left() {
            Some(left) if left.is_zero() => return Err(ErrorKind::TimedOut.into()),
            Some(left) => TcpStream::connect_timeout(&address, left)?,
            None => TcpStream::connect(address)?,
        };
        let mut conn = Self { socket: Socket::Tcp(Arc::new(socket)), tls: None, has_written: false };
        conn.prepare()?;
        if let Some((connector, host)) = tls {
            conn.start_tls(connector, host, deadline)?;
        }
        Ok(conn)
    }

    /// Agrees on TLS with the host of that name, over a connection that was plain so far.
    pub(crate) fn start_tls(
        &mut self,
        connector: &tls::Connector,
        host: &str,
        deadline: Deadline,
    ) -> io::Result<()> {
        self.tls = Some(Box::new(Connection::Client(connector.session(host)?)));
        self.handshake(deadline)
    }

    fn prepare(&self) -> io::Result<()> {
        let tick = Duration::from_millis(TICK_MILLIS);
        match &self.socket {
            Socket::Tcp(socket) => sockets::prepare(socket.as_ref(), KEEPALIVE_SECS, tick),
            Socket::Unix(socket) => {
                socket.set_read_timeout(Some(tick))?;
                socket.set_write_timeout(Some(tick))
            }
        }
    }

    /// Agrees on TLS, where there is any. A peer that drips its bytes meets the deadline too.
    pub(crate) fn handshake(&mut self, deadline: Deadline) -> io::Result<()> {
        while self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            if deadline.passed() {
                return Err(ErrorKind::TimedOut.into());
            }
            match self.flush().and_then(|()| self.receive_tls()) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Err(error) if !is_tick(&error) => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        // What TLS still has to say goes out with the first answer, if it does not now.
        self.flush().or_else(|error| if is_tick(&error) { Ok(()) } else { Err(error) })
    }

    /// Reads from the socket once and decrypts what came.
    fn receive_tls(&mut self) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return Ok(0) };
        let count = tls.read_tls(&mut &self.socket)?;
        if let Err(error) = tls.process_new_packets() {
            // The alert that says why; a peer that does not take it has other worries.
            let _ = tls.write_tls(&mut &self.socket);
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        Ok(count)
    }

    /// The certificate the peer showed, and proved to hold the key of.
    pub(crate) fn peer_certificate(&self) -> Option<&[u8]> {
        let chain = self.tls.as_ref()?.peer_certificates()?;
        chain.first().map(|certificate| certificate.as_ref())
    }

    /// Waits no longer than a tick; 0 is the peer's end.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return (&self.socket).read(into) };
        match tls.reader().read(into) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            done => return done,
        }
        // A peer that reads nothing must not keep us from reading; what is owed goes out later.
        match self.flush() {
            Err(error) if !is_tick(&error) => return Err(error),
            _ => {}
        }
        self.receive_tls()?;
        // Nothing but a part of a record is a tick: whoever waits looks at its deadline.
        self.tls.as_mut().map_or(Ok(0), |tls| tls.reader().read(into))
    }

    /// Writes what fits within a tick.
    pub(crate) fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return match slices {
                [slice] => (&self.socket).write(slice),
                slices => (&self.socket).write_vectored(slices),
            };
        };
        while tls.wants_write() {
            tls.write_tls(&mut &self.socket)?;
        }
        let taken = tls.writer().write_vectored(slices)?;
        while tls.wants_write() {
            match tls.write_tls(&mut &self.socket) {
                Ok(_) => {}
                // Taken all the same; the next call, or `flush`, goes on.
                Err(error) if is_tick(&error) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Writes what TLS holds back, as much as fits within a tick.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut &self.socket)?;
            }
        }
        Ok(())
    }

    /// Writes everything. `on_stall` is asked, about this very connection, after every tick without
    /// progress.
    pub(crate) fn send(
        &mut self,
        mut slices: &mut [IoSlice<'_>],
        on_stall: &mut dyn FnMut(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match self.write(slices) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.has_written = true;
                    IoSlice::advance_slices(&mut slices, written);
                }
                Err(error) if is_tick(&error) => on_stall(self)?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        while let Err(error) = self.flush() {
            if !is_tick(&error) {
                return Err(error);
            }
            on_stall(self)?;
        }
        Ok(())
    }

    /// Whether anything was written since this was asked last.
    pub(crate) fn take_has_written(&mut self) -> bool {
        std::mem::take(&mut self.has_written)
    }

    /// Writes everything before the deadline.
    pub(crate) fn write_all(&mut self, bytes: &[u8], deadline: Deadline) -> io::Result<()> {
        self.send(&mut [IoSlice::new(bytes)], &mut |_| {
            if deadline.passed() { Err(ErrorKind::TimedOut.into()) } else { Ok(()) }
        })
    }

    /// Tells the peer that nothing more comes; it may still send.
    pub(crate) fn end_writing(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.flush()?;
        match &self.socket {
            Socket::Tcp(socket) => socket.shutdown(std::net::Shutdown::Write),
            Socket::Unix(socket) => socket.shutdown(std::net::Shutdown::Write),
        }
    }

    /// Closing will tell the peer that it was cut off, where a plain end would look complete.
    pub(crate) fn reset_on_close(&self) {
        // A socket that refuses has no peer left to deceive.
        let _ = sockets::reset_on_close(self);
    }

    /// Lets the kernel keep no more than so much that was not sent: what is urgent waits behind it.
    pub(crate) fn limit_unsent(&self, bytes: u32) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(socket) => sockets::limit_unsent(socket.as_ref(), bytes),
            Socket::Unix(_) => Ok(()),
        }
    }

    pub(crate) fn set_nonblocking(&self) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(socket) => socket.set_nonblocking(true),
            Socket::Unix(socket) => socket.set_nonblocking(true),
        }
    }

    /// Whether its readable socket holds anything for a reader, or its end: TLS also sends what is
    /// for itself alone.
    pub(crate) fn has_news(&mut self) -> bool {
        let Some(tls) = &mut self.tls else { return true };
        match tls.read_tls(&mut &self.socket) {
            Ok(0) => true,
            Ok(_) => tls
                .process_new_packets()
                .map_or(true, |state| state.plaintext_bytes_to_read() > 0 || state.peer_has_closed()),
            Err(error) => !is_tick(&error),
        }
    }

    /// Decrypted bytes wait that the socket knows nothing of, or the peer's last word came with
    /// them: its socket may then stay silent for ever.
    pub(crate) fn is_buffered(&mut self) -> bool {
        self.tls.as_mut().is_some_and(|tls| {
            tls.process_new_packets()
                .is_ok_and(|state| state.plaintext_bytes_to_read() > 0 || state.peer_has_closed())
        })
    }

    /// Encrypted bytes wait to be written.
    pub(crate) fn owes(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.tls.is_none()
    }
}

impl AsFd for Conn {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Tcp(socket) => socket.as_fd(),
            Socket::Unix(socket) => socket.as_fd(),
        }
    }
}

impl Read for &Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => socket.as_ref().read(into),
            Socket::Unix(socket) => (&mut &*socket).read(into),
        }
    }
}

impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => socket.as_ref().write(bytes),
            Socket::Unix(socket) => (&mut &*socket).write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => socket.as_ref().write_vectored(slices),
            Socket::Unix(socket) => (&mut &*socket).write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Nothing happened for a tick. A time-out of the kernel's is something else: the peer is dead.
pub(crate) fn is_tick(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
}
