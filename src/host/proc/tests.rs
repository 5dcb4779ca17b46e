//! What the parsers of /proc take, and that they take anything.

use super::*;

const STAT: &str = "\
cpu  647057 159085 390998 1054587 4871 0 50593 236 70 7
cpu0 309034 76546 192711 548891 1545 0 24867 117 35 3
cpu1 338022 82538 198286 505695 3326 0 25726 118 35 4
intr 67512 0 9 0
ctxt 84612
btime 1795183461
processes 6331
";

const MEMINFO: &str = "\
MemTotal:       24684084 kB
MemFree:        22730780 kB
MemAvailable:   24141048 kB
Buffers:           50656 kB
Cached:          1368988 kB
SwapCached:            0 kB
";

const DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 644750813540 129327327    0    0    0     0          0         0 644750813540 129327327    0    0    0     0       0          0
  eth0: 403328393   18587    0    0    0     0          0         0  1179229   12392    0    0    0     0       0          0
docker0:       7       0    0    0    0     0          0         0    43646     397    0   40    0     0       0          0
wlan0:1000       0    0    0    0     0          0         0    2000     397    0   40    0     0       0          0
";

const STATUS: &str = "\
Name:\tlookout
Umask:\t0022
VmPeak:\t    3060 kB
VmSize:\t    3060 kB
VmRSS:\t    1756 kB
Threads:\t7
Cpus_allowed:\t10f
Cpus_allowed_list:\t0-3,8
";

fn columns(columns: [u64; 8]) -> Ticks {
    Ticks(columns)
}

#[test]
fn the_line_of_all_processors_is_read_and_needs_eight_columns() {
    assert_eq!(
        Ticks::read(STAT),
        Some(columns([647_057, 159_085, 390_998, 1_054_587, 4871, 0, 50_593, 236]))
    );
    for bad in [
        "",
        "cpu",
        "cpu  1 2 3 4 5 6 7",
        "cpu0 1 2 3 4 5 6 7 8",
        "cpu  1 2 3 x 5 6 7 8",
        "cpu  -1 2 3 4 5 6 7 8",
    ] {
        assert_eq!(Ticks::read(bad), None, "{bad}");
    }
    assert_eq!(processors(STAT), 2);
    assert_eq!(processors("cpu  1\ncpufreq 3\ncpu12 4\n\n"), 1);
    assert_eq!(
        (boot_secs(STAT), boot_secs("ctxt 3\n"), boot_secs("btime soon")),
        (Some(1_795_183_461), None, None)
    );
}

#[test]
fn busy_is_what_is_neither_idle_nor_waiting() {
    let before = columns([100, 0, 0, 1000, 50, 0, 0, 0]);
    for (after, percent) in [
        ([100, 0, 0, 1100, 50, 0, 0, 0], 0.0),
        ([200, 0, 0, 1000, 50, 0, 0, 0], 100.0),
        ([110, 5, 5, 1040, 80, 2, 3, 5], 30.0),
        ([100, 0, 0, 1050, 100, 0, 0, 0], 0.0),
        ([100, 0, 0, 1050, 50, 0, 0, 50], 50.0),
    ] {
        assert!((columns(after).busy_percent(before) - percent).abs() < 1e-9, "{after:?}");
    }
}

#[test]
fn a_counter_that_steps_back_or_stands_still_is_no_time() {
    let before = columns([100, 10, 10, 1000, 50, 0, 0, 0]);
    let busy = |after| columns(after).busy_percent(before);
    assert!(busy([100, 10, 10, 1000, 50, 0, 0, 0]).abs() < 1e-9);
    // Waiting for disks went back, as it does.
    assert!((busy([150, 10, 10, 1050, 40, 0, 0, 0]) - 50.0).abs() < 1e-9);
    assert!(busy([0; 8]).abs() < 1e-9);
    assert!((0.0..=100.0).contains(&busy([u64::MAX; 8])));
}

