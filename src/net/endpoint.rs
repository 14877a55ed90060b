//! Settings of QUIC, the same at both ends, each with its reason; and the sockets below them.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn::congestion::CubicConfig;
use quinn::crypto::{CryptoError, HmacKey};
use quinn::{
    ClientConfig, Connecting, ConnectionError, ConnectionId, ConnectionIdGenerator, Endpoint, EndpointConfig,
    IdleTimeout, Incoming, MtuDiscoveryConfig, ServerConfig, TokioRuntime, TransportConfig, VarInt,
};
use zeroize::Zeroizing;

use socket2::{Domain, Protocol, Socket, Type};

use super::tls::{self, Expectation};
use super::{Identity, NetError};

/// Most bytes of a stream that are under way: three of the longest frames, so that no frame waits for leave to go on.
const STREAM_WINDOW: u32 = 4 << 20;
/// Most bytes of a connection that are under way: what a path of 1 Gbit/s and 250 ms holds.
pub const WINDOW: u32 = 32 << 20;
/// Most bytes that are kept to be sent again: as many as may be under way.
const SEND_WINDOW: u64 = 32 << 20;
/// Largest datagram that is tried. A packet costs about the same whatever its length: over loopback twice the speed of 1,452 bytes. Ten of
/// them must fit 64 KiB, the most that one system call with segmentation offload may pass on: above that, discovery fails and stays at
/// 1,200 bytes.
const MTU_MAX: u16 = 6500;
/// Bytes that may be sent before the first acknowledgement: 44 packets, as large hosts do it, so that a frame takes few round trips. What
/// follows is CUBIC, as in TCP: quinn's BBR is experimental, and stalled over loopback.
const INITIAL_WINDOW: u64 = 64 << 10;
/// What is taken for the round trip before one was measured: a lost first packet is sent again after three of it.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// An end that says nothing for so long is gone.
const IDLE: Duration = Duration::from_secs(15);
/// How often an end that has nothing to say shows that it is there: thrice within [`IDLE`], and often enough for routers.
const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// Bytes of a socket's buffers that are asked for; the system gives what it allows (`net.core.rmem_max`). With the usual 208 KiB a burst does not
/// fit, and half of the speed is lost.
const SOCKET_BUFFER: usize = 8 << 20;

/// Bytes of a connection's id: too many to meet by chance.
const CONNECTION_ID_LEN: usize = 8;

/// An end that takes connections.
#[derive(Debug)]
pub struct Listener {
    endpoint: Endpoint,
    /// What holds for connections from this machine.
    near: Arc<ServerConfig>,
}

impl Listener {
    /// The socket, which everything but accepting is asked of.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Takes a connection that comes in, with the settings for where it comes from.
    ///
    /// # Errors
    /// If it is broken already.
    pub fn accept(&self, incoming: Incoming) -> Result<Connecting, ConnectionError> {
        match is_near(incoming.remote_address()) {
            true => incoming.accept_with(Arc::clone(&self.near)),
            false => incoming.accept(),
        }
    }
}

