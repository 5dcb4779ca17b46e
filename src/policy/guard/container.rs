//! What a container may be made and changed to, and what may run in it.

use super::rule::Rule::{Absent, Brief, Check, Copy, Each, Level, Map, OneOf, Paths, Zero};
use super::rule::{Judge, Place, Row, Table, known, text};
use super::{joins, mounts, network};
use crate::policy::json::Json;
use crate::policy::refused::{Kind, Stop};

/// `POST /containers/create`
pub(super) const CREATE: Table = &[
    Row(Copy, &["Hostname", "Domainname", "MacAddress", "NetworkDisabled"]),
    Row(Copy, &["User", "Shell", "OnBuild", "ArgsEscaped"]),
    Row(Each(&Check(variable)), &["Env"]),
    Row(Brief, &["Labels", "Cmd", "Entrypoint"]),
    Row(Copy, &["AttachStdin", "AttachStdout", "AttachStderr", "OpenStdin", "StdinOnce", "Tty"]),
    Row(Copy, &["StopSignal", "StopTimeout"]),
    Row(Map(&Level(&[])), &["ExposedPorts"]),
    Row(Paths(&Level(&[])), &["Volumes"]),
    Row(Level(HEALTHCHECK), &["Healthcheck"]),
    Row(Check(image), &["Image"]),
    Row(Check(working_dir), &["WorkingDir"]),
    Row(Level(HOST_CONFIG), &["HostConfig"]),
    Row(Level(network::NETWORKING_CONFIG), &["NetworkingConfig"]),
];

const HEALTHCHECK: Table =
    &[Row(Copy, &["Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"])];

const HOST_CONFIG: Table = &[
    LIMITS,
    DEVICES,
    RESTART_POLICY,
    // Privileges, and the host's own.
    Row(Zero, &["Privileged", "CapAdd", "Capabilities", "GroupAdd", "Sysctls", "Annotations"]),
    Row(Zero, &["Cgroup", "Isolation", "StorageOpt", "VolumeDriver", "ContainerIDFile", "InitPath"]),
    Row(Absent, &["MaskedPaths", "ReadonlyPaths"]),
    Row(Each(&OneOf(NO_NEW_PRIVILEGES)), &["SecurityOpt"]),
    Row(OneOf(&["", "runc"]), &["Runtime"]),
    Row(OneOf(&["", "private"]), &["CgroupnsMode"]),
    Row(OneOf(&[""]), &["UTSMode", "UsernsMode"]),
    Row(Check(oom_score_adj), &["OomScoreAdj"]),
    Row(Level(LOG_CONFIG), &["LogConfig"]),
    // Other containers, and networks.
    Row(Check(joins::pid_mode), &["PidMode"]),
    Row(Check(joins::ipc_mode), &["IpcMode"]),
    Row(Check(joins::network_mode), &["NetworkMode"]),
    Row(Check(joins::volumes_from), &["VolumesFrom"]),
    Row(Check(joins::links), &["Links"]),
    Row(Each(&Check(extra_host)), &["ExtraHosts"]),
    Row(Map(&Each(&Level(&[Row(Copy, &["HostIp", "HostPort"])]))), &["PortBindings"]),
    Row(Copy, &["PublishAllPorts", "Dns", "DnsOptions", "DnsSearch"]),
    // Files.
    Row(Each(&Check(mounts::bind)), &["Binds"]),
    Row(Each(&Check(mounts::mount)), &["Mounts"]),
    Row(Paths(&Check(mounts::tmpfs)), &["Tmpfs"]),
    Row(Copy, &["ReadonlyRootfs", "ShmSize"]),
    Row(Copy, &["AutoRemove", "CapDrop", "ConsoleSize", "Init"]),
];

/// `POST /containers/{}/update`
pub(super) const UPDATE: Table = &[LIMITS, DEVICES, RESTART_POLICY];

const LIMITS: Row = Row(
    Copy,
    &[
        "CpuShares",
        "CpuPeriod",
        "CpuQuota",
        "CpuRealtimePeriod",
        "CpuRealtimeRuntime",
        "CpusetCpus",
        "CpusetMems",
        "CpuCount",
        "CpuPercent",
        "NanoCpus",
        "Memory",
        "MemoryReservation",
        "MemorySwap",
        "MemorySwappiness",
        "KernelMemory",
        "KernelMemoryTCP",
        "BlkioWeight",
        "IOMaximumIOps",
        "IOMaximumBandwidth",
        "PidsLimit",
    ],
);

