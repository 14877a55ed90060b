//! The public part of an entry.
use super::{CommitRecord, DeviceRecord, EntryPublic, PackRecord, RefChange, SegmentRecord};
use crate::format::DecodeError;
use crate::format::codec::{Reader, Writer, ensure_distinct, limit};
use crate::format::commit::Commit;
use crate::id::{
    AttemptId, CommitId, DeviceId, EntryHash, FamilyId, InstanceId, NamespaceId, PackId, RefId, Root,
    SegmentId,
};
use crate::limits;

const WHAT: &str = "public part of a log entry";
const VERSION: u16 = 1;
/// Bit of a pack's flags: its directory serves as its index.
const SELF_INDEXED: u8 = 1;
/// Bits of a ref's flags: which commits follow.
const HAS_OLD: u8 = 1;
const HAS_NEW: u8 = 2;

impl EntryPublic {
    /// The bytes that are signed.
    ///
    /// # Errors
    /// If it breaks a rule of [`Self::check`], or is too long for an entry: split it.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        self.check()?;
        let mut writer = Writer::with_capacity(512 + self.private.len() + 128 * self.packs_added.len());
        writer.u16(VERSION);
        writer.bytes(self.family.as_bytes());
        writer.bytes(self.instance.as_bytes());
        writer.u64(self.number);
        writer.bytes(self.previous.as_bytes());
        writer.bytes(self.attempt.as_bytes());
        writer.u32(self.epoch);
        writer.bytes(self.device.as_bytes());
        self.encode_lists(&mut writer);
        writer.prefixed(&self.private);
        let max = super::LogEntry::PUBLIC_LEN_MAX as u64;
        limit("length of a log entry's public part", writer.as_slice().len() as u64, max)?;
        Ok(writer.into_bytes())
    }

    fn encode_lists(&self, writer: &mut Writer) {
        list(writer, &self.packs_added, encode_pack);
        list(writer, &self.packs_condemned, |writer, id| writer.bytes(id.as_bytes()));
        list(writer, &self.packs_removed, |writer, id| writer.bytes(id.as_bytes()));
        list(writer, &self.segments_added, encode_segment);
        list(writer, &self.segments_removed, |writer, id| writer.bytes(id.as_bytes()));
        list(writer, &self.uses, |writer, id| writer.bytes(id.as_bytes()));
        list(writer, &self.commits, encode_commit);
        list(writer, &self.forgotten, |writer, id| writer.bytes(id.as_bytes()));
        list(writer, &self.refs, encode_ref);
        list(writer, &self.devices, encode_device);
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// If it is of a newer version, ends early, is not canonical, or breaks a rule of [`Self::check`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let max = super::LogEntry::PUBLIC_LEN_MAX as u64;
        limit("length of a log entry's public part", bytes.len() as u64, max)?;
        let mut reader = Reader::new(WHAT, bytes);
        reader.version(VERSION)?;
        let public = Self::decode_fields(&mut reader)?;
        reader.finish()?;
        public.check()?;
        Ok(public)
    }

    fn decode_fields(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let family = FamilyId::new(reader.array()?);
        let instance = InstanceId::new(reader.array()?);
        let number = reader.u64()?;
        let previous = EntryHash::new(reader.array()?);
        let attempt = AttemptId::new(reader.array()?);
        let epoch = reader.u32()?;
        let device = DeviceId::new(reader.array()?);
        Ok(Self {
            family,
            instance,
            number,
            previous,
            attempt,
            packs_added: items(reader, "number of packs added", 93, decode_pack)?,
            packs_condemned: items(reader, "number of packs condemned", 16, |r| r.array().map(PackId::new))?,
            packs_removed: items(reader, "number of packs removed", 16, |r| r.array().map(PackId::new))?,
            segments_added: items(reader, "number of segments added", 60, decode_segment)?,
            segments_removed: items(reader, "number of segments removed", 16, |r| {
                r.array().map(SegmentId::new)
            })?,
            uses: items(reader, "number of packs used", 16, |r| r.array().map(PackId::new))?,
            commits: items(reader, "number of commits", 33, decode_commit)?,
            forgotten: items(reader, "number of commits forgotten", 32, |r| r.array().map(CommitId::new))?,
            refs: items(reader, "number of refs", 65, decode_ref)?,
            devices: items(reader, "number of devices", 97, decode_device)?,
            epoch,
            private: reader.prefixed("length of the private part", limits::LOG_ENTRY_LEN_MAX)?.to_vec(),
            device,
        })
    }

    /// Checks what an entry must be whatever the log holds: its number fits its predecessor, no list names one thing
    /// twice, lengths and roles are possible.
    ///
    /// # Errors
    /// The rule that it breaks. No such entry is written or read.
    pub fn check(&self) -> Result<(), DecodeError> {
        let rule = Reader::new(WHAT, &[]);
        rule.ensure(self.number > 0, "its number is 0")?;
        let first = self.previous == EntryHash::new([0; EntryHash::LEN]);
        rule.ensure(first == (self.number == 1), "only the first entry has none before it")?;
        for RefChange { old, new, .. } in &self.refs {
            rule.ensure(old.is_some() || new.is_some(), "a ref neither existed nor exists")?;
        }
        let newer = "a pack is sealed under a newer data key than the entry";
        rule.ensure(self.packs_added.iter().all(|pack| pack.epoch <= self.epoch), newer)?;
        for device in &self.devices {
            rule.ensure(device.roles & !DeviceRecord::ROLES == 0, "a device has unknown roles")?;
        }
        for CommitRecord { parents, .. } in &self.commits {
            limit("number of parents", parents.len() as u64, Commit::PARENTS_MAX as u64)?;
            ensure_distinct("list of parents of a commit", parents.iter())?;
        }
        self.check_distinct()
    }

    fn check_distinct(&self) -> Result<(), DecodeError> {
        ensure_distinct("list of packs added", self.packs_added.iter().map(|pack| pack.uid))?;
        ensure_distinct("list of packs condemned", self.packs_condemned.iter())?;
        ensure_distinct("list of packs removed", self.packs_removed.iter())?;
        ensure_distinct("list of segments added", self.segments_added.iter().map(|segment| segment.uid))?;
        ensure_distinct("list of segments removed", self.segments_removed.iter())?;
        ensure_distinct("list of packs used", self.uses.iter())?;
        ensure_distinct("list of commits", self.commits.iter().map(|commit| commit.id))?;
        ensure_distinct("list of commits forgotten", self.forgotten.iter())?;
        ensure_distinct("list of refs", self.refs.iter().map(|change| change.id))?;
        ensure_distinct("list of devices", self.devices.iter().map(|device| device.device))
    }
}

