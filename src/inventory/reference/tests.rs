//! References against the grammar of the distribution project, its limits, and its completion.

use super::*;

const HASH: &str = "de3e89b0376e7eeafc51d47bef8201a7c2eaab1023fe31c902735fdc3c9d7677";

fn parse(text: &str) -> Result<Reference, BadReference> {
    Reference::parse(&text.replace('#', &format!("@sha256:{HASH}")))
}

fn refused(text: &str) -> BadReference {
    parse(text).map(|good| good.to_string()).expect_err(text)
}

#[test]
fn a_reference_is_completed_as_the_engine_completes_it() {
    for (text, registry, path, canonical) in [
        ("nginx", "docker.io", "nginx", "docker.io/library/nginx"),
        ("nginx:1.27", "docker.io", "nginx", "docker.io/library/nginx:1.27"),
        ("library/redis:7", "docker.io", "library/redis", "docker.io/library/redis:7"),
        ("docker.io/nginx", "docker.io", "nginx", "docker.io/library/nginx"),
        ("docker.io/library/nginx", "docker.io", "library/nginx", "docker.io/library/nginx"),
        ("docker.io/library/a/b", "docker.io", "library/a/b", "docker.io/library/a/b"),
        ("index.docker.io/nginx", "docker.io", "nginx", "docker.io/library/nginx"),
        ("index.docker.io/a/b:c", "docker.io", "a/b", "docker.io/a/b:c"),
        ("acme/web", "docker.io", "acme/web", "docker.io/acme/web"),
        ("ghcr.io/acme/web:v1.2", "ghcr.io", "acme/web", "ghcr.io/acme/web:v1.2"),
        ("ghcr.io/web", "ghcr.io", "web", "ghcr.io/web"),
        ("a-b.example.com/x/y/z", "a-b.example.com", "x/y/z", "a-b.example.com/x/y/z"),
        ("host:5000/web", "host:5000", "web", "host:5000/web"),
        ("host:5000/web:5000", "host:5000", "web", "host:5000/web:5000"),
        ("localhost/web", "localhost", "web", "localhost/web"),
        ("localhost:5000/a/b:c", "localhost:5000", "a/b", "localhost:5000/a/b:c"),
        ("127.0.0.1:8000/web", "127.0.0.1:8000", "web", "127.0.0.1:8000/web"),
        ("[::1]:5000/web:1", "[::1]:5000", "web", "[::1]:5000/web:1"),
        ("[fc00:1:2:3:4:5:6:7]/web", "[fc00:1:2:3:4:5:6:7]", "web", "[fc00:1:2:3:4:5:6:7]/web"),
        ("xn--n3h.com/web", "xn--n3h.com", "web", "xn--n3h.com/web"),
        // Only a registry may be written in capitals, so that is what the first word is.
        ("Docker/web", "Docker", "web", "Docker/web"),
        ("EXAMPLE.com:80/web", "EXAMPLE.com:80", "web", "EXAMPLE.com:80/web"),
        ("DOCKER.IO/web", "DOCKER.IO", "web", "DOCKER.IO/web"),
        // A host nobody could have, which makes it part of the path.
        ("my_host.lan/web", "docker.io", "my_host.lan/web", "docker.io/my_host.lan/web"),
        // One word is never a registry.
        ("example.com", "docker.io", "example.com", "docker.io/library/example.com"),
        ("example.com:5000", "docker.io", "example.com", "docker.io/library/example.com:5000"),
        ("192.168.1.1:80", "docker.io", "192.168.1.1", "docker.io/library/192.168.1.1:80"),
        ("localhost:5000", "docker.io", "localhost", "docker.io/library/localhost:5000"),
    ] {
        let reference = parse(text).expect(text);
        assert_eq!((reference.registry(), reference.path()), (registry, path), "{text}");
        assert_eq!(reference.to_string(), canonical, "{text}");
        let again = parse(canonical).expect(canonical);
        assert_eq!(again.to_string(), canonical, "what is canonical stays so");
        assert!(reference.is_of_same_repository(&again));
    }
}

#[test]
fn tags_and_digests_are_told_apart() {
    let digest = format!("sha256:{HASH}");
    for (text, tag, has_digest) in [
        ("web", None, false),
        ("web:1", Some("1"), false),
        ("web#", None, true),
        ("web:1#", Some("1"), true),
        ("host:5000/web#", None, true),
        ("host:5000/a/web:x_Y.z-1#", Some("x_Y.z-1"), true),
        ("web:_", Some("_"), false),
    ] {
        let reference = parse(text).expect(text);
        let expected = has_digest.then_some(digest.as_str());
        assert_eq!((reference.tag(), reference.digest()), (tag, expected), "{text}");
    }
    for (algorithm, length) in [("sha256", 64), ("sha384", 96), ("sha512", 128)] {
        let digest = format!("{algorithm}:{}", "a".repeat(length));
        assert_eq!(parse(&format!("web@{digest}")).unwrap().digest(), Some(digest.as_str()));
    }
}