/// Whether an address is one of this machine alone.
fn is_near(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// An end that takes connections. Must be called within a runtime.
///
/// `streams` is how many streams a connection may have open towards it, `window` how many bytes it may have under way at first.
///
/// # Errors
/// If the address is taken, or none of this machine.
pub fn listen(
    address: SocketAddr,
    identity: &Identity,
    streams: u32,
    window: u32,
) -> Result<Listener, NetError> {
    let crypto = Arc::new(tls::server(identity)?);
    let config = |is_near| {
        let mut config = ServerConfig::with_crypto(crypto.clone());
        let mut transport = transport(is_near);
        transport
            .max_concurrent_bidi_streams(VarInt::from_u32(streams))
            .receive_window(VarInt::from_u32(window));
        config.transport_config(Arc::new(transport));
        config
    };
    let failed = |source| NetError::Listen { address, source };
    let socket = socket(address).map_err(failed)?;
    let mut resets = EndpointConfig::new(Arc::new(ResetKey(identity.reset_key())));
    resets.cid_generator(|| Box::new(RandomIds));
    let endpoint = Endpoint::new(limited(resets), Some(config(false)), socket, Arc::new(TokioRuntime));
    Ok(Listener { endpoint: endpoint.map_err(failed)?, near: Arc::new(config(true)) })
}

/// Makes the tokens with which a server resets connections that it does not know: the same after it was started anew, so that clients need not wait
/// until these time out.
struct ResetKey(Zeroizing<[u8; 32]>);

/// Makes ids of connections. Those of quinn's own generator carry a mark of the process, and what lacks it gets no answer, no reset either.
struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; CONNECTION_ID_LEN];
        getrandom::fill(&mut id).expect("the system has given random numbers before");
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_LEN
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], out: &mut [u8]) {
        out.copy_from_slice(blake3::keyed_hash(&self.0, data).as_bytes());
    }

    fn signature_len(&self) -> usize {
        blake3::OUT_LEN
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let wanted = blake3::keyed_hash(&self.0, data);
        // Hashes compare in constant time.
        let found: [u8; blake3::OUT_LEN] = signature.try_into().map_err(|_| CryptoError)?;
        if wanted == found { Ok(()) } else { Err(CryptoError) }
    }
}

/// An end that makes connections. Must be called within a runtime.
///
/// # Errors
/// If the system gives no socket.
pub fn dial() -> Result<Endpoint, NetError> {
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    let only_v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let socket = socket(any).or_else(|_| socket(only_v4));
    let endpoint = socket.and_then(|socket| {
        Endpoint::new(limited(EndpointConfig::default()), None, socket, Arc::new(TokioRuntime))
    });
    endpoint.map_err(|source| NetError::System { action: "open a UDP socket", source })
}

/// What a connection to a server takes that shows any key: for measurements, since it does not look at the key.
///
/// # Errors
/// If TLS cannot be set up.
pub fn client_config_for_any_key(identity: &Identity, address: SocketAddr) -> Result<ClientConfig, NetError> {
    client_config(identity, address, Expectation::new(None))
}

/// The name that a connection is made to; it is not sent.
pub const SERVER_NAME: &str = tls::SERVER_NAME;

pub(super) fn client_config(
    identity: &Identity,
    address: SocketAddr,
    expectation: Arc<Expectation>,
) -> Result<ClientConfig, NetError> {
    let mut config = ClientConfig::new(Arc::new(tls::client(identity, expectation)?));
    let mut transport = transport(is_near(address));
    // A server asks nothing.
    transport.max_concurrent_bidi_streams(VarInt::from_u32(0));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

/// Settings of a connection; `is_near`: both of its ends are on this machine.
fn transport(is_near: bool) -> TransportConfig {
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(MTU_MAX);
    let mut congestion = CubicConfig::default();
    congestion.initial_window(INITIAL_WINDOW);
    let mut config = TransportConfig::default();
    config
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(SEND_WINDOW)
        // One frame after the other: a frame that is whole can be worked on, and buffers are needed for fewer at once.
        .send_fairness(false)
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .mtu_discovery_config(Some(mtu))
        .congestion_controller_factory(Arc::new(congestion))
        .initial_rtt(INITIAL_RTT)
        .max_idle_timeout(Some(IdleTimeout::try_from(IDLE).expect("30 s fit 62 bits of milliseconds")))
        .keep_alive_interval(Some(KEEP_ALIVE));
    if is_near {
        // Loopback passes on 16 KiB and more at once, on every system. The search would send 100 KB, most of it in vain; on other links what is too long
        // for the interface never leaves the machine.
        config.initial_mtu(MTU_MAX);
    }
    config
}

fn limited(mut config: EndpointConfig) -> EndpointConfig {
    // Each end tells the other one how much it takes: discovery goes no further.
    config.max_udp_payload_size(MTU_MAX).expect("it is at least 1200");
    config
}

/// A socket at an address; at an IPv6 address without a host it takes IPv4 as well.
fn socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // The system may give less, which costs speed alone.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.bind(&address.into())?;
    Ok(socket.into())
}
