//! Differences as people read them: used by `diff`, `show` and `status`.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;
use warp::format::dirtree::{DirEntry, EntryKind};
use warp::ops::{
    self, ByteCounts, Change, ChangeKind, ChunkCosts, DiffOptions, DiffSummary, Selection, Side,
};

use super::context::{Context, Opened};
use super::error::CliError;
use super::json::{PathText, line};
use super::ui::{Paint, Ui};
use super::{escape, size};

/// How differences are printed
#[derive(clap::Args, Debug, Default, Clone)]
#[command(next_help_heading = "What to print")]
pub(crate) struct FormatArgs {
    /// Print text differences
    #[arg(short, long, visible_alias = "text")]
    pub(crate) patch: bool,

    /// Print how many bytes of each file are new, moved and unchanged
    ///
    /// Counted by chunks: bytes are moved if the older version has them anywhere in the same file. `warp diff` of two
    /// commits also says what the new chunks take in the repository, and how many are stored as differences. New are all
    /// that the older commit's changed and removed files do not have, so those of a file that was copied as well.
    #[arg(long)]
    pub(crate) stat: bool,

    /// Print only a letter and a name: A added, D deleted, M modified, T type changed, U metadata, R renamed
    #[arg(long, conflicts_with_all = ["patch", "stat", "name_only"])]
    pub(crate) name_status: bool,

    /// Print only names
    #[arg(long, conflicts_with_all = ["patch", "stat"])]
    pub(crate) name_only: bool,

    /// End names with NUL bytes and do not escape them; for --name-only and --name-status
    #[arg(short = 'z', long)]
    pub(crate) null: bool,
}

impl FormatArgs {
    fn is_default(&self) -> bool {
        !(self.patch || self.stat || self.name_status || self.name_only)
    }

    /// This, or text differences if nothing is asked for.
    pub(crate) fn or_patch(&self) -> Self {
        Self { patch: self.patch || self.is_default(), ..self.clone() }
    }

    /// This, or counts if nothing is asked for.
    pub(crate) fn or_stat(&self) -> Self {
        Self { stat: self.stat || self.is_default(), ..self.clone() }
    }

    /// # Errors
    /// If NUL bytes are wanted in a format that has lines.
    pub(crate) fn check(&self) -> Result<(), CliError> {
        match self.null && !(self.name_only || self.name_status) {
            true => Err(CliError::usage("-z needs --name-only or --name-status")),
            false => Ok(()),
        }
    }
}

/// Two trees to compare.
pub(crate) struct Comparison<'a> {
    pub(crate) old: Side<'a>,
    pub(crate) new: Side<'a>,
    pub(crate) selection: Selection,
    /// Look up what new chunks take, where counts are printed and neither side is live.
    pub(crate) costs: bool,
}

/// Compares, and hands every change to `sink`, whose error ends it. For people, the time of a directory is no change:
/// it only says that something in it came or went, which is told of itself.
pub(crate) fn compare(
    ui: &mut Ui,
    ctx: &Context,
    opened: &Opened,
    comparison: Comparison<'_>,
    chunk_stats: bool,
    mut sink: impl FnMut(&mut Ui, Change) -> Result<(), CliError>,
) -> Result<DiffSummary, CliError> {
    let Comparison { old, new, selection, costs } = comparison;
    let costs = costs && chunk_stats;
    let options = DiffOptions { selection, chunk_stats, costs, renames: true, threads: ctx.threads() };
    let observer = ui.observer();
    let mut failed = None;
    let mut hidden = 0;
    let mut each = |change: Change| {
        if !ui.is_json() && is_time_of_directory(&change) {
            hidden += 1;
            return ControlFlow::Continue(());
        }
        match sink(ui, change) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    let summary = ops::diff(&opened.repo, &old, &new, &options, &mut each, &observer)?;
    failed.map_or(Ok(DiffSummary { changes: summary.changes - hidden, ..summary }), Err)
}

fn is_time_of_directory(change: &Change) -> bool {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) if matches!(old.kind, EntryKind::Dir { .. }) => {
            let but_time = DirEntry { mtime: new.mtime, kind: new.kind.clone(), ..old.clone() };
            matches!(new.kind, EntryKind::Dir { .. }) && but_time == *new
        }
        _ => false,
    }
}

