//! Builds a tree from its leaves, streaming.

use super::cutter::GroupCutter;
use super::{ChonkerNode, LEVEL_FACTOR, NODE_CHILDREN_MAX, NodeSink, TreeChild, TreeRoot};
use crate::limits::NODE_LEVEL_MAX;
use std::collections::VecDeque;

/// Makes a tree from a sequence of chunks.
///
/// The tree depends on the chunks' ids, lengths and order, the unit and the key alone: not on how equal neighbours
/// were pushed (one by one or as a count). A node of level n holds at most `16^n * unit` bytes, where a child counts
/// as at most `16^(n-1) * unit` (only runs, chunks over the unit and nodes above such are more), and at most
/// [`NODE_CHILDREN_MAX`] children. Memory is bounded by a constant per level, whatever the length of the content.
#[derive(Debug)]
pub struct ChonkerTreeBuilder {
    unit: u32,
    secret: [u8; 32],
    levels: Vec<Level>,
}

impl ChonkerTreeBuilder {
    /// A builder for chunks of a layer of absolute unit `unit` bytes, with the repository's chunking key.
    ///
    /// # Panics
    /// If `unit` is 0.
    pub fn new(unit: u32, key: &[u8; 32]) -> Self {
        assert!(unit > 0, "a chunk has bytes");
        let secret = blake3::derive_key("warp 2025 ChonkerTree groups", key);
        Self { unit, secret, levels: Vec::new() }
    }

    /// Takes the next chunk, with the number of times that it stands in a row.
    ///
    /// # Errors
    /// When `sink` fails; the builder is of no use then.
    ///
    /// # Panics
    /// If `child.len` or `child.repeat` is 0, or the content reaches 2^64 bytes.
    pub fn push<S: NodeSink>(&mut self, child: TreeChild, sink: &mut S) -> Result<(), S::Error> {
        assert!(child.len > 0 && child.repeat > 0, "a chunk has bytes and stands at least once");
        self.push_at(0, child, sink)
    }

    /// Ends the content and returns the root of its tree. All nodes are in `sink` then.
    ///
    /// # Errors
    /// When `sink` fails.
    ///
    /// # Panics
    /// If the content reaches 2^64 bytes.
    pub fn finish<S: NodeSink>(mut self, sink: &mut S) -> Result<TreeRoot, S::Error> {
        let mut at = 0;
        while at < self.levels.len() {
            if let Some(root) = self.finish_level(at, sink)? {
                return Ok(root);
            }
            at += 1;
        }
        Ok(TreeRoot::Empty)
    }

    /// Objects held at present.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.levels.iter().map(|level| level.items.len()).sum()
    }

    /// Takes an object of level `at`.
    fn push_at<S: NodeSink>(&mut self, at: usize, child: TreeChild, sink: &mut S) -> Result<(), S::Error> {
        if at == self.levels.len() {
            self.levels.push(Level::new(at, self.unit, &self.secret));
        }
        if self.levels[at].push(child) { self.emit(at, sink) } else { Ok(()) }
    }

    /// Makes nodes of the groups that level `at` has ready and sends them up.
    fn emit<S: NodeSink>(&mut self, at: usize, sink: &mut S) -> Result<(), S::Error> {
        for size in std::mem::take(&mut self.levels[at].sizes) {
            let node = self.levels[at].put(size, sink)?;
            self.push_at(at + 1, node, sink)?;
        }
        Ok(())
    }

    /// Ends level `at`: the root, if all that this level had is one object or fits one node.
    fn finish_level<S: NodeSink>(&mut self, at: usize, sink: &mut S) -> Result<Option<TreeRoot>, S::Error> {
        let level = &mut self.levels[at];
        level.settle();
        if level.cutter.is_none() {
            let only = level.items.len() == 1;
            let root = if only { level.items[0] } else { level.put(level.items.len(), sink)? };
            return Ok(Some(TreeRoot::new(level.number + u8::from(!only), root)));
        }
        level.end();
        self.emit(at, sink)?;
        Ok(None)
    }
}

