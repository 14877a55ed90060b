//! Key slots: what opens the keyring.

use std::fmt;

use zeroize::Zeroizing;

use crate::crypto::{Aad, CryptoError, Keyring, SealedKeyring, Secret32, kdf};
use crate::format::config::{Config, KdfParams, KeySlot, KeyringBytes, SlotKind};
use crate::format::pack::Cipher;
use crate::id::FamilyId;
use crate::limits::KEY_SLOTS_MAX;

use super::RepoError;

/// What opens a repository.
#[derive(Clone)]
pub enum Credentials {
    /// A password.
    Password(Zeroizing<Vec<u8>>),
    /// The bytes of a key file.
    KeyFile(Zeroizing<Vec<u8>>),
    /// Nothing: opens only a repository that is not encrypted.
    None,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password(..)",
            Self::KeyFile(_) => "KeyFile(..)",
            Self::None => "None",
        })
    }
}

impl Credentials {
    pub(super) fn secret(&self) -> Option<(SlotKind, &[u8])> {
        match self {
            Self::Password(bytes) => Some((SlotKind::Password, bytes)),
            Self::KeyFile(bytes) => Some((SlotKind::KeyFile, bytes)),
            Self::None => None,
        }
    }
}

/// Master key, and number of the slot that it came from.
pub(super) type Opened = (Option<Secret32>, Option<u32>);

/// What is known of a key slot without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotInfo {
    /// Its number.
    pub id: u32,
    /// What opens it.
    pub kind: SlotKind,
    /// A name for people.
    pub label: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Cost of the key derivation.
    pub kdf: KdfParams,
    /// It opened the repository just now.
    pub current: bool,
}

/// Makes a slot that opens `master`.
pub(super) fn make_slot(
    family: FamilyId,
    id: u32,
    master: &Secret32,
    credentials: &Credentials,
    (label, created, kdf): (&str, i64, KdfParams),
) -> Result<KeySlot, RepoError> {
    let (kind, secret) =
        credentials.secret().ok_or(RepoError::Slots { why: "a key needs a password or a key file" })?;
    let slot = kdf::seal_slot(master, secret, params(kdf), &slot_aad(family, id, kind))
        .map_err(RepoError::crypto("cannot make the key"))?;
    Ok(KeySlot {
        id,
        kind,
        label: label.to_owned(),
        created,
        kdf,
        salt: slot.salt,
        commitment: slot.commitment,
        nonce: slot.nonce,
        wrapped: slot.wrapped,
    })
}

/// The keyring of a configuration, and the master key and number of the slot that opened it, if it is encrypted.
pub(super) fn unlock(
    config: &Config,
    credentials: &Credentials,
    location: &str,
) -> Result<(Opened, Keyring), RepoError> {
    let mut opened = (None, None);
    if config.cipher != Cipher::None {
        let (id, key) = open_slots(config, credentials, location)?;
        opened = (Some(key), Some(id));
    }
    let keyring = open_keyring(config, opened.0.as_ref())?;
    if keyring.root_signer().public().as_bytes() != &config.root_key {
        return Err(RepoError::ConfigLost { location: location.to_owned() });
    }
    Ok((opened, keyring))
}

/// Finds the slot that the credentials open; returns its number and the master key.
pub(super) fn open_slots(
    config: &Config,
    credentials: &Credentials,
    location: &str,
) -> Result<(u32, Secret32), RepoError> {
    let location = || location.to_owned();
    let (kind, secret) =
        credentials.secret().ok_or_else(|| RepoError::NoPassword { location: location() })?;
    let mut damaged = None;
    for slot in config.slots.iter().filter(|slot| slot.kind == kind) {
        match kdf::open_slot(
            &bare(slot),
            secret,
            params(slot.kdf),
            &slot_aad(config.family, slot.id, slot.kind),
        ) {
            Ok(master) => return Ok((slot.id, master)),
            Err(CryptoError::WrongSecret) => {}
            Err(error) => damaged = damaged.or(Some((slot.id, error))),
        }
    }
    Err(match damaged {
        Some((id, source)) => {
            RepoError::Crypto { what: format!("key {id} of {} cannot be used", location()), source }
        }
        None => RepoError::WrongPassword { location: location() },
    })
}

