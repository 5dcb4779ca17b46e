//! Where stacks lie and runs take place: what is taken, what is refused, what is warned about.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// A directory of a test's own, with one for stacks and one for runs in it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let place = Self(std::env::temp_dir().join(format!("lo-{}-{name}", std::process::id())));
        let _ = fs::remove_dir_all(&place.0);
        place.dir("stacks", 0o750);
        place.dir("run", 0o700);
        place
    }

    fn dir(&self, name: &str, mode: u32) -> String {
        let dir = self.0.join(name);
        fs::create_dir_all(&dir).unwrap();
        fs::set_permissions(&dir, Permissions::from_mode(mode)).unwrap();
        self.path(name)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// What is read with these beside the two directories, and every problem and warning.
    fn read(&self, more: &[(&str, &str)]) -> (Option<Wish>, Vec<String>, Vec<String>) {
        let mut values = vec![("STACKS_DIR", self.path("stacks")), ("RUNTIME_DIR", self.path("run"))];
        values.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        let mut values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        values.extend_from_slice(more);
        read_of(&values)
    }

    fn problem(&self, more: &[(&str, &str)]) -> String {
        let (settings, problems, _) = self.read(more);
        assert!(settings.is_none(), "{more:?} was taken");
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        problem.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read_of(values: &[(&str, &str)]) -> (Option<Wish>, Vec<String>, Vec<String>) {
    let mut findings = Findings::default();
    let settings = read(&Environment::of(values), &mut findings);
    assert_eq!(settings.is_some(), findings.problems.is_empty());
    let problems = findings.problems.iter().map(ToString::to_string).collect();
    (settings, problems, findings.warnings.iter().map(ToString::to_string).collect())
}

/// Of where it is on.
fn on(wish: Option<Wish>) -> Settings {
    match wish {
        Some(Wish::On(settings)) => settings,
        Some(Wish::Off(named)) => panic!("{} was taken for none", named.display()),
        None => panic!("there were problems"),
    }
}

#[test]
fn a_directory_for_stacks_switches_it_on() {
    let place = Place::new("on");
    let (settings, _, warnings) = place.read(&[("COMPOSE_TIMEOUT", "90")]);
    let settings = on(settings);
    assert_eq!((settings.stacks, settings.runtime), (place.0.join("stacks"), place.0.join("run")));
    assert_eq!((settings.limit, settings.proxies, warnings), (Duration::from_secs(90), vec![], vec![]));
    let usual = on(place.read(&[]).0);
    assert_eq!((usual.limit, usual.home), (Duration::from_secs(1800), None));
    // One that depends on where the agent was started is nowhere to look for programs.
    for (home, looked_at) in [("/home/x", Some(PathBuf::from("/home/x"))), ("x", None)] {
        assert_eq!(on(place.read(&[("HOME", home)]).0).home, looked_at);
    }
    let link = place.path("link");
    symlink(place.path("stacks"), &link).unwrap();
    let linked = on(place.read(&[("STACKS_DIR", &link)]).0);
    assert_eq!(linked.stacks, PathBuf::from(link));
}

#[test]
fn a_directory_that_was_named_and_is_none_ends_the_start() {
    let place = Place::new("named");
    fs::write(place.path("file"), "").unwrap();
    let cases = [
        (
            place.path("absent"),
            "\" cannot be looked at: ",
            "; make the directory, or mount it, or unset STACKS_DIR",
        ),
        (place.path("file"), "\" is no directory", "; make the directory, or mount it, or unset STACKS_DIR"),
        ("stacks".to_owned(), "\"stacks\" depends on where the agent was started", "; name it from / on"),
        ("/".to_owned(), "\"/\" is the root", "; name a directory that holds nothing else"),
        ("/tmp/..".to_owned(), "\"/tmp/..\" is the root", "; name a directory that holds nothing else"),
        ("/a\nb".to_owned(), "control characters", "; put the text into a file and name that"),
    ];
    for (path, what, remedy) in cases {
        let problem = place.problem(&[("STACKS_DIR", &path)]);
        let is_told = problem.starts_with("STACKS_DIR: ") && problem.contains(what);
        assert!(is_told && problem.ends_with(remedy), "{problem}");
    }
}

#[test]
fn without_the_usual_directory_it_is_off_and_what_is_set_for_it_does_nothing() {
    if Path::new(STACKS_DIR.default_value()).exists() {
        // Whoever has it there has compose on, and nothing to see here.
        assert!(matches!(stacks(&Environment::of(&[])), Ok(Stacks::On(_))));
        return;
    }
    let (settings, _, warnings) = read_of(&[]);
    assert!(matches!(settings, Some(Wish::Off(named)) if named == Path::new("/data/stacks")));
    assert!(warnings.is_empty() && RUNTIME_DIR.default_value() == "/tmp");
    let (settings, _, warnings) = read_of(&[("COMPOSE_TIMEOUT", "5"), ("RUNTIME_DIR", "/no/such")]);
    assert!(matches!(settings, Some(Wish::Off(_))));
    assert_eq!(
        warnings,
        ["COMPOSE_TIMEOUT", "RUNTIME_DIR"]
            .map(|name| { format!("{name}: compose is off, as \"/data/stacks\" is no directory; unset it") })
    );
}

#[test]
fn a_time_that_is_none_is_refused_whether_it_is_on_or_off() {
    for bad in ["0", "86401", "1.5", "-1", "30s"] {
        let (_, problems, _) = read_of(&[("COMPOSE_TIMEOUT", bad)]);
        assert!(problems.len() == 1 && problems[0].starts_with("COMPOSE_TIMEOUT: "), "{problems:?}");
    }
    let place = Place::new("time");
    assert_eq!(on(place.read(&[("COMPOSE_TIMEOUT", "86400")]).0).limit, Duration::from_secs(86_400));
}

#[test]
fn a_directory_that_others_may_change_is_refused_and_one_of_a_group_is_warned_about() {
    let place = Place::new("loose");
    for name in ["stacks", "run"] {
        let variable = if name == "stacks" { "STACKS_DIR" } else { "RUNTIME_DIR" };
        for mode in [0o777, 0o757, 0o702] {
            place.dir(name, mode);
            let problem = place.problem(&[]);
            let what = format!("can be changed by others (mode {mode:04o}); chmod go-w it");
            assert!(problem.starts_with(&format!("{variable}: ")) && problem.ends_with(&what), "{problem}");
        }
        place.dir(name, 0o770);
        let (settings, _, warnings) = place.read(&[]);
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(settings.is_some() && warning.starts_with(variable), "{warning}");
        assert!(warning.contains("can be changed by its group ") && warning.ends_with("; chmod g-w it"));
        place.dir(name, 0o750);
    }
    // The sticky bit helps whoever makes a directory there, not whoever shares one.
    place.dir("run", 0o1777);
    assert_eq!(place.read(&[]).2, Vec::<String>::new());
    place.dir("stacks", 0o1777);
    assert!(place.problem(&[]).starts_with("STACKS_DIR: "));
}

#[test]
fn a_place_for_runs_is_there_and_short_enough_for_a_socket() {
    let place = Place::new("runs");
    let long = format!("/{}", "r".repeat(RUNTIME_DIR_BYTES_MAX));
    let fits = format!("/{}", "r".repeat(RUNTIME_DIR_BYTES_MAX - 1));
    for (path, what) in [
        (long.as_str(), "is too long for the path of a socket to stand below it"),
        (&fits, "cannot be looked at"),
        ("run", "depends on where the agent was started"),
        ("/dev/null", "is no directory"),
    ] {
        let problem = place.problem(&[("RUNTIME_DIR", path)]);
        assert!(problem.starts_with("RUNTIME_DIR: ") && problem.contains(what), "{problem}");
    }
}

#[test]
fn nothing_that_the_agent_lives_by_lies_among_the_stacks() {
    let place = Place::new("ours");
    symlink(place.path("stacks"), place.path("link")).unwrap();
    symlink("/dev/null", place.path("stacks/leads-out")).unwrap();
    let inside = place.dir("stacks/inside", 0o700);
    for (name, value) in [
        ("RUNTIME_DIR", inside.clone()),
        ("HOME", inside),
        ("TOKEN_FILE", place.path("stacks/token")),
        ("AUTHORIZED_KEYS", place.path("link/inside/../keys")),
        ("TLS_KEY", place.path("stacks/leads-out")),
        ("AUDIT_LOG", place.path("link/audit.jsonl")),
        ("DOCKER_HOST", format!("unix://{}", place.path("stacks/docker.sock"))),
    ] {
        let problem = place.problem(&[(name, &value)]);
        let told = format!("STACKS_DIR, {name}: {name} lies where callers of compose read and write; ");
        assert!(problem.starts_with(&told), "{problem}");
    }
    let (_, problems, _) = place.read(&[("STACKS_DIR", "/run")]);
    let told = problems.concat();
    assert!(told.contains("/run/docker.sock lies where callers of compose read and write"), "{told}");
    let beside = place.path("stacks-token");
    assert!(place.read(&[("TOKEN_FILE", &beside)]).0.is_some());
}

#[test]
fn a_proxy_goes_along_under_both_names_unless_a_user_stands_in_it() {
    let place = Place::new("proxies");
    let values = [
        ("http_proxy", "http://10.0.0.1:3128"),
        ("HTTPS_PROXY", "http://me:hunter2@10.0.0.1:3128"),
        ("NO_PROXY", "localhost,.internal"),
        ("ALL_PROXY", "socks5://10.0.0.2"),
    ];
    let (settings, _, warnings) = place.read(&values);
    let proxies = on(settings).proxies;
    let told: Vec<_> = proxies.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        told,
        [
            ("HTTP_PROXY", "http://10.0.0.1:3128"),
            ("http_proxy", "http://10.0.0.1:3128"),
            ("NO_PROXY", "localhost,.internal"),
            ("no_proxy", "localhost,.internal"),
        ]
    );
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(warning.starts_with("HTTPS_PROXY: a user stands in it") && !warning.contains("hunter2"));
}

#[test]
fn what_is_not_text_is_a_problem_of_its_variable() {
    let place = Place::new("bytes");
    let stacks = place.path("stacks");
    for name in ["STACKS_DIR", "RUNTIME_DIR", "COMPOSE_TIMEOUT", "HTTP_PROXY"] {
        let values = [("STACKS_DIR", stacks.as_str())];
        let values = if name == "STACKS_DIR" { &[][..] } else { &values };
        let mut findings = Findings::default();
        assert!(read(&Environment::with_bytes(values, name), &mut findings).is_none(), "{name}");
        let problem = findings.problems[0].to_string();
        assert_eq!(problem, format!("{name}: its value is not UTF-8 text; set it anew, or unset it"));
    }
}
