//! The answering end: takes connections, keeps them within limits, and lets a [`Handler`] answer what they ask.

mod census;
mod connection;
mod limits;
mod metrics;
mod responder;
mod stream;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quinn::Incoming;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

use self::census::Census;
use self::connection::FIRST_WINDOW;
use self::metrics::Refusal;
use super::endpoint::{self, Listener};
use super::frames::FramePool;
use super::{Identity, NetError, close};
use crate::format::wire::Frame;
use crate::sync::{Handler, PeerKey};

pub use limits::ServerLimits;
pub use metrics::Metrics;

/// How long clients are given to hear that the server stops.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often it is looked whether all that runs is done.
const DRAIN_STEP: Duration = Duration::from_millis(10);

/// A server that listens. It answers while [`run`](Self::run) runs.
#[derive(Debug)]
pub struct Server {
    runtime: Runtime,
    shared: Arc<Shared>,
    key: PeerKey,
    stop: watch::Sender<bool>,
}

/// Stops a server, from any thread.
#[derive(Debug, Clone)]
pub struct Stopper(watch::Sender<bool>);

impl Stopper {
    /// Asks the server to finish what runs, and to take nothing new.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// What all connections have in common.
struct Shared {
    listener: Listener,
    handler: Arc<dyn Handler>,
    limits: ServerLimits,
    census: Arc<Census>,
    /// Long frames that come in.
    pool: Arc<FramePool>,
    /// One permit for each stream whose request is read or answered.
    streams: Arc<Semaphore>,
    /// One permit for each KiB of replies.
    replies: Arc<Semaphore>,
    /// One permit for each KiB of receive windows beyond the first.
    windows: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    stopping: watch::Receiver<bool>,
    /// Connections whose tasks run.
    tasks: AtomicUsize,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("handler", &self.handler)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Listens at an address; port 0 takes any that is free.
    ///
    /// # Errors
    /// If the address is taken or none of this machine, or the system gives no threads.
    pub fn bind(
        address: SocketAddr,
        identity: &Identity,
        handler: Arc<dyn Handler>,
        limits: ServerLimits,
    ) -> Result<Self, NetError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("warp-serve")
            .max_blocking_threads(limits.threads.max(1))
            .enable_all()
            .build()
            .map_err(|source| NetError::System { action: "start threads for the server", source })?;
        let listener = {
            let _inside = runtime.enter();
            endpoint::listen(address, identity, limits.streams, FIRST_WINDOW)?
        };
        let (stop, stopping) = watch::channel(false);
        let shared = Arc::new(Shared::new(listener, handler, limits, stopping));
        Ok(Self { runtime, shared, key: identity.key(), stop })
    }

    /// The address that it listens at.
    ///
    /// # Errors
    /// If the system cannot tell.
    pub fn local_addr(&self) -> Result<SocketAddr, NetError> {
        let failed = |source| NetError::System { action: "find out the address of the server", source };
        self.shared.listener.endpoint().local_addr().map_err(failed)
    }

    /// The key that it shows.
    pub fn key(&self) -> PeerKey {
        self.key
    }

    /// What it has counted so far.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.shared.metrics)
    }

    /// Stops it, once asked to.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.stop.clone())
    }

    /// Serves the metrics to Prometheus, at a TCP address of this machine that no other machine can reach. Returns the address.
    ///
    /// # Errors
    /// If others could reach it, or it is taken.
    pub fn serve_metrics(&self, address: SocketAddr) -> Result<SocketAddr, NetError> {
        if !address.ip().to_canonical().is_loopback() {
            return Err(NetError::NotLoopback { address });
        }
        self.runtime.block_on(responder::serve(address, Arc::clone(&self.shared)))
    }

    /// Answers until it is stopped: then what runs is finished, for a time that the limits say.
    pub fn run(self) {
        let Self { runtime, shared, .. } = self;
        runtime.block_on(shared.accept());
        // What still waits for a disk cannot be called back.
        runtime.shutdown_timeout(FAREWELL);
    }
}

