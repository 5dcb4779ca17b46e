//! What no answer tells without class `dump`: secrets are blanked, names and types stay.

use super::json::Json;

/// What stands in a secret's place.
const BLANK: &str = "***";

/// What an answer holds, and so what is blanked in it.
///
/// Labels and annotations of objects are told, whatever stands in them: who scopes, sorts and routes by
/// them needs them. So are an image's own `Cmd` and `Entrypoint`, which `docker commit` takes over from
/// the container; a program's path; the paths of mounts; and the options of networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blank {
    /// A list of containers, or one.
    Containers,
    /// A list of images, one, its history, or its attestations.
    Images,
    Volumes,
    Info,
    /// One event.
    Events,
    /// One command that was run in a container.
    Exec,
    Top,
    /// The use of disks.
    Usage,
    /// Services, tasks, nodes, secrets and configs.
    Swarm,
    Plugins,
}

/// Blanks what is secret in an answer, or in one value of an answer of many.
pub(crate) fn blank(value: &mut Json, kind: Blank) {
    match kind {
        Blank::Containers => walk(value, ROOT, &[TOLD, COMMANDS, OPTIONS]),
        Blank::Images => walk(value, ROOT, &[TOLD, IMAGES]),
        Blank::Volumes => walk(value, ROOT, &[TOLD, OPTIONS, VOLUMES]),
        Blank::Info => walk(value, ROOT, &[INFO]),
        Blank::Events => event(value),
        Blank::Exec => walk(value, ROOT, &[EXEC]),
        Blank::Top => top(value),
        Blank::Usage => walk(value, ROOT, &[TOLD, COMMANDS, OPTIONS, USAGE]),
        Blank::Swarm => walk(value, ROOT, &[SWARM, TOLD, COMMANDS, OPTIONS]),
        Blank::Plugins => walk(value, ROOT, &[PLUGINS]),
    }
}

/// A member that is not told as it is. Members are known by name wherever they lie, because the Engine
/// nests the same objects in many places, and in more of them with every version.
struct Row {
    /// The member it lies in, through lists; `ANY`, or `ROOT` for the outermost.
    under: &'static str,
    name: &'static str,
    rule: Rule,
}

#[derive(Clone, Copy)]
enum Rule {
    /// Told, with all that lies in it.
    Tell,
    /// Texts become `***`, numbers 0, truths false.
    Hide,
    /// `NAME=value` keeps its name.
    Pairs,
    /// The program stays, its arguments go.
    FirstWord,
    /// Becomes the nothing of its type: where names are secret, or a client reads more than text.
    Empty,
}

const ANY: &str = "*";
const ROOT: &str = "";

const fn row(under: &'static str, name: &'static str, rule: Rule) -> Row {
    Row { under, name, rule }
}

const TOLD: &[Row] = &[
    row(ANY, "Labels", Rule::Tell),
    row(ANY, "Annotations", Rule::Tell),
    row(ANY, "annotations", Rule::Tell),
    // By the names of networks, which may be any of those below.
    row(ANY, "Networks", Rule::Tell),
];

/// How a container or a service was started, and what came of it.
const COMMANDS: &[Row] = &[
    row(ANY, "Env", Rule::Pairs),
    row(ANY, "Cmd", Rule::Hide),
    row(ANY, "Args", Rule::Hide),
    row(ANY, "Command", Rule::Hide),
    row(ANY, "Entrypoint", Rule::Hide),
    row(ANY, "OnBuild", Rule::Hide),
    row(ROOT, "Path", Rule::FirstWord),
    // Of health checks: the command, and what it printed.
    row(ANY, "Test", Rule::Hide),
    row(ANY, "Output", Rule::Hide),
    // Why it failed to start: quotes the command, and the options of a volume that could not be mounted.
    row(ANY, "Error", Rule::Hide),
    row(ANY, "Err", Rule::Hide),
];

