#![doc = include_str!("checkpoint.md")]
#[cfg(test)]
mod tests;

use super::DecodeError;
use super::codec::{Reader, Writer, limit};
use super::dirtree::Timestamp;
use super::log::{
    CommitRecord, DeviceRecord, EntryPrivate, PackRecord, RefName, SegmentRecord, decode_commit,
    decode_commits_of_ref, decode_device, decode_made, decode_pack, decode_segment, encode_commit,
    encode_commits_of_ref, encode_device, encode_made, encode_pack, encode_segment, items, list,
};
use crate::id::{CommitId, DeviceId, EntryHash, FamilyId, InstanceId, PackId, RefId, SegmentId};
use crate::limits::ENVELOPE_CONTENT_LEN_MAX;

const WHAT: &str = "checkpoint";
const BODY: &str = "body of a checkpoint";
const MAGIC: &[u8; 8] = b"WARPCKPT";
const VERSION: u16 = 1;
const BODY_VERSION: u8 = 1;
const SIGNATURE_LEN: usize = 64;
/// What a signature of a checkpoint starts with, so that it can be taken for nothing else.
const CONTEXT: &[u8] = b"warp checkpoint 1\0";

/// What stands around the sealed body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The keys' family.
    pub family: FamilyId,
    /// The repository.
    pub instance: InstanceId,
    /// Number of the entry after which it holds.
    pub number: u64,
    /// Hash of that entry.
    pub hash: EntryHash,
    /// Which data key seals the body.
    pub epoch: u32,
    /// Who signs.
    pub device: DeviceId,
    /// The body, sealed: nonce, ciphertext, tag.
    pub body: Vec<u8>,
}

/// That something was condemned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CondemnedRecord {
    /// What.
    pub uid: PackId,
    /// Number of the entry.
    pub entry: u64,
    /// When it was written.
    pub time: Timestamp,
}

/// One movement of a ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefMovement {
    /// Place of its name in [`CheckpointBody::names`].
    pub name: usize,
    /// Where it stood.
    pub old: Option<CommitId>,
    /// Where it stands since.
    pub new: Option<CommitId>,
    /// When.
    pub time: Timestamp,
    /// By whom.
    pub who: String,
    /// What was done.
    pub message: String,
    /// Number of the entry.
    pub entry: u64,
}

/// The state after an entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckpointBody {
    /// Bytes of all files of the log so far.
    pub log_bytes: u64,
    /// The newest data key that an entry was sealed under.
    pub epoch: u32,
    /// Packs that exist, in the order in which they came.
    pub packs: Vec<PackRecord>,
    /// Those of them that are condemned, by name.
    pub condemned: Vec<CondemnedRecord>,
    /// Condemned files that no entry has added, by name.
    pub orphans: Vec<CondemnedRecord>,
    /// Packs that entries other than their own relied on, and the last such entry, by name.
    pub used: Vec<(PackId, u64)>,
    /// Packs that existed once, ascending.
    pub removed_packs: Vec<PackId>,
    /// Segments that existed once, ascending.
    pub removed_segments: Vec<SegmentId>,
    /// Segments, in the order in which they came.
    pub segments: Vec<SegmentRecord>,
    /// Commits that ever were live, in the order in which they first came.
    pub commits: Vec<CommitRecord>,
    /// Places of those that are live, ascending.
    pub live: Vec<usize>,
    /// Names of refs, by opaque name.
    pub names: Vec<RefName>,
    /// Movements of refs, oldest first.
    pub reflog: Vec<RefMovement>,
    /// Devices that may write, by key.
    pub devices: Vec<DeviceRecord>,
}

impl Checkpoint {
    /// The bytes that are signed, but for the context that [`checkpoint_signing_bytes`] puts before them.
    ///
    /// # Errors
    /// If the body is too long for an envelope, or the number is 0.
    pub fn encode_unsigned(&self) -> Result<Vec<u8>, DecodeError> {
        self.check()?;
        let mut writer = Writer::with_capacity(160 + self.body.len() + SIGNATURE_LEN);
        writer.bytes(MAGIC);
        writer.u16(VERSION);
        writer.reserved(2);
        writer.bytes(self.family.as_bytes());
        writer.bytes(self.instance.as_bytes());
        writer.u64(self.number);
        writer.bytes(self.hash.as_bytes());
        writer.u32(self.epoch);
        writer.bytes(self.device.as_bytes());
        writer.prefixed(&self.body);
        let len = writer.as_slice().len() + SIGNATURE_LEN;
        limit("length of a checkpoint", len as u64, ENVELOPE_CONTENT_LEN_MAX as u64)?;
        Ok(writer.into_bytes())
    }

