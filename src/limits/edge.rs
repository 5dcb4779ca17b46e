//! The bounds of edge mode.

// --- edge mode -----------------------------------------------------------------------------------

/// A message of the controller's, as long as it takes one of ours. Beyond: the session ends with 1009.
pub(crate) const EDGE_MESSAGE_IN_MAX: usize = 16 * 1024 * 1024;
/// A message of ours: below what controllers take. Beyond: an error in its place.
pub(crate) const EDGE_MESSAGE_OUT_MAX: usize = 15 * 1024 * 1024;
/// What one reading of the connection takes. The library clears so much before each, so no more than most messages have.
pub(crate) const EDGE_READ_BYTES: usize = 16 * 1024;
/// Content of a streamed answer in one text message, which base64 makes a third longer.
pub(crate) const EDGE_TEXT_CHUNK_BYTES: usize = 32 * 1024;
/// Content in one binary message, and what one reading of a fast source gives.
pub(crate) const EDGE_CHUNK_BYTES: usize = 64 * 1024;
/// What may wait of one call or command: some messages, so that the line never idles. Beyond: it waits,
/// and the Engine with it. All of them together, and one message beyond in each, take 80 MiB at most.
pub(crate) const EDGE_LANE_BYTES: usize = 256 * 1024;
/// Who has no more than this to say goes before those with more: a key stroke beside an image.
pub(crate) const EDGE_LITTLE_BYTES: usize = 16 * 1024;
/// Messages of those in a row, before one of the others gets its turn.
pub(crate) const EDGE_LITTLE_IN_A_ROW: u32 = 16;
/// Handed to the socket in one turn: small enough that a key stroke waits for no more than this.
pub(crate) const EDGE_TURN_BYTES: usize = 128 * 1024;
/// Of what was handed over, the kernel holds this much that was not sent yet, for the same reason.
pub(crate) const EDGE_UNSENT_BYTES: u32 = 128 * 1024;
/// Signs of life and refusals that wait. Beyond: the controller takes nothing, and the session ends.
pub(crate) const EDGE_CONTROL_MAX: usize = 4096;
/// Messages that are read before something is written.
pub(crate) const EDGE_READ_IN_A_ROW: usize = 64;
/// Requests of the controller's at once. Beyond: an error.
pub(crate) const EDGE_CALLS_MAX: usize = 100;
/// Pairs of sockets that are kept for the next of those, as nearly all end without having needed theirs.
pub(crate) const EDGE_BELLS_KEPT: usize = 16;
/// Commands at once. Beyond: ended with a reason.
pub(crate) const EDGE_EXECS_MAX: usize = 100;
/// Streams of logs at once. Beyond: an error.
pub(crate) const EDGE_LOGS_MAX: usize = 128;
/// What the controller asks beside those, at once: logs in one piece, removals. Beyond: an error.
pub(crate) const EDGE_ERRANDS_MAX: usize = 32;
/// An answer in one piece up to this is held without a place.
pub(crate) const EDGE_WHOLE_FREE_BYTES: usize = 256 * 1024;
/// Larger ones at once, of some 30 MiB each while they are written as JSON. Beyond: they wait, and are
/// an error after `QUEUE_SECS`.
pub(crate) const EDGE_WHOLE_MAX: usize = 4;
/// Bodies that came whole in a message and are larger than that, at once: 16 MiB each at most. Beyond:
/// an error, as nothing may wait where messages are read. A body that follows in pieces takes none.
pub(crate) const EDGE_BODIES_MAX: usize = 8;
/// What a controller may send of a body before it is told to go on.
pub(crate) const EDGE_WINDOW_BYTES: u64 = 256 * 1024;
/// Input that waits for a command, or for a body's reader: four windows. Beyond: it is ended.
pub(crate) const EDGE_INPUT_BYTES_MAX: usize = 1024 * 1024;
/// The same in pieces. Beyond: it is ended.
pub(crate) const EDGE_INPUTS_MAX: usize = 256;
/// A name the controller gives to a request or a command. Beyond: the message is skipped.
pub(crate) const EDGE_NAME_BYTES_MAX: usize = 256;
/// A field of a request of the controller's. Beyond: the request is refused.
pub(crate) const EDGE_FIELD_BYTES_MAX: usize = 64 * 1024;
/// A command without a byte either way. Beyond: ended.
pub(crate) const EDGE_EXEC_IDLE_SECS: u64 = 3600;
/// How long logs that are followed in one piece are waited for.
pub(crate) const EDGE_LOG_WINDOW_SECS: u64 = 5;
/// From the dial to the end of the WebSocket handshake; a controller that does not know the path may
/// never answer. Beyond: it has failed.
pub(crate) const EDGE_DIAL_SECS: u64 = 10;
/// The same where another dialect is still to be tried.
pub(crate) const EDGE_PROBE_SECS: u64 = 5;
/// Nothing was taken while a sign of life waited. Beyond: the session ends.
pub(crate) const EDGE_STALL_SECS: u64 = 10;
/// The least a controller may be silent. Beyond this and two heartbeats: the session ends.
pub(crate) const EDGE_SILENCE_SECS: u64 = 60;
/// A session that lasted this long was good: the next delay is the first again.
pub(crate) const EDGE_STABLE_SECS: u64 = 10;
/// Before the next attempt where somebody has to change something first.
pub(crate) const EDGE_HOPELESS_SECS: u64 = 300;
/// Before the next attempt where another session has our name: it may only seem to live.
pub(crate) const EDGE_TAKEN_SECS: u64 = 30;
/// The most a controller's Retry-After is believed.
pub(crate) const EDGE_RETRY_AFTER_SECS_MAX: u64 = 3600;
/// Saying goodbye. Beyond: cut.
pub(crate) const EDGE_GOODBYE_SECS: u64 = 2;

