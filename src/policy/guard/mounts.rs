//! Files from outside a container: paths of the host, volumes, and memory.

use super::rule::Rule::{Brief, Check, Copy, Level, OneOf, Zero};
use super::rule::{Judge, NO_INNER_PATH, Place, Row, Table, is_inner_path, is_one_piece, text};
use super::stamp;
use crate::auth::Label;
use crate::policy::decide::is_identifier;
use crate::policy::json::Json;
use crate::policy::refused::{Kind, Refused, Stop};

/// `POST /volumes/create`
pub(super) const VOLUME_CREATE: Table = &[
    Row(Copy, &["Name"]),
    Row(Brief, &["Labels"]),
    Row(OneOf(LOCAL), &["Driver"]),
    // They can mount any path of the host, or a share of another.
    Row(Zero, &["DriverOpts", "ClusterVolumeSpec"]),
];

const LOCAL: &[&str] = &["", "local"];

/// What a `Mounts` entry of each type may hold.
const BIND: Table = &[
    PLAIN,
    TARGET,
    CONSISTENCY,
    Row(Copy, &["Source"]),
    Row(Level(BIND_OPTIONS), &["BindOptions"]),
    Row(Zero, &["VolumeOptions", "ImageOptions", "TmpfsOptions", "ClusterOptions"]),
];
const VOLUME: Table = &[
    PLAIN,
    TARGET,
    CONSISTENCY,
    Row(Check(volume_source), &["Source"]),
    Row(Level(VOLUME_OPTIONS), &["VolumeOptions"]),
    Row(Zero, &["BindOptions", "ImageOptions", "TmpfsOptions", "ClusterOptions"]),
];
const TMPFS: Table = &[
    PLAIN,
    TARGET,
    CONSISTENCY,
    Row(Level(TMPFS_OPTIONS), &["TmpfsOptions"]),
    Row(Zero, &["Source", "BindOptions", "VolumeOptions", "ImageOptions", "ClusterOptions"]),
];
/// Any other type, under class `host`.
const OTHER: Table = &[
    PLAIN,
    TARGET,
    CONSISTENCY,
    Row(Copy, &["Source", "BindOptions", "VolumeOptions", "ImageOptions", "TmpfsOptions", "ClusterOptions"]),
];

const PLAIN: Row = Row(Copy, &["Type", "ReadOnly"]);
const TARGET: Row = Row(Check(target), &["Target"]);
const CONSISTENCY: Row = Row(OneOf(&["", "default", "consistent", "cached", "delegated"]), &["Consistency"]);

const BIND_OPTIONS: Table = &[
    Row(OneOf(&["", "private", "rprivate"]), &["Propagation"]),
    Row(Copy, &["NonRecursive", "CreateMountpoint", "ReadOnlyNonRecursive", "ReadOnlyForceRecursive"]),
];

const VOLUME_OPTIONS: Table = &[
    Row(Copy, &["NoCopy"]),
    Row(Brief, &["Labels"]),
    Row(Check(subpath), &["Subpath"]),
    Row(Level(&[Row(OneOf(LOCAL), &["Name"]), Row(Zero, &["Options"])]), &["DriverConfig"]),
];

const TMPFS_OPTIONS: Table = &[Row(Copy, &["SizeBytes", "Mode"]), Row(Zero, &["Options"])];

/// Options of `Binds` that lead nowhere else.
const BIND_WORDS: &[&str] = &["ro", "rw", "z", "Z", "nocopy", "private", "rprivate"];

const TMPFS_WORDS: &[&str] = &["ro", "rw", "noexec", "nosuid", "nodev"];
const TMPFS_SETTINGS: &[&str] = &["size", "mode", "uid", "gid", "nr_inodes"];

/// One of `HostConfig.Binds`: `source:target[:options]`.
pub(super) fn bind(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    let entry = text(place, value)?;
    let mut parts = entry.split(':');
    let (source, target) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let (options, rest) = (parts.next(), parts.next());
    if source.is_empty() || !is_inner_path(target) || rest.is_some() {
        let why = "it must be source:target or source:target:options (class host)";
        return if judge.is_lifted() { Ok(()) } else { Err(place.refuse(why)) };
    }
    let words: Vec<_> = options.into_iter().flat_map(|options| options.split(',')).collect();
    if !judge.is_lifted() && !words.iter().all(|word| BIND_WORDS.contains(word)) {
        return Err(place.refuse(format!("its options must be of {} (class host)", BIND_WORDS.join(", "))));
    }
    if !source.starts_with('/') {
        return volume(judge, place, source);
    }
    // New SELinux labels are written to the host's files, however the mount is read.
    let is_read_only = words.contains(&"ro") && !["rw", "z", "Z"].iter().any(|word| words.contains(word));
    host_path(judge, place, source, is_read_only)
}

