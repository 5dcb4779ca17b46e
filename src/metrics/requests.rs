//! Requests by method and status, how long they took, and how many there are just now.

use std::time::Instant;

use super::counts::{Count, Times, place};
use super::families::{IN_FLIGHT, REQUEST_TIMES, REQUESTS};
use super::text::Page;
use crate::clock;

/// Methods that are counted by their name; a stranger invents no further ones. The last is for what
/// we do not know, or cannot read.
const METHODS: [&str; 8] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "OTHER"];

/// Codes that are counted by their number: those we send, and those the Engine does.
const CODES: [u16; 37] = [
    101, 200, 201, 202, 204, 206, 301, 302, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410, 411,
    412, 413, 414, 415, 416, 417, 422, 426, 429, 431, 500, 501, 502, 503, 504, 505,
];

/// What is counted of requests. Nothing waits for anybody.
#[derive(Debug)]
pub(crate) struct Requests {
    answered: [Answers; METHODS.len()],
    in_flight: Count,
    times: Times,
}

/// Answers to one method, by their codes.
#[derive(Debug)]
struct Answers {
    known: [Count; CODES.len()],
    others: Count,
}

/// A request that is being answered; over, whichever way, when this is dropped.
pub(crate) struct Flight<'r> {
    requests: &'r Requests,
    /// When it began, once it is known to count.
    began: Option<Instant>,
    was_let_in: bool,
}

impl Requests {
    pub(super) const fn new() -> Self {
        Self {
            answered: [const { Answers::new() }; METHODS.len()],
            in_flight: Count::new(),
            times: Times::new(),
        }
    }

    /// For a request that has come, and may turn out not to count.
    pub(crate) fn flight(&self) -> Flight<'_> {
        Flight { requests: self, began: None, was_let_in: false }
    }

    pub(super) fn write(&self, page: &mut Page) {
        let mut series = page.family(&REQUESTS);
        for (method, answers) in METHODS.iter().zip(&self.answered) {
            let known = CODES.iter().zip(&answers.known).map(|(code, count)| (code.to_string(), count));
            for (code, count) in known.chain([("other".to_owned(), &answers.others)]) {
                // Three hundred series of which a dozen ever count: those that do not are not told.
                if count.get() > 0 {
                    series.add(&[method, &code], count.get());
                }
            }
        }
        page.histogram(&REQUEST_TIMES, &self.times.spread());
        page.one(&IN_FLIGHT, self.in_flight.get());
    }
}

impl Answers {
    const fn new() -> Self {
        Self { known: [const { Count::new() }; CODES.len()], others: Count::new() }
    }

    fn up(&self, code: u16) {
        let known = CODES.binary_search(&code).ok().and_then(|place| self.known.get(place));
        known.unwrap_or(&self.others).up();
    }
}

impl Flight<'_> {
    /// It is one of those that count; from here on it is in flight.
    pub(crate) fn counts(&mut self) {
        if self.began.is_none() {
            self.requests.in_flight.up();
            self.began = Some(clock::now());
        }
    }

    /// A handler has it: how long it takes to its answer's end counts too.
    pub(crate) fn let_in(&mut self) {
        self.was_let_in = true;
    }

    /// The answer's status is known.
    pub(crate) fn answered(&self, method: &str, code: u16) {
        let answers = self.requests.answered.get(place(&METHODS, method));
        if let (Some(_), Some(answers)) = (self.began, answers) {
            answers.up(code);
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let Some(began) = self.began else { return };
        self.requests.in_flight.down();
        if self.was_let_in {
            self.requests.times.add(clock::now().saturating_duration_since(began));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::check::Checked;

    fn told(requests: &Requests) -> Checked {
        let mut page = Page::default();
        requests.write(&mut page);
        Checked::of(&page.finish())
    }

    fn begin(requests: &Requests) -> Flight<'_> {
        let mut flight = requests.flight();
        flight.counts();
        flight
    }

    #[test]
    fn a_request_is_in_flight_until_it_is_dropped() {
        let requests = Requests::new();
        let (mut first, second) = (begin(&requests), begin(&requests));
        first.counts();
        assert_eq!(told(&requests).number("lookout_http_requests_in_flight"), 2.0);
        drop((first, second));
        assert_eq!(told(&requests).number("lookout_http_requests_in_flight"), 0.0);
    }

    #[test]
    fn only_what_was_let_in_is_timed() {
        let requests = Requests::new();
        begin(&requests).answered("GET", 401);
        assert_eq!(told(&requests).number("lookout_http_request_duration_seconds_count"), 0.0);
        let mut flight = begin(&requests);
        flight.let_in();
        flight.answered("GET", 200);
        drop(flight);
        drop(begin(&requests));
        let told = told(&requests);
        assert_eq!(told.number("lookout_http_request_duration_seconds_count"), 1.0);
        for code in ["401", "200"] {
            let series = format!("lookout_http_requests_total{{method=\"GET\",code=\"{code}\"}}");
            assert_eq!(told.number(&series), 1.0);
        }
    }

    #[test]
    fn what_does_not_count_leaves_nothing_behind() {
        let requests = Requests::new();
        let mut flight = requests.flight();
        flight.let_in();
        flight.answered("GET", 200);
        drop(flight);
        let told = told(&requests);
        assert_eq!(told.number("lookout_http_requests_in_flight"), 0.0);
        assert_eq!(told.number("lookout_http_request_duration_seconds_count"), 0.0);
        assert!(told.family("lookout_http_requests_total").is_empty());
    }

    #[test]
    fn strangers_make_no_series() {
        let requests = Requests::new();
        for number in 0..2000_u16 {
            begin(&requests).answered(&format!("M{number}"), number);
            begin(&requests).answered("GET", 418);
        }
        let told = told(&requests);
        assert_eq!(told.number("lookout_http_requests_total{method=\"GET\",code=\"other\"}"), 2000.0);
        assert_eq!(told.family("lookout_http_requests_total").len(), CODES.len() + 2);
    }

    #[test]
    fn every_code_stands_where_it_is_found() {
        assert!(CODES.is_sorted() && METHODS[..7].is_sorted());
        assert!(CODES.iter().all(|code| (100..600).contains(code)));
    }
}
