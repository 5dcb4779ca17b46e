//! `scripts/install.sh`, which installs what was signed and nothing else, and takes away what it installed.
//!
//! Everything goes below a directory of the test's own. In place of cosign stands a program of ours that knows no
//! cryptography: what is tested is what the script asks of it, and what it does with the answer.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::folder::Folder;
use crate::process::{Outcome, run};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const HOME: &str = "https://github.com/OWNER/lookout";

/// What is installed where neither systemd nor OpenRC is.
const FILES: [&str; 5] = [
    "usr/local/bin/lookout",
    "usr/local/share/bash-completion/completions/lookout",
    "usr/local/share/fish/vendor_completions.d/lookout.fish",
    "usr/local/share/man/man1/lookout.1",
    "usr/local/share/zsh/site-functions/_lookout",
];

/// A shell of the test's own. Programs are written by it, so that no child of another test holds them open.
fn shell(dir: &Folder, script: &str) -> Outcome {
    run(Command::new("/bin/bash").args(["-euc", script, "-"]).arg(source("")).current_dir(dir.path())).good()
}

fn source(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}

/// A release, a system to install it into, and what stands first in the `PATH`.
struct Stage {
    dir: Folder,
}

impl Stage {
    /// A release for this machine and one for another, signed as the project's workflow does.
    fn new() -> Self {
        let stage = Self { dir: Folder::new() };
        let script = format!(
            r#"mkdir -p bin system release made/manual made/systemd made/openrc
            install -m 0755 "$1/tests/fixtures/release/cosign" bin/cosign
            echo 'the program' >made/lookout
            for file in lookout.1 lookout.bash _lookout lookout.fish; do echo "$file" >made/manual/$file; done
            cp "$1"/examples/systemd/* made/systemd/
            cp "$1/examples/openrc/lookout" made/openrc/
            for arch in amd64 arm64 armv7 riscv64; do tar -czf release/lookout_{VERSION}_linux_$arch.tar.gz -C made .; done
            (cd release && sha256sum lookout_* >checksums.txt)"#
        );
        shell(&stage.dir, &script);
        stage.sign(&format!("{HOME}/.github/workflows/release.yml@refs/tags/v{VERSION}"));
        stage
    }

    fn sign(&self, signer: &str) {
        let script =
            format!("cd release; echo \"{signer} $(sha256sum <checksums.txt)\" >checksums.txt.bundle");
        shell(&self.dir, &script);
    }

    /// The script with these arguments, below the test's own system.
    fn run(&self, arguments: &[&str]) -> Outcome {
        let path = format!("{}:{}", self.dir.at("bin"), "/usr/local/bin:/usr/bin:/bin");
        let script = source("scripts/install.sh");
        run(Command::new(script).args(arguments).args(["--root", &self.dir.at("system")]).env("PATH", path))
    }

    fn install(&self, more: &[&str]) -> Outcome {
        self.run(&[&["--dir", &self.dir.at("release")], more].concat())
    }

    /// The files in the system, in order.
    fn installed(&self) -> Vec<String> {
        let found = shell(&self.dir, "cd system; find . ! -type d -printf '%P\\n' | sort");
        found.text().lines().map(str::to_owned).collect()
    }

    /// It ends with this code, says this, and has installed nothing.
    fn refuses(&self, more: &[&str], code: i32, words: &str) {
        let ended = self.install(more);
        assert_eq!(ended.code(), Some(code), "{}{}", ended.text(), ended.errors());
        assert!(ended.errors().contains(words), "{}", ended.errors());
        assert_eq!(self.installed(), Vec::<String>::new());
    }
}

fn with_config(files: &[&str]) -> Vec<String> {
    [&["etc/lookout/config"], files].concat().iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn a_signed_release_is_installed_and_the_second_time_nothing_is_changed() {
    let stage = Stage::new();
    let told = stage.install(&[]).good().text();
    assert!(told.contains(&format!("signed by the release workflow of {HOME}")), "{told}");
    assert_eq!(stage.installed(), with_config(&FILES));
    let config = stage.dir.at("system/etc/lookout/config");
    fs::write(&config, "LOG_LEVEL=warn\n").unwrap();
    let again = stage.install(&[VERSION]).good().text();
    assert!(again.contains("nothing was changed"), "{again}");
    assert_eq!(fs::read_to_string(&config).unwrap(), "LOG_LEVEL=warn\n");
    let modes = shell(&stage.dir, "cd system; stat -c %a etc/lookout/secrets usr/local/bin/lookout").text();
    assert_eq!(modes, "700\n755\n");
}

#[test]
fn nothing_goes_back_to_an_older_release_unless_it_is_named() {
    let stage = Stage::new();
    let newer = r#"mkdir -p system/usr/local/bin; cd system/usr/local/bin
        printf '#!/bin/sh\necho lookout 99.0.0\n' >lookout; chmod 755 lookout"#;
    shell(&stage.dir, newer);
    let ended = stage.install(&[]);
    assert_eq!(ended.code(), Some(65), "{}", ended.errors());
    assert!(ended.errors().contains("99.0.0 is installed, which is newer"), "{}", ended.errors());
    stage.install(&[VERSION]).good();
    assert_eq!(stage.dir.read("system/usr/local/bin/lookout"), b"the program\n");
}

#[test]
fn what_is_not_as_it_was_is_written_anew() {
    let stage = Stage::new();
    stage.install(&[]).good();
    fs::write(stage.dir.at("system/usr/local/bin/lookout"), "an older one").unwrap();
    let told = stage.install(&[]).good().text();
    assert!(told.contains("1 files written"), "{told}");
    assert_eq!(stage.dir.read("system/usr/local/bin/lookout"), b"the program\n");
}

#[test]
fn an_archive_that_was_changed_is_refused() {
    let stage = Stage::new();
    shell(&stage.dir, "for file in release/*.tar.gz; do printf x >>$file; done");
    stage.refuses(&[], 65, "is not what was signed");
    stage.refuses(&["--no-signature"], 65, "is not what was signed");
}

#[test]
fn checksums_that_were_changed_along_with_the_archive_are_refused() {
    let stage = Stage::new();
    let script =
        "cd release; for file in *.tar.gz; do printf x >>$file; done; sha256sum *.tar.gz >checksums.txt";
    shell(&stage.dir, script);
    stage.refuses(&[], 65, "checksums.txt is signed by who should have");
}

#[test]
fn a_signature_that_is_missing_or_of_somebody_else_is_refused() {
    let stage = Stage::new();
    for signer in [
        "https://github.com/SOMEBODY/lookout/.github/workflows/release.yml@refs/tags/v".to_owned() + VERSION,
        format!("{HOME}/.github/workflows/ci.yml@refs/tags/v{VERSION}"),
        format!("{HOME}/.github/workflows/release.yml@refs/heads/main"),
        format!("{HOME}/.github/workflows/release.yml@refs/tags/v0.0.1"),
    ] {
        stage.sign(&signer);
        stage.refuses(&[], 65, "checksums.txt is signed by who should have");
    }
    fs::remove_file(stage.dir.at("release/checksums.txt.bundle")).unwrap();
    stage.refuses(&[], 69, "holds no checksums.txt.bundle");
}

#[test]
fn without_cosign_nothing_is_installed_unless_that_is_said_aloud() {
    let stage = Stage::new();
    // All that the script needs, and no cosign of the machine's own.
    let script = "rm bin/cosign; for tool in bash env uname awk basename cat chmod cmp cp cut dirname grep gzip head id \
        install mkdir mktemp mv rm sed sha256sum stat tar wc; do ln -s \"$(command -v $tool)\" bin/; done";
    shell(&stage.dir, script);
    let alone = |more: &[&str]| {
        let (release, system) = (stage.dir.at("release"), stage.dir.at("system"));
        let fixed = ["--dir", &release, "--root", &system];
        run(Command::new(source("scripts/install.sh"))
            .args(fixed)
            .args(more)
            .env("PATH", stage.dir.at("bin")))
    };
    let refused = alone(&[]);
    assert_eq!(refused.code(), Some(69), "{}", refused.errors());
    assert!(refused.errors().contains("cosign is not here"), "{}", refused.errors());
    assert_eq!(stage.installed(), Vec::<String>::new());
    let told = alone(&["--no-signature"]).good().text();
    assert!(told.contains("the signature is not checked"), "{told}");
    assert_eq!(stage.installed(), with_config(&FILES));
}

#[test]
fn a_release_that_was_signed_with_a_key_is_taken_by_its_owners_public_key_only() {
    let stage = Stage::new();
    let key = stage.dir.write("mirror.pub", "a key");
    stage.refuses(&["--key", &key], 65, "checksums.txt is signed by who should have");
    stage.refuses(&["--key", &stage.dir.at("no.pub")], 69, "there is no key");
    stage.sign(&key);
    stage.install(&["--key", &key]).good();
    assert_eq!(stage.installed(), with_config(&FILES));
}

#[test]
fn an_archive_that_the_checksums_do_not_name_exactly_once_is_refused() {
    for change in ["sed -i s/lookout_/other_/", "sed -i p", "sed -i 's/^/\\\\/'", "sed -i 's/ .*/ & more/'"] {
        let stage = Stage::new();
        shell(&stage.dir, &format!("{change} release/checksums.txt"));
        stage.sign(&format!("{HOME}/.github/workflows/release.yml@refs/tags/v{VERSION}"));
        stage.refuses(&[], 65, "once; nothing was installed");
    }
}

#[test]
fn an_unknown_machine_is_refused() {
    for (system, machine, words) in
        [("Linux", "mips64", "no release for a mips64"), ("Darwin", "arm64", "no release for Darwin")]
    {
        let stage = Stage::new();
        let script = format!(
            "printf '#!/bin/sh\\n[ \"$1\" = -m ] && echo {machine} || echo {system}\\n' >bin/uname; chmod 0755 bin/uname"
        );
        shell(&stage.dir, &script);
        stage.refuses(&[], 69, words);
    }
}

#[test]
fn a_release_that_is_not_there_is_told() {
    let stage = Stage::new();
    stage.refuses(&["9.9.9"], 65, "checksums.txt is signed by who should have");
    stage.refuses(&["9.9.9", "--no-signature"], 69, "holds no lookout_9.9.9_linux_");
}

#[test]
fn uninstalling_keeps_what_was_configured_and_purging_does_not() {
    let stage = Stage::new();
    shell(
        &stage.dir,
        "mkdir -p system/run/systemd/system system/usr/local/share/zsh/site-functions; touch system/usr/local/share/zsh/site-functions/_other",
    );
    stage.install(&[]).good();
    let unit = stage.dir.read("system/etc/systemd/system/lookout.service");
    assert!(String::from_utf8_lossy(&unit).contains("\nExecStart=/usr/local/bin/lookout serve\n"));
    let told = stage.run(&["--uninstall"]).good().text();
    assert!(told.contains("/etc/lookout and /var/lib/lookout are kept"), "{told}");
    let other = "usr/local/share/zsh/site-functions/_other";
    assert_eq!(stage.installed(), with_config(&[other]));
    stage.run(&["--uninstall", "--purge"]).good();
    assert_eq!(stage.installed(), [other]);
    assert!(!Path::new(&stage.dir.at("system/etc/lookout")).exists());
    assert!(!Path::new(&stage.dir.at("system/usr/local/share/fish")).exists());
}

#[test]
fn arguments_that_are_not_understood_change_nothing() {
    let stage = Stage::new();
    for arguments in [
        &["--force"][..],
        &["--purge"],
        &["1.2"],
        &["../1.2.3"],
        &["1.2.3", "1.2.4"],
        &["--prefix", "opt"],
        &["--key"],
    ] {
        let ended = stage.run(arguments);
        assert_eq!(ended.code(), Some(64), "{arguments:?}: {}{}", ended.text(), ended.errors());
    }
    assert_eq!(stage.installed(), Vec::<String>::new());
}
