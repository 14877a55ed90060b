use std::sync::Arc;

use serde::Serialize;
use warp::ops::spread::{GroupReport, MemberReport, MendRequest, mend};
use warp::repo::RemoteUrl;

use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::remote::LimitArgs;
use crate::cli::size::count;
use crate::cli::ui::Ui;

/// Make the members of a group whole again
///
/// A group holds each pack as shards at several members, any so many of which bring it back. What is missing, damaged or forged at a member is made anew
/// from the others: shards, the log, the index, the configuration. All shards are read, and what was written is read back.
///
/// For one repository `warp check --repair` does what this does for a group.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp repair --group nas                    look at all members, and bring back what they lack
  warp repair --group nas --dry-run          look only
  warp repair --group nas --replace warp://dead/thesis warp://new/thesis
                                             another server for one that is lost; the first member can be replaced, too")]
pub(crate) struct Args {
    /// The group: the name of a remote that was added with --spread
    #[arg(long, value_name = "NAME", required = true)]
    group: String,

    /// Put another member, which is empty, in the place of one, and keep it in the remote
    #[arg(long, value_names = ["OLD", "NEW"], num_args = 2, conflicts_with = "dry_run")]
    replace: Option<Vec<String>>,

    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    let mut group = find(ctx, &opened, &args.group)?;
    if let Some([old, new]) = args.replace.as_deref() {
        group.replace(ctx, (old, new))?;
    }
    let request = MendRequest { read: true, repair: !args.dry_run };
    let report = look(ui, ctx, &opened, &group.url, request)?;
    if args.replace.is_some() {
        keep(&opened, &group)?;
    }
    tell(ui, &report, request)
}

/// Looks at the members of a group without changing anything; `read`: at every byte.
pub(super) fn survey(ui: &mut Ui, ctx: &Context, name: &str, read: bool) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    let group = find(ctx, &opened, name)?;
    let request = MendRequest { read, repair: false };
    let report = look(ui, ctx, &opened, &group.url, request)?;
    tell(ui, &report, request)
}

/// A group, and what it is called here.
struct Group {
    name: Option<String>,
    url: RemoteUrl,
}

fn find(ctx: &Context, opened: &Opened, name: &str) -> Result<Group, CliError> {
    let named = ctx.find_remote(opened, Some(name))?;
    match named.url {
        RemoteUrl::Group { .. } => Ok(Group { name: named.name, url: named.url }),
        url => Err(CliError::usage(format!("{} is no group", escape::line(&url.to_string())))
            .hint("`warp remote add --spread 4+2 NAME URL…` makes one known")),
    }
}

impl Group {
    /// Puts an empty store in the place of a member.
    fn replace(&mut self, ctx: &Context, (old, new): (&str, &str)) -> Result<(), CliError> {
        let [old, new] = [ctx.remote_url(old)?, ctx.remote_url(new)?];
        let RemoteUrl::Group { members, .. } = &mut self.url else { return Ok(()) };
        if members.contains(&new) {
            return Err(CliError::usage(format!("{} is a member already", escape::line(&new.to_string()))));
        }
        let Some(member) = members.iter_mut().find(|member| **member == old) else {
            return Err(CliError::usage(format!(
                "{} is no member of the group",
                escape::line(&old.to_string())
            ))
            .hint("`warp remote -v` lists them"));
        };
        ctx.open_remote(&new, true, &LimitArgs::default())?;
        *member = new;
        Ok(())
    }
}

/// Remembers the group with its new member.
fn keep(opened: &Opened, group: &Group) -> Result<(), CliError> {
    match &group.name {
        Some(name) => Ok(opened.repo.remote_set_url(name, &group.url.to_string())?),
        None => Ok(()),
    }
}

fn look(
    ui: &mut Ui,
    ctx: &Context,
    opened: &Opened,
    url: &RemoteUrl,
    request: MendRequest,
) -> Result<GroupReport, CliError> {
    let store = Arc::new(ctx.open_group(url, false, &LimitArgs::default())?);
    let repo = opened.repo.open_sibling(Arc::clone(&store) as _, ctx.client()?)?;
    let progress = ui.progress();
    Ok(mend(&store, &repo.state(), request, &progress)?)
}

#[derive(Serialize)]
struct Line<'a> {
    message_type: &'static str,
    member: &'a str,
    unreachable: Option<&'a str>,
    right: u64,
    missing: u64,
    lacks: &'a [String],
    wrong: &'a [String],
    mended: u64,
    unmended: &'a [String],
}

#[derive(Serialize)]
struct Summary {
    message_type: &'static str,
    clean: bool,
    /// How many members may still be lost, and how many packs that is so of.
    spare: Vec<[u64; 2]>,
    lost: Vec<String>,
}

fn tell(ui: &mut Ui, report: &GroupReport, request: MendRequest) -> Result<Exit, CliError> {
    match ui.is_json() {
        true => json(ui, report)?,
        false => text(ui, report, request)?,
    }
    Ok(if report.is_clean() { Exit::Done } else { Exit::Failed })
}

fn json(ui: &mut Ui, report: &GroupReport) -> Result<(), CliError> {
    for of in &report.members {
        let MemberReport { place, unreachable, right, missing, wrong, lacks, mended, unmended, .. } = of;
        ui.json(&Line {
            message_type: "member",
            member: place,
            unreachable: unreachable.as_deref(),
            right: *right,
            missing: *missing,
            lacks,
            wrong,
            mended: *mended,
            unmended,
        })?;
    }
    let spare = report.spare.iter().map(|(members, packs)| [*members as u64, *packs]).collect();
    let lost = report.lost.iter().map(|pack| pack.to_hex()).collect();
    Ok(ui.json(&Summary { message_type: "group", clean: report.is_clean(), spare, lost })?)
}

fn text(ui: &mut Ui, report: &GroupReport, request: MendRequest) -> Result<(), CliError> {
    for of in &report.members {
        let place = escape::line(&of.place);
        writeln!(ui.out(), "{place}: {}", state(of))?;
        for what in of.wrong.iter().chain(&of.lacks).chain(&of.unmended) {
            writeln!(ui.out(), "  {}", escape::line(what))?;
        }
    }
    for (members, packs) in &report.spare {
        let packs = count(*packs, "pack", "packs");
        writeln!(ui.out(), "{packs}: {} may be lost", count(*members as u64, "more member", "more members"))?;
    }
    for pack in &report.lost {
        writeln!(ui.out(), "pack {pack}: too few shards are left to read it")?;
    }
    if !report.is_clean() && !request.repair {
        ui.status(format_args!("`warp repair --group` brings back what is missing"));
    }
    Ok(())
}

fn state(of: &MemberReport) -> String {
    if let Some(why) = &of.unreachable {
        return format!("cannot be looked at: it {}", escape::line(why));
    }
    let mut parts = vec![format!("{} right", count(of.right, "shard", "shards"))];
    let mut part = |number: u64, what: &str| {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    };
    part(of.missing, "missing");
    part(of.wrong.len() as u64, "wrong");
    part(of.lacks.len() as u64, "other files missing");
    part(of.mended, "brought back");
    part(of.unmended.len() as u64, "not to be brought back");
    parts.join(", ")
}
