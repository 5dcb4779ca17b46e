//! Bytes against the agent: each case is sent as it is, and then everybody concerned is asked what he saw.
//!
//! After each case: the client was told exactly what the table says, the Engine received exactly the
//! requests the table says and not one byte beside them, whoever goes on on the same connection gets his
//! own answer, and so does whoever comes next.
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use crate::agent::{Agent, TOKEN, request};
use crate::client::Client;
use crate::engine::{Engine, Visit};
use crate::message::{Length, Message};
use crate::patience::until;
use crate::torture_reader::{Reading, read};

/// In the target of whatever must never be asked.
pub(crate) const SMUGGLED: &str = "smuggled";
/// Behind what the Engine may have got the beginning of.
const CUT: char = '…';

/// A name; the bytes; the statuses the client is told, in order; the requests the Engine gets, in order.
///
/// In the bytes `{ok}` stands for a good Host and credential, so that nothing but the point of the case can
/// be the reason of a refusal. A request is told as its line, without the version, and its body. One that
/// ends in `…` may have begun, and never came to its end.
pub(crate) type Case<'c> = (&'c str, &'c str, &'c [u16], &'c [&'c str]);

/// A case with bytes of its own making.
pub(crate) struct Shot<'c> {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) told: &'c [u16],
    pub(crate) reached: Vec<String>,
    /// What is behind this many bytes is sent once the Engine has got something of what is before.
    late: Option<usize>,
    /// The client says that nothing more comes.
    is_all: bool,
    /// What is behind this many bytes is most likely read apart.
    torn: Option<usize>,
}

impl<'c> Shot<'c> {
    pub(crate) fn of(&(name, bytes, told, reached): &Case<'c>) -> Self {
        Self::new(name, fill(bytes), told, reached)
    }

    pub(crate) fn new(name: &str, bytes: impl Into<Vec<u8>>, told: &'c [u16], reached: &[&str]) -> Self {
        let reached = reached.iter().map(|one| (*one).to_owned()).collect();
        Self {
            name: name.to_owned(),
            bytes: bytes.into(),
            told,
            reached,
            late: None,
            is_all: false,
            torn: None,
        }
    }

    /// The client says that this was all, and listens on.
    pub(crate) fn and_no_more(self) -> Self {
        Self { is_all: true, ..self }
    }

    pub(crate) fn torn(self, at: usize) -> Self {
        Self { torn: Some(at), ..self }
    }

    pub(crate) fn in_two(self, at: usize) -> Self {
        Self { late: Some(at), ..self }
    }
}

/// Puts what is usual in its place.
pub(crate) fn fill(template: &str) -> String {
    let ok = "Host: lookout\r\nAuthorization: Bearer {token}\r\n";
    template.replace("{ok}", ok).replace("{token}", TOKEN)
}

/// What one connection brought the Engine.
#[derive(Clone, Default)]
struct Page {
    bytes: Vec<u8>,
    is_over: bool,
}

/// Every byte that ever came to the Engine.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<Page>>>);

impl Notes {
    /// Writes down what comes, and answers each whole request with what it was.
    pub(crate) fn serve(&self, visit: &mut Visit) {
        let number = {
            let mut pages = self.0.lock().unwrap();
            pages.push(Page::default());
            pages.len() - 1
        };
        let (mut bytes, mut used) = (Vec::new(), 0);
        while let Ok(piece) = visit.wire().some() {
            if piece.is_empty() {
                break;
            }
            let piece = piece.to_vec();
            visit.wire().consume(piece.len());
            bytes.extend_from_slice(&piece);
            self.0.lock().unwrap()[number].bytes.extend_from_slice(&piece);
            let Reading { whole, fault, used: more, .. } = read(&bytes[used..]);
            used += more;
            let answers: Vec<u8> =
                whole.iter().flat_map(|asked| answer(&asked.line, &asked.brief())).collect();
            let is_beyond = fault.is_some_and(|(why, _)| why != "a head that is not whole");
            if visit.try_send(answers).is_err() || is_beyond {
                break;
            }
        }
        self.0.lock().unwrap()[number].is_over = true;
    }

    fn since(&self, mark: usize) -> Vec<Page> {
        self.0.lock().unwrap()[mark..].to_vec()
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// What connections from this one on have brought, once all of them are over.
    fn settled(&self, mark: usize) -> Vec<Page> {
        until("the Engine's connections are over", || {
            let pages = self.since(mark);
            pages.iter().all(|page| page.is_over).then_some(pages)
        })
    }
}

fn answer(line: &str, brief: &str) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n", brief.len());
    if line.starts_with("HEAD ") { head.into_bytes() } else { (head + brief).into_bytes() }
}

