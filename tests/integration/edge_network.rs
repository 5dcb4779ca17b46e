//! The agent and its controller at the two ends of a network that loses, delays, and breaks.
//!
//! Each end is a network namespace of its own, and nothing of them is seen outside; root and iproute2 are all they
//! want. The controller stays outside: HAProxy carries its connections, which it does not look at, in and out by a
//! unix socket.
//!
//! Loss and delay are netem's. Where the kernel has none, iptables drops packets by chance and a token bucket makes
//! them queue, which is less: no packet is late that the link has room for. The test says which it was.
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::agent::{Agent, TOKEN, signal};
use crate::controller::Controller;
use crate::edge_between::{Echo, echoing, tool};
use crate::edge_link::Link;
use crate::edge_world::desk;
use crate::engine::{Engine, Home, OK};
use crate::patience::{Gate, until};
use crate::signer::logged;

const NEAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
/// In a namespace of one's own every port is free.
const PORT: u16 = 8080;

/// A network namespace, which lasts as long as this: even where the test is killed, its holder reads the end of
/// its input.
pub(crate) struct Space(Child);

impl Space {
    pub(crate) fn new() -> Self {
        let mut command = tool("unshare");
        command.args(["--net", "--", "sh", "-c", "echo ready; read end"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut holder = command.spawn().expect("unshare starts: run scripts/setup");
        let mut told = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut told).unwrap();
        let space = Self(holder);
        assert_eq!(told, "ready\n", "no network namespace can be made: run the tests as root");
        space.run("ip link set lo up");
        space
    }

    /// What stands before a command line that is to run in it.
    pub(crate) fn prefix(&self) -> [String; 2] {
        ["nsenter".to_owned(), format!("--net=/proc/{}/ns/net", self.0.id())]
    }

    fn command(&self, line: &str) -> Command {
        let [nsenter, space] = self.prefix();
        let mut command = tool(&nsenter);
        command.arg(space).args(line.split(' '));
        command
    }

    /// Runs a command to its end: what it printed, or its complaint.
    pub(crate) fn try_run(&self, line: &str) -> Result<String, String> {
        let done = self.command(line).output().expect("nsenter starts: run scripts/setup");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if done.status.success() { Ok(text(&done.stdout)) } else { Err(text(&done.stderr)) }
    }

    pub(crate) fn run(&self, line: &str) -> String {
        self.try_run(line).unwrap_or_else(|why| panic!("{line}: {why}; run scripts/setup"))
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A child that ends with this.
struct Relay(Child);

impl Relay {
    /// Carries whatever comes at `bind` to `server`, as HAProxy writes both.
    fn start(mut command: Command, home: &Home, name: &str, bind: &str, server: &str) -> Self {
        let config = home.path(name);
        let text = format!(
            "global\nmaxconn 64\ndefaults\nmode tcp\ntimeout connect 5s\ntimeout client 1h\ntimeout server 1h\n\
             listen relay\nbind {bind}\nserver controller {server}\n"
        );
        fs::write(&config, text).unwrap();
        command.args(["-db", "-f"]).arg(config).stdin(Stdio::null());
        Self(command.spawn().expect("haproxy starts: run scripts/setup"))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        signal(self.0.id(), "KILL");
        let _ = self.0.wait();
    }
}

/// A link between two namespaces, with an agent's end and a controller's.
struct Network {
    controller: Controller,
    _relays: [Relay; 2],
    near: Space,
    far: Space,
    _home: Home,
}

impl Network {
    fn new() -> Self {
        let (near, far, controller, home) = (Space::new(), Space::new(), Controller::start(), Home::new());
        near.run(&format!("ip link add near type veth peer name far netns {}", far.0.id()));
        for (space, name, address) in [(&near, "near", NEAR), (&far, "far", FAR)] {
            space.run(&format!("ip address add {address}/24 dev {name}"));
            // Packets as they are on a wire, and none of many segments at once.
            space.run(&format!("ip link set {name} gso_max_segs 1 up"));
        }
        let socket = home.path("socket");
        let (socket, outside) = (socket.display(), format!("127.0.0.1:{}", controller.port()));
        let relays = [
            Relay::start(tool("haproxy"), &home, "outer", &format!("unix@{socket}"), &outside),
            Relay::start(
                far.command("haproxy"),
                &home,
                "inner",
                &format!("{FAR}:{PORT}"),
                &format!("unix@{socket}"),
            ),
        ];
        let listens = format!("{FAR}:{PORT}");
        until("the relays listen", || {
            (home.path("socket").exists() && far.run("ss -ltn").contains(&listens)).then_some(())
        });
        Self { controller, _relays: relays, near, far, _home: home }
    }

    /// An agent at the near end.
    fn agent(&self, engine: &Engine) -> Agent {
        let url = format!("ws://{FAR}:{PORT}");
        let variables = [
            ("DRYDOCK_URL", url.as_str()),
            ("EDGE_PROTOCOL", "lookout"),
            ("TOKEN", TOKEN),
            ("DOCKER_SOCKET", engine.path().to_str().unwrap()),
            ("HEARTBEAT_INTERVAL", "1"),
            ("RECONNECT_DELAY", "1"),
            ("MAX_RECONNECT_DELAY", "1"),
        ];
        let [nsenter, space] = self.near.prefix();
        Agent::spawn(&[&nsenter, &space], &[], &variables)
    }

    /// Welcomes the next call.
    fn link(&self) -> Link {
        let mut link = self.controller.link();
        link.hello();
        link.welcome(&json!({"capabilities": ["duplex-streams", "binary-streams"]}));
        link
    }

    /// From here on packets are late and one in twenty is lost, in both directions.
    #[expect(clippy::print_stderr, reason = "a lesser proof says that it is one")]
    fn worsen(&self) {
        for (space, name) in [(&self.near, "near"), (&self.far, "far")] {
            let netem = space.try_run(&format!("tc qdisc add dev {name} root netem loss 5% delay 25ms"));
            let Err(why) = netem else { continue };
            assert!(!why.contains("failed to execute"), "tc: {why}; run scripts/setup");
            eprintln!("no netem here ({}): loss by iptables, and a queue in place of delay", why.trim());
            space.run(&format!("tc qdisc add dev {name} root tbf rate 20mbit burst 16kb latency 100ms"));
            space.run("iptables -A INPUT -m statistic --mode random --probability 0.05 -j DROP");
        }
    }

    /// Nothing passes any more, and nobody is told.
    fn cut(&self) {
        self.far.run("ip link set far down");
    }

    fn mend(&self) {
        self.far.run("ip link set far up");
    }

    /// How many segments had to be sent again, by either end.
    fn repeated(&self) -> u64 {
        let of = |space: &Space| {
            let told = space.run("cat /proc/net/snmp");
            let [names, values] = [0, 1].map(|line| told.lines().filter(|l| l.starts_with("Tcp:")).nth(line));
            let mut pairs = names.unwrap().split(' ').zip(values.unwrap().split(' '));
            let (_, count) = pairs.find(|(name, _)| *name == "RetransSegs").expect("the kernel counts them");
            count.parse::<u64>().unwrap()
        };
        of(&self.near) + of(&self.far)
    }

    /// Waits until what the agent says is not acknowledged.
    fn until_unheard(&self) {
        until("the agent's kernel repeats itself", || {
            self.near.run("ss -tni").contains("backoff:").then_some(())
        });
    }
}

#[test]
fn a_session_survives_loss_and_delay_with_every_byte_in_its_place() {
    let (network, engine) = (Network::new(), echoing());
    network.worsen();
    let agent = network.agent(&engine);
    let mut link = network.link();
    let mut echo = Echo::begin(&mut link, 7);
    for _ in 0..5 {
        echo.carry(&mut link, 100_000);
        assert_eq!(link.ask("GET /beside").status(), 200);
    }
    echo.end(&mut link);
    link.next("ping");
    assert!(network.repeated() > 0, "something was lost");
    assert!(!agent.log().contains("\"edge.lost\""), "{}", agent.log());
}

#[test]
fn a_short_cut_of_the_link_is_survived() {
    let (network, engine) = (Network::new(), echoing());
    let agent = network.agent(&engine);
    let mut link = network.link();
    let mut echo = Echo::begin(&mut link, 7);
    echo.carry(&mut link, 500_000);
    network.cut();
    link.request("r", "GET /asked-while-it-was-cut", &json!({}));
    network.until_unheard();
    network.mend();
    assert_eq!(link.answer("r").expect("an answer").status(), 200);
    echo.carry(&mut link, 500_000);
    echo.end(&mut link);
    assert!(!agent.log().contains("\"edge.lost\""), "{}", agent.log());
}

#[test]
fn a_link_that_breaks_without_a_word_is_noticed_and_the_agent_calls_again_once_it_is_back() {
    let (network, gate) = (Network::new(), Gate::default());
    let hold = gate.clone();
    // Says much, once it is told to.
    let engine = desk(move |visit, head| {
        if !head.target().contains("/logs") {
            return visit.try_send(OK).is_ok();
        }
        let _ = visit.try_send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n");
        hold.pass();
        let piece = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
        while visit.try_send(&piece).is_ok() {}
        false
    });
    let agent = network.agent(&engine);
    let mut link = network.link();
    link.request("much", "GET /containers/a/logs?follow=1", &json!({}));
    assert_eq!(link.about("much")["data"]["isStream"], true);
    assert_eq!(link.some("much", 5), b"begun");
    network.cut();
    gate.open();
    // A sign of life waits behind what nobody takes. This takes the ten seconds of that rule.
    logged(&agent, &["\"edge.lost\"", "took nothing"]);
    engine.wait("the Engine is let go", |visits| {
        visits.iter().any(|visit| visit.text().contains("/logs") && visit.finished).then_some(())
    });
    // It cannot be reached, and is called all the same.
    logged(&agent, &["\"edge.unreachable\""]);
    network.mend();
    let mut again = network.link();
    assert_eq!(again.ask("GET /a").status(), 200);
    again.expect_none_of("stream");
}

#[test]
fn a_connection_that_is_reset_on_the_way_is_made_anew() {
    let (network, engine) = (Network::new(), echoing());
    let agent = network.agent(&engine);
    let mut link = network.link();
    assert_eq!(link.ask("GET /a").status(), 200);
    // A firewall that has forgotten the connection, and lets new ones pass.
    network.far.run("iptables -A INPUT -p tcp ! --syn -j REJECT --reject-with tcp-reset");
    logged(&agent, &["\"edge.lost\""]);
    network.far.run("iptables -F INPUT");
    assert_eq!(network.link().ask("GET /a").status(), 200);
}

#[test]
fn an_agent_that_is_there_before_its_network_calls_once_that_is_there() {
    let (network, engine) = (Network::new(), echoing());
    network.near.run("ip link set near down");
    let agent = network.agent(&engine);
    logged(&agent, &["\"edge.unreachable\""]);
    network.near.run("ip link set near up");
    assert_eq!(network.link().ask("GET /a").status(), 200);
}
