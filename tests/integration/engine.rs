//! A fake Docker Engine on a unix socket: a script speaks for it, and every byte it received is kept.
//!
//! The script runs once per connection. The agent's own questions (`/_ping`, `/version`, `/info`) are
//! answered before the script sees them and are not recorded, so that what is recorded is what was proxied.
use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::message::{Cut, Head, Message, Wire};
use crate::patience::PATIENCE;

/// A short good answer.
pub(crate) const OK: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

/// Bytes kept of one connection; large bodies are compared by the script, not here.
const RECEIVED_BYTES_MAX: usize = 256 * 1024;

/// A private directory, removed at the end.
pub(crate) struct Home(PathBuf);

impl Home {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lookout-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&path).expect("a private directory");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What is known of one connection.
#[derive(Clone, Default)]
pub(crate) struct Record {
    /// Everything proxied that arrived, as it was, up to a bound.
    pub(crate) received: Vec<u8>,
    /// The agent closed its side, or broke the connection.
    pub(crate) ended: bool,
    /// The script is done and our side is closed.
    pub(crate) finished: bool,
}

impl Record {
    /// Whether something was proxied here. A question of the agent's own is on record for the moment
    /// between its arrival and its answer.
    fn is_visit(&self) -> bool {
        let own = ["GET /_ping ", "HEAD /_ping ", "GET /version ", "GET /info "];
        !self.received.is_empty() && !own.iter().any(|line| self.received.starts_with(line.as_bytes()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }
}

#[derive(Default)]
struct Book {
    records: Mutex<Vec<Record>>,
    faults: Mutex<Vec<String>>,
    changed: Condvar,
}

impl Book {
    fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap()
    }

    fn note(&self, number: usize, change: impl FnOnce(&mut Record)) {
        change(&mut self.records()[number]);
        self.changed.notify_all();
    }
}

pub(crate) struct Engine {
    path: PathBuf,
    /// Where the socket is, unless it is somebody else's.
    home: Option<Home>,
    book: Arc<Book>,
    stop: Arc<AtomicBool>,
    accept: Option<JoinHandle<()>>,
}

impl Engine {
    /// An Engine in a directory of its own.
    pub(crate) fn start(script: impl Fn(&mut Visit) + Send + Sync + 'static) -> Self {
        let home = Home::new();
        let mut engine = Self::at(&home.path("docker.sock"), script);
        engine.home = Some(home);
        engine
    }

    /// An Engine that answers everything with a short 200.
    pub(crate) fn obliging() -> Self {
        Self::start(|visit| {
            // An agent may be killed between its question and the answer.
            while visit.request().is_some() && visit.try_send(OK).is_ok() {}
        })
    }

    /// An Engine on this very path.
    pub(crate) fn at(path: &Path, script: impl Fn(&mut Visit) + Send + Sync + 'static) -> Self {
        let listener = UnixListener::bind(path).expect("a unix socket");
        let book = Arc::new(Book::default());
        let stop = Arc::new(AtomicBool::new(false));
        let (pages, ending, script) = (Arc::clone(&book), Arc::clone(&stop), Arc::new(script));
        let accept = thread::spawn(move || {
            for stream in listener.incoming() {
                if ending.load(Ordering::SeqCst) {
                    break;
                }
                let stream = stream.expect("a connection");
                let (pages, script) = (Arc::clone(&pages), Arc::clone(&script));
                let number = {
                    let mut records = pages.records();
                    records.push(Record::default());
                    records.len() - 1
                };
                thread::spawn(move || Visit::run(number, stream, &pages, &*script));
            }
        });
        Self { path: path.to_owned(), home: None, book, stop, accept: Some(accept) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The connections over which something was proxied, in the order they were opened.
    pub(crate) fn visits(&self) -> Vec<Record> {
        self.book.records().iter().filter(|record| record.is_visit()).cloned().collect()
    }

    /// Waits until the connections over which something was proxied are as described.
    pub(crate) fn wait<T>(&self, what: &str, probe: impl Fn(&[Record]) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        let mut records = self.book.records();
        loop {
            let visits: Vec<_> = records.iter().filter(|record| record.is_visit()).cloned().collect();
            if let Some(found) = probe(&visits) {
                return found;
            }
            let left = end.saturating_duration_since(Instant::now());
            let texts: Vec<_> = visits.iter().map(|v| (v.ended, v.finished, v.text())).collect();
            assert!(
                !left.is_zero(),
                "the engine waited in vain: {what}; (ended, finished, received): {texts:?}"
            );
            records = self.book.changed.wait_timeout(records, left).unwrap().0;
        }
    }

    /// Waits for the end of every connection there ever was, so that the records are final.
    /// The agent must be gone, or must have let go of them all.
    pub(crate) fn settle(&self) -> Vec<Record> {
        let end = Instant::now() + PATIENCE;
        let mut records = self.book.records();
        while !records.iter().all(|record| record.finished) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "a connection to the engine stayed open");
            records = self.book.changed.wait_timeout(records, left).unwrap().0;
        }
        drop(records);
        self.visits()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the accept loop, which then sees that it is over.
        let _ = UnixStream::connect(&self.path);
        if let Some(accept) = self.accept.take() {
            let _ = accept.join();
        }
        let _ = fs::remove_file(&self.path);
        drop(self.home.take());
        let faults = self.book.faults.lock().unwrap();
        assert!(thread::panicking() || faults.is_empty(), "the engine's script failed: {faults:?}");
    }
}

/// The stream, noting what it reads.
pub(crate) struct Noting {
    stream: UnixStream,
    book: Arc<Book>,
    number: usize,
}

impl Read for Noting {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let result = self.stream.read(into);
        self.book.note(self.number, |record| match &result {
            Ok(0) => record.ended = true,
            Ok(count) => {
                let room = RECEIVED_BYTES_MAX.saturating_sub(record.received.len());
                record.received.extend_from_slice(&into[..room.min(*count)]);
            }
            Err(error) => record.ended |= error.kind() == io::ErrorKind::ConnectionReset,
        });
        result
    }
}

