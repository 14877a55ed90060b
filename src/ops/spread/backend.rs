//! A group as a store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::cas::pack_name;
use crate::crypto::Secret32;
use crate::id::PackId;
use crate::store::{BlobInfo, BlobName, Put, StorageBackend, StoreError, TakeBlob, part_of};

use super::lead::{Lead, check_config, check_entry, entry_number};
use super::member::{Fault, Member, fault};
use super::shards::{FOLDER, pack_of, parse_shard_name, shard_name};
use super::{SpreadStore, locked};

/// Whether what a member returned proves itself.
type Proof<'p, T> = &'p dyn Fn(&T) -> Result<(), String>;

impl SpreadStore {
    /// The members to ask for a blob that all have, in the order in which they are asked.
    fn holders(&self, name: &BlobName) -> Vec<Arc<Member>> {
        let is_history = ["log", "config"].contains(&name.folder().unwrap_or_default());
        let source = self.lead().source();
        let is_usable =
            |member: &&Arc<Member>| member.is_reachable() && !(is_history && member.is_diverged());
        let mut holders: Vec<_> = self.members.iter().filter(is_usable).cloned().collect();
        holders.sort_by_key(|member| (is_history && member.number != source, member.rank()));
        if let Some(served) = locked(&self.served).get(name) {
            holders.sort_by_key(|member| served.wrong.contains(&member.number));
        }
        holders
    }

    /// Reads a blob that all have whole.
    fn whole<T>(
        &self,
        name: &BlobName,
        read: impl Fn(&dyn StorageBackend) -> Result<T, StoreError>,
        proof: Proof<'_, T>,
    ) -> Result<T, StoreError> {
        let decides = name.folder() == Some("log");
        let (mut faults, mut odd) = (Vec::new(), None);
        for member in self.holders(name) {
            let is_source = member.number == self.lead().source();
            let error = match member.store().map(|store| read(&**store)) {
                Ok(Ok(found)) => match proof(&found) {
                    Ok(()) => {
                        self.note_served(name, &member);
                        return Ok(found);
                    }
                    Err(why) => Fault::Lies(format!("{name}: {why}")),
                },
                // Who leads says where the log ends.
                Ok(Err(error)) if is_source && decides && error.is_not_found() => return Err(error),
                Ok(Err(error)) => {
                    let fault = fault(&error);
                    if matches!(error, StoreError::Short { .. } | StoreError::TooLarge { .. }) {
                        odd = odd.or(Some(error));
                    }
                    fault
                }
                Err(fault) => fault,
            };
            if error != Fault::Missing {
                member.blame();
                self.tell(&member, &error);
            }
            faults.push((member.number, error));
        }
        if let Some(error) = odd {
            return Err(error);
        }
        let missing = faults.iter().filter(|(_, fault)| *fault == Fault::Missing).count();
        if missing == faults.len() || missing > self.config().parity() {
            return Err(StoreError::NotFound { name: name.to_string(), location: self.location() });
        }
        Err(self.too_few("read", name, "no member has it as it was stored".to_owned(), &faults))
    }

    /// Reads many blobs that all have whole, from one member as long as it answers.
    fn many_whole(&self, names: &[BlobName], max: u64, take: &mut TakeBlob<'_>) -> Result<(), StoreError> {
        let mut rest = names;
        while let Some(first) = rest.first() {
            let holders = self.holders(first);
            let member = holders.first().and_then(|member| Some((member, member.store().ok()?)));
            let Some((member, store)) = member else {
                return rest.iter().try_for_each(|name| take(name, self.get(name, max)));
            };
            let (mut taken, mut is_at_fault) = (0, false);
            let done = store.get_many(rest, max, &mut |name, got| {
                if got.as_ref().is_err_and(|error| !error.is_not_found()) {
                    is_at_fault = true;
                    return got.map(drop);
                }
                taken += 1;
                if got.is_ok() {
                    self.note_served(name, member);
                }
                // Another member may have what this one lacks.
                take(name, got.or_else(|_| self.get(name, max)))
            });
            if !is_at_fault {
                return done;
            }
            // This blames the member, so that the rest is asked of another one.
            take(&rest[taken], self.get(&rest[taken], max))?;
            rest = &rest[taken + 1..];
        }
        Ok(())
    }

