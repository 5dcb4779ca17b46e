//! A client's key: its private half for the client, its line for the agent.

use std::fmt;
use std::io;
use std::path::{self, Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgMatches, value_parser};

use super::arguments::NAME;
use super::new_files::{self, NotMade};
use super::out::{complain, hand_over};
use crate::auth::keyring::{self, Comment};
use crate::auth::pkcs8::BadKey;
use crate::auth::self_signed::{Name, Usage, from_now, self_signed};
use crate::auth::{KeyId, SigningKey, pem, pkcs8};
use crate::limits::{CERTIFICATE_DAYS, COMMON_NAME_CHARS_MAX, PEM_FILE_BYTES_MAX};
use crate::sys::files::{self, BadFile, Concern};

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    comment: Comment,
    source: Source,
}

/// Where the key comes from, and where it goes.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    /// A new one, to stdout.
    New,
    /// A new one, into files of this directory.
    NewIn(PathBuf),
    /// The one in this file, of which only the public half is told.
    Of(PathBuf),
}

pub(super) fn arguments() -> Vec<Arg> {
    let path = || value_parser!(PathBuf);
    vec![
        Arg::new("comment")
            .long("comment")
            .value_name("TEXT")
            .value_parser(Comment::parse)
            .help("Whose key it is"),
        Arg::new("pub-from")
            .long("pub-from")
            .value_name("FILE")
            .value_parser(path())
            .help("Make no key; print the line of the private key in FILE"),
        Arg::new("out")
            .long("out")
            .value_name("DIR")
            .value_parser(path())
            .conflicts_with("pub-from")
            .help("Write key.pem, cert.pem and authorized_key into DIR"),
    ]
}

impl Options {
    pub(super) fn of(matches: &mut ArgMatches) -> Self {
        let comment = matches.remove_one("comment").unwrap_or_default();
        let source = match (matches.remove_one("pub-from"), matches.remove_one("out")) {
            (Some(file), _) => Source::Of(file),
            (None, Some(dir)) => Source::NewIn(dir),
            (None, None) => Source::New,
        };
        Self { comment, source }
    }
}

/// Why there is no key or no line.
#[derive(Debug)]
enum NoKey {
    Random(getrandom::Error),
    File(PathBuf, BadFile),
    /// A private key that everyone can read is nobody's.
    Loose(PathBuf, Concern),
    Key(PathBuf, BadKey),
    NotMade(NotMade),
    Untold(io::Error),
}

pub(super) fn keygen(options: &Options) -> ExitCode {
    let comment = &options.comment;
    let done = match &options.source {
        Source::New => print(comment),
        Source::NewIn(dir) => write(dir, comment),
        Source::Of(file) => print_public(file, comment),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&format!("lookout keygen: {why}\n"));
            ExitCode::FAILURE
        }
    }
}

fn print(comment: &Comment) -> Result<(), NoKey> {
    let key = SigningKey::generate().map_err(NoKey::Random)?;
    complain(&format!(
        "The private key is for the client alone: keep it in a file of mode 0600.\n\
         The line after it goes into the file that AUTHORIZED_KEYS names.\n\
         Its key id is {}.\n",
        key.public().id()
    ));
    let pem = pkcs8::write(&key.seed());
    hand_over(pem.expose()).and_then(|()| hand_over(&line(&key, comment))).map_err(NoKey::Untold)
}

fn print_public(file: &Path, comment: &Comment) -> Result<(), NoKey> {
    let taken = files::read_trusted(file, PEM_FILE_BYTES_MAX);
    let taken = taken.map_err(|why| NoKey::File(file.to_owned(), why))?;
    for concern in taken.concerns {
        match concern {
            Concern::Readable(_) => return Err(NoKey::Loose(file.to_owned(), concern)),
            Concern::Owner(_) => {
                complain(&format!("lookout keygen: warning: {}: {concern}\n", file.display()));
            }
        }
    }
    let seed = pkcs8::read(taken.bytes.expose()).map_err(|why| NoKey::Key(file.to_owned(), why))?;
    hand_over(&line(&SigningKey::from_seed(&seed), comment)).map_err(NoKey::Untold)
}

