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
mod assistant;
mod audit_disk;
mod audit_trail;
mod client;
mod compose_world;
mod controller;
mod drydock_rules;
mod edge_between;
mod edge_link;
mod edge_shells;
mod edge_world;
mod engine;
mod engine_routes;
#[path = "../../src/metrics/check.rs"]
mod exposition;
mod fleet;
mod listener;
mod message;
mod patience;
mod signer;
mod tls_client;
mod world;

// The longest of all begins first, so that the others run beside it.
#[path = "torture_times.rs"]
mod a_minute_and_more;
mod access;
mod audit_commands;
mod audit_crash;
mod audit_edge;
mod audit_events;
mod audit_export;
mod audit_recordings;
mod audit_required;
mod audit_secrets;
mod audit_settings;
mod authority;
mod authority_answers;
mod authority_bodies;
mod authority_commands;
mod authority_matrix;
mod authority_requests;
mod authority_scope;
mod bodies;
mod both_modes;
mod certificates;
mod compose_audit;
mod compose_child;
mod compose_commands;
mod compose_disk;
mod compose_edge;
mod compose_files;
mod compose_life;
mod compose_orders;
mod compose_output;
mod config;
mod contacts;
mod container_logs;
mod delivery;
mod departures;
mod doctor;
mod drydock;
mod drydock_events;
mod drydock_sequence;
mod edge_config;
mod edge_exec;
mod edge_hello;
mod edge_identity;
mod edge_intermediaries;
mod edge_life;
mod edge_logs;
mod edge_network;
mod edge_pressure;
mod edge_refusals;
mod edge_replies;
mod edge_requests;
mod edge_streamed;
mod edge_streams;
mod edge_sync;
mod edge_upgrades;
mod edge_ways;
mod enroll;
mod environment;
mod faults;
mod framing;
mod generic;
mod generic_events;
mod hashed;
mod info;
mod inventory;
mod keygen;
mod keys_files;
mod limits;
mod mcp;
mod mcp_tools;
mod metrics;
mod metrics_counts;
mod pid_one;
mod policy_commands;
mod policy_suggest;
mod proxies;
mod proxy;
mod regression;
mod rehearsal;
mod reload;
mod replay;
mod sandbox;
mod secrecy;
mod shutdown;
mod signed;
mod signed_bodies;
mod streamed;
mod throttle;
mod tls;
mod told;
mod torture_bombs;
mod torture_census;
mod torture_chunks;
mod torture_controllers;
mod torture_departures;
mod torture_drips;
mod torture_feeds;
mod torture_floods;
mod torture_heads;
mod torture_lengths;
mod torture_paths;
mod torture_pipelines;
mod torture_reader;
mod torture_replies;
mod torture_self;
mod torture_smuggling;
mod torture_stand;
mod torture_storms;
mod upgrade;
