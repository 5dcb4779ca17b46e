//! What a stack may not do through Lookout, whatever its files say, and what nobody is told of.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::caller::nothing_happens;
use crate::compose_yard::{Yard, waiting, with_each, with_new};

/// Everything a stack needs, and nothing that reaches the host.
const LIMITED: (&str, &str) = ("TOKEN_ALLOW", "compose,view,logs,power,create,remove");

fn files(text: &str) -> Value {
    json!({"files": {"compose.yaml": text}})
}

/// Operations in which compose reads the files of a stack. Some read no more of them than they need.
const READERS: [(&str, bool); 4] = [("config", true), ("up", true), ("ps", false), ("build", false)];

/// What has to read everything fails; nothing tells the secret, and the Engine is left as it was.
fn tells_nothing(yard: &Yard, text: &str, secrets: &[&str]) {
    nothing_happens(&yard.scene, || {
        for (operation, reads_all) in READERS {
            let told = yard.order(operation, "shop", &files(text));
            assert!(!(reads_all && told.success), "{operation} of {text}: {told:?}");
            let words = told.output + &told.error;
            for secret in secrets {
                assert!(!words.contains(secret), "{operation} of {text} tells {secret}: {words}");
            }
        }
    });
}

#[test]
fn files_of_the_machine_are_not_read_into_a_stack() {
    with_each(&[], |yard| {
        let shadow = "services: {web: {image: a, env_file: /etc/shadow}}\n";
        tells_nothing(yard, shadow, &["root:"]);
        let extends = "services: {web: {extends: {file: /etc/passwd, service: web}}}\n";
        tells_nothing(yard, extends, &["root:x", "/bin/bash"]);
    });
    with_new(&[], |yard| {
        tells_nothing(
            yard,
            "include: [/etc/passwd]\nservices: {web: {image: a}}\n",
            &["root:x", "/bin/bash"],
        );
        tells_nothing(yard, "include: [{path: compose.yaml, env_file: /etc/shadow}]\n", &["root:"]);
    });
}

#[test]
fn files_of_another_stack_are_not_read_into_a_stack() {
    with_each(&[], |yard| {
        let secret = "PASSWORD=of-the-other-stack";
        yard.order("up", "other", &json!({"files": {"compose.yaml": "services: {}", "x.env": secret}}));
        let other = yard.scene.name("other");
        assert_eq!(fs::read_to_string(yard.of("other").join("x.env")).expect("it was written"), secret);
        for path in [format!("../{other}/x.env"), "link.env".to_owned()] {
            fs::create_dir_all(yard.of("shop")).expect("a directory of ours");
            let link = yard.of("shop").join("link.env");
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(format!("../{other}/x.env"), &link).expect("a link of ours");
            let text = format!("services: {{web: {{image: a, env_file: {path}}}}}\n");
            tells_nothing(yard, &text, &["of-the-other-stack"]);
        }
        let context = format!("services: {{web: {{build: ../{other}}}}}\n");
        let told = yard.order("build", "shop", &files(&context)).bad();
        assert!(!told.contains("of-the-other-stack"), "{told}");
    });
}

#[test]
fn nothing_is_fetched_from_elsewhere() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.set_nonblocking(true).expect("a listener of ours");
    let place = listener.local_addr().expect("its address");
    with_new(&[], |yard| {
        for text in [
            format!("include: ['oci://{place}/stack:1']\n"),
            format!("include: ['http://{place}/stack.git']\n"),
            format!("include: ['git://{place}/stack.git']\n"),
            format!("services: {{web: {{extends: {{file: 'oci://{place}/stack:1', service: web}}}}}}\n"),
            // So written, only what reads YAML knows what it is.
            format!("include: [\"\\x6fci://{place}/stack:1\"]\n"),
            format!("include: [\"\\x67it://{place}/stack.git\"]\n"),
            format!("include: [\"\\x68ttp://{place}/stack.git\"]\n"),
            format!("include: [{{path: [\"\\u006fci://{place}/stack:1\"]}}]\n"),
            format!(
                "services: {{web: {{extends: {{file: \"\\x6fci://{place}/stack:1\", service: web}}}}}}\n"
            ),
        ] {
            tells_nothing(yard, &text, &[]);
            let accepted = listener.accept().map_err(|error| error.kind());
            assert_eq!(accepted.err(), Some(ErrorKind::WouldBlock), "{text} made a connection");
        }
    });
}

#[test]
fn a_stack_starts_no_program_of_this_machine() {
    with_new(&[], |yard| {
        tells_nothing(yard, "services: {web: {provider: {type: busybox}}}\n", &[]);
        // So written, only what reads YAML knows what it is: then it is not started.
        let hidden = "services: {web: {\"p\\x72ovider\": {type: busybox, options: {a: b}}}}\n";
        nothing_happens(&yard.scene, || {
            let told = yard.order("up", "shop", &files(hidden)).bad();
            assert!(!told.contains("exit status 127"), "it was started: {told}");
        });
    });
}

/// Ways in which a stack reaches the host.
fn reaching() -> [Value; 6] {
    [
        json!({"privileged": true}),
        json!({"volumes": ["/:/host"]}),
        json!({"pid": "host"}),
        json!({"network_mode": "host"}),
        json!({"cap_add": ["SYS_ADMIN"]}),
        json!({"devices": ["/dev/kmsg:/dev/kmsg"]}),
    ]
}

#[test]
fn a_stack_reaches_the_host_no_further_than_its_caller() {
    with_each(&[LIMITED], |yard| {
        for (number, more) in reaching().iter().enumerate() {
            let stack = format!("shop{number}");
            let services = Yard::services(&json!({"web": waiting(more)}));
            let told = yard.order("up", &stack, &json!({"files": services})).bad();
            assert!(told.contains("lookout: TOKEN "), "{more}: {told}");
            assert!(yard.containers().is_empty(), "{more}: {:?}", yard.containers());
        }
        // The same without it is made.
        let services = Yard::services(&json!({"web": waiting(&json!({}))}));
        yard.order("up", "plain", &json!({"files": services})).good();
        assert_eq!(yard.containers(), [yard.container("plain", "web")]);
    });
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused_where_it_counts() {
    with_each(&[LIMITED], |yard| {
        let text = |more: &Value| Yard::services(&json!({"web": waiting(more)}))["compose.yaml"].clone();
        let [good, evil] = [json!({}), json!({"privileged": true})].map(|more| text(&more));
        let over = AtomicBool::new(false);
        let (there, aside) = (yard.of("shop").join("compose.yaml"), yard.of("shop").join("aside"));
        yard.order("up", "shop", &json!({"files": {"compose.yaml": good}})).good();
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    for text in [&evil, &good] {
                        fs::write(&aside, text.as_str().expect("a text")).expect("a file of ours");
                        fs::rename(&aside, &there).expect("a file of ours");
                        thread::yield_now();
                    }
                }
            });
            for _ in 0..4 {
                let told = yard.order("up", "shop", &json!({"forceRecreate": true}));
                assert!(told.success || told.output.contains("lookout: TOKEN "), "{told:?}");
                for name in yard.containers() {
                    assert_eq!(yard.told("{{.HostConfig.Privileged}}", &name), "false");
                }
            }
            over.store(true, Ordering::Relaxed);
        });
        // And where it has changed for good.
        fs::write(&there, evil.as_str().expect("a text")).expect("a file of ours");
        let told = yard.order("up", "shop", &json!({})).bad();
        assert!(told.contains("lookout: TOKEN "), "{told}");
        for name in yard.containers() {
            assert_eq!(yard.told("{{.HostConfig.Privileged}}", &name), "false");
        }
    });
}
