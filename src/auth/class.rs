//! Classes of requests: what a line of `authorized_keys` grants, and what a route asks for.

use std::fmt;

macro_rules! classes {
    ($($(#[doc = $doc:literal])* $class:ident $name:literal $meaning:literal),+ $(,)?) => {
        /// What a route asks of its caller, and a grant is made of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub(crate) enum Class { $($(#[doc = $doc])* $class),+ }

        impl Class {
            pub(crate) const EVERY: &[Self] = &[$(Self::$class),+];

            pub(crate) fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$class),)+
                    _ => None,
                }
            }

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$class => $name),+
                }
            }

            /// What it lets a caller do, for people.
            pub(crate) fn meaning(self) -> &'static str {
                match self {
                    $(Self::$class => $meaning),+
                }
            }
        }
    };
}
classes! {
    View "view" "list and inspect, with secrets blanked; statistics and events",
    Logs "logs" "read what containers print",
    Dump "dump" "read what view blanks; copy files out of containers, export and save",
    Power "power" "start, stop, restart, kill, pause, wait",
    Pull "pull" "pull and tag images, search and log in to registries",
    Push "push" "push images to registries",
    Create "create" "create, change and rename containers, networks and volumes, within the guard",
    Remove "remove" "remove and prune containers, images, networks and volumes",
    Exec "exec" "run commands in containers, attach to them, copy files into them",
    Build "build" "build, load, import and commit images",
    Swarm "swarm" "change the swarm, its nodes, services, secrets and configs",
    /// Nothing by itself: it lifts the guard of the others.
    Host "host" "create without the guard: privileges, devices and any path of the host",
    Compose "compose" "run compose, whose calls need the classes of their own",
    Mcp "mcp" "use the tools for assistants, whose calls need the classes of their own",
    Metrics "metrics" "read the metrics",
    Audit "audit" "read the audit trail",
    /// Every other class, everything no other class has, and every path nobody knows.
    All "all" "do everything",
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Some classes, in no order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Classes(u32);

impl Classes {
    pub(crate) const ALL: Self = Self(1 << Class::All as u8);

    /// Names with commas and no spaces, each once.
    pub(crate) fn parse(names: &str) -> Option<Self> {
        let mut classes = Self::default();
        for name in names.split(',') {
            let bit = 1 << Class::parse(name)? as u8;
            if classes.0 & bit != 0 {
                return None;
            }
            classes.0 |= bit;
        }
        Some(classes)
    }

    /// Whether the class is among them, by its own name or within `all`.
    pub(crate) fn has(self, class: Class) -> bool {
        self.0 & (1 << class as u8 | Self::ALL.0) != 0
    }

    /// Those that stand there by name.
    pub(crate) fn named(self) -> impl Iterator<Item = Class> {
        Class::EVERY.iter().copied().filter(move |&class| self.0 & (1 << class as u8) != 0)
    }
}

impl FromIterator<Class> for Classes {
    fn from_iter<I: IntoIterator<Item = Class>>(classes: I) -> Self {
        Self(classes.into_iter().fold(0, |bits, class| bits | 1 << class as u8))
    }
}

impl fmt::Display for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.named().map(Class::name).collect();
        f.pad(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_is_had_by_its_name_and_by_all() {
        for &class in Class::EVERY {
            let alone = Classes::parse(class.name()).unwrap();
            assert_eq!((alone.to_string().as_str(), Class::parse(class.name())), (class.name(), Some(class)));
            for &other in Class::EVERY {
                assert_eq!(alone.has(other), other == class || class == Class::All, "{class} {other}");
            }
        }
        assert!(Class::EVERY.iter().all(|&class| Classes::ALL.has(class) && !Classes::default().has(class)));
    }

    #[test]
    fn lists_are_strict() {
        let some = Classes::parse("logs,view").unwrap();
        assert!(some.has(Class::View) && some.has(Class::Logs) && !some.has(Class::Exec));
        assert_eq!(some.to_string(), "view,logs");
        for bad in ["", "view,", ",view", "view,view", "view, logs", "View", "admin", "*"] {
            assert_eq!(Classes::parse(bad), None, "{bad}");
        }
    }
}
