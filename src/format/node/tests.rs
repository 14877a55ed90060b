use super::*;
use crate::format::testkit::{assert_canonical, assert_golden};
use proptest::collection::vec;
use proptest::prelude::*;

fn child(id: u8, len: u64, repeat: u64) -> NodeChild {
    NodeChild { id: ChunkId::new([id; 32]), len, repeat }
}

fn node() -> FileNode {
    FileNode { level: 1, children: vec![child(1, 70_000, 1), child(2, 65_536, 1 << 24), child(3, 5, 1)] }
}

#[test]
fn a_node_has_its_golden_bytes_and_one_encoding() {
    let bytes = node().encode().unwrap();
    assert_golden(&bytes, "file_node.hex");
    assert_canonical(&bytes, |bytes| FileNode::decode(bytes)?.encode());
}

#[test]
fn a_terabyte_of_zeros_is_one_child() {
    let bytes = node().encode().unwrap();
    assert_eq!(FileNode::decode(&bytes).unwrap().total_len(), Some(70_000 + (1 << 40) + 5));
    assert!(bytes.len() < 128);
}

#[test]
fn repeat_counts_take_no_bytes_where_all_are_one() {
    let plain = FileNode { level: 16, children: vec![child(1, 1, 1); 100] };
    assert_eq!(plain.encode().unwrap().len(), 3 + 100 * 33);
    let mut marked = plain.encode().unwrap();
    marked[1] |= REPEATS;
    marked.splice(103..103, [1; 100]);
    let claims = DecodeError::Invalid { what: WHAT, why: "it claims repeats but has none" };
    assert_eq!(FileNode::decode(&marked), Err(claims));
}

#[test]
fn nodes_that_break_a_rule_are_neither_written_nor_read() {
    let refuse = |level, children: Vec<NodeChild>| {
        let node = FileNode { level, children };
        assert!(node.encode().is_err(), "level {level}, {} children", node.children.len());
    };
    refuse(0, vec![child(1, 1, 1)]);
    refuse(17, vec![child(1, 1, 1)]);
    refuse(1, vec![]);
    refuse(1, vec![child(1, 0, 1)]);
    refuse(1, vec![child(1, 1, 0)]);
    refuse(1, vec![child(1, limits::OBJECT_LEN_MAX as u64 + 1, 1)]);
    refuse(2, vec![child(1, 1 << 33, 1 << 31)]);
    refuse(2, vec![child(1, u64::MAX, 1), child(2, 1, 1)]);
    refuse(1, vec![child(1, 1, 1); FileNode::CHILDREN_MAX + 1]);
}

#[test]
fn the_largest_node_fits_an_object() {
    let node = FileNode { level: 2, children: vec![child(1, (1 << 47) - 1, 2); FileNode::CHILDREN_MAX] };
    let bytes = node.encode().unwrap();
    assert!(bytes.len() <= limits::OBJECT_LEN_MAX);
    assert_eq!(FileNode::decode(&bytes), Ok(node));
}

#[test]
fn roots_of_files_follow_the_rules_of_children() {
    let tree =
        |level, len, repeat| ContentRoot::Tree { level, id: ChunkId::new([1; 32]), len, repeat }.check();
    assert_eq!(ContentRoot::Empty.check(), Ok(()));
    assert_eq!(tree(0, limits::OBJECT_LEN_MAX as u64, 1 << 20), Ok(()));
    assert_eq!(tree(16, u64::MAX, 1), Ok(()));
    let max = limits::OBJECT_LEN_MAX as u64;
    for (level, len, repeat) in [(0, max + 1, 1), (0, 0, 1), (1, 1, 0), (17, 1, 1), (1, u64::MAX, 2)] {
        assert!(tree(level, len, repeat).is_err(), "{level} {len} {repeat}");
    }
}

proptest! {
    #[test]
    fn nodes_round_trip(level in 1..=16_u8, children in vec((any::<u8>(), 1..4_000_000_u64, 1..3_u64), 1..50)) {
        let children = children.into_iter().map(|(id, len, repeat)| child(id, len, repeat)).collect();
        let node = FileNode { level, children };
        prop_assert_eq!(FileNode::decode(&node.encode().unwrap()), Ok(node));
    }
}
