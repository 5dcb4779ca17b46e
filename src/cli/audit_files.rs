//! The files of a trail, put into the order in which they were written, and read line by line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::audit::NoAnswer;
use super::audit_record::Record;
use crate::limits::AUDIT_LINE_BYTES_READ_MAX;

/// A file that is read line by line.
pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    /// Which line [`Self::read`] gave last, from 1.
    number: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, NoAnswer> {
        let file = File::open(path).map_err(|error| NoAnswer::File(path.to_owned(), error))?;
        Ok(Self::of(path, file))
    }

    pub(super) fn of(path: &Path, file: File) -> Self {
        Self { path: path.to_owned(), reader: BufReader::new(file), number: 0 }
    }

    /// The file itself, as it was opened.
    pub(super) fn file(&self) -> &File {
        self.reader.get_ref()
    }

    /// Adds the next line to the buffer, its end included; or what there is of one, or nothing.
    pub(super) fn read(&mut self, line: &mut Vec<u8>) -> Result<bool, NoAnswer> {
        let had = line.len();
        let room = AUDIT_LINE_BYTES_READ_MAX.saturating_sub(u64::try_from(had).unwrap_or(u64::MAX));
        let read = self.reader.by_ref().take(room).read_until(b'\n', line);
        let count = read.map_err(|error| NoAnswer::File(self.path.clone(), error))?;
        if had == 0 && count > 0 {
            self.number = self.number.saturating_add(1);
        }
        if !line.ends_with(b"\n")
            && u64::try_from(line.len()).is_ok_and(|len| len >= AUDIT_LINE_BYTES_READ_MAX)
        {
            return Err(NoAnswer::Long(self.path.clone(), self.number));
        }
        Ok(count > 0)
    }
}

/// The files from the oldest to the newest, whatever the order in which they were named.
pub(super) struct Sorted {
    pub(super) paths: Vec<PathBuf>,
    /// They were named in another order.
    pub(super) is_other: bool,
}

impl Sorted {
    /// By the number of the first record in each; without numbers by its time. What holds no record stays last.
    pub(super) fn of(named: &[PathBuf]) -> Result<Self, NoAnswer> {
        // One file is not read twice: it may be a pipe.
        let [_, _, ..] = named else { return Ok(Self { paths: named.to_vec(), is_other: false }) };
        let mut keyed = Vec::new();
        for path in named {
            keyed.push((first(path)?, path.clone()));
        }
        let is_numbered =
            keyed.iter().all(|(first, _)| first.as_ref().is_none_or(|first| first.seq.is_some()));
        keyed.sort_by_key(|(first, _)| {
            let first = first.as_ref();
            let seq = first.and_then(|first| first.seq).filter(|_| is_numbered);
            (first.is_none(), seq, first.map(|first| first.time.clone()))
        });
        let paths: Vec<_> = keyed.into_iter().map(|(_, path)| path).collect();
        let is_other = paths != named;
        Ok(Self { paths, is_other })
    }

    /// Their names in a row.
    pub(super) fn told(&self) -> String {
        let names: Vec<_> = self.paths.iter().map(|path| path.display().to_string()).collect();
        names.join(", ")
    }
}

fn first(path: &Path) -> Result<Option<Record>, NoAnswer> {
    let (mut lines, mut line) = (Lines::open(path)?, Vec::new());
    while lines.read(&mut line)? {
        if let Some(record) = Record::of(&line) {
            return Ok(Some(record));
        }
        line.clear();
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn dir(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("lookout-audit-files-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).unwrap();
        dir
    }

    fn sorted(dir: &Path, named: &[&str]) -> (Vec<String>, bool) {
        let named: Vec<_> = named.iter().map(|name| dir.join(name)).collect();
        let sorted = Sorted::of(&named).unwrap();
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        (sorted.paths.iter().map(name).collect(), sorted.is_other)
    }

    #[test]
    fn files_stand_in_the_order_of_their_numbers_or_else_of_their_times() {
        let dir = dir("order");
        let line = |seq: &str, time: u8| {
            format!("{{\"time\":\"2026-01-01T00:00:{time:02}Z\",\"msg\":\"\",\"event\":\"start\"{seq}}}\n")
        };
        // The clock went back in between; numbers do not.
        for (name, text) in [
            ("nine", line(",\"seq\":9", 30)),
            ("ten", "torn {\n".to_owned() + &line(",\"seq\":10", 20)),
            ("empty", String::new()),
            ("early", line("", 1)),
            ("late", line("", 2)),
        ] {
            fs::write(dir.join(name), text).unwrap();
        }
        assert_eq!(
            sorted(&dir, &["empty", "ten", "nine"]),
            (["nine", "ten", "empty"].map(str::to_owned).into(), true)
        );
        assert_eq!(sorted(&dir, &["nine", "ten"]), (["nine", "ten"].map(str::to_owned).into(), false));
        assert_eq!(sorted(&dir, &["late", "early"]), (["early", "late"].map(str::to_owned).into(), true));
        assert!(matches!(Sorted::of(&[dir.join("nine"), dir.join("absent")]), Err(NoAnswer::File(..))));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_line_without_its_end_is_gone_on_with() {
        let dir = dir("lines");
        let path = dir.join("file");
        fs::write(&path, "one\ntw").unwrap();
        let (mut lines, mut line) = (Lines::open(&path).unwrap(), Vec::new());
        assert!(lines.read(&mut line).unwrap());
        assert_eq!((line.as_slice(), lines.number), (b"one\n".as_slice(), 1));
        line.clear();
        assert!(lines.read(&mut line).unwrap() && !lines.read(&mut line).unwrap());
        assert_eq!((line.as_slice(), lines.number), (b"tw".as_slice(), 2));
        fs::write(&path, "one\ntwo\n").unwrap();
        assert!(lines.read(&mut line).unwrap());
        assert_eq!((line.as_slice(), lines.number), (b"two\n".as_slice(), 2));
        fs::remove_dir_all(dir).unwrap();
    }
}
