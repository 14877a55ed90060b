//! `bundle unbundle`.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use crate::cas::{ChunkStore, pack_name};
use crate::format::bundle::{BundlePrivate, BundlePublic};
use crate::format::log::{CommitRecord, PackRecord};
use crate::id::{CommitId, PackId};
use crate::observe::{Observer, Phase};
use crate::repo::{Draft, LogState, RepoError, Repository, read_version};

use super::super::OpsError;
use super::super::bring::{Bringer, Brought};
use super::super::gc::{Copies, Marker};
use super::super::races::{begin_anew, is_overtaken, overtaken, pinned};
use super::file::BundleFile;
use super::packs::BundlePacks;
use super::refs::{self, RefOutcome, Rules};
use super::source::BundleSource;

/// Most commits that an error names.
const NAMED_MAX: usize = 5;

/// How to bring a bundle in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnbundleRequest {
    /// Also move branches that would not go forward, tags, and the branch that is checked out.
    pub force: bool,
    /// Full name of the branch that a working directory is on: it is left where it stands.
    pub checked_out: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct UnbundleOutcome {
    /// Commits that are new.
    pub commits: Vec<CommitId>,
    /// Commits that were there.
    pub commits_there: u64,
    /// Packs that were written.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packs that were there.
    pub packs_there: u64,
    /// Packs that were damaged in the bundle and are whole now, by their names in the repository.
    pub healed: Vec<String>,
    /// Branches and tags.
    pub refs: Vec<RefOutcome>,
}

/// Brings the commits of a bundle into a repository of the same family, with their branches and tags: these are made or go forward, and
/// others stay where they stand, which the outcome says.
///
/// Damage that the parity of its packs can heal is healed. All blocks are opened, and all that the new commits reach is looked up before
/// anything counts. Where all commits are there, nothing is stored; where some are not, its packs are, whole. Any number of others may
/// work in the repository.
///
/// # Errors
/// [`OpsError::Refused`] for a bundle of another family, or one whose prerequisites are not here, which it names; when its signature does not
/// verify, more of it is damaged than can be healed, or it lacks something; when the store fails; [`OpsError::Cancelled`]. The
/// repository's history is then as it was.
pub fn unbundle(
    repo: &Repository,
    path: &Path,
    request: &UnbundleRequest,
    observer: &dyn Observer,
) -> Result<UnbundleOutcome, OpsError> {
    let file = BundleFile::open(path)?;
    check_family(repo, &file)?;
    repo.check_bundle(file.manifest())?;
    file.faults.iter().for_each(|fault| observer.notice(&format!("{}: {fault}", path.display())));
    let private = repo.open_bundle(file.public())?;
    check_refs(file.public(), &private)?;
    let source = Arc::new(BundleSource::new(file));
    begin_anew(|| {
        let state = repo.refresh()?;
        let job = Unbundler { repo, state: &state, source: &source, private: &private, request, observer };
        job.run().map_err(|error| if is_overtaken(repo, &state) { overtaken() } else { error })
    })
}

fn check_family(repo: &Repository, file: &BundleFile) -> Result<(), OpsError> {
    let (of_bundle, of_repo) = (file.public().config.family, repo.family());
    if of_bundle == of_repo {
        return Ok(());
    }
    let why = format!(
        "{} is of family {of_bundle}, and {} is of family {of_repo}: only repositories that share their keys can exchange bundles",
        file.path().display(),
        repo.location()
    );
    Err(OpsError::Refused { why })
}

/// Refs stand on commits that are in the bundle.
fn check_refs(public: &BundlePublic, private: &BundlePrivate) -> Result<(), OpsError> {
    let held: HashSet<&CommitId> = public.commits.iter().map(|commit| &commit.id).collect();
    match private.refs.iter().find(|(_, commit)| !held.contains(commit)) {
        None => Ok(()),
        Some((name, commit)) => Err(OpsError::Damaged {
            what: "the bundle".to_owned(),
            why: format!("{name} stands on commit {commit}, which is not in it"),
        }),
    }
}

/// One attempt, in one state of the log.
struct Unbundler<'a> {
    repo: &'a Repository,
    state: &'a LogState,
    source: &'a Arc<BundleSource>,
    private: &'a BundlePrivate,
    request: &'a UnbundleRequest,
    observer: &'a dyn Observer,
}

