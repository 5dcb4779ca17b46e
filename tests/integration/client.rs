//! A raw HTTP client: sends exactly the bytes it is given, and reads answers strictly, with a deadline.
use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use crate::message::{Cut, Head, Length, Message, Wire};
use crate::patience::PATIENCE;

pub(crate) struct Client(Wire<TcpStream>);

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the agent listens");
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(Wire::new(stream))
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the agent reads on");
    }

    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.0.stream_mut().write_all(bytes.as_ref())
    }

    /// Sends, and pauses, which makes it likely, not sure, that the agent reads this apart from what follows.
    pub(crate) fn send_apart(&mut self, bytes: impl AsRef<[u8]>) {
        self.send(bytes);
        thread::sleep(Duration::from_millis(1));
    }

    /// Half-close: the agent reads an end, we read on.
    pub(crate) fn finish_sending(&self) {
        self.0.stream().shutdown(Shutdown::Write).unwrap();
    }

    /// A second hold on the stream, for a test that sends and reads at once.
    pub(crate) fn writer(&self) -> TcpStream {
        self.0.stream().try_clone().unwrap()
    }

    pub(crate) fn wire(&mut self) -> &mut Wire<TcpStream> {
        &mut self.0
    }

    pub(crate) fn head(&mut self) -> Head {
        self.0.head().unwrap_or_else(|cut| panic!("no whole answer: {cut:?}"))
    }

    pub(crate) fn chunk(&mut self) -> Vec<u8> {
        self.0.chunk().unwrap_or_else(|cut| panic!("no whole chunk: {cut:?}"))
    }

    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        self.0.take(count).unwrap_or_else(|cut| panic!("no {count} bytes: {cut:?}"))
    }

    pub(crate) fn body(&mut self, length: Length) -> Result<Vec<u8>, Cut> {
        self.0.body(length)
    }

    /// The answer to anything but HEAD, whole.
    pub(crate) fn answer(&mut self) -> Message {
        let head = self.head();
        let body = self.body(head.length());
        let body = body.unwrap_or_else(|cut| panic!("the body after {head:?} was cut short: {cut:?}"));
        Message { head, body }
    }

    /// Sends a request and reads its answer.
    pub(crate) fn ask(&mut self, request: impl AsRef<[u8]>) -> Message {
        self.send(request);
        self.answer()
    }

    /// Waits for the end of the connection, by close or by reset. A byte more is a failure.
    pub(crate) fn expect_end(&mut self) {
        match self.0.some() {
            Ok([]) => {}
            Ok(more) => panic!("more came instead of an end: {:?}", String::from_utf8_lossy(more)),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the connection stayed open: {error}"),
        }
    }

    /// How many bytes can be read at once; none is the end, `None` is nothing yet.
    pub(crate) fn waiting(&mut self) -> Option<usize> {
        self.0.stream().set_nonblocking(true).unwrap();
        let now = self.0.some().map(<[u8]>::len);
        self.0.stream().set_nonblocking(false).unwrap();
        match now {
            Ok(count) => Some(count),
            Err(error) => (error.kind() != io::ErrorKind::WouldBlock).then_some(0),
        }
    }

    /// Whether the agent has closed the connection by now.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.waiting() == Some(0)
    }
}
