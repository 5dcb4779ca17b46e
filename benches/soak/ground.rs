//! What is soaked: two agents, their Engine, their controller, and the files that change under them.
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::RwLock;

use serde_json::json;

use crate::agent::{Agent, TOKEN};
use crate::compose_world::Yard;
use crate::engine::Home;
use crate::line::Door;
use crate::signer::{AGENT_ID, Signer, file, next_second};
use crate::switchboard::Switchboard;
use crate::tally::{Side, Tally};
use crate::tls_client::{Shown, keygen, server_cert};
use crate::weather::Weather;

/// Mounts a disk of the first argument's size on the second, and becomes what the others say.
const SCRIPT: &str = r#"mount -t tmpfs -o "size=$1,mode=0700" small "$2" || exit 75; shift 2; exec "$@""#;
/// Room for the trail of one minute, with some to spare.
const MEBIBYTES_PER_MINUTE: u64 = 6;

/// A stack and what is done with it.
pub(crate) const STACK: &str = "web";

pub(crate) struct Ground {
    pub(crate) tally: Tally,
    pub(crate) weather: Weather,
    pub(crate) door: Door,
    pub(crate) switchboard: Switchboard,
    /// The signing key of today. Whoever asks with it holds on to it until the answer is there.
    pub(crate) signer: RwLock<u8>,
    steady: Shown,
    keys: String,
    /// The certificate in force, and the files it is in.
    pub(crate) server: [String; 2],
    pub(crate) home: Home,
    _yard: Yard,
}

/// The processes, which belong to the thread that started them.
pub(crate) struct Agents([Kept; 2]);

/// An agent and its disk.
pub(crate) struct Kept {
    pub(crate) agent: Agent,
    disk: PathBuf,
    state: PathBuf,
}

impl Agents {
    pub(crate) fn of(&self, side: Side) -> &Kept {
        &self.0[side as usize]
    }

    pub(crate) fn both(&self) -> [(Side, &Kept); 2] {
        [Side::Standard, Side::Edge].map(|side| (side, self.of(side)))
    }

    pub(crate) fn into_agents(self) -> [Agent; 2] {
        self.0.map(|kept| kept.agent)
    }
}

impl Kept {
    fn start(home: &Home, name: &str, minutes: u64, variables: &[(&str, &str)]) -> Self {
        let (disk, state) = (home.path(&format!("{name}-disk")), home.path(&format!("{name}-state")));
        for path in [&disk, &state] {
            fs::create_dir(path).unwrap();
            fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        }
        let (size, log) = (format!("{}m", MEBIBYTES_PER_MINUTE * (minutes + 3)), disk.join("audit.jsonl"));
        let prefix = [
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount"].as_slice(),
            &["/bin/sh", "-c", SCRIPT, "sh", &size, text(&disk)],
        ]
        .concat();
        let fixed = [
            ("TOKEN", TOKEN),
            ("AGENT_ID", AGENT_ID),
            ("AUDIT_LOG", text(&log)),
            ("STATE_DIR", text(&state)),
            ("AUDIT_REQUIRED", "true"),
            // Small and many, so that files are put aside all the time.
            ("AUDIT_MAX_BYTES", "1048576"),
            ("AUDIT_KEEP", "1000"),
            ("REQUEST_TIMEOUT", "5"),
            ("DD_POLL_INTERVAL", "60"),
            ("SKIP_DF_COLLECTION", "true"),
        ];
        let variables = [fixed.as_slice(), variables].concat();
        let agent = if variables.iter().any(|(name, _)| *name == "DRYDOCK_URL") {
            Agent::spawn(&prefix, &[], &variables)
        } else {
            Agent::start_or_end(&prefix, &variables).unwrap_or_else(|ended| {
                panic!(
                    "a soak takes `setpriv`, `unshare --mount` and a tmpfs: run it as root ({:?}: {})",
                    ended.code,
                    ended.words()
                )
            })
        };
        // Seen through the agent, since nobody else has it.
        let disk = PathBuf::from(format!("/proc/{}/root{}", agent.pid(), disk.display()));
        Self { agent, disk, state }
    }

    /// Takes all the room there is.
    pub(crate) fn fill(&self) {
        let mut ballast = fs::File::create(self.disk.join("ballast")).expect("the agent's disk");
        while ballast.write_all(&[0; 64 * 1024]).is_ok() {}
    }

    /// Gives it back.
    pub(crate) fn free(&self) {
        fs::remove_file(self.disk.join("ballast")).expect("it was filled");
    }

    /// The files of the trail, and the key that signed it.
    pub(crate) fn trail(&self) -> (Vec<PathBuf>, PathBuf) {
        let entries = fs::read_dir(&self.disk).expect("the agent's disk").map(|entry| entry.unwrap().path());
        (entries.collect(), self.state.join("audit.pem"))
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

impl Ground {
    /// Everything but the Engine, which must be there already.
    pub(crate) fn new(socket: &Path, home: Home, minutes: u64) -> (Self, Agents) {
        let yard = Yard::new();
        let ask = json!(["ask", "GET", "/containers/json"]);
        yard.stack(STACK, &json!([["say", "begun\n"], ask, ["say", "done\n"]]));
        let (server, steady) = (server_cert(&home, "server"), keygen(&home, "steady"));
        let first = 1;
        let keys = file(&home, "keys", steady.line.clone() + &Signer::new(first).line());
        let switchboard = Switchboard::new();
        let standard = yard.with(&[
            ("DOCKER_SOCKET", text(socket)),
            ("AUTHORIZED_KEYS", &keys),
            ("TLS_CERT", &server[0]),
            ("TLS_KEY", &server[1]),
            ("TRUSTED_PROXIES", "127.0.0.1"),
        ]);
        let standard = Kept::start(&home, "standard", minutes, &standard);
        let url = switchboard.url();
        let edge = [
            ("DOCKER_SOCKET", text(socket)),
            ("DRYDOCK_URL", url.as_str()),
            ("EDGE_PROTOCOL", "lookout"),
            ("HEARTBEAT_INTERVAL", "5"),
            ("RECONNECT_DELAY", "1"),
            ("MAX_RECONNECT_DELAY", "1"),
        ];
        let edge = Kept::start(&home, "edge", minutes, &edge);
        let cert = fs::read_to_string(&server[0]).unwrap();
        let door = Door::new(standard.agent.port(), steady.clone(), &[&cert]);
        // What is signed from now on was signed after the agent's start.
        next_second();
        let ground = Self {
            tally: Tally::new(),
            weather: Weather::default(),
            door,
            switchboard,
            signer: RwLock::new(first),
            steady,
            keys,
            server,
            home,
            _yard: yard,
        };
        (ground, Agents([standard, edge]))
    }

    /// Writes another signing key beside the one that stays.
    pub(crate) fn write_keys(&self, seed: u8) {
        let next = file(&self.home, "keys.next", self.steady.line.clone() + &Signer::new(seed).line());
        fs::rename(next, &self.keys).unwrap();
    }
}
