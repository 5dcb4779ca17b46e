//! The configuration of edge mode: refused before anything is called, warned about, explained; and how its health is asked.
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::thread;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::agent::{Ended, TOKEN, run};
use crate::engine::Home;
use crate::patience::until;
use crate::signer::file;

const URL: (&str, &str) = ("DRYDOCK_URL", "wss://controller.invalid/docker");
const TOKEN_SET: (&str, &str) = ("TOKEN", TOKEN);
const SKIP: (&str, &str) = ("TLS_SKIP_VERIFY", "true");
const DEVELOPMENT: (&str, &str) = ("LOOKOUT_ENV", "Development");
const EVERYWHERE: (&str, &str) = ("ALLOW_IN_PRODUCTION", "true");

/// The agent does not start; nothing was called and nothing listens.
fn refused(variables: &[(&str, &str)], words: &[&str]) -> Ended {
    let ended = run(&[], variables);
    assert_eq!(ended.code, Some(78), "{variables:?}: {}", ended.words());
    assert!(!ended.stdout.contains("agent.starting"), "{variables:?}: {}", ended.words());
    for word in words {
        assert!(ended.words().contains(word), "{variables:?} without the word {word}: {}", ended.words());
    }
    ended
}

/// What would be warned about, a line each.
fn warnings(variables: &[(&str, &str)]) -> Vec<String> {
    let ended = run(&["config"], variables);
    assert_eq!(ended.code, Some(0), "{variables:?}: {}", ended.words());
    ended.stderr.lines().map(str::to_owned).collect()
}

/// A key of the agent's own, as an operator makes it.
fn keygen(home: &Home) -> String {
    let dir = home.path("identity");
    let made = run(&["keygen", "--out", dir.to_str().unwrap()], &[]);
    assert_eq!(made.code, Some(0), "{}", made.words());
    dir.join("key.pem").to_str().unwrap().to_owned()
}

#[test]
fn the_key_that_keygen_makes_or_a_token_is_all_that_edge_mode_takes() {
    let home = Home::new();
    let key = keygen(&home);
    for credential in [("PRIVATE_KEY_FILE", key.as_str()), TOKEN_SET] {
        let ended = run(&["config"], &[URL, credential]);
        assert_eq!(ended.code, Some(0), "{credential:?}: {}", ended.words());
        assert!(ended.stdout.contains("edge mode"), "{}", ended.stdout);
    }
    let standard = run(&["config"], &[TOKEN_SET]);
    assert!(standard.stdout.contains("standard mode"), "{}", standard.stdout);
}

#[test]
fn without_a_credential_to_show_edge_mode_does_not_start() {
    let home = Home::new();
    let line = run(&["keygen"], &[]).stdout.lines().last().unwrap().to_owned();
    let keys = file(&home, "authorized_keys", &line);
    let hash = file(&home, "hash", "x");
    for credential in [("AGENT_NAME", "none"), ("AUTHORIZED_KEYS", &keys), ("TOKEN_HASH_FILE", &hash)] {
        refused(&[URL, credential], &["PRIVATE_KEY_FILE", "TOKEN_FILE", "lookout keygen"]);
    }
}

#[test]
fn a_key_that_cannot_sign_ends_the_start_and_no_token_takes_its_place() {
    let home = Home::new();
    let key = keygen(&home);
    let certificate = key.replace("key.pem", "cert.pem");
    let missing = home.path("missing").to_str().unwrap().to_owned();
    let directory = home.path("identity").to_str().unwrap().to_owned();
    for bad in [&certificate, &missing, &directory] {
        let token = file(&home, "token", TOKEN);
        for other in [TOKEN_SET, ("TOKEN_FILE", &token), ("DD_AGENT_SECRET", TOKEN)] {
            let ended = refused(&[URL, ("PRIVATE_KEY_FILE", bad), other], &["PRIVATE_KEY_FILE", bad]);
            assert!(!ended.words().contains(TOKEN), "{}", ended.words());
        }
    }
    refused(&[URL, TOKEN_SET, ("PRIVATE_KEY_FILE", "-----BEGIN PRIVATE KEY-----")], &["PRIVATE_KEY_FILE"]);
}

