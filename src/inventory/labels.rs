//! The labels that say how a container is to be shown and kept up to date, and the bound on all labels.

use std::collections::BTreeMap;

use crate::limits::LABELS_BYTES_MAX;

/// A container's labels as they come: in the order of their names.
pub(crate) type LabelMap = BTreeMap<String, String>;

macro_rules! labels {
    ($($label:ident $name:literal $meaning:literal),+ $(,)?) => {
        /// A label the inventory reads. All others are handed on unread.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Label { $($label),+ }

        impl Label {
            #[cfg(test)]
            pub(crate) const EVERY: &[Self] = &[$(Self::$label),+];

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$label => $name),+
                }
            }

            /// What it does, for people.
            #[cfg(test)]
            pub(crate) fn meaning(self) -> &'static str {
                match self {
                    $(Self::$label => $meaning),+
                }
            }
        }
    };
}
labels! {
    Watch "dd.watch" "anything but true leaves the container out",
    DisplayName "dd.display.name" "its name for people",
    DisplayIcon "dd.display.icon" "its icon",
    TagInclude "dd.tag.include" "pattern of the tags that may be proposed",
    TagExclude "dd.tag.exclude" "pattern of the tags that may not",
    TagTransform "dd.tag.transform" "pattern => replacement, applied to a tag before its version is read",
    TagFamily "dd.tag.family" "strict (the default) or loose: how alike in shape a proposed tag must be",
    TagPinInfo "dd.tag.pin.info" "whether newer tags of a pinned one are told (the default is true)",
    WatchDigest "dd.watch.digest" "whether the same tag with another content is an update",
    LinkTemplate "dd.link.template" "address of a version's page",
    PortNames "dd.port.label" "names for ports",
    LookupImage "dd.registry.lookup.image" "image whose tags are asked for instead",
    LookupUrl "dd.registry.lookup.url" "older name of dd.registry.lookup.image",
    InspectTagPath "dd.inspect.tag.path" "path in the image's inspection to what is read instead of the tag",
    InspectVersionOnly "dd.inspect.tag.version-only" "true: what is there is the version; the tag stays",
    ActionInclude "dd.action.include" "actions that may run",
    ActionExclude "dd.action.exclude" "actions that may not",
    ActionAuto "dd.action.auto" "actions that run by themselves",
    NotificationInclude "dd.notification.include" "notifications that are sent",
    NotificationExclude "dd.notification.exclude" "notifications that are not",
    TriggerInclude "dd.trigger.include" "triggers that fire, up to Drydock 1.6",
    TriggerExclude "dd.trigger.exclude" "triggers that do not, up to Drydock 1.6",
    DependsOn "dd.depends_on" "names of containers that are updated first",
    DependsOnAction "dd.depends_on.action" "update (the default) or restart: what happens to it then",
}

/// The value of a label; an empty one is none.
pub(super) fn value(labels: &LabelMap, label: Label) -> Option<&str> {
    labels.get(label.name()).map(String::as_str).filter(|value| !value.is_empty())
}

/// A switch: true, whatever its case, and nothing else. `None` where it is not set.
pub(super) fn switch(labels: &LabelMap, label: Label) -> Option<bool> {
    value(labels, label).map(|value| value.eq_ignore_ascii_case("true"))
}

/// Containers are watched unless a label says otherwise.
pub(crate) fn is_watched(labels: &LabelMap) -> bool {
    switch(labels, Label::Watch).unwrap_or(true)
}

/// What a container waits for before it is updated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DependsOn<'a> {
    pub(super) names: Vec<&'a str>,
    pub(super) action: &'static str,
}

/// The names of `dd.depends_on`, each once and never its own.
pub(super) fn depends_on<'a>(labels: &'a LabelMap, own_name: &str) -> Option<DependsOn<'a>> {
    let mut names = Vec::new();
    for name in value(labels, Label::DependsOn)?.split(',').map(str::trim) {
        if !name.is_empty() && name != own_name && !names.contains(&name) {
            names.push(name);
        }
    }
    let is_restart = value(labels, Label::DependsOnAction) == Some("restart");
    Some(DependsOn { names, action: if is_restart { "restart" } else { "update" } })
}

