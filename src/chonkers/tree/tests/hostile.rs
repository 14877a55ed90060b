//! Trees that no builder makes.
use super::*;
use crate::chonkers::TreeDiff;

/// The error that reading a root gives, whose node is the given one.
fn refused(level: u8, len: u64, repeat: u64, node: ChonkerNode) -> TreeError<Missing> {
    let id = ChunkId::new([9; 32]);
    let mut memory = Memory::default();
    memory.nodes.insert(id, node);
    let root = TreeRoot::Tree { level, id, len, repeat };
    let diff = TreeDiff::between(
        &TreeRoot::Tree { level: level.clamp(1, 16), id: ChunkId::new([8; 32]), len: 1, repeat: 1 },
        &root,
        &mut memory.clone(),
    );
    assert!(diff.is_err());
    match ChonkerTree::new(root).leaves(&mut memory) {
        Err(error) => error,
        Ok(leaves) => leaves.take(10_000).find_map(Result::err).expect("an error"),
    }
}

#[test]
fn hostile_nodes_are_refused() {
    let node = |level, children: &[TreeChild]| ChonkerNode { level, children: children.to_vec() };
    let child = |len, repeat| TreeChild { len, repeat, ..chunk(1, 1) };
    let good = node(1, &[child(5, 2)]);
    assert!(matches!(refused(1, 10, 0, good.clone()), TreeError::EmptyChild { .. }));
    assert!(matches!(refused(1, 0, 1, good.clone()), TreeError::EmptyChild { .. }));
    assert!(matches!(refused(17, 10, 1, good.clone()), TreeError::TooDeep { level: 17, .. }));
    assert!(matches!(refused(255, 10, 1, good.clone()), TreeError::TooDeep { .. }));
    assert!(matches!(refused(1, 1 << 40, 1 << 30, good.clone()), TreeError::TooLong { .. }));
    assert!(matches!(refused(2, 10, 1, good.clone()), TreeError::WrongLevel { expected: 2, found: 1, .. }));
    assert!(matches!(refused(1, 11, 1, good), TreeError::WrongLen { expected: 11, found: 10, .. }));
    assert!(matches!(refused(1, 10, 1, node(1, &[])), TreeError::WrongFanOut { found: 0, .. }));
    assert!(matches!(refused(1, 1025, 1, node(1, &[child(1, 1); 1025])), TreeError::WrongFanOut { .. }));
    assert!(matches!(refused(1, 10, 1, node(1, &[child(0, 7), child(10, 1)])), TreeError::EmptyChild { .. }));
    assert!(matches!(refused(1, 10, 1, node(1, &[child(7, 0), child(10, 1)])), TreeError::EmptyChild { .. }));
    assert!(matches!(refused(1, 10, 1, node(1, &[child(1 << 63, 2)])), TreeError::TooLong { .. }));
    assert!(matches!(refused(1, 10, 1, node(1, &[child(1 << 63, 1); 3])), TreeError::TooLong { .. }));
    assert!(matches!(refused(2, 10, 1, node(2, &[child(10, 1)])), TreeError::Source { level: 1, .. }));
}

#[test]
fn an_error_ends_the_leaves() {
    let mut memory = Memory::default();
    let root = build(&sequence(4, 500), &mut memory);
    let TreeRoot::Tree { id, .. } = root else { panic!("not empty") };
    let second = memory.nodes[&id].children[1].id;
    memory.nodes.remove(&second);
    let all: Vec<_> = ChonkerTree::new(root).leaves(&mut memory).unwrap().collect();
    assert!(all.len() > 1 && all[..all.len() - 1].iter().all(Result::is_ok));
    assert!(matches!(all.last(), Some(Err(TreeError::Source { id, .. })) if *id == second));
}

#[test]
#[should_panic(expected = "2^64 bytes")]
fn content_of_over_two_to_the_64_bytes_is_no_content() {
    let leaves = [TreeChild { len: 1 << 63, ..chunk(1, 1) }, TreeChild { len: 1 << 63, ..chunk(2, 1) }];
    build(&leaves, &mut Memory::default());
}

/// A graph of a few nodes that name each other, right or wrong.
fn graph() -> impl Strategy<Value = (Memory, Vec<TreeRoot>)> {
    let len = prop_oneof![6 => 1u64..4, 1 => Just(0), 1 => Just(1 << 62), 1 => any::<u64>()];
    let child = (0u8..6, len, prop_oneof![6 => 1u64..4, 1 => any::<u64>()]);
    let node = (0u8..5, prop::collection::vec(child.clone(), 0..5), any::<bool>());
    let root = (0u8..6, child).prop_map(|(level, (name, len, repeat))| (level, name, len, repeat));
    (prop::collection::vec(node, 6), prop::collection::vec(root, 2), any::<bool>()).prop_map(
        |(nodes, roots, fix)| {
            let mut memory = Memory::default();
            let mut known: HashMap<u8, (u8, u64)> = HashMap::new();
            for (name, (level, children, honest)) in (0u8..).zip(nodes) {
                let mut list = Vec::new();
                for (child, len, repeat) in children {
                    // Mostly children that are there, of the right level and length, or nothing deep is reached.
                    let right = known.get(&child).filter(|(of, _)| honest && of + 1 == level);
                    let len = right.map_or(len, |(_, len)| *len);
                    list.push(TreeChild { id: ChunkId::new([child; 32]), len, repeat });
                }
                let len =
                    list.iter().map(|child| child.total_len().unwrap_or(0)).fold(0, u64::saturating_add);
                known.insert(name, (level, len));
                memory.nodes.insert(ChunkId::new([name; 32]), ChonkerNode { level, children: list });
            }
            let roots = roots.into_iter().map(|(level, name, len, repeat)| {
                let (level, len) =
                    if fix { known.get(&name).copied().unwrap_or((level, len)) } else { (level, len) };
                TreeRoot::Tree { level, id: ChunkId::new([name; 32]), len, repeat }
            });
            let roots = roots.collect();
            (memory, roots)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_graph_of_nodes_ends_in_an_error_or_in_sums_that_fit((mut memory, roots) in graph()) {
        for root in &roots {
            if let Ok(leaves) = ChonkerTree::new(*root).leaves(&mut memory.clone()) {
                let read: Vec<_> = leaves.take(1_000).collect();
                if read.len() < 1_000 && read.iter().all(Result::is_ok) {
                    let len = read.into_iter().flatten().map(|leaf| leaf.chunk.total_len().unwrap()).sum();
                    prop_assert_eq!(root.total_len(), Some(len));
                }
            }
        }
        if let Ok(delta) = TreeDiff::between(&roots[0], &roots[1], &mut memory) {
            let stats = delta.stats;
            prop_assert_eq!(roots[1].total_len(), Some(stats.unchanged + stats.moved + stats.new));
        }
    }
}
