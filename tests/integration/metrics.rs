//! What the agent tells of itself, its host and its containers, as a scraper reads it.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::agent::{Agent, TOKEN, VERSION, request};
use crate::engine::{Engine, Home, Visit};
use crate::exposition::Checked;
use crate::message::Message;
use crate::patience::{Gate, until};

/// A container of a fake Engine: its id, its state, and whether its statistics come.
#[derive(Clone)]
struct One {
    id: String,
    state: &'static str,
    labels: &'static str,
    answer: Answer,
}

#[derive(Clone)]
enum Answer {
    Figures,
    /// Those of a container that does not run.
    Zeros,
    Status(&'static str),
    /// Once the gate is open.
    Late(Gate),
    Nonsense,
}

fn one(number: usize, state: &'static str) -> One {
    One { id: format!("{number:064x}"), state, labels: "{}", answer: Answer::Figures }
}

/// How often an Engine was asked for its list, and for figures.
#[derive(Default)]
struct Asked {
    lists: AtomicUsize,
    figures: AtomicUsize,
}

impl Asked {
    fn counts(&self) -> (usize, usize) {
        (self.lists.load(Ordering::SeqCst), self.figures.load(Ordering::SeqCst))
    }
}

fn send(visit: &mut Visit, status: &str, body: &str) {
    let fields = format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
    // Whoever asked may have given up.
    let _ = visit.try_send(format!("HTTP/1.1 {status}\r\n{fields}\r\n\r\n{body}"));
}

fn engine(ones: Vec<One>) -> (Engine, Arc<Asked>) {
    let asked = Arc::new(Asked::default());
    let counts = Arc::clone(&asked);
    let engine = Engine::start(move |visit| {
        while let Some(request) = visit.request() {
            let target = request.head.target().to_owned();
            if target == "/containers/json?all=1" {
                counts.lists.fetch_add(1, Ordering::SeqCst);
                let rows: Vec<_> = ones.iter().map(One::row).collect();
                send(visit, "200 OK", &format!("[{}]", rows.join(",")));
                continue;
            }
            counts.figures.fetch_add(1, Ordering::SeqCst);
            let asked = ones
                .iter()
                .find(|one| target == format!("/containers/{}/stats?stream=false&one-shot=true", one.id));
            let asked = asked.unwrap_or_else(|| panic!("the agent asked for {target}"));
            match &asked.answer {
                Answer::Figures => send(visit, "200 OK", FIGURES),
                Answer::Zeros => send(visit, "200 OK", ZEROS),
                Answer::Status(status) => send(visit, status, "{\"message\":\"no\"}"),
                Answer::Nonsense => send(visit, "200 OK", "{\"read\":"),
                Answer::Late(gate) => {
                    gate.pass();
                    send(visit, "200 OK", FIGURES);
                }
            }
        }
    });
    (engine, asked)
}

impl One {
    fn row(&self) -> String {
        let Self { id, state, labels, .. } = self;
        format!(
            r#"{{"Id":"{id}","Names":["/n-{}"],"Image":"bb:1","State":"{state}","Labels":{labels},"Command":"sh -c secret-of-a-command"}}"#,
            &id[60..]
        )
    }
}

const FIGURES: &str = r#"{"read":"2026-11-20T14:42:27Z","pids_stats":{"current":2,"limit":50},
    "blkio_stats":{"io_service_bytes_recursive":[{"op":"Read","value":4096},{"op":"Write","value":512}]},
    "cpu_stats":{"cpu_usage":{"total_usage":1565334852}},
    "memory_stats":{"usage":9326592,"limit":67108864,"stats":{"total_inactive_file":8388608}},
    "networks":{"eth0":{"rx_bytes":1112,"tx_bytes":7},"eth1":{"rx_bytes":1,"tx_bytes":2}}}"#;
const ZEROS: &str = r#"{"read":"0001-01-01T00:00:00Z","cpu_stats":{},"memory_stats":{}}"#;

