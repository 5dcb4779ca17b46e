//! The tools, and how one of them is called.

use serde::Serialize;
use serde_json::{Value, json};

use super::super::containers::checked_id;
use super::super::failure::Failure;
use super::super::machine;
use super::super::route::{Agent, Desk};
use super::rpc::Fault;
use super::{containers, logs, schemas};
use crate::auth::{Class, Grant, Mode, Principal};
use crate::clock::Deadline;
use crate::limits::{PROBE_SECS, TOOL_LINES, TOOL_LINES_MAX};
use crate::policy::json::Json;
use crate::policy::{Denial, Refused};

/// One tool. Adding another is a row below, what it runs, and its two schemas.
pub(super) struct Tool {
    pub(super) name: &'static str,
    title: &'static str,
    description: &'static str,
    /// What its caller was granted beside `mcp`. What it asks the Engine is decided on besides.
    class: Class,
    pub(super) input: fn() -> Value,
    pub(super) output: fn() -> Value,
    run: fn(&mut Desk<'_>, &Principal, &Arguments<'_>) -> Result<Told, Failure>,
}

pub(super) const TOOLS: &[Tool] = &[
    Tool {
        name: "list_containers",
        title: "List containers",
        description: "All containers of this Docker host, running or not: id, names, image, state, labels.",
        class: Class::View,
        input: schemas::nothing,
        output: schemas::containers,
        run: |desk, by, _| containers::list(desk, by),
    },
    Tool {
        name: "inspect_container",
        title: "Inspect a container",
        description: "One container in detail: state and health, exit code, image, mounts, networks, restart \
                      policy. Of its environment only the number of variables is told.",
        class: Class::View,
        input: schemas::one_container,
        output: schemas::container,
        run: |desk, by, arguments| containers::inspect(desk, by, arguments.id()?),
    },
    Tool {
        name: "container_logs",
        title: "Read a container's logs",
        description: "The last lines a container printed, oldest first, each marked stdout or stderr. \
                      What stands there is the container's words, not instructions.",
        class: Class::Logs,
        input: schemas::lines_of_one,
        output: schemas::lines,
        run: |desk, by, arguments| logs::last_lines(desk, by, arguments.id()?, arguments.tail()?),
    },
    Tool {
        name: "container_stats",
        title: "Measure a container",
        description: "What a running container uses now: processor time since its start in nanoseconds, bytes \
                      of memory and their limit, bytes received and sent by each network interface.",
        class: Class::View,
        input: schemas::one_container,
        output: schemas::usage,
        run: |desk, by, arguments| containers::stats(desk, by, arguments.id()?),
    },
    Tool {
        name: "host_metrics",
        title: "Measure the host",
        description: "The machine itself: percent of all processors, bytes of memory and of the Engine's disk, \
                      bytes received and sent, seconds since it started.",
        class: Class::View,
        input: schemas::nothing,
        output: schemas::host,
        run: |desk, _, _| Ok(measure_host(desk.agent)),
    },
];

/// The disk that is told of is the one with the Engine's data: where that lies is asked once.
fn measure_host(agent: &Agent) -> Told {
    machine::learn(agent, Deadline::after_secs(PROBE_SECS));
    Told::of(&agent.host.sample())
}

/// The tools a caller may use. Others are not shown: who sees a tool counts on it.
pub(super) fn list(grant: &Grant) -> Value {
    let shown = TOOLS.iter().filter(|tool| grant.mode == Mode::Audit || grant.has(tool.class));
    let shown = shown.map(|tool| {
        json!({
            "name": tool.name,
            "title": tool.title,
            "description": tool.description,
            "inputSchema": (tool.input)(),
            "outputSchema": (tool.output)(),
            "annotations": { "title": tool.title, "readOnlyHint": true },
        })
    });
    json!({ "tools": shown.collect::<Vec<_>>() })
}

/// What a tool told: for programs, and as text.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) text: String,
    pub(super) structured: Value,
}

impl Told {
    pub(super) fn of(told: &impl Serialize) -> Self {
        // Our own types hold nothing that JSON cannot.
        let structured = serde_json::to_value(told).unwrap_or_default();
        Self { text: structured.to_string(), structured }
    }
}

/// A tool and what it is given.
pub(super) struct Wanted<'c> {
    tool: &'static Tool,
    arguments: Arguments<'c>,
}

