use super::*;
use proptest::prelude::*;
use std::num::NonZeroUsize;

/// MTH of RFC 9162, section 2.1.1, over data.
fn oracle_top(leaves: &[Vec<u8>]) -> NodeHash {
    match leaves {
        [] => *blake3::hash(b"").as_bytes(),
        [one] => *blake3::hash(&[&[0][..], one].concat()).as_bytes(),
        _ => {
            let (left, right) = leaves.split_at(split_point(leaves.len()));
            *blake3::hash(&[&[1][..], &oracle_top(left), &oracle_top(right)].concat()).as_bytes()
        }
    }
}

/// PATH of RFC 9162, section 2.1.3.1.
fn oracle_path(index: usize, leaves: &[Vec<u8>]) -> Vec<NodeHash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let middle = split_point(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut path, beside) = if index < middle {
        (oracle_path(index, left), oracle_top(right))
    } else {
        (oracle_path(index - middle, right), oracle_top(left))
    };
    path.push(beside);
    path
}

/// The largest power of two below `len`.
fn split_point(len: usize) -> usize {
    (0..).map(|bit| 1 << bit).take_while(|power| *power < len).last().unwrap()
}

fn oracle_root(leaves: &[Vec<u8>]) -> Root {
    let size = (leaves.len() as u64).to_le_bytes();
    Root::new(*blake3::hash(&[&[2][..], &size, &oracle_top(leaves)].concat()).as_bytes())
}

fn leaves(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|leaf| format!("leaf {leaf}").into_bytes()).collect()
}

fn tree(leaves: &[Vec<u8>]) -> MerkleTree {
    MerkleTree::from_leaves(leaves.iter().map(|data| leaf_hash(data)).collect())
}

#[test]
fn roots_are_those_of_rfc_9162_with_the_size_bound() {
    let mut builder = RootBuilder::default();
    for count in 0..=70 {
        let leaves = leaves(count);
        assert_eq!(tree(&leaves).root(), oracle_root(&leaves), "{count}");
        assert_eq!(builder.root(), oracle_root(&leaves), "{count}");
        assert_eq!(builder.leaf_count(), count as u64);
        builder.push(leaf_hash(format!("leaf {count}").as_bytes()));
    }
}

#[test]
fn proofs_are_those_of_rfc_9162_and_verify_only_at_their_place() {
    for count in 1..=70 {
        let leaves = leaves(count);
        let (tree, root) = (tree(&leaves), oracle_root(&leaves));
        for index in 0..count {
            let proof = tree.proof(index).unwrap();
            assert_eq!(proof.path, oracle_path(index, &leaves), "{index} of {count}");
            for (other, data) in leaves.iter().enumerate() {
                assert_eq!(
                    proof.verify(&root, data).is_ok(),
                    other == index,
                    "{other} for {index} of {count}"
                );
            }
        }
        assert_eq!(tree.proof(count), None);
    }
    assert_eq!(tree(&[]).proof(0), None);
}

#[test]
fn every_change_to_a_proof_is_refused() {
    for count in [1, 2, 3, 5, 8, 13] {
        let leaves = leaves(count);
        let (tree, root) = (tree(&leaves), oracle_root(&leaves));
        for (index, data) in leaves.iter().enumerate() {
            let proof = tree.proof(index).unwrap();
            for wrong in changes(&proof) {
                assert!(wrong.verify(&root, data).is_err(), "{wrong:?} for {index} of {count}");
            }
        }
    }
}

fn changes(proof: &MerkleProof) -> Vec<MerkleProof> {
    let mut all = Vec::new();
    for index in (0..20).chain([u64::MAX]).filter(|index| *index != proof.index) {
        all.push(MerkleProof { index, ..proof.clone() });
    }
    for leaf_count in (0..20).chain([u64::MAX]).filter(|count| *count != proof.leaf_count) {
        all.push(MerkleProof { leaf_count, ..proof.clone() });
    }
    for at in 0..proof.path.len() {
        let mut wrong = proof.clone();
        wrong.path[at][0] ^= 1;
        all.push(wrong.clone());
        wrong.path.remove(at);
        all.push(wrong);
    }
    let mut long = proof.clone();
    long.path.push([0; 32]);
    all.push(long);
    all
}

#[test]
fn errors_say_which_rule_a_proof_breaks() {
    let leaves = leaves(5);
    let proof = tree(&leaves).proof(4).unwrap();
    let root = oracle_root(&leaves);
    let beyond = MerkleProof { index: 5, ..proof.clone() };
    assert_eq!(beyond.verify(&root, b""), Err(ProofError::Index { index: 5, leaf_count: 5 }));
    assert_eq!(proof.verify(&root, b""), Err(ProofError::Root { index: 4, leaf_count: 5, root }));
    let short = MerkleProof { path: Vec::new(), ..proof };
    let want = ProofError::PathLength { index: 4, leaf_count: 5, found: 0, needed: 1 };
    assert_eq!(short.verify(&root, b""), Err(want));
}

#[test]
fn a_leaf_is_no_node_and_a_tree_is_no_leaf() {
    let (left, right) = (leaf_hash(b"a"), leaf_hash(b"b"));
    let pair = [&left[..], &right].concat();
    assert_ne!(leaf_hash(&pair), node_hash(&left, &right));
    let two = MerkleTree::from_leaves(vec![left, right]);
    let one = MerkleTree::from_leaves(vec![node_hash(&left, &right)]);
    assert_ne!(two.root(), one.root(), "the size is bound into the root");
}

#[test]
fn the_bytes_of_roots_are_frozen() {
    let shard_len = NonZeroUsize::new(4).unwrap();
    for (data, want) in [
        (&b""[..], "69c0ce4dff883f93dbc1b88d7b195af92afeb8ca6c69e9ded9e53c8b0ec2693f"),
        (b"shard", "e578dc060ade0045704a1ae79000238e83ec8562d3beb91fc4967962d3f0880f"),
        (b"three shards", "41912b7e34672fd670d71a3142615909d06c9edf9d5c3fc063d102ec1a3e8e3c"),
    ] {
        assert_eq!(root_of_shards([data], shard_len).to_hex(), want);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_root_of_shards_does_not_depend_on_the_pieces(
        data in prop::collection::vec(any::<u8>(), 0..5000),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        shard_len in 1usize..700,
    ) {
        let shards: Vec<_> = data.chunks(shard_len).map(<[u8]>::to_vec).collect();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(data.len() + 1)).collect();
        cuts.extend([0, data.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|ends| &data[ends[0]..ends[1]]);
        let shard_len = NonZeroUsize::new(shard_len).unwrap();
        prop_assert_eq!(root_of_shards(pieces, shard_len), oracle_root(&shards));
    }
}
