//! The repository's configuration: what a reader needs before it has a key, and the key slots.
use super::pack::Cipher;
use crate::id::{FamilyId, InstanceId};

/// Parameters of Argon2id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfParams {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

/// What opens a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SlotKind {
    /// A password.
    Password = 1,
    /// The bytes of a key file, of high entropy.
    KeyFile = 2,
}

/// One way to open the keyring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySlot {
    /// Number, never used twice in a repository.
    pub id: u32,
    /// What opens it.
    pub kind: SlotKind,
    /// A name for people.
    pub label: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// How the slot's key is derived.
    pub kdf: KdfParams,
    /// Salt of the derivation.
    pub salt: [u8; 32],
    /// Commitment to the derived key: tells a wrong password from a damaged slot, and binds the ciphertext to one key.
    pub commitment: [u8; 32],
    /// Nonce of `wrapped`.
    pub nonce: [u8; 24],
    /// The master key (32 bytes) under the derived key, and the tag.
    pub wrapped: [u8; 48],
}

/// Which chunker cuts, with its parameters. Frozen for each id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChunkerParams {
    /// Number of the algorithm; 2 is Chonkers (1 is kept for SeqCDC as published, 0 is reserved).
    pub algorithm: u16,
    /// Chonkers: the absolute unit A of the stored layer, in bytes.
    pub unit: u32,
}

/// A generation of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Counts up with every change; the highest valid one counts.
    pub generation: u64,
    /// The keys' family.
    pub family: FamilyId,
    /// This repository.
    pub instance: InstanceId,
    /// How everything is sealed.
    pub cipher: Cipher,
    /// How files are cut.
    pub chunker: ChunkerParams,
    /// Public half of the root key.
    pub root_key: [u8; 32],
    /// Made with a working directory around it (`.warp`), not on its own.
    pub worktree: bool,
    /// Key slots; none without encryption.
    pub slots: Vec<KeySlot>,
    /// Nonce of `keyring`.
    pub keyring_nonce: [u8; 24],
    /// The keyring, sealed under the master key; in clear without encryption.
    pub keyring: Vec<u8>,
    /// Settings that people may change (`compression` and the like), sorted by name.
    pub settings: Vec<(String, String)>,
}

/// Plaintext of the keyring: the secrets that everything else is derived from or sealed with.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyringBytes {
    /// Secret that id, chunking, index, log and root keys are derived from.
    pub root_secret: [u8; 32],
    /// Data keys, oldest first: number of the epoch, key.
    pub epochs: Vec<(u32, [u8; 32])>,
}
