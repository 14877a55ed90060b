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
