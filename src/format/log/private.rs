//! The plaintext of an entry's private part.
use super::{EntryPrivate, RefName};
use crate::format::DecodeError;
use crate::format::codec::{Reader, Writer, ensure_distinct, limit};
use crate::format::dirtree::Timestamp;
use crate::id::{DeviceId, RefId};
use crate::limits;

const WHAT: &str = "private part of a log entry";
const VERSION: u8 = 1;

impl EntryPrivate {
    /// Most bytes of `who`, of a ref's or a device's name.
    pub const TEXT_LEN_MAX: usize = 4 * limits::KIB;
    /// Most bytes of the message.
    pub const MESSAGE_LEN_MAX: usize = limits::MIB;
    /// Most names of refs, and of devices.
    pub const NAMES_MAX: usize = 1 << 20;

    /// The bytes to seal.
    ///
    /// # Errors
    /// If it breaks a rule of [`Self::check`].
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        self.check()?;
        let mut writer = Writer::new();
        writer.u8(VERSION);
        encode_made(&mut writer, (self.time, &self.who, &self.message));
        writer.count(self.names.len());
        for RefName { id, name } in &self.names {
            writer.bytes(id.as_bytes());
            writer.prefixed(name.as_bytes());
        }
        writer.count(self.device_names.len());
        for (device, name) in &self.device_names {
            writer.bytes(device.as_bytes());
            writer.prefixed(name.as_bytes());
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
        let private = Self {
            time,
            who,
            message,
            names: decode_names(&mut reader, "number of refs", RefId::new)?
                .into_iter()
                .map(|(id, name)| RefName { id, name })
                .collect(),
            device_names: decode_names(&mut reader, "number of devices", DeviceId::new)?,
        };
        reader.finish()?;
        private.check()?;
        Ok(private)
    }

    /// Checks the time, the length of every text, and that nothing has two names.
    ///
    /// # Errors
    /// The rule that it breaks. No such private part is written or read.
    pub fn check(&self) -> Result<(), DecodeError> {
        self.time.check()?;
        let text = |what, text: &str| limit(what, text.len() as u64, Self::TEXT_LEN_MAX as u64);
        text("length of an author", &self.who)?;
        limit("length of a message", self.message.len() as u64, Self::MESSAGE_LEN_MAX as u64)?;
        limit("number of refs", self.names.len() as u64, Self::NAMES_MAX as u64)?;
        limit("number of devices", self.device_names.len() as u64, Self::NAMES_MAX as u64)?;
        self.names.iter().try_for_each(|name| text("length of a ref's name", &name.name))?;
        self.device_names.iter().try_for_each(|(_, name)| text("length of a device's name", name))?;
        ensure_distinct("list of names of refs", self.names.iter().map(|name| name.id))?;
        ensure_distinct("list of names of devices", self.device_names.iter().map(|(device, _)| device))
    }
}

/// When something was made, by whom, and what was done.
pub(in crate::format) fn encode_made(writer: &mut Writer, (time, who, message): (Timestamp, &str, &str)) {
    writer.i64(time.secs);
    writer.u32(time.nanos);
    writer.prefixed(who.as_bytes());
    writer.prefixed(message.as_bytes());
}

/// What [`encode_made`] wrote. Whoever reads checks the time.
pub(in crate::format) fn decode_made(
    reader: &mut Reader<'_>,
) -> Result<(Timestamp, String, String), DecodeError> {
    let time = Timestamp { secs: reader.i64()?, nanos: reader.u32()? };
    let who = reader.text("author", EntryPrivate::TEXT_LEN_MAX)?;
    Ok((time, who, reader.text("message", EntryPrivate::MESSAGE_LEN_MAX)?))
}

fn decode_names<T, const N: usize>(
    reader: &mut Reader<'_>,
    what: &'static str,
    id: fn([u8; N]) -> T,
) -> Result<Vec<(T, String)>, DecodeError> {
    let count = reader.count(what, EntryPrivate::NAMES_MAX, N + 1)?;
    let mut names = Vec::with_capacity(count);
    for _ in 0..count {
        let id = id(reader.array()?);
        names.push((id, reader.text("name in a log entry", EntryPrivate::TEXT_LEN_MAX)?));
    }
    Ok(names)
}
