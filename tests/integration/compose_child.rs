//! What the program is given: an environment and a directory of its own, and of this machine little else.
use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::agent::{Agent, TOKEN};
use crate::compose_world::{Yard, plain, shown, tell, with};
use crate::engine::{Engine, Record};

/// The names of the variables it has, sorted.
fn names(shown: &Value) -> Vec<String> {
    shown["env"].as_object().expect("an object").keys().cloned().collect()
}

/// What it has whatever is asked.
const ALWAYS: [&str; 25] = [
    "BUILDKIT_HOST",
    "BUILDX_BUILDER",
    "BUILDX_CONFIG",
    "COMPOSE_ANSI",
    "COMPOSE_BAKE",
    "COMPOSE_DOCKER_CLI_BUILD",
    "COMPOSE_EXPERIMENTAL_GIT_REMOTE",
    "COMPOSE_EXPERIMENTAL_OCI_REMOTE",
    "COMPOSE_MENU",
    "COMPOSE_PROGRESS",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "HOME",
    "KUBECONFIG",
    "LANG",
    "NO_COLOR",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_TRACES_EXPORTER",
    "PATH",
    "SSH_AUTH_SOCK",
    "TMPDIR",
];

#[test]
fn the_program_has_the_variables_of_the_list_and_no_others() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    yard.stack("web", &json!([["show"]]));
    let odd = [("SOMETHING_ELSE", "x"), ("LC_ALL", "C"), ("COMPOSE_FILE", "/etc/passwd")];
    let more =
        [("DOCKER_CONFIG", "/nowhere"), ("LD_LIBRARY_PATH", "/nowhere"), ("PATH", "/nowhere:/usr/bin")];
    // As whoever starts an agent may leave files open to it.
    let careless = ["/bin/sh", "-c", r#"exec 9</etc/hostname; exec "$@""#, "sh"];
    let fixed = [("TOKEN", TOKEN), ("DOCKER_SOCKET", engine.path().to_str().unwrap())];
    let agent = Agent::start_under(&careless, &yard.with(&[fixed.as_slice(), &odd, &more].concat()));
    let seen = shown(&agent, &plain("ps", "web"));
    assert_eq!(names(&seen), ALWAYS);
    let text = seen.to_string();
    assert!(!text.contains(TOKEN) && !text.contains("nowhere"), "{text}");
    let env = &seen["env"];
    for (name, value) in [
        ("COMPOSE_EXPERIMENTAL_GIT_REMOTE", "false"),
        ("COMPOSE_EXPERIMENTAL_OCI_REMOTE", "false"),
        ("LANG", "C.UTF-8"),
    ] {
        assert_eq!(env[name], json!(value));
    }
    let run = yard.path("run");
    for name in ["HOME", "TMPDIR", "DOCKER_CONFIG"] {
        assert!(env[name].as_str().unwrap().starts_with(run.to_str().unwrap()), "{name}: {env}");
        assert_eq!(seen["modes"][name], json!("0o700"), "{name}");
    }
    let socket = env["DOCKER_HOST"].as_str().unwrap().strip_prefix("unix://").expect("a socket").to_owned();
    assert!(socket.starts_with(run.to_str().unwrap()), "{socket}");
    assert_ne!(socket, engine.path().to_str().unwrap());
    assert_eq!(seen["modes"]["door"], json!("0o700"), "nobody else gets to it");
    assert_eq!(seen["leader"], json!(true), "it leads a group of its own");
    assert_eq!(seen["fds"], json!([]), "it holds files that are none of its business");
}

#[test]
fn the_programs_proxies_are_the_agents_where_they_tell_no_password() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    yard.stack("web", &json!([["show"]]));
    let proxies = [
        ("HTTP_PROXY", "http://proxy.example:3128"),
        ("HTTPS_PROXY", "http://user:password@proxy.example:3128"),
        ("NO_PROXY", "localhost,10.0.0.0/8"),
        ("https_proxy", "http://proxy.example:3129"),
    ];
    let agent = Agent::start_with(&engine, &yard.with(&proxies));
    let seen = shown(&agent, &plain("pull", "web"));
    let env = &seen["env"];
    assert_eq!(env["HTTP_PROXY"], json!("http://proxy.example:3128"));
    assert_eq!(env["https_proxy"], json!("http://proxy.example:3129"));
    assert_eq!(env["NO_PROXY"], json!("localhost,10.0.0.0/8"));
    assert!(!seen.to_string().contains("password@"), "{seen}");
}

