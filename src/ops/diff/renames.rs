//! Renamed files: removed here and added there with the same content.

use std::collections::{HashMap, VecDeque};

use crate::format::dirtree::{DirEntry, EntryKind};
use crate::format::node::ContentRoot;

use super::super::convert;
use super::{ByteCounts, Change, ChangeKind};

/// Most changes that are held back to look for pairs among them; about half a kilobyte each.
pub(super) const HELD_MAX: usize = 1 << 16;

/// Whether a change may be one half of a rename.
pub(super) fn is_candidate(change: &Change) -> bool {
    content_of(change).is_some()
}

/// Turns pairs of removed and added files of the same content into renames, which stand where the file was added. A
/// pair of the same file name goes first; otherwise the first removed file goes to the first added one.
pub(super) fn pair(mut changes: Vec<Change>) -> Vec<Change> {
    let partner = partners(&changes);
    let mut old_sides: HashMap<usize, (Vec<u8>, Option<DirEntry>)> = HashMap::new();
    for &removed in partner.values() {
        let change = &mut changes[removed];
        old_sides.insert(removed, (std::mem::take(&mut change.path), change.old.take()));
    }
    for (&added, removed) in &partner {
        let (old_path, old) = old_sides.remove(removed).expect("each removed file has one partner");
        let change = &mut changes[added];
        let unchanged = change.new.as_ref().map_or(0, convert::size);
        let is_counted = change.bytes != ByteCounts::default();
        change.bytes =
            ByteCounts { unchanged: if is_counted { unchanged } else { 0 }, ..ByteCounts::default() };
        (change.kind, change.old_path, change.old) = (ChangeKind::Renamed, Some(old_path), old);
    }
    changes.retain(|change| change.old.is_some() || change.new.is_some());
    changes
}

/// For each added file that has one, the removed file that it was.
fn partners(changes: &[Change]) -> HashMap<usize, usize> {
    let of_kind = |kind| {
        let found = changes.iter().enumerate().filter(move |(_, change)| change.kind == kind);
        found.filter_map(|(index, change)| Some((index, content_of(change)?, file_name(&change.path))))
    };
    let mut named: HashMap<(ContentRoot, &[u8]), VecDeque<usize>> = HashMap::new();
    let mut any: HashMap<ContentRoot, VecDeque<usize>> = HashMap::new();
    for (index, content, name) in of_kind(ChangeKind::Removed) {
        named.entry((content, name)).or_default().push_back(index);
        any.entry(content).or_default().push_back(index);
    }
    let mut partner = HashMap::new();
    let mut is_taken = vec![false; changes.len()];
    for (index, content, name) in of_kind(ChangeKind::Added) {
        if let Some(removed) = named.get_mut(&(content, name)).and_then(VecDeque::pop_front) {
            is_taken[removed] = true;
            partner.insert(index, removed);
        }
    }
    for (index, content, _) in of_kind(ChangeKind::Added) {
        let Some(left) = any.get_mut(&content).filter(|_| !partner.contains_key(&index)) else { continue };
        while let Some(removed) = left.pop_front() {
            if !std::mem::replace(&mut is_taken[removed], true) {
                partner.insert(index, removed);
                break;
            }
        }
    }
    partner
}

/// The content of an added or removed regular file, unless it is empty.
fn content_of(change: &Change) -> Option<ContentRoot> {
    let entry = match change.kind {
        ChangeKind::Added => change.new.as_ref()?,
        ChangeKind::Removed => change.old.as_ref()?,
        _ => return None,
    };
    match &entry.kind {
        EntryKind::File { content, .. } if *content != ContentRoot::Empty => Some(*content),
        _ => None,
    }
}

fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}
