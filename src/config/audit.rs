//! The audit trail: where it goes, how much of it is kept, what it hides, and who vouches for it.

use std::path::Path;

use super::environment::Environment;
use super::findings::{Findings, Problem};
use super::guards::malformed;
use super::parse::{list, number, quoted, switch};
use super::state;
use super::trail_file;
use super::variables::{
    AUDIT_BUFFER_SIZE, AUDIT_CHAIN, AUDIT_DETAIL, AUDIT_KEEP, AUDIT_LOG, AUDIT_MAX_BYTES, AUDIT_REQUIRED,
    REDACT_FIELDS, REDACT_HEADERS, STATE_DIR, Variable,
};
use crate::audit::{Place, Redactor, Settings};
use crate::limits::{
    AUDIT_FILE_BYTES_CEILING, AUDIT_FILE_BYTES_FLOOR, AUDIT_KEEP_CEILING, AUDIT_RING_CEILING,
    REDACTED_NAME_BYTES_MAX, REDACTED_NAMES_MAX,
};

/// The settings, and whether records tell of queries, headers and bodies. Nothing is made: a key that is not there
/// yet is made by [`sign`].
pub(super) fn read(
    environment: &Environment,
    records: bool,
    findings: &mut Findings,
) -> Option<(Settings, bool)> {
    let place = trail_file::place(environment, findings);
    let ring = findings.take(number(environment, &AUDIT_BUFFER_SIZE, 0..=AUDIT_RING_CEILING));
    let chain = findings.take(chain(environment, place.as_ref().and_then(Option::as_ref)));
    let max_bytes = findings.take(max_bytes(environment));
    let keep = findings.take(number(environment, &AUDIT_KEEP, 1..=AUDIT_KEEP_CEILING));
    let required = findings.take(switch(environment, &AUDIT_REQUIRED));
    let detail = findings.take(switch(environment, &AUDIT_DETAIL));
    let headers = findings.take(names(environment, &REDACT_HEADERS, is_token));
    let fields = findings.take(names(environment, &REDACT_FIELDS, is_field));
    let dir = findings.take(state::dir(environment));
    let signer = findings.take(dir.flatten().map_or(Ok(None), state::known));
    let (place, ring, chain, max_bytes) = (place?, ring?, chain?, max_bytes?);
    let (keep, required, detail, dir) = (keep?, required?, detail?, dir?);
    let redactor = Redactor::new(&headers?, &fields?);
    let settings = Settings {
        place,
        ring,
        chain,
        max_bytes,
        keep,
        required,
        redactor,
        signer: signer?.filter(|_| chain),
    };
    let has_sense = needs_a_place(environment, &settings, findings);
    vain(environment, &settings, (detail, dir, records), findings);
    has_sense.then_some((settings, detail))
}

/// For an agent that starts: the key that signs is made where there is none yet.
pub(super) fn sign(environment: &Environment, settings: &mut Settings) -> Result<(), Problem> {
    if settings.chain
        && settings.signer.is_none()
        && let Some(dir) = state::dir(environment)?
    {
        settings.signer = Some(state::signer(dir)?);
    }
    Ok(())
}

/// A file is chained unless that is switched off; a stream, whose reader keeps it as it likes, only when asked for.
fn chain(environment: &Environment, place: Option<&Place>) -> Result<bool, Problem> {
    match environment.text(&AUDIT_CHAIN)? {
        Some(_) => switch(environment, &AUDIT_CHAIN),
        None => Ok(matches!(place, Some(Place::File(_)))),
    }
}

fn max_bytes(environment: &Environment) -> Result<u64, Problem> {
    let bytes = number(environment, &AUDIT_MAX_BYTES, 0..=AUDIT_FILE_BYTES_CEILING)?;
    if bytes == 0 || bytes >= AUDIT_FILE_BYTES_FLOOR {
        return Ok(bytes);
    }
    let what = format!("{bytes} bytes hold too few records");
    let remedy = format!("set it to {AUDIT_FILE_BYTES_FLOOR} or more, or to 0 for a file without end");
    Err(Problem::new(&[&AUDIT_MAX_BYTES], what, remedy))
}