#[test]
fn the_variables_of_an_order_arrive_exactly_and_stay_until_others_come() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    yard.stack("web", &json!([["show"]]));
    let agent = yard.start(&engine);
    let awkward = json!({
        "PLAIN": "value", "EMPTY": "", "SPACES": "  a  b  ", "QUOTES": "it's \"so\"", "DOLLAR": "$HOME ${PATH} $$",
        "BACK": "a\\b\\n\\", "HASH": "a # b", "EQUALS": "a=b", "UNICODE": "grüße 🐳", "lower_case": "1", "_X1": "`id`",
        "TAB": "a\tb"
    });
    let given = shown(&agent, &with("up", "web", &json!({"envVars": awkward})));
    for (name, value) in awkward.as_object().unwrap() {
        assert_eq!(&given["env"][name], value, "{name}");
    }
    let text = given["argv"].to_string();
    let file = yard.of("web").join(".env.drydock");
    let words = format!("\"--env-file\",\"{}\"", file.display());
    assert!(text.contains(&words), "{text}");
    assert!(!text.contains("value"), "no value is in the command line: {text}");
    // Without variables, those of the last order hold.
    let later = shown(&agent, &plain("ps", "web"));
    assert_eq!(later["env"]["DOLLAR"], awkward["DOLLAR"]);
    let other = shown(&agent, &with("up", "web", &json!({"envVars": {"ONLY": "this"}})));
    assert_eq!(other["env"]["ONLY"], json!("this"));
    assert_eq!(other["env"].get("PLAIN"), None);
    let none = shown(&agent, &with("up", "web", &json!({"envVars": {}})));
    assert_eq!(names(&none), ALWAYS);
}

#[test]
fn what_somebody_else_wrote_in_the_file_of_variables_does_not_steer_the_program() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let dir = yard.stack("web", &json!([["show"]]));
    let agent = yard.start(&engine);
    for text in [
        "PATH=/nowhere\nDOCKER_HOST=\"unix:///nowhere\"\nDOCKER_CONTEXT='nowhere'\nHOME=/nowhere\n",
        "\0\u{1}=\n",
    ] {
        fs::write(dir.join(".env.drydock"), text).unwrap();
        fs::write(dir.join(".env"), text).unwrap();
        let seen = shown(&agent, &plain("ps", "web"));
        assert_eq!(names(&seen), ALWAYS);
        assert!(!seen["env"].to_string().contains("nowhere"), "{seen}");
    }
    // What is not set for every program, and would steer this one, is refused where it is found, or sent.
    fs::write(dir.join(".env.drydock"), "").unwrap();
    fs::write(dir.join(".env"), "A='1' BUILDX_CONFIG=/nowhere\n").unwrap();
    assert!(tell(&agent, &plain("ps", "web")).failure().contains("\"BUILDX_CONFIG\" is not allowed"));
    let sent = with("up", "web", &json!({"files": {".env": "OTEL_EXPORTER_OTLP_ENDPOINT=http://nowhere"}}));
    assert!(tell(&agent, &sent).failure().contains("is not allowed"));
    assert!(fs::read_to_string(dir.join(".env")).unwrap().starts_with("A="), "nothing was written");
}

fn auth(user: &str, password: &str) -> Value {
    json!({"auth": BASE64.encode(format!("{user}:{password}").as_bytes())})
}

