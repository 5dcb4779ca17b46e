//! The way to the controller, step by step, until one of them fails.

use super::exchange::{self, Said};
use super::expiry;
use super::row::{Outcome, Row, Tell};
use super::snippets::SNIPPETS;
use crate::clock::{self, Deadline};
use crate::edge::{self, DialFailed, Dialect, LOOKOUT, PORTWING, Protocol, Proxy, Url, Way};
use crate::http::Status;
use crate::limits::{CLOCK_SKEW_SECS, SKEW_WARN_SECS};
use crate::net::Conn;
use crate::net::tls::Connector;

/// What a step may take that answers soon or never.
const STEP_SECS: u64 = 10;
/// The upgrade: some controllers leave a path without an answer that they do not know.
const UPGRADE_SECS: u64 = 5;

const NAME: &str = "name";
const TCP: &str = "connection";
const PROXY: &str = "proxy";
const TLS: &str = "tls";
const CERTIFICATE: &str = "certificate";
const REVERSE_PROXY: &str = "reverse proxy";
const CLOCK: &str = "clock";

/// Every step, in the order in which they are taken.
const STEPS: &[&str] =
    &[NAME, TCP, PROXY, TLS, CERTIFICATE, LOOKOUT.protocol, PORTWING.protocol, REVERSE_PROXY, CLOCK];

/// Whom we want to reach, and how.
pub(super) struct Controller<'a> {
    pub(super) url: &'a Url,
    pub(super) way: &'a Way,
    pub(super) protocol: Protocol,
}

/// How the upgrade went in one dialect.
enum Upgrade {
    Done,
    Failed(DialFailed),
    Untried,
}

