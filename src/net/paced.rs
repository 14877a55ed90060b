//! A transport that keeps to a rate.

use std::sync::Arc;

use crate::format::wire::{Reply, Request};
use crate::store::Throttle;
use crate::sync::{Pending, Transport};

/// Another transport, at most so many bytes a second each way: each request waits until what it carries or asks for may go. So bytes go out a piece at
/// a time, and no more is asked for than may come.
#[derive(Debug)]
pub struct PacedTransport {
    inner: Arc<dyn Transport>,
    throttle: Arc<Throttle>,
}

impl PacedTransport {
    /// `inner` within the limits of `throttle`, which others may share.
    pub fn new(inner: Arc<dyn Transport>, throttle: Arc<Throttle>) -> Self {
        Self { inner, throttle }
    }
}

impl Transport for PacedTransport {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn submit(&self, request: Request) -> Pending {
        match &request {
            Request::Put { bytes, .. } | Request::Piece { bytes, .. } => self.throttle.up(bytes.len()),
            Request::Read { len, .. } => self.throttle.down(*len as usize),
            _ => {}
        }
        // How much other replies hold is known once they are there: those that follow wait for it.
        let is_known = matches!(request, Request::Read { .. });
        let (pending, throttle) = (self.inner.submit(request), Arc::clone(&self.throttle));
        Pending::new(move || {
            let reply = pending.wait()?;
            match &reply {
                Reply::Blob { bytes, .. } if !is_known => throttle.down(bytes.len()),
                Reply::Shards(shards) => throttle.down(shards.bytes.len()),
                Reply::Entries { bytes, .. } => throttle.down(bytes.len()),
                _ => {}
            }
            Ok(reply)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::store::Limits;
    use crate::sync::TransportError;

    /// Answers at once, with as much as was asked for.
    #[derive(Debug)]
    struct Quick;

    impl Transport for Quick {
        fn location(&self) -> String {
            "quick".to_owned()
        }

        fn submit(&self, request: Request) -> Pending {
            let reply = match request {
                Request::Read { len, .. } => {
                    Reply::Blob { len: len.into(), bytes: vec![0; len as usize].into() }
                }
                Request::Get { .. } => Reply::Blob { len: 30_000, bytes: vec![0; 30_000].into() },
                _ => Reply::Done,
            };
            Pending::new(move || Ok::<_, TransportError>(reply))
        }
    }

    fn paced() -> PacedTransport {
        let limits = Limits { upload: Some(100_000), download: Some(100_000) };
        PacedTransport::new(Arc::new(Quick), Arc::new(Throttle::new(limits, || false)))
    }

    /// How long the requests take one after the other, each to its reply.
    fn took(requests: Vec<Request>) -> Duration {
        let (paced, begun) = (paced(), Instant::now());
        requests.into_iter().for_each(|request| drop(paced.call(request).unwrap()));
        begun.elapsed()
    }

    #[test]
    fn pieces_wait_for_their_turn_both_ways_and_all_else_is_free() {
        let name = || "packs/0f.warp".to_owned();
        // 60,000 bytes at 100,000 a second; a burst of a quarter of a second may go at once.
        let piece =
            |number| Request::Piece { upload: 1, number, path: Vec::new(), bytes: vec![0; 20_000].into() };
        let read = |offset| Request::Read { name: name(), offset, len: 20_000 };
        let get = |_| Request::Get { name: name(), max: 30_000 };
        for requests in
            [(0..3).map(piece).collect::<Vec<_>>(), (0..3).map(read).collect(), (0..2).map(get).collect()]
        {
            let took = took(requests);
            assert!(took >= Duration::from_millis(300), "{took:?}");
        }
        let free = took((0..100).map(|upload| Request::End { upload }).collect());
        assert!(free < Duration::from_millis(200), "{free:?}");
    }
}
