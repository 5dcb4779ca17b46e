//! What is in a caller's reach: asked of the Engine each time, and never remembered.

use super::decide::{Order, is_identifier, may_be_id};
use super::execs::Execs;
use super::guard::{Guard, Things};
use super::json::Json;
use super::query::escape;
use super::refused::{Kind, Refused, Stop};
use super::row::Takes;
use crate::auth::{Class, Grant};
use crate::docker::{Docker, Line};
use crate::limits::JSON_ANSWER_BYTES_MAX;

/// Looks objects up for one caller.
pub(crate) struct Scope<'a> {
    pub(crate) docker: &'a Docker,
    pub(crate) line: &'a mut Line,
    pub(crate) execs: &'a Execs,
    pub(crate) grant: &'a Grant,
    /// What tells the caller from others.
    pub(crate) mark: u64,
    /// Volumes are looked up to be given to a container.
    is_mounting: bool,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(
        (docker, line): (&'a Docker, &'a mut Line),
        execs: &'a Execs,
        (grant, mark): (&'a Grant, u64),
        order: &Order,
    ) -> Self {
        let is_mounting = order.row.body == Takes::Judged(Guard::ContainerCreate);
        Self { docker, line, execs, grant, mark, is_mounting }
    }

    /// What the Engine says of a thing; the same `Absent` whether it knows none or we ask in vain.
    fn inspect(&mut self, kind: Kind, name: &str) -> Result<Json, Stop> {
        let absent = || Refused::Absent { kind, name: name.to_owned() };
        let (room, after) = match kind {
            Kind::Container => ("/containers/", "/json"),
            Kind::Network => ("/networks/", ""),
            Kind::Volume => ("/volumes/", ""),
            Kind::Image => ("/images/", "/json"),
            Kind::Exec => ("/exec/", "/json"),
        };
        let mut target = room.to_owned();
        escape(name, "/:@", &mut target);
        target.push_str(after);
        let told = self.docker.read(self.line, &target, JSON_ANSWER_BYTES_MAX)?.ok_or_else(absent)?;
        Json::read(&told).map_err(|_| absent().into())
    }

    /// The label a caller is limited to stands on it, where there is one.
    fn is_labelled(&self, labels: Option<&Json>) -> bool {
        let Some(label) = &self.grant.label else { return true };
        labels.and_then(|labels| labels.member(&label.key)).and_then(Json::text) == Some(&label.value)
    }

    fn image(&mut self, name: &str) -> Result<String, Stop> {
        let refused = || Refused::Image(name.to_owned());
        if self.grant.images.is_empty() || (!may_be_id(name) && self.grant.takes_image(name)) {
            return Ok(name.to_owned());
        }
        if !may_be_id(name) {
            return Err(refused().into());
        }
        // By its id it is every one of its names.
        let image = self.inspect(Kind::Image, name)?;
        let names = |member| match image.member(member) {
            Some(Json::List(names)) => names.as_slice(),
            _ => &[],
        };
        let (tags, digests) = (names("RepoTags"), names("RepoDigests"));
        let named = if tags.is_empty() { digests } else { tags };
        let are_all = named.iter().all(|name| name.text().is_some_and(|name| self.grant.takes_image(name)));
        match image.member("Id").and_then(Json::text) {
            Some(id) if are_all && !named.is_empty() => Ok(id.to_owned()),
            _ => Err(refused().into()),
        }
    }

    /// A volume whose options lead out of Docker gives its caller what a mount would.
    fn check_volume(&self, name: &str, volume: &Json) -> Result<(), Refused> {
        let Some(options) = volume.member("Options").filter(|options| !options.is_zero()) else {
            return Ok(());
        };
        let device = options.member("device").and_then(Json::text);
        if device.is_some_and(|device| self.grant.takes_mount(device, false)) {
            return Ok(());
        }
        let why = "its options lead out of Docker's own directory, to where no mount= of this key does";
        Err(Refused::member(format!("volume {name}"), why))
    }
}

impl Things for Scope<'_> {
    fn join(&mut self, name: &str) -> Result<String, Stop> {
        let id = self.find(Kind::Container, name)?;
        let container = self.inspect(Kind::Container, &id)?;
        let mode = container.member("HostConfig").and_then(|config| config.member("NetworkMode"));
        let mode = mode.and_then(Json::text).unwrap_or("host");
        let is_another = mode == "host" || mode.starts_with("container:") || mode.starts_with("ns:");
        if is_another && !self.grant.has(Class::Host) {
            let why = "that container shares the network of the host, or of yet another one (class host)";
            return Err(Refused::member("HostConfig.NetworkMode", why).into());
        }
        Ok(id)
    }

    fn find(&mut self, kind: Kind, name: &str) -> Result<String, Stop> {
        let absent = || Stop::from(Refused::Absent { kind, name: name.to_owned() });
        if kind == Kind::Exec {
            return if self.execs.is_of(name, self.mark) { Ok(name.to_owned()) } else { Err(absent()) };
        }
        if kind == Kind::Image {
            return self.image(name);
        }
        if !is_identifier(name) {
            return Err(absent());
        }
        let thing = self.inspect(kind, name)?;
        let labels = match kind {
            Kind::Container => thing.member("Config").and_then(|config| config.member("Labels")),
            Kind::Network | Kind::Volume | Kind::Image | Kind::Exec => thing.member("Labels"),
        };
        if !self.is_labelled(labels) {
            return Err(absent());
        }
        if kind == Kind::Volume {
            if self.is_mounting {
                self.check_volume(name, &thing)?;
            }
            return Ok(name.to_owned());
        }
        let is_host = thing.member("Driver").and_then(Json::text) == Some("host");
        if kind == Kind::Network && is_host {
            return Err(
                Refused::member(format!("network {name}"), "it is the host's own (class host)").into()
            );
        }
        let id = thing.member("Id").and_then(Json::text);
        let id = id.filter(|id| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        id.map(str::to_owned).ok_or_else(absent)
    }
}
