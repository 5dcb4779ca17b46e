//! The docker command with a credential that may only look, only read logs, or only start and stop: a
//! day's work with each, and everything else refused.

use std::fs;
use std::time::SystemTime;

use crate::agent::Agent;
use crate::caller::{Caller, nothing_happens, words};
use crate::docker::{Docker, IMAGE};
use crate::folder::Folder;
use crate::raw;
use crate::scene::Scene;

/// What must not be told to whoever may only look.
const SECRET: &str = "hunter2";

/// A running container with a secret in every place that is blanked, and its name.
fn container_with_secrets(straight: &Docker, scene: &Scene) -> String {
    let name = scene.name("one");
    let run = format!(
        "run -d --name {name} -e PASSWORD={SECRET} --label colour=blue --log-opt tag={SECRET} \
         --health-interval 1h --health-cmd echo${{IFS}}{SECRET} --entrypoint /bin/sh {IMAGE} -c"
    );
    let says = format!("echo hello; sleep 1000 # {SECRET}");
    straight.run(&[&words(&run)[..], &[&says]].concat()).good();
    name
}

fn seconds() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("a clock past 1970").as_secs()
}

#[test]
fn whoever_may_look_sees_containers_as_they_are_but_for_what_is_blanked() {
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let agent = Agent::with(&[("TOKEN_ALLOW", "view")]);
    let (caller, name) = (Caller::with_token(&agent), container_with_secrets(&straight, &scene));
    let filter = format!("name={name}");
    let list = ["ps", "-a", "--no-trunc", "--filter", &filter, "--format"];
    let told = "{{.ID}} {{.Names}} {{.Image}} {{.State}} {{.Ports}} {{.Labels}} {{.Mounts}} {{.Networks}}";
    assert!(caller.sees_the_same(&[&list[..], &[told]].concat()).contains("colour=blue"));
    assert_eq!(caller.says(&[&list[..], &["{{.Command}}"]].concat()), "\"***\"\n");
    let blanked = caller.sees_blanked(&["container", "inspect", &name]);
    let expected = [
        ".*.Args",
        ".*.Config.Cmd",
        ".*.Config.Entrypoint.*",
        ".*.Config.Env.*",
        ".*.Config.Healthcheck.Test",
        ".*.HostConfig.LogConfig.Config.tag",
    ];
    assert_eq!(blanked, expected);
    assert!(!caller.says(&["inspect", &name]).contains(SECRET));
    for line in ["stats --no-stream --format {{.Name}}|{{.ID}}|{{.PIDs}}", "diff", "port"] {
        caller.sees_the_same(&words(&format!("{line} {name}")));
    }
    let (known, told) = (straight.run(&["top", &name]).good().text(), caller.says(&["top", &name]));
    assert!(known.contains("sleep 1000") && known.replace("sleep 1000", "sleep") == told, "{told}");
    caller.may_not(&["top", &name, "-eo", "pid,args"], "lacks class dump, which ps_args needs");
    caller.may_not(&["top", &name, "eww"], "lacks class dump, which ps_args needs");
}

#[test]
fn whoever_may_look_sees_images_networks_and_volumes() {
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let agent = Agent::with(&[("TOKEN_ALLOW", "view")]);
    let caller = Caller::with_token(&agent);
    let told = "{{.ID}} {{.Repository}}:{{.Tag}} {{.Size}} {{.CreatedAt}}";
    assert!(caller.sees_the_same(&["images", "--no-trunc", "--format", told, IMAGE]).contains(IMAGE));
    let blanked = caller.sees_blanked(&["image", "inspect", IMAGE]);
    assert_eq!(blanked, [".*.Config.Env.*", ".*.ContainerConfig.Cmd", ".*.ContainerConfig.Env.*"]);
    let history = ["history", "--no-trunc", IMAGE, "--format"];
    caller.sees_the_same(&[&history[..], &["{{.ID}} {{.CreatedAt}} {{.Size}}"]].concat());
    let steps = caller.says(&[&history[..], &["{{.CreatedBy}}"]].concat());
    assert!(steps.lines().count() > 3 && steps.lines().all(|step| step == "***"), "{steps}");

    let (network, volume) = (scene.name("network"), scene.name("volume"));
    straight.run(&["network", "create", "--label", "colour=blue", &network]).good();
    let secret = format!("--opt=o=size=1m,uid=1,{SECRET}");
    let create = ["volume", "create", "--opt=type=tmpfs", "--opt=device=tmpfs", &secret, &volume];
    straight.run(&create).good();
    for kind in ["network", "volume"] {
        let list = format!("{kind} ls --filter name={}", scene.prefix());
        assert!(caller.sees_the_same(&words(&list)).contains(scene.prefix()));
    }
    assert!(caller.sees_the_same(&["network", "inspect", &network]).contains("colour"));
    let blanked = caller.sees_blanked(&["volume", "inspect", &volume]);
    assert_eq!(blanked, [".*.Options.device", ".*.Options.o", ".*.Options.type"]);
}

