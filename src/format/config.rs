#![doc = include_str!("config.md")]
mod keyring;
#[cfg(test)]
mod tests;

use super::DecodeError;
use super::codec::{CHECKSUM_LEN, Reader, Writer, limit, verify_checksum};
use super::pack::Cipher;
use crate::id::{FamilyId, InstanceId};
use crate::limits;

const WHAT: &str = "repository configuration";
const MAGIC: &[u8; 8] = b"WARPCONF";
const VERSION: u16 = 1;
/// Magic, version, reserved, length.
const HEAD_LEN: usize = 16;
/// Number, kind, an empty label, time, parameters, salt, commitment, nonce, key.
const SLOT_BYTES_MIN: usize = 4 + 1 + 1 + 8 + 12 + 32 + 32 + 24 + 48;

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

/// Which chunker cuts, with its parameter. What a number and a unit cut is frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChunkerParams {
    /// Number of the algorithm: 1 SeqCDC as published, 2 Chonkers, 3 SeqCDC; 0 is none. Others are those of newer versions.
    pub algorithm: u16,
    /// How finely it cuts, in bytes. Chonkers: the absolute unit A of the stored layer. SeqCDC: the mean length.
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

impl SlotKind {
    /// The kind with this number, if there is one.
    pub fn from_u8(number: u8) -> Option<Self> {
        [Self::Password, Self::KeyFile].into_iter().find(|kind| *kind as u8 == number)
    }
}

impl KdfParams {
    /// Checks the bounds of memory, passes and lanes.
    ///
    /// # Errors
    /// If one is out of bounds: too little is unsafe, too much could stop the machine.
    pub fn check(&self) -> Result<(), DecodeError> {
        limit(
            "memory of a key derivation in KiB",
            self.memory_kib.into(),
            (*limits::KDF_MEMORY_KIB.end()).into(),
        )?;
        limit(
            "number of passes of a key derivation",
            self.passes.into(),
            (*limits::KDF_PASSES.end()).into(),
        )?;
        limit("number of lanes of a key derivation", self.lanes.into(), (*limits::KDF_LANES.end()).into())?;
        let rule = Reader::new("key derivation of a key slot", &[]);
        rule.ensure(limits::KDF_MEMORY_KIB.contains(&self.memory_kib), "its memory is too small to be safe")?;
        rule.ensure(limits::KDF_PASSES.contains(&self.passes), "it has no passes")?;
        rule.ensure(limits::KDF_LANES.contains(&self.lanes), "it has no lanes")?;
        rule.ensure(self.memory_kib >= 8 * self.lanes, "its memory is below 8 KiB a lane")
    }
}

impl KeySlot {
    /// Most bytes of a label.
    pub const LABEL_LEN_MAX: usize = 255;

    fn encode(&self, writer: &mut Writer) {
        writer.u32(self.id);
        writer.u8(self.kind as u8);
        writer.prefixed(self.label.as_bytes());
        writer.i64(self.created);
        [self.kdf.memory_kib, self.kdf.passes, self.kdf.lanes]
            .into_iter()
            .for_each(|number| writer.u32(number));
        writer.bytes(&self.salt);
        writer.bytes(&self.commitment);
        writer.bytes(&self.nonce);
        writer.bytes(&self.wrapped);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let id = reader.u32()?;
        let kind =
            SlotKind::from_u8(reader.u8()?).ok_or_else(|| reader.invalid("a slot's kind is unknown"))?;
        Ok(Self {
            id,
            kind,
            label: reader.text("label of a key slot", Self::LABEL_LEN_MAX)?,
            created: reader.i64()?,
            kdf: KdfParams { memory_kib: reader.u32()?, passes: reader.u32()?, lanes: reader.u32()? },
            salt: reader.array()?,
            commitment: reader.array()?,
            nonce: reader.array()?,
            wrapped: reader.array()?,
        })
    }
}

impl Config {
    /// Most bytes of a sealed keyring.
    pub const KEYRING_LEN_MAX: usize = 512 * limits::KIB;
    /// Most settings.
    pub const SETTINGS_MAX: usize = 256;
    /// Most bytes of a setting's name.
    pub const SETTING_NAME_LEN_MAX: usize = 64;
    /// Most bytes of a setting's value.
    pub const SETTING_VALUE_LEN_MAX: usize = 1024;

