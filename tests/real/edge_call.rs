//! One request through the tunnel, as a controller keeps it: what came, and how much may go either way.

use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex};

use crate::wait::PATIENCE;

/// What the controller may send of a body or an upgraded stream before it is allowed more.
const FIRST_CREDIT: u64 = 256 * 1024;

/// What came for a request, in its order.
#[derive(Debug)]
pub(crate) enum Event {
    Head(Head),
    Content(Vec<u8>),
    /// The end of a stream, and its reason.
    End(String),
    /// There is no answer.
    Failed(String),
}

/// A `response`, with its body where it has one.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) is_stream: bool,
    pub(crate) body: Vec<u8>,
}

/// A request that is under way.
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) channel: Option<u32>,
    /// What the agent may send at first; none where nobody counts.
    window: Option<u64>,
    is_upgrade: bool,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Where its events go, until the terminal reply has come.
    events: Option<Sender<Event>>,
    /// The answer has begun, and with 101.
    has_begun: bool,
    is_switched: bool,
    /// What the agent was allowed to send, and what it sent.
    granted: u64,
    received: u64,
    /// What was taken and is not allowed anew yet.
    owed: u64,
    /// What we may send.
    credit: u64,
    /// Our direction is over, or theirs.
    we_ended: bool,
    they_ended: bool,
}

/// Whether a request is still known after something came for it.
#[derive(PartialEq, Eq)]
pub(crate) enum After {
    UnderWay,
    Over,
}

impl Call {
    pub(crate) fn new(
        id: String,
        channel: Option<u32>,
        window: Option<u64>,
        is_upgrade: bool,
        events: Sender<Event>,
    ) -> Self {
        let state = State {
            events: Some(events),
            has_begun: false,
            is_switched: false,
            granted: window.unwrap_or(u64::MAX),
            received: 0,
            owed: 0,
            credit: FIRST_CREDIT,
            we_ended: false,
            they_ended: false,
        };
        Self { id, channel, window, is_upgrade, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Takes what the agent said of it; what breaks the protocol is given back in words.
    pub(crate) fn hear(&self, event: Event) -> Result<After, String> {
        let mut state = self.state.lock().unwrap();
        let after = match &event {
            Event::Head(head) => {
                if state.has_begun {
                    return Err(format!("{}: a second response", self.id));
                }
                if head.status == 101 && !(self.is_upgrade && head.is_stream) {
                    return Err(format!("{}: 101 to what asked for no upgrade", self.id));
                }
                (state.has_begun, state.is_switched) = (true, head.status == 101);
                if head.is_stream { After::UnderWay } else { After::Over }
            }
            Event::Content(bytes) => {
                state.received = state.received.saturating_add(long(bytes.len()));
                if state.received > state.granted {
                    let told = format!("{} bytes, {} were allowed", state.received, state.granted);
                    return Err(format!("{}: {told}", self.id));
                }
                if !state.has_begun || state.they_ended {
                    return Err(format!("{}: content before its response or after its end", self.id));
                }
                After::UnderWay
            }
            Event::End(reason) => {
                if !state.has_begun || state.they_ended {
                    return Err(format!("{}: an end ({reason}) that ends nothing", self.id));
                }
                state.they_ended = true;
                let goes_on = state.is_switched && !state.we_ended && reason == "complete";
                if goes_on { After::UnderWay } else { After::Over }
            }
            Event::Failed(why) => {
                if state.has_begun {
                    return Err(format!("{}: an error behind its response: {why}", self.id));
                }
                After::Over
            }
        };
        // Whoever asked may have left.
        let _ = state.events.as_ref().map(|events| events.send(event));
        if after == After::Over {
            state.events = None;
        }
        self.changed.notify_all();
        Ok(after)
    }

    /// The agent allows so much more.
    pub(crate) fn allow(&self, bytes: u64) {
        let mut state = self.state.lock().unwrap();
        state.credit = state.credit.saturating_add(bytes);
        self.changed.notify_all();
    }

    /// Waits until some content may be sent: how much, at most `most`. None once nobody wants any.
    pub(crate) fn may_send(&self, most: usize) -> Option<usize> {
        let state = self.state.lock().unwrap();
        let blocked = |state: &mut State| state.credit == 0 && state.events.is_some();
        let (mut state, late) = self.changed.wait_timeout_while(state, PATIENCE, blocked).unwrap();
        if late.timed_out() || state.events.is_none() {
            return None;
        }
        let allowed = most.min(usize::try_from(state.credit).unwrap());
        state.credit = state.credit.saturating_sub(long(allowed));
        Some(allowed)
    }

    /// So much content was passed on: how much to allow anew, if it is worth a message.
    pub(crate) fn took(&self, bytes: usize) -> Option<u64> {
        let window = self.window?;
        let mut state = self.state.lock().unwrap();
        state.owed = state.owed.saturating_add(long(bytes));
        if state.owed < window / 2 || state.they_ended {
            return None;
        }
        let owed = std::mem::take(&mut state.owed);
        state.granted = state.granted.saturating_add(owed);
        Some(owed)
    }

    /// Our direction ends: whether that is still to be told, and what follows.
    pub(crate) fn end_ours(&self, is_cancelled: bool) -> (bool, After) {
        let mut state = self.state.lock().unwrap();
        if state.events.is_none() || (state.we_ended && !is_cancelled) {
            return (false, After::UnderWay);
        }
        state.we_ended = true;
        if !state.they_ended {
            return (true, After::UnderWay);
        }
        state.events = None;
        self.changed.notify_all();
        (true, After::Over)
    }

    /// Its terminal reply has come, and on an upgrade both ends.
    pub(crate) fn is_over(&self) -> bool {
        self.state.lock().unwrap().events.is_none()
    }

    /// The connection is over: nothing more comes.
    pub(crate) fn drop_events(&self) {
        self.state.lock().unwrap().events = None;
        self.changed.notify_all();
    }
}

fn long(length: usize) -> u64 {
    u64::try_from(length).expect("a length of this machine")
}
