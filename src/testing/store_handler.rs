//! A server's other half for tests: repositories that are a store each, for keys that may do everything.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::format::wire::{Blob, FailCode, Failure, Reply, Request, Rights};
use crate::limits::PIECE_LEN;
use crate::store::{BlobName, MemoryStore, Put, StorageBackend, StoreError};
use crate::sync::{Handler, Peer, PeerKey, Session};

/// What is done before a request is answered.
type Before = Arc<dyn Fn(&Request) + Send + Sync>;

/// Answers for one store, whatever repository is named: get, read, length, list, put and delete.
#[derive(Clone)]
pub struct StoreHandler {
    store: Arc<MemoryStore>,
    refused: Vec<PeerKey>,
    before: Option<Before>,
}

impl fmt::Debug for StoreHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreHandler").field("refused", &self.refused).finish_non_exhaustive()
    }
}

impl Default for StoreHandler {
    fn default() -> Self {
        Self::new()
    }
}

impl StoreHandler {
    /// One with an empty store.
    pub fn new() -> Self {
        Self { store: Arc::new(MemoryStore::new()), refused: Vec::new(), before: None }
    }

    /// Lets a key do nothing.
    pub fn refuse(mut self, key: PeerKey) -> Self {
        self.refused.push(key);
        self
    }

    /// Calls `before` with every request, which may wait or panic.
    pub fn before(mut self, before: impl Fn(&Request) + Send + Sync + 'static) -> Self {
        self.before = Some(Arc::new(before));
        self
    }

    /// The store.
    pub fn store(&self) -> &MemoryStore {
        &self.store
    }

    fn answer(&self, request: Request) -> Result<Reply, StoreError> {
        let name = |name: &str| BlobName::new(name);
        Ok(match request {
            Request::Get { name: blob, max } => {
                let bytes = self.store.get(&name(&blob)?, max)?;
                let len = bytes.len() as u64;
                Reply::Blob { len, bytes: Bytes::from(bytes).slice(..(len as usize).min(PIECE_LEN)) }
            }
            Request::Read { name: blob, offset, len } => {
                let bytes = self.store.read_at(&name(&blob)?, offset, len as usize)?;
                Reply::Blob { len: len.into(), bytes: bytes.into() }
            }
            Request::Len { name: blob } => Reply::Len { len: self.store.len(&name(&blob)?)? },
            Request::List { folder, .. } => {
                let blob = |info: crate::store::BlobInfo| Blob { name: info.name.to_string(), len: info.len };
                let mut blobs: Vec<Blob> =
                    self.store.list(&format!("{folder}/"))?.into_iter().map(blob).collect();
                blobs.sort_by(|a, b| a.name.cmp(&b.name));
                Reply::Listing { blobs, more: false }
            }
            Request::Put { name: blob, bytes, .. } => match self.store.put_new(&name(&blob)?, &[&bytes])? {
                Put::Created => Reply::Created { root: None },
                Put::Exists => Reply::Exists,
            },
            Request::Delete { name: blob } => Reply::Deleted { existed: self.store.delete(&name(&blob)?)? },
            other => Reply::Failed(Failure::new(FailCode::Malformed, 0, format!("no {} here", other.verb()))),
        })
    }
}

impl Handler for StoreHandler {
    fn connect(&self, peer: Peer) -> Box<dyn Session> {
        Box::new(StoreSession { handler: self.clone(), peer })
    }
}

#[derive(Debug)]
struct StoreSession {
    handler: StoreHandler,
    peer: Peer,
}

impl Session for StoreSession {
    fn answer(&self, request: Request) -> Reply {
        if let Some(before) = &self.handler.before {
            before(&request);
        }
        if let Request::Hello { .. } = request {
            return match self.handler.refused.contains(&self.peer.key) {
                true => Reply::Failed(Failure::new(FailCode::Denied, 1, "this key may not read here")),
                false => Reply::Welcome { rights: Rights::ALL, exists: true, room: 1 << 40, ahead: 16 },
            };
        }
        let code = |error: &StoreError| match error {
            StoreError::NotFound { .. } => FailCode::NotFound,
            StoreError::BadName { .. } => FailCode::Malformed,
            _ => FailCode::Store,
        };
        let failed = |error: StoreError| Reply::Failed(Failure::new(code(&error), 0, error.to_string()));
        self.handler.answer(request).unwrap_or_else(failed)
    }
}
