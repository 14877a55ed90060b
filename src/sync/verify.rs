//! How much of what is carried is proved on its way.

use std::fmt;
use std::str::FromStr;

/// What the receiving end checks while bytes arrive. Whatever is chosen, a host looks at every pack as a whole before an entry of the log may
/// name it, and whoever reads a repository authenticates every block that it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VerificationMode {
    /// Nothing beyond the encryption of the connection.
    None,
    /// The root over all of a pack, once it is there.
    #[default]
    Final,
    /// A Merkle proof with each piece: the first wrong one is refused as it comes.
    PerChunk,
    /// A Merkle proof with so many pieces of a hundred, chosen at random, and the root at the end.
    Sampling(u8),
}

/// A text that names no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no way to verify: known are none, final, per-chunk and sampling N% (N from 1 to 100)")]
pub struct ParseModeError {
    text: String,
}

impl fmt::Display for VerificationMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Final => f.write_str("final"),
            Self::PerChunk => f.write_str("per-chunk"),
            Self::Sampling(share) => write!(f, "sampling {share}%"),
        }
    }
}

impl FromStr for VerificationMode {
    type Err = ParseModeError;

    fn from_str(text: &str) -> Result<Self, ParseModeError> {
        let share = |text: &str| {
            let digits = text.trim_start_matches([' ', '=', ':']).strip_suffix('%')?;
            digits.parse().ok().filter(|share| (1..=100).contains(share)).map(Self::Sampling)
        };
        match text {
            "none" => Ok(Self::None),
            "final" => Ok(Self::Final),
            "per-chunk" => Ok(Self::PerChunk),
            text => text
                .strip_prefix("sampling")
                .and_then(share)
                .ok_or_else(|| ParseModeError { text: text.to_owned() }),
        }
    }
}

impl VerificationMode {
    /// Whether pieces are proved at all.
    pub fn proves_pieces(self) -> bool {
        matches!(self, Self::PerChunk | Self::Sampling(_))
    }

    /// Whether the piece with this number is proved; `seed` is random, and unknown to the sender of what is proved.
    pub fn picks(self, seed: &[u8; 32], number: u64) -> bool {
        match self {
            Self::None | Self::Final => false,
            Self::PerChunk => true,
            Self::Sampling(share) => {
                let hash = blake3::keyed_hash(seed, &number.to_le_bytes());
                let draw = u64::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"));
                (u128::from(draw) * 100) >> 64 < u128::from(share)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_their_texts() {
        use VerificationMode::{Final, None, PerChunk, Sampling};
        for mode in [None, Final, PerChunk, Sampling(1), Sampling(100)] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!("sampling=5%".parse(), Ok(Sampling(5)));
        for bad in ["", "all", "sampling", "sampling 0%", "sampling 101%", "sampling 5", "sampling -1%"] {
            assert!(bad.parse::<VerificationMode>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_sample_has_about_the_share_that_was_asked_for() {
        let picked =
            |share| (0..10_000).filter(|n| VerificationMode::Sampling(share).picks(&[3; 32], *n)).count();
        assert!((400..600).contains(&picked(5)), "{}", picked(5));
        assert_eq!(picked(100), 10_000);
    }
}
