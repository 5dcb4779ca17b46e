//! What every running container uses. One round of questions at a time: everyone who asks meanwhile,
//! or soon after, is told what it brought.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::auth::Grant;
use crate::clock::{self, Deadline};
use crate::docker::{Docker, Error, Line};
use crate::http::Status;
use crate::limits::{
    INVENTORY_LIST_BYTES_MAX, JSON_ANSWER_BYTES_MAX, MEASURE_SECS, MEASURED_AT_ONCE_MAX,
    METRICS_CONTAINERS_MAX, SCRAPE_FRESH_MILLIS,
};
use crate::log::{self, text};
use crate::metrics::{Statistics, Unmeasured};
use crate::permits::Permits;
use crate::policy::is_identifier;
use crate::threads::Crew;

/// Who makes the rounds.
pub(crate) struct Rounds {
    state: Mutex<State>,
    ended: Condvar,
    crew: Crew,
    /// One for each thread that asks. One that an Engine keeps waiting holds it into the next round.
    places: Permits,
}

#[derive(Default)]
struct State {
    is_under_way: bool,
    last: Option<(Instant, Arc<Round>)>,
}

/// What a round brought; `None` where the Engine does not say which containers there are.
pub(super) type Round = Option<Vec<Row>>;

/// A container of the Engine's list.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) image: String,
    pub(super) state: String,
    labels: BTreeMap<String, String>,
    pub(super) usage: Usage,
}

/// What became of a container in a round.
#[derive(Debug)]
pub(super) enum Usage {
    /// It does not run, or does not any more.
    Idle,
    Measured(Box<Statistics>),
    Failed,
    /// There are too many.
    Omitted,
}

impl Row {
    pub(super) fn is_in_reach(&self, grant: &Grant) -> bool {
        grant.label.as_ref().is_none_or(|label| self.labels.get(&label.key) == Some(&label.value))
    }
}

impl Rounds {
    pub(crate) fn new() -> Self {
        let places = Permits::new(MEASURED_AT_ONCE_MAX);
        Self { state: Mutex::default(), ended: Condvar::new(), crew: Crew::new("measure"), places }
    }

    pub(crate) fn places(&self) -> &Permits {
        &self.places
    }

    /// A round that ended just now, or one that is made for whoever waits for it.
    pub(super) fn latest(&self, docker: &Arc<Docker>, within: Deadline) -> Arc<Round> {
        let (asked, fresh) = (clock::now(), Duration::from_millis(SCRAPE_FRESH_MILLIS));
        let mut state = self.lock();
        loop {
            if let Some((at, round)) = &state.last
                && asked.saturating_duration_since(*at) < fresh
            {
                return Arc::clone(round);
            }
            if !state.is_under_way {
                break;
            }
            let left = within.left().unwrap_or(Duration::MAX);
            if left.is_zero() {
                return Arc::new(None);
            }
            state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.is_under_way = true;
        drop(state);
        let _under_way = UnderWay(self);
        let round = Arc::new(self.run(docker, within));
        self.lock().last = Some((clock::now(), Arc::clone(&round)));
        round
    }

    fn run(&self, docker: &Arc<Docker>, within: Deadline) -> Round {
        let mut rows = match list(docker, within) {
            Ok(rows) => rows,
            Err(error) => {
                log::debug("metrics.no_containers", &[("error", text(&error))]);
                return None;
            }
        };
        // The same ones in every round, should they be too many.
        rows.sort_by(|one, other| one.id.cmp(&other.id));
        let running = rows.iter_mut().filter(|row| !matches!(row.usage, Usage::Idle));
        let (mut asked, mut ids) = (Vec::new(), Vec::new());
        for row in running {
            if ids.len() < METRICS_CONTAINERS_MAX {
                ids.push(row.id.clone());
                asked.push(row);
            } else {
                row.usage = Usage::Omitted;
            }
        }
        let usages = self.measure(docker, ids, within);
        for (row, usage) in asked.into_iter().zip(usages) {
            row.usage = usage;
        }
        Some(rows)
    }

    /// What each of them uses, by as many threads as are useful and free.
    fn measure(&self, docker: &Arc<Docker>, ids: Vec<String>, within: Deadline) -> Vec<Usage> {
        let count = ids.len();
        let told = Told { usages: ids.iter().map(|_| Usage::Failed).collect(), left: count };
        let work = Arc::new(Work {
            docker: Arc::clone(docker),
            ids,
            within,
            next: AtomicUsize::new(0),
            told: Mutex::new(told),
            changed: Condvar::new(),
        });
        let mut hands = 0_usize;
        while hands < count {
            let Some(place) = self.places.try_take() else { break };
            let own = Arc::clone(&work);
            let started = self.crew.submit(move || {
                let _place = place;
                own.run();
            });
            if let Err(error) = started {
                log::warn("metrics.no_thread", &[("error", text(&error))]);
                break;
            }
            hands = hands.saturating_add(1);
        }
        let span = if hands == 0 { Duration::ZERO } else { within.left().unwrap_or(Duration::MAX) };
        let waited = work.changed.wait_timeout_while(work.lock(), span, |told| told.left > 0);
        let mut told = waited.unwrap_or_else(PoisonError::into_inner).0;
        std::mem::take(&mut told.usages)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// This caller makes the round. Drop, even by panic, lets the next one.
struct UnderWay<'r>(&'r Rounds);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.lock().is_under_way = false;
        self.0.ended.notify_all();
    }
}

