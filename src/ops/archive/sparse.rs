//! Files with holes, as GNU tar's sparse format 1.0 has them: a map of what is data, then the data.

use std::io::Write;
use std::ops::Range;

use crate::cas::ChunkStore;
use crate::chonkers::Leaf;
use crate::format::node::ContentRoot;
use crate::id::{ChunkId, ObjectKind};
use crate::observe::Observer;

use super::super::OpsError;
use super::super::cat::{leaves, write_leaf};
use super::header::{BLOCK, padding};
use super::output;

/// Shortest run of zeros that becomes a hole.
const HOLE_MIN: u64 = 4096;

/// What is data of a file with holes.
#[derive(Debug)]
pub(super) struct Map {
    /// The map's text, completed to whole blocks.
    text: Vec<u8>,
    data: u64,
    holes: Holes,
}

/// Tells which leaves are holes. Chunks that stand once are never opened for it: what they would save is small.
#[derive(Debug)]
struct Holes {
    /// Length of the file.
    end: u64,
    /// The chunk that was looked at last, and whether it is all zeros.
    last: Option<(ChunkId, bool)>,
}

impl Holes {
    /// The hole in a leaf. Readers want it to begin and end with a block, or with the file.
    fn of(&mut self, chunks: &ChunkStore, leaf: &Leaf) -> Result<Option<Range<u64>>, OpsError> {
        let (len, block) = (leaf.chunk.len * leaf.chunk.repeat, BLOCK as u64);
        let behind = leaf.offset + len;
        let last = if behind == self.end { behind } else { behind - behind % block };
        let hole = leaf.offset.div_ceil(block) * block..last;
        let is_long = leaf.chunk.repeat > 1 && hole.end.saturating_sub(hole.start) >= HOLE_MIN;
        Ok(if is_long && self.is_zero(chunks, &leaf.chunk.id)? { Some(hole) } else { None })
    }

    fn is_zero(&mut self, chunks: &ChunkStore, id: &ChunkId) -> Result<bool, OpsError> {
        if let Some((_, zero)) = self.last.filter(|(last, _)| last == id) {
            return Ok(zero);
        }
        let bytes = chunks.get(ObjectKind::Chunk, id).map_err(OpsError::cas("read content"))?;
        let zero = bytes.iter().all(|byte| *byte == 0);
        self.last = Some((*id, zero));
        Ok(zero)
    }
}

/// The map of a file; `None` if it has no hole that is worth one.
pub(super) fn map(chunks: &ChunkStore, content: &ContentRoot) -> Result<Option<Map>, OpsError> {
    let mut holes = Holes { end: content.total_len().unwrap_or(u64::MAX), last: None };
    let (mut segments, mut at) = (Vec::new(), 0);
    for leaf in leaves(chunks, content)? {
        if let Some(hole) = holes.of(chunks, &leaf?)? {
            segments.extend((at < hole.start).then_some((at, hole.start - at)));
            at = hole.end;
        }
    }
    if at == 0 {
        return Ok(None);
    }
    // The last segment tells where the file ends, even if it is empty.
    segments.push((at, holes.end - at));
    let mut text = format!("{}\n", segments.len()).into_bytes();
    for (offset, len) in &segments {
        text.extend_from_slice(format!("{offset}\n{len}\n").as_bytes());
    }
    text.extend_from_slice(padding(text.len() as u64));
    let data = segments.iter().map(|(_, len)| len).sum();
    Ok(Some(Map { text, data, holes }))
}

impl Map {
    /// Bytes of map and data.
    pub(super) fn stored(&self) -> u64 {
        self.text.len() as u64 + self.data
    }

    /// Writes map and data; returns how many bytes that were.
    pub(super) fn write(
        mut self,
        chunks: &ChunkStore,
        content: &ContentRoot,
        out: &mut dyn Write,
        observer: &dyn Observer,
    ) -> Result<u64, OpsError> {
        out.write_all(&self.text).map_err(output)?;
        for leaf in leaves(chunks, content)? {
            let leaf = leaf?;
            let Some(hole) = self.holes.of(chunks, &leaf)? else {
                write_leaf(chunks, &leaf.chunk, out, observer)?;
                continue;
            };
            let len = leaf.chunk.len * leaf.chunk.repeat;
            for zeros in [hole.start - leaf.offset, leaf.offset + len - hole.end] {
                let zeros = usize::try_from(zeros).expect("less than a block");
                out.write_all(&[0; BLOCK][..zeros]).map_err(output)?;
            }
            observer.advance(0, len);
        }
        Ok(self.stored())
    }
}
