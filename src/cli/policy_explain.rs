//! What becomes of one request: decided as the agent decides it, without an Engine to ask.

use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Arg, ArgMatches};

use super::out::say;
use super::policy::{NoAnswer, has_expired, keys, terms};
use crate::api::{self, Access, Failure, Route};
use crate::auth::keyring::Key;
use crate::auth::{Class, Grant, KeyId, Mode, Principal};
use crate::config::{self, Environment, columns};
use crate::http::{Framing, Method, Target};
use crate::limits::JSON_BODY_BYTES_MAX;
use crate::policy::decide::{Asked, Order, decide};
use crate::policy::engine;
use crate::policy::row::{Row, Takes};
use crate::policy::words::{Unseen, told};
use crate::policy::{Denial, Refused, Stop};

pub(super) const MORE: &str = "\
A body is read from standard input, unless that is a terminal, where the route takes one:
  lookout policy explain ci POST '/containers/create?name=web' < body.json";

/// A request, and whose it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    caller: String,
    method: Method,
    target: String,
    file: Option<PathBuf>,
}

pub(super) fn arguments() -> Vec<Arg> {
    let wanted =
        |name: &'static str, help: &'static str| Arg::new(name).value_name(name).required(true).help(help);
    vec![
        wanted("KEY", "Id or comment of a key, or the word token"),
        wanted("METHOD", "As in GET").value_parser(method),
        wanted("PATH", "With its query, in quotes"),
    ]
}

fn method(name: &str) -> Result<Method, String> {
    let known = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
    Method::parse(name).ok_or_else(|| format!("no method that is known: {known}"))
}

impl Question {
    pub(super) fn of(matches: &mut ArgMatches) -> Self {
        Self {
            caller: matches.remove_one("KEY").unwrap_or_default(),
            method: matches.remove_one("METHOD").unwrap_or(Method::Get),
            target: matches.remove_one("PATH").unwrap_or_default(),
            file: matches.remove_one("file"),
        }
    }
}

/// What becomes of the request, and everything about it.
struct Verdict {
    is_allowed: bool,
    rows: Vec<[String; 2]>,
}

impl Verdict {
    fn tell(&mut self, what: &str, text: impl Into<String>) {
        // Names may come from a body that somebody else wrote.
        let plain = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        self.rows.push([what.to_owned(), text.into().chars().map(plain).collect()]);
    }

    fn deny(&mut self, status: u16, sentence: &str, reason: &str) {
        self.is_allowed = false;
        self.tell("told", format!("{status} {sentence}"));
        self.tell("reason", reason);
    }

    /// Goes to the Engine, and comes back, as it stands.
    fn free(&mut self, question: &Question) {
        self.tell("sent", format!("{} {}", question.method, question.target));
        self.tell("answer", "as the Engine gives it");
    }
}