/// The objects of one level that are not yet in nodes of the next.
#[derive(Debug)]
struct Level {
    /// Level of the objects: 0 for chunks.
    number: u8,
    /// Most weight of a node made of them.
    cap: u128,
    key: [u8; 32],
    /// The latest object: more of the same may follow.
    last: Option<TreeChild>,
    /// Objects before it that are in no node.
    items: VecDeque<TreeChild>,
    /// Weight of `items` until there is a cutter.
    weight: u128,
    /// `None` as long as all objects would fit one node.
    cutter: Option<GroupCutter>,
    /// Sizes of the groups at the front of `items` that are complete.
    sizes: Vec<usize>,
}

impl Level {
    fn new(at: usize, unit: u32, secret: &[u8; 32]) -> Self {
        let number = u8::try_from(at).expect("each level has far fewer objects than the one below");
        let cap = u128::from(unit) * u128::from(LEVEL_FACTOR).pow(u32::from(number) + 1);
        let key = *blake3::keyed_hash(secret, &[number]).as_bytes();
        Self {
            number,
            cap,
            key,
            last: None,
            items: VecDeque::new(),
            weight: 0,
            cutter: None,
            sizes: Vec::new(),
        }
    }

    /// Takes the next object; whether groups are complete.
    fn push(&mut self, child: TreeChild) -> bool {
        if let Some(last) = self.last.as_mut().filter(|last| last.is_same(&child)) {
            last.repeat = last.repeat.checked_add(child.repeat).expect("content of less than 2^64 bytes");
            return false;
        }
        self.settle();
        self.last = Some(child);
        !self.sizes.is_empty()
    }

    /// The latest object is complete: puts it among the items, and cuts once they don't fit one node.
    fn settle(&mut self) {
        let Some(child) = self.last.take() else { return };
        self.items.push_back(child);
        if self.cutter.is_some() {
            return self.cut(child);
        }
        self.weight += self.weight_of(&child);
        if self.weight > self.cap {
            self.cutter = Some(GroupCutter::new(self.cap, base(&self.key)));
            for at in 0..self.items.len() {
                self.cut(self.items[at]);
            }
        }
    }

    fn cut(&mut self, child: TreeChild) {
        let (weight, hash) = (self.weight_of(&child), self.hash_of(&child));
        if let Some(cutter) = &mut self.cutter {
            cutter.push(weight, hash, &mut self.sizes);
        }
    }

    fn end(&mut self) {
        if let Some(cutter) = self.cutter.take() {
            cutter.finish(&mut self.sizes);
        }
    }

    /// Bytes of the child, within bounds: a long run is one entry and must not stand alone in towers of nodes, and
    /// many small children must not make a long list.
    fn weight_of(&self, child: &TreeChild) -> u128 {
        let bytes = u128::from(child.len) * u128::from(child.repeat);
        bytes.clamp(self.cap.div_ceil(NODE_CHILDREN_MAX as u128), self.cap / u128::from(LEVEL_FACTOR))
    }

    fn hash_of(&self, child: &TreeChild) -> u64 {
        let mut bytes = [0; 48];
        bytes[..32].copy_from_slice(child.id.as_bytes());
        bytes[32..40].copy_from_slice(&child.len.to_le_bytes());
        bytes[40..].copy_from_slice(&child.repeat.to_le_bytes());
        first_word(blake3::keyed_hash(&self.key, &bytes).as_bytes())
    }

    /// Makes a node of the first `size` items.
    fn put<S: NodeSink>(&mut self, size: usize, sink: &mut S) -> Result<TreeChild, S::Error> {
        // Sixteen levels of the least fan-out seen (8) are 10^14 entries.
        assert!(self.number < NODE_LEVEL_MAX, "a tree of fewer entries than any content has");
        let children: Vec<_> = self.items.drain(..size).collect();
        let len = children.iter().try_fold(0u64, |sum, child| sum.checked_add(child.total_len()?));
        let len = len.expect("content of less than 2^64 bytes");
        let id = sink.put_node(&ChonkerNode { level: self.number + 1, children })?;
        Ok(TreeChild { id, len, repeat: 1 })
    }
}

fn base(key: &[u8; 32]) -> u64 {
    first_word(blake3::keyed_hash(key, b"base").as_bytes())
}

fn first_word(hash: &[u8; 32]) -> u64 {
    let (word, _) = hash.split_first_chunk().expect("32 bytes");
    u64::from_le_bytes(*word)
}
