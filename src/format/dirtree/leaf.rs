//! Entries in columns.
use super::check::xattrs_len;
use super::names;
use super::{DirEntry, DirNode, EntryKind, Owner, Timestamp, Xattr};
use crate::format::DecodeError;
use crate::format::codec::{Reader, Writer, ensure_distinct, limit};
use crate::format::node::ContentRoot;
use crate::id::ChunkId;
use crate::limits;
use std::collections::HashMap;
use std::hash::Hash;

/// Two lengths of its name, a tag, a number of attributes, seconds, nanoseconds.
pub(super) const ENTRY_BYTES_MIN: usize = 6;

/// What an entry is: the low four bits of its tag.
const FILE: u8 = 1;
const DIR: u8 = 2;
const SYMLINK: u8 = 3;
const FIFO: u8 = 4;
const SOCKET: u8 = 5;
const CHAR_DEVICE: u8 = 6;
const BLOCK_DEVICE: u8 = 7;
const KIND_BITS: u8 = 0x0f;
/// A file with content, or a directory with a node: it has an id.
const HAS_ID: u8 = 0x10;
/// A file with holes.
const SPARSE: u8 = 0x20;
/// A file whose content is not one chunk that stands there once: it has a level and a repeat count.
const TREE: u8 = 0x40;
/// It has other names.
const LINKED: u8 = 0x80;

/// Distinct values in the order in which they first come up.
struct Table<T> {
    items: Vec<T>,
    numbers: HashMap<T, usize>,
    /// Number that was asked for last: neighbours are often alike.
    last: usize,
}

impl<T: Copy + Eq + Hash> Table<T> {
    fn new() -> Self {
        Self { items: Vec::new(), numbers: HashMap::new(), last: 0 }
    }

    fn number(&mut self, value: T) -> usize {
        if self.items.get(self.last) != Some(&value) {
            self.last = *self.numbers.entry(value).or_insert(self.items.len());
            if self.last == self.items.len() {
                self.items.push(value);
            }
        }
        self.last
    }
}

/// What many entries of a directory have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Attributes {
    mode: u32,
    /// Number in the table of owners.
    owner: usize,
    /// Number in the table of attribute sets, from 1; 0: none.
    xattrs: usize,
}

/// Writes names, then all other columns.
pub(super) fn encode(writer: &mut Writer, entries: &[DirEntry]) {
    names::encode(writer, entries.iter().map(|entry| &entry.name[..]));
    entries.iter().for_each(|entry| writer.u8(tag(entry)));
    encode_attributes(writer, entries);
    let mut before = 0;
    for entry in entries {
        writer.zigzag(entry.mtime.secs.wrapping_sub(before));
        before = entry.mtime.secs;
    }
    entries.iter().for_each(|entry| writer.varint(entry.mtime.nanos.into()));
    encode_kinds(writer, entries);
    for entry in entries.iter().filter(|entry| entry.hard_link != 0) {
        writer.u64(entry.hard_link);
    }
    entries.iter().filter_map(|entry| id(&entry.kind)).for_each(|id| writer.bytes(id.as_bytes()));
}

fn tag(entry: &DirEntry) -> u8 {
    let kind = match &entry.kind {
        EntryKind::File { content, sparse } => {
            let content = match content {
                ContentRoot::Empty => 0,
                ContentRoot::Tree { level: 0, repeat: 1, .. } => HAS_ID,
                ContentRoot::Tree { .. } => HAS_ID | TREE,
            };
            FILE | content | if *sparse { SPARSE } else { 0 }
        }
        EntryKind::Dir { node: None } => DIR,
        EntryKind::Dir { node: Some(_) } => DIR | HAS_ID,
        EntryKind::Symlink { .. } => SYMLINK,
        EntryKind::Fifo => FIFO,
        EntryKind::Socket => SOCKET,
        EntryKind::CharDevice { .. } => CHAR_DEVICE,
        EntryKind::BlockDevice { .. } => BLOCK_DEVICE,
    };
    kind | if entry.hard_link == 0 { 0 } else { LINKED }
}

