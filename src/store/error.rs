//! What can go wrong in a store.

use std::fmt;
use std::io;

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The name could not be a blob's.
    #[error("{name:?} cannot name a blob: {reason}")]
    BadName {
        /// The name that was given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no blob of this name.
    #[error("{name} is not in {location}")]
    NotFound {
        /// The blob.
        name: String,
        /// The store.
        location: String,
    },
    /// The blob is longer than what can be meant.
    #[error("{name} in {location} is {len} bytes; at most {max} were expected")]
    TooLarge {
        /// The blob.
        name: String,
        /// The store.
        location: String,
        /// Its length in bytes.
        len: u64,
        /// The most that was asked for.
        max: u64,
    },
    /// The blob ends before the bytes that were asked for.
    #[error("{name} in {location} is {len} bytes; {wanted} from byte {offset} on were asked for")]
    Short {
        /// The blob.
        name: String,
        /// The store.
        location: String,
        /// Its length in bytes.
        len: u64,
        /// First byte asked for.
        offset: u64,
        /// How many bytes were asked for.
        wanted: u64,
    },
    /// No store is here.
    #[error("{location} is not a store: it has no folder `config`")]
    NotAStore {
        /// Where it was looked for.
        location: String,
    },
    /// A store is here already.
    #[error("{location} holds a store already")]
    AlreadyAStore {
        /// Where one was to be made.
        location: String,
    },
    /// The blob has its name, but the store could not make the name durable: it may or may not outlast a power cut.
    #[error("cannot tell whether {name} in {location} is durable")]
    Unsettled {
        /// The blob.
        name: String,
        /// The store.
        location: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Too many members of a group of stores failed, or lied.
    #[error("{error}")]
    Group {
        /// What they did.
        error: Box<GroupError>,
    },
    /// The system refused an operation.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file, folder or blob.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl StoreError {
    /// Whether the disk (or the user's share of it) is full: making room and trying again helps.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } | Self::Unsettled { source, .. } => is_full(source),
            _ => false,
        }
    }

    /// Whether the other end of a connection is gone: of what it has nothing is known.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::ConnectionAborted)
    }

    /// Whether the blob that was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

/// What was asked of a group of stores, and what its members did.
#[derive(Debug)]
pub struct GroupError {
    /// What was tried, as a verb.
    pub action: &'static str,
    /// The blob.
    pub name: String,
    /// The group.
    pub location: String,
    /// What was not enough.
    pub why: String,
    /// What each member did that failed or lied.
    pub faults: Vec<String>,
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, name, location, why, faults } = self;
        write!(f, "cannot {action} {name} in {location}: {why}")?;
        faults.iter().try_for_each(|fault| write!(f, "; {fault}"))
    }
}

impl From<GroupError> for StoreError {
    fn from(error: GroupError) -> Self {
        Self::Group { error: Box::new(error) }
    }
}

/// Whether the system ran out of room: ENOSPC, EDQUOT or EFBIG.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn a_full_disk_and_a_used_up_quota_are_full_and_nothing_else_is() {
        let of = |errno: Errno| StoreError::Io { action: "write", path: "x".into(), source: errno.into() };
        assert!(of(Errno::NOSPC).is_full() && of(Errno::DQUOT).is_full() && of(Errno::FBIG).is_full());
        assert!(!of(Errno::IO).is_full() && !of(Errno::NOENT).is_not_found());
    }
}
