//! The bounds of the audit trail.

// --- audit ---------------------------------------------------------------------------------------

/// A path in a record: longer ones are a controller's that repeats itself. Beyond: cut, and marked as cut.
pub(crate) const AUDIT_PATH_BYTES_MAX: usize = 8 * 1024;
/// Any other text in a record. Beyond: cut, and marked as cut.
pub(crate) const AUDIT_TEXT_BYTES_MAX: usize = 512;
/// What a record tells of a request beyond its head. Beyond: left out, and its length is told.
pub(crate) const AUDIT_DETAIL_BYTES_MAX: usize = 64 * 1024;
/// How deep JSON is looked into for secrets, texts that hold JSON included. Beyond: blanked.
pub(crate) const AUDIT_JSON_DEPTH_MAX: usize = 64;
/// Records between two signed checkpoints, which is what verification can lose trust in at once.
pub(crate) const AUDIT_CHECKPOINT_RECORDS: u64 = 1000;
/// Time between two of them while there is something new.
pub(crate) const AUDIT_CHECKPOINT_SECS: u64 = 60;
/// What may stand in a file behind its last good record, such as another program's lines, for the trail
/// to go on in it. Beyond: refused at start.
pub(crate) const AUDIT_STRAY_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Different keys that signed one trail: each is a new directory of state. Beyond: not believed.
pub(crate) const AUDIT_KEYS_MAX: usize = 64;

// --- audit settings ------------------------------------------------------------------------------

/// Records kept in memory at most, some tens of MiB of them. Beyond: the start is refused.
pub(crate) const AUDIT_RING_CEILING: u64 = 65_536;
/// What `AUDIT_MAX_BYTES` must be at least: smaller files would be put aside all the time. Below: the start
/// is refused.
pub(crate) const AUDIT_FILE_BYTES_FLOOR: u64 = 65_536;
/// What `AUDIT_MAX_BYTES` may be at most, far beyond any disk. Beyond: the start is refused.
pub(crate) const AUDIT_FILE_BYTES_CEILING: u64 = 1 << 50;
/// Files put aside that are kept at most: each is renamed when one is put aside. Beyond: the start is
/// refused.
pub(crate) const AUDIT_KEEP_CEILING: u64 = 1000;
/// Names in `REDACT_HEADERS`, and in `REDACT_FIELDS`. Beyond: the start is refused.
pub(crate) const REDACTED_NAMES_MAX: usize = 256;
/// Bytes of such a name. Beyond: the start is refused.
pub(crate) const REDACTED_NAME_BYTES_MAX: usize = 128;
/// A line of a file that `lookout audit` reads: what may stand behind a record, and room to spare. Beyond: it
/// is no trail, and that is told.
pub(crate) const AUDIT_LINE_BYTES_READ_MAX: u64 = 80 * 1024 * 1024;
/// Records that `lookout audit tail` shows where it is not told how many.
pub(crate) const AUDIT_TAIL_LINES: u64 = 10;
/// The most it may be told to, all of which it keeps in memory. Beyond: exit 64.
pub(crate) const AUDIT_TAIL_LINES_CEILING: u64 = 100_000;

// --- recordings ----------------------------------------------------------------------------------

/// A recording of one command. Beyond: a marker ends it, and the command goes on.
pub(crate) const RECORDING_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What a recording counts for beside its bytes, so that many short ones count too: a block of a disk.
pub(crate) const RECORDING_FILE_BYTES: u64 = 4096;
/// Commands that are recorded at once. Beyond: 503 with a sentence.
pub(crate) const RECORDINGS_AT_ONCE_MAX: usize = 64;
/// All recordings that are kept. Beyond: 503 with a sentence, as what is to be recorded is not done otherwise.
pub(crate) const RECORDINGS_BYTES_MAX: u64 = 1024 * 1024 * 1024;
