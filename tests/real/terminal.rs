//! Containers with a terminal: what is typed, how large it is, and how one leaves it.

use std::fs;
use std::process::Command;

use crate::agent::Agent;
use crate::docker::{Docker, IMAGE};
use crate::edge_agent::Edge;
use crate::edge_welcome::Mode;
use crate::folder::Folder;
use crate::process::{Running, run};
use crate::scene::Scene;
use crate::wait::until;

/// A docker command in a terminal of its own, of 20 rows and 61 columns.
struct Terminal {
    running: Running,
    folder: Folder,
}

impl Terminal {
    fn open(docker: &Docker, arguments: &str) -> Self {
        let folder = Folder::new();
        let docker = docker.shell_words();
        let line = format!("tty > {}; stty rows 20 cols 61; exec {docker} {arguments}", folder.at("tty"));
        let mut script = Command::new("script");
        script.env("SHELL", "/bin/sh").args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        Self { running: Running::start(&mut script), folder }
    }

    /// Gives the terminal another size, which the kernel tells whoever runs in it.
    fn resize(&self, rows: &str, columns: &str) {
        let name = fs::read_to_string(self.folder.at("tty")).expect("the shell wrote its terminal's name");
        run(Command::new("stty").args(["-F", name.trim(), "rows", rows, "cols", columns])).good();
    }

    /// Asks the program inside for its size until it is the one expected.
    fn until_its_size_is(&mut self, size: &str) {
        let seen = self.running.so_far().len();
        until(&format!("the terminal is {size}"), || {
            self.running.type_in("\n");
            self.running.so_far().get(seen..).is_some_and(|new| new.contains(size)).then_some(())
        });
    }
}

/// Every way there is to the Engine, each with a scene of its own.
fn each_way(test: impl Fn(&Docker, &Scene)) {
    let straight = Docker::straight();
    let (agent, edge) = (Agent::start(), Edge::with(Mode::Binary, &[]));
    for docker in [straight.clone(), agent.docker(), edge.docker()] {
        test(&docker, &Scene::new(&straight));
    }
}

/// Says the size of its terminal for every line typed.
const SAYS_ITS_SIZE: &str = r#"sh -c "stty -echo; echo ready; while read line; do stty size; done; exit 8""#;

#[test]
fn run_gives_a_terminal_its_size_and_every_new_one() {
    each_way(|docker, scene| {
        let name = scene.name("tty");
        let mut terminal = Terminal::open(docker, &format!("run -it --name {name} {IMAGE} {SAYS_ITS_SIZE}"));
        terminal.running.until_it_says("ready\r\n");
        terminal.until_its_size_is("20 61\r\n");
        terminal.resize("33", "99");
        terminal.until_its_size_is("33 99\r\n");
        terminal.resize("44", "120");
        terminal.until_its_size_is("44 120\r\n");
        // What a person types to end the input.
        terminal.running.type_in("\x04");
        assert_eq!(terminal.running.finish_by_itself().code(), Some(8));
    });
}

#[test]
fn exec_gives_a_terminal_its_size_and_every_new_one() {
    each_way(|docker, scene| {
        let name = scene.name("host");
        docker.run(&["run", "-d", "--name", &name, IMAGE, "sleep", "1000"]).good();
        let mut terminal = Terminal::open(docker, &format!("exec -it {name} {SAYS_ITS_SIZE}"));
        terminal.running.until_it_says("ready\r\n");
        terminal.until_its_size_is("20 61\r\n");
        terminal.resize("10", "200");
        terminal.until_its_size_is("10 200\r\n");
        terminal.running.type_in("\x04");
        assert_eq!(terminal.running.finish_by_itself().code(), Some(8));
    });
}

#[test]
fn a_shell_answers_what_is_typed_into_it() {
    each_way(|docker, scene| {
        let name = scene.name("shell");
        let mut terminal = Terminal::open(docker, &format!("run -it --rm --name {name} {IMAGE} sh"));
        terminal.running.until_it_says("# ");
        terminal.running.type_in("echo $((6 * 7))\n");
        terminal.running.until_it_says("42\r\n");
        // An interrupt is a byte on its way in and a signal only inside.
        terminal.running.type_in("sleep 1000; echo over $?\n");
        until("the sleeper sleeps", || {
            docker.run(&["top", &name]).text().contains("sleep 1000").then_some(())
        });
        terminal.running.type_in("\x03");
        terminal.running.type_in("exit 11\n");
        assert_eq!(terminal.running.finish_by_itself().code(), Some(11));
    });
}

#[test]
fn attach_gives_a_terminal_to_a_container_that_has_run_without_one_in_sight() {
    each_way(|docker, scene| {
        let name = scene.name("joined");
        let says = "stty -echo; while read line; do stty size; done; exit 8";
        docker.run(&["run", "-d", "-it", "--name", &name, IMAGE, "sh", "-c", says]).good();
        let mut terminal = Terminal::open(docker, &format!("attach {name}"));
        terminal.until_its_size_is("20 61\r\n");
        terminal.resize("5", "50");
        terminal.until_its_size_is("5 50\r\n");
        terminal.running.type_in("\x04");
        assert_eq!(terminal.running.finish_by_itself().code(), Some(8));
    });
}
