//! Carrying blobs over a transport: in pieces, many at once, and on from where it was cut off.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::erasure::ErasureConfig;
use crate::format::wire::{FailCode, Failure, Reply, Request};
use crate::id::Root;
use crate::limits::PIECE_LEN;
use crate::merkle::{MerkleTree, leaf_hash};
use crate::observe::{Observer, Silent};

use super::{Pending, Transport, TransportError, Upload, VerificationMode};

/// How blobs are carried.
#[derive(Clone)]
pub struct TransferConfig {
    /// What is proved on the way.
    pub verification: VerificationMode,
    /// Over how many ends each pack is spread, and how many of them bring it back: what a group is opened with. `None`: one end has all of it.
    pub erasure: Option<ErasureConfig>,
    /// Requests under way at once for one blob, in pieces of 1 MiB, or for many that are smaller.
    pub window: u32,
    /// How often something is tried again that was cut off, one after the other.
    pub retries: u32,
    /// How long to wait before the first of these; twice as long before each next one.
    pub pause: Duration,
    /// Waits.
    pub sleep: fn(Duration),
    /// Is told how many bytes of blobs have gone over, when the other end is lost and is looked for again, and when it is back; says whether to give up
    /// instead.
    pub observer: Arc<dyn Observer>,
}

impl fmt::Debug for TransferConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransferConfig")
            .field("verification", &self.verification)
            .field("erasure", &self.erasure)
            .field("window", &self.window)
            .field("retries", &self.retries)
            .field("pause", &self.pause)
            .finish_non_exhaustive()
    }
}

impl Default for TransferConfig {
    fn default() -> Self {
        Self {
            verification: VerificationMode::default(),
            window: 16,
            retries: 6,
            pause: Duration::from_millis(200),
            erasure: None,
            sleep: |_| {},
            observer: Arc::new(Silent),
        }
    }
}

/// Why something was not carried.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// No reply came.
    #[error(transparent)]
    Transport {
        /// What happened.
        source: TransportError,
    },
    /// The other end refused.
    #[error("{location} refused: {failure}")]
    Failed {
        /// The repository.
        location: String,
        /// Why.
        failure: Failure,
    },
    /// The other end answered with something else than was asked.
    #[error("{location} answered `{verb}` with something else")]
    Nonsense {
        /// The repository.
        location: String,
        /// What was asked.
        verb: &'static str,
    },
    /// The other end does not have what it was sent, or sent what is not what it should be.
    #[error("{location} lies about {name}: {why}")]
    Lie {
        /// The repository.
        location: String,
        /// The blob.
        name: String,
        /// What it claimed, and what is.
        why: &'static str,
    },
}

impl TransferError {
    /// What the other end said, if it refused.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed { failure, .. } => Some(failure),
            _ => None,
        }
    }
}

/// What became of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uploaded {
    /// It is there, and was not before.
    Created,
    /// A blob of that name was there.
    Exists,
}

/// How many bytes went each way.
#[derive(Debug, Default)]
pub struct TransferCounts {
    sent: AtomicU64,
    received: AtomicU64,
}

impl TransferCounts {
    /// Bytes of blobs that were sent, those sent again included.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes of blobs that were received.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

/// Carries blobs to and from one repository.
#[derive(Debug)]
pub struct TransferEngine {
    transport: Arc<dyn Transport>,
    config: TransferConfig,
    counts: TransferCounts,
    /// How many pieces beyond the first one that is missing the other end takes.
    ahead: u32,
    /// Chooses samples.
    seed: [u8; 32],
    /// Why the other end was given up: whoever goes on makes another engine. Otherwise all that cleans up after a failure would wait as long
    /// again.
    given_up: Mutex<Option<TransportError>>,
    /// The observer was told that the other end is lost.
    is_lost: AtomicBool,
}

impl TransferEngine {
    /// An engine over a transport. `ahead` is what the other end said in its welcome; `seed` is random.
    pub fn new(transport: Arc<dyn Transport>, config: TransferConfig, ahead: u32, seed: [u8; 32]) -> Self {
        let (counts, given_up, is_lost) = Default::default();
        Self { transport, config, counts, ahead, seed, given_up, is_lost }
    }

    /// How it carries.
    pub fn config(&self) -> &TransferConfig {
        &self.config
    }

    /// What it has carried.
    pub fn counts(&self) -> &TransferCounts {
        &self.counts
    }

    /// The repository at the other end, for messages.
    pub fn location(&self) -> String {
        self.transport.location()
    }

    /// Asks, again where the connection was cut or the other end is busy. Only for what may be done twice.
    ///
    /// # Errors
    /// [`TransferError`].
    pub fn ask(&self, request: &Request) -> Result<Reply, TransferError> {
        self.again(|_| self.once(request.clone()))
    }

