//! The shape of an endpoint.

use std::borrow::Cow;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use super::errand::Doors;
use super::failure::Failure;
use super::round::Rounds;
use super::taped::Taped;
use super::tunnel::Tunnel;
use crate::audit::{Recordings, Trail};
use crate::auth::{Gate, KeyId, Pass};
use crate::clock::{self, Deadline};
use crate::compose::Compose;
use crate::docker::{Docker, Hijacked, Incoming, Line};
use crate::host::Host;
use crate::http::{Fields, Method, Request, Status};
use crate::inventory::Inventory;
use crate::limits::{HEARTBEAT_SECS, JUDGED_BODIES_MAX, STATISTICS_STREAMS_MAX, UPGRADES_MAX};
use crate::metrics::{Pool, Registry};
use crate::permits::{Permit, Permits};
use crate::policy::execs::Execs;
use crate::policy::row::Pace;
use crate::policy::sieve::{BadAnswer, Sieve};
use crate::policy::{Class, Permitted, Ruling};
use crate::shared::Shared;

/// What the operator says about the agent itself.
pub(crate) struct About {
    /// Which of the two APIs for controllers is spoken.
    pub(crate) adapter: Adapter,
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) hostname: String,
    /// Between two looks at every container.
    pub(crate) poll: Duration,
}

/// An API for controllers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adapter {
    Drydock,
    Generic,
}

/// How much of what there is can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surface {
    Whole,
    /// Health and figures, for who looks after the agent.
    Operations,
    /// The Engine, and nothing of the agent's own.
    Engine,
}

/// What every request shares.
pub(crate) struct Agent {
    pub(crate) about: About,
    pub(crate) docker: Arc<Docker>,
    pub(crate) inventory: Arc<Inventory>,
    pub(crate) host: Arc<Host>,
    pub(crate) metrics: Registry,
    /// What is recorded of what was done.
    pub(crate) trail: Trail,
    /// Where commands are recorded of keys that ask for it; without a place they are refused.
    pub(crate) recordings: Option<Recordings>,
    /// Records tell of queries, fields and short documents too.
    pub(crate) tells_details: bool,
    /// Exchanges so far.
    pub(super) asked: AtomicU64,
    /// Stacks, and who runs compose on them.
    pub(crate) compose: Compose,
    /// How programs that act for a caller reach the Engine.
    pub(crate) doors: Option<Box<dyn Doors>>,
    /// Itself, for what goes on after its request.
    pub(crate) me: Weak<Self>,
    /// How the link to the controller is; there is none in standard mode.
    pub(crate) tunnel: Option<Tunnel>,
    /// Who asks the Engine what its containers use.
    pub(crate) rounds: Rounds,
    /// All memory of the Engine's host, once it said so.
    pub(crate) engine_memory: OnceLock<u64>,
    /// Places of every kind that somebody counts, by name.
    pools: Shared<Vec<(&'static str, Permits)>>,
    pub(crate) started: Instant,
    /// Origins of web pages that may call; a browser tells, others do not.
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) upgrades: Permits,
    /// Places for statistics without an end.
    pub(crate) statistics: Permits,
    /// Places for bodies that are judged.
    pub(crate) judged: Permits,
    /// Who made which command.
    pub(crate) execs: Execs,
}

impl Agent {
    pub(crate) fn new(
        docker: Arc<Docker>,
        host: Arc<Host>,
        about: About,
        allowed_origins: Vec<String>,
    ) -> io::Result<Self> {
        let (upgrades, judged) = (Permits::new(UPGRADES_MAX), Permits::new(JUDGED_BODIES_MAX));
        let statistics = Permits::new(STATISTICS_STREAMS_MAX);
        let rounds = Rounds::new();
        let pools = vec![
            ("upgrades", upgrades.clone()),
            ("statistics", statistics.clone()),
            ("judged_bodies", judged.clone()),
            ("measurements", rounds.places().clone()),
        ];
        Ok(Self {
            about,
            docker,
            inventory: Arc::new(Inventory::new()?),
            host,
            metrics: Registry::new(),
            trail: Trail::off(),
            recordings: None,
            tells_details: false,
            asked: AtomicU64::new(0),
            compose: Compose::off(),
            doors: None,
            me: Weak::new(),
            tunnel: None,
            rounds,
            engine_memory: OnceLock::new(),
            pools: Shared::new(pools),
            started: clock::now(),
            allowed_origins,
            upgrades,
            statistics,
            judged,
            execs: Execs::new(),
        })
    }

