//! A repository at the other end of a transport, as a store.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::id::PackId;
use crate::store::{BlobInfo, BlobName, Put, ShardProof, StorageBackend, StoreError, TakeBlob};
use crate::sync::{
    FailCode, Reply, Request, Rights, Shards, TransferConfig, TransferCounts, TransferEngine, TransferError,
    Transport, Uploaded, payload_root,
};

/// Most bytes of log entries that are kept: they come many at once, and are asked for one by one.
const ENTRIES_LEN_MAX: usize = 4 << 20;

/// Blobs at another end.
#[derive(Debug)]
pub struct RemoteStore {
    engine: TransferEngine,
    rights: Rights,
    /// Bytes that it might grow by when it was opened.
    room: u64,
    /// Files of log entries that came with others.
    entries: Mutex<BTreeMap<u64, Bytes>>,
}

impl RemoteStore {
    /// Asks the other end for a repository; `create`: to make an empty store for it, if it is not there.
    ///
    /// # Errors
    /// [`StoreError::NotAStore`] if it is not there; when the other end cannot be reached, refuses, or is not who it should be.
    pub fn open(
        transport: Arc<dyn Transport>,
        (repository, create): (&str, bool),
        config: TransferConfig,
    ) -> Result<Self, StoreError> {
        let location = transport.location();
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| StoreError::Io {
            action: "draw random numbers for",
            path: location.clone(),
            source: io::Error::other(error),
        })?;
        let hello = Request::Hello { repository: repository.to_owned(), create };
        let engine = TransferEngine::new(Arc::clone(&transport), config.clone(), 1, seed);
        match engine.ask(&hello) {
            Ok(Reply::Welcome { rights, room, ahead, .. }) => {
                let engine = TransferEngine::new(transport, config, ahead, seed);
                Ok(Self { engine, rights, room, entries: Mutex::default() })
            }
            Ok(_) => Err(io_error("open", &location, engine.nonsense("hello"))),
            Err(TransferError::Failed { failure, .. }) if failure.code == FailCode::NoRepository => {
                Err(StoreError::NotAStore { location })
            }
            Err(error) => Err(io_error("open", &location, error)),
        }
    }

    /// What this client may do there.
    pub fn rights(&self) -> Rights {
        self.rights
    }

    /// What was carried so far.
    pub fn counts(&self) -> &TransferCounts {
        self.engine.counts()
    }

    fn failed(&self, action: &'static str, name: &BlobName, error: TransferError) -> StoreError {
        let (text, location) = (name.to_string(), self.location());
        match error.failure().map(|failure| (failure.code, failure.number)) {
            Some((FailCode::NotFound, _)) => StoreError::NotFound { name: text, location },
            _ => io_error(action, &format!("{text} in {location}"), error),
        }
    }

    /// Why a whole blob of at most `max` bytes was not read.
    fn unread(&self, name: &BlobName, max: u64, error: TransferError) -> StoreError {
        match error.failure() {
            Some(failure) if failure.code == FailCode::TooLarge => {
                let (name, location) = (name.to_string(), self.location());
                StoreError::TooLarge { name, location, len: failure.number, max }
            }
            _ => self.failed("read", name, error),
        }
    }

    fn entry(&self, number: u64, name: &BlobName, max: u64) -> Result<Vec<u8>, StoreError> {
        if let Some(file) = self.entries().get(&number) {
            return Ok(file.to_vec());
        }
        let failed = |error| self.failed("read", name, error);
        let (lens, mut bytes) = match self.engine.ask(&Request::Entries { from: number }) {
            Ok(Reply::Entries { lens, bytes }) => (lens, bytes),
            Ok(_) => return Err(failed(self.engine.nonsense("entries"))),
            // One that is long.
            Err(error) if error.failure().is_some_and(|failure| failure.code == FailCode::TooLarge) => {
                return self.engine.get(name.as_str(), max).map_err(failed);
            }
            Err(error) => return Err(failed(error)),
        };
        if lens.is_empty() {
            return Err(StoreError::NotFound { name: name.to_string(), location: self.location() });
        }
        let mut entries = self.entries();
        if entries.values().map(Bytes::len).sum::<usize>() > ENTRIES_LEN_MAX {
            entries.clear();
        }
        let files = lens.iter().map(|len| bytes.split_to(*len as usize));
        entries.extend((number..).zip(files));
        Ok(entries[&number].to_vec())
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Bytes>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The blobs of a folder behind a name.
    fn list_after(&self, prefix: &str, start: Option<&BlobName>) -> Result<Vec<BlobInfo>, StoreError> {
        let folder = self.folder_of(prefix)?;
        let failed = |error| self.failed("list", &folder, error);
        let mut blobs: Vec<BlobInfo> = Vec::new();
        loop {
            let after = blobs.last().map(|blob| &blob.name).or(start).map(|name| name.as_str().to_owned());
            let ask = Request::List { folder: prefix.to_owned(), after: after.clone() };
            let Reply::Listing { blobs: page, more } = self.engine.ask(&ask).map_err(failed)? else {
                return Err(failed(self.engine.nonsense("list")));
            };
            let is_behind =
                |name: &str| name.starts_with(prefix) && after.as_deref().is_none_or(|after| name > after);
            if !page.iter().all(|blob| is_behind(&blob.name)) {
                return Err(failed(self.engine.nonsense("list")));
            }
            let known = |blob: crate::sync::Blob| {
                Some(BlobInfo { name: BlobName::new(&blob.name).ok()?, len: blob.len })
            };
            blobs.extend(page.into_iter().filter_map(known));
            if !more {
                return Ok(blobs);
            }
        }
    }

    fn folder_of(&self, prefix: &str) -> Result<BlobName, StoreError> {
        BlobName::new(prefix.trim_end_matches('/'))
    }
}

