//! Secret challenges for packs that were sent elsewhere: kept outside the repository.
//!
//! One file a repository, in the client's folder: magic (8 bytes), then for each challenge the pack's name (16), a secret key (32) and the BLAKE3 hash
//! of the pack keyed with it (32), then BLAKE3 of all before (32). A challenge is used once: whoever has heard it could keep the answer and lose
//! the pack.

use std::collections::HashMap;

use crate::id::PackId;

use super::{RepoError, Repository};

const MAGIC: &[u8; 8] = b"WARPCHL1";
const ROW_LEN: usize = PackId::LEN + 64;
const CHECK_LEN: usize = 32;
/// Most bytes of the file: some three million challenges.
const LEN_MAX: u64 = 256 << 20;

/// What may be asked about a pack, and the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) pack: PackId,
    pub(crate) key: [u8; 32],
    pub(crate) hash: [u8; 32],
}

impl Challenge {
    /// A challenge about these bytes of a pack.
    pub(crate) fn new(pack: PackId, bytes: &[u8]) -> Result<Self, RepoError> {
        let key = crate::crypto::random().map_err(RepoError::crypto("cannot draw random numbers"))?;
        Ok(Self { pack, key, hash: *blake3::keyed_hash(&key, bytes).as_bytes() })
    }
}

impl Repository {
    /// Challenges that are left for this repository's packs. Empty where nothing is known, or the file is damaged.
    pub(crate) fn challenges(&self) -> Vec<Challenge> {
        let kept = self.client().kept(&self.challenges_name(), LEN_MAX);
        kept.and_then(|bytes| decode(&bytes)).unwrap_or_default()
    }

    /// Keeps new challenges and drops those that were used, and those of packs that are in the log no more.
    ///
    /// # Errors
    /// When the client's folder cannot be written.
    pub(crate) fn keep_challenges(&self, new: &[Challenge], used: &[Challenge]) -> Result<(), RepoError> {
        let used: HashMap<[u8; 32], ()> = used.iter().map(|challenge| (challenge.key, ())).collect();
        let (mut all, state) = (self.challenges(), self.state());
        all.extend_from_slice(new);
        all.retain(|challenge| {
            !used.contains_key(&challenge.key) && state.packs.contains_key(&challenge.pack)
        });
        self.client().keep(&self.challenges_name(), &encode(&all))
    }

    fn challenges_name(&self) -> String {
        format!("challenges-{}", self.instance())
    }
}

fn encode(all: &[Challenge]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAGIC.len() + ROW_LEN * all.len() + CHECK_LEN);
    bytes.extend_from_slice(MAGIC);
    for challenge in all {
        bytes.extend_from_slice(challenge.pack.as_bytes());
        bytes.extend_from_slice(&challenge.key);
        bytes.extend_from_slice(&challenge.hash);
    }
    let check = blake3::hash(&bytes);
    bytes.extend_from_slice(check.as_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Vec<Challenge>> {
    let (body, check) = bytes.split_at_checked(bytes.len().checked_sub(CHECK_LEN)?)?;
    if blake3::hash(body).as_bytes() != check {
        return None;
    }
    let (rows, []) = body.strip_prefix(MAGIC)?.as_chunks::<ROW_LEN>() else { return None };
    let row = |row: &[u8; ROW_LEN]| {
        let (pack, rest) = row.split_first_chunk::<{ PackId::LEN }>()?;
        let (key, hash) = rest.split_first_chunk::<32>()?;
        Some(Challenge { pack: PackId::new(*pack), key: *key, hash: hash.try_into().ok()? })
    };
    rows.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_come_back_and_any_flipped_byte_makes_them_unknown() {
        let all = [Challenge::new(PackId::new([1; 16]), b"a pack").unwrap()];
        let bytes = encode(&all);
        assert_eq!(decode(&bytes).as_deref(), Some(&all[..]));
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert_eq!(decode(&damaged), None, "at {place}");
            assert_eq!(decode(&bytes[..place]), None, "cut at {place}");
        }
    }
}