/// Compares and prints.
pub(crate) fn print(
    ui: &mut Ui,
    ctx: &Context,
    opened: &Opened,
    comparison: Comparison<'_>,
    format: &FormatArgs,
) -> Result<DiffSummary, CliError> {
    let live = matches!(comparison.new, Side::Live { .. }).then(|| opened.live_root().to_owned());
    let mut tally = Tally::default();
    let chunk_stats = format.stat || ui.is_json();
    let summary = compare(ui, ctx, opened, comparison, chunk_stats, |ui, change| {
        tally.add(&change);
        if ui.is_json() {
            return Ok(ui.json(&JsonChange::new(&change))?);
        }
        if format.stat || format.name_only || format.name_status {
            print_line(ui, &change, format)?;
        }
        if format.patch { print_patch(ui, opened, &change, live.as_deref()) } else { Ok(()) }
    })?;
    if ui.is_json() {
        writeln!(ui.out(), "{}", line(&JsonStatistics::new(&tally, &summary)))?;
    } else if format.stat && summary.changes > 0 {
        writeln!(ui.out(), " {}", tally.sentence(&summary.bytes))?;
        if let Some(costs) = summary.costs.as_ref().and_then(costs_sentence) {
            writeln!(ui.out(), " {costs}")?;
        }
    }
    Ok(summary)
}

/// What git calls a change.
pub(crate) fn letter(kind: ChangeKind) -> char {
    match kind {
        ChangeKind::Added => 'A',
        ChangeKind::Removed => 'D',
        ChangeKind::Modified => 'M',
        ChangeKind::TypeChanged => 'T',
        ChangeKind::Metadata => 'U',
        ChangeKind::Renamed => 'R',
    }
}

/// The colour of a change.
pub(crate) fn paint(kind: ChangeKind) -> Paint {
    match kind {
        ChangeKind::Added => Paint::Green,
        ChangeKind::Removed => Paint::Red,
        ChangeKind::Metadata => Paint::Blue,
        _ => Paint::Yellow,
    }
}

/// One line (or NUL-terminated record) of `--stat`, `--name-only` and `--name-status`.
fn print_line(ui: &mut Ui, change: &Change, format: &FormatArgs) -> io::Result<()> {
    let letter = letter(change.kind);
    if format.null {
        return print_raw(ui, change, letter, format.name_only);
    }
    let name = escape::name(&change.path);
    let old = change.old_path.as_ref().map(|old| escape::name(old));
    let text = match (format.name_only, format.stat, old) {
        (true, ..) => name.into_owned(),
        (_, true, Some(old)) => format!(" {old} -> {name} | {}", byte_counts(&change.bytes)),
        (_, true, None) => format!(" {name} | {}", byte_counts(&change.bytes)),
        (_, _, Some(old)) => format!("{letter}\t{old}\t{name}"),
        (_, _, None) => format!("{letter}\t{name}"),
    };
    let line = ui.paint(paint(change.kind), &text).into_owned();
    writeln!(ui.out(), "{line}")
}

fn print_raw(ui: &mut Ui, change: &Change, letter: char, name_only: bool) -> io::Result<()> {
    let out = ui.out();
    if !name_only {
        write!(out, "{letter}\0")?;
        if let Some(old) = &change.old_path {
            out.write_all(old)?;
            out.write_all(b"\0")?;
        }
    }
    out.write_all(&change.path)?;
    out.write_all(b"\0")
}

