//! Streams that flow both ways, end on one side, and break.

use std::io::{Read, Write};
use std::net::Shutdown as Half;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use super::*;
use crate::net::Conn;

/// A wire and the other end of it.
fn wire() -> (Wire, UnixStream) {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let place = std::env::temp_dir().join(format!("lookout-relay-{}-{number}", std::process::id()));
    let _ = std::fs::remove_file(&place);
    let listener = UnixListener::bind(&place).unwrap();
    let conn = Conn::unix(&place).unwrap();
    std::fs::remove_file(&place).unwrap();
    let (peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    (Wire::new(conn, 8 * 1024), peer)
}

fn start() -> (UnixStream, UnixStream, Shutdown, JoinHandle<io::Result<()>>) {
    start_with(None::<Heard>)
}

/// What a tap heard, in order, and how many pieces it takes.
struct Heard(std::sync::mpsc::Sender<(char, Vec<u8>)>, usize);

impl Heard {
    fn hear(&mut self, from: char, piece: &[u8]) -> io::Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        self.1 = self.1.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
        self.0.send((from, piece.to_vec())).unwrap();
        Ok(())
    }
}

impl Tap for Heard {
    fn up(&mut self, piece: &[u8]) -> io::Result<()> {
        self.hear('u', piece)
    }

    fn down(&mut self, piece: &[u8]) -> io::Result<()> {
        self.hear('d', piece)
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own thread")]
fn start_with(
    tap: Option<impl Tap + Send + 'static>,
) -> (UnixStream, UnixStream, Shutdown, JoinHandle<io::Result<()>>) {
    let (mut client, client_peer) = wire();
    let (mut engine, engine_peer) = wire();
    let shutdown = Shutdown::new().unwrap();
    let bell = shutdown.clone();
    let relaying = thread::spawn(move || {
        let mut tap = tap;
        let tap = tap.as_mut().map(|tap| tap as &mut dyn Tap);
        relay(&mut client, &mut engine, &bell, tap)
    });
    (client_peer, engine_peer, shutdown, relaying)
}

fn read_all(mut stream: &UnixStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn bytes_flow_both_ways_at_once() {
    let (client, engine, _shutdown, relaying) = start();
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    thread::scope(|scope| {
        for stream in [&client, &engine] {
            let (mut writer, sent) = (stream, &sent);
            scope.spawn(move || {
                writer.write_all(sent).unwrap();
                writer.shutdown(Half::Write).unwrap();
            });
            scope.spawn(move || assert!(&read_all(stream) == sent, "not what was sent"));
        }
    });
    relaying.join().unwrap().unwrap();
}

#[test]
fn what_a_client_sent_before_both_ended_reaches_the_engine() {
    let (client, engine, _shutdown, relaying) = start();
    let sent = vec![7; 3_000_000];
    thread::scope(|scope| {
        let (mut writer, sent) = (&client, &sent);
        scope.spawn(move || {
            writer.write_all(sent).unwrap();
            writer.shutdown(Half::Write).unwrap();
        });
        engine.shutdown(Half::Write).unwrap();
        assert!(read_all(&client).is_empty());
        assert!(read_all(&engine) == *sent, "not what was sent");
    });
    relaying.join().unwrap().unwrap();
}

#[test]
fn the_end_of_the_input_is_passed_on_and_the_output_goes_on() {
    let (mut client, mut engine, _shutdown, relaying) = start();
    client.write_all(b"question").unwrap();
    client.shutdown(Half::Write).unwrap();
    assert_eq!(read_all(&engine), b"question");
    engine.write_all(b"answer").unwrap();
    drop(engine);
    assert_eq!(read_all(&client), b"answer");
    relaying.join().unwrap().unwrap();
}

#[test]
fn an_engine_that_ends_ends_the_stream() {
    let (client, engine, _shutdown, relaying) = start();
    drop(engine);
    assert_eq!(read_all(&client), b"");
    relaying.join().unwrap().unwrap();
}

#[test]
fn output_that_waits_when_the_engine_ends_is_still_delivered() {
    let (client, mut engine, _shutdown, relaying) = start();
    let sent = vec![7; 2_000_000];
    thread::scope(|scope| {
        scope.spawn(|| {
            engine.write_all(&sent).unwrap();
            engine.shutdown(Half::Both).unwrap();
        });
        assert_eq!(read_all(&client), sent);
    });
    relaying.join().unwrap().unwrap();
}

#[test]
fn the_end_of_the_agent_ends_a_silent_stream() {
    let (client, engine, shutdown, relaying) = start();
    shutdown.begin();
    relaying.join().unwrap().unwrap();
    assert_eq!((read_all(&client), read_all(&engine)), (vec![], vec![]));
}

#[test]
fn a_tap_hears_every_piece_before_the_other_side_does_and_its_failure_ends_both() {
    let (pieces, heard) = std::sync::mpsc::channel();
    let (mut client, mut engine, _shutdown, relaying) = start_with(Some(Heard(pieces, 3)));
    let mut into = [0; 5];
    for (from, text) in [('u', b"hello"), ('d', b"world"), ('u', b"again")] {
        let (source, sink) =
            if from == 'u' { (&mut client, &mut engine) } else { (&mut engine, &mut client) };
        source.write_all(text).unwrap();
        sink.read_exact(&mut into).unwrap();
        assert_eq!(&into, text);
        assert_eq!(heard.try_recv(), Ok((from, text.to_vec())));
    }
    client.write_all(b"unheard").unwrap();
    assert_eq!(relaying.join().unwrap().unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!((read_all(&engine), read_all(&client)), (Vec::new(), Vec::new()));
}
