//! Compose through Lookout: a stack's whole life, with every compose of this machine.

use serde_json::{Value, json};

use crate::compose_yard::{Yard, waiting, with_each, with_new};
use crate::docker::IMAGE;
use crate::wait::until;

/// What somebody needs who may do all this and no more.
const CLASSES: &str = "compose,view,logs,power,pull,create,remove";

/// Two services: one greets and waits, the other reads a file of its stack and a volume.
fn shop() -> Value {
    let greet = "echo hello $$GREETING; exec sleep 1000";
    let text = json!({
        "services": {
            "web": waiting(&json!({"command": ["sh", "-c", greet], "environment": {"GREETING": "${GREETING}"}})),
            "db": waiting(&json!({
                "command": ["sh", "-c", "cat /conf/db.conf; echo kept >> /data/kept; wc -l < /data/kept; exec sleep 1000"],
                "volumes": ["./conf:/conf:ro", "data:/data"]
            })),
        },
        "volumes": {"data": {}}
    });
    json!({
        "files": {"compose.yaml": text.to_string(), "conf/db.conf": "base64:bW9kZT1mYXN0Cg=="},
        "envVars": {"GREETING": "from the order"}
    })
}

/// The names and states of what an operation that lists in JSON has told.
fn rows(output: &str) -> Vec<Value> {
    let one = serde_json::from_str::<Vec<Value>>(output);
    one.unwrap_or_else(|_| output.lines().map(|line| serde_json::from_str(line).expect("a row")).collect())
}

