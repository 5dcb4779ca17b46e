//! What can be known of an environment that is not sound as a whole.

use std::path::PathBuf;

use super::environment::Environment;
use super::findings::Findings;
use super::variables::HOME;
use super::{edge, engine};
use crate::docker;
use crate::edge::{Protocol, Url, Way};

/// Each `None` after a problem, which the reading of the whole tells.
pub(crate) struct Pieces {
    pub(crate) docker: Option<docker::Settings>,
    /// Also `None` where no controller is called.
    pub(crate) controller: Option<(Url, Way, Protocol)>,
    /// Where a user keeps what is their own.
    pub(crate) home: Option<PathBuf>,
}

impl Pieces {
    pub(crate) fn of(environment: &Environment) -> Self {
        let home = environment.text(&HOME).ok().flatten();
        Self {
            docker: engine::read(environment, &mut Findings::default()),
            controller: edge::way(environment).filter(|_| edge::is_meant(environment)),
            home: home.filter(|home| home.starts_with('/')).map(PathBuf::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sound_is_known_whatever_else_is_wrong() {
        let values = [("PORT", "0"), ("DRYDOCK_URL", "ws://127.0.0.1:1"), ("HOME", "/home/x")];
        let pieces = Pieces::of(&Environment::of(&values));
        let (url, _, protocol) = pieces.controller.unwrap();
        assert_eq!((url.to_string().as_str(), protocol), ("ws://127.0.0.1:1", Protocol::Auto));
        assert_eq!((pieces.docker.is_some(), pieces.home), (true, Some(PathBuf::from("/home/x"))));
        let pieces = Pieces::of(&Environment::of(&[("DOCKER_SOCKET", "x"), ("DRYDOCK_URL", "wss://me:x@y")]));
        assert!(pieces.docker.is_none() && pieces.controller.is_none() && pieces.home.is_none());
        assert!(Pieces::of(&Environment::of(&[])).controller.is_none());
    }

    #[test]
    fn another_controller_is_looked_at_with_all_the_rest() {
        let environment =
            Environment::of(&[("DRYDOCK_URL", "ws://127.0.0.1:1"), ("EDGE_PROTOCOL", "lookout")]);
        let (url, _, protocol) = Pieces::of(&environment.toward("ws://127.0.0.2:3/x")).controller.unwrap();
        assert_eq!(url.to_string(), "ws://127.0.0.2:3/x");
        assert!(matches!(protocol, Protocol::Only(only) if only.protocol == "lookout/1.0"));
    }

    #[test]
    fn an_unchecked_certificate_is_not_even_looked_at_where_that_is_not_permitted() {
        let url = ("DRYDOCK_URL", "wss://127.0.0.1:1");
        let skip = ("TLS_SKIP_VERIFY", "true");
        assert!(Pieces::of(&Environment::of(&[url, skip])).controller.is_none());
        let lifted = Environment::of(&[url, skip, ("LOOKOUT_ENV", "Development")]);
        assert!(Pieces::of(&lifted).controller.is_some());
    }
}
