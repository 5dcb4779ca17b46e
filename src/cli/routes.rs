//! Every route there is: the agent's own, then the Engine's.

use crate::api::{self, Access, Route};
use crate::config::columns;
use crate::http::Method;
use crate::policy::engine;
use crate::policy::row::Pace;

/// Method, path, class, and what it is for; one route a line.
pub(super) fn list() -> String {
    let is_rest = |route: &&Route| matches!(route.access, Access::Engine(_));
    let (rest, own): (Vec<_>, Vec<_>) = api::routes().partition(is_rest);
    let own = own.into_iter().map(row);
    let engine = engine::ROWS.iter().map(|row| {
        let about = match row.pace {
            Pace::Prompt => "Docker Engine.",
            Pace::Slow => "Docker Engine; may take its time.",
            Pace::Endless => "Docker Engine; a stream.",
        };
        [row.method.to_string(), row.pattern.to_owned(), row.class.to_string(), about.to_owned()]
    });
    let rows: Vec<_> = own.chain(engine).chain(rest.into_iter().map(row)).collect();
    columns(&rows, "")
}

fn row(route: &Route) -> [String; 4] {
    let (method, class) = match route.access {
        Access::Public(_) => (route.method.as_str(), "public".to_owned()),
        Access::Guarded(class, _) => (route.method.as_str(), class.to_string()),
        // Every method; and the class of a path that is no row of the Engine's table.
        Access::Engine(_) => ("*", engine::classify(Method::Get, "/no/such/row").class.to_string()),
    };
    [method.to_owned(), route.path.to_owned(), class, route.about.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_its_line_with_method_path_and_class() {
        let list = list();
        let lines: Vec<Vec<_>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
        let own = api::routes().count() - 1;
        assert_eq!(lines.len(), own + engine::ROWS.len() + 1);
        assert_eq!(lines[0][..3], ["GET", "/health", "public"]);
        for (line, row) in lines[own..].iter().zip(engine::ROWS) {
            assert_eq!(line[..3], [row.method.as_str(), row.pattern, &row.class.to_string()]);
        }
        assert_eq!(lines.last().unwrap()[..3], ["*", "*", "all"]);
    }

    #[test]
    fn nothing_but_health_and_enrollment_is_public() {
        let list = list();
        let public = list.lines().filter(|line| line.split_whitespace().nth(2) == Some("public"));
        let paths: Vec<_> = public.filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert_eq!(paths, ["/health", "/ready", "/_lookout/health", "/api/lookout/enroll"]);
    }
}
