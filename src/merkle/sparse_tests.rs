//! The inventory tree, proofs of absence and audits.

use std::collections::BTreeMap;
use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::id::Root;

type Model = BTreeMap<[u8; 16], NodeHash>;

/// Keys close to each other, so that random ones meet.
fn key(number: u16) -> [u8; 16] {
    let mut key = [7; 16];
    key[3..5].copy_from_slice(&number.to_be_bytes());
    key
}

fn value(number: u8) -> NodeHash {
    *blake3::hash(&[number]).as_bytes()
}

fn model(numbers: impl IntoIterator<Item = u16>) -> Model {
    numbers.into_iter().map(|number| (key(number), value(number as u8))).collect()
}

fn tree(model: &Model) -> SparseMerkleTree<16> {
    SparseMerkleTree::new(model.iter().map(|(key, value)| (*key, *value)).collect())
}

/// MTH of RFC 9162 over entries, with the size bound: nothing of the tree under test is used.
fn oracle(model: &Model) -> Root {
    fn top(leaves: &[Vec<u8>]) -> [u8; 32] {
        match leaves {
            [] => blake3::hash(b"").into(),
            [one] => blake3::hash(&[&[0][..], one].concat()).into(),
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                blake3::hash(&[&[1][..], &top(left), &top(right)].concat()).into()
            }
        }
    }
    let leaves: Vec<_> = model.iter().map(|(key, value)| [&[16][..], key, value].concat()).collect();
    let size = (leaves.len() as u64).to_le_bytes();
    Root::new(blake3::hash(&[&[2][..], &size, &top(&leaves)].concat()).into())
}

#[test]
fn every_key_is_proved_present_or_absent_and_never_both() {
    for count in 0..=33 {
        let model = model((0..count).map(|number| 2 * number + 1));
        let (tree, root) = (tree(&model), oracle(&model));
        assert_eq!(tree.root(), root, "{count}");
        for number in 0..=2 * count + 1 {
            let (key, known) = (key(number), model.get(&key(number)));
            assert_eq!(tree.get(&key), known);
            let (proof, absence) = (tree.prove(&key), tree.prove_absent(&key));
            assert_eq!((proof.is_some(), absence.is_some()), (known.is_some(), known.is_none()));
            if let (Some(proof), Some(value)) = (proof, known) {
                assert_eq!(proof.verify_leaf(&root, &entry_hash(&key, value)), Ok(()));
            }
            assert!(absence.is_none_or(|absence| absence.verify(&root, &key) == Ok(())), "{number}");
        }
    }
}

#[test]
fn an_absence_is_proved_of_no_key_that_is_there_and_of_none_in_another_gap() {
    let model = model((0..9).map(|number| 2 * number + 1));
    let (tree, root) = (tree(&model), oracle(&model));
    for gap in 0..10 {
        let proof = tree.prove_absent(&key(2 * gap)).unwrap();
        for other in 0..20 {
            let want = if other == 2 * gap || other == 19 && gap == 9 {
                Ok(())
            } else {
                Err(ProofError::NotBetween)
            };
            assert_eq!(proof.verify(&root, &key(other)), want, "{other} by {gap}");
        }
    }
}

#[test]
fn every_change_to_a_proof_of_absence_is_refused() {
    for count in [0, 1, 2, 5, 8] {
        let model = model((0..count).map(|number| 2 * number + 1));
        let (tree, root) = (tree(&model), oracle(&model));
        for gap in 0..=count {
            let key = key(2 * gap);
            let proof = tree.prove_absent(&key).unwrap();
            for wrong in changes(&tree, &proof) {
                assert!(wrong.verify(&root, &key).is_err(), "{wrong:?} at {gap} of {count}");
            }
            assert!(proof.verify(&Root::new([0; 32]), &key).is_err());
        }
    }
}

