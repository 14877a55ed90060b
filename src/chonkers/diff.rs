//! TreeDiff: what differs between the contents of two ChonkerTrees.
//!
//! Both trees are compared from their roots down. Objects of equal id are passed over without being read; between
//! them only what differs is opened, one level at a time.

mod align;
mod census;
#[cfg(test)]
mod tests;

use super::tree::{NodeSource, TreeChild, TreeError, TreeRoot, load};
use align::{Part, align};
use census::{Census, Side};
use std::ops::Range;

/// What a comparison may cost. Where it is not enough, ranges are longer than they need be, and right.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Most objects on one side that are opened and then compared at once; more are compared in pieces.
    piece: usize,
    /// Most objects held in memory at once (56 bytes each). Nodes for which there is no room are not opened: they
    /// differ as a whole. Nodes of ordinary fan-out never come near it.
    held: usize,
    /// Most objects that are compared in all. Beyond that (and in hostile trees that name few nodes very often)
    /// nodes are not opened any more.
    opened: usize,
    /// Most different chunks that are counted one by one.
    counted: usize,
}

/// At ordinary chunk lengths `opened` is about 350 GB of differences, `counted` 90 GB.
const BOUNDS: Bounds = Bounds { piece: 8192, held: 1 << 21, opened: 1 << 23, counted: 1 << 21 };

/// Of a repeated node, this many occurrences at each end of the run are opened; the rest differs as a whole.
const RUN_ENDS: u64 = 2;

/// Comparison of two trees.
///
/// ```
/// use warp::chonkers::{ChonkerNode, NodeSource, TreeDiff, TreeRoot};
/// use warp::id::ChunkId;
///
/// /// Two files of one chunk each have no nodes.
/// struct NoNodes;
///
/// impl NodeSource for NoNodes {
///     type Error = &'static str;
///     fn node(&mut self, _level: u8, _id: &ChunkId) -> Result<ChonkerNode, Self::Error> {
///         Err("no nodes here")
///     }
/// }
///
/// let run = |repeat| TreeRoot::Tree { level: 0, id: ChunkId::new([1; 32]), len: 1000, repeat };
/// let delta = TreeDiff::between(&run(3), &run(4), &mut NoNodes).unwrap();
/// assert_eq!(delta.ranges[0].new, 3000..4000);
/// assert_eq!((delta.stats.unchanged, delta.stats.moved), (3000, 1000));
/// assert_eq!(delta.stats.dedup_ratio(), 1.0);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct TreeDiff;

/// What differs between an old and a new content.
///
/// ```
/// use warp::chonkers::{Delta, DeltaRange, DeltaStats};
///
/// // 100 bytes gave way to 250, of which 50 stood elsewhere before.
/// let delta = Delta {
///     ranges: vec![DeltaRange { old: 400..500, new: 400..650 }],
///     stats: DeltaStats { unchanged: 900, moved: 50, new: 200, removed: 100 },
/// };
/// let rewritten: u64 = delta.ranges.iter().map(|range| range.new.end - range.new.start).sum();
/// assert_eq!(rewritten, delta.stats.moved + delta.stats.new);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delta {
    /// Where the contents differ, ascending and apart on both sides. What lies between two neighbouring ranges (or
    /// before the first, behind the last) is the same bytes on both sides.
    pub ranges: Vec<DeltaRange>,
    /// How many bytes that is, and whether they are known.
    pub stats: DeltaStats,
}

/// Old bytes and the new ones that stand in their place, in bytes of content; one of the two may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaRange {
    /// Bytes of the old content.
    pub old: Range<u64>,
    /// Bytes of the new content.
    pub new: Range<u64>,
}

