//! Objects that cannot be brought back, and which finding says why.

use std::collections::HashMap;

use crate::id::{Locator, ObjectKind};

/// Objects that cannot be brought back, each with the number of the finding that is to blame. Objects are known by a
/// quarter of their ids: that two of 10^9 share it is unlikely, and would name a path too many.
#[derive(Debug, Default)]
pub(super) struct Broken(HashMap<u64, u32>);

impl Broken {
    /// Blames a finding for an object, unless another one is to blame already; tells whether it is new.
    pub(super) fn insert(&mut self, kind: ObjectKind, locator: Locator, finding: usize) -> bool {
        let finding = u32::try_from(finding).expect("one finding a file and kind");
        let before = self.0.len();
        self.0.entry(key(kind, locator)).or_insert(finding);
        self.0.len() > before
    }

    /// The finding that is to blame for an object; `None`: nothing is wrong with it.
    pub(super) fn blame(&self, kind: ObjectKind, locator: Locator) -> Option<usize> {
        self.0.get(&key(kind, locator)).map(|finding| *finding as usize)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A short name of an object.
pub(super) fn key(kind: ObjectKind, locator: Locator) -> u64 {
    let (first, _) = locator.as_bytes().split_first_chunk::<8>().expect("a locator has 16 bytes");
    u64::from_le_bytes(*first) ^ (kind as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
