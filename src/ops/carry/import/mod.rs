//! Pushing to a repository with other keys: its commits are read, the oldest first, and made anew there.
//!
//! All ids are others there, since they are keyed. A commit that was made so carries the original, with its id, family and
//! signature. Which commits were made of which the client remembers, so that the next push goes on from there; the commits
//! themselves say it, too.

mod tree;

use std::collections::{HashMap, HashSet};

use crate::cas::Sealer;
use crate::format::commit::{Commit, Imported};
use crate::format::log::CommitRecord;
use crate::format::node::ContentRoot;
use crate::id::{CommitId, ObjectKind};
use crate::observe::{Observer, Phase};
use crate::repo::{Draft, Imports, LogState, RefMove, RepoError, Repository, read_version};

use super::super::OpsError;
use super::super::bundle::Lineage;
use super::super::commit::{
    ContentStore, ObjectSink, Store, Written, content_delta_setting, delta_setting, level_setting,
    seal_commit, with_sealer,
};
use super::super::races::{begin_anew, is_overtaken, overtaken, pinned};
use super::super::rewrite::Rewritten;
use super::super::shared::Shared;
use super::push::{PushRequest, PushedRef, decide, tips};
use super::{Carried, PushOutcome};
use tree::TreeImport;

/// Pushes to a repository with other keys. What the outcome says of commits it says in ids of `local`.
pub(super) fn push(
    local: &Repository,
    remote: &Repository,
    request: &PushRequest,
    observer: &dyn Observer,
) -> Result<PushOutcome, OpsError> {
    begin_anew(|| {
        let (theirs, ours) = (local.refresh()?, remote.refresh()?);
        let known = remote.imports(local.family())?;
        let trip = Trip { local, remote, theirs: &theirs, ours: &ours, known: &known, request, observer };
        trip.run().map_err(|error| match error {
            OpsError::Refused { .. } | OpsError::Usage { .. } | OpsError::Cancelled => error,
            OpsError::Repo { source: RepoError::BaseForgotten { .. } } => overtaken(),
            _ if is_overtaken(remote, &ours) || is_overtaken(local, &theirs) => overtaken(),
            error => error,
        })
    })
}

/// One attempt, in one state of each log.
struct Trip<'a> {
    local: &'a Repository,
    remote: &'a Repository,
    theirs: &'a LogState,
    ours: &'a LogState,
    known: &'a Imports,
    request: &'a PushRequest,
    observer: &'a dyn Observer,
}

/// What was made anew.
#[derive(Default)]
struct Made {
    imports: Imports,
    records: Vec<CommitRecord>,
    /// Originals, the oldest first.
    commits: Vec<CommitId>,
    based_on: HashSet<CommitId>,
}