const OPTIONS: &[Row] = &[
    // Of volumes, of mounts that make one, and of log drivers: passwords of shares, tokens of collectors.
    row(ANY, "Options", Rule::Hide),
    row("LogConfig", "Config", Rule::Hide),
];

const IMAGES: &[Row] = &[
    row(ANY, "Env", Rule::Pairs),
    row("ContainerConfig", "Cmd", Rule::Hide),
    row("ContainerConfig", "Entrypoint", Rule::Hide),
    row(ANY, "Test", Rule::Hide),
    row(ANY, "OnBuild", Rule::Hide),
    // Holds the arguments of the build.
    row(ANY, "CreatedBy", Rule::Hide),
    row(ANY, "Comment", Rule::Hide),
    // Says how the image was built, with names of anybody's choosing.
    row(ANY, "Statement", Rule::Empty),
];

const VOLUMES: &[Row] = &[
    // What a driver says of its volume, in members of its own.
    row(ANY, "Status", Rule::Hide),
    row(ANY, "VolumeContext", Rule::Hide),
    row(ANY, "PublishContext", Rule::Hide),
    row(ANY, "MountFlags", Rule::Hide),
];

const INFO: &[Row] = &[
    // The names in it are those of registries; its networks must be networks or nothing.
    row("RegistryConfig", ANY, Rule::Empty),
    row(ROOT, "HttpProxy", Rule::Hide),
    row(ROOT, "HttpsProxy", Rule::Hide),
    row(ROOT, "NoProxy", Rule::Hide),
    // The Engine's own, by which nothing is scoped.
    row(ROOT, "Labels", Rule::Hide),
    row(ROOT, "ClusterStore", Rule::Hide),
    row(ROOT, "ClusterAdvertise", Rule::Hide),
    row(ANY, "runtimeArgs", Rule::Hide),
    row("Swarm", "LocalNodeState", Rule::Tell),
    row("Swarm", "ControlAvailable", Rule::Tell),
    row("Swarm", "NodeID", Rule::Tell),
    row("Swarm", "Error", Rule::Tell),
    row("Swarm", "Nodes", Rule::Tell),
    row("Swarm", "Managers", Rule::Tell),
    // Addresses, and the settings of the cluster.
    row("Swarm", ANY, Rule::Empty),
];

const EXEC: &[Row] = &[
    row(ANY, "arguments", Rule::Hide),
    row(ANY, "entrypoint", Rule::FirstWord),
    row(ANY, "Env", Rule::Pairs),
    row(ANY, "env", Rule::Pairs),
];

/// Steps of builds, with the arguments of their commands.
const USAGE: &[Row] = &[row(ANY, "Description", Rule::Hide)];

const SWARM: &[Row] = &[
    row("DNSConfig", "Options", Rule::Tell),
    row("NetworksAttachments", "Network", Rule::Tell),
    // A config's; its reader takes nothing but Base64.
    row("Spec", "Data", Rule::Empty),
];

const PLUGINS: &[Row] = &[
    row("Settings", "Env", Rule::Pairs),
    row("Settings", "Args", Rule::Hide),
    // What they are unless set, each beside its name and description.
    row("Env", "Value", Rule::Hide),
    row("Args", "Value", Rule::Hide),
];

