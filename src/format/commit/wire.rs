//! The MessagePack of a commit.
use super::{Commit, CommitStats, Imported, WHAT};
use crate::format::DecodeError;
use crate::format::codec::Reader;
use crate::format::dirtree::{DirEntry, Timestamp};
use crate::format::node::ContentRoot;
use crate::id::{ChunkId, CommitId, DeviceId, FamilyId};
use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// Version of a body without the items of later versions: it is as it always was.
const FIRST: u8 = 1;
/// Version of a body that names the commit which it was made of.
const WITH_ORIGINAL: u8 = 2;
/// Version of a body that names the commit of a repository with other keys which it was made of.
const IMPORTED: u8 = 3;

/// Bytes as MessagePack's `bin`, not as an array of numbers.
struct Bytes<'a>(Cow<'a, [u8]>);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Bytes(bytes.into()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(BytesVisitor)
    }
}

/// An id as MessagePack's `bin` of 32 bytes.
struct Id([u8; 32]);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Bytes::deserialize(deserializer)?.0;
        <[u8; 32]>::try_from(&bytes[..])
            .map(Self)
            .map_err(|_| D::Error::invalid_length(bytes.len(), &"32 bytes"))
    }
}

/// A list of at most `MAX` items; a longer one is refused before it takes memory.
struct List<T, const MAX: usize>(Vec<T>);

impl<T: Serialize, const MAX: usize> Serialize for List<T, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
    type Value = List<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            if list.len() == MAX {
                return Err(A::Error::invalid_length(MAX + 1, &self));
            }
            list.push(item);
        }
        Ok(List(list))
    }
}

/// Family, id, and the signed commit.
#[derive(serde::Serialize, serde::Deserialize)]
struct WireImported<'a>(#[serde(borrow)] Bytes<'a>, Id, #[serde(borrow)] Bytes<'a>);

/// An item that is left out, or nil, or there.
#[derive(Default)]
enum Item<T> {
    #[default]
    Absent,
    Nil,
    There(T),
}

impl<T> Item<T> {
    fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<T: Serialize> Serialize for Item<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::There(item) => item.serialize(serializer),
            _ => serializer.serialize_unit(),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Item<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map_or(Self::Nil, Self::There))
    }
}

/// Level, id, bytes of one occurrence, repeat count.
type WireRoot = Option<(u8, Id, u64, u64)>;

#[derive(serde::Serialize, serde::Deserialize)]
struct WireStats {
    files: u64,
    dirs: u64,
    others: u64,
    bytes: u64,
    new_bytes: u64,
    stored_bytes: u64,
    problems: u64,
    duration_ms: u64,
}

/// All fields in the order of the specification.
#[derive(serde::Serialize, serde::Deserialize)]
struct WireCommit<'a> {
    version: u8,
    #[serde(borrow)]
    root: Bytes<'a>,
    parents: List<Id, { Commit::PARENTS_MAX }>,
    author: Cow<'a, str>,
    host: Cow<'a, str>,
    #[serde(borrow)]
    paths: List<Bytes<'a>, { Commit::PATHS_MAX }>,
    tags: List<Cow<'a, str>, { Commit::TAGS_MAX }>,
    message: Cow<'a, str>,
    time: (i64, u32),
    utc_offset: i32,
    stats: WireStats,
    state: WireRoot,
    program: Cow<'a, str>,
    device: Id,
    #[serde(default, skip_serializing_if = "Item::is_absent")]
    original: Item<Id>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    imported: Option<WireImported<'a>>,
}

/// Writes a commit that was checked.
pub(super) fn encode(commit: &Commit) -> Result<Vec<u8>, DecodeError> {
    let wire = WireCommit {
        version: match (&commit.original, &commit.imported) {
            (_, Some(_)) => IMPORTED,
            (Some(_), None) => WITH_ORIGINAL,
            (None, None) => FIRST,
        },
        root: Bytes(commit.root.encode_entry()?.into()),
        parents: List(commit.parents.iter().map(|id| Id(*id.as_bytes())).collect()),
        author: commit.author.as_str().into(),
        host: commit.host.as_str().into(),
        paths: List(commit.paths.iter().map(|path| Bytes(path.into())).collect()),
        tags: List(commit.tags.iter().map(Cow::from).collect()),
        message: commit.message.as_str().into(),
        time: (commit.time.secs, commit.time.nanos),
        utc_offset: commit.utc_offset,
        stats: stats_to_wire(&commit.stats),
        state: root_to_wire(commit.state),
        program: commit.program.as_str().into(),
        device: Id(*commit.device.as_bytes()),
        original: match (commit.original, &commit.imported) {
            (Some(id), _) => Item::There(Id(*id.as_bytes())),
            (None, Some(_)) => Item::Nil,
            (None, None) => Item::Absent,
        },
        imported: commit.imported.as_ref().map(imported_to_wire),
    };
    Ok(rmp_serde::to_vec(&wire).expect("plain fields have a MessagePack, and memory takes every byte"))
}

