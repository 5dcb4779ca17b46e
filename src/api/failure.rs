//! Every room's error as a status and a sentence that is safe to tell.

use crate::audit::NotBegun;
use crate::auth::{Denied, NotEnrolled};
use crate::compose::Unready;
use crate::docker;
use crate::http::{BodyError, Malformed, Status};
use crate::limits::{COMPOSE_RETRY_SECS, FEEDS_MAX, STATISTICS_STREAMS_MAX, UPGRADES_MAX};
use crate::policy::sieve::BadAnswer;
use crate::policy::{Denial, Refused};

use super::route::{Reply, Response};

/// Why a request was not served.
#[derive(Debug)]
pub(crate) enum Failure {
    Malformed(Malformed),
    Denied(Denied),
    /// A body that was passed on is not what its signature announced.
    Forged,
    CredentialInQuery,
    ForeignOrigin,
    /// What must not be read along would come over plain HTTP from beyond loopback.
    PlainHttp,
    NotEnrolled(NotEnrolled),
    /// A path of ours that does not exist.
    NoSuchRoute,
    /// A path of ours that knows other methods.
    WrongMethod {
        allow: String,
    },
    /// A body the Engine could read differently than we do.
    MediaType,
    TooManyUpgrades,
    TooManyStatistics,
    /// The caller was not granted that.
    NotPermitted(Box<Denial>),
    /// A limited caller asked, and the Engine's answer cannot be told without its secrets.
    Untellable(BadAnswer),
    Engine(docker::Error),
    /// The Engine refused what was asked of it on the way, and said why.
    EngineSaid(Status, String),
    /// What was asked for is not as it should be: the culprit and the remedy.
    Unfit(String),
    /// The containers were not looked at yet.
    NotReady,
    /// What is done must be recorded, and cannot be.
    NotRecorded,
    /// A command is to be recorded, and no recording can be begun.
    NotTaped(NotBegun),
    /// What is asked for cannot be recorded, and is to be.
    Untapeable(&'static str),
    TooManyFollowers,
    /// A request to compose that cannot be read.
    BadOrder(String),
    /// Compose can do nothing for anybody, or not for this caller.
    NoCompose(Unready),
}

#[derive(serde::Serialize)]
struct Told<'t> {
    message: &'t str,
}

