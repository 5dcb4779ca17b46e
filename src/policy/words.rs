//! What a grant amounts to, in plain words: whether it is root's, what it opens, and what it does not keep out.

use super::answer::Telling;
use super::decide::{Asked, Order, decide, is_identifier, may_be_id};
use super::engine::ROWS;
use super::json::Json;
use super::row::{Reach, Tells};
use super::{Kind, Refused, Stop, Things};
use crate::auth::{Class, Grant, Mode, Mount};
use crate::http::Framing;

/// Directories that tell root what to do, down to their last file: whoever writes there is root by the
/// next login, boot, timer or restart. Of `/opt` only what holds the Engine's own plugins, and so `/opt`
/// itself: stacks often lie in a directory of their own there. This is no list of all there are.
const SYSTEM: &[&str] = &[
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt/cni",
    "/opt/containerd",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/dpkg",
    "/var/lib/kubelet",
    "/var/run",
    "/var/spool/cron",
];

/// Directories that are dangerous whole: every home, and where root's programs leave files and sockets.
/// A directory of its own below is like any other of the host.
const WHOLE: &[&str] = &["/home", "/tmp", "/var/tmp"];

/// Sockets behind which somebody acts as root, or directories of them. A socket is written through a
/// mount that is only read.
const SOCKETS: &[&str] = &[
    "/run/containerd",
    "/run/crio",
    "/run/dbus",
    "/run/docker.sock",
    "/run/podman",
    "/run/systemd",
    "/var/run/containerd",
    "/var/run/crio",
    "/var/run/dbus",
    "/var/run/docker.sock",
    "/var/run/podman",
    "/var/run/systemd",
];

/// Why its holder can become root on the host; nothing, where we know of no way.
pub(crate) fn root_equivalent(grant: &Grant) -> Option<String> {
    let mut why = Vec::new();
    if grant.mode == Mode::Audit {
        why.push("mode=\"audit\": its limits are told, and not enforced".to_owned());
    }
    if grant.has(Class::All) {
        why.push("class all: it creates with any privilege and any path of the host".to_owned());
    } else {
        why.extend(by_class(grant).map(str::to_owned));
        why.extend(by_mount(grant));
    }
    (!why.is_empty()).then(|| why.join("; "))
}

/// What beside `all` knows no guard.
fn by_class(grant: &Grant) -> impl Iterator<Item = &'static str> {
    let has = |class| grant.has(class) && (class == Class::Host || routes_left(grant, class).0 > 0);
    let has_host = has(Class::Host);
    [
        (has(Class::Build), "class build: what is built is not judged, and runs as root"),
        (has(Class::Swarm), "class swarm: services are not judged, and may mount any path of the host"),
        (
            has_host && has(Class::Create),
            "classes create and host: containers with any privilege and any path of the host",
        ),
        (has_host && has(Class::Exec), "classes exec and host: commands with any privilege"),
    ]
    .into_iter()
    .filter_map(|(is_so, why)| is_so.then_some(why))
}

