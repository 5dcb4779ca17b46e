//! Keys, hashes, and what surrounds a signature: who callers are, beyond a token.

use std::path::Path;

use super::environment::Environment;
use super::findings::{Findings, Problem, Warning};
use super::listener::path;
use super::parse::{list, number, quoted, value};
use super::secrets;
use super::variables::{
    AGENT_ID, AUTHORIZED_KEYS, AUTHORIZED_KEYS_FILE, DD_AGENT_SECRET, DD_AGENT_SECRET_FILE, ENROLLMENT_TOKEN,
    ENROLLMENT_TOKEN_FILE, MAX_CLOCK_SKEW_SECONDS, NONCE_LRU_SIZE, TOKEN, TOKEN_ALLOW, TOKEN_FILE,
    TOKEN_HASH, TOKEN_HASH_FILE, TRUSTED_PROXIES, Variable,
};
use crate::auth::{self, Class, Classes, EnrollmentTerms, Exposure, Keyring, Network, Phc};
use crate::limits::{AGENT_ID_BYTES_MAX, CLOCK_SKEW_CEILING, KEYRING_FILE_BYTES_MAX, NONCES_PER_KEY_CEILING};
use crate::secret::Secret;
use crate::sys::files::{self, Concern};

/// A hash of a token, the variable it came from, and its text.
pub(super) type Hash = (&'static str, Phc, Secret<String>);

pub(super) fn token_hash(
    environment: &Environment,
    findings: &mut Findings,
) -> Result<Option<Hash>, Problem> {
    let Some(found) = secrets::secret(environment, &TOKEN_HASH, &TOKEN_HASH_FILE, findings)? else {
        return Ok(None);
    };
    let phc = Phc::parse(found.token.expose())
        .map_err(|bad| Problem::new(&[found.from], bad.to_string(), "make one with: lookout hash-token"))?;
    Ok(Some((found.from.name, phc, found.token)))
}

/// What every token grants, or the controller has.
pub(super) fn classes(environment: &Environment, variable: &'static Variable) -> Result<Classes, Problem> {
    let text = value(environment, variable)?;
    Classes::parse(text).ok_or_else(|| {
        let what = format!("{} is no list of classes", quoted(text));
        let names: Vec<_> = Class::EVERY.iter().map(|class| class.name()).collect();
        let remedy = format!("list some, each once, with commas and no spaces: {}", names.join(", "));
        Problem::new(&[variable], what, remedy)
    })
}

/// The keys file, under either of its names.
pub(super) fn keys_file(environment: &Environment) -> Result<Option<(&'static Variable, &Path)>, Problem> {
    match (path(environment, &AUTHORIZED_KEYS)?, path(environment, &AUTHORIZED_KEYS_FILE)?) {
        (Some(_), Some(_)) => Err(Problem::new(
            &[&AUTHORIZED_KEYS, &AUTHORIZED_KEYS_FILE],
            "both are set",
            "choose one and unset the other",
        )),
        (Some(file), None) => Ok(Some((&AUTHORIZED_KEYS, file))),
        (None, Some(file)) => Ok(Some((&AUTHORIZED_KEYS_FILE, file))),
        (None, None) => Ok(None),
    }
}

/// The whole file or none of it: a line nobody understands may have been meant to restrict.
pub(super) fn keyring(
    environment: &Environment,
    findings: &mut Findings,
) -> Result<Option<Keyring>, Problem> {
    let Some((variable, file)) = keys_file(environment)? else { return Ok(None) };
    read_keys(variable, file, findings).map(Some)
}

fn read_keys(variable: &'static Variable, file: &Path, findings: &mut Findings) -> Result<Keyring, Problem> {
    let shown = quoted(&file.to_string_lossy());
    let taken = files::read_trusted(file, KEYRING_FILE_BYTES_MAX).map_err(|bad| {
        let remedy = "name a regular file that only its owner may change: chmod 0600";
        Problem::new(&[variable], format!("{shown} {bad}"), remedy)
    })?;
    for concern in taken.concerns {
        let what = format!("{shown} is not well kept");
        match concern {
            Concern::Readable(_) => return Err(Problem::new(&[variable], what, concern.to_string())),
            Concern::Owner(_) => {
                findings.warn("config.loose_file", &[variable], what, concern.to_string());
            }
        }
    }
    let keyring = Keyring::parse(taken.bytes.expose()).map_err(|bad| {
        Problem::new(&[variable], format!("{shown}: {bad}"), "mend that line, or take it out")
    })?;
    if keyring.iter().len() == 0 {
        let what = format!("{shown} holds no key, so that no signature and no certificate is good");
        findings.warn("config.no_keys", &[variable], what, "add one: lookout keygen");
    }
    Ok(keyring)
}

/// The keys of this file, or of the one that is configured, read as the start reads them; and what it
/// would warn about.
pub(crate) fn keys_of(
    environment: &Environment,
    file: Option<&Path>,
) -> Result<Option<(Keyring, Vec<Warning>)>, Problem> {
    let mut findings = Findings::default();
    let keyring = match file {
        Some(file) => Some(read_keys(&AUTHORIZED_KEYS, file, &mut findings)?),
        None => keyring(environment, &mut findings)?,
    };
    Ok(keyring.map(|keyring| (keyring, findings.warnings)))
}

/// The variables that bring tokens, by which their holders are called, and what each of them grants;
/// nothing where no variable says anything of tokens.
pub(crate) fn tokens_of(environment: &Environment) -> Result<Option<(Vec<&'static str>, Classes)>, Problem> {
    let all = [&TOKEN, &TOKEN_FILE, &DD_AGENT_SECRET, &DD_AGENT_SECRET_FILE, &TOKEN_HASH, &TOKEN_HASH_FILE];
    let set = all.into_iter().filter(|variable| environment.is_set(variable));
    let names: Vec<_> = set.map(|variable| variable.name).collect();
    if names.is_empty() && !environment.is_set(&TOKEN_ALLOW) {
        return Ok(None);
    }
    Ok(Some((names, classes(environment, &TOKEN_ALLOW)?)))
}

/// The one-time token, and the file its key goes to.
pub(super) fn enrollment(
    environment: &Environment,
    findings: &mut Findings,
) -> Result<Option<EnrollmentTerms>, Problem> {
    let (direct, file) = (&ENROLLMENT_TOKEN, &ENROLLMENT_TOKEN_FILE);
    let Some(found) = secrets::token(environment, direct, file, findings)? else { return Ok(None) };
    match keys_file(environment) {
        Ok(Some((_, keys_file))) => {
            Ok(Some(EnrollmentTerms { token: found.token, keys_file: keys_file.to_owned() }))
        }
        Ok(None) => {
            let what = "it lets a key into the keys file, and none is named";
            Err(Problem::new(&[found.from, &AUTHORIZED_KEYS], what, "set AUTHORIZED_KEYS too, or unset it"))
        }
        // Told where the keys are read.
        Err(_) => Ok(None),
    }
}

/// What surrounds credentials and signatures, wherever they are checked.
#[derive(Clone)]
pub(super) struct Around {
    skew_secs: u64,
    nonces_per_key: usize,
    audience: Option<String>,
    trusted_proxies: Vec<Network>,
}

impl Around {
    pub(super) fn read(environment: &Environment, findings: &mut Findings) -> Option<Self> {
        let skew = findings.take(number(environment, &MAX_CLOCK_SKEW_SECONDS, 1..=CLOCK_SKEW_CEILING));
        let most = u64::try_from(NONCES_PER_KEY_CEILING).unwrap_or(u64::MAX);
        let nonces = findings.take(number(environment, &NONCE_LRU_SIZE, 1..=most));
        let audience = findings.take(agent_id(environment));
        let trusted_proxies = trusted_proxies(environment, findings);
        Some(Self {
            skew_secs: skew?,
            nonces_per_key: nonces?,
            audience: audience?,
            trusted_proxies: trusted_proxies?,
        })
    }

    pub(super) fn of(self, exposure: Exposure, enrollment: Option<EnrollmentTerms>) -> auth::Settings {
        let Self { skew_secs, nonces_per_key, audience, trusted_proxies } = self;
        auth::Settings { exposure, skew_secs, nonces_per_key, audience, trusted_proxies, enrollment }
    }
}

/// What version 3 signatures name the agent by; without it they cannot be good.
pub(super) fn agent_id(environment: &Environment) -> Result<Option<String>, Problem> {
    let Some(text) = environment.text(&AGENT_ID)? else { return Ok(None) };
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if is_plain && text.len() <= AGENT_ID_BYTES_MAX {
        return Ok(Some(text.to_owned()));
    }
    let what = format!("{} is not a name of letters, digits, - and _", quoted(text));
    let remedy = format!("set it to such a name of at most {AGENT_ID_BYTES_MAX} characters, or unset it");
    Err(Problem::new(&[&AGENT_ID], what, remedy))
}

fn trusted_proxies(environment: &Environment, findings: &mut Findings) -> Option<Vec<Network>> {
    let items = findings.take(list(environment, &TRUSTED_PROXIES))?;
    let network = |item: &str| {
        Network::parse(item).map_err(|bad| {
            let what = format!("{} is no network: {bad}", quoted(item));
            Problem::new(&[&TRUSTED_PROXIES], what, "list addresses and networks such as 10.0.0.0/8")
        })
    };
    let networks: Vec<_> = items.into_iter().map(|item| findings.take(network(item))).collect();
    networks.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Mode, specimens};

    fn problem(values: &[(&str, &str)]) -> String {
        let problems = Config::read(&Environment::of(values)).err().unwrap();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_hash_is_taken_or_refused_with_the_way_to_make_one() {
        let good = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQxMjM0NTY3OA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert!(Config::read(&Environment::of(&[("TOKEN_HASH", good)])).is_ok());
        assert!(problem(&[("TOKEN_HASH", "$argon2i$v=19$m=1")]).contains("lookout hash-token"));
    }

    #[test]
    fn what_tokens_grant_is_a_list_of_classes() {
        let token = ("TOKEN", "0123456789abcdef");
        assert!(Config::read(&Environment::of(&[token, ("TOKEN_ALLOW", "view,logs")])).is_ok());
        let told = problem(&[token, ("TOKEN_ALLOW", "view, logs")]);
        assert!(told.starts_with("TOKEN_ALLOW: ") && told.contains("view, logs, dump"), "{told}");
    }

    #[test]
    fn a_key_that_is_only_watched_needs_a_listed_environment() {
        let line = "mode=\"audit\" ed25519 A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg= ci\n";
        let file = specimens::file("watched", "keys", line, 0o600);
        let keys = ("AUTHORIZED_KEYS", file.to_str().unwrap());
        let told = problem(&[keys]);
        assert!(told.starts_with("AUTHORIZED_KEYS, LOOKOUT_ENV: mode=\"audit\" of key "), "{told}");
        for lifted in [("LOOKOUT_ENV", "Development"), ("ALLOW_IN_PRODUCTION", "true")] {
            assert!(Config::read(&Environment::of(&[keys, lifted])).is_ok(), "{lifted:?}");
        }
    }

    #[test]
    fn an_enrollment_token_needs_a_file_for_its_key() {
        let keys = specimens::file("identity", "keys", "", 0o600);
        let (token, keys) = (("ENROLLMENT_TOKEN", "0123456789abcdef"), keys.to_str().unwrap());
        for (variable, is_offered) in [(Some(token), true), (None, false)] {
            let values: Vec<_> = variable.into_iter().chain([("AUTHORIZED_KEYS", keys)]).collect();
            let config = Config::read(&Environment::of(&values)).ok().unwrap();
            let Mode::Standard(server) = config.mode else { panic!("edge mode without a controller") };
            assert_eq!(server.auth.enrollment.is_some(), is_offered);
        }
        let told = problem(&[("TOKEN", "0123456789abcdef"), token]);
        assert!(
            told.starts_with("ENROLLMENT_TOKEN, AUTHORIZED_KEYS: ") && told.contains("set AUTHORIZED_KEYS")
        );
        let both = [token, ("AUTHORIZED_KEYS", keys), ("ENROLLMENT_TOKEN_FILE", keys)];
        assert!(problem(&both).starts_with("ENROLLMENT_TOKEN, ENROLLMENT_TOKEN_FILE: both are set"));
        let empty = [("AUTHORIZED_KEYS", keys), ("ENROLLMENT_TOKEN_FILE", keys)];
        assert!(problem(&empty).starts_with("ENROLLMENT_TOKEN_FILE: it holds nothing"));
        let weak = [("ENROLLMENT_TOKEN", "changeme"), ("AUTHORIZED_KEYS", keys)];
        let warnings = Config::read(&Environment::of(&weak)).ok().unwrap().warnings;
        assert!(warnings.iter().any(|warning| warning.to_string().starts_with("ENROLLMENT_TOKEN: ")));
    }

    #[test]
    fn numbers_and_names_around_signatures_are_bounded() {
        for (name, value) in [
            ("MAX_CLOCK_SKEW_SECONDS", "0"),
            ("MAX_CLOCK_SKEW_SECONDS", "901"),
            ("NONCE_LRU_SIZE", "0"),
            ("AGENT_ID", "two words"),
            ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ] {
            assert!(problem(&[("TOKEN", "0123456789abcdef"), (name, value)]).starts_with(name), "{name}");
        }
    }
}
