//! Aligns two sequences of objects: which stand on both sides in the same order.

use super::{Token, TreeChild};
use crate::id::ChunkId;
use std::cmp::Ordering;

/// One step through both sequences.
#[derive(Debug)]
pub(super) enum Part<'a> {
    /// An object is the same.
    Same(Token),
    /// Old tokens, and the new ones in their place.
    Different(&'a [Token], &'a [Token]),
}

/// How anchors are found, one after the other: objects that stand once on each side (patience difference), then, in
/// what is left, the nth occurrence on one side with the nth on the other.
const ROUNDS: [Anchors; 2] = [Anchors::Unique, Anchors::Nth];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Anchors {
    Unique,
    Nth,
}

/// Aligns two sequences. Of a run that is longer on one side, what is over counts as different. Takes n log n time.
pub(super) fn align<'a>(old: &'a mut [Token], new: &'a mut [Token]) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    split(old, new, &ROUNDS, &mut parts);
    parts
}

/// Trims what is the same at both ends, then cuts the rest at anchors and goes on with each part.
fn split<'a>(
    mut old: &'a mut [Token],
    mut new: &'a mut [Token],
    rounds: &[Anchors],
    parts: &mut Vec<Part<'a>>,
) {
    trim_front(&mut old, &mut new, parts);
    let mut behind = Vec::new();
    trim_back(&mut old, &mut new, &mut behind);
    let anchors = match rounds.first() {
        Some(round) if !old.is_empty() && !new.is_empty() => longest_rising(&pairs(old, new, *round)),
        _ => Vec::new(),
    };
    match rounds.split_first() {
        Some((_, later)) if !old.is_empty() && !new.is_empty() => {
            let (mut old_at, mut new_at) = (0, 0);
            // A part begins with its anchor, which trimming then finds.
            for (i, j) in anchors.into_iter().chain([(old_at + old.len(), new_at + new.len())]) {
                let first = old.split_off_mut(..i - old_at).expect("anchors rise within the sequence");
                let second = new.split_off_mut(..j - new_at).expect("anchors rise within the sequence");
                split(first, second, later, parts);
                (old_at, new_at) = (i, j);
            }
        }
        _ => parts.push(Part::Different(old, new)),
    }
    parts.extend(behind.into_iter().rev());
}

fn trim_front<'a>(old: &mut &'a mut [Token], new: &mut &'a mut [Token], parts: &mut Vec<Part<'a>>) {
    while let (Some(left), Some(right)) = (old.first_mut(), new.first_mut())
        && left.is_same(right)
    {
        let (left_ends, right_ends) = take_common(left, right, parts);
        if left_ends {
            old.split_off_first_mut();
        }
        if right_ends {
            new.split_off_first_mut();
        }
    }
}

fn trim_back<'a>(old: &mut &'a mut [Token], new: &mut &'a mut [Token], parts: &mut Vec<Part<'a>>) {
    while let (Some(left), Some(right)) = (old.last_mut(), new.last_mut())
        && left.is_same(right)
    {
        let (left_ends, right_ends) = take_common(left, right, parts);
        if left_ends {
            old.split_off_last_mut();
        }
        if right_ends {
            new.split_off_last_mut();
        }
    }
}

/// Takes the occurrences that both have off both; whether each has none left.
fn take_common(left: &mut Token, right: &mut Token, parts: &mut Vec<Part<'_>>) -> (bool, bool) {
    let common = left.child.repeat.min(right.child.repeat);
    parts.push(Part::Same(Token::new(left.level, TreeChild { repeat: common, ..left.child })));
    left.child.repeat -= common;
    right.child.repeat -= common;
    (left.child.repeat == 0, right.child.repeat == 0)
}

fn key(token: &Token) -> (ChunkId, u64, u8) {
    (token.child.id, token.child.len, token.level)
}

/// Indices in the order of the objects, then of their places.
fn sorted(tokens: &[Token]) -> Vec<usize> {
    let mut order: Vec<_> = (0..tokens.len()).collect();
    order.sort_unstable_by_key(|at| (key(&tokens[*at]), *at));
    order
}

/// Places of equal objects on both sides, ascending by the old place; each place at most once. Marks all objects
/// that are on both sides.
fn pairs(old: &mut [Token], new: &mut [Token], which: Anchors) -> Vec<(usize, usize)> {
    let (left, right) = (sorted(old), sorted(new));
    let (mut left, mut right) = (&left[..], &right[..]);
    let mut pairs = Vec::new();
    while !left.is_empty() && !right.is_empty() {
        let (a, b) = (run(old, left), run(new, right));
        let order = key(&old[a[0]]).cmp(&key(&new[b[0]]));
        if order == Ordering::Equal {
            a.iter().for_each(|at| old[*at].is_on_both = true);
            b.iter().for_each(|at| new[*at].is_on_both = true);
            if which == Anchors::Nth || (a.len() == 1 && b.len() == 1) {
                pairs.extend(a.iter().copied().zip(b.iter().copied()));
            }
        }
        if order != Ordering::Greater {
            left = &left[a.len()..];
        }
        if order != Ordering::Less {
            right = &right[b.len()..];
        }
    }
    pairs.sort_unstable();
    pairs
}

/// The places at the front of `order` that hold the same object.
fn run<'a>(tokens: &[Token], order: &'a [usize]) -> &'a [usize] {
    order.chunk_by(|a, b| tokens[*a].is_same(&tokens[*b])).next().unwrap_or(order)
}

/// The longest selection of the pairs that rises on both sides.
fn longest_rising(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // `tails[n]`: the pair with the smallest new place that ends a selection of n + 1 pairs.
    let mut tails: Vec<usize> = Vec::new();
    let mut previous = vec![None; pairs.len()];
    for (at, (_, place)) in pairs.iter().enumerate() {
        let length = tails.partition_point(|tail| pairs[*tail].1 < *place);
        previous[at] = length.checked_sub(1).map(|shorter| tails[shorter]);
        if length == tails.len() { tails.push(at) } else { tails[length] = at }
    }
    let mut chosen: Vec<_> =
        std::iter::successors(tails.last().copied(), |at| previous[*at]).map(|at| pairs[at]).collect();
    chosen.reverse();
    chosen
}
