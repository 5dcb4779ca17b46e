//! Edge mode as an operator configures it: what is read, what is refused, what is warned about.

use super::*;
use crate::auth::Proof;
use crate::config::{Config, Mode, specimens};

const URL: (&str, &str) = ("DRYDOCK_URL", "wss://controller.example/prefix/");
const NEAR: (&str, &str) = ("DRYDOCK_URL", "ws://127.0.0.1:8080");
const TOKEN: (&str, &str) = ("TOKEN", "0123456789abcdef0123456789abcdef");
const OPERATIONS: (&str, &str) = ("OPERATIONS_ADDRESS", "127.0.0.1:9090");
const PHC: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQxMjM0NTY3OA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const LINE: &str = "ed25519 A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg= ci\n";

/// The settings with every warning, or every problem.
fn read_all(values: &[(&str, &str)]) -> Result<(Edge, Vec<String>), Vec<String>> {
    let config = Config::read(&Environment::of(values));
    let config = config.map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let warnings = config.warnings.iter().map(ToString::to_string).collect();
    match config.mode {
        Mode::Edge(edge) => Ok((*edge, warnings)),
        Mode::Standard(_) => panic!("standard mode with {values:?}"),
    }
}

fn sound(values: &[(&str, &str)]) -> Edge {
    read_all(values).map_err(|problems| panic!("{problems:?}")).map(|(edge, _)| edge).unwrap()
}

/// Exactly these warnings, by how they begin.
fn warned(values: &[(&str, &str)], begins: &[&str]) {
    let (_, warnings) = read_all(values).map_err(|problems| panic!("{problems:?}")).unwrap();
    begin(&warnings, begins);
}

/// Exactly these problems, by how they begin.
fn refused(values: &[(&str, &str)], begins: &[&str]) {
    match read_all(values) {
        Ok(_) => panic!("{values:?} were taken"),
        Err(problems) => begin(&problems, begins),
    }
}

fn begin(told: &[String], begins: &[&str]) {
    let are_these = told.len() == begins.len()
        && told.iter().zip(begins).all(|(line, begin)| line.starts_with(begin) && line.contains("; "));
    assert!(are_these, "{told:?} are not {begins:?}");
}

/// A key as a file, and its path as text.
fn key(test: &str) -> String {
    let (_, key) = specimens::pair(test);
    key.to_str().unwrap().to_owned()
}

/// A file of authorized keys.
fn keys(test: &str, content: &str) -> String {
    specimens::file(test, "authorized_keys", content, 0o600).to_str().unwrap().to_owned()
}

#[test]
fn an_address_and_a_token_are_all_that_it_takes() {
    let edge = sound(&[URL, TOKEN]);
    let settings = &edge.settings;
    assert_eq!(settings.terms.url.to_string(), "wss://controller.example/prefix");
    assert!(matches!(&settings.terms.proof, Proof::Token(token) if token.expose() == TOKEN.1));
    assert_eq!(settings.terms.protocol, Protocol::Auto);
    let paces = [
        settings.terms.heartbeat,
        settings.terms.welcome_within,
        settings.terms.first_delay,
        settings.terms.longest_delay,
    ];
    assert_eq!(paces.map(|pace| pace.as_secs()), [30, 30, 1, 60]);
    assert!(edge.operations.is_none() && settings.terms.way.headers.is_empty());
    assert!(settings.health.starts_with("lookout-"));
    let Exposure::Tunnel(controller) = &settings.auth.exposure else { panic!("it listens") };
    assert!(controller.allow == crate::auth::Classes::ALL && controller.keyring.is_none());
    assert!(!controller.requires_signature && settings.auth.audience.is_none());
    warned(&[URL, TOKEN], &[]);
}

