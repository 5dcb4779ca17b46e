//! Links within the repository lead somewhere: to a file that is there, and to a heading in it.

/// Links of one document that lead nowhere; `read` gives the text of a file, `is_there` says whether a path exists.
pub(crate) fn broken(
    path: &str,
    text: &str,
    read: impl Fn(&str) -> Option<String>,
    is_there: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, line) in prose(text) {
        for link in links(line) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (place, anchor) = link.split_once('#').unwrap_or((link, ""));
            let Some(target) = resolve(path, place) else {
                wrong.push(format!("{path}:{number}: {link} leads out of the repository"));
                continue;
            };
            if !is_there(&target) {
                wrong.push(format!("{path}:{number}: {link} leads nowhere"));
            } else if !anchor.is_empty() {
                let text = if place.is_empty() { Some(text.to_owned()) } else { read(&target) };
                if !text.is_some_and(|text| anchors(&text).iter().any(|known| known == anchor)) {
                    wrong.push(format!("{path}:{number}: {link}: there is no such heading"));
                }
            }
        }
    }
    wrong
}

/// The lines that are no code, each with its number.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut out = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            out.push((number + 1, line));
        }
    }
    out
}

/// What stands in the round brackets behind square ones.
fn links(line: &str) -> Vec<&str> {
    let ends = line.match_indices("](").map(|(at, _)| &line[at + 2..]);
    ends.filter_map(|rest| rest.split_once(')').map(|(link, _)| link)).collect()
}

/// A path below the repository's root.
fn resolve(from: &str, to: &str) -> Option<String> {
    if to.is_empty() {
        return Some(from.to_owned());
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in to.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The names by which headings are linked to, as the usual hosts make them.
fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text).into_iter().filter_map(|(_, line)| {
        line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))
    });
    let slug = |heading: &str| {
        let signs = heading.trim().to_lowercase();
        let kept = signs.chars().filter(|sign| sign.is_alphanumeric() || " -_".contains(*sign));
        kept.collect::<String>().replace(' ', "-")
    };
    headings.map(slug).collect()
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let read = |path: &str| (path == "docs/a.md").then(|| "# One, two\n\n```\n# three\n```\n".to_owned());
    let is_there = |path: &str| ["docs/a.md", "src", "README.md"].contains(&path);
    let wrong = |from: &str, text: &str| broken(from, text, read, is_there).len();
    for good in [
        "[x](docs/a.md)",
        "[x](docs/a.md#one-two)",
        "[x](https://example.org/)",
        "[x](src/)",
        "```\n[x](y)\n```",
        "## X\n[x](#x)",
    ] {
        assert_eq!(wrong("README.md", good), 0, "{good}");
    }
    for bad in ["[x](docs/b.md)", "[x](docs/a.md#three)", "[x](../y)", "[a](src) and [x](b)", "[x](#y)"] {
        assert_eq!(wrong("README.md", bad), 1, "{bad}");
    }
    assert_eq!(wrong("docs/c.md", "[x](a.md) [y](../README.md) [z](../src)"), 0);
}
