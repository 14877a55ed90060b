//! Two ends that talk over real sockets: who gets in, what hostile ends can do, and what a cut leaves behind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream, VarInt};
use tokio::runtime::Runtime;
use warp::format::wire::{FailCode, Frame, FrameTrailer, Reply, Request};
use warp::limits::PIECE_LEN;
use warp::net::{
    ConnectOptions, HostKeyPolicy, Identity, KnownHosts, Metrics, NetError, QuicTransport, Server,
    ServerLimits, ServerUrl, Stopper, endpoint,
};
use warp::store::OsVfs;
use warp::sync::{Handler, PeerKey, Transport, TransportError};
use warp::testing::{Rng, StoreHandler};

/// A server that runs until it is dropped.
struct Running {
    address: SocketAddr,
    key: PeerKey,
    metrics: Arc<Metrics>,
    stopper: Stopper,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn with(handler: impl Handler + 'static, limits: ServerLimits) -> Self {
        Self::of(&Identity::generate().unwrap(), handler, limits, loopback())
    }

    fn of(
        identity: &Identity,
        handler: impl Handler + 'static,
        limits: ServerLimits,
        at: SocketAddr,
    ) -> Self {
        let server = Server::bind(at, identity, Arc::new(handler), limits).unwrap();
        let (address, key) = (server.local_addr().unwrap(), server.key());
        let (metrics, stopper) = (server.metrics(), server.stopper());
        let thread = Some(thread::spawn(move || server.run()));
        Self { address, key, metrics, stopper, thread }
    }

    fn url(&self) -> ServerUrl {
        format!("warp://{}/repo#{}", self.address, self.key).parse().unwrap()
    }

    fn connect(&self) -> Result<QuicTransport, NetError> {
        self.connect_with(|_| {})
    }

    fn connect_with(&self, change: impl FnOnce(&mut ConnectOptions)) -> Result<QuicTransport, NetError> {
        let dir = tempfile::tempdir().unwrap();
        let mut options = options(dir.path(), HostKeyPolicy::Strict);
        change(&mut options);
        QuicTransport::connect(&self.url(), &Identity::generate().unwrap(), options)
    }

    fn stop(mut self) {
        self.stopper.stop();
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn options(dir: &Path, policy: HostKeyPolicy) -> ConnectOptions {
    let known_hosts = KnownHosts::new(Arc::new(OsVfs::new()), dir.join("known_hosts"));
    ConnectOptions { timeout: Duration::from_secs(5), ..ConnectOptions::new(known_hosts, policy) }
}

fn put(name: &str, bytes: impl Into<Bytes>) -> Request {
    Request::Put { name: name.to_owned(), replace: false, bytes: bytes.into() }
}

fn get(name: &str) -> Request {
    Request::Get { name: name.to_owned(), max: 1 << 20 }
}

#[track_caller]
fn failure(reply: Reply) -> FailCode {
    match reply {
        Reply::Failed(failure) => failure.code,
        other => panic!("{other:?} is no failure"),
    }
}

/// Waits until something holds.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "not within 10 s: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A client that does what it likes.
struct Raw {
    runtime: Runtime,
    endpoint: Endpoint,
    connection: Connection,
}

impl Raw {
    fn connect(server: &Running) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (endpoint, connection) = runtime.block_on(dial(server.address, &Identity::generate().unwrap()));
        Self { runtime, endpoint, connection }
    }

    /// The same, after a hello.
    fn welcome(server: &Running) -> Self {
        let raw = Self::connect(server);
        let hello = Request::Hello { repository: "repo".to_owned(), create: false };
        assert!(matches!(raw.ask(&encoded(hello)), Some(Reply::Welcome { .. })));
        raw
    }

    /// Sends bytes on a new stream and reads the reply; `None` if the stream was reset.
    fn ask(&self, bytes: &[u8]) -> Option<Reply> {
        self.runtime.block_on(async {
            let (mut send, mut receive) = self.connection.open_bi().await.ok()?;
            // A server that has heard enough stops the stream.
            let _ = send.write_all(bytes).await;
            let _ = send.finish();
            let reply = receive.read_to_end(Frame::LEN_MAX).await.ok()?;
            Some(Reply::from_frame(Frame::decode(reply.into()).unwrap()).unwrap())
        })
    }

    fn open(&self) -> (SendStream, RecvStream) {
        self.runtime.block_on(self.connection.open_bi()).unwrap()
    }

    fn closed(&self) -> ConnectionError {
        let closed = async { tokio::time::timeout(Duration::from_secs(10), self.connection.closed()).await };
        self.runtime.block_on(closed).expect("the server ends it")
    }
}

async fn dial(address: SocketAddr, identity: &Identity) -> (Endpoint, Connection) {
    let endpoint = endpoint::dial().unwrap();
    let config = endpoint::client_config_for_any_key(identity, address).unwrap();
    let connection = endpoint.connect_with(config, address, endpoint::SERVER_NAME).unwrap().await.unwrap();
    (endpoint, connection)
}

fn encoded(request: Request) -> Vec<u8> {
    request.into_frame().into_parts().unwrap().concat()
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.connection.close(VarInt::from_u32(0), b"");
        self.runtime.block_on(self.endpoint.wait_idle());
    }
}

