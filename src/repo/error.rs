//! Why a repository did not do what it was asked.

use std::path::PathBuf;

use crate::cas::{CasError, EnvelopeError};
use crate::crypto::CryptoError;
use crate::format::DecodeError;
use crate::id::{CommitId, DeviceId, FamilyId};
use crate::store::StoreError;

use super::{ChunkerError, SlotInfo};

/// What kind of failure an error is: decides exit codes and hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No repository is there.
    NoRepository,
    /// One is there already.
    AlreadyExists,
    /// The password or key file opens no slot.
    WrongPassword,
    /// The repository is encrypted and nothing to open it was given.
    NoPassword,
    /// Made by a newer warp.
    NewerFormat,
    /// A revision, ref or path does not exist, or its short name is ambiguous.
    NotFound,
    /// It would lose something, or breaks a rule.
    Refused,
    /// Bytes in the repository are wrong or missing.
    Damaged,
    /// The store failed: permissions, a full disk, I/O.
    Store,
    /// The file system of the source or target failed.
    Files,
    /// The observer asked to stop.
    Cancelled,
    /// The repository is older than when this client last saw it.
    Rollback,
    /// An argument is wrong.
    Usage,
}

/// Why a repository did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepoError {
    /// No repository is there.
    #[error("{location} is not a warp repository")]
    NoRepository {
        /// Where it was looked for.
        location: String,
    },
    /// One is there already.
    #[error("{location} is a warp repository already")]
    AlreadyExists {
        /// Where.
        location: String,
    },
    /// No slot opens.
    #[error("wrong password for the repository {location}")]
    WrongPassword {
        /// Where.
        location: String,
    },
    /// Nothing to open it was given.
    #[error("the repository {location} is encrypted, and no password was given")]
    NoPassword {
        /// Where.
        location: String,
    },
    /// Something was given to open a repository that is not encrypted.
    #[error("key slots need encryption, and the repository {location} was made without it")]
    NotEncrypted {
        /// Where.
        location: String,
    },
    /// The store failed.
    #[error("the store {location} failed")]
    Store {
        /// Where.
        location: String,
        /// What happened.
        #[source]
        source: StoreError,
    },
    /// A file of the repository cannot be read.
    #[error("{file} cannot be read")]
    Format {
        /// Name in the store.
        file: String,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
    /// A file that should heal itself is damaged beyond that.
    #[error("{file} is damaged beyond what its parity can heal")]
    Envelope {
        /// Name in the store.
        file: String,
        /// What is wrong.
        #[source]
        source: EnvelopeError,
    },
    /// A checkpoint of the log cannot be used.
    #[error("{file}: {why}")]
    Checkpoint {
        /// Name in the store.
        file: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A file is damaged, and all that it holds is there.
    #[error("{file} is damaged, and its parity heals it: `warp check --repair` writes it anew")]
    Healable {
        /// Name in the store.
        file: String,
    },
    /// A key could not be made, or something sealed or signed does not open or verify.
    #[error("{what}")]
    Crypto {
        /// What failed.
        what: String,
        /// How.
        #[source]
        source: CryptoError,
    },
    /// A recovery sheet has a typing error, or lacks something.
    #[error("{source}")]
    Sheet {
        /// Which, and where.
        #[source]
        source: CryptoError,
    },
    /// A recovery sheet belongs to another repository.
    #[error("the recovery sheet is that of another repository, not of {location}")]
    OtherSheet {
        /// Where it was tried.
        location: String,
    },
    /// A recovery sheet lacks data keys that the repository has.
    #[error(
        "the recovery sheet is older than the last rotation of the keys of {location}: it lacks the data key that seals what is written since"
    )]
    OldSheet {
        /// Where it was tried.
        location: String,
    },
    /// The keys are others since this handle was opened.
    #[error("the keys of {location} were rotated while this ran; nothing is lost, run it again")]
    Rotated {
        /// Where.
        location: String,
    },
    /// The log was written with keys that the configuration does not have.
    #[error(
        "the configuration of {location} is older than its log: it lacks the data key of the last entries"
    )]
    OldConfig {
        /// Where.
        location: String,
    },
    /// Other keys would open the repository no more.
    #[error("{}", others(keys))]
    OtherKeys {
        /// The keys.
        keys: Vec<SlotInfo>,
    },
    /// A bundle was made by a device that may not write.
    #[error("device {} signed the bundle, and may not write", device.short())]
    BundleRole {
        /// The device.
        device: DeviceId,
    },
    /// Content-addressed storage failed.
    #[error("cannot {action}")]
    Cas {
        /// What was tried.
        action: &'static str,
        /// What happened.
        #[source]
        source: CasError,
    },
    /// This version does not have the chunker that the repository was made with.
    #[error("files cannot be cut for the repository {location}, which a newer warp made")]
    Chunker {
        /// Where.
        location: String,
        /// What is unknown.
        #[source]
        source: ChunkerError,
    },
    /// The log breaks one of its rules.
    #[error("log entry {number}: {why}")]
    Log {
        /// Number of the entry.
        number: u64,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// Both the configuration and its copy are gone or damaged.
    #[error("the configuration of {location} is missing or damaged, and so is its copy")]
    ConfigLost {
        /// Where.
        location: String,
    },
    /// The two copies of the configuration say different things.
    #[error("{file} is not equal to the other copy of the configuration")]
    CopiesDiffer {
        /// Name of the second copy in the store.
        file: String,
    },
    /// The repository is older than it was.
    #[error("the repository {location} was put back: this client has seen log entry {seen}, {now}")]
    Rollback {
        /// Where.
        location: String,
        /// The last entry that was seen.
        seen: u64,
        /// What stands there now.
        now: String,
    },
    /// The log is one that this client has made another one instead of.
    #[error("the repository {location} was put back: it has the log again that this client rebuilt")]
    Replaced {
        /// Where.
        location: String,
    },
    /// There is no such revision.
    #[error("there is no revision {spec:?}: {why}")]
    NoRevision {
        /// What was asked for.
        spec: String,
        /// Why it is not found.
        why: String,
    },
    /// Several commits fit.
    #[error("{spec:?} is ambiguous: {} commits begin with it", candidates.len())]
    Ambiguous {
        /// What was asked for.
        spec: String,
        /// The commits.
        candidates: Vec<CommitId>,
    },
    /// A ref's name is not allowed.
    #[error("{name:?} cannot name a branch or tag: {why}")]
    RefName {
        /// The name.
        name: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// A remote's name is not allowed.
    #[error(
        "{name:?} cannot name a remote: it takes what the name of a branch may have, 48 bytes at most, and no slash"
    )]
    RemoteName {
        /// The name.
        name: String,
    },
    /// A remote exists already.
    #[error("there is a remote {name} already")]
    RemoteExists {
        /// Its name.
        name: String,
    },
    /// A remote does not exist.
    #[error("there is no remote {name}")]
    NoRemote {
        /// Its name.
        name: String,
    },
    /// In the place of a remote there is another repository than before.
    #[error(
        "{location} is another repository than {name} was before, though it has the same keys; if that is as it should be, say \
         `warp remote set-url {name} {location}`"
    )]
    OtherInstance {
        /// Name of the remote.
        name: String,
        /// Where it lies.
        location: String,
    },
    /// A repository does not share the keys of the one at hand.
    #[error(
        "{location} is of family {found}, and {here} is of family {expected}: they do not share their keys"
    )]
    OtherFamily {
        /// Where it lies.
        location: String,
        /// Its family.
        found: FamilyId,
        /// The repository at hand.
        here: String,
        /// Its family.
        expected: FamilyId,
    },
    /// A ref exists already.
    #[error("{name} exists already")]
    RefExists {
        /// Its full name.
        name: String,
    },
    /// A ref does not exist.
    #[error("there is no {name}")]
    NoRef {
        /// Its full name.
        name: String,
    },
    /// Deleting a branch would leave commits that no other ref reaches.
    #[error("branch {name} holds commits that no other branch or tag reaches")]
    Unmerged {
        /// The branch.
        name: String,
    },
    /// A ref moved in the meantime.
    #[error("{name} was moved by another writer")]
    RefMoved {
        /// Its full name.
        name: String,
    },
    /// Another writer took away what this one relies on.
    #[error("another process is removing a pack that this relies on; run it again")]
    Condemned,
    /// A commit that this one builds on was forgotten.
    #[error("commit {commit}, which this builds on, was forgotten by another process; run it again")]
    BaseForgotten {
        /// The commit.
        commit: CommitId,
    },
    /// A commit would be forgotten though a ref stands on it.
    #[error("commit {commit} cannot be forgotten, since {name} stands on it")]
    StillNamed {
        /// Full name of the ref.
        name: String,
        /// The commit.
        commit: CommitId,
    },
    /// An entry of the log would add, condemn or remove a file that it must not.
    #[error("the log cannot take an entry about {file}: {why}")]
    Storage {
        /// Name in the store.
        file: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// Another writer changed what this one was working on.
    #[error(
        "another process removes or uses packs that this was working on; nothing was changed, run it again"
    )]
    Overtaken,
    /// A key slot does not exist.
    #[error("there is no key {id}")]
    NoSlot {
        /// Its number.
        id: u32,
    },
    /// The last slot, or the last place for one.
    #[error("{why}")]
    Slots {
        /// Which rule it breaks.
        why: &'static str,
    },
    /// Another process changed the configuration at the same time, again and again.
    #[error("the configuration is being changed by another process; try again")]
    Busy,
    /// A local file (HEAD, the device's key, the last seen heads) failed.
    #[error("cannot use {path}")]
    Local {
        /// Which.
        path: PathBuf,
        /// What happened.
        #[source]
        source: StoreError,
    },
    /// A local file holds nonsense.
    #[error("{path} is damaged: {why}")]
    LocalDamaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A setting is unknown or has a value that it cannot have.
    #[error("{name}: {why}")]
    Setting {
        /// Its name.
        name: String,
        /// What is wrong.
        why: String,
    },
}

