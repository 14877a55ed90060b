//! What new chunks take, against the leaves of every tree and the directories of all packs.

use std::collections::{BTreeSet, HashMap};

use super::super::super::commit::DeltaCounts;
use super::super::super::convert;
use super::super::super::tree::Nodes;
use super::super::costs::{ChunkCosts, Costs};
use super::*;
use crate::chonkers::{ChonkerTree, TreeRoot};
use crate::format::node::ContentRoot;
use crate::id::{ChunkId, Locator, ObjectKind};
use crate::testing::Rng;

fn counting() -> DiffOptions {
    DiffOptions { costs: true, renames: true, ..options(1) }
}

fn costs(repo: &crate::repo::Repository, old: &Side<'_>, new: &Side<'_>) -> Option<ChunkCosts> {
    compare(repo, old, new, &counting(), &Silent).unwrap().1.costs
}

fn between(kit: &Kit, old: CommitId, new: CommitId) -> ChunkCosts {
    costs(&kit.repo, &Side::Commit(old), &Side::Commit(new)).unwrap()
}

fn root(entry: &Option<DirEntry>) -> TreeRoot {
    match entry.as_ref().map(|entry| &entry.kind) {
        Some(EntryKind::File { content, .. }) => convert::tree_root(content),
        _ => TreeRoot::Empty,
    }
}

/// All chunks of one side of the changes.
fn leaves(kit: &Kit, changes: &[Change], side: fn(&Change) -> &Option<DirEntry>) -> BTreeSet<Locator> {
    let nodes = || Nodes { chunks: kit.repo.chunks(), kind: ObjectKind::FileNode };
    let trees = changes.iter().map(|change| ChonkerTree::new(root(side(change))));
    let leaves = trees.flat_map(|tree| tree.leaves(nodes()).unwrap());
    leaves.map(|leaf| leaf.unwrap().chunk.id.locator()).collect()
}

/// What chunks take, from the directories of all packs; no chunk is in two.
fn slowly(kit: &Kit, chunks: &BTreeSet<Locator>) -> ChunkCosts {
    let mut sum = ChunkCosts { one_in: 1, ..ChunkCosts::default() };
    let mut left = chunks.clone();
    for pack in kit.repo.state().packs.keys() {
        let map = kit.repo.chunks().map(*pack).unwrap();
        let mut plain = HashMap::new();
        map.rows().for_each(|(entry, block, _)| *plain.entry(block).or_insert(0) += u64::from(entry.len));
        for (entry, block, slot) in map.rows() {
            if entry.kind != ObjectKind::Chunk || !left.remove(&entry.locator) {
                continue;
            }
            let len = u64::from(entry.len);
            let (bytes, taken) = match map.delta(block, slot) {
                Some(delta) => {
                    let DeltaCounts { objects, bytes, stored_bytes } = &mut sum.deltas;
                    (*objects, *bytes, *stored_bytes) =
                        (*objects + 1, *bytes + u64::from(delta.len), *stored_bytes + len);
                    (u64::from(delta.len), len)
                }
                None => {
                    let share = len as f64 * map.stored_len(block) as f64 / plain[&block] as f64;
                    (len, share.round() as u64)
                }
            };
            sum.chunks += 1;
            sum.bytes += bytes;
            sum.stored_bytes += taken;
        }
    }
    sum.missing = left.len() as u64;
    sum
}

/// Both ways between neighbours and between the first and the last: what was found, and what every leaf says.
fn found_and_expected(kit: &Kit, commits: &[CommitId]) -> Vec<(ChunkCosts, ChunkCosts)> {
    let ends = (commits[0], commits[commits.len() - 1]);
    let pairs = commits.windows(2).map(|pair| (pair[0], pair[1])).chain([ends]);
    let both_ways = pairs.flat_map(|(old, new)| [(old, new), (new, old)]);
    let counted = both_ways.map(|(old, new)| {
        let (old, new) = (Side::Commit(old), Side::Commit(new));
        let mut changes = kit.diff(&old, &new, &options(1));
        changes.retain(|change| root(&change.old) != root(&change.new));
        let before = leaves(kit, &changes, |change| &change.old);
        let after = leaves(kit, &changes, |change| &change.new);
        let expected = slowly(kit, &after.difference(&before).copied().collect());
        (costs(&kit.repo, &old, &new).unwrap(), expected)
    });
    counted.collect()
}

