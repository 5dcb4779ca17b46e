//! What does nothing in edge mode, and why.

use crate::config::environment::Environment;
use crate::config::variables::{
    ALLOW_NON_LOOPBACK, ALLOW_UNAUTHENTICATED, ALLOW_UNAUTHENTICATED_REMOTE, BIND_ADDRESS, CLIENT_CA,
    CONNECTIONS_MAX, DD_AGENT_SECRET, DD_AGENT_SECRET_FILE, ENROLLMENT_TOKEN, ENROLLMENT_TOKEN_FILE,
    OPERATIONS_ADDRESS, PORT, PRIVATE_KEY_FILE, TLS_CERT, TLS_KEY, TOKEN, TOKEN_ALLOW, TOKEN_FILE,
    TOKEN_HASH, TOKEN_HASH_FILE, Variable,
};

type Row = (&'static Variable, &'static str);

const NO_LISTENER: &str =
    "in edge mode the agent calls and is not called; OPERATIONS_ADDRESS opens health and metrics";
const ALWAYS: &[Row] = &[
    (&PORT, NO_LISTENER),
    (&BIND_ADDRESS, NO_LISTENER),
    (&CONNECTIONS_MAX, "in edge mode the agent calls and is not called"),
    (&TOKEN_ALLOW, "in edge mode a token grants nothing; EDGE_ALLOW is what the controller may do"),
    (&ENROLLMENT_TOKEN, "in edge mode no key enrols itself"),
    (&ENROLLMENT_TOKEN_FILE, "in edge mode no key enrols itself"),
    (&ALLOW_UNAUTHENTICATED, "in edge mode nobody comes in from outside"),
    (&ALLOW_UNAUTHENTICATED_REMOTE, "in edge mode nobody comes in from outside"),
];

const NO_OPERATIONS: &str = "in edge mode it is for OPERATIONS_ADDRESS, which is not set";
const WITHOUT_OPERATIONS: &[Row] = &[
    (&TLS_CERT, NO_OPERATIONS),
    (&TLS_KEY, NO_OPERATIONS),
    (&CLIENT_CA, NO_OPERATIONS),
    (&TOKEN_HASH, NO_OPERATIONS),
    (&TOKEN_HASH_FILE, NO_OPERATIONS),
    (&ALLOW_NON_LOOPBACK, NO_OPERATIONS),
];

const KEY_WINS: &str = "PRIVATE_KEY_FILE is set and wins";
const WITH_A_KEY: &[Row] = &[
    (&TOKEN, KEY_WINS),
    (&TOKEN_FILE, KEY_WINS),
    (&DD_AGENT_SECRET, KEY_WINS),
    (&DD_AGENT_SECRET_FILE, KEY_WINS),
];

const TOKEN_WINS: &str = "one token is shown to the controller, and TOKEN wins";
const WITH_A_TOKEN: &[Row] = &[(&DD_AGENT_SECRET, TOKEN_WINS), (&DD_AGENT_SECRET_FILE, TOKEN_WINS)];

/// Every variable that does nothing in this edge mode, set or not.
pub(in crate::config) fn idle(environment: &Environment) -> Vec<Row> {
    let is_set = |variable| environment.is_set(variable);
    let mut rows = ALWAYS.to_vec();
    if !is_set(&OPERATIONS_ADDRESS) {
        rows.extend(WITHOUT_OPERATIONS);
        if is_set(&PRIVATE_KEY_FILE) {
            rows.extend(WITH_A_KEY);
        } else if is_set(&TOKEN) || is_set(&TOKEN_FILE) {
            rows.extend(WITH_A_TOKEN);
        }
    }
    rows
}
