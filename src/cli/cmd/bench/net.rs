//! `warp bench net`: what the transport adds to bare QUIC, on this machine alone.

mod bare;
mod framed;

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::signals;
use crate::cli::size;
use crate::cli::ui::{Paint, Ui};
use warp::sync::VerificationMode;

/// Bytes of one frame's payload: those of a piece of a pack.
const PIECE: usize = warp::limits::PIECE_LEN;
/// Clock ticks a second in /proc, on every Linux.
const TICKS: f64 = 100.0;

/// Measure the network side, over this machine's loopback
///
/// Both ends run in this process, without a disk and with the settings of real connections. Beside warp's requests run a bare QUIC sender
/// and receiver with the same settings, frames that are read in order and such that are read as they come, packs of 16 MiB in each mode of verification,
/// three at once as in a push, and TCP without encryption (`iperf3`, where it is installed). Rounds of all take turns; a figure is the median.
#[derive(clap::Args, Debug)]
pub(crate) struct NetArgs {
    /// Bytes that each measurement carries
    #[arg(long, value_name = "SIZE", default_value = "512M", value_parser = size::parse)]
    size: u64,

    /// How often each is measured
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,

    /// Connections that requests are spread over
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=64))]
    connections: u32,

    /// Requests under way at once
    #[arg(long, value_name = "N", default_value = "32", value_parser = clap::value_parser!(u32).range(1..=64))]
    requests: u32,
}

/// What is carried, by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    BareUp,
    BareDown,
    Ordered,
    Placed,
    Put,
    Read,
    Upload(VerificationMode),
    Tcp,
}

impl Subject {
    const ALL: [Self; 11] = [
        Self::BareUp,
        Self::BareDown,
        Self::Ordered,
        Self::Placed,
        Self::Put,
        Self::Read,
        Self::Upload(VerificationMode::None),
        Self::Upload(VerificationMode::Final),
        Self::Upload(VerificationMode::Sampling(10)),
        Self::Upload(VerificationMode::PerChunk),
        Self::Tcp,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::BareUp => "bare QUIC, to the server",
            Self::BareDown => "bare QUIC, to the client",
            Self::Ordered => "frames, in order into a vector",
            Self::Placed => "frames, as they come into place",
            Self::Put => "warp requests, to the server",
            Self::Read => "warp requests, to the client",
            Self::Upload(VerificationMode::None) => "packs, verification none",
            Self::Upload(VerificationMode::Final) => "packs, verification final",
            Self::Upload(VerificationMode::Sampling(_)) => "packs, verification sampling 10%",
            Self::Upload(VerificationMode::PerChunk) => "packs, verification per-chunk",
            Self::Tcp => "iperf3, TCP without encryption",
        }
    }

    /// What it is compared with.
    fn yardstick(self) -> Option<Self> {
        match self {
            Self::Put | Self::Ordered | Self::Placed | Self::Upload(_) => Some(Self::BareUp),
            Self::Read => Some(Self::BareDown),
            _ => None,
        }
    }
}

/// One measurement.
#[derive(Debug, Clone, Copy)]
struct Sample {
    bytes: u64,
    wall: Duration,
    /// Seconds of processor time of both ends.
    cpu: f64,
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    bytes_per_second: f64,
    worst: f64,
    best: f64,
    cpu_seconds_per_gb: Option<f64>,
    /// Speed beside bare QUIC in the same direction.
    of_bare: Option<f64>,
}

#[derive(Serialize)]
struct Document<'a> {
    message_type: &'static str,
    version: u32,
    program_version: &'static str,
    size: u64,
    rounds: u32,
    connections: u32,
    requests: u32,
    cores: usize,
    results: &'a [Row],
    not_measured: Vec<&'static str>,
}

pub(super) fn run(ui: &mut Ui, _: &Context, args: &NetArgs) -> Result<Exit, CliError> {
    let pieces = args.size.div_ceil(PIECE as u64).max(1);
    let has_iperf = has_iperf();
    let listening = ui.observer();
    let bar = ui.passing_line();
    let bare = bare::Bare::new()?;
    let framed = framed::Framed::new(args.connections as usize, args.requests as usize)?;
    let mut samples: Vec<(Subject, Vec<Sample>)> = Subject::ALL.map(|subject| (subject, Vec::new())).into();
    for round in 0..args.rounds {
        for (subject, found) in &mut samples {
            if signals::cancelled() {
                return Err(CliError::new(Exit::Interrupted, "interrupted"));
            }
            bar.set_message(format!("{}, round {}", subject.name(), round + 1));
            let sample = match subject {
                Subject::BareUp => measured(pieces, || bare.up(pieces))?,
                Subject::BareDown => measured(pieces, || bare.down(pieces))?,
                Subject::Ordered => measured(pieces, || bare.frames(pieces, true))?,
                Subject::Placed => measured(pieces, || bare.frames(pieces, false))?,
                Subject::Put => measured(pieces, || framed.put(pieces))?,
                Subject::Read => measured(pieces, || framed.read(pieces))?,
                Subject::Upload(mode) => measured(framed::whole(pieces), || framed.upload(*mode, pieces))?,
                Subject::Tcp if has_iperf => iperf(pieces * PIECE as u64)?,
                Subject::Tcp => continue,
            };
            found.push(sample);
        }
    }
    bar.finish_and_clear();
    drop(listening);
    let rows = rows(&samples);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    print(ui, args, &rows, cores, has_iperf)
}

/// Runs `work` and takes its time.
fn measured(pieces: u64, work: impl FnOnce() -> Result<(), CliError>) -> Result<Sample, CliError> {
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    work()?;
    Ok(Sample { bytes: pieces * PIECE as u64, wall: begun.elapsed(), cpu: cpu_seconds() - cpu })
}

