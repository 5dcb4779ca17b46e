//! What is asked of the agent while it is counted: a few times, then many times, each of an agent of its own.
use std::fs::{self, DirBuilder};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::agent;
use crate::agents::{Agent, Asks};
use crate::answers;
use crate::client::{Client, LIST_BUFFER_BYTES, SMALL_BUFFER_BYTES};
use crate::connection::Connection;
use crate::counter::{Counter, Spent};
use crate::material::Material;
use crate::peers::Directory;
use crate::questions::Question;
use crate::requests::{self, TOKEN};
use crate::signer::{Version, since_1970};
use crate::started::Started;
use crate::streams::{self, Frames};

const PATH: &str = "/version";
const TARGET: &str = "/v1.41/version";

/// What every case may use.
pub(crate) struct Setting<'d> {
    directory: &'d Directory,
    material: Material,
}

impl<'d> Setting<'d> {
    pub(crate) fn new(lookout: &Path, directory: &'d Directory) -> io::Result<Self> {
        Ok(Self { directory, material: Material::make(lookout, &directory.path)? })
    }
}

pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// How often it is asked in both runs: memory is taken and tables are filled meanwhile.
    before: u64,
    /// How often it is asked more in the second run.
    times: u64,
    /// Starts this program as an agent, and asks it so often.
    ask: fn(&Setting<'_>, &Path, u64) -> io::Result<Asked>,
}

/// An agent that was asked, and still runs.
pub(crate) type Asked = Box<dyn std::any::Any>;

pub(crate) const CASES: &[Case] = &[
    Case { name: "small GET", before: 40, times: 2000, ask: small },
    Case { name: "small GET, new connection", before: 40, times: 500, ask: new_connections },
    Case { name: "small GET, signed", before: 40, times: 300, ask: signed },
    Case { name: "small GET, within TLS", before: 40, times: 500, ask: within_tls },
    Case { name: "small GET, audit in a chained file", before: 40, times: 1000, ask: audited },
    Case { name: "50 KB JSON", before: 40, times: 1000, ask: list },
    Case { name: "edge, small request", before: 40, times: 500, ask: edge },
    Case { name: "edge, 1 MiB as text", before: 2, times: 8, ask: edge_stream },
];

impl Case {
    /// What one more of it takes.
    pub(crate) fn count(&self, setting: &Setting<'_>, counter: &Counter) -> io::Result<Spent> {
        let name = self.name.replace(|letter: char| !letter.is_alphanumeric(), "-");
        let run = |times: u64| {
            let counted = counter.agent(&format!("{name}-{times}"))?;
            let asked = (self.ask)(setting, &counted.program, times)?;
            let spent = counted.end()?;
            drop(asked);
            io::Result::Ok(spent)
        };
        let told = |error: io::Error| io::Error::other(format!("{}: {error}", self.name));
        let few = run(self.before).map_err(told)?;
        let many = run(self.before + self.times).map_err(told)?;
        Ok(many.each_since(few, self.times))
    }
}

fn small(setting: &Setting<'_>, program: &Path, times: u64) -> io::Result<Asked> {
    let agent = Agent::start(Asks::Token, program, &setting.material, setting.directory)?;
    ask_small(agent.address, times)?;
    Ok(Box::new(agent))
}

fn ask_small(address: SocketAddr, times: u64) -> io::Result<()> {
    let request = requests::get(PATH);
    ask(address, SMALL_BUFFER_BYTES, times, answers::version().len(), || request.clone())
}

fn list(setting: &Setting<'_>, program: &Path, times: u64) -> io::Result<Asked> {
    let agent = Agent::start(Asks::Token, program, &setting.material, setting.directory)?;
    let request = requests::get("/containers/json");
    ask(agent.address, LIST_BUFFER_BYTES, times, answers::containers().len(), || request.clone())?;
    Ok(Box::new(agent))
}

