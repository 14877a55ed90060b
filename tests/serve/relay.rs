//! A bad line between real programs: datagrams are late, overtake each other, are lost, and go no faster than a rate.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use warp::testing::Rng;

/// What the line is like.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    /// How long a datagram takes at least, and by how much more at most.
    pub(crate) delay: [Duration; 2],
    /// One datagram in so many is lost.
    pub(crate) lost_one_in: usize,
    /// Bytes a second each way.
    pub(crate) rate: u64,
}

/// Datagrams wait in line for so long at most: those behind are lost.
const QUEUE: Duration = Duration::from_millis(150);
/// What an idle relay waits before it looks again.
const STEP: Duration = Duration::from_micros(300);

/// A line to a server, at an address of its own.
pub(crate) struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    is_dead: AtomicBool,
    carried: AtomicU64,
    lost: AtomicU64,
}

impl Relay {
    pub(crate) fn to(server: &str, line: Line) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").unwrap();
        front.set_nonblocking(true).unwrap();
        let address = front.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let server = server.parse().unwrap();
        let (told, rng) = (Arc::clone(&shared), Rng::new(5));
        let thread = thread::spawn(move || Carrier::new(front, server, line, told, rng).run());
        Self { address, shared, thread: Some(thread) }
    }

    pub(crate) fn url(&self, repository: &str) -> String {
        format!("warp://{}/{repository}", self.address)
    }

    /// Lets nothing through, or everything that is not lost.
    pub(crate) fn die(&self, is_dead: bool) {
        self.shared.is_dead.store(is_dead, Ordering::Relaxed);
    }

    /// Bytes that have come through, and datagrams that have not.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.shared.carried.load(Ordering::Relaxed), self.shared.lost.load(Ordering::Relaxed))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

/// When a datagram arrives, how many were before it, whose it is and whether it goes to the server, and what it is.
type Due = Reverse<(Instant, u64, (SocketAddr, bool), Vec<u8>)>;

struct Carrier {
    front: UdpSocket,
    server: SocketAddr,
    line: Line,
    shared: Arc<Shared>,
    rng: Rng,
    /// The server's end, for each client.
    back: HashMap<SocketAddr, UdpSocket>,
    under_way: BinaryHeap<Due>,
    /// When each way is free again.
    free: [Instant; 2],
    number: u64,
}

impl Carrier {
    fn new(front: UdpSocket, server: SocketAddr, line: Line, shared: Arc<Shared>, rng: Rng) -> Self {
        let (back, under_way, free) = (HashMap::new(), BinaryHeap::new(), [Instant::now(); 2]);
        Self { front, server, line, shared, rng, back, under_way, free, number: 0 }
    }

    fn run(mut self) {
        let mut buffer = vec![0; 1 << 16];
        while !self.shared.stop.load(Ordering::Relaxed) {
            let mut is_idle = true;
            while let Some((len, client)) = received(self.front.recv_from(&mut buffer)) {
                is_idle = false;
                self.take((client, true), &buffer[..len]);
            }
            let clients: Vec<SocketAddr> = self.back.keys().copied().collect();
            for client in clients {
                while let Some((len, _)) = received(self.back[&client].recv_from(&mut buffer)) {
                    is_idle = false;
                    self.take((client, false), &buffer[..len]);
                }
            }
            self.deliver();
            if is_idle {
                thread::sleep(STEP);
            }
        }
    }

    fn take(&mut self, (client, up): (SocketAddr, bool), bytes: &[u8]) {
        let now = Instant::now();
        let free = &mut self.free[usize::from(up)];
        *free = (*free).max(now);
        let is_full = *free > now + QUEUE;
        let is_dead = self.shared.is_dead.load(Ordering::Relaxed);
        if is_full || is_dead || self.rng.one_in(self.line.lost_one_in) {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        *free += Duration::from_secs_f64(bytes.len() as f64 / self.line.rate as f64);
        let [least, more] = self.line.delay;
        let due = *free + least + more.mul_f64(self.rng.below(1000) as f64 / 1000.0);
        self.number += 1;
        self.under_way.push(Reverse((due, self.number, (client, up), bytes.to_vec())));
    }

    fn deliver(&mut self) {
        while let Some(Reverse((due, ..))) = self.under_way.peek()
            && *due <= Instant::now()
            && let Some(Reverse((.., (client, up), bytes))) = self.under_way.pop()
        {
            self.shared.carried.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            // One that the system does not take is lost as well.
            let _ = match up {
                true => {
                    let server = self.server;
                    let back = self.back.entry(client).or_insert_with(|| {
                        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                        socket.set_nonblocking(true).unwrap();
                        socket
                    });
                    back.send_to(&bytes, server)
                }
                false => self.front.send_to(&bytes, client),
            };
        }
    }
}

/// What has come, if anything has.
fn received(result: std::io::Result<(usize, SocketAddr)>) -> Option<(usize, SocketAddr)> {
    // An error is that nothing is there, or that nobody was at the other end.
    result.ok()
}
