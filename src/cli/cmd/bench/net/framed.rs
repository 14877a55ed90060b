//! warp's own requests, answered by a handler that keeps nothing.

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use warp::format::wire::{FailCode, Failure, Reply, Request, Rights};
use warp::id::Root;
use warp::merkle::{MerkleProof, MerkleTree, leaf_hash};
use warp::net::{
    ConnectOptions, HostKeyPolicy, Identity, KnownHosts, QuicTransport, Server, ServerLimits, ServerUrl,
    Stopper,
};
use warp::store::OsVfs;
use warp::sync::{Handler, Peer, Session, TransferConfig, TransferEngine, Transport, VerificationMode};

use super::PIECE;
use crate::cli::error::{CliError, Exit};

/// Pieces of a pack.
const PACK: u64 = 16;
/// Packs that go at once, as in a push.
const IN_FLIGHT: u64 = 3;
/// How many pieces ahead of the first missing one the server takes.
const AHEAD: u32 = 8;

/// A server in a thread, and a client.
pub(super) struct Framed {
    client: Option<Arc<QuicTransport>>,
    requests: usize,
    piece: Bytes,
    pack: Bytes,
    root: Root,
    uploads: AtomicU64,
    stopper: Stopper,
    thread: Option<JoinHandle<()>>,
}

impl Framed {
    pub(super) fn new(connections: usize, requests: usize) -> Result<Self, CliError> {
        let (server_key, client_key) = (Identity::generate()?, Identity::generate()?);
        let piece = Bytes::from(vec![0x5a; PIECE]);
        let pack: Bytes = piece.repeat(PACK as usize).into();
        let leaves = pack.chunks(PIECE).map(leaf_hash).collect();
        let root = MerkleTree::from_leaves(leaves).root();
        let handler = Arc::new(Sink { piece: piece.clone(), packs: Arc::default() });
        let limits = ServerLimits { rate: 1_000_000, burst: 1_000_000, ..ServerLimits::default() };
        let server = Server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), &server_key, handler, limits)?;
        let (address, stopper) = (server.local_addr()?, server.stopper());
        let place = ServerUrl {
            host: address.ip().to_string(),
            port: address.port(),
            repository: "bench".to_owned(),
            key: Some(server.key()),
        };
        let thread = Some(std::thread::spawn(move || server.run()));
        // The key is known: no file is looked at.
        let hosts = KnownHosts::new(Arc::new(OsVfs::new()), "known_hosts".into());
        let options =
            ConnectOptions { connections, requests, ..ConnectOptions::new(hosts, HostKeyPolicy::Strict) };
        let client = Some(Arc::new(QuicTransport::connect(&place, &client_key, options)?));
        Ok(Self { client, requests, piece, pack, root, uploads: AtomicU64::new(0), stopper, thread })
    }

    /// Puts pieces, which the server forgets.
    pub(super) fn put(&self, pieces: u64) -> Result<(), CliError> {
        let request =
            || Request::Put { name: "packs/bench".to_owned(), replace: false, bytes: self.piece.clone() };
        self.ask(pieces, request, |reply| matches!(reply, Reply::Created { .. }))
    }

    /// Reads pieces.
    pub(super) fn read(&self, pieces: u64) -> Result<(), CliError> {
        let request = || Request::Read { name: "packs/bench".to_owned(), offset: 0, len: PIECE as u32 };
        self.ask(pieces, request, |reply| matches!(reply, Reply::Blob { bytes, .. } if bytes.len() == PIECE))
    }

    fn client(&self) -> Result<&Arc<QuicTransport>, CliError> {
        self.client.as_ref().ok_or_else(|| CliError::failed("the client is gone"))
    }

    /// Uploads whole packs of so many pieces in all, as a push does.
    pub(super) fn upload(&self, verification: VerificationMode, pieces: u64) -> Result<(), CliError> {
        let config = TransferConfig { verification, sleep: thread::sleep, ..TransferConfig::default() };
        let engine = TransferEngine::new(self.client()?.clone(), config, AHEAD, [7; 32]);
        let packs = whole(pieces) / PACK;
        let kind = if verification == VerificationMode::None { UNHASHED } else { "hashed" };
        let some = |first: u64| {
            for _ in (first..packs).step_by(IN_FLIGHT as usize) {
                let number = self.uploads.fetch_add(1, Ordering::Relaxed);
                let done = engine.upload(&format!("{kind}/{number}"), &self.pack, Some(self.root));
                done.map_err(|error| CliError::caused(Exit::Failed, "the upload failed", error))?;
            }
            Ok(())
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..IN_FLIGHT).map(|first| scope.spawn(move || some(first))).collect();
            let lost = |_| CliError::failed("a thread of the measurement died");
            threads.into_iter().try_for_each(|thread| thread.join().map_err(lost)?)
        })
    }

    fn ask(
        &self,
        count: u64,
        request: impl Fn() -> Request,
        is_good: impl Fn(&Reply) -> bool,
    ) -> Result<(), CliError> {
        let client = self.client()?;
        let mut pending = VecDeque::new();
        for number in 0..count + self.requests as u64 {
            if number >= self.requests as u64
                && let Some(first) = pending.pop_front()
            {
                let reply = warp::sync::Pending::wait(first).map_err(failed)?;
                if !is_good(&reply) {
                    return Err(CliError::failed(format!("the server answers {reply:?}")));
                }
            }
            if number < count {
                pending.push_back(client.submit(request()));
            }
        }
        Ok(())
    }
}

