//! Envelopes: small blobs that heal themselves. `format/envelope.md` says what they look like.

use std::borrow::Cow;
use std::ops::Range;

use crate::erasure::{ErasureConfig, ErasureDecoder, ErasureEncoder, ErasureError};
use crate::format::DecodeError;
use crate::format::envelope::EnvelopeHeader;
use crate::format::pack::ShardMark;

use super::heal::both_ends;
use super::pack_writer::leaves;

/// What was in an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened<'a> {
    /// The content, as it was put in.
    pub content: Cow<'a, [u8]>,
    /// It could not be read as it lies there, and parity or a second copy brought it back. That something is wrong with
    /// other parts of the envelope only [`envelope_is_whole`] finds.
    pub was_damaged: bool,
}

/// Why an envelope cannot be opened. Whoever reads adds the name of the blob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Neither copy of its header can be read.
    #[error("neither copy of its header can be read")]
    NoHeader {
        /// What is wrong with the first.
        #[source]
        source: DecodeError,
    },
    /// More of its shards are damaged than parity can replace.
    #[error("{damaged} of its {shards} shards are damaged or missing, and at most {parity} can be healed")]
    TooMany {
        /// Damaged shards.
        damaged: usize,
        /// Shards of content and parity.
        shards: usize,
        /// How many damaged ones can be healed.
        parity: usize,
    },
    /// What comes out of healing is not what was put in.
    #[error("what its parity makes of it is not what was written")]
    OtherContent,
    /// The content is empty or too long.
    #[error("it cannot be stored")]
    Content {
        /// Which limit it breaks.
        #[source]
        source: DecodeError,
    },
    /// Its parity cannot be computed.
    #[error("its parity cannot be computed with")]
    Code {
        /// What is wrong.
        #[source]
        source: ErasureError,
    },
}

/// The envelope around `content`: always the same bytes.
///
/// # Errors
/// [`EnvelopeError::Content`] if it is empty or longer than an entry of the log may be.
pub fn seal_envelope(content: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let header = EnvelopeHeader::new(content).map_err(|source| EnvelopeError::Content { source })?;
    let failed = |source| EnvelopeError::Code { source };
    let config = ErasureConfig::new(header.content_shards(), header.parity_shards()).map_err(failed)?;
    let parity = ErasureEncoder::new(config).parity(&[content], header.shard_len() as usize);
    let mut shards = Vec::with_capacity(header.shards() * header.shard_len() as usize);
    shards.extend_from_slice(content);
    shards.resize(header.content_shards() * header.shard_len() as usize, 0);
    shards.extend_from_slice(&parity.map_err(failed)?);
    let (ends, table) = (header.encode(), ShardMark::table(&leaves(&[&shards], header.shard_len())));
    Ok([&ends[..], &table, &shards, &table, &ends].concat())
}

/// What is in an envelope, healed where it is damaged.
///
/// # Errors
/// When more is damaged than can be healed.
pub fn open_envelope(bytes: &[u8]) -> Result<Opened<'_>, EnvelopeError> {
    if let Some(content) = untouched(bytes) {
        return Ok(Opened { content: Cow::Borrowed(content), was_damaged: false });
    }
    let remains = Remains::find(bytes)?;
    let content = remains.heal()?;
    Ok(Opened { content: Cow::Owned(content), was_damaged: true })
}

/// Whether all bytes of an envelope are as they were written, also those that its content does not need.
pub fn envelope_is_whole(bytes: &[u8]) -> bool {
    untouched(bytes).is_some_and(|content| seal_envelope(content).is_ok_and(|whole| whole == bytes))
}

/// The content where it lies, if header and length are right and the content is what the header says.
fn untouched(bytes: &[u8]) -> Option<&[u8]> {
    let header = EnvelopeHeader::decode(bytes.get(..EnvelopeHeader::LEN)?).ok()?;
    let start = header.content_offset() as usize;
    let content = bytes.get(start..start + header.content_len as usize)?;
    let is_right = bytes.len() as u64 == header.total_len() && holds(&header, content);
    is_right.then_some(content)
}

fn holds(header: &EnvelopeHeader, content: &[u8]) -> bool {
    blake3::hash(content) == *header.content_hash.as_bytes()
}

/// What is left of an envelope.
struct Remains<'a> {
    bytes: &'a [u8],
    header: EnvelopeHeader,
}

