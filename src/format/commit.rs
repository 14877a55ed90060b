#![doc = include_str!("commit.md")]
#[cfg(test)]
mod tests;
mod wire;

use super::DecodeError;
use super::codec::{Reader, Writer, ensure_distinct, limit};
use super::dirtree::{EntryKind, Timestamp};
use super::node::ContentRoot;
use crate::id::{CommitId, DeviceId, FamilyId};
use crate::limits;

const WHAT: &str = "commit";
/// Version of the signature's envelope; the body has its own.
const VERSION: u8 = 1;
/// What a signature of a commit starts with, so that it can be taken for nothing else.
const CONTEXT: &[u8] = b"warp commit 1\0";

/// What a commit counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CommitStats {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Everything else.
    pub others: u64,
    /// Bytes of all regular files.
    pub bytes: u64,
    /// Bytes of chunks that the repository did not have before.
    pub new_bytes: u64,
    /// Bytes that they take in its packs.
    pub stored_bytes: u64,
    /// Paths that could not be read.
    pub problems: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// A recorded tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The root directory as an entry with an empty name; its `kind` is a directory.
    pub root: super::dirtree::DirEntry,
    /// Earlier commits; one that is gone was forgotten.
    pub parents: Vec<CommitId>,
    /// Who made it.
    pub author: String,
    /// Which host the tree is of.
    pub host: String,
    /// The source's paths, absolute, as bytes; one, the working directory, in a repository with one.
    pub paths: Vec<Vec<u8>>,
    /// Labels.
    pub tags: Vec<String>,
    /// Description.
    pub message: String,
    /// When it began.
    pub time: Timestamp,
    /// Offset of local time from UTC then, in seconds.
    pub utc_offset: i32,
    /// Counts.
    pub stats: CommitStats,
    /// Side object for change detection.
    pub state: ContentRoot,
    /// Name and version of the program.
    pub program: String,
    /// Who signed.
    pub device: DeviceId,
    /// The commit that this one was made of when history was rewritten; it was forgotten, most likely.
    pub original: Option<CommitId>,
    /// The commit of a repository with other keys that this one was made of.
    pub imported: Option<Imported>,
}

/// A commit of a repository with other keys, as it was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The family of that repository.
    pub family: FamilyId,
    /// Its id there.
    pub id: CommitId,
    /// Its bytes: a [`SignedCommit`] with the signature of the device that made it.
    pub signed: Vec<u8>,
}

/// A commit's bytes as stored: what is signed, and the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCommit {
    /// MessagePack of the commit, with its version.
    pub body: Vec<u8>,
    /// Ed25519 signature over the context string `warp commit 1` and `body`.
    pub signature: [u8; 64],
}

/// What a device signs: the context string `warp commit 1`, a zero byte, and the body.
pub fn signing_bytes(body: &[u8]) -> Vec<u8> {
    [CONTEXT, body].concat()
}

impl Commit {
    /// Most parents.
    pub const PARENTS_MAX: usize = 256;
    /// Most source paths.
    pub const PATHS_MAX: usize = 1 << 16;
    /// Most bytes of one source path.
    pub const PATH_LEN_MAX: usize = 64 * limits::KIB;
    /// Most tags.
    pub const TAGS_MAX: usize = 1024;
    /// Most bytes of an author, a host, a tag, or the program's name.
    pub const TEXT_LEN_MAX: usize = 4 * limits::KIB;
    /// Most bytes of a message.
    pub const MESSAGE_LEN_MAX: usize = limits::MIB;
    /// Most bytes of an imported commit: half of what a commit may have, so that both fit.
    pub const IMPORTED_LEN_MAX: usize = limits::OBJECT_LEN_MAX / 2;
    /// Largest offset from UTC in seconds, either way: a day and a bit, more than any place has.
    pub const UTC_OFFSET_MAX: u32 = 26 * 3600;

    /// The MessagePack of the commit, which is signed.
    ///
    /// # Errors
    /// If it breaks a rule of [`Self::check`], or would not fit an object.
    pub fn encode_body(&self) -> Result<Vec<u8>, DecodeError> {
        self.check()?;
        let body = wire::encode(self)?;
        limit("length of a commit", body.len() as u64, SignedCommit::BODY_LEN_MAX as u64)?;
        Ok(body)
    }

