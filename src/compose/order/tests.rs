//! What an order may say, and the exact words for what it may not.

use super::*;

fn parse(members: &str) -> Result<Order, Unfit> {
    Order::parse(format!(r#"{{"operation":"up","stackName":"web",{members}}}"#).as_bytes())
}

fn order(members: &str) -> Order {
    match parse(members) {
        Ok(order) => order,
        Err(unfit) => panic!("{members}: {unfit:?}"),
    }
}

/// The sentence about an order that could be read.
fn refused(body: &str) -> String {
    match Order::parse(body.as_bytes()) {
        Err(Unfit::Invalid { why, .. }) => why.to_string(),
        Err(Unfit::Malformed(why)) => panic!("{body}: {why}"),
        Ok(_) => panic!("{body} is taken"),
    }
}

fn malformed(body: &[u8]) -> String {
    match Order::parse(body) {
        Err(Unfit::Malformed(why)) => why,
        Err(Unfit::Invalid { why, .. }) => panic!("{why}"),
        Ok(_) => panic!("{} is taken", String::from_utf8_lossy(body)),
    }
}

/// The same with an operation and a name that are good.
fn refused_with(members: &str) -> String {
    refused(&format!(r#"{{"operation":"up","stackName":"web",{members}}}"#))
}

#[test]
fn the_least_order_is_an_operation_and_a_name() {
    let order = order(r#""unknown":{"a":[1]},"other":null"#);
    assert_eq!((order.operation, order.stack.as_str()), (Operation::Up, "web"));
    assert_eq!(order.dir.to_string(), "web");
    assert_eq!(order.flags, Flags::default());
    assert!(order.services.is_empty() && order.files.is_empty() && order.registries.is_empty());
    assert!(order.env.is_none());
}

#[test]
fn null_is_as_good_as_nothing() {
    let order = order(
        r#""stackDir":null,"services":null,"envVars":null,"files":null,"registryAuth":null,"build":null,"tail":null,
           "timeout":null,"format":null"#,
    );
    assert_eq!(order.flags, Flags::default());
    assert!(order.env.is_none() && order.services.is_empty());
    assert_eq!(refused(r#"{"operation":"up","stackName":null}"#), "stack name is required");
}

#[test]
fn an_order_is_read_whole() {
    let order = order(
        r#""stackDir":"team/web","services":["a","b"],"envVars":{"A":"1","B":"\u00e9"},
           "files":{"compose.yaml":"services: {}\n","bin/logo.png":"base64:iVBORw==","lines":"base64:aGVs\r\nbG8=\n"},
           "registryAuth":[{"server":"ghcr.io","username":"u","password":"p","email":7}],"removeVolumes":true"#,
    );
    assert_eq!(order.dir.segments().collect::<Vec<_>>(), ["team", "web"]);
    assert_eq!(order.services.iter().map(ServiceName::as_str).collect::<Vec<_>>(), ["a", "b"]);
    let env = order.env.unwrap();
    let env: Vec<_> = env.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
    assert_eq!(env, [("A", "1"), ("B", "é")]);
    let files: Vec<_> =
        order.files.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect();
    assert_eq!(
        files,
        [("compose.yaml", &b"services: {}\n"[..]), ("bin/logo.png", b"\x89PNG"), ("lines", b"hello")]
    );
    assert_eq!(order.registries[0].key(), "ghcr.io");
    assert!(order.flags.remove_volumes);
}

#[test]
fn one_registry_needs_no_list() {
    let order = order(r#""registryAuth":{"server":"ghcr.io","username":"u","password":"p"}"#);
    assert_eq!(order.registries.len(), 1);
}

#[test]
fn variables_that_are_given_and_empty_are_not_the_same_as_none() {
    assert!(order(r#""envVars":{}"#).env.is_some_and(|env| env.is_empty()));
}

#[test]
fn what_is_no_order_is_malformed() {
    for body in [
        "",
        "{",
        "null",
        "[]",
        r#"["up","web"]"#,
        r#""up""#,
        "{} {}",
        r#"{"operation":1}"#,
        r#"{"operation":["up"]}"#,
        r#"{"stackName":{}}"#,
        r#"{"services":"a"}"#,
        r#"{"services":[1]}"#,
        r#"{"services":[null]}"#,
        r#"{"services":{"a":"b"}}"#,
        r#"{"build":"true"}"#,
        r#"{"build":1}"#,
        r#"{"tail":"5"}"#,
        r#"{"tail":5.5}"#,
        r#"{"timeout":99999999999999999999}"#,
        r#"{"envVars":[]}"#,
        r#"{"envVars":{"A":1}}"#,
        r#"{"envVars":{"A":null}}"#,
        r#"{"files":{"a":["b"]}}"#,
        r#"{"registryAuth":"ghcr.io"}"#,
        r#"{"registryAuth":["ghcr.io"]}"#,
        r#"{"registryAuth":[["ghcr.io","u","p"]]}"#,
        r#"{"registryAuth":{"server":1}}"#,
        r#"{"operation":"up","operation":"down"}"#,
        r#"{"stackName":"a","stackName":"b"}"#,
        r#"{"envVars":{"A":"1","A":"2"}}"#,
        r#"{"files":{"a":"1","\u0061":"2"}}"#,
        r#"{"registryAuth":{"server":"a","server":"b"}}"#,
        "{\"operation\":\"\u{1}\"}",
        r#"{"operation":"\ud800"}"#,
    ] {
        let why = malformed(body.as_bytes());
        assert!(why.starts_with("invalid request: ") && why.len() > 20, "{why}");
    }
    malformed(b"{\"operation\":\"\xff\"}");
    let long = malformed(format!(r#"{{"build":"{}"}}"#, "é".repeat(5000)).as_bytes());
    assert!(long.chars().count() < 400, "{long}");
}

#[test]
fn what_is_wrong_is_said_in_these_words() {
    for (body, sentence) in [
        (r#"{"stackName":"web"}"#, r#"unsupported compose operation: """#),
        (r#"{"operation":"x","stackName":"web"}"#, r#"unsupported compose operation: "x""#),
        (r#"{"operation":"UP","stackName":"web"}"#, r#"unsupported compose operation: "UP""#),
        (r#"{"operation":"up"}"#, "stack name is required"),
        (r#"{"operation":"up","stackName":""}"#, "stack name is required"),
    ] {
        assert_eq!(refused(body), sentence);
    }
    for (members, sentence) in [
        (r#""envVars":{"A-B":"1"}"#, r#"invalid env var key: "A-B""#),
        (r#""envVars":{"":"1"}"#, r#"invalid env var key: """#),
        (r#""envVars":{"LD_PRELOAD":"1"}"#, r#"env var "LD_PRELOAD" is not allowed"#),
        (r#""envVars":{"A":"b\nC=d"}"#, r#"env var "A": value contains invalid characters"#),
        (r#""envVars":{"A":"b\r"}"#, r#"env var "A": value contains invalid characters"#),
        (r#""envVars":{"A":"\u0000"}"#, r#"env var "A": value contains invalid characters"#),
        (r#""services":["a","-x"]"#, r#"invalid service name: "-x""#),
        (r#""services":[""]"#, r#"invalid service name: """#),
        (r#""services":["$(id)"]"#, r#"invalid service name: "$(id)""#),
        (r#""registryAuth":{"username":"u","password":"p"}"#, "registry server is required"),
        (r#""files":{"a":"base64:???"}"#, r#"invalid file content: "a" is not base64"#),
        (r#""files":{"a":"base64:aGVsbG8"}"#, r#"invalid file content: "a" is not base64"#),
    ] {
        assert_eq!(refused_with(members), sentence);
    }
    for (members, begin, remedy) in [
        (r#""stackDir":"../x""#, r#"invalid stack path: "../x"; "#, "below the directory of stacks"),
        (r#""stackDir":".""#, r#"invalid stack path: "."; "#, "begins with '-' or '.'"),
        (r#""files":{"../x":""}"#, r#"invalid file path: "../x"; "#, "downwards"),
        (r#""files":{"/etc/passwd":""}"#, r#"invalid file path: "/etc/passwd"; "#, "downwards"),
        (r#""files":{"a/b":"","a":""}"#, r#"invalid file path: "a"; "#, "stands below it"),
        (r#""files":{".env.drydock":""},"envVars":{}"#, r#"invalid file path: ".env.drydock"; "#, "envVars"),
        (
            r#""registryAuth":{"server":"http://ghcr.io","username":"u","password":"p"}"#,
            r#"invalid registry server: "http://ghcr.io"; "#,
            "https://",
        ),
        (
            r#""registryAuth":{"server":"ghcr.io","username":"a:b","password":"p"}"#,
            r#"registry "ghcr.io": invalid username; "#,
            "':'",
        ),
        (
            r#""registryAuth":{"server":"ghcr.io","username":"u"}"#,
            r#"registry "ghcr.io": invalid password; "#,
            "required",
        ),
        (
            r#""registryAuth":[{"server":"docker.io","username":"u","password":"p"},
               {"server":"https://index.docker.io/v1/","username":"v","password":"q"}]"#,
            "registry \"https://index.docker.io/v1/\"",
            "twice",
        ),
    ] {
        let said = refused_with(members);
        assert!(said.starts_with(begin) && said.contains(remedy), "{said}");
    }
    let name = refused(r#"{"operation":"up","stackName":".."}"#);
    assert!(name.starts_with(r#"invalid stack name: ".."; "#), "{name}");
}

#[test]
fn the_file_of_variables_may_be_a_file_of_the_order_where_there_are_no_variables() {
    assert_eq!(order(r#""files":{".env.drydock":"A=1\n"}"#).files.len(), 1);
}

#[test]
fn flags_are_judged_where_they_mean_something() {
    let with = |operation: &str, members: &str| {
        format!(r#"{{"operation":"{operation}","stackName":"web",{members}}}"#)
    };
    for operation in ["down", "restart", "stop"] {
        for secs in ["-1", "86401", "9223372036854775807"] {
            let said = refused(&with(operation, &format!(r#""timeout":{secs}"#)));
            assert_eq!(said, format!("invalid timeout: {secs}; it is 0 to 86400 seconds"));
        }
        let taken = Order::parse(with(operation, r#""timeout":86400"#).as_bytes());
        assert!(taken.is_ok_and(|order| order.flags.timeout == Some(86_400)));
    }
    let said = refused(&with("config", r#""format":"toml""#));
    assert!(said.starts_with(r#"invalid format: "toml"; "#), "{said}");
    assert_eq!(order(r#""timeout":-1,"format":"toml""#).flags, Flags::default());
    for (tail, read) in [("5", Some(5)), ("0", None), ("-3", None)] {
        assert_eq!(order(&format!(r#""tail":{tail}"#)).flags.tail, read);
    }
}

#[test]
fn only_logs_that_are_followed_have_no_end() {
    for (operation, follow, endless) in [("logs", true, true), ("logs", false, false), ("ps", true, false)] {
        let body = format!(r#"{{"operation":"{operation}","stackName":"web","follow":{follow}}}"#);
        assert!(Order::parse(body.as_bytes()).is_ok_and(|order| order.has_no_end() == endless));
    }
}

#[test]
fn images_are_built_where_that_is_asked_for() {
    for (operation, build, builds) in [
        ("build", false, true),
        ("up", true, true),
        ("up", false, false),
        ("create", true, true),
        ("pull", true, false),
        ("ps", true, false),
    ] {
        let body = format!(r#"{{"operation":"{operation}","stackName":"web","build":{build}}}"#);
        assert!(Order::parse(body.as_bytes()).is_ok_and(|order| order.builds() == builds), "{body}");
    }
}

#[test]
fn what_is_wrong_first_is_said_first() {
    let all = |operation: &str, name: &str, dir: &str, key: &str, service: &str, file: &str| {
        refused(&format!(
            r#"{{"registryAuth":{{}},"files":{{"{file}":""}},"services":["{service}"],"envVars":{{"{key}":"\n"}},
               "stackDir":"{dir}","stackName":"{name}","operation":"{operation}"}}"#
        ))
    };
    assert!(all("x", "..", "..", "-", "-", "..").starts_with("unsupported compose operation"));
    assert!(all("up", "..", "..", "-", "-", "..").starts_with("invalid stack name"));
    assert!(all("up", "w", "..", "-", "-", "..").starts_with("invalid stack path"));
    assert!(all("up", "w", "d", "-", "-", "..").starts_with("invalid env var key"));
    assert!(all("up", "w", "d", "K", "-", "..").starts_with("env var \"K\": value"));
}

#[test]
fn as_many_entries_are_taken_as_the_limits_say() {
    let list =
        |count: usize, entry: &dyn Fn(usize) -> String| (0..count).map(entry).collect::<Vec<_>>().join(",");
    let service = |index| format!(r#""s{index}""#);
    let member = |index| format!(r#""k{index}":"""#);
    let registry = |index| format!(r#"{{"server":"h{index}","username":"u","password":"p"}}"#);
    for (max, open, close, entry, what) in [
        (COMPOSE_SERVICES_MAX, "\"services\":[", "]", &service as &dyn Fn(usize) -> String, "services"),
        (COMPOSE_ENV_MAX, "\"envVars\":{", "}", &member, "env vars"),
        (COMPOSE_FILES_MAX, "\"files\":{", "}", &member, "files"),
        (COMPOSE_REGISTRIES_MAX, "\"registryAuth\":[", "]", &registry, "registries"),
    ] {
        assert!(parse(&format!("{open}{}{close}", list(max, entry))).is_ok(), "{what}");
        for more in [1, 2, 1000] {
            let said = refused_with(&format!("{open}{}{close}", list(max + more, entry)));
            assert_eq!(said, format!("more than {max} {what}"));
        }
    }
}

#[test]
fn variables_are_bounded_alone_and_together() {
    let value = |bytes| "x".repeat(bytes);
    let said = refused_with(&format!(r#""envVars":{{"A":"{}"}}"#, value(64 * 1024 + 1)));
    assert_eq!(said, r#"env var "A": value is longer than 65536 bytes"#);
    let many = (0..17).map(|index| format!(r#""A{index}":"{}""#, value(63 * 1024))).collect::<Vec<_>>();
    let said = refused_with(&format!(r#""envVars":{{{}}}"#, many.join(",")));
    assert_eq!(said, "env vars are larger than 1048576 bytes together");
    assert!(parse(&format!(r#""envVars":{{{}}}"#, many[..16].join(","))).is_ok());
}

#[test]
fn what_was_written_is_told_for_the_record_and_cut() {
    let body = format!(r#"{{"operation":"{}","stackName":"{}"}}"#, "é".repeat(500), "n".repeat(500));
    let Err(Unfit::Invalid { operation, stack, why }) = Order::parse(body.as_bytes()) else {
        panic!("{body}")
    };
    assert_eq!(
        (operation, stack),
        ("é".repeat(COMPOSE_SHOWN_CHARS_MAX), "n".repeat(COMPOSE_SHOWN_CHARS_MAX))
    );
    assert!(why.to_string().chars().count() < 150);
}

#[test]
fn a_refusal_is_one_line_whatever_was_written() {
    for name in [r"a\nb", r"\u001b[2J", r"\u0000", r"\u2028", "\u{85}"] {
        let said = refused_with(&format!(r#""services":["{name}"]"#));
        assert!(!said.contains(char::is_control) && !said.contains('\u{2028}'), "{said:?}");
    }
}

#[test]
fn no_refusal_tells_a_value_or_a_password() {
    for members in [
        r#""envVars":{"A":"hunter2\n"}"#,
        r#""envVars":{"PATH":"hunter2"}"#,
        r#""registryAuth":{"server":"ghcr.io","username":"u","password":"hunter2\n"}"#,
        r#""registryAuth":{"server":"","username":"u","password":"hunter2"}"#,
        r#""files":{"a":"base64:hunter2?"}"#,
    ] {
        assert!(!refused_with(members).contains("hunter2"), "{members}");
    }
}
