//! What a key with limits is told: secrets blanked, lists sifted, and never what could not be judged.
use std::sync::{Arc, Mutex};

use crate::agent::{Agent, request};
use crate::engine::Home;
use crate::message::{Length, Message};
use crate::world::{Call, World, signed_head, told};

const MIB: usize = 1024 * 1024;
const SECRET: &str = "hunter2";

/// What the agent judges at once.
const LIMIT: usize = 4 * MIB;

/// An Engine that gives every client the answer that is set.
struct Teller {
    world: World,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Teller {
    fn new() -> Self {
        let answer = Arc::<Mutex<Vec<u8>>>::default();
        let given = Arc::clone(&answer);
        let otherwise = move |call: &Call| call.is_clients().then(|| given.lock().unwrap().clone());
        Self { world: World::with(KEYS, &[], Box::new(otherwise)), answer }
    }

    /// The text of what a key is told, which begins with a good status.
    fn text(&self, key: u8, line: &str) -> String {
        let answer = self.world.ask(key, line, "");
        assert_eq!(answer.status(), 200, "{line} by key {key}: {}", answer.text());
        answer.text()
    }

    fn answers(&self, answer: Vec<u8>) {
        *self.answer.lock().unwrap() = answer;
    }
}

const KEYS: &[&str] = &[
    r#"allow="view,power,logs""#,
    r#"allow="view,dump""#,
    r#"allow="view,dump,power",label="team=web""#,
    r#"allow="all""#,
];

#[test]
fn secrets_are_blanked_for_who_may_not_read_them() {
    let teller = Teller::new();
    for (line, answer, told_parts) in [
        (
            "GET /containers/web/json",
            r#"{"Id":"x","Path":"sh","Args":["-c","hunter2"],"Config":{"Env":["A=hunter2","B"],"Cmd":["hunter2"],
               "Labels":{"a":"label"},"Healthcheck":{"Test":["CMD","hunter2"]}},
               "HostConfig":{"LogConfig":{"Type":"syslog","Config":{"token":"hunter2"}}}}"#,
            &["\"A=***\"", "\"B\"", "\"label\"", "\"token\":\"***\"", "\"Id\":\"x\""][..],
        ),
        ("GET /containers/json", r#"[{"Id":"x","Command":"sh -c hunter2","Labels":{}}]"#, &["\"Id\":\"x\""]),
        (
            "GET /images/redis/json",
            r#"{"Id":"x","Config":{"Env":["A=hunter2"],"Cmd":["serve"]},"ContainerConfig":{"Cmd":["hunter2"]}}"#,
            &["\"A=***\"", "serve"],
        ),
        (
            "GET /images/redis/history",
            r#"[{"Id":"x","CreatedBy":"RUN a=hunter2","Comment":"hunter2"}]"#,
            &["\"Id\":\"x\""],
        ),
        ("GET /volumes/data", r#"{"Name":"data","Options":{"o":"password=hunter2"}}"#, &["\"o\":\"***\""]),
        (
            "GET /volumes",
            r#"{"Volumes":[{"Name":"data","Options":{"o":"password=hunter2"}}]}"#,
            &["\"o\":\"***\""],
        ),
        (
            "GET /info",
            r#"{"ID":"x","HttpProxy":"http://u:hunter2@p","Labels":["a=hunter2"],"Swarm":{"NodeAddr":"hunter2"}}"#,
            &["\"ID\":\"x\""],
        ),
        (
            "GET /system/df",
            r#"{"Containers":[{"Command":"hunter2"}],"BuildCache":[{"Description":"hunter2"}]}"#,
            &["Containers"],
        ),
        (
            "GET /services/a",
            r#"{"ID":"x","Spec":{"TaskTemplate":{"ContainerSpec":{"Env":["A=hunter2"],"Args":["hunter2"]}}}}"#,
            &["\"A=***\""],
        ),
        ("GET /plugins", r#"[{"Id":"x","Settings":{"Env":["A=hunter2"]}}]"#, &["\"A=***\""]),
    ] {
        assert!(answer.contains(SECRET));
        teller.answers(told(200, answer));
        let blanked = teller.text(1, line);
        assert!(!blanked.contains(SECRET), "{line}: {blanked}");
        for part in told_parts {
            assert!(blanked.contains(part), "{line}: {part} in {blanked}");
        }
        assert!(teller.text(2, line).contains(SECRET), "{line} with class dump");
        assert_eq!(teller.text(4, line), answer, "{line} with everything");
    }
}

#[test]
fn what_processes_were_started_with_is_not_told() {
    let top = r#"{"Titles":["PID","CMD"],"Processes":[["1","sh -c hunter2"],["2","serve --token hunter2"]]}"#;
    let teller = Teller::new();
    teller.answers(told(200, top));
    let shown = teller.text(1, "GET /containers/web/top");
    assert!(!shown.contains(SECRET) && shown.contains("serve") && shown.contains("\"2\""), "{shown}");
    let options = "GET /containers/web/top?ps_args=eww";
    let answer = teller.world.ask(1, options, "");
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.sentence(), "lookout: key somebody lacks class dump, which ps_args needs");
    assert_eq!(teller.world.lines(), ["GET /containers/web/top"]);
    assert_eq!(teller.text(2, options).matches(SECRET).count(), 2);
}

const EVENTS: &str = concat!(
    r#"{"status":"exec_create: sh -c hunter2","id":"a","Type":"container","Action":"exec_create: sh -c hunter2","#,
    r#""Actor":{"ID":"a","Attributes":{"team":"web","execID":"e","name":"web"}}}"#,
    "\n",
    r#"{"status":"exec_start: hunter2","Type":"container","Action":"exec_start: hunter2","#,
    r#""Actor":{"ID":"b","Attributes":{"team":"db","name":"db"}}}"#,
    "\n",
    r#"{"Type":"network","Action":"connect","Actor":{"ID":"n","Attributes":{"team":"web","name":"net"}}}"#,
    "\n",
);

#[test]
fn events_tell_what_happened_and_not_with_which_words() {
    let teller = Teller::new();
    teller.answers(chunked(EVENTS, 7));
    let told = teller.text(1, "GET /events?since=1&until=2");
    assert!(!told.contains(SECRET), "{told}");
    assert_eq!(told.lines().count(), 3);
    assert!(told.contains(r#""Action":"exec_create""#) && told.contains(r#""execID":"e""#), "{told}");
    let ours = teller.text(3, "GET /events");
    assert_eq!(ours.lines().count(), 1, "only containers with the label: {ours}");
    assert!(
        ours.contains(r#""ID":"a""#) && ours.contains("exec_create: sh -c hunter2"),
        "class dump: {ours}"
    );
    let line = teller.world.last().line().to_owned();
    assert!(line.contains("team%3Dweb"), "{line}");
    assert_eq!(teller.text(4, "GET /events"), EVENTS);
}

#[test]
fn what_a_command_was_started_with_is_not_told() {
    let inspected =
        r#"{"ID":"x","ProcessConfig":{"entrypoint":"sh","arguments":["-c","hunter2"]},"Running":true}"#;
    let answers = move |call: &Call| call.line().starts_with("GET /exec/").then(|| told(200, inspected));
    let world = World::with(&[r#"allow="view,exec""#, r#"allow="view,exec,dump""#], &[], Box::new(answers));
    for key in [1, 2] {
        let made = world.ask(key, "POST /containers/web/exec", r#"{"Cmd":["sh","-c","hunter2"]}"#).text();
        let told = world.ask(key, &format!("GET /exec/{}/json", &made[7..71]), "").text();
        assert_eq!(told.contains(SECRET), key == 2, "{told}");
        assert!(told.contains(r#""Running":true"#), "{told}");
    }
}

/// Containers of two teams in turn, each of about a kilobyte.
fn many(count: usize) -> String {
    let one = |number: usize| {
        let team = ["web", "db"][number % 2];
        let filler = "x".repeat(900);
        format!(
            r#"{{"Id":"{number:064}","Command":"{SECRET}","State":"{filler}","Labels":{{"team":"{team}"}}}}"#
        )
    };
    format!("[{}]", (0..count).map(one).collect::<Vec<_>>().join(",\n"))
}

fn chunked(body: &str, most: usize) -> Vec<u8> {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    [head.as_slice(), &crate::world::chunked(body.as_bytes(), most)].concat()
}

#[test]
fn a_list_of_any_length_is_sifted_while_it_streams() {
    let count = 6000;
    let list = many(count);
    assert!(list.len() > LIMIT);
    let teller = Teller::new();
    for answer in [told(200, &list), chunked(&list, 1000), chunked(&list, 65_521)] {
        teller.answers(answer);
        let before = teller.world.agent.resident_kib();
        let sifted = teller.world.ask(3, "GET /containers/json?all=1", "");
        assert_eq!(sifted.head.length(), Length::Chunked, "its length is not known yet");
        let text = sifted.text();
        assert_eq!(text.matches(r#""team":"web""#).count(), count / 2);
        assert!(!text.contains(r#""team":"db""#) && text.starts_with('[') && text.ends_with(']'));
        assert_eq!(text.matches(r#"},{"Id""#).count(), count / 2 - 1);
        let blanked = teller.text(1, "GET /containers/json");
        assert!(!blanked.contains(SECRET) && blanked.matches(r#""Id""#).count() == count);
        let after = teller.world.agent.resident_kib();
        assert!(after < before + 4096, "{before} KiB before, {after} KiB after {} bytes", list.len());
    }
}

/// What came of an answer before it broke off, or all of it.
fn cut_or_whole(world: &World, version: &str, line: &str) -> Result<Message, Vec<u8>> {
    let mut client = world.agent.client();
    client.send(signed_head(1, line, "", b"").replace("HTTP/1.1", version));
    let head = client.wire().head().map_err(|cut| cut.got)?;
    match client.body(head.length()) {
        Ok(body) => Ok(Message { head, body }),
        Err(cut) => Err(cut.got),
    }
}

#[test]
fn a_document_that_is_too_large_to_be_judged_is_not_told() {
    let filler = |size: usize| {
        let empty = format!(r#"{{"Id":"x","Config":{{"Env":["A={SECRET}"]}},"Name":""}}"#);
        empty.replace("\"\"", &format!("\"{}\"", "x".repeat(size - empty.len())))
    };
    let teller = Teller::new();
    for (size, is_told) in [(LIMIT - 1, true), (LIMIT, true), (LIMIT + 1, false)] {
        for answer in [told(200, filler(size)), chunked(&filler(size), 100_000)] {
            teller.answers(answer);
            let answer = teller.world.ask(1, "GET /containers/web/json", "");
            assert_eq!(answer.status(), if is_told { 200 } else { 502 }, "{size}");
            let text = answer.text();
            assert!(!text.contains(SECRET) && (is_told || answer.sentence().len() < 200), "{size}");
            assert_eq!(teller.text(4, "GET /containers/web/json").len(), size, "with everything");
        }
    }
}

#[test]
fn an_element_that_is_too_large_to_be_judged_breaks_the_answer_off() {
    let element = format!(r#"{{"Id":"large","Command":"{SECRET}","x":"{}"}}"#, "y".repeat(LIMIT));
    let list = format!(r#"[{{"Id":"first","Command":"{SECRET}"}},{element},{{"Id":"last"}}]"#);
    let teller = Teller::new();
    let ways = [told(200, &list), chunked(&list, 100_000), told(200, &list), chunked(&list, 100_000)];
    for (count, answer) in (1..).zip(ways) {
        teller.answers(answer);
        // Without chunks the end of the connection is the end of the answer: it must not be an orderly one.
        let version = ["HTTP/1.1", "HTTP/1.0"][(count - 1) / 2];
        let got = cut_or_whole(&teller.world, version, "GET /containers/json").err().expect("it breaks off");
        let got = String::from_utf8_lossy(&got).into_owned();
        assert!(got.is_empty() || got == r#"[{"Id":"first","Command":"***"}"#, "{got}");
        let record = teller.world.records("engine.untellable", count).pop().unwrap();
        assert!(record.contains("4194304 bytes"), "{record}");
        assert!(teller.text(4, "GET /containers/json") == list, "with everything it is another");
    }
}

#[test]
fn what_is_no_json_is_not_told() {
    let teller = Teller::new();
    let mut count = 0;
    for (line, broken) in [
        ("GET /containers/web/json", r#"{"Config":{"Env":["A=hunter2"]}"#),
        ("GET /containers/web/json", r#"{"Config":{"Env":["A=hunter2"]}} x"#),
        ("GET /containers/web/json", r#"{"Env":["A=hunter2"],"Env":["A=hunter2"]}"#),
        ("GET /containers/web/json", "hunter2"),
        ("GET /containers/web/json", ""),
        ("GET /volumes", r#"{"Volumes":[{"Options":{"o":"hunter2"}}"#),
        ("GET /info", "\u{feff}{\"HttpProxy\":\"hunter2\"}"),
    ] {
        teller.answers(told(200, broken));
        let answer = teller.world.ask(1, line, "");
        assert_eq!(answer.status(), 502, "{broken}");
        assert!(!answer.sentence().contains(SECRET), "{}", answer.text());
        count += 1;
        let record = teller.world.records("engine.untellable", count).pop().unwrap();
        assert!(!record.contains(SECRET), "{record}");
        assert_eq!(teller.text(4, line), broken, "with everything");
    }
    for (line, broken, told_before) in [
        ("GET /containers/json", r#"[{"Id":"a"},{"Command":"hunter2""#, r#"[{"Id":"a"}"#),
        ("GET /containers/json", r#"[{"Id":"a"} {"Command":"hunter2"}]"#, r#"[{"Id":"a"}"#),
        (
            "GET /containers/json",
            r#"[{"Id":"a"},{"Command":"hunter2","Command":"hunter2"}]"#,
            r#"[{"Id":"a"}"#,
        ),
        ("GET /containers/json", r#"[{"Id":"a"}]{"Command":"hunter2"}"#, r#"[{"Id":"a"}]"#),
        ("GET /containers/json", r#"{"Command":"hunter2"}"#, ""),
        ("GET /containers/json", "hunter2", ""),
        ("GET /events", "{\"Type\":\"a\"}\n{\"Action\":\"exec_create: hunter2\"", "{\"Type\":\"a\"}\n"),
        ("GET /events", "{\"Type\":\"a\"}\nhunter2\n", "{\"Type\":\"a\"}\n"),
    ] {
        teller.answers(told(200, broken));
        let got = cut_or_whole(&teller.world, "HTTP/1.1", line)
            .err()
            .unwrap_or_else(|| panic!("{broken} came to an end"));
        let got = String::from_utf8_lossy(&got).into_owned();
        assert!(told_before.starts_with(&got), "{broken}: {got}");
        assert_eq!(teller.text(4, line), broken, "with everything");
    }
}

#[test]
fn nobody_with_limits_is_sent_elsewhere() {
    let teller = Teller::new();
    for status in [300, 301, 302, 307, 308] {
        let head = format!(
            "HTTP/1.1 {status} Elsewhere\r\nLocation: http://evil.invalid/{SECRET}\r\nContent-Length: 7\r\n\r\n{SECRET}"
        );
        teller.answers(head.into_bytes());
        for line in [
            "GET /containers/json",
            "GET /_ping",
            "POST /containers/web/kill",
            "GET /containers/web/logs?stdout=1",
        ] {
            let answer = teller.world.ask(1, line, "");
            assert_eq!(answer.status(), 502, "{line} {status}");
            assert!(
                answer.head.value("location").is_none() && !answer.text().contains(SECRET),
                "{}",
                answer.text()
            );
        }
        let answer = teller.world.ask(4, "GET /containers/json", "");
        assert_eq!((answer.status(), answer.text().as_str()), (status, SECRET), "with everything");
    }
}

/// What the Engine says no with is its own, and what it streams without JSON too.
#[test]
fn refusals_of_the_engine_and_logs_pass_as_they_are() {
    let no = r#"{ "message" : "No such container: web" }"#;
    let teller = Teller::new();
    teller.answers(told(404, no));
    for line in ["GET /containers/web/json", "GET /containers/json", "POST /containers/web/kill"] {
        let answer = teller.world.ask(1, line, "");
        assert_eq!((answer.status(), answer.text().as_str()), (404, no), "{line}");
    }
    let log = "\u{1}\0\0\0\0\0\0\u{8}hunter2\n";
    teller.answers(told(200, log));
    assert_eq!(teller.text(1, "GET /containers/web/logs?stdout=1"), log);
}

#[test]
fn an_engine_that_is_away_is_told_to_be_away() {
    let home = Home::new();
    let agent = Agent::start_at(&home.path("nobody.sock"), &[("TOKEN_ALLOW", "view,create")]);
    for line in ["GET /containers/json", "GET /v1.41/containers/json", "GET /v1.24/info"] {
        let answer = agent.ask(request(line, ""));
        assert_eq!(answer.status(), 502, "{line}: {}", answer.text());
        assert!(answer.sentence().contains("does not answer"), "{line}: {}", answer.text());
    }
}
