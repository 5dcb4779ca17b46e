//! The one decision: what a caller asks for, held against what it was granted. Pure; what must be
//! looked up is left to `settle`.

use super::engine;
use super::guard::{self, Guard, Things};
use super::query::{Merge, Query, escape, filters, is_true};
use super::refused::{Kind, Refused, Stop};
use super::row::{Reach, Row, Takes};
use crate::auth::{Class, Grant};
use crate::http::pattern::captures;
use crate::http::{Framing, Method, RequestHead};
use crate::limits::{IDENTIFIER_BYTES_MAX, REFERENCE_BYTES_MAX};

/// What is asked of the Engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'r> {
    pub(crate) method: Method,
    /// Decoded, perhaps with a version before it.
    pub(crate) path: &'r str,
    /// As it came.
    pub(crate) query: &'r str,
    pub(crate) is_upgrade: bool,
    pub(crate) content_type: Option<&'r [u8]>,
    pub(crate) framing: Framing,
}

impl<'r> Asked<'r> {
    pub(crate) fn of(head: &'r RequestHead<'_>) -> Self {
        Self {
            method: head.method,
            path: head.target.path(),
            query: head.target.query().unwrap_or(""),
            is_upgrade: head.upgrade.is_some(),
            content_type: head.values("content-type").next(),
            framing: head.framing,
        }
    }
}

/// A request that may be made: its route, and everything of it that goes on.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) row: &'static Row,
    version: Option<u8>,
    /// What the places of the route's pattern stand for.
    names: Vec<String>,
    query: Query,
}

/// Whether a caller with limits may ask for this. Its objects and its body are still to be judged.
pub(crate) fn decide(grant: &Grant, asked: &Asked<'_>) -> Result<Order, Refused> {
    let (version, path) = engine::split_version(asked.path);
    let Some(row) = engine::find(asked.method, path) else {
        return Err(if grant.has(Class::All) { Refused::Reach } else { Refused::Class(Class::All) });
    };
    if row.reach != Reach::Anyone && !grant.has(row.class) {
        return Err(Refused::Class(row.class));
    }
    let version = match version {
        Some(version) => Some(minor(version).ok_or_else(|| Refused::Version(version.to_owned()))?),
        None => None,
    };
    if asked.is_upgrade && !row.switches {
        return Err(Refused::Upgrade);
    }
    check_reach(grant, row)?;
    check_body(grant, row, asked)?;
    let names: Vec<_> = captures(row.pattern, path).into_iter().map(str::to_owned).collect();
    for name in &names {
        let is_name = if row.pattern.contains("{*}") { is_reference(name) } else { is_identifier(name) };
        if !is_name {
            return Err(Refused::Name(name.clone()));
        }
    }
    let mut query = Query::parse(asked.query, row.query)?;
    check_query(grant, row, &mut query)?;
    Ok(Order { row, version, names, query })
}

/// A label reaches only what can carry it, and images only by their names.
fn check_reach(grant: &Grant, row: &Row) -> Result<(), Refused> {
    let is_about_images =
        matches!(row.reach, Reach::One(Kind::Image) | Reach::Prune(Kind::Image) | Reach::Tag | Reach::Save);
    let is_limited = grant.label.is_some() || !grant.images.is_empty();
    let is_reached = match row.reach {
        // Which images are unused does not depend on whose they are.
        Reach::Prune(Kind::Image) => !is_limited,
        Reach::Beyond => grant.label.is_none(),
        // Images carry no scope: without a list of its own, a key in a scope only reads and pulls.
        reach if is_about_images && grant.label.is_some() && grant.images.is_empty() => {
            row.class == Class::View || matches!((row.class, reach), (Class::Pull, Reach::One(_)))
        }
        Reach::Anyone
        | Reach::Common
        | Reach::One(_)
        | Reach::Every(_)
        | Reach::Prune(_)
        | Reach::Make(_)
        | Reach::Rename
        | Reach::Pull
        | Reach::Tag
        | Reach::Save => true,
    };
    if is_reached { Ok(()) } else { Err(Refused::Reach) }
}