#[test]
fn whoever_may_look_sees_the_engine_and_what_happens_in_it() {
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let agent = Agent::with(&[("TOKEN_ALLOW", "view")]);
    let (caller, name) = (Caller::with_token(&agent), container_with_secrets(&straight, &scene));
    caller.sees_the_same(&["version"]);
    let info = caller.run(&["info"]).good();
    assert!(
        !info.text().contains("Insecure Registries") && !info.errors().contains("ERROR"),
        "{}",
        info.text()
    );
    for member in ["ID", "ServerVersion", "Driver", "OperatingSystem", "NCPU", "MemTotal", "SecurityOptions"]
    {
        caller.sees_the_same(&["info", "--format", &format!("{{{{json .{member}}}}}")]);
    }
    caller.run(&["system", "df"]).good();

    let begun = seconds();
    straight.run(&["exec", &name, "echo", SECRET]).good();
    let (since, until) = (begun.saturating_sub(60).to_string(), seconds().saturating_add(1).to_string());
    let filter = format!("container={name}");
    let events = ["events", "--since", &since, "--until", &until, "--filter", &filter, "--format"];
    let asks = [&events[..], &["{{.TimeNano}} {{.Type}} {{.Actor.ID}} {{.Action}}"]].concat();
    let (known, told) = (straight.run(&asks).good().text(), caller.says(&asks));
    assert!(known.contains(&format!("exec_create: echo {SECRET}")), "{known}");
    assert_eq!(known.replace(&format!(": echo {SECRET}"), ""), told);
    assert!(!caller.says(&[&events[..], &["{{json .}}"]].concat()).contains(SECRET));
}

/// What each class would let a caller do, for one who has none of them. {one} is a container, {network}
/// and {volume} are there too, {other} is not; {mine} is a filter of the scene's own.
const BEYOND_LOOKING: &[(&str, &str)] = &[
    ("logs", "logs {one}"),
    ("logs", "logs -f --tail 1 {one}"),
    ("dump", "cp {one}:/etc/passwd {context}/passwd"),
    ("exec", "cp {file} {one}:/tmp"),
    ("dump", "export -o {context}/tar {one}"),
    ("dump", "save -o {context}/tar {image}"),
    ("dump", "config ls"),
    ("dump", "swarm join-token worker"),
    ("dump", "swarm unlock-key"),
    ("power", "start {one}"),
    ("power", "stop {one}"),
    ("power", "restart {one}"),
    ("power", "kill {one}"),
    ("power", "pause {one}"),
    ("power", "unpause {one}"),
    ("power", "wait {one}"),
    // A registry on loopback that is not there, should it ever be asked.
    ("pull", "pull 127.0.0.1:9/shelf/image:1"),
    ("pull", "search 127.0.0.1:9/shelf"),
    ("pull", "login -u user -p password 127.0.0.1:9"),
    ("pull", "tag {image} {other}:1"),
    ("push", "push {image}"),
    ("create", "run --name {other} {image} true"),
    ("create", "create --name {other} {image}"),
    ("create", "rename {one} {other}"),
    ("create", "update --cpus 0.5 {one}"),
    ("create", "network create {other}"),
    ("create", "network connect {network} {one}"),
    ("create", "network disconnect bridge {one}"),
    ("create", "volume create {other}"),
    ("remove", "rm -f {one}"),
    ("remove", "rmi {image}"),
    ("remove", "network rm {network}"),
    ("remove", "volume rm {volume}"),
    ("remove", "container prune -f {mine}"),
    ("remove", "image prune -f {mine}"),
    ("remove", "network prune -f {mine}"),
    ("remove", "volume prune -f {mine}"),
    ("exec", "exec {one} touch /tmp/refused"),
    ("build", "build -t {other}:1 {context}"),
    ("build", "load -i {file}"),
    ("build", "commit {one} {other}:1"),
    ("build", "builder prune -f --filter id=none"),
    ("swarm", "swarm leave --force"),
    ("swarm", "service rm {other}"),
    ("all", "plugin disable {other}"),
];

#[test]
fn whoever_may_look_changes_nothing_and_reads_no_more() {
    let straight = Docker::straight();
    let (scene, folder) = (Scene::new(&straight), Folder::new());
    let agent = Agent::with(&[("TOKEN_ALLOW", "view")]);
    let (caller, one) = (Caller::with_token(&agent), container_with_secrets(&straight, &scene));
    let (network, volume) = (scene.name("network"), scene.name("volume"));
    straight.run(&["network", "create", &network]).good();
    straight.run(&["volume", "create", &volume]).good();
    let context = folder.at("context");
    fs::create_dir(&context).expect("a directory of ours");
    folder.write("context/Dockerfile", format!("FROM {IMAGE}\n{}\n", scene.label()));
    let names = [
        ("{one}", one.clone()),
        ("{network}", network),
        ("{volume}", volume),
        ("{other}", scene.name("other")),
        ("{image}", IMAGE.to_owned()),
        ("{context}", context.clone()),
        ("{file}", folder.write("file", "text")),
        ("{mine}", format!("--filter label={}", scene.prefix())),
    ];
    nothing_happens(&scene, || {
        for (class, line) in BEYOND_LOOKING {
            let line = names.iter().fold((*line).to_owned(), |line, (place, name)| line.replace(place, name));
            caller.may_not(&words(&line), &format!("lacks class {class}"));
        }
        caller.may_not_switch(&["attach", &one]);
    });
    assert_eq!(fs::read_dir(context).expect("our directory").count(), 1, "nothing was copied out");
}