fn write(dir: &Path, comment: &Comment) -> Result<(), NoKey> {
    let key = SigningKey::generate().map_err(NoKey::Random)?;
    let (pem, line) = (pkcs8::write(&key.seed()), line(&key, comment));
    let certificate = certificate(&key, comment).map_err(NoKey::Random)?;
    let made = [("key.pem", pem.expose().as_str()), ("cert.pem", &certificate), ("authorized_key", &line)];
    new_files::make(dir, &made).map_err(NoKey::NotMade)?;
    complain(&next_steps(dir, &key.public().id()));
    hand_over(&line).map_err(NoKey::Untold)
}

/// The envelope in which TLS takes the key. Nobody compares the name on it.
fn certificate(key: &SigningKey, comment: &Comment) -> Result<String, getrandom::Error> {
    let name = if comment.as_str().is_empty() { NAME } else { comment.as_str() };
    let common_name = name.chars().take(COMMON_NAME_CHARS_MAX).collect();
    let name = Name { common_name, dns: Vec::new(), ips: Vec::new() };
    let [from, to] = from_now(CERTIFICATE_DAYS);
    let certificate = self_signed(&key.seed(), &name, from, to, Usage::Client)?;
    Ok(pem::write("CERTIFICATE", &certificate))
}

/// What there is to do with the files.
fn next_steps(dir: &Path, id: &KeyId) -> String {
    let dir = path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let file = |name| quoted(&dir.join(name).display().to_string());
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    format!(
        "key.pem, cert.pem and authorized_key are in {}. The key id is {id}.\n\
         On the agent's host, add the line in authorized_key to the file that AUTHORIZED_KEYS names,\n\
         and send the agent SIGHUP. On the client, with the agent's certificate in ca.pem:\n\
         \x20 docker context create NAME --docker host=tcp://HOST:PORT,ca=ca.pem,cert={cert},key={key}\n\
         \x20 docker --context NAME version\n",
        dir.display()
    )
}

/// A word that a shell reads as it stands.
fn quoted(word: &str) -> String {
    let is_plain = word.chars().all(|char| char.is_ascii_alphanumeric() || "/._-".contains(char));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// The line of `authorized_keys`.
fn line(key: &SigningKey, comment: &Comment) -> String {
    format!("{}\n", keyring::line(&key.public(), comment))
}

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random(error) => write!(f, "the system gives no random bytes: {error}"),
            Self::File(path, why) => write!(f, "{} {why}", path.display()),
            Self::Loose(path, concern) => write!(f, "{}: {concern}", path.display()),
            Self::Key(path, why) => write!(f, "{}: {why}", path.display()),
            Self::NotMade(why) => write!(f, "{why}"),
            Self::Untold(error) => write!(f, "the key could not be written: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    #[test]
    fn a_path_is_quoted_where_a_shell_would_not_read_it_as_it_stands() {
        for (path, told) in [("/a/b-c_d.e", "/a/b-c_d.e"), ("/a b", "'/a b'"), ("/a'b", "'/a'\\''b'")] {
            assert_eq!(quoted(path), told);
        }
        let id = KeyId::parse("0011223344556677").unwrap();
        let steps = next_steps(Path::new("/home/me/my keys"), &id);
        assert!(steps.contains("The key id is 0011223344556677.\n"), "{steps}");
        assert!(
            steps.contains("cert='/home/me/my keys/cert.pem',key='/home/me/my keys/key.pem'\n"),
            "{steps}"
        );
    }

    #[test]
    fn the_certificate_carries_the_key_and_as_much_of_the_comment_as_it_may() {
        let key = SigningKey::generate().unwrap();
        let (long, cut) = ("\u{e4}".repeat(65), "\u{e4}".repeat(64));
        for (comment, name) in [("", "lookout"), ("ci", "ci"), (&long, &cut)] {
            let text = certificate(&key, &Comment::parse(comment).unwrap()).unwrap();
            let der = CertificateDer::from_pem_slice(text.as_bytes()).unwrap();
            let holds = |part: &[u8]| der.windows(part.len()).any(|window| window == part);
            assert!(holds(key.public().as_bytes()) && holds(name.as_bytes()) && !holds(long.as_bytes()));
        }
    }
}
