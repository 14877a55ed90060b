//! One stream: a request in, a reply out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::{RecvStream, SendStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout_at;

use super::connection::Link;
use super::metrics::{Gauge, Outcome, Refusal};
use crate::format::wire::{FailCode, Failure, Frame, FrameTrailer, Reply, Request};
use crate::limits::{FRAME_BODY_LEN_MAX, PIECE_LEN, REPOSITORY_NAME_LEN_MAX};
use crate::net::close;
use crate::net::frames::{self, ReadFault};

/// Most bytes of the frame of a hello.
const HELLO_LEN_MAX: usize = REPOSITORY_NAME_LEN_MAX + 64 + FrameTrailer::LEN;
/// Most bytes of a reply without bulk.
const SHORT_REPLY_LEN: usize = 8 << 10;
/// When a request may be tried again for which there was no memory.
const ROOM_WAIT: Duration = Duration::from_secs(1);
/// What stands for a request that could not be read.
const UNREADABLE: &str = "unreadable";

/// What became of a request that should be a hello.
pub(super) enum Hello {
    /// The handler has taken the client in.
    Welcome,
    /// The handler has not.
    Refused,
    /// It was none.
    Another,
    /// It did not come in time.
    Late,
}

/// A request and its reply.
pub(super) struct Exchange {
    link: Arc<Link>,
    send: SendStream,
    receive: RecvStream,
    /// Memory for short frames, of the key's share and of the whole.
    _memory: Vec<OwnedSemaphorePermit>,
    /// One of the streams that the connection may have.
    _turn: Option<OwnedSemaphorePermit>,
    _counted: Gauge,
}

/// Why there is no request.
enum NoRequest {
    /// Something came that is none: the client is told.
    Bad(Failure),
    /// There is no memory for it.
    NoRoom,
    /// Nothing more will come.
    Gone,
}

impl Exchange {
    pub(super) fn new(
        link: Arc<Link>,
        send: SendStream,
        receive: RecvStream,
        memory: Vec<OwnedSemaphorePermit>,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let counted = link.shared.metrics.opened();
        Self { link, send, receive, _memory: memory, _turn: turn, _counted: counted }
    }

    /// Carries it to its end.
    pub(super) async fn run(mut self) {
        if let Err(wait) = self.link.count() {
            return self.come_back(UNREADABLE, Refusal::Rate, wait).await;
        }
        match self.request(Frame::LEN_MAX).await {
            Ok(request) => self.answer(request).await,
            Err(NoRequest::Bad(failure)) => self.unreadable(failure).await,
            Err(NoRequest::NoRoom) => self.come_back(UNREADABLE, Refusal::Memory, ROOM_WAIT).await,
            Err(NoRequest::Gone) => {
                self.link.shared.metrics.answered(UNREADABLE, Outcome::Cut, Duration::ZERO)
            }
        }
    }

    /// The same for a request that has to be a hello, and to have come by `end`.
    pub(super) async fn hello(mut self, end: tokio::time::Instant) -> Hello {
        let _ = self.link.count();
        let Ok(request) = timeout_at(end, self.request(HELLO_LEN_MAX)).await else { return Hello::Late };
        match request {
            Ok(Request::Hello { repository, create }) => {
                self.link.asks_for(&repository);
                match self.answer_with(Request::Hello { repository, create }).await {
                    Reply::Welcome { .. } => Hello::Welcome,
                    _ => Hello::Refused,
                }
            }
            Ok(request) => {
                let text = format!("a connection begins with a hello, not with {}", request.verb());
                self.unreadable(Failure::new(FailCode::Malformed, 0, text)).await;
                Hello::Another
            }
            Err(NoRequest::Bad(failure)) => {
                self.unreadable(failure).await;
                Hello::Another
            }
            Err(NoRequest::NoRoom | NoRequest::Gone) => Hello::Another,
        }
    }

    /// Reads the request.
    async fn request(&mut self, max: usize) -> Result<Request, NoRequest> {
        let bytes = self.frame(max).await?;
        let shared = &self.link.shared;
        shared.metrics.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        shared.metrics.held(shared.held());
        let request = Frame::decode(bytes).and_then(Request::from_frame);
        request.map_err(|error| NoRequest::Bad(Failure::new(FailCode::Malformed, 0, error.to_string())))
    }

