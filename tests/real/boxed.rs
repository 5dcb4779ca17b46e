//! An image like the one that is shipped, of the program under test: nothing is fetched, and nothing but it is in there.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::docker::Docker;
use crate::folder::Folder;
use crate::process::run;
use crate::recipe::shipped;

/// The name under which the examples know the image.
pub(crate) const SHIPPED: &str = concat!("ghcr.io/OWNER/lookout:", env!("CARGO_PKG_VERSION"));

/// An example, with this image, and with a health that is asked for more often: nobody waits for the first time.
pub(crate) fn example(path: &str, image: &str) -> String {
    let text = fs::read_to_string(shipped(path)).expect("an example");
    assert!(
        text.contains(SHIPPED) && text.contains("interval: 30s"),
        "{path} changed its image or its health"
    );
    text.replace(SHIPPED, image).replace("interval: 30s", "interval: 1s")
}

/// Builds it, with the libraries that the program was linked against, as `tag`.
pub(crate) fn build(docker: &Docker, tag: &str, label: &str) {
    let (context, binary) = (Folder::new(), env!("CARGO_BIN_EXE_lookout"));
    let mut copies = String::new();
    for library in libraries(binary) {
        let below = format!("libraries{library}");
        let place = context.path().join(&below);
        fs::create_dir_all(place.parent().expect("a directory")).expect("a directory for it");
        fs::copy(&library, &place).expect("a library of this machine");
        copies += &format!("COPY {below} {library}\n");
    }
    // Without what only a debugger reads, which is nine tenths of it.
    run(Command::new("strip").args(["-o", &context.at("lookout"), binary])).good();
    // Edge mode wants authorities to believe, as the shipped image has them. Here nobody is: no controller is called.
    let authorities = context.at("authorities");
    run(Command::new(binary).env_clear().args(["cert", "--host", "nobody.example", "--out", &authorities]))
        .good();
    let readable = Permissions::from_mode(0o644);
    fs::set_permissions(context.at("authorities/cert.pem"), readable).expect("a file of ours");
    let text = format!(
        "FROM scratch\n{label}\n{copies}COPY lookout /lookout\n\
         COPY authorities/cert.pem /etc/ssl/certs/ca-certificates.crt\nUSER 65532:65532\nENTRYPOINT [\"/lookout\"]\n\
         STOPSIGNAL SIGTERM\nHEALTHCHECK --interval=1s --timeout=5s CMD [\"/lookout\", \"healthcheck\"]\n"
    );
    context.write("Dockerfile", text);
    let place = context.path().to_str().expect("a path in ASCII");
    docker.run(&["build", "--quiet", "--network", "none", "--tag", tag, place]).good();
}

/// What the loader brings to it, by the paths under which the loader looks for it.
fn libraries(binary: &str) -> Vec<String> {
    let told = run(Command::new("ldd").arg(binary));
    // A static program has none, and ldd says so by its status.
    let text = told.text();
    let words = text.split_whitespace().filter(|word| word.starts_with('/'));
    words.filter(|word| Path::new(word).exists()).map(str::to_owned).collect()
}
