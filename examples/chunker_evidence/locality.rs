//! How many boundaries one edit moves: max(gone, come) once those behind the edit are shifted back.
//!
//! Chonkers: edits stand 16 absolute units apart, and one cut of a content tells what all of them did. For that to be
//! what each would do alone, none may reach another's boundaries. The proven reach is 37 units, what is seen a tenth of it:
//! so one edit of each content, and each that moves something more than 4 units behind it or more than 7 boundaries, is made
//! alone too, and has to move the same.
//!
//! The others decide on a chunk from the bytes behind its start: from the chunk that first sees the edit on, they cut
//! until they stand where they stood before, or to the end of the content.

use std::path::PathBuf;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use warp::chonkers::Chonkers;
use warp::chunk::Chunk;
use warp::testing::Rng;

use crate::cutters::{CHONKERS, Rival, Windowed, chonkers};
use crate::edits::{Edit, Moved, Operation, apply, moved, moved_by_each};
use crate::kinds::KINDS;
use crate::search::Search;
use crate::{Failure, write_json};

/// The absolute unit, small so that many boundaries are in reach.
const UNIT: usize = 4096;
/// Bytes from one edit of a content to the next.
const APART: usize = 16 * UNIT;
/// How far an edit may reach, in bytes, without being made alone.
const NEAR: u64 = 4 * UNIT as u64;
/// Bytes of a content that Chonkers cuts, and of one that the others cut.
const LEN: usize = 1 << 20;
const LEN_OF_RIVALS: usize = 4 << 20;
/// How often a content is edited before it is drawn anew.
const ROUNDS: usize = 64;
/// Parts of the work, after each of which the results are written.
const PORTIONS: u64 = 4;
/// Bytes of an edit.
pub(crate) const SIZES: [usize; 4] = [1, 16, 256, 4096];
/// Counts above this fall together.
const BINS: usize = 33;

/// Count the boundaries that one edit moves
#[derive(clap::Args)]
pub(crate) struct Args {
    /// One-byte edits of Chonkers for each kind of content
    #[arg(long, default_value_t = 20_000)]
    cases: usize,
    /// Longer edits of Chonkers for each kind of content and length
    #[arg(long, default_value_t = 2_000)]
    longer: usize,
    /// Edits of every other chunker for each kind of content and length
    #[arg(long, default_value_t = 500)]
    others: usize,
    /// Write the results here
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What was measured.
#[derive(Serialize, Deserialize)]
pub(crate) struct Locality {
    /// Absolute unit of Chonkers, in bytes.
    pub(crate) unit: usize,
    /// Edits that were made alone too, and moved the same.
    pub(crate) checked: u64,
    pub(crate) results: Vec<Cases>,
}

/// What edits of one size did to contents of one kind.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Cases {
    pub(crate) chunker: String,
    pub(crate) kind: String,
    pub(crate) size: usize,
    pub(crate) operation: Operation,
    pub(crate) cases: u64,
    /// Edits by the boundaries they moved; the last bin takes all that moved more. Without those behind which the old
    /// boundaries never came back.
    pub(crate) histogram: Vec<u64>,
    pub(crate) most: u64,
    /// How far from the edit, in bytes, the farthest boundary was.
    pub(crate) farthest: u64,
    /// Edits behind which no old boundary came back until the content's end.
    pub(crate) never: u64,
}

impl Cases {
    fn new(chunker: &str, kind: &str, size: usize, operation: Operation) -> Self {
        let (chunker, kind, histogram) = (chunker.to_owned(), kind.to_owned(), vec![0; BINS + 1]);
        Self { chunker, kind, size, operation, cases: 0, histogram, most: 0, farthest: 0, never: 0 }
    }

    fn add(&mut self, moved: Option<Moved>) {
        self.cases += 1;
        let Some(Moved { boundaries, farthest }) = moved else {
            self.never += 1;
            return;
        };
        self.histogram[boundaries.min(BINS)] += 1;
        self.most = self.most.max(boundaries as u64);
        self.farthest = self.farthest.max(farthest);
    }

