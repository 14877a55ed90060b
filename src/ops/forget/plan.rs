//! Which commits a request forgets, in one state of the log.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{ForgetGroup, ForgetRequest, Judged};
use crate::format::commit::Commit;
use crate::format::wire::Rights;
use crate::id::CommitId;
use crate::observe::Observer;
use crate::ops::OpsError;
use crate::ops::host::{Receipts, read_receipts};
use crate::repo::{
    GroupKey, Head, KeepReason, LogState, RefMove, RepoError, Repository, RetentionFacts, RetentionGroup,
    group_commits,
};
use crate::sync::PeerKey;

/// What a request comes to in one state of the log.
pub(super) struct Plan {
    /// Number of the state's last entry.
    pub(super) number: u64,
    pub(super) groups: Vec<ForgetGroup>,
    pub(super) forgotten: Vec<CommitId>,
    pub(super) moves: Vec<RefMove>,
}

/// Makes plans, and remembers what it has read for the next one.
pub(super) struct Planner<'a> {
    repo: &'a Repository,
    request: &'a ForgetRequest,
    observer: &'a dyn Observer,
    /// What was live when the choosing began.
    at_first: HashSet<CommitId>,
    read: HashMap<CommitId, Commit>,
    /// What a host noted of those commits that keys brought which may only append.
    receipts: Receipts,
}

/// Seconds for which what such a key brought counts for nothing: time to notice that somebody else has it.
const SETTLE: i64 = 7 * 86_400;

/// Why commits stay whatever the policy or the user says.
type Protected = HashMap<CommitId, Vec<KeepReason>>;

impl<'a> Planner<'a> {
    pub(super) fn new(
        repo: &'a Repository,
        request: &'a ForgetRequest,
        state: &LogState,
        observer: &'a dyn Observer,
    ) -> Result<Self, OpsError> {
        let at_first = state.commits.iter().copied().collect();
        // Who names commits has judged them.
        let receipts = match request.commits.is_empty() {
            true => read_receipts(repo.chunks().vault().store(), None),
            false => Ok(HashMap::new()),
        };
        let failed = |source| RepoError::Store { location: repo.location(), source };
        let mut receipts = receipts.map_err(failed)?;
        receipts.retain(|_, receipt| !receipt.rights.has(Rights::GC));
        Ok(Self { repo, request, observer, at_first, read: HashMap::new(), receipts })
    }

    pub(super) fn plan(&mut self, state: &LogState) -> Result<Plan, OpsError> {
        let protected = self.protected(state);
        let groups = match self.request.commits.is_empty() {
            true => self.by_policy(state, &protected)?,
            false => vec![self.by_name(state, &protected)?],
        };
        let forgotten: Vec<CommitId> =
            groups.iter().flat_map(|group| &group.forgotten).map(|judged| judged.id).collect();
        let moves = moves(state, &forgotten);
        Ok(Plan { number: state.number, groups, forgotten, moves })
    }

    fn protected(&self, state: &LogState) -> Protected {
        let mut protected = Protected::new();
        let mut keep = |id: CommitId, reason| protected.entry(id).or_default().push(reason);
        for (name, id) in &state.refs {
            match (name.strip_prefix("heads/"), name.strip_prefix("remotes/")) {
                (Some(_), _) if self.request.force => {}
                (Some(branch), _) => keep(*id, KeepReason::Branch(branch.to_owned())),
                // It says where another repository stands: going back would make it say what is not so.
                (_, Some(branch)) => keep(*id, KeepReason::Remote(branch.to_owned())),
                _ => keep(*id, KeepReason::Tag(name.strip_prefix("tags/").unwrap_or(name).to_owned())),
            }
        }
        if let Some(Head::Detached(id)) = self.request.head {
            keep(id, KeepReason::Head);
        }
        let new = state.commits.iter().filter(|id| !self.at_first.contains(*id));
        let parents: BTreeSet<CommitId> =
            new.filter_map(|id| state.parents.get(id)).flatten().copied().collect();
        parents.into_iter().for_each(|id| keep(id, KeepReason::Parent));
        protected
    }

    /// The named commits, all of which must be free to go. One that others have forgotten is left out.
    fn by_name(&self, state: &LogState, protected: &Protected) -> Result<ForgetGroup, OpsError> {
        let mut group = ForgetGroup::default();
        let mut seen = HashSet::new();
        for id in self.request.commits.iter().copied().filter(|id| seen.insert(*id)) {
            if state.is_forgotten(&id) {
                continue;
            }
            if !state.is_live(&id) {
                let why = "it is no live commit".to_owned();
                return Err(RepoError::NoRevision { spec: id.to_hex(), why }.into());
            }
            if let Some(reason) = protected.get(&id).and_then(|reasons| reasons.first()) {
                return Err(must_stay(id, reason));
            }
            let commit = self.repo.version(id).ok().map(|version| version.commit);
            group.forgotten.push(Judged { id, commit, reasons: Vec::new() });
        }
        Ok(group)
    }

