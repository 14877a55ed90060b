use serde::Serialize;
use warp::ops::{self, GcConfig, RenewRequest, RepackOutcome, RepackRequest};

use super::renewal::{self, Renewal};

use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::size::{self, count, human};
use crate::cli::ui::Ui;

/// Store what is stored already in fewer and smaller packs
///
/// Many small commits leave many small packs: this merges them. Chunks that are stored in full become differences to chunks
/// that are like them, wherever in history these are, if that saves room and the repository's setting `delta` allows it.
///
/// All commits stay as they are. Others may go on working: a commit that meets a repack begins anew, but for one that reads
/// a stream, which fails and has to be run again; a restore under way finds what it needs in the new packs. The new packs
/// need room beside the old ones until these are deleted, which happens at the end. If it is stopped, a later gc takes
/// away what it left.
///
/// With --old-keys it does something else: packs from before the last `warp key rotate` are sealed anew under the newest key, as they
/// are. That goes in portions of 4 GiB, which is the room it needs. If it is stopped, what is done is done, and the next run
/// does the rest.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp repack                   merge small packs
  warp repack --aggressive      store everything anew, as small as possible
  warp repack -n --aggressive   what would that save?
  warp repack --old-keys        seal all anew that is under older keys")]
pub(crate) struct Args {
    /// Store everything anew, not only what lies in packs of less than 16 MiB; this takes long
    #[arg(long)]
    aggressive: bool,

    /// Show what would be gained, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Seal anew what lies under keys from before the last `warp key rotate`, instead
    #[arg(long, conflicts_with = "aggressive")]
    old_keys: bool,

    /// With --old-keys: write at most so much anew in this run
    #[arg(long, value_name = "SIZE", value_parser = size::parse, requires = "old_keys")]
    max_repack_size: Option<u64>,
}

#[derive(Serialize)]
struct Repacked {
    message_type: &'static str,
    dry_run: bool,
    /// The new packs took the place of the old ones or, in a dry run, would.
    replaced: bool,
    packs_before: u64,
    bytes_before: u64,
    packs_after: u64,
    bytes_after: u64,
    /// Chunks that became differences, their bytes, and the bytes of these.
    deltas: u64,
    delta_bytes: u64,
    delta_stored_bytes: u64,
    dropped_copies: u64,
    packs_kept: u64,
    left_over_files: u64,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    let progress = ui.progress();
    if args.old_keys {
        let (max_bytes, threads, dry_run) = (args.max_repack_size, ctx.threads(), args.dry_run);
        let request = RenewRequest { max_bytes, grace: GcConfig::GRACE, threads, dry_run };
        let done = ops::reseal(&opened.repo, request, &progress)?;
        drop(progress);
        return renewal::report(ui, &done, &RESEALED);
    }
    let request =
        RepackRequest { aggressive: args.aggressive, dry_run: args.dry_run, grace: GcConfig::GRACE };
    let done = ops::repack(&opened.repo, request, &progress)?;
    drop(progress);
    if ui.is_json() {
        ui.json(&as_json(&done))?;
    } else if !ui.is_quiet() {
        writeln!(ui.out(), "{}", told(&done))?;
        details(ui, &done);
    }
    Ok(Exit::Done)
}

const RESEALED: Renewal = Renewal {
    message_type: "resealed",
    done: "sealed anew under the newest key",
    nothing: "everything is sealed under the newest key",
    left: "still under older keys",
};

fn as_json(done: &RepackOutcome) -> Repacked {
    Repacked {
        message_type: "repacked",
        dry_run: done.dry_run,
        replaced: done.replaced,
        packs_before: done.packs_before,
        bytes_before: done.bytes_before,
        packs_after: done.packs_after,
        bytes_after: done.bytes_after,
        deltas: done.deltas.objects,
        delta_bytes: done.deltas.bytes,
        delta_stored_bytes: done.deltas.stored_bytes,
        dropped_copies: done.dropped_copies,
        packs_kept: done.packs_kept,
        left_over_files: done.left_over_files,
    }
}

fn told(done: &RepackOutcome) -> String {
    if !done.replaced {
        return "nothing to gain; all packs stay".to_owned();
    }
    let before = format!("{} of {}", count(done.packs_before, "pack", "packs"), human(done.bytes_before));
    let verb = if done.dry_run { "would become" } else { "became" };
    let after = format!("{} of {}", done.packs_after, human(done.bytes_after));
    if done.deltas.objects == 0 {
        return format!("{before} {verb} {after}");
    }
    let chunks = count(done.deltas.objects, "chunk", "chunks");
    format!("{before} {verb} {after}; {chunks} {verb} differences")
}

fn details(ui: &mut Ui, done: &RepackOutcome) {
    if done.packs_kept > 0 {
        let packs = count(done.packs_kept, "pack stays", "packs stay");
        ui.status(format_args!(" {packs} beside the new ones: a commit began to use them meanwhile"));
    }
    if done.left_over_files > 0 {
        let files = count(done.left_over_files, "file", "files");
        ui.status(format_args!(" {files} of an earlier repack deleted"));
    }
}
