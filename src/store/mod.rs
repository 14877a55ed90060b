//! Where a repository's bytes lie: opaque blobs under names, written once, never changed.
//!
//! [`StorageBackend`] is what the rooms above see. [`LocalStore`] keeps blobs as files through a [`Vfs`], the
//! only place that writes a repository's disk; [`MemoryStore`] keeps them in memory. A store holds no keys and
//! knows no formats.

mod backend;
#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod error;
mod local;
mod memory;
mod os_vfs;
mod throttled;
mod vfs;

pub(crate) use backend::part_of;
pub use backend::{BlobInfo, BlobName, BlobWriter, Put, ShardProof, StorageBackend, TakeBlob};
pub use error::{GroupError, StoreError};
pub use local::LocalStore;
pub use memory::MemoryStore;
pub use os_vfs::OsVfs;
pub use throttled::{Limits, Throttle, ThrottledStore};
pub use vfs::{FileInfo, ReadFile, TempFile, Vfs};