/// Changes some files, and renames others, which are then changed as well or not.
fn edit_files(kit: &Kit, rng: &mut Rng) {
    for number in 0..12 {
        let (here, there) = (format!("here/{number}"), format!("there/{number}"));
        let is_here = kit.root().join(&here).exists();
        let (from, to) = if is_here { (here, there) } else { (there, here) };
        let mut content = fs::read(kit.root().join(&from)).unwrap();
        if rng.below(3) == 0 {
            fs::remove_file(kit.root().join(&from)).unwrap();
            kit.write(&to, &content);
        }
        if rng.below(2) == 0 {
            let at = rng.below(content.len() - 20);
            content.splice(at..at + 10, rng.bytes(30));
            let now = if kit.root().join(&from).exists() { from } else { to };
            kit.write(&now, content);
        }
    }
}

#[test]
fn costs_are_those_of_every_chunk_that_only_the_new_side_has() {
    chunkers().map(Kit::with).iter().enumerate().for_each(|(seed, kit)| costs_are_exact(seed as u64, kit));
}

fn costs_are_exact(seed: u64, kit: &Kit) {
    let mut rng = Rng::new(seed);
    for number in 0..12_usize {
        let len = 100 + rng.below(3000 << number);
        let content = if number % 2 == 0 { rng.text(len) } else { rng.bytes(len) };
        kit.write(&format!("here/{number}"), content);
    }
    let mut commits = vec![kit.commit()];
    for _ in 0..4 {
        edit_files(kit, &mut rng);
        commits.push(kit.commit());
    }
    let (mut deltas, mut full) = (0, 0);
    for (found, expected) in found_and_expected(kit, &commits) {
        assert_eq!(found, expected, "seed {seed}");
        assert_eq!(found.missing, 0);
        (deltas, full) = (deltas + found.deltas.objects, full + found.chunks - found.deltas.objects);
    }
    assert!(deltas > 0 && full > 0, "{deltas} deltas, {full} in full");
    let all = costs(&kit.repo, &Side::Empty, &Side::Commit(commits[0])).unwrap();
    let told = kit.repo.version(commits[0]).unwrap().commit.stats;
    assert_eq!(all.bytes, told.bytes, "nothing in it is there twice");
    let none = costs(&kit.repo, &Side::Commit(commits[0]), &Side::Empty).unwrap();
    assert_eq!(none, ChunkCosts { one_in: 1, ..ChunkCosts::default() });
}

#[test]
fn no_new_chunk_is_left_out_whatever_became_of_a_tree() {
    for (seed, kit) in (0..).zip(chunkers().map(Kit::with)) {
        make_tree(&kit.root(), seed, 60).unwrap();
        let mut commits = vec![kit.commit()];
        for round in 0..4 {
            edit_tree(&kit.root(), seed * 100 + round, 20).unwrap();
            commits.push(kit.commit());
        }
        for (found, least) in found_and_expected(&kit, &commits) {
            // Chunks that the old side has below nodes which both sides have are not seen to be there.
            let is_enough = found.chunks >= least.chunks && found.bytes >= least.bytes;
            assert!(is_enough && found.missing == 0, "seed {seed}: {found:?}, {least:?}");
        }
    }
}

#[test]
fn what_the_old_side_has_under_another_name_is_not_new() {
    let kit = Kit::new();
    let mut bytes = Rng::new(1).bytes(400_000);
    kit.write("a/file", &bytes);
    kit.write("same", "unchanged");
    kit.write("twice", Rng::new(2).bytes(100_000));
    let one = kit.commit();
    fs::create_dir(kit.root().join("b")).unwrap();
    fs::rename(kit.root().join("a/file"), kit.root().join("b/renamed")).unwrap();
    kit.write("zeros", vec![0; 1_000_000]);
    kit.write("more zeros", vec![0; 1_000_000]);
    let two = kit.commit();
    let zeros = between(&kit, one, two);
    assert!(zeros.chunks > 0 && zeros.bytes < 200_000, "equal chunks count once: {zeros:?}");
    bytes[1000] ^= 1;
    fs::remove_file(kit.root().join("b/renamed")).unwrap();
    kit.write("c/renamed and changed", &bytes);
    kit.write("zeros", vec![0; 1_500_000]);
    let three = kit.commit();
    let changed = between(&kit, two, three);
    assert!(changed.chunks > 0 && changed.bytes < 100_000, "{changed:?}");
    kit.write("copy", "unchanged");
    let four = kit.commit();
    assert_eq!(between(&kit, three, four).bytes, 9, "of files that nothing became of, nothing is read");
    assert_eq!(between(&kit, four, four).chunks, 0);
}

