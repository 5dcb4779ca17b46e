//! `lookout doctor`: what it finds at a controller, at a running agent and at an Engine, and how it tells it.
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use data_encoding::BASE64;
use serde_json::Value;
use sha1::{Digest, Sha1};

use crate::agent::{Agent, Ended, TOKEN, free_port, run};
use crate::engine::{Engine, Home};
use crate::message::{Head, Wire};
use crate::patience::PATIENCE;
use crate::tls_client::{keygen, server_cert};
use crate::world::told;

/// Somebody who answers every request as the script says, one after the other.
struct Host {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    accept: Option<JoinHandle<()>>,
}

impl Host {
    fn start(script: impl Fn(&Head) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heads, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (noted, ending) = (Arc::clone(&heads), Arc::clone(&stop));
        let accept = thread::spawn(move || {
            for stream in listener.incoming() {
                if ending.load(Ordering::SeqCst) {
                    break;
                }
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut wire = Wire::new(stream);
                while let Ok(head) = wire.head() {
                    noted.lock().unwrap().push(String::from_utf8_lossy(&head.raw).into_owned());
                    if wire.stream_mut().write_all(script(&head).as_bytes()).is_err() {
                        break;
                    }
                }
            }
        });
        Self { port, heads, stop, accept: Some(accept) }
    }

    fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the accept loop, which then sees that it is over.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        let ended = self.accept.take().unwrap().join();
        assert!(thread::panicking() || ended.is_ok(), "the script failed");
    }
}

const LONG_AGO: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// Agrees to speak WebSocket, where that is asked.
fn agreed(head: &Head) -> String {
    let Some(key) = head.value("Sec-WebSocket-Key") else { return plain(200, "") };
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        BASE64.encode(&hash.finalize())
    )
}

fn plain(status: u16, fields: &str) -> String {
    format!("HTTP/1.1 {status} Status\r\n{fields}Content-Length: 0\r\n\r\n")
}

/// A controller that speaks the older dialect only.
fn portwing() -> Host {
    Host::start(|head| match head.target() {
        "/api/portwing/ws" => agreed(head),
        _ => plain(404, ""),
    })
}

/// What is said of one check.
struct Check {
    outcome: String,
    what: String,
    remedy: String,
}

/// The checks of a name, in the document that was told.
fn checks(ended: &Ended, name: &str) -> Vec<Check> {
    let told: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.words()));
    let text = |row: &Value, member: &str| row[member].as_str().unwrap_or_default().to_owned();
    let rows = told["checks"].as_array().unwrap().iter().filter(|row| row["name"] == name);
    let check = |row: &Value| Check {
        outcome: text(row, "outcome"),
        what: text(row, "what"),
        remedy: text(row, "remedy"),
    };
    rows.map(check).collect()
}

#[track_caller]
fn expect(ended: &Ended, name: &str, outcome: &str, part: &str) {
    let found = checks(ended, name);
    let [check] = found.as_slice() else { panic!("{} checks of {name}: {}", found.len(), ended.words()) };
    let said = format!("{} {}", check.what, check.remedy);
    assert!(check.outcome == outcome && said.contains(part), "{name}: {} {said}", check.outcome);
}

/// A well-kept Engine.
fn engine() -> Engine {
    engine_of("29.6.0", "1.4.1")
}

fn engine_of(version: &str, runc: &str) -> Engine {
    let version = format!(
        r#"{{"Version":"{version}","ApiVersion":"1.51","Components":[{{"Name":"Engine","Version":"{version}"}},
            {{"Name":"containerd","Version":"v2.1.4"}},{{"Name":"runc","Version":"{runc}"}}]}}"#
    );
    let info = r#"{"CgroupVersion":"2","SecurityOptions":["name=seccomp,profile=builtin"]}"#;
    Engine::start(move |visit| {
        while let Ok(head) = visit.wire().head() {
            let body = if head.target() == "/version" { version.as_str() } else { info };
            visit.send(told(200, body));
        }
    })
}

/// The doctor's findings about an environment in front of this Engine.
fn examine(engine: &Engine, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let socket = engine.path().to_str().unwrap();
    std::fs::set_permissions(socket, std::os::unix::fs::PermissionsExt::from_mode(0o660)).unwrap();
    let fixed = [("TOKEN", TOKEN), ("DOCKER_SOCKET", socket)];
    run(&[&["doctor", "--json"], arguments].concat(), &[fixed.as_slice(), variables].concat())
}