fn lives(yard: &Yard) {
    let none = json!({});
    yard.order("up", "shop", &shop()).good();
    let (web, db) = (yard.container("shop", "web"), yard.container("shop", "db"));
    let running = |name: &str| yard.told("{{.State.Running}}", name) == "true";
    assert!(running(&web) && running(&db), "{:?}", yard.containers());
    let project = yard.told(r#"{{index .Config.Labels "com.docker.compose.project"}}"#, &web);
    assert_eq!(project, yard.scene.name("shop"));

    let listed = yard.order("ps", "shop", &none).good();
    assert!(listed.contains(&web) && listed.contains(&db), "{listed}");
    if !yard.is_old {
        let rows = rows(&listed);
        assert_eq!(rows.len(), 2, "{listed}");
        assert!(rows.iter().all(|row| row["State"] == json!("running")), "{listed}");
    }

    let logs = until("both have spoken", || {
        let logs = yard.order("logs", "shop", &none).good();
        (logs.contains("hello from the order") && logs.contains("mode=fast") && logs.contains("| 1"))
            .then_some(logs)
    });
    assert!(!logs.contains("\u{1b}[3"), "there are colours in {logs:?}");
    let last = yard.order("logs", "shop", &json!({"services": ["db"], "tail": 1})).good();
    assert!(!last.contains("mode=fast") && !last.contains("hello"), "{last}");

    let started = yard.told("{{.State.StartedAt}}", &web);
    yard.order("restart", "shop", &json!({"services": ["web"], "timeout": 0})).good();
    assert_ne!(yard.told("{{.State.StartedAt}}", &web), started);
    assert!(running(&web));
    yard.order("stop", "shop", &json!({"timeout": 0})).good();
    assert!(!running(&web) && !running(&db));
    yard.order("start", "shop", &json!({"services": ["db"]})).good();
    assert!(!running(&web) && running(&db));
    yard.order("up", "shop", &none).good();
    assert!(running(&web), "the variables of the first order still hold");
    assert_eq!(yard.told("{{index .Config.Env 0}}", &web), "GREETING=from the order");

    let config = yard.order("config", "shop", &none).good();
    assert!(config.contains("GREETING: from the order"), "{config}");
    assert_eq!(yard.order("config", "shop", &json!({"quiet": true})).good(), "");
    let image = IMAGE.split(':').next().expect("a name");
    assert!(yard.order("images", "shop", &none).good().contains(image));
    let top = yard.order("top", "shop", &none).good();
    assert!(top.contains("sleep 1000"), "{top}");

    yard.order("down", "shop", &none).good();
    assert!(yard.containers().is_empty(), "{:?}", yard.containers());
    let volumes = ["volume", "ls", "-q", "--filter", &format!("name={}", yard.scene.prefix())];
    assert_eq!(yard.straight.run(&volumes).text().lines().count(), 1, "the volume is kept");
    yard.order("up", "shop", &json!({"services": ["db"], "build": false})).good();
    until("the volume has what it had", || {
        yard.order("logs", "shop", &none).good().contains("| 3").then_some(())
    });
    yard.order("down", "shop", &json!({"removeVolumes": true, "timeout": 0})).good();
    assert_eq!(yard.straight.run(&volumes).text(), "");
    assert_eq!(yard.private(), 0);
}

#[test]
fn a_stack_lives_its_whole_life() {
    with_each(&[], lives);
}

#[test]
fn it_lives_the_same_life_for_somebody_who_may_not_do_everything() {
    with_each(&[("TOKEN_ALLOW", CLASSES)], |yard| {
        let more =
            json!({"files": Yard::services(&json!({"web": waiting(&json!({"environment": ["A=b"]}))}))});
        yard.order("up", "shop", &more).good();
        let web = yard.container("shop", "web");
        assert_eq!(yard.told("{{.State.Running}}", &web), "true");
        assert!(yard.order("ps", "shop", &json!({})).good().contains(&web));
        yard.order("logs", "shop", &json!({})).good();
        yard.order("restart", "shop", &json!({"timeout": 0})).good();
        yard.order("up", "shop", &json!({"forceRecreate": true})).good();
        yard.order("down", "shop", &json!({"timeout": 0})).good();
        assert!(yard.containers().is_empty());
    });
}

#[test]
fn the_newer_operations_are_there_where_the_newer_compose_is() {
    with_new(&[], |yard| {
        let more = json!({"files": Yard::services(&json!({"web": waiting(&json!({})), "off": waiting(&json!({}))}))});
        yard.order("create", "shop", &more).good();
        let (web, off) = (yard.container("shop", "web"), yard.container("shop", "off"));
        assert_eq!(yard.told("{{.State.Status}}", &web), "created");
        yard.order("start", "shop", &json!({"services": ["web"]})).good();
        let row = rows(&yard.order("stats", "shop", &json!({"services": ["web"]})).good()).remove(0);
        assert_eq!(row["Name"], json!(web), "{row}");
        let config = yard.order("config", "shop", &json!({"format": "json"})).good();
        let config: Value = serde_json::from_str(&config).expect("JSON");
        assert_eq!(config["services"]["web"]["image"], json!(IMAGE));
        assert!(yard.order("ps", "shop", &json!({"all": true})).good().contains(&off));
        yard.order("rm", "shop", &json!({"stopFirst": true, "removeVolumes": true})).good();
        assert!(yard.containers().is_empty());
    });
}

#[test]
fn awkward_values_arrive_exactly() {
    let values = json!({
        "A_PLAIN": "value", "B_SPACES": "  two  words  ", "C_QUOTE": "it's", "D_QUOTES": "say \"hello\"",
        "E_DOLLAR": "a$b$$c${HOME}$(id)", "F_BACK": "c:\\new\\table\\", "G_HASH": "a #b", "H_EQUALS": "k=v=w",
        "I_UNICODE": "grüße 🐳", "J_TICKS": "`id`", "K_EMPTY": "", "L_ALL": "'\"\\$#`!%&*(){}[]|;<>?~", "M_TAB": "a\tb",
        "N_COLON": "a: b", "O_PERCENT": "100%s %d"
    });
    let members = values.as_object().expect("an object");
    with_each(&[], |yard| {
        let (passed, filled): (Vec<_>, Vec<_>) =
            members.keys().map(|name| (name.clone(), format!("X_{name}=${{{name}}}"))).unzip();
        let environment = [passed, filled].concat();
        let services = Yard::services(&json!({"web": waiting(&json!({"environment": environment}))}));
        yard.order("up", "shop", &json!({"files": services, "envVars": values})).good();
        let told = yard.told("{{json .Config.Env}}", &yard.container("shop", "web"));
        let told: Vec<String> = serde_json::from_str(&told).expect("JSON");
        for (name, value) in members {
            let value = value.as_str().expect("a text");
            for wanted in [format!("{name}={value}"), format!("X_{name}={value}")] {
                assert!(told.contains(&wanted), "old: {}, {wanted:?} is not in {told:?}", yard.is_old);
            }
        }
    });
}

#[test]
fn an_image_is_built_of_what_lies_in_the_stack() {
    with_each(&[], |yard| {
        let image = yard.scene.name("built:1");
        let services = json!({"web": waiting(&json!({"image": image, "build": {"context": "app"}}))});
        let dockerfile = format!("FROM {IMAGE}\n{}\nCOPY told /told\n", yard.scene.label());
        let mut files = Yard::services(&services);
        files["app/Dockerfile"] = json!(dockerfile);
        files["app/told"] = json!("of the stack");
        yard.order("up", "shop", &json!({"files": files, "build": true})).good();
        let told = yard.straight.run(&["exec", &yard.container("shop", "web"), "cat", "/told"]).good();
        assert_eq!(told.text(), "of the stack");
    });
}
