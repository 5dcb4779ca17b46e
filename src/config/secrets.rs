//! Secrets from a variable or from the file it names, by the same rules for every pair of the two.

use std::path::Path;

use super::environment::Environment;
use super::findings::{Findings, Problem};
use super::variables::Variable;
use crate::limits::{SECRET_FILE_BYTES_MAX, TOKEN_BYTES_ADVISED};
use crate::secret::Secret;
use crate::sys::files;

/// Tokens out of examples, which are the first that anybody tries.
const PLACEHOLDERS: &[&str] = &[
    "admin",
    "change-me",
    "change_me",
    "changeme",
    "default",
    "example",
    "lookout",
    "my-secret-token",
    "my-token",
    "mysecret",
    "mysecrettoken",
    "mytoken",
    "password",
    "placeholder",
    "replace-me",
    "replaceme",
    "secret",
    "secret-token",
    "secrettoken",
    "test",
    "token",
    "your-secret",
    "your-secret-token",
    "your-secret-token-here",
    "your-token",
    "your-token-here",
    "yoursecrettoken",
    "yourtoken",
];

/// A token, and which of the two variables it came from.
pub(super) struct Found {
    pub(super) from: &'static Variable,
    pub(super) token: Secret<String>,
}

/// A token callers show, which should not be guessable.
pub(super) fn token(
    environment: &Environment,
    direct: &'static Variable,
    file: &'static Variable,
    findings: &mut Findings,
) -> Result<Option<Found>, Problem> {
    let found = secret(environment, direct, file, findings)?;
    if let Some(found) = &found {
        advise(found.from, found.token.expose(), findings);
    }
    Ok(found)
}

/// The text of `direct`, or of the file that `file` names.
pub(super) fn secret(
    environment: &Environment,
    direct: &'static Variable,
    file: &'static Variable,
    findings: &mut Findings,
) -> Result<Option<Found>, Problem> {
    let (from, text) = match (environment.text(direct)?, environment.text(file)?) {
        (Some(_), Some(_)) => {
            return Err(Problem::new(&[direct, file], "both are set", "choose one and unset the other"));
        }
        (None, None) => return Ok(None),
        (Some(text), None) => (direct, Secret::new(text.trim().to_owned())),
        (None, Some(path)) => (file, of_file(path, file, findings)?),
    };
    check(from, text.expose())?;
    Ok(Some(Found { from, token: text }))
}

/// A whole file, trimmed.
fn of_file(path: &str, file: &'static Variable, findings: &mut Findings) -> Result<Secret<String>, Problem> {
    let shown = shown(path);
    let taken = files::read_trusted(Path::new(path), SECRET_FILE_BYTES_MAX).map_err(|bad| {
        let remedy = "name a regular file that the agent may read and only its owner may change";
        Problem::new(&[file], format!("{shown} {bad}"), remedy)
    })?;
    for concern in taken.concerns {
        findings.warn("config.loose_file", &[file], format!("{shown} is not well kept"), concern.to_string());
    }
    match std::str::from_utf8(taken.bytes.expose()) {
        Ok(text) => Ok(Secret::new(text.trim().to_owned())),
        Err(_) => Err(Problem::new(
            &[file],
            format!("{shown} does not hold UTF-8 text"),
            "write the token into it, and nothing else",
        )),
    }
}

/// A path as it may stand in a message. What does not begin with a slash may be the secret itself.
pub(super) fn shown(path: &str) -> String {
    if path.starts_with('/') { super::parse::quoted(path) } else { "the file it names".to_owned() }
}

/// What no caller could ever send is refused.
fn check(from: &'static Variable, token: &str) -> Result<(), Problem> {
    let what = if token.is_empty() {
        "it holds nothing but white space, which is not the same as no credential"
    } else if token.contains(['\n', '\r']) {
        "it holds more than one line"
    } else if token.contains(char::is_control) {
        "it holds a control character"
    } else {
        return Ok(());
    };
    Err(Problem::new(&[from], what, "let it hold the token on one line, or unset it"))
}

