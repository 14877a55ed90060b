//! Pages of rows.
use super::{IndexRow, ROWS_PER_PAGE};
use crate::format::DecodeError;
use crate::format::codec::Reader;
use crate::id::{Locator, ObjectKind};
use crate::limits;

const WHAT: &str = "index page";

impl IndexRow {
    /// Length of a row in bytes.
    pub const LEN: usize = 24;

    fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..16].copy_from_slice(self.locator.as_bytes());
        bytes[16..18].copy_from_slice(&self.pack.to_le_bytes());
        bytes[18..20].copy_from_slice(&self.block.to_le_bytes());
        bytes[20..22].copy_from_slice(&self.slot.to_le_bytes());
        bytes[22] = self.kind as u8;
        bytes[23] = self.flags;
        bytes
    }

    fn decode(bytes: &[u8; Self::LEN]) -> Result<Self, DecodeError> {
        let number = |place: usize| u16::from_le_bytes([bytes[place], bytes[place + 1]]);
        let rule = Reader::new(WHAT, &[]);
        let flags = bytes[23];
        rule.ensure(flags <= limits::DELTA_DEPTH_MAX, "a row has unknown flags")?;
        let kind = ObjectKind::from_u8(bytes[22]).ok_or_else(|| rule.invalid("a row's kind is unknown"))?;
        Ok(Self {
            locator: locator(bytes),
            kind,
            pack: number(16),
            block: number(18),
            slot: number(20),
            flags,
        })
    }
}

/// The plaintext of a page: its rows at 24 bytes each.
///
/// # Panics
/// If there are more than [`ROWS_PER_PAGE`] rows, or they are not strictly ascending: nobody could read the page.
pub fn encode_page(rows: &[IndexRow]) -> Vec<u8> {
    assert!(rows.len() <= ROWS_PER_PAGE, "{} rows do not fit a page", rows.len());
    assert!(rows.is_sorted_by(|a, b| a < b), "rows of a page are not sorted");
    rows.iter().flat_map(IndexRow::encode).collect()
}

/// All rows of a page.
///
/// # Errors
/// If it is empty or too long, or its rows are invalid or not strictly ascending.
pub fn decode_page(bytes: &[u8]) -> Result<Vec<IndexRow>, DecodeError> {
    let reader = Reader::new(WHAT, bytes);
    let (rows, []) = bytes.as_chunks() else {
        return Err(reader.invalid("its length is not a multiple of a row's"));
    };
    reader.ensure((1..=ROWS_PER_PAGE).contains(&rows.len()), "it has no rows, or too many")?;
    let rows = rows.iter().map(IndexRow::decode).collect::<Result<Vec<_>, _>>()?;
    reader.ensure(rows.is_sorted_by(|a, b| a < b), "its rows are not sorted")?;
    Ok(rows)
}

/// A page in place: finds rows without decoding the others.
#[derive(Debug, Clone, Copy)]
pub struct PageView<'a> {
    rows: &'a [[u8; IndexRow::LEN]],
}

impl<'a> PageView<'a> {
    /// Checks a whole page, as [`decode_page`] does.
    ///
    /// # Errors
    /// If it is empty or too long, or its rows are invalid or not strictly ascending.
    pub fn check(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        decode_page(bytes)?;
        Ok(Self::of_checked(bytes))
    }

    /// A page that passed [`Self::check`] before, for instance one from a cache. In other bytes, rows may not be
    /// found; those that are have the locator and the kind that was asked for.
    pub fn of_checked(bytes: &'a [u8]) -> Self {
        Self { rows: bytes.as_chunks().0 }
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Locator of the first row.
    pub fn first(&self) -> Option<Locator> {
        self.rows.first().map(locator)
    }

    /// The row with this number in the page.
    pub fn row(&self, number: usize) -> Option<IndexRow> {
        self.rows.get(number).and_then(|row| IndexRow::decode(row).ok())
    }

    /// All rows with this locator and kind, in order, by binary search.
    pub fn find(&self, wanted: Locator, kind: ObjectKind) -> impl Iterator<Item = IndexRow> + use<'a> {
        self.find_numbered(wanted, kind).map(|(_, row)| row)
    }

    /// All rows with this locator and kind, in order, by binary search, with their numbers in the page.
    pub fn find_numbered(
        &self,
        wanted: Locator,
        kind: ObjectKind,
    ) -> impl Iterator<Item = (usize, IndexRow)> + use<'a> {
        let key = (wanted, kind as u8);
        let rows = self.rows;
        let start = rows.partition_point(|row| (locator(row), row[22]) < key);
        (start..rows.len())
            .take_while(move |number| (locator(&rows[*number]), rows[*number][22]) == key)
            .filter_map(move |number| Some((number, IndexRow::decode(&rows[number]).ok()?)))
    }
}

fn locator(row: &[u8; IndexRow::LEN]) -> Locator {
    Locator::new(*row.first_chunk().expect("a row is longer than a locator"))
}