    /// Asks once.
    ///
    /// # Errors
    /// [`TransferError`].
    pub fn once(&self, request: Request) -> Result<Reply, TransferError> {
        if let Some(source) = self.given_up().clone() {
            return Err(TransferError::Transport { source });
        }
        self.wait(self.transport.submit(request))
    }

    fn given_up(&self) -> MutexGuard<'_, Option<TransportError>> {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, pending: Pending) -> Result<Reply, TransferError> {
        match pending.wait().map_err(|source| TransferError::Transport { source })? {
            Reply::Failed(failure) => Err(TransferError::Failed { location: self.location(), failure }),
            reply => Ok(reply),
        }
    }

    /// The error for a reply to something else.
    pub fn nonsense(&self, verb: &'static str) -> TransferError {
        TransferError::Nonsense { location: self.location(), verb }
    }

    /// Does something until it is not cut off; it is told which attempt this is.
    fn again<T>(&self, mut act: impl FnMut(u32) -> Result<T, TransferError>) -> Result<T, TransferError> {
        let mut attempt = 0;
        loop {
            let may_try = || attempt < self.config.retries && !self.config.observer.cancelled();
            let error = match act(attempt) {
                Err(error) if may_try() && self.given_up().is_none() => error,
                Err(TransferError::Transport { source }) => {
                    if source.is_transient() {
                        self.given_up().get_or_insert_with(|| source.clone());
                    }
                    return Err(TransferError::Transport { source });
                }
                done => {
                    if attempt > 0 {
                        self.is_back();
                    }
                    return done;
                }
            };
            match &error {
                TransferError::Transport { source } if source.is_transient() => {
                    // Most connections that were cut come about again at once.
                    if attempt > 0 || matches!(source, TransportError::Unreachable { .. }) {
                        self.is_gone(source);
                    }
                    (self.config.sleep)(self.config.pause * 2_u32.saturating_pow(attempt));
                }
                TransferError::Failed { failure, .. } if failure.code == FailCode::Busy => {
                    (self.config.sleep)(Duration::from_millis(failure.number.clamp(1, 10_000)));
                }
                TransferError::Failed { failure, .. } if failure.code == FailCode::NoUpload => {}
                _ => return Err(error),
            }
            attempt += 1;
        }
    }

    fn is_gone(&self, error: &TransportError) {
        if !self.is_lost.swap(true, Ordering::Relaxed) {
            self.config.observer.notice(&format!("{error}; trying again for a while"));
        }
    }

    fn is_back(&self) {
        if self.is_lost.swap(false, Ordering::Relaxed) {
            self.config.observer.notice(&format!("the connection to {} is back", self.location()));
        }
    }

    /// Stores a blob under a name that must be free. `root` is the Merkle root over the payload of a pack, which the other end must find, too.
    ///
    /// What has arrived before a cut is not sent again. The bytes are sent from where they lie.
    ///
    /// # Errors
    /// [`TransferError`]; the blob may then be there or not.
    pub fn upload(&self, name: &str, bytes: &Bytes, root: Option<Root>) -> Result<Uploaded, TransferError> {
        let mut was_cut = false;
        self.again(|attempt| {
            was_cut |= attempt > 0;
            let reply = match bytes.len() <= PIECE_LEN {
                true => self.put(name, bytes)?,
                false => self.put_pieces(name, bytes)?,
            };
            match reply {
                Reply::Created { root: found } => self.check_root(name, root, found),
                // The word that it was stored may have been lost.
                Reply::Exists if was_cut && self.holds(name, bytes)? => Ok(Uploaded::Created),
                Reply::Exists => Ok(Uploaded::Exists),
                _ => Err(self.nonsense("put")),
            }
        })
    }

    fn put(&self, name: &str, bytes: &Bytes) -> Result<Reply, TransferError> {
        self.counts.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let put = self.once(Request::Put { name: name.to_owned(), replace: false, bytes: bytes.clone() })?;
        self.config.observer.advance(0, bytes.len() as u64);
        Ok(put)
    }

    /// Puts a blob in place of a damaged one.
    ///
    /// # Errors
    /// [`TransferError`]; the old blob or the new one stands.
    pub fn replace(&self, name: &str, bytes: &Bytes) -> Result<(), TransferError> {
        let whole = bytes.len() <= PIECE_LEN;
        self.again(|_| {
            let reply = match whole {
                true => {
                    self.once(Request::Put { name: name.to_owned(), replace: true, bytes: bytes.clone() })?
                }
                false => self.pieces(name, true, bytes)?,
            };
            match reply {
                Reply::Done => Ok(()),
                _ => Err(self.nonsense("replace")),
            }
        })
    }

