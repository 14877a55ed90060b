//! What objects take in the packs, and how many of them are deltas.

use crate::cas::PackMap;
use crate::format::pack::ObjectEntry;

use super::DeltaCounts;

/// Sums over objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) objects: u64,
    /// Bytes of the objects themselves.
    pub(super) bytes: u64,
    /// Bytes that they take in the packs.
    pub(super) taken: u64,
    /// Those of them that are deltas.
    pub(super) deltas: DeltaCounts,
}

impl Stored {
    /// Adds the object `entry`, which lies in `slot` of `block`.
    pub(super) fn add(&mut self, map: &PackMap, (entry, block, slot): (ObjectEntry, u16, u16)) {
        let (delta, taken) = (map.delta(block, slot), map.taken(block, slot));
        let bytes = u64::from(delta.map_or(entry.len, |delta| delta.len));
        self.objects += 1;
        self.bytes += bytes;
        self.taken += taken;
        if delta.is_some() {
            self.deltas.objects += 1;
            self.deltas.bytes += bytes;
            self.deltas.stored_bytes += taken;
        }
    }

    /// What the deltas would take at the rate at which the other objects are compressed; their own length, if there are
    /// none.
    pub(super) fn deltas_in_full(&self) -> u64 {
        let (full, taken) = (self.bytes - self.deltas.bytes, self.taken - self.deltas.stored_bytes);
        match full {
            0 => self.deltas.bytes,
            full => scaled(self.deltas.bytes, taken, full),
        }
    }
}

/// `amount * part / whole`, or the largest number if that is over it.
fn scaled(amount: u64, part: u64, whole: u64) -> u64 {
    let scaled = u128::from(amount) * u128::from(part) / u128::from(whole);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deltas_would_be_compressed_as_the_other_objects_are() {
        let deltas = DeltaCounts { objects: 1, bytes: 1000, stored_bytes: 10 };
        let stored = Stored { objects: 3, bytes: 5000, taken: 1010, deltas };
        assert_eq!(stored.deltas_in_full(), 250);
        assert_eq!(Stored { objects: 1, bytes: 1000, taken: 10, deltas }.deltas_in_full(), 1000);
        assert_eq!(Stored::default().deltas_in_full(), 0);
    }
}
