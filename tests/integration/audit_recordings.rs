//! Commands of keys with the option `record`: the file, its hash in the trail, and what is refused instead.
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::agent::{Agent, run};
use crate::client::Client;
use crate::edge_link::Link;
use crate::edge_world::{Edge, desk, merged, whole};
use crate::engine::{Engine, Home, Visit};
use crate::fleet::framed;
use crate::message::Head;
use crate::patience::until;
use crate::signer::{Draft, Signer, agent, file, head, next_second, sha256};

const START: &str = "POST /v1.41/exec/e1/start";
const ATTACH: &str = "POST /v1.41/containers/web/attach?stream=1&stdin=1&stdout=1&stderr=1";
const TTY: &str = r#"{"Detach":false,"Tty":true,"ConsoleSize":[30,100]}"#;
const PLAIN: &str = r#"{"Detach":false,"Tty":false}"#;
const CONTAINER: &str = "c0ffee";

const SWITCH: &str = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\
                      Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

/// A container `web` with or without a terminal, and a command `e1` in it. What starts goes on as the script says.
fn engine(has_terminal: bool, script: impl Fn(&mut Visit) + Send + Sync + 'static) -> Engine {
    desk(move |visit, head| {
        let Ok(_) = visit.body(head) else { return false };
        let path = head.target().trim_start_matches("/v1.41").split('?').next().unwrap_or_default();
        let told = match path {
            "/exec/e1/json" => json!({"ID": "e1", "ContainerID": CONTAINER, "ExitCode": 0}),
            "/containers/web/json" => json!({"Id": CONTAINER, "Config": {"Tty": has_terminal}}),
            "/exec/e1/start" | "/containers/web/attach" | "/containers/web/attach/ws" => {
                begin(visit, head);
                script(visit);
                return false;
            }
            _ => {
                let why = r#"{"message":"there is no such thing"}"#;
                return visit.try_send(whole("404 Not Found", "application/json", why)).is_ok();
            }
        };
        visit.try_send(whole("200 OK", "application/json", told.to_string())).is_ok()
    })
}

fn begin(visit: &mut Visit, head: &Head) {
    let plain = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n";
    let _ = visit.try_send(if head.values("upgrade").is_empty() { plain } else { SWITCH });
}

/// Greets, and sends back what is typed in capitals, up to `exit`.
fn shell(visit: &mut Visit) {
    let _ = visit.try_send("$ ");
    while let Ok(bytes) = visit.wire().some().map(<[u8]>::to_vec) {
        visit.wire().consume(bytes.len());
        if bytes.is_empty() || visit.try_send(bytes.to_ascii_uppercase()).is_err() || bytes.ends_with(b"exit")
        {
            return;
        }
    }
}

/// Where an agent keeps its trail and its recordings, and the key that is recorded.
struct Scene {
    home: Home,
    signer: Signer,
    options: &'static str,
}

impl Scene {
    fn new() -> Self {
        Self::of("record")
    }

    fn of(options: &'static str) -> Self {
        Self { home: Home::new(), signer: Signer::new(1), options }
    }

