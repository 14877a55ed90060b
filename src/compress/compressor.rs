//! Compressing, with detection of what does not compress.

use super::{Codec, CompressError, Level};
use std::io::Cursor;

/// Length of one sampled piece.
const SAMPLE_LEN: usize = 4 * 1024;
/// One piece is sampled from each stretch of this length: an eighth of a block. The first piece that shrinks ends the
/// search, so only blocks that do not compress pay for all of them.
const SAMPLE_STRIDE: usize = 32 * 1024;
/// zstd level of the samples.
const SAMPLE_LEVEL: i32 = 1;
/// From this level on every block is tried: who asks for it wants what repeats over a distance, which samples don't see.
const ALWAYS_TRY_LEVEL: i32 = 10;

/// Compresses blocks one after the other with the same tables. One for each thread.
pub struct Compressor {
    zstd: Option<Zstd>,
}

struct Zstd {
    level: i32,
    whole: zstd::bulk::Compressor<'static>,
    sample: zstd::bulk::Compressor<'static>,
    scratch: Vec<u8>,
}

impl Compressor {
    /// A compressor for this level.
    ///
    /// # Errors
    /// [`CompressError::Level`], [`CompressError::Context`].
    pub fn new(level: Level) -> Result<Self, CompressError> {
        let zstd = level.zstd()?.map(Zstd::new).transpose()?;
        Ok(Self { zstd })
    }

    /// Appends `src` to `out`, as a zstd frame or, where that would not save at least 1 %, as it is. Says which.
    ///
    /// # Errors
    /// [`CompressError::Compress`]; `out` is then as before.
    pub fn compress(&mut self, src: &[u8], out: &mut Vec<u8>) -> Result<Codec, CompressError> {
        if let Some(zstd) = &mut self.zstd
            && zstd.promises(src)?
            && zstd.append(src, out)?
        {
            return Ok(Codec::Zstd);
        }
        out.extend_from_slice(src);
        Ok(Codec::Stored)
    }
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressor").field("level", &self.zstd.as_ref().map(|zstd| zstd.level)).finish()
    }
}

impl Zstd {
    fn new(level: i32) -> Result<Self, CompressError> {
        let context =
            |level| zstd::bulk::Compressor::new(level).map_err(|source| CompressError::Context { source });
        Ok(Self {
            level,
            whole: context(level)?,
            sample: context(SAMPLE_LEVEL)?,
            scratch: Vec::with_capacity(zstd::compress_bound(SAMPLE_LEN)),
        })
    }

    /// Whether some part of `src` shrinks. Says yes without looking where looking is not worth it.
    fn promises(&mut self, src: &[u8]) -> Result<bool, CompressError> {
        if self.level >= ALWAYS_TRY_LEVEL || src.len() < 2 * SAMPLE_LEN {
            return Ok(true);
        }
        for stretch in src.chunks(SAMPLE_STRIDE) {
            let middle = stretch.len().saturating_sub(SAMPLE_LEN) / 2;
            let piece = &stretch[middle..stretch.len().min(middle + SAMPLE_LEN)];
            self.scratch.clear();
            let len = self
                .sample
                .compress_to_buffer(piece, &mut self.scratch)
                .map_err(|source| CompressError::Compress { len: piece.len(), source })?;
            if gains(len, piece.len()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Appends the frame if it is smaller than `src`; otherwise leaves `out` as it was.
    fn append(&mut self, src: &[u8], out: &mut Vec<u8>) -> Result<bool, CompressError> {
        let start = out.len();
        out.reserve(zstd::compress_bound(src.len()));
        let mut behind = Cursor::new(&mut *out);
        behind.set_position(start as u64);
        let result = self.whole.compress_to_buffer(src, &mut behind);
        let len = result.inspect_err(|_| out.truncate(start));
        let len = len.map_err(|source| CompressError::Compress { len: src.len(), source })?;
        let worth_it = gains(len, src.len());
        out.truncate(if worth_it { start + len } else { start });
        Ok(worth_it)
    }
}

/// Whether `compressed` saves at least 1 % of `plain`.
fn gains(compressed: usize, plain: usize) -> bool {
    compressed + plain / 100 < plain
}
