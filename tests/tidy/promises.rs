//! What documents may promise: no more than can be shown, within times that are written down, of the version there is.

/// Words that promise what nobody can show of this program.
const NEVER: &[&str] = &[
    "compliant",
    "certified",
    "zero vulnerabilities",
    "no vulnerabilities",
    "vulnerability-free",
    "unhackable",
    "bulletproof",
    "military-grade",
    "military grade",
    "100% secure",
    "completely secure",
    "guaranteed secure",
];

/// Promises in one document that nobody could keep.
pub(crate) fn too_much(path: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.to_lowercase();
        let found = NEVER.iter().filter(|word| line.contains(**word));
        wrong.extend(found.map(|word| format!("{path}:{}: nobody can promise \"{word}\"", number + 1)));
    }
    wrong
}

/// What is missing in the document that says how holes are reported, what is tried, and what is not stopped.
pub(crate) fn missing_of_security(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let reporting = section(text, "## Reporting");
    if !["privately", "*Report a vulnerability*"].iter().all(|word| reporting.contains(word)) {
        wrong.push("it does not say how a hole is reported in private".to_owned());
    }
    for (promise, days_max) in
        [("an answer by a person", 2), ("a first judgement", 10), ("news", 14), ("a fix", 30)]
    {
        let row =
            reporting.lines().find(|line| line.starts_with(&format!("| {promise}"))).unwrap_or_default();
        let within = row.split('|').nth(2).unwrap_or_default();
        let days = within.split_whitespace().find_map(|word| word.parse::<u32>().ok());
        if !days.is_some_and(|days| days <= days_max && within.contains("day")) {
            wrong.push(format!("\"{promise}\" is not promised within {days_max} days"));
        }
    }
    let boundaries: Vec<&str> =
        text.lines().filter(|line| line.starts_with("### ") && line.contains('→')).collect();
    if boundaries.len() < 6 {
        wrong.push(format!("it knows {} boundaries of six", boundaries.len()));
    }
    for boundary in boundaries {
        let rows =
            section(text, boundary).lines().filter(|line| line.starts_with("| ")).skip(2).collect::<Vec<_>>();
        if rows.len() < 3 {
            wrong.push(format!("{boundary} has no three rows"));
        }
        let bare = rows.iter().filter(|row| !row.contains(".rs::"));
        wrong.extend(bare.map(|row| format!("{boundary}: no test shows this: {row}")));
    }
    for words in ["## What is not stopped", "No software is free of"] {
        if !text.contains(words) {
            wrong.push(format!("it does not say \"{words}\""));
        }
    }
    wrong
}

/// A section's text, up to the next heading of any rank.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("{heading}\n")).unwrap_or_default();
    rest.find("\n#").map_or(rest, |end| &rest[..end])
}

/// Versions of ours that are not this one, in examples and in what programs are shown to say.
pub(crate) fn other_versions(path: &str, text: &str, ours: &str) -> Vec<String> {
    let marks = ["/lookout:", "\"version\":\"", "\"agentVersion\":\""];
    let mut wrong = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for mark in marks {
            for (at, _) in line.match_indices(mark) {
                let rest = &line[at + mark.len()..];
                let end = rest.find(|sign: char| !sign.is_ascii_alphanumeric() && !".-".contains(sign));
                let version = rest[..end.unwrap_or(rest.len())].trim_end_matches('.');
                // The image that runs stacks has a tag of its own.
                let version = version.strip_suffix("-compose").unwrap_or(version);
                if version.starts_with(|sign: char| sign.is_ascii_digit()) && version != ours {
                    wrong.push(format!("{path}:{}: this is {ours}, not {version}", number + 1));
                }
            }
        }
    }
    wrong
}

/// Published flaws that a file cites and that the table of them does not have.
pub(crate) fn not_looked_up(path: &str, text: &str, table: &str) -> Vec<String> {
    let mark = concat!("CVE", "-2");
    let mut wrong = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for (at, _) in line.match_indices(mark) {
            let rest = &line[at..];
            let end = rest[mark.len()..].find(|sign: char| !sign.is_ascii_digit() && sign != '-');
            let cited = &rest[..end.map_or(rest.len(), |end| end + mark.len())];
            if !table.contains(&format!("| {cited} |")) {
                wrong.push(format!("{path}:{}: {cited} is not in docs/security-model.md", number + 1));
            }
        }
    }
    wrong
}

#[test]
fn a_flaw_that_nobody_looked_up_is_found() {
    let cited = concat!("(CVE", "-2020-12345)");
    assert_eq!(not_looked_up("x.md", cited, "").len(), 1);
    assert_eq!(not_looked_up("x.md", cited, &format!("| {} | x |", cited.trim_matches(['(', ')']))).len(), 0);
    assert_eq!(
        not_looked_up("x.md", cited, &format!("| {}6 | x |", cited.trim_matches(['(', ')']))).len(),
        1
    );
}

#[test]
fn a_promise_that_nobody_can_keep_is_found() {
    for word in NEVER {
        assert_eq!(too_much("README.md", &format!("It is {}.", word.to_uppercase())).len(), 1, "{word}");
    }
    assert_eq!(too_much("README.md", "A certificate is aligned with nothing.").len(), 0);
}

#[test]
fn a_document_on_security_that_leaves_something_out_is_found() {
    let good = std::fs::read_to_string(crate::tree::root().join("SECURITY.md")).unwrap();
    assert_eq!(missing_of_security(&good), Vec::<String>::new());
    for (from, to) in [
        ("privately", "in public"),
        ("| 2 working days |", "| soon |"),
        ("### Stranger →", "### Stranger and"),
        ("## What is not stopped", "## What is stopped"),
        ("`tests/integration/proxy.rs::a_redirect_is_relayed_not_followed`", "believe us"),
    ] {
        assert!(good.contains(from), "{from}");
        assert_eq!(missing_of_security(&good.replace(from, to)).len(), 1, "{from}");
    }
}

#[test]
fn another_version_is_found() {
    assert_eq!(other_versions("x.yml", "image: ghcr.io/OWNER/lookout:0.2.0", "0.1.0").len(), 1);
    assert_eq!(other_versions("x.md", "{\"version\":\"0.2.0\"}", "0.1.0").len(), 1);
    for good in [
        "image: ghcr.io/OWNER/lookout:0.1.0",
        "image: ghcr.io/OWNER/lookout:0.1.0-compose",
        "lookout:latest",
        "{\"version\":\"0.1.0\",",
        "ghcr.io/OWNER/lookout:VERSION",
    ] {
        assert_eq!(other_versions("x.yml", good, "0.1.0").len(), 0, "{good}");
    }
}
