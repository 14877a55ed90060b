//! The state that a log adds up to.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::cas::IndexView;
use crate::format::dirtree::Timestamp;
use crate::format::log::{DeviceRecord, EntryPrivate, EntryPublic, PackRecord, SegmentRecord};
use crate::id::{CommitId, DeviceId, EntryHash, PackId, RefId, SegmentId};

use super::RepoError;

/// One movement of a ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefLogEntry {
    /// Full name of the ref.
    pub name: String,
    /// Where it stood; `None`: nowhere.
    pub old: Option<CommitId>,
    /// Where it stands since; `None`: it was deleted.
    pub new: Option<CommitId>,
    /// When.
    pub time: Timestamp,
    /// By whom, as `user@host`.
    pub who: String,
    /// What was done.
    pub message: String,
    /// Number of the log entry.
    pub entry: u64,
}

/// A change of a ref that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefMove {
    /// Full name.
    pub name: String,
    /// Where it must stand now.
    pub old: Option<CommitId>,
    /// Where it shall stand; `None`: delete it.
    pub new: Option<CommitId>,
}

/// That something was condemned: when, and by which entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condemned {
    /// Number of the entry.
    pub entry: u64,
    /// When it was written, by its writer's clock.
    pub time: Timestamp,
}

/// What exists, as of one entry of the log.
#[derive(Debug, Clone, Default)]
#[cfg_attr(test, derive(PartialEq))]
pub struct LogState {
    /// Number of the last entry; 0: none.
    pub number: u64,
    /// Hash of the last entry.
    pub hash: Option<EntryHash>,
    /// The newest data key that an entry was sealed under; 0: there is no entry. It never goes down.
    pub epoch: u32,
    /// Packs that exist.
    pub packs: BTreeMap<PackId, PackRecord>,
    /// The packs that exist, in the order in which they came.
    pub pack_order: Vec<PackId>,
    /// Packs that must not be used any more, though they exist.
    pub condemned: HashMap<PackId, Condemned>,
    /// Names of files that no entry has added, and that one has condemned: they may belong to a writer that is still at work.
    pub orphans: HashMap<PackId, Condemned>,
    /// Packs that exist and that entries other than their own relied on, with the number of the last such entry.
    pub used: HashMap<PackId, u64>,
    /// Packs that existed once: a file that still has such a name is left over.
    pub removed_packs: HashSet<PackId>,
    /// The same for index segments.
    pub removed_segments: HashSet<SegmentId>,
    /// Index segments, in the order in which they came.
    pub segments: Vec<SegmentRecord>,
    /// Live commits, oldest entry first.
    pub commits: Vec<CommitId>,
    /// Parents of all commits that ever were live.
    pub parents: HashMap<CommitId, Vec<CommitId>>,
    /// Refs by full name.
    pub refs: BTreeMap<String, CommitId>,
    /// All movements of refs, oldest first.
    pub reflog: Vec<RefLogEntry>,
    /// Devices that may write, and what they may.
    pub devices: HashMap<DeviceId, DeviceRecord>,
    /// Bytes of all entries.
    pub log_bytes: u64,
    /// Number of the newest checkpoint that this handle has read or written; 0: none.
    pub(super) checkpoint: u64,
    pub(super) live: HashSet<CommitId>,
    /// Places of all commits that ever were live, in the order in which they first came.
    pub(super) order: HashMap<CommitId, usize>,
    pub(super) names: HashMap<RefId, String>,
}

impl LogState {
    /// Whether the commit is live.
    pub fn is_live(&self, id: &CommitId) -> bool {
        self.live.contains(id)
    }

    /// Whether the commit was live once and is no more.
    pub fn is_forgotten(&self, id: &CommitId) -> bool {
        self.parents.contains_key(id) && !self.is_live(id)
    }

    /// The nearest commits before `id` that `is_left` picks, along every line of descent, that of the first parents first.
    /// What is not picked is walked through: so history holds together when commits in its middle are forgotten.
    pub fn nearest_before(&self, id: &CommitId, is_left: impl Fn(&CommitId) -> bool) -> Vec<CommitId> {
        let parents = |id: &CommitId| self.parents.get(id).into_iter().flatten().rev().copied();
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        let mut open: Vec<CommitId> = parents(id).collect();
        while let Some(at) = open.pop() {
            if !seen.insert(at) {
                continue;
            }
            match is_left(&at) {
                true => found.push(at),
                false => open.extend(parents(&at)),
            }
        }
        found
    }

    /// Whether the pack is condemned, and no entry has used it since: then no commit can come to need it any more.
    pub fn is_removable(&self, pack: &PackId) -> bool {
        let used = self.used.get(pack).copied().unwrap_or(0);
        self.condemned.get(pack).is_some_and(|condemned| used < condemned.entry)
    }

    /// Whether an entry has ever named a pack or segment of this name.
    pub fn names(&self, uid: &PackId) -> bool {
        let segment = SegmentId::new(*uid.as_bytes());
        self.packs.contains_key(uid)
            || self.removed_packs.contains(uid)
            || self.orphans.contains_key(uid)
            || self.removed_segments.contains(&segment)
            || self.segments.iter().any(|there| there.uid == segment)
    }