    /// Takes others' cases too.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.cases += other.cases;
        self.histogram.iter_mut().zip(&other.histogram).for_each(|(own, more)| *own += more);
        self.most = self.most.max(other.most);
        self.farthest = self.farthest.max(other.farthest);
        self.never += other.never;
    }

    /// The share of edits that moved at most 7 boundaries.
    pub(crate) fn few(&self) -> f64 {
        self.histogram[..8].iter().sum::<u64>() as f64 / self.cases as f64
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let rivals: Vec<_> = Rival::ALL.into_iter().map(|rival| (rival.name(), fitted(rival))).collect();
    let kinds = |rival| (0..KINDS.len()).map(move |kind| (rival, kind));
    let pairs: Vec<_> = rivals.iter().flat_map(kinds).collect();
    let of_pair =
        |((name, chunker), kind): &(&(&str, Windowed), usize)| measure_rival(name, chunker, *kind, args);
    let others: Vec<_> = pairs.par_iter().flat_map_iter(of_pair).collect();

    let mut locality = Locality { unit: UNIT, checked: 0, results: others };
    for portion in 0..PORTIONS {
        for kind in 0..KINDS.len() {
            let (cases, checked) = measure_chonkers(kind, portion, args);
            locality.checked += checked;
            cases.into_iter().for_each(|cases| locality.add(cases));
        }
        args.json.as_ref().map_or(Ok(()), |path| write_json(path, &locality))?;
        eprintln!("{} of {PORTIONS} portions", portion + 1);
    }
    crate::tables::print_locality(&locality);
    Ok(())
}

impl Locality {
    /// Adds cases to those of the same chunker, kind, size and operation.
    fn add(&mut self, cases: Cases) {
        let key = |cases: &Cases| (cases.chunker.clone(), cases.kind.clone(), cases.size, cases.operation);
        match self.results.iter_mut().find(|known| key(known) == key(&cases)) {
            Some(known) => known.merge(&cases),
            None => self.results.push(cases),
        }
    }
}

/// The rival at the mean length that Chonkers comes to on random bytes.
fn fitted(rival: Rival) -> Windowed {
    let data = Rng::new(3).bytes(16 << 20);
    let mean = |chunks: usize| data.len() as f64 / chunks as f64;
    let mut search = Search::new(mean(chonkers(UNIT as u32, 1).cut(&data).len()), UNIT as u32 / 10 * 7);
    while let Some(parameter) = search.next() {
        search.learn(mean(ends(&rival.with(parameter), &data).len()));
    }
    rival.with(search.best())
}

/// What Chonkers does with a portion of the contents of one kind, and how many edits were made alone too.
fn measure_chonkers(kind: usize, portion: u64, args: &Args) -> (Vec<Cases>, u64) {
    let sizes = SIZES.into_iter().map(|size| (size, if size == 1 { args.cases } else { args.longer }));
    let mut all = Vec::new();
    let mut checked = 0;
    for (size, wanted) in sizes {
        let contents = wanted.div_ceil(PORTIONS as usize * ROUNDS * (LEN / APART)) as u64;
        let contents = portion * contents..(portion + 1) * contents;
        let parts: Vec<_> = contents.into_par_iter().map(|nth| edit_content(kind, size, nth)).collect();
        let mut sum = Operation::ALL.map(|operation| Cases::new(CHONKERS, KINDS[kind].0, size, operation));
        for (part, alone) in &parts {
            checked += alone;
            sum.iter_mut().zip(part).for_each(|(sum, part)| sum.merge(part));
        }
        all.extend(sum);
    }
    (all, checked)
}

