//! The table of every variable: its name, what it means, what holds without it, whether it is secret.

use std::borrow::Cow;

use self::Holds::{Address, Plain, Secret, SecretPath};
use self::Otherwise::{Nothing, Value, Words};

/// One variable. Nothing reads the environment but through one of these.
#[derive(Debug)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) section: Section,
    pub(crate) holds: Holds,
    pub(crate) otherwise: Otherwise,
    pub(crate) meaning: &'static str,
}

/// Where a variable is told of, and what setting it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Section {
    Listening,
    Access,
    Guards,
    Engine,
    /// What the agent tells of itself and its host.
    Telling,
    Output,
    /// Who did what, and what became of it.
    Audit,
    /// What is run for callers.
    Compose,
    /// Acts in edge mode only. Setting it in standard mode is warned about.
    Edge,
    /// Acts in edge mode and for compose, and is usually set for a whole host: nobody is warned. Also read
    /// by its name in lower case.
    Proxies,
    /// Not in this version, and nobody comes to harm by that. Setting it is warned about.
    Idle,
}

/// What a value is, and so whether it may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    Plain,
    /// An address, in which a user and a password may stand.
    Address,
    Secret,
    /// A path; what does not look like one may be the secret itself, set by mistake.
    SecretPath,
}

/// What holds when a variable is unset or empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Otherwise {
    Nothing,
    /// This value.
    Value(&'static str),
    /// What these words describe.
    Words(&'static str),
}

impl Variable {
    /// The value that holds without the variable; empty where there is none.
    pub(crate) fn default_value(&self) -> &'static str {
        match self.otherwise {
            Value(value) => value,
            Nothing | Words(_) => "",
        }
    }

    /// Every name it is read by; the first that is set counts. Programs that go through proxies know
    /// their variables in lower case, too, and believe that first.
    pub(crate) fn names(&self) -> Vec<Cow<'static, str>> {
        let lower = (self.section == Section::Proxies).then(|| Cow::Owned(self.name.to_ascii_lowercase()));
        lower.into_iter().chain([Cow::Borrowed(self.name)]).collect()
    }
}

impl Section {
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Listening => "Listening",
            Self::Access => "Who may come in",
            Self::Guards => "Guards, and what lifts them",
            Self::Engine => "The Engine",
            Self::Telling => "What is told",
            Self::Output => "Output",
            Self::Audit => "The audit trail",
            Self::Compose => "Compose, which a directory for stacks switches on",
            Self::Edge => "Edge mode, which DRYDOCK_URL switches on",
            Self::Proxies => "Proxies, on the way to the controller and for compose",
            Self::Idle => "Not in this version: no effect",
        }
    }
}

/// Writes each row once: as a static of its name, which the code reads by, and as a row of [`TABLE`].
macro_rules! variables {
    ($($section:ident { $($name:ident: $holds:expr, $otherwise:expr, $meaning:literal;)+ })+) => {
        $($(
            pub(crate) static $name: Variable = Variable {
                name: stringify!($name),
                section: Section::$section,
                holds: $holds,
                otherwise: $otherwise,
                meaning: $meaning,
            };
        )+)+

        pub(crate) static TABLE: &[&Variable] = &[$($(&$name,)+)+];
    };
}

