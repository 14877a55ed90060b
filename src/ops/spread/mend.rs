//! What each member of a group lacks, and how it comes back.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::cas::{check_segment_bytes, open_envelope, seal_envelope, segment_name};
use crate::format::log::{PackRecord, SegmentRecord};
use crate::format::shard::ShardedPack;
use crate::id::{PackId, Root};
use crate::limits::ENVELOPE_LEN_MAX;
use crate::observe::{Observer, Phase};
use crate::repo::LogState;
use crate::store::{BlobName, StoreError};

use super::SpreadStore;
use super::lead::{Lead, entry_name, entry_number, log_is_whole, put_entry};
use super::member::{Fault, Member, told};
use super::shards::{Cut, FOLDER, shard_name};

/// Folders whose blobs all members have alike, but for the log.
const ALIKE: [&str; 3] = ["config/", "checkpoint/", "lost/"];

/// How a group is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MendRequest {
    /// Read every shard and every index segment; otherwise their lengths are compared.
    pub read: bool,
    /// Bring back what is missing or wrong.
    pub repair: bool,
}

/// What was found at a member, and done there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberReport {
    /// Where it lies.
    pub place: String,
    /// Why it could not be looked at.
    pub unreachable: Option<String>,
    /// Shards that it has as they should be.
    pub right: u64,
    /// Shards that it lacks.
    pub missing: u64,
    /// What is there and is not what it should be.
    pub wrong: Vec<String>,
    /// Files other than shards that it lacks.
    pub lacks: Vec<String>,
    /// How many files were brought back.
    pub mended: u64,
    /// What could not be brought back, and why.
    pub unmended: Vec<String>,
}

impl MemberReport {
    /// Whether there is nothing to be done for it, or all is done.
    pub fn is_clean(&self) -> bool {
        let found = self.missing + (self.wrong.len() + self.lacks.len()) as u64;
        self.unreachable.is_none() && self.unmended.is_empty() && found == self.mended
    }
}

/// What a group was found to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupReport {
    /// The members, in their order.
    pub members: Vec<MemberReport>,
    /// How many more members may be lost, and of how many packs that is so. What was repaired counts.
    pub spare: BTreeMap<usize, u64>,
    /// Packs of which there are too few shards.
    pub lost: Vec<PackId>,
}

impl GroupReport {
    /// Whether every member has what it should.
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.members.iter().all(MemberReport::is_clean)
    }
}

/// What is to be brought back to a member.
#[derive(Debug, Clone)]
enum Lack {
    Shard(PackRecord),
    Entry(u64),
    /// Beyond the end of the log.
    Stray(BlobName),
    Segment(SegmentRecord),
    Other(BlobName),
}

impl Lack {
    fn name(&self, member: &Member) -> BlobName {
        match self {
            Self::Shard(record) => shard_name(&record.uid, member.number),
            Self::Entry(number) => entry_name(*number),
            Self::Segment(record) => segment_name(&record.uid),
            Self::Stray(name) | Self::Other(name) => name.clone(),
        }
    }
}

type Found = Vec<(Lack, Fault)>;

/// Looks at all members of a group, and brings back what is missing or wrong there, if that is asked for. `state` is the log of the repository that
/// lies in the group.
///
/// # Errors
/// [`StoreError::Group`] where the log or configuration cannot be read from any member. What is wrong with single members is in the report.
pub fn mend(
    store: &SpreadStore,
    state: &LogState,
    request: MendRequest,
    observer: &dyn Observer,
) -> Result<GroupReport, StoreError> {
    observer.phase(Phase::Check, Some(state.packs.len() as u64), None);
    let mender = Mender { store, state, small: Small::read(store, state)?, request };
    let found = store.each(|member| mender.look(member));
    let mut report = mender.report(&found);
    if request.repair {
        for step in [Step::Config, Step::Shards, Step::Segments, Step::Log, Step::Rest] {
            mender.step(step, &found, &mut report, observer);
        }
        mender.rejoin(&report);
    }
    mender.count(&found, &mut report);
    Ok(report)
}

/// In this order a host takes things: it checks entries of the log against what they name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Config,
    Shards,
    Segments,
    Log,
    Rest,
}

