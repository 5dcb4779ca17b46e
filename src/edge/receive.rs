//! What a controller's message sets in motion. Nothing here waits.

use std::sync::Arc;

use data_encoding::BASE64;

use super::answer;
use super::call::{self, Call};
use super::envelope::{self, Asked, Ended, ExecStart, Message, is_name};
use super::exec;
use super::frames;
use super::inlet::{Cause, Inlet, Input};
use super::outbox::Gone;
use super::session::{Kind, NotBegun, Session};
use crate::api::Adapter;
use crate::limits::EDGE_WHOLE_FREE_BYTES;
use crate::log::{self, text};

const BUSY: &str = "agent busy: too many concurrent requests";
const NO_PLACE: &str = "session limit reached";

impl Session {
    /// One text message.
    pub(super) fn receive(self: &Arc<Self>, message: &str) -> Result<(), Gone> {
        match envelope::read(message) {
            Ok(message) => self.obey(message),
            Err(why) => {
                self.skipped(&why.why);
                let Some(id) = why.request_id else { return Ok(()) };
                self.outbox.control(frames::error(&id, "malformed-request", &why.why))
            }
        }
    }

    /// One binary message: content for a channel, where that was agreed on.
    pub(super) fn receive_binary(self: &Arc<Self>, message: &[u8]) -> Result<(), Gone> {
        if !self.agreed.binary_streams {
            if let Ok(text) = std::str::from_utf8(message) {
                return self.receive(text);
            }
            self.skipped("a binary message, which was not agreed on");
        } else if let Some((channel, content)) = message.split_first_chunk() {
            if let Some(inlet) = self.on_channel(u32::from_be_bytes(*channel)) {
                self.put(&inlet, Input::Data(content.to_vec()));
            }
        } else {
            self.skipped("a binary message without a channel");
        }
        Ok(())
    }

    fn obey(self: &Arc<Self>, message: Message<'_>) -> Result<(), Gone> {
        match message {
            Message::Ping(data) => return self.outbox.control(frames::pong(data)),
            Message::Request(asked) => return self.request(*asked),
            Message::ExecStart(asked) => return self.exec(*asked),
            Message::Drydock(errand) if self.house.agent.about.adapter == Adapter::Drydock => {
                return self.errand(errand);
            }
            Message::Stream(piece) => self.piece(&piece.request_id, &piece.data),
            Message::StreamEnd(ended) => self.ended(&ended),
            Message::Window(window) => {
                if let Some((inlet, _)) = self.find(Kind::Call, &window.request_id) {
                    self.outbox.allow(&inlet, window.bytes);
                }
            }
            Message::ExecInput(piece) => self.typed(&piece.exec_id, &piece.data),
            Message::ExecResize(size) => {
                if let Some((inlet, _)) = self.find(Kind::Exec, &size.exec_id) {
                    self.put(&inlet, Input::Resize { cols: size.cols, rows: size.rows });
                }
            }
            Message::ExecEnd(ended) => self.stop(Kind::Exec, &ended.exec_id),
            Message::Error(refusal) => {
                let fields = [
                    ("code", text(&refusal.code)),
                    ("message", text(&refusal.message)),
                    ("request", text(&refusal.request_id)),
                ];
                log::warn("edge.error_received", &fields);
            }
            Message::Pong | Message::Welcome(_) => {}
            Message::Drydock(_) => log::debug("edge.other_adapter", &[]),
            Message::Unknown(kind) => log::debug("edge.unknown_message", &[("type", text(&kind))]),
        }
        Ok(())
    }

    /// Puts something in an inlet; one that gets too much is ended.
    fn put(&self, inlet: &Inlet, input: Input) {
        if inlet.put(input).is_err() && !inlet.has_ended() {
            self.cancel(inlet, Cause::Overflow);
        }
    }

    pub(super) fn stop(&self, kind: Kind, name: &str) {
        if let Some((inlet, _)) = self.find(kind, name) {
            self.cancel(&inlet, Cause::Asked);
        }
    }