fn check_body(grant: &Grant, row: &Row, asked: &Asked<'_>) -> Result<(), Refused> {
    let has_body = !matches!(asked.framing, Framing::None | Framing::Length(0));
    match row.body {
        // One of unknown length is looked at when it comes.
        Takes::Nothing if has_body && asked.framing != Framing::Chunked => Err(Refused::Body),
        Takes::Judged(_) | Takes::Json if has_body && !asked.content_type.is_none_or(is_json) => {
            Err(Refused::MediaType)
        }
        Takes::Archive if row.reach == Reach::Pull && has_body && !grant.has(Class::Build) => {
            Err(Refused::Body)
        }
        Takes::Nothing | Takes::Judged(_) | Takes::Json | Takes::Archive | Takes::Files => Ok(()),
    }
}

/// `application/json`, whatever its parameters.
fn is_json(content_type: &[u8]) -> bool {
    let kind = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

/// What parameters ask for beyond their route, and the label where lists are filtered by it.
fn check_query(grant: &Grant, row: &Row, query: &mut Query) -> Result<(), Refused> {
    let beyond = |what: &str, class| match grant.has(class) {
        true => Ok(()),
        false => Err(Refused::Beyond { what: what.to_owned(), class }),
    };
    if query.get("ps_args").is_some() {
        beyond("ps_args", Class::Dump)?;
    }
    if query.get("statement").is_some_and(is_true) {
        beyond("statement", Class::Dump)?;
    }
    // What was printed before is attached to as well.
    if row.pattern.contains("/attach") && query.get("logs").is_some_and(is_true) {
        beyond("logs", Class::Logs)?;
    }
    let source = query.get("fromSrc").filter(|source| !source.is_empty());
    if source.is_some() {
        beyond("fromSrc", Class::Build)?;
        if grant.label.is_some() {
            return Err(Refused::Reach);
        }
        takes_image(grant, query.get("repo"), query.get("tag"))?;
    }
    // Where both are named, the Engine pulls.
    if row.reach == Reach::Pull && (source.is_none() || query.get("fromImage").is_some()) {
        takes_image(grant, query.get("fromImage"), query.get("tag"))?;
    }
    if row.reach == Reach::Tag {
        takes_image(grant, query.get("repo"), query.get("tag"))?;
    }
    if let (Some(_), Some(name)) = (&grant.label, query.get("name")) {
        // Docker looks for a name first: it would answer for the id it begins.
        if is_like_an_id(name) {
            return Err(Refused::Shadow(name.to_owned()));
        }
    }
    let label = grant.label.as_ref();
    let merged = match row.reach {
        Reach::Every(Kind::Image) => Some((None, Merge::With)),
        Reach::Every(_) => Some((label, Merge::With)),
        Reach::Prune(_) => Some((label, Merge::InsteadOf)),
        Reach::Anyone
        | Reach::Common
        | Reach::One(_)
        | Reach::Make(_)
        | Reach::Rename
        | Reach::Pull
        | Reach::Tag
        | Reach::Save
        | Reach::Beyond => None,
    };
    let given = query.get("filters");
    let is_limited = grant.label.is_some() || !grant.images.is_empty();
    if let Some((label, merge)) = merged.filter(|(label, _)| label.is_some() || given.is_some()) {
        let filters = filters(given.unwrap_or(""), label, merge, is_limited)?;
        query.set("filters", filters);
    }
    Ok(())
}

/// An image by the parameters that name it.
fn takes_image(grant: &Grant, name: Option<&str>, tag: Option<&str>) -> Result<(), Refused> {
    if grant.images.is_empty() {
        return Ok(());
    }
    let name = name.unwrap_or("");
    let has_tag = name.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
    if has_tag && tag.is_some_and(|tag| !tag.is_empty()) {
        let why = "the name has one already, and the Engine takes this one";
        return Err(Refused::QueryValue { name: "tag".to_owned(), why });
    }
    let reference = match tag.filter(|tag| !tag.is_empty()) {
        None => name.to_owned(),
        Some(digest) if digest.contains(':') => format!("{name}@{digest}"),
        Some(tag) => format!("{name}:{tag}"),
    };
    // An id, which a name may be taken for, says nothing of whose image it is.
    let is_plain = is_reference(&reference) && !may_be_id(name);
    if is_plain && grant.takes_image(&reference) { Ok(()) } else { Err(Refused::Image(reference)) }
}

/// `1.24` to `1.99`: before that, starting a container could give it anything.
fn minor(version: &str) -> Option<u8> {
    let minor = version.strip_prefix("1.").filter(|minor| minor.len() == 2)?;
    // `+9` parses too, and is too old.
    minor.parse().ok().filter(|&minor| minor >= OLDEST_MINOR)
}

/// The minor version of the oldest API that is judged.
const OLDEST_MINOR: u8 = 24;

/// `[A-Za-z0-9][A-Za-z0-9_.-]*`
pub(crate) fn is_identifier(name: &str) -> bool {
    name.len() <= IDENTIFIER_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn is_reference(name: &str) -> bool {
    name.len() <= REFERENCE_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte))
}

