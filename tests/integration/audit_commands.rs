//! `lookout audit`: what it says of trails that tests write line by line, whole and not.
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

use crate::agent::{BINARY, Ended, run};
use crate::engine::Home;
use crate::patience::PATIENCE;

/// Writes a trail as the agent does.
struct Trail {
    seq: u64,
    prev: String,
    lines: Vec<String>,
}

impl Trail {
    fn new() -> Self {
        Self { seq: 0, prev: "0".repeat(64), lines: Vec::new() }
    }

    /// A record with these members behind its event.
    fn record(&mut self, event: &str, members: &str) {
        self.seq += 1;
        let time = format!("2026-01-15T10:{:02}:{:02}.000000001Z", self.seq / 60, self.seq % 60);
        let open = format!(
            r#"{{"time":"{time}","level":"INFO","msg":"","event":"{event}"{members},"seq":{},"prev":"{}""#,
            self.seq, self.prev
        );
        self.prev = HEXLOWER.encode(&Sha256::digest(&open));
        self.lines.push(format!("{open},\"hash\":\"{}\"}}\n", self.prev));
    }

    fn request(&mut self, actor: &str, path: &str, outcome: &str, more: &str) {
        let members = format!(
            r#","actor":"{actor}","method":"GET","path":"{path}","outcome":"{outcome}","status":200,"duration_ms":1.5{more}"#
        );
        self.record("api_request", &members);
    }

