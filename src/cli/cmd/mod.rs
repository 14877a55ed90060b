//! One verb a file.

mod archive;
mod audit;
mod bench;
mod branch;
mod bundle;
mod cat;
mod check;
mod checkout;
mod clone;
mod commit;
mod completions;
mod config;
mod diff;
mod fetch;
mod find;
mod forget;
mod gc;
mod head;
mod init;
mod key;
mod log;
mod ls;
mod parity;
mod pull;
mod push;
mod recover;
mod remote;
mod renewal;
mod repack;
mod repair;
mod restore;
mod rewrite;
mod serve;
mod show;
mod stats;
mod status;
mod stream;
mod switch;
mod tag;
mod undelete;
mod undo;
mod util;
mod verify;

pub(crate) use init::check_room;

use super::Cli;
use super::context::Context;
use super::error::{CliError, Exit};
use super::ui::Ui;

/// The verbs, in the order in which help lists them.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    Init(init::Args),
    Clone(clone::Args),
    Commit(Box<commit::Args>),
    Status(status::Args),
    Log(log::Args),
    Show(show::Args),
    Diff(diff::Args),
    Ls(ls::Args),
    Cat(cat::Args),
    Find(find::Args),
    Stats(stats::Args),
    Checkout(checkout::Args),
    Switch(switch::Args),
    Restore(restore::Args),
    Archive(archive::Args),
    Bundle(bundle::Args),
    Branch(branch::Args),
    Tag(tag::Args),
    Audit(audit::Args),
    Remote(remote::Args),
    Fetch(fetch::Args),
    Pull(pull::Args),
    Push(Box<push::Args>),
    Undo(undo::Args),
    Forget(Box<forget::Args>),
    Gc(gc::Args),
    Undelete(undelete::Args),
    Rewrite(Box<rewrite::Args>),
    Repack(repack::Args),
    Parity(parity::Args),
    Check(check::Args),
    Repair(repair::Args),
    Recover(recover::Args),
    Verify(verify::Args),
    Head(head::Args),
    Key(key::Args),
    Config(config::Args),
    Serve(serve::Args),
    Bench(bench::Args),
    Completions(completions::Args),
    #[command(hide = true)]
    Util(util::Args),
}

/// Runs a verb that needs neither settings nor a repository; `None` if this one does.
pub(crate) fn run_alone(ui: &mut Ui, cli: &Cli) -> Option<Result<Exit, CliError>> {
    match &cli.command {
        Command::Completions(args) => Some(completions::run(ui, args)),
        Command::Util(args) => Some(util::run(args)),
        Command::Verify(args) => Some(verify::run(ui, args)),
        Command::Config(args) => config::run_on_file(ui, &cli.globals, args),
        _ => None,
    }
}

/// Runs a verb.
pub(crate) fn run(ui: &mut Ui, ctx: &Context, command: &Command) -> Result<Exit, CliError> {
    match command {
        Command::Init(args) => init::run(ui, ctx, args),
        Command::Clone(args) => clone::run(ui, ctx, args),
        Command::Commit(args) => commit::run(ui, ctx, args),
        Command::Status(args) => status::run(ui, ctx, args),
        Command::Log(args) => log::run(ui, ctx, args),
        Command::Show(args) => show::run(ui, ctx, args),
        Command::Diff(args) => diff::run(ui, ctx, args),
        Command::Ls(args) => ls::run(ui, ctx, args),
        Command::Cat(args) => cat::run(ui, ctx, args),
        Command::Find(args) => find::run(ui, ctx, args),
        Command::Stats(args) => stats::run(ui, ctx, args),
        Command::Checkout(args) => checkout::run(ui, ctx, args),
        Command::Switch(args) => switch::run(ui, ctx, args),
        Command::Restore(args) => restore::run(ui, ctx, args),
        Command::Archive(args) => archive::run(ui, ctx, args),
        Command::Audit(args) => audit::run(ui, ctx, args),
        Command::Bundle(args) => bundle::run(ui, ctx, args),
        Command::Branch(args) => branch::run(ui, ctx, args),
        Command::Tag(args) => tag::run(ui, ctx, args),
        Command::Remote(args) => remote::run(ui, ctx, args),
        Command::Fetch(args) => fetch::run(ui, ctx, args),
        Command::Pull(args) => pull::run(ui, ctx, args),
        Command::Push(args) => push::run(ui, ctx, args),
        Command::Undo(args) => undo::run(ui, ctx, args),
        Command::Forget(args) => forget::run(ui, ctx, args),
        Command::Gc(args) => gc::run(ui, ctx, args),
        Command::Undelete(args) => undelete::run(ui, ctx, args),
        Command::Rewrite(args) => rewrite::run(ui, ctx, args),
        Command::Repack(args) => repack::run(ui, ctx, args),
        Command::Parity(args) => parity::run(ui, ctx, args),
        Command::Check(args) => check::run(ui, ctx, args),
        Command::Repair(args) => repair::run(ui, ctx, args),
        Command::Recover(args) => recover::run(ui, ctx, args),
        Command::Verify(args) => verify::run(ui, args),
        Command::Head(args) => head::run(ui, ctx, args),
        Command::Key(args) => key::run(ui, ctx, args),
        Command::Config(args) => config::run(ui, ctx, args),
        Command::Serve(args) => serve::run(ui, ctx, args),
        Command::Bench(args) => bench::run(ui, ctx, args),
        Command::Completions(args) => completions::run(ui, args),
        Command::Util(args) => util::run(args),
    }
}
