//! The flat shape of a container: the generic API's, which reads no labels but hands them on.

use std::net::IpAddr;

use serde::Serialize;

use super::inspect::{Binding, Container, Health, Image, Mount, Network, State};
use super::labels::LabelMap;
use super::model::{Telling, WATCHER, filled, real_time};
use super::origin::Origin;

/// A container in the flat shape. What is empty is left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Flat<'a> {
    id: &'a str,
    name: &'a str,
    display_name: &'a str,
    status: &'static str,
    watcher: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    image: FlatImage<'a>,
    /// The agent asks no registry, so it never knows of one.
    update_available: bool,
    update_kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a LabelMap>,
    details: Details<'a>,
}

impl<'a> Flat<'a> {
    pub(crate) fn new(container: &'a Container, image: Option<&'a Image>, telling: &Telling<'a>) -> Self {
        Self {
            id: &container.id,
            name: &container.name,
            display_name: &container.name,
            status: status(container.state),
            watcher: WATCHER,
            agent: telling.agent(),
            image: FlatImage::new(container, image),
            update_available: false,
            update_kind: "unknown",
            labels: Some(&container.labels).filter(|labels| !labels.is_empty()),
            details: Details::new(container, telling),
        }
    }
}

/// The states this shape knows: what neither runs nor is about to has stopped.
fn status(state: State) -> &'static str {
    match state {
        State::Created | State::Running | State::Paused | State::Restarting | State::Dead => state.name(),
        State::Removing | State::Exited => "stopped",
    }
}

#[derive(Debug, Serialize)]
struct FlatImage<'a> {
    id: &'a str,
    registry: String,
    name: String,
    tag: String,
    /// When the image was made, not the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    os: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

impl<'a> FlatImage<'a> {
    fn new(container: &'a Container, image: Option<&'a Image>) -> Self {
        let origin = Origin::of(container, image);
        Self {
            id: &container.image_id,
            tag: origin.tag_or_default().to_owned(),
            registry: origin.registry,
            name: origin.name,
            created: image.and_then(|image| real_time(&image.created)),
            digest: origin.digests.into_iter().next(),
            architecture: image.and_then(|image| filled(&image.architecture)),
            os: image.and_then(|image| filled(&image.os)),
            size: image.map(|image| image.size).filter(|size| *size > 0),
        }
    }
}

#[derive(Debug, Serialize)]
struct Details<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ports: Vec<Port<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    network: Vec<NetworkSeat<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<Volume<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<&'static str>,
}

impl<'a> Details<'a> {
    fn new(container: &'a Container, telling: &Telling<'a>) -> Self {
        Self {
            platform: filled(&container.platform),
            command: telling.command(container),
            ports: ports(container),
            network: container.networks.iter().map(NetworkSeat::new).collect(),
            volumes: container.mounts.iter().map(Volume::new).collect(),
            created: filled(&container.created),
            started: filled(&container.started),
            health: container.health.map(Health::name),
        }
    }
}

/// Ordered as its members are.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Port<'a> {
    container: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<u16>,
    protocol: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<&'a str>,
}

/// Every port of the container: where it is published, and that it is exposed where it is not.
fn ports(container: &Container) -> Vec<Port<'_>> {
    let bare = |name: &str| container.ports.get(name).is_none_or(Vec::is_empty);
    let unpublished = container.ports.keys().chain(&container.exposed).filter(|name| bare(name));
    let mut ports: Vec<_> = unpublished.filter_map(|name| port(name, None)).collect();
    for (name, bindings) in &container.ports {
        // An Engine publishes on all addresses twice, for either version of the protocol.
        let told = bindings.iter().filter(|binding| {
            let is_twin = |other: &Binding| is_any(other, false) && other.host_port == binding.host_port;
            !(is_any(binding, true) && bindings.iter().any(is_twin))
        });
        ports.extend(told.filter_map(|binding| port(name, Some(binding))));
    }
    ports.sort();
    ports.dedup();
    ports
}

/// All addresses of version 6, or of version 4.
fn is_any(binding: &Binding, is_v6: bool) -> bool {
    let address = binding.host_ip.parse::<IpAddr>();
    address.is_ok_and(|address| address.is_unspecified() && address.is_ipv6() == is_v6)
}

fn port<'a>(name: &'a str, binding: Option<&'a Binding>) -> Option<Port<'a>> {
    let (number, protocol) = name.split_once('/').unwrap_or((name, "tcp"));
    Some(Port {
        container: number.parse().ok()?,
        host: binding.and_then(|binding| binding.host_port.parse().ok()),
        protocol,
        ip: binding.and_then(|binding| filled(&binding.host_ip)),
    })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NetworkSeat<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<&'a str>,
}

impl<'a> NetworkSeat<'a> {
    fn new((name, network): (&'a String, &'a Network)) -> Self {
        Self { name, ip_address: filled(&network.ip_address), gateway: filled(&network.gateway) }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Volume<'a> {
    r#type: &'a str,
    source: &'a str,
    destination: &'a str,
    read_only: bool,
}

impl<'a> Volume<'a> {
    fn new(mount: &'a Mount) -> Self {
        Self {
            r#type: &mount.kind,
            source: &mount.source,
            destination: &mount.destination,
            read_only: !mount.is_writable,
        }
    }
}

#[cfg(test)]
mod tests;