fn id(kind: &EntryKind) -> Option<&ChunkId> {
    match kind {
        EntryKind::File { content: ContentRoot::Tree { id, .. }, .. } => Some(id),
        EntryKind::Dir { node } => node.as_ref(),
        _ => None,
    }
}

fn encode_attributes(writer: &mut Writer, entries: &[DirEntry]) {
    let (mut owners, mut sets, mut table) = (Table::new(), Table::new(), Table::new());
    let mut numbers = Vec::with_capacity(entries.len());
    for DirEntry { mode, owner, xattrs, .. } in entries {
        let xattrs = if xattrs.is_empty() { 0 } else { sets.number(&xattrs[..]) + 1 };
        numbers.push(table.number(Attributes { mode: *mode, owner: owners.number(owner), xattrs }));
    }
    writer.count(owners.items.len());
    for Owner { uid, gid, user, group } in owners.items {
        writer.varint((*uid).into());
        writer.varint((*gid).into());
        writer.prefixed(user);
        writer.prefixed(group);
    }
    writer.count(sets.items.len());
    sets.items.into_iter().for_each(|set| encode_set(writer, set));
    writer.count(table.items.len());
    for Attributes { mode, owner, xattrs } in table.items {
        writer.varint(mode.into());
        writer.count(owner);
        writer.count(xattrs);
    }
    numbers.into_iter().for_each(|number| writer.count(number));
}

fn encode_set(writer: &mut Writer, set: &[Xattr]) {
    writer.count(set.len());
    for Xattr { name, value } in set {
        writer.prefixed(name);
        writer.prefixed(value);
    }
}

/// Writes the columns that only some kinds have: lengths, levels and repeat counts, devices, targets.
fn encode_kinds(writer: &mut Writer, entries: &[DirEntry]) {
    let roots = || entries.iter().filter_map(|entry| root(&entry.kind));
    roots().for_each(|(_, len, _)| writer.varint(len));
    for (level, _, repeat) in roots().filter(|(level, _, repeat)| (*level, *repeat) != (0, 1)) {
        writer.u8(level);
        writer.varint(repeat);
    }
    for entry in entries {
        if let EntryKind::CharDevice { major, minor } | EntryKind::BlockDevice { major, minor } = entry.kind {
            writer.varint(major.into());
            writer.varint(minor.into());
        }
    }
    for entry in entries {
        if let EntryKind::Symlink { target } = &entry.kind {
            writer.prefixed(target);
        }
    }
}

/// Level, length and repeat count of a file's content.
fn root(kind: &EntryKind) -> Option<(u8, u64, u64)> {
    match *kind {
        EntryKind::File { content: ContentRoot::Tree { level, len, repeat, .. }, .. } => {
            Some((level, len, repeat))
        }
        _ => None,
    }
}

/// Reads everything behind the names; one entry for each of them.
pub(super) fn decode(reader: &mut Reader<'_>, names: Vec<Vec<u8>>) -> Result<Vec<DirEntry>, DecodeError> {
    let tags = reader.take(names.len())?;
    let attributes = decode_attributes(reader, names.len())?;
    let mut entries = Vec::with_capacity(names.len());
    for ((name, tag), (mode, owner, xattrs)) in names.into_iter().zip(tags).zip(attributes) {
        let (kind, mtime) = (kind(reader, *tag)?, Timestamp::default());
        entries.push(DirEntry { name, kind, mode, owner, mtime, xattrs, hard_link: 0 });
    }
    decode_times(reader, &mut entries)?;
    decode_kinds(reader, &mut entries, tags)?;
    for (entry, _) in entries.iter_mut().zip(tags).filter(|(_, tag)| **tag & LINKED != 0) {
        entry.hard_link = reader.u64()?;
        reader.ensure(entry.hard_link != 0, "a group of hard links is 0")?;
    }
    for entry in &mut entries {
        if let Some(id) = id_mut(&mut entry.kind) {
            *id = ChunkId::new(reader.array()?);
        }
    }
    Ok(entries)
}

