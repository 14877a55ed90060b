//! Parts of index segments that are kept near, where the store is far away.

use std::fmt;

use crate::id::SegmentId;

/// Keeps what opening an index segment takes: its header, its footer, the tables behind that, but pages only of small
/// ones. They never change, and are as they lie in the
/// store: sealed, and opened only if they are what was stored. So they may lie where anybody writes, and be lost at any time.
pub trait NearParts: fmt::Debug + Send + Sync {
    /// A part that was kept; `None`: there is none of `len` bytes.
    fn get(&self, segment: &SegmentId, part: SegmentPart, len: usize) -> Option<Vec<u8>>;

    /// Keeps a part, if that is possible.
    fn keep(&self, segment: &SegmentId, part: SegmentPart, bytes: &[u8]);

    /// Drops all parts of segments that are not wanted.
    fn retain(&self, is_wanted: &dyn Fn(&SegmentId) -> bool);
}

/// A part of an index segment that is read as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SegmentPart {
    /// Which packs it speaks of, fences of pages, filter.
    Footer = 0,
    /// The bases of deltas.
    Deltas = 1,
    /// The features of sketches.
    Features = 2,
    /// The header.
    Header = 3,
    /// All pages of a segment that is too small for a filter.
    Pages = 4,
}

impl SegmentPart {
    /// What it is called in errors.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Footer => "footer",
            Self::Deltas => "table of deltas",
            Self::Features => "table of features",
            Self::Header => "header",
            Self::Pages => "page",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};

    use super::super::segment::Segment;
    use super::super::testkit::Packs;
    use super::super::{CasError, SegmentWriter, segment_name};
    use super::*;
    use crate::format::index::{IndexRow, ROWS_PER_PAGE};
    use crate::format::pack::Parity;
    use crate::id::{Locator, ObjectKind, PackId};
    use crate::store::{MemoryStore, StorageBackend};
    use crate::testing::Rng;

    #[derive(Debug, Default)]
    struct Kept(Mutex<HashMap<(SegmentId, SegmentPart), Vec<u8>>>);

    impl NearParts for Kept {
        fn get(&self, segment: &SegmentId, part: SegmentPart, len: usize) -> Option<Vec<u8>> {
            self.0.lock().unwrap().get(&(*segment, part)).filter(|bytes| bytes.len() == len).cloned()
        }

        fn keep(&self, segment: &SegmentId, part: SegmentPart, bytes: &[u8]) {
            self.0.lock().unwrap().insert((*segment, part), bytes.to_vec());
        }

        fn retain(&self, is_wanted: &dyn Fn(&SegmentId) -> bool) {
            self.0.lock().unwrap().retain(|(segment, _), _| is_wanted(segment));
        }
    }

    /// A segment of so many rows.
    fn writer(rows: usize) -> SegmentWriter {
        let mut rng = Rng::new(5);
        let mut writer = SegmentWriter::default();
        writer.packs.push(PackId::new([4; 16]));
        let row = |_| IndexRow {
            locator: Locator::new(rng.bytes(16).try_into().unwrap()),
            kind: ObjectKind::Chunk,
            pack: 0,
            block: 0,
            slot: 0,
            flags: 0,
        };
        writer.rows = (0..rows).map(row).collect();
        writer
    }

    #[test]
    fn what_is_kept_near_serves_and_what_is_spoilt_there_is_fetched_again() {
        serves_and_is_fetched_again(5000, 2, false);
    }

    #[test]
    fn pages_of_small_segments_are_kept_as_well() {
        serves_and_is_fetched_again(1500, 3, true);
    }

    fn serves_and_is_fetched_again(rows: usize, parts: usize, has_pages: bool) {
        let (packs, store, near) =
            (Packs::new(Parity::NONE), Arc::new(MemoryStore::new()), Arc::new(Kept::default()));
        let vault = packs.vault(store.clone()).keeping_near(near.clone());
        let segment = writer(rows).finish(&vault).unwrap();
        segment.write(&vault).unwrap();
        let (uid, record) = (segment.record.uid, segment.record);
        let name = segment_name(&uid);
        let stored = store.get(&name, u64::MAX).unwrap();
        let open = || {
            let segment = Segment::new(record);
            let packs = segment.open(&vault)?.packs().to_vec();
            if has_pages {
                assert_eq!(segment.read_rows(&vault)?.len(), rows);
                let open = segment.open(&vault)?;
                let last = segment.read_page(&vault, &open, 2)?;
                assert_eq!(last.len() / 24, rows - 2 * ROWS_PER_PAGE);
            }
            Ok::<_, CasError>(packs)
        };
        let count = || near.0.lock().unwrap().len();
        assert_eq!(count(), parts, "of what was written");

        store.replace(&name, &vec![0; stored.len()]).unwrap();
        assert_eq!(open().unwrap(), [PackId::new([4; 16])], "the store was not asked");
        near.0.lock().unwrap().values_mut().for_each(|bytes| bytes[30] ^= 1);
        assert!(open().is_err(), "neither is what was stored");

        store.replace(&name, &stored).unwrap();
        assert_eq!(open().unwrap(), [PackId::new([4; 16])]);
        store.replace(&name, &vec![0; stored.len()]).unwrap();
        assert_eq!(open().unwrap(), [PackId::new([4; 16])], "what was fetched is kept");
        near.retain(&|_| false);
        assert!(open().is_err());
    }
}
