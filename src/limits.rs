//! Every bound in the program, with the reason for its size and what happens when it is reached.

mod audit;
mod compose;
mod edge;

pub(crate) use audit::*;
pub(crate) use compose::*;
pub(crate) use edge::*;

// --- connections ---------------------------------------------------------------------------------

/// Connections served at once, unless `CONNECTIONS_MAX` says otherwise: far above what one host's
/// clients open, low enough that their threads stay under 64 MiB. Beyond it the oldest idle
/// connection is closed; where none is idle, new ones wait in the kernel's backlog.
pub(crate) const CONNECTIONS_MAX: usize = 1024;
/// The most an operator may raise it to: two descriptors each must fit the usual hard limit.
pub(crate) const CONNECTIONS_CEILING: usize = 65_536;
/// Connections of one address (one /64 of IPv6) that have not yet shown a good credential. A
/// stranger cannot take every place; further ones are closed at once.
pub(crate) const STRANGERS_PER_PEER_MAX: usize = 64;
/// Stack of a connection's thread: room to spare for the deepest path, a TLS handshake. Only the
/// pages that are touched cost memory.
pub(crate) const STACK_BYTES: usize = 256 * 1024;
/// A worker without a connection for this long ends.
pub(crate) const WORKER_IDLE_SECS: u64 = 10;
/// Upgraded streams (attach, exec, `BuildKit` sessions) at once. Beyond: 429 with a sentence.
pub(crate) const UPGRADES_MAX: usize = 100;
/// Streams of a container's statistics at once. Beyond: 429 with a sentence.
pub(crate) const STATISTICS_STREAMS_MAX: usize = 256;

// --- heads ---------------------------------------------------------------------------------------

/// Request line plus headers: a target and one large `X-Registry-Config`. Beyond: 431.
pub(crate) const HEAD_BYTES_MAX: usize = 96 * 1024;
/// Headers in one head; a browser sends twenty. Beyond: 431.
pub(crate) const HEADER_COUNT_MAX: usize = 100;
/// Bytes of a request target: a real controller repeats a whole create body in the query.
/// Beyond: 414.
pub(crate) const TARGET_BYTES_MAX: usize = 64 * 1024;
/// Size line of a chunk with its extensions, which are dropped. Beyond: 400.
pub(crate) const CHUNK_HEAD_BYTES_MAX: usize = 64;
/// Trailer section, which is dropped. Beyond: 400.
pub(crate) const TRAILER_BYTES_MAX: usize = 4 * 1024;
/// Digits of a decimal length: nineteen always fit 64 bits. Beyond: 400.
pub(crate) const LENGTH_DIGITS_MAX: usize = 19;
/// Hexadecimal digits of a chunk size: fifteen always fit 64 bits. Beyond: 400.
pub(crate) const CHUNK_DIGITS_MAX: usize = 15;

// --- buffers -------------------------------------------------------------------------------------

/// First reading of a client: holds every head the Docker CLI sends. Grows to `HEAD_BYTES_MAX`.
pub(crate) const HEAD_BUFFER_BYTES: usize = 4 * 1024;
/// First reading of the Engine: its head and a small answer. Grows to the next one.
pub(crate) const LINK_BUFFER_BYTES: usize = 8 * 1024;
/// One reading of whoever sends much; a unix socket hands over no more at once.
pub(crate) const BODY_BUFFER_BYTES: usize = 64 * 1024;
/// One turn of the kernel moving bytes between sockets: the most an unprivileged pipe may hold.
pub(crate) const SPLICE_BYTES: usize = 1024 * 1024;
/// Bodies shorter than this are copied: two pipes cost more than they save.
pub(crate) const SPLICE_FROM_BYTES: u64 = 256 * 1024;
/// Drained from a client that still sends after an early answer, so that it can read it.
pub(crate) const LINGER_BYTES_MAX: u64 = 8 * 1024 * 1024;

// --- time ----------------------------------------------------------------------------------------

