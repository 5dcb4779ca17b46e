//! What the Engine does that a filter could overlook: each is shown to happen for whoever may do
//! everything, or straight at the Engine where nobody may, and not to happen within limits.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use serde_json::json;

use crate::docker::IMAGE;
use crate::probe::{Probe, request, straight, through};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn get(path: &str) -> Vec<u8> {
    request(&format!("GET {path}"), "", "")
}

#[test]
fn starting_a_container_changes_it_only_by_an_api_that_is_too_old() {
    let probe = Probe::new();
    let body = r#"{"Binds":["/etc/hostname:/x:ro"],"CapAdd":["SYS_ADMIN"]}"#;
    for (agent, what) in [(&probe.free, "free"), (&probe.bound, "bound")] {
        let name = probe.name(what);
        probe.straight.run(&["create", "--name", &name, IMAGE, "sleep", "1000"]).good();
        let start = |version: &str| {
            through(agent, &request(&format!("POST /{version}/containers/{name}/start"), JSON, body))
        };
        let told = [start("v1.41"), start("v1.23")];
        let binds = probe.told(&name, "/HostConfig/Binds");
        if what == "free" {
            assert_eq!(told.map(|told| told.status), [400, 204]);
            assert_eq!(binds, Some(json!(["/etc/hostname:/x:ro"])));
            assert_eq!(probe.told(&name, "/HostConfig/CapAdd"), Some(json!(["SYS_ADMIN"])));
        } else {
            assert!(told.iter().all(|told| told.is_ours()), "{told:?}");
            assert_eq!(told.map(|told| told.status), [403, 400]);
            assert_eq!((binds, probe.told(&name, "/State/Running")), (Some(json!(null)), Some(json!(false))));
            let plain = through(agent, &request(&format!("POST /v1.41/containers/{name}/start"), "", ""));
            assert_eq!(plain.status, 204, "{}", plain.text);
        }
    }
}

#[test]
fn a_form_would_beat_the_query_so_that_nobody_may_send_one() {
    let probe = Probe::new();
    let (one, evil) = (probe.container("one", &[IMAGE, "sleep", "1000"]), probe.name("evil"));
    let rename = format!("POST /v1.41/containers/{one}/rename?name={}", probe.name("good"));
    let form = request(&rename, FORM, format!("name={evil}"));
    // Where nobody may send a body, that is what is said.
    for (agent, status) in [(&probe.bound, 403), (&probe.free, 415)] {
        let told = through(agent, &form);
        assert_eq!((told.status, told.is_ours()), (status, true), "{}", told.text);
        assert_eq!(probe.told(&one, "/Name"), Some(json!(format!("/{one}"))));
    }
    assert_eq!(straight(&form).status, 204);
    assert_eq!(probe.told(&evil, "/Name"), Some(json!(format!("/{evil}"))));
}

