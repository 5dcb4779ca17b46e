//! Permit, accept, share among peers, hand over.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use super::Shutdown;
use crate::clock::{self, Deadline};
use crate::limits::{ACCEPT_PAUSE_MILLIS, KEEPALIVE_SECS, SETTLED_SECS, STRANGERS_PER_PEER_MAX, TICK_MILLIS};
use crate::log::{self, number, text};
use crate::permits::{Permit, Permits};
use crate::shared::Shared;
use crate::sys::memory;
use crate::sys::poll::{Watch, wait};
use crate::sys::sockets;

/// Listens. What is accepted has the settings made here.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    sockets::prepare(&listener, KEEPALIVE_SECS, Duration::from_millis(TICK_MILLIS))?;
    // A connection may be gone between the wait and the accept.
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Everyone who is connected.
#[derive(Clone)]
pub(crate) struct Guests(Arc<Book>);

struct Book {
    permits: Permits,
    entries: Shared<Entries>,
}

#[derive(Default)]
struct Entries {
    seats: HashMap<u64, Arc<Seat>>,
    /// Connections that have not shown a good credential, by peer.
    strangers: HashMap<IpAddr, usize>,
    next: u64,
}

/// A guest's place in the book.
struct Seat {
    socket: Arc<TcpStream>,
    state: AtomicU8,
    /// Since when it is idle, in microseconds of Unix time.
    since: AtomicU64,
    /// The credential it showed last; 0 before any.
    mark: AtomicU64,
}

const BUSY: u8 = 0;
const IDLE: u8 = 1;
const CLOSED: u8 = 2;

/// One accepted connection. Drop gives its place back.
pub(crate) struct Guest {
    pub(crate) socket: Arc<TcpStream>,
    pub(crate) peer: SocketAddr,
    seat: Arc<Seat>,
    number: u64,
    is_stranger: AtomicBool,
    guests: Guests,
    _place: Permit,
}

impl Guests {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Book { permits: Permits::new(most), entries: Shared::new(Entries::default()) }))
    }

    /// Closes every idle connection.
    pub(crate) fn close_idle(&self) {
        for seat in self.seats() {
            seat.close_if_idle();
        }
    }

    /// Ends whoever showed a credential that is no longer good, whatever they are doing.
    pub(crate) fn close_unless(&self, is_good: impl Fn(u64) -> bool) -> usize {
        let shown = |seat: &Arc<Seat>| seat.mark.load(Ordering::SeqCst);
        let ended = self.seats().into_iter().filter(|seat| shown(seat) != 0 && !is_good(shown(seat)));
        ended.inspect(|seat| seat.close()).count()
    }

    /// Waits until everyone has left, or the deadline.
    pub(crate) fn wait_gone(&self, deadline: Deadline) -> bool {
        self.0.permits.wait_idle(deadline)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.permits.taken()
    }

    /// The places of all connections.
    pub(crate) fn places(&self) -> &Permits {
        &self.0.permits
    }

    /// Makes room by closing whoever has been idle longest.
    fn close_longest_idle(&self) -> bool {
        let mut seats = self.seats();
        // Each time is looked at once: it changes meanwhile, and a sort that sees that panics.
        seats.sort_by_cached_key(|seat| seat.since.load(Ordering::Relaxed));
        seats.iter().any(|seat| seat.close_if_idle())
    }

    fn seats(&self) -> Vec<Arc<Seat>> {
        self.0.entries.with(|entries| entries.seats.values().cloned().collect())
    }

    fn admit(&self, socket: TcpStream, peer: SocketAddr, place: Permit) -> Option<Guest> {
        let socket = Arc::new(socket);
        let seat = Arc::new(Seat {
            socket: Arc::clone(&socket),
            state: AtomicU8::new(BUSY),
            since: AtomicU64::new(0),
            mark: AtomicU64::new(0),
        });
        let number = self.0.entries.with(|entries| {
            let strangers = entries.strangers.entry(customer(peer.ip())).or_default();
            if *strangers >= STRANGERS_PER_PEER_MAX {
                return None;
            }
            *strangers = strangers.saturating_add(1);
            entries.next = entries.next.wrapping_add(1);
            entries.seats.insert(entries.next, Arc::clone(&seat));
            Some(entries.next)
        })?;
        let is_stranger = AtomicBool::new(true);
        Some(Guest { socket, peer, seat, number, is_stranger, guests: self.clone(), _place: place })
    }
}

