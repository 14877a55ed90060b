//! warp: versioned, deduplicated, compressed, encrypted backups.

pub mod cas;
pub mod chonkers;
pub mod chunk;
pub mod compress;
pub mod crypto;
pub mod erasure;
pub mod format;
pub mod id;
pub mod isa;
pub mod limits;
pub mod merkle;
#[cfg(any(test, feature = "testing"))]
pub mod mutants;
#[cfg(not(any(test, feature = "testing")))]
#[expect(unreachable_pub, reason = "public for tests only")]
mod mutants;
pub mod net;
pub mod observe;
pub mod ops;
pub mod repo;
pub mod store;
pub mod sync;
pub mod worktree;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