/// What anybody could guess is warned about.
fn advise(from: &'static Variable, token: &str, findings: &mut Findings) {
    let what = if PLACEHOLDERS.contains(&token.to_ascii_lowercase().as_str()) {
        "the token is a well-known placeholder, and whoever tries it is root on this host".to_owned()
    } else if token.len() < TOKEN_BYTES_ADVISED {
        format!("the token is shorter than {TOKEN_BYTES_ADVISED} bytes, and may be guessed")
    } else {
        return;
    };
    findings.warn(
        "config.weak_token",
        &[from],
        what,
        "make a new one, for example with: openssl rand -hex 32",
    );
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::specimens;
    use crate::config::variables::{TOKEN, TOKEN_FILE};

    const GOOD: &str = "0123456789abcdef0123456789abcdef";

    fn file(name: &str, content: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        specimens::file("secrets", name, content, mode)
    }

    /// The token with its variable, or the problem.
    type Told = Result<Option<(&'static str, String)>, String>;

    /// What is told of a token, and the warnings about it.
    fn read(values: &[(&str, &str)]) -> (Told, Vec<String>) {
        let mut findings = Findings::default();
        let outcome = token(&Environment::of(values), &TOKEN, &TOKEN_FILE, &mut findings);
        assert!(findings.problems.is_empty());
        let outcome = outcome
            .map(|found| found.map(|found| (found.from.name, found.token.expose().clone())))
            .map_err(|problem| problem.to_string());
        (outcome, findings.warnings.iter().map(ToString::to_string).collect())
    }

    fn read_file(path: &Path) -> (Told, Vec<String>) {
        read(&[("TOKEN_FILE", path.to_str().unwrap())])
    }

    #[test]
    fn a_token_comes_from_its_variable_or_its_file_trimmed() {
        assert_eq!(read(&[]), (Ok(None), vec![]));
        assert_eq!(read(&[("TOKEN", GOOD)]), (Ok(Some(("TOKEN", GOOD.to_owned()))), vec![]));
        let path = file("trimmed", format!("\n {GOOD}\r\n"), 0o600);
        assert_eq!(read_file(&path), (Ok(Some(("TOKEN_FILE", GOOD.to_owned()))), vec![]));
    }

    #[test]
    fn of_the_variable_and_its_file_only_one_may_be_set() {
        let (outcome, _) = read(&[("TOKEN", GOOD), ("TOKEN_FILE", "/no/such")]);
        assert_eq!(outcome.unwrap_err(), "TOKEN, TOKEN_FILE: both are set; choose one and unset the other");
    }

    #[test]
    fn an_empty_secret_is_a_problem_and_never_no_credential() {
        for content in ["", " \n\t\r\n "] {
            let problem = read_file(&file("empty", content, 0o600)).0.unwrap_err();
            assert!(problem.starts_with("TOKEN_FILE: it holds nothing but white space"), "{problem}");
        }
        assert!(
            read(&[("TOKEN", "  ")]).0.unwrap_err().starts_with("TOKEN: it holds nothing but white space")
        );
    }

    #[test]
    fn a_file_that_cannot_be_trusted_is_a_problem() {
        let writable = file("writable", GOOD, 0o666);
        for (path, what) in [
            (Path::new("/no/such/file"), "\"/no/such/file\" cannot be read: "),
            (Path::new("/dev/null"), "\"/dev/null\" is not a regular file; "),
            (&writable, "can be changed by others (mode 0666)"),
            (&file("large", [b'a'; 70_000], 0o600), "is larger than 65536 bytes"),
            (&file("binary", [0xff, 0xfe], 0o600), "does not hold UTF-8 text"),
        ] {
            let problem = read_file(path).0.unwrap_err();
            assert!(problem.starts_with("TOKEN_FILE: ") && problem.contains(what), "{problem}");
        }
    }

    #[test]
    fn a_token_nobody_could_send_is_a_problem() {
        for (content, what) in [
            ("first line is long\nsecond", "it holds more than one line"),
            ("return in\rthe middle", "it holds more than one line"),
            ("nul in the middle\0of it", "it holds a control character"),
            ("tab\tin the middle of it", "it holds a control character"),
        ] {
            let problem = read_file(&file("control", content, 0o600)).0.unwrap_err();
            assert_eq!(
                problem,
                format!("TOKEN_FILE: {what}; let it hold the token on one line, or unset it")
            );
        }
    }

    #[test]
    fn a_file_that_everyone_reads_is_a_warning() {
        let (outcome, warnings) = read_file(&file("readable", GOOD, 0o644));
        assert!(outcome.is_ok());
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(warning.starts_with("TOKEN_FILE: ") && warning.contains("everyone can read it (mode 0644)"));
    }

    #[test]
    fn a_token_that_may_be_guessed_is_a_warning() {
        for (token, what) in [
            ("fifteen-bytes-x", "shorter than 16 bytes"),
            ("Your-Secret-Token", "well-known placeholder"),
            ("changeme", "well-known placeholder"),
        ] {
            let (outcome, warnings) = read(&[("TOKEN", token)]);
            assert!(outcome.is_ok());
            let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
            assert!(warning.starts_with("TOKEN: ") && warning.contains(what), "{warning}");
            assert!(!warning.contains(token));
        }
        assert_eq!(read(&[("TOKEN", "sixteen-bytes-xx")]).1, Vec::<String>::new());
    }

    #[test]
    fn a_token_set_as_a_path_by_mistake_is_not_repeated() {
        let problem = read(&[("TOKEN_FILE", GOOD)]).0.unwrap_err();
        assert!(problem.starts_with("TOKEN_FILE: the file it names cannot be read"), "{problem}");
        assert!(!problem.contains(GOOD));
    }
}