impl Unbundler<'_> {
    fn public(&self) -> &BundlePublic {
        self.source.file().public()
    }

    fn run(&self) -> Result<UnbundleOutcome, OpsError> {
        let new: Vec<&CommitRecord> =
            self.public().commits.iter().filter(|commit| !self.state.is_live(&commit.id)).collect();
        let mut outcome = UnbundleOutcome {
            commits: new.iter().map(|commit| commit.id).collect(),
            commits_there: (self.public().commits.len() - new.len()) as u64,
            ..UnbundleOutcome::default()
        };
        if new.is_empty() {
            outcome.refs = self.decide(self.state);
            if !refs::moves(&outcome.refs).is_empty() {
                self.publish(&Brought::default(), &[], &mut outcome)?;
            }
            return Ok(outcome);
        }
        self.check_prerequisites()?;
        let chunks = pinned(self.repo, self.state);
        let packs = BundlePacks::new(self.repo, self.source)?;
        let bringer = Bringer::new((self.repo, self.state, &chunks), &packs, self.observer);
        let records: Vec<PackRecord> = self.source.file().packs().map(|(record, _)| record).collect();
        let done = bringer.bring(&records).and_then(|()| bringer.complete_bases());
        let brought = bringer.into_brought();
        let done = done.and_then(|()| self.reach(&chunks, &new, &brought));
        let done = done.and_then(|uses| self.publish(&brought, &uses, &mut outcome));
        if let Err(error) = done {
            brought.discard(self.repo, &error);
            return Err(error);
        }
        self.count(&brought, &mut outcome);
        Ok(outcome)
    }

    fn check_prerequisites(&self) -> Result<(), OpsError> {
        let is_lacking = |id: &&CommitId| !self.state.is_live(id);
        let lacking: Vec<&CommitId> = self.public().prerequisites.iter().filter(is_lacking).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let named: Vec<String> = lacking.iter().take(NAMED_MAX).map(|id| id.to_hex()).collect();
        let more = lacking.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let why = format!(
            "{} builds on what this repository does not have: {}{more}. Where it was made, `warp bundle create FILE REV` makes one that \
             has all of it, `warp bundle create FILE REV ^COMMIT` one that builds on a commit which is here",
            self.source.file().path().display(),
            named.join(", ")
        );
        Err(OpsError::Refused { why })
    }

    /// Looks up all that the new commits reach; returns the packs of before that they rely on.
    fn reach(
        &self,
        chunks: &ChunkStore,
        new: &[&CommitRecord],
        brought: &Brought,
    ) -> Result<Vec<PackId>, OpsError> {
        self.observer.phase(Phase::Mark, None, None);
        let mut marker = Marker::new((chunks, Copies::Usable), self.observer);
        for commit in new {
            let told = read_version(chunks, commit.id)?.commit.parents;
            if told != commit.parents {
                let what = format!("commit {} of the bundle", commit.id);
                let why = "its parents are not those that the bundle names".to_owned();
                return Err(OpsError::Damaged { what, why });
            }
            marker.commit(commit.id)?;
        }
        marker.settle()?;
        // The new packs may also have deltas that nothing reaches, since the objects were there: their bases must stay all the same.
        Ok(brought.uses(marker.into_marks().packs().copied()))
    }

    fn decide(&self, state: &LogState) -> Vec<RefOutcome> {
        let checked_out = self.request.checked_out.as_deref();
        let rules = Rules { force: self.request.force, checked_out };
        refs::decide(state, self.public(), &self.private.refs, rules)
    }

    /// Lets the log take it: packs, index, commits and refs in one entry.
    fn publish(
        &self,
        brought: &Brought,
        uses: &[PackId],
        outcome: &mut UnbundleOutcome,
    ) -> Result<(), OpsError> {
        self.observer.phase(Phase::Finish, None, None);
        if self.observer.cancelled() {
            return Err(OpsError::Cancelled);
        }
        self.repo.append(&mut |now| {
            // Another process has taken the same bundle.
            if brought.verbatim.iter().any(|pack| now.packs.contains_key(&pack.uid)) {
                return Err(RepoError::Overtaken);
            }
            outcome.refs = self.decide(now);
            Ok(self.draft(now, brought, uses, &outcome.refs))
        })?;
        Ok(())
    }

    fn draft(&self, now: &LogState, brought: &Brought, uses: &[PackId], refs: &[RefOutcome]) -> Draft {
        let public = self.public();
        let new = public.commits.iter().filter(|commit| !now.is_live(&commit.id));
        let based_on = if new.clone().next().is_some() { public.prerequisites.clone() } else { Vec::new() };
        let gone = public.forgotten.iter().filter(|commit| !now.parents.contains_key(&commit.id));
        let file = self.source.file().path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        Draft {
            packs_added: brought.packs().copied().collect(),
            segments_added: brought.own.segments.clone(),
            uses: uses.to_vec(),
            commits: new.chain(gone.clone()).cloned().collect(),
            forgotten: gone.map(|commit| commit.id).collect(),
            based_on,
            refs: refs::moves(refs),
            message: format!("unbundle: {file}"),
            ..Draft::default()
        }
    }

    fn count(&self, brought: &Brought, outcome: &mut UnbundleOutcome) {
        outcome.packs = brought.packs().count() as u64;
        outcome.bytes = brought.packs().map(|pack| pack.len).sum();
        outcome.packs_there = brought.there;
        outcome.healed = brought.healed.iter().map(|pack| pack_name(pack).as_str().to_owned()).collect();
    }
}
