//! QUIC with the settings of warp and nothing else.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use tokio::runtime::Runtime;
use warp::format::wire::Frame;
use warp::net::{Identity, endpoint};

use super::PIECE;
use crate::cli::error::{CliError, Exit};

/// Streams that carry at once.
const STREAMS: u64 = 8;
/// Chunks that a receiver takes at once.
const CHUNKS: usize = 32;

/// Two ends that are connected.
pub(super) struct Bare {
    client: Runtime,
    server: Runtime,
    _endpoints: [Endpoint; 2],
    near: Connection,
    far: Connection,
    piece: Bytes,
}

impl Bare {
    pub(super) fn new() -> Result<Self, CliError> {
        let (client, server) = (runtime()?, runtime()?);
        let identity = Identity::generate()?;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = {
            let _inside = server.enter();
            endpoint::listen(any, &identity, 64, endpoint::WINDOW)?
        };
        let dialler = {
            let _inside = client.enter();
            endpoint::dial()?
        };
        let address = listener.endpoint().local_addr().map_err(failed)?;
        let config = endpoint::client_config_for_any_key(&identity, address)?;
        let endpoint = listener.endpoint().clone();
        let accepting = server.spawn(async move {
            match listener.endpoint().accept().await {
                Some(incoming) => listener.accept(incoming).map_err(failed)?.await.map_err(failed),
                None => Err(CliError::failed("the endpoint is closed")),
            }
        });
        let connecting = {
            let _inside = client.enter();
            dialler.connect_with(config, address, endpoint::SERVER_NAME).map_err(failed)?
        };
        let near = client.block_on(connecting).map_err(failed)?;
        let far = server.block_on(accepting).map_err(failed)??;
        let piece = Bytes::from(vec![0x5a; PIECE]);
        Ok(Self { client, server, _endpoints: [endpoint, dialler], near, far, piece })
    }

    /// Carries pieces from the client to the server, over a few long streams.
    pub(super) fn up(&self, pieces: u64) -> Result<(), CliError> {
        let shares = shares(pieces);
        let sends = shares.clone().map(|share| {
            let (near, piece) = (self.near.clone(), self.piece.clone());
            self.client.spawn(async move {
                let (send, mut receive) = near.open_bi().await.map_err(failed)?;
                send_all(send, piece, share).await?;
                swallow(&mut receive).await
            })
        });
        let sends: Vec<_> = sends.collect();
        let receives: Vec<_> = shares.map(|_| self.far_end(None)).collect();
        self.finish(sends, receives)
    }

    /// Carries pieces from the server to the client.
    pub(super) fn down(&self, pieces: u64) -> Result<(), CliError> {
        let shares = shares(pieces);
        let asks = shares.clone().map(|_| {
            let near = self.near.clone();
            self.client.spawn(async move {
                let (mut send, mut receive) = near.open_bi().await.map_err(failed)?;
                send.finish().map_err(failed)?;
                // A stream becomes known to the other end by what is sent on it: here its end.
                swallow(&mut receive).await
            })
        });
        let asks: Vec<_> = asks.collect();
        let answers: Vec<_> = shares.map(|share| self.far_end(Some(share))).collect();
        self.finish(asks, answers)
    }

    /// The server's end of a stream: reads it to its end, and sends so many pieces.
    fn far_end(&self, share: Option<u64>) -> tokio::task::JoinHandle<Result<(), CliError>> {
        let (far, piece) = (self.far.clone(), self.piece.clone());
        self.server.spawn(async move {
            let (send, mut receive) = far.accept_bi().await.map_err(failed)?;
            swallow(&mut receive).await?;
            send_all(send, piece, share.unwrap_or(0)).await
        })
    }

    /// Carries frames of one piece to the server, each on a stream of its own, that are read into a buffer: in order into a vector that grows,
    /// or as they come to where they belong in one that is used again.
    pub(super) fn frames(&self, pieces: u64, in_order: bool) -> Result<(), CliError> {
        let share = |number: u64| pieces / STREAMS + u64::from(number < pieces % STREAMS);
        let sends: Vec<_> = (0..STREAMS).map(|number| self.frames_out(share(number))).collect();
        let receives: Vec<_> = (0..STREAMS).map(|number| self.frames_in(share(number), in_order)).collect();
        self.finish(sends, receives)
    }

