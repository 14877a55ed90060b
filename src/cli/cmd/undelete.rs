use serde::Serialize;
use warp::id::CommitId;
use warp::ops;

use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::size::{count, human};
use crate::cli::time;
use crate::cli::ui::Ui;

/// Bring forgotten commits back
///
/// As long as gc has not deleted what they need, which it does half a day after it was condemned or when --grace says. Without
/// arguments: list the forgotten commits that can still be read.
///
/// Branches stay where they are: `warp branch NAME COMMIT` puts one on a commit that came back.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp undelete                what could come back?
  warp undelete 3f2a 77b0      bring these two back
  warp undelete --all")]
pub(crate) struct Args {
    /// Beginnings of the ids of forgotten commits
    #[arg(value_name = "COMMIT")]
    commits: Vec<String>,

    /// Bring all back that can be read
    #[arg(long, conflicts_with = "commits")]
    all: bool,
}

#[derive(Serialize)]
struct Line {
    message_type: &'static str,
    id: String,
    time: String,
    host: String,
    message: String,
}

#[derive(Serialize)]
struct Done {
    message_type: &'static str,
    restored: Vec<String>,
    live: Vec<String>,
    packs_written: u64,
    bytes_written: u64,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    if args.commits.is_empty() && !args.all {
        return list(ui, &opened);
    }
    let commits = wanted(&opened, args)?;
    let progress = ui.progress();
    let done = ops::undelete(&opened.repo, &commits, ctx.threads(), &progress);
    drop(progress);
    let done = done.map_err(|error| {
        CliError::from(error).hint("what a gc has deleted cannot come back; `warp undelete` without arguments lists what can be read")
    })?;
    if ui.is_json() {
        let hex = |ids: &[CommitId]| ids.iter().map(CommitId::to_hex).collect();
        ui.json(&Done {
            message_type: "undeleted",
            restored: hex(&done.restored),
            live: hex(&done.live),
            packs_written: done.packs_written,
            bytes_written: done.bytes_written,
        })?;
    } else if !ui.is_quiet() {
        let restored = count(done.restored.len() as u64, "commit came back", "commits came back");
        writeln!(ui.out(), "{restored}")?;
        if !done.live.is_empty() {
            let live = count(done.live.len() as u64, "was never forgotten", "were never forgotten");
            ui.status(format_args!(" {live}"));
        }
        if done.packs_written > 0 {
            let packs = count(done.packs_written, "pack", "packs");
            ui.status(format_args!(" {packs} of {} written", human(done.bytes_written)));
        }
    }
    Ok(Exit::Done)
}

fn list(ui: &mut Ui, opened: &Opened) -> Result<Exit, CliError> {
    let found = ops::forgotten(&opened.repo)?;
    for forgotten in &found {
        let commit = &forgotten.commit;
        if ui.is_json() {
            ui.json(&Line {
                message_type: "forgotten",
                id: forgotten.id.to_hex(),
                time: time::rfc3339(commit.time),
                host: commit.host.clone(),
                message: commit.message.clone(),
            })?;
        } else {
            let subject = commit.message.lines().next().unwrap_or_default();
            let (short, when) = (forgotten.id.short(), time::short(commit.time));
            writeln!(ui.out(), "{short}  {when}  {}  {}", escape::line(&commit.host), escape::line(subject))?;
        }
    }
    if found.is_empty() && !ui.is_json() {
        ui.status(format_args!("no forgotten commit can be read"));
    }
    Ok(Exit::Done)
}

/// The commits that the arguments name.
fn wanted(opened: &Opened, args: &Args) -> Result<Vec<CommitId>, CliError> {
    if args.all {
        return Ok(ops::forgotten(&opened.repo)?.into_iter().map(|forgotten| forgotten.id).collect());
    }
    let state = opened.repo.state();
    let find = |text: &String| {
        let prefix = text.to_ascii_lowercase();
        let mut fitting = state.parents.keys().filter(|id| id.to_hex().starts_with(&prefix));
        match (fitting.next(), fitting.next()) {
            _ if prefix.len() < 4 => {
                Err(CliError::usage(format!("{text:?}: the beginning of an id needs 4 digits or more")))
            }
            (Some(id), None) => Ok(*id),
            (None, _) => Err(CliError::usage(format!("no commit {text:?} ever was here"))
                .hint("`warp undelete` lists the forgotten commits that can still be read")),
            _ => Err(CliError::usage(format!("{text:?} is ambiguous: several commits begin with it"))),
        }
    };
    args.commits.iter().map(find).collect()
}
