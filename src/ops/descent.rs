//! Which commits descend from which, as a log and those who bring commits tell.

use std::collections::{HashMap, HashSet};

use crate::format::log::CommitRecord;
use crate::id::CommitId;
use crate::repo::LogState;

/// Descent as a log knows it and, where that says nothing, what is told besides.
pub(super) struct Descent<'a> {
    state: &'a LogState,
    told: Told<'a>,
}

enum Told<'a> {
    Records(HashMap<CommitId, &'a [CommitId]>),
    Log(&'a LogState),
}

impl<'a> Descent<'a> {
    /// With what records say.
    pub(super) fn with_records(
        state: &'a LogState,
        records: impl IntoIterator<Item = &'a CommitRecord>,
    ) -> Self {
        let told = records.into_iter().map(|commit| (commit.id, &commit.parents[..])).collect();
        Self { state, told: Told::Records(told) }
    }

    /// With what another log says.
    pub(super) fn with_log(state: &'a LogState, other: &'a LogState) -> Self {
        Self { state, told: Told::Log(other) }
    }

    fn parents(&self, id: &CommitId) -> &[CommitId] {
        let known = self.state.parents.get(id).map(Vec::as_slice);
        let told = || match &self.told {
            Told::Records(records) => records.get(id).copied(),
            Told::Log(log) => log.parents.get(id).map(Vec::as_slice),
        };
        known.or_else(told).unwrap_or_default()
    }

    /// Whether `after` descends from `before`, or is it.
    pub(super) fn is_before(&self, before: CommitId, after: CommitId) -> bool {
        let (mut seen, mut open) = (HashSet::new(), vec![after]);
        while let Some(id) = open.pop() {
            if id == before {
                return true;
            }
            if seen.insert(id) {
                open.extend(self.parents(&id));
            }
        }
        false
    }
}
