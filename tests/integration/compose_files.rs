//! What an order brings along: files and variables, written into its stack and nowhere else.
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;

use crate::compose_world::{Yard, names, plain, shown, tell, with};
use crate::engine::Engine;
use crate::patience::until;
use crate::signer::breathe;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{error}: {path:?}")).permissions().mode()
        & 0o7777
}

#[test]
fn files_are_written_for_their_owner_alone() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let agent = yard.start(&engine);
    let scene = json!([["read", "conf/deep/app.bin"], ["list", "."]]).to_string();
    let files = json!({
        "compose.yaml": "services: {}\n", "scene.json": scene, "conf/deep/app.bin": "base64:AAH/Cg==", "empty": "",
        "conf/base64:text": "base64 is a word", "a b.txt": "x"
    });
    let more = json!({"files": files, "envVars": {"A": "b"}, "stackDir": "team/fresh"});
    let told = tell(&agent, &with("up", "fresh", &more));
    assert!(told.success, "{told:?}");
    let dir = yard.of("team/fresh");
    assert_eq!(names(&dir), [".env.drydock", "a b.txt", "compose.yaml", "conf", "empty", "scene.json"]);
    assert_eq!(fs::read(dir.join("conf/deep/app.bin")).unwrap(), [0, 1, 0xff, b'\n']);
    assert_eq!(fs::read(dir.join("conf/base64:text")).unwrap(), b"base64 is a word");
    assert_eq!(fs::read(dir.join("empty")).unwrap(), b"");
    for file in [".env.drydock", "compose.yaml", "conf/deep/app.bin", "empty", "a b.txt"] {
        assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
    }
    for folder in [".", "conf", "conf/deep", ".."] {
        assert_eq!(mode(&dir.join(folder)), 0o750, "{folder}");
    }
    let again =
        tell(&agent, &with("ps", "fresh", &json!({"stackDir": "team/fresh", "files": {"empty": "filled"}})));
    assert!(again.success, "{again:?}");
    assert_eq!(fs::read(dir.join("empty")).unwrap(), b"filled");
    assert_eq!(names(&dir).len(), 6, "nothing else is left behind");
}

#[test]
fn variables_are_written_without_files_and_for_their_owner_alone() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let dir = yard.stack("web", &json!([["show"]]));
    let agent = yard.start(&engine);
    let seen = shown(&agent, &with("ps", "web", &json!({"envVars": {"COLOUR": "two words", "N": "1"}})));
    assert_eq!(seen["env"]["COLOUR"], json!("two words"));
    let file = dir.join(".env.drydock");
    assert_eq!(mode(&file), 0o600);
    let text = fs::read_to_string(&file).unwrap();
    let names: Vec<_> = text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert_eq!(names, ["COLOUR", "N"], "{text}");
    // Where others could read an earlier one, they cannot read what replaces it.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    tell(&agent, &with("ps", "web", &json!({"envVars": {"N": "2"}}))).good();
    assert_eq!(mode(&file), 0o600);
    assert!(!fs::read_to_string(&file).unwrap().contains("COLOUR"));
}

#[test]
fn a_link_leads_no_file_out_of_its_stack() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let other = yard.stack("other", &json!([["say", "it ran"]]));
    fs::write(other.join("secret"), "as it was").unwrap();
    let dir = yard.stack("web", &json!([["say", "it ran"]]));
    symlink("../other/secret", dir.join("target")).unwrap();
    symlink(other.join("secret"), dir.join("whole")).unwrap();
    symlink("../other", dir.join("folder")).unwrap();
    symlink("../other/absent", dir.join("dangling")).unwrap();
    symlink("../other/absent", dir.join(".env.drydock")).unwrap();
    let before = names(&other);
    let agent = yard.start(&engine);
    for path in ["target", "whole", "folder/secret", "folder/new", "folder/deep/new", "dangling"] {
        let told = tell(&agent, &with("up", "web", &json!({"files": {"fine.txt": "x", path: "changed"}})));
        assert!(!told.success && told.output.is_empty(), "{path}: {told:?}");
        assert!(!dir.join("fine.txt").exists(), "{path}: half of it was written");
    }
    let told = tell(&agent, &with("up", "web", &json!({"envVars": {"A": "b"}})));
    assert!(!told.success && told.output.is_empty(), "{told:?}");
    assert_eq!(names(&other), before);
    assert_eq!(fs::read_to_string(other.join("secret")).unwrap(), "as it was");
    assert!(fs::symlink_metadata(dir.join("target")).unwrap().is_symlink());
}

#[test]
fn what_a_stack_is_made_of_is_no_link() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let other = yard.stack("other", &json!([]));
    let dir = yard.stack("web", &json!([["say", "it ran"]]));
    let agent = yard.start(&engine);
    for name in ["compose.yaml", "compose.override.yaml"] {
        let aside = dir.join("aside");
        let was = fs::rename(dir.join(name), &aside);
        symlink(other.join("compose.yaml"), dir.join(name)).unwrap();
        let told = tell(&agent, &plain("up", "web"));
        assert!(!told.success && told.output.is_empty(), "{name}: {told:?}");
        fs::remove_file(dir.join(name)).unwrap();
        if was.is_ok() {
            fs::rename(&aside, dir.join(name)).unwrap();
        }
    }
    tell(&agent, &plain("up", "web")).good();
}