    /// What the index shall speak of.
    pub fn index_view(&self) -> IndexView {
        IndexView {
            entry: self.number,
            segments: self.segments.clone(),
            live: self.packs.keys().copied().collect(),
            condemned: self.condemned.keys().copied().collect(),
            self_indexed: self.packs.values().filter(|pack| pack.self_indexed).map(|pack| pack.uid).collect(),
        }
    }

    /// Applies the next entry, whose signature and chaining have been verified.
    pub(super) fn apply(
        &mut self,
        public: &EntryPublic,
        private: EntryPrivate,
        hash: EntryHash,
        len: u64,
    ) -> Result<(), RepoError> {
        self.apply_public(public, private.time, hash, len);
        self.apply_refs(public, private)
    }

    /// Applies what the next entry says to everybody: all but refs. When it was written only holders of the keys know.
    pub(super) fn apply_public(&mut self, public: &EntryPublic, time: Timestamp, hash: EntryHash, len: u64) {
        self.number = public.number;
        self.hash = Some(hash);
        self.log_bytes += len;
        self.epoch = self.epoch.max(public.epoch);
        self.apply_storage(public, time);
        self.apply_commits(public);
        for device in &public.devices {
            match device.roles {
                0 => self.devices.remove(&device.device),
                _ => self.devices.insert(device.device, *device),
            };
        }
    }

    fn apply_storage(&mut self, public: &EntryPublic, time: Timestamp) {
        for pack in &public.packs_added {
            self.packs.insert(pack.uid, *pack);
            self.orphans.remove(&pack.uid);
        }
        self.pack_order.extend(public.packs_added.iter().map(|pack| pack.uid));
        self.used.extend(public.uses.iter().map(|pack| (*pack, public.number)));
        for uid in &public.packs_condemned {
            let list = if self.packs.contains_key(uid) { &mut self.condemned } else { &mut self.orphans };
            list.insert(*uid, Condemned { entry: public.number, time });
        }
        for uid in &public.packs_removed {
            self.packs.remove(uid);
            self.condemned.remove(uid);
            self.orphans.remove(uid);
            self.used.remove(uid);
        }
        if !public.packs_removed.is_empty() {
            self.removed_packs.extend(&public.packs_removed);
            self.pack_order.retain(|uid| self.packs.contains_key(uid));
        }
        if !public.segments_removed.is_empty() {
            self.removed_segments.extend(&public.segments_removed);
            public.segments_removed.iter().for_each(|uid| {
                self.orphans.remove(&PackId::new(*uid.as_bytes()));
            });
            self.segments.retain(|segment| !self.removed_segments.contains(&segment.uid));
        }
        for segment in &public.segments_added {
            self.orphans.remove(&PackId::new(*segment.uid.as_bytes()));
            self.segments.push(*segment);
        }
    }

    fn apply_commits(&mut self, public: &EntryPublic) {
        self.exchange_commits(public);
        for commit in &public.commits {
            self.parents.insert(commit.id, commit.parents.clone());
            let next = self.order.len();
            let place = *self.order.entry(commit.id).or_insert(next);
            if self.live.insert(commit.id) {
                // One that was forgotten comes back to its old place: it is not the latest.
                let at = self.commits.partition_point(|other| self.order[other] < place);
                self.commits.insert(at, commit.id);
            }
        }
        if !public.forgotten.is_empty() {
            public.forgotten.iter().for_each(|id| {
                self.live.remove(id);
            });
            self.commits.retain(|id| self.live.contains(id));
        }
    }

    /// Of an entry that adds commits and forgets others, the n-th that it adds takes the place of the n-th that it forgets:
    /// history that was rewritten has the order that it had.
    fn exchange_commits(&mut self, public: &EntryPublic) {
        let pairs = public.forgotten.iter().zip(&public.commits).map(|(old, commit)| (*old, commit.id));
        let is_new = |(old, new): &(CommitId, CommitId)| self.is_live(old) && !self.order.contains_key(new);
        let exchanged: HashMap<CommitId, CommitId> = pairs.filter(is_new).collect();
        if exchanged.is_empty() {
            return;
        }
        // The original stays right before it, where it is again if it comes back.
        let mut places: Vec<(usize, CommitId)> = self.order.iter().map(|(id, place)| (*place, *id)).collect();
        places.sort_unstable();
        let ids = places.into_iter().flat_map(|(_, id)| [Some(id), exchanged.get(&id).copied()]).flatten();
        self.order = ids.zip(0..).collect();
        for id in &mut self.commits {
            if let Some(new) = exchanged.get(id) {
                self.live.remove(id);
                self.live.insert(*new);
                *id = *new;
            }
        }
    }

    fn apply_refs(&mut self, public: &EntryPublic, private: EntryPrivate) -> Result<(), RepoError> {
        let wrong = |why| RepoError::Log { number: public.number, why };
        self.names.extend(private.names.into_iter().map(|name| (name.id, name.name)));
        for change in &public.refs {
            let name =
                self.names.get(&change.id).ok_or_else(|| wrong("it moves a ref that has no name"))?.clone();
            if self.refs.get(&name) != change.old.as_ref() {
                return Err(wrong("it moves a ref from where the ref did not stand"));
            }
            match change.new {
                Some(new) => self.refs.insert(name.clone(), new),
                None => self.refs.remove(&name),
            };
            self.reflog.push(RefLogEntry {
                name,
                old: change.old,
                new: change.new,
                time: private.time,
                who: private.who.clone(),
                message: private.message.clone(),
                entry: public.number,
            });
        }
        Ok(())
    }
}
