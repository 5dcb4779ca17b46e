//! A gateway, an agent in edge mode and the things of one test; and requests by hand through both.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::docker::{Docker, IMAGE};
use crate::edge_agent::Edge;
use crate::edge_welcome::Mode;
use crate::scene::Scene;
use crate::wait::PATIENCE;

pub(crate) struct World {
    pub(crate) edge: Edge,
    pub(crate) docker: Docker,
    pub(crate) straight: Docker,
    pub(crate) scene: Scene,
}

impl World {
    pub(crate) fn new(mode: Mode) -> Self {
        Self::with(mode, &[])
    }

    /// With settings as `Edge::with` takes them.
    pub(crate) fn with(mode: Mode, settings: &[(&str, &str)]) -> Self {
        let straight = Docker::straight();
        let edge = Edge::with(mode, settings);
        Self { docker: edge.docker(), edge, scene: Scene::new(&straight), straight }
    }

    /// Starts a container straight at the Engine; its name.
    pub(crate) fn container(&self, what: &str, script: &str) -> String {
        self.container_with(what, &[], script)
    }

    /// The same with further flags.
    pub(crate) fn container_with(&self, what: &str, flags: &[&str], script: &str) -> String {
        let name = self.scene.name(what);
        let command = [&["run", "-d", "--name", &name], flags, &[IMAGE, "sh", "-c", script]];
        self.straight.run(&command.concat()).good();
        name
    }

    pub(crate) fn id(&self, name: &str) -> String {
        let told = self.straight.run(&["container", "inspect", "--format", "{{.Id}}", name]).good();
        told.text().trim().to_owned()
    }

    /// Asks the same question both ways; the answers are equal to the byte.
    pub(crate) fn same(&self, arguments: &[&str]) -> String {
        let (straight, through) = (self.straight.run(arguments), self.docker.run(arguments));
        assert_eq!(straight.code(), through.code(), "{arguments:?} (left: straight): {}", through.errors());
        assert_eq!(straight.errors(), through.errors(), "{arguments:?} (left: straight)");
        let lengths = (straight.stdout.len(), through.stdout.len());
        assert!(straight.stdout == through.stdout, "{arguments:?}: {lengths:?} bytes, the left straight");
        through.text()
    }

    /// Sends a head, which is ended here, and a body to the gateway.
    pub(crate) fn by_hand(&self, head: &str, body: &[u8]) -> ByHand {
        let mut stream = TcpStream::connect(self.edge.gateway().address()).expect("the gateway accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        stream.set_write_timeout(Some(PATIENCE)).expect("a deadline");
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head = format!("{head}Host: localhost\r\n{length}\r\n");
        stream.write_all(&[head.as_bytes(), body].concat()).expect("the request is taken");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer");
            head.extend(byte);
        }
        ByHand { head: String::from_utf8(head).expect("text"), stream }
    }
}

/// An answer, of which the head was read.
pub(crate) struct ByHand {
    pub(crate) head: String,
    pub(crate) stream: TcpStream,
}

impl ByHand {
    pub(crate) fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// The next piece of a body in chunks; nothing at its end.
    pub(crate) fn piece(&mut self) -> Vec<u8> {
        assert!(self.head.contains("\r\nTransfer-Encoding: chunked\r\n"), "{}", self.head);
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.extend(self.take(1));
        }
        let length = str::from_utf8(&line).ok().and_then(|line| usize::from_str_radix(line.trim(), 16).ok());
        let piece = self.take(length.expect("the length of a chunk"));
        assert_eq!(self.take(2), b"\r\n");
        piece
    }

    /// All of a body in chunks.
    pub(crate) fn text(&mut self) -> String {
        let mut all = Vec::new();
        loop {
            let piece = self.piece();
            if piece.is_empty() {
                return String::from_utf8_lossy(&all).into_owned();
            }
            all.extend(piece);
        }
    }

    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).expect("the answer goes on");
        bytes
    }
}
