//! Index segments, byte by byte and row by row.

use std::sync::Arc;

use crate::format::DecodeError;
use crate::format::index::{IndexRow, PageView};
use crate::format::log::SegmentRecord;
use crate::format::pack::Bases;
use crate::id::{PackId, Root};
use crate::store::{StorageBackend, StoreError};

use super::PIECE;
use crate::cas::CasError;
use crate::cas::segment::{OpenSegment, Segment};
use crate::cas::vault::{Vault, segment_name};

/// Compares length and BLAKE3 hash of a segment with what the log says; `read` is told how many bytes came. That needs no
/// keys.
///
/// # Errors
/// [`CasError::Length`], [`CasError::Hash`]; when the segment is not there or the store fails.
pub fn check_segment_bytes(
    store: &dyn StorageBackend,
    record: &SegmentRecord,
    read: &dyn Fn(u64),
) -> Result<(), CasError> {
    let name = segment_name(&record.uid);
    let file = || name.as_str().to_owned();
    let found =
        store.len(&name)?.ok_or_else(|| StoreError::NotFound { name: file(), location: store.location() })?;
    if found != record.len {
        return Err(CasError::Length { file: file(), found, expected: record.len });
    }
    let (mut hasher, mut at) = (blake3::Hasher::new(), 0);
    while at < record.len {
        let len = PIECE.min(record.len - at);
        let bytes = store.read_at(&name, at, usize::try_from(len).expect("a piece"))?;
        hasher.update(&bytes);
        read(len);
        at += len;
    }
    let is_right = Root::new(*hasher.finalize().as_bytes()) == record.hash;
    if is_right { Ok(()) } else { Err(CasError::Hash { file: file(), part: "content" }) }
}

/// A segment that is read row by row.
#[derive(Debug)]
pub struct SegmentAudit {
    segment: Segment,
    open: Arc<OpenSegment>,
}

/// What is told of every row: the pack that it speaks of, itself, and its bases if it is a delta.
type Visit<'v> = dyn FnMut(PackId, &IndexRow, Option<&Bases>) + 'v;

impl SegmentAudit {
    /// Opens header and footer.
    ///
    /// # Errors
    /// When they are damaged or cannot be read.
    pub fn open(vault: &Vault, record: SegmentRecord) -> Result<Self, CasError> {
        let segment = Segment::new(record);
        let open = segment.open(vault)?;
        Ok(Self { segment, open })
    }

    /// The packs that the segment speaks of.
    pub fn packs(&self) -> &[PackId] {
        self.open.packs()
    }

    /// Reads all tables and tells of all rows, ascending. A page at a time is in memory, and the table of deltas.
    ///
    /// # Errors
    /// When a part is damaged, or a row is not where a lookup would find it.
    pub fn rows(&self, vault: &Vault, visit: &mut Visit<'_>) -> Result<(), CasError> {
        let deltas = self.segment.read_deltas(vault)?;
        self.segment.read_features(vault)?;
        let (mut deltas, mut number) = (deltas.iter().peekable(), 0);
        let mut last = None;
        for page in 0..self.open.pages() {
            let bytes = self.segment.read_page(vault, &self.open, page)?;
            let view = PageView::of_checked(&bytes);
            for row in (0..view.len()).filter_map(|row| view.row(row)) {
                let delta = deltas.next_if(|delta| delta.row == number);
                self.check(&row, page, (last, delta.is_some()))?;
                let pack = *self.packs().get(usize::from(row.pack)).ok_or_else(|| self.invalid(NO_PACK))?;
                visit(pack, &row, delta.map(|delta| &delta.bases));
                last = Some(row);
                number += 1;
            }
        }
        let is_whole = number == self.segment.record.rows && deltas.next().is_none();
        if is_whole { Ok(()) } else { Err(self.invalid("its tables do not fit its rows")) }
    }

    fn check(
        &self,
        row: &IndexRow,
        page: u32,
        (last, has_bases): (Option<IndexRow>, bool),
    ) -> Result<(), CasError> {
        if last.is_some_and(|last| last >= *row) {
            return Err(self.invalid("its rows are not in order"));
        }
        if (row.depth() > 0) != has_bases {
            return Err(self.invalid("it names no bases of a difference, or bases of what is none"));
        }
        if !self.open.finds(&row.locator, page) {
            return Err(self.invalid("its footer keeps a row from being found"));
        }
        Ok(())
    }

    fn invalid(&self, why: &'static str) -> CasError {
        self.segment.format("content", DecodeError::Invalid { what: "index segment", why })
    }
}

const NO_PACK: &str = "a row names a pack that is not in its list";
