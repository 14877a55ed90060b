use std::path::{Path, PathBuf};
use std::sync::Arc;

use warp::erasure::ErasureConfig;
use warp::id::CommitId;
use warp::ops::{self, Selection};
use warp::repo::{Head, RemoteUrl, Repository, WorkDir};
use warp::store::{LocalStore, OsVfs};

use super::checkout::{self, Going};
use super::init::check_room;
use crate::cli::context::{Context, DOT_WARP, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::ref_lines::report_fetched;
use crate::cli::remote::LimitArgs;
use crate::cli::ui::Ui;

/// Make a repository that has all that another one has
///
/// It shares the keys of the other one, whose password opens both; so packs go from one to the other as they are. All
/// commits come along, with branches and tags, and the other one is known as the remote `origin`.
///
/// Without --bare it goes into a `.warp` folder inside DIR, and the files of a branch are brought into DIR: of the one that the
/// other working directory is on, or else of `main`, or of the newest commit. Where cloning was stopped, `warp fetch` goes on.
///
/// The key of a server that was never seen is shown and asked about, and kept in `known_hosts` in $XDG_STATE_HOME/warp, else in
/// ~/.local/state/warp. Where nobody can be asked it is refused, unless the URL names it (#ed25519:KEY) or WARP_ACCEPT_NEW_HOST_KEYS is 1.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp clone /mnt/disk/thesis
  warp clone --bare ~/thesis /mnt/disk/thesis       a copy on another disk
  warp clone --branch old /mnt/disk/thesis here     go to another branch")]
pub(crate) struct Args {
    /// The other repository: a path, file:// and a path, or warp://HOST/PATH
    #[arg(value_name = "URL")]
    url: String,

    /// Where to; without it a folder named like the other one
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,

    /// With --spread: the other places of the group, and DIR behind them
    #[arg(value_name = "URL", requires = "spread")]
    more: Vec<String>,

    /// Clone from a group, whose places stand where URL stands, in their order
    #[arg(long, value_name = "K+M")]
    spread: Option<ErasureConfig>,

    /// Make a stand-alone repository, without a working directory
    #[arg(long)]
    bare: bool,

    /// Bring the files of this branch
    #[arg(short, long, value_name = "NAME", conflicts_with = "bare")]
    branch: Option<String>,

    #[command(flatten)]
    limits: LimitArgs,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    if ctx.globals.repo.is_some() {
        return Err(CliError::usage(
            "-r is not for `warp clone`: name the new repository behind the other one",
        ));
    }
    let (url, dir) = places(ctx, args)?;
    let dir = ctx.absolute(&dir.map_or_else(|| default_dir(&url), Ok)?);
    let vfs = Arc::new(OsVfs::new());
    let inner = if args.bare { dir.clone() } else { dir.join(DOT_WARP) };
    check_room(&dir, &vfs).and_then(|()| check_room(&inner, &vfs))?;
    let place = url.to_string();
    let from = ctx.open_alone(ctx.open_remote(&url, false, &args.limits)?, &place)?;
    let head = first_branch(&from, args.branch.as_deref(), Context::head_of(&url))?;
    let store = Arc::new(LocalStore::create(&inner, vfs)?);
    let repo = from.create_sibling(store, !args.bare, ctx.client()?)?;
    repo.remote_add("origin", &place)?;
    if !args.bare {
        let name = head.as_ref().map_or("main", |(name, _)| name);
        WorkDir::open(&dir).set_head(&Head::Branch(name.to_owned()))?;
    }
    ui.status(format_args!("Cloning into {}", escape::path(&dir)));
    let progress = ui.progress();
    let done = ops::copy_all(
        &from,
        &repo,
        ((!args.bare).then_some("origin"), args.limits.verification()),
        &progress,
    );
    drop(progress);
    let done = done.map_err(|error| {
        let hint = format!("`warp -r {} fetch` goes on where it was stopped", escape::path(&dir));
        CliError::from(error).hint(hint)
    })?;
    report_fetched(ui, &place, &done, false)?;
    match head.filter(|_| !args.bare) {
        None => Ok(Exit::Done),
        Some((name, at)) => {
            let opened = Opened::at(repo, &dir);
            go(ui, ctx, &opened, (&name, None, at), "clone")
        }
    }
}

/// Where from, and where to if that is said.
fn places(ctx: &Context, args: &Args) -> Result<(RemoteUrl, Option<PathBuf>), CliError> {
    let Some(config) = args.spread else {
        return Ok((ctx.remote_url(&args.url)?, args.dir.clone()));
    };
    let mut words = vec![args.url.clone()];
    if let Some(dir) = &args.dir {
        let text =
            dir.to_str().ok_or_else(|| CliError::usage("the place of a group's member is not UTF-8"))?;
        words.push(text.to_owned());
    }
    words.extend(args.more.iter().cloned());
    match ctx.group_of(config, words)? {
        (url, rest) if rest.len() < 2 => Ok((url, rest.first().map(PathBuf::from))),
        _ => {
            Err(CliError::usage(format!("--spread {config} takes {} places and one folder", config.shards())))
        }
    }
}

/// The last part of the place.
fn default_dir(url: &RemoteUrl) -> Result<PathBuf, CliError> {
    let path = match url {
        RemoteUrl::Path(path) => path.as_path(),
        RemoteUrl::Server(url) => Path::new(&url.repository),
        RemoteUrl::Group { .. } => {
            return Err(CliError::usage("say where to, behind the places of the group"));
        }
    };
    let path = if path.ends_with(DOT_WARP) { path.parent().unwrap_or(path) } else { path };
    let name = path.file_name().map(PathBuf::from);
    name.ok_or_else(|| CliError::usage("say where to: `warp clone URL DIR`"))
}

/// The branch whose files are brought, and where it stands.
fn first_branch(
    from: &Repository,
    wanted: Option<&str>,
    checked_out: Option<String>,
) -> Result<Option<(String, CommitId)>, CliError> {
    let timeline = from.timeline();
    let at = |name: &str| timeline.branch(name).map(|id| (name.to_owned(), id));
    if let Some(name) = wanted {
        let missing = || CliError::failed(format!("there is no branch {}", escape::name(name.as_bytes())));
        return at(name).map(Some).ok_or_else(missing);
    }
    let branches = timeline.branches();
    let newest = || {
        let tips = timeline.commits().into_iter();
        tips.filter_map(|id| branches.iter().find(|(_, tip)| *tip == id)).next().cloned()
    };
    Ok(checked_out.as_deref().and_then(at).or_else(|| at("main")).or_else(newest))
}

/// Brings the working directory to where a branch shall stand, and then the branch. Files first: where they cannot be brought, the
/// branch stays.
pub(super) fn go(
    ui: &mut Ui,
    ctx: &Context,
    opened: &Opened,
    (branch, old, new): (&str, Option<CommitId>, CommitId),
    verb: &str,
) -> Result<Exit, CliError> {
    let going = Going { force: false, dry_run: false, verify: false, scan: ops::ScanSettings::default() };
    let head = Some(Head::Branch(branch.to_owned()));
    let gone = checkout::go_quietly(ui, ctx, opened, new, head, Selection::default(), going);
    let exit = gone.map_err(CliError::unforced)?;
    opened.repo.ref_move(&format!("heads/{branch}"), (old, new), &format!("{verb}: to {}", new.short()))?;
    Ok(exit)
}
