//! What the Engine says of its host: asked once, by whoever first tells this machine's figures.

use serde::Deserialize;

use super::route::Agent;
use crate::clock::Deadline;
use crate::docker::Line;
use crate::http::Status;
use crate::limits::JSON_ANSWER_BYTES_MAX;
use crate::log::{self, text};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Info {
    #[serde(rename = "DockerRootDir")]
    folder: String,
    #[serde(rename = "MemTotal")]
    memory: u64,
}

/// Learns where the Engine keeps its data, and how much memory its host has. An Engine that does not
/// answer is asked again by the next caller; one that answers otherwise is not.
pub(super) fn learn(agent: &Agent, within: Deadline) {
    if agent.engine_memory.get().is_some() {
        return;
    }
    match agent.docker.document(&mut Line::default(), "/info", JSON_ANSWER_BYTES_MAX, within) {
        Ok((status, told)) if !status.is_server_error() => {
            let info = if status == Status::OK { read(&told) } else { Info::default() };
            agent.host.learn_engine_data(&info.folder);
            let _ = agent.engine_memory.set(info.memory);
        }
        Ok((status, _)) => log::debug("engine.info_refused", &[("status", text(&status.0))]),
        Err(error) => log::debug("engine.info_failed", &[("error", text(&error))]),
    }
}

/// What is not there is left as it was.
fn read(told: &[u8]) -> Info {
    serde_json::from_slice(told).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn an_engine_that_says_less_or_nonsense_is_understood_as_far_as_it_goes() {
        for (told, folder, memory) in [
            (
                r#"{"DockerRootDir":"/data/docker","MemTotal":25276502016,"NCPU":2}"#,
                "/data/docker",
                25_276_502_016,
            ),
            (r#"{"MemTotal":5}"#, "", 5),
            (r#"{"DockerRootDir":null}"#, "", 0),
            ("{}", "", 0),
            ("[]", "", 0),
            ("", "", 0),
        ] {
            let info = read(told.as_bytes());
            assert_eq!((info.folder.as_str(), info.memory), (folder, memory), "{told}");
        }
    }
}
