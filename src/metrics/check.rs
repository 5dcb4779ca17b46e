//! Reads a page as strictly as the format's own tools do, and more so: what they only warn of is wrong.

use std::collections::{BTreeMap, HashSet};

/// A page that is as it should be.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Every series as it is written, in its place, with its number.
    series: Vec<(String, f64)>,
    /// Where each family's series lie among them.
    families: BTreeMap<String, std::ops::Range<usize>>,
}

impl Checked {
    /// Fails the test with what is wrong.
    pub(crate) fn of(text: &str) -> Self {
        Self::read(text).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"))
    }

    /// The number of a series, which must be there.
    pub(crate) fn number(&self, series: &str) -> f64 {
        let found = self.series.iter().find(|(known, _)| known == series);
        found.unwrap_or_else(|| panic!("there is no {series}")).1
    }

    /// The series of a family; none where it is not there.
    pub(crate) fn family(&self, name: &str) -> Vec<&str> {
        let range = self.families.get(name).cloned().unwrap_or_default();
        self.series[range].iter().map(|(series, _)| series.as_str()).collect()
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.families.keys().map(String::as_str).collect()
    }

    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut checked = Self { series: Vec::new(), families: BTreeMap::new() };
        if !text.is_empty() && !text.ends_with('\n') || text.contains('\r') {
            return Err("lines do not end as they should".to_owned());
        }
        let mut lines = text.lines().enumerate().peekable();
        while let Some((at, line)) = lines.next() {
            let name = heading(line, "HELP").filter(|(_, help)| !help.is_empty());
            let (name, _) = name.ok_or_else(|| format!("no HELP begins a family after {at} lines"))?;
            let kind = lines.next().and_then(|(_, line)| heading(line, "TYPE"));
            let (typed, kind) = kind.ok_or_else(|| format!("{name}: no TYPE follows its HELP"))?;
            if typed != name || !is_name(name, true) || checked.families.contains_key(name) {
                return Err(format!("{name}: its heading is wrong, or there for the second time"));
            }
            let first = checked.series.len();
            while let Some((_, line)) = lines.next_if(|(_, line)| !line.starts_with('#')) {
                let (own, series, value) =
                    sample(line).ok_or_else(|| format!("{name}: {line} is no series"))?;
                let suffixes: &[&str] =
                    if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
                if !suffixes.iter().any(|suffix| own.strip_suffix(suffix) == Some(name)) {
                    return Err(format!("{name}: {line} belongs to another family"));
                }
                checked.series.push((series.to_owned(), value));
            }
            let range = first..checked.series.len();
            family(name, kind, &checked.series[range.clone()])?;
            checked.families.insert(name.to_owned(), range);
        }
        let series: HashSet<_> = checked.series.iter().map(|(series, _)| series).collect();
        if series.len() != checked.series.len() {
            return Err("a series is there twice".to_owned());
        }
        Ok(checked)
    }
}

/// What a family's kind asks of its series.
fn family(name: &str, kind: &str, series: &[(String, f64)]) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{name}: {what}"));
    match kind {
        _ if series.is_empty() => wrong("it has no series"),
        "counter" if !name.ends_with("_total") => wrong("a counter's name ends in _total"),
        "counter" if series.iter().any(|(_, value)| *value < 0.0) => wrong("a counter is never negative"),
        "gauge" | "histogram" if name.ends_with("_total") => wrong("only a counter's name ends in _total"),
        "gauge" | "histogram" if ["_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end)) => {
            wrong("its name is that of a histogram's part")
        }
        "counter" | "gauge" => Ok(()),
        "histogram" => histogram(name, series),
        _ => wrong("there is no such kind here"),
    }
}

/// One histogram without labels of its own: buckets that grow, up to infinity, which is the count.
fn histogram(name: &str, series: &[(String, f64)]) -> Result<(), String> {
    let split = series.len().checked_sub(2).ok_or_else(|| format!("{name}: no sum and count"))?;
    let (buckets, rest) = series.split_at(split);
    let mut before = (f64::NEG_INFINITY, 0.0);
    for (bucket, value) in buckets {
        let bound =
            bucket.strip_prefix(&format!("{name}_bucket{{le=\"")).and_then(|rest| rest.strip_suffix("\"}"));
        let bound = match bound {
            Some("+Inf") => f64::INFINITY,
            Some(bound) => bound.parse().map_err(|_| format!("{name}: {bound} is no bound"))?,
            None => return Err(format!("{name}: {bucket} is no bucket")),
        };
        if bound <= before.0 || *value < before.1 {
            return Err(format!("{name}: its buckets do not grow"));
        }
        before = (bound, *value);
    }
    let is_whole = before.0 == f64::INFINITY
        && rest[0].0 == format!("{name}_sum")
        && rest[1] == (format!("{name}_count"), before.1);
    if is_whole { Ok(()) } else { Err(format!("{name}: the last bucket is not the count")) }
}

/// `# WORD name rest`.
fn heading<'l>(line: &'l str, word: &str) -> Option<(&'l str, &'l str)> {
    line.strip_prefix("# ")?.strip_prefix(word)?.strip_prefix(' ')?.split_once(' ')
}

fn is_name(name: &str, may_have_colons: bool) -> bool {
    let is_sign = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':' && may_have_colons;
    name.chars().all(is_sign) && name.starts_with(|c: char| !c.is_ascii_digit())
}

