use serde::Serialize;
use warp::ops;
use warp::repo::Head;

use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::ui::Ui;

/// Take the last commit back
///
/// The branch goes back to where it stood before; files stay as they are. The commit itself stays in the repository, and
/// `warp log --reflog` shows its id.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp undo
  warp -r /mnt/backup undo laptop/home        a stand-alone repository: say which branch")]
pub(crate) struct Args {
    /// The branch; without it the one that you are on
    #[arg(value_name = "BRANCH")]
    branch: Option<String>,
}

#[derive(Serialize)]
struct Undone {
    message_type: &'static str,
    branch: String,
    undone: String,
    now: Option<String>,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    let branch = branch(args, &opened)?;
    let done = ops::undo(&opened.repo, &branch)?;
    if ui.is_json() {
        let (undone, now) = (done.undone.to_hex(), done.now.map(|id| id.to_hex()));
        ui.json(&Undone { message_type: "undone", branch: done.branch, undone, now })?;
    } else if !ui.is_quiet() {
        let now =
            done.now.map_or_else(|| "before its first commit".to_owned(), |id| format!("at {}", id.short()));
        writeln!(ui.out(), "Undid {}; {} is {now}", done.undone.short(), escape::line(&done.branch))?;
    }
    Ok(Exit::Done)
}

fn branch(args: &Args, opened: &Opened) -> Result<String, CliError> {
    let branches = opened.repo.timeline().branches();
    match (&args.branch, opened.head()?, branches.as_slice()) {
        (Some(name), _, _) => Ok(name.clone()),
        (None, Some(Head::Branch(name)), _) => Ok(name),
        (None, None, [(only, _)]) => Ok(only.clone()),
        _ => {
            Err(CliError::usage("say on which branch, as in `warp undo main`")
                .hint("`warp branch` lists them"))
        }
    }
}
