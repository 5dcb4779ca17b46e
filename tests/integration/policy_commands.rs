//! `lookout policy`: what it says of keys, that it says of a request what the agent then does, and who is named as
//! good as root in the log.
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::agent::{Agent, BINARY, Ended, TOKEN, request_with, run};
use crate::engine::{Engine, Home, OK};
use crate::patience::until;
use crate::signer::{Signer, agent, file, logged, reload};

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A line with these options for the key of this seed.
fn line(options: &str, seed: u8, comment: &str) -> String {
    let space = if options.is_empty() { "" } else { " " };
    format!("{options}{space}{}", Signer::new(seed).line_of(comment))
}

/// What `lookout policy explain` says with this on its standard input.
fn explain(arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Ended {
    let mut command = Command::new(BINARY);
    command.args(["policy", "explain"]).args(arguments).env_clear().envs(variables.iter().copied());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // It may end before it has read everything.
    let writer = thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// What stands behind a word at the beginning of a line.
fn row<'t>(told: &'t str, word: &str) -> &'t str {
    let mut rows = told.lines().filter_map(|line| line.trim_start().split_once(' '));
    rows.find(|(name, _)| *name == word).map_or("", |(_, text)| text.trim_start())
}

/// The lines about one credential.
fn block<'t>(told: &'t str, title: &str) -> &'t str {
    let blocks: Vec<_> = told.split("\n\n").filter(|block| block.lines().next() == Some(title)).collect();
    assert_eq!(blocks.len(), 1, "{title}: {told}");
    blocks[0]
}

#[test]
fn check_says_in_words_what_each_key_can_do() {
    let home = Home::new();
    let text = line("allow=\"view,logs\",from=\"10.8.0.0/16,::1\"", 1, "dashboard")
        + &line(
            "allow=\"create\",label=\"team=web\",mount=\"/srv/web,/run:ro\",expires=\"2999-12-31T00:00:00Z\"",
            2,
            "ci web",
        )
        + &line("allow=\"exec\",expires=\"2020-01-01T00:00:00Z\"", 3, "gone")
        + &line("", 4, "");
    let path = file(&home, "keys", text);
    let title =
        |seed, comment: &str| format!("key {} {comment}", Signer::new(seed).id()).trim_end().to_owned();
    for (arguments, variables) in [
        (
            &["policy", "check", &path][..],
            &[("TOKEN_ALLOW", "nonsense"), ("AUTHORIZED_KEYS", "/no/such/file")][..],
        ),
        (&["policy", "check"], &[("AUTHORIZED_KEYS", path.as_str())]),
        (&["policy", "check"], &[("AUTHORIZED_KEYS_FILE", path.as_str())]),
    ] {
        let ended = run(arguments, variables);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.words());
        let told = ended.stdout;
        let dashboard = block(&told, &title(1, "dashboard"));
        for part in ["\n  view: list and inspect", "\n  logs: read", "\n  only from 10.8.0.0/16, ::1"] {
            assert!(dashboard.contains(part), "{part}: {dashboard}");
        }
        assert!(!dashboard.contains("root-equivalent") && !dashboard.contains("  power: "), "{dashboard}");
        let ci = block(&told, &title(2, "ci web"));
        for part in
            ["root-equivalent: mount /run:ro: sockets", "team=web", "/srv/web, /run:ro", "it expires 2999-"]
        {
            assert!(ci.contains(part), "{part}: {ci}");
        }
        let gone = block(&told, &title(3, "gone"));
        assert!(
            gone.contains("it is taken no more: it expired 2020-01-01T00:00:00")
                && gone.contains("note: exec"),
            "{gone}"
        );
        assert!(block(&told, &title(4, "")).contains("root-equivalent: class all: "), "{told}");
        let last = told.lines().last().unwrap();
        assert!(last.starts_with("root-equivalent: ") && last.matches(", ").count() == 1, "{last}");
        assert!([2, 4].iter().all(|seed| last.contains(&Signer::new(*seed).id())), "{last}");
        assert!(!told.contains("token "), "{told}");
    }
}