/// With which number and words a server has ended a connection.
fn close_of(error: &ConnectionError) -> (u64, String) {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            (close.error_code.into_inner(), String::from_utf8_lossy(&close.reason).into_owned())
        }
        other => panic!("{other} is no end by the server"),
    }
}

#[test]
fn blobs_go_there_and_come_back() {
    let server = Running::with(StoreHandler::new(), ServerLimits::default());
    let transport = server.connect().unwrap();
    assert_eq!((transport.server_key(), transport.welcome().ahead), (server.key, 16));
    let mut rng = Rng::new(1);
    for len in [0, 1, 16 << 10, (16 << 10) + 1, 100_000, PIECE_LEN] {
        let (name, bytes) = (format!("packs/{len}"), rng.bytes(len));
        assert_eq!(transport.call(put(&name, bytes.clone())).unwrap(), Reply::Created { root: None });
        assert_eq!(transport.call(put(&name, bytes.clone())).unwrap(), Reply::Exists);
        let wanted = Reply::Blob { len: len as u64, bytes: bytes.into() };
        assert_eq!(transport.call(get(&name)).unwrap(), wanted, "{len} bytes");
    }
    assert_eq!(failure(transport.call(get("packs/none")).unwrap()), FailCode::NotFound);
    let (sent, received) = transport.bytes();
    until("both ends count alike", || {
        let (server_received, server_sent) = server.metrics.bytes();
        server_received > sent && server_sent > received
    });
}

#[test]
fn many_requests_at_once_get_each_its_own_reply_over_one_connection_and_over_three() {
    let server = Running::with(StoreHandler::new(), ServerLimits::default());
    for connections in [1, 3] {
        let transport = server.connect_with(|options| options.connections = connections).unwrap();
        let name = |n: usize| format!("c{connections}/{n}");
        let bytes = |n: usize| vec![n as u8; n * 1000];
        let puts: Vec<_> = (0..200).map(|n| transport.submit(put(&name(n), bytes(n)))).collect();
        assert!(puts.into_iter().all(|put| put.wait().unwrap() == Reply::Created { root: None }));
        let gets: Vec<_> = (0..200).map(|n| transport.submit(get(&name(n)))).collect();
        for (n, get) in gets.into_iter().enumerate() {
            let wanted = Reply::Blob { len: n as u64 * 1000, bytes: bytes(n).into() };
            assert_eq!(get.wait().unwrap(), wanted, "blob {n}");
        }
        until("all connections are there", || server.metrics.connections() == connections as u64);
        drop(transport);
        until("all connections are gone", || server.metrics.connections() == 0);
    }
}

#[test]
fn two_connections_that_race_for_a_name_are_told_who_was_first() {
    let server = Running::with(StoreHandler::new(), ServerLimits::default());
    let clients = [server.connect().unwrap(), server.connect().unwrap()];
    let created = AtomicUsize::new(0);
    thread::scope(|scope| {
        for (who, client) in clients.iter().enumerate() {
            let created = &created;
            scope.spawn(move || {
                for n in 0..100 {
                    match client.call(put(&format!("log/{n}"), vec![who as u8; 100])).unwrap() {
                        Reply::Created { .. } => drop(created.fetch_add(1, Ordering::Relaxed)),
                        reply => assert_eq!(reply, Reply::Exists),
                    }
                }
            });
        }
    });
    assert_eq!(created.into_inner(), 100);
}

