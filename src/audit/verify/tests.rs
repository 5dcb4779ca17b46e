//! Every harm that can be done to a trail is found, and the first bad record is named.

use super::super::chain::Chain;
use super::super::specimens::{is_signed, public, request, signer, verify};
use super::super::{Event, Record};
use super::*;

/// A trail of 200 requests with a checkpoint behind each 50, line by line.
fn trail() -> Vec<Vec<u8>> {
    let mut chain = Chain::new();
    let mut lines = Vec::new();
    for number in 0..200 {
        lines.push(sealed(&mut chain, &request(number)));
        if number % 50 == 49 {
            let checkpoint = checkpoint(&chain, 1);
            lines.push(sealed(&mut chain, &checkpoint));
        }
    }
    lines
}

fn sealed(chain: &mut Chain, record: &Record) -> Vec<u8> {
    let mut line = record.line(std::time::Duration::from_secs(chain.next()));
    chain.seal(&mut line);
    line.push(b'\n');
    line
}

fn checkpoint(chain: &Chain, key: u8) -> Record {
    let signature = (signer(key).sign)(signed_text(chain.next(), &chain.prev()).as_bytes());
    Record {
        key: Some(public(key)),
        signature: Some(BASE64URL_NOPAD.encode(&signature)),
        ..Record::new(Event::Checkpoint)
    }
}

fn of(lines: &[Vec<u8>]) -> Result<Report, Fault> {
    verify(&[&lines.concat()], whole())
}

/// The trail is expected to begin at its beginning.
fn whole() -> Expected {
    Expected { first: Some(1), head: None }
}

/// And to end at its end.
fn known(lines: &[Vec<u8>]) -> Expected {
    Expected { head: Some((204, of(lines).unwrap().head)), ..whole() }
}

fn fault(line: u64, seq: u64, what: What) -> Fault {
    Fault { at: Place { file: 1, line }, seq, what }
}

/// Verifies many trails that begin like this one, each from where it differs.
struct Bench {
    /// Behind so many lines.
    behind: Vec<Verifier<'static>>,
}

impl Bench {
    fn of(lines: &[Vec<u8>], expected: Expected) -> Self {
        let mut behind = vec![Verifier::new(&is_signed, expected)];
        for line in lines {
            let mut next = behind.last().unwrap().clone();
            next.line(line).unwrap();
            behind.push(next);
        }
        Self { behind }
    }

    /// As many lines as there were, and then these bytes.
    fn verify(&self, lines: usize, rest: &[u8]) -> Result<Report, Fault> {
        let mut verifier = self.behind[lines].clone();
        for line in rest.split_inclusive(|byte| *byte == b'\n') {
            verifier.line(line)?;
        }
        verifier.end()
    }
}

/// Numbers that look random, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0.checked_rem(most as u64).unwrap()).unwrap()
    }
}

#[test]
fn a_trail_that_is_whole_is_reported_as_such() {
    let lines = trail();
    let report = of(&lines).unwrap();
    let expected = Report {
        records: 204,
        first: 1,
        last: 204,
        checkpoints: 4,
        keys: vec![public(1)],
        head: report.head.clone(),
        ..Report::default()
    };
    assert_eq!(report, expected);
    assert!(lines[203].ends_with(format!("\"hash\":\"{}\"}}\n", report.head).as_bytes()));
    assert_eq!(of(&lines[..203]).unwrap().unsigned, 50);
    assert_eq!(verify(&[&lines.concat()], known(&lines)), Ok(expected));
    assert_eq!(verify(&[], Expected::default()), Ok(Report::default()));
}

#[test]
fn ten_thousand_changes_of_one_byte_are_found_where_they_are() {
    let lines = trail();
    let bench = Bench::of(&lines, known(&lines));
    let mut numbers = Numbers(42);
    for _ in 0..10_000 {
        let (number, flip) = (numbers.below(lines.len()), 1 + numbers.below(255));
        let at = numbers.below(lines[number].len());
        let mut rest = lines[number..].concat();
        rest[at] ^= u8::try_from(flip).unwrap();
        let found = bench.verify(number, &rest).unwrap_err();
        let seq = number as u64 + 1;
        assert_eq!((found.at.line, found.seq), (seq, seq), "byte {at} of record {seq}: {found}");
        assert!(matches!(found.what, What::Changed | What::Cut), "{found}");
    }
}

