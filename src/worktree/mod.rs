//! The file system on both sides: walking a source in order, reading its files and metadata, and bringing files back
//! below a target without ever leaving it.
//!
//! * [`Scanner`] walks a tree in parallel and tells of it in order; [`SourceFile`], [`read_xattrs`], [`read_link`] and
//!   [`OwnerNames`] read what one entry holds.
//! * [`Target`] creates, replaces, removes and describes files below one directory. Every path that it takes is a
//!   [`RelPath`], which a hostile repository may have named.
//!
//! Paths and names are bytes and are never escaped here.

mod ahead;
mod entry;
mod error;
mod ignore;
mod listing;
mod owner;
mod read;
mod relpath;
mod remove;
mod resolve;
mod restore;
mod scan;
mod sys;
mod target;
mod target_file;
#[cfg(test)]
mod tests;
mod xattr;

pub use entry::{FileType, ScannedEntry, Stat, Timestamp, Xattr};
pub use error::WorktreeError;
pub use ignore::PathPatterns;
pub use owner::{OwnerIds, OwnerNames};
pub use read::{Segment, Segments, SourceFile, read_link};
pub use relpath::RelPath;
pub use restore::{Degraded, Lost, MetaPolicy, RestoreMeta, XattrPolicy};
pub use scan::{ScanEvent, ScanOptions, Scanner, WARP_IGNORE_FILE};
pub use target::{DirMade, LinkSource, TEMPORARY_PREFIX, Target};
pub use target_file::{FileOptions, TargetFile};
pub use xattr::read_xattrs;

/// Status of what stands at `path`; of a symbolic link itself, not of what it points to.
///
/// # Errors
/// If nothing is there or the system will not say what it is.
pub fn stat_path(path: &std::path::Path) -> Result<Stat, WorktreeError> {
    sys::stat_path(path).map_err(error::io_error("stat", path))
}
