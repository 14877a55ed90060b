//! `bundle unbundle`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use warp::id::CommitId;
use warp::ops::{self, OpsError, RefNews, RefOutcome, UnbundleOutcome, UnbundleRequest};
use warp::repo::{ErrorKind, Head, Repository};
use warp::store::{LocalStore, OsVfs};

use super::super::init::check_room;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::size::{count, human};
use crate::cli::ui::Ui;

/// Take the commits of a bundle into a repository
///
/// The repository must share the keys of the one that made the bundle, and have the commits that the bundle builds on. Damage that parity can heal
/// is healed; where there is more, nothing is taken. Commits that are there already are not stored again, and doing it twice changes nothing.
///
/// Branches and tags of the bundle are made, and branches go forward. A branch that has other commits, a tag that stands elsewhere and a branch that
/// is checked out stay where they are, which is told; the exit code is 3 then. The commits are there all the same. --force moves them.
///
/// With --init, a new repository is made in DIR, with the keys and passwords of the one that made the bundle. The bundle must hold all that its
/// commits build on.
#[derive(clap::Args, Debug)]
pub(super) struct UnbundleArgs {
    /// The bundle
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Make a new repository, without a working directory, and take the bundle into that
    #[arg(long, value_name = "DIR")]
    init: Option<PathBuf>,

    /// Also move branches and tags that would not go forward
    #[arg(short, long)]
    force: bool,
}

#[derive(Serialize)]
struct Unbundled<'a> {
    message_type: &'static str,
    commits_new: usize,
    commits_there: u64,
    packs_written: u64,
    bytes_written: u64,
    packs_there: u64,
    packs_healed: &'a [String],
    refs: Vec<Ref<'a>>,
}

#[derive(Serialize)]
struct Ref<'a> {
    name: &'a str,
    commit: String,
    stood: Option<String>,
    result: &'static str,
}

pub(super) fn run(ui: &mut Ui, ctx: &Context, args: &UnbundleArgs) -> Result<Exit, CliError> {
    if let Some(dir) = &args.init {
        if ctx.globals.repo.is_some() {
            return Err(CliError::usage("name the repository once: with --init or with -r"));
        }
        let repo = init(ui, ctx, &args.file, &ctx.absolute(dir))?;
        return take(ui, &repo, args, None);
    }
    let opened = ctx.open(ui)?;
    let checked_out = match opened.head()? {
        Some(Head::Branch(name)) => Some(format!("heads/{name}")),
        _ => None,
    };
    take(ui, &opened.repo, args, checked_out)
}

/// Makes an empty repository with the keys of the bundle.
fn init(ui: &mut Ui, ctx: &Context, file: &Path, dir: &Path) -> Result<Repository, CliError> {
    let vfs = Arc::new(OsVfs::new());
    check_room(dir, &vfs)?;
    let config = ops::bundle_config(file)?;
    let credentials = super::credentials(ctx, file)?;
    // A wrong password leaves no folder behind.
    ops::bundle_heads(file, &credentials)?;
    let store = Arc::new(LocalStore::create(dir, vfs)?);
    let from = (&config, &*file.display().to_string());
    let repo = Repository::create_of_family(store, from, &credentials, ctx.client()?)?;
    ui.status(format_args!("Initialized a repository with the keys of the bundle in {}", repo.location()));
    Ok(repo)
}

fn take(
    ui: &mut Ui,
    repo: &Repository,
    args: &UnbundleArgs,
    checked_out: Option<String>,
) -> Result<Exit, CliError> {
    let progress = ui.progress();
    let request = UnbundleRequest { force: args.force, checked_out };
    let done = ops::unbundle(repo, &args.file, &request, &progress).map_err(explain)?;
    drop(progress);
    match ui.is_json() {
        true => ui.json(&as_json(&done))?,
        false => text(ui, &done)?,
    }
    let is_refused = done.refs.iter().any(|outcome| outcome.news.is_refused());
    Ok(if is_refused { Exit::Partial } else { Exit::Done })
}

