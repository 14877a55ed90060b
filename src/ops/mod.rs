//! Operations: one verb a file. The only room that knows both the file system and the repository.

mod archive;
mod audit;
mod bring;
mod bundle;
mod carry;
mod cat;
mod check;
mod checkout;
pub mod commit;
mod convert;
mod descent;
mod diff;
mod dir_nodes;
mod error;
mod exchange;
mod filter_history;
mod find;
mod forget;
mod gc;
pub mod host;
mod log;
mod ls;
mod previous;
mod races;
mod recover;
mod reindex;
mod renew;
mod repack;
mod repair;
pub mod restore;
mod rewrite;
mod selection;
mod shared;
mod source_walk;
pub mod spread;
mod stats;
mod stored;
mod sweep;
#[cfg(test)]
mod testkit;
mod text_diff;
mod tree;
mod trials;
mod undelete;
mod undo;
mod verify_pack;
mod walk;
mod work;

pub use crate::cas::{PackFault, PackReport};
pub use archive::{ArchiveOutcome, archive};
pub use audit::{AuditFault, AuditReport, AuditRequest, PossessionReport, audit};
pub use bundle::{
    BundleFault, BundleHeads, BundleOutcome, BundleReport, BundleRequest, BundledPack, RefNews, RefOutcome,
    UnbundleOutcome, UnbundleRequest, bundle_config, bundle_heads, bundle_is_encrypted, create_bundle,
    is_bundle, unbundle, verify_bundle,
};
pub use carry::{
    Carried, FetchNews, FetchOutcome, FetchRequest, FetchTags, FetchedRef, Lease, PushNews, PushOutcome,
    PushRequest, PushedRef, RefSpec, RefUpdate, apply_leases, copy_all, fetch, push, short_name,
};
pub use cat::cat;
pub use check::{
    AffectedPath, CheckCounts, CheckReport, CheckRequest, DamagedShards, Endurance, Finding, FindingKind,
    ReadData, SealedRequest, StrayFile, check, check_sealed,
};
pub use checkout::{CheckoutRequest, checkout};
pub use commit::{CommitOutcome, CommitRequest, DeltaCounts, ScanSettings, Source, commit, parity_setting};
pub use diff::{ByteCounts, Change, ChangeKind, ChunkCosts, DiffOptions, DiffSummary, Side, diff};
pub use error::OpsError;
pub use filter_history::{
    DroppedCounts, DroppedPath, RewriteOutcome, RewriteRequest, RewrittenCommit, rewrite_history,
};
pub use find::{FindRequest, Found, find};
pub use forget::{ForgetGroup, ForgetOutcome, ForgetRequest, Judged, forget};
pub use gc::{GarbageCollector, GcConfig, GcEvent, GcStats, MaxUnused};
pub use log::{LogRequest, log};
pub use ls::{Listed, ls};
pub use recover::{IncompleteCommit, MovedRef, RecoverOutcome, RecoverRequest, recover};
pub use renew::{ParityLevel, RenewOutcome, RenewRequest, parity_levels, renew_parity, reseal};
pub use repack::{RepackOutcome, RepackRequest, repack};
pub use repair::{RepairOutcome, RepairRequest, repair};
pub use restore::{
    ConfirmDelete, Overwrite, PlannedAction, PlannedChange, RestoreOutcome, RestoreRequest, restore,
};
pub use selection::{Selection, Selector, Wanted};
pub use stats::{RepositoryStats, stats};
pub use text_diff::text_diff;
pub use undelete::{Forgotten, UndeleteOutcome, forgotten, undelete};
pub use undo::{UndoOutcome, undo};
pub use verify_pack::{VerifyRequest, verify_pack};