#[test]
fn passwords_are_where_only_the_program_finds_them() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    yard.stack("web", &json!([["show"]]));
    let agent = yard.start(&engine);
    let one = |server: &str| json!({"server": server, "username": "user", "password": "pass\"word"});
    for (registries, keys) in [
        (one("ghcr.io"), &["ghcr.io"][..]),
        (one("https://ghcr.io"), &["ghcr.io"]),
        (one("registry.example:5000"), &["registry.example:5000"]),
        (one("https://registry.example:5000/team"), &["registry.example:5000"]),
        (one("docker.io"), &["https://index.docker.io/v1/"]),
        (one("https://index.docker.io/v1/"), &["https://index.docker.io/v1/"]),
        (one("http://127.0.0.1:5000"), &["127.0.0.1:5000"]),
        (
            json!([one("ghcr.io"), one("registry.example"), one("docker.io")]),
            &["ghcr.io", "https://index.docker.io/v1/", "registry.example"],
        ),
    ] {
        let seen = shown(&agent, &with("pull", "web", &json!({"registryAuth": registries})));
        let config: Value = serde_json::from_str(seen["config"].as_str().expect("a text")).expect("JSON");
        let auths = config["auths"].as_object().expect("an object");
        assert_eq!(auths.keys().map(String::as_str).collect::<Vec<_>>(), keys, "{registries}");
        assert!(auths.values().all(|value| *value == auth("user", "pass\"word")), "{config}");
        assert_eq!(seen["modes"]["config.json"], json!("0o600"));
        assert!(
            !seen["argv"].to_string().contains("pass") && !seen["env"].to_string().contains("pass\\\"word")
        );
        yard.until_clean();
    }
    // Nothing of it is there for the next.
    let seen = shown(&agent, &plain("pull", "web"));
    assert!(!seen["config"].to_string().contains("ghcr.io"), "{seen}");
    assert!(!seen["config"].to_string().contains(&BASE64.encode(b"user:")[..6]), "{seen}");
    let words = agent.stop().words();
    assert!(!words.contains("pass\\\"word") && !words.contains("pass\"word"), "{words}");
}

#[test]
fn a_password_is_gone_when_the_program_is_however_that_ended() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let agent = yard.start(&engine);
    let password = json!({"registryAuth": {"server": "ghcr.io", "username": "user", "password": "password"}});
    for (name, last, error) in [
        ("good", json!(["say", "done"]), None),
        ("failed", json!(["exit", 3]), Some("exit status 3")),
        ("killed", json!(["die", 9]), Some("killed by signal 9")),
    ] {
        let scene =
            json!([["write", "$TMPDIR/left"], ["write", "$HOME/left"], ["list", "$DOCKER_CONFIG"], last]);
        yard.stack(name, &scene);
        let told = tell(&agent, &with("up", name, &password));
        assert_eq!(told.error.as_deref(), error, "{told:?}");
        assert_eq!(told.deed("list $DOCKER_CONFIG"), "config.json", "{told:?}");
        assert_eq!(told.deed("write $TMPDIR/left"), "done");
        yard.until_clean();
    }
}

#[test]
fn the_program_reads_its_stack_and_nothing_beside_it() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let other = yard.stack("other", &json!([]));
    fs::write(other.join(".env"), "PASSWORD=of-the-other").unwrap();
    let keys = yard.path("home/authorized_keys");
    fs::write(&keys, "of-the-agent").unwrap();
    let outside = [
        other.join(".env").to_str().unwrap().to_owned(),
        keys.to_str().unwrap().to_owned(),
        yard.of("web/../other/.env").to_str().unwrap().to_owned(),
        yard.of("web/link").to_str().unwrap().to_owned(),
        "/etc/passwd".to_owned(),
        "/etc/shadow".to_owned(),
        "/proc/1/environ".to_owned(),
    ];
    let mut scene: Vec<Value> = outside.iter().map(|path| json!(["read", path])).collect();
    scene.extend([
        json!(["read", "own.txt"]),
        json!(["list", ".."]),
        json!(["list", "/root"]),
        json!(["list", "/"]),
    ]);
    let dir = yard.stack("web", &json!(scene));
    fs::write(dir.join("own.txt"), "of-its-own").unwrap();
    std::os::unix::fs::symlink(other.join(".env"), dir.join("link")).unwrap();
    let agent = yard.start(&engine);
    for operation in ["ps", "up", "build"] {
        let told = tell(&agent, &plain(operation, "web"));
        for path in &outside {
            assert_eq!(told.deed(&format!("read {path}")), "refused 13", "{operation}");
        }
        for path in ["..", "/root", "/"] {
            assert_eq!(told.deed(&format!("list {path}")), "refused 13", "{operation}");
        }
        assert_eq!(told.deed("read own.txt"), "of-its-own");
        let text = told.good();
        assert!(!text.contains("of-the-other") && !text.contains("of-the-agent"), "{text}");
    }
}

