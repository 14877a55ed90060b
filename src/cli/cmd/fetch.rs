use warp::ops::{self, FetchOutcome, FetchRequest, FetchTags};

use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::ref_lines::report_fetched;
use crate::cli::remote::{LimitArgs, Remote};
use crate::cli::ui::Ui;

/// Bring commits of another repository here, and see where its branches stand
///
/// Its branch `main` is shown as `origin/main` from then on; your own branches stay where they are: `warp pull` moves them. Tags that
/// are new come along. Commits that were forgotten here stay so, unless a branch or tag that comes stands on them.
///
/// The other repository must share the keys of this one, as `warp clone` makes them.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp fetch                     from origin
  warp fetch --all --prune       from all remotes, and forget branches that are gone there
  warp fetch nas main            one branch
  warp log origin/main           what it has")]
pub(crate) struct Args {
    /// The remote; without it `origin`, or the only one
    #[arg(value_name = "REMOTE", conflicts_with = "all")]
    remote: Option<String>,

    /// Only these branches
    #[arg(value_name = "BRANCH", conflicts_with = "all")]
    branches: Vec<String>,

    /// From all remotes; one that cannot be reached is named, and the others are fetched from
    #[arg(long)]
    all: bool,

    /// Forget branches that are no longer there
    #[arg(short, long)]
    prune: bool,

    /// Take all tags, and name those that stand elsewhere here
    #[arg(short, long)]
    tags: bool,

    /// Take no tags
    #[arg(long, conflicts_with = "tags")]
    no_tags: bool,

    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,

    #[command(flatten)]
    limits: LimitArgs,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    let is_refused = match args.all {
        true => return all(ui, ctx, &opened, args),
        false => one(ui, ctx, &opened, (args, args.remote.as_deref()))?,
    };
    Ok(if is_refused { Exit::Partial } else { Exit::Done })
}

/// Fetches from every remote. One that cannot be fetched from is told of, and keeps none of the others.
fn all(ui: &mut Ui, ctx: &Context, opened: &Opened, args: &Args) -> Result<Exit, CliError> {
    let (mut exit, mut failed) = (Exit::Done, Vec::new());
    let remotes = opened.repo.remotes();
    for (name, _) in &remotes {
        match one(ui, ctx, opened, (args, Some(name))) {
            Ok(true) => exit = Exit::Partial,
            Ok(false) => {}
            Err(error) if error.exit == Exit::Interrupted => return Err(error),
            Err(error) => {
                let shown = escape::name(name.as_bytes()).into_owned();
                ui.warn(format_args!("{shown}: {}", error.message()));
                failed.push(shown);
            }
        }
    }
    if failed.is_empty() {
        return Ok(exit);
    }
    let (bad, all, names) = (failed.len(), remotes.len(), failed.join(", "));
    Err(CliError::failed(format!("{bad} of {all} remotes could not be fetched from: {names}")))
}

/// Fetches from one remote; returns whether a ref was refused.
fn one(
    ui: &mut Ui,
    ctx: &Context,
    opened: &Opened,
    (args, name): (&Args, Option<&str>),
) -> Result<bool, CliError> {
    let named = ctx.find_remote(opened, name)?;
    let remote = ctx.open_named(ui, opened, named, &args.limits)?;
    let tags = match (args.tags, args.no_tags) {
        (true, _) => FetchTags::All,
        (_, true) => FetchTags::No,
        _ => FetchTags::New,
    };
    let request = FetchRequest {
        branches: args.branches.clone(),
        tags,
        prune: args.prune,
        dry_run: args.dry_run,
        verification: args.limits.verification(),
        ..request(&remote)?
    };
    Ok(fetch(ui, opened, &remote, &request)?.1)
}

/// A request for all branches of a remote, which must have a name.
pub(super) fn request(remote: &Remote) -> Result<FetchRequest, CliError> {
    let name = remote.name.clone().ok_or_else(|| {
        let error = CliError::usage("what is fetched is remembered under the name of a remote");
        error.hint("`warp remote add NAME URL` gives it one")
    })?;
    Ok(FetchRequest { remote: name, ..FetchRequest::default() })
}

/// Fetches, and says what came; also whether a ref was refused.
pub(super) fn fetch(
    ui: &mut Ui,
    opened: &Opened,
    remote: &Remote,
    request: &FetchRequest,
) -> Result<(FetchOutcome, bool), CliError> {
    let progress = ui.progress();
    let done = ops::fetch(&opened.repo, &remote.repo, request, &progress)?;
    drop(progress);
    let is_refused = report_fetched(ui, &remote.place, &done, request.dry_run)?;
    Ok((done, is_refused))
}
