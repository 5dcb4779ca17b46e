//! What this build calls itself.

/// The release it is, or the one that it leads up to: only who builds a release says so.
pub(crate) const VERSION: &str = match option_env!("LOOKOUT_RELEASE") {
    Some(_) => env!("CARGO_PKG_VERSION"),
    None => concat!(env!("CARGO_PKG_VERSION"), "-dev"),
};
