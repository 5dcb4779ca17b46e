//! A registry on loopback with one image in it, for callers who know the password.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::folder::{Folder, noise};
use crate::process::run;

/// "user:password" as HTTP and docker's configuration spell it.
const CREDENTIALS: &str = "dXNlcjpwYXNzd29yZA==";

const MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";

pub(crate) struct Registry {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

/// What the registry holds: a path and the type and bytes of what lies there.
type Shelf = HashMap<String, (&'static str, Vec<u8>)>;

/// A request, as far as it matters here.
#[derive(Default)]
struct Request {
    method: String,
    path: String,
    knows_the_password: bool,
    body: Vec<u8>,
}

impl Registry {
    pub(crate) fn start() -> Self {
        let shelf = one_image();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let server = thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                // One at a time is enough; what is not HTTP (the Engine tries TLS first) is hung up on.
                let _ = stream.and_then(|stream| serve(&shelf, stream));
            }
        });
        Self { address, over, server: Some(server) }
    }

    /// The name of its one image.
    pub(crate) fn image(&self) -> String {
        format!("{}/shelf/image:1", self.address)
    }

    /// A name it does not know.
    pub(crate) fn missing(&self) -> String {
        format!("{}/shelf/missing:1", self.address)
    }

    /// The `auths` of docker's configuration that open it.
    pub(crate) fn auths(&self) -> String {
        format!(r#"{{"{}":{{"auth":"{CREDENTIALS}"}}}}"#, self.address)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // The server waits for one more caller before it looks up.
        let _ = TcpStream::connect(self.address);
        let _ = self.server.take().map(JoinHandle::join);
    }
}

/// One layer with one file, its configuration and its manifest.
fn one_image() -> Shelf {
    let folder = Folder::new();
    folder.write("noise", noise(3_000_000));
    run(Command::new("tar").args(["-C", &folder.at(""), "-cf", &folder.at("layer.tar"), "noise"])).good();
    let layer = folder.read("layer.tar");
    let layer_digest = digest(&folder, "layer.tar");
    let rootfs = format!(r#"{{"type":"layers","diff_ids":["{layer_digest}"]}}"#);
    let config = format!(r#"{{"architecture":"amd64","os":"linux","config":{{}},"rootfs":{rootfs}}}"#);
    folder.write("config.json", &config);
    let config_digest = digest(&folder, "config.json");
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST_TYPE}","config":{{"mediaType":"application/vnd.docker.container.image.v1+json","size":{},"digest":"{config_digest}"}},"layers":[{{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":{},"digest":"{layer_digest}"}}]}}"#,
        config.len(),
        layer.len()
    );
    folder.write("manifest.json", &manifest);
    let manifest_digest = digest(&folder, "manifest.json");
    let blobs = "application/octet-stream";
    Shelf::from([
        ("/v2/".to_owned(), ("application/json", b"{}".to_vec())),
        ("/v2/shelf/image/manifests/1".to_owned(), (MANIFEST_TYPE, manifest.clone().into_bytes())),
        (format!("/v2/shelf/image/manifests/{manifest_digest}"), (MANIFEST_TYPE, manifest.into_bytes())),
        (format!("/v2/shelf/image/blobs/{config_digest}"), (blobs, config.into_bytes())),
        (format!("/v2/shelf/image/blobs/{layer_digest}"), (blobs, layer)),
    ])
}

fn digest(folder: &Folder, name: &str) -> String {
    let sum = run(Command::new("sha256sum").arg(folder.at(name))).good().text();
    format!("sha256:{}", sum.split(' ').next().expect("a sum"))
}

fn read(stream: &TcpStream) -> io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let (mut request, mut line, mut length) = (Request::default(), String::new(), 0);
    reader.read_line(&mut line)?;
    let mut words = line.split(' ').map(str::to_owned);
    request.method = words.next().unwrap_or_default();
    request.path = words.next().unwrap_or_default();
    loop {
        line.clear();
        if reader.read_line(&mut line)? < 3 {
            break;
        }
        let (name, value) = line.trim().split_once(": ").unwrap_or_default();
        if name.eq_ignore_ascii_case("authorization") {
            request.knows_the_password = value == format!("Basic {CREDENTIALS}");
        }
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap_or(0);
        }
    }
    reader.take(length).read_to_end(&mut request.body)?;
    Ok(request)
}

fn serve(shelf: &Shelf, mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let request = read(&stream)?;
    let json = "application/json";
    let (status, kind, body) = match shelf.get(&request.path) {
        _ if !request.knows_the_password => ("401 Unauthorized", json, error("UNAUTHORIZED", "who are you")),
        _ if request.method == "PUT" => ("201 Created", json, Vec::new()),
        Some((kind, body)) => ("200 OK", *kind, body.clone()),
        None => ("404 Not Found", json, error("MANIFEST_UNKNOWN", "manifest unknown")),
    };
    // What is put is told its digest as well as what is fetched.
    let folder = Folder::new();
    folder.write("told", if request.body.is_empty() { &body } else { &request.body });
    let digest = digest(&folder, "told");
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\
         Docker-Content-Digest: {digest}\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\
         WWW-Authenticate: Basic realm=\"shelf\"\r\n\r\n",
        body.len()
    )?;
    if request.method != "HEAD" {
        stream.write_all(&body)?;
    }
    stream.flush()
}

fn error(code: &str, message: &str) -> Vec<u8> {
    format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#).into_bytes()
}