    fn note_served(&self, name: &BlobName, member: &Member) {
        if name.folder() == Some("index") {
            locked(&self.served).entry(name.clone()).or_default().by = member.number;
        }
    }

    /// What a member says there is in a folder, of those that answer; more than may be lost must not fail.
    fn listings<T: Send>(
        &self,
        folder: &str,
        list: impl Fn(&dyn StorageBackend) -> Result<Vec<T>, StoreError> + Sync,
    ) -> Result<Vec<(usize, T)>, StoreError> {
        let (mut found, mut faults) = (Vec::new(), Vec::new());
        for (number, listed) in self.each(|member| member.ask(&list)).into_iter().enumerate() {
            match listed {
                Ok(rows) => found.extend(rows.into_iter().map(|row| (number, row))),
                Err(fault) => {
                    self.tell(&self.members[number], &fault);
                    faults.push((number, fault));
                }
            }
        }
        if faults.len() > self.config().parity() {
            let name = BlobName::new(folder.trim_end_matches('/'))?;
            let why = format!("{} members failed", faults.len());
            return Err(self.too_few("list", &name, why, &faults));
        }
        Ok(found)
    }

    /// The packs of which there are shards, and who has them.
    pub(super) fn packs(&self) -> Result<BTreeMap<PackId, Vec<usize>>, StoreError> {
        let mut packs: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (member, name) in self.listings(FOLDER, |store| store.names(FOLDER))? {
            if let Some((pack, number)) = parse_shard_name(name.as_str())
                && usize::from(number) == member
            {
                packs.entry(pack).or_default().push(member);
            }
        }
        Ok(packs)
    }

    /// The length of a pack, from the header of one of its shards.
    fn pack_len(&self, pack: &PackId, holders: &[usize]) -> Result<u64, StoreError> {
        if let Some(len) = locked(&self.lens).get(pack) {
            return Ok(*len);
        }
        let (measure, mut faults) = (self.measure(), Vec::new());
        for number in holders {
            let member = &self.members[*number];
            match measure.header(member, pack) {
                Ok(header) => {
                    locked(&self.lens).insert(*pack, header.pack.len);
                    return Ok(header.pack.len);
                }
                Err(fault) => {
                    member.blame();
                    self.tell_of_shard(member, pack, &fault);
                    faults.push((*number, fault));
                }
            }
        }
        Err(self.too_few("read", &pack_name(pack), "no shard of it is right".to_owned(), &faults))
    }

    /// The length of a pack; `None`: there are too few shards of it.
    fn len_of_pack(&self, pack: &PackId) -> Result<Option<u64>, StoreError> {
        let lens = self.each(|member| member.ask(|store| store.len(&shard_name(pack, member.number))));
        let has = |number: &usize| matches!(lens[*number], Ok(Some(_)));
        let holders: Vec<usize> = (0..lens.len()).filter(has).collect();
        let silent: Vec<_> = lens
            .iter()
            .enumerate()
            .filter_map(|(number, len)| Some((number, len.as_ref().err()?.clone())))
            .collect();
        let needed = self.config().data();
        if holders.len() >= needed {
            return self.pack_len(pack, &holders).map(Some);
        }
        match holders.len() + silent.len() < needed || silent.len() <= self.config().parity() {
            true => Ok(None),
            false => {
                Err(self.too_few("read", &pack_name(pack), format!("{needed} members must answer"), &silent))
            }
        }
    }

