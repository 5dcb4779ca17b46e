//! Who asks through the tunnel: the controller within its classes, or whoever signed, as themselves.

use std::time::SystemTime;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::docker::IMAGE;
use crate::edge_welcome::Mode;
use crate::edge_world::{ByHand, World};
use crate::process::Outcome;
use crate::wait::until;

#[test]
fn a_controller_that_may_look_sees_and_does_nothing_else() {
    let world = World::with(Mode::Binary, &[("EDGE_ALLOW", "view,logs")]);
    let flags = ["-e", "PASSWORD=open-sesame"];
    let name = world.container_with("seen", &flags, "echo out; exec sleep 1000");
    let docker = &world.docker;
    assert!(docker.run(&["ps", "--format", "{{.Names}}"]).good().text().contains(&name));
    assert_eq!(docker.run(&["logs", &name]).good().text(), "out\n");
    let told = docker.run(&["inspect", &name]).good().text();
    assert!(told.contains(&name) && !told.contains("open-sesame"), "secrets are blanked: {told}");
    let refused = |outcome: Outcome, sentence: &str| {
        assert!(!outcome.status.success(), "not refused: {}", outcome.text());
        assert!(outcome.errors().contains(sentence), "{sentence}: {}", outcome.errors());
    };
    let ours = "Error response from daemon: lookout: controller";
    for command in [
        &["kill", &name][..],
        &["rm", "-f", &name],
        &["run", "-d", "--name", &world.scene.name("new"), IMAGE, "true"],
        &["export", &name],
        &["volume", "create", &world.scene.name("volume")],
        &["exec", &name, "true"],
    ] {
        refused(docker.run(command), ours);
    }
    // A command for an upgrade has room for a status only.
    refused(docker.run(&["attach", &name]), "received 403");
    let tunnel = world.edge.tunnel();
    tunnel.send("exec_start", &json!({"execId": "e", "containerId": name, "cmd": ["true"], "tty": false}));
    let ended = tunnel.find("its end", |kind, data| kind == "exec_end" && data["execId"] == "e");
    assert!(ended["reason"].as_str().unwrap().starts_with("create exec failed: lookout: "), "{ended}");
    tunnel.send("dd:container_delete_request", &json!({"requestId": "d", "containerId": name}));
    let told = tunnel.find("an answer", |kind, _| kind == "dd:container_delete_response");
    assert_eq!(told["success"], false, "{told}");
    assert_eq!(world.straight.run(&["top", &name]).code(), Some(0), "it runs on");
    world.edge.until_settled();
}

/// Signs as a client behind the controller would.
struct Signer {
    key: SigningKey,
    audience: String,
}

impl Signer {
    fn id(&self) -> String {
        let mut id = HEXLOWER.encode(&Sha256::digest(self.key.verifying_key().as_bytes()));
        id.truncate(16);
        id
    }

    /// A signed request through the gateway. The number makes it another one.
    fn ask(&self, world: &World, version: u8, number: u8, line: (&str, &str), body: &[u8]) -> ByHand {
        let ((method, target), stamp) = (line, now());
        let (digest, nonce) =
            (HEXLOWER.encode(&Sha256::digest(body)), format!("{version:016x}{number:016x}"));
        let mut message = format!("{method}\n{target}\n{digest}\n{stamp}\n{nonce}");
        let mut fields = String::new();
        if version == 3 {
            message = format!("LOOKOUT-ED25519-V3\n{message}\n{}", self.audience);
            fields = format!("X-Lookout-Content-SHA256: {digest}\r\n");
        }
        let signature = BASE64URL_NOPAD.encode(&self.key.sign(message.as_bytes()).to_bytes());
        let kind = if target.contains("/load") { "application/x-tar" } else { "application/json" };
        let head = format!(
            "{method} {target} HTTP/1.1\r\nContent-Type: {kind}\r\nX-Lookout-Key-Id: {}\r\n\
             X-Lookout-Timestamp: {stamp}\r\nX-Lookout-Nonce: {nonce}\r\nX-Lookout-Signature: {signature}\r\n\
             X-Lookout-Signature-Version: {version}\r\n{fields}",
            self.id()
        );
        world.by_hand(&head, body)
    }
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("a clock past 1970").as_secs()
}

