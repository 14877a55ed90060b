//! `bundle verify`, and `verify` of a bundle.

use std::path::{Path, PathBuf};

use serde::Serialize;
use warp::id::{CommitId, DeviceId};
use warp::merkle::detection_probability;
use warp::ops::{self, BundleReport, BundledPack, VerifyRequest};
use warp::repo::{Probe, PublicLog, Repository};

use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::json::PathText;
use crate::cli::size::{count, human};
use crate::cli::ui::Ui;

/// Verify a bundle, without a password
///
/// Both copies of its manifest, the signature, the certificate of the device that made it and all packs are verified against the bytes of the
/// file. What is damaged is told, and whether parity heals it. Nothing is changed.
///
/// The certificate is one of the root key that is shown. With -r, the bundle must be one of that repository's keys, and it is told whether the
/// repository has the commits that the bundle builds on.
#[derive(clap::Args, Debug)]
pub(super) struct VerifyArgs {
    /// The bundle
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Look only at N shards of its packs, drawn at random, instead of all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,
}

#[derive(Serialize)]
struct Verified {
    message_type: &'static str,
    #[serde(flatten)]
    file: PathText,
    bundle: String,
    size: u64,
    ok: bool,
    family: String,
    root_key: String,
    device: String,
    encrypted: bool,
    commits: usize,
    prerequisites: Vec<String>,
    /// Those that the repository at hand does not have; null without one of this family.
    prerequisites_missing: Option<Vec<String>>,
    packs: usize,
    shards: u64,
    checked_shards: u64,
    faults: Vec<String>,
    /// Whether all that is damaged can be healed; null if nothing is, or only a sample was looked at.
    can_be_healed: Option<bool>,
    finds_one_percent: f64,
}

/// The repository at hand, as far as it can be read without a password.
struct Beside {
    location: String,
    probe: Probe,
    log: PublicLog,
    /// It was named with -r: the bundle must be one of its keys.
    is_named: bool,
}

impl Beside {
    fn is_family(&self, report: &BundleReport) -> bool {
        self.probe.family == report.family && self.probe.root_key == report.root_key
    }

    fn missing<'a>(&self, report: &'a BundleReport) -> Vec<&'a CommitId> {
        report.prerequisites.iter().filter(|id| !self.log.state.is_live(id)).collect()
    }
}

pub(super) fn run(ui: &mut Ui, ctx: &Context, args: &VerifyArgs) -> Result<Exit, CliError> {
    let beside = beside(ctx)?;
    verify(ui, &args.file, args.sample, beside.as_ref())
}

/// Verifies a bundle where no repository is looked for.
pub(crate) fn verify_alone(ui: &mut Ui, file: &Path, sample: Option<u64>) -> Result<Exit, CliError> {
    verify(ui, file, sample, None)
}

fn beside(ctx: &Context) -> Result<Option<Beside>, CliError> {
    let is_named = ctx.globals.repo.is_some();
    let look = || {
        let (_, store) = ctx.store()?;
        let (probe, log) = (Repository::probe(store.as_ref())?, PublicLog::read(store.as_ref())?);
        Ok(Beside { location: store.location(), probe, log, is_named })
    };
    match look() {
        Ok(beside) => Ok(Some(beside)),
        // One that was not asked for need not be there, nor whole.
        Err(_) if !is_named => Ok(None),
        Err(error) => Err(error),
    }
}

fn verify(ui: &mut Ui, file: &Path, sample: Option<u64>, beside: Option<&Beside>) -> Result<Exit, CliError> {
    let progress = ui.progress();
    let report = ops::verify_bundle(file, VerifyRequest { sample, seed: None }, &progress)?;
    drop(progress);
    let beside = match beside {
        Some(beside) if beside.is_named && !beside.is_family(&report) => {
            return Err(other_family(file, beside, &report));
        }
        other => other.filter(|beside| beside.is_family(&report)),
    };
    match ui.is_json() {
        true => ui.json(&as_json(file, &report, beside))?,
        false => text(ui, file, &report, beside)?,
    }
    Ok(if report.is_clean() { Exit::Done } else { Exit::Failed })
}

fn other_family(file: &Path, beside: &Beside, report: &BundleReport) -> CliError {
    let (of_bundle, of_repo) = (report.family, beside.probe.family);
    CliError::failed(format!(
        "{} was made with other keys than those of {}: its family is {of_bundle}, the repository's {of_repo}",
        escape::path(file),
        escape::line(&beside.location)
    ))
}

fn finds_one_percent(report: &BundleReport) -> f64 {
    detection_probability(report.shards(), report.shards().div_ceil(100), report.checked_shards())
}