/// The kind that a tag speaks of, its fields still empty.
fn kind(reader: &Reader<'_>, tag: u8) -> Result<EntryKind, DecodeError> {
    let id = ChunkId::new([0; ChunkId::LEN]);
    Ok(match (tag & KIND_BITS, tag & !KIND_BITS & !LINKED) {
        (FILE, bits) if bits & TREE == 0 || bits & HAS_ID != 0 => EntryKind::File {
            content: match bits & HAS_ID {
                0 => ContentRoot::Empty,
                _ => ContentRoot::Tree { level: 0, id, len: 0, repeat: 1 },
            },
            sparse: bits & SPARSE != 0,
        },
        (DIR, 0) => EntryKind::Dir { node: None },
        (DIR, HAS_ID) => EntryKind::Dir { node: Some(id) },
        (SYMLINK, 0) => EntryKind::Symlink { target: Vec::new() },
        (FIFO, 0) => EntryKind::Fifo,
        (SOCKET, 0) => EntryKind::Socket,
        (CHAR_DEVICE, 0) => EntryKind::CharDevice { major: 0, minor: 0 },
        (BLOCK_DEVICE, 0) => EntryKind::BlockDevice { major: 0, minor: 0 },
        _ => return Err(reader.invalid("an entry's kind is unknown")),
    })
}

fn id_mut(kind: &mut EntryKind) -> Option<&mut ChunkId> {
    match kind {
        EntryKind::File { content: ContentRoot::Tree { id, .. }, .. } => Some(id),
        EntryKind::Dir { node } => node.as_mut(),
        _ => None,
    }
}

/// Takes the number of a table's item. Items stand in the order in which they first come up.
fn number(reader: &mut Reader<'_>, used: &mut usize) -> Result<usize, DecodeError> {
    let number = reader.varint()?;
    reader.ensure(number <= *used as u64, "a table is not in the order of its use")?;
    *used = (*used).max(number as usize + 1);
    Ok(number as usize)
}

/// Refuses a table of `len` items of which not all, or more than all, are used.
fn all_used(reader: &Reader<'_>, used: usize, len: usize) -> Result<(), DecodeError> {
    reader.ensure(used == len, "a table has items that nothing uses, or lacks some")
}

/// Mode, owner and extended attributes of every entry.
fn decode_attributes(
    reader: &mut Reader<'_>,
    entries: usize,
) -> Result<Vec<(u32, Owner, Vec<Xattr>)>, DecodeError> {
    let owners = decode_owners(reader, entries)?;
    let sets = decode_sets(reader, entries)?;
    let table = decode_table(reader, entries, owners.len(), sets.len())?;
    let mut used = 0;
    let numbers = (0..entries).map(|_| number(reader, &mut used)).collect::<Result<Vec<_>, _>>()?;
    all_used(reader, used, table.len())?;
    let set = |number: usize| number.checked_sub(1).map_or(&[][..], |set| &sets[set][..]);
    let lens = table.iter().map(|row| xattrs_len(set(row.xattrs))).collect::<Vec<_>>();
    let len = numbers.iter().map(|number| lens[*number]).sum::<usize>();
    limit("length of all attributes of a directory node", len as u64, DirNode::XATTRS_LEN_MAX as u64)?;
    let rows = numbers.into_iter().map(|number| table[number]);
    Ok(rows.map(|row| (row.mode, owners[row.owner].clone(), set(row.xattrs).to_vec())).collect())
}

fn decode_owners(reader: &mut Reader<'_>, entries: usize) -> Result<Vec<Owner>, DecodeError> {
    let count = reader.count("number of owners", entries, 4)?;
    let mut owners = Vec::with_capacity(count);
    for _ in 0..count {
        let (uid, gid) = (reader.varint_u32()?, reader.varint_u32()?);
        let user = reader.prefixed("length of a user's name", limits::NAME_LEN_MAX)?.to_vec();
        let group = reader.prefixed("length of a group's name", limits::NAME_LEN_MAX)?.to_vec();
        owners.push(Owner { uid, gid, user, group });
    }
    ensure_distinct("table of owners", owners.iter())?;
    Ok(owners)
}