/// What its containers may be given of the host, where the guard stands.
fn by_mount(grant: &Grant) -> Option<String> {
    if !grant.has(Class::Create) || grant.has(Class::Host) {
        return None;
    }
    let named = |is_so: fn(&Mount) -> bool| {
        let mounts: Vec<_> = grant.mounts.iter().filter(|mount| is_so(mount)).map(Mount::to_string).collect();
        (!mounts.is_empty()).then(|| mounts.join(", "))
    };
    let system = named(|mount| !mount.read_only && is_system(&mount.path));
    let sockets = named(|mount| mount.read_only && touches(SOCKETS, &mount.path));
    let system = system.map(|mounts| format!("mount {mounts}: it writes what root runs and obeys"));
    let sockets = sockets
        .map(|mounts| format!("mount {mounts}: sockets of root's lie there, which reading does not hold"));
    let other = named(|mount| !mount.read_only && !is_system(&mount.path));
    let other = other.map(|mounts| {
        format!("mount {mounts}: a link that one container makes there is followed, to anywhere, by the mount of the next")
    });
    let all: Vec<_> = [system, sockets, other].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// Whoever may write there, and to everything below, becomes root or somebody who may.
fn is_system(path: &str) -> bool {
    // A home is its owner's, who often is root's equal; so is what hides in it, keys and start files.
    let is_home = path.strip_prefix("/home/").is_some_and(|rest| match rest.split_once('/') {
        None => true,
        Some((_, inner)) => inner.starts_with('.'),
    });
    is_home || touches(SYSTEM, path) || WHOLE.iter().any(|whole| is_within(whole, path))
}

/// One of the places holds the path, or the path holds one of them.
fn touches(places: &[&str], path: &str) -> bool {
    places.iter().any(|place| is_within(path, place) || is_within(place, path))
}

/// By name, as mounts are judged.
fn is_within(path: &str, root: &str) -> bool {
    let root = root.trim_end_matches('/');
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Everything a grant opens, narrows and leaves open, a line each.
pub(crate) fn powers(grant: &Grant) -> Vec<String> {
    let mut lines: Vec<_> = grant.classes.named().map(|class| opened(grant, class)).collect();
    lines.extend(narrowed(grant));
    lines.extend(limits(grant).map(|limit| format!("note: {limit}")));
    lines
}

fn opened(grant: &Grant, class: Class) -> String {
    let told = format!("{class}: {}", class.meaning());
    match routes_left(grant, class) {
        (left, all) if left == all => told,
        (0, _) => format!("{told}; all of it is out of the reach of label= and image="),
        (left, all) => format!("{told}; label= and image= leave {left} of its {all} routes"),
    }
}

/// How many of a class's routes the limits leave in reach, and how many there are.
fn routes_left(grant: &Grant, class: Class) -> (usize, usize) {
    let rows = || ROWS.iter().filter(|row| class == Class::All || row.class == class);
    let left = rows().filter(|row| {
        let path = row.pattern.replace("{*}", "name").replace("{}", "name");
        let asked = Asked {
            method: row.method,
            path: &path,
            query: "",
            is_upgrade: false,
            content_type: None,
            framing: Framing::None,
        };
        !matches!(decide(grant, &asked), Err(Refused::Reach))
    });
    (left.count(), rows().count())
}

fn narrowed(grant: &Grant) -> Vec<String> {
    let mut lines = Vec::new();
    if grant.mode == Mode::Audit {
        lines.push("mode=\"audit\": nothing of this is enforced; the log says policy.would_deny".to_owned());
    }
    match &grant.label {
        Some(label) => lines.push(format!(
            "only objects labelled {label}: lists hold nothing else, and what it creates is labelled so"
        )),
        None => {
            lines.push("every object of the Engine is in reach, this agent's own container too".to_owned())
        }
    }
    if !grant.images.is_empty() {
        lines.push(format!("only images {}", listed(&grant.images)));
    } else if grant.label.is_some() {
        lines.push(
            "images carry no scope: without image=, it lists, inspects and pulls any, and no more".to_owned(),
        );
    }
    let has_guard = grant.has(Class::Create) && !grant.has(Class::Host);
    match (has_guard, grant.mounts.is_empty()) {
        (true, true) => lines.push("its containers get no path of the host".to_owned()),
        (true, false) => {
            lines.push(format!("its containers get these paths of the host: {}", listed(&grant.mounts)))
        }
        (false, true) => {}
        (false, false) => {
            lines.push("mount= changes nothing: it is for class create, without host".to_owned())
        }
    }
    lines
}

fn listed(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What is not kept out, so that nobody thinks it is.
fn limits(grant: &Grant) -> impl Iterator<Item = &'static str> {
    // Nothing is kept from this one.
    let is_kept = !grant.is_everything() && grant.mode == Mode::Enforce;
    let has = |class| grant.has(class);
    let is_creating = has(Class::Create) && !has(Class::Host);
    let is_writing = grant.mounts.iter().any(|mount| !mount.read_only);
    [
        (
            has(Class::Exec),
            "exec in a container that is privileged, or has a path or a socket of the host, is access to the host",
        ),
        (
            has(Class::Dump) && grant.label.is_none(),
            "dump tells the secrets of every container, and of this agent where it runs in one",
        ),
        (
            is_creating && !grant.mounts.is_empty(),
            "mounts are judged by name: where a link on the host leads is not seen",
        ),
        (
            is_creating && is_writing,
            "what is written below a mount keeps its modes: a set-uid program there makes any account of the host root",
        ),
        (
            is_creating && grant.mounts.iter().any(|mount| mount.read_only),
            "what is only read is read by root, whose keys and passwords are not left out",
        ),
        (
            is_creating && grant.label.is_none(),
            "its containers may use every volume, and the network of every container",
        ),
        (
            !grant.images.is_empty(),
            "an image that is allowed may be hostile, and its name may lead to another tomorrow",
        ),
        (
            has(Class::Pull) || has(Class::Push),
            "a registry is whichever server a name leads to: the Engine asks it, also within its own network",
        ),
        (
            grant.label.is_some(),
            "a label is worth what keeps others from setting it: whoever creates without label= can",
        ),
        (
            has(Class::Compose) || has(Class::Mcp),
            "compose and mcp open nothing alone: each of their calls needs the class of its own",
        ),
        (
            has(Class::Host) && !has(Class::Create) && !has(Class::Exec),
            "host opens nothing alone: it lifts the guard of create and exec",
        ),
    ]
    .into_iter()
    .filter_map(move |(is_so, limit)| (is_so && is_kept).then_some(limit))
}

/// Finds everything by its name, and keeps what would be looked up: a request judged without the Engine.
pub(crate) struct Unseen<'g> {
    grant: &'g Grant,
    pub(crate) lookups: Vec<String>,
}

impl<'g> Unseen<'g> {
    pub(crate) fn new(grant: &'g Grant) -> Self {
        Self { grant, lookups: Vec::new() }
    }
}

impl Things for Unseen<'_> {
    /// Refuses what the name alone decides.
    fn find(&mut self, kind: Kind, name: &str) -> Result<String, Stop> {
        let is_id = may_be_id(name);
        let label = self.grant.label.as_ref().map(|label| format!("must carry the label {label}, and "));
        let label = label.unwrap_or_default();
        let lookup = match kind {
            Kind::Exec => format!("command {name}: must have been made by this caller"),
            Kind::Image if is_id => format!("image {name}: each of its names must be one of image="),
            Kind::Image if self.grant.takes_image(name) => return Ok(name.to_owned()),
            Kind::Image => return Err(Refused::Image(name.to_owned()).into()),
            Kind::Container | Kind::Network | Kind::Volume if !is_identifier(name) => {
                return Err(Refused::Absent { kind, name: name.to_owned() }.into());
            }
            Kind::Container => format!("container {name}: {label}is named by its full id from there on"),
            Kind::Network => format!("network {name}: {label}is named by its full id from there on"),
            Kind::Volume => format!(
                "volume {name}: {label}where it is mounted, leads to no path that mount= does not name"
            ),
        };
        if !self.lookups.contains(&lookup) {
            self.lookups.push(lookup);
        }
        Ok(name.to_owned())
    }
}

