//! What a credential may do, and to what.

use std::fmt;

use super::class::{Class, Classes};

/// Everything a caller was granted. What is not narrowed is not limited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) classes: Classes,
    /// Only objects with this label.
    pub(crate) label: Option<Label>,
    /// Only these images; empty for any.
    pub(crate) images: Vec<Glob>,
    /// Paths of the host that a container may be given; empty for none.
    pub(crate) mounts: Vec<Mount>,
    pub(crate) mode: Mode,
}

impl Grant {
    pub(crate) const EVERYTHING: Self = Self::of(Classes::ALL);

    pub(crate) const fn of(classes: Classes) -> Self {
        Self { classes, label: None, images: Vec::new(), mounts: Vec::new(), mode: Mode::Enforce }
    }

    pub(crate) fn has(&self, class: Class) -> bool {
        self.classes.has(class)
    }

    /// Nothing is kept from this caller, so that nothing need be judged.
    pub(crate) fn is_everything(&self) -> bool {
        self.has(Class::All) && self.label.is_none() && self.images.is_empty()
    }

    /// An image may be used: by the name it is asked for.
    pub(crate) fn takes_image(&self, reference: &str) -> bool {
        self.images.is_empty() || self.images.iter().any(|glob| glob.matches(reference))
    }

    /// A path of the host may be given to a container, to be written or only read.
    pub(crate) fn takes_mount(&self, path: &str, read_only: bool) -> bool {
        self.mounts.iter().any(|mount| (read_only || !mount.read_only) && mount.covers(path))
    }
}

/// As a line of `authorized_keys` would say it.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "allow=\"{}\"", self.classes)?;
        if let Some(label) = &self.label {
            write!(f, ",label=\"{label}\"")?;
        }
        list(f, "image", &self.images)?;
        list(f, "mount", &self.mounts)?;
        match self.mode {
            Mode::Enforce => Ok(()),
            Mode::Audit => f.write_str(",mode=\"audit\""),
        }
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, name: &str, items: &[T]) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        let before = if at == 0 { format!(",{name}=\"") } else { ",".to_owned() };
        write!(f, "{before}{item}")?;
    }
    if items.is_empty() { Ok(()) } else { f.write_str("\"") }
}

impl Default for Grant {
    fn default() -> Self {
        Self::EVERYTHING
    }
}

/// What an object must carry to be in reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Label {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (key, value) = text.split_once('=')?;
        let is_plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_/".contains(&byte));
        let is_whole = is_plain && !key.is_empty() && !value.is_empty();
        is_whole.then(|| Self { key: key.to_owned(), value: value.to_owned() })
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// What becomes of a request that a caller may not make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    Enforce,
    /// It is let through and told.
    Audit,
}

impl Mode {
    pub(super) fn parse(value: &str) -> Option<Self> {
        match value {
            "enforce" => Some(Self::Enforce),
            "audit" => Some(Self::Audit),
            _ => None,
        }
    }
}

/// A reference to an image, or the beginning of some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    pub(crate) stem: String,
    /// A `*` stood behind the stem.
    pub(crate) is_open: bool,
}

impl Glob {
    pub(super) fn parse(item: &str) -> Option<Self> {
        let (stem, is_open) = item.strip_suffix('*').map_or((item, false), |stem| (stem, true));
        let is_plain = stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte));
        (is_plain && !item.is_empty()).then(|| Self { stem: stem.to_owned(), is_open })
    }

    /// `redis` and `docker.io/library/redis:latest` are one image, however either is spelt.
    pub(crate) fn matches(&self, reference: &str) -> bool {
        if self.is_open && self.stem.is_empty() {
            return true;
        }
        let (stem, reference) = (in_full(&self.stem), in_full(reference));
        if self.is_open {
            // Beside a digest the Engine disregards the tag.
            let is_by_tag = has_tag(&stem) && !stem.contains('@');
            return reference.starts_with(&stem) && !(is_by_tag && reference.contains('@'));
        }
        // A glob that names no tag takes every one.
        stem == reference
            || (!has_tag(&stem)
                && reference.strip_prefix(&stem).is_some_and(|rest| rest.starts_with([':', '@'])))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.stem, if self.is_open { "*" } else { "" })
    }
}

