//! What keygen and cert print and write: parseable output, files for their owner alone, nothing overwritten.
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::agent::{Ended, run};
use crate::engine::Home;
use crate::signer::file;

fn made(arguments: &[&str]) -> Ended {
    let ended = run(arguments, &[]);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.words());
    ended
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The files of a directory are for their owner alone, and so is the directory.
fn expect_private(dir: &Path, files: &[&str]) {
    assert_eq!(names(dir), files);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(dir), 0o700);
    for name in files {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }
}

#[test]
fn keygen_prints_a_private_key_and_then_its_line() {
    let home = Home::new();
    for (arguments, comment) in [
        (&["keygen"][..], ""),
        (&["keygen", "--comment", "platform:prod  eu "], " platform:prod eu"),
        (&["keygen", "--comment=ci"], " ci"),
    ] {
        let ended = made(arguments);
        let lines: Vec<_> = ended.stdout.lines().collect();
        assert_eq!(lines.len(), 4, "{}", ended.stdout);
        assert_eq!((lines[0], lines[2]), ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"));
        assert!(lines[3].starts_with("ed25519 ") && lines[3].ends_with(comment), "{}", lines[3]);
        assert!(!ended.stderr.contains(lines[1]) && ended.stderr.contains("0600"), "{}", ended.stderr);
        // The whole output is a key file: what follows the key is passed over.
        let path = file(&home, "key", &ended.stdout);
        let again = made(&["keygen", "--pub-from", &path, "--comment", comment.trim()]);
        assert_eq!((again.stdout.trim_end(), again.stderr.as_str()), (lines[3], ""));
    }
    assert_ne!(made(&["keygen"]).stdout, made(&["keygen"]).stdout);
}

#[test]
fn keygen_writes_three_private_files_and_never_over_others() {
    let home = Home::new();
    let dir = home.path("client/keys");
    let out = dir.to_str().unwrap();
    let ended = made(&["keygen", "--comment", "ci", "--out", out]);
    let files = ["authorized_key", "cert.pem", "key.pem"];
    expect_private(&dir, &files);
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    assert_eq!(read("authorized_key"), ended.stdout);
    assert!(read("key.pem").starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(read("cert.pem").starts_with("-----BEGIN CERTIFICATE-----\n"));
    let key = read("key.pem");
    assert!(!ended.words().contains(key.lines().nth(1).unwrap()), "the private key was printed");
    let told = made(&["keygen", "--pub-from", &format!("{out}/key.pem"), "--comment", "ci"]);
    assert_eq!(told.stdout, read("authorized_key"));
    let before = files.map(read);
    for missing in ["", "key.pem", "cert.pem"] {
        if !missing.is_empty() {
            fs::rename(dir.join(missing), home.path("aside")).unwrap();
        }
        let ended = run(&["keygen", "--out", out], &[]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{}", ended.words());
        assert!(ended.stderr.contains("is not overwritten"), "{}", ended.stderr);
        if !missing.is_empty() {
            assert!(!dir.join(missing).exists(), "half of a set was made");
            fs::rename(home.path("aside"), dir.join(missing)).unwrap();
        }
        assert_eq!(files.map(read), before);
    }
}

#[test]
fn keygen_says_what_is_wrong_with_a_key_file() {
    let home = Home::new();
    let good = made(&["keygen"]).stdout;
    let loose = file(&home, "loose", &good);
    fs::set_permissions(&loose, fs::Permissions::from_mode(0o644)).unwrap();
    let writable = file(&home, "writable", &good);
    fs::set_permissions(&writable, fs::Permissions::from_mode(0o620)).unwrap();
    for path in [
        loose,
        writable,
        file(&home, "empty", ""),
        file(&home, "words", "hello\n"),
        file(&home, "kind", good.replace("PRIVATE KEY", "EC PRIVATE KEY")),
        file(&home, "rsa", include_str!("specimens/clients/p256-key.pem")),
        file(&home, "cut", good.replacen("MC4CAQ", "MC4C", 1)),
        home.path("missing").to_str().unwrap().to_owned(),
        home.path("").to_str().unwrap().to_owned(),
    ] {
        let ended = run(&["keygen", "--pub-from", &path], &[]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{path}: {}", ended.words());
        assert!(ended.stderr.starts_with("lookout keygen: "), "{path}: {}", ended.stderr);
    }
}

#[test]
fn arguments_that_mean_nothing_end_with_64() {
    for arguments in [
        &["keygen", "--comment", "a\nb"][..],
        &["keygen", "--comment", "a\u{1b}b"],
        &["keygen", "--days", "3"],
        &["keygen", "--out", "a", "--pub-from", "b"],
        &["keygen", "extra"],
        &["cert"],
        &["cert", "--host", "a b"],
        &["cert", "--host", "https://a"],
        &["cert", "--host", "a", "--days", "0"],
        &["cert", "--host", "a", "--days", "36501"],
        &["hash-token", "the-token"],
    ] {
        let ended = run(arguments, &[]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{arguments:?}: {}", ended.words());
        assert!(!ended.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn cert_prints_a_pair_or_writes_it_with_the_variables_that_name_it() {
    let home = Home::new();
    let printed = made(&["cert", "--host", "agent.example", "--host", "192.0.2.1"]).stdout;
    let [cert, key] =
        ["CERTIFICATE", "PRIVATE KEY"].map(|kind| printed.find(&format!("-----BEGIN {kind}-----")));
    assert!(cert == Some(0) && key > cert, "{printed}");
    let dir = home.path("tls");
    let out = dir.to_str().unwrap();
    let ended = made(&["cert", "--host", "localhost", "--days", "30", "--out", out]);
    expect_private(&dir, &["cert.pem", "key.pem"]);
    assert_eq!(ended.stdout, format!("TLS_CERT={out}/cert.pem\nTLS_KEY={out}/key.pem\n"));
    assert!(!ended.words().contains("-----BEGIN"), "{}", ended.words());
    let before = fs::read(dir.join("cert.pem")).unwrap();
    let again = run(&["cert", "--host", "localhost", "--out", out], &[]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(1), ""), "{}", again.words());
    assert!(again.stderr.contains("is not overwritten"), "{}", again.stderr);
    assert_eq!(fs::read(dir.join("cert.pem")).unwrap(), before);
}
