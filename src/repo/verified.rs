//! When each pack was last read and verified whole by this client: kept outside the repository.
//!
//! One file a repository, in the client's folder: magic (8 bytes), then for each pack its name (16) and a time in seconds
//! since 1970 (8, little-endian), then BLAKE3 of all before (32). It is a memory, not a proof: losing it costs nothing but
//! reading packs again.

use std::collections::BTreeMap;

use crate::id::PackId;

use super::{RepoError, Repository};

const MAGIC: &[u8; 8] = b"WARPVER1";
const ROW_LEN: usize = PackId::LEN + 8;
const CHECK_LEN: usize = 32;
/// Most bytes of the file: some eleven million packs.
const LEN_MAX: u64 = 256 << 20;

/// Times in seconds since 1970, by pack.
pub(crate) type Verified = BTreeMap<PackId, i64>;

impl Repository {
    /// When this client last verified packs. Empty where nothing is known, or the file is damaged.
    pub(crate) fn verified_packs(&self) -> Verified {
        self.client()
            .kept(&self.verified_name(), LEN_MAX)
            .and_then(|bytes| decode(&bytes))
            .unwrap_or_default()
    }

    /// Remembers that some packs were verified at `time` and that others proved damaged. What was known of packs that are
    /// in the log no more is dropped.
    ///
    /// # Errors
    /// When the client's folder cannot be written.
    pub(crate) fn remember_verified(
        &self,
        good: &[PackId],
        bad: &[PackId],
        time: i64,
    ) -> Result<(), RepoError> {
        let (mut verified, state) = (self.verified_packs(), self.state());
        verified.extend(good.iter().map(|pack| (*pack, time)));
        verified.retain(|pack, _| state.packs.contains_key(pack) && !bad.contains(pack));
        self.client().keep(&self.verified_name(), &encode(&verified))
    }

    fn verified_name(&self) -> String {
        format!("verified-{}", self.instance())
    }
}

fn encode(verified: &Verified) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAGIC.len() + ROW_LEN * verified.len() + CHECK_LEN);
    bytes.extend_from_slice(MAGIC);
    for (pack, time) in verified {
        bytes.extend_from_slice(pack.as_bytes());
        bytes.extend_from_slice(&time.to_le_bytes());
    }
    let check = blake3::hash(&bytes);
    bytes.extend_from_slice(check.as_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Verified> {
    let (body, check) = bytes.split_at_checked(bytes.len().checked_sub(CHECK_LEN)?)?;
    if blake3::hash(body).as_bytes() != check {
        return None;
    }
    let (rows, []) = body.strip_prefix(MAGIC)?.as_chunks::<ROW_LEN>() else { return None };
    let row = |row: &[u8; ROW_LEN]| {
        let (pack, time) = row.split_first_chunk::<{ PackId::LEN }>()?;
        Some((PackId::new(*pack), i64::from_le_bytes(time.try_into().ok()?)))
    };
    rows.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_verified_comes_back_and_any_flipped_byte_makes_it_unknown() {
        let verified: Verified = [(PackId::new([1; 16]), 7), (PackId::new([2; 16]), -1)].into();
        let bytes = encode(&verified);
        assert_eq!(decode(&bytes), Some(verified));
        assert_eq!(decode(&encode(&Verified::new())), Some(Verified::new()));
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert_eq!(decode(&damaged), None, "at {place}");
            assert_eq!(decode(&bytes[..place]), None, "cut at {place}");
        }
    }
}
