//! The figures Lookout is to reach, nearly all as ratios, since absolute numbers belong to one machine.
use std::fmt;

use crate::peers::Kind;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// At least so many times the peer's figure.
    AtLeast(f64, Kind),
    /// At most so many times the peer's figure.
    AtMost(f64, Kind),
    /// At most so much, whatever the machine.
    Within(f64),
}

impl Target {
    pub(crate) fn relative_to(self) -> Option<Kind> {
        match self {
            Self::AtLeast(_, kind) | Self::AtMost(_, kind) => Some(kind),
            Self::Within(_) => None,
        }
    }

    pub(crate) fn met_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound, _) => value >= bound,
            Self::AtMost(bound, _) | Self::Within(bound) => value <= bound,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bound, kind) => write!(formatter, "≥ {bound} × {}", kind.name()),
            Self::AtMost(bound, kind) => write!(formatter, "≤ {bound} × {}", kind.name()),
            Self::Within(bound) => write!(formatter, "≤ {bound}"),
        }
    }
}

/// Measure, unit, target.
pub(crate) const TARGETS: &[(&str, &str, Target)] = &[
    ("small GET, 1 connection", "req/s", Target::AtLeast(1.0, Kind::Haproxy)),
    ("small GET, 8 connections", "req/s", Target::AtLeast(1.05, Kind::Haproxy)),
    ("small GET, 64 connections", "req/s", Target::AtLeast(1.0, Kind::Haproxy)),
    ("50 KB JSON, 8 connections", "req/s", Target::AtLeast(1.05, Kind::Haproxy)),
    ("50 KB JSON, 64 connections", "req/s", Target::AtLeast(1.0, Kind::Haproxy)),
    ("small GET, 8 connections", "p99 µs", Target::AtMost(1.0, Kind::Haproxy)),
    ("small GET, 8 connections", "CPU s / 10 000", Target::AtMost(0.95, Kind::Haproxy)),
    ("new connection per request", "conn/s", Target::AtLeast(0.9, Kind::Haproxy)),
    ("download, chunked", "MB/s", Target::AtLeast(0.95, Kind::Haproxy)),
    ("download, with length", "MB/s", Target::AtLeast(0.95, Kind::Haproxy)),
    ("upload, chunked", "MB/s", Target::AtLeast(1.6, Kind::Haproxy)),
    ("upload, with length", "MB/s", Target::AtLeast(1.6, Kind::Haproxy)),
    ("upgraded stream, 32-byte echo", "µs", Target::AtMost(3.5, Kind::Engine)),
    ("followed log, first line", "µs", Target::AtMost(3.5, Kind::Engine)),
    ("start to first healthy answer", "ms", Target::Within(4.0)),
    ("after the run", "RSS MiB", Target::Within(6.0)),
    ("idle", "RSS MiB", Target::Within(3.0)),
    ("idle", "PSS MiB", Target::Within(1.5)),
    ("idle kept-alive connection", "KiB", Target::Within(20.0)),
    ("followed log", "KiB", Target::Within(32.0)),
    ("binary", "MB", Target::Within(2.9)),
    ("TLS: small GET, 8 connections", "req/s", Target::AtLeast(1.0, Kind::Haproxy)),
    ("TLS: small GET, 8 connections", "CPU s / 10 000", Target::AtMost(1.0, Kind::Haproxy)),
    ("TLS: small GET, 64 connections", "req/s", Target::AtLeast(0.95, Kind::Haproxy)),
    ("TLS: 50 KB JSON, 8 connections", "req/s", Target::AtLeast(1.0, Kind::Haproxy)),
    ("TLS: handshake per request", "conn/s", Target::AtLeast(1.0, Kind::Haproxy)),
    ("TLS: download, chunked", "MB/s", Target::AtLeast(1.0, Kind::Haproxy)),
    ("TLS: upload, with length", "MB/s", Target::AtLeast(1.0, Kind::Haproxy)),
    ("TLS: idle kept-alive connection", "KiB", Target::Within(30.0)),
];

pub(crate) fn find(label: &str, unit: &str) -> Option<Target> {
    TARGETS.iter().find(|target| (target.0, target.1) == (label, unit)).map(|target| target.2)
}