fn step_of(lack: &Lack) -> Step {
    match lack {
        Lack::Shard(_) => Step::Shards,
        Lack::Segment(_) => Step::Segments,
        Lack::Entry(_) | Lack::Stray(_) => Step::Log,
        Lack::Other(name) if name.folder() == Some("config") => Step::Config,
        Lack::Other(_) => Step::Rest,
    }
}

/// The small things as they should be.
struct Small {
    blobs: BTreeMap<BlobName, Vec<u8>>,
    last: u64,
}

impl Small {
    fn read(store: &SpreadStore, state: &LogState) -> Result<Self, StoreError> {
        use crate::store::StorageBackend;
        let mut blobs = BTreeMap::new();
        let entries = (1..=state.number).map(entry_name);
        for name in names_alike(store)?.into_iter().chain(entries) {
            match store.get(&name, ENVELOPE_LEN_MAX) {
                Ok(bytes) => blobs.extend(as_written(&name, bytes).map(|bytes| (name, bytes))),
                // Its writer never came to it.
                Err(error) if error.is_not_found() && entry_number(&name).is_none() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { blobs, last: state.number })
    }
}

/// The bytes with which a blob was written: what lies in an envelope has one such form, also where the file that was read is damaged. `None`: it is
/// damaged beyond that, and no model for others.
fn as_written(name: &BlobName, bytes: Vec<u8>) -> Option<Vec<u8>> {
    match name.folder() {
        Some("config") => Some(bytes),
        _ => seal_envelope(&open_envelope(&bytes).ok()?.content).ok(),
    }
}

/// The names of what all members have alike, as the one whose log counts has them; and of both copies of the configuration, of which it may have lost one.
fn names_alike(store: &SpreadStore) -> Result<BTreeSet<BlobName>, StoreError> {
    let source = &store.members[store.lead().source()];
    let mut names = BTreeSet::new();
    for folder in ALIKE {
        let listed = source.ask(|store| store.names(folder));
        let listed = listed.map_err(|fault| store.too_few("list", &entry_name(1), fault.to_string(), &[]))?;
        for name in listed {
            if folder == "config/" {
                let first = name.as_str().trim_end_matches(".copy");
                names.extend([BlobName::new(first)?, BlobName::new(&format!("{first}.copy"))?]);
            }
            names.insert(name);
        }
    }
    Ok(names)
}

struct Mender<'s> {
    store: &'s SpreadStore,
    state: &'s LogState,
    small: Small,
    request: MendRequest,
}

