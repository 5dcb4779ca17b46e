//! The files of this repository, as text.

use std::fs;
use std::path::{Path, PathBuf};

/// One file: its path below the repository's root, with `/`, and its text.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// Rust that people write: the library, its tests, benches, examples and fuzz targets.
    pub(crate) fn is_rust(&self) -> bool {
        let rooms = ["src/", "tests/", "benches/", "examples/", "fuzz/"];
        self.path.ends_with(".rs") && rooms.iter().any(|room| self.path.starts_with(room))
    }

    pub(crate) fn is_script(&self) -> bool {
        self.path.starts_with("scripts/") || self.path.starts_with(".ci/")
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Every text file that is not ignored. Bytes that are no text are no concern of these rules.
pub(crate) fn files() -> Vec<File> {
    let mut ignored = vec![".git".to_owned()];
    let list = fs::read_to_string(root().join(".gitignore")).expect(".gitignore is read");
    ignored.extend(list.lines().map(|line| line.trim_matches('/').to_owned()));
    let mut out = Vec::new();
    walk(&root(), "", &ignored, &mut out);
    out.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(out.iter().any(|file| file.path == "src/lib.rs"), "the walk did not find src/lib.rs");
    out
}

fn walk(dir: &Path, under: &str, ignored: &[String], out: &mut Vec<File>) {
    for entry in fs::read_dir(dir).expect("a directory of the repository is read") {
        let entry = entry.expect("an entry of the repository is read");
        let name = entry.file_name().into_string().expect("names are UTF-8");
        let path = if under.is_empty() { name } else { format!("{under}/{name}") };
        let kind = entry.file_type().expect("an entry has a type");
        if ignored.contains(&path) {
        } else if kind.is_dir() {
            walk(&entry.path(), &path, ignored, out);
        } else if kind.is_file()
            && let Ok(text) = String::from_utf8(fs::read(entry.path()).expect("a file is read"))
        {
            out.push(File { path, text });
        }
    }
}