#[test]
fn thousands_of_deletions_are_found_where_they_are() {
    let lines = trail();
    let bench = Bench::of(&lines, known(&lines));
    let mut numbers = Numbers(43);
    for _ in 0..2_500 {
        let from = numbers.below(lines.len());
        let count = 1 + numbers.below(3.min(lines.len() - from));
        let found = bench.verify(from, &lines[from + count..].concat()).unwrap_err();
        let (from, to) = (from as u64 + 1, (from + count) as u64);
        assert_eq!(found.what, What::Missing { from, to });
        // What is missing at the end is missed behind the last line.
        assert_eq!(found.at.line, from.min((lines.len() - count) as u64));
    }
}

#[test]
fn thousands_of_swaps_are_found_where_they_are() {
    let lines = trail();
    let (bench, unaware) = (Bench::of(&lines, whole()), Bench::of(&lines, Expected::default()));
    let mut numbers = Numbers(44);
    for _ in 0..2_500 {
        let (one, other) = (numbers.below(lines.len()), numbers.below(lines.len()));
        if one == other {
            continue;
        }
        let mut swapped: Vec<_> = lines.iter().collect();
        swapped.swap(one, other);
        let from = one.min(other);
        let rest: Vec<u8> = swapped[from..].iter().flat_map(|line| line.iter().copied()).collect();
        let (first, later) = (from as u64 + 1, one.max(other) as u64 + 1);
        let expected = fault(first, later, What::Reordered);
        assert_eq!(bench.verify(from, &rest), Err(expected.clone()));
        // It is found without knowing where the trail begins, too.
        assert_eq!(unaware.verify(from, &rest), Err(expected));
    }
}

#[test]
fn ten_thousand_truncations_are_found_where_they_are() {
    let lines = trail();
    let text = lines.concat();
    let (bench, unaware) = (Bench::of(&lines, known(&lines)), Bench::of(&lines, whole()));
    let mut ends = vec![0];
    lines.iter().for_each(|line| ends.push(ends[ends.len() - 1] + line.len()));
    let mut numbers = Numbers(45);
    for turn in 0..10_000 {
        // One in ten ends where a line does.
        let length = match turn % 10 {
            0 => ends[numbers.below(lines.len())],
            _ => numbers.below(text.len()),
        };
        let before = ends.partition_point(|end| *end <= length) - 1;
        let cut = &text[ends[before]..length];
        let number = before as u64 + 1;
        let found = bench.verify(before, cut).unwrap_err();
        let without = unaware.verify(before, cut);
        if ends.contains(&length) {
            assert_eq!(found, fault(number - 1, number, What::Missing { from: number, to: 204 }));
            // This is what only the head can tell.
            assert_eq!(without.unwrap().last, number - 1);
        } else {
            assert_eq!(found, fault(number, number, What::Cut));
            assert_eq!(without, Err(found));
        }
    }
}

#[test]
fn a_record_that_was_sealed_anew_is_found_by_the_next_one_or_the_head() {
    let mut lines = trail();
    let expected = known(&lines);
    for number in [0, 100, 203] {
        let mut chain = Chain::new();
        let before = if number == 0 { chain.clone() } else { after(&lines[number - 1]) };
        chain.clone_from(&before);
        let genuine = std::mem::replace(&mut lines[number], sealed(&mut chain, &request(999)));
        let seq = number as u64 + 1;
        let found = verify(&[&lines.concat()], expected.clone());
        assert_eq!(found, Err(fault(seq, seq, What::Changed)));
        lines[number] = genuine;
    }
    // All that follows may be sealed anew, too: then a checkpoint or the head must tell.
    let mut chain = after(&lines[99]);
    let mut anew: Vec<_> = lines[..100].to_vec();
    anew.extend((0..104).map(|number| sealed(&mut chain, &request(number))));
    assert_eq!(of(&anew).unwrap().unsigned, 49 + 104);
    assert_eq!(verify(&[&anew.concat()], expected), Err(fault(204, 204, What::Changed)));
}

fn after(line: &[u8]) -> Chain {
    let Seal::Fits { seq, hash, .. } = chain::read(line.strip_suffix(b"\n").unwrap()) else {
        panic!("a record")
    };
    Chain::after(seq, hash)
}

