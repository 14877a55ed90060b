//! Which chunker cuts the files of a repository, how finely, and cutting with it.

use std::fmt;

use crate::chonkers::{Chonkers, ChonkersConfig, ChonkersStream};
use crate::chunk::seqcdc::{SeqCdc, SeqCdcConfig, SeqCdcParams, SeqCdcStream};
use crate::chunk::{Chunk, Sink};
use crate::format::config::ChunkerParams;

/// A chunker that a repository can be made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ChunkerKind {
    /// [Chonkers](crate::chonkers), the default. Its unit is the most bytes of a chunk.
    #[default]
    Chonkers,
    /// [SeqCDC](crate::chunk::seqcdc). Its unit is the mean length of a chunk in bytes.
    SeqCdc,
    /// SeqCDC as published, which has no key: for comparison. Its unit is the mean length that its authors name.
    SeqCdcPublished,
}

impl ChunkerKind {
    /// Every kind, the default first.
    pub const ALL: [Self; 3] = [Self::Chonkers, Self::SeqCdc, Self::SeqCdcPublished];

    /// Number in a repository's configuration.
    pub const fn id(self) -> u16 {
        match self {
            Self::Chonkers => Chonkers::ID,
            Self::SeqCdc => SeqCdc::ID,
            Self::SeqCdcPublished => SeqCdc::ID_PUBLISHED,
        }
    }

    /// The kind with this number, if there is one.
    pub fn from_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == id)
    }

    /// Name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chonkers => "chonkers",
            Self::SeqCdc => "seqcdc",
            Self::SeqCdcPublished => "seqcdc-published",
        }
    }

    /// Least and greatest unit, in bytes; allowed are the powers of two between them.
    pub const fn units(self) -> (u32, u32) {
        match self {
            Self::Chonkers => (ChonkersConfig::UNIT_MIN, ChonkersConfig::UNIT_MAX),
            Self::SeqCdc => (SeqCdcConfig::MEAN_MIN, SeqCdcConfig::MEAN_MAX),
            Self::SeqCdcPublished => (8 << 10, 16 << 10),
        }
    }
}

impl fmt::Display for ChunkerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A chunker and how finely it cuts.
///
/// ```
/// use warp::repo::{ChunkerConfig, ChunkerKind};
///
/// let config = ChunkerConfig::new(ChunkerKind::SeqCdc, 16 << 10)?;
/// assert_eq!((config.kind().name(), config.unit()), ("seqcdc", 16384));
/// let refused = ChunkerConfig::new(ChunkerKind::SeqCdc, 10_000).unwrap_err();
/// assert_eq!(refused.to_string(), "the unit of seqcdc is a power of two from 4096 to 262144 bytes, not 10000");
/// # Ok::<(), warp::repo::ChunkerError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChunkerConfig {
    kind: ChunkerKind,
    unit: u32,
}

impl ChunkerConfig {
    /// A chunker of `unit` bytes, which [`ChunkerKind`] says the meaning of.
    ///
    /// # Errors
    /// [`ChunkerError::Unit`] if it is not one of [`ChunkerKind::units`].
    pub fn new(kind: ChunkerKind, unit: u32) -> Result<Self, ChunkerError> {
        let (min, max) = kind.units();
        if unit.is_power_of_two() && (min..=max).contains(&unit) {
            Ok(Self { kind, unit })
        } else {
            Err(ChunkerError::Unit { kind, unit, min, max })
        }
    }

    /// Which chunker.
    pub fn kind(&self) -> ChunkerKind {
        self.kind
    }

    /// How finely it cuts, in bytes.
    pub fn unit(&self) -> u32 {
        self.unit
    }

    /// As it stands in a repository's configuration.
    pub fn params(&self) -> ChunkerParams {
        ChunkerParams { algorithm: self.kind.id(), unit: self.unit }
    }
}

impl Default for ChunkerConfig {
    /// Chonkers, with its default unit.
    fn default() -> Self {
        Self { kind: ChunkerKind::Chonkers, unit: ChonkersConfig::default().unit() }
    }
}

impl TryFrom<ChunkerParams> for ChunkerConfig {
    type Error = ChunkerError;

    fn try_from(params: ChunkerParams) -> Result<Self, ChunkerError> {
        let id = params.algorithm;
        Self::new(ChunkerKind::from_id(id).ok_or(ChunkerError::Unknown { id })?, params.unit)
    }
}

/// Why there is no such chunker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkerError {
    /// This version has no chunker of this number.
    #[error("chunker {id} is unknown to this version of warp")]
    Unknown {
        /// The number.
        id: u16,
    },
    /// The unit is not allowed.
    #[error("the unit of {kind} is a power of two from {min} to {max} bytes, not {unit}")]
    Unit {
        /// The chunker.
        kind: ChunkerKind,
        /// What was asked for.
        unit: u32,
        /// The least one.
        min: u32,
        /// The greatest one.
        max: u32,
    },
}