/// Bytes by what became of them. `unchanged + moved + new` is the length of the new content.
///
/// ```
/// use warp::chonkers::DeltaStats;
///
/// let stats = DeltaStats { unchanged: 700, moved: 200, new: 100, removed: 40 };
/// assert_eq!(stats.dedup_ratio(), 0.9);
/// assert_eq!(DeltaStats::default().dedup_ratio(), 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeltaStats {
    /// Bytes outside the ranges: on both sides, in order.
    pub unchanged: u64,
    /// New bytes inside the ranges, in chunks that the old content was seen to hold.
    pub moved: u64,
    /// The other new bytes inside the ranges.
    pub new: u64,
    /// Old bytes inside the ranges, in chunks that the new content was not seen to hold.
    pub removed: u64,
}

impl DeltaStats {
    /// Share of the new content that the old one had, 0 to 1; 1 for an empty new content.
    pub fn dedup_ratio(&self) -> f64 {
        let known = self.unchanged as f64 + self.moved as f64;
        let total = known + self.new as f64;
        if total == 0.0 { 1.0 } else { known / total }
    }
}

impl TreeDiff {
    /// Compares the contents of two trees whose nodes `source` holds.
    ///
    /// Nodes that both trees share are not read, and runs are counted, never expanded. Chunks are compared by id:
    /// chunks that differ in one byte differ as a whole. The ranges are right whatever the contents; above some
    /// 350 GB of differences they may be longer than they need be.
    ///
    /// The split between `moved` and `new` looks at what is read, so a chunk that the old content has only inside a
    /// node that nothing else led to counts as new. Above two million different chunks it is an estimate from those
    /// of a share of all ids. Memory is bounded, but for the ranges and for one entry per different node.
    ///
    /// # Errors
    /// When a node cannot be read or is not what its parent says.
    pub fn between<S: NodeSource + ?Sized>(
        old: &TreeRoot,
        new: &TreeRoot,
        source: &mut S,
    ) -> Result<Delta, TreeError<S::Error>> {
        Self::within(BOUNDS, old, new, source)
    }

    fn within<S: NodeSource + ?Sized>(
        bounds: Bounds,
        old: &TreeRoot,
        new: &TreeRoot,
        source: &mut S,
    ) -> Result<Delta, TreeError<S::Error>> {
        let (old, new) = (Token::root(old)?, Token::root(new)?);
        let level = old.iter().chain(&new).map(|token| token.level).max().unwrap_or(0);
        let mut walk = Walk {
            source,
            bounds,
            delta: Delta::default(),
            end: (0, 0),
            census: Census::new(bounds.counted),
            held: 0,
            opened: 0,
        };
        walk.compare(level, old, new)?;
        let Walk { source, mut delta, census, .. } = walk;
        census.count(source, &mut delta.stats)?;
        Ok(delta)
    }
}

/// An object at its place in one of the contents.
#[derive(Debug, Clone, Copy)]
struct Token {
    level: u8,
    child: TreeChild,
    /// The other side has the same object near by, in another order: no need to open it.
    is_on_both: bool,
}

impl Token {
    fn new(level: u8, child: TreeChild) -> Self {
        Self { level, child, is_on_both: false }
    }

    fn root<E>(root: &TreeRoot) -> Result<Vec<Self>, TreeError<E>> {
        Ok(root.checked()?.map(|(level, child)| Self::new(level, child)).into_iter().collect())
    }

    fn is_same(&self, other: &Self) -> bool {
        self.level == other.level && self.child.is_same(&other.child)
    }

    /// Bytes of all occurrences. Roots and nodes are checked before they become tokens, so this fits.
    fn bytes(&self) -> u64 {
        self.child.len * self.child.repeat
    }
}

/// The state of a comparison: what lies before `end` (of the old and the new content) is in `delta`.
struct Walk<'a, S: ?Sized> {
    source: &'a mut S,
    bounds: Bounds,
    delta: Delta,
    end: (u64, u64),
    census: Census,
    held: usize,
    opened: usize,
}

