//! Commits as people read them.

use std::collections::BTreeMap;
use std::io;

use warp::id::CommitId;
use warp::repo::{Head, VersionInfo, VersionTimeline};

use super::context::Opened;
use super::error::CliError;
use super::json::Snapshot;
use super::ui::{Paint, Ui};
use super::{escape, size, time};

/// What a commit without a message is shown as.
const NO_MESSAGE: &str = "(no message)";

/// Which refs stand on which commit, and which of its parents are left.
pub(crate) struct Decorations {
    by_commit: BTreeMap<CommitId, Vec<String>>,
    head: Option<Head>,
    timeline: VersionTimeline,
}

impl Decorations {
    pub(crate) fn read(opened: &Opened) -> Result<Self, CliError> {
        let mut by_commit: BTreeMap<CommitId, Vec<String>> = BTreeMap::new();
        let timeline = opened.repo.timeline();
        for (name, id) in timeline.refs() {
            by_commit.entry(*id).or_default().push(name.clone());
        }
        Ok(Self { by_commit, head: opened.head()?, timeline })
    }

    /// Full names of the refs on a commit.
    pub(crate) fn refs(&self, id: CommitId) -> Vec<String> {
        self.by_commit.get(&id).cloned().unwrap_or_default()
    }

    /// Those of a commit's parents that were forgotten.
    pub(crate) fn forgotten_parents(&self, version: &VersionInfo) -> Vec<CommitId> {
        version.commit.parents.iter().copied().filter(|id| !self.timeline.is_live(*id)).collect()
    }

    /// The commits before one, also those behind forgotten ones.
    pub(crate) fn live_parents(&self, id: CommitId) -> Vec<CommitId> {
        self.timeline.live_parents(id)
    }

    /// `HEAD -> main, tag: v1, other`; empty if nothing stands there.
    fn shown(&self, id: CommitId) -> String {
        let mut names = Vec::new();
        if matches!(&self.head, Some(Head::Detached(at)) if *at == id) {
            names.push("HEAD".to_owned());
        }
        for full in self.by_commit.get(&id).into_iter().flatten() {
            match (full.strip_prefix("heads/"), full.strip_prefix("tags/"), &self.head) {
                (Some(branch), _, Some(Head::Branch(head))) if branch == head => {
                    names.insert(0, format!("HEAD -> {}", escape::line(branch)));
                }
                (Some(branch), _, _) => names.push(escape::line(branch)),
                (_, Some(tag), _) => names.push(format!("tag: {}", escape::line(tag))),
                _ => names.push(escape::line(full.strip_prefix("remotes/").unwrap_or(full))),
            }
        }
        names.join(", ")
    }

    fn in_brackets(&self, id: CommitId) -> String {
        let shown = self.shown(id);
        if shown.is_empty() { shown } else { format!(" ({shown})") }
    }
}

/// First line of a commit's message.
pub(crate) fn title(message: &str) -> String {
    let first = message.lines().find(|line| !line.trim().is_empty()).unwrap_or(NO_MESSAGE);
    escape::line(first.trim())
}

/// A commit in one line: short id, refs, title, and whether a parent was forgotten.
pub(crate) fn oneline(ui: &Ui, version: &VersionInfo, decorations: &Decorations) -> String {
    let id = version.id.short();
    let refs = decorations.in_brackets(version.id);
    let forgotten =
        if decorations.forgotten_parents(version).is_empty() { "" } else { " (parent forgotten)" };
    format!(
        "{}{} {}{forgotten}",
        ui.paint(Paint::Yellow, &id),
        ui.paint(Paint::Cyan, &refs),
        title(&version.commit.message)
    )
}

/// A commit as `git log` prints it, as lines.
pub(crate) fn full(ui: &Ui, version: &VersionInfo, decorations: &Decorations) -> Vec<String> {
    let (commit, id) = (&version.commit, format!("commit {}", version.id));
    let refs = decorations.in_brackets(version.id);
    let mut lines = vec![format!("{}{}", ui.paint(Paint::Yellow, &id), ui.paint(Paint::Cyan, &refs))];
    if commit.parents.len() > 1 {
        let parents: Vec<String> = commit.parents.iter().map(CommitId::short).collect();
        lines.push(format!("Merge:  {}", parents.join(" ")));
    }
    let forgotten = decorations.forgotten_parents(version);
    lines.extend(forgotten.iter().map(|id| format!("Parent: {} (forgotten)", id.short())));
    lines.extend(commit.original.map(|id| format!("Made of: {}", id.short())));
    if let Some(of) = &commit.imported {
        lines.push(format!("Import: {} of {}", of.id, of.family));
    }
    lines.push(format!("Author: {}", escape::line(&commit.author)));
    lines.push(format!("Date:   {}", time::git_style(commit.time, commit.utc_offset)));
    lines.push(format!("Host:   {}", escape::line(&commit.host)));
    lines.extend(commit.paths.iter().map(|path| format!("Path:   {}", escape::name(path))));
    if !commit.tags.is_empty() {
        lines.push(format!("Tags:   {}", escape::line(&commit.tags.join(", "))));
    }
    lines.push(String::new());
    let message = if commit.message.trim().is_empty() { NO_MESSAGE } else { commit.message.trim_end() };
    lines.extend(escape::text(message).lines().map(|line| format!("    {line}").trim_end().to_owned()));
    lines
}

/// What a commit counted, in one line.
pub(crate) fn counts(version: &VersionInfo) -> String {
    let stats = &version.commit.stats;
    let problems = match stats.problems {
        0 => String::new(),
        number => format!(", {} not read", size::count(number, "path", "paths")),
    };
    format!(
        "{} in {} and {}; {} new, {} stored{problems}",
        size::human(stats.bytes),
        size::count(stats.files, "file", "files"),
        size::count(stats.dirs, "directory", "directories"),
        size::human(stats.new_bytes),
        size::human(stats.stored_bytes),
    )
}

/// A commit as JSON.
pub(crate) fn snapshot(version: &VersionInfo, decorations: &Decorations) -> Snapshot {
    let snapshot = Snapshot::new(version.id, &version.commit, decorations.refs(version.id));
    snapshot.with_forgotten(&decorations.forgotten_parents(version))
}

/// A commit as JSON, one line.
pub(crate) fn json_line(ui: &mut Ui, version: &VersionInfo, decorations: &Decorations) -> io::Result<()> {
    ui.json(&snapshot(version, decorations).into_line())
}

/// Lines on standard output.
pub(crate) fn print(ui: &mut Ui, lines: &[String]) -> io::Result<()> {
    lines.iter().try_for_each(|line| writeln!(ui.out(), "{line}"))
}
