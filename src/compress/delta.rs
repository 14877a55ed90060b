//! Deltas: a content as a zstd frame that may copy from a base, which the reader must have.

use std::io::Cursor;

use zstd::zstd_safe::{self, CCtx, CParameter, DCtx, ResetDirective};

use super::decompressor::check_geometry;
use super::{CompressError, Level};

/// Level of deltas unless a higher one is asked for: only what changed is encoded.
const LEVEL_MIN: i32 = 5;

/// Encodes contents against bases, one after the other with the same tables. One for each thread.
pub struct DeltaEncoder {
    context: CCtx<'static>,
}

impl std::fmt::Debug for DeltaEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeltaEncoder").finish_non_exhaustive()
    }
}

impl DeltaEncoder {
    /// An encoder that goes with blocks of this level.
    ///
    /// # Errors
    /// [`CompressError::Level`], [`CompressError::Context`].
    pub fn new(level: Level) -> Result<Self, CompressError> {
        let level = level.zstd()?.unwrap_or(LEVEL_MIN).max(LEVEL_MIN);
        let mut context = CCtx::try_create().ok_or_else(no_memory)?;
        let set = context.set_parameter(CParameter::CompressionLevel(level));
        set.map_err(|code| CompressError::Context { source: other(code) })?;
        Ok(Self { context })
    }

    /// Appends to `out` a frame from which [`decode_delta`] makes `src` again with the same `base`.
    ///
    /// # Errors
    /// [`CompressError::Compress`]; `out` is then as before.
    pub fn encode(&mut self, base: &[u8], src: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
        let start = out.len();
        out.reserve(zstd_safe::compress_bound(src.len()));
        let mut behind = Cursor::new(&mut *out);
        behind.set_position(start as u64);
        match self.compress(base, src, &mut behind) {
            Ok(len) => {
                out.truncate(start + len);
                Ok(())
            }
            Err(code) => {
                out.truncate(start);
                Err(CompressError::Compress { len: src.len(), source: other(code) })
            }
        }
    }

    fn compress(
        &mut self,
        base: &[u8],
        src: &[u8],
        out: &mut Cursor<&mut Vec<u8>>,
    ) -> Result<usize, zstd_safe::ErrorCode> {
        #[expect(unsafe_code, reason = "the context outlives the base, which it uses for one frame only")]
        // SAFETY: zstd refers to a prefix for the next frame only. That frame is ended or given up by the reset before `base`
        // is given back, and every frame of this context begins with a prefix of its own in the place of the last one.
        let base: &'static [u8] = unsafe { std::mem::transmute::<&[u8], &'static [u8]>(base) };
        self.context.ref_prefix(base)?;
        let made = self.context.compress2(out, src);
        self.context.reset(ResetDirective::SessionOnly)?;
        made
    }
}

/// The content of which `frame` is the delta against `base`: exactly `expected_len` bytes.
///
/// Takes no more memory than `expected_len`, whatever the frame says. Another base gives other bytes or an error: only the
/// content's own hash tells.
///
/// # Errors
/// As [`Decompressor::decompress`](super::Decompressor::decompress).
pub fn decode_delta(base: &[u8], frame: &[u8], expected_len: usize) -> Result<Vec<u8>, CompressError> {
    check_geometry(frame, expected_len)?;
    let mut context = DCtx::try_create().ok_or_else(no_memory)?;
    let mut content = Vec::with_capacity(expected_len);
    let mut decode = || {
        context.ref_prefix(base)?;
        context.decompress(&mut content, frame)
    };
    match decode() {
        Ok(len) if len == expected_len => Ok(content),
        Ok(_) => Err(CompressError::Length { expected: expected_len }),
        Err(code) => Err(CompressError::Damaged { source: other(code) }),
    }
}

fn other(code: zstd_safe::ErrorCode) -> std::io::Error {
    std::io::Error::other(zstd_safe::get_error_name(code))
}

fn no_memory() -> CompressError {
    CompressError::Context { source: std::io::Error::from(std::io::ErrorKind::OutOfMemory) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::BLOCK_LEN_MAX;

    /// Bytes that do not compress.
    fn noise(len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }

    fn encode(base: &[u8], src: &[u8]) -> Vec<u8> {
        let mut frame = b"before".to_vec();
        let mut encoder = DeltaEncoder::new(Level::Auto).unwrap();
        encoder.encode(base, src, &mut frame).unwrap();
        assert_eq!(&frame[..6], b"before");
        // An encoder that has worked before makes the same frame.
        let mut again = Vec::new();
        encoder.encode(src, base, &mut again).unwrap();
        again.clear();
        encoder.encode(base, src, &mut again).unwrap();
        assert_eq!(&frame[6..], again);
        again
    }

    proptest! {
        #[test]
        fn a_delta_and_its_base_give_the_content(
            base in prop::collection::vec(any::<u8>(), 0..3000),
            edits in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..40)), 0..6),
        ) {
            let mut src = base.clone();
            for (at, bytes) in edits {
                let at = at.index(src.len() + 1);
                src.splice(at..(at + bytes.len() / 2).min(src.len()), bytes);
            }
            let frame = encode(&base, &src);
            prop_assert_eq!(decode_delta(&base, &frame, src.len()).unwrap(), src);
        }

        #[test]
        fn any_bytes_are_a_content_or_an_error(
            base in prop::collection::vec(any::<u8>(), 0..300),
            src in prop::collection::vec(0..4_u8, 1..300),
            at in any::<prop::sample::Index>(),
            byte: u8,
        ) {
            let mut frame = encode(&base, &src);
            let at = at.index(frame.len());
            frame[at] ^= byte;
            if let Ok(content) = decode_delta(&base, &frame, src.len()) {
                prop_assert_eq!(content.len(), src.len());
            }
            prop_assert!(decode_delta(&base, &frame[..at], src.len()).is_err());
        }
    }

    #[test]
    fn a_small_edit_of_a_large_base_costs_few_bytes() {
        let base = noise(200_000);
        let mut src = base.clone();
        src.splice(70_000..70_010, *b"edited here");
        let frame = encode(&base, &src);
        assert!(frame.len() < 200, "{}", frame.len());
        assert_eq!(decode_delta(&base, &frame, src.len()).unwrap(), src);
    }

    #[test]
    fn a_base_that_looks_like_a_dictionary_is_taken_as_bytes() {
        let mut base = 0xec30_a437_u32.to_le_bytes().to_vec();
        base.extend(noise(20_000));
        // Not the same memory: what lies within its own base zstd does not look for there.
        let frame = encode(&base, &base.clone());
        assert!(frame.len() < 100, "{}", frame.len());
        assert_eq!(decode_delta(&base, &frame, base.len()).unwrap(), base);
    }

    #[test]
    fn a_frame_cannot_claim_another_length() {
        let frame = encode(b"base", b"some content");
        for len in [0, 11, 13, BLOCK_LEN_MAX] {
            assert!(matches!(decode_delta(b"base", &frame, len), Err(CompressError::Length { .. })), "{len}");
        }
        let long = decode_delta(b"base", &frame, BLOCK_LEN_MAX + 1);
        assert!(matches!(long, Err(CompressError::TooLong { .. })));
    }
}
