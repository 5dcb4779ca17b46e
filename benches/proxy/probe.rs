//! Before anything is measured: whether each peer gives back exactly what it should.
use std::io;

use crate::answers::{self, Answers};
use crate::client::{Client, LARGE_BUFFER_BYTES};
use crate::peers::{Kind, Peer};
use crate::requests;
use crate::streams::{self, Framing};

/// Asks once for everything that is measured and compares every byte, so that the measured requests need only
/// count them. A proxy must also refuse a wrong token, or it would be spared work the others do.
pub(crate) fn peer(peer: &Peer, answers: &Answers) -> io::Result<()> {
    look(peer, answers).map_err(|error| io::Error::other(format!("{}: {error}", peer.kind.name())))
}

fn look(peer: &Peer, answers: &Answers) -> io::Result<()> {
    if peer.kind != Kind::Engine {
        for request in [
            requests::get_as("/version", "wrong"),
            requests::upgrade_as("/containers/target/attach?x", "wrong"),
        ] {
            let mut client = Client::connect(&peer.door, LARGE_BUFFER_BYTES)?;
            client.send(&request)?;
            let status = client.receive(|_| ())?;
            if status != 401 {
                return Err(io::Error::other(format!(
                    "a wrong token was answered with {status} instead of 401"
                )));
            }
        }
    }

    // One connection for all of it: every exchange must leave it ready for the next.
    let mut client = Client::connect(&peer.door, LARGE_BUFFER_BYTES)?;
    let mut downloads = vec![
        (requests::get("/version"), answers::version().as_bytes().to_vec()),
        (requests::get("/containers/json"), answers::containers().into_bytes()),
    ];
    for framing in [Framing::Chunked, Framing::Length] {
        downloads.push((streams::download_request(framing, 2), answers.block.repeat(2)));
    }
    for (request, expected) in downloads {
        let mut received = Vec::with_capacity(expected.len());
        client.send(&request)?;
        let status = client.receive(|data| received.extend_from_slice(data))?;
        if status != 200 || received != expected {
            let line = String::from_utf8_lossy(&request);
            let line = line.lines().next().unwrap_or_default();
            return Err(io::Error::other(format!(
                "{line} was answered {status} and not as the Engine answered"
            )));
        }
    }

    let sum: u64 = answers.block.iter().map(|&byte| u64::from(byte)).sum();
    let expected = format!("{{\"bytes\":{},\"sum\":{}}}\n", 2 * answers::BLOCK_BYTES, 2 * sum);
    for framing in [Framing::Chunked, Framing::Length] {
        streams::send_blocks(&mut client, "/containers/target/archive?path=/&sum=1", framing, 2, answers)?;
        let said = streams::receive_text(&mut client)?;
        if said != expected {
            return Err(io::Error::other(format!("an upload arrived as {said} instead of {expected}")));
        }
    }
    Ok(())
}
