//! What is measured in memory: the library's kernels, as a commit and a restore use them.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::Arc;

use warp::chonkers::{Chonkers, ChonkersConfig};
use warp::chunk::seqcdc::{SeqCdc, SeqCdcConfig};
use warp::compress::{Compressor, Decompressor, Level};
use warp::crypto::{Aad, Cipher, KdfParams, Keyring, NonceSource, SealKey, aead, kdf};
use warp::erasure::{ErasureConfig, ErasureDecoder, ErasureEncoder};
use warp::format::pack::{Parity, shard_len_for};
use warp::id::{FamilyId, ObjectKind};
use warp::limits::{BLOCK_LEN_TARGET, PACK_LEN_FULL};
use warp::merkle::root_of_shards;

use super::data::Kind;
use super::report::Unit;
use super::rounds::{Work, Worker, go_on};
use super::{Group, Inputs};
use crate::cli::context;
use crate::cli::error::{CliError, Exit};

/// Levels of compression that are measured: the fastest, the default, and what the next ones cost.
const LEVELS: [i32; 8] = [-7, 1, 3, 6, 9, 12, 15, 19];
/// Bytes of a chunk whose id is computed: about the mean of a commit.
const CHUNK_LEN: usize = 45 << 10;
/// What the keys are derived from: the figures are no secret, and the same every time.
const KEY: [u8; 32] = [7; 32];
const CIPHER: Cipher = Cipher::XChaCha20Poly1305;

/// One line of the results.
pub(super) struct Subject<'a> {
    pub(super) group: Group,
    pub(super) name: String,
    pub(super) data: Option<Kind>,
    pub(super) unit: Unit,
    /// Bytes before compression to bytes after it.
    pub(super) ratio: Option<f64>,
    pub(super) work: Work<'a>,
}

/// The subjects of these groups.
pub(super) fn subjects<'a>(groups: &[Group], inputs: &'a Inputs) -> Result<Vec<Subject<'a>>, CliError> {
    let mut subjects = Vec::new();
    for group in groups {
        match group {
            Group::Chunk => subjects.extend(Kind::ALL.iter().flat_map(|kind| chunkers(inputs, *kind))),
            Group::Hash => subjects.push(ids(inputs)?),
            Group::Merkle => subjects.push(merkle(inputs)),
            Group::Compress => subjects.extend(compression(inputs)?),
            Group::Erasure => subjects.extend(erasure(inputs)?),
            Group::Cipher => subjects.extend(sealing(inputs)?),
            Group::Kdf => subjects.push(derivation()),
            Group::Disk => {}
        }
    }
    Ok(subjects)
}

/// Pieces of the length of a block.
fn blocks(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.chunks(BLOCK_LEN_TARGET).collect()
}

/// Work on pieces of bytes; `make` makes what a thread does with one.
fn on<'a, F>(pieces: Vec<&'a [u8]>, make: impl Fn() -> Result<F, CliError> + 'a) -> Work<'a>
where
    F: FnMut(&[u8]) -> Result<(), CliError> + Send + 'a,
{
    let (count, amount) = (pieces.len(), mean_len(&pieces));
    let worker = move || -> Result<Worker<'a>, CliError> {
        let (mut act, pieces) = (make()?, pieces.clone());
        Ok(Box::new(move |number| act(pieces[number])))
    };
    Work { pieces: count, amount, worker: Box::new(worker) }
}

fn mean_len(pieces: &[&[u8]]) -> f64 {
    pieces.iter().map(|piece| piece.len()).sum::<usize>() as f64 / pieces.len() as f64
}

fn in_bytes<'a>(group: Group, name: impl Into<String>, kind: Kind, work: Work<'a>) -> Subject<'a> {
    Subject { group, name: name.into(), data: Some(kind), unit: Unit::Bytes, ratio: None, work }
}

fn chunkers(inputs: &Inputs, kind: Kind) -> [Subject<'_>; 2] {
    let chonkers = on(blocks(inputs.of(kind)), || {
        let chonkers = Chonkers::new(ChonkersConfig::default(), &KEY);
        Ok(move |piece: &[u8]| {
            black_box(chonkers.cut(piece));
            Ok(())
        })
    });
    let seqcdc = on(blocks(inputs.of(kind)), || {
        let seqcdc = SeqCdc::new(SeqCdcConfig::default(), &KEY);
        Ok(move |piece: &[u8]| {
            black_box(seqcdc.cut(piece));
            Ok(())
        })
    });
    [in_bytes(Group::Chunk, "chonkers", kind, chonkers), in_bytes(Group::Chunk, "seqcdc", kind, seqcdc)]
}

