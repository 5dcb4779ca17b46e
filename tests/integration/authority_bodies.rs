//! Bodies that are judged: what is judged is what is forwarded, whatever its framing, size and spelling.
use std::io::Write as _;
use std::thread;

use crate::agent::{Agent, TOKEN};
use crate::engine::Engine;
use crate::message::Message;
use crate::signer::{Draft, Signer, head};
use crate::world::{World, chunked, exchange, signed, signed_head};

const CREATE: &str = "POST /v1.41/containers/create";
const JSON: &str = "Content-Type: application/json\r\n";

/// What the agent holds of a body to judge it.
const LIMIT: usize = 4 * 1024 * 1024;

/// Keys within the guard and beyond it, and a token within.
fn creator() -> World {
    let options = [r#"allow="create,exec",mount="/srv/web,/etc/ssl:ro""#, r#"allow="create,exec,host""#];
    World::with(&options, &[("TOKEN_ALLOW", "create,exec")], Box::new(|_| None))
}

#[test]
fn what_is_judged_is_what_is_forwarded_in_whatever_framing_it_came() {
    let world = creator();
    let body =
        b"{ \"Image\":\"r\\u0065dis\",\n\"Env\":[\"A=\\u00e9\"], \"HostConfig\" : {\"Memory\": 1000000} }";
    let forwarded = r#"{"Image":"redis","Env":["A=é"],"HostConfig":{"Memory":1000000}}"#;
    let mut requests = vec![signed(1, CREATE, JSON, body)];
    for most in [1, 7, body.len()] {
        let head = signed_head(1, CREATE, &format!("{JSON}Transfer-Encoding: chunked\r\n"), body);
        requests.push([head.into_bytes(), chunked(body, most)].concat());
    }
    for request in requests {
        assert_eq!(world.agent.ask(&request).status(), 200, "{}", String::from_utf8_lossy(&request));
        let seen = world.last();
        assert_eq!(seen.text(), forwarded);
        let length = seen.head.value("content-length").map(str::to_owned);
        assert_eq!(length, Some(forwarded.len().to_string()), "{seen:?}");
        assert!(seen.head.value("transfer-encoding").is_none(), "{seen:?}");
    }
    assert_eq!(world.finish().len(), 4);
}

/// The Engine once acted on a body that its plugins were never shown.
#[test]
fn a_body_behind_its_announced_end_is_no_body() {
    let world = creator();
    let evil = "{\"Image\":\"redis\",\"HostConfig\":{\"Privileged\":true}}\r\n\r\n";
    for framing in ["Content-Length: 0\r\n", "", "Transfer-Encoding: chunked\r\n"] {
        let head = signed_head(1, CREATE, &format!("{JSON}{framing}"), b"");
        let end = if framing.starts_with('T') { "0\r\n\r\n" } else { "" };
        let mut client = world.agent.client();
        client.send(format!("{head}{end}{evil}"));
        let answer = client.answer();
        assert_eq!(answer.status(), 400, "{framing:?}: {}", answer.text());
        // What follows is another request, and none at all.
        if let Ok(next) = client.wire().head() {
            assert_eq!(next.status(), 400, "{framing:?}");
        }
    }
    // A start of a command needs no word; what the Engine gets then was written here.
    let made = world.ask(1, "POST /v1.41/containers/web/exec", r#"{"Cmd":["true"]}"#).text();
    let line = format!("POST /v1.41/exec/{}/start", &made[7..71]);
    for (framing, end) in
        [("", ""), ("Content-Length: 0\r\n", ""), ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n")]
    {
        let head = signed_head(1, &line, &format!("{JSON}{framing}"), b"");
        assert_eq!(world.agent.ask(head + end).status(), 200, "{framing:?}");
        assert_eq!(world.last().text(), "{}", "{framing:?}");
    }
    assert_eq!(world.finish().len(), 4, "the maker of the command, and its three starts");
}

/// Sends what may be answered before it was taken to its end.
fn sent(world: &World, head: String, body: &[u8]) -> Message {
    let mut client = world.agent.client();
    let mut writer = client.writer();
    thread::scope(|scope| {
        scope.spawn(move || {
            let _ = writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(body));
        });
        client.answer()
    })
}

#[test]
fn a_body_as_large_as_is_judged_goes_on_and_one_byte_more_does_not() {
    let world = creator();
    for (size, status) in [(LIMIT - 1, 200), (LIMIT, 200), (LIMIT + 1, 413), (LIMIT * 2, 413)] {
        let empty = r#"{"Image":"redis","Env":["A="]}"#;
        let body = empty.replace("A=", &format!("A={}", "a".repeat(size - empty.len())));
        let bytes = body.as_bytes();
        let (known, pieces) =
            (format!("{JSON}Content-Length: {size}\r\n"), format!("{JSON}Transfer-Encoding: chunked\r\n"));
        for (fields, sent_body) in [(known, bytes.to_vec()), (pieces, chunked(bytes, 100_000))] {
            let before = world.asked().len();
            let answer = sent(&world, signed_head(1, CREATE, &fields, bytes), &sent_body);
            assert_eq!(answer.status(), status, "{size} {fields}");
            if status == 200 {
                assert!(world.last().text() == body, "{size} bytes were forwarded otherwise");
            } else {
                assert!(answer.sentence().contains("4194304 bytes"), "{}", answer.text());
                assert_eq!(world.asked().len(), before, "{size} {fields}");
            }
        }
    }
    assert_eq!(world.finish().len(), 4);
}

/// Bodies that must not go on, each with the status and a part of the sentence.
fn refused(world: &World, key: u8, line: &str, rows: &[(&[u8], u16, &str)]) {
    for (body, status, part) in rows {
        let before = world.asked().len();
        let answer = world.ask_with(key, line, JSON, body);
        let what = String::from_utf8_lossy(body);
        assert_eq!(answer.status(), *status, "{what}: {}", answer.text());
        assert!(answer.sentence().contains(part), "{what}: {}", answer.text());
        assert_eq!(world.asked().len(), before, "{what} reached the Engine");
    }
}

/// What a dockerd took for privileges, in every way it was seen to.
#[test]
fn json_is_read_as_the_engine_reads_it_or_not_at_all() {
    let world = creator();
    let deep = format!("{}{}", "{\"Labels\":".repeat(40), "}".repeat(40));
    let spellings: &[(&[u8], u16, &str)] = &[
        (br#"{"hostconfig":{"privileged":true}}"#, 403, "it is spelt HostConfig"),
        (br#"{"HostConfig":{"privileged":true}}"#, 403, "it is spelt Privileged"),
        ("{\"Ho\u{17f}tConfig\":{\"Privileged\":true}}".as_bytes(), 403, "it is spelt HostConfig"),
        ("{\"HostConfig\":{\"Networ\u{212a}Mode\":\"host\"}}".as_bytes(), 403, "it is spelt NetworkMode"),
        (br#"{"HostConfig":{"Privileged":true},"HostConfig":{"Memory":0}}"#, 400, "HostConfig"),
        (br#"{"HostConfig":{"Privileged":false,"Privileged":true}}"#, 400, "Privileged"),
        (br#"{"HostConfig":{"Privileged":false,"Privilege\u0064":true}}"#, 400, "Privileged"),
        (br#"{"HostConfig":{"Privileged":false,"privileged":true}}"#, 403, "it is spelt Privileged"),
        (br#"{"Image":"redis"}{"HostConfig":{"Privileged":true}}"#, 400, "not read"),
        (br#"{"Image":"redis"}]"#, 400, "not read"),
        (b"{\"Image\":\"redis\",\"Host\xffConfig\":{}}", 400, "not read"),
        (b"\xef\xbb\xbf{\"Image\":\"redis\"}", 400, "not read"),
        (b"", 400, "not read"),
        (b"{\"Image\":\"redis\",}", 400, "not read"),
        (b"{\"Image\":\"redis\"", 400, "not read"),
        (b"[]", 403, "it must be an object"),
        (b"null", 403, "it must be an object"),
        (br#"{"HostConfig":[]}"#, 403, "it must be an object"),
        (deep.as_bytes(), 400, "nested deeper"),
    ];
    refused(&world, 1, CREATE, spellings);
    // Class host lifts the guard, and not the reading.
    let read: Vec<_> =
        spellings.iter().copied().filter(|row| row.1 == 400 || row.2.contains("spelt")).collect();
    refused(&world, 2, CREATE, &read);
    refused(
        &world,
        1,
        CREATE,
        &[
            (br#"{"HostConfi\u0067":{"Privileged":true}}"#, 403, "HostConfig.Privileged"),
            (br#"{"Unknown":1}"#, 403, "nothing is known of it"),
            (br#"{"HostConfig":{"Unknown":1}}"#, 403, "HostConfig.Unknown"),
            (br#"{"HostConfig":{"Memory":0},"Privileged":true}"#, 403, "it stands in HostConfig"),
        ],
    );
    for (kind, status) in [
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        ("text/json", 415),
        ("application/jsonx", 415),
        ("application/x-tar", 415),
    ] {
        let fields = format!("Content-Type: {kind}\r\n");
        assert_eq!(world.ask_with(1, CREATE, &fields, r#"{"Image":"redis"}"#).status(), status, "{kind}");
    }
    assert_eq!(world.finish().len(), 2);
}

#[test]
fn mounts_are_judged_alike_in_both_their_syntaxes() {
    let world = creator();
    let syntaxes = |path: &str, read_only: bool| {
        let option = if read_only { ":ro" } else { "" };
        [
            format!(r#"{{"Image":"redis","HostConfig":{{"Binds":["{path}:/x{option}"]}}}}"#),
            format!(
                r#"{{"Image":"redis","HostConfig":{{"Mounts":[{{"Type":"bind","Source":"{path}","Target":"/x","ReadOnly":{read_only}}}]}}}}"#
            ),
        ]
    };
    for (path, read_only, may) in [
        ("/srv/web", false, true),
        ("/srv/web/a", true, true),
        ("/etc/ssl/certs", true, true),
        ("/etc/ssl", false, false),
        ("/etc", true, false),
        ("/", true, false),
        ("/srv/web/../../etc", true, false),
        ("/srv/webs", false, false),
        ("/var/run/docker.sock", false, false),
    ] {
        for body in syntaxes(path, read_only) {
            let before = world.asked().len();
            let status = world.ask(1, CREATE, &body).status();
            assert_eq!(
                (status, world.asked().len() > before),
                if may { (200, true) } else { (403, false) },
                "{body}"
            );
            if may {
                assert_eq!(world.last().text(), body);
            }
            assert_eq!(world.ask(2, CREATE, &body).status(), 200, "class host: {body}");
        }
    }
    for member in [
        r#""Mounts":[{"Type":"bind","Source":"/srv/web","Target":"/x","BindOptions":{"Propagation":"rshared"}}]"#,
        r#""Mounts":[{"Type":"npipe","Source":"/srv/web","Target":"/x"}]"#,
        r#""Mounts":[{"Type":"image","Source":"redis","Target":"/x"}]"#,
        r#""Mounts":[{"Type":"volume","Target":"/x","VolumeOptions":{"DriverConfig":{"Options":{"o":"bind","device":"/"}}}}]"#,
        r#""Mounts":[{"Type":"volume","Target":"/x","VolumeOptions":{"DriverConfig":{"Name":"evil"}}}]"#,
        r#""Mounts":[{"Type":"bind","Source":"/srv/web","Target":"/x","Unknown":1}]"#,
        r#""Binds":["/srv/web:/x:shared"]"#,
        r#""VolumesFrom":["db"]"#,
        r#""VolumeDriver":"evil""#,
    ] {
        let body = format!(r#"{{"Image":"redis","HostConfig":{{{member}}}}}"#);
        refused(&world, 1, CREATE, &[(body.as_bytes(), 403, "HostConfig.")]);
    }
    refused(
        &world,
        1,
        "POST /v1.41/volumes/create",
        &[(br#"{"Name":"new","DriverOpts":{"type":"none","o":"bind","device":"/"}}"#, 403, "DriverOpts")],
    );
}

#[test]
fn a_command_is_not_run_with_privileges_nor_out_of_proc() {
    let world = creator();
    let line = "POST /v1.41/containers/web/exec";
    let mut rows: Vec<(&[u8], u16, &str)> = vec![
        (br#"{"Cmd":["sh"],"Privileged":true}"#, 403, "Privileged"),
        (br#"{"Cmd":["sh"],"privileged":true}"#, 403, "spelt Privileged"),
        (br#"{"Cmd":["sh"],"Unknown":true}"#, 403, "Unknown"),
    ];
    let bodies: Vec<_> = ["/proc", "/proc/self/fd/8", "//proc//self", "/a/../proc/1", "/proc/.", "/./proc"]
        .map(|path| format!(r#"{{"Cmd":["sh"],"WorkingDir":"{path}"}}"#))
        .to_vec();
    rows.extend(bodies.iter().map(|body| (body.as_bytes(), 403, "WorkingDir")));
    refused(&world, 1, line, &rows);
    let created = br#"{"Image":"redis","WorkingDir":"/proc/self/fd/8"}"#;
    refused(&world, 1, CREATE, &[(created, 403, "WorkingDir")]);
    for body in
        [r#"{"Cmd":["sh"],"WorkingDir":"/process"}"#, r#"{"Cmd":["sh"],"WorkingDir":"","Privileged":false}"#]
    {
        assert_eq!(world.ask(1, line, body).status(), 200, "{body}");
        assert_eq!(world.last().text(), body);
    }
    let lifted = r#"{"Cmd":["sh"],"WorkingDir":"/proc","Privileged":true}"#;
    assert_eq!(world.ask(2, line, lifted).status(), 200);
    assert_eq!(world.last().text(), lifted);
}

/// The first bytes by which the Engine knows how an archive is compressed, and enough behind them.
fn archives() -> Vec<(usize, Vec<u8>)> {
    let magics: [&[u8]; 6] = [
        b"\x1f\x8b\x08",
        b"BZh",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
        b"\x50\x2a\x4d\x18",
        b"\x5f\x2a\x4d\x18",
    ];
    magics.map(|magic| (magic.len(), [magic, &[7; 100_000]].concat())).to_vec()
}

#[test]
fn a_compressed_archive_is_not_unpacked_into_a_container() {
    let world = creator();
    let line = "PUT /v1.41/containers/web/archive?path=%2F";
    let fields = |tag: &str, framing: &str| {
        format!("User-Agent: {tag}\r\nContent-Type: application/x-tar\r\n{framing}")
    };
    let length = |archive: &[u8]| format!("Content-Length: {}\r\n", archive.len());
    for (length_of_magic, archive) in archives() {
        let name = String::from_utf8_lossy(&archive[..length_of_magic]).into_owned();
        let whole = fields("refused", &length(&archive));
        let mut answers = vec![sent(&world, signed_head(1, line, &whole, &archive), &archive)];
        for most in [1, 3, 100_000] {
            // Only the front comes in small pieces: the rest would be as many readings.
            let (front, rest) = archive.split_at(16);
            let front = chunked(front, most);
            let pieces = [front.strip_suffix(b"0\r\n\r\n").unwrap(), &chunked(rest, 100_000)].concat();
            let head = signed_head(1, line, &fields("refused", "Transfer-Encoding: chunked\r\n"), &archive);
            answers.push(sent(&world, head, &pieces));
        }
        // Held until its signature is known to be good, and not signed at all.
        let held = Draft::new(2, line, &archive).fields(&Signer::new(1));
        for credential in [held, format!("Authorization: Bearer {TOKEN}\r\n")] {
            answers.push(sent(&world, head(line, &(credential + &whole)), &archive));
        }
        let mut client = world.agent.client();
        client.send(signed_head(1, line, &whole, &archive));
        // Whoever was answered already need not listen to the rest.
        archive[..16].iter().for_each(|byte| drop(client.try_send([*byte])));
        answers.push(client.answer());
        for answer in answers {
            assert_eq!(answer.status(), 403, "{name:?}");
            assert!(answer.sentence().contains("compressed"), "{}", answer.text());
        }
        let lifted = signed_head(2, line, &fields("lifted", &length(&archive)), &archive);
        assert_eq!(sent(&world, lifted, &archive).status(), 200, "{name:?} with class host");
    }
    let plain = [&b"etc/motd"[..], &[0; 100_000]].concat();
    let whole = fields("plain", &length(&plain));
    let held = Draft::new(2, line, &plain).fields(&Signer::new(1)) + &whole;
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n{whole}");
    for head in [signed_head(1, line, &whole, &plain), head(line, &held), head(line, &bearer)] {
        assert_eq!(sent(&world, head, &plain).status(), 200);
    }
    let calls = world.finish();
    let tagged =
        |tag: &'static str| calls.iter().filter(move |call| call.head.value("user-agent") == Some(tag));
    assert!(tagged("lifted").map(|call| &call.body).eq(archives().iter().map(|(_, archive)| archive)));
    assert!(tagged("plain").all(|call| call.body == plain) && tagged("plain").count() == 3);
    // A beginning may have gone on before it was one of a compressed archive.
    for call in tagged("refused") {
        let is_known = |(magic, archive): &(usize, Vec<u8>)| call.body.starts_with(&archive[..*magic]);
        assert!(
            call.body.len() < 16 && !archives().iter().any(is_known),
            "{:x?} reached the Engine",
            call.body
        );
    }
}

#[test]
fn nothing_is_unpacked_to_be_judged() {
    let world = creator();
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0\x43\xbf\xa6\xa3\x02\0\0\0";
    let fields = format!("{JSON}Content-Encoding: gzip\r\n");
    assert_eq!(world.ask_with(1, CREATE, &fields, gzip).status(), 400);
    let answer =
        exchange(&mut world.agent.client(), CREATE, signed(1, CREATE, &fields, br#"{"Image":"redis"}"#));
    assert_eq!(answer.status(), 200);
    assert!(
        world.last().head.value("content-encoding").is_none(),
        "the Engine would unpack what was not packed"
    );
    assert_eq!(world.finish().len(), 1);
}

#[test]
fn no_body_is_asked_for_where_none_would_be_taken() {
    let engine = Engine::obliging();
    let agent = Agent::start_with(&engine, &[("TOKEN_ALLOW", "create,power")]);
    let body = r#"{"Image":"redis"}"#;
    let waits = format!("{JSON}Content-Length: {}\r\nExpect: 100-continue\r\n", body.len());
    for (line, status) in [
        ("POST /containers/web/exec", 403),
        ("POST /anything", 403),
        ("POST /containers/web/start", 403),
        ("POST /v1.23/containers/create", 400),
        (CREATE, 100),
    ] {
        let mut client = agent.client();
        client.send(head(line, &format!("Authorization: Bearer {TOKEN}\r\n{waits}")));
        assert_eq!(client.head().status(), status, "{line}");
        if status == 100 {
            assert_eq!(client.ask(body).status(), 200);
        }
    }
    agent.stop();
    assert_eq!(engine.settle().len(), 1);
}
