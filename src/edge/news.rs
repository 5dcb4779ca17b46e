//! What the agent tells unasked: its containers, what happens to them, and its host's figures.

use std::time::Duration;

use super::frames::envelope;
use super::outbox::{Frame, Gone, Lane};
use super::session::Running;
use crate::api::{self, Adapter, Tidings};
use crate::auth::{Class, Grant};
use crate::clock::Deadline;
use crate::limits::{EDGE_MESSAGE_OUT_MAX, INVENTORY_WAIT_SECS};
use crate::log::{self, text};
use crate::sys::poll::{Watch, wait};

/// Tells news for as long as the session lasts.
pub(super) fn serve(running: &Running, grant: &Grant, heartbeat: Duration) {
    let lane = running.session.outbox.lane(&running.inlet, None);
    // The session is over.
    let Err(Gone) = (News { running, lane: &lane, heartbeat }).tell(grant) else { return };
}

struct News<'n> {
    running: &'n Running,
    lane: &'n Lane,
    heartbeat: Duration,
}

impl News<'_> {
    fn tell(&self, grant: &Grant) -> Result<(), Gone> {
        let agent = &self.running.session.house.agent;
        // Who owns the containers is to be known before they are.
        if agent.about.adapter == Adapter::Drydock {
            self.lane.send(Frame::Text(api::component_sync()))?;
        }
        let mut tidings = api::tidings(agent, grant, EDGE_MESSAGE_OUT_MAX);
        if tidings.is_none() {
            log::warn("edge.no_inventory", &[("why", text(&"too many follow it"))]);
        }
        let patience = Deadline::after_secs(INVENTORY_WAIT_SECS);
        // Without those there is nothing to wait for.
        let tells_all = agent.about.adapter == Adapter::Drydock && grant.has(Class::View);
        let mut is_first = tells_all && tidings.is_some();
        let mut beat = Deadline::after(Duration::ZERO);
        loop {
            let told = tidings.as_mut().map_or(Ok(0), |tidings| self.hear(tidings))?;
            is_first &= told == 0 && !patience.passed();
            if !is_first && beat.passed() {
                beat = Deadline::after(self.heartbeat);
                self.lane.send(Frame::Text(envelope("metrics", &agent.host.sample())))?;
                // Whoever keeps it can tell later whether a trail was cut short.
                if let Some((sequence, hash)) = agent.trail.head() {
                    let head = serde_json::json!({ "sequence": sequence, "hash": hash });
                    self.lane.send(Frame::Text(envelope("audit_head", &head)))?;
                }
            }
            let on_news = tidings.as_ref().map_or_else(Watch::nothing, Watch::readable);
            let mut watches = [on_news, Watch::departure(&*self.running.inlet)];
            let until = if is_first { patience } else { beat };
            let waited = wait(&mut watches, until);
            let [_, on_end] = watches.map(|watch| watch.is_ready());
            if waited.is_err() || on_end {
                return Ok(());
            }
        }
    }

    /// How many messages that were.
    fn hear(&self, tidings: &mut Tidings) -> Result<usize, Gone> {
        let (mut count, mut outcome) = (0_usize, Ok(()));
        tidings.tell(&mut |message| {
            count = count.saturating_add(1);
            if outcome.is_ok() {
                outcome = self.lane.send(Frame::Text(message));
            }
        });
        outcome.map(|()| count)
    }
}
