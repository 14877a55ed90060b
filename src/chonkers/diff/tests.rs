use super::*;
use crate::chonkers::tree::tests::{Memory, build, chunk, leaves};
use crate::id::ChunkId;
use proptest::prelude::*;
use std::collections::HashSet;

fn total(leaves: &[TreeChild]) -> u64 {
    leaves.iter().map(|leaf| leaf.len * leaf.repeat).sum()
}

/// Leaves as (start, end, id) of every single occurrence.
fn expanded(leaves: &[TreeChild]) -> Vec<(u64, ChunkId)> {
    let mut at = 0;
    let mut all = Vec::new();
    for leaf in leaves {
        for _ in 0..leaf.repeat {
            all.push((at, leaf.id));
            at += leaf.len;
        }
    }
    all
}

/// The chunks outside the ranges of one side, expanded.
fn outside(leaves: &[TreeChild], ranges: impl Iterator<Item = Range<u64>> + Clone) -> Vec<ChunkId> {
    let inside = |at: u64| ranges.clone().any(|range| range.contains(&at));
    expanded(leaves).into_iter().filter(|(at, _)| !inside(*at)).map(|(_, id)| id).collect()
}

fn check(old: &[TreeChild], new: &[TreeChild], delta: &Delta) {
    check_ranges(old, new, delta);
    check_known(old, new, delta);
}

fn check_ranges(old: &[TreeChild], new: &[TreeChild], delta: &Delta) {
    let DeltaStats { unchanged, moved, new: fresh, removed } = delta.stats;
    assert_eq!(unchanged + moved + fresh, total(new), "{delta:?}");
    assert!(unchanged + removed <= total(old), "{delta:?}");
    let (mut old_at, mut new_at) = (0, 0);
    for (n, range) in delta.ranges.iter().enumerate() {
        assert!(
            range.old.start >= old_at && range.old.start - old_at == range.new.start - new_at,
            "{delta:?}"
        );
        assert!(n == 0 || range.old.start > old_at, "{delta:?}");
        assert!(!range.old.is_empty() || !range.new.is_empty(), "{delta:?}");
        (old_at, new_at) = (range.old.end, range.new.end);
    }
    assert_eq!(total(old) - old_at, total(new) - new_at);
    let old_ids = outside(old, delta.ranges.iter().map(|range| range.old.clone()));
    assert!(old_ids == outside(new, delta.ranges.iter().map(|range| range.new.clone())), "{delta:?}");
}

fn check_known(old: &[TreeChild], new: &[TreeChild], delta: &Delta) {
    let DeltaStats { new: fresh, removed, .. } = delta.stats;
    // Nothing is called known that the old side has nowhere, and nothing gone that the new side still has in a range.
    let known: HashSet<_> = old.iter().map(|leaf| leaf.id).collect();
    let fresh_least =
        total(&new.iter().filter(|leaf| !known.contains(&leaf.id)).copied().collect::<Vec<_>>());
    assert!(fresh >= fresh_least);
    let left: HashSet<_> = new.iter().map(|leaf| leaf.id).collect();
    let removed_least =
        total(&old.iter().filter(|leaf| !left.contains(&leaf.id)).copied().collect::<Vec<_>>());
    assert!(removed >= removed_least);
}

fn diff(old: &[TreeChild], new: &[TreeChild]) -> (Delta, usize, usize) {
    diff_within(BOUNDS, old, new)
}

fn diff_within(bounds: Bounds, old: &[TreeChild], new: &[TreeChild]) -> (Delta, usize, usize) {
    let mut memory = Memory::default();
    let (old, new) = (build(old, &mut memory), build(new, &mut memory));
    let delta = TreeDiff::within(bounds, &old, &new, &mut memory).unwrap();
    (delta, memory.reads.len(), memory.nodes.len())
}

/// One edit: where (share of the length), how many chunks go, which come.
fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, Vec<u64>)>> {
    let inserted = prop::collection::vec(prop_oneof![0u64..5, 1_000u64..1_000_000], 0..6);
    prop::collection::vec((any::<prop::sample::Index>(), 0usize..6, inserted), 0..5)
}

/// Runs short enough for the expanding oracle.
fn short_runs(mut leaves: Vec<TreeChild>) -> Vec<TreeChild> {
    leaves.iter_mut().for_each(|leaf| leaf.repeat = leaf.repeat.min(40));
    leaves
}

