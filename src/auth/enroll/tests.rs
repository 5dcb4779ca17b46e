//! Every way an enrollment can go, and what is on the disk and in force after it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::AtomicU32;
use std::thread;

use super::*;
use crate::auth::key::SigningKey;
use crate::auth::{Credentials, Exposure, Settings};

const TOKEN: &str = "enrollment-token-0123456789";

/// A folder with a keys file, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(keys: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("lookout-enroll-{}-{count}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let place = Self(folder);
        place.write(keys);
        place
    }

    fn keys_file(&self) -> PathBuf {
        self.0.join("keys")
    }

    fn spent_file(&self) -> PathBuf {
        self.0.join("keys.enrolled")
    }

    fn write(&self, keys: &str) {
        fs::write(self.keys_file(), keys).unwrap();
        fs::set_permissions(self.keys_file(), Permissions::from_mode(0o600)).unwrap();
    }

    fn keys(&self) -> String {
        fs::read_to_string(self.keys_file()).unwrap()
    }

    fn terms(&self, token: &str) -> Option<EnrollmentTerms> {
        Some(EnrollmentTerms { token: Secret::new(token.to_owned()), keys_file: self.keys_file() })
    }

    /// An agent that starts here. `keys` are in force, whatever the file holds by now.
    fn gate(&self, token: &str, keys: &str) -> Gate {
        let keyring = Some(Keyring::parse(keys.as_bytes()).unwrap());
        Gate::new(Settings {
            exposure: Exposure::Guarded(Credentials { keyring, ..Credentials::default() }),
            skew_secs: 60,
            nonces_per_key: 10,
            audience: None,
            trusted_proxies: Vec::new(),
            enrollment: self.terms(token),
        })
    }

    fn start(&self) -> Gate {
        self.gate(TOKEN, &self.keys())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn peer() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

fn public(number: u8) -> PublicKey {
    SigningKey::from_seed(&Secret::new([number; 32])).public()
}

fn base64(number: u8) -> String {
    BASE64.encode(public(number).as_bytes())
}

fn line(number: u8) -> String {
    keyring::line(&public(number), &comment(public(number).id()))
}

fn ask(gate: &Gate, number: u8) -> Result<Arc<Key>, NotEnrolled> {
    gate.enrollment.enroll(gate, peer(), TOKEN.as_bytes(), &base64(number))
}

fn is_known(gate: &Gate, number: u8) -> bool {
    gate.find_key(&public(number)).is_some()
}

#[test]
fn a_key_is_written_in_force_and_named_for_its_enrollment() {
    let place = Place::new("# keys\n");
    let gate = place.start();
    let key = ask(&gate, 1).unwrap();
    assert_eq!(key.id, public(1).id());
    assert_eq!(key.comment.as_str(), format!("enrolled:{}", key.id));
    assert_eq!(place.keys(), format!("# keys\n{}\n", line(1)));
    assert!(is_known(&gate, 1));
}

#[test]
fn a_missing_line_end_does_not_glue_the_key_to_the_line_before() {
    let place = Place::new(&line(7));
    let gate = place.start();
    ask(&gate, 1).unwrap();
    assert_eq!(place.keys(), format!("{}\n{}\n", line(7), line(1)));
    assert!(is_known(&gate, 1) && is_known(&gate, 7));
}

#[test]
fn the_same_key_may_ask_again_and_no_other() {
    let place = Place::new("");
    let gate = place.start();
    ask(&gate, 1).unwrap();
    let after = place.keys();
    for _ in 0..20 {
        assert_eq!(ask(&gate, 1).unwrap().id, public(1).id());
    }
    assert!(matches!(ask(&gate, 2), Err(NotEnrolled::Spent(id)) if id == public(2).id()));
    assert_eq!(place.keys(), after);
}

#[test]
fn a_key_that_was_there_before_spends_the_token_without_a_second_line() {
    let place = Place::new(&format!("{}\n", line(1)));
    let gate = place.start();
    let before = place.keys();
    assert_eq!(ask(&gate, 1).unwrap().id, public(1).id());
    assert_eq!(place.keys(), before);
    assert!(matches!(ask(&gate, 2), Err(NotEnrolled::Spent(_))));
}

#[test]
fn a_key_somebody_wrote_but_did_not_put_in_force_is_put_in_force() {
    let place = Place::new("");
    let gate = place.start();
    place.write(&format!("{}\n", line(1)));
    let before = place.keys();
    ask(&gate, 1).unwrap();
    assert_eq!(place.keys(), before);
    assert!(is_known(&gate, 1));
}

#[test]
fn a_token_stays_spent_after_a_restart_and_another_one_is_fresh() {
    let place = Place::new("");
    ask(&place.start(), 1).unwrap();
    let spent = fs::read_to_string(place.spent_file()).unwrap();
    assert_eq!(spent, format!("{}\n", HEXLOWER.encode(&digest(&digest(TOKEN.as_bytes())))));
    assert_eq!(fs::metadata(place.spent_file()).unwrap().permissions().mode() & 0o777, 0o600);

    let restarted = place.start();
    assert!(matches!(ask(&restarted, 2), Err(NotEnrolled::Spent(_))));
    ask(&restarted, 1).unwrap();

    let other = place.gate("another-token-0123456789", &place.keys());
    let enrolled = other.enrollment.enroll(&other, peer(), b"another-token-0123456789", &base64(2));
    assert_eq!(enrolled.unwrap().id, public(2).id());
    // The first one does not come back with the second.
    assert!(matches!(ask(&place.start(), 3), Err(NotEnrolled::Spent(_))));
}

#[test]
fn a_spent_token_stays_spent_when_its_file_is_taken_away_and_the_terms_are_read_again() {
    let place = Place::new("");
    let gate = place.start();
    ask(&gate, 1).unwrap();
    fs::remove_file(place.spent_file()).unwrap();
    gate.enrollment.replace(place.terms(TOKEN));
    assert!(matches!(ask(&gate, 2), Err(NotEnrolled::Spent(_))));
    gate.enrollment.replace(place.terms("another-token-0123456789"));
    assert!(matches!(ask(&gate, 2), Err(NotEnrolled::WrongToken)));
    gate.enrollment.replace(None);
    assert!(!gate.enrollment.is_offered());
    assert!(matches!(ask(&gate, 2), Err(NotEnrolled::WrongToken)));
}

#[test]
fn of_many_at_once_with_one_token_exactly_one_key_gets_in() {
    let place = Place::new("");
    let gate = place.start();
    // Another peer each, so that nobody is throttled for the others' failures.
    let from = |number: u8| IpAddr::from([192, 0, 2, number]);
    let let_in: Vec<u8> = thread::scope(|scope| {
        let ask = |number| {
            let gate = &gate;
            move || gate.enrollment.enroll(gate, from(number), TOKEN.as_bytes(), &base64(number))
        };
        let asking: Vec<_> = (1..=16).map(|number| (number, scope.spawn(ask(number)))).collect();
        asking
            .into_iter()
            .filter_map(|(number, asked)| match asked.join().unwrap() {
                Ok(_) => Some(number),
                Err(NotEnrolled::Spent(_)) => None,
                Err(why) => panic!("{why:?}"),
            })
            .collect()
    });
    let [number] = let_in.as_slice() else { panic!("{let_in:?}") };
    assert_eq!(place.keys(), format!("{}\n", line(*number)));
    assert!((1..=16).all(|other| is_known(&gate, other) == (other == *number)));
}

#[test]
fn two_agents_of_one_file_let_one_key_in() {
    let place = Place::new("");
    let (one, other) = (place.start(), place.start());
    ask(&one, 1).unwrap();
    assert!(matches!(ask(&other, 2), Err(NotEnrolled::Spent(_))));
    assert_eq!(place.keys(), format!("{}\n", line(1)));
}

#[test]
fn while_another_process_is_at_the_file_one_is_told_to_come_again() {
    let place = Place::new("");
    let gate = place.start();
    let held = Lines::open(&place.keys_file(), 99).ok().unwrap();
    let why = ask(&gate, 1).unwrap_err();
    assert!(matches!(why, NotEnrolled::Busy(_)) && why.retry_after().is_some());
    drop(held);
    ask(&gate, 1).unwrap();
}

#[test]
fn a_file_that_cannot_be_written_leaves_the_token_good() {
    let place = Place::new("");
    let gate = place.start();
    for spoil in [
        |place: &Place| fs::set_permissions(place.keys_file(), Permissions::from_mode(0o666)).unwrap(),
        |place: &Place| fs::remove_file(place.keys_file()).unwrap(),
        |place: &Place| fs::create_dir(place.keys_file()).unwrap(),
    ] {
        spoil(&place);
        assert!(matches!(ask(&gate, 1), Err(NotEnrolled::Failed(..))));
        assert!(!is_known(&gate, 1) && !place.spent_file().exists());
    }
    fs::remove_dir(place.keys_file()).unwrap();
    place.write("");
    ask(&gate, 1).unwrap();
}

#[test]
fn a_file_with_a_line_nobody_understands_is_left_as_it_is() {
    let place = Place::new(&format!("{}\n", line(7)));
    let gate = place.start();
    let unknown = format!("permit=\"view\" {}\n", line(8));
    for bad in ["garbage", "ed25519 AAAA\n", &format!("{0}\n{0}\n", line(3)), &unknown] {
        place.write(bad);
        assert!(matches!(ask(&gate, 1), Err(NotEnrolled::Failed(..))), "{bad}");
        assert_eq!(place.keys(), *bad);
        assert!(!is_known(&gate, 1) && is_known(&gate, 7));
    }
    place.write("");
    ask(&gate, 1).unwrap();
}

#[test]
fn a_key_the_file_has_no_room_for_is_taken_back() {
    // With one more line the file is refused whole, and everybody in it would be locked out.
    let most = usize::try_from(KEYRING_FILE_BYTES_MAX).unwrap();
    let place = Place::new(&"#\n".repeat(most / 2));
    let gate = place.start();
    assert!(matches!(ask(&gate, 1), Err(NotEnrolled::Failed(..))));
    assert_eq!(place.keys().len(), most);
    assert!(!is_known(&gate, 1));
    place.write("");
    ask(&gate, 1).unwrap();
}

#[test]
fn a_token_that_cannot_be_spent_lets_nobody_in() {
    let place = Place::new("# keys");
    let gate = place.start();
    fs::create_dir(place.spent_file()).unwrap();
    assert!(matches!(ask(&gate, 1), Err(NotEnrolled::Failed(..))));
    assert_eq!(place.keys(), "# keys");
    assert!(!is_known(&gate, 1));
    fs::remove_dir(place.spent_file()).unwrap();
    ask(&gate, 1).unwrap();
    assert_eq!(place.keys(), format!("# keys\n{}\n", line(1)));
}

#[test]
fn a_key_in_force_is_taken_back_when_its_token_cannot_be_spent() {
    let place = Place::new(&line(7));
    let gate = place.start();
    let terms = Terms::new(place.terms(TOKEN).unwrap());
    let (mut keys, mut spent) = (terms.open_keys().ok().unwrap(), terms.open_spent().ok().unwrap());
    fs::write(place.spent_file(), "somebody writes here without asking\n").unwrap();
    let why = terms.let_in(&gate, peer(), &public(1), &mut keys, &mut spent).unwrap_err();
    let NotEnrolled::Failed(_, trouble) = why else { panic!("{why:?}") };
    assert!(matches!(*trouble, Trouble::Lines(_, NotAdded::Changed)), "{trouble}");
    assert_eq!(place.keys(), line(7));
    assert!(!is_known(&gate, 1) && is_known(&gate, 7));
    drop((keys, spent));
    ask(&gate, 1).unwrap();
}

#[test]
fn a_wrong_token_or_a_bad_key_changes_nothing() {
    let place = Place::new("");
    let gate = place.start();
    let ask = |number: u8, token: &str, key: &str| {
        gate.enrollment.enroll(&gate, [192, 0, 2, number].into(), token.as_bytes(), key)
    };
    for token in ["", "enrollment-token", "Enrollment-token-0123456789", "enrollment-token-0123456789x"] {
        assert!(matches!(ask(1, token, &base64(1)), Err(NotEnrolled::WrongToken)), "{token}");
    }
    let good = base64(1);
    for (key, why) in [
        (good.trim_end_matches('='), BadPublicKey::Base64),
        (&good.replace('=', "*"), BadPublicKey::Base64),
        (&format!(" {good}"), BadPublicKey::Base64),
        ("", BadPublicKey::Length(0)),
        ("AAAA", BadPublicKey::Length(3)),
        (&BASE64.encode(&[1; 33]), BadPublicKey::Length(33)),
        (&BASE64.encode(&[0; 32]), BadPublicKey::Key(crate::auth::key::BadKey::SmallOrder)),
    ] {
        let refused = ask(2, TOKEN, key).unwrap_err();
        assert!(matches!(refused, NotEnrolled::Key(bad) if bad == why), "{key}: {refused:?}");
    }
    assert_eq!(place.keys(), "");
    assert!(!place.spent_file().exists());
    ask(3, TOKEN, &base64(1)).unwrap();
}

#[test]
fn a_key_that_is_not_good_now_is_no_success_and_spends_nothing() {
    for options in ["expires=\"2001-01-01T00:00:00Z\" ", "from=\"198.51.100.0/24\" "] {
        let place = Place::new(&format!("{options}{}\n", line(1)));
        for gate in [place.start(), place.gate(TOKEN, "")] {
            assert!(matches!(ask(&gate, 1), Err(NotEnrolled::Barred(..))), "{options}");
            assert!(!place.spent_file().exists() || fs::read(place.spent_file()).unwrap().is_empty());
        }
    }
}

#[test]
fn failures_are_counted_apart_and_hide_behind_the_limit() {
    let place = Place::new("");
    let gate = place.start();
    let enrollment = &gate.enrollment;
    for number in 0..FAILURES_PER_PEER_MAX {
        let why = match number % 4 {
            0 => enrollment.enroll(&gate, peer(), b"wrong", &base64(1)).unwrap_err(),
            1 => enrollment.enroll(&gate, peer(), TOKEN.as_bytes(), "!").unwrap_err(),
            2 => enrollment.count(NotEnrolled::Json, peer()),
            _ => enrollment.count(NotEnrolled::Body(crate::http::BodyError::TooLarge(1)), peer()),
        };
        assert!(!matches!(why, NotEnrolled::Throttled(_)), "{number}: {why:?}");
    }
    assert!(matches!(enrollment.check(peer()), Err(NotEnrolled::Throttled(1..))));
    assert!(matches!(ask(&gate, 1), Err(NotEnrolled::Throttled(1..))));
    assert!(matches!(enrollment.count(NotEnrolled::Json, peer()), NotEnrolled::Throttled(1..)));
    let elsewhere = "198.51.100.1".parse().unwrap();
    enrollment.enroll(&gate, elsewhere, TOKEN.as_bytes(), &base64(1)).unwrap();
}

#[test]
fn guesses_that_come_at_once_are_no_more_than_the_limit() {
    let place = Place::new("");
    let gate = place.start();
    let looked_at = thread::scope(|scope| {
        let guess = || gate.enrollment.enroll(&gate, peer(), b"guess", &base64(1)).unwrap_err();
        let guessing: Vec<_> = (0..40).map(|_| scope.spawn(guess)).collect();
        let guesses = guessing.into_iter().map(|guess| guess.join().unwrap());
        guesses.filter(|why| matches!(why, NotEnrolled::WrongToken)).count()
    });
    assert_eq!(looked_at, FAILURES_PER_PEER_MAX);
}

#[test]
fn the_sentence_for_a_caller_names_no_place() {
    let place = Place::new("garbage");
    let gate = place.gate(TOKEN, "");
    let why = ask(&gate, 1).unwrap_err();
    assert!(!why.to_string().contains("keys"), "{why}");
    let NotEnrolled::Failed(_, trouble) = why else { panic!("{why:?}") };
    assert!(trouble.to_string().contains(place.keys_file().to_str().unwrap()), "{trouble}");
}