#[test]
fn what_makes_no_sense_in_edge_mode_is_refused_by_name() {
    let home = Home::new();
    let fields = file(&home, "fields", "CF-Access-Client-Id: a\nCF-Access-Client-Secret hunter2\n");
    for (name, value) in [
        ("DRYDOCK_URL", "controller.invalid"),
        ("DRYDOCK_URL", "tcp://controller.invalid"),
        ("DRYDOCK_URL", "wss://user:hunter2@controller.invalid"),
        ("DRYDOCK_URL", "wss://controller.invalid?token=hunter2"),
        ("EDGE_PROTOCOL", "grpc"),
        ("EDGE_ALLOW", "view, logs"),
        ("EDGE_ALLOW", "root"),
        ("EDGE_REQUIRE_SIGNATURE", "true"),
        ("EDGE_REQUIRE_SIGNATURE", "perhaps"),
        ("EDGE_HEADERS_FILE", "/no/such/file"),
        ("EDGE_HEADERS_FILE", &fields),
        ("CA_CERT", "/no/such/file"),
        ("CA_CERT", &fields),
        ("HEARTBEAT_INTERVAL", "0"),
        ("HEARTBEAT_INTERVAL", "3601"),
        ("WELCOME_TIMEOUT", "601"),
        ("RECONNECT_DELAY", "0"),
        ("RECONNECT_DELAY", "61"),
        ("MAX_RECONNECT_DELAY", "86401"),
        ("OPERATIONS_ADDRESS", "9090"),
        ("OPERATIONS_ADDRESS", "127.0.0.1:0"),
        ("HTTPS_PROXY", "socks5://user:hunter2@proxy.invalid"),
        ("https_proxy", "https://user:hunter2@proxy.invalid"),
        ("ALL_PROXY", "socks5h://proxy.invalid"),
        ("AGENT_ID", "two words"),
        ("AUTHORIZED_KEYS", "/no/such/file"),
    ] {
        let variables: Vec<_> =
            [URL, TOKEN_SET].into_iter().filter(|(other, _)| *other != name).chain([(name, value)]).collect();
        let ended = refused(&variables, &[&name.to_ascii_uppercase()]);
        assert!(!ended.words().contains("hunter2"), "{name}={value}: {}", ended.words());
    }
}

#[test]
fn health_and_metrics_beyond_loopback_need_a_token() {
    let home = Home::new();
    let key = keygen(&home);
    let key = ("PRIVATE_KEY_FILE", key.as_str());
    for beyond in ["0.0.0.0:9090", "[::]:9090", "192.0.2.1:9090"] {
        refused(&[URL, key, ("OPERATIONS_ADDRESS", beyond)], &["OPERATIONS_ADDRESS", "TOKEN_FILE"]);
        let told = warnings(&[URL, key, TOKEN_SET, ("OPERATIONS_ADDRESS", beyond)]);
        assert!(told.iter().any(|line| line.contains("plain HTTP") && line.contains(beyond)), "{told:?}");
    }
    let told = warnings(&[URL, key, ("OPERATIONS_ADDRESS", "127.0.0.1:9090")]);
    assert!(!told.iter().any(|line| line.contains("plain HTTP")), "{told:?}");
}

#[test]
fn an_unchecked_certificate_is_for_listed_environments_and_warned_about_at_every_start() {
    let home = Home::new();
    let ca = keygen(&home).replace("key.pem", "cert.pem");
    for (variables, words) in [
        (&[][..], &["Production", "ALLOW_IN_ENVIRONMENTS", "ALLOW_IN_PRODUCTION", "CA_CERT"][..]),
        (&[("LOOKOUT_ENV", "Staging")], &["Staging", "ALLOW_IN_ENVIRONMENTS"]),
        (&[DEVELOPMENT, ("ALLOW_IN_ENVIRONMENTS", "Staging")], &["Development"]),
        (&[DEVELOPMENT, ("CA_CERT", &ca)], &["CA_CERT, TLS_SKIP_VERIFY"]),
    ] {
        refused(&[&[URL, TOKEN_SET, SKIP], variables].concat(), words);
    }
    for variables in [&[DEVELOPMENT][..], &[EVERYWHERE], &[("LOOKOUT_ENV", "Staging"), EVERYWHERE]] {
        let told = warnings(&[&[URL, TOKEN_SET, SKIP], variables].concat());
        assert!(told.iter().any(|line| line.contains("certificate is not checked")), "{told:?}");
        let named = told.iter().any(|line| line.contains("ALLOW_IN_PRODUCTION: TLS_SKIP_VERIFY is in use"));
        assert_eq!(named, variables.contains(&EVERYWHERE), "{told:?}");
    }
}

#[test]
fn a_controller_without_tls_is_warned_about_beyond_loopback() {
    for (url, is_warned) in [
        ("ws://controller.invalid", true),
        ("http://192.0.2.1:8080/docker", true),
        ("ws://127.0.0.1:8080", false),
        ("http://[::1]:8080", false),
        ("wss://controller.invalid", false),
        ("https://controller.invalid", false),
    ] {
        let told = warnings(&[("DRYDOCK_URL", url), TOKEN_SET]);
        let told: Vec<_> = told.iter().filter(|line| line.contains(" DRYDOCK_URL: ")).collect();
        assert_eq!(told.len(), usize::from(is_warned), "{url}: {told:?}");
        assert!(told.iter().all(|line| line.contains("wss://")), "{told:?}");
    }
}