/// Reads a commit without checking it.
pub(super) fn decode(body: &[u8]) -> Result<Commit, DecodeError> {
    check_version(body)?;
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(body);
    let wire = WireCommit::deserialize(&mut deserializer);
    let wire =
        wire.map_err(|_| Reader::new(WHAT, &[]).invalid("its MessagePack does not have its fields"))?;
    Ok(Commit {
        root: DirEntry::decode_entry(&wire.root.0)?,
        parents: wire.parents.0.into_iter().map(|id| CommitId::new(id.0)).collect(),
        author: wire.author.into_owned(),
        host: wire.host.into_owned(),
        paths: wire.paths.0.into_iter().map(|path| path.0.into_owned()).collect(),
        tags: wire.tags.0.into_iter().map(Cow::into_owned).collect(),
        message: wire.message.into_owned(),
        time: Timestamp { secs: wire.time.0, nanos: wire.time.1 },
        utc_offset: wire.utc_offset,
        stats: stats_from_wire(&wire.stats),
        state: root_from_wire(wire.state),
        program: wire.program.into_owned(),
        device: DeviceId::new(wire.device.0),
        original: match wire.original {
            Item::There(id) => Some(CommitId::new(id.0)),
            _ => None,
        },
        imported: wire.imported.map(imported_from_wire).transpose()?,
    })
}

fn imported_to_wire(imported: &Imported) -> WireImported<'_> {
    let Imported { family, id, signed } = imported;
    WireImported(Bytes(family.as_bytes().into()), Id(*id.as_bytes()), Bytes(signed.into()))
}

fn imported_from_wire(wire: WireImported<'_>) -> Result<Imported, DecodeError> {
    let WireImported(family, id, signed) = wire;
    let family = <[u8; FamilyId::LEN]>::try_from(&family.0[..]);
    let family = family.map_err(|_| Reader::new(WHAT, &[]).invalid("a family's name has another length"))?;
    Ok(Imported { family: FamilyId::new(family), id: CommitId::new(id.0), signed: signed.0.into_owned() })
}

/// Looks at the first item of the array before anything else, so that a newer commit says that it is newer.
fn check_version(body: &[u8]) -> Result<(), DecodeError> {
    let mut reader = Reader::new(WHAT, body);
    let marker = reader.u8()?;
    // Sixteen items have the longer form.
    if marker == 0xdc {
        reader.take(2)?;
    } else {
        reader.ensure(marker & 0xf0 == 0x90, "it is not a MessagePack array")?;
    }
    let mut version = Reader::new(WHAT, reader.take(1)?);
    version.short_version(IMPORTED).map(|_| ())
}

fn root_to_wire(root: ContentRoot) -> WireRoot {
    match root {
        ContentRoot::Empty => None,
        ContentRoot::Tree { level, id, len, repeat } => Some((level, Id(*id.as_bytes()), len, repeat)),
    }
}

fn root_from_wire(root: WireRoot) -> ContentRoot {
    root.map_or(ContentRoot::Empty, |(level, id, len, repeat)| ContentRoot::Tree {
        level,
        id: ChunkId::new(id.0),
        len,
        repeat,
    })
}

fn stats_to_wire(stats: &CommitStats) -> WireStats {
    let CommitStats { files, dirs, others, bytes, new_bytes, stored_bytes, problems, duration_ms } = *stats;
    WireStats { files, dirs, others, bytes, new_bytes, stored_bytes, problems, duration_ms }
}

fn stats_from_wire(stats: &WireStats) -> CommitStats {
    let WireStats { files, dirs, others, bytes, new_bytes, stored_bytes, problems, duration_ms } = *stats;
    CommitStats { files, dirs, others, bytes, new_bytes, stored_bytes, problems, duration_ms }
}
