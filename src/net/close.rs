//! With which numbers connections and streams end.

use quinn::{ConnectionError, VarInt};

use crate::sync::TransportError;

/// All is done.
pub(super) const DONE: VarInt = VarInt::from_u32(0);
/// A limit of the server is reached.
pub(super) const LIMIT: VarInt = VarInt::from_u32(1);
/// The server stops.
pub(super) const STOPPING: VarInt = VarInt::from_u32(2);
/// Nothing was asked for long.
pub(super) const IDLE: VarInt = VarInt::from_u32(3);
/// The other end does not keep to the protocol.
pub(super) const PROTOCOL: VarInt = VarInt::from_u32(4);
/// Something took too long.
pub(super) const LATE: VarInt = VarInt::from_u32(5);

/// Most characters of the other end's words that are shown.
const REASON_LEN_MAX: usize = 256;

/// What an ended connection means to whoever waits for a reply on it.
pub(super) fn cut(location: &str, error: &ConnectionError) -> TransportError {
    TransportError::Cut { location: location.to_owned(), why: why(error) }
}

/// Why a connection ended, in words.
pub(super) fn why(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            let reason =
                String::from_utf8_lossy(&close.reason).chars().take(REASON_LEN_MAX).collect::<String>();
            if reason.is_empty() { "the other end has closed it".to_owned() } else { reason }
        }
        ConnectionError::TimedOut => "nothing comes from there any more".to_owned(),
        ConnectionError::Reset => {
            "the other end does not know it any more; it may have been started anew".to_owned()
        }
        ConnectionError::LocallyClosed => "this end has closed it".to_owned(),
        other => other.to_string(),
    }
}
