//! Lines on real files: what happens between them, to them and instead of them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::file::{numbered, shift};
use super::super::specimens::{dir, request, signer, verify_files};
use super::*;

fn open(path: &Path) -> Sink {
    limited(path, 0).unwrap()
}

fn limited(path: &Path, max_bytes: u64) -> io::Result<Sink> {
    Sink::open(Place::File(path.to_owned()), true, (max_bytes, 3), Some(signer(1)))
}

fn unchained(path: &Path) -> Sink {
    Sink::open(Place::File(path.to_owned()), false, (0, 3), None).unwrap()
}

fn write(sink: &mut Sink, numbers: std::ops::Range<usize>) {
    numbers.for_each(|number| append(sink, number).unwrap());
}

fn append(sink: &mut Sink, number: usize) -> io::Result<()> {
    sink.append(request(number).line(clock::unix()))
}

#[test]
fn a_file_is_made_for_its_owner_and_added_to_across_restarts() {
    let path = dir("restart").join("audit.log");
    for turn in 0..3 {
        write(&mut open(&path), turn * 10..turn * 10 + 10);
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let report = verify_files(std::slice::from_ref(&path)).unwrap();
    assert_eq!((report.records, report.torn), (30, 0));
    assert_eq!(open(&path).head(), Some((30, report.head)));
}

#[test]
fn a_second_agent_a_link_and_a_device_are_refused() {
    let dir = dir("refused");
    let path = dir.join("audit.log");
    let first = open(&path);
    assert_eq!(limited(&path, 0).err().unwrap().kind(), io::ErrorKind::WouldBlock);
    drop(first);
    let link = dir.join("link.log");
    symlink(&path, &link).unwrap();
    assert!(limited(&path, 0).is_ok() && limited(&link, 0).is_err());
    assert!(limited(Path::new("/dev/full"), 0).is_err() && limited(&dir.join("no/such.log"), 0).is_err());
}

#[test]
fn a_full_file_is_moved_and_the_chain_goes_on() {
    let path = dir("rotation").join("audit.log");
    let mut sink = limited(&path, 4000).unwrap();
    write(&mut sink, 0..80);
    let mut files: Vec<_> = (1..=3).rev().map(|number| numbered(&path, number)).collect();
    files.push(path.clone());
    assert!(files.iter().all(|file| fs::metadata(file).unwrap().len() <= 4000));
    assert!(!numbered(&path, 4).exists());
    let report = verify_files(&files).unwrap();
    assert_eq!(report.last, 80);
    assert!(report.first > 1 && report.records == 81 - report.first);
    // A restart just behind a move finds the chain in the file that was moved.
    drop(sink);
    fs::remove_file(numbered(&path, 3)).unwrap();
    shift(&path, 3).unwrap();
    write(&mut limited(&path, 4000).unwrap(), 80..85);
    assert_eq!(verify_files(&files).unwrap().last, 85);
}

#[test]
fn a_move_that_fails_loses_nothing_and_is_told() {
    let path = dir("stuck").join("audit.log");
    let mut sink = limited(&path, 2000).unwrap();
    // A directory in the way of the last step.
    fs::create_dir_all(numbered(&path, 1).join("x")).unwrap();
    fs::create_dir_all(numbered(&path, 2).join("x")).unwrap();
    fs::create_dir_all(numbered(&path, 3).join("x")).unwrap();
    write(&mut sink, 0..20);
    assert!(sink.trouble().is_some());
    assert_eq!(verify_files(std::slice::from_ref(&path)).unwrap().records, 20);
}

#[test]
fn moving_anew_after_a_failure_moves_no_file_twice() {
    let path = dir("twice").join("audit.log");
    for number in 1..=2 {
        fs::write(numbered(&path, number), number.to_string()).unwrap();
    }
    // There is nothing to move to `.1` yet.
    for _ in 0..5 {
        assert!(shift(&path, 3).is_err());
    }
    let kept = |number| fs::read_to_string(numbered(&path, number)).ok();
    assert_eq!((kept(1), kept(2), kept(3)), (None, Some("1".to_owned()), Some("2".to_owned())));
}

#[test]
fn a_disk_that_fills_up_at_any_byte_leaves_a_trail_that_tells_of_it() {
    let path = dir("full").join("audit.log");
    let length = {
        let mut sink = open(&path);
        write(&mut sink, 0..2);
        fs::read(&path).unwrap().len() / 2
    };
    for room in 0..length * 2 + 300 {
        fs::remove_file(&path).unwrap();
        let mut sink = open(&path);
        let disk = Arc::new(AtomicUsize::new(room));
        sink.narrow(Arc::clone(&disk));
        let written = (0..6).filter(|number| append(&mut sink, *number).is_ok()).count();
        // Some room comes, not enough for all of it, and then enough.
        for more in [1, 7, 300] {
            disk.fetch_add(more, Ordering::SeqCst);
            let _ = append(&mut sink, 6);
        }
        disk.store(1 << 20, Ordering::SeqCst);
        append(&mut sink, 7).unwrap();
        let head = sink.head().unwrap();
        let report = verify_files(std::slice::from_ref(&path)).unwrap();
        assert_eq!((report.last, &report.head), (head.0, &head.1), "{room}");
        let told = fs::read_to_string(&path).unwrap_or_default();
        assert!(report.lost >= (6 - written) as u64 && told.contains(r#""event":"recovered""#), "{room}");
    }
}

#[test]
fn a_crash_at_any_byte_of_a_record_is_recovered_from() {
    for is_chained in [true, false] {
        let path = dir(&format!("crash-{is_chained}")).join("audit.log");
        let open = |path: &Path| if is_chained { open(path) } else { unchained(path) };
        write(&mut open(&path), 0..3);
        let whole = fs::read(&path).unwrap();
        let last = whole.len() - whole.split_inclusive(|byte| *byte == b'\n').next_back().unwrap().len();
        for length in last..=whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            write(&mut open(&path), 3..5);
            let text = fs::read_to_string(&path).unwrap();
            let is_torn = last < length && length < whole.len() - 1;
            assert_eq!(text.contains(&format!(r#""event":"recovered","torn":{}"#, length - last)), is_torn);
            if is_chained {
                let report = verify_files(std::slice::from_ref(&path)).unwrap();
                let records = if length == last || is_torn { 2 } else { 3 };
                assert_eq!(report.records, records + 2 + u64::from(is_torn), "{length}");
                assert_eq!((report.torn, report.lost), (u64::from(is_torn), 0));
            }
        }
    }
}

#[test]
fn what_others_wrote_before_is_sealed_by_the_first_record() {
    let path = dir("foreign").join("audit.log");
    write(&mut unchained(&path), 0..400);
    write(&mut open(&path), 0..2);
    let report = verify_files(std::slice::from_ref(&path)).unwrap();
    assert_eq!((report.records, report.torn, report.first), (3, 1, 1));
    let mut text = fs::read(&path).unwrap();
    text[5] ^= 1;
    fs::write(&path, text).unwrap();
    assert_eq!(verify_files(&[path]).unwrap_err().at.line, 1);
}

#[test]
fn a_file_that_is_moved_or_removed_is_followed_by_a_new_one() {
    let path = dir("moved").join("audit.log");
    let mut sink = open(&path);
    write(&mut sink, 0..2);
    let aside = path.with_extension("old");
    fs::rename(&path, &aside).unwrap();
    write(&mut sink, 2..3);
    sink.reopen().unwrap();
    write(&mut sink, 3..5);
    // The same file once more is no other one.
    sink.reopen().unwrap();
    write(&mut sink, 5..6);
    assert_eq!(verify_files(&[aside, path.clone()]).unwrap().records, 6);
    fs::remove_file(&path).unwrap();
    write(&mut sink, 6..7);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(r#""event":"recovered","reason":"removed""#), "{text}");
    assert_eq!(verify_files(&[path]).unwrap().first, 7);
}

#[test]
fn a_torn_line_in_a_file_that_is_left_is_told_of_in_the_next() {
    let path = dir("left").join("audit.log");
    let mut sink = open(&path);
    write(&mut sink, 0..1);
    sink.narrow(Arc::new(AtomicUsize::new(50)));
    assert!(append(&mut sink, 1).is_err());
    let aside = path.with_extension("old");
    fs::rename(&path, &aside).unwrap();
    sink.reopen().unwrap();
    write(&mut sink, 2..3);
    let report = verify_files(&[aside, path]).unwrap();
    assert_eq!((report.records, report.torn, report.torn_bytes, report.lost), (3, 1, 50, 1));
}

#[test]
fn a_checkpoint_comes_after_so_many_records_and_only_where_something_is_new() {
    let path = dir("checkpoints").join("audit.log");
    let mut sink = open(&path);
    sink.checkpoint().unwrap();
    for number in 0..usize::try_from(AUDIT_CHECKPOINT_RECORDS).unwrap() + 5 {
        append(&mut sink, number).unwrap();
        sink.checkpoint_if_due().unwrap();
    }
    let report = verify_files(std::slice::from_ref(&path)).unwrap();
    assert_eq!((report.checkpoints, report.unsigned), (1, 5));
    sink.checkpoint().unwrap();
    sink.checkpoint().unwrap();
    let report = verify_files(&[path]).unwrap();
    assert_eq!((report.checkpoints, report.unsigned), (2, 0));
}
