//! Operations: one verb a file. The only room that knows both the file system and the repository.

pub mod commit;
mod convert;
mod error;
mod tree;

pub use commit::{CommitOutcome, CommitRequest, ScanSettings, Source, commit};
pub use error::OpsError;