    /// The packs with their lengths: one header of each pack that is not known is read, by all members at once.
    fn list_packs(&self) -> Result<Vec<BlobInfo>, StoreError> {
        let packs: Vec<_> = self.packs()?.into_iter().collect();
        let part = packs.len().div_ceil(self.members.len()).max(1);
        let row = |at: usize, (pack, holders): &(PackId, Vec<usize>)| {
            let mut holders = holders.clone();
            let by = at % holders.len().max(1);
            holders.rotate_left(by);
            // A shard without a right header is listed all the same: it lies there.
            let len = self.pack_len(pack, &holders).unwrap_or(0);
            BlobInfo { name: pack_name(pack), len }
        };
        let row = &row;
        let rows = std::thread::scope(|scope| {
            let read = |part: &'_ [(PackId, Vec<usize>)]| {
                part.iter().enumerate().map(|(at, pack)| row(at, pack)).collect()
            };
            let parts: Vec<_> =
                packs.chunks(part).map(|part| scope.spawn(move || -> Vec<BlobInfo> { read(part) })).collect();
            let rows = parts.into_iter().map(|part| part.join());
            rows.map(|rows| rows.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect::<Vec<_>>()
        });
        Ok(rows.concat())
    }

    /// Does something at all members, of which no more may fail than may miss what is written.
    fn at_all(
        &self,
        action: &'static str,
        name: &BlobName,
        act: impl Fn(&dyn StorageBackend, &Member) -> Result<bool, StoreError> + Sync,
    ) -> Result<bool, StoreError> {
        self.check_writable(action, name)?;
        let done = self.each(|member| member.ask(|store| act(store, member)));
        Ok(self.enough(action, name, done)?.contains(&true))
    }

    fn check_kind(name: &BlobName) -> Result<(), StoreError> {
        let reason = match name.folder() {
            Some("packs") => "a group holds nothing but packs there",
            Some("shards") => "a group makes its shards itself",
            _ => return Ok(()),
        };
        Err(StoreError::BadName { name: name.to_string(), reason })
    }
}

impl StorageBackend for SpreadStore {
    fn location(&self) -> String {
        self.describe()
    }

    fn is_far(&self) -> bool {
        self.members.iter().any(|member| member.store().is_ok_and(|store| store.is_far()))
    }

    fn put_new(&self, name: &BlobName, parts: &[&[u8]]) -> Result<Put, StoreError> {
        self.check_writable("store", name)?;
        match (pack_of(name), entry_number(name)) {
            (Some(pack), _) => self.put_pack(&pack, name, parts),
            (None, Some(number)) => self.append(name, number, parts),
            (None, None) => Self::check_kind(name).and_then(|()| self.put_whole(name, parts)),
        }
    }

    fn replace(&self, name: &BlobName, bytes: &[u8]) -> Result<(), StoreError> {
        Self::check_kind(name)?;
        self.at_all("replace", name, |store, _| store.replace(name, bytes).map(|()| true)).map(drop)
    }

    fn get(&self, name: &BlobName, max: u64) -> Result<Vec<u8>, StoreError> {
        if let Some(pack) = pack_of(name) {
            let bytes = self.pack(&pack)?;
            let len = bytes.len() as u64;
            return match len <= max {
                true => Ok(bytes.to_vec()),
                false => {
                    Err(StoreError::TooLarge { name: name.to_string(), location: self.location(), len, max })
                }
            };
        }
        let read = |store: &dyn StorageBackend| store.get(name, max);
        match (name.folder(), entry_number(name)) {
            (_, Some(number)) => self.whole(name, read, &|file| check_entry(number, file).map(drop)),
            (Some("config"), _) => self.whole(name, read, &|bytes| check_config(bytes)),
            _ => self.whole(name, read, &|_| Ok(())),
        }
    }

    fn get_many(&self, names: &[BlobName], max: u64, take: &mut TakeBlob<'_>) -> Result<(), StoreError> {
        let is_proved =
            |name: &BlobName| ["packs", "log", "config"].contains(&name.folder().unwrap_or_default());
        match names.iter().any(is_proved) {
            true => names.iter().try_for_each(|name| take(name, self.get(name, max))),
            false => self.many_whole(names, max, take),
        }
    }