fn walk(value: &mut Json, under: &str, groups: &[&[Row]]) {
    match value {
        Json::List(items) => items.iter_mut().for_each(|item| walk(item, under, groups)),
        Json::Object(members) => {
            for (name, value) in members {
                match rule(groups, under, name) {
                    Some(rule) => rule.apply(value),
                    None => walk(value, name, groups),
                }
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => {}
    }
}

/// The first that fits.
fn rule(groups: &[&[Row]], under: &str, name: &str) -> Option<Rule> {
    let fits = |pattern: &str, text: &str| pattern == ANY || pattern == text;
    let mut rows = groups.iter().copied().flatten();
    rows.find(|row| fits(row.name, name) && fits(row.under, under)).map(|row| row.rule)
}

impl Rule {
    fn apply(self, value: &mut Json) {
        match self {
            Self::Tell => {}
            Self::Hide => hide(value),
            Self::Pairs => pairs(value),
            Self::FirstWord => first_word(value),
            Self::Empty => empty(value),
        }
    }
}

/// What says nothing already stays: a client can tell that there is nothing.
fn hide(value: &mut Json) {
    match value {
        Json::Null => {}
        Json::Bool(truth) => *truth = false,
        Json::Number(number) => *number = 0.into(),
        Json::Text(text) if text.is_empty() => {}
        Json::Text(text) => BLANK.clone_into(text),
        Json::List(items) if matches!(items.first(), Some(Json::Text(_))) => {
            *items = vec![Json::Text(BLANK.to_owned())];
        }
        Json::List(items) => items.iter_mut().for_each(hide),
        Json::Object(members) => members.iter_mut().for_each(|(_, value)| hide(value)),
    }
}

/// An entry without a value takes a variable away, and stays.
fn pairs(value: &mut Json) {
    let Json::List(entries) = value else { return hide(value) };
    for entry in entries {
        let Json::Text(text) = entry else {
            hide(entry);
            continue;
        };
        if let Some((name, value)) = text.split_once('=')
            && !value.is_empty()
        {
            *text = format!("{name}={BLANK}");
        }
    }
}

fn first_word(value: &mut Json) {
    let Json::Text(text) = value else { return hide(value) };
    *text = text.split_whitespace().next().unwrap_or_default().to_owned();
}

fn empty(value: &mut Json) {
    match value {
        Json::Null => {}
        Json::Bool(truth) => *truth = false,
        Json::Number(number) => *number = 0.into(),
        Json::Text(text) => text.clear(),
        Json::List(items) => items.clear(),
        Json::Object(members) => members.clear(),
    }
}

/// An event says what it is about in `Type`, what happened in `Action` (older clients read `status`), and
/// the rest in attributes, most of which are labels.
fn event(event: &mut Json) {
    for name in ["status", "Action"] {
        if let Some(Json::Text(action)) = event.member_mut(name) {
            without_command(action);
        }
    }
    let is_daemon = event.member("Type").and_then(Json::text) == Some("daemon");
    let is_commit = event.member("Action").and_then(Json::text) == Some("commit");
    let attributes = event.member_mut("Actor").and_then(|actor| actor.member_mut("Attributes"));
    let Some(Json::Object(attributes)) = attributes else { return };
    for (name, value) in attributes {
        // A daemon that reloads tells the settings that are blanked in its `/info`.
        if is_daemon && name != "name" || is_commit && name == "comment" {
            hide(value);
        }
    }
}

/// `exec_start: COMMAND` is `exec_start`; only of health, what follows the colon is a word of the Engine's.
fn without_command(action: &mut String) {
    if let Some((what, _)) = action.split_once(':')
        && what != "health_status"
    {
        action.truncate(what.len());
    }
}

/// Of processes, the cells titled as a command keep the program. Where no cell is, none is told.
fn top(answer: &mut Json) {
    let titles = match answer.member("Titles") {
        Some(Json::List(titles)) => titles.iter().map(is_command).collect(),
        _ => Vec::new(),
    };
    let Some(processes) = answer.member_mut("Processes") else { return };
    let Json::List(rows) = processes else { return hide(processes) };
    if !titles.contains(&true) {
        return rows.iter_mut().for_each(hide);
    }
    for row in rows {
        let Json::List(cells) = row else {
            hide(row);
            continue;
        };
        for (at, cell) in cells.iter_mut().enumerate() {
            match titles.get(at) {
                Some(false) => {}
                Some(true) => first_word(cell),
                None => hide(cell),
            }
        }
    }
}

fn is_command(title: &Json) -> bool {
    title.text().is_some_and(|title| ["CMD", "COMMAND"].contains(&title.trim().to_ascii_uppercase().as_str()))
}

#[cfg(test)]
mod tests;
