//! Carrying commits from one repository to another of the same family: what `push`, `fetch` and `clone` do.
//!
//! Packs go as they are where most of what they hold is wanted and not there; of others what is lacking is written anew. No block is
//! opened for the former: the source's log, which is signed, names the root of each pack, and the bytes must agree with it. All that
//! is carried counts from one entry of the receiver's log on, which also moves the refs.

mod choose;
mod fetch;
mod import;
mod push;
mod refspec;
mod source;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use crate::cas::pack_name;
use crate::format::log::CommitRecord;
use crate::id::{CommitId, PackId};
use crate::observe::{Observer, Phase};
use crate::repo::{Draft, LogState, RefMove, RepoError, Repository};
use crate::sync::VerificationMode;

use super::OpsError;
use super::bring::{Bringer, Brought};
use super::gc::Marks;
use super::host::take_receipts;
use super::races::{begin_anew, is_overtaken, overtaken, pinned};
use super::rewrite::Keep;
pub use fetch::{FetchNews, FetchOutcome, FetchRequest, FetchTags, FetchedRef, copy_all, fetch};
pub use push::{PushNews, PushOutcome, PushRequest, PushedRef, push};
pub use refspec::{Lease, RefSpec, RefUpdate, apply_leases, short_name};

use choose::{Cargo, Choice, Chooser, is_wanted};
use source::RepoPacks;

/// Packs that are in memory at once, unless a request says how many: one is read while another is stored.
const IN_FLIGHT: usize = 3;
/// So many packs are asked for one by one, whether they are there; of more all names are listed.
const ASKED_FOR: usize = 8;

/// What was carried.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Carried {
    /// Commits that are new at the receiver, the oldest first.
    pub commits: Vec<CommitId>,
    /// Packs that went under their names.
    pub packs: u64,
    /// Packs that were written anew.
    pub packs_rewritten: u64,
    /// Bytes of all of these.
    pub bytes: u64,
    /// Packs of them that an attempt which was stopped had left, and that were not sent again.
    pub packs_found: u64,
    /// Packs that were damaged at the source, and were healed on the way, by their names.
    pub healed: Vec<String>,
}

/// What shall stand at the receiver.
#[derive(Debug, Default)]
struct Plan {
    /// These commits, and what they descend from.
    tips: Vec<CommitId>,
    /// Refs that move in the same entry.
    moves: Vec<RefMove>,
}

/// What to carry.
struct Job<'a> {
    /// Plans in a state of the source's log and one of the receiver's; asked again after a lost race.
    plan: &'a dyn Fn(&LogState, &LogState) -> Result<Plan, OpsError>,
    /// For the reflog.
    message: &'a str,
    /// Find out what would go, and change nothing.
    dry_run: bool,
    /// What only forgotten commits held may come along in packs: whoever carries it could read it anyway.
    takes_garbage: bool,
    /// Packs in memory at once; 0: as many as are good in most cases.
    in_flight: usize,
    /// How packs are verified that come from another end.
    verification: VerificationMode,
    /// Keep a challenge for each pack that is sent.
    challenges: bool,
}

impl<'a> Job<'a> {
    /// What is taken from another repository.
    fn taking(plan: &'a dyn Fn(&LogState, &LogState) -> Result<Plan, OpsError>, message: &'a str) -> Self {
        let verification = VerificationMode::default();
        Self {
            plan,
            message,
            dry_run: false,
            takes_garbage: true,
            in_flight: 0,
            verification,
            challenges: false,
        }
    }
}

/// Carries commits, and moves refs at the receiver.
fn carry(
    from: &Repository,
    to: &Repository,
    job: &Job<'_>,
    observer: &dyn Observer,
) -> Result<Carried, OpsError> {
    check_family(from, to)?;
    begin_anew(|| {
        let (theirs, ours) = (from.refresh()?, to.refresh()?);
        let trip = Trip { from, to, theirs: &theirs, ours: &ours, job, observer };
        trip.run().map_err(|error| match error {
            OpsError::Refused { .. } | OpsError::Usage { .. } | OpsError::Cancelled => error,
            OpsError::Repo { source: RepoError::BaseForgotten { .. } } => overtaken(),
            error if is_overtaken(to, &ours) || is_overtaken(from, &theirs) => {
                drop(error);
                overtaken()
            }
            error => error,
        })
    })
}

fn seed() -> Result<[u8; 32], OpsError> {
    let failed = |source| RepoError::Crypto { what: "cannot draw random numbers".to_owned(), source };
    Ok(crate::crypto::random().map_err(failed)?)
}

