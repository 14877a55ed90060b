//! `warp bench`: how fast the parts of warp are on this machine.

mod data;
mod disk;
mod net;
mod report;
mod rounds;
mod subjects;

use std::path::PathBuf;
use std::thread;

use clap::ValueEnum;
use indicatif::ProgressBar;

use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::size;
use crate::cli::ui::Ui;
use data::Kind;
use report::{Line, Missing, Report};
use subjects::Subject;

/// Bytes of each input in memory, unless the user says otherwise.
const SIZE: u64 = 64 << 20;
/// Bytes of the file on the disk, unless the user says otherwise.
const DISK_SIZE: u64 = 256 << 20;
/// Bytes of an input that can be asked for: least, and most in memory.
const SIZE_MIN: u64 = 1 << 10;
const SIZE_MAX: u64 = 1 << 30;

/// Measure how fast warp's parts are on this machine
///
/// Cutting, hashing, Merkle roots, compression, parity, encryption and the derivation of a key from a password, on one thread
/// and on all cores, with data made from a seed; and the disk, where --dir names a directory. Each figure is the best and
/// the median of up to five rounds. Needs no repository and takes about half a minute.
///
/// A speed counts the bytes before compression, of all threads together.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp bench                          all but the disk
  warp bench --dir /mnt/disk          the disk under that directory too
  warp bench --only chunk,hash        two of the groups
  WARP_ISA=avx2 warp bench --only chunk    with another instruction set
  warp bench net                      the network side, over loopback
  warp bench --json | jq '.results[] | select(.group == \"compress\")'")]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    part: Option<Part>,

    /// Measure only these groups
    #[arg(long, value_name = "NAMES", value_enum, value_delimiter = ',')]
    only: Vec<Group>,

    /// Bytes of each input, as in 64M [default: 64M in memory, 256M on the disk]
    #[arg(long, value_name = "SIZE", value_parser = input_size)]
    size: Option<u64>,

    /// About how long to measure each line
    #[arg(long, value_name = "SECONDS", default_value = "0.25", value_parser = some_seconds)]
    seconds: f64,

    /// Measure the disk under this directory; what is written there is removed again
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What is measured on its own.
#[derive(clap::Subcommand, Debug)]
enum Part {
    Net(net::NetArgs),
}

/// What is measured together.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    /// The chunkers
    Chunk,
    /// Ids of chunks
    Hash,
    /// Roots over the shards of a pack
    Merkle,
    /// zstd
    Compress,
    /// Parity of packs: making it, and healing with it
    Erasure,
    /// Sealing and opening
    Cipher,
    /// From password to key
    Kdf,
    /// Writing, reading, small files
    Disk,
}

impl Group {
    fn name(self) -> &'static str {
        match self {
            Self::Chunk => "chunk",
            Self::Hash => "hash",
            Self::Merkle => "merkle",
            Self::Compress => "compress",
            Self::Erasure => "erasure",
            Self::Cipher => "cipher",
            Self::Kdf => "kdf",
            Self::Disk => "disk",
        }
    }
}

/// The inputs in memory, one of each kind.
struct Inputs([Vec<u8>; Kind::ALL.len()]);

impl Inputs {
    fn new(len: usize) -> Self {
        Self(Kind::ALL.map(|kind| kind.bytes(len)))
    }

    fn of(&self, kind: Kind) -> &[u8] {
        &self.0[kind as usize]
    }
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    if let Some(Part::Net(args)) = &args.part {
        return net::run(ui, ctx, args);
    }
    let groups = groups(args)?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let most = if ctx.threads() > 0 { ctx.threads() } else { cores };
    let threads = if most > 1 { vec![1, most] } else { vec![1] };
    let (size, in_memory) = (args.size.unwrap_or(SIZE), groups.iter().any(|group| *group != Group::Disk));
    if in_memory && size > SIZE_MAX {
        return Err(CliError::usage("--size is at most 1G, except with `--only disk`"));
    }
    let mut lines = Vec::new();
    // While this lives, Ctrl-C asks instead of ending the process.
    let listening = ui.observer();
    let bar = ui.passing_line();
    if let (Some(dir), true) = (&args.dir, groups.contains(&Group::Disk)) {
        let size = args.size.unwrap_or(DISK_SIZE);
        lines = disk::measure(&ctx.absolute(dir), size, |what| bar.set_message(format!("measuring {what}")))?;
    }
    if in_memory {
        bar.set_message("making the inputs");
        let inputs = Inputs::new(size as usize);
        let measured = measure(&groups, &inputs, &threads, args.seconds, &bar)?;
        lines.splice(0..0, measured);
    }
    bar.finish_and_clear();
    drop(listening);
    Report { threads, cores, size, lines, missing: missing(args) }.print(ui)?;
    Ok(Exit::Done)
}

/// The groups that are asked for, in the order of the table.
fn groups(args: &Args) -> Result<Vec<Group>, CliError> {
    let chosen = |group: &Group| args.only.is_empty() || args.only.contains(group);
    match (args.only.is_empty(), args.only.contains(&Group::Disk), &args.dir) {
        (false, true, None) => Err(CliError::usage("which disk? name a directory on it with --dir")),
        (false, false, Some(_)) => Err(CliError::usage("--dir is for the disk, which --only leaves out")),
        _ => Ok(Group::value_variants().iter().copied().filter(chosen).collect()),
    }
}

fn missing(args: &Args) -> Vec<Missing> {
    let mut missing = Vec::new();
    if args.only.is_empty() && args.dir.is_none() {
        missing.push(Missing { name: "disk", reason: "name a directory on it with --dir" });
    }
    missing
}

fn measure(
    groups: &[Group],
    inputs: &Inputs,
    threads: &[usize],
    seconds: f64,
    bar: &ProgressBar,
) -> Result<Vec<Line>, CliError> {
    let subjects = subjects::subjects(groups, inputs)?;
    let count = subjects.len();
    let line = |(number, subject): (usize, Subject<'_>)| {
        let kind = subject.data.map_or("", Kind::name);
        bar.set_message(format!("measuring {} {kind} ({}/{count})", subject.name, number + 1));
        let speeds = threads
            .iter()
            .map(|threads| rounds::measure(&subject.work, *threads, seconds).map(|speed| (*threads, speed)));
        let speeds = speeds.collect::<Result<_, _>>()?;
        let Subject { group, name, data, unit, ratio, .. } = subject;
        Ok(Line { group, name, data, unit, ratio, speeds })
    };
    subjects.into_iter().enumerate().map(line).collect()
}

fn input_size(text: &str) -> Result<u64, String> {
    match size::parse(text)? {
        small if small < SIZE_MIN => Err(format!("{text:?} is too small: at least 1K is needed")),
        size => Ok(size),
    }
}

fn some_seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.001..=3600.0).contains(seconds));
    seconds.ok_or_else(|| format!("{text:?} is no number of seconds from 0.001 to 3600"))
}
