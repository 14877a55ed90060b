//! Connections: how they come about, and when they are made anew.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use quinn::{Connection, ConnectionError, Endpoint, TransportErrorCode};
use tokio::time::timeout;

use super::{ConnectOptions, Count, FAREWELL, Welcome, ask, no_welcome, welcome};
use crate::format::wire::{Failure, Reply, Request};
use crate::net::frames::FramePool;
use crate::net::known_hosts::UnknownHost;
use crate::net::tls::{self, Expectation, SERVER_NAME};
use crate::net::{HostKeyPolicy, Identity, NetError, ServerUrl, close, endpoint};
use crate::sync::{PeerKey, TransportError};

/// The alert of a server that knows none of the protocols it is offered (RFC 7301).
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// How often it is looked whether a farewell is on its way.
const STEP: Duration = Duration::from_micros(500);
/// How long a server may take to open a repository: its log has to be read.
const HELLO_PATIENCE: Duration = Duration::from_secs(120);

/// Knows how to reach a server, and what it must show.
pub(super) struct Dialler {
    url: ServerUrl,
    location: String,
    identity: Identity,
    options: Arc<ConnectOptions>,
    /// The key that was checked, of the first connection.
    trusted: OnceLock<PeerKey>,
}

/// A place for one connection, with a socket of its own: sockets are served by different threads.
pub(super) struct Slot {
    endpoint: Endpoint,
    now: tokio::sync::Mutex<Now>,
    /// Attempts that failed.
    failures: AtomicU64,
    /// The same connection, for whoever ends it.
    ended: Mutex<Option<Connection>>,
}

/// A connection that was ended, and whether the other end has been told.
pub(super) struct Farewell {
    connection: Connection,
    /// Datagrams that had been sent before: an ended connection sends one more, and that says so.
    before: u64,
}

impl Farewell {
    /// Ends a connection; `None`: it was cut, and has nothing to say.
    fn of(connection: Connection) -> Option<Self> {
        if connection.close_reason().is_some() {
            return None;
        }
        let before = connection.stats().udp_tx.datagrams;
        connection.close(close::DONE, b"");
        Some(Self { connection, before })
    }

    /// Waits until the word is on its way. Whether it arrives nobody waits for: that would take several round trips.
    pub(super) async fn said(&self) {
        while self.connection.stats().udp_tx.datagrams <= self.before {
            tokio::time::sleep(STEP).await;
        }
        // It is counted before the system takes it.
        tokio::time::sleep(STEP).await;
    }
}

/// What is in a slot.
#[derive(Default)]
struct Now {
    connection: Option<Connection>,
    /// What the last attempt failed of.
    failure: Option<Failed>,
}

/// An attempt that failed, as all are told who have waited for it.
#[derive(Clone)]
enum Failed {
    Refused(Failure),
    Otherwise(TransportError),
}

impl From<NetError> for Failed {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Refused { failure, .. } => Self::Refused(failure),
            error => Self::Otherwise(error.into_transport()),
        }
    }
}

impl Slot {
    /// An empty one. Must be called within a runtime.
    pub(super) fn new() -> Result<Self, NetError> {
        let (now, failures) = (tokio::sync::Mutex::default(), AtomicU64::new(0));
        Ok(Self { endpoint: endpoint::dial()?, now, failures, ended: Mutex::default() })
    }

    /// Makes the first connection.
    pub(super) async fn first(&self, dialler: &Dialler) -> Result<(Welcome, PeerKey), NetError> {
        let (connection, key, welcome) = dialler.connect(&self.endpoint).await?;
        self.keep(&mut *self.now.lock().await, connection);
        Ok((welcome, key))
    }

    /// The connection, made anew if it was cut. Of many who wait for it one makes it, and all are told if that fails.
    pub(super) async fn connection(&self, dialler: &Dialler) -> Result<Connection, NetError> {
        let seen = self.failures.load(Ordering::Acquire);
        let mut now = self.now.lock().await;
        if let Some(connection) = now.connection.as_ref().filter(|open| open.close_reason().is_none()) {
            return Ok(connection.clone());
        }
        if let Some(failed) = now.failure.clone()
            && self.failures.load(Ordering::Acquire) != seen
        {
            return Err(dialler.error(failed));
        }
        now.connection = None;
        match dialler.connect(&self.endpoint).await {
            Ok((connection, ..)) => {
                self.keep(&mut now, connection.clone());
                Ok(connection)
            }
            Err(error) => {
                let failed = Failed::from(error);
                now.failure = Some(failed.clone());
                self.failures.fetch_add(1, Ordering::Release);
                Err(dialler.error(failed))
            }
        }
    }

    fn keep(&self, now: &mut Now, connection: Connection) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.clone());
        now.connection = Some(connection);
    }

    /// Ends the connection.
    pub(super) fn end(&self) -> Option<Farewell> {
        let connection = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Farewell::of(connection)
    }
}

impl Dialler {
    pub(super) fn new(url: ServerUrl, identity: Identity, options: ConnectOptions) -> Self {
        let location = url.location();
        Self { url, location, identity, options: Arc::new(options), trusted: OnceLock::new() }
    }

    pub(super) fn cancelled(&self) -> fn() -> bool {
        self.options.cancelled
    }

    pub(super) fn location(&self) -> &str {
        &self.location
    }

    /// Connects, makes sure of the other end's key, and says hello.
    async fn connect(&self, endpoint: &Endpoint) -> Result<(Connection, PeerKey, Welcome), NetError> {
        let (mut connection, key) = self.handshake(endpoint).await?;
        match self.begin(endpoint, &mut connection, key).await {
            Ok(welcome) => Ok((connection, key, welcome)),
            Err(error) => {
                // The process may end at once, and the server would count the connection until it times out.
                if let Some(farewell) = Farewell::of(connection) {
                    let _ = timeout(FAREWELL, farewell.said()).await;
                }
                Err(error)
            }
        }
    }

