//! The plaintext of a bundle's private part.
use super::BundlePrivate;
use crate::format::DecodeError;
use crate::format::codec::{Reader, Writer, ensure_distinct, limit};
use crate::format::log::{EntryPrivate, decode_made, encode_made};
use crate::id::CommitId;

const WHAT: &str = "private part of a bundle";
const VERSION: u8 = 1;

impl BundlePrivate {
    /// The bytes to seal.
    ///
    /// # Errors
    /// If it breaks a rule of [`Self::check`].
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        self.check()?;
        let mut writer = Writer::new();
        writer.u8(VERSION);
        encode_made(&mut writer, (self.time, &self.who, &self.message));
        writer.count(self.refs.len());
        for (name, commit) in &self.refs {
            writer.prefixed(name.as_bytes());
            writer.bytes(commit.as_bytes());
        }
        Ok(writer.into_bytes())
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// If it is of a newer version, ends early, is not canonical, or breaks a rule of [`Self::check`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(WHAT, bytes);
        reader.short_version(VERSION)?;
        let (time, who, message) = decode_made(&mut reader)?;
        let private = Self { time, who, message, refs: decode_refs(&mut reader)? };
        reader.finish()?;
        private.check()?;
        Ok(private)
    }

    /// Checks the time, the length of every text, and that no ref stands there twice.
    ///
    /// # Errors
    /// The rule that it breaks. No such private part is written or read.
    pub fn check(&self) -> Result<(), DecodeError> {
        self.time.check()?;
        let text = |what, text: &str| limit(what, text.len() as u64, EntryPrivate::TEXT_LEN_MAX as u64);
        text("length of an author", &self.who)?;
        limit("length of a message", self.message.len() as u64, EntryPrivate::MESSAGE_LEN_MAX as u64)?;
        limit("number of refs", self.refs.len() as u64, EntryPrivate::NAMES_MAX as u64)?;
        self.refs.iter().try_for_each(|(name, _)| text("length of a ref's name", name))?;
        ensure_distinct("list of refs of a bundle", self.refs.iter().map(|(name, _)| name))
    }
}

fn decode_refs(reader: &mut Reader<'_>) -> Result<Vec<(String, CommitId)>, DecodeError> {
    let count = reader.count("number of refs", EntryPrivate::NAMES_MAX, 1 + CommitId::LEN)?;
    let mut refs = Vec::with_capacity(count);
    for _ in 0..count {
        let name = reader.text("name of a ref", EntryPrivate::TEXT_LEN_MAX)?;
        refs.push((name, CommitId::new(reader.array()?)));
    }
    Ok(refs)
}