/// From the connection to the end of the TLS handshake. Beyond: closed.
pub(crate) const TLS_HANDSHAKE_SECS: u64 = 10;
/// From a head's first byte to its last. Beyond: closed.
pub(crate) const HEAD_SECS: u64 = 10;
/// Between two requests of one connection; longer than the usual proxy's. Beyond: closed.
pub(crate) const IDLE_SECS: u64 = 120;
/// A blocking read gives up this often to look around: a client that left, an end of the agent.
/// Well below the second within which a departed client must end the Engine's side.
pub(crate) const TICK_MILLIS: u64 = 250;
/// No progress writing an answer of our own. Beyond: closed.
pub(crate) const WRITE_STALL_SECS: u64 = 10;
/// No progress of a stream whose reader pauses (a pager on a followed log). Beyond: closed.
pub(crate) const STREAM_STALL_SECS: u64 = 3600;
/// Connecting to the Engine and waiting for its head, unless `REQUEST_TIMEOUT` says otherwise.
/// Beyond: 502 and 504.
pub(crate) const ENGINE_SECS: u64 = 30;
/// The most `REQUEST_TIMEOUT` may be: an hour is a stuck Engine.
pub(crate) const ENGINE_SECS_CEILING: u64 = 3600;
/// One readiness probe. Beyond: not ready.
pub(crate) const PROBE_SECS: u64 = 2;
/// The agent's own answer to `lookout healthcheck`: below the usual five seconds of an image's
/// health check. Beyond: exit 1.
pub(crate) const HEALTHCHECK_SECS: u64 = 4;
/// A readiness probe's answer serves everyone who asks this soon after it.
pub(crate) const PROBE_FRESH_MILLIS: u64 = 1000;
/// Exchanges in flight at the end of the agent. Beyond: cut.
pub(crate) const DRAIN_SECS: u64 = 10;
/// A client that was answered early may send on for this long. Beyond: closed.
pub(crate) const LINGER_SECS: u64 = 2;
/// Without a new connection for this long, unused memory is given back to the kernel.
pub(crate) const SETTLED_SECS: u64 = 1;
/// Pause after an accept error that more attempts would only repeat (out of descriptors).
pub(crate) const ACCEPT_PAUSE_MILLIS: u64 = 100;
/// Seconds of silence before the kernel asks whether a peer is still there, and between askings.
pub(crate) const KEEPALIVE_SECS: u32 = 30;

// --- identity ------------------------------------------------------------------------------------

