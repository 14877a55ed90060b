//! Carrying a repository's blobs between two ends: who they are, what they ask each other, and how what is cut off goes on.
//!
//! Nothing here opens a socket or looks at a clock. A [`Transport`] takes requests to the end that holds a repository, where a [`Session`]
//! answers them: QUIC in [`net`](crate::net), a simulated network in tests.

mod peer;
mod transport;

pub use peer::{ParseKeyError, PeerKey};
pub use transport::{Handler, Peer, Pending, Session, Transport, TransportError};
