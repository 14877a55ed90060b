//! Which objects are needed: one bit for each, at the place where its copy lies.

use std::collections::HashMap;

use crate::cas::Location;
use crate::id::PackId;

/// Places of objects. Memory: a bit an object, and some bytes for each block and pack that has any.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::ops) struct Marks {
    packs: HashMap<PackId, PackMarks>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct PackMarks {
    /// Bits of each block's slots.
    blocks: Vec<Vec<u64>>,
    objects: u64,
}

impl Marks {
    /// Marks a place; returns whether it was not marked before.
    pub(in crate::ops) fn set(&mut self, location: &Location) -> bool {
        let pack = self.packs.entry(location.pack).or_default();
        let (block, word, bit) = place(location);
        if pack.blocks.len() <= block {
            pack.blocks.resize_with(block + 1, Vec::new);
        }
        let words = &mut pack.blocks[block];
        if words.len() <= word {
            words.resize(word + 1, 0);
        }
        let is_new = words[word] & bit == 0;
        words[word] |= bit;
        pack.objects += u64::from(is_new);
        is_new
    }

    /// Whether the place is marked.
    pub(in crate::ops) fn has(&self, location: &Location) -> bool {
        let (_, word, bit) = place(location);
        let words = self.block(&location.pack, location.block);
        words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Whether anything in the block is marked.
    pub(in crate::ops) fn has_block(&self, pack: &PackId, block: u16) -> bool {
        self.block(pack, block).iter().any(|word| *word != 0)
    }

    /// How many objects of the pack are marked.
    pub(super) fn of_pack(&self, pack: &PackId) -> u64 {
        self.packs.get(pack).map_or(0, |pack| pack.objects)
    }

    /// The packs that have any.
    pub(in crate::ops) fn packs(&self) -> impl Iterator<Item = &PackId> {
        self.packs.keys()
    }

    /// Whether nothing is marked.
    pub(super) fn is_empty(&self) -> bool {
        self.packs.is_empty()
    }

    /// How many objects are marked.
    pub(in crate::ops) fn objects(&self) -> u64 {
        self.packs.values().map(|pack| pack.objects).sum()
    }

    fn block(&self, pack: &PackId, block: u16) -> &[u64] {
        self.packs.get(pack).and_then(|pack| pack.blocks.get(usize::from(block))).map_or(&[], Vec::as_slice)
    }
}

/// Number of the block, of the word in it, and the bit in that.
fn place(location: &Location) -> (usize, usize, u64) {
    let slot = usize::from(location.slot);
    (usize::from(location.block), slot / 64, 1 << (slot % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn marks_are_a_set_of_places(places in prop::collection::vec((0..3_u8, 0..70_u16, 0..200_u16), 0..300)) {
            let location = |&(pack, block, slot): &(u8, u16, u16)| Location { pack: PackId::new([pack; 16]), block, slot, depth: 0 };
            let (mut marks, mut set) = (Marks::default(), HashSet::new());
            for place in &places {
                prop_assert_eq!(marks.set(&location(place)), set.insert(*place));
            }
            prop_assert_eq!(marks.objects(), set.len() as u64);
            for pack in 0..3 {
                let of_pack = set.iter().filter(|place| place.0 == pack).count() as u64;
                prop_assert_eq!(marks.of_pack(&PackId::new([pack; 16])), of_pack);
                for block in 0..70 {
                    let has = set.iter().any(|place| (place.0, place.1) == (pack, block));
                    prop_assert_eq!(marks.has_block(&PackId::new([pack; 16]), block), has);
                    for slot in 0..200 {
                        let place = (pack, block, slot);
                        prop_assert_eq!(marks.has(&location(&place)), set.contains(&place));
                    }
                }
            }
        }
    }
}
