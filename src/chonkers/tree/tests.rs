use super::*;
use crate::limits::NODE_LEVEL_MAX;
use proptest::prelude::*;
use std::collections::HashMap;
use std::convert::Infallible;

pub(in crate::chonkers) const KEY: [u8; 32] = [7; 32];
pub(in crate::chonkers) const UNIT: u32 = 65_536;

/// Nodes in memory; counts what is read.
#[derive(Default, Clone)]
pub(in crate::chonkers) struct Memory {
    pub(in crate::chonkers) nodes: HashMap<ChunkId, ChonkerNode>,
    pub(in crate::chonkers) reads: Vec<ChunkId>,
}

impl NodeSink for Memory {
    type Error = Infallible;

    fn put_node(&mut self, node: &ChonkerNode) -> Result<ChunkId, Infallible> {
        let mut hash = blake3::Hasher::new();
        hash.update(&[node.level]);
        for child in &node.children {
            hash.update(child.id.as_bytes());
            hash.update(&child.len.to_le_bytes());
            hash.update(&child.repeat.to_le_bytes());
        }
        let id = ChunkId::new(*hash.finalize().as_bytes());
        self.nodes.insert(id, node.clone());
        Ok(id)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no node {0}")]
pub(in crate::chonkers) struct Missing(ChunkId);

impl NodeSource for Memory {
    type Error = Missing;

    fn node(&mut self, _level: u8, id: &ChunkId) -> Result<ChonkerNode, Missing> {
        self.reads.push(*id);
        self.nodes.get(id).cloned().ok_or(Missing(*id))
    }
}

/// A chunk of this name; its length is a function of the name, as a chunk's is of its id.
pub(in crate::chonkers) fn chunk(name: u64, repeat: u64) -> TreeChild {
    let hash = blake3::hash(&name.to_le_bytes());
    let (word, _) = hash.as_bytes().split_first_chunk::<2>().unwrap();
    let len = 1 + u64::from(u16::from_le_bytes(*word));
    TreeChild { id: ChunkId::new(*hash.as_bytes()), len, repeat }
}

pub(in crate::chonkers) fn build(leaves: &[TreeChild], memory: &mut Memory) -> TreeRoot {
    build_with(UNIT, leaves, memory)
}

fn build_with(unit: u32, leaves: &[TreeChild], memory: &mut Memory) -> TreeRoot {
    let mut builder = ChonkerTreeBuilder::new(unit, &KEY);
    for leaf in leaves {
        builder.push(*leaf, memory).unwrap();
    }
    builder.finish(memory).unwrap()
}

/// What a tree must give back: runs combined, but where a node ends between two equal chunks.
fn combined(leaves: impl IntoIterator<Item = TreeChild>) -> Vec<TreeChild> {
    let mut all: Vec<TreeChild> = Vec::new();
    for leaf in leaves {
        match all.last_mut() {
            Some(last) if last.is_same(&leaf) => last.repeat += leaf.repeat,
            _ => all.push(leaf),
        }
    }
    all
}

pub(in crate::chonkers) fn read(root: &TreeRoot, memory: &mut Memory) -> Vec<TreeChild> {
    let mut offset = 0;
    let mut all = Vec::new();
    for leaf in ChonkerTree::new(*root).leaves(memory).unwrap() {
        let leaf = leaf.unwrap();
        assert_eq!(leaf.offset, offset);
        offset += leaf.chunk.len * leaf.chunk.repeat;
        all.push(leaf.chunk);
    }
    assert_eq!(Some(offset), root.total_len());
    combined(all)
}

fn check_shape(unit: u32, root: &TreeRoot, memory: &Memory) {
    let TreeRoot::Tree { level, id, .. } = root else { return };
    assert!(*level <= NODE_LEVEL_MAX);
    if *level > 0 {
        let top = &memory.nodes[id];
        assert!(top.children.len() > 1 || top.children[0].repeat > 1, "{top:?}");
    }
    for node in memory.nodes.values() {
        assert!((1..=NODE_CHILDREN_MAX).contains(&node.children.len()));
        assert!(node.children.windows(2).all(|two| !two[0].is_same(&two[1])));
        let len: u128 = node.children.iter().map(|c| u128::from(c.len) * u128::from(c.repeat)).sum();
        let cap = u128::from(unit) * 16u128.pow(u32::from(node.level));
        assert!(len <= cap || node.children.len() == 1, "level {} holds {len}", node.level);
    }
}

/// Leaf sequences with few names (equal neighbours, periods) or many, and runs.
pub(in crate::chonkers) fn leaves() -> impl Strategy<Value = Vec<TreeChild>> {
    let repeat = prop_oneof![8 => Just(1u64), 1 => 2u64..40, 1 => 1_000u64..1_000_000_000];
    (prop_oneof![Just(2u64), Just(5), Just(1 << 40)], prop_oneof![4 => Just(200usize), 1 => Just(3_000)])
        .prop_flat_map(move |(names, most)| {
            prop::collection::vec((0..names, repeat.clone()).prop_map(|(name, n)| chunk(name, n)), 0..most)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_tree_gives_back_its_leaves(leaves in leaves()) {
        let mut memory = Memory::default();
        let root = build(&leaves, &mut memory);
        check_shape(UNIT, &root, &memory);
        prop_assert_eq!(read(&root, &mut memory), combined(leaves));
    }

    #[test]
    fn a_tree_does_not_depend_on_how_runs_are_pushed(leaves in leaves(), split in 1u64..5) {
        let parts: Vec<_> = leaves.iter().flat_map(|leaf| {
            let first = split.min(leaf.repeat - 1);
            let halves = [TreeChild { repeat: first, ..*leaf }, TreeChild { repeat: leaf.repeat - first, ..*leaf }];
            halves.into_iter().filter(|half| half.repeat > 0)
        }).collect();
        let (mut one, mut two) = (Memory::default(), Memory::default());
        prop_assert_eq!(build(&leaves, &mut one), build(&parts, &mut two));
        prop_assert_eq!(one.nodes, two.nodes);
    }
}

fn sequence(seed: u64, count: u64) -> Vec<TreeChild> {
    (0..count).map(|i| chunk(seed << 32 | i, 1)).collect()
}

fn per_level(memory: &Memory, known: &Memory) -> Vec<usize> {
    let mut counts = vec![0; usize::from(NODE_LEVEL_MAX) + 1];
    for (id, node) in &memory.nodes {
        if !known.nodes.contains_key(id) {
            counts[usize::from(node.level)] += 1;
        }
    }
    counts
}

#[test]
fn an_edit_of_one_chunk_makes_a_bounded_number_of_new_nodes_a_level() {
    let leaves = sequence(1, 20_000);
    let mut before = Memory::default();
    build(&leaves, &mut before);
    let mut worst = vec![0; usize::from(NODE_LEVEL_MAX) + 1];
    let mut total = vec![0; worst.len()];
    for case in 0..60u64 {
        let at = usize::try_from(blake3::hash(&case.to_le_bytes()).as_bytes()[0]).unwrap() * 78;
        let mut edited = leaves.clone();
        match case % 3 {
            0 => edited.insert(at, chunk(u64::MAX - case, 1)),
            1 => drop(edited.remove(at)),
            _ => edited[at] = chunk(u64::MAX - case, 1),
        }
        let mut after = Memory::default();
        build(&edited, &mut after);
        for (level, count) in per_level(&after, &before).into_iter().enumerate() {
            worst[level] = worst[level].max(count);
            total[level] += count;
        }
    }
    println!("new nodes a level: worst {worst:?}, total over 60 edits {total:?}");
    assert!(worst.iter().all(|count| *count <= 8), "{worst:?}");
}

#[test]
fn fan_out_is_near_sixteen_for_chunks_of_ordinary_length() {
    let leaves = sequence(2, 20_000);
    let mut memory = Memory::default();
    let root = build(&leaves, &mut memory);
    let counts = per_level(&memory, &Memory::default());
    println!("{root:?} {counts:?}");
    assert!((700..=1800).contains(&counts[1]), "{counts:?}");
}
