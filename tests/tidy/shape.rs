//! What every Rust file looks like: short, named for what it holds, opened by its purpose, safe, honest.

use crate::source::{Kind, code, pieces};

const FILE_LINES_MAX: usize = 400;
const UNSAFE_SITES_MAX: usize = 53;
/// Where `unsafe` may stand: the room for system calls, and the load generator's one wait for many sockets, which
/// is no part of the product.
const UNSAFE_PLACES: &[&str] = &["src/sys/", "benches/proxy/readiness.rs"];
/// How far above an `unsafe` its argument may begin.
const SAFETY_LINES_MAX: usize = 6;
/// Names that say nothing about what is inside.
const VAGUE: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "stuff", "types", "manager"];

pub(crate) fn too_long(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > FILE_LINES_MAX).then(|| format!("{path}: {lines} lines, {FILE_LINES_MAX} at most"))
}

/// Vague names among the parts of the path and the modules written inside the file.
pub(crate) fn vague_names(path: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let modules = code.windows(2).filter(|pair| pair[0].is("mod")).map(|pair| pair[1].text.as_str());
    let parts = path.trim_end_matches(".rs").split('/');
    let vague = parts.chain(modules).filter(|name| VAGUE.contains(name));
    vague.map(|name| format!("{path}: {name} is a vague name")).collect()
}

pub(crate) fn no_purpose(path: &str, text: &str) -> Option<String> {
    let first = text.lines().next().unwrap_or_default();
    let says = first.strip_prefix("//! ").is_some_and(|purpose| purpose.split_whitespace().count() >= 3);
    (!says).then(|| format!("{path}: the first line does not say what the file is for"))
}

/// The word `unsafe` out of its places, and in them without its argument.
pub(crate) fn unsafe_unargued(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let argued = |line: usize| {
        let above = line.saturating_sub(1 + SAFETY_LINES_MAX)..line.saturating_sub(1);
        lines[above].iter().any(|line| line.trim_start().starts_with("// SAFETY: "))
    };
    let mut wrong = Vec::new();
    for word in code(text).iter().filter(|piece| piece.is("unsafe")) {
        if !UNSAFE_PLACES.iter().any(|place| path.starts_with(place)) {
            wrong.push(format!("{path}:{}: unsafe stands out of its places", word.line));
        } else if !argued(word.line) {
            wrong.push(format!("{path}:{}: no SAFETY argument stands right above", word.line));
        }
    }
    wrong
}

/// More places with `unsafe` in all files together than a reader can keep in mind.
pub(crate) fn unsafe_too_often<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Option<String> {
    let sites: usize =
        files.map(|(_, text)| code(text).iter().filter(|piece| piece.is("unsafe")).count()).sum();
    (sites > UNSAFE_SITES_MAX).then(|| format!("{sites} places with unsafe, {UNSAFE_SITES_MAX} at most"))
}

/// A shell, or the option that gives one a command, as a literal.
pub(crate) fn shells(path: &str, text: &str) -> Vec<String> {
    let shell = |text: &str| {
        let program = text.rsplit('/').next().unwrap_or_default();
        text == "-c" || ["sh", "bash", "dash", "ash", "zsh"].contains(&program) && !text.ends_with(".sh")
    };
    let literals = pieces(text).into_iter().filter(|piece| piece.kind == Kind::Literal && shell(&piece.text));
    literals.map(|piece| format!("{path}:{}: {:?} would start a shell", piece.line, piece.text)).collect()
}

/// Notes to oneself without a reason, code that is not there yet, and tests switched off without a word.
pub(crate) fn unargued_notes(path: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let all = pieces(text);
    for piece in &all {
        let note = ["TODO", "FIXME", "XXX", "HACK"].iter().find(|mark| has_word(&piece.text, mark));
        if let (Kind::Comment, Some(mark)) = (piece.kind, note)
            && !has_word(&piece.text, "because")
        {
            wrong.push(format!("{path}:{}: {mark} without a `because`", piece.line));
        }
    }
    for trio in all.windows(3) {
        let missing = (trio[0].is("todo") || trio[0].is("unimplemented")) && trio[1].is("!");
        let ignored = trio[0].is("[") && trio[1].is("ignore") && trio[2].is("]");
        if missing || ignored {
            wrong.push(format!(
                "{path}:{}: {} without a reason",
                trio[1].line,
                trio[0].text.clone() + &trio[1].text
            ));
        }
    }
    wrong
}

/// Decisions by what an error says instead of what it is, in anything but tests.
pub(crate) fn told_by_text(path: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let tests = code.windows(3).position(|trio| trio[0].is("cfg") && trio[1].is("(") && trio[2].is("test"));
    let end = if path.ends_with("/tests.rs") { 0 } else { tests.unwrap_or(code.len()) };
    let said = ["to_string", "description"];
    let looks = ["contains", "starts_with", "ends_with", "eq", "find", "as_str"];
    let by_text = code[..end].windows(5).filter(|five| {
        let words = said.iter().any(|word| five[0].is(word)) && five[1].is("(") && five[2].is(")");
        let looked_at = five[3].is(".") && looks.iter().any(|word| five[4].is(word));
        let compared = ["=", "!"].iter().any(|sign| five[3].is(sign)) && five[4].is("=");
        words && (looked_at || compared)
    });
    by_text.map(|five| format!("{path}:{}: something is told by its text", five[0].line)).collect()
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(|part| part == word)
}

