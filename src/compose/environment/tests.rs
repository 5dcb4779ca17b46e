//! Which variables are taken, how they are kept, and what a program gets to see of them.

mod readers;

use super::*;
use readers::{first, later};

fn key(text: &str) -> EnvKey {
    EnvKey::parse(text).unwrap()
}

fn var(name: &str, value: &str) -> (EnvKey, EnvValue) {
    let key = key(name);
    let value = EnvValue::parse(&key, Secret::new(value.to_owned())).unwrap();
    (key, value)
}

fn written(vars: &[(EnvKey, EnvValue)]) -> String {
    String::from_utf8(env_file(vars).expose().clone()).unwrap()
}

fn told(vars: &[(EnvKey, EnvValue)]) -> Vec<(String, String)> {
    vars.iter().map(|(key, value)| (key.as_str().to_owned(), value.expose().to_owned())).collect()
}

/// Values made of what readers of such files take for signs, the same ones at every run.
fn nasty_values(count: usize) -> Vec<String> {
    const PARTS: [&str; 26] = [
        "\\", "\\", "'", "'", "\"", "\"", "$", "${", "}", "{X}", "X", ":-", " ", "\t", "#", " #", "=", "`",
        "n", "a", "é", "\u{2028}", "\u{85}", "\u{1b}", "😀", "!",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state.checked_rem(below as u64).unwrap()).unwrap()
    };
    (0..count).map(|_| (0..next(9)).map(|_| PARTS[next(PARTS.len())]).collect()).collect()
}

#[test]
fn a_key_is_a_name_as_every_language_knows_it() {
    for good in ["A", "_", "a_1", "_A9", "DB_PASSWORD", "ENVIRONMENT", "PATHS", "LDAP_HOST", "GOPATH", "LANG"]
    {
        assert_eq!(key(good).as_str(), good);
    }
    for bad in ["", "1A", "A-B", "A B", "A=B", "A\nB", "É", "A.B", " A", "A\0", "-A", &"A".repeat(257)] {
        assert_eq!(EnvKey::parse(bad), Err(Invalid::EnvKey(bad.to_owned())), "{bad:?}");
    }
    assert_eq!(key(&"A".repeat(256)).as_str().len(), 256);
}

#[test]
fn what_changes_how_a_program_works_is_denied_in_any_case() {
    for name in [
        "PATH",
        "HOME",
        "SHELL",
        "BASH_ENV",
        "ENV",
        "CDPATH",
        "IFS",
        "TMPDIR",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "LD_AUDIT",
        "DYLD_INSERT_LIBRARIES",
        "DOCKER_HOST",
        "DOCKER_CONFIG",
        "DOCKER_CERT_PATH",
        "DOCKER_TLS",
        "DOCKER_TLS_VERIFY",
        "DOCKER_CONTEXT",
        "DOCKER_API_VERSION",
        "COMPOSE_FILE",
        "COMPOSE_PROJECT_NAME",
        "BUILDX_CONFIG",
        "BUILDKIT_HOST",
        "GIT_SSH_COMMAND",
        "SSH_AUTH_SOCK",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "GODEBUG",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "SSLKEYLOGFILE",
        "OPENSSL_CONF",
        "GCONV_PATH",
        "GLIBC_TUNABLES",
    ] {
        let lower = name.to_ascii_lowercase();
        let mixed = lower.replacen(|_: char| true, &name[..1], 1);
        for name in [name, &lower, &mixed] {
            assert_eq!(EnvKey::parse(name), Err(Invalid::EnvDenied(name.to_owned())));
        }
    }
}

#[test]
fn a_value_is_one_line_and_fits() {
    let parse = |value: String| EnvValue::parse(&key("K"), Secret::new(value)).map(|_| ());
    for bad in ["a\nB=c", "\n", "a\r", "\0", "a\0b"] {
        assert_eq!(parse(bad.to_owned()), Err(Invalid::EnvValue("K".into())), "{bad:?}");
    }
    for good in ["", " ", "\t", "a=b", "$(id)", "`id`", "\u{2028}", "é"] {
        assert_eq!(parse(good.to_owned()), Ok(()), "{good:?}");
    }
    assert_eq!(parse("x".repeat(COMPOSE_ENV_VALUE_BYTES_MAX)), Ok(()));
    assert_eq!(parse("x".repeat(COMPOSE_ENV_VALUE_BYTES_MAX + 1)), Err(Invalid::EnvLong("K".into())));
}

