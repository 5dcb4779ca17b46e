//! Whose turn it is, and who waits.

use std::sync::Arc;

use super::*;
use crate::edge::inlet::Cause;
use crate::sys::poll::{Watch, wait};
use crate::threads::Resident;

fn outbox() -> Arc<Outbox> {
    Arc::new(Outbox::new().unwrap())
}

fn lane(outbox: &Arc<Outbox>, credit: Option<u64>) -> (Lane, Arc<Inlet>) {
    let inlet = Arc::new(Inlet::new(&Arc::default()).unwrap());
    (outbox.lane(&inlet, credit), inlet)
}

fn little(text: &str) -> Frame {
    Frame::Text(text.to_owned())
}

fn much(mark: u8) -> Frame {
    Frame::Binary(vec![mark; EDGE_LITTLE_BYTES * 2])
}

fn turns(outbox: &Outbox) -> Vec<String> {
    std::iter::from_fn(|| outbox.take())
        .map(|frame| match frame {
            Frame::Text(text) => text,
            Frame::Binary(bytes) => format!("{}", bytes[0]),
        })
        .collect()
}

#[test]
fn signs_of_life_go_first_then_who_has_little_to_say_then_the_others_in_turn() {
    let outbox = outbox();
    let ((first, _one), (second, _two), (shell, _three)) =
        (lane(&outbox, None), lane(&outbox, None), lane(&outbox, None));
    for _ in 0..3 {
        first.send(much(1)).unwrap();
        second.send(much(2)).unwrap();
    }
    shell.send(little("key")).unwrap();
    outbox.control("pong".to_owned()).unwrap();
    assert_eq!(turns(&outbox), ["pong", "key", "1", "2", "1", "2", "1", "2"]);
}

#[test]
fn many_with_little_to_say_do_not_hold_up_the_others_for_good() {
    let outbox = outbox();
    let (bulk, _one) = lane(&outbox, None);
    bulk.send(much(9)).unwrap();
    let shells: Vec<_> = (0..EDGE_LITTLE_IN_A_ROW * 2).map(|_| lane(&outbox, None)).collect();
    shells.iter().for_each(|(shell, _)| shell.send(little("k")).unwrap());
    let place = turns(&outbox).iter().position(|turn| turn == "9").unwrap();
    assert_eq!(place, usize::try_from(EDGE_LITTLE_IN_A_ROW).unwrap());
}

#[test]
fn messages_of_one_lane_keep_their_order_whatever_their_size() {
    let outbox = outbox();
    let (one, _inlet) = lane(&outbox, None);
    for frame in [little("a"), much(1), little("b"), much(2), little("c")] {
        one.send(frame).unwrap();
    }
    assert_eq!(turns(&outbox), ["a", "1", "b", "2", "c"]);
}

#[test]
fn a_full_lane_keeps_its_owner_waiting_until_something_was_taken() {
    let outbox = outbox();
    let (full, inlet) = lane(&outbox, None);
    let room = EDGE_LANE_BYTES / (EDGE_LITTLE_BYTES * 2);
    (0..room).for_each(|_| full.send(much(1)).unwrap());
    assert_eq!(full.allowance_now(10).unwrap(), 0);
    let waiting = Resident::start("waits", move || {
        full.send(little("at last")).unwrap();
    });
    assert!(outbox.take().is_some());
    // The owner that polls is told by its inlet's bell.
    assert!(wait(&mut [Watch::readable(&*inlet)], Deadline::after_secs(60)).unwrap());
    assert!(waiting.unwrap().join());
    assert_eq!(turns(&outbox).last().map(String::as_str), Some("at last"));
}

#[test]
fn no_more_is_allowed_than_the_controller_takes() {
    let outbox = outbox();
    let (one, inlet) = lane(&outbox, Some(5));
    assert_eq!(one.allowance(3).unwrap(), 3);
    assert_eq!(one.allowance_now(3).unwrap(), 2);
    assert_eq!(one.allowance_now(3).unwrap(), 0);
    outbox.allow(&inlet, 1);
    assert!(wait(&mut [Watch::readable(&*inlet)], Deadline::after_secs(60)).unwrap());
    assert_eq!(one.allowance(3).unwrap(), 1);
}

#[test]
fn who_was_cancelled_waits_no_longer_and_may_still_say_how_it_ended() {
    let outbox = outbox();
    let (one, inlet) = lane(&outbox, Some(0));
    let (box_of_it, end) = (Arc::clone(&outbox), Arc::clone(&inlet));
    let waiting = Resident::start("waits", move || {
        assert!(one.allowance(3).is_err() && one.send(little("x")).is_err());
        one.end(little("canceled")).unwrap();
    });
    end.cancel(Cause::Asked);
    box_of_it.nudge(&end);
    assert!(waiting.unwrap().join());
    assert_eq!(turns(&outbox), ["canceled"]);
}

#[test]
fn what_was_said_last_goes_out_after_its_owner_left_and_nothing_is_kept() {
    let outbox = outbox();
    let (one, _inlet) = lane(&outbox, None);
    one.end(little("bye")).unwrap();
    drop(one);
    assert_eq!(turns(&outbox), ["bye"]);
    assert!(outbox.lock().lanes.is_empty());
    drop(lane(&outbox, None));
    assert!(outbox.lock().lanes.is_empty());
}

#[test]
fn nothing_goes_out_after_the_end() {
    let outbox = outbox();
    let (one, _inlet) = lane(&outbox, None);
    one.send(little("x")).unwrap();
    outbox.close();
    assert!(one.send(little("y")).is_err() && one.end(little("y")).is_err());
    assert!(outbox.control("z".to_owned()).is_err());
    assert_eq!(turns(&outbox), Vec::<String>::new());
}

#[test]
fn the_bell_rings_once_for_who_waits_and_not_for_who_does_not() {
    let outbox = outbox();
    let rings = || wait(&mut [Watch::readable(&*outbox)], Deadline::after_secs(0)).unwrap();
    outbox.control("a".to_owned()).unwrap();
    assert!(!rings() && !outbox.is_empty());
    outbox.take().unwrap();
    assert!(outbox.is_empty());
    outbox.control("b".to_owned()).unwrap();
    assert!(rings());
    outbox.hear();
    assert!(!rings());
}

#[test]
fn signs_of_life_that_nobody_takes_are_bounded() {
    let outbox = outbox();
    (0..EDGE_CONTROL_MAX).for_each(|_| outbox.control(String::new()).unwrap());
    assert!(outbox.control(String::new()).is_err());
}
