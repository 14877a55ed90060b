//! Edits of a content, and the boundaries that each of them moved.

use serde::{Deserialize, Serialize};
use warp::testing::Rng;

/// What an edit does to the bytes behind its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Operation {
    Insert,
    Delete,
    Overwrite,
}

impl Operation {
    pub(crate) const ALL: [Self; 3] = [Self::Insert, Self::Delete, Self::Overwrite];
}

/// A change of a content: at `at`, `removed` bytes go and `added` come.
#[derive(Clone)]
pub(crate) struct Edit {
    pub(crate) at: usize,
    pub(crate) removed: usize,
    pub(crate) added: Vec<u8>,
}

impl Edit {
    /// An edit of `size` bytes at `at`. What is overwritten becomes different in its first byte.
    pub(crate) fn new(operation: Operation, size: usize, at: usize, data: &[u8], rng: &mut Rng) -> Self {
        let (removed, added) = match operation {
            Operation::Insert => (0, rng.bytes(size)),
            Operation::Delete => (size, Vec::new()),
            Operation::Overwrite => {
                let mut bytes = rng.bytes(size);
                bytes[0] = data[at].wrapping_add(1 + rng.below(255) as u8);
                (size, bytes)
            }
        };
        Self { at, removed, added }
    }

    /// The end, in the content before, of what is removed.
    pub(crate) fn end(&self) -> usize {
        self.at + self.removed
    }

    /// How far what is behind the edit moves.
    pub(crate) fn shift(&self) -> i64 {
        self.added.len() as i64 - self.removed as i64
    }

    /// Where a boundary stands after the edit, if nothing else moves it. A boundary within what an overwriting replaces
    /// stays; within what is deleted it goes.
    fn carried(&self, boundary: u64) -> Option<i64> {
        let inside = (self.at + 1..self.end()).contains(&(boundary as usize));
        match inside {
            _ if boundary as usize >= self.end() => Some(boundary as i64 + self.shift()),
            true if self.shift() != 0 => None,
            _ => Some(boundary as i64),
        }
    }
}

/// The content after all the edits, which stand in order and do not touch each other.
pub(crate) fn apply(edits: &[Edit], data: &[u8]) -> Vec<u8> {
    let mut edited = Vec::with_capacity(data.len() + edits.len() * 4096);
    let mut done = 0;
    for edit in edits {
        edited.extend_from_slice(&data[done..edit.at]);
        edited.extend_from_slice(&edit.added);
        done = edit.end();
    }
    edited.extend_from_slice(&data[done..]);
    edited
}

/// What an edit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Boundaries that went or came: the greater of both.
    pub(crate) boundaries: usize,
    /// How far from the edit, in bytes, the farthest of them was.
    pub(crate) farthest: u64,
}

/// What an edit did, given ascending boundaries before and after it, those after it `offset` bytes behind where they would
/// stand if this were the only edit.
pub(crate) fn moved(edit: &Edit, before: &[u64], after: &[u64], offset: i64) -> Moved {
    let mut old = before.iter().filter_map(|boundary| edit.carried(*boundary)).peekable();
    let mut new = after.iter().map(|boundary| *boundary as i64 - offset).peekable();
    let lost = before.iter().filter(|boundary| edit.carried(**boundary).is_none()).count();
    let (mut gone, mut come, mut farthest) = (lost, 0, 0);
    let mut at_distance = |boundary: i64| farthest = farthest.max(boundary.abs_diff(edit.at as i64));
    loop {
        match (old.peek().copied(), new.peek().copied()) {
            (Some(a), Some(b)) if a == b => {
                old.next();
                new.next();
            }
            (Some(a), b) if b.is_none_or(|b| a < b) => {
                gone += 1;
                at_distance(a);
                old.next();
            }
            (_, Some(b)) => {
                come += 1;
                at_distance(b);
                new.next();
            }
            _ => break,
        }
    }
    Moved { boundaries: gone.max(come), farthest }
}

/// What each of several edits did. Every boundary counts for the edit that it is nearest to.
pub(crate) fn moved_by_each(edits: &[Edit], before: &[u64], after: &[u64]) -> Vec<Moved> {
    let (mut old, mut new) = (before, after);
    let mut offset = 0;
    let each = |(nth, edit): (usize, &Edit)| {
        let next = edits.get(nth + 1);
        let border = next.map_or(i64::MAX >> 1, |next| ((edit.end() + next.at) / 2) as i64);
        let here = take_below(&mut old, border);
        let there = take_below(&mut new, border + offset + edit.shift());
        let moved = moved(edit, here, there, offset);
        offset += edit.shift();
        moved
    };
    edits.iter().enumerate().map(each).collect()
}

