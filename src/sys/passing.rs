//! Descriptors handed to another process over the socket between the two.
#![expect(unsafe_code, reason = "what goes beside the bytes of sendmsg(2) has no safe binding")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

/// As many as go at once.
const MOST: usize = 2;
/// Room for their head and their numbers, aligned as the kernel wants it.
type Beside = [u64; 4];

/// One byte, with descriptors beside it.
pub(crate) fn send(socket: &UnixStream, byte: u8, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let size = libc::c_uint::try_from(size_of_val(numbers.as_slice())).map_err(io::Error::other)?;
    if numbers.is_empty() || numbers.len() > MOST {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let (mut beside, mut byte): (Beside, _) = ([0; 4], byte);
    let mut bytes = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: a zeroed message is a valid one. Its parts live through the call; `beside` has room for `MOST` numbers
    // behind a head, so that the head is there and what follows it takes `size` bytes.
    unsafe {
        let mut message = message(std::mem::zeroed(), &mut bytes, &mut beside);
        message.msg_controllen = libc::CMSG_SPACE(size) as _;
        let head = libc::CMSG_FIRSTHDR(&raw const message);
        (*head).cmsg_level = libc::SOL_SOCKET;
        (*head).cmsg_type = libc::SCM_RIGHTS;
        (*head).cmsg_len = libc::CMSG_LEN(size) as _;
        libc::CMSG_DATA(head)
            .copy_from_nonoverlapping(numbers.as_ptr().cast(), size_of_val(numbers.as_slice()));
        if libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) == 1 {
            return Ok(());
        }
    }
    Err(io::Error::last_os_error())
}

/// The next byte and what came beside it; `None` at the end.
pub(crate) fn receive(socket: &UnixStream) -> io::Result<Option<(u8, Vec<OwnedFd>)>> {
    let (mut beside, mut byte): (Beside, u8) = ([0; 4], 0);
    let mut bytes = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut received = Vec::new();
    // SAFETY: as in `send`. The kernel tells in the head how much follows it, and puts whole numbers there, each of a
    // descriptor that is new to this process and that nobody else owns.
    unsafe {
        let mut message = message(std::mem::zeroed(), &mut bytes, &mut beside);
        match libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) {
            0 => return Ok(None),
            1 => {}
            _ => return Err(io::Error::last_os_error()),
        }
        let head = libc::CMSG_FIRSTHDR(&raw const message);
        if !head.is_null() && (*head).cmsg_level == libc::SOL_SOCKET && (*head).cmsg_type == libc::SCM_RIGHTS
        {
            let size = ((*head).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
            let (numbers, _) = std::slice::from_raw_parts(libc::CMSG_DATA(head), size).as_chunks();
            received.extend(numbers.iter().map(|number| OwnedFd::from_raw_fd(RawFd::from_ne_bytes(*number))));
        }
    }
    Ok(Some((byte, received)))
}

fn message(mut message: libc::msghdr, bytes: &mut libc::iovec, beside: &mut Beside) -> libc::msghdr {
    message.msg_iov = bytes;
    message.msg_iovlen = 1;
    message.msg_control = beside.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(beside) as _;
    message
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn what_is_handed_over_is_the_same_thing_under_another_number() {
        let (mine, theirs) = UnixStream::pair().unwrap();
        let (near, far) = UnixStream::pair().unwrap();
        send(&mine, b'x', &[near.as_fd(), far.as_fd()]).unwrap();
        drop((near, far));
        let (byte, descriptors) = receive(&theirs).unwrap().unwrap();
        let [near, far] = descriptors.try_into().unwrap();
        let (mut near, mut far) = (UnixStream::from(near), UnixStream::from(far));
        near.write_all(b"told").unwrap();
        drop(near);
        let mut told = String::new();
        far.read_to_string(&mut told).unwrap();
        assert_eq!((byte, told.as_str()), (b'x', "told"));
    }

    #[test]
    fn bytes_alone_bring_nothing_and_the_end_is_one() {
        let (mut mine, theirs) = UnixStream::pair().unwrap();
        mine.write_all(b"ab").unwrap();
        drop(mine);
        for byte in *b"ab" {
            let (told, descriptors) = receive(&theirs).unwrap().unwrap();
            assert!(told == byte && descriptors.is_empty());
        }
        assert!(receive(&theirs).unwrap().is_none());
    }

    #[test]
    fn none_and_too_many_are_refused() {
        let (mine, _theirs) = UnixStream::pair().unwrap();
        let fd = mine.as_fd();
        for descriptors in [&[][..], &[fd, fd, fd]] {
            assert_eq!(send(&mine, 0, descriptors).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }
}