    fn variables(&self) -> [(&'static str, String); 3] {
        let keys = file(&self.home, "keys", format!("{} {}", self.options, self.signer.line()));
        let at = |name: &str| self.home.path(name).to_str().unwrap().to_owned();
        [("AUTHORIZED_KEYS", keys), ("AUDIT_LOG", at("trail")), ("STATE_DIR", at("state"))]
    }

    fn agent(&self, engine: &Engine) -> Agent {
        let all = self.variables();
        let more: Vec<_> = all[1..].iter().map(|(name, value)| (*name, value.as_str())).collect();
        agent(engine, &all[0].1, &more)
    }

    /// A request of the key's with further fields.
    fn request(&self, line: &str, body: &str, more: &str) -> String {
        let fields = Draft::new(3, line, body).fields(&self.signer) + more;
        head(line, &format!("{fields}Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()))
            + body
    }

    fn upgraded(&self, agent: &Agent, line: &str, body: &str) -> Client {
        let mut client = agent.client();
        client.send(self.request(line, body, "Connection: Upgrade\r\nUpgrade: tcp\r\n"));
        let head = client.head();
        assert_eq!(head.status(), 101, "{head:?}");
        client
    }

    fn refused(&self, agent: &Agent, line: &str, body: &str) -> (u16, String) {
        let answer = agent.ask(self.request(line, body, ""));
        (answer.status(), answer.sentence())
    }

    fn recordings(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.home.path("state").join("recordings")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn trail(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.home.path("trail")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The recorded end of a command, and what its file holds, whose hash is right.
    fn recorded(&self) -> (Value, Cast) {
        let record = until("the end of a recorded command", || {
            self.trail().into_iter().find(|record| !record["recording"].is_null())
        });
        assert_eq!((&record["event"], &record["key_id"]), (&json!("stream_end"), &json!(self.signer.id())));
        let name = record["recording"].as_str().unwrap();
        assert_eq!(name, format!("{}.cast", record["request_id"].as_str().unwrap()));
        let path = self.home.path("state").join("recordings").join(name);
        let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&path), mode(&path.parent().unwrap().to_owned())), (0o600, 0o700));
        let text = fs::read_to_string(path).unwrap();
        assert_eq!(record["recording_sha256"], sha256(&text));
        (record.clone(), Cast::read(&text))
    }

    /// The chain is whole, and holds the records about recordings.
    fn verify(&self) {
        let ended = run(&["audit", "verify", self.home.path("trail").to_str().unwrap()], &[]);
        assert_eq!(ended.code, Some(0), "{}", ended.words());
    }
}

/// A recording, read as a player reads it.
struct Cast {
    head: Value,
    events: Vec<(f64, String, String)>,
}

impl Cast {
    fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let head: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        assert_eq!(head["version"], 2);
        assert!(head["timestamp"].as_u64().is_some_and(|at| at > 1_700_000_000), "{head}");
        let events: Vec<_> =
            lines.map(|line| serde_json::from_str::<(f64, String, String)>(line).unwrap()).collect();
        assert!(events.windows(2).all(|two| two[0].0 <= two[1].0), "{text}");
        Self { head, events }
    }

    /// Everything of one kind, in order.
    fn all(&self, code: &str) -> String {
        self.events.iter().filter(|event| event.1 == code).map(|event| event.2.as_str()).collect()
    }
}

#[test]
fn a_command_in_a_terminal_is_recorded_with_what_is_typed_into_it() {
    let (scene, engine) = (Scene::new(), engine(true, shell));
    let agent = scene.agent(&engine);
    let mut client = scene.upgraded(&agent, START, TTY);
    assert_eq!(client.take(2), b"$ ");
    // Cut within a character.
    for piece in [b"gr\xc3".as_slice(), b"\xb6\xc3\x9fe \xff", b"exit"] {
        client.send(piece);
        assert_eq!(client.take(piece.len()), piece.to_ascii_uppercase());
    }
    client.expect_end();
    let (record, cast) = scene.recorded();
    assert_eq!((&record["path"], &record["outcome"]), (&json!("/v1.41/exec/e1/start"), &json!("allowed")));
    let shown = [("title", json!(CONTAINER)), ("width", json!(100)), ("height", json!(30))];
    assert!(shown.iter().all(|(name, value)| cast.head[name] == *value), "{}", cast.head);
    assert_eq!(cast.all("i"), "größe \u{fffd}exit");
    assert_eq!(cast.all("o"), "$ GRößE \u{fffd}EXIT");
    drop(agent);
    scene.verify();
}

#[test]
fn an_attachment_without_a_terminal_is_recorded_without_its_frames() {
    let (scene, engine) = (
        Scene::of("record,allow=\"exec\""),
        engine(false, |visit| {
            for piece in [framed(1, "out\n"), framed(2, "err\n"), framed(1, "\u{20ac}")] {
                for byte in piece {
                    let _ = visit.try_send([byte]);
                }
            }
        }),
    );
    let agent = scene.agent(&engine);
    let mut client = scene.upgraded(&agent, ATTACH, "");
    let frames = [framed(1, "out\n"), framed(2, "err\n"), framed(1, "\u{20ac}")].concat();
    assert_eq!(client.take(frames.len()), frames);
    client.finish_sending();
    client.expect_end();
    let (_, cast) = scene.recorded();
    assert_eq!((cast.all("o").as_str(), cast.all("i").as_str()), ("out\nerr\n\u{20ac}", ""));
    assert_eq!((&cast.head["width"], &cast.head["height"]), (&json!(80), &json!(24)));
}

#[test]
fn a_command_whose_client_asks_for_no_upgrade_is_recorded_too() {
    let (scene, engine) = (
        Scene::new(),
        engine(false, |visit| {
            let _ = visit.try_send(framed(1, "hello"));
        }),
    );
    let agent = scene.agent(&engine);
    let answer = agent.ask(scene.request(START, PLAIN, ""));
    assert_eq!((answer.status(), answer.body), (200, framed(1, "hello")));
    let (_, cast) = scene.recorded();
    assert_eq!(cast.all("o"), "hello");
}

#[test]
fn what_cannot_be_recorded_whole_is_refused_and_never_reaches_the_engine() {
    let (scene, engine) = (Scene::new(), engine(true, shell));
    let agent = scene.agent(&engine);
    for (line, body, why) in [
        (START, r#"{"Detach":true}"#, "one that is detached cannot be"),
        (START, r#"{"Detach":false,"detach":true}"#, "one that is detached cannot be"),
        (START, "Detach", "must be JSON that tells its length"),
        ("GET /containers/web/attach/ws?stream=1", "", "a WebSocket to a container is not"),
    ] {
        let (status, told) = scene.refused(&agent, line, body);
        assert!(status == 403 && told.contains(why), "{line} {body}: {status} {told}");
    }
    // What never ran leaves no file.
    assert_eq!(scene.refused(&agent, "POST /exec/missing/start", PLAIN).0, 404);
    until("only the trail is left", || scene.recordings().is_empty().then_some(()));
    let asked: String = engine.visits().iter().map(crate::engine::Record::text).collect();
    assert!(!asked.contains("/exec/e1/start") && !asked.contains("/attach"), "{asked}");
}

#[test]
fn without_room_for_a_recording_there_is_no_command() {
    let (scene, engine) = (Scene::new(), engine(true, shell));
    let agent = scene.agent(&engine);
    let dir = scene.home.path("state").join("recordings");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    let large = dir.join("large.cast");
    fs::File::create(&large).unwrap().set_len(1 << 30).unwrap();
    let (status, told) = scene.refused(&agent, START, TTY);
    assert!(status == 503 && told.contains("which is the limit: move some of them away"), "{told}");
    fs::remove_file(large).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    let (status, told) = scene.refused(&agent, START, TTY);
    assert!(status == 503 && told.contains("no recording can be written"), "{told}");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    let mut client = scene.upgraded(&agent, START, TTY);
    client.send("exit");
    assert_eq!(client.take(6), b"$ EXIT");
    let asked: String = engine.visits().iter().map(crate::engine::Record::text).collect();
    assert_eq!(asked.matches("/exec/e1/start").count(), 1, "{asked}");
}

#[test]
fn nothing_is_recorded_of_who_did_not_ask_for_it() {
    let (scene, engine) = (Scene::new(), engine(true, shell));
    let agent = scene.agent(&engine);
    let mut client = agent.client();
    client.send(crate::agent::request_with(
        START,
        "Content-Type: application/json\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n",
        TTY,
    ));
    assert_eq!(client.head().status(), 101);
    client.send("exit");
    assert_eq!(client.take(6), b"$ EXIT");
    client.expect_end();
    let end = until("the end", || scene.trail().into_iter().find(|record| record["event"] == "stream_end"));
    assert!(end["recording"].is_null() && scene.recordings().is_empty(), "{end}");
}

#[test]
fn a_keys_file_that_asks_for_recordings_needs_a_trail_and_a_directory() {
    let scene = Scene::new();
    let all = scene.variables();
    let variables: Vec<_> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for left_out in ["AUDIT_LOG", "STATE_DIR"] {
        let some: Vec<_> = variables.iter().copied().filter(|(name, _)| *name != left_out).collect();
        let ended = run(&["config"], &some);
        assert_eq!(ended.code, Some(78), "{}", ended.words());
        assert!(
            ended.stderr.contains("AUDIT_LOG, STATE_DIR: a key has the option record"),
            "{}",
            ended.stderr
        );
    }
    let ended = run(&["config"], &variables);
    assert_eq!(ended.code, Some(0), "{}", ended.words());
    let told = run(&["policy", "check", &all[0].1], &[]).stdout;
    assert!(told.contains("its commands and attachments are recorded"), "{told}");
}

/// A signed request for an upgrade through the tunnel.
fn ask(link: &mut Link, signer: &Signer, line: &str, body: &str) {
    let draft = Draft::new(3, line, body);
    let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), json!(value)));
    let signed: Value = draft.fields(signer).lines().filter_map(pair).collect();
    let fields = json!({"Upgrade": "tcp", "Connection": "Upgrade", "User-Agent": "client",
                        "Content-Type": "application/json"});
    let more = json!({"headers": merged(&fields, &signed), "bodyEncoding": "base64",
                      "body": BASE64.encode(body.as_bytes())});
    link.request("u", line, &more);
    let head = link.about("u");
    assert_eq!(head["data"]["statusCode"], 101, "{head}");
}