impl<'a> Remains<'a> {
    fn find(bytes: &'a [u8]) -> Result<Self, EnvelopeError> {
        let len = EnvelopeHeader::LEN;
        let ends = [Some(0), bytes.len().checked_sub(len)];
        let mut fault = None;
        for start in ends.into_iter().flatten() {
            match EnvelopeHeader::decode(bytes.get(start..start + len).unwrap_or(bytes)) {
                Ok(header) => return Ok(Self { bytes, header }),
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        let source = match fault {
            Some(error) => error,
            None => EnvelopeHeader::decode(bytes).expect_err("it is shorter than a header"),
        };
        Err(EnvelopeError::NoHeader { source })
    }

    fn heal(&self) -> Result<Vec<u8>, EnvelopeError> {
        let header = &self.header;
        let (shards, parity) = (header.shards(), header.parity_shards());
        let good: Vec<Option<Range<usize>>> = (0..shards).map(|shard| self.good_place(shard)).collect();
        let damaged = good.iter().filter(|place| place.is_none()).count();
        if damaged > parity {
            return Err(EnvelopeError::TooMany { damaged, shards, parity });
        }
        let shard_len = header.shard_len() as usize;
        let mut all = vec![0; shards * shard_len];
        for (to, from) in all.chunks_exact_mut(shard_len).zip(&good) {
            from.iter().for_each(|range| to.copy_from_slice(&self.bytes[range.clone()]));
        }
        let present: Vec<bool> = good.iter().map(Option::is_some).collect();
        let config = ErasureConfig::new(header.content_shards(), parity);
        let restored =
            config.and_then(|config| ErasureDecoder::new(config).restore(&mut all, &present, shard_len));
        restored.map_err(|source| EnvelopeError::Code { source })?;
        all.truncate(header.content_len as usize);
        if holds(header, &all) { Ok(all) } else { Err(EnvelopeError::OtherContent) }
    }

    /// Where a copy of the shard lies that agrees with one of its marks.
    fn good_place(&self, shard: usize) -> Option<Range<usize>> {
        let shard_len = self.header.shard_len();
        self.places(self.header.shard_offset(shard), shard_len.into()).find(|range| {
            let leaf = leaves(&[&self.bytes[range.clone()]], shard_len);
            leaf.iter().any(|leaf| self.marks(shard).any(|mark| mark.agrees_with(leaf)))
        })
    }

    fn marks(&self, shard: usize) -> impl Iterator<Item = ShardMark> {
        let (header, len) = (&self.header, ShardMark::LEN as u64);
        let tables = [header.first_table_offset(), header.second_table_offset()];
        let places = tables.into_iter().flat_map(move |table| self.places(table + shard as u64 * len, len));
        places.filter_map(|range| ShardMark::in_table(&self.bytes[range], 0))
    }

    fn places(&self, offset: u64, len: u64) -> impl Iterator<Item = Range<usize>> {
        both_ends(offset, len, self.header.total_len(), self.bytes.len()).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn content(len: usize) -> Vec<u8> {
        (0..len as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
    }

    fn comes_back(damaged: &[u8], content: &[u8], what: &str) {
        let opened = open_envelope(damaged).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(*opened.content == *content, "{what}: other content");
        assert!(!envelope_is_whole(damaged), "{what}: damage is not found");
    }

    #[test]
    fn a_whole_one_opens_where_it_lies() {
        for len in [1, 64, 1000, 70_000] {
            let (content, sealed) = (content(len), seal_envelope(&content(len)).unwrap());
            let opened = open_envelope(&sealed).unwrap();
            assert!(matches!(opened.content, Cow::Borrowed(found) if found == content));
            assert!(!opened.was_damaged && envelope_is_whole(&sealed));
        }
        assert!(matches!(seal_envelope(&[]), Err(EnvelopeError::Content { .. })));
    }

    #[test]
    fn every_flipped_byte_is_found_and_healed() {
        let (content, sealed) = (content(700), seal_envelope(&content(700)).unwrap());
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 0x41;
            comes_back(&damaged, &content, &format!("byte {at}"));
        }
    }

    #[test]
    fn any_run_of_the_promised_length_may_be_overwritten_or_missing() {
        for len in [1, 300, 1000, 40_000] {
            let (content, sealed) = (content(len), seal_envelope(&content(len)).unwrap());
            let loss = EnvelopeHeader::new(&content).unwrap().loss_max() as usize;
            let step = if len > 10_000 { 331 } else { 1 };
            for at in (0..=sealed.len() - loss).step_by(step).chain([sealed.len() - loss]) {
                let mut damaged = sealed.clone();
                damaged[at..at + loss].iter_mut().for_each(|byte| *byte = !*byte);
                comes_back(&damaged, &content, &format!("{len}: overwritten at {at}"));
                damaged.drain(at..at + loss);
                comes_back(&damaged, &content, &format!("{len}: missing at {at}"));
            }
            let longer = [&sealed[..], &[0; 100]].concat();
            comes_back(&longer, &content, "100 bytes more at the end");
        }
    }

    #[test]
    fn more_than_parity_can_replace_is_refused() {
        let sealed = seal_envelope(&content(2000)).unwrap();
        let header = EnvelopeHeader::new(&content(2000)).unwrap();
        let mut damaged = sealed.clone();
        for shard in 0..=header.parity_shards() {
            damaged[header.shard_offset(shard) as usize] ^= 1;
        }
        let (damaged_shards, parity) = (header.parity_shards() + 1, header.parity_shards());
        let expected = EnvelopeError::TooMany { damaged: damaged_shards, shards: header.shards(), parity };
        assert_eq!(open_envelope(&damaged), Err(expected));
        assert!(matches!(open_envelope(&sealed[100..300]), Err(EnvelopeError::NoHeader { .. })));
        assert!(matches!(open_envelope(&[]), Err(EnvelopeError::NoHeader { .. })));
    }

    proptest! {
        #[test]
        fn whatever_is_left_gives_the_content_or_an_error(
            len in 1usize..3000,
            holes in prop::collection::vec((any::<prop::sample::Index>(), 1usize..400), 0..6),
        ) {
            let (content, mut damaged) = (content(len), seal_envelope(&content(len)).unwrap());
            for (at, hole) in holes {
                let at = at.index(damaged.len());
                let end = damaged.len().min(at + hole);
                damaged[at..end].fill(0xff);
            }
            if let Ok(opened) = open_envelope(&damaged) {
                prop_assert_eq!(&*opened.content, &content[..]);
            }
        }
    }
}
