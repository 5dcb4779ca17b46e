//! The Engine's routes: method and path to class, and what a caller with limits may send and is
//! told. Whoever may do everything passes unchanged.

use super::guard::Guard::{
    ContainerCreate, ContainerUpdate, ExecCreate, ExecStart, NetworkConnect, NetworkCreate,
    NetworkDisconnect, VolumeCreate,
};
use super::redact::Blank::{
    Containers, Events, Exec as ExecFacts, Images, Info, Plugins, Swarm as SwarmFacts, Top, Usage, Volumes,
};
use super::refused::Kind::{Container, Exec as ExecId, Image, Network, Volume};
use super::row::{ANYTHING, Reach, Row, Takes, Tells, delete, get, post, row};
use crate::auth::Class::{All, Build, Create, Dump, Exec, Logs, Power, Pull, Push, Remove, Swarm, View};
use crate::http::Method::{self, Head, Put};
use crate::http::pattern::matches;

/// A path that is no row: only who may do everything may ask, and nobody knows how long it takes.
const UNKNOWN: Row = get(ANYTHING, All).slow();

const ATTACH: &str = "detachKeys logs stream stdin stdout stderr";
const BUILD: &str = "dockerfile t* extrahosts* remote q nocache cachefrom pull rm forcerm memory memswap cpushares \
    cpusetcpus cpusetmems cpuperiod cpuquota buildargs shmsize squash labels networkmode platform target outputs \
    version buildid session ulimits cgroupparent isolation securityopt";
const LOGS: &str = "follow stdout stderr since until timestamps tail details";

