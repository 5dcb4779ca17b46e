//! The list of containers: who is there, and by what one sees that something changed.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

/// One container of the list, without what changes by itself. Equal rows need no new inspection.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    facts: Vec<Value>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "Id")]
    id: String,
    #[serde(rename = "Status", default)]
    status: String,
    #[serde(flatten)]
    facts: HashMap<String, Value>,
}

/// Members that say what a container is; the age in `Status` is not among them.
const FACTS: [&str; 8] =
    ["Names", "Image", "ImageID", "State", "Labels", "Ports", "NetworkSettings", "Mounts"];

pub(super) fn read(list: &[u8]) -> Result<HashMap<String, Row>, serde_json::Error> {
    let raw: Vec<Raw> = serde_json::from_slice(list)?;
    Ok(raw.into_iter().map(Raw::into_row).collect())
}

impl Raw {
    fn into_row(mut self) -> (String, Row) {
        let mut facts: Vec<_> =
            FACTS.iter().map(|name| self.facts.remove(*name).unwrap_or_default()).collect();
        // `Up 3 minutes (healthy)`: health is the part that counts.
        let health = self.status.split_once('(').map(|(_, health)| health.to_owned());
        facts.push(health.map_or(Value::Null, Value::String));
        (self.id, Row { facts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(status: &str, name: &str) -> Row {
        let list =
            format!(r#"[{{"Id":"a","Names":["/{name}"],"Status":"{status}","Created":1,"SizeRw":9}}]"#);
        read(list.as_bytes()).unwrap().remove("a").unwrap()
    }

    #[test]
    fn a_container_that_only_grew_older_looks_the_same() {
        assert_eq!(row("Up 3 minutes", "web"), row("Up 4 minutes", "web"));
        assert_ne!(row("Up 3 minutes", "web"), row("Up 3 minutes", "shop"));
        assert_ne!(row("Up 3 minutes (healthy)", "web"), row("Up 4 minutes (unhealthy)", "web"));
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for text in ["{}", "[{}]", "[", "null"] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
