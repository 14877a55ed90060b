//! Blobs that arrive in pieces.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::cas::{CasError, PackStream, ShardStream};
use crate::format::pack::PackHeader;
use crate::format::shard::ShardHeader;
use crate::format::wire::{FailCode, Failure, Reply};
use crate::id::Root;
use crate::limits::{ENVELOPE_LEN_MAX, PIECE_LEN};
use crate::merkle::MerkleProof;
use crate::store::{BlobName, BlobWriter, StorageBackend};
use crate::sync::PeerKey;

use super::hosted::{damaged, logged};
use super::names::Kind;
use super::{locked, refused};

/// How many pieces beyond the first one that is missing may come: they wait in memory for their turn.
pub(super) const AHEAD: u32 = 8;
/// Most uploads of one repository at once, and of one key.
const UPLOADS_MAX: usize = 64;
const UPLOADS_OF_KEY_MAX: usize = 16;
/// An upload that nobody goes on with so long is dropped.
const IDLE_MAX: Duration = Duration::from_secs(15 * 60);
/// Most bytes of an index segment: rows, sketches, filter.
const SEGMENT_LEN_MAX: u64 = 4 << 30;

/// What begins an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beginning {
    pub(super) name: BlobName,
    pub(super) kind: Kind,
    pub(super) replace: bool,
    pub(super) len: u64,
    pub(super) root: Option<Root>,
}

impl Beginning {
    fn pieces(&self) -> u64 {
        self.len.div_ceil(PIECE_LEN as u64)
    }

    fn piece_len(&self, number: u32) -> u64 {
        (self.len - u64::from(number) * PIECE_LEN as u64).min(PIECE_LEN as u64)
    }

    /// Whether a blob of this kind can be so long.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let max = match self.kind {
            Kind::Pack(_) => PackHeader::TOTAL_LEN_MAX,
            Kind::Shard(..) => PackHeader::TOTAL_LEN_MAX + ShardHeader::LEN_MAX as u64,
            Kind::Segment => SEGMENT_LEN_MAX,
            _ => ENVELOPE_LEN_MAX,
        };
        if self.len > max {
            let why = format!("{} would have {} bytes; at most {max} are allowed", self.name, self.len);
            return Err(Failure::new(FailCode::TooLarge, max, why));
        }
        if self.len == 0 {
            return Err(Failure::new(FailCode::Malformed, 0, "an upload has at least one piece"));
        }
        Ok(())
    }
}

/// All uploads of one repository.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    last: AtomicU64,
    open: Mutex<HashMap<u64, Entry>>,
}

#[derive(Debug)]
struct Entry {
    of: Beginning,
    key: PeerKey,
    used: Instant,
    upload: Arc<Mutex<Upload>>,
}

/// One upload: its pieces are written in order.
#[derive(Debug)]
pub(super) struct Upload {
    of: Beginning,
    to: Sink,
    /// Checks a pack or a shard on its way.
    check: Option<Checking>,
    next: u32,
    waiting: BTreeMap<u32, Bytes>,
}

#[derive(Debug)]
enum Checking {
    Pack(Box<PackStream>),
    Shard(Box<ShardStream>),
}

impl Checking {
    fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Pack(pack) => Some(Self::Pack(Box::new(PackStream::new(pack)))),
            Kind::Shard(pack, number) => Some(Self::Shard(Box::new(ShardStream::new(pack, number)))),
            _ => None,
        }
    }

    fn update(&mut self, bytes: &[u8]) -> Result<(), CasError> {
        match self {
            Self::Pack(pack) => pack.update(bytes),
            Self::Shard(shard) => shard.update(bytes),
        }
    }

    fn finish(self) -> Result<Checked, CasError> {
        Ok(match self {
            Self::Pack(pack) => Checked::Pack(pack.finish()?),
            Self::Shard(shard) => Checked::Shard(shard.finish()?),
        })
    }
}

/// What was found right on its way.
pub(super) enum Checked {
    /// A pack.
    Pack(PackHeader),
    /// A shard of one.
    Shard(ShardHeader),
}

#[derive(Debug)]
enum Sink {
    Store(Box<dyn BlobWriter>),
    Memory(Vec<u8>),
}

/// A blob all pieces of which have come.
pub(super) enum Arrived {
    /// It was written beside the store, and has no name yet.
    Written(Box<dyn BlobWriter>, Option<Checked>),
    /// It is small, or must be looked at as a whole.
    Whole(Vec<u8>),
}

impl Uploads {
    /// Bytes that are yet to be counted as stored.
    pub(super) fn expected(&self) -> u64 {
        locked(&self.open).values().map(|entry| entry.of.len).sum()
    }

    /// Begins an upload, or goes on with the one that the same key has begun.
    pub(super) fn begin(
        &self,
        store: &dyn StorageBackend,
        of: Beginning,
        key: &PeerKey,
    ) -> Result<Reply, Failure> {
        let mut open = locked(&self.open);
        open.retain(|_, entry| entry.used.elapsed() < IDLE_MAX);
        let same = open.iter_mut().find(|(_, entry)| entry.key == *key && entry.of == of);
        if let Some((id, entry)) = same {
            entry.used = Instant::now();
            let (id, upload) = (*id, Arc::clone(&entry.upload));
            drop(open);
            return Ok(Reply::Upload { upload: id, there: locked(&upload).there() });
        }
        // The key has begun another one under this name: it has changed its mind.
        open.retain(|_, entry| entry.key != *key || entry.of.name != of.name);
        let of_key = open.values().filter(|entry| entry.key == *key).count();
        if open.len() >= UPLOADS_MAX || of_key >= UPLOADS_OF_KEY_MAX {
            return Err(Failure::new(FailCode::Busy, 1000, "too many uploads are under way"));
        }
        let upload = Upload::new(store, of.clone())?;
        let (id, there) = (self.last.fetch_add(1, Ordering::Relaxed) + 1, upload.there());
        let upload = Arc::new(Mutex::new(upload));
        open.insert(id, Entry { of, key: *key, used: Instant::now(), upload });
        Ok(Reply::Upload { upload: id, there })
    }

