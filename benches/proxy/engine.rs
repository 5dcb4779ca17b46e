//! The fake Engine, a process of its own: two threads that answer at once, and one more for each long exchange.
use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use crate::answers::Answers;
use crate::conversation::{Conversation, Next};
use crate::readiness::Readiness;

/// As many as the machine of the published figures has cores; the proxies get the same number.
const THREADS: usize = 2;
/// Threads here hold little on their stacks.
const STACK_BYTES: usize = 64 * 1024;

/// Serves until the process that started us is gone, which we notice by the end of our input.
pub(crate) fn serve(socket: &Path) -> io::Result<()> {
    let unix = UnixListener::bind(socket)?;
    let tcp = TcpListener::bind("127.0.0.1:0")?;
    let address = tcp.local_addr()?;
    unix.set_nonblocking(true)?;
    tcp.set_nonblocking(true)?;

    let answers = Arc::new(Answers::new());
    let listeners = Arc::new((unix, tcp));
    for _ in 0..THREADS {
        let (answers, listeners) = (Arc::clone(&answers), Arc::clone(&listeners));
        start(move || {
            let ended = answer_all(&answers, &listeners.0, &listeners.1);
            eprintln!("the fake Engine stopped: {ended:?}");
        })?;
    }

    println!("{address}");
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

fn start<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<()> {
    thread::Builder::new().stack_size(STACK_BYTES).spawn(work).map(drop)
}

/// Answers whoever asks. The sockets are blocking ones: what is ready is read once, and the answers are small
/// enough to be taken at once by a peer that reads.
fn answer_all(answers: &Arc<Answers>, unix: &UnixListener, tcp: &TcpListener) -> io::Result<()> {
    let mut readiness = Readiness::new()?;
    readiness.add_listener(unix)?;
    readiness.add_listener(tcp)?;
    let mut open = Open::default();
    let mut ready = Vec::new();
    loop {
        ready.extend(readiness.wait()?);
        for number in ready.drain(..) {
            if number == unix.as_raw_fd() {
                while let Some((stream, _)) = unless_none_waits(unix.accept())? {
                    open.add(stream.into(), &readiness)?;
                }
            } else if number == tcp.as_raw_fd() {
                while let Some((stream, _)) = unless_none_waits(tcp.accept())? {
                    stream.set_nodelay(true)?;
                    open.add(stream.into(), &readiness)?;
                }
            } else if let Some(conversation) = open.at(number) {
                // An error is a peer that left in the middle, as peers may.
                match conversation.as_mut().map_or(Ok(Next::Stay), |it| it.turn(answers)) {
                    Ok(Next::Stay) => {}
                    Ok(Next::Close) | Err(_) => *conversation = None,
                    Ok(Next::Alone) => {
                        if let Some(conversation) = conversation.take() {
                            readiness.remove(conversation.stream())?;
                            let answers = Arc::clone(answers);
                            start(move || conversation.alone(&answers))?;
                        }
                    }
                }
            }
        }
    }
}

fn unless_none_waits<T>(accepted: io::Result<T>) -> io::Result<Option<T>> {
    match accepted {
        Ok(connection) => Ok(Some(connection)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The conversations of one thread, found by the number of their socket.
#[derive(Default)]
struct Open {
    by_number: Vec<Option<Conversation>>,
}

impl Open {
    fn add(&mut self, stream: OwnedFd, readiness: &Readiness) -> io::Result<()> {
        readiness.add(&stream)?;
        let index = usize::try_from(stream.as_raw_fd()).unwrap_or_default();
        if self.by_number.len() <= index {
            self.by_number.resize_with(index + 1, || None);
        }
        // A file reads and writes any descriptor, so both kinds of socket are one type.
        self.by_number[index] = Some(Conversation::new(File::from(stream)));
        Ok(())
    }

    fn at(&mut self, number: RawFd) -> Option<&mut Option<Conversation>> {
        self.by_number.get_mut(usize::try_from(number).ok()?)
    }
}
