//! What a server allows.

use std::time::Duration;

use crate::format::wire::Frame;
use crate::net::endpoint;
use crate::net::frames::SMALL_LEN;

/// What a server allows, of everybody and of each.
#[derive(Debug, Clone)]
pub struct ServerLimits {
    /// Connections at once.
    pub connections: usize,
    /// Connections at once with one key.
    pub per_key: usize,
    /// Connections at once from one address, those that begin included (of IPv6: from one network of 64 bits).
    pub per_address: usize,
    /// Connections that have not said hello yet. From a quarter on, clients must prove their address before anything is
    /// computed for them.
    pub handshakes: usize,
    /// Streams at once on one connection.
    pub streams: u32,
    /// Bytes of frames in memory at once, of all connections together, in both directions; at least 16 MiB. Those of one key get at
    /// most a quarter of what is for requests.
    pub memory: usize,
    /// Bytes that all connections together may have under way towards the server, beyond 256 KiB each.
    pub windows: usize,
    /// Requests a second of one connection, in the long run.
    pub rate: u32,
    /// Requests of one connection that may come at once before that counts.
    pub burst: u32,
    /// Threads that wait for disks.
    pub threads: usize,
    /// How long a connection may take to say hello.
    pub hello: Duration,
    /// How long a frame may take, longer only while its connection brings at least `rate_min` bytes a second.
    pub frame: Duration,
    /// See `frame`.
    pub rate_min: u64,
    /// How long a request waits for memory before its client is told to come back.
    pub room: Duration,
    /// How long a connection may ask nothing.
    pub idle: Duration,
    /// How long a stop waits for what runs.
    pub stop: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 256,
            per_key: 16,
            per_address: 64,
            handshakes: 128,
            streams: 64,
            memory: 256 << 20,
            windows: 512 << 20,
            rate: 5_000,
            burst: 20_000,
            threads: 64,
            hello: Duration::from_secs(10),
            frame: Duration::from_secs(30),
            rate_min: 16 << 10,
            room: Duration::from_secs(5),
            idle: Duration::from_secs(600),
            stop: Duration::from_secs(30),
        }
    }
}

/// How the memory for frames is shared out.
#[derive(Debug)]
pub(super) struct Parts {
    /// Requests that are being read or answered: each may hold [`SMALL_LEN`] bytes.
    pub(super) streams: usize,
    /// Long frames that come in.
    pub(super) long_frames: usize,
    /// KiB of replies.
    pub(super) reply_kib: usize,
}

impl Parts {
    /// What one key may have of it: a quarter, but never nothing.
    pub(super) fn share(&self) -> Self {
        let quarter = |whole: usize| (whole / 4).max(1);
        Self {
            streams: quarter(self.streams),
            long_frames: quarter(self.long_frames),
            reply_kib: quarter(self.reply_kib),
        }
    }
}

impl ServerLimits {
    /// An eighth for short frames, three for long ones, half for replies. None of them waits for another that could wait for it.
    pub(super) fn parts(&self) -> Parts {
        let memory = self.memory.max(16 << 20);
        Parts {
            streams: memory / 8 / SMALL_LEN,
            long_frames: memory / 8 * 3 / Frame::LEN_MAX,
            reply_kib: memory >> 11,
        }
    }

    /// Most connections of any state: those that end hold little, but not nothing.
    pub(super) fn open_max(&self) -> usize {
        2 * self.connections + self.handshakes
    }

    /// Window of a connection that has said hello.
    pub(super) fn window(&self) -> u32 {
        endpoint::WINDOW
    }
}