/// What came, told as a table tells it, and what was wrong with it.
fn told_of(pages: &[Page]) -> (Vec<String>, Vec<String>) {
    let (mut came, mut wrong) = (Vec::new(), Vec::new());
    for page in pages {
        let reading = read(&page.bytes);
        came.extend(reading.whole.iter().map(crate::torture_reader::Asked::brief));
        came.extend(reading.cut.iter().map(|cut| format!("{}{CUT}", cut.line.trim_end_matches(" HTTP/1.1"))));
        if let Some((why, rest)) = reading.fault {
            let text = String::from_utf8_lossy(&rest[..rest.len().min(300)]).into_owned();
            let is_smuggled = text.contains(SMUGGLED);
            wrong.push(format!(
                "the Engine got {}: {why}: {text:?}",
                if is_smuggled { SMUGGLED } else { "what it must not" }
            ));
        }
    }
    // What the agent asks by itself.
    came.retain(|one| one != "GET /_ping");
    let lines = came.iter().filter_map(|one| one.split(' ').nth(1));
    wrong.extend(lines.filter(|line| line.contains(SMUGGLED)).map(|line| format!("{SMUGGLED}: {line}")));
    (came, wrong)
}

/// Something in front of a recording Engine.
pub(crate) struct Stand {
    notes: Notes,
    engine: Engine,
    agent: Option<Agent>,
    port: u16,
    /// Everything the Engine may have got so far.
    due: Vec<String>,
    /// What it may have got beside that.
    may: Vec<String>,
    next: usize,
    wrong: Vec<String>,
}

impl Stand {
    /// The agent itself.
    pub(crate) fn agent(more: &[(&str, &str)]) -> Self {
        let (notes, engine) = Self::engine();
        let agent = Agent::start_with(&engine, more);
        Self { port: agent.port(), agent: Some(agent), ..Self::before(notes, engine, 0) }
    }

    /// Somebody else, who is given the Engine and tells his port.
    pub(crate) fn other(other: impl FnOnce(&Engine) -> u16) -> Self {
        let (notes, engine) = Self::engine();
        let port = other(&engine);
        Self::before(notes, engine, port)
    }

    fn engine() -> (Notes, Engine) {
        let notes = Notes::default();
        let book = notes.clone();
        (notes, Engine::start(move |visit| book.serve(visit)))
    }

    fn before(notes: Notes, engine: Engine, port: u16) -> Self {
        Self {
            notes,
            engine,
            agent: None,
            port,
            due: Vec::new(),
            may: Vec::new(),
            next: 0,
            wrong: Vec::new(),
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.port)
    }

    /// A request nobody else makes, and the answer only it can have.
    fn own(&mut self, kind: &str) -> (String, String) {
        self.next += 1;
        let brief = format!("POST /{kind}/{} own-{}", self.next, self.next);
        let body = format!("own-{}", self.next);
        let line = format!("POST /{kind}/{}", self.next);
        self.due.push(brief.clone());
        (request(&line, &format!("Content-Length: {}\r\n", body.len())) + &body, brief)
    }

