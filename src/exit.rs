//! The codes the process ends with, beside 0. They are those of `sysexits.h`.

/// The arguments are not understood.
pub(crate) const USAGE: u8 = 64;
/// Something the agent cannot live without failed.
pub(crate) const SOFTWARE: u8 = 70;
/// The configuration is not sound.
pub(crate) const CONFIGURATION: u8 = 78;