    fn check(&self) -> Result<(), DecodeError> {
        Reader::new(WHAT, &[]).ensure(self.number > 0, "its number is 0")
    }

    /// Reads a checkpoint; also returns the bytes that are signed, and the signature, which is not verified.
    ///
    /// # Errors
    /// If it is none, is of a newer version, or is not canonical.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8], [u8; SIGNATURE_LEN]), DecodeError> {
        limit("length of a checkpoint", bytes.len() as u64, ENVELOPE_CONTENT_LEN_MAX as u64)?;
        let mut reader = Reader::new(WHAT, bytes);
        reader.magic(MAGIC)?;
        reader.version(VERSION)?;
        reader.reserved(2)?;
        let checkpoint = Self {
            family: FamilyId::new(reader.array()?),
            instance: InstanceId::new(reader.array()?),
            number: reader.u64()?,
            hash: EntryHash::new(reader.array()?),
            epoch: reader.u32()?,
            device: DeviceId::new(reader.array()?),
            body: reader.prefixed("length of a checkpoint's body", ENVELOPE_CONTENT_LEN_MAX)?.to_vec(),
        };
        let signature = reader.array()?;
        reader.finish()?;
        checkpoint.check()?;
        Ok((checkpoint, &bytes[..bytes.len() - SIGNATURE_LEN], signature))
    }
}

/// What a device signs: the context string `warp checkpoint 1`, a zero byte, and what [`Checkpoint::encode_unsigned`] gives.
pub fn checkpoint_signing_bytes(unsigned: &[u8]) -> Vec<u8> {
    [CONTEXT, unsigned].concat()
}

