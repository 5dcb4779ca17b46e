//! The container images: built on nothing, run with nothing, and doing all that an agent does.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::agent::TOKEN;
use crate::compose_yard::{composes, waiting};
use crate::docker::{Docker, IMAGE, SOCKET};
use crate::process::{Outcome, run};
use crate::scene::Scene;
use crate::wait::{PATIENCE, until};

/// As the image's documents tell to run it: nothing to write on, no right, and no way to gain one.
const CONFINED: [&str; 7] =
    ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp"];

/// The user every image runs as.
const USER: &str = "65532";

/// What is in an image beside what the Engine adds to every container.
const FILES: [&str; 2] = ["etc/ssl/certs/ca-certificates.crt", "lookout"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program under test, linked as `scripts/release` links it: its library is here already, and only the last
/// step is done anew.
fn static_binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let dynamic = Path::new(env!("CARGO_BIN_EXE_lookout"));
        let deps = dynamic.with_file_name("deps");
        let made = |path: &Path| fs::metadata(path).and_then(|it| it.modified()).expect("a file of cargo's");
        let newest = made(dynamic);
        let library = newest_library(&deps, newest);
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(place).expect("cargo's place for tests");
        // Under another name first: a test of another run may be reading the old one.
        let (new, binary) =
            (place.join(format!("lookout-{}", std::process::id())), place.join("lookout-static"));
        let mut extern_lookout = std::ffi::OsString::from("lookout=");
        extern_lookout.push(&library);
        let mut dependency = std::ffi::OsString::from("dependency=");
        dependency.push(&deps);
        run(Command::new("rustc")
            .args(["--edition", "2024", "--crate-name", "lookout"])
            .args(["-C", "target-feature=+crt-static", "-C", "relocation-model=pie", "-C", "strip=symbols"])
            .arg("--extern")
            .arg(&extern_lookout)
            .arg("-L")
            .arg(&dependency)
            .arg("-o")
            .arg(&new)
            .arg(root().join("src/main.rs")))
        .good();
        fs::rename(&new, &binary).expect("a file of ours");
        binary
    })
}

/// The library the tested program was linked from: the last one that was there before it.
fn newest_library(deps: &Path, before: SystemTime) -> PathBuf {
    let entries = fs::read_dir(deps).expect("cargo's directory").filter_map(Result::ok);
    let libraries = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let made = entry.metadata().ok()?.modified().ok()?;
        let is_ours = name.starts_with("liblookout-") && name.ends_with(".rlib") && made <= before;
        is_ours.then(|| (made, entry.path()))
    });
    libraries.max().expect("the library beside the program: run cargo test, not the test binary alone").1
}

fn build(arguments: &[&str]) -> Outcome {
    let mut command = Command::new(root().join("scripts/image"));
    for variable in ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"] {
        command.env_remove(variable);
    }
    run(command.args(arguments))
}

/// An image of one test, and what is made of it.
struct Picture {
    straight: Docker,
    scene: Scene,
    tag: String,
}

impl Picture {
    /// The image as it is, or the one with the program for stacks.
    fn new(with_compose: bool) -> Self {
        let straight = Docker::straight();
        let scene = Scene::new(&straight);
        let tag = scene.name("image:1");
        let mut arguments = vec!["--tag", &tag, "--binary", static_binary().to_str().expect("a plain path")];
        let compose = composes().swap_remove(0);
        if with_compose {
            arguments.extend(["--compose", compose.to_str().expect("a plain path")]);
        }
        build(&arguments).good();
        let tag = if with_compose { format!("{tag}-compose") } else { tag };
        Self { straight, scene, tag }
    }

    fn told(&self, format: &str, what: &str) -> String {
        self.straight.run(&["inspect", "--format", format, what]).good().text().trim().to_owned()
    }

    /// Starts it with these flags, confined, beside those of every agent; its name.
    fn start(&self, flags: &[&str]) -> String {
        let name = self.scene.name("agent");
        let token = format!("TOKEN={TOKEN}");
        let ours = ["run", "-d", "--name", &name, "--env", &token, "--health-interval", "1s"];
        self.straight.run(&[&ours, &CONFINED[..], flags, &[&self.tag]].concat()).good();
        name
    }

