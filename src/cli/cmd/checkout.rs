use std::ffi::OsString;

use warp::format::dirtree::Timestamp;
use warp::id::CommitId;
use warp::ops::{self, CheckoutRequest, Selection};
use warp::repo::{Head, WorkDir};

use super::restore::{self, Restored};
use crate::cli::args::{LatestArgs, ScanArgs, selected};
use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::ui::Ui;

/// How to get files out of a repository that has no working directory.
pub(crate) const USE_RESTORE: &str = "bring files back with `warp restore --source REV --target DIR`";

/// Bring the working directory, or some paths of it, to a commit
///
/// With a branch as REV, later commits go to that branch; with any other revision they go to none (`HEAD is detached`):
/// make one there with -b before you commit. Files that the last commit has and REV lacks are removed; files that are in
/// no commit stay. Where content would be lost that no commit has, nothing is done, and the paths are listed. Only content
/// counts: a file whose bytes are those of the last commit gives way even if its times, mode, owner or extended attributes
/// were changed since.
///
/// With paths behind --, only these are brought back, from REV or else from the last commit, and HEAD stays. If one is
/// neither in REV nor in the last commit, nothing is done.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp checkout main                    a branch
  warp checkout HEAD~3                  an older commit
  warp checkout -b experiment           a new branch, from here
  warp checkout HEAD~1 -- notes.txt     one file of an older commit
  warp checkout --force -- src          give up all changes below src")]
pub(crate) struct Args {
    /// A branch or another revision
    #[arg(value_name = "REV")]
    revision: Option<String>,

    /// Only these paths; write them behind --
    #[arg(last = true, value_name = "PATH")]
    below: Vec<OsString>,

    /// Make a new branch there, and go to it
    #[arg(short = 'b', value_name = "NAME", conflicts_with = "below")]
    new_branch: Option<String>,

    /// Overwrite content that no commit has
    #[arg(short, long)]
    force: bool,

    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Read every file back and compare it with the repository
    #[arg(long)]
    verify: bool,

    #[command(flatten)]
    scan: ScanArgs,
}

/// How to go somewhere: what `checkout` and `switch` share.
pub(crate) struct Going {
    pub(crate) force: bool,
    pub(crate) dry_run: bool,
    pub(crate) verify: bool,
    pub(crate) scan: ops::ScanSettings,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    if args.revision.is_none() && args.new_branch.is_none() && args.below.is_empty() {
        return Err(CliError::usage("say where to go, or which paths to bring back behind --"));
    }
    let scan = args.scan.settings(ctx)?;
    let going = Going { force: args.force, dry_run: args.dry_run, verify: args.verify, scan };
    let opened = ctx.open(ui)?;
    opened.need_workdir(USE_RESTORE)?;
    if let Some(name) = &args.new_branch {
        return to_new_branch(ui, ctx, &opened, name, args.revision.as_deref(), going);
    }
    let revision = args.revision.as_deref().unwrap_or("HEAD");
    let commit = opened.resolve(revision, &LatestArgs::default())?;
    if !args.below.is_empty() {
        let selection = selected(&opened, &args.below)?;
        return go(ui, ctx, &opened, commit, None, selection, going);
    }
    let (commit, head) = match (opened.branch(revision), opened.head()?) {
        (Some(tip), _) => (tip, Head::Branch(revision.to_owned())),
        (None, Some(head)) if matches!(revision, "HEAD" | "@") => (commit, head),
        (None, _) => (commit, Head::Detached(commit)),
    };
    go(ui, ctx, &opened, commit, Some(head), Selection::default(), going)
}

/// Makes a branch at `start` (or here) and goes to it; a branch that cannot be reached is not left behind.
pub(crate) fn to_new_branch(
    ui: &mut Ui,
    ctx: &Context,
    opened: &Opened,
    name: &str,
    start: Option<&str>,
    going: Going,
) -> Result<Exit, CliError> {
    let workdir = opened.need_workdir(USE_RESTORE)?;
    let here = opened.head_commit()?;
    let commit = match start {
        Some(revision) => Some(opened.resolve(revision, &LatestArgs::default())?),
        None => here,
    };
    if going.dry_run {
        let Some(commit) = commit else { return Ok(Exit::Done) };
        return go(ui, ctx, opened, commit, Some(Head::Branch(name.to_owned())), Selection::default(), going);
    }
    let shown = escape::line(name);
    let Some(commit) = commit else {
        return before_the_first_commit(ui, workdir, name);
    };
    opened.repo.branch_create(name, commit, false)?;
    if Some(commit) == here {
        workdir.set_head(&Head::Branch(name.to_owned()))?;
        ui.status(format_args!("Switched to a new branch '{shown}'"));
        return Ok(Exit::Done);
    }
    let head = Some(Head::Branch(name.to_owned()));
    let result = go(ui, ctx, opened, commit, head, Selection::default(), going);
    if result.is_err() && !stands_on(workdir, name) {
        opened.repo.branch_delete(name, true)?;
    }
    result
}

fn stands_on(workdir: &WorkDir, name: &str) -> bool {
    matches!(workdir.head(), Ok(Head::Branch(at)) if at == name)
}

fn before_the_first_commit(ui: &mut Ui, workdir: &WorkDir, name: &str) -> Result<Exit, CliError> {
    workdir.set_head(&Head::Branch(name.to_owned()))?;
    ui.status(format_args!("The first commit will make the branch '{}'", escape::line(name)));
    Ok(Exit::Done)
}

/// Brings the working directory, or a part of it, to a commit, and says so.
pub(crate) fn go(
    ui: &mut Ui,
    ctx: &Context,
    opened: &Opened,
    commit: CommitId,
    new_head: Option<Head>,
    selection: Selection,
    going: Going,
) -> Result<Exit, CliError> {
    let arrived = match &new_head {
        Some(Head::Branch(name)) => Some(format!("Switched to branch '{}'", escape::line(name))),
        Some(Head::Detached(id)) => Some(format!("HEAD is now at {}", id.short())),
        None => None,
    };
    let dry_run = going.dry_run;
    let exit = go_quietly(ui, ctx, opened, commit, new_head, selection, going)?;
    if let (Some(arrived), false) = (arrived, dry_run) {
        ui.status(format_args!("{arrived}"));
    }
    Ok(exit)
}

/// The same, without saying where that is.
pub(crate) fn go_quietly(
    ui: &mut Ui,
    ctx: &Context,
    opened: &Opened,
    commit: CommitId,
    new_head: Option<Head>,
    selection: Selection,
    going: Going,
) -> Result<Exit, CliError> {
    let workdir = opened.need_workdir(USE_RESTORE)?;
    let Going { force, dry_run, verify, scan } = going;
    let threads = ctx.threads();
    let request = CheckoutRequest { commit, new_head, selection, force, dry_run, verify, scan, threads };
    let progress = ui.progress();
    let done = ops::checkout(&opened.repo, workdir, &request, &progress)?;
    drop(progress);
    restore::report(ui, &done, Restored { dry_run, started: None::<Timestamp> })
}
