//! Clients with a key of their own: the docker command with a certificate, and a signed upload of an image.

use std::collections::HashMap;
use std::fs::{self, File, Permissions};
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest, Sha256};

use crate::agent::free_address;
use crate::docker::{Docker, IMAGE, SOCKET};
use crate::folder::{Folder, noise};
use crate::process::{Outcome, Running, run};
use crate::scene::Scene;
use crate::wait::{PATIENCE, until};

const LOOKOUT: &str = env!("CARGO_BIN_EXE_lookout");
const AGENT_ID: &str = "agent-of-this-test";
const PIECE: usize = 1024 * 1024;
/// How many pieces the file in the uploaded image has.
const PIECES: usize = 300;

/// An agent that knows keys and no token. Others speak plain HTTP, and their start is told from that.
struct Agent {
    child: Child,
    address: SocketAddr,
}

impl Agent {
    /// With this file of keys and these variables more, listening by the time this returns.
    fn start(folder: &Folder, keys: &str, more: &[(&str, &str)]) -> Self {
        let path = folder.write("authorized_keys", keys);
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a file of ours");
        for number in 0..10 {
            let name = format!("log-{number}");
            let (address, log) =
                (free_address(), File::create(folder.at(&name)).expect("a file for its log"));
            let child = Command::new(LOOKOUT)
                .env_clear()
                .envs([("BIND_ADDRESS", "127.0.0.1"), ("DOCKER_SOCKET", SOCKET), ("AGENT_ID", AGENT_ID)])
                .envs([("PORT", address.port().to_string()), ("AUTHORIZED_KEYS", path.clone())])
                .envs(more.iter().copied().collect::<HashMap<_, _>>())
                .stdin(Stdio::null())
                .stderr(log.try_clone().expect("the same file"))
                .stdout(log)
                .spawn()
                .expect("the built binary starts");
            let mut agent = Self { child, address };
            let is_listening = until("the agent listens or ends", || {
                let text = String::from_utf8_lossy(&folder.read(&name)).into_owned();
                if text.contains("server.listening") {
                    return Some(true);
                }
                agent.child.try_wait().unwrap().map(|_| false)
            });
            if is_listening {
                return agent;
            }
            let log = String::from_utf8_lossy(&folder.read(&name)).into_owned();
            assert!(log.contains("Address already in use"), "the agent ended at its start: {log}");
        }
        panic!("ten addresses were free and then were not")
    }

    /// Memory in use, in KiB.
    fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the agent runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lookout(arguments: &[&str]) -> Outcome {
    run(Command::new(LOOKOUT).env_clear().args(arguments)).good()
}

/// A server's certificate and a client's key, made by the binary; and the client's line.
fn certificates(folder: &Folder) -> String {
    lookout(&["cert", "--host", "127.0.0.1", "--host", "localhost", "--out", &folder.at("server")]);
    let line = lookout(&["keygen", "--comment", "laptop", "--out", &folder.at("client")]).text();
    lookout(&["keygen", "--comment", "nobody", "--out", &folder.at("foreign")]);
    line
}

fn agent_with_tls(folder: &Folder, line: &str) -> Agent {
    let (cert, key) = (folder.at("server/cert.pem"), folder.at("server/key.pem"));
    Agent::start(folder, line, &[("TLS_CERT", &cert), ("TLS_KEY", &key)])
}

#[test]
fn the_docker_command_comes_in_with_a_certificate() {
    let straight = Docker::straight();
    let (folder, scene) = (Folder::new(), Scene::new(&straight));
    let line = certificates(&folder);
    let agent = agent_with_tls(&folder, &line);
    let docker = Docker::at(&format!("tcp://{}", agent.address), "{}");
    let [ca, cert, key] =
        ["server/cert.pem", "client/cert.pem", "client/key.pem"].map(|name| folder.at(name));
    let tls = ["--tlsverify", "--tlscacert", &ca, "--tlscert", &cert, "--tlskey", &key];
    everything_works(&scene, &mut |arguments, input| docker.run_with(&[&tls[..], arguments].concat(), input));
    let [cert, key] = ["foreign/cert.pem", "foreign/key.pem"].map(|name| folder.at(name));
    let foreign = ["--tlsverify", "--tlscacert", &ca, "--tlscert", &cert, "--tlskey", &key];
    let refused = docker.run(&[&foreign[..], &["ps"]].concat());
    assert_eq!(refused.code(), Some(1), "{}", refused.text());
    assert!(refused.errors().contains("the key is not accepted here"), "{}", refused.errors());
    let nobody = docker.run(&["--tlsverify", "--tlscacert", &ca, "ps"]);
    assert!(nobody.errors().contains("no credential"), "{}", nobody.errors());
}

#[test]
fn a_docker_context_holds_the_key_and_needs_nothing_more() {
    let straight = Docker::straight();
    let (folder, scene) = (Folder::new(), Scene::new(&straight));
    let line = certificates(&folder);
    let agent = agent_with_tls(&folder, &line);
    let config = folder.at("config");
    let docker = |arguments: &[&str]| {
        let mut command = Command::new("docker");
        for variable in ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"] {
            command.env_remove(variable);
        }
        command.env("DOCKER_CONFIG", &config).env("DOCKER_CLI_HINTS", "false").args(arguments);
        command
    };
    let endpoint = format!(
        "host=tcp://{},ca={},cert={},key={}",
        agent.address,
        folder.at("server/cert.pem"),
        folder.at("client/cert.pem"),
        folder.at("client/key.pem")
    );
    run(&mut docker(&["context", "create", "lookout", "--docker", &endpoint])).good();
    everything_works(&scene, &mut |arguments, input| {
        let mut running = Running::start(&mut docker(&[&["--context", "lookout"], arguments].concat()));
        running.feed(input.into());
        running.finish_by_itself()
    });
}