fn page(answer: &Message) -> Checked {
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(answer.head.value("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    Checked::of(&answer.text())
}

fn scrape(agent: &Agent) -> Checked {
    page(&agent.ask(request("GET /metrics", "")))
}

#[track_caller]
fn expect(page: &Checked, series: &str, number: f64) {
    let told = page.number(series);
    assert!((told - number).abs() < 1e-9, "{series} is {told}, not {number}");
}

#[test]
fn a_page_tells_every_container_by_its_state_and_what_the_running_ones_use() {
    let mut ones = vec![one(1, "running"), one(2, "paused"), one(3, "exited"), one(4, "restarting")];
    ones.push(One { answer: Answer::Zeros, ..one(5, "running") });
    ones.push(One { answer: Answer::Status("404 Not Found"), ..one(6, "running") });
    ones.push(One { answer: Answer::Status("500 Oh"), ..one(7, "running") });
    ones.push(One { answer: Answer::Status("403 Forbidden"), ..one(8, "running") });
    ones.push(One { answer: Answer::Nonsense, ..one(9, "running") });
    let (engine, asked) = engine(ones);
    let agent = Agent::start(&engine);
    let page = scrape(&agent);
    for (state, count) in
        [("running", 6.0), ("paused", 1.0), ("exited", 1.0), ("restarting", 1.0), ("dead", 0.0)]
    {
        expect(&page, &format!("lookout_containers{{state=\"{state}\"}}"), count);
    }
    for (outcome, count) in [("measured", 2.0), ("failed", 3.0), ("omitted", 0.0)] {
        expect(&page, &format!("lookout_scrape_containers{{outcome=\"{outcome}\"}}"), count);
    }
    let labels = format!("{{id=\"{:064x}\",name=\"n-0001\",image=\"bb:1\"}}", 1);
    for (name, number) in [
        ("container_cpu_usage_seconds_total", 1.565_334_852),
        ("container_memory_usage_bytes", 9_326_592.0),
        ("container_memory_working_set_bytes", 937_984.0),
        ("container_spec_memory_limit_bytes", 67_108_864.0),
        ("container_network_receive_bytes_total", 1113.0),
        ("container_network_transmit_bytes_total", 9.0),
        ("container_fs_reads_bytes_total", 4096.0),
        ("container_fs_writes_bytes_total", 512.0),
        ("container_threads", 2.0),
        ("container_threads_max", 50.0),
    ] {
        expect(&page, &format!("{name}{labels}"), number);
        assert_eq!(page.family(name).len(), 2, "{name}");
    }
    expect(&page, &format!("lookout_build_info{{version=\"{}\"}}", VERSION), 1.0);
    assert!(page.number("process_resident_memory_bytes") > 100_000.0);
    assert!(page.number("lookout_host_memory_total_bytes") > page.number("process_resident_memory_bytes"));
    assert_eq!(asked.counts(), (1, 7), "those that do not run are not asked about");
}

#[test]
fn scrapes_at_once_cost_one_round_of_questions() {
    let gate = Gate::default();
    let slow = One { answer: Answer::Late(gate.clone()), ..one(2, "running") };
    let (engine, asked) = engine(vec![one(1, "running"), slow]);
    let agent = Agent::start(&engine);
    thread::scope(|scope| {
        let scrapes: Vec<_> = ["/metrics", "/_lookout/metrics", "/metrics", "/metrics"]
            .map(|path| {
                let mut client = agent.client();
                client.send(request(&format!("GET {path}"), ""));
                scope.spawn(move || client.answer())
            })
            .into();
        // All of them are there before the Engine answers the first.
        until("four scrapes", || {
            let seen = agent.log().matches("\"/metrics\"").count()
                + agent.log().matches("/_lookout/metrics\"").count();
            (seen >= 4 && asked.counts().1 == 2).then_some(())
        });
        gate.open();
        for scrape in scrapes {
            expect(&page(&scrape.join().unwrap()), "lookout_scrape_containers{outcome=\"measured\"}", 2.0);
        }
    });
    assert_eq!(asked.counts(), (1, 2));
}

#[test]
fn a_hundred_containers_are_measured_side_by_side_in_one_page() {
    let gate = Gate::default();
    let ones = (0..100).map(|number| One { answer: Answer::Late(gate.clone()), ..one(number, "running") });
    let (engine, asked) = engine(ones.collect());
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    client.send(request("GET /metrics", ""));
    // Far more than the eight that others ask about at once wait for their answers.
    until("many questions at once", || (asked.counts().1 >= 64).then_some(()));
    gate.open();
    let page = page(&client.answer());
    assert_eq!(page.family("container_cpu_usage_seconds_total").len(), 100);
    expect(&page, "lookout_scrape_containers{outcome=\"measured\"}", 100.0);
    assert_eq!(asked.counts(), (1, 100));
}

#[test]
fn a_container_whose_figures_never_come_costs_the_others_nothing() {
    let gate = Gate::default();
    let stuck = One { answer: Answer::Late(gate.clone()), ..one(1, "running") };
    let (engine, _) = engine(vec![stuck, one(2, "running")]);
    let agent = Agent::start(&engine);
    let page = scrape(&agent);
    expect(&page, "lookout_scrape_containers{outcome=\"failed\"}", 1.0);
    expect(&page, "lookout_scrape_containers{outcome=\"measured\"}", 1.0);
    assert_eq!(page.family("container_threads").len(), 1);
    assert!(page.number("lookout_scrape_duration_seconds") > 1.0, "it was waited for");
    gate.open();
}

#[test]
fn without_an_engine_there_is_still_a_page() {
    let home = Home::new();
    let agent = Agent::start_at(&home.path("docker.sock"), &[]);
    let page = scrape(&agent);
    for name in
        ["lookout_build_info", "lookout_uptime_seconds", "lookout_host_memory_total_bytes", "process_threads"]
    {
        assert_eq!(page.family(name).len(), 1, "{name}");
    }
    assert!(page.names().iter().all(|name| !name.starts_with("container_")));
    assert!(
        page.family("lookout_containers").is_empty() && page.family("lookout_scrape_containers").is_empty()
    );
}

#[test]
fn a_list_that_is_none_is_no_containers() {
    let engine = Engine::start(|visit| {
        while visit.request().is_some() {
            send(visit, "200 OK", "{\"Id\":1}");
        }
    });
    let agent = Agent::start(&engine);
    assert!(scrape(&agent).family("lookout_containers").is_empty());
}

#[test]
fn nothing_of_a_container_is_told_but_its_id_name_and_image() {
    let labelled = One { labels: r#"{"secret":"of-a-label"}"#, ..one(1, "running") };
    let (engine, _) = engine(vec![labelled]);
    let agent = Agent::start(&engine);
    let answer = agent.ask(request("GET /metrics", ""));
    assert!(!answer.text().contains("secret") && !answer.text().contains("of-a-label"));
    assert!(!answer.text().contains(TOKEN));
    let labels = page(&answer).family("container_threads").concat();
    assert!(labels.contains("name=\"n-0001\"") && labels.matches('=').count() == 3, "{labels}");
}
