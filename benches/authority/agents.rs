//! Lookout with the limits that are compared.
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use ed25519_dalek::SigningKey;

use crate::peers::Directory;
use crate::signer::Signer;
use crate::started::Started;

/// More signatures than a run makes within the time they are remembered.
const NONCES: &str = "10000000";

/// Whom an agent lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lets {
    /// A token with these classes.
    Token(&'static str),
    /// The keys below.
    Keys,
}

/// A key, by what stands before it on its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) &'static str);

/// A label alone is something only a key is limited by.
pub(crate) const KEYS: [Key; 3] = [
    Key("allow=\"all\""),
    Key("allow=\"view\",label=\"team=web\""),
    Key("allow=\"view,dump\",label=\"team=web\""),
];

impl Key {
    pub(crate) fn signer(self) -> Signer {
        Signer::new(&self.seed())
    }

    /// Keys of a run are nobody's secrets.
    fn seed(self) -> [u8; 32] {
        let place = KEYS.iter().position(|key| *key == self).unwrap_or(KEYS.len());
        [place as u8 + 1; 32]
    }

    fn line(self) -> String {
        let public = SigningKey::from_bytes(&self.seed()).verifying_key();
        format!("{} ed25519 {} measured\n", self.0, BASE64.encode(public.as_bytes()))
    }
}

/// A running agent, stopped when dropped.
pub(crate) struct Agent {
    pub(crate) lets: Lets,
    pub(crate) started: Started,
}

impl Agent {
    pub(crate) fn start(lets: Lets, program: &Path, directory: &Directory) -> io::Result<Self> {
        let changes = match lets {
            Lets::Token(classes) => vec![("TOKEN_ALLOW", classes.into())],
            Lets::Keys => vec![
                ("TOKEN", "".into()),
                ("AUTHORIZED_KEYS", write_keys(directory)?.into()),
                ("NONCE_LRU_SIZE", NONCES.into()),
            ],
        };
        let started = Started::new(changes, program, directory)
            .map_err(|error| io::Error::other(format!("an agent for {lets:?} {error}")))?;
        Ok(Self { lets, started })
    }
}

fn write_keys(directory: &Directory) -> io::Result<PathBuf> {
    let path = directory.path.join("authorized_keys");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    for key in KEYS {
        file.write_all(key.line().as_bytes())?;
    }
    Ok(path)
}