/// Says what helps when a bundle is damaged: the repository is not.
fn explain(error: OpsError) -> CliError {
    let is_damaged = error.kind() == ErrorKind::Damaged;
    let error = CliError::from(error);
    match is_damaged {
        true => error.hint("nothing was taken in; get another copy of the bundle, or make it anew"),
        false => error,
    }
}

/// What became of a ref, in a word.
fn word(news: RefNews) -> &'static str {
    match news {
        RefNews::Created => "created",
        RefNews::Forwarded => "forwarded",
        RefNews::Forced => "forced",
        RefNews::Same => "same",
        RefNews::Ahead => "ahead",
        RefNews::Diverged => "diverged",
        RefNews::Elsewhere => "elsewhere",
        RefNews::CheckedOut => "checked_out",
        _ => "bad_name",
    }
}

fn as_json(done: &UnbundleOutcome) -> Unbundled<'_> {
    let of = |outcome: &RefOutcome| outcome.stood.as_ref().map(CommitId::to_hex);
    let refs = done.refs.iter().map(|outcome| Ref {
        name: &outcome.name,
        commit: outcome.commit.to_hex(),
        stood: of(outcome),
        result: word(outcome.news),
    });
    Unbundled {
        message_type: "unbundled",
        commits_new: done.commits.len(),
        commits_there: done.commits_there,
        packs_written: done.packs,
        bytes_written: done.bytes,
        packs_there: done.packs_there,
        packs_healed: &done.healed,
        refs: refs.collect(),
    }
}

fn text(ui: &mut Ui, done: &UnbundleOutcome) -> Result<(), CliError> {
    for name in &done.healed {
        ui.warn(format_args!(
            "{name} was damaged in the bundle; it was healed, and is whole in the repository"
        ));
    }
    for outcome in &done.refs {
        if outcome.news.is_refused() {
            refused(ui, outcome);
        } else if !ui.is_quiet() {
            writeln!(ui.out(), "{}", line(outcome))?;
        }
    }
    if !ui.is_quiet() {
        let commits = count(done.commits.len() as u64, "new commit", "new commits");
        let packs = count(done.packs, "pack", "packs");
        writeln!(
            ui.out(),
            "{commits}, {} were there; {} in {packs} written",
            done.commits_there,
            human(done.bytes)
        )?;
    }
    Ok(())
}

/// What became of a ref that is as the bundle has it, or further.
fn line(outcome: &RefOutcome) -> String {
    let (name, commit) = (escape::name(outcome.name.as_bytes()), outcome.commit.short());
    let stood = outcome.stood.map(|id| id.short()).unwrap_or_default();
    match outcome.news {
        RefNews::Created => format!("{name}: new, at {commit}"),
        RefNews::Forwarded => format!("{name}: {stood} to {commit}"),
        RefNews::Forced => format!("{name}: moved from {stood} to {commit}"),
        RefNews::Ahead => format!("{name}: stays at {stood}, which builds on {commit}"),
        _ => format!("{name}: stands at {commit} already"),
    }
}

/// Says that a ref was left where it stands, and what to do.
fn refused(ui: &mut Ui, outcome: &RefOutcome) {
    let (name, commit) = (escape::name(outcome.name.as_bytes()), outcome.commit.short());
    let stood = outcome.stood.map(|id| id.short()).unwrap_or_default();
    match outcome.news {
        RefNews::Diverged => ui.warn(format_args!(
            "{name} stays at {stood}: it has commits that the bundle's, at {commit}, does not build on. \
             `warp branch NAME {commit}` keeps both; --force moves it"
        )),
        RefNews::Elsewhere => ui.warn(format_args!(
            "{name} stays at {stood}: the bundle has it at {commit}. `warp tag NAME {commit}` keeps both; --force moves it"
        )),
        RefNews::CheckedOut => ui.warn(format_args!(
            "{name} stays at {stood}, since it is checked out here: `warp checkout {commit}` brings the bundle's files, \
             then `warp branch -f NAME {commit}` moves the branch there"
        )),
        _ => ui.warn(format_args!("{name} is not taken: no branch or tag can have this name here")),
    }
}
