//! A blob on its way up: which pieces to send next.

use std::collections::BTreeSet;

use crate::limits::PIECE_LEN;

/// Decides which pieces of a blob are sent, and when it is all there. It sends nothing itself.
///
/// ```
/// use warp::sync::Upload;
///
/// let mut upload = Upload::new(3 << 20, &[0b010], 8);
/// assert_eq!((upload.next_piece(), upload.next_piece(), upload.next_piece()), (Some(0), Some(2), None));
/// upload.arrived(0);
/// upload.lost(2);
/// assert_eq!(upload.next_piece(), Some(2));
/// upload.arrived(2);
/// assert!(upload.is_complete());
/// ```
#[derive(Debug, Clone)]
pub struct Upload {
    len: u64,
    ahead: u32,
    /// Pieces that are neither there nor under way.
    missing: BTreeSet<u32>,
    under_way: BTreeSet<u32>,
}

impl Upload {
    /// An upload of `len` bytes; bit n of `there` says whether the other end has piece n, and it takes pieces up to `ahead` beyond the first one
    /// that it lacks.
    pub fn new(len: u64, there: &[u8], ahead: u32) -> Self {
        let pieces = u32::try_from(len.div_ceil(PIECE_LEN as u64)).unwrap_or(u32::MAX);
        let has = |n: &u32| there.get(*n as usize / 8).is_some_and(|byte| byte & 1 << (n % 8) != 0);
        let missing = (0..pieces).filter(|n| !has(n)).collect();
        Self { len, ahead: ahead.max(1), missing, under_way: BTreeSet::new() }
    }

    /// The next piece to send; `None`: replies must come first, or all is there.
    pub fn next_piece(&mut self) -> Option<u32> {
        let next = *self.missing.first()?;
        let first = self.under_way.first().map_or(next, |first| next.min(*first));
        if next >= first.saturating_add(self.ahead) {
            return None;
        }
        self.missing.remove(&next);
        self.under_way.insert(next);
        Some(next)
    }

    /// A piece has arrived.
    pub fn arrived(&mut self, number: u32) {
        self.under_way.remove(&number);
    }

    /// A piece, or the word that it has arrived, was lost: it is sent again.
    pub fn lost(&mut self, number: u32) {
        if self.under_way.remove(&number) {
            self.missing.insert(number);
        }
    }

    /// Whether all pieces have arrived.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.under_way.is_empty()
    }

    /// Where a piece lies in the blob: first byte, and one behind the last.
    pub fn place(&self, number: u32) -> std::ops::Range<u64> {
        let start = u64::from(number) * PIECE_LEN as u64;
        start..self.len.min(start + PIECE_LEN as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Rng;

    #[test]
    fn whatever_is_lost_every_piece_arrives_once_and_never_too_far_ahead() {
        for seed in 0..200 {
            let mut rng = Rng::new(seed);
            let pieces = 1 + rng.below(40) as u32;
            let (ahead, mut there) = (1 + rng.below(9) as u32, BTreeSet::new());
            let mut bits = vec![0_u8; pieces.div_ceil(8) as usize];
            for n in 0..pieces {
                if rng.one_in(4) {
                    there.insert(n);
                    bits[n as usize / 8] |= 1 << (n % 8);
                }
            }
            let mut upload = Upload::new(u64::from(pieces) * PIECE_LEN as u64 - 5, &bits, ahead);
            let mut flying = Vec::new();
            while !upload.is_complete() {
                while let Some(n) = upload.next_piece() {
                    let first = (0..pieces).find(|n| !there.contains(n)).unwrap();
                    assert!(n < first + ahead && !there.contains(&n));
                    flying.push(n);
                }
                let n = flying.swap_remove(rng.below(flying.len()));
                if rng.one_in(3) {
                    upload.lost(n);
                } else {
                    assert!(there.insert(n));
                    upload.arrived(n);
                }
            }
            assert_eq!(there.len() as u32, pieces);
        }
    }
}
