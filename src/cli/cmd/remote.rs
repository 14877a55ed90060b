use serde::Serialize;
use warp::erasure::ErasureConfig;
use warp::id::CommitId;
use warp::repo::{RemoteUrl, Repository};

use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::remote::{LimitArgs, Named, Remote, RemotePassword};
use crate::cli::ui::Ui;

/// List, name or forget other repositories
///
/// A remote is another repository that `warp fetch`, `pull` and `push` know by a name. It lies at a path, or at
/// warp://HOST[:PORT]/PATH. Names are kept in this repository.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp remote -v                                list them, with where they lie
  warp remote add nas /mnt/nas/thesis
  warp remote add --create usb /mnt/usb/thesis  make an empty repository there, with the keys of this one
  warp remote add --create --spread 4+2 nas /mnt/1 /mnt/2 /mnt/3 /mnt/4 /mnt/5 /mnt/6
                                                a group: any four of the six bring everything back
  warp remote show origin                       how its branches stand")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// Make a remote known
    ///
    /// The key of a server that was never seen is shown and asked about, and kept in `known_hosts` in $XDG_STATE_HOME/warp, else in
    /// ~/.local/state/warp. Where nobody can be asked it is refused, unless the URL names it (#ed25519:KEY) or WARP_ACCEPT_NEW_HOST_KEYS is 1.
    Add {
        /// What it is called here
        name: String,
        /// Where it lies; with --spread all its places, in an order that stays
        #[arg(value_name = "URL", required = true)]
        urls: Vec<String>,
        /// Spread packs over several places, such that any K of K+M bring everything back: 4+2, 6+3, 10+4, 16+4
        #[arg(long, value_name = "K+M")]
        spread: Option<ErasureConfig>,
        /// Make a repository there, with the keys and passwords of this one and without commits
        #[arg(long)]
        create: bool,
    },
    /// Forget a remote, and where its branches stood
    #[command(visible_alias = "rm")]
    Remove {
        /// The remote
        name: String,
    },
    /// Give a remote another name
    Rename {
        /// The remote
        old: String,
        /// Its new name
        new: String,
    },
    /// Say that a remote lies elsewhere
    SetUrl {
        /// The remote
        name: String,
        /// Where it lies
        url: String,
    },
    /// Look at a remote: its branches there and here
    Show {
        /// The remote
        name: String,
        #[command(flatten)]
        password: RemotePassword,
    },
}

#[derive(Serialize)]
struct Listed<'a> {
    message_type: &'static str,
    name: &'a str,
    url: &'a str,
}

#[derive(Serialize)]
struct Branch<'a> {
    message_type: &'static str,
    remote: &'a str,
    branch: &'a str,
    commit: String,
    /// The commit of here that it was made of, in a repository with other keys.
    original: Option<String>,
    fetched: Option<String>,
    local: Option<String>,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    match &args.action {
        None => list(ui, &opened)?,
        Some(Action::Add { name, urls, spread, create }) => {
            add(ui, ctx, &opened, (name, &place(ctx, urls, *spread)?), *create)?;
        }
        Some(Action::Remove { name }) => opened.repo.remote_remove(name)?,
        Some(Action::Rename { old, new }) => opened.repo.remote_rename(old, new)?,
        Some(Action::SetUrl { name, url }) => opened.repo.remote_set_url(name, &kept(ctx, url)?)?,
        Some(Action::Show { name, password }) => show(ui, ctx, &opened, (name, password))?,
    }
    Ok(Exit::Done)
}

/// The one place that is named, or the group of several.
fn place(ctx: &Context, urls: &[String], spread: Option<ErasureConfig>) -> Result<String, CliError> {
    match (urls, spread) {
        (_, Some(config)) => match ctx.group_of(config, urls.to_vec())? {
            (group, rest) if rest.is_empty() => Ok(group.to_string()),
            _ => Err(CliError::usage(format!("--spread {config} takes {} places", config.shards()))),
        },
        ([url], None) => Ok(url.clone()),
        _ => Err(CliError::usage("several places make a group: say how with --spread, as in --spread 4+2")),
    }
}

/// How a place is kept: a path must hold wherever the command is run.
fn kept(ctx: &Context, url: &str) -> Result<String, CliError> {
    let url = ctx.remote_url(url)?;
    if let RemoteUrl::Path(path) = &url
        && path.to_str().is_none()
    {
        return Err(CliError::usage(format!(
            "{} is not UTF-8: write it as file:// with %XX",
            escape::path(path)
        )));
    }
    Ok(url.to_string())
}

