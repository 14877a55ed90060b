//! What a check found, for people and for programs.

use std::time::Instant;

use serde::Serialize;
use warp::ops::{
    AffectedPath, CheckReport, DamagedShards, Endurance, Finding, FindingKind, ReadData, RepairOutcome,
    StrayFile,
};

use crate::cli::error::CliError;
use crate::cli::json::PathText;
use crate::cli::size::{count, human};
use crate::cli::ui::Ui;
use crate::cli::{escape, time};

/// Most paths that are listed of one finding.
const PATHS_MAX: usize = 20;

/// What was asked for, as far as it decides what is told.
pub(super) struct Told<'a> {
    pub(super) data: ReadData,
    /// Packs were hashed, not opened.
    pub(super) fast: bool,
    /// Why the repository could not be opened.
    pub(super) unopened: Option<&'a CliError>,
    pub(super) began: Instant,
}

impl Told<'_> {
    pub(super) fn default_at(began: Instant) -> Self {
        Self { data: ReadData::None, fast: false, unopened: None, began }
    }

    /// No key was used.
    fn is_sealed(&self) -> bool {
        self.fast || self.unopened.is_some()
    }

    /// What nobody looked at.
    fn unchecked(&self) -> Option<&'static str> {
        match self.data {
            _ if self.unopened.is_some() => {
                Some("the repository cannot be opened, so nothing was checked that needs its keys")
            }
            _ if self.fast => Some(
                "encrypted bytes were compared with their hashes, and nothing was decrypted: --read-data does that",
            ),
            ReadData::None => Some("contents of packs were not read: --read-data does that"),
            ReadData::All => None,
            _ => Some("other packs were not read: --read-data reads all"),
        }
    }
}

pub(super) fn text(ui: &mut Ui, report: &CheckReport, told: &Told<'_>) -> Result<(), CliError> {
    for finding in &report.findings {
        finding_text(ui, finding, report)?;
    }
    if let Some(error) = told.unopened {
        writeln!(ui.out(), "the repository cannot be opened: {}", error.message())?;
    }
    for line in summary(report, told) {
        ui.status(format_args!("{line}"));
    }
    endurance_text(ui, &report.endurances);
    strays_text(ui, &report.orphans, "no entry of the log names: a commit may be at work, or may have died");
    strays_text(ui, &report.left_over, "the log has removed and nobody deleted yet");
    let verdict = match report.findings.len() {
        0 => "no errors found".to_owned(),
        many => count(many as u64, "error found", "errors found"),
    };
    writeln!(ui.out(), "{verdict}")?;
    for hint in hints(report) {
        ui.status(format_args!("hint: {hint}"));
    }
    Ok(())
}

fn finding_text(ui: &mut Ui, finding: &Finding, report: &CheckReport) -> Result<(), CliError> {
    let out = ui.out();
    writeln!(out, "error: {}: {}", escape::line(&finding.file), title(finding.kind))?;
    for fault in &finding.faults {
        writeln!(out, "  {}", escape::line(fault))?;
    }
    if finding.more_faults > 0 {
        writeln!(out, "  … and {} more faults", finding.more_faults)?;
    }
    if let Some(shards) = &finding.shards {
        writeln!(out, "  {}", shards_text(shards))?;
    }
    if finding.paths.is_empty() {
        return Ok(());
    }
    writeln!(out, "  what cannot be brought back because of it:")?;
    for path in finding.paths.iter().take(PATHS_MAX) {
        writeln!(out, "    {}", path_text(path, report))?;
    }
    if let Some(more) = finding.paths.len().checked_sub(PATHS_MAX).filter(|more| *more > 0) {
        writeln!(out, "    … and {more} more (--json lists all)")?;
    }
    Ok(())
}

