//! Repositories: configuration and keys, the log that decides what exists, refs and history.

mod bundle;
mod challenges;
mod checkpoint;
mod chunker;
mod client;
mod config;
mod error;
mod head;
mod imports;
mod journal;
mod keys;
mod live_state;
mod log;
mod near;
mod public;
mod rebuild;
mod recover;
mod refs;
mod remotes;
mod repository;
mod resolve;
mod retention;
mod rotate;
mod sibling;
mod state;
#[cfg(test)]
mod testkit;
mod timeline;
mod verified;
mod when;
mod workdir;

pub(crate) use bundle::{BundleDraft, open_bundle_with, verify_bundle};
pub(crate) use challenges::Challenge;
pub use chunker::{Chunker, ChunkerConfig, ChunkerError, ChunkerKind, ChunkerStream};
pub use client::Client;
pub(crate) use error::cas_kind;
pub use error::{ErrorKind, RepoError};
pub use head::{LogHead, SeenBefore};
pub(crate) use imports::Imports;
pub use keys::{Credentials, SlotInfo};
pub use log::Draft;
pub use public::PublicLog;
pub use rebuild::Rebuild;
pub(crate) use rebuild::Survivors;
pub use recover::{Recovery, RecoverySheet};
pub use refs::check_ref_name;
pub use remotes::{RemoteUrl, RemoteUrlError, check_remote_name};
pub(crate) use repository::read_version;
pub use repository::{CreateOptions, Probe, Repository};
pub use resolve::ResolveContext;
pub use retention::{
    Age, GroupBy, GroupKey, KeepReason, Period, Quota, RetentionFacts, RetentionGroup, RetentionPolicy,
    Verdict, group_commits,
};
pub use rotate::Rotation;
pub use state::{Condemned, LogState, RefLogEntry, RefMove};
pub use timeline::{VersionInfo, VersionTimeline};
pub(crate) use verified::Verified;
pub use workdir::{Head, WorkDir};
