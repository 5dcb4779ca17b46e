//! Megabytes through the tunnel: copies, images, builds, and a shell beside a large export.

use std::process::Command;

use crate::docker::IMAGE;
use crate::edge_welcome::Mode;
use crate::edge_world::World;
use crate::folder::{Folder, noise};
use crate::process::run;
use crate::wait::until;

const MODES: [Mode; 2] = [Mode::Duplex, Mode::Binary];

#[test]
fn files_are_copied_in_and_out_as_they_are() {
    for mode in MODES {
        let (world, folder) = (World::new(mode), Folder::new());
        let name = world.scene.name("copied");
        world.docker.run(&["create", "--name", &name, IMAGE, "sha256sum", "/var/opt/large"]).good();
        let large = folder.write("large", noise(4_000_000));
        world.docker.run(&["cp", &large, &format!("{name}:/var/opt/large")]).good();
        world.docker.run(&["cp", &format!("{name}:/var/opt/large"), &folder.at("back")]).good();
        assert!(folder.read("back") == noise(4_000_000), "it came back changed");
        let told = world.docker.run(&["start", "-a", &name]).good().text();
        let sum = run(Command::new("sha256sum").arg(&large)).good().text();
        assert_eq!(told.split(' ').next(), sum.split(' ').next());
        let nowhere = world.docker.run(&["cp", &large, &format!("{name}:/no/such/place/")]);
        assert!(nowhere.errors().contains("no such directory"), "{}", nowhere.errors());
        world.edge.until_settled();
    }
}

#[test]
fn images_are_saved_loaded_exported_and_imported_as_they_are() {
    for mode in MODES {
        let (world, folder) = (World::new(mode), Folder::new());
        let (name, image) = (world.scene.name("made"), world.scene.name("image:1"));
        let large = folder.write("large", noise(6_000_000));
        let docker = |arguments: &[&str]| world.docker.run(arguments).good();
        docker(&["create", "--name", &name, IMAGE, "true"]);
        docker(&["cp", &large, &format!("{name}:/var/opt/large")]);
        docker(&["commit", &name, &image]);
        assert!(world.same(&["save", IMAGE]).len() > 1_000_000);
        docker(&["save", "-o", &folder.at("image.tar"), &image]);
        docker(&["rmi", &image]);
        docker(&["load", "-i", &folder.at("image.tar")]);
        docker(&["rmi", &image]);
        let loaded = world.docker.run_with(&["load"], folder.read("image.tar")).good();
        assert_eq!(loaded.text(), format!("Loaded image: {image}\n"));
        let exported = docker(&["export", &name]).stdout;
        assert!(exported == world.straight.run(&["export", &name]).good().stdout, "the export is another");
        let imported = world.scene.name("import:1");
        world.docker.run_with(&["import", "-", &imported], exported).good();
        let sum = |image: &str| docker(&["run", "--rm", image, "sha256sum", "/var/opt/large"]).text();
        let local = run(Command::new("sha256sum").arg(&large)).good().text();
        for image in [&image, &imported] {
            assert_eq!(sum(image).split(' ').next(), local.split(' ').next());
        }
        let refused = world.docker.run_with(&["load"], "this is no archive, only text");
        assert_eq!(refused.code(), Some(1), "{}", refused.text());
        world.edge.until_settled();
    }
}

#[test]
fn builds_take_their_context_and_tell_their_steps() {
    for mode in MODES {
        let (world, context) = (World::new(mode), Folder::new());
        let image = world.scene.name("built:1");
        let lines = "COPY large /var/opt/large\nRUN wc -c /var/opt/large\nCMD [\"echo\", \"built\"]";
        context.write("Dockerfile", format!("FROM {IMAGE}\n{}\n{lines}\n", world.scene.label()));
        context.write("large", noise(7_000_000));
        let build = |more: &[&str]| {
            let flags = ["build", "--no-cache", "--force-rm", "--network", "none", "-t", &image];
            world.docker.run(&[&flags, more, &[&context.at("")]].concat())
        };
        // Answered before its context was read.
        let refused = build(&["--isolation", "hyperv"]);
        assert!(refused.errors().contains("isolation"), "{}", refused.errors());
        let told = build(&[]).good().text();
        assert!(told.contains("7000000 /var/opt/large"), "{told}");
        assert_eq!(world.docker.run(&["run", "--rm", &image]).good().text(), "built\n");
        world.edge.until_settled();
    }
}

#[test]
fn a_shell_answers_at_every_moment_of_a_large_export() {
    const PIECES: usize = 64;
    let world = World::new(Mode::Binary);
    let fills = format!("head -c {}000000 /dev/urandom > /var/opt/big; echo made; exec sleep 1000", PIECES);
    let name = world.container("large", &fills);
    until("the file is made", || world.straight.run(&["logs", &name]).text().contains("made").then_some(()));
    let mut shell = world.docker.start(&["exec", "-i", &name, "sh"]);
    let head = format!("GET /containers/{name}/export HTTP/1.1\r\n");
    let (mut export, mut came) = (world.by_hand(&head, b""), Vec::new());
    assert_eq!(export.status(), "200", "{}", export.head);
    for number in 0..PIECES {
        // The rest of the export waits meanwhile, on every step of its way.
        shell.type_in(&format!("echo answer {number}\n"));
        shell.until_it_says(&format!("answer {number}\n"));
        while came.len() < number * 1_000_000 {
            came.extend(export.piece());
        }
    }
    assert!(came.len() < PIECES * 1_000_000, "it still went on when the last answer came");
    loop {
        let piece = export.piece();
        if piece.is_empty() {
            break;
        }
        came.extend(piece);
    }
    assert!(came == world.straight.run(&["export", &name]).good().stdout, "the export is another");
    shell.type_in("exit 12\n");
    assert_eq!(shell.finish_by_itself().code(), Some(12));
    drop(export);
    world.edge.until_settled();
}
