//! A request on its way through the agent.

use std::net::IpAddr;

use super::{Body, RequestHead};

/// A head whose rules were checked, a body still to be read, and who sent them.
pub(crate) struct Request<'c> {
    pub(crate) head: RequestHead<'c>,
    pub(crate) body: Body<'c>,
    /// The other end of the connection.
    pub(crate) peer: IpAddr,
}