    /// Starts it before the Engine and waits until the Engine calls it healthy; its name and where it is reached.
    fn serving(&self) -> (String, String) {
        let group = run(Command::new("stat").args(["--format", "%g", SOCKET])).good().text();
        let mount = format!("{SOCKET}:{SOCKET}");
        let name =
            self.start(&["--publish", "127.0.0.1::3000", "--volume", &mount, "--group-add", group.trim()]);
        until("the Engine calls the agent healthy", || {
            let state = self.told("{{.State.Status}} {{.State.Health.Status}}", &name);
            assert!(state.starts_with("running "), "{state}: {}", self.log(&name));
            (state == "running healthy").then_some(())
        });
        let address = self.straight.run(&["port", &name, "3000"]).good().text().trim().to_owned();
        (name, address)
    }

    fn log(&self, name: &str) -> String {
        let told = self.straight.run(&["logs", name]).good();
        told.text() + &told.errors()
    }

    /// Every file of a container, as `tar` lists them: mode, owner, …, name.
    fn files(&self) -> Vec<String> {
        let name = self.scene.name("files");
        self.straight.run(&["create", "--name", &name, &self.tag]).good();
        let archive = format!("{}/{name}.tar", env!("CARGO_TARGET_TMPDIR"));
        self.straight.run(&["export", "--output", &archive, &name]).good();
        let listed = run(Command::new("tar").args(["--numeric-owner", "-tvf", &archive])).good().text();
        fs::remove_file(&archive).expect("a file of ours");
        listed.lines().map(str::to_owned).collect()
    }
}

/// The docker command, speaking to an agent with its token.
fn docker(address: &str) -> Docker {
    let headers = format!(r#"{{"HttpHeaders":{{"Authorization":"Bearer {TOKEN}"}}}}"#);
    Docker::at(&format!("tcp://{address}"), &headers)
}

#[test]
fn the_image_serves_as_a_user_without_rights_on_a_root_it_cannot_write_to() {
    let picture = Picture::new(false);
    let (name, address) = picture.serving();

    let version = ["version", "--format", "{{.Server.Version}} {{.Server.KernelVersion}}"];
    assert_eq!(docker(&address).run(&version).good().text(), picture.straight.run(&version).good().text());
    let stranger = Docker::at(&format!("tcp://{address}"), "{}").run(&version);
    assert!(!stranger.status.success() && stranger.errors().contains("no credential"), "{stranger:?}");

    let process = picture.told("{{.State.Pid}}", &name);
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a process of this machine");
    let of = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("a field of the kernel's");
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of("Uid:"), [USER; 4]);
    assert_eq!(of("Gid:"), [USER; 4]);
    assert_eq!(of("NoNewPrivs:"), ["1"]);
    for set in ["CapEff:", "CapPrm:", "CapBnd:", "CapInh:", "CapAmb:"] {
        assert_eq!(of(set), ["0000000000000000"], "{set}");
    }

    picture.straight.run(&["stop", "--time", "60", &name]).good();
    assert_eq!(picture.told("{{.State.ExitCode}}", &name), "0", "{}", picture.log(&name));
}

