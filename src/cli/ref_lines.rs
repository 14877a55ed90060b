//! Lines about refs that moved, as git writes them.

use serde::Serialize;
use warp::id::CommitId;
use warp::ops::{Carried, FetchNews, FetchedRef, PushNews, PushedRef, short_name};

use super::escape;
use super::size::{count, human};
use super::ui::Ui;
use crate::cli::error::CliError;

/// Width of the column that says what became of a ref.
const WIDTH: usize = 20;

/// One ref: a mark, what became of it, both names, and why.
struct Line<'a> {
    mark: char,
    what: String,
    from: &'a str,
    to: &'a str,
    why: &'static str,
}

impl std::fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Line { mark, what, from, to, why } = self;
        let (from, to) = (escape::line(from), escape::line(to));
        write!(f, " {mark} {what:<WIDTH$} ")?;
        match from.is_empty() {
            true => write!(f, "{to}")?,
            false => write!(f, "{from} -> {to}")?,
        }
        if why.is_empty() { Ok(()) } else { write!(f, " ({why})") }
    }
}

fn kind(full: &str) -> &'static str {
    if full.starts_with("tags/") { "[new tag]" } else { "[new branch]" }
}

fn range(old: Option<CommitId>, dots: &str, new: Option<CommitId>) -> String {
    let short = |id: Option<CommitId>| id.map(|id| id.short()).unwrap_or_default();
    format!("{}{dots}{}", short(old), short(new))
}

/// The line about a ref that was pushed; `is_refused`: another one kept all where they stood.
pub(crate) fn pushed(of: &PushedRef, is_refused: bool) -> String {
    let why = match of.news {
        PushNews::NonFastForward => "non-fast-forward",
        PushNews::FetchFirst => "fetch first",
        PushNews::TagExists => "already exists",
        PushNews::Stale => "stale info",
        PushNews::CheckedOut => "branch is currently checked out",
        PushNews::Missing => "remote ref does not exist",
        PushNews::BadName => "no branch or tag can have this name",
        PushNews::Forced => "forced update",
        _ => "",
    };
    let (mark, what, why) = match of.news {
        news if news.is_refused() => ('!', "[rejected]".to_owned(), why),
        PushNews::Same => ('=', "[up to date]".to_owned(), ""),
        _ if is_refused => ('!', "[rejected]".to_owned(), "atomic push failed"),
        PushNews::Created => ('*', kind(&of.name).to_owned(), ""),
        PushNews::Deleted => ('-', "[deleted]".to_owned(), ""),
        PushNews::Forced => ('+', range(of.old, "...", of.new), why),
        _ => (' ', range(of.old, "..", of.new), ""),
    };
    Line { mark, what, from: &of.from, to: short_name(&of.name), why }.to_string()
}

/// The line about a ref that was fetched.
pub(crate) fn fetched(of: &FetchedRef) -> String {
    let (mark, what, why) = match of.news {
        FetchNews::Created => ('*', kind(&of.name).to_owned(), ""),
        FetchNews::Forced => ('+', range(of.old, "...", of.new), "forced update"),
        FetchNews::Same => ('=', "[up to date]".to_owned(), ""),
        FetchNews::Pruned => ('-', "[deleted]".to_owned(), ""),
        FetchNews::TagExists => ('!', "[rejected]".to_owned(), "would clobber existing tag"),
        FetchNews::BadName => ('!', "[rejected]".to_owned(), "no branch or tag can have this name"),
        _ => (' ', range(of.old, "..", of.new), ""),
    };
    let from = if of.news == FetchNews::Pruned { "(none)" } else { short_name(&of.name) };
    Line { mark, what, from, to: short_name(&of.local), why }.to_string()
}

/// What became of a pushed ref, in a word.
fn push_word(news: PushNews) -> &'static str {
    match news {
        PushNews::Created => "created",
        PushNews::Forwarded => "forwarded",
        PushNews::Forced => "forced",
        PushNews::Same => "same",
        PushNews::Deleted => "deleted",
        PushNews::NonFastForward => "non_fast_forward",
        PushNews::FetchFirst => "fetch_first",
        PushNews::TagExists => "tag_exists",
        PushNews::Stale => "stale",
        PushNews::CheckedOut => "checked_out",
        PushNews::Missing => "missing",
        _ => "bad_name",
    }
}