#[test]
fn a_checkpoint_that_the_agent_did_not_sign_is_forged() {
    let mut chain = Chain::new();
    let first = sealed(&mut chain, &request(1));
    let good = checkpoint(&chain, 1);
    for forged in [
        Record { key: Some(public(2)), ..good.clone() },
        Record { key: None, ..good.clone() },
        Record { signature: None, ..good.clone() },
        Record { signature: Some("A".repeat(86)), ..good.clone() },
        Record { signature: checkpoint(&Chain::new(), 1).signature, ..good.clone() },
    ] {
        let lines = [first.clone(), sealed(&mut chain.clone(), &forged)];
        assert_eq!(of(&lines), Err(fault(2, 2, What::Forged)));
    }
    let lines = [first, sealed(&mut chain, &good)].concat();
    assert_eq!(verify(&[&lines], whole()).unwrap().keys, [public(1)]);
    // Somebody else's key, where one is known.
    let only_two = |key: &str, message: &[u8], signature: &[u8; 64]| {
        key == public(2) && is_signed(key, message, signature)
    };
    let mut verifier = Verifier::new(&only_two, whole());
    let told: Vec<_> = lines.split_inclusive(|byte| *byte == b'\n').map(|line| verifier.line(line)).collect();
    assert_eq!(told, [Ok(()), Err(fault(2, 2, What::Forged))]);
}

#[test]
fn a_record_that_stands_twice_stands_in_anothers_place() {
    let mut lines = trail();
    lines.insert(7, lines[3].clone());
    assert_eq!(of(&lines), Err(fault(8, 4, What::Reordered)));
}

#[test]
fn the_files_of_a_trail_are_read_as_one() {
    let lines = trail();
    let (one, other) = (lines[..90].concat(), lines[90..].concat());
    assert_eq!(verify(&[&one, &other], known(&lines)).unwrap().records, 204);
    let swapped = verify(&[&other, &one], Expected::default()).unwrap_err();
    assert_eq!((swapped.at, swapped.what), (Place { file: 1, line: 1 }, What::Reordered));
    let second = verify(&[&one, &lines[91..].concat()], whole()).unwrap_err();
    assert_eq!((second.at, second.seq), (Place { file: 2, line: 1 }, 92));
    assert_eq!(second.what, What::Missing { from: 91, to: 91 });
    let unended = verify(&[&one[..one.len() - 1], &other], whole());
    assert_eq!(unended, Err(fault(90, 90, What::Cut)));
    // Without its first file it is whole from there on, unless it is expected to begin before.
    assert_eq!(verify(&[&other], Expected::default()).unwrap().first, 91);
    assert_eq!(verify(&[&other], whole()), Err(fault(1, 91, What::Missing { from: 1, to: 90 })));
    let head = Expected { first: None, head: Some((90, "0".repeat(64))) };
    assert_eq!(verify(&[&other], head), Err(fault(114, 90, What::Missing { from: 90, to: 90 })));
}

#[test]
fn a_head_that_is_not_among_the_records_is_missing_on_its_side() {
    let lines = trail();
    let shown = lines[10..20].concat();
    let with_head =
        |seq| verify(&[&shown], Expected { first: None, head: Some((seq, of(&lines[..20]).unwrap().head)) });
    let missing = |line, from, to| Err(fault(line, from, What::Missing { from, to }));
    assert_eq!(with_head(21), missing(10, 21, 21));
    assert_eq!(with_head(30), missing(10, 21, 30));
    assert_eq!(with_head(10), missing(10, 10, 10));
    assert_eq!(with_head(1), missing(10, 1, 10));
    assert!(with_head(20).is_ok());
    // The first one is there too, and is another one.
    assert_eq!(with_head(11), Err(fault(1, 11, What::Changed)));
    let first = of(&lines[..11]).unwrap().head;
    assert!(verify(&[&shown], Expected { first: None, head: Some((11, first)) }).is_ok());
}

#[test]
fn a_trail_begins_where_it_is_expected_to() {
    let lines = trail();
    let from = |first| verify(&[&lines[4..].concat()], Expected { first: Some(first), head: None });
    assert_eq!(from(5).unwrap().first, 5);
    assert_eq!(from(4), Err(fault(1, 5, What::Missing { from: 4, to: 4 })));
    assert_eq!(from(6), Err(fault(1, 5, What::Reordered)));
    // The very first record stands behind nothing.
    let behind = [sealed(&mut Chain::after(0, [7; 32]), &request(1))];
    assert_eq!(of(&behind), Err(fault(1, 1, What::Changed)));
    assert_eq!(verify(&[&behind.concat()], Expected::default()), Err(fault(1, 1, What::Changed)));
}

