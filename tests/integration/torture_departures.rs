//! Clients that leave: after every byte of a request, in every way one can leave.
use crate::agent::{TOKEN, request};
use crate::client::Client;
use crate::patience::until;
use crate::torture_stand::{Shot, Stand};

const LENGTH: &str = "Content-Length: 5\r\n\r\nhello";
const CHUNKS: &str = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

fn post(rest: &str) -> String {
    format!("POST /a HTTP/1.1\r\nHost: lookout\r\nAuthorization: Bearer {TOKEN}\r\n{rest}")
}

/// What every cut of it may be: nothing, or the beginning of something.
fn cuts(rest: &'static str) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let whole = post(rest).into_bytes();
    (1..whole.len()).map(move |end| (end, whole[..end].to_vec()))
}

/// It says that nothing more comes, and listens: inside a head it is left alone, inside a body it is told.
#[test]
fn whoever_stops_after_any_byte_asked_nothing() {
    for rest in [LENGTH, CHUNKS] {
        let head = post(rest).find("\r\n\r\n").unwrap() + 4;
        let mut stand = Stand::agent(&[]);
        stand.shoot(cuts(rest).map(|(end, bytes)| {
            let told: &[u16] = if end < head { &[] } else { &[400] };
            Shot::new(&format!("{end} bytes"), bytes, told, &["POST /a…"]).and_no_more()
        }));
        stand.finish();
    }
}

#[test]
fn whoever_closes_after_any_byte_asked_nothing() {
    for rest in [LENGTH, CHUNKS] {
        let mut stand = Stand::agent(&[]);
        for (end, bytes) in cuts(rest) {
            stand.leave(&format!("{end} bytes"), |mut client| client.send(&bytes));
        }
        stand.finish();
    }
}

/// What is still unread on its side makes the kernel break the connection off.
#[test]
fn whoever_breaks_off_after_any_byte_asked_nothing() {
    for rest in [LENGTH, CHUNKS] {
        let mut stand = Stand::agent(&[]);
        for (end, bytes) in cuts(rest) {
            stand.leave(&format!("{end} bytes"), |mut client| {
                client.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
                until("an answer waits", || client.waiting().filter(|count| *count > 0));
                client.send(&bytes);
            });
        }
        stand.finish();
    }
}

/// The Engine may answer or not: nobody else is told what was asked.
#[test]
fn whoever_asks_and_leaves_disturbs_nobody() {
    let mut stand = Stand::agent(&[]);
    for number in 0..200 {
        let one = format!("POST /left/{number} left");
        stand.may_get(&one);
        let bytes = request(&format!("POST /left/{number}"), "Content-Length: 4\r\n") + "left";
        stand.leave(&format!("client {number}"), |mut client: Client| client.send(&bytes));
    }
    stand.finish();
}