fn fetch_word(news: FetchNews) -> &'static str {
    match news {
        FetchNews::Created => "created",
        FetchNews::Forwarded => "forwarded",
        FetchNews::Forced => "forced",
        FetchNews::Same => "same",
        FetchNews::Pruned => "pruned",
        FetchNews::TagExists => "tag_exists",
        _ => "bad_name",
    }
}

/// A ref in JSON.
#[derive(Serialize)]
pub(crate) struct RefJson {
    #[serde(rename = "ref")]
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_ref: Option<String>,
    old: Option<String>,
    new: Option<String>,
    result: &'static str,
}

impl From<&PushedRef> for RefJson {
    fn from(of: &PushedRef) -> Self {
        let [old, new] = [of.old, of.new].map(|id| id.map(|id| id.to_hex()));
        Self { name: of.name.clone(), local_ref: None, old, new, result: push_word(of.news) }
    }
}

impl From<&FetchedRef> for RefJson {
    fn from(of: &FetchedRef) -> Self {
        let [old, new] = [of.old, of.new].map(|id| id.map(|id| id.to_hex()));
        let local_ref = Some(of.local.clone());
        Self { name: of.name.clone(), local_ref, old, new, result: fetch_word(of.news) }
    }
}

/// What was carried, in JSON.
#[derive(Serialize)]
pub(crate) struct CarriedJson {
    message_type: &'static str,
    remote: String,
    refs: Vec<RefJson>,
    refused: bool,
    dry_run: bool,
    commits_new: usize,
    packs: u64,
    packs_rewritten: u64,
    packs_found: u64,
    bytes: u64,
    packs_healed: Vec<String>,
}

impl CarriedJson {
    pub(crate) fn new(
        message_type: &'static str,
        remote: &str,
        refs: Vec<RefJson>,
        carried: &Carried,
        (refused, dry_run): (bool, bool),
    ) -> Self {
        Self {
            message_type,
            remote: remote.to_owned(),
            refs,
            refused,
            dry_run,
            commits_new: carried.commits.len(),
            packs: carried.packs,
            packs_rewritten: carried.packs_rewritten,
            packs_found: carried.packs_found,
            bytes: carried.bytes,
            packs_healed: carried.healed.clone(),
        }
    }
}

/// Says what was carried.
pub(crate) fn summary(ui: &mut Ui, carried: &Carried, dry_run: bool) {
    for name in &carried.healed {
        ui.warn(format_args!("{name} was damaged where it came from; it was healed on the way"));
    }
    if carried.commits.is_empty() {
        return;
    }
    let commits = count(carried.commits.len() as u64, "commit", "commits");
    let packs = count(carried.packs + carried.packs_rewritten, "pack", "packs");
    let would = if dry_run { "would go: " } else { "" };
    let found = match carried.packs_found {
        0 => String::new(),
        found => format!(", {found} of which were there from an attempt before"),
    };
    ui.status(format_args!("{would}{commits}, {} in {packs}{found}", human(carried.bytes)));
}

/// Says what was fetched.
pub(crate) fn report_fetched(
    ui: &mut Ui,
    place: &str,
    done: &warp::ops::FetchOutcome,
    dry_run: bool,
) -> Result<bool, CliError> {
    let is_refused = |of: &FetchedRef| matches!(of.news, FetchNews::TagExists | FetchNews::BadName);
    let refused = done.refs.iter().any(is_refused);
    if ui.is_json() {
        let refs = done.refs.iter().map(RefJson::from).collect();
        ui.json(&CarriedJson::new("fetched", place, refs, &done.carried, (refused, dry_run)))?;
        return Ok(refused);
    }
    summary(ui, &done.carried, dry_run);
    let is_shown = |of: &&FetchedRef| of.news != FetchNews::Same || ui.verbose() > 0;
    let lines: Vec<String> = done.refs.iter().filter(is_shown).map(fetched).collect();
    if !lines.is_empty() && !ui.is_quiet() {
        writeln!(ui.out(), "From {}", escape::line(place))?;
        lines.iter().try_for_each(|line| writeln!(ui.out(), "{line}"))?;
    }
    Ok(refused)
}
