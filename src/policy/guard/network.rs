//! Networks, and the endpoints of containers in them.

use super::joins;
use super::rule::Rule::{Brief, Check, Copy, Each, Level, Map, OneOf, Zero};
use super::rule::{Judge, Place, Row, Table, text};
use crate::auth::Network;
use crate::policy::json::Json;
use crate::policy::refused::Stop;

/// `POST /networks/create`
pub(super) const CREATE: Table = &[
    Row(Copy, &["Name", "CheckDuplicate", "EnableIPv4", "EnableIPv6", "Internal", "Attachable"]),
    Row(Brief, &["Labels"]),
    Row(OneOf(&["", "bridge"]), &["Driver"]),
    Row(OneOf(&["", "local"]), &["Scope"]),
    Row(Level(IPAM), &["IPAM"]),
    Row(Zero, &["Ingress", "ConfigOnly", "Options"]),
    Row(Level(&[Row(OneOf(&[""]), &["Network"])]), &["ConfigFrom"]),
];

const IPAM: Table = &[
    Row(OneOf(&["", "default"]), &["Driver"]),
    Row(Zero, &["Options"]),
    Row(Each(&Level(POOL)), &["Config"]),
];

const POOL: Table = &[
    Row(Check(subnet), &["Subnet"]),
    Row(Copy, &["IPRange", "Gateway"]),
    Row(Map(&Copy), &["AuxiliaryAddresses", "AuxAddress"]),
];

/// The host sends what goes to a subnet into the network: it must not be anybody else's address.
fn subnet(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];
    let text = text(place, value)?;
    let is_private = Network::parse(text).is_ok_and(|subnet| {
        PRIVATE
            .iter()
            .filter_map(|private| Network::parse(private).ok())
            .any(|private| private.holds(&subnet))
    });
    if is_private || text.is_empty() || judge.is_lifted() {
        return Ok(());
    }
    Err(place.refuse(format!("it must lie within {} (class host)", PRIVATE.join(", "))))
}

/// `POST /networks/{}/connect`
pub(super) const CONNECT: Table =
    &[Row(Check(joins::container), &["Container"]), Row(Level(ENDPOINT), &["EndpointConfig"])];

/// `POST /networks/{}/disconnect`
pub(super) const DISCONNECT: Table = &[Row(Check(joins::container), &["Container"]), Row(Copy, &["Force"])];

/// `NetworkingConfig` of a new container.
pub(super) const NETWORKING_CONFIG: Table = &[Row(Check(endpoints), &["EndpointsConfig"])];

const ENDPOINT: Table = &[
    Row(Copy, &["Aliases", "MacAddress", "GwPriority"]),
    Row(Level(&[Row(Copy, &["IPv4Address", "IPv6Address", "LinkLocalIPs"])]), &["IPAMConfig"]),
    Row(Zero, &["Links", "DriverOpts"]),
    Row(Check(joins::network_id), &["NetworkID"]),
    // What the Engine tells, and clients send along empty.
    Row(Copy, &["EndpointID", "Gateway", "IPAddress", "IPPrefixLen", "DNSNames"]),
    Row(Copy, &["IPv6Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen"]),
];

fn endpoints(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Json) -> Result<(), Stop> {
    judge.apply(&Map(&Level(ENDPOINT)), place, value)?;
    joins::endpoint_networks(judge, place, value)
}
