//! Variables of an order: which may be set, how they are kept in a file, and what a program gets to see.

use std::ffi::OsString;
use std::path::Path;

use super::order::Invalid;
use crate::limits::{COMPOSE_ENV_KEY_BYTES_MAX, COMPOSE_ENV_VALUE_BYTES_MAX};
use crate::secret::Secret;

/// What steers the interpreter has no such beginning; what has it names other things, or changes only how it runs.
const PYTHON_OF_OTHERS: &str = "PYTHON_";
/// What begins so, in any case, steers the loader, an interpreter, or the programs that compose is made of.
const DENIED_PREFIXES: [&str; 10] =
    ["LD_", "DYLD_", "DOCKER_", "COMPOSE_", "BUILDX_", "BUILDKIT_", "GIT_SSH", "SSH_", "OTEL_", "PYTHON"];
/// What these steer, in any case, is where programs, files, certificates and the way out are found.
const DENIED: [&str; 31] = [
    "PATH",
    "HOME",
    "SHELL",
    "BASH_ENV",
    "ENV",
    "CDPATH",
    "IFS",
    "TMPDIR",
    "GODEBUG",
    "KUBECONFIG",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSLKEYLOGFILE",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "OPENSSL_MODULES",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    // These let the C library load files of the caller's.
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "LOCPATH",
    "NLSPATH",
    "RES_OPTIONS",
    "RESOLV_HOST_CONF",
    "TZDIR",
];
/// What begins so in a file of variables, in any case: such a file is read by compose itself, which may take over more
/// of it than it should. Names that are set for every program are not among them, as those win.
const DENIED_IN_FILES: [&str; 12] = [
    "LD_",
    "DYLD_",
    "BUILDX_",
    "BUILDKIT_",
    "COMPOSE_ENV_FILES",
    "DOCKER_CLI_",
    "GODEBUG",
    "OTEL_",
    "SSL_CERT_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
];
/// Where the programs are that a compose program may start.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What a program is told beside its places. It speaks to no terminal, fetches no file of a stack from
/// elsewhere, and the first generation builds by itself instead of starting `docker`.
const SETTINGS: [(&str, &str); 16] = [
    // Set, so that no file of a stack sets them: older programs take over whatever such a file says.
    ("BUILDKIT_HOST", ""),
    ("BUILDX_BUILDER", ""),
    ("DOCKER_CERT_PATH", ""),
    ("DOCKER_CONTEXT", ""),
    ("DOCKER_TLS_VERIFY", ""),
    ("KUBECONFIG", ""),
    ("SSH_AUTH_SOCK", ""),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""),
    ("OTEL_TRACES_EXPORTER", "none"),
    ("COMPOSE_EXPERIMENTAL_GIT_REMOTE", "false"),
    ("COMPOSE_EXPERIMENTAL_OCI_REMOTE", "false"),
    ("COMPOSE_ANSI", "never"),
    ("COMPOSE_PROGRESS", "plain"),
    ("COMPOSE_MENU", "false"),
    ("COMPOSE_DOCKER_CLI_BUILD", "0"),
];
/// The same where an order may say otherwise: it needs the value in its files, and does no harm with it.
const DEFAULTS: [(&str, &str); 2] = [("LANG", "C.UTF-8"), ("NO_COLOR", "1")];

/// A variable's name that may be set: `[a-zA-Z_][a-zA-Z0-9_]*`, and none that changes how a program works.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct EnvKey(String);

