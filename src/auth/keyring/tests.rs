//! Files that are read, files that are refused whole, and where and when a key is accepted.

use super::*;
use crate::auth::key::SigningKey;
use crate::secret::Secret;

/// A key of its own for each number.
fn public(number: u16) -> PublicKey {
    let mut seed = [0; 32];
    seed[..2].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_seed(&Secret::new(seed)).public()
}

fn base64(number: u16) -> String {
    BASE64.encode(public(number).as_bytes())
}

fn wire(number: u16) -> String {
    BASE64.encode(&[b"\0\0\0\x0bssh-ed25519\0\0\0\x20", public(number).as_bytes().as_slice()].concat())
}

fn keyring(file: &str) -> Keyring {
    Keyring::parse(file.as_bytes()).unwrap_or_else(|bad| panic!("{bad}"))
}

fn refusal(file: impl AsRef<[u8]>) -> BadKeyring {
    Keyring::parse(file.as_ref()).unwrap_err()
}

#[test]
fn lines_of_every_form_are_read() {
    let file = format!(
        "# a remark\n\n \t\r\ned25519 {}\n  ed25519\t {}   two \t words # and no remark \r\n\
         ssh-ed25519 {} me@host\nallow=\"view\",label=\"a=b c\" \ted25519 {} ci\nmode=\"audit\" ssh-ed25519 {}",
        base64(1),
        base64(2),
        wire(3),
        base64(4),
        wire(5)
    );
    let keyring = keyring(&file);
    assert_eq!(keyring.iter().len(), 5);
    for (number, comment) in [(1, ""), (2, "two words # and no remark"), (3, "me@host"), (4, "ci"), (5, "")] {
        let key = keyring.find(&public(number).id()).unwrap();
        assert_eq!((key.comment.as_str(), &key.public), (comment, &public(number)));
        assert_eq!(keyring.find_public(&public(number)), Some(key));
    }
    assert!(keyring.find(&public(6).id()).is_none() && keyring.find_public(&public(6)).is_none());
    let labelled = keyring.find_public(&public(4)).unwrap();
    assert_eq!(labelled.options.grant.label.as_ref().map(ToString::to_string).as_deref(), Some("a=b c"));
}

#[test]
fn a_file_without_keys_is_a_keyring_without_keys() {
    for file in ["", "\n", "# nobody\n", "\r\n\r\n"] {
        assert_eq!(keyring(file).iter().len(), 0, "{file:?}");
    }
}

#[test]
fn one_bad_line_refuses_the_whole_file_by_its_number() {
    let key = base64(1);
    let short = BASE64.encode(&[7; 31]);
    let neutral = BASE64.encode(&[&[1][..], &[0; 31]].concat());
    let unknown = |name: &str| BadLine::Option(BadOption::Unknown(name.to_owned()));
    for (line, why) in [
        (format!("Ed25519 {key}"), unknown("Ed25519")),
        (format!("ssh-rsa {key}"), unknown("ssh-rsa")),
        (format!("\u{feff}ed25519 {key}"), unknown("\u{feff}ed25519")),
        (format!("restrict ed25519 {key}"), unknown("restrict")),
        (format!("allow=\"view\" mode=\"audit\" ed25519 {key}"), BadLine::Kind),
        (format!("allow=\"view\", ed25519 {key}"), unknown("")),
        ("allow=\"view\"".to_owned(), BadLine::Kind),
        (format!("mode=\"off\" ed25519 {key}"), BadLine::Option(Options::parse("mode=\"off\"").unwrap_err())),
        (format!("allow=\"view ed25519 {key}"), BadLine::Option(BadOption::Unquoted("allow"))),
        ("ed25519".to_owned(), BadLine::NoKey),
        ("ssh-ed25519 ".to_owned(), BadLine::NoKey),
        (format!("ed25519 {}", key.trim_end_matches('=')), BadLine::Base64),
        (format!("ed25519 {}", key.replace(['+', '/'], "-") + "-"), BadLine::Base64),
        (format!("ed25519 {short}"), BadLine::Length),
        (format!("ed25519 {}", wire(1)), BadLine::Length),
        (format!("ssh-ed25519 {key}"), BadLine::Wire),
        (format!("ssh-ed25519 {}", wire(1).replace("C3NzaC1", "C3NzbC1")), BadLine::Wire),
        (format!("ed25519 {neutral}"), BadLine::Key(BadKey::SmallOrder)),
        (format!("ed25519 {key} a\u{7}b"), BadLine::Control),
        (format!("ed25519 {key} a\rb"), BadLine::Control),
        (format!("ed25519 {key} a\u{85}b"), BadLine::Control),
        (format!("ed25519 {}", base64(9)), BadLine::Twice { first: 1 }),
        (format!("ssh-ed25519 {} other words", wire(9)), BadLine::Twice { first: 1 }),
    ] {
        let file = format!("ed25519 {}\n# remark\n{line}\ned25519 {}\n", base64(9), base64(8));
        assert_eq!(refusal(file), BadKeyring::Line { number: 3, why }, "{line}");
    }
    assert_eq!(refusal(b"\n# \xff\n"), BadKeyring::Line { number: 2, why: BadLine::NotUtf8 });
}