/// An `authorized_keys` file: 1024 lines of usual length fit four times. Beyond: refused whole.
pub(crate) const KEYRING_FILE_BYTES_MAX: u64 = 256 * 1024;
/// Keys of one agent: a fleet's clients, not a directory of people. Beyond: the file is refused.
pub(crate) const KEYRING_KEYS_MAX: usize = 1024;
/// One line with its options, as long as OpenSSH takes one. Beyond: the file is refused.
pub(crate) const KEYRING_LINE_BYTES_MAX: usize = 8 * 1024;
/// A key's comment: what a line has left behind `ed25519`, the key and two spaces. Beyond: refused.
pub(crate) const KEY_COMMENT_BYTES_MAX: usize = KEYRING_LINE_BYTES_MAX - 53;
/// Hops of X-Forwarded-For that are looked at: no chain of trusted proxies is longer. Beyond: the
/// last of them counts as the client.
pub(crate) const FORWARDED_HOPS_MAX: usize = 32;
/// Nonces remembered for one key, unless `NONCE_LRU_SIZE` says otherwise: 1 600 signed requests in
/// each second of the usual window, some 6 MiB. Beyond: that key is refused until some expire.
pub(crate) const NONCES_PER_KEY_MAX: usize = 100_000;
/// The most an operator may raise it to, which is memory one key can take.
pub(crate) const NONCES_PER_KEY_CEILING: usize = 10_000_000;
/// How far a signed timestamp may lie from our clock, unless `MAX_CLOCK_SKEW_SECONDS` says
/// otherwise. Beyond: refused.
pub(crate) const CLOCK_SKEW_SECS: u64 = 60;
/// The most `MAX_CLOCK_SKEW_SECONDS` may be: a captured request stays good for as long.
pub(crate) const CLOCK_SKEW_CEILING: u64 = 900;
/// A clock that is off by more is warned about, though it is accepted.
pub(crate) const SKEW_WARN_SECS: u64 = 30;
/// The body of a request signed with version 1 or 2, which is held whole before it is believed.
/// Beyond: 413. Version 3 streams.
pub(crate) const SIGNED_BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bodies up to this are held without a place, so that large ones do not keep small calls waiting.
pub(crate) const HELD_FREE_BYTES: usize = 16 * 1024;
/// Such a body has come whole within this, which is how long a stamp is good for, unless the
/// operator says otherwise. Beyond: 400.
pub(crate) const HELD_BODY_SECS: u64 = 60;
/// Such bodies at once: 128 MiB of content in all, and at most as much again while they grow.
/// Beyond: they wait, and are 429 after `QUEUE_SECS`.
pub(crate) const SIGNED_BODIES_MAX: usize = 4;
/// How long a caller waits for its turn with something that is bounded. Beyond: 429.
pub(crate) const QUEUE_SECS: u64 = 10;
/// Argon2id derivations at once, of 19 MiB each. Beyond: callers wait.
pub(crate) const ARGON2_AT_ONCE_MAX: usize = 2;
/// Callers that wait for a derivation. Beyond: 429.
pub(crate) const ARGON2_WAITING_MAX: usize = 64;
/// A PHC string: the longest that the bounds below allow has 208 bytes. Beyond: refused at start.
pub(crate) const PHC_BYTES_MAX: usize = 512;
/// Salt of a PHC string; Argon2 itself asks for eight bytes. Outside: refused at start.
pub(crate) const PHC_SALT_BYTES_MIN: usize = 8;
pub(crate) const PHC_SALT_BYTES_MAX: usize = 64;
/// Hash of a PHC string; sixteen bytes are out of reach of guessing. Outside: refused at start.
pub(crate) const PHC_HASH_BYTES_MIN: usize = 16;
pub(crate) const PHC_HASH_BYTES_MAX: usize = 64;
/// What one derivation may take: a slip of an operator's hand must not exhaust the host at the first
/// login. Beyond: refused at start.
pub(crate) const ARGON2_MEMORY_KIB_MAX: u32 = 1024 * 1024;
pub(crate) const ARGON2_PASSES_MAX: u32 = 64;
pub(crate) const ARGON2_LANES_MAX: u32 = 16;
/// What `lookout hash-token` asks of each derivation: one of the settings OWASP recommends, 20 ms.
pub(crate) const ARGON2_MEMORY_KIB: u32 = 19_456;
pub(crate) const ARGON2_PASSES: u32 = 2;
pub(crate) const ARGON2_LANES: u32 = 1;
pub(crate) const ARGON2_SALT_BYTES: usize = 16;
pub(crate) const ARGON2_HASH_BYTES: usize = 32;
/// A client's certificate; ours has about 300 bytes. Beyond: refused.
pub(crate) const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;
/// The common name of a certificate: as long as RFC 5280 allows. Beyond: cut.
pub(crate) const COMMON_NAME_CHARS_MAX: usize = 64;
/// Names a server's certificate may carry. Beyond: none is made.
pub(crate) const CERTIFICATE_HOSTS_MAX: usize = 64;
/// How long a certificate of ours is valid, unless `--days` says otherwise: what ends a key is its
/// line, which goes, and not a date.
pub(crate) const CERTIFICATE_DAYS: u64 = 3650;
/// The most `--days` may be: years stay in four digits.
pub(crate) const CERTIFICATE_DAYS_CEILING: u64 = 36_500;
/// How far back its validity begins: clocks differ.
pub(crate) const CERTIFICATE_BACKDATE_SECS: u64 = 3600;
/// An enrollment's body: a token and a key. Beyond: 413.
pub(crate) const ENROLL_BODY_BYTES_MAX: usize = 64 * 1024;
/// From an enrollment's head to the end of its body. Beyond: 400.
pub(crate) const ENROLL_BODY_SECS: u64 = 10;
/// The file of spent enrollment tokens, at 65 bytes each. Beyond: no key is enrolled.
pub(crate) const SPENT_FILE_BYTES_MAX: u64 = 64 * 1024;
/// An agent's name in signatures, as controllers take it.
pub(crate) const AGENT_ID_BYTES_MAX: usize = 64;
/// Failed attempts of one peer (one /64 of IPv6) within the window below. Beyond: 429 with the
/// seconds to wait.
pub(crate) const FAILURES_PER_PEER_MAX: usize = 10;
/// The window slides: an attempt counts for this long.
pub(crate) const FAILURE_WINDOW_SECS: u64 = 60;
/// Peers whose failures are remembered, some 4 MiB. Beyond: whoever failed longest ago is forgotten.
pub(crate) const FAILING_PEERS_MAX: usize = 10_000;

