//! Index segments: written sorted, read a page at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::crypto::{self, OVERHEAD};
use crate::format::index::{
    IndexDelta, IndexRow, PageView, ROWS_PER_PAGE, SegmentFooter, SegmentHeader, encode_page,
};
use crate::format::log::SegmentRecord;
use crate::id::{ChunkId, Locator, ObjectKind, PackId, Root, SegmentId};
use crate::limits::SEGMENT_PACKS_MAX;
use crate::store::{Put, StorageBackend};

use super::filter;
use super::vault::{FileKey, NONCE_LEN, Part, Vault, segment_name};
use super::{CasError, Location};

/// Bytes of a row in a page.
const ROW_LEN: usize = 24;

/// Collects rows and writes them as one segment.
#[derive(Debug, Default)]
pub struct SegmentWriter {
    packs: Vec<PackId>,
    rows: Vec<IndexRow>,
    bases: BTreeMap<IndexRow, ChunkId>,
}

/// A complete segment, ready to be written.
#[derive(Debug)]
pub struct FinishedSegment {
    /// What the log says of it.
    pub record: SegmentRecord,
    parts: Vec<Vec<u8>>,
}

impl SegmentWriter {
    /// Adds all rows of one pack, with the bases of those that are deltas, in the order of the rows.
    pub fn add(&mut self, pack: PackId, rows: impl IntoIterator<Item = IndexRow>, bases: &[ChunkId]) {
        let number = u16::try_from(self.packs.len()).expect("asked is_full before");
        self.packs.push(pack);
        let first = self.rows.len();
        self.rows.extend(rows.into_iter().map(|row| IndexRow { pack: number, ..row }));
        let deltas = self.rows[first..].iter().filter(|row| row.is_delta());
        self.bases.extend(deltas.copied().zip(bases.iter().copied()));
    }

    /// Rows collected so far.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether no further pack fits.
    pub fn is_full(&self) -> bool {
        self.packs.len() >= SEGMENT_PACKS_MAX
    }

    /// The locators and kinds of all rows.
    pub fn keys(&self) -> impl Iterator<Item = (ObjectKind, Locator)> + '_ {
        self.rows.iter().map(|row| (row.kind, row.locator))
    }

    /// Sorts and seals what was collected.
    ///
    /// # Errors
    /// When there are no random numbers.
    pub fn finish(mut self, vault: &Vault) -> Result<FinishedSegment, CasError> {
        self.rows.sort_unstable();
        let uid = SegmentId::new(crypto::random().map_err(|source| CasError::Random { source })?);
        let (key, wrapped) = vault.new_key(Part::SegmentKey, *uid.as_bytes())?;
        let deltas = (0..).zip(&self.rows).filter(|(_, row)| row.is_delta());
        let deltas = deltas.map(|(row, key)| IndexDelta { row, base: self.bases[key] }).collect();
        let pages: Vec<&[IndexRow]> = self.rows.chunks(ROWS_PER_PAGE).collect();
        let footer = SegmentFooter {
            packs: self.packs,
            fences: pages.iter().map(|page| page[0].locator).collect(),
            filter: filter::build(self.rows.iter().map(|row| row.locator)),
            deltas,
            sketches: Vec::new(),
        };
        let footer = footer.encode().map_err(|source| CasError::Encode { what: "footer", source })?;
        let footer = seal(vault, &key, Part::Footer, 0, &footer);
        let header = SegmentHeader {
            cipher: vault.cipher(),
            family: vault.family(),
            uid,
            epoch: key.epoch,
            key: wrapped,
            rows: u32::try_from(self.rows.len()).expect("at most SEGMENT_ROWS_MAX rows"),
            pages: u32::try_from(pages.len()).expect("fewer than rows"),
            footer_len: u32::try_from(footer.len()).expect("a footer is far below 4 GiB"),
        };
        let head = header.encode().to_vec();
        let mut parts = vec![head.clone()];
        parts.extend(
            (0u64..)
                .zip(&pages)
                .map(|(number, page)| seal(vault, &key, Part::Page, number, &encode_page(page))),
        );
        parts.extend([footer, head]);
        Ok(FinishedSegment { record: record(uid, &parts, header.rows), parts })
    }
}

impl FinishedSegment {
    /// Writes the segment; when this returns it is durable.
    ///
    /// # Errors
    /// When the store fails.
    pub fn write(&self, store: &dyn StorageBackend) -> Result<(), CasError> {
        let name = segment_name(&self.record.uid);
        let parts: Vec<&[u8]> = self.parts.iter().map(Vec::as_slice).collect();
        match store.put_new(&name, &parts)? {
            Put::Created => Ok(()),
            Put::Exists => Err(CasError::NameTaken { file: name.as_str().to_owned() }),
        }
    }
}

fn record(uid: SegmentId, parts: &[Vec<u8>], rows: u32) -> SegmentRecord {
    let mut hasher = blake3::Hasher::new();
    parts.iter().for_each(|part| {
        hasher.update(part);
    });
    let len = parts.iter().map(|part| part.len() as u64).sum();
    SegmentRecord { uid, len, hash: Root::new(*hasher.finalize().as_bytes()), rows }
}

