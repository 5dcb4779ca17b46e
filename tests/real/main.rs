//! The docker command through Lookout against a real Engine, compared with the same command straight to it.
//!
//! `scripts/setup` installs an Engine, `scripts/engine` starts one and builds the image used here.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends at its first surprise"
)]
#![expect(clippy::print_stderr, reason = "a failed test shows what the agent logged")]
#![expect(clippy::disallowed_methods, reason = "tests start children and threads, and look at the clock")]

// What the tests stand on.
mod agent;
mod both_ways;
mod docker;
mod folder;
mod normal;
mod process;
mod raw;
mod registry;
mod scene;
mod second_engine;
mod wait;

// What they test.
mod access;
mod attach;
mod build;
mod copy;
mod events;
mod exec;
mod identity;
mod images;
mod leaving;
mod lists;
mod logs;
mod outage;
mod patience;
mod pull;
mod run;
mod terminal;
mod upgrade;