/// Seals the keyring under the master key, into the configuration.
pub(super) fn seal_keyring(
    config: &mut Config,
    master: &Secret32,
    keyring: &Keyring,
) -> Result<(), RepoError> {
    let sealed = kdf::seal_keyring(master, &encode_keyring(keyring)?, &keyring_aad(config.family))
        .map_err(RepoError::crypto("cannot seal the keyring"))?;
    (config.keyring, config.keyring_nonce) = (sealed.sealed, sealed.nonce);
    Ok(())
}

/// Opens the keyring; without a master key it lies in clear.
pub(super) fn open_keyring(config: &Config, master: Option<&Secret32>) -> Result<Keyring, RepoError> {
    let damaged = "the keyring in the configuration does not open";
    let plain = match master {
        None => Zeroizing::new(config.keyring.clone()),
        Some(master) => {
            let sealed = SealedKeyring { nonce: config.keyring_nonce, sealed: config.keyring.clone() };
            kdf::open_keyring(master, &sealed, &keyring_aad(config.family))
                .map_err(RepoError::crypto(damaged))?
        }
    };
    let parts = KeyringBytes::decode(&plain).map_err(|source| RepoError::Format {
        file: "the keyring in the configuration".to_owned(),
        source,
    })?;
    let epochs = parts.epochs.iter().map(|(number, key)| (*number, Secret32::new(*key))).collect();
    Keyring::from_parts(Secret32::new(parts.root_secret), epochs).map_err(RepoError::crypto(damaged))
}

/// The keyring's plaintext.
pub(super) fn encode_keyring(keyring: &Keyring) -> Result<Zeroizing<Vec<u8>>, RepoError> {
    let (root_secret, epochs) = keyring.parts();
    KeyringBytes {
        root_secret: *root_secret.as_bytes(),
        epochs: epochs.iter().map(|(number, key)| (*number, *key.as_bytes())).collect(),
    }
    .encode()
    .map_err(|source| RepoError::Format { file: "the keyring".to_owned(), source })
}

/// A number for the next slot: above all that are there now and that were there when `config` was made.
pub(super) fn next_slot(config: &Config) -> Result<u32, RepoError> {
    if config.slots.len() >= KEY_SLOTS_MAX {
        return Err(RepoError::Slots { why: "there are 64 keys already; remove one first" });
    }
    Ok(config.slots.iter().map(|slot| slot.id).max().unwrap_or(0) + 1)
}

pub(super) fn slot_info(slot: &KeySlot, current: Option<u32>) -> SlotInfo {
    SlotInfo {
        id: slot.id,
        kind: slot.kind,
        label: slot.label.clone(),
        created: slot.created,
        kdf: slot.kdf,
        current: current == Some(slot.id),
    }
}

fn slot_aad(family: FamilyId, id: u32, kind: SlotKind) -> [u8; Aad::LEN] {
    Aad { format: Aad::CONFIG, family, kind: kind as u8, epoch: 0, uid: [0; 16], number: id.into() }
        .to_bytes()
}

fn keyring_aad(family: FamilyId) -> [u8; Aad::LEN] {
    let kind = crate::cas::Part::Keyring as u8;
    Aad { format: Aad::CONFIG, family, kind, epoch: 0, uid: [0; 16], number: 0 }.to_bytes()
}

fn bare(slot: &KeySlot) -> kdf::Slot {
    kdf::Slot { salt: slot.salt, commitment: slot.commitment, nonce: slot.nonce, wrapped: slot.wrapped }
}

fn params(kdf: KdfParams) -> kdf::KdfParams {
    kdf::KdfParams { memory_kib: kdf.memory_kib, passes: kdf.passes, lanes: kdf.lanes }
}
