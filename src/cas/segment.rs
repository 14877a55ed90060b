//! Index segments: written sorted, read a page at a time.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use crate::chunk::sketch::Sketch;
use crate::crypto::{self, OVERHEAD};
use crate::format::index::{
    IndexDelta, IndexFeature, IndexRow, PageView, ROWS_PER_PAGE, SegmentFooter, SegmentHeader, decode_deltas,
    decode_features, encode_deltas, encode_features, encode_page,
};
use crate::format::log::SegmentRecord;
use crate::format::pack::Bases;
use crate::id::{Locator, ObjectKind, PackId, Root, SegmentId};
use crate::limits::SEGMENT_PACKS_MAX;
use crate::store::Put;

use super::filter;
use super::near::SegmentPart;
use super::pack_writer::FinishedPack;
use super::vault::{FileKey, NONCE_LEN, Part, Vault, segment_name};
use super::{Base, CasError, Location};

/// Bytes of a row in a page.
const ROW_LEN: usize = 24;
/// Bytes that a full page takes in the file.
const PAGE_STORED_LEN: usize = ROWS_PER_PAGE * ROW_LEN + OVERHEAD;
/// Pages that are read together where all are: the store may be far away.
const PAGES_AT_ONCE: u32 = 64;

/// Collects rows and writes them as one segment.
#[derive(Debug, Default)]
pub struct SegmentWriter {
    pub(super) packs: Vec<PackId>,
    pub(super) rows: Vec<IndexRow>,
    pub(super) bases: Vec<(IndexRow, Bases)>,
    pub(super) sketches: Vec<(IndexRow, Sketch)>,
    /// Features of rows that come from other segments.
    pub(super) features: Vec<(IndexRow, u32)>,
}

/// A complete segment, ready to be written.
#[derive(Debug)]
pub struct FinishedSegment {
    /// What the log says of it.
    pub record: SegmentRecord,
    parts: Vec<Vec<u8>>,
}

impl SegmentWriter {
    /// Adds all rows of one pack.
    pub fn add(&mut self, pack: &FinishedPack) {
        let number = u16::try_from(self.packs.len()).expect("asked is_full before");
        self.packs.push(pack.uid);
        let first = self.rows.len();
        self.rows.extend(pack.rows.iter().map(|row| IndexRow { pack: number, ..*row }));
        let rows = &self.rows[first..];
        let deltas = rows.iter().filter(|row| row.depth() > 0).copied();
        self.bases.extend(deltas.zip(pack.bases.iter().copied()));
        self.sketches.extend(pack.sketches.iter().map(|(row, sketch)| (rows[*row as usize], *sketch)));
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
        let pages: Vec<&[IndexRow]> = self.rows.chunks(ROWS_PER_PAGE).collect();
        let footer = SegmentFooter {
            packs: self.packs,
            fences: pages.iter().map(|page| page[0].locator).collect(),
            filter: filter::build(self.rows.iter().map(|row| row.locator)),
        };
        let encoding = |what| move |source| CasError::Encode { what, source };
        let footer = footer.encode().map_err(encoding("footer"))?;
        let sealed = |part, plain: &[u8]| seal(vault, &key, Part::Footer, part as u64, plain);
        let footer = sealed(SegmentPart::Footer, &footer);
        let deltas = numbered(&self.rows, self.bases, |row, bases| [IndexDelta { row, bases }]);
        let deltas = side(deltas, encode_deltas).map_err(encoding("table of deltas"))?;
        let deltas = deltas.map_or_else(Vec::new, |plain| sealed(SegmentPart::Deltas, &plain));
        let feature = |row, sketch: Sketch| sketch.map(|feature| IndexFeature { feature, row });
        let mut features = numbered(&self.rows, self.sketches, feature);
        let one = |row, feature| [IndexFeature { feature, row }];
        features.extend(numbered(&self.rows, self.features, one));
        features.sort_unstable();
        features.dedup();
        let features = side(features, encode_features).map_err(encoding("table of features"))?;
        let features = features.map_or_else(Vec::new, |plain| sealed(SegmentPart::Features, &plain));
        let len = |part: &Vec<u8>| u32::try_from(part.len()).expect("far below 4 GiB");
        let header = SegmentHeader {
            cipher: vault.cipher(),
            family: vault.family(),
            uid,
            epoch: key.epoch,
            key: wrapped,
            rows: u32::try_from(self.rows.len()).expect("at most SEGMENT_ROWS_MAX rows"),
            pages: u32::try_from(pages.len()).expect("fewer than rows"),
            footer_len: len(&footer),
            deltas_len: len(&deltas),
            features_len: len(&features),
        };
        let head = header.encode().to_vec();
        let mut parts = vec![head.clone()];
        parts.extend(
            (0u64..)
                .zip(&pages)
                .map(|(number, page)| seal(vault, &key, Part::Page, number, &encode_page(page))),
        );
        parts.extend([footer, deltas, features, head]);
        Ok(FinishedSegment { record: record(uid, &parts, header.rows), parts })
    }
}

