//! The docker command with a key that may create, within the guard: what ordinary containers are made
//! of works as without it, and what would reach the host is refused by its name.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::caller::{Caller, nothing_happens, words};
use crate::docker::{Docker, IMAGE};
use crate::folder::Folder;
use crate::keyed::Keyed;
use crate::process::run;
use crate::scene::Scene;

/// A key that may create, and two directories of the host: one it may give away, one only to be read.
struct Shop {
    straight: Docker,
    scene: Scene,
    folder: Folder,
    agent: Keyed,
    caller: Caller,
}

impl Shop {
    fn new() -> Self {
        let straight = Docker::straight();
        let (scene, folder) = (Scene::new(&straight), Folder::new());
        for name in ["web", "conf", "website"] {
            fs::create_dir(folder.at(name)).expect("a directory of ours");
        }
        let (web, conf) = (folder.at("web"), folder.at("conf"));
        let options = format!("allow=\"view,create,power,exec,remove,logs\",mount=\"{web},{conf}:ro\"");
        let agent = Keyed::start(&[("shop", &options), ("copier", "allow=\"view,exec,dump\"")]);
        let caller = agent.caller("shop");
        Self { straight, scene, folder, agent, caller }
    }

    /// A command line with this scene's names in its places.
    fn line(&self, line: &str) -> String {
        let names = [
            ("{image}", IMAGE.to_owned()),
            ("{web}", self.folder.at("web")),
            ("{conf}", self.folder.at("conf")),
            ("{other}", self.scene.name("other")),
            ("{one}", self.scene.name("one")),
            ("{network}", self.scene.name("network")),
            ("{volume}", self.scene.name("volume")),
            ("{leads}", self.scene.name("leads")),
        ];
        names.iter().fold(line.to_owned(), |line, (place, name)| line.replace(place, name))
    }

    fn good(&self, line: &str) -> String {
        self.caller.says(&words(&self.line(line)))
    }
}

/// Flags of an ordinary container.
const ORDINARY: &str = "-e A=b -e D=e -l x=y -p 127.0.0.1::80 --expose 81 -v {volume}:/data -v {web}:/web \
    -v {conf}:/conf:ro -v /anonymous --mount type=bind,src={web},dst=/web2 \
    --mount type=bind,src={conf},dst=/conf2,readonly --mount type=volume,src={volume},dst=/data2 \
    --mount type=tmpfs,dst=/t,tmpfs-size=1m --tmpfs /tt:size=1m,mode=755 --restart on-failure:3 -m 64m \
    --memory-swap 128m --memory-reservation 32m --cpus 0.5 --pids-limit 100 --health-cmd true \
    --health-interval 1h --health-retries 2 --network {network} --network-alias friend --dns 127.0.0.1 \
    --dns-search example --add-host db:10.0.0.1 --init --read-only --cap-drop ALL \
    --security-opt no-new-privileges -w /tmp -u 1000 --hostname shop --stop-signal INT --stop-timeout 1 \
    --shm-size 8m --log-driver json-file --log-opt max-size=1m --entrypoint sleep --oom-score-adj 10 -i";