// --- authority -----------------------------------------------------------------------------------

/// A body that is judged before it goes on; the largest create the CLI sends is some 20 KiB, and
/// plugins of newer Engines stop at the same size. Beyond: 413, never unjudged.
pub(crate) const JSON_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Levels of nesting in JSON that is judged or blanked; the deepest body of the Engine's has nine.
/// Beyond: refused.
pub(crate) const JSON_DEPTH_MAX: usize = 32;
/// One JSON value of an answer that is blanked or filtered: a document, or one element of a list.
/// Beyond: the answer ends with an error, never unfiltered.
pub(crate) const JSON_ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A name or id in a path of the Engine's, as long as it takes one. Beyond: refused.
pub(crate) const IDENTIFIER_BYTES_MAX: usize = 128;
/// A reference to an image: a path of 255 bytes, a tag of 128, a digest of 135 and a host leave
/// room. Beyond: refused, and a container's image goes by its id.
pub(crate) const REFERENCE_BYTES_MAX: usize = 1024;
/// Bodies, and long documents, that are judged at once: 32 MiB of them, and some 100 MiB as trees. Beyond: they wait, and are 429 after `QUEUE_SECS`.
pub(crate) const JUDGED_BODIES_MAX: usize = 8;
/// Things of the Engine's that one body may name, as each is looked up. Beyond: refused.
pub(crate) const FOUND_MAX: usize = 256;
/// Labels, and a command, of what a limited caller creates: lists and events repeat them, escaped to
/// six times their length, in elements of at most `JSON_ANSWER_BYTES_MAX`. Beyond: refused.
pub(crate) const LISTED_BYTES_MAX: usize = 256 * 1024;
/// Values in JSON that is judged or blanked, which take some hundred bytes each; an inspection has
/// some hundreds, a list of ten thousand volumes eighty thousand. Beyond: refused.
pub(crate) const JSON_VALUES_MAX: usize = 128 * 1024;
/// Commands whose ids are remembered with the key that made them. Beyond: the key's oldest is
/// forgotten, or the oldest of all, and only a caller without limits can still start it.
pub(crate) const EXECS_REMEMBERED_MAX: usize = 4096;

// --- what the agent tells ------------------------------------------------------------------------

