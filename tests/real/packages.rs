//! The packages, the service and the manual: what is in them, that they are the same each time, and that they install,
//! run and go away in systems that had never seen them.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::folder::Folder;
use crate::process::{Outcome, run};

const BINARY: &str = env!("CARGO_BIN_EXE_lookout");

/// Of ten; what systemd calls exposed begins at 2.0 and grows from there.
const EXPOSURE_MAX: f64 = 2.0;

fn source(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(source(path)).unwrap()
}

fn script(name: &str, arguments: &[&str]) -> Outcome {
    run(Command::new(source(name)).args(arguments))
}

/// The manual and the completions, as files in a directory.
fn manual() -> Folder {
    let dir = Folder::new();
    script("scripts/manual", &[BINARY, &dir.at("")]).good();
    dir
}

/// A package of a small program of this machine, whose manual is ours: what matters here is what stands around it.
fn package(kind: &str, manual: &Folder, out: &Folder) -> String {
    let arguments = [kind, "--manual", &manual.at(""), "/bin/true", &out.at("")];
    script("scripts/package", &arguments).good().text().trim().to_owned()
}

/// What the agent says of itself in words: the first word of each line of a part of its help.
fn words_of(help: &str, part: &str) -> BTreeSet<String> {
    let lines = help.lines().skip_while(|line| *line != part).skip(1).take_while(|line| !line.is_empty());
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn the_service_is_exposed_no_more_than_its_document_says() {
    let unit = source("examples/systemd/lookout.service");
    let told =
        run(Command::new("systemd-analyze").args(["security", "--offline=yes", "--no-pager", &unit])).good();
    let text = told.text();
    let line = text.lines().find(|line| line.contains("Overall exposure level")).expect("a figure");
    let figure = line.split_whitespace().find_map(|word| word.parse::<f64>().ok()).expect("a number");
    assert!(figure <= EXPOSURE_MAX, "{line}");
    let claim = format!("exposure level of {figure:.1}");
    assert!(read("docs/install.md").contains(&claim), "docs/install.md does not say: {claim}");
}

#[test]
fn the_service_is_told_its_user_its_bounds_and_its_place() {
    let unit = read("examples/systemd/lookout.service");
    for line in [
        "DynamicUser=yes",
        "SupplementaryGroups=docker",
        "CapabilityBoundingSet=",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "MemoryDenyWriteExecute=yes",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
        "SystemCallFilter=@system-service",
        "EnvironmentFile=-/etc/lookout/config",
        "StateDirectory=lookout",
        "Restart=always",
        "RestartSec=5",
        "LimitNOFILE=65536",
        "TimeoutStopSec=15",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn every_variable_in_the_configuration_that_is_installed_is_one_of_ours() {
    let known = read("docs/variables.md");
    let config = read("examples/systemd/config");
    let mut count = 0;
    for line in config.lines() {
        let line = line.strip_prefix('#').unwrap_or(line);
        let Some((name, _)) = line.split_once('=') else { continue };
        if name.chars().all(|sign| sign.is_ascii_uppercase() || sign == '_') {
            assert!(known.contains(&format!("| `{name}` |")), "{name}");
            count += 1;
        }
    }
    assert!(count > 5, "{config}");
}

#[test]
fn the_manual_has_every_command_and_every_variable() {
    let dir = manual();
    let page = String::from_utf8(dir.read("lookout.1")).unwrap();
    let plain = page.replace("\\-", "-");
    let help = run(Command::new(BINARY).arg("--help")).good().text();
    let commands = words_of(&help, "Commands:");
    assert!(commands.contains("serve") && commands.len() > 5, "{commands:?}");
    let completions: Vec<String> = ["lookout.bash", "_lookout", "lookout.fish"]
        .iter()
        .map(|name| String::from_utf8(dir.read(name)).unwrap())
        .collect();
    for command in commands.iter().filter(|name| *name != "help") {
        assert!(plain.contains(&format!(".SS \"lookout {command}\"")), "{command}");
        for completion in &completions {
            assert!(completion.contains(command.as_str()), "{command}");
        }
    }
    for line in read("docs/variables.md").lines().filter(|line| line.starts_with("| `")) {
        let name = line.split('`').nth(1).unwrap();
        // What has no effect is in the document, so that nobody looks for it, and not in the manual.
        if name != "FORCE_COLOR" {
            assert!(plain.contains(&format!(".B {name}\n")), "{name}");
        }
    }
    run(Command::new("/bin/bash").args(["-n", &dir.at("lookout.bash")])).good();
}

#[test]
fn bash_completes_commands_options_and_files() {
    let dir = manual();
    let complete = |line: &str| {
        let program = "source \"$1\"; COMP_WORDS=($2); [[ $2 != *' ' ]] || COMP_WORDS+=(''); \
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _lookout; printf '%s\\n' \"${COMPREPLY[@]}\"";
        let ended = run(Command::new("/bin/bash").args(["-uc", program, "-", &dir.at("lookout.bash"), line]));
        ended.good().text().trim().to_owned()
    };
    assert_eq!(complete("lookout hea"), "healthcheck");
    assert_eq!(complete("lookout audit "), "verify\ntail\nquery\n-h\n--help");
    assert_eq!(complete("lookout keygen --pub"), "--pub-from");
    let file = dir.at("lookout.1");
    assert_eq!(complete(&format!("lookout audit verify {file}")), file);
    assert_eq!(complete("lookout cert --host "), "");
}

#[test]
fn a_package_is_the_same_each_time_it_is_made() {
    let manual = manual();
    for kind in ["deb", "rpm"] {
        let made: Vec<Vec<u8>> = (0..2)
            .map(|_| {
                let out = Folder::new();
                fs::read(package(kind, &manual, &out)).unwrap()
            })
            .collect();
        assert!(made[0] == made[1], "two {kind} packages of the same differ");
    }
}

#[test]
fn a_package_gives_secrets_to_root_alone_and_starts_nothing() {
    let (manual, out) = (manual(), Folder::new());
    let deb = package("deb", &manual, &out);
    let listed = run(Command::new("dpkg-deb").args(["--contents", &deb])).good().text();
    for (mode, name) in [
        ("-rw-r----- root/root", "./etc/lookout/config"),
        ("drwx------ root/root", "./etc/lookout/secrets/"),
        ("-rwxr-xr-x root/root", "./usr/bin/lookout"),
        ("-rw-r--r-- root/root", "./usr/lib/systemd/system/lookout.service"),
    ] {
        let is_so = |line: &str| line.starts_with(mode) && line.ends_with(&format!(" {name}"));
        assert!(listed.lines().any(is_so), "{mode} {name}:\n{listed}");
    }
    let rpm = package("rpm", &manual, &out);
    let listed = run(Command::new("rpm").args(["-qlvp", &rpm])).good().text();
    for (mode, name) in [("-rw-r----- ", "/etc/lookout/config"), ("drwx------ ", "/etc/lookout/secrets")] {
        let is_so = |line: &str| line.starts_with(mode) && line.ends_with(&format!(" {name}"));
        assert!(listed.lines().any(is_so), "{mode} {name}:\n{listed}");
    }
    let unpacked = out.at("control");
    run(Command::new("dpkg-deb").args(["--control", &deb, &unpacked])).good();
    let mut scripts = run(Command::new("rpm").args(["-qp", "--scripts", &rpm])).good().text();
    for name in ["postinst", "prerm", "postrm"] {
        let path = format!("{unpacked}/{name}");
        run(Command::new("/bin/sh").args(["-n", &path])).good();
        scripts += &fs::read_to_string(path).unwrap();
    }
    assert!(scripts.contains("systemctl try-restart"), "{scripts}");
    for word in ["systemctl start", "systemctl restart", "systemctl enable lookout", "--now;"] {
        assert!(!scripts.contains(word), "{word}:\n{scripts}");
    }
    assert_eq!(fs::read_to_string(format!("{unpacked}/conffiles")).unwrap(), "/etc/lookout/config\n");
    // What comes before a release sorts before it, and its file has a name that is kept everywhere.
    let version = run(Command::new(BINARY).arg("version")).good().text().replace("lookout ", "");
    let control = fs::read_to_string(format!("{unpacked}/control")).unwrap();
    assert!(control.contains(&format!("Version: {}-1\n", version.trim().replace('-', "~"))), "{control}");
    assert!(deb.contains(&format!("/lookout_{}-1_", version.trim().replace('-', "."))), "{deb}");
}

#[test]
fn the_formula_and_the_installer_name_the_same_home() {
    let home =
        |text: &str| text.split('"').find(|part| part.starts_with("https://github.com/")).map(str::to_owned);
    let installer = read("scripts/install.sh");
    let told = installer.lines().find_map(|line| line.strip_prefix("home=")).expect("a home");
    assert_eq!(home(&read("examples/homebrew/lookout.rb")).as_deref(), Some(told));
}

/// In copies of a minimal Debian, which `scripts/setup` fetched: what is installed works, and leaves nothing.
#[test]
fn the_deb_and_the_archive_are_installed_used_and_removed_in_a_clean_system() {
    let told = script("scripts/package-try", &[BINARY, "chroot"]).good().text();
    assert!(told.contains("the deb is installed, used, installed again, removed and purged"), "{told}");
    assert!(told.contains("the archive is installed by install.sh"), "{told}");
}

#[test]
fn the_rpm_is_installed_verified_and_erased_in_an_empty_system() {
    let told = script("scripts/package-try", &[BINARY, "rpm"]).good().text();
    assert!(told.contains("the rpm is installed, verified"), "{told}");
}

#[test]
fn the_service_of_the_deb_does_under_systemd_all_that_an_agent_does() {
    let told = script("scripts/package-try", &[BINARY, "systemd"]).good().text();
    assert!(told.contains("the service refuses without a credential, proxies, enrols, reloads"), "{told}");
}