#[test]
fn an_ordinary_container_is_made_as_it_is_without_the_guard() {
    let shop = Shop::new();
    shop.good("network create {network}");
    shop.good("volume create {volume}");
    let run = |name: &str| shop.line(&format!("run -d --name {name} {ORDINARY} {{image}} 1000"));
    shop.straight.run(&words(&run("{other}"))).good();
    shop.good(&run("{one}"));
    // Volumes without a name have an id for one, and the network is called by its id. Variables and
    // binds come in an order that differs from one run to the next, also straight.
    let told = |name: &str, what: &str| {
        let format = format!("{{{{json {what}}}}}");
        let told = shop.straight.run(&["inspect", "--format", &format, &shop.line(name)]).good();
        let mut told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
        if let Value::Array(items) = &mut told {
            items.sort_by_key(Value::to_string);
        }
        told
    };
    for what in [".State.Status", ".Config.Env", ".Config.Labels", ".Config.Cmd", ".Config.Entrypoint"]
        .iter()
        .chain(&[".Config.Healthcheck", ".Config.ExposedPorts", ".Config.WorkingDir", ".Config.User"])
        .chain(&[".Config.Hostname", ".Config.StopSignal", ".Config.StopTimeout", ".Config.OpenStdin"])
        .chain(&[
            ".HostConfig.Mounts",
            ".HostConfig.Tmpfs",
            ".HostConfig.RestartPolicy",
            ".HostConfig.Memory",
        ])
        .chain(&[".HostConfig.MemorySwap", ".HostConfig.MemoryReservation", ".HostConfig.NanoCpus"])
        .chain(&[
            ".HostConfig.PidsLimit",
            ".HostConfig.Dns",
            ".HostConfig.DnsSearch",
            ".HostConfig.ExtraHosts",
        ])
        .chain(&[".HostConfig.Init", ".HostConfig.ReadonlyRootfs", ".HostConfig.CapDrop"])
        .chain(&[".HostConfig.SecurityOpt", ".HostConfig.ShmSize", ".HostConfig.LogConfig"])
        .chain(&[".HostConfig.OomScoreAdj", ".HostConfig.PortBindings", ".HostConfig.MaskedPaths"])
        .chain(&[
            ".HostConfig.Mounts",
            ".HostConfig.ReadonlyPaths",
            ".HostConfig.IpcMode",
            ".HostConfig.CgroupnsMode",
        ])
    {
        assert_eq!(told("{other}", what), told("{one}", what), "{what} (left: straight)");
    }
    let networks = "{{range $name, $network := .NetworkSettings.Networks}}{{$name}} {{end}}";
    let listed = shop.straight.run(&["inspect", "--format", networks, &shop.line("{one}")]).good().text();
    assert_eq!(listed.trim(), shop.line("{network}"));
}

#[test]
fn a_days_work_within_the_guard_goes_as_without_it() {
    let shop = Shop::new();
    let (caller, folder) = (&shop.caller, &shop.folder);
    folder.write("web/page", "hello\n");
    let shell = ["sh", "-c"];
    let mounted = shop.line("run --rm --name {other} -v {web}:/web -v {web}/page:/page:ro {image}");
    let says = "cat /page; echo made > /web/made; echo no > /page || echo kept";
    let outcome = caller.run(&[&words(&mounted)[..], &shell, &[says]].concat()).good();
    assert_eq!(outcome.text(), "hello\nkept\n");
    assert_eq!(folder.read("web/made"), b"made\n");
    shop.good("run -d --name {one} -p 127.0.0.1::80 {image} sleep 1000");
    assert_eq!(shop.good("exec -e A=b -u 1000 -w /tmp {one} pwd"), "/tmp\n");
    assert_eq!(shop.good("exec -w /etc/../proc/../var {one} pwd"), "/var\n");
    assert!(shop.good("port {one}").starts_with("80/tcp -> 127.0.0.1:"));
    shop.good("update --cpus 0.5 -m 64m --memory-swap 64m --pids-limit 50 --restart always {one}");
    let changed = "{{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy.Name}}";
    let told = shop.straight.run(&["inspect", "--format", changed, &shop.line("{one}")]).good().text();
    assert_eq!(told, "500000000 50 always\n");
    shop.good(
        "network create --internal --label a=b --subnet 10.213.7.0/24 --ip-range 10.213.7.128/25 {network}",
    );
    shop.good("network connect --alias friend --ip 10.213.7.200 {network} {one}");
    assert!(shop.good("exec {one} nslookup friend").contains("10.213.7.200"));
    shop.good("network disconnect {network} {one}");
    let joined = "run --rm --name {other} --network container:{one} --pid container:{one} {image} ps";
    assert!(shop.good(joined).contains("sleep 1000"));
    shop.good("volume create --label a=b {volume}");
    shop.good("run --rm --name {other} -v {volume}:/data:ro {image} true");
    shop.good("rename {one} {leads}");
    for line in ["rm -f {leads}", "network rm {network}", "volume rm {volume}"] {
        shop.good(line);
    }
}

