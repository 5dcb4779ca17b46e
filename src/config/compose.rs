//! Compose: where stacks lie, how long an operation may take, where a run has its own directory.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::environment::Environment;
use super::findings::{Findings, Problem};
use super::listener::path;
use super::parse::{number, quoted};
use super::variables::{
    COMPOSE_TIMEOUT, HOME, HTTP_PROXY, HTTPS_PROXY, NO_PROXY, RUNTIME_DIR, STACKS_DIR, TABLE, Variable,
};
use crate::compose::{Settings, Wish};
use crate::limits::{COMPOSE_SECS_CEILING, RUNTIME_DIR_BYTES_MAX};

/// Whether there is anything for compose to do, and where.
pub(super) enum Stacks {
    /// The directory that is there.
    On(PathBuf),
    /// Nobody named one, and the usual one is not there.
    Off,
}

pub(super) fn read(environment: &Environment, findings: &mut Findings) -> Option<Wish> {
    let limit = findings.take(number(environment, &COMPOSE_TIMEOUT, 1..=COMPOSE_SECS_CEILING));
    let runtime = findings.take(named(environment, &RUNTIME_DIR));
    let named = findings.take(named(environment, &STACKS_DIR));
    let stacks = named.and_then(|dir| findings.take(at(environment, dir)));
    let (limit, runtime, named) = (Duration::from_secs(limit?), runtime?.to_owned(), named?.to_owned());
    let Stacks::On(stacks) = stacks? else {
        for row in [&COMPOSE_TIMEOUT, &RUNTIME_DIR].into_iter().filter(|row| environment.is_set(row)) {
            let why = format!("compose is off, as {} is no directory", quoted(&named.to_string_lossy()));
            findings.no_effect(row, why);
        }
        return Some(Wish::Off(named));
    };
    let place = look(&STACKS_DIR, &stacks, findings);
    findings.take(place)?;
    let place = place_of_runs(&runtime, findings);
    findings.take(place)?;
    findings.take(nothing_of_ours(environment, &stacks))?;
    let proxies = proxies(environment, findings)?;
    let home =
        findings.take(environment.text(&HOME))?.filter(|home| home.starts_with('/')).map(PathBuf::from);
    Some(Wish::On(Settings { stacks, runtime, limit, proxies, home }))
}

/// Whether compose is on. A directory that somebody named must be there.
pub(super) fn stacks(environment: &Environment) -> Result<Stacks, Problem> {
    at(environment, named(environment, &STACKS_DIR)?)
}

fn at(environment: &Environment, dir: &Path) -> Result<Stacks, Problem> {
    match fs::metadata(dir) {
        Ok(status) if status.is_dir() => Ok(Stacks::On(dir.to_owned())),
        _ if !environment.is_set(&STACKS_DIR) => Ok(Stacks::Off),
        Ok(_) => Err(no_stacks(dir, "is no directory")),
        Err(error) => Err(no_stacks(dir, &format!("cannot be looked at: {error}"))),
    }
}

fn no_stacks(dir: &Path, what: &str) -> Problem {
    let what = format!("{} {what}", quoted(&dir.to_string_lossy()));
    Problem::new(&[&STACKS_DIR], what, "make the directory, or mount it, or unset STACKS_DIR")
}

/// The path that is set, or the table's; from the root, as it would otherwise be another one after each start.
fn named<'e>(environment: &'e Environment, variable: &'static Variable) -> Result<&'e Path, Problem> {
    let path = path(environment, variable)?.unwrap_or_else(|| Path::new(variable.default_value()));
    if path.is_absolute() {
        return Ok(path);
    }
    let what = format!("{} depends on where the agent was started", quoted(&path.to_string_lossy()));
    Err(Problem::new(&[variable], what, "name it from / on"))
}

