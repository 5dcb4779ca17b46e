//! An Engine with many containers: it tells lists, inspections, statistics and events, and counts what it was asked.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::json;

/// How long each statistics takes: a real Engine answers on its next second.
pub(crate) const STATISTICS: Duration = Duration::from_millis(50);

pub(crate) struct Fleet {
    containers: usize,
    pub(crate) inspections: AtomicUsize,
    /// Counts changes; it is the exit code that inspections tell.
    changes: AtomicU64,
    followers: Mutex<Vec<UnixStream>>,
}

impl Fleet {
    pub(crate) fn start(containers: usize, socket: &Path) -> io::Result<Arc<Self>> {
        let listener = UnixListener::bind(socket)?;
        let fleet = Arc::new(Self {
            containers,
            inspections: AtomicUsize::new(0),
            changes: AtomicU64::new(0),
            followers: Mutex::default(),
        });
        let served = Arc::clone(&fleet);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let fleet = Arc::clone(&served);
                // A client that leaves ends its thread; nobody else is told.
                thread::spawn(move || drop(fleet.serve(stream)));
            }
        });
        Ok(fleet)
    }

    /// Changes a container, and says so to everyone who follows.
    pub(crate) fn change(&self, number: usize) -> io::Result<()> {
        let nanos = 1_700_000_000_000_000_000 + self.changes.fetch_add(1, Ordering::SeqCst) + 1;
        let event = json!({
            "Type": "container", "Action": "restart", "time": nanos / 1_000_000_000, "timeNano": nanos,
            "Actor": {"ID": id(number), "Attributes": {"name": format!("web-{number}"), "image": "acme/web:1"}},
        });
        let line = format!("{event}\n");
        let chunk = format!("{:x}\r\n{line}\r\n", line.len());
        let mut followers = self.followers.lock().expect("nobody panics with it");
        followers.retain_mut(|follower| follower.write_all(chunk.as_bytes()).is_ok());
        if followers.is_empty() { Err(io::Error::other("nobody follows")) } else { Ok(()) }
    }

    fn serve(&self, stream: UnixStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let target = line.split(' ').nth(1).unwrap_or("").to_owned();
            while line != "\r\n" {
                line.clear();
                reader.read_line(&mut line)?;
            }
            if target.starts_with("/events") {
                (&stream).write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                self.followers.lock().expect("nobody panics with it").push(stream);
                return Ok(());
            }
            let body = self.answer(&target);
            let head =
                format!("HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: {}\r\n\r\n", body.len());
            (&stream).write_all([head.as_bytes(), body.as_bytes()].concat().as_slice())?;
        }
    }

    fn answer(&self, target: &str) -> String {
        let path = target.split('?').next().unwrap_or("");
        match path.trim_matches('/').split('/').collect::<Vec<_>>().as_slice() {
            ["containers", "json"] => {
                let rows: Vec<_> = (0..self.containers).map(|number| self.row(number)).collect();
                json!(rows).to_string()
            }
            ["containers", id, "json"] => {
                self.inspections.fetch_add(1, Ordering::SeqCst);
                self.inspection(id)
            }
            ["containers", id, "stats"] => {
                thread::sleep(STATISTICS);
                json!({
                    "id": id, "read": "2026-01-01T00:00:01Z", "preread": "0001-01-01T00:00:00Z",
                    "cpu_stats": {"cpu_usage": {"total_usage": 1_000_000_000_u64}, "system_cpu_usage": 9, "online_cpus": 2},
                    "memory_stats": {"usage": 5_000_000, "limit": 9_000_000, "stats": {"cache": 1}},
                    "networks": {"eth0": {"rx_bytes": 1, "tx_bytes": 2}}, "pids_stats": {"current": 3},
                })
                .to_string()
            }
            ["images", id, "json"] => json!({
                "Id": id, "RepoTags": ["acme/web:1"], "RepoDigests": [], "Created": "2026-01-01T00:00:00Z",
                "Architecture": "amd64", "Os": "linux", "Size": 1, "Config": {"Labels": {}},
            })
            .to_string(),
            ["info"] => {
                json!({"MemTotal": 8_000_000_000_u64, "DockerRootDir": "/var/lib/docker"}).to_string()
            }
            _ => "OK".to_owned(),
        }
    }

    fn row(&self, number: usize) -> serde_json::Value {
        json!({
            "Id": id(number), "Names": [format!("/web-{number}")], "Image": "acme/web:1", "ImageID": image(),
            "Command": "serve", "Created": 1, "State": "running", "Status": "Up 3 minutes",
            "Ports": [], "Labels": labels(number), "Mounts": [],
        })
    }

    fn inspection(&self, id: &str) -> String {
        let number = usize::from_str_radix(id, 16).unwrap_or(0);
        json!({
            "Id": id, "Name": format!("/web-{number}"), "Created": "2026-01-01T00:00:00Z", "Image": image(),
            "Platform": "linux", "RestartCount": 0,
            "State": {
                "Status": "running", "Running": true,
                "StartedAt": format!("2026-01-01T00:00:00.{:09}Z", self.changes.load(Ordering::SeqCst)),
            },
            "Config": {
                "Image": "acme/web:1", "Labels": labels(number), "Tty": false, "Cmd": ["serve"],
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "MODE=production"],
                "ExposedPorts": {"80/tcp": {}},
            },
            "HostConfig": {"NetworkMode": "default"},
            "NetworkSettings": {
                "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]},
                "Networks": {"bridge": {"IPAddress": "172.17.0.2", "Gateway": "172.17.0.1"}},
            },
            "Mounts": [{"Type": "volume", "Name": "data", "Source": "/v", "Destination": "/data", "RW": true}],
        })
        .to_string()
    }
}

fn id(number: usize) -> String {
    format!("{number:064x}")
}

fn image() -> String {
    format!("sha256:{:064x}", 7)
}

/// What compose writes on each of its containers, near enough.
fn labels(number: usize) -> serde_json::Value {
    json!({
        "com.docker.compose.project": "shop", "com.docker.compose.service": format!("web-{number}"),
        "com.docker.compose.container-number": "1", "com.docker.compose.oneoff": "False",
        "com.docker.compose.project.working_dir": "/srv/shop", "com.docker.compose.version": "2.26.1",
    })
}
