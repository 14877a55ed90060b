//! Carrying a repository's blobs between two ends: who they are, what they ask each other, and how what is cut off goes on.
//!
//! Nothing here opens a socket or looks at a clock. A [`Transport`] takes requests to the end that holds a repository, where a [`Session`]
//! answers them: QUIC in [`net`](crate::net), a simulated network in tests.

mod engine;
mod transport;
mod upload;
mod verify;

pub use crate::format::peer_key::{ParseKeyError, PeerKey};
pub use crate::format::wire::{Blob, FailCode, Failure, Frame, FrameTrailer, Reply, Request, Rights, Shards};
pub use engine::{TransferConfig, TransferCounts, TransferEngine, TransferError, Uploaded};
pub use transport::{Handler, Peer, Pending, Session, Transport, TransportError};
pub use upload::Upload;
pub use verify::{ParseModeError, VerificationMode};

use crate::format::pack::PackHeader;
use crate::id::Root;

/// The Merkle root over its payload that a pack names in its header; `None`: these are not the first bytes of a pack.
pub fn payload_root(pack: &[u8]) -> Option<Root> {
    PackHeader::decode(pack.get(..PackHeader::LEN)?).ok().map(|header| header.payload_root)
}
