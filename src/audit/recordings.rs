//! Recordings of commands: one file each, in a directory of the agent's own, bounded.
//!
//! What is to be recorded does not happen unrecorded: whoever carries a command writes each piece here
//! before it goes on, and ends the command where that fails.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::tape::{self, Side, Tape};
use crate::clock;
use crate::limits::{
    RECORDING_BYTES_MAX, RECORDING_FILE_BYTES, RECORDINGS_AT_ONCE_MAX, RECORDINGS_BYTES_MAX,
};
use crate::permits::{Permit, Permits};
use crate::shared::Shared;

/// A terminal whose size nobody told.
const USUAL_SIZE: (u16, u16) = (80, 24);

/// Where recordings are kept, and how much there is of them.
pub(crate) struct Recordings {
    dir: PathBuf,
    places: Permits,
    /// Bytes of all recordings, as far as we know; `UNKNOWN` until the directory was looked through.
    total: Arc<AtomicU64>,
}

const UNKNOWN: u64 = u64::MAX;

/// A recording under way. Copies are the same one.
#[derive(Clone)]
pub(crate) struct Recording(Arc<Shared<State>>);

struct State {
    path: PathBuf,
    file: File,
    tape: Tape,
    hash: Sha256,
    written: u64,
    most: u64,
    began: Instant,
    phase: Phase,
    total: Arc<AtomicU64>,
    _place: Permit,
}

enum Phase {
    Going,
    /// It is as long as it may be.
    Cut,
    /// A piece could not be written, and nothing may happen any more.
    Failed(ErrorKind),
    /// There was nothing to record.
    Discarded,
}

/// A recording that is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Its file.
    pub(crate) name: String,
    /// The SHA-256 of the file; `None` where it is not sure to be on the disk.
    pub(crate) sha256: Option<String>,
    /// A piece is missing at its end, and the command was ended for it.
    pub(crate) is_whole: bool,
}

/// Why a recording is not begun, for which a command is not either.
#[derive(Debug)]
pub(crate) enum NotBegun {
    TooMany,
    Full,
    Failed(io::Error),
}

impl fmt::Display for NotBegun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "{RECORDINGS_AT_ONCE_MAX} are under way, which is the limit"),
            Self::Full => write!(
                f,
                "there are {RECORDINGS_BYTES_MAX} bytes of recordings, which is the limit: move some of them away"
            ),
            // The place is for the log.
            Self::Failed(error) => write!(f, "no recording can be written: {}", error.kind()),
        }
    }
}

impl Recordings {
    /// Nothing is made before there is something to record.
    pub(crate) fn new(dir: PathBuf) -> Self {
        let total = Arc::new(AtomicU64::new(UNKNOWN));
        Self { dir, places: Permits::new(RECORDINGS_AT_ONCE_MAX), total }
    }

    /// Places for recordings, to be counted with others.
    pub(crate) fn places(&self) -> &Permits {
        &self.places
    }