impl Failure {
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Malformed(why) => why.status(),
            Self::Denied(why) => denied_status(why),
            Self::Forged => Status::UNAUTHORIZED,
            Self::CredentialInQuery => Status::BAD_REQUEST,
            Self::ForeignOrigin | Self::PlainHttp => Status::FORBIDDEN,
            Self::NotEnrolled(why) => enrollment_status(why),
            Self::NoSuchRoute => Status::NOT_FOUND,
            Self::WrongMethod { .. } => Status::METHOD_NOT_ALLOWED,
            Self::MediaType => Status::UNSUPPORTED_MEDIA_TYPE,
            Self::TooManyUpgrades | Self::TooManyStatistics => Status::TOO_MANY_REQUESTS,
            Self::NotPermitted(denial) => refused_status(&denial.why),
            Self::Untellable(_) => Status::BAD_GATEWAY,
            Self::Engine(error) => engine_status(error),
            Self::EngineSaid(status, _) => *status,
            Self::Unfit(_) => Status::BAD_REQUEST,
            Self::NotReady | Self::NotRecorded | Self::NotTaped(_) => Status::UNAVAILABLE,
            Self::Untapeable(_) => Status::FORBIDDEN,
            Self::TooManyFollowers => Status::TOO_MANY_REQUESTS,
            Self::BadOrder(_) => Status::BAD_REQUEST,
            Self::NoCompose(_) => Status::UNAVAILABLE,
        }
    }

    /// The sentence for the caller. Places and causes are for the log.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Malformed(why) => format!("lookout: {why}"),
            Self::Denied(why) => format!("lookout: {why}"),
            Self::Forged => format!("lookout: {}", BodyError::Forged),
            Self::CredentialInQuery => {
                "lookout: a credential in the query: send it as Authorization: Bearer".to_owned()
            }
            Self::ForeignOrigin => "lookout: this origin is not listed in ALLOWED_ORIGINS".to_owned(),
            Self::PlainHttp => {
                "lookout: this is refused over plain HTTP, where others read the token along: use TLS"
                    .to_owned()
            }
            Self::NotEnrolled(why) => format!("lookout: {why}"),
            Self::NoSuchRoute => "lookout: no such route".to_owned(),
            Self::WrongMethod { allow } => format!("lookout: this route knows {allow}"),
            Self::MediaType => {
                "lookout: form and gRPC bodies are not passed on: send JSON or a tar archive".to_owned()
            }
            Self::TooManyUpgrades => format!(
                "lookout: {UPGRADES_MAX} attach and exec streams are open, which is the limit: close one and try again"
            ),
            Self::TooManyStatistics => format!(
                "lookout: {STATISTICS_STREAMS_MAX} streams of statistics are open, which is the limit: close one and try again"
            ),
            // As the Engine itself says it: there is nothing to learn from who says it.
            Self::NotPermitted(denial)
                if matches!(denial.why, Refused::Absent { .. } | Refused::AbsentPart { .. }) =>
            {
                denial.why.to_string()
            }
            Self::NotPermitted(denial) => format!("lookout: {} {}", denial.by.title(), denial.why),
            Self::Untellable(why) => format!("lookout: the Docker Engine's answer cannot be told: {why}"),
            Self::Engine(error) => engine_sentence(error),
            Self::EngineSaid(_, message) => message.clone(),
            Self::Unfit(what) => format!("lookout: {what}"),
            Self::NotRecorded => {
                "lookout: the audit trail cannot be written, and nothing is done that is not in it".to_owned()
            }
            Self::NotTaped(why) => format!("lookout: this key's commands are recorded, and {why}"),
            Self::Untapeable(what) => format!("lookout: this key's commands are recorded, and {what}"),
            Self::NotReady => "lookout: the containers were not looked at yet: try again".to_owned(),
            Self::TooManyFollowers => {
                format!(
                    "lookout: {FEEDS_MAX} clients follow events, which is the limit: close one and try again"
                )
            }
            Self::BadOrder(why) => why.clone(),
            Self::NoCompose(why) => format!("lookout: {why}"),
        }
    }

    pub(crate) fn response(self) -> Response {
        if matches!(self, Self::Engine(docker::Error::ClientLeft)) {
            let mut response = Response::json(self.status(), &());
            response.reply = Reply::Nobody;
            return response;
        }
        let mut response = Response::json(self.status(), &Told { message: &self.sentence() });
        response.fields.push("X-Content-Type-Options", b"nosniff");
        match self {
            Self::Denied(why) => {
                if response.status == Status::UNAUTHORIZED {
                    response.fields.push("WWW-Authenticate", b"Bearer");
                    response.fields.push("X-Lookout-Reason", why.reason().as_bytes());
                }
                retry_after(&mut response, why.retry_after());
            }
            Self::NotEnrolled(why) => {
                if response.status == Status::UNAUTHORIZED {
                    response.fields.push("WWW-Authenticate", b"Bearer");
                    response.fields.push("X-Lookout-Reason", b"bad_token");
                }
                retry_after(&mut response, why.retry_after());
            }
            Self::Forged => {
                response.fields.push("WWW-Authenticate", b"Bearer");
                response.fields.push("X-Lookout-Reason", b"invalid-signature");
            }
            Self::WrongMethod { allow } => response.fields.push("Allow", allow.as_bytes()),
            Self::NoCompose(Unready::Busy) => retry_after(&mut response, Some(COMPOSE_RETRY_SECS)),
            Self::Malformed(_)
            | Self::CredentialInQuery
            | Self::ForeignOrigin
            | Self::PlainHttp
            | Self::NoSuchRoute
            | Self::MediaType
            | Self::TooManyUpgrades
            | Self::TooManyStatistics
            | Self::NotPermitted(_)
            | Self::Untellable(_)
            | Self::Engine(_)
            | Self::EngineSaid(..)
            | Self::Unfit(_)
            | Self::NotReady
            | Self::NotRecorded
            | Self::NotTaped(_)
            | Self::Untapeable(_)
            | Self::TooManyFollowers
            | Self::BadOrder(_)
            | Self::NoCompose(_) => {}
        }
        response
    }
}

fn engine_status(error: &docker::Error) -> Status {
    match error {
        docker::Error::Unreachable { .. }
        | docker::Error::Denied { .. }
        | docker::Error::Closed(_)
        | docker::Error::Malformed(_)
        | docker::Error::Refused(_)
        | docker::Error::Switched
        | docker::Error::TooLong
        | docker::Error::Unreadable => Status::BAD_GATEWAY,
        docker::Error::Late => Status::GATEWAY_TIMEOUT,
        docker::Error::Body(why) => body_status(why),
        docker::Error::ClientLeft => Status::BAD_REQUEST,
    }
}

fn refused_status(why: &Refused) -> Status {
    match why {
        Refused::Absent { .. } => Status::NOT_FOUND,
        Refused::TooLarge => Status::PAYLOAD_TOO_LARGE,
        Refused::MediaType => Status::UNSUPPORTED_MEDIA_TYPE,
        Refused::Json(_)
        | Refused::Name(_)
        | Refused::Version(_)
        | Refused::AbsentPart { .. }
        | Refused::QueryValue { .. } => Status::BAD_REQUEST,
        Refused::Class(_)
        | Refused::Beyond { .. }
        | Refused::Query(_)
        | Refused::Upgrade
        | Refused::Body
        | Refused::Compressed
        | Refused::Member { .. }
        | Refused::Image(_)
        | Refused::Reach
        | Refused::Shadow(_) => Status::FORBIDDEN,
    }
}

