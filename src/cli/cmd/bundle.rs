mod create;
mod unbundle;
mod verify;

use std::path::PathBuf;

use serde::Serialize;
use warp::ops;
use warp::repo::Credentials;

use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::ui::Ui;

pub(crate) use verify::verify_alone;

/// Carry history in one file: make a bundle, verify it, take it in
///
/// A bundle holds commits with all that they need, encrypted as the repository is, and signed. Its packs heal themselves as those of a
/// repository do. It goes to a repository that shares the keys: one that was copied, or made of a bundle with `unbundle --init`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "\
Examples:
  warp bundle create all.warp --all             everything
  warp bundle create new.warp main~5..main      five commits, for who has the sixth
  warp bundle verify new.warp                   whole? takes no password
  warp -r /backup bundle unbundle new.warp      take it in
  warp bundle unbundle all.warp --init /backup  a new repository of it
  warp bundle list-heads new.warp               its branches and tags",
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    Create(create::CreateArgs),
    Verify(verify::VerifyArgs),
    Unbundle(unbundle::UnbundleArgs),
    /// List the branches and tags of a bundle
    ///
    /// Asks for the password of the repository that made it; that repository itself is not needed.
    ListHeads {
        /// The bundle
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    match &args.action {
        Action::Create(args) => create::run(ui, ctx, args),
        Action::Verify(args) => verify::run(ui, ctx, args),
        Action::Unbundle(args) => unbundle::run(ui, ctx, args),
        Action::ListHeads { file } => list_heads(ui, ctx, file),
    }
}

/// A branch or tag in a bundle.
#[derive(Serialize)]
struct Head<'a> {
    message_type: &'static str,
    name: &'a str,
    commit: String,
}

fn list_heads(ui: &mut Ui, ctx: &Context, file: &std::path::Path) -> Result<Exit, CliError> {
    let heads = ops::bundle_heads(file, &credentials(ctx, file)?)?;
    for (name, commit) in &heads.refs {
        match ui.is_json() {
            true => ui.json(&Head { message_type: "bundle_ref", name, commit: commit.to_hex() })?,
            false => writeln!(ui.out(), "{commit} {}", escape::name(name.as_bytes()))?,
        }
    }
    if !heads.message.is_empty() {
        ui.status(format_args!("{}", heads.message));
    }
    Ok(Exit::Done)
}

/// What opens a bundle.
fn credentials(ctx: &Context, file: &std::path::Path) -> Result<Credentials, CliError> {
    match ops::bundle_is_encrypted(file)? {
        true => ctx.credentials(&format!("Password for {}: ", escape::path(file))),
        false => Ok(Credentials::None),
    }
}
