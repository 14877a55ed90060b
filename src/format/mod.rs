//! Formats: structs and their bytes, nothing else. Each has its specification beside its code.
//!
//! Nothing here compresses, encrypts or touches a store: a sealed part is a byte string to its format. Decoders check
//! geometry before arithmetic and allocation, refuse unknown versions and trailing bytes, and never panic.

pub mod bundle;
pub mod checkpoint;
pub mod codec;
pub mod commit;
pub mod config;
pub mod dirtree;
pub mod envelope;
#[cfg(any(test, feature = "testing"))]
pub mod fuzzing;
pub mod index;
pub mod log;
pub mod node;
pub mod pack;
pub mod peer_key;
pub mod receipt;
pub mod server_url;
pub mod shard;
pub mod state;
#[cfg(test)]
mod testkit;
pub mod wire;

/// Why bytes are not what they should be. Whoever decodes adds the name of the object or file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The magic number is missing.
    #[error("this is not a {what}: its magic number is missing")]
    Magic {
        /// What was expected.
        what: &'static str,
    },
    /// The version is newer than this build.
    #[error("{what} has format version {found}; this build reads 1 to {max}: use a newer warp")]
    Version {
        /// What was read.
        what: &'static str,
        /// Version in the bytes.
        found: u16,
        /// Newest version that this build reads.
        max: u16,
    },
    /// The bytes end too early.
    #[error("{what} ends early: {needed} more bytes are needed")]
    Truncated {
        /// What was read.
        what: &'static str,
        /// How many bytes are missing.
        needed: u64,
    },
    /// Bytes follow after the end.
    #[error("{what} is followed by {extra} bytes that do not belong to it")]
    Trailing {
        /// What was read.
        what: &'static str,
        /// How many bytes are too many.
        extra: u64,
    },
    /// A number is over its limit.
    #[error("{what} is {found}; at most {max} is allowed")]
    Limit {
        /// Which number.
        what: &'static str,
        /// Its value.
        found: u64,
        /// The limit.
        max: u64,
    },
    /// A checksum does not match.
    #[error("{what} is damaged: its checksum does not match")]
    Checksum {
        /// What was read.
        what: &'static str,
    },
    /// A field has a value that its format does not allow.
    #[error("{what} is invalid: {why}")]
    Invalid {
        /// What was read.
        what: &'static str,
        /// Which rule it breaks.
        why: &'static str,
    },
}