/// What reaches devices of the host, or beyond the container's own share.
const DEVICES: Row = Row(
    Zero,
    &[
        "CgroupParent",
        "Devices",
        "DeviceCgroupRules",
        "DeviceRequests",
        "BlkioWeightDevice",
        "BlkioDeviceReadBps",
        "BlkioDeviceWriteBps",
        "BlkioDeviceReadIOps",
        "BlkioDeviceWriteIOps",
        "DiskQuota",
        "OomKillDisable",
        "Ulimits",
    ],
);

const RESTART_POLICY: Row = Row(Level(&[Row(Copy, &["Name", "MaximumRetryCount"])]), &["RestartPolicy"]);

const LOG_CONFIG: Table =
    &[Row(OneOf(&["", "json-file", "local", "none"]), &["Type"]), Row(Level(LOG_OPTIONS), &["Config"])];

/// What those drivers take. Without a type the daemon's own driver is meant, and others of its
/// options are addresses, credentials and paths of the host.
const LOG_OPTIONS: Table = &[
    Row(Copy, &["max-size", "max-file", "max-buffer-size", "compress", "mode", "tag"]),
    Row(Copy, &["labels", "labels-regex", "env", "env-regex"]),
    Row(Copy, &["cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"]),
];

const NO_NEW_PRIVILEGES: &[&str] = &["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"];

/// `POST /containers/{}/exec`
pub(super) const EXEC_CREATE: Table = &[
    Row(Copy, &["User", "Cmd", "Tty", "ConsoleSize", "Detach", "DetachKeys"]),
    Row(Each(&Check(variable)), &["Env"]),
    Row(Copy, &["AttachStdin", "AttachStdout", "AttachStderr"]),
    Row(Zero, &["Privileged"]),
    Row(Check(working_dir), &["WorkingDir"]),
];

/// `POST /exec/{}/start`
pub(super) const EXEC_START: Table = &[Row(Copy, &["Detach", "Tty", "ConsoleSize"])];

/// What no single member tells: that an image is missing, or that members of `HostConfig` stand
/// beside it. Engines such as 20.10 take them from there where there is no `HostConfig`.
pub(super) fn check_whole(judge: &mut Judge<'_>, tree: &mut Json) -> Result<(), Stop> {
    let Json::Object(members) = tree else { return Ok(()) };
    for (name, _) in members.iter() {
        if let Some((_, spelt)) = known(HOST_CONFIG, name) {
            return Err(Place::Body.member(name).refuse(format!("it stands in HostConfig, as {spelt}")));
        }
    }
    if tree.member("Image").is_none() {
        image(judge, &Place::Body.member("Image"), &mut Json::Null)?;
    }
    Ok(())
}

fn image(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    if judge.grant.images.is_empty() {
        return Ok(());
    }
    let reference = text(place, value)?;
    if reference.is_empty() {
        return Err(place.refuse("it must name an image, to which this key is limited"));
    }
    judge.find(Kind::Image, place, reference).map(drop)
}

/// A name without a value is, for Podman, a variable of its own service's.
fn variable(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    if text(place, value)?.contains('=') || judge.is_lifted() {
        return Ok(());
    }
    Err(place.refuse("it must be NAME=value (class host)"))
}

/// Below `/proc` lie ways out: a directory the runtime left open is one.
fn working_dir(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    let mut parts = Vec::new();
    for part in text(place, value)?.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    if parts.first() == Some(&"proc") && !judge.is_lifted() {
        return Err(place.refuse("it lies in /proc (class host)"));
    }
    Ok(())
}

/// The Engine puts an address of the host's own in place of this word.
fn extra_host(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    let address = text(place, value)?.split_once([':', '=']).map_or("", |(_, address)| address);
    if address.contains("host-gateway") && !judge.is_lifted() {
        return Err(place.refuse("it leads to the host (class host)"));
    }
    Ok(())
}

fn oom_score_adj(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    let is_modest = matches!(value, Json::Number(number) if number.as_u64().is_some());
    if is_modest || *value == Json::Null || judge.is_lifted() {
        return Ok(());
    }
    Err(place.refuse("it must be a number, 0 or more (class host)"))
}
