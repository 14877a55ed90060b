use super::*;
use crate::limits::NODE_LEVEL_MAX;
use proptest::prelude::*;
use std::collections::HashMap;
use std::convert::Infallible;

mod hostile;
mod locality;

pub(in crate::chonkers) const KEY: [u8; 32] = [7; 32];
pub(in crate::chonkers) const UNIT: u32 = 65_536;

/// Nodes in memory; counts what is read.
#[derive(Debug, Default, Clone)]
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
        let cap = u128::from(unit) * 16u128.pow(u32::from(node.level));
        let len = |child: &TreeChild| (u128::from(child.len) * u128::from(child.repeat)).min(cap / 16);
        let len: u128 = node.children.iter().map(len).sum();
        assert!(len <= cap, "level {} holds {len}", node.level);
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
fn fan_out_is_near_sixteen_for_chunks_of_ordinary_length() {
    let leaves = sequence(2, 20_000);
    let mut memory = Memory::default();
    let root = build(&leaves, &mut memory);
    let counts = per_level(&memory, &Memory::default());
    println!("{root:?} {counts:?}");
    assert!((700..=1800).contains(&counts[1]), "{counts:?}");
}

#[test]
fn a_period_costs_a_few_nodes_however_often_it_stands() {
    let leaves: Vec<_> = (0..30_000u64).map(|i| chunk(i % 3, 1)).collect();
    let mut memory = Memory::default();
    let root = build(&leaves, &mut memory);
    assert!(memory.nodes.len() < 30, "{}", memory.nodes.len());
    assert_eq!(read(&root, &mut memory), combined(leaves));
}

#[test]
fn many_tiny_chunks_keep_within_the_fan_out_and_large_ones_within_the_depth() {
    let tiny: Vec<_> = (0..50_000).map(|i| TreeChild { len: 1, ..chunk(i, 1) }).collect();
    let vast: Vec<_> = (0..3_000).map(|i| TreeChild { len: 1 << 52, ..chunk(i, 1) }).collect();
    let mixed: Vec<_> = (0..20_000).map(|i| TreeChild { len: 1 << (i % 48), ..chunk(i, 1) }).collect();
    for leaves in [tiny, vast, mixed] {
        for unit in [1, 1000, UNIT, u32::MAX] {
            let mut memory = Memory::default();
            let root = build_with(unit, &leaves, &mut memory);
            check_shape(unit, &root, &memory);
            assert_eq!(read(&root, &mut memory), leaves);
        }
    }
}

#[test]
fn small_contents_have_the_smallest_roots() {
    let mut memory = Memory::default();
    assert_eq!(build(&[], &mut memory), TreeRoot::Empty);
    let run = chunk(1, 1 << 40);
    assert_eq!(build(&[run], &mut memory), TreeRoot::new(0, run));
    assert!(memory.nodes.is_empty());
    let two = [chunk(1, 1), chunk(2, 1)];
    let root = build(&two, &mut memory);
    assert!(matches!(root, TreeRoot::Tree { level: 1, repeat: 1, .. }));
    assert_eq!(memory.nodes.len(), 1);
    // Tebibytes of one chunk between two others.
    let vast = [chunk(1, 1), chunk(2, 1 << 30), chunk(3, 1)];
    let root = build(&vast, &mut memory);
    assert!(matches!(root, TreeRoot::Tree { level: 1, repeat: 1, .. }));
    assert_eq!(read(&root, &mut memory), vast);
}

#[test]
fn what_is_held_while_building_does_not_grow() {
    let mut memory = Memory::default();
    let mut builder = ChonkerTreeBuilder::new(UNIT, &KEY);
    let mut most = 0;
    for i in 0..200_000 {
        builder.push(chunk(i, 1), &mut memory).unwrap();
        most = most.max(builder.held());
    }
    println!("objects held: {most}");
    assert!(most < 6_000, "{most}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn reading_from_an_offset_gives_the_rest_from_the_chunk_that_holds_it(leaves in leaves(), place: u64) {
        let mut memory = Memory::default();
        let root = build(&leaves, &mut memory);
        let total = root.total_len().unwrap();
        let offset = place % (total + total / 8 + 1);
        let mut expected = Vec::new();
        let mut at = 0;
        for leaf in combined(leaves) {
            let gone = (offset.saturating_sub(at) / leaf.len).min(leaf.repeat);
            let rest = TreeChild { repeat: leaf.repeat - gone, ..leaf };
            if rest.repeat > 0 {
                expected.push((at + gone * leaf.len, rest));
            }
            at += leaf.len * leaf.repeat;
        }
        let found: Vec<_> = ChonkerTree::new(root).leaves_from(offset, &mut memory).unwrap()
            .map(|leaf| leaf.unwrap()).collect();
        prop_assert_eq!(found.first().map(|leaf| leaf.offset), expected.first().map(|(at, _)| *at));
        let ends = found.iter().map(|leaf| leaf.offset + leaf.chunk.len * leaf.chunk.repeat);
        let starts = found.iter().skip(1).map(|leaf| leaf.offset);
        prop_assert!(starts.zip(ends).all(|(start, end)| start == end));
        let rest = combined(expected.into_iter().map(|(_, leaf)| leaf));
        prop_assert_eq!(combined(found.into_iter().map(|leaf| leaf.chunk)), rest);
    }
}

#[test]
fn reading_from_an_offset_reads_one_path_of_nodes() {
    let leaves = sequence(3, 20_000);
    let mut memory = Memory::default();
    let root = build(&leaves, &mut memory);
    let TreeRoot::Tree { level, .. } = root else { panic!("not empty") };
    let total = root.total_len().unwrap();
    for offset in (0..total).step_by(usize::try_from(total / 50).unwrap()) {
        memory.reads.clear();
        let leaf = ChonkerTree::new(root).leaves_from(offset, &mut memory).unwrap().next().unwrap().unwrap();
        assert!((leaf.offset..leaf.offset + leaf.chunk.len).contains(&offset));
        assert_eq!(memory.reads.len(), usize::from(level));
    }
}
