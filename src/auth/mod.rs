//! Who is calling.

mod denied;
mod exposure;
mod token;

pub(crate) use denied::Denied;
pub(crate) use exposure::{Acknowledged, Credential, Exposure};
pub(crate) use token::carries_credential_header;

use std::fmt;

use crate::http::Request;
use token::Tokens;

/// A caller whose credential was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Principal {
    name: &'static str,
    mark: u64,
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Proof that `T` came from a caller whose credential was checked. Only [`Gate::admit`] makes one.
#[must_use]
pub(crate) struct Authenticated<T> {
    inner: T,
    principal: Principal,
}

impl<T> Authenticated<T> {
    /// What tells this credential from others; never 0.
    pub(crate) fn mark(&self) -> u64 {
        self.principal.mark
    }

    pub(crate) fn into_parts(self) -> (T, Principal) {
        (self.inner, self.principal)
    }
}

/// Checks credentials.
pub(crate) enum Gate {
    Guarded(Tokens),
    Open(Acknowledged),
}

impl Gate {
    /// Keeps digests of the secrets; the secrets themselves are wiped.
    pub(crate) fn new(exposure: Exposure) -> Self {
        match exposure {
            Exposure::Guarded(credentials) => Self::Guarded(Tokens::new(credentials)),
            Exposure::Open(acknowledged) => Self::Open(acknowledged),
        }
    }

    pub(crate) fn admit<'c>(&self, request: Request<'c>) -> Result<Authenticated<Request<'c>>, Denied> {
        let principal = match self {
            Self::Guarded(tokens) => tokens.check(&request.head)?,
            Self::Open(_) => Principal { name: "anyone", mark: 1 },
        };
        Ok(Authenticated { inner: request, principal })
    }
}

/// A query that carries a credential: it would stand in every log between the caller and us.
pub(crate) fn is_in_query(request: &Request<'_>) -> bool {
    request
        .head
        .target
        .query_names()
        .any(|name| ["token", "access_token"].iter().any(|credential| name.eq_ignore_ascii_case(credential)))
}