fn seal(vault: &Vault, key: &FileKey, part: Part, number: u64, plain: &[u8]) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(OVERHEAD + plain.len());
    buffer.resize(NONCE_LEN, 0);
    buffer.extend_from_slice(plain);
    vault.seal(key, part, number, &mut buffer);
    buffer
}

/// A segment that is read: its footer is loaded when it is first needed, pages by whoever caches them.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) record: SegmentRecord,
    opened: Mutex<Option<Arc<OpenSegment>>>,
}

/// A segment whose header and footer have been read.
#[derive(Debug)]
pub(super) struct OpenSegment {
    header: SegmentHeader,
    key: FileKey,
    footer: SegmentFooter,
}

impl Segment {
    pub(super) fn new(record: SegmentRecord) -> Self {
        Self { record, opened: Mutex::new(None) }
    }

    /// The header and footer, read once.
    pub(super) fn open(&self, vault: &Vault) -> Result<Arc<OpenSegment>, CasError> {
        let mut opened = self.opened.lock().expect("no panic while locked");
        if let Some(open) = &*opened {
            return Ok(Arc::clone(open));
        }
        let fresh = Arc::new(self.load(vault)?);
        *opened = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    fn load(&self, vault: &Vault) -> Result<OpenSegment, CasError> {
        let end = self.record.len.saturating_sub(SegmentHeader::LEN as u64);
        let header = self.header(vault, 0).or_else(|front| self.header(vault, end).map_err(|_| front))?;
        let file = || self.file();
        let uid = self.record.uid;
        if header.uid != uid || header.family != vault.family() || header.rows != self.record.rows {
            return Err(CasError::Foreign { file: file(), part: "header" });
        }
        let key = vault.file_key(Part::SegmentKey, *uid.as_bytes(), header.epoch, &header.key, &file())?;
        let offset = end.saturating_sub(u64::from(header.footer_len));
        let mut sealed = vault.store().read_at(&segment_name(&uid), offset, header.footer_len as usize)?;
        let plain = vault.open(&key, Part::Footer, 0, &mut sealed).map_err(|source| CasError::Sealed {
            file: file(),
            part: "footer",
            source,
        })?;
        let footer = SegmentFooter::decode(plain).map_err(|source| self.format("footer", source))?;
        footer.check(&header).map_err(|source| self.format("footer", source))?;
        Ok(OpenSegment { header, key, footer })
    }

    fn header(&self, vault: &Vault, offset: u64) -> Result<SegmentHeader, CasError> {
        let bytes = vault.store().read_at(&segment_name(&self.record.uid), offset, SegmentHeader::LEN)?;
        SegmentHeader::decode(&bytes).map_err(|source| self.format("header", source))
    }

    /// Reads and opens one page.
    pub(super) fn read_page(
        &self,
        vault: &Vault,
        open: &OpenSegment,
        page: u32,
    ) -> Result<Vec<u8>, CasError> {
        let rows = open.rows_of(page);
        let stored = rows * ROW_LEN + OVERHEAD;
        let offset =
            SegmentHeader::LEN as u64 + u64::from(page) * (ROWS_PER_PAGE * ROW_LEN + OVERHEAD) as u64;
        let mut sealed = vault.store().read_at(&segment_name(&self.record.uid), offset, stored)?;
        let plain = vault
            .open(&open.key, Part::Page, page.into(), &mut sealed)
            .map_err(|source| CasError::Sealed { file: self.file(), part: "page", source })?;
        PageView::check(plain).map_err(|source| self.format("page", source))?;
        Ok(plain.to_vec())
    }

    /// The places of an object that `bytes`, the plaintext of a page, names.
    pub(super) fn find_in(
        &self,
        open: &OpenSegment,
        bytes: &[u8],
        kind: ObjectKind,
        locator: &Locator,
    ) -> Result<Vec<Location>, CasError> {
        // `read_page` checked it.
        Ok(PageView::of_checked(bytes)
            .find(*locator, kind)
            .filter_map(|row| {
                let pack = *open.footer.packs.get(usize::from(row.pack))?;
                Some(Location { pack, block: row.block, slot: row.slot, is_delta: row.is_delta() })
            })
            .collect())
    }

    fn file(&self) -> String {
        segment_name(&self.record.uid).as_str().to_owned()
    }

    fn format(&self, part: &'static str, source: crate::format::DecodeError) -> CasError {
        CasError::Format { file: self.file(), part, source }
    }
}

impl OpenSegment {
    /// Numbers of the pages that may hold the locator, the likeliest first; none if the filter denies it.
    pub(super) fn candidates(&self, locator: &Locator) -> impl Iterator<Item = u32> + '_ {
        let fences = &self.footer.fences;
        let end = fences.partition_point(|fence| fence <= locator);
        let begin = fences.partition_point(|fence| fence < locator).saturating_sub(1);
        let range = if filter::may_contain(&self.footer.filter, locator) { begin..end } else { 0..0 };
        range.rev().map(|page| u32::try_from(page).expect("the header counts pages in 32 bits"))
    }

    fn rows_of(&self, page: u32) -> usize {
        let before = page as usize * ROWS_PER_PAGE;
        (self.header.rows as usize).saturating_sub(before).min(ROWS_PER_PAGE)
    }
}
