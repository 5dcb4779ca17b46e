//! A tunnel under pressure: whoever reads slowly slows down the Engine, and disturbs nobody beside him.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::edge_shells::Shells;
use crate::edge_world::{Edge, desk};
use crate::engine::Engine;
use crate::exposition::Checked;
use crate::patience::until;
use crate::signer::logged;

const MIB: usize = 1024 * 1024;
/// More than this is not sent, so that a test that goes wrong ends.
const FLOOD_BYTES_MAX: usize = 512 * MIB;

/// An Engine whose logs are a flood, and which runs commands.
struct Flood {
    engine: Engine,
    sent: Arc<AtomicUsize>,
    /// It ends each flood in order.
    is_enough: Arc<AtomicBool>,
}

impl Flood {
    fn start() -> Self {
        let (sent, is_enough) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, enough) = (Arc::clone(&sent), Arc::clone(&is_enough));
        let shells = Shells::default();
        let engine = desk(move |visit, head| {
            if !head.target().contains("/logs") {
                return shells.serve(visit, head);
            }
            let piece = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
            let mut is_read = visit.try_send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_ok();
            while is_read && !enough.load(Ordering::SeqCst) && count.load(Ordering::SeqCst) < FLOOD_BYTES_MAX
            {
                is_read = visit.try_send(&piece).is_ok();
                count.fetch_add(0x10000, Ordering::SeqCst);
            }
            is_read && visit.try_send("0\r\n\r\n").is_ok()
        });
        Self { engine, sent, is_enough }
    }

    fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    /// How much was sent once nothing more is taken.
    fn settled(&self) -> usize {
        until("the Engine is held back", || {
            let before = self.sent();
            // Only what moved in a pause is known to move.
            thread::sleep(Duration::from_millis(300));
            (self.sent() == before).then_some(before)
        })
    }
}

#[test]
fn a_controller_that_reads_nothing_for_a_while_holds_back_the_engine_and_loses_nothing() {
    let flood = Flood::start();
    let mut edge = Edge::open(&flood.engine);
    edge.link.exec_ready("shell", &["cat"]);
    edge.link.echo("shell", "before");
    edge.link.request("f", "GET /containers/a/logs", &json!({}));
    edge.link.about("f");
    edge.link.some("f", 1);
    edge.link.stall();
    let sent = flood.settled();
    assert!(sent < 32 * MIB, "{sent} bytes were taken from the Engine while nobody read");
    // Three seconds are less than a stall.
    thread::sleep(Duration::from_secs(3));
    assert!(flood.sent() < sent + 16 * MIB);
    edge.link.type_in("shell", "during");
    flood.is_enough.store(true, Ordering::SeqCst);
    edge.link.resume();
    assert_eq!(edge.link.output("shell", 6), b"during");
    let (rest, reason) = edge.link.streamed("f");
    assert_eq!(reason, "complete");
    assert!(rest.iter().all(|byte| *byte == b'x'));
    assert_eq!(edge.agent.log().matches("\"edge.connected\"").count(), 1, "it is one session all along");
}

#[test]
fn a_shell_answers_and_pings_do_beside_a_flood() {
    let flood = Flood::start();
    let mut edge = Edge::open(&flood.engine);
    edge.link.exec_ready("shell", &["cat"]);
    for number in 0..4 {
        edge.link.request(&format!("f{number}"), "GET /containers/a/logs", &json!({}));
    }
    for number in 0..4 {
        edge.link.about(&format!("f{number}"));
        edge.link.some(&format!("f{number}"), 100_000);
    }
    for round in 0..10 {
        edge.link.send("ping", &json!({"timestamp": round}));
        edge.link.echo("shell", &format!("round {round}"));
        assert_eq!(edge.link.next("pong")["timestamp"], round);
        assert_eq!(edge.link.ask("GET /_ping").text(), "OK");
        // The flood goes on all the while, and each of them has its share.
        for number in 0..4 {
            edge.link.some(&format!("f{number}"), 100_000);
        }
    }
    assert!(flood.sent() < FLOOD_BYTES_MAX, "nothing was answered before the flood had ended");
    flood.is_enough.store(true, Ordering::SeqCst);
    for number in 0..4 {
        assert_eq!(edge.link.streamed(&format!("f{number}")).1, "complete");
    }
}