impl Guest {
    /// From here on the connection may be closed to make room.
    pub(crate) fn is_idle(&self) {
        self.seat.since.store(micros(), Ordering::Relaxed);
        self.seat.state.store(IDLE, Ordering::SeqCst);
    }

    /// Something arrived; false when the connection was closed to make room just before. Asked
    /// before it is read: until then whoever needs room sees it, too.
    pub(crate) fn is_busy(&self) -> bool {
        self.seat.state.compare_exchange(IDLE, BUSY, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// It showed a good credential, known by `mark`: it no longer counts against strangers, and it
    /// ends when that credential does.
    pub(crate) fn is_known(&self, mark: u64) {
        self.seat.mark.store(mark, Ordering::SeqCst);
        self.is_no_stranger();
    }

    fn is_no_stranger(&self) {
        if self.is_stranger.swap(false, Ordering::Relaxed) {
            self.guests.0.entries.with(|entries| entries.forget_stranger(self.peer.ip()));
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.is_no_stranger();
        self.guests.0.entries.with(|entries| entries.seats.remove(&self.number));
    }
}

impl Entries {
    fn forget_stranger(&mut self, peer: IpAddr) {
        let peer = customer(peer);
        if let Some(count) = self.strangers.get_mut(&peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.strangers.remove(&peer);
            }
        }
    }
}

impl Seat {
    /// A request that has arrived but was not read yet makes a guest busy, too.
    fn close_if_idle(&self) -> bool {
        let mut watches = [Watch::readable(self.socket.as_ref())];
        if !matches!(wait(&mut watches, Deadline::after(Duration::ZERO)), Ok(false)) {
            return false;
        }
        let closed = self.state.compare_exchange(IDLE, CLOSED, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if closed {
            self.close();
        }
        closed
    }

    /// Wakes whoever waits on it; a socket that is gone already needs no waking.
    fn close(&self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

/// One customer: an address, or a /64 of IPv6, which is the least a customer is given.
pub(crate) fn customer(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

fn micros() -> u64 {
    u64::try_from(clock::unix().as_micros()).unwrap_or(u64::MAX)
}

/// Accepts until the agent ends, or the listener is beyond use.
pub(crate) fn accept(
    listener: &TcpListener,
    guests: &Guests,
    shutdown: &Shutdown,
    mut serve: impl FnMut(Guest) -> io::Result<()>,
) {
    let mut settled = Deadline::NEVER;
    let mut next = || -> io::Result<Option<Guest>> {
        let mut watches = [Watch::readable(listener), Watch::readable(shutdown)];
        if !wait(&mut watches, settled)? {
            // Those who came have settled, and given up what they were received with.
            memory::give_back_heap();
            settled = Deadline::NEVER;
            return Ok(None);
        }
        settled = Deadline::after_secs(SETTLED_SECS);
        let Some(place) = place(guests, shutdown) else { return Ok(None) };
        let (socket, peer) = listener.accept()?;
        let guest = guests.admit(socket, peer, place);
        if guest.is_none() {
            log::warn("server.peer_crowded", &[("peer", text(&peer.ip()))]);
        }
        Ok(guest)
    };
    while !shutdown.has_begun() {
        let outcome = match next() {
            // No thread for it: as short of something as the machine can be.
            Ok(Some(guest)) => serve(guest).map_err(io::Error::other),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        match outcome.map_err(|error| (verdict(&error), error)) {
            Ok(()) | Err((Verdict::PeerLeft, _)) => {}
            Err((Verdict::Pause, error)) => {
                log::error(
                    "server.accept_paused",
                    &[("error", text(&error)), ("connections", number(guests.count()))],
                );
                guests.close_longest_idle();
                let pause = Deadline::after(Duration::from_millis(ACCEPT_PAUSE_MILLIS));
                // Its only outcome is that the pause is over or the agent ends.
                let _ = wait(&mut [Watch::readable(shutdown)], pause);
            }
            Err((Verdict::Stop, error)) => {
                log::error("server.accept_failed", &[("error", text(&error))]);
                return;
            }
        }
    }
}

/// A place for one more: a free one, that of an idle guest, or none when the agent ends first.
fn place(guests: &Guests, shutdown: &Shutdown) -> Option<Permit> {
    while !shutdown.has_begun() {
        if let Some(place) = guests.0.permits.try_take() {
            return Some(place);
        }
        guests.close_longest_idle();
        if let Some(place) = guests.0.permits.take_within(Duration::from_millis(TICK_MILLIS)) {
            return Some(place);
        }
    }
    None
}

/// What an error of accept means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The connection went away before it was accepted; the next one may be fine.
    PeerLeft,
    /// The machine is short of something; trying at once would only repeat it.
    Pause,
    /// The listener itself is broken.
    Stop,
}

fn verdict(error: &io::Error) -> Verdict {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => Verdict::Pause,
        Some(libc::EBADF | libc::EINVAL | libc::ENOTSOCK | libc::EOPNOTSUPP | libc::EFAULT) => Verdict::Stop,
        None if error.kind() == ErrorKind::Other => Verdict::Pause,
        // accept(2) hands on network errors of the very connection; treat them as its end.
        _ => Verdict::PeerLeft,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guests(most: usize) -> (Guests, impl FnMut() -> Option<(Guest, TcpStream)>) {
        let guests = Guests::new(most);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = guests.clone();
        let arrive = move || {
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (socket, peer) = listener.accept().unwrap();
            let guest = host.admit(socket, peer, host.0.permits.try_take()?)?;
            Some((guest, client))
        };
        (guests, arrive)
    }

    #[test]
    fn the_longest_idle_guest_makes_room_and_a_busy_one_does_not() {
        let (guests, mut arrive) = guests(3);
        let (busy, _b) = arrive().unwrap();
        let (old, _o) = arrive().unwrap();
        let (new, _n) = arrive().unwrap();
        assert!(arrive().is_none());
        old.is_idle();
        new.is_idle();
        old.seat.since.store(1, Ordering::Relaxed);
        assert!(guests.close_longest_idle());
        assert!(!old.is_busy() && new.is_busy());
        assert!(!guests.close_longest_idle());
        drop((busy, old, new));
        assert_eq!(guests.count(), 0);
    }

    #[test]
    fn times_may_change_while_the_longest_idle_guest_is_looked_for() {
        let (guests, mut arrive) = guests(STRANGERS_PER_PEER_MAX);
        let here: Vec<_> = (1..=STRANGERS_PER_PEER_MAX as u64).map(|n| (n, arrive().unwrap())).collect();
        std::thread::scope(|scope| {
            let looking = scope.spawn(|| (0..2000).any(|_| guests.close_longest_idle()));
            while !looking.is_finished() {
                for (n, (guest, _)) in &here {
                    guest.seat.since.fetch_xor(n * 7919, Ordering::Relaxed);
                }
            }
            assert!(!looking.join().unwrap(), "all of them are busy");
        });
    }

    #[test]
    fn strangers_share_and_known_guests_do_not_count() {
        let (guests, mut arrive) = guests(STRANGERS_PER_PEER_MAX + 2);
        let mut here: Vec<_> = (0..STRANGERS_PER_PEER_MAX).map(|_| arrive().unwrap()).collect();
        assert!(arrive().is_none());
        here[0].0.is_known(7);
        here[0].0.is_known(7);
        here.push(arrive().unwrap());
        assert!(arrive().is_none());
        drop(here);
        guests.0.entries.with(|entries| assert!(entries.strangers.is_empty() && entries.seats.is_empty()));
    }

    #[test]
    fn who_showed_a_credential_that_ended_is_ended_too() {
        let (guests, mut arrive) = guests(3);
        let (kept, revoked, stranger) = (arrive().unwrap(), arrive().unwrap(), arrive().unwrap());
        kept.0.is_known(1);
        revoked.0.is_known(2);
        assert_eq!(guests.close_unless(|mark| mark == 1), 1);
        let mut client = revoked.1;
        assert_eq!(io::Read::read(&mut client, &mut [0]).unwrap(), 0);
        drop((kept, stranger));
    }

    #[test]
    fn one_customer_is_known_by_one_address() {
        let known_by = |text: &str| customer(text.parse().unwrap());
        assert_eq!(known_by("2001:db8:1:2::1"), known_by("2001:db8:1:2:ffff::9"));
        assert_ne!(known_by("2001:db8:1:2::1"), known_by("2001:db8:1:3::1"));
        assert_eq!(known_by("::ffff:192.0.2.1"), known_by("192.0.2.1"));
    }

    #[test]
    fn accept_errors_are_sorted_by_what_they_mean() {
        for (code, expected) in [
            (libc::ECONNABORTED, Verdict::PeerLeft),
            (libc::EAGAIN, Verdict::PeerLeft),
            (libc::EMFILE, Verdict::Pause),
            (libc::ENFILE, Verdict::Pause),
            (libc::EBADF, Verdict::Stop),
        ] {
            assert_eq!(verdict(&io::Error::from_raw_os_error(code)), expected, "{code}");
        }
    }
}