impl Drop for Framed {
    fn drop(&mut self) {
        self.client = None;
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// So many pieces, rounded up to whole packs.
pub(super) fn whole(pieces: u64) -> u64 {
    pieces.next_multiple_of(PACK)
}

/// Names of packs over which no root is computed.
const UNHASHED: &str = "unhashed";

/// Takes everything, checks it as a host does, and keeps nothing.
#[derive(Debug, Clone)]
struct Sink {
    piece: Bytes,
    packs: Arc<Mutex<Packs>>,
}

/// Packs that are under way.
#[derive(Debug, Default)]
struct Packs {
    last: u64,
    open: HashMap<u64, Arc<Pack>>,
}

#[derive(Debug)]
struct Pack {
    pieces: u64,
    is_hashed: bool,
    /// The root that its pieces are proved with.
    root: Option<Root>,
    leaves: Mutex<Vec<[u8; 32]>>,
}

impl Handler for Sink {
    fn connect(&self, _: Peer) -> Box<dyn Session> {
        Box::new(self.clone())
    }
}

impl Sink {
    fn packs(&self) -> std::sync::MutexGuard<'_, Packs> {
        self.packs.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn begin(&self, name: &str, len: u64, root: Option<Root>) -> Reply {
        let pieces = len.div_ceil(PIECE as u64);
        let leaves = Mutex::new(vec![[0; 32]; pieces as usize]);
        let pack = Pack { pieces, is_hashed: !name.starts_with(UNHASHED), root, leaves };
        let mut packs = self.packs();
        packs.last += 1;
        let upload = packs.last;
        packs.open.insert(upload, Arc::new(pack));
        Reply::Upload { upload, there: vec![0; pieces.div_ceil(8) as usize] }
    }

    /// Hashes a piece, outside of all locks, and looks at its proof.
    fn piece(&self, upload: u64, number: u32, path: Vec<[u8; 32]>, bytes: &[u8]) -> Option<Reply> {
        let pack = Arc::clone(self.packs().open.get(&upload)?);
        if !pack.is_hashed {
            return Some(Reply::Done);
        }
        let leaf = leaf_hash(bytes);
        if let Some(root) = pack.root.filter(|_| !path.is_empty()) {
            let proof = MerkleProof { index: number.into(), leaf_count: pack.pieces, path };
            proof.verify_leaf(&root, &leaf).ok()?;
        }
        *pack.leaves.lock().ok()?.get_mut(number as usize)? = leaf;
        Some(Reply::Done)
    }

    fn end(&self, upload: u64) -> Option<Reply> {
        let pack = self.packs().open.remove(&upload)?;
        let leaves = pack.leaves.lock().ok()?.clone();
        Some(Reply::Created { root: pack.is_hashed.then(|| MerkleTree::from_leaves(leaves).root()) })
    }
}

impl Session for Sink {
    fn answer(&self, request: Request) -> Reply {
        let failed = || Reply::Failed(Failure::new(FailCode::Malformed, 0, "a benchmark asks no such thing"));
        match request {
            Request::Hello { .. } => {
                Reply::Welcome { rights: Rights::ALL, exists: true, room: 0, ahead: AHEAD }
            }
            Request::Put { bytes, .. } => {
                drop(bytes);
                Reply::Created { root: None }
            }
            Request::Read { len, .. } => {
                let bytes = self.piece.slice(..(len as usize).min(PIECE));
                Reply::Blob { len: bytes.len() as u64, bytes }
            }
            Request::Begin { name, len, root, .. } => self.begin(&name, len, root),
            Request::Piece { upload, number, path, bytes } => {
                self.piece(upload, number, path, &bytes).unwrap_or_else(failed)
            }
            Request::End { upload } => self.end(upload).unwrap_or_else(failed),
            _ => failed(),
        }
    }
}

fn failed(error: warp::sync::TransportError) -> CliError {
    CliError::caused(Exit::Failed, "the connection failed", error)
}
