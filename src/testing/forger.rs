//! Commits of objects that no commit would make: right ids, right keys, right signature, anything inside.

use std::sync::{Arc, Mutex};

use crate::cas::{BlockBuilder, CasError, DeltaOf, FinishedPack, Sealer};
use crate::compress::{Compressor, Level};
use crate::format::commit::{Commit, CommitStats, SignedCommit, signing_bytes};
use crate::format::dirtree::{DirEntry, DirNode, EntryKind, Owner, Timestamp};
use crate::format::log::CommitRecord;
use crate::format::node::ContentRoot;
use crate::id::{ChunkId, CommitId, ObjectKind};
use crate::repo::{Draft, Repository};

/// Collects objects, stores them, and puts a commit on top.
#[derive(Debug)]
pub struct Forger<'r> {
    repo: &'r Repository,
    objects: Vec<Forged>,
}

#[derive(Debug)]
struct Forged {
    kind: ObjectKind,
    id: ChunkId,
    bytes: Vec<u8>,
    /// The bytes are a delta, of this.
    delta: Option<DeltaOf>,
}

impl<'r> Forger<'r> {
    /// Nothing yet. All objects together must stay below a mebibyte.
    pub fn new(repo: &'r Repository) -> Self {
        Self { repo, objects: Vec::new() }
    }

    /// The id of an object.
    pub fn id(&self, kind: ObjectKind, bytes: &[u8]) -> ChunkId {
        self.repo.chunks().vault().keyring().object_id(kind, bytes)
    }

    /// Takes an object as it is; returns its id.
    pub fn put(&mut self, kind: ObjectKind, bytes: Vec<u8>) -> ChunkId {
        let id = self.id(kind, &bytes);
        if !self.objects.iter().any(|object| object.id == id) {
            self.objects.push(Forged { kind, id, bytes, delta: None });
        }
        id
    }

    /// Takes any bytes as the frame of a delta.
    pub fn put_delta(&mut self, kind: ObjectKind, id: ChunkId, frame: Vec<u8>, delta: DeltaOf) {
        self.objects.push(Forged { kind, id, bytes: frame, delta: Some(delta) });
    }

    /// Takes a directory node, unchecked.
    pub fn put_dir(&mut self, node: &DirNode) -> ChunkId {
        self.put(ObjectKind::DirNode, node.encode_unchecked())
    }

    /// Takes a file's bytes as one chunk; returns its content.
    pub fn put_file(&mut self, bytes: &[u8]) -> ContentRoot {
        let id = self.put(ObjectKind::Chunk, bytes.to_vec());
        ContentRoot::Tree { level: 0, id, len: bytes.len() as u64, repeat: 1 }
    }

    /// Stores everything under a commit with this root and makes it live; no ref moves.
    ///
    /// # Panics
    /// If the store fails.
    pub fn commit(mut self, root: DirEntry) -> CommitId {
        let bytes = commit_bytes(self.repo, root);
        let id = CommitId::from(self.put(ObjectKind::Commit, bytes));
        let packs = self.seal().expect("memory does not fail");
        let store = self.repo.chunks().vault().store();
        let draft = Draft {
            packs_added: packs.iter().map(|pack| pack.write(store).expect("the store works")).collect(),
            commits: vec![CommitRecord { id, parents: Vec::new() }],
            message: "forged".to_owned(),
            ..Draft::default()
        };
        self.repo.append(&mut |_| Ok(draft.clone())).expect("the log takes it");
        id
    }

    fn seal(&self) -> Result<Vec<FinishedPack>, CasError> {
        let packs = Mutex::new(Vec::new());
        let vault = Arc::clone(self.repo.chunks().vault());
        let sealer = Sealer::new(vault, self.repo.chunks().index(), |pack| {
            packs.lock().expect("no panic while locked").push(pack);
            Ok(())
        });
        let mut builder = BlockBuilder::default();
        let mut compressor = Compressor::new(Level::Auto).map_err(|source| CasError::Compress { source })?;
        for Forged { kind, id, bytes, delta } in &self.objects {
            sealer.claim(*kind, id, bytes.len())?;
            match delta {
                Some(delta) => builder.push_delta(*kind, id, bytes, *delta),
                None => builder.push(*kind, id, bytes),
            }
            if builder.is_full() {
                sealer.add(builder.finish(&mut compressor)?, true)?;
            }
        }
        if !builder.is_empty() {
            sealer.add(builder.finish(&mut compressor)?, true)?;
        }
        sealer.finish()?;
        drop(sealer);
        Ok(packs.into_inner().expect("no panic while locked"))
    }
}

/// An entry of a directory with nothing special about it.
pub fn entry(name: &[u8], kind: EntryKind) -> DirEntry {
    DirEntry {
        name: name.to_vec(),
        kind,
        mode: 0o755,
        owner: Owner::default(),
        mtime: Timestamp { secs: 1, nanos: 0 },
        xattrs: Vec::new(),
        hard_link: 0,
    }
}

/// The bytes of a commit of this root, signed by the device.
pub(super) fn commit_bytes(repo: &Repository, root: DirEntry) -> Vec<u8> {
    let commit = Commit {
        root,
        parents: Vec::new(),
        author: "forger".to_owned(),
        host: "host".to_owned(),
        paths: vec![b"/source".to_vec()],
        tags: Vec::new(),
        message: "forged".to_owned(),
        time: Timestamp::default(),
        utc_offset: 0,
        stats: CommitStats::default(),
        state: ContentRoot::Empty,
        program: "forger".to_owned(),
        device: repo.device().expect("the device has a key"),
        original: None,
        imported: None,
    };
    let body = commit.encode_body().expect("only what lies below the root breaks rules");
    let signature = repo.sign(&signing_bytes(&body)).expect("the device has a key");
    SignedCommit { body, signature }.encode().expect("a commit is small")
}
