//! What a server counts, and its text for Prometheus.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Verbs of requests; the last one stands for what could not be read.
const VERBS: [&str; 14] = [
    "hello",
    "get",
    "read",
    "len",
    "list",
    "entries",
    "put",
    "begin",
    "piece",
    "end",
    "delete",
    "prove",
    "possess",
    "unreadable",
];
/// How requests end.
const OUTCOMES: [&str; 4] = ["done", "failed", "busy", "cut"];
/// Upper bounds in seconds of the histogram's buckets.
const BUCKETS: [f64; 10] = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Failed,
    Busy,
    /// The stream or connection ended first.
    Cut,
}

/// Which limit turned something away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Handshakes,
    Connections,
    PerKey,
    PerAddress,
    Rate,
    Memory,
    Late,
    Idle,
    Stopping,
}

impl Refusal {
    const NAMES: [&str; 9] = [
        "handshakes",
        "connections",
        "connections_per_key",
        "connections_per_address",
        "rate",
        "memory",
        "late",
        "idle",
        "stopping",
    ];

    /// What a client is told.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Handshakes | Self::Connections => {
                "the server has as many connections as it takes; try again later"
            }
            Self::PerKey => "this key has as many connections as the server allows it; end others first",
            Self::PerAddress => {
                "this address has as many connections as the server allows it; end others first"
            }
            Self::Rate => "too many requests",
            Self::Memory => "the server has no memory left for requests",
            Self::Late => "no hello came in time",
            Self::Idle => "nothing was asked for long",
            Self::Stopping => "the server is stopping",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

/// What a server has counted since it began.
#[derive(Debug, Default)]
pub struct Metrics {
    connections: AtomicU64,
    connections_ever: AtomicU64,
    streams: AtomicU64,
    retries: AtomicU64,
    requests: [[AtomicU64; OUTCOMES.len()]; VERBS.len()],
    refused: [AtomicU64; Refusal::NAMES.len()],
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
    buckets: [AtomicU64; BUCKETS.len()],
    answered: AtomicU64,
    answer_micros: AtomicU64,
    held_most: AtomicU64,
    memory: u64,
}

impl Metrics {
    pub(super) fn new(memory: usize) -> Arc<Self> {
        Arc::new(Self { memory: memory as u64, ..Self::default() })
    }

    /// Connections that have said hello and are there now.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Requests that are being read or answered now.
    pub fn streams(&self) -> u64 {
        self.streams.load(Ordering::Relaxed)
    }

