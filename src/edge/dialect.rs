//! The two spellings of one protocol, and which of them is tried.

/// A spelling of the protocol.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) protocol: &'static str,
    /// Of the upgrade, and of what the hello's signature covers.
    pub(crate) path: &'static str,
}

pub(crate) static LOOKOUT: Dialect = Dialect { protocol: "lookout/1.0", path: "/api/lookout/ws" };
pub(crate) static PORTWING: Dialect = Dialect { protocol: "portwing/1.0", path: "/api/portwing/ws" };

/// Which of them is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Our own first, then the other; whichever was welcomed last from then on.
    Auto,
    Only(&'static Dialect),
}
