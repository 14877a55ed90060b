//! One shard, and data that come in pieces.

/// A shard with its number: data shards come first, from 0 on, then parity shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Its number among all shards of the code.
    pub index: usize,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A byte string in pieces that lie one behind the other, with zeros behind its end.
#[derive(Debug)]
pub(super) struct Pieces<'a> {
    pieces: &'a [&'a [u8]],
    /// Where each piece starts, and where the last one ends.
    starts: Vec<usize>,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(pieces: &'a [&'a [u8]]) -> Self {
        let mut starts = vec![0];
        let mut end = 0;
        for piece in pieces {
            end += piece.len();
            starts.push(end);
        }
        Self { pieces, starts }
    }

    /// Length of the byte string.
    pub(super) fn len(&self) -> usize {
        self.starts[self.pieces.len()]
    }

    /// `len` bytes from `start` on: where they lie, or copied to `scratch` if they lie in several pieces or end early.
    pub(super) fn get<'s>(&self, start: usize, len: usize, scratch: &'s mut Vec<u8>) -> &'s [u8]
    where
        'a: 's,
    {
        let mut number = self.starts.partition_point(|&piece| piece <= start).saturating_sub(1);
        if let Some(bytes) =
            self.pieces.get(number).and_then(|piece| piece[start - self.starts[number]..].get(..len))
        {
            return bytes;
        }
        scratch.clear();
        while scratch.len() < len && number < self.pieces.len() {
            let rest = &self.pieces[number][start + scratch.len() - self.starts[number]..];
            scratch.extend_from_slice(&rest[..rest.len().min(len - scratch.len())]);
            number += 1;
        }
        scratch.resize(len, 0);
        scratch
    }
}
