//! The body of a request that came through the tunnel: at hand, or still arriving.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::frames;
use super::inlet::{Inlet, Input};
use super::outbox::Outbox;
use crate::clock::Deadline;
use crate::http::{Source, size_line};
use crate::limits::{EDGE_WINDOW_BYTES, TICK_MILLIS};
use crate::sys::poll::{Watch, wait};

/// What an HTTP body is read from. A body that still arrives is put in chunks, so that it is read by
/// the same grammar as any other.
pub(super) struct Inbound<'i> {
    received: Vec<u8>,
    at: usize,
    inlet: &'i Inlet,
    arriving: Option<Grant<'i>>,
}

/// Allows the controller to send more of a body as it is taken.
pub(super) struct Grant<'g> {
    pub(super) outbox: &'g Outbox,
    pub(super) request_id: &'g str,
    pub(super) owed: u64,
}

impl Grant<'_> {
    /// So many bytes were taken. Half a window is told at once, less is not worth a message.
    pub(super) fn took(&mut self, bytes: usize) {
        self.owed = self.owed.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if self.owed >= EDGE_WINDOW_BYTES / 2 {
            // A session that is over needs no telling.
            let _ = self.outbox.control(frames::window(self.request_id, std::mem::take(&mut self.owed)));
        }
    }
}

impl<'i> Inbound<'i> {
    pub(super) fn new(body: Vec<u8>, inlet: &'i Inlet, arriving: Option<Grant<'i>>) -> Self {
        Self { received: body, at: 0, inlet, arriving }
    }

    fn push_chunk(&mut self, data: &[u8]) {
        let mut line = [0; 18];
        for part in [size_line(data.len(), &mut line), data, b"\r\n"] {
            self.received.extend_from_slice(part);
        }
    }
}

impl Source for Inbound<'_> {
    fn received(&self) -> &[u8] {
        self.received.get(self.at..).unwrap_or_default()
    }

    fn consume(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.received.len());
        if self.at == self.received.len() {
            self.received.clear();
            self.at = 0;
        }
    }

    fn receive(&mut self) -> io::Result<usize> {
        if self.arriving.is_none() || self.inlet.is_cancelled() {
            return Ok(0);
        }
        let before = self.received.len();
        self.inlet.hear();
        if let Some(input) = self.inlet.take() {
            match input {
                Input::Data(data) if data.is_empty() => {}
                Input::Data(data) => {
                    self.push_chunk(&data);
                    if let Some(grant) = &mut self.arriving {
                        grant.took(data.len());
                    }
                }
                Input::End => self.received.extend_from_slice(b"0\r\n\r\n"),
                Input::Resize { .. } => {}
            }
            if !self.inlet.is_empty() {
                self.inlet.ring();
            }
        }
        let received = self.received.len().saturating_sub(before);
        if received == 0 {
            let tick = Deadline::after(Duration::from_millis(TICK_MILLIS));
            wait(&mut [Watch::readable(self.inlet)], tick)?;
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(received)
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.inlet.as_fd()
    }

    fn is_buffered(&mut self) -> bool {
        self.at < self.received.len()
    }

    fn is_plain(&self) -> bool {
        false
    }

    fn go_ahead(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn leave(&mut self, _at_end: bool) {}
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::edge::inlet::Cause;
    use crate::http::{Body, Framing};
    use crate::limits::HELD_FREE_BYTES;

    fn whole(body: &mut Body<'_>) -> Vec<u8> {
        let deadline = Deadline::after_secs(60);
        body.hold(1024 * 1024, HELD_FREE_BYTES, deadline, &mut || None).unwrap().to_vec()
    }

    #[test]
    fn a_body_at_hand_is_read_as_it_is() {
        let inlet = Inlet::new(&Arc::default()).unwrap();
        let mut source = Inbound::new(b"{}".to_vec(), &inlet, None);
        assert_eq!(whole(&mut Body::new(&mut source, Framing::Length(2), false)), b"{}");
    }

    #[test]
    fn a_body_that_arrives_in_pieces_is_read_to_its_end() {
        let (inlet, outbox) = (Inlet::new(&Arc::default()).unwrap(), Outbox::new().unwrap());
        for input in [Input::Data(b"one ".to_vec()), Input::Data(b"two".to_vec()), Input::End] {
            inlet.put(input).unwrap();
        }
        let grant = Grant { outbox: &outbox, request_id: "r", owed: 0 };
        let mut source = Inbound::new(Vec::new(), &inlet, Some(grant));
        assert_eq!(whole(&mut Body::new(&mut source, Framing::Chunked, false)), b"one two");
        assert!(outbox.take().is_none());
    }

    #[test]
    fn a_body_that_was_cancelled_is_cut() {
        let (inlet, outbox) = (Inlet::new(&Arc::default()).unwrap(), Outbox::new().unwrap());
        inlet.put(Input::Data(b"one".to_vec())).unwrap();
        inlet.cancel(Cause::Asked);
        let grant = Grant { outbox: &outbox, request_id: "r", owed: 0 };
        let mut source = Inbound::new(Vec::new(), &inlet, Some(grant));
        let mut body = Body::new(&mut source, Framing::Chunked, false);
        let held = body.hold(1024, HELD_FREE_BYTES, Deadline::after_secs(60), &mut || None);
        assert!(held.is_err());
    }

    #[test]
    fn who_took_half_a_window_allows_as_much_more() {
        let outbox = Outbox::new().unwrap();
        let mut grant = Grant { outbox: &outbox, request_id: "r", owed: 0 };
        grant.took(100);
        assert!(outbox.take().is_none());
        grant.took(128 * 1024);
        let told = r#"{"type":"window","data":{"requestId":"r","bytes":131172}}"#;
        assert_eq!(outbox.take(), Some(crate::edge::outbox::Frame::Text(told.to_owned())));
    }
}
