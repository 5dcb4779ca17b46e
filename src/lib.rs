//! Lookout: a remote Docker agent.
//!
//! It answers requests about one Docker host. A request comes in over a connection the controller
//! opened, and from there on there is one way only:
//!
//! ```text
//!   TcpStream ── net::tls ── http::head       bytes became a message, within limits
//!                                │  api::find             a table look-up, no side effects
//!                                ▼
//!                        &'static Route       public? ────────────────────────┐
//!                                │  auth::Gate                                │
//!                                ▼                                            │
//!                    Authenticated<Request>   only auth/ can make one         │
//!                                │  policy::permit                            │
//!                                ▼                                            │
//!                      Permitted<Request>     only policy/ can make one       │
//!                                │  (route.run)(&mut Desk, …)                 ▼
//!                                ▼                                   handler(&mut Desk, Request)
//!                     Result<Response, Failure>  ◄────────────────────────────┘
//!                                │
//!                        server::respond      HTTP bytes, chunked, or a relay for upgrades
//! ```
//!
//! Rooms stand on floors. A room may use rooms on lower floors, never its own or a higher one
//! (`tests/tidy.rs` checks it).
//!
//! | floor | rooms |
//! | --- | --- |
//! | 10 | `cli`: subcommands; `main` calls it |
//! | 9 | `run`: builds, starts, waits, drains · `doctor`: why it does not work |
//! | 8 | `config`: knows every room's settings; no room knows it |
//! | 7 | `server`: standard mode · `edge`: edge mode |
//! | 6 | `api`: routes and handlers |
//! | 5 | `policy`: what a caller may do · `inventory`: the containers as a controller wants them |
//! | 4 | `docker`: the Engine · `auth`: who is calling · `compose`: stacks · `host`: this machine, in figures |
//! | 3 | `net`: sockets that keep time · `audit`: the trail that proves itself · `sandbox`: what is given up |
//! | 2 | `sys`: the operating system, safely · `http`: grammar · `threads` |
//! | 1 | `secret` `log` `metrics` `permits` |
//! | 0 | `limits` · `clock` · `exit` · `shared` · `version` |
//!
//! Read in this order: this map, `api/mod.rs` (what it can do), `api/health.rs` (one endpoint
//! whole), `limits.rs` (how much of everything), `run.rs` (how it lives and dies).

mod api;
mod audit;
mod auth;
mod cli;
mod clock;
mod compose;
mod config;
mod docker;
mod doctor;
mod edge;
mod exit;
mod host;
mod http;
mod inventory;
mod limits;
mod log;
mod metrics;
mod net;
mod permits;
mod policy;
mod run;
mod sandbox;
mod secret;
mod server;
mod shared;
mod sys;
mod threads;
mod version;

#[cfg(fuzzing)]
pub mod fuzzing;

pub use cli::main;
