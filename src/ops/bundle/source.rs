//! The packs of a bundle as a store that can only be read: so all that reads packs reads them, too, healed.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use crate::cas::{Healed, pack_name};
use crate::format::log::PackRecord;
use crate::store::{BlobInfo, BlobName, Put, StorageBackend, StoreError, part_of};

use super::file::BundleFile;

/// A bundle that is read like a store. Keeps the pack that was read last: readers go through one after the other.
#[derive(Debug)]
pub(super) struct BundleSource {
    file: BundleFile,
    packs: HashMap<BlobName, (PackRecord, u64)>,
    last: Mutex<Option<(BlobName, Arc<Vec<u8>>)>>,
}

impl BundleSource {
    pub(super) fn new(file: BundleFile) -> Self {
        let packs = file.packs().map(|pack| (pack_name(&pack.0.uid), pack)).collect();
        Self { file, packs, last: Mutex::default() }
    }

    pub(super) fn file(&self) -> &BundleFile {
        &self.file
    }

    /// Gives whoever reads a pack next the bytes that it was healed to.
    pub(super) fn keep(&self, record: &PackRecord, healed: Healed) -> Arc<Vec<u8>> {
        let bytes = Arc::new(healed.bytes);
        *self.last.lock().expect("no panic while locked") =
            Some((pack_name(&record.uid), Arc::clone(&bytes)));
        bytes
    }

    fn pack(&self, name: &BlobName) -> Result<Arc<Vec<u8>>, StoreError> {
        let mut last = self.last.lock().expect("no panic while locked");
        if let Some((of, bytes)) = &*last
            && of == name
        {
            return Ok(Arc::clone(bytes));
        }
        // Makes room before another pack is read.
        *last = None;
        let pack = *self.packs.get(name).ok_or_else(|| self.not_found(name))?;
        let healed =
            self.file.heal(pack).map_err(|error| self.refuse("heal", name, io::Error::other(error)))?;
        let bytes = Arc::new(healed.bytes);
        *last = Some((name.clone(), Arc::clone(&bytes)));
        Ok(bytes)
    }

    fn not_found(&self, name: &BlobName) -> StoreError {
        StoreError::NotFound { name: name.to_string(), location: self.location() }
    }

    fn refuse(&self, action: &'static str, name: &BlobName, source: io::Error) -> StoreError {
        StoreError::Io { action, path: format!("{name} in {}", self.location()), source }
    }

    fn read_only(&self, name: &BlobName) -> StoreError {
        self.refuse("change", name, io::ErrorKind::ReadOnlyFilesystem.into())
    }
}

impl StorageBackend for BundleSource {
    fn location(&self) -> String {
        self.file.path().display().to_string()
    }

    fn put_new(&self, name: &BlobName, _: &[&[u8]]) -> Result<Put, StoreError> {
        Err(self.read_only(name))
    }

    fn replace(&self, name: &BlobName, _: &[u8]) -> Result<(), StoreError> {
        Err(self.read_only(name))
    }

    fn get(&self, name: &BlobName, max: u64) -> Result<Vec<u8>, StoreError> {
        let bytes = self.pack(name)?;
        let (len, location) = (bytes.len() as u64, self.location());
        if len > max {
            return Err(StoreError::TooLarge { name: name.to_string(), location, len, max });
        }
        Ok(bytes.to_vec())
    }

    fn read_at(&self, name: &BlobName, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let bytes = self.pack(name)?;
        part_of(&bytes, (name, &|| self.location()), offset, len)
    }

    fn len(&self, name: &BlobName) -> Result<Option<u64>, StoreError> {
        Ok(self.packs.get(name).map(|(record, _)| record.len))
    }

    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, StoreError> {
        let is_inside = |name: &&BlobName| name.as_str().starts_with(prefix);
        let info = |name: &BlobName| BlobInfo { name: name.clone(), len: self.packs[name].0.len };
        let mut blobs: Vec<BlobInfo> = self.packs.keys().filter(is_inside).map(info).collect();
        blobs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(blobs)
    }

    fn delete(&self, name: &BlobName) -> Result<bool, StoreError> {
        Err(self.read_only(name))
    }
}
