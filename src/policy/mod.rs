//! What a caller may do.

pub(crate) mod answer;
pub(crate) mod decide;
pub(crate) mod engine;
pub(crate) mod execs;
mod guard;
pub(crate) mod json;
mod query;
mod redact;
mod refused;
pub(crate) mod row;
pub(crate) mod scope;
pub(crate) mod sieve;
pub(crate) mod words;

pub(crate) use crate::auth::Class;
pub(crate) use guard::Things;
pub(crate) use refused::{Kind, Refused, Stop};

use crate::auth::{Authenticated, Mode, Principal};
use crate::http::Request;
use decide::{Asked, Order, decide};

/// Proof that an authenticated caller may do what it asks. Only [`permit`] and [`permit_engine`]
/// make one.
#[must_use]
pub(crate) struct Permitted<T> {
    inner: T,
    principal: Principal,
}

impl<T> Permitted<T> {
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    pub(crate) fn into_parts(self) -> (T, Principal) {
        (self.inner, self.principal)
    }
}

/// Why somebody may not do what it asks.
#[derive(Debug)]
pub(crate) struct Denial {
    pub(crate) by: Principal,
    pub(crate) why: Refused,
}

/// Told of what would be refused, were the caller not only watched.
pub(crate) type OnWatched<'w> = &'w dyn Fn(&Principal, &Refused);

/// Whether a caller may use a route of ours.
pub(crate) fn permit<T>(
    ask: Authenticated<T>,
    class: Class,
    on_watched: OnWatched<'_>,
) -> Result<Permitted<T>, Denial> {
    let (inner, principal) = ask.into_parts();
    let grant = principal.grant();
    if !grant.has(class) {
        let why = Refused::Class(class);
        match grant.mode {
            Mode::Enforce => return Err(Denial { by: principal, why }),
            Mode::Audit => on_watched(&principal, &why),
        }
    }
    Ok(Permitted { inner, principal })
}

/// What may go to the Engine.
pub(crate) enum Ruling {
    /// The request as it stands.
    Free,
    /// What is ordered, and nothing else.
    Bound(Order),
    /// The request as it stands; what would be refused of the order is only told.
    Watched(Order),
}

/// Whether a caller may ask this of the Engine.
pub(crate) fn permit_engine<'c>(
    ask: Authenticated<Request<'c>>,
    on_watched: OnWatched<'_>,
) -> Result<(Permitted<Request<'c>>, Ruling), Denial> {
    let (inner, principal) = ask.into_parts();
    let grant = principal.grant();
    let ruling = if grant.is_everything() {
        Ruling::Free
    } else {
        match (decide(grant, &Asked::of(&inner.head)), grant.mode) {
            (Ok(order), Mode::Enforce) => Ruling::Bound(order),
            (Ok(order), Mode::Audit) => Ruling::Watched(order),
            (Err(why), Mode::Enforce) => return Err(Denial { by: principal, why }),
            (Err(why), Mode::Audit) => {
                on_watched(&principal, &why);
                Ruling::Free
            }
        }
    };
    Ok((Permitted { inner, principal }, ruling))
}