/// Edits one content over and over, with a key of its own; returns also how many edits were made alone.
fn edit_content(kind: usize, size: usize, nth: u64) -> ([Cases; 3], u64) {
    let (name, make) = KINDS[kind];
    let mut rng = Rng::new(nth << 32 | (kind as u64) << 16 | size as u64);
    let chunker = chonkers(UNIT as u32, rng.below(256) as u8);
    let data = make(&mut rng, LEN);
    let before = boundaries(&chunker, &data);
    let mut cases = Operation::ALL.map(|operation| Cases::new(CHONKERS, name, size, operation));
    let mut checked = 0;
    for round in 0..ROUNDS {
        let phase = rng.below(APART - size);
        let starts = (phase..LEN - size).step_by(APART);
        let (operations, edits): (Vec<_>, Vec<_>) = starts
            .map(|at| {
                let which = rng.below(3);
                (which, Edit::new(Operation::ALL[which], size, at, &data, &mut rng))
            })
            .unzip();
        let moved = moved_by_each(&edits, &before, &boundaries(&chunker, &apply(&edits, &data)));
        operations.iter().zip(&moved).for_each(|(which, moved)| cases[*which].add(Some(*moved)));
        let one = rng.below(edits.len());
        for (nth, (edit, moved)) in edits.iter().zip(moved).enumerate() {
            if (round, nth) == (0, one) || moved.farthest > NEAR + size as u64 || moved.boundaries > 7 {
                assert_eq!(alone(&chunker, edit, &data, &before), moved, "{name}: at {}", edit.at);
                checked += 1;
            }
        }
    }
    (cases, checked)
}

/// What an edit does that is the only one.
fn alone(chunker: &Chonkers, edit: &Edit, data: &[u8], before: &[u64]) -> Moved {
    let edited = apply(std::slice::from_ref(edit), data);
    moved(edit, before, &boundaries(chunker, &edited), 0)
}

/// Where the chunks of a content end.
fn boundaries(chunker: &Chonkers, data: &[u8]) -> Vec<u64> {
    chunker.cut(data).iter().map(Chunk::end).collect()
}

/// The same for a rival.
fn ends(chunker: &Windowed, data: &[u8]) -> Vec<u64> {
    let mut ends = Vec::new();
    let mut end = 0;
    while end < data.len() {
        end += chunker.next_len(&data[end..]);
        ends.push(end as u64);
    }
    ends
}

/// What a rival does with one kind of content.
fn measure_rival(name: &str, chunker: &Windowed, kind: usize, args: &Args) -> Vec<Cases> {
    let mut rng = Rng::new(kind as u64);
    let data = KINDS[kind].1(&mut rng, LEN_OF_RIVALS);
    let before = ends(chunker, &data);
    let mut all = Vec::new();
    for size in SIZES {
        let mut cases = Operation::ALL.map(|operation| Cases::new(name, KINDS[kind].0, size, operation));
        for nth in 0..args.others {
            let at = rng.below(data.len() / 2);
            let edit = Edit::new(Operation::ALL[nth % 3], size, at, &data, &mut rng);
            cases[nth % 3].add(until_in_step(chunker, &edit, &data, &before));
        }
        all.extend(cases);
    }
    all
}

/// What an edit does to a rival's boundaries, or none if the old ones never come back. Content behind a boundary in
/// step is cut as before.
fn until_in_step(chunker: &Windowed, edit: &Edit, data: &[u8], before: &[u64]) -> Option<Moved> {
    // The first chunk that may see the edit starts at the boundary number `first - 1`.
    let first = before.partition_point(|end| *end as usize + chunker.max_len() <= edit.at);
    let start = first.checked_sub(1).map_or(0, |nth| before[nth] as usize);
    let mut seen = 64 * chunker.max_len();
    loop {
        let until = (edit.end() + seen).min(data.len());
        let local = Edit { at: edit.at - start, ..edit.clone() };
        let edited = apply(&[local], &data[start..until]);
        let complete = until == data.len();
        if let Some(result) = in_step_within(chunker, edit, &edited, start, &before[first..], complete) {
            return result;
        }
        seen *= 8;
    }
}

