//! docker cp, save, load, export and import: archives both ways.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use crate::agent::Agent;
use crate::both_ways::{both_ways, same};
use crate::docker::{Docker, IMAGE};
use crate::folder::{Folder, noise};
use crate::process::run;
use crate::scene::Scene;

/// A small tree with something of everything: a large file, a program, a link, a directory.
fn tree() -> Folder {
    let folder = Folder::new();
    fs::create_dir_all(folder.path().join("tree/deep/deeper")).expect("directories");
    folder.write("tree/large", noise(4_000_000));
    folder.write("tree/deep/deeper/small", "small\n");
    let program = folder.write("tree/program", "#!/bin/sh\necho ran\n");
    fs::set_permissions(program, Permissions::from_mode(0o751)).expect("a mode");
    symlink("deep/deeper/small", folder.path().join("tree/link")).expect("a link");
    folder
}

#[test]
fn a_tree_copied_in_is_what_it_was() {
    both_ways(|side| {
        let (folder, name) = (tree(), side.name("in"));
        let says = "cd /var/opt/tree && sha256sum large && cat link && ./program && stat -c %a program";
        side.docker(&["create", "--name", &name, IMAGE, "sh", "-c", says]).good();
        // The name of the directory differs from side to side, so this step is not recorded.
        side.docker.run(&["cp", &folder.at("tree"), &format!("{name}:/var/opt/")]).good();
        let told = side.docker(&["start", "-a", &name]).good().text();
        let sum = run(Command::new("sha256sum").current_dir(folder.at("tree")).arg("large")).good().text();
        assert_eq!(told, format!("{sum}small\nran\n751\n"));
    });
}

#[test]
fn a_tree_copied_out_is_what_it_was() {
    both_ways(|side| {
        let (folder, name) = (tree(), side.name("out"));
        side.docker(&["create", "--name", &name, IMAGE, "true"]).good();
        side.docker.run(&["cp", &folder.at("tree"), &format!("{name}:/var/opt/")]).good();
        side.docker.run(&["cp", &format!("{name}:/var/opt/tree"), &folder.at("back")]).good();
        assert!(folder.read("back/large") == noise(4_000_000), "the large file came back changed");
        assert_eq!(folder.read("back/deep/deeper/small"), b"small\n");
        let link = fs::read_link(folder.path().join("back/link")).expect("a link came back");
        assert_eq!(link.to_str(), Some("deep/deeper/small"));
        let mode =
            fs::metadata(folder.path().join("back/program")).expect("it came back").permissions().mode();
        assert_eq!(mode & 0o777, 0o751);
    });
}

#[test]
fn an_archive_goes_in_by_standard_input_and_out_by_standard_output() {
    let agent = Agent::start();
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let (folder, name) = (tree(), scene.name("tar"));
    straight.run(&["create", "--name", &name, IMAGE, "true"]).good();
    let tar = run(Command::new("tar").current_dir(folder.path()).args(["-cf", "-", "tree"])).good().stdout;
    agent.docker().run_with(&["cp", "-", &format!("{name}:/var/opt")], tar).good();
    let back = same(&agent, &["cp", &format!("{name}:/var/opt/tree"), "-"]).good().stdout;
    folder.write("back.tar", back);
    run(Command::new("tar").current_dir(folder.path()).args([
        "--transform",
        "s/^tree/back/",
        "-xf",
        "back.tar",
    ]))
    .good();
    assert!(folder.read("back/large") == noise(4_000_000), "the large file came back changed");
}

#[test]
fn a_copy_from_or_to_nowhere_is_refused_in_the_same_words() {
    both_ways(|side| {
        let (folder, name) = (tree(), side.name("nowhere"));
        side.docker(&["create", "--name", &name, IMAGE, "true"]).good();
        let none = side.docker(&["cp", &format!("{name}:/no/such/file"), "-"]);
        assert!(none.errors().contains("/no/such/file"), "{}", none.errors());
        let nowhere = side.docker.run(&["cp", &folder.at("tree/large"), &format!("{name}:/no/such/place/")]);
        assert_eq!(nowhere.code(), Some(1));
        assert!(nowhere.errors().contains("no such directory"), "{}", nowhere.errors());
        let unknown = side.docker(&["cp", &format!("{}:/etc/passwd", side.name("unknown")), "-"]);
        assert!(unknown.errors().contains("No such container"), "{}", unknown.errors());
    });
}

#[test]
fn an_image_saved_and_removed_is_loaded_again() {
    both_ways(|side| {
        let folder = Folder::new();
        let (maker, name) = (side.name("maker"), side.name("image:1"));
        folder.write("large", noise(6_000_000));
        side.docker(&["create", "--name", &maker, IMAGE, "true"]).good();
        side.docker.run(&["cp", &folder.at("large"), &format!("{maker}:/var/opt/large")]).good();
        side.docker(&["commit", &maker, &name]).good();
        side.docker(&["rm", &maker]).good();
        side.docker.run(&["save", "-o", &folder.at("image.tar"), &name]).good();
        side.docker(&["rmi", &name]).good();
        assert_eq!(side.docker(&["image", "inspect", &name]).code(), Some(1), "it is gone");
        // Once from a file, once from standard input.
        side.docker.run(&["load", "-i", &folder.at("image.tar")]).good();
        side.docker(&["rmi", &name]).good();
        let loaded = side.docker_with(&["load"], folder.read("image.tar")).good();
        assert_eq!(loaded.text(), format!("Loaded image: {name}\n"));
        let sum = side.docker(&["run", "--rm", &name, "sha256sum", "/var/opt/large"]).good().text();
        let local = run(Command::new("sha256sum").arg(folder.at("large"))).good().text();
        assert_eq!(sum.split(' ').next(), local.split(' ').next());
    });
}

#[test]
fn a_saved_image_is_equal_to_the_byte() {
    let agent = Agent::start();
    assert!(same(&agent, &["save", IMAGE]).good().stdout.len() > 1_000_000);
}

#[test]
fn a_container_exported_is_imported_as_an_image() {
    both_ways(|side| {
        let folder = Folder::new();
        let (name, image) = (side.name("export"), side.name("import:1"));
        side.docker(&["run", "--name", &name, IMAGE, "sh", "-c", "seq 1 300000 > /var/opt/large"]).good();
        let tar = side.docker.run(&["export", &name]).good().stdout;
        folder.write("export.tar", &tar);
        let listed = run(Command::new("tar").args(["-tf", &folder.at("export.tar")])).good().text();
        assert!(listed.lines().any(|line| line == "var/opt/large"), "{listed}");
        side.docker_with(&["import", "-", &image], tar).good();
        let last = side.docker(&["run", "--rm", &image, "tail", "-n", "1", "/var/opt/large"]).good();
        assert_eq!(last.text(), "300000\n");
    });
}

#[test]
fn what_is_no_archive_is_refused_in_the_same_words() {
    both_ways(|side| {
        let loaded = side.docker_with(&["load"], "this is no archive, only text");
        assert_eq!(loaded.code(), Some(1), "{}", loaded.text());
        let none = side.docker(&["export", &side.name("unknown")]);
        assert!(none.errors().contains("No such container"), "{}", none.errors());
    });
}