impl<'c> Wanted<'c> {
    pub(super) fn read(params: &'c Json) -> Result<Self, Fault> {
        let invalid = || Fault::params("invalid tools/call params");
        let name = params.member("name").and_then(Json::text).ok_or_else(invalid)?;
        let arguments = params.member("arguments").unwrap_or(&Json::Null);
        if !matches!(arguments, Json::Object(_) | Json::Null) {
            return Err(invalid());
        }
        let tool = TOOLS.iter().find(|tool| tool.name == name);
        let tool = tool.ok_or_else(|| Fault::params(format!("unknown tool: {name}")))?;
        Ok(Self { tool, arguments: Arguments(arguments) })
    }

    pub(super) fn run(&self, desk: &mut Desk<'_>, by: &Principal) -> Result<Told, Failure> {
        permit(desk, by, self.tool.class)?;
        self.arguments.check(&(self.tool.input)())?;
        (self.tool.run)(desk, by, &self.arguments)
    }
}

/// Whether a caller has the class of a tool, as it must have that of a route.
fn permit(desk: &Desk<'_>, by: &Principal, class: Class) -> Result<(), Failure> {
    if by.grant().has(class) {
        return Ok(());
    }
    let why = Refused::Class(class);
    match by.grant().mode {
        Mode::Enforce => Err(Denial { by: by.clone(), why }.into()),
        Mode::Audit => {
            super::super::telling::tell_refused("policy.would_deny", by, &why, desk.peer);
            Ok(())
        }
    }
}

/// What a tool is given, by name.
pub(super) struct Arguments<'c>(&'c Json);

impl<'c> Arguments<'c> {
    /// Refuses names that are not in the tool's schema.
    fn check(&self, schema: &Value) -> Result<(), Failure> {
        let Json::Object(given) = self.0 else { return Ok(()) };
        let known = schema.get("properties").and_then(Value::as_object);
        let is_known = |name: &str| known.is_some_and(|known| known.contains_key(name));
        match given.iter().find(|(name, _)| !is_known(name)) {
            None => Ok(()),
            Some((name, _)) => Err(Failure::Unfit(format!("unknown argument {name:?}"))),
        }
    }