/// What was repaired, and what is left.
pub(super) fn repaired(ui: &mut Ui, done: &RepairOutcome, after: &CheckReport) -> Result<(), CliError> {
    if ui.is_json() {
        return Ok(ui.json(&Repaired {
            message_type: "repaired",
            healed: &done.healed,
            salvaged: &done.salvaged,
            lost_objects: done.lost_objects,
            beyond: &done.beyond,
            segments: &done.segments,
            log_entries: &done.log_entries,
            configuration: done.configuration,
            packs_written: done.packs_written,
            bytes_written: done.bytes_written,
            errors_left: after.findings.iter().map(|finding| &finding.file[..]).collect(),
        })?);
    }
    let out = ui.out();
    for (files, what) in [
        (&done.healed, "healed; what it held is in a new pack"),
        (&done.segments, "made anew"),
        (&done.log_entries, "written as it was"),
        (&done.salvaged, "given up; what could be read of it is in a new pack"),
        (&done.beyond, "damaged beyond its parity, and left as it is (--salvage keeps what can be read)"),
    ] {
        files.iter().try_for_each(|file| writeln!(out, "{}: {what}", escape::line(file)))?;
    }
    if done.configuration {
        writeln!(out, "configuration: both copies written anew")?;
    }
    if done.lost_objects > 0 {
        let objects = count(done.lost_objects, "object is lost", "objects are lost");
        writeln!(out, "{objects}: commit the same files again to store them anew")?;
    }
    for finding in &after.findings {
        finding_text(ui, finding, after)?;
    }
    let verdict = match after.findings.len() {
        0 => "all is repaired".to_owned(),
        many => count(many as u64, "error is left", "errors are left"),
    };
    writeln!(ui.out(), "{verdict}")?;
    Ok(())
}

#[derive(Serialize)]
struct Repaired<'r> {
    message_type: &'static str,
    healed: &'r [String],
    salvaged: &'r [String],
    lost_objects: u64,
    beyond: &'r [String],
    segments: &'r [String],
    log_entries: &'r [String],
    configuration: bool,
    packs_written: u64,
    bytes_written: u64,
    /// Files that are still damaged.
    errors_left: Vec<&'r str>,
}

fn title(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Configuration => "a copy of the configuration is missing or damaged",
        FindingKind::Log => "the log is damaged",
        FindingKind::Missing => "missing",
        FindingKind::Length => "wrong length",
        FindingKind::Damaged => "damaged",
        FindingKind::Unreadable => "cannot be read",
        FindingKind::Index => "index and packs disagree",
        FindingKind::MissingObject => "objects are missing",
        FindingKind::MissingBase => "bases of differences are missing",
        FindingKind::Tree => "breaks a rule",
        _ => "wrong",
    }
}

fn shards_text(shards: &DamagedShards) -> String {
    let DamagedShards { damaged, all, limit } = shards;
    match (damaged, limit, shards.can_be_healed()) {
        (0, _, _) => "nothing of its content is lost: `warp check --repair` writes it anew".to_owned(),
        (_, 0, _) => "it has no parity to heal it with".to_owned(),
        (_, _, true) => {
            format!(
                "{damaged} of its {all} shards are damaged, and {limit} can be healed: `warp check --repair` does that"
            )
        }
        (_, _, false) => format!("{damaged} of its {all} shards are damaged, and only {limit} can be healed"),
    }
}

/// `3f2a91c0 src/a.rs`, with the number of further commits.
fn path_text(path: &AffectedPath, report: &CheckReport) -> String {
    let commits: Vec<String> = short_ids(path, report);
    let first = commits.first().map_or("", String::as_str);
    let place = match (path.path.is_empty(), path.is_whole_directory) {
        (true, _) => "the whole commit".to_owned(),
        (false, false) => escape::name(&path.path).into_owned(),
        (false, true) => format!("{}/ and all that is in it", escape::name(&path.path)),
    };
    match commits.len() {
        0 | 1 => format!("{first} {place}"),
        many => format!(
            "{first} {place} (and in {} until {})",
            count(many as u64 - 1, "more commit", "more commits"),
            commits[many - 1]
        ),
    }
}

fn short_ids(path: &AffectedPath, report: &CheckReport) -> Vec<String> {
    path.commits.iter().filter_map(|number| Some(report.commits.get(*number as usize)?.short())).collect()
}