#[test]
fn what_follows_no_grammar_is_refused() {
    for (text, why) in [
        ("", BadReference::Empty),
        (":", BadReference::Path),
        (":tag", BadReference::Path),
        ("#", BadReference::Path),
        ("/", BadReference::Path),
        ("/web", BadReference::Path),
        ("web/", BadReference::Path),
        ("a//b", BadReference::Path),
        ("docker.io/", BadReference::Path),
        ("-web", BadReference::Path),
        ("web-", BadReference::Path),
        (".web", BadReference::Path),
        ("a..b", BadReference::Path),
        ("a._b", BadReference::Path),
        ("a___b", BadReference::Path),
        ("a/_b", BadReference::Path),
        ("a b", BadReference::Path),
        ("a\nb", BadReference::Path),
        ("caf\u{e9}", BadReference::Path),
        ("https://example.com/web", BadReference::Tag),
        ("-host.com/web", BadReference::Path),
        ("fc00::1:5000/web", BadReference::Tag),
        ("[::1]", BadReference::Path),
        ("[::1]:5000", BadReference::Path),
        ("[]/web", BadReference::Path),
        ("[fe80::1%eth0]/web", BadReference::Path),
        ("[::1]x/web", BadReference::Path),
        ("[::1]:/web", BadReference::Path),
        ("host:/web", BadReference::Tag),
        ("host:port/web", BadReference::Tag),
        ("a/b:c/d", BadReference::Tag),
        ("Web", BadReference::Capital),
        ("acme/Web", BadReference::Capital),
        ("host:5000/Web", BadReference::Capital),
        ("web:", BadReference::Tag),
        ("web:-1", BadReference::Tag),
        ("web:.1", BadReference::Tag),
        ("web:a b", BadReference::Tag),
        ("web:caf\u{e9}", BadReference::Tag),
        ("web:1:2", BadReference::Tag),
        ("web@", BadReference::Digest),
        ("web@sha256", BadReference::Digest),
        ("web@sha256:", BadReference::Digest),
        ("web@sha256:abc", BadReference::Digest),
        ("web##", BadReference::Digest),
        ("web#:1", BadReference::Digest),
    ] {
        assert_eq!(refused(text), why, "{text}");
    }
    for bad in [
        format!("sha1:{HASH}"),
        format!("SHA256:{HASH}"),
        format!("sha256:{}", HASH.to_uppercase()),
        format!("sha512:{HASH}"),
        format!("sha256:{HASH}0"),
    ] {
        assert_eq!(refused(&format!("web@{bad}")), BadReference::Digest, "{bad}");
    }
}

#[test]
fn an_id_is_no_name_but_may_be_part_of_one() {
    assert_eq!(refused(HASH), BadReference::Id);
    assert!(parse(&HASH[1..]).is_ok());
    assert!(parse(&format!("docker.io/{HASH}")).is_ok());
    assert!(parse(&format!("acme/{HASH}")).is_ok());
}

#[test]
fn the_grammars_limits_are_kept_to_the_byte() {
    let path = |length: usize| format!("host:1/{}", "a".repeat(length));
    assert!(parse(&path(PATH_BYTES_MAX)).is_ok());
    assert_eq!(refused(&path(PATH_BYTES_MAX + 1)), BadReference::PathTooLong);
    // What is completed counts too.
    let official = "a".repeat(PATH_BYTES_MAX - OFFICIAL.len());
    assert!(parse(&official).is_ok());
    assert_eq!(refused(&format!("{official}a")), BadReference::PathTooLong);
    let tag = |length: usize| format!("web:{}", "a".repeat(length));
    assert!(parse(&tag(TAG_BYTES_MAX)).is_ok());
    assert_eq!(refused(&tag(TAG_BYTES_MAX + 1)), BadReference::Tag);
    let host = |length: usize| format!("{}.b/web", "a".repeat(length - ".b/web".len()));
    assert!(parse(&host(REFERENCE_BYTES_MAX)).is_ok());
    assert_eq!(refused(&host(REFERENCE_BYTES_MAX + 1)), BadReference::TooLong);
}

#[test]
fn one_repository_has_several_spellings() {
    let same = |one: &str, other: &str| parse(one).unwrap().is_of_same_repository(&parse(other).unwrap());
    assert!(same("nginx", "docker.io/library/nginx:1#"));
    assert!(same("index.docker.io/nginx", "library/nginx"));
    assert!(!same("nginx", "acme/nginx"));
    assert!(!same("nginx", "ghcr.io/nginx"));
    assert!(!same("ghcr.io/nginx", "ghcr.io/library/nginx"));
}
