//! The docker command through Lookout against a real Engine, compared with the same command straight to it.
//!
//! `scripts/setup` installs an Engine, `scripts/engine` starts one and builds the image used here.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at its first surprise"
)]
#![expect(clippy::print_stderr, reason = "a failed test shows what the agent logged")]
#![expect(clippy::disallowed_methods, reason = "tests start children and threads, and look at the clock")]

// What the tests stand on.
mod agent;
mod both_ways;
mod boxed;
mod caller;
mod compose_yard;
mod docker;
mod edge_agent;
mod edge_call;
mod edge_caller;
mod edge_tunnel;
mod edge_welcome;
mod edge_world;
mod folder;
mod gateway;
mod keyed;
mod normal;
mod probe;
mod process;
mod raw;
mod recipe;
mod registry;
mod scene;
mod second_engine;
mod stage;
mod wait;

// What they test.
mod access;
mod attach;
mod build;
mod compose;
mod compose_callers;
mod compose_refused;
mod controllers;
mod copy;
mod edge_adapter;
mod edge_allow;
mod edge_archives;
mod edge_commands;
mod edge_docker;
mod edge_hijack;
mod engine_bodies;
mod engine_facts;
mod engine_framing;
mod engine_reads;
mod events;
mod examples;
mod exec;
mod feeds;
mod filtered;
mod guarded;
mod identity;
mod image;
mod images;
mod installer;
mod leaving;
mod lists;
mod logs;
mod mcp;
mod outage;
mod packages;
mod patience;
mod pull;
mod recipes;
mod recorded;
mod run;
mod scoped;
mod scoped_names;
mod swarm;
mod terminal;
mod upgrade;
mod working_days;
