//! Healing while reading: a damaged pack is read as a whole, healed in memory, and read on from there.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::format::log::PackRecord;
use crate::format::pack::PackHeader;
use crate::id::PackId;
use crate::observe::Observer;
use crate::store::{BlobName, StorageBackend, StoreError};

use super::CasError;
use super::heal::{HealError, Healed, PackHealth, heal, inspect, own_record};
use super::vault::{Vault, pack_name};

/// Lengths of the pieces in which a file is read that cannot be read as a whole: some that go quickly, and in them the
/// smallest that a disk loses.
const PIECES: [usize; 2] = [256 << 10, 4096];

/// Heals packs for readers, and keeps the last one: a restore reads all blocks of a pack one after the other.
#[derive(Default)]
pub(super) struct Healer {
    last: Mutex<Option<(PackId, Outcome)>>,
    told: Mutex<HashSet<PackId>>,
    observer: Mutex<Option<Arc<dyn Observer>>>,
}

/// What became of a pack.
type Outcome = Result<Arc<HealedPack>, HealError>;

/// A pack in memory, as it was written.
pub(super) struct HealedPack {
    pack: PackId,
    healed: Healed,
}

impl fmt::Debug for Healer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Healer").finish_non_exhaustive()
    }
}

impl HealedPack {
    pub(super) fn len(&self) -> usize {
        self.healed.bytes.len()
    }

    /// `len` bytes from `offset` on.
    pub(super) fn read_at(&self, offset: u64, len: usize) -> Result<&[u8], CasError> {
        let start = usize::try_from(offset).ok();
        let range = start.and_then(|start| Some(start..start.checked_add(len)?));
        range.and_then(|range| self.healed.bytes.get(range)).ok_or_else(|| {
            let (name, location) = (pack_name(&self.pack).as_str().to_owned(), "memory".to_owned());
            StoreError::Short { name, location, len: self.len() as u64, offset, wanted: len as u64 }.into()
        })
    }
}

impl Healer {
    pub(super) fn tell(&self, observer: Arc<dyn Observer>) {
        *self.observer.lock().expect("no panic while locked") = Some(observer);
    }

    /// What was read, or, if that failed as it does where bytes have rotted, what `read` makes of the healed pack.
    ///
    /// Where healing does not help, the error is the first one; where too much is lost, it says how much.
    pub(super) fn retry<T>(
        &self,
        vault: &Vault,
        pack: &PackId,
        done: Result<T, CasError>,
        read: impl FnOnce(&HealedPack) -> Result<T, CasError>,
    ) -> Result<T, CasError> {
        let error = match done {
            Err(error) if error.may_be_rot() => error,
            done => return done,
        };
        match self.healed(vault.store(), pack) {
            Ok(Some(healed)) => {
                let read = read(&healed).map_err(|_| error)?;
                self.say(&healed);
                Ok(read)
            }
            Err(source @ HealError::TooMany { .. }) => Err(CasError::Lost { source }),
            Ok(None) | Err(_) => Err(error),
        }
    }

    /// The healed pack; `None`: its file cannot be read.
    ///
    /// Whoever comes meanwhile waits: most want the same pack.
    fn healed(
        &self,
        store: &dyn StorageBackend,
        pack: &PackId,
    ) -> Result<Option<Arc<HealedPack>>, HealError> {
        let mut last = self.last.lock().expect("no panic while locked");
        if let Some((of, outcome)) = &*last
            && of == pack
        {
            return outcome.clone().map(Some);
        }
        // Makes room before another pack is read.
        *last = None;
        let Ok(bytes) = read_damaged(store, pack) else { return Ok(None) };
        let record = own_record(&bytes, *pack).ok_or(HealError::NoHeader { pack: *pack });
        let healed = record.and_then(|record| heal(&bytes, &record));
        let outcome = healed.map(|healed| Arc::new(HealedPack { pack: *pack, healed }));
        *last = Some((*pack, outcome.clone()));
        outcome.map(Some)
    }

    /// Tells of a damaged pack, once.
    fn say(&self, healed: &HealedPack) {
        let health = &healed.healed.health;
        if health.is_whole() || !self.told.lock().expect("no panic while locked").insert(healed.pack) {
            return;
        }
        let observer = self.observer.lock().expect("no panic while locked").clone();
        let Some(observer) = observer else { return };
        let what = match health.damaged() {
            0 => "its ends are damaged".to_owned(),
            damaged => format!(
                "{damaged} of its {} shards are damaged, and {} can be healed",
                health.shards(),
                health.parity_shards
            ),
        };
        let name = pack_name(&healed.pack);
        observer.notice(&format!("{name}: {what}; what was read of it is whole, but the file is not"));
    }
}

/// The file of a pack as far as it can be read: what the disk does not give counts as zeros, which [`heal`] takes for damage.
///
/// # Errors
/// When there is no such file, it is longer than a pack, or nothing of it can be read.
pub fn read_damaged(store: &dyn StorageBackend, pack: &PackId) -> Result<Vec<u8>, StoreError> {
    let name = pack_name(pack);
    let error = match store.get(&name, PackHeader::TOTAL_LEN_MAX) {
        Err(error @ StoreError::Io { .. }) => error,
        done => return done,
    };
    let len = store.len(&name)?.filter(|len| *len <= PackHeader::TOTAL_LEN_MAX);
    let mut bytes = vec![0; len.and_then(|len| usize::try_from(len).ok()).unwrap_or(0)];
    let mut read = 0;
    for start in (0..bytes.len()).step_by(PIECES[0]) {
        let end = bytes.len().min(start + PIECES[0]);
        if read_piece(store, &name, start, &mut bytes[start..end]) {
            read += 1;
            continue;
        }
        for start in (start..end).step_by(PIECES[1]) {
            let end = end.min(start + PIECES[1]);
            read += usize::from(read_piece(store, &name, start, &mut bytes[start..end]));
        }
    }
    if read > 0 { Ok(bytes) } else { Err(error) }
}

fn read_piece(store: &dyn StorageBackend, name: &BlobName, start: usize, to: &mut [u8]) -> bool {
    store.read_at(name, start as u64, to.len()).is_ok_and(|bytes| {
        to.copy_from_slice(&bytes);
        true
    })
}

/// What state a pack's file is in, as far as it can be read. `record` is what the log says of it.
///
/// # Errors
/// As [`inspect`](super::inspect); [`HealError::NoHeader`] where nothing of it can be read.
pub fn pack_health(store: &dyn StorageBackend, record: &PackRecord) -> Result<PackHealth, HealError> {
    let bytes = read_damaged(store, &record.uid);
    inspect(&bytes.map_err(|_| HealError::NoHeader { pack: record.uid })?, record)
}