fn byte_counts(bytes: &ByteCounts) -> String {
    let ByteCounts { new, moved, unchanged, removed } = *bytes;
    let named = [(new, "new"), (moved, "moved"), (removed, "removed"), (unchanged, "unchanged")];
    let parts: Vec<String> = named
        .iter()
        .filter(|(amount, _)| *amount > 0)
        .map(|(amount, name)| format!("{} {name}", size::human(*amount)))
        .collect();
    if parts.is_empty() { "0 B".to_owned() } else { parts.join(", ") }
}

/// What new chunks take; `None`: there are none.
fn costs_sentence(costs: &ChunkCosts) -> Option<String> {
    if costs.chunks + costs.missing == 0 {
        return None;
    }
    let (bytes, taken) = (size::human(costs.bytes), size::human(costs.stored_bytes));
    let deltas = match costs.deltas.objects {
        0 => format!("none of {} stored as a difference", costs.chunks),
        number => format!(
            "{number} of {} stored as differences ({} as {})",
            costs.chunks,
            size::human(costs.deltas.bytes),
            size::human(costs.deltas.stored_bytes)
        ),
    };
    let missing = match costs.missing {
        0 => String::new(),
        number => format!("; {} missing", size::count(number, "more is", "more are")),
    };
    let estimated = match costs.one_in {
        0 | 1 => String::new(),
        number => format!("; estimated from one in {number}"),
    };
    Some(format!("{bytes} of new chunks take {taken}: {deltas}{missing}{estimated}"))
}

/// A change as git prints it: a header, then the lines that differ.
fn print_patch(ui: &mut Ui, opened: &Opened, change: &Change, live: Option<&Path>) -> Result<(), CliError> {
    for text in header(change) {
        let text = ui.paint(Paint::Bold, &text).into_owned();
        writeln!(ui.out(), "{text}")?;
    }
    let is_file =
        |entry: &Option<DirEntry>| matches!(entry, Some(DirEntry { kind: EntryKind::File { .. }, .. }));
    if change.kind == ChangeKind::Metadata || !(is_file(&change.old) || is_file(&change.new)) {
        return Ok(());
    }
    let mut text = Vec::new();
    ops::text_diff(&opened.repo, change, live, &|path| escape::name(path).into_owned(), &mut text)?;
    Ok(print_hunks(ui, &text)?)
}

/// Lines above a text difference.
fn header(change: &Change) -> Vec<String> {
    let new = prefixed("b/", &change.path);
    let old = prefixed("a/", change.old_path.as_ref().unwrap_or(&change.path));
    let mut lines = vec![format!("diff --warp {old} {new}")];
    match (&change.old, &change.new) {
        (None, Some(entry)) => lines.push(format!("new {} mode {}", kind(entry), mode(entry))),
        (Some(entry), None) => lines.push(format!("deleted {} mode {}", kind(entry), mode(entry))),
        (Some(old), Some(new)) => lines.extend(differences(old, new)),
        (None, None) => {}
    }
    if let Some(old) = &change.old_path {
        lines.push(format!("rename from {}", escape::name(old)));
        lines.push(format!("rename to {}", escape::name(&change.path)));
    }
    lines
}

fn prefixed(prefix: &str, path: &[u8]) -> String {
    escape::name(&[prefix.as_bytes(), path].concat()).into_owned()
}

/// What differs between two entries beside their content.
fn differences(old: &DirEntry, new: &DirEntry) -> Vec<String> {
    let mut lines = Vec::new();
    let mut both = |what: &str, old: String, new: String| {
        if old != new {
            lines.extend([format!("old {what} {old}"), format!("new {what} {new}")]);
        }
    };
    both("type", kind(old).to_owned(), kind(new).to_owned());
    both("mode", mode(old), mode(new));
    both("owner", owner(old), owner(new));
    both("target", target(old), target(new));
    both("attributes", attributes(old), attributes(new));
    lines
}