/// Only what shares its keys can take packs as they are.
fn check_family(from: &Repository, to: &Repository) -> Result<(), OpsError> {
    if from.family() == to.family() {
        return Ok(());
    }
    let why = format!(
        "{} and {} do not share their keys, so packs cannot go from one to the other; `warp clone` makes a repository that does, and \
         `warp push` makes commits anew",
        from.location(),
        to.location()
    );
    Err(OpsError::Refused { why })
}

/// One attempt, in one state of each log.
struct Trip<'a> {
    from: &'a Repository,
    to: &'a Repository,
    theirs: &'a LogState,
    ours: &'a LogState,
    job: &'a Job<'a>,
    observer: &'a dyn Observer,
}

impl Trip<'_> {
    fn run(&self) -> Result<Carried, OpsError> {
        let plan = (self.job.plan)(self.theirs, self.ours)?;
        self.check_tips(&plan.tips)?;
        let cargo = Cargo::new(self.theirs, self.ours, &plan.tips);
        if cargo.is_empty() {
            let is_done = plan.moves.is_empty() || self.job.dry_run;
            return if is_done {
                Ok(Carried::default())
            } else {
                self.publish(&cargo, &plan.tips, (&Brought::default(), &[]))
            };
        }
        self.observer.phase(Phase::Mark, None, None);
        let (theirs, ours) = (pinned(self.from, self.theirs), pinned(self.to, self.ours));
        let chooser = Chooser {
            theirs: (self.theirs, &theirs),
            ours: (self.ours, &ours),
            takes_garbage: self.job.takes_garbage,
            in_flight: self.in_flight(),
            observer: self.observer,
        };
        let choice = chooser.choose(&cargo)?;
        if self.job.dry_run {
            return Ok(foreseen(&cargo, &choice));
        }
        let packs = RepoPacks::new(&theirs, self.in_flight(), self.observer);
        let packs = packs.verified_by(self.job.verification, seed()?);
        let bringer = Bringer::new((self.to, self.ours, &ours), &packs, self.observer);
        let there = self.listed(&choice)?;
        self.check_room(&choice, &there)?;
        let bringer = bringer.beside(there).challenging(self.job.challenges);
        let done = self.bring(&bringer, &choice, &theirs);
        let challenges = bringer.challenges();
        let brought = bringer.into_brought();
        // Before the commits count: nothing may be decided without them.
        let done = done.and_then(|()| self.take_receipts(&cargo));
        let done = done.and_then(|()| {
            let uses = brought.uses(choice.relied.iter().copied());
            self.publish(&cargo, &plan.tips, (&brought, &uses))
        });
        let done = done.inspect_err(|error| brought.discard(self.to, error))?;
        if !challenges.is_empty()
            && let Err(error) = self.to.keep_challenges(&challenges, &[])
        {
            self.observer.notice(&format!("cannot keep challenges for the packs that were sent: {error}"));
        }
        Ok(done)
    }

    /// Takes along who brought the commits, for `forget`. A host that receives notes itself who brings them to it.
    fn take_receipts(&self, cargo: &Cargo) -> Result<(), OpsError> {
        let [from, to] = [self.from, self.to].map(|repo| repo.chunks().vault().store());
        if to.is_far() {
            return Ok(());
        }
        let commits = cargo.commits.iter().map(|commit| commit.id).collect();
        let failed = |source| RepoError::Store { location: from.location(), source };
        Ok(take_receipts(from, to, &commits).map_err(failed)?)
    }

    fn in_flight(&self) -> usize {
        if self.job.in_flight > 0 { self.job.in_flight } else { IN_FLIGHT }
    }

    /// What somebody asked for may have been forgotten since.
    fn check_tips(&self, tips: &[CommitId]) -> Result<(), OpsError> {
        match tips.iter().find(|id| !self.theirs.is_live(id) && !self.ours.is_live(id)) {
            None => Ok(()),
            Some(gone) => {
                let why = "it is no live commit".to_owned();
                Err(RepoError::NoRevision { spec: gone.to_hex(), why }.into())
            }
        }
    }

    /// The files of packs that the receiver's store has, whether its log names them or not.
    fn listed(&self, choice: &Choice) -> Result<HashSet<crate::store::BlobName>, OpsError> {
        let store = self.to.chunks().vault().store();
        let failed = |source| RepoError::Store { location: store.location(), source };
        if choice.verbatim.len() > ASKED_FOR {
            return Ok(store.names("packs/").map_err(failed)?.into_iter().collect());
        }
        let mut there = HashSet::new();
        for name in choice.verbatim.iter().map(|pack| pack_name(&pack.uid)) {
            if store.len(&name).map_err(failed)?.is_some() {
                there.insert(name);
            }
        }
        Ok(there)
    }

    /// Refuses what the receiver has no room for, before any of it is sent.
    fn check_room(&self, choice: &Choice, there: &HashSet<crate::store::BlobName>) -> Result<(), OpsError> {
        let new = choice.verbatim.iter().filter(|pack| !there.contains(&pack_name(&pack.uid)));
        let needed: u64 = new.map(|pack| pack.len).sum();
        match self.to.chunks().vault().store().room() {
            Some(room) if needed > room => Err(OpsError::Refused {
                why: format!(
                    "{} takes {room} bytes more, and {needed} would go there: its quota must grow, or `warp gc` make room",
                    self.to.location()
                ),
            }),
            _ => Ok(()),
        }
    }

    fn bring(
        &self,
        bringer: &Bringer<'_>,
        choice: &Choice,
        theirs: &crate::cas::ChunkStore,
    ) -> Result<(), OpsError> {
        bringer.bring(&choice.verbatim)?;
        let marks: &Marks = &choice.marks;
        for pack in &choice.parts {
            let map = theirs.map(pack.uid).map_err(OpsError::cas("read the directory of a pack"))?;
            let location = |block, slot| crate::cas::Location { pack: pack.uid, block, slot, depth: 0 };
            bringer.copies(&map, |block, slot| marks.has(&location(block, slot)));
        }
        bringer.copy(&choice.parts, Keep::Marked(marks))?;
        bringer.complete_bases()
    }

    /// Lets the receiver's log take it: packs, index, commits and refs in one entry.
    fn publish(
        &self,
        cargo: &Cargo,
        tips: &[CommitId],
        (brought, uses): (&Brought, &[PackId]),
    ) -> Result<Carried, OpsError> {
        self.observer.phase(Phase::Finish, None, None);
        if self.observer.cancelled() {
            return Err(OpsError::Cancelled);
        }
        // What keeps refs from moving is told as it is, not as the log's refusal.
        let mut stopped = None;
        let mut carried = Carried::default();
        let appended = self.to.append(&mut |now| {
            // Another process has brought the same.
            if brought.verbatim.iter().any(|pack| now.packs.contains_key(&pack.uid)) {
                return Err(RepoError::Overtaken);
            }
            let plan = (self.job.plan)(self.theirs, now).map_err(|error| {
                stopped = Some(error);
                RepoError::Overtaken
            })?;
            let draft = self.draft(now, cargo, (&plan, tips), (brought, uses))?;
            let gone: HashSet<&CommitId> = draft.forgotten.iter().collect();
            carried.commits = draft.commits.iter().map(|commit| commit.id).collect();
            carried.commits.retain(|id| !gone.contains(id));
            Ok(draft)
        });
        match (appended, stopped) {
            (Err(_), Some(error)) => return Err(error),
            (appended, _) => drop(appended?),
        }
        count(brought, &mut carried);
        Ok(carried)
    }

    fn draft(
        &self,
        now: &LogState,
        cargo: &Cargo,
        (plan, tips): (&Plan, &[CommitId]),
        (brought, uses): (&Brought, &[PackId]),
    ) -> Result<Draft, RepoError> {
        let new: Vec<&CommitRecord> =
            cargo.commits.iter().filter(|commit| is_wanted(now, &commit.id, tips)).collect();
        let arrives = |id: &CommitId| now.is_live(id) || new.iter().any(|commit| commit.id == *id);
        if plan.moves.iter().filter_map(|change| change.new.as_ref()).any(|id| !arrives(id)) {
            return Err(RepoError::Overtaken);
        }
        let gone = cargo.forgotten.iter().filter(|commit| !now.parents.contains_key(&commit.id));
        let based_on = if new.is_empty() { Vec::new() } else { cargo.based_on.clone() };
        Ok(Draft {
            packs_added: brought.packs().copied().collect(),
            segments_added: brought.own.segments.clone(),
            uses: uses.to_vec(),
            commits: new.into_iter().chain(gone.clone()).cloned().collect(),
            forgotten: gone.map(|commit| commit.id).collect(),
            based_on,
            refs: plan.moves.clone(),
            message: self.job.message.to_owned(),
            ..Draft::default()
        })
    }
}

fn count(brought: &Brought, carried: &mut Carried) {
    carried.packs = brought.verbatim.len() as u64;
    carried.packs_rewritten = brought.own.packs.len() as u64;
    carried.bytes = brought.packs().map(|pack| pack.len).sum();
    carried.packs_found = brought.found;
    carried.healed = brought.healed.iter().map(|pack| pack_name(pack).as_str().to_owned()).collect();
}

/// What would go. Of packs that would be written anew only the number is known.
fn foreseen(cargo: &Cargo, choice: &Choice) -> Carried {
    Carried {
        commits: cargo.commits.iter().map(|commit| commit.id).collect(),
        packs: choice.verbatim.len() as u64,
        packs_rewritten: choice.parts.len() as u64,
        bytes: choice.verbatim.iter().map(|pack| pack.len).sum(),
        ..Carried::default()
    }
}