#[test]
fn where_nothing_is_wrong_nothing_fails() {
    let (host, engine) = (portwing(), engine());
    for (arguments, url) in [(vec![], host.url()), (vec![host.url()], String::new())] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ended = examine(&engine, &arguments, &[("DRYDOCK_URL", &url)]);
        assert_eq!(ended.code, Some(0), "{}", ended.words());
        assert_eq!(checks(&ended, "configuration")[0].what, "sound");
        expect(&ended, "mode", "ok", &format!("the agent calls {}", host.url()));
        expect(&ended, "connection", "ok", &host.port.to_string());
        expect(&ended, "proxy", "ok", "none leads there");
        expect(&ended, "tls", "skipped", "");
        expect(&ended, "lookout/1.0", "skipped", "not spoken there, and not needed");
        expect(&ended, "portwing/1.0", "ok", "/api/portwing/ws answers with 101");
        expect(&ended, "reverse proxy", "ok", "");
        expect(&ended, "clock", "skipped", "does not tell its time");
        expect(&ended, "engine", "ok", "version 29.6.0, API 1.51");
        expect(&ended, "runc", "ok", "version 1.4.1");
        expect(&ended, "containerd", "ok", "version v2.1.4");
        expect(&ended, "known flaws", "ok", "none");
        expect(&ended, "cgroup", "ok", "version 2");
        expect(&ended, "rootless", "ok", "as root");
    }
}

