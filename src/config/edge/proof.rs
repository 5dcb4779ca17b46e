//! What the agent shows its controller: a key, or else a token.

use std::path::Path;

use crate::auth::{Credential, Proof, SigningKey, pkcs8};
use crate::config::environment::Environment;
use crate::config::findings::{Findings, Problem};
use crate::config::listener::path;
use crate::config::secrets::shown;
use crate::config::variables::{
    AUTHORIZED_KEYS, AUTHORIZED_KEYS_FILE, PRIVATE_KEY_FILE, TOKEN_FILE, TOKEN_HASH, TOKEN_HASH_FILE,
    Variable,
};
use crate::limits::PEM_FILE_BYTES_MAX;
use crate::secret::Secret;
use crate::sys::files;

const REMEDY: &str = "name a key of the agent's own in PRIVATE_KEY_FILE, made with lookout keygen --out DIR, or set \
                      TOKEN_FILE";

/// A key that cannot be read is a problem whatever else there is: nothing weaker takes its place.
/// `tokens` is `None` after a problem with one of them.
pub(super) fn read(
    environment: &Environment,
    tokens: Option<&[Credential]>,
    findings: &mut Findings,
) -> Option<Proof> {
    let file = findings.take(path(environment, &PRIVATE_KEY_FILE))?;
    if let Some(file) = file {
        let key = key(file, findings);
        return findings.take(key).map(Proof::Key);
    }
    let Some(credential) = tokens?.first() else {
        findings.problems.push(nothing(environment));
        return None;
    };
    Some(Proof::Token(Secret::new(credential.token.expose().clone())))
}

fn key(file: &Path, findings: &mut Findings) -> Result<SigningKey, Problem> {
    let shown = shown(&file.to_string_lossy());
    let taken = files::read_trusted(file, PEM_FILE_BYTES_MAX).map_err(|bad| {
        let remedy = "name a regular file that the agent may read and only its owner may change";
        Problem::new(&[&PRIVATE_KEY_FILE], format!("{shown} {bad}"), remedy)
    })?;
    for concern in taken.concerns {
        let what = format!("{shown} is not well kept");
        findings.warn("config.loose_file", &[&PRIVATE_KEY_FILE], what, concern.to_string());
    }
    let seed = pkcs8::read(taken.bytes.expose()).map_err(|bad| {
        let remedy = "make one with: lookout keygen --out DIR";
        Problem::new(&[&PRIVATE_KEY_FILE], format!("{shown} holds no key of ours: {bad}"), remedy)
    })?;
    Ok(SigningKey::from_seed(&seed))
}

/// There is nothing to show. Whoever set something that looks like a credential learns why it is none.
fn nothing(environment: &Environment) -> Problem {
    let set = |variables: [&'static Variable; 2]| {
        variables.into_iter().find(|variable| environment.is_set(variable))
    };
    if let Some(hash) = set([&TOKEN_HASH, &TOKEN_HASH_FILE]) {
        let what = "a hash checks a token that others show, and here the agent has to show one";
        return Problem::new(&[hash, &PRIVATE_KEY_FILE], what, REMEDY);
    }
    if let Some(keys) = set([&AUTHORIZED_KEYS, &AUTHORIZED_KEYS_FILE]) {
        let what = "it says whose requests are good, and nothing says who the agent is";
        return Problem::new(&[keys, &PRIVATE_KEY_FILE], what, REMEDY);
    }
    let what = "the agent has no credential that it could show the controller";
    Problem::new(&[&PRIVATE_KEY_FILE, &TOKEN_FILE], what, REMEDY)
}
