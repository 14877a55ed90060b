use serde::Serialize;
use warp::ops::{GarbageCollector, GcConfig, GcStats, MaxUnused};

use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::size::{self, count, human};
use crate::cli::time;
use crate::cli::ui::Ui;

/// Free the room of what no commit needs any more
///
/// What forgotten commits alone needed goes, and so does what a commit left behind that was stopped. Packs that hold nothing else
/// go whole; others are written anew without it where that frees enough.
///
/// Packs that shall go are first condemned: they stay readable, and nothing begins to use them. A later gc deletes them, once
/// they have been condemned for as long as --grace says. Until then `warp undelete` brings forgotten commits back.
///
/// After `warp key rotate`, packs that are still sealed under older keys are written anew, some in each run: as much as
/// --max-repack-size leaves or, without it, a 32nd of the repository and at least 1 GiB. What is left is told.
///
/// Commits, restores and other gcs may go on meanwhile; no lock is needed, and nothing that is in use is lost. A commit that
/// relied on a condemned pack begins anew by itself.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp gc                   condemn what is not needed, delete what was condemned a while ago
  warp gc -n                what would be freed?
  warp gc --grace 0         condemn and delete in one run
  warp gc --max-unused 0    leave nothing that is not needed")]
pub(crate) struct Args {
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// How long condemned packs stay: 0, or as in 90m, 12h, 3d
    #[arg(long, value_name = "TIME", default_value = "12h", value_parser = time::parse_span)]
    grace: u64,

    /// Leave so much that is not needed rather than write packs anew: a share of what is needed, or a size
    ///
    /// 5% unless another is given.
    #[arg(long, value_name = "N%|SIZE", value_parser = max_unused)]
    max_unused: Option<MaxUnused>,

    /// Write at most so much of packs anew in this run
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    max_repack_size: Option<u64>,

    /// Leave nothing that is not needed: the same as --max-unused 0
    #[arg(long, conflicts_with_all = ["max_unused", "conservative"])]
    aggressive: bool,

    /// Write nothing anew: only packs that hold nothing that is needed go
    #[arg(long, conflicts_with_all = ["max_unused", "max_repack_size"])]
    conservative: bool,
}

#[derive(Serialize)]
struct Collected {
    message_type: &'static str,
    dry_run: bool,
    commits: u64,
    objects_live: u64,
    packs_before: u64,
    bytes_before: u64,
    bytes_unused: u64,
    packs_unneeded: u64,
    packs_rewritten: u64,
    bytes_rewritten: u64,
    packs_written: u64,
    bytes_written: u64,
    packs_after: u64,
    bytes_after: u64,
    packs_kept: u64,
    orphans: u64,
    orphan_bytes: u64,
    packs_resealed: u64,
    bytes_resealed: u64,
    /// Still sealed under older data keys.
    packs_old_key: u64,
    bytes_old_key: u64,
    segments_merged: u64,
    packs_waiting: u64,
    bytes_waiting: u64,
    packs_removed: u64,
    files_deleted: u64,
    bytes_deleted: u64,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    let progress = ui.progress();
    let done = GarbageCollector::new(&opened.repo, config(args, ctx.threads())).run(&progress)?;
    drop(progress);
    if ui.is_json() {
        ui.json(&as_json(&done))?;
    } else if !ui.is_quiet() {
        tell(ui, &done, args)?;
    }
    Ok(Exit::Done)
}

fn config(args: &Args, threads: usize) -> GcConfig {
    let preset = match (args.aggressive, args.conservative) {
        (true, _) => GcConfig::aggressive(),
        (_, true) => GcConfig::conservative(),
        _ => GcConfig::default(),
    };
    GcConfig {
        max_unused: args.max_unused.unwrap_or(preset.max_unused),
        max_repack: args.max_repack_size,
        grace: args.grace,
        threads,
        dry_run: args.dry_run,
        ..preset
    }
}

fn max_unused(text: &str) -> Result<MaxUnused, String> {
    match text.trim().strip_suffix('%') {
        Some(percent) => percent
            .trim()
            .parse()
            .map(MaxUnused::Percent)
            .map_err(|_| format!("{text:?} is not a share: write a whole number and %, as in 5%")),
        None => size::parse(text).map(MaxUnused::Bytes),
    }
}

