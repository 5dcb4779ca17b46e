//! Numbers that look like chance and are the same for the same seed, and bytes that are a function of their place.

pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// From `least` to `most`, both among them.
    pub(crate) fn within(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }
}

fn mixed(state: u64) -> u64 {
    let first = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let second = (first ^ (first >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    second ^ (second >> 31)
}

/// What stands from this place on in the content of this seed: a byte that is lost, doubled or moved shows.
pub(crate) fn pattern(seed: u64, from: u64, into: &mut [u8]) {
    for (place, byte) in (from..).zip(into) {
        let word = mixed(seed ^ (place / 8).wrapping_mul(0x9e37_79b9)).to_le_bytes();
        *byte = word[(place % 8) as usize];
    }
}

/// The whole content.
pub(crate) fn content(seed: u64, length: u64) -> Vec<u8> {
    let mut bytes = vec![0; length as usize];
    pattern(seed, 0, &mut bytes);
    bytes
}