#[test]
fn free_memory_is_what_is_available() {
    let kib = 1024;
    let read = Memory::read(MEMINFO).unwrap();
    assert_eq!((read.total, read.free), (24_684_084 * kib, 24_141_048 * kib));
    let old = MEMINFO.replace("MemAvailable", "Other");
    assert_eq!(Memory::read(&old).unwrap().free, (22_730_780 + 50_656 + 1_368_988) * kib);
    assert_eq!(Memory::read("MemTotal: 9 kB\n"), Some(Memory { total: 9 * kib, free: 0 }));
    assert_eq!(Memory::read("MemTotal: 18446744073709551615 kB\n").unwrap().total, u64::MAX);
    for bad in ["", "MemTotal:", "MemTotal: 9", "MemTotal: x kB", "Memtotal: 9 kB"] {
        assert_eq!(Memory::read(bad), None, "{bad}");
    }
}

#[test]
fn an_uptime_is_cut_to_seconds() {
    for (text, secs) in [
        ("11553.42 21034.01\n", Some(11_553)),
        ("0.00 0.00", Some(0)),
        ("7", Some(7)),
        ("", None),
        ("x 1", None),
    ] {
        assert_eq!(uptime(text), secs, "{text}");
    }
}

#[test]
fn traffic_is_the_sum_of_what_leaves_the_machine() {
    assert_eq!(Traffic::read(DEV), Some(Traffic { received: 403_329_393, sent: 1_181_229 }));
    for heading in ["", "eth0: 1 2 3 4 5 6 7 8 9\n"] {
        assert_eq!(Traffic::read(heading), None, "{heading}");
    }
    let (headings, _) = DEV.split_once("    lo").unwrap();
    for (line, received) in [
        ("eth0: 5 0 0 0 0 0 0 0 6", 5),
        ("eth0: 5 0 0 0 0 0 0 0", 0),
        ("eth0: x 0 0 0 0 0 0 0 6", 0),
        ("enp3s0.100: 5 0 0 0 0 0 0 0 6 0", 5),
        ("veth1a2b3c: 5 0 0 0 0 0 0 0 6 0", 0),
        ("br-0f3e: 5 0 0 0 0 0 0 0 6 0", 0),
        ("br0: 5 0 0 0 0 0 0 0 6 0", 5),
        ("docker_gwbridge: 5 0 0 0 0 0 0 0 6 0", 0),
        ("bond0: 5 0 0 0 0 0 0 0 6 0", 0),
        ("bonding: 5 0 0 0 0 0 0 0 6 0", 5),
    ] {
        let read = Traffic::read(&format!("{headings}{line}\n")).unwrap();
        assert_eq!(read.received, received, "{line}");
    }
}

#[test]
fn a_process_tells_of_itself() {
    let expected = Status {
        resident: Some(1756 * 1024),
        mapped: Some(3060 * 1024),
        threads: Some(7),
        processors: Some(5),
    };
    assert_eq!(Status::read(STATUS), expected);
    assert_eq!(Status::read("VmRSS: much\nThreads:\nCpus_allowed_list:\t3-0\n"), Status::default());
    let stat =
        "4568 (a) b) S 1 4568 1669 0 -1 4194560 98 0 0 0 250 50 0 0 20 0 7 0 120000 3133440 439 184467";
    let times = Times::read(stat).unwrap();
    assert_eq!((times.spent, times.started), (Duration::from_secs(3), Duration::from_secs(1200)));
    for bad in ["", "1 (x) S 1 2 3", "1 (x S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"] {
        assert_eq!(Times::read(bad), None, "{bad}");
    }
    let limits = |soft: &str| {
        format!("Limit  Soft Limit  Hard Limit  Units\nMax open files            {soft}   1048576   files\n")
    };
    assert_eq!(open_files_max(&limits("1024")), Some(1024));
    assert_eq!(open_files_max(&limits("unlimited")), None);
    assert_eq!(open_files_max(""), None);
}

#[test]
fn no_text_however_cut_or_garbled_is_too_much() {
    let huge = ["18446744073709551615", "-1", "é", "\0", ")", ":", "9e9", ""];
    for text in [
        STAT,
        MEMINFO,
        DEV,
        STATUS,
        "4568 (x) S 1 4568 1669 0 -1 4194560 98 0 0 0 250 50 0 0 20 0 7 0 120000",
    ] {
        for end in 0..text.len() {
            read_any(&text[..end]);
        }
        for number in huge {
            read_any(&text.replace(|c: char| c.is_ascii_digit(), number));
            for word in text.split_whitespace() {
                read_any(&text.replacen(word, number, 1));
            }
        }
    }
}