fn list(ui: &mut Ui, opened: &Opened) -> Result<(), CliError> {
    for (name, url) in opened.repo.remotes() {
        if ui.is_json() {
            ui.json(&Listed { message_type: "remote", name: &name, url: &url })?;
            continue;
        }
        let shown = escape::name(name.as_bytes()).into_owned();
        match ui.verbose() > 0 {
            true => writeln!(ui.out(), "{shown}\t{}", escape::line(&url))?,
            false => writeln!(ui.out(), "{shown}")?,
        }
    }
    Ok(())
}

fn add(
    ui: &mut Ui,
    ctx: &Context,
    opened: &Opened,
    (name, url): (&str, &str),
    create: bool,
) -> Result<(), CliError> {
    warp::repo::check_remote_name(name)?;
    let url = kept(ctx, url)?;
    if opened.repo.remote(name).is_some() {
        return Err(warp::repo::RepoError::RemoteExists { name: name.to_owned() }.into());
    }
    if create {
        let store = ctx.open_remote(&ctx.remote_url(&url)?, true, &LimitArgs::default())?;
        opened.repo.create_sibling(store, false, ctx.client()?)?;
        ui.status(format_args!("Made an empty repository in {}", escape::line(&url)));
    }
    Ok(opened.repo.remote_add(name, &url)?)
}

fn show(
    ui: &mut Ui,
    ctx: &Context,
    opened: &Opened,
    (name, password): (&str, &RemotePassword),
) -> Result<(), CliError> {
    let url = opened.repo.remote(name);
    let url = url.ok_or_else(|| warp::repo::RepoError::NoRemote { name: name.to_owned() })?;
    let named = Named { name: Some(name.to_owned()), url: ctx.remote_url(&url)? };
    let Remote { repo, .. } = ctx.open_any(ui, opened, named, (&LimitArgs::default(), password))?;
    if !ui.is_json() {
        writeln!(ui.out(), "{}\n  {}", escape::name(name.as_bytes()), escape::line(&url))?;
    }
    for (branch, id) in repo.timeline().branches() {
        branch_line(ui, &opened.repo, (name, &branch), Tip::of(&repo, &opened.repo, id))?;
    }
    Ok(())
}

/// Where a branch stands at a remote.
struct Tip {
    id: CommitId,
    /// The commit of here that it is: in a repository with other keys that of which it was made, if it was.
    ours: Option<CommitId>,
}

impl Tip {
    fn of(there: &Repository, here: &Repository, id: CommitId) -> Self {
        if there.family() == here.family() {
            return Self { id, ours: Some(id) };
        }
        let imported = there.version(id).ok().and_then(|version| version.commit.imported);
        Self { id, ours: imported.filter(|of| of.family == here.family()).map(|of| of.id) }
    }
}

fn branch_line(
    ui: &mut Ui,
    here: &Repository,
    (remote, branch): (&str, &str),
    Tip { id: there, ours }: Tip,
) -> Result<(), CliError> {
    let timeline = here.timeline();
    let fetched = timeline.refs().get(&format!("remotes/{remote}/{branch}")).copied();
    let local = timeline.branch(branch);
    if ui.is_json() {
        let [fetched, local] = [fetched, local].map(|id| id.map(|id| id.to_hex()));
        let (commit, original) = (there.to_hex(), ours.filter(|id| *id != there).map(|id| id.to_hex()));
        return Ok(ui.json(&Branch {
            message_type: "remote_branch",
            remote,
            branch,
            commit,
            original,
            fetched,
            local,
        })?);
    }
    let name = escape::name(branch.as_bytes());
    let Some(id) = ours else {
        return Ok(writeln!(ui.out(), "  {} {name} made there, with other keys than here", there.short())?);
    };
    let news = match fetched {
        None => "new, to be fetched",
        Some(fetched) if fetched != id => "has moved since it was fetched",
        Some(_) => "fetched",
    };
    let ours = match local {
        None => "",
        Some(ours) if ours == id => "; the local branch stands there",
        Some(ours) if timeline.ancestors([id]).contains(&ours) => "; the local branch can be pulled forward",
        Some(ours) if timeline.ancestors([ours]).contains(&id) => "; the local branch can be pushed",
        Some(_) if timeline.is_live(id) => "; the local branch has gone another way",
        Some(_) => "",
    };
    Ok(writeln!(ui.out(), "  {} {name} {news}{ours}", there.short())?)
}