/// What a client finds in the place of the last entry that it has seen, where there is none.
pub(super) const GONE: &str = "which is gone";

impl RepoError {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoRepository { .. } => ErrorKind::NoRepository,
            Self::AlreadyExists { .. } => ErrorKind::AlreadyExists,
            Self::WrongPassword { .. } | Self::OtherSheet { .. } => ErrorKind::WrongPassword,
            Self::NoPassword { .. } => ErrorKind::NoPassword,
            Self::Format { source: DecodeError::Version { .. }, .. }
            | Self::Envelope {
                source: EnvelopeError::NoHeader { source: DecodeError::Version { .. } },
                ..
            }
            | Self::Chunker { .. } => ErrorKind::NewerFormat,
            Self::Format { .. }
            | Self::Envelope { .. }
            | Self::Healable { .. }
            | Self::Checkpoint { .. }
            | Self::Log { .. }
            | Self::ConfigLost { .. }
            | Self::CopiesDiffer { .. }
            | Self::OldConfig { .. }
            | Self::Crypto { .. } => ErrorKind::Damaged,
            Self::Cas { source, .. } => cas_kind(source),
            Self::Store { .. } | Self::Local { .. } | Self::LocalDamaged { .. } => ErrorKind::Store,
            Self::Rollback { .. } | Self::Replaced { .. } | Self::OtherInstance { .. } => ErrorKind::Rollback,
            Self::NoRevision { .. }
            | Self::Ambiguous { .. }
            | Self::NoRef { .. }
            | Self::NoRemote { .. }
            | Self::NoSlot { .. } => ErrorKind::NotFound,
            Self::RefName { .. } | Self::RemoteName { .. } | Self::Setting { .. } => ErrorKind::Usage,
            Self::RefExists { .. }
            | Self::RemoteExists { .. }
            | Self::OtherFamily { .. }
            | Self::Unmerged { .. }
            | Self::RefMoved { .. }
            | Self::Condemned
            | Self::BaseForgotten { .. }
            | Self::StillNamed { .. }
            | Self::Overtaken
            | Self::Storage { .. }
            | Self::BundleRole { .. }
            | Self::NotEncrypted { .. }
            | Self::Slots { .. }
            | Self::Sheet { .. }
            | Self::OldSheet { .. }
            | Self::Rotated { .. }
            | Self::OtherKeys { .. }
            | Self::Busy => ErrorKind::Refused,
        }
    }

    /// Whether it says that entries of the log are missing or damaged: [`recover`](crate::ops::recover) makes a log anew.
    pub fn is_of_log(&self) -> bool {
        let is_entry = |file: &str| file.starts_with("log/");
        match self {
            Self::Log { .. } => true,
            Self::Format { source: DecodeError::Version { .. }, .. } => false,
            Self::Envelope {
                source: EnvelopeError::NoHeader { source: DecodeError::Version { .. } },
                ..
            } => false,
            Self::Format { file, .. } | Self::Envelope { file, .. } => is_entry(file),
            Self::Crypto { what, .. } => what.starts_with("log entry ") || what.contains(" of log/"),
            Self::Store { source: StoreError::TooLarge { name, .. }, .. } => is_entry(name),
            Self::Rollback { now, .. } => now == GONE,
            _ => false,
        }
    }

    pub(super) fn crypto(what: impl Into<String>) -> impl FnOnce(CryptoError) -> Self {
        move |source| Self::Crypto { what: what.into(), source }
    }
}

/// That these keys are in the way of a rotation.
fn others(keys: &[SlotInfo]) -> String {
    let named: Vec<String> = keys.iter().map(|key| format!("{} ({})", key.id, key.label)).collect();
    let (these, which) = match &*named {
        [_] => ("key", "its password or key file is not known"),
        _ => ("keys", "their passwords or key files are not known"),
    };
    format!("{these} {} cannot be made anew, since {which}", named.join(", "))
}

/// What kind of failure content-addressed storage had.
pub(crate) fn cas_kind(error: &CasError) -> ErrorKind {
    match error {
        CasError::Format { source: DecodeError::Version { .. }, .. } => ErrorKind::NewerFormat,
        CasError::Rotated => ErrorKind::Refused,
        error if error.is_damage() => ErrorKind::Damaged,
        _ => ErrorKind::Store,
    }
}