#[test]
fn people_are_told_the_same_on_lines() {
    let (host, engine) = (portwing(), engine());
    let variables = [("TOKEN", TOKEN), ("DOCKER_SOCKET", engine.path().to_str().unwrap())];
    let ended = run(&["doctor", &host.url()], &variables);
    assert!(ended.stdout.starts_with("ok    configuration      sound\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("\nok    portwing/1.0       /api/portwing/ws answers with 101\n"));
    assert!(ended.stdout.trim_end().ends_with("to be looked at."), "{}", ended.stdout);
    assert!(!ended.words().contains('\u{1b}'), "no colours: {}", ended.words());
}

#[test]
fn a_chosen_dialect_is_the_only_one_that_is_asked_for() {
    let (host, engine) = (portwing(), engine());
    let ended = examine(&engine, &[&host.url()], &[("EDGE_PROTOCOL", "lookout")]);
    assert_eq!(ended.code, Some(1), "{}", ended.words());
    expect(&ended, "lookout/1.0", "fail", "no controller is at this path");
    expect(&ended, "portwing/1.0", "skipped", "EDGE_PROTOCOL");
    assert!(host.heads().iter().all(|head| !head.contains("/api/portwing/ws")));
}

#[test]
fn a_reverse_proxy_that_drops_the_upgrade_is_told_with_its_cure() {
    let host = Host::start(|_| plain(426, ""));
    let engine = engine();
    let ended = examine(&engine, &[&host.url()], &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.words());
    for name in ["nginx", "proxy_set_header Upgrade $http_upgrade;", "Caddy", "Traefik", "HAProxy"] {
        expect(&ended, "reverse proxy", "fail", name);
    }
    let elsewhere = Host::start(|_| plain(404, ""));
    let ended = examine(&engine, &[&elsewhere.url()], &[]);
    expect(&ended, "reverse proxy", "warn", "with and without the Upgrade field the answer is the same");
    let refusing = Host::start(|head| plain(if head.value("Upgrade").is_some() { 404 } else { 200 }, ""));
    let ended = examine(&engine, &[&refusing.url()], &[]);
    expect(&ended, "reverse proxy", "skipped", "something else");
}

#[test]
fn clocks_that_differ_are_a_warning() {
    let engine = engine();
    let at_the_upgrade =
        Host::start(|head| agreed(head).replace("\r\n\r\n", &format!("\r\nDate: {LONG_AGO}\r\n\r\n")));
    let elsewhere = Host::start(|head| match head.target() {
        "/" => plain(200, &format!("Date: {LONG_AGO}\r\n")),
        _ => agreed(head),
    });
    for host in [at_the_upgrade, elsewhere] {
        let ended = examine(&engine, &[&host.url()], &[]);
        assert_eq!(ended.code, Some(0), "a warning fails nothing: {}", ended.words());
        expect(&ended, "clock", "warn", "s ahead of the controller's");
    }
}

#[test]
fn a_controller_is_believed_by_its_authority_and_its_certificate_told_in_days() {
    let (home, engine) = (Home::new(), engine());
    let [[cert, key], [other, _]] = ["one", "other"].map(|name| server_cert(&home, name));
    // Any HTTPS server will do: an agent, which wants a credential before anything else.
    let tls = [("TLS_CERT", cert.as_str()), ("TLS_KEY", key.as_str())];
    let agent = Agent::start_with(&engine, &tls);
    let url = format!("https://127.0.0.1:{}", agent.port());
    let ended = examine(&engine, &[&url], &[("CA_CERT", &cert)]);
    expect(&ended, "address", "ok", &format!("wss://127.0.0.1:{}", agent.port()));
    expect(&ended, "tls", "ok", "believed");
    expect(&ended, "certificate", "ok", "valid for 36");
    expect(&ended, "lookout/1.0", "fail", "401");
    let ended = examine(&engine, &[&url], &[("CA_CERT", &other)]);
    assert_eq!(ended.code, Some(1), "{}", ended.words());
    expect(&ended, "tls", "fail", "CA_CERT");
    expect(&ended, "certificate", "ok", "valid for");
    expect(&ended, "lookout/1.0", "skipped", "not reached");
    let by_name = url.replace("127.0.0.1", "localhost");
    expect(&examine(&engine, &[&by_name], &[("CA_CERT", &cert)]), "name", "ok", "127.0.0.1");
    expect(&examine(&engine, &[&url.replace("https", "ws")], &[]), "lookout/1.0", "fail", "");
    agent.stop();
}

#[test]
fn a_controller_that_is_not_there_ends_the_way_at_its_connection() {
    let engine = engine();
    let ended = examine(&engine, &[&format!("ws://127.0.0.1:{}", free_port())], &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.words());
    expect(&ended, "connection", "fail", "nobody listens there");
    for name in ["proxy", "tls", "certificate", "lookout/1.0", "portwing/1.0", "reverse proxy", "clock"] {
        expect(&ended, name, "skipped", "not reached");
    }
    expect(&ended, "engine", "ok", "");
}

#[test]
fn a_proxy_is_named_and_neither_its_password_nor_any_other_secret_is() {
    let (home, engine) = (Home::new(), engine());
    let fields = home.path("fields");
    std::fs::write(&fields, "X-Access: field-hunter2\n").unwrap();
    std::fs::set_permissions(&fields, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let host = Host::start(|head| match head.start.split(' ').next() {
        Some("CONNECT") if head.value("Proxy-Authorization").is_some() => {
            "HTTP/1.1 200 Yes\r\n\r\n".to_owned()
        }
        Some("CONNECT") => plain(407, ""),
        _ => agreed(head),
    });
    let place = format!("127.0.0.1:{}", host.port);
    let ended_with = |proxy: &str| {
        let more = [("HTTP_PROXY", proxy), ("EDGE_HEADERS_FILE", fields.to_str().unwrap())];
        let ended = examine(&engine, &["ws://controller.test"], &more);
        for secret in ["me-hunter2", "field-hunter2", TOKEN] {
            assert!(!ended.words().contains(secret), "{secret}: {}", ended.words());
        }
        ended
    };
    let ended = ended_with(&format!("http://me:me-hunter2@{place}"));
    expect(&ended, "proxy", "ok", &format!("http://{place} connects us"));
    expect(&ended, "lookout/1.0", "ok", "101");
    assert!(host.heads().iter().any(|head| head.contains("X-Access: field-hunter2")), "to the controller");
    expect(&ended_with(&place), "proxy", "fail", "wants other credentials (407)");
    let nobody = format!("me:me-hunter2@127.0.0.1:{}", free_port());
    expect(&ended_with(&nobody), "connection", "fail", "nobody listens there");
}

#[test]
fn the_key_is_told_by_what_a_controller_must_know_of_it() {
    let (home, host, engine) = (Home::new(), portwing(), engine());
    let shown = keygen(&home, "agent");
    let file = home.path("agent").join("key.pem");
    let ended = examine(&engine, &[&host.url()], &[("PRIVATE_KEY_FILE", file.to_str().unwrap())]);
    let public = shown.line.split_whitespace().nth(1).unwrap();
    expect(&ended, "identity", "ok", &format!("ed25519 {public}"));
    assert!(!ended.words().contains(shown.key.lines().nth(1).unwrap()), "the private key: {}", ended.words());
}

#[test]
fn a_running_agent_is_asked_as_a_client_would() {
    let (home, engine) = (Home::new(), engine());
    let [cert, key] = server_cert(&home, "agent");
    let tls = [("TLS_CERT", cert.as_str()), ("TLS_KEY", key.as_str())];
    for (more, certificate) in [(&[][..], "plain HTTP shows none"), (&tls, "valid for 36")] {
        let agent = Agent::start_with(&engine, more);
        let port = agent.port().to_string();
        let same = [more, &[("PORT", port.as_str())]].concat();
        let ended = examine(&engine, &[], &same);
        assert_eq!(ended.code, Some(0), "{}", ended.words());
        expect(&ended, "mode", "ok", "standard");
        expect(&ended, "listener", "ok", &port);
        let found = checks(&ended, "certificate");
        assert!(found[0].what.contains(certificate), "{}", found[0].what);
        expect(&ended, "credential", "ok", "the token is taken (200)");
        expect(&ended, "without credential", "ok", "401");
        let other = [same.as_slice(), &[("TOKEN", "quite-another-token")]].concat();
        let ended = examine(&engine, &[], &other);
        assert_eq!(ended.code, Some(1), "{}", ended.words());
        expect(&ended, "credential", "fail", "does not take the token");
        agent.stop();
        let ended = examine(&engine, &[], &same);
        expect(&ended, "listener", "fail", "start the agent");
        expect(&ended, "credential", "skipped", "");
    }
}

#[test]
fn an_agent_that_speaks_something_else_than_the_environment_says_is_told() {
    let (home, engine) = (Home::new(), engine());
    let [[cert, key], [other_cert, other_key]] = ["one", "other"].map(|name| server_cert(&home, name));
    let agent = Agent::start_with(&engine, &[("TLS_CERT", &cert), ("TLS_KEY", &key)]);
    let port = agent.port().to_string();
    let other = [("PORT", port.as_str()), ("TLS_CERT", &other_cert), ("TLS_KEY", &other_key)];
    expect(&examine(&engine, &[], &other), "listener", "fail", "another certificate than TLS_CERT names");
    agent.stop();
    let agent = Agent::start_with(&engine, &[]);
    let port = agent.port().to_string();
    let ended = examine(&engine, &[], &[("PORT", &port), ("TLS_CERT", &cert), ("TLS_KEY", &key)]);
    expect(&ended, "listener", "fail", "speaks plain HTTP");
    agent.stop();
    let open = [("TOKEN", ""), ("ALLOW_UNAUTHENTICATED", "true"), ("LOOKOUT_ENV", "Development")];
    let agent = Agent::start_with(&engine, &open);
    let port = agent.port().to_string();
    let ended = examine(&engine, &[], &[&open[..], &[("PORT", &port)]].concat());
    expect(&ended, "without credential", "warn", "everybody is let in");
    let ended = examine(&engine, &[], &[("PORT", &port)]);
    expect(&ended, "without credential", "fail", "everybody is let in");
    agent.stop();
}

#[test]
fn flaws_of_old_releases_are_a_warning() {
    let (host, engine) = (portwing(), engine_of("20.10.24+dfsg1", "1.1.4+ds1"));
    let ended = examine(&engine, &[&host.url()], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.words());
    for part in ["Engine 20.10.24+dfsg1", "CVE-2026-41567", "runc 1.1.4+ds1", "newest release"] {
        expect(&ended, "known flaws", "warn", part);
    }
}

#[test]
fn an_engine_that_is_not_there_is_told_with_what_to_do() {
    let (home, host) = (Home::new(), portwing());
    let missing = home.path("docker.sock").to_str().unwrap().to_owned();
    let ended = run(&["doctor", "--json", &host.url()], &[("TOKEN", TOKEN), ("DOCKER_SOCKET", &missing)]);
    assert_eq!(ended.code, Some(1), "{}", ended.words());
    expect(&ended, "socket", "fail", &missing);
    expect(&ended, "engine", "fail", "DOCKER_SOCKET");
    expect(&ended, "runc", "skipped", "");
}

#[test]
fn a_configuration_that_is_not_sound_is_told_and_the_rest_looked_at_all_the_same() {
    let (host, engine) = (portwing(), engine());
    let ended = examine(&engine, &[&host.url()], &[("TOKEN", ""), ("LOG_LEVEL", "loud")]);
    assert_eq!(ended.code, Some(78), "{}", ended.words());
    let told: Vec<_> = checks(&ended, "configuration").into_iter().map(|check| check.what).collect();
    assert!(told.len() == 2 && told.iter().any(|what| what.contains("LOG_LEVEL")), "{told:?}");
    expect(&ended, "portwing/1.0", "ok", "");
    expect(&ended, "engine", "ok", "");
}

#[test]
fn an_address_that_is_none_is_a_matter_of_usage_and_not_repeated() {
    let ended = run(&["doctor", "wss://me:hunter2@controller"], &[("TOKEN", TOKEN)]);
    assert_eq!(ended.code, Some(64), "{}", ended.words());
    assert!(ended.stderr.contains("EDGE_HEADERS_FILE") && !ended.words().contains("hunter2"));
    assert_eq!(run(&["doctor", "wss://a", "wss://b"], &[]).code, Some(64));
}
