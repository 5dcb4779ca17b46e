//! The Engine: whether it lets us in, what it is made of, and what is known of that.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::releases::flaws;
use super::row::{Row, Tell, plain};
use crate::compose::plugin_places;
use crate::docker::{Address, Docker, Error, Line, Settings};
use crate::limits::JSON_ANSWER_BYTES_MAX;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    #[serde(default)]
    version: String,
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Component {
    name: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    #[serde(default)]
    cgroup_version: String,
    #[serde(default)]
    security_options: Vec<String>,
}

/// `home` is where a user's own plugins are looked for.
pub(super) fn examine(settings: Settings, home: Option<&Path>, tell: Tell<'_>) {
    let place = settings.address.to_string();
    if let Address::Unix(paths) = &settings.address {
        tell(socket(paths));
    }
    let docker = Docker::new(settings);
    let mut line = Line::default();
    match read::<Version>(&docker, &mut line, "/version") {
        Ok(version) => {
            tell(Row::ok("engine", engine(&place, &version)));
            for name in ["runc", "containerd"] {
                tell(part(name, &version.components));
            }
            tell(known(&version.components));
        }
        Err(why) => {
            tell(why);
            for name in ["runc", "containerd", "known flaws"] {
                tell(Row::skipped(name, "the Engine was not asked"));
            }
        }
    }
    tell(compose(home));
    match read::<Info>(&docker, &mut line, "/info") {
        Ok(info) => {
            tell(cgroup(&info));
            tell(rootless(&info));
        }
        Err(_) => {
            for name in ["cgroup", "rootless"] {
                tell(Row::skipped(name, "the Engine does not say"));
            }
        }
    }
}

/// The first socket that exists, as [`Docker`] will take it.
fn socket(paths: &[PathBuf]) -> Row {
    const NAME: &str = "socket";
    for path in paths {
        let Ok(status) = std::fs::metadata(path) else { continue };
        let mode = status.mode() & 0o7777;
        let what = format!(
            "{} belongs to user {}, group {}, mode {mode:04o}",
            path.display(),
            status.uid(),
            status.gid()
        );
        if mode & 0o002 != 0 {
            let remedy = "whoever has an account here is root with it: chmod 0660";
            return Row::warn(NAME, what, remedy);
        }
        return Row::ok(NAME, what);
    }
    let shown: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    let what = format!("there is none at {}", shown.join(", "));
    Row::fail(NAME, what, "start the Engine; in a container, mount its socket; or name it with DOCKER_SOCKET")
}

fn read<T: DeserializeOwned>(docker: &Docker, line: &mut Line, target: &str) -> Result<T, Row> {
    let fail = |error: &Error, remedy: &str| Row::fail("engine", error.to_string(), remedy);
    match docker.read(line, target, JSON_ANSWER_BYTES_MAX) {
        Ok(Some(document)) => serde_json::from_slice(&document)
            .map_err(|_| fail(&Error::Unreadable, "is it an Engine that listens there?")),
        Ok(None) => Err(fail(&Error::Unreadable, "is it an Engine that listens there?")),
        // Its text is the remedy.
        Err(error @ Error::Denied { .. }) => Err(Row::failed("engine", error.to_string())),
        Err(error) => {
            Err(fail(&error, "is the Engine running, and does DOCKER_SOCKET or DOCKER_HOST name it?"))
        }
    }
}

fn engine(place: &str, version: &Version) -> String {
    let Version { version, api_version, .. } = version;
    format!("{place} answers: version {}, API {}", plain(version), plain(api_version))
}

fn part(name: &'static str, components: &[Component]) -> Row {
    let found = components.iter().find(|component| component.name.eq_ignore_ascii_case(name));
    found.map_or_else(
        || Row::skipped(name, "the Engine does not name it"),
        |found| Row::ok(name, format!("version {}", plain(&found.version))),
    )
}

fn known(components: &[Component]) -> Row {
    const NAME: &str = "known flaws";
    let told: Vec<_> = components
        .iter()
        .filter_map(|Component { name, version }| {
            let flaws = flaws(name, version);
            (!flaws.is_empty()).then(|| format!("{} {}: {}", plain(name), plain(version), flaws.join("; ")))
        })
        .collect();
    if told.is_empty() {
        return Row::ok(NAME, "none in the list of this version of Lookout");
    }
    let remedy = "install the newest release; a distribution may have mended an older one under its number";
    Row::warn(NAME, told.join("; "), remedy)
}