    /// Bytes of frames that came in and that went out.
    pub fn bytes(&self) -> (u64, u64) {
        (self.received.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }

    /// Most bytes that frames held in memory at once, as they are counted against the limit.
    pub fn held_most(&self) -> u64 {
        self.held_most.load(Ordering::Relaxed)
    }

    /// Requests so far of a verb (`unreadable`: those that were none) that ended `done`, `failed`, `busy` or `cut`.
    pub fn requests(&self, verb: &str, outcome: &str) -> u64 {
        let verb = VERBS.iter().position(|known| *known == verb);
        let outcome = OUTCOMES.iter().position(|known| *known == outcome);
        verb.zip(outcome).map_or(0, |(verb, outcome)| self.requests[verb][outcome].load(Ordering::Relaxed))
    }

    /// How often a limit turned something away: `handshakes`, `connections`, `connections_per_key`, `connections_per_address`, `rate`,
    /// `memory`, `late`, `idle`, `stopping`.
    pub fn refusals(&self, limit: &str) -> u64 {
        let limit = Refusal::NAMES.iter().position(|known| *known == limit);
        limit.map_or(0, |limit| self.refused[limit].load(Ordering::Relaxed))
    }

    pub(super) fn connected(self: &Arc<Self>) -> Gauge {
        self.connections_ever.fetch_add(1, Ordering::Relaxed);
        Gauge::new(self, |metrics| &metrics.connections)
    }

    pub(super) fn opened(self: &Arc<Self>) -> Gauge {
        Gauge::new(self, |metrics| &metrics.streams)
    }

    pub(super) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, limit: Refusal) {
        self.refused[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn held(&self, bytes: usize) {
        self.held_most.fetch_max(bytes as u64, Ordering::Relaxed);
    }

    /// A request is over, `took` after its frame was read.
    pub(super) fn answered(&self, verb: &str, outcome: Outcome, took: Duration) {
        let verb = VERBS.iter().position(|known| *known == verb).unwrap_or(VERBS.len() - 1);
        self.requests[verb][outcome as usize].fetch_add(1, Ordering::Relaxed);
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.answer_micros.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
        if let Some(bucket) = BUCKETS.iter().position(|bound| took.as_secs_f64() <= *bound) {
            self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The text that Prometheus reads (exposition format 0.0.4), with the bytes that frames hold now.
    pub(super) fn text(&self, held: usize) -> String {
        let mut text = Text::default();
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        text.one("warp_connections", "gauge", "Connections that have said hello.", load(&self.connections));
        text.one("warp_connections_total", "counter", "Connections ever.", load(&self.connections_ever));
        text.one("warp_streams", "gauge", "Requests being read or answered.", load(&self.streams));
        text.one(
            "warp_retries_total",
            "counter",
            "Handshakes sent back to prove an address.",
            load(&self.retries),
        );
        text.one("warp_received_bytes_total", "counter", "Bytes of frames received.", load(&self.received));
        text.one("warp_sent_bytes_total", "counter", "Bytes of frames sent.", load(&self.sent));
        text.one("warp_frame_memory_bytes", "gauge", "Bytes set aside for frames.", held as u64);
        text.one("warp_frame_memory_limit_bytes", "gauge", "Most bytes for frames.", self.memory);
        self.refusals_text(&mut text);
        self.requests_text(&mut text);
        self.histogram_text(&mut text);
        text.0
    }

    fn refusals_text(&self, text: &mut Text) {
        text.head("warp_refused_total", "counter", "What a limit turned away.");
        for (name, count) in Refusal::NAMES.iter().zip(&self.refused) {
            text.line(format_args!(
                "warp_refused_total{{limit=\"{name}\"}} {}",
                count.load(Ordering::Relaxed)
            ));
        }
    }

    fn requests_text(&self, text: &mut Text) {
        text.head("warp_requests_total", "counter", "Requests by verb and outcome.");
        for (verb, counts) in VERBS.iter().zip(&self.requests) {
            for (outcome, count) in OUTCOMES.iter().zip(counts) {
                let count = count.load(Ordering::Relaxed);
                text.line(format_args!(
                    "warp_requests_total{{verb=\"{verb}\",outcome=\"{outcome}\"}} {count}"
                ));
            }
        }
    }

    fn histogram_text(&self, text: &mut Text) {
        text.head("warp_request_seconds", "histogram", "From a request's last byte to the end of its reply.");
        let mut sum = 0;
        for (bound, count) in BUCKETS.iter().zip(&self.buckets) {
            sum += count.load(Ordering::Relaxed);
            text.line(format_args!("warp_request_seconds_bucket{{le=\"{bound}\"}} {sum}"));
        }
        let (count, micros) =
            (self.answered.load(Ordering::Relaxed), self.answer_micros.load(Ordering::Relaxed));
        text.line(format_args!("warp_request_seconds_bucket{{le=\"+Inf\"}} {count}"));
        text.line(format_args!("warp_request_seconds_sum {}", micros as f64 / 1e6));
        text.line(format_args!("warp_request_seconds_count {count}"));
    }
}

/// Counts one while it lives.
pub(super) struct Gauge {
    metrics: Arc<Metrics>,
    of: fn(&Metrics) -> &AtomicU64,
}

impl Gauge {
    fn new(metrics: &Arc<Metrics>, of: fn(&Metrics) -> &AtomicU64) -> Self {
        of(metrics).fetch_add(1, Ordering::Relaxed);
        Self { metrics: Arc::clone(metrics), of }
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        (self.of)(&self.metrics).fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        self.line(format_args!("{name} {value}"));
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a string takes text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_verb_outcome_and_duration() {
        let metrics = Metrics::new(1 << 20);
        let _open = metrics.opened();
        metrics.answered("get", Outcome::Done, Duration::from_millis(3));
        metrics.answered("get", Outcome::Failed, Duration::from_secs(60));
        metrics.answered("dance", Outcome::Failed, Duration::ZERO);
        metrics.refused(Refusal::PerKey);
        let text = metrics.text(512);
        for line in [
            "warp_streams 1",
            "warp_frame_memory_bytes 512",
            "warp_frame_memory_limit_bytes 1048576",
            "warp_refused_total{limit=\"connections_per_key\"} 1",
            "warp_requests_total{verb=\"get\",outcome=\"done\"} 1",
            "warp_requests_total{verb=\"get\",outcome=\"failed\"} 1",
            "warp_requests_total{verb=\"unreadable\",outcome=\"failed\"} 1",
            "warp_request_seconds_bucket{le=\"0.001\"} 1",
            "warp_request_seconds_bucket{le=\"0.005\"} 2",
            "warp_request_seconds_bucket{le=\"30\"} 2",
            "warp_request_seconds_bucket{le=\"+Inf\"} 3",
            "warp_request_seconds_count 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert_eq!((metrics.requests("get", "done"), metrics.refusals("connections_per_key")), (1, 1));
    }
}
