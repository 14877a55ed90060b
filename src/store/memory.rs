//! A store in memory: for tests, and for what need not last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::backend::{listed_folder, part_of};
use super::{BlobInfo, BlobName, Put, StorageBackend, StoreError};

type Blobs = BTreeMap<BlobName, Arc<Vec<u8>>>;

/// Blobs in memory, gone with the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    blobs: Mutex<Blobs>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy that goes its own way from here on.
    pub fn fork(&self) -> Self {
        Self { blobs: Mutex::new(self.blobs().clone()) }
    }

    /// Puts `bytes` under a name whatever stands there: how damage and rollback are imitated.
    pub fn overwrite(&self, name: &BlobName, bytes: Vec<u8>) {
        self.blobs().insert(name.clone(), Arc::new(bytes));
    }

    fn blobs(&self) -> MutexGuard<'_, Blobs> {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn blob(&self, name: &BlobName) -> Result<Arc<Vec<u8>>, StoreError> {
        let not_found = || StoreError::NotFound { name: name.to_string(), location: self.location() };
        self.blobs().get(name).cloned().ok_or_else(not_found)
    }
}

impl StorageBackend for MemoryStore {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn put_new(&self, name: &BlobName, parts: &[&[u8]]) -> Result<Put, StoreError> {
        use std::collections::btree_map::Entry;
        match self.blobs().entry(name.clone()) {
            Entry::Occupied(_) => Ok(Put::Exists),
            Entry::Vacant(free) => {
                free.insert(Arc::new(parts.concat()));
                Ok(Put::Created)
            }
        }
    }

    fn replace(&self, name: &BlobName, bytes: &[u8]) -> Result<(), StoreError> {
        self.overwrite(name, bytes.to_vec());
        Ok(())
    }

    fn get(&self, name: &BlobName, max: u64) -> Result<Vec<u8>, StoreError> {
        let blob = self.blob(name)?;
        let len = blob.len() as u64;
        if len > max {
            return Err(StoreError::TooLarge { name: name.to_string(), location: self.location(), len, max });
        }
        Ok(blob.to_vec())
    }

    fn read_at(&self, name: &BlobName, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let blob = self.blob(name)?;
        part_of(&blob, (name, &|| self.location()), offset, len)
    }

    fn len(&self, name: &BlobName) -> Result<Option<u64>, StoreError> {
        Ok(self.blobs().get(name).map(|blob| blob.len() as u64))
    }

    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, StoreError> {
        let folder = listed_folder(prefix)?;
        let blobs = self.blobs();
        let inside = blobs.iter().filter(|(name, _)| name.folder() == Some(folder));
        Ok(inside.map(|(name, blob)| BlobInfo { name: name.clone(), len: blob.len() as u64 }).collect())
    }

    fn delete(&self, name: &BlobName) -> Result<bool, StoreError> {
        Ok(self.blobs().remove(name).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract;
    use super::*;

    #[test]
    fn keeps_the_contract() {
        contract::run(&MemoryStore::new());
    }

    #[test]
    fn a_fork_and_its_origin_do_not_see_each_other() {
        let (name, origin) = (BlobName::new("log/1").unwrap(), MemoryStore::new());
        let fork = origin.fork();
        fork.overwrite(&name, vec![1]);
        assert_eq!((origin.len(&name).unwrap(), fork.len(&name).unwrap()), (None, Some(1)));
    }
}