impl Shared {
    fn new(
        listener: Listener,
        handler: Arc<dyn Handler>,
        limits: ServerLimits,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let parts = limits.parts();
        let pool = FramePool::bounded(parts.long_frames, limits.room);
        Self {
            listener,
            handler,
            census: Census::new(&limits, Arc::clone(&pool)),
            pool,
            streams: Arc::new(Semaphore::new(parts.streams)),
            replies: Arc::new(Semaphore::new(parts.reply_kib)),
            windows: Arc::new(Semaphore::new((limits.windows >> 10).min(Semaphore::MAX_PERMITS))),
            metrics: Metrics::new(limits.memory),
            limits,
            stopping,
            tasks: AtomicUsize::new(0),
        }
    }

    /// Bytes that frames hold in memory now, as they are counted against the limit.
    fn held(&self) -> usize {
        let parts = self.limits.parts();
        let long = (parts.long_frames - self.pool.available()) * Frame::LEN_MAX;
        let streams = (parts.streams - self.streams.available_permits()) * super::frames::SMALL_LEN;
        long + streams + ((parts.reply_kib - self.replies.available_permits()) << 10)
    }

    /// Takes connections until the server stops, and then refuses them until those that are there are done.
    async fn accept(self: Arc<Self>) {
        let endpoint = self.listener.endpoint();
        let mut stopping = self.stopping.clone();
        let drained = async {
            // Without a sender nobody can ask any more to stop.
            let _ = stopping.wait_for(|stop| *stop).await;
            self.drain().await;
        };
        tokio::pin!(drained);
        loop {
            tokio::select! {
                () = &mut drained => break,
                incoming = endpoint.accept() => match incoming {
                    Some(incoming) => self.take(incoming),
                    None => break,
                },
            }
        }
        endpoint.close(close::STOPPING, b"the server is stopping");
        let _ = timeout(FAREWELL, endpoint.wait_idle()).await;
    }

    /// Waits until all connections are done, or no longer.
    async fn drain(&self) {
        tracing::info!(connections = self.tasks.load(Ordering::Relaxed), "stopping");
        let end = Instant::now() + self.limits.stop;
        while self.tasks.load(Ordering::Acquire) > 0 && Instant::now() < end {
            tokio::time::sleep(DRAIN_STEP).await;
        }
        let left = self.tasks.load(Ordering::Relaxed);
        if left > 0 {
            tracing::warn!(connections = left, "stopped before all requests were answered");
        }
    }

    /// Begins a connection, unless too many are beginning.
    fn take(self: &Arc<Self>, incoming: Incoming) {
        let open = self.listener.endpoint().open_connections();
        let beginning = self.census.beginning();
        if beginning >= self.limits.handshakes || open > self.limits.open_max() {
            self.metrics.refused(Refusal::Handshakes);
            incoming.refuse();
            return;
        }
        // Whoever has to come back with a token cannot pretend to be at another address.
        if beginning >= self.limits.handshakes / 4 && !incoming.remote_address_validated() {
            self.metrics.retried();
            let _ = incoming.retry();
            return;
        }
        let (begins, arrived) = match self.census.arrive(incoming.remote_address().ip()) {
            Ok(counted) => counted,
            Err(limit) => {
                self.metrics.refused(limit);
                return incoming.refuse();
            }
        };
        let task = Task::new(Arc::clone(self));
        tokio::spawn(async move {
            connection::run(&task.0, incoming, begins).await;
            drop(arrived);
        });
    }
}

/// A connection's task: counted while it runs.
struct Task(Arc<Shared>);

impl Task {
    fn new(shared: Arc<Shared>) -> Self {
        shared.tasks.fetch_add(1, Ordering::AcqRel);
        Self(shared)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.tasks.fetch_sub(1, Ordering::AcqRel);
    }
}
