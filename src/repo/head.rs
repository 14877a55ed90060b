//! The head of the log, for people to compare.

use crate::id::EntryHash;

use super::client::SeenHead;
use super::{RepoError, Repository};

/// The last entry of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// Its number, from 1.
    pub number: u64,
    /// Its hash, which by the chain stands for all entries before.
    pub hash: EntryHash,
}

/// What this client knew of a log when it opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeenBefore {
    /// Nothing: whether the log was put back to an older state cannot be told.
    Never,
    /// The head that it has.
    Same,
    /// An older head, which it continues.
    Older {
        /// Number of the entry that was the last.
        number: u64,
    },
    /// A head that it has no more: it was put back, and the client was told to take that.
    PutBack {
        /// Number of the entry that was the last; 0: the client has made another log in the place of this one.
        number: u64,
    },
}

/// Bytes of a hash that a fingerprint shows. Nobody can choose the hash of an entry without a key that may write the log.
const SHOWN: usize = 8;

impl LogHead {
    /// The first 64 bits of the hash, in groups of four digits: `3f2a-91c0-07de-55a1`.
    pub fn fingerprint(&self) -> String {
        let groups =
            self.hash.as_bytes()[..SHOWN].chunks(2).map(|group| data_encoding::HEXLOWER.encode(group));
        groups.collect::<Vec<_>>().join("-")
    }
}

impl SeenBefore {
    /// Compares a head that was seen with the one that a log has now, which has `seen` among its entries or was put back.
    pub(super) fn of(seen: Option<SeenHead>, now: Option<SeenHead>, was_put_back: bool) -> Self {
        match seen {
            None => Self::Never,
            Some(seen) if was_put_back => Self::PutBack { number: seen.number },
            Some(_) if seen == now => Self::Same,
            Some(seen) => Self::Older { number: seen.number },
        }
    }
}

impl Repository {
    /// The last entry of the log, as far as this handle has read.
    ///
    /// # Errors
    /// When the log has no entry.
    pub fn head(&self) -> Result<LogHead, RepoError> {
        let state = self.state();
        let hash = state.hash.ok_or(RepoError::Log { number: 1, why: "it is missing" })?;
        Ok(LogHead { number: state.number, hash })
    }

    /// What this client knew of the log before it opened the repository.
    pub fn seen_before(&self) -> SeenBefore {
        self.seen_before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(number: u64, byte: u8) -> SeenHead {
        SeenHead { number, hash: EntryHash::new([byte; 32]) }
    }

    #[test]
    fn a_fingerprint_is_the_first_eight_bytes_of_the_hash() {
        let mut hash = [9; 32];
        hash[..8].copy_from_slice(&[0x3f, 0x2a, 0x91, 0xc0, 0x07, 0xde, 0x55, 0xa1]);
        let head = LogHead { number: 3, hash: EntryHash::new(hash) };
        assert_eq!(head.fingerprint(), "3f2a-91c0-07de-55a1");
    }

    #[test]
    fn what_was_seen_is_compared_by_its_hash() {
        let now = Some(head(5, 1));
        assert_eq!(SeenBefore::of(None, now, false), SeenBefore::Never);
        assert_eq!(SeenBefore::of(now, now, false), SeenBefore::Same);
        assert_eq!(SeenBefore::of(Some(head(4, 2)), now, false), SeenBefore::Older { number: 4 });
        assert_eq!(SeenBefore::of(Some(head(5, 2)), now, true), SeenBefore::PutBack { number: 5 });
    }
}
