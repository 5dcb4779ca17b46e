//! Fields that are added to the upgrade, for who stands before the controller.

use std::fmt;
use std::path::Path;

use crate::config::environment::Environment;
use crate::config::findings::{Findings, Problem};
use crate::config::listener::path;
use crate::config::secrets::shown;
use crate::config::variables::EDGE_HEADERS_FILE;
use crate::limits::{EDGE_HEADER_BYTES_MAX, EDGE_HEADERS_FILE_BYTES_MAX, EDGE_HEADERS_MAX};
use crate::secret::Secret;
use crate::sys::files;

type Field = (String, Secret<String>);

/// What the upgrade says itself, and what would change where it begins or ends.
const OURS: &[&str] = &["connection", "content-length", "host", "transfer-encoding", "upgrade"];

/// Every field of the file, in its order. No message of it repeats a value.
pub(super) fn read(environment: &Environment, findings: &mut Findings) -> Option<Vec<Field>> {
    let Some(file) = findings.take(path(environment, &EDGE_HEADERS_FILE))? else { return Some(Vec::new()) };
    let fields = of_file(file, findings);
    let fields = findings.take(fields)?;
    if fields.is_empty() {
        findings.no_effect(&EDGE_HEADERS_FILE, "the file it names holds no field");
    }
    Some(fields)
}

fn of_file(file: &Path, findings: &mut Findings) -> Result<Vec<Field>, Problem> {
    let shown = shown(&file.to_string_lossy());
    let taken = files::read_trusted(file, EDGE_HEADERS_FILE_BYTES_MAX).map_err(|bad| {
        let remedy = "name a regular file that the agent may read and only its owner may change";
        Problem::new(&[&EDGE_HEADERS_FILE], format!("{shown} {bad}"), remedy)
    })?;
    for concern in taken.concerns {
        let what = format!("{shown} is not well kept");
        findings.warn("config.loose_file", &[&EDGE_HEADERS_FILE], what, concern.to_string());
    }
    parse(taken.bytes.expose()).map_err(|(number, bad)| {
        let what = format!("{shown}, line {number}: {bad}");
        let remedy = "write one field a line, as Name: value; lines that begin with # are remarks";
        Problem::new(&[&EDGE_HEADERS_FILE], what, remedy)
    })
}

/// Why a line is no field to add.
#[derive(Debug, PartialEq, Eq)]
enum BadField {
    NoColon,
    Name,
    Ours,
    NoValue,
    Value,
    TooLong,
    TooMany,
}

/// The fields, or the number of the first line that is none.
fn parse(text: &[u8]) -> Result<Vec<Field>, (usize, BadField)> {
    let mut fields = Vec::new();
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        if fields.len() >= EDGE_HEADERS_MAX {
            return Err((number, BadField::TooMany));
        }
        fields.push(field(line).map_err(|bad| (number, bad))?);
    }
    Ok(fields)
}

fn field(line: &[u8]) -> Result<Field, BadField> {
    if line.len() > EDGE_HEADER_BYTES_MAX {
        return Err(BadField::TooLong);
    }
    let colon = line.iter().position(|byte| *byte == b':').ok_or(BadField::NoColon)?;
    let (name, value) = line.split_at_checked(colon).ok_or(BadField::NoColon)?;
    let name = std::str::from_utf8(name).ok().filter(|name| is_token(name)).ok_or(BadField::Name)?;
    let lower = name.to_ascii_lowercase();
    if OURS.contains(&lower.as_str()) || lower.starts_with("sec-websocket-") {
        return Err(BadField::Ours);
    }
    let value = value.get(1..).unwrap_or_default().trim_ascii();
    if value.is_empty() {
        return Err(BadField::NoValue);
    }
    let is_plain = value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    let value = std::str::from_utf8(value).ok().filter(|_| is_plain).ok_or(BadField::Value)?;
    Ok((name.to_owned(), Secret::new(value.to_owned())))
}

/// RFC 9110 §5.6.2.
fn is_token(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_part)
}

