//! No link leads out of a stack, and what is written is written whole or not at all.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::compose::names::{FilePath, StackDir};

fn root(name: &str) -> PathBuf {
    let root = std::env::temp_dir().join(format!("stacks-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(&root).unwrap();
    root
}

fn dir(text: &str) -> StackDir {
    StackDir::parse(text).unwrap()
}

fn file(path: &str, content: &str) -> (FilePath, Vec<u8>) {
    (FilePath::parse(path).unwrap(), content.as_bytes().to_vec())
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

/// Everything below a directory, but for directories.
fn names(root: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(root).unwrap().flatten().collect::<Vec<_>>();
    names.sort_by_key(fs::DirEntry::path);
    names.iter().map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[test]
fn files_are_their_owners_alone_and_so_are_the_directories_made_for_them() {
    let root = root("modes");
    let stack = Stack::make(&root, &dir("media/web")).unwrap();
    stack.put(&[file("compose.yaml", "a"), file("conf/deep/app.ini", "b")], Some(b"K=v\n")).unwrap();
    let at = |path: &str| root.join("media/web").join(path);
    for path in ["compose.yaml", "conf/deep/app.ini", ENV_FILE] {
        assert_eq!(mode(&at(path)), 0o600, "{path}");
    }
    // The umask may take more away.
    for path in ["", "conf", "conf/deep"] {
        assert_eq!(mode(&at(path)) & !0o750, 0, "{path}");
    }
    assert_eq!(fs::read(at(ENV_FILE)).unwrap(), b"K=v\n");
    assert_eq!(stack.variables().unwrap().unwrap(), b"K=v\n");
}

#[test]
fn a_stack_that_is_not_there_is_made_only_to_be_written() {
    let root = root("absent");
    assert!(matches!(Stack::open(&root, &dir("web")), Err(Trouble::Absent(_))));
    assert_eq!(names(&root), [""; 0]);
    Stack::make(&root, &dir("web")).unwrap();
    assert!(Stack::open(&root, &dir("web")).is_ok());
}

#[test]
fn no_link_leads_out_of_a_stack() {
    let root = root("links");
    let outside = root.with_extension("outside");
    let _ = fs::remove_dir_all(&outside);
    fs::create_dir_all(outside.join("sub")).unwrap();
    fs::write(outside.join("compose.yaml"), "services: {}\n").unwrap();
    symlink(&outside, root.join("linked")).unwrap();
    fs::create_dir(root.join("web")).unwrap();
    symlink(&outside, root.join("web/conf")).unwrap();
    symlink(outside.join("file"), root.join("web/target")).unwrap();
    symlink(outside.join("compose.yaml"), root.join("web/compose.yaml")).unwrap();
    for path in ["linked", "linked/sub", "web/conf"] {
        assert!(matches!(Stack::open(&root, &dir(path)), Err(Trouble::InTheWay(_))), "{path}");
        assert!(matches!(Stack::make(&root, &dir(path)), Err(Trouble::InTheWay(_))), "{path}");
    }
    let stack = Stack::open(&root, &dir("web")).unwrap();
    for path in ["conf/x", "conf/sub/x", "target"] {
        assert!(matches!(stack.put(&[file(path, "x")], None), Err(Trouble::InTheWay(_))), "{path}");
    }
    assert!(matches!(stack.sources(), Err(Trouble::InTheWay(_))));
    assert_eq!(names(&outside), ["compose.yaml", "sub"]);
}

#[test]
fn what_is_no_file_is_not_replaced_by_one() {
    let root = root("kinds");
    let stack = Stack::make(&root, &dir("web")).unwrap();
    fs::create_dir(root.join("web/dir")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(root.join("web/socket")).unwrap();
    for path in ["dir", "socket", "socket/x"] {
        assert!(matches!(stack.put(&[file(path, "x")], None), Err(Trouble::InTheWay(_))), "{path}");
    }
    assert_eq!(names(&root.join("web")), ["dir", "socket"]);
    drop(socket);
}

#[test]
fn where_one_file_cannot_be_written_none_is() {
    let root = root("all-or-none");
    let stack = Stack::make(&root, &dir("web")).unwrap();
    stack.put(&[file("compose.yaml", "before")], None).unwrap();
    fs::create_dir(root.join("web/dir")).unwrap();
    let files = [file("compose.yaml", "after"), file("dir", "x")];
    assert!(stack.put(&files, Some(b"K=v\n")).is_err());
    assert_eq!(fs::read_to_string(root.join("web/compose.yaml")).unwrap(), "before");
    assert_eq!(names(&root.join("web")), ["compose.yaml", "dir"], "nothing half-written is left");
}

#[test]
fn the_compose_file_is_the_one_that_compose_would_take() {
    let root = root("sources");
    let stack = Stack::make(&root, &dir("web")).unwrap();
    let named = || {
        let sources = stack.sources().unwrap();
        sources.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(matches!(stack.sources(), Err(Trouble::NoComposeFile)));
    for (added, expected) in [
        ("docker-compose.yaml", vec!["docker-compose.yaml"]),
        ("docker-compose.yml", vec!["docker-compose.yml"]),
        ("docker-compose.override.yml", vec!["docker-compose.yml", "docker-compose.override.yml"]),
        ("compose.yml", vec!["compose.yml"]),
        ("compose.override.yaml", vec!["compose.yml", "compose.override.yaml"]),
        ("compose.yaml", vec!["compose.yaml", "compose.override.yaml"]),
        ("compose.override.yml", vec!["compose.yaml", "compose.override.yml"]),
    ] {
        stack.put(&[file(added, "services: {}\n")], None).unwrap();
        assert_eq!(named(), expected, "{added}");
    }
}

#[test]
fn a_compose_file_beyond_the_limit_is_refused_and_one_at_it_is_not() {
    let root = root("size");
    let stack = Stack::make(&root, &dir("web")).unwrap();
    let mut text = vec![b'#'; usize::try_from(COMPOSE_FILE_BYTES_MAX).unwrap()];
    fs::write(root.join("web/compose.yaml"), &text).unwrap();
    assert!(stack.sources().is_ok());
    text.push(b'#');
    fs::write(root.join("web/compose.yaml"), &text).unwrap();
    assert!(matches!(stack.sources(), Err(Trouble::TooLarge(_))));
    fs::write(root.join("web/compose.yaml"), b"\xff\xfe").unwrap();
    assert!(matches!(stack.sources(), Err(Trouble::NotText(_))));
}
