//! Releases with published flaws that a guard in front of the Engine does not take away.

/// A release, by its first three numbers.
type Release = [u32; 3];

/// What is known of some releases of a part.
struct Flaw {
    /// As the Engine names the part.
    part: &'static str,
    /// From the first release on, and below the second.
    ranges: &'static [(Release, Release)],
    what: &'static str,
}

const FLAWS: &[Flaw] = &[
    Flaw {
        part: "Engine",
        ranges: &[([0, 0, 0], [29, 5, 1])],
        what: "an archive put into a container can run a program of that container as root of the host \
               (CVE-2026-41567), and races while copying from or to a container reach paths of the host",
    },
    Flaw {
        part: "Engine",
        ranges: &[([0, 0, 0], [29, 3, 1])],
        what: "authorization plugins, where there are any, do not see large bodies (CVE-2026-34040)",
    },
    Flaw {
        part: "runc",
        ranges: &[([0, 0, 0], [1, 2, 8]), ([1, 3, 0], [1, 3, 3])],
        what: "a container can escape by its mounts and masked paths while it starts",
    },
    Flaw {
        part: "runc",
        ranges: &[([0, 0, 0], [1, 1, 12])],
        what: "a container can escape by its working directory",
    },
];

/// What is known of this release of a part; nothing of a number that cannot be read.
pub(super) fn flaws(part: &str, version: &str) -> Vec<&'static str> {
    let Some(release) = release(version) else { return Vec::new() };
    let holds = |(from, below): &(Release, Release)| *from <= release && release < *below;
    let known = FLAWS.iter().filter(|flaw| flaw.part == part && flaw.ranges.iter().any(holds));
    known.map(|flaw| flaw.what).collect()
}

/// The first three numbers: `20.10.24+dfsg1`, `v1.7.27`, `1.4.0-rc.3`.
fn release(version: &str) -> Option<Release> {
    let version = version.strip_prefix('v').unwrap_or(version);
    let end = version.find(|sign: char| !sign.is_ascii_digit() && sign != '.').unwrap_or(version.len());
    let mut numbers = version.get(..end)?.split('.').map(str::parse);
    let major = numbers.next()?.ok()?;
    let mut next = || numbers.next().map_or(Some(0), Result::ok);
    Some([major, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_told_by_their_numbers() {
        for (version, numbers) in [
            ("20.10.24+dfsg1", Some([20, 10, 24])),
            ("v1.7.27", Some([1, 7, 27])),
            ("1.4.0-rc.3", Some([1, 4, 0])),
            ("29", Some([29, 0, 0])),
            ("1.1.4.9", Some([1, 1, 4])),
            ("17.03.2-ce", Some([17, 3, 2])),
            ("dev", None),
            ("", None),
            ("1..2", None),
        ] {
            assert_eq!(release(version), numbers, "{version}");
        }
    }

    #[test]
    fn only_releases_below_the_mended_one_are_flawed() {
        for (part, version, known) in [
            ("Engine", "20.10.24+dfsg1", 2),
            ("Engine", "29.3.1", 1),
            ("Engine", "29.5.0", 1),
            ("Engine", "29.5.1", 0),
            ("Podman Engine", "4.9.3", 0),
            ("runc", "1.1.4+ds1", 2),
            ("runc", "1.1.12", 1),
            ("runc", "1.2.7", 1),
            ("runc", "1.2.8", 0),
            ("runc", "1.3.2", 1),
            ("runc", "1.3.3", 0),
            ("runc", "1.4.0", 0),
            ("containerd", "1.0.0", 0),
            ("runc", "unknown", 0),
        ] {
            assert_eq!(flaws(part, version).len(), known, "{part} {version}");
        }
    }
}
