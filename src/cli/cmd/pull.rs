use warp::id::CommitId;
use warp::ops::{FetchRequest, short_name};
use warp::repo::Head;

use super::{clone, fetch};
use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::remote::LimitArgs;
use crate::cli::ui::Ui;

/// Fetch, and bring the current branch and its files forward
///
/// The branch goes forward to where the branch of the same name (or BRANCH) stands there, and the working directory with it.
/// Changes that are not committed stay; where they would be lost, nothing is done. Where both sides have commits that the other has not, nothing
/// is done either.
///
/// In a stand-alone repository say which branch; it goes forward.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp pull                      the branch that you are on, from origin
  warp pull nas main             bring main of nas into it")]
pub(crate) struct Args {
    /// The remote; without it `origin`, or the only one
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,

    /// The branch there; without it the one that you are on
    #[arg(value_name = "BRANCH")]
    branch: Option<String>,

    #[command(flatten)]
    limits: LimitArgs,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    let branch = current(&opened, args.branch.as_deref())?;
    let theirs = args.branch.as_deref().unwrap_or(&branch);
    let named = ctx.find_remote(&opened, args.remote.as_deref())?;
    let remote = ctx.open_named(ui, &opened, named, &args.limits)?;
    // A named branch is all that is fetched, as with git.
    let request = FetchRequest {
        branches: args.branch.iter().cloned().collect(),
        verification: args.limits.verification(),
        ..fetch::request(&remote)?
    };
    let (_, is_refused) = fetch::fetch(ui, &opened, &remote, &request)?;
    let tracking = format!("remotes/{}/{theirs}", request.remote);
    let Some(new) = opened.repo.timeline().refs().get(&tracking).copied() else {
        let error = CliError::failed(format!(
            "{} has no branch {}",
            escape::line(&request.remote),
            escape::name(theirs.as_bytes())
        ));
        return Err(error.hint("say which one, as in `warp pull origin main`"));
    };
    let exit = forward(ui, ctx, &opened, (&branch, new), &tracking)?;
    Ok(if is_refused && exit == Exit::Done { Exit::Partial } else { exit })
}

/// The branch that goes forward.
fn current(opened: &Opened, named: Option<&str>) -> Result<String, CliError> {
    match (opened.head()?, named) {
        (Some(Head::Branch(name)), _) => Ok(name),
        (None, Some(name)) => Ok(name.to_owned()),
        (Some(Head::Detached(_)), _) => Err(CliError::failed("you are on no branch that could go forward")
            .hint("go to one with `warp switch BRANCH`, or look at what is new with `warp fetch`")),
        (None, None) => Err(CliError::usage("say which branch, as in `warp pull origin main`")),
    }
}

/// Brings a branch forward to a commit that was fetched.
fn forward(
    ui: &mut Ui,
    ctx: &Context,
    opened: &Opened,
    (branch, new): (&str, CommitId),
    tracking: &str,
) -> Result<Exit, CliError> {
    let timeline = opened.repo.timeline();
    let old = timeline.branch(branch);
    match old {
        Some(old) if timeline.ancestors([old]).contains(&new) => {
            ui.status(format_args!("Already up to date"));
            return Ok(Exit::Done);
        }
        Some(old) if !timeline.ancestors([new]).contains(&old) => {
            return Err(diverged(branch, short_name(tracking)));
        }
        _ => {}
    }
    let exit = match &opened.workdir {
        Some(_) => clone::go(ui, ctx, opened, (branch, old, new), "pull")?,
        None => {
            let message = format!("pull: to {}", new.short());
            opened.repo.ref_move(&format!("heads/{branch}"), (old, new), &message)?;
            Exit::Done
        }
    };
    match old {
        Some(old) => ui.status(format_args!("Fast-forward {}..{} {branch}", old.short(), new.short())),
        None => ui.status(format_args!("{branch} is new, at {}", new.short())),
    }
    Ok(exit)
}

fn diverged(branch: &str, theirs: &str) -> CliError {
    let (branch, theirs) = (escape::line(branch), escape::line(theirs));
    let message = format!("{branch} and {theirs} each have commits that the other does not have");
    CliError::failed(message).hint(format!(
        "`warp diff {theirs} {branch}` shows what differs; `warp switch -c NAME {theirs}` brings their files and keeps both; \
         `warp push --force-with-lease` gives theirs up for yours, `warp branch -m {branch} NAME` and `warp pull` yours for theirs"
    ))
}
