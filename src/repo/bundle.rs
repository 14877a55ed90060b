//! Bundles, as far as keys are needed: who made one, and what is sealed in it.

use std::sync::Arc;

use crate::cas::{CasError, Part, Vault};
use crate::crypto::{NonceSource, sign};
use crate::format::bundle::{BundleManifest, BundlePrivate, BundlePublic, signing_bytes};
use crate::format::config::Config;
use crate::format::log::{CommitRecord, DeviceRecord, PackRecord};
use crate::id::{BundleId, CommitId, DeviceId};
use crate::store::StorageBackend;

use super::keys::{self, Credentials};
use super::log::{ROLE_WRITE, ROLES_ALL};
use super::remotes::without_remotes;
use super::{RepoError, Repository};

/// What a manifest is called in errors.
const FILE: &str = "the bundle's manifest";

/// What a bundle shall say, before it is sealed and signed.
#[derive(Debug, Clone)]
pub(crate) struct BundleDraft {
    pub(crate) uid: BundleId,
    pub(crate) packs_offset: u64,
    pub(crate) packs: Vec<PackRecord>,
    pub(crate) commits: Vec<CommitRecord>,
    pub(crate) forgotten: Vec<CommitRecord>,
    pub(crate) prerequisites: Vec<CommitId>,
    pub(crate) refs: Vec<(String, CommitId)>,
    pub(crate) message: String,
}

impl Repository {
    /// Seals and signs a manifest; returns its bytes. Nothing is written to the repository.
    pub(crate) fn seal_bundle(&self, draft: BundleDraft) -> Result<Vec<u8>, RepoError> {
        let format = |source| RepoError::Format { file: FILE.to_owned(), source };
        let vault = self.chunks().vault();
        let epoch = vault.keyring().newest_epoch();
        let key = vault.keyring().entry_key(epoch).expect("the newest epoch has a key");
        let private = BundlePrivate {
            time: (self.client().now)(),
            who: self.client().who.clone(),
            message: draft.message,
            refs: draft.refs,
        };
        let plain = private.encode().map_err(format)?;
        let public = BundlePublic {
            uid: draft.uid,
            packs_offset: draft.packs_offset,
            config: without_remotes(self.config()),
            packs: draft.packs,
            commits: draft.commits,
            forgotten: draft.forgotten,
            prerequisites: draft.prerequisites,
            device: self.certified_device()?,
            epoch,
            private: vault.seal_with(&key, Part::BundlePrivate, draft.uid.as_bytes(), 0, &plain),
        };
        let signed = public.encode().map_err(format)?;
        BundleManifest::assemble(&signed, &self.sign(&signing_bytes(&signed))?).map_err(format)
    }

    /// This device as the log has it, or as it would be enrolled, certified by the root key.
    fn certified_device(&self) -> Result<DeviceRecord, RepoError> {
        let device = self.device()?;
        if let Some(enrolled) = self.state().devices.get(&device) {
            return Ok(*enrolled);
        }
        let mut record = DeviceRecord { device, roles: ROLES_ALL, certificate: [0; 64] };
        let message = record.signing_bytes(self.family());
        record.certificate = self.chunks().vault().keyring().root_signer().sign(&message);
        Ok(record)
    }

    /// Checks that a device which this repository's root key has certified made the bundle. The family is for the caller to compare.
    pub(crate) fn check_bundle(&self, manifest: &BundleManifest) -> Result<(), RepoError> {
        verify_bundle(manifest, &DeviceId::new(self.config().root_key))
    }

    /// Opens what is sealed in a bundle of the same family.
    pub(crate) fn open_bundle(&self, public: &BundlePublic) -> Result<BundlePrivate, RepoError> {
        open_private(self.chunks().vault(), public)
    }
}

/// Checks that the root key has certified the device which signed the bundle, and that it may write.
pub(crate) fn verify_bundle(manifest: &BundleManifest, root_key: &DeviceId) -> Result<(), RepoError> {
    let BundleManifest { public, signature } = manifest;
    let record = &public.device;
    let uncertified =
        format!("the root key has not certified device {}, which signed the bundle", record.device.short());
    sign::verify(root_key, &record.signing_bytes(public.config.family), &record.certificate)
        .map_err(RepoError::crypto(uncertified))?;
    if record.roles & ROLE_WRITE == 0 {
        return Err(RepoError::BundleRole { device: record.device });
    }
    let signed = public.encode().map_err(|source| RepoError::Format { file: FILE.to_owned(), source })?;
    sign::verify(&record.device, &signing_bytes(&signed), signature)
        .map_err(RepoError::crypto("the signature of the bundle does not verify"))
}

/// Opens what is sealed in a bundle with the keys that its own configuration holds, for who has no repository. `store` is not read.
pub(crate) fn open_bundle_with(
    store: Arc<dyn StorageBackend>,
    public: &BundlePublic,
    credentials: &Credentials,
) -> Result<BundlePrivate, RepoError> {
    let (_, keyring) = keys::unlock(&public.config, credentials, &store.location())?;
    let nonces = NonceSource::new().map_err(RepoError::crypto("cannot draw random numbers"))?;
    let Config { cipher, family, .. } = public.config;
    open_private(&Vault::new(store, keyring, cipher, family, nonces), public)
}

fn open_private(vault: &Vault, public: &BundlePublic) -> Result<BundlePrivate, RepoError> {
    let epoch = public.epoch;
    let unknown = || RepoError::Cas {
        action: "open the bundle",
        source: CasError::UnknownEpoch { file: FILE.to_owned(), epoch },
    };
    let key = vault.keyring().entry_key(epoch).ok_or_else(unknown)?;
    let place = (public.uid.as_bytes(), epoch, 0);
    let plain = vault
        .open_with(&key, Part::BundlePrivate, place, &public.private)
        .map_err(RepoError::crypto("what is sealed in the bundle does not open"))?;
    BundlePrivate::decode(&plain).map_err(|source| RepoError::Format { file: FILE.to_owned(), source })
}