impl fmt::Display for BadField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoColon => f.write_str("there is no colon in it"),
            Self::Name => f.write_str("what stands before the colon is no name of a field"),
            Self::Ours => f.write_str("the agent says this field itself"),
            Self::NoValue => f.write_str("the field has no value"),
            Self::Value => f.write_str("the value holds other characters than visible ASCII and spaces"),
            Self::TooLong => write!(f, "it is longer than {EDGE_HEADER_BYTES_MAX} bytes"),
            Self::TooMany => write!(f, "there are more than {EDGE_HEADERS_MAX} fields"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::specimens;

    fn told(text: &str) -> Result<Vec<(String, String)>, (usize, BadField)> {
        let open = |(name, value): Field| (name, value.expose().clone());
        parse(text.as_bytes()).map(|fields| fields.into_iter().map(open).collect())
    }

    #[test]
    fn fields_are_read_line_by_line_between_remarks() {
        let text = "# Access\nCF-Access-Client-Id: a.b:c\r\n\n  x-a:1  \nX-A:\ttwo words \n #X-B: no\n";
        let fields = [("CF-Access-Client-Id", "a.b:c"), ("x-a", "1"), ("X-A", "two words")];
        assert_eq!(told(text), Ok(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()));
        assert_eq!(told(""), Ok(vec![]));
    }

    #[test]
    fn what_is_no_field_to_add_is_refused_by_its_line() {
        for (line, bad) in [
            ("hunter2", BadField::NoColon),
            (": hunter2", BadField::Name),
            ("X A: hunter2", BadField::Name),
            ("X-A : hunter2", BadField::Name),
            ("X-\u{e4}: hunter2", BadField::Name),
            ("Host: hunter2", BadField::Ours),
            ("UPGRADE: hunter2", BadField::Ours),
            ("connection: hunter2", BadField::Ours),
            ("Sec-WebSocket-Protocol: hunter2", BadField::Ours),
            ("sec-websocket-key: hunter2", BadField::Ours),
            ("Content-Length: 0", BadField::Ours),
            ("Transfer-Encoding: chunked", BadField::Ours),
            ("X-A: ", BadField::NoValue),
            ("X-A: hunter2\u{7}", BadField::Value),
            ("X-A: hunter2\rX-B: b", BadField::Value),
            ("X-A: hunter2 \u{e4}", BadField::Value),
        ] {
            assert_eq!(told(&format!("# one\n{line}\n")), Err((2, bad)), "{line:?}");
        }
    }

    #[test]
    fn their_number_and_their_length_are_bounded() {
        let many = "X-A: b\n".repeat(EDGE_HEADERS_MAX);
        assert_eq!(told(&many).unwrap().len(), EDGE_HEADERS_MAX);
        assert_eq!(told(&(many + "X-A: b\n")), Err((EDGE_HEADERS_MAX + 1, BadField::TooMany)));
        let long = format!("X-A: {}", "b".repeat(EDGE_HEADER_BYTES_MAX - 5));
        assert_eq!(told(&long).unwrap().len(), 1);
        assert_eq!(told(&format!("{long}b")), Err((1, BadField::TooLong)));
    }

    #[test]
    fn a_file_that_cannot_be_trusted_or_read_is_a_problem_that_repeats_no_value() {
        let file = |name: &str, content: &str, mode| specimens::file("headers", name, content, mode);
        for (path, what) in [
            (file("open", "X-A: hunter2", 0o666), "can be changed by others"),
            (file("odd", "X-A: b\nhunter2", 0o600), ", line 2: there is no colon in it; write one field"),
            ("/no/such".into(), "cannot be read"),
            ("/dev/null".into(), "is not a regular file"),
            ("hunter2".into(), "the file it names cannot be read"),
        ] {
            let mut findings = Findings::default();
            let environment = Environment::of(&[("EDGE_HEADERS_FILE", path.to_str().unwrap())]);
            assert!(read(&environment, &mut findings).is_none());
            let [problem] = findings.problems.as_slice() else { panic!("{path:?}") };
            let problem = problem.to_string();
            assert!(problem.starts_with("EDGE_HEADERS_FILE: ") && problem.contains(what), "{problem}");
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn a_file_that_everyone_reads_or_that_holds_nothing_is_a_warning() {
        for (content, mode, what) in
            [("X-A: b", 0o644, "everyone can read it"), ("# none\n", 0o600, "no field")]
        {
            let (path, mut findings) =
                (specimens::file("headers", "warned", content, mode), Findings::default());
            let environment = Environment::of(&[("EDGE_HEADERS_FILE", path.to_str().unwrap())]);
            assert!(read(&environment, &mut findings).is_some());
            let [warning] = findings.warnings.as_slice() else { panic!("{content}") };
            assert!(warning.to_string().contains(what), "{warning}");
        }
    }
}