#[test]
fn whoever_may_look_and_read_logs_reads_them_as_the_engine_tells_them() {
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let agent = Agent::with(&[("TOKEN_ALLOW", "view,logs")]);
    let (caller, name) = (Caller::with_token(&agent), scene.name("one"));
    let says = "echo out; echo err >&2; for n in 1 2 3; do echo line $n; done; read end; echo end";
    straight.run(&["run", "-di", "--name", &name, IMAGE, "sh", "-c", says]).good();
    straight.run(&["container", "inspect", &name]).good();
    let mut follows = caller.start(&["logs", "-f", &name]);
    follows.until_it_says("line 3");
    for flags in [
        "",
        "-t",
        "--tail 2",
        "--details",
        "--since 1h",
        "--until 2100-01-01T00:00:00Z",
        "-t --tail 1 --since 1h",
    ] {
        caller.sees_the_same(&words(&format!("logs {flags} {name}")));
    }
    assert_eq!(caller.run(&["logs", &name]).good().errors(), "err\n");
    straight.run_with(&["attach", &name], "\n").good();
    assert!(follows.finish().good().text().ends_with("line 3\nend\n"));
    nothing_happens(&scene, || {
        caller.may_not(&["start", &name], "lacks class power");
        caller.may_not(&["exec", &name, "true"], "lacks class exec");
        caller.may_not(&["rm", &name], "lacks class remove");
    });
}

/// The docker command inspects a container before it reads its log, which is another class.
#[test]
fn whoever_may_only_read_logs_reads_them_without_the_docker_command() {
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let agent = Agent::with(&[("TOKEN_ALLOW", "logs")]);
    let (caller, name) = (Caller::with_token(&agent), container_with_secrets(&straight, &scene));
    let ask = |path: &str| format!("GET /v1.41/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    let logs = ask(&format!("containers/{name}/logs?stdout=1&stderr=1&timestamps=1"));
    let (mut known, mut told) = (raw::straight(&logs), raw::through(&agent, &logs));
    let body = known.body();
    assert_eq!(told.status(), "200");
    assert!(told.body() == body, "the log differs");
    assert!(String::from_utf8_lossy(&body).ends_with("hello\n"));
    nothing_happens(&scene, || {
        for line in ["logs {}", "container inspect {}", "ps", "images", "info", "events --until 0s", "top {}"]
        {
            caller.may_not(&words(&line.replace("{}", &name)), "lacks class view");
        }
        for (class, line) in [("power", "kill"), ("remove", "rm -f"), ("create", "update --cpus 0.5")] {
            caller.may_not(&words(&format!("{line} {name}")), &format!("lacks class {class}"));
        }
        let inspect = ask(&format!("containers/{name}/json"));
        assert_eq!(raw::through(&agent, &inspect).status(), "403");
    });
}

#[test]
fn whoever_may_start_and_stop_does_just_that() {
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let agent = Agent::with(&[("TOKEN_ALLOW", "power")]);
    let (caller, name) = (Caller::with_token(&agent), container_with_secrets(&straight, &scene));
    let state = || straight.run(&["inspect", "--format", "{{.State.Status}}", &name]).good().text();
    for (line, expected) in [
        ("kill", "exited"),
        ("start", "running"),
        ("pause", "paused"),
        ("unpause", "running"),
        ("restart -t 0", "running"),
        ("kill -s USR1", "running"),
        ("stop -t 0", "exited"),
    ] {
        assert_eq!(caller.says(&words(&format!("{line} {name}"))), format!("{name}\n"), "{line}");
        assert_eq!(state().trim(), expected, "{line}");
    }
    assert_eq!(caller.says(&["wait", &name]), "137\n");
    // It speaks the version the Engine speaks, which it has asked for.
    caller.sees_the_same(&["version"]);
    nothing_happens(&scene, || {
        for (class, line) in [
            ("view", "ps -a"),
            ("view", "container inspect {}"),
            ("view", "top {}"),
            ("view", "diff {}"),
            ("view", "events --until 0s"),
            ("view", "logs {}"),
            ("view", "exec {} true"),
            ("view", "start -a {}"),
            ("build", "commit {}"),
            ("create", "rename {} other"),
            ("create", "update --restart always {}"),
            ("create", "run --rm {} true"),
            ("remove", "rm -f {}"),
        ] {
            caller.may_not(&words(&line.replace("{}", &name)), &format!("lacks class {class}"));
        }
    });
}
