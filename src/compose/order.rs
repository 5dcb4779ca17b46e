//! An order for a compose program: read from a request and checked whole, before anything is done.

mod invalid;
mod letter;

use std::collections::HashSet;

use data_encoding::BASE64;

use super::environment::{EnvKey, EnvValue};
use super::files::ENV_FILE;
use super::names::{FilePath, ServiceName, StackDir, StackName};
use super::operation::{Flags, Format, Operation};
use super::registry::Registry;
use crate::limits::{
    COMPOSE_DETAIL_CHARS_MAX, COMPOSE_ENV_BYTES_MAX, COMPOSE_ENV_MAX, COMPOSE_FILES_MAX,
    COMPOSE_REGISTRIES_MAX, COMPOSE_SERVICES_MAX, COMPOSE_SHOWN_CHARS_MAX, COMPOSE_STOP_SECS_MAX,
};
use crate::secret::Secret;
use letter::{Credential, Hidden, Letter, Text};

pub(crate) use invalid::Invalid;

/// Before a file's content that is no text.
const BASE64_MARK: &str = "base64:";

/// What is to be done with which stack.
pub(crate) struct Order {
    pub(crate) operation: Operation,
    pub(crate) stack: StackName,
    pub(crate) dir: StackDir,
    pub(crate) services: Vec<ServiceName>,
    pub(crate) flags: Flags,
    /// None leaves the variables as they are; an empty list takes them away.
    pub(crate) env: Option<Vec<(EnvKey, EnvValue)>>,
    pub(crate) files: Vec<(FilePath, Vec<u8>)>,
    pub(crate) registries: Vec<Registry>,
}

/// Why a body is not an order that can be carried out.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// It is not the JSON of one: `invalid request: …`.
    Malformed(String),
    /// It is one, with something wrong in it; operation and stack as they were written, for the record.
    Invalid { operation: String, stack: String, why: Invalid },
}

/// What an operation does to its stack, by which there are places for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Change,
    Look,
    /// It looks until somebody ends it.
    Follow,
}

impl Order {
    pub(crate) fn kind(&self) -> Kind {
        match self.operation.only_reads() {
            true if self.has_no_end() => Kind::Follow,
            true => Kind::Look,
            false => Kind::Change,
        }
    }

    /// Whether it asks for images to be built.
    pub(crate) fn builds(&self) -> bool {
        self.operation == Operation::Build || self.flags.build && self.operation.may_build()
    }

    pub(crate) fn parse(body: &[u8]) -> Result<Self, Unfit> {
        let letter = Letter::read(body).map_err(|error| {
            let detail = error.to_string().chars().take(COMPOSE_DETAIL_CHARS_MAX).collect::<String>();
            Unfit::Malformed(format!("invalid request: {detail}"))
        })?;
        let shown =
            |text: &Option<Text<'_>>| str_of(text.as_ref()).chars().take(COMPOSE_SHOWN_CHARS_MAX).collect();
        let (operation, stack) = (shown(&letter.operation), shown(&letter.stack_name));
        Self::check(letter).map_err(|why| Unfit::Invalid { operation, stack, why })
    }

    /// Whether what it asks for goes on until somebody ends it.
    pub(crate) fn has_no_end(&self) -> bool {
        self.operation == Operation::Logs && self.flags.follow
    }

    fn check(letter: Letter<'_>) -> Result<Self, Invalid> {
        let operation = Operation::parse(str_of(letter.operation.as_ref()))?;
        let stack = StackName::parse(str_of(letter.stack_name.as_ref()))?;
        let dir = match str_of(letter.stack_dir.as_ref()) {
            "" => StackDir::from(&stack),
            dir => StackDir::parse(dir)?,
        };
        let flags = flags(&letter, operation)?;
        let env = letter.env_vars.map(|members| env(members.0)).transpose()?;
        let services = letter.services.map(|many| services(&many.0)).transpose()?.unwrap_or_default();
        let files = letter.files.map(|members| files(members.0)).transpose()?.unwrap_or_default();
        if env.is_some() && files.iter().any(|(path, _)| path.as_str() == ENV_FILE) {
            return Err(Invalid::FileOfVariables(ENV_FILE.to_owned()));
        }
        let registries = letter.registry_auth.map(|many| registries(many.0)).transpose()?.unwrap_or_default();
        Ok(Self { operation, stack, dir, services, flags, env, files, registries })
    }
}

fn str_of<'a>(text: Option<&'a Text<'_>>) -> &'a str {
    text.map_or("", |text| &text.0)
}

/// One entry more than is taken was read where there are too many.
fn not_more<T>(entries: &[T], what: &'static str, max: usize) -> Result<(), Invalid> {
    if entries.len() > max { Err(Invalid::TooMany { what, max }) } else { Ok(()) }
}