    pub(crate) fn shoot<'c>(&mut self, shots: impl IntoIterator<Item = Shot<'c>>) {
        for shot in shots {
            let tried = catch_unwind(AssertUnwindSafe(|| self.try_one(&shot)));
            let found = tried.unwrap_or_else(|panic| vec![words(&*panic)]);
            let text = String::from_utf8_lossy(&shot.bytes[..shot.bytes.len().min(200)]).into_owned();
            self.wrong.extend(found.iter().map(|what| format!("{}: {what}\n    {text:?}", shot.name)));
        }
    }

    fn try_one(&mut self, shot: &Shot<'_>) -> Vec<String> {
        let mark = self.notes.count();
        let mut wrong = Vec::new();
        let mut client = self.client();
        let (early, late) = shot.bytes.split_at(shot.late.unwrap_or(shot.bytes.len()));
        // The agent may close while this is sent: what counts is what it says.
        if let Some(at) = shot.torn {
            client.send_apart(&early[..at]);
        }
        let _ = client.try_send(&early[shot.torn.unwrap_or(0)..]);
        if shot.late.is_some() {
            until("the Engine has got something", || (self.notes.count() > mark).then_some(()));
            let _ = client.try_send(late);
        }
        if shot.is_all || shot.told.is_empty() {
            client.finish_sending();
        }
        let mut reached = shot.reached.clone();
        let goes_on = self.hear(&mut client, shot, &mut wrong);
        if goes_on {
            let (next, brief) = self.own("next");
            expect_own(&mut client, &next, &brief, "on the same connection", &mut wrong);
            reached.push(brief);
        }
        drop(client);
        let (canary, brief) = self.own("canary");
        expect_own(&mut self.client(), &canary, &brief, "to whoever comes next", &mut wrong);
        self.due.extend(shot.reached.iter().filter(|one| !one.ends_with(CUT)).cloned());
        let (mut came, found) = told_of(&self.notes.settled(mark));
        wrong.extend(found);
        came.retain(|one| *one != brief);
        let begun = |one: &&String| one.ends_with(CUT);
        let foreign: Vec<_> = came.iter().filter(begun).filter(|one| !reached.contains(one)).collect();
        let [came_whole, due] =
            [&came, &reached].map(|all| all.iter().filter(|one| !begun(one)).collect::<Vec<_>>());
        if came_whole != due || !foreign.is_empty() {
            wrong.push(format!("the Engine got {came:?} and not {reached:?}"));
        }
        wrong
    }

    /// Somebody comes, does something and goes; what he asked for may have begun, or have been announced.
    pub(crate) fn leave(&mut self, name: &str, act: impl FnOnce(Client)) {
        let mark = self.notes.count();
        let mut wrong = Vec::new();
        act(self.client());
        let (canary, brief) = self.own("canary");
        expect_own(&mut self.client(), &canary, &brief, "to whoever comes next", &mut wrong);
        let (mut came, found) = told_of(&self.notes.settled(mark));
        wrong.extend(found);
        came.retain(|one| *one != brief && !one.ends_with(CUT) && !self.may.contains(one));
        if !came.is_empty() {
            wrong.push(format!("the Engine got {came:?}"));
        }
        self.wrong.extend(wrong.iter().map(|what| format!("{name}: {what}")));
    }

    /// The Engine gets this, or it does not.
    pub(crate) fn may_get(&mut self, brief: &str) {
        self.may.push(brief.to_owned());
    }

    /// What the client is told. Whether its connection goes on.
    fn hear(&self, client: &mut Client, shot: &Shot<'_>, wrong: &mut Vec<String>) -> bool {
        let mut echoes: VecDeque<_> = shot.reached.iter().collect();
        let mut goes_on = true;
        for (number, status) in shot.told.iter().enumerate() {
            let head = match client.wire().head() {
                Ok(head) => head,
                Err(cut) => {
                    wrong.push(format!("no answer {number}: {cut:?}"));
                    return false;
                }
            };
            if head.status() != *status {
                wrong.push(format!("answer {number} is {} and not {status}", head.status()));
            }
            let echo = if head.status() == 200 { echoes.pop_front() } else { None };
            let is_bare = echo.is_some_and(|echo| echo.starts_with("HEAD "));
            let length = if is_bare { Length::Exactly(0) } else { head.length() };
            let body = client.body(length).expect("a whole body");
            let text = String::from_utf8_lossy(&body).into_owned();
            if echo.is_some_and(|echo| *echo != text && !is_bare) {
                wrong.push(format!("answer {number} is {text:?}, which is another's"));
            }
            if head.status() >= 400 {
                Message { head: head.clone(), body }.sentence();
            }
            goes_on = head.value("connection").is_none_or(|value| !value.eq_ignore_ascii_case("close"));
            if !goes_on && number + 1 < shot.told.len() {
                wrong.push(format!("answer {number} is the last"));
                break;
            }
        }
        if shot.told.is_empty() || shot.is_all || !goes_on {
            client.expect_end();
            return false;
        }
        true
    }

    /// What was wrong so far, for who expects something.
    pub(crate) fn findings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.wrong)
    }

    /// The agent lets go of everything, ends in order, and the Engine never got anything else.
    pub(crate) fn finish(mut self) {
        let agent = self.agent.take().expect("an agent");
        assert!(self.wrong.is_empty(), "{} findings:\n{}", self.wrong.len(), self.wrong.join("\n"));
        agent.stop();
        self.engine.settle();
        let (mut came, wrong) = told_of(&self.notes.settled(0));
        assert!(wrong.is_empty(), "{wrong:?}");
        came.retain(|one| !one.ends_with(CUT) && !self.may.contains(one));
        came.sort();
        self.due.sort();
        assert_eq!(came, self.due, "all that ever reached the Engine");
    }
}

fn expect_own(client: &mut Client, request: &str, brief: &str, to: &str, wrong: &mut Vec<String>) {
    let _ = client.try_send(request);
    let told = match client.wire().head() {
        Ok(head) => client.body(head.length()).map(|body| Message { head, body }),
        Err(cut) => Err(cut),
    };
    match told {
        Ok(answer) if answer.status() == 200 && answer.text() == brief => {}
        Ok(answer) => {
            let (status, text) = (answer.status(), answer.text());
            wrong.push(format!("the answer {to} is {status} {text:?} and not {brief:?}"));
        }
        Err(cut) => wrong.push(format!("no answer {to}: {cut:?}")),
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
