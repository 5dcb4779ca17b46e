//! What the agent keeps for itself: the key that signs its audit trail, made once and never replaced.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::environment::Environment;
use super::findings::Problem;
use super::listener::path;
use super::parse::quoted;
use super::variables::STATE_DIR;
use crate::audit::Signer;
use crate::auth::{SigningKey, pkcs8};
use crate::limits::PEM_FILE_BYTES_MAX;
use crate::sys::files::{self, BadFile};
use crate::sys::ids;

/// The private key, in the form of every other.
pub(super) const KEY_NAME: &str = "audit.pem";
/// The same while it is being written: a crash leaves no half of a key under its name.
const NEW_KEY_NAME: &str = "audit.pem.new";

const MINE: &str = "name a directory of the agent's own: mkdir -m 0700 DIR, and chown it to the agent's user";

/// The directory, as far as it is there; its parent must be.
pub(super) fn dir(environment: &Environment) -> Result<Option<&Path>, Problem> {
    let Some(dir) = path(environment, &STATE_DIR)? else { return Ok(None) };
    let shown = shown(dir);
    let problem = |what: String, remedy| Err(Problem::new(&[&STATE_DIR], what, remedy));
    if !dir.is_absolute() {
        return problem(format!("{shown} depends on where the agent was started"), "name it from / on");
    }
    match fs::metadata(dir) {
        Ok(status) if !status.is_dir() => problem(format!("{shown} is no directory"), MINE),
        Ok(status) if status.uid() != ids::user() => {
            let what = format!("{shown} belongs to user {}, and the agent is {}", status.uid(), ids::user());
            problem(what, MINE)
        }
        Ok(status) if status.mode() & 0o077 != 0 => {
            let what = format!("{shown} is open to others (mode {:04o})", status.mode() & 0o7777);
            problem(what, "chmod 0700 it")
        }
        Ok(_) => Ok(Some(dir)),
        Err(error) if error.kind() == ErrorKind::NotFound && dir.parent().is_some_and(Path::is_dir) => {
            Ok(Some(dir))
        }
        Err(error) => problem(format!("{shown} cannot be looked at: {error}"), MINE),
    }
}

/// The key that is there already.
pub(super) fn known(dir: &Path) -> Result<Option<Signer>, Problem> {
    let file = dir.join(KEY_NAME);
    let shown = shown(&file);
    let taken = match files::read_trusted(&file, PEM_FILE_BYTES_MAX) {
        Ok(taken) => taken,
        Err(BadFile::Unreadable(error)) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(bad) => {
            let remedy = "let it be a regular file of mode 0600 that belongs to the agent's user";
            return Err(Problem::new(&[&STATE_DIR], format!("{shown} {bad}"), remedy));
        }
    };
    if let Some(concern) = taken.concerns.first() {
        let what = format!("{shown} is not well kept, and others may have signed with it");
        return Err(Problem::new(&[&STATE_DIR], what, concern.to_string()));
    }
    let seed = pkcs8::read(taken.bytes.expose()).map_err(|bad| {
        let remedy = "put back the key that was there; without it, take the file away, and the agent makes a \
                      new one, under which it signs from then on";
        Problem::new(&[&STATE_DIR], format!("{shown} holds no key of ours: {bad}"), remedy)
    })?;
    Ok(Some(of(SigningKey::from_seed(&seed))))
}

/// The key, which is made where there is none yet.
pub(crate) fn signer(dir: &Path) -> Result<Signer, Problem> {
    if let Some(signer) = known(dir)? {
        return Ok(signer);
    }
    let failed = |error: String| {
        let what = format!("no key can be made in {}: {error}", shown(dir));
        Problem::new(&[&STATE_DIR], what, MINE)
    };
    let key = SigningKey::generate().map_err(|error| failed(error.to_string()))?;
    match keep(dir, &key) {
        Ok(()) => Ok(of(key)),
        // Another start was faster, and its key counts.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            known(dir)?.ok_or_else(|| failed(error.to_string()))
        }
        Err(error) => Err(failed(error.to_string())),
    }
}

/// On the disk before anything is signed with it, and never over a key that is there.
fn keep(dir: &Path, key: &SigningKey) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let fresh = dir.join(NEW_KEY_NAME);
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let kept = file
        .write_all(pkcs8::write(&key.seed()).expose().as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&fresh, dir.join(KEY_NAME)));
    // Its second name, or what became of nothing.
    let _ = fs::remove_file(&fresh);
    kept?;
    fs::File::open(dir)?.sync_all()
}