fn flags(letter: &Letter<'_>, operation: Operation) -> Result<Flags, Invalid> {
    let timeout = letter.timeout.filter(|_| operation.stops()).map(|secs| {
        let fits = u32::try_from(secs).ok().filter(|&secs| secs <= COMPOSE_STOP_SECS_MAX);
        fits.ok_or(Invalid::Timeout(secs))
    });
    let format = letter.format.as_ref().filter(|_| operation == Operation::Config);
    let format = match str_of(format) {
        "" => None,
        "json" => Some(Format::Json),
        "yaml" => Some(Format::Yaml),
        other => return Err(Invalid::Format(other.to_owned())),
    };
    let is_set = |flag: Option<bool>| flag.unwrap_or(false);
    Ok(Flags {
        build: is_set(letter.build),
        force_recreate: is_set(letter.force_recreate),
        no_deps: is_set(letter.no_deps),
        remove_volumes: is_set(letter.remove_volumes),
        // Nothing and less mean all there is.
        tail: letter.tail.and_then(|lines| u64::try_from(lines).ok()).filter(|&lines| lines > 0),
        timestamps: is_set(letter.timestamps),
        follow: is_set(letter.follow),
        all: is_set(letter.all),
        timeout: timeout.transpose()?,
        no_cache: is_set(letter.no_cache),
        pull_bases: is_set(letter.pull_bases),
        stop_first: is_set(letter.stop_first),
        quiet: is_set(letter.quiet),
        format,
    })
}

/// All names first, so that a wrong one is told before any value is.
fn env(members: Vec<(Text<'_>, Hidden)>) -> Result<Vec<(EnvKey, EnvValue)>, Invalid> {
    not_more(&members, "env vars", COMPOSE_ENV_MAX)?;
    let keys = members.iter().map(|(key, _)| EnvKey::parse(&key.0)).collect::<Result<Vec<_>, Invalid>>()?;
    let values = members.into_iter().map(|(_, Hidden(value))| value);
    let vars = keys.into_iter().zip(values).map(|(key, value)| {
        let value = EnvValue::parse(&key, value)?;
        Ok((key, value))
    });
    let vars = vars.collect::<Result<Vec<_>, Invalid>>()?;
    let sizes = vars.iter().map(|(key, value)| key.as_str().len().saturating_add(value.expose().len()));
    if sizes.fold(0, usize::saturating_add) > COMPOSE_ENV_BYTES_MAX {
        return Err(Invalid::EnvLarge);
    }
    Ok(vars)
}

fn services(names: &[Text<'_>]) -> Result<Vec<ServiceName>, Invalid> {
    not_more(names, "services", COMPOSE_SERVICES_MAX)?;
    names.iter().map(|name| ServiceName::parse(&name.0)).collect()
}

fn files(members: Vec<(Text<'_>, Text<'_>)>) -> Result<Vec<(FilePath, Vec<u8>)>, Invalid> {
    not_more(&members, "files", COMPOSE_FILES_MAX)?;
    let read = |(path, content): (Text<'_>, Text<'_>)| {
        let path = FilePath::parse(&path.0)?;
        let content = match content.0.strip_prefix(BASE64_MARK) {
            Some(encoded) => {
                decoded(encoded).ok_or_else(|| Invalid::FileContent(path.as_str().to_owned()))?
            }
            None => content.0.into_owned().into_bytes(),
        };
        Ok((path, content))
    };
    let files = members.into_iter().map(read).collect::<Result<Vec<_>, Invalid>>()?;
    let paths: HashSet<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    for (path, _) in &files {
        let above = path.as_str().match_indices('/').filter_map(|(at, _)| path.as_str().get(..at));
        if let Some(file) = above.into_iter().find(|above| paths.contains(above)) {
            return Err(Invalid::FileAsDirectory(file.to_owned()));
        }
    }
    Ok(files)
}

/// Base64 as it is usually written, in one line or in several.
fn decoded(encoded: &str) -> Option<Vec<u8>> {
    let is_in_lines = encoded.contains(['\r', '\n']);
    if !is_in_lines {
        return BASE64.decode(encoded.as_bytes()).ok();
    }
    let one = encoded.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect::<Vec<_>>();
    BASE64.decode(&one).ok()
}

fn registries(credentials: Vec<Credential<'_>>) -> Result<Vec<Registry>, Invalid> {
    not_more(&credentials, "registries", COMPOSE_REGISTRIES_MAX)?;
    let mut registries: Vec<Registry> = Vec::with_capacity(credentials.len());
    for Credential { server, username, password } in credentials {
        let password = password.map_or_else(|| Secret::new(String::new()), |Hidden(password)| password);
        let registry = Registry::parse(str_of(server.as_ref()), str_of(username.as_ref()), password)?;
        if registries.iter().any(|other| other.key() == registry.key()) {
            return Err(Invalid::RegistryTwice(registry.key().to_owned()));
        }
        registries.push(registry);
    }
    Ok(registries)
}

#[cfg(test)]
mod tests;