pub(super) fn explain(question: &Question, environment: &Environment) -> Result<ExitCode, NoAnswer> {
    let target = Target::parse(&question.target).map_err(NoAnswer::Target)?;
    let caller = Caller::find(question, environment)?;
    let mut verdict = Verdict { is_allowed: true, rows: Vec::new() };
    verdict.tell("caller", &caller.shown);
    let key = caller.key.as_deref();
    for term in key.map(terms).unwrap_or_default() {
        verdict.tell("key", term);
    }
    if key.is_some_and(has_expired) {
        // No different from a key that is not there.
        verdict.deny(401, "lookout: the key is not accepted here", "unknown-key");
    } else {
        let own: Vec<_> = api::routes().filter(|route| route.path == target.path()).collect();
        match own.as_slice() {
            [] => engines(&mut verdict, &caller, question, &target)?,
            own => ours(&mut verdict, &caller, question.method, own),
        }
    }
    let has_conditions = verdict.rows.iter().any(|[what, _]| what == "first");
    let head = match (verdict.is_allowed, has_conditions) {
        (true, false) => "allow",
        (true, true) => "allow, if what is looked at first is so",
        (false, _) => "deny",
    };
    say(&format!("{head}\n{}", columns(&verdict.rows, "  ")));
    Ok(if verdict.is_allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Who asks.
struct Caller {
    /// In a sentence for the caller.
    title: String,
    shown: String,
    grant: Grant,
    key: Option<Arc<Key>>,
}

impl Caller {
    fn find(question: &Question, environment: &Environment) -> Result<Self, NoAnswer> {
        let name = &question.caller;
        if name == "token" {
            let (names, classes) = config::tokens_of(environment)?.ok_or(NoAnswer::NoToken)?;
            let title = names.first().copied().unwrap_or("TOKEN").to_owned();
            let shown = format!("token {title}");
            return Ok(Self { title, shown, grant: Grant::of(classes), key: None });
        }
        let keyring = keys(question.file.as_deref(), environment)?;
        let by_id = KeyId::parse(name).and_then(|id| keyring.find(&id));
        let mut by_comment = keyring.iter().filter(|key| key.comment.as_str() == name);
        let key = match (by_id, by_comment.next(), by_comment.next()) {
            (Some(key), _, _) | (None, Some(key), None) => key,
            (None, Some(_), Some(_)) => return Err(NoAnswer::Ambiguous(name.clone())),
            (None, None, _) => return Err(NoAnswer::UnknownKey(name.clone())),
        };
        let title = Principal::Key(Arc::clone(key)).title();
        let shown = format!("key {} {}", key.id, key.comment).trim_end().to_owned();
        Ok(Self { title, shown, grant: key.options.grant.clone(), key: Some(Arc::clone(key)) })
    }

    /// Refused, or only told where the caller is only watched.
    fn refuse(&self, verdict: &mut Verdict, why: Refused) {
        // In the Engine's own words, where it knows no such thing.
        let is_absent = matches!(why, Refused::Absent { .. } | Refused::AbsentPart { .. });
        let sentence = if is_absent { why.to_string() } else { format!("lookout: {} {why}", self.title) };
        let reason = why.reason();
        let is_watched = self.grant.mode == Mode::Audit && !matches!(why, Refused::TooLarge);
        let status = Failure::from(Denial { by: Principal::Anyone, why }).status().0;
        match is_watched {
            false => verdict.deny(status, &sentence, reason),
            true => verdict.tell("watched", format!("would be told {status} {sentence}; reason {reason}")),
        }
    }
}

/// A route of the agent's own.
fn ours(verdict: &mut Verdict, caller: &Caller, method: Method, routes: &[&Route]) {
    // What is there to GET is there to HEAD.
    let wanted = if method == Method::Head { Method::Get } else { method };
    let found = routes.iter().find(|route| route.method == wanted);
    let needed = match found.map(|route| &route.access) {
        Some(Access::Guarded(class, _)) => Some(*class),
        // What is not there is told to whoever is known.
        Some(Access::Public(_) | Access::Engine(_)) | None => None,
    };
    let class = needed.map_or_else(|| "for everybody".to_owned(), |class| format!("class {class}"));
    let path = routes.first().map_or("", |route| route.path);
    verdict.tell("route", format!("{method} {path} of the agent itself, {class}"));
    match needed.filter(|class| !caller.grant.has(*class)) {
        Some(class) => caller.refuse(verdict, Refused::Class(class)),
        None if found.is_none() => {
            let with_head = |route: &&Route| {
                let head = (route.method == Method::Get).then_some(Method::Head.as_str());
                [Some(route.method.as_str()), head].into_iter().flatten()
            };
            let known: Vec<_> = routes.iter().flat_map(with_head).collect();
            verdict.deny(405, &format!("lookout: this route knows {}", known.join(", ")), "method");
        }
        None => {}
    }
}

/// A route of the Engine's.
fn engines(
    verdict: &mut Verdict,
    caller: &Caller,
    question: &Question,
    target: &Target<'_>,
) -> Result<(), NoAnswer> {
    let (method, grant) = (question.method, &caller.grant);
    let row = engine::classify(method, target.path());
    let route =
        if row.is_unknown() { "none that is known".to_owned() } else { format!("{method} {}", row.pattern) };
    verdict.tell("route", format!("{route}, class {}", row.class));
    if grant.is_everything() {
        verdict.free(question);
        return Ok(());
    }
    let body = body(row)?;
    let length = body.as_ref().map(|body| u64::try_from(body.len()).unwrap_or(u64::MAX));
    let asked = Asked {
        method,
        path: target.path(),
        query: target.query().unwrap_or(""),
        is_upgrade: false,
        content_type: None,
        framing: length.map_or(Framing::None, Framing::Length),
    };
    let mut unseen = Unseen::new(grant);
    let outcome = decide(grant, &asked).and_then(|order| settle(order, grant, body.as_deref(), &mut unseen));
    if let Ok((order, _)) = &outcome
        && let Some(minor) = order.version()
    {
        verdict.tell("first", format!("version 1.{minor}: must be one that the Engine speaks"));
    }
    for lookup in unseen.lookups {
        verdict.tell("first", lookup);
    }
    match outcome {
        Err(why) => caller.refuse(verdict, why),
        Ok((order, judged)) if grant.mode == Mode::Enforce => {
            let body = sent_body(&order, grant, judged);
            if body.is_none() {
                verdict.tell("first", "its body: is judged too, where it is given on standard input");
            }
            verdict.tell("sent", format!("{method} {}", order.target()));
            if let Some(body) = body.filter(|body| !body.is_empty()) {
                verdict.tell("body", body);
            }
            verdict.tell("answer", told(&order, grant));
            return Ok(());
        }
        Ok(_) => {}
    }
    if grant.mode == Mode::Audit && verdict.is_allowed {
        verdict.free(question);
    }
    Ok(())
}

/// What is read of standard input, where the route takes a body: nothing is nothing, one byte too many
/// is enough to know.
fn body(row: &Row) -> Result<Option<Vec<u8>>, NoAnswer> {
    let input = io::stdin();
    if row.body == Takes::Nothing || input.is_terminal() {
        return Ok(None);
    }
    let most = u64::try_from(JSON_BODY_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    input.lock().take(most).read_to_end(&mut bytes).map_err(NoAnswer::Input)?;
    Ok((!bytes.is_empty()).then_some(bytes))
}

type Settled = (Order, Option<Vec<u8>>);

fn settle(
    mut order: Order,
    grant: &Grant,
    body: Option<&[u8]>,
    unseen: &mut Unseen<'_>,
) -> Result<Settled, Refused> {
    let is_judged = matches!(order.row.body, Takes::Judged(_));
    if is_judged && body.is_some_and(|body| body.len() > JSON_BODY_BYTES_MAX) {
        return Err(Refused::TooLarge);
    }
    match order.settle(grant, body, unseen) {
        Ok(judged) => Ok((order, judged)),
        // There was none to judge, nor an Engine to ask.
        Err(Stop::Refused(Refused::Json(_))) if body.is_none() => Ok((order, None)),
        Err(Stop::Engine(_)) => Ok((order, None)),
        Err(Stop::Refused(why)) => Err(why),
    }
}

/// Nothing, where it cannot be said: there was none to judge.
fn sent_body(order: &Order, grant: &Grant, judged: Option<Vec<u8>>) -> Option<String> {
    Some(match order.row.body {
        Takes::Nothing => String::new(),
        Takes::Judged(_) => String::from_utf8_lossy(&judged?).into_owned(),
        Takes::Files if !grant.has(Class::Host) => {
            "as it comes, unless it is compressed (class host)".to_owned()
        }
        Takes::Json | Takes::Archive | Takes::Files => "as it comes".to_owned(),
    })
}