#[test]
fn debug_shows_no_value() {
    let (_, value) = var("K", "hunter2");
    assert!(!format!("{value:?}").contains("hunter2"));
}

#[test]
fn a_value_is_written_in_the_plainest_form_that_keeps_it() {
    for (value, form) in [
        ("", ""),
        ("postgres://db:5432/x?y=z", "'postgres://db:5432/x?y=z'"),
        ("https://host/path", "https://host/path"),
        ("a b", "'a b'"),
        (" a ", "' a '"),
        ("it's", r"'it\'s'"),
        ("a#b", "'a#b'"),
        ("a #b", "'a #b'"),
        ("pa$$word", "'pa$$word'"),
        ("$HOME", "'$HOME'"),
        ("`id`", "'`id`'"),
        (r#""quoted""#, r#"'"quoted"'"#),
        (r"C:\dir", r"'C:\dir'"),
        (r"C:\dir\", r"C:\dir\"),
        (r"\\server\share", r"\\server\share"),
        ("é☃", "'é☃'"),
        ("${X}", r#""\${X}" #""#),
        (r"it\'s", r"it\'s"),
        (r"a b\", r"a b\"),
        (r"$\", r#""\$\\" #""#),
        (r#"$\""#, r#"'$\"'"#),
        (r" \", r#"" \\" #""#),
    ] {
        let text = written(&[var("K", value)]);
        assert_eq!(text, format!("K={form}\n"));
    }
}

#[test]
fn whatever_the_values_each_line_is_one_variable() {
    for values in nasty_values(6000).chunks(6) {
        let mut vars: Vec<_> =
            values.iter().enumerate().map(|(index, value)| var(&format!("K{index}"), value)).collect();
        vars.push(var("LAST", "it's the last"));
        let text = written(&vars);
        assert_eq!(text.lines().count(), vars.len(), "{text}");
        for (line, (key, _)) in text.split_terminator('\n').zip(&vars) {
            assert!(line.starts_with(&format!("{}=", key.as_str())), "{line}");
        }
    }
}

#[test]
fn the_later_generation_reads_every_value_as_it_was_given() {
    for values in nasty_values(6000).chunks(6) {
        let vars: Vec<_> =
            values.iter().enumerate().map(|(index, value)| var(&format!("K{index}"), value)).collect();
        let text = written(&vars);
        assert_eq!(later(&text), told(&vars), "{text}");
    }
}

#[test]
fn the_first_generation_reads_every_variable_and_most_values_as_they_were_given() {
    let mut others = 0;
    for values in nasty_values(6000).chunks(6) {
        let vars: Vec<_> =
            values.iter().enumerate().map(|(index, value)| var(&format!("K{index}"), value)).collect();
        let text = written(&vars);
        let read = first(&text);
        let keys = |vars: &[(String, String)]| vars.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        assert_eq!(keys(&read), keys(&told(&vars)), "{text}");
        for ((line, read), given) in text.split_terminator('\n').zip(read).zip(told(&vars)) {
            let is_for_the_later = line.ends_with("\" #\"");
            others += usize::from(is_for_the_later);
            assert!(is_for_the_later || read == given, "{line}");
        }
    }
    assert!(others < 3000, "{others} of 6000 values made of signs");
}

#[test]
fn what_was_written_is_read_back() {
    for values in nasty_values(6000).chunks(6) {
        let vars: Vec<_> =
            values.iter().enumerate().map(|(index, value)| var(&format!("K{index}"), value)).collect();
        assert_eq!(told(&read_back(written(&vars).as_bytes())), told(&vars));
    }
}

#[test]
fn what_others_wrote_is_left_out() {
    for line in [
        "# remark",
        "",
        "K",
        "K: v",
        "export K=v",
        " K=v",
        "K = v",
        "K='v",
        "K='v' # remark",
        "K='plain'",
        "K=a b",
        "K=$HOME",
        "K=\"v\"",
        "K=\"\\n\" #\"",
        "K=v\r",
        "1K=v",
        "PATH=/tmp",
        "ld_preload=x",
        "DOCKER_HOST=tcp://h",
    ] {
        assert_eq!(told(&read_back(format!("{line}\nL='a b'\n").as_bytes())), [("L".into(), "a b".into())]);
    }
    assert_eq!(told(&read_back(b"K=\xff\nL=v")), [("L".into(), "v".into())]);
}

#[test]
fn a_program_sees_its_places_its_settings_and_its_variables_only() {
    let home = Home {
        home: Path::new("/r/home"),
        config: Path::new("/r/config"),
        temp: Path::new("/r/tmp"),
        socket: Path::new("/r/engine"),
    };
    let proxies = [("HTTPS_PROXY", "http://proxy:3128"), ("http_proxy", "http://me:secret@proxy:3128")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let vars = [var("A", "1"), var("LANG", "de_DE.UTF-8"), var("B", "$A")];
    let mut seen = child(&home, &proxies, &vars);
    seen.sort();
    let expected = [
        ("A", "1"),
        ("B", "$A"),
        ("BUILDKIT_HOST", ""),
        ("BUILDX_BUILDER", ""),
        ("BUILDX_CONFIG", "/r/config/buildx"),
        ("COMPOSE_ANSI", "never"),
        ("COMPOSE_DOCKER_CLI_BUILD", "0"),
        ("COMPOSE_EXPERIMENTAL_GIT_REMOTE", "false"),
        ("COMPOSE_EXPERIMENTAL_OCI_REMOTE", "false"),
        ("COMPOSE_MENU", "false"),
        ("COMPOSE_PROGRESS", "plain"),
        ("DOCKER_CERT_PATH", ""),
        ("DOCKER_CONFIG", "/r/config"),
        ("DOCKER_CONTEXT", ""),
        ("DOCKER_HOST", "unix:///r/engine"),
        ("DOCKER_TLS_VERIFY", ""),
        ("HOME", "/r/home"),
        ("HTTPS_PROXY", "http://proxy:3128"),
        ("KUBECONFIG", ""),
        ("LANG", "de_DE.UTF-8"),
        ("NO_COLOR", "1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("PATH", PATH),
        ("SSH_AUTH_SOCK", ""),
        ("TMPDIR", "/r/tmp"),
    ];
    assert_eq!(seen, expected.map(|(name, value)| (OsString::from(name), OsString::from(value))));
}

#[test]
fn no_variable_of_a_caller_has_the_name_of_a_setting() {
    let home = Path::new("/r");
    for (name, _) in child(&Home { home, config: home, temp: home, socket: home }, &[], &[]) {
        let name = name.into_string().unwrap();
        let is_default = DEFAULTS.iter().any(|(default, _)| *default == name);
        assert_eq!(EnvKey::parse(&name).is_ok(), is_default, "{name}");
    }
}

#[test]
fn a_file_of_variables_sets_nothing_that_could_name_another_engine() {
    for text in [
        "BUILDX_CONFIG=/stack/bx",
        "A=1\nexport BUILDX_BUILDER=evil\n",
        "A='1' buildx_config=/x",
        "A=\"\nB='\" BUILDX_CONFIG=/x '\n",
        "otel_exporter_otlp_metrics_endpoint : http://x",
        "\u{feff}LD_PRELOAD=x",
        "X=a\rHTTPS_PROXY=http://x\r",
        "DOCKER_CLI_OTEL_EXPORTER_OTLP_ENDPOINT\t=x",
    ] {
        assert!(matches!(look(text.as_bytes()), Err(Invalid::EnvDenied(_))), "{text:?}");
    }
    for text in [
        "",
        "# BUILDX is not used\nCOMPOSE_PROFILES=a,b\nDOCKER_DIR=/srv\nHOME=/x\nPATH=/x\n",
        "URL=\"http://x/?LDAP=1\"\nMY_LD_PATH=1\nOLD_X=2\n",
    ] {
        assert_eq!(look(text.as_bytes()), Ok(()), "{text:?}");
    }
    // What we wrote ourselves has no name in a value, whatever that looks like.
    let ours = env_file(&[var("A", "x BUILDX_CONFIG=/x"), var("B", "LD_PRELOAD='x'")]);
    assert_eq!(look(ours.expose()), Ok(()));
}