    /// One copy, with its checksum.
    ///
    /// # Errors
    /// If it breaks a rule of [`Self::check`].
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        self.check()?;
        let body = self.encode_body();
        let mut writer = Writer::with_capacity(HEAD_LEN + body.len() + CHECKSUM_LEN);
        writer.bytes(MAGIC);
        writer.u16(VERSION);
        writer.reserved(2);
        writer.u32(body.len() as u32);
        writer.bytes(&body);
        writer.checksum();
        limit("length of the configuration", writer.as_slice().len() as u64, limits::CONFIG_LEN_MAX as u64)?;
        Ok(writer.into_bytes())
    }

    fn encode_body(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u64(self.generation);
        writer.bytes(self.family.as_bytes());
        writer.bytes(self.instance.as_bytes());
        writer.u8(self.cipher as u8);
        writer.u16(self.chunker.algorithm);
        writer.u32(self.chunker.unit);
        writer.bytes(&self.root_key);
        writer.u8(self.worktree.into());
        writer.count(self.slots.len());
        self.slots.iter().for_each(|slot| slot.encode(&mut writer));
        writer.bytes(&self.keyring_nonce);
        writer.prefixed(&self.keyring);
        writer.count(self.settings.len());
        for (name, value) in &self.settings {
            writer.prefixed(name.as_bytes());
            writer.prefixed(value.as_bytes());
        }
        writer.into_bytes()
    }

    /// Reads one copy. A damaged one is an error, and another copy may be whole.
    ///
    /// # Errors
    /// If it is no configuration, is of a newer version, is damaged, or breaks a rule of [`Self::check`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        limit("length of the configuration", bytes.len() as u64, limits::CONFIG_LEN_MAX as u64)?;
        let mut reader = Reader::new(WHAT, bytes);
        reader.magic(MAGIC)?;
        reader.version(VERSION)?;
        reader.reserved(2)?;
        let len = reader.u32()? as usize;
        let body = reader.take(len)?;
        reader.take(CHECKSUM_LEN)?;
        reader.finish()?;
        verify_checksum(WHAT, bytes)?;
        let config = Self::decode_body(&mut Reader::new(WHAT, body))?;
        config.check()?;
        Ok(config)
    }

    fn decode_body(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let config = Self {
            generation: reader.u64()?,
            family: FamilyId::new(reader.array()?),
            instance: InstanceId::new(reader.array()?),
            cipher: Cipher::decode(reader)?,
            chunker: ChunkerParams { algorithm: reader.u16()?, unit: reader.u32()? },
            root_key: reader.array()?,
            worktree: reader.bool()?,
            slots: decode_slots(reader)?,
            keyring_nonce: reader.array()?,
            keyring: reader.prefixed("length of the keyring", Self::KEYRING_LEN_MAX)?.to_vec(),
            settings: decode_settings(reader)?,
        };
        reader.clone().finish()?;
        Ok(config)
    }

    /// Checks the key slots, the chunker's number and the settings.
    ///
    /// # Errors
    /// The rule that it breaks. No such configuration is written or read.
    pub fn check(&self) -> Result<(), DecodeError> {
        let rule = Reader::new(WHAT, &[]);
        rule.ensure(self.chunker.algorithm > 0 && self.chunker.unit > 0, "it names no chunker")?;
        let encrypted = self.cipher != Cipher::None;
        rule.ensure(encrypted || self.slots.is_empty(), "it is not encrypted but has key slots")?;
        rule.ensure(!encrypted || !self.slots.is_empty(), "it is encrypted but has no key slot")?;
        limit("length of the keyring", self.keyring.len() as u64, Self::KEYRING_LEN_MAX as u64)?;
        self.check_slots()?;
        self.check_settings()
    }

    fn check_slots(&self) -> Result<(), DecodeError> {
        let rule = Reader::new(WHAT, &[]);
        limit("number of key slots", self.slots.len() as u64, limits::KEY_SLOTS_MAX as u64)?;
        rule.ensure(self.slots.is_sorted_by(|a, b| a.id < b.id), "its key slots are not sorted by number")?;
        for slot in &self.slots {
            limit("length of a label", slot.label.len() as u64, KeySlot::LABEL_LEN_MAX as u64)?;
            slot.kdf.check()?;
        }
        Ok(())
    }

    fn check_settings(&self) -> Result<(), DecodeError> {
        let rule = Reader::new(WHAT, &[]);
        limit("number of settings", self.settings.len() as u64, Self::SETTINGS_MAX as u64)?;
        rule.ensure(self.settings.is_sorted_by(|a, b| a.0 < b.0), "its settings are not sorted by name")?;
        for (name, value) in &self.settings {
            rule.ensure(!name.is_empty(), "a setting has no name")?;
            limit("length of a setting's name", name.len() as u64, Self::SETTING_NAME_LEN_MAX as u64)?;
            limit("length of a setting's value", value.len() as u64, Self::SETTING_VALUE_LEN_MAX as u64)?;
        }
        Ok(())
    }
}

fn decode_slots(reader: &mut Reader<'_>) -> Result<Vec<KeySlot>, DecodeError> {
    let count = reader.count("number of key slots", limits::KEY_SLOTS_MAX, SLOT_BYTES_MIN)?;
    (0..count).map(|_| KeySlot::decode(reader)).collect()
}

fn decode_settings(reader: &mut Reader<'_>) -> Result<Vec<(String, String)>, DecodeError> {
    let count = reader.count("number of settings", Config::SETTINGS_MAX, 2)?;
    let mut settings = Vec::with_capacity(count);
    for _ in 0..count {
        let name = reader.text("name of a setting", Config::SETTING_NAME_LEN_MAX)?;
        settings.push((name, reader.text("value of a setting", Config::SETTING_VALUE_LEN_MAX)?));
    }
    Ok(settings)
}
