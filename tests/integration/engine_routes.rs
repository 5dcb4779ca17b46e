//! Every route of the Engine, each with the least request that is good there.
//!
//! Written from the Engine's own routers, so that a row the agent forgot shows.

/// A method, a pattern with `{}` for a name and `{*}` for one that may hold slashes, and what is
/// sent along: a query, and a body, which is JSON where it begins so and an archive otherwise.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) pattern: &'static str,
    query: &'static str,
    pub(crate) body: &'static str,
}

const fn route(method: &'static str, pattern: &'static str) -> Route {
    with(method, pattern, "", "")
}

const fn with(method: &'static str, pattern: &'static str, query: &'static str, body: &'static str) -> Route {
    Route { method, pattern, query, body }
}

/// The front of an archive: a file's name, and then nothing.
const TAR: &str = "etc/motd\0\0\0\0\0\0\0\0\0\0\0\0";

/// By class, in the order of what they are about.
pub(crate) const ROUTES: &[Route] = &[
    route("HEAD", "/_ping"),
    route("GET", "/_ping"),
    route("GET", "/version"),
    // Read-only.
    with("GET", "/containers/json", "?all=1", ""),
    route("GET", "/containers/{}/json"),
    with("GET", "/containers/{}/stats", "?stream=false", ""),
    route("GET", "/containers/{}/top"),
    route("GET", "/containers/{}/changes"),
    route("GET", "/images/json"),
    route("GET", "/images/{*}/json"),
    route("GET", "/images/{*}/history"),
    route("GET", "/images/{*}/attestations"),
    route("GET", "/networks"),
    route("GET", "/networks/"),
    route("GET", "/networks/{}"),
    route("GET", "/volumes"),
    route("GET", "/volumes/{}"),
    route("GET", "/info"),
    with("GET", "/events", "?since=1&until=2", ""),
    route("GET", "/exec/{}/json"),
    route("GET", "/system/df"),
    route("GET", "/tasks"),
    route("GET", "/tasks/{}"),
    route("GET", "/services"),
    route("GET", "/services/{}"),
    route("GET", "/nodes"),
    route("GET", "/nodes/{}"),
    route("GET", "/secrets"),
    route("GET", "/secrets/{}"),
    route("GET", "/plugins"),
    route("GET", "/plugins/{*}/json"),
    // Read-only, but what they tell is secret.
    with("GET", "/containers/{}/logs", "?stdout=1", ""),
    with("GET", "/services/{}/logs", "?stdout=1", ""),
    with("GET", "/tasks/{}/logs", "?stdout=1", ""),
    with("GET", "/containers/{}/archive", "?path=%2F", ""),
    with("HEAD", "/containers/{}/archive", "?path=%2F", ""),
    route("GET", "/containers/{}/export"),
    with("GET", "/images/get", "?names=redis", ""),
    route("GET", "/images/{*}/get"),
    route("GET", "/configs"),
    route("GET", "/configs/{}"),
    route("GET", "/swarm"),
    route("GET", "/swarm/unlockkey"),
    // Life cycle.
    route("POST", "/containers/{}/start"),
    with("POST", "/containers/{}/stop", "?t=1", ""),
    route("POST", "/containers/{}/restart"),
    with("POST", "/containers/{}/kill", "?signal=TERM", ""),
    route("POST", "/containers/{}/pause"),
    route("POST", "/containers/{}/unpause"),
    route("POST", "/containers/{}/wait"),
    with("POST", "/containers/{}/resize", "?h=1&w=2", ""),
    // Images come and go.
    with("POST", "/images/create", "?fromImage=redis&tag=7", ""),
    with("POST", "/images/{*}/tag", "?repo=redis&tag=8", ""),
    route("GET", "/distribution/{*}/json"),
    with("GET", "/images/search", "?term=redis", ""),
    with("POST", "/auth", "", "{}"),
    route("POST", "/images/{*}/push"),
    // Create and change.
    with("POST", "/containers/create", "?name=new", r#"{"Image":"redis"}"#),
    with("POST", "/containers/{}/update", "", r#"{"Memory":1000000}"#),
    with("POST", "/containers/{}/rename", "?name=other", ""),
    with("POST", "/networks/create", "", r#"{"Name":"new"}"#),
    with("POST", "/networks/{}/connect", "", r#"{"Container":"web"}"#),
    with("POST", "/networks/{}/disconnect", "", r#"{"Container":"web"}"#),
    with("POST", "/volumes/create", "", r#"{"Name":"new"}"#),
    // Remove.
    route("DELETE", "/containers/{}"),
    route("DELETE", "/images/{*}"),
    route("DELETE", "/networks/{}"),
    route("DELETE", "/volumes/{}"),
    route("POST", "/containers/prune"),
    route("POST", "/images/prune"),
    route("POST", "/networks/prune"),
    route("POST", "/volumes/prune"),
    // Inside containers.
    with("POST", "/containers/{}/exec", "", r#"{"Cmd":["true"]}"#),
    with("POST", "/exec/{}/start", "", r#"{"Detach":true}"#),
    with("POST", "/exec/{}/resize", "?h=1&w=2", ""),
    with("POST", "/containers/{}/attach", "?stream=1", ""),
    with("GET", "/containers/{}/attach/ws", "?stream=1", ""),
    with("PUT", "/containers/{}/archive", "?path=%2F", TAR),
    // Build.
    with("POST", "/build", "?t=new", TAR),
    route("POST", "/build/prune"),
    with("POST", "/build/cancel", "?id=some", ""),
    route("POST", "/session"),
    route("POST", "/grpc"),
    with("POST", "/images/load", "", TAR),
    with("POST", "/commit", "?container=web", ""),
    // Swarm.
    with("POST", "/swarm/init", "", "{}"),
    with("POST", "/swarm/join", "", "{}"),
    route("POST", "/swarm/leave"),
    with("POST", "/swarm/update", "?version=1", "{}"),
    with("POST", "/swarm/unlock", "", "{}"),
    with("POST", "/services/create", "", "{}"),
    with("POST", "/services/{}/update", "?version=1", "{}"),
    route("DELETE", "/services/{}"),
    with("POST", "/nodes/{}/update", "?version=1", "{}"),
    route("DELETE", "/nodes/{}"),
    with("POST", "/secrets/create", "", "{}"),
    with("POST", "/secrets/{}/update", "?version=1", "{}"),
    route("DELETE", "/secrets/{}"),
    with("POST", "/configs/create", "", "{}"),
    with("POST", "/configs/{}/update", "?version=1", "{}"),
    route("DELETE", "/configs/{}"),
    with("PUT", "/volumes/{}", "?version=1", "{}"),
    // The Engine itself.
    with("GET", "/plugins/privileges", "?remote=some", ""),
    with("POST", "/plugins/pull", "?remote=some", "[]"),
    with("POST", "/plugins/create", "?name=some", TAR),
    route("POST", "/plugins/{*}/enable"),
    route("POST", "/plugins/{*}/disable"),
    route("POST", "/plugins/{*}/push"),
    with("POST", "/plugins/{*}/upgrade", "?remote=some", "[]"),
    with("POST", "/plugins/{*}/set", "", "[]"),
    route("DELETE", "/plugins/{*}"),
    route("GET", "/containers/{}/checkpoints"),
    with("POST", "/containers/{}/checkpoints", "", "{}"),
    route("DELETE", "/containers/{}/checkpoints/{}"),
];

/// What is no route of the Engine's that anybody knows, or a known one by another method.
pub(crate) const UNKNOWN: &[Route] = &[
    route("GET", "/"),
    route("GET", "/debug/vars"),
    route("GET", "/debug/pprof/"),
    route("GET", "/libpod/info"),
    with("POST", "/libpod/containers/create", "", "{}"),
    route("GET", "/containers"),
    route("GET", "/containers/{}"),
    route("GET", "/containers/{}/json/"),
    route("HEAD", "/containers/json"),
    route("HEAD", "/containers/{}/json"),
    route("POST", "/containers/{}/json"),
    route("POST", "/containers/{}/start/now"),
    with("POST", "/containers/{}/copy", "", "{}"),
    route("PUT", "/containers/{}"),
    route("PATCH", "/containers/{}"),
    route("DELETE", "/containers/{}/archive"),
    route("GET", "/images"),
    route("POST", "/images/{}"),
    route("OPTIONS", "/info"),
    route("POST", "/info"),
    route("GET", "/volumes/"),
    route("POST", "/volumes/{}"),
    route("GET", "/exec/{}/start"),
    route("GET", "/distribution"),
    route("GET", "/build"),
    route("GET", "/anything/at/all"),
];

impl Route {
    /// What is asked of an object by this name, in the version the Engine here speaks.
    pub(crate) fn line(&self, name: &str) -> String {
        let path = self.pattern.replace("{*}", name).replace("{}", name);
        format!("{} /v1.41{path}{}", self.method, self.query)
    }

    /// A name of something there is, of the kind the route is about.
    pub(crate) fn known(&self) -> &'static str {
        let rooms =
            [("/containers/", "web"), ("/networks/", "front"), ("/volumes/", "data"), ("/images/", "redis")];
        rooms.iter().find(|(room, _)| self.pattern.starts_with(room)).map_or("some", |(_, name)| name)
    }

    /// It is about a command, which is its maker's alone.
    pub(crate) fn is_about_a_command(&self) -> bool {
        self.pattern.starts_with("/exec/")
    }
}