    fn read_at(&self, name: &BlobName, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let Some(pack) = pack_of(name) else {
            return self.whole(name, |store| store.read_at(name, offset, len), &|_| Ok(()));
        };
        let bytes = self.pack(&pack)?;
        part_of(&bytes, (name, &|| self.location()), offset, len)
    }

    fn len(&self, name: &BlobName) -> Result<Option<u64>, StoreError> {
        if let Some(pack) = pack_of(name) {
            return self.len_of_pack(&pack);
        }
        let missing = || StoreError::NotFound { name: name.to_string(), location: self.location() };
        match self.whole(name, |store| store.len(name)?.ok_or_else(missing), &|_| Ok(())) {
            Ok(len) => Ok(Some(len)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, StoreError> {
        match prefix {
            "packs/" => self.list_packs(),
            "log/" | "config/" => {
                let of = BlobName::new(&format!("{prefix}0"))?;
                self.whole(&of, |store| store.list(prefix), &|_| Ok(()))
            }
            _ => {
                let rows = self.listings(prefix, |store| store.list(prefix))?;
                let rows: BTreeMap<_, _> = rows.into_iter().map(|(_, row)| (row.name, row.len)).collect();
                Ok(rows.into_iter().map(|(name, len)| BlobInfo { name, len }).collect())
            }
        }
    }

    fn names(&self, prefix: &str) -> Result<Vec<BlobName>, StoreError> {
        match prefix {
            "packs/" => Ok(self.packs()?.keys().map(pack_name).collect()),
            "log/" | "config/" => {
                let of = BlobName::new(&format!("{prefix}0"))?;
                self.whole(&of, |store| store.names(prefix), &|_| Ok(()))
            }
            _ => {
                let names = self.listings(prefix, |store| store.names(prefix))?;
                let names: BTreeSet<_> = names.into_iter().map(|(_, name)| name).collect();
                Ok(names.into_iter().collect())
            }
        }
    }

    fn clear_temporaries(&self, unused_for: Duration) -> Result<u64, StoreError> {
        let cleared = self.each(|member| member.ask(|store| store.clear_temporaries(unused_for)));
        Ok(cleared.into_iter().filter_map(Result::ok).sum())
    }

    fn keyed(&self, key: &[u8; 32]) {
        // Another key would be another family's, whose repository this is not: its shards are then refused one by one.
        drop(self.key.set(Secret32::new(*key)));
    }

    fn doubt(&self, name: &BlobName) -> bool {
        let mut all = locked(&self.served);
        let Some(served) = all.get_mut(name) else { return false };
        let member = &self.members[served.by];
        if served.wrong.insert(served.by) {
            member.blame();
            self.tell(member, &Fault::Lies(format!("{name}: it is not what was stored")));
        }
        self.members.iter().any(|member| member.is_reachable() && !served.wrong.contains(&member.number))
    }

    fn settle(&self, name: &BlobName) -> Result<(), StoreError> {
        if let Some(pack) = pack_of(name) {
            self.check_writable("store", name)?;
            return self.complete(&pack);
        }
        let (Lead::First, Ok(store)) = (self.lead(), self.members[0].store()) else { return Ok(()) };
        store.settle(name)?;
        match entry_number(name) {
            // Whoever opens the group brings its followers up to the leader.
            Some(_) => Ok(()),
            None => self.complete_whole(name),
        }
    }

    fn delete(&self, name: &BlobName) -> Result<bool, StoreError> {
        match pack_of(name) {
            Some(pack) => {
                self.forget(&pack);
                self.at_all("delete", name, |store, member| store.delete(&shard_name(&pack, member.number)))
            }
            None => self.at_all("delete", name, |store, _| store.delete(name)),
        }
    }
}