#[test]
fn a_key_wins_over_a_token() {
    let key = key("edge-key");
    let key = ("PRIVATE_KEY_FILE", key.as_str());
    assert!(matches!(sound(&[URL, key]).settings.terms.proof, Proof::Key(_)));
    assert!(matches!(sound(&[URL, key, TOKEN]).settings.terms.proof, Proof::Key(_)));
    warned(&[URL, key, TOKEN], &["TOKEN: PRIVATE_KEY_FILE is set and wins; "]);
    warned(&[URL, key, ("TOKEN_FILE", "/no/such")], &["TOKEN_FILE: PRIVATE_KEY_FILE is set and wins; "]);
    let other = ("DD_AGENT_SECRET", "another-one-of-enough-bytes");
    assert!(
        matches!(&sound(&[URL, other]).settings.terms.proof, Proof::Token(token) if token.expose() == other.1)
    );
    warned(&[URL, other], &[]);
    assert!(
        matches!(&sound(&[URL, other, TOKEN]).settings.terms.proof, Proof::Token(token) if token.expose() == TOKEN.1)
    );
    warned(
        &[URL, other, TOKEN],
        &["DD_AGENT_SECRET: one token is shown to the controller, and TOKEN wins; "],
    );
}

#[test]
fn a_key_that_cannot_be_used_ends_the_start_whatever_else_there_is() {
    let (cert, _) = specimens::pair("edge-bad-key");
    let file = |name: &str, content: &str, mode| specimens::file("edge-bad-key", name, content, mode);
    for (path, what) in [
        ("/no/such.pem".into(), "\"/no/such.pem\" cannot be read: "),
        ("/dev/null".into(), "\"/dev/null\" is not a regular file; "),
        (file("open.pem", "x", 0o622), "can be changed by others (mode 0622)"),
        (
            cert,
            "holds no key of ours: expected PEM type \"PRIVATE KEY\", got \"CERTIFICATE\"; make one with: ",
        ),
        (file("none.pem", "", 0o600), "holds no key of ours: no PEM block; make one with: lookout keygen"),
        ("-----BEGIN PRIVATE KEY-----".into(), "it holds PEM text"),
    ] {
        let key = ("PRIVATE_KEY_FILE", path.to_str().unwrap());
        for values in [vec![URL, key], vec![URL, key, TOKEN], vec![URL, key, TOKEN, OPERATIONS]] {
            let problems = read_all(&values).err().unwrap();
            let [problem] = problems.as_slice() else { panic!("{problems:?}") };
            assert!(problem.starts_with("PRIVATE_KEY_FILE: ") && problem.contains(what), "{problem}");
        }
    }
}

#[test]
fn a_key_that_everyone_reads_is_a_warning() {
    let private = std::fs::read(key("edge-loose")).unwrap();
    let loose = specimens::file("edge-loose", "loose.pem", private, 0o644);
    let (_, warnings) = read_all(&[URL, ("PRIVATE_KEY_FILE", loose.to_str().unwrap())]).ok().unwrap();
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(
        warning.starts_with("PRIVATE_KEY_FILE: \"/") && warning.contains("everyone can read it (mode 0644)")
    );
}

#[test]
fn without_something_to_show_the_start_is_refused_with_the_way_out() {
    let keys = keys("edge-nothing", LINE);
    for (values, begin) in [
        (vec![], "PRIVATE_KEY_FILE, TOKEN_FILE: the agent has no credential"),
        (vec![("TOKEN_HASH", PHC)], "TOKEN_HASH, PRIVATE_KEY_FILE: a hash checks a token"),
        (vec![("TOKEN_HASH_FILE", "/x")], "TOKEN_HASH_FILE, PRIVATE_KEY_FILE: a hash checks a token"),
        (vec![("AUTHORIZED_KEYS", &*keys)], "AUTHORIZED_KEYS, PRIVATE_KEY_FILE: it says whose requests"),
    ] {
        let values = [&[URL], values.as_slice()].concat();
        refused(&values, &[begin]);
        let problem = read_all(&values).err().unwrap().concat();
        for word in ["PRIVATE_KEY_FILE", "lookout keygen --out DIR", "TOKEN_FILE"] {
            assert!(problem.contains(word), "{problem}");
        }
    }
}