/// The most `HEARTBEAT_INTERVAL` may be: a dead controller is noticed after twice as long.
pub(crate) const EDGE_HEARTBEAT_CEILING: u64 = 3600;
/// The most `WELCOME_TIMEOUT` may be: somebody who takes longer has forgotten us.
pub(crate) const EDGE_WELCOME_CEILING: u64 = 600;
/// The most `RECONNECT_DELAY` may be.
pub(crate) const EDGE_FIRST_DELAY_CEILING: u64 = 3600;
/// The most `MAX_RECONNECT_DELAY` may be: after a day nobody waits for the agent any more.
pub(crate) const EDGE_LONGEST_DELAY_CEILING: u64 = 86_400;
/// Fields that `EDGE_HEADERS_FILE` adds to the upgrade; an access proxy asks for two. Beyond: refused
/// at start.
pub(crate) const EDGE_HEADERS_MAX: usize = 32;
/// One of them, as long as the usual server takes one. Beyond: refused at start.
pub(crate) const EDGE_HEADER_BYTES_MAX: usize = 8 * 1024;
/// That file: all of them, and as much of remarks. Beyond: refused at start.
pub(crate) const EDGE_HEADERS_FILE_BYTES_MAX: u64 = 512 * 1024;
/// Connections to `OPERATIONS_ADDRESS` at once: some scrapers and probes. Beyond: as with
/// `CONNECTIONS_MAX`.
pub(crate) const OPERATIONS_CONNECTIONS_MAX: usize = 128;
/// What an agent in edge mode says to `lookout healthcheck`. Beyond: it counts as unwell.
pub(crate) const HEALTH_BYTES_MAX: usize = 4 * 1024;

const _: () = assert!(EDGE_FIRST_DELAY_CEILING <= EDGE_LONGEST_DELAY_CEILING);
const _: () = assert!((EDGE_HEADERS_MAX * EDGE_HEADER_BYTES_MAX) as u64 * 2 <= EDGE_HEADERS_FILE_BYTES_MAX);
const _: () =
    assert!(EDGE_MESSAGE_OUT_MAX < EDGE_MESSAGE_IN_MAX, "what controllers take is no less than what we do");
const _: () =
    assert!(EDGE_WINDOW_BYTES * 2 <= EDGE_INPUT_BYTES_MAX as u64, "who keeps to the window never overflows");
