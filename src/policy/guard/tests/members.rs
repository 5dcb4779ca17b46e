//! Every member that must be nothing, or one of few things, in each spelling the Engine takes for it.

use super::{Guard, alone, creator, lifted, why};
use Guard::{ContainerCreate, ContainerUpdate, ExecCreate, NetworkConnect, NetworkCreate, VolumeCreate};

const EMPTY: &[&str] = &["null", "[]"];
const NO: &[&str] = &["null", "false"];
const NO_TEXT: &[&str] = &["null", "\"\""];
const NO_MAP: &[&str] = &["null", "{}"];
const SOME: &[&str] = &[r#"["x"]"#, r#"[{"a":1}]"#, r#"[""]"#];
const MAP: &[&str] = &[r#"{"a":"b"}"#, r#"{"":""}"#];
const DEVICES: &[&str] = &[r#"[{"Path":"/dev/sda","Rate":1}]"#, "[{}]", "[null]"];

/// A guard, a member, what it may be, and what it may not be.
type Case = (Guard, &'static str, &'static [&'static str], &'static [&'static str]);

const CASES: &[Case] = &[
    (ContainerCreate, "HostConfig.Privileged", NO, &["true", "1", "\"true\""]),
    (ContainerCreate, "HostConfig.CapAdd", EMPTY, &[r#"["SYS_ADMIN"]"#, "\"ALL\""]),
    (ContainerCreate, "HostConfig.Capabilities", EMPTY, SOME),
    (ContainerCreate, "HostConfig.GroupAdd", EMPTY, SOME),
    (ContainerCreate, "HostConfig.Devices", EMPTY, &[r#"[{"PathOnHost":"/dev/sda"}]"#, "[{}]"]),
    (ContainerCreate, "HostConfig.DeviceCgroupRules", EMPTY, &[r#"["a *:* rwm"]"#]),
    (ContainerCreate, "HostConfig.DeviceRequests", EMPTY, &[r#"[{"Driver":"nvidia","Count":-1}]"#]),
    (ContainerCreate, "HostConfig.BlkioWeightDevice", EMPTY, DEVICES),
    (ContainerCreate, "HostConfig.BlkioDeviceReadBps", EMPTY, DEVICES),
    (ContainerCreate, "HostConfig.BlkioDeviceWriteBps", EMPTY, DEVICES),
    (ContainerCreate, "HostConfig.BlkioDeviceReadIOps", EMPTY, DEVICES),
    (ContainerCreate, "HostConfig.BlkioDeviceWriteIOps", EMPTY, DEVICES),
    (ContainerCreate, "HostConfig.Ulimits", EMPTY, &[r#"[{"Name":"nofile","Soft":1,"Hard":1}]"#]),
    (ContainerCreate, "HostConfig.OomKillDisable", NO, &["true"]),
    (ContainerCreate, "HostConfig.DiskQuota", &["null", "0"], &["1"]),
    (ContainerCreate, "HostConfig.CgroupParent", NO_TEXT, &["\"/\"", "\"system.slice\""]),
    (ContainerCreate, "HostConfig.Cgroup", NO_TEXT, &["\"container:a\""]),
    (ContainerCreate, "HostConfig.Runtime", &["null", "\"\"", "\"runc\""], &["\"kata\"", "\"runC\"", "[]"]),
    (ContainerCreate, "HostConfig.Isolation", NO_TEXT, &["\"process\""]),
    (ContainerCreate, "HostConfig.StorageOpt", NO_MAP, MAP),
    (ContainerCreate, "HostConfig.Sysctls", NO_MAP, &[r#"{"net.ipv4.ip_forward":"1"}"#]),
    (ContainerCreate, "HostConfig.Annotations", NO_MAP, MAP),
    (ContainerCreate, "HostConfig.VolumeDriver", NO_TEXT, &["\"local\"", "\"nfs\""]),
    (ContainerCreate, "HostConfig.ContainerIDFile", NO_TEXT, &["\"/etc/cron.d/x\""]),
    (ContainerCreate, "HostConfig.InitPath", NO_TEXT, &["\"/usr/bin/evil\""]),
    (ContainerCreate, "HostConfig.UTSMode", NO_TEXT, &["\"host\"", "\"private\""]),
    (ContainerCreate, "HostConfig.UsernsMode", NO_TEXT, &["\"host\"", "\"host:x\""]),
    (ContainerCreate, "HostConfig.CgroupnsMode", &["\"\"", "\"private\""], &["\"host\"", "\"Private\""]),
    (
        ContainerCreate,
        "HostConfig.PidMode",
        NO_TEXT,
        &["\"host\"", "\"ns:/proc/1/ns/pid\"", "\"private\"", "1"],
    ),
    (
        ContainerCreate,
        "HostConfig.IpcMode",
        &["\"\"", "\"none\"", "\"private\"", "\"shareable\""],
        &["\"host\"", "\"ns:/x\"", "\"HOST\""],
    ),
    (
        ContainerCreate,
        "HostConfig.NetworkMode",
        &["\"\"", "\"default\"", "\"bridge\"", "\"none\""],
        &["\"host\""],
    ),
    (ContainerCreate, "HostConfig.MaskedPaths", &["null"], &["[]", r#"["/proc/kcore"]"#, "\"\"", "{}"]),
    (ContainerCreate, "HostConfig.ReadonlyPaths", &["null"], &["[]", r#"["/proc/sys"]"#, "false"]),
    (
        ContainerCreate,
        "HostConfig.SecurityOpt",
        &["null", "[]", r#"["no-new-privileges"]"#, r#"["no-new-privileges:true","no-new-privileges=true"]"#],
        &[
            r#"["seccomp=unconfined"]"#,
            r#"["apparmor:unconfined"]"#,
            r#"["no-new-privileges:false"]"#,
            r#"["no-new-privileges","label=disable"]"#,
            r#"["systempaths=unconfined"]"#,
            "[null]",
        ],
    ),
    (
        ContainerCreate,
        "HostConfig.ExtraHosts",
        &["[]", r#"["db:10.0.0.5","host-gateway:10.0.0.1"]"#],
        &[
            r#"["host.docker.internal:host-gateway"]"#,
            r#"["a=host-gateway"]"#,
            r#"["a=b:host-gateway"]"#,
            r#"["ok:10.0.0.1","a:host-gateway"]"#,
        ],
    ),
    (ContainerCreate, "HostConfig.OomScoreAdj", &["null", "0", "1000"], &["-1", "-1000", "0.5", "\"-1\""]),
    (
        ContainerCreate,
        "HostConfig.LogConfig.Type",
        &["\"\"", "\"json-file\"", "\"local\"", "\"none\""],
        &["\"syslog\"", "\"fluentd\"", "\"Local\""],
    ),
    (
        ContainerCreate,
        "HostConfig.Tmpfs",
        &[
            r#"{"/run":""}"#,
            r#"{"/run":"rw,noexec,nosuid,nodev,size=64m,mode=1770,uid=1,gid=1,nr_inodes=9,ro"}"#,
        ],
        &[
            r#"{"/run":"exec"}"#,
            r#"{"/run":"rw,suid"}"#,
            r#"{"/run":"dev"}"#,
            r#"{"/run":"size=1m,,dev"}"#,
            r#"{"/run":"mpol=bind"}"#,
            r#"{"/a":"","/b":"EXEC"}"#,
        ],
    ),
    (
        ContainerCreate,
        "NetworkingConfig.EndpointsConfig",
        &["null", "{}", r#"{"default":{},"none":null}"#],
        &[r#"{"host":{}}"#, r#"{"bridge":{"Links":["a:b"]}}"#, r#"{"bridge":{"DriverOpts":{"a":"b"}}}"#],
    ),
    (
        ContainerCreate,
        "WorkingDir",
        &["\"\"", "\"/\"", "\"/tmp\"", "\"/process\"", "\"/a/proc\"", "\"/proc/../tmp\""],
        &[
            "\"/proc\"",
            "\"/proc/self/fd/8\"",
            "\"//proc/\"",
            "\"/./proc/1\"",
            "\"/tmp/../proc/self\"",
            "\"proc/self\"",
            "\"../../proc\"",
        ],
    ),
    (ContainerUpdate, "CgroupParent", NO_TEXT, &["\"/\""]),
    (ContainerUpdate, "Devices", EMPTY, &[r#"[{"PathOnHost":"/dev/sda"}]"#]),
    (ContainerUpdate, "DeviceCgroupRules", EMPTY, SOME),
    (ContainerUpdate, "DeviceRequests", EMPTY, &["[{}]"]),
    (ContainerUpdate, "BlkioWeightDevice", EMPTY, DEVICES),
    (ContainerUpdate, "OomKillDisable", NO, &["true"]),
    (ContainerUpdate, "Ulimits", EMPTY, &["[{}]"]),
    (ExecCreate, "Privileged", NO, &["true"]),
    (ExecCreate, "WorkingDir", &["null", "\"/tmp\""], &["\"/proc/self/fd/7\"", "\"/a/../proc\""]),
    (
        NetworkCreate,
        "Driver",
        &["\"\"", "\"bridge\""],
        &["\"host\"", "\"macvlan\"", "\"ipvlan\"", "\"overlay\"", "\"Bridge\""],
    ),
    (NetworkCreate, "Scope", &["\"\"", "\"local\""], &["\"swarm\"", "\"global\""]),
    (NetworkCreate, "Options", NO_MAP, &[r#"{"com.docker.network.bridge.name":"eth0"}"#]),
    (NetworkCreate, "Ingress", NO, &["true"]),
    (NetworkCreate, "ConfigOnly", NO, &["true"]),
    (NetworkCreate, "ConfigFrom.Network", NO_TEXT, &["\"other\""]),
    (NetworkCreate, "IPAM.Driver", &["\"\"", "\"default\""], &["\"evil\"", "\"null\""]),
    (NetworkCreate, "IPAM.Options", NO_MAP, MAP),
    (NetworkConnect, "EndpointConfig.Links", EMPTY, SOME),
    (NetworkConnect, "EndpointConfig.DriverOpts", NO_MAP, MAP),
    (VolumeCreate, "Driver", &["\"\"", "\"local\""], &["\"nfs\"", "\"LOCAL\""]),
    (VolumeCreate, "DriverOpts", NO_MAP, &[r#"{"type":"none","o":"bind","device":"/"}"#]),
    (VolumeCreate, "ClusterVolumeSpec", NO_MAP, &[r#"{"Group":"a"}"#]),
];

/// A body with one member.
fn body(path: &str, value: &str) -> String {
    path.rsplit('.').fold(value.to_owned(), |value, name| format!("{{\"{name}\":{value}}}"))
}

/// Spellings an Engine takes for this path, each of one of its names.
fn spellings(path: &str) -> Vec<String> {
    let names: Vec<_> = path.split('.').collect();
    let mut all = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let folds = [
            name.to_lowercase(),
            name.to_uppercase(),
            name.replacen(['s', 'S'], "\u{17f}", 1),
            name.replacen(['k', 'K'], "\u{212a}", 1),
            name.to_lowercase().replace('s', "\\u017f").replace('k', "\\u212A"),
        ];
        for fold in folds.into_iter().filter(|fold| fold != name) {
            let mut names: Vec<_> = names.iter().map(ToString::to_string).collect();
            names[at] = fold;
            all.push(names.join("."));
        }
    }
    all
}

/// The same names, with their last letters escaped.
fn escaped(path: &str) -> String {
    let escape = |name: &str| {
        let (start, last) = name.split_at(name.len() - 1);
        format!("{start}\\u{:04x}", last.as_bytes()[0])
    };
    path.split('.').map(escape).collect::<Vec<_>>().join(".")
}

#[test]
fn what_is_forbidden_is_refused_and_nothing_of_it_passes() {
    for (guard, path, good, bad) in CASES {
        for value in *good {
            for path in [path.to_string(), escaped(path)] {
                let judged = alone(*guard, &creator(), &body(&path, value));
                assert!(judged.is_ok(), "{path} {value}: {judged:?}");
            }
        }
        for value in *bad {
            for spelt in [path.to_string(), escaped(path)] {
                let why = why(alone(*guard, &creator(), &body(&spelt, value)));
                assert!(why.contains(path), "{spelt} {value}: {why}");
            }
        }
    }
}

#[test]
fn other_spellings_are_refused_whatever_they_say_and_the_right_one_is_told() {
    for (guard, path, good, bad) in CASES {
        for spelt in spellings(path) {
            for value in good.iter().chain(*bad) {
                for grant in [creator(), lifted(creator())] {
                    let why = why(alone(*guard, &grant, &body(&spelt, value)));
                    assert!(
                        why.contains("it is spelt") || why.contains("it stands in HostConfig"),
                        "{spelt} {value}: {why}"
                    );
                }
            }
        }
    }
}

#[test]
fn class_host_lifts_every_one() {
    for (guard, path, _, bad) in CASES {
        let texts = ["LogConfig.Type", "PidMode", "IpcMode", "Runtime", "WorkingDir"];
        for value in bad
            .iter()
            .filter(|value| !texts.iter().any(|text| path.ends_with(text)) || value.starts_with('"'))
        {
            let body = body(path, value);
            let judged = alone(*guard, &lifted(creator()), &body);
            assert_eq!(judged.unwrap_or_else(|why| panic!("{body}: {why}")), super::read(&body));
        }
    }
}

#[test]
fn members_of_host_config_do_not_stand_beside_it() {
    for name in
        ["Privileged", "privileged", "PidMode", "Binds", "Memory", "Networ\u{212a}Mode", "Mount\u{17f}"]
    {
        for grant in [creator(), lifted(creator())] {
            let why = why(alone(ContainerCreate, &grant, &format!("{{\"{name}\":null}}")));
            assert!(why.contains("it stands in HostConfig, as "), "{name}: {why}");
        }
    }
}

#[test]
fn a_member_nobody_knows_is_refused_and_under_host_copied_in_one_spelling() {
    for body in
        [r#"{"New":1}"#, r#"{"HostConfig":{"New":null}}"#, r#"{"":1}"#, r#"{"Healthcheck":{"New":0}}"#]
    {
        assert!(
            why(alone(ContainerCreate, &creator(), body)).contains("nothing is known of it (class host)")
        );
        assert_eq!(alone(ContainerCreate, &lifted(creator()), body).unwrap(), super::read(body));
    }
    for body in
        [r#"{"New":1,"new":2}"#, r#"{"HostConfig":{"Task":1,"Tas\u212a":2}}"#, r#"{"Us":1,"U\u017f":2}"#]
    {
        assert!(why(alone(ContainerCreate, &lifted(creator()), body)).contains("in another spelling too"));
    }
}

#[test]
fn refusals_repeat_little_of_what_was_sent() {
    let why = why(alone(ContainerCreate, &creator(), &format!("{{\"{}\\n\":1}}", "x".repeat(100_000))));
    assert!(why.len() < 200 && !why.contains('\n'), "{why}");
}