    fn checkpoint(&mut self, key: &SigningKey) {
        let message = format!("LOOKOUT-AUDIT-V1\n{}\n{}", self.seq + 1, self.prev);
        let signature = BASE64URL_NOPAD.encode(&key.sign(message.as_bytes()).to_bytes());
        self.record("checkpoint", &format!(r#","key":"{}","signature":"{signature}""#, public(key)));
    }

    fn head(&self) -> String {
        format!("{}:{}", self.seq, self.prev)
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(key: &SigningKey) -> String {
    BASE64.encode(key.verifying_key().as_bytes())
}

/// Eleven records, the eighth a checkpoint.
fn eleven() -> Trail {
    let mut trail = Trail::new();
    trail.record("start", r#","version":"1""#);
    for at in 2..8 {
        trail.request("203.0.113.9", &format!("/containers/{at}/json"), "allowed", "");
    }
    trail.checkpoint(&key(1));
    for at in 9..12 {
        trail.request("203.0.113.9", &format!("/containers/{at}/json"), "allowed", "");
    }
    trail
}

fn write(home: &Home, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = home.path(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn audit(arguments: &[&str]) -> Ended {
    run(&[&["audit"], arguments].concat(), &[])
}

/// What verification says, and the code it ends with.
fn verify(arguments: &[&str]) -> (Option<i32>, String) {
    let ended = audit(&[&["verify"], arguments].concat());
    (ended.code, ended.words())
}

fn expect_broken(arguments: &[&str], says: &str) {
    let (code, told) = verify(arguments);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("broken: ") && told.contains(says), "{says}: {told}");
    assert!(!told.contains("whole"), "{told}");
}

#[test]
fn a_whole_trail_is_whole_and_what_that_does_not_prove_is_told() {
    let (home, trail) = (Home::new(), eleven());
    let path = write(&home, "trail", trail.lines.concat());
    let (code, told) = verify(&[&path]);
    assert_eq!(code, Some(0), "{told}");
    for part in [
        "whole: 11 records, 1 to 11\n".to_owned(),
        format!("head: {}\n", trail.head()),
        format!("signed with: {}\n", public(&key(1))),
        "not proven:\n  that the agent's key signed it: say with --key".to_owned(),
        "who wrote the last 3 records".to_owned(),
        "that nothing was cut off at the end: say with --head".to_owned(),
        "that root on that host did not write it anew".to_owned(),
    ] {
        assert!(told.contains(&part), "{part}: {told}");
    }
    let (code, told) = verify(&[&path, "--key", &public(&key(1)), "--head", &trail.head()]);
    assert_eq!(code, Some(0), "{told}");
    assert!(!told.contains("--key") && !told.contains("--head"), "{told}");
    let early = format!("4:{}", &trail.lines[3][trail.lines[3].len() - 67..trail.lines[3].len() - 3]);
    let (code, told) = verify(&[&path, "--head", &early]);
    assert!(code == Some(0) && told.contains("only 4 was exported"), "{told}");
}

#[test]
fn the_first_bad_line_is_named_with_what_became_of_it() {
    let home = Home::new();
    let lines = eleven().lines;
    let path = |name: &str, lines: &[String]| write(&home, name, lines.concat());
    let mut changed = lines.clone();
    changed[4] = changed[4].replace("allowed", "denied");
    expect_broken(&[&path("changed", &changed)], "/changed line 5, record 5: it was changed");
    let mut missing = lines.clone();
    missing.remove(4);
    expect_broken(&[&path("missing", &missing)], "/missing line 5, record 6: record 5 is missing before it");
    let mut swapped = lines.clone();
    swapped.swap(4, 5);
    expect_broken(&[&path("swapped", &swapped)], "/swapped line 5, record 6: it does not stand where");
    let mut torn = lines.clone();
    torn[10].truncate(90);
    expect_broken(&[&path("torn", &torn)], "/torn line 11, record 11: it is cut");
    let unchained =
        "{\"time\":\"2026-01-15T10:00:00Z\",\"level\":\"INFO\",\"msg\":\"\",\"event\":\"start\"}\n";
    expect_broken(
        &[&write(&home, "unchained", unchained)],
        "/unchained line 1, record 1: the records are in no chain",
    );
    // Nothing but a head from elsewhere tells of an end that was cut off.
    let cut = path("cut", &lines[..9]);
    assert_eq!(verify(&[&cut]).0, Some(0));
    expect_broken(
        &[&cut, "--head", &eleven().head()],
        "records 10 to 11 were cut off at the end: 11 was exported",
    );
    let other = format!("9:{}", "a".repeat(64));
    expect_broken(&[&cut, "--head", &other], "/cut line 9, record 9: it was changed, or is not the one");
    let late = path("late", &lines[5..]);
    expect_broken(&[&late, "--head", &other.replace("9:", "2:")], "record 2, which was exported, is older");
    let (code, told) = verify(&[&late]);
    assert!(code == Some(0) && told.contains("what stood before record 6"), "{told}");
}

#[test]
fn a_signature_counts_only_when_it_is_good_and_of_the_key_that_was_named() {
    let home = Home::new();
    let path = write(&home, "trail", eleven().lines.concat());
    let line = write(&home, "line", format!("ed25519 {} agent\n", public(&key(1))));
    assert_eq!(verify(&[&path, "--key", &line]).0, Some(0));
    let another = format!("/trail line 8, record 8: it is signed with another key: {}", public(&key(1)));
    expect_broken(&[&path, "--key", &public(&key(2))], &another);
    // Whoever writes all of it anew can chain it, and cannot sign it.
    let mut forged = Trail::new();
    forged.record("start", "");
    let signature = BASE64URL_NOPAD.encode(&key(2).sign(b"something else").to_bytes());
    forged.record("checkpoint", &format!(r#","key":"{}","signature":"{signature}""#, public(&key(1))));
    expect_broken(
        &[&write(&home, "forged", forged.lines.concat())],
        "/forged line 2, record 2: its signature is not good",
    );
    let mut unsigned = Trail::new();
    unsigned.record("start", "");
    let (code, told) = verify(&[&write(&home, "unsigned", unsigned.lines.concat())]);
    assert!(code == Some(0) && told.contains("who wrote it: nothing is signed"), "{told}");
    let (code, told) = verify(&[&path, "--key", "no such key"]);
    assert!(code == Some(64) && told.contains("no such key is no key in base64"), "{told}");
    assert_eq!(verify(&[&path, "--head", "11"]).0, Some(64));
    assert_eq!(verify(&[&path, "/no/such/file"]).0, Some(1));
}

#[test]
fn files_are_read_from_the_oldest_on_however_they_are_named() {
    let (home, lines) = (Home::new(), eleven().lines);
    let newest = write(&home, "trail", lines[8..].concat());
    let middle = write(&home, "trail.1", lines[3..8].concat());
    let oldest = write(&home, "trail.2", lines[..3].concat());
    let (code, told) = verify(&[&newest, &middle, &oldest]);
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.starts_with(&format!("files, oldest first: {oldest}, {middle}, {newest}\nwhole: 11 ")),
        "{told}"
    );
    expect_broken(&[&newest, &oldest], "/trail line 1, record 9: records 4 to 8 are missing before it");
    let changed = lines[3..8].concat().replace("/containers/6/", "/containers/7/");
    fs::write(&middle, changed).unwrap();
    expect_broken(&[&newest, &middle, &oldest], "/trail.1 line 3, record 6: it was changed");
    let told = audit(&["query", &newest, &oldest, "--path", "/containers/"]);
    assert_eq!(
        told.stderr,
        format!("lookout audit: read from the oldest to the newest: {oldest}, {newest}\n")
    );
    assert!(told.stdout.starts_with("2026-01-15T10:00:02"), "{}", told.stdout);
}

#[test]
fn the_agents_log_between_the_records_of_stdout_is_told_how_to_take_out() {
    let (home, mut lines) = (Home::new(), eleven().lines);
    lines.insert(1, "{\"time\":\"T\",\"level\":\"INFO\",\"msg\":\"server.listening\"}\n".to_owned());
    let path = write(&home, "stdout", lines.concat());
    expect_broken(&[&path], "grep '\"msg\":\"\",\"event\":'");
    let records: String =
        lines.iter().filter(|line| line.contains("\"msg\":\"\",\"event\":")).map(String::as_str).collect();
    assert_eq!(verify(&[&write(&home, "records", records)]).0, Some(0));
}

#[test]
fn a_query_shows_what_meets_every_condition_and_nothing_acts_on_the_terminal() {
    let (home, mut trail) = (Home::new(), Trail::new());
    trail.record("start", "");
    trail.request("203.0.113.9", "/containers/json", "allowed", r#","key_id":"00112233aabbccdd""#);
    trail.request("::1", "/containers/create", "denied", "");
    trail.request("::1", r"/\u001b[2J", "error", "");
    let path = write(&home, "trail", trail.lines.concat() + "no record\n");
    let found = |conditions: &[&str]| {
        let ended = audit(&[&["query", &path, "--json"], conditions].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.words());
        let lines: Vec<_> = ended.stdout.split_inclusive('\n').map(str::to_owned).collect();
        lines
            .iter()
            .map(|line| trail.lines.iter().position(|known| known == line).unwrap() + 1)
            .collect::<Vec<_>>()
    };
    for (conditions, numbers) in [
        (&[][..], &[1, 2, 3, 4][..]),
        (&["--actor", "::1"], &[3, 4]),
        (&["--event", "start"], &[1]),
        (&["--key", "00112233aabbccdd"], &[2]),
        (&["--path", "/containers/"], &[2, 3]),
        (&["--outcome", "denied", "--actor", "::1"], &[3]),
        (&["--since", "2026-01-15T10:00:03Z", "--until", "2026-01-15T10:00:04Z"], &[3]),
        (&["--since", "2026-01-15"], &[1, 2, 3, 4]),
        (&["--until", "2026-01-15"], &[]),
        (&["--since", "1s"], &[]),
    ] {
        assert_eq!(found(conditions), numbers, "{conditions:?}");
    }
    let words = audit(&["query", &path]);
    assert!(words.stderr.contains("1 lines are no records"), "{}", words.stderr);
    assert!(!words.stdout.contains('\u{1b}') && words.stdout.contains("/\\u{1b}[2J"), "{}", words.stdout);
    assert_eq!(words.stdout.lines().count(), 4);
    assert_eq!(audit(&["query", &path, "--event", "no_such"]).code, Some(64));
    assert_eq!(audit(&["query", "/no/such/file"]).code, Some(1));
}

/// A child that follows a file, and its lines as they come.
struct Follower {
    child: Child,
    lines: Receiver<String>,
}

impl Follower {
    fn start(path: &str) -> Self {
        let mut command = Command::new(BINARY);
        command.args(["audit", "tail", path, "-n", "1", "--follow"]).env_clear();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (stdout, (sender, lines)) = (child.stdout.take().unwrap(), channel());
        thread::spawn(move || {
            let lines = BufReader::<ChildStdout>::new(stdout).lines();
            lines.map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
        Self { child, lines }
    }

    fn expect(&self, ending: &str) {
        let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{ending} did not come"));
        assert!(line.ends_with(ending), "{ending}: {line}");
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn append(path: &str, text: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_tail_shows_the_last_records_and_follows_into_the_file_that_takes_the_place() {
    let (home, lines) = (Home::new(), eleven().lines);
    let path = write(&home, "trail", lines[..4].concat());
    let shown = audit(&["tail", &path, "-n", "2"]).stdout;
    assert!(shown.lines().count() == 2 && shown.ends_with("#4\n"), "{shown}");
    assert_eq!(audit(&["tail", &path]).stdout.lines().count(), 4);
    assert_eq!(audit(&["tail", &path, "-n", "0"]).stdout, "");
    let follower = Follower::start(&path);
    follower.expect("#4");
    // A line that is not whole yet is waited for.
    let (half, rest) = lines[4].split_at(50);
    append(&path, half);
    append(&path, rest);
    follower.expect("#5");
    let aside = format!("{path}.1");
    append(&path, &lines[5]);
    fs::rename(&path, &aside).unwrap();
    append(&aside, &lines[6]);
    append(&path, &lines[7]);
    for ending in ["#6", "#7", "#8"] {
        follower.expect(ending);
    }
    // Cut and begun anew, as others rotate.
    fs::write(&path, "").unwrap();
    append(&path, &lines[8][..1]);
    append(&path, &lines[8][1..]);
    follower.expect("#9");
}

#[test]
fn a_follower_ends_when_nobody_reads_any_more() {
    let (home, lines) = (Home::new(), eleven().lines);
    let path = write(&home, "trail", lines.concat());
    let mut follower = Follower::start(&path);
    follower.expect("#11");
    // The reader's thread ends with its channel, and the pipe with it.
    let (_, nobody) = channel();
    drop(std::mem::replace(&mut follower.lines, nobody));
    append(&path, &lines[0]);
    let status = crate::patience::until("the follower's end", || follower.child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}

#[test]
fn the_chain_in_the_document_is_whole() {
    let page = include_str!("../../docs/audit.md");
    let (_, block) = page.split_once("## Verify it yourself").unwrap();
    let records: String = block.split_inclusive('\n').filter(|line| line.starts_with("{\"time\":")).collect();
    let home = Home::new();
    let (code, told) = verify(&[&write(&home, "sample", &records)]);
    assert!(
        code == Some(0) && told.contains("whole: 4 records, 1 to 4") && told.contains("signatures: 1"),
        "{told}"
    );
    expect_broken(
        &[&write(&home, "bent", records.replace("203.0.113.9", "203.0.113.8"))],
        "record 3: it was changed",
    );
}