#[test]
fn a_token_with_a_problem_is_told_as_that() {
    refused(&[URL, ("TOKEN_FILE", "/no/such")], &["TOKEN_FILE: \"/no/such\" cannot be read"]);
    refused(&[URL, TOKEN, ("TOKEN_FILE", "/x")], &["TOKEN, TOKEN_FILE: both are set"]);
    warned(&[URL, ("TOKEN", "changeme")], &["TOKEN: the token is a well-known placeholder"]);
}

#[test]
fn an_address_that_is_none_is_refused_and_no_password_in_it_repeated() {
    for (address, begin) in [
        ("controller.example", "DRYDOCK_URL: \"controller.example\" has no scheme"),
        ("ftp://controller.example", "DRYDOCK_URL: \"ftp://controller.example\" has a scheme"),
        ("wss://user:hunter2@host", "DRYDOCK_URL: \"wss://***@host\" holds an @"),
        ("user:hunter2@host", "DRYDOCK_URL: \"***@host\" has no scheme"),
        ("wss://host/?token=hunter2", "DRYDOCK_URL: \"wss://host/?***\" holds a query"),
        ("wss://", "DRYDOCK_URL: \"wss://\" names no host"),
        ("wss://host:0", "DRYDOCK_URL: \"wss://host:0\" has a port"),
    ] {
        refused(&[("DRYDOCK_URL", address), TOKEN], &[begin]);
        assert!(!read_all(&[("DRYDOCK_URL", address), TOKEN]).err().unwrap().concat().contains("hunter2"));
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let values = [
        ("DRYDOCK_URL", "controller"),
        ("EDGE_PROTOCOL", "grpc"),
        ("PRIVATE_KEY_FILE", "/no/such"),
        ("EDGE_ALLOW", "view, logs"),
        ("EDGE_REQUIRE_SIGNATURE", "perhaps"),
        ("EDGE_HEADERS_FILE", "/no/such"),
        ("CA_CERT", "/no/such"),
        ("HEARTBEAT_INTERVAL", "0"),
        ("WELCOME_TIMEOUT", "601"),
        ("RECONNECT_DELAY", "3601"),
        ("MAX_RECONNECT_DELAY", "86401"),
        ("OPERATIONS_ADDRESS", "9090"),
        ("HTTPS_PROXY", "socks5://proxy"),
        ("AUTHORIZED_KEYS", "/no/such"),
        ("AGENT_ID", "two words"),
        ("MAX_CLOCK_SKEW_SECONDS", "0"),
        ("ALLOWED_ORIGINS", "*"),
        ("DOCKER_HOST", "ssh://host"),
        ("ALLOW_IN_PRODUCTION", "maybe"),
    ];
    let problems = read_all(&values).err().unwrap();
    for (name, _) in values {
        let own = problems.iter().filter(|problem| problem.starts_with(&format!("{name}: ")));
        assert_eq!(own.count(), 1, "{name}: {problems:?}");
    }
    assert_eq!(problems.len(), values.len(), "{problems:?}");
}

#[test]
fn what_is_malformed_and_without_effect_is_only_told_to_be_without_effect() {
    let idle = [
        "PORT",
        "BIND_ADDRESS",
        "CONNECTIONS_MAX",
        "TOKEN_ALLOW",
        "ENROLLMENT_TOKEN",
        "ENROLLMENT_TOKEN_FILE",
        "ALLOW_UNAUTHENTICATED",
        "ALLOW_UNAUTHENTICATED_REMOTE",
        "TLS_CERT",
        "TLS_KEY",
        "CLIENT_CA",
        "TOKEN_HASH",
        "TOKEN_HASH_FILE",
        "ALLOW_NON_LOOPBACK",
    ];
    for name in idle {
        warned(&[URL, TOKEN, (name, "/no such")], &[&format!("{name}: in edge mode ")]);
    }
    let names: Vec<_> = idle_names(&[URL, TOKEN]);
    assert_eq!(names, [&idle[..], &["DD_AGENT_SECRET", "DD_AGENT_SECRET_FILE"]].concat());
}

fn idle_names(values: &[(&str, &str)]) -> Vec<&'static str> {
    idle(&Environment::of(values)).into_iter().map(|(variable, _)| variable.name).collect()
}

