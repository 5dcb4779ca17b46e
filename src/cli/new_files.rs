//! Files that were not there before: all of them or none, for their owner only.

use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why the files were not made. None of them is left.
#[derive(Debug)]
pub(super) enum NotMade {
    Directory(PathBuf, io::Error),
    Exists(PathBuf),
    File(PathBuf, io::Error),
}

/// Writes each file, name and content, into the directory, which is made if it is missing.
pub(super) fn make(dir: &Path, files: &[(&str, &str)]) -> Result<(), NotMade> {
    let directory = |error| NotMade::Directory(dir.to_owned(), error);
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(directory)?;
    let mut made = Vec::new();
    for (name, content) in files {
        if let Err(why) = add(dir.join(name), content, &mut made) {
            for path in made {
                let _ = fs::remove_file(path);
            }
            return Err(why);
        }
    }
    Ok(())
}

/// `made` holds the file as soon as it exists.
fn add(path: PathBuf, content: &str, made: &mut Vec<PathBuf>) -> Result<(), NotMade> {
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(NotMade::Exists(path)),
        Err(error) => return Err(NotMade::File(path, error)),
    };
    made.push(path.clone());
    file.write_all(content.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| NotMade::File(path, error))
}

impl fmt::Display for NotMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path, error) => {
                write!(f, "cannot make the directory {}: {error}", path.display())
            }
            Self::Exists(path) => write!(f, "{} is there already, and is not overwritten", path.display()),
            Self::File(path, error) => write!(f, "cannot write {}: {error}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A directory of a test's own, which is not there yet.
    fn fresh(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("lookout-new-files-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn files_and_their_directory_are_for_the_owner_only() {
        let dir = fresh("modes").join("inner");
        make(&dir, &[("one", "1"), ("other", "2")]).unwrap();
        assert_eq!((mode(dir.parent().unwrap()), mode(&dir)), (0o700, 0o700));
        for (name, content) in [("one", "1"), ("other", "2")] {
            assert_eq!(mode(&dir.join(name)), 0o600);
            assert_eq!(fs::read_to_string(dir.join(name)).unwrap(), content);
        }
        fs::remove_dir_all(dir.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_file_that_is_there_is_kept_and_no_other_is_made() {
        let dir = fresh("kept");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("other"), "old").unwrap();
        let why = make(&dir, &[("one", "1"), ("other", "2")]).unwrap_err();
        assert_eq!(
            why.to_string(),
            format!("{}/other is there already, and is not overwritten", dir.display())
        );
        assert_eq!(fs::read_to_string(dir.join("other")).unwrap(), "old");
        assert!(!dir.join("one").exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = fresh("link");
        fs::create_dir(&dir).unwrap();
        symlink(dir.join("elsewhere"), dir.join("one")).unwrap();
        assert!(matches!(make(&dir, &[("one", "1")]), Err(NotMade::Exists(_))));
        assert!(!dir.join("elsewhere").exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_file_in_the_directorys_place_is_told() {
        let dir = fresh("file");
        fs::write(&dir, "").unwrap();
        assert!(matches!(make(&dir, &[("one", "1")]), Err(NotMade::Directory(..))));
        assert!(matches!(make(&dir.join("below"), &[("one", "1")]), Err(NotMade::Directory(..))));
        fs::remove_file(dir).unwrap();
    }
}