    /// Reads what [`Self::encode_body`] wrote.
    ///
    /// # Errors
    /// If it is of a newer version, is not canonical, or breaks a rule of [`Self::check`].
    pub fn decode_body(body: &[u8]) -> Result<Self, DecodeError> {
        limit("length of a commit", body.len() as u64, SignedCommit::BODY_LEN_MAX as u64)?;
        let commit = wire::decode(body)?;
        commit.check()?;
        // MessagePack writes one number in several ways; only the shortest is ours.
        let canonical = wire::encode(&commit)? == body;
        Reader::new(WHAT, &[]).ensure(canonical, "its MessagePack is not the shortest")?;
        Ok(commit)
    }

    /// Checks the root and the length of every list and text.
    ///
    /// # Errors
    /// The rule that it breaks. No such commit is written or read.
    pub fn check(&self) -> Result<(), DecodeError> {
        let rule = Reader::new(WHAT, &[]);
        let is_root = self.root.name.is_empty() && matches!(self.root.kind, EntryKind::Dir { .. });
        rule.ensure(is_root, "its root is not a directory without a name")?;
        self.root.check_metadata()?;
        self.state.check()?;
        self.time.check()?;
        limit("offset from UTC", self.utc_offset.unsigned_abs().into(), Self::UTC_OFFSET_MAX.into())?;
        self.check_lists()?;
        if let Some(imported) = &self.imported {
            limit(
                "length of an imported commit",
                imported.signed.len() as u64,
                Self::IMPORTED_LEN_MAX as u64,
            )?;
            SignedCommit::decode(&imported.signed)?;
        }
        self.check_texts()
    }

    fn check_lists(&self) -> Result<(), DecodeError> {
        limit("number of parents", self.parents.len() as u64, Self::PARENTS_MAX as u64)?;
        limit("number of source paths", self.paths.len() as u64, Self::PATHS_MAX as u64)?;
        limit("number of tags", self.tags.len() as u64, Self::TAGS_MAX as u64)?;
        for path in &self.paths {
            limit("length of a source path", path.len() as u64, Self::PATH_LEN_MAX as u64)?;
        }
        ensure_distinct("list of parents of a commit", self.parents.iter())
    }

    fn check_texts(&self) -> Result<(), DecodeError> {
        let text = |what, text: &str| limit(what, text.len() as u64, Self::TEXT_LEN_MAX as u64);
        text("length of an author", &self.author)?;
        text("length of a host's name", &self.host)?;
        text("length of a program's name", &self.program)?;
        self.tags.iter().try_for_each(|tag| text("length of a tag", tag))?;
        limit("length of a message", self.message.len() as u64, Self::MESSAGE_LEN_MAX as u64)
    }
}

impl SignedCommit {
    /// Bytes before the body.
    const HEAD_LEN: usize = 1 + 64;
    /// Most bytes of a body: with its signature it fits an object.
    pub const BODY_LEN_MAX: usize = limits::OBJECT_LEN_MAX - Self::HEAD_LEN;

    /// The commit's plaintext, which its id is computed from.
    ///
    /// # Errors
    /// If the body would not fit an object.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        limit("length of a commit", self.body.len() as u64, Self::BODY_LEN_MAX as u64)?;
        let mut writer = Writer::with_capacity(Self::HEAD_LEN + self.body.len());
        writer.u8(VERSION);
        writer.bytes(&self.signature);
        writer.bytes(&self.body);
        Ok(writer.into_bytes())
    }

    /// Takes signature and body apart. Neither verifies the signature nor reads the body.
    ///
    /// # Errors
    /// If it is of a newer version, or too short or too long.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(WHAT, bytes);
        reader.short_version(VERSION)?;
        let signature = reader.array()?;
        let body = reader.take(reader.remaining())?;
        limit("length of a commit", body.len() as u64, Self::BODY_LEN_MAX as u64)?;
        Ok(Self { body: body.to_vec(), signature })
    }
}
