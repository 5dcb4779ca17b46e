//! The ledger of requirements: each id once, and each row names tests that exist or says why it is open.

use crate::source::code;

/// The families of requirements: prefix, last number, and whether numbers are written with two digits.
const FAMILIES: &[(&str, usize, bool)] = &[
    ("A-", 22, true),
    ("P-", 14, true),
    ("S-", 6, true),
    ("E-", 17, true),
    ("C-", 8, true),
    ("M-", 5, true),
    ("U-", 5, true),
    ("O-", 5, true),
    ("F-", 6, true),
    ("K-", 12, true),
    ("R", 35, false),
    ("a", 15, false),
    ("b", 14, false),
];

/// Fewer words than this are no statement and no reason.
const WORDS_MIN: usize = 3;

/// What is wrong with the ledger; `read` gives the text of a file of the repository.
pub(crate) fn wrong_rows(ledger: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut missing: Vec<String> = ids();
    for (number, line) in ledger.lines().enumerate() {
        let Some(cells) = row(line) else { continue };
        let place = format!("line {}", number + 1);
        let [id, statement, proof] = cells.as_slice() else {
            wrong.push(format!("{place}: a row has three cells: {line}"));
            continue;
        };
        if ["id", "---"].contains(id) {
            continue;
        }
        match missing.iter().position(|known| known == id) {
            Some(at) => drop(missing.remove(at)),
            None => wrong.push(format!("{place}: {id} is no id, or stands here twice")),
        }
        if words(statement) < WORDS_MIN {
            wrong.push(format!("{place}: {id} says nothing"));
        }
        wrong.extend(wrong_proof(proof, &read).into_iter().map(|why| format!("{place}: {id}: {why}")));
    }
    wrong.extend(missing.into_iter().map(|id| format!("{id} has no row")));
    wrong
}

fn ids() -> Vec<String> {
    let id =
        |prefix, number, two| if two { format!("{prefix}{number:02}") } else { format!("{prefix}{number}") };
    let families = FAMILIES.iter().copied();
    families.flat_map(|(prefix, last, two)| (1..=last).map(move |number| id(prefix, number, two))).collect()
}

/// The cells of a table's row; a line of dashes gives `---`.
fn row(line: &str) -> Option<Vec<&str>> {
    let inside = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inside.split('|').map(str::trim).collect())
}

fn words(text: &str) -> usize {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).count()
}

/// A proof is `open — why`, or tests as `` `path.rs::name` ``, separated by commas.
fn wrong_proof(proof: &str, read: &impl Fn(&str) -> Option<String>) -> Vec<String> {
    if let Some(why) = proof.strip_prefix("open") {
        let said = why.strip_prefix(" — ").is_some_and(|why| words(why) >= WORDS_MIN);
        return if said { Vec::new() } else { vec!["open, and no reason".to_owned()] };
    }
    let mut wrong = Vec::new();
    for test in proof.split(',').map(str::trim) {
        let named = test.strip_prefix('`').and_then(|test| test.strip_suffix('`')?.split_once("::"));
        match named {
            None => wrong.push(format!("{test:?} is no `path.rs::name`")),
            Some((path, name)) => match read(path) {
                None => wrong.push(format!("there is no file {path}")),
                Some(text) if !has_test(&text, name) => wrong.push(format!("{path} has no test {name}")),
                Some(_) => {}
            },
        }
    }
    wrong
}

/// Tests that a document names, as `` `path.rs::name` ``, and that are not there.
pub(crate) fn unknown_tests(path: &str, text: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let named = quoted.filter_map(|quote| quote.split_once(".rs::"));
    let unknown =
        named.filter(|(file, name)| read(&format!("{file}.rs")).is_none_or(|code| !has_test(&code, name)));
    unknown.map(|(file, name)| format!("{path}: there is no test {file}.rs::{name}")).collect()
}

/// Whether the text holds a function of this name which the harness runs.
fn has_test(text: &str, name: &str) -> bool {
    let code = code(text);
    let is = |at: usize, text: &str| code.get(at).is_some_and(|piece| piece.is(text));
    let ends = (0..code.len()).filter(|&at| is(at, "fn") && is(at + 1, name));
    ends.into_iter().any(|end| {
        // Back to what ends the item before; then an attribute among what lies between.
        let start =
            (0..end).rev().find(|&at| is(at, ";") || is(at, "}") || is(at, "{")).map_or(0, |at| at + 1);
        let has = |word: &str| (start..end).any(|at| is(at, "[") && is(at + 1, word));
        has("test") && !has("ignore")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "fn a() {}\n#[test]\n#[cfg(unix)]\nfn b() {}\nfn c() {}\n#[test]\n#[ignore = \"why\"]\nfn d() {}\n// #[test] fn e() {}";

    fn read(path: &str) -> Option<String> {
        (path == "src/x.rs").then(|| CODE.to_owned())
    }

    fn ledger(proof: &str) -> String {
        let rows = ids().into_iter().map(|id| format!("| {id} | What must be true. | {proof} |\n"));
        ["| id | requirement | proof |\n| --- | --- | --- |\n".to_owned()].into_iter().chain(rows).collect()
    }

    #[test]
    fn a_full_ledger_is_left_alone() {
        for proof in ["open — waits for edge mode", "`src/x.rs::b`", "`src/x.rs::b`, `src/x.rs::b`"] {
            assert_eq!(wrong_rows(&ledger(proof), read), Vec::<String>::new());
        }
        assert_eq!(ids().len(), 164);
    }

    #[test]
    fn a_row_that_proves_nothing_is_found() {
        for proof in ["open", "open — later", "done", "", "src/x.rs::b", "`src/x.rs::a`", "`src/x.rs::c`"] {
            assert_eq!(wrong_rows(&ledger(proof), read).len(), ids().len(), "{proof}");
        }
        for proof in ["`src/x.rs::d`", "`src/x.rs::e`", "`src/y.rs::b`", "`src/x.rs::b`, `src/x.rs::a`"] {
            assert_eq!(wrong_rows(&ledger(proof), read).len(), ids().len(), "{proof}");
        }
    }

    #[test]
    fn an_id_that_is_missing_twice_there_or_unknown_is_found() {
        let full = ledger("open — waits for edge mode");
        let without: String =
            full.lines().filter(|line| !line.contains("| P-03 |")).collect::<Vec<_>>().join("\n");
        assert_eq!(wrong_rows(&without, read), ["P-03 has no row"]);
        assert_eq!(wrong_rows(&full.replace("| P-03 |", "| P-04 |"), read).len(), 2);
        assert_eq!(wrong_rows(&full.replace("| P-03 |", "| P-3 |"), read).len(), 2);
        assert_eq!(wrong_rows(&full.replace("| P-03 | What must be true. |", "| P-03 | - |"), read).len(), 1);
        assert_eq!(wrong_rows(&full.replace("| P-03 | What must", "| P-03 | What | must"), read).len(), 2);
    }

    #[test]
    fn a_document_that_names_a_test_that_is_not_there_is_found() {
        let unknown = |text: &str| unknown_tests("SECURITY.md", text, read).len();
        for text in ["see `src/x.rs::a`", "`src/y.rs::b`", "`a` and `src/x.rs::b` and `src/x.rs::c`"] {
            assert_eq!(unknown(text), 1, "{text}");
        }
        assert_eq!(unknown("`src/x.rs::b`, src/x.rs::a, `src/x.rs`"), 0);
    }
}