variables! {
    Listening {
        PORT: Plain, Value("3000"), "TCP port, 1 to 65535";
        BIND_ADDRESS: Plain, Value("0.0.0.0"), "IPv4 or IPv6 address, or localhost";
        TLS_CERT: Plain, Nothing, "PEM file: the certificate and its chain";
        TLS_KEY: SecretPath, Nothing, "PEM file: the certificate's private key";
        CLIENT_CA: Plain, Nothing, "PEM file: who must have signed a client's certificate";
        CONNECTIONS_MAX: Plain, Value("1024"), "connections served at once, 1 to 65536";
        ALLOWED_ORIGINS: Plain, Nothing, "web origins that may call, comma separated: https://host[:port]";
    }
    Access {
        TOKEN: Secret, Nothing, "the token that callers show";
        TOKEN_FILE: SecretPath, Nothing, "file that holds TOKEN";
        DD_AGENT_SECRET: Secret, Nothing, "a second token, under the name that Drydock uses";
        DD_AGENT_SECRET_FILE: SecretPath, Nothing, "file that holds DD_AGENT_SECRET";
        TOKEN_HASH: Secret, Nothing, "Argon2id hash of the token";
        TOKEN_HASH_FILE: SecretPath, Nothing, "file that holds TOKEN_HASH";
        TOKEN_ALLOW: Plain, Value("all"), "classes that tokens grant, comma separated";
        AUTHORIZED_KEYS: Plain, Nothing, "file of the keys that may sign, or show a certificate";
        AUTHORIZED_KEYS_FILE: Plain, Nothing, "the same, under another name";
        ENROLLMENT_TOKEN: Secret, Nothing, "one-time token with which a key enrols itself";
        ENROLLMENT_TOKEN_FILE: SecretPath, Nothing, "file that holds ENROLLMENT_TOKEN";
        TRUSTED_PROXIES: Plain, Nothing, "addresses whose X-Forwarded-For is believed";
        MAX_CLOCK_SKEW_SECONDS: Plain, Value("60"), "how far a signature's time may be off, 1 to 900";
        NONCE_LRU_SIZE: Plain, Value("100000"), "signatures of a key remembered, 1 to 10000000";
        AGENT_ID: Plain, Nothing, "whom a version 3 signature must be meant for";
    }
    Guards {
        ALLOW_UNAUTHENTICATED: Plain, Value("false"), "start without a credential, on loopback";
        ALLOW_UNAUTHENTICATED_REMOTE: Plain, Value("false"), "beside it: also beyond loopback";
        LOOKOUT_ENV: Plain, Value("Production"), "the environment this host belongs to";
        ALLOW_IN_ENVIRONMENTS: Plain, Value("Development"), "where dangerous switches may be used, comma separated";
        ALLOW_IN_PRODUCTION: Plain, Value("false"), "they may be used in every environment";
        ALLOW_NON_LOOPBACK: Plain, Value("false"), "no warning about plain HTTP beyond loopback";
        SANDBOX: Plain, Value("try"), "give up what is not needed: try, require (or do not start), off";
    }
    Engine {
        DOCKER_SOCKET: Plain, Words("the first that answers"), "path of the Engine's socket; wins over DOCKER_HOST";
        DOCKER_HOST: Plain, Nothing, "unix:///path or tcp://host[:port]";
        DOCKER_TLS_VERIFY: Plain, Value("false"), "speak TLS to a tcp:// Engine and check its certificate";
        DOCKER_CERT_PATH: Plain, Words("$HOME/.docker"), "directory with ca.pem, and cert.pem and key.pem where asked for";
        HOME: Plain, Nothing, "where a user's own sockets and certificates are looked for";
        REQUEST_TIMEOUT: Plain, Value("30"), "seconds the Engine may take to begin its answer, 1 to 3600";
    }
    Telling {
        ADAPTER: Plain, Value("drydock"), "which API for controllers is spoken: drydock or generic";
        AGENT_NAME: Plain, Words("the host's name"), "what people know us by";
        DD_POLL_INTERVAL: Plain, Value("300"), "seconds between two looks at every container, 1 to 86400";
        SKIP_DF_COLLECTION: Plain, Value("false"), "do not measure the disk; it is told as 0";
        HOST_PROC: Plain, Value("/proc"), "where the host's /proc is to be seen";
    }
    Output {
        LOG_LEVEL: Plain, Value("info"), "debug, info, warn or error";
        NO_COLOR: Plain, Nothing, "nothing is ever coloured, with or without it";
    }
    Audit {
        AUDIT_LOG: Plain, Nothing, "where it goes: stdout, stderr or the path of a file";
        AUDIT_BUFFER_SIZE: Plain, Value("256"), "records that are kept in memory, 0 to 65536";
        AUDIT_REQUIRED: Plain, Value("false"), "refuse what cannot be recorded";
        AUDIT_CHAIN: Plain, Words("true for a file"), "each record carries the hash of the one before it";
        AUDIT_MAX_BYTES: Plain, Value("104857600"), "size of a file put aside: 0 for never, or at least 65536";
        AUDIT_KEEP: Plain, Value("10"), "files put aside that are kept, 1 to 1000";
        AUDIT_DETAIL: Plain, Value("false"), "record queries, headers and JSON bodies, with secrets blanked";
        REDACT_HEADERS: Plain, Nothing, "further headers that are blanked, comma separated";
        REDACT_FIELDS: Plain, Nothing, "further fields that are blanked, comma separated";
        STATE_DIR: Plain, Nothing, "directory of mode 0700: the key that signs, and recordings";
    }
    Compose {
        STACKS_DIR: Plain, Value("/data/stacks"), "directory of the stacks; compose is off without it";
        COMPOSE_TIMEOUT: Plain, Value("1800"), "seconds an operation of compose may take, 1 to 86400";
        RUNTIME_DIR: Plain, Value("/tmp"), "where each run of compose has a directory of its own";
    }
    Edge {
        DRYDOCK_URL: Address, Nothing, "the controller to call: wss://host[:port][/prefix]";
        EDGE_PROTOCOL: Plain, Value("auto"), "how it is spoken to: auto, lookout or portwing";
        PRIVATE_KEY_FILE: SecretPath, Nothing, "PEM file: the key that the controller knows us by";
        EDGE_ALLOW: Plain, Value("all"), "classes that the controller has, comma separated";
        EDGE_REQUIRE_SIGNATURE: Plain, Value("false"), "take from it only what an authorized key signed";
        EDGE_HEADERS_FILE: SecretPath, Nothing, "file of fields for who stands before the controller";
        CA_CERT: Plain, Words("the system's authorities"), "PEM file: who must have signed its certificate";
        TLS_SKIP_VERIFY: Plain, Value("false"), "do not check the controller's certificate";
        HEARTBEAT_INTERVAL: Plain, Value("30"), "seconds between two signs of life, 1 to 3600";
        WELCOME_TIMEOUT: Plain, Value("30"), "seconds it may take to welcome us, 1 to 600";
        RECONNECT_DELAY: Plain, Value("1"), "seconds before the first new attempt, 1 to 3600";
        MAX_RECONNECT_DELAY: Plain, Value("60"), "seconds before any later one at most, 1 to 86400";
        OPERATIONS_ADDRESS: Plain, Nothing, "where health and metrics listen: address:port";
    }
    Proxies {
        HTTPS_PROXY: Address, Nothing, "proxy to a wss:// controller, and compose's; https_proxy wins";
        HTTP_PROXY: Address, Nothing, "proxy to a ws:// controller, and compose's; http_proxy wins";
        ALL_PROXY: Address, Nothing, "where that is not set; all_proxy wins";
        NO_PROXY: Plain, Nothing, "hosts reached without a proxy; no_proxy wins";
    }
    Idle {
        FORCE_COLOR: Plain, Nothing, "colour even where nobody sees it";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::limits::{
        AUDIT_FILE_BYTES_FLOOR, AUDIT_KEEP_CEILING, AUDIT_RING_CEILING, CLOCK_SKEW_CEILING, CLOCK_SKEW_SECS,
        COMPOSE_SECS, COMPOSE_SECS_CEILING, CONNECTIONS_CEILING, CONNECTIONS_MAX as CONNECTIONS,
        EDGE_FIRST_DELAY_CEILING, EDGE_HEARTBEAT_CEILING, EDGE_LONGEST_DELAY_CEILING, EDGE_WELCOME_CEILING,
        ENGINE_SECS, ENGINE_SECS_CEILING, NONCES_PER_KEY_CEILING, NONCES_PER_KEY_MAX,
    };

    #[test]
    fn every_name_stands_once_and_in_the_order_of_the_sections() {
        let names: BTreeSet<_> = TABLE.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), TABLE.len());
        assert!(TABLE.is_sorted_by_key(|row| row.section));
    }

    #[test]
    fn every_row_fits_on_a_line_and_says_something() {
        for row in TABLE {
            assert!((10..=64).contains(&row.meaning.len()), "{}", row.name);
            assert!(!row.meaning.ends_with('.'), "{}", row.name);
        }
    }

    #[test]
    fn what_holds_a_secret_is_marked_so() {
        for row in TABLE {
            let named =
                ["TOKEN", "SECRET", "KEY", "HASH", "HEADERS"].iter().any(|word| row.name.contains(word));
            // Public keys, and lists of permissions and of names.
            let harmless = row.name.starts_with("AUTHORIZED_KEYS")
                || ["TOKEN_ALLOW", "REDACT_HEADERS"].contains(&row.name);
            let is_path = row.name.ends_with("_FILE") || row.name == "TLS_KEY";
            let is_address = row.name == "DRYDOCK_URL" || row.section == Section::Proxies;
            let holds = match (named && !harmless, is_path) {
                (false, _) if is_address && row.name != "NO_PROXY" => Address,
                (false, _) => Plain,
                (true, false) => Secret,
                (true, true) => SecretPath,
            };
            assert_eq!(row.holds, holds, "{}", row.name);
        }
    }

    #[test]
    fn the_limits_told_are_the_limits() {
        assert_eq!(REQUEST_TIMEOUT.default_value(), ENGINE_SECS.to_string());
        assert!(REQUEST_TIMEOUT.meaning.ends_with(&format!(" to {ENGINE_SECS_CEILING}")));
        assert_eq!(CONNECTIONS_MAX.default_value(), CONNECTIONS.to_string());
        assert!(CONNECTIONS_MAX.meaning.ends_with(&format!(" to {CONNECTIONS_CEILING}")));
        assert_eq!(MAX_CLOCK_SKEW_SECONDS.default_value(), CLOCK_SKEW_SECS.to_string());
        assert!(MAX_CLOCK_SKEW_SECONDS.meaning.ends_with(&format!(" to {CLOCK_SKEW_CEILING}")));
        assert_eq!(NONCE_LRU_SIZE.default_value(), NONCES_PER_KEY_MAX.to_string());
        assert!(NONCE_LRU_SIZE.meaning.ends_with(&format!(" to {NONCES_PER_KEY_CEILING}")));
        assert!(AUDIT_BUFFER_SIZE.meaning.ends_with(&format!(" 0 to {AUDIT_RING_CEILING}")));
        assert!(AUDIT_MAX_BYTES.meaning.ends_with(&format!(" at least {AUDIT_FILE_BYTES_FLOOR}")));
        assert!(AUDIT_KEEP.meaning.ends_with(&format!(" 1 to {AUDIT_KEEP_CEILING}")));
        assert_eq!(COMPOSE_TIMEOUT.default_value(), COMPOSE_SECS.to_string());
        for (row, ceiling) in [
            (&COMPOSE_TIMEOUT, COMPOSE_SECS_CEILING),
            (&HEARTBEAT_INTERVAL, EDGE_HEARTBEAT_CEILING),
            (&WELCOME_TIMEOUT, EDGE_WELCOME_CEILING),
            (&RECONNECT_DELAY, EDGE_FIRST_DELAY_CEILING),
            (&MAX_RECONNECT_DELAY, EDGE_LONGEST_DELAY_CEILING),
        ] {
            assert!(row.meaning.ends_with(&format!(", 1 to {ceiling}")), "{}", row.name);
        }
    }

    #[test]
    fn proxies_alone_go_by_two_names() {
        assert_eq!(HTTPS_PROXY.names(), ["https_proxy", "HTTPS_PROXY"]);
        assert_eq!(PORT.names(), ["PORT"]);
        let both = TABLE.iter().filter(|row| row.names().len() > 1);
        assert!(both.map(|row| row.name).eq(["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"]));
    }

    /// The names of the reference of variables; a row that is dropped or forgotten is seen here.
    #[test]
    fn the_table_is_complete() {
        let mut names: Vec<_> = TABLE.iter().map(|row| row.name).collect();
        names.sort_unstable();
        let expected = "ADAPTER AGENT_ID AGENT_NAME ALLOWED_ORIGINS ALLOW_IN_ENVIRONMENTS \
            ALLOW_IN_PRODUCTION ALLOW_NON_LOOPBACK ALLOW_UNAUTHENTICATED ALLOW_UNAUTHENTICATED_REMOTE \
            ALL_PROXY AUDIT_BUFFER_SIZE AUDIT_CHAIN AUDIT_DETAIL AUDIT_KEEP AUDIT_LOG AUDIT_MAX_BYTES \
            AUDIT_REQUIRED AUTHORIZED_KEYS AUTHORIZED_KEYS_FILE \
            BIND_ADDRESS CA_CERT CLIENT_CA COMPOSE_TIMEOUT CONNECTIONS_MAX DD_AGENT_SECRET DD_AGENT_SECRET_FILE \
            DD_POLL_INTERVAL DOCKER_CERT_PATH DOCKER_HOST DOCKER_SOCKET DOCKER_TLS_VERIFY DRYDOCK_URL \
            EDGE_ALLOW EDGE_HEADERS_FILE EDGE_PROTOCOL EDGE_REQUIRE_SIGNATURE ENROLLMENT_TOKEN \
            ENROLLMENT_TOKEN_FILE FORCE_COLOR HEARTBEAT_INTERVAL HOME HOST_PROC HTTPS_PROXY HTTP_PROXY \
            LOG_LEVEL LOOKOUT_ENV MAX_CLOCK_SKEW_SECONDS MAX_RECONNECT_DELAY NONCE_LRU_SIZE NO_COLOR \
            NO_PROXY OPERATIONS_ADDRESS PORT PRIVATE_KEY_FILE RECONNECT_DELAY REDACT_FIELDS REDACT_HEADERS \
            REQUEST_TIMEOUT RUNTIME_DIR SANDBOX SKIP_DF_COLLECTION STACKS_DIR STATE_DIR TLS_CERT TLS_KEY TLS_SKIP_VERIFY TOKEN TOKEN_ALLOW TOKEN_FILE \
            TOKEN_HASH TOKEN_HASH_FILE TRUSTED_PROXIES WELCOME_TIMEOUT";
        assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
    }
}
