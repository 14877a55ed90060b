//! Writing packs anew as they would be written now: under the newest data key, or with the parity that is set.
//!
//! One job for all who ask: which packs are to be written anew, and why; how many of them in one run; and the exchange, in portions,
//! so that little room is needed beside what is there, and whoever stops a run keeps what it has done. The next run goes on.

use crate::cas::{pack_header, pack_name};
use crate::format::log::PackRecord;
use crate::format::pack::{PackHeader, Parity};
use crate::observe::Observer;
use crate::repo::{LogState, Repository};

use super::OpsError;
use super::commit::parity_setting;
use super::exchange::{Exchange, exchange};
use super::races::begin_anew;
use super::sweep::{self, Due};

/// Bytes of packs that are exchanged together: so much room is needed beside the others.
const PORTION: u64 = 4 << 30;

/// Why packs are written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// They are sealed under a data key that is not the newest.
    OldKey,
    /// They have more or less parity than a writer gives now.
    Parity(Parity),
}

/// How to write packs anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RenewRequest {
    /// Most bytes of packs to write anew in one run; `None`: any.
    pub max_bytes: Option<u64>,
    /// For so many seconds packs that others have condemned are left alone. Those that were written anew go at once.
    pub grace: u64,
    /// Threads that copy; 0: one for each core.
    pub threads: usize,
    /// Tell what would be done, and do nothing.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RenewOutcome {
    /// Packs that were to be written anew when it began.
    pub packs_due: u64,
    /// Their bytes.
    pub bytes_due: u64,
    /// Packs that were written anew; in a dry run, that would be.
    pub packs_renewed: u64,
    /// Their bytes.
    pub bytes_renewed: u64,
    /// Packs that were written instead.
    pub packs_written: u64,
    /// Their bytes.
    pub bytes_written: u64,
    /// Packs that are still to be written anew.
    pub packs_left: u64,
    /// Their bytes.
    pub bytes_left: u64,
    /// The observer stopped it. What was done until then stays done.
    pub stopped: bool,
    /// Nothing was done.
    pub dry_run: bool,
}

/// Packs that have one level of parity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParityLevel {
    /// What a writer is told who makes packs like these.
    pub parity: Parity,
    /// How many there are.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Seals packs anew that are under older data keys than the newest one.
///
/// # Errors
/// When a pack cannot be read, or the store fails; when others take packs away again and again
/// ([`RepoError::Overtaken`](crate::repo::RepoError::Overtaken)). All commits are as they were, and what was sealed anew stays so.
pub fn reseal(
    repo: &Repository,
    request: RenewRequest,
    observer: &dyn Observer,
) -> Result<RenewOutcome, OpsError> {
    renew(repo, Why::OldKey, request, observer)
}

/// Writes packs anew that have more or less parity than new packs get by the repository's setting. `dry_run` tells what `parity` would
/// mean; otherwise it must be what is set.
///
/// # Errors
/// [`OpsError::Usage`] where it is not; and as [`reseal`].
pub fn renew_parity(
    repo: &Repository,
    parity: Parity,
    request: RenewRequest,
    observer: &dyn Observer,
) -> Result<RenewOutcome, OpsError> {
    let set = parity_setting(repo)?;
    if set != parity && !request.dry_run {
        let why = format!("new packs get parity {set}, not {parity}: change the repository's setting first");
        return Err(OpsError::Usage { why });
    }
    renew(repo, Why::Parity(parity), request, observer)
}

/// How much parity the packs have that are in use, by what a writer is told who makes such packs, the least first. `wanted` is named
/// for all that a writer makes so who is told that. A pack of which no header can be read is told to the observer, and not counted.
///
/// # Errors
/// When the log cannot be read.
pub fn parity_levels(
    repo: &Repository,
    wanted: Parity,
    observer: &dyn Observer,
) -> Result<Vec<ParityLevel>, OpsError> {
    let state = repo.refresh()?;
    let mut open = Vec::new();
    for record in usable(&state) {
        if let Some(header) = header_of(repo, record, observer) {
            let is_wanted = wanted.is_that_of(&header);
            open.push((if is_wanted { [wanted; 2] } else { Parity::levels_of(&header) }, record.len));
        }
    }
    Ok(named(open))
}

/// The fewest levels that all packs are of, where each may be of any from its least to its most.
fn named(mut open: Vec<([Parity; 2], u64)>) -> Vec<ParityLevel> {
    open.sort_unstable_by_key(|([_, most], _)| *most);
    let mut levels: Vec<ParityLevel> = Vec::new();
    for ([least, most], len) in open {
        match levels.last_mut().filter(|level| level.parity >= least) {
            Some(level) => (level.packs, level.bytes) = (level.packs + 1, level.bytes + len),
            None => levels.push(ParityLevel { parity: most, packs: 1, bytes: len }),
        }
    }
    levels
}

/// Packs that new things may rely on, the oldest first.
fn usable(state: &LogState) -> impl Iterator<Item = &PackRecord> {
    let packs = state.pack_order.iter().filter(|pack| !state.condemned.contains_key(*pack));
    packs.map(|pack| &state.packs[pack])
}

