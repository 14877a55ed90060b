//! Decompressing, with the length known beforehand.

use super::CompressError;
use crate::limits::BLOCK_LEN_MAX;
use std::io::Cursor;
use zstd::zstd_safe;

/// Decompresses blocks one after the other with the same tables. One for each thread.
pub struct Decompressor {
    zstd: zstd::bulk::Decompressor<'static>,
}

impl Decompressor {
    /// A decompressor for every level.
    ///
    /// # Errors
    /// [`CompressError::Context`].
    pub fn new() -> Result<Self, CompressError> {
        let zstd = zstd::bulk::Decompressor::new().map_err(|source| CompressError::Context { source })?;
        Ok(Self { zstd })
    }

    /// Appends the content of the one frame `src`, exactly `expected_len` bytes, to `out`.
    ///
    /// Takes no more memory than `expected_len`, whatever the frame says; on an error `out` is as before.
    ///
    /// # Errors
    /// [`CompressError::TooLong`]: `expected_len` is over [`BLOCK_LEN_MAX`]. [`CompressError::Length`],
    /// [`CompressError::Trailing`] and [`CompressError::Damaged`]: the frame is not what it should be.
    pub fn decompress(
        &mut self,
        src: &[u8],
        expected_len: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressError> {
        check_geometry(src, expected_len)?;
        let start = out.len();
        out.reserve(expected_len);
        let mut behind = Cursor::new(&mut *out);
        behind.set_position(start as u64);
        let result = self.zstd.decompress_to_buffer(src, &mut behind);
        if !matches!(result, Ok(len) if len == expected_len) {
            out.truncate(start);
        }
        match result {
            Ok(len) if len == expected_len => Ok(()),
            Ok(_) => Err(CompressError::Length { expected: expected_len }),
            Err(source) => Err(CompressError::Damaged { source }),
        }
    }
}

impl std::fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decompressor").finish_non_exhaustive()
    }
}

/// Checks what the headers tell, before any memory is taken.
pub(super) fn check_geometry(src: &[u8], expected_len: usize) -> Result<(), CompressError> {
    if expected_len > BLOCK_LEN_MAX {
        return Err(CompressError::TooLong { len: expected_len, max: BLOCK_LEN_MAX });
    }
    if !matches!(zstd_safe::get_frame_content_size(src), Ok(Some(len)) if len == expected_len as u64) {
        return Err(CompressError::Length { expected: expected_len });
    }
    match zstd_safe::find_frame_compressed_size(src) {
        Ok(frame) if frame == src.len() => Ok(()),
        Ok(frame) => Err(CompressError::Trailing { frame, len: src.len() }),
        Err(code) => {
            let source = std::io::Error::other(zstd_safe::get_error_name(code));
            Err(CompressError::Damaged { source })
        }
    }
}
