//! The agent calls its controller through real reverse proxies: nginx and HAProxy, encrypted and not.
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::agent::{Agent, run};
use crate::controller::Controller;
use crate::edge_between::Kind::{HaProxy, Nginx};
use crate::edge_between::{Between, Echo, Kind, echoing};
use crate::edge_link::Link;
use crate::edge_world::start_at;
use crate::engine::{Engine, Home};
use crate::signer::logged;
use crate::tls_client::server_cert;

const KINDS: [Kind; 2] = [Nginx, HaProxy];

/// How the tests configure what stands between.
#[derive(Clone, Copy)]
struct Way {
    kind: Kind,
    /// Seconds without a byte after which it ends a connection.
    idle: u32,
    is_encrypted: bool,
    drops_upgrade: bool,
}

impl Way {
    fn of(kind: Kind) -> Self {
        Self { kind, idle: 60, is_encrypted: false, drops_upgrade: false }
    }

    /// It stands at the path /fleet, which the controller knows nothing of.
    fn config(self, home: &Home, port: u16, controller: u16, cert: &[String; 2]) -> String {
        let (idle, [certificate, key]) = (self.idle, cert);
        let inner = match self.kind {
            Nginx => {
                // As most are: HTTP/2 is spoken to whoever wants it.
                let tls = format!("ssl http2;\nssl_certificate {certificate};\nssl_certificate_key {key}");
                let tls = if self.is_encrypted { &tls } else { "" };
                let upgrade =
                    "proxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection \"upgrade\";\n";
                let upgrade = if self.drops_upgrade { "" } else { upgrade };
                format!(
                    "server {{\nlisten 127.0.0.1:{port} {tls};\nlocation /fleet/ {{\n\
                     proxy_pass http://127.0.0.1:{controller}/;\nproxy_http_version 1.1;\n{upgrade}\
                     proxy_read_timeout {idle}s;\nproxy_send_timeout {idle}s;\n}}\n}}"
                )
            }
            HaProxy => {
                // HAProxy wants both in one file.
                let both = home.path("both.pem");
                let [certificate, key] = cert.each_ref().map(|path| std::fs::read_to_string(path).unwrap());
                std::fs::write(&both, certificate + &key).unwrap();
                let tls = format!("ssl crt {} alpn h2,http/1.1", both.display());
                let tls = if self.is_encrypted { &tls } else { "" };
                let upgrade = if self.drops_upgrade { "http-request del-header Upgrade\n" } else { "" };
                format!(
                    "defaults\nmode http\ntimeout connect 5s\ntimeout client 60s\ntimeout server 60s\n\
                     timeout tunnel {idle}s\nfrontend fleet\nbind 127.0.0.1:{port} {tls}\n{upgrade}\
                     default_backend controller\nbackend controller\n\
                     http-request replace-path /fleet(/.*) \\1\nserver controller 127.0.0.1:{controller}"
                )
            }
        };
        self.kind.config(home, &inner)
    }
}

/// Everything from the controller to the Engine, with nothing agreed on yet.
struct Chain {
    way: Way,
    controller: Controller,
    between: Between,
    engine: Engine,
    certs: Home,
}

impl Chain {
    fn new(way: Way) -> Self {
        let (controller, certs) = (Controller::start(), Home::new());
        let cert = server_cert(&certs, "server");
        let port = controller.port();
        let between = Between::start(way.kind, |home, own| way.config(home, own, port, &cert));
        Self { way, controller, between, engine: echoing(), certs }
    }

    fn url(&self) -> String {
        let scheme = if self.way.is_encrypted { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}/fleet/", self.between.port())
    }

    fn agent(&self, heartbeat: &str) -> Agent {
        let ca = self.certs.path("server/cert.pem");
        let mut more = vec![("HEARTBEAT_INTERVAL", heartbeat)];
        if self.way.is_encrypted {
            more.push(("CA_CERT", ca.to_str().unwrap()));
        }
        start_at(&self.url(), self.engine.path(), &more)
    }

    /// Welcomes the next call.
    fn link(&self) -> Link {
        let call = self.controller.call();
        assert_eq!(call.path(), "/api/lookout/ws", "behind {:?}", self.way.kind);
        let mut link = call.upgrade();
        link.hello();
        link.welcome(&json!({"capabilities": ["duplex-streams", "binary-streams"]}));
        link
    }
}

#[test]
fn a_session_behind_a_reverse_proxy_carries_megabytes_both_ways_encrypted_and_not() {
    for kind in KINDS {
        for is_encrypted in [false, true] {
            let chain = Chain::new(Way { is_encrypted, ..Way::of(kind) });
            let _agent = chain.agent("30");
            let mut link = chain.link();
            let mut echo = Echo::begin(&mut link, 7);
            echo.carry(&mut link, 4_000_000);
            assert_eq!(link.ask("GET /beside").status(), 200);
            echo.carry(&mut link, 100);
            echo.end(&mut link);
        }
    }
}

#[test]
fn signs_of_life_keep_a_session_open_that_is_idle_otherwise() {
    for kind in KINDS {
        let chain = Chain::new(Way { idle: 3, ..Way::of(kind) });
        let agent = chain.agent("1");
        let mut link = chain.link();
        // Several times what an idle connection is allowed. The answers are a controller's part of it.
        for _ in 0..6 {
            let ping = link.next("ping");
            link.send("pong", &ping);
        }
        assert_eq!(link.ask("GET /a").status(), 200);
        assert!(!agent.log().contains("\"edge.lost\""), "behind {kind:?}: {}", agent.log());
    }
}

