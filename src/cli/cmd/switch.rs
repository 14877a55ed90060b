use warp::ops::Selection;
use warp::repo::Head;

use super::checkout::{self, Going, USE_RESTORE};
use crate::cli::args::ScanArgs;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::ui::Ui;

/// Go to a branch
///
/// Like `warp checkout BRANCH`, but only branches are taken.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp switch main
  warp switch -c experiment           a new branch, from here
  warp switch -c old HEAD~5           a new branch, from an older commit")]
pub(crate) struct Args {
    /// The branch; with -c: where the new branch starts
    #[arg(value_name = "BRANCH", required_unless_present = "create")]
    branch: Option<String>,

    /// Make a new branch, and go to it
    #[arg(short, long, value_name = "NAME")]
    create: Option<String>,

    /// Overwrite content that no commit has
    #[arg(short, long)]
    force: bool,

    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,

    #[command(flatten)]
    scan: ScanArgs,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let scan = args.scan.settings(ctx)?;
    let going = Going { force: args.force, dry_run: args.dry_run, verify: false, scan };
    let opened = ctx.open(ui)?;
    opened.need_workdir(USE_RESTORE)?;
    if let Some(name) = &args.create {
        return checkout::to_new_branch(ui, ctx, &opened, name, args.branch.as_deref(), going);
    }
    let name = args.branch.as_deref().unwrap_or_default();
    let Some(commit) = opened.branch(name) else {
        let error = CliError::failed(format!("there is no branch {}", escape::name(name.as_bytes())));
        return Err(error
            .hint(format!("make it with `warp switch -c {}`, or see `warp checkout`", escape::line(name))));
    };
    checkout::go(ui, ctx, &opened, commit, Some(Head::Branch(name.to_owned())), Selection::default(), going)
}