#[test]
fn protocols_and_classes_are_read_by_their_names() {
    let protocol = |name| sound(&[URL, TOKEN, ("EDGE_PROTOCOL", name)]).settings.terms.protocol;
    assert_eq!(protocol("Lookout"), Protocol::Only(&LOOKOUT));
    assert_eq!(protocol("portwing"), Protocol::Only(&PORTWING));
    let settings = sound(&[URL, TOKEN, ("EDGE_ALLOW", "view,logs")]).settings;
    let Exposure::Tunnel(controller) = settings.auth.exposure else { panic!("it listens") };
    assert_eq!(controller.allow.to_string(), "view,logs");
    refused(
        &[URL, TOKEN, ("EDGE_ALLOW", "everything")],
        &["EDGE_ALLOW: \"everything\" is no list of classes"],
    );
}

#[test]
fn signatures_are_only_asked_for_where_a_key_could_have_made_one() {
    let asked = ("EDGE_REQUIRE_SIGNATURE", "true");
    refused(&[URL, TOKEN, asked], &["EDGE_REQUIRE_SIGNATURE, AUTHORIZED_KEYS: requests must be signed"]);
    let keys = keys("edge-signed", LINE);
    let values = [URL, TOKEN, asked, ("AUTHORIZED_KEYS", &keys), ("AGENT_ID", "web-1")];
    let settings = sound(&values).settings;
    assert_eq!(settings.auth.audience.as_deref(), Some("web-1"));
    let Exposure::Tunnel(controller) = settings.auth.exposure else { panic!("it listens") };
    assert!(controller.requires_signature && controller.keyring.is_some_and(|keys| keys.iter().len() == 1));
}

#[test]
fn a_random_id_is_for_the_controller_and_no_signature_is_meant_for_it() {
    let config = Config::read(&Environment::of(&[URL, TOKEN])).ok().unwrap();
    assert_eq!(config.about.id.map(|id| id.len()), Some(36));
    let Mode::Edge(edge) = config.mode else { panic!("standard mode") };
    assert_eq!(edge.settings.auth.audience, None);
}

#[test]
fn the_longest_delay_is_no_shorter_than_the_first() {
    let begin =
        "RECONNECT_DELAY, MAX_RECONNECT_DELAY: the first delay, 61 seconds, is longer than the longest, 60; ";
    refused(&[URL, TOKEN, ("RECONNECT_DELAY", "61")], &[begin]);
    let both = [URL, TOKEN, ("RECONNECT_DELAY", "61"), ("MAX_RECONNECT_DELAY", "61")];
    assert_eq!(sound(&both).settings.terms.longest_delay.as_secs(), 61);
}

#[test]
fn a_controller_that_is_called_in_plain_beyond_loopback_is_a_warning_with_its_remedy() {
    for near in ["ws://127.0.0.1:8080", "http://[::1]", "ws://localhost", "wss://controller.example"] {
        warned(&[("DRYDOCK_URL", near), TOKEN], &[]);
    }
    for far in ["ws://controller.example", "http://192.0.2.1:8080"] {
        let values = [("DRYDOCK_URL", far), TOKEN];
        warned(&values, &["DRYDOCK_URL: the controller on "]);
        let warning = read_all(&values).ok().unwrap().1.concat();
        assert!(warning.contains("the hello") && warning.contains("wss://") && warning.contains("CA_CERT"));
    }
}

#[test]
fn certificates_go_unchecked_in_listed_environments_only_and_never_without_a_warning() {
    let skip = ("TLS_SKIP_VERIFY", "true");
    let begin =
        "TLS_SKIP_VERIFY, LOOKOUT_ENV: TLS_SKIP_VERIFY is refused in the environment \"Production\"; ";
    refused(&[URL, TOKEN, skip], &[begin]);
    let problem = read_all(&[URL, TOKEN, skip]).err().unwrap().concat();
    assert!(problem.contains("CA_CERT") && problem.contains("ALLOW_IN_PRODUCTION=true"), "{problem}");
    let unchecked = "TLS_SKIP_VERIFY: the controller's certificate is not checked";
    warned(&[URL, TOKEN, skip, ("LOOKOUT_ENV", "Development")], &[unchecked]);
    let everywhere = ("ALLOW_IN_PRODUCTION", "true");
    let used = "ALLOW_IN_PRODUCTION: TLS_SKIP_VERIFY is in use in the environment \"Production\"";
    warned(&[URL, TOKEN, skip, everywhere], &[unchecked, used]);
    warned(&[URL, TOKEN, everywhere], &["ALLOW_IN_PRODUCTION: no switch is on"]);
    warned(&[URL, TOKEN, ("TLS_SKIP_VERIFY", "false")], &[]);
}

