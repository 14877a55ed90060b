//! A store behind a slow link: so many bytes a second go each way, and no more.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::id::PackId;

use super::{BlobInfo, BlobName, Put, ShardProof, StorageBackend, StoreError, TakeBlob};

/// What may go at once after a pause, in seconds of the rate.
const BURST: Duration = Duration::from_millis(250);
/// How often whoever waits looks whether to stop.
const STEP: Duration = Duration::from_millis(100);

/// Most bytes a second each way; `None`: any number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Towards the store.
    pub upload: Option<u64>,
    /// From the store.
    pub download: Option<u64>,
}

/// Hands bytes on at a rate: a bucket of tokens that fills while nothing goes.
#[derive(Debug)]
struct Bucket {
    rate: u64,
    /// When all that was promised so far has gone.
    free_at: Mutex<Instant>,
}

impl Bucket {
    fn new(rate: u64) -> Self {
        Self { rate: rate.max(1), free_at: Mutex::new(Instant::now()) }
    }

    /// Books the time that these bytes take; returns how long to wait from `now` on until they have gone.
    fn book(&self, bytes: u64, now: Instant) -> Duration {
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let start = (*free_at).max(now.checked_sub(BURST).unwrap_or(now));
        *free_at = start + Duration::from_secs_f64(bytes as f64 / self.rate as f64);
        free_at.saturating_duration_since(now)
    }

    /// Waits until these bytes may go, or somebody wants to stop.
    fn wait(&self, bytes: u64, cancelled: fn() -> bool) {
        let now = Instant::now();
        let end = now + self.book(bytes, now);
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|_| !cancelled()) {
            thread::sleep(left.min(STEP));
        }
    }
}

/// Limits that everything keeps to that shares them.
#[derive(Debug)]
pub struct Throttle {
    upload: Option<Bucket>,
    download: Option<Bucket>,
    cancelled: fn() -> bool,
}

impl Throttle {
    /// Nothing has gone yet. `cancelled` says whether nobody shall wait any more.
    pub fn new(limits: Limits, cancelled: fn() -> bool) -> Self {
        let [upload, download] = [limits.upload, limits.download].map(|rate| rate.map(Bucket::new));
        Self { upload, download, cancelled }
    }

    /// Waits until so many bytes may go out.
    pub fn up(&self, bytes: usize) {
        if let Some(bucket) = &self.upload {
            bucket.wait(bytes as u64, self.cancelled);
        }
    }

    /// Waits until so many bytes may come in.
    pub fn down(&self, bytes: usize) {
        if let Some(bucket) = &self.download {
            bucket.wait(bytes as u64, self.cancelled);
        }
    }
}

/// Another store, at most so many bytes a second. Names and lengths are free.
#[derive(Debug)]
pub struct ThrottledStore {
    inner: Arc<dyn StorageBackend>,
    throttle: Arc<Throttle>,
}

impl ThrottledStore {
    /// `inner` within limits, which others may share.
    pub fn new(inner: Arc<dyn StorageBackend>, throttle: Arc<Throttle>) -> Self {
        Self { inner, throttle }
    }

    fn up(&self, bytes: usize) {
        self.throttle.up(bytes);
    }

    fn down(&self, bytes: usize) {
        self.throttle.down(bytes);
    }
}

impl StorageBackend for ThrottledStore {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn is_far(&self) -> bool {
        self.inner.is_far()
    }

    fn room(&self) -> Option<u64> {
        self.inner.room()
    }

    fn may_delete(&self) -> bool {
        self.inner.may_delete()
    }

    fn put_new(&self, name: &BlobName, parts: &[&[u8]]) -> Result<Put, StoreError> {
        self.up(parts.iter().map(|part| part.len()).sum());
        self.inner.put_new(name, parts)
    }

    fn replace(&self, name: &BlobName, bytes: &[u8]) -> Result<(), StoreError> {
        self.up(bytes.len());
        self.inner.replace(name, bytes)
    }

    fn get(&self, name: &BlobName, max: u64) -> Result<Vec<u8>, StoreError> {
        let bytes = self.inner.get(name, max)?;
        self.down(bytes.len());
        Ok(bytes)
    }

    fn get_many(&self, names: &[BlobName], max: u64, take: &mut TakeBlob<'_>) -> Result<(), StoreError> {
        self.inner.get_many(names, max, &mut |name, got| {
            self.down(got.as_ref().map_or(0, Vec::len));
            take(name, got)
        })
    }

    fn read_at(&self, name: &BlobName, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let bytes = self.inner.read_at(name, offset, len)?;
        self.down(bytes.len());
        Ok(bytes)
    }

