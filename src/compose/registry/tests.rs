//! Which registries are taken, and the file that a program finds them in.

use super::*;

fn parse(server: &str, username: &str, password: &str) -> Result<Registry, Invalid> {
    Registry::parse(server, username, Secret::new(password.to_owned()))
}

#[test]
fn a_registry_is_known_by_its_host_and_port() {
    for (server, key) in [
        ("ghcr.io", "ghcr.io"),
        ("GHCR.io", "ghcr.io"),
        ("https://ghcr.io", "ghcr.io"),
        ("HTTPS://ghcr.io/", "ghcr.io"),
        ("https://registry.example.com/v2/", "registry.example.com"),
        ("registry.example.com:5000", "registry.example.com:5000"),
        ("https://registry.example.com:443/v2", "registry.example.com:443"),
        ("my_registry", "my_registry"),
        ("192.0.2.7:5000", "192.0.2.7:5000"),
        ("https://[2001:db8::1]:5000", "[2001:db8::1]:5000"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
        ("docker.io", DOCKER_HUB),
        ("index.docker.io", DOCKER_HUB),
        ("registry-1.docker.io", DOCKER_HUB),
        ("https://index.docker.io/v1/", DOCKER_HUB),
        ("https://docker.io:443", DOCKER_HUB),
        ("docker.io:5000", "docker.io:5000"),
        ("localhost:5000", "localhost:5000"),
        ("http://localhost:5000", "localhost:5000"),
        ("http://127.9.9.9", "127.9.9.9"),
        ("http://[::1]:5000/", "[::1]:5000"),
    ] {
        assert_eq!(parse(server, "u", "p").unwrap().key(), key, "{server}");
    }
}

#[test]
fn an_address_that_is_none_or_gives_the_password_away_is_refused() {
    let refuse = |server: &str, why| {
        let wrong = parse(server, "u", "p").unwrap_err();
        assert_eq!(wrong, Invalid::Registry { server: server.to_owned(), why }, "{server}");
    };
    refuse("", Unusable::NoServer);
    for server in [
        "http://ghcr.io",
        "HTTP://ghcr.io",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://128.0.0.1",
    ] {
        refuse(server, Unusable::Plain);
    }
    for server in [
        "ftp://ghcr.io",
        "://ghcr.io",
        "https://",
        "https:///v2",
        "/v2",
        "ghcr.io:",
        "ghcr.io:0",
        "ghcr.io:05",
        "ghcr.io:65536",
        "ghcr.io:+5",
        "ghcr.io:a",
        "a:b:c",
        "user@ghcr.io",
        "https://user:pass@ghcr.io",
        "ghcr.io/v2?x=y",
        "ghcr.io/#x",
        "ghcr .io",
        "ghcr..io",
        ".ghcr.io",
        "-ghcr.io",
        "ghcr.io\n",
        "ghcr.io\",\"x",
        "gh\\cr.io",
        "ghcr.io\0",
        "é.io",
        "[::1",
        "[localhost]",
        "2001:db8::1",
        "--help",
        &"a.".repeat(130),
        &"a".repeat(64),
    ] {
        refuse(server, Unusable::Address);
    }
}

#[test]
fn a_user_and_a_password_are_texts_that_can_be_told_apart() {
    let long = "x".repeat(COMPOSE_REGISTRY_BYTES_MAX + 1);
    for username in ["", "a:b", "a\n", "a\0", "\u{7f}", &long] {
        let why = Unusable::Username;
        let wrong = parse("ghcr.io", username, "p").unwrap_err();
        assert_eq!(wrong, Invalid::Registry { server: "ghcr.io".into(), why });
    }
    for password in ["", "a\n", "a\r", "a\0", &long] {
        let wrong = parse("ghcr.io", "u", password).unwrap_err();
        assert_eq!(wrong, Invalid::Registry { server: "ghcr.io".into(), why: Unusable::Password });
        assert!(!wrong.to_string().contains("xxxx"));
    }
    assert!(parse("ghcr.io", "me@example.com", "a:b \"é\" $x").is_ok());
}

#[test]
fn the_file_has_every_credential_and_the_places_of_plugins() {
    let registries = [
        parse("ghcr.io", "me", "pa:ss\"é").unwrap(),
        parse("docker.io", "you", &"long".repeat(3000)).unwrap(),
    ];
    let dirs = ["/usr/libexec/docker/cli-plugins", "/with \"quotes\""];
    let file = config_json(&registries, &dirs);
    let read: serde_json::Value = serde_json::from_slice(file.expose()).unwrap();
    let auth = |credential: &str| serde_json::json!({"auth": BASE64.encode(credential.as_bytes())});
    let expected = serde_json::json!({
        "auths": {
            "ghcr.io": auth("me:pa:ss\"é"),
            DOCKER_HUB: auth(&format!("you:{}", "long".repeat(3000))),
        },
        "cliPluginsExtraDirs": dirs,
    });
    assert_eq!(read, expected);
}

#[test]
fn without_registries_there_are_no_credentials() {
    assert_eq!(config_json(&[], &[]).expose(), br#"{"auths":{}}"#);
    assert_eq!(config_json(&[], &["/p"]).expose(), br#"{"cliPluginsExtraDirs":["/p"],"auths":{}}"#);
}

#[test]
fn debug_shows_no_password() {
    assert!(!format!("{:?}", parse("ghcr.io", "me", "hunter2").unwrap()).contains("hunter2"));
}