/// Labels that fit the bound, and how many did not. What somebody reads goes first: our own, then
/// those by which projects and services are told apart.
pub(super) fn bounded(labels: LabelMap) -> (LabelMap, usize) {
    let size = |(name, value): (&String, &String)| name.len().saturating_add(value.len());
    if labels.iter().map(size).fold(0, usize::saturating_add) <= LABELS_BYTES_MAX {
        return (labels, 0);
    }
    let rank = |name: &str| match name {
        name if name.starts_with("dd.") => 0_u8,
        name if name.starts_with("com.docker.") => 1,
        _ => 2,
    };
    let mut all: Vec<_> = labels.into_iter().collect();
    all.sort_by_key(|(name, _)| rank(name));
    let (mut kept, mut left, mut left_out) = (LabelMap::new(), LABELS_BYTES_MAX, 0_usize);
    for (name, value) in all {
        match left.checked_sub(size((&name, &value))) {
            Some(rest) => {
                left = rest;
                kept.insert(name, value);
            }
            None => left_out = left_out.saturating_add(1),
        }
    }
    (kept, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> LabelMap {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn each_label_has_its_own_name() {
        let names: std::collections::BTreeSet<_> = Label::EVERY.iter().map(|label| label.name()).collect();
        assert_eq!(names.len(), Label::EVERY.len());
        for &label in Label::EVERY {
            assert!(label.name().starts_with("dd.") && !label.meaning().is_empty());
            let set = labels(&[(label.name(), "x")]);
            assert_eq!((value(&set, label), value(&LabelMap::new(), label)), (Some("x"), None));
            assert_eq!(value(&labels(&[(label.name(), "")]), label), None);
        }
    }

    #[test]
    fn the_guide_for_controllers_lists_every_label() {
        let guide = include_str!("../../docs/controllers.md");
        let (_, rest) = guide.split_once("<!-- labels -->\n").unwrap();
        let (table, _) = rest.split_once("<!-- /labels -->").unwrap();
        let rows = Label::EVERY.iter().map(|label| format!("| `{}` | {} |", label.name(), label.meaning()));
        let lines: Vec<_> = ["| label | what it does |".to_owned(), "| --- | --- |".to_owned()]
            .into_iter()
            .chain(rows)
            .collect();
        assert_eq!(table.lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn only_true_and_nothing_at_all_are_watched() {
        for (value, is_in) in [
            ("true", true),
            ("TRUE", true),
            ("True", true),
            ("", true),
            ("false", false),
            ("1", false),
            ("yes", false),
            (" true", false),
            ("local", false),
        ] {
            assert_eq!(is_watched(&labels(&[("dd.watch", value)])), is_in, "{value}");
        }
        assert!(is_watched(&labels(&[("wud.watch", "false"), ("DD.WATCH", "false")])));
    }

    #[test]
    fn dependencies_are_named_once_and_never_by_themselves() {
        let of = |pairs: &[(&str, &str)]| {
            let labels = labels(pairs);
            depends_on(&labels, "web").map(|found| (found.names.join("|"), found.action))
        };
        let some = |names: &str, action: &'static str| Some((names.to_owned(), action));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("dd.depends_on", "")]), None);
        assert_eq!(of(&[("dd.depends_on.action", "restart")]), None);
        assert_eq!(of(&[("dd.depends_on", "db")]), some("db", "update"));
        assert_eq!(of(&[("dd.depends_on", " db,cache ,,db,web")]), some("db|cache", "update"));
        assert_eq!(of(&[("dd.depends_on", "web")]), some("", "update"));
        let with = |action| of(&[("dd.depends_on", "db"), ("dd.depends_on.action", action)]);
        assert_eq!(with("restart"), some("db", "restart"));
        assert_eq!(with("stop"), some("db", "update"));
    }

    #[test]
    fn labels_within_the_bound_stay_as_they_are() {
        let half = "x".repeat(LABELS_BYTES_MAX / 2 - 1);
        let most = labels(&[("a", &half), ("b", &half)]);
        assert_eq!(bounded(most.clone()), (most, 0));
    }

    #[test]
    fn beyond_the_bound_what_nobody_asks_for_goes_first() {
        let half = "x".repeat(LABELS_BYTES_MAX / 2);
        let (kept, left_out) = bounded(labels(&[
            ("a.large", &half),
            ("b.large", &half),
            ("c.small", "1"),
            ("com.docker.compose.project", "shop"),
            ("dd.group", &half),
        ]));
        let names: Vec<_> = kept.keys().map(String::as_str).collect();
        assert_eq!((names, left_out), (vec!["c.small", "com.docker.compose.project", "dd.group"], 2));
        let most = "x".repeat(LABELS_BYTES_MAX - 1);
        let (kept, left_out) = bounded(labels(&[("a", &most), ("com.docker.compose.service", "web")]));
        assert_eq!((kept, left_out), (labels(&[("com.docker.compose.service", "web")]), 1));
        let (kept, left_out) = bounded(labels(&[("dd.huge", &"x".repeat(LABELS_BYTES_MAX)), ("a", "b")]));
        assert_eq!((kept, left_out), (labels(&[("a", "b")]), 1));
    }
}
