use std::ffi::OsString;

use warp::id::CommitId;
use warp::ops::Side;

use crate::cli::args::{LatestArgs, ScanArgs, selected};
use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::patch::{self, Comparison, FormatArgs};
use crate::cli::ui::Ui;

/// Compare commits with each other, or with live files
///
/// Without B, A is compared with the files as they are now: with the working directory or, in a stand-alone repository,
/// with the paths that A was made of. Without A as well, the last commit is.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp diff                               the last commit with the files as they are now
  warp diff HEAD~1 HEAD                   two commits
  warp diff --name-status latest~1 latest
  warp diff --stat main -- src            how many bytes below src are new
  warp diff --stat HEAD~1 HEAD            also what they take in the repository
  warp diff --exit-code -q                exit code 1 if anything has changed")]
pub(crate) struct Args {
    /// The older side: a revision; without it the last commit
    #[arg(value_name = "A")]
    old: Option<String>,

    /// The newer side: a revision; without it the files as they are now
    #[arg(value_name = "B")]
    new: Option<String>,

    /// Only these paths; write them behind --
    #[arg(last = true, value_name = "PATH")]
    below: Vec<OsString>,

    /// Exit with 1 if there are differences
    #[arg(long)]
    exit_code: bool,

    #[command(flatten)]
    format: FormatArgs,

    #[command(flatten)]
    scan: ScanArgs,

    #[command(flatten)]
    latest: LatestArgs,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    args.format.check()?;
    let scan = args.scan.settings(ctx)?;
    let opened = ctx.open(ui)?;
    let (old, new) = sides(args, &opened)?;
    let selection = selected(&opened, &args.below)?;
    let summary = match new {
        Some(new) => {
            let comparison =
                Comparison { old: Side::Commit(old), new: Side::Commit(new), selection, costs: true };
            patch::print(ui, ctx, &opened, comparison, &args.format.or_patch())?
        }
        None => {
            warn_of_other_host(ui, ctx, &opened, old)?;
            let source = opened.live(old)?;
            let new = Side::Live { source: &source, scan: &scan, base: old };
            let comparison = Comparison { old: Side::Commit(old), new, selection, costs: false };
            patch::print(ui, ctx, &opened, comparison, &args.format.or_patch())?
        }
    };
    Ok(match (summary.problems, args.exit_code && summary.changes > 0) {
        (0, true) => Exit::Failed,
        (problems, _) => Exit::for_problems(problems),
    })
}

/// The two commits; `None` as the newer one: live files. `A..B` is the same as `A B`.
fn sides(args: &Args, opened: &Opened) -> Result<(CommitId, Option<CommitId>), CliError> {
    let old = args.old.as_deref().unwrap_or(opened.default_revision());
    let (old, new) = match (old.split_once(".."), args.new.as_deref()) {
        (Some((old, new)), None) => (old, Some(new)),
        (_, new) => (old, new),
    };
    let resolve = |revision: &str| {
        let revision = if revision.is_empty() { opened.default_revision() } else { revision };
        opened.resolve(revision, &args.latest)
    };
    Ok((resolve(old)?, new.map(resolve).transpose()?))
}

/// In a stand-alone repository the files of another host may not be these at all.
fn warn_of_other_host(ui: &mut Ui, ctx: &Context, opened: &Opened, commit: CommitId) -> Result<(), CliError> {
    let host = opened.repo.version(commit)?.commit.host;
    if opened.workdir.is_none() && host != ctx.host() {
        let host = crate::cli::escape::line(&host);
        ui.warn(format_args!(
            "commit {} is of the host {host}; comparing with files of this one",
            commit.short()
        ));
    }
    Ok(())
}
