//! Fixtures changed at random: whatever of them passes holds nothing forbidden, as the Engine reads it.

use super::fixtures::{ALL, shop};
use super::lenient::Loose;
use super::{Guard, creator, judge, labelled};

/// Enough to meet every member in every spelling, in some seconds without optimisation.
const ROUNDS: u32 = 12_000;

/// Members that lead out of a container, at one level or another.
const MEMBERS: &[(&str, &str)] = &[
    ("Privileged", "true"),
    ("CapAdd", r#"["ALL"]"#),
    ("PidMode", r#""host""#),
    ("PidMode", r#""container:shop-it""#),
    ("IpcMode", r#""host""#),
    ("NetworkMode", r#""host""#),
    ("NetworkMode", r#""container:shop-it""#),
    ("UTSMode", r#""host""#),
    ("UsernsMode", r#""host""#),
    ("CgroupnsMode", r#""host""#),
    ("CgroupParent", r#""/""#),
    ("Runtime", r#""evil""#),
    ("Devices", r#"[{"PathOnHost":"/dev/sda"}]"#),
    ("DeviceCgroupRules", r#"["a *:* rwm"]"#),
    ("DeviceRequests", "[{}]"),
    ("BlkioDeviceReadBps", "[{}]"),
    ("Sysctls", r#"{"kernel.core_pattern":"x"}"#),
    ("VolumesFrom", r#"["shop-it"]"#),
    ("Links", r#"["shop-it"]"#),
    ("SecurityOpt", r#"["seccomp=unconfined"]"#),
    ("MaskedPaths", "[]"),
    ("ReadonlyPaths", "[]"),
    ("OomScoreAdj", "-1000"),
    ("ExtraHosts", r#"["h:host-gateway"]"#),
    ("Binds", r#"["/etc:/x"]"#),
    ("Binds", r#"["/srv/web:/x:rshared"]"#),
    ("Binds", r#"["/srv/web/../../etc:/x"]"#),
    ("Mounts", r#"[{"Type":"bind","Source":"/","Target":"/x"}]"#),
    ("Mounts", r#"[{"Type":"tmpfs","Source":"/","type":"bind"}]"#),
    ("Mounts", r#"[{"Type":"volume","VolumeOptions":{"DriverConfig":{"Options":{"device":"/"}}}}]"#),
    ("Type", r#""bind""#),
    ("Source", r#""/etc""#),
    ("Propagation", r#""rshared""#),
    ("Tmpfs", r#"{"/run":"exec,suid,dev"}"#),
    ("LogConfig", r#"{"Type":"syslog"}"#),
    ("WorkingDir", r#""/proc/self/fd/7""#),
    ("Driver", r#""macvlan""#),
    ("DriverOpts", r#"{"o":"bind","device":"/"}"#),
    ("Options", r#"{"a":"b"}"#),
    ("ConfigOnly", "true"),
    ("EndpointsConfig", r#"{"host":{}}"#),
    ("HostConfig", r#"{"Privileged":true}"#),
    ("HostConfig", "null"),
    ("Labels", r#"{"team":"base"}"#),
    ("team", r#""base""#),
    ("Memory", "1"),
];

/// A small generator of numbers that look random: xorshift.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    fn spelling(&mut self, name: &str) -> String {
        match self.below(8) {
            0 => name.to_lowercase(),
            1 => name.to_uppercase(),
            2 => name.replace('s', "\u{17f}"),
            3 => name.replace(['k', 'K'], "\u{212a}"),
            4 => format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..]),
            _ => name.to_owned(),
        }
    }

    /// Changes something, anywhere below.
    fn change(&mut self, value: &mut Loose) {
        let (name, new) = *self.one_of(MEMBERS);
        let new = Loose::read(new.as_bytes());
        match value {
            Loose::Object(members) => {
                let at = self.below(members.len() + 1);
                match self.below(10) {
                    0 | 1 => members.insert(at, (self.spelling(name), new)),
                    2 if at < members.len() => {
                        let twin = (self.spelling(&members[at].0.clone()), members[at].1.clone());
                        members.push(twin);
                    }
                    3 if at < members.len() && members[at].0.is_ascii() && !members[at].0.is_empty() => {
                        members[at].0 = self.spelling(&members[at].0.clone());
                    }
                    4 => {
                        let same = members.iter_mut().find(|(known, _)| known == name);
                        if let Some((_, value)) = same {
                            *value = new;
                        }
                    }
                    _ if at < members.len() => self.change(&mut members[at].1),
                    _ => {}
                }
            }
            Loose::List(items) if !items.is_empty() => {
                let at = self.below(items.len());
                self.change(&mut items[at]);
            }
            Loose::Null | Loose::Bool(_) | Loose::Number(_) | Loose::Text(_) | Loose::List(_) => *value = new,
        }
    }
}

#[test]
fn nothing_forbidden_passes_however_a_body_is_changed() {
    let (mut dice, mut passed, mut refused) = (Dice(0x9e37_79b9_7f4a_7c15), 0, 0);
    for round in 0..ROUNDS {
        let &(guard, name, text) = dice.one_of(ALL);
        let mut tree = Loose::read(text.as_bytes());
        for _ in 0..=dice.below(3) {
            dice.change(&mut tree);
        }
        let mut text = String::new();
        tree.write(&mut text);
        let mut body = text.into_bytes();
        if dice.below(8) == 0 {
            let at = dice.below(body.len());
            body[at] = u8::try_from(dice.below(256)).unwrap();
        }
        let is_labelled = dice.below(2) == 0;
        let grant = if is_labelled { labelled(creator()) } else { creator() };
        let Ok(sent) = judge(guard, &body, &grant, &mut shop()) else {
            refused += 1;
            continue;
        };
        passed += 1;
        let wrong = forbidden(guard, &Loose::read(&sent), is_labelled);
        assert_eq!(wrong, None, "round {round}, {name}: {}", String::from_utf8_lossy(&body));
    }
    // A property of bodies that pass says nothing where none does.
    assert!(passed > ROUNDS / 20 && refused > ROUNDS / 20, "{passed} passed, {refused} were refused");
}

/// What a body says that no key without class host may, in words of this file alone.
fn forbidden(guard: Guard, body: &Loose, is_labelled: bool) -> Option<String> {
    let creates = matches!(guard, Guard::ContainerCreate | Guard::NetworkCreate | Guard::VolumeCreate);
    if is_labelled && creates && body.get("Labels").get("team").text() != "web" {
        return Some("Labels".to_owned());
    }
    let any = |tree: &Loose, names: &str| {
        names.split(' ').find(|name| !tree.get(name).is_nothing()).map(str::to_owned)
    };
    let leaves = |tree: &Loose| {
        any(tree, "Privileged CapAdd Devices DeviceCgroupRules DeviceRequests BlkioDeviceReadBps CgroupParent Ulimits")
            .or_else(|| any(tree, "Sysctls VolumesFrom Links UTSMode UsernsMode StorageOpt Annotations VolumeDriver"))
            .or_else(|| of_container(tree))
    };
    match guard {
        // Old Engines take members of HostConfig from beside it.
        Guard::ContainerCreate => leaves(&body.get("HostConfig"))
            .or_else(|| leaves(body))
            .or_else(|| proc(body))
            .or_else(|| endpoints(&body.get("NetworkingConfig").get("EndpointsConfig"))),
        Guard::ContainerUpdate => leaves(body),
        Guard::NetworkCreate => any(body, "Options Ingress ConfigOnly").or_else(|| {
            let driver = body.get("Driver");
            (!["", "bridge"].contains(&driver.text())).then(|| "Driver".to_owned())
        }),
        Guard::VolumeCreate => any(body, "DriverOpts ClusterVolumeSpec"),
        Guard::NetworkConnect => any(&body.get("EndpointConfig"), "Links DriverOpts"),
        Guard::NetworkDisconnect => None,
        Guard::ExecCreate => any(body, "Privileged").or_else(|| proc(body)),
        Guard::ExecStart => None,
    }
}

fn of_container(host: &Loose) -> Option<String> {
    let is_id = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_one_of = |name: &str, texts: &[&str]| texts.contains(&host.get(name).text());
    let is_joined = |name: &str| host.get(name).text().strip_prefix("container:").is_some_and(is_id);
    let wrong = [
        ("PidMode", is_one_of("PidMode", &[""])),
        ("IpcMode", is_one_of("IpcMode", &["", "none", "private", "shareable"])),
        ("CgroupnsMode", is_one_of("CgroupnsMode", &["", "private"])),
        ("Runtime", is_one_of("Runtime", &["", "runc"])),
        (
            "NetworkMode",
            is_one_of("NetworkMode", &["", "default", "bridge", "none"])
                || is_joined("NetworkMode")
                || is_id(host.get("NetworkMode").text()),
        ),
        ("LogConfig", ["", "json-file"].contains(&host.get("LogConfig").get("Type").text())),
        ("MaskedPaths", matches!(host.get("MaskedPaths"), Loose::Null)),
        ("ReadonlyPaths", matches!(host.get("ReadonlyPaths"), Loose::Null)),
        ("OomScoreAdj", !matches!(host.get("OomScoreAdj"), Loose::Number(number) if number < 0.0)),
        (
            "SecurityOpt",
            host.get("SecurityOpt").items().iter().all(|item| item.text() == "no-new-privileges"),
        ),
        (
            "ExtraHosts",
            !host.get("ExtraHosts").items().iter().any(|item| item.text().contains("host-gateway")),
        ),
        ("Tmpfs", !host.get("Tmpfs").members().iter().any(|(_, value)| value.text().contains("exec"))),
        ("Binds", host.get("Binds").items().iter().all(is_safe_bind)),
        ("Mounts", host.get("Mounts").items().iter().all(is_safe_mount)),
    ];
    wrong.iter().find(|(_, is_well)| !is_well).map(|(name, _)| (*name).to_owned())
}

fn is_ours(path: &str) -> bool {
    (path == "/srv/web" || path.starts_with("/srv/web/")) && !path.contains("..")
}

fn is_safe_bind(entry: &Loose) -> bool {
    let entry = entry.text();
    !entry.contains("shared")
        && !entry.contains("slave")
        && (is_ours(entry.split(':').next().unwrap()) || entry.starts_with("shop"))
}

fn is_safe_mount(mount: &Loose) -> bool {
    let options = ["BindOptions", "VolumeOptions", "TmpfsOptions"].map(|name| mount.get(name));
    let is_plain = options.iter().all(|options| {
        ["", "private", "rprivate"].contains(&options.get("Propagation").text())
            && options.get("DriverConfig").get("Options").is_nothing()
            && options.get("Options").is_nothing()
    });
    let source = mount.get("Source");
    is_plain
        && match mount.get("Type").text() {
            "bind" => is_ours(source.text()),
            "volume" => !source.text().contains('/'),
            "tmpfs" => source.is_nothing(),
            _ => false,
        }
}

fn proc(body: &Loose) -> Option<String> {
    body.get("WorkingDir").text().starts_with("/proc").then(|| "WorkingDir".to_owned())
}

fn endpoints(config: &Loose) -> Option<String> {
    let is_wrong = |(name, endpoint): &&(String, Loose)| {
        let is_plain = ["default", "bridge", "none"].contains(&name.as_str()) || name.len() == 64;
        !is_plain || !endpoint.get("DriverOpts").is_nothing() || !endpoint.get("Links").is_nothing()
    };
    config.members().iter().find(is_wrong).map(|(name, _)| format!("EndpointsConfig {name}"))
}