#[test]
fn check_says_what_tokens_can_do() {
    let home = Home::new();
    let keys = file(&home, "keys", line("allow=\"view\"", 1, "a"));
    for (variables, title, root) in [
        (
            &[("TOKEN", TOKEN), ("TOKEN_ALLOW", "view"), ("AUTHORIZED_KEYS", &keys)][..],
            "token TOKEN",
            "none that is known",
        ),
        (
            &[("TOKEN", TOKEN), ("DD_AGENT_SECRET", "another-secret-of-theirs")],
            "token TOKEN, DD_AGENT_SECRET",
            "TOKEN, DD_AGENT_SECRET",
        ),
        (&[("TOKEN_ALLOW", "view,build"), ("AUTHORIZED_KEYS", &keys)], "token TOKEN", "TOKEN"),
        (
            &[("TOKEN_HASH", "whatever it is"), ("TOKEN_ALLOW", "logs")],
            "token TOKEN_HASH",
            "none that is known",
        ),
    ] {
        let ended = run(&["policy", "check"], variables);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.words());
        block(&ended.stdout, title);
        assert_eq!(ended.stdout.lines().last(), Some(format!("root-equivalent: {root}").as_str()));
        assert!(!ended.words().contains(TOKEN) && !ended.words().contains("another-secret"));
    }
}

#[test]
fn what_is_not_sound_ends_with_78_and_its_line() {
    let home = Home::new();
    let good = line("allow=\"view\"", 1, "good");
    for (name, text, part) in [
        ("class", good.clone() + &line("allow=\"views\"", 2, "x"), "line 2: option allow wants classes"),
        ("option", good.clone() + "\n" + &line("allows=\"view\"", 2, "x"), "line 3: \"allows\" is neither"),
        ("twice", good.clone() + &good, "line 2: the same key as on line 1"),
    ] {
        let path = file(&home, name, text);
        let by_variable = [("AUTHORIZED_KEYS", path.as_str())];
        let start = run(&[], &by_variable);
        for (ended, of) in [
            (run(&["policy", "check", &path], &[]), "check FILE"),
            (run(&["policy", "check"], &by_variable), "check"),
            (explain(&["good", "GET", "/info", "--file", &path], &[], ""), "explain"),
        ] {
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(78), ""), "{of}: {}", ended.words());
            assert!(ended.stderr.contains(part), "{of}: {part}: {}", ended.stderr);
            // The very words of the start.
            assert!(
                start.stderr.contains(ended.stderr.trim_end()),
                "{of}: {} {}",
                start.stderr,
                ended.stderr
            );
        }
    }
    let loose = file(&home, "loose", good);
    fs::set_permissions(&loose, fs::Permissions::from_mode(0o604)).unwrap();
    let missing = home.path("missing").to_str().unwrap().to_owned();
    let both = [("AUTHORIZED_KEYS", loose.as_str()), ("AUTHORIZED_KEYS_FILE", loose.as_str())];
    for (arguments, variables, part) in [
        (&["policy", "check", &loose][..], &[][..], "chmod"),
        (&["policy", "check", &missing], &[], "cannot be read"),
        (&["policy", "check"], &both, "both are set"),
        (&["policy", "check"], &[("TOKEN_ALLOW", "views")], "TOKEN_ALLOW: \"views\" is no list of classes"),
        (&["policy", "check"], &[], "set AUTHORIZED_KEYS"),
        (&["policy", "explain", "a", "GET", "/a"], &[], "set AUTHORIZED_KEYS"),
        (&["policy", "explain", "token", "GET", "/a"], &[], "no token is configured"),
    ] {
        let ended = run(arguments, variables);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(78), ""), "{arguments:?}: {}", ended.words());
        assert!(ended.stderr.contains(part), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn arguments_that_name_nothing_end_with_64() {
    let home = Home::new();
    let path = file(&home, "keys", line("", 1, "twin") + &line("", 2, "twin"));
    let id = Signer::new(1).id();
    for arguments in [
        &["check", &path, "more"][..],
        &["explain", "nobody", "GET", "/a", "--file", &path],
        &["explain", "", "GET", "/a", "--file", &path],
        &["explain", "twin", "GET", "/a", "--file", &path],
        &["explain", &id, "get", "/a", "--file", &path],
        &["explain", &id, "GET", "a", "--file", &path],
        &["explain", &id, "GET", "/a/../b", "--file", &path],
        &["explain", &id, "GET", "--file", &path],
        &["suggest"],
        &[],
    ] {
        let ended = run(&[&["policy"], arguments].concat(), &[]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{arguments:?}: {}", ended.words());
        assert!(!ended.stderr.is_empty(), "{arguments:?}");
    }
    assert_eq!(run(&["policy", "explain", &id, "GET", "/a", "--file", &path], &[]).code, Some(0));
}

/// An Engine whose containers, networks and volumes called web are labelled; what it was sent last.
fn labelled() -> (Engine, Arc<Mutex<(String, String)>>) {
    let last = Arc::new(Mutex::new((String::new(), String::new())));
    let kept = Arc::clone(&last);
    let labels = "\"Labels\":{\"team\":\"web\"}";
    let object = format!("{{\"Id\":\"{ID}\",\"Name\":\"web\",{labels},\"Config\":{{{labels}}}}}");
    let engine = Engine::start(move |visit| {
        while let Some(message) = visit.request() {
            let target = message.head.target().to_owned();
            *kept.lock().unwrap() = (message.head.start.clone(), message.text());
            let body = if target.starts_with("/containers/json") {
                "[]"
            } else if ["/containers/web/json", "/networks/web", "/volumes/web"].contains(&target.as_str()) {
                object.as_str()
            } else {
                visit.send(OK);
                continue;
            };
            visit.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ));
        }
    });
    (engine, last)
}

