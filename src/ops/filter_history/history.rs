//! Which commits there are, in which order, and what becomes of their parents.

use std::collections::{HashMap, HashSet};

use crate::id::CommitId;
use crate::repo::{Head, LogState, RefMove};

/// Commits that were rewritten, and what became of them.
pub(super) type Heirs = HashMap<CommitId, CommitId>;

/// All live commits, each behind those before it, also where forgotten ones lie between.
pub(super) fn parents_first(state: &LogState) -> Vec<CommitId> {
    let (mut order, mut seen) = (Vec::with_capacity(state.commits.len()), HashSet::new());
    for id in &state.commits {
        let mut open = vec![(*id, false)];
        while let Some((id, is_ready)) = open.pop() {
            if is_ready {
                order.push(id);
            } else if seen.insert(id) {
                open.push((id, true));
                let before = state.nearest_before(&id, |id| state.is_live(id));
                open.extend(before.into_iter().filter(|id| !seen.contains(id)).map(|id| (id, false)));
            }
        }
    }
    order
}

/// Commits that something may be built on: those that no other stands on, and those on which refs or HEAD stand.
pub(super) fn tips(state: &LogState, head: Option<&Head>) -> HashSet<CommitId> {
    let mut tips: HashSet<CommitId> = state.commits.iter().copied().collect();
    for id in &state.commits {
        for parent in state.nearest_before(id, |id| state.is_live(id)) {
            tips.remove(&parent);
        }
    }
    tips.extend(state.refs.values());
    if let Some(Head::Detached(id)) = head {
        tips.insert(*id);
    }
    tips
}

/// The parents that a commit has among rewritten ones. In the place of a forgotten one stand the nearest that are left before it, if
/// any of these was rewritten: the way to it goes through the originals.
pub(super) fn parents(state: &LogState, parents: &[CommitId], heirs: &Heirs) -> Vec<CommitId> {
    let heir = |id: &CommitId| heirs.get(id).copied().unwrap_or(*id);
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for parent in parents {
        let before = match state.is_live(parent) {
            true => Vec::new(),
            false => state.nearest_before(parent, |id| state.is_live(id)),
        };
        let is_passed = before.iter().any(|id| heirs.contains_key(id));
        let now = if is_passed { before.iter().map(heir).collect() } else { vec![heir(parent)] };
        found.extend(now.into_iter().filter(|id| seen.insert(*id)));
    }
    found
}

/// Where the refs go that stand on rewritten commits. A remote has the originals, so what is remembered of it is forgotten.
pub(super) fn moves(state: &LogState, heirs: &Heirs) -> Vec<RefMove> {
    let moved = |(name, id): (&String, &CommitId)| {
        let new = Some(*heirs.get(id)?).filter(|_| !name.starts_with("remotes/"));
        Some(RefMove { name: name.clone(), old: Some(*id), new })
    };
    state.refs.iter().filter_map(moved).collect()
}
