//! Asks the Engine on behalf of a caller, within what it was granted: the same decision as for what
//! the caller sends there itself.

use super::bounds;
use super::failure::Failure;
use super::route::Desk;
use crate::auth::Principal;
use crate::docker::{self, Answer, Ask, Content, Patience};
use crate::http::{Framing, Method, Target};
use crate::limits::{ENGINE_MESSAGE_BYTES_MAX, JSON_ANSWER_BYTES_MAX};
use crate::policy::decide::Asked;
use crate::policy::{Ruling, rule};

/// The answer's head, whatever it says. `target` is ours, its parts encoded.
pub(super) fn ask(
    desk: &mut Desk<'_>,
    by: &Principal,
    method: Method,
    target: &str,
    patience: Patience,
) -> Result<Answer, Failure> {
    let parsed = Target::parse(target).map_err(Failure::Malformed)?;
    let (path, query) = (parsed.path(), parsed.query().unwrap_or(""));
    let asked = Asked { method, path, query, is_upgrade: false, content_type: None, framing: Framing::None };
    let peer = desk.peer;
    let on_watched =
        |by: &Principal, why: &_| super::telling::tell_refused("policy.would_deny", by, why, peer);
    let target = match rule(by, &asked, &on_watched)? {
        Ruling::Free => target.to_owned(),
        Ruling::Watched(order) => {
            bounds::watch_unsent(desk, by, order)?;
            target.to_owned()
        }
        Ruling::Bound(mut order) => {
            bounds::settle(desk, by, &mut order, None)?;
            order.target()
        }
    };
    let ask = Ask::new(desk.line.space(), method, &target, patience);
    Ok(desk.agent.docker.call(desk.line, ask)?)
}

/// A document of at most `most` bytes. What the Engine refuses is a failure in its own words.
pub(super) fn document(
    desk: &mut Desk<'_>,
    by: &Principal,
    target: &str,
    most: usize,
) -> Result<Vec<u8>, Failure> {
    let answer = accepted(desk, by, Method::Get, target, Patience::Bounded)?;
    let Content::Incoming(incoming) = answer.content else { return Err(docker::Error::Switched.into()) };
    let patience = desk.agent.docker.patience();
    Ok(incoming.whole(most, patience, desk.line)?)
}

/// An answer below 300.
pub(super) fn accepted(
    desk: &mut Desk<'_>,
    by: &Principal,
    method: Method,
    target: &str,
    patience: Patience,
) -> Result<Answer, Failure> {
    let answer = ask(desk, by, method, target, patience)?;
    let status = answer.status;
    if status.0 < 300 {
        return Ok(answer);
    }
    let Content::Incoming(incoming) = answer.content else { return Err(docker::Error::Switched.into()) };
    let told = incoming.whole(JSON_ANSWER_BYTES_MAX, desk.agent.docker.patience(), desk.line)?;
    let message = message(&told);
    match status.0 {
        400..=499 | 501 => Err(Failure::EngineSaid(status, message)),
        _ => Err(docker::Error::Refused(status).into()),
    }
}

/// The Engine's own sentence, cut where it is long.
fn message(told: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Told {
        message: String,
    }
    let told = serde_json::from_slice(told).map(|told: Told| told.message).unwrap_or_default();
    let end = told.floor_char_boundary(ENGINE_MESSAGE_BYTES_MAX);
    told.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_the_engine_says_only_its_message_is_told_and_a_long_one_is_cut() {
        let long = "é".repeat(ENGINE_MESSAGE_BYTES_MAX);
        let cut = "é".repeat(ENGINE_MESSAGE_BYTES_MAX / 2);
        for (told, sentence) in [
            (r#"{"message":"No such container: x","reason":"hunter2"}"#.to_owned(), "No such container: x"),
            (format!(r#"{{"message":"{long}"}}"#), cut.as_str()),
            (
                format!(r#"{{"message":"x{long}"}}"#),
                &format!("x{}", "é".repeat(ENGINE_MESSAGE_BYTES_MAX / 2 - 1)),
            ),
            ("page not found, hunter2".to_owned(), ""),
            (r#"{"error":"hunter2"}"#.to_owned(), ""),
            (String::new(), ""),
        ] {
            assert_eq!(message(told.as_bytes()), sentence, "{told}");
        }
    }
}