/// What the threads of a round share.
struct Work {
    docker: Arc<Docker>,
    ids: Vec<String>,
    within: Deadline,
    /// Who is asked about next.
    next: AtomicUsize,
    told: Mutex<Told>,
    changed: Condvar,
}

struct Told {
    /// In the order of the ids; gone once nobody waits any more.
    usages: Vec<Usage>,
    left: usize,
}

impl Work {
    fn run(&self) {
        let mut line = Line::default();
        while !self.within.passed() {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(id) = self.ids.get(at) else { return };
            let usage = self.ask(&mut line, id);
            let mut told = self.lock();
            if let Some(place) = told.usages.get_mut(at) {
                *place = usage;
            }
            told.left = told.left.saturating_sub(1);
            if told.left == 0 {
                self.changed.notify_all();
            }
        }
    }

    fn ask(&self, line: &mut Line, id: &str) -> Usage {
        let target = format!("/containers/{id}/stats?stream=false&one-shot=true");
        let within = self.within.left().unwrap_or(Duration::MAX).min(Duration::from_secs(MEASURE_SECS));
        let told = self.docker.document(line, &target, JSON_ANSWER_BYTES_MAX, Deadline::after(within));
        let failed = |why: &dyn std::fmt::Display| {
            log::debug("metrics.not_measured", &[("container", text(&id)), ("error", text(&why))]);
            Usage::Failed
        };
        match told {
            Ok((Status::OK, told)) => match Statistics::read(&told) {
                Ok(statistics) => Usage::Measured(Box::new(statistics)),
                Err(Unmeasured::NotRunning) => Usage::Idle,
                Err(why @ Unmeasured::Malformed(_)) => failed(&why),
            },
            // It went, or ended, since it was listed.
            Ok((Status(404 | 409), _)) => Usage::Idle,
            Ok((status, _)) => failed(&Error::Refused(status)),
            Err(error) => failed(&error),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn list(docker: &Docker, within: Deadline) -> Result<Vec<Row>, Error> {
    let target = "/containers/json?all=1";
    match docker.document(&mut Line::default(), target, INVENTORY_LIST_BYTES_MAX, within)? {
        (Status::OK, told) => read(&told).map_err(|_| Error::Unreadable),
        (status, _) => Err(Error::Refused(status)),
    }
}

/// Those that can be asked about: a name in a target is one.
fn read(list: &[u8]) -> Result<Vec<Row>, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Raw {
        id: String,
        names: Option<Vec<String>>,
        #[serde(default)]
        image: String,
        #[serde(default)]
        state: String,
        labels: Option<BTreeMap<String, String>>,
    }
    let raw: Vec<Raw> = serde_json::from_slice(list)?;
    let rows = raw.into_iter().filter(|raw| is_identifier(&raw.id)).map(|raw| {
        let runs = matches!(raw.state.as_str(), "running" | "paused");
        Row {
            name: own_name(&raw.names.unwrap_or_default()),
            usage: if runs { Usage::Failed } else { Usage::Idle },
            labels: raw.labels.unwrap_or_default(),
            id: raw.id,
            image: raw.image,
            state: raw.state,
        }
    });
    Ok(rows.collect())
}

/// Its own name, without the slash before it; names with further slashes are what others call it.
fn own_name(names: &[String]) -> String {
    let own = |name: &String| !name.trim_start_matches('/').contains('/');
    let name = names.iter().find(|name| own(name)).or_else(|| names.first()).map_or("", String::as_str);
    name.trim_start_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Classes, Label};
    use crate::docker::{Address, Settings};

    #[test]
    fn a_list_is_read_for_who_runs_and_who_can_be_asked_about() {
        let list = br#"[
            {"Id":"a1","Names":["/other/alias","/web"],"Image":"bb:1","State":"running","Labels":{"team":"a"}},
            {"Id":"b2","Names":[],"Image":"bb:1","State":"paused","Labels":null},
            {"Id":"c3","Names":null,"Image":"bb:1","State":"exited"},
            {"Id":"d4","State":"restarting"},
            {"Id":"../info?x","State":"running"}
        ]"#;
        let rows = read(list).unwrap();
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row.id.as_str(), row.name.as_str(), matches!(row.usage, Usage::Failed)))
            .collect();
        assert_eq!(told, [("a1", "web", true), ("b2", "", true), ("c3", "", false), ("d4", "", false)]);
        for text in ["{}", "[{}]", "[", "null", r#"[{"Id":1}]"#] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_caller_with_a_label_sees_what_carries_it_and_no_more() {
        let rows =
            read(br#"[{"Id":"a","Labels":{"t":"a"}},{"Id":"b","Labels":{"t":"b"}},{"Id":"c"}]"#).unwrap();
        let mut grant = Grant::of(Classes::ALL);
        let seen = |grant: &Grant| rows.iter().filter(|row| row.is_in_reach(grant)).count();
        assert_eq!(seen(&grant), 3);
        grant.label = Some(Label { key: "t".to_owned(), value: "a".to_owned() });
        assert_eq!(seen(&grant), 1);
    }

    #[test]
    fn an_engine_that_is_not_there_brings_nothing_and_is_not_asked_again_at_once() {
        let address = Address::Unix(vec!["/no/such/socket".into()]);
        let docker = Arc::new(Docker::new(Settings { address, head_within: Duration::from_secs(1) }));
        let rounds = Rounds::new();
        let [first, second] = [(); 2].map(|()| rounds.latest(&docker, Deadline::after_secs(60)));
        assert!(first.is_none() && Arc::ptr_eq(&first, &second));
        assert!(!rounds.lock().is_under_way);
    }

    #[test]
    fn whoever_waits_for_a_round_does_so_for_as_long_as_it_has_time() {
        let address = Address::Unix(vec!["/no/such/socket".into()]);
        let docker = Arc::new(Docker::new(Settings { address, head_within: Duration::from_secs(1) }));
        let rounds = Rounds::new();
        rounds.lock().is_under_way = true;
        assert!(rounds.latest(&docker, Deadline::after(Duration::ZERO)).is_none());
        drop(UnderWay(&rounds));
        assert!(rounds.latest(&docker, Deadline::after_secs(60)).is_none());
        assert!(rounds.lock().last.is_some());
    }
}
