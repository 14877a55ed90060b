//! A network in memory, with a clock of its own: messages take time, overtake each other, are sent again where they are lost, and connections are
//! cut.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::format::wire::{Frame, Reply, Request};
use crate::sync::{Handler, Peer, PeerKey, Pending, Session, Transport, TransportError};

use super::Rng;

/// How a network behaves.
#[derive(Debug, Clone, Copy)]
pub struct SimNetConfig {
    /// Time from one end to the other.
    pub delay: Duration,
    /// Most time that a message takes beyond that, at random: messages overtake each other.
    pub jitter: Duration,
    /// Of a hundred messages so many are lost, and sent again after three delays.
    pub loss: u8,
    /// Bytes a second; 0: any number.
    pub bandwidth: u64,
    /// Number of the message, counted from 1 over both directions, with which the connection is cut: it does not arrive.
    pub cut_at: Option<u64>,
    /// The connection is cut with one in so many messages, at random; 0: never.
    pub cut_one_in: usize,
    /// One in so many requests arrives twice; 0: none.
    pub twice_one_in: usize,
    /// What is random.
    pub seed: u64,
}

impl Default for SimNetConfig {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: 0,
            bandwidth: 0,
            cut_at: None,
            cut_one_in: 0,
            twice_one_in: 0,
            seed: 1,
        }
    }
}

/// Changes what a host answers: a host that lies.
pub type Tamper = dyn Fn(&Request, Reply) -> Reply + Send + Sync;

/// A transport through a simulated network to a handler in the same process. Everything goes through the bytes of frames.
pub struct SimNet {
    handler: Arc<dyn Handler>,
    peer: PeerKey,
    repository: String,
    config: SimNetConfig,
    tamper: Option<Box<Tamper>>,
    world: Mutex<World>,
}

struct World {
    rng: Rng,
    now: Duration,
    /// When the line is free again, for each direction.
    free: [Duration; 2],
    sent: u64,
    bytes: u64,
    cuts: u64,
    next: u64,
    session: Option<(u64, Arc<dyn Session>)>,
    connections: u64,
    events: BTreeMap<(Duration, u64), Event>,
    done: HashMap<u64, Result<Reply, TransportError>>,
    /// Requests without a reply, by the connection that they went over.
    open: HashMap<u64, u64>,
}

enum Event {
    Request { id: u64, connection: u64, frame: Vec<u8> },
    Reply { id: u64, frame: Vec<u8> },
}

impl fmt::Debug for SimNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimNet").field("config", &self.config).finish_non_exhaustive()
    }
}

impl SimNet {
    /// A network to `handler`, over which the client with this key asks about one repository.
    pub fn new(handler: Arc<dyn Handler>, peer: PeerKey, repository: &str, config: SimNetConfig) -> Self {
        let world = World {
            rng: Rng::new(config.seed),
            now: Duration::ZERO,
            free: [Duration::ZERO; 2],
            sent: 0,
            bytes: 0,
            cuts: 0,
            next: 0,
            session: None,
            connections: 0,
            events: BTreeMap::new(),
            done: HashMap::new(),
            open: HashMap::new(),
        };
        let (repository, tamper) = (repository.to_owned(), None);
        Self { handler, peer, repository, config, tamper, world: Mutex::new(world) }
    }

    /// The same network to a host that lies.
    #[must_use]
    pub fn tampered(mut self, tamper: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static) -> Self {
        self.tamper = Some(Box::new(tamper));
        self
    }

    /// Messages that were sent so far, in both directions.
    pub fn messages(&self) -> u64 {
        self.world().sent
    }

    /// Bytes of frames that were sent so far, in both directions.
    pub fn bytes(&self) -> u64 {
        self.world().bytes
    }

    /// How often a connection was cut so far.
    pub fn cuts(&self) -> u64 {
        self.world().cuts
    }