/// Every route of the Engine; the first that matches counts.
pub(crate) const ROWS: &[Row] = &[
    row(Head, "/_ping", View).on(Reach::Anyone),
    get("/_ping", View).on(Reach::Anyone),
    get("/version", View).on(Reach::Anyone),
    // Read-only.
    get("/containers/json", View)
        .asks("all limit size filters trunc_cmd")
        .on(Reach::Every(Container))
        .tells(Tells::Each(Containers)),
    get("/containers/{}/json", View).asks("size").on(Reach::One(Container)).tells(Tells::Whole(Containers)),
    get("/containers/{}/stats", View).endless().asks("stream one-shot").on(Reach::One(Container)),
    get("/containers/{}/top", View).asks("ps_args").on(Reach::One(Container)).tells(Tells::Whole(Top)),
    get("/containers/{}/changes", View).on(Reach::One(Container)),
    get("/images/json", View)
        .asks("all filters digests shared-size manifests identity")
        .on(Reach::Every(Image))
        .tells(Tells::Each(Images)),
    get("/images/{*}/json", View)
        .asks("manifests platform")
        .on(Reach::One(Image))
        .tells(Tells::Whole(Images)),
    get("/images/{*}/history", View).asks("platform").on(Reach::One(Image)).tells(Tells::Each(Images)),
    get("/images/{*}/attestations", View)
        .asks("platform statement type")
        .on(Reach::One(Image))
        .tells(Tells::Each(Images)),
    get("/networks", View).asks("filters").on(Reach::Every(Network)).tells(Tells::NetworkList),
    get("/networks/", View).asks("filters").on(Reach::Every(Network)).tells(Tells::NetworkList),
    get("/networks/{}", View).asks("verbose scope").on(Reach::One(Network)).tells(Tells::Network),
    get("/volumes", View).asks("filters").on(Reach::Every(Volume)).tells(Tells::VolumeList),
    get("/volumes/{}", View).on(Reach::One(Volume)).tells(Tells::Whole(Volumes)),
    get("/info", View).common().tells(Tells::Whole(Info)),
    get("/events", View)
        .endless()
        .asks("since until filters")
        .on(Reach::Every(Container))
        .tells(Tells::Stream(Events)),
    get("/exec/{}/json", View).on(Reach::One(ExecId)).tells(Tells::Whole(ExecFacts)),
    get("/system/df", View).slow().asks("type* verbose").tells(Tells::Whole(Usage)),
    get("/tasks", View).asks("filters").tells(Tells::Each(SwarmFacts)),
    get("/tasks/{}", View).tells(Tells::Whole(SwarmFacts)),
    get("/services", View).asks("filters status").tells(Tells::Each(SwarmFacts)),
    get("/services/{}", View).asks("insertDefaults").tells(Tells::Whole(SwarmFacts)),
    get("/nodes", View).asks("filters"),
    get("/nodes/{}", View),
    get("/secrets", View).asks("filters"),
    get("/secrets/{}", View),
    get("/plugins", View).asks("filters").tells(Tells::Each(Plugins)),
    // Read-only, but what they tell is secret.
    get("/containers/{}/logs", Logs).endless().asks(LOGS).on(Reach::One(Container)),
    get("/services/{}/logs", Logs).endless().asks(LOGS),
    get("/tasks/{}/logs", Logs).endless().asks(LOGS),
    get("/containers/{}/archive", Dump).slow().asks("path").on(Reach::One(Container)),
    row(Head, "/containers/{}/archive", Dump).slow().asks("path").on(Reach::One(Container)),
    get("/containers/{}/export", Dump).slow().on(Reach::One(Container)),
    get("/images/get", Dump).slow().asks("names* platform*").on(Reach::Save),
    get("/images/{*}/get", Dump).slow().asks("platform*").on(Reach::One(Image)),
    get("/configs", Dump).asks("filters"),
    get("/configs/{}", Dump),
    get("/swarm", Dump),
    get("/swarm/unlockkey", Dump),
    // Life cycle.
    post("/containers/{}/start", Power).asks("detachKeys").on(Reach::One(Container)),
    post("/containers/{}/stop", Power).slow().asks("signal t").on(Reach::One(Container)),
    post("/containers/{}/restart", Power).slow().asks("signal t").on(Reach::One(Container)),
    post("/containers/{}/kill", Power).slow().asks("signal").on(Reach::One(Container)),
    post("/containers/{}/pause", Power).on(Reach::One(Container)),
    post("/containers/{}/unpause", Power).on(Reach::One(Container)),
    post("/containers/{}/wait", Power).slow().asks("condition").on(Reach::One(Container)),
    post("/containers/{}/resize", Power).asks("h w").on(Reach::One(Container)),
    // Images come and go.
    post("/images/create", Pull)
        .slow()
        .asks("fromImage fromSrc repo tag platform message changes*")
        .takes(Takes::Archive)
        .on(Reach::Pull)
        .registry(),
    post("/images/{*}/tag", Pull).asks("repo tag").on(Reach::Tag),
    get("/distribution/{*}/json", Pull).slow().on(Reach::One(Image)).registry(),
    get("/images/search", Pull).slow().asks("term limit filters").common().registry(),
    post("/auth", Pull).slow().takes(Takes::Json).common(),
    post("/images/{*}/push", Push).slow().asks("tag platform").on(Reach::One(Image)).registry(),
    // Create and change.
    post("/containers/create", Create)
        .asks("name platform")
        .judged(ContainerCreate)
        .on(Reach::Make(Container)),
    post("/containers/{}/update", Create).judged(ContainerUpdate).on(Reach::One(Container)),
    post("/containers/{}/rename", Create).asks("name").on(Reach::Rename),
    post("/networks/create", Create).judged(NetworkCreate).on(Reach::Make(Network)),
    post("/networks/{}/connect", Create).judged(NetworkConnect).on(Reach::One(Network)),
    post("/networks/{}/disconnect", Create).judged(NetworkDisconnect).on(Reach::One(Network)),
    post("/volumes/create", Create).judged(VolumeCreate).on(Reach::Make(Volume)).tells(Tells::Whole(Volumes)),
    // Remove.
    delete("/containers/{}", Remove).slow().asks("v force link").on(Reach::One(Container)),
    delete("/images/{*}", Remove).slow().asks("force noprune platforms*").on(Reach::One(Image)),
    delete("/networks/{}", Remove).on(Reach::One(Network)),
    delete("/volumes/{}", Remove).asks("force").on(Reach::One(Volume)),
    post("/containers/prune", Remove).slow().asks("filters").on(Reach::Prune(Container)),
    post("/images/prune", Remove).slow().asks("filters").on(Reach::Prune(Image)),
    post("/networks/prune", Remove).slow().asks("filters").on(Reach::Prune(Network)),
    post("/volumes/prune", Remove).slow().asks("filters").on(Reach::Prune(Volume)),
    // Inside containers.
    post("/containers/{}/exec", Exec).judged(ExecCreate).on(Reach::One(Container)).tells(Tells::NewExec),
    post("/exec/{}/start", Exec).endless().judged(ExecStart).on(Reach::One(ExecId)).switches(),
    post("/exec/{}/resize", Exec).asks("h w").on(Reach::One(ExecId)),
    post("/containers/{}/attach", Exec).endless().asks(ATTACH).on(Reach::One(Container)).switches(),
    get("/containers/{}/attach/ws", Exec).endless().asks(ATTACH).on(Reach::One(Container)).switches(),
    row(Put, "/containers/{}/archive", Exec)
        .slow()
        .asks("path noOverwriteDirNonDir copyUIDGID")
        .takes(Takes::Files)
        .on(Reach::One(Container)),
    // Build.
    post("/build", Build).slow().asks(BUILD).takes(Takes::Archive).registry(),
    post("/build/prune", Build)
        .slow()
        .asks("all keep-storage reserved-space max-used-space min-free-space filters"),
    post("/build/cancel", Build).asks("id"),
    post("/session", Build).slow().switches(),
    post("/grpc", Build).slow().switches(),
    post("/images/load", Build).slow().asks("quiet platform*").takes(Takes::Archive),
    post("/commit", Build).slow().asks("container repo tag comment author pause changes*").takes(Takes::Json),
    // Swarm.
    post("/swarm/init", Swarm).slow().takes(Takes::Json),
    post("/swarm/join", Swarm).slow().takes(Takes::Json),
    post("/swarm/leave", Swarm).slow().asks("force"),
    post("/swarm/update", Swarm)
        .asks("version rotateWorkerToken rotateManagerToken rotateManagerUnlockKey")
        .takes(Takes::Json),
    post("/swarm/unlock", Swarm).takes(Takes::Json),
    post("/services/create", Swarm).takes(Takes::Json).registry(),
    post("/services/{}/update", Swarm)
        .asks("version registryAuthFrom rollback")
        .takes(Takes::Json)
        .registry(),
    delete("/services/{}", Swarm),
    post("/nodes/{}/update", Swarm).asks("version").takes(Takes::Json),
    delete("/nodes/{}", Swarm).asks("force"),
    post("/secrets/create", Swarm).takes(Takes::Json),
    post("/secrets/{}/update", Swarm).asks("version").takes(Takes::Json),
    delete("/secrets/{}", Swarm),
    post("/configs/create", Swarm).takes(Takes::Json),
    post("/configs/{}/update", Swarm).asks("version").takes(Takes::Json),
    delete("/configs/{}", Swarm),
    row(Put, "/volumes/{}", Swarm).asks("version").takes(Takes::Json),
    // The Engine itself: no caller with limits comes here.
    get("/plugins/privileges", All).registry(),
    post("/plugins/pull", All).slow().registry(),
    post("/plugins/create", All).slow(),
    get("/plugins/{*}/json", View).tells(Tells::Whole(Plugins)),
    post("/plugins/{*}/enable", All).slow(),
    post("/plugins/{*}/disable", All).slow(),
    post("/plugins/{*}/push", All).slow().registry(),
    post("/plugins/{*}/upgrade", All).slow().registry(),
    post("/plugins/{*}/set", All),
    delete("/plugins/{*}", All),
    get("/containers/{}/checkpoints", All).slow(),
    post("/containers/{}/checkpoints", All).slow(),
    delete("/containers/{}/checkpoints/{}", All).slow(),
];

/// The row of a request. `path` is decoded and may begin with an API version.
pub(crate) fn classify(method: Method, path: &str) -> &'static Row {
    let (_, path) = split_version(path);
    find(method, path).unwrap_or(&UNKNOWN)
}

/// The row of a request without its version.
pub(super) fn find(method: Method, path: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.method == method && matches(row.pattern, path))
}

/// `/v1.41/info` is `1.41` of `/info`.
pub(super) fn split_version(path: &str) -> (Option<&str>, &str) {
    let Some((version, _)) = path.strip_prefix("/v").and_then(|rest| rest.split_once('/')) else {
        return (None, path);
    };
    if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return (None, path);
    }
    (Some(version), path.get("/v".len().saturating_add(version.len())..).unwrap_or(path))
}

#[cfg(test)]
mod tests;