/// The number of a log entry, by its name.
fn entry_number(name: &BlobName) -> Option<u64> {
    name.as_str().strip_prefix("log/")?.parse().ok()
}

fn io_error(action: &'static str, path: &str, error: TransferError) -> StoreError {
    let kind = match error.failure().map(|failure| failure.code) {
        Some(FailCode::Denied) => ErrorKind::PermissionDenied,
        Some(FailCode::Full) => ErrorKind::StorageFull,
        Some(FailCode::Quota) => ErrorKind::QuotaExceeded,
        Some(FailCode::Busy) => ErrorKind::ResourceBusy,
        Some(FailCode::Damaged) => ErrorKind::InvalidData,
        Some(_) => ErrorKind::Other,
        None => match &error {
            TransferError::Transport { source } if source.is_transient() => ErrorKind::ConnectionAborted,
            _ => ErrorKind::Other,
        },
    };
    StoreError::Io { action, path: path.to_owned(), source: io::Error::new(kind, error) }
}

impl StorageBackend for RemoteStore {
    fn location(&self) -> String {
        self.engine.location()
    }

    fn is_far(&self) -> bool {
        true
    }

    fn room(&self) -> Option<u64> {
        Some(self.room)
    }

    fn may_delete(&self) -> bool {
        self.rights.has(Rights::GC)
    }

    fn put_new(&self, name: &BlobName, parts: &[&[u8]]) -> Result<Put, StoreError> {
        let bytes = Bytes::from(parts.concat());
        let root = payload_root(&bytes).filter(|_| name.folder() == Some("packs"));
        match self.engine.upload(name.as_str(), &bytes, root) {
            Ok(Uploaded::Created) => {
                // Whoever has written an entry reads it next.
                if let Some(number) = entry_number(name) {
                    self.entries().insert(number, bytes);
                }
                Ok(Put::Created)
            }
            Ok(Uploaded::Exists) => Ok(Put::Exists),
            Err(error) => Err(self.failed("store", name, error)),
        }
    }

    fn replace(&self, name: &BlobName, bytes: &[u8]) -> Result<(), StoreError> {
        self.entries().clear();
        let replaced = self.engine.replace(name.as_str(), &Bytes::copy_from_slice(bytes));
        replaced.map_err(|error| self.failed("replace", name, error))
    }

    fn get(&self, name: &BlobName, max: u64) -> Result<Vec<u8>, StoreError> {
        if let Some(number) = entry_number(name) {
            return self.entry(number, name, max);
        }
        self.engine.get(name.as_str(), max).map_err(|error| self.unread(name, max, error))
    }

    fn get_many(&self, names: &[BlobName], max: u64, take: &mut TakeBlob<'_>) -> Result<(), StoreError> {
        // Entries of the log come many in one reply.
        if names.iter().any(|name| entry_number(name).is_some()) {
            return names.iter().try_for_each(|name| take(name, self.get(name, max)));
        }
        self.engine.get_many(names.iter().map(BlobName::as_str), max, |number, got| {
            let name = &names[number];
            take(name, got.map_err(|error| self.unread(name, max, error)))
        })
    }

    fn read_at(&self, name: &BlobName, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        self.engine.read(name.as_str(), offset, len).map_err(|error| match error.failure() {
            Some(failure) if failure.code == FailCode::Short => {
                let (name, location) = (name.to_string(), self.location());
                StoreError::Short { name, location, len: failure.number, offset, wanted: len as u64 }
            }
            _ => self.failed("read", name, error),
        })
    }

    fn len(&self, name: &BlobName) -> Result<Option<u64>, StoreError> {
        match self.engine.ask(&Request::Len { name: name.as_str().to_owned() }) {
            Ok(Reply::Len { len }) => Ok(len),
            Ok(_) => Err(self.failed("read", name, self.engine.nonsense("len"))),
            Err(error) => Err(self.failed("read", name, error)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, StoreError> {
        self.list_after(prefix, None)
    }

    fn names_after(&self, prefix: &str, after: &BlobName) -> Result<Vec<BlobName>, StoreError> {
        Ok(self.list_after(prefix, Some(after))?.into_iter().map(|blob| blob.name).collect())
    }
    fn prove(&self, pack: &PackId, first: u32, count: u32) -> Result<Option<ShardProof>, StoreError> {
        let ask = Request::Prove { pack: *pack, first, count };
        let failed = |error| io_error("prove", &format!("pack {pack} in {}", self.location()), error);
        let Reply::Shards(Shards { shard_len, leaf_count, paths, bytes }) =
            self.engine.ask(&ask).map_err(failed)?
        else {
            return Err(failed(self.engine.nonsense("prove")));
        };
        Ok(Some(ShardProof { shard_len, leaf_count, paths, bytes: bytes.to_vec() }))
    }

    fn possession(&self, pack: &PackId, challenge: &[u8; 32]) -> Result<Option<[u8; 32]>, StoreError> {
        let ask = Request::Possess { pack: *pack, challenge: *challenge };
        let failed = |error| io_error("prove", &format!("pack {pack} in {}", self.location()), error);
        match self.engine.ask(&ask).map_err(failed)? {
            Reply::Possession { hash } => Ok(Some(hash)),
            _ => Err(failed(self.engine.nonsense("possess"))),
        }
    }

    fn delete(&self, name: &BlobName) -> Result<bool, StoreError> {
        if name.folder() == Some("log") {
            self.entries().clear();
        }
        match self.engine.ask(&Request::Delete { name: name.as_str().to_owned() }) {
            Ok(Reply::Deleted { existed }) => Ok(existed),
            Ok(_) => Err(self.failed("delete", name, self.engine.nonsense("delete"))),
            Err(error) => Err(self.failed("delete", name, error)),
        }
    }
}
