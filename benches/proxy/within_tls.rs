//! What is measured once more within TLS: of proxies only, since the Engine speaks none, each with the same certificate.
use crate::measures::{Measure, download, echo, idle_connections, list, new_connections, small, upload};
use crate::streams::Framing;

/// Before every name, so that nobody takes a figure for the other's.
pub(crate) const PREFIX: &str = "TLS: ";

/// Measured on peers that run all the time.
pub(crate) const RUNNING: &[Measure] = &[
    Measure { name: "TLS: small GET, 8 connections", run: |s, p, name, f| small(s, p, name, f, 8) },
    Measure { name: "TLS: small GET, 64 connections", run: |s, p, name, f| small(s, p, name, f, 64) },
    Measure { name: "TLS: 50 KB JSON, 8 connections", run: |s, p, name, f| list(s, p, name, f, 8) },
    Measure { name: "TLS: handshake per request", run: new_connections },
    Measure {
        name: "TLS: download, chunked",
        run: |s, p, name, f| download(s, p, name, f, Framing::Chunked),
    },
    Measure { name: "TLS: upload, with length", run: |s, p, name, f| upload(s, p, name, f, Framing::Length) },
    Measure { name: "TLS: upgraded stream, 32-byte echo", run: echo },
];

/// Measured on peers that are started anew for it.
pub(crate) const STARTED_ANEW: &[Measure] =
    &[Measure { name: "TLS: idle kept-alive connection", run: idle_connections }];
