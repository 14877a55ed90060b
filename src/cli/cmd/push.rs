use warp::erasure::ErasureConfig;
use warp::ops::{self, Lease, PushOutcome, PushRequest, RefSpec, RefUpdate, apply_leases, short_name};
use warp::repo::{Head, LogState, ResolveContext};

use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::ref_lines::{CarriedJson, RefJson, pushed, summary};
use crate::cli::remote::{LimitArgs, Named, Remote, RemotePassword};
use crate::cli::ui::Ui;
use crate::cli::{escape, time};

/// Bring commits to another repository, and move its branches
///
/// Branches only go forward, and tags stay, unless --force or a + says otherwise; all of them move, or none. A branch that is moved or deleted
/// takes no commit away: they stay there until they are forgotten there.
///
/// A push that was stopped goes on where it was. To a repository that shares the keys of this one, as `warp clone` and
/// `warp remote add --create` make them, commits go as they are. In one with other keys they are made anew: they have other ids
/// there, and name the originals (`warp show`), which the next push goes on from.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp push                            the branch that you are on, to origin
  warp push nas main v1                a branch and a tag
  warp push origin main:laptop/main    under another name
  warp push origin :old                delete a branch there
  warp push --all --prune              all branches, and delete those that are gone here
  warp push --force-with-lease         move it back, if nobody else has pushed since you fetched")]
pub(crate) struct Args {
    /// The remote, or where it lies; without it `origin`, or the only one
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,

    /// What goes where: NAME, NAME:BRANCH, :BRANCH to delete; with a + before it, also where it does not go forward
    #[arg(value_name = "REFSPEC")]
    refspecs: Vec<String>,

    /// Push to a group, whose places stand where REMOTE stands, in their order; refspecs follow
    ///
    /// Packs are cut into K pieces and M of parity, one for each place: any K of them bring everything back. What shares a disk or a room is lost together.
    #[arg(long, value_name = "K+M", requires = "remote")]
    spread: Option<ErasureConfig>,

    /// Push to a group though N of its members cannot be reached; `warp repair --group` brings them later what they missed
    #[arg(long, value_name = "N", default_value_t = 0)]
    allow_missing: usize,

    /// All branches
    #[arg(long, conflicts_with = "refspecs")]
    all: bool,

    /// All tags, too
    #[arg(long)]
    tags: bool,

    /// Delete branches that are gone here; with --tags also tags
    #[arg(long, conflicts_with = "refspecs")]
    prune: bool,

    /// Delete what the refspecs name
    #[arg(short, long, requires = "refspecs", conflicts_with_all = ["all", "tags", "prune"])]
    delete: bool,

    /// Move branches and tags also where they do not go forward
    #[arg(short, long)]
    force: bool,

    /// The same for those that stand where they stood when they were fetched, or at a commit; may be repeated
    #[arg(long, value_name = "REF[:COMMIT]", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    force_with_lease: Vec<String>,

    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Keep no challenges, by which `warp audit --possession` could tell whether whole packs are still there
    #[arg(long)]
    no_challenges: bool,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    password: RemotePassword,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    let context = ResolveContext { head: opened.head()?, now: time::now(), ..ResolveContext::default() };
    let (named, refspecs) = named(ctx, &opened, args)?;
    let remote =
        ctx.open_any(ui, &opened, named, (&args.limits.allowing(args.allow_missing), &args.password))?;
    let request = PushRequest {
        updates: updates(&opened, &context, &remote, (args, &refspecs))?,
        checked_out: remote.checked_out.clone(),
        remote: remote.name.clone(),
        dry_run: args.dry_run,
        in_flight: 0,
        challenges: !args.no_challenges,
    };
    let progress = ui.progress();
    let done = ops::push(&opened.repo, &remote.repo, &request, &progress)?;
    drop(progress);
    report(ui, &remote, &done)?;
    if !done.is_refused {
        return Ok(Exit::Done);
    }
    let message = format!(
        "some refs could not be pushed to {}; nothing was changed there",
        escape::line(&remote.place)
    );
    let shares_keys = remote.repo.family() == opened.repo.family();
    Err(CliError::failed(message).hint(hint(&done, shares_keys)))
}

/// Where to, and what: with --spread the first words are places.
fn named(ctx: &Context, opened: &Opened, args: &Args) -> Result<(Named, Vec<String>), CliError> {
    let Some(config) = args.spread else {
        return Ok((ctx.find_remote(opened, args.remote.as_deref())?, args.refspecs.clone()));
    };
    let words = args.remote.iter().chain(&args.refspecs).cloned().collect();
    let (url, refspecs) = ctx.group_of(config, words)?;
    Ok((Named { name: None, url }, refspecs))
}

fn updates(
    opened: &Opened,
    context: &ResolveContext,
    remote: &Remote,
    (args, refspecs): (&Args, &[String]),
) -> Result<Vec<RefUpdate>, CliError> {
    let there = remote.repo.state();
    let mut updates = Vec::new();
    for spec in specs(opened, context, (args, refspecs))? {
        let mut update = spec.resolve(&opened.repo, context, &there)?;
        update.force |= args.force;
        updates.push(update);
    }
    if args.prune {
        updates.extend(pruned(opened, &there, args.tags));
    }
    let leases: Vec<Lease> = args.force_with_lease.iter().map(|text| Lease::parse(text)).collect();
    apply_leases(&mut updates, &leases, (&opened.repo, context), remote.name.as_deref())?;
    Ok(updates)
}

