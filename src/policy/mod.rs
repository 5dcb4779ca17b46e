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
pub(crate) use decide::is_identifier;
pub(crate) use guard::Things;
pub(crate) use query::is_true;
pub(crate) use refused::{Kind, Refused, Stop};

use crate::auth::{Authenticated, Mode, Principal};
use crate::http::Request;
use decide::{Asked, Order, decide};

/// Proof that an authenticated caller may do what it asks. Only this room makes one.
#[must_use]
pub(crate) struct Permitted<T> {
    inner: T,
    principal: Principal,
}

impl<T> Permitted<T> {
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    pub(crate) fn inner(&self) -> &T {
        &self.inner
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

/// For what is nobody's to be refused: whoever is known may ask.
pub(crate) fn permit_known<T>(ask: Authenticated<T>) -> Permitted<T> {
    let (inner, principal) = ask.into_parts();
    Permitted { inner, principal }
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
    let ruling = rule(&principal, &Asked::of(&inner.head), on_watched)?;
    Ok((Permitted { inner, principal }, ruling))
}

/// What a caller may ask of the Engine, whoever asks it for the caller.
pub(crate) fn rule(by: &Principal, asked: &Asked<'_>, on_watched: OnWatched<'_>) -> Result<Ruling, Denial> {
    let grant = by.grant();
    if grant.is_everything() {
        return Ok(Ruling::Free);
    }
    match (decide(grant, asked), grant.mode) {
        (Ok(order), Mode::Enforce) => Ok(Ruling::Bound(order)),
        (Ok(order), Mode::Audit) => Ok(Ruling::Watched(order)),
        (Err(why), Mode::Enforce) => Err(Denial { by: by.clone(), why }),
        (Err(why), Mode::Audit) => {
            on_watched(by, &why);
            Ok(Ruling::Free)
        }
    }
}