fn denied_status(why: &Denied) -> Status {
    match why {
        Denied::NoCredentials
        | Denied::NotSigned
        | Denied::BadToken
        | Denied::Signature(_)
        | Denied::Certificate(_)
        | Denied::Ended => Status::UNAUTHORIZED,
        Denied::Throttled(_) | Denied::Busy => Status::TOO_MANY_REQUESTS,
        Denied::Body(why) => body_status(why),
    }
}

fn enrollment_status(why: &NotEnrolled) -> Status {
    match why {
        NotEnrolled::Throttled(_) | NotEnrolled::Busy(_) => Status::TOO_MANY_REQUESTS,
        NotEnrolled::Body(why) => body_status(why),
        NotEnrolled::Json | NotEnrolled::Key(_) => Status::BAD_REQUEST,
        NotEnrolled::WrongToken | NotEnrolled::Spent(_) => Status::UNAUTHORIZED,
        NotEnrolled::Barred(..) => Status::FORBIDDEN,
        NotEnrolled::Failed(..) => Status::INTERNAL_ERROR,
    }
}

fn retry_after(response: &mut Response, secs: Option<u64>) {
    if let Some(secs) = secs {
        response.fields.push("Retry-After", secs.to_string().as_bytes());
    }
}

fn body_status(why: &BodyError) -> Status {
    match why {
        BodyError::Malformed(why) => why.status(),
        BodyError::TooLarge(_) => Status::PAYLOAD_TOO_LARGE,
        BodyError::NoPlace => Status::TOO_MANY_REQUESTS,
        BodyError::Forged => Status::UNAUTHORIZED,
        BodyError::Unwanted => Status::FORBIDDEN,
        BodyError::Cut | BodyError::Io(_) => Status::BAD_REQUEST,
    }
}

fn engine_sentence(error: &docker::Error) -> String {
    match error {
        docker::Error::Unreachable { .. } => {
            "lookout: the Docker Engine does not answer: is it running on the agent's host?".to_owned()
        }
        docker::Error::Denied { .. } => {
            "lookout: the agent may not open the Docker Engine's socket: its log says what to change"
                .to_owned()
        }
        docker::Error::Closed(_) => {
            "lookout: the Docker Engine closed the connection before it answered".to_owned()
        }
        docker::Error::Malformed(_)
        | docker::Error::Refused(_)
        | docker::Error::Switched
        | docker::Error::Unreadable => "lookout: the Docker Engine's answer cannot be understood".to_owned(),
        docker::Error::Late => "lookout: the Docker Engine did not answer in time".to_owned(),
        docker::Error::Body(
            why @ (BodyError::Malformed(_)
            | BodyError::TooLarge(_)
            | BodyError::NoPlace
            | BodyError::Forged
            | BodyError::Unwanted),
        ) => {
            format!("lookout: {why}")
        }
        docker::Error::Body(BodyError::Cut | BodyError::Io(_)) => {
            "lookout: the request's body did not come to its end".to_owned()
        }
        docker::Error::TooLong => "lookout: the Docker Engine's answer is too long to be held".to_owned(),
        docker::Error::ClientLeft => String::new(),
    }
}

impl From<Denied> for Failure {
    fn from(why: Denied) -> Self {
        Self::Denied(why)
    }
}

impl From<Denial> for Failure {
    fn from(denial: Denial) -> Self {
        Self::NotPermitted(Box::new(denial))
    }
}

impl From<Unready> for Failure {
    fn from(why: Unready) -> Self {
        Self::NoCompose(why)
    }
}

impl From<docker::Error> for Failure {
    fn from(error: docker::Error) -> Self {
        if matches!(error, docker::Error::Body(BodyError::Forged)) {
            // The caller is not who it seemed to be, which only the end of its body showed.
            return Self::Forged;
        }
        Self::Engine(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_stays_small_on_the_stack() {
        assert!(size_of::<Failure>() <= 48);
    }

    #[test]
    fn callers_are_not_told_where_the_engine_is() {
        let error = docker::Error::Unreachable {
            place: "/run/docker.sock".into(),
            cause: std::io::ErrorKind::NotFound.into(),
        };
        let failure = Failure::from(error);
        assert_eq!(failure.status(), Status::BAD_GATEWAY);
        assert!(!failure.sentence().contains("sock"));
    }
}
