//! The only reader of the process's environment: a snapshot of the variables that the table names.

use std::ffi::OsString;

use super::findings::Problem;
use super::variables::{DRYDOCK_URL, TABLE, Variable};
use crate::secret::Secret;

/// The values the process was started with, wiped when they are no longer needed.
pub(crate) struct Environment(Vec<(&'static str, Value)>);

enum Value {
    Text(Secret<String>),
    NotText,
}

impl Environment {
    #[expect(clippy::disallowed_methods, reason = "this is the reader of the environment")]
    pub(crate) fn of_process() -> Self {
        Self::snapshot(|name| std::env::var_os(name))
    }

    /// Empty means unset.
    fn snapshot(look_up: impl Fn(&str) -> Option<OsString>) -> Self {
        let values = TABLE.iter().filter_map(|variable| {
            let mut values = variable.names().into_iter().filter_map(|name| look_up(&name));
            let value = values.find(|value| !value.is_empty())?;
            let value = value.into_string().map_or(Value::NotText, |text| Value::Text(Secret::new(text)));
            Some((variable.name, value))
        });
        Self(values.collect())
    }

    /// The same, with another controller.
    pub(crate) fn toward(mut self, url: &str) -> Self {
        self.0.retain(|(name, _)| *name != DRYDOCK_URL.name);
        self.0.push((DRYDOCK_URL.name, Value::Text(Secret::new(url.to_owned()))));
        self
    }

    /// The value of a variable that is set.
    pub(crate) fn text(&self, variable: &'static Variable) -> Result<Option<&str>, Problem> {
        match self.value(variable) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.expose())),
            Some(Value::NotText) => {
                Err(Problem::new(&[variable], "its value is not UTF-8 text", "set it anew, or unset it"))
            }
        }
    }

    pub(crate) fn is_set(&self, variable: &'static Variable) -> bool {
        self.value(variable).is_some()
    }

    fn value(&self, variable: &'static Variable) -> Option<&Value> {
        self.0.iter().find(|(name, _)| *name == variable.name).map(|(_, value)| value)
    }

    /// An environment of these variables alone; the table must know them.
    #[cfg(test)]
    pub(crate) fn of(values: &[(&str, &str)]) -> Self {
        for (name, _) in values {
            let is_known = TABLE.iter().any(|variable| variable.names().iter().any(|known| known == name));
            assert!(is_known, "{name} is not in the table");
        }
        Self::snapshot(|wanted| {
            values.iter().find(|(name, _)| *name == wanted).map(|(_, value)| OsString::from(value))
        })
    }

    /// As [`Self::of`], with one value that is not text.
    #[cfg(test)]
    pub(crate) fn with_bytes(values: &[(&str, &str)], odd: &str) -> Self {
        use std::os::unix::ffi::OsStringExt;
        let mut environment = Self::of(values);
        let bytes = Self::snapshot(|wanted| (wanted == odd).then(|| OsString::from_vec(vec![b'a', 0xff])));
        environment.0.extend(bytes.0);
        environment
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::variables::{HOME, HTTPS_PROXY, PORT, TOKEN};

    #[test]
    fn empty_means_unset() {
        let environment = Environment::of(&[("PORT", ""), ("HOME", " ")]);
        assert!(!environment.is_set(&PORT));
        assert_eq!(environment.text(&PORT).unwrap(), None);
        assert_eq!(environment.text(&HOME).unwrap(), Some(" "));
    }

    #[test]
    fn a_name_in_lower_case_wins_unless_it_is_empty() {
        for (values, value) in [
            (&[("https_proxy", "a"), ("HTTPS_PROXY", "b")][..], "a"),
            (&[("https_proxy", ""), ("HTTPS_PROXY", "b")], "b"),
            (&[("HTTPS_PROXY", "b")], "b"),
        ] {
            assert_eq!(Environment::of(values).text(&HTTPS_PROXY).unwrap(), Some(value));
        }
    }

    #[test]
    fn a_value_that_is_not_text_is_a_problem_that_names_its_variable_and_hides_its_value() {
        let environment = Environment::with_bytes(&[("PORT", "1")], "TOKEN");
        assert_eq!(environment.text(&PORT).unwrap(), Some("1"));
        assert!(environment.is_set(&TOKEN));
        let problem = environment.text(&TOKEN).unwrap_err().to_string();
        assert_eq!(problem, "TOKEN: its value is not UTF-8 text; set it anew, or unset it");
    }

    #[test]
    fn the_process_has_an_environment() {
        // Whatever it holds, nothing outside the table is taken along.
        assert!(Environment::of_process().0.len() <= TABLE.len());
    }
}