/// The same, given the edited content from `start` on: none if more of it is needed.
fn in_step_within(
    chunker: &Windowed,
    edit: &Edit,
    edited: &[u8],
    start: usize,
    before: &[u64],
    complete: bool,
) -> Option<Option<Moved>> {
    let behind = edit.at + edit.added.len();
    let (mut end, mut after) = (start, Vec::new());
    while end - start < edited.len() {
        let left = &edited[end - start..];
        if !complete && left.len() < chunker.max_len() {
            return None;
        }
        end += chunker.next_len(left);
        after.push(end as u64);
        let old = (end as i64 - edit.shift()) as u64;
        let is_end = complete && end - start == edited.len();
        if let (true, Ok(nth)) = (end >= behind && !is_end, before.binary_search(&old)) {
            return Some(Some(moved(edit, &before[..=nth], &after, 0)));
        }
    }
    Some(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an edit does, from cuts of the whole content before and after it.
    fn from_whole_cuts(chunker: &Windowed, edit: &Edit, data: &[u8], before: &[u64]) -> Option<Moved> {
        let edited = apply(std::slice::from_ref(edit), data);
        let after = ends(chunker, &edited);
        let behind = (edit.at + edit.added.len()) as u64;
        let in_step = |end: &u64| {
            let old = *end as i64 - edit.shift();
            *end >= behind && *end < edited.len() as u64 && before.binary_search(&(old as u64)).is_ok()
        };
        after.iter().any(in_step).then(|| moved(edit, before, &after, 0))
    }

    #[test]
    fn cutting_only_until_in_step_finds_what_whole_cuts_find() {
        let mut never = 0;
        for rival in Rival::ALL {
            let chunker = rival.with(1024);
            for kind in [0, 2, 5, 8, 15, 19] {
                let (name, make) = KINDS[kind];
                let mut rng = Rng::new(kind as u64);
                let data = make(&mut rng, 400_000);
                let before = ends(&chunker, &data);
                for nth in 0..12 {
                    let at = rng.below(data.len() / 2);
                    let edit = Edit::new(Operation::ALL[nth % 3], SIZES[nth % 4], at, &data, &mut rng);
                    let expected = from_whole_cuts(&chunker, &edit, &data, &before);
                    let found = until_in_step(&chunker, &edit, &data, &before);
                    assert_eq!(found, expected, "{}, {name}, edit {nth}", rival.name());
                    never += usize::from(found.is_none());
                }
            }
        }
        assert!(never > 0, "every edit came back into step: this says nothing of those that do not");
    }

    #[test]
    fn cases_count_what_moved_and_keep_apart_what_never_came_back() {
        let of = |boundaries, farthest| Some(Moved { boundaries, farthest });
        let mut cases = Cases::new("a", "text", 1, Operation::Insert);
        for moved in [of(0, 0), of(7, 90), of(8, 20), of(33, 5), of(900, 6), None] {
            cases.add(moved);
        }
        assert_eq!((cases.cases, cases.most, cases.farthest, cases.never), (6, 900, 90, 1));
        assert_eq!((cases.histogram[7], cases.histogram[33]), (1, 2));
        assert_eq!(cases.histogram.iter().sum::<u64>() + cases.never, cases.cases);
        assert_eq!(cases.few(), 2.0 / 6.0);
    }

    #[test]
    fn edits_of_one_content_are_all_counted_and_move_few_boundaries() {
        let (cases, alone) = edit_content(0, 1, 0);
        let sum = cases.iter().map(|cases| cases.cases).sum::<u64>();
        assert!(sum >= (ROUNDS * (LEN / APART - 1)) as u64 && alone > 0, "{sum} edits, {alone} alone");
        assert!(cases.iter().all(|cases| cases.few() == 1.0 && cases.never == 0));
    }
}
