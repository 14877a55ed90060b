//! What can go wrong before requests go back and forth.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::format::wire::{FailCode, Failure};
use crate::store::StoreError;
use crate::sync::{PeerKey, TransportError};

/// Why an end of a connection could not be made, or not be trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// A file beside the connection could not be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        source: StoreError,
    },
    /// The file of a key holds something else.
    #[error("{} is not a transport key: {why}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: &'static str,
    },
    /// The system gave no randomness for a key.
    #[error("cannot make a transport key: {why}")]
    Randomness {
        /// What it said.
        why: String,
    },
    /// A line of the known hosts is not one.
    #[error("line {line} of {} is not `HOST:PORT ed25519:KEY`: correct or remove it", path.display())]
    KnownHosts {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on.
        line: usize,
    },
    /// A host shows another key than before.
    #[error("the key of {host} has changed: it shows {found}, but line {line} of {} has {known}; somebody may be in between. If the server was set up anew, compare the key with what `warp serve` prints there, and remove that line", path.display())]
    HostKeyChanged {
        /// `HOST:PORT`.
        host: String,
        /// What it shows.
        found: PeerKey,
        /// What it showed before.
        known: PeerKey,
        /// Where that is written.
        path: PathBuf,
        /// The line, from 1 on.
        line: usize,
    },
    /// A host shows another key than its URL says.
    #[error(
        "{host} shows the key {found}, but its URL says {pinned}; somebody may be in between, or the URL is out of date"
    )]
    PinMismatch {
        /// `HOST:PORT`.
        host: String,
        /// What it shows.
        found: PeerKey,
        /// What the URL says.
        pinned: PeerKey,
    },
    /// Nobody has said yes to a host's key.
    #[error(
        "the key of {host} is not known: {found}; compare it with what `warp serve` prints there, and accept it or put it behind the URL as #{found}"
    )]
    HostKeyUnknown {
        /// `HOST:PORT`.
        host: String,
        /// What it shows.
        found: PeerKey,
    },
    /// The other end does not let this key in.
    #[error("{location} {}", refusal(failure, key))]
    Refused {
        /// The repository.
        location: String,
        /// The key that was shown.
        key: PeerKey,
        /// What the other end said.
        #[source]
        failure: Failure,
    },
    /// The connection did not come about.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// An address cannot be listened at.
    #[error("cannot listen at {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Metrics would be seen by others.
    #[error(
        "metrics are for this machine alone: {address} is not a loopback address, such as 127.0.0.1:9090"
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// The system refused something else.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// The keys could not be set up.
    #[error("cannot set up TLS: {why}")]
    Tls {
        /// What the library said.
        why: String,
    },
}

/// What the other end did. Only what the key may not do is about the key.
fn refusal(failure: &Failure, key: &PeerKey) -> String {
    match failure.code {
        FailCode::Denied => format!("refuses the key {key}"),
        _ => "cannot be opened".to_owned(),
    }
}

impl NetError {
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transport(error) if error.is_transient())
    }

    /// The same for whoever waits for a reply.
    pub(super) fn into_transport(self) -> TransportError {
        match self {
            Self::Transport(error) => error,
            Self::Refused { ref failure, .. } => {
                TransportError::Identity { why: format!("{self}: {failure}") }
            }
            error => TransportError::Identity { why: error.to_string() },
        }
    }
}
