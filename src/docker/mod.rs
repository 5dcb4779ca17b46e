//! The Engine: where it is, whether it answers, and one exchange with it.

mod address;
mod answer;
mod call;
mod error;
mod events;
mod line;
pub(crate) mod logs;
mod moment;
mod ready;
mod upload;

use std::time::Duration;

pub(crate) use address::Address;
pub(crate) use answer::{Answer, Content, Incoming};
pub(crate) use call::{Ask, Patience};
pub(crate) use error::Error;
pub(crate) use events::Event;
pub(crate) use line::{Hijacked, Line};
pub(crate) use moment::Moment;

use crate::clock::Deadline;
use crate::http::{Method, Status};
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

    /// Asks for a document of at most `most` bytes; `None` where the Engine knows no such thing.
    pub(crate) fn read(&self, line: &mut Line, target: &str, most: usize) -> Result<Option<Vec<u8>>, Error> {
        let ask = Ask::new(line.space(), Method::Get, target, Patience::Bounded);
        let answer = self.call(line, ask)?;
        let Content::Incoming(incoming) = answer.content else { return Err(Error::Switched) };
        let told = incoming.whole(most, self.patience(), line)?;
        match answer.status {
            Status::OK => Ok(Some(told)),
            status if status.is_server_error() => Err(Error::Refused(status)),
            _ => Ok(None),
        }
    }

    /// Asks for a document that must have come whole by then; also what the Engine said of it.
    pub(crate) fn document(
        &self,
        line: &mut Line,
        target: &str,
        most: usize,
        within: Deadline,
    ) -> Result<(Status, Vec<u8>), Error> {
        let patience = Patience::Within(within.left().unwrap_or(Duration::MAX));
        let ask = Ask::new(line.space(), Method::Get, target, patience);
        let answer = self.call(line, ask)?;
        let Content::Incoming(incoming) = answer.content else { return Err(Error::Switched) };
        Ok((answer.status, incoming.whole(most, within, line)?))
    }

    /// How long a document may take.
    pub(crate) fn patience(&self) -> Deadline {
        Deadline::after(self.head_within)
    }
}