pub(in crate::format) fn list<T>(writer: &mut Writer, items: &[T], mut encode: impl FnMut(&mut Writer, &T)) {
    writer.count(items.len());
    items.iter().for_each(|item| encode(writer, item));
}

/// Reads a list of items that take at least `len_min` bytes each.
pub(in crate::format) fn items<T>(
    reader: &mut Reader<'_>,
    what: &'static str,
    len_min: usize,
    mut decode: impl FnMut(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = reader.count(what, limits::LOG_ENTRY_LEN_MAX, len_min)?;
    (0..count).map(|_| decode(reader)).collect()
}

pub(in crate::format) fn encode_pack(writer: &mut Writer, pack: &PackRecord) {
    writer.bytes(pack.uid.as_bytes());
    writer.u64(pack.len);
    writer.bytes(pack.payload_root.as_bytes());
    writer.bytes(pack.parity_root.as_bytes());
    writer.u32(pack.epoch);
    writer.u8(if pack.self_indexed { SELF_INDEXED } else { 0 });
}

pub(in crate::format) fn decode_pack(reader: &mut Reader<'_>) -> Result<PackRecord, DecodeError> {
    Ok(PackRecord {
        uid: PackId::new(reader.array()?),
        len: reader.u64()?,
        payload_root: Root::new(reader.array()?),
        parity_root: Root::new(reader.array()?),
        epoch: reader.u32()?,
        self_indexed: reader.bool()?,
    })
}

pub(in crate::format) fn encode_segment(writer: &mut Writer, segment: &SegmentRecord) {
    writer.bytes(segment.uid.as_bytes());
    writer.u64(segment.len);
    writer.bytes(segment.hash.as_bytes());
    writer.u32(segment.rows);
}

pub(in crate::format) fn decode_segment(reader: &mut Reader<'_>) -> Result<SegmentRecord, DecodeError> {
    Ok(SegmentRecord {
        uid: SegmentId::new(reader.array()?),
        len: reader.u64()?,
        hash: Root::new(reader.array()?),
        rows: reader.u32()?,
    })
}

pub(in crate::format) fn encode_commit(writer: &mut Writer, commit: &CommitRecord) {
    writer.bytes(commit.id.as_bytes());
    list(writer, &commit.parents, |writer, id| writer.bytes(id.as_bytes()));
}

pub(in crate::format) fn decode_commit(reader: &mut Reader<'_>) -> Result<CommitRecord, DecodeError> {
    let id = CommitId::new(reader.array()?);
    let count = reader.count("number of parents", Commit::PARENTS_MAX, CommitId::LEN)?;
    let parents = (0..count).map(|_| reader.array().map(CommitId::new)).collect::<Result<_, _>>()?;
    Ok(CommitRecord { id, parents })
}

fn encode_ref(writer: &mut Writer, change: &RefChange) {
    writer.bytes(change.id.as_bytes());
    writer.bytes(change.namespace.as_bytes());
    encode_commits_of_ref(writer, change.old, change.new);
}

/// Where a ref stood and stands: flags, and the commits that there are.
pub(in crate::format) fn encode_commits_of_ref(
    writer: &mut Writer,
    old: Option<CommitId>,
    new: Option<CommitId>,
) {
    let flag = |commit: Option<_>, bit| if commit.is_some() { bit } else { 0 };
    writer.u8(flag(old, HAS_OLD) | flag(new, HAS_NEW));
    old.iter().chain(&new).for_each(|id| writer.bytes(id.as_bytes()));
}

fn decode_ref(reader: &mut Reader<'_>) -> Result<RefChange, DecodeError> {
    let id = RefId::new(reader.array()?);
    let namespace = NamespaceId::new(reader.array()?);
    let (old, new) = decode_commits_of_ref(reader)?;
    Ok(RefChange { id, namespace, old, new })
}

/// What [`encode_commits_of_ref`] wrote.
pub(in crate::format) fn decode_commits_of_ref(
    reader: &mut Reader<'_>,
) -> Result<(Option<CommitId>, Option<CommitId>), DecodeError> {
    let flags = reader.u8()?;
    reader.ensure(flags & !(HAS_OLD | HAS_NEW) == 0, "a ref has unknown flags")?;
    let mut commit = |bit| match flags & bit {
        0 => Ok(None),
        _ => reader.array().map(|id| Some(CommitId::new(id))),
    };
    Ok((commit(HAS_OLD)?, commit(HAS_NEW)?))
}

pub(in crate::format) fn encode_device(writer: &mut Writer, record: &DeviceRecord) {
    writer.bytes(record.device.as_bytes());
    writer.u8(record.roles);
    writer.bytes(&record.certificate);
}

pub(in crate::format) fn decode_device(reader: &mut Reader<'_>) -> Result<DeviceRecord, DecodeError> {
    Ok(DeviceRecord {
        device: DeviceId::new(reader.array()?),
        roles: reader.u8()?,
        certificate: reader.array()?,
    })
}