#[test]
fn a_file_of_more_than_400_lines_is_found() {
    assert_eq!(too_long("src/a.rs", &"x\n".repeat(400)), None);
    assert!(too_long("src/a.rs", &"x\n".repeat(401)).is_some());
}

#[test]
fn a_vague_name_is_found_in_paths_and_modules() {
    assert_eq!(vague_names("src/http/utils.rs", "").len(), 1);
    assert_eq!(vague_names("src/common/head.rs", "").len(), 1);
    assert_eq!(vague_names("src/http/head.rs", "mod helpers { }").len(), 1);
    assert_eq!(vague_names("src/http/head.rs", "mod tests { } // mod misc {").len(), 0);
}

#[test]
fn a_file_without_its_purpose_is_found() {
    for text in [
        "",
        "use std::io;",
        "//!",
        "//! \n",
        "//! Head.",
        "\n//! The head of a request.",
        "/// Late and wrong.",
    ] {
        assert!(no_purpose("src/a.rs", text).is_some(), "{text:?}");
    }
    assert_eq!(no_purpose("src/a.rs", "//! The head of a request.\nuse std::io;"), None);
}

#[test]
fn unsafe_out_of_place_or_without_its_argument_is_found() {
    let plain = "fn f() { unsafe { g() } }";
    let argued = "// SAFETY: g has no conditions.\nlet x =\n    unsafe { g() };";
    let far = format!("// SAFETY: g has no conditions.\n{}unsafe {{ g() }}", "\n".repeat(SAFETY_LINES_MAX));
    assert_eq!(unsafe_unargued("src/http/head.rs", argued).len(), 1);
    assert_eq!(unsafe_unargued("tests/real/main.rs", argued).len(), 1);
    assert_eq!(unsafe_unargued("src/sys/poll.rs", plain).len(), 1);
    assert_eq!(unsafe_unargued("src/sys/poll.rs", &far).len(), 1);
    assert_eq!(unsafe_unargued("src/sys/poll.rs", argued).len(), 0);
    let words = "#![expect(unsafe_code, reason = \"unsafe\")] // unsafe";
    assert_eq!(unsafe_unargued("src/http/head.rs", words).len(), 0);
}

#[test]
fn one_unsafe_too_many_is_found() {
    let many = "unsafe {} ".repeat(UNSAFE_SITES_MAX);
    assert_eq!(unsafe_too_often([("src/sys/a.rs", many.as_str())].into_iter()), None);
    assert!(
        unsafe_too_often([("src/sys/a.rs", many.as_str()), ("src/sys/b.rs", "unsafe {}")].into_iter())
            .is_some()
    );
}

#[test]
fn a_shell_is_found() {
    for text in [
        r#"run("sh")"#,
        r#"run("/bin/sh")"#,
        r##"run(r#"bash"#)"##,
        r#"run(b"-c")"#,
        r#"run("/usr/bin/dash")"#,
    ] {
        assert_eq!(shells("src/a.rs", text).len(), 1, "{text}");
    }
    assert_eq!(shells("src/a.rs", r#"run("docker", "ssh", "push", "-C", "x.sh") // "sh""#).len(), 0);
}

#[test]
fn a_note_without_its_reason_is_found() {
    for text in
        ["// TODO", "// TODO: later", "/* FIXME */", "/// XXX", "fn f() { todo!() }", "#[ignore]\nfn f() {}"]
    {
        assert_eq!(unargued_notes("src/a.rs", text).len(), 1, "{text}");
    }
    for text in [
        "// TODO: use it once it is there, because today's kernel lacks it",
        "\"TODO\"",
        "#[ignore = \"why\"]",
    ] {
        assert_eq!(unargued_notes("src/a.rs", text).len(), 0, "{text}");
    }
}

#[test]
fn a_decision_by_text_is_found() {
    for text in [
        "if e.to_string().contains(\"reset\") {}",
        "e.to_string() == \"EOF\"",
        "match e.to_string().as_str() {}",
    ] {
        assert_eq!(told_by_text("src/a.rs", text).len(), 1, "{text}");
        assert_eq!(
            told_by_text("src/a.rs", &format!("#[cfg(test)] mod tests {{ {text} }}")).len(),
            0,
            "{text}"
        );
        assert_eq!(told_by_text("src/a/tests.rs", text).len(), 0, "{text}");
    }
    assert_eq!(told_by_text("src/a.rs", "let text = e.to_string(); e.kind() == Reset").len(), 0);
}