fn target(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    let is_fit = judge.is_lifted() || is_inner_path(text(place, value)?);
    if is_fit { Ok(()) } else { Err(place.refuse(NO_INNER_PATH)) }
}

/// One of `HostConfig.Mounts`.
pub(super) fn mount(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    let kind = value.member("Type").and_then(Json::text).unwrap_or("");
    let table = match kind {
        "bind" => BIND,
        "volume" => VOLUME,
        "tmpfs" => TMPFS,
        _ if judge.is_lifted() => OTHER,
        _ => return Err(place.member("Type").refuse("it must be bind, volume or tmpfs (class host)")),
    };
    let (is_bind, is_volume) = (kind == "bind", kind == "volume");
    judge.level(table, place, value)?;
    if is_bind {
        let is_set = |value: Option<&Json>| value == Some(&Json::Bool(true));
        let options = value.member("BindOptions");
        // What is mounted below the path stays writable then.
        let is_partly = is_set(options.and_then(|options| options.member("ReadOnlyNonRecursive")));
        let is_read_only = is_set(value.member("ReadOnly")) && !is_partly;
        let place = place.member("Source");
        host_path(judge, &place, text(&place, value.member("Source").unwrap_or(&Json::Null))?, is_read_only)?;
    }
    if is_volume && let Some(label) = &judge.grant.label {
        stamp_volume(label, place, value)?;
    }
    Ok(())
}

/// A value of `HostConfig.Tmpfs`. The Engine mounts them noexec, nosuid and nodev unless told not to.
pub(super) fn tmpfs(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    let options = text(place, value)?;
    let is_plain = |option: &str| match option.split_once('=') {
        Some((name, _)) => TMPFS_SETTINGS.contains(&name),
        None => TMPFS_WORDS.contains(&option),
    };
    if options.is_empty() || options.split(',').all(is_plain) || judge.is_lifted() {
        return Ok(());
    }
    let words = [TMPFS_WORDS, TMPFS_SETTINGS].concat().join(", ");
    Err(place.refuse(format!("its options must be of {words} (class host)")))
}

fn volume_source(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    match text(place, value)? {
        "" => Ok(()),
        name => volume(judge, place, name),
    }
}

/// A volume by its name. Without a label, one that is not there yet is the caller's to make.
fn volume(judge: &mut Judge<'_>, place: &Place<'_>, name: &str) -> Result<(), Stop> {
    if !is_identifier(name) {
        return Err(place.refuse("it names neither a volume nor an absolute path"));
    }
    match judge.find(Kind::Volume, place, name) {
        Err(Stop::Refused(Refused::Absent { .. })) if judge.grant.label.is_none() => Ok(()),
        found => found.map(drop),
    }
}

fn host_path(judge: &Judge<'_>, place: &Place<'_>, path: &str, is_read_only: bool) -> Result<(), Stop> {
    if judge.is_lifted() || (is_one_piece(path) && judge.grant.takes_mount(path, is_read_only)) {
        return Ok(());
    }
    let is_readable = judge.grant.takes_mount(path, true);
    let why = if is_readable { "only to be read" } else { "not at all" };
    Err(place.refuse(format!("mount= of this key gives that path {why} (mount=, class host)")))
}

fn subpath(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    let path = text(place, value)?;
    let leads_out = path.split('/').any(|part| part == "..") || !is_one_piece(path);
    if leads_out && !judge.is_lifted() {
        return Err(place.refuse("it leads out of the volume (class host)"));
    }
    Ok(())
}

/// A volume may come into being with its container.
fn stamp_volume(label: &Label, place: &Place<'_>, mount: &mut Json) -> Result<(), Stop> {
    let Json::Object(members) = mount else { return Ok(()) };
    let place = place.member("VolumeOptions");
    if !members.iter().any(|(name, _)| name == "VolumeOptions") {
        members.push(("VolumeOptions".to_owned(), Json::Null));
    }
    let Some(options) = mount.member_mut("VolumeOptions") else { return Ok(()) };
    if *options == Json::Null {
        *options = Json::Object(Vec::new());
    }
    stamp(label, &place, options)
}
