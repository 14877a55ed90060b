//! Names of the two ends of a connection: public keys.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;

/// What every key's text begins with.
const PREFIX: &str = "ed25519:";

/// An Ed25519 public key that one end of a connection proves to hold. Its text is `ed25519:` and 43 characters of base64 for URLs.
///
/// ```
/// let key = warp::sync::PeerKey::new([7; 32]);
/// assert_eq!(key.to_string().parse(), Ok(key));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey([u8; 32]);

/// A text that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a key: expected ed25519: and 43 characters of base64 for URLs")]
pub struct ParseKeyError {
    text: String,
}

impl PeerKey {
    /// Wraps the bytes of a public key.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the public key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", BASE64URL_NOPAD.encode(&self.0))
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerKey({self})")
    }
}

impl FromStr for PeerKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        let bytes = text.strip_prefix(PREFIX).and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok());
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| ParseKeyError { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_text_and_no_other_text_is_one() {
        let key = PeerKey::new(std::array::from_fn(|n| (n * 9 % 256) as u8));
        let text = key.to_string();
        assert_eq!((text.len(), text.parse()), (8 + 43, Ok(key)));
        let cut = &text[..text.len() - 1];
        for bad in ["", "ed25519:", &text[8..], cut, &format!("{text}A"), &text.replace("ed25519", "rsa")] {
            assert!(bad.parse::<PeerKey>().is_err(), "{bad}");
        }
    }
}
