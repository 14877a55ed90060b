//! Writing: a shard to each member, and everything else whole to all.

use std::borrow::Cow;

use crate::cas::pack_name;
use crate::id::PackId;
use crate::store::{BlobName, Put, StoreError};

use super::lead::SEGMENT_LEN_MAX;
use super::member::{Fault, Member};
use super::shards::{Cut, shard_name};
use super::{SpreadStore, locked};

impl SpreadStore {
    /// Stores the shards of a pack.
    pub(super) fn put_pack(&self, uid: &PackId, name: &BlobName, parts: &[&[u8]]) -> Result<Put, StoreError> {
        let pack = match parts {
            [whole] => Cow::Borrowed(*whole),
            parts => Cow::Owned(parts.concat()),
        };
        let len = pack.len() as u64;
        let cut = self.cut(uid, pack)?;
        let puts = self.each(|member| self.put_shard(member, uid, &cut));
        let put = self.enough("store", name, puts)?;
        locked(&self.lens).insert(*uid, len);
        Ok(if put.contains(&Put::Created) { Put::Created } else { Put::Exists })
    }

    pub(super) fn cut<'p>(&self, uid: &PackId, pack: Cow<'p, [u8]>) -> Result<Cut<'p>, StoreError> {
        let Some(key) = self.key.get() else {
            let why = "the keys of the repository are not known yet".to_owned();
            return Err(self.too_few("store", &pack_name(uid), why, &[]));
        };
        Cut::new(*uid, pack, self.config(), key.as_bytes())
    }

    /// Stores a member's shard; one that is there must be the same.
    pub(super) fn put_shard(&self, member: &Member, uid: &PackId, cut: &Cut<'_>) -> Result<Put, Fault> {
        let (name, file) = (shard_name(uid, member.number), cut.file(self.config(), member.number));
        let parts: [&[u8]; 3] = std::array::from_fn(|at| &*file[at]);
        let put = member.ask(|store| store.put_new(&name, &parts))?;
        if put == Put::Exists {
            let len = member.ask(|store| store.len(&name))?;
            let is_same = len == Some(cut.header(member.number).pack.file_len())
                && self.measure().header(member, uid)? == *cut.header(member.number);
            if !is_same {
                return Err(Fault::Lies(format!("another file has the name {name}")));
            }
        }
        Ok(put)
    }

    /// What all did, if no more failed than may. Those that did are told of.
    pub(super) fn enough<T>(
        &self,
        action: &'static str,
        name: &BlobName,
        done: Vec<Result<T, Fault>>,
    ) -> Result<Vec<T>, StoreError> {
        let (mut good, mut faults) = (Vec::new(), Vec::new());
        for (number, done) in done.into_iter().enumerate() {
            match done {
                Ok(done) => good.push(done),
                Err(fault) => faults.push((number, fault)),
            }
        }
        let may = self.options.allow_missing;
        for (number, fault) in &faults {
            self.members[*number].blame();
            if faults.len() <= may {
                self.tell(&self.members[*number], fault);
            }
        }
        if faults.len() <= may {
            return Ok(good);
        }
        let many =
            if faults.len() == 1 { "1 member".to_owned() } else { format!("{} members", faults.len()) };
        let why = match may {
            0 => format!("{many} failed (--allow-missing N does without N of them)"),
            _ => format!("{many} failed, and {may} may be missing"),
        };
        Err(self.too_few(action, name, why, &faults))
    }

    /// Stores a blob whole at all members. The first one decides whether the name is free.
    pub(super) fn put_whole(&self, name: &BlobName, parts: &[&[u8]]) -> Result<Put, StoreError> {
        let leader = &self.members[0];
        let first = leader.store().map_err(|fault| self.without_leader("store", name, &fault))?;
        if first.put_new(name, parts)? == Put::Exists {
            return Ok(Put::Exists);
        }
        let puts = self.each(|member| match member.number {
            0 => Ok(()),
            _ => self.put_copy(member, name, parts),
        });
        self.enough("store", name, puts)?;
        Ok(Put::Created)
    }

    /// Stores a copy at a follower. What an attempt that failed has left there under the name the leader does not have gives way.
    fn put_copy(&self, member: &Member, name: &BlobName, parts: &[&[u8]]) -> Result<(), Fault> {
        if member.ask(|store| store.put_new(name, parts))? == Put::Created {
            return Ok(());
        }
        let whole = parts.concat();
        match member.ask(|store| store.get(name, whole.len() as u64)) {
            Ok(there) if there == whole => Ok(()),
            _ => member.ask(|store| store.replace(name, &whole)),
        }
    }

    /// Makes sure that all members have what the first one has.
    pub(super) fn complete_whole(&self, name: &BlobName) -> Result<(), StoreError> {
        let copied = self.each(|member| match member.number {
            0 => Ok(()),
            _ => self.copy(&self.members[0], member, name, SEGMENT_LEN_MAX),
        });
        self.enough("store", name, copied).map(drop)
    }

    /// Makes sure that all members have their shard of a pack.
    pub(super) fn complete(&self, uid: &PackId) -> Result<(), StoreError> {
        let name = pack_name(uid);
        let len = |member: &Member| member.ask(|store| store.len(&shard_name(uid, member.number)));
        if self.each(len).iter().all(|len| matches!(len, Ok(Some(_)))) {
            return Ok(());
        }
        let pack = self.pack(uid)?;
        let cut = self.cut(uid, Cow::Borrowed(&pack))?;
        self.enough("store", &name, self.each(|member| self.put_shard(member, uid, &cut))).map(drop)
    }
}