fn edited(old: &[TreeChild], edits: &[(prop::sample::Index, usize, Vec<u64>)]) -> Vec<TreeChild> {
    let mut new = old.to_vec();
    for (at, gone, come) in edits {
        let at = at.index(new.len() + 1);
        let end = (at + gone).min(new.len());
        new.splice(at..end, come.iter().map(|name| chunk(*name, 1)));
    }
    new
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_lies_outside_the_ranges_is_the_same_after_edits(old in leaves(), edits in edits()) {
        let old = short_runs(old);
        let new = edited(&old, &edits);
        check(&old, &new, &diff(&old, &new).0);
        check(&new, &old, &diff(&new, &old).0);
    }

    #[test]
    fn what_lies_outside_the_ranges_is_the_same_for_any_two_contents(old in leaves(), new in leaves()) {
        let (old, new) = (short_runs(old), short_runs(new));
        check(&old, &new, &diff(&old, &new).0);
    }

    #[test]
    fn the_ranges_are_right_however_little_may_be_held_and_opened(
        old in leaves(), edits in edits(), piece in 1usize..20, held in 0usize..500, opened in 0usize..1_000,
    ) {
        let old = short_runs(old);
        let new = edited(&old, &edits);
        let bounds = Bounds { piece, held, opened, counted: 8 };
        check_ranges(&old, &new, &diff_within(bounds, &old, &new).0);
    }
}

#[test]
fn a_sample_of_the_chunks_tells_about_how_much_moved() {
    let old = sequence(1, 8_000);
    let mut new = sequence(2, 8_000);
    let half = new.len() / 2;
    new[half..].copy_from_slice(&old[..half]);
    new[half..].reverse();
    let stats = diff_within(Bounds { counted: 1_000, ..BOUNDS }, &old, &new).0.stats;
    let moved = stats.dedup_ratio();
    assert!((0.42..0.58).contains(&moved), "{moved}");
    assert_eq!(diff(&old, &new).0.stats.new, total(&new[..half]));
}

fn sequence(seed: u64, count: u64) -> Vec<TreeChild> {
    (0..count).map(|i| chunk(seed << 32 | i, 1)).collect()
}

#[test]
fn equal_contents_have_no_delta_and_read_nothing() {
    let leaves = sequence(1, 3_000);
    let (delta, reads, _) = diff(&leaves, &leaves);
    assert_eq!(delta.ranges, []);
    assert_eq!(delta.stats, DeltaStats { unchanged: total(&leaves), ..DeltaStats::default() });
    assert_eq!((delta.stats.dedup_ratio(), reads), (1.0, 0));
}

#[test]
fn one_changed_chunk_is_one_range_and_reads_few_of_the_nodes() {
    let old = sequence(1, 20_000);
    let mut worst = 0;
    for at in (0..20_000).step_by(997) {
        let mut new = old.clone();
        new[at] = chunk(1 << 60, 1);
        let (delta, reads, nodes) = diff(&old, &new);
        worst = worst.max(reads);
        assert_eq!(delta.ranges.len(), 1, "{at}");
        assert_eq!((delta.stats.new, delta.stats.removed, delta.stats.moved), (new[at].len, old[at].len, 0));
        assert!(reads < 40 && nodes > 900, "{at}: {reads} of {nodes}");
    }
    println!("most nodes read: {worst}");
}

#[test]
fn an_inserted_chunk_takes_no_old_bytes_and_a_removed_one_no_new_bytes() {
    let old = sequence(1, 5_000);
    let mut new = old.clone();
    new.insert(2_345, chunk(1 << 60, 1));
    let (delta, ..) = diff(&old, &new);
    assert_eq!(delta.ranges.len(), 1);
    assert!(delta.ranges[0].old.is_empty());
    assert_eq!(delta.ranges[0].new.end - delta.ranges[0].new.start, new[2_345].len);
    let (delta, ..) = diff(&new, &old);
    assert!(delta.ranges[0].new.is_empty());
    assert_eq!((delta.stats.removed, delta.stats.new), (new[2_345].len, 0));
}

#[test]
fn appended_and_prepended_content_is_new_and_the_rest_unchanged() {
    let old = sequence(1, 4_000);
    let more = sequence(2, 3_000);
    for new in [[&old[..], &more].concat(), [&more[..], &old].concat()] {
        let (delta, ..) = diff(&old, &new);
        check(&old, &new, &delta);
        assert_eq!(
            delta.stats,
            DeltaStats { unchanged: total(&old), new: total(&more), ..DeltaStats::default() }
        );
        assert_eq!(delta.ranges.len(), 1);
    }
}

#[test]
fn swapped_halves_are_half_unchanged_and_half_moved() {
    let (a, b) = (sequence(1, 10_000), sequence(2, 10_000));
    let (old, new) = ([&a[..], &b].concat(), [&b[..], &a].concat());
    let (delta, reads, nodes) = diff(&old, &new);
    check(&old, &new, &delta);
    assert_eq!((delta.stats.new, delta.stats.removed), (0, 0));
    assert_eq!(delta.stats.dedup_ratio(), 1.0);
    assert!(delta.stats.moved <= total(&new) / 2 + (1 << 20), "{delta:?}");
    println!("nodes read: {reads} of {nodes}");
    assert!(reads < nodes / 3, "{reads} of {nodes}");
}

