//! What is compared: each credential, the agent that asks for it, and what its figures are held against.
use std::io;
use std::sync::Arc;

use rustls::ClientConfig;

use crate::agents::Asks;
use crate::material::Material;
use crate::rates::Requests;
use crate::requests::{self, TOKEN};
use crate::signer::{Signer, Version};

const PATH: &str = "/version";
/// The path as the prepared requests of the other benchmark spell it.
pub(crate) const TARGET: &str = "/v1.41/version";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    Token,
    Nothing,
    HashedToken,
    Signature(Version),
    TokenInTls,
    CertificateInTls,
}

impl Credential {
    pub(crate) const ALL: [Self; 8] = [
        Self::Nothing,
        Self::Token,
        Self::HashedToken,
        Self::Signature(Version::V1),
        Self::Signature(Version::V2),
        Self::Signature(Version::V3),
        Self::TokenInTls,
        Self::CertificateInTls,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "none asked for",
            Self::Token => "token",
            Self::HashedToken => "token, Argon2id hash, warm",
            Self::Signature(Version::V1) => "signature, version 1",
            Self::Signature(Version::V2) => "signature, version 2",
            Self::Signature(Version::V3) => "signature, version 3",
            Self::TokenInTls => "TLS: token",
            Self::CertificateInTls => "TLS: client certificate",
        }
    }

    pub(crate) fn asks(self) -> Asks {
        match self {
            Self::Nothing => Asks::Nothing,
            Self::Token => Asks::Token,
            Self::HashedToken => Asks::HashedToken,
            Self::Signature(_) => Asks::Signature,
            Self::TokenInTls | Self::CertificateInTls => Asks::Certificate,
        }
    }

    /// What its figures are divided by: the token over the same kind of connection.
    pub(crate) fn baseline(self) -> Self {
        match self {
            Self::Nothing | Self::Token | Self::HashedToken | Self::Signature(_) => Self::Token,
            Self::TokenInTls | Self::CertificateInTls => Self::TokenInTls,
        }
    }

    /// The least share of the baseline's requests.
    pub(crate) fn target(self) -> Option<f64> {
        match self {
            Self::Signature(Version::V2) => Some(0.45),
            Self::CertificateInTls => Some(0.98),
            Self::Nothing
            | Self::Token
            | Self::HashedToken
            | Self::Signature(Version::V1 | Version::V3)
            | Self::TokenInTls => None,
        }
    }

    /// How the client speaks TLS, where it does.
    pub(crate) fn tls(self, material: &Material) -> io::Result<Option<Arc<ClientConfig>>> {
        match self {
            Self::TokenInTls => material.tls(false).map(Some),
            Self::CertificateInTls => material.tls(true).map(Some),
            Self::Nothing | Self::Token | Self::HashedToken | Self::Signature(_) => Ok(None),
        }
    }

    /// What one connection asks. Signatures are made here, before the clock starts, and only so many.
    pub(crate) fn requests(self, signer: &mut Signer, signatures: usize) -> Requests {
        match self {
            Self::Token | Self::HashedToken | Self::TokenInTls => Requests::repeated(requests::get(PATH)),
            Self::Nothing | Self::CertificateInTls => Requests::repeated(get_with(TARGET, "")),
            Self::Signature(version) => Requests::once_each(
                (0..signatures).map(|_| get_with(TARGET, &signer.fields(version, TARGET))).collect(),
            ),
        }
    }

    /// Requests that must be refused, or what is measured is not this credential.
    pub(crate) fn bad_requests(self, signer: &mut Signer) -> Vec<Vec<u8>> {
        match self {
            Self::Nothing | Self::CertificateInTls => Vec::new(),
            Self::Token | Self::HashedToken | Self::TokenInTls => {
                vec![requests::get_as(PATH, "wrong"), get_with(TARGET, "")]
            }
            Self::Signature(version) => {
                let elsewhere = get_with(TARGET, &signer.fields(version, "/v1.41/info"));
                vec![elsewhere, requests::get(PATH)]
            }
        }
    }
}

/// The measured request with another target, and other fields in the place of its token.
pub(crate) fn get_with(target: &str, fields: &str) -> Vec<u8> {
    let request = String::from_utf8_lossy(&requests::get(PATH)).into_owned();
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    request.replacen(TARGET, target, 1).replace(&token, fields).into_bytes()
}