#[test]
fn the_program_writes_only_what_goes_with_it() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let scratch = yard.path("scratch");
    let places = ["new.txt", "compose.yaml", "/dev/shm/lookout-test", scratch.to_str().unwrap()];
    let mut scene: Vec<Value> = places.iter().map(|path| json!(["write", path])).collect();
    scene.extend([json!(["write", "$TMPDIR/new"]), json!(["write", "$HOME/new"])]);
    let dir = yard.stack("web", &json!(scene));
    let agent = yard.start(&engine);
    for operation in ["ps", "up", "build"] {
        let told = tell(&agent, &plain(operation, "web"));
        for path in places {
            assert_eq!(told.deed(&format!("write {path}")), "refused 13", "{operation}");
        }
        assert_eq!(
            (told.deed("write $TMPDIR/new"), told.deed("write $HOME/new")),
            ("done".into(), "done".into())
        );
    }
    assert_eq!(crate::compose_world::names(&dir), ["compose.yaml", "scene.json"]);
    assert!(!scratch.exists());
    yard.until_clean();
}

#[test]
fn the_program_starts_no_other() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let programs = ["/bin/busybox", "/bin/sh", "/usr/bin/env", crate::agent::BINARY];
    let scene: Vec<Value> = programs.iter().map(|path| json!(["run", path])).collect();
    yard.stack("web", &json!(scene));
    let agent = yard.start(&engine);
    for operation in ["ps", "up", "build"] {
        let told = tell(&agent, &plain(operation, "web"));
        for path in programs {
            assert_eq!(told.deed(&format!("run {path}")), "refused 13", "{operation}");
        }
    }
}

#[test]
fn the_program_calls_others_only_where_it_may_have_to_build() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    yard.stack("web", &json!([["connect", port]]));
    let agent = yard.start(&engine);
    for (operation, outcome) in [
        ("ps", "refused 13"),
        ("logs", "refused 13"),
        ("down", "refused 13"),
        ("pull", "refused 13"),
        ("config", "refused 13"),
        ("up", "done"),
        ("create", "done"),
        ("build", "done"),
    ] {
        assert_eq!(tell(&agent, &plain(operation, "web")).deed("connect"), outcome, "{operation}");
    }
}

#[test]
fn the_program_speaks_to_the_engine_and_not_to_the_agent() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let targets =
        ["/containers/a/json", "/_lookout/metrics", "/_lookout/compose", "/metrics", "/mcp", "/health"];
    let scene: Vec<Value> = targets.iter().map(|target| json!(["ask", "GET", target])).collect();
    yard.stack("web", &json!(scene));
    let agent = yard.start(&engine);
    let lines = tell(&agent, &plain("ps", "web")).lines();
    assert_eq!((&lines[0]["status"], &lines[0]["body"]), (&json!(200), &json!("{}")));
    for line in &lines[1..] {
        let body = line["body"].as_str().unwrap();
        // What the Engine itself says of such a path is as good as a refusal.
        assert!(line["status"] != json!(200) || body == "{}", "{line}");
    }
    agent.stop();
    let texts: Vec<String> = engine.settle().iter().map(Record::text).collect();
    assert!(texts.iter().all(|text| !text.contains(TOKEN)), "{texts:?}");
    assert!(texts.iter().any(|text| text.starts_with("GET /containers/a/json ")), "{texts:?}");
}