/// Processor time of this process so far.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name before it may hold spaces.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / TICKS
}

fn rows(samples: &[(Subject, Vec<Sample>)]) -> Vec<Row> {
    let speed = |sample: &Sample| sample.bytes as f64 / sample.wall.as_secs_f64();
    let speeds = |wanted: Subject| {
        let (_, found) = samples.iter().find(|(subject, _)| *subject == wanted)?;
        median(found.iter().map(speed).collect())
    };
    let row = |(subject, found): &(Subject, Vec<Sample>)| {
        let all: Vec<f64> = found.iter().map(speed).collect();
        let bytes_per_second = median(all.clone())?;
        let cpu = median(found.iter().map(|sample| sample.cpu / (sample.bytes as f64 / 1e9)).collect());
        Some(Row {
            name: subject.name(),
            bytes_per_second,
            worst: all.iter().copied().fold(f64::INFINITY, f64::min),
            best: all.iter().copied().fold(0.0, f64::max),
            cpu_seconds_per_gb: cpu.filter(|_| *subject != Subject::Tcp),
            of_bare: subject.yardstick().and_then(speeds).map(|bare| bytes_per_second / bare),
        })
    };
    samples.iter().filter_map(row).collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        len if len % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

fn print(ui: &mut Ui, args: &NetArgs, rows: &[Row], cores: usize, has_iperf: bool) -> Result<Exit, CliError> {
    let not_measured = if has_iperf { Vec::new() } else { vec!["iperf3 is not installed"] };
    let &NetArgs { size, rounds, connections, requests } = args;
    if ui.is_json() {
        let program_version = env!("CARGO_PKG_VERSION");
        let (message_type, version, results) = ("bench_net", 1, rows);
        ui.json(&Document {
            message_type,
            version,
            program_version,
            size,
            rounds,
            connections,
            requests,
            cores,
            results,
            not_measured,
        })?;
        return Ok(Exit::Done);
    }
    let titles =
        format!("{:<34} {:>9} {:>17} {:>10} {:>8}", "", "MB/s", "worst to best", "CPU s/GB", "of bare");
    let titles = ui.paint(Paint::Bold, &titles).into_owned();
    writeln!(ui.out(), "{titles}")?;
    for row in rows {
        let mb = |speed: f64| speed / 1e6;
        let range = format!("{:.0} to {:.0}", mb(row.worst), mb(row.best));
        let cpu = row.cpu_seconds_per_gb.map(|cpu| format!("{cpu:.2}")).unwrap_or_default();
        let part = row.of_bare.map(|part| format!("{part:.2}")).unwrap_or_default();
        writeln!(
            ui.out(),
            "{:<34} {:>9.0} {range:>17} {cpu:>10} {part:>8}",
            row.name,
            mb(row.bytes_per_second)
        )?;
    }
    for what in not_measured {
        writeln!(ui.out(), "TCP: not measured ({what})")?;
    }
    Ok(Exit::Done)
}

fn has_iperf() -> bool {
    let version =
        Command::new("iperf3").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// Carries bytes over TCP with `iperf3`.
fn iperf(bytes: u64) -> Result<Sample, CliError> {
    let failed = |what: &str| CliError::failed(format!("iperf3 {what}"));
    let port = free_port()?.to_string();
    let mut server = Command::new("iperf3");
    server.args(["-s", "-1", "-B", "127.0.0.1", "-p", &port]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = server.spawn().map_err(|_| failed("cannot be run"))?;
    thread::sleep(Duration::from_millis(200));
    let mut client = Command::new("iperf3");
    let output = client.args(["-c", "127.0.0.1", "-p", &port, "-n", &bytes.to_string(), "-J"]).output();
    let _ = server.kill();
    let _ = server.wait();
    let output = output.map_err(|_| failed("cannot be run"))?;
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|_| failed("prints something else than JSON"))?;
    let sum = &report["end"]["sum_received"];
    let (bytes, seconds) = (sum["bytes"].as_u64(), sum["seconds"].as_f64());
    let (bytes, seconds) = bytes.zip(seconds).ok_or_else(|| failed("has measured nothing"))?;
    Ok(Sample { bytes, wall: Duration::from_secs_f64(seconds), cpu: 0.0 })
}

fn free_port() -> Result<u16, CliError> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0));
    let address = listener.and_then(|listener| listener.local_addr());
    Ok(address.map_err(|error| CliError::caused(Exit::Failed, "there is no free port", error))?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_median_and_beside_bare_quic() {
        let sample = |millis| Sample { bytes: 1_000_000, wall: Duration::from_millis(millis), cpu: 0.001 };
        let samples = [
            (Subject::BareUp, vec![sample(10), sample(20), sample(30)]),
            (Subject::Put, vec![sample(40), sample(40)]),
            (Subject::Tcp, Vec::new()),
        ];
        let rows = rows(&samples);
        assert_eq!(rows.len(), 2, "what was not measured has no row");
        assert!((rows[0].bytes_per_second - 50e6).abs() < 1.0 && rows[0].of_bare.is_none());
        assert!((rows[1].of_bare.unwrap() - 0.5).abs() < 1e-9);
        assert!((rows[1].cpu_seconds_per_gb.unwrap() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn processor_time_is_counted() {
        let before = cpu_seconds();
        let begun = Instant::now();
        let mut sum = 0u64;
        while begun.elapsed() < Duration::from_millis(300) || cpu_seconds() == before {
            sum = std::hint::black_box(sum.wrapping_add(1));
            assert!(begun.elapsed() < Duration::from_secs(20), "nothing is counted");
        }
    }
}