    async fn frame(&mut self, max: usize) -> Result<Bytes, NoRequest> {
        let link = &self.link;
        let read = frames::read(&mut self.receive, &link.admitted.share.pool, max, &link.received);
        match link.patiently(&link.received, read).await {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(ReadFault::TooLong(error))) => {
                let _ = self.receive.stop(close::PROTOCOL);
                Err(NoRequest::Bad(Failure::new(FailCode::Malformed, 0, error.to_string())))
            }
            Some(Err(ReadFault::NoRoom)) => Err(NoRequest::NoRoom),
            Some(Err(ReadFault::Ended(_))) => {
                let _ = self.send.reset(close::DONE);
                Err(NoRequest::Gone)
            }
            None => {
                link.shared.metrics.refused(Refusal::Late);
                tracing::warn!(peer = %link.peer.key, "a request did not come in time");
                let _ = self.receive.stop(close::LATE);
                let _ = self.send.reset(close::LATE);
                Err(NoRequest::Gone)
            }
        }
    }

    async fn answer(self, request: Request) {
        self.answer_with(request).await;
    }

    /// Lets the session answer, and sends the reply. Returns it without its bulk.
    async fn answer_with(mut self, request: Request) -> Reply {
        let (begun, verb) = (Instant::now(), request.verb());
        let room = reply_room(&request).div_ceil(1 << 10) as u32;
        let replies = Arc::clone(&self.link.shared.replies);
        // Others give room back when their replies have arrived.
        let Some(room) = self.link.patiently(&self.link.sent, replies.acquire_many_owned(room)).await else {
            self.come_back(verb, Refusal::Memory, ROOM_WAIT).await;
            return Reply::Done;
        };
        let room = room.expect("nobody closes the budget");
        let shared = &self.link.shared;
        shared.metrics.held(shared.held());
        let session = Arc::clone(&self.link.session);
        let answer = tokio::task::spawn_blocking(move || session.answer(request)).await;
        let crashed =
            |_| Reply::Failed(Failure::new(FailCode::Store, 0, "the server has failed; its log may say why"));
        let reply = answer.unwrap_or_else(crashed);
        self.log(verb, &reply);
        let (short, outcome) = (without_bulk(&reply), outcome(&reply));
        let outcome = if self.reply(reply).await { outcome } else { Outcome::Cut };
        drop(room);
        self.link.shared.metrics.answered(verb, outcome, begun.elapsed());
        short
    }

    fn log(&self, verb: &str, reply: &Reply) {
        if let Reply::Failed(failure) = reply {
            let (key, code) = (self.link.peer.key, failure.code);
            match code {
                // Who looks for the end of the log finds that there is no more.
                FailCode::NotFound => {
                    tracing::debug!(peer = %key, verb, ?code, text = failure.text, "request failed");
                }
                _ => tracing::warn!(peer = %key, verb, ?code, text = failure.text, "request failed"),
            }
        }
    }

    async fn unreadable(mut self, failure: Failure) {
        self.log(UNREADABLE, &Reply::Failed(failure.clone()));
        self.reply(Reply::Failed(failure)).await;
        self.link.shared.metrics.answered(UNREADABLE, Outcome::Failed, Duration::ZERO);
    }

    /// Tells a client to ask again.
    async fn come_back(mut self, verb: &str, limit: Refusal, wait: Duration) {
        let _ = self.receive.stop(close::LIMIT);
        let millis = wait.as_millis().max(1) as u64;
        self.reply(Reply::Failed(Failure::new(FailCode::Busy, millis, limit.reason()))).await;
        self.link.shared.metrics.refused(limit);
        self.link.shared.metrics.answered(verb, Outcome::Busy, Duration::ZERO);
    }

    /// Sends a reply, and waits until all of it has arrived: until then it is in memory.
    async fn reply(&mut self, reply: Reply) -> bool {
        let link = Arc::clone(&self.link);
        let parts = match reply.into_frame().into_parts() {
            Ok(parts) => parts,
            Err(error) => {
                tracing::error!(peer = %link.peer.key, %error, "a reply does not fit a frame");
                let _ = self.send.reset(close::PROTOCOL);
                return false;
            }
        };
        let len: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let sent = link.patiently(&link.sent, self.arrive(parts, &link.sent)).await.unwrap_or(false);
        if sent {
            link.shared.metrics.sent.fetch_add(len, Ordering::Relaxed);
        } else {
            let _ = self.send.reset(close::LATE);
        }
        sent
    }

    async fn arrive(&mut self, parts: [Bytes; 2], count: &AtomicU64) -> bool {
        frames::write(&mut self.send, parts, count).await.is_ok()
            && matches!(self.send.stopped().await, Ok(None))
    }
}

/// Most bytes that the reply to a request can hold in memory.
fn reply_room(request: &Request) -> usize {
    match request {
        Request::Get { max, .. } => {
            SHORT_REPLY_LEN + usize::try_from(*max).unwrap_or(PIECE_LEN).min(PIECE_LEN)
        }
        Request::Read { len, .. } => SHORT_REPLY_LEN + *len as usize,
        Request::Entries { .. } | Request::Prove { .. } => Frame::LEN_MAX,
        Request::List { .. } => SHORT_REPLY_LEN + FRAME_BODY_LEN_MAX,
        Request::Begin { .. } => SHORT_REPLY_LEN + (64 << 10),
        _ => SHORT_REPLY_LEN,
    }
}

fn outcome(reply: &Reply) -> Outcome {
    match reply {
        Reply::Failed(failure) if failure.code == FailCode::Busy => Outcome::Busy,
        Reply::Failed(_) => Outcome::Failed,
        _ => Outcome::Done,
    }
}

/// What has to be known of a reply that was sent.
fn without_bulk(reply: &Reply) -> Reply {
    match reply {
        Reply::Welcome { .. } | Reply::Failed(_) => reply.clone(),
        _ => Reply::Done,
    }
}