/// A question, a container with input and output, and its log.
fn everything_works(scene: &Scene, docker: &mut dyn FnMut(&[&str], &str) -> Outcome) {
    assert!(docker(&["version", "--format", "{{.Server.Version}}"], "").good().text().contains('.'));
    let through =
        docker(&["run", "--rm", "-i", "--name", &scene.name("cat"), IMAGE, "cat"], "input\n").good();
    assert_eq!(through.text(), "input\n");
    let name = scene.name("logged");
    docker(&["run", "-d", "--name", &name, IMAGE, "seq", "1", "20000"], "").good();
    assert_eq!(docker(&["wait", &name], "").good().text(), "0\n");
    assert_eq!(docker(&["logs", &name], "").good().text().lines().count(), 20_000);
}

/// Signs with version 3, as a client of its own would.
struct Signer(SigningKey);

impl Signer {
    fn line(&self) -> String {
        format!("ed25519 {} uploader\n", BASE64.encode(self.0.verifying_key().as_bytes()))
    }

    fn fields(&self, method: &str, target: &str, body_sha256: &str) -> String {
        let mut id = HEXLOWER.encode(&Sha256::digest(self.0.verifying_key().as_bytes()));
        id.truncate(16);
        // Good for one request, which is all that is asked of this agent.
        let nonce = "00112233445566778899aabbccddeeff";
        let stamp = seconds();
        let message =
            format!("LOOKOUT-ED25519-V3\n{method}\n{target}\n{body_sha256}\n{stamp}\n{nonce}\n{AGENT_ID}");
        let signature = BASE64URL_NOPAD.encode(&self.0.sign(message.as_bytes()).to_bytes());
        format!(
            "X-Lookout-Key-ID: {id}\r\nX-Lookout-Timestamp: {stamp}\r\nX-Lookout-Nonce: {nonce}\r\n\
             X-Lookout-Signature: {signature}\r\nX-Lookout-Signature-Version: 3\r\n\
             X-Lookout-Content-SHA256: {body_sha256}\r\n"
        )
    }
}

fn seconds() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("a clock past 1970").as_secs()
}

/// Goes through a file piece by piece.
fn each_piece(path: &str, mut take: impl FnMut(&[u8])) {
    let mut file = File::open(path).expect("the file that was saved");
    let mut piece = vec![0; PIECE];
    while let Ok(count @ 1..) = file.read(&mut piece) {
        take(piece.get(..count).unwrap_or_default());
    }
}

/// Makes an image with one large file, saves it, and removes it; says where the archive is.
fn archive(straight: &Docker, folder: &Folder, image: &str, label: &str) -> String {
    let context = folder.at("context");
    fs::create_dir(&context).expect("a directory of ours");
    folder.write("context/Dockerfile", format!("FROM scratch\n{label}\nCOPY big /big\n"));
    let mut big = File::create(folder.at("context/big")).expect("room for the file");
    let mut piece = noise(PIECE);
    for number in 0..PIECES {
        piece.rotate_left(number);
        big.write_all(&piece).expect("room for the file");
    }
    drop(big);
    straight.run(&["build", "-q", "-t", image, &context]).good();
    fs::remove_dir_all(&context).expect("a directory of ours");
    let path = folder.at("image.tar");
    straight.run(&["save", "-o", &path, image]).good();
    straight.run(&["rmi", image]).good();
    path
}

#[test]
fn a_signed_upload_of_300_megabytes_passes_in_little_memory() {
    let straight = Docker::straight();
    let (folder, scene) = (Folder::new(), Scene::new(&straight));
    let image = scene.name("large:1");
    let path = archive(&straight, &folder, &image, &scene.label());
    let signer = Signer(SigningKey::from_bytes(&[7; 32]));
    let agent = Agent::start(&folder, &signer.line(), &[]);
    let (mut digest, mut length) = (Sha256::new(), 0);
    each_piece(&path, |piece| {
        digest.update(piece);
        length += piece.len();
    });
    assert!(length > PIECES * PIECE, "{length} bytes were saved");
    // What is signed in the second of the start is not known to be signed after it.
    let begun = seconds();
    until("the clock goes on", || (seconds() > begun).then_some(()));
    let target = "/v1.41/images/load?quiet=1";
    let fields = signer.fields("POST", target, &HEXLOWER.encode(&digest.finalize()));
    let mut stream = TcpStream::connect(agent.address).expect("the agent accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    stream.set_write_timeout(Some(PATIENCE)).expect("a deadline");
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-tar\r\n\
         Content-Length: {length}\r\n{fields}\r\n"
    );
    stream.write_all(head.as_bytes()).expect("the head is taken");
    let before = agent.resident_kib();
    let mut most = before;
    each_piece(&path, |piece| {
        stream.write_all(piece).expect("the upload goes on");
        most = most.max(agent.resident_kib());
    });
    let mut answer = String::new();
    BufReader::new(stream).read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(&image), "{answer}");
    assert!(most < before + 8 * 1024, "{before} KiB before, {most} KiB while {length} bytes passed");
    straight.run(&["image", "inspect", &image]).good();
}