fn kind(entry: &DirEntry) -> &'static str {
    super::list::kind_name(&entry.kind)
}

fn mode(entry: &DirEntry) -> String {
    format!("{:04o}", entry.mode)
}

fn owner(entry: &DirEntry) -> String {
    let owner = &entry.owner;
    format!("{}:{} ({}:{})", owner.uid, owner.gid, escape::name(&owner.user), escape::name(&owner.group))
}

fn target(entry: &DirEntry) -> String {
    match &entry.kind {
        EntryKind::Symlink { target } => escape::name(target).into_owned(),
        _ => String::new(),
    }
}

fn attributes(entry: &DirEntry) -> String {
    let shown =
        |x: &warp::format::dirtree::Xattr| format!("{}={}", escape::name(&x.name), escape::name(&x.value));
    entry.xattrs.iter().map(shown).collect::<Vec<_>>().join(" ")
}

/// Prints a unified difference: in colours and harmless on a terminal, byte for byte elsewhere.
fn print_hunks(ui: &mut Ui, text: &[u8]) -> io::Result<()> {
    if !ui.is_terminal() && !ui.has_color() {
        return ui.out().write_all(text);
    }
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let ended = line.strip_suffix(b"\n").unwrap_or(line);
        let shown = if ui.is_terminal() {
            escape::content(ended)
        } else {
            String::from_utf8_lossy(ended).into_owned()
        };
        let painted = match line_paint(ended) {
            Some(paint) => ui.paint(paint, &shown).into_owned(),
            None => shown,
        };
        writeln!(ui.out(), "{painted}")?;
    }
    Ok(())
}

fn line_paint(line: &[u8]) -> Option<Paint> {
    match line {
        [b'-', b'-', b'-', b' ', ..] | [b'+', b'+', b'+', b' ', ..] => Some(Paint::Bold),
        [b'-', ..] => Some(Paint::Red),
        [b'+', ..] => Some(Paint::Green),
        [b'@', b'@', ..] => Some(Paint::Cyan),
        _ => None,
    }
}

/// How many changes of which sort.
#[derive(Debug, Default)]
struct Tally {
    added: Entries,
    removed: Entries,
    changed_files: u64,
}

/// Entries on one side, by sort.
#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Entries {
    files: u64,
    dirs: u64,
    others: u64,
}

impl Entries {
    fn add(&mut self, entry: Option<&DirEntry>) {
        match entry.map(|entry| &entry.kind) {
            Some(EntryKind::File { .. }) => self.files += 1,
            Some(EntryKind::Dir { .. }) => self.dirs += 1,
            Some(_) => self.others += 1,
            None => {}
        }
    }
}

impl Tally {
    fn add(&mut self, change: &Change) {
        match change.kind {
            ChangeKind::Added => self.added.add(change.new.as_ref()),
            ChangeKind::Removed => self.removed.add(change.old.as_ref()),
            _ => self.changed_files += 1,
        }
    }

    fn sentence(&self, bytes: &ByteCounts) -> String {
        let all = |side: &Entries| side.files + side.dirs + side.others;
        let (added, removed) = (all(&self.added), all(&self.removed));
        format!("{} changed, {added} added, {removed} removed; {}", self.changed_files, byte_counts(bytes))
    }
}

#[derive(Debug, Serialize)]
struct JsonChange {
    message_type: &'static str,
    #[serde(flatten)]
    path: PathText,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<PathText>,
    modifier: char,
    bytes: JsonBytes,
}

#[derive(Debug, Serialize)]
struct JsonBytes {
    new: u64,
    moved: u64,
    unchanged: u64,
    removed: u64,
}

impl JsonBytes {
    fn new(bytes: &ByteCounts) -> Self {
        Self { new: bytes.new, moved: bytes.moved, unchanged: bytes.unchanged, removed: bytes.removed }
    }
}

