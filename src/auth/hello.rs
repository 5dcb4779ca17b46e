//! Edge mode: how the agent proves who it is to its controller.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};

use super::SigningKey;
use super::token::digest;
use crate::secret::Secret;

/// What the agent has to show.
pub(crate) enum Proof {
    Key(SigningKey),
    /// Only its hash is shown.
    Token(Secret<String>),
}

/// What stands in a hello.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub(crate) enum Shown {
    #[serde(rename_all = "camelCase")]
    Signed { pub_key_id: String, timestamp: u64, nonce: String, signature: String },
    #[serde(rename_all = "camelCase")]
    Hashed { token_hash: String },
}

impl Proof {
    /// What to show for a hello at `path`, at a time since 1970.
    pub(crate) fn show(&self, path: &str, timestamp: u64, nonce: [u8; 16]) -> Shown {
        match self {
            Self::Token(token) => {
                Shown::Hashed { token_hash: HEXLOWER.encode(&digest(token.expose().as_bytes())) }
            }
            Self::Key(key) => {
                let nonce = HEXLOWER.encode(&nonce);
                let nothing = HEXLOWER.encode(&digest(b""));
                let message = format!("GET\n{path}\n{nothing}\n{timestamp}\n{nonce}");
                let signature = BASE64URL_NOPAD.encode(&key.sign(message.as_bytes()));
                Shown::Signed { pub_key_id: key.public().id().to_string(), timestamp, nonce, signature }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_covers_the_path_the_time_and_the_nonce_and_nothing_else() {
        let key = SigningKey::from_seed(&Secret::new([7; 32]));
        let public = key.public();
        let shown = Proof::Key(key).show("/api/lookout/ws", 1_790_000_000, [0xab; 16]);
        let Shown::Signed { pub_key_id, timestamp, nonce, signature } = shown else { panic!("{shown:?}") };
        assert_eq!((pub_key_id, timestamp), (public.id().to_string(), 1_790_000_000));
        assert_eq!(nonce, "ab".repeat(16));
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap().try_into().unwrap();
        let message = "GET\n/api/lookout/ws\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\
            1790000000\nabababababababababababababababab";
        assert!(public.verify(message.as_bytes(), &signature));
        assert!(!public.verify(message.replace("lookout", "portwing").as_bytes(), &signature));
    }

    #[test]
    fn of_a_token_only_the_hash_is_shown() {
        let shown = Proof::Token(Secret::new("abc".to_owned())).show("/", 1, [0; 16]);
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(serde_json::to_string(&shown).unwrap(), format!(r#"{{"tokenHash":"{hash}"}}"#));
    }
}