fn tell(ui: &mut Ui, done: &GcStats, args: &Args) -> Result<(), CliError> {
    let commits = count(done.commits, "commit needs", "commits need");
    let needed = human(done.bytes_before - done.bytes_unused);
    writeln!(ui.out(), "{commits} {needed} of {} in packs", human(done.bytes_before))?;
    for line in work(done).into_iter().chain(left(done, args)) {
        writeln!(ui.out(), " {line}")?;
    }
    Ok(())
}

/// What was done with packs, or would be.
fn work(done: &GcStats) -> Vec<String> {
    let mut lines = Vec::new();
    let would = if done.dry_run { "would be " } else { "" };
    if done.packs_unneeded > 0 {
        let packs = count(done.packs_unneeded, "pack that nobody needs", "packs that nobody needs");
        lines.push(format!("{packs}: {would}condemned"));
    }
    if done.packs_rewritten > 0 {
        let packs = count(done.packs_rewritten, "pack", "packs");
        let before = human(done.bytes_rewritten);
        lines.push(match done.dry_run {
            true => format!("{packs} of {before} would be written anew, and condemned"),
            false => {
                format!(
                    "{packs} of {before} written anew as {} of {}, and condemned",
                    done.packs_written,
                    human(done.bytes_written)
                )
            }
        });
    }
    if done.packs_resealed > 0 {
        let packs = count(done.packs_resealed, "pack", "packs");
        let bytes = human(done.bytes_resealed);
        lines.push(format!("{packs} of {bytes} {would}sealed anew under the newest key"));
    }
    if done.packs_old_key > 0 {
        let packs = count(done.packs_old_key, "pack is", "packs are");
        let rest = "for the next gcs, or for `warp repack --old-keys` at once";
        lines.push(format!("{packs} still under older keys, {}: {rest}", human(done.bytes_old_key)));
    }
    if done.packs_kept > 0 {
        let packs = count(done.packs_kept, "of them stays", "of them stay");
        lines.push(format!("{packs}: a commit began to use it meanwhile"));
    }
    if done.orphans > 0 {
        let files = count(done.orphans, "file", "files");
        let bytes = human(done.orphan_bytes);
        lines.push(format!("{files} of {bytes} that no commit has come to own: {would}condemned"));
    }
    lines
}

/// What is left, and what comes next.
fn left(done: &GcStats, args: &Args) -> Vec<String> {
    let mut lines = Vec::new();
    if done.dry_run {
        lines.push(format!("about {} would be left; nothing was done", human(done.bytes_after)));
        return lines;
    }
    if done.files_deleted > 0 {
        lines.push(format!(
            "{} deleted, {}",
            count(done.files_deleted, "file", "files"),
            human(done.bytes_deleted)
        ));
    }
    if done.packs_waiting > 0 {
        let packs = count(done.packs_waiting, "condemned pack", "condemned packs");
        let bytes = human(done.bytes_waiting);
        let grace = time::duration(args.grace.saturating_mul(1000));
        lines.push(format!("{packs} of {bytes} left, for a gc after {grace} to delete (--grace 0: now)"));
    }
    lines.push(format!("{} of {} in use", count(done.packs_after, "pack", "packs"), human(done.bytes_after)));
    lines
}

fn as_json(done: &GcStats) -> Collected {
    Collected {
        message_type: "collected",
        dry_run: done.dry_run,
        commits: done.commits,
        objects_live: done.objects_live,
        packs_before: done.packs_before,
        bytes_before: done.bytes_before,
        bytes_unused: done.bytes_unused,
        packs_unneeded: done.packs_unneeded,
        packs_rewritten: done.packs_rewritten,
        bytes_rewritten: done.bytes_rewritten,
        packs_written: done.packs_written,
        bytes_written: done.bytes_written,
        packs_after: done.packs_after,
        bytes_after: done.bytes_after,
        packs_kept: done.packs_kept,
        orphans: done.orphans,
        orphan_bytes: done.orphan_bytes,
        packs_resealed: done.packs_resealed,
        bytes_resealed: done.bytes_resealed,
        packs_old_key: done.packs_old_key,
        bytes_old_key: done.bytes_old_key,
        segments_merged: done.segments_merged,
        packs_waiting: done.packs_waiting,
        bytes_waiting: done.bytes_waiting,
        packs_removed: done.packs_removed,
        files_deleted: done.files_deleted,
        bytes_deleted: done.bytes_deleted,
    }
}
