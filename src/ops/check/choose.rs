//! Which packs are read.

use std::cmp::Reverse;

use crate::format::log::PackRecord;
use crate::id::PackId;
use crate::repo::LogState;

/// Which packs a check reads and verifies whole.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum ReadData {
    /// None: their directories only, and what commits and trees are made of.
    #[default]
    None,
    /// All.
    All,
    /// Those of one of several groups of about the same number, which only their names decide.
    Group {
        /// Which group, from 1.
        group: u32,
        /// How many groups there are.
        of: u32,
    },
    /// So many of a hundred packs, at random.
    Percent(f64),
    /// Packs of about so many bytes together, at random; at least one.
    Bytes(u64),
}

/// What to read, the largest pack first, and how many were spared because of their age.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub(super) packs: Vec<PackRecord>,
    pub(super) skipped: u64,
}

/// How to choose.
#[derive(Debug)]
pub(super) struct Choice<'a> {
    pub(super) data: ReadData,
    /// Decides what is random.
    pub(super) seed: u64,
    /// Spare what was verified less than so many seconds ago, and begin with what was not for longest.
    pub(super) max_age: Option<u64>,
    pub(super) verified: &'a crate::repo::Verified,
    /// The time, in seconds since 1970.
    pub(super) now: i64,
}

impl Choice<'_> {
    pub(super) fn choose(&self, state: &LogState) -> Chosen {
        let (mut packs, skipped) = self.old_enough(state);
        packs.sort_by_cached_key(|pack| (self.when(&pack.uid), self.random(&pack.uid)));
        match self.data {
            ReadData::None => packs.clear(),
            ReadData::All => {}
            ReadData::Group { group, of } => packs.retain(|pack| is_of_group(&pack.uid, group, of)),
            ReadData::Percent(percent) => packs.truncate(share(packs.len(), percent)),
            ReadData::Bytes(most) => packs.truncate(within(&packs, most)),
        }
        packs.sort_by_key(|pack| (Reverse(pack.len), pack.uid));
        Chosen { packs, skipped }
    }

    fn old_enough(&self, state: &LogState) -> (Vec<PackRecord>, u64) {
        let is_young = |pack: &PackRecord| {
            let (Some(max), Some(then)) = (self.max_age, self.verified.get(&pack.uid)) else { return false };
            // A time that is still to come says nothing.
            self.now.checked_sub(*then).and_then(|age| u64::try_from(age).ok()).is_some_and(|age| age < max)
        };
        let (young, old): (Vec<_>, Vec<_>) = state.packs.values().copied().partition(is_young);
        let is_asked = |pack: &&PackRecord| match self.data {
            ReadData::None => false,
            ReadData::Group { group, of } => is_of_group(&pack.uid, group, of),
            _ => true,
        };
        (old, young.iter().filter(is_asked).count() as u64)
    }

    /// When it was last verified, if that plays a part; never comes first.
    fn when(&self, pack: &PackId) -> Option<i64> {
        self.max_age.and_then(|_| self.verified.get(pack).copied())
    }

    fn random(&self, pack: &PackId) -> [u8; 32] {
        *blake3::Hasher::new().update(&self.seed.to_le_bytes()).update(pack.as_bytes()).finalize().as_bytes()
    }
}

fn is_of_group(pack: &PackId, group: u32, of: u32) -> bool {
    let (first, _) = pack.as_bytes().split_first_chunk::<8>().expect("a name has 16 bytes");
    u64::from_be_bytes(*first) % u64::from(of.max(1)) == u64::from(group.saturating_sub(1))
}

/// So many of a hundred, rounded up.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is clamped"
)]
fn share(count: usize, percent: f64) -> usize {
    ((count as f64 * percent / 100.0).ceil().max(0.0) as usize).min(count)
}

/// How many packs from the first on have at most so many bytes together; one at least.
fn within(packs: &[PackRecord], most: u64) -> usize {
    let mut sum = 0_u64;
    let fits = packs.iter().take_while(|pack| {
        sum = sum.saturating_add(pack.len);
        sum <= most
    });
    fits.count().max(1).min(packs.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Root;
    use crate::repo::Verified;

    fn state(packs: u8) -> LogState {
        let record = |number: u8| {
            let uid = PackId::new(*blake3::hash(&[number]).as_bytes().first_chunk().unwrap());
            let root = Root::new([0; 32]);
            PackRecord { uid, len: 100, payload_root: root, parity_root: root, epoch: 1, self_indexed: false }
        };
        let mut state = LogState::default();
        state.packs.extend((0..packs).map(record).map(|pack| (pack.uid, pack)));
        state
    }

    fn chosen(state: &LogState, data: ReadData, seed: u64) -> Vec<PackId> {
        let choice = Choice { data, seed, max_age: None, verified: &Verified::new(), now: 0 };
        choice.choose(state).packs.iter().map(|pack| pack.uid).collect()
    }

    #[test]
    fn groups_are_apart_and_together_all_whatever_the_seed() {
        let state = state(60);
        let mut all = Vec::new();
        for group in 1..=7 {
            let data = ReadData::Group { group, of: 7 };
            assert_eq!(chosen(&state, data, 1), chosen(&state, data, 2));
            all.extend(chosen(&state, data, 1));
        }
        all.sort_unstable();
        assert_eq!(all, state.packs.keys().copied().collect::<Vec<_>>());
    }

    #[test]
    fn shares_have_the_size_that_was_asked_for_and_the_seed_decides_what_is_in_them() {
        let state = state(60);
        for (data, wanted) in [
            (ReadData::Percent(5.0), 3),
            (ReadData::Percent(0.1), 1),
            (ReadData::Percent(100.0), 60),
            (ReadData::Bytes(1000), 10),
            (ReadData::Bytes(1), 1),
            (ReadData::All, 60),
            (ReadData::None, 0),
        ] {
            assert_eq!(chosen(&state, data, 1).len(), wanted, "{data:?}");
            assert_eq!(chosen(&state, data, 1), chosen(&state, data, 1));
        }
        assert_ne!(chosen(&state, ReadData::Percent(50.0), 1), chosen(&state, ReadData::Percent(50.0), 2));
    }

    #[test]
    fn what_was_verified_lately_is_spared_and_what_was_never_verified_comes_first() {
        let state = state(10);
        let names: Vec<PackId> = state.packs.keys().copied().collect();
        // Of ten packs one was never verified, one will be; the others 1 to 8 seconds ago.
        let mut verified: Verified = (1..9).map(|age| (names[age], 100 - age as i64)).collect();
        verified.insert(names[9], 1000);
        let choose = |data, max_age| {
            let choice = Choice { data, seed: 0, max_age: Some(max_age), verified: &verified, now: 100 };
            let chosen = choice.choose(&state);
            (chosen.packs.iter().map(|pack| pack.uid).collect::<Vec<_>>(), chosen.skipped)
        };
        assert_eq!(choose(ReadData::Bytes(100), 0), (vec![names[0]], 0));
        let (mut two, skipped) = choose(ReadData::Bytes(200), 5);
        two.sort_unstable();
        assert_eq!((two, skipped), (vec![names[0], names[8]], 4));
        let (all, skipped) = choose(ReadData::All, 5);
        assert!(all.contains(&names[9]) && all.len() == 6 && skipped == 4, "{all:?}");
    }
}
