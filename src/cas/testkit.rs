//! What tests of packs share: packs of a few objects, in a store in memory.

use std::sync::{Arc, Mutex};

use crate::compress::{Compressor, Decompressor, Level};
use crate::crypto::{Keyring, NonceSource};
use crate::format::log::PackRecord;
use crate::format::pack::{Cipher, Parity};
use crate::id::{FamilyId, ObjectKind};
use crate::store::{MemoryStore, StorageBackend};
use crate::testing::Rng;

use super::{BlockBuilder, CasError, Index, PackMap, Sealer, Vault, pack_name};

/// Makes packs under one keyring.
pub(super) struct Packs {
    keyring: Keyring,
    parity: Parity,
    store: Arc<MemoryStore>,
}

/// Objects of `len` random bytes in all.
pub(super) fn objects(len: usize) -> Vec<Vec<u8>> {
    Rng::new(len as u64).bytes(len).chunks(60_000).map(<[u8]>::to_vec).collect()
}

impl Packs {
    pub(super) fn new(parity: Parity) -> Self {
        let keyring = Keyring::generate().expect("the system has random numbers");
        Self { keyring, parity, store: Arc::new(MemoryStore::new()) }
    }

    /// Who reads and writes packs in a store.
    pub(super) fn vault(&self, store: Arc<dyn StorageBackend>) -> Vault {
        let nonces = NonceSource::new().expect("the system has random numbers");
        let family = FamilyId::new([7; 16]);
        Vault::new(store, self.keyring.clone(), Cipher::XChaCha20Poly1305, family, nonces)
    }

    /// Writes a pack of these objects; returns what the log would say of it, and its bytes.
    pub(super) fn write(&self, objects: &[Vec<u8>]) -> (PackRecord, Vec<u8>) {
        let vault = Arc::new(self.vault(self.store.clone()));
        let index = Index::new(Arc::clone(&vault));
        let packs = Mutex::new(Vec::new());
        let sealer = Sealer::new(Arc::clone(&vault), &index, |pack| {
            packs.lock().unwrap().push(pack);
            Ok(())
        });
        let sealer = sealer.for_rewriting().with_parity(self.parity);
        let (mut builder, mut compressor) = (BlockBuilder::default(), Compressor::new(Level::Auto).unwrap());
        for object in objects {
            builder.push(ObjectKind::Chunk, &sealer.id(ObjectKind::Chunk, object), object);
            // Small blocks, so that packs have several.
            if builder.len() > 150_000 {
                sealer.add(builder.finish(&mut compressor).unwrap(), false).unwrap();
            }
        }
        if !builder.is_empty() {
            sealer.add(builder.finish(&mut compressor).unwrap(), false).unwrap();
        }
        sealer.finish().unwrap();
        drop(sealer);
        let packs = packs.into_inner().unwrap();
        assert_eq!(packs.len(), 1);
        let record = packs[0].write(&*self.store).unwrap();
        let bytes = self.store.get(&pack_name(&record.uid), u64::MAX).unwrap();
        assert_eq!((record.len, packs[0].len), (bytes.len() as u64, bytes.len() as u64));
        (record, bytes)
    }

    /// Who reads a store where these are the bytes of the pack.
    pub(super) fn reader(&self, record: &PackRecord, bytes: Vec<u8>) -> Vault {
        let store = MemoryStore::new();
        store.put_new(&pack_name(&record.uid), &[&bytes]).unwrap();
        self.vault(Arc::new(store))
    }

    /// All objects of a pack, through the reader.
    pub(super) fn read(&self, vault: &Vault, record: &PackRecord) -> Result<Vec<Vec<u8>>, CasError> {
        let map = PackMap::load(vault, &record.uid)?;
        let mut decompressor = Decompressor::new().unwrap();
        let mut objects = Vec::new();
        for block in 0..map.blocks() as u16 {
            let plain = map.read_block(vault, block, &mut decompressor)?;
            let mut rest = &plain[..];
            for entry in map.objects(block) {
                let (object, more) = rest.split_at(entry.len as usize);
                objects.push(object.to_vec());
                rest = more;
            }
        }
        Ok(objects)
    }
}
