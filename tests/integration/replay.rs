//! The same signed request twice: refused at once, later, in a crowd, and by the next process.
use std::thread;

use crate::agent::Agent;
use crate::engine::{Engine, Home};
use crate::patience::until;
use crate::signer::{
    Draft, Signer, agent, breathe, elsewhere, file, head, logged, next_second, now, verdict,
};

const LINE: &str = "POST /containers/a/kill";
const REPLAYED: (u16, Option<&str>) = (401, Some("replay"));
const SKEWED: (u16, Option<&str>) = (401, Some("timestamp-skew"));

/// The same signed request from somewhere else. Where it comes from is no part of it.
fn copy(fields: &str) -> String {
    head(LINE, &format!("{fields}{}", elsewhere()))
}

fn count(engine: &Engine) -> usize {
    engine.visits().iter().map(|visit| visit.text().matches(LINE).count()).sum()
}

#[test]
fn a_copy_is_refused_and_does_not_reach_the_engine() {
    let (home, engine, signer) = (Home::new(), Engine::obliging(), Signer::new(1));
    let agent = agent(&engine, &file(&home, "keys", signer.line()), &[]);
    for version in [1, 2, 3] {
        let draft = Draft::new(version, LINE, "");
        let fields = draft.fields(&signer);
        let mut client = agent.client();
        assert_eq!(client.ask(copy(&fields)).status(), 200);
        assert_eq!(verdict(&client.ask(copy(&fields))), REPLAYED, "on the same connection");
        assert_eq!(verdict(&agent.ask(copy(&fields))), REPLAYED, "on another");
        // The nonce is spent, whatever it is signed with next.
        let again = Draft { stamp: (now() + 1).to_string(), ..draft };
        assert_eq!(verdict(&agent.ask(copy(&again.fields(&signer)))), REPLAYED);
    }
    assert_eq!(count(&engine), 3);
}

