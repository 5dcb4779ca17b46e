//! Where the audit trail goes, looked at and not touched.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::environment::Environment;
use super::findings::{Findings, Problem};
use super::listener::path;
use super::parse::quoted;
use super::state::KEY_NAME;
use super::variables::{AUDIT_LOG, STATE_DIR};
use crate::audit::Place;

const REMEDY: &str = "set it to stdout, stderr or the path of a file in a directory that is there";

/// The inner `None` is nowhere. A file need not be there yet.
pub(super) fn place(environment: &Environment, findings: &mut Findings) -> Option<Option<Place>> {
    let place = findings.take(named(environment))?;
    if let Some(Place::File(file)) = &place {
        let looked_at = look(file, findings);
        findings.take(looked_at)?;
    }
    Some(place)
}

fn named(environment: &Environment) -> Result<Option<Place>, Problem> {
    let Some(path) = path(environment, &AUDIT_LOG)? else { return Ok(None) };
    match environment.text(&AUDIT_LOG)? {
        Some("stdout") => return Ok(Some(Place::Stdout)),
        Some("stderr") => return Ok(Some(Place::Stderr)),
        Some(text) if ["stdout", "stderr"].iter().any(|word| text.trim().eq_ignore_ascii_case(word)) => {
            let what = format!("{} would be the name of a file", quoted(text));
            return Err(Problem::new(&[&AUDIT_LOG], what, "write stdout or stderr in small letters"));
        }
        _ => {}
    }
    let dir = environment.text(&STATE_DIR).ok().flatten();
    if dir.is_some_and(|dir| Path::new(dir).join(KEY_NAME) == path) {
        let what = "it names the key that signs the trail";
        return Err(Problem::new(&[&AUDIT_LOG, &STATE_DIR], what, "name another file"));
    }
    Ok(Some(Place::File(path.to_owned())))
}

/// The start opens it; what would keep that from succeeding is told here.
fn look(file: &Path, findings: &mut Findings) -> Result<(), Problem> {
    let shown = quoted(&file.to_string_lossy());
    let problem = |what: &str| Problem::new(&[&AUDIT_LOG], format!("{shown} {what}"), REMEDY);
    let status = match fs::symlink_metadata(file) {
        Ok(status) => status,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return parent(file).map_err(|why| problem(&why));
        }
        Err(error) => return Err(problem(&format!("cannot be looked at: {error}"))),
    };
    if status.is_symlink() {
        return Err(problem("is a symbolic link, and whoever sets it would choose what is written to"));
    }
    if !status.is_file() {
        return Err(problem("is not a regular file"));
    }
    let opened: io::Result<_> = OpenOptions::new().append(true).open(file);
    opened.map_err(|error| problem(&format!("cannot be written: {error}")))?;
    loose(&shown, &status, findings);
    Ok(())
}

fn parent(file: &Path) -> Result<(), String> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if file.file_name().is_none() || file.as_os_str().to_string_lossy().ends_with('/') {
        return Err("is not a regular file".to_owned());
    }
    match fs::metadata(dir) {
        Ok(status) if status.is_dir() => Ok(()),
        Ok(_) => Err("would stand in what is no directory".to_owned()),
        Err(error) => Err(format!("would stand in a directory that cannot be looked at: {error}")),
    }
}

/// It was made by somebody else, or for others: the trail stands in it all the same.
fn loose(shown: &str, status: &Metadata, findings: &mut Findings) {
    let mode = status.permissions().mode() & 0o7777;
    let what = match (mode & 0o022, mode & 0o044) {
        (0, 0) => return,
        (0, _) => "can be read by others",
        (_, _) => "can be changed by others",
    };
    findings.warn(
        "config.loose_file",
        &[&AUDIT_LOG],
        format!("{shown} {what} (mode {mode:04o})"),
        "chmod 0600 it; the agent makes it so where it is not there yet",
    );
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;
    use crate::config::specimens;

    fn told(path: &str) -> (Option<String>, Vec<String>) {
        let mut findings = Findings::default();
        place(&Environment::of(&[("AUDIT_LOG", path)]), &mut findings);
        let problem = findings.problems.first().map(ToString::to_string);
        (problem, findings.warnings.iter().map(ToString::to_string).collect())
    }

    fn file(name: &str, mode: u32) -> PathBuf {
        specimens::file("trail-file", name, "", mode)
    }

    #[test]
    fn what_cannot_be_a_trail_is_refused_before_the_start() {
        let good = file("good", 0o600);
        let link = good.with_file_name("link");
        let _ = fs::remove_file(&link);
        symlink(&good, &link).unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        for (path, what) in [
            ("/dev/null".to_owned(), "is not a regular file"),
            ("/dev/stdout".to_owned(), "is a symbolic link"),
            (text(&link), "is a symbolic link"),
            (text(good.parent().unwrap()), "is not a regular file"),
            (format!("{}/", text(&good.with_file_name("absent"))), "is not a regular file"),
            (text(&good.with_file_name("no").join("such")), "would stand in a directory"),
            (text(&good.join("below")), "cannot be looked at"),
            ("STDOUT".to_owned(), "write stdout or stderr in small letters"),
            ("Stderr ".to_owned(), "write stdout or stderr in small letters"),
        ] {
            let (problem, _) = told(&path);
            let problem = problem.unwrap_or_else(|| panic!("{path} was taken"));
            assert!(problem.starts_with("AUDIT_LOG: ") && problem.contains(what), "{problem}");
        }
        assert_eq!(told(good.to_str().unwrap()), (None, vec![]));
        assert_eq!(told(good.with_file_name("absent").to_str().unwrap()), (None, vec![]));
        assert!(!good.with_file_name("absent").exists());
    }

    #[test]
    fn a_file_that_others_read_or_change_is_a_warning() {
        for (mode, what) in
            [(0o640, "can be read by others (mode 0640)"), (0o666, "can be changed by others")]
        {
            let (problem, warnings) = told(file(&format!("loose-{mode:o}"), mode).to_str().unwrap());
            assert_eq!(problem, None);
            let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
            assert!(warning.contains(what) && warning.contains("chmod 0600"), "{warning}");
        }
    }

    #[test]
    fn the_key_that_signs_the_trail_is_not_where_it_goes() {
        let mut findings = Findings::default();
        let values = [("AUDIT_LOG", "/state/audit.pem"), ("STATE_DIR", "/state")];
        assert!(place(&Environment::of(&values), &mut findings).is_none());
        assert!(findings.problems[0].to_string().starts_with("AUDIT_LOG, STATE_DIR: "));
    }
}
