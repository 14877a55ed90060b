//! Files with holes, as GNU tar's sparse format 1.0 has them: a map of what is data, then the data.

use std::io::Write;

use crate::cas::ChunkStore;
use crate::chonkers::Leaf;
use crate::format::node::ContentRoot;
use crate::id::{ChunkId, ObjectKind};
use crate::observe::Observer;

use super::super::OpsError;
use super::super::cat::{leaves, write_leaf};
use super::header::{BLOCK, padding};
use super::output;

/// What is data of a file with holes.
#[derive(Debug)]
pub(super) struct Map {
    /// The map's text, completed to whole blocks.
    text: Vec<u8>,
    data: u64,
    zeros: Zeros,
}

/// Tells which runs of chunks are zeros. Single chunks are never opened for it: what they would save is small.
#[derive(Debug, Default)]
struct Zeros {
    /// The chunk that was looked at last, and whether it is all zeros.
    last: Option<(ChunkId, bool)>,
}

impl Zeros {
    fn is_hole(&mut self, chunks: &ChunkStore, leaf: &Leaf) -> Result<bool, OpsError> {
        let id = leaf.chunk.id;
        if leaf.chunk.repeat < 2 {
            return Ok(false);
        }
        match self.last {
            Some((last, zeros)) if last == id => Ok(zeros),
            _ => {
                let bytes = chunks.get(ObjectKind::Chunk, &id).map_err(OpsError::cas("read content"))?;
                let zeros = bytes.iter().all(|byte| *byte == 0);
                self.last = Some((id, zeros));
                Ok(zeros)
            }
        }
    }
}

/// The map of a file; `None` if it has no hole that is worth one.
pub(super) fn map(chunks: &ChunkStore, content: &ContentRoot) -> Result<Option<Map>, OpsError> {
    let mut zeros = Zeros::default();
    let (mut segments, mut end): (Vec<(u64, u64)>, u64) = (Vec::new(), 0);
    for leaf in leaves(chunks, content)? {
        let leaf = leaf?;
        let len = leaf.chunk.len * leaf.chunk.repeat;
        if !zeros.is_hole(chunks, &leaf)? {
            match segments.last_mut() {
                Some((offset, known)) if *offset + *known == leaf.offset => *known += len,
                _ => segments.push((leaf.offset, len)),
            }
        }
        end = leaf.offset + len;
    }
    let data = segments.iter().map(|(_, len)| len).sum();
    if data == end {
        return Ok(None);
    }
    if segments.last().is_none_or(|(offset, len)| offset + len < end) {
        segments.push((end, 0));
    }
    let mut text = format!("{}\n", segments.len()).into_bytes();
    for (offset, len) in segments {
        text.extend_from_slice(format!("{offset}\n{len}\n").as_bytes());
    }
    text.extend_from_slice(padding(text.len() as u64));
    debug_assert_eq!(text.len() % BLOCK, 0);
    Ok(Some(Map { text, data, zeros }))
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
            if self.zeros.is_hole(chunks, &leaf)? {
                observer.advance(0, leaf.chunk.len * leaf.chunk.repeat);
            } else {
                write_leaf(chunks, &leaf.chunk, out, observer)?;
            }
        }
        Ok(self.stored())
    }
}
