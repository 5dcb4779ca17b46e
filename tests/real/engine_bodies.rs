//! How the Engine reads the body that makes a container: each way to hide a member in it is shown to
//! work for whoever may do everything, and to fail within the guard.

use serde_json::{Value, json};

use crate::docker::IMAGE;
use crate::probe::{Probe, Told, request, through};

const JSON: &str = "application/json";

/// A body with these members beside the image, where IMAGE stands.
fn body(members: &[u8]) -> Vec<u8> {
    [format!("{{\"Image\":\"{IMAGE}\",\"Cmd\":[\"true\"]").as_bytes(), members, b"}"].concat()
}

impl Probe {
    /// Asks both agents for a container; the names asked for and what was answered.
    fn creates(&self, kind: &str, bytes: &[u8]) -> [(String, Told); 2] {
        let tries = [(&self.free, "free"), (&self.bound, "bound")];
        tries.map(|(agent, what)| {
            let name = self.name(what);
            let line = format!("POST /v1.41/containers/create?name={name}");
            let told = through(agent, &request(&line, kind, bytes));
            (name, told)
        })
    }

    fn removes(&self, name: &str) {
        self.straight.run(&["rm", "-f", name]);
    }
}

/// What is sent beside the image, and what comes of it: a value in what the Engine says of the container.
const HIDDEN: &[(&str, &[u8], &str, &str)] = &[
    ("in lower case", br#","hostconfig":{"privileged":true}"#, "/HostConfig/Privileged", "true"),
    ("in upper case", br#","HOSTCONFIG":{"PRIVILEGED":true}"#, "/HostConfig/Privileged", "true"),
    ("with a long s", ",\"HoſtConfig\":{\"Privileged\":true}".as_bytes(), "/HostConfig/Privileged", "true"),
    (
        "with a Kelvin sign",
        ",\"HostConfig\":{\"Networ\u{212a}Mode\":\"host\"}".as_bytes(),
        "/HostConfig/NetworkMode",
        "\"host\"",
    ),
    ("escaped", br#","HostConfi\u0067":{"Privilege\u0064":true}"#, "/HostConfig/Privileged", "true"),
    (
        "before another object of its name",
        br#","HostConfig":{"Privileged":true,"PidMode":"host"},"HostConfig":{"Memory":8388608}"#,
        "/HostConfig/Privileged",
        "true",
    ),
    (
        "before another object of its name, and kept beside it",
        br#","HostConfig":{"PidMode":"host"},"HostConfig":{"Memory":8388608}"#,
        "/HostConfig/PidMode",
        "\"host\"",
    ),
    (
        "behind one that says no",
        br#","HostConfig":{"Privileged":false,"Privileged":true}"#,
        "/HostConfig/Privileged",
        "true",
    ),
    (
        "behind one that says no, in other case",
        br#","HostConfig":{"Privileged":false,"privileged":true}"#,
        "/HostConfig/Privileged",
        "true",
    ),
    ("where no HostConfig is", br#","Privileged":true"#, "/HostConfig/Privileged", "true"),
    ("as a mount", br#","HostConfig":{"Binds":["/etc:/x"]}"#, "/HostConfig/Binds/0", "\"/etc:/x\""),
    (
        "as a mount, the other way",
        br#","HostConfig":{"Mounts":[{"Type":"bind","Source":"/etc","Target":"/x"}]}"#,
        "/Mounts/0/Source",
        "\"/etc\"",
    ),
    (
        "as a list that takes the Engine's own away",
        br#","HostConfig":{"MaskedPaths":[],"ReadonlyPaths":[]}"#,
        "/HostConfig/MaskedPaths",
        "[]",
    ),
    (
        "as a number in another form",
        br#","HostConfig":{"OomScoreAdj":-500}"#,
        "/HostConfig/OomScoreAdj",
        "-500",
    ),
    // Nothing comes of these for the Engine of today, which is no reason to pass them on.
    ("behind the end", br#"}{"HostConfig":{"Privileged":true}"#, "/HostConfig/Privileged", "false"),
    ("behind the end, which is none", br#"}]{"a":1"#, "/HostConfig/Privileged", "false"),
    ("under a name nobody knows", br#","Unknown":{"Privileged":true}"#, "/HostConfig/Privileged", "false"),
    (
        "under a name that is no text",
        b",\"Host\xffConfig\":{\"Privileged\":true}",
        "/HostConfig/Privileged",
        "false",
    ),
];

#[test]
fn a_member_hidden_in_a_body_reaches_the_engine_only_for_whoever_may_do_everything() {
    let probe = Probe::new();
    for (how, members, pointer, expected) in HIDDEN {
        let [(free, made), (bound, refused)] = probe.creates(JSON, &body(members));
        assert_eq!(made.status, 201, "{how}: {}", made.text);
        let expected: Value = serde_json::from_str(expected).expect("JSON");
        assert_eq!(probe.told(&free, pointer), Some(expected), "{how}");
        assert!([400, 403].contains(&refused.status) && refused.is_ours(), "{how}: {}", refused.text);
        assert_eq!(probe.told(&bound, "/Id"), None, "{how}: a refused container was made");
        probe.removes(&free);
    }
}

#[test]
fn a_body_the_engine_does_not_take_is_taken_by_nobody() {
    let probe = Probe::new();
    let bom = [b"\xef\xbb\xbf", &body(b"")[..]].concat();
    for (what, kind, bytes) in [
        ("a fraction for a number", JSON, body(br#","HostConfig":{"Memory":8.4e6}"#)),
        ("a list for an object", JSON, body(br#","HostConfig":[]"#)),
        ("a byte order mark", JSON, bom),
        ("a list", JSON, [b"[", &body(b"")[..], b"]"].concat()),
        ("no JSON by its type", "text/json", body(b"")),
    ] {
        let [(free, free_told), (bound, bound_told)] = probe.creates(kind, &bytes);
        assert!((400..=500).contains(&free_told.status), "{what}: {}", free_told.text);
        assert!((400..=500).contains(&bound_told.status), "{what}: {}", bound_told.text);
        assert_eq!((probe.told(&free, "/Id"), probe.told(&bound, "/Id")), (None, None), "{what}");
    }
}

#[test]
fn a_body_without_anything_hidden_is_taken_alike() {
    let probe = Probe::new();
    let plain = body(br#","HostConfig":{"Memory":8388608,"Privileged":false,"CapAdd":null,"Binds":[]}"#);
    for kind in [JSON, "application/json; charset=utf-8"] {
        for (name, told) in probe.creates(kind, &plain) {
            assert_eq!(told.status, 201, "{kind}: {}", told.text);
            assert_eq!(probe.told(&name, "/HostConfig/Memory"), Some(json!(8_388_608)));
            assert_eq!(probe.told(&name, "/HostConfig/Privileged"), Some(json!(false)));
            probe.removes(&name);
        }
    }
}

/// A form's fields count before those of the query, for whoever reads the body as a form.
#[test]
fn a_body_of_another_kind_makes_nothing_within_the_guard() {
    let probe = Probe::new();
    for kind in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "application/grpc"] {
        for (name, told) in probe.creates(kind, &body(b"")) {
            assert_eq!(told.status, 415, "{kind}: {}", told.text);
            assert_eq!(probe.told(&name, "/Id"), None, "{kind}");
        }
    }
}
