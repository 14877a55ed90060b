//! warp's own requests, answered by a handler that keeps nothing.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use warp::format::wire::{FailCode, Failure, Reply, Request, Rights};
use warp::net::{
    ConnectOptions, HostKeyPolicy, Identity, KnownHosts, QuicTransport, RemoteUrl, Server, ServerLimits,
    Stopper,
};
use warp::store::OsVfs;
use warp::sync::{Handler, Peer, Session, Transport};

use super::PIECE;
use crate::cli::error::{CliError, Exit};

/// A server in a thread, and a client.
pub(super) struct Framed {
    client: Option<QuicTransport>,
    requests: usize,
    piece: Bytes,
    stopper: Stopper,
    thread: Option<JoinHandle<()>>,
}

impl Framed {
    pub(super) fn new(connections: usize, requests: usize) -> Result<Self, CliError> {
        let (server_key, client_key) = (Identity::generate()?, Identity::generate()?);
        let piece = Bytes::from(vec![0x5a; PIECE]);
        let handler = Arc::new(Sink { piece: piece.clone() });
        let limits = ServerLimits { rate: 1_000_000, burst: 1_000_000, ..ServerLimits::default() };
        let server = Server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), &server_key, handler, limits)?;
        let (address, stopper) = (server.local_addr()?, server.stopper());
        let place = RemoteUrl {
            host: address.ip().to_string(),
            port: address.port(),
            repository: "bench".to_owned(),
            pin: Some(server.key()),
        };
        let thread = Some(std::thread::spawn(move || server.run()));
        // The key is known: no file is looked at.
        let hosts = KnownHosts::new(Arc::new(OsVfs::new()), "known_hosts".into());
        let options =
            ConnectOptions { connections, requests, ..ConnectOptions::new(hosts, HostKeyPolicy::Strict) };
        let client = Some(QuicTransport::connect(&place, &client_key, options)?);
        Ok(Self { client, requests, piece, stopper, thread })
    }

    /// Puts pieces, which the server forgets.
    pub(super) fn put(&self, pieces: u64) -> Result<(), CliError> {
        let request =
            || Request::Put { name: "packs/bench".to_owned(), replace: false, bytes: self.piece.clone() };
        self.ask(pieces, request, |reply| matches!(reply, Reply::Created { .. }))
    }

    /// Reads pieces.
    pub(super) fn read(&self, pieces: u64) -> Result<(), CliError> {
        let request = || Request::Read { name: "packs/bench".to_owned(), offset: 0, len: PIECE as u32 };
        self.ask(pieces, request, |reply| matches!(reply, Reply::Blob { bytes, .. } if bytes.len() == PIECE))
    }

    fn ask(
        &self,
        count: u64,
        request: impl Fn() -> Request,
        is_good: impl Fn(&Reply) -> bool,
    ) -> Result<(), CliError> {
        let client = self.client.as_ref().ok_or_else(|| CliError::failed("the client is gone"))?;
        let mut pending = VecDeque::new();
        for number in 0..count + self.requests as u64 {
            if number >= self.requests as u64
                && let Some(first) = pending.pop_front()
            {
                let reply = warp::sync::Pending::wait(first).map_err(failed)?;
                if !is_good(&reply) {
                    return Err(CliError::failed(format!("the server answers {reply:?}")));
                }
            }
            if number < count {
                pending.push_back(client.submit(request()));
            }
        }
        Ok(())
    }
}

impl Drop for Framed {
    fn drop(&mut self) {
        self.client = None;
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Takes everything and keeps nothing.
#[derive(Debug, Clone)]
struct Sink {
    piece: Bytes,
}

impl Handler for Sink {
    fn connect(&self, _: Peer) -> Box<dyn Session> {
        Box::new(self.clone())
    }
}

impl Session for Sink {
    fn answer(&self, request: Request) -> Reply {
        match request {
            Request::Hello { .. } => Reply::Welcome { rights: Rights::ALL, exists: true, room: 0, ahead: 64 },
            Request::Put { bytes, .. } => {
                drop(bytes);
                Reply::Created { root: None }
            }
            Request::Read { len, .. } => {
                let bytes = self.piece.slice(..(len as usize).min(PIECE));
                Reply::Blob { len: bytes.len() as u64, bytes }
            }
            _ => Reply::Failed(Failure::new(FailCode::Malformed, 0, "a benchmark asks no such thing")),
        }
    }
}

fn failed(error: warp::sync::TransportError) -> CliError {
    CliError::caused(Exit::Failed, "the connection failed", error)
}
