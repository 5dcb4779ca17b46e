//! Which environment this host belongs to, and whether what is dangerous may be in use there.

use super::environment::Environment;
use super::findings::Findings;
use super::parse::{list, quoted, switch, value};
use super::variables::{ALLOW_IN_ENVIRONMENTS, ALLOW_IN_PRODUCTION, LOOKOUT_ENV, Variable};

/// What the operator says of it. `None` is malformed, and noted.
pub(super) struct Place<'e> {
    pub(super) name: Option<&'e str>,
    /// Where dangerous switches may be used, and whether they may everywhere.
    pub(super) listed: Option<Vec<&'e str>>,
    pub(super) everywhere: Option<bool>,
}

/// What is for the environments that are listed for it.
pub(super) struct Dangerous {
    pub(super) variable: &'static Variable,
    pub(super) what: String,
    pub(super) instead: &'static str,
}

impl<'e> Place<'e> {
    pub(super) fn read(environment: &'e Environment, findings: &mut Findings) -> Self {
        Self {
            name: findings.take(value(environment, &LOOKOUT_ENV)),
            listed: findings.take(list(environment, &ALLOW_IN_ENVIRONMENTS)),
            everywhere: findings.take(switch(environment, &ALLOW_IN_PRODUCTION)),
        }
    }

    /// This host's environment is one of the list.
    pub(super) fn is_listed(&self) -> Option<bool> {
        let here = self.name?;
        Some(self.listed.as_ref()?.iter().any(|name| name.eq_ignore_ascii_case(here)))
    }

    /// Nothing, unless all that is dangerous and in use may be in use here.
    pub(super) fn permit(&self, dangerous: &[Dangerous], findings: &mut Findings) -> Option<()> {
        if dangerous.is_empty() {
            if self.everywhere == Some(true) {
                findings.no_effect(&ALLOW_IN_PRODUCTION, "no switch is on that it would permit");
            }
            return Some(());
        }
        let here = quoted(self.name?);
        match (self.is_listed()?, self.everywhere?) {
            (true, false) => Some(()),
            (true, true) => {
                let why = format!("the environment {here} is listed in ALLOW_IN_ENVIRONMENTS already");
                findings.no_effect(&ALLOW_IN_PRODUCTION, why);
                Some(())
            }
            (false, true) => {
                for Dangerous { what, instead, .. } in dangerous {
                    let what = format!("{what} is in use in the environment {here}");
                    findings.warn("config.allow_in_production", &[&ALLOW_IN_PRODUCTION], what, *instead);
                }
                Some(())
            }
            (false, false) => {
                dangerous.iter().for_each(|dangerous| self.refuse(dangerous, &here, findings));
                None
            }
        }
    }

    fn refuse(&self, dangerous: &Dangerous, here: &str, findings: &mut Findings) {
        let Dangerous { variable, what, instead } = dangerous;
        let names: Vec<_> = self.listed.iter().flatten().map(|name| quoted(name)).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        findings.refuse(
            &[*variable, &LOOKOUT_ENV],
            format!("{what} is refused in the environment {here}; it is allowed in: {names}"),
            format!(
                "{instead}; or set LOOKOUT_ENV=Development where that is true, list the environment in \
                 ALLOW_IN_ENVIRONMENTS, or override with ALLOW_IN_PRODUCTION=true"
            ),
        );
    }
}
