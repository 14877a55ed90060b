//! One connection: handshake, limits, hello, and then stream after stream.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quinn::{Connection, Incoming, RecvStream, SendStream, VarInt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::Shared;
use super::census::{Admitted, Begins};
use super::metrics::Refusal;
use super::stream::{Exchange, Hello};
use crate::net::{close, tls};
use crate::sync::{Peer, Session};

/// Bytes that a connection may have under way before it has said hello, and for certain.
pub(super) const FIRST_WINDOW: u32 = 256 << 10;

/// A connection that has said hello.
pub(super) struct Link {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: Peer,
    pub(super) session: Arc<dyn Session>,
    /// Its place among others, and what its key may use.
    pub(super) admitted: Admitted,
    /// Bytes of frames that came in on it.
    pub(super) received: AtomicU64,
    /// Bytes of frames that went out on it.
    pub(super) sent: AtomicU64,
    pub(super) requests: AtomicU64,
    /// The repository that was asked for last.
    repository: Mutex<String>,
    bucket: Mutex<Bucket>,
}

/// Requests that may still come, as of a moment.
struct Bucket {
    left: f64,
    since: Instant,
}

/// Carries a connection to its end.
pub(super) async fn run(shared: &Arc<Shared>, incoming: Incoming, begins: Begins) {
    let begun = Instant::now();
    let address = incoming.remote_address();
    let Some(connection) = handshake(shared, incoming).await else { return };
    let Some(key) = tls::peer(&connection) else {
        return connection.close(close::PROTOCOL, b"no key was shown");
    };
    let refuse = |limit: Refusal, code| refuse(shared, &connection, limit, code, address);
    if *shared.stopping.borrow() {
        return refuse(Refusal::Stopping, close::STOPPING).await;
    }
    let admitted = match shared.census.admit(key) {
        Ok(admitted) => admitted,
        Err(limit) => return refuse(limit, close::LIMIT).await,
    };
    let peer = Peer { key, address: address.to_string() };
    let Some(link) = Link::new(shared, peer, admitted).await else {
        return connection.close(close::PROTOCOL, b"the server has failed");
    };
    match link.hello(&connection, begun + shared.limits.hello).await {
        Some(Hello::Welcome) => {}
        Some(Hello::Late) => return refuse(Refusal::Late, close::LATE).await,
        _ => return link.over(&connection, begun),
    }
    drop(begins);
    let _counted = shared.metrics.connected();
    let _window = link.widen(&connection);
    tracing::info!(
        peer = %link.peer.key,
        address = %link.peer.address,
        repository = link.repository().as_str(),
        "connected"
    );
    link.serve(&connection).await;
    link.over(&connection, begun);
}

async fn handshake(shared: &Shared, incoming: Incoming) -> Option<Connection> {
    let address = incoming.remote_address();
    let connecting = match shared.listener.accept(incoming) {
        Ok(connecting) => connecting,
        Err(error) => {
            tracing::debug!(%address, %error, "no connection");
            return None;
        }
    };
    match timeout(shared.limits.hello, connecting).await {
        Ok(Ok(connection)) => Some(connection),
        Ok(Err(error)) => {
            tracing::info!(%address, %error, "no connection");
            None
        }
        Err(_) => {
            shared.metrics.refused(Refusal::Late);
            None
        }
    }
}

/// Ends a connection that breaks a limit, and waits until the other end has heard of it.
async fn refuse(shared: &Shared, connection: &Connection, limit: Refusal, code: VarInt, address: SocketAddr) {
    shared.metrics.refused(limit);
    tracing::warn!(%address, %limit, "connection refused");
    connection.close(code, limit.reason().as_bytes());
}

impl Link {
    async fn new(shared: &Arc<Shared>, peer: Peer, admitted: Admitted) -> Option<Arc<Self>> {
        let (handler, asked) = (Arc::clone(&shared.handler), peer.clone());
        let session = tokio::task::spawn_blocking(move || handler.connect(asked)).await.ok()?;
        let bucket = Bucket { left: shared.limits.burst.into(), since: Instant::now() };
        Some(Arc::new(Self {
            shared: Arc::clone(shared),
            peer,
            session: session.into(),
            admitted,
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            repository: Mutex::default(),
            bucket: Mutex::new(bucket),
        }))
    }

    /// Answers streams, one after the other, until one of them has said hello. `None`: the connection is over.
    ///
    /// A hello must have come by `end`; answering it may take longer, where a repository has to be opened.
    async fn hello(self: &Arc<Self>, connection: &Connection, end: Instant) -> Option<Hello> {
        loop {
            let Ok(next) = timeout_at(end, connection.accept_bi()).await else { return Some(Hello::Late) };
            let (send, receive) = next.ok()?;
            match self.exchange(send, receive, None).await.hello(end).await {
                Hello::Refused => {}
                Hello::Another => {
                    connection.close(close::PROTOCOL, b"the first request was no hello");
                    return None;
                }
                done => return Some(done),
            }
        }
    }