impl Trip<'_> {
    fn run(&self) -> Result<PushOutcome, OpsError> {
        let dry_run = self.request.dry_run;
        let refs = self.decide(self.ours, self.known);
        let is_refused = refs.iter().any(|of| of.news.is_refused());
        let done = |refs, carried| PushOutcome { refs, is_refused, carried, dry_run };
        if is_refused {
            return Ok(done(refs, Carried::default()));
        }
        let new = self.new_commits(&refs)?;
        let commits: Vec<CommitId> = new.iter().map(|commit| commit.id).collect();
        let moves = refs.iter().any(|of| of.news.moves());
        if dry_run || !moves && new.is_empty() {
            return Ok(done(refs, Carried { commits, ..Carried::default() }));
        }
        let (made, written) = self.make(&new)?;
        let published = self.publish(&made, &written);
        if matches!(published, Err(OpsError::Repo { source: RepoError::Overtaken | RepoError::Condemned })) {
            discard(self.remote, written);
            return Err(overtaken());
        }
        let refs = published?;
        let is_refused = refs.iter().any(|of| of.news.is_refused());
        let bytes = written.packs.iter().map(|pack| pack.len).sum();
        let packs_rewritten = written.packs.len() as u64;
        if is_refused {
            discard(self.remote, written);
            return Ok(PushOutcome { refs, is_refused, ..PushOutcome::default() });
        }
        self.remember(&made);
        let carried = Carried { commits: made.commits, packs_rewritten, bytes, ..Carried::default() };
        Ok(PushOutcome { refs, is_refused, carried, dry_run })
    }

    /// What becomes of the refs, in ids of the source as far as commits were imported.
    fn decide(&self, ours: &LogState, imports: &Imports) -> Vec<PushedRef> {
        let back: HashMap<CommitId, CommitId> = imports.iter().map(|(there, here)| (*here, *there)).collect();
        decide(self.theirs, ours, self.request, &|id| back.get(&id).copied().unwrap_or(id))
    }

    /// Commits that were not imported yet, the oldest first. What was forgotten there stays so, but for tips.
    fn new_commits(&self, refs: &[PushedRef]) -> Result<Vec<CommitRecord>, OpsError> {
        let tips = tips(refs);
        if let Some(gone) = tips.iter().find(|id| !self.theirs.is_live(id)) {
            return Err(super::refspec::no_revision(&gone.to_hex(), "it is no live commit"));
        }
        let mut commits = Lineage::new(self.theirs, &tips, &[]).commits;
        commits.retain(|commit| match self.known.get(&commit.id) {
            Some(made) => !self.ours.is_live(made) && tips.contains(&commit.id),
            None => true,
        });
        Ok(commits)
    }

    /// Reads commits and stores them anew.
    fn make(&self, new: &[CommitRecord]) -> Result<(Made, Written), OpsError> {
        self.observer.phase(Phase::Store, Some(new.len() as u64), None);
        let (remote, level) = (self.remote, level_setting(self.remote)?);
        let (depth, content_depth) = (delta_setting(remote)?, content_delta_setting(remote)?);
        with_sealer(remote, &Shared::default(), |sealer: &Sealer<'_>| {
            let store = Store { sealer, chunks: remote.chunks(), level, depth, content_depth, dry: false };
            let sink = ObjectSink::new(store).map_err(OpsError::cas("set up compression"))?;
            let made = self.make_all(new, &sink)?;
            sink.finish().map_err(OpsError::cas("store what is imported"))?;
            Ok(made)
        })
    }

    fn make_all(&self, new: &[CommitRecord], sink: &ObjectSink<'_>) -> Result<Made, OpsError> {
        let from = pinned(self.local, self.theirs);
        let contents = ContentStore::new(self.remote, sink)?;
        let mut trees = TreeImport::new((&from, self.remote.chunks()), (sink, contents), self.observer);
        let mut made = Made::default();
        for record in new {
            if self.observer.cancelled() {
                return Err(OpsError::Cancelled);
            }
            let commit = read_version(&from, record.id)?.commit;
            let parents = self.parents(&record.parents, &made);
            // What no commit there holds any more may be taken away; what was made just now is remembered.
            let held = parents.iter().filter(|(_, here)| self.ours.is_live(here));
            let before = held.filter_map(|(there, here)| self.roots(&from, *there, *here).ok()).next();
            let root = trees.root(&commit.root, before.as_ref())?;
            made.based_on.extend(parents.iter().map(|(_, here)| *here).filter(|id| self.ours.is_live(id)));
            let parents: Vec<CommitId> = parents.into_iter().map(|(_, here)| here).collect();
            let signed = from.get(ObjectKind::Commit, &record.id.into());
            let signed = signed.map_err(OpsError::cas("read a commit"))?.to_vec();
            let imported = Some(Imported { family: self.local.family(), id: record.id, signed });
            let device = self.remote.device()?;
            let state = ContentRoot::Empty;
            let anew =
                Commit { root, parents: parents.clone(), state, device, original: None, imported, ..commit };
            let id = seal_commit(self.remote, sink, &anew)?;
            made.imports.insert(record.id, id);
            made.records.push(CommitRecord { id, parents });
            made.commits.push(record.id);
            self.observer.advance(1, 0);
        }
        trees.finish()?;
        Ok(made)
    }

    /// The parents that the commit has there, and what they are made of: in the place of one that was not imported the nearest
    /// before it that were.
    fn parents(&self, parents: &[CommitId], made: &Made) -> Vec<(CommitId, CommitId)> {
        let import = |id: &CommitId| made.imports.get(id).or_else(|| self.known.get(id)).copied();
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        for parent in parents {
            let near = match import(parent) {
                Some(_) => vec![*parent],
                None => self.theirs.nearest_before(parent, |id| import(id).is_some()),
            };
            let near = near.into_iter().filter(|id| seen.insert(*id));
            found.extend(near.filter_map(|id| Some((id, import(&id)?))));
        }
        found
    }

    /// The roots of a commit and of what was made of it, so that nothing of it is made twice.
    fn roots(
        &self,
        from: &crate::cas::ChunkStore,
        there: CommitId,
        here: CommitId,
    ) -> Result<tree::Before, OpsError> {
        let root = |chunks, id| Ok::<_, OpsError>(read_version(chunks, id)?.commit.root);
        Ok((root(from, there)?, root(self.remote.chunks(), here)?))
    }

    /// Lets the log there take it: packs, index, commits and refs in one entry. Nothing where a ref may not move any more.
    fn publish(&self, made: &Made, written: &Written) -> Result<Vec<PushedRef>, OpsError> {
        self.observer.phase(Phase::Finish, None, None);
        let mut imports = self.known.clone();
        imports.extend(&made.imports);
        let (mut decided, mut is_refused) = (Vec::new(), false);
        let appended = self.remote.append(&mut |now| {
            decided = self.decide(now, &imports);
            is_refused = decided.iter().any(|of| of.news.is_refused());
            match is_refused {
                true => Err(RepoError::Overtaken),
                false => Ok(self.draft(now, (made, written), &imports, &decided)),
            }
        });
        match appended {
            Err(RepoError::Overtaken) if is_refused => Ok(decided),
            appended => appended.map(|_| decided).map_err(OpsError::from),
        }
    }

    fn draft(
        &self,
        now: &LogState,
        (made, written): (&Made, &Written),
        imports: &Imports,
        refs: &[PushedRef],
    ) -> Draft {
        let moved = refs.iter().filter(|of| of.news.moves());
        let moves = moved.map(|of| RefMove {
            name: of.name.clone(),
            old: now.refs.get(&of.name).copied(),
            new: of.new.map(|id| imports.get(&id).copied().unwrap_or(id)),
        });
        let mut based_on: Vec<CommitId> = made.based_on.iter().copied().collect();
        based_on.sort_unstable();
        Draft {
            packs_added: written.packs.clone(),
            segments_added: written.segments.clone(),
            uses: written.uses.clone(),
            commits: made.records.iter().filter(|commit| !now.is_live(&commit.id)).cloned().collect(),
            based_on,
            refs: moves.collect(),
            message: format!("push: from {}", self.local.client().who),
            ..Draft::default()
        }
    }

    fn remember(&self, made: &Made) {
        if made.imports.is_empty() {
            return;
        }
        let mut imports = self.known.clone();
        imports.extend(&made.imports);
        // Without it the next push reads the commits there.
        if let Err(error) = self.remote.remember_imports(self.local.family(), &imports) {
            self.observer.notice(&format!("cannot remember which commits were imported: {error}"));
        }
    }
}

fn discard(repo: &Repository, written: Written) {
    let Written { packs, segments, uses } = written;
    Rewritten { packs, segments, uses, ..Rewritten::default() }.discard(repo);
}
