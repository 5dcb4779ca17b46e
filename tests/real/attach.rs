//! docker attach and docker start -ai: a stream joined to a container that is there already.

use crate::both_ways::both_ways;
use crate::docker::IMAGE;
use crate::wait::until;

#[test]
fn attach_joins_input_and_output_of_a_running_container() {
    both_ways(|side| {
        let name = side.name("attach");
        let asks = "read line; echo got $line; echo err >&2; exit 7";
        side.docker(&["run", "-d", "-i", "--name", &name, IMAGE, "sh", "-c", asks]).good();
        // The input stays open: at its end the Engine ends a later attachment's output too.
        let mut running = side.docker.start(&["attach", &name]);
        running.type_in("hello\n");
        running.until_it_says("got hello\n");
        let outcome = running.finish_by_itself();
        side.note(&["attach", &name], &outcome);
        assert_eq!(outcome.code(), Some(7));
        assert_eq!((outcome.text().as_str(), outcome.errors().as_str()), ("got hello\n", "err\n"));
    });
}

#[test]
fn start_with_attach_runs_a_created_container_to_its_end() {
    both_ways(|side| {
        let name = side.name("start");
        side.docker(&["create", "-i", "--name", &name, IMAGE, "sh", "-c", "sort; exit 9"]).good();
        let outcome = side.docker_with(&["start", "-a", "-i", &name], "b\na\n");
        assert_eq!((outcome.code(), outcome.text().as_str()), (Some(9), "a\nb\n"));
    });
}

#[test]
fn attach_without_input_leaves_the_container_alone() {
    both_ways(|side| {
        let name = side.name("listen");
        let ticks = "until [ -e /tmp/go ]; do echo tick; sleep 0.1; done; echo went; exit 2";
        side.docker(&["run", "-d", "--name", &name, IMAGE, "sh", "-c", ticks]).good();
        let mut running = side.docker.start(&["attach", "--no-stdin", &name]);
        running.until_it_says("tick");
        // How this ends is not told: the container may be gone before it.
        side.docker.run(&["exec", &name, "touch", "/tmp/go"]);
        let outcome = running.finish();
        assert_eq!(outcome.code(), Some(2), "{}", outcome.errors());
        assert!(outcome.text().ends_with("tick\nwent\n"), "{}", outcome.text());
    });
}

#[test]
fn attach_refuses_what_does_not_run_in_the_same_words() {
    both_ways(|side| {
        let name = side.name("ended");
        side.docker(&["run", "--name", &name, IMAGE, "true"]).good();
        assert_eq!(side.docker(&["attach", &name]).code(), Some(1));
        let unknown = side.docker(&["attach", &side.name("unknown")]);
        assert!(unknown.errors().contains("No such container"), "{}", unknown.errors());
    });
}

#[test]
fn two_clients_attached_to_one_container_hear_the_same() {
    both_ways(|side| {
        let name = side.name("two");
        let echoes = "while read line; do echo heard $line; test $line = last && break; done; echo end";
        side.docker(&["run", "-d", "-i", "--name", &name, IMAGE, "sh", "-c", echoes]).good();
        let mut first = side.docker.start(&["attach", &name]);
        let second = side.docker.start(&["attach", "--no-stdin", &name]);
        // Whoever is attached hears the echo; asking until both have heard needs no waiting.
        until("both hear", || {
            first.type_in("one\n");
            (first.so_far().contains("heard one") && second.so_far().contains("heard one")).then_some(())
        });
        first.type_in("last\n");
        let (first, second) = (first.finish_by_itself().good(), second.finish_by_itself().good());
        assert!(first.text().ends_with("heard last\nend\n"), "{}", first.text());
        assert!(second.text().ends_with("heard last\nend\n"), "{}", second.text());
    });
}