/// Takes the boundaries below `border` off the front.
fn take_below<'a>(boundaries: &mut &'a [u64], border: i64) -> &'a [u64] {
    let (below, rest) = boundaries.split_at(boundaries.partition_point(|b| (*b as i64) < border));
    *boundaries = rest;
    below
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A chunk ends behind every zero and at the end: an edit moves what it touches and nothing else.
    fn behind_zeros(data: &[u8]) -> Vec<u64> {
        let ends = (1..=data.len()).filter(|end| data[end - 1] == 0 || *end == data.len());
        ends.map(|end| end as u64).collect()
    }

    fn some_edit(from: usize, to: usize, data: &[u8], rng: &mut Rng) -> Edit {
        let size = 1 + rng.below((to - from).min(40));
        let at = from + rng.below(to - from - size + 1);
        Edit::new(*rng.pick(&Operation::ALL), size, at, data, rng)
    }

    fn some_data(rng: &mut Rng, len: usize) -> Vec<u8> {
        (0..len).map(|_| rng.below(12) as u8).collect()
    }

    #[test]
    fn moved_boundaries_are_counted_by_hand() {
        let insert = Edit { at: 10, removed: 0, added: vec![1; 4] };
        let delete = Edit { at: 10, removed: 4, added: Vec::new() };
        let overwrite = Edit { at: 10, removed: 4, added: vec![1; 4] };
        let cases = [
            (&insert, &[5, 20, 30][..], &[5, 24, 34][..], 0, 0),
            (&insert, &[5, 20, 30][..], &[5, 20, 30][..], 2, 24),
            (&insert, &[5, 20, 30][..], &[5, 9, 16, 24, 34][..], 2, 6),
            (&delete, &[5, 12, 30][..], &[5, 26][..], 1, 0),
            (&delete, &[5, 12, 13, 30][..], &[5, 11, 26][..], 2, 1),
            (&delete, &[5, 14, 30][..], &[5, 10, 26][..], 0, 0),
            (&overwrite, &[5, 12, 30][..], &[5, 12, 30][..], 0, 0),
            (&overwrite, &[5, 12, 30][..], &[5, 13, 40][..], 2, 30),
        ];
        for (edit, before, after, boundaries, farthest) in cases {
            let (size, at) = (edit.added.len(), edit.at);
            let expected = Moved { boundaries, farthest };
            assert_eq!(moved(edit, before, after, 0), expected, "{size} for {} at {at}", edit.removed);
            let later: Vec<_> = after.iter().map(|boundary| boundary + 7).collect();
            assert_eq!(moved(edit, before, &later, 7), expected, "behind another edit");
        }
    }

    #[test]
    fn moved_boundaries_are_those_that_only_one_of_two_sets_has() {
        let mut rng = Rng::new(1);
        for round in 0..2000 {
            let data = vec![1; 200];
            let edit = some_edit(0, 200, &data, &mut rng);
            let some = |rng: &mut Rng| (0..20).map(|_| 1 + rng.below(200) as u64).collect::<BTreeSet<_>>();
            let [before, after] = [some(&mut rng), some(&mut rng)];
            let carried: Vec<_> = before.iter().map(|boundary| edit.carried(*boundary)).collect();
            let old: BTreeSet<i64> = carried.iter().flatten().copied().collect();
            let new: BTreeSet<i64> = after.iter().map(|boundary| *boundary as i64).collect();
            let gone = carried.len() - old.intersection(&new).count();
            let come = new.difference(&old).count();
            let distances = old.symmetric_difference(&new).map(|at| at.abs_diff(edit.at as i64));
            let expected = Moved { boundaries: gone.max(come), farthest: distances.max().unwrap_or(0) };
            let [before, after] = [before, after].map(Vec::from_iter);
            assert_eq!(moved(&edit, &before, &after, 0), expected, "round {round}");
        }
    }

    #[test]
    fn edits_do_to_the_content_what_they_say() {
        let mut rng = Rng::new(2);
        for round in 0..500 {
            let data = some_data(&mut rng, 300);
            let edits = [some_edit(0, 150, &data, &mut rng), some_edit(150, 300, &data, &mut rng)];
            let mut expected = data.clone();
            for edit in edits.iter().rev() {
                expected.splice(edit.at..edit.end(), edit.added.iter().copied());
            }
            let edited = apply(&edits, &data);
            assert_eq!(edited, expected, "round {round}");
            assert_ne!(
                apply(&edits[..1], &data)[..],
                data[..],
                "round {round}: an edit that changes nothing"
            );
            let shift: i64 = edits.iter().map(Edit::shift).sum();
            assert_eq!(edited.len() as i64, data.len() as i64 + shift, "round {round}");
        }
    }

    #[test]
    fn each_of_several_edits_is_found_to_move_what_it_moves_alone() {
        let mut rng = Rng::new(3);
        let mut most = 0;
        for round in 0..300 {
            let data = some_data(&mut rng, 4000);
            let before = behind_zeros(&data);
            // Each in the middle of 400 bytes.
            let spans = (0..10).map(|nth| (400 * nth + 150, 400 * nth + 250));
            let edits: Vec<_> = spans.map(|(from, to)| some_edit(from, to, &data, &mut rng)).collect();
            let together = moved_by_each(&edits, &before, &behind_zeros(&apply(&edits, &data)));
            for (edit, found) in edits.iter().zip(together) {
                let edited = apply(std::slice::from_ref(edit), &data);
                let alone = moved(edit, &before, &behind_zeros(&edited), 0);
                assert_eq!(found, alone, "round {round}, at {}", edit.at);
                most = most.max(alone.boundaries);
            }
        }
        assert!(most >= 5, "{most}: the edits move too little for this to say anything");
    }
}