    /// What the clock of the network says.
    pub fn now(&self) -> Duration {
        self.world().now
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut_error(&self) -> TransportError {
        TransportError::Cut { location: self.location(), why: "the simulated network cut it".to_owned() }
    }

    fn session(&self, world: &mut World) -> (u64, Arc<dyn Session>) {
        if let Some(session) = &world.session {
            return session.clone();
        }
        world.connections += 1;
        let peer = Peer { key: self.peer, address: "simulated".to_owned() };
        let session: Arc<dyn Session> = Arc::from(self.handler.connect(peer));
        session.answer(Request::Hello { repository: self.repository.clone(), create: false });
        world.session = Some((world.connections, Arc::clone(&session)));
        (world.connections, session)
    }

    /// Sends a message; `None`: the connection was cut with it.
    fn send(&self, world: &mut World, direction: usize, len: usize) -> Option<Duration> {
        world.sent += 1;
        world.bytes += len as u64;
        let config = &self.config;
        let is_cut = config.cut_at == Some(world.sent)
            || (config.cut_one_in > 0 && world.rng.one_in(config.cut_one_in));
        if is_cut {
            self.cut(world);
            return None;
        }
        let line = len as u64 * 1_000_000_000;
        let start = world.free[direction].max(world.now);
        world.free[direction] = start + Duration::from_nanos(line.checked_div(config.bandwidth).unwrap_or(0));
        let mut takes = config.delay;
        while world.rng.below(100) < usize::from(config.loss) {
            takes += config.delay * 3;
        }
        let jitter = u64::try_from(config.jitter.as_micros()).unwrap_or(u64::MAX);
        takes += Duration::from_micros(world.rng.next_u64() % (jitter + 1));
        Some(world.free[direction] + takes)
    }

    fn cut(&self, world: &mut World) {
        world.cuts += 1;
        world.session = None;
        let open: Vec<u64> = world.open.drain().map(|(id, _)| id).collect();
        open.into_iter().for_each(|id| drop(world.done.insert(id, Err(self.cut_error()))));
        // What is under way to the host still arrives: a cut is noticed at one end before the other.
        world.events.retain(|_, event| matches!(event, Event::Request { .. }));
    }

    /// Lets the next thing happen; `false`: nothing is under way.
    fn step(&self, world: &mut World) -> bool {
        let Some(((time, _), event)) = world.events.pop_first() else { return false };
        world.now = world.now.max(time);
        match event {
            Event::Request { id, connection, frame } => {
                let reply = self.answer(world, &frame);
                let is_alive = world.session.as_ref().is_some_and(|(alive, _)| *alive == connection);
                if let Some(at) = is_alive.then(|| self.send(world, 1, reply.len())).flatten() {
                    world.next += 1;
                    world.events.insert((at, world.next), Event::Reply { id, frame: reply });
                }
            }
            Event::Reply { id, frame } => {
                if world.open.remove(&id).is_some() {
                    let reply = Frame::decode(Bytes::from(frame)).and_then(Reply::from_frame);
                    let malformed = |source| TransportError::Malformed { location: self.location(), source };
                    world.done.insert(id, reply.map_err(malformed));
                }
            }
        }
        true
    }

    fn answer(&self, world: &mut World, frame: &[u8]) -> Vec<u8> {
        let (_, session) = self.session(world);
        let request = Frame::decode(Bytes::copy_from_slice(frame)).and_then(Request::from_frame);
        let request = request.expect("a request is what was sent");
        let mut reply = session.answer(request.clone());
        if let Some(tamper) = &self.tamper {
            reply = tamper(&request, reply);
        }
        bytes_of(reply.into_frame())
    }
}

fn bytes_of(frame: Frame) -> Vec<u8> {
    frame.into_parts().expect("messages keep their limits").concat()
}

/// A simulated network that several may hold.
#[derive(Debug, Clone)]
pub struct SimTransport(pub Arc<SimNet>);

impl Transport for SimTransport {
    fn location(&self) -> String {
        self.0.location()
    }

    fn submit(&self, request: Request) -> Pending {
        let net = Arc::clone(&self.0);
        let frame = bytes_of(request.into_frame());
        let mut world = net.world();
        world.next += 1;
        let id = world.next;
        let (connection, _) = net.session(&mut world);
        world.open.insert(id, connection);
        if let Some(at) = net.send(&mut world, 0, frame.len()) {
            let twice = net.config.twice_one_in;
            if twice > 0 && world.rng.one_in(twice) {
                world.next += 1;
                // As from a connection that was cut: nobody hears the second reply.
                let (key, frame) = ((at + net.config.delay, world.next), frame.clone());
                world.events.insert(key, Event::Request { id, connection: 0, frame });
            }
            world.events.insert((at, id), Event::Request { id, connection, frame });
        }
        drop(world);
        Pending::new(move || {
            loop {
                let mut world = net.world();
                if let Some(done) = world.done.remove(&id) {
                    return done;
                }
                if !net.step(&mut world) {
                    world.open.remove(&id);
                    return Err(net.cut_error());
                }
            }
        })
    }
}

impl SimNet {
    fn location(&self) -> String {
        format!("warp://simulated/{}", self.repository)
    }
}
