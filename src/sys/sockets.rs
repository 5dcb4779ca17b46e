//! Socket and descriptor settings the standard library does not reach.
#![expect(unsafe_code, reason = "setsockopt(2) and setrlimit(2) have no safe binding for these")]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Connects to a unix socket. Where its backlog is full the kernel waits for a place: no longer than
/// `tick`, and then it is as good as nobody listening.
pub(crate) fn connect_unix(path: &Path, tick: Duration) -> io::Result<UnixStream> {
    let name = path.as_os_str().as_bytes();
    let mut address = libc::sockaddr_un { sun_family: 0, sun_path: [0; 108] };
    address.sun_family = libc::sa_family_t::try_from(libc::AF_UNIX).unwrap_or_default();
    // One byte is left for the end.
    if name.len() >= address.sun_path.len() || name.contains(&0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (place, byte) in address.sun_path.iter_mut().zip(name) {
        *place = libc::c_char::from_ne_bytes([*byte]);
    }
    // SAFETY: socket(2) takes no pointers; what it opened is owned by nobody else.
    let socket = unsafe {
        match libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) {
            fd if fd < 0 => return Err(io::Error::last_os_error()),
            fd => UnixStream::from_raw_fd(fd),
        }
    };
    socket.set_write_timeout(Some(tick))?;
    let size = libc::socklen_t::try_from(size_of::<libc::sockaddr_un>()).unwrap_or(0);
    // SAFETY: the address lives through the call and its size is given; the descriptor is owned.
    let done = unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), size) };
    if done == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
}

/// The settings of every TCP socket; those of a listener pass to what it accepts, which saves each
/// connection seven calls. Small writes leave at once; the kernel notices a peer that vanished
/// without a word, after three unanswered askings; a call gives up after `tick` to look around.
pub(crate) fn prepare(socket: &impl AsFd, keep_alive_secs: u32, tick: Duration) -> io::Result<()> {
    let secs = i32::try_from(keep_alive_secs).unwrap_or(i32::MAX);
    let micros = libc::suseconds_t::from(tick.subsec_micros());
    let tick = libc::timeval {
        tv_sec: libc::time_t::try_from(tick.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_usec: micros,
    };
    set(socket, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
    set(socket, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1)?;
    set(socket, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, secs)?;
    set(socket, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, secs)?;
    set(socket, libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 3)?;
    set(socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, tick)?;
    set(socket, libc::SOL_SOCKET, libc::SO_SNDTIMEO, tick)
}

/// A socket counts as writable only while less than so much waits in the kernel to be sent.
pub(crate) fn limit_unsent(socket: &impl AsFd, bytes: u32) -> io::Result<()> {
    set(socket, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, bytes)
}

/// Makes close(2) send a reset: the peer learns that it did not get everything.
pub(crate) fn reset_on_close(socket: &impl AsFd) -> io::Result<()> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    set(socket, libc::SOL_SOCKET, libc::SO_LINGER, linger)
}

fn set<T: Copy>(socket: &impl AsFd, level: i32, option: i32, value: T) -> io::Result<()> {
    let size = libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0);
    // SAFETY: the descriptor is borrowed; the value is a plain C value on this stack, and its size
    // is given, so the kernel reads nothing beyond it.
    let done = unsafe {
        libc::setsockopt(socket.as_fd().as_raw_fd(), level, option, (&raw const value).cast(), size)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Raises the soft limit of open descriptors to the hard one and tells how many that is.
pub(crate) fn raise_descriptor_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure is ours and lives through the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return 0;
    }
    let soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: as above; raising the soft limit to the hard one needs no privilege.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0 { limit.rlim_max } else { soft }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_settings_of_a_listener_pass_to_what_it_accepts() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tick = Duration::from_secs(2);
        prepare(&listener, 30, tick).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = listener.accept().unwrap().0;
        assert!(accepted.nodelay().unwrap());
        assert_eq!(accepted.read_timeout().unwrap(), Some(tick));
        assert_eq!(accepted.write_timeout().unwrap(), Some(tick));
    }

    #[test]
    fn a_peer_that_reads_nothing_leaves_little_unsent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = |limit: Option<u32>| {
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let server = listener.accept().unwrap().0;
            // The peer's own buffer is small, so that what is left is ours.
            set(&server, libc::SOL_SOCKET, libc::SO_RCVBUF, 4096).unwrap();
            if let Some(bytes) = limit {
                limit_unsent(&client, bytes).unwrap();
            }
            client.set_nonblocking(true).unwrap();
            let (chunk, mut taken) = (vec![0; 64 * 1024], 0);
            while let Ok(count) = client.write(&chunk) {
                taken += count;
            }
            taken
        };
        assert!(taken(Some(16 * 1024)) < taken(None));
    }

    #[test]
    fn a_reset_is_told_apart_from_an_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = listener.accept().unwrap().0;
        reset_on_close(&server).unwrap();
        drop(server);
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn the_descriptor_limit_is_never_lowered() {
        let first = raise_descriptor_limit();
        assert!(first > 0);
        assert_eq!(raise_descriptor_limit(), first);
    }
}
