//! Connections between machines: QUIC with a key at each end, the client's [`QuicTransport`] and the [`Server`]; and a
//! repository at the other end as a store.
//!
//! What is said on a connection stands in [`format::wire`](crate::format::wire), who says what in [`sync`](crate::sync); this room
//! carries it. Both ends prove with raw public keys (RFC 7250) who they are; no authority has a say. A client knows a server's key
//! from [`KnownHosts`] or from its [`ServerUrl`], a server leaves it to its [`Handler`](crate::sync::Handler) what a key may do.

mod client;
mod close;
pub mod endpoint;
mod error;
mod frames;
mod identity;
mod known_hosts;
mod paced;
mod remote;
mod server;
mod tls;

pub use crate::format::server_url::{ParseUrlError, ServerUrl};
pub use client::{ConnectOptions, QuicTransport, Welcome};
pub use error::NetError;
pub use identity::Identity;
pub use known_hosts::{HostKeyPolicy, KnownHosts, UnknownHost};
pub use paced::PacedTransport;
pub use remote::RemoteStore;
pub use server::{Metrics, Server, ServerLimits, Stopper};