impl JsonChange {
    fn new(change: &Change) -> Self {
        // restic marks an added path with `+` and a removed one with `-`.
        let modifier = match change.kind {
            ChangeKind::Added => '+',
            ChangeKind::Removed => '-',
            kind => letter(kind),
        };
        Self {
            message_type: "change",
            path: PathText::new(&change.path),
            source: change.old_path.as_ref().map(|path| PathText::new(path)),
            modifier,
            bytes: JsonBytes::new(&change.bytes),
        }
    }
}

#[derive(Debug, Serialize)]
struct JsonStatistics {
    message_type: &'static str,
    changed_files: u64,
    added: Entries,
    removed: Entries,
    bytes: JsonBytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_chunks: Option<JsonCosts>,
}

/// What new chunks take.
#[derive(Debug, Serialize)]
struct JsonCosts {
    count: u64,
    bytes: u64,
    bytes_packed: u64,
    delta_objects: u64,
    delta_bytes: u64,
    delta_bytes_packed: u64,
    missing: u64,
    /// Over 1: these are estimates from one chunk in so many.
    one_in: u64,
}

impl JsonCosts {
    fn new(costs: &ChunkCosts) -> Self {
        Self {
            count: costs.chunks,
            bytes: costs.bytes,
            bytes_packed: costs.stored_bytes,
            delta_objects: costs.deltas.objects,
            delta_bytes: costs.deltas.bytes,
            delta_bytes_packed: costs.deltas.stored_bytes,
            missing: costs.missing,
            one_in: costs.one_in,
        }
    }
}

impl JsonStatistics {
    fn new(tally: &Tally, summary: &DiffSummary) -> Self {
        Self {
            message_type: "statistics",
            changed_files: tally.changed_files,
            added: tally.added,
            removed: tally.removed,
            bytes: JsonBytes::new(&summary.bytes),
            new_chunks: summary.costs.as_ref().map(JsonCosts::new),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: ChangeKind) -> Change {
        Change {
            path: b"dir/a\n".to_vec(),
            old_path: None,
            kind,
            old: None,
            new: None,
            bytes: ByteCounts::default(),
        }
    }

    #[test]
    fn names_in_headers_are_escaped() {
        let renamed = Change { old_path: Some(b"old\xff".to_vec()), ..change(ChangeKind::Renamed) };
        let lines = header(&renamed);
        assert_eq!(lines[0], r#"diff --warp "a/old\xff" "b/dir/a\n""#);
        assert_eq!(lines[1..], [r#"rename from "old\xff""#, r#"rename to "dir/a\n""#]);
    }

    #[test]
    fn a_json_change_has_the_modifiers_of_restic() {
        let shown = line(&JsonChange::new(&change(ChangeKind::Added)));
        assert!(shown.starts_with(r#"{"message_type":"change","path":"dir/a\n","modifier":"+","#), "{shown}");
        assert!(line(&JsonChange::new(&change(ChangeKind::Modified))).contains(r#""modifier":"M""#));
    }

    #[test]
    fn costs_say_what_is_missing_and_what_is_an_estimate() {
        assert_eq!(costs_sentence(&ChunkCosts::default()), None);
        let mut costs = ChunkCosts::default();
        (costs.chunks, costs.bytes, costs.stored_bytes, costs.one_in) = (8, 4096, 1024, 4);
        costs.missing = 1;
        assert_eq!(
            costs_sentence(&costs).unwrap(),
            "4.0 KiB of new chunks take 1.0 KiB: none of 8 stored as a difference; 1 more is missing; \
             estimated from one in 4"
        );
    }

    #[test]
    fn byte_counts_leave_out_what_is_nothing() {
        assert_eq!(byte_counts(&ByteCounts::default()), "0 B");
        assert_eq!(
            byte_counts(&ByteCounts { new: 1, unchanged: 2048, ..Default::default() }),
            "1 B new, 2.0 KiB unchanged"
        );
    }
}
