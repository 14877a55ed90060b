mod report;
mod spec;

use std::time::Instant;

use warp::ops::{self, CheckReport, CheckRequest, OpsError, ReadData, RepairRequest, SealedRequest};

use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::ui::Ui;
use report::Told;

/// Check that the repository holds what it says
///
/// Without options it checks structure: both copies of the configuration, every entry and signature of the log, that every
/// file is there in its length, the index against the directories of all packs, the bases of differences, and that
/// everything is there that the commits are made of. Bytes of files are not read: --read-data reads, decrypts and decompresses
/// all, and computes every id anew.
///
/// All that is wrong is told, with the paths of the commits that it touches. Nothing is changed in the repository without
/// --repair, and others may go on working in it. The exit code is 0 only if nothing is wrong, or all was repaired.
#[derive(clap::Args, Debug)]
#[command(
    visible_alias = "fsck",
    after_help = "\
Examples:
  warp check                                  structure: quick
  warp check --read-data                      everything
  warp check --read-data-subset 1/7           a seventh: on Mondays 1/7, on Tuesdays 2/7
  warp check --read-data-subset 10G --max-age 30d
                                              10 GiB of what was not verified for longest
  warp check --fast                           without a password: hashes alone
  warp check --repair                         everything, and heal what parity can heal"
)]
pub(crate) struct Args {
    /// Hash all files and verify the log, without the keys
    ///
    /// It needs no password: what is compared are the encrypted bytes with the hashes in the signed log.
    #[arg(long, conflicts_with_all = ["read_data", "read_data_subset"])]
    fast: bool,

    /// Read all packs whole, and verify every object in them
    #[arg(long, conflicts_with = "read_data_subset")]
    read_data: bool,

    /// Read a part of the packs whole: `n/t`, `5%` or `10G`
    ///
    /// `n/t` is group n of t, which the names of the packs decide: the t groups together are all packs. A share or an amount
    /// is taken at random.
    #[arg(long, value_name = "PART", value_parser = spec::part)]
    read_data_subset: Option<ReadData>,

    /// Spare packs that this client verified less than AGE ago, such as `30d`
    ///
    /// A number and h, d, w, m or y: hours, days, weeks, months of 30 days, years of 365. What was not verified for longest
    /// comes first.
    #[arg(long, value_name = "AGE", value_parser = spec::age)]
    max_age: Option<u64>,

    /// Heal what is damaged, as far as parity and second copies can
    ///
    /// Without --read-data-subset all packs are read. What a damaged pack holds is written into a new one, which takes its place;
    /// a damaged part of the index is made anew, and so is a copy of the configuration. What cannot be healed stays as it is,
    /// and is told.
    #[arg(long, conflicts_with = "fast")]
    repair: bool,

    /// With --repair: give up what cannot be healed
    ///
    /// Of packs that are damaged beyond their parity the rest is kept, and the damaged files are deleted: copy them away first, if another
    /// copy of them may turn up. The next commit of the same files stores anew what is lost, for the older commits as well.
    #[arg(long, requires = "repair")]
    salvage: bool,

    /// Look at the members of a group, a remote that was added with --spread, and tell how many of them each pack can still lose
    ///
    /// With --read-data every shard is read, otherwise their lengths are compared. `warp repair --group` brings back what is missing.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["fast", "read_data_subset", "repair"])]
    group: Option<String>,

    /// Take the same packs whenever the same number is given
    #[arg(long, value_name = "NUMBER", requires = "read_data_subset")]
    seed: Option<u64>,
}

impl Args {
    fn data(&self) -> ReadData {
        match self.read_data_subset {
            Some(part) => part,
            None if self.read_data || self.repair => ReadData::All,
            None => ReadData::None,
        }
    }
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    if args.max_age.is_some() && args.data() == ReadData::None {
        return Err(CliError::usage(
            "--max-age says which packs to spare; it needs --read-data or --read-data-subset",
        ));
    }
    if let Some(name) = &args.group {
        return super::repair::survey(ui, ctx, name, args.read_data);
    }
    let began = Instant::now();
    if args.fast {
        let report = sealed(ui, ctx, true)?;
        return tell(ui, &report, Told { fast: true, began, ..Told::default_at(began) });
    }
    let opened = match ctx.open(ui) {
        Ok(opened) => opened,
        Err(error) if error.exit == Exit::Failed => return unopened(ui, ctx, args, error, began),
        Err(error) => return Err(error),
    };
    let report = keyed(ui, ctx, args, &opened, args.data())?;
    let exit = tell(ui, &report, Told { data: args.data(), ..Told::default_at(began) })?;
    if args.repair && !report.is_clean() { repair(ui, ctx, args, &opened, &report) } else { Ok(exit) }
}

/// Repairs what was found, and checks again whether all is there.
fn repair(
    ui: &mut Ui,
    ctx: &Context,
    args: &Args,
    opened: &Opened,
    report: &CheckReport,
) -> Result<Exit, CliError> {
    let progress = ui.progress();
    let request = RepairRequest { salvage: args.salvage, threads: ctx.threads() };
    let done = ops::repair(&opened.repo, report, request, &progress)?;
    drop(progress);
    let after = keyed(ui, ctx, args, opened, ReadData::None)?;
    report::repaired(ui, &done, &after)?;
    Ok(if after.is_clean() && done.beyond.is_empty() { Exit::Done } else { Exit::Failed })
}

fn keyed(
    ui: &mut Ui,
    ctx: &Context,
    args: &Args,
    opened: &Opened,
    data: ReadData,
) -> Result<CheckReport, OpsError> {
    let progress = ui.progress();
    let request = CheckRequest { data, seed: args.seed, max_age: args.max_age, threads: ctx.threads() };
    ops::check(&opened.repo, request, &progress)
}

fn sealed(ui: &mut Ui, ctx: &Context, read_packs: bool) -> Result<CheckReport, CliError> {
    let (_, store) = ctx.store()?;
    let progress = ui.progress();
    let request = SealedRequest { read_packs, threads: ctx.threads() };
    Ok(ops::check_sealed(store.as_ref(), request, &progress)?)
}

/// Tells what is wrong with a repository that cannot be opened, as far as that can be seen without keys.
fn unopened(
    ui: &mut Ui,
    ctx: &Context,
    args: &Args,
    error: CliError,
    began: Instant,
) -> Result<Exit, CliError> {
    let report = match sealed(ui, ctx, args.data() != ReadData::None) {
        Ok(report) if !report.is_clean() => report,
        _ => return Err(error),
    };
    let told =
        Told { fast: args.data() != ReadData::None, unopened: Some(&error), ..Told::default_at(began) };
    tell(ui, &report, told)
}

fn tell(ui: &mut Ui, report: &CheckReport, told: Told<'_>) -> Result<Exit, CliError> {
    if ui.is_json() {
        report::json(ui, report, &told)?
    } else {
        report::text(ui, report, &told)?
    }
    Ok(if report.is_clean() { Exit::Done } else { Exit::Failed })
}
