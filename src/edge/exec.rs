//! Commands in containers: made, started and carried on the controller's behalf.

use serde::Deserialize;
use serde_json::json;

use super::answer::ask;
use super::call::Call;
use super::duplex::{self, Command, End};
use super::envelope::ExecStart;
use super::frames::{Wrap, envelope};
use super::inlet::Cause;
use super::out::Out;
use super::outbox::{Frame, Lane};
use super::session::Running;
use super::unanswered::Unanswered;
use super::whole::{Bounds, Whole, whole};
use crate::api::{Reply, Response, Taped};
use crate::docker::logs::Logs;
use crate::docker::{Hijacked, Line};
use crate::limits::{JSON_ANSWER_BYTES_MAX, JSON_BODY_BYTES_MAX};
use crate::permits::Permit;
use crate::policy::is_identifier;

/// What is to run, and where.
pub(super) struct Wanted {
    container: String,
    body: serde_json::Value,
    has_terminal: bool,
    size: Option<(u16, u16)>,
    channel: Option<u32>,
}

impl Wanted {
    pub(super) fn read(asked: ExecStart<'_>, channel: Option<u32>) -> Self {
        let has_terminal = asked.tty.unwrap_or(true);
        let mut body = json!({
            "AttachStdin": true,
            "AttachStdout": true,
            "AttachStderr": true,
            "Tty": has_terminal,
            "Cmd": asked.cmd,
        });
        let optional = [
            ("User", asked.user.map(Into::into)),
            ("Env", asked.env.map(Into::into)),
            ("WorkingDir", asked.working_dir.map(serde_json::Value::from)),
        ];
        for (name, value) in optional {
            if let (Some(value), Some(members)) = (value, body.as_object_mut()) {
                members.insert(name.to_owned(), value);
            }
        }
        let size = asked.cols.zip(asked.rows).filter(|(cols, rows)| *cols > 0 && *rows > 0);
        let container = asked.container_id.into_owned();
        Self { container, body, has_terminal, size, channel }
    }
}

/// Says that a command is over, or never was.
pub(super) fn ended(exec_id: &str, reason: &str, exit_code: Option<i64>) -> String {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Ended<'e> {
        exec_id: &'e str,
        reason: &'e str,
        #[serde(skip_serializing_if = "Option::is_none")]
        exit_code: Option<i64>,
    }
    envelope("exec_end", &Ended { exec_id, reason, exit_code })
}

/// Runs a command from its making to its end, which is told exactly once.
pub(super) fn serve(running: &Running, wanted: Wanted) {
    let lane = running.session.outbox.lane(&running.inlet, None);
    let mut goodbye =
        Goodbye { running, lane: &lane, reason: "error: the agent failed".to_owned(), exit_code: None };
    match begin(running, wanted, &lane) {
        Ok((id, end)) => {
            goodbye.reason = reason(&end);
            goodbye.exit_code = (end == End::Complete).then(|| exit_code(running, &id)).flatten();
        }
        // Whoever ended it need not be told what that did.
        Err(_) if running.inlet.is_cancelled() => {
            goodbye.reason = reason(&End::Cancelled(running.inlet.cancelled()));
        }
        Err(why) => goodbye.reason = why,
    }
}

/// Says how it ended, also where a fault of ours ended it.
struct Goodbye<'g> {
    running: &'g Running,
    lane: &'g Lane,
    reason: String,
    exit_code: Option<i64>,
}

impl Drop for Goodbye<'_> {
    fn drop(&mut self) {
        // A session that is over needs no telling.
        let _ = self.lane.end(Frame::Text(ended(self.running.name(), &self.reason, self.exit_code)));
    }
}

fn reason(end: &End) -> String {
    match end {
        End::Complete => "exited".to_owned(),
        End::Cancelled(Some(Cause::Overflow)) => "input overflow".to_owned(),
        End::Cancelled(_) => "closed".to_owned(),
        End::Idle => "idle".to_owned(),
        End::Failed(why) => format!("error: {why}"),
    }
}

