//! One repository at a host: what its log says, and the door through which everything is written.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use lru::LruCache;

use crate::cas::{PackStream, SealedPack, ShardStream, check_segment_bytes, open_envelope};
use crate::format::config::Config;
use crate::format::dirtree::Timestamp;
use crate::format::log::{EntryPublic, PackRecord, entry_hash};
use crate::format::pack::PackHeader;
use crate::format::receipt::Receipt;
use crate::format::shard::ShardHeader;
use crate::format::wire::{FailCode, Failure, Reply, Rights};
use crate::id::{PackId, Root};
use crate::ops::spread::shard_name;
use crate::repo::{PublicLog, RepoError};
use crate::store::{BlobName, Put, StorageBackend};
use crate::sync::PeerKey;

use super::names::Kind;
use super::proofs::Proofs;
use super::receipts;
use super::shards::Shards;
use super::uploads::Uploads;
use super::{Grant, denied, locked, refused, rules, store_failure};

/// Folders whose blobs count against the quota.
const FOLDERS: [&str; 7] = ["packs/", "shards/", "index/", "log/", "config/", "checkpoint/", "lost/"];
/// Packs of which a host remembers the Merkle tree.
const TREES_MAX: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// A repository that connections are about.
#[derive(Debug)]
pub(super) struct Hosted {
    pub(super) store: Arc<dyn StorageBackend>,
    pub(super) uploads: Uploads,
    quota: u64,
    now: fn() -> Timestamp,
    state: Mutex<State>,
    trees: Mutex<LruCache<PackId, Arc<Proofs>>>,
}

#[derive(Debug, Default)]
struct State {
    /// `None`: there is no repository yet, or it must be read anew.
    log: Option<PublicLog>,
    /// Bytes that are stored.
    used: u64,
    /// Packs that have come, were checked and are in no entry yet.
    checked: HashMap<PackId, PackHeader>,
    /// The same of packs that lie at several hosts, one shard here: their lengths.
    shards: HashMap<PackId, u64>,
    /// All shards that lie here.
    lying: Shards,
}

impl Hosted {
    pub(super) fn open(
        store: Arc<dyn StorageBackend>,
        quota: u64,
        now: fn() -> Timestamp,
    ) -> Result<Self, Failure> {
        let mut used = 0;
        for folder in FOLDERS {
            let listed = store.list(folder).map_err(|error| logged(&error))?;
            used += listed.iter().map(|blob| blob.len).sum::<u64>();
        }
        let state = Mutex::new(State { used, ..State::default() });
        let trees = Mutex::new(LruCache::new(TREES_MAX));
        Ok(Self { store, uploads: Uploads::default(), quota, now, state, trees })
    }

    /// Whether there is a repository.
    pub(super) fn exists(&self) -> bool {
        self.store.names("config/").is_ok_and(|names| !names.is_empty())
    }

    /// Bytes that may still come.
    pub(super) fn room(&self) -> u64 {
        let taken = locked(&self.state).used.saturating_add(self.uploads.expected());
        self.quota.saturating_sub(taken)
    }

    pub(super) fn check_room(&self, len: u64) -> Result<(), Failure> {
        match len <= self.room() {
            true => Ok(()),
            false => {
                let why = format!("the repository may have {} bytes, and would have more", self.quota);
                Err(Failure::new(FailCode::Quota, self.quota, why))
            }
        }
    }

    /// Does something with what the log says now.
    pub(super) fn with_log<T>(&self, act: impl FnOnce(&PublicLog) -> T) -> Result<T, Failure> {
        let mut state = locked(&self.state);
        Ok(act(self.log(&mut state)?))
    }