#[test]
fn a_stream_of_sixty_four_mebibytes_comes_whole_beside_a_shell() {
    let shells = Shells::default();
    let engine = shells.engine();
    let mut edge = Edge::open_offering(&engine, &["duplex-streams", "binary-streams"]);
    edge.link.exec_ready("shell", &["cat"]);
    let size = 64 * MIB;
    edge.link.exec("much", &["flood", &size.to_string()], &json!({"channel": 2}));
    edge.link.find("much is ready", |kind, data| kind == "exec_ready" && data["execId"] == "much");
    let mut came = 0;
    while came < size {
        came += edge.link.binary(2).len();
        if came % (8 * MIB) < 64 * 1024 {
            edge.link.echo("shell", "still here");
        }
    }
    assert_eq!((came, edge.link.exec_end("much")["reason"].clone()), (size, json!("exited")));
}

#[test]
fn memory_is_bounded_however_much_is_asked_for_and_not_read() {
    let flood = Flood::start();
    let mut edge = Edge::open(&flood.engine);
    assert_eq!(edge.link.ask("GET /_ping").text(), "OK");
    let before = edge.agent.resident_kib();
    edge.link.stall();
    for number in 0..90 {
        edge.link.request(&format!("f{number}"), "GET /containers/a/logs", &json!({}));
    }
    flood.engine.wait("all of them were asked for", |visits| {
        (visits.iter().filter(|visit| visit.text().contains("/logs")).count() == 90).then_some(())
    });
    flood.settled();
    let grown = edge.agent.resident_kib().saturating_sub(before);
    // A window and a connection for each of ninety, and stacks beside them.
    assert!(grown < 96 * 1024, "{grown} KiB more");
    edge.link.cut();
    edge.again();
    assert_eq!(edge.link.ask("GET /_ping").text(), "OK");
}

#[test]
fn a_controller_that_reads_nothing_does_not_hold_up_the_end() {
    let flood = Flood::start();
    let mut edge = Edge::open(&flood.engine);
    edge.link.exec_ready("shell", &["cat"]);
    edge.link.request("f", "GET /containers/a/logs", &json!({}));
    edge.link.about("f");
    edge.link.stall();
    flood.settled();
    edge.agent.stop();
    flood.engine.settle();
}

#[test]
fn more_signs_of_life_than_anybody_takes_are_not_kept() {
    let flood = Flood::start();
    let mut edge = Edge::open(&flood.engine);
    assert_eq!(edge.link.ask("GET /_ping").text(), "OK");
    let before = edge.agent.resident_kib();
    edge.link.stall();
    let ping = json!({"timestamp": "x".repeat(200)});
    for _ in 0..200_000 {
        edge.link.send("ping", &ping);
    }
    logged(&edge.agent, &["\"edge.lost\""]);
    let grown = edge.agent.resident_kib().saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB more");
    edge.again();
    assert_eq!(edge.link.ask("GET /_ping").text(), "OK");
}

#[test]
fn a_controller_that_takes_nothing_for_ten_seconds_is_left() {
    let flood = Flood::start();
    let mut edge = Edge::open(&flood.engine);
    edge.link.exec_ready("shell", &["cat"]);
    edge.link.request("f", "GET /containers/a/logs", &json!({}));
    edge.link.about("f");
    edge.link.stall();
    flood.settled();
    // A sign of life that has to wait.
    edge.link.send("ping", &json!({"timestamp": 1}));
    logged(&edge.agent, &["\"edge.lost\""]);
    edge.again();
    let page = Checked::of(&edge.link.ask("GET /metrics").text());
    assert!((page.number("lookout_edge_stalls_total") - 1.0).abs() < 1e-9);
    // What was under way is over on the Engine's side too.
    flood.engine.wait("all of the old session has ended", |visits| {
        let old =
            visits.iter().filter(|visit| visit.text().contains("/logs") || visit.text().contains("/start"));
        let ended: Vec<Value> = old.map(|visit| json!(visit.finished)).collect();
        (ended.len() >= 2 && ended.iter().all(|one| *one == true)).then_some(())
    });
}

#[test]
fn what_a_controller_sends_too_fast_for_an_engine_disturbs_nobody_else() {
    let shells = Shells::default();
    let engine = shells.engine();
    let mut edge = Edge::open(&engine);
    edge.link.exec_ready("deaf", &["deaf"]);
    edge.link.exec_ready("shell", &["cat"]);
    let before = edge.agent.resident_kib();
    for _ in 0..1000 {
        edge.link.type_in("deaf", [b'x'; 60_000]);
    }
    edge.link.echo("shell", "still here");
    let grown = edge.agent.resident_kib().saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB more");
}