#[test]
fn a_server_with_another_key_than_the_url_says_hears_nothing() {
    let server = Running::with(StoreHandler::new(), ServerLimits::default());
    let other = Identity::generate().unwrap().key();
    let url = ServerUrl { key: Some(other), ..server.url() };
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path(), HostKeyPolicy::AcceptNew);
    let error = QuicTransport::connect(&url, &Identity::generate().unwrap(), options).unwrap_err();
    let wanted = matches!(error, NetError::PinMismatch { found, pinned, .. } if (found, pinned) == (server.key, other));
    assert!(wanted, "{error}");
    assert_eq!((server.metrics.connections(), server.metrics.requests("hello", "done")), (0, 0));
}

#[test]
fn a_new_host_is_asked_about_and_a_changed_one_refused_with_the_line_that_knows_it() {
    let dir = tempfile::tempdir().unwrap();
    let me = Identity::generate().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let ask = |answer: bool| {
        let asked = Arc::clone(&asked);
        HostKeyPolicy::Ask(Box::new(move |_| {
            asked.fetch_add(1, Ordering::Relaxed);
            answer
        }))
    };
    let server = Running::with(StoreHandler::new(), ServerLimits::default());
    let (address, key) = (server.address, server.key);
    let url = ServerUrl { key: None, ..server.url() };
    let connect = |policy| QuicTransport::connect(&url, &me, options(dir.path(), policy));

    let refused = connect(ask(false)).unwrap_err();
    assert!(matches!(refused, NetError::HostKeyUnknown { found, .. } if found == key), "{refused}");
    assert!(matches!(connect(HostKeyPolicy::Strict), Err(NetError::HostKeyUnknown { .. })));
    drop(connect(ask(true)).unwrap());
    drop(connect(ask(false)).unwrap());
    assert_eq!(asked.load(Ordering::Relaxed), 2, "a known host is not asked about");

    server.stop();
    let other =
        Running::of(&Identity::generate().unwrap(), StoreHandler::new(), ServerLimits::default(), address);
    let changed = connect(ask(true)).unwrap_err();
    let text = changed.to_string();
    assert!(matches!(changed, NetError::HostKeyChanged { line: 1, .. }), "{text}");
    assert!(text.contains(&key.to_string()) && text.contains(&other.key.to_string()), "{text}");
    assert_eq!(other.metrics.requests("hello", "done"), 0, "it heard a hello");
}

#[test]
fn a_key_that_the_server_refuses_is_told_so() {
    let me = Identity::generate().unwrap();
    let handler = StoreHandler::new().refuse(me.key());
    let server = Running::with(handler, ServerLimits::default());
    let dir = tempfile::tempdir().unwrap();
    let error =
        QuicTransport::connect(&server.url(), &me, options(dir.path(), HostKeyPolicy::Strict)).unwrap_err();
    let NetError::Refused { key, failure, .. } = &error else { panic!("{error}") };
    assert_eq!((*key, failure.code), (me.key(), FailCode::Denied));
    drop(server.connect().unwrap());
}

#[test]
fn where_nobody_listens_the_error_says_what_to_look_at() {
    let socket = std::net::UdpSocket::bind(loopback()).unwrap();
    let url: ServerUrl = format!("warp://{}/repo", socket.local_addr().unwrap()).parse().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let options =
        ConnectOptions { timeout: Duration::from_millis(300), ..options(dir.path(), HostKeyPolicy::Strict) };
    let error = QuicTransport::connect(&url, &Identity::generate().unwrap(), options).unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("is `warp serve` running there"), "{error}");
}

