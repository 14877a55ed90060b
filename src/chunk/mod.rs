//! Chunks: how a file's bytes are divided for storage, whichever chunker divided them; the chunker SeqCDC; and sketches that tell which chunks are alike.

pub mod seqcdc;
pub mod sketch;

/// A stretch of content: `len` bytes at `offset`, standing there `repeat` times in a row.
///
/// Chunks of one content follow each other without a gap: the next one starts at [`Chunk::end`].
///
/// ```
/// use warp::chunk::Chunk;
///
/// let run = Chunk { offset: 4096, len: 1000, repeat: 3 };
/// assert_eq!((run.total_len(), run.end()), (3000, 7096));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chunk {
    /// Where the first copy starts, in bytes from the start of the content.
    pub offset: u64,
    /// Bytes of one copy, at least 1.
    pub len: u32,
    /// How often the bytes stand in a row, at least 1.
    pub repeat: u64,
}

impl Chunk {
    /// Bytes of all copies together.
    pub fn total_len(&self) -> u64 {
        u64::from(self.len) * self.repeat
    }

    /// The offset behind the last copy.
    pub fn end(&self) -> u64 {
        self.offset + self.total_len()
    }
}

/// A chunk and the bytes of one copy of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkData<'a> {
    /// Where the chunk stands, and how often.
    pub chunk: Chunk,
    /// The bytes of one copy: `chunk.len` of them.
    pub bytes: &'a [u8],
}

/// Receives chunks in the order of the content.
pub type Sink<'a> = dyn FnMut(ChunkData<'_>) + 'a;
