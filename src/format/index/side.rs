//! Tables beside the footer, which are read only when they are needed: bases of deltas, features of sketches.
use super::{IndexDelta, IndexFeature};
use crate::format::DecodeError;
use crate::format::codec::{Reader, Writer, limit};
use crate::format::pack::Bases;
use crate::id::Locator;
use crate::limits;

const DELTAS: &str = "table of deltas of an index segment";
const FEATURES: &str = "table of features of an index segment";
const VERSION: u8 = 1;
/// Most features of one row.
const FEATURES_PER_ROW: usize = 8;

/// The bytes to seal: `deltas` ascend by row.
///
/// # Errors
/// If their rows are not strictly ascending, or over the limit.
pub fn encode_deltas(deltas: &[IndexDelta]) -> Result<Vec<u8>, DecodeError> {
    let rule = Reader::new(DELTAS, &[]);
    rule.ensure(deltas.is_sorted_by(|a, b| a.row < b.row), "its rows are not sorted")?;
    check_row(deltas.last().map(|delta| delta.row))?;
    let mut writer = Writer::with_capacity(16 + 20 * deltas.len());
    writer.u8(VERSION);
    writer.count(deltas.len());
    let mut next = 0;
    for delta in deltas {
        writer.varint(u64::from(delta.row) - next);
        next = u64::from(delta.row) + 1;
    }
    deltas.iter().for_each(|delta| writer.u8(delta.bases.count()));
    deltas.iter().for_each(|delta| delta.bases.encode(&mut writer));
    Ok(writer.into_bytes())
}

/// Reads what [`encode_deltas`] wrote, of a segment with so many rows.
///
/// # Errors
/// If it is of a newer version, ends early, or speaks of a row that is not there.
pub fn decode_deltas(bytes: &[u8], rows: u32) -> Result<Vec<IndexDelta>, DecodeError> {
    let mut reader = Reader::new(DELTAS, bytes);
    reader.short_version(VERSION)?;
    let count = reader.count("number of deltas", rows as usize, 2 + Locator::LEN)?;
    let mut numbers = Vec::with_capacity(count);
    let mut next = 0_u64;
    for _ in 0..count {
        let row = next + u64::from(reader.varint_u32()?);
        reader.ensure(row < u64::from(rows), "it speaks of a row that is not there")?;
        numbers.push(row as u32);
        next = row + 1;
    }
    let counts = reader.take(count)?;
    let bases = counts.iter().map(|&count| Bases::decode(&mut reader, count));
    let bases = bases.collect::<Result<Vec<_>, _>>()?;
    reader.finish()?;
    Ok(numbers.into_iter().zip(bases).map(|(row, bases)| IndexDelta { row, bases }).collect())
}

/// The bytes to seal: `features` ascend.
///
/// # Errors
/// If they are not strictly ascending, or too many.
pub fn encode_features(features: &[IndexFeature]) -> Result<Vec<u8>, DecodeError> {
    let rule = Reader::new(FEATURES, &[]);
    rule.ensure(features.is_sorted_by(|a, b| a < b), "its features are not sorted")?;
    check_row(features.iter().map(|feature| feature.row).max())?;
    let mut writer = Writer::with_capacity(16 + 6 * features.len());
    writer.u8(VERSION);
    writer.count(features.len());
    let mut before = 0;
    for feature in features {
        writer.varint(u64::from(feature.feature) - before);
        before = feature.feature.into();
    }
    features.iter().for_each(|feature| writer.varint(feature.row.into()));
    Ok(writer.into_bytes())
}

/// Reads what [`encode_features`] wrote, of a segment with so many rows.
///
/// # Errors
/// If it is of a newer version, ends early, is not in order, or speaks of a row that is not there.
pub fn decode_features(bytes: &[u8], rows: u32) -> Result<Vec<IndexFeature>, DecodeError> {
    let mut reader = Reader::new(FEATURES, bytes);
    reader.short_version(VERSION)?;
    let most = FEATURES_PER_ROW.saturating_mul(rows as usize);
    let count = reader.count("number of features", most, 2)?;
    let mut features = Vec::with_capacity(count);
    let mut before = 0_u64;
    for _ in 0..count {
        before += u64::from(reader.varint_u32()?);
        let feature = u32::try_from(before).map_err(|_| reader.invalid("a feature is too large"))?;
        features.push(IndexFeature { feature, row: 0 });
    }
    for feature in &mut features {
        feature.row = reader.varint_u32()?;
    }
    reader.ensure(features.is_sorted_by(|a, b| a < b), "its features are not sorted")?;
    let last = features.iter().map(|feature| feature.row).max();
    reader.ensure(last.is_none_or(|row| row < rows), "it speaks of a row that is not there")?;
    reader.finish()?;
    Ok(features)
}

fn check_row(last: Option<u32>) -> Result<(), DecodeError> {
    limit("number of a row", last.unwrap_or(0).into(), limits::SEGMENT_ROWS_MAX as u64 - 1)
}