/// One frame of a container's logs: the Engine cuts what is printed into pieces of 16 KiB, so that
/// only what did not come from its own drivers is larger. Beyond: left out as a whole, and said so.
pub(crate) const LOG_FRAME_BYTES_MAX: usize = 256 * 1024;
/// A time as a caller writes it: the longest with a use has 35 bytes. Beyond: refused.
pub(crate) const MOMENT_BYTES_MAX: usize = 64;
/// Names and values of one container's labels, twenty times what a busy reverse proxy reads.
/// Beyond: labels that nothing of ours asks for are left out first, and counted.
pub(crate) const LABELS_BYTES_MAX: usize = 64 * 1024;
/// A container's environment, or its command. Beyond: what comes later is left out.
pub(crate) const ENVIRONMENT_BYTES_MAX: usize = 64 * 1024;
/// A container's mounts, or its ports. Beyond: what comes later is left out.
pub(crate) const MOUNTS_MAX: usize = 512;
/// A pattern in a label, or what stands for it: a quarter of what the controller takes, so that the
/// worst one takes some tens of milliseconds. Beyond: the tag stays as it is.
pub(crate) const PATTERN_BYTES_MAX: usize = 256;
/// Steps of such a pattern once its repetitions are written out. Beyond: the same.
pub(crate) const PATTERN_STEPS_MAX: usize = 1024;
/// Groups inside groups of such a pattern. Beyond: the same.
pub(crate) const PATTERN_DEPTH_MAX: usize = 50;
/// A tag or version that is looked at: twice what a tag may have. Beyond: it is no version.
pub(crate) const VERSION_BYTES_MAX: usize = 256;
/// One event of the Engine, with a container's labels in it. Beyond: it is passed over, and told to
/// be missing.
pub(crate) const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// The list of all containers, of which a host with ten thousand has less. Beyond: the inventory
/// stays as it was, and says so; a page of metrics has none.
pub(crate) const INVENTORY_LIST_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Values in a document of the Engine's that is read whole: the list of ten thousand containers has half of them.
/// Beyond: as if it were too long.
pub(crate) const DOCUMENT_VALUES_MAX: usize = 2 * 1024 * 1024;
/// The most `DD_POLL_INTERVAL` may be: a day. It is five minutes unless set, as events tell the rest.
pub(crate) const INVENTORY_SECS_CEILING: u64 = 86_400;
/// After an event, for its followers to come: a container that starts tells five within this.
pub(crate) const INVENTORY_SETTLE_MILLIS: u64 = 100;
/// Between two attempts to reach the Engine, at most; the first is a second.
pub(crate) const INVENTORY_RETRY_SECS_MAX: u64 = 15;
/// How long a caller waits for the first look at everything. Beyond: 503.
pub(crate) const INVENTORY_WAIT_SECS: u64 = 10;
/// What is told of the Engine's own sentence about a failure. Beyond: cut.
pub(crate) const ENGINE_MESSAGE_BYTES_MAX: usize = 512;
/// An agent's name for people, as controllers take it. Beyond: refused at start.
pub(crate) const AGENT_NAME_CHARS_MAX: usize = 256;
/// Followers of events at once. Beyond: 429.
pub(crate) const FEEDS_MAX: usize = 256;
/// Events that wait for one follower. Beyond: all of them are dropped, and it is told.
pub(crate) const FEED_ITEMS_MAX: usize = 256;
/// Between two signs of life on a stream of events.
pub(crate) const HEARTBEAT_SECS: u64 = 30;
/// Events kept for those who come back and say which they saw last.
pub(crate) const REPLAY_ITEMS_MAX: usize = 256;

/// A message of an assistant's: a call of a tool with its arguments. Beyond: 413.
pub(crate) const RPC_BODY_BYTES_MAX: usize = 1024 * 1024;
/// The Engine's list of containers, as a tool for assistants reads it: some five thousand. Beyond: an
/// error, and no list.
pub(crate) const TOOL_LIST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Lines of a container's logs that an assistant is told, unless it asks for another number.
pub(crate) const TOOL_LINES: u16 = 100;
/// The most it may ask for. Beyond: this many.
pub(crate) const TOOL_LINES_MAX: u16 = 500;
/// One of these lines, as long as the Engine's own pieces. Beyond: its beginning is left out, and
/// that is said.
pub(crate) const TOOL_LINE_BYTES_MAX: usize = 16 * 1024;
/// All of these lines: more than most assistants can read at once. Beyond: the oldest are left out,
/// and counted.
pub(crate) const TOOL_LOGS_BYTES_MAX: usize = 256 * 1024;

// --- figures -------------------------------------------------------------------------------------