impl Controller<'_> {
    pub(super) fn examine(&self, tell: Tell<'_>) {
        tell(self.address());
        let proxy = self.way.proxies.to(self.url);
        match self.reach(proxy, tell) {
            Ok(conn) => {
                if self.secure(conn, proxy, tell) {
                    self.upgrades(tell);
                } else {
                    skip_behind(CERTIFICATE, tell);
                }
            }
            Err(row) => {
                let name = row.name;
                tell(row);
                skip_behind(name, tell);
            }
        }
    }

    fn address(&self) -> Row {
        let what = self.url.to_string();
        if self.url.is_tls() || self.url.is_loopback() {
            return Row::ok("address", what);
        }
        let what = format!("{what}: everybody on the path reads along, and may answer as the controller");
        Row::warn("address", what, "use wss://")
    }

    /// A connection that leads to the controller, and nothing said over it yet.
    fn reach(&self, proxy: Option<&Proxy>, tell: Tell<'_>) -> Result<Conn, Row> {
        let (host, port) = match proxy {
            Some(proxy) => (proxy.host(), proxy.port()),
            None => (self.url.host(), self.url.port()),
        };
        let deadline = || Deadline::after_secs(STEP_SECS);
        let failed = |name| move |why: DialFailed| Row::failed(name, why.to_string());
        let addresses = edge::resolve(host, port, deadline()).map_err(failed(NAME))?;
        let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
        tell(if shown.iter().any(|address| address == host) {
            Row::ok(NAME, format!("{host} is an address, and needs no look-up"))
        } else {
            Row::ok(NAME, format!("{host} is {}", shown.join(", ")))
        });
        let (conn, peer) = edge::connect(addresses, deadline()).map_err(failed(TCP))?;
        tell(Row::ok(TCP, format!("{peer} takes it")));
        let Some(proxy) = proxy else {
            tell(Row::ok(PROXY, "none leads there"));
            return Ok(conn);
        };
        let conn = edge::through(conn, proxy, self.url, deadline()).map_err(failed(PROXY))?;
        tell(Row::ok(PROXY, format!("{proxy} connects us")));
        Ok(conn)
    }

    /// Whether the upgrade can be asked for.
    fn secure(&self, mut conn: Conn, proxy: Option<&Proxy>, tell: Tell<'_>) -> bool {
        if !self.url.is_tls() {
            tell(Row::skipped(TLS, "the address asks for none"));
            tell(Row::skipped(CERTIFICATE, "without TLS none is shown"));
            return true;
        }
        let shaken = self.start_tls(&mut conn, &self.way.connector);
        let is_good = shaken.is_ok();
        tell(match shaken {
            Ok(()) => Row::ok(TLS, "agreed on, with a certificate that is believed"),
            Err(why) => Row::failed(TLS, why.to_string()),
        });
        tell(if is_good { dates(&conn) } else { self.look_anyway(proxy) });
        is_good
    }

    fn start_tls(&self, conn: &mut Conn, connector: &Connector) -> Result<(), DialFailed> {
        edge::start_tls(conn, connector, self.url.host(), Deadline::after_secs(STEP_SECS))
    }

    /// The certificate of whom we do not believe: its dates may be the reason. Nothing is sent there.
    fn look_anyway(&self, proxy: Option<&Proxy>) -> Row {
        let look = || {
            let mut conn = self.reach(proxy, &mut |_| {}).ok()?;
            let connector = Connector::unverified().ok()?;
            self.start_tls(&mut conn, &connector).ok()?;
            Some(dates(&conn))
        };
        look().unwrap_or_else(|| Row::skipped(CERTIFICATE, "none was shown"))
    }

    fn upgrades(&self, tell: Tell<'_>) {
        let mut date = None;
        let tried = [&LOOKOUT, &PORTWING].map(|dialect| (dialect, self.upgrade(dialect, &mut date)));
        let is_spoken = tried.iter().any(|(_, upgrade)| matches!(upgrade, Upgrade::Done));
        for (dialect, upgrade) in &tried {
            let name = dialect.protocol;
            tell(match upgrade {
                Upgrade::Done => Row::ok(name, format!("{} answers with 101", self.url.path(dialect))),
                Upgrade::Untried => Row::skipped(name, "EDGE_PROTOCOL chooses the other one"),
                Upgrade::Failed(why) if is_spoken => {
                    Row::skipped(name, format!("not spoken there, and not needed: {why}"))
                }
                Upgrade::Failed(why) => Row::failed(name, why.to_string()),
            });
        }
        tell(self.reverse_proxy(&tried));
        let date = date.or_else(|| self.get("/")?.date);
        tell(clock(date, clock::unix().as_secs()));
    }

    fn upgrade(&self, dialect: &'static Dialect, date: &mut Option<u64>) -> Upgrade {
        if matches!(self.protocol, Protocol::Only(only) if only != dialect) {
            return Upgrade::Untried;
        }
        let path = self.url.path(dialect);
        match edge::dial(self.url, self.way, &path, Deadline::after_secs(UPGRADE_SECS)) {
            Ok(dialled) => {
                *date = dialled.date.or(*date);
                Upgrade::Done
            }
            Err(why) => {
                if let DialFailed::Refused(answered) = &why {
                    *date = answered.date.or(*date);
                }
                Upgrade::Failed(why)
            }
        }
    }

    fn reverse_proxy(&self, tried: &[(&'static Dialect, Upgrade); 2]) -> Row {
        let mut row = Row::skipped(REVERSE_PROXY, "what the upgrade failed of is something else");
        for (dialect, upgrade) in tried {
            match upgrade {
                Upgrade::Done => return Row::ok(REVERSE_PROXY, "none, or one that passes WebSockets on"),
                Upgrade::Failed(DialFailed::Refused(answered)) if answered.has_lost_upgrade() => {
                    let what = "the request seems to arrive without its Upgrade field, as an ordinary one";
                    row = Row::fail(REVERSE_PROXY, what, SNIPPETS);
                }
                // Where an ordinary request has the same answer, the field may not have arrived.
                Upgrade::Failed(DialFailed::Refused(answered))
                    if row.outcome == Outcome::Skipped && answered.status == Status::NOT_FOUND =>
                {
                    let plain = self.get(&self.url.path(dialect));
                    if plain.is_some_and(|plain| plain.status == answered.status) {
                        let what = "with and without the Upgrade field the answer is the same (404): the field \
                                    may not arrive, or no controller is at this path";
                        row = Row::warn(REVERSE_PROXY, what, SNIPPETS);
                    }
                }
                Upgrade::Failed(_) | Upgrade::Untried => {}
            }
        }
        row
    }

    /// The answer to an ordinary request.
    fn get(&self, path: &str) -> Option<Said> {
        let mut conn = self.reach(self.way.proxies.to(self.url), &mut |_| {}).ok()?;
        if self.url.is_tls() {
            self.start_tls(&mut conn, &self.way.connector).ok()?;
        }
        let fields: Vec<_> = self.way.headers.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let deadline = Deadline::after_secs(UPGRADE_SECS);
        exchange::get(conn, &self.url.authority(), path, &fields, deadline).ok()
    }
}

fn clock(date: Option<u64>, ours: u64) -> Row {
    let Some(theirs) = date else { return Row::skipped(CLOCK, "the controller does not tell its time") };
    let apart = ours.abs_diff(theirs);
    if apart <= SKEW_WARN_SECS {
        return Row::ok(CLOCK, format!("within {SKEW_WARN_SECS} s of the controller's"));
    }
    let word = if ours > theirs { "ahead of" } else { "behind" };
    let what = format!(
        "the clock of this machine is {apart} s {word} the controller's, and what is signed is good for \
         {CLOCK_SKEW_SECS} s"
    );
    Row::warn(CLOCK, what, "have both clocks set by NTP")
}

fn dates(conn: &Conn) -> Row {
    let none = || Row::skipped(CERTIFICATE, "none was shown");
    conn.peer_certificate().map_or_else(none, |shown| expiry::row(shown, clock::unix().as_secs()))
}

/// Each step that comes after this one, which failed.
fn skip_behind(failed: &str, tell: Tell<'_>) {
    for name in STEPS.iter().skip_while(|name| **name != failed).skip(1) {
        tell(Row::skipped(name, "not reached"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_a_little_in_both_directions() {
        for (theirs, outcome, word) in [
            (Some(1000), Outcome::Ok, "within 30 s"),
            (Some(970), Outcome::Ok, "within 30 s"),
            (Some(1030), Outcome::Ok, "within 30 s"),
            (Some(969), Outcome::Warn, "31 s ahead of"),
            (Some(1031), Outcome::Warn, "31 s behind"),
            (None, Outcome::Skipped, "does not tell"),
        ] {
            let row = clock(theirs, 1000);
            assert!(row.outcome == outcome && row.what.contains(word), "{theirs:?}: {}", row.what);
        }
    }

    #[test]
    fn every_step_behind_the_one_that_failed_is_skipped() {
        let skipped = |failed: &str| {
            let mut names = Vec::new();
            skip_behind(failed, &mut |row| names.push(row.name));
            names
        };
        assert_eq!(skipped(REVERSE_PROXY), [CLOCK]);
        assert_eq!(skipped(NAME).len(), STEPS.len() - 1);
        assert_eq!(skipped(CLOCK), Vec::<&str>::new());
    }
}