    fn log<'s>(&self, state: &'s mut State) -> Result<&'s mut PublicLog, Failure> {
        if state.log.is_none() {
            state.log = Some(PublicLog::follow(&*self.store).map_err(|error| repo_failure(&error))?);
        }
        let log = state.log.as_mut().expect("it was just read");
        log.catch_up(&*self.store).map_err(|error| repo_failure(&error))?;
        Ok(log)
    }

    /// Stores a whole blob.
    pub(super) fn put(
        &self,
        (name, kind): (&BlobName, Kind),
        replace: bool,
        bytes: &[u8],
        who: (&Grant, &PeerKey),
    ) -> Result<Reply, Failure> {
        if replace {
            return self.replace(name, kind, bytes, who);
        }
        match kind {
            Kind::Log(number) => return self.append(name, number, bytes, who, false),
            Kind::Config => self.check_config(bytes)?,
            Kind::Pack(pack) => {
                let mut stream = PackStream::new(pack);
                stream.update(bytes).map_err(|error| damaged(&error))?;
                let header = stream.finish().map_err(|error| damaged(&error))?;
                let put = self.store.put_new(name, &[bytes]);
                return self.pack_stored(header, bytes.len() as u64, put);
            }
            Kind::Shard(pack, number) => {
                let header = shard_header(bytes, pack, number)?;
                let put = self.store.put_new(name, &[bytes]);
                return self.shard_stored(&header, bytes.len() as u64, put);
            }
            Kind::Segment | Kind::Checkpoint(_) | Kind::Lost => {}
        }
        let put = self.store.put_new(name, &[bytes]);
        let reply = self.stored(bytes.len() as u64, put);
        if kind == Kind::Config {
            locked(&self.state).log = None;
        }
        reply
    }

    /// Notes what became of a pack that was checked.
    pub(super) fn pack_stored(
        &self,
        header: PackHeader,
        len: u64,
        put: Result<Put, crate::store::StoreError>,
    ) -> Result<Reply, Failure> {
        let reply = self.stored(len, put)?;
        if !matches!(reply, Reply::Created { .. }) {
            return Ok(reply);
        }
        let root = header.payload_root;
        locked(&self.state).checked.insert(header.uid, header);
        Ok(Reply::Created { root: Some(root) })
    }

    /// Notes what became of a shard that was checked.
    pub(super) fn shard_stored(
        &self,
        header: &ShardHeader,
        len: u64,
        put: Result<Put, crate::store::StoreError>,
    ) -> Result<Reply, Failure> {
        let reply = self.stored(len, put)?;
        let mut state = locked(&self.state);
        state.lying.came(header.pack.uid, header.number);
        if matches!(reply, Reply::Created { .. }) {
            state.shards.insert(header.pack.uid, header.pack.len);
        }
        Ok(reply)
    }

    pub(super) fn stored(
        &self,
        len: u64,
        put: Result<Put, crate::store::StoreError>,
    ) -> Result<Reply, Failure> {
        match put.map_err(|error| logged(&error))? {
            Put::Created => {
                locked(&self.state).used += len;
                Ok(Reply::Created { root: None })
            }
            Put::Exists => Ok(Reply::Exists),
        }
    }

    /// Puts a blob in place of a damaged one: it must be what that was.
    fn replace(
        &self,
        name: &BlobName,
        kind: Kind,
        bytes: &[u8],
        who: (&Grant, &PeerKey),
    ) -> Result<Reply, Failure> {
        match kind {
            // A log that is brought along from other hosts: old entries name packs that are gone.
            Kind::Log(number) if self.store.len(name).map_err(|error| logged(&error))?.is_none() => {
                if !who.0.rights().has(Rights::ADMIN) {
                    return Err(denied(Rights::ADMIN, "bring a log along"));
                }
                self.append(name, number, bytes, who, true)?;
                return Ok(Reply::Done);
            }
            Kind::Shard(pack, number) => self.check_shard_replaced(name, (pack, number), bytes)?,
            Kind::Segment => self.check_segment_replaced(name, bytes)?,
            Kind::Log(_) => {
                let there = self.store.get(name, crate::limits::ENVELOPE_LEN_MAX);
                let there = there.map_err(|error| logged(&error))?;
                let content =
                    |bytes: &[u8]| open_envelope(bytes).ok().map(|opened| opened.content.into_owned());
                if content(bytes).is_none() || content(&there) != content(bytes) {
                    return Err(refused(format!("{name} is another entry, and stays")));
                }
            }
            Kind::Config => self.check_config(bytes)?,
            _ => return Err(refused(format!("{name} is never written in place"))),
        }
        self.store.replace(name, bytes).map_err(|error| logged(&error))?;
        if let Kind::Shard(pack, number) = kind {
            locked(&self.state).lying.came(pack, number);
        }
        Ok(Reply::Done)
    }

    /// A shard takes the place of one that is damaged.
    fn check_shard_replaced(
        &self,
        name: &BlobName,
        (pack, number): (PackId, u16),
        bytes: &[u8],
    ) -> Result<(), Failure> {
        shard_header(bytes, pack, number)?;
        match self.stored_shard(name, pack, number)? {
            None => Ok(()),
            Some(_) => Err(refused(format!("{name} is as it was stored, and stays"))),
        }
    }

    /// An index segment takes the place of one that is not what the log says.
    fn check_segment_replaced(&self, name: &BlobName, bytes: &[u8]) -> Result<(), Failure> {
        let segments = self.with_log(|log| log.state.segments.clone())?;
        let record = segments.iter().find(|record| crate::cas::segment_name(&record.uid) == *name);
        let is_right = record.is_some_and(|record| blake3::hash(bytes) == *record.hash.as_bytes());
        let is_damaged =
            record.is_some_and(|record| check_segment_bytes(&*self.store, record, &|_| {}).is_err());
        match is_right && is_damaged {
            true => Ok(()),
            false => Err(refused(format!("{name} is never written in place, unless it is damaged"))),
        }
    }

    /// The header of a shard that is stored, if all of it is right.
    fn stored_shard(
        &self,
        name: &BlobName,
        pack: PackId,
        number: u16,
    ) -> Result<Option<ShardHeader>, Failure> {
        let Some(len) = self.store.len(name).map_err(|error| logged(&error))? else { return Ok(None) };
        let (mut stream, mut at) = (ShardStream::new(pack, number), 0);
        while at < len {
            let piece = (len - at).min(crate::limits::PIECE_LEN as u64);
            let bytes = self.store.read_at(name, at, piece as usize).map_err(|error| logged(&error))?;
            if stream.update(&bytes).is_err() {
                return Ok(None);
            }
            at += piece;
        }
        Ok(stream.finish().ok())
    }

    /// A configuration of the same keys; any, where there is none.
    fn check_config(&self, bytes: &[u8]) -> Result<(), Failure> {
        let malformed = |error: crate::format::DecodeError| {
            Failure::new(FailCode::Damaged, 0, format!("the configuration cannot be read: {error}"))
        };
        let new = Config::decode(bytes).map_err(malformed)?;
        let names = self.store.names("config/").map_err(|error| logged(&error))?;
        for name in names {
            let there = self.store.get(&name, crate::limits::CONFIG_LEN_MAX as u64);
            let Some(there) = there.ok().and_then(|bytes| Config::decode(&bytes).ok()) else { continue };
            if (there.family, there.root_key) != (new.family, new.root_key) {
                return Err(refused("the configuration is of another family of keys"));
            }
        }
        Ok(())
    }

    /// Appends an entry to the log, if it keeps all rules: one transaction.
    fn append(
        &self,
        name: &BlobName,
        number: u64,
        file: &[u8],
        (grant, key): (&Grant, &PeerKey),
        brought: bool,
    ) -> Result<Reply, Failure> {
        let mut state = locked(&self.state);
        self.log(&mut state)?;
        if number <= state.log.as_ref().map_or(0, |log| log.state.number) {
            if self.has(name)? {
                return Ok(Reply::Exists);
            }
            // Somebody has taken it away behind this host's back: what is known of the log is out of date.
            state.log = None;
            self.log(&mut state)?;
        }
        let log = state.log.as_ref().expect("it was just read");
        let next = log.state.number + 1;
        if number < next {
            return Err(refused(format!("entry {number} is missing, but later ones are there")));
        }
        if number > next {
            return Err(refused(format!("entry {number} cannot follow entry {}", next - 1)));
        }
        let public = log.check_next(file).map_err(|error| repo_failure(&error))?;
        rules::check_entry(log, grant, &public)?;
        self.check_stored(&mut state, &public, brought).inspect_err(|_| state.lying.doubt())?;
        self.receipt(file, &public, grant, key)?;
        let put = self.store.put_new(name, &[file]).map_err(|error| logged(&error))?;
        state.used += file.len() as u64;
        for pack in &public.packs_added {
            state.checked.remove(&pack.uid);
            state.shards.remove(&pack.uid);
        }
        self.log(&mut state)?;
        Ok(if put == Put::Created { Reply::Created { root: None } } else { Reply::Exists })
    }

    /// What an entry adds is there, and is what the entry says. What is not there at all an entry that is `brought` along may lack.
    fn check_stored(&self, state: &mut State, public: &EntryPublic, brought: bool) -> Result<(), Failure> {
        for record in &public.packs_added {
            let is_right = match (state.checked.get(&record.uid), state.shards.get(&record.uid)) {
                (Some(header), _) => is_of(header, record) && self.is_there(record)?,
                (None, Some(len)) => *len == record.len,
                // It came before this host was started, which may have been killed before the name was durable.
                (None, None) => match self.shard_of(&mut state.lying, record)? {
                    Some(header) => header.pack.len == record.len,
                    None if brought && !self.has(&crate::cas::pack_name(&record.uid))? => true,
                    None => {
                        self.settle(&crate::cas::pack_name(&record.uid))?;
                        self.read_pack(record)?
                    }
                },
            };
            if !is_right {
                return Err(refused(format!("pack {} is not what the entry says of it", record.uid)));
            }
        }
        for record in &public.segments_added {
            if brought && !self.has(&crate::cas::segment_name(&record.uid))? {
                continue;
            }
            self.settle(&crate::cas::segment_name(&record.uid))?;
            check_segment_bytes(&*self.store, record, &|_| {}).map_err(|error| {
                let why = format!("index segment {} is not what the entry says of it: {error}", record.uid);
                Failure::new(FailCode::Damaged, 0, why)
            })?;
        }
        Ok(())
    }

    fn settle(&self, name: &BlobName) -> Result<(), Failure> {
        self.store.settle(name).map_err(|error| logged(&error))
    }

    fn has(&self, name: &BlobName) -> Result<bool, Failure> {
        Ok(self.store.len(name).map_err(|error| logged(&error))?.is_some())
    }

    /// The header of the shard of a pack that is here, if there is one and it is right.
    fn shard_of(&self, lying: &mut Shards, record: &PackRecord) -> Result<Option<ShardHeader>, Failure> {
        let numbers = lying.of(&record.uid, || self.store.names("shards/"));
        for number in numbers.map_err(|error| logged(&error))? {
            let name = shard_name(&record.uid, usize::from(number));
            if let Some(header) = self.stored_shard(&name, record.uid, number)? {
                self.settle(&name)?;
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    fn is_there(&self, record: &PackRecord) -> Result<bool, Failure> {
        let len = self.store.len(&crate::cas::pack_name(&record.uid)).map_err(|error| logged(&error))?;
        Ok(len == Some(record.len))
    }

    fn read_pack(&self, record: &PackRecord) -> Result<bool, Failure> {
        let mut faults = Vec::new();
        let sealed = SealedPack::open(&*self.store, record, &mut faults).map_err(|error| damaged(&error))?;
        let is_right = is_of(sealed.header(), record) && faults.is_empty();
        sealed.finish(&|_| {}).map_err(|error| damaged(&error))?;
        Ok(is_right)
    }

    /// Notes when the entry came and from whom, before it counts.
    fn receipt(
        &self,
        file: &[u8],
        public: &EntryPublic,
        grant: &Grant,
        key: &PeerKey,
    ) -> Result<(), Failure> {
        let opened =
            open_envelope(file).map_err(|error| Failure::new(FailCode::Damaged, 0, error.to_string()))?;
        let receipt = Receipt {
            number: public.number,
            hash: entry_hash(&opened.content),
            time: (self.now)(),
            key: *key.as_bytes(),
            rights: grant.rights(),
            commits: public.commits.iter().map(|commit| commit.id).collect(),
        };
        let (name, bytes) = (receipts::name(public.number), receipt.encode());
        match self.store.put_new(&name, &[&bytes]).map_err(|error| logged(&error))? {
            Put::Created => Ok(()),
            // One that is there belongs to an entry that came to nothing.
            Put::Exists => self.store.replace(&name, &bytes).map_err(|error| logged(&error)),
        }
    }

    /// Deletes what the log says is gone.
    pub(super) fn delete(&self, name: &BlobName, kind: Kind, grant: &Grant) -> Result<Reply, Failure> {
        {
            let mut state = locked(&self.state);
            match self.log(&mut state) {
                Ok(log) => rules::check_delete(log, grant, kind, name.as_str())?,
                Err(failure) if failure.code != FailCode::NoRepository => return Err(failure),
                Err(_) => return Ok(Reply::Deleted { existed: false }),
            }
        }
        let len = self.store.len(name).map_err(|error| logged(&error))?.unwrap_or(0);
        let (existed, mut state) = match kind {
            // In one step: a shard that comes meanwhile must not be thought gone.
            Kind::Shard(pack, number) => {
                let mut state = locked(&self.state);
                let existed = self.store.delete(name).map_err(|error| logged(&error))?;
                state.shards.remove(&pack);
                state.lying.went(pack, number);
                (existed, state)
            }
            _ => (self.store.delete(name).map_err(|error| logged(&error))?, locked(&self.state)),
        };
        if existed {
            state.used = state.used.saturating_sub(len);
        }
        if matches!(kind, Kind::Log(_) | Kind::Config) {
            state.log = None;
        }
        Ok(Reply::Deleted { existed })
    }

    /// What proves the shards of a pack.
    pub(super) fn proofs(&self, pack: PackId) -> Result<Arc<Proofs>, Failure> {
        if let Some(proofs) = locked(&self.trees).get(&pack) {
            return Ok(Arc::clone(proofs));
        }
        let record = self.with_log(|log| log.state.packs.get(&pack).copied())?;
        let unknown = || Failure::new(FailCode::NotFound, 0, format!("pack {pack} is not in the log"));
        let proofs = Proofs::read(&*self.store, &record.ok_or_else(unknown)?)?;
        let proofs = Arc::new(proofs);
        locked(&self.trees).put(pack, Arc::clone(&proofs));
        Ok(proofs)
    }

    /// The hash of a whole pack, keyed with a challenge.
    pub(super) fn possession(&self, pack: PackId, challenge: &[u8; 32]) -> Result<[u8; 32], Failure> {
        let name = crate::cas::pack_name(&pack);
        let len = self.store.len(&name).map_err(|error| logged(&error))?;
        let len = len.ok_or_else(|| Failure::new(FailCode::NotFound, 0, format!("{name} is not there")))?;
        let mut hasher = blake3::Hasher::new_keyed(challenge);
        let mut at = 0;
        while at < len {
            let piece = (len - at).min(crate::limits::PIECE_LEN as u64) as usize;
            hasher.update(&self.store.read_at(&name, at, piece).map_err(|error| logged(&error))?);
            at += piece as u64;
        }
        Ok(*hasher.finalize().as_bytes())
    }

    /// Files of log entries from one on, as many as fit a frame.
    pub(super) fn entries(&self, from: u64) -> Result<Reply, Failure> {
        let (mut lens, mut bytes) = (Vec::new(), Vec::new());
        for number in from.. {
            let name = BlobName::new(&format!("log/{number:010}"));
            let Ok(name) = name else { break };
            let room = (crate::limits::PIECE_LEN - bytes.len()) as u64;
            match self.store.get(&name, room) {
                Ok(file) => {
                    lens.push(file.len() as u32);
                    bytes.extend_from_slice(&file);
                }
                Err(error) if error.is_not_found() => break,
                Err(crate::store::StoreError::TooLarge { .. }) if !lens.is_empty() => break,
                Err(error) => return Err(logged(&error)),
            }
        }
        Ok(Reply::Entries { lens, bytes: Bytes::from(bytes) })
    }
}

fn is_of(header: &PackHeader, record: &PackRecord) -> bool {
    let found: (PackId, u64, Root, Root, u32) =
        (header.uid, header.total_len(), header.payload_root, header.parity_root, header.epoch);
    found == (record.uid, record.len, record.payload_root, record.parity_root, record.epoch)
}

/// The header of a shard that came whole, if it is right.
fn shard_header(bytes: &[u8], pack: PackId, number: u16) -> Result<ShardHeader, Failure> {
    let mut stream = ShardStream::new(pack, number);
    stream.update(bytes).map_err(|error| damaged(&error))?;
    stream.finish().map_err(|error| damaged(&error))
}

pub(super) fn damaged(error: &crate::cas::CasError) -> Failure {
    Failure::new(FailCode::Damaged, 0, error.to_string())
}

/// Tells the log of the host all, and the other end what it may know.
pub(super) fn logged(error: &crate::store::StoreError) -> Failure {
    let failure = store_failure(error);
    if matches!(failure.code, FailCode::Store | FailCode::Full) {
        tracing::error!(%error, source = ?std::error::Error::source(error), "the store failed");
    }
    failure
}

fn repo_failure(error: &RepoError) -> Failure {
    match error {
        RepoError::NoRepository { .. } => {
            Failure::new(FailCode::NoRepository, 0, "there is no repository at this path")
        }
        RepoError::Store { source, .. } => logged(source),
        RepoError::Log { .. } | RepoError::Crypto { .. } => refused(error.to_string()),
        error => Failure::new(FailCode::Damaged, 0, error.to_string()),
    }
}