impl FinishedSegment {
    /// Writes the segment; when this returns it is durable.
    ///
    /// # Errors
    /// When the store fails.
    pub fn write(&self, vault: &Vault) -> Result<(), CasError> {
        let name = segment_name(&self.record.uid);
        let parts: Vec<&[u8]> = self.parts.iter().map(Vec::as_slice).collect();
        match vault.store().put_new(&name, &parts)? {
            Put::Created => self.keep_near(vault),
            Put::Exists => return Err(CasError::NameTaken { file: name.as_str().to_owned() }),
        }
        Ok(())
    }

    fn keep_near(&self, vault: &Vault) {
        let [_, pages @ .., footer, deltas, features, header] = &self.parts[..] else { return };
        let Some(near) = vault.near() else { return };
        let keep = |part, bytes: &[u8]| {
            if !bytes.is_empty() {
                near.keep(&self.record.uid, part, bytes);
            }
        };
        keep(SegmentPart::Footer, footer);
        keep(SegmentPart::Deltas, deltas);
        keep(SegmentPart::Features, features);
        keep(SegmentPart::Header, header);
        if is_small(self.record.rows) {
            keep(SegmentPart::Pages, &pages.concat());
        }
    }
}

/// Entries of a table beside the footer, made of what belongs to rows and the rows' numbers, ascending by these.
fn numbered<T, U, const N: usize>(
    rows: &[IndexRow],
    mut items: Vec<(IndexRow, T)>,
    make: impl Fn(u32, T) -> [U; N],
) -> Vec<U> {
    items.sort_unstable_by_key(|(row, _)| *row);
    let number = |row: &IndexRow| rows.binary_search(row).expect("the row was added with it");
    let number = |row: &IndexRow| u32::try_from(number(row)).expect("at most SEGMENT_ROWS_MAX rows");
    items.into_iter().flat_map(|(row, item)| make(number(&row), item)).collect()
}

/// The plaintext of a table beside the footer; `None`: it has no entries.
fn side<T, E>(entries: Vec<T>, encode: impl Fn(&[T]) -> Result<Vec<u8>, E>) -> Result<Option<Vec<u8>>, E> {
    if entries.is_empty() { Ok(None) } else { encode(&entries).map(Some) }
}

fn record(uid: SegmentId, parts: &[Vec<u8>], rows: u32) -> SegmentRecord {
    let mut hasher = blake3::Hasher::new();
    parts.iter().for_each(|part| {
        hasher.update(part);
    });
    let len = parts.iter().map(|part| part.len() as u64).sum();
    SegmentRecord { uid, len, hash: Root::new(*hasher.finalize().as_bytes()), rows }
}