    fn by_policy(&mut self, state: &LogState, protected: &Protected) -> Result<Vec<ForgetGroup>, OpsError> {
        let (request, mut facts) = (self.request, Vec::new());
        for id in state.commits.iter().rev() {
            if self.observer.cancelled() {
                return Err(OpsError::Cancelled);
            }
            let commit = self.commit(*id)?;
            if fits(commit, request) {
                let mut of = facts_of(*id, commit);
                if let Some(receipt) = self.receipts.get(id) {
                    // What its maker says of time and host does not count, but when it came and from whom.
                    of.time = receipt.time;
                    of.host = format!("{} by {}", of.host, PeerKey::new(receipt.key));
                }
                facts.push(of);
            }
        }
        let groups = group_commits(facts, self.request.group_by);
        groups.into_iter().map(|group| self.judge(group, protected)).collect()
    }

    fn is_unsettled(&self, id: &CommitId) -> bool {
        let now = (self.repo.client().now)().secs;
        self.receipts.get(id).is_some_and(|receipt| now.saturating_sub(receipt.time.secs) < SETTLE)
    }

    fn commit(&mut self, id: CommitId) -> Result<&Commit, OpsError> {
        if !self.read.contains_key(&id) {
            let version = self.repo.version(id).inspect_err(|_| {
                let id = id.short();
                let text = format!("commit {id} cannot be judged; `warp forget {id}` forgets it unread");
                self.observer.notice(&text);
            })?;
            self.read.insert(id, version.commit);
        }
        Ok(&self.read[&id])
    }

    fn judge(&self, mut group: RetentionGroup, protected: &Protected) -> Result<ForgetGroup, OpsError> {
        let (mut kept, mut forgotten) = (Vec::new(), Vec::new());
        group.commits.retain(|facts| {
            let is_unsettled = self.is_unsettled(&facts.id);
            if is_unsettled {
                let mut reasons = vec![KeepReason::Unsettled];
                reasons.extend(protected.get(&facts.id).into_iter().flatten().cloned());
                kept.push(Judged { id: facts.id, commit: self.read.get(&facts.id).cloned(), reasons });
            }
            !is_unsettled
        });
        let verdicts = self.request.policy.judge(&group.commits, (self.repo.client().now)());
        for (facts, verdict) in group.commits.iter().zip(verdicts) {
            let mut reasons = verdict.reasons;
            reasons.extend(protected.get(&facts.id).into_iter().flatten().cloned());
            let list = if reasons.is_empty() { &mut forgotten } else { &mut kept };
            list.push(Judged { id: facts.id, commit: self.read.get(&facts.id).cloned(), reasons });
        }
        if kept.is_empty() && !self.request.allow_all {
            return Err(all_would_go(&group.key, forgotten.len()));
        }
        Ok(ForgetGroup { key: group.key, kept, forgotten })
    }
}

fn fits(commit: &Commit, request: &ForgetRequest) -> bool {
    request.host.as_ref().is_none_or(|host| *host == commit.host)
        && request.tags.iter().all(|tag| commit.tags.contains(tag))
        && request.paths.iter().all(|path| commit.paths.contains(path))
}

fn facts_of(id: CommitId, commit: &Commit) -> RetentionFacts {
    RetentionFacts {
        id,
        time: commit.time,
        utc_offset: commit.utc_offset,
        host: commit.host.clone(),
        paths: commit.paths.clone(),
        tags: commit.tags.clone(),
    }
}

/// Where branches go that stand on commits that are forgotten.
fn moves(state: &LogState, forgotten: &[CommitId]) -> Vec<RefMove> {
    let gone: HashSet<&CommitId> = forgotten.iter().collect();
    let is_left = |id: &CommitId| state.is_live(id) && !gone.contains(id);
    let stranded = state.refs.iter().filter(|(_, id)| gone.contains(id));
    let back = stranded.map(|(name, id)| {
        let new = state.nearest_before(id, is_left).first().copied();
        RefMove { name: name.clone(), old: Some(*id), new }
    });
    back.collect()
}

fn must_stay(id: CommitId, reason: &KeepReason) -> OpsError {
    let id = id.short();
    let why = match reason {
        KeepReason::Tag(name) => {
            format!("commit {id} has the tag {name}; delete that first, with `warp tag -d {name}`")
        }
        KeepReason::Branch(name) => format!(
            "branch {name} stands on commit {id}; with --force it goes back to the commit before, or goes with its last one"
        ),
        KeepReason::Remote(name) => format!(
            "{name} stands on commit {id}, as far as was fetched; `warp fetch` looks again, and `warp branch -R -d {name}` forgets \
             where it stood"
        ),
        KeepReason::Head => {
            format!("HEAD stands on commit {id}; go elsewhere first, with `warp switch` or `warp checkout`")
        }
        KeepReason::Parent => {
            format!(
                "somebody made a commit on top of commit {id} meanwhile; run it again if it shall go all the same"
            )
        }
        reason => format!("commit {id} stays: {reason}"),
    };
    OpsError::Refused { why }
}

fn all_would_go(key: &GroupKey, commits: usize) -> OpsError {
    let mut of = Vec::new();
    of.extend(key.host.as_ref().map(|host| format!("host {host}")));
    of.extend(key.paths.iter().flatten().map(|path| String::from_utf8_lossy(path).into_owned()));
    of.extend(key.tags.as_ref().map(|tags| format!("tags {}", tags.join(","))));
    let of = if of.is_empty() { String::new() } else { format!(" of {}", of.join(", ")) };
    let why = match commits {
        1 => format!("the policy keeps none of the commits{of}: the only one would be forgotten"),
        more => format!("the policy keeps none of the commits{of}: all {more} would be forgotten"),
    };
    OpsError::Refused { why }
}
