//! The log of a group: the first member leads, the others follow.
//!
//! An entry counts when it stands at the leader. So a follower never has one that the leader lacks: where it does, the leader was brought back to an
//! older state, or withholds entries. Then, and where the leader cannot be reached, the longest log that proves itself is read, and nothing is written.

use std::sync::PoisonError;

use crate::cas::{open_envelope, seal_envelope, segment_name};
use crate::format::config::Config;
use crate::format::log::LogEntry;
use crate::limits::{CONFIG_LEN_MAX, ENVELOPE_LEN_MAX};
use crate::repo::PublicLog;
use crate::store::{BlobName, Put, StoreError};

use super::SpreadStore;
use super::member::{Fault, Member, told};

/// Most bytes of an index segment that is carried from one member to another in one piece.
pub(super) const SEGMENT_LEN_MAX: u64 = 1 << 30;

/// Whose log counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lead {
    /// The first member's, which can be written.
    First,
    /// Another member's, which can only be read: why.
    Other { source: usize, why: String },
}

impl Lead {
    pub(super) fn source(&self) -> usize {
        match self {
            Self::First => 0,
            Self::Other { source, .. } => *source,
        }
    }
}

/// What a member has of the small things.
struct Holds {
    last: u64,
    config: Vec<BlobName>,
}

