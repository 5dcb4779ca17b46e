//! The door to the guard of bodies: what passes is read again by a reader of another kind, and says nothing that
//! only class host may.
#![expect(clippy::panic, reason = "a panic is a finding")]

use super::loose::Loose;
use crate::auth::{Class, Classes, Glob, Grant, Label, Mount};
use crate::http::Framing;
use crate::policy::decide::{Asked, decide};
use crate::policy::engine::ROWS;
use crate::policy::json::Json;
use crate::policy::row::{Row, Takes};
use crate::policy::{Kind, Refused, Stop, Things};

/// The first byte says which body of those that are judged it is, and who sends it; the rest is the body. One
/// that passes is JSON, passes again unchanged, and holds nothing forbidden.
pub fn guard(bytes: &[u8]) {
    let Some((&which, body)) = bytes.split_first() else { return };
    let mut rows = ROWS.iter().filter(|row| matches!(row.body, Takes::Judged(_)));
    let Some(row) = rows.nth((which & 7).into()) else { return };
    let grant = grant(which, row.class);
    let Some(sent) = judged(row, &grant, body) else { return };
    let text = String::from_utf8_lossy(&sent);
    assert!(Json::read(&sent).is_ok(), "{text} is no JSON");
    let read = Loose::read(&sent).unwrap_or_else(|| panic!("{text} is no JSON to the other reader"));
    assert_eq!(judged(row, &grant, &sent).as_deref(), Some(sent.as_slice()), "{text} passes again unchanged");
    let wrong = if grant.has(Class::Host) { twins(row, &read) } else { forbidden(row, &grant, &read) };
    assert_eq!(wrong, None, "{text}");
    let is_made = ["/containers/create", "/networks/create", "/volumes/create"].contains(&row.pattern);
    if is_made && grant.label.is_some() {
        let labels = read.get("Labels");
        assert_eq!(labels.entry("team").map(Loose::text), Some("web"), "{text} is not labelled");
    }
    if row.pattern == "/containers/create" && !grant.images.is_empty() {
        assert!(read.get("Image").text().starts_with("lookout-test/"), "{text} is of another image");
    }
}

/// Some of what there is to grant, by the bits of a byte.
fn grant(which: u8, class: Class) -> Grant {
    let is_set = |bit: u8| which & bit != 0;
    let lifts = [(8, Class::Host), (16, Class::Exec)];
    let more = lifts.into_iter().filter(|(bit, _)| is_set(*bit)).map(|(_, class)| class);
    let label = Label { key: "team".to_owned(), value: "web".to_owned() };
    let image = Glob { stem: "lookout-test/".to_owned(), is_open: true };
    let mount = |path: &str, read_only| Mount { path: path.to_owned(), read_only };
    Grant {
        label: is_set(32).then_some(label),
        images: is_set(64).then_some(image).into_iter().collect(),
        mounts: vec![mount("/srv/web", false), mount("/etc/ssl", true)],
        ..Grant::of([class].into_iter().chain(more).collect::<Classes>())
    }
}

/// The body that is sent in the place of another, if it passes.
fn judged(row: &Row, grant: &Grant, body: &[u8]) -> Option<Vec<u8>> {
    let path = row.pattern.replace("{}", "name");
    let framing = Framing::Length(u64::try_from(body.len()).unwrap_or(u64::MAX));
    let (query, is_upgrade) = ("", false);
    let asked = Asked { method: row.method, path: &path, query, is_upgrade, content_type: None, framing };
    let mut order = decide(grant, &asked).unwrap_or_else(|why| panic!("{path} may be asked for: {why}"));
    match order.settle(grant, Some(body), &mut Shelf) {
        Ok(sent) => Some(sent.unwrap_or_else(|| panic!("a body that is judged is written anew"))),
        Err(Stop::Refused(_)) => None,
        Err(Stop::Engine(error)) => panic!("nobody asks an Engine: {error}"),
    }
}

/// An Engine on which everything is there, but what begins with `no-`.
pub(super) struct Shelf;

impl Things for Shelf {
    fn find(&mut self, kind: Kind, name: &str) -> Result<String, Stop> {
        let absent = || Refused::Absent { kind, name: name.to_owned() }.into();
        let is_there = match kind {
            Kind::Image => name.starts_with("lookout-test/"),
            Kind::Container | Kind::Network | Kind::Volume | Kind::Exec => {
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
                !name.is_empty() && !name.starts_with("no-") && name.bytes().all(is_plain)
            }
        };
        match kind {
            _ if !is_there => Err(absent()),
            Kind::Container | Kind::Network => Ok(id_of(name)),
            Kind::Volume | Kind::Image | Kind::Exec => Ok(name.to_owned()),
        }
    }
}