    /// Begins one: its first line is written when this returns.
    pub(crate) fn begin(
        &self,
        name: &str,
        title: &str,
        size: Option<(u16, u16)>,
    ) -> Result<Recording, NotBegun> {
        let place = self.places.try_take().ok_or(NotBegun::TooMany)?;
        self.prepare().map_err(NotBegun::Failed)?;
        self.check_room()?;
        let path = self.dir.join(format!("{name}.cast"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = options.open(&path).map_err(NotBegun::Failed)?;
        self.total.fetch_add(RECORDING_FILE_BYTES, Ordering::Relaxed);
        let mut state = State {
            path,
            file,
            tape: Tape::default(),
            hash: Sha256::new(),
            written: 0,
            most: RECORDING_BYTES_MAX,
            began: clock::now(),
            phase: Phase::Going,
            total: Arc::clone(&self.total),
            _place: place,
        };
        let header = tape::header(size.unwrap_or(USUAL_SIZE), clock::unix().as_secs(), title);
        if let Err(error) = state.put(&header) {
            state.discard();
            return Err(NotBegun::Failed(error));
        }
        Ok(Recording(Arc::new(Shared::new(state))))
    }

    /// The directory, for its owner alone.
    fn prepare(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let status = fs::symlink_metadata(&self.dir)?;
        if status.is_dir() && status.mode() & 0o077 == 0 {
            return Ok(());
        }
        Err(io::Error::new(ErrorKind::PermissionDenied, "it is no directory, or open to others"))
    }

    /// Looks through the directory where it is not known, or where too much was known to be there.
    fn check_room(&self) -> Result<(), NotBegun> {
        if self.total.load(Ordering::Relaxed) >= RECORDINGS_BYTES_MAX {
            let there = size_of(&self.dir).map_err(NotBegun::Failed)?;
            self.total.store(there, Ordering::Relaxed);
            if there >= RECORDINGS_BYTES_MAX {
                return Err(NotBegun::Full);
            }
        }
        Ok(())
    }
}

/// What everything in a directory takes; a short file takes a block too.
fn size_of(dir: &Path) -> io::Result<u64> {
    let mut all = 0_u64;
    for entry in fs::read_dir(dir)? {
        match entry?.metadata() {
            Ok(status) => all = all.saturating_add(status.len()).saturating_add(RECORDING_FILE_BYTES),
            // Somebody moved it away just now.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

impl Recording {
    /// Bytes that were printed or typed. An error ends the command.
    pub(crate) fn piece(&self, side: Side, bytes: &[u8]) -> io::Result<()> {
        self.0.with(|state| {
            let at = state.at();
            let lines = state.tape.piece(at, side, bytes);
            state.add(&lines)
        })
    }

    /// The terminal has another size.
    pub(crate) fn resized(&self, size: (u16, u16)) -> io::Result<()> {
        self.0.with(|state| {
            let line = tape::resized(state.at(), size);
            state.add(&line)
        })
    }

    /// It is over: on the disk when this returns. Nothing where it was discarded.
    pub(crate) fn finish(&self) -> Option<Recorded> {
        self.0.with(|state| (!matches!(state.phase, Phase::Discarded)).then(|| state.finish()))
    }

    /// There was nothing to record.
    pub(crate) fn discard(&self) {
        self.0.with(|state| state.discard());
    }
}

impl State {
    fn at(&self) -> std::time::Duration {
        clock::now().saturating_duration_since(self.began)
    }

    /// Adds whole lines, or says once that there is no more.
    fn add(&mut self, lines: &str) -> io::Result<()> {
        match self.phase {
            Phase::Going => {}
            Phase::Cut | Phase::Discarded => return Ok(()),
            Phase::Failed(kind) => return Err(kind.into()),
        }
        let after = self.written.saturating_add(u64::try_from(lines.len()).unwrap_or(u64::MAX));
        if after <= self.most {
            return self.put(lines);
        }
        let why = format!("cut: a recording holds {} bytes; the command went on", self.most);
        let marker = tape::marker(self.at(), &why);
        self.put(&marker)?;
        self.phase = Phase::Cut;
        Ok(())
    }

    /// Writes lines whole, or takes back what was written of them.
    fn put(&mut self, lines: &str) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all(lines.as_bytes()) {
            self.phase = Phase::Failed(error.kind());
            // Where this fails too, the hash is not told.
            let _ = self.file.set_len(self.written);
            return Err(error);
        }
        self.hash.update(lines.as_bytes());
        let more = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        self.written = self.written.saturating_add(more);
        self.total.fetch_add(more, Ordering::Relaxed);
        Ok(())
    }

    fn finish(&mut self) -> Recorded {
        let rest = self.tape.rest(self.at());
        let is_whole = self.add(&rest).is_ok() && !matches!(self.phase, Phase::Failed(_));
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let sha256 = self.is_kept().then(|| HEXLOWER.encode(&self.hash.clone().finalize()));
        Recorded { name, sha256, is_whole }
    }

    /// Whether what was written, and nothing else, is on the disk under the file's name.
    fn is_kept(&self) -> bool {
        let synced = self.file.sync_all().and_then(|()| {
            let dir = self.path.parent().unwrap_or_else(|| Path::new("/"));
            File::open(dir)?.sync_all()
        });
        synced.is_ok() && self.file.metadata().is_ok_and(|status| status.len() == self.written)
    }

    fn discard(&mut self) {
        self.phase = Phase::Discarded;
        // A file that stays is counted with the others when they are next looked through.
        if fs::remove_file(&self.path).is_ok() {
            self.total.fetch_sub(self.written.saturating_add(RECORDING_FILE_BYTES), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::audit::specimens::dir;

    fn text(recordings: &Recordings, name: &str) -> String {
        fs::read_to_string(recordings.dir.join(name)).unwrap()
    }

    fn read(text: &str) -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The kind and the text of each event.
    fn events(text: &str) -> Vec<(String, String)> {
        let said = |event: &Value, at: usize| event[at].as_str().unwrap().to_owned();
        read(text)[1..].iter().map(|event| (said(event, 1), said(event, 2))).collect()
    }

    fn event(code: &str, text: &str) -> (String, String) {
        (code.to_owned(), text.to_owned())
    }

    #[test]
    fn a_recording_is_a_private_file_with_the_hash_that_is_told() {
        let recordings = Recordings::new(dir("recorded").join("state/recordings"));
        let recording = recordings.begin("a-1", "web", Some((100, 30))).unwrap();
        recording.piece(Side::Output, b"caf\xc3").unwrap();
        recording.piece(Side::Input, b"ls\r").unwrap();
        recording.piece(Side::Output, b"\xa9\r\n\xe2").unwrap();
        recording.resized((90, 20)).unwrap();
        let recorded = recording.finish().unwrap();
        let text = text(&recordings, "a-1.cast");
        let hash = HEXLOWER.encode(&Sha256::digest(&text));
        assert_eq!(recorded, Recorded { name: "a-1.cast".to_owned(), sha256: Some(hash), is_whole: true });
        let all = read(&text);
        assert_eq!(
            (&all[0]["width"], &all[0]["height"], &all[0]["title"]),
            (&json!(100), &json!(30), &json!("web"))
        );
        let expected = [("o", "caf"), ("i", "ls\r"), ("o", "é\r\n"), ("r", "90x20"), ("o", "\u{fffd}")];
        assert_eq!(events(&text), expected.map(|(code, text)| event(code, text)));
        for (path, mode) in [(recordings.dir.clone(), 0o700), (recordings.dir.join("a-1.cast"), 0o600)] {
            assert_eq!(fs::metadata(path).unwrap().mode() & 0o7777, mode);
        }
        assert!(matches!(recordings.begin("a-1", "web", None), Err(NotBegun::Failed(_))), "written over");
    }

    #[test]
    fn what_is_too_long_is_cut_with_a_marker_and_the_command_goes_on() {
        let recordings = Recordings::new(dir("cut").join("recordings"));
        let recording = recordings.begin("a", "web", None).unwrap();
        recording.0.with(|state| state.most = state.written + 60);
        for _ in 0..5 {
            recording.piece(Side::Output, b"0123456789").unwrap();
        }
        assert!(recording.finish().unwrap().is_whole);
        let events = events(&text(&recordings, "a.cast"));
        assert_eq!(events[0], event("o", "0123456789"));
        let (code, why) = events.last().unwrap();
        assert!(code == "m" && why.starts_with("cut: ") && events.len() == 3, "{events:?}");
    }

    #[test]
    fn a_piece_that_cannot_be_written_is_an_error_from_then_on() {
        let recordings = Recordings::new(dir("full-disk").join("recordings"));
        let recording = recordings.begin("a", "web", None).unwrap();
        recording.piece(Side::Output, b"kept").unwrap();
        let good = recording.0.with(|state| {
            let narrow = OpenOptions::new().write(true).open("/dev/full").unwrap();
            std::mem::replace(&mut state.file, narrow)
        });
        assert!(recording.piece(Side::Output, b"lost").is_err());
        assert!(recording.piece(Side::Output, b"lost").is_err() && recording.resized((1, 1)).is_err());
        recording.0.with(|state| state.file = good);
        let recorded = recording.finish().unwrap();
        let text = text(&recordings, "a.cast");
        assert_eq!(events(&text), [event("o", "kept")]);
        assert_eq!(recorded.sha256, Some(HEXLOWER.encode(&Sha256::digest(&text))));
        assert!(!recorded.is_whole);
    }

    #[test]
    fn a_directory_that_is_full_takes_no_more_until_something_is_moved_away() {
        let recordings = Recordings::new(dir("full").join("recordings"));
        recordings.begin("a", "web", None).unwrap();
        let large = recordings.dir.join("large.cast");
        File::create(&large).unwrap().set_len(RECORDINGS_BYTES_MAX).unwrap();
        // As at the next start.
        let recordings = Recordings::new(recordings.dir);
        for _ in 0..2 {
            assert!(matches!(recordings.begin("b", "web", None), Err(NotBegun::Full)));
        }
        fs::remove_file(large).unwrap();
        let recording = recordings.begin("b", "web", None).unwrap();
        let before = recordings.total.load(Ordering::Relaxed);
        recording.discard();
        assert_eq!(recording.finish(), None);
        assert!(!recordings.dir.join("b.cast").exists() && recordings.total.load(Ordering::Relaxed) < before);
    }

    #[test]
    fn so_many_are_under_way_at_once_and_no_more() {
        let recordings = Recordings::new(dir("many").join("recordings"));
        let begin = |number: usize| recordings.begin(&number.to_string(), "web", None);
        let mut all: Vec<_> = (0..RECORDINGS_AT_ONCE_MAX).map(|number| begin(number).unwrap()).collect();
        assert!(matches!(begin(RECORDINGS_AT_ONCE_MAX), Err(NotBegun::TooMany)));
        all.pop();
        assert!(begin(RECORDINGS_AT_ONCE_MAX).is_ok());
    }

    #[test]
    fn a_directory_that_others_can_look_into_takes_none() {
        use std::os::unix::fs::PermissionsExt;
        let recordings = Recordings::new(dir("loose"));
        fs::set_permissions(&recordings.dir, fs::Permissions::from_mode(0o750)).unwrap();
        assert!(matches!(recordings.begin("a", "web", None), Err(NotBegun::Failed(_))));
    }
}