/// Whether a segment has no filter: then every look into it reads pages, and it has few.
fn is_small(rows: u32) -> bool {
    (rows as usize) < filter::ROWS_MIN
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
        let fresh = Arc::new(self.retried(vault, || self.load(vault))?);
        *opened = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// Reads once more where what was read is not what was stored, and the store has another copy.
    fn retried<T>(&self, vault: &Vault, read: impl Fn() -> Result<T, CasError>) -> Result<T, CasError> {
        loop {
            match read() {
                Err(error) if error.is_damage() && vault.store().doubt(&segment_name(&self.record.uid)) => {}
                done => return done,
            }
        }
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
        let mut open = OpenSegment { header, key, footer: SegmentFooter::default() };
        let (offset, len) = open.footer_place(self.record.len);
        let plain = self.read_footer(vault, &open, SegmentPart::Footer, offset, len)?;
        let footer = SegmentFooter::decode(&plain).map_err(|source| self.format("footer", source))?;
        footer.check(&open.header).map_err(|source| self.format("footer", source))?;
        open.footer = footer;
        Ok(open)
    }

    /// Reads and opens the footer or a table behind it.
    fn read_footer(
        &self,
        vault: &Vault,
        open: &OpenSegment,
        part: SegmentPart,
        offset: u64,
        len: u32,
    ) -> Result<Vec<u8>, CasError> {
        self.read_part(vault, part, (offset, len as usize), |sealed| {
            let mut sealed = sealed.to_vec();
            let plain = vault.open(&open.key, Part::Footer, part as u64, &mut sealed);
            let failed = |source| CasError::Sealed { file: self.file(), part: part.name(), source };
            plain.map(|plain| plain.to_vec()).map_err(failed)
        })
    }

    /// Reads a part from near, or from the store where that is not what was stored, and opens it.
    fn read_part<T>(
        &self,
        vault: &Vault,
        part: SegmentPart,
        (offset, len): (u64, usize),
        open: impl Fn(&[u8]) -> Result<T, CasError>,
    ) -> Result<T, CasError> {
        let uid = &self.record.uid;
        let near = vault.near();
        if let Some(opened) = near.and_then(|near| open(&near.get(uid, part, len)?).ok()) {
            return Ok(opened);
        }
        let bytes = vault.store().read_at(&segment_name(uid), offset, len)?;
        let opened = open(&bytes)?;
        if let Some(near) = near {
            near.keep(uid, part, &bytes);
        }
        Ok(opened)
    }

    /// The features of sketches that the segment knows; reads them each time.
    pub(super) fn read_features(&self, vault: &Vault) -> Result<Vec<IndexFeature>, CasError> {
        const PART: SegmentPart = SegmentPart::Features;
        let open = self.open(vault)?;
        let (offset, len) = open.features_place(self.record.len);
        if len == 0 {
            return Ok(Vec::new());
        }
        let plain = self.retried(vault, || self.read_footer(vault, &open, PART, offset, len))?;
        decode_features(&plain, open.header.rows).map_err(|source| self.format(PART.name(), source))
    }

    /// Bases of the rows that are deltas, ascending by row; reads them each time.
    pub(super) fn read_deltas(&self, vault: &Vault) -> Result<Vec<IndexDelta>, CasError> {
        const PART: SegmentPart = SegmentPart::Deltas;
        let open = self.open(vault)?;
        let (offset, len) = open.deltas_place(self.record.len);
        if len == 0 {
            return Ok(Vec::new());
        }
        let plain = self.retried(vault, || self.read_footer(vault, &open, PART, offset, len))?;
        decode_deltas(&plain, open.header.rows).map_err(|source| self.format(PART.name(), source))
    }

    /// All rows, in their order.
    pub(super) fn read_rows(&self, vault: &Vault) -> Result<Vec<IndexRow>, CasError> {
        let mut rows = Vec::with_capacity(self.record.rows as usize);
        self.for_each_row(vault, &mut |row, _| rows.push(*row))?;
        Ok(rows)
    }

    /// Goes through all rows in their order, and where they say that their objects lie.
    pub(super) fn for_each_row(
        &self,
        vault: &Vault,
        see: &mut dyn FnMut(&IndexRow, Option<Location>),
    ) -> Result<(), CasError> {
        let open = self.open(vault)?;
        for first in (0..open.header.pages).step_by(PAGES_AT_ONCE as usize) {
            let pages = first..open.header.pages.min(first + PAGES_AT_ONCE);
            for page in self.retried(vault, || self.read_pages(vault, &open, pages.clone()))? {
                let view = PageView::of_checked(&page);
                for row in (0..view.len()).filter_map(|number| view.row(number)) {
                    see(&row, open.location(&row));
                }
            }
        }
        Ok(())
    }

    fn header(&self, vault: &Vault, offset: u64) -> Result<SegmentHeader, CasError> {
        const PART: SegmentPart = SegmentPart::Header;
        self.read_part(vault, PART, (offset, SegmentHeader::LEN), |bytes| {
            SegmentHeader::decode(bytes).map_err(|source| self.format(PART.name(), source))
        })
    }

    /// Reads and opens one page.
    pub(super) fn read_page(
        &self,
        vault: &Vault,
        open: &OpenSegment,
        page: u32,
    ) -> Result<Vec<u8>, CasError> {
        let mut pages = self.retried(vault, || self.read_pages(vault, open, page..page + 1))?;
        Ok(pages.swap_remove(0))
    }

    /// Reads and opens pages that lie one behind the other.
    fn read_pages(
        &self,
        vault: &Vault,
        open: &OpenSegment,
        pages: Range<u32>,
    ) -> Result<Vec<Vec<u8>>, CasError> {
        let mut sealed = self.read_sealed(vault, open, pages.clone())?;
        let pages = pages.zip(sealed.chunks_mut(PAGE_STORED_LEN));
        pages.map(|(page, sealed)| Ok(self.unseal_page(vault, open, page, sealed)?.to_vec())).collect()
    }

    /// Reads the sealed bytes of pages, one after the other.
    fn read_sealed(&self, vault: &Vault, open: &OpenSegment, pages: Range<u32>) -> Result<Vec<u8>, CasError> {
        let len = |pages: Range<u32>| pages.map(|page| open.rows_of(page) * ROW_LEN + OVERHEAD).sum();
        let (before, stored): (usize, usize) = (len(0..pages.start), len(pages));
        let first = SegmentHeader::LEN as u64;
        if vault.near().is_none() || !is_small(open.header.rows) {
            let name = segment_name(&self.record.uid);
            return Ok(vault.store().read_at(&name, first + before as u64, stored)?);
        }
        let all = (first, len(0..open.header.pages));
        let all = self.read_part(vault, SegmentPart::Pages, all, |sealed| {
            let mut opened = sealed.to_vec();
            for (page, sealed) in (0..).zip(opened.chunks_mut(PAGE_STORED_LEN)) {
                self.unseal_page(vault, open, page, sealed)?;
            }
            Ok(sealed.to_vec())
        })?;
        Ok(all[before..before + stored].to_vec())
    }

    fn unseal_page<'b>(
        &self,
        vault: &Vault,
        open: &OpenSegment,
        page: u32,
        sealed: &'b mut [u8],
    ) -> Result<&'b [u8], CasError> {
        let plain = vault
            .open(&open.key, Part::Page, page.into(), sealed)
            .map_err(|source| CasError::Sealed { file: self.file(), part: "page", source })?;
        PageView::check(plain).map_err(|source| self.format("page", source))?;
        Ok(plain)
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
        Ok(PageView::of_checked(bytes).find(*locator, kind).filter_map(|row| open.location(&row)).collect())
    }

    /// The object of row `number` of `bytes`, the plaintext of a page.
    pub(super) fn row_in(&self, open: &OpenSegment, bytes: &[u8], number: usize) -> Option<Base> {
        let row = PageView::of_checked(bytes).row(number)?;
        Some(Base { locator: row.locator, location: open.location(&row)? })
    }

    fn file(&self) -> String {
        segment_name(&self.record.uid).as_str().to_owned()
    }

    pub(super) fn format(&self, part: &'static str, source: crate::format::DecodeError) -> CasError {
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

    /// Where the footer lies in a segment of `len` bytes, and its length.
    fn footer_place(&self, len: u64) -> (u64, u32) {
        let behind = u64::from(self.header.deltas_len) + u64::from(self.header.features_len);
        let end = len.saturating_sub(SegmentHeader::LEN as u64).saturating_sub(behind);
        (end.saturating_sub(self.header.footer_len.into()), self.header.footer_len)
    }

    /// Where the table of deltas lies, and its length.
    fn deltas_place(&self, len: u64) -> (u64, u32) {
        let (features, _) = self.features_place(len);
        (features.saturating_sub(self.header.deltas_len.into()), self.header.deltas_len)
    }

    /// How many pages there are.
    pub(super) fn pages(&self) -> u32 {
        self.header.pages
    }

    /// Whether a lookup of the locator comes to see `page`.
    pub(super) fn finds(&self, locator: &Locator, page: u32) -> bool {
        self.candidates(locator).any(|candidate| candidate == page)
    }

    /// Where the table of features lies, and its length.
    fn features_place(&self, len: u64) -> (u64, u32) {
        let end = len.saturating_sub(SegmentHeader::LEN as u64);
        (end.saturating_sub(self.header.features_len.into()), self.header.features_len)
    }

    /// The packs that the segment speaks of.
    pub(super) fn packs(&self) -> &[PackId] {
        &self.footer.packs
    }

    fn location(&self, row: &IndexRow) -> Option<Location> {
        let pack = *self.footer.packs.get(usize::from(row.pack))?;
        Some(Location { pack, block: row.block, slot: row.slot, depth: row.depth() })
    }

    /// Number of the page that holds a row, and of the row in it.
    pub(super) fn page_of(&self, row: u32) -> (u32, usize) {
        (row / ROWS_PER_PAGE as u32, row as usize % ROWS_PER_PAGE)
    }

    fn rows_of(&self, page: u32) -> usize {
        let before = page as usize * ROWS_PER_PAGE;
        (self.header.rows as usize).saturating_sub(before).min(ROWS_PER_PAGE)
    }
}
