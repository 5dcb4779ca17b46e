//! Nobody is contacted who was not named: a network in which every packet that leaves is counted.
use crate::agent::{Agent, TOKEN};
use crate::edge_network::Space;
use crate::engine::Engine;
use crate::patience::until;

/// A network with a way out that leads nowhere.
fn space() -> Space {
    let space = Space::new();
    for line in [
        "ip link add out type veth peer name nowhere",
        "ip link set out addrgenmode none",
        "ip link set nowhere addrgenmode none",
        "ip address add 192.0.2.1/24 dev out",
        "ip link set nowhere up",
        "ip link set out up",
        "ip route add default via 192.0.2.2 dev out",
    ] {
        space.run(line);
    }
    space
}

/// Packets that have left so far.
fn left(space: &Space) -> u64 {
    let told = space.run("ip -s -o link show dev out");
    let sent = told.split("TX:").nth(1).expect("what was sent");
    let figures = sent.split('\\').nth(1).expect("its figures");
    figures.split_whitespace().nth(1).expect("packets").parse().expect("a number")
}

#[test]
fn in_standard_mode_nobody_is_contacted() {
    let (space, engine) = (space(), Engine::obliging());
    let prefix = space.prefix();
    let socket = engine.path().to_str().unwrap();
    let agent = Agent::spawn(
        &[&prefix[0], &prefix[1]],
        &[],
        &[("TOKEN", TOKEN), ("BIND_ADDRESS", "127.0.0.1"), ("PORT", "8080"), ("DOCKER_SOCKET", socket)],
    );
    until("it listens", || agent.log().contains("server.listening").then_some(()));
    for path in ["/health", "/ready", "/metrics", "/_lookout/info", "/containers/json", "/api/containers"] {
        let fixed = "curl -s -o /dev/null -w %{http_code} -H X-Lookout-Token:";
        let told = space.run(&format!("{fixed}{TOKEN} http://127.0.0.1:8080{path}"));
        assert_ne!(told, "000", "{path} was not answered");
    }
    agent.stop();
    assert_eq!(left(&space), 0, "a packet left the machine");
    let asked = space.try_run("curl -s -m 1 http://192.0.2.3/");
    assert!(asked.is_err() && left(&space) > 0, "what leaves is counted");
}

#[test]
fn in_edge_mode_nobody_is_called_but_the_controller() {
    let (space, engine) = (space(), Engine::obliging());
    let prefix = space.prefix();
    let variables = [
        ("DRYDOCK_URL", "ws://127.0.0.1:9"),
        ("TOKEN", TOKEN),
        ("AGENT_ID", "contacts"),
        ("RECONNECT_DELAY", "1"),
        ("MAX_RECONNECT_DELAY", "1"),
        ("DOCKER_SOCKET", engine.path().to_str().unwrap()),
    ];
    let agent = Agent::spawn(&[&prefix[0], &prefix[1]], &[], &variables);
    until("it has called thrice", || (agent.log().matches("edge.unreachable").count() >= 3).then_some(()));
    agent.stop();
    assert_eq!(left(&space), 0, "a packet left the machine");
}