impl EnvKey {
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let starts = text.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_');
        let goes_on = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !starts || !goes_on || text.len() > COMPOSE_ENV_KEY_BYTES_MAX {
            return Err(Invalid::EnvKey(text.to_owned()));
        }
        if is_denied(text) { Err(Invalid::EnvDenied(text.to_owned())) } else { Ok(Self(text.to_owned())) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a variable of this name changes how a program works.
fn is_denied(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    DENIED.contains(&upper.as_str())
        || DENIED_PREFIXES.iter().any(|prefix| upper.starts_with(prefix))
            && !upper.starts_with(PYTHON_OF_OTHERS)
}

/// A variable's value: one line of text. It may be a password.
#[derive(Debug)]
pub(crate) struct EnvValue(Secret<String>);

impl EnvValue {
    pub(crate) fn parse(key: &EnvKey, value: Secret<String>) -> Result<Self, Invalid> {
        if value.expose().contains(['\n', '\r', '\0']) {
            Err(Invalid::EnvValue(key.0.clone()))
        } else if value.expose().len() > COMPOSE_ENV_VALUE_BYTES_MAX {
            Err(Invalid::EnvLong(key.0.clone()))
        } else {
            Ok(Self(value))
        }
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// The text of a file of variables, one line for each, that no value can leave: neither the first
/// generation's reader nor the later one's takes a part of a value for a line of its own.
///
/// A value is written in the plainest form that both read as it is. Where there is none, it is written for
/// the later generation.
pub(crate) fn env_file(vars: &[(EnvKey, EnvValue)]) -> Secret<Vec<u8>> {
    // Enough for every value to be escaped, so that nothing is moved and left behind.
    let space = |(key, value): &(EnvKey, EnvValue)| {
        let escaped = value.expose().len().saturating_mul(2);
        key.0.len().saturating_add(escaped).saturating_add(QUOTES.len())
    };
    let size = vars.iter().map(space).fold(0, usize::saturating_add);
    let mut text = String::with_capacity(size);
    for (key, value) in vars {
        text.push_str(&key.0);
        text.push('=');
        push_value(&mut text, value.expose());
        text.push('\n');
    }
    Secret::new(text.into_bytes())
}

/// The most that is written around a name and a value.
const QUOTES: &str = "=\"\" #\"\n";

fn push_value(text: &mut String, value: &str) {
    if is_bare(value) {
        text.push_str(value);
    } else if is_same_in_single_quotes(value) {
        text.push('\'');
        push_escaped(text, value, &['\'']);
        text.push('\'');
    } else if is_same_without_quotes(value) {
        text.push_str(value);
    } else {
        // Only the later generation reads this as it was. The first one may take the last quote for a part
        // of the value, and would look for another one in the lines that follow: the remark has it.
        text.push('"');
        push_escaped(text, value, &['"', '\\', '$']);
        text.push_str("\" #\"");
    }
}

fn push_escaped(text: &mut String, value: &str, escaped: &[char]) {
    for char in value.chars() {
        if escaped.contains(&char) {
            text.push('\\');
        }
        text.push(char);
    }
}

/// A value that means the same to every reader of such files, shells among them.
fn is_bare(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./:@%+,=^".contains(&byte))
}

/// In single quotes, `\'` is a quote to both. The first generation takes `\\` for one backslash, and looks
/// for `${…}` all the same; to the later one the last backslash would escape the quote that ends the value.
fn is_same_in_single_quotes(value: &str) -> bool {
    !["\\\\", "\\'", "${"].iter().any(|trap| value.contains(trap)) && !value.ends_with('\\')
}

/// Without quotes a backslash is itself to both, but white space ends a value, and `$` begins a name.
fn is_same_without_quotes(value: &str) -> bool {
    let begins = value.starts_with(|char: char| char.is_whitespace() || ['\'', '"', '#'].contains(&char));
    let ends = value.ends_with(char::is_whitespace);
    let may_end_early = value.contains('#') && value.contains(char::is_whitespace);
    !begins && !ends && !may_end_early && !value.contains('$') && !value.contains(char::is_control)
}

/// Looks at a file of variables that somebody wrote. Every reader takes a name as it stands, before `=` or `:`,
/// wherever in a line it finds one; so does this, inside of values, too.
pub(crate) fn look(text: &[u8]) -> Result<(), Invalid> {
    // What `env_file` wrote holds one name in each line, which was looked at before.
    let lines = text.strip_suffix(b"\n").unwrap_or(text).split(|&byte| byte == b'\n');
    if lines.into_iter().all(|line| line_of_ours(line).is_some()) {
        return Ok(());
    }
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let mut rest = text;
    while let Some(start) = rest.iter().position(is_part) {
        let word = rest.get(start..).unwrap_or_default();
        let end = word.iter().position(|byte| !is_part(byte)).unwrap_or(word.len());
        let (name, after) = word.split_at(end);
        let sign = after.iter().find(|byte| !matches!(byte, b' ' | b'\t' | 0x0b | 0x0c));
        let upper = name.to_ascii_uppercase();
        let is_denied = DENIED_IN_FILES.iter().any(|denied| upper.starts_with(denied.as_bytes()));
        if matches!(sign, Some(b'=' | b':')) && is_denied {
            return Err(Invalid::EnvDenied(String::from_utf8_lossy(name).into_owned()));
        }
        rest = after;
    }
    Ok(())
}

/// What `env_file` wrote. Lines that it would not have written so are somebody else's, and left out.
pub(crate) fn read_back(bytes: &[u8]) -> Vec<(EnvKey, EnvValue)> {
    bytes.split(|&byte| byte == b'\n').filter_map(line_of_ours).collect()
}

fn line_of_ours(line: &[u8]) -> Option<(EnvKey, EnvValue)> {
    read_line(std::str::from_utf8(line).ok()?)
}

fn read_line(line: &str) -> Option<(EnvKey, EnvValue)> {
    let (key, written) = line.split_once('=')?;
    let key = EnvKey::parse(key).ok()?;
    let quoted = |open: &str, close: &str| written.strip_prefix(open)?.strip_suffix(close);
    let value = if let Some(inner) = quoted("\"", "\" #\"") {
        unescaped(inner, &['"', '\\', '$'])
    } else if let Some(inner) = quoted("'", "'") {
        unescaped(inner, &['\''])
    } else {
        Secret::new(written.to_owned())
    };
    let value = EnvValue::parse(&key, value).ok()?;
    let mut again = String::with_capacity(written.len());
    push_value(&mut again, value.expose());
    let again = Secret::new(again);
    (again.expose() == written).then_some((key, value))
}

/// A text without the backslashes that stand before one of `escaped`.
fn unescaped(text: &str, escaped: &[char]) -> Secret<String> {
    let mut value = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match chars.next_if(|next| char == '\\' && escaped.contains(next)) {
            Some(next) => value.push(next),
            None => value.push(char),
        }
    }
    Secret::new(value)
}

/// Where a program has its private things.
pub(crate) struct Home<'a> {
    pub(crate) home: &'a Path,
    pub(crate) config: &'a Path,
    pub(crate) temp: &'a Path,
    pub(crate) socket: &'a Path,
}

/// All that a program finds in its environment: nothing of ours but what is written here.
pub(crate) fn child(
    home: &Home<'_>,
    proxies: &[(String, String)],
    vars: &[(EnvKey, EnvValue)],
) -> Vec<(OsString, OsString)> {
    let mut socket = OsString::from("unix://");
    socket.push(home.socket);
    let mut environment: Vec<(OsString, OsString)> = vec![
        ("PATH".into(), PATH.into()),
        ("HOME".into(), home.home.into()),
        ("TMPDIR".into(), home.temp.into()),
        ("DOCKER_CONFIG".into(), home.config.into()),
        ("BUILDX_CONFIG".into(), home.config.join("buildx").into()),
        ("DOCKER_HOST".into(), socket),
    ];
    let is_set = |name: &str| vars.iter().any(|(key, _)| key.0 == name);
    let defaults = DEFAULTS.into_iter().filter(|(name, _)| !is_set(name));
    environment.extend(SETTINGS.into_iter().chain(defaults).map(|(name, value)| (name.into(), value.into())));
    // A proxy's address with `@` has a password in it, which a build would show to whoever reads its steps.
    let proxies = proxies.iter().filter(|(_, address)| !address.contains('@'));
    environment.extend(proxies.map(|(name, address)| (name.into(), address.into())));
    environment.extend(vars.iter().map(|(key, value)| (key.as_str().into(), value.expose().into())));
    environment
}

#[cfg(test)]
mod tests;
