//! The keyring: every secret of a family, and what is derived from them.

use super::{CryptoError, SealKey, Secret32, Signer};
use crate::id::{ChunkId, NamespaceId, ObjectKind, RefId};
use std::fmt;

/// The secrets of a family, opened. Wiped when dropped.
///
/// One root secret, from which every long-lived key is derived, and the data keys, one for each epoch, which are random.
/// `keys.md` beside this file is the whole hierarchy.
#[derive(Clone)]
pub struct Keyring {
    root_secret: Secret32,
    epochs: Vec<(u32, Secret32)>,
    derived: Derived,
}

/// Keys derived from the root secret.
#[derive(Clone)]
struct Derived {
    ids: [Secret32; ObjectKind::ALL.len()],
    chunking: Secret32,
    tree: Secret32,
    index: Secret32,
    log: Secret32,
    refs: Secret32,
    namespaces: Secret32,
    cache: Secret32,
    root_seed: Secret32,
}

impl Derived {
    fn new(root: &Secret32) -> Self {
        Self {
            ids: ObjectKind::ALL.map(|kind| root.derive(id_context(kind))),
            chunking: root.derive("warp 1 chunking"),
            tree: root.derive("warp 1 tree"),
            index: root.derive("warp 1 index"),
            log: root.derive("warp 1 log"),
            refs: root.derive("warp 1 ref id"),
            namespaces: root.derive("warp 1 namespace id"),
            cache: root.derive("warp 1 client cache"),
            root_seed: root.derive("warp 1 root signature"),
        }
    }
}

fn id_context(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Chunk => "warp 1 chunk id",
        ObjectKind::FileNode => "warp 1 file node id",
        ObjectKind::DirNode => "warp 1 directory node id",
        ObjectKind::Commit => "warp 1 commit id",
        ObjectKind::State => "warp 1 state id",
    }
}

impl Keyring {
    /// A new keyring with a random root secret and one epoch, number 1.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`].
    pub fn generate() -> Result<Self, CryptoError> {
        Self::from_parts(Secret32::generate()?, vec![(1, Secret32::generate()?)])
    }

    /// The keyring with these secrets. `epochs` are numbers and data keys, oldest first.
    ///
    /// # Errors
    /// [`CryptoError::Keyring`]: there is no epoch, or their numbers do not ascend.
    pub fn from_parts(root_secret: Secret32, epochs: Vec<(u32, Secret32)>) -> Result<Self, CryptoError> {
        if epochs.is_empty() {
            return Err(CryptoError::Keyring { why: "it has no data key" });
        }
        if !epochs.is_sorted_by(|one, next| one.0 < next.0) {
            return Err(CryptoError::Keyring { why: "the numbers of its epochs do not ascend" });
        }
        let derived = Derived::new(&root_secret);
        Ok(Self { root_secret, epochs, derived })
    }

    /// The root secret and the epochs, oldest first: what [`Keyring::from_parts`] takes.
    pub fn parts(&self) -> (&Secret32, &[(u32, Secret32)]) {
        (&self.root_secret, &self.epochs)
    }

    /// Number of the epoch whose data key seals what is written now.
    pub fn newest_epoch(&self) -> u32 {
        self.epochs.last().expect("a keyring has an epoch").0
    }

    /// Data key of an epoch; `None`: this keyring does not know the epoch.
    pub fn epoch_key(&self, epoch: u32) -> Option<&Secret32> {
        let at = self.epochs.binary_search_by_key(&epoch, |(number, _)| *number).ok()?;
        Some(&self.epochs[at].1)
    }

    /// Adds an epoch with a new random data key and returns its number. What was sealed before stays as it is.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`]; [`CryptoError::Keyring`] after 2^32 epochs.
    pub fn add_epoch(&mut self) -> Result<u32, CryptoError> {
        let full = CryptoError::Keyring { why: "it has no number left for an epoch" };
        let epoch = self.newest_epoch().checked_add(1).ok_or(full)?;
        self.epochs.push((epoch, Secret32::generate()?));
        Ok(epoch)
    }

    /// Id of an object: the keyed BLAKE3 hash of its plaintext under the id key of its kind. Runs on one thread.
    pub fn object_id(&self, kind: ObjectKind, plaintext: &[u8]) -> ChunkId {
        let key = &self.derived.ids[kind as usize - 1];
        ChunkId::new(*blake3::keyed_hash(key.as_bytes(), plaintext).as_bytes())
    }

    /// Key that decides where files are cut.
    pub fn chunking_key(&self) -> &[u8; 32] {
        self.derived.chunking.as_bytes()
    }

    /// Key that decides where lists of children are cut into nodes.
    pub fn tree_key(&self) -> &[u8; 32] {
        self.derived.tree.as_bytes()
    }

    /// Key of the index across epochs. Pages are sealed under a random key of their segment's own.
    pub fn index_key(&self) -> &[u8; 32] {
        self.derived.index.as_bytes()
    }

    /// Key of the log across epochs. Private parts of entries are sealed under [`Keyring::entry_key`].
    pub fn log_key(&self) -> &[u8; 32] {
        self.derived.log.as_bytes()
    }

    /// Key that seals the private parts of log entries of an epoch; `None`: this keyring does not know the epoch.
    pub fn entry_key(&self, epoch: u32) -> Option<SealKey> {
        let mut hasher = blake3::Hasher::new_derive_key("warp 1 entry seal");
        hasher.update(self.derived.log.as_bytes()).update(self.epoch_key(epoch)?.as_bytes());
        Some(SealKey::from(Secret32::new(*hasher.finalize().as_bytes())))
    }

    /// Opaque name of a ref: half of the keyed hash of its full name (`heads/main`).
    pub fn ref_id(&self, full_name: &str) -> RefId {
        RefId::new(half_hash(&self.derived.refs, full_name))
    }

    /// Opaque name of a group of refs.
    pub fn namespace_id(&self, name: &str) -> NamespaceId {
        NamespaceId::new(half_hash(&self.derived.namespaces, name))
    }

    /// Key of what a client keeps outside the repository to save work.
    pub fn cache_key(&self) -> SealKey {
        SealKey::from(self.derived.cache.clone())
    }

    /// Key by which shards of packs that lie at several stores are known for genuine.
    pub fn shard_key(&self) -> Secret32 {
        self.root_secret.derive("warp 1 shard")
    }

    /// The root key, which certifies device keys.
    pub fn root_signer(&self) -> Signer {
        Signer::from_seed(&self.derived.root_seed)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("newest_epoch", &self.newest_epoch()).finish_non_exhaustive()
    }
}

fn half_hash(key: &Secret32, text: &str) -> [u8; 16] {
    let hash = blake3::keyed_hash(key.as_bytes(), text.as_bytes());
    let mut half = [0; 16];
    half.copy_from_slice(&hash.as_bytes()[..16]);
    half
}
