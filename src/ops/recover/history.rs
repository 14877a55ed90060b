//! Which commits are live and where refs stand, of what entries that survive say and of what lies in packs.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use crate::format::log::CommitRecord;
use crate::id::CommitId;
use crate::repo::{RefMove, Survivors};

use super::packs::{FoundCommit, FoundCommits};

/// Digits of a commit's id in the name of a branch that is made for it, and if that name is taken.
const DIGITS: [usize; 2] = [8, 2 * CommitId::LEN];
/// What is known of a commit that lies in no pack.
const NOWHERE: &str = "it is in no pack that can be read; an entry that is lost may have forgotten it";
/// Branches that are made for commits which no ref reaches.
pub(super) const BRANCHES: &str = "heads/recovered/";

/// A ref that does not stand where it stood last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedRef {
    /// Full name.
    pub name: String,
    /// Where it stood, as far as is known.
    pub from: CommitId,
    /// Where it stands now; `None`: nowhere, since nothing is left that it could stand on.
    pub to: Option<CommitId>,
}

/// What the new log says of history.
#[derive(Debug, Default)]
pub(super) struct History {
    /// All commits that are named in it, in their order.
    pub(super) commits: Vec<CommitRecord>,
    /// Those of them that are not live.
    pub(super) gone: Vec<CommitId>,
    /// Live commits that no entry names.
    pub(super) unnamed: Vec<CommitId>,
    /// Commits that were live, and cannot be read; with why.
    pub(super) lost: Vec<(CommitId, String)>,
    /// Where refs stand.
    pub(super) refs: BTreeMap<String, CommitId>,
    /// Those that stand elsewhere than they did.
    pub(super) moved: Vec<MovedRef>,
    /// Branches that were made, also among `refs`.
    pub(super) branches: Vec<(String, CommitId)>,
    live: HashSet<CommitId>,
    parents: HashMap<CommitId, Vec<CommitId>>,
}

impl History {
    pub(super) fn new(survivors: &Survivors, found: &FoundCommits) -> Self {
        let mut history = Self::default();
        history.judge(survivors, found);
        history.place_refs(survivors);
        history.branch();
        history
    }

    /// How many commits are live.
    pub(super) fn live(&self) -> usize {
        self.live.len()
    }

    pub(super) fn moves(&self) -> impl Iterator<Item = RefMove> + '_ {
        self.refs.iter().map(|(name, id)| RefMove { name: name.clone(), old: None, new: Some(*id) })
    }

    /// Decides of every commit whether it is live: if it can be read, and no entry has forgotten it.
    fn judge(&mut self, survivors: &Survivors, found: &FoundCommits) {
        for id in order(&survivors.commits, &found.read) {
            let read = found.read.get(&id);
            let named = survivors.parents.get(&id);
            let parents = named.or(read.map(|commit| &commit.parents)).cloned().unwrap_or_default();
            match (survivors.forgotten.contains(&id), read) {
                (false, Some(_)) => drop(self.live.insert(id)),
                (true, _) => self.gone.push(id),
                (false, None) => {
                    let why = found.unreadable.get(&crate::id::ChunkId::from(id).locator()).cloned();
                    self.lost.push((id, why.unwrap_or_else(|| NOWHERE.to_owned())));
                    self.gone.push(id);
                }
            }
            if named.is_none() && self.live.contains(&id) {
                self.unnamed.push(id);
            }
            self.parents.insert(id, parents.clone());
            self.commits.push(CommitRecord { id, parents });
        }
    }

    /// Puts every ref where it stood last or, if that commit is gone, on the nearest one before it; if none is known, where it
    /// stood before.
    fn place_refs(&mut self, survivors: &Survivors) {
        for (name, places) in &survivors.refs {
            let Some(Some(last)) = places.last() else { continue };
            let stood = || places.iter().rev().flatten().copied().find(|id| self.live.contains(id));
            let to = self.live_before(last).or_else(stood);
            if to != Some(*last) {
                self.moved.push(MovedRef { name: name.clone(), from: *last, to });
            }
            self.refs.extend(to.map(|to| (name.clone(), to)));
        }
    }

    /// The commit, if it is live, or the nearest live one before it.
    fn live_before(&self, id: &CommitId) -> Option<CommitId> {
        let (mut open, mut seen) = (VecDeque::from([*id]), HashSet::new());
        while let Some(at) = open.pop_front() {
            if self.live.contains(&at) {
                return Some(at);
            }
            if seen.insert(at) {
                open.extend(self.parents.get(&at).into_iter().flatten());
            }
        }
        None
    }

    /// Makes a branch for every live commit that no ref reaches and that is before none of these.
    fn branch(&mut self) {
        let reached = self.reached(self.refs.values().copied().collect());
        let left: Vec<CommitId> =
            self.commits.iter().map(|commit| commit.id).filter(|id| self.live.contains(id)).collect();
        let left: Vec<CommitId> = left.into_iter().filter(|id| !reached.contains(id)).collect();
        let parents = left.iter().filter_map(|id| self.parents.get(id)).flatten().copied();
        let before = self.reached(parents.collect());
        for id in left.into_iter().filter(|id| !before.contains(id)) {
            let names = DIGITS.map(|digits| format!("{BRANCHES}{}", &id.to_hex()[..digits]));
            let [short, long] = names;
            let name = if self.refs.contains_key(&short) { long } else { short };
            self.refs.insert(name.clone(), id);
            self.branches.push((name, id));
        }
    }

    /// All commits that these come from, themselves included.
    fn reached(&self, mut open: Vec<CommitId>) -> HashSet<CommitId> {
        let mut seen = HashSet::new();
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(self.parents.get(&id).into_iter().flatten());
            }
        }
        seen
    }
}