#[test]
fn a_directory_that_turns_into_a_link_meanwhile_leads_nothing_out() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let other = yard.stack("other", &json!([]));
    let dir = yard.stack("web", &json!([["say", "it ran"]]));
    let conf = dir.join("conf");
    let agent = yard.start(&engine);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // The agent makes a directory there whenever there is none: whoever is first has it.
            while !over.load(Ordering::Relaxed) {
                let _ = symlink(&other, &conf);
                thread::yield_now();
                let _ = fs::remove_dir_all(&conf);
                let _ = fs::create_dir(&conf);
                breathe();
                let _ = fs::remove_dir_all(&conf);
            }
        });
        let (mut written, mut refused) = (0, 0);
        // Both happen, or nothing is shown here.
        until("files were written, and others were not", || {
            let path = format!("conf/new{}.txt", written + refused);
            let told = tell(&agent, &with("ps", "web", &json!({"files": {path: "x"}})));
            assert!(told.success || told.output.is_empty(), "{told:?}");
            written += u32::from(told.success);
            refused += u32::from(!told.success);
            (written >= 5 && refused >= 5).then_some(())
        });
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(names(&other), ["compose.yaml", "scene.json"]);
}

#[test]
fn a_stack_is_no_link_and_lies_behind_none() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let other = yard.stack("other/inner", &json!([["say", "it ran"]]));
    symlink("other/inner", yard.of("link")).unwrap();
    symlink("other", yard.of("parent")).unwrap();
    symlink(yard.of("other/inner"), yard.of("whole")).unwrap();
    let elsewhere = yard.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, yard.of("outside")).unwrap();
    let agent = yard.start(&engine);
    for (name, dir) in [("link", "link"), ("web", "parent/inner"), ("whole", "whole"), ("outside", "outside")]
    {
        let more = json!({"stackDir": dir, "files": {"new.txt": "x"}, "envVars": {"A": "b"}});
        for body in [with("up", name, &more), with("ps", name, &json!({"stackDir": dir}))] {
            let told = tell(&agent, &body);
            assert!(!told.success && told.output.is_empty(), "{dir}: {told:?}");
        }
    }
    assert_eq!(names(&other), ["compose.yaml", "scene.json"]);
    assert!(names(&elsewhere).is_empty());
}

#[test]
fn what_is_no_plain_file_is_neither_replaced_nor_waited_for() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let dir = yard.stack("web", &json!([["say", "it ran"]]));
    let pipe = dir.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there").success());
    fs::create_dir(dir.join("folder")).unwrap();
    let agent = yard.start(&engine);
    for path in ["pipe", "folder", "scene.json/below", "pipe/below"] {
        let told = tell(&agent, &with("up", "web", &json!({"files": {"fine.txt": "x", path: "y"}})));
        assert!(!told.success && told.output.is_empty(), "{path}: {told:?}");
        assert!(!dir.join("fine.txt").exists(), "{path}: half of it was written");
    }
    assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
    assert!(dir.join("folder").is_dir());
    // One in place of the file of variables or of the compose file is no reason to wait either.
    assert!(Command::new("mkfifo").arg(dir.join(".env.drydock")).status().unwrap().success());
    let told = tell(&agent, &plain("up", "web"));
    assert!(!told.success || told.output == "it ran", "{told:?}");
    fs::remove_file(dir.join(".env.drydock")).unwrap();
    fs::remove_file(dir.join("compose.yaml")).unwrap();
    assert!(Command::new("mkfifo").arg(dir.join("compose.yaml")).status().unwrap().success());
    let told = tell(&agent, &plain("up", "web"));
    assert!(!told.success && told.output.is_empty(), "{told:?}");
}

#[test]
fn the_agents_own_names_are_not_for_files() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let dir = yard.stack("web", &json!([["say", "it ran"]]));
    let agent = yard.start(&engine);
    let told = tell(&agent, &with("up", "web", &json!({"files": {".lookout-x": "y"}})));
    assert!(told.failure().starts_with("invalid file path: "), "{told:?}");
    assert_eq!(names(&dir), ["compose.yaml", "scene.json"]);
}

#[test]
fn what_compose_would_fetch_from_elsewhere_is_refused_before_it_starts() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let dir = yard.stack("web", &json!([["say", "it ran"]]));
    let agent = yard.start(&engine);
    for text in [
        "include:\n  - oci://registry.example/stack:1\n",
        "include:\n  - path: \"git://git.example/stack\"\n",
        "include: ['https://example.com/stack.git']\n",
        "services:\n  web:\n    extends:\n      file: ssh://git@git.example/stack\n      service: web\n",
        "services:\n  web:\n    provider:\n      type: anything\n",
    ] {
        let told = tell(&agent, &with("up", "web", &json!({"files": {"compose.yaml": text}})));
        assert!(!told.success && told.output.is_empty(), "{text}: {told:?}");
    }
    let fine = "services:\n  web:\n    image: redis\n    labels: {home: 'https://example.com'}\n";
    tell(&agent, &with("up", "web", &json!({"files": {"compose.yaml": fine}}))).good();
    assert_eq!(fs::read_to_string(dir.join("compose.yaml")).unwrap(), fine);
}
