//! The plaintext of a segment's footer.
use super::{SegmentFooter, SegmentHeader};
use crate::format::DecodeError;
use crate::format::codec::{Reader, Writer, ensure_distinct, limit};
use crate::id::{Locator, PackId};
use crate::limits;

const WHAT: &str = "index segment footer";
const VERSION: u8 = 1;
/// Most pages of a segment.
const PAGES_MAX: usize = limits::SEGMENT_ROWS_MAX.div_ceil(super::ROWS_PER_PAGE);
/// Most bytes of a segment's filter: 32 bits a row are more than any filter needs.
const FILTER_LEN_MAX: usize = 4 * limits::SEGMENT_ROWS_MAX;

impl SegmentFooter {
    /// The bytes to seal.
    ///
    /// # Errors
    /// If it breaks a rule of its format: see [`Self::check`].
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        self.check_lists()?;
        let ids = self.packs.len() + self.fences.len();
        let mut writer = Writer::with_capacity(64 + 16 * ids + self.filter.len());
        writer.u8(VERSION);
        writer.count(self.packs.len());
        self.packs.iter().for_each(|pack| writer.bytes(pack.as_bytes()));
        writer.count(self.fences.len());
        self.fences.iter().for_each(|fence| writer.bytes(fence.as_bytes()));
        writer.prefixed(&self.filter);
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
        reader.finish()?;
        let footer = Self { packs, fences, filter };
        footer.check_lists()?;
        Ok(footer)
    }

    /// Checks it against its segment's header: a fence for every page.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check(&self, header: &SegmentHeader) -> Result<(), DecodeError> {
        self.check_lists()?;
        let rule = Reader::new(WHAT, &[]);
        rule.ensure(self.fences.len() == header.pages as usize, "it does not have one fence a page")?;
        limit("length of the filter", self.filter.len() as u64, 4 * u64::from(header.rows) + 4096)
    }

    fn check_lists(&self) -> Result<(), DecodeError> {
        limit("number of packs", self.packs.len() as u64, limits::SEGMENT_PACKS_MAX as u64)?;
        limit("number of pages", self.fences.len() as u64, PAGES_MAX as u64)?;
        limit("length of the filter", self.filter.len() as u64, FILTER_LEN_MAX as u64)?;
        ensure_distinct("list of packs of an index segment", self.packs.iter())?;
        let rule = Reader::new(WHAT, &[]);
        rule.ensure(self.fences.is_sorted(), "its fences are not sorted")
    }
}