/// What is wrong, one line each.
fn faults(report: &BundleReport) -> Vec<String> {
    let of_packs = report.packs.iter().zip(1..).flat_map(|(pack, number)| of_pack(pack, number));
    report.faults.iter().map(ToString::to_string).chain(of_packs).collect()
}

fn of_pack(pack: &BundledPack, number: usize) -> Vec<String> {
    let name = format!("pack {number} ({})", pack.uid);
    let found = match &pack.found {
        Ok(found) => found,
        Err(error) => return vec![format!("{name} is not where it should be: {error}")],
    };
    let mut lines: Vec<String> = found.faults.iter().map(|fault| format!("{name}: {fault}")).collect();
    if !found.damaged.is_empty() {
        lines.push(format!("{name}: {} of {} shards are damaged", found.damaged.len(), found.checked_shards));
    }
    if let Some(Err(error)) = &found.healing {
        lines.push(format!("{name} cannot be healed: {error}"));
    }
    lines
}

fn as_json(file: &Path, report: &BundleReport, beside: Option<&Beside>) -> Verified {
    use std::os::unix::ffi::OsStrExt as _;
    Verified {
        message_type: "bundle_verified",
        file: PathText::new(file.as_os_str().as_bytes()),
        bundle: report.uid.to_hex(),
        size: report.len,
        ok: report.is_clean(),
        family: report.family.to_hex(),
        root_key: report.root_key.to_hex(),
        device: report.device.to_hex(),
        encrypted: report.encrypted,
        commits: report.commits.len(),
        prerequisites: report.prerequisites.iter().map(CommitId::to_hex).collect(),
        prerequisites_missing: beside
            .map(|beside| beside.missing(report).iter().map(|id| id.to_hex()).collect()),
        packs: report.packs.len(),
        shards: report.shards(),
        checked_shards: report.checked_shards(),
        faults: faults(report),
        can_be_healed: report.can_be_healed(),
        finds_one_percent: finds_one_percent(report),
    }
}

fn text(ui: &mut Ui, file: &Path, report: &BundleReport, beside: Option<&Beside>) -> Result<(), CliError> {
    let out = ui.out();
    writeln!(out, "{}: bundle {}, {}", escape::path(file), report.uid, human(report.len))?;
    writeln!(out, "family {}", report.family)?;
    writeln!(out, "root key {}", fingerprint(&report.root_key))?;
    writeln!(out, "made by device {}", fingerprint(&report.device))?;
    let (commits, packs) = (report.commits.len() as u64, report.packs.len() as u64);
    writeln!(out, "{} in {}", count(commits, "commit", "commits"), count(packs, "pack", "packs"))?;
    let missing = beside.map(|beside| beside.missing(report));
    for id in &report.prerequisites {
        let here = match &missing {
            None => "",
            Some(missing) if missing.contains(&id) => ", which this repository does not have",
            Some(_) => ", which this repository has",
        };
        writeln!(out, "builds on commit {id}{here}")?;
    }
    for fault in faults(report) {
        writeln!(out, "error: {}", escape::line(&fault))?;
    }
    match report.can_be_healed() {
        Some(true) => writeln!(out, "parity heals it: nothing is lost")?,
        Some(false) => writeln!(out, "it cannot be healed")?,
        None => {}
    }
    writeln!(out, "{}", if report.is_clean() { "no errors found" } else { "errors found" })?;
    for line in scope(report, beside) {
        ui.status(format_args!("{line}"));
    }
    Ok(())
}

/// What was looked at, and what was not proved.
fn scope(report: &BundleReport, beside: Option<&Beside>) -> Vec<String> {
    let (checked, shards) = (report.checked_shards(), report.shards());
    let mut lines = vec![format!("checked {checked} of {}", count(shards, "shard", "shards"))];
    if checked < shards {
        let (bad, percent) = (shards.div_ceil(100), 100.0 * finds_one_percent(report));
        lines.push(format!("if {bad} of {shards} are damaged, such a sample finds it with {percent:.1} %"));
    }
    lines.push(match beside {
        Some(beside) => format!("its root key is that of {}", beside.location),
        None => "whether its root key is your repository's was not checked: name that with -r".to_owned(),
    });
    lines
}

/// The first half of a public key, in groups of four digits, for people to compare.
fn fingerprint(key: &DeviceId) -> String {
    let digits = key.to_hex();
    let groups: Vec<&str> = (0..32).step_by(4).map(|at| &digits[at..at + 4]).collect();
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_half_of_a_key_in_groups() {
        let mut key = [0xab; 32];
        key[0] = 0x01;
        assert_eq!(fingerprint(&DeviceId::new(key)), "01ab-abab-abab-abab-abab-abab-abab-abab");
    }
}
