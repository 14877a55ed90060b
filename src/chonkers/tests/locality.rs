//! How many boundaries an edit moves, and how far away.

use super::super::segments::REACH_UNITS;
use super::super::*;
use super::{Random, chunker, oracle::layered, samples};

/// One change of a content: at `at`, `removed` bytes go and `added` come.
pub(in crate::chonkers) struct Edit {
    pub(in crate::chonkers) at: usize,
    pub(in crate::chonkers) removed: usize,
    pub(in crate::chonkers) added: Vec<u8>,
}

impl Edit {
    /// A byte overwritten, inserted or removed.
    pub(in crate::chonkers) fn of_one_byte(len: usize, random: &mut Random) -> Self {
        let at = random.below(len as u64 - 1) as usize;
        let (removed, added) = [(1, 1), (0, 1), (1, 0)][random.below(3) as usize];
        Self { at, removed, added: random.bytes(added) }
    }

    pub(in crate::chonkers) fn apply(&self, data: &[u8]) -> Vec<u8> {
        [&data[..self.at], &self.added, &data[self.at + self.removed..]].concat()
    }

    /// What the edit did to the boundaries: how many went or came (the greater of both), and how far from the
    /// edit the farthest of them was.
    pub(in crate::chonkers) fn moved(&self, before: &[u64], after: &[u64]) -> (usize, u64) {
        let at = self.at as i64;
        let shift = self.added.len() as i64 - self.removed as i64;
        let old_end = at + self.removed as i64;
        let old: Vec<i64> =
            before.iter().map(|&b| b as i64).map(|b| if b >= old_end { b + shift } else { b }).collect();
        let new: Vec<i64> = after.iter().map(|&b| b as i64).collect();
        let gone = old.iter().filter(|b| new.binary_search(b).is_err());
        let come = new.iter().filter(|b| old.binary_search(b).is_err());
        let far = gone.clone().chain(come.clone()).map(|b| b.abs_diff(at)).max();
        (gone.count().max(come.count()), far.unwrap_or(0))
    }
}

/// Where the chunks of a content end.
pub(in crate::chonkers) fn boundaries(chunker: &Chonkers, data: &[u8]) -> Vec<u64> {
    chunker.cut(data).iter().map(Chunk::end).collect()
}

/// How many boundaries an edit can move: those within reach, of which every three span at least 3A/4.
pub(super) const MOVED: usize = 2 * REACH_UNITS as usize * 4 / 3 * 2 + 2;

#[test]
fn an_edit_of_one_byte_moves_only_boundaries_within_reach() {
    let unit = 4096;
    let chunker = chunker(unit);
    let mut random = Random(9);
    let (mut edits, mut few) = (0, 0);
    for (name, data) in samples(500_000) {
        let before = boundaries(&chunker, &data);
        for _ in 0..16 {
            let edit = Edit::of_one_byte(data.len(), &mut random);
            let (moved, far) = edit.moved(&before, &boundaries(&chunker, &edit.apply(&data)));
            assert!(moved <= MOVED, "{name} at {}: {moved} boundaries moved", edit.at);
            assert!(
                far <= REACH_UNITS * u64::from(unit) + 1024,
                "{name} at {}: moved {far} bytes away",
                edit.at
            );
            edits += 1;
            few += usize::from(moved <= 7);
        }
    }
    assert!(few * 100 >= edits * 99, "only {few} of {edits} edits moved at most 7 boundaries");
}

#[test]
fn an_edit_moves_only_boundaries_within_reach_in_layers_over_single_bytes() {
    let keys = Keys::new(&[5; 32]);
    let mut random = Random(10);
    let unit = 32;
    let ends = |data: &[u8]| -> Vec<u64> {
        layered(data, unit, 256, &keys).iter().map(|(start, len, repeat)| start + len * repeat).collect()
    };
    for (name, data) in samples(6000) {
        let before = ends(&data);
        for _ in 0..24 {
            let edit = Edit::of_one_byte(data.len(), &mut random);
            let (moved, far) = edit.moved(&before, &ends(&edit.apply(&data)));
            assert!(moved <= MOVED, "{name} at {}: {moved} boundaries moved", edit.at);
            assert!(far <= REACH_UNITS * unit, "{name} at {}: moved {far} bytes away", edit.at);
        }
    }
}