    fn check_root(
        &self,
        name: &str,
        root: Option<Root>,
        found: Option<Root>,
    ) -> Result<Uploaded, TransferError> {
        let is_checked = self.config.verification != VerificationMode::None;
        match root.filter(|_| is_checked) {
            Some(root) if found != Some(root) => {
                let why = "it says that it stored another content than it was sent";
                Err(TransferError::Lie { location: self.location(), name: name.to_owned(), why })
            }
            _ => Ok(Uploaded::Created),
        }
    }

    fn put_pieces(&self, name: &str, bytes: &Bytes) -> Result<Reply, TransferError> {
        self.pieces(name, false, bytes)
    }

    fn pieces(&self, name: &str, replace: bool, bytes: &Bytes) -> Result<Reply, TransferError> {
        let tree = self
            .config
            .verification
            .proves_pieces()
            .then(|| MerkleTree::from_leaves(bytes.chunks(PIECE_LEN).map(leaf_hash).collect()));
        let root = tree.as_ref().map(MerkleTree::root);
        let len = bytes.len() as u64;
        let begin = Request::Begin { name: name.to_owned(), replace, len, root };
        let (id, there) = match self.once(begin)? {
            Reply::Upload { upload, there } => (upload, there),
            Reply::Exists => return Ok(Reply::Exists),
            _ => return Err(self.nonsense("begin")),
        };
        let mut upload = Upload::new(len, &there, self.ahead);
        let mut under_way: VecDeque<(u32, Pending)> = VecDeque::new();
        loop {
            while under_way.len() < self.config.window as usize
                && let Some(number) = upload.next_piece()
            {
                let place = upload.place(number);
                let bytes = bytes.slice(place.start as usize..place.end as usize);
                self.counts.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                let path = self.path(tree.as_ref(), number);
                let piece = Request::Piece { upload: id, number, path, bytes };
                under_way.push_back((number, self.transport.submit(piece)));
            }
            let Some((number, pending)) = under_way.pop_front() else { break };
            match self.wait(pending) {
                Ok(Reply::Done) => {
                    upload.arrived(number);
                    let place = upload.place(number);
                    self.config.observer.advance(0, place.end - place.start);
                }
                Ok(_) => return Err(self.nonsense("piece")),
                // It came too early: what is missing before it is under way.
                Err(TransferError::Failed { failure, .. }) if failure.code == FailCode::Busy => {
                    (self.config.sleep)(Duration::from_millis(failure.number.clamp(1, 1000)));
                    upload.lost(number);
                }
                Err(error) => return Err(error),
            }
        }
        self.once(Request::End { upload: id })
    }

    fn path(&self, tree: Option<&MerkleTree>, number: u32) -> Vec<[u8; 32]> {
        let picked = tree.filter(|_| self.config.verification.picks(&self.seed, number.into()));
        picked.and_then(|tree| tree.proof(number as usize)).map(|proof| proof.path).unwrap_or_default()
    }

    /// Whether the other end holds just these bytes under a name.
    fn holds(&self, name: &str, bytes: &Bytes) -> Result<bool, TransferError> {
        let len = match self.once(Request::Len { name: name.to_owned() })? {
            Reply::Len { len } => len,
            _ => return Err(self.nonsense("len")),
        };
        Ok(len == Some(bytes.len() as u64) && self.read(name, 0, bytes.len())? == bytes[..])
    }

    /// A whole blob of at most `max` bytes.
    ///
    /// # Errors
    /// [`TransferError`].
    pub fn get(&self, name: &str, max: u64) -> Result<Vec<u8>, TransferError> {
        let reply = self.ask(&Request::Get { name: name.to_owned(), max })?;
        self.whole(name, max, reply)
    }