/// A list of names that are good, and not too many.
fn names(
    environment: &Environment,
    variable: &'static Variable,
    is_good: fn(&str) -> bool,
) -> Result<Vec<String>, Problem> {
    let names = list(environment, variable)?;
    let is_name = |name: &&&str| name.len() <= REDACTED_NAME_BYTES_MAX && is_good(name);
    if let Some(bad) = names.iter().find(|name| !is_name(name)) {
        let what = format!("{} is no name that could be found", quoted(bad));
        let remedy =
            format!("list names of at most {REDACTED_NAME_BYTES_MAX} bytes, with commas between them");
        return Err(Problem::new(&[variable], what, remedy));
    }
    if names.len() > REDACTED_NAMES_MAX {
        let what = format!("it lists {} names", names.len());
        return Err(Problem::new(&[variable], what, format!("list {REDACTED_NAMES_MAX} at most")));
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// The name of a field as RFC 9110 has it.
fn is_token(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Signs between words are not compared; something must be left.
fn is_field(name: &str) -> bool {
    !name.contains(char::is_control) && name.contains(char::is_alphanumeric)
}

/// What is asked of a trail that goes nowhere.
fn needs_a_place(environment: &Environment, settings: &Settings, findings: &mut Findings) -> bool {
    if settings.place.is_some() {
        return true;
    }
    let asked = [
        (
            settings.required,
            &AUDIT_REQUIRED,
            "what cannot be recorded is to be refused, and no trail is kept",
        ),
        (settings.chain, &AUDIT_CHAIN, "there is no trail whose records could be chained"),
    ];
    let asked: Vec<_> = asked.into_iter().filter(|(is_asked, ..)| *is_asked).collect();
    for (_, variable, what) in &asked {
        // Nothing else is at fault where the place itself is.
        if !environment.is_set(&AUDIT_LOG) {
            findings.refuse(&[variable, &AUDIT_LOG], *what, "set AUDIT_LOG too, or unset it");
        }
    }
    asked.is_empty()
}

/// What works and changes nothing, or less than it seems to.
fn vain(
    environment: &Environment,
    settings: &Settings,
    (detail, dir, records): (bool, Option<&Path>, bool),
    findings: &mut Findings,
) {
    let is_file = matches!(settings.place, Some(Place::File(_)));
    for variable in [&AUDIT_MAX_BYTES, &AUDIT_KEEP] {
        if environment.is_set(variable) && !is_file {
            findings.no_effect(variable, "only a file is put aside, and AUDIT_LOG names none");
        }
    }
    if environment.is_set(&AUDIT_KEEP) && is_file && settings.max_bytes == 0 {
        findings.no_effect(&AUDIT_KEEP, "AUDIT_MAX_BYTES is 0, and no file is put aside");
    }
    if detail && settings.place.is_none() {
        findings.no_effect(&AUDIT_DETAIL, "what is kept in memory never has it, and AUDIT_LOG is not set");
    }
    match (settings.chain, dir) {
        (true, None) => findings.warn(
            "config.unsigned_audit",
            &[&AUDIT_CHAIN, &STATE_DIR],
            "the audit trail is chained and not signed: whoever can write the file can write all of it anew",
            "set STATE_DIR to a directory of mode 0700, where the agent keeps the key that signs it",
        ),
        (false, Some(_)) if !records => {
            findings.no_effect(&STATE_DIR, "it keeps the key of a chained audit trail, and there is none")
        }
        (true | false, Some(_)) | (false, None) => {}
    }
}

/// Whether what cannot be recorded is refused.
pub(super) fn required_guard(environment: &Environment) -> String {
    match (switch(environment, &AUDIT_REQUIRED), environment.is_set(&AUDIT_LOG)) {
        (Err(_), _) => malformed(),
        (Ok(false), _) => "lifted".to_owned(),
        (Ok(true), true) => "on".to_owned(),
        (Ok(true), false) => "on, and not met".to_owned(),
    }
}

/// Whether records that were changed are found, and who vouches for them.
pub(super) fn chain_guard(environment: &Environment) -> String {
    let Some(place) = trail_file::place(environment, &mut Findings::default()) else { return malformed() };
    if place.is_none() {
        return "lifted, nothing is recorded".to_owned();
    }
    match (chain(environment, place.as_ref()), state::dir(environment)) {
        (Err(_), _) | (_, Err(_)) => malformed(),
        (Ok(false), _) => "lifted".to_owned(),
        (Ok(true), Ok(Some(_))) => "on, signed with the key in STATE_DIR".to_owned(),
        (Ok(true), Ok(None)) => "on, but not signed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::specimens;

    /// The settings and whether there is detail, then every problem and every warning.
    fn of(values: &[(&str, &str)]) -> (Option<(Settings, bool)>, Vec<String>, Vec<String>) {
        let mut findings = Findings::default();
        let settings = read(&Environment::of(values), false, &mut findings);
        let problems: Vec<_> = findings.problems.iter().map(ToString::to_string).collect();
        assert_eq!(settings.is_none(), !problems.is_empty(), "{problems:?}");
        (settings, problems, findings.warnings.iter().map(ToString::to_string).collect())
    }

    fn sound(values: &[(&str, &str)]) -> (Settings, bool) {
        let (settings, problems, _) = of(values);
        settings.unwrap_or_else(|| panic!("{problems:?}"))
    }

    fn problem(values: &[(&str, &str)]) -> String {
        let (_, problems, _) = of(values);
        let [problem] = problems.as_slice() else { panic!("{values:?}: {problems:?}") };
        problem.clone()
    }

    /// A path that is free, in a directory that is there.
    fn file(name: &str) -> String {
        let path = specimens::file("audit-settings", name, "", 0o600);
        fs::remove_file(&path).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn without_a_word_only_the_ring_is_kept() {
        let (settings, detail) = sound(&[]);
        assert!(settings.place.is_none() && settings.signer.is_none());
        assert_eq!((settings.ring, settings.chain, settings.required, detail), (256, false, false, false));
        assert_eq!((settings.max_bytes, settings.keep), (104_857_600, 10));
        assert_eq!(of(&[]).2, Vec::<String>::new());
    }

    #[test]
    fn a_file_is_chained_and_a_stream_only_when_asked_for() {
        let path = file("trail");
        for (log, chain, is_chained) in [
            (path.as_str(), "", true),
            (&path, "no", false),
            ("stdout", "", false),
            ("stdout", "yes", true),
            ("stderr", "", false),
        ] {
            let (settings, _) = sound(&[("AUDIT_LOG", log), ("AUDIT_CHAIN", chain)]);
            assert_eq!(settings.chain, is_chained, "{log} {chain}");
            let is_named = match settings.place.unwrap() {
                Place::Stdout => log == "stdout",
                Place::Stderr => log == "stderr",
                Place::File(file) => file == Path::new(log),
            };
            assert!(is_named, "{log}");
        }
        assert!(!Path::new(&path).exists(), "a file was made by looking");
    }

    #[test]
    fn a_chain_without_a_key_is_warned_about() {
        let (_, _, warnings) = of(&[("AUDIT_LOG", &file("unsigned"))]);
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(
            warning.starts_with("AUDIT_CHAIN, STATE_DIR: ") && warning.contains("set STATE_DIR"),
            "{warning}"
        );
        assert_eq!(of(&[("AUDIT_LOG", "stdout")]).2, Vec::<String>::new());
    }

    #[test]
    fn what_a_trail_that_goes_nowhere_is_asked_for_is_refused() {
        for name in ["AUDIT_REQUIRED", "AUDIT_CHAIN"] {
            let told = problem(&[(name, "true")]);
            assert!(told.starts_with(&format!("{name}, AUDIT_LOG: ")), "{told}");
            assert!(told.ends_with("; set AUDIT_LOG too, or unset it"), "{told}");
            assert!(of(&[(name, "false")]).0.is_some(), "{name}");
        }
        // A place that is wrong is the one thing to put right.
        assert!(
            problem(&[("AUDIT_LOG", "/no/such/dir/x"), ("AUDIT_REQUIRED", "1")]).starts_with("AUDIT_LOG: ")
        );
    }

    #[test]
    fn numbers_are_bounded_and_a_small_file_is_refused_with_what_works() {
        for (name, value, says) in [
            ("AUDIT_BUFFER_SIZE", "65537", "from 0 to 65536"),
            ("AUDIT_BUFFER_SIZE", "-1", "from 0 to 65536"),
            ("AUDIT_KEEP", "0", "from 1 to 1000"),
            ("AUDIT_KEEP", "1001", "from 1 to 1000"),
            ("AUDIT_MAX_BYTES", "65535", "set it to 65536 or more, or to 0"),
            ("AUDIT_MAX_BYTES", "1", "set it to 65536 or more, or to 0"),
            ("AUDIT_MAX_BYTES", "1e9", "is not a whole number"),
            ("AUDIT_REQUIRED", "maybe", "neither yes nor no"),
            ("AUDIT_CHAIN", "maybe", "neither yes nor no"),
            ("AUDIT_DETAIL", "maybe", "neither yes nor no"),
        ] {
            let told = problem(&[("AUDIT_LOG", "stdout"), (name, value)]);
            assert!(told.starts_with(&format!("{name}: ")) && told.contains(says), "{told}");
        }
        let path = file("numbers");
        let values = [("AUDIT_LOG", path.as_str()), ("AUDIT_BUFFER_SIZE", "0"), ("AUDIT_MAX_BYTES", "65536")];
        let (settings, _) = sound(&[values.as_slice(), &[("AUDIT_KEEP", "1000")]].concat());
        assert_eq!((settings.ring, settings.max_bytes, settings.keep), (0, 65_536, 1000));
        assert_eq!(sound(&[("AUDIT_LOG", &path), ("AUDIT_MAX_BYTES", "0")]).0.max_bytes, 0);
    }

    #[test]
    fn names_that_nothing_could_have_are_refused() {
        let many = "a,".repeat(REDACTED_NAMES_MAX + 1);
        let long = "a".repeat(REDACTED_NAME_BYTES_MAX + 1);
        for (name, value) in [
            ("REDACT_HEADERS", "X-Mine,X Yours"),
            ("REDACT_HEADERS", "X-Mine:"),
            ("REDACT_HEADERS", &long),
            ("REDACT_HEADERS", &many),
            ("REDACT_FIELDS", "pin\u{7}"),
            ("REDACT_FIELDS", "pin,--"),
            ("REDACT_FIELDS", &long),
            ("REDACT_FIELDS", &many),
        ] {
            assert!(problem(&[(name, value)]).starts_with(&format!("{name}: ")), "{name} {value}");
        }
        sound(&[("REDACT_HEADERS", " X-Mine, X-Yours,"), ("REDACT_FIELDS", "pin, card number, größe")]);
    }

    #[test]
    fn what_changes_nothing_is_warned_about() {
        let path = file("vain");
        for (values, name) in [
            (&[("AUDIT_LOG", "stdout"), ("AUDIT_MAX_BYTES", "0")][..], "AUDIT_MAX_BYTES"),
            (&[("AUDIT_KEEP", "3")], "AUDIT_KEEP"),
            (
                &[("AUDIT_LOG", &path), ("AUDIT_CHAIN", "0"), ("AUDIT_MAX_BYTES", "0"), ("AUDIT_KEEP", "3")],
                "AUDIT_KEEP",
            ),
            (&[("AUDIT_DETAIL", "1")], "AUDIT_DETAIL"),
        ] {
            let (_, _, warnings) = of(values);
            let [warning] = warnings.as_slice() else { panic!("{values:?}: {warnings:?}") };
            assert!(
                warning.starts_with(&format!("{name}: ")) && warning.ends_with("; unset it"),
                "{warning}"
            );
        }
        assert!(sound(&[("AUDIT_DETAIL", "1"), ("AUDIT_LOG", "stderr")]).1);
    }

    #[test]
    fn guards_tell_what_is_recorded_and_who_vouches() {
        let path = file("guards");
        let told = |values: &[(&str, &str)]| {
            let environment = Environment::of(values);
            [required_guard(&environment), chain_guard(&environment)]
        };
        let log = ("AUDIT_LOG", path.as_str());
        assert_eq!(told(&[]), ["lifted", "lifted, nothing is recorded"]);
        assert_eq!(told(&[log]), ["lifted", "on, but not signed"]);
        assert_eq!(told(&[log, ("AUDIT_REQUIRED", "1"), ("AUDIT_CHAIN", "0")]), ["on", "lifted"]);
        assert_eq!(told(&[("AUDIT_REQUIRED", "1")]), ["on, and not met", "lifted, nothing is recorded"]);
        let dir = Path::new(&path).parent().unwrap().join("guards-state");
        let values = [log, ("STATE_DIR", dir.to_str().unwrap()), ("AUDIT_REQUIRED", "maybe")];
        assert_eq!(told(&values), [malformed(), "on, signed with the key in STATE_DIR".to_owned()]);
        assert_eq!(told(&[log, ("AUDIT_CHAIN", "maybe")])[1], malformed());
    }
}
