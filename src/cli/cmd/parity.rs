use serde::Serialize;
use warp::format::pack::Parity;
use warp::ops::{self, GcConfig, ParityLevel, RenewRequest};

use super::renewal::{self, Renewal};
use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::size::{self, count, human};
use crate::cli::ui::Ui;

/// Show how much parity packs have, or change it, for what is stored already, too
///
/// With 3% any contiguous 32nd of a pack may be damaged and is healed all the same, with N% N parts of 96; without parity damage is
/// found, and not healed. Without arguments: what is set, and what the packs have.
///
/// With a share it is set for all that is written from now on, as `warp config set --repository parity` does, and packs that have more
/// or less are written anew as they are. Commits, restores and gcs may go on meanwhile; a commit that meets it begins anew. It goes in
/// portions of 4 GiB, which is the room it needs. If it is stopped, what is done is done, and the next run does the rest.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp parity                              what is set, and what do packs have?
  warp parity 10%                          ten parts of 96 of each pack may be lost
  warp parity none                         no parity: the disk below heals
  warp parity 10% --max-repack-size 50G    50 GiB of it now, the rest another time")]
pub(crate) struct Args {
    /// Share of each pack that may be damaged, 1% to 50%, or none
    #[arg(value_name = "N%|none")]
    parity: Option<Parity>,

    /// Show what would be written anew, and change nothing
    #[arg(short = 'n', long, requires = "parity")]
    dry_run: bool,

    /// Write at most so much of packs anew in this run
    #[arg(long, value_name = "SIZE", value_parser = size::parse, requires = "parity")]
    max_repack_size: Option<u64>,
}

const RENEWED: Renewal = Renewal {
    message_type: "parity_changed",
    done: "written anew with that parity",
    nothing: "all packs have that parity",
    left: "still to be written anew",
};

#[derive(Serialize)]
struct Level {
    message_type: &'static str,
    parity: String,
    /// New packs are made so.
    is_set: bool,
    packs: u64,
    bytes: u64,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    let Some(parity) = args.parity else { return show(ui, &opened) };
    if !args.dry_run {
        opened.repo.set_setting("parity", Some(&parity.to_string()))?;
    }
    let request = RenewRequest {
        max_bytes: args.max_repack_size,
        grace: GcConfig::GRACE,
        threads: ctx.threads(),
        dry_run: args.dry_run,
    };
    let progress = ui.progress();
    let done = ops::renew_parity(&opened.repo, parity, request, &progress)?;
    drop(progress);
    renewal::report(ui, &done, &RENEWED)
}

fn show(ui: &mut Ui, opened: &Opened) -> Result<Exit, CliError> {
    let set = ops::parity_setting(&opened.repo)?;
    let progress = ui.progress();
    let levels = ops::parity_levels(&opened.repo, set, &progress)?;
    drop(progress);
    if ui.is_json() {
        for line in as_json(&levels, set) {
            ui.json(&line)?;
        }
        return Ok(Exit::Done);
    }
    writeln!(ui.out(), "new packs: {set}")?;
    for ParityLevel { parity, packs, bytes } in &levels {
        writeln!(ui.out(), " {} of {}: {parity}", count(*packs, "pack", "packs"), human(*bytes))?;
    }
    if levels.iter().any(|level| level.parity != set) {
        ui.status(format_args!("`warp parity {set}` writes anew what has more or less than that"));
    }
    Ok(Exit::Done)
}

/// The levels, and that which is set where no pack has it.
fn as_json(levels: &[ParityLevel], set: Parity) -> Vec<Level> {
    let mut all = levels.to_vec();
    if !all.iter().any(|level| level.parity == set) {
        all.push(ParityLevel { parity: set, packs: 0, bytes: 0 });
    }
    let line = |level: &ParityLevel| Level {
        message_type: "parity",
        parity: level.parity.to_string(),
        is_set: level.parity == set,
        packs: level.packs,
        bytes: level.bytes,
    };
    all.iter().map(line).collect()
}