impl<S: NodeSource + ?Sized> Walk<'_, S> {
    /// Compares the next stretch of both sides, of which objects of `level` are the highest that may be opened.
    fn compare(
        &mut self,
        level: u8,
        mut old: Vec<Token>,
        mut new: Vec<Token>,
    ) -> Result<(), TreeError<S::Error>> {
        let held = old.len() + new.len();
        self.held += held;
        for part in align(&mut old, &mut new) {
            match part {
                Part::Same(token) => self.same(&token),
                Part::Different(old, new) => self.open(level, old, new)?,
            }
        }
        self.held -= held;
        Ok(())
    }

    /// Opens the nodes of `level` on both sides and compares what is in them.
    fn open(&mut self, level: u8, old: &[Token], new: &[Token]) -> Result<(), TreeError<S::Error>> {
        if level == 0 || old.is_empty() || new.is_empty() {
            self.different(old, new);
            return Ok(());
        }
        let pieces = old.len().max(new.len()).div_ceil(self.bounds.piece);
        for piece in 0..pieces {
            let old = self.children(level, share(old, piece, pieces))?;
            let new = self.children(level, share(new, piece, pieces))?;
            self.compare(level - 1, old, new)?;
        }
        Ok(())
    }

    /// The tokens, with the nodes of `level` replaced by their children as far as the bounds allow.
    fn children(&mut self, level: u8, tokens: &[Token]) -> Result<Vec<Token>, TreeError<S::Error>> {
        let mut children = Vec::with_capacity(tokens.len());
        for token in tokens {
            if token.level < level || token.is_on_both || self.is_exhausted(children.len()) {
                push(&mut children, *token);
                continue;
            }
            let before = children.len();
            self.children_of(token, &mut children)?;
            self.opened += children.len() - before + 1;
        }
        Ok(children)
    }

    fn is_exhausted(&self, more: usize) -> bool {
        self.held + more > self.bounds.held || self.opened > self.bounds.opened
    }

    fn children_of(&mut self, token: &Token, out: &mut Vec<Token>) -> Result<(), TreeError<S::Error>> {
        let below = load(self.source, token.level, &token.child)?;
        let repeat = token.child.repeat;
        let inner = repeat.saturating_sub(2 * RUN_ENDS);
        for time in 0..repeat - inner {
            if time == RUN_ENDS && inner > 0 {
                push(out, Token::new(token.level, TreeChild { repeat: inner, ..token.child }));
            }
            below.iter().for_each(|child| push(out, Token::new(token.level - 1, *child)));
        }
        Ok(())
    }

    fn same(&mut self, token: &Token) {
        let bytes = token.bytes();
        self.census.know(token);
        self.delta.stats.unchanged += bytes;
        self.end = (self.end.0 + bytes, self.end.1 + bytes);
    }

    fn different(&mut self, old: &[Token], new: &[Token]) {
        old.iter().for_each(|token| self.census.add(Side::Old, token));
        new.iter().for_each(|token| self.census.add(Side::New, token));
        let sum = |tokens: &[Token]| tokens.iter().map(Token::bytes).sum::<u64>();
        let (old_start, new_start) = self.end;
        self.end = (old_start + sum(old), new_start + sum(new));
        if self.end == (old_start, new_start) {
            return;
        }
        let (old, new) = (old_start..self.end.0, new_start..self.end.1);
        match self.delta.ranges.last_mut() {
            Some(last) if last.old.end == old_start && last.new.end == new_start => {
                (last.old.end, last.new.end) = self.end;
            }
            _ => self.delta.ranges.push(DeltaRange { old, new }),
        }
    }
}

/// Appends a token, as more of the last one if it is the same object.
fn push(tokens: &mut Vec<Token>, token: Token) {
    match tokens.last_mut() {
        Some(last) if last.is_same(&token) => last.child.repeat += token.child.repeat,
        _ => tokens.push(token),
    }
}

/// The `piece`th of `pieces` shares of the tokens.
fn share(tokens: &[Token], piece: usize, pieces: usize) -> &[Token] {
    &tokens[tokens.len() * piece / pieces..tokens.len() * (piece + 1) / pieces]
}
