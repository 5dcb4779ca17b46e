//! What the agent is held against: the same WebSocket library in a process of its own, and nothing else.
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::{env, io};

use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Bytes, Error, Message, Utf8Bytes, WebSocket};

use crate::link::Link;
use crate::program::Program;

/// The library clears as much before each read: no more than the messages here need.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// A running peer, stopped when dropped.
pub(crate) struct Bare {
    /// Dropped first: a peer that loses its connection otherwise says so.
    program: Program,
    pub(crate) link: Link,
}

impl Bare {
    /// This very program, in a process of its own as the agent is.
    pub(crate) fn start() -> io::Result<Self> {
        let own = env::current_exe()?;
        let mut program = Program::start(|address| {
            let mut command = Command::new(own);
            command.args(["--bare", &address.to_string()]);
            Ok(command)
        })?;
        let called = program.accept();
        let stream = called.map_err(|error| io::Error::other(format!("the bare WebSocket {error}")))?;
        Ok(Self { program, link: Link::over(stream)? })
    }

    pub(crate) fn id(&self) -> u32 {
        self.program.id()
    }
}

/// The peer itself, until whoever started it is gone. It is told in words what to do:
/// `answer N`: from now on, a message of N bytes for each that comes;
/// `text N K` or `binary N K`: K messages of N bytes, at once.
pub(crate) fn serve(address: &str) -> io::Result<()> {
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
    let mut socket = WebSocket::from_raw_socket(stream, Role::Client, Some(config));
    Err(io::Error::other(obey(&mut socket)))
}

/// Until something fails, be it that whoever started it is gone.
fn obey(socket: &mut WebSocket<TcpStream>) -> Error {
    let mut answer = text(1);
    loop {
        let done = match socket.read() {
            Err(error) => return error,
            Ok(message) => match words(&message) {
                None => socket.send(answer.clone()),
                Some(("answer", bytes, _)) => {
                    answer = text(bytes);
                    Ok(())
                }
                Some(("text", bytes, count)) => stream(socket, &text(bytes), count),
                Some((_, bytes, count)) => {
                    stream(socket, &Message::Binary(Bytes::from(vec![0x5a; bytes])), count)
                }
            },
        };
        if let Err(error) = done {
            return error;
        }
    }
}

fn stream(socket: &mut WebSocket<TcpStream>, message: &Message, count: usize) -> Result<(), Error> {
    for _ in 0..count {
        socket.write(message.clone())?;
    }
    socket.flush()
}

fn text(bytes: usize) -> Message {
    Message::Text(Utf8Bytes::from("x".repeat(bytes)))
}

fn words(message: &Message) -> Option<(&str, usize, usize)> {
    let text = message.to_text().ok().filter(|text| !text.starts_with('{'))?;
    let mut words = text.split(' ');
    let kind = words.next()?;
    let mut number = || words.next().and_then(|word| word.parse().ok());
    Some((kind, number()?, number().unwrap_or(1)))
}