#[test]
fn of_twenty_copies_at_once_exactly_one_is_accepted() {
    let (home, engine, signer) = (Home::new(), Engine::obliging(), Signer::new(1));
    let agent = agent(&engine, &file(&home, "keys", signer.line()), &[]);
    for version in [1, 2, 3, 3, 2, 1] {
        let fields = Draft::new(version, LINE, "").fields(&signer);
        // All heads but their last byte first, so that the last bytes come as close as they can.
        let copies: Vec<_> = (0..20).map(|_| copy(&fields).into_bytes()).collect();
        let mut clients: Vec<_> = (0..20).map(|_| agent.client()).collect();
        for (client, copy) in clients.iter_mut().zip(&copies) {
            client.send(&copy[..copy.len() - 1]);
        }
        let verdicts: Vec<_> = thread::scope(|scope| {
            let ask = |mut client: crate::client::Client| {
                let answer = client.ask("\n");
                let (status, reason) = verdict(&answer);
                (status, reason.map(str::to_owned))
            };
            let threads: Vec<_> =
                clients.into_iter().map(|client| scope.spawn(move || ask(client))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(verdicts.iter().filter(|(status, _)| *status == 200).count(), 1, "{verdicts:?}");
        let replayed = (401, Some("replay".to_owned()));
        assert_eq!(verdicts.iter().filter(|verdict| **verdict == replayed).count(), 19, "{verdicts:?}");
    }
    assert_eq!(count(&engine), 6);
}

/// Accepts a request stamped ahead and sends copies until its stamp is too old. Says whether one was
/// sent when the nonce of a request that was not stamped ahead would have been forgotten.
fn replay_until_old(agent: &Agent, signer: &Signer) -> bool {
    let mut is_proved = false;
    let (stamp, fields) = until("a request stamped ahead is accepted", || {
        let stamp = now() + 2;
        let fields = Draft { stamp: stamp.to_string(), ..Draft::new(3, LINE, "") }.fields(signer);
        (agent.ask(copy(&fields)).status() == 200).then_some((stamp, fields))
    });
    let end = until("the stamp is too old", || {
        // Another request, which is an occasion to forget.
        let other = agent.ask(copy(&Draft::new(3, LINE, "").fields(signer)));
        assert_ne!(verdict(&other), REPLAYED);
        let before = now();
        match verdict(&agent.ask(copy(&fields))) {
            REPLAYED => is_proved |= before > stamp,
            SKEWED => return Some(now()),
            other => panic!("a copy got {other:?} at {before}, stamped {stamp}"),
        }
        breathe();
        None
    });
    assert!(end >= stamp + 2, "refused for its stamp at {end} already, stamped {stamp}");
    is_proved
}

#[test]
fn what_is_stamped_ahead_is_no_good_again_when_its_nonce_grows_old() {
    let (home, engine, signer) = (Home::new(), Engine::obliging(), Signer::new(1));
    let agent = agent(&engine, &file(&home, "keys", signer.line()), &[("MAX_CLOCK_SKEW_SECONDS", "2")]);
    // A machine that stands still for seconds may miss the moment; then there is another.
    assert!((0..5).any(|_| replay_until_old(&agent, &signer)), "no copy was sent at the right moment");
}

#[test]
fn a_stamp_beyond_the_skew_is_refused_and_one_within_it_is_warned_about() {
    let (home, engine, signer) = (Home::new(), Engine::obliging(), Signer::new(1));
    let agent = agent(&engine, &file(&home, "keys", signer.line()), &[]);
    let at = |stamp: u64| Draft { stamp: stamp.to_string(), ..Draft::new(2, LINE, "") }.fields(&signer);
    // Seconds may pass between our clock's reading and the agent's, so neither stands at the edge.
    assert_eq!(verdict(&agent.ask(copy(&at(now() + 75)))), SKEWED);
    assert_eq!(agent.ask(copy(&at(now() + 50))).status(), 200);
    let line = logged(&agent, &["auth.clock_skew"]);
    assert!(line.contains(&signer.id()) && line.contains("\"WARN\""), "{line}");
}

#[test]
fn what_was_signed_before_the_start_is_not_accepted_by_the_next_process() {
    let (home, engine, signer) = (Home::new(), Engine::obliging(), Signer::new(1));
    let keys = file(&home, "keys", signer.line());
    let first = agent(&engine, &keys, &[]);
    let fields: Vec<_> = [1, 2, 3].map(|version| Draft::new(version, LINE, "").fields(&signer)).into();
    assert!(fields.iter().all(|fields| first.ask(copy(fields)).status() == 200));
    first.stop();
    let held = Draft::new(3, LINE, "").fields(&signer);
    next_second();
    let second = agent(&engine, &keys, &[]);
    for fields in fields.iter().chain([&held]) {
        assert_eq!(verdict(&second.ask(copy(fields))), SKEWED);
    }
    assert_eq!(second.ask(copy(&Draft::new(3, LINE, "").fields(&signer))).status(), 200);
    assert_eq!(count(&engine), 4);
}

#[test]
fn a_key_that_used_up_its_nonces_is_refused_alone() {
    let (home, engine) = (Home::new(), Engine::obliging());
    let (busy, other) = (Signer::new(1), Signer::new(2));
    let keys = file(&home, "keys", busy.line() + &other.line());
    let agent = agent(&engine, &keys, &[("NONCE_LRU_SIZE", "3")]);
    let ask = |signer: &Signer| agent.ask(copy(&Draft::new(3, LINE, "").fields(signer)));
    assert!((0..3).all(|_| ask(&busy).status() == 200));
    assert_eq!(verdict(&ask(&busy)), REPLAYED);
    assert!((0..3).all(|_| ask(&other).status() == 200));
    assert_eq!(verdict(&ask(&other)), REPLAYED);
    let line = logged(&agent, &["auth.nonces_full", &busy.id()]);
    assert!(line.contains("\"ERROR\""), "{line}");
    assert_eq!(count(&engine), 6);
}

#[test]
fn a_full_key_is_accepted_again_once_its_stamps_are_old() {
    let (home, engine, signer) = (Home::new(), Engine::obliging(), Signer::new(1));
    let keys = file(&home, "keys", signer.line());
    let agent = agent(&engine, &keys, &[("NONCE_LRU_SIZE", "1"), ("MAX_CLOCK_SKEW_SECONDS", "1")]);
    let ask = |agent: &Agent| agent.ask(copy(&Draft::new(2, LINE, "").fields(&signer)));
    for what in ["the first is accepted", "its nonce is forgotten"] {
        until(what, || {
            breathe();
            (ask(&agent).status() == 200).then_some(())
        });
    }
}

#[test]
fn only_what_was_signed_uses_a_nonce_up_and_only_for_its_own_key() {
    let (home, engine) = (Home::new(), Engine::obliging());
    let (one, other) = (Signer::new(1), Signer::new(2));
    let agent = agent(&engine, &file(&home, "keys", one.line() + &other.line()), &[]);
    let draft = Draft::new(3, LINE, "");
    let forged = draft.fields_with(&one.id(), &"A".repeat(86));
    assert_eq!(verdict(&agent.ask(copy(&forged))), (401, Some("invalid-signature")));
    assert_eq!(agent.ask(copy(&draft.fields(&one))).status(), 200);
    assert_eq!(agent.ask(copy(&draft.fields(&other))).status(), 200);
    assert_eq!(verdict(&agent.ask(copy(&draft.fields(&other)))), REPLAYED);
}
