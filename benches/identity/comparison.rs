//! Whether the time of a refusal tells how a wrong token differs from the right one: Welch's t over many requests.
//!
//! Every request is refused and so counts against its client. The agent believes this client to be a proxy, and
//! each request comes from another address behind it. All requests are of the same length, whatever their token;
//! that they are read at the same speed nobody promises, hence the same requests to a path that needs no token.
use std::io;
use std::time::Instant;

use crate::agents::Agent;
use crate::connection::Connection;
use crate::credentials::{TARGET, get_with};
use crate::requests::TOKEN;

/// How much shorter than the right one the short token is.
const SHORTER_BYTES: usize = 32;
/// How much longer than the right one the long token is.
const LONGER_BYTES: usize = 2048;
/// Refused before anything is counted, so that caches are warm and tables have grown.
const WARM_UP: usize = 500;
/// Addresses that are told apart, all written in the same number of bytes.
const ADDRESSES: usize = 1_000_000;
/// The slowest of each kind are noise of the machine: the shares that are kept.
pub(crate) const KEPT: [f64; 4] = [1.0, 0.9, 0.5, 0.1];

/// What is asked for with a wrong token, and the status that answers it.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) path: &'static str,
    pub(crate) status: u64,
}

/// Where tokens are compared.
pub(crate) const GUARDED: Asked = Asked { path: TARGET, status: 401 };
/// Where none is looked at: what differs here is not the comparison.
pub(crate) const PUBLIC: Asked = Asked { path: "/health", status: 200 };

/// The kinds of wrong tokens. The first is what the others are held against.
pub(crate) const KINDS: [&str; 5] = [
    "wrong in the first byte",
    "the same again",
    "wrong in the last byte",
    "32 bytes shorter",
    "2 KiB longer, so that more is hashed",
];

fn tokens() -> [String; KINDS.len()] {
    let (rest, most) = (&TOKEN[1..], &TOKEN[..TOKEN.len() - 1]);
    let (first, last) = (format!("X{rest}"), format!("{most}X"));
    let longer = format!("{TOKEN}{}", "x".repeat(LONGER_BYTES));
    [first.clone(), first, last, TOKEN[SHORTER_BYTES..].to_owned(), longer]
}

/// Nanoseconds from request to answer for each kind of token, taken in a random order.
pub(crate) fn times(agent: &Agent, asked: Asked, each: usize) -> io::Result<[Vec<f64>; KINDS.len()]> {
    let tokens = tokens();
    let mut times: [Vec<f64>; KINDS.len()] = Default::default();
    let mut connection = Connection::open(agent.address, None)?;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for number in 0..WARM_UP + each * KINDS.len() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let kind = (random >> 33) as usize % KINDS.len();
        let request = request(asked.path, &tokens[kind], number % ADDRESSES);
        let begun = Instant::now();
        let status = connection.exchange(&request)?.status;
        let elapsed = begun.elapsed();
        if status != asked.status {
            let sentence = format!("a wrong token was answered {status} instead of {}", asked.status);
            return Err(io::Error::other(sentence));
        }
        if number >= WARM_UP {
            times[kind].push(elapsed.as_nanos() as f64);
        }
    }
    Ok(times)
}

fn request(path: &str, token: &str, address: usize) -> Vec<u8> {
    let padding = "x".repeat(TOKEN.len() + LONGER_BYTES - token.len());
    let address = fixed_width(address);
    let fields = format!("X-Padding: {padding}\r\nX-Forwarded-For: {address}\r\n");
    get_with(path, &format!("Authorization: Bearer {token}\r\n{fields}"))
}

/// A private address, always of the same length.
fn fixed_width(address: usize) -> String {
    format!("10.{}.{}.{}", 100 + address / 10_000, 100 + address / 100 % 100, 100 + address % 100)
}

/// What one kind gives beside another.
pub(crate) struct Contrast {
    /// Nanoseconds between the medians.
    pub(crate) difference: f64,
    /// Welch's t for each of the shares that are kept.
    pub(crate) t: [f64; KEPT.len()],
}

pub(crate) fn contrast(base: &[f64], other: &[f64]) -> Contrast {
    let t = KEPT.map(|share| welch(&Trimmed::of(base, share), &Trimmed::of(other, share)));
    Contrast { difference: median(other) - median(base), t }
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let middle = |at: usize| sorted.get(at).copied().unwrap_or(f64::NAN);
    f64::midpoint(middle(sorted.len().saturating_sub(1) / 2), middle(sorted.len() / 2))
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// The mean of the fastest, and the square of its standard error.
struct Trimmed {
    mean: f64,
    error_squared: f64,
}

impl Trimmed {
    /// The error after Yuen: what is left out still counts as if it were the slowest that is kept. Without it
    /// a trimmed mean looks surer than it is, and two equal kinds look different.
    fn of(times: &[f64], share: f64) -> Self {
        let mut sorted = sorted(times);
        let all = sorted.len() as f64;
        let kept = (sorted.len() as f64 * share) as usize;
        let mean = sorted[..kept].iter().sum::<f64>() / kept as f64;
        let slowest = sorted[kept - 1];
        sorted[kept..].fill(slowest);
        let centre = sorted.iter().sum::<f64>() / all;
        let squares = sorted.iter().map(|time| (time - centre).powi(2)).sum::<f64>();
        Self { mean, error_squared: squares / (kept as f64 * (kept as f64 - 1.0)) }
    }
}

/// Welch's t; of means that were not trimmed it is the plain one.
fn welch(base: &Trimmed, other: &Trimmed) -> f64 {
    (other.mean - base.mean) / (base.error_squared + other.error_squared).sqrt()
}
