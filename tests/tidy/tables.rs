//! Tables of documents that repeat what the code says: each is made here from the source and compared.

const LIMITS: &str = "# Limits\n\nEvery bound in the program, as [`src/limits.rs`](../src/limits.rs) has it; a test compares the two.\n";
const VARIABLES: &str = "# Variables\n\nEvery variable of the environment that is read, as [`src/config/variables.rs`](../src/config/variables.rs)\nhas it; a test compares the two. `lookout config --explain` tells each with its value.\n";

/// `docs/limits.md` as the constants and their comments make it.
pub(crate) fn limits(source: &str) -> String {
    let (mut page, mut why) = (LIMITS.to_owned(), Vec::new());
    for line in source.lines() {
        if let Some(title) = line.strip_prefix("// --- ") {
            let title = title.trim_end_matches('-').trim();
            page += &format!(
                "\n## {title}\n\n| limit | value | why, and what happens there |\n| --- | --- | --- |\n"
            );
        } else if let Some(text) = line.strip_prefix("/// ") {
            why.push(text);
        } else {
            let constant = line.strip_prefix("pub(crate) const ").and_then(|rest| rest.split_once(": "));
            let value = constant.and_then(|(name, rest)| Some((name, rest.split_once(" = ")?.1)));
            if let Some((name, value)) = value {
                page += &format!("| `{name}` | `{}` | {} |\n", value.trim_end_matches(';'), why.join(" "));
            }
            why.clear();
        }
    }
    page
}

/// `docs/variables.md` as the table of the code makes it.
pub(crate) fn variables(source: &str) -> String {
    let (_, rest) = source.split_once("\nvariables! {\n").unwrap_or_default();
    let (table, _) = rest.split_once("\n}\n").unwrap_or_default();
    let mut page = VARIABLES.to_owned();
    for line in table.lines() {
        if let Some(section) = line.strip_prefix("    ").and_then(|line| line.strip_suffix(" {")) {
            page += &format!("\n## {section}\n\n| variable | default | |\n| --- | --- | --- |\n");
        } else if let Some((name, rest)) = line.trim().split_once(": ") {
            let (row, meaning) = rest.trim_end_matches("\";").rsplit_once(", \"").unwrap_or_default();
            let default =
                row.split_once('"').and_then(|(_, rest)| rest.split_once('"')).map_or("", |(text, _)| text);
            let default = if row.contains("Value(") { format!("`{default}`") } else { default.to_owned() };
            page += &format!("| `{name}` | {default} | {meaning} |\n");
        }
    }
    page
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_limit_is_a_row_with_its_reason() {
        let page =
            super::limits("// --- heads ---\n\n/// Why,\n/// and so.\npub(crate) const A: usize = 4 * 2;\n");
        assert!(page.ends_with("## heads\n\n| limit | value | why, and what happens there |\n| --- | --- | --- |\n| `A` | `4 * 2` | Why, and so. |\n"));
    }

    #[test]
    fn a_variable_is_a_row_with_its_default() {
        let source = "\nvariables! {\n    Access {\n        A: Plain, Value(\"x\"), \"one, two\";\n        B: Secret, Nothing, \"three\";\n    }\n}\n";
        let page = super::variables(source);
        assert!(page.ends_with("| `A` | `x` | one, two |\n| `B` |  | three |\n"), "{page}");
    }
}