    async fn begin(
        &self,
        endpoint: &Endpoint,
        connection: &mut Connection,
        key: PeerKey,
    ) -> Result<Welcome, NetError> {
        if self.trusted.get() != Some(&key) {
            self.check(key).await?;
            // Whoever was asked may have taken longer to answer than the server waits for a hello.
            if connection.close_reason().is_some() {
                let (again, shown) = self.handshake(endpoint).await?;
                if shown != key {
                    self.check(shown).await?;
                }
                *connection = again;
            }
            let _ = self.trusted.set(key);
        }
        self.hello(connection).await
    }

    /// Tries the addresses of the host one after the other.
    async fn handshake(&self, endpoint: &Endpoint) -> Result<(Connection, PeerKey), NetError> {
        let all = async {
            let mut failure = None;
            for address in self.addresses().await? {
                match self.handshake_at(endpoint, address).await {
                    Ok(made) => return Ok(made),
                    Err(error) => failure = Some(error),
                }
            }
            Err(failure.unwrap_or_else(|| self.unreachable("its name has no address")))
        };
        let late = |_| {
            let Self { url, .. } = self;
            let host = url.authority();
            let why = format!(
                "{host} did not answer in {} s: is `warp serve` running there, and does UDP get through to port {}?",
                self.options.timeout.as_secs(),
                url.port
            );
            self.unreachable(&why)
        };
        timeout(self.options.timeout, all).await.map_err(late)?
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, NetError> {
        let host = (self.url.host.as_str(), self.url.port);
        let found = tokio::net::lookup_host(host).await;
        let failed = |error| self.unreachable(&format!("the name {} is not known: {error}", self.url.host));
        Ok(found.map_err(failed)?.collect())
    }

    async fn handshake_at(
        &self,
        endpoint: &Endpoint,
        address: SocketAddr,
    ) -> Result<(Connection, PeerKey), NetError> {
        let expectation = Expectation::new(self.url.key);
        let config = endpoint::client_config(&self.identity, address, Arc::clone(&expectation))?;
        let connecting = endpoint.connect_with(config, address, SERVER_NAME);
        let connecting = connecting.map_err(|error| self.unreachable(&error.to_string()))?;
        match connecting.await {
            Ok(connection) => {
                let key = tls::peer(&connection).ok_or_else(|| self.unreachable("it has shown no key"))?;
                Ok((connection, key))
            }
            Err(error) => Err(self.no_handshake(&error, &expectation)),
        }
    }

    fn no_handshake(&self, error: &ConnectionError, expectation: &Expectation) -> NetError {
        let host = self.url.authority();
        if let (Some(pinned), Some(found)) = (self.url.key, expectation.shown())
            && pinned != found
        {
            return NetError::PinMismatch { host, found, pinned };
        }
        let code = match error {
            ConnectionError::ConnectionClosed(close) => Some(close.error_code),
            _ => None,
        };
        if code == Some(TransportErrorCode::CONNECTION_REFUSED) {
            return self.unreachable("the server takes no more connections; try again later");
        }
        let other = code == Some(TransportErrorCode::crypto(NO_APPLICATION_PROTOCOL));
        if other || matches!(error, ConnectionError::VersionMismatch) {
            let why = format!(
                "{host} speaks another version of the protocol: use the same release of warp at both ends"
            );
            return TransportError::Identity { why }.into();
        }
        self.unreachable(&close::why(error))
    }

    /// Makes sure of a key. A person may be asked, so it is done where waiting is allowed.
    async fn check(&self, key: PeerKey) -> Result<(), NetError> {
        // What was there a moment ago cannot be new.
        let is_first = self.trusted.get().is_none();
        let (url, options) = (self.url.clone(), Arc::clone(&self.options));
        let check = move || {
            let policy = if is_first { &options.policy } else { &HostKeyPolicy::Strict };
            options.known_hosts.check(&url, key, policy)
        };
        let unknown = UnknownHost { host: self.url.authority(), key };
        tokio::task::spawn_blocking(check)
            .await
            .map_err(|_| NetError::HostKeyUnknown { host: unknown.host, found: unknown.key })?
    }

    async fn hello(&self, connection: &Connection) -> Result<Welcome, NetError> {
        let request = Request::Hello { repository: self.url.repository.clone(), create: self.options.create };
        let (sent, received) = (AtomicU64::new(0), AtomicU64::new(0));
        let count = Count { sent: &sent, received: &received };
        let pool = FramePool::new(0);
        let asked = ask(&self.location, connection, request, &pool, count);
        let late = |_| self.unreachable("it has accepted the connection, but does not answer");
        let reply = timeout(HELLO_PATIENCE, asked).await.map_err(late)??;
        match reply {
            Reply::Failed(failure) => Err(self.refused(failure)),
            reply => welcome(&reply).ok_or_else(|| no_welcome(&self.location).into()),
        }
    }

    fn error(&self, failed: Failed) -> NetError {
        match failed {
            Failed::Refused(failure) => self.refused(failure),
            Failed::Otherwise(error) => error.into(),
        }
    }

    fn refused(&self, failure: Failure) -> NetError {
        NetError::Refused { location: self.location.clone(), key: self.identity.key(), failure }
    }

    fn unreachable(&self, why: &str) -> NetError {
        TransportError::Unreachable { location: self.location.clone(), why: why.to_owned() }.into()
    }
}