/// The proof with one thing wrong.
fn changes(tree: &SparseMerkleTree<16>, proof: &NonInclusionProof<16>) -> Vec<NonInclusionProof<16>> {
    let mut all = Vec::new();
    for leaf_count in (0..12).chain([u64::MAX]).filter(|count| *count != proof.leaf_count) {
        all.push(NonInclusionProof { leaf_count, ..proof.clone() });
    }
    for (is_before, old) in [(true, &proof.before), (false, &proof.after)] {
        let with = |neighbour: Option<Neighbour<16>>| match is_before {
            true => NonInclusionProof { before: neighbour, ..proof.clone() },
            false => NonInclusionProof { after: neighbour, ..proof.clone() },
        };
        for (key, value) in tree.entries().iter().filter(|(key, _)| old.as_ref().map(|o| o.key) != Some(*key))
        {
            let other = Neighbour { key: *key, value: *value, proof: tree.prove(key).unwrap() };
            all.push(with(Some(other)));
        }
        let Some(old) = old else { continue };
        all.push(with(None));
        all.extend(wrong_neighbours(old).into_iter().map(|wrong| with(Some(wrong))));
    }
    all
}

fn wrong_neighbours(old: &Neighbour<16>) -> Vec<Neighbour<16>> {
    let mut wrong = vec![old.clone(); 5];
    wrong[0].key[15] ^= 1;
    wrong[1].value[0] ^= 1;
    wrong[2].proof.index ^= 1;
    wrong[3].proof.leaf_count += 1;
    wrong[4].proof.path.push([0; 32]);
    let node = (0..old.proof.path.len()).map(|at| {
        let mut wrong = old.clone();
        wrong.proof.path[at][31] ^= 1;
        wrong
    });
    wrong.extend(node);
    wrong
}

#[test]
fn errors_say_which_rule_a_proof_of_absence_breaks() {
    let model = model([1, 3, 5]);
    let (tree, root) = (tree(&model), oracle(&model));
    let proof = tree.prove_absent(&key(2)).unwrap();
    assert_eq!(proof.verify(&root, &key(3)), Err(ProofError::NotBetween));
    let wide = NonInclusionProof { after: tree.prove_absent(&key(4)).unwrap().after, ..proof };
    assert_eq!(wide.verify(&root, &key(3)), Err(ProofError::NotNeighbours { leaf_count: 3 }));
    let nothing = NonInclusionProof { leaf_count: 0, before: None, after: None };
    let want = ProofError::Root { index: 0, leaf_count: 0, root };
    assert_eq!(nothing.verify(&root, &key(3)), Err(want));
}

#[test]
fn the_bytes_of_inventory_roots_are_frozen() {
    for (count, want) in [(0, EMPTY), (1, ONE), (5, FIVE)] {
        assert_eq!(tree(&model(0..count)).root().to_hex(), want, "{count}");
    }
    let wide = SparseMerkleTree::new(vec![([1; 32], value(1)), ([0; 32], value(0))]);
    assert_eq!(wide.root().to_hex(), WIDE);
}

const EMPTY: &str = "69c0ce4dff883f93dbc1b88d7b195af92afeb8ca6c69e9ded9e53c8b0ec2693f";
const ONE: &str = "b8ac7cd65237777f38c59b31cf5da596c3107a5ec7bf7546148d91b31cddd1fd";
const FIVE: &str = "c1e788c2463bfb06c95e98d0b60586521cf27d1a3d8df62698d58cb98fe07363";
const WIDE: &str = "55124f0d4ac5f253f6fdbf5ca6a35dd69b65cc75455c41473b869ea38dfd0675";

#[test]
fn the_length_of_keys_is_bound_into_entries() {
    // The same bytes behind one another, cut at another place.
    let (short, long) = ([1; 16], [1; 32]);
    assert_ne!(entry_hash(&short, &[1; 32]), entry_hash(&long, &[1; 32]));
    assert_eq!(entry_hash(&short, &[2; 32]), leaf_hash(&[&[16][..], &short, &[2; 32]].concat()));
    assert_eq!(entry_hash(&long, &[2; 32]), leaf_hash(&[&[32][..], &long, &[2; 32]].concat()));
}

#[test]
fn of_entries_with_one_key_the_last_counts() {
    let tree = SparseMerkleTree::new(vec![
        (key(2), value(1)),
        (key(1), value(2)),
        (key(2), value(3)),
        (key(1), value(4)),
    ]);
    assert_eq!(tree.entries(), [(key(1), value(4)), (key(2), value(3))]);
}