/// Ids of chunks, one after the other.
fn ids(inputs: &Inputs) -> Result<Subject<'_>, CliError> {
    let keyring = Arc::new(Keyring::generate().map_err(failed)?);
    let work = on(inputs.of(Kind::Random).chunks(CHUNK_LEN).collect(), move || {
        let keyring = Arc::clone(&keyring);
        Ok(move |piece: &[u8]| {
            black_box(keyring.object_id(ObjectKind::Chunk, piece));
            Ok(())
        })
    });
    Ok(in_bytes(Group::Hash, "blake3", Kind::Random, work))
}

/// Roots over shards of the length that a pack has.
fn merkle(inputs: &Inputs) -> Subject<'_> {
    let work = on(blocks(inputs.of(Kind::Random)), || {
        Ok(|piece: &[u8]| {
            let shard_len = NonZeroUsize::new(shard_len_for(piece.len() as u64) as usize);
            black_box(root_of_shards([piece], shard_len.unwrap_or(NonZeroUsize::MIN)));
            Ok(())
        })
    });
    in_bytes(Group::Merkle, "blake3 root", Kind::Random, work)
}

/// Compressing at every measured level, and decompressing what that gave; all kinds at the default level.
fn compression(inputs: &Inputs) -> Result<Vec<Subject<'_>>, CliError> {
    let levels = LEVELS.map(|level| (Kind::Text, level));
    let others = [Kind::Half, Kind::Random].map(|kind| (kind, Level::AUTO_ZSTD));
    let mut subjects = Vec::new();
    for (kind, level) in levels.into_iter().chain(others) {
        let blocks = blocks(inputs.of(kind));
        let frames = Frames::new(&blocks, Level::Zstd(level))?;
        let ratio = Some(frames.ratio());
        let is_default = if level == Level::AUTO_ZSTD { " (default)" } else { "" };
        let mut line = |verb, work| {
            let name = format!("zstd {level}{is_default}, {verb}");
            subjects.push(Subject { ratio, ..in_bytes(Group::Compress, name, kind, work) });
        };
        line("compress", compress(blocks, Level::Zstd(level)));
        // What does not compress is stored as it is.
        if kind != Kind::Random {
            line("decompress", frames.decompress());
        }
    }
    Ok(subjects)
}

fn compress(blocks: Vec<&[u8]>, level: Level) -> Work<'_> {
    on(blocks, move || {
        let (mut compressor, mut out) = (Compressor::new(level).map_err(failed)?, Vec::new());
        Ok(move |block: &[u8]| {
            out.clear();
            compressor.compress(block, &mut out).map_err(failed)?;
            Ok(())
        })
    })
}

/// Some compressed blocks, each with the length of its content.
struct Frames(Vec<(Vec<u8>, usize)>);

impl Frames {
    /// Compresses the first block, or several where that takes no time.
    fn new(blocks: &[&[u8]], level: Level) -> Result<Self, CliError> {
        go_on()?;
        let count = if matches!(level, Level::Zstd(..=6)) { 8 } else { 1 };
        let mut compressor = Compressor::new(level).map_err(failed)?;
        let frames = blocks.iter().take(count).map(|block| {
            let mut frame = Vec::new();
            compressor.compress(block, &mut frame).map_err(failed)?;
            Ok((frame, block.len()))
        });
        frames.collect::<Result<_, CliError>>().map(Self)
    }

    fn plain_len(&self) -> usize {
        self.0.iter().map(|(_, len)| len).sum()
    }

    fn ratio(&self) -> f64 {
        self.plain_len() as f64 / self.0.iter().map(|(frame, _)| frame.len()).sum::<usize>() as f64
    }

    fn decompress<'a>(self) -> Work<'a> {
        let (pieces, amount) = (self.0.len(), self.plain_len() as f64 / self.0.len() as f64);
        let frames = Arc::new(self.0);
        let worker = move || -> Result<Worker<'a>, CliError> {
            let (mut decompressor, mut out) = (Decompressor::new().map_err(failed)?, Vec::new());
            let frames = Arc::clone(&frames);
            Ok(Box::new(move |number| {
                let (frame, len) = &frames[number];
                out.clear();
                decompressor.decompress(frame, *len, &mut out).map_err(failed)
            }))
        };
        Work { pieces, amount, worker: Box::new(worker) }
    }
}