impl SpreadStore {
    pub(super) fn lead(&self) -> Lead {
        self.lead.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_lead(&self, lead: Lead) {
        *self.lead.write().unwrap_or_else(PoisonError::into_inner) = lead;
    }

    /// The error of writing without a leader.
    pub(super) fn without_leader(&self, action: &'static str, name: &BlobName, fault: &Fault) -> StoreError {
        let leader = &self.members[0].place;
        let why = format!(
            "its leader, {leader}, decides what is written, and it {fault}; `warp repair --group NAME --replace {leader} NEW` puts \
             another one in its place"
        );
        self.too_few(action, name, why, &[])
    }

    /// Refuses to write where nobody leads.
    pub(super) fn check_writable(&self, action: &'static str, name: &BlobName) -> Result<(), StoreError> {
        match self.lead() {
            Lead::First => Ok(()),
            Lead::Other { why, .. } => Err(self.without_leader(action, name, &Fault::Failed(why))),
        }
    }

    /// Finds out whose log counts, and brings the others up to it.
    pub(super) fn align(&self) -> Result<(), StoreError> {
        let held = self.each(holds);
        self.check_enough(&held)?;
        for (member, held) in self.members.iter().zip(&held) {
            match held {
                Ok(held) => member.reached(held.last),
                Err(fault) => {
                    member.blame();
                    self.tell(member, fault);
                }
            }
        }
        let first = match &held[0] {
            Ok(first) => first,
            Err(fault) => return self.follow_another(fault.to_string()),
        };
        let longest = self.members.iter().skip(1).max_by_key(|member| member.last());
        if let Some(ahead) = longest.filter(|member| member.last() > first.last)
            && let Some(why) = self.is_behind(ahead)
        {
            return self.follow_another(why);
        }
        self.set_lead(Lead::First);
        let followed = self.each(|member| match &held[member.number] {
            Ok(held) if member.number > 0 => self.follow(member, first, held),
            _ => Ok(()),
        });
        for (member, followed) in self.members.iter().zip(followed) {
            if let (Err(fault), true) = (followed, member.is_reachable()) {
                self.tell_once(
                    member,
                    "lags",
                    &format!("lags behind the leader, and cannot be brought up to it: it {fault}"),
                );
            }
        }
        Ok(())
    }

    /// Refuses a group of which too few members answer to read anything.
    fn check_enough(&self, held: &[Result<Holds, Fault>]) -> Result<(), StoreError> {
        let silent =
            held.iter().enumerate().filter_map(|(number, held)| Some((number, held.as_ref().err()?.clone())));
        let silent: Vec<_> = silent.collect();
        let (needed, there) = (self.config().data(), held.len() - silent.len());
        if there >= needed {
            return Ok(());
        }
        let why = format!("{needed} of its members are needed, and {there} answer");
        Err(self.too_few("read", &entry_name(1), why, &silent))
    }

    /// Why the leader does not lead: a follower has more of the same log. (Or the follower has made that up, which is told of it.)
    fn is_behind(&self, ahead: &Member) -> Option<String> {
        let leader = &self.members[0];
        // Others may just have appended an entry.
        let now = holds(leader).ok()?.last;
        leader.reached(now);
        if now >= ahead.last() {
            return None;
        }
        if log_is_whole(ahead) {
            leader.diverge();
            return Some(format!("lacks entries of the log that {} has", ahead.place));
        }
        self.strays(ahead);
        None
    }

    /// Uses nothing of a member's log from here on.
    fn strays(&self, member: &Member) {
        member.diverge();
        member.blame();
        self.tell_once(member, "diverged", "has another log than the leader, or a damaged one: it is not used; `warp repair --group` writes it anew");
    }

    /// Reads the longest log that proves itself, and writes nothing.
    fn follow_another(&self, why: String) -> Result<(), StoreError> {
        let mut others: Vec<_> = self
            .members
            .iter()
            .skip(1)
            .filter(|member| member.is_reachable() && !member.is_diverged())
            .collect();
        others.sort_by_key(|member| std::cmp::Reverse(member.last()));
        let found = others.iter().find(|member| member.last() > 0 && log_is_whole(member));
        let Some(found) = found.or(others.first()) else {
            let name = entry_name(1);
            return Err(self.too_few(
                "read",
                &name,
                format!("its leader {why}, and no other member has a log"),
                &[],
            ));
        };
        for other in others.iter().filter(|other| other.number != found.number) {
            if !agree(found, other) {
                self.strays(other);
            }
        }
        self.tell_once(
            &self.members[0],
            "leader",
            &format!("leads the group, and {why}: it can be read, and not written"),
        );
        self.set_lead(Lead::Other { source: found.number, why });
        Ok(())
    }

    /// Brings a follower up to the leader.
    fn follow(&self, member: &Member, first: &Holds, held: &Holds) -> Result<(), Fault> {
        if !agree(&self.members[0], member) || member.is_diverged() {
            self.strays(member);
            return Ok(());
        }
        for name in first.config.iter().filter(|name| !held.config.contains(name)) {
            self.copy(&self.members[0], member, name, CONFIG_LEN_MAX as u64)?;
        }
        self.bring_up(&self.members[0], member, first.last)
    }

    /// Copies the entries that a member lacks, up to one, with the index segments that they name.
    pub(super) fn bring_up(&self, from: &Member, member: &Member, to: u64) -> Result<(), Fault> {
        for number in member.last() + 1..=to {
            let (file, content) = entry(from, number)?;
            if let Ok((entry, _)) = LogEntry::decode(&content) {
                for segment in &entry.public.segments_added {
                    // One that was removed since is nowhere any more.
                    let copied = self.copy(from, member, &segment_name(&segment.uid), SEGMENT_LEN_MAX);
                    copied.or_else(|fault| if fault == Fault::Missing { Ok(()) } else { Err(fault) })?;
                }
            }
            put_entry(member, number, &file, &content)?;
        }
        Ok(())
    }

    /// Copies a blob that a member may lack.
    pub(super) fn copy(&self, from: &Member, to: &Member, name: &BlobName, max: u64) -> Result<(), Fault> {
        if to.ask(|store| store.len(name))?.is_some() {
            return Ok(());
        }
        let bytes = from.ask(|store| store.get(name, max))?;
        to.ask(|store| store.put_new(name, &[&bytes])).map(drop)
    }

    /// Appends an entry: the leader decides.
    pub(super) fn append(&self, name: &BlobName, number: u64, parts: &[&[u8]]) -> Result<Put, StoreError> {
        let leader = &self.members[0];
        let store = leader.store().map_err(|fault| self.without_leader("append", name, &fault))?;
        let put = store.put_new(name, parts)?;
        if put == Put::Exists {
            return Ok(put);
        }
        leader.reached(number);
        let file = parts.concat();
        let content = open_envelope(&file).map(|opened| opened.content.into_owned()).unwrap_or_default();
        let followed = self.each(|member| {
            if member.number == 0 || member.is_diverged() {
                return Ok(());
            }
            self.bring_up(leader, member, number - 1)?;
            put_entry(member, number, &file, &content)
        });
        // What stands at the leader counts, whatever the others do: they are brought up to it later.
        for (member, followed) in self.members.iter().zip(followed) {
            if let Err(fault) = followed {
                member.blame();
                self.tell_once(member, "lags", &format!("lags behind the leader: it {fault}"));
            }
        }
        Ok(put)
    }
}

/// The last entry of a member's log, and its copies of the configuration.
fn holds(member: &Member) -> Result<Holds, Fault> {
    let log = member.ask(|store| store.names("log/"))?;
    let last = log.iter().filter_map(entry_number).max().unwrap_or(0);
    Ok(Holds { last, config: member.ask(|store| store.names("config/"))? })
}

/// Whether everything in a member's log is signed by who may, and follows what is before it.
pub(super) fn log_is_whole(member: &Member) -> bool {
    let Ok(store) = member.store() else { return false };
    PublicLog::follow(&**store).is_ok_and(|log| log.is_whole && log.state.number > 0)
}

/// Whether two members have one history, as far as both go: entries are chained, so their last common one tells.
fn agree(one: &Member, other: &Member) -> bool {
    match one.last().min(other.last()) {
        0 => true,
        number => match (entry(one, number), entry(other, number)) {
            (Ok((_, one)), Ok((_, other))) => one == other,
            // What is damaged is another history of nobody: each entry is looked at when it is read.
            _ => true,
        },
    }
}

/// The file of an entry as it was written, and what is in it: a member's own file may be damaged such that its parity heals it.
pub(super) fn entry(member: &Member, number: u64) -> Result<(Vec<u8>, Vec<u8>), Fault> {
    let name = entry_name(number);
    let file = member.ask(|store| store.get(&name, ENVELOPE_LEN_MAX))?;
    let content = check_entry(number, &file).map_err(|why| Fault::Lies(format!("{name}: {why}")))?;
    let whole = seal_envelope(&content).map_err(|error| Fault::Lies(told(&error)))?;
    Ok((whole, content))
}

/// What is in the file of an entry, if it is one.
pub(super) fn check_entry(number: u64, file: &[u8]) -> Result<Vec<u8>, String> {
    let content = open_envelope(file).map_err(|error| told(&error))?.content.into_owned();
    let (entry, _) = LogEntry::decode(&content).map_err(|error| error.to_string())?;
    match entry.public.number == number {
        true => Ok(content),
        false => Err(format!("it is entry {}", entry.public.number)),
    }
}

/// What a copy of the configuration must be.
pub(super) fn check_config(bytes: &[u8]) -> Result<(), String> {
    Config::decode(bytes).map(drop).map_err(|error| error.to_string())
}

/// Stores an entry at a follower.
pub(super) fn put_entry(member: &Member, number: u64, file: &[u8], content: &[u8]) -> Result<(), Fault> {
    let name = entry_name(number);
    let put = member.ask(|store| match store.put_new(&name, &[file]) {
        // A host takes an old entry, whose packs may be gone since, only from who administers it, and says so.
        Err(error) if matches!(store.len(&name), Ok(None)) => {
            store.replace(&name, file).map(|()| Put::Created).map_err(|_| error)
        }
        put => put,
    })?;
    if put == Put::Exists && entry(member, number)?.1 != content {
        member.diverge();
        return Err(Fault::Lies(format!("{name} is another entry there")));
    }
    member.reached(number);
    Ok(())
}

pub(super) fn entry_name(number: u64) -> BlobName {
    BlobName::new(&format!("log/{number:010}")).expect("digits make a legal name")
}

pub(super) fn entry_number(name: &BlobName) -> Option<u64> {
    name.as_str().strip_prefix("log/")?.parse().ok()
}
