//! The bounds of compose: what one order may hold, what is kept of what the program says, and how it is run.

// --- compose -------------------------------------------------------------------------------------

/// Services named in one order; the largest stacks have some dozens. Beyond: an error.
pub(crate) const COMPOSE_SERVICES_MAX: usize = 256;
/// A service's name: as long as the name of a host, and more. Beyond: an error.
pub(crate) const COMPOSE_SERVICE_BYTES_MAX: usize = 128;
/// A stack's name: the first part of its containers' names, which are names of hosts. Beyond: an error.
pub(crate) const COMPOSE_STACK_BYTES_MAX: usize = 63;
/// Directories from `STACKS_DIR` down to a stack. Beyond: an error.
pub(crate) const COMPOSE_DIR_SEGMENTS_MAX: usize = 8;
/// One of them. Beyond: an error.
pub(crate) const COMPOSE_DIR_SEGMENT_BYTES_MAX: usize = 64;
/// Files of one order: a stack is some files, not a source tree. Beyond: an error.
pub(crate) const COMPOSE_FILES_MAX: usize = 512;
/// Directories from a stack down to a file of it, and the file. Beyond: an error.
pub(crate) const COMPOSE_FILE_SEGMENTS_MAX: usize = 16;
/// One of them: no file system takes more. Beyond: an error.
pub(crate) const COMPOSE_FILE_SEGMENT_BYTES_MAX: usize = 255;
/// Variables of one order. Beyond: an error.
pub(crate) const COMPOSE_ENV_MAX: usize = 512;
/// A variable's name. Beyond: an error.
pub(crate) const COMPOSE_ENV_KEY_BYTES_MAX: usize = 256;
/// A variable's value: the kernel starts no program with one of 128 KiB. Beyond: an error.
pub(crate) const COMPOSE_ENV_VALUE_BYTES_MAX: usize = 64 * 1024;
/// All variables with their names: the kernel starts no program with 2 MiB of them. Beyond: an error.
pub(crate) const COMPOSE_ENV_BYTES_MAX: usize = 1024 * 1024;
/// Registries of one order. Beyond: an error.
pub(crate) const COMPOSE_REGISTRIES_MAX: usize = 16;
/// A registry's address, a user name or a password, which may be a long-lived token. Beyond: an error.
pub(crate) const COMPOSE_REGISTRY_BYTES_MAX: usize = 16 * 1024;
/// The most `timeout` may be: nobody waits longer than a day for a container to stop. Beyond: an error.
pub(crate) const COMPOSE_STOP_SECS_MAX: u32 = 86_400;
/// What is shown of a name that is refused, in the answer and in the trail. Beyond: cut.
pub(crate) const COMPOSE_SHOWN_CHARS_MAX: usize = 80;
/// What is told of a body that is no order; a reader quotes what it did not expect. Beyond: cut.
pub(crate) const COMPOSE_DETAIL_CHARS_MAX: usize = 300;
/// What is kept of the two outputs of one operation together. Beyond: counted, and told in a last line.
pub(crate) const COMPOSE_OUTPUT_BYTES_MAX: usize = 10 * 1024 * 1024;
/// A line of the output in one piece of an answer that is told as it comes. Beyond: in several.
pub(crate) const COMPOSE_PIECE_BYTES_MAX: usize = 16 * 1024;
/// Nesting of lists and objects in a compose file that is looked at; no stack has ten. Beyond: what is
/// inside is not looked at.
pub(crate) const COMPOSE_LEVELS_MAX: usize = 64;

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
/// Talks with what starts programs: one for each operation that may be under way. Beyond: the door is closed.
pub(crate) const COMPOSE_VISITS_MAX: usize = COMPOSE_RUNS_MAX + COMPOSE_LOOKS_MAX + COMPOSE_FOLLOWS_MAX;
/// How long an answer of it may take: it tries every compose program there is. Beyond: the operation fails.
pub(crate) const COMPOSE_VISIT_SECS: u64 = 180;
/// One thing said to it: the kernel takes arguments and variables of two megabytes. Beyond: the operation fails.
pub(crate) const COMPOSE_WORDS_BYTES_MAX: usize = 4 * 1024 * 1024;
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
/// What `RUNTIME_DIR` may be long: with the names of a run behind it, it is the path of a socket, which the system
/// keeps to 107 bytes. Beyond: refused at the start.
pub(crate) const RUNTIME_DIR_BYTES_MAX: usize = 60;

const _: () = assert!(COMPOSE_ENV_VALUE_BYTES_MAX <= COMPOSE_ENV_BYTES_MAX);
const _: () = assert!(COMPOSE_STACK_BYTES_MAX <= COMPOSE_DIR_SEGMENT_BYTES_MAX, "a name is a directory");
const _: () = assert!(COMPOSE_SECS <= COMPOSE_SECS_CEILING);
const _: () = assert!(
    COMPOSE_DRAIN_SECS + COMPOSE_LAST_SECS < super::DRAIN_SECS,
    "an operation must end, and be told of, before the agent does"
);