#[test]
fn the_first_record_that_stands_twice_is_named_where_it_stands_again() {
    let lines = trail();
    let twice = [&lines[..4], &lines[..1], &lines[4..]].concat();
    assert_eq!(of(&twice), Err(fault(5, 1, What::Reordered)));
    // Behind a gap, one that does not fill it does not explain it.
    let early = |later: usize| of(&[&lines[..2], &lines[4..5], &lines[later..=later]].concat());
    assert_eq!(early(1), Err(fault(3, 5, What::Missing { from: 3, to: 4 })));
    assert_eq!(early(2), Err(fault(3, 5, What::Reordered)));
}

#[test]
fn no_more_keys_sign_than_may() {
    let most = u8::try_from(AUDIT_KEYS_MAX).unwrap();
    let mut chain = Chain::new();
    let mut lines = Vec::new();
    for key in (0..most).chain([0, most - 1]) {
        let checkpoint = checkpoint(&chain, key);
        lines.push(sealed(&mut chain, &checkpoint));
    }
    let report = of(&lines).unwrap();
    assert_eq!((report.keys.len(), report.checkpoints), (AUDIT_KEYS_MAX, u64::from(most) + 2));
    let checkpoint = checkpoint(&chain, most);
    lines.push(sealed(&mut chain, &checkpoint));
    assert_eq!(of(&lines), Err(fault(u64::from(most) + 3, u64::from(most) + 3, What::Forged)));
}

#[test]
fn bytes_that_are_no_record_stand_behind_one_that_tells_of_them() {
    let mut chain = Chain::new();
    let first = sealed(&mut chain, &request(1));
    let stray = b"{\"time\":\"2026\n\nplain words".to_vec();
    let torn = Torn::new(&stray);
    let recovered = Record {
        torn: Some(torn.bytes()),
        torn_hash: Some(torn.hash()),
        lost: Some(3),
        ..Record::new(Event::Recovered)
    };
    let lines = [
        first,
        [&stray[..], b"\n"].concat(),
        sealed(&mut chain, &recovered),
        sealed(&mut chain, &request(2)),
    ];
    let report = of(&lines).unwrap();
    assert_eq!((report.records, report.torn, report.torn_bytes, report.lost), (3, 1, 26, 3));
    for at in 0..stray.len() {
        let mut changed = lines.clone();
        changed[1][at] ^= 1;
        assert_eq!(of(&changed), Err(fault(2, 2, What::Cut)), "{at}");
    }
    let without = [lines[0].clone(), lines[2].clone(), lines[3].clone()];
    assert_eq!(of(&without), Err(fault(2, 2, What::Cut)));
    let untold = [lines[0].clone(), lines[1].clone(), lines[3].clone()];
    assert_eq!(of(&untold), Err(fault(2, 2, What::Cut)));
    assert_eq!(of(&lines[..2]), Err(fault(2, 2, What::Cut)));
    // What the first one tells of may stand in a file that is not shown.
    let later = verify(&[&lines[2..].concat()], Expected::default()).unwrap();
    assert_eq!((later.first, later.records, later.torn, later.lost), (2, 2, 0, 3));
}

#[test]
fn records_without_a_chain_prove_nothing() {
    let mut line = request(1).line(std::time::Duration::ZERO);
    line.extend_from_slice(b"}\n");
    assert_eq!(of(&[line.clone(), line.clone()]), Err(fault(1, 1, What::Unchained)));
    assert_eq!(of(&[b"no record\n".to_vec()]), Err(fault(1, 1, What::Cut)));
    let mut among = trail();
    among.insert(9, line);
    assert_eq!(of(&among), Err(fault(10, 10, What::Changed)));
}

#[test]
fn a_fault_is_told_in_words() {
    for (what, words) in [
        (What::Changed, "line 3: record 7 was changed"),
        (What::Missing { from: 4, to: 4 }, "line 3: record 4 is missing"),
        (What::Missing { from: 4, to: 6 }, "line 3: records 4 to 6 are missing"),
        (What::Reordered, "line 3: record 7 stands in another's place"),
        (What::Cut, "line 3: record 7 is cut, or something else stands in its place"),
        (What::Forged, "line 3: checkpoint 7 was not signed by the agent's key"),
        (What::Unchained, "line 3: the records are not chained; nothing can be proved"),
    ] {
        assert_eq!(fault(3, 7, what).to_string(), words);
    }
}
