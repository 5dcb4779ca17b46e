//! Every dependency is asked for by version, without features nobody chose, and stands in the lock file.

/// What is wrong with the dependencies of a manifest, held against the lock file beside it.
pub(crate) fn loose_dependencies(path: &str, manifest: &str, lock: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, name, asked) in dependencies(manifest) {
        let place = format!("{path}:{number}: {name}");
        if asked.contains("path = \"..\"") && name == "lookout" {
            continue;
        }
        if ["git =", "path =", "branch =", "registry ="].iter().any(|word| asked.contains(word)) {
            wrong.push(format!("{place} does not come from the default registry"));
        }
        if !asked.contains("default-features = false") {
            wrong.push(format!("{place} takes its default features unseen"));
        }
        match version(&asked) {
            None => wrong.push(format!("{place} has no version")),
            Some(version) if !version.starts_with(|c: char| c.is_ascii_digit()) || version.contains('*') => {
                wrong.push(format!("{place} may be nearly any version: {version}"));
            }
            Some(version) if !locked(lock, &name, version) => {
                wrong.push(format!("{place} {version} is not in the lock file"));
            }
            Some(_) => {}
        }
    }
    wrong
}

/// Each dependency with its line number and what stands after the equals sign.
fn dependencies(manifest: &str) -> Vec<(usize, String, String)> {
    let mut inside = false;
    let mut out = Vec::new();
    for (number, line) in manifest.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.starts_with('[') {
            inside = line.trim_matches(['[', ']']).ends_with("dependencies");
        } else if let (true, Some((name, asked))) = (inside, line.split_once('=')) {
            out.push((number + 1, name.trim().to_owned(), asked.trim().to_owned()));
        }
    }
    out
}

fn version(asked: &str) -> Option<&str> {
    let text = if asked.starts_with('"') { asked } else { asked.split_once("version =")?.1 };
    text.split('"').nth(1)
}

/// Whether the lock file holds this package at the version asked for or a later one that fits.
fn locked(lock: &str, name: &str, asked: &str) -> bool {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let versions =
        lock.match_indices(&entry).filter_map(|(at, _)| lock[at + entry.len()..].split('"').next());
    let compatible = |version: &str| -> String {
        let parts: Vec<&str> = version.split('.').collect();
        let kept = if parts.first() == Some(&"0") { 2 } else { 1 };
        parts.into_iter().take(kept).collect::<Vec<_>>().join(".")
    };
    versions.into_iter().any(|version| compatible(version) == compatible(asked))
}

#[test]
fn a_loose_dependency_is_found() {
    let lock =
        "[[package]]\nname = \"a\"\nversion = \"1.4.2\"\n\n[[package]]\nname = \"b\"\nversion = \"0.3.1\"\n";
    let wrong =
        |line: &str| loose_dependencies("Cargo.toml", &format!("[dependencies]\n{line}\n"), lock).len();
    for line in [
        "a = \"1.4\"",
        "a = { version = \"1.4\" }",
        "a = { version = \"*\", default-features = false }",
        "a = { version = \">=1\", default-features = false }",
        "a = { version = \"2\", default-features = false }",
        "b = { version = \"0.4\", default-features = false }",
        "c = { version = \"1\", default-features = false }",
        "a = { version = \"1.4\", git = \"x\", default-features = false }",
        "a = { default-features = false }",
    ] {
        assert_eq!(wrong(line), 1, "{line}");
    }
    for line in [
        "a = { version = \"1.2\", default-features = false }  # a",
        "b = { version = \"0.3\", default-features = false }",
    ] {
        assert_eq!(wrong(line), 0, "{line}");
    }
    let other = "[package]\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\na = \"1\"\n[dev-dependencies]\na = \"1\"\n";
    assert_eq!(loose_dependencies("Cargo.toml", other, lock).len(), 2);
    let own = "[dependencies]\nlookout = { path = \"..\" }\n";
    assert_eq!(loose_dependencies("fuzz/Cargo.toml", own, lock).len(), 0);
}
