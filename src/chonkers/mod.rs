//! chonkers.
pub mod tree;

pub use tree::{
    ChonkerNode, ChonkerTree, ChonkerTreeBuilder, Leaf, Leaves, NodeSink, NodeSource, TreeChild, TreeError,
    TreeRoot,
};