#[test]
fn a_damaged_request_costs_its_stream_alone() {
    let server = Running::with(StoreHandler::new(), ServerLimits::default());
    let raw = Raw::welcome(&server);
    let good = encoded(put("packs/a", vec![7; 3000]));
    for cut in (0..good.len()).step_by(211).chain(good.len() - FrameTrailer::LEN - 2..good.len()) {
        assert_eq!(raw.ask(&good[..cut]).map(failure), Some(FailCode::Malformed), "cut at byte {cut}");
    }
    assert_eq!(
        raw.ask(&[&good[..], &good].concat()).map(failure),
        Some(FailCode::Malformed),
        "sent twice in one"
    );
    for at in good.len() - FrameTrailer::LEN..good.len() {
        let mut damaged = good.clone();
        damaged[at] ^= 0x55;
        assert_eq!(raw.ask(&damaged).map(failure), Some(FailCode::Malformed), "byte {at}");
    }
    let mut rng = Rng::new(2);
    for len in [1, 16, 17, 1000, 70_000] {
        assert_eq!(
            raw.ask(&rng.bytes(len)).map(failure),
            Some(FailCode::Malformed),
            "{len} bytes of garbage"
        );
    }
    let long = vec![0; Frame::LEN_MAX + 1];
    assert_eq!(raw.ask(&long).map(failure), Some(FailCode::Malformed), "a byte too many");
    assert_eq!(raw.ask(&good), Some(Reply::Created { root: None }), "nothing of all this was stored");
    assert_eq!(raw.ask(&good), Some(Reply::Exists));
    assert_eq!(server.metrics.connections(), 1);
}

#[test]
fn a_connection_that_does_not_begin_with_a_hello_is_ended() {
    let server = Running::with(StoreHandler::new(), ServerLimits::default());
    for first in [encoded(get("packs/a")), b"GET / HTTP/1.0\r\n\r\n".to_vec(), vec![0; 10_000]] {
        let raw = Raw::connect(&server);
        let _ = raw.ask(&first);
        assert_eq!(close_of(&raw.closed()).0, 4, "{first:?}");
    }
    drop(server.connect().unwrap());
}

#[test]
fn whoever_says_no_hello_is_sent_away() {
    let limits = ServerLimits { hello: Duration::from_millis(200), ..ServerLimits::default() };
    let server = Running::with(StoreHandler::new(), limits);
    let silent = Raw::connect(&server);
    let half = Raw::connect(&server);
    let (mut send, _receive) = half.open();
    half.runtime.block_on(send.write_all(b"h")).unwrap();
    for raw in [silent, half] {
        assert_eq!(close_of(&raw.closed()).0, 5);
    }
    until("both are counted", || server.metrics.refusals("late") == 2);
}

#[test]
fn a_request_that_drips_is_given_up_and_others_go_on() {
    let limits = ServerLimits { frame: Duration::from_millis(300), ..ServerLimits::default() };
    let server = Running::with(StoreHandler::new(), limits);
    let raw = Raw::welcome(&server);
    let (mut send, mut receive) = raw.open();
    let begun = Instant::now();
    let ended = raw.runtime.block_on(async {
        // Less than the connection has to bring to be waited for.
        while begun.elapsed() < Duration::from_secs(5) && send.write_all(b"drip").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        receive.read_to_end(100).await
    });
    assert!(begun.elapsed() < Duration::from_secs(2), "given up after {:?}", begun.elapsed());
    let late = Err(quinn::ReadToEndError::Read(quinn::ReadError::Reset(VarInt::from_u32(5))));
    assert_eq!(ended, late);
    assert_eq!(raw.ask(&encoded(put("packs/a", "x"))), Some(Reply::Created { root: None }));
}

#[test]
fn a_slow_line_is_waited_for_as_long_as_bytes_come() {
    let limits =
        ServerLimits { frame: Duration::from_millis(200), rate_min: 1000, ..ServerLimits::default() };
    let server = Running::with(StoreHandler::new(), limits);
    let raw = Raw::welcome(&server);
    let request = encoded(put("packs/a", vec![1; 10_000]));
    let (mut send, mut receive) = raw.open();
    let reply = raw.runtime.block_on(async {
        for piece in request.chunks(1000) {
            send.write_all(piece).await.unwrap();
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        send.finish().unwrap();
        receive.read_to_end(100).await.unwrap()
    });
    let reply = Reply::from_frame(Frame::decode(reply.into()).unwrap()).unwrap();
    assert_eq!(reply, Reply::Created { root: None });
}

#[test]
fn each_limit_of_connections_is_told_to_whoever_meets_it() {
    let limits = ServerLimits { connections: 3, per_key: 1, ..ServerLimits::default() };
    let server = Running::with(StoreHandler::new(), limits);
    let dir = tempfile::tempdir().unwrap();
    let me = Identity::generate().unwrap();
    let connect =
        |me: &Identity| QuicTransport::connect(&server.url(), me, options(dir.path(), HostKeyPolicy::Strict));
    let first = connect(&me).unwrap();
    let error = connect(&me).unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("this key has as many"), "{error}");
    let _others = [server.connect().unwrap(), server.connect().unwrap()];
    let error = server.connect().unwrap_err();
    assert!(error.to_string().contains("as many connections as it takes"), "{error}");
    drop(first);
    until("the place is free again", || connect(&me).is_ok());
    assert!(
        server.metrics.refusals("connections") >= 1 && server.metrics.refusals("connections_per_key") >= 1
    );
}

