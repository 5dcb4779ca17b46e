//! The built binary as the world sees it: a real client on one side, a fake Docker Engine on the other.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that cannot go on says so by panicking"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "tests start the agent, count on threads of their own, and keep deadlines by the real clock"
)]

mod agent;
mod client;
mod engine;
mod engine_routes;
mod message;
mod patience;
mod signer;
mod tls_client;
mod world;

mod access;
mod authority;
mod authority_answers;
mod authority_bodies;
mod authority_commands;
mod authority_matrix;
mod authority_requests;
mod authority_scope;
mod bodies;
mod certificates;
mod config;
mod delivery;
mod departures;
mod enroll;
mod environment;
mod faults;
mod framing;
mod hashed;
mod keygen;
mod keys_files;
mod limits;
mod pid_one;
mod policy_commands;
mod proxies;
mod proxy;
mod regression;
mod rehearsal;
mod reload;
mod replay;
mod secrecy;
mod shutdown;
mod signed;
mod signed_bodies;
mod streamed;
mod throttle;
mod tls;
mod upgrade;