    /// Whole blobs of at most `max` bytes each, with many requests under way at once. `take` is given them in the order of the names,
    /// with their numbers from 0 on.
    ///
    /// # Errors
    /// The first one that `take` returns: then the rest is not asked for.
    pub fn get_many<'n, E>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
        max: u64,
        mut take: impl FnMut(usize, Result<Vec<u8>, TransferError>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut names, mut under_way) = (names.into_iter(), VecDeque::new());
        for number in 0.. {
            while under_way.len() < self.config.window.max(1) as usize
                && let Some(name) = names.next()
            {
                let request = Request::Get { name: name.to_owned(), max };
                // Where the other end was given up, nobody dials anew for each of many.
                let pending = self.given_up().is_none().then(|| self.transport.submit(request.clone()));
                under_way.push_back((name, request, pending));
            }
            let Some((name, request, pending)) = under_way.pop_front() else { break };
            let reply = self.reply(&request, pending);
            take(number, reply.and_then(|reply| self.whole(name, max, reply)))?;
        }
        Ok(())
    }

    /// The reply to a request that is under way, or is to be sent: again where that was cut off or the other end is busy.
    fn reply(&self, request: &Request, pending: Option<Pending>) -> Result<Reply, TransferError> {
        let mut first = pending;
        self.again(|_| match first.take() {
            Some(pending) => self.wait(pending),
            None => self.once(request.clone()),
        })
    }

    /// The blob of which a reply to `get` has the beginning.
    fn whole(&self, name: &str, max: u64, reply: Reply) -> Result<Vec<u8>, TransferError> {
        let Reply::Blob { len, bytes: first } = reply else { return Err(self.nonsense("get")) };
        let why = "it has another length than was asked for";
        let lie = || TransferError::Lie { location: self.location(), name: name.to_owned(), why };
        if len > max {
            return Err(lie());
        }
        self.received(first.len());
        let len = usize::try_from(len).map_err(|_| lie())?;
        let mut all = Vec::with_capacity(len);
        all.extend_from_slice(&first);
        // Of most blobs the first reply has all.
        if all.len() < len {
            self.read_into(name, first.len() as u64, len, &mut all)?;
        }
        Ok(all)
    }

    fn received(&self, bytes: usize) {
        self.counts.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.config.observer.advance(0, bytes as u64);
    }

    /// `len` bytes of a blob from byte `offset` on.
    ///
    /// # Errors
    /// [`TransferError`].
    pub fn read(&self, name: &str, offset: u64, len: usize) -> Result<Vec<u8>, TransferError> {
        let mut all = Vec::with_capacity(len);
        self.read_into(name, offset, len, &mut all)?;
        Ok(all)
    }

    /// Appends bytes from `offset` on until `all` has `len`: many requests at once, in order.
    fn read_into(&self, name: &str, offset: u64, len: usize, all: &mut Vec<u8>) -> Result<(), TransferError> {
        let start = all.len();
        let mut asked = start;
        let mut under_way: VecDeque<(Request, usize, Pending)> = VecDeque::new();
        loop {
            while under_way.len() < self.config.window as usize
                && (asked < len || (len == start && asked == start))
            {
                let now = (len - asked).min(PIECE_LEN);
                let at = offset + (asked - start) as u64;
                let request = Request::Read { name: name.to_owned(), offset: at, len: now as u32 };
                under_way.push_back((request.clone(), now, self.transport.submit(request)));
                asked += now;
                if now == 0 {
                    break;
                }
            }
            let Some((request, wanted, pending)) = under_way.pop_front() else { return Ok(()) };
            match self.reply(&request, Some(pending))? {
                Reply::Blob { bytes, .. } if bytes.len() == wanted => {
                    self.received(wanted);
                    all.extend_from_slice(&bytes);
                }
                _ => return Err(self.nonsense("read")),
            }
            if asked >= len && under_way.is_empty() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::RecordingObserver;

    /// Fails so often, and answers then.
    #[derive(Debug)]
    struct Fails {
        left: Mutex<u32>,
        how: fn() -> TransportError,
    }

    fn unreachable() -> TransportError {
        TransportError::Unreachable { location: "there".to_owned(), why: "it is dark".to_owned() }
    }

    fn cut() -> TransportError {
        TransportError::Cut { location: "there".to_owned(), why: "snip".to_owned() }
    }

    impl Transport for Fails {
        fn location(&self) -> String {
            "there".to_owned()
        }

        fn submit(&self, _: Request) -> Pending {
            let mut left = self.left.lock().unwrap();
            let fails = *left > 0;
            *left = left.saturating_sub(1);
            let error = (self.how)();
            Pending::new(move || if fails { Err(error) } else { Ok(Reply::Done) })
        }
    }

    /// What a person is told while a request fails so often.
    fn told(failures: u32, how: fn() -> TransportError) -> (bool, Vec<String>) {
        let observer = Arc::new(RecordingObserver::new());
        let transport = Fails { left: Mutex::new(failures), how };
        let config = TransferConfig { observer: Arc::clone(&observer) as _, ..TransferConfig::default() };
        let engine = TransferEngine::new(Arc::new(transport), config, 1, [0; 32]);
        let done = engine.ask(&Request::End { upload: 1 }).is_ok();
        (done, observer.notices())
    }

    #[test]
    fn a_connection_that_stays_away_is_told_of_once_and_when_it_is_back() {
        assert_eq!(told(0, cut), (true, vec![]));
        assert_eq!(told(1, cut), (true, vec![]));
        let away = |why: &str| format!("{why}; trying again for a while");
        let back = "the connection to there is back".to_owned();
        let lost = "the connection to there was cut: snip";
        assert_eq!(told(4, cut), (true, vec![away(lost), back.clone()]));
        assert_eq!(told(1, unreachable), (true, vec![away("cannot reach there: it is dark"), back]));
        assert_eq!(told(99, cut), (false, vec![away(lost)]));
    }
}