/// With its registry, as the Engine completes it.
fn in_full(reference: &str) -> String {
    let rest = reference.strip_prefix("index.docker.io/").or_else(|| reference.strip_prefix("docker.io/"));
    match (rest, reference.split_once('/')) {
        (Some(rest), _) if rest.contains('/') => format!("docker.io/{rest}"),
        (Some(rest), _) => format!("docker.io/library/{rest}"),
        (None, Some((host, _))) if host.contains(['.', ':']) || host == "localhost" => reference.to_owned(),
        (None, Some(_)) => format!("docker.io/{reference}"),
        (None, None) => format!("docker.io/library/{reference}"),
    }
}

fn has_tag(reference: &str) -> bool {
    let last = reference.rsplit('/').next().unwrap_or(reference);
    last.contains([':', '@'])
}

/// A directory of the host that a container may be given, with all below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) path: String,
    pub(crate) read_only: bool,
}

impl Mount {
    pub(super) fn parse(item: &str) -> Option<Self> {
        let (path, read_only) = item.strip_suffix(":ro").map_or((item, false), |path| (path, true));
        let inner = path.strip_prefix('/')?;
        let is_plain = !path.contains(':') && inner.split('/').all(|part| !matches!(part, "" | "." | ".."));
        (is_plain || inner.is_empty()).then(|| Self { path: path.to_owned(), read_only })
    }

    /// Judged by name: where a link on the host leads is not seen. A path with `..`, or anything
    /// else that is not plain, is covered by nothing.
    fn covers(&self, path: &str) -> bool {
        let trimmed = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
        let Some(plain) = Self::parse(trimmed).filter(|mount| !mount.read_only) else { return false };
        let root = self.path.trim_end_matches('/');
        plain.path == self.path || plain.path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.path, if self.read_only { ":ro" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_image_has_many_spellings() {
        for (glob, takes, leaves) in [
            (
                "redis",
                &[
                    "redis",
                    "redis:7",
                    "library/redis",
                    "docker.io/redis:1",
                    "docker.io/library/redis@sha256:0",
                ][..],
                &["redis2", "other/redis", "ghcr.io/library/redis"][..],
            ),
            ("redis:7", &["redis:7", "docker.io/library/redis:7"], &["redis", "redis:70", "redis:8"]),
            (
                "ghcr.io/acme/*",
                &["ghcr.io/acme/web", "ghcr.io/acme/web:1@sha256:0"],
                &["ghcr.io/acme", "acme/web", "evil/ghcr.io/acme/web"],
            ),
            ("acme/*", &["acme/web", "docker.io/acme/web:1"], &["ghcr.io/acme/web", "acmeweb"]),
            ("redis:1*", &["redis:1", "redis:1.2"], &["redis:1@sha256:0", "redis:2"]),
            ("localhost:5000/*", &["localhost:5000/a"], &["localhost/a", "docker.io/localhost:5000/a"]),
        ] {
            let glob = Glob::parse(glob).unwrap();
            for reference in takes {
                assert!(glob.matches(reference), "{glob} {reference}");
            }
            for reference in leaves {
                assert!(!glob.matches(reference), "{glob} {reference}");
            }
        }
    }

    #[test]
    fn a_lone_star_takes_every_image() {
        let grant = Grant { images: vec![Glob::parse("*").unwrap()], ..Grant::EVERYTHING };
        assert!(grant.takes_image("redis") && grant.takes_image("ghcr.io/a/b:1"));
    }

    #[test]
    fn a_mount_covers_itself_and_what_is_below() {
        let grant = Grant {
            mounts: ["/srv/web", "/etc/ssl:ro"].map(|item| Mount::parse(item).unwrap()).to_vec(),
            ..Grant::EVERYTHING
        };
        for path in ["/srv/web", "/srv/web/", "/srv/web/a/b"] {
            assert!(grant.takes_mount(path, false) && grant.takes_mount(path, true), "{path}");
        }
        assert!(grant.takes_mount("/etc/ssl/certs", true) && !grant.takes_mount("/etc/ssl/certs", false));
        for path in [
            "/srv/webs",
            "/srv",
            "/",
            "",
            "srv/web",
            "/srv/web/../../etc",
            "/srv/web//a",
            "/srv/web/./a",
            "/srv/web:ro",
        ] {
            assert!(!grant.takes_mount(path, true), "{path}");
        }
        let everything = Mount::parse("/").unwrap();
        assert!(everything.covers("/") && everything.covers("/etc") && !everything.covers("/a/../b"));
        assert!(!Grant::EVERYTHING.takes_mount("/srv", true));
    }
}