/// Flags of `docker run` that reach beyond the container, and the member each of them sets.
const FORBIDDEN: &[(&str, &str)] = &[
    ("--privileged", "HostConfig.Privileged"),
    ("--cap-add SYS_ADMIN", "HostConfig.CapAdd"),
    ("--cap-add CHOWN", "HostConfig.CapAdd"),
    ("--device /dev/null", "HostConfig.Devices"),
    ("--device-cgroup-rule=c*1:3*r", "HostConfig.DeviceCgroupRules"),
    ("--device-read-bps /dev/null:1mb", "HostConfig.BlkioDeviceReadBps"),
    ("--device-write-iops /dev/null:1", "HostConfig.BlkioDeviceWriteIOps"),
    ("--gpus all", "HostConfig.DeviceRequests"),
    ("--pid host", "HostConfig.PidMode"),
    ("--network host", "HostConfig.NetworkMode"),
    ("--ipc host", "HostConfig.IpcMode"),
    ("--uts host", "HostConfig.UTSMode"),
    ("--userns host", "HostConfig.UsernsMode"),
    ("--cgroupns host", "HostConfig.CgroupnsMode"),
    ("--cgroup-parent /other", "HostConfig.CgroupParent"),
    ("--security-opt seccomp=unconfined", "HostConfig.SecurityOpt[0]"),
    ("--security-opt apparmor=unconfined", "HostConfig.SecurityOpt[0]"),
    ("--security-opt label=disable", "HostConfig.SecurityOpt[0]"),
    ("--security-opt systempaths=unconfined", "HostConfig.MaskedPaths"),
    ("--sysctl net.ipv4.ip_forward=1", "HostConfig.Sysctls"),
    ("--ulimit nofile=9", "HostConfig.Ulimits"),
    ("--runtime other", "HostConfig.Runtime"),
    ("--group-add 0", "HostConfig.GroupAdd"),
    ("--oom-score-adj -1", "HostConfig.OomScoreAdj"),
    ("--oom-kill-disable -m 64m", "HostConfig.OomKillDisable"),
    ("--storage-opt size=1G", "HostConfig.StorageOpt"),
    ("--isolation hyperv", "HostConfig.Isolation"),
    ("--add-host x:host-gateway", "HostConfig.ExtraHosts[0]"),
    ("--log-driver syslog", "HostConfig.LogConfig.Type"),
    ("--log-driver syslog --log-opt syslog-address=udp://127.0.0.1:9", "HostConfig.LogConfig.Type"),
    ("--link {one}", "HostConfig.Links"),
    ("--volumes-from {one}", "HostConfig.VolumesFrom"),
    ("--volume-driver other -v {volume}:/x", "HostConfig.VolumeDriver"),
    ("-w /proc/self/fd/8", "WorkingDir"),
    ("-w /tmp/../proc/self/fd/8", "WorkingDir"),
    // Files of the host, in each of the ways to say so.
    ("-v /:/x", "HostConfig.Binds[0]"),
    ("-v /var/run/docker.sock:/var/run/docker.sock", "HostConfig.Binds[0]"),
    ("-v /etc:/x:ro", "HostConfig.Binds[0]"),
    ("-v {conf}:/x", "HostConfig.Binds[0]"),
    ("-v {conf}:/x:ro,z", "HostConfig.Binds[0]"),
    ("-v {web}:/x:rshared", "HostConfig.Binds[0]"),
    ("-v {web}site:/x", "HostConfig.Binds[0]"),
    ("-v {web}/..:/x", "HostConfig.Binds[0]"),
    ("--mount type=bind,src=/,dst=/x", "HostConfig.Mounts[0].Source"),
    ("--mount type=bind,src=/var/run/docker.sock,dst=/x", "HostConfig.Mounts[0].Source"),
    ("--mount type=bind,src={conf},dst=/x", "HostConfig.Mounts[0].Source"),
    ("--mount type=bind,src={web}site,dst=/x", "HostConfig.Mounts[0].Source"),
    ("--mount type=bind,src={web}/../website,dst=/x", "HostConfig.Mounts[0].Source"),
    (
        "--mount type=bind,src={web},dst=/x,bind-propagation=rshared",
        "HostConfig.Mounts[0].BindOptions.Propagation",
    ),
    (
        "--mount type=volume,src={volume},dst=/x,volume-driver=other",
        "HostConfig.Mounts[0].VolumeOptions.DriverConfig.Name",
    ),
    (
        "--mount type=volume,src={volume},dst=/x,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/",
        "HostConfig.Mounts[0].VolumeOptions.DriverConfig.Options",
    ),
    ("--mount type=volume,src={leads},dst=/x", "volume {leads}"),
    ("-v {leads}:/x", "volume {leads}"),
    ("--tmpfs /x:exec", "HostConfig.Tmpfs[\"/x\"]"),
    ("--tmpfs /x:dev,suid", "HostConfig.Tmpfs[\"/x\"]"),
];