fn signed(setting: &Setting<'_>, program: &Path, times: u64) -> io::Result<Asked> {
    let agent = Agent::start(Asks::Signature, program, &setting.material, setting.directory)?;
    // What was stamped in the second in which an agent started is refused.
    let healthy = since_1970().as_secs();
    while since_1970().as_secs() <= healthy {
        thread::sleep(Duration::from_millis(20));
    }
    let mut signer = setting.material.signer()?;
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    let request = String::from_utf8_lossy(&requests::get(PATH)).into_owned();
    ask(agent.address, SMALL_BUFFER_BYTES, times, answers::version().len(), || {
        request.replace(&token, &signer.fields(Version::V2, TARGET)).into_bytes()
    })?;
    Ok(Box::new(agent))
}

/// Asks over one kept-alive connection, and looks at every answer.
fn ask(
    address: SocketAddr,
    buffer_bytes: usize,
    times: u64,
    bytes_expected: usize,
    mut request: impl FnMut() -> Vec<u8>,
) -> io::Result<()> {
    let mut client = Client::connect(address, buffer_bytes)?;
    for _ in 0..times {
        client.exchange(&request(), bytes_expected as u64)?;
    }
    Ok(())
}

fn new_connections(setting: &Setting<'_>, program: &Path, times: u64) -> io::Result<Asked> {
    let agent = Agent::start(Asks::Token, program, &setting.material, setting.directory)?;
    let request = requests::get_and_close(PATH);
    for _ in 0..times {
        let mut client = Client::connect(agent.address, SMALL_BUFFER_BYTES)?;
        client.exchange(&request, answers::version().len() as u64)?;
        client.receive_end()?;
    }
    Ok(Box::new(agent))
}

fn within_tls(setting: &Setting<'_>, program: &Path, times: u64) -> io::Result<Asked> {
    let agent = Agent::start(Asks::Certificate, program, &setting.material, setting.directory)?;
    let tls = setting.material.tls(false)?;
    let request = requests::get(PATH);
    let mut connection = Connection::open(agent.address, Some(&tls))?;
    for _ in 0..times {
        let answer = connection.exchange(&request)?;
        if answer.status != 200 || answer.body != answers::version().as_bytes() {
            return Err(io::Error::other(format!("answered {}", answer.status)));
        }
    }
    Ok(Box::new(agent))
}

fn audited(setting: &Setting<'_>, program: &Path, times: u64) -> io::Result<Asked> {
    let kept = setting.directory.path.join(format!("kept-{times}"));
    let (state, file): (PathBuf, PathBuf) = (kept.join("state"), kept.join("audit.jsonl"));
    DirBuilder::new().recursive(true).mode(0o700).create(&state)?;
    let variables = vec![("AUDIT_LOG", file.clone().into_os_string()), ("STATE_DIR", state.into_os_string())];
    let started = Started::new(variables, program, setting.directory)?;
    ask_small(started.address, times)?;
    let records = fs::read_to_string(&file)?.matches("\"event\":\"api_request\"").count() as u64;
    if records < times {
        return Err(io::Error::other(format!("{records} records of {times} requests")));
    }
    Ok(Box::new(started))
}

fn edge(setting: &Setting<'_>, program: &Path, times: u64) -> io::Result<Asked> {
    let mut agent = agent::Agent::start(program, setting.directory)?;
    let mut session = agent.session()?;
    let mut question = Question::new(&mut session, PATH, answers::version())?;
    for _ in 0..times {
        // No time to ask more than once.
        question.ask(&mut session, 1, Duration::ZERO)?;
    }
    Ok(Box::new((agent, session)))
}

fn edge_stream(setting: &Setting<'_>, program: &Path, blocks: u64) -> io::Result<Asked> {
    let mut agent = agent::Agent::start(program, setting.directory)?;
    let mut session = agent.session()?;
    streams::stream(&mut session, Frames::Text, blocks)?;
    Ok(Box::new((agent, session)))
}
