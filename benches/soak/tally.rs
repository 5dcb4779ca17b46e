//! What was done, what failed and was allowed to, what was not, and which answers the trails must know.
use std::collections::{BTreeMap, HashSet};
use std::fmt::{self, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::message::Cut;
use crate::weather::{SETTLED, Trouble, Weather};

/// Findings that are kept; one fault can be found very often.
const FINDINGS_MAX: usize = 100;

/// From a trouble to the last failure that is due to it: as long as anybody waits for anything, and some seconds.
const SHOWS_WITHIN: Duration = Duration::from_secs(20);

/// Why something did not go as asked.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A whole answer that says no.
    Status(u16, String),
    /// It broke off.
    Cut(String),
    /// Nothing came for too long.
    Late(String),
    /// Something came that must never come.
    Wrong(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status, told) => write!(f, "answered {status} {told}"),
            Self::Cut(how) => write!(f, "cut: {how}"),
            Self::Late(what) => write!(f, "late: {what}"),
            Self::Wrong(what) => write!(f, "wrong: {what}"),
        }
    }
}

impl Fault {
    /// What may have caused it: a good agent answers just so while that lasts, and at no other time.
    fn due_to(&self, side: Side) -> &'static [Trouble] {
        match self {
            // As every agent here must record what it does.
            Self::Status(503, told) if told.contains("audit") => &[Trouble::Disk],
            Self::Status(502..=504, _) => &[Trouble::Engine],
            Self::Status(..) | Self::Wrong(_) => &[],
            // A command through the tunnel is refused by an end that gives its reason.
            Self::Cut(reason) if side == Side::Edge && reason.contains("exec failed") => {
                &[Trouble::Engine, Trouble::Disk]
            }
            Self::Cut(_) | Self::Late(_) => match side {
                Side::Standard => &[Trouble::Engine],
                Side::Edge => &[Trouble::Engine, Trouble::Controller],
            },
        }
    }
}

impl From<Cut> for Fault {
    fn from(cut: Cut) -> Self {
        let what = cut.error.as_ref().map_or_else(|| "an early end".to_owned(), ToString::to_string);
        let late = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut];
        if cut.error.is_some_and(|error| late.contains(&error.kind())) {
            Self::Late(what)
        } else {
            Self::Cut(what)
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Cut { got: Vec::new(), error: Some(error) }.into()
    }
}

/// Which agent was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Standard,
    Edge,
}

/// One kind of work.
#[derive(Default)]
struct Row {
    done: u64,
    allowed: BTreeMap<String, u64>,
}

/// Answers of one agent.
#[derive(Default)]
struct Known {
    requests: Vec<u64>,
    commands: usize,
}

pub(crate) struct Tally {
    began: Instant,
    next: AtomicU64,
    rows: Mutex<BTreeMap<&'static str, Row>>,
    events: Mutex<BTreeMap<&'static str, u64>>,
    findings: Mutex<Vec<String>>,
    known: [Mutex<Known>; 2],
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            next: AtomicU64::new(1),
            rows: Mutex::default(),
            events: Mutex::default(),
            findings: Mutex::default(),
            known: [Mutex::default(), Mutex::default()],
        }
    }

    /// A number that no other request has.
    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// This request was answered, so that the trail must have it.
    pub(crate) fn answered(&self, side: Side, number: u64) {
        self.known[side as usize].lock().unwrap().requests.push(number);
    }

    /// A command was started.
    pub(crate) fn started(&self, side: Side) {
        self.known[side as usize].lock().unwrap().commands += 1;
    }

    /// How many answers the trail must know.
    pub(crate) fn answers(&self, side: Side) -> usize {
        self.known[side as usize].lock().unwrap().requests.len()
    }

    /// The answered requests that are not among these, and how many commands were started.
    pub(crate) fn unknown_to(&self, side: Side, recorded: &HashSet<u64>) -> (Vec<u64>, usize) {
        let known = self.known[side as usize].lock().unwrap();
        let missing = known.requests.iter().filter(|number| !recorded.contains(number));
        (missing.copied().collect(), known.commands)
    }

    pub(crate) fn did(&self, kind: &'static str) {
        self.rows.lock().unwrap().entry(kind).or_default().done += 1;
    }

    pub(crate) fn happened(&self, event: &'static str) {
        *self.events.lock().unwrap().entry(event).or_default() += 1;
        eprintln!("{:7.1} s  {event}", self.began.elapsed().as_secs_f64());
    }

    pub(crate) fn found(&self, what: &str) {
        let line = format!("{:7.1} s  {what}", self.began.elapsed().as_secs_f64());
        eprintln!("FINDING {line}");
        let mut findings = self.findings.lock().unwrap();
        if findings.len() < FINDINGS_MAX {
            findings.push(line);
        }
    }

    /// Whether this fault is the world's; everything else is a finding.
    pub(crate) fn judge(
        &self,
        (kind, side): (&'static str, Side),
        (since, grace): (Instant, Duration),
        weather: &Weather,
        fault: &Fault,
    ) {
        // Whatever breaks something shows before long: older trouble is no excuse for what broke just now.
        let recent = Instant::now().checked_sub(SHOWS_WITHIN).map_or(since, |recent| recent.max(since));
        let of = fault.due_to(side);
        let is_settled = weather.fair_for(of).is_none_or(|fair| fair >= SETTLED.max(grace));
        let how = match fault {
            Fault::Late(_) if is_settled => None,
            Fault::Late(_) => Some("late".to_owned()),
            Fault::Cut(_) => Some("cut".to_owned()),
            Fault::Status(status, _) => Some(status.to_string()),
            Fault::Wrong(_) => None,
        };
        let Some((trouble, how)) = weather.since(recent, grace, of).zip(how) else {
            let took = since.elapsed().as_secs_f64();
            let told = weather.since(since, grace, &Trouble::ALL);
            return self.found(&format!("{kind}: {fault} after {took:.1} s, trouble: {told:?}"));
        };
        let name = format!("{how} ({trouble:?})");
        *self.rows.lock().unwrap().entry(kind).or_default().allowed.entry(name).or_default() += 1;
    }

    pub(crate) fn findings(&self) -> Vec<String> {
        self.findings.lock().unwrap().clone()
    }

    pub(crate) fn table(&self) -> String {
        let mut text = String::from("| work | done | failed, and was allowed to |\n| --- | ---: | --- |\n");
        for (kind, row) in &*self.rows.lock().unwrap() {
            let allowed: Vec<_> = row.allowed.iter().map(|(how, count)| format!("{count} {how}")).collect();
            let _ = writeln!(text, "| {kind} | {} | {} |", row.done, allowed.join(", "));
        }
        text.push_str("\n| trouble | times |\n| --- | ---: |\n");
        for (event, count) in &*self.events.lock().unwrap() {
            let _ = writeln!(text, "| {event} | {count} |");
        }
        text
    }
}
