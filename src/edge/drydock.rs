//! What only the Drydock adapter is asked: logs and removals by their own messages, and what the
//! controller does itself.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::envelope::{AskedLogs, Errand, Named, Other, is_name};
use super::frames::envelope;
use super::logs;
use super::outbox::{Frame, Gone};
use super::session::{Kind, NotBegun, Running, Session};

const FULL: &str = "too many active container log streams";

impl Session {
    pub(super) fn errand(self: &Arc<Self>, errand: Errand<'_>) -> Result<(), Gone> {
        match errand {
            Errand::Logs(asked) if asked.stream => self.stream_logs(&asked),
            Errand::Logs(asked) => self.logs(&asked),
            Errand::LogsCancel(named) => {
                self.stop(Kind::Logs, named.request_id.as_deref().unwrap_or_default());
                Ok(())
            }
            Errand::Delete(named) => self.delete(&named),
            Errand::Other(kind, other) => self.outbox.control(not_ours(kind, &other)),
        }
    }

    fn logs(self: &Arc<Self>, asked: &AskedLogs<'_>) -> Result<(), Gone> {
        let (wanted, id) = (logs::Wanted::read(asked), asked.request_id.as_deref().map(str::to_owned));
        let busy = || logs::told_once(&asked.container_id, "error: agent busy", asked.request_id.as_deref());
        self.aside(move |running| logs::once(running, &wanted, id.as_deref()), busy)
    }

    fn delete(self: &Arc<Self>, named: &Named<'_>) -> Result<(), Gone> {
        let (id, container) =
            (named.request_id.as_deref().map(str::to_owned), named.container_id.to_string());
        let busy =
            || logs::told_deleted(&named.container_id, Some("agent busy"), named.request_id.as_deref());
        self.aside(move |running| logs::delete(running, &container, id.as_deref()), busy)
    }

    /// Something with one message for an answer, which names itself.
    fn aside(
        self: &Arc<Self>,
        run: impl FnOnce(&Running) -> String + Send + 'static,
        busy: impl Fn() -> String,
    ) -> Result<(), Gone> {
        let refuse = || self.outbox.control(busy());
        let Some(place) = self.house.places.errands.try_take() else { return refuse() };
        let Ok(running) = self.begin_errand() else { return refuse() };
        let started = self.house.crew.submit(move || {
            let _place = place;
            let told = run(&running);
            // A session that is over needs no answers.
            let _ = running.session.outbox.lane(&running.inlet, None).end(Frame::Text(told));
        });
        if started.is_ok() { Ok(()) } else { refuse() }
    }

    fn stream_logs(self: &Arc<Self>, asked: &AskedLogs<'_>) -> Result<(), Gone> {
        let (id, container) = (asked.request_id.as_deref().unwrap_or_default(), &*asked.container_id);
        let refuse = |why: &str| self.outbox.control(logs::error(id, container, why));
        if !is_name(id) || container.is_empty() {
            return refuse("requestId and containerId are required");
        }
        let Some(place) = self.house.places.logs.try_take() else { return refuse(FULL) };
        let running = match self.begin(Kind::Logs, id, None, false) {
            Ok(running) => running,
            Err(NotBegun::Duplicate) => return refuse("duplicate requestId"),
            Err(NotBegun::Over) => return refuse(FULL),
        };
        let wanted = logs::Wanted::read(asked);
        let started = self.house.crew.submit(move || {
            let _place = place;
            logs::stream(&running, &wanted);
        });
        if started.is_ok() { Ok(()) } else { refuse(FULL) }
    }
}

/// The answer of an agent that leaves it to the controller, with the members of the question.
#[derive(serde::Serialize)]
struct NotOurs<'n> {
    #[serde(flatten)]
    asked: std::collections::BTreeMap<&'static str, &'n RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<[(); 0]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    success: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
}

fn not_ours(kind: &str, other: &Other<'_>) -> String {
    let Other { watcher_type, watcher_name, container_id, trigger_type, trigger_name } = other;
    let all = [
        ("watcherType", watcher_type),
        ("watcherName", watcher_name),
        ("containerId", container_id),
        ("triggerType", trigger_type),
        ("triggerName", trigger_name),
    ];
    let is_trigger = kind == "dd:trigger_request";
    let told = all.into_iter().filter(|(name, _)| !is_trigger || name.starts_with("trigger"));
    let answer = NotOurs {
        asked: told.filter_map(|(name, value)| Some((name, (*value)?))).collect(),
        results: (kind == "dd:watch_request").then_some([]),
        success: is_trigger.then_some(false),
        // Controllers know an agent that leaves it to them by these very words.
        message: is_trigger.then_some("triggers not implemented in v1.0"),
    };
    envelope(&kind.replace("_request", "_response"), &answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::envelope::{Message, read};

    #[test]
    fn what_the_controller_does_itself_is_answered_with_what_it_asked() {
        for (asked, told) in [
            (
                r#"{"type":"dd:watch_request","data":{"watcherType":"docker","watcherName":"docker"}}"#,
                r#"{"type":"dd:watch_response","data":{"watcherName":"docker","watcherType":"docker","results":[]}}"#,
            ),
            (
                r#"{"type":"dd:watch_container_request","data":{"watcherType":"d","watcherName":"d","containerId":"c"}}"#,
                r#"{"type":"dd:watch_container_response","data":{"containerId":"c","watcherName":"d","watcherType":"d"}}"#,
            ),
            (
                r#"{"type":"dd:trigger_request","data":{"triggerType":"t","triggerName":"n","containerId":"c"}}"#,
                r#"{"type":"dd:trigger_response","data":{"triggerName":"n","triggerType":"t","success":false,"message":"triggers not implemented in v1.0"}}"#,
            ),
            (r#"{"type":"dd:watch_request"}"#, r#"{"type":"dd:watch_response","data":{"results":[]}}"#),
        ] {
            let Ok(Message::Drydock(Errand::Other(kind, other))) = read(asked) else { panic!("{asked}") };
            assert_eq!(not_ours(kind, &other), told);
        }
    }
}