#[test]
fn each_flag_that_reaches_the_host_is_refused_by_the_member_it_sets() {
    let shop = Shop::new();
    shop.good("run -d --name {one} {image} sleep 1000");
    let leads = "volume create --opt type=none --opt o=bind --opt device=/etc {leads}";
    shop.straight.run(&words(&shop.line(leads))).good();
    nothing_happens(&shop.scene, || {
        for (flags, member) in FORBIDDEN {
            for verb in ["run --rm", "create"] {
                let line = shop.line(&format!("{verb} --name {{other}} {flags} {{image}} true"));
                // A star stands for a space within one word.
                let words: Vec<_> = words(&line).into_iter().map(|word| word.replace('*', " ")).collect();
                let words: Vec<_> = words.iter().map(String::as_str).collect();
                shop.caller.may_not(&words, &format!("may not send {}: ", shop.line(member)));
            }
        }
    });
    let denied = shop.agent.logged("policy.denied");
    assert_eq!(denied.len(), 2 * FORBIDDEN.len(), "each refusal is logged once");
    assert!(denied.iter().all(|line| line.contains(r#""reason":"member""#) && line.contains("shop")));
}

#[test]
fn what_else_reaches_the_host_is_refused_too() {
    let shop = Shop::new();
    shop.good("run -d --name {one} {image} sleep 1000");
    nothing_happens(&shop.scene, || {
        for (line, why) in [
            ("exec --privileged {one} true", "may not send Privileged: "),
            ("exec -w /proc/1/root {one} true", "may not send WorkingDir: "),
            ("network create -d macvlan -o parent=lo {other}", "may not send "),
            ("network create -d host {other}", "may not send Driver: "),
            ("network create -o com.docker.network.bridge.name=lo {other}", "may not send Options: "),
            ("network create --scope swarm {other}", "may not send Scope: "),
            ("network create --config-only {other}", "may not send ConfigOnly: "),
            ("network create --ipam-driver other {other}", "may not send IPAM.Driver: "),
            ("network create --ipam-opt a=b {other}", "may not send IPAM.Options: "),
            ("network connect --link {one}:x bridge {one}", "may not send EndpointConfig.Links: "),
            ("network connect --driver-opt a=b bridge {one}", "may not send EndpointConfig.DriverOpts: "),
            ("volume create -d other {other}", "may not send Driver: "),
            ("volume create -o type=none -o o=bind -o device=/ {other}", "may not send DriverOpts: "),
            ("cp {one}:/etc/passwd {web}", "lacks class dump"),
            ("commit {one} {other}:1", "lacks class build"),
            ("pull 127.0.0.1:9/shelf/image:1", "lacks class pull"),
            ("plugin disable none", "lacks class all"),
        ] {
            shop.caller.may_not(&words(&shop.line(line)), why);
        }
    });
    let count = fs::read_dir(shop.folder.at("web")).expect("our directory").count();
    assert_eq!(count, 0, "nothing was copied out");
}

/// The magic number of a compressed archive makes the Engine run a program to unpack it.
#[test]
fn a_plain_archive_is_copied_in_and_a_compressed_one_is_not() {
    let shop = Shop::new();
    let folder = &shop.folder;
    shop.good("run -d --name {one} {image} sleep 1000");
    for (flags, name) in [("-cf", "plain"), ("-czf", "compressed")] {
        folder.write(name, "text\n");
        let archive = folder.at(&format!("{name}.tar"));
        run(Command::new("tar").args([flags, &archive, "-C", &folder.at(""), name])).good();
    }
    let copy = |docker: &dyn Fn(&[&str], Vec<u8>) -> bool, name: &str| {
        let line = shop.line("cp - {one}:/tmp");
        docker(&words(&line), folder.read(&format!("{name}.tar")))
    };
    // The docker command looks at the directory first, which is another class.
    let copier = shop.agent.caller("copier");
    let through = |line: &[&str], bytes: Vec<u8>| copier.run_with(line, bytes).status.success();
    let straight = |line: &[&str], bytes: Vec<u8>| shop.straight.run_with(line, bytes).status.success();
    assert!(copy(&through, "plain"));
    assert_eq!(shop.good("exec {one} cat /tmp/plain"), "text\n");
    nothing_happens(&shop.scene, || assert!(!copy(&through, "compressed")));
    assert!(copy(&straight, "compressed"), "the Engine itself unpacks it");
    assert_eq!(shop.good("exec {one} cat /tmp/compressed"), "text\n");
}