#[test]
fn a_signed_command_through_the_tunnel_is_recorded_and_the_controllers_own_is_not() {
    let (scene, engine) = (Scene::new(), engine(true, shell));
    let all = scene.variables();
    let variables: Vec<_> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let welcome = json!({"capabilities": ["duplex-streams"]});
    let mut edge = Edge::open_with(&engine, &variables, &welcome);
    next_second();
    ask(&mut edge.link, &scene.signer, START, TTY);
    let say = |link: &Link, text: &str| {
        link.send("stream", &json!({"requestId": "u", "data": BASE64.encode(text.as_bytes())}));
    };
    assert_eq!(edge.link.some("u", 2), b"$ ");
    say(&edge.link, "ls exit");
    assert_eq!(edge.link.streamed("u"), (b"LS EXIT".to_vec(), "complete".to_owned()));
    edge.link.send("stream_end", &json!({"requestId": "u"}));
    let (record, cast) = scene.recorded();
    assert_eq!(record["path"], "/v1.41/exec/e1/start");
    assert_eq!((cast.all("o").as_str(), cast.all("i").as_str()), ("$ LS EXIT", "ls exit"));
    // What nobody signed is the controller's, which has no line in a keys file.
    let fields = json!({"headers": {"Upgrade": "tcp", "Connection": "Upgrade", "User-Agent": "client"}});
    edge.link.request("own", ATTACH, &fields);
    assert_eq!(edge.link.about("own")["data"]["statusCode"], 101);
    assert_eq!(edge.link.some("own", 2), b"$ ");
    assert_eq!(scene.recordings().len(), 1);
    drop(edge);
    scene.verify();
}