#[test]
fn who_signs_is_answered_as_themselves_and_nobody_else_is_answered_at_all() {
    let key = SigningKey::from_bytes(&[9; 32]);
    let line = BASE64.encode(key.verifying_key().as_bytes());
    let keys = format!("@allow=\"view,logs,create,build,remove\" ed25519 {line} deputy\n");
    let world = World::with(
        Mode::Binary,
        &[("AUTHORIZED_KEYS", &keys), ("EDGE_REQUIRE_SIGNATURE", "true"), ("EDGE_ALLOW", "all")],
    );
    let signer = Signer { key, audience: world.edge.id.clone() };
    // What is signed in the second of the start is not known to be signed after it.
    let begun = now();
    until("the clock goes on", || (now() > begun).then_some(()));

    // The controller itself may not even look.
    let refused = world.docker.run(&["ps"]);
    assert!(refused.errors().contains("must be signed"), "{}", refused.errors());
    let tunnel = world.edge.tunnel();
    let name = world.container("there", "exec sleep 1000");
    tunnel.send("exec_start", &json!({"execId": "e", "containerId": name, "cmd": ["true"]}));
    let ended = tunnel.find("its end", |kind, _| kind == "exec_end");
    assert!(ended["reason"].as_str().unwrap().contains("must be signed"), "{ended}");
    tunnel.send("dd:container_delete_request", &json!({"requestId": "d", "containerId": name}));
    assert_eq!(tunnel.find("an answer", |kind, _| kind == "dd:container_delete_response")["success"], false);

    for version in [2, 3] {
        let listed = format!("/v1.41/containers/json?all=1&filters=%7B%22name%22%3A%5B%22{name}%22%5D%7D");
        let mut answer = signer.ask(&world, version, 1, ("GET", &listed), b"");
        assert_eq!(answer.status(), "200", "{}", answer.head);
        assert!(answer.text().contains(&name));
        // Once is enough for a signature.
        let again = signer.ask(&world, version, 1, ("GET", &listed), b"");
        assert_eq!(again.status(), "401", "{}", again.head);
        // A body that goes with its request, within the key's classes and beyond.
        let made = format!("/v1.41/containers/create?name={}", world.scene.name(&format!("v{version}")));
        let body = json!({"Image": IMAGE, "Cmd": ["true"]}).to_string();
        let answer = signer.ask(&world, version, 2, ("POST", &made), body.as_bytes());
        assert_eq!(answer.status(), "201", "{}", answer.head);
        let mut answer = signer.ask(&world, version, 3, ("POST", &format!("/containers/{name}/kill")), b"");
        assert_eq!(answer.status(), "403", "{}", answer.head);
        let told: Value = serde_json::from_str(&answer.text()).expect("JSON");
        assert!(told["message"].as_str().unwrap().contains("deputy"), "it is refused by its name: {told}");
        // One that follows it.
        let image = world.straight.run(&["save", IMAGE]).good().stdout;
        let mut answer = signer.ask(&world, version, 4, ("POST", "/v1.41/images/load?quiet=1"), &image);
        assert_eq!(answer.status(), "200", "{}", answer.head);
        assert!(answer.text().contains(IMAGE));
        // One that is another than was signed.
        let bad = Signer { audience: "another".to_owned(), key: SigningKey::from_bytes(&[8; 32]) };
        assert_eq!(bad.ask(&world, version, 5, ("GET", &listed), b"").status(), "401");
    }
    assert_eq!(world.straight.run(&["top", &name]).code(), Some(0), "it runs on");
    world.edge.until_settled();
}
