//! The trail as the agent uses it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::specimens::{dir, request, settings, verify_files};
use super::*;
use crate::metrics::check::Checked;

fn told(trail: &Trail) -> Checked {
    let mut page = Page::default();
    trail.write_metrics(&mut page);
    Checked::of(&page.finish())
}

#[test]
fn a_trail_that_is_off_keeps_nothing_and_refuses_nothing() {
    let off = Trail::off();
    assert_eq!(off.write(request(1)), Ok(()));
    assert_eq!((off.is_on(), off.is_failing(), off.required(), off.head()), (false, false, false, None));
    assert_eq!((off.ring().len(), told(&off).number("lookout_audit_records_total")), (0, 0.0));
}

#[test]
fn a_record_goes_to_the_ring_and_to_the_sink() {
    let path = dir("both").join("audit.log");
    let trail = Trail::new(settings(&path)).unwrap();
    let detail = trail.redactor().json(br#"{"password":"s3cret"}"#);
    assert_eq!(trail.write(Record { detail, ..request(1) }), Ok(()));
    let line = fs::read_to_string(&path).unwrap();
    assert!(line.contains(r#""path":"/v1.43/containers/c1/json""#) && line.contains(r#"{"password":"***"}"#));
    let kept = trail.ring().newest(9);
    assert!(kept.len() == 1 && kept[0].contains("/c1/json") && !kept[0].contains("detail"));
    let report = verify_files(&[path]).unwrap();
    assert_eq!(trail.head(), Some((1, report.head)));
}

#[test]
fn only_the_ring_is_written_where_there_is_no_place() {
    let trail = Trail::new(Settings { place: None, ..settings(Path::new("")) }).unwrap();
    (0..10).for_each(|number| trail.write(request(number)).unwrap());
    assert_eq!((trail.is_on(), trail.head(), trail.ring().len()), (true, None, 8));
    let told = told(&trail);
    for (series, number) in [
        ("lookout_audit_records_total", 10.0),
        ("lookout_audit_buffer_records", 8.0),
        ("lookout_audit_buffer_capacity", 8.0),
        ("lookout_audit_sink_enabled", 0.0),
        ("lookout_audit_chain_sequence", 0.0),
    ] {
        assert_eq!(told.number(series), number, "{series}");
    }
}

#[test]
fn a_sink_that_fails_is_counted_and_tried_anew() {
    let path = dir("failing").join("audit.log");
    let trail = Trail::new(Settings { required: true, ..settings(&path) }).unwrap();
    trail.write(request(1)).unwrap();
    let room = Arc::new(AtomicUsize::new(10));
    trail.sink.as_ref().unwrap().with(|sink| sink.narrow(Arc::clone(&room)));
    assert_eq!([trail.write(request(2)), trail.write(request(3))], [Err(NotWritten); 2]);
    assert!(trail.is_failing() && trail.required());
    // The ring has them all the same.
    assert_eq!(trail.ring().len(), 3);
    trail.tick();
    assert!(trail.is_failing());
    room.store(1 << 20, Ordering::SeqCst);
    // Nobody has to come for it to be well again.
    trail.tick();
    assert!(!trail.is_failing());
    trail.write(request(4)).unwrap();
    let told = told(&trail);
    assert_eq!(told.number("lookout_audit_records_total"), 2.0);
    assert_eq!(told.number("lookout_audit_failures_total"), 3.0);
    assert_eq!(told.number("lookout_audit_chain_sequence"), 3.0);
    let report = verify_files(&[path]).unwrap();
    assert_eq!((report.records, report.lost, report.torn_bytes), (3, 2, 10));
}

#[test]
fn what_becomes_of_exports_is_counted() {
    let trail = Trail::new(Settings { place: None, ring: 2, ..settings(Path::new("")) }).unwrap();
    (0..5).for_each(|number| trail.write(request(number)).unwrap());
    assert_eq!(trail.export(Some(3), 9, None).unwrap().next, 5);
    assert_eq!(trail.export(Some(0), 9, None), Err(Stale::Older { next: 3 }));
    assert_eq!(trail.export(Some(9), 9, None), Err(Stale::Newer { next: 3 }));
    assert_eq!(trail.export(None, 9, Some("x")), Err(Stale::Generation { next: 3 }));
    trail.export_was_invalid();
    let told = told(&trail);
    for outcome in ["ok", "older", "newer", "generation", "invalid"] {
        assert_eq!(told.number(&format!("lookout_audit_exports_total{{outcome=\"{outcome}\"}}")), 1.0);
    }
}

#[test]
fn threads_write_whole_lines_in_one_chain_while_files_move() {
    let path = dir("threads").join("audit.log");
    let small = Settings { max_bytes: 100_000, keep: 50, ..settings(&path) };
    let trail = Trail::new(small).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let trail = &trail;
            scope.spawn(move || {
                (0..1000).for_each(|number| trail.write(request(thread * 1000 + number)).unwrap())
            });
        }
    });
    trail.checkpoint();
    let mut files: Vec<_> = (1..50).map(|number| file::numbered(&path, number)).collect();
    files.retain(|file| file.exists());
    assert!(files.len() > 10);
    files.reverse();
    files.push(path);
    let report = verify_files(&files).unwrap();
    assert_eq!((report.records, report.first, report.unsigned), (4000 + report.checkpoints, 1, 0));
    assert!(report.checkpoints >= 4);
    let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    assert!((0..4000).all(|number| text.contains(&format!("/c{number}/json"))));
}