/// One connection the agent made, from the Engine's side.
pub(crate) struct Visit {
    wire: Wire<Noting>,
}

impl Visit {
    fn run(number: usize, stream: UnixStream, book: &Arc<Book>, script: &(impl Fn(&mut Self) + ?Sized)) {
        stream.set_read_timeout(Some(PATIENCE * 2)).unwrap();
        stream.set_write_timeout(Some(PATIENCE * 2)).unwrap();
        let mut visit = Self { wire: Wire::new(Noting { stream, book: Arc::clone(book), number }) };
        let outcome = catch_unwind(AssertUnwindSafe(|| script(&mut visit)));
        if let Err(panic) = outcome {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            book.faults.lock().unwrap().push(text.unwrap_or_else(|| "a panic without words".into()));
        }
        // Closed before anyone is told, so that "finished" means the agent can see it too.
        drop(visit);
        book.note(number, |record| record.finished = true);
    }

    /// The next head; `None` when the agent closed the connection between two requests.
    pub(crate) fn head(&mut self) -> Option<Head> {
        loop {
            let head = match self.wire.head() {
                Ok(head) => head,
                Err(cut) if cut.got.is_empty() => return None,
                Err(cut) => panic!("a head was cut short: {cut:?}"),
            };
            let bodies = if head.start.starts_with("HEAD ") { ["", "", ""] } else { ["OK", VERSION, "{}"] };
            let body = match head.target().rsplit('/').next() {
                Some("_ping") => bodies[0],
                Some("version") => bodies[1],
                Some("info") => bodies[2],
                _ => return Some(head),
            };
            let noting = self.wire.stream();
            noting.book.note(noting.number, |record| {
                let rest = record.received.len() - head.raw.len();
                assert_eq!(record.received[rest..], head.raw, "the agent pipelines its own questions");
                record.received.truncate(rest);
            });
            let fields = "Api-Version: 1.41\r\nOstype: linux\r\nContent-Type: application/json";
            self.send(format!("HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        }
    }

    pub(crate) fn body(&mut self, head: &Head) -> Result<Vec<u8>, Cut> {
        self.wire.body(head.length())
    }

    /// The next request with its whole body.
    pub(crate) fn request(&mut self) -> Option<Message> {
        let head = self.head()?;
        let body =
            self.body(&head).unwrap_or_else(|cut| panic!("the body of {head:?} was cut short: {cut:?}"));
        Some(Message { head, body })
    }

    pub(crate) fn wire(&mut self) -> &mut Wire<Noting> {
        &mut self.wire
    }

    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        self.wire.take(count).unwrap_or_else(|cut| panic!("{count} bytes were cut short: {cut:?}"))
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the agent reads on");
    }

    /// To an agent that may be gone by now, as its test is over.
    pub(crate) fn tell(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.try_send(bytes);
    }

    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.wire.stream_mut().stream.write_all(bytes.as_ref())
    }

    /// Sends after a short pause, which makes it likely, not sure, that the agent reads it apart.
    pub(crate) fn send_apart(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send_apart(bytes).expect("the agent reads on");
    }

    pub(crate) fn try_send_apart(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        thread::sleep(Duration::from_millis(1));
        self.try_send(bytes)
    }

    /// A second hold on the stream, for a script that reads and writes at once.
    pub(crate) fn writer(&self) -> UnixStream {
        self.wire.stream().stream.try_clone().unwrap()
    }

    /// Half-close: the agent reads an end, we read on.
    pub(crate) fn finish_sending(&self) {
        self.wire.stream().stream.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Reads on until the agent closes its side or breaks the connection.
    pub(crate) fn until_left(&mut self) {
        loop {
            match self.wire.some().map(<[u8]>::len) {
                Ok(0) => return,
                Ok(count) => self.wire.consume(count),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return,
                Err(error) => panic!("the agent neither spoke nor left: {error}"),
            }
        }
    }
}

/// What the fake says of itself, as far as the agent asks.
const VERSION: &str =
    r#"{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64"}"#;