impl CheckpointBody {
    /// The bytes to seal.
    ///
    /// # Errors
    /// If it breaks a rule of its format, or is too long.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        self.check()?;
        let mut writer = Writer::with_capacity(1024 + 93 * self.packs.len() + 200 * self.reflog.len());
        writer.u8(BODY_VERSION);
        writer.u64(self.log_bytes);
        writer.u32(self.epoch);
        list(&mut writer, &self.packs, encode_pack);
        list(&mut writer, &self.condemned, encode_condemned);
        list(&mut writer, &self.orphans, encode_condemned);
        list(&mut writer, &self.used, |writer, (uid, entry)| {
            writer.bytes(uid.as_bytes());
            writer.u64(*entry);
        });
        list(&mut writer, &self.removed_packs, |writer, uid| writer.bytes(uid.as_bytes()));
        list(&mut writer, &self.removed_segments, |writer, uid| writer.bytes(uid.as_bytes()));
        list(&mut writer, &self.segments, encode_segment);
        list(&mut writer, &self.commits, encode_commit);
        let mut next = 0;
        list(&mut writer, &self.live, |writer, place| {
            writer.varint((*place - std::mem::replace(&mut next, place + 1)) as u64)
        });
        list(&mut writer, &self.names, |writer, RefName { id, name }| {
            writer.bytes(id.as_bytes());
            writer.prefixed(name.as_bytes());
        });
        list(&mut writer, &self.reflog, encode_movement);
        list(&mut writer, &self.devices, encode_device);
        Ok(writer.into_bytes())
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// If it is of a newer version, ends early, is not canonical, or breaks a rule.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(BODY, bytes);
        reader.short_version(BODY_VERSION)?;
        let body = Self::decode_fields(&mut reader)?;
        reader.finish()?;
        body.check()?;
        Ok(body)
    }

    fn decode_fields(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut next = 0;
        Ok(Self {
            log_bytes: reader.u64()?,
            epoch: reader.u32()?,
            packs: items(reader, "number of packs", 93, decode_pack)?,
            condemned: items(reader, "number of condemned packs", 36, decode_condemned)?,
            orphans: items(reader, "number of orphans", 36, decode_condemned)?,
            used: items(reader, "number of packs used", 24, |r| Ok((PackId::new(r.array()?), r.u64()?)))?,
            removed_packs: items(reader, "number of packs removed", 16, |r| r.array().map(PackId::new))?,
            removed_segments: items(reader, "number of segments removed", 16, |r| {
                r.array().map(SegmentId::new)
            })?,
            segments: items(reader, "number of segments", 60, decode_segment)?,
            commits: items(reader, "number of commits", 33, decode_commit)?,
            live: items(reader, "number of live commits", 1, |r| {
                let place = (r.varint()? as usize).checked_add(next);
                let place = place.ok_or_else(|| r.invalid("a live commit is none that ever was"))?;
                next = place.saturating_add(1);
                Ok(place)
            })?,
            names: items(reader, "number of names of refs", 17, |r| {
                let id = RefId::new(r.array()?);
                Ok(RefName { id, name: r.text("name of a ref", EntryPrivate::TEXT_LEN_MAX)? })
            })?,
            reflog: items(reader, "number of movements of refs", 25, decode_movement)?,
            devices: items(reader, "number of devices", 97, decode_device)?,
        })
    }

    fn check(&self) -> Result<(), DecodeError> {
        let rule = Reader::new(BODY, &[]);
        let sorted = "a list is not in ascending order";
        rule.ensure(self.condemned.is_sorted_by(|one, next| one.uid < next.uid), sorted)?;
        rule.ensure(self.orphans.is_sorted_by(|one, next| one.uid < next.uid), sorted)?;
        rule.ensure(self.used.is_sorted_by(|one, next| one.0 < next.0), sorted)?;
        let newer = "a pack is sealed under a newer data key than every entry";
        rule.ensure(self.packs.iter().all(|pack| pack.epoch <= self.epoch), newer)?;
        rule.ensure(self.removed_packs.is_sorted_by(|one, next| one < next), sorted)?;
        rule.ensure(self.removed_segments.is_sorted_by(|one, next| one < next), sorted)?;
        rule.ensure(self.names.is_sorted_by(|one, next| one.id < next.id), sorted)?;
        rule.ensure(self.devices.is_sorted_by(|one, next| one.device < next.device), sorted)?;
        rule.ensure(self.live.is_sorted_by(|one, next| one < next), sorted)?;
        let ever = |place: &usize| *place < self.commits.len();
        rule.ensure(self.live.iter().all(ever), "a live commit is none that ever was")?;
        let named = |movement: &RefMovement| movement.name < self.names.len();
        rule.ensure(self.reflog.iter().all(named), "a ref that moved has no name")?;
        let moved = |movement: &RefMovement| movement.old.is_some() || movement.new.is_some();
        rule.ensure(self.reflog.iter().all(moved), "a ref neither existed nor exists")?;
        let roles = |device: &DeviceRecord| device.roles != 0 && device.roles & !DeviceRecord::ROLES == 0;
        rule.ensure(self.devices.iter().all(roles), "a device is revoked or has unknown roles")
    }
}

fn encode_time(writer: &mut Writer, time: Timestamp) {
    writer.i64(time.secs);
    writer.u32(time.nanos);
}

fn decode_time(reader: &mut Reader<'_>) -> Result<Timestamp, DecodeError> {
    let time = Timestamp { secs: reader.i64()?, nanos: reader.u32()? };
    time.check()?;
    Ok(time)
}

fn encode_condemned(writer: &mut Writer, condemned: &CondemnedRecord) {
    writer.bytes(condemned.uid.as_bytes());
    writer.u64(condemned.entry);
    encode_time(writer, condemned.time);
}

fn decode_condemned(reader: &mut Reader<'_>) -> Result<CondemnedRecord, DecodeError> {
    let (uid, entry) = (PackId::new(reader.array()?), reader.u64()?);
    Ok(CondemnedRecord { uid, entry, time: decode_time(reader)? })
}

fn encode_movement(writer: &mut Writer, movement: &RefMovement) {
    writer.count(movement.name);
    encode_commits_of_ref(writer, movement.old, movement.new);
    encode_made(writer, (movement.time, &movement.who, &movement.message));
    writer.u64(movement.entry);
}

fn decode_movement(reader: &mut Reader<'_>) -> Result<RefMovement, DecodeError> {
    let name = reader.varint()? as usize;
    let (old, new) = decode_commits_of_ref(reader)?;
    let (time, who, message) = decode_made(reader)?;
    time.check()?;
    Ok(RefMovement { name, old, new, time, who, message, entry: reader.u64()? })
}
