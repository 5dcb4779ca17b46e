//! Hosts and directories that belong to one machine, in any file that is handed on.

/// Package registries: what a build asks is the builder's choice, and no file of ours makes it.
const HOSTS: &[&str] = &[
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("yarnpkg", ".com"),
    concat!("rubygems", ".org"),
    concat!("proxy.golang", ".org"),
    concat!("deb.debian", ".org"),
    concat!("archive.ubuntu", ".com"),
];

/// Directories that exist on the machine where somebody wrote a line, and nowhere else.
const MACHINE: &[&str] =
    &[concat!("/wor", "k/"), concat!("/roo", "t/"), concat!("/far", "m/"), concat!("/Use", "rs/")];

/// Files a tool writes, in which it names its registry.
const WRITTEN_BY_CARGO: &[&str] = &["Cargo.lock", "fuzz/Cargo.lock"];

pub(crate) fn registry_hosts(path: &str, text: &str) -> Vec<String> {
    if WRITTEN_BY_CARGO.contains(&path) {
        return Vec::new();
    }
    found(path, text, |line| HOSTS.iter().find(|host| line.contains(*host)).copied())
}

pub(crate) fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let alone = |line: &str, place: &str| {
        line.match_indices(place).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            before.is_none_or(|sign| !sign.is_alphanumeric() && !"_.-}".contains(sign))
        })
    };
    found(path, text, |line| MACHINE.iter().find(|place| alone(line, place)).copied())
}

fn found<'a>(path: &str, text: &str, find: impl Fn(&str) -> Option<&'a str>) -> Vec<String> {
    let lines = text.lines().enumerate();
    let hits = lines.filter_map(|(number, line)| Some((number + 1, find(line)?)));
    hits.map(|(number, what)| format!("{path}:{number}: {what} has no place here")).collect()
}

#[test]
fn a_registry_host_is_found() {
    for host in HOSTS {
        assert_eq!(registry_hosts("README.md", &format!("\nsee https://{host}/x\n")).len(), 1, "{host}");
    }
    assert_eq!(registry_hosts("README.md", "apt-get install docker.io").len(), 0);
}

#[test]
fn a_path_of_one_machine_is_found() {
    for place in MACHINE {
        assert_eq!(machine_paths("README.md", &format!("\ncd \"{place}x\"\n")).len(), 1, "{place}");
    }
    let below = format!("see docs{0}x and ${{dir}}{0}x, {1}", MACHINE[0], "/var/run/docker.sock");
    assert_eq!(machine_paths("README.md", &below).len(), 0);
}