#[test]
fn a_refusal_says_where_and_why() {
    let file = format!("ed25519 {0}\n\ned25519 {0}\n", base64(1));
    assert_eq!(refusal(file).to_string(), "line 3: the same key as on line 1");
    let file = format!("allow=\"view\",allow=\"logs\" ed25519 {}", base64(1));
    assert_eq!(refusal(file).to_string(), "line 1: option allow stands twice");
}

#[test]
fn the_limits_are_reached_and_not_passed() {
    let line = format!("ed25519 {} ", base64(1));
    let longest = format!("{line}{}", "x".repeat(KEYRING_LINE_BYTES_MAX - line.len()));
    assert_eq!(keyring(&longest).iter().next().unwrap().comment.as_str().len(), KEY_COMMENT_BYTES_MAX);
    for too_long in [format!("{longest}x"), format!("#{}", " ".repeat(KEYRING_LINE_BYTES_MAX))] {
        assert_eq!(refusal(too_long), BadKeyring::Line { number: 1, why: BadLine::TooLong });
    }
    let count = u16::try_from(KEYRING_KEYS_MAX).unwrap();
    let most: String = (0..count).map(|number| format!("ed25519 {}\n", base64(number))).collect();
    assert_eq!(keyring(&most).iter().len(), KEYRING_KEYS_MAX);
    let one_more = format!("{most}ed25519 {}\n", base64(count));
    let number = KEYRING_KEYS_MAX + 1;
    assert_eq!(refusal(one_more), BadKeyring::Line { number, why: BadLine::TooMany });
    let largest = "#\n".repeat(usize::try_from(KEYRING_FILE_BYTES_MAX / 2).unwrap());
    assert_eq!(keyring(&largest).iter().len(), 0);
    assert_eq!(refusal(format!("{largest}\n")), BadKeyring::TooLarge);
}

#[test]
fn a_written_line_is_read_back() {
    for text in ["", "me", "my-platform:prod", "  two \t words ", "h\u{e9}, \"quoted\" # x", "wide\u{a0}"] {
        let comment = Comment::parse(text).unwrap();
        let line = line(&public(1), &comment);
        let keyring = keyring(&line);
        let key = keyring.iter().next().unwrap();
        assert_eq!((&key.public, &key.comment, &key.options), (&public(1), &comment, &Options::default()));
        assert_eq!(line.trim_ascii(), line);
    }
}

#[test]
fn a_comment_stays_on_its_line() {
    for text in ["a\nb", "a\rb", "\0", "\u{1b}[2J", "\u{9b}"] {
        assert_eq!(Comment::parse(text), Err(BadComment::Control), "{text:?}");
    }
    assert!(Comment::parse(&"x".repeat(KEY_COMMENT_BYTES_MAX)).is_ok());
    assert_eq!(Comment::parse(&"x".repeat(KEY_COMMENT_BYTES_MAX + 1)), Err(BadComment::TooLong));
}

#[test]
fn a_key_is_accepted_from_its_networks_and_until_it_expires() {
    let options = "from=\"10.8.0.0/16\",expires=\"1970-01-01T00:16:40Z\"";
    let keyring = keyring(&format!("{options} ed25519 {}\ned25519 {}", base64(1), base64(2)));
    let (bounded, free) =
        (keyring.find_public(&public(1)).unwrap(), keyring.find_public(&public(2)).unwrap());
    for (peer, now, outcome) in [
        ("10.8.1.1", 999, Ok(())),
        ("::ffff:10.8.1.1", 0, Ok(())),
        ("10.9.1.1", 999, Err(Barred::Address)),
        ("2001:db8::1", 999, Err(Barred::Address)),
        ("10.8.1.1", 1000, Err(Barred::Expired)),
        ("10.9.1.1", 1000, Err(Barred::Expired)),
    ] {
        assert_eq!(bounded.admits(peer.parse().unwrap(), now), outcome, "{peer} {now}");
        assert_eq!(free.admits(peer.parse().unwrap(), now), Ok(()));
    }
}
