//! Many more connections than an agent is used to: each asked once and then idle, and everybody is still answered.
use std::fs;
use std::io;
use std::time::Instant;

use crate::answers;
use crate::client::{Client, SMALL_BUFFER_BYTES};
use crate::memory;
use crate::options::Options;
use crate::peers::{Directory, Peer};
use crate::process;
use crate::requests;
use crate::started::Started;

/// Places beside those, for who comes later.
const SPARE: usize = 100;

pub(crate) fn run(options: &Options, connections: usize) -> io::Result<()> {
    let directory = Directory::new()?;
    let _engine = Peer::engine(&directory)?;
    let most = ("CONNECTIONS_MAX", (connections + SPARE).to_string().into());
    let agent = Started::new(vec![most], &options.lookout, &directory)?;
    let held = || process::memory(&[agent.id()]);
    let before = memory::settle(held)?;

    let (request, length) = (requests::get("/version"), answers::version().len() as u64);
    let connect = || {
        let mut client = Client::connect(agent.address, SMALL_BUFFER_BYTES)?;
        client.exchange(&request, length)?;
        io::Result::Ok(client)
    };
    let begun = Instant::now();
    let mut clients = (0..connections).map(|_| connect()).collect::<io::Result<Vec<_>>>()?;
    let opened = begun.elapsed();
    let after = memory::settle(held)?;
    let threads = threads(agent.id())?;

    let begun = Instant::now();
    connect()?;
    let newcomer = begun.elapsed();
    let begun = Instant::now();
    clients.iter_mut().try_for_each(|client| client.exchange(&request, length))?;
    let again = begun.elapsed();

    println!(
        "{connections} connections, opened and asked once one after the other in {:.1} s",
        opened.as_secs_f64()
    );
    println!("held while all are idle: {:.1} KiB each, by {threads} threads", {
        (after.resident - before.resident) / connections as f64
    });
    println!("a newcomer is answered in {:.2} ms", newcomer.as_secs_f64() * 1e3);
    println!("all of them, asked again one after the other, are answered in {:.1} s", again.as_secs_f64());
    Ok(())
}

fn threads(process: u32) -> io::Result<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:"));
    threads
        .map(|count| count.trim().to_owned())
        .ok_or_else(|| io::Error::other("the kernel tells no threads"))
}