    /// A stream's request and reply, once there is memory for it.
    async fn exchange(
        self: &Arc<Self>,
        send: SendStream,
        receive: RecvStream,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Exchange {
        // First of the key's share, or one key could wait in front of all others.
        let mut memory = Vec::with_capacity(2);
        for budget in [&self.admitted.share.streams, &self.shared.streams] {
            memory.push(Arc::clone(budget).acquire_owned().await.expect("nobody closes the budget"));
        }
        Exchange::new(Arc::clone(self), send, receive, memory, turn)
    }

    /// Lets more bytes be under way, if the server has room for them.
    fn widen(&self, connection: &Connection) -> Option<OwnedSemaphorePermit> {
        let window = self.shared.limits.window();
        let windows = Arc::clone(&self.shared.windows);
        let permit = windows.try_acquire_many_owned((window - FIRST_WINDOW) >> 10).ok()?;
        connection.set_receive_window(VarInt::from_u32(window));
        Some(permit)
    }

    /// Answers streams side by side until the connection ends, is idle, or the server stops.
    async fn serve(self: &Arc<Self>, connection: &Connection) {
        let most = self.shared.limits.streams as usize;
        let turns = Arc::new(Semaphore::new(most));
        let mut stopping = self.shared.stopping.clone();
        loop {
            let turn = Arc::clone(&turns).acquire_owned().await.expect("nobody closes the turns");
            let next = tokio::select! {
                biased;
                () = stopped(&mut stopping) => {
                    drop(turn);
                    return finish(connection, &turns, most).await;
                }
                next = timeout(self.shared.limits.idle, connection.accept_bi()) => next,
            };
            match next {
                Ok(Ok((send, receive))) => tokio::select! {
                    biased;
                    () = stopped(&mut stopping) => {}
                    exchange = self.exchange(send, receive, Some(turn)) => drop(tokio::spawn(exchange.run())),
                },
                Ok(Err(_)) => return,
                // The turn that waits is the one that is left.
                Err(_) if turns.available_permits() == most - 1 => {
                    self.shared.metrics.refused(Refusal::Idle);
                    return connection.close(close::IDLE, Refusal::Idle.reason().as_bytes());
                }
                Err(_) => {}
            }
        }
    }

    /// Counts a request. If there were too many of late, says how long to wait.
    pub(super) fn count(&self) -> Result<(), Duration> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let limits = &self.shared.limits;
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(f64::from(limits.rate), f64::from(limits.burst), Instant::now())
    }

    /// Waits for `work` as long as a frame may take: for ever only if the connection moves enough bytes meanwhile.
    pub(super) async fn patiently<T>(&self, moved: &AtomicU64, work: impl Future<Output = T>) -> Option<T> {
        let (begun, before) = (Instant::now(), moved.load(Ordering::Relaxed));
        let mut end = begun + self.shared.limits.frame;
        tokio::pin!(work);
        loop {
            if let Ok(done) = timeout_at(end, &mut work).await {
                return Some(done);
            }
            let bytes = moved.load(Ordering::Relaxed) - before;
            let earned = Duration::from_secs(bytes / self.shared.limits.rate_min.max(1));
            let until = begun + self.shared.limits.frame + earned;
            if until <= end {
                return None;
            }
            end = until;
        }
    }

    /// The repository that was asked for last; empty: none yet.
    fn repository(&self) -> MutexGuard<'_, String> {
        self.repository.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes which repository is asked for.
    pub(super) fn asks_for(&self, repository: &str) {
        *self.repository() = repository.to_owned();
    }

    /// Tells the log that a connection is over.
    fn over(&self, connection: &Connection, begun: Instant) {
        let reason =
            connection.close_reason().map_or_else(|| "it is refused".to_owned(), |error| close::why(&error));
        tracing::info!(
            peer = %self.peer.key,
            address = %self.peer.address,
            repository = self.repository().as_str(),
            requests = self.requests.load(Ordering::Relaxed),
            received = self.received.load(Ordering::Relaxed),
            sent = self.sent.load(Ordering::Relaxed),
            seconds = begun.elapsed().as_secs_f64(),
            reason,
            "disconnected"
        );
    }
}

/// Waits until the server shall stop.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Without a sender nobody can ask any more to stop: it is over as well.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Waits for the requests that run, and ends the connection.
async fn finish(connection: &Connection, turns: &Semaphore, most: usize) {
    tokio::select! {
        _ = turns.acquire_many(most as u32) => {}
        _ = connection.closed() => {}
    }
    connection.close(close::STOPPING, Refusal::Stopping.reason().as_bytes());
}

impl Bucket {
    fn take(&mut self, rate: f64, burst: f64, now: Instant) -> Result<(), Duration> {
        let earned = now.duration_since(self.since).as_secs_f64() * rate;
        (self.left, self.since) = ((self.left + earned).min(burst), now);
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.left) / rate.max(1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_a_burst_and_then_the_rate() {
        let begun = Instant::now();
        let mut bucket = Bucket { left: 3.0, since: begun };
        for _ in 0..3 {
            bucket.take(10.0, 3.0, begun).unwrap();
        }
        let wait = bucket.take(10.0, 3.0, begun).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        bucket.take(10.0, 3.0, begun + wait).unwrap();
        bucket.take(10.0, 3.0, begun + wait).unwrap_err();
        let later = begun + Duration::from_secs(3600);
        assert_eq!((0..9).filter(|_| bucket.take(10.0, 3.0, later).is_ok()).count(), 3);
    }
}