#[test]
fn too_many_requests_are_told_when_to_come_back() {
    let limits = ServerLimits { rate: 10, burst: 5, ..ServerLimits::default() };
    let server = Running::with(StoreHandler::new(), limits);
    let transport = server.connect().unwrap();
    let replies: Vec<_> = (0..20).map(|_| transport.submit(put("packs/a", vec![0; 100_000]))).collect();
    let busy = |reply: &Reply| matches!(reply, Reply::Failed(f) if f.code == FailCode::Busy && (1..=100).contains(&f.number));
    let replies: Vec<_> = replies.into_iter().map(|reply| reply.wait().unwrap()).collect();
    let refused = replies.iter().filter(|reply| busy(reply)).count();
    // The hello took one.
    assert!((14..=16).contains(&refused), "{refused} of {replies:?}");
    thread::sleep(Duration::from_millis(150));
    assert_eq!(transport.call(put("packs/a", "x")).unwrap(), Reply::Exists);
    assert_eq!(server.metrics.refusals("rate"), refused as u64);
}

#[test]
fn a_connection_that_asks_nothing_is_ended_and_made_anew_when_it_is_needed() {
    let limits = ServerLimits { idle: Duration::from_millis(200), ..ServerLimits::default() };
    let server = Running::with(StoreHandler::new(), limits);
    let transport = server.connect().unwrap();
    until("the idle one is ended", || {
        server.metrics.refusals("idle") == 1 && server.metrics.connections() == 0
    });
    // The word that it was ended may still be under way.
    let again = |_| transport.call(put("packs/a", "x"));
    let put = transport.call(put("packs/a", "x")).or_else(again);
    assert_eq!(put.unwrap(), Reply::Created { root: None });
    assert_eq!(server.metrics.connections(), 1);
}

#[test]
fn a_thousand_idle_connections_and_a_flood_of_streams_stay_within_the_memory_limit() {
    let memory = 16 << 20;
    let limits = ServerLimits {
        connections: 1100,
        per_key: 1100,
        per_address: 1100,
        handshakes: 1100,
        memory,
        windows: 0,
        room: Duration::from_millis(100),
        ..ServerLimits::default()
    };
    let server = Running::with(StoreHandler::new(), limits);
    let before = resident();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let me = Identity::generate().unwrap();
    let idle = runtime.block_on(async {
        let config = endpoint::client_config_for_any_key(&me, loopback()).unwrap();
        let endpoint = endpoint::dial().unwrap();
        let mut all = Vec::new();
        for _ in 0..1000 / 50 {
            let some = (0..50).map(|_| {
                let connecting = endpoint.connect_with(config.clone(), server.address, endpoint::SERVER_NAME);
                tokio::spawn(async move { welcomed(connecting.unwrap().await.unwrap()).await })
            });
            for one in some.collect::<Vec<_>>() {
                all.push(one.await.unwrap());
            }
        }
        all
    });
    until("all are there", || server.metrics.connections() == 1000);
    let idle_growth = resident().saturating_sub(before);
    // Both ends are in this process: each connection is counted twice.
    assert!(idle_growth < 200 << 20, "1,000 idle connections take {idle_growth} bytes");

    let flood = Raw::welcome(&server);
    let mut held = Vec::new();
    for connection in idle.iter().take(20) {
        // Leave for the stream of the hello comes back with others.
        for _ in 0..60 {
            let (mut send, receive) = flood.runtime.block_on(connection.open_bi()).unwrap();
            // More than a short frame, and never the end of it.
            let begun = async {
                tokio::time::timeout(Duration::from_millis(1), send.write_all(&[0; 20 << 10])).await
            };
            let _ = flood.runtime.block_on(begun);
            held.push((send, receive));
        }
    }
    thread::sleep(Duration::from_millis(300));
    let most = server.metrics.held_most();
    assert!(most <= memory as u64, "{most} bytes of frames in memory");
    let growth = resident().saturating_sub(before);
    assert!(growth < 300 << 20, "idle connections and a flood take {growth} bytes");
    for connection in &idle {
        connection.close(VarInt::from_u32(0), b"");
    }
    drop(held);
    assert_eq!(
        flood.ask(&encoded(put("packs/a", "x"))),
        Some(Reply::Created { root: None }),
        "the server goes on"
    );
}