#[test]
fn only_what_is_selected_and_asked_for_counts_and_live_files_have_no_costs() {
    let kit = Kit::new();
    let one = kit.commit();
    kit.write("a", "1234");
    kit.write("b", "12345678");
    let two = kit.commit();
    let selection = Selection { paths: vec![b"a".to_vec()], ..Selection::default() };
    let (old, new) = (Side::Commit(one), Side::Commit(two));
    let asked = DiffOptions { selection, ..counting() };
    let (changes, summary) = compare(&kit.repo, &old, &new, &asked, &Silent).unwrap();
    assert_eq!(summary.costs.unwrap().bytes, 4);
    assert_eq!(changes[0].bytes, ByteCounts::default(), "nobody asked for these");
    assert_eq!(compare(&kit.repo, &old, &new, &options(1), &Silent).unwrap().1.costs, None);
    assert_eq!(costs(&kit.repo, &old, &kit.live(two)), None);
    assert_eq!(costs(&kit.repo, &kit.live(two), &old), None);
    let mut sink = |_| ControlFlow::Break(());
    assert_eq!(diff(&kit.repo, &old, &new, &counting(), &mut sink, &Silent).unwrap().costs, None);
}

#[test]
fn of_too_many_chunks_a_share_stands_for_all() {
    let kit = Kit::new();
    let commit = kit.commit();
    kit.write("large", Rng::new(4).bytes(20_000_000));
    let changes = kit.diff(&Side::Commit(commit), &Side::Commit(kit.commit()), &options(1));
    let new = changes.iter().find(|change| change.path == b"large").unwrap();
    let counted = |most| {
        let mut costs = Costs::with_most(kit.repo.chunks(), most);
        costs.pair(&TreeRoot::Empty, &root(&new.new)).unwrap();
        costs.count(&Silent).unwrap()
    };
    let (exact, estimate) = (counted(1 << 20), counted(400));
    assert_eq!((exact.one_in, exact.bytes), (1, 20_000_000));
    assert!(estimate.one_in > 1 && estimate.one_in.is_power_of_two(), "{estimate:?}");
    for (exact, estimate) in [
        (exact.chunks, estimate.chunks),
        (exact.bytes, estimate.bytes),
        (exact.stored_bytes, estimate.stored_bytes),
    ] {
        // 200 to 400 chunks are looked at: seven standard deviations.
        assert!(estimate > exact / 2 && estimate < exact * 3 / 2, "{exact}, {estimate}");
    }
    let stopped = Costs::new(kit.repo.chunks());
    assert_eq!(stopped.count(&RecordingObserver::cancelling_after(0)).unwrap().chunks, 0);
    let mut stopped = Costs::new(kit.repo.chunks());
    stopped.pair(&TreeRoot::Empty, &root(&new.new)).unwrap();
    let stopped = stopped.count(&RecordingObserver::cancelling_after(0));
    assert!(matches!(stopped, Err(OpsError::Cancelled)), "{stopped:?}");
}

#[test]
fn chunks_that_are_nowhere_are_missing_and_no_error() {
    let kit = Kit::new();
    let content = |byte| ContentRoot::Tree { level: 0, id: ChunkId::new([byte; 32]), len: 7, repeat: 1 };
    let mut costs = Costs::new(kit.repo.chunks());
    costs.pair(&TreeRoot::Empty, &convert::tree_root(&content(1))).unwrap();
    costs.pair(&convert::tree_root(&content(2)), &convert::tree_root(&content(3))).unwrap();
    let expected = ChunkCosts { missing: 2, one_in: 1, ..ChunkCosts::default() };
    assert_eq!(costs.count(&Silent).unwrap(), expected);
}
