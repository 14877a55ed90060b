//! The public part of a bundle's manifest.
use super::{BundleManifest, BundlePublic};
use crate::format::DecodeError;
use crate::format::codec::{Reader, Writer, ensure_distinct, limit};
use crate::format::commit::Commit;
use crate::format::config::Config;
use crate::format::log::{
    CommitRecord, DeviceRecord, decode_commit, decode_device, decode_pack, encode_commit, encode_device,
    encode_pack, items, list,
};
use crate::format::pack::PackHeader;
use crate::id::{BundleId, CommitId};
use crate::limits;

const WHAT: &str = "public part of a bundle";
const VERSION: u16 = 1;

impl BundlePublic {
    /// Bytes that a pack takes in the list of packs.
    pub const PACK_RECORD_LEN: usize = 89;

    /// The bytes that are signed.
    ///
    /// # Errors
    /// If it breaks a rule of [`Self::check`], or its manifest would not fit in front of the first pack.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        self.check()?;
        let config = self.config.encode()?;
        let mut writer = Writer::with_capacity(512 + config.len() + self.private.len());
        writer.u16(VERSION);
        writer.bytes(self.uid.as_bytes());
        writer.u64(self.packs_offset);
        writer.prefixed(&config);
        list(&mut writer, &self.packs, encode_pack);
        list(&mut writer, &self.commits, encode_commit);
        list(&mut writer, &self.forgotten, encode_commit);
        list(&mut writer, &self.prerequisites, |writer, id| writer.bytes(id.as_bytes()));
        encode_device(&mut writer, &self.device);
        writer.u32(self.epoch);
        writer.prefixed(&self.private);
        self.check_room(writer.as_slice().len())?;
        Ok(writer.into_bytes())
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// If it is of a newer version, ends early, is not canonical, or breaks a rule of [`Self::check`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(WHAT, bytes);
        reader.version(VERSION)?;
        let public = Self::decode_fields(&mut reader)?;
        reader.finish()?;
        public.check()?;
        public.check_room(bytes.len())?;
        Ok(public)
    }

    fn decode_fields(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            uid: BundleId::new(reader.array()?),
            packs_offset: reader.u64()?,
            config: Config::decode(reader.prefixed("length of the configuration", limits::CONFIG_LEN_MAX)?)?,
            packs: items(reader, "number of packs", Self::PACK_RECORD_LEN, decode_pack)?,
            commits: items(reader, "number of commits", 33, decode_commit)?,
            forgotten: items(reader, "number of commits forgotten", 33, decode_commit)?,
            prerequisites: items(reader, "number of prerequisites", 32, |r| r.array().map(CommitId::new))?,
            device: decode_device(reader)?,
            epoch: reader.u32()?,
            private: reader.prefixed("length of the private part", limits::BUNDLE_MANIFEST_LEN_MAX)?.to_vec(),
        })
    }

    /// Checks what a bundle must be whatever its file holds: lengths and roles are possible, there is a commit, no list names
    /// one thing twice, and no commit stands in two of them.
    ///
    /// # Errors
    /// The rule that it breaks. No such bundle is written or read.
    pub fn check(&self) -> Result<(), DecodeError> {
        let rule = Reader::new(WHAT, &[]);
        limit("offset of the first pack", self.packs_offset, limits::BUNDLE_MANIFEST_LEN_MAX as u64)?;
        rule.ensure(!self.commits.is_empty(), "it holds no commit")?;
        rule.ensure(self.device.roles & !DeviceRecord::ROLES == 0, "its device has unknown roles")?;
        for pack in &self.packs {
            limit("length of a pack", pack.len, PackHeader::TOTAL_LEN_MAX)?;
            rule.ensure(!pack.self_indexed, "a pack is its own index")?;
            rule.ensure(pack.len >= 2 * PackHeader::LEN as u64, "a pack is shorter than its headers")?;
        }
        ensure_distinct("list of packs", self.packs.iter().map(|pack| pack.uid))?;
        for CommitRecord { parents, .. } in self.commits.iter().chain(&self.forgotten) {
            limit("number of parents", parents.len() as u64, Commit::PARENTS_MAX as u64)?;
            ensure_distinct("list of parents of a commit", parents.iter())?;
        }
        let told = self.commits.iter().chain(&self.forgotten).map(|commit| commit.id);
        let all: Vec<CommitId> = told.chain(self.prerequisites.iter().copied()).collect();
        ensure_distinct("lists of commits of a bundle", all.iter())
    }

    /// The manifest lies in front of the first pack.
    fn check_room(&self, public_len: usize) -> Result<(), DecodeError> {
        let len = (BundleManifest::FRAME_LEN + public_len) as u64;
        limit("length of a bundle's manifest, which ends where the packs begin,", len, self.packs_offset)
    }

    /// Where the last pack ends, and the second copy of the manifest begins.
    pub fn packs_end(&self) -> u64 {
        // At most 2^20 packs of 2^28 bytes.
        self.packs_offset + self.packs.iter().map(|pack| pack.len).sum::<u64>()
    }
}