fn summary(report: &CheckReport, told: &Told<'_>) -> Vec<String> {
    let counts = &report.counts;
    let packs = format!("{} of {}", count(counts.packs, "pack", "packs"), human(counts.pack_bytes));
    let mut checked = vec![count(counts.log_entries, "log entry", "log entries"), packs];
    checked.push(count(counts.segments, "index segment", "index segments"));
    if !told.is_sealed() {
        checked.push(count(counts.objects, "object", "objects"));
        checked.push(count(counts.commits, "commit", "commits"));
    }
    let mut lines = vec![format!("checked {}", checked.join(", "))];
    let millis = u64::try_from(told.began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let rate = counts.bytes_read.saturating_mul(1000) / millis.max(1);
    let bytes = format!("{} in {}, {}/s", human(counts.bytes_read), time::duration(millis), human(rate));
    lines.push(match (counts.packs_read, told.is_sealed()) {
        (0, _) => format!("read {bytes}"),
        (packs, true) => format!("read {bytes}: {} whole", count(packs, "pack", "packs")),
        (packs, false) => format!(
            "read {bytes}: {} whole, {} verified",
            count(packs, "pack", "packs"),
            count(counts.objects_verified, "object", "objects")
        ),
    });
    if counts.packs_skipped > 0 {
        lines.push(format!("{} spared, verified lately", count(counts.packs_skipped, "pack", "packs")));
    }
    lines.extend(told.unchecked().map(str::to_owned));
    if report.log_is_incomplete {
        lines.push(
            "entries of the log are lost, so of packs and segments more may be missing or needed than is told".to_owned(),
        );
    }
    lines
}

/// What damage packs endure: in one line, and for each of them where more is asked for.
fn endurance_text(ui: &mut Ui, endurances: &[Endurance]) {
    let (with, without): (Vec<_>, Vec<_>) = endurances.iter().partition(|pack| pack.loss_max > 0);
    if let Some(least) = with.iter().map(|pack| pack.loss_max).min() {
        let most = with.iter().map(|pack| pack.loss_max).max().unwrap_or(least);
        let span = if least == most { human(least) } else { format!("{} to {}", human(least), human(most)) };
        ui.status(format_args!(
            "{} can lose {span} at any one place",
            count(with.len() as u64, "pack", "packs")
        ));
    }
    if !without.is_empty() {
        let packs = count(without.len() as u64, "pack has", "packs have");
        ui.status(format_args!("{packs} no parity: damage to them cannot be healed"));
    }
    if ui.verbose() > 0 {
        for Endurance { file, len, shards, healable, loss_max, .. } in endurances {
            let len = human(*len);
            ui.status(format_args!(
                "  {file} ({len}): any {healable} of {shards} shards, or {loss_max} bytes at one place"
            ));
        }
    }
}

fn strays_text(ui: &mut Ui, strays: &[StrayFile], what: &str) {
    if strays.is_empty() {
        return;
    }
    let bytes = human(strays.iter().map(|stray| stray.len).sum());
    ui.status(format_args!("{} of {bytes} that {what}", count(strays.len() as u64, "file", "files")));
    if ui.verbose() > 0 {
        strays.iter().for_each(|stray| ui.status(format_args!("  {}", stray.file)));
    }
}

/// What may help.
fn hints(report: &CheckReport) -> Vec<&'static str> {
    let is_config = |finding: &&Finding| finding.kind == FindingKind::Configuration;
    let mut hints = Vec::new();
    let can_be_healed = |finding: &&Finding| finding.shards.is_some_and(|shards| shards.can_be_healed());
    if report.findings.iter().any(|finding| !is_config(&finding) && !can_be_healed(&finding)) {
        hints.push(
            "bring the files named above back from another copy of the repository, in which they have the same names; until then change nothing, and copy what is left to a sound disk",
        );
    }
    if report.findings.iter().any(|finding| finding.kind == FindingKind::Log) {
        hints.push("if no other copy has the entries of the log that are lost, `warp recover` makes the log anew from the packs and from the entries that are left");
    }
    if report.findings.iter().any(|finding| is_config(&finding)) {
        hints.push("any change of a setting or key writes both copies of the configuration anew: see `warp config set --repository`");
    }
    hints
}

