//! A program that calls this one over loopback: started, waited for, stopped.
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Nothing here takes this long to call, or to call again.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often is looked whether somebody calls.
const LOOK: Duration = Duration::from_micros(200);

/// A running program and where it calls, stopped when dropped.
pub(crate) struct Program {
    listener: TcpListener,
    child: Child,
}

impl Program {
    /// Starts what is made for an address of ours.
    pub(crate) fn start(command: impl FnOnce(SocketAddr) -> io::Result<Command>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let child = command(listener.local_addr()?)?.stdin(Stdio::null()).spawn()?;
        Ok(Self { listener, child })
    }

    /// Waits for its call.
    pub(crate) fn accept(&mut self) -> io::Result<TcpStream> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    return Ok(stream);
                }
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                Err(_) => {}
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("ended with {status}")));
            }
            if Instant::now() > until {
                return Err(io::Error::other("does not call"));
            }
            thread::sleep(LOOK);
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