#[test]
fn changes_make_only_the_nodes_anew_that_they_reach() {
    let full = model(0..1000);
    let mut tree = tree(&full);
    // Ten levels of nodes stand above 1000 leaves; in all they have 1005.
    assert_eq!(tree.apply([(key(500), Some(value(1)))]), 10, "a value");
    assert_eq!(tree.apply([(key(500), Some(value(1)))]), 0, "the same value");
    assert_eq!(
        tree.apply([(key(501), Some(value(2))), (key(500), Some(value(2)))]),
        10,
        "two below one node"
    );
    assert_eq!(tree.apply([(key(1000), Some(value(3)))]), 10, "behind the last");
    assert_eq!(tree.apply([(key(5000), None)]), 0, "nothing to remove");
    let made = tree.apply([(key(500), None)]);
    assert!((500..520).contains(&made), "half of all, not {made}");
    let made = tree.apply([(key(0), None)]);
    assert!((998..1010).contains(&made), "all, not {made}");
}

#[test]
fn levels_that_several_threads_make_have_the_same_nodes() {
    let model: Model = (0..20_011u16).map(|number| (key(number), value((number % 251) as u8))).collect();
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let four = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
    let want = oracle(&model);
    assert_eq!(one.install(|| tree(&model).root()), want);
    assert_eq!(four.install(|| tree(&model).root()), want);
    let mut builder = RootBuilder::default();
    model.iter().for_each(|(key, value)| builder.push(entry_hash(key, value)));
    assert_eq!(builder.root(), want, "the root alone, in constant memory");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_changed_tree_is_the_tree_of_what_is_there_then(
        start in prop::collection::btree_set(0u16..90, 0..70),
        batches in prop::collection::vec(
            prop::collection::vec((0u16..100, prop::option::of(0u8..4)), 0..12), 1..6
        ),
    ) {
        let mut model = model(start);
        let mut tree = tree(&model);
        for batch in batches {
            tree.apply(batch.iter().map(|(number, new)| (key(*number), new.map(value))));
            for (number, new) in batch {
                match new {
                    Some(new) => model.insert(key(number), value(new)),
                    None => model.remove(&key(number)),
                };
            }
            prop_assert_eq!(tree.root(), oracle(&model));
            prop_assert!(tree.entries().iter().map(|(key, value)| (key, value)).eq(&model));
            for number in 0..100 {
                let key = key(number);
                match (tree.prove(&key), tree.prove_absent(&key)) {
                    (Some(proof), None) => {
                        prop_assert_eq!(proof.verify_leaf(&tree.root(), &entry_hash(&key, &model[&key])), Ok(()));
                    }
                    (None, Some(proof)) => prop_assert_eq!(proof.verify(&tree.root(), &key), Ok(())),
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }
    }

    #[test]
    fn a_changed_shard_tree_is_the_tree_of_its_leaves(
        count in 0usize..80, first in any::<prop::sample::Index>(), more in 0usize..40,
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let leaf = |number: usize| leaf_hash(&number.to_le_bytes());
        let mut leaves: Vec<_> = (0..count).map(leaf).collect();
        let mut tree = MerkleTree::from_leaves(leaves.clone());
        let first = first.index(count + 1);
        tree.replace_tail(first, (1000..1000 + more).map(leaf));
        leaves.truncate(first);
        leaves.extend((1000..1000 + more).map(leaf));
        prop_assert_eq!(tree.root(), MerkleTree::from_leaves(leaves.clone()).root());
        if !leaves.is_empty() {
            let places: std::collections::BTreeSet<_> = places.iter().map(|place| place.index(leaves.len())).collect();
            let new: Vec<_> = places.into_iter().map(|place| (place, leaf(2000 + place))).collect();
            tree.replace(&new);
            new.iter().for_each(|(place, leaf)| leaves[*place] = *leaf);
        }
        prop_assert_eq!(tree.leaves(), &leaves[..]);
        prop_assert_eq!(tree.root(), MerkleTree::from_leaves(leaves).root());
    }
}

/// A tree over `count` small leaves, some of which are not what they were.
struct Audited {
    tree: MerkleTree,
    bad: Vec<u64>,
}

impl Audited {
    fn new(count: u64, bad: &[u64]) -> Self {
        let leaves = (0..count).map(|leaf| leaf_hash(&leaf.to_le_bytes())).collect();
        Self { tree: MerkleTree::from_leaves(leaves), bad: bad.to_vec() }
    }

    fn audit(&self, samples: u64, seed: u8) -> SampleReport {
        let count = self.tree.leaves().len() as u64;
        let answer = |index: u64| {
            let data = if self.bad.contains(&index) { index + 1 } else { index };
            Ok::<_, Infallible>(Some((data.to_le_bytes().to_vec(), self.tree.proof(index as usize).unwrap())))
        };
        verify_random_sample(&self.tree.root(), count, samples, &[seed; 32], answer).unwrap()
    }
}

#[test]
fn an_audit_of_all_leaves_finds_exactly_the_bad_ones() {
    let audited = Audited::new(300, &[0, 7, 299]);
    for samples in [300, 301, u64::MAX] {
        assert_eq!(audited.audit(samples, 1), SampleReport { checked: 300, failed: vec![0, 7, 299] });
    }
    assert_eq!(audited.audit(0, 1), SampleReport { checked: 0, failed: vec![] });
}

#[test]
fn whoever_lost_a_leaf_cannot_answer_with_another_or_with_nothing() {
    let audited = Audited::new(10, &[]);
    let root = audited.tree.root();
    let other = |_| {
        let proof = audited.tree.proof(3).unwrap();
        Ok::<_, Infallible>(Some((3u64.to_le_bytes().to_vec(), proof)))
    };
    let report = verify_random_sample(&root, 10, 10, &[1; 32], other).unwrap();
    assert_eq!(report.failed, [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    let nothing = |_| Ok::<_, Infallible>(None);
    assert_eq!(verify_random_sample(&root, 10, 4, &[1; 32], nothing).unwrap().failed.len(), 4);
    assert_eq!(verify_random_sample(&root, 10, 4, &[1; 32], Err), Err(draw_sample(10, 4, &[1; 32])[0]));

    let proof = audited.tree.proof(3).unwrap();
    let want = ProofError::Other { index: 4, leaf_count: 10, found: 3, found_count: 10 };
    assert_eq!(verify_chunk_fast(&root, 10, 4, &3u64.to_le_bytes(), &proof), Err(want));
    assert_eq!(verify_chunk_fast(&root, 10, 3, &3u64.to_le_bytes(), &proof), Ok(()));
    let want = ProofError::Root { index: 3, leaf_count: 10, root };
    assert_eq!(verify_chunk_fast(&root, 10, 3, &4u64.to_le_bytes(), &proof), Err(want));
}

#[test]
fn a_sample_is_different_numbers_below_the_count_and_fair() {
    let mut hits = [0u32; 20];
    for seed in 0..=255 {
        let drawn = draw_sample(20, 5, &[seed; 32]);
        assert!(drawn.len() == 5 && drawn.is_sorted_by(|a, b| a < b), "{drawn:?}");
        drawn.iter().for_each(|number| hits[*number as usize] += 1);
    }
    // 64 are expected of each; the bounds are four standard deviations away.
    assert!(hits.iter().all(|hits| (36..93).contains(hits)), "{hits:?}");
    assert_eq!(draw_sample(u64::MAX, 3, &[1; 32]).len(), 3);
    assert_eq!(draw_sample(1000, 4, &[1; 32]), [19, 134, 420, 714], "the draw is frozen");
}

#[test]
fn the_published_sizes_of_samples_hold() {
    assert_eq!(sample_size(0.01, 0.99), Some(459));
    assert_eq!(sample_size(0.05, 0.95), Some(59));
    for wrong in [0.0, 1.0, -1.0, f64::NAN] {
        assert_eq!((sample_size(wrong, 0.5), sample_size(0.5, wrong)), (None, None));
    }
    assert!(detection_probability(1_000_000, 10_000, 459) >= 0.99);
    assert!(detection_probability(1_000_000, 10_000, 458) < 0.99);
    assert_eq!(detection_probability(10, 0, 10), 0.0);
    assert_eq!(detection_probability(0, 0, 3), 0.0);
    assert_eq!(detection_probability(10, 6, 5), 1.0);
    assert!((detection_probability(10, 1, 3) - 0.3).abs() < 1e-12);
    assert!((detection_probability(4, 2, 2) - 5.0 / 6.0).abs() < 1e-12);
}

#[test]
fn audits_find_damage_as_often_as_promised() {
    let audited = Audited::new(400, &[11, 222]);
    let found = (0..=255).filter(|seed| !audited.audit(60, *seed).failed.is_empty()).count() as f64;
    let want = 256.0 * detection_probability(400, 2, 60);
    // The standard deviation is about 7.2.
    assert!((found - want).abs() < 30.0, "{found} of 256, not about {want}");
}