/// 64 digits; of such digits, themselves.
fn id_of(name: &str) -> String {
    if is_id(name) {
        return name.to_owned();
    }
    let digits: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{digits:0<64}").chars().take(64).collect()
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What a body says that no key without class host may, in words of this file alone.
fn forbidden(row: &Row, grant: &Grant, body: &Loose) -> Option<String> {
    let found = match row.pattern {
        // Engines before 23 take members of HostConfig from beside it.
        "/containers/create" => of_host(grant, &body.get("HostConfig"))
            .or_else(|| of_host(grant, body))
            .or_else(|| any(body, "Devices Binds Mounts Tmpfs SecurityOpt NetworkMode PidMode IpcMode"))
            .or_else(|| proc(body))
            .or_else(|| endpoints(&body.get("NetworkingConfig").get("EndpointsConfig"))),
        "/containers/{}/update" => of_host(grant, body),
        "/networks/create" => any(body, "Options Ingress ConfigOnly")
            .or_else(|| other(body, "Driver", &["", "bridge"]))
            .or_else(|| other(body, "Scope", &["", "local"]))
            .or_else(|| any(&body.get("ConfigFrom"), "Network"))
            .or_else(|| other(&body.get("IPAM"), "Driver", &["", "default"]))
            .or_else(|| any(&body.get("IPAM"), "Options")),
        "/networks/{}/connect" => {
            any(&body.get("EndpointConfig"), "Links DriverOpts").or_else(|| container(body))
        }
        "/networks/{}/disconnect" => container(body),
        "/volumes/create" => {
            any(body, "DriverOpts ClusterVolumeSpec").or_else(|| other(body, "Driver", &["", "local"]))
        }
        "/containers/{}/exec" => any(body, "Privileged").or_else(|| proc(body)),
        "/exec/{}/start" => None,
        pattern => panic!("what {pattern} must not say stands nowhere here"),
    };
    found.or_else(|| twins(row, body))
}

/// A container by another name than its id. By none at all, the Engine finds none.
fn container(body: &Loose) -> Option<String> {
    let container = body.get("Container");
    (!container.is_nothing() && !is_id(container.text())).then(|| "Container".to_owned())
}

/// A member that the Engine could take for another, in what it looks at.
fn twins(row: &Row, body: &Loose) -> Option<String> {
    let (host, config) = (body.get("HostConfig"), body.get("NetworkingConfig"));
    let mut levels = vec![body.clone()];
    match row.pattern {
        "/containers/create" => {
            levels.extend(host.get("Mounts").items().iter().cloned());
            levels
                .extend(config.get("EndpointsConfig").members().iter().map(|(_, endpoint)| endpoint.clone()));
            levels.extend([host.get("LogConfig"), host.get("RestartPolicy"), host, config]);
        }
        "/networks/create" => levels.push(body.get("IPAM")),
        "/networks/{}/connect" => levels.push(body.get("EndpointConfig")),
        _ => {}
    }
    levels.iter().find_map(|level| level.twin().map(str::to_owned))
}

/// The first of these members that says something.
fn any(tree: &Loose, names: &str) -> Option<String> {
    names.split_whitespace().find(|name| !tree.get(name).is_nothing()).map(str::to_owned)
}

/// A member that is none of these texts.
fn other(tree: &Loose, name: &str, texts: &[&str]) -> Option<String> {
    (!texts.contains(&tree.get(name).text())).then(|| name.to_owned())
}

/// Members of `HostConfig`, and of an update.
fn of_host(grant: &Grant, host: &Loose) -> Option<String> {
    const LEAVES: &str = "Privileged CapAdd Capabilities GroupAdd Sysctls Annotations Cgroup Isolation StorageOpt \
        VolumeDriver ContainerIDFile InitPath UTSMode UsernsMode VolumesFrom Links CgroupParent Devices \
        DeviceCgroupRules DeviceRequests BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps \
        BlkioDeviceReadIOps BlkioDeviceWriteIOps DiskQuota OomKillDisable Ulimits";
    let joins = |name: &str| host.get(name).text().strip_prefix("container:").is_some_and(is_id);
    let is_inside = grant.has(Class::Exec);
    let all = |name: &str, is_well: fn(&Loose) -> bool| host.get(name).items().iter().all(is_well);
    let is_one_of = |name: &str, texts: &[&str]| texts.contains(&host.get(name).text());
    let network = host.get("NetworkMode");
    let well = [
        ("PidMode", is_one_of("PidMode", &[""]) || is_inside && joins("PidMode")),
        (
            "IpcMode",
            is_one_of("IpcMode", &["", "none", "private", "shareable"]) || is_inside && joins("IpcMode"),
        ),
        ("CgroupnsMode", is_one_of("CgroupnsMode", &["", "private"])),
        ("Runtime", is_one_of("Runtime", &["", "runc"])),
        ("NetworkMode", is_network(network.text()) || joins("NetworkMode")),
        ("LogConfig", ["", "json-file", "local", "none"].contains(&host.get("LogConfig").get("Type").text())),
        ("MaskedPaths", matches!(host.get("MaskedPaths"), Loose::Null)),
        ("ReadonlyPaths", matches!(host.get("ReadonlyPaths"), Loose::Null)),
        ("OomScoreAdj", host.get("OomScoreAdj").number() >= 0.0),
        (
            "SecurityOpt",
            all("SecurityOpt", |option| {
                option.text().starts_with("no-new-privileges") && !option.text().ends_with("false")
            }),
        ),
        ("ExtraHosts", all("ExtraHosts", is_safe_host)),
        ("Binds", all("Binds", is_safe_bind)),
        ("Mounts", all("Mounts", is_safe_mount)),
        ("Tmpfs", host.get("Tmpfs").members().iter().all(|(_, options)| is_safe_tmpfs(options.text()))),
    ];
    let wrong = well.iter().find(|(_, is_well)| !is_well).map(|(name, _)| (*name).to_owned());
    any(host, LEAVES).or(wrong)
}

fn is_network(name: &str) -> bool {
    ["", "default", "bridge", "none"].contains(&name) || is_id(name)
}

/// `name:address`; an entry without an address is nothing to the Engine.
fn is_safe_host(entry: &Loose) -> bool {
    let mut parts = entry.text().split([':', '=']);
    parts.next().is_some() && !parts.any(|part| part.contains("host-gateway"))
}

/// `/srv/web`, or to be read only `/etc/ssl`, and what is below.
fn is_ours(path: &str, is_read_only: bool) -> bool {
    let is_below =
        |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let is_straight = path.split('/').all(|part| part != "..");
    is_straight && (is_below("/srv/web") || is_read_only && is_below("/etc/ssl"))
}

fn is_safe_bind(entry: &Loose) -> bool {
    let mut parts = entry.text().split(':');
    let (source, _, options) = (parts.next().unwrap_or(""), parts.next(), parts.next().unwrap_or(""));
    let is_read_only = options.split(',').any(|word| word == "ro")
        && !options.split(',').any(|word| ["rw", "z", "Z"].contains(&word));
    let is_volume = !source.is_empty() && !source.contains('/') && !source.starts_with('.');
    let leaves = ["shared", "slave", "exec", "suid", "dev"].iter().any(|word| options.contains(word));
    !leaves && parts.next().is_none() && (is_volume || is_ours(source, is_read_only))
}

fn is_safe_mount(mount: &Loose) -> bool {
    let (bind, volume) = (mount.get("BindOptions"), mount.get("VolumeOptions"));
    let is_partly = !bind.get("ReadOnlyNonRecursive").is_nothing();
    let is_read_only = matches!(mount.get("ReadOnly"), Loose::Truth(true)) && !is_partly;
    let source = mount.get("Source");
    let is_well = match mount.get("Type").text() {
        "bind" => is_ours(source.text(), is_read_only),
        "volume" => !source.text().contains('/') && source.text() != "..",
        "tmpfs" => source.is_nothing(),
        _ => false,
    };
    is_well
        && ["", "private", "rprivate"].contains(&bind.get("Propagation").text())
        && ["", "local"].contains(&volume.get("DriverConfig").get("Name").text())
        && volume.get("DriverConfig").get("Options").is_nothing()
        && !volume.get("Subpath").text().split('/').any(|part| part == "..")
        && mount.get("TmpfsOptions").get("Options").is_nothing()
        && mount.get("ImageOptions").is_nothing()
        && mount.get("ClusterOptions").is_nothing()
}

fn is_safe_tmpfs(options: &str) -> bool {
    let words = ["exec", "suid", "dev", "shared", "slave", "bind"];
    !options.split(',').any(|option| words.contains(&option) || option.contains("device="))
}

/// A working directory below `/proc`.
fn proc(body: &Loose) -> Option<String> {
    let directory = body.get("WorkingDir");
    let mut parts = Vec::new();
    for part in directory.text().split('/').filter(|part| !["", "."].contains(part)) {
        match part {
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    (parts.first() == Some(&"proc")).then(|| "WorkingDir".to_owned())
}

fn endpoints(config: &Loose) -> Option<String> {
    let is_wrong = |(name, endpoint): &&(String, Loose)| {
        !is_network(name)
            || !is_network(endpoint.get("NetworkID").text())
            || any(endpoint, "Links DriverOpts").is_some()
    };
    config.members().iter().find(is_wrong).map(|(name, _)| format!("EndpointsConfig {name}"))
}
