//! Signatures made elsewhere hold, what was changed does not, and every refusal has its reason.

use sha2::{Digest, Sha256};

use super::SignatureDenied::{InvalidSignature, Replay, TimestampSkew, UnknownKey};
use super::*;
use crate::auth::key::SigningKey;
use crate::http::{request_head, slots};
use crate::secret::Secret;

const KEYS: &[u8] = b"ed25519 A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg= test\n";
const KEY_ID: &str = "56475aa75463474c";
const NONCE: &str = "000102030405060708090a0b0c0d0e0f";
const AGENT: &str = "agent-1";
const NOW: u64 = 1_700_000_000;
const JSON_SHA256: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// Signatures by OpenSSL with the seed 00 01 … 1f: version, method, target, body, signature.
const MADE_ELSEWHERE: [[&str; 5]; 4] = [
    [
        "",
        "GET",
        "/containers/json",
        "",
        "8Z02wnjoAaODazmo2-zRORpN9eti0yI2AvXDgAkwV1IQm5SWQoIxB-Y6hP0FTtE5h2Xky6GTclI3Rt1UnZccAg",
    ],
    [
        "2",
        "GET",
        "/v1.44/containers/a%2Fb/logs?tail=10&stdout=1",
        "",
        "2ciBvOS1lv8I6-Yo3zrcAJZZtTFg5v_7LJIrCaW2j0TonM6jMamHU-cqtbIh1uJIADJ4nEn9FE4ITEVibJnDBA",
    ],
    [
        "2",
        "POST",
        "/containers/create?name=x",
        "{}",
        "0TFEW7S7_x1ZyX_2OL3nBLj0sSRXagWj1ylwvazK5OrYKQo2G5AKeVqO7Xhb_xpKnxxez7_R0Yb2bJKG6j28Ag",
    ],
    [
        "3",
        "POST",
        "/images/load?quiet=1",
        "{}",
        "YbKTAeGwbN0rC_deq2mg7Aptz2Fn-HiOLn7GGNMYz4nQ4Jo46rNIMiWNMdTt-UfTxzc6vTFmwNZncJIZz6P1Aw",
    ],
];

