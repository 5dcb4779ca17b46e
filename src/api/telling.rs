//! What was refused or went wrong, for the operator's log and figures.

use std::net::IpAddr;

use super::enroll;
use super::failure::Failure;
use super::route::Route;
use crate::auth::{Class, NotEnrolled, Principal};
use crate::compose::Unready;
use crate::docker;
use crate::http::{Method, Status};
use crate::log::{self, number, text};
use crate::metrics::{Registry, THROTTLED};
use crate::policy::Refused;

pub(super) fn tell_permitted(by: &Principal, class: Class) {
    log::debug("request.permitted", &[("by", text(by)), ("class", text(&class))]);
}

/// What was refused to whom, or would have been.
pub(super) fn tell_refused(event: &'static str, by: &Principal, why: &Refused, peer: IpAddr) {
    let (reason, class) = (why.reason(), why.class());
    let class = class.map_or("", Class::name);
    let fields = [
        ("peer", text(&peer)),
        ("by", text(by)),
        ("reason", text(&reason)),
        ("class", text(&class)),
        ("why", text(why)),
    ];
    log::warn(event, &fields);
}

/// Credentials that were not accepted, by the reason that their callers were told.
pub(super) fn count(failure: &Failure, metrics: &Registry) {
    if let Failure::Denied(why) = failure {
        metrics.denied(why.reason());
    } else if matches!(failure, Failure::Forged) {
        metrics.denied("invalid-signature");
    } else if matches!(failure, Failure::NotEnrolled(NotEnrolled::Throttled(_))) {
        metrics.denied(THROTTLED);
    } else if matches!(failure, Failure::NotEnrolled(_)) && failure.status() == Status::UNAUTHORIZED {
        metrics.denied("bad_token");
    }
}

/// What went wrong, for the operator. Never a query, never a header.
pub(super) fn tell(failure: &Failure, route: &Route, method: Method, from: IpAddr) {
    let (peer, route, method) = (text(&from), text(&route.label), text(&method));
    match failure {
        Failure::Denied(why) => {
            log::warn("auth.denied", &[("peer", peer), ("route", route), ("reason", text(&why.reason()))]);
        }
        Failure::Engine(docker::Error::ClientLeft) => {
            log::debug("request.abandoned", &[("peer", peer), ("method", method)]);
        }
        Failure::Engine(error) => {
            log::warn("engine.failed", &[("peer", peer), ("method", method), ("error", text(error))]);
        }
        Failure::Forged => {
            let reason = "invalid-signature";
            log::warn("auth.denied", &[("peer", peer), ("route", route), ("reason", text(&reason))]);
        }
        Failure::NotEnrolled(why) => enroll::tell(why, from),
        Failure::NotPermitted(denial) => tell_refused("policy.denied", &denial.by, &denial.why, from),
        Failure::NoCompose(Unready::Failed(error)) => {
            log::error("compose.not_begun", &[("peer", peer), ("error", text(error))]);
        }
        Failure::NotTaped(why) => {
            log::error("recording.not_begun", &[("peer", peer), ("error", text(why))]);
        }
        Failure::Untellable(why) => {
            log::warn("engine.untellable", &[("peer", peer), ("method", method), ("error", text(why))]);
        }
        Failure::Malformed(_)
        | Failure::CredentialInQuery
        | Failure::ForeignOrigin
        | Failure::PlainHttp
        | Failure::NoSuchRoute
        | Failure::WrongMethod { .. }
        | Failure::MediaType
        | Failure::EngineSaid(..)
        | Failure::Unfit(_)
        | Failure::Untapeable(_)
        | Failure::NotReady
        | Failure::NotRecorded
        | Failure::TooManyFollowers
        | Failure::BadOrder(_)
        | Failure::NoCompose(_)
        | Failure::TooManyStatistics
        | Failure::TooManyUpgrades => {
            let status = number(failure.status().0);
            log::info("request.refused", &[("peer", peer), ("route", route), ("status", status)]);
        }
    }
}
