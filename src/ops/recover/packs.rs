//! What the packs hold, whatever a log says of them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::cas::{
    Base, CasError, ChunkStore, Index, IndexView, Location, PackMap, Vault, pack_name, pack_record,
};
use crate::crypto::sign;
use crate::format::commit::{Commit, SignedCommit, signing_bytes};
use crate::format::dirtree::Timestamp;
use crate::format::log::{PackRecord, SegmentRecord};
use crate::id::{CommitId, DeviceId, Locator, ObjectKind, PackId};
use crate::observe::{Observer, Phase};
use crate::repo::RepoError;

use super::super::OpsError;
use super::super::check::told;
use super::super::reindex::Reindex;
use super::super::sweep;

/// All packs that can be read.
#[derive(Debug, Default)]
pub(super) struct Packs {
    pub(super) records: Vec<PackRecord>,
    /// The index of those that are not their own.
    pub(super) segments: Vec<SegmentRecord>,
    /// Packs that cannot be read, and why.
    pub(super) unreadable: Vec<(String, String)>,
    /// Objects of all kinds, each copy counted.
    pub(super) objects: u64,
    /// Where commits lie.
    commits: Vec<Base>,
}

/// A commit that lies in a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundCommit {
    pub(super) parents: Vec<CommitId>,
    pub(super) time: Timestamp,
    pub(super) device: DeviceId,
}

/// All commits that can be read, and what keeps others from it, by the first halves of their ids.
#[derive(Debug, Default)]
pub(super) struct FoundCommits {
    pub(super) read: HashMap<CommitId, FoundCommit>,
    pub(super) unreadable: HashMap<Locator, String>,
}

impl Packs {
    /// Reads the directories of all packs, one after the other, and writes an index of them; in a dry run none.
    pub(super) fn read(vault: &Arc<Vault>, dry_run: bool, observer: &dyn Observer) -> Result<Self, OpsError> {
        let files = sweep::packs(vault.store())?;
        observer.phase(Phase::Check, Some(files.len() as u64), None);
        let (mut packs, mut index) = (Self::default(), Reindex::new(vault));
        for pack in files {
            if observer.cancelled() {
                index.discard();
                return Err(OpsError::Cancelled);
            }
            match load(vault, &pack) {
                Ok((map, record)) => packs.add(&map, record, (!dry_run).then_some(&mut index))?,
                Err(error) if is_of_pack(&error) => {
                    packs.unreadable.push((pack_name(&pack).as_str().to_owned(), told(&error)));
                }
                Err(error) => return Err(OpsError::cas("read the packs")(error)),
            }
            observer.advance(1, 0);
        }
        packs.segments = index.finish()?;
        Ok(packs)
    }

    fn add(
        &mut self,
        map: &PackMap,
        record: PackRecord,
        index: Option<&mut Reindex<'_>>,
    ) -> Result<(), OpsError> {
        for (entry, block, slot) in map.rows() {
            self.objects += 1;
            if entry.kind == ObjectKind::Commit {
                let depth = map.delta(block, slot).map_or(0, |delta| delta.depth);
                let location = Location { pack: map.uid(), block, slot, depth };
                self.commits.push(Base { locator: entry.locator, location });
            }
        }
        self.records.push(record);
        match index.filter(|_| !record.self_indexed) {
            Some(index) => index.add(map),
            None => Ok(()),
        }
    }

    /// Leaves out packs that are not those that a log has named.
    pub(super) fn retain_named(&mut self, named: &HashMap<PackId, PackRecord>) {
        let unreadable = &mut self.unreadable;
        self.records.retain(|record| {
            let is_it = named.get(&record.uid).is_none_or(|named| named == record);
            if !is_it {
                let why = "it is another one than the log has named".to_owned();
                unreadable.push((pack_name(&record.uid).as_str().to_owned(), why));
            }
            is_it
        });
    }

    /// Reads all commits. Several copies of one are one.
    pub(super) fn commits(&self, vault: &Arc<Vault>) -> FoundCommits {
        let index = Index::new(Arc::clone(vault));
        index.update(IndexView {
            segments: self.segments.clone(),
            live: self.records.iter().map(|record| record.uid).collect(),
            self_indexed: self.records.iter().filter(|pack| pack.self_indexed).map(|pack| pack.uid).collect(),
            ..IndexView::default()
        });
        let chunks = ChunkStore::new(Arc::clone(vault), Arc::new(index));
        let (mut found, mut read) = (FoundCommits::default(), HashMap::new());
        for base in &self.commits {
            if read.contains_key(&base.locator) {
                continue;
            }
            match commit(&chunks, *base) {
                Ok((id, commit)) => {
                    read.insert(base.locator, id);
                    found.read.insert(id, commit);
                }
                Err(error) => {
                    let why = format!("{}: {}", pack_name(&base.location.pack), told(&error));
                    found.unreadable.entry(base.locator).or_insert(why);
                }
            }
        }
        found.unreadable.retain(|locator, _| !read.contains_key(locator));
        found
    }
}

fn load(vault: &Vault, pack: &PackId) -> Result<(PackMap, PackRecord), CasError> {
    Ok((PackMap::load(vault, pack)?, pack_record(vault.store(), pack)?))
}

/// Whether the pack is to blame, not the store: what a disk does not read now, it may read in another machine.
fn is_of_pack(error: &CasError) -> bool {
    error.is_loss() || matches!(error, CasError::UnknownEpoch { .. })
}

fn commit(chunks: &ChunkStore, base: Base) -> Result<(CommitId, FoundCommit), RepoError> {
    let action = "read a commit";
    let bytes = chunks.get_base(ObjectKind::Commit, base);
    let bytes = bytes.map_err(|source| RepoError::Cas { action, source })?;
    let id = CommitId::from(chunks.vault().keyring().object_id(ObjectKind::Commit, &bytes));
    let format = |source| RepoError::Format { file: format!("commit {id}"), source };
    let signed = SignedCommit::decode(&bytes).map_err(format)?;
    let commit = Commit::decode_body(&signed.body).map_err(format)?;
    let verified = sign::verify(&commit.device, &signing_bytes(&signed.body), &signed.signature);
    verified.map_err(|source| RepoError::Crypto {
        what: format!("the signature of commit {id} does not verify"),
        source,
    })?;
    Ok((id, FoundCommit { parents: commit.parents, time: commit.time, device: commit.device }))
}