    fn request(self: &Arc<Self>, asked: Asked<'_>) -> Result<(), Gone> {
        let id = asked.request_id.clone().into_owned();
        if !is_name(&id) {
            self.skipped("request: requestId is empty or too long");
            return Ok(());
        }
        let refuse = |code: &str, message: &str| self.outbox.control(frames::error(&id, code, message));
        let call = match Call::read(asked, self.agreed) {
            Ok(call) => call,
            Err(why) => return refuse("malformed-request", &why),
        };
        let Some(place) = self.house.places.calls.try_take() else { return refuse("busy", BUSY) };
        let body_place = match call.body.len() > EDGE_WHOLE_FREE_BYTES {
            true => Some(self.house.places.bodies.try_take()),
            false => None,
        };
        let body_place = match body_place {
            Some(None) => {
                return refuse("busy", "agent busy: too many large bodies: send it in pieces, or later");
            }
            place => place.flatten(),
        };
        let running = match self.begin(Kind::Call, &id, call.channel, call.takes_content()) {
            Ok(running) => running,
            Err(NotBegun::Duplicate) => {
                return refuse(
                    "duplicate-request",
                    "a request of that requestId or channel is being answered",
                );
            }
            Err(NotBegun::Over) => return refuse("busy", BUSY),
        };
        let started = self.house.crew.submit(move || {
            let _places = (place, body_place);
            answer::serve(&running, call);
        });
        if started.is_ok() { Ok(()) } else { refuse("busy", "agent busy: no thread can be started") }
    }

    fn piece(&self, id: &str, data: &str) {
        let Some((inlet, true)) = self.find(Kind::Call, id) else { return };
        match BASE64.decode(data.as_bytes()) {
            Ok(data) => self.put(&inlet, Input::Data(data)),
            Err(_) => {
                self.skipped("stream: data is no base64");
                self.cancel(&inlet, Cause::Asked);
            }
        }
    }

    /// The end of what the controller sends, where it sends anything; else it wants no more.
    fn ended(&self, ended: &Ended<'_>) {
        let Some((inlet, takes)) = self.find(Kind::Call, &ended.request_id) else { return };
        let is_complete = ended.reason.as_deref().is_none_or(|reason| reason == "complete");
        if !takes || !is_complete || inlet.put(Input::End).is_err() {
            self.cancel(&inlet, Cause::Asked);
        }
    }

    fn typed(&self, exec_id: &str, data: &str) {
        let Some((inlet, _)) = self.find(Kind::Exec, exec_id) else { return };
        match BASE64.decode(data.as_bytes()) {
            Ok(data) if !data.is_empty() => self.put(&inlet, Input::Data(data)),
            Ok(_) if self.agreed.duplex_streams => self.put(&inlet, Input::End),
            Ok(_) => {}
            Err(_) => self.skipped("exec_input: data is no base64"),
        }
    }

    fn exec(self: &Arc<Self>, asked: ExecStart<'_>) -> Result<(), Gone> {
        let id = asked.exec_id.clone().into_owned();
        if !is_name(&id) {
            self.skipped("exec_start: execId is empty or too long");
            return Ok(());
        }
        let refuse = |reason: &str| self.outbox.control(exec::ended(&id, reason, None));
        let channel = match call::channel(asked.channel, self.agreed) {
            Ok(channel) => channel,
            Err(why) => return refuse(&format!("error: {why}")),
        };
        let Some(place) = self.house.places.execs.try_take() else { return refuse(NO_PLACE) };
        let running = match self.begin(Kind::Exec, &id, channel, true) {
            Ok(running) => running,
            Err(NotBegun::Duplicate) => return refuse("duplicate execId"),
            Err(NotBegun::Over) => return refuse(NO_PLACE),
        };
        let wanted = exec::Wanted::read(asked, channel);
        let started = self.house.crew.submit(move || {
            let _place = place;
            exec::serve(&running, wanted);
        });
        if started.is_ok() { Ok(()) } else { refuse(NO_PLACE) }
    }
}