fn decode_sets(reader: &mut Reader<'_>, entries: usize) -> Result<Vec<Vec<Xattr>>, DecodeError> {
    let count = reader.count("number of attribute sets", entries, 4)?;
    let mut sets = Vec::with_capacity(count);
    for _ in 0..count {
        sets.push(decode_set(reader)?);
    }
    ensure_distinct("table of attribute sets", sets.iter())?;
    Ok(sets)
}

fn decode_set(reader: &mut Reader<'_>) -> Result<Vec<Xattr>, DecodeError> {
    let count = reader.count("number of attributes", limits::XATTR_LIST_LEN_MAX / 2, 3)?;
    reader.ensure(count > 0, "a set of attributes is empty")?;
    let mut set = Vec::with_capacity(count);
    for _ in 0..count {
        let name = reader.prefixed("length of an attribute's name", limits::NAME_LEN_MAX)?.to_vec();
        let value = reader.prefixed("length of an attribute's value", limits::XATTR_VALUE_LEN_MAX)?.to_vec();
        set.push(Xattr { name, value });
    }
    Ok(set)
}

fn decode_table(
    reader: &mut Reader<'_>,
    entries: usize,
    owners: usize,
    sets: usize,
) -> Result<Vec<Attributes>, DecodeError> {
    let count = reader.count("number of attributes", entries, 3)?;
    // The set 0, none, always counts as used.
    let (mut owners_used, mut sets_used) = (0, 1);
    let mut table = Vec::with_capacity(count);
    for _ in 0..count {
        let mode = reader.varint_u32()?;
        let (owner, xattrs) = (number(reader, &mut owners_used)?, number(reader, &mut sets_used)?);
        reader.ensure(owner < owners && xattrs <= sets, "a table lacks an item")?;
        table.push(Attributes { mode, owner, xattrs });
    }
    all_used(reader, owners_used, owners)?;
    all_used(reader, sets_used, sets + 1)?;
    ensure_distinct("table of attributes", table.iter())?;
    Ok(table)
}

fn decode_times(reader: &mut Reader<'_>, entries: &mut [DirEntry]) -> Result<(), DecodeError> {
    let mut before = 0_i64;
    for entry in &mut *entries {
        before = before.wrapping_add(reader.zigzag()?);
        entry.mtime.secs = before;
    }
    for entry in entries {
        entry.mtime.nanos = reader.varint_u32()?;
    }
    Ok(())
}

fn decode_kinds(reader: &mut Reader<'_>, entries: &mut [DirEntry], tags: &[u8]) -> Result<(), DecodeError> {
    for entry in &mut *entries {
        if let EntryKind::File { content: ContentRoot::Tree { len, .. }, .. } = &mut entry.kind {
            *len = reader.varint()?;
        }
    }
    for (entry, tag) in entries.iter_mut().zip(tags) {
        if let EntryKind::File { content: ContentRoot::Tree { level, repeat, .. }, .. } = &mut entry.kind
            && tag & TREE != 0
        {
            (*level, *repeat) = (reader.u8()?, reader.varint()?);
            reader.ensure((*level, *repeat) != (0, 1), "a single chunk is marked as a tree")?;
        }
    }
    for entry in &mut *entries {
        if let EntryKind::CharDevice { major, minor } | EntryKind::BlockDevice { major, minor } =
            &mut entry.kind
        {
            (*major, *minor) = (reader.varint_u32()?, reader.varint_u32()?);
        }
    }
    for entry in entries {
        if let EntryKind::Symlink { target } = &mut entry.kind {
            *target = reader.prefixed("length of a link's target", limits::LINK_TARGET_LEN_MAX)?.to_vec();
        }
    }
    Ok(())
}