/// Cuts the contents of a repository's files: one of the chunkers, with the repository's key. Cheap to clone, and can
/// be shared between threads.
///
/// The same bytes give the same chunks, at once or as a stream, with zeros as bytes or as a number.
#[derive(Clone)]
#[non_exhaustive]
pub enum Chunker {
    /// Chonkers.
    Chonkers(Chonkers),
    /// SeqCDC, one or the other.
    SeqCdc(SeqCdc),
}

impl Chunker {
    /// The chunker of `config`; `key` is secret and belongs to the repository.
    ///
    /// # Errors
    /// [`ChunkerError::Unit`] if the chunker refuses the unit.
    pub fn new(config: ChunkerConfig, key: &[u8; 32]) -> Result<Self, ChunkerError> {
        let ChunkerConfig { kind, unit } = config;
        let (min, max) = kind.units();
        let refused = || ChunkerError::Unit { kind, unit, min, max };
        Ok(match kind {
            ChunkerKind::Chonkers => {
                let config = ChonkersConfig::with_unit(unit).map_err(|_| refused())?;
                Self::Chonkers(Chonkers::new(config, key))
            }
            ChunkerKind::SeqCdc => {
                let config = SeqCdcConfig::with_mean(unit).map_err(|_| refused())?;
                Self::SeqCdc(SeqCdc::new(config, key))
            }
            ChunkerKind::SeqCdcPublished => Self::SeqCdc(SeqCdc::published(published(unit))),
        })
    }

    /// Most bytes of one copy of a chunk: the unit of the tree above the chunks.
    pub fn max_len(&self) -> u32 {
        match self {
            Self::Chonkers(chonkers) => chonkers.config().unit(),
            Self::SeqCdc(seqcdc) => u32::try_from(seqcdc.max_len()).expect("no chunk reaches 4 GiB"),
        }
    }

    /// Content of at most so many bytes is one chunk (without any, none).
    pub fn whole_len(&self) -> usize {
        match self {
            Self::Chonkers(chonkers) => chonkers.config().unit() as usize,
            Self::SeqCdc(seqcdc) => seqcdc.min_len(),
        }
    }

    /// The chunks of `data`, in order, which cover it without a gap.
    pub fn cut(&self, data: &[u8]) -> Vec<Chunk> {
        match self {
            Self::Chonkers(chonkers) => chonkers.cut(data),
            Self::SeqCdc(seqcdc) => seqcdc.cut(data),
        }
    }

    /// Begins to cut a content whose bytes come in pieces.
    pub fn stream(&self) -> ChunkerStream {
        match self {
            Self::Chonkers(chonkers) => ChunkerStream::Chonkers(Box::new(chonkers.stream())),
            Self::SeqCdc(seqcdc) => ChunkerStream::SeqCdc(Box::new(seqcdc.stream())),
        }
    }
}

fn published(unit: u32) -> SeqCdcParams {
    if unit == 8 << 10 { SeqCdcParams::published_8k() } else { SeqCdcParams::published_16k() }
}

/// Cuts one content whose bytes come in pieces, in bounded memory. Made by [`Chunker::stream`].
///
/// How the content is divided into pieces makes no difference to the chunks.
#[non_exhaustive]
pub enum ChunkerStream {
    /// Chonkers.
    Chonkers(Box<ChonkersStream>),
    /// SeqCDC.
    SeqCdc(Box<SeqCdcStream>),
}

impl ChunkerStream {
    /// Takes the next bytes; gives `sink` the chunks that they complete.
    pub fn push(&mut self, bytes: &[u8], sink: &mut Sink<'_>) {
        match self {
            Self::Chonkers(stream) => stream.push(bytes, sink),
            Self::SeqCdc(stream) => stream.push(bytes, sink),
        }
    }

    /// Takes `len` zero bytes, as [`Self::push`] would, in a time that does not depend on `len`.
    pub fn push_zeros(&mut self, len: u64, sink: &mut Sink<'_>) {
        match self {
            Self::Chonkers(stream) => stream.push_zeros(len, sink),
            Self::SeqCdc(stream) => stream.push_zeros(len, sink),
        }
    }

    /// Gives `sink` the chunks that are left: the content is complete.
    pub fn finish(self, sink: &mut Sink<'_>) {
        match self {
            Self::Chonkers(stream) => stream.finish(sink),
            Self::SeqCdc(stream) => stream.finish(sink),
        }
    }
}

#[cfg(test)]
mod tests;
