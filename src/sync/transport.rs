//! Between whoever asks and whoever answers.

use std::fmt;

use crate::format::DecodeError;
use crate::format::wire::{Reply, Request};

use super::PeerKey;

/// Takes requests about one repository to the end that holds it.
///
/// Any number may be under way at once, and replies come in any order. A request whose reply is lost may have been done: whoever asks again
/// must be content with that. After a cut the next request connects anew.
pub trait Transport: Send + Sync + fmt::Debug {
    /// The repository at the other end, for messages.
    fn location(&self) -> String;

    /// Sends a request. Waits only while too many are under way, or for leave to send as much.
    fn submit(&self, request: Request) -> Pending;

    /// Sends a request and waits for the reply.
    ///
    /// # Errors
    /// [`TransportError`].
    fn call(&self, request: Request) -> Result<Reply, TransportError> {
        self.submit(request).wait()
    }
}

/// A reply that is under way. Dropping it does not call the request back.
pub struct Pending(Box<dyn FnOnce() -> Result<Reply, TransportError> + Send>);

impl Pending {
    /// A reply that `wait` waits for.
    pub fn new(wait: impl FnOnce() -> Result<Reply, TransportError> + Send + 'static) -> Self {
        Self(Box::new(wait))
    }

    /// Waits for the reply.
    ///
    /// # Errors
    /// [`TransportError`].
    pub fn wait(self) -> Result<Reply, TransportError> {
        (self.0)()
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

/// Why no reply came.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// There is nobody.
    #[error("cannot reach {location}: {why}")]
    Unreachable {
        /// The repository.
        location: String,
        /// What the system said.
        why: String,
    },
    /// The connection ended before the reply.
    #[error("the connection to {location} was cut: {why}")]
    Cut {
        /// The repository.
        location: String,
        /// What is known of it.
        why: String,
    },
    /// One end does not take the other for what it says it is.
    #[error("{why}")]
    Identity {
        /// What is wrong, and what to do.
        why: String,
    },
    /// What came is no reply.
    #[error("{location} sent something that cannot be read")]
    Malformed {
        /// The repository.
        location: String,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
}

impl TransportError {
    /// Whether asking again may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Cut { .. })
    }
}

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The key that it has proved to hold.
    pub key: PeerKey,
    /// Where it connects from, for the log.
    pub address: String,
}

/// Holds repositories, and answers whoever may ask.
pub trait Handler: Send + Sync + fmt::Debug {
    /// Begins a connection.
    fn connect(&self, peer: Peer) -> Box<dyn Session>;
}

/// One connection. Dropping it ends it.
pub trait Session: Send + Sync + fmt::Debug {
    /// Answers a request. Several are answered at once, each by a thread that may wait for a disk.
    fn answer(&self, request: Request) -> Reply;
}