#[test]
fn the_image_holds_one_program_and_says_how_to_run_it() {
    let picture = Picture::new(false);
    let files = picture.files();
    let added =
        ["dev/", "proc/", "sys/", ".dockerenv", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf"];
    let plain: Vec<&str> = files
        .iter()
        .filter(|line| !line.starts_with('d'))
        .filter_map(|line| line.split_whitespace().nth(5))
        .filter(|name| !added.iter().any(|added| name.starts_with(added)))
        .collect();
    assert_eq!(plain, FILES, "{files:#?}");
    let owned = |what: &str| files.iter().find(|line| line.ends_with(&format!(" {what}"))).expect(what);
    assert!(owned("data/stacks/").starts_with("drwxr-xr-x 65532/65532 "), "{files:#?}");
    assert!(owned("tmp/").starts_with("drwxrwxrwt 0/0 "), "{files:#?}");
    assert!(owned("lookout").starts_with("-rwxr-xr-x 0/0 "), "{files:#?}");

    let config: Value = serde_json::from_str(&picture.told("{{json .Config}}", &picture.tag)).expect("JSON");
    assert_eq!(config["User"], json!("65532:65532"));
    assert_eq!(config["StopSignal"], json!("SIGTERM"));
    assert_eq!(config["Entrypoint"], json!(["/lookout"]));
    assert_eq!(config["Healthcheck"]["Test"], json!(["CMD", "/lookout", "healthcheck"]));
    assert_eq!(config["Volumes"], Value::Null);
    let label = |name: &str| config["Labels"][format!("org.opencontainers.image.{name}")].as_str();
    assert_eq!(label("version"), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(label("licenses"), Some(env!("CARGO_PKG_LICENSE")));
    assert_eq!(label("description"), Some(env!("CARGO_PKG_DESCRIPTION")));
    assert!(label("source").is_some_and(|url| url.starts_with("https://")), "{config}");
    assert!(["revision", "created", "title"].iter().all(|name| label(name).is_some_and(|it| !it.is_empty())));
}

/// What the agent answers to an order about stacks.
fn order(address: &str, order: &Value) -> Value {
    let body = order.to_string();
    let mut stream = TcpStream::connect(address).expect("the agent accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let fields = format!("Host: lookout\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n");
    let length = body.len();
    write!(stream, "POST /_lookout/compose HTTP/1.1\r\n{fields}Content-Length: {length}\r\n\r\n{body}")
        .expect("the agent reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer and its end");
    let body = answer.split_once("\r\n\r\n").expect("a head").1;
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[test]
fn the_image_with_compose_runs_a_stack() {
    let picture = Picture::new(true);
    assert_eq!(picture.told("{{json .Config.Volumes}}", &picture.tag), r#"{"/data/stacks":{}}"#);
    let (name, address) = picture.serving();
    let stack = picture.scene.name("stack");
    let files = json!({"services": {"web": waiting(&json!({}))}}).to_string();
    let up = json!({"operation": "up", "stackName": stack, "files": {"compose.yaml": files}, "envVars": {"A": "b"}});
    let told = order(&address, &up);
    assert_eq!(told["success"], json!(true), "{told}: {}", picture.log(&name));
    assert_eq!(picture.told("{{.State.Running}}", &format!("{stack}-web-1")), "true");
    let told = order(&address, &json!({"operation": "down", "stackName": stack, "timeout": 0}));
    assert_eq!(told["success"], json!(true), "{told}");
    let left = picture.straight.run(&["ps", "-aq", "--filter", &format!("name={stack}")]).good();
    assert_eq!(left.text(), "");
}

#[test]
fn names_are_resolved_where_there_is_nothing_but_the_program() {
    let picture = Picture::new(false);
    let (network, controller) = (picture.scene.name("net"), picture.scene.name("controller"));
    picture.straight.run(&["network", "create", &network]).good();
    let listen = ["nc", "-l", "-p", "8080"];
    let named = ["run", "-d", "--name", &controller, "--network", &network, "--network-alias", "controller"];
    picture.straight.run(&[&named[..], &[IMAGE], &listen].concat()).good();

    let ask = |url: &str| {
        let run = ["run", "--rm", "--network", &network];
        let doctor = [&picture.tag, "doctor", "--json", url];
        let told = picture.straight.run(&[&run, &CONFINED[..], &doctor].concat());
        let told: Value = serde_json::from_str(&told.text()).expect("one document");
        let checks = told["checks"].as_array().expect("checks").clone();
        checks.into_iter().find(|check| check["name"] == json!("name")).expect("the check of the name")
    };
    // An agent that runs asks the same way, and reaches who has the name.
    picture.start(&["--network", &network, "--env", "DRYDOCK_URL=ws://controller:8080"]);
    until("the agent has called the controller by its name", || {
        picture.log(&controller).contains("Host: controller:8080\r\n").then_some(())
    });
    let address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    picture.straight.run(&["rm", "-f", &controller]).good();
    picture.straight.run(&[&named[..], &[IMAGE, "sleep", "1000"]].concat()).good();
    let found = ask("ws://controller:8080");
    assert_eq!(found["outcome"], json!("ok"), "{found}");
    let address = picture.told(address, &controller);
    assert!(found["what"].as_str().is_some_and(|what| what.contains(&address)), "{found} and {address}");
    let missing = ask("ws://nobody-of-this-name:8080");
    assert_eq!(missing["outcome"], json!("fail"), "{missing}");
}

#[test]
fn a_program_that_needs_libraries_is_not_put_into_an_image() {
    let told = build(&["--binary", env!("CARGO_BIN_EXE_lookout"), "--tag", "never-built:1"]);
    assert_eq!(told.code(), Some(65), "{told:?}");
    assert!(told.errors().contains("not static"), "{told:?}");
}