async fn welcomed(connection: Connection) -> Connection {
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    let hello = Request::Hello { repository: "repo".to_owned(), create: false };
    send.write_all(&encoded(hello)).await.unwrap();
    send.finish().unwrap();
    receive.read_to_end(1000).await.unwrap();
    connection
}

/// Bytes of memory that this process has now.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

/// A gate that requests wait at.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<(usize, bool)>, Condvar)>);

impl Gate {
    /// Waits until it is open.
    fn pass(&self) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        state.0 += 1;
        changed.notify_all();
        drop(changed.wait_while(state, |(_, open)| !*open).unwrap());
    }

    /// Waits until somebody waits at it.
    fn reached(&self) {
        let (state, changed) = &*self.0;
        drop(changed.wait_while(state.lock().unwrap(), |(waiting, _)| *waiting == 0).unwrap());
    }

    fn open(&self) {
        self.0.0.lock().unwrap().1 = true;
        self.0.1.notify_all();
    }
}

fn gated(gate: &Gate) -> StoreHandler {
    let gate = gate.clone();
    StoreHandler::new().before(move |request| {
        if matches!(request, Request::Put { name, .. } if name == "packs/slow") {
            gate.pass();
        }
    })
}

#[test]
fn a_stop_finishes_what_runs_and_takes_nothing_new() {
    let gate = Gate::default();
    let server = Running::with(gated(&gate), ServerLimits::default());
    let transport = server.connect_with(|options| options.timeout = Duration::from_millis(500)).unwrap();
    let running = transport.submit(put("packs/slow", vec![1; PIECE_LEN]));
    gate.reached();
    server.stopper.stop();
    let error = server.connect().unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("the server is stopping"), "{error}");
    gate.open();
    assert_eq!(running.wait().unwrap(), Reply::Created { root: None });
    server.stop();
    assert!(transport.call(get("packs/slow")).unwrap_err().is_transient());
}

#[test]
fn a_stop_waits_no_longer_than_it_may() {
    let gate = Gate::default();
    let limits = ServerLimits { stop: Duration::from_millis(200), ..ServerLimits::default() };
    let server = Running::with(gated(&gate), limits);
    let transport = server.connect().unwrap();
    let running = transport.submit(put("packs/slow", "x"));
    gate.reached();
    let begun = Instant::now();
    server.stop();
    assert!(begun.elapsed() < Duration::from_secs(5), "stopped after {:?}", begun.elapsed());
    let error = running.wait().unwrap_err();
    assert!(matches!(&error, TransportError::Cut { why, .. } if why.contains("stopping")), "{error}");
    gate.open();
}

#[test]
fn a_handler_that_panics_fails_its_request_alone() {
    let handler = StoreHandler::new().before(|request| {
        assert!(!matches!(request, Request::Delete { .. }), "a panic of this test");
    });
    let server = Running::with(handler, ServerLimits::default());
    let transport = server.connect().unwrap();
    let reply = transport.call(Request::Delete { name: "packs/a".to_owned() }).unwrap();
    assert_eq!(failure(reply), FailCode::Store);
    assert_eq!(transport.call(put("packs/a", "x")).unwrap(), Reply::Created { root: None });
}

