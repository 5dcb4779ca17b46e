//! What a PHC string may look like, and what it may not.

use super::*;

/// Made by another implementation (the reference C library) of "correct horse".
const SPECIMEN: &str =
    "$argon2id$v=19$m=256,t=3,p=2$bG9va291dCBzcGVjaW1lbg$fKSl9crCDubjFx2OX0HSyR1s7eN3FlHuf294GlUG4TI";

fn refusal(text: &str) -> Option<BadPhc> {
    Phc::parse(text).err()
}

/// A string with these costs, salt and hash.
fn phc(costs: &str, salt: usize, hash: usize) -> String {
    let filled = |len| BASE64_NOPAD.encode(&vec![7; len]);
    format!("$argon2id$v=19${costs}${}${}", filled(salt), filled(hash))
}

#[test]
fn a_hash_of_another_implementation_is_verified() {
    let phc = Phc::parse(SPECIMEN).ok().unwrap();
    assert!(phc.verify(b"correct horse"));
    for wrong in [&b"correct horsf"[..], b"correct horse ", b"correct hors", b""] {
        assert!(!phc.verify(wrong));
    }
}

#[test]
fn what_is_made_is_read_again_and_is_never_the_same_twice() {
    let made = Phc::of(b"a token").unwrap();
    assert!(made.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{made}");
    let read = Phc::parse(&made).ok().unwrap();
    assert_eq!((read.salt.len(), read.hash.len()), (16, 32));
    assert_eq!(read.to_string(), made);
    assert!(read.verify(b"a token") && !read.verify(b"a tokem"));
    assert_ne!(Phc::of(b"a token").unwrap(), made);
}

#[test]
fn parameters_may_stand_in_any_order() {
    for costs in ["m=64,t=2,p=1", "p=1,t=2,m=64", "t=2,m=64,p=1"] {
        let read = Phc::parse(&phc(costs, 16, 32)).ok().unwrap();
        assert_eq!((read.costs.memory_kib, read.costs.passes, read.costs.lanes), (64, 2, 1));
    }
}

#[test]
fn every_bound_itself_is_accepted() {
    for (costs, salt, hash) in [
        ("m=8,t=1,p=1", 8, 16),
        ("m=1048576,t=64,p=16", 64, 64),
        ("m=128,t=1,p=16", 16, 32),
        ("m=19456,t=2,p=1", 16, 32),
    ] {
        assert_eq!(refusal(&phc(costs, salt, hash)), None, "{costs}");
    }
    let longest = phc("m=1048576,t=64,p=16", 64, 64);
    assert!(longest.len() < PHC_BYTES_MAX);
}

#[test]
fn parameters_beyond_their_bounds_are_refused_by_name() {
    for (costs, why) in [
        ("m=1048577,t=2,p=1", BadPhc::Memory),
        ("m=7,t=2,p=1", BadPhc::Memory),
        ("m=127,t=2,p=16", BadPhc::Memory),
        ("m=4294967297,t=2,p=1", BadPhc::Memory),
        ("m=18446744073709551617,t=2,p=1", BadPhc::Memory),
        ("m=0,t=2,p=1", BadPhc::Memory),
        ("m=64,t=0,p=1", BadPhc::Passes),
        ("m=64,t=65,p=1", BadPhc::Passes),
        ("m=64,t=4294967297,p=1", BadPhc::Passes),
        ("m=64,t=2,p=0", BadPhc::Lanes),
        ("m=1024,t=2,p=17", BadPhc::Lanes),
        ("m=64,t=2,p=4294967297", BadPhc::Lanes),
    ] {
        assert_eq!(refusal(&phc(costs, 16, 32)), Some(why), "{costs}");
    }
}

#[test]
fn parameters_that_are_not_m_t_and_p_once_each_are_refused() {
    for costs in [
        "",
        ",",
        "m=64",
        "m=64,t=2",
        "m=64,t=2,p=1,",
        ",m=64,t=2,p=1",
        "m=64,t=2,p=1,p=1",
        "m=64,m=64,t=2,p=1",
        "m=64,m=64,t=2",
        "m=64,t=2,q=1",
        "m=64,t=2,P=1",
        "m=64,t=2,p",
        "m=64,t=2, p=1",
        "m=64,t=2,p=1,keyid=AAAA",
    ] {
        assert_eq!(refusal(&phc(costs, 16, 32)), Some(BadPhc::Parameters), "{costs}");
    }
}

#[test]
fn numbers_are_written_in_one_way() {
    for (costs, name) in [
        ("m=064,t=2,p=1", 'm'),
        ("m=+64,t=2,p=1", 'm'),
        ("m=-64,t=2,p=1", 'm'),
        ("m=6_4,t=2,p=1", 'm'),
        ("m=0x40,t=2,p=1", 'm'),
        ("m=64,t=,p=1", 't'),
        ("m=64,t=2 ,p=1", 't'),
        ("m=64,t=2,p=01", 'p'),
        ("m=64,t=2,p=00", 'p'),
        ("m=64,t=2,p=1=1", 'p'),
        ("m=64,t=2,p=١", 'p'),
    ] {
        assert_eq!(refusal(&phc(costs, 16, 32)), Some(BadPhc::Number(name)), "{costs}");
    }
}

#[test]
fn salt_and_hash_have_bounds_and_one_way_of_being_written() {
    for (salt, hash, why) in [
        (7, 32, BadPhc::SaltLength),
        (65, 32, BadPhc::SaltLength),
        (0, 32, BadPhc::SaltLength),
        (16, 15, BadPhc::HashLength),
        (16, 65, BadPhc::HashLength),
        (16, 0, BadPhc::HashLength),
    ] {
        assert_eq!(refusal(&phc("m=64,t=2,p=1", salt, hash)), Some(why), "{salt} {hash}");
    }
    let good = "AAAAAAAAAAAAAAAAAAAAAA";
    for bad in [
        "AAAAAAAAAAAAAAAAAAAAAA==",
        "AAAAAAAAAAAAAAAAAAAAAB",
        "AAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAA-_",
        "AAAAAAAAAAA AAAAAAAAAAA",
        "AAAAAAAAAAA\nAAAAAAAAAAA",
    ] {
        let text = |salt, hash| format!("$argon2id$v=19$m=64,t=2,p=1${salt}${hash}");
        assert_eq!(refusal(&text(good, good)), None);
        assert_eq!(refusal(&text(bad, good)), Some(BadPhc::Salt), "{bad}");
        assert_eq!(refusal(&text(good, bad)), Some(BadPhc::Hash), "{bad}");
    }
}

#[test]
fn what_is_not_an_argon2id_string_is_refused_by_what_it_lacks() {
    let good = phc("m=64,t=2,p=1", 16, 32);
    for (text, why) in [
        ("", BadPhc::Fields),
        ("=19=64,t=2,p=1", BadPhc::Fields),
        (good.trim_start_matches('$'), BadPhc::Fields),
        (&format!("x{good}"), BadPhc::Fields),
        (&format!("{good}$"), BadPhc::Fields),
        (&format!("${good}"), BadPhc::Fields),
        (&good.replace("argon2id", "argon2i"), BadPhc::Algorithm),
        (&good.replace("argon2id", "Argon2id"), BadPhc::Algorithm),
        (&good.replace("v=19", "v=16"), BadPhc::Version),
        (&good.replace("v=19", "v=0x13"), BadPhc::Version),
        (&good.replace("v=19", "v=019"), BadPhc::Version),
        (&format!("{good}{}", "A".repeat(PHC_BYTES_MAX)), BadPhc::TooLong),
    ] {
        assert_eq!(refusal(text), Some(why), "{text}");
    }
}

#[test]
fn whatever_is_accepted_is_the_one_way_of_writing_it() {
    let good = phc("m=1234,t=10,p=12", 17, 33);
    let mut accepted = 0;
    for at in 0..good.len() {
        for sign in "$,=+-/ _.0129AZaz\u{0}\u{e4}".chars() {
            for rest in [&good[at..], &good[at + 1..]] {
                let bent = format!("{}{sign}{rest}", &good[..at]);
                if let Ok(read) = Phc::parse(&bent) {
                    assert_eq!(read.to_string(), bent);
                    accepted += 1;
                }
            }
        }
    }
    assert!(accepted > 100, "{accepted}");
}