    fn len(&self, name: &BlobName) -> Result<Option<u64>, StoreError> {
        self.inner.len(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, StoreError> {
        self.inner.list(prefix)
    }

    fn clear_temporaries(&self, unused_for: Duration) -> Result<u64, StoreError> {
        self.inner.clear_temporaries(unused_for)
    }

    fn names(&self, prefix: &str) -> Result<Vec<BlobName>, StoreError> {
        self.inner.names(prefix)
    }

    fn names_after(&self, prefix: &str, after: &BlobName) -> Result<Vec<BlobName>, StoreError> {
        self.inner.names_after(prefix, after)
    }

    fn prove(&self, pack: &PackId, first: u32, count: u32) -> Result<Option<ShardProof>, StoreError> {
        let proof = self.inner.prove(pack, first, count)?;
        self.down(proof.as_ref().map_or(0, |proof| proof.bytes.len()));
        Ok(proof)
    }

    fn possession(&self, pack: &PackId, challenge: &[u8; 32]) -> Result<Option<[u8; 32]>, StoreError> {
        self.inner.possession(pack, challenge)
    }

    fn keyed(&self, key: &[u8; 32]) {
        self.inner.keyed(key);
    }

    fn doubt(&self, name: &BlobName) -> bool {
        self.inner.doubt(name)
    }

    fn settle(&self, name: &BlobName) -> Result<(), StoreError> {
        self.inner.settle(name)
    }

    fn delete(&self, name: &BlobName) -> Result<bool, StoreError> {
        self.inner.delete(name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MemoryStore, contract};
    use super::*;

    #[test]
    fn keeps_the_contract() {
        let limits = Limits { upload: Some(1 << 30), download: Some(1 << 30) };
        contract::run(&ThrottledStore::new(
            Arc::new(MemoryStore::new()),
            Arc::new(Throttle::new(limits, || false)),
        ));
    }

    #[test]
    fn bytes_go_at_the_rate_and_a_pause_saves_up_no_more_than_a_burst() {
        let bucket = Bucket::new(1000);
        let begun = *bucket.free_at.lock().unwrap();
        let ms = Duration::from_millis;
        assert_eq!(bucket.book(500, begun), ms(500));
        // Two that come at the same time share the rate.
        assert_eq!(bucket.book(500, begun), ms(1000));
        assert_eq!(bucket.book(100, begun + ms(900)), ms(200));
        // After a long pause the first quarter of a second is free.
        let later = begun + Duration::from_secs(60);
        assert_eq!(bucket.book(250, later), ms(0));
        assert_eq!(bucket.book(250, later), ms(250));
    }

    /// A store that answers what only stores elsewhere answer.
    #[derive(Debug)]
    struct Elsewhere(MemoryStore, std::sync::atomic::AtomicBool);

    impl StorageBackend for Elsewhere {
        fn location(&self) -> String {
            "elsewhere".to_owned()
        }
        fn put_new(&self, name: &BlobName, parts: &[&[u8]]) -> Result<Put, StoreError> {
            self.0.put_new(name, parts)
        }
        fn replace(&self, name: &BlobName, bytes: &[u8]) -> Result<(), StoreError> {
            self.0.replace(name, bytes)
        }
        fn get(&self, name: &BlobName, max: u64) -> Result<Vec<u8>, StoreError> {
            self.0.get(name, max)
        }
        fn read_at(&self, name: &BlobName, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
            self.0.read_at(name, offset, len)
        }
        fn len(&self, name: &BlobName) -> Result<Option<u64>, StoreError> {
            self.0.len(name)
        }
        fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, StoreError> {
            self.0.list(prefix)
        }
        fn delete(&self, name: &BlobName) -> Result<bool, StoreError> {
            self.0.delete(name)
        }
        fn prove(&self, _: &PackId, _: u32, _: u32) -> Result<Option<ShardProof>, StoreError> {
            let bytes = vec![1; 5000];
            Ok(Some(ShardProof { shard_len: 5000, leaf_count: 1, paths: vec![Vec::new()], bytes }))
        }
        fn possession(&self, _: &PackId, challenge: &[u8; 32]) -> Result<Option<[u8; 32]>, StoreError> {
            Ok(Some(*challenge))
        }
        fn settle(&self, _: &BlobName) -> Result<(), StoreError> {
            self.1.store(true, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        }
    }

    #[test]
    fn proofs_come_through_and_take_their_time() {
        let inner = Arc::new(Elsewhere(MemoryStore::new(), false.into()));
        let limits = Limits { upload: None, download: Some(10_000) };
        let store = ThrottledStore::new(inner.clone(), Arc::new(Throttle::new(limits, || false)));
        let (pack, begun) = (PackId::new([1; 16]), Instant::now());
        assert_eq!(store.prove(&pack, 0, 1).unwrap().unwrap().bytes.len(), 5000);
        assert!(begun.elapsed() >= Duration::from_millis(240));
        assert_eq!(store.possession(&pack, &[7; 32]).unwrap(), Some([7; 32]));
        store.settle(&BlobName::new("a").unwrap()).unwrap();
        assert!(inner.1.load(std::sync::atomic::Ordering::Relaxed));
    }

    #[test]
    fn each_way_has_its_own_limit() {
        let limits = Limits { upload: Some(40_000), download: None };
        let store =
            ThrottledStore::new(Arc::new(MemoryStore::new()), Arc::new(Throttle::new(limits, || false)));
        let (name, begun) = (BlobName::new("a").unwrap(), Instant::now());
        store.put_new(&name, &[&[0; 20_000]]).unwrap();
        let written = begun.elapsed();
        assert!(written >= Duration::from_millis(240), "{written:?}");
        let begun = Instant::now();
        store.get(&name, 20_000).unwrap();
        assert!(begun.elapsed() < Duration::from_millis(200));
    }
}