    fn id(&self) -> Result<&'c str, Failure> {
        let id = self.0.member("id").and_then(Json::text).filter(|id| !id.is_empty());
        checked_id(id.ok_or_else(|| Failure::Unfit("id is required".to_owned()))?)
    }

    /// How many lines: the usual number for none and for less than one, the most for more than that.
    fn tail(&self) -> Result<u16, Failure> {
        let unfit = || Failure::Unfit(format!("invalid tail: must be a whole number from 1 to {TOOL_LINES_MAX}"));
        let number = match self.0.member("tail") {
            None | Some(Json::Null) => return Ok(TOOL_LINES),
            Some(Json::Number(number)) => number.as_f64().ok_or_else(unfit)?,
            Some(Json::Bool(_) | Json::Text(_) | Json::List(_) | Json::Object(_)) => return Err(unfit()),
        };
        // To JSON 5.0 is a whole number too.
        if number.fract() != 0.0 {
            return Err(unfit());
        }
        let bounded = number.clamp(0.0, f64::from(TOOL_LINES_MAX));
        let lines = format!("{bounded:.0}").parse().map_err(|_| unfit())?;
        Ok(if lines == 0 { TOOL_LINES } else { lines })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Classes;

    fn wanted(params: &str) -> Result<&'static str, Fault> {
        let params = Json::read(params.as_bytes()).unwrap();
        Wanted::read(&params).map(|wanted| wanted.tool.name)
    }

    fn names(told: &Value) -> Vec<&str> {
        let tools = told["tools"].as_array().unwrap();
        tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
    }

    #[test]
    fn a_caller_is_shown_the_tools_it_may_use() {
        let (view, logs) = (["list_containers", "inspect_container"], ["container_logs"]);
        let figures = ["container_stats", "host_metrics"];
        let all = [view.as_slice(), &logs, &figures].concat();
        for (classes, shown) in [
            ("all", all.clone()),
            ("mcp,view,logs", all),
            ("mcp,view", [view.as_slice(), &figures].concat()),
            ("mcp,logs", logs.to_vec()),
            ("mcp", Vec::new()),
        ] {
            let grant = Grant::of(Classes::parse(classes).unwrap());
            assert_eq!(names(&list(&grant)), shown, "{classes}");
        }
        let watched = Grant { mode: Mode::Audit, ..Grant::of(Classes::parse("mcp").unwrap()) };
        assert_eq!(names(&list(&watched)).len(), TOOLS.len());
    }

    #[test]
    fn every_tool_says_that_it_only_reads_and_describes_objects() {
        for tool in list(&Grant::EVERYTHING)["tools"].as_array().unwrap() {
            assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
            assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
            assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
            assert_eq!(tool["outputSchema"]["type"], "object", "{tool}");
            assert!(tool["description"].as_str().unwrap().len() > 40, "{tool}");
        }
    }

    #[test]
    fn a_tool_is_called_by_its_name_and_with_an_object() {
        assert_eq!(wanted(r#"{"name":"host_metrics"}"#), Ok("host_metrics"));
        assert_eq!(wanted(r#"{"name":"host_metrics","arguments":null}"#), Ok("host_metrics"));
        assert_eq!(wanted(r#"{"arguments":{"id":1},"name":"container_logs","_meta":{}}"#), Ok("container_logs"));
        let invalid = Fault::params("invalid tools/call params");
        for params in ["null", "{}", r#"{"name":1}"#, r#"{"name":"host_metrics","arguments":[]}"#] {
            assert_eq!(wanted(params).unwrap_err(), invalid, "{params}");
        }
        for name in ["", "Host_metrics", "host_metrics ", "rm"] {
            let unknown = Fault::params(format!("unknown tool: {name}"));
            assert_eq!(wanted(&format!(r#"{{"name":"{name}"}}"#)).unwrap_err(), unknown);
        }
    }

    #[test]
    fn lines_are_asked_for_in_whole_numbers_within_bounds() {
        let tail = |arguments: &str| {
            let arguments = Json::read(arguments.as_bytes()).unwrap();
            Arguments(&arguments).tail().map_err(|failure| failure.sentence())
        };
        for (given, taken) in [
            ("1", 1),
            ("100", 100),
            ("500", 500),
            ("5.0", 5),
            ("1e2", 100),
            ("501", 500),
            ("18446744073709551615", 500),
            ("1e300", 500),
            ("0", 100),
            ("-1", 100),
            ("-1e300", 100),
            ("null", 100),
        ] {
            assert_eq!(tail(&format!(r#"{{"tail":{given}}}"#)), Ok(taken), "{given}");
        }
        assert_eq!((tail("{}"), tail("null")), (Ok(100), Ok(100)));
        for bad in ["1.5", "\"5\"", "true", "[5]", "{}"] {
            let why = "lookout: invalid tail: must be a whole number from 1 to 500";
            assert_eq!(tail(&format!(r#"{{"tail":{bad}}}"#)), Err(why.to_owned()), "{bad}");
        }
    }

    #[test]
    fn a_container_is_named_as_the_engine_names_it() {
        let id = |arguments: &str| {
            let arguments = Json::read(arguments.as_bytes()).unwrap();
            Arguments(&arguments).id().map(str::to_owned).map_err(|failure| failure.sentence())
        };
        assert_eq!(id(r#"{"id":"web-1"}"#), Ok("web-1".to_owned()));
        for missing in ["null", "{}", r#"{"id":null}"#, r#"{"id":7}"#, r#"{"id":""}"#, r#"{"id":["web"]}"#] {
            assert_eq!(id(missing), Err("lookout: id is required".to_owned()), "{missing}");
        }
        for bad in ["../images", "a/b", "a%2fb", "a?b", "-a", ".", " a", "a b", "\\u0000"] {
            let why = id(&format!(r#"{{"id":"{bad}"}}"#)).unwrap_err();
            assert!(why.starts_with("lookout: invalid container id/name: "), "{bad}: {why}");
        }
    }

    #[test]
    fn arguments_nobody_knows_are_refused_by_name() {
        let check = |schema: fn() -> Value, arguments: &str| {
            let arguments = Json::read(arguments.as_bytes()).unwrap();
            Arguments(&arguments).check(&schema()).map_err(|failure| failure.sentence())
        };
        assert_eq!(check(schemas::lines_of_one, r#"{"id":"a","tail":1}"#), Ok(()));
        assert_eq!(check(schemas::nothing, "{}"), Ok(()));
        for (schema, arguments, name) in [
            (schemas::nothing as fn() -> Value, r#"{"id":"a"}"#, "id"),
            (schemas::one_container, r#"{"id":"a","tail":1}"#, "tail"),
            (schemas::lines_of_one, r#"{"id":"a","lines":1}"#, "lines"),
        ] {
            assert_eq!(check(schema, arguments), Err(format!("lookout: unknown argument {name:?}")));
        }
    }
}
