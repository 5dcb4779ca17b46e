//! What the agent tells of machine and containers is a list that somebody wrote down, with nobody's secret in it.
use std::collections::BTreeSet;
use std::env;

use serde_json::{Value, json};

use crate::agent::{Agent, request};
use crate::fleet::Fleet;

const GOLDEN: &str = include_str!("../golden/told.txt");

/// Set to `write`, the list is written anew, to be read and compared with what it was.
const MODE: &str = "LOOKOUT_GOLDEN";

const ROUTES: [(&str, &str); 6] = [
    ("drydock", "/api/containers"),
    ("drydock", "/api/watchers"),
    ("generic", "/api/v1/containers"),
    ("generic", "/api/v1/version"),
    ("generic", "/_lookout/info"),
    ("generic", "/_lookout/health"),
];

/// Every member of it, by the way that leads there.
fn members(value: &Value, way: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(name, value)| members(value, &format!("{way}.{name}"), into));
        }
        Value::Array(array) => array.iter().for_each(|value| members(value, &format!("{way}[]"), into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            into.insert(way.to_owned());
        }
    }
}

#[test]
fn every_member_that_is_told_is_on_the_list_and_none_holds_a_secret() {
    let fleet = Fleet::of(&["web"]);
    fleet.change("web", |web| {
        web["Config"]["Labels"] = json!({"team": "a"});
        web["Config"]["Env"] = json!(["DATABASE_URL=postgres://a:hunter2@db/x"]);
        web["Config"]["Cmd"] = json!(["serve", "--password", "hunter2"]);
        web["HostConfig"] = json!({"LogConfig": {"Type": "splunk", "Config": {"splunk-token": "hunter2"}}});
        web["State"]["Error"] = "hunter2".into();
    });
    let engine = fleet.engine();
    let mut told = BTreeSet::new();
    for (adapter, route) in ROUTES {
        let agent = Agent::start_with(&engine, &[("ADAPTER", adapter), ("TOKEN_ALLOW", "view,logs,metrics")]);
        let answer = agent.ask(request(&format!("GET {route}"), ""));
        assert_eq!(answer.status(), 200, "{route}: {}", answer.text());
        assert!(!answer.text().contains("hunter2"), "{route}: {}", answer.text());
        let value = serde_json::from_slice(&answer.body).expect("JSON");
        members(&value, &format!("{adapter} {route} "), &mut told);
    }
    let told: String = told.into_iter().map(|line| line + "\n").collect();
    if env::var(MODE).is_ok_and(|mode| mode == "write") {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/told.txt");
        std::fs::write(path, told).unwrap();
        return;
    }
    assert_eq!(told, GOLDEN);
}