/// Reads a head; `X-*-` in a field's name stands for the dialect.
fn with_head<R>(start: &str, lines: &str, look: impl FnOnce(&RequestHead<'_>) -> R) -> R {
    let lines = lines.replace("*", "Lookout");
    let head = format!("{start} HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
    look(&request_head(head.as_bytes(), &mut slots()).unwrap())
}

fn window() -> Window {
    let at = Duration::from_secs;
    Window { now: at(NOW), started: at(NOW - 1000), skew_secs: 60 }
}

fn sha256(bytes: &str) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Every field of a signed request but its version.
fn fields(key: &str, timestamp: &str, nonce: &str, signature: &str) -> String {
    format!(
        "X-*-Key-ID: {key}\r\nX-*-Timestamp: {timestamp}\r\nX-*-Nonce: {nonce}\r\nX-*-Signature: {signature}\r\n"
    )
}

fn version(number: &str) -> String {
    match number {
        "" => String::new(),
        "3" => format!("X-*-Signature-Version: 3\r\nX-*-Content-SHA256: {JSON_SHA256}\r\n"),
        _ => format!("X-*-Signature-Version: {number}\r\n"),
    }
}

/// The whole way of a request through the room, without and then with its body.
fn judge(head: &RequestHead<'_>, body: &str, nonces: &Nonces) -> Result<bool, SignatureDenied> {
    let Some(claim) = Claim::parse(head)? else { return Ok(false) };
    let key = claim.precheck(&Keyring::parse(KEYS).unwrap(), nonces, window())?;
    let body = claim.declared_body().unwrap_or_else(|| sha256(body));
    claim.verify(&key.public, head.method, &head.target, &body, AGENT)?;
    claim.spend(key.id, nonces, window())?;
    Ok(true)
}

fn outcome(start: &str, lines: &str, body: &str) -> Result<bool, SignatureDenied> {
    with_head(start, lines, |head| judge(head, body, &Nonces::new(10)))
}

#[test]
fn signatures_made_elsewhere_hold_once_in_both_dialects() {
    for [number, method, target, body, signature] in MADE_ELSEWHERE {
        for dialect in ["Lookout", "portwing"] {
            let lines = fields(KEY_ID, &NOW.to_string(), NONCE, signature) + &version(number);
            let lines = lines.replace('*', dialect);
            with_head(&format!("{method} {target}"), &lines, |head| {
                let nonces = Nonces::new(10);
                assert_eq!(judge(head, body, &nonces), Ok(true), "{number} {target}");
                assert_eq!(judge(head, body, &nonces), Err(Replay), "{number} {target}");
            });
        }
    }
}

#[test]
fn a_signature_holds_for_nothing_but_what_was_signed() {
    for [number, method, target, body, signature] in MADE_ELSEWHERE {
        let now = NOW.to_string();
        let lines = fields(KEY_ID, &now, NONCE, signature) + &version(number);
        let start = format!("{method} {target}");
        let upper = NONCE.to_uppercase();
        for (start, lines, body) in [
            (format!("PUT {target}"), lines.clone(), body),
            (format!("{start}x"), lines.clone(), body),
            (start.replace("GET /", "GET /x/").replace("POST /", "POST /x/"), lines.clone(), body),
            (start.clone(), lines.replace(&now, &(NOW + 1).to_string()), body),
            (start.clone(), lines.replace(NONCE, &NONCE.replace("0f", "1f")), body),
            (start.clone(), lines.replace(NONCE, &upper), body),
            (
                start.clone(),
                lines.replace(JSON_SHA256, &"0".repeat(64)),
                if number == "3" { body } else { "other" },
            ),
        ] {
            assert_eq!(outcome(&start, &lines, body), Err(InvalidSignature), "{start} {lines}");
        }
    }
    let [_, _, _, _, signature] = MADE_ELSEWHERE[1];
    let lines = fields(KEY_ID, &NOW.to_string(), NONCE, signature) + &version("2");
    for target in ["?stdout=1&tail=10", "?tail=10&stdout=1&", "?tail=10", "", "?"] {
        let start = format!("GET /v1.44/containers/a%2Fb/logs{target}");
        assert_eq!(outcome(&start, &lines, ""), Err(InvalidSignature), "{target}");
    }
}

#[test]
fn one_versions_signature_is_no_others() {
    for [number, method, target, body, signature] in MADE_ELSEWHERE {
        for other in ["", "2", "3", "1", "02", "4", "x", "2, 2"] {
            // Versions 1 and 2 sign the same text where a target is a path alone.
            let is_same = other == number || (number.is_empty() && other == "2");
            let lines = fields(KEY_ID, &NOW.to_string(), NONCE, signature) + &version(other);
            let expected = if is_same { Ok(true) } else { Err(InvalidSignature) };
            assert_eq!(outcome(&format!("{method} {target}"), &lines, body), expected, "{number} as {other}");
        }
    }
}

#[test]
fn a_request_for_one_agent_is_nothing_to_another() {
    let [number, method, target, body, signature] = MADE_ELSEWHERE[3];
    let lines = fields(KEY_ID, &NOW.to_string(), NONCE, signature) + &version(number);
    with_head(&format!("{method} {target}"), &lines, |head| {
        let claim = Claim::parse(head).unwrap().unwrap();
        let key = claim.precheck(&Keyring::parse(KEYS).unwrap(), &Nonces::new(1), window()).unwrap();
        assert_eq!(claim.declared_body(), Some(sha256(body)));
        let verify = |audience| claim.verify(&key.public, head.method, &head.target, &sha256(body), audience);
        assert_eq!(verify(AGENT), Ok(()));
        for audience in ["agent-2", "", "agent-1\n"] {
            assert_eq!(verify(audience), Err(InvalidSignature), "{audience:?}");
        }
        let verify = |body| claim.verify(&key.public, head.method, &head.target, &sha256(body), AGENT);
        assert_eq!(verify("another body"), Err(InvalidSignature));
    });
}

/// Signs with the key of [`KEYS`] whatever a version would have signed for `target`.
fn sign(message: &str) -> String {
    let seed = std::array::from_fn(|index| u8::try_from(index).unwrap());
    BASE64URL_NOPAD.encode(&SigningKey::from_seed(&Secret::new(seed)).sign(message.as_bytes()))
}

#[test]
fn version_1_holds_only_where_the_target_is_a_path_alone() {
    for (target, path, expected) in [
        ("/containers/a/logs", "/containers/a/logs", Ok(true)),
        ("/containers/a/logs?", "/containers/a/logs", Err(InvalidSignature)),
        ("/containers/a/logs?force=1", "/containers/a/logs", Err(InvalidSignature)),
        ("/containers/a/logs?force=1", "/containers/a/logs?force=1", Err(InvalidSignature)),
        ("/containers/a%2Flogs", "/containers/a/logs", Err(InvalidSignature)),
        ("/containers/%61/logs", "/containers/a/logs", Err(InvalidSignature)),
        ("/containers/a%2Flogs", "/containers/a%2Flogs", Err(InvalidSignature)),
    ] {
        let (method, seconds) = (Method::Get, i64::try_from(NOW).unwrap());
        let signature = sign(&message(method, path, &sha256(""), seconds, NONCE));
        let lines = fields(KEY_ID, &NOW.to_string(), NONCE, &signature);
        assert_eq!(outcome(&format!("GET {target}"), &lines, ""), expected, "{target} {path}");
    }
}

#[test]
fn a_time_is_signed_as_a_number_until_version_3_signs_its_text() {
    let (method, body, seconds) = (Method::Post, sha256("{}"), i64::try_from(NOW).unwrap());
    for text in [format!("+{NOW}"), format!("00{NOW}")] {
        let number = sign(&message(method, "/x?y", &body, seconds, NONCE));
        let third = |stamp| sign(&message_v3(method, "/x?y", &body, stamp, NONCE, AGENT));
        for (version_number, signature, expected) in [
            ("2", number, Ok(true)),
            ("3", third(&text), Ok(true)),
            ("3", third(&NOW.to_string()), Err(InvalidSignature)),
        ] {
            let lines = fields(KEY_ID, &text, NONCE, &signature) + &version(version_number);
            assert_eq!(outcome("POST /x?y", &lines, "{}"), expected, "{text} {version_number}");
        }
    }
}

#[test]
fn only_a_signature_makes_a_request_signed() {
    let all = fields(KEY_ID, "1", NONCE, "");
    for lines in ["", "X-Lookout-Token: t\r\n", "X-*-Key-ID: a\r\nX-*-Key-ID: b\r\n", &all] {
        assert_eq!(outcome("GET /x", lines, ""), Ok(false), "{lines}");
    }
    for lines in
        ["X-*-Signature: x\r\n", "x-portwing-SIGNATURE: x\r\n", "X-*-Signature:\r\nX-*-Signature: x\r\n"]
    {
        assert_eq!(outcome("GET /x", lines, ""), Err(InvalidSignature), "{lines}");
    }
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    let [_, _, _, _, signature] = MADE_ELSEWHERE[0];
    let good = fields(KEY_ID, &NOW.to_string(), NONCE, signature);
    assert_eq!(outcome("GET /containers/json", &good, ""), Ok(true));
    let mut bad: Vec<String> = good.lines().map(|line| format!("{good}{line}\r\n")).collect();
    bad.extend(good.lines().map(|line| good.replace(line, &line.replace('*', "Portwing"))));
    bad.extend(good.lines().map(|line| good.replace(&format!("{line}\r\n"), "")).take(3));
    bad.extend(["Key-ID", "Timestamp", "Nonce"].map(|name| {
        let line = good.lines().find(|line| line.contains(name)).unwrap();
        good.replace(line, &format!("X-*-{name}:"))
    }));
    for name in ["Signature", "Nonce", "Signature-Version", "Content-SHA256"] {
        bad.push(format!("{good}X-Portwing-{name}:\r\n"));
    }
    bad.push(format!("{good}X-*-Signature-Version:\r\n"));
    assert_eq!(bad.len(), 4 + 4 + 3 + 3 + 4 + 1);
    for lines in bad {
        assert_eq!(outcome("GET /containers/json", &lines, ""), Err(InvalidSignature), "{lines}");
    }
    // A token beside it is not its business.
    assert_eq!(outcome("GET /containers/json", &format!("{good}X-Portwing-Token: t\r\n"), ""), Ok(true));
}

#[test]
fn a_nonce_is_32_hexadecimal_digits_and_a_declared_hash_64_in_lower_case() {
    for nonce in [&NONCE[1..], &format!("{NONCE}0"), &"z".repeat(32), &NONCE.replace("0f", "0\u{e9}"), "x"] {
        let lines = fields("nobody", "never", nonce, "none");
        assert_eq!(outcome("GET /x", &lines, ""), Err(InvalidSignature), "{nonce}");
    }
    let [_, _, _, _, signature] = MADE_ELSEWHERE[3];
    for hash in [&JSON_SHA256[1..], &format!("{JSON_SHA256}0"), &JSON_SHA256.to_uppercase(), "", "x"] {
        let lines = fields("nobody", "never", NONCE, signature) + &version("3").replace(JSON_SHA256, hash);
        assert_eq!(outcome("POST /x", &lines, ""), Err(InvalidSignature), "{hash}");
    }
}

#[test]
fn the_first_thing_wrong_is_the_reason() {
    let now = NOW.to_string();
    let used = Nonces::new(10);
    let id = KeyId::parse(KEY_ID).unwrap();
    used.insert(id, std::array::from_fn(|index| u8::try_from(index).unwrap()), NOW + 61, NOW).unwrap();
    for (key, timestamp, nonce, signature, reason) in [
        ("nobody", "never", "x", "none", InvalidSignature),
        ("nobody", "never", NONCE, "none", UnknownKey),
        ("56475AA75463474C", "never", NONCE, "none", UnknownKey),
        ("56475aa75463474c0", "never", NONCE, "none", UnknownKey),
        ("56475aa75463474d", "never", NONCE, "none", UnknownKey),
        (KEY_ID, "never", NONCE, "none", TimestampSkew),
        (KEY_ID, "1700000061", NONCE, "none", TimestampSkew),
        (KEY_ID, &now, NONCE, "none", Replay),
        (KEY_ID, &now, &NONCE.to_uppercase(), "none", Replay),
        (KEY_ID, &now, &NONCE.replace("0f", "10"), "none", InvalidSignature),
        (KEY_ID, &now, &NONCE.replace("0f", "10"), MADE_ELSEWHERE[0][4], InvalidSignature),
    ] {
        with_head("GET /containers/json", &fields(key, timestamp, nonce, signature), |head| {
            assert_eq!(judge(head, "", &used), Err(reason), "{key} {timestamp} {nonce} {signature}");
        });
    }
}

#[test]
fn a_signature_is_64_bytes_in_base64url_without_padding() {
    let good = MADE_ELSEWHERE[0][4];
    for signature in [
        format!("{good}=="),
        format!("{good}A"),
        good.replace('-', "+").replace('_', "/"),
        // The last digit has two bits to spare, which must be zero.
        format!("{}h", &good[..85]),
        good[..85].to_owned(),
        HEXLOWER.encode(&[7; 64]),
    ] {
        let lines = fields(KEY_ID, &NOW.to_string(), NONCE, &signature);
        assert_eq!(outcome("GET /containers/json", &lines, ""), Err(InvalidSignature), "{signature}");
    }
}

/// What the checks before the body say of a stamp at some milliseconds, in a process begun then.
fn stamped(text: &str, now_millis: u64, started_millis: u64) -> Result<(), SignatureDenied> {
    let window = Window {
        now: Duration::from_millis(now_millis),
        started: Duration::from_millis(started_millis),
        skew_secs: 60,
    };
    with_head("GET /containers/json", &fields(KEY_ID, text, NONCE, MADE_ELSEWHERE[0][4]), |head| {
        let claim = Claim::parse(head).unwrap().unwrap();
        claim.precheck(&Keyring::parse(KEYS).unwrap(), &Nonces::new(1), window).map(|_| ())
    })
}

#[test]
fn a_stamp_lies_within_the_window_and_not_before_the_process() {
    for (text, now, started, is_good) in [
        ("1000", 1_060_000, 0, true),
        ("1000", 1_060_001, 0, false),
        ("1000", 940_000, 0, true),
        ("1000", 939_999, 0, false),
        ("1000", 1_010_000, 1_000_000, true),
        ("1000", 1_010_000, 1_000_001, false),
        ("1001", 1_000_700, 1_000_001, true),
        ("-1", 0, 0, false),
        ("-9223372036854775808", 0, 0, false),
        ("9223372036854775807", 0, 0, false),
        ("9223372036854775808", 0, 0, false),
        ("1000.0", 1_000_000, 0, false),
        ("1e3", 1_000_000, 0, false),
        ("+", 1_000_000, 0, false),
        ("1 000", 1_000_000, 0, false),
    ] {
        let expected = if is_good { Ok(()) } else { Err(TimestampSkew) };
        assert_eq!(stamped(text, now, started), expected, "{text} {now} {started}");
    }
}

#[test]
fn a_request_stamped_ahead_is_a_replay_for_as_long_as_its_stamp_is_good() {
    let (nonces, keyring) = (Nonces::new(10), Keyring::parse(KEYS).unwrap());
    let at =
        |millis| Window { now: Duration::from_secs(NOW - 59) + Duration::from_millis(millis), ..window() };
    let id = KeyId::parse(KEY_ID).unwrap();
    with_head("GET /containers/json", &fields(KEY_ID, &NOW.to_string(), NONCE, "none"), |head| {
        let claim = Claim::parse(head).unwrap().unwrap();
        assert_eq!(claim.spend(id, &nonces, at(0)), Ok(()));
        for (millis, reason) in
            [(60_000, Replay), (61_000, Replay), (119_000, Replay), (119_001, TimestampSkew)]
        {
            // Another request makes the table forget whatever it may.
            let now = at(millis).now.as_secs();
            let _ = nonces.insert(id, u128::from(millis).to_be_bytes(), now + 1, now);
            assert_eq!(claim.precheck(&keyring, &nonces, at(millis)).unwrap_err(), reason, "{millis}");
            assert!(claim.spend(id, &nonces, at(millis)).is_err(), "{millis}");
        }
    });
}

#[test]
fn a_refused_nonce_has_a_reason_of_the_four() {
    for (refused, reason) in
        [(Refused::Replay, "replay"), (Refused::Full, "replay"), (Refused::Late, "timestamp-skew")]
    {
        assert_eq!(SignatureDenied::from(refused).as_str(), reason);
    }
    assert_eq!(
        [UnknownKey, InvalidSignature].map(SignatureDenied::as_str),
        ["unknown-key", "invalid-signature"]
    );
}

#[test]
fn the_distance_of_a_stamp_is_told() {
    with_head("GET /x", &fields(KEY_ID, &(NOW + 31).to_string(), NONCE, "none"), |head| {
        let claim = Claim::parse(head).unwrap().unwrap();
        assert_eq!(
            (claim.key_id(), claim.skew(window())),
            (KeyId::parse(KEY_ID), Some(Duration::from_secs(31)))
        );
    });
}
