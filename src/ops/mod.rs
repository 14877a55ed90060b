//! Operations: one verb a file. The only room that knows both the file system and the repository.

pub mod commit;
mod convert;
mod error;
mod previous;
pub mod restore;
mod selection;
mod source_walk;
mod tree;

pub use commit::{CommitOutcome, CommitRequest, ScanSettings, Source, commit};
pub use error::OpsError;
pub use restore::{
    ConfirmDelete, Overwrite, PlannedAction, PlannedChange, RestoreOutcome, RestoreRequest, restore,
};
pub use selection::{Selection, Selector, Wanted};