#[test]
fn contents_without_a_common_chunk_are_new_and_removed_as_a_whole() {
    let (old, new) = (sequence(1, 3_000), sequence(2, 2_000));
    let (delta, ..) = diff(&old, &new);
    let expected = DeltaStats { new: total(&new), removed: total(&old), ..DeltaStats::default() };
    assert_eq!(delta.stats, expected);
    assert_eq!(delta.ranges, [DeltaRange { old: 0..total(&old), new: 0..total(&new) }]);
    assert_eq!(delta.stats.dedup_ratio(), 0.0);
}

#[test]
fn nothing_compares_with_anything_and_reads_nothing() {
    let leaves = sequence(1, 2_000);
    let (delta, reads, _) = diff(&[], &leaves);
    assert_eq!((delta.stats.new, delta.ranges.len(), reads), (total(&leaves), 1, 0));
    let (delta, reads, _) = diff(&leaves, &[]);
    assert_eq!((delta.stats.removed, delta.ranges.len(), reads), (total(&leaves), 1, 0));
    assert_eq!(delta.stats.dedup_ratio(), 1.0);
    assert_eq!(diff(&[], &[]).0, Delta::default());
}

#[test]
fn runs_are_counted_and_not_walked() {
    let many = 1_000_000_000_000;
    let old = [chunk(1, 1), chunk(0, many), chunk(2, 1)];
    let new = [chunk(1, 1), chunk(0, many / 2), chunk(3, 2), chunk(0, many / 2 + 7), chunk(2, 1)];
    let (delta, ..) = diff(&old, &new);
    assert_eq!((delta.stats.new, delta.stats.moved), (2 * new[2].len, 7 * new[1].len));
    assert_eq!(delta.stats.unchanged, total(&old));
    let (delta, ..) = diff(&new, &old);
    assert_eq!((delta.stats.new, delta.stats.moved, delta.stats.unchanged), (0, 0, total(&old)));
}

#[test]
fn runs_of_nodes_are_opened_at_their_ends_alone() {
    let mut memory = Memory::default();
    let id = |node, memory: &mut Memory| crate::chonkers::NodeSink::put_node(memory, &node).unwrap();
    let pair = |a, b| crate::chonkers::ChonkerNode { level: 1, children: vec![chunk(a, 1), chunk(b, 1)] };
    let (one, two) = (id(pair(1, 2), &mut memory), id(pair(1, 3), &mut memory));
    let root = |id, other, repeat| TreeRoot::Tree {
        level: 1,
        id,
        len: chunk(1, 1).len + chunk(other, 1).len,
        repeat,
    };
    let many = 1 << 40;
    let (old, new) = (root(one, 2, many), root(two, 3, many));
    let delta = TreeDiff::between(&old, &new, &mut memory).unwrap();
    let DeltaStats { unchanged, moved, new: fresh, removed } = delta.stats;
    assert_eq!(unchanged + moved, many * chunk(1, 1).len);
    assert_eq!((fresh, removed), (many * chunk(3, 1).len, many * chunk(2, 1).len));
    assert!(memory.reads.len() <= 4, "{}", memory.reads.len());
}

#[test]
fn trees_that_name_few_nodes_very_often_are_compared_in_bounded_work() {
    let mut memory = Memory::default();
    let mut tower = |names: [u64; 2]| {
        let mut two = names.map(|name| TreeChild { len: 1, ..chunk(name, 1) });
        for level in 1..=6u8 {
            two = [0, 1].map(|first| {
                let children: Vec<_> = (0..1024).map(|at| two[(at + first) % 2]).collect();
                let len = children.iter().map(|child| child.len).sum();
                let node = crate::chonkers::ChonkerNode { level, children };
                let id = crate::chonkers::NodeSink::put_node(&mut memory, &node).unwrap();
                TreeChild { id, len, repeat: 1 }
            });
        }
        TreeRoot::Tree { level: 6, id: two[0].id, len: two[0].len, repeat: 1 }
    };
    let (old, new) = (tower([1, 2]), tower([1, 3]));
    let bounds = Bounds { held: 1 << 16, opened: 1 << 18, ..BOUNDS };
    let delta = TreeDiff::within(bounds, &old, &new, &mut memory).unwrap();
    let DeltaStats { unchanged, moved, new: fresh, .. } = delta.stats;
    assert_eq!(unchanged + moved + fresh, 1 << 60);
    assert_eq!(fresh, 1 << 59);
}
