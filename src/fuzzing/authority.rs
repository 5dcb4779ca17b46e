//! Doors to what a caller may do: the decision, the parameters, and JSON as it is read and told.
#![expect(clippy::panic, reason = "a panic is a finding")]

use super::golden;
use super::guard::Shelf;
use super::loose::Loose;
use crate::auth::{Class, Classes, Grant, Keyring, Label};
use crate::http::{self, Framing, Malformed, Method, Target, slots};
use crate::policy::Kind;
use crate::policy::answer::Telling;
use crate::policy::decide::{Asked, decide as decided};
use crate::policy::engine::ROWS;
use crate::policy::json::Json;
use crate::policy::row::{Reach, Row};
use crate::policy::sieve::{Judge, Shape, Sieve};

/// Lines: a key's options, a method with its target, and fields. What is allowed is in the grant and in the golden
/// matrix, goes on as a target that is allowed again and written the same, and is not taken away by one class more.
pub fn decide(bytes: &[u8]) {
    let mut lines = bytes.split(|&byte| byte == b'\n');
    let Some(grant) = lines.next().and_then(grant_of) else { return };
    let mut head = [lines.next().unwrap_or_default(), b" HTTP/1.1\r\nHost: h\r\n"].concat();
    for field in lines.filter(|field| !field.is_empty()) {
        head.extend_from_slice(field);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    let mut slots = slots();
    let Ok(head) = http::request_head(&head, &mut slots) else { return };
    let asked = Asked::of(&head);
    let Ok(mut order) = decided(&grant, &asked) else { return };
    let (row, target) = (order.row, order.target());
    let is_granted = row.reach == Reach::Anyone || grant.has(row.class);
    assert!(is_granted, "{} needs class {}", row.pattern, row.class);
    let is_golden = golden::lets(&grant, asked.method.as_str(), asked.path);
    assert!(is_golden, "{} {} is more than the golden matrix allows", asked.method.as_str(), asked.path);
    assert!(
        order.version().is_none_or(|minor| (24..=99).contains(&minor)),
        "{target} is of no known version"
    );
    assert!(row.switches || !asked.is_upgrade, "{target} does not switch protocols");
    for &class in Class::EVERY {
        let more = Grant { classes: grant.classes.named().chain([class]).collect(), ..grant.clone() };
        let is_same = decided(&more, &asked).is_ok_and(|order| order.target() == target);
        assert!(is_same, "class {class} changes {target}");
    }
    // A caller may not filter by labels what it prunes: the label that was put there is judged without.
    let is_prune = matches!(row.reach, Reach::Prune(_));
    let again = Grant { label: grant.label.clone().filter(|_| !is_prune), ..grant.clone() };
    stays(row, &target, &again, &asked);
    // The same where names have become ids.
    if order.settle(&grant, None, &mut Shelf).is_ok() {
        stays(row, &order.target(), &again, &asked);
    }
}

/// A target that goes on is the same request to whoever reads it after us.
fn stays(row: &'static Row, target: &str, grant: &Grant, asked: &Asked<'_>) {
    let read = match Target::parse(target) {
        Ok(read) => read,
        // Percent codes make it longer than what came.
        Err(Malformed::TargetTooLong) => return,
        Err(bad) => panic!("{target} is no target: {bad}"),
    };
    let asked = Asked { path: read.path(), query: read.query().unwrap_or(""), ..*asked };
    let is_golden = golden::lets(grant, asked.method.as_str(), asked.path);
    assert!(is_golden, "{target} goes on, and is more than the golden matrix allows");
    let order = decided(grant, &asked).unwrap_or_else(|why| panic!("{target} was allowed, and now {why}"));
    assert!(std::ptr::eq(order.row, row), "{target} is of another route now: {}", order.row.pattern);
    assert_eq!(order.target(), target, "what was written anew stays as it is");
}

fn grant_of(options: &[u8]) -> Option<Grant> {
    let line = [options, b" ed25519 A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg= test"].concat();
    let keyring = Keyring::parse(&line).ok()?;
    keyring.iter().next().map(|key| key.options.grant.clone())
}

fn team() -> Label {
    Label { key: "team".to_owned(), value: "web".to_owned() }
}

/// The first byte is a route that knows parameters, the rest are some. What goes on says the same as what came.
pub fn query(bytes: &[u8]) {
    let Some((&which, raw)) = bytes.split_first() else { return };
    let mut rows = ROWS.iter().filter(|row| !row.query.is_empty()).cycle();
    let Some(row) = rows.nth((which & 0x7f).into()) else { return };
    let Ok(raw) = std::str::from_utf8(raw) else { return };
    let raw = format!("{}?{raw}", row.pattern.replace("{*}", "name").replace("{}", "name"));
    let Ok(target) = Target::parse(&raw) else { return };
    let label = (which & 0x80 != 0).then(team);
    let grant = Grant { label, ..Grant::EVERYTHING };
    let query = target.query().unwrap_or("");
    let (path, framing) = (target.path(), Framing::None);
    let asked = Asked { method: row.method, path, query, is_upgrade: false, content_type: None, framing };
    let Ok(order) = decided(&grant, &asked) else { return };
    let written = order.target();
    let written = written.split_once('?').map_or("", |(_, query)| query);
    let came = pairs(query).unwrap_or_else(|| panic!("{query} is no form"));
    let goes = pairs(written).unwrap_or_else(|| panic!("{written} is no form"));
    for (at, (name, _)) in goes.iter().enumerate() {
        let is_plain = row.query.split(' ').any(|known| known == name);
        let is_many = row.query.split(' ').any(|known| known.strip_suffix('*') == Some(name));
        assert!(is_plain || is_many, "{name} is no parameter of {}", row.pattern);
        assert!(is_many || !goes.iter().take(at).any(|(before, _)| before == name), "{name} stands twice");
    }
    let is_merged = matches!(row.reach, Reach::Every(_) | Reach::Prune(_));
    let others = |pairs: &[(String, String)]| {
        let is_other = |(name, _): &&(String, String)| !is_merged || name != "filters";
        pairs.iter().filter(is_other).cloned().collect::<Vec<_>>()
    };
    assert_eq!(others(&came), others(&goes), "parameters say what they said");
    if is_merged {
        // Images do not carry it, and are filtered by their names.
        let is_of_images = matches!(row.reach, Reach::Every(Kind::Image));
        check_filters(&came, &goes, grant.label.as_ref().filter(|_| !is_of_images));
    }
}

/// What is filtered by is what was asked for, and the label.
fn check_filters(came: &[(String, String)], goes: &[(String, String)], label: Option<&Label>) {
    let read = |pairs: &[(String, String)]| {
        let mut all = Vec::new();
        let filters = pairs.iter().find(|(name, _)| name == "filters").map_or("", |(_, value)| value);
        let filters = if filters.is_empty() {
            Some(Loose::Object(Vec::new()))
        } else {
            Loose::read(filters.as_bytes())
        };
        let filters = filters.unwrap_or_else(|| panic!("filters are no JSON"));
        for (name, values) in filters.members() {
            let names = values.members().iter().map(|(value, _)| value.as_str());
            let texts = values.items().iter().map(Loose::text);
            all.extend(names.chain(texts).map(|value| (name.clone(), value.to_owned())));
        }
        all
    };
    let mut expected = read(came);
    expected.extend(label.map(|label| ("label".to_owned(), label.to_string())));
    expected.sort_unstable();
    expected.dedup();
    let mut found = read(goes);
    found.sort_unstable();
    assert_eq!(found, expected, "filters say what they said, and the label");
}

/// Parameters as the Engine reads a form; `None` where it would not.
fn pairs(raw: &str) -> Option<Vec<(String, String)>> {
    raw.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
}

fn pair(pair: &str) -> Option<(String, String)> {
    if pair.contains(';') {
        return None;
    }
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    Some((form(name)?, form(value)?))
}

fn form(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.replace('+', " ").into_bytes();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend(rest.replace('+', " ").into_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// What is read and written anew means what it meant, to a reader that shares nothing with ours.
pub fn json(bytes: &[u8]) {
    let Ok(value) = Json::read(bytes) else { return };
    let written = value.write();
    let again = Json::read(&written).unwrap_or_else(|why| panic!("what was written is not read: {why}"));
    assert_eq!(again, value, "what was written is read again");
    let came = Loose::read(bytes).unwrap_or_else(|| panic!("the other reader reads it too"));
    let goes = Loose::read(&written).unwrap_or_else(|| panic!("the other reader reads what was written"));
    assert!(came.means(&goes), "{} is not what came", String::from_utf8_lossy(&written));
}

/// The first byte says what the answer should be, and how it is cut. Cut anywhere it gives the same, and nothing
/// but JSON; who is in a scope is told of nothing else, and who may not see commands sees none.
pub fn sieve(bytes: &[u8]) {
    let Some((&which, answer)) = bytes.split_first() else { return };
    let shape = if which & 1 == 0 { Shape::List } else { Shape::Sequence };
    let grant = Grant {
        classes: [Class::View]
            .into_iter()
            .chain((which & 2 != 0).then_some(Class::Dump))
            .collect::<Classes>(),
        label: (which & 4 != 0).then(team),
        ..Grant::EVERYTHING
    };
    let (out, ended) = sifted(shape, &grant, answer, answer.len().max(1));
    for step in [1, usize::from(which >> 3).saturating_add(2)] {
        let again = sifted(shape, &grant, answer, step);
        assert_eq!(again, (out.clone(), ended.clone()), "an answer cut anywhere is told as the whole is");
    }
    let told = told(shape, &out, ended.is_ok());
    if grant.label.is_some() {
        let label = |value: &Loose| {
            let labels = match shape {
                Shape::List => value.entry("Labels").cloned(),
                Shape::Sequence => value.entry("Actor").and_then(|actor| actor.entry("Attributes")).cloned(),
            };
            labels.and_then(|labels| labels.entry("team").map(|team| team.text().to_owned()))
        };
        assert!(
            told.iter().all(|value| label(value).as_deref() == Some("web")),
            "something of others is told"
        );
    }
    if shape == Shape::List && !grant.has(Class::Dump) {
        let is_blank = |value: &Loose| {
            value.entry("Command").is_none_or(|command| ["", "***"].contains(&command.text()))
        };
        assert!(told.iter().all(is_blank), "a command is told");
    }
    let is_all = grant.has(Class::Dump) && grant.label.is_none();
    if is_all && ended.is_ok() && shape == Shape::List {
        let came = Loose::read(answer).unwrap_or_else(|| panic!("what was told was no JSON"));
        let all = came.items();
        let is_same = all.len() == told.len() && all.iter().zip(&told).all(|(came, told)| came.means(told));
        assert!(is_same, "something was left out or changed");
    }
}

/// What is given out of an answer that comes in pieces, and how it ended.
fn sifted(shape: Shape, grant: &Grant, answer: &[u8], step: usize) -> (Vec<u8>, Result<(), String>) {
    let mut out = Vec::new();
    let mut sieve = Sieve::new(shape, judge(shape, grant));
    let ended = answer
        .chunks(step)
        .try_for_each(|piece| sieve.push(piece, &mut out))
        .and_then(|()| sieve.end(&mut out))
        .map_err(|bad| bad.to_string());
    (out, ended)
}

/// As callers with limits are told of containers and of events.
fn judge(shape: Shape, grant: &Grant) -> Judge {
    let path = if shape == Shape::List { "/containers/json" } else { "/events" };
    let (framing, method) = (Framing::None, Method::Get);
    let asked = Asked { method, path, query: "", is_upgrade: false, content_type: None, framing };
    let order = decided(grant, &asked).unwrap_or_else(|why| panic!("{path} is for class view: {why}"));
    match order.telling(grant) {
        Telling::Each(screen) | Telling::Stream(screen) => Box::new(move |value| screen.pass(value)),
        Telling::AsItIs => Box::new(|_| true),
        Telling::Whole(_) | Telling::VolumeList(_) | Telling::NewExec => panic!("{path} is no list"),
    }
}

/// The values that were given out, each of which both readers read.
fn told(shape: Shape, out: &[u8], is_whole: bool) -> Vec<Loose> {
    let read = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        assert!(Json::read(bytes).is_ok(), "{text} is no JSON");
        Loose::read(bytes).unwrap_or_else(|| panic!("{text} is no JSON to the other reader"))
    };
    match shape {
        Shape::List if out.is_empty() => Vec::new(),
        Shape::List => {
            // What broke off is a list but for its end.
            let is_ended = is_whole || Loose::read(out).is_some();
            let list = [out, if is_ended { b"" } else { b"]" }].concat();
            read(&list).items().to_vec()
        }
        Shape::Sequence => out.split_inclusive(|&byte| byte == b'\n').map(read).collect(),
    }
}