    /// Places of a transport's, to be counted with the others.
    pub(crate) fn add_pools(&self, more: impl IntoIterator<Item = (&'static str, Permits)>) {
        self.pools.with(|pools| pools.extend(more));
    }

    /// Taken and all places of every kind. Several transports may each have places of one kind.
    pub(super) fn places(&self) -> Vec<Pool> {
        let mut kinds = Vec::<Pool>::new();
        for (name, places) in self.pools.with(|pools| pools.clone()) {
            let (taken, max) = (places.taken(), places.max());
            match kinds.iter_mut().find(|kind| kind.name == name) {
                Some(kind) => {
                    kind.taken = kind.taken.saturating_add(taken);
                    kind.max = kind.max.saturating_add(max);
                }
                None => kinds.push(Pool { name, taken, max }),
            }
        }
        kinds
    }
}

/// Where one request is handled: the agent, and its own connection's line to the Engine.
pub(crate) struct Desk<'a> {
    pub(crate) agent: &'a Agent,
    /// What can be found from here.
    pub(crate) surface: Surface,
    pub(crate) gate: &'a Gate,
    /// What the connection knows of its caller.
    pub(crate) pass: &'a mut Pass,
    /// Nobody between us and the caller reads along: TLS, or loopback.
    pub(crate) is_private: bool,
    pub(crate) line: &'a mut Line,
    /// An answer that goes on for a while can be told as it comes.
    pub(crate) can_follow: bool,
    /// The other end of the connection.
    pub(crate) peer: IpAddr,
    /// Who asks, for the records, where that is not the peer.
    pub(crate) actor: Option<&'a str>,
    /// The request on whose behalf this one is made, by its name in the records.
    pub(crate) parent: Option<&'a str>,
    /// This one's own name there, where there are records.
    pub(crate) request_id: Option<String>,
    /// The key that let itself in just now.
    pub(crate) enrolled: Option<KeyId>,
    /// Told as soon as the caller's credential is known to be good, and what marks it.
    pub(crate) on_admitted: &'a dyn Fn(u64),
}

impl Desk<'_> {
    /// Who asks, by the name that the records have for it.
    pub(super) fn asker(&self) -> String {
        match (self.actor, self.peer) {
            (Some(actor), _) => actor.to_owned(),
            // As it is always written, in a third of the time: every request is recorded with one.
            (None, IpAddr::V4(peer)) => peer.octets().map(|octet| octet.to_string()).join("."),
            (None, IpAddr::V6(peer)) => peer.to_string(),
        }
    }
}

/// Who may reach a handler. A guarded one cannot be called without proof.
pub(crate) enum Access {
    Public(fn(&mut Desk<'_>, Request<'_>) -> Outcome),
    Guarded(Class, fn(&mut Desk<'_>, Permitted<Request<'_>>) -> Outcome),
    /// Guarded by whichever of the Engine's routes is meant, and by what may be sent there.
    Engine(fn(&mut Desk<'_>, Permitted<Request<'_>>, Ruling) -> Outcome),
}

/// One endpoint.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// Its name in logs.
    pub(crate) label: &'static str,
    /// What it is for, in a sentence.
    pub(crate) about: &'static str,
    pub(crate) access: Access,
    /// It is served with this adapter only; with either where none is named.
    pub(crate) adapter: Option<Adapter>,
}

pub(crate) type Outcome = Result<Response, Failure>;

/// An answer on its way to whoever asked.
pub(crate) struct Response {
    pub(crate) status: Status,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) fields: Fields,
    pub(crate) reply: Reply,
}

/// What follows the head.
pub(crate) enum Reply {
    Empty,
    Bytes(Vec<u8>),
    /// A place that is taken is given back when the stream ends.
    Stream(Incoming, Pace, Option<Permit>),
    /// The same through a sieve, which leaves out what the caller is not told.
    Sifted(Incoming, Pace, Box<dyn Sift>),
    /// The Engine switched protocols; the place is given back when the stream ends. What is to be recorded
    /// is put on a tape before it goes on.
    Upgraded(Hijacked, Permit, Option<Box<Taped>>),
    /// Events as they come, until the client leaves or the agent ends.
    Feed(Box<dyn Follow>),
    /// Nobody is left to answer.
    Nobody,
}

/// Turns content into what is told of it, piece by piece.
pub(crate) trait Sift: Send {
    fn push(&mut self, content: &[u8], told: &mut Vec<u8>) -> Result<(), BadAnswer>;
    /// The content has ended.
    fn end(&mut self, told: &mut Vec<u8>) -> Result<(), BadAnswer>;
}

