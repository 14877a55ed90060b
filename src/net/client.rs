//! The asking end: a [`Transport`] over one or several connections to a server.

mod dial;
mod ways;

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use quinn::{Connection, ReadError, RecvStream, VarInt, WriteError};
use tokio::runtime::{Handle, Runtime};

use self::dial::{Dialler, Slot};
use self::ways::Ways;
use super::frames::{self, FramePool, ReadFault};
use super::{HostKeyPolicy, Identity, KnownHosts, NetError, ServerUrl, close};
use crate::format::DecodeError;
use crate::format::wire::{Frame, Reply, Request, Rights};
use crate::sync::{PeerKey, Pending, Transport, TransportError};

/// Threads that carry bytes, for all connections of the process.
const WORKERS: usize = 2;
/// Buffers of long frames that are kept for the next replies: new ones cost page faults.
const KEPT_BUFFERS: usize = 32;
/// How often a thread that waits for a reply looks whether it shall stop, and how long it goes on waiting then.
const STEP: Duration = Duration::from_millis(100);
const GRACE: Duration = Duration::from_secs(2);
/// How long an ended connection is given to say so.
const FAREWELL: Duration = Duration::from_millis(100);

/// How to connect.
#[derive(Debug)]
pub struct ConnectOptions {
    /// Make the repository if it is not there.
    pub create: bool,
    /// Connections to the server, at least one. More may be faster where one core cannot encrypt enough.
    pub connections: usize,
    /// Requests that may be under way at once, at least one; each may hold a frame in memory.
    pub requests: usize,
    /// How long a connection may take to come about.
    pub timeout: Duration,
    /// Where keys of servers are remembered.
    pub known_hosts: KnownHosts,
    /// What to do about a server that is not among them.
    pub policy: HostKeyPolicy,
    /// Whether whoever waits for replies wants to stop: those that are under way are waited for a little longer, and no longer.
    pub cancelled: fn() -> bool,
}

impl ConnectOptions {
    /// One connection, 64 requests, 10 s.
    pub fn new(known_hosts: KnownHosts, policy: HostKeyPolicy) -> Self {
        let timeout = Duration::from_secs(10);
        Self {
            create: false,
            connections: 1,
            requests: 64,
            timeout,
            known_hosts,
            policy,
            cancelled: || false,
        }
    }
}

/// What a server said first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Welcome {
    /// What the client's key may do.
    pub rights: Rights,
    /// Whether the repository is there.
    pub exists: bool,
    /// Bytes that the repository may still grow by.
    pub room: u64,
    /// How many pieces beyond the first one that is missing an upload may send.
    pub ahead: u32,
}

/// Takes requests to a server over QUIC. Connections that were cut are made anew by the next request, which then fails at once or
/// within [`ConnectOptions::timeout`]: how often to try again is for the caller to say.
pub struct QuicTransport {
    shared: Arc<Shared>,
    welcome: Welcome,
    server: PeerKey,
}

struct Shared {
    dialler: Dialler,
    slots: Vec<Slot>,
    next: AtomicUsize,
    ways: Arc<Ways>,
    pool: Arc<FramePool>,
    sent: AtomicU64,
    received: AtomicU64,
    runtime: Handle,
}

impl fmt::Debug for QuicTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicTransport").field("location", &self.location()).finish_non_exhaustive()
    }
}

impl QuicTransport {
    /// Connects to the server of `url` and says hello. Waits, so it must not be called by an asynchronous task.
    ///
    /// # Errors
    /// If nobody answers, the server's key is not the one that it should be, or it does not let this key in.
    pub fn connect(url: &ServerUrl, identity: &Identity, options: ConnectOptions) -> Result<Self, NetError> {
        let runtime = runtime()?;
        let slots = {
            let _inside = runtime.enter();
            (0..options.connections.max(1)).map(|_| Slot::new()).collect::<Result<Vec<_>, _>>()?
        };
        let ways = Ways::new(options.requests.max(1));
        let dialler = Dialler::new(url.clone(), identity.clone(), options);
        let shared = Arc::new(Shared {
            dialler,
            slots,
            next: AtomicUsize::new(0),
            ways,
            pool: FramePool::new(KEPT_BUFFERS),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            runtime: runtime.clone(),
        });
        let (welcome, server) = runtime.block_on(shared.slots[0].first(&shared.dialler))?;
        Ok(Self { shared, welcome, server })
    }

    /// What the server said when the first connection began.
    pub fn welcome(&self) -> Welcome {
        self.welcome
    }

    /// The key that the server has proved to hold.
    pub fn server_key(&self) -> PeerKey {
        self.server
    }

    /// Bytes of frames that went out and that came in.
    pub fn bytes(&self) -> (u64, u64) {
        (self.shared.sent.load(Ordering::Relaxed), self.shared.received.load(Ordering::Relaxed))
    }
}

impl Transport for QuicTransport {
    fn location(&self) -> String {
        self.shared.dialler.location().to_owned()
    }