const CALLERS: &[(&str, &str)] = &[
    ("reader", "allow=\"view,logs\""),
    (
        "web",
        "allow=\"view,power,pull,create,remove,exec\",label=\"team=web\",image=\"ghcr.io/acme/*\",mount=\"/srv\"",
    ),
    ("maker", "allow=\"create,pull\",mount=\"/srv:ro\""),
    ("ended", "expires=\"2020-01-01T00:00:00Z\""),
    ("root", ""),
];

const CREATE: &str = "POST /containers/create";

/// Who, what, with which body.
const REQUESTS: &[(&str, &str, &str)] = &[
    ("reader", "GET /containers/json?all=1", ""),
    ("reader", "GET /containers/a/logs?stdout=1&stdout=0", ""),
    ("reader", "GET /containers/a%2Fb/json", ""),
    ("reader", "GET /containers/a/top?ps_args=eww", ""),
    ("reader", "GET /v1.23/containers/json", ""),
    ("reader", "POST /containers/a/exec", "{}"),
    ("reader", "GET /debug/vars", ""),
    ("reader", "DELETE /health", ""),
    ("reader", "GET /health", ""),
    ("web", "GET /containers/json", ""),
    ("web", "POST /containers/web/start", ""),
    ("web", "GET /system/df", ""),
    ("web", "POST /containers/create?name=0123456789ab", r#"{"Image":"ghcr.io/acme/a"}"#),
    ("web", CREATE, r#"{"Image":"ghcr.io/acme/a","HostConfig":{"NetworkMode":"web","Binds":["web:/v"]}}"#),
    ("web", CREATE, r#"{"Image":"redis"}"#),
    ("web", CREATE, r#"{"Image":"ghcr.io/acme/a","Labels":{"team":"db"}}"#),
    ("web", CREATE, r#"{"Image":"ghcr.io/acme/a","HostConfig":{"PidMode":"container:a/b"}}"#),
    ("web", "POST /images/create?fromImage=redis&tag=7", ""),
    ("web", "POST /images/create?fromImage=ghcr.io/acme/a&tag=7", ""),
    ("web", "POST /networks/web/disconnect", r#"{"Container":"web","Force":false}"#),
    ("maker", CREATE, r#"{"HostConfig":{"Privileged":true}}"#),
    ("maker", CREATE, r#"{"hostConfig":{}}"#),
    ("maker", CREATE, r#"{"Image":"a","Image":"b"}"#),
    ("maker", CREATE, r#"{"Image":"a","HostConfig":{"Binds":["/srv/a:/a"]}}"#),
    ("maker", CREATE, r#"{"Image":"a","HostConfig":{"Binds":["/srv/a:/a:ro"]}}"#),
    ("maker", "POST /images/create?fromImage=a", "an archive"),
    ("maker", "POST /volumes/create", r#"{"Name":"a","DriverOpts":{"o":"bind"}}"#),
    ("ended", "GET /containers/json", ""),
    ("root", "POST /containers/create?unknown=1", r#"{"Image":"a","hostconfig":{"Privileged":true}}"#),
    ("token", "GET /containers/json", ""),
    ("token", "POST /containers/a/kill", ""),
];

#[test]
fn explain_says_what_the_agent_then_does() {
    let (home, (engine, last)) = (Home::new(), labelled());
    let lines = CALLERS.iter().zip(1..).map(|((name, options), seed)| line(options, seed, name));
    let keys = file(&home, "keys", lines.collect::<String>());
    let variables = [("AUTHORIZED_KEYS", keys.as_str()), ("TOKEN", TOKEN), ("TOKEN_ALLOW", "view")];
    let agent = agent(&engine, &keys, &[("TOKEN_ALLOW", "view")]);
    for (caller, request, body) in REQUESTS {
        let what = format!("{caller} {request} {body}");
        let (method, path) = request.split_once(' ').unwrap();
        let told = explain(&[caller, method, path], &variables, body);
        let seed = CALLERS.iter().zip(1..).find(|((name, _), _)| name == caller).map(|(_, seed)| seed);
        last.lock().unwrap().0.clear();
        let kind = if body.starts_with('{') { "Content-Type: application/json\r\n" } else { "" };
        let answer = match seed {
            Some(seed) => {
                let signed = Signer::new(seed).request(2, request, body);
                let text = String::from_utf8(signed).unwrap().replacen("\r\n", &format!("\r\n{kind}"), 1);
                agent.ask(text)
            }
            None => agent.ask(request_with(request, kind, body)),
        };
        let is_allowed = told.stdout.starts_with("allow");
        assert_eq!(told.code, Some(if is_allowed { 0 } else { 1 }), "{what}: {}", told.words());
        assert_eq!(answer.status() == 200, is_allowed, "{what}: {} {}", told.words(), answer.text());
        let (start, sent) = last.lock().unwrap().clone();
        if is_allowed {
            let start = start.replace(ID, "web").replace(" HTTP/1.1", "");
            assert_eq!(row(&told.stdout, "sent"), start, "{what}");
            let is_judged = *caller != "root" && !sent.is_empty();
            assert!(
                !is_judged || row(&told.stdout, "body") == sent.replace(ID, "web"),
                "{what}: {sent} {}",
                told.stdout
            );
        } else {
            let sentence = answer.sentence().replace("\\\"", "\"");
            assert_eq!(row(&told.stdout, "told"), format!("{} {sentence}", answer.status()), "{what}");
            let reason = row(&told.stdout, "reason");
            if !["unknown-key", "method"].contains(&reason) {
                logged(&agent, &["policy.denied", &format!("\"reason\":\"{reason}\"")]);
            }
        }
    }
}

#[test]
fn explain_says_what_is_looked_up_first_and_what_is_kept_from_the_answer() {
    let home = Home::new();
    let lines = CALLERS.iter().zip(1..).map(|((name, options), seed)| line(options, seed, name));
    let keys =
        file(&home, "keys", lines.collect::<String>() + &line("mode=\"audit\",allow=\"view\"", 9, "watched"));
    let ask = |arguments: &[&str], input: &str| {
        let ended = explain(&[arguments, &["--file", &keys]].concat(), &[], input);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.words());
        ended.stdout
    };
    let told = ask(
        &["web", "POST", "/v1.44/containers/create"],
        "{\"Image\":\"ghcr.io/acme/a\",\"HostConfig\":{\"NetworkMode\":\"n\"}}",
    );
    assert!(told.starts_with("allow, if what is looked at first is so\n"), "{told}");
    assert!(
        told.contains("version 1.44: must be one")
            && told.contains("network n: must carry the label team=web"),
        "{told}"
    );
    assert!(row(&told, "body").ends_with("\"Labels\":{\"team\":\"web\"}}"), "{told}");
    let told = ask(&["web", "POST", "/containers/create"], "");
    assert!(
        row(&told, "first").starts_with("its body: is judged too") && row(&told, "body").is_empty(),
        "{told}"
    );
    let told = ask(&["web", "GET", "/containers/json"], "");
    assert!(row(&told, "answer").starts_with("only what is labelled team=web; secrets blanked"), "{told}");
    assert!(told.starts_with("allow\n") && row(&told, "sent").contains("filters="), "{told}");
    let told = ask(&["watched", "POST", "/containers/a/kill"], "");
    let would = "would be told 403 lookout: key watched lacks class power; reason class";
    assert_eq!((row(&told, "watched"), row(&told, "sent")), (would, "POST /containers/a/kill"), "{told}");
}

#[test]
fn explain_leaves_standard_input_alone_where_no_body_is_wanted() {
    let home = Home::new();
    let keys = file(&home, "keys", line("allow=\"view\"", 1, "a"));
    let mut command = Command::new(BINARY);
    command.args(["policy", "explain", "a", "GET", "/info", "--file", &keys]).env_clear();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    // Held open: who reads it to its end does not end.
    let stdin = child.stdin.take();
    let status = until("it ends", || child.try_wait().unwrap());
    drop(stdin);
    assert_eq!(status.code(), Some(0));
}

#[test]
fn the_log_names_who_can_become_root_and_says_so_again_only_when_that_changes() {
    let (home, engine) = (Home::new(), Engine::obliging());
    let (reader, root) = (line("allow=\"view\"", 1, "reader"), line("", 2, "controller"));
    let keys = file(&home, "keys", reader.clone() + &root);
    let agent = agent(&engine, &keys, &[]);
    let id = format!("\"key\":\"{}\"", Signer::new(2).id());
    let line_of = logged(
        &agent,
        &["\"INFO\"", "\"key.root_equivalent\"", &id, "\"comment\":\"controller\"", "\"why\":\"class all: "],
    );
    assert!(!line_of.contains(root.split(' ').nth(1).unwrap()), "{line_of}");
    logged(&agent, &["\"INFO\"", "\"token.root_equivalent\"", "\"name\":\"TOKEN\"", "\"why\":\"class all: "]);
    let count = |agent: &Agent| agent.log().matches(".root_equivalent\"").count();
    assert_eq!(count(&agent), 2, "{}", agent.log());
    // A line that grants no more than before is no news.
    fs::write(&keys, line("allow=\"view,logs\"", 1, "reader") + &root).unwrap();
    assert!(reload(&agent).contains("agent.reloaded"));
    fs::write(&keys, line("allow=\"build\"", 1, "reader") + &root).unwrap();
    assert!(reload(&agent).contains("agent.reloaded"));
    logged(&agent, &["\"key.root_equivalent\"", "\"comment\":\"reader\"", "\"why\":\"class build: "]);
    until("both keys and the token are named once more", || (count(&agent) >= 5).then_some(()));
    let log = agent.stop().stdout;
    assert_eq!(log.matches(".root_equivalent\"").count(), 5, "{log}");
    assert!(!log.contains(TOKEN), "{log}");
    let agent = Agent::start_with(&engine, &[("TOKEN_ALLOW", "view")]);
    assert!(!agent.stop().stdout.contains("root_equivalent"));
}