fn header_of(repo: &Repository, record: &PackRecord, observer: &dyn Observer) -> Option<PackHeader> {
    let header = pack_header(repo.chunks().vault().store(), record);
    if let Err(error) = &header {
        let name = pack_name(&record.uid);
        observer.notice(&format!("{name} is left as it is, since its header cannot be read: {error}"));
    }
    header.ok()
}

/// The packs that are to be written anew, the oldest first.
pub(super) fn due(repo: &Repository, state: &LogState, why: Why, observer: &dyn Observer) -> Vec<PackRecord> {
    let newest = repo.chunks().vault().keyring().newest_epoch();
    let is_due = |record: &&PackRecord| match why {
        Why::OldKey => record.epoch < newest,
        Why::Parity(parity) => {
            header_of(repo, record, observer).is_some_and(|header| !parity.is_that_of(&header))
        }
    };
    usable(state).filter(is_due).copied().collect()
}

/// Number and bytes of packs.
pub(super) fn sum<'a>(packs: impl IntoIterator<Item = &'a PackRecord>) -> (u64, u64) {
    packs.into_iter().fold((0, 0), |(packs, bytes), pack| (packs + 1, bytes + pack.len))
}

/// Those of the packs that one run takes.
fn within(packs: &[PackRecord], max_bytes: Option<u64>) -> Vec<PackRecord> {
    let mut room = max_bytes.unwrap_or(u64::MAX);
    let fits = |pack: &&PackRecord| {
        let fits = pack.len <= room;
        room -= if fits { pack.len } else { 0 };
        fits
    };
    packs.iter().filter(fits).copied().collect()
}

fn renew(
    repo: &Repository,
    why: Why,
    request: RenewRequest,
    observer: &dyn Observer,
) -> Result<RenewOutcome, OpsError> {
    if !request.dry_run {
        sweep::sweep(repo, &Due::after(repo, request.grace), message(why))?;
    }
    renew_some(repo, why, request, observer)
}

/// The same, and leaves alone what others have condemned.
pub(super) fn renew_some(
    repo: &Repository,
    why: Why,
    request: RenewRequest,
    observer: &dyn Observer,
) -> Result<RenewOutcome, OpsError> {
    in_portions(repo, why, (request, PORTION), observer)
}

fn in_portions(
    repo: &Repository,
    why: Why,
    (request, portion): (RenewRequest, u64),
    observer: &dyn Observer,
) -> Result<RenewOutcome, OpsError> {
    let mut outcome = RenewOutcome { dry_run: request.dry_run, ..RenewOutcome::default() };
    let packs = due(repo, &*repo.refresh()?, why, observer);
    (outcome.packs_due, outcome.bytes_due) = sum(&packs);
    let packs = within(&packs, request.max_bytes);
    if request.dry_run {
        (outcome.packs_renewed, outcome.bytes_renewed) = sum(&packs);
    } else {
        for portion in portions(&packs, portion) {
            let is_done = exchanged(repo, portion, (why, &request), &mut outcome, observer)?;
            outcome.stopped = !is_done || observer.cancelled();
            if outcome.stopped {
                break;
            }
        }
    }
    outcome.packs_left = outcome.packs_due.saturating_sub(outcome.packs_renewed);
    outcome.bytes_left = outcome.bytes_due.saturating_sub(outcome.bytes_renewed);
    Ok(outcome)
}

/// Cuts packs into runs of at most so many bytes, or of one pack.
fn portions(packs: &[PackRecord], max: u64) -> Vec<&[PackRecord]> {
    let (mut portions, mut rest) = (Vec::new(), packs);
    while let Some((first, others)) = rest.split_first() {
        let mut len = first.len;
        let fits = |pack: &&PackRecord| {
            len = len.saturating_add(pack.len);
            len <= max
        };
        let (portion, behind) = rest.split_at(1 + others.iter().take_while(fits).count());
        portions.push(portion);
        rest = behind;
    }
    portions
}

/// Exchanges a portion, but for packs that others have taken away meanwhile; `false`: the observer stopped it, and of the portion
/// nothing is done.
fn exchanged(
    repo: &Repository,
    portion: &[PackRecord],
    (why, request): (Why, &RenewRequest),
    outcome: &mut RenewOutcome,
    observer: &dyn Observer,
) -> Result<bool, OpsError> {
    let done = begin_anew(|| {
        let state = repo.refresh()?;
        let is_usable = |pack: &&PackRecord| {
            state.packs.contains_key(&pack.uid) && !state.condemned.contains_key(&pack.uid)
        };
        let packs: Vec<PackRecord> = portion.iter().filter(is_usable).copied().collect();
        if packs.is_empty() {
            return Ok(Default::default());
        }
        let what =
            Exchange { packs: &packs, salvage: false, threads: request.threads, message: message(why) };
        exchange(repo, &state, what, observer)
    });
    let counts = match done {
        Err(OpsError::Cancelled) => return Ok(false),
        done => done?,
    };
    let (packs, bytes) = sum(portion);
    outcome.packs_renewed += packs;
    outcome.bytes_renewed += bytes;
    outcome.packs_written += counts.packs;
    outcome.bytes_written += counts.bytes;
    Ok(true)
}

/// What the log says of it.
fn message(why: Why) -> &'static str {
    match why {
        Why::OldKey => "reseal",
        Why::Parity(_) => "parity",
    }
}

#[cfg(test)]
mod tests;