#[derive(Serialize)]
struct Damage<'r> {
    message_type: &'static str,
    file: &'r str,
    kind: &'static str,
    faults: &'r [String],
    more_faults: u64,
    /// Shards of a pack that are damaged, and how many can be healed.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged_shards: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    healable_shards: Option<u64>,
    paths: Vec<LostPath>,
}

#[derive(Serialize)]
struct LostPath {
    #[serde(flatten)]
    path: PathText,
    whole_directory: bool,
    /// Short ids of the commits, oldest first.
    commits: Vec<String>,
}

#[derive(Serialize)]
struct Summary<'r> {
    message_type: &'static str,
    num_errors: usize,
    broken_packs: Vec<&'r str>,
    /// Packs were hashed, not opened.
    fast: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    unopened: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_checked: Option<&'static str>,
    log_is_incomplete: bool,
    log_entries: u64,
    commits: u64,
    packs: u64,
    packs_size: u64,
    segments: u64,
    objects: u64,
    delta_objects: u64,
    packs_read: u64,
    packs_skipped: u64,
    objects_verified: u64,
    bytes_read: u64,
    total_duration: f64,
    orphans: Vec<&'r str>,
    left_over: Vec<&'r str>,
    /// How much damage each pack endures.
    endurances: Vec<PackEndurance<'r>>,
}

#[derive(Serialize)]
struct PackEndurance<'r> {
    file: &'r str,
    size: u64,
    shards: u64,
    healable_shards: u64,
    /// The longest run of bytes whose loss at any one place can be healed.
    healable_run: u64,
}

impl<'r> From<&'r Endurance> for PackEndurance<'r> {
    fn from(pack: &'r Endurance) -> Self {
        let Endurance { file, len, shards, healable, loss_max, .. } = pack;
        Self { file, size: *len, shards: *shards, healable_shards: *healable, healable_run: *loss_max }
    }
}

pub(super) fn json(ui: &mut Ui, report: &CheckReport, told: &Told<'_>) -> Result<(), CliError> {
    for finding in &report.findings {
        ui.json(&damage(finding, report))?;
    }
    let counts = &report.counts;
    let files =
        |strays| -> Vec<_> { Iterator::map(<[StrayFile]>::iter(strays), |stray| &stray.file[..]).collect() };
    let mut broken_packs: Vec<&str> = report
        .findings
        .iter()
        .map(|finding| &finding.file[..])
        .filter(|file| file.starts_with("packs/"))
        .collect();
    broken_packs.dedup();
    ui.json(&Summary {
        message_type: "summary",
        num_errors: report.findings.len(),
        broken_packs,
        fast: told.fast,
        unopened: told.unopened.map(CliError::message),
        not_checked: told.unchecked(),
        log_is_incomplete: report.log_is_incomplete,
        log_entries: counts.log_entries,
        commits: counts.commits,
        packs: counts.packs,
        packs_size: counts.pack_bytes,
        segments: counts.segments,
        objects: counts.objects,
        delta_objects: counts.deltas,
        packs_read: counts.packs_read,
        packs_skipped: counts.packs_skipped,
        objects_verified: counts.objects_verified,
        bytes_read: counts.bytes_read,
        total_duration: told.began.elapsed().as_secs_f64(),
        orphans: files(&report.orphans),
        left_over: files(&report.left_over),
        endurances: report.endurances.iter().map(PackEndurance::from).collect(),
    })?;
    Ok(())
}

fn damage<'r>(finding: &'r Finding, report: &CheckReport) -> Damage<'r> {
    let lost = |path: &AffectedPath| LostPath {
        path: PathText::new(&path.path),
        whole_directory: path.is_whole_directory,
        commits: short_ids(path, report),
    };
    Damage {
        message_type: "damage",
        file: &finding.file,
        kind: finding.kind.name(),
        faults: &finding.faults,
        more_faults: finding.more_faults,
        damaged_shards: finding.shards.map(|shards| shards.damaged),
        healable_shards: finding.shards.map(|shards| shards.limit),
        paths: finding.paths.iter().map(lost).collect(),
    }
}
