//! The bytes of a stream that may still be needed, by their place in the stream.

use std::borrow::Cow;
use std::ops::Range;

use super::item::{Content, Difference, Item};

/// Pieces of a stream, ascending, without overlap.
#[derive(Default)]
pub(super) struct Buffer<'a> {
    bytes: Cow<'a, [u8]>,
    pieces: Vec<Piece>,
}

/// From place `pos` of the stream on, the bytes stand at index `at` of the buffer, up to the next piece.
#[derive(Clone, Copy, Debug)]
struct Piece {
    pos: u64,
    at: usize,
}

impl<'a> Buffer<'a> {
    /// A whole stream in one piece, which is not copied.
    pub(super) fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes: Cow::Borrowed(bytes), pieces: vec![Piece { pos: 0, at: 0 }] }
    }

    /// Bytes held.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The place behind the last byte.
    pub(super) fn end(&self) -> u64 {
        self.pieces.last().map_or(0, |piece| piece.pos + (self.bytes.len() - piece.at) as u64)
    }

    /// Adds the stream's next bytes.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        if self.pieces.is_empty() {
            self.pieces.push(Piece { pos: 0, at: 0 });
        }
        self.bytes.to_mut().extend_from_slice(bytes);
    }

    /// The `len` bytes from `pos` on, which are held in one piece.
    pub(super) fn get(&self, pos: u64, len: u64) -> &[u8] {
        let at = self.index(pos);
        &self.bytes[at..at + len as usize]
    }

    /// Everything from `pos` on, which is held in one piece.
    pub(super) fn tail(&self, pos: u64) -> &[u8] {
        &self.bytes[self.index(pos)..]
    }

    fn index(&self, pos: u64) -> usize {
        let following = self.pieces.partition_point(|piece| piece.pos <= pos);
        let piece = self.pieces[following - 1];
        piece.at + (pos - piece.pos) as usize
    }

    /// Moves everything from `pos` on by `distance` places back in the stream; the gap is never asked for.
    pub(super) fn insert_gap(&mut self, pos: u64, distance: u64) {
        let at = self.index(pos);
        self.pieces.push(Piece { pos: pos + distance, at });
    }

    /// Keeps only these ranges of the stream, which may touch or overlap.
    pub(super) fn retain(&mut self, mut ranges: Vec<Range<u64>>) {
        ranges.sort_unstable_by_key(|range| range.start);
        let mut pieces: Vec<Piece> = Vec::new();
        let (mut kept, mut end) = (0, 0);
        for range in ranges {
            let start = range.start.max(end);
            if start >= range.end {
                continue;
            }
            if pieces.is_empty() || start > end {
                pieces.push(Piece { pos: start, at: kept });
            }
            let (at, len) = (self.index(start), (range.end - start) as usize);
            self.bytes.to_mut().copy_within(at..at + len, kept);
            kept += len;
            end = range.end;
        }
        self.bytes.to_mut().truncate(kept);
        self.pieces = pieces;
    }
}

impl Content for Buffer<'_> {
    fn difference(&self, a: &Item, b: &Item) -> Option<Difference> {
        let (left, right) = (self.get(a.pos, a.unit), self.get(b.pos, b.unit));
        if left == right {
            return None;
        }
        // Two periodic strings that agree for as long as both periods together agree for ever (Fine and Wilf).
        let len = a.weight().min(a.unit + b.unit);
        let pairs = left.iter().cycle().zip(right.iter().cycle()).zip(0..len);
        pairs.map(|((&x, &y), i)| (x, y, i)).find(|(x, y, _)| x != y).and_then(|(x, y, i)| {
            Difference::of(u64::from(x), u64::from(y)).map(|difference| difference.after(8 * i))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retained_ranges_are_found_again_at_their_places() {
        let mut buffer = Buffer::default();
        buffer.append(b"0123456789abcdef");
        buffer.retain(vec![1..3, 3..4, 8..10, 7..7, 2..4, 13..16]);
        buffer.append(b"ghi");
        assert_eq!(buffer.get(1, 3), b"123");
        assert_eq!(buffer.get(8, 2), b"89");
        assert_eq!(buffer.tail(13), b"defghi");
        assert_eq!((buffer.len(), buffer.end()), (11, 19));
    }

    #[test]
    fn a_gap_moves_what_is_behind_it() {
        let mut buffer = Buffer::default();
        buffer.append(b"abcd");
        buffer.insert_gap(2, 1 << 40);
        assert_eq!(buffer.get(1, 1), b"b");
        assert_eq!(buffer.tail(2 + (1 << 40)), b"cd");
        assert_eq!(buffer.end(), 4 + (1 << 40));
    }
}
