//! Paths of our own that do not exist, or not with that method. Only known callers are told.

use super::failure::Failure;
use super::route::{Access, Desk, Outcome, Route};
use crate::http::{Method, Request};
use crate::policy::{Class, Permitted};

/// Prefixes under which nothing ever goes to the Engine.
pub(super) const PREFIXES: &[&str] = &["/_lookout/", "/api/lookout/"];

pub(super) const NO_SUCH_ROUTE: Route = Route {
    method: Method::Get,
    path: "/_lookout/*",
    label: "no_such_route",
    about: "404.",
    access: Access::Guarded(Class::All, no_such_route),
    adapter: None,
};

pub(super) const WRONG_METHOD: Route = Route {
    method: Method::Get,
    path: "/*",
    label: "wrong_method",
    about: "405, with the methods the path knows.",
    access: Access::Guarded(Class::All, wrong_method),
    adapter: None,
};

/// Whoever is known is told what there is not, whatever it was granted.
pub(super) fn is_one(route: &Route) -> bool {
    [&NO_SUCH_ROUTE, &WRONG_METHOD].iter().any(|reserved| reserved.label == route.label)
}

fn no_such_route(_: &mut Desk<'_>, _: Permitted<Request<'_>>) -> Outcome {
    Err(Failure::NoSuchRoute)
}

fn wrong_method(_: &mut Desk<'_>, ask: Permitted<Request<'_>>) -> Outcome {
    let (request, _) = ask.into_parts();
    Err(Failure::WrongMethod { allow: super::allow(request.head.target.path()) })
}