/// Makes and starts it, and carries it to its end.
fn begin(running: &Running, wanted: Wanted, lane: &Lane) -> Result<(String, End), String> {
    let Wanted { container, body, has_terminal, size, channel } = wanted;
    if !is_identifier(&container) {
        return Err("create exec failed: containerId is no name or id of a container".to_owned());
    }
    let not_created = |why: String| format!("create exec failed: {why}");
    let path = format!("/containers/{container}/exec");
    let made = told(running, "POST", &path, Some(&body)).map_err(not_created)?;
    let id = id_of(&made).ok_or_else(|| not_created("the Engine told no id".to_owned()))?;
    let body = json!({ "Detach": false, "Tty": has_terminal });
    let mut call = Call::ours("POST", &format!("/exec/{id}/start"), Some(&body), true);
    // Carried while its exchange lasts, whose end is recorded.
    let carried = ask(&running.session, &mut call, &running.inlet, |line, response| {
        let started = hijacked(running, line, response)?;
        Ok(carry(running, &Started { id: &id, has_terminal, size, channel }, lane, started))
    });
    carried.map(|end| (id, end)).map_err(|why: String| format!("start exec failed: {why}"))
}

/// What is known of a command that runs.
struct Started<'s> {
    id: &'s str,
    has_terminal: bool,
    size: Option<(u16, u16)>,
    channel: Option<u32>,
}

/// Carries it to its end.
fn carry(running: &Running, started: &Started<'_>, lane: &Lane, stream: Stream) -> End {
    let (mut hijacked, _place, taped) = stream;
    let Started { id, has_terminal, size, channel } = *started;
    let resize = |cols: u16, rows: u16| {
        // A terminal of another size is worth less than the command.
        let _ = told(running, "POST", &format!("/exec/{id}/resize?h={rows}&w={cols}"), None);
    };
    if let Some((cols, rows)) = size.filter(|_| has_terminal) {
        resize(cols, rows);
        if taped.as_ref().is_some_and(|taped| taped.resized((cols, rows)).is_err()) {
            return End::Failed("the recording cannot be written".to_owned());
        }
    }
    let ready = envelope("exec_ready", &json!({ "execId": running.name() }));
    if lane.end(Frame::Text(ready)).is_err() {
        return End::Cancelled(running.inlet.cancelled());
    }
    let out = Out { lane, inlet: &running.inlet, wrap: Wrap::exec(running.name(), channel), channel };
    let command = Command { logs: Logs::new(has_terminal), resize };
    duplex::command(&out, hijacked.wire(), command, taped)
}

/// A started command's bytes, its place, and where they are recorded.
type Stream = (Hijacked, Permit, Option<Box<Taped>>);

/// The stream of a started command.
fn hijacked(running: &Running, line: &mut Line, response: Response) -> Result<Stream, String> {
    if let Reply::Upgraded(hijacked, place, taped) = response.reply {
        return Ok((hijacked, place, taped));
    }
    let held = whole(&running.session, line, response, &running.inlet, Bounds::of(JSON_ANSWER_BYTES_MAX));
    Err(match held {
        Ok(whole) => message(&whole),
        Err(Unanswered { message, .. }) => message,
    })
}

/// What the Engine says to a request of ours, below 300; else its sentence.
pub(super) fn told(
    running: &Running,
    method: &str,
    path: &str,
    body: Option<&serde_json::Value>,
) -> Result<Vec<u8>, String> {
    let mut call = Call::ours(method, path, body, false);
    if call.body.len() > JSON_BODY_BYTES_MAX {
        return Err("it is longer than any command".to_owned());
    }
    let held = ask(&running.session, &mut call, &running.inlet, |line, response| {
        whole(&running.session, line, response, &running.inlet, Bounds::of(JSON_ANSWER_BYTES_MAX))
    });
    match held {
        Ok(whole) if whole.status.0 < 300 => Ok(whole.content),
        Ok(whole) => Err(message(&whole)),
        Err(why) => Err(why.message),
    }
}

/// The sentence of an answer that says no.
pub(super) fn message(whole: &Whole) -> String {
    #[derive(Deserialize)]
    struct Told {
        message: String,
    }
    let told = serde_json::from_slice(&whole.content).map(|told: Told| told.message);
    told.unwrap_or_else(|_| format!("the answer is {}", whole.status.0))
}

fn id_of(made: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Made {
        id: String,
    }
    let made: Made = serde_json::from_slice(made).ok()?;
    is_identifier(&made.id).then_some(made.id)
}

/// The Engine knows it once the command has ended.
fn exit_code(running: &Running, id: &str) -> Option<i64> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Inspected {
        exit_code: Option<i64>,
    }
    let (session, target) = (&running.session, format!("/exec/{id}/json"));
    let mut line = session.line();
    let told = session.house.agent.docker.read(&mut line, &target, JSON_ANSWER_BYTES_MAX).ok()??;
    session.give_back(line);
    serde_json::from_slice(&told).ok().and_then(|told: Inspected| told.exit_code)
}
