//! The bounds of running compose.

// --- compose at work -----------------------------------------------------------------------------

/// How long an operation may take, unless `COMPOSE_TIMEOUT` says otherwise: a large image over a slow line. Beyond: it
/// is ended.
pub(crate) const COMPOSE_SECS: u64 = 1800;
/// The most an operator may give it: nobody waits longer than a day.
pub(crate) const COMPOSE_SECS_CEILING: u64 = 86_400;
/// Operations at once that change something: each is a process of some 60 MiB. Beyond: 503 with `Retry-After`.
pub(crate) const COMPOSE_RUNS_MAX: usize = 8;
/// Those that only read, which others must not keep from looking. Beyond: the same.
pub(crate) const COMPOSE_LOOKS_MAX: usize = 4;
/// Logs that are followed, which need have no end. Beyond: the same.
pub(crate) const COMPOSE_FOLLOWS_MAX: usize = 4;
/// How long an operation waits for one that works on the same stack. Beyond: an error.
pub(crate) const COMPOSE_LOCK_SECS: u64 = 60;
/// How often it looks meanwhile.
pub(crate) const COMPOSE_LOCK_MILLIS: u64 = 50;
/// Memory of one program: what a file that grows while it is read may take. Beyond: it ends itself.
pub(crate) const COMPOSE_MEMORY_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// What a caller is told to wait then.
pub(crate) const COMPOSE_RETRY_SECS: u64 = 5;
/// A request with all its files. Beyond: 413.
pub(crate) const COMPOSE_BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Requests of more than `HELD_FREE_BYTES` that are read at once, each of three times its size while it is. Beyond:
/// they wait, and are 429 after `QUEUE_SECS`.
pub(crate) const COMPOSE_DOCUMENTS_MAX: usize = 2;
/// Lines that wait for a client that is told them as they come. Beyond: what only reads waits with them; what
/// changes something goes on, and what it says is left out and counted.
pub(crate) const COMPOSE_LINES_BYTES: usize = 256 * 1024;
/// From the request to end to the end that is not asked for.
pub(crate) const COMPOSE_KILL_SECS: u64 = 10;
/// What an operation is given once the agent ends: it is asked to end in time to be told of.
pub(crate) const COMPOSE_DRAIN_SECS: u64 = 6;
/// The same where the agent itself ends.
pub(crate) const COMPOSE_LAST_SECS: u64 = 2;
/// Exchanges of a program that is gone are recorded within this, or later; what it left in its pipes is read no longer.
pub(crate) const COMPOSE_GOODBYE_SECS: u64 = 2;
/// A compose program says its version within this; one that does not is none.
pub(crate) const COMPOSE_VERSION_SECS: u64 = 20;
/// A compose file, or the file of variables, that is read before it is used: twice what all variables of an order
/// take. Beyond: refused.
pub(crate) const COMPOSE_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Connections of one program at once: it opens one for each container it works on. Beyond: they wait.
pub(crate) const PRIVATE_CONNECTIONS_MAX: usize = 64;

const _: () = assert!(COMPOSE_SECS <= COMPOSE_SECS_CEILING);
const _: () = assert!(
    COMPOSE_DRAIN_SECS + COMPOSE_LAST_SECS < super::DRAIN_SECS,
    "an operation must end, and be told of, before the agent does"
);
