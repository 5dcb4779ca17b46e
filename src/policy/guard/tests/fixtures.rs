//! Bodies that clients really sent pass, and keep their meaning.

use super::{Guard, Kind, Shelf, among, creator, grant, id_of, labelled, read};
use crate::auth::Class;
use crate::policy::json::Json;

macro_rules! fixtures {
    ($($guard:ident: $($name:literal)+;)+) => {
        /// Every file of the directory, with the guard of the route it was sent to.
        pub(super) const ALL: &[(Guard, &str, &str)] = &[$($(
            (Guard::$guard, $name, include_str!(concat!("../../../../tests/fixtures/bodies/", $name, ".json"))),
        )+)+];
    };
}
fixtures! {
    ContainerCreate:
        "run-plain" "create-plain" "create-published" "create-volumes" "create-mounts" "create-limited"
        "create-health" "create-network" "create-hardened" "create-terminal" "create-joined"
        "create-plain-api124" "create-plain-api150" "create-network-api150"
        "compose-v1-create-base" "compose-v1-create-front" "compose-v2-create-base" "compose-v2-create-front";
    ContainerUpdate: "update";
    NetworkCreate:
        "network-plain" "network-subnet" "network-internal" "network-api150"
        "compose-v1-network-default" "compose-v1-network-internal"
        "compose-v2-network-default" "compose-v2-network-internal";
    NetworkConnect: "connect" "compose-v1-connect" "compose-v2-connect";
    NetworkDisconnect: "disconnect" "compose-v1-disconnect";
    VolumeCreate: "volume-plain" "volume-anonymous" "volume-labelled" "compose-v1-volume" "compose-v2-volume";
    ExecCreate: "exec-plain" "exec-terminal" "exec-detached";
    ExecStart: "exec-start-plain" "exec-start-terminal" "exec-start-detached";
}

const NETWORKS: &[&str] = &["shop-net", "shop_back"];
const CONTAINERS: &[&str] = &[
    "shop-it",
    "shop-run",
    "75c3aa1bc722b44bb549a8c7ee1d504a9caf51cbac5de7e21c15d276b399006a",
    "764d1f687bf009c32a5849ae5bf8649dfb155dd9115dd17216d5d6c195f93622",
];
const VOLUMES: &[&str] = &["shop-data", "shop_cache"];

/// An Engine with everything the fixtures name.
pub(super) fn shop() -> Shelf {
    let kinds = [(Kind::Network, NETWORKS), (Kind::Container, CONTAINERS), (Kind::Volume, VOLUMES)];
    Shelf {
        things: kinds.iter().flat_map(|&(kind, names)| names.iter().map(move |&name| (kind, name))).collect(),
        asked: Vec::new(),
    }
}

/// The fixture with ids for the names that are looked up.
fn with_ids(guard: Guard, text: &str) -> Json {
    let mut text = text.to_owned();
    if guard != Guard::NetworkCreate {
        for name in NETWORKS.iter().chain(CONTAINERS) {
            let id = id_of(name);
            text = text.replace(&format!("{name:?}"), &format!("{id:?}"));
            text = text.replace(&format!("\"container:{name}\""), &format!("\"container:{id}\""));
        }
    }
    read(&text)
}

#[test]
fn what_clients_send_passes_and_only_names_become_ids() {
    for &(guard, name, text) in ALL {
        let judged =
            among(&mut shop(), guard, &creator(), text).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(judged, with_ids(guard, text), "{name}");
    }
}

#[test]
fn under_a_label_what_clients_create_carries_it_too() {
    for &(guard, name, text) in ALL {
        let judged = among(&mut shop(), guard, &labelled(creator()), text);
        let mut judged = judged.unwrap_or_else(|why| panic!("{name}: {why}"));
        if matches!(guard, Guard::ContainerCreate | Guard::NetworkCreate | Guard::VolumeCreate) {
            remove_label(&mut judged, name);
        }
        let volumes = judged.member_mut("HostConfig").and_then(|host| host.member_mut("Mounts"));
        if let Some(Json::List(mounts)) = volumes {
            for mount in mounts.iter_mut().filter(|mount| mount.member("Type") == Some(&read("\"volume\""))) {
                remove_label(mount.member_mut("VolumeOptions").unwrap(), name);
            }
        }
        assert_eq!(without_empty(judged), without_empty(with_ids(guard, text)), "{name}");
    }
}

fn remove_label(object: &mut Json, name: &str) {
    let Some(Json::Object(labels)) = object.member_mut("Labels") else { panic!("{name} has no labels") };
    let at = labels.iter().position(|(key, value)| key == "team" && value.text() == Some("web"));
    labels.remove(at.unwrap_or_else(|| panic!("{name} is not stamped")));
}

/// `Labels` and `VolumeOptions` that hold nothing say as much as none.
fn without_empty(tree: Json) -> Json {
    match tree {
        Json::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (name, without_empty(value)));
            let is_said =
                |name: &str, value: &Json| !(["Labels", "VolumeOptions"].contains(&name) && value.is_zero());
            Json::Object(members.filter(|(name, value)| is_said(name, value)).collect())
        }
        Json::List(items) => Json::List(items.into_iter().map(without_empty).collect()),
        plain @ (Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_)) => plain,
    }
}

#[test]
fn class_host_changes_nothing_about_them() {
    for &(guard, name, text) in ALL {
        let judged = among(&mut shop(), guard, &grant(&[Class::Create, Class::Host]), text);
        assert_eq!(judged.unwrap_or_else(|why| panic!("{name}: {why}")), with_ids(guard, text), "{name}");
    }
}

#[test]
fn every_file_of_the_directory_is_tested_and_told_of() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/bodies");
    let readme = std::fs::read_to_string(format!("{directory}/README.md")).unwrap();
    let mut files = 0;
    for file in std::fs::read_dir(directory).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(".json") else { continue };
        files += 1;
        assert!(ALL.iter().any(|(_, known, _)| *known == name), "{file} is not tested");
        assert!(readme.contains(&format!("| {name} |")), "README.md does not tell of {file}");
    }
    assert_eq!(files, ALL.len());
}