/// Whoever can change what stands in it decides what compose does, and reads what others gave to it.
fn look(variable: &'static Variable, dir: &Path, findings: &mut Findings) -> Result<(), Problem> {
    let shown = quoted(&dir.to_string_lossy());
    let problem = |what: String, remedy: &str| Err(Problem::new(&[variable], what, remedy));
    let status = match fs::metadata(dir) {
        Ok(status) if status.is_dir() => status,
        Ok(_) => return problem(format!("{shown} is no directory"), "name a directory that is there"),
        Err(error) => {
            let what = format!("{shown} cannot be looked at: {error}");
            return problem(what, "name a directory that is there");
        }
    };
    if dir.canonicalize().is_ok_and(|real| real.parent().is_none()) {
        let what = format!("{shown} is the root, below which everything stands");
        return problem(what, "name a directory that holds nothing else");
    }
    let mode = status.mode() & 0o7777;
    match mode & 0o022 {
        _ if is_everyones(variable, &status) => Ok(()),
        0 => Ok(()),
        0o020 => {
            let what = format!("{shown} can be changed by its group {} (mode {mode:04o})", status.gid());
            findings.warn("config.loose_directory", &[variable], what, "chmod g-w it");
            Ok(())
        }
        _ => problem(format!("{shown} can be changed by others (mode {mode:04o})"), "chmod go-w it"),
    }
}

/// As /tmp is: everybody may make something there, and nobody may touch what is another's.
fn is_everyones(variable: &Variable, status: &Metadata) -> bool {
    variable.name == RUNTIME_DIR.name && status.mode() & 0o1000 != 0
}

fn place_of_runs(dir: &Path, findings: &mut Findings) -> Result<(), Problem> {
    if dir.as_os_str().len() > RUNTIME_DIR_BYTES_MAX {
        let shown = quoted(&dir.to_string_lossy());
        let what = format!("{shown} is too long for the path of a socket to stand below it");
        let remedy = format!("name a directory in at most {RUNTIME_DIR_BYTES_MAX} bytes");
        return Err(Problem::new(&[&RUNTIME_DIR], what, remedy));
    }
    look(&RUNTIME_DIR, dir, findings)
}

/// Callers write below the one and read from it: nothing that the agent lives by may lie there.
fn nothing_of_ours(environment: &Environment, stacks: &Path) -> Result<(), Problem> {
    let stacks = real(stacks);
    for row in TABLE.iter().filter(|row| row.name != STACKS_DIR.name) {
        let value = environment.text(row).ok().flatten().unwrap_or_default();
        let path = Path::new(value.strip_prefix("unix://").unwrap_or(value));
        // A link among the stacks could be replaced, wherever it leads.
        let entry = path.parent().zip(path.file_name()).map(|(dir, name)| real(dir).join(name));
        let lies = |path: PathBuf| path.starts_with(&stacks);
        if path.is_absolute() && (lies(real(path)) || entry.is_some_and(lies)) {
            let what = format!("{} lies where callers of compose read and write", row.name);
            return Err(Problem::new(&[&STACKS_DIR, row], what, "keep it outside of STACKS_DIR"));
        }
    }
    for socket in ["/run/docker.sock", "/var/run/docker.sock"] {
        if real(Path::new(socket)).starts_with(&stacks) {
            let what =
                format!("the Engine's usual socket {socket} lies where callers of compose read and write");
            return Err(Problem::new(&[&STACKS_DIR], what, "name a directory that holds nothing else"));
        }
    }
    Ok(())
}

/// The path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let known = |there: &Path| Some((there.canonicalize().ok()?, path.strip_prefix(there).ok()?));
    path.ancestors().find_map(known).map_or_else(|| path.to_owned(), |(there, rest)| there.join(rest))
}

/// For what compose fetches itself, under both names: programs do not agree about them. One with a password
/// stays here, as compose would hand it on to whatever asks for it.
fn proxies(environment: &Environment, findings: &mut Findings) -> Option<Vec<(String, String)>> {
    let mut taken = Vec::new();
    for row in [&HTTP_PROXY, &HTTPS_PROXY, &NO_PROXY] {
        match findings.take(environment.text(row))? {
            None => {}
            Some(value) if value.contains('@') => {
                let what = "a user stands in it, so compose is not told of it";
                let remedy = "name a proxy that asks for no password, where compose has to go through one";
                findings.warn("config.proxy_withheld", &[row], what, remedy);
            }
            Some(value) => {
                let names = [row.name.to_owned(), row.name.to_ascii_lowercase()];
                taken.extend(names.map(|name| (name, value.to_owned())));
            }
        }
    }
    Some(taken)
}

#[cfg(test)]
mod tests;