/// No program is started to ask it.
fn compose(home: Option<&Path>) -> Row {
    let places = plugin_places(home).into_iter();
    let found = places.map(|place| place.join("docker-compose")).find(|path| path.is_file());
    Row::skipped(
        "compose",
        match found {
            Some(path) => {
                format!("a plugin is at {}; no program is started to ask its version", path.display())
            }
            None => "no plugin is seen from here".to_owned(),
        },
    )
}

fn cgroup(info: &Info) -> Row {
    const NAME: &str = "cgroup";
    match info.cgroup_version.as_str() {
        "2" => Row::ok(NAME, "version 2"),
        "1" => Row::warn(
            NAME,
            "version 1, which kernels and systemd are giving up",
            "boot the host with systemd.unified_cgroup_hierarchy=1, or with a newer distribution",
        ),
        _ => Row::skipped(NAME, "the Engine does not say"),
    }
}

fn rootless(info: &Info) -> Row {
    const NAME: &str = "rootless";
    let is_rootless =
        info.security_options.iter().any(|option| option.split(',').any(|o| o == "name=rootless"));
    Row::ok(
        NAME,
        if is_rootless {
            "the Engine runs without root: limits need a delegated cgroup, and ports below 1024 a setting"
        } else {
            "the Engine runs as root: whoever may start any container is root on this host"
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::row::Outcome;

    fn component(name: &str, version: &str) -> Component {
        Component { name: name.to_owned(), version: version.to_owned() }
    }

    #[test]
    fn parts_with_known_flaws_are_named_and_others_are_not() {
        let old = [component("Engine", "20.10.24+dfsg1"), component("runc", "1.1.4\u{1b}[31m")];
        let row = known(&old);
        assert_eq!(row.outcome, Outcome::Warn);
        assert!(row.what.contains("Engine 20.10.24+dfsg1: ") && row.what.contains("runc 1.1.4[31m: "));
        assert!(!row.what.contains('\u{1b}'));
        let new = [component("Engine", "29.6.0"), component("runc", "1.4.1"), component("containerd", "1.0")];
        assert_eq!(known(&new).outcome, Outcome::Ok);
        assert_eq!(part("runc", &new).what, "version 1.4.1");
        assert_eq!(part("containerd", &old).outcome, Outcome::Skipped);
    }

    #[test]
    fn a_socket_that_is_not_there_and_one_that_everybody_may_use_are_told() {
        let dir = std::env::temp_dir().join(format!("lookout-doctor-engine-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("docker.sock");
        std::fs::write(&path, "").unwrap();
        let of_mode = |mode| {
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            socket(&[dir.join("none"), path.clone()])
        };
        assert_eq!(of_mode(0o660).outcome, Outcome::Ok);
        assert!(of_mode(0o660).what.contains("mode 0660"));
        assert_eq!(of_mode(0o666).outcome, Outcome::Warn);
        let missing = socket(&[dir.join("none")]);
        assert!(missing.outcome == Outcome::Fail && missing.what.contains("none"));
    }

    #[test]
    fn hints_are_taken_from_what_the_engine_says() {
        let info = |text: &str| -> Info { serde_json::from_str(text).unwrap() };
        for (text, outcome) in [
            (r#"{"CgroupVersion":"2"}"#, Outcome::Ok),
            (r#"{"CgroupVersion":"1"}"#, Outcome::Warn),
            ("{}", Outcome::Skipped),
        ] {
            assert_eq!(cgroup(&info(text)).outcome, outcome, "{text}");
        }
        let rootless_one = info(r#"{"SecurityOptions":["name=seccomp,profile=builtin","name=rootless"]}"#);
        assert!(rootless(&rootless_one).what.contains("without root"));
        assert!(rootless(&info("{}")).what.contains("as root"));
    }

    #[test]
    fn the_plugin_is_looked_for_and_never_started() {
        let home = std::env::temp_dir().join(format!("lookout-doctor-home-{}", std::process::id()));
        let place = home.join(".docker/cli-plugins");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("docker-compose"), "").unwrap();
        let row = compose(Some(&home));
        assert_eq!(row.outcome, Outcome::Skipped);
        assert!(row.what.contains(".docker/cli-plugins/docker-compose"), "{}", row.what);
    }
}