/// A server that breaks off in the middle of its second reply, once; then it is as it should be.
fn breaks_off() -> (SocketAddr, PeerKey, JoinHandle<()>) {
    let identity = Identity::generate().unwrap();
    let (address, tell) = std::sync::mpsc::channel();
    let key = identity.key();
    let thread = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = endpoint::listen(loopback(), &identity, 64, 1 << 20).unwrap();
            let endpoint = listener.endpoint();
            address.send(endpoint.local_addr().unwrap()).unwrap();
            for turn in 0..2 {
                let connection = endpoint.accept().await.unwrap().await.unwrap();
                let welcome = Reply::Welcome {
                    rights: warp::format::wire::Rights::ALL,
                    exists: true,
                    room: 0,
                    ahead: 1,
                };
                let blob = Reply::Blob { len: 200_000, bytes: vec![3; 200_000].into() };
                for (number, reply) in [welcome, blob].into_iter().enumerate() {
                    let (mut send, mut receive) = connection.accept_bi().await.unwrap();
                    receive.read_to_end(Frame::LEN_MAX).await.unwrap();
                    let bytes = reply.into_frame().into_parts().unwrap().concat();
                    let is_cut = (turn, number) == (0, 1);
                    send.write_all(&bytes[..bytes.len() / if is_cut { 2 } else { 1 }]).await.unwrap();
                    if is_cut {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        connection.close(VarInt::from_u32(9), b"struck by lightning");
                    } else {
                        send.finish().unwrap();
                        send.stopped().await.unwrap();
                    }
                }
            }
            endpoint.wait_idle().await;
        });
    });
    (tell.recv().unwrap(), key, thread)
}

#[test]
fn a_server_that_dies_within_a_reply_is_a_cut_and_the_next_request_connects_anew() {
    let (address, key, thread) = breaks_off();
    let dir = tempfile::tempdir().unwrap();
    let url: ServerUrl = format!("warp://{address}/repo#{key}").parse().unwrap();
    let options = options(dir.path(), HostKeyPolicy::Strict);
    let transport = QuicTransport::connect(&url, &Identity::generate().unwrap(), options).unwrap();
    let error = transport.call(get("packs/a")).unwrap_err();
    assert!(matches!(&error, TransportError::Cut { why, .. } if why.contains("lightning")), "{error}");
    let wanted = Reply::Blob { len: 200_000, bytes: vec![3; 200_000].into() };
    assert_eq!(transport.call(get("packs/a")).unwrap(), wanted);
    drop(transport);
    thread.join().unwrap();
}

#[test]
fn a_server_that_comes_back_is_found_again_and_one_that_does_not_fails_all_who_wait() {
    let identity = Identity::generate().unwrap();
    let handler = StoreHandler::new();
    let server = Running::of(&identity, handler.clone(), ServerLimits::default(), loopback());
    let address = server.address;
    let transport = server.connect_with(|options| options.timeout = Duration::from_millis(500)).unwrap();
    transport.call(put("packs/a", "x")).unwrap();
    server.stop();
    let begun = Instant::now();
    let waiting: Vec<_> = (0..20).map(|_| transport.submit(get("packs/a"))).collect();
    for reply in waiting {
        assert!(reply.wait().unwrap_err().is_transient());
    }
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "all fail with one attempt or two, not one after the other"
    );
    let _again = Running::of(&identity, handler, ServerLimits::default(), address);
    assert_eq!(transport.call(get("packs/a")).unwrap(), Reply::Blob { len: 1, bytes: "x".into() });
}

#[test]
fn metrics_are_for_this_machine_alone_and_say_what_was_done() {
    use std::io::{Read as _, Write as _};
    let identity = Identity::generate().unwrap();
    let server =
        Server::bind(loopback(), &identity, Arc::new(StoreHandler::new()), ServerLimits::default()).unwrap();
    for open in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let refused = server.serve_metrics(open.parse().unwrap());
        assert!(matches!(refused, Err(NetError::NotLoopback { .. })), "{open}");
    }
    let at = server.serve_metrics(loopback()).unwrap();
    let (url, stopper) =
        (format!("warp://{}/r#{}", server.local_addr().unwrap(), server.key()), server.stopper());
    let thread = thread::spawn(move || server.run());
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path(), HostKeyPolicy::Strict);
    let transport =
        QuicTransport::connect(&url.parse().unwrap(), &Identity::generate().unwrap(), options).unwrap();
    transport.call(put("packs/a", vec![0; 5000])).unwrap();
    let ask = |request: &str| {
        let mut stream = std::net::TcpStream::connect(at).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    until("the put is counted", || {
        ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").contains("verb=\"put\",outcome=\"done\"} 1\n")
    });
    let answer = ask("GET /metrics HTTP/1.0\r\n\r\n");
    assert!(
        answer.starts_with("HTTP/1.0 200 OK\r\n") && answer.contains("\nwarp_connections 1\n"),
        "{answer}"
    );
    assert!(ask("GET /secrets HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 404 "));
    assert!(ask("POST /metrics HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 405 "));
    drop(transport);
    stopper.stop();
    thread.join().unwrap();
}
