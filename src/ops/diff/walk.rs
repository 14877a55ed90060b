//! Comparing two stored trees: both in order at once, past everything that they share.

use std::cmp::Ordering;

use crate::format::dirtree::DirEntry;
use crate::limits::TREE_DEPTH_MAX;

use super::super::selection::Wanted;
use super::super::{OpsError, convert, tree};
use super::report::{Reporter, Stop};
use super::{is_dir, listing};

/// A name that one side or both have.
type Pair = (Option<DirEntry>, Option<DirEntry>);

/// A directory whose inner directories are being compared.
struct Frame {
    path: Vec<u8>,
    dirs: std::vec::IntoIter<Pair>,
}

/// Compares the directories `old` and `new` at `path`, either of which may be missing.
pub(super) fn compare(
    path: Vec<u8>,
    old: Option<DirEntry>,
    new: Option<DirEntry>,
    reporter: &mut Reporter<'_>,
) -> Result<(), Stop> {
    let mut stack: Vec<Frame> = enter(path, (old, new), reporter)?.into_iter().collect();
    while let Some(frame) = stack.last_mut() {
        let Some(pair) = frame.dirs.next() else {
            stack.pop();
            continue;
        };
        let path = convert::join(&frame.path, name(&pair));
        stack.extend(enter(path, pair, reporter)?);
        if stack.len() > TREE_DEPTH_MAX {
            let why = format!("it has directories more than {TREE_DEPTH_MAX} deep");
            return Err(OpsError::Damaged { what: "a tree".to_owned(), why }.into());
        }
    }
    Ok(())
}

/// Reports a directory and what it holds but its directories, which are returned if there are any to compare.
fn enter(path: Vec<u8>, pair: Pair, reporter: &mut Reporter<'_>) -> Result<Option<Frame>, Stop> {
    reporter.check_cancelled()?;
    if reporter.wanted(&path, true) == Wanted::No {
        return Ok(None);
    }
    let node = |entry: &Option<DirEntry>| entry.as_ref().and_then(tree::dir_node).copied();
    let (old, new) = (node(&pair.0), node(&pair.1));
    let is_on_both = pair.0.is_some() && pair.1.is_some();
    if is_on_both || old == new {
        reporter.pair(&path, pair.0.as_ref(), pair.1.as_ref())?;
    }
    if old == new {
        return Ok(None);
    }
    let (old, new) = listing::differing(reporter.chunks, old, new)?;
    let mut dirs = Vec::new();
    for (old, new) in join(old, new) {
        let (old_dir, old) = split(old);
        let (new_dir, new) = split(new);
        if let Some(entry) = old.as_ref().or(new.as_ref()) {
            reporter.pair(&convert::join(&path, &entry.name), old.as_ref(), new.as_ref())?;
        }
        if old_dir != new_dir {
            dirs.push((old_dir, new_dir));
        }
    }
    Ok(Some(Frame { path, dirs: dirs.into_iter() }))
}

fn name((old, new): &Pair) -> &[u8] {
    old.as_ref().or(new.as_ref()).map_or(&[], |entry| &entry.name)
}

/// The entry as a directory, or as anything else.
fn split(entry: Option<DirEntry>) -> (Option<DirEntry>, Option<DirEntry>) {
    match entry {
        Some(entry) if is_dir(&entry) => (Some(entry), None),
        other => (None, other),
    }
}

/// All names of two listings with the entries that they lead to.
fn join(old: Vec<DirEntry>, new: Vec<DirEntry>) -> impl Iterator<Item = Pair> {
    let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
    std::iter::from_fn(move || {
        let order = match (old.peek(), new.peek()) {
            (Some(old), Some(new)) => old.name.cmp(&new.name),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        let pair =
            (if order.is_le() { old.next() } else { None }, if order.is_ge() { new.next() } else { None });
        Some(pair).filter(|(old, new)| old.is_some() || new.is_some())
    })
}
