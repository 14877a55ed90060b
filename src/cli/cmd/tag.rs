use serde::Serialize;

use crate::cli::args::LatestArgs;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::ui::Ui;

/// List, make or delete tags: names of commits that do not move
///
/// A tag is a name, as a branch is. The labels that `warp commit --tag` writes into a commit are another thing.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp tag                       list them
  warp tag v1                    name the last commit
  warp tag submitted HEAD~2      name an older one
  warp tag -d v1                 delete one")]
pub(crate) struct Args {
    /// Make a tag of this name
    #[arg(value_name = "NAME")]
    name: Option<String>,

    /// The commit that it names; without it the last one
    #[arg(value_name = "REV")]
    revision: Option<String>,

    /// Delete a tag
    #[arg(short, long, value_name = "TAG", conflicts_with = "name")]
    delete: Vec<String>,

    /// Move a tag that is there already
    #[arg(short, long)]
    force: bool,
}

#[derive(Serialize)]
struct Tag<'a> {
    message_type: &'static str,
    name: &'a str,
    commit: String,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    for name in &args.delete {
        let was = opened.repo.tag_delete(name)?;
        ui.status(format_args!("Deleted tag {} (was {})", escape::line(name), was.short()));
    }
    if let Some(name) = &args.name {
        let revision = args.revision.as_deref().unwrap_or(opened.default_revision());
        let commit = opened.resolve(revision, &LatestArgs::default())?;
        opened.repo.tag_create(name, commit, args.force)?;
    } else if args.delete.is_empty() {
        for (name, id) in opened.repo.timeline().tags() {
            match ui.is_json() {
                true => ui.json(&Tag { message_type: "tag", name: &name, commit: id.to_hex() })?,
                false => writeln!(ui.out(), "{}", escape::name(name.as_bytes()))?,
            }
        }
    }
    Ok(Exit::Done)
}