#[test]
fn who_must_have_signed_the_certificate_is_one_file_or_nobody() {
    let (cert, _) = specimens::pair("edge-ca");
    let ca = ("CA_CERT", cert.to_str().unwrap());
    warned(&[URL, TOKEN, ca], &[]);
    refused(&[URL, TOKEN, ("CA_CERT", "/no/such.pem")], &["CA_CERT: /no/such.pem cannot be read"]);
    let (skip, development) = (("TLS_SKIP_VERIFY", "1"), ("LOOKOUT_ENV", "Development"));
    refused(&[URL, TOKEN, ca, skip, development], &["CA_CERT, TLS_SKIP_VERIFY: one says who"]);
    let without = |name| format!("{name}: the controller is called without TLS; unset it");
    warned(
        &[NEAR, TOKEN, ("CA_CERT", "/no/such.pem"), skip],
        &[&without("CA_CERT"), &without("TLS_SKIP_VERIFY")],
    );
}

#[test]
fn a_key_that_is_only_watched_needs_a_listed_environment() {
    let keys = keys("edge-watched", &format!("mode=\"audit\" {LINE}"));
    let values = [URL, TOKEN, ("AUTHORIZED_KEYS", &*keys)];
    refused(&values, &["AUTHORIZED_KEYS, LOOKOUT_ENV: mode=\"audit\" of key "]);
    warned(&[&values[..], &[("LOOKOUT_ENV", "Development")]].concat(), &[]);
}

#[test]
fn a_proxy_matters_where_it_would_be_asked() {
    let bad = "socks5://user:hunter2@proxy";
    for (url, name) in [(URL, "HTTPS_PROXY"), (URL, "ALL_PROXY"), (URL, "https_proxy")] {
        let told = read_all(&[url, TOKEN, (name, bad)]).err().unwrap().concat();
        let begin = format!("{}: it is a SOCKS proxy", name.to_ascii_uppercase());
        assert!(told.starts_with(&begin) && !told.contains("hunter2"), "{told}");
    }
    let plain = ("DRYDOCK_URL", "ws://controller.example");
    refused(&[plain, TOKEN, ("http_proxy", bad)], &["HTTP_PROXY: it is a SOCKS proxy"]);
    let good = ("HTTPS_PROXY", "http://user:password@proxy:3128");
    warned(
        &[URL, TOKEN, good, ("ALL_PROXY", bad), ("HTTP_PROXY", bad), ("NO_PROXY", "10.0.0.0/8,odd entry")],
        &[],
    );
    warned(&[NEAR, TOKEN, ("HTTP_PROXY", bad)], &[]);
    let proxies = sound(&[URL, TOKEN, good]).settings.terms.way.proxies;
    let url = Url::parse(URL.1).unwrap();
    assert_eq!(proxies.to(&url).map(|proxy| (proxy.host(), proxy.port())), Some(("proxy", 3128)));
}

#[test]
fn fields_for_the_upgrade_come_from_a_file() {
    let file = specimens::file("edge-fields", "fields", "CF-Access-Client-Id: abc\n", 0o600);
    let settings = sound(&[URL, TOKEN, ("EDGE_HEADERS_FILE", file.to_str().unwrap())]).settings;
    let [(name, value)] = settings.terms.way.headers.as_slice() else { panic!("not one field") };
    assert_eq!((name.as_str(), value.expose().as_str()), ("CF-Access-Client-Id", "abc"));
}
