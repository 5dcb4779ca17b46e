//! A private door to the Engine, for a program that acts for a caller: whoever comes through is the caller.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use super::route::Agent;
use crate::auth::Gate;

/// For whom a program acts.
pub(crate) struct Caller {
    /// Lets in everyone as the caller.
    pub(crate) gate: Gate,
    pub(crate) peer: IpAddr,
    /// Its name in the records.
    pub(crate) actor: String,
    /// The request that made the program run, by its name in the records.
    pub(crate) request_id: Option<String>,
}

/// Makes private doors. A transport knows how; whoever opens one need not know it.
pub(crate) trait Doors: Send + Sync {
    /// A unix socket that is there, under that name, for as long as what is returned.
    fn open(&self, agent: Arc<Agent>, at: &Path, caller: Caller) -> io::Result<Box<dyn Send>>;
}