/// A registry on loopback that hangs up on whoever comes, and counts them.
struct Hook {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl Hook {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (calls, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counts, stop) = (Arc::clone(&calls), Arc::clone(&over));
        let server = thread::spawn(move || {
            for _ in listener.incoming().take_while(|_| !stop.load(Ordering::Relaxed)) {
                counts.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { address, calls, over, server: Some(server) }
    }

    fn image(&self) -> String {
        format!("{}/shelf/image", self.address)
    }

    /// Somebody called since this was last asked.
    fn was_called(&self) -> bool {
        self.calls.swap(0, Ordering::Relaxed) > 0
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // It waits for one more caller before it looks up.
        let _ = TcpStream::connect(self.address);
        let _ = self.server.take().map(JoinHandle::join);
    }
}

#[test]
fn a_form_would_pull_from_another_registry_than_the_one_that_was_judged() {
    let probe = Probe::with("view,pull");
    let (asked, evil) = (Hook::new(), Hook::new());
    let line = format!("POST /v1.41/images/create?fromImage={}&tag=1", asked.image());
    let form = request(&line, FORM, format!("fromImage={}", evil.image()));
    // Where nobody may send a body, that is what is said.
    for (agent, status) in [(&probe.bound, 403), (&probe.free, 415)] {
        let told = through(agent, &form);
        assert_eq!((told.status, told.is_ours()), (status, true), "{}", told.text);
    }
    assert!(!asked.was_called() && !evil.was_called(), "a refused pull was made");
    straight(&form);
    assert!(evil.was_called() && !asked.was_called(), "the Engine went where the query says");
    // Without the form, it is pulled from where the query says.
    through(&probe.bound, &request(&line, "", ""));
    assert!(asked.was_called() && !evil.was_called());
}

#[test]
fn a_parameter_that_stands_twice_is_read_by_the_engine_and_by_nobody_within_limits() {
    let probe = Probe::new();
    let name = probe.name("created");
    probe.straight.run(&["create", "--name", &name, "--label", "a=1", "--label", "b=1", IMAGE]).good();
    let lists = |query: &str, is_told: bool| {
        let told = through(&probe.free, &get(&format!("/v1.41/containers/json?{query}")));
        assert_eq!((told.status, told.has(&name)), (200, is_told), "{query}: {}", told.text);
    };
    let refused = |query: &str| {
        let told = through(&probe.bound, &get(&format!("/v1.41/containers/json?{query}")));
        assert!([400, 403].contains(&told.status) && told.is_ours(), "{query}: {}", told.text);
    };
    let (mine, other) = (format!("{{\"name\":[\"{name}\"]}}"), r#"{"name":["none-of-this-name"]}"#);
    for (query, is_told) in [
        // The first counts, and almost everything is yes.
        ("all=1&all=0".to_owned(), true),
        ("all=0&all=1".to_owned(), false),
        (format!("all=1&filters={mine}&filters={other}"), true),
        (format!("all=1&filters={other}&filters={mine}"), false),
        // Of names within the filters, the last counts.
        (format!(r#"all=1&filters={{"name":["none"],"name":["{name}"]}}"#), true),
        // It is no other parameter than the one the Engine knows.
        (format!("all=1&Filters={other}"), true),
    ] {
        lists(&query, is_told);
        refused(&query);
    }
    for (value, is_told) in [
        ("2", true),
        ("TRUE", true),
        ("yes", true),
        ("no", false),
        ("False", false),
        ("none", false),
        ("+", false),
    ] {
        lists(&format!("all={value}"), is_told);
    }
    for (filter, is_told) in [(r#"["a=1","b=1"]"#, true), (r#"["a=1","b=2"]"#, false)] {
        lists(&format!(r#"all=1&filters={{"name":["{name}"],"label":{filter}}}"#), is_told);
    }
    // Some readers take it for a separator; this one for a mistake.
    let told = straight(&get("/v1.41/containers/json?all=1;limit=1"));
    assert_eq!(told.status, 400, "{}", told.text);
    refused("all=1;limit=1");
}

#[test]
fn a_path_that_is_spelt_otherwise_is_the_same_path_for_the_one_who_decides() {
    let probe = Probe::with("view");
    let name = probe.container("one", &["-e", "SECRET=hunter2", IMAGE, "sh", "-c", "echo hello; sleep 1000"]);
    // Decoded once, by the Engine and by us: what is allowed goes through, what is not does not.
    for path in ["/v1.41/containers%2Fjson", "/v1.41/%63ontainers/json", "/%761.41/containers/json"] {
        let [free, bound] = [&probe.free, &probe.bound].map(|agent| through(agent, &get(path)));
        assert!(free.status == 200 && free.has(&name), "{path}: {}", free.text);
        assert!(bound.status == 200 && bound.has(&name), "{path}: {}", bound.text);
    }
    for path in ["logs%3Fa", "%6Cogs", "%6c%6f%67s"] {
        let path = format!("/v1.41/containers/{name}/{path}?stdout=1");
        let told = through(&probe.bound, &get(&path));
        assert_eq!((told.status, told.is_ours()), (403, true), "{path}: {}", told.text);
    }
    let logs = get(&format!("/v1.41/containers/{name}%2Flogs?stdout=1"));
    assert!(through(&probe.free, &logs).has("hello"));
    assert!(through(&probe.bound, &logs).is_ours());
    let image = IMAGE.replace('/', "%2F").replace(':', "%3A");
    for agent in [&probe.free, &probe.bound] {
        let told = through(agent, &get(&format!("/v1.41/images/{image}/json")));
        assert!(told.status == 200 && told.has(IMAGE), "{}", told.text);
    }
    // The Engine sends its caller elsewhere, or serves what nobody asked for.
    for (path, status) in [
        ("//containers/json", 301),
        ("/v1.41/containers/../_ping", 301),
        ("/v1.41/containers/..%2f_ping", 301),
        ("http://elsewhere/v1.41/containers/json", 200),
    ] {
        assert_eq!(straight(&get(path)).status, status, "{path}");
        for agent in [&probe.free, &probe.bound] {
            let told = through(agent, &get(path));
            assert_eq!((told.status, told.is_ours()), (400, true), "{path}: {}", told.text);
        }
    }
}

#[test]
fn a_version_in_a_form_of_its_own_is_none_within_limits() {
    let probe = Probe::new();
    let name = probe.container("one", &[IMAGE, "sleep", "1000"]);
    let versions = ["v1.41.", "v1.41..", "v1.41.0.0", "v001.041.", "v1.41%2E"];
    for version in versions.into_iter().chain(["v1.23"]) {
        let list = get(&format!("/{version}/containers/json"));
        let (free, bound) = (straight(&list), through(&probe.bound, &list));
        assert!(free.status == 200 && free.has(&name), "{version}: {}", free.text);
        assert_eq!((bound.status, bound.is_ours()), (400, true), "{version}: {}", bound.text);
    }
    for version in versions {
        let body = format!(r#"{{"Image":"{IMAGE}","HostConfig":{{"Privileged":true}}}}"#);
        let create = |what| {
            request(&format!("POST /{version}/containers/create?name={}", probe.name(what)), JSON, &body)
        };
        assert_eq!(through(&probe.free, &create("free")).status, 201, "{version}");
        assert_eq!(probe.told(&probe.name("free"), "/HostConfig/Privileged"), Some(json!(true)));
        probe.straight.run(&["rm", &probe.name("free")]).good();
        assert!(through(&probe.bound, &create("bound")).is_ours(), "{version}");
        assert_eq!(probe.told(&probe.name("bound"), "/Id"), None);
    }
    // Newer than the Engine: nobody can say what it would be.
    let told = through(&probe.bound, &get("/v1.99/containers/json"));
    assert_eq!((told.status, told.is_ours()), (400, true), "{}", told.text);
}

#[test]
fn what_the_engine_serves_beside_its_api_is_for_whoever_may_do_everything() {
    let probe = Probe::new();
    for path in ["/debug/pprof/", "/debug/vars"] {
        let [free, bound] = [&probe.free, &probe.bound].map(|agent| through(agent, &get(path)));
        assert_eq!(free.status, straight(&get(path)).status, "{path}: {}", free.text);
        assert_eq!((bound.status, bound.is_ours()), (403, true), "{path}: {}", bound.text);
        assert!(bound.has("lacks class all"), "{path}: {}", bound.text);
    }
    assert_eq!(straight(&get("/debug/pprof/")).status, 200);
    for line in ["HEAD /v1.41/containers/json", "GET /V1.41/containers/json"] {
        assert_eq!(straight(&request(line, "", "")).status, 404, "{line}");
        let told = through(&probe.bound, &request(line, "", ""));
        assert_eq!(told.status, 403, "{line}: {}", told.text);
    }
}