fn specs(
    opened: &Opened,
    context: &ResolveContext,
    (args, refspecs): (&Args, &[String]),
) -> Result<Vec<RefSpec>, CliError> {
    let timeline = opened.repo.timeline();
    let own = |name: String| RefSpec { force: false, from: Some(name), to: None };
    let mut specs = Vec::new();
    for text in refspecs {
        let spec = RefSpec::parse(text)?;
        specs.push(match (args.delete, &spec) {
            (false, _) => spec,
            (true, RefSpec { from: Some(from), to: None, .. }) => {
                RefSpec { from: None, to: Some(from.clone()), ..spec }
            }
            (true, _) => return Err(CliError::usage("--delete takes names alone")),
        });
    }
    if args.all || args.prune && !args.tags {
        specs.extend(timeline.branches().into_iter().map(|(name, _)| own(format!("heads/{name}"))));
    }
    if args.tags {
        specs.extend(timeline.tags().into_iter().map(|(name, _)| own(format!("tags/{name}"))));
    }
    if specs.is_empty() && !args.all && !args.tags && !args.prune {
        specs.push(own(current(opened, context)?));
    }
    Ok(specs)
}

/// The branch that a push means if none is named.
fn current(opened: &Opened, context: &ResolveContext) -> Result<String, CliError> {
    let name = match &context.head {
        Some(Head::Branch(name)) => name,
        Some(Head::Detached(_)) => {
            return Err(CliError::usage(
                "you are on no branch: say what to push, as in `warp push origin HEAD:main`",
            ));
        }
        None => return Err(CliError::usage("say what to push: `warp push origin main`, or --all")),
    };
    match opened.branch(name) {
        Some(_) => Ok(format!("heads/{name}")),
        None => Err(CliError::failed(format!("branch {} has no commit yet", escape::line(name)))),
    }
}

/// Refs of the remote that are gone here.
fn pruned(opened: &Opened, there: &LogState, tags: bool) -> Vec<RefUpdate> {
    let timeline = opened.repo.timeline();
    let is_meant = |name: &str| name.starts_with("heads/") || tags && name.starts_with("tags/");
    let gone = there.refs.keys().filter(|name| is_meant(name) && !timeline.refs().contains_key(*name));
    let delete = |name: &String| RefUpdate {
        from: String::new(),
        name: name.clone(),
        new: None,
        force: false,
        expected: None,
    };
    gone.map(delete).collect()
}

fn report(ui: &mut Ui, remote: &Remote, done: &PushOutcome) -> Result<(), CliError> {
    if ui.is_json() {
        let refs = done.refs.iter().map(RefJson::from).collect();
        let flags = (done.is_refused, done.dry_run);
        return Ok(ui.json(&CarriedJson::new("pushed", &remote.place, refs, &done.carried, flags))?);
    }
    summary(ui, &done.carried, done.dry_run);
    let is_news = |of: &&ops::PushedRef| of.news != ops::PushNews::Same;
    if done.refs.iter().filter(is_news).count() == 0 {
        ui.status(format_args!("Everything up-to-date"));
    }
    let is_shown = |of: &&ops::PushedRef| is_news(of) || ui.verbose() > 0;
    let lines: Vec<String> =
        done.refs.iter().filter(is_shown).map(|of| pushed(of, done.is_refused)).collect();
    if !lines.is_empty() && (!ui.is_quiet() || done.is_refused) {
        writeln!(ui.out(), "To {}", escape::line(&remote.place))?;
        lines.iter().try_for_each(|line| writeln!(ui.out(), "{line}"))?;
    }
    Ok(())
}

/// What helps, by the first ref that was refused. What lies in a repository with other keys cannot be pulled.
fn hint(done: &PushOutcome, shares_keys: bool) -> String {
    use ops::PushNews::{CheckedOut, FetchFirst, Missing, NonFastForward, Stale, TagExists};
    let Some(of) = done.refs.iter().find(|of| of.news.is_refused()) else { return String::new() };
    let name = escape::line(short_name(&of.name));
    match of.news {
        FetchFirst | NonFastForward if !shares_keys => format!(
            "{name} has commits there that yours does not build on, and they cannot be brought here: the two repositories have keys of their own. \
             Push under another name, as in {name}:incoming/{name}; --force moves {name} there, and its commits stay until they are forgotten there"
        ),
        FetchFirst => {
            format!("others have pushed to {name}: `warp pull` brings their commits, then push again")
        }
        NonFastForward => format!(
            "{name} has commits there that yours does not build on: `warp pull` names them; --force-with-lease gives them up"
        ),
        TagExists => format!("the tag {name} stands elsewhere there; --force moves it"),
        Stale => format!("{name} does not stand there where you last saw it: `warp fetch` and look"),
        CheckedOut => {
            format!(
                "a working directory there is on {name}: push to another branch, as in {name}:incoming/{name}, and `warp pull` there"
            )
        }
        Missing => format!("there is no {name} there to delete"),
        _ => format!("choose another name than {name}"),
    }
}
