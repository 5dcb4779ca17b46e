//! Whose word is taken for the controller being the controller.

use std::path::Path;

use crate::config::environment::Environment;
use crate::config::findings::{Findings, Problem};
use crate::config::listener::path;
use crate::config::parse::switch;
use crate::config::place::Dangerous;
use crate::config::variables::{CA_CERT, TLS_SKIP_VERIFY};
use crate::edge::Url;
use crate::net::tls::Connector;

pub(super) enum Trust<'e> {
    /// Nothing is encrypted, and so nobody shows a certificate.
    Plain,
    /// Whoever the system trusts.
    System,
    /// Whoever an authority in this file signed for, and nobody else.
    Authority(&'e Path),
    /// Whoever answers.
    Anyone,
}

/// An address with a problem of its own is taken for one with TLS, so that more is told at once.
pub(super) fn read<'e>(
    environment: &'e Environment,
    url: Option<&Url>,
    findings: &mut Findings,
) -> Option<Trust<'e>> {
    let authority = findings.take(path(environment, &CA_CERT));
    let skips = findings.take(switch(environment, &TLS_SKIP_VERIFY));
    let (authority, skips) = (authority?, skips?);
    if url.is_some_and(|url| !url.is_tls()) {
        for variable in [&CA_CERT, &TLS_SKIP_VERIFY] {
            if environment.is_set(variable) {
                findings.no_effect(variable, "the controller is called without TLS");
            }
        }
        return Some(Trust::Plain);
    }
    match (authority, skips) {
        (None, false) => Some(Trust::System),
        (Some(file), false) => Some(Trust::Authority(file)),
        (None, true) => {
            findings.warn(
                "config.controller_unchecked",
                &[&TLS_SKIP_VERIFY],
                "the controller's certificate is not checked: whoever is on the path can be the controller",
                "name who signed it in CA_CERT, and unset TLS_SKIP_VERIFY",
            );
            Some(Trust::Anyone)
        }
        (Some(_), true) => {
            let what = "one says who must have signed the certificate, the other that it does not matter";
            findings.refuse(&[&CA_CERT, &TLS_SKIP_VERIFY], what, "unset TLS_SKIP_VERIFY");
            None
        }
    }
}

impl Trust<'_> {
    pub(super) fn dangerous(&self) -> Option<Dangerous> {
        match self {
            Self::Anyone => Some(Dangerous {
                variable: &TLS_SKIP_VERIFY,
                what: TLS_SKIP_VERIFY.name.to_owned(),
                instead: "name who signed the certificate in CA_CERT and unset it",
            }),
            Self::Plain | Self::System | Self::Authority(_) => None,
        }
    }

    pub(super) fn connector(&self, findings: &mut Findings) -> Option<Connector> {
        let connector = match self {
            // Without TLS nothing is asked of it.
            Self::Plain | Self::Anyone => Connector::unverified(),
            Self::System => Connector::controller(None),
            Self::Authority(file) => Connector::controller(Some(file)),
        };
        findings.take(connector.map_err(|bad| {
            let remedy = "name a PEM file with who signed the controller's certificate";
            Problem::new(&[&CA_CERT], bad.to_string(), remedy)
        }))
    }
}
