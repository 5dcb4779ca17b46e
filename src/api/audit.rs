//! The latest records of the audit trail, and its head.

use serde_json::value::RawValue;

use super::failure::Failure;
use super::route::{Access, Desk, Outcome, Reply, Response, Route};
use crate::auth::Class;
use crate::http::{Method, Request, Status};
use crate::policy::Permitted;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/_lookout/audit",
        label: "audit",
        about: "The latest records of the audit trail, newest first.",
        access: Access::Guarded(Class::Audit, latest),
        adapter: None,
    },
    Route {
        method: Method::Get,
        path: "/_lookout/audit/export",
        label: "audit_export",
        about: "Records behind a cursor, oldest first, one a line.",
        access: Access::Guarded(Class::Audit, export),
        adapter: None,
    },
];

/// The chain's last record.
#[derive(serde::Serialize)]
struct Head {
    sequence: u64,
    hash: String,
}

#[derive(serde::Serialize)]
struct Latest<'l> {
    records: Vec<&'l RawValue>,
    count: usize,
    generation: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<Head>,
}

fn latest(desk: &mut Desk<'_>, ask: Permitted<Request<'_>>) -> Outcome {
    let (request, _) = ask.into_parts();
    let query = request.head.target.query().unwrap_or("");
    // What makes no number asks for all of them.
    let limit = wanted(query, "limit").and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0);
    let trail = &desk.agent.trail;
    let records = trail.ring().newest(limit.unwrap_or(usize::MAX));
    // Our own lines are JSON.
    let records: Vec<&RawValue> = records.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let head = trail.head().map(|(sequence, hash)| Head { sequence, hash });
    let latest = Latest { count: records.len(), records, generation: trail.ring().generation(), head };
    let mut response = Response::json(Status::OK, &latest);
    response.fields.push("Cache-Control", b"no-store");
    Ok(response)
}

fn export(desk: &mut Desk<'_>, ask: Permitted<Request<'_>>) -> Outcome {
    let (request, _) = ask.into_parts();
    let query = request.head.target.query().unwrap_or("");
    let trail = &desk.agent.trail;
    let number = |name: &str| match wanted(query, name) {
        None => Ok(None),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse::<u64>().map(Some).map_err(|_| name.to_owned())
        }
        Some(_) => Err(name.to_owned()),
    };
    let asked = number("cursor").and_then(|cursor| Ok((cursor, number("limit")?)));
    let (cursor, limit) = asked.map_err(|name| {
        trail.export_was_invalid();
        Failure::Unfit(format!("invalid {name}"))
    })?;
    let most = limit.filter(|limit| *limit > 0).and_then(|limit| usize::try_from(limit).ok());
    let mut response = Response::text(Reply::Empty);
    let generation = wanted(query, "generation").filter(|generation| !generation.is_empty());
    match trail.export(cursor, most.unwrap_or(usize::MAX), generation) {
        Ok(export) => {
            response.fields = crate::http::Fields::default();
            response.fields.push("Content-Type", b"application/x-ndjson");
            let count = u64::try_from(export.records.len()).unwrap_or(u64::MAX);
            for (name, value) in [
                ("X-Lookout-Oldest-Cursor", export.oldest),
                ("X-Lookout-Latest-Cursor", export.latest),
                ("X-Lookout-Next-Cursor", export.next),
                ("X-Lookout-Record-Count", count),
            ] {
                response.fields.push(name, value.to_string().as_bytes());
            }
            let mut lines = export.records.join("\n");
            if !lines.is_empty() {
                lines.push('\n');
            }
            response.reply = Reply::Bytes(lines.into_bytes());
        }
        Err(stale) => {
            response.status = Status::CONFLICT;
            response.reason = Status::CONFLICT.reason().into();
            response.fields.push("X-Lookout-Next-Cursor", stale.next().to_string().as_bytes());
            response.reply = Reply::Bytes(format!("{stale}\n").into_bytes());
        }
    }
    response.fields.push("X-Lookout-Audit-Generation", trail.ring().generation().as_bytes());
    response.fields.push("Cache-Control", b"no-store");
    Ok(response)
}

/// The first value of that name.
fn wanted<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(known, _)| *known == name).map(|(_, value)| value)
}