impl dyn Sift {
    /// What is told of some content.
    pub(crate) fn tell<'s>(
        &mut self,
        content: &[u8],
        is_last: bool,
        told: &'s mut Vec<u8>,
    ) -> Result<&'s [u8], BadAnswer> {
        told.clear();
        self.push(content, told)?;
        if is_last {
            self.end(told)?;
        }
        Ok(told)
    }
}

impl Sift for Sieve {
    fn push(&mut self, content: &[u8], told: &mut Vec<u8>) -> Result<(), BadAnswer> {
        Self::push(self, content, told)
    }

    fn end(&mut self, told: &mut Vec<u8>) -> Result<(), BadAnswer> {
        Self::end(self, told)
    }
}

/// Follows something, and tells what came. Readable while there is something.
pub(crate) trait Follow: AsFd + Send {
    fn tell(&mut self, told: &mut Vec<u8>);

    /// Whether everything was told. Most of what is followed has no end.
    fn has_ended(&self) -> bool {
        false
    }

    /// Whether it comes to an end by itself, also where the agent ends.
    fn will_end(&self) -> bool {
        false
    }

    /// What to tell now and then where there is nothing.
    fn sign_of_life(&self) -> &'static [u8] {
        b": heartbeat\n\n"
    }
}

/// When a follower is next told that there is nothing to tell.
pub(crate) struct Beat(Deadline);

impl Beat {
    pub(crate) fn new() -> Self {
        Self(Deadline::after_secs(HEARTBEAT_SECS))
    }

    /// What came, or a sign of life where it is time for one; and until when to wait for more.
    pub(crate) fn tell(&mut self, follow: &mut dyn Follow, told: &mut Vec<u8>) -> Deadline {
        follow.tell(told);
        if told.is_empty() && self.0.passed() {
            told.extend_from_slice(follow.sign_of_life());
        }
        if !told.is_empty() {
            *self = Self::new();
        }
        self.0
    }
}

impl Response {
    /// An answer without content.
    pub(crate) fn empty(status: Status) -> Self {
        let (reason, fields) = (Cow::Borrowed(status.reason()), Fields::default());
        Self { status, reason, fields, reply: Reply::Empty }
    }

    /// An answer of this kind.
    pub(super) fn of(kind: &'static str, reply: Reply) -> Self {
        let mut response = Self { reply, ..Self::empty(Status::OK) };
        response.fields.push("Content-Type", kind.as_bytes());
        response
    }

    /// Plain text, still to be filled in.
    pub(crate) fn text(reply: Reply) -> Self {
        Self::of("text/plain; charset=utf-8", reply)
    }

    /// What is told as it comes.
    pub(super) fn feed(kind: &'static str, follow: Box<dyn Follow>) -> Self {
        let mut response = Self::of(kind, Reply::Feed(follow));
        response.fields.push("Cache-Control", b"no-cache");
        // Between us and the caller nobody gathers events into larger pieces.
        response.fields.push("X-Accel-Buffering", b"no");
        response
    }

    /// Server-sent events.
    pub(crate) fn events(follow: Box<dyn Follow>) -> Self {
        Self::feed("text/event-stream", follow)
    }

    /// One JSON value and a line feed.
    pub(crate) fn json(status: Status, value: &impl serde::Serialize) -> Self {
        // Our own types hold nothing that JSON cannot: an empty body would be a bug of ours.
        let mut bytes = serde_json::to_vec(value).unwrap_or_default();
        bytes.push(b'\n');
        let mut fields = Fields::default();
        fields.push("Content-Type", b"application/json");
        Self { status, reason: Cow::Borrowed(status.reason()), fields, reply: Reply::Bytes(bytes) }
    }
}

#[cfg(test)]
impl Agent {
    /// One for tests, with an Engine at this path of the file system.
    pub(crate) fn specimen(adapter: Adapter, engine: std::path::PathBuf) -> Self {
        let address = crate::docker::Address::Unix(vec![engine]);
        let docker = Docker::new(crate::docker::Settings { address, head_within: Duration::from_secs(60) });
        let host = Host::new(crate::host::Settings { proc: None, disk: None, skips_disk: true });
        let (id, hostname) = (None, String::new());
        let about = About { adapter, id, name: "web1".to_owned(), hostname, poll: Duration::MAX };
        Self::new(Arc::new(docker), Arc::new(host), about, Vec::new()).unwrap()
    }
}