/// All commits: those that entries name in the order of these, and each other one before the first that is younger.
fn order(named: &[CommitId], found: &HashMap<CommitId, FoundCommit>) -> Vec<CommitId> {
    let known: HashSet<&CommitId> = named.iter().collect();
    let mut others: Vec<_> = found.iter().filter(|(id, _)| !known.contains(id)).collect();
    others.sort_unstable_by_key(|(id, commit)| (commit.time, **id));
    let (mut others, mut order) = (others.into_iter().peekable(), Vec::new());
    for id in named {
        if let Some(at) = found.get(id).map(|commit| commit.time) {
            while let Some((other, _)) = others.next_if(|(_, commit)| commit.time < at) {
                order.push(*other);
            }
        }
        order.push(*id);
    }
    order.extend(others.map(|(id, _)| *id));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::dirtree::Timestamp;
    use crate::id::DeviceId;

    fn id(number: u8) -> CommitId {
        CommitId::new([number; CommitId::LEN])
    }

    /// Commits that lie in packs: number, time, parents.
    fn found(commits: &[(u8, i64, &[u8])]) -> FoundCommits {
        let commit = |&(number, secs, parents): &(u8, i64, &[u8])| {
            let parents = parents.iter().map(|parent| id(*parent)).collect();
            let (time, device) = (Timestamp { secs, nanos: 0 }, DeviceId::new([1; DeviceId::LEN]));
            (id(number), FoundCommit { parents, time, device })
        };
        FoundCommits { read: commits.iter().map(commit).collect(), ..FoundCommits::default() }
    }

    fn survivors(commits: &[(u8, &[u8])], forgotten: &[u8], refs: &[(&str, &[u8])]) -> Survivors {
        let places = |places: &[u8]| places.iter().map(|place| (*place > 0).then(|| id(*place))).collect();
        Survivors {
            commits: commits.iter().map(|(number, _)| id(*number)).collect(),
            parents: commits
                .iter()
                .map(|(number, parents)| (id(*number), parents.iter().map(|parent| id(*parent)).collect()))
                .collect(),
            forgotten: forgotten.iter().map(|number| id(*number)).collect(),
            refs: refs.iter().map(|(name, at)| ((*name).to_owned(), places(at))).collect(),
            ..Survivors::default()
        }
    }

    #[test]
    fn commits_that_nobody_names_come_before_the_first_that_is_younger() {
        let found = found(&[(1, 10, &[]), (2, 20, &[]), (3, 15, &[]), (4, 30, &[]), (5, 5, &[])]);
        assert_eq!(order(&[id(1), id(2), id(9)], &found.read), [5, 1, 3, 2, 9, 4].map(id));
    }

    #[test]
    fn a_ref_falls_back_to_what_came_before_then_to_where_it_stood_and_then_goes() {
        let named: &[(u8, &[u8])] = &[(1, &[]), (2, &[1]), (3, &[2]), (4, &[3]), (5, &[]), (6, &[5])];
        let found = found(&[(1, 1, &[]), (2, 2, &[1]), (4, 4, &[3])]);
        let refs: &[(&str, &[u8])] = &[
            ("stays", &[0, 1, 4]),
            ("goes back", &[0, 1, 3]),
            ("stood before", &[0, 1, 6]),
            ("goes", &[6]),
            ("was deleted", &[2, 0]),
        ];
        let history = History::new(&survivors(named, &[5], refs), &found);
        let stands = |name: &str| history.refs.get(name).copied();
        assert_eq!(stands("stays"), Some(id(4)));
        assert_eq!(stands("goes back"), Some(id(2)));
        assert_eq!(stands("stood before"), Some(id(1)));
        assert_eq!((stands("goes"), stands("was deleted")), (None, None));
        let moved: Vec<_> = history.moved.iter().map(|moved| (&*moved.name, moved.from, moved.to)).collect();
        let back = ("goes back", id(3), Some(id(2)));
        let expected = [("goes", id(6), None), back, ("stood before", id(6), Some(id(1)))];
        assert_eq!(moved, expected);
        assert_eq!(history.lost.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [3, 6].map(id));
        assert_eq!((history.gone, history.branches.len()), ([3, 5, 6].map(id).to_vec(), 0));
    }

    #[test]
    fn only_the_last_commits_that_no_ref_reaches_get_branches_each_its_own() {
        let mut twin = [7; CommitId::LEN];
        twin[20] = 8;
        let mut found = found(&[(1, 1, &[]), (2, 2, &[1]), (3, 3, &[2]), (4, 4, &[1]), (7, 5, &[4])]);
        let commit = FoundCommit { parents: vec![id(4)], ..found.read[&id(7)].clone() };
        found.read.insert(CommitId::new(twin), commit);
        let history = History::new(&survivors(&[(3, &[2])], &[], &[("heads/main", &[2])]), &found);
        let mut names: Vec<_> = history.branches.iter().map(|(name, _)| &name[BRANCHES.len()..]).collect();
        names.sort_unstable_by_key(|name| name.len());
        assert_eq!(names[..2], ["03030303", "07070707"]);
        assert!(names[2].len() == 64 && names.len() == 3, "{names:?}");
        assert_eq!((history.live(), history.unnamed.len()), (6, 5));
    }
}