/// A file of /proc: eight thousand interfaces, or the processors of the largest machine. Beyond: the
/// lines that do not fit are not looked at.
pub(crate) const PROC_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Between two samples of the host while somebody asks: shorter than the usual scrape.
pub(crate) const HOST_TICK_SECS: u64 = 5;
/// Between the two moments of a first sample: some ticks of the kernel's, and hardly a wait.
pub(crate) const HOST_FIRST_MILLIS: u64 = 150;
/// After the last question samples are taken for this long: longer than the usual pause between two
/// scrapes. Beyond: the sampler sleeps, and the next to ask waits for a first sample.
pub(crate) const HOST_ASKED_SECS: u64 = 300;
/// How long that wait may be, for a host that hardly gets on. Beyond: figures of 0.
pub(crate) const HOST_WAIT_MILLIS: u64 = 1000;
/// A label's value; a container's name and an image's reference are shorter. Beyond: cut, and marked
/// as cut.
pub(crate) const LABEL_BYTES_MAX: usize = 256;
/// Containers on a page of metrics, which they make some 2 MiB large. Beyond: the others are left
/// out, and counted.
pub(crate) const METRICS_CONTAINERS_MAX: usize = 1000;
/// Containers that the Engine is asked about at once. It answers on its next tick, once a second, to
/// however many ask; each takes a thread and a descriptor. Beyond: they wait for their turn.
pub(crate) const MEASURED_AT_ONCE_MAX: usize = 64;
/// What one container uses, which takes an Engine two ticks at most. Beyond: counted as failed.
pub(crate) const MEASURE_SECS: u64 = 5;
/// Everything that is asked for a page of metrics: below the ten seconds after which the usual
/// scraper gives up. Beyond: what is still missing is counted as failed.
pub(crate) const SCRAPE_SECS: u64 = 8;
/// What containers use is told to everyone who asks this soon after it was asked for.
pub(crate) const SCRAPE_FRESH_MILLIS: u64 = 1000;

// --- files ---------------------------------------------------------------------------------------

/// A token or a password in a file. Beyond: refused at start.
pub(crate) const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;
/// A certificate chain or a key. Beyond: refused at start.
pub(crate) const PEM_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Length below which a token is warned about: 16 random characters are out of reach of guessing.
pub(crate) const TOKEN_BYTES_ADVISED: usize = 16;
/// Log lines that are kept for whoever asks the agent itself. Beyond: the oldest goes.
pub(crate) const LOG_LINES_KEPT_MAX: usize = 256;
/// Untrusted text in a log line. Beyond: cut, and marked as cut.
pub(crate) const LOG_VALUE_BYTES_MAX: usize = 512;

const _: () = assert!(TARGET_BYTES_MAX < HEAD_BYTES_MAX, "the longest target leaves room for headers");
const _: () = assert!(HEAD_BUFFER_BYTES < HEAD_BYTES_MAX, "the head buffer has room to grow");
const _: () = assert!(TICK_MILLIS * 2 <= 1000, "a departed client is noticed within a second");
const _: () = assert!(HEADER_COUNT_MAX * 4 < HEAD_BUFFER_BYTES, "a full set of shortest headers fits");
const _: () = assert!(ENGINE_SECS <= ENGINE_SECS_CEILING && CONNECTIONS_MAX <= CONNECTIONS_CEILING);
const _: () = assert!(SPLICE_FROM_BYTES > BODY_BUFFER_BYTES as u64, "a spliced body exceeds one reading");
const _: () = assert!(PROBE_SECS < ENGINE_SECS, "a probe never waits longer than a request");
const _: () = assert!(STRANGERS_PER_PEER_MAX < CONNECTIONS_MAX, "one stranger cannot take every place");
const _: () = assert!(SIGNED_BODY_BYTES_MAX > ENROLL_BODY_BYTES_MAX);
const _: () = assert!(CLOCK_SKEW_SECS <= CLOCK_SKEW_CEILING && NONCES_PER_KEY_MAX <= NONCES_PER_KEY_CEILING);
const _: () = assert!(CERTIFICATE_DAYS <= CERTIFICATE_DAYS_CEILING);
const _: () = assert!(ARGON2_MEMORY_KIB <= ARGON2_MEMORY_KIB_MAX && ARGON2_MEMORY_KIB >= 8 * ARGON2_LANES);
const _: () = assert!(TOOL_LINES <= TOOL_LINES_MAX && TOOL_LINE_BYTES_MAX < TOOL_LOGS_BYTES_MAX);
const _: () = assert!(HOST_FIRST_MILLIS < HOST_WAIT_MILLIS && HOST_TICK_SECS < HOST_ASKED_SECS);
const _: () = assert!(MEASURE_SECS < SCRAPE_SECS, "one that hangs does not take the time of all");
const _: () = assert!(STRANGERS_PER_PEER_MAX < OPERATIONS_CONNECTIONS_MAX, "nor every place there");
