//! A client of server-sent events that reads them as strictly as they are documented.
use std::time::Instant;

use serde_json::Value;

use crate::agent::{Agent, request};
use crate::client::Client;
use crate::patience::PATIENCE;

pub(crate) struct Listener {
    client: Client,
    rest: Vec<u8>,
}

impl Listener {
    /// With our token.
    pub(crate) fn open(agent: &Agent, path: &str) -> Self {
        Self::with(agent, request(&format!("GET {path}"), ""))
    }

    /// With a request of its own.
    pub(crate) fn with(agent: &Agent, request: impl AsRef<[u8]>) -> Self {
        let mut client = agent.client();
        client.send(request);
        let head = client.head();
        assert_eq!(head.status(), 200, "{head:?}");
        assert_eq!(head.value("content-type"), Some("text/event-stream"));
        assert_eq!(head.value("cache-control"), Some("no-cache"));
        Self { client, rest: Vec::new() }
    }

    /// The lines of the next frame, up to its blank line. Comments are passed over.
    pub(crate) fn frame(&mut self) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            while let Some(at) = self.rest.windows(2).position(|two| two == b"\n\n") {
                let frame = String::from_utf8(self.rest.drain(..at + 2).collect()).expect("UTF-8");
                if !frame.starts_with(':') {
                    return frame.trim_end_matches('\n').to_owned();
                }
            }
            assert!(Instant::now() < end, "only comments came for {PATIENCE:?}");
            let piece = self.client.chunk();
            assert!(!piece.is_empty(), "the stream has ended; left over: {:?}", self.rest);
            self.rest.extend(piece);
        }
    }

    /// The document of the next frame.
    pub(crate) fn told(&mut self) -> Value {
        let frame = self.frame();
        let data = frame.lines().find_map(|line| line.strip_prefix("data: "));
        let data = data.unwrap_or_else(|| panic!("no data in {frame:?}"));
        serde_json::from_str(data).unwrap_or_else(|error| panic!("{error} in {data:?}"))
    }

    /// The next event, which must be of this type.
    pub(crate) fn expect(&mut self, kind: &str) -> Value {
        let told = self.told();
        assert_eq!(told["type"], kind, "{}", told.to_string().chars().take(600).collect::<String>());
        told["data"].clone()
    }

    /// The stream ends in order.
    pub(crate) fn expect_end(&mut self) {
        assert!(self.rest.is_empty(), "left over: {:?}", String::from_utf8_lossy(&self.rest));
        assert_eq!(self.client.chunk(), b"", "an end was due");
    }
}
