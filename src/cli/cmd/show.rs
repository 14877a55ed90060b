use std::ffi::OsString;

use warp::ops::{self, Side};

use crate::cli::args::LatestArgs;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::history::{self, Decorations};
use crate::cli::patch::{self, Comparison, FormatArgs};
use crate::cli::ui::Ui;

/// Show a commit and what it changed, or a file of it
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp show                    the last commit, and what it changed
  warp show --patch HEAD~2     with text differences
  warp show main:notes.txt     a file, as `warp cat` prints it")]
pub(crate) struct Args {
    /// A revision, or REV:PATH; without it the last commit
    #[arg(value_name = "REV")]
    spec: Option<OsString>,

    #[command(flatten)]
    format: FormatArgs,

    #[command(flatten)]
    latest: LatestArgs,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    args.format.check()?;
    let opened = ctx.open(ui)?;
    let (revision, path) = opened.split_spec(args.spec.as_deref().unwrap_or_default())?;
    if let Some(path) = path {
        let commit = opened.resolve(&revision, &args.latest)?;
        ops::cat(&opened.repo, commit, &path, ui.out())?;
        return Ok(Exit::Done);
    }
    let version = opened.version(&revision, &args.latest)?;
    let decorations = Decorations::read(&opened)?;
    if ui.is_json() {
        history::json_line(ui, &version, &decorations)?;
    } else {
        let mut lines = history::full(ui, &version, &decorations);
        lines.extend([String::new(), history::counts(&version), String::new()]);
        history::print(ui, &lines)?;
    }
    // In the place of a forgotten parent stands the nearest commit before it.
    let before = decorations.live_parents(version.id).first().copied();
    if let (Some(before), [_, ..]) = (before, decorations.forgotten_parents(&version).as_slice()) {
        ui.status(format_args!(
            "Its parent was forgotten: compared with {}, which is left before it",
            before.short()
        ));
    }
    let old = before.map_or(Side::Empty, Side::Commit);
    let comparison =
        Comparison { old, new: Side::Commit(version.id), selection: Default::default(), costs: false };
    let summary = patch::print(ui, ctx, &opened, comparison, &args.format.or_stat())?;
    Ok(Exit::for_problems(summary.problems))
}