    fn frames_out(&self, count: u64) -> tokio::task::JoinHandle<Result<(), CliError>> {
        let (near, piece) = (self.near.clone(), self.piece.clone());
        self.client.spawn(async move {
            for _ in 0..count {
                let (mut send, mut receive) = near.open_bi().await.map_err(failed)?;
                let frame = Frame { kind: 7, body: Bytes::from_static(b"name"), payload: piece.clone() };
                let mut parts = frame.into_parts().map_err(failed)?;
                send.write_all_chunks(&mut parts).await.map_err(failed)?;
                send.finish().map_err(failed)?;
                swallow(&mut receive).await?;
            }
            Ok(())
        })
    }

    fn frames_in(&self, count: u64, in_order: bool) -> tokio::task::JoinHandle<Result<(), CliError>> {
        let far = self.far.clone();
        self.server.spawn(async move {
            let mut buffer = vec![0; Frame::LEN_MAX];
            for _ in 0..count {
                let (mut send, mut receive) = far.accept_bi().await.map_err(failed)?;
                match in_order {
                    true => decode(Bytes::from(read_in_order(&mut receive).await?))?,
                    false => {
                        let len = read_into_place(&mut receive, &mut buffer).await?;
                        // The buffer is handed over and comes back, as from a pool.
                        let bytes = Bytes::from(buffer);
                        decode(bytes.slice(..len))?;
                        buffer =
                            bytes.try_into_mut().map(Vec::from).unwrap_or_else(|_| vec![0; Frame::LEN_MAX]);
                    }
                }
                send.finish().map_err(failed)?;
            }
            Ok(())
        })
    }

    fn finish(
        &self,
        near: Vec<tokio::task::JoinHandle<Result<(), CliError>>>,
        far: Vec<tokio::task::JoinHandle<Result<(), CliError>>>,
    ) -> Result<(), CliError> {
        self.client.block_on(async {
            for task in near.into_iter().chain(far) {
                task.await.map_err(failed)??;
            }
            Ok(())
        })
    }
}

/// How many pieces each stream carries.
fn shares(pieces: u64) -> impl Iterator<Item = u64> + Clone {
    (0..STREAMS).map(move |number| pieces / STREAMS + u64::from(number < pieces % STREAMS))
}

async fn send_all(mut send: SendStream, piece: Bytes, count: u64) -> Result<(), CliError> {
    for _ in 0..count {
        send.write_chunk(piece.clone()).await.map_err(failed)?;
    }
    send.finish().map_err(failed)
}

/// Reads a stream to its end and forgets it.
async fn swallow(receive: &mut RecvStream) -> Result<(), CliError> {
    let mut chunks = [const { Bytes::new() }; CHUNKS];
    while receive.read_chunks(&mut chunks).await.map_err(failed)?.is_some() {}
    Ok(())
}

async fn read_in_order(receive: &mut RecvStream) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = receive.read_chunk(usize::MAX, true).await.map_err(failed)? {
        bytes.extend_from_slice(&chunk.bytes);
    }
    Ok(bytes)
}

async fn read_into_place(receive: &mut RecvStream, buffer: &mut [u8]) -> Result<usize, CliError> {
    let mut len = 0;
    while let Some(chunk) = receive.read_chunk(usize::MAX, false).await.map_err(failed)? {
        let end = chunk.offset as usize + chunk.bytes.len();
        let place = buffer.get_mut(chunk.offset as usize..end);
        place.ok_or_else(|| CliError::failed("a frame is too long"))?.copy_from_slice(&chunk.bytes);
        len = len.max(end);
    }
    Ok(len)
}

fn decode(bytes: Bytes) -> Result<(), CliError> {
    let frame = Frame::decode(bytes).map_err(failed)?;
    std::hint::black_box(frame);
    Ok(())
}

fn runtime() -> Result<Runtime, CliError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().map_err(failed)
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::caused(Exit::Failed, "the connection failed", error)
}
