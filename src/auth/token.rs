//! Shared tokens, compared as digests in constant time.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use std::sync::Arc;

use super::{Credential, Denied, Grant, Principal, Token};
use crate::http::RequestHead;

/// The digests of every token that is accepted.
#[derive(Clone)]
pub(super) struct Tokens(Vec<([u8; 32], Arc<Token>)>);

impl Tokens {
    /// All of them grant the same.
    pub(super) fn new(credentials: Vec<Credential>, grant: &Grant) -> Self {
        let digest = |credential: Credential| {
            let digest = digest(credential.token.expose().as_bytes());
            (digest, Arc::new(Token::new(credential.name, grant.clone(), &digest)))
        };
        Self(credentials.into_iter().map(digest).collect())
    }

    /// Which of them a token is.
    pub(super) fn find(&self, token: &[u8]) -> Option<Principal> {
        let presented = digest(token);
        // Every digest is compared, whichever matches: the time tells nothing.
        let mut found = 0_u64;
        for (index, (known, _)) in (1_u64..).zip(&self.0) {
            let matches: Choice = presented.ct_eq(known);
            found = u64::conditional_select(&found, &index, matches);
        }
        let (_, token) = self.0.get(usize::try_from(found).ok()?.checked_sub(1)?)?;
        Some(Principal::Token(Arc::clone(token)))
    }

    pub(super) fn marks(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|(_, token)| token.mark)
    }
}

pub(super) fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The token a request carries: a bearer token, else one of the two headers. A header that stands
/// twice is no credential, because whoever reads the other one disagrees.
pub(super) fn presented<'h>(head: &'h RequestHead<'_>) -> Result<&'h [u8], Denied> {
    let once = |name: &'static str| {
        let mut values = head.values(name);
        let first = values.next();
        if values.next().is_some() { Err(Denied::BadToken) } else { Ok(first) }
    };
    if let Some(token) = once("authorization")?.and_then(bearer) {
        return Ok(token);
    }
    for name in ["x-lookout-token", "x-dd-agent-secret"] {
        if let Some(token) = once(name)?.filter(|token| !token.is_empty()) {
            return Ok(token);
        }
    }
    Err(Denied::NoCredentials)
}

/// Other schemes are left for the next header.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("bearer ".len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

/// Whether a field carries a credential of ours, or of a browser, and so ends here.
pub(crate) fn carries_credential_header(name: &str) -> bool {
    ["authorization", "cookie", "x-dd-agent-secret"].iter().any(|own| name.eq_ignore_ascii_case(own))
        || ["x-lookout-", "x-portwing-"]
            .iter()
            .any(|prefix| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{request_head, slots};
    use crate::secret::Secret;

    fn check(lines: &str) -> Result<String, &'static str> {
        let credential = |name, token: &str| Credential { name, token: Secret::new(token.to_owned()) };
        let tokens = vec![credential("TOKEN", "first token"), credential("OTHER", "second")];
        let tokens = Tokens::new(tokens, &Grant::EVERYTHING);
        let head = format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        let mut slots = slots();
        let head = request_head(head.as_bytes(), &mut slots).unwrap();
        let found = presented(&head).map(|token| tokens.find(token)).map_err(|denied| denied.reason())?;
        found.map(|principal| principal.to_string()).ok_or("bad_token")
    }

    #[test]
    fn each_header_carries_a_token() {
        for (lines, name) in [
            ("Authorization: Bearer first token\r\n", "TOKEN"),
            ("authorization: bEARER   second \r\n", "OTHER"),
            ("X-Lookout-Token: second\r\n", "OTHER"),
            ("X-Dd-Agent-Secret: first token\r\n", "TOKEN"),
            ("Authorization: Basic eDp5\r\nX-Lookout-Token: second\r\n", "OTHER"),
            ("Authorization: Bearer \r\nX-Dd-Agent-Secret: second\r\n", "OTHER"),
        ] {
            assert_eq!(check(lines).as_deref(), Ok(name), "{lines}");
        }
    }

    #[test]
    fn what_is_not_a_token_is_told_apart_from_a_wrong_one() {
        for (lines, why) in [
            ("", "no_credentials"),
            ("Authorization: Basic eDp5\r\n", "no_credentials"),
            ("Authorization: Bearer\r\n", "no_credentials"),
            ("X-Lookout-Token: \r\n", "no_credentials"),
            ("Authorization: Bearer second2\r\n", "bad_token"),
            ("Authorization: Bearer secon\r\n", "bad_token"),
            ("Authorization: Bearer wrong\r\nX-Lookout-Token: second\r\n", "bad_token"),
            ("X-Lookout-Token: second\r\nX-Lookout-Token: second\r\n", "bad_token"),
        ] {
            assert_eq!(check(lines), Err(why), "{lines}");
        }
    }

    #[test]
    fn credentials_of_every_kind_are_known() {
        for name in ["Authorization", "COOKIE", "X-Dd-Agent-Secret", "x-lookout-nonce", "X-Portwing-Token"] {
            assert!(carries_credential_header(name), "{name}");
        }
        for name in ["X-Registry-Auth", "X-Registry-Config", "X-Look", "Content-Type"] {
            assert!(!carries_credential_header(name), "{name}");
        }
    }
}