/// The Engine could take it for an id, or the beginning of one.
pub(super) fn may_be_id(name: &str) -> bool {
    let bare = name.strip_prefix("sha256:").unwrap_or(name);
    bare.len() <= 64 && bare.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A name that short ids look like.
pub(super) fn is_like_an_id(name: &str) -> bool {
    let name = name.trim_start_matches('/');
    (12..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

impl Order {
    /// Looks up what must be in the caller's reach, and judges the body. Gives the body to send.
    pub(crate) fn settle(
        &mut self,
        grant: &Grant,
        body: Option<&[u8]>,
        things: &mut dyn Things,
    ) -> Result<Option<Vec<u8>>, Stop> {
        let object = match self.row.reach {
            Reach::One(Kind::Exec) => Some(Kind::Exec),
            Reach::One(Kind::Image) | Reach::Tag => (!grant.images.is_empty()).then_some(Kind::Image),
            Reach::One(kind) => grant.label.is_some().then_some(kind),
            Reach::Rename => grant.label.is_some().then_some(Kind::Container),
            Reach::Anyone
            | Reach::Common
            | Reach::Every(_)
            | Reach::Prune(_)
            | Reach::Make(_)
            | Reach::Pull
            | Reach::Save
            | Reach::Beyond => None,
        };
        if let (Some(kind), Some(name)) = (object, self.names.first_mut()) {
            *name = things.find(kind, name)?;
        }
        if self.row.reach == Reach::Save && !grant.images.is_empty() {
            for name in self.query.all("names") {
                things.find(Kind::Image, name)?;
            }
        }
        match (self.row.body, body) {
            (Takes::Judged(guard), body) => guard::judge(guard, body.unwrap_or_default(), grant, things)
                .map(Some)
                .map_err(|stop| match (stop, guard) {
                    (Stop::Refused(Refused::Absent { kind, name }), Guard::ContainerCreate) => {
                        Refused::AbsentPart { kind, name }.into()
                    }
                    (stop, _) => stop,
                }),
            (Takes::Nothing | Takes::Json | Takes::Archive | Takes::Files, _) => Ok(None),
        }
    }

    /// The target to send, every byte of it ours.
    pub(crate) fn target(&self) -> String {
        let mut target = String::new();
        if let Some(minor) = self.version {
            target.push_str("/v1.");
            target.push_str(&minor.to_string());
        }
        let mut names = self.names.iter();
        for (at, segment) in self.row.pattern.split('/').enumerate() {
            if at > 0 {
                target.push('/');
            }
            match segment {
                "{}" | "{*}" => escape(names.next().map_or("", String::as_str), "/:@", &mut target),
                plain => target.push_str(plain),
            }
        }
        self.query.write(&mut target);
        target
    }

    /// The minor version of the API that is asked for.
    pub(crate) fn version(&self) -> Option<u8> {
        self.version
    }
}

#[cfg(test)]
mod tests;