#[test]
fn an_idle_timeout_on_the_way_ends_the_session_and_the_agent_calls_again() {
    for kind in KINDS {
        let chain = Chain::new(Way { idle: 1, ..Way::of(kind) });
        let agent = chain.agent("3600");
        let mut link = chain.link();
        link.expect_over();
        logged(&agent, &["\"edge.lost\""]);
        assert_eq!(chain.link().ask("GET /a").status(), 200, "behind {kind:?}");
    }
}

/// A controller that turns away whoever asks for no upgrade, as the ones in the field do.
fn turning_away<T>(controller: &Controller, during: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let Some(stream) = controller.waiting() else {
                    thread::sleep(Duration::from_millis(2));
                    continue;
                };
                if let Ok(call) = crate::controller::Call::read(stream) {
                    assert!(call.head.values("upgrade").is_empty(), "{:?}", call.head);
                    call.refuse("426 Upgrade Required", "Upgrade: websocket\r\n");
                }
            }
        });
        let told = during();
        is_over.store(true, Ordering::Relaxed);
        told
    })
}

#[test]
fn a_dropped_upgrade_is_named_by_the_agent_and_cured_by_what_the_doctor_says() {
    for kind in KINDS {
        let chain = Chain::new(Way { drops_upgrade: true, ..Way::of(kind) });
        let told = turning_away(&chain.controller, || {
            let agent = chain.agent("30");
            let line = logged(&agent, &["\"edge.refused\"", "426"]);
            assert!(line.contains("Upgrade field") && line.contains("lookout doctor"), "{line}");
            let url = chain.url();
            let fields =
                [("TOKEN", crate::agent::TOKEN), ("DOCKER_SOCKET", chain.engine.path().to_str().unwrap())];
            let ended = run(&["doctor", &url], &fields);
            assert_eq!(ended.code, Some(1), "{}", ended.words());
            ended.stdout
        });
        assert!(told.contains("Upgrade"), "{told}");
        let snippet =
            snippet(kind, &told).replace("127.0.0.1:3000", &format!("127.0.0.1:{}", chain.controller.port()));
        let cured = Between::start(kind, |home, port| {
            let inner = match kind {
                Nginx => format!("server {{\nlisten 127.0.0.1:{port};\n{snippet}\n}}"),
                HaProxy => format!(
                    "{snippet}\ndefaults\nmode http\ntimeout connect 5s\ntimeout client 60s\ntimeout server 60s\n\
                     frontend fleet\nbind 127.0.0.1:{port}\ndefault_backend controller"
                ),
            };
            kind.config(home, &inner)
        });
        let url = format!("http://127.0.0.1:{}", cured.port());
        let _agent = start_at(&url, Path::new(chain.engine.path()), &[]);
        assert_eq!(chain.link().ask("GET /a").status(), 200, "behind {kind:?}");
    }
}

/// The lines that the doctor gives for one of them.
fn snippet(kind: Kind, told: &str) -> String {
    let title = if kind == Nginx { "nginx" } else { "HAProxy" };
    let mut lines = told.lines().skip_while(|line| !line.trim_start().starts_with(title));
    let title = lines.next().unwrap_or_else(|| panic!("nothing for {title}: {told}"));
    let depth = |line: &str| line.len() - line.trim_start().len();
    let lines = lines.take_while(|line| !line.trim().is_empty() && depth(line) > depth(title));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_reload_on_the_way_does_not_disturb_what_is_under_way() {
    for kind in KINDS {
        let chain = Chain::new(Way::of(kind));
        let agent = chain.agent("30");
        let mut link = chain.link();
        let mut echo = Echo::begin(&mut link, 7);
        echo.carry(&mut link, 1_000_000);
        chain.between.reload();
        echo.carry(&mut link, 1_000_000);
        echo.end(&mut link);
        assert!(!agent.log().contains("\"edge.lost\""), "behind {kind:?}: {}", agent.log());
    }
}

#[test]
fn a_restart_on_the_way_in_the_middle_of_a_stream_is_got_over() {
    for kind in KINDS {
        let mut chain = Chain::new(Way::of(kind));
        let agent = chain.agent("30");
        let mut link = chain.link();
        let mut echo = Echo::begin(&mut link, 7);
        echo.carry(&mut link, 1_000_000);
        chain.between.restart();
        link.expect_over();
        logged(&agent, &["\"edge.lost\""]);
        let mut link = chain.link();
        // Nothing of the stream that was cut comes over the new connection, and its names are free.
        let mut echo = Echo::begin(&mut link, 7);
        echo.carry(&mut link, 1_000_000);
        echo.end(&mut link);
        chain.engine.wait("the Engine is let go", |visits| {
            let streams: Vec<_> = visits.iter().filter(|visit| visit.text().contains("/session")).collect();
            streams.iter().all(|visit| visit.ended).then_some(())
        });
    }
}

#[test]
fn a_controller_that_is_away_behind_its_proxy_is_named_and_found_again() {
    for kind in KINDS {
        let mut chain = Chain::new(Way::of(kind));
        let port = chain.controller.port();
        let agent = chain.agent("30");
        let link = chain.link();
        // Nobody listens there any more, and the connection breaks.
        chain.controller = Controller::start();
        drop(link);
        let line = logged(&agent, &["\"edge.refused\"", "the proxy before the controller does not reach it"]);
        assert!(line.contains(if kind == Nginx { "502" } else { "503" }), "{line}");
        chain.controller = Controller::at(port);
        assert_eq!(chain.link().ask("GET /a").status(), 200);
    }
}