/// What its caller is told of the answer.
pub(crate) fn told(order: &Order, grant: &Grant) -> String {
    let screen = match order.telling(grant) {
        Telling::AsItIs => return "as the Engine gives it".to_owned(),
        Telling::NewExec => {
            return "as the Engine gives it; its id is remembered, and is of use to this caller alone"
                .to_owned();
        }
        Telling::Whole(screen)
        | Telling::Each(screen)
        | Telling::Stream(screen)
        | Telling::VolumeList(screen) => screen,
    };
    // What carries nothing shows whether anything must be carried.
    let is_filtered = !screen.pass(&mut Json::Object(Vec::new()));
    let is_blanked =
        !grant.has(Class::Dump) && !matches!(order.row.answer, Tells::NetworkList | Tells::Network);
    let what = match (order.row.reach, &grant.label) {
        (Reach::Every(Kind::Image), _) => "only images that image= names".to_owned(),
        (_, Some(label)) if matches!(order.row.answer, Tells::Stream(_)) => {
            format!("only events of containers labelled {label}")
        }
        (Reach::Every(_), Some(label)) => format!("only what is labelled {label}"),
        (_, Some(label)) => format!("refused if one without label {label} was there already"),
        (_, None) => String::new(),
    };
    let parts =
        [(is_filtered, what), (is_blanked, "secrets blanked, as *** (class dump tells them)".to_owned())];
    parts.into_iter().filter_map(|(is_so, part)| is_so.then_some(part)).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
