//! Which names are taken, and that none leads anywhere else or is an option.

use super::*;

#[test]
fn a_stack_has_the_name_of_a_project() {
    for good in ["a", "0", "web", "my-stack_2", "a-", "a_", &"a".repeat(63)] {
        assert_eq!(StackName::parse(good).unwrap().as_str(), good);
        assert_eq!(StackDir::from(&StackName::parse(good).unwrap()), StackDir::parse(good).unwrap());
    }
    for bad in [
        ".",
        "..",
        "-x",
        "_x",
        "A",
        "Web",
        "a.b",
        "a/b",
        "../a",
        "a b",
        " a",
        "a\n",
        "é",
        "$(id)",
        ";",
        "a\0",
        "--",
        &"a".repeat(64),
    ] {
        assert_eq!(StackName::parse(bad), Err(Invalid::StackName(bad.to_owned())), "{bad:?}");
    }
    assert_eq!(StackName::parse(""), Err(Invalid::NoStackName));
}

#[test]
fn a_stacks_directory_is_below_that_of_all_stacks() {
    for (good, segments) in [
        ("web", &["web"][..]),
        ("Team_A/web.prod/v-2", &["Team_A", "web.prod", "v-2"]),
        ("_/0/a.", &["_", "0", "a."]),
        ("1/2/3/4/5/6/7/8", &["1", "2", "3", "4", "5", "6", "7", "8"]),
    ] {
        let dir = StackDir::parse(good).unwrap();
        assert_eq!(dir.segments().collect::<Vec<_>>(), segments);
        assert_eq!(dir.to_string(), good);
    }
    for bad in [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/..",
        "../a",
        "a/../b",
        "./a",
        ".a",
        "a/.git",
        "-a",
        "a/-b",
        "a b",
        "a\\b",
        "a\0",
        "a\n",
        "é",
        "~",
        "$HOME",
        "1/2/3/4/5/6/7/8/9",
        &"a".repeat(65),
    ] {
        assert_eq!(StackDir::parse(bad), Err(Invalid::StackPath(bad.to_owned())), "{bad:?}");
    }
}

#[test]
fn no_services_name_is_an_option() {
    for good in ["a", "Web", "web-1", "a.b_c", "0", &"a".repeat(128)] {
        assert_eq!(ServiceName::parse(good).unwrap().as_str(), good);
    }
    for bad in [
        "",
        "-x",
        "--",
        "--volumes",
        "_a",
        ".a",
        "a b",
        "a/b",
        "a=b",
        "$(id)",
        ";",
        "a\n",
        "a\0",
        "é",
        &"a".repeat(129),
    ] {
        assert_eq!(ServiceName::parse(bad), Err(Invalid::Service(bad.to_owned())), "{bad:?}");
    }
}

#[test]
fn a_file_is_below_its_stack() {
    for (good, directories, name) in [
        ("compose.yaml", &[][..], "compose.yaml"),
        (".env", &[], ".env"),
        ("conf.d/nginx/default site.conf", &["conf.d", "nginx"], "default site.conf"),
        ("a/.b/..c", &["a", ".b"], "..c"),
        ("é/☃", &["é"], "☃"),
        ("a/b-", &["a"], "b-"),
    ] {
        let path = FilePath::parse(good).unwrap();
        assert_eq!(path.directories().collect::<Vec<_>>(), directories, "{good}");
        assert_eq!(path.name(), name);
        assert_eq!((path.as_str(), path.to_string().as_str()), (good, good));
    }
    let deepest = "d/".repeat(15) + "f";
    let longest = "n".repeat(255);
    for good in [&deepest, &longest] {
        assert!(FilePath::parse(good).is_ok());
    }
    let (too_deep, too_long) = (format!("d/{deepest}"), format!("{longest}n"));
    for bad in [
        "",
        "/",
        "/etc/passwd",
        ".",
        "..",
        "../x",
        "a/../b",
        "a/..",
        "./a",
        "a/./b",
        "a//b",
        "a/",
        "-f",
        "a/-f",
        "a\\b",
        "..\\a",
        "a\0b",
        "a\nb",
        "a\u{85}b",
        "\u{7f}",
        ".lookout-1",
        "a/.lookout-",
        &too_deep,
        &too_long,
    ] {
        assert_eq!(FilePath::parse(bad), Err(Invalid::FilePath(bad.to_owned())), "{bad:?}");
    }
}