    fn submit(&self, request: Request) -> Pending {
        let way = self.shared.ways.take();
        let (done, reply) = mpsc::sync_channel(1);
        let shared = Arc::clone(&self.shared);
        self.shared.runtime.spawn(async move {
            let result = shared.exchange(request).await;
            drop(way);
            // Whoever asked may have lost interest.
            let _ = done.send(result);
        });
        let location = self.location();
        let cancelled = self.shared.dialler.cancelled();
        Pending::new(move || wait(&reply, cancelled).unwrap_or_else(|why| Err(given_up(&location, why))))
    }
}

/// Waits for a reply, and not much longer once somebody wants to stop.
fn wait<T>(reply: &mpsc::Receiver<T>, cancelled: fn() -> bool) -> Result<T, &'static str> {
    let mut left = GRACE;
    loop {
        match reply.recv_timeout(STEP) {
            Ok(reply) => return Ok(reply),
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err("this end has given it up"),
            Err(mpsc::RecvTimeoutError::Timeout) if cancelled() => match left.checked_sub(STEP) {
                Some(less) => left = less,
                None => return Err("it was interrupted"),
            },
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
    }
}

impl Drop for QuicTransport {
    fn drop(&mut self) {
        let ended: Vec<_> = self.shared.slots.iter().filter_map(Slot::end).collect();
        // Otherwise the server would wait for more until the connections time out.
        if Handle::try_current().is_err() {
            self.shared.runtime.block_on(async {
                let all = async {
                    for farewell in ended {
                        farewell.said().await;
                    }
                };
                let _ = tokio::time::timeout(FAREWELL, all).await;
            });
        }
    }
}

impl Shared {
    /// A request and its reply, on the connection whose turn it is.
    async fn exchange(&self, request: Request) -> Result<Reply, TransportError> {
        let slot = &self.slots[self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len()];
        let connection = match slot.connection(&self.dialler).await {
            Ok(connection) => connection,
            Err(NetError::Refused { failure, .. }) => return Ok(Reply::Failed(failure)),
            Err(error) => return Err(error.into_transport()),
        };
        let count = Count { sent: &self.sent, received: &self.received };
        ask(self.dialler.location(), &connection, request, &self.pool, count).await
    }
}

/// Where bytes are counted.
#[derive(Clone, Copy)]
struct Count<'a> {
    sent: &'a AtomicU64,
    received: &'a AtomicU64,
}

/// A request and its reply on a stream of their own.
async fn ask(
    location: &str,
    connection: &Connection,
    request: Request,
    pool: &Arc<FramePool>,
    count: Count<'_>,
) -> Result<Reply, TransportError> {
    let malformed = |source| TransportError::Malformed { location: location.to_owned(), source };
    let parts = request.into_frame().into_parts().map_err(malformed)?;
    let (mut send, mut receive) = connection.open_bi().await.map_err(|error| close::cut(location, &error))?;
    match frames::write(&mut send, parts, count.sent).await {
        // The server has heard enough to answer.
        Ok(()) | Err(WriteError::Stopped(_)) => {}
        Err(WriteError::ConnectionLost(error)) => return Err(close::cut(location, &error)),
        Err(error) => return Err(given_up(location, &error.to_string())),
    }
    match frames::read(&mut receive, pool, Frame::LEN_MAX, count.received).await {
        Ok(bytes) => Frame::decode(bytes).and_then(Reply::from_frame).map_err(malformed),
        Err(fault) => Err(unread(location, &mut receive, fault)),
    }
}

/// What it means that no reply could be read.
fn unread(location: &str, stream: &mut RecvStream, fault: ReadFault) -> TransportError {
    match fault {
        ReadFault::TooLong(source) => {
            let _ = stream.stop(close::PROTOCOL);
            TransportError::Malformed { location: location.to_owned(), source }
        }
        ReadFault::NoRoom => given_up(location, "there is no room for the reply"),
        ReadFault::Ended(ReadError::ConnectionLost(error)) => close::cut(location, &error),
        ReadFault::Ended(ReadError::Reset(code)) => given_up(location, reset(code)),
        ReadFault::Ended(error) => given_up(location, &error.to_string()),
    }
}

fn reset(code: VarInt) -> &'static str {
    match code {
        close::LATE => "the server has given the request up, since it took too long",
        _ => "the server has given the request up",
    }
}

fn given_up(location: &str, why: &str) -> TransportError {
    TransportError::Cut { location: location.to_owned(), why: why.to_owned() }
}

/// What a welcome says; `None` if it is another reply.
fn welcome(reply: &Reply) -> Option<Welcome> {
    match *reply {
        Reply::Welcome { rights, exists, room, ahead } => Some(Welcome { rights, exists, room, ahead }),
        _ => None,
    }
}

/// The error for a reply that does not belong to a hello.
fn no_welcome(location: &str) -> TransportError {
    let source = DecodeError::Invalid { what: "reply", why: "it is no answer to a hello" };
    TransportError::Malformed { location: location.to_owned(), source }
}

/// The process's runtime for connections, made on first use.
fn runtime() -> Result<&'static Handle, NetError> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(WORKERS).thread_name("warp-net").enable_all();
        builder.build().map_err(|error| error.to_string())
    });
    let failed = |why: &String| NetError::System {
        action: "start threads for connections",
        source: io::Error::other(why.clone()),
    };
    made.as_ref().map(Runtime::handle).map_err(failed)
}
