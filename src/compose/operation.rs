//! What may be asked of a compose program, and the arguments that ask it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::order::{Invalid, Order};
use Operation as O;

/// What is to be done with a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Up,
    Create,
    Down,
    Pull,
    Build,
    Restart,
    Stop,
    Start,
    Rm,
    Ps,
    Logs,
    Config,
    Images,
    Top,
    Stats,
}

impl Operation {
    pub(crate) const EVERY: [Self; 15] = [
        Self::Up,
        Self::Create,
        Self::Down,
        Self::Pull,
        Self::Build,
        Self::Restart,
        Self::Stop,
        Self::Start,
        Self::Rm,
        Self::Ps,
        Self::Logs,
        Self::Config,
        Self::Images,
        Self::Top,
        Self::Stats,
    ];

    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let found = Self::EVERY.into_iter().find(|operation| operation.name() == text);
        found.ok_or_else(|| Invalid::Operation(text.to_owned()))
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Create => "create",
            Self::Down => "down",
            Self::Pull => "pull",
            Self::Build => "build",
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Rm => "rm",
            Self::Ps => "ps",
            Self::Logs => "logs",
            Self::Config => "config",
            Self::Images => "images",
            Self::Top => "top",
            Self::Stats => "stats",
        }
    }

    /// It changes nothing: it may be ended at any time, and beside any other.
    pub(crate) fn only_reads(self) -> bool {
        match self {
            Self::Ps | Self::Logs | Self::Config | Self::Images | Self::Top | Self::Stats => true,
            Self::Up | Self::Create | Self::Down | Self::Pull | Self::Build => false,
            Self::Restart | Self::Stop | Self::Start | Self::Rm => false,
        }
    }

    /// It may build images, for which a program fetches what a context asks for.
    pub(crate) fn may_build(self) -> bool {
        matches!(self, Self::Up | Self::Create | Self::Build)
    }

    /// The time a container has to stop means something.
    pub(crate) fn stops(self) -> bool {
        matches!(self, Self::Down | Self::Restart | Self::Stop)
    }
}

/// How the configuration is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Yaml,
}

/// What else was said of an operation. What has no meaning for it is ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) build: bool,
    pub(crate) force_recreate: bool,
    pub(crate) no_deps: bool,
    pub(crate) remove_volumes: bool,
    pub(crate) tail: Option<u64>,
    pub(crate) timestamps: bool,
    /// Refused where the answer is one piece: it would never come.
    pub(crate) follow: bool,
    pub(crate) all: bool,
    pub(crate) timeout: Option<u32>,
    pub(crate) no_cache: bool,
    pub(crate) pull_bases: bool,
    pub(crate) stop_first: bool,
    pub(crate) quiet: bool,
    pub(crate) format: Option<Format>,
}

/// Which program it is: the first, in Python, or one of those that came after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    One,
    Two,
}

/// What a stack is made of, in absolute paths.
pub(crate) struct Sources<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) files: &'a [PathBuf],
    pub(crate) env_file: Option<&'a Path>,
}

/// All arguments of the program, from the first. Names come last, where no option is looked for.
pub(crate) fn arguments(
    order: &Order,
    generation: Generation,
    sources: &Sources<'_>,
) -> Result<Vec<OsString>, Invalid> {
    let mut line = Line::default();
    line.pair("--project-name", order.stack.as_str());
    line.pair("--project-directory", sources.dir);
    for file in sources.files {
        line.pair("-f", file);
    }
    if let Some(file) = sources.env_file {
        line.pair("--env-file", file);
    }
    verb(&mut line, order, generation)?;
    if !takes_services(order, generation)? || order.services.is_empty() {
        return Ok(line.0);
    }
    // The first generation takes `--` for a service in these two. No name begins with a dash.
    if generation == Generation::Two || !matches!(order.operation, O::Start | O::Top) {
        line.word("--");
    }
    for service in &order.services {
        line.word(service.as_str());
    }
    Ok(line.0)
}

/// The operation and its options.
fn verb(line: &mut Line, order: &Order, generation: Generation) -> Result<(), Invalid> {
    let flags = &order.flags;
    let is_two = generation == Generation::Two;
    // To make containers without starting them, `up` is the one that removes orphans and follows changes.
    line.word(if order.operation == O::Create { "up" } else { order.operation.name() });
    match order.operation {
        O::Up | O::Create => {
            line.word(if order.operation == O::Up { "-d" } else { "--no-start" });
            line.word("--remove-orphans");
            line.flag("--build", flags.build);
            line.flag("--force-recreate", flags.force_recreate);
            line.flag("--no-deps", flags.no_deps);
        }
        O::Down => {
            line.word("--remove-orphans");
            line.flag("--volumes", flags.remove_volumes);
        }
        O::Build => {
            line.flag("--no-cache", flags.no_cache);
            line.flag("--pull", flags.pull_bases);
        }
        O::Rm => {
            line.word("--force");
            line.flag("--stop", flags.stop_first);
            line.flag("-v", flags.remove_volumes);
        }
        O::Ps => {
            line.format("json", is_two);
            line.flag("-a", flags.all);
        }
        O::Logs => {
            line.word("--no-color");
            line.number("--tail", flags.tail);
            line.flag("--timestamps", flags.timestamps);
            line.flag("--follow", flags.follow);
        }
        O::Config => {
            line.flag("--quiet", flags.quiet);
            match (flags.format, generation) {
                (Some(Format::Json), Generation::One) => {
                    return Err(Invalid::NeedsTwo("a configuration as JSON"));
                }
                (Some(format), _) => {
                    line.format(if format == Format::Json { "json" } else { "yaml" }, is_two);
                }
                (None, _) => {}
            }
        }
        O::Images => line.format("json", is_two),
        O::Stats if is_two => {
            line.word("--no-stream");
            line.format("json", true);
        }
        O::Stats => return Err(Invalid::NeedsTwo("stats")),
        O::Pull | O::Restart | O::Stop | O::Start | O::Top => {}
    }
    if order.operation.stops() {
        line.number("-t", flags.timeout.map(u64::from));
    }
    Ok(())
}

/// Whether the names of services go to the program. Where it would take none, and the whole stack instead
/// of them, that is an error.
fn takes_services(order: &Order, generation: Generation) -> Result<bool, Invalid> {
    match (order.operation, generation) {
        (O::Config, _) => Ok(false),
        (O::Down, Generation::One) if !order.services.is_empty() => {
            Err(Invalid::NeedsTwo("down of single services"))
        }
        _ => Ok(true),
    }
}

/// A command line in the making.
#[derive(Default)]
struct Line(Vec<OsString>);

impl Line {
    fn word(&mut self, word: impl Into<OsString>) {
        self.0.push(word.into());
    }

    fn pair(&mut self, option: &str, value: impl Into<OsString>) {
        self.word(option);
        self.word(value);
    }

    fn flag(&mut self, option: &str, is_set: bool) {
        if is_set {
            self.word(option);
        }
    }

    fn number(&mut self, option: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.pair(option, value.to_string());
        }
    }

    /// The first generation has one format only, and no option for it.
    fn format(&mut self, format: &str, is_two: bool) {
        if is_two {
            self.pair("--format", format);
        }
    }
}

#[cfg(test)]
mod tests;