/// Making the parity of what lies in a pack, and bringing as many shards back as it can.
fn erasure(inputs: &Inputs) -> Result<[Subject<'_>; 2], CliError> {
    let data = inputs.of(Kind::Random);
    let data = &data[..data.len().min(PACK_LEN_FULL)];
    let fit = Parity::default().fit(data.len() as u64, |len| len);
    let shard_len = fit.shard_len as usize;
    let config = ErasureConfig::new(data.len().div_ceil(shard_len), fit.parity_shards.into());
    let config = config.map_err(failed)?;
    let make = on(vec![data], move || {
        let mut encoder = ErasureEncoder::new(config);
        Ok(move |pack: &[u8]| {
            encoder.parity(&[pack], shard_len).map(|parity| drop(black_box(parity))).map_err(failed)
        })
    });
    let parity = ErasureEncoder::new(config).parity(&[data], shard_len).map_err(failed)?;
    let mut whole = data.to_vec();
    whole.resize(config.data() * shard_len, 0);
    whole.extend_from_slice(&parity);
    let heal = on(vec![data], move || {
        let (mut decoder, mut shards) = (ErasureDecoder::new(config), whole.clone());
        let present: Vec<_> = (0..config.shards()).map(|shard| shard >= config.parity()).collect();
        Ok(move |_: &[u8]| decoder.restore(&mut shards, &present, shard_len).map(drop).map_err(failed))
    });
    let line = |name, work| in_bytes(Group::Erasure, name, Kind::Random, work);
    Ok([line("reed-solomon, make parity", make), line("reed-solomon, heal", heal)])
}

/// Sealing and opening of blocks.
fn sealing(inputs: &Inputs) -> Result<[Subject<'_>; 2], CliError> {
    let blocks = blocks(inputs.of(Kind::Random));
    let key = SealKey::generate().map_err(failed)?;
    let of = |name: &str, work| in_bytes(Group::Cipher, name, Kind::Random, work);
    let open = open(blocks[0], &key)?;
    Ok([of("xchacha20-poly1305, seal", seal(blocks, key)?), of("xchacha20-poly1305, open", open)])
}

fn seal(blocks: Vec<&[u8]>, key: SealKey) -> Result<Work<'_>, CliError> {
    let shared = Arc::new((key, NonceSource::new().map_err(failed)?));
    Ok(on(blocks, move || {
        let (shared, mut out) = (Arc::clone(&shared), Vec::new());
        Ok(move |block: &[u8]| {
            let (key, nonces) = &*shared;
            out.clear();
            aead::seal(CIPHER, key, nonces.nonce(&[0; 16], 0), &aad(), block, &mut out);
            Ok(())
        })
    }))
}

/// Opening happens in place, so a copy comes first: its time counts, and is small.
fn open<'a>(block: &[u8], key: &SealKey) -> Result<Work<'a>, CliError> {
    let (nonces, mut sealed) = (NonceSource::new().map_err(failed)?, Vec::new());
    aead::seal(CIPHER, key, nonces.nonce(&[0; 16], 0), &aad(), block, &mut sealed);
    let shared = Arc::new((key.clone(), sealed));
    let worker = move || -> Result<Worker<'a>, CliError> {
        let (shared, mut buf) = (Arc::clone(&shared), Vec::new());
        Ok(Box::new(move |_| {
            let (key, sealed) = &*shared;
            buf.clear();
            buf.extend_from_slice(sealed);
            aead::open_in_place(CIPHER, key, &aad(), &mut buf).map_err(failed)?;
            Ok(())
        }))
    };
    Ok(Work { pieces: 1, amount: block.len() as f64, worker: Box::new(worker) })
}

/// Associated data of a block in a pack.
fn aad() -> [u8; Aad::LEN] {
    let family = FamilyId::new([0; 16]);
    Aad { format: Aad::PACK, family, kind: 1, epoch: 1, uid: [0; 16], number: 0 }.to_bytes()
}

/// What a password costs.
fn derivation<'a>() -> Subject<'a> {
    let new = context::kdf();
    let params = KdfParams { memory_kib: new.memory_kib, passes: new.passes, lanes: new.lanes };
    let worker = move || -> Result<Worker<'a>, CliError> {
        Ok(Box::new(move |_| {
            black_box(kdf::derive(params, &KEY, b"correct horse").map_err(failed)?);
            Ok(())
        }))
    };
    let name = format!("argon2id, {} KiB, {} passes", params.memory_kib, params.passes);
    let work = Work { pieces: 1, amount: 1.0, worker: Box::new(worker) };
    Subject { group: Group::Kdf, name, data: None, unit: Unit::Derivations, ratio: None, work }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::caused(Exit::Failed, "cannot measure", error)
}
