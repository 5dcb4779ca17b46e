//! `lookout policy suggest`: what it reads from a trail is enough for what was done, and for nothing else.
use crate::agent::run;
use crate::audit_trail::Sink;
use crate::world::World;

const DONE: [&str; 4] = [
    "GET /v1.41/containers/json",
    "GET /v1.41/containers/web/logs",
    "POST /v1.41/containers/web/kill",
    "GET /info",
];

#[test]
fn the_classes_that_are_suggested_allow_what_was_done_and_no_more() {
    let sink = Sink::new();
    let world = World::with(&["", r#"allow="logs""#], &sink.with(&[]), Box::new(|_| None));
    for line in DONE {
        assert_eq!(world.ask(1, line, "").status(), 200, "{line}");
    }
    assert_eq!(world.ask(2, "POST /v1.41/containers/web/exec", "{}").status(), 403);
    world.finish();
    let told = run(&["policy", "suggest", sink.log()], &[]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    let blocks: Vec<_> = told.stdout.trim_end().split("\n\n").collect();
    let (first, second): (Vec<&str>, Vec<&str>) =
        blocks.into_iter().partition(|block| block.contains("allow="));
    assert!(second[0].contains("nothing was allowed") && second[0].contains("exec 1"), "{}", told.stdout);
    let least = first[0].lines().find_map(|line| line.trim_start().strip_prefix("least    ")).unwrap();
    assert_eq!(least, r#"allow="view,logs,power""#);
    let world = World::new(&[least]);
    for line in DONE {
        assert_eq!(world.ask(1, line, "").status(), 200, "{line}");
    }
    assert_eq!(world.ask(1, "DELETE /v1.41/containers/web", "").status(), 403);
}

#[test]
fn a_trail_that_is_not_there_or_tells_of_nothing_is_said_to() {
    let sink = Sink::new();
    let absent = run(&["policy", "suggest", sink.log()], &[]);
    assert_eq!(absent.code, Some(1));
    assert!(absent.stderr.contains("lookout policy: ") && absent.stderr.contains("cannot be read"));
    std::fs::write(sink.log(), "").unwrap();
    let empty = run(&["policy", "suggest", sink.log()], &[]);
    assert_eq!(
        (empty.code, empty.stderr.as_str()),
        (Some(0), "lookout policy: no record tells of a class\n")
    );
}