    /// Takes a piece.
    pub(super) fn piece(
        &self,
        (id, key): (u64, &PeerKey),
        number: u32,
        path: Vec<[u8; 32]>,
        bytes: Bytes,
    ) -> Result<Reply, Failure> {
        let upload = self.find(id, key)?;
        let taken = locked(&upload).take(number, path, bytes);
        if taken.as_ref().is_err_and(|failure| matches!(failure.code, FailCode::Full | FailCode::Store)) {
            locked(&self.open).remove(&id);
        }
        taken.map(|()| Reply::Done)
    }

    fn find(&self, id: u64, key: &PeerKey) -> Result<Arc<Mutex<Upload>>, Failure> {
        let mut open = locked(&self.open);
        let entry = open.get_mut(&id).filter(|entry| entry.key == *key).ok_or_else(unknown)?;
        entry.used = Instant::now();
        Ok(Arc::clone(&entry.upload))
    }

    /// Takes an upload out that is complete.
    pub(super) fn end(&self, id: u64, key: &PeerKey) -> Result<(Beginning, Arrived), Failure> {
        let upload = self.find(id, key)?;
        if !locked(&upload).is_complete() {
            return Err(refused("pieces of the upload are missing"));
        }
        locked(&self.open).remove(&id);
        let upload = Arc::into_inner(upload).ok_or_else(unknown)?;
        upload.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).finish()
    }
}

fn unknown() -> Failure {
    Failure::new(FailCode::NoUpload, 0, "the upload is not known: it must begin anew")
}

impl Upload {
    fn new(store: &dyn StorageBackend, of: Beginning) -> Result<Self, Failure> {
        let streams = matches!(of.kind, Kind::Pack(_) | Kind::Shard(..) | Kind::Segment) && !of.replace;
        let writer = match streams {
            true => store.writer(&of.name).map_err(|error| logged(&error))?,
            false => None,
        };
        let to = writer.map_or_else(|| Sink::Memory(Vec::new()), Sink::Store);
        let check = match &to {
            Sink::Store(_) => Checking::of(of.kind),
            Sink::Memory(_) => None,
        };
        Ok(Self { of, to, check, next: 0, waiting: BTreeMap::new() })
    }

    fn there(&self) -> Vec<u8> {
        let mut bits = vec![0; self.of.pieces().div_ceil(8) as usize];
        let numbers = (0..self.next).chain(self.waiting.keys().copied());
        numbers.for_each(|number| bits[number as usize / 8] |= 1 << (number % 8));
        bits
    }

    fn is_complete(&self) -> bool {
        u64::from(self.next) == self.of.pieces()
    }

    fn take(&mut self, number: u32, path: Vec<[u8; 32]>, bytes: Bytes) -> Result<(), Failure> {
        if u64::from(number) >= self.of.pieces() || bytes.len() as u64 != self.of.piece_len(number) {
            return Err(Failure::new(
                FailCode::Malformed,
                0,
                format!("there is no piece {number} of this length"),
            ));
        }
        if number < self.next || self.waiting.contains_key(&number) {
            return Ok(());
        }
        if number >= self.next + AHEAD {
            return Err(Failure::new(FailCode::Busy, 20, "pieces before this one are missing"));
        }
        self.prove(number, path, &bytes)?;
        self.waiting.insert(number, bytes);
        while let Some(bytes) = self.waiting.remove(&self.next) {
            self.write(&bytes)?;
            self.next += 1;
        }
        Ok(())
    }

    fn prove(&self, number: u32, path: Vec<[u8; 32]>, bytes: &[u8]) -> Result<(), Failure> {
        let Some(root) = &self.of.root else { return Ok(()) };
        // A piece without a path goes unproved: whoever sends it proves samples only.
        if path.is_empty() && self.of.pieces() > 1 {
            return Ok(());
        }
        let proof = MerkleProof { index: number.into(), leaf_count: self.of.pieces(), path };
        proof.verify(root, bytes).map_err(|error| {
            Failure::new(
                FailCode::Damaged,
                number.into(),
                format!("piece {number} of {}: {error}", self.of.name),
            )
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if let Some(check) = &mut self.check {
            check.update(bytes).map_err(|error| damaged(&error))?;
        }
        match &mut self.to {
            Sink::Store(writer) => writer.write(bytes).map_err(|error| logged(&error)),
            Sink::Memory(all) => {
                all.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<(Beginning, Arrived), Failure> {
        let checked = self.check.map(|check| check.finish().map_err(|error| damaged(&error))).transpose()?;
        let arrived = match self.to {
            Sink::Store(writer) => Arrived::Written(writer, checked),
            Sink::Memory(bytes) => Arrived::Whole(bytes),
        };
        Ok((self.of, arrived))
    }
}
