//! The plaintext of a segment's footer.
use super::{IndexDelta, IndexSketch, SegmentFooter, SegmentHeader};
use crate::format::DecodeError;
use crate::format::codec::{Reader, Writer, ensure_distinct, limit};
use crate::id::{ChunkId, Locator, PackId};
use crate::limits;

const WHAT: &str = "index segment footer";
const VERSION: u8 = 1;
/// Most pages of a segment.
const PAGES_MAX: usize = limits::SEGMENT_ROWS_MAX.div_ceil(super::ROWS_PER_PAGE);
/// Most bytes of a segment's filter: 32 bits a row are more than any filter needs.
const FILTER_LEN_MAX: usize = 4 * limits::SEGMENT_ROWS_MAX;
const SKETCH_LEN: usize = 16;

impl SegmentFooter {
    /// The bytes to seal.
    ///
    /// # Errors
    /// If it breaks a rule of its format: see [`Self::check`].
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        self.check_lists()?;
        let ids = self.packs.len() + self.fences.len();
        let mut writer = Writer::with_capacity(64 + 16 * ids + self.filter.len() + 40 * self.deltas.len());
        writer.u8(VERSION);
        writer.count(self.packs.len());
        self.packs.iter().for_each(|pack| writer.bytes(pack.as_bytes()));
        writer.count(self.fences.len());
        self.fences.iter().for_each(|fence| writer.bytes(fence.as_bytes()));
        writer.prefixed(&self.filter);
        encode_rows(&mut writer, self.deltas.iter().map(|delta| delta.row));
        self.deltas.iter().for_each(|delta| writer.bytes(delta.base.as_bytes()));
        encode_rows(&mut writer, self.sketches.iter().map(|sketch| sketch.row));
        self.sketches.iter().flat_map(|sketch| sketch.features).for_each(|feature| writer.u32(feature));
        Ok(writer.into_bytes())
    }

    /// Reads what [`Self::encode`] wrote. Whoever has the header compares the two with [`Self::check`].
    ///
    /// # Errors
    /// If it is of a newer version, ends early, or its lists are too long or not in order.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(WHAT, bytes);
        reader.short_version(VERSION)?;
        let packs = reader.count("number of packs", limits::SEGMENT_PACKS_MAX, PackId::LEN)?;
        let packs = (0..packs).map(|_| reader.array().map(PackId::new)).collect::<Result<_, _>>()?;
        let fences = reader.count("number of pages", PAGES_MAX, Locator::LEN)?;
        let fences = (0..fences).map(|_| reader.array().map(Locator::new)).collect::<Result<_, _>>()?;
        let filter = reader.prefixed("length of the filter", FILTER_LEN_MAX)?.to_vec();
        let deltas = decode_rows(&mut reader, ChunkId::LEN)?;
        let deltas =
            deltas.into_iter().map(|row| decode_delta(&mut reader, row)).collect::<Result<_, _>>()?;
        let sketches = decode_rows(&mut reader, SKETCH_LEN)?;
        let sketches =
            sketches.into_iter().map(|row| decode_sketch(&mut reader, row)).collect::<Result<_, _>>()?;
        reader.finish()?;
        let footer = Self { packs, fences, filter, deltas, sketches };
        footer.check_lists()?;
        Ok(footer)
    }

    /// Checks it against its segment's header: a fence for every page, side tables of rows that are there.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check(&self, header: &SegmentHeader) -> Result<(), DecodeError> {
        self.check_lists()?;
        let rule = Reader::new(WHAT, &[]);
        rule.ensure(self.fences.len() == header.pages as usize, "it does not have one fence a page")?;
        let last =
            self.deltas.last().map(|delta| delta.row).max(self.sketches.last().map(|sketch| sketch.row));
        rule.ensure(last.is_none_or(|row| row < header.rows), "it speaks of a row that is not there")?;
        limit("length of the filter", self.filter.len() as u64, 4 * u64::from(header.rows) + 4096)
    }

    fn check_lists(&self) -> Result<(), DecodeError> {
        limit("number of packs", self.packs.len() as u64, limits::SEGMENT_PACKS_MAX as u64)?;
        limit("number of pages", self.fences.len() as u64, PAGES_MAX as u64)?;
        limit("length of the filter", self.filter.len() as u64, FILTER_LEN_MAX as u64)?;
        ensure_distinct("list of packs of an index segment", self.packs.iter())?;
        let rule = Reader::new(WHAT, &[]);
        rule.ensure(self.fences.is_sorted(), "its fences are not sorted")?;
        rule.ensure(self.deltas.is_sorted_by(|a, b| a.row < b.row), "its deltas are not sorted")?;
        rule.ensure(self.sketches.is_sorted_by(|a, b| a.row < b.row), "its sketches are not sorted")?;
        let last =
            self.deltas.last().map(|delta| delta.row).max(self.sketches.last().map(|sketch| sketch.row));
        limit("number of a row", last.unwrap_or(0).into(), limits::SEGMENT_ROWS_MAX as u64 - 1)
    }
}

/// Writes strictly ascending numbers as the gaps between them.
fn encode_rows(writer: &mut Writer, rows: impl ExactSizeIterator<Item = u32>) {
    writer.count(rows.len());
    let mut next = 0;
    for row in rows {
        writer.varint(u64::from(row) - next);
        next = u64::from(row) + 1;
    }
}

fn decode_rows(reader: &mut Reader<'_>, item_len: usize) -> Result<Vec<u32>, DecodeError> {
    let count = reader.count("number of rows of a side table", limits::SEGMENT_ROWS_MAX, 1 + item_len)?;
    let mut rows = Vec::with_capacity(count);
    let mut next = 0_u64;
    for _ in 0..count {
        let row = next + u64::from(reader.varint_u32()?);
        limit("number of a row", row, limits::SEGMENT_ROWS_MAX as u64 - 1)?;
        rows.push(row as u32);
        next = row + 1;
    }
    Ok(rows)
}

fn decode_delta(reader: &mut Reader<'_>, row: u32) -> Result<IndexDelta, DecodeError> {
    Ok(IndexDelta { row, base: ChunkId::new(reader.array()?) })
}

fn decode_sketch(reader: &mut Reader<'_>, row: u32) -> Result<IndexSketch, DecodeError> {
    Ok(IndexSketch { row, features: [reader.u32()?, reader.u32()?, reader.u32()?, reader.u32()?] })
}