/// Name, series and number of a line.
fn sample(line: &str) -> Option<(&str, &str, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    if let Some(inside) = rest.strip_prefix('{') {
        rest = labels(inside)?;
    }
    let series = line.strip_suffix(rest)?;
    let digits = rest.strip_prefix(' ')?;
    let is_plain = digits.chars().all(|c| c.is_ascii_digit() || "+-.e".contains(c));
    let number = digits.parse::<f64>().ok().filter(|number| number.is_finite() && is_plain)?;
    is_name(name, true).then_some((name, series, number))
}

/// What follows the labels, of which none stands twice.
fn labels(mut rest: &str) -> Option<&str> {
    let mut names = HashSet::new();
    loop {
        let (name, value) = rest.split_once("=\"")?;
        if !is_name(name, false) || name.starts_with("__") || !names.insert(name) {
            return None;
        }
        let mut signs = value.char_indices();
        let end = loop {
            match signs.next()? {
                (at, '"') => break at,
                (_, '\\') if !"\\\"n".contains(signs.next()?.1) => return None,
                _ => {}
            }
        };
        rest = value[end..].strip_prefix('"')?;
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return rest.strip_prefix('}'),
        }
    }
}

#[test]
fn a_good_page_is_taken() {
    let text = r#"# HELP a_total A thing
# TYPE a_total counter
a_total{x="1",y="}\\ \"\n é"} 1e-7
a_total{x="2",y=""} 18446744073709551615
# HELP h How long
# TYPE h histogram
h_bucket{le="0.5"} 1
h_bucket{le="+Inf"} 2
h_sum 3.5
h_count 2
# HELP g A gauge
# TYPE g gauge
g -2
"#;
    let checked = Checked::of(text);
    assert_eq!(
        (checked.number("g"), checked.number("h_sum"), checked.family("a_total").len()),
        (-2.0, 3.5, 2)
    );
    assert_eq!(checked.names(), ["a_total", "g", "h"]);
    assert!(Checked::read("").is_ok());
}

#[test]
fn whatever_is_wrong_with_a_page_is_found() {
    let gauge = |lines: &str| format!("# HELP g A gauge\n# TYPE g gauge\n{lines}");
    let histogram = |lines: &str| format!("# HELP h A thing\n# TYPE h histogram\n{lines}");
    for good in [
        gauge("g 1\n"),
        gauge("g{a=\"1\"} 1\ng{a=\"2\"} 1\n"),
        histogram("h_bucket{le=\"+Inf\"} 0\nh_sum 0\nh_count 0\n"),
    ] {
        assert!(Checked::read(&good).is_ok(), "{good}");
    }
    for bad in [
        gauge(""),
        gauge("g 1"),
        gauge("g 1\r\n"),
        gauge("g 1\n\n"),
        gauge("g NaN\n"),
        gauge("g +Inf\n"),
        gauge("g inf\n"),
        gauge("g 1 1395066363000\n"),
        gauge("g  1\n"),
        gauge("g 1 \n"),
        gauge("g\n"),
        gauge("g 1\ng 2\n"),
        gauge("other 1\n"),
        gauge("g 0x1\n"),
        gauge("g{a=\"1\"} 1\ng{a=\"1\"} 1\n"),
        gauge("g{a=\"1\",a=\"2\"} 1\n"),
        gauge("g{a=\"\\t\"} 1\n"),
        gauge("g{a=\"1} 1\n"),
        gauge("g{a=1} 1\n"),
        gauge("g{} 1\n"),
        gauge("g{a=\"1\",} 1\n"),
        gauge("g{a:b=\"1\"} 1\n"),
        gauge("g{1a=\"1\"} 1\n"),
        gauge("g{__a=\"1\"} 1\n"),
        gauge("g{a=\"1\" } 1\n"),
        gauge("g 1\n# a comment\n"),
        gauge(&format!("g 1\n{}", gauge("g 2\n"))),
        "g 1\n".to_owned(),
        "# HELP g A gauge\ng 1\n".to_owned(),
        "# TYPE g gauge\ng 1\n".to_owned(),
        "# HELP g \n# TYPE g gauge\ng 1\n".to_owned(),
        "# HELP g A\n# TYPE h gauge\ng 1\n".to_owned(),
        "# HELP g A\n# TYPE g untyped\ng 1\n".to_owned(),
        "# HELP g A\n# HELP g A\n# TYPE g gauge\ng 1\n".to_owned(),
        "# HELP 1g A\n# TYPE 1g gauge\n1g 1\n".to_owned(),
        "# HELP c A\n# TYPE c counter\nc 1\n".to_owned(),
        "# HELP c_total A\n# TYPE c_total counter\nc_total -1\n".to_owned(),
        "# HELP g_total A\n# TYPE g_total gauge\ng_total 1\n".to_owned(),
        "# HELP g_count A\n# TYPE g_count gauge\ng_count 1\n".to_owned(),
        histogram("h_bucket{le=\"1\"} 0\nh_sum 0\nh_count 0\n"),
        histogram("h_bucket{le=\"+Inf\"} 1\nh_sum 0\nh_count 0\n"),
        histogram("h_sum 0\nh_count 0\n"),
        histogram(
            "h_bucket{le=\"2\"} 0\nh_bucket{le=\"1\"} 0\nh_bucket{le=\"+Inf\"} 0\nh_sum 0\nh_count 0\n",
        ),
        histogram("h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 0\nh_count 1\n"),
        histogram("h 1\n"),
        histogram("h_count 0\n"),
    ] {
        assert!(Checked::read(&bad).is_err(), "{bad}");
    }
}
