//! Audits: single leaves and random samples of them, against a root that is known.

use std::collections::BTreeSet;

use super::{MerkleProof, ProofError};
use crate::id::Root;

/// What a sample found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleReport {
    /// How many leaves were looked at.
    pub checked: u64,
    /// The numbers of those that did not prove to be what they were, ascending.
    pub failed: Vec<u64>,
}

/// Checks in O(log n) that `data` is leaf `index` of the tree of `leaf_count` leaves with this root.
///
/// Unlike [`MerkleProof::verify`] it takes only the proof of the leaf that was asked about: whoever lost that one cannot
/// answer with another.
///
/// # Errors
/// [`ProofError`].
pub fn verify_chunk_fast(
    root: &Root,
    leaf_count: u64,
    index: u64,
    data: &[u8],
    proof: &MerkleProof,
) -> Result<(), ProofError> {
    let (found, found_count) = (proof.index, proof.leaf_count);
    if (found, found_count) != (index, leaf_count) {
        return Err(ProofError::Other { index, leaf_count, found, found_count });
    }
    proof.verify(root, data)
}

/// Checks `samples` different leaves, drawn at random by `seed`, of the tree of `leaf_count` leaves with this root; all of
/// them if there are no more. `fetch` gets a leaf's bytes and proof, `None` if they are lost.
///
/// A sample finds that something is wrong, not all that is: if a share of 1 % of the leaves is bad, 459 samples
/// ([`sample_size`]) meet one at 99 %, however many leaves there are. For that the seed must be unknown to whoever answers
/// until the leaves are asked for. [`detection_probability`] gives the exact figure for a tree.
///
/// # Errors
/// What `fetch` returns: that ends the audit.
pub fn verify_random_sample<E>(
    root: &Root,
    leaf_count: u64,
    samples: u64,
    seed: &[u8; 32],
    mut fetch: impl FnMut(u64) -> Result<Option<(Vec<u8>, MerkleProof)>, E>,
) -> Result<SampleReport, E> {
    let mut report = SampleReport { checked: 0, failed: Vec::new() };
    for index in draw_sample(leaf_count, samples, seed) {
        let good = fetch(index)?
            .is_some_and(|(data, proof)| verify_chunk_fast(root, leaf_count, index, &data, &proof).is_ok());
        report.checked += 1;
        if !good {
            report.failed.push(index);
        }
    }
    Ok(report)
}

/// Draws `samples` different numbers below `count`, ascending; all of them if there are no more. Equal seeds draw the same.
///
/// Any set of that size is as likely as any other, but for a bias below `count` in 2^64. Takes memory for the sample.
pub fn draw_sample(count: u64, samples: u64, seed: &[u8; 32]) -> Vec<u64> {
    if samples >= count {
        return (0..count).collect();
    }
    let mut random = blake3::Hasher::new_keyed(seed).finalize_xof();
    let mut drawn = BTreeSet::new();
    // Floyd's algorithm: one draw for each sample, however large the share.
    for last in count - samples..count {
        let mut bytes = [0; 8];
        random.fill(&mut bytes);
        let draw = (u128::from(u64::from_le_bytes(bytes)) * (u128::from(last) + 1)) >> 64;
        let draw = u64::try_from(draw).expect("it is at most `last`");
        if !drawn.insert(draw) {
            drawn.insert(last);
        }
    }
    drawn.into_iter().collect()
}

/// How likely (0 to 1) a sample of `samples` different ones of `count` leaves meets at least one of `bad` bad ones.
pub fn detection_probability(count: u64, bad: u64, samples: u64) -> f64 {
    let (bad, samples) = (bad.min(count), samples.min(count));
    // The chance to miss does not change when the two change places, so the shorter product will do.
    let (fewer, more) = (bad.min(samples), bad.max(samples));
    if fewer > count - more {
        return 1.0;
    }
    let miss: f64 = (0..fewer).map(|drawn| (-(more as f64) / (count - drawn) as f64).ln_1p()).sum();
    -miss.exp_m1()
}

/// How many leaves to look at to meet a bad one with this probability if this share of them is bad, in a tree of any size.
/// Both are between 0 and 1; `None` if one is not.
pub fn sample_size(bad_share: f64, probability: f64) -> Option<u64> {
    let is_share = |share: f64| share > 0.0 && share < 1.0;
    if !is_share(bad_share) || !is_share(probability) {
        return None;
    }
    Some(((-probability).ln_1p() / (-bad_share).ln_1p()).ceil() as u64)
}
