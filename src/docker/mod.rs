//! The Engine: where it is, whether it answers, and one exchange with it.

mod address;
mod answer;
mod call;
mod error;
mod line;
mod ready;
mod upload;

use std::time::Duration;

pub(crate) use address::Address;
pub(crate) use answer::{Content, Incoming};
pub(crate) use call::{Ask, Patience};
pub(crate) use error::Error;
pub(crate) use line::{Hijacked, Line};

use ready::Readiness;

/// What the operator says about the Engine.
pub(crate) struct Settings {
    pub(crate) address: Address,
    /// How long connecting and waiting for a head may take.
    pub(crate) head_within: Duration,
}

/// The Engine, as every client's line reaches it.
pub(crate) struct Docker {
    address: Address,
    head_within: Duration,
    readiness: Readiness,
}

impl Docker {
    pub(crate) fn new(settings: Settings) -> Self {
        let Settings { address, head_within } = settings;
        Self { address, head_within, readiness: Readiness::default() }
    }
}
