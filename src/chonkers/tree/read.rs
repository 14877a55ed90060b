//! Reads the leaves of a tree, in order, lazily.

use super::{NodeSource, TreeChild, TreeError, TreeRoot, load};

/// A tree to read.
///
/// Nodes are checked as they are read: a tree from a hostile source ends in an error, or yields leaves whose
/// lengths add up to what the root says. (Such a tree may name a node 10^18 times: whoever reads counts the bytes.)
///
/// ```
/// use std::collections::HashMap;
/// use std::convert::Infallible;
/// use warp::chonkers::{ChonkerNode, ChonkerTree, ChonkerTreeBuilder, NodeSink, NodeSource, TreeChild};
/// use warp::id::ChunkId;
///
/// #[derive(Default)]
/// struct Nodes(HashMap<ChunkId, ChonkerNode>);
///
/// impl NodeSink for Nodes {
///     type Error = Infallible;
///     fn put_node(&mut self, node: &ChonkerNode) -> Result<ChunkId, Infallible> {
///         let id = ChunkId::new(*blake3::hash(format!("{node:?}").as_bytes()).as_bytes());
///         self.0.insert(id, node.clone());
///         Ok(id)
///     }
/// }
///
/// impl NodeSource for Nodes {
///     type Error = &'static str;
///     fn node(&mut self, _level: u8, id: &ChunkId) -> Result<ChonkerNode, Self::Error> {
///         self.0.get(id).cloned().ok_or("no such node")
///     }
/// }
///
/// let mut nodes = Nodes::default();
/// let mut builder = ChonkerTreeBuilder::new(64 * 1024, &[7; 32]);
/// for name in 0..100u8 {
///     builder.push(TreeChild { id: ChunkId::new([name; 32]), len: 40_000, repeat: 1 }, &mut nodes)?;
/// }
/// let tree = ChonkerTree::new(builder.finish(&mut nodes)?);
/// assert_eq!(tree.root().total_len(), Some(4_000_000));
///
/// let leaf = tree.leaves_from(1_000_000, &mut nodes).unwrap().next().unwrap().unwrap();
/// assert_eq!((leaf.offset, leaf.chunk.id), (1_000_000, ChunkId::new([25; 32])));
/// # Ok::<(), Infallible>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChonkerTree {
    root: TreeRoot,
}

/// A chunk with its place in the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Leaf {
    /// Bytes of content before it.
    pub offset: u64,
    /// The chunk, with the number of times that it stands here in a row.
    pub chunk: TreeChild,
}

impl ChonkerTree {
    /// The tree below `root`.
    pub fn new(root: TreeRoot) -> Self {
        Self { root }
    }

    /// Where it begins.
    pub fn root(&self) -> &TreeRoot {
        &self.root
    }

    /// All leaves. Memory is bounded by one node a level.
    ///
    /// Equal neighbours under different parents come as two leaves.
    ///
    /// # Errors
    /// When the root cannot be one of any tree.
    pub fn leaves<S: NodeSource>(&self, source: S) -> Result<Leaves<S>, TreeError<S::Error>> {
        self.leaves_from(0, source)
    }

    /// The leaves from the occurrence of a chunk on that holds byte `offset`: none, if the content ends before.
    /// Nothing that lies wholly before it is read.
    ///
    /// # Errors
    /// When the root cannot be one of any tree. What cannot be read below it comes as an item.
    pub fn leaves_from<S: NodeSource>(
        &self,
        offset: u64,
        source: S,
    ) -> Result<Leaves<S>, TreeError<S::Error>> {
        let mut leaves = Leaves { source, stack: Vec::new(), offset: 0, skip_to: offset };
        if let Some((level, child)) = self.root.checked()? {
            leaves.stack.push(Frame { level, children: vec![child], at: 0 });
        }
        Ok(leaves)
    }
}

/// Objects of one level that are still to come.
#[derive(Debug)]
struct Frame {
    level: u8,
    children: Vec<TreeChild>,
    at: usize,
}

/// Iterator over the leaves of a tree. Ends after the first error.
#[derive(Debug)]
pub struct Leaves<S> {
    source: S,
    stack: Vec<Frame>,
    /// Content before the next object.
    offset: u64,
    /// What ends at or before this is passed over.
    skip_to: u64,
}

impl<S: NodeSource> Leaves<S> {
    /// The next leaf; enters and leaves nodes on the way to it.
    fn advance(&mut self) -> Result<Option<Leaf>, TreeError<S::Error>> {
        while let Some(frame) = self.stack.last_mut() {
            let Some(child) = frame.children.get_mut(frame.at).filter(|child| child.repeat > 0) else {
                frame.at += 1;
                if frame.at >= frame.children.len() {
                    self.stack.pop();
                }
                continue;
            };
            let before = (self.skip_to.saturating_sub(self.offset) / child.len).min(child.repeat);
            self.offset += before * child.len;
            child.repeat -= before;
            if child.repeat == 0 {
                continue;
            }
            let taken = if frame.level == 0 { child.repeat } else { 1 };
            child.repeat -= taken;
            let taken = TreeChild { repeat: taken, ..*child };
            if frame.level == 0 {
                let leaf = Leaf { offset: self.offset, chunk: taken };
                self.offset += taken.len * taken.repeat;
                return Ok(Some(leaf));
            }
            let level = frame.level;
            let children = load(&mut self.source, level, &taken)?;
            self.stack.push(Frame { level: level - 1, children, at: 0 });
        }
        Ok(None)
    }
}

impl<S: NodeSource> Iterator for Leaves<S> {
    type Item = Result<Leaf, TreeError<S::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            self.stack.clear();
        }
        next.transpose()
    }
}