#[test]
fn each_mode_warns_of_what_acts_in_the_other() {
    let of_standard = ["PORT", "BIND_ADDRESS", "TLS_CERT", "TOKEN_ALLOW", "ENROLLMENT_TOKEN", "TOKEN_HASH"];
    for name in of_standard.into_iter().chain(["CONNECTIONS_MAX", "ALLOW_UNAUTHENTICATED"]) {
        let told = warnings(&[URL, TOKEN_SET, (name, "1")]);
        assert!(
            told.iter().any(|line| line.contains(&format!(" {name}: in edge mode "))),
            "{name}: {told:?}"
        );
    }
    let of_edge = ["EDGE_PROTOCOL", "EDGE_ALLOW", "PRIVATE_KEY_FILE", "CA_CERT", "OPERATIONS_ADDRESS"];
    for name in of_edge.into_iter().chain(["TLS_SKIP_VERIFY", "HEARTBEAT_INTERVAL"]) {
        let told = warnings(&[TOKEN_SET, (name, "1")]);
        let warned = format!(" {name}: it acts in edge mode only");
        assert!(told.iter().any(|line| line.contains(&warned)), "{name}: {told:?}");
    }
}

#[test]
fn an_explained_edge_mode_shows_its_rows_and_guards_and_no_secret() {
    let home = Home::new();
    let fields = file(&home, "fields", "CF-Access-Client-Secret: hunter2\n");
    let variables = [
        URL,
        TOKEN_SET,
        SKIP,
        DEVELOPMENT,
        ("EDGE_HEADERS_FILE", fields.as_str()),
        ("EDGE_ALLOW", "view,logs"),
        ("https_proxy", "http://user:hunter2@proxy.invalid:3128"),
        ("OPERATIONS_ADDRESS", "127.0.0.1:9090"),
    ];
    let ended = run(&["config", "--explain"], &variables);
    assert_eq!(ended.code, Some(0), "{}", ended.words());
    assert!(!ended.words().contains("hunter2") && !ended.words().contains(TOKEN), "{}", ended.words());
    for told in [
        "Mode: edge",
        "wss://controller.invalid/docker",
        "http://***@proxy.invalid:3128",
        "no start without a credential to show",
        "on, met by TOKEN",
        "no controller with a bad certificate",
        "on, \"Development\" is listed",
        "on, but for view,logs",
        "lifted, on loopback at 127.0.0.1:9090",
    ] {
        assert!(ended.stdout.contains(told), "{told} is missing: {}", ended.stdout);
    }
}

/// The name as it is documented, made by other means.
fn socket_name(url: &str, id: &str, name: &str) -> String {
    let digest = HEXLOWER.encode(&Sha256::digest([url, id, name].join("\0")));
    format!("lookout-{}", &digest[..16])
}

/// How the health check ends when whoever listens there says this, and then leaves or stays.
fn asked(variables: &[(&str, &str)], name: &str, told: &'static str, stays: bool) -> Ended {
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
    listener.set_nonblocking(true).unwrap();
    let other = thread::spawn(move || {
        let mut asker = until("somebody asks", || listener.accept().ok()).0;
        asker.write_all(told.as_bytes()).unwrap();
        stays.then_some(asker)
    });
    let ended = run(&["healthcheck"], variables);
    drop(other.join().unwrap());
    ended
}

#[test]
fn the_health_of_an_agent_in_edge_mode_is_asked_on_its_abstract_socket() {
    let url = format!("wss://controller-{}.invalid", std::process::id());
    let url = ("DRYDOCK_URL", url.as_str());
    let (id, agent) = (("AGENT_ID", "web-1"), ("AGENT_NAME", "web 1"));
    for (variables, name) in [
        (vec![url], socket_name(url.1, "", "")),
        (vec![url, id], socket_name(url.1, "web-1", "")),
        (vec![url, agent], socket_name(url.1, "", "web 1")),
        // Only these three matter.
        (vec![url, id, agent, ("LOG_LEVEL", "loud")], socket_name(url.1, "web-1", "web 1")),
    ] {
        let alive = asked(&variables, &name, "{\"status\":\"ok\",\"controller\":\"connected\"}\n", false);
        assert_eq!((alive.code, alive.words().as_str()), (Some(0), ""), "{variables:?}");
    }
    let name = socket_name(url.1, "", "");
    for (told, stays) in
        [("{\"status\":\"stuck\"}\n", false), ("OK\n", false), ("", false), ("{\"status\":\"ok\"}\n", true)]
    {
        let ended = asked(&[url], &name, told, stays);
        assert_eq!(ended.code, Some(1), "{told:?}: {}", ended.words());
        assert!(ended.stderr.contains(&format!("@{name}: ")), "{told:?}: {}", ended.words());
    }
    assert_eq!(run(&["healthcheck"], &[url]).code, Some(1), "nobody listens");
}