fn of(key: SigningKey) -> Signer {
    Signer { public: *key.public().as_bytes(), sign: Box::new(move |message| key.sign(message)) }
}

fn shown(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;
    use crate::config::Config;

    /// A directory of a test's own, which is not there yet.
    fn fresh(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("lookout-state-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn problem_of(path: &str) -> String {
        dir(&Environment::of(&[("STATE_DIR", path)])).unwrap_err().to_string()
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_only_and_read_ever_after() {
        let dir = fresh("once");
        let first = signer(&dir).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!((mode(&dir), mode(&dir.join(KEY_NAME))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "something else was left");
        let text = fs::read_to_string(dir.join(KEY_NAME)).unwrap();
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI"), "{text}");
        let again = signer(&dir).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!((first.public, (first.sign)(b"x")), (again.public, (again.sign)(b"x")));
        assert_eq!(fs::read_to_string(dir.join(KEY_NAME)).unwrap(), text);
        // What a crash left behind is no key, and does not stand in the way of one.
        fs::remove_file(dir.join(KEY_NAME)).unwrap();
        fs::write(dir.join(NEW_KEY_NAME), "half a k").unwrap();
        assert!(known(&dir).is_ok_and(|none| none.is_none()));
        assert!(signer(&dir).is_ok_and(|other| other.public != first.public));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_slower_of_two_starts_does_not_write_over_the_key_of_the_faster() {
        let dir = fresh("race");
        let faster = signer(&dir).ok().unwrap().public;
        let slower = SigningKey::generate().unwrap();
        assert_eq!(keep(&dir, &slower).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(known(&dir).ok().flatten().map(|signer| signer.public), Some(faster));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "something else was left");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_key_that_is_none_or_not_kept_well_is_never_replaced() {
        let dir = fresh("bad");
        DirBuilder::new().mode(0o700).create(&dir).unwrap();
        let key = dir.join(KEY_NAME);
        for (content, mode, what) in [
            ("", 0o600, "holds no key of ours"),
            ("-----BEGIN EC PRIVATE KEY-----\n", 0o600, "holds no key of ours"),
            ("x", 0o644, "is not well kept"),
            ("x", 0o622, "can be changed by others"),
        ] {
            fs::write(&key, content).unwrap();
            fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
            let problem = signer(&dir).err().unwrap().to_string();
            assert!(problem.starts_with("STATE_DIR: ") && problem.contains(what), "{problem}");
            assert_eq!(fs::read_to_string(&key).unwrap(), content);
        }
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_directory_that_is_not_the_agents_alone_is_refused() {
        let mine = fresh("open");
        fs::create_dir(&mine).unwrap();
        for open in [0o750, 0o701, 0o777] {
            fs::set_permissions(&mine, Permissions::from_mode(open)).unwrap();
            let told = problem_of(mine.to_str().unwrap());
            assert!(told.contains("is open to others") && told.ends_with("chmod 0700 it"), "{told}");
        }
        fs::set_permissions(&mine, Permissions::from_mode(0o700)).unwrap();
        let file = mine.join("file");
        fs::write(&file, "").unwrap();
        for (path, what) in [
            ("state".to_owned(), "name it from / on"),
            (file.display().to_string(), "is no directory"),
            (mine.join("no").join("such").display().to_string(), "cannot be looked at"),
        ] {
            let told = problem_of(&path);
            assert!(told.starts_with("STATE_DIR: ") && told.contains(what), "{told}");
        }
        let absent = mine.join("absent");
        assert!(dir(&Environment::of(&[("STATE_DIR", absent.to_str().unwrap())])).is_ok());
        fs::remove_dir_all(mine).unwrap();
    }

    #[test]
    fn only_a_start_makes_the_key() {
        let home = fresh("seam");
        DirBuilder::new().mode(0o700).create(&home).unwrap();
        let (log, state) = (home.join("trail"), home.join("state"));
        let values = [
            ("TOKEN", "0123456789abcdef"),
            ("AUDIT_LOG", log.to_str().unwrap()),
            ("STATE_DIR", state.to_str().unwrap()),
        ];
        let environment = Environment::of(&values);
        assert!(Config::read(&environment).is_ok_and(|config| config.audit.signer.is_none()));
        assert!(crate::config::explain(&environment).is_sound);
        assert_eq!(fs::read_dir(&home).unwrap().count(), 0, "looking made something");
        let made = Config::start(&environment).ok().unwrap().audit.signer.unwrap();
        let read = Config::read(&environment).ok().unwrap().audit.signer.unwrap();
        assert_eq!(made.public, read.public);
        assert!(!log.exists());
        fs::remove_dir_all(home).unwrap();
    }
}
