//! What the examples grant the agent: no more than it needs, whatever starts it.

use serde_json::{Value, json};

use crate::yaml;

const OURS: &str = "ghcr.io/OWNER/lookout";

/// What is wrong with an example, if it starts an agent.
pub(crate) fn too_much(path: &str, text: &str) -> Vec<String> {
    let documents = match yaml::documents(text) {
        Ok(documents) => documents,
        Err(why) => return vec![format!("{path}: {why}")],
    };
    let mut wrong = Vec::new();
    for document in &documents {
        let services = document["services"].as_object().into_iter().flatten();
        for (name, service) in services.filter(|(_, service)| is_ours(&service["image"])) {
            wrong.extend(service_wrong(service).into_iter().map(|why| format!("{path}: {name}: {why}")));
        }
        if document["kind"] == "DaemonSet" {
            wrong.extend(
                pod_wrong(&document["spec"]["template"]["spec"])
                    .into_iter()
                    .map(|why| format!("{path}: {why}")),
            );
        }
    }
    wrong
}

/// Settings of an agent that nothing reads: a variable that is misspelt is no setting at all.
pub(crate) fn unknown_settings(path: &str, text: &str, variables: &str) -> Vec<String> {
    let documents = yaml::documents(text).unwrap_or_default();
    let mut names = Vec::new();
    for document in &documents {
        let services = document["services"].as_object().into_iter().flatten();
        let ours = services.filter(|(_, service)| is_ours(&service["image"]));
        names.extend(ours.flat_map(|(_, service)| {
            service["environment"].as_object().into_iter().flat_map(|all| all.keys().cloned())
        }));
        let containers = document.pointer("/spec/template/spec/containers").and_then(Value::as_array);
        let settings =
            containers.into_iter().flatten().filter_map(|container| container["env"].as_array()).flatten();
        names.extend(settings.filter_map(|setting| setting["name"].as_str()).map(str::to_owned));
    }
    let unknown = names.iter().filter(|name| !variables.contains(&format!("        {name}: ")));
    unknown.map(|name| format!("{path}: there is no variable {name}")).collect()
}

/// How many agents an example starts.
pub(crate) fn agents(text: &str) -> usize {
    text.matches(&format!("image: {OURS}:")).count()
}

fn is_ours(image: &Value) -> bool {
    image.as_str().is_some_and(|image| image.starts_with(OURS))
}

fn service_wrong(service: &Value) -> Vec<String> {
    let is_stack = service["deploy"].is_object();
    let mut wanted = vec![("/read_only", json!(true)), ("/cap_drop", json!(["ALL"]))];
    if is_stack {
        // A stack has no options of this kind; it has one task on each node.
        wanted.push(("/deploy/mode", json!("global")));
    } else {
        wanted.push(("/security_opt", json!(["no-new-privileges:true"])));
    }
    wanted.push(("/healthcheck/test", json!(["CMD", "/lookout", "healthcheck"])));
    let mut wrong = differences(service, &wanted);
    let never = ["privileged", "cap_add", "devices", "pid", "ipc", "userns_mode", "network_mode"];
    wrong.extend(never.iter().filter(|name| !service[**name].is_null()).map(|name| format!("{name} is set")));
    if !service["user"].as_str().is_some_and(|user| user.starts_with("65532:")) {
        wrong.push("its user is not 65532".to_owned());
    }
    wrong
}

fn pod_wrong(pod: &Value) -> Vec<String> {
    let mut wrong = differences(
        pod,
        &[
            ("/automountServiceAccountToken", json!(false)),
            ("/securityContext/runAsNonRoot", json!(true)),
            ("/securityContext/runAsUser", json!(65532)),
            ("/securityContext/seccompProfile/type", json!("RuntimeDefault")),
            ("/containers/0/securityContext/allowPrivilegeEscalation", json!(false)),
            ("/containers/0/securityContext/privileged", json!(false)),
            ("/containers/0/securityContext/readOnlyRootFilesystem", json!(true)),
            ("/containers/0/securityContext/capabilities", json!({"drop": ["ALL"]})),
        ],
    );
    let never = ["hostNetwork", "hostPID", "hostIPC"];
    wrong.extend(never.iter().filter(|name| !pod[**name].is_null()).map(|name| format!("{name} is set")));
    let volumes = pod["volumes"].as_array().cloned().unwrap_or_default();
    let on_host =
        |name: &str| volumes.iter().any(|volume| volume["name"] == name && volume["hostPath"].is_object());
    if !on_host("stacks") {
        wrong.push("the stacks do not lie on the host".to_owned());
    }
    wrong
}

fn differences(value: &Value, wanted: &[(&str, Value)]) -> Vec<String> {
    let differs = |(place, wanted): &&(&str, Value)| value.pointer(place) != Some(wanted);
    wanted.iter().filter(differs).map(|(place, wanted)| format!("{place} is not {wanted}")).collect()
}

#[test]
fn an_example_that_grants_more_is_found() {
    let good = std::fs::read_to_string(crate::tree::root().join("examples/compose/standard.yml")).unwrap();
    assert_eq!(too_much("x.yml", &good), Vec::<String>::new());
    for (from, to) in [
        ("    read_only: true\n", ""),
        ("cap_drop: [ALL]", "cap_drop: [NET_RAW]"),
        ("no-new-privileges:true", "seccomp:unconfined"),
        ("65532:65532", "0:0"),
        ("    restart:", "    privileged: true\n    restart:"),
    ] {
        assert_eq!(too_much("x.yml", &good.replace(from, to)).len(), 1, "{from}");
    }
    let good = std::fs::read_to_string(crate::tree::root().join("examples/kubernetes/lookout.yml")).unwrap();
    assert_eq!(too_much("x.yml", &good), Vec::<String>::new());
    for (from, to) in [
        ("automountServiceAccountToken: false", "automountServiceAccountToken: true"),
        ("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"),
        ("drop: [ALL]", "drop: []"),
        ("RuntimeDefault", "Unconfined"),
        ("      enableServiceLinks: false\n", "      hostNetwork: true\n"),
        (
            "          hostPath:\n            path: /srv/stacks\n            type: Directory\n",
            "          emptyDir: gone\n",
        ),
    ] {
        assert_eq!(too_much("x.yml", &good.replace(from, to)).len(), 1, "{from}");
    }
}

#[test]
fn a_setting_that_is_not_there_is_found() {
    let service = "services:\n  lookout:\n    image: ghcr.io/OWNER/lookout:1\n    environment:\n      PORT: \"1\"\n      PROT: \"1\"\n";
    let pod = "spec:\n  template:\n    spec:\n      containers:\n        - name: x\n          env:\n            - name: PROT\n";
    for text in [service, pod] {
        assert_eq!(unknown_settings("x.yml", text, "        PORT: Plain").len(), 1, "{text}");
    }
}