impl Mender<'_> {
    /// Everything that is missing or wrong at a member.
    fn look(&self, member: &Member) -> Result<Found, Fault> {
        let mut found = Found::new();
        for (name, bytes) in &self.small.blobs {
            let there = member.ask(|store| store.get(name, ENVELOPE_LEN_MAX));
            let fault = match there {
                Ok(there) if there == *bytes => continue,
                Ok(_) => Fault::Lies(format!("{name}: it is another one than the other members have")),
                Err(fault @ Fault::Failed(_)) => return Err(fault),
                Err(fault) => fault,
            };
            let lack = entry_number(name).map_or_else(|| Lack::Other(name.clone()), Lack::Entry);
            found.push((lack, fault));
        }
        for name in member.ask(|store| store.names("log/"))? {
            if entry_number(&name).is_some_and(|number| number > self.small.last) {
                let what = Fault::Lies(format!("{name}: the log ends before it"));
                found.push((Lack::Stray(name), what));
            }
        }
        for record in &self.state.segments {
            self.look_at_segment(member, record)
                .map_or_else(|fault| found.push((Lack::Segment(*record), fault)), |()| {});
        }
        self.look_at_shards(member, &mut found)?;
        Ok(found)
    }

    fn look_at_segment(&self, member: &Member, record: &SegmentRecord) -> Result<(), Fault> {
        let name = segment_name(&record.uid);
        let store = member.store()?;
        match member.ask(|store| store.len(&name))? {
            None => Err(Fault::Missing),
            Some(len) if len != record.len => Err(Fault::Lies(format!("{name}: it has {len} bytes"))),
            Some(_) if !self.request.read => Ok(()),
            Some(_) => {
                check_segment_bytes(&**store, record, &|_| {}).map_err(|error| Fault::Lies(told(&error)))
            }
        }
    }

    fn look_at_shards(&self, member: &Member, found: &mut Found) -> Result<(), Fault> {
        let listed = member.ask(|store| store.list(FOLDER))?;
        let listed: BTreeMap<_, _> = listed.into_iter().map(|row| (row.name, row.len)).collect();
        let measure = self.store.measure();
        for record in self.state.packs.values() {
            let name = shard_name(&record.uid, member.number);
            let fault = match listed.get(&name) {
                None => Fault::Missing,
                Some(len) if *len != self.file_len(record) => {
                    Fault::Lies(format!("{name}: it has {len} bytes"))
                }
                Some(_) if !self.request.read => continue,
                Some(_) => match measure.fetch(member, &record.uid) {
                    Ok((pack, _)) if pack.len == record.len => continue,
                    Ok(_) => Fault::Lies(format!("{name}: it is of a pack of another length")),
                    Err(fault) => fault,
                },
            };
            found.push((Lack::Shard(*record), fault));
        }
        Ok(())
    }

    fn file_len(&self, record: &PackRecord) -> u64 {
        let config = self.store.config();
        let (data, parity) = (config.data() as u16, config.parity() as u16);
        let hashes = vec![Root::new([0; 32]); config.shards()];
        ShardedPack { uid: record.uid, len: record.len, data, parity, hashes }.file_len()
    }

    fn report(&self, found: &[Result<Found, Fault>]) -> GroupReport {
        let member = |(member, found): (&std::sync::Arc<Member>, &Result<Found, Fault>)| {
            let mut report = MemberReport { place: member.place.clone(), ..MemberReport::default() };
            match found {
                Err(fault) => report.unreachable = Some(fault.to_string()),
                Ok(found) => {
                    let shards = found.iter().filter(|(lack, _)| matches!(lack, Lack::Shard(_))).count();
                    report.right = (self.state.packs.len() - shards) as u64;
                    found.iter().for_each(|found| note(&mut report, member, found));
                }
            }
            report
        };
        let members = self.store.members.iter().zip(found).map(member).collect();
        GroupReport { members, ..GroupReport::default() }
    }

    /// Brings back what belongs to a step: at each member what it lacks, a pack at a time.
    fn step(
        &self,
        step: Step,
        found: &[Result<Found, Fault>],
        report: &mut GroupReport,
        observer: &dyn Observer,
    ) {
        if step == Step::Shards {
            return self.mend_shards(found, report, observer);
        }
        let members = self.store.members.iter().zip(found).zip(&mut report.members);
        for ((member, found), report) in members {
            let lacks = found.iter().flatten().filter(|(lack, _)| step_of(lack) == step);
            for (lack, fault) in lacks {
                settle(report, &lack.name(member), self.mend_small(member, lack, fault));
            }
        }
    }

    fn mend_small(&self, member: &Member, lack: &Lack, fault: &Fault) -> Result<(), Fault> {
        let name = lack.name(member);
        let whole = self.small.blobs.get(&name).map(Vec::as_slice).unwrap_or_default();
        match (lack, fault) {
            (Lack::Stray(_), _) => member.ask(|store| store.delete(&name)).map(drop),
            (Lack::Segment(record), _) => self.mend_segment(member, record, fault),
            (Lack::Entry(number), Fault::Missing) => {
                let content = super::lead::check_entry(*number, whole).map_err(Fault::Lies)?;
                put_entry(member, *number, whole, &content)
            }
            (_, Fault::Missing) => member.ask(|store| store.put_new(&name, &[whole])).map(drop),
            _ => member.ask(|store| store.replace(&name, whole)),
        }
    }

    /// Copies an index segment from a member whose copy is right.
    fn mend_segment(&self, member: &Member, record: &SegmentRecord, fault: &Fault) -> Result<(), Fault> {
        let name = segment_name(&record.uid);
        let others = self.store.members.iter().filter(|other| other.number != member.number);
        for other in others {
            let Ok(store) = other.store() else { continue };
            if check_segment_bytes(&**store, record, &|_| {}).is_err() {
                continue;
            }
            let bytes = other.ask(|store| store.get(&name, record.len))?;
            return match fault {
                Fault::Missing => member.ask(|store| store.put_new(&name, &[&bytes])).map(drop),
                _ => member.ask(|store| store.replace(&name, &bytes)),
            };
        }
        Err(Fault::Failed("no other member has it as the log says".to_owned()))
    }

    fn mend_shards(&self, found: &[Result<Found, Fault>], report: &mut GroupReport, observer: &dyn Observer) {
        let mut wanted: BTreeMap<PackId, Vec<(usize, &Fault)>> = BTreeMap::new();
        for (number, found) in found.iter().enumerate() {
            for (lack, fault) in found.iter().flatten() {
                if let Lack::Shard(record) = lack {
                    wanted.entry(record.uid).or_default().push((number, fault));
                }
            }
        }
        for (pack, members) in wanted {
            let bytes = self.store.pack(&pack);
            let cut = bytes.as_ref().map_err(told_store).and_then(|bytes| {
                self.store.cut(&pack, Cow::Borrowed(bytes)).map_err(|error| told_store(&error))
            });
            for (number, fault) in members {
                let member = &self.store.members[number];
                let done = match &cut {
                    Ok(cut) => self.mend_shard(member, &pack, cut, fault),
                    Err(why) => Err(Fault::Failed(why.clone())),
                };
                settle(&mut report.members[number], &shard_name(&pack, number), done);
            }
            self.store.forget(&pack);
            observer.advance(1, 0);
        }
    }

    fn mend_shard(&self, member: &Member, pack: &PackId, cut: &Cut<'_>, fault: &Fault) -> Result<(), Fault> {
        match fault {
            Fault::Missing => self.store.put_shard(member, pack, cut).map(drop)?,
            _ => {
                let file = cut.file(self.store.config(), member.number).concat();
                member.ask(|store| store.replace(&shard_name(pack, member.number), &file))?;
            }
        }
        self.store.measure().fetch(member, pack).map(drop)
    }

    /// Lets members count again whose log is right now.
    fn rejoin(&self, report: &GroupReport) {
        for (member, report) in self.store.members.iter().zip(&report.members) {
            let is_whole =
                report.unreachable.is_none() && report.unmended.iter().all(|what| !what.starts_with("log/"));
            if is_whole && log_is_whole(member) {
                member.rejoin(self.small.last);
                if member.number == 0 {
                    self.store.set_lead(Lead::First);
                }
            }
        }
    }

    /// Counts how many members each pack can still lose.
    fn count(&self, found: &[Result<Found, Fault>], report: &mut GroupReport) {
        let bad: Vec<Option<BTreeSet<PackId>>> =
            found.iter().zip(&report.members).map(|(found, report)| self.bad(found, report)).collect();
        for pack in self.state.packs.keys() {
            let right = bad.iter().flatten().filter(|bad| !bad.contains(pack)).count();
            match right.checked_sub(self.store.config().data()) {
                Some(spare) => *report.spare.entry(spare).or_default() += 1,
                None => report.lost.push(*pack),
            }
        }
    }

    /// The packs of which a member has no right shard; `None`: it cannot be reached.
    fn bad(&self, found: &Result<Found, Fault>, report: &MemberReport) -> Option<BTreeSet<PackId>> {
        let of = |(lack, _): &(Lack, Fault)| match lack {
            Lack::Shard(record) => Some(record.uid),
            _ => None,
        };
        let bad: BTreeSet<PackId> = found.as_ref().ok()?.iter().filter_map(of).collect();
        let is_left = |pack: &PackId| {
            !self.request.repair
                || report.unmended.iter().any(|what| what.starts_with(&format!("{FOLDER}{pack}-")))
        };
        Some(bad.into_iter().filter(is_left).collect())
    }
}

fn note(report: &mut MemberReport, member: &Member, (lack, fault): &(Lack, Fault)) {
    match (lack, fault) {
        (Lack::Shard(_), Fault::Missing) => report.missing += 1,
        (lack, Fault::Missing) => report.lacks.push(lack.name(member).to_string()),
        (_, Fault::Lies(what)) => report.wrong.push(what.clone()),
        (lack, fault) => report.wrong.push(format!("{}: it {fault}", lack.name(member))),
    }
}

fn settle(report: &mut MemberReport, name: &BlobName, done: Result<(), Fault>) {
    match done {
        Ok(()) => report.mended += 1,
        Err(fault) => report.unmended.push(format!("{name}: {fault}")),
    }
}

fn told_store(error: &StoreError) -> String {
    told(error)
}
